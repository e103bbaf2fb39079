"""Measure how fast one worker empties an outbox, and how soon healthy receivers hear of an approval beside sick ones.

    python bench/deliveries.py [--outstanding 100000] [--endpoints 200] [--hanging 5] [--approvals 300]
                               [--databases sqlite,postgresql] [--threads N] [--short]

For each database a fresh installation gets sites with 20 endpoints each, and so many deliveries that are due, evenly on
all of them; some of the endpoints accept connections and never answer. The receiver is a process of its own on this
machine, the worker is the one that is shipped, with its default settings (``--threads`` changes one of them).

1. Drain: deliveries a second until the healthy endpoints have theirs, beside the same number of posts from a bare
   program that reads bytes from a list and sends them over fresh connections from as many threads.
2. Approvals: the hanging endpoints still have theirs outstanding. Comments are approved, ten a second, on all sites in
   turn; the time from each approval's commit to its arrival at each healthy endpoint.

Prints the rate, the ratio, percentiles and the worker's memory (PSS) at the beginning, middle and end. Exit status 0
only where at least 500 deliveries a second went out, the 95th percentile of approvals is under 2 s, memory grew by less
than a tenth from the middle to the end, and every event arrived where it should.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import uuid6
from console import database
from replay import Service

from moderation.app import without_pages
from moderation.domain.actor import CLI
from moderation.services import deliver, moderate, sites
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.settings import read_settings
from moderation.storage.db import read, write
from moderation.storage.models import Delivery, Endpoint, Event, Site

LEAST_PER_S = 500.0
MOST_P95_S = 2.0
MOST_GROWTH = 1.1
PER_SITE = 20
BATCH = 2_000
PACE_S = 0.1
_OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


# ---------------------------------------------------------------------------------------------------------- receiver


class Receiver(asyncio.Protocol):
    """Answers 204 to each post, or nothing at all below ``/hang/``; counts, and keeps when each event came."""

    posts = 0
    came: dict[str, list[float]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.read = b""

    def data_received(self, data: bytes) -> None:
        self.read += data
        head, end, body = self.read.partition(b"\r\n\r\n")
        if not end or self.read.startswith(b"POST /hang/"):
            return
        if head.startswith(b"GET"):
            text = json.dumps({"posts": Receiver.posts, "came": Receiver.came}).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        Receiver.posts += 1
        if b'"comment.approved"' in body[:40]:
            name = lower.partition(b"webhook-id:")[2].partition(b"\r\n")[0].strip().decode()
            Receiver.came.setdefault(name, []).append(time.time())
        self.transport.write(_OK)
        self.transport.close()


def receive(listener: socket.socket) -> None:
    """Serve until killed."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Receiver, sock=listener, backlog=1024)
        await server.serve_forever()

    asyncio.run(run())


@contextlib.contextmanager
def receiver() -> Iterator[int]:
    """A receiver in a process of its own; its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    child = os.fork()
    if child == 0:
        receive(listener)
        os._exit(0)
    listener.close()
    try:
        yield int(port)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def received(port: int) -> dict[str, Any]:
    """What came so far."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/")
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return found


# ----------------------------------------------------------------------------------------------------------- filling


