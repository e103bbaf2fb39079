"""Answers that are sent again: the same, to the byte, as the service would make now, whoever changed what and where."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.errors import ModerationError
from moderation.services import moderate, privacy, sites, submit
from moderation.services.submit import Submission
from moderation.storage.quick import quick_of
from tests.conftest import CLOCK, ORIGIN, dispose, make_people, make_settings

READER = submit.Client("203.0.113.7", "Mozilla/5.0")
LIST = "/api/v1/sites/news/comments?thread=a"
ROUNDS = 2

ASKED: list[tuple[str, dict[str, str]]] = [
    (LIST, {}),
    (LIST, {"Accept-Encoding": "gzip, deflate, br"}),
    (LIST, {"Accept-Encoding": "gzip;q=0, br"}),
    (f"{LIST}&limit=2&sort=newest", {"Origin": ORIGIN}),
    (f"{LIST}&sort=top", {"Origin": "https://moved.example"}),
    (LIST, {"Origin": "null"}),
    (f"{LIST}&limit=0", {}),
    ("/sites/news/thread.html?thread=a&page=1&form=1", {}),
]
"""Requests whose answers may be sent again, and some that never are."""


class Pair:
    """Two applications on one database, as two processes are, and a reader who asks either of them."""

    def __init__(self, one: Flask, other: Flask) -> None:
        self.apps = (one, other)
        self.etags: dict[int, str] = {}
        self.asked = self.made = 0
        self.usual = one.wsgi_app.usual  # type: ignore[attr-defined]
        for app in self.apps:
            app.wsgi_app.usual = self._counted(app.wsgi_app.usual)  # type: ignore[attr-defined]

    def _counted(self, program: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            self.made += 1
            return program(*given)

        return run

    def compare(self, dice: random.Random) -> None:
        """Each answer is the one that the service itself makes at this moment, without what was kept."""
        for number, (path, headers) in enumerate(ASKED):
            known = self.etags.get(number)
            for given in (headers, {**headers, "If-None-Match": known} if known else headers):
                app = dice.choice(self.apps)
                first, again = (Client(app, TestResponse).get(path, headers=given) for _ in range(2))
                made = Client(self.usual, TestResponse).get(path, headers=given)
                self.asked += 2
                assert told(first) == told(again) == told(made), path
            self.etags[number] = made.headers.get("ETag", known or "")


def told(answer: TestResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers in their order, body; without the request's own id."""
    headers = [(name, "" if name == "X-Request-Id" else value) for name, value in answer.headers]
    return answer.status_code, headers, answer.data


@pytest.fixture
def pair(database_url: str, tmp_path: Path) -> Iterator[Pair]:
    apps = [create_app(make_settings(tmp_path, database_url), clock=CLOCK) for _ in range(2)]
    with apps[0].app_context():
        make_people(apps[0].extensions["moderation"], votes=True, vote_rate="none")
    yield Pair(*apps)
    for app in apps:
        dispose(app)


class Changes:
    """Everything that may change what readers see, each by a random application."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.made: list[dict[str, Any]] = []
        self.done: set[str] = set()
        self.all: tuple[Callable[..., object], ...] = (
            *(self.submit, self.submit, self.decide, self.edit, self.delete, self.vote, self.erase),
            *(self.change_settings, self.change_origins, self.change_thread),
        )

    def one(self, app: Flask, change: Callable[[Any], object]) -> None:
        """One change; where it is refused, another of its kind."""
        with app.app_context():
            for _ in range(10):
                with contextlib.suppress(ModerationError):
                    change(app.extensions["moderation"])
                    self.done.add(change.__name__)
                    return

    def some(self) -> dict[str, Any]:
        """A comment made before."""
        return self.dice.choice(self.made)

    def submit(self, parts: Any) -> None:
        """A new comment, mostly approved at once, often as a reply."""
        parent = self.some()["id"] if self.made and self.dice.random() < 0.5 else None
        number = len(self.made)
        thread = "a" if parent or self.dice.random() < 0.8 else "b"
        body = f"Remark *{number}* of many, about {self.dice.random()}."
        sent = Submission(
            thread, None, "T", parent, f"Ana {number}", f"a{number}@example.org", None, None, body, 60_000
        )
        self.made.append(submit.submit_comment(parts, "news", sent, READER))
        if self.dice.random() < 0.8:
            moderate.decide(parts, CLI, self.made[-1]["id"], "approve")

    def decide(self, parts: Any) -> None:
        """A decision, or its undo."""
        done = moderate.decide(parts, CLI, self.some()["id"], self.dice.choice(["approve", "reject", "spam"]))
        if self.dice.random() < 0.3:
            moderate.undo(parts, CLI, done["decision_id"])

    def edit(self, parts: Any) -> None:
        """The author's edit."""
        one = self.some()
        body = f"Now {self.dice.random()}."
        submit.edit_comment(parts, "news", one["id"], one["edit_token"], body, READER)

    def delete(self, parts: Any) -> None:
        """The author's deletion."""
        one = self.some()
        submit.delete_comment(parts, "news", one["id"], one["edit_token"])

    def vote(self, parts: Any) -> None:
        """A vote."""
        submit.vote(parts, "news", self.some()["id"], self.dice.choice([1, -1, None]), READER)

    def erase(self, parts: Any) -> None:
        """One person's comments."""
        privacy.erase_person(parts, CLI, "news", f"a{self.dice.randrange(len(self.made))}@example.org")

    def change_settings(self, parts: Any) -> None:
        """How deep replies are nested."""
        sites.change_site(parts, CLI, "news", settings={"max_depth": self.dice.randrange(1, 5)})

    def change_origins(self, parts: Any) -> None:
        """Whose pages may read."""
        sites.change_site(parts, CLI, "news", origins=[ORIGIN, *self.dice.choice([[], ["https://moved.example"]])])

    def change_thread(self, parts: Any) -> None:
        """Whether it is open."""
        found = sites.list_threads(parts, CLI, "news")["items"]
        thread = self.dice.choice(found)
        sites.change_thread(parts, CLI, "news", thread["id"], open=self.dice.random() < 0.7)


