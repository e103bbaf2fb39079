"""Who may: every route of the service, by everybody. A route without a door in the table fails.

What roles may do behind the door ``token`` stands in ``tests/api/test_roles.py``, and behind ``session`` in
``tests/pages/test_console_roles.py`` and in ``QUEUE`` below; this file is about those who have neither, about
another site's things, and about what must not be told by the way an answer is made.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from moderation.adapters.passwords import Passwords
from moderation.domain.actor import CLI
from moderation.services import accounts, views
from moderation.storage.db import Base, db
from tests.api.test_roles import TABLE, make_things
from tests.conftest import Clock, People, submission_json
from tests.pages.test_console_pages import PASSWORD, log_in, token_in
from tests.pages.test_console_roles import TABLE as CONSOLE_TABLE

on_sqlite = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
"""Who may do what does not hang on the database."""

# What those get who have no key to a door: nobody; a reader's edit token, author token, receipt, or the site's own word
# on who they are, each as a bearer token; a token that was revoked, and one that has expired; a console's session; an
# API token. "key" says that this is the key to the door.
OUTSIDERS = ("nobody", "edit token", "author token", "receipt", "signed on", "revoked", "expired", "session", "token")
# fmt: off
DOORS: dict[str, tuple[str, ...]] = {
    "token": ("401", "401", "401", "401", "401", "401", "401", "401", "key"),
    "session": ("login", "login", "login", "login", "login", "login", "login", "key", "login"),
    "edit": ("401", "401", "401", "401", "401", "401", "401", "401", "401"),  # of another comment
}
# fmt: on
"""The other doors have tests of their own below, or: ``write`` is open to all readers, by the site's rules; ``login``
asks for a form's token; ``metrics`` is in ``tests/api/test_operators.py``, ``coral`` in ``tests/compat``."""

