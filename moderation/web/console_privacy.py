"""The console's page for a person who asks what is kept of them, or to be forgotten.

An address is only ever in the body of a form, never in a URL.
"""

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, current_app, stream_with_context

from moderation.domain.actor import Actor, Role
from moderation.errors import Invalid
from moderation.services import privacy, sites
from moderation.web import console_admin
from moderation.web.console import _actor, console
from moderation.web.console_admin import Place, page, typed
from moderation.web.guards import parts
from moderation.web.privacy_api import MOST_A_CALL

FILE_NAME = "person.json"


@console.get("/privacy")
def show_privacy() -> Response:
    """The form that asks for an address."""
    return _page(console_admin.place(Role.ADMIN))


@console.post("/privacy")
def find_person() -> Response:
    """How many comments an address is kept with, and what to do with them."""
    at, email = console_admin.place(Role.ADMIN), typed("email")["email"]
    try:
        return _page(at, email, found=privacy.count_comments(parts(), _actor(), at.key, email))
    except Invalid as error:
        return _page(at, email, problems=error.fields, status=422)


@console.post("/privacy/export")
def export_person() -> Response:
    """All that the site keeps of a person, as a file."""
    at, email = console_admin.place(Role.ADMIN), typed("email")["email"]
    try:
        first = privacy.export_person(parts(), _actor(), at.key, email)
    except Invalid as error:
        return _page(at, email, problems=error.fields, status=422)
    answer = Response(
        stream_with_context(_written(first, _actor(), at.key, email)), mimetype="application/json; charset=utf-8"
    )
    answer.headers["Content-Disposition"] = f"attachment; filename={FILE_NAME}"
    return answer


def _written(page_of: dict[str, Any], actor: Actor, site_key: str, email: str) -> Iterator[str]:
    """One JSON document, page after page, so that memory does not grow with the person's comments."""
    head = {name: page_of[name] for name in ("site", "email", "notices")}
    yield _json(head)[:-1] + ', "comments": ['
    comma = ""
    while True:
        for comment in page_of["comments"]:
            yield comma + _json(comment)
            comma = ",\n"
        if page_of["next"] is None:
            break
        page_of = privacy.export_person(parts(), actor, site_key, email, cursor=page_of["next"])
    yield "]}\n"


def _json(data: dict[str, Any]) -> str:
    return json.dumps(json.loads(current_app.json.dumps(data)), ensure_ascii=False)


@console.post("/privacy/erase")
def erase_person() -> Response:
    """Erase a person, up to 500 comments at a time; the page says what is left."""
    at, email = console_admin.place(Role.ADMIN), typed("email")["email"]
    try:
        done = privacy.erase_person(parts(), _actor(), at.key, email, most=MOST_A_CALL)
    except Invalid as error:
        return _page(at, email, problems=error.fields, status=422)
    return _page(at, email if done["left"] else "", found=done["left"] or None, done=done)


def _page(
    at: Place,
    email: str = "",
    *,
    found: int | None = None,
    done: dict[str, Any] | None = None,
    problems: Any = None,
    status: int = 200,
) -> Response:
    removes = sites.show_site(parts(), _actor(), at.key)["settings"]["erase_texts"]
    return page(
        "privacy", "privacy", at, status, form={"email": email}, problems=problems or {}, found=found, done=done,
        removes_texts=removes,
    )  # fmt: skip
