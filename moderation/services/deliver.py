"""Webhooks: the set-up of endpoints, and the sending.

At least once: an event is written with the change that it tells of, every try carries the same ``webhook-id``, and a
delivery ends only with an answer of 2xx, with 410 or after the last try; then it can still be replayed.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from moderation.domain import webhook
from moderation.domain.actor import Actor, Role
from moderation.domain.comment import EVENTS
from moderation.domain.webhook import Outcome
from moderation.errors import Bug, Conflict, Invalid, NotFound, OutboundFailed, OutboundRefused
from moderation.services import idempotency
from moderation.services.cursors import read_cursor, write_cursor
from moderation.services.idempotency import Idempotency
from moderation.services.parts import Parts
from moderation.services.sites import site_for
from moderation.storage import audit, outbox, sites
from moderation.storage.db import new_id, read, write
from moderation.storage.models import Attempt, Delivery, Endpoint, Event, Site
from moderation.storage.outbox import Leased, Result, Run

WORKER = Actor("worker", "worker", "delivery worker")
"""Who disables an endpoint, in the audit log."""

MAX_ENDPOINTS = 20
"""Endpoints of one site; every event is written once for each."""

MAX_LIMIT = 100
MAX_ATTEMPTS_SHOWN = 50
DELIVERY_STATES = (outbox.PENDING, outbox.DELIVERED, outbox.FAILED)

RUN_DELIVERIES = 50
"""How many deliveries of one endpoint are leased, sent one after another, and settled together."""

RUN_S = 5.0
"""After so many seconds a run sends no more, so that its lease can be short."""

SETTLE_S = 5.0
"""What a lease has in reserve for settling. A lease lasts run, one whole timeout and this: after a crash, that is how
long its deliveries wait for the next worker."""

REPLAY_BATCH = 200
MAX_REPLAYED = 10_000
"""Deliveries that one call makes due again, in transactions of ``REPLAY_BATCH``."""

_log = structlog.get_logger("moderation.deliver")


# --------------------------------------------------------------------------------------------------------- endpoints


def add_endpoint(
    parts: Parts,
    actor: Actor,
    site_key: str,
    url: str,
    events: Sequence[str] | None = None,
    idem: Idempotency | None = None,
) -> dict[str, Any]:
    """Make an endpoint; the answer holds its ``secret``, this once. No ``events`` means all of them.

    Raises ``Invalid`` by field, also for a URL that leads to an address that we do not connect to, and ``Conflict``
    for one endpoint too many.
    """
    with read() as session:
        site_for(session, actor, site_key, Role.ADMIN)
    chosen = _events(events or ())
    _check_url(parts, url)
    with write() as session:
        site = site_for(session, actor, site_key, Role.ADMIN, for_change=True)
        reservation = idempotency.reserve(session, parts, actor.key, idem)
        if reservation is not None and reservation.known is not None:
            return reservation.known
        if outbox.count_endpoints(session, site.id) >= MAX_ENDPOINTS:
            raise Conflict(f"The site has {MAX_ENDPOINTS} webhooks, which is the most.")
        secret = webhook.new_secret()
        endpoint = _new_endpoint(parts, site, url, chosen, secret)
        outbox.add_endpoint(session, endpoint)
        answer = {**_shown_endpoint(endpoint, site.key), "secret": secret}
        idempotency.settle(session, parts, reservation, answer)
        _note(parts, session, actor, endpoint, "webhook.add", {"events": chosen})
        return answer


def list_endpoints(
    parts: Parts, actor: Actor, site_key: str, *, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """The endpoints of a site, oldest first, without their secrets: ``{"items", "next"}``."""
    _check_limit(limit)
    with read() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        listing = f"webhooks:{site.id}"
        place = read_cursor(parts.vault, listing, cursor)
        rows = outbox.list_endpoints(session, site.id, limit + 1, None if place is None else place[1])
    return {
        "items": [_shown_endpoint(row, site.key) for row in rows[:limit]],
        "next": write_cursor(parts.vault, listing, None, rows[limit - 1].id) if len(rows) > limit else None,
    }


def show_endpoint(parts: Parts, actor: Actor, endpoint_id: uuid.UUID) -> dict[str, Any]:
    """One endpoint. Raises ``NotFound`` also for one of a site that is not the actor's."""
    with read() as session:
        return _shown(session, _endpoint_for(session, actor, endpoint_id))


