"""The worker: a loop that leases deliveries and settles them, threads that send; and beside it a loop for external
scorers, one for mail, one for what sites let go after some days and one that keeps the index of texts.

A loop hands out no more than there are threads. An endpoint is in one run at a time: a slow receiver holds one thread,
and all that do not answer well at present hold no more than a part of them together.
Scorers have a loop and threads of their own, so that a slow one delays no delivery; mail has a loop of its own, which
sends one mail after the other. What is leased when the process is killed comes back when its lease ends.
"""

import os
import platform
import queue
import signal
import threading
import time
from datetime import timedelta
from types import FrameType

import structlog
from flask import Flask

from moderation.domain.actor import WORKER
from moderation.errors import StorageUnavailable
from moderation.services import deliver, digests, indexing, mailing, raids, retention, scorings
from moderation.services.parts import Parts
from moderation.storage import upkeep
from moderation.storage.db import write
from moderation.storage.outbox import Result, Run
from moderation.storage.scorings import Leased

POLL_S = 0.5
"""Longest time between an event, or a comment to be asked about, and its first try, while a thread is free."""

FAILING_SHARE = 4
"""One thread in so many, and at least one, may send to endpoints whose last answer was none or not good: each may take
the whole time-out, and healthy ones are not to wait for them."""

ASKING_THREADS = 8
"""How many external scorers' answers are waited for at the same time."""

MAIL_POLL_S = 1.0
"""Longest time between a mail and its first try, while no other is being sent."""

INDEX_S = 20.0
"""Between two looks for comments that the index of texts lacks."""

REINDEX_S = 300.0
"""Longest time for which the index holds the former text of a comment that was changed or erased, about."""

BEAT_S = 5.0
RAID_LOOK_S = 5.0
"""How long a raid may last before it is noticed, after its limit is reached."""