ROUTES: dict[str, str] = {
    "open": """
        GET /  GET /docs  GET /openapi.json  GET /favicon.ico  GET /static/<path:filename>  GET /thread.css
        GET /embed.js  GET /embed/proof.js  GET /embed/<string(minlength=2, maxlength=3):language>.json
        GET /healthz  GET /readyz  GET /$discovery/rest
        GET /avatars/<string(maxlength=40):name>
        GET /sites/<site:site>/feed.atom  GET /sites/<site:site>/thread.html
        GET /api/v1/sites/<site:site>/comments  GET /api/v1/sites/<site:site>/comments/counts
        GET /api/v1/sites/<site:site>/challenge
    """,
    "write": """
        POST /api/v1/sites/<site:site>/comments  POST /api/v1/sites/<site:site>/preview
        POST /api/v1/sites/<site:site>/comments/<id:comment_id>/reports
        PUT /api/v1/sites/<site:site>/comments/<id:comment_id>/vote
        DELETE /api/v1/sites/<site:site>/comments/<id:comment_id>/vote
        POST /sites/<site:site>/reply
    """,
    "edit": """
        PATCH /api/v1/sites/<site:site>/comments/<id:comment_id>
        DELETE /api/v1/sites/<site:site>/comments/<id:comment_id>
    """,
    "token": """
        GET /api/v1/audit  GET /api/v1/stats  GET /api/v1/queue
        POST /api/v1/queue/claims  DELETE /api/v1/queue/claims
        GET /api/v1/comments/<id:comment_id>  GET /api/v1/comments/<id:comment_id>/alike
        POST /api/v1/comments/<id:comment_id>/decisions  POST /api/v1/comments/<id:comment_id>/alike/decisions
        POST /api/v1/comments/<id:comment_id>/reveal-email
        POST /api/v1/decisions  POST /api/v1/decisions/<id:decision_id>/undo
        GET /api/v1/sites  POST /api/v1/sites  GET /api/v1/sites/<site:site>  PATCH /api/v1/sites/<site:site>
        POST /api/v1/sites/<site:site>/raid
        GET /api/v1/sites/<site:site>/learned  GET /api/v1/sites/<site:site>/learned/export
        POST /api/v1/sites/<site:site>/learned/reset  POST /api/v1/sites/<site:site>/learned/teach
        GET /api/v1/sites/<scope:site>/word-lists
        PUT /api/v1/sites/<scope:site>/word-lists/<site:name>  GET /api/v1/sites/<scope:site>/word-lists/<site:name>
        DELETE /api/v1/sites/<scope:site>/word-lists/<site:name>
        PUT /api/v1/sites/<site:site>/automod  GET /api/v1/sites/<site:site>/automod
        DELETE /api/v1/sites/<site:site>/automod
        GET /api/v1/threads  PATCH /api/v1/threads/<id:thread_id>
        GET /api/v1/rules  POST /api/v1/rules  DELETE /api/v1/rules/<id:rule_id>
        POST /api/v1/rules/test  POST /api/v1/rules/backtest
        GET /api/v1/scorers  POST /api/v1/scorers  GET /api/v1/scorers/<id:scorer_id>
        PATCH /api/v1/scorers/<id:scorer_id>  DELETE /api/v1/scorers/<id:scorer_id>
        POST /api/v1/scorers/<id:scorer_id>/retry  POST /api/v1/scorers/<id:scorer_id>/test
        POST /api/v1/privacy/erase  POST /api/v1/privacy/export
        GET /api/v1/sso-keys  POST /api/v1/sso-keys  DELETE /api/v1/sso-keys/<id:key_id>
        GET /api/v1/webhooks  POST /api/v1/webhooks  GET /api/v1/webhooks/<id:webhook_id>
        PATCH /api/v1/webhooks/<id:webhook_id>  DELETE /api/v1/webhooks/<id:webhook_id>
        GET /api/v1/webhooks/<id:webhook_id>/deliveries  POST /api/v1/webhooks/<id:webhook_id>/replay
        POST /api/v1/webhooks/<id:webhook_id>/rotate  POST /api/v1/webhooks/<id:webhook_id>/test
        GET /api/v1/deliveries/<id:delivery_id>  POST /api/v1/deliveries/<id:delivery_id>/replay
        GET /api/v1/tokens  POST /api/v1/tokens  DELETE /api/v1/tokens/<id:token_id>
        GET /api/v1/moderators  POST /api/v1/moderators
        PATCH /api/v1/moderators/<id:moderator_id>  DELETE /api/v1/moderators/<id:moderator_id>
    """,
    "session": """
        GET /console/  GET /console/cards  GET /console/live  POST /console/claims
        GET /console/comments/<id:comment_id>  GET /console/comments/<id:comment_id>/alike
        POST /console/comments/<id:comment_id>/decisions  POST /console/comments/<id:comment_id>/alike/decisions
        POST /console/comments/<id:comment_id>/reveal-email
        POST /console/decisions  POST /console/decisions/<id:decision_id>/undo  POST /console/decisions/undo
        POST /console/views  POST /console/views/<id:view_id>
        GET /console/account  POST /console/account  GET /console/notices  POST /console/notices
        GET /console/second-factor  POST /console/second-factor  POST /console/second-factor/confirm
        POST /console/second-factor/codes  POST /console/second-factor/remove  POST /console/logout
        GET /console/dashboard  GET /console/audit  GET /console/learned  POST /console/learned/reset
        GET /console/settings  POST /console/settings  POST /console/raid
        GET /console/privacy  POST /console/privacy  POST /console/privacy/export  POST /console/privacy/erase
        GET /console/rules  POST /console/rules  POST /console/rules/<id:rule_id>/remove
        GET /console/lists  POST /console/lists  GET /console/lists/<name>  GET /console/lists/<name>/file
        POST /console/lists/<name>/remove
        GET /console/automod  POST /console/automod  POST /console/automod/remove
        GET /console/scorers  POST /console/scorers  GET /console/scorers/<id:scorer_id>
        POST /console/scorers/<id:scorer_id>  POST /console/scorers/<id:scorer_id>/remove
        POST /console/scorers/<id:scorer_id>/retry  POST /console/scorers/<id:scorer_id>/test
        GET /console/webhooks  POST /console/webhooks  GET /console/webhooks/<id:webhook_id>
        POST /console/webhooks/<id:webhook_id>  POST /console/webhooks/<id:webhook_id>/remove
        POST /console/webhooks/<id:webhook_id>/replay  POST /console/webhooks/<id:webhook_id>/rotate
        POST /console/webhooks/<id:webhook_id>/test
        GET /console/deliveries/<id:delivery_id>  POST /console/deliveries/<id:delivery_id>/replay
        GET /console/tokens  POST /console/tokens  POST /console/tokens/<id:token_id>/revoke
        GET /console/people  POST /console/people  GET /console/people/<id:person_id>
        POST /console/people/<id:person_id>/role  POST /console/people/<id:person_id>/lock
        POST /console/people/<id:person_id>/password  POST /console/people/<id:person_id>/remove
        POST /console/people/<id:person_id>/second-factor
    """,
    "login": """
        GET /console/login  POST /console/login  GET /console/login/code  POST /console/login/code
        GET /console/login/organisation  GET /console/login/organisation/back
    """,
    "link": """
        GET /receipts/<string(maxlength=400):token>  POST /receipts
        GET /notices/address  POST /notices/address  GET /notices/confirm  POST /notices/confirm
        GET /notices/digest  POST /notices/digest  GET /notices/stop  POST /notices/stop
    """,
    "akismet": """
        POST /1.1/comment-check  POST /1.1/submit-ham  POST /1.1/submit-spam  POST /1.1/verify-key
        GET /1.2/key-sites  GET /1.2/usage-limit
    """,
    "perspective": "POST /v1alpha1/comments:analyze  POST /v1alpha1/comments:suggestscore",
    "coral": "POST /coral/<site:site>/moderate",
    "metrics": "GET /metrics",
}
_ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (\S+(?:(?<=,) \S+)*)")
DOOR_OF = {match.groups(): door for door, text in ROUTES.items() for match in _ROUTE.finditer(text)}