def change_endpoint(
    parts: Parts,
    actor: Actor,
    endpoint_id: uuid.UUID,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    state: str | None = None,
) -> dict[str, Any]:
    """Change what is given, leave the rest. The ``state`` "active" clears what it was disabled for, "disabled" keeps
    what is on its way until it is active again.
    """
    with read() as session:
        _endpoint_for(session, actor, endpoint_id)
    values: dict[str, Any] = {} if events is None else {"events": _events(events)}
    if url is not None:
        _check_url(parts, url)
        values["url"] = url
    if state is not None:
        values |= _state_values(state)
    with write() as session:
        endpoint = _endpoint_for(session, actor, endpoint_id, for_change=True)
        changed = [name for name, value in values.items() if getattr(endpoint, name) != value]
        for name in changed:
            setattr(endpoint, name, values[name])
        session.flush()
        answer = _shown(session, endpoint)
        if changed:
            # A URL may hold a token of the receiver's, so that it does not go to the audit log.
            facts = {name: values[name] for name in changed if name in {"events", "state"}}
            _note(parts, session, actor, endpoint, "webhook.change", {"changed": changed, **facts})
        return answer


def rotate_secret(parts: Parts, actor: Actor, endpoint_id: uuid.UUID) -> dict[str, Any]:
    """Give an endpoint a new secret, shown this once. For 24 hours the one before signs too."""
    with write() as session:
        endpoint = _endpoint_for(session, actor, endpoint_id, for_change=True)
        old = _secret(parts, endpoint.id, endpoint.site_id, "secret_sealed", endpoint.secret_sealed)
        new = webhook.new_secret()
        endpoint.previous_sealed = _sealed(parts, endpoint.id, endpoint.site_id, "previous_sealed", old)
        endpoint.previous_until = parts.clock() + webhook.ROTATION
        endpoint.secret_sealed = _sealed(parts, endpoint.id, endpoint.site_id, "secret_sealed", new)
        session.flush()
        answer = {**_shown(session, endpoint), "secret": new}
        _note(parts, session, actor, endpoint, "webhook.rotate", {})
        return answer


def remove_endpoint(parts: Parts, actor: Actor, endpoint_id: uuid.UUID) -> None:
    """Remove an endpoint with everything that was on its way to it, and its delivery log."""
    with write() as session:
        endpoint = _endpoint_for(session, actor, endpoint_id, for_change=True)
        outbox.remove_endpoint(session, endpoint.id)
        _note(parts, session, actor, endpoint, "webhook.remove", {})


def ping_endpoint(parts: Parts, actor: Actor, endpoint_id: uuid.UUID) -> dict[str, Any]:
    """Send a signed ``webhook.ping`` now, also to a disabled endpoint; not in the log, never repeated.

    Returns ``{"ok", "status", "error", "duration_ms"}``; a failure is an answer here, not an exception.
    """
    with read() as session:
        endpoint = _endpoint_for(session, actor, endpoint_id)
        site_key = _site_key(session, endpoint)
    now = parts.clock()
    body = webhook.payload(webhook.PING, now, {"site": site_key, "endpoint": str(endpoint.id)})
    leased = Leased(new_id(), new_id(), body, 0)
    result = _try(parts, _run_of(endpoint, leased), leased)
    return {
        "ok": result.outcome is Outcome.DELIVERED,
        "status": result.status,
        "error": result.error,
        "duration_ms": result.duration_ms,
    }


def _new_endpoint(parts: Parts, site: Site, url: str, events: list[str], secret: str) -> Endpoint:
    endpoint_id: uuid.UUID = new_id()
    return Endpoint(
        id=endpoint_id,
        site_id=site.id,
        url=url,
        events=events,
        secret_sealed=_sealed(parts, endpoint_id, site.id, "secret_sealed", secret),
        state=outbox.ACTIVE,
        disabled_reason="",
        created_at=parts.clock(),
    )


def _state_values(state: str) -> dict[str, Any]:
    if state == outbox.ACTIVE:
        return {"state": state, "disabled_reason": "", "failing_since": None}
    if state == outbox.DISABLED:
        return {"state": state, "disabled_reason": "Disabled by an admin."}
    raise Invalid({"state": [f"It is '{outbox.ACTIVE}' or '{outbox.DISABLED}'."]})


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid({"limit": [f"It is a whole number from 1 to {MAX_LIMIT}."]})


def _events(events: Sequence[str]) -> list[str]:
    unknown = sorted(set(events) - set(EVENTS))
    if unknown:
        raise Invalid({"events": [f"Unknown event. Known are: {', '.join(EVENTS)}."]})
    return [event for event in EVENTS if event in events]


def _check_url(parts: Parts, url: str) -> None:
    try:
        parts.sender.check(url)
    except OutboundRefused as error:
        raise Invalid({"url": [error.detail]}) from None


