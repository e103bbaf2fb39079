"""Measure submitting a comment over HTTP, in turn with a bare WSGI program that inserts one row.

    python bench/submit.py [--short] [--databases sqlite,postgresql] [--rounds 5] [--seconds 5] [--steps]

The service runs as ``moderation serve`` starts it: it validates, scores with the whole pipeline and the trained model,
sanitizes, and commits the comment with all that belongs to it. The bare program runs under gunicorn with the same
configuration and puts the body of the request into SQLite, one row a transaction. Both write with WAL and
``synchronous=FULL`` to the same disk, and 16 clients ask each in turn. PostgreSQL is the one of the tests with its own
durability, beside the same bare program.

Prints rates, processor time for each request, ratios, and how far the slowest hundredth is from the median; exit
status 0 where these are as asked. With ``--steps`` it says instead where the processor time of a submission goes, in
one process without sockets.
"""

import argparse
import functools
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import flask
import profile_submit
import sqlalchemy.orm
import webargs.core
from beside import ORIGIN, Bare, Row, Run, arguments, compared, database, finish, folder, in_turn, said, service, wrk

from moderation.adapters.vault import Vault
from moderation.scoring.pipeline import Pipeline
from moderation.services import judging, submit
from moderation.storage import comments, db, tallies
from moderation.web import public_api

PATH = "/api/v1/sites/news/comments"
LEAST, AIM = 0.33, 0.45
TAIL = 5.0
"""How many times the median the 99th percentile may be."""

CLIENTS = 16
BODIES = 2_000

BARE = """
import pathlib, sqlite3, threading
FILE = pathlib.Path(__file__).with_name("bare.db")
TABLE = "CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, text TEXT)"
own = threading.local()
def connection():
    if not hasattr(own, "it"):
        own.it = sqlite3.connect(FILE, timeout=10, isolation_level=None)
        for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", TABLE):
            own.it.execute(line)
    return own.it
ANSWER = b"x" * 900
HEADERS = [("Content-Type", "application/json"), ("Content-Length", "900")]
HEADERS += [(f"X-Header-{number}", "as long as a usual one") for number in range(8)]
def app(environ, start_response):
    text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    connection().execute("INSERT INTO bare (text) VALUES (?)", (text,))
    start_response("202 Accepted", HEADERS)
    return [ANSWER]
"""

SCRIPT = """
local bodies, n = {}, 0
for line in io.lines("%s") do bodies[#bodies + 1] = line end
math.randomseed(os.time())
n = math.random(1, 1000000000)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
    n = n + 1
    local body = bodies[n %% #bodies + 1]:gsub("@number@", tostring(n))
    return wrk.format(nil, nil, nil, body)
end
"""


def script(home: Path) -> Path:
    """What ``wrk`` sends: texts of 12 to 60 words for eight threads, none of them twice."""
    texts = profile_submit._texts()
    with (home / "bodies.txt").open("w") as file:
        for _ in range(BODIES):
            text, number = next(texts)
            key = f"story-{number % 8}"
            body = {
                "thread": {"key": key, "url": f"{ORIGIN}/{key}", "title": key},
                "author": {"name": f"Reader {number}", "email": f"reader{number}@example.org"},
                "body": f"{text} @number@",
            }
            file.write(f"{json.dumps(body)}\n")
    (home / "post.lua").write_text(SCRIPT % (home / "bodies.txt"))
    return home / "post.lua"


def measure(kind: str, rounds: int, seconds: int) -> list[Row]:
    """The rows of one database."""
    with folder() as home, database(kind) as url, service(home, url) as ours:
        sent, bare = script(home), Bare(home, BARE)
        try:

            def of_ours() -> Run:
                return wrk(f"{ours.url}{PATH}", seconds, pid=ours.process.pid, clients=CLIENTS, script=sent)

            def of_bare() -> Run:
                return wrk(f"http://{bare.bind}/", seconds, pid=bare.process.pid, clients=CLIENTS, script=sent)

            found, reference = in_turn(rounds, of_ours, of_bare)
        finally:
            bare.stop()
    tail = found.p99_ms / found.p50_ms
    rate = compared(f"{kind}: submit", found, reference, "bare WSGI + 1 insert", LEAST)
    figures = f"p99 {found.p99_ms:.3g} ms, p50 {found.p50_ms:.3g} ms"
    other = f"bare: p99 {reference.p99_ms:.3g} ms, p50 {reference.p50_ms:.3g} ms"
    return [rate, said(Row(f"{kind}: submit, p99 / p50", figures, other, f"{tail:.1f}", f"<= {TAIL:g}", tail <= TAIL))]