# The queue's own pages: what each of these gets. "failed" means that the form went back to its page and says so.
QUEUE_WHO = ("viewer", "moderator", "admin", "stranger", "root")
QUEUE: list[tuple[str, str, dict[str, str], tuple[str, ...]]] = [
    ("GET", "/console/?site=news", {}, ("200", "200", "200", "404", "200")),
    ("GET", "/console/cards?site=news", {}, ("200", "200", "200", "404", "200")),
    ("GET", "/console/live?site=news&since=2026-01-01T00:00:00Z", {}, ("200", "200", "200", "404", "200")),
    ("GET", "/console/comments/{comment}", {}, ("200", "200", "200", "404", "200")),
    ("GET", "/console/comments/{comment}/alike", {}, ("200", "200", "200", "404", "200")),
    ("GET", "/console/rules?site=news", {}, ("403", "200", "200", "404", "200")),
    ("GET", "/console/learned?site=news", {}, ("200", "200", "200", "404", "200")),
    (
        "POST",
        "/console/learned/reset",
        {"site": "news", "reason": "x"},
        ("403 told", "403 told", "ok", "404 told", "ok"),
    ),
    ("POST", "/console/rules/{rule}/remove", {"site": "news"}, ("403 told", "403 told", "ok", "404 told", "404 told")),
    ("POST", "/console/claims", {"take": "{fresh}"}, ("none", "taken", "none", "none", "none")),
    (
        *("POST", "/console/comments/{fresh}/decisions"),
        {"action": "approve", "expected_state": "pending"},
        ("403 failed", "ok", "409 failed", "404 failed", "409 failed"),
    ),
    (
        *("POST", "/console/comments/{fresh}/alike/decisions"),
        {"action": "reject", "until": "2020-01-01T00:00:00+00:00"},
        ("403 failed", "ok", "ok", "404 failed", "ok"),
    ),
    (
        *("POST", "/console/decisions"),
        {"action": "spam", "id": "{fresh}:1", "expected_state": "pending"},
        ("missed", "missed", "missed", "missed", "missed"),
    ),
    ("POST", "/console/decisions/{decision}/undo", {}, ("403 failed", "ok", "409 failed", "404 failed", "409 failed")),
]