def _endpoint_for(session: Session, actor: Actor, endpoint_id: uuid.UUID, *, for_change: bool = False) -> Endpoint:
    find = outbox.endpoint_for_change if for_change else outbox.endpoint_by_id
    endpoint = find(session, endpoint_id)
    if endpoint is None:
        raise NotFound("webhook")
    actor.require(endpoint.site_id, Role.ADMIN, "webhook")
    return endpoint


def _site_key(session: Session, endpoint: Endpoint) -> str:
    site = sites.site_by_id(session, endpoint.site_id)
    if site is None:
        raise Bug(f"The endpoint {endpoint.id} has no site.")
    return site.key


def _shown(session: Session, endpoint: Endpoint) -> dict[str, Any]:
    return _shown_endpoint(endpoint, _site_key(session, endpoint))


def _shown_endpoint(endpoint: Endpoint, site_key: str) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "site": site_key,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "state": endpoint.state,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "previous_until": endpoint.previous_until,
        "created_at": endpoint.created_at,
    }


def _note(parts: Parts, session: Session, actor: Actor, endpoint: Endpoint, action: str, data: dict[str, Any]) -> None:
    audit.append(
        session,
        site_id=endpoint.site_id,
        actor=actor,
        action=action,
        object_kind="webhook",
        object_id=str(endpoint.id),
        data=data,
        now=parts.clock(),
        key=parts.vault.audit_key,
    )


def _sealed(parts: Parts, endpoint_id: uuid.UUID, site_id: uuid.UUID, column: str, secret: str) -> bytes:
    return parts.vault.seal(
        secret.encode("ascii"), table="endpoints", column=column, row_id=endpoint_id, site_id=site_id
    )


def _secret(parts: Parts, endpoint_id: uuid.UUID, site_id: uuid.UUID, column: str, sealed: bytes) -> str:
    plain = parts.vault.open(sealed, table="endpoints", column=column, row_id=endpoint_id, site_id=site_id)
    return plain.decode("ascii")


# -------------------------------------------------------------------------------------------------------- deliveries


