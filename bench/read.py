"""Measure reading a thread over HTTP, in turn with a bare WSGI program that sends the same bytes and headers.

    python bench/read.py [--short] [--databases sqlite,postgresql] [--rounds 5] [--seconds 3] [--nginx nginx]

The service runs as ``moderation serve`` starts it (two processes of four threads, with its log and its worker); the
bare program runs under gunicorn with the same configuration, and looks up a finished answer by the path. ``wrk`` asks
over 16 connections, in turn, and the medians are compared: of a thread of 50 comments, of one of 300, each whole
(200), known to the reader (304), and compressed. Then the same while five comments a second arrive in another thread,
and, where nginx is installed, through the shipped configuration with its micro-cache, beside a file that nginx sends
from the disk. For that the shipped limits of requests and connections of one address are lifted.

Prints rates, processor time of the server for each request, and ratios; exit status 0 where the ratios are as asked.
"""

import contextlib
import gzip
import http.client
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from beside import (
    ORIGIN,
    Bare,
    Row,
    Run,
    _wait,
    arguments,
    compared,
    database,
    finish,
    folder,
    free_port,
    in_turn,
    service,
    wrk,
)
from profile_submit import _texts

from moderation.domain.actor import CLI
from moderation.services import moderate
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment

SMALL = "/api/v1/sites/news/comments?thread=fifty&limit=50"
LARGE = "/api/v1/sites/news/comments?thread=three-hundred&limit=100"
PACKED = {"Accept-Encoding": "gzip"}
FULL_ROUNDS = 3
"""With fewer, not every case is measured on each database."""

SAME, KNOWN, DISTURBED, CACHED = 0.90, 0.95, 0.95, 0.80
"""What the ratios are asked to be: a 200, a 304, while comments arrive, and through nginx beside its file."""

BARE = """
import json, pathlib
KEPT = json.loads(pathlib.Path(__file__).with_name("answers.json").read_text())
def _read(one): return one["status"], [tuple(pair) for pair in one["headers"]], bytes.fromhex(one["body"])
ANSWERS = {path: _read(one) for path, one in KEPT.items()}
def app(environ, start_response):
    status, headers, body = ANSWERS.get(environ["PATH_INFO"]) or ANSWERS["/0"]
    start_response(status, headers)
    return [body]
"""


def fill(parts: Parts) -> None:
    """Two threads of approved comments: 50, as deep as people answer one another, and 300 on one page."""
    texts = _texts()

    def add(thread: str, parents: Sequence[Any]) -> list[Any]:
        made = []
        for parent in parents:
            text, number = next(texts)
            name = f"Reader {number % 40}"
            sent = Submission(thread, None, "A story", parent, name, None, None, None, text, filled_in_ms=60_000)
            made.append(submit_comment(parts, "news", sent, Client("203.0.113.7", "bench"))["id"])
        moderate.decide_many(parts, CLI, made, "approve")
        return made

    roots = add("fifty", [None] * 10)
    below = add("fifty", [*roots, *roots])
    add("fifty", add("fifty", below[:10]))
    add("three-hundred", add("three-hundred", add("three-hundred", [None] * 100)))


def asked(bind: str, path: str, headers: dict[str, str]) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers but those that gunicorn writes, and body of one answer."""
    connection = http.client.HTTPConnection(bind, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    own = [pair for pair in answer.getheaders() if pair[0].lower() not in {"server", "date", "connection"}]
    return f"{answer.status} {answer.reason}", own, body


class Arrivals:
    """A thread of this program that posts five comments a second to another page, while it is on."""

    def __init__(self, bind: str) -> None:
        self._bind = bind
        self._on, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._bind, timeout=30)
        for text, number in _texts():
            self._on.wait()
            if self._over.is_set():
                return
            body = {"thread": {"key": f"other-{number % 5}"}, "author": {"name": "Ana"}, "body": f"{text} {number}"}
            headers = {"Content-Type": "application/json", "Origin": ORIGIN}
            connection.request("POST", "/api/v1/sites/news/comments", json.dumps(body), headers)
            answer = connection.getresponse()
            if answer.status != 202:
                sys.exit(f"A comment was not taken: {answer.status} {answer.read().decode()}")
            answer.read()
            time.sleep(0.2)

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Let them arrive."""
        self._on.set()
        try:
            yield
        finally:
            self._on.clear()

    def end(self) -> None:
        """No more."""
        self._over.set()
        self._on.set()
        self._thread.join()


