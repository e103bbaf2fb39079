"""Measure the processor time of the hot paths, in one process and beside two references.

    python bench/profile_submit.py [--rounds 5] [--comments 500] [--database-url URL]

A fresh site is made in a temporary folder (SQLite unless a URL is given; that database has to be empty). Each round
measures first the references and then the service, so that a busy or throttled machine slows down both: a bare Flask
view that answers the same bytes as the list, and the insert of one row into SQLite in WAL mode with
``synchronous=FULL``. All of it is processor time of this process, by the test client, without sockets; the time
that a disk takes to sync does not count.

Prints the medians over the rounds: milliseconds for each request, and how many times the reference that is.
"""

import argparse
import json
import random
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts, sites
from moderation.settings import Settings
from moderation.storage import schema
from moderation.storage.db import write
from moderation.storage.models import Thread
from moderation.storage.threads import touch_thread

COMMENTS = "/api/v1/sites/news/comments"
THREADS = 8
WORDS = [
    "harbour",
    "council",
    "road",
    "plan",
    "bridge",
    "school",
    "garden",
    "market",
    "evening",
    "paper",
    "reader",
    "story",
    "number",
    "answer",
    "question",
    "river",
    "night",
    "train",
    "station",
    "light",
    "window",
    "winter",
    "summer",
    "people",
    "street",
    "history",
    "music",
    "letter",
    "doctor",
    "village",
    "teacher",
]


class Service:
    """The application with one site, a moderator's token and comments that wait."""

    def __init__(self, home: Path, database_url: str | None) -> None:
        url = database_url or f"sqlite:///{home / 'moderation.db'}"
        engine = sa.create_engine(url)
        schema.upgrade(engine)
        engine.dispose()
        self.app = create_app(_settings(home, url))
        self.parts = self.app.extensions["moderation"]
        with self.app.app_context():
            sites.add_site(self.parts, CLI, "news", "News", ["https://news.example"], {"submit_rate": "none"})
            token = accounts.add_token(self.parts, CLI, "news", "moderator", "bench")["token"]
        self.client: FlaskClient = self.app.test_client()
        self.bearer = {"Authorization": f"Bearer {token}"}
        self._texts = _texts()
        self._turn = 0
        self._etag = ""

    def submit(self) -> str:
        """Post a comment; its id."""
        text, number = next(self._texts)
        key = f"story-{number % THREADS}"
        body = {
            "thread": {"key": key, "url": f"https://news.example/{key}", "title": key},
            "author": {"name": f"Reader {number}", "email": f"reader{number}@example.org"},
            "body": text,
        }
        return str(_checked(self.client.post(COMMENTS, json=body), 202)["id"])

    def list_again(self) -> TestResponse:
        """Read the first page of one thread, the same each time."""
        answer: TestResponse = self.client.get(f"{COMMENTS}?thread=story-0&limit=50")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        self._etag = answer.headers["ETag"]
        return answer

    def list_known(self) -> None:
        """Ask whether the page of ``list_again`` is still the same."""
        answer = self.client.get(f"{COMMENTS}?thread=story-0&limit=50", headers={"If-None-Match": self._etag})
        assert answer.status_code == 304, answer.get_data(as_text=True)

    def list_first(self) -> TestResponse:
        """Read the first page of the next thread, which nobody has read since it changed."""
        self._turn += 1
        answer: TestResponse = self.client.get(f"{COMMENTS}?thread=story-{self._turn % THREADS}&limit=50")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer

    def change_threads(self) -> None:
        """Let the threads that are read have another version."""
        with self.app.app_context(), write() as session:
            for thread_id in session.scalars(sa.select(Thread.id)).all():
                touch_thread(session, thread_id)

    def queue(self) -> None:
        """Read a page of the queue."""
        _checked(self.client.get("/api/v1/queue?limit=50", headers=self.bearer), 200)

    def decide(self, comment_id: str, action: str) -> None:
        """Decide on one comment."""
        answer = self.client.post(
            f"/api/v1/comments/{comment_id}/decisions", json={"action": action}, headers=self.bearer
        )
        _checked(answer, 200, 201)

    def decide_many(self, ids: list[str], action: str) -> None:
        """Decide on many comments alike."""
        body = {"ids": ids, "action": action}
        results = _checked(self.client.post("/api/v1/decisions", json=body, headers=self.bearer), 200)
        assert all(result["ok"] for result in results["results"])


def _settings(home: Path, url: str) -> Settings:
    return Settings(
        home=home,
        database_url=url,
        public_url="http://127.0.0.1:8080",
        secret_key=secrets.token_bytes(32),
        encryption_keys=(("k1", secrets.token_bytes(32)),),
        index_key=secrets.token_bytes(32),
        log_level="CRITICAL",
    )


def _texts() -> Iterator[tuple[str, int]]:
    chance = random.Random(7)
    number = 0
    while True:
        yield " ".join(chance.choices(WORDS, k=chance.randint(12, 60))).capitalize() + ".", number
        number += 1


def _checked(answer: Any, *expected: int) -> Any:
    assert answer.status_code in expected, answer.get_data(as_text=True)
    return json.loads(answer.get_data())


def _cpu_ms(call: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times * 1000


def bare_view(body: bytes) -> Callable[[], object]:
    """Ask a Flask application that does nothing but answer these bytes."""
    app = Flask("bare")
    app.add_url_rule("/", view_func=lambda: Response(body, mimetype="application/json"))
    client = app.test_client()
    return lambda: client.get("/")


def bare_insert(home: Path) -> Callable[[], object]:
    """Insert one row and commit it."""
    connection = sqlite3.connect(home / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, text TEXT)")
    text = "x" * 300
    return lambda: connection.execute("INSERT INTO bare (text) VALUES (?)", (text,))


def measure(service: Service, ids: list[str], home: Path, rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of each round, by what was measured."""
    view, insert = bare_view(service.list_again().get_data()), bare_insert(home)
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        action = ("reject", "approve")[number % 2]
        service.change_threads()
        turn = iter(ids)
        for name, call, times in (
            ("bare view", view, 300),
            ("bare insert", insert, 300),
            ("list, first time", service.list_first, THREADS),
            ("list, again", service.list_again, 60),
            ("list, 304", service.list_known, 60),
            ("submit", service.submit, 60),
            ("queue page", service.queue, 20),
            ("decision", lambda action=action, turn=turn: service.decide(next(turn), action), 40),
            ("bulk decision", lambda action=action: service.decide_many(ids[40:], action), 1),
        ):
            found[name].append(_cpu_ms(call, times))
    return found


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--comments", type=int, default=500, help="how many one bulk decision covers, at most 500")
    asked.add_argument("--database-url")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        service = Service(home, options.database_url)
        ids = [service.submit() for _ in range(options.comments + 40)]
        for _ in range(100):
            service.submit()
        service.decide_many(ids[:40], "approve")
        service.decide_many(ids[40:], "approve")
        found = measure(service, ids, home, options.rounds)
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(f"{'':18}{'CPU ms':>10}{'x bare view':>14}{'x bare insert':>15}")
    for name, value in medians.items():
        print(f"{name:18}{value:10.3f}{value / medians['bare view']:14.1f}{value / medians['bare insert']:15.1f}")


if __name__ == "__main__":
    main()
