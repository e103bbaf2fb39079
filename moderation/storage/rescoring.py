"""Queries of what judges stored comments again: their texts and signals, and the groups of alike ones."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BindParameter, Row, Select, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from moderation.domain.actor import POLICY
from moderation.domain.comment import State
from moderation.storage import search
from moderation.storage.models import Comment, Decision, Fingerprint, SignalRow

_comments, _signals = cast("Table", Comment.__table__), cast("Table", SignalRow.__table__)
_decisions, _fingerprints = cast("Table", Decision.__table__), cast("Table", Fingerprint.__table__)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_JUDGED = ("id", "site_id", "state", "version", "body", "body_html", "author_url")
_JUDGED_AS = ("risk", "scores", "reasons", "scorer_version")
_SAID = ("comment_id", "name", "weight", "available", "evidence", "scores", "forces")


@dataclass(frozen=True, slots=True)
class Which:
    """Stored comments: of a site (None: all), in a state (None: any but deleted)."""

    site_id: uuid.UUID | None = None
    state: State | None = None


def _which(statement: Select[Any], which: Which) -> Select[Any]:
    state = _comments.c.state
    statement = statement.where(state != State.DELETED.value if which.state is None else state == which.state.value)
    return statement if which.site_id is None else statement.where(_comments.c.site_id == which.site_id)


def count_stored(session: Session, which: Which) -> int:
    """How many there are. Walks an index once."""
    return session.scalar(_which(select(func.count()).select_from(_comments), which)) or 0


def newest_stored(session: Session, which: Which, limit: int, before: uuid.UUID | None) -> Sequence[Row[Any]]:
    """A batch with all that a judgement rests on and what it was, newest first, from before the comment ``before``."""
    statement = _which(select(*(_comments.c[name] for name in (*_JUDGED, *_JUDGED_AS))), which)
    if before is not None:
        statement = statement.where(_comments.c.id < before)
    return session.execute(statement.order_by(_comments.c.id.desc()).limit(limit)).all()


def signals_of(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Row[Any]]]:
    """What the signals said of each comment, by name."""
    found: dict[uuid.UUID, list[Row[Any]]] = {comment_id: [] for comment_id in ids}
    statement = select(*(_signals.c[name] for name in _SAID)).where(_signals.c.comment_id.in_(_IDS))
    for row in session.execute(statement.order_by(_signals.c.name), {"ids": list(ids)}):
        found[row.comment_id].append(row)
    return found


def decided_by_people(session: Session, ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Those of the comments whose latest standing decision was a person's, and not the policy's."""
    statement = select(_decisions.c.comment_id, _decisions.c.actor_kind)
    statement = statement.where(_decisions.c.comment_id.in_(_IDS), _decisions.c.undone_at.is_(None))
    rows = session.execute(statement.order_by(_decisions.c.created_at, _decisions.c.id), {"ids": list(ids)})
    latest = {row.comment_id: row.actor_kind for row in rows}
    return frozenset(comment_id for comment_id, kind in latest.items() if kind != POLICY.kind)


def replace_judgement(
    session: Session, old: Any, values: Mapping[str, Any], names: Iterable[str], signals: Sequence[Mapping[str, Any]]
) -> bool:
    """Store a new judgement in the place of ``old``'s, unless the comment was edited or decided on since; whether so.

    ``names`` are the signals that were judged again; what the others said stays.
    """
    same = (_comments.c.id == old.id, _comments.c.version == old.version, _comments.c.state == old.state)
    done = session.execute(update(_comments).where(*same).values(values))
    if not done.rowcount:  # type: ignore[attr-defined]
        return False
    gone = (_signals.c.comment_id == old.id, _signals.c.name.in_(list(names)))
    session.execute(delete(_signals).where(*gone))
    if signals:
        of = {"comment_id": old.id, "site_id": old.site_id}
        session.execute(insert(_signals), [{**of, **signal} for signal in signals])
    search.note_changed(session, [old.id])
    return True


# --- groups of alike comments -------------------------------------------------------------------------------------


def oldest_texts(session: Session, which: Which, limit: int, after: uuid.UUID | None) -> Sequence[Row[Any]]:
    """``(id, site_id, version, body)`` of a batch, oldest first, after the comment ``after``."""
    statement = _which(select(*(_comments.c[name] for name in ("id", "site_id", "version", "body"))), which)
    if after is not None:
        statement = statement.where(_comments.c.id > after)
    return session.execute(statement.order_by(_comments.c.id).limit(limit)).all()


def leave_groups(session: Session, ids: Collection[uuid.UUID]) -> None:
    """Take comments out of their groups, locked in the order in which decisions lock them."""
    locked = select(_comments.c.id).where(_comments.c.id.in_(_IDS)).order_by(_comments.c.id)
    session.execute(locked.with_for_update(key_share=True), {"ids": list(ids)}).all()
    session.execute(delete(_fingerprints).where(_fingerprints.c.comment_id.in_(_IDS)), {"ids": list(ids)})
    session.execute(update(_comments).where(_comments.c.id.in_(_IDS)).values(alike_key=None), {"ids": list(ids)})


def join_group(session: Session, old: Any, exact: bytes, sketch: bytes, key: bytes | None) -> bool:
    """Store a comment's fingerprint and group, unless it was edited since; whether so."""
    same = (_comments.c.id == old.id, _comments.c.version == old.version)
    values = {"exact": exact, "sketch": sketch, "alike_key": key}
    return bool(session.execute(update(_comments).where(*same).values(values)).rowcount)  # type: ignore[attr-defined]