def list_deliveries(
    parts: Parts,
    actor: Actor,
    endpoint_id: uuid.UUID,
    *,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """The deliveries of an endpoint, newest first: ``{"items", "next"}``; only those in ``state`` where it is given."""
    if state is not None and state not in DELIVERY_STATES:
        raise Invalid({"state": [f"It is one of {', '.join(DELIVERY_STATES)}."]})
    listing = f"deliveries:{endpoint_id}:{state}"
    _check_limit(limit)
    with read() as session:
        endpoint = _endpoint_for(session, actor, endpoint_id)
        place = read_cursor(parts.vault, listing, cursor)
        rows = outbox.list_deliveries(session, endpoint.id, limit + 1, state=state, after=place)
    last = rows[limit - 1][0] if len(rows) > limit else None
    return {
        "items": [_shown_delivery(*row) for row in rows[:limit]],
        "next": None if last is None else write_cursor(parts.vault, listing, last.created_at, last.id),
    }


def show_delivery(parts: Parts, actor: Actor, delivery_id: uuid.UUID) -> dict[str, Any]:
    """One delivery with its ``payload`` and its last 50 ``tries``, newest first."""
    with read() as session:
        delivery, event = _delivery_for(session, actor, delivery_id)
        tries = outbox.attempts_of(session, delivery.id, MAX_ATTEMPTS_SHOWN)
        return {
            **_shown_delivery(delivery, event.type),
            "payload": json.loads(event.payload),
            "tries": [_shown_attempt(row) for row in tries],
        }


def replay_delivery(parts: Parts, actor: Actor, delivery_id: uuid.UUID) -> dict[str, Any]:
    """Send a delivery again as soon as possible, with the same ``webhook-id``, and with all its tries before it.

    Raises ``Conflict`` while the endpoint is disabled.
    """
    with write() as session:
        delivery, event = _delivery_for(session, actor, delivery_id)
        endpoint = _active_endpoint(session, actor, delivery.endpoint_id)
        outbox.replay(session, delivery.id, parts.clock())
        session.refresh(delivery)
        _note(parts, session, actor, endpoint, "webhook.replay", {"delivery": str(delivery.id)})
        return _shown_delivery(delivery, event.type)


def replay_failed(parts: Parts, actor: Actor, endpoint_id: uuid.UUID) -> dict[str, Any]:
    """Send again what failed in all its tries, up to ``MAX_REPLAYED``, the oldest first: ``{"replayed", "more"}``.

    Raises ``Conflict`` while the endpoint is disabled.
    """
    replayed, more = 0, True
    while more and replayed < MAX_REPLAYED:
        with write() as session:
            endpoint = _active_endpoint(session, actor, endpoint_id)
            count = outbox.replay_failed(session, endpoint.id, parts.clock(), REPLAY_BATCH)
            replayed, more = replayed + count, count == REPLAY_BATCH
            if count:
                _note(parts, session, actor, endpoint, "webhook.replay", {"replayed": count})
    return {"replayed": replayed, "more": more}


def replay_range(
    parts: Parts,
    actor: Actor,
    endpoint_id: uuid.UUID,
    *,
    since: datetime,
    until: datetime | None = None,
    only_failed: bool = False,
) -> dict[str, Any]:
    """Send again what happened from ``since`` to before ``until`` (default: now); ``{"replayed": n}``.

    Also what was never sent here, because the endpoint was disabled or did not exist yet. ``only_failed`` leaves out
    what was delivered. Raises ``Conflict`` while the endpoint is disabled.
    """
    now = parts.clock()
    end = until or now
    if since.tzinfo is None or end.tzinfo is None or since >= end:
        raise Invalid({"since": ["It is a time with a zone, before 'until'."]})
    replayed, place = 0, None
    while True:
        with write() as session:
            endpoint = _active_endpoint(session, actor, endpoint_id)
            count, place = outbox.replay_events(
                session,
                endpoint,
                since=since.astimezone(UTC),
                until=end.astimezone(UTC),
                now=now,
                only_failed=only_failed,
                after=place,
                limit=REPLAY_BATCH,
            )
            replayed += count
            if place is None:
                _note(parts, session, actor, endpoint, "webhook.replay", {"replayed": replayed})
                return {"replayed": replayed}


def _active_endpoint(session: Session, actor: Actor, endpoint_id: uuid.UUID) -> Endpoint:
    endpoint = _endpoint_for(session, actor, endpoint_id, for_change=True)
    if endpoint.state != outbox.ACTIVE:
        raise Conflict("The webhook is disabled. Make it active first.")
    return endpoint


def _delivery_for(session: Session, actor: Actor, delivery_id: uuid.UUID) -> tuple[Delivery, Event]:
    found = outbox.delivery_by_id(session, delivery_id)
    if found is None:
        raise NotFound("delivery")
    actor.require(found[0].site_id, Role.ADMIN, "delivery")
    return found


def _shown_delivery(delivery: Delivery, event_type: str) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "event_id": delivery.event_id,
        "webhook_id": delivery.event_id,
        "type": event_type,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at if delivery.state == outbox.PENDING else None,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "created_at": delivery.created_at,
        "delivered_at": delivery.delivered_at,
    }


def _shown_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "at": attempt.at,
        "status": attempt.status,
        "error": attempt.error,
        "snippet": attempt.snippet,
        "duration_ms": attempt.duration_ms,
    }


# ------------------------------------------------------------------------------------------------------------ sending


def deliver_due(parts: Parts) -> int:
    """One round: lease what is due, send it and settle it, an endpoint after the other. Returns how many were tried."""
    tried = 0
    for run in lease_runs(parts, limit=100):
        tried += carry_out(parts, run)
    return tried


def lease_runs(parts: Parts, *, limit: int, failing: int | None = None) -> list[Run]:
    """Lease runs for up to ``limit`` endpoints, for up to ``failing`` (None: all) of such as do not answer well at
    present. Takes no write lock where nothing is due.
    """
    failing = limit if failing is None else min(failing, limit)
    with read() as session:
        if not outbox.endpoints_due(session, now=parts.clock(), limit=1, failing=min(failing, 1)):
            return []
    lease_s = RUN_S + parts.settings.webhook_timeout_s + SETTLE_S
    now = parts.clock()
    with write() as session:
        return outbox.lease_due(
            session, now=now, limit=limit, lease_s=lease_s, per_endpoint=RUN_DELIVERIES, failing=failing
        )


