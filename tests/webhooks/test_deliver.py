"""Sending: what an endpoint receives, what becomes of each answer, and that nothing is lost or taken twice."""

import contextlib
import json
import threading
import time
import uuid
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from standardwebhooks import Webhook, WebhookVerificationError

from moderation import worker
from moderation.domain import webhook
from moderation.domain.actor import CLI, Actor, Role
from moderation.domain.webhook import Outcome
from moderation.errors import Conflict, Forbidden, Invalid, NotFound, StorageUnavailable
from moderation.services import deliver
from moderation.services.parts import Parts
from moderation.storage import models, outbox, upkeep
from moderation.storage.db import read, write

Answering = Callable[[int], tuple[int, dict[str, str]]]


class Receiver:
    """A real HTTP server that keeps what it gets; ``answering`` maps the number of a request to status and headers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.at: list[float] = []
        self.answering: Answering = lambda _number: (200, {})
        self.delay_s = 0.0
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                receiver.at.append(time.monotonic())
                status, headers = receiver.answering(len(receiver.got) - 1)
                if receiver.delay_s:
                    time.sleep(receiver.delay_s)
                receiver.gate.wait(60)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "4")
                    self.end_headers()
                    self.wfile.write(b"said")

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    made: list[Receiver] = []

    def make() -> Receiver:
        made.append(Receiver())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    return receivers()


def happen(parts: Parts, people: Any, count: int = 1, event_type: str = "comment.approved") -> None:
    """Let something happen on the site ``news``."""
    with write() as session:
        for number in range(count):
            now = parts.clock()
            outbox.enqueue(
                session,
                site_id=people.site_id,
                comment_id=None,
                event_type=event_type,
                payload=webhook.payload(event_type, now, {"n": number}),
                now=now,
            )


def only_delivery(parts: Parts, endpoint_id: uuid.UUID) -> dict[str, Any]:
    items = deliver.list_deliveries(parts, CLI, endpoint_id)["items"]
    assert len(items) == 1
    return deliver.show_delivery(parts, CLI, items[0]["id"])


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


# ------------------------------------------------------------------------------------------------------------ sending


def test_deliver_event_arrives_signed_as_the_reference_verifies_it(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people)
    assert deliver.deliver_due(parts) == 1
    headers, body = receiver.got[0]
    event = Webhook(endpoint["secret"]).verify(body, headers)
    assert event["type"] == "comment.approved"
    assert event["data"] == {"n": 0}
    assert headers["content-type"] == "application/json"
    delivery = only_delivery(parts, endpoint["id"])
    assert headers["webhook-id"] == str(delivery["event_id"])
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("delivered", 1, 200)
    assert delivery["payload"] == event
    assert [(one["status"], one["snippet"]) for one in delivery["tries"]] == [(200, "")]
    assert deliver.deliver_due(parts) == 0


def test_deliver_event_goes_only_to_endpoints_that_subscribe(
    parts: Parts, people: Any, receivers: Callable[[], Receiver]
) -> None:
    everything, approved, spam = receivers(), receivers(), receivers()
    deliver.add_endpoint(parts, CLI, "news", everything.url)
    deliver.add_endpoint(parts, CLI, "news", approved.url, ["comment.approved"])
    deliver.add_endpoint(parts, CLI, "news", spam.url, ["comment.spam"])
    deliver.add_endpoint(parts, CLI, "other", spam.url)
    happen(parts, people)
    assert deliver.deliver_due(parts) == 2
    assert (len(everything.got), len(approved.got), len(spam.got)) == (1, 1, 0)
    assert everything.ids == approved.ids


def test_enqueue_in_a_transaction_that_fails_leaves_nothing(parts: Parts, people: Any, receiver: Receiver) -> None:
    deliver.add_endpoint(parts, CLI, "news", receiver.url)

    def fail_after_enqueue() -> None:
        with write() as session:
            outbox.enqueue(
                session, site_id=people.site_id, comment_id=None, event_type="a.b", payload=b"{}", now=parts.clock()
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_enqueue()
    assert deliver.deliver_due(parts) == 0


def test_enqueue_on_a_site_without_endpoints_keeps_nothing(parts: Parts, people: Any) -> None:
    happen(parts, people)
    with read() as session:
        assert session.scalar(select(func.count()).select_from(models.Event)) == 0


def test_deliver_after_a_failure_tries_again_by_the_schedule_with_the_same_id(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    receiver.answering = lambda number: ((500, 302, 200)[number], {"Location": receiver.url})
    happen(parts, people)
    assert deliver.deliver_due(parts) == 1
    clock.move(seconds=4.9)
    assert deliver.deliver_due(parts) == 0
    clock.move(seconds=0.7)
    assert deliver.deliver_due(parts) == 1
    clock.move(seconds=299)
    assert deliver.deliver_due(parts) == 0
    clock.move(seconds=32)
    assert deliver.deliver_due(parts) == 1
    assert len(receiver.got) == 3
    assert len(set(receiver.ids)) == 1
    assert len({body for _, body in receiver.got}) == 1
    delivery = only_delivery(parts, endpoint["id"])
    assert delivery["state"] == "delivered"
    assert [(one["status"], one["error"]) for one in delivery["tries"]] == [
        (200, ""),
        (302, "HTTP 302"),
        (500, "HTTP 500"),
    ]
    assert delivery["tries"][-1]["snippet"] == "said"


def test_deliver_answered_with_retry_after_waits_that_long(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    deliver.add_endpoint(parts, CLI, "news", receiver.url)
    receiver.answering = lambda number: (429, {"Retry-After": "90"}) if number == 0 else (200, {})
    happen(parts, people)
    deliver.deliver_due(parts)
    clock.move(seconds=89)
    assert deliver.deliver_due(parts) == 0
    clock.move(seconds=2)
    assert deliver.deliver_due(parts) == 1


def test_deliver_to_nobody_says_so_without_the_address_and_fails_after_the_last_try(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    receiver.close()
    happen(parts, people)
    for _ in range(10):
        assert deliver.deliver_due(parts) == 1
        clock.move(hours=27)
        with write() as session:  # keeps the endpoint from being disabled for failing for days
            session.execute(update(models.Endpoint).values(failing_since=None))
    assert deliver.deliver_due(parts) == 0
    delivery = only_delivery(parts, endpoint["id"])
    assert (delivery["state"], delivery["attempts"], delivery["due_at"]) == ("failed", 10, None)
    assert delivery["last_error"] == "The server cannot be reached."
    assert len(delivery["tries"]) == 10


def test_deliver_answered_by_410_disables_the_endpoint_and_says_so(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    receiver.answering = lambda _number: (410, {})
    happen(parts, people, 3)
    assert deliver.deliver_due(parts) == 1
    assert deliver.deliver_due(parts) == 0
    shown = deliver.show_endpoint(parts, CLI, endpoint["id"])
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "The receiver answered 410 Gone.")
    with read() as session:
        lines = session.scalars(select(models.AuditLine).where(models.AuditLine.action == "webhook.disable")).all()
    assert [(line.object_id, line.actor_kind) for line in lines] == [(str(endpoint["id"]), "worker")]
    states = Tally(item["state"] for item in deliver.list_deliveries(parts, CLI, endpoint["id"])["items"])
    assert states == {"failed": 1, "pending": 2}


def test_deliver_to_an_endpoint_that_only_fails_for_five_days_disables_it(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    receiver.answering = lambda _number: (500, {})
    happen(parts, people)
    deliver.deliver_due(parts)
    clock.move(days=4, hours=23)
    deliver.deliver_due(parts)
    assert deliver.show_endpoint(parts, CLI, endpoint["id"])["state"] == "active"
    clock.move(hours=2)
    deliver.deliver_due(parts)
    shown = deliver.show_endpoint(parts, CLI, endpoint["id"])
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "Every try of the last 5 days failed.")


def test_deliver_success_in_between_starts_the_five_days_anew(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    receiver.answering = lambda number: ((500, 200, 500)[number], {})
    happen(parts, people)
    deliver.deliver_due(parts)
    clock.move(days=4)
    deliver.deliver_due(parts)
    assert deliver.show_endpoint(parts, CLI, endpoint["id"])["failing_since"] is None
    clock.move(days=4)
    happen(parts, people)
    deliver.deliver_due(parts)
    shown = deliver.show_endpoint(parts, CLI, endpoint["id"])
    assert (shown["state"], shown["failing_since"]) == ("active", parts.clock())


def test_rotate_secret_signs_with_both_for_a_day_then_with_the_new_alone(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    old = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    new = deliver.rotate_secret(parts, CLI, old["id"])
    assert new["secret"] != old["secret"]
    assert new["previous_until"] == parts.clock() + timedelta(hours=24)
    happen(parts, people)
    deliver.deliver_due(parts)
    for secret in (old["secret"], new["secret"]):
        assert Webhook(secret).verify(receiver.got[0][1], receiver.got[0][0])
    with write() as session:  # as if the rotation had been a day before
        session.execute(update(models.Endpoint).values(previous_until=parts.clock()))
    happen(parts, people)
    deliver.deliver_due(parts)
    headers, body = receiver.got[1]
    assert Webhook(new["secret"]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old["secret"]).verify(body, headers)


def test_deliver_with_a_secret_that_does_not_open_counts_as_a_failed_try(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    with write() as session:
        session.execute(update(models.Endpoint).values(secret_sealed=b"k1:" + b"x" * 60))
    happen(parts, people)
    assert deliver.deliver_due(parts) == 1
    assert receiver.got == []
    assert "secret" in only_delivery(parts, endpoint["id"])["last_error"]


# ------------------------------------------------------------------------------------------------------------- leases


def test_lease_of_a_crashed_worker_ends_and_the_event_goes_out_again_with_the_same_id(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people, 3)
    (run,) = deliver.lease_runs(parts, limit=10)
    for leased in run.deliveries[:2]:
        deliver._try(parts, run, leased)  # sent, and never settled
    assert deliver.deliver_due(parts) == 0
    clock.move(seconds=60)
    assert deliver.deliver_due(parts) == 3
    assert receiver.ids[:2] == receiver.ids[2:4]
    assert len(set(receiver.ids)) == 3
    items = deliver.list_deliveries(parts, CLI, endpoint["id"])["items"]
    assert {item["state"] for item in items} == {"delivered"}


def test_settle_after_the_lease_was_taken_over_changes_nothing(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people)
    (old,) = deliver.lease_runs(parts, limit=10)
    clock.move(seconds=60)
    (new,) = deliver.lease_runs(parts, limit=10)
    failed = outbox.Result(old.deliveries[0].id, clock(), Outcome.GONE, 410, "HTTP 410", "", 1, None)
    deliver.settle(parts, old, [failed])
    delivery = only_delivery(parts, endpoint["id"])
    assert (delivery["state"], delivery["attempts"], delivery["tries"]) == ("pending", 0, [])
    assert deliver.show_endpoint(parts, CLI, endpoint["id"])["state"] == "active"
    assert deliver.carry_out(parts, new) == 1
    assert only_delivery(parts, endpoint["id"])["state"] == "delivered"


def test_settle_after_the_endpoint_was_removed_does_nothing(parts: Parts, people: Any, receiver: Receiver) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people)
    (run,) = deliver.lease_runs(parts, limit=10)
    deliver.remove_endpoint(parts, CLI, endpoint["id"])
    assert deliver.carry_out(parts, run) == 1
    with read() as session:
        assert session.scalar(select(func.count()).select_from(models.Delivery)) == 0


def test_lease_endpoint_with_a_live_lease_gives_nothing_more(parts: Parts, people: Any, receiver: Receiver) -> None:
    deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people, 3)
    with write() as session:
        (run,) = outbox.lease_due(session, now=parts.clock(), limit=10, lease_s=30, per_endpoint=1)
    assert len(run.deliveries) == 1
    with write() as session:
        assert outbox.lease_due(session, now=parts.clock(), limit=10, lease_s=30, per_endpoint=1) == []


def test_carry_out_told_to_stop_gives_back_what_was_not_sent(parts: Parts, people: Any, receiver: Receiver) -> None:
    deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people, 3)
    (run,) = deliver.lease_runs(parts, limit=10)
    assert deliver.carry_out(parts, run, lambda: len(receiver.got) >= 1) == 1
    assert deliver.deliver_due(parts) == 2
    assert len(set(receiver.ids)) == 3


def test_settle_while_the_database_is_away_for_a_moment_is_tried_again(
    app: Flask, parts: Parts, people: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people)
    real, calls = deliver.settle_all, []

    def flaky(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 1:
            raise StorageUnavailable
        real(*args)

    monkeypatch.setattr(deliver, "settle_all", flaky)
    monkeypatch.setattr(worker, "BACK_OFF_S", (0.05,))
    with working(app):
        wait_until(lambda: only_delivery(parts, endpoint["id"])["state"] == "delivered")
    assert len(receiver.got) == 1


def test_lease_by_many_at_once_gives_each_delivery_to_one(
    app: Flask, parts: Parts, people: Any, receiver: Receiver
) -> None:
    for _ in range(5):
        deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people, 10)
    runs: list[outbox.Run] = []
    barrier = threading.Barrier(4)

    def lease() -> None:
        with app.app_context():
            barrier.wait()
            for _ in range(3):
                with write() as session:
                    runs.extend(outbox.lease_due(session, now=parts.clock(), limit=2, lease_s=30, per_endpoint=3))

    threads = [threading.Thread(target=lease) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.endpoint_id for run in runs}) == len(runs) == 5
    leased = [one.id for run in runs for one in run.deliveries]
    assert len(set(leased)) == len(leased) == 15


# ------------------------------------------------------------------------------------------------------------- worker


@contextlib.contextmanager
def working(app: Flask, count: int = 1) -> Iterator[threading.Event]:
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(app, stop)) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield stop
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_two_workers_at_once_deliver_every_event_once(
    app: Flask, parts: Parts, people: Any, receivers: Callable[[], Receiver]
) -> None:
    made = [receivers() for _ in range(3)]
    for one in made:
        deliver.add_endpoint(parts, CLI, "news", one.url)
    with working(app, 2):
        for _ in range(6):
            happen(parts, people, 20)
        wait_until(lambda: all(len(set(one.ids)) == 120 for one in made))
    assert [len(one.ids) for one in made] == [120, 120, 120]


def test_worker_with_a_slow_endpoint_does_not_delay_the_others(
    app: Flask, parts: Parts, people: Any, receivers: Callable[[], Receiver]
) -> None:
    slow, fast = receivers(), receivers()
    slow.gate.clear()
    deliver.add_endpoint(parts, CLI, "news", slow.url)
    deliver.add_endpoint(parts, CLI, "news", fast.url)
    happen(parts, people, 30)
    with working(app):
        wait_until(lambda: len(slow.got) >= 1)
        wait_until(lambda: len(fast.got) == 30)
        happen(parts, people, 5)
        wait_until(lambda: len(fast.got) == 35)
        assert len(slow.got) < 30, "the slow one, which answers nothing, was not waited for"
        slow.gate.set()


def test_worker_stopped_finishes_what_it_is_sending_and_signs_off(
    app: Flask, parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    receiver.delay_s = 0.4
    happen(parts, people, 3)
    with working(app) as stop:
        wait_until(lambda: len(receiver.got) == 1)
        with read() as session:
            assert upkeep.last_beat(session, parts.clock()) == parts.clock()
        stop.set()
    with read() as session:
        assert upkeep.last_beat(session, parts.clock()) is None
    states = Tally(item["state"] for item in deliver.list_deliveries(parts, CLI, endpoint["id"])["items"])
    assert states == {"delivered": 1, "pending": 2}
    assert len(deliver.lease_runs(parts, limit=1)[0].deliveries) == 2


def test_endpoints_that_fail_get_no_more_runs_than_they_may_have(parts: Parts, people: Any, receiver: Receiver) -> None:
    made = [deliver.add_endpoint(parts, CLI, "news", f"{receiver.url}{number}")["id"] for number in range(5)]
    with write() as session:
        sick = [uuid.UUID(str(one)) for one in made[:3]]
        session.execute(update(models.Endpoint).where(models.Endpoint.id.in_(sick)).values(failing_since=parts.clock()))
    happen(parts, people)
    assert [run.is_failing for run in deliver.lease_runs(parts, limit=1, failing=0)] == [False]
    runs = deliver.lease_runs(parts, limit=10, failing=2)
    assert sorted(run.is_failing for run in runs) == [False, True, True]
    assert deliver.lease_runs(parts, limit=10, failing=0) == []
    assert [run.is_failing for run in deliver.lease_runs(parts, limit=10)] == [True]


def test_a_run_that_cannot_be_settled_keeps_no_other_from_it(
    app: Flask, parts: Parts, people: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [deliver.add_endpoint(parts, CLI, "news", f"{receiver.url}{number}")["id"] for number in range(3)]
    happen(parts, people)
    real, bad = outbox.settle, uuid.UUID(str(made[1]))

    def failing(session: Any, run: outbox.Run, results: Any, *, now: Any) -> str | None:
        if run.endpoint_id == bad:
            raise ValueError
        return real(session, run, results, now=now)

    monkeypatch.setattr(outbox, "settle", failing)

    def states() -> list[str]:
        return [deliver.list_deliveries(parts, CLI, one)["items"][0]["state"] for one in made]

    with working(app):
        wait_until(lambda: states() == ["delivered", "pending", "delivered"])
    assert len(receiver.got) == 3


def test_worker_outlives_a_database_that_is_away(
    app: Flask, parts: Parts, people: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people)
    real, failures = deliver.lease_runs, [StorageUnavailable(), RuntimeError("other")]

    def flaky(parts: Parts, *, limit: int, failing: int) -> list[outbox.Run]:
        if failures:
            raise failures.pop()
        return real(parts, limit=limit, failing=failing)

    monkeypatch.setattr(deliver, "lease_runs", flaky)
    monkeypatch.setattr(worker, "BACK_OFF_S", (0.05,))
    with working(app):
        wait_until(lambda: len(receiver.got) == 1)


def test_worker_that_cannot_tidy_still_delivers(
    app: Flask, parts: Parts, people: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people)

    def broken(*_args: Any) -> int:
        raise RuntimeError("a table that cannot be read")

    monkeypatch.setattr(upkeep, "delete_expired", broken)
    with working(app):
        wait_until(lambda: len(receiver.got) == 1)


def test_worker_deletes_what_has_expired(app: Flask, parts: Parts, people: Any) -> None:
    now = parts.clock()
    with write() as session:
        for key, expires_at in ((b"old", now - timedelta(seconds=1)), (b"new", now + timedelta(hours=1))):
            session.add(models.Counter(key=key, value=1, expires_at=expires_at))
            session.add(
                models.IdempotencyKey(
                    scope="s", key_hash=key, request_hash=b"", status=0, answer=b"", expires_at=expires_at
                )
            )
    with working(app):
        wait_until(lambda: _keys() == ([b"new"], [b"new"]))


def _keys() -> tuple[list[bytes], list[bytes]]:
    with read() as session:
        counters = session.scalars(select(models.Counter.key)).all()
        return list(counters), list(session.scalars(select(models.IdempotencyKey.key_hash)))


def test_delete_old_events_keeps_what_is_on_its_way(parts: Parts, people: Any, receiver: Receiver, clock: Any) -> None:
    deliver.add_endpoint(parts, CLI, people.site_key, receiver.url)
    for number in range(2):
        with write() as session:
            outbox.enqueue(
                session,
                site_id=people.site_id,
                comment_id=None,
                event_type="comment.approved",
                payload=b"%d" % number,
                now=clock(),
            )
        if number == 0:
            deliver.deliver_due(parts)
    clock.move(days=31)
    with write() as session:
        assert upkeep.delete_old_events(session, clock.now - timedelta(days=30)) == 1
    with read() as session:
        assert list(session.scalars(select(models.Event.payload))) == [b"1"]
        assert session.scalar(select(func.count()).select_from(models.Attempt)) == 0


# ------------------------------------------------------------------------------------------------------------- replay


def test_replay_delivery_that_was_delivered_sends_it_again_with_the_same_id(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people)
    deliver.deliver_due(parts)
    delivery = deliver.replay_delivery(parts, CLI, only_delivery(parts, endpoint["id"])["id"])
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
    deliver.deliver_due(parts)
    assert receiver.ids[0] == receiver.ids[1]
    assert len(only_delivery(parts, endpoint["id"])["tries"]) == 2


def test_replay_range_sends_what_happened_then_also_while_the_endpoint_was_disabled(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url, ["comment.approved"])
    happen(parts, people)  # before the range
    deliver.deliver_due(parts)
    clock.move(hours=1)
    since = clock()
    happen(parts, people, 2)
    deliver.deliver_due(parts)
    deliver.change_endpoint(parts, CLI, endpoint["id"], state="disabled")
    happen(parts, people, 3)
    happen(parts, people, 3, "comment.spam")
    clock.move(hours=1)
    with pytest.raises(Conflict):
        deliver.replay_range(parts, CLI, endpoint["id"], since=since)
    deliver.change_endpoint(parts, CLI, endpoint["id"], state="active")
    assert deliver.replay_range(parts, CLI, endpoint["id"], since=since, only_failed=True) == {"replayed": 3}
    assert deliver.deliver_due(parts) == 3
    assert deliver.replay_range(parts, CLI, endpoint["id"], since=since) == {"replayed": 5}
    assert deliver.deliver_due(parts) == 5
    assert sorted(Tally(receiver.ids).values()) == [1, 2, 2, 2, 2, 2]


def test_replay_range_of_more_than_a_batch_covers_all(
    parts: Parts, people: Any, receiver: Receiver, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "REPLAY_BATCH", 4)
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    since = clock()
    happen(parts, people, 12)
    clock.move(seconds=1)
    assert deliver.replay_range(parts, CLI, endpoint["id"], since=since) == {"replayed": 12}


def test_replay_failed_sends_again_what_failed_and_nothing_else(
    parts: Parts, people: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "REPLAY_BATCH", 2)
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    happen(parts, people, 6)
    ids = [one["id"] for one in deliver.list_deliveries(parts, CLI, endpoint["id"])["items"]]
    with write() as session:
        failed = update(models.Delivery).where(models.Delivery.id.in_(ids[:5]))
        session.execute(failed.values(state="failed", attempts=10))
    assert len(deliver.list_deliveries(parts, CLI, endpoint["id"], state="failed")["items"]) == 5
    assert deliver.replay_failed(parts, CLI, endpoint["id"]) == {"replayed": 5, "more": False}
    assert deliver.list_deliveries(parts, CLI, endpoint["id"], state="failed")["items"] == []
    assert deliver.deliver_due(parts) == 6
    monkeypatch.setattr(deliver, "MAX_REPLAYED", 2)
    with write() as session:
        session.execute(update(models.Delivery).values(state="failed"))
    assert deliver.replay_failed(parts, CLI, endpoint["id"]) == {"replayed": 2, "more": True}


def test_replay_failed_of_a_disabled_or_foreign_endpoint_is_refused(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    with pytest.raises(NotFound):
        deliver.replay_failed(parts, Actor("token", "t", "t", {people.other_id: Role.ADMIN}), endpoint["id"])
    deliver.change_endpoint(parts, CLI, endpoint["id"], state="disabled")
    with pytest.raises(Conflict):
        deliver.replay_failed(parts, CLI, endpoint["id"])


@pytest.mark.parametrize("swapped", [True, False])
def test_replay_range_with_times_that_make_no_sense_is_invalid(
    parts: Parts, people: Any, receiver: Receiver, swapped: bool
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    since = parts.clock() if swapped else parts.clock().replace(tzinfo=None)
    with pytest.raises(Invalid):
        deliver.replay_range(parts, CLI, endpoint["id"], since=since, until=since - timedelta(hours=1))


# ------------------------------------------------------------------------------------------------------------- set-up


def test_ping_endpoint_sends_a_signed_ping_and_reports_the_answer(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url, ["comment.spam"])
    answer = deliver.ping_endpoint(parts, CLI, endpoint["id"])
    assert (answer["ok"], answer["status"], answer["error"]) == (True, 200, "")
    headers, body = receiver.got[0]
    assert Webhook(endpoint["secret"]).verify(body, headers)["type"] == "webhook.ping"
    receiver.answering = lambda _number: (500, {})
    answer = deliver.ping_endpoint(parts, CLI, endpoint["id"])
    assert (answer["ok"], answer["status"], answer["error"]) == (False, 500, "HTTP 500")
    assert deliver.list_deliveries(parts, CLI, endpoint["id"])["items"] == []


def test_list_deliveries_by_pages_shows_each_once_newest_first(
    parts: Parts, people: Any, receiver: Receiver, clock: Any
) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    for _ in range(3):
        happen(parts, people, 3)
        clock.move(seconds=1)
    seen, cursor = [], None
    while True:
        got = deliver.list_deliveries(parts, CLI, endpoint["id"], limit=2, cursor=cursor)
        seen += got["items"]
        cursor = got["next"]
        if cursor is None:
            break
    assert len({one["id"] for one in seen}) == 9
    assert seen == sorted(seen, key=lambda one: (one["created_at"], one["id"]), reverse=True)
    assert deliver.list_deliveries(parts, CLI, endpoint["id"], state="failed")["items"] == []
    for wrong in ({"cursor": "x"}, {"limit": 0}, {"state": "odd"}):
        with pytest.raises(Invalid):
            deliver.list_deliveries(parts, CLI, endpoint["id"], **wrong)


def test_change_endpoint_changes_what_is_given(parts: Parts, people: Any, receivers: Callable[[], Receiver]) -> None:
    first, second = receivers(), receivers()
    endpoint = deliver.add_endpoint(parts, CLI, "news", first.url)
    changed = deliver.change_endpoint(parts, CLI, endpoint["id"], url=second.url)
    assert (changed["url"], changed["events"]) == (second.url, [])
    assert "secret" not in changed
    happen(parts, people)
    deliver.deliver_due(parts)
    assert (len(first.got), len(second.got)) == (0, 1)
    assert deliver.change_endpoint(parts, CLI, endpoint["id"], events=["comment.spam"])["events"] == ["comment.spam"]
    with pytest.raises(Invalid):
        deliver.change_endpoint(parts, CLI, endpoint["id"], state="odd")


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [
        ("http://10.0.0.1/x", None, "url"),
        ("https://user:pw@example.org/x", None, "url"),
        ("http://127.0.0.1:9/x", ["comment.exploded"], "events"),
    ],
)
def test_add_endpoint_that_is_not_right_is_invalid_by_field(
    parts: Parts, people: Any, url: str, events: list[str] | None, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        deliver.add_endpoint(parts, CLI, "news", url, events)
    assert list(caught.value.fields) == [field]


def test_add_endpoint_one_too_many_is_a_conflict(
    parts: Parts, people: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "MAX_ENDPOINTS", 2)
    for _ in range(2):
        deliver.add_endpoint(parts, CLI, "news", receiver.url)
    with pytest.raises(Conflict):
        deliver.add_endpoint(parts, CLI, "news", receiver.url)


def test_endpoint_is_kept_without_its_secret_in_the_clear(parts: Parts, people: Any, receiver: Receiver) -> None:
    endpoint = deliver.add_endpoint(parts, CLI, "news", receiver.url)
    listed = deliver.list_endpoints(parts, CLI, "news")["items"]
    assert [one["id"] for one in listed] == [endpoint["id"]]
    assert "secret" not in json.dumps(listed, default=str)
    with read() as session:
        row = session.scalars(select(models.Endpoint)).one()
        lines = session.scalars(select(models.AuditLine.data)).all()
    assert endpoint["secret"].encode() not in row.secret_sealed
    assert receiver.url not in json.dumps(lines)
    assert endpoint["secret"] not in json.dumps(lines)


def _actor(site_id: uuid.UUID, role: Role) -> Actor:
    return Actor("token", "1", "somebody", {site_id: role})


def test_endpoint_of_another_site_is_not_there_and_a_moderator_may_not(
    parts: Parts, people: Any, receiver: Receiver
) -> None:
    endpoint_id = deliver.add_endpoint(parts, CLI, "news", receiver.url)["id"]
    happen(parts, people)
    delivery_id = only_delivery(parts, endpoint_id)["id"]
    calls: list[Callable[[Actor], Any]] = [
        lambda actor: deliver.add_endpoint(parts, actor, "news", receiver.url),
        lambda actor: deliver.list_endpoints(parts, actor, "news"),
        lambda actor: deliver.show_endpoint(parts, actor, endpoint_id),
        lambda actor: deliver.change_endpoint(parts, actor, endpoint_id, events=["comment.spam"]),
        lambda actor: deliver.rotate_secret(parts, actor, endpoint_id),
        lambda actor: deliver.ping_endpoint(parts, actor, endpoint_id),
        lambda actor: deliver.list_deliveries(parts, actor, endpoint_id),
        lambda actor: deliver.show_delivery(parts, actor, delivery_id),
        lambda actor: deliver.replay_delivery(parts, actor, delivery_id),
        lambda actor: deliver.replay_range(parts, actor, endpoint_id, since=parts.clock() - timedelta(hours=1)),
        lambda actor: deliver.remove_endpoint(parts, actor, endpoint_id),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call(_actor(people.other_id, Role.ADMIN))
        with pytest.raises(Forbidden):
            call(_actor(people.site_id, Role.MODERATOR))
    assert receiver.got == []
    for call in calls:
        call(_actor(people.site_id, Role.ADMIN))
    with pytest.raises(NotFound):
        deliver.show_endpoint(parts, CLI, endpoint_id)
