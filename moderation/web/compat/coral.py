"""Coral's external moderation phase: one signed request a comment, one answer within Coral's time-out.

Coral reads 204 as no opinion and 200 as an object with ``actions`` and ``status``; anything else counts as a failure
there, after which it goes on without us.
"""

from typing import Any

from flask import Response, current_app, request

from moderation.errors import Malformed, Unauthenticated
from moderation.services import coral
from moderation.services.coral import Entry
from moderation.web import guards, json_bodies
from moderation.web.calls import Calls

calls = Calls("coral", "", "Coral's external moderation phase.")

SIGNATURE = "X-Coral-Signature"
EDIT = "EDIT"

_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_DOC = {
    "x-protocol": True,
    "parameters": [{"in": "header", "name": SIGNATURE, "required": True, "schema": {"type": "string"}}],
    "requestBody": {"required": True, "content": _OBJECT},
    "responses": {
        "200": {"description": "A status, with the reasons as `actions`.", "content": _OBJECT},
        "204": {"description": "No opinion."},
        "401": {"description": "Not signed with the site's secret.", "content": _OBJECT},
    },
}


@calls.call("POST", "/coral/<site:site>/moderate", answer_type="application/json", doc=_DOC)
def coral_moderate(site: str) -> Response:
    """Judge a comment for Coral. Nothing of it is stored."""
    body = request.get_data(cache=True)
    try:
        own, settings = coral.authenticate(guards.parts(), site, request.headers.get(SIGNATURE, ""), body)
    except Unauthenticated as refused:
        return error(401, refused.detail)
    answer = coral.moderate(guards.parts(), own, settings, _entry(json_bodies.read_json(body)))
    return Response(status=204) if answer is None else _json(200, answer)


def error(status: int, detail: str) -> Response:
    """An error; Coral reads no more than the status."""
    return _json(status, {"error": detail})


def _entry(given: Any) -> Entry:
    """What Coral tells of a comment. Raises ``Malformed`` where there is no text; more than we know may be told."""
    comment = given.get("comment") if isinstance(given, dict) else None
    html = comment.get("body") if isinstance(comment, dict) else None
    if not isinstance(html, str) or not isinstance(comment, dict):
        raise Malformed("There is no text in 'comment.body'.")
    return Entry(html, is_reply=bool(comment.get("parentID")), is_edited=given.get("action") == EDIT)


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(current_app.json.dumps(content), status=status, content_type="application/json")