def measure(kind: str, rounds: int, seconds: int, nginx: str | None) -> list[Row]:
    """The rows of one database."""
    rows: list[Row] = []
    with folder() as home, database(kind) as url, service(home, url, fill, MODERATION_PUBLIC_CACHE_S="2") as ours:
        etag, packed_etag = (dict(asked(ours.bind, SMALL, headers)[1])["ETag"] for headers in ({}, PACKED))
        cases: dict[str, tuple[str, dict[str, str], float]] = {
            "50 comments": (SMALL, {}, SAME),
            "50 comments, gzip": (SMALL, PACKED, SAME),
            "50 comments, 304": (SMALL, {"If-None-Match": etag}, KNOWN),
            "50 comments, gzip, 304": (SMALL, {**PACKED, "If-None-Match": packed_etag}, KNOWN),
            "300 comments": (LARGE, {}, SAME),
            "300 comments, gzip": (LARGE, PACKED, SAME),
        }
        numbers = {name: number for number, name in enumerate(cases)}
        answers = {}
        for number, (path, headers, _) in enumerate(cases.values()):
            status, told, body = asked(ours.bind, path, headers)
            answers[f"/{number}"] = {"status": status, "headers": told, "body": body.hex()}
        (home / "answers.json").write_text(json.dumps(answers))
        if rounds < FULL_ROUNDS and kind != "sqlite":
            cases = {name: case for name, case in cases.items() if name in {"50 comments", "50 comments, 304"}}
        bare = Bare(home, BARE)
        arrivals = Arrivals(ours.bind)
        try:
            for name, (path, headers, least) in cases.items():
                number = numbers[name]

                def of_ours(path: str = path, headers: dict[str, str] = headers) -> Run:
                    return wrk(f"{ours.url}{path}", seconds, pid=ours.process.pid, headers=headers)

                def of_bare(number: int = number, headers: dict[str, str] = headers) -> Run:
                    return wrk(f"http://{bare.bind}/{number}", seconds, pid=bare.process.pid, headers=headers)

                rows.append(compared(f"{kind}: {name}", *in_turn(rounds, of_ours, of_bare), "bare WSGI", least))

            def quiet() -> Run:
                return wrk(f"{ours.url}{SMALL}", seconds, pid=ours.process.pid)

            def disturbed() -> Run:
                with arrivals.on():
                    return quiet()

            rows.append(
                compared(f"{kind}: while 5 comments/s arrive", *in_turn(rounds, disturbed, quiet), "quiet", DISTURBED)
            )
            if nginx and kind == "sqlite":
                rows += through_nginx(nginx, home, kind, ours.bind, rounds, seconds)
        finally:
            arrivals.end()
            bare.stop()
    return rows


def through_nginx(nginx: str, home: Path, kind: str, bind: str, rounds: int, seconds: int) -> list[Row]:
    """The same through the shipped configuration, beside a file of the same bytes."""
    port, static = free_port(), free_port()
    body = asked(bind, SMALL, {})[2]
    (home / "static").mkdir()
    (home / "static" / "list.json").write_bytes(body)
    (home / "static" / "list.json.gz").write_bytes(gzip.compress(body, 6))
    config = (Path(__file__).parents[1] / "deploy" / "nginx.conf").read_text()
    shipped = "server {\n        listen 8080 default_server;"
    files = f"listen 127.0.0.1:{static}; root {home}/static; default_type application/json; gzip_static on;"
    beside = f"server {{ {files} }}\n    {shipped}"
    for old, new in (
        (shipped, beside),
        ("listen 8080 default_server;", f"listen 127.0.0.1:{port} default_server;"),
        ("server web:8080 ", f"server {bind} "),
        ("rate=50r/s", "rate=1000000r/s"),
        ("burst=200", "burst=1000000"),
        ("limit_conn connections 40;", "limit_conn connections 4000;"),
        ("/dev/stdout", f"{home}/nginx.log"),
        ("/dev/stderr", f"{home}/nginx-errors.log"),
        ("/tmp/nginx", f"{home}/nginx"),
    ):
        if old not in config:
            sys.exit(f"deploy/nginx.conf no longer has '{old}'.")
        config = config.replace(old, new)
    (home / "nginx.conf").write_text(config)
    home.chmod(0o755)
    process = subprocess.Popen([nginx, "-c", str(home / "nginx.conf"), "-p", str(home), "-g", "daemon off;"])
    try:
        _wait(f"http://127.0.0.1:{port}/healthz")
        found = []
        for name, headers in ((f"{kind}: through nginx", {}), (f"{kind}: through nginx, gzip", PACKED)):

            def cached(headers: dict[str, str] = headers) -> Run:
                return wrk(f"http://127.0.0.1:{port}{SMALL}", seconds, pid=process.pid, headers=headers)

            def of_file(headers: dict[str, str] = headers) -> Run:
                return wrk(f"http://127.0.0.1:{static}/list.json", seconds, pid=process.pid, headers=headers)

            found.append(compared(name, *in_turn(rounds, cached, of_file), "nginx, a file", CACHED))
        return found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def main() -> None:
    """Measure and print."""
    reader = arguments(__doc__)
    reader.add_argument("--databases", default="sqlite,postgresql")
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--seconds", type=int, default=3)
    reader.add_argument("--nginx", default=shutil.which("nginx"), help="empty: without")
    options = reader.parse_args()
    rounds, seconds = (2, 1) if options.short else (options.rounds, options.seconds)
    rows = [row for kind in options.databases.split(",") for row in measure(kind, rounds, seconds, options.nginx)]
    finish(rows, options.rows)


if __name__ == "__main__":
    main()
