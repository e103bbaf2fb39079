"""Endpoints, and the events on their way to them.

An event is written in the transaction of what it tells of. A worker leases what is due (``lease_due``), sends it
outside of any transaction, and settles it (``settle``) as far as the lease is still its own. One endpoint is leased to
one run at a time, so that a slow one holds up nobody but itself, and its events come roughly in their order.

Rows are locked in the order endpoint, deliveries, in every transaction here.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from moderation.domain.webhook import FAILING_LIMIT, Outcome
from moderation.storage.db import new_id
from moderation.storage.models import Attempt, Delivery, Endpoint, Event
from moderation.storage.types import Utc

ACTIVE = "active"
DISABLED = "disabled"
PENDING = "pending"
DELIVERED = "delivered"
FAILED = "failed"

GONE_REASON = "The receiver answered 410 Gone."
FAILING_REASON = f"Every try of the last {FAILING_LIMIT.days} days failed."

# Written out, not bound: a partial index is only used where the query says the same as it.
_IS_PENDING = Delivery.state == literal_column("'pending'")
_IS_FAILED = Delivery.state == literal_column("'failed'")


@dataclass(frozen=True, slots=True)
class Leased:
    """One delivery of a run; ``attempts`` were made before."""

    id: uuid.UUID
    event_id: uuid.UUID
    payload: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Run:
    """Deliveries of one endpoint under one lease, in the order to send them, and what is needed for it."""

    token: uuid.UUID
    endpoint_id: uuid.UUID
    site_id: uuid.UUID
    url: str
    secret_sealed: bytes
    previous_sealed: bytes | None
    previous_until: datetime | None
    deliveries: tuple[Leased, ...]
    is_failing: bool = False
    """The endpoint's last answer was none, or not good."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one try came to. ``next_at`` None after a failure: it was the last try."""

    delivery_id: uuid.UUID
    at: datetime
    outcome: Outcome
    status: int | None
    error: str
    snippet: str
    duration_ms: int
    next_at: datetime | None


# ------------------------------------------------------------------------------------------------------------ events


def enqueue(
    session: Session,
    *,
    site_id: uuid.UUID,
    comment_id: uuid.UUID | None,
    event_type: str,
    payload: bytes,
    now: datetime,
) -> None:
    """Write an event, and a delivery for each active endpoint that subscribes to it, in the caller's transaction.

    A site without endpoints keeps no events; one whose endpoints are all disabled does, for a later replay.
    """
    enqueue_all(session, site_id=site_id, told=[Told(comment_id, event_type, payload)], now=now)


@dataclass(frozen=True, slots=True)
class Told:
    """An event to write: what it is about, its type, its bytes."""

    comment_id: uuid.UUID | None
    type: str
    payload: bytes


def enqueue_all(session: Session, *, site_id: uuid.UUID, told: Sequence[Told], now: datetime) -> None:
    """Write several events of one site as ``enqueue`` does, in their order; its endpoints are looked up once."""
    # The lock keeps an endpoint from being removed before this transaction ends, which would break the reference.
    endpoints = session.execute(_SUBSCRIBERS, {"of": site_id}).all()
    if not endpoints or not told:
        return
    events = [(new_id(), one) for one in told]
    session.execute(
        _INSERT_EVENT,
        [
            {
                "id": event_id,
                "site_id": site_id,
                "comment_id": one.comment_id,
                "type": one.type,
                "payload": one.payload,
                "created_at": now,
            }
            for event_id, one in events
        ],
    )
    active = [row for row in endpoints if row.state == ACTIVE]
    wanted = [(event_id, row.id) for event_id, one in events for row in active if subscribes(row.events, one.type)]
    _insert_deliveries(session, site_id, wanted, now)


