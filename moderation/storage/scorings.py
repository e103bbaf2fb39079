"""What external scorers are still to be asked about.

A row is written in the transaction of the comment or edit that it is about, and is gone when the answer is stored. A
worker leases what is due (``lease_due``), asks outside of any transaction, and settles (``take``, ``put_off``) as far
as the lease is still its own.

Rows are locked in the order comment, scoring where both are needed, and scorer, scoring where something is leased.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, exists, func, insert, or_, select
from sqlalchemy import update as change
from sqlalchemy.orm import Session

from moderation.domain.comment import WAITING, State
from moderation.domain.scorer import Scorer
from moderation.storage.db import new_id
from moderation.storage.models import Comment, ScorerRow, Scoring, Site, Thread
from moderation.storage.scorers import ACTIVE, scorer_of

PENDING = "pending"
FAILED = "failed"
MAX_ERROR_CHARS = 200

_scorings, _scorers = cast("Table", Scoring.__table__), cast("Table", ScorerRow.__table__)
_THERE = select(_scorers.c.id).where(_scorers.c.id.in_(bindparam("ids", expanding=True)))
_THERE = _THERE.order_by(_scorers.c.id).with_for_update(read=True, key_share=True)
_INSERT = insert(_scorings)
_FORGET = delete(_scorings).where(_scorings.c.comment_id == bindparam("of"))


@dataclass(frozen=True, slots=True)
class Leased:
    """A comment to ask a scorer about, under a lease; ``attempts`` were made before."""

    id: uuid.UUID
    token: uuid.UUID
    site_id: uuid.UUID
    comment_id: uuid.UUID
    thread_id: uuid.UUID
    version: int
    attempts: int
    may_approve: bool
    scorer: Scorer
    site_key: str
    origins: Sequence[str]
    thread_key: str
    thread_url: str | None
    body: str = field(repr=False)
    author_name: str = field(repr=False)
    author_url: str | None = field(repr=False)
    ip_network: str = field(repr=False)


# --- with the comment -------------------------------------------------------------------------------------------


def enqueue(
    session: Session, comment: Comment, scorer_ids: Iterable[uuid.UUID], now: datetime, *, may_approve: bool
) -> None:
    """Have scorers asked about a comment's text as it is now, in the caller's transaction."""
    # The lock keeps a scorer from being removed before this transaction ends, which would break the reference.
    there = session.scalars(_THERE, {"ids": list(scorer_ids)}).all()
    rows = [
        {
            "id": new_id(),
            "site_id": comment.site_id,
            "comment_id": comment.id,
            "scorer_id": scorer_id,
            "version": comment.version,
            "may_approve": may_approve,
            "state": PENDING,
            "attempts": 0,
            "due_at": now,
            "last_error": "",
            "created_at": now,
        }
        for scorer_id in there
    ]
    if rows:
        session.execute(_INSERT, rows)


def forget(session: Session, comment: Comment) -> None:
    """Ask nobody about a comment any more: its text has changed, or is gone."""
    session.execute(_FORGET, {"of": comment.id})


# --- leases -----------------------------------------------------------------------------------------------------


def is_due(session: Session, *, now: datetime, without: Collection[uuid.UUID]) -> bool:
    """Whether there is anything to lease. Reads only, cheap when idle."""
    return session.scalar(_due_scorers(now, without).limit(1)) is not None


def lease_due(
    session: Session, *, now: datetime, limit: int, lease_s: float, per_scorer: int, without: Collection[uuid.UUID]
) -> list[Leased]:
    """Lease up to ``limit`` of what is due, for ``lease_s`` seconds; never more than ``per_scorer`` of one scorer are
    out. ``without`` are scorers to leave alone.

    What nobody waits for any more (decided on, or edited since) is deleted instead. Two workers never lease the same.
    """
    # NO KEY UPDATE, so that new rows can refer to the scorer meanwhile; what another worker looks at is skipped.
    query = _due_scorers(now, without).limit(limit).with_for_update(of=ScorerRow, skip_locked=True, key_share=True)
    leased: list[Leased] = []
    for scorer_id in session.scalars(query).all():
        free = min(per_scorer - _out(session, scorer_id, now), limit - len(leased))
        if free > 0:
            leased += _lease(session, scorer_id, now, lease_s, free)
    return leased


def _due_scorers(now: datetime, without: Collection[uuid.UUID]) -> Any:
    due = exists().where(Scoring.scorer_id == ScorerRow.id, *_is_due(now))
    query = select(ScorerRow.id).where(ScorerRow.state == ACTIVE, due)
    return (query.where(ScorerRow.id.not_in(without)) if without else query).order_by(func.random())


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    free = or_(Scoring.leased_until.is_(None), Scoring.leased_until <= now)
    return (Scoring.state == PENDING, Scoring.due_at <= now, free)


def _out(session: Session, scorer_id: uuid.UUID, now: datetime) -> int:
    live = and_(Scoring.lease_token.is_not(None), Scoring.leased_until > now)
    return session.scalar(select(func.count()).select_from(Scoring).where(Scoring.scorer_id == scorer_id, live)) or 0


def _lease(session: Session, scorer_id: uuid.UUID, now: datetime, lease_s: float, limit: int) -> list[Leased]:
    scorer = scorer_of(session.get_one(ScorerRow, scorer_id))
    rows = session.execute(_due_of(scorer_id, now, limit)).all()
    stale = [row.id for row in rows if row.now_version != row.version or State(row.now_state) not in WAITING]
    if stale:
        session.execute(delete(_scorings).where(_scorings.c.id.in_(stale)))
    token = new_id()
    taken = set(
        session.scalars(
            change(_scorings)
            .where(_scorings.c.id.in_([row.id for row in rows if row.id not in stale]))
            .values(lease_token=token, leased_until=now + timedelta(seconds=lease_s))
            .returning(_scorings.c.id)
        )
    )
    return [_leased(row, token, scorer) for row in rows if row.id in taken]


def _due_of(scorer_id: uuid.UUID, now: datetime, limit: int) -> Any:
    return (
        select(
            Scoring.id,
            Scoring.version,
            Scoring.attempts,
            Scoring.may_approve,
            Scoring.site_id,
            Scoring.comment_id,
            Comment.thread_id,
            Comment.version.label("now_version"),
            Comment.state.label("now_state"),
            Comment.body,
            Comment.author_name,
            Comment.author_url,
            Comment.ip_network,
            Thread.key.label("thread_key"),
            Thread.url.label("thread_url"),
            Site.key.label("site_key"),
            Site.origins,
        )
        .join(Comment, Comment.id == Scoring.comment_id)
        .join(Thread, Thread.id == Comment.thread_id)
        .join(Site, Site.id == Scoring.site_id)
        .where(Scoring.scorer_id == scorer_id, *_is_due(now))
        .order_by(Scoring.due_at, Scoring.id)
        .limit(limit)
        .with_for_update(of=Scoring, skip_locked=True)
    )


def _leased(row: Any, token: uuid.UUID, scorer: Scorer) -> Leased:
    same = ("id", "site_id", "comment_id", "thread_id", "version", "attempts", "may_approve", "site_key", "origins")
    facts = ("thread_key", "thread_url", "body", "author_name", "author_url", "ip_network")
    return Leased(token=token, scorer=scorer, **{name: getattr(row, name) for name in (*same, *facts)})


# --- settling ---------------------------------------------------------------------------------------------------


def take(session: Session, leased: Leased) -> bool:
    """Delete what was asked and answered; False where it is not this lease's any more, and the answer is void."""
    mine = (_scorings.c.id == leased.id, _scorings.c.lease_token == leased.token)
    return session.execute(delete(_scorings).where(*mine).returning(_scorings.c.id)).first() is not None


