"""Decisions on comments."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, insert, or_, select, update
from sqlalchemy.orm import Session

from moderation.domain.actor import POLICY, Actor
from moderation.domain.comment import Action, State
from moderation.storage.db import new_id
from moderation.storage.models import Author, Comment, Decision

MAX_REASON_CHARS = 200

_decisions = cast("Table", Decision.__table__)
_INSERT = insert(_decisions)
_UNDO = (
    update(_decisions)
    .where(_decisions.c.id == bindparam("of"), _decisions.c.undone_at.is_(None))
    .values(undone_at=bindparam("now"), undone_by=bindparam("name"))
)
"""Built once: to build a statement takes longer than to run it."""


def add_decision(
    session: Session,
    comment: Comment,
    actor: Actor,
    action: Action,
    before: State,
    after: State,
    reason: str,
    now: datetime,
    note: str = "",
) -> uuid.UUID:
    """Store a decision on ``comment`` as it is now (its version, risk and age); returns the decision's id."""
    return add_decisions(session, [(comment, before, after)], actor, action, reason, now, note)[0]


def add_decisions(
    session: Session,
    moved: Sequence[tuple[Comment, State, State]],
    actor: Actor,
    action: Action,
    reason: str,
    now: datetime,
    note: str = "",
) -> list[uuid.UUID]:
    """Store the same decision on several comments, each with its state before and after; the ids, in their order."""
    same = {
        "action": action.value,
        "reason": reason[:MAX_REASON_CHARS],
        "note": note,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "created_at": now,
    }
    rows: list[dict[str, Any]] = [
        {
            **same,
            "id": new_id(),
            "site_id": comment.site_id,
            "comment_id": comment.id,
            "from_state": before.value,
            "to_state": after.value,
            "risk": comment.risk,
            "version": comment.version,
            "waited_s": max(0.0, (now - (comment.edited_at or comment.created_at)).total_seconds()),
        }
        for comment, before, after in moved
    ]
    if rows:
        session.execute(_INSERT, rows)
    return [row["id"] for row in rows]


def decision_by_id(session: Session, decision_id: uuid.UUID) -> Decision | None:
    """The decision, of whatever site: ask who may see it before you show it."""
    return session.get(Decision, decision_id)


def decisions_of(session: Session, comment_id: uuid.UUID, limit: int) -> Sequence[Decision]:
    """Decisions on one comment, newest first."""
    statement = select(Decision).where(Decision.comment_id == comment_id)
    return session.scalars(statement.order_by(Decision.created_at.desc(), Decision.id.desc()).limit(limit)).all()


def latest_standing(session: Session, comment_id: uuid.UUID) -> uuid.UUID | None:
    """The id of the newest decision on a comment that was not taken back."""
    statement = select(Decision.id).where(Decision.comment_id == comment_id, Decision.undone_at.is_(None))
    return session.scalar(statement.order_by(Decision.created_at.desc(), Decision.id.desc()).limit(1))


def is_touched(session: Session, comment_id: uuid.UUID) -> bool:
    """Whether anybody but the site's policy ever decided on a comment, or took a decision on it back."""
    by_people = or_(Decision.actor_kind != POLICY.kind, Decision.undone_at.is_not(None))
    statement = select(Decision.id).where(Decision.comment_id == comment_id, by_people).limit(1)
    return session.scalar(statement) is not None


def was_approved(session: Session, comment_id: uuid.UUID) -> bool:
    """Whether a comment was ever public by a decision."""
    statement = select(Decision.id).where(Decision.comment_id == comment_id, Decision.to_state == State.APPROVED.value)
    return session.scalar(statement.limit(1)) is not None


def of_moment(
    session: Session, site_ids: Sequence[uuid.UUID], actor: Actor, at: datetime, limit: int
) -> Sequence[Decision]:
    """What an actor decided at exactly this time on these sites and did not take back; in the order of the comments."""
    own = (Decision.actor_kind == actor.kind, Decision.actor_id == actor.id, Decision.undone_at.is_(None))
    statement = select(Decision).where(Decision.site_id.in_(site_ids), Decision.created_at == at, *own)
    return session.scalars(statement.order_by(Decision.comment_id).limit(limit)).all()


def mark_undone(session: Session, decision_id: uuid.UUID, actor: Actor, now: datetime) -> bool:
    """Take a decision back, once; False where somebody did already."""
    result = session.execute(_UNDO, {"of": decision_id, "now": now, "name": actor.name})
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


def standing_decisions(
    session: Session, site_id: uuid.UUID, limit: int, before: tuple[datetime, uuid.UUID] | None
) -> Sequence[Row[uuid.UUID, datetime, uuid.UUID, str, str]]:
    """Up to ``limit`` decisions of a site that were not taken back, newest first, older than ``before`` (the time and
    id of one): id, created_at, comment_id, to_state, actor_kind.
    """
    d = _decisions.c
    query = select(d.id, d.created_at, d.comment_id, d.to_state, d.actor_kind)
    query = query.where(d.site_id == site_id, d.undone_at.is_(None))
    if before is not None:
        at, id = before
        # The first condition says nothing new, but an index can use it.
        query = query.where(d.created_at <= at, or_(d.created_at < at, d.id < id))
    return session.execute(query.order_by(d.created_at.desc(), d.id.desc()).limit(limit)).all()


def decided_comments(
    session: Session, site_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[Comment, Author]]:
    """The comments of a site with these ids, with their authors."""
    query = select(Comment, Author).join(Author, Author.id == Comment.author_id)
    rows = session.execute(query.where(Comment.site_id == site_id, Comment.id.in_(ids)))
    return {comment.id: (comment, author) for comment, author in rows}
