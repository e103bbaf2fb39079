"""Logging in to the console by one's organisation: the way there, and the way back."""

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.errors import CodeNeeded, OutboundFailed, RateLimited, Unauthenticated
from moderation.services import organisation
from moderation.web import guards, sessions
from moderation.web.console import _log_in_page, console, network_of_caller
from moderation.web.guards import parts

AWAY = "Your organisation's log-in service does not answer. Try again in a minute, or log in by name and password."


@console.get("/login/organisation")
def go_to_organisation() -> AnyResponse:
    """Lead the browser to the organisation's log-in. Changes nothing here but a cookie of this browser."""
    then = sessions.own_path(request.args.get("then"), url_for("console.queue"))
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return redirect(url_for("console.log_in", then=then), 303)
    try:
        begun = organisation.begin(parts(), then, network_of_caller())
    except (OutboundFailed, RateLimited) as error:
        return _said(error, then)
    answer = guards.unseen(make_response(redirect(begun.url, 303)))
    sessions.begin_organisation(answer, begun.cookie)
    return answer


@console.get("/login/organisation/back")
def come_back() -> AnyResponse:
    """Where the organisation leads the browser back to, with a code, or with the word that there is none."""
    state, code = request.args.get("state", ""), request.args.get("code", "")
    guards.refuse_malformed(state + code)
    begun = sessions.begun_at_organisation()
    try:
        if "error" in request.args:
            organisation.begun_for(parts(), begun, state)
            raise Unauthenticated("Your organisation did not let you in. Ask there, or log in by name and password.")
        cookie, actor, then = organisation.finish(
            parts(), begun, state, code, request.args.get("iss"), network_of_caller()
        )
    except CodeNeeded as needed:
        then = sessions.own_path(organisation.begun_for(parts(), begun, state), url_for("console.queue"))
        answer: Response = make_response(redirect(url_for("console.ask_code", then=then), 303))
        sessions.begin_step(answer, needed.ticket)
    except (Unauthenticated, OutboundFailed, RateLimited) as error:
        answer = _said(error, url_for("console.queue"))
    else:
        answer = make_response(redirect(sessions.own_path(then, url_for("console.queue")), 303))
        sessions.open_session(answer, cookie, actor.name)
    sessions.end_organisation(answer)
    return guards.unseen(answer)


def _said(error: Unauthenticated | OutboundFailed | RateLimited, then: str) -> Response:
    """The log-in page, with what went wrong; name and password still work there."""
    answer = _log_in_page(then, AWAY if isinstance(error, OutboundFailed) else error.detail, status=error.status)
    if isinstance(error, OutboundFailed | RateLimited):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer
