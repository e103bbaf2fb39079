"""What is not approved shows in nothing public: not in lists, counts, feeds and pages, nor in headers and work."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import sites
from tests.conftest import ORIGIN, Clock, People, submission_json
from tests.hostile.test_who_may import statements

KEY = "2025/07/arms-pause"
SITE = "/api/v1/sites/news"
PUBLIC = (
    *(f"{SITE}/comments?thread={KEY}&sort={sort}&limit=1" for sort in ("newest", "oldest", "top")),
    f"{SITE}/comments?thread={KEY}",
    f"{SITE}/comments/counts?thread={KEY}",
    *("/sites/news/feed.atom", f"/sites/news/feed.atom?thread={KEY}"),
    *(f"/sites/news/thread.html?thread={KEY}&form=1", f"/sites/news/thread.html?thread={KEY}&limit=1&within=1"),
)


def seen_by_readers(app: Flask) -> dict[str, tuple[int, str, list[tuple[str, str]], list[str]]]:
    """Every public answer: status, body, headers, and what was asked of the database for it."""
    found = {}
    for url in PUBLIC:
        with app.app_context(), statements() as asked:
            answer = app.test_client().get(url, headers={"Origin": ORIGIN})
        headers = [(name, value) for name, value in answer.headers if name != "X-Request-Id"]
        found[url] = answer.status_code, answer.text, headers, list(asked)
    return found


@pytest.fixture
def thread(app: Flask, people: People, submit: Callable[..., Any], decide: Callable[..., Any]) -> list[str]:
    """A thread with two approved comments and an approved reply to the first."""
    with app.app_context():
        sites.change_site(app.extensions["moderation"], CLI, "news", settings={"votes": True})
    first, second = submit()["id"], submit("A second remark, of another kind.")["id"]
    decide(first), decide(second)
    reply = submit("A reply to the first.", parent_id=first)["id"]
    decide(reply)
    return [first, second, reply]


def test_what_is_not_approved_changes_no_public_answer_no_header_and_no_work(
    app: Flask, thread: list[str], submit: Callable[..., Any], decide: Callable[..., Any], clock: Clock
) -> None:
    seen_by_readers(app)  # What is kept between requests is kept now.
    before = seen_by_readers(app)
    assert [one[0] for one in before.values()] == [200] * len(PUBLIC)
    arrived = []
    for n, action in enumerate((None, "reject", "spam", "trash", "escalate")):
        for parent in (None, thread[0], thread[2]):
            clock.move(minutes=1)
            title = {"key": KEY, "url": f"{ORIGIN}/elsewhere", "title": "Cheap pills"}
            author = {"name": "Mallory", "email": "mallory@example.org", "url": "https://evil.example/"}
            sent = submit(f"Unseen words, number {n} of {parent}.", parent_id=parent, thread=title, author=author)
            arrived.append(sent["id"])
            if action:
                decide(sent["id"], action)
    clock.move(minutes=1)
    after = seen_by_readers(app)
    for url in PUBLIC:
        assert after[url] == before[url], url
        assert not any(one in "".join(map(str, after[url])) for one in (*arrived, "Mallory", "Unseen", "pills")), url
    decide(arrived[0])
    assert seen_by_readers(app) != before


def test_thread_that_waits_is_answered_as_none_and_by_the_same_work(
    app: Flask, people: People, submit: Callable[..., Any], clock: Clock
) -> None:
    before = seen_by_readers(app)
    submit(thread={"key": KEY, "url": f"{ORIGIN}/elsewhere", "title": "Cheap pills"})
    clock.move(minutes=1)
    after = seen_by_readers(app)
    for url in PUBLIC:
        assert after[url][:3] == before[url][:3], url
        assert "pills" not in after[url][1], url


def test_nobody_acts_on_what_is_not_approved_nor_learns_that_it_is_there(
    app: Flask, thread: list[str], submit: Callable[..., Any], decide: Callable[..., Any]
) -> None:
    waiting, rejected = submit("It waits for a decision.")["id"], submit("It was decided against.")["id"]
    decide(rejected, "reject")
    missing = str(uuid.UUID(int=7))

    def tried(comment_id: str) -> list[tuple[int, str]]:
        client, base = app.test_client(), f"{SITE}/comments/{comment_id}"
        answers = [
            client.put(f"{base}/vote", json={"value": 1}),
            client.delete(f"{base}/vote", json={}),
            client.post(f"{base}/reports", json={"reason": "spam"}),
            client.post(f"{SITE}/comments", json=submission_json("A reply to it.", parent_id=comment_id)),
            client.patch(base, json={"body": "x"}, headers={"X-Edit-Token": "x"}),
            client.delete(base, headers={"X-Edit-Token": "x"}),
            client.get(f"{SITE}/comments?thread={KEY}&cursor={comment_id}"),
            client.get(f"/sites/news/thread.html?thread={KEY}&form=1&reply_to={comment_id}"),
        ]
        return [(one.status_code, one.text.replace(comment_id, "ID")) for one in answers]

    nothing = tried(missing)
    assert [status for status, _ in nothing[:3]] == [404, 404, 404]
    assert tried(waiting) == nothing
    assert tried(rejected) == nothing


def test_picture_is_drawn_from_its_name_alone(app: Flask, people: People) -> None:
    with app.app_context(), statements() as asked:
        answers = [app.test_client().get(f"/avatars/{name * 22}.svg").status_code for name in "aZ_"]
    assert len(set(answers)) == 1
    assert asked == []


# --- cursors ------------------------------------------------------------------------------------------------------

LISTS = (
    "/api/v1/queue?site={site}&state=approved",
    "/api/v1/audit?site={site}",
    "/api/v1/tokens?site={site}",
    "/api/v1/moderators?site={site}",
    "/api/v1/rules?site={site}",
    "/api/v1/threads?site={site}",
    "/api/v1/scorers?site={site}",
    "/api/v1/sites/{site}/word-lists",
    "/api/v1/sites/{site}/comments?thread=a&sort=oldest",
)


def _fill(client: FlaskClient, site: str, root: dict[str, str]) -> None:
    """Two of everything that is listed."""
    for n in ("one", "two"):
        for path, body in (
            ("tokens", {"role": "viewer"}),
            ("rules", {"kind": "word", "value": n}),
            ("scorers", {"name": n, "kind": "http", "url": "http://127.0.0.1:9/"}),
            ("moderators", {"name": f"{n} of {site}", "role": "viewer", "password": "correct horse battery"}),
        ):
            made = client.post(f"/api/v1/{path}", json={"site": site, **body}, headers=root)
            assert made.status_code == 201, made.text
        assert client.put(f"/api/v1/sites/{site}/word-lists/{n}", json={"text": n}, headers=root).status_code == 200
        for key in ("a", n):
            sent = submission_json(f"A remark of its own, {n} on {key}.", thread={"key": key})
            own = client.post(f"/api/v1/sites/{site}/comments", json=sent).get_json()["id"]
            client.post(f"/api/v1/comments/{own}/decisions", json={"action": "approve"}, headers=root)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_cursor_of_another_site_list_or_sort_or_a_changed_one_is_refused(client: FlaskClient, people: People) -> None:
    root = people.bearer("root")
    for site in ("news", "other"):
        _fill(client, site, root)

    def get(url: str, cursor: str | None = None) -> Any:
        query = f"{'&' if '?' in url else '?'}limit=1" + (f"&cursor={cursor}" if cursor else "")
        return client.get(url + query, headers=root)

    cursors = {}
    for url in LISTS:
        for site in ("news", "other"):
            answer = get(url.format(site=site))
            assert answer.status_code == 200, (url, answer.text)
            cursors[url.format(site=site)] = answer.get_json()["next"]
    assert None not in cursors.values()
    for url, cursor in cursors.items():
        assert get(url, cursor).status_code == 200, url
        strange = [one for other, one in cursors.items() if other != url]
        changed = [cursor[:-1], cursor + "A", cursor.swapcase(), uuid.UUID(int=7).hex, str(uuid.UUID(int=7)), "x"]
        for one in (*strange, *changed):
            assert get(url, one).status_code in {400, 422}, (url, one)
    for url, other in (
        ("/api/v1/queue?site=news&state=approved&sort=newest", "/api/v1/queue?site=news&state=approved"),
        ("/api/v1/sites/news/comments?thread=a&sort=newest", LISTS[-1].format(site="news")),
        ("/api/v1/sites/news/comments?thread=one&sort=oldest", LISTS[-1].format(site="news")),
    ):
        assert get(url, cursors[other]).status_code == 422, url


# --- two at once ---------------------------------------------------------------------------------------------------


def test_two_who_decide_at_once_get_one_200_and_one_409(app: Flask, people: People, submit: Callable[..., Any]) -> None:
    url = f"/api/v1/comments/{submit()['id']}/decisions"
    barrier, answers = threading.Barrier(2), []

    def decide(who: str, action: str) -> None:
        body = {"action": action, "expected_state": "pending", "expected_version": 1}
        barrier.wait()
        answers.append(app.test_client().post(url, json=body, headers=people.bearer(who)).status_code)

    both = [threading.Thread(target=decide, args=args) for args in (("moderator", "approve"), ("second", "reject"))]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(answers) == [200, 409]
