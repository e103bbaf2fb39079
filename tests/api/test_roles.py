"""Who may call what: every private route, by everybody. The table is the test."""

from typing import Any

import pytest

from tests.accounts.test_sign_on import signed
from tests.conftest import submission_json

on_sqlite = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
"""Who may do what does not hang on the database; the calls themselves are tested on both elsewhere."""

WHO = ("nobody", "scorer", "viewer", "moderator", "admin", "stranger", "root")
"""``admin`` is admin of the site, ``stranger`` of another one, ``root`` of all. Who has no token that counts is nobody,
whatever else they have: see ``tests/hostile/test_who_may.py``."""

# What each of WHO gets, in that order.
LOOK = (401, 403, 200, 200, 200, 200, 200)  # a list of what is one's own
SEE = (401, 404, 200, 200, 200, 404, 200)  # something of the site
ACT = (401, 404, 403, 200, 200, 404, 200)  # for moderators
RUN = (401, 404, 403, 403, 200, 404, 200)  # for admins
MAKE = (401, 404, 403, 403, 201, 404, 201)
DROP = (401, 404, 403, 403, 204, 404, 204)
HIDE = (401, 404, 404, 404, 200, 404, 200)  # people, whom admins alone know of
GONE = (401, 404, 404, 404, 204, 404, 204)
ROOT = (401, 403, 403, 403, 403, 403, 201)  # for admins of all sites

