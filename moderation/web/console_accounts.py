"""The console's pages of tokens and people, and of one's own password."""

import uuid
from datetime import UTC, date, datetime, time
from typing import Any

from flask import Response, make_response, request
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.errors import Conflict, Invalid, RateLimited
from moderation.services import accounts
from moderation.services.sites import ALL_SITES
from moderation.web import console_admin, sessions
from moderation.web.console import _actor, console
from moderation.web.console_admin import Place, back, cursor, page, pages, typed
from moderation.web.guards import parts

SHOWN = 50
ROLES = {
    Role.VIEWER.value: "viewer: may look",
    Role.MODERATOR.value: "moderator: may decide",
    Role.ADMIN.value: "admin: may change the set-up",
}
TOKEN_ROLES = {**ROLES, Role.SCORER.value: "scorer: may ask for scores, and nothing else"}
NO_ROLE = {"": "none"}


def _place() -> Place:
    return console_admin.place(Role.ADMIN, everywhere=True, all_first=True)


# --- tokens ------------------------------------------------------------------------------------------------------


@console.get("/tokens")
def list_tokens() -> Response:
    """The tokens of a site, or all of them, and the form to add one."""
    return _tokens(_place(), {})


@console.post("/tokens")
def add_token() -> Response:
    """Add a token, which is on this page alone."""
    at = _place()
    form = typed("name", "role", "expires")
    try:
        made = accounts.add_token(parts(), _actor(), at.key, form["role"], form["name"], _end_of(form["expires"]))
    except Invalid as error:
        found = {("expires" if name == "expires_at" else name): said for name, said in error.fields.items()}
        return _tokens(at, form, 422, problems=found)
    return _tokens(at, {}, secret=made["token"])


@console.post("/tokens/<id:token_id>/revoke")
def revoke_token(token_id: uuid.UUID) -> AnyResponse:
    """End a token at once."""
    site = typed("site")["site"]
    accounts.revoke_token(parts(), _actor(), token_id)
    return back("console.list_tokens", "revoked", site=site)


def _tokens(at: Place, form: dict[str, str], status: int = 200, **more: Any) -> Response:
    found = accounts.list_tokens(parts(), _actor(), site_key=at.key, limit=SHOWN, cursor=cursor())
    shown = {"secret": None, **more}
    return page(
        "tokens",
        "tokens",
        at,
        status,
        form=form,
        found=found,
        roles=TOKEN_ROLES,
        now=parts().clock(),
        **pages(found, "console.list_tokens", site=at.key),
        **shown,
    )


def _end_of(day: str) -> datetime | None:
    """The end of a day that was chosen, in UTC; None for none."""
    if not day.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(day.strip()), time(23, 59, 59), UTC)
    except ValueError:
        raise Invalid({"expires": ["It is a day like 2027-01-31."]}) from None


# --- people ------------------------------------------------------------------------------------------------------


@console.get("/people")
def list_people() -> Response:
    """Who may log in, and the form to add somebody."""
    return _people(_place(), {"role": Role.MODERATOR.value})


@console.post("/people")
def add_person() -> Response:
    """Add a person. A password that is made for them is on this page alone."""
    at = _place()
    form = typed("name", "role", "password")
    try:
        made = accounts.add_moderator(parts(), _actor(), form["name"], form["password"] or None, form["role"], at.key)
    except Invalid as error:
        return _people(at, form, 422, problems=error.fields)
    except Conflict as error:
        return _people(at, form, 409, problems={"name": [error.detail]})
    return _person(made["id"], secret=made.get("password"), is_new=True)


@console.get("/people/<id:person_id>")
def show_person(person_id: uuid.UUID) -> Response:
    """One person: roles, password, whether they may log in."""
    return _person(person_id)


@console.post("/people/<id:person_id>/role")
def change_role(person_id: uuid.UUID) -> AnyResponse:
    """Give a person a role on a site, or take it away."""
    form = typed("at", "role")
    return _changed(person_id, roles={form["at"]: form["role"] or None})


@console.post("/people/<id:person_id>/lock")
def lock_person(person_id: uuid.UUID) -> AnyResponse:
    """Keep a person from logging in, or let them in again."""
    return _changed(person_id, disabled=request.form.get("lock") == "on")


@console.post("/people/<id:person_id>/password")
def set_password(person_id: uuid.UUID) -> AnyResponse:
    """Give a person another password; one that is made is on this page alone."""
    given = typed("password")["password"]
    chosen = given or accounts.new_password()
    try:
        accounts.change_moderator(parts(), _actor(), person_id, password=chosen)
    except Invalid as error:
        return _person(person_id, 422, problems=error.fields)
    except Conflict as error:
        return _person(person_id, 409, problems={"": [error.detail]})
    return back("console.show_person", "saved", person_id=person_id) if given else _person(person_id, secret=chosen)


@console.post("/people/<id:person_id>/remove")
def remove_person(person_id: uuid.UUID) -> AnyResponse:
    """Remove a person."""
    site = typed("site")["site"]
    try:
        accounts.remove_moderator(parts(), _actor(), person_id)
    except Conflict as error:
        return _person(person_id, 409, problems={"": [error.detail]})
    return back("console.list_people", "removed", site=site)


def _people(at: Place, form: dict[str, str], status: int = 200, **more: Any) -> Response:
    found = accounts.list_moderators(parts(), _actor(), site_key=at.key, limit=SHOWN, cursor=cursor())
    urls = pages(found, "console.list_people", site=at.key)
    return page("people", "people", at, status, form=form, found=found, roles=ROLES, **urls, **more)


def _person(person_id: uuid.UUID, status: int = 200, **more: Any) -> Response:
    found = accounts.show_moderator(parts(), _actor(), person_id)
    own = _place()
    shown = {"secret": None, "is_new": False, **more}
    has = {one["site"]: one["role"] for one in found["roles"]}
    scopes = [*([ALL_SITES] if own.everywhere else []), *has, *(site["key"] for site in own.choices)]
    return page(
        "person",
        "people",
        None,
        status,
        found=found,
        has=has,
        scopes=list(dict.fromkeys(scopes)),
        roles={**ROLES, **NO_ROLE},
        is_me=_actor().id == str(person_id),
        site_key=own.key,
        **shown,
    )


def _changed(person_id: uuid.UUID, **changes: Any) -> AnyResponse:
    try:
        left = accounts.change_moderator(parts(), _actor(), person_id, **changes)
    except Invalid as error:
        return _person(person_id, 422, problems=error.fields)
    except Conflict as error:
        return _person(person_id, 409, problems={"": [error.detail]})
    if not left["roles"]:
        # Without a role here the person is not there any more, for this admin.
        return back("console.list_people", "saved")
    return back("console.show_person", "saved", person_id=person_id)


# --- one's own password ------------------------------------------------------------------------------------------


@console.get("/account")
def show_account() -> Response:
    """The form to change one's own password."""
    return page("account", "account", None)


@console.post("/account")
def change_password() -> AnyResponse:
    """Change one's own password. All sessions end, and this browser gets a new one."""
    form = typed("current_password", "password", "again")
    try:
        if form["password"] != form["again"]:
            raise Invalid({"again": ["It is not the same as above."]})
        cookie = accounts.change_password(parts(), _actor(), form["current_password"], form["password"])
    except Invalid as error:
        return page("account", "account", None, 422, problems=error.fields)
    except RateLimited as error:
        answer = page("account", "account", None, 429, problems={"": [error.detail]})
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    answer = make_response(back("console.show_account", "password"))
    sessions.open_session(answer, cookie)
    return answer
