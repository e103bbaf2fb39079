"""Saved views: a moderator keeps filters of the queue under names, for themselves alone. Each owns its transaction."""

import uuid
from collections.abc import Mapping
from typing import Any

from moderation.domain.actor import Actor
from moderation.domain.text import normalise_line
from moderation.errors import Conflict, Forbidden, Invalid, NotFound
from moderation.services.parts import Parts
from moderation.storage import views
from moderation.storage.db import read, write

MAX_VIEWS = 12
"""Each costs a bounded count whenever the queue is opened."""

MAX_NAME_CHARS = 60
MAX_VALUE_CHARS = 500
"""Characters in one value of a filter; the key of a thread has as many."""

FILTERS = (
    *("site", "state", "thread", "q", "author", "signal", "min_risk", "reported", "before", "after", "claimed"),
    "sort",
)
"""What a view may keep: the filters of the queue, by the names of the contract."""


def list_views(parts: Parts, actor: Actor) -> list[dict[str, Any]]:
    """The actor's views, oldest first; none for who is no person."""
    if actor.kind != "moderator":
        return []
    with read() as session:
        found = views.views_of(session, uuid.UUID(actor.id))
        return [{"id": view.id, "name": view.name, "filters": view.filters} for view in found]


def add_view(parts: Parts, actor: Actor, name: str, filters: Mapping[str, str]) -> uuid.UUID:
    """Keep a filter under a name; returns the view's id.

    Raises ``Invalid`` for ``name`` or a filter, ``Conflict`` where the name is taken or there are 12 views already,
    ``Forbidden`` for who is no person.
    """
    name = _name(name)
    wrong = {key: ["It is no filter of the queue, or too long."] for key in filters if not _fits(key, filters[key])}
    if wrong:
        raise Invalid(wrong)
    with write() as session:
        own = _person(actor)
        if len(views.views_of(session, own)) >= MAX_VIEWS:
            raise Conflict(f"You have {MAX_VIEWS} views. Remove one first.")
        return views.add_view(session, own, name, dict(filters), parts.clock())


def rename_view(parts: Parts, actor: Actor, view_id: uuid.UUID, name: str) -> None:
    """Call one of the actor's views otherwise. Raises ``NotFound``, ``Invalid``, ``Conflict``, ``Forbidden``."""
    name = _name(name)
    with write() as session:
        if not views.rename_view(session, _person(actor), view_id, name):
            raise NotFound("view")


def remove_view(parts: Parts, actor: Actor, view_id: uuid.UUID) -> None:
    """Remove one of the actor's views. Raises ``NotFound``, ``Forbidden``."""
    with write() as session:
        if not views.remove_view(session, _person(actor), view_id):
            raise NotFound("view")


def _person(actor: Actor) -> uuid.UUID:
    if actor.kind != "moderator":
        raise Forbidden("Only a person keeps views.")
    return uuid.UUID(actor.id)


def _name(raw: str) -> str:
    name = normalise_line(raw, "name")
    if not name:
        raise Invalid({"name": ["It is required."]})
    if len(name) > MAX_NAME_CHARS:
        raise Invalid({"name": [f"It is longer than {MAX_NAME_CHARS} characters."]})
    return name


def _fits(key: str, value: str) -> bool:
    return key in FILTERS and len(value) <= MAX_VALUE_CHARS