TABLE: list[tuple[str, str, Any, tuple[int, ...]]] = [
    ("GET", "/queue", None, LOOK),
    ("GET", "/queue?site=news", None, SEE),
    ("POST", "/queue/claims", {"site": "news"}, ACT),
    ("GET", "/comments/{comment}", None, SEE),
    ("POST", "/comments/{fresh}/decisions", {"action": "approve"}, ACT),
    ("GET", "/comments/{comment}/alike", None, SEE),
    ("POST", "/comments/{fresh}/alike/decisions", {"action": "approve"}, ACT),
    ("POST", "/comments/{comment}/reveal-email", {"reason": "A subpoena."}, RUN),
    ("POST", "/decisions/{decision}/undo", None, ACT),
    ("GET", "/audit?site=news", None, ACT),
    ("GET", "/stats", None, LOOK),
    ("GET", "/stats?site=news", None, SEE),
    ("POST", "/sites", {"key": "brand-new"}, ROOT),
    ("GET", "/sites/news", None, SEE),
    ("GET", "/sites/news/learned", None, SEE),
    ("GET", "/sites/news/learned/export", None, RUN),
    ("POST", "/sites/news/learned/teach", {"text": "A text.", "label": "fine"}, ACT),
    ("POST", "/sites/news/learned/reset", {"reason": "New rules."}, RUN),
    ("PATCH", "/sites/news", {"name": "Renamed"}, RUN),
    ("POST", "/sites/news/raid", {"do": "end"}, ACT),
    ("GET", "/threads?site=news", None, SEE),
    ("PATCH", "/threads/{thread}?site=news", {"open": True}, ACT),
    ("GET", "/rules?site=news", None, ACT),
    ("POST", "/rules", {"site": "news", "kind": "word", "value": "newword"}, MAKE),
    ("POST", "/rules", {"site": "*", "kind": "word", "value": "newword"}, ROOT),
    ("POST", "/rules/test", {"site": "news", "text": "some text"}, ACT),
    ("POST", "/rules/backtest", {"site": "news", "rule": {"kind": "word", "value": "newword"}}, ACT),
    ("DELETE", "/rules/{rule}", None, DROP),
    ("GET", "/sites/news/word-lists", None, ACT),
    ("GET", "/sites/*/word-lists", None, (401, 403, 403, 403, 403, 403, 200)),
    ("PUT", "/sites/news/word-lists/{list}", {"text": "a word"}, RUN),
    ("PUT", "/sites/*/word-lists/{list}", {"text": "a word"}, (401, 403, 403, 403, 403, 403, 200)),
    ("GET", "/sites/news/word-lists/{list}", None, ACT),
    ("DELETE", "/sites/news/word-lists/{list}", None, DROP),
    ("PUT", "/sites/news/automod", {"text": "body: newword\naction: filter"}, RUN),
    ("GET", "/sites/news/automod", None, ACT),
    ("DELETE", "/sites/news/automod", None, DROP),
    ("GET", "/scorers?site=news", None, RUN),
    ("POST", "/scorers", {"site": "news", "name": "new", "kind": "http", "url": "http://127.0.0.1:9/"}, MAKE),
    ("POST", "/scorers", {"site": "*", "name": "new", "kind": "http", "url": "http://127.0.0.1:9/"}, ROOT),
    ("POST", "/privacy/export", {"site": "news", "email": "ana@example.org"}, RUN),
    ("POST", "/privacy/erase", {"site": "news", "email": "nobody@example.org"}, RUN),
    ("GET", "/sso-keys?site=news", None, RUN),
    ("POST", "/sso-keys", {"site": "news"}, MAKE),
    ("DELETE", "/sso-keys/{sso_key}", None, DROP),
    ("GET", "/scorers/{scorer}", None, RUN),
    ("PATCH", "/scorers/{scorer}", {"deadline_ms": 100}, RUN),
    ("DELETE", "/scorers/{scorer}", None, DROP),
    ("POST", "/scorers/{scorer}/test", {"text": "some text"}, RUN),
    ("POST", "/scorers/{scorer}/retry", None, RUN),
    ("GET", "/webhooks?site=news", None, RUN),
    ("POST", "/webhooks", {"site": "news", "url": "http://127.0.0.1:9/hook"}, MAKE),
    ("GET", "/webhooks/{webhook}", None, RUN),
    ("PATCH", "/webhooks/{webhook}", {"events": ["comment.approved"]}, RUN),
    ("DELETE", "/webhooks/{webhook}", None, DROP),
    ("POST", "/webhooks/{webhook}/rotate", None, RUN),
    ("POST", "/webhooks/{webhook}/test", None, RUN),
    ("GET", "/webhooks/{webhook}/deliveries", None, RUN),
    ("POST", "/webhooks/{webhook}/replay", {"since": "2020-01-01T00:00:00Z"}, RUN),
    ("GET", "/deliveries/{delivery}", None, RUN),
    ("POST", "/deliveries/{delivery}/replay", None, RUN),
    ("GET", "/tokens?site=news", None, RUN),
    ("POST", "/tokens", {"site": "news", "role": "viewer"}, MAKE),
    ("POST", "/tokens", {"site": "*", "role": "viewer"}, ROOT),
    ("DELETE", "/tokens/{token}", None, DROP),
    ("GET", "/moderators?site=news", None, RUN),
    ("POST", "/moderators", {"site": "news", "role": "viewer", "name": "Newcomer"}, MAKE),
    ("PATCH", "/moderators/{moderator}", {"roles": {"news": "moderator"}}, HIDE),
    ("DELETE", "/moderators/{moderator}", None, GONE),
]
UNTESTED_HERE = {
    ("DELETE", "/api/v1/queue/claims"),  # gives back what is one's own; nobody else's
    ("POST", "/api/v1/decisions"),  # a result an id, see below
    ("GET", "/api/v1/sites"),  # lists what one may see, see below
}