def test_send_again_is_what_the_service_would_answer_after_every_change(pair: Pair) -> None:
    dice = random.Random(1)
    changes = Changes(dice)
    with pair.apps[0].app_context():
        changes.submit(pair.apps[0].extensions["moderation"])
    for change in dice.sample(changes.all * ROUNDS, len(changes.all) * ROUNDS):
        changes.one(dice.choice(pair.apps), change)
        pair.compare(dice)
    assert changes.done == {change.__name__ for change in changes.all}
    assert pair.made < 0.7 * pair.asked  # and many answers were not made anew


def test_send_again_counts_and_logs_as_any_answer(app: Flask, submit: Any, decide: Any, capsys: Any) -> None:
    decide(submit()["id"])
    client = app.test_client()
    given = {"X-Request-Id": "abcdefgh-1234"}
    path = "/api/v1/sites/news/comments?thread=2025/07/arms-pause"
    client.get(path, headers=given)
    capsys.readouterr()
    before = requests_of(client)
    made, again = client.get(path, headers=given), client.get(path)
    assert made.headers["X-Request-Id"] == "abcdefgh-1234" != again.headers["X-Request-Id"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    listed = [line for line in lines if line["route"] == "/api/v1/sites/<site:site>/comments"]
    assert [line["request_id"] for line in listed] == [one.headers["X-Request-Id"] for one in (made, again)]
    assert [(line["method"], line["status"], line["event"], line["level"]) for line in listed] == [
        ("GET", 200, "request", "info")
    ] * 2
    assert requests_of(client) == before + 2


def requests_of(client: Any) -> float:
    """How many lists were answered with 200."""
    wanted = 'moderation_http_requests_total{method="GET",route="/api/v1/sites/<site:site>/comments",status="200"} '
    return sum(float(line.split()[-1]) for line in client.get("/metrics").text.splitlines() if line.startswith(wanted))


@pytest.mark.parametrize(
    "given", [{"Content-Encoding": "gzip"}, {"Content-Length": "3"}, {"Content-Length": "99999999"}]
)
def test_send_again_leaves_what_is_unusual_to_the_guards(app: Flask, submit: Any, decide: Any, given: Any) -> None:
    decide(submit()["id"])
    path = "/api/v1/sites/news/comments?thread=2025/07/arms-pause"
    app.test_client().get(path)
    answers = [
        Client(program, TestResponse).get(path, headers=given).status_code
        for program in (app, app.wsgi_app.usual)  # type: ignore[attr-defined]
    ]
    assert answers[0] == answers[1]


def test_send_again_is_for_no_origin_that_the_site_does_not_name(app: Flask, submit: Any, decide: Any) -> None:
    decide(submit()["id"])
    replay: Any = app.wsgi_app
    kept = len(replay._kept)
    for number in range(5):
        path = "/api/v1/sites/news/comments?thread=2025/07/arms-pause"
        answer = app.test_client().get(path, headers={"Origin": f"https://{number}.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert len(replay._kept) == kept


def test_send_again_goes_on_where_connections_were_closed(app: Flask, submit: Any, decide: Any) -> None:
    decide(submit()["id"])
    path = "/api/v1/sites/news/comments?thread=2025/07/arms-pause"
    first = app.test_client().get(path)
    for _, cursor in quick_of(app.wsgi_app._engine)._idle:  # type: ignore[attr-defined]
        cursor.connection.close()
    assert told(app.test_client().get(path)) == told(first) == told(app.test_client().get(path))
    submit("The connections are back.")
