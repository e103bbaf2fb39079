"""What the console's queue needs beside the calls of the API: some comments by id, what changed meanwhile, claims of
what one looks at, the text that was approved, the thread around a comment.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import WAITING
from moderation.errors import CallerError, Invalid, NotFound
from moderation.services.moderate import QueueFilter, check_filter, items_of, queue_query
from moderation.services.parts import Parts
from moderation.storage import comments, desk, queue
from moderation.storage.db import read, write

MAX_KNOWN = 40
"""Comments that one call asks about: their ids have to fit into the line of a request."""

MAX_ARRIVED = 100
OVERLAP = timedelta(seconds=30)
"""A comment's time is taken before its transaction ends; so much earlier ones may become visible later."""

HOLD_FOR = timedelta(minutes=3)
"""How long what one looks at is held, unless it is held anew."""

COUNTED = 500
"""Comments that are looked at to count a view."""

AROUND = 3


# --- what changed meanwhile ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Live:
    """What changed: a tag of it, and the facts, or None where the tag is the one that the caller knows."""

    etag: str
    facts: dict[str, Any] | None


def live(
    parts: Parts, actor: Actor, asked: QueueFilter, known: Sequence[uuid.UUID], since: datetime, etag: str = ""
) -> Live:
    """How the comments that a moderator has before them stand now, and the ids of what came in after ``since``.

    While nothing changed this is three small reads: the comments by their keys, and two along an index. Raises
    ``NotFound``, ``Invalid``.
    """
    check_filter(asked)
    if len(known) > MAX_KNOWN:
        raise Invalid({"known": [f"At most {MAX_KNOWN}."]})
    with read() as session:
        query = queue_query(session, parts, actor, asked)
        standing = [_standing(row, actor, parts.clock()) for row in desk.standing_of(session, known, actor.sites)]
        newest, count = desk.pulse(session, query.state, query.sites)
        tag = _tag(actor, asked, since, newest, count, standing)
        if tag == etag:
            return Live(tag, None)
        moved = [one["id"] for one in standing if one["state"] != asked.state]
        by = desk.latest_decisions(session, moved)
        facts = {
            "total_estimate": queue.estimate(session, query),
            "arrived": list(desk.arrived(session, query, since - OVERLAP, MAX_ARRIVED)),
            "comments": [one | _decided(by.get(one["id"])) for one in standing],
        }
    return Live(tag, facts)


def _standing(row: Row[Any], actor: Actor, now: datetime) -> dict[str, Any]:
    is_held = row.claimed_until is not None and row.claimed_until > now and row.claimed_by != actor.key
    return {
        "id": row.id,
        "state": row.state,
        "version": row.version,
        "held_by": row.claimed_name if is_held else None,
    }


def _decided(decision: Row[Any] | None) -> dict[str, Any]:
    if decision is None:
        return {"action": None, "by": None, "by_kind": None}
    return {"action": decision.action, "by": decision.actor_name, "by_kind": decision.actor_kind}


def _tag(actor: Actor, asked: QueueFilter, *facts: Any) -> str:
    written = json.dumps([actor.key, repr(asked), facts], default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def count_views(parts: Parts, actor: Actor, views: Sequence[QueueFilter]) -> list[tuple[int, bool] | None]:
    """Of each filter how many comments it finds among the first 500 of its list, and whether that is all of them.

    None for a filter that does not fit any more, or names a site that is not the actor's.
    """
    with read() as session:
        return [_count(session, parts, actor, view) for view in views]


def _count(session: Session, parts: Parts, actor: Actor, view: QueueFilter) -> tuple[int, bool] | None:
    try:
        check_filter(view)
        return desk.count_within(session, queue_query(session, parts, actor, view), COUNTED)
    except CallerError:
        return None


# --- some comments -------------------------------------------------------------------------------------------------


def show_some(parts: Parts, actor: Actor, ids: Sequence[uuid.UUID]) -> list[dict[str, Any]]:
    """Those of these comments that the actor may look at, as in the queue, in this order. Raises ``Invalid``."""
    if len(ids) > MAX_KNOWN:
        raise Invalid({"id": [f"At most {MAX_KNOWN}."]})
    with read() as session:
        return items_of(session, parts, desk.queued_by_ids(session, ids, actor.sites))


def approved_texts(parts: Parts, items: Sequence[Mapping[str, Any]]) -> dict[uuid.UUID, str]:
    """Of each item that waits because its author changed it when it was approved, the text that was approved.

    The items are those of the actor's.
    """
    edited = [item["id"] for item in items if item["edited_at"] and item["state"] in WAITING]
    if not edited:
        return {}
    with read() as session:
        return desk.approved_texts(session, edited)


def list_around(parts: Parts, actor: Actor, comment_id: uuid.UUID) -> list[dict[str, Any]]:
    """Some comments of the thread before and after this one, those that are public and those that wait, by time.

    ``relation`` is ``parent``, ``reply`` or empty; ``is_before`` whether it is older. Raises ``NotFound``.
    """
    with read() as session:
        comment = comments.comment_by_id(session, comment_id)
        if comment is None:
            raise NotFound("comment")
        actor.require(comment.site_id, Role.VIEWER, "comment")
        return [
            {
                "id": row.id,
                "author": {"name": row.author_name},
                "body_html": row.body_html,
                "state": row.state,
                "created_at": row.created_at,
                "is_before": (row.created_at, row.id) < (comment.created_at, comment.id),
                "relation": "parent" if row.id == comment.parent_id else "reply" if row.parent_id == comment.id else "",
            }
            for row in desk.around(session, comment, AROUND)
        ]


# --- claiming what one looks at ------------------------------------------------------------------------------------


def hold(parts: Parts, actor: Actor, take: Sequence[uuid.UUID], leave: Sequence[uuid.UUID] = ()) -> dict[str, Any]:
    """Claim these comments for three minutes, and give others back. What others hold stays theirs.

    Where the actor is no moderator of a comment's site, or it is not there or decided, it is left alone. ``others``
    tells who holds what could not be taken. Raises ``Invalid``.
    """
    if len(take) > MAX_KNOWN or len(leave) > MAX_KNOWN:
        raise Invalid({"take": [f"At most {MAX_KNOWN}."]})
    now = parts.clock()
    sites = _moderated(actor)
    with write() as session:
        if leave:
            comments.release_claims(session, actor.key, list(leave))
        taken = desk.take(session, take, sites, actor, now, now + HOLD_FOR) if take else []
        rows = desk.standing_of(session, [id for id in take if id not in taken], sites)
        standing = [_standing(row, actor, now) for row in rows]
    return {"taken": taken, "others": {one["id"]: one["held_by"] for one in standing if one["held_by"]}}


def _moderated(actor: Actor) -> frozenset[uuid.UUID] | None:
    if actor.may(None, Role.MODERATOR):
        return None
    return frozenset(site for site in actor.roles if site is not None and actor.may(site, Role.MODERATOR))