def make_things(client, root: dict[str, str], site: str = "news") -> dict[str, str]:
    """One of each thing that a path names, on a site."""

    def make(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(f"/api/v1{path}", json=body, headers=root)
        assert answer.status_code in {200, 201, 202}, answer.text
        return dict(answer.get_json())

    def submit(body: str) -> dict[str, Any]:
        sent = submission_json(body, thread={"key": "2025/07/arms-pause"})
        answer = client.post(f"/api/v1/sites/{site}/comments", json=sent)
        assert answer.status_code == 202, answer.text
        return dict(answer.get_json())

    webhook = make("/webhooks", {"site": site, "url": "http://127.0.0.1:9/hook"})["id"]
    scorer = make("/scorers", {"site": site, "name": "old", "kind": "http", "url": "http://127.0.0.1:9/"})["id"]
    comment, fresh = submit("A calm and useful remark."), submit("Another remark, quite different from the first.")
    decision = make(f"/comments/{comment['id']}/decisions", {"action": "approve"})["decision_id"]
    deliveries = client.get(f"/api/v1/webhooks/{webhook}/deliveries", headers=root).get_json()["items"]
    threads = client.get(f"/api/v1/threads?site={site}", headers=root).get_json()["items"]
    for path, text in (("word-lists/old", "a word"), ("automod", "body: oldword\naction: report")):
        assert client.put(f"/api/v1/sites/{site}/{path}", json={"text": text}, headers=root).status_code == 200
    sso_key = make("/sso-keys", {"site": site})
    person = {"site": site, "role": "viewer", "name": f"Ben of {site}", "password": "correct horse battery"}
    return {
        "comment": comment["id"],
        "fresh": fresh["id"],
        "decision": decision,
        "thread": threads[0]["id"],
        "rule": make("/rules", {"site": site, "kind": "word", "value": "oldword"})["id"],
        "list": "old",
        "webhook": webhook,
        "scorer": scorer,
        "sso_key": sso_key["id"],
        "delivery": deliveries[0]["id"],
        "token": make("/tokens", {"site": site, "role": "viewer"})["id"],
        "moderator": make("/moderators", person)["id"],
        "edit_token": fresh["edit_token"],
        "author_token": fresh["author_token"],
        "receipt_url": fresh["receipt_url"],
        "signed_on": signed({"user": {"id": "1", "username": "Ana"}, "exp": 2**32}, sso_key["secret"]),
    }


@pytest.fixture
def things(client, people) -> dict[str, str]:
    """One of each thing that a path names."""
    return make_things(client, people.bearer("root"))


@on_sqlite
@pytest.mark.parametrize(("method", "path", "body", "expected"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_call_by_role_answers_as_the_table_says(client, people, things, method, path, body, expected):
    url = "/api/v1" + path.format(**things)
    # Those who may not, first: nothing they do may change anything for those who may.
    order = sorted(range(len(WHO)), key=lambda place: expected[place] < 400)
    found: dict[int, int] = {}
    for place in order:
        headers = {} if WHO[place] == "nobody" else people.bearer(WHO[place])
        if expected[place] < 400 and any(found[done] < 400 for done in found) and method != "GET":
            found[place] = expected[place]  # Done once; a second time may be a conflict.
            continue
        answer = client.open(url, method=method, json=body, headers=headers)
        assert answer.headers["Cache-Control"] == "no-store"
        found[place] = answer.status_code
    got = [found[place] for place in range(len(WHO))]
    assert dict(zip(WHO, got, strict=True)) == dict(zip(WHO, expected, strict=True))


def test_the_table_names_every_private_route(shared_app):
    from moderation.web.docs import operations

    document = shared_app.extensions["openapi"]
    private = {(method.upper(), path) for path, method, one in operations(document) if "security" in one}
    tested = set()
    for method, path, _, _ in TABLE:
        plain = "/api/v1" + path.split("?")[0].replace("/sites/news", "/sites/{site}").replace("*", "{site}")
        matches = {(m, p) for m, p in private if m == method and _alike(p, plain)}
        assert matches, (method, plain)
        tested |= matches
    assert private - tested == UNTESTED_HERE


def _alike(described: str, tested: str) -> bool:
    one, other = described.split("/"), tested.split("/")
    return len(one) == len(other) and all(
        a == b or (a[:1] == "{" and b[:1] == "{") for a, b in zip(one, other, strict=True)
    )


def test_list_sites_shows_each_their_own(client, people):
    def keys(who: str) -> list[str]:
        return [site["key"] for site in client.get("/api/v1/sites", headers=people.bearer(who)).get_json()["items"]]

    assert keys("root") == ["news", "other"]
    assert keys("viewer") == ["news"]
    assert keys("stranger") == ["other"]
    assert keys("scorer") == []


def test_decide_on_many_by_a_stranger_finds_nothing(client, people, things):
    body = {"action": "reject", "ids": [things["comment"]]}
    answer = client.post("/api/v1/decisions", json=body, headers=people.bearer("stranger"))
    assert [result["status"] for result in answer.get_json()["results"]] == [404]
    viewer = client.post("/api/v1/decisions", json=body, headers=people.bearer("viewer"))
    assert [result["status"] for result in viewer.get_json()["results"]] == [403]


def test_give_back_claims_touches_nobody_elses(client, people, things):
    client.post("/api/v1/queue/claims", json={"site": "news"}, headers=people.bearer("moderator"))
    answer = client.delete("/api/v1/queue/claims", headers=people.bearer("second"))
    assert answer.get_json() == {"released": 0}
    own = client.delete("/api/v1/queue/claims", json={"ids": [things["fresh"]]}, headers=people.bearer("moderator"))
    assert own.get_json() == {"released": 1}