TIDY_S = 600.0
GRACE_S = 10.0
"""How long a stop waits for what is being sent."""

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits after the first, second, ... failure of the database in a row."""

Ended = tuple[Run, list[Result] | None]
"""A run that was sent, and what its deliveries came to; None where sending it failed in a way that should not be."""

_log = structlog.get_logger("moderation.worker")


def run(app: Flask, stop: threading.Event) -> None:
    """Deliver, ask external scorers, send mail, index texts until ``stop`` is set; then finish what is being sent.

    That takes 10 s at most.
    Never raises for a database that is away: it backs off and comes back. Several workers on one database share the
    work. Nobody may ``wait()`` on ``stop``: a signal handler that sets it could wait for itself.
    """
    beside: list[threading.Thread] = [_Asking(app, stop), _Retaining(app, stop), _Indexing(app, stop)]
    if app.extensions["moderation"].mailer is not None:
        beside.append(_Mailing(app, stop))
    for thread in beside:
        thread.start()
    _Worker(app, stop).loop()
    end = time.monotonic() + GRACE_S
    for thread in beside:
        thread.join(max(0.0, end - time.monotonic()))


def node_name() -> str:
    """What this machine, or container, is called in the names of its workers."""
    return platform.node()[:40]


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set from now on. To be called in the main thread."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


class _Worker:
    """The state of one worker: what is out, and when what is due next."""

    def __init__(self, app: Flask, stop: threading.Event) -> None:
        self._app = app
        self._stop = stop
        self._parts: Parts = app.extensions["moderation"]
        self._name = f"{node_name()}:{os.getpid()}:{threading.get_ident() % 100_000}"
        self._threads = self._parts.settings.worker_threads
        self._runs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._ended: list[tuple[Run, list[Result]]] = []
        self._busy = 0
        self._busy_failing = 0
        self._failures = 0
        self._next_beat = self._next_raid_look = self._next_tidy = time.monotonic()

    def loop(self) -> None:
        for number in range(self._threads):
            # Daemons, so that a send that takes longer than the grace does not keep the process.
            threading.Thread(target=self._send_runs, name=f"sender-{number}", daemon=True).start()
        _log.info("worker started", threads=self._threads)
        with self._app.app_context():
            while not self._stop.is_set():
                self._wait(self._step())
            self._finish()

    def _step(self) -> float:
        """Do what is due; returns how long to wait for a thread to become free, in seconds."""
        try:
            self._settle()
            self._beat()
            self._tidy()
            leased = self._lease()
            self._look_for_raids()
        except StorageUnavailable:
            wait_s = self._back_off_s()
            _log.warning("database not available", wait_s=wait_s)
            return wait_s
        except Exception as error:  # noqa: BLE001 (the loop must outlive whatever it is)
            wait_s = self._back_off_s()
            _log.error("worker failed", error=type(error).__name__, wait_s=wait_s)
            return wait_s
        self._failures = 0
        return 0.0 if leased and self._busy < self._threads else POLL_S

    def _back_off_s(self) -> float:
        self._failures += 1
        return BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]

    def _lease(self) -> int:
        free = self._threads - self._busy
        failing = max(1, self._threads // FAILING_SHARE) - self._busy_failing
        runs = deliver.lease_runs(self._parts, limit=free, failing=failing) if free else []
        for leased in runs:
            self._busy += 1
            self._busy_failing += leased.is_failing
            self._runs.put(leased)
        return len(runs)

    def _collect(self, timeout_s: float) -> None:
        """Take in the runs that have ended. Raises ``queue.Empty`` where none does in time."""
        ended = self._done.get(timeout=timeout_s) if timeout_s > 0 else self._done.get_nowait()
        while True:
            run, results = ended
            if results is not None:
                self._ended.append((run, results))
            self._busy -= 1
            self._busy_failing -= run.is_failing
            try:
                ended = self._done.get_nowait()
            except queue.Empty:
                return

    def _settle(self) -> None:
        """Settle what has ended in one transaction: under load, one commit serves many runs.

        Raises ``StorageUnavailable`` and keeps it for the next turn. What cannot be written for another reason is
        settled run by run; the one to blame is given up, and goes out again when its lease has ended.
        """
        if not self._ended:
            return
        try:
            deliver.settle_all(self._parts, self._ended)
        except StorageUnavailable:
            raise
        except Exception:  # noqa: BLE001 (one run must not keep the others from being settled)
            while self._ended:
                self._settle_alone(*self._ended[-1])
                self._ended.pop()
        self._ended = []

    def _settle_alone(self, run: Run, results: list[Result]) -> None:
        try:
            deliver.settle(self._parts, run, results)
        except StorageUnavailable:
            raise
        except Exception as error:  # noqa: BLE001
            _log.error("run not settled", endpoint=str(run.endpoint_id), error=type(error).__name__)

    def _wait(self, seconds: float) -> None:
        """Wait, but after a failure always, otherwise only until a thread is free or the worker is to stop."""
        end = time.monotonic() + seconds
        while not self._stop.is_set():
            left_s = end - time.monotonic()
            try:
                self._collect(min(left_s, POLL_S))
            except queue.Empty:
                if left_s <= POLL_S:
                    return
                continue
            if not self._failures:
                end = time.monotonic()

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        with write() as session:
            upkeep.beat(session, self._name, self._parts.clock())
        self._next_beat = time.monotonic() + BEAT_S

    def _look_for_raids(self) -> None:
        if time.monotonic() < self._next_raid_look:
            return
        self._next_raid_look = time.monotonic() + RAID_LOOK_S
        raids.look(self._parts)

    def _tidy(self) -> None:
        if time.monotonic() < self._next_tidy:
            return
        now = self._parts.clock()
        # First, so that what cannot be tidied keeps no delivery back.
        self._next_tidy = time.monotonic() + TIDY_S
        with write() as session:
            upkeep.mend_times(session, now)
            deleted = upkeep.delete_expired(session, now)
        with write() as session:
            deleted += upkeep.delete_old_events(session, now - timedelta(days=self._parts.settings.event_days))
            deleted += upkeep.delete_stale_scorings(session)
            deleted += upkeep.delete_old_mail(session, now, now - timedelta(days=self._parts.settings.mail_days))
            upkeep.refresh_plans(session)
        if deleted >= upkeep.BATCH:
            # There may be more, which waits for the next turn of the loop.
            self._next_tidy = time.monotonic()

    def _finish(self) -> None:
        for _ in range(self._threads):
            self._runs.put(None)
        end = time.monotonic() + GRACE_S
        while self._busy and (left_s := end - time.monotonic()) > 0:
            try:
                self._collect(left_s)
            except queue.Empty:
                break
        try:
            self._settle()
            with write() as session:
                upkeep.sign_off(session, self._name)
        except StorageUnavailable:
            _log.warning("database not available")
        _log.info("worker stopped", unfinished=self._busy)

    def _send_runs(self) -> None:
        while (leased := self._runs.get()) is not None:
            results = None
            try:
                results = deliver.send_run(self._parts, leased, self._stop.is_set)
            except Exception as error:  # noqa: BLE001 (the lease ends by itself; the thread must go on)
                _log.error("run failed", endpoint=str(leased.endpoint_id), error=type(error).__name__)
            finally:
                self._done.put((leased, results))


class _Asking(threading.Thread):
    """The loop that asks external scorers. Each question has a thread of its own, ``ASKING_THREADS`` at most."""

    def __init__(self, app: Flask, stop: threading.Event) -> None:
        super().__init__(name="asking", daemon=True)
        self._app = app
        self._stop_asked = stop
        self._parts: Parts = app.extensions["moderation"]
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._busy = 0
        self._failures = 0

    def run(self) -> None:
        """Ask until the worker is to stop, then wait for what is being asked. Never raises."""
        with self._app.app_context():
            while not self._stop_asked.is_set():
                self._wait(self._step())
        end = time.monotonic() + GRACE_S
        while self._busy and (left_s := end - time.monotonic()) > 0:
            self._collect(left_s)

    def _step(self) -> float:
        """Lease what is due and start asking; returns how long to wait, in seconds."""
        free = ASKING_THREADS - self._busy
        try:
            leased = scorings.lease_due(self._parts, limit=free) if free else []
        except Exception as error:  # noqa: BLE001 (the loop must outlive whatever it is)
            self._failures += 1
            wait_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]
            _log.error("scorers not asked", error=type(error).__name__, wait_s=wait_s)
            return wait_s
        self._failures = 0
        for one in leased:
            self._busy += 1
            threading.Thread(target=self._carry_out, args=(one,), name="asking", daemon=True).start()
        return POLL_S

    def _wait(self, seconds: float) -> None:
        """Wait, after a failure for all of the time, otherwise at most until a thread is free."""
        end = time.monotonic() + seconds
        while not self._stop_asked.is_set() and (left_s := end - time.monotonic()) > 0:
            if self._collect(min(left_s, POLL_S)) and not self._failures:
                return

    def _collect(self, timeout_s: float) -> bool:
        try:
            self._done.get(timeout=timeout_s)
        except queue.Empty:
            return False
        self._busy -= 1
        return True

    def _carry_out(self, leased: Leased) -> None:
        try:
            with self._app.app_context():
                scorings.carry_out(self._parts, leased)
        except Exception as error:  # noqa: BLE001 (the lease ends by itself)
            _log.error("scoring failed", scorer=str(leased.scorer.id), error=type(error).__name__)
        finally:
            self._done.put(None)


class _Loop(threading.Thread):
    """A loop beside the worker's own: a step, then a wait for as long as the step says, until the worker is to stop."""

    FAILED = ""
    """What is logged of a step that failed; it is tried again."""

    def __init__(self, app: Flask, stop: threading.Event) -> None:
        super().__init__(name=type(self).__name__.strip("_").lower(), daemon=True)
        self._app = app
        self._stop_asked = stop
        self._parts: Parts = app.extensions["moderation"]
        self._failures = 0

    def run(self) -> None:
        """Go on until the worker is to stop. Never raises."""
        with self._app.app_context():
            while not self._stop_asked.is_set():
                self._sleep(self._tried_step())

    def _tried_step(self) -> float:
        """A step; returns how long to wait, in seconds."""
        try:
            wait_s = self._step()
        except Exception as error:  # noqa: BLE001 (the loop must outlive whatever it is; leases end by themselves)
            self._failures += 1
            wait_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]
            _log.error(self.FAILED, error=type(error).__name__, wait_s=wait_s)
            return wait_s
        self._failures = 0
        return wait_s

    def _step(self) -> float:
        raise NotImplementedError

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stop_asked.is_set() and (left_s := end - time.monotonic()) > 0:
            time.sleep(min(left_s, POLL_S))