def make_passwords_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash at a thousandth of the cost, where passwords are not what is tested: hashing is slow on purpose."""
    cheap = PasswordHasher(1, 8, 1)
    monkeypatch.setattr(Passwords, "hash", lambda _self, password: cheap.hash(password))
    monkeypatch.setattr(Passwords, "needs_rehash", lambda _self, _hash: False)


@pytest.fixture
def world(
    app: Flask, client: FlaskClient, people: People, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> SimpleNamespace:
    """Two sites with one of each thing, and everybody's credentials."""
    make_passwords_quick(monkeypatch)
    parts = app.extensions["moderation"]
    root = people.bearer("root")
    own, other = make_things(client, root, "news"), make_things(client, root, "other")
    with app.app_context():
        for name, role, site in (
            *(("mira", "moderator", "news"), ("ada", "admin", "news"), ("vera", "viewer", "news")),
            *(("olga", "admin", "other"), ("root", "admin", "*")),
        ):
            accounts.add_moderator(parts, CLI, name, PASSWORD, role, site)
        revoked = accounts.add_token(parts, CLI, "*", "admin")
        accounts.revoke_token(parts, CLI, revoked["id"])
        expired = accounts.add_token(parts, CLI, "*", "admin", expires_at=parts.clock() + timedelta(hours=1))
        clock.move(hours=1)
        actor = accounts.log_in(parts, "olga", PASSWORD, b"o" * 16)[1]
        other["view"] = str(views.add_view(parts, actor, "Mine", {"state": "spam"}))
    bearers = {
        "nobody": "",
        "edit token": own["edit_token"],
        "author token": own["author_token"],
        "receipt": own["receipt_url"].rpartition("/")[2],
        "signed on": own["signed_on"],
        "revoked": revoked["token"],
        "expired": expired["token"],
        "session": "",
        "token": people.tokens["root"],
    }
    return SimpleNamespace(app=app, people=people, own=own, other=other, bearers=bearers)


IDS = {
    "comment_id": "fresh", "decision_id": "decision", "delivery_id": "delivery", "moderator_id": "moderator",
    "person_id": "moderator", "rule_id": "rule", "scorer_id": "scorer", "key_id": "sso_key", "thread_id": "thread",
    "token_id": "token", "webhook_id": "webhook", "view_id": "view",
}  # fmt: skip
_PARAMETER = re.compile(r"<(?:[^<>:]+:)?(\w+)>")


def address(rule: str, things: dict[str, str], site: str = "news") -> str:
    """A route's address with these things in it."""
    texts = {"site": site, "name": "old", "filename": "site.css", "language": "en", "token": "x"}
    return _PARAMETER.sub(lambda m: texts.get(m[1]) or things.get(IDS[m[1]], str(uuid.UUID(int=7))), rule)


@on_sqlite
def test_every_route_has_one_door(app: Flask) -> None:
    listed = [match.groups() for text in ROUTES.values() for match in _ROUTE.finditer(text)]
    assert len(listed) == len(set(listed))
    there = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(listed) == there


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to the database meanwhile, without values."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


def rows() -> dict[str, list[Any]]:
    """Everything stored but what counts tries and uses."""
    passing = {"counters", "tokens", "login_sessions", "key_usage"}
    with db.engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
            for table in Base.metadata.sorted_tables
            if table.name not in passing
        }


def whole(answer: Any) -> tuple[int, str, list[tuple[str, str]]]:
    """All of an answer but what differs from request to request."""
    headers = [(name, value) for name, value in answer.headers if name not in {"X-Request-Id"}]
    return answer.status_code, answer.text, headers


def outsider(world: SimpleNamespace, who: str) -> tuple[FlaskClient, dict[str, str]]:
    """A caller with what they have."""
    client = log_in(world.app, "root")[0] if who == "session" else world.app.test_client()
    bearer = world.bearers[who]
    return client, {"Authorization": f"Bearer {bearer}"} if bearer else {}


@on_sqlite
def test_outsider_gets_nowhere_and_changes_nothing(world: SimpleNamespace) -> None:
    # Of the edit token's comment, another one; else it would be the key.
    things = {**world.own, "fresh": world.own["comment"]}
    clients = {who: outsider(world, who) for who in OUTSIDERS}
    with world.app.app_context():
        before = rows()
    for (method, rule), door in DOOR_OF.items():
        for who, expected in zip(OUTSIDERS, DOORS.get(door, ("key",) * len(OUTSIDERS)), strict=True):
            if expected == "key":
                continue
            client, headers = clients[who]
            body = None if method in {"GET", "DELETE"} or door == "session" else {"body": "x"}
            form = {"site": "news", "csrf_token": "x"} if door == "session" and method == "POST" else None
            answer = client.open(address(rule, things), method=method, json=body, data=form, headers=headers)
            is_login = (answer.location or "").startswith("/console/login")
            assert ("login" if is_login else str(answer.status_code)) == expected, (who, method, rule)
            assert answer.headers["Cache-Control"] == "no-store", (who, method, rule)
    with world.app.app_context():
        assert rows() == before


