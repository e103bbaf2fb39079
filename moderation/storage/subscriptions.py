"""Readers' addresses that may be told of replies, and the comments that they watch."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from moderation.domain.comment import State
from moderation.storage.db import is_postgres
from moderation.storage.models import Comment, Subscription, Watch

ASKED = "asked"
CONFIRMED = "confirmed"
STOPPED = "stopped"

_subscriptions = cast("Table", Subscription.__table__)
_watches = cast("Table", Watch.__table__)


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is to be told of replies to a comment, by what marks replies of their own."""

    subscription_id: uuid.UUID
    email_index: bytes
    author_id: uuid.UUID


def of_address(session: Session, site_id: uuid.UUID, email_index: bytes) -> Subscription | None:
    """The subscription of an address on a site; it cannot go before the transaction ends, so that rows refer to it."""
    found = select(Subscription).where(Subscription.site_id == site_id, Subscription.email_index == email_index)
    return session.scalar(found.with_for_update(read=True, key_share=True))


def by_id(session: Session, subscription_id: uuid.UUID, *, for_change: bool = False) -> Subscription | None:
    """The subscription with this id, which only a signed link names; ``for_change``: locked, as it is by now."""
    query = select(Subscription).where(Subscription.id == subscription_id)
    if for_change:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalar(query)


def add(session: Session, values: Mapping[str, Any]) -> bool:
    """Insert a subscription; False where the address has one on this site by now."""
    inserted = session.execute(_insert(is_postgres(session)), dict(values))
    return inserted.first() is not None


@lru_cache
def _insert(postgres: bool) -> Any:
    insert = (postgresql.insert if postgres else sqlite.insert)(_subscriptions)
    place = [_subscriptions.c.site_id, _subscriptions.c.email_index]
    return insert.on_conflict_do_nothing(index_elements=place).returning(_subscriptions.c.id)


def change(session: Session, subscription_id: uuid.UUID, **values: Any) -> None:
    """Set columns of a subscription."""
    session.execute(update(_subscriptions).where(_subscriptions.c.id == subscription_id).values(**values))


def watch(session: Session, site_id: uuid.UUID, comment_id: uuid.UUID, subscription_id: uuid.UUID) -> None:
    """Let a subscription watch a comment."""
    row = {"comment_id": comment_id, "site_id": site_id, "subscription_id": subscription_id}
    session.execute(_watches.insert(), row)


def is_watched(session: Session, comment_id: uuid.UUID, subscription_id: uuid.UUID) -> bool:
    """Whether a subscription watches a comment."""
    query = select(Watch.comment_id).where(Watch.comment_id == comment_id, Watch.subscription_id == subscription_id)
    return session.scalar(query) is not None


def is_watched_by_any(session: Session, comment_id: uuid.UUID) -> bool:
    """Whether anybody watches a comment."""
    return session.scalar(select(Watch.comment_id).where(Watch.comment_id == comment_id)) is not None


def has_comment_in(session: Session, subscription_id: uuid.UUID, states: Sequence[State]) -> bool:
    """Whether one of the comments that a subscription watches is in one of these states."""
    query = (
        select(Watch.comment_id)
        .join(Comment, Comment.id == Watch.comment_id)
        .where(Watch.subscription_id == subscription_id, Comment.state.in_([state.value for state in states]))
        .limit(1)
    )
    return session.scalar(query) is not None


def watchers_of(session: Session, comment_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Watcher]:
    """Whom to tell of replies to these comments: confirmed subscriptions of public ones. By primary keys alone.

    They cannot go before the transaction ends, so that a mail can refer to them.
    """
    rows = session.execute(_WATCHERS, {"ids": list(comment_ids)})
    return {row.comment_id: Watcher(row.subscription_id, row.email_index, row.author_id) for row in rows}


_parents = aliased(Comment)
_WATCHERS = (
    select(Watch.comment_id, Watch.subscription_id, Subscription.email_index, _parents.author_id)
    .join(Subscription, Subscription.id == Watch.subscription_id)
    .join(_parents, _parents.id == Watch.comment_id)
    .where(
        Watch.comment_id.in_(bindparam("ids", expanding=True)),
        Subscription.state == CONFIRMED,
        _parents.state == State.APPROVED.value,
    )
    .with_for_update(read=True, key_share=True, of=Subscription)
)
"""Built once: to build a statement takes longer than to run it."""


# --- the end of them --------------------------------------------------------------------------------------------


def unwatch(session: Session, comment_id: uuid.UUID) -> uuid.UUID | None:
    """Let nobody watch a comment any more; the subscription that watched it alone, and has nothing to watch now."""
    gone = delete(_watches).where(_watches.c.comment_id == comment_id).returning(_watches.c.subscription_id)
    subscription_id: uuid.UUID | None = session.scalar(gone)
    if subscription_id is None:
        return None
    others = select(Watch.comment_id).where(Watch.subscription_id == subscription_id).limit(1)
    return subscription_id if session.scalar(others) is None else None


def remove(session: Session, subscription_id: uuid.UUID) -> None:
    """Delete a subscription, with what it watches and the mails on their way to it."""
    session.execute(delete(_subscriptions).where(_subscriptions.c.id == subscription_id))


def unwatch_all(session: Session, subscription_id: uuid.UUID) -> None:
    """Let a subscription watch nothing any more."""
    session.execute(delete(_watches).where(_watches.c.subscription_id == subscription_id))


def forget_address(session: Session, site_id: uuid.UUID, email_index: bytes) -> int:
    """Delete all that is kept of an address on a site for notices, mails on their way included; how many subscriptions
    these were (0 or 1).
    """
    of_it = (_subscriptions.c.site_id == site_id, _subscriptions.c.email_index == email_index)
    return len(session.execute(delete(_subscriptions).where(*of_it).returning(_subscriptions.c.id)).all())


def delete_expired(session: Session, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` subscriptions whose time is over: never confirmed, or stopped long ago; how many."""
    over = select(Subscription.id).where(Subscription.expires_at < now).limit(limit)
    gone = delete(_subscriptions).where(_subscriptions.c.id.in_(over), _subscriptions.c.expires_at < now)
    return len(session.execute(gone.returning(_subscriptions.c.id)).all())