def add_sites(parts: Parts, options: argparse.Namespace, port: int) -> None:
    """Sites with their endpoints; the first ``--hanging`` of all endpoints hang."""
    number = 0
    for site in range(options.endpoints // PER_SITE):
        sites.add_site(parts, CLI, f"site-{site}", origins=["https://news.example"], settings={"submit_rate": "none"})
        for _ in range(PER_SITE):
            kind = "hang" if number < options.hanging else "hook"
            deliver.add_endpoint(parts, CLI, f"site-{site}", url=f"http://127.0.0.1:{port}/{kind}/{number}", events=[])
            number += 1


def add_outstanding(count: int) -> None:
    """Events of made-up comments, each due at every endpoint of its site."""
    now = datetime.now(UTC)
    with read() as session:
        endpoints: dict[uuid.UUID, list[uuid.UUID]] = {}
        for row in session.execute(sa.select(Endpoint.site_id, Endpoint.id)):
            endpoints.setdefault(row[0], []).append(row[1])
    of_each = count // sum(len(ids) for ids in endpoints.values())
    for site_id, ids in endpoints.items():
        events = [
            {
                "id": uuid6.uuid7(),
                "site_id": site_id,
                "type": "comment.submitted",
                "payload": payload(),
                "created_at": now,
            }
            for _ in range(of_each)
        ]
        due = [
            {
                "id": uuid6.uuid7(), "site_id": site_id, "event_id": event["id"], "endpoint_id": one,
                "state": "pending", "attempts": 0, "due_at": now, "last_error": "", "created_at": now,
            }
            for event in events
            for one in ids
        ]  # fmt: skip
        with write() as session:
            session.execute(sa.insert(Event), events)
            for start in range(0, len(due), BATCH):
                session.execute(sa.insert(Delivery), due[start : start + BATCH])


def payload() -> bytes:
    """As large as that of a usual comment."""
    comment = {"id": str(uuid6.uuid7()), "state": "pending", "body_html": f"<p>{'A calm remark. ' * 20}</p>"}
    event = {"type": "comment.submitted", "timestamp": "2026-11-25T12:00:00Z", "data": {"comment": comment}}
    return json.dumps(event, separators=(",", ":")).encode()


# --------------------------------------------------------------------------------------------------------- measuring


def bare_rate(port: int, count: int, threads: int) -> float:
    """Posts a second of a program that does nothing but post, from as many threads, over fresh connections."""
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    body = payload()
    for _ in range(count):
        waiting.put(body)
    for _ in range(threads):
        waiting.put(None)

    def post() -> None:
        while (one := waiting.get()) is not None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/hook/0", body=one, headers={"Content-Type": "application/json"})
            connection.getresponse().read()
            connection.close()

    started = time.perf_counter()
    senders = [threading.Thread(target=post) for _ in range(threads)]
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    return count / (time.perf_counter() - started)


def pss_mb(pid: int) -> float:
    """Proportional set size of a process, in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def approve(parts: Parts, number: int, of: int) -> None:
    """Write a comment on one of the sites and approve it."""
    site = f"site-{number % of}"
    body = f"A useful remark on matter {number * 7919}, and not a short one."
    submission = Submission("page", None, "A page", None, "Ana", None, None, None, body)
    made = submit_comment(parts, site, submission, Client(f"198.51.{number % 250}.7", "bench"))
    moderate.decide(parts, CLI, uuid.UUID(str(made["id"])), action="approve", expected_state=str(made["state"]))


def measure(kind: str, options: argparse.Namespace) -> bool:
    """Both parts on one database; whether all promises were kept."""
    with tempfile.TemporaryDirectory() as folder, database(kind) as url, receiver() as port:
        service = Service(Path(folder), url, 1)
        service.cli("init")
        if options.threads:
            service.env["MODERATION_WORKER_THREADS"] = str(options.threads)
        service.env["MODERATION_EVENT_DAYS"] = "365"
        os.environ.update({name: text for name, text in service.env.items() if name.startswith("MODERATION_")})
        settings = read_settings()
        app = without_pages(settings)
        with app.app_context():
            parts: Parts = app.extensions["moderation"]
            add_sites(parts, options, port)
            add_outstanding(options.outstanding)
            bare = bare_rate(port, options.outstanding // 10, settings.worker_threads)
            before = received(port)["posts"]
            worker = subprocess.Popen(
                [sys.executable, "-m", "moderation", "worker"], env=service.env, stdout=service.log, stderr=service.log
            )
            try:
                fine = _drain(kind, options, port, worker.pid, before, bare)
                return _approvals(kind, options, parts, port) and fine
            finally:
                worker.send_signal(signal.SIGTERM)
                worker.wait(60)
                app.extensions["sqlalchemy"].engine.dispose()


def _drain(kind: str, options: argparse.Namespace, port: int, pid: int, before: int, bare: float) -> bool:
    wanted = options.outstanding // options.endpoints * (options.endpoints - options.hanging)
    while received(port)["posts"] == before:
        time.sleep(0.02)
    started, memory, cpu = time.perf_counter(), [pss_mb(pid)], cpu_s(pid)
    last, moved = 0, time.perf_counter()
    while (done := received(port)["posts"] - before) < wanted:
        if len(memory) == 1 and done >= wanted / 2:
            memory.append(pss_mb(pid))
        if done != last:
            last, moved = done, time.perf_counter()
        if time.perf_counter() - moved > 120:
            print(f"{kind}: stopped at {done} of {wanted}")
            return False
        time.sleep(0.2)
    rate = wanted / (time.perf_counter() - started)
    each_us = (cpu_s(pid) - cpu) / wanted * 1e6
    memory.append(pss_mb(pid))
    print(
        f"{kind:<10} drain      {rate:7.0f} /s, {rate / bare:.2f} of a bare program's {bare:.0f} /s; "
        f"{each_us:.0f} us of CPU each; PSS {', '.join(f'{one:.0f}' for one in memory)} MB"
    )
    return rate >= LEAST_PER_S and memory[-1] <= memory[-2] * MOST_GROWTH


def _approvals(kind: str, options: argparse.Namespace, parts: Parts, port: int) -> bool:
    site_count = options.endpoints // PER_SITE
    for number in range(options.approvals):
        started = time.monotonic()
        approve(parts, number, site_count)
        time.sleep(max(0.0, PACE_S - (time.monotonic() - started)))
    with read() as session:
        query = sa.select(Event.id, Event.created_at, Event.site_id).where(Event.type == "comment.approved")
        events = {str(row[0]): (row[1].timestamp(), row[2]) for row in session.execute(query)}
        first = session.scalar(sa.select(Site.id).where(Site.key == "site-0"))
    wanted = sum(PER_SITE - (options.hanging if site_id == first else 0) for _, site_id in events.values())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        came = received(port)["came"]
        if sum(len(times) for times in came.values()) >= wanted:
            break
        time.sleep(0.2)
    waits = sorted(at - events[name][0] for name, times in came.items() for at in times)
    is_whole = len(waits) >= wanted and len(came) == len(events) == options.approvals
    p95 = waits[int(len(waits) * 0.95)] if waits else float("inf")
    print(
        f"{kind:<10} approvals  {len(waits)} of {wanted} arrived; p50 {statistics.median(waits or [0]):.2f} s, "
        f"p95 {p95:.2f} s, longest {waits[-1] if waits else 0:.2f} s, with {options.hanging} endpoints that hang"
    )
    return is_whole and p95 <= MOST_P95_S


def main() -> None:
    """Measure; exit status 1 where a promise was not kept."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--outstanding", type=int, default=100_000)
    asked.add_argument("--endpoints", type=int, default=200)
    asked.add_argument("--hanging", type=int, default=5)
    asked.add_argument("--approvals", type=int, default=300)
    asked.add_argument("--databases", default="sqlite,postgresql")
    asked.add_argument("--threads", type=int, default=0)
    asked.add_argument("--short", action="store_true", help="A tenth of everything, on SQLite alone.")
    options = asked.parse_args()
    if options.short:
        options.outstanding, options.approvals, options.databases = 10_000, 60, "sqlite"
    kept = [measure(kind, options) for kind in options.databases.split(",")]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
