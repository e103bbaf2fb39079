"""What a moderator's desk asks of the comments beside a page of the queue: some by id, what is new, what is around."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Integer,
    Row,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from moderation.domain.actor import Actor
from moderation.domain.comment import WAITING, State
from moderation.storage.comments import SELECT_QUEUED
from moderation.storage.models import Comment, Decision, Revision, SignalRow
from moderation.storage.queue import QueueQuery, select_all
from moderation.storage.types import Id, Utc

_comments, _decisions = cast("Table", Comment.__table__), cast("Table", Decision.__table__)
_revisions = cast("Table", Revision.__table__)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LIMIT = bindparam("limit", type_=Integer)

Sites = frozenset[uuid.UUID] | None
"""The sites that are asked about; None: all of them."""


# --- some comments, by id ----------------------------------------------------------------------------------------

_QUEUED = SELECT_QUEUED.where(_comments.c.id.in_(_IDS))
_STANDING = select(
    *(
        _comments.c[name]
        for name in ("id", "site_id", "state", "version", "claimed_by", "claimed_name", "claimed_until")
    )
).where(_comments.c.id.in_(_IDS))


def queued_by_ids(session: Session, ids: Sequence[uuid.UUID], sites: Sites) -> list[Row[Any]]:
    """Those of these comments that are of the sites, with what moderators see, in the order of ``ids``."""
    return _of_sites(session, _QUEUED, ids, sites)


def standing_of(session: Session, ids: Sequence[uuid.UUID], sites: Sites) -> list[Row[Any]]:
    """State, version and claim of those of these comments that are of the sites, in the order of ``ids``."""
    return _of_sites(session, _STANDING, ids, sites)


def _of_sites(session: Session, statement: Any, ids: Sequence[uuid.UUID], sites: Sites) -> list[Row[Any]]:
    if not ids:
        return []
    found = {row.id: row for row in session.execute(statement, {"ids": list(ids)})}
    rows = [found[id] for id in dict.fromkeys(ids) if id in found]
    return [row for row in rows if sites is None or row.site_id in sites]


_LATEST = (
    select(*(_decisions.c[name] for name in ("comment_id", "action", "actor_kind", "actor_name")))
    .where(_decisions.c.comment_id.in_(_IDS), _decisions.c.undone_at.is_(None))
    .order_by(_decisions.c.created_at, _decisions.c.id)
)


def latest_decisions(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Row[Any]]:
    """Of each comment the newest decision that was not taken back: action, actor_kind, actor_name."""
    return {row.comment_id: row for row in session.execute(_LATEST, {"ids": list(ids)})} if ids else {}


_APPROVED_TEXTS = (
    select(_revisions.c.comment_id, _revisions.c.id)
    .where(_revisions.c.comment_id.in_(_IDS), _revisions.c.state == State.APPROVED.value)
    .order_by(_revisions.c.created_at, _revisions.c.id)
)
_TEXTS = select(_revisions.c.comment_id, _revisions.c.body).where(_revisions.c.id.in_(_IDS))


def approved_texts(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Of each comment that was edited while it was approved, the text that it had before the last such edit."""
    newest = {row.comment_id: row.id for row in session.execute(_APPROVED_TEXTS, {"ids": list(ids)})} if ids else {}
    if not newest:
        return {}
    return {row.comment_id: row.body for row in session.execute(_TEXTS, {"ids": list(newest.values())})}


# --- what is new ---------------------------------------------------------------------------------------------------

PULSE_COUNTED = 1_000
"""Comments that ``pulse`` counts: beyond them only an arrival is noticed at once, not what returns to the queue."""


def pulse(session: Session, state: State, sites: Sites) -> tuple[datetime | None, int]:
    """When the newest comment in a state came in, and how many there are, counted up to ``PULSE_COUNTED``.

    One step in an index for each site, or one for all of them, and a walk along it of that length.
    """
    given: dict[str, Any] = {f"site{number}": site_id for number, site_id in enumerate(sorted(sites or ()))}
    newest, count = _pulse(state, len(given))
    times = session.scalars(newest, given).all()
    return max(times, default=None), session.scalar(count, {**given, "limit": PULSE_COUNTED}) or 0


@lru_cache(maxsize=128)
def _pulse(state: State, sites: int) -> tuple[Any, Any]:
    in_state: ColumnElement[bool] = literal_column(f"comments.state = '{state.value}'")
    of_sites = [_comments.c.site_id == bindparam(f"site{number}") for number in range(sites)] or [true()]
    # In the order of an index, or PostgreSQL may read the table until it has found so many.
    by_age = [
        select(_comments.c.created_at).where(in_state, one).order_by(_comments.c.created_at.desc()) for one in of_sites
    ]
    newest = [one.limit(1).subquery() for one in by_age]
    first = [one.limit(_LIMIT).subquery() for one in by_age]
    counted = union_all(*(select(*one.c) for one in first)).subquery()
    return union_all(*(select(*one.c) for one in newest)), select(func.count()).select_from(counted)


