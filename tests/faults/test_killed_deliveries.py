"""A worker killed with SIGKILL at each step between lease and settle: no event is lost, stuck or settled by two."""

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from moderation import worker
from moderation.adapters import safe_http
from moderation.domain.actor import CLI
from moderation.services import deliver
from moderation.services.parts import Parts
from moderation.storage import models, outbox
from moderation.storage.db import read, write
from tests.conftest import child, enqueue_event, reap

EVENTS = 3
LEASE_S = 60
"""More than any lease of these tests lasts."""


class Receiver:
    """A site's endpoint, which remembers the ids it got, in their order."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.ids.append(self.headers["webhook-id"])
                receiver.gate.wait(60)
                with contextlib.suppress(OSError):
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    receiver.thread.join()


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    _receiver.ids.clear()
    return _receiver


@pytest.fixture
def endpoint_id(parts: Parts, people: Any, receiver: Receiver) -> uuid.UUID:
    """An endpoint with three events on their way to it."""
    found: uuid.UUID = deliver.add_endpoint(parts, CLI, "news", receiver.url)["id"]
    enqueue_event(parts, people, EVENTS)
    return found


def die(*_args: Any, **_kwargs: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, call: int = 1) -> Callable[[], None]:
    """Make the process die as the ``call``th call of a function begins."""

    def arm() -> None:
        real, calls = getattr(owner, name), [0]

        def dying(*args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] == call:
                die()
            return real(*args, **kwargs)

        setattr(owner, name, dying)

    return arm


def after(owner: Any, name: str, call: int = 1) -> Callable[[], None]:
    """Make the process die as the ``call``th call of a function has ended."""

    def arm() -> None:
        real, calls = getattr(owner, name), [0]

        def dying(*args: Any, **kwargs: Any) -> Any:
            answer = real(*args, **kwargs)
            calls[0] += 1
            if calls[0] == call:
                die()
            return answer

        setattr(owner, name, dying)

    return arm


STEPS: dict[str, tuple[Callable[[], None], int, bool, int]] = {
    # step: how to die there; how many events had been sent; whether the lease stands; how many are settled
    "lease written, not committed": (after(outbox, "lease_due"), 0, False, 0),
    "lease committed": (after(deliver, "lease_runs"), 0, True, 0),
    "first to be sent": (before(safe_http.Sender, "post"), 0, True, 0),
    "request to be written": (before(safe_http, "_exchange"), 0, True, 0),
    "request written, answer not read": (before(safe_http, "_final_response"), 1, True, 0),
    "first answered": (after(safe_http.Sender, "post"), 1, True, 0),
    "second to be sent": (before(safe_http.Sender, "post", 2), 1, True, 0),
    "last answered": (after(safe_http.Sender, "post", EVENTS), EVENTS, True, 0),
    "settling begins": (before(deliver, "settle"), EVENTS, True, 0),
    "settled, not committed": (after(outbox, "settle"), EVENTS, True, 0),
    "settled and committed": (after(deliver, "settle"), EVENTS, False, EVENTS),
}


@pytest.mark.parametrize("step", STEPS)
def test_worker_killed_between_lease_and_settle_loses_no_event_and_none_stays_stuck(
    app: Flask, parts: Parts, endpoint_id: uuid.UUID, receiver: Receiver, clock: Any, step: str
) -> None:
    arm, sent, is_leased, settled = STEPS[step]

    def work_and_die() -> None:
        arm()
        deliver.deliver_due(parts)

    reap(child(app, work_and_die))
    _wait_for(receiver, sent)
    assert _states(endpoint_id).count("delivered") == settled
    first = list(receiver.ids)

    # The other worker takes nothing while the lease stands, and all of it, in its order, when it is over.
    assert deliver.deliver_due(parts) == (0 if is_leased else EVENTS - settled)
    clock.move(seconds=LEASE_S)
    assert deliver.deliver_due(parts) == (EVENTS if is_leased else 0)
    assert _states(endpoint_id) == ["delivered"] * EVENTS
    again = receiver.ids[len(first) :]
    assert len(set(receiver.ids)) == EVENTS
    assert first == again[: len(first)] or not again, "the same ids on every try"
    clock.move(days=2)
    assert deliver.deliver_due(parts) == 0
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(models.Delivery.lease_token.is_not(None))) == 0


def test_worker_killed_in_the_middle_of_its_work_loses_no_event(
    app: Flask, parts: Parts, endpoint_id: uuid.UUID, receiver: Receiver, clock: Any
) -> None:
    """The whole worker, with its threads, killed by another process while a receiver thinks."""
    receiver.gate.clear()
    pid = child(app, lambda: worker.run(app, threading.Event()))
    try:
        _wait_for(receiver, 1)
    finally:
        os.kill(pid, signal.SIGKILL)
        reap(pid)
        receiver.gate.set()
    clock.move(seconds=LEASE_S)
    assert deliver.deliver_due(parts) == EVENTS
    assert len(set(receiver.ids)) == EVENTS
    assert _states(endpoint_id) == ["delivered"] * EVENTS


@pytest.mark.parametrize("arm", [before(outbox, "settle"), after(outbox, "settle")], ids=["before", "uncommitted"])
def test_worker_killed_while_it_settles_what_its_threads_sent_loses_no_event(
    app: Flask, parts: Parts, endpoint_id: uuid.UUID, receiver: Receiver, clock: Any, arm: Callable[[], None]
) -> None:
    reap(child(app, lambda: (arm(), worker.run(app, threading.Event()))))
    _wait_for(receiver, EVENTS)
    assert deliver.deliver_due(parts) == 0
    clock.move(seconds=LEASE_S)
    assert deliver.deliver_due(parts) == EVENTS
    assert receiver.ids[EVENTS:] == receiver.ids[:EVENTS]
    assert _states(endpoint_id) == ["delivered"] * EVENTS


def test_worker_killed_while_settling_the_takeover_leaves_its_word_to_the_next(
    app: Flask, parts: Parts, endpoint_id: uuid.UUID, receiver: Receiver, clock: Any
) -> None:
    """Three workers one after the other, each killed after it sent: three times the same ids, settled once."""
    for number in range(1, 4):
        reap(child(app, lambda: (before(outbox, "settle")(), deliver.deliver_due(parts))))
        _wait_for(receiver, number * EVENTS)
        clock.move(seconds=LEASE_S)
    assert deliver.deliver_due(parts) == EVENTS
    assert len(receiver.ids) == 4 * EVENTS
    assert len(set(receiver.ids)) == EVENTS
    with read() as session:
        assert session.scalars(sa.select(models.Delivery.attempts)).all() == [1] * EVENTS


def test_two_workers_in_processes_of_their_own_never_hold_the_same_lease(
    app: Flask, parts: Parts, people: Any, endpoint_id: uuid.UUID, receiver: Receiver
) -> None:
    """One is stopped in the middle of sending. The other finds other endpoints, and nothing of this one."""
    other_id = deliver.add_endpoint(parts, CLI, "other", receiver.url)["id"]
    with write() as session:
        outbox.enqueue(
            session, site_id=people.other_id, comment_id=None, event_type="a.b", payload=b"{}", now=parts.clock()
        )
    leased, tell = os.pipe()

    def lease_and_hang() -> None:
        with write() as session:
            runs = outbox.lease_due(session, now=parts.clock(), limit=1, lease_s=30, per_endpoint=50)
        os.write(tell, runs[0].endpoint_id.bytes)
        time.sleep(60)

    pid = child(app, lease_and_hang)
    held = uuid.UUID(bytes=os.read(leased, 16))
    try:
        mine = deliver.lease_runs(parts, limit=10)
        assert {held, *(run.endpoint_id for run in mine)} == {endpoint_id, other_id}
        assert held not in {run.endpoint_id for run in mine}
        assert deliver.lease_runs(parts, limit=10) == []
    finally:
        os.kill(pid, signal.SIGKILL)
        reap(pid)
        os.close(leased)
        os.close(tell)


def _wait_for(receiver: Receiver, count: int) -> None:
    """The receiver notes a request in a thread of its own, maybe a moment after the sender is gone."""
    end = time.monotonic() + 20
    while len(receiver.ids) < count and time.monotonic() < end:
        time.sleep(0.01)
    assert len(receiver.ids) == count


def _states(endpoint_id: uuid.UUID) -> list[str]:
    with read() as session:
        return _of(session, endpoint_id)


def _of(session: Session, endpoint_id: uuid.UUID) -> list[str]:
    return list(session.scalars(sa.select(models.Delivery.state).where(models.Delivery.endpoint_id == endpoint_id)))
