"""Signs of life of workers, and rows that have had their time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal_column, select, tuple_, update
from sqlalchemy.orm import Session

from moderation.domain.times import SKEW
from moderation.storage import mails, outbox, scorings, subscriptions
from moderation.storage.db import is_postgres
from moderation.storage.models import Comment, Counter, Delivery, Heartbeat, IdempotencyKey, LoginSession, Mail, Scoring

FORGOTTEN_AFTER = timedelta(days=1)
"""A worker that has not been heard of for so long is taken off the list."""

SILENT_AFTER = timedelta(seconds=30)
"""A worker that has not been heard of for so long is not running."""

BATCH = 1_000
"""Rows deleted in one transaction, so that no other writer waits long."""

LONGEST_LEASE = timedelta(minutes=30)
LONGEST_CLAIM = timedelta(hours=3)
"""Longer than any lease or claim lasts. One that seems to was made while the clock ran ahead."""


def beat(session: Session, worker: str, now: datetime) -> None:
    """Note that a worker is alive, and forget those that have long been silent."""
    noted = update(Heartbeat).where(Heartbeat.worker == worker).values(at=now).returning(Heartbeat.worker)
    if session.execute(noted.execution_options(synchronize_session=False)).first() is None:
        session.add(Heartbeat(worker=worker, at=now))
    session.execute(delete(Heartbeat).where(Heartbeat.at < now - FORGOTTEN_AFTER))


def sign_off(session: Session, worker: str) -> None:
    """Take a worker off the list, since it has stopped."""
    session.execute(delete(Heartbeat).where(Heartbeat.worker == worker))


def last_beat(session: Session, now: datetime) -> datetime | None:
    """When any worker was last heard of. A sign of life from the future says nothing: that clock was wrong."""
    return session.scalar(select(func.max(Heartbeat.at)).where(Heartbeat.at <= now + SKEW))


def mend_times(session: Session, now: datetime) -> None:
    """Let nothing wait for a time that a clock named which ran ahead, and was set back since.

    Leases and claims of that time end, and what was written then and never tried is due. What is put off by a schedule
    is left alone.
    """
    session.execute(delete(Heartbeat).where(Heartbeat.at > now + LONGEST_LEASE))
    free = {"lease_token": None, "leased_until": None}
    for table in (Delivery, Scoring, Mail):
        is_pending = table.state == literal_column("'pending'")  # written out, for the partial indexes
        leased = (is_pending, table.lease_token.is_not(None), table.leased_until > now + LONGEST_LEASE)
        _change(session, table, leased, free)
        untried = (is_pending, table.due_at > now + SKEW, table.attempts == 0, table.created_at > now + SKEW)
        _change(session, table, untried, {"due_at": now})
    claimed = (Comment.claimed_by.is_not(None), Comment.claimed_until > now + LONGEST_CLAIM)
    _change(session, Comment, claimed, {"claimed_by": None, "claimed_name": None, "claimed_until": None})


def _change(session: Session, table: Any, which: tuple[ColumnElement[bool], ...], values: dict[str, Any]) -> None:
    """Change a batch of rows; those that another transaction is at are left for the next time."""
    query = select(table.id).where(*which).limit(BATCH).with_for_update(skip_locked=True)
    ids = session.scalars(query).all()
    if ids:
        changed = update(table).where(table.id.in_(ids)).values(values)
        session.execute(changed.execution_options(synchronize_session=False))


def workers_since(session: Session, since: datetime) -> Sequence[str]:
    """The names of the workers that were heard of since a time."""
    return session.scalars(select(Heartbeat.worker).where(Heartbeat.at >= since)).all()


def delete_expired(session: Session, now: datetime) -> int:
    """Delete a batch each of idempotency keys, counters and login sessions that have expired; how many these were."""
    return sum(
        (
            _delete_batch(session, IdempotencyKey, (IdempotencyKey.scope, IdempotencyKey.key_hash), now),
            _delete_batch(session, Counter, (Counter.key,), now),
            _delete_batch(session, LoginSession, (LoginSession.token_hash,), now),
        )
    )


def delete_old_events(session: Session, before: datetime) -> int:
    """Delete a batch of events from before a time that are on their way to nowhere any more; how many these were."""
    return outbox.delete_events_before(session, before, BATCH)


def delete_old_mail(session: Session, now: datetime, before: datetime) -> int:
    """Delete a batch each of mails from before a time, and of subscriptions whose time is over; how many these were."""
    return mails.delete_before(session, before, BATCH) + subscriptions.delete_expired(session, now, BATCH)


def delete_stale_scorings(session: Session) -> int:
    """Delete a batch of questions to scorers about comments that were decided on meanwhile; how many these were."""
    return scorings.delete_stale(session, BATCH)


def refresh_plans(session: Session) -> None:
    """Let SQLite look at its tables anew where it finds that worth while; PostgreSQL does so by itself."""
    if not is_postgres(session):
        session.connection().exec_driver_sql("PRAGMA analysis_limit=400")
        session.connection().exec_driver_sql("PRAGMA optimize")


def _delete_batch(session: Session, table: Any, key: tuple[Any, ...], now: datetime) -> int:
    expired = select(*key).where(table.expires_at < now).limit(BATCH)
    done = delete(table).where(tuple_(*key).in_(expired)).returning(key[0])
    return len(session.execute(done.execution_options(synchronize_session=False)).all())
