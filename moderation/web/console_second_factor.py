"""The console's pages of the second factor: its code at the log-in, one's own, and that of who has lost a device."""

import uuid
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.errors import CallerError, Conflict, Invalid, RateLimited, Unauthenticated
from moderation.services import second_factor
from moderation.web import sessions
from moderation.web.console import _actor, console, network_of_caller
from moderation.web.console_admin import back, page, typed
from moderation.web.guards import parts

# --- logging in --------------------------------------------------------------------------------------------------


@console.get("/login/code")
def ask_code() -> AnyResponse:
    """The second half of a log-in."""
    if not sessions.ticket():
        return redirect(url_for("console.log_in"), 303)
    return _code_page(_then(request.args.get("then")))


@console.post("/login/code")
def send_code() -> AnyResponse:
    """Finish the log-in by a code."""
    form = typed("code")
    then = _then(request.form.get("then"))
    try:
        cookie, actor = second_factor.finish_log_in(
            parts(), sessions.ticket(), form["code"], network_of_caller(), sessions.device()
        )
    except Invalid as error:
        return _code_page(then, " ".join(error.fields["code"]), 401)
    except Unauthenticated:
        return redirect(url_for("console.log_in", then=then), 303)
    except RateLimited as error:
        return _limited(_code_page(then, error.detail, 429), error)
    answer = make_response(redirect(then, 303))
    sessions.open_session(answer, cookie, actor.name)
    return answer


def _then(raw: str | None) -> str:
    return sessions.own_path(raw, url_for("console.queue"))


def _code_page(then: str, error: str = "", status: int = 200) -> Response:
    answer = make_response(render_template("console/code.html", error=error, then=then), status)
    sessions.begin_visit(answer)
    return answer


# --- one's own ---------------------------------------------------------------------------------------------------


@console.get("/second-factor")
def show_second_factor() -> Response:
    """One's second factor, or how to set it up."""
    return _own_page()


@console.post("/second-factor")
def begin_second_factor() -> AnyResponse:
    """Make a secret for one's app, which the next page shows."""
    form = typed("current_password")
    try:
        second_factor.begin(parts(), _actor(), form["current_password"])
    except CallerError as error:
        return _refused(error)
    return redirect(url_for("console.show_second_factor"), 303)


@console.post("/second-factor/confirm")
def confirm_second_factor() -> AnyResponse:
    """Let it count from now on. The recovery codes are on this page alone; all other sessions end."""
    form = typed("code")
    try:
        codes, cookie = second_factor.confirm(parts(), _actor(), form["code"])
    except CallerError as error:
        return _refused(error)
    return _codes_page(codes, cookie)


@console.post("/second-factor/codes")
def renew_recovery_codes() -> AnyResponse:
    """Make fresh recovery codes, which are on this page alone."""
    form = typed("code")
    try:
        codes = second_factor.new_codes(parts(), _actor(), form["code"])
    except CallerError as error:
        return _refused(error)
    return _codes_page(codes)


@console.post("/second-factor/remove")
def remove_second_factor() -> AnyResponse:
    """Log in by the password alone from now on."""
    form = typed("code")
    try:
        cookie = second_factor.remove(parts(), _actor(), form["code"])
    except CallerError as error:
        return _refused(error)
    answer = make_response(back("console.show_second_factor", "no_factor"))
    sessions.open_session(answer, cookie)
    return answer


def _own_page(status: int = 200, **more: Any) -> Response:
    shown = {"codes": None, **more}
    return page("second_factor", "second_factor", None, status, own=second_factor.show(parts(), _actor()), **shown)


def _codes_page(codes: list[str], cookie: str = "") -> Response:
    if not cookie:
        return _own_page(codes=codes)
    # The forms of this page belong to the session that begins with it.
    sessions.renew(cookie)
    answer = _own_page(codes=codes)
    sessions.open_session(answer, cookie)
    return answer


def _refused(error: CallerError) -> Response:
    """The page again, with what is wrong beside its field, or above."""
    problems = error.fields if isinstance(error, Invalid) else {"": [error.detail]}
    answer = _own_page(error.status, problems=problems)
    return _limited(answer, error) if isinstance(error, RateLimited) else answer


def _limited(answer: Response, error: RateLimited) -> Response:
    answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


# --- another's ---------------------------------------------------------------------------------------------------


@console.post("/people/<id:person_id>/second-factor")
def reset_second_factor(person_id: uuid.UUID) -> AnyResponse:
    """Take away the second factor of a person who has lost their device."""
    try:
        was_there = second_factor.reset(parts(), _actor(), person_id)
    except Conflict:
        was_there = False
    return back("console.show_person", "reset" if was_there else "nothing", person_id=person_id)
