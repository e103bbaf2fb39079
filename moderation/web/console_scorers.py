"""The console's pages of external scorers. A secret is given or made here, and never shown again."""

import json
import uuid
from typing import Any

from flask import Response
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.domain.scorer import MAX_DEADLINE_MS, Kind
from moderation.errors import Conflict, Invalid, Malformed
from moderation.services import scorers
from moderation.web import console_admin
from moderation.web.console import _actor, console
from moderation.web.console_admin import Place, Problems, back, page, typed, whole
from moderation.web.guards import parts
from moderation.web.json_bodies import read_json

KINDS = {
    Kind.HTTP.value: "a scorer of your own (http)",
    Kind.PERSPECTIVE.value: "Perspective",
    Kind.AKISMET.value: "Akismet",
    Kind.OPENAI_MODERATION.value: "OpenAI: moderation",
    Kind.OPENAI_CHAT.value: "OpenAI: chat, or one that speaks alike",
}
STATES = {"active": "asked about every comment", "disabled": "switched off"}
_DEADLINE = f"It is a whole number from 0 to {MAX_DEADLINE_MS}; 0 lets the worker ask."
_NEW = {"kind": Kind.HTTP.value, "options": "{}", "deadline_ms": "0"}


@console.get("/scorers")
def list_scorers() -> Response:
    """The scorers of a site, or of all sites, and the form to add one."""
    return _list(_place(), _NEW)


@console.post("/scorers")
def add_scorer() -> AnyResponse:
    """Add a scorer. A secret that is made for it is on this page alone."""
    at = _place()
    form = typed("name", "kind", "url", "secret", "options", "deadline_ms")
    try:
        made = scorers.add_scorer(
            parts(),
            _actor(),
            at.key,
            form["name"].strip(),
            form["kind"],
            form["url"].strip(),
            form["secret"].strip() or None,
            _options(form["options"]),
            whole(form["deadline_ms"], "deadline_ms", _DEADLINE),
        )
    except Invalid as error:
        return _list(at, form, 422, problems=_problems(error))
    except Conflict as error:
        return _list(at, form, 409, problems={"": [error.detail]})
    if "secret" in made:
        return _list(at, _NEW, secret=made["secret"])
    return back("console.list_scorers", "added", site=at.key)


@console.get("/scorers/<id:scorer_id>")
def show_scorer(scorer_id: uuid.UUID) -> Response:
    """One scorer: to change, to try, to remove."""
    return _one(scorer_id)


@console.post("/scorers/<id:scorer_id>")
def change_scorer(scorer_id: uuid.UUID) -> AnyResponse:
    """Change a scorer; without a secret in the form it keeps the one it has."""
    form = typed("url", "secret", "options", "deadline_ms", "state")
    try:
        scorers.change_scorer(
            parts(),
            _actor(),
            scorer_id,
            url=form["url"].strip(),
            secret=form["secret"].strip() or None,
            options=_options(form["options"]),
            deadline_ms=whole(form["deadline_ms"], "deadline_ms", _DEADLINE),
            state=form["state"],
        )
    except Invalid as error:
        return _one(scorer_id, form, 422, problems=_problems(error))
    return back("console.show_scorer", "saved", scorer_id=scorer_id)


@console.post("/scorers/<id:scorer_id>/test")
def try_scorer(scorer_id: uuid.UUID) -> Response:
    """Ask a scorer about a text now. Nothing is stored."""
    form = typed("text")
    try:
        said = scorers.try_scorer(parts(), _actor(), scorer_id, form["text"])
    except Invalid as error:
        return _one(scorer_id, None, 422, text=form["text"], problems=error.fields)
    return _one(scorer_id, text=form["text"], said=said)


@console.post("/scorers/<id:scorer_id>/retry")
def retry_scorer(scorer_id: uuid.UUID) -> AnyResponse:
    """Have a scorer asked again about the comments for which it never answered."""
    done = scorers.retry_scorer(parts(), _actor(), scorer_id)
    return back("console.show_scorer", "replayed" if done["retried"] else "nothing", scorer_id=scorer_id)


@console.post("/scorers/<id:scorer_id>/remove")
def remove_scorer(scorer_id: uuid.UUID) -> AnyResponse:
    """Remove a scorer."""
    site = scorers.show_scorer(parts(), _actor(), scorer_id)["site"]
    scorers.remove_scorer(parts(), _actor(), scorer_id)
    return back("console.list_scorers", "removed", site=site)


def _place() -> Place:
    return console_admin.place(Role.ADMIN, everywhere=True)


def _list(at: Place, form: dict[str, str], status: int = 200, **more: Any) -> Response:
    found = scorers.list_scorers(parts(), _actor(), at.key, limit=scorers.MAX_SCORERS)
    shown = {"secret": None, **more}
    return page("scorers", "rules", at, status, form=form, found=found["items"], kinds=KINDS, **shown)


def _one(scorer_id: uuid.UUID, form: dict[str, str] | None = None, status: int = 200, **more: Any) -> Response:
    found = scorers.show_scorer(parts(), _actor(), scorer_id)
    text = more.pop("text", "")
    kept = {
        "url": found["url"],
        "options": json.dumps(found["options"], indent=2, ensure_ascii=False),
        "deadline_ms": str(found["deadline_ms"]),
        "state": found["state"],
    }
    shown = {"said": None, "problems": {}, **more}
    return page(
        "scorer",
        "rules",
        None,
        status,
        form={**(form or kept), "text": text},
        found=found,
        kinds=KINDS,
        states=STATES,
        site_key=found["site"],
        **shown,
    )


def _options(text: str) -> dict[str, Any]:
    try:
        value = read_json((text.strip() or "{}").encode("utf-8"))
    except Malformed as error:
        detail = error.detail.replace("The body is not JSON in UTF-8.", "It is not JSON.")
        raise Invalid({"options": [detail]}) from None
    except Invalid as error:
        raise Invalid({"options": [said for messages in error.fields.values() for said in messages]}) from None
    if not isinstance(value, dict):
        raise Invalid({"options": ['It is an object of JSON, like {"max_weight": 0.4}.']})
    return value


def _problems(error: Invalid) -> Problems:
    """Messages by field of the form; those of single options say which."""
    found: dict[str, list[str]] = {}
    for path, messages in error.fields.items():
        name, _, option = path.partition(".")
        found.setdefault(name, []).extend(f"{option}: {said}" if option else said for said in messages)
    return found