def put_off(session: Session, leased: Leased, error: str, due_at: datetime, *, counted: bool) -> bool:
    """Have it asked again at ``due_at``; False where it is not this lease's any more. ``counted``: it was a try."""
    return _settle(
        session, leased, attempts=Scoring.attempts + int(counted), last_error=error[:MAX_ERROR_CHARS], due_at=due_at
    )


def give_up(session: Session, leased: Leased, error: str) -> bool:
    """Keep it as ``failed``; False where it is not this lease's any more."""
    error = error[:MAX_ERROR_CHARS]
    return _settle(session, leased, attempts=Scoring.attempts + 1, last_error=error, state=FAILED)


def _settle(session: Session, leased: Leased, **values: Any) -> bool:
    mine = (_scorings.c.id == leased.id, _scorings.c.lease_token == leased.token)
    settled = change(_scorings).where(*mine).values(lease_token=None, leased_until=None, **values)
    return session.execute(settled.returning(_scorings.c.id)).first() is not None


def retry_failed(session: Session, scorer_id: uuid.UUID, now: datetime) -> int:
    """Make what failed due again, with all its tries before it; how many these were."""
    failed = (_scorings.c.scorer_id == scorer_id, _scorings.c.state == FAILED)
    due = change(_scorings).where(*failed).values(state=PENDING, attempts=0, due_at=now)
    return len(session.execute(due.returning(_scorings.c.id)).all())


def delete_stale(session: Session, limit: int) -> int:
    """Delete up to ``limit`` of those that nobody waits for any more: decided on. How many these were."""
    decided = select(Scoring.id).join(Comment, Comment.id == Scoring.comment_id)
    decided = decided.where(Comment.state.not_in([state.value for state in WAITING])).limit(limit)
    gone = delete(_scorings).where(_scorings.c.id.in_(decided)).returning(_scorings.c.id)
    return len(session.execute(gone).all())