def arrived(session: Session, query: QueueQuery, since: datetime, limit: int) -> Sequence[uuid.UUID]:
    """The ids of comments that a query asks for and that came in after ``since``, the newest first."""
    after = since if query.after is None else max(since, query.after)
    statement = select_all(session, replace(query, after=after)).with_only_columns(Comment.id)
    return session.scalars(statement.order_by(Comment.created_at.desc(), Comment.id.desc()).limit(limit)).all()


def count_within(session: Session, query: QueueQuery, limit: int) -> tuple[int, bool]:
    """How many of the first ``limit`` comments of a list fit a query, and whether that is all of them.

    What an index finds chooses the list, site by site; the rest is only asked of its first comments, so that no filter
    reads the whole table.
    """
    fitting, left = 0, limit
    for sites in [None] if query.sites is None else [frozenset({one}) for one in sorted(query.sites)]:
        first = _first_of(session, replace(query, sites=sites), left)
        fits = [first.c.fits] if query.signal is None else [first.c.fits, _has_signal(first.c.id, query.signal)]
        looked_at, found = session.execute(select(func.count(), func.sum(case((and_(*fits), 1), else_=0)))).one()
        fitting += found or 0
        left -= looked_at
        if not left:
            break
    return fitting, left > 0


def _first_of(session: Session, query: QueueQuery, limit: int) -> Subquery:
    """``id`` and ``fits`` of the first comments by age or by risk, in the order of an index."""
    by_index = replace(query, text=None, author=None, signal=None, claimed=None)
    by_risk = query.min_risk is not None and query.state is State.PENDING
    if not by_risk:
        by_index = replace(by_index, min_risk=None)
    costly = replace(QueueQuery(sites=None, state=query.state, me=query.me, now=query.now), min_risk=query.min_risk)
    costly = replace(costly, text=query.text, author=query.author, claimed=query.claimed)
    fits = select_all(session, costly).whereclause
    rows = select_all(session, by_index).with_only_columns(Comment.id, type_coerce(fits, Boolean).label("fits"))
    order = (Comment.risk.desc(), Comment.id.desc()) if by_risk else (Comment.created_at, Comment.id)
    return rows.order_by(*order).limit(limit).subquery()


def _has_signal(comment_id: Any, name: str) -> ColumnElement[bool]:
    """By the signal's key for each of the comments: for EXISTS, PostgreSQL would read all signals there are."""
    weight = select(SignalRow.weight).where(SignalRow.comment_id == comment_id, SignalRow.name == name)
    return func.coalesce(weight.scalar_subquery(), 0) != 0


# --- claims --------------------------------------------------------------------------------------------------------


def take(
    session: Session, ids: Sequence[uuid.UUID], sites: Sites, me: Actor, now: datetime, until: datetime
) -> list[uuid.UUID]:
    """Claim those of these comments that wait, are of the sites, and that nobody else holds or changes; which they are.

    Locked in the order in which bulk decisions go, so that the two never wait for each other.
    """
    free = or_(Comment.claimed_by.is_(None), Comment.claimed_until <= now, Comment.claimed_by == me.key)
    waits = Comment.state.in_([state.value for state in WAITING])
    statement = select(Comment.id).where(Comment.id.in_(ids), waits, free).order_by(Comment.id)
    if sites is not None:
        statement = statement.where(Comment.site_id.in_(sorted(sites)))
    found = list(session.scalars(statement.with_for_update(skip_locked=True, key_share=True)))
    held = {"claimed_by": me.key, "claimed_name": me.name, "claimed_until": until}
    if found:
        session.execute(update(Comment).where(Comment.id.in_(found)).values(held))
    return found


# --- the thread around a comment -----------------------------------------------------------------------------------

_AROUND = ("id", "parent_id", "author_name", "body_html", "state", "created_at")
AROUND_STATES = (State.APPROVED, State.PENDING, State.ESCALATED)
"""What stands around a comment: what readers see, and what waits beside it."""


def around(session: Session, comment: Comment, each: int) -> list[Row[Any]]:
    """Up to ``each`` comments of the thread before this one and as many after it, by time, in ``AROUND_STATES``."""
    given = {"thread": comment.thread_id, "at": comment.created_at, "of": comment.id, "limit": each}
    rows = session.execute(_around(), given).all()
    own = (comment.created_at, comment.id)
    rows = sorted(rows, key=lambda row: (row.created_at, row.id))
    before = [row for row in rows if (row.created_at, row.id) < own]
    return [*before[-each:], *rows[len(before) :][:each]]


@lru_cache
def _around() -> Any:
    ids = [_beside(state, descending) for state in AROUND_STATES for descending in (True, False)]
    chosen = union_all(*(select(one.c.id) for one in ids))
    return select(*(_comments.c[name] for name in _AROUND)).where(_comments.c.id.in_(chosen))


def _beside(state: State, descending: bool) -> Any:
    by = (_comments.c.created_at, _comments.c.id)
    own = tuple_(bindparam("at", type_=Utc()), bindparam("of", type_=Id()))
    statement: Select[Any] = select(_comments.c.id).where(
        _comments.c.thread_id == bindparam("thread"), _comments.c.state == state.value
    )
    statement = statement.where(tuple_(*by) < own if descending else tuple_(*by) > own)
    return statement.order_by(*(one.desc() if descending else one for one in by)).limit(_LIMIT).subquery()
