"""For operators: is the process up, is it ready, and how much of what."""

import hmac
import os
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from flask import Flask, Response, request
from marshmallow import Schema, fields
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy.orm import Session

from moderation.errors import StorageUnavailable, Unauthenticated
from moderation.storage import schema, upkeep
from moderation.storage.db import read
from moderation.web import auth, guards, logs
from moderation.web.calls import Calls

calls = Calls("operators", "", "For operators.")

HEARTBEAT_LIMIT = timedelta(seconds=30)
"""A worker that has not been heard of for so long is gone."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter("moderation_http_requests", "Requests answered.", ["route", "method", "status"])
LATENCY = Histogram(
    "moderation_http_request_seconds",
    "Time to an answer.",
    ["route", "method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SUBMISSIONS = Counter("moderation_submissions", "Comments accepted, by the state that was answered.", ["state"])
DECISIONS = Counter("moderation_decisions", "Decisions of moderators through the API.", ["action"])


class Alive(Schema):
    """The process answers."""

    status = fields.String(required=True)


class Ready(Schema):
    """Each check and what it found."""

    status = fields.String(required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


def install(app: Flask) -> None:
    """Count every request that is answered."""
    app.after_request(_count)


def count_submission(state: str) -> None:
    """Count a comment that was accepted."""
    SUBMISSIONS.labels(state).inc()


def count_decision(action: str, n: int = 1) -> None:
    """Count decisions that were made."""
    DECISIONS.labels(str(action)).inc(n)


@calls.call("GET", "/healthz", answer=Alive)
def healthz() -> Any:
    """Say that the process is up."""
    return {"status": "ok"}


@calls.call("GET", "/readyz", answer=Ready, doc={"x-unavailable": True})
def readyz() -> Any:
    """Say whether the database is reachable, migrations are current and a worker is alive; 503 where not."""
    checks = {
        "database": _check(lambda session: not session.connection().closed),
        "migrations": _check(schema.is_current),
        "worker": _check(_has_worker),
    }
    ready = all(found == "ok" for found in checks.values())
    return {"status": "ok" if ready else "not ready", "checks": checks}, 200 if ready else 503


@calls.call("GET", "/metrics", answer_type="text/plain", doc={"x-token": True})
def metrics() -> Response:
    """Give figures to Prometheus. Where MODERATION_METRICS_TOKEN is set, it is asked for as a bearer token."""
    token = guards.parts().settings.metrics_token
    if token and not hmac.compare_digest((auth.bearer() or "").encode(), token.encode()):
        raise Unauthenticated("Send the header 'Authorization: Bearer TOKEN' with the token for metrics.")
    return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _check(holds: Callable[[Session], bool]) -> str:
    try:
        with read() as session:
            return "ok" if holds(session) else "failed"
    except StorageUnavailable:
        return "unavailable"
    except Exception as error:  # noqa: BLE001 (a missing table is an answer here, not a crash)
        logs.log_crash(error)
        return "failed"


def _has_worker(session: Session) -> bool:
    now = guards.parts().clock()
    last = upkeep.last_beat(session, now)
    return last is not None and now - last <= HEARTBEAT_LIMIT


def _count(response: Response) -> Response:
    method = request.method if request.method in _METHODS else "OTHER"
    count(method, logs.route(), str(response.status_code), logs.duration_s())
    return response


def count(method: str, route: str, status: str, duration_s: float) -> None:
    """Count a request that was answered, and how long it took."""
    requests, latency = _counters(method, route, status)
    requests.inc()
    latency.observe(duration_s)


@cache
def _counters(method: str, route: str, status: str) -> tuple[Counter, Histogram]:
    """Looked up once; there are as many as routes, methods and states."""
    return REQUESTS.labels(route, method, status), LATENCY.labels(route, method)