_endpoints = cast("Table", Endpoint.__table__)
_SUBSCRIBERS = (
    select(_endpoints.c.id, _endpoints.c.events, _endpoints.c.state)
    .where(_endpoints.c.site_id == bindparam("of"))
    .with_for_update(read=True, key_share=True)
)
_INSERT_EVENT = insert(cast("Table", Event.__table__))
_INSERT_DELIVERY = insert(cast("Table", Delivery.__table__))
"""Built once: to build a statement takes longer than to run it."""


def payloads_of(session: Session, comment_id: uuid.UUID) -> list[tuple[uuid.UUID, bytes]]:
    """The events of a comment: ``(id, payload)``."""
    rows = session.execute(select(Event.id, Event.payload).where(Event.comment_id == comment_id))
    return [(event_id, payload) for event_id, payload in rows]


def replace_payload(session: Session, event_id: uuid.UUID, payload: bytes) -> None:
    """Put other bytes in place of an event's, and take what receivers answered to it out of the log."""
    session.execute(update(Event).where(Event.id == event_id).values(payload=payload))
    of_event = select(Delivery.id).where(Delivery.event_id == event_id)
    session.execute(update(Attempt).where(Attempt.delivery_id.in_(of_event)).values(snippet=""))


def delete_events_before(session: Session, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` events from before a time, with their deliveries and log; how many these were.

    One that is still on its way to somewhere stays.
    """
    waiting = select(Delivery.id).where(Delivery.event_id == Event.id, Delivery.state == PENDING)
    old = select(Event.id).where(Event.created_at < before, ~waiting.exists()).order_by(Event.created_at).limit(limit)
    gone = delete(Event).where(Event.id.in_(old.scalar_subquery())).returning(Event.id)
    return len(session.execute(gone.execution_options(synchronize_session=False)).all())


def subscribes(events: Sequence[str], event_type: str) -> bool:
    """Whether a subscription includes a type; an empty one includes all."""
    return not events or event_type in events


def _insert_deliveries(
    session: Session, site_id: uuid.UUID, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]], now: datetime
) -> None:
    rows = [
        {
            "id": new_id(),
            "site_id": site_id,
            "event_id": event_id,
            "endpoint_id": endpoint_id,
            "state": PENDING,
            "attempts": 0,
            "due_at": now,
            "last_error": "",
            "created_at": now,
        }
        for event_id, endpoint_id in pairs
    ]
    if rows:
        session.execute(_INSERT_DELIVERY, rows)


# ------------------------------------------------------------------------------------------------------------ leases


def endpoints_due(session: Session, *, now: datetime, limit: int, failing: int) -> Sequence[uuid.UUID]:
    """Up to ``limit`` active endpoints that have something due and no live lease, ``failing`` of them such as do not
    answer well at present. Reads only, cheap when idle.
    """
    sick = session.scalars(_due_endpoints(now, is_failing=True).limit(failing)).all() if failing else []
    return [*sick, *session.scalars(_due_endpoints(now, is_failing=False).limit(limit - len(sick)))]


def lease_due(
    session: Session, *, now: datetime, limit: int, lease_s: float, per_endpoint: int = 1, failing: int | None = None
) -> list[Run]:
    """Lease what is due for up to ``limit`` endpoints, for ``lease_s`` seconds; for up to ``failing`` of those that do
    not answer well at present (None: for all).

    A run takes up to ``per_endpoint`` deliveries, oldest first; an endpoint with a live lease gives none, so that
    never more than ``per_endpoint`` are out. Two workers at once never lease the same.
    """
    locked: list[uuid.UUID] = []
    for is_failing, most in ((True, limit if failing is None else min(limit, failing)), (False, limit)):
        if most > len(locked):
            # NO KEY UPDATE, so that new events can refer to the endpoint meanwhile; what another worker looks at is
            # skipped.
            query = _due_endpoints(now, is_failing=is_failing).limit(most - len(locked))
            locked += session.scalars(query.with_for_update(of=Endpoint, skip_locked=True, key_share=True))
    if not locked:
        return []
    # Asked again, since the lock may have been waited for by a snapshot from before somebody else's lease.
    live = select(Delivery.endpoint_id).where(Delivery.endpoint_id.in_(locked), _is_live(now))
    busy = set(session.scalars(live))
    runs = (_lease_endpoint(session, one, now, lease_s, per_endpoint) for one in locked if one not in busy)
    return [run for run in runs if run is not None]


def _due_endpoints(now: datetime, *, is_failing: bool) -> Any:
    due = exists().where(Delivery.endpoint_id == Endpoint.id, *_is_due(now))
    live = exists().where(Delivery.endpoint_id == Endpoint.id, _is_live(now))
    since = Endpoint.failing_since
    health = since.is_not(None) if is_failing else since.is_(None)
    return select(Endpoint.id).where(Endpoint.state == ACTIVE, health, due, ~live).order_by(func.random())


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    free = or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now)
    return (_IS_PENDING, Delivery.due_at <= now, free)


def _is_live(now: datetime) -> ColumnElement[bool]:
    return and_(Delivery.lease_token.is_not(None), Delivery.leased_until > now)


def _lease_endpoint(
    session: Session, endpoint_id: uuid.UUID, now: datetime, lease_s: float, per_endpoint: int
) -> Run | None:
    endpoint = session.get_one(Endpoint, endpoint_id)
    query = (
        select(Delivery.id, Delivery.event_id, Delivery.attempts, Event.payload)
        .join(Event, Event.id == Delivery.event_id)
        .where(Delivery.endpoint_id == endpoint_id, *_is_due(now))
        .order_by(Delivery.due_at, Delivery.id)
        .limit(per_endpoint)
    )
    rows = session.execute(query).all()
    token = new_id()
    taken = set(
        session.scalars(
            update(Delivery)
            .where(Delivery.id.in_([row.id for row in rows]), *_is_due(now))
            .values(lease_token=token, leased_until=now + timedelta(seconds=lease_s))
            .returning(Delivery.id)
            .execution_options(synchronize_session=False)
        )
    )
    if not taken:
        return None
    return Run(
        token=token,
        endpoint_id=endpoint.id,
        site_id=endpoint.site_id,
        url=endpoint.url,
        secret_sealed=endpoint.secret_sealed,
        previous_sealed=endpoint.previous_sealed,
        previous_until=endpoint.previous_until,
        deliveries=tuple(Leased(row.id, row.event_id, row.payload, row.attempts) for row in rows if row.id in taken),
        is_failing=endpoint.failing_since is not None,
    )


def settle(session: Session, run: Run, results: Sequence[Result], *, now: datetime) -> str | None:
    """Write down what the tries of a run came to, and give back what of it was not tried.

    Only where the lease is still the run's own: what another worker has taken over is left to it. Returns the reason
    if this disabled the endpoint, else None.
    """
    endpoint = session.scalar(_locked_endpoint(run.endpoint_id))
    if endpoint is None:
        return None
    mine = Delivery.lease_token == run.token
    own = set(session.scalars(select(Delivery.id).where(mine).with_for_update(key_share=True)))
    settled = [result for result in results if result.delivery_id in own]
    if settled:
        session.connection().execute(_SETTLE, [_values_after(result) for result in settled])
        session.execute(insert(Attempt), [_attempt(result) for result in settled])
    free = update(Delivery).where(mine).values(lease_token=None, leased_until=None)
    session.execute(free.execution_options(synchronize_session=False))
    reason = _judge_endpoint(endpoint, settled, now)
    session.flush()
    return reason


_SETTLE = (
    update(Delivery)
    .where(Delivery.id == bindparam("delivery"))
    .values(
        attempts=Delivery.attempts + 1,
        state=bindparam("new_state"),
        due_at=func.coalesce(bindparam("new_due_at", type_=Utc), Delivery.due_at),
        delivered_at=bindparam("new_delivered_at"),
        last_status=bindparam("new_status"),
        last_error=bindparam("new_error"),
    )
)
"""One statement for all results of a run."""


def _values_after(result: Result) -> dict[str, Any]:
    is_delivered = result.outcome is Outcome.DELIVERED
    is_over = is_delivered or result.next_at is None
    return {
        "delivery": result.delivery_id,
        "new_state": DELIVERED if is_delivered else FAILED if is_over else PENDING,
        "new_due_at": None if is_over else result.next_at,
        "new_delivered_at": result.at if is_delivered else None,
        "new_status": result.status,
        "new_error": result.error,
    }


def _attempt(result: Result) -> dict[str, Any]:
    return {
        "id": new_id(),
        "delivery_id": result.delivery_id,
        "at": result.at,
        "duration_ms": result.duration_ms,
        "status": result.status,
        "error": result.error,
        "snippet": result.snippet,
    }


def _judge_endpoint(endpoint: Endpoint, results: Sequence[Result], now: datetime) -> str | None:
    """Keep ``failing_since``, and disable what is gone or has only failed for too long."""
    for result in results:
        if result.outcome is Outcome.DELIVERED:
            endpoint.failing_since = None
        elif endpoint.failing_since is None:
            endpoint.failing_since = result.at
    gone = any(result.outcome is Outcome.GONE for result in results)
    has_failed_too_long = endpoint.failing_since is not None and now - endpoint.failing_since >= FAILING_LIMIT
    if endpoint.state != ACTIVE or not (gone or has_failed_too_long):
        return None
    endpoint.state = DISABLED
    endpoint.disabled_reason = GONE_REASON if gone else FAILING_REASON
    return endpoint.disabled_reason


# --------------------------------------------------------------------------------------------------------- endpoints


def add_endpoint(session: Session, endpoint: Endpoint) -> None:
    """Insert the endpoint."""
    session.add(endpoint)
    session.flush()


def endpoint_by_id(session: Session, endpoint_id: uuid.UUID) -> Endpoint | None:
    """The endpoint with this id."""
    return session.get(Endpoint, endpoint_id)


def endpoint_for_change(session: Session, endpoint_id: uuid.UUID) -> Endpoint | None:
    """The same, locked until the transaction ends."""
    endpoint: Endpoint | None = session.scalar(_locked_endpoint(endpoint_id))
    return endpoint


def _locked_endpoint(endpoint_id: uuid.UUID) -> Any:
    query = select(Endpoint).where(Endpoint.id == endpoint_id)
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)


def list_endpoints(
    session: Session, site_id: uuid.UUID, limit: int, after: uuid.UUID | None = None
) -> Sequence[Endpoint]:
    """Up to ``limit`` endpoints of a site, in the order in which they were made, after the endpoint ``after``."""
    query = select(Endpoint).where(Endpoint.site_id == site_id).order_by(Endpoint.id).limit(limit)
    return session.scalars(query if after is None else query.where(Endpoint.id > after)).all()


def count_endpoints(session: Session, site_id: uuid.UUID) -> int:
    """How many endpoints a site has."""
    return session.scalar(select(func.count()).select_from(Endpoint).where(Endpoint.site_id == site_id)) or 0


def remove_endpoint(session: Session, endpoint_id: uuid.UUID) -> None:
    """Delete an endpoint and all its deliveries with their attempts."""
    session.execute(delete(Endpoint).where(Endpoint.id == endpoint_id))


# -------------------------------------------------------------------------------------------------------- deliveries


def list_deliveries(
    session: Session,
    endpoint_id: uuid.UUID,
    limit: int,
    *,
    state: str | None = None,
    after: tuple[datetime, uuid.UUID] | None = None,
) -> Sequence[tuple[Delivery, str]]:
    """Up to ``limit`` deliveries of an endpoint with their event's type, newest first, behind the place ``after``."""
    query = (
        select(Delivery, Event.type)
        .join(Event, Event.id == Delivery.event_id)
        .where(Delivery.endpoint_id == endpoint_id)
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(_IS_FAILED if state == FAILED else Delivery.state == state)
    if after is not None:
        query = query.where(_behind(after))
    return [(row[0], row[1]) for row in session.execute(query)]


def _behind(place: tuple[datetime, uuid.UUID]) -> ColumnElement[bool]:
    at, last_id = place
    return or_(Delivery.created_at < at, and_(Delivery.created_at == at, Delivery.id < last_id))


def delivery_by_id(session: Session, delivery_id: uuid.UUID) -> tuple[Delivery, Event] | None:
    """The delivery with this id, and its event."""
    query = select(Delivery, Event).join(Event, Event.id == Delivery.event_id).where(Delivery.id == delivery_id)
    row = session.execute(query).first()
    return None if row is None else (row[0], row[1])


def attempts_of(session: Session, delivery_id: uuid.UUID, limit: int) -> Sequence[Attempt]:
    """The last ``limit`` tries of a delivery, newest first."""
    query = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id.desc()).limit(limit)
    return session.scalars(query).all()


def replay(session: Session, delivery_id: uuid.UUID, now: datetime) -> None:
    """Make a delivery due now, with all its tries before it. One that is being sent at the moment keeps its lease."""
    _restart(session, [delivery_id], now)


def _restart(session: Session, ids: Sequence[uuid.UUID], now: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(state=PENDING, attempts=0, due_at=now, delivered_at=None)
        .execution_options(synchronize_session=False)
    )


def replay_failed(session: Session, endpoint_id: uuid.UUID, now: datetime, limit: int) -> int:
    """Make up to ``limit`` deliveries of an endpoint due again that failed in all their tries; returns how many."""
    query = select(Delivery.id).where(Delivery.endpoint_id == endpoint_id, _IS_FAILED)
    ids = session.scalars(query.order_by(Delivery.created_at, Delivery.id).limit(limit)).all()
    _restart(session, ids, now)
    return len(ids)


def replay_events(
    session: Session,
    endpoint: Endpoint,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    only_failed: bool,
    after: tuple[datetime, uuid.UUID] | None,
    limit: int,
) -> tuple[int, tuple[datetime, uuid.UUID] | None]:
    """Send an endpoint again what happened on its site from ``since`` to before ``until``, up to ``limit`` events.

    Also what it has no delivery of, because it was disabled or did not exist yet; with ``only_failed``, only what was
    not delivered. Returns how many became due and the place of the last event looked at, None at the end.
    """
    query = (
        select(Event.id, Event.type, Event.created_at, Delivery.id.label("delivery_id"), Delivery.state)
        .outerjoin(Delivery, and_(Delivery.event_id == Event.id, Delivery.endpoint_id == endpoint.id))
        .where(Event.site_id == endpoint.site_id, Event.created_at >= since, Event.created_at < until)
        .order_by(Event.created_at, Event.id)
        .limit(limit)
    )
    if after is not None:
        later = and_(Event.created_at == after[0], Event.id > after[1])
        query = query.where(or_(Event.created_at > after[0], later))
    rows = session.execute(query).all()
    wanted = _wanted_again(rows, endpoint, only_failed=only_failed)
    _restart(session, [row.delivery_id for row in wanted if row.delivery_id is not None], now)
    missing = [(row.id, endpoint.id) for row in wanted if row.delivery_id is None]
    _insert_deliveries(session, endpoint.site_id, missing, now)
    last = (rows[-1].created_at, rows[-1].id) if len(rows) == limit else None
    return len(wanted), last


def _wanted_again(rows: Sequence[Any], endpoint: Endpoint, *, only_failed: bool) -> list[Any]:
    return [row for row in rows if _is_wanted_again(row, endpoint, only_failed=only_failed)]


def _is_wanted_again(row: Any, endpoint: Endpoint, *, only_failed: bool) -> bool:
    if row.delivery_id is None:
        return subscribes(endpoint.events, row.type)
    return not (only_failed and row.state == DELIVERED)