@on_sqlite
def test_other_protocols_take_no_key_but_a_scorers(world: SimpleNamespace) -> None:
    for who, bearer in world.bearers.items():
        if who == "token":
            continue
        for (method, rule), door in DOOR_OF.items():
            client, headers = world.app.test_client(), {"Authorization": f"Bearer {bearer}"} if bearer else {}
            if door == "akismet":
                given = {"api_key": bearer, "key": bearer, "blog": "https://news.example"}
                sent = {"query_string": given} if method == "GET" else {"data": given}
                answer = client.open(rule, method=method, **sent)
                assert (
                    answer.text in {"invalid", ""} or answer.text.startswith("Missing") or answer.status_code >= 400
                ), (
                    who,
                    rule,
                    answer.text,
                )
            elif door == "perspective":
                body = {"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {}}}
                answer = client.post(rule, json=body, query_string={"key": bearer}, headers=headers)
                assert answer.status_code in {400, 401, 403}, (who, rule, answer.status_code)
            elif door == "coral":
                answer = client.post(address(rule, world.own), json={}, headers=headers)
                assert answer.status_code in {401, 403, 404}, (who, rule, answer.status_code)


@on_sqlite
def test_link_that_was_not_signed_for_it_leads_nowhere(world: SimpleNamespace) -> None:
    tokens = ["", "x", *world.bearers.values()]
    receipt = world.bearers["receipt"]
    with world.app.app_context():
        before = rows()
    for method, rule in [route for route, door in DOOR_OF.items() if door == "link"]:
        for token in tokens:
            if "receipts" in rule and token == receipt:
                continue
            path = rule.partition("<")[0] + (token if "<" in rule else "")
            query = {"token": token} if "notices" in rule else {}
            data = {"token": token, "action": "withdraw_yes"} if method == "POST" else None
            answer = world.app.test_client().open(path, method=method, query_string=query, data=data)
            assert answer.status_code in {400, 401, 403, 404, 405, 409, 422}, (method, rule, token, answer.status_code)
            assert answer.headers["Cache-Control"] == "no-store"
    with world.app.app_context():
        assert rows() == before


@on_sqlite
def test_reader_gets_no_more_by_any_token_when_they_write(world: SimpleNamespace, people: People) -> None:
    states = set()
    for n, who in enumerate(OUTSIDERS):
        client, headers = outsider(world, who)
        sent = submission_json(f"A remark of its own kind, number {n}.")
        answer = client.post("/api/v1/sites/news/comments", json=sent, headers=headers)
        states.add((answer.status_code, answer.get_json()["state"]))
        voted = client.put(f"/api/v1/sites/news/comments/{world.own['fresh']}/vote", json={"value": 1}, headers=headers)
        assert voted.status_code in {403, 404}
    assert states == {(202, "pending")}


@on_sqlite
def test_open_pages_are_the_same_for_all(world: SimpleNamespace) -> None:
    root, admin = log_in(world.app, "root")[0], {"Authorization": f"Bearer {world.people.tokens['root']}"}
    query = {"thread": "2025/07/arms-pause"}
    for (_, rule), door in DOOR_OF.items():
        if door == "open" and rule != "/readyz":
            url = address(rule, world.own)
            asked = {"query_string": query} if rule.startswith(("/api", "/sites")) else {}
            seen = [
                whole(one.get(url, headers=headers, **asked))
                for one, headers in ((world.app.test_client(), {}), (root, {}), (world.app.test_client(), admin))
            ]
            assert seen[0] == seen[1] == seen[2], rule
            assert world.own["fresh"] not in seen[0][1]


# --- another site's, and none ------------------------------------------------------------------------------------


def missing(world: SimpleNamespace) -> dict[str, str]:
    """Ids of nothing, for each thing that there is."""
    return {name: str(uuid.UUID(int=n)) for n, name in enumerate(world.other, 1)} | {"list": "old"}


def versions(world: SimpleNamespace, path: str, body: Any) -> list[tuple[str, Any]]:
    """A call of the table about another site's thing, and about none."""
    made = []
    for site, things in (("other", world.other), ("elsewhere", missing(world))):
        filled = path.replace("news", site).format(**things)
        told = {**body, "site": site} if isinstance(body, dict) and body.get("site") == "news" else body
        made.append((filled, told))
    return made


@on_sqlite
def test_call_about_another_sites_thing_is_answered_as_about_none(world: SimpleNamespace) -> None:
    client = world.app.test_client()
    compared, wrong = 0, []
    for who in ("viewer", "admin"):
        headers = world.people.bearer(who)
        client.get("/api/v1/sites", headers=headers)  # The token's time of last use is written now.
        for method, path, body, _ in TABLE:
            foreign, unknown = versions(world, path, body)
            if foreign == unknown or "site=*" in path or "sites/*" in path:
                continue
            answers, counts = [], []
            for url, told in (foreign, unknown):
                with world.app.app_context(), statements() as seen:
                    answers.append(client.open(f"/api/v1{url}", method=method, json=told, headers=headers))
                counts.append(list(seen))
            same = answers[0].status_code == 404 and whole(answers[0]) == whole(answers[1])
            wrong += [] if same and counts[0] == counts[1] else [(who, method, path, same, *counts)]
            compared += 1
    assert wrong == []
    assert compared > 100


@on_sqlite
def test_page_about_another_sites_thing_is_as_about_none(world: SimpleNamespace) -> None:
    for name in ("vera", "ada"):
        compare_pages(world, name)


def compare_pages(world: SimpleNamespace, name: str) -> None:
    client, _ = log_in(world.app, name)
    token = token_in(client.get("/console/account").text)
    other = {**world.other, "person": world.other["moderator"]}
    none = {**missing(world), "person": str(uuid.UUID(int=0))}
    paths = (
        [(method, path) for method, path, _ in CONSOLE_TABLE]
        + [(method, path.removeprefix("/console/").replace("{fresh}", "{comment}")) for method, path, *_ in QUEUE]
        + [("POST", "views/{view}"), ("POST", "people/{person}/second-factor")]
    )
    compared, wrong = 0, []
    for method, path in paths:
        if "{" not in path:
            continue
        answers, counts = [], []
        for things in (other, none):
            url = "/console/" + path.format(**things)
            form = {
                "csrf_token": token,
                "at": "news",
                "role": "viewer",
                "do": "remove",
                "action": "approve",
                "until": "2020-01-01T00:00:00+00:00",
                "reason": "x",
            }
            with world.app.app_context(), statements() as seen:
                answers.append(client.open(url, method=method, data=form if method == "POST" else None))
            counts.append(list(seen))
        first, second = map(whole, answers)
        for thing in (*other.values(), *none.values()):
            second = (second[0], second[1].replace(thing, "ID"), [(k, v.replace(thing, "ID")) for k, v in second[2]])
            first = (first[0], first[1].replace(thing, "ID"), [(k, v.replace(thing, "ID")) for k, v in first[2]])
        same = first == second
        wrong += [] if same and counts[0] == counts[1] else [(method, path, same, *counts)]
        compared += 1
    assert wrong == []
    assert compared > 20


@on_sqlite
def test_queue_pages_by_role_answer_as_the_table_says(world: SimpleNamespace) -> None:
    people = {"viewer": "vera", "moderator": "mira", "admin": "ada", "stranger": "olga", "root": "root"}
    clients = {who: log_in(world.app, name)[0] for who, name in people.items()}
    tokens = {who: token_in(client.get("/console/account").text) for who, client in clients.items()}
    for method, path, form, expected in QUEUE:
        got = {}
        for who in ("viewer", "stranger", "moderator", "admin", "root"):
            data = {key: value.format(**world.own) for key, value in form.items()} | {"csrf_token": tokens[who]}
            url = path.format(**world.own)
            answer = clients[who].open(url, method=method, data=data if method == "POST" else None)
            assert answer.headers["Cache-Control"] == "no-store", (method, path)
            got[who] = _in_short(answer)
        assert got == dict(zip(QUEUE_WHO, expected, strict=True)), (method, path)


def _in_short(answer: Any) -> str:
    if answer.is_json and "taken" in answer.get_json():
        return "taken" if answer.get_json()["taken"] else "none"
    if answer.status_code != 303:
        return str(answer.status_code)
    location = answer.location
    found = re.search(r"(failed|told)=(4\d\d)", location)
    if found:
        return f"{found[2]} {found[1]}"
    return "missed" if "missed=1" in location else "ok"