def carry_out(parts: Parts, run: Run, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Send the deliveries of a run, then settle them; returns how many were tried.

    Raises ``StorageUnavailable`` where the results cannot be written: the lease ends by itself, and the same events go
    out again.
    """
    results = send_run(parts, run, should_stop)
    settle(parts, run, results)
    return len(results)


def send_run(parts: Parts, run: Run, should_stop: Callable[[], bool]) -> list[Result]:
    """Send the deliveries of a run, one after the other, outside of any transaction; what they came to.

    What there was no time for, or no wish after ``should_stop``, is not among it. To be given to ``settle``.
    """
    results = []
    end = time.monotonic() + RUN_S
    for leased in run.deliveries:
        if should_stop() or time.monotonic() >= end:
            break
        results.append(_try(parts, run, leased))
        if results[-1].outcome is Outcome.GONE:
            break
    return results


def settle(parts: Parts, run: Run, results: Sequence[Result]) -> None:
    """Write down what the tries of a run came to, and give back the rest of it. Raises ``StorageUnavailable``."""
    settle_all(parts, [(run, results)])


def settle_all(parts: Parts, ended: Sequence[tuple[Run, Sequence[Result]]]) -> None:
    """The same for several runs in one transaction, in which all of them or none are settled."""
    disabled = {}
    with write() as session:
        now = parts.clock()
        # In one order, so that two workers with runs of the same endpoints do not wait for each other.
        for run, results in sorted(ended, key=lambda one: one[0].endpoint_id):
            reason = outbox.settle(session, run, results, now=now)
            if reason is not None:
                _note_disabled(parts, session, run, reason, now)
                disabled[run.endpoint_id] = reason
    for endpoint_id, reason in disabled.items():
        _log.warning("endpoint disabled", endpoint=str(endpoint_id), reason=reason)


def _note_disabled(parts: Parts, session: Session, run: Run, reason: str, now: datetime) -> None:
    audit.append(
        session,
        site_id=run.site_id,
        actor=WORKER,
        action="webhook.disable",
        object_kind="webhook",
        object_id=str(run.endpoint_id),
        reason=reason,
        data={},
        now=now,
        key=parts.vault.audit_key,
    )


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back, or why nothing did."""

    status: int | None = None
    error: str = ""
    snippet: str = ""
    retry_after: str | None = None


def _try(parts: Parts, run: Run, leased: Leased) -> Result:
    at = parts.clock()
    started = time.monotonic()
    reply = _send(parts, run, leased, at)
    outcome = webhook.outcome_of(reply.status)
    now = parts.clock()
    next_at = webhook.next_attempt(
        leased.attempts + 1,
        now,
        jitter=random.random(),  # noqa: S311 (spreads load, guards nothing)
        retry_after_s=webhook.retry_after_s(reply.retry_after, now),
    )
    return Result(
        delivery_id=leased.id,
        at=at,
        outcome=outcome,
        status=reply.status,
        error=reply.error,
        # What a receiver says of a success may repeat our text, and nobody needs it.
        snippet="" if outcome is Outcome.DELIVERED else reply.snippet,
        duration_ms=round((time.monotonic() - started) * 1_000),
        next_at=None if outcome is Outcome.GONE else next_at,
    )


def _send(parts: Parts, run: Run, leased: Leased, at: datetime) -> _Reply:
    try:
        headers = webhook.sign(_secrets(parts, run, at), str(leased.event_id), at, leased.payload)
        answer = parts.sender.post(
            run.url, headers={"Content-Type": "application/json", **headers}, body=leased.payload
        )
    except OutboundFailed as error:
        return _Reply(error=error.detail)
    except Bug:
        _log.error("the secret of an endpoint cannot be used", endpoint=str(run.endpoint_id))
        return _Reply(error="The secret of this webhook cannot be used. Rotate it.")
    except Exception as error:  # noqa: BLE001 (raised, the same run would break again whenever its lease has ended)
        _log.error("a delivery broke", endpoint=str(run.endpoint_id), error=type(error).__name__)
        return _Reply(error="The delivery broke here; the worker's log says how.")
    is_delivered = webhook.outcome_of(answer.status) is Outcome.DELIVERED
    return _Reply(answer.status, "" if is_delivered else f"HTTP {answer.status}", answer.snippet, answer.retry_after)


def _secrets(parts: Parts, run: Run, at: datetime) -> list[str]:
    secrets = [_secret(parts, run.endpoint_id, run.site_id, "secret_sealed", run.secret_sealed)]
    if run.previous_sealed is not None and run.previous_until is not None and at < run.previous_until:
        secrets.append(_secret(parts, run.endpoint_id, run.site_id, "previous_sealed", run.previous_sealed))
    return secrets


def _run_of(endpoint: Endpoint, leased: Leased) -> Run:
    return Run(
        token=new_id(),
        endpoint_id=endpoint.id,
        site_id=endpoint.site_id,
        url=endpoint.url,
        secret_sealed=endpoint.secret_sealed,
        previous_sealed=endpoint.previous_sealed,
        previous_until=endpoint.previous_until,
        deliveries=(leased,),
    )
