"""Mails on their way: written with what they tell of, leased by a worker, settled by the holder of the lease.

A row holds no address and no text. What is not wanted any more when its turn comes is deleted (``drop``).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, delete, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres, new_id
from moderation.storage.models import Mail

PENDING = "pending"
SENT = "sent"
FAILED = "failed"

CONFIRM = "confirm"
REPLY = "reply"
ADDRESS = "address"
DIGEST = "digest"

MAX_ERROR_CHARS = 200

_mails = cast("Table", Mail.__table__)
# Written out, not bound: a partial index is only used where the query says the same as it.
_IS_PENDING = Mail.state == literal_column("'pending'")


@dataclass(frozen=True, slots=True)
class Leased:
    """One mail under a lease; ``attempts`` were made before."""

    id: uuid.UUID
    token: uuid.UUID
    kind: str
    site_id: uuid.UUID | None
    subscription_id: uuid.UUID | None
    comment_id: uuid.UUID | None
    mailbox_id: uuid.UUID | None
    attempts: int
    created_at: datetime


def enqueue(session: Session, kind: str, rows: Sequence[Mapping[str, uuid.UUID | None]], now: datetime) -> None:
    """Write mails in the caller's transaction; a reply that a subscription has a mail of already gets no second one."""
    nothing = dict.fromkeys(("site_id", "subscription_id", "comment_id", "mailbox_id"))
    fixed = {"kind": kind, "state": PENDING, "attempts": 0, "due_at": now, "last_error": "", "created_at": now}
    if rows:
        session.execute(_insert(is_postgres(session)), [{"id": new_id(), **nothing, **fixed, **row} for row in rows])


@lru_cache
def _insert(postgres: bool) -> Any:
    insert = (postgresql.insert if postgres else sqlite.insert)(_mails)
    return insert.on_conflict_do_nothing(index_elements=[_mails.c.subscription_id, _mails.c.comment_id])


def is_on_its_way(session: Session, mailbox_id: uuid.UUID, kind: str) -> bool:
    """Whether a mailbox has a mail of this kind that is not sent yet."""
    query = select(Mail.id).where(Mail.mailbox_id == mailbox_id, Mail.kind == kind, _IS_PENDING).limit(1)
    return session.scalar(query) is not None


def forget_pending_of_mailbox(session: Session, mailbox_id: uuid.UUID) -> None:
    """Delete what is on its way to a mailbox."""
    session.execute(delete(_mails).where(_mails.c.mailbox_id == mailbox_id, _mails.c.state == PENDING))


# --- leases -----------------------------------------------------------------------------------------------------


def is_due(session: Session, now: datetime) -> bool:
    """Whether there is anything to lease. Reads only, cheap when idle."""
    return session.scalar(select(Mail.id).where(*_is_due(now)).limit(1)) is not None


def lease_due(session: Session, *, now: datetime, limit: int, lease_s: float) -> list[Leased]:
    """Lease up to ``limit`` of what is due, for ``lease_s`` seconds. Two workers never lease the same."""
    query = select(Mail.id).where(*_is_due(now)).order_by(Mail.due_at, Mail.id).limit(limit)
    ids = session.scalars(query.with_for_update(skip_locked=True)).all()
    if not ids:
        return []
    token = new_id()
    taken = session.execute(
        update(_mails)
        .where(_mails.c.id.in_(ids), _mails.c.state == PENDING)
        .values(lease_token=token, leased_until=now + timedelta(seconds=lease_s))
        .returning(_mails)
    ).all()
    names = ("id", "kind", "site_id", "subscription_id", "comment_id", "mailbox_id", "attempts", "created_at")
    leased = [Leased(token=token, **{name: getattr(row, name) for name in names}) for row in taken]
    return sorted(leased, key=lambda one: one.id)


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    free = or_(Mail.leased_until.is_(None), Mail.leased_until <= now)
    return (_IS_PENDING, Mail.due_at <= now, free)


# --- settling ---------------------------------------------------------------------------------------------------


def is_held(session: Session, leased: Leased) -> bool:
    """Whether the lease is still the worker's own; the row is locked until the transaction ends."""
    query = select(Mail.id).where(Mail.id == leased.id, Mail.lease_token == leased.token)
    return session.scalar(query.with_for_update()) is not None


def drop(session: Session, leased: Leased) -> None:
    """Delete a mail that nobody wants any more."""
    session.execute(delete(_mails).where(*_mine(leased)))


def settle_sent(session: Session, leased: Leased) -> None:
    """It was taken by the mail server."""
    _settle(session, leased, state=SENT, attempts=_mails.c.attempts + 1, last_error="")


def put_off(session: Session, leased: Leased, due_at: datetime, error: str = "", *, counted: bool) -> None:
    """Have it sent later. ``counted``: it was a try."""
    tries = _mails.c.attempts + int(counted)
    _settle(session, leased, due_at=due_at, attempts=tries, last_error=error[:MAX_ERROR_CHARS])


def give_up(session: Session, leased: Leased, error: str) -> None:
    """Keep it as ``failed``."""
    _settle(session, leased, state=FAILED, attempts=_mails.c.attempts + 1, last_error=error[:MAX_ERROR_CHARS])


def release(session: Session, leased: Sequence[Leased]) -> None:
    """Give back what was not tried."""
    for one in leased:
        _settle(session, one)


def _settle(session: Session, leased: Leased, **values: Any) -> None:
    settled = update(_mails).where(*_mine(leased)).values(lease_token=None, leased_until=None, **values)
    session.execute(settled)


def _mine(leased: Leased) -> tuple[ColumnElement[bool], ...]:
    return (_mails.c.id == leased.id, _mails.c.lease_token == leased.token)


# --- the list of them -------------------------------------------------------------------------------------------


def counts(session: Session) -> list[tuple[str, str, int]]:
    """How many mails there are: ``(kind, state, number)``."""
    query = select(Mail.kind, Mail.state, func.count()).group_by(Mail.kind, Mail.state).order_by(Mail.kind, Mail.state)
    return [(kind, state, number) for kind, state, number in session.execute(query)]


def last_errors(session: Session, limit: int) -> list[tuple[str, str, str, datetime]]:
    """The newest mails that did not go out at once: ``(kind, state, error, created_at)``."""
    query = select(Mail.kind, Mail.state, Mail.last_error, Mail.created_at).where(Mail.last_error != "")
    rows = session.execute(query.order_by(Mail.created_at.desc()).limit(limit))
    return [(kind, state, error, at) for kind, state, error, at in rows]


def delete_before(session: Session, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` mails from before a time that are on their way no more; how many these were."""
    old = select(Mail.id).where(Mail.created_at < before, Mail.state != PENDING).order_by(Mail.created_at).limit(limit)
    gone = delete(_mails).where(_mails.c.id.in_(old.scalar_subquery())).returning(_mails.c.id)
    return len(session.execute(gone).all())