# --- where the time goes ---------------------------------------------------------------------------------------

STEPS: list[tuple[str, Any, str]] = [
    ("the site's limit, before the body is read", submit, "check_rate"),
    ("JSON and schema", webargs.core.Parser, "parse"),
    ("normalise, check, render and sanitize", submit, "_cleaned"),
    ("facts: the site", submit, "site_now"),
    ("facts: thread, author, network", submit, "_draft"),
    ("facts: the same and alike comments", judging, "_repeats"),
    ("facts: rules, the network's burst", judging, "_candidate"),
    ("all signals and the model", Pipeline, "signals"),
    ("the rest of judging", submit, "judge"),
    ("write: thread and author", submit, "_thread_for"),
    ("write: thread and author", submit, "_new_author"),
    ("the comment's row, sealed and signed", submit, "_comment"),
    ("the comment's row, sealed and signed", Vault, "sign"),
    ("write: comment, signals, group", comments, "add_comment"),
    ("write: counts", tallies, "count"),
    ("write: event and deliveries", submit.events, "tell"),
    ("begin, commit, sessions", sqlalchemy.orm.Session, "commit"),
    ("begin, commit, sessions", sqlalchemy.orm.Session, "close"),
    ("begin, commit, sessions", db, "_begin_sqlite"),
    ("the rest of the use case", public_api.submit, "submit_comment"),
    ("Flask, guards, the answer's schema", flask.Flask, "full_dispatch_request"),
]
"""What is measured, by the function that does it; a step that runs inside of another one is not counted there."""


class Steps:
    """Processor time of this thread by step."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inner: list[float] = [0.0]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count what the functions of ``STEPS`` take meanwhile."""
        patches = [
            mock.patch.object(owner, name, self._timed(step, getattr(owner, name))) for step, owner, name in STEPS
        ]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in reversed(patches):
                patch.stop()

    def _timed(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def timed(*given: Any, **named: Any) -> Any:
            started = time.thread_time()
            self._inner.append(0.0)
            try:
                return call(*given, **named)
            finally:
                took = time.thread_time() - started
                self.spent[step] += took - self._inner.pop()
                self._inner[-1] += took

        return timed


def steps(rounds: int, times: int) -> list[tuple[str, float]]:
    """Microseconds of each step, the median of the rounds, dearest first."""
    with tempfile.TemporaryDirectory() as home:
        own = profile_submit.Service(Path(home), None)
        for _ in range(100):
            own.submit()
        found: list[Counter[str]] = []
        for _ in range(rounds):
            watch = Steps()
            # Below the patches, so that the first use of each is patched as well.
            with watch.watching():
                for _ in range(times):
                    own.submit()
            found.append(watch.spent)
    medians = {step: statistics.median(one[step] for one in found) / times * 1e6 for step in found[0]}
    return sorted(medians.items(), key=lambda pair: -pair[1])


def print_steps(options: argparse.Namespace) -> None:
    """Say where a submission's time goes, as a table in Markdown."""
    told = steps(3 if options.short else 9, 60)
    whole = sum(value for _, value in told)
    print("| step | microseconds | share |\n| --- | ---: | ---: |")
    for step, value in told:
        print(f"| {step} | {value:,.0f} | {value / whole:.0%} |")
    print(f"| together | {whole:,.0f} | |")


def main() -> None:
    """Measure and print."""
    reader = arguments(__doc__)
    reader.add_argument("--databases", default="sqlite,postgresql")
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--seconds", type=int, default=5)
    reader.add_argument("--steps", action="store_true", help="where the processor time goes")
    options = reader.parse_args()
    if options.steps:
        print_steps(options)
        return
    rounds, seconds = (2, 2) if options.short else (options.rounds, options.seconds)
    finish([row for kind in options.databases.split(",") for row in measure(kind, rounds, seconds)], options.rows)


if __name__ == "__main__":
    main()