class _Mailing(_Loop):
    """The loop that sends mail, one after the other: what a mail server takes in is little, and it is one server."""

    FAILED = "mail not sent"

    def _step(self) -> float:
        """Send what is due."""
        digests.enqueue_due(self._parts)
        leased = mailing.lease_due(self._parts)
        if not mailing.carry_out(self._parts, leased, self._stop_asked.is_set):
            return mailing.REST_S
        return 0.0 if leased else MAIL_POLL_S


class _Retaining(_Loop):
    """The loop that lets go what sites keep for some days only. It may have much to do, and delays nothing else."""

    FAILED = "not let go"

    def _step(self) -> float:
        """Let go what is over."""
        retention.retain(self._parts, WORKER, stopped=self._stop_asked.is_set)
        return TIDY_S


class _Indexing(_Loop):
    """The loop that takes new comments into the index of texts, and makes anew what changed."""

    FAILED = "texts not indexed"

    def __init__(self, app: Flask, stop: threading.Event) -> None:
        super().__init__(app, stop)
        self._next_changed = time.monotonic()

    def _step(self) -> float:
        """Index what is new, and now and then what changed."""
        indexed = indexing.index_new(self._parts)
        if not indexed and time.monotonic() >= self._next_changed:
            indexing.index_changed(self._parts)
            indexing.join_small(self._parts)
            self._next_changed = time.monotonic() + REINDEX_S
        return 0.0 if indexed else INDEX_S
