"""The set-up of scorers: what may be entered, who may, and that a secret never comes back. On both databases."""

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.adapters.vault import Vault
from moderation.domain import webhook
from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Conflict, Forbidden, Invalid, NotFound
from moderation.services import keys, scorers, scorings
from moderation.services.idempotency import Idempotency
from moderation.services.parts import Parts
from moderation.storage import schema
from moderation.storage.db import read, write
from moderation.storage.models import AuditLine, ScorerRow, Scoring
from tests.conftest import child, reap
from tests.scorers.conftest import CALM, Say, ScorerServer, saying

Add = Callable[..., dict[str, Any]]
Servers = Callable[[Say], ScorerServer]
URL = "http://127.0.0.1:9/score"


def test_add_http_scorer_makes_its_secret_and_shows_it_once(parts: Parts, add_scorer: Add) -> None:
    made = add_scorer(URL)
    assert made["secret"].startswith("whsec_")
    shown = scorers.show_scorer(parts, CLI, made["id"])
    assert shown == {key: value for key, value in made.items() if key != "secret"}
    assert shown["has_secret"] is True
    listed = scorers.list_scorers(parts, CLI, "news")
    assert listed["items"] == [shown]
    with read() as session:
        row = session.scalars(sa.select(ScorerRow)).one()
        lines = json.dumps(list(session.scalars(sa.select(AuditLine.data))))
    assert row.secret_sealed is not None
    assert made["secret"].encode() not in row.secret_sealed
    assert made["secret"] not in lines
    assert URL not in lines


def test_add_scorer_with_a_key_of_the_other_side_seals_it(parts: Parts, add_scorer: Add) -> None:
    made = add_scorer(URL, kind="openai_chat", secret="sk-very-private", options={"model": "llama-3"})
    assert "secret" not in made
    assert "sk-very-private" not in json.dumps(scorers.list_scorers(parts, CLI, "news"), default=str)


def test_repeat_of_an_add_gives_the_first_answer(parts: Parts, add_scorer: Add) -> None:
    idem = Idempotency("key-1", b"hash")
    assert str(add_scorer(URL, idem=idem)["id"]) == str(add_scorer(URL, idem=idem)["id"])
    assert len(scorers.list_scorers(parts, CLI, "news")["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "House"}, "name"),
        ({"name": "x" * 31}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a:b"}, "name"),
        ({"kind": "oracle"}, "kind"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "http://8.8.8.8/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "https://user:pw@example.org/"}, "url"),
        ({"url": "http://127.0.0.1:9/?key=1"}, "url"),
        ({"deadline_ms": 2_001}, "deadline_ms"),
        ({"deadline_ms": -1}, "deadline_ms"),
        ({"secret": ""}, "secret"),
        ({"secret": "not-a-signing-secret"}, "secret"),
        ({"secret": "whsec_AAAA"}, "secret"),
        ({"kind": "akismet", "secret": "a\nb"}, "secret"),
        ({"options": {"colour": "red"}}, "options.colour"),
        ({"options": {"model": "x"}}, "options.model"),
        ({"options": {"max_weight": 1.5}}, "options.max_weight"),
        ({"options": {"max_weight": True}}, "options.max_weight"),
        ({"options": {"max_weight": float("nan")}}, "options.max_weight"),
        ({"options": {"thresholds": {"beauty": 0.5}}}, "options.thresholds"),
        ({"options": {"thresholds": {"insult": 0}}}, "options.thresholds"),
        ({"options": {"thresholds": [0.5]}}, "options.thresholds"),
        ({"options": {"language": "English, please"}}, "options.language"),
        ({"options": {"send_name": "yes"}}, "options.send_name"),
        ({"kind": "openai_chat"}, "options.model"),
        ({"kind": "openai_chat", "options": {"model": "a b"}}, "options.model"),
        ({"kind": "openai_chat", "options": {"model": "m", "may_lower": True}}, "options.may_lower"),
        ({"kind": "perspective", "options": {"attributes": []}}, "options.attributes"),
        ({"kind": "perspective", "options": {"attributes": ["beauty"]}}, "options.attributes"),
        ({"kind": "akismet", "options": {"blog": "javascript:1"}}, "options.blog"),
    ],
)
@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_add_scorer_that_is_not_right_is_invalid_by_field(
    parts: Parts, people: Any, changes: dict[str, Any], field: str
) -> None:
    values = {"name": "house", "kind": "http", "url": URL, **changes}
    with pytest.raises(Invalid) as caught:
        scorers.add_scorer(parts, CLI, "news", **values)
    assert list(caught.value.fields) == [field]


def test_add_scorer_whose_name_is_taken_or_one_too_many_is_a_conflict(parts: Parts, add_scorer: Add) -> None:
    for site in ("news", "*"):
        add_scorer(URL, site=site)
        with pytest.raises(Conflict, match="already"):
            add_scorer(URL, site=site)
    for number in range(scorers.MAX_SCORERS - 1):
        add_scorer(URL, f"more-{number}")
    with pytest.raises(Conflict, match="the most"):
        add_scorer(URL, "one-more")
    add_scorer(URL, "one-more", site="other")


def test_change_scorer_changes_what_is_given(parts: Parts, add_scorer: Add, server: ScorerServer) -> None:
    made = add_scorer(URL, options={"send_name": True})
    secret = webhook.new_secret()
    changed = scorers.change_scorer(
        parts, CLI, made["id"], url=server.url, secret=secret, options={"max_weight": 0.1}, deadline_ms=50
    )
    assert (changed["url"], changed["options"], changed["deadline_ms"]) == (server.url, {"max_weight": 0.1}, 50)
    assert scorers.try_scorer(parts, CLI, made["id"], "A text.")["ok"]
    for wrong in ({"url": "http://10.0.0.1/"}, {"state": "odd"}, {"deadline_ms": 9_999}, {"options": {"model": "m"}}):
        with pytest.raises(Invalid):
            scorers.change_scorer(parts, CLI, made["id"], **wrong)
    with read() as session:
        data = list(session.scalars(sa.select(AuditLine.data).where(AuditLine.action == "scorer.change")))
    assert data == [
        {
            "changed": ["url", "options", "deadline_ms", "secret"],
            "name": "house",
            "kind": "http",
            "deadline_ms": 50,
            "state": "active",
        }
    ]


def test_change_url_to_another_server_never_takes_the_secret_along(
    parts: Parts, add_scorer: Add, server: ScorerServer
) -> None:
    made = add_scorer("http://127.0.0.1:9/v1", kind="openai_moderation", secret="sk-of-the-house")
    with pytest.raises(Invalid) as caught:
        scorers.change_scorer(parts, CLI, made["id"], url=server.url)
    assert list(caught.value.fields) == ["secret"]
    assert scorers.show_scorer(parts, CLI, made["id"])["url"] == "http://127.0.0.1:9/v1"
    assert scorers.change_scorer(parts, CLI, made["id"], url="http://127.0.0.1:9/other")["has_secret"]
    scorers.change_scorer(parts, CLI, made["id"], url=server.url, secret="sk-of-the-other")
    scorers.try_scorer(parts, CLI, made["id"], "A text.")
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer sk-of-the-other"]


def test_try_scorer_says_what_it_says_and_stores_nothing(
    parts: Parts, add_scorer: Add, scorer_servers: Servers
) -> None:
    server = scorer_servers(saying({"scores": {"insult": 0.9}}))
    made = add_scorer(server.url)
    answer = scorers.try_scorer(parts, CLI, made["id"], "You fool.")
    assert (answer["ok"], answer["scores"], answer["weight"]) == (True, {"insult": 0.9}, 0.44)
    assert server.asked[0].json["text"] == "You fool."
    server.say = saying({"weight": 0.4, "evidence": [{"text": "An insult.", "spans": [[6, 10]]}]})
    evidence = scorers.try_scorer(parts, CLI, made["id"], "\U0001f600 You fool.")["evidence"]
    assert [(one["spans"], one["spans_utf16"]) for one in evidence] == [([[6, 10]], [[7, 11]])]
    server.say = saying({"scores": {"insult": 9}, "leak": "of-an-inner-page"}, 200)
    answer = scorers.try_scorer(parts, CLI, made["id"], "You fool.")
    assert (answer["ok"], answer["error"]) == (False, "The answer is not what the protocol says.")
    assert "leak" not in json.dumps(answer)
    with read() as session:
        assert session.scalars(sa.select(Scoring)).all() == []


def test_scorer_by_the_api_is_made_shown_and_refused(client: Any, people: Any, server: ScorerServer) -> None:
    headers = people.bearer("admin")
    body = {"site": "news", "name": "house", "kind": "http", "url": server.url, "options": {"max_weight": 1}}
    made = client.post("/api/v1/scorers", json=body, headers=headers)
    assert made.status_code == 201
    assert made.get_json()["secret"].startswith("whsec_")
    path = f"/api/v1/scorers/{made.get_json()['id']}"
    shown = client.get(path, headers=headers).get_json()
    assert (shown["options"], shown["has_secret"], "secret" in shown) == ({"max_weight": 1.0}, True, False)
    tried = client.post(f"{path}/test", json={"text": "A text."}, headers=headers).get_json()
    assert (tried["ok"], tried["scores"]) == (True, {"toxicity": 0.02})
    assert client.post("/api/v1/scorers", json=body, headers=headers).status_code == 409
    for changes in ({"url": "http://10.0.0.1/"}, {"options": {"colour": "red"}}, {"deadline_ms": 5_000}, {"name": "A"}):
        answer = client.post("/api/v1/scorers", json={**body, "name": "new", **changes}, headers=headers)
        assert answer.status_code == 422
        assert answer.content_type == "application/problem+json"
    assert client.delete(path, headers=headers).status_code == 204
    assert client.get(path, headers=headers).status_code == 404


def actor(site_id: uuid.UUID, role: Role) -> Actor:
    return Actor("token", "1", "somebody", {site_id: role})


def test_scorer_of_another_site_is_not_there_and_a_moderator_may_not(
    parts: Parts, people: Any, add_scorer: Add, server: ScorerServer
) -> None:
    own, everybodys = add_scorer(server.url)["id"], add_scorer(server.url, site="*")["id"]
    calls: list[Callable[[Actor, uuid.UUID], Any]] = [
        lambda who, one: scorers.show_scorer(parts, who, one),
        lambda who, one: scorers.change_scorer(parts, who, one, deadline_ms=10),
        lambda who, one: scorers.try_scorer(parts, who, one, "A text."),
        lambda who, one: scorers.retry_scorer(parts, who, one),
        lambda who, one: scorers.remove_scorer(parts, who, one),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call(actor(people.other_id, Role.ADMIN), own)
        with pytest.raises(Forbidden):
            call(actor(people.site_id, Role.MODERATOR), own)
        with pytest.raises(NotFound):
            call(actor(people.site_id, Role.ADMIN), everybodys)
    stranger = actor(people.other_id, Role.ADMIN)
    with pytest.raises(NotFound):
        scorers.list_scorers(parts, stranger, "news")
    with pytest.raises(NotFound):
        scorers.add_scorer(parts, stranger, "news", "mine", "http", URL)
    with pytest.raises(Forbidden):
        scorers.add_scorer(parts, actor(people.site_id, Role.ADMIN), "*", "mine", "http", URL)
    assert server.asked == []
    for call in calls:
        call(actor(people.site_id, Role.ADMIN), own)
    with pytest.raises(NotFound):
        scorers.show_scorer(parts, CLI, own)


def test_rotation_of_keys_seals_secrets_again_of_a_site_and_of_all(
    parts: Parts, add_scorer: Add, server: ScorerServer
) -> None:
    made = [add_scorer(server.url), add_scorer(server.url, site="*")]
    new = ("k2", b"another key, of just 32 bytes...")
    both = replace(parts, vault=Vault(replace(parts.settings, encryption_keys=(new, *parts.settings.encryption_keys))))
    assert keys.reseal(both, CLI)["resealed"] == 2
    without_old = replace(parts, vault=Vault(replace(parts.settings, encryption_keys=(new,))))
    for one in made:
        assert scorers.try_scorer(without_old, CLI, one["id"], "A text.")["ok"]


def test_scorer_whose_secret_does_not_open_is_unavailable(
    parts: Parts, add_scorer: Add, server: ScorerServer, post: Callable[..., Any]
) -> None:
    """As after a loss of keys: it says so, and comments wait."""
    made = add_scorer(server.url, deadline_ms=1_000)
    with write() as session:
        session.execute(sa.update(ScorerRow).values(secret_sealed=b"k9:" + b"x" * 60))
    scorers.change_scorer(parts, CLI, made["id"], deadline_ms=900)
    answer = scorers.try_scorer(parts, CLI, made["id"], "A text.")
    assert (answer["ok"], answer["error"]) == (False, "The scorer's secret cannot be used. Set it again.")
    post()
    assert scorings.ask_due(parts) == 1
    with read() as session:
        assert session.scalars(sa.select(Scoring)).one().last_error.startswith("The scorer's secret")
    assert server.asked == []


def test_schema_agrees_with_the_models(app: Any, parts: Parts) -> None:
    with read() as session:
        assert schema.differences(session.connection()) == []


def test_worker_killed_while_it_waits_for_an_answer_is_taken_over(
    app: Any, parts: Parts, people: Any, post: Callable[..., Any], add_scorer: Add, scorer_servers: Servers, clock: Any
) -> None:
    """SIGKILL between the question and its answer: the next worker asks again, under the same id, and settles once."""
    server = scorer_servers(saying(CALM))
    plain = server.say

    over = threading.Event()
    server.say = lambda _handler, _asked: over.wait(60)
    add_scorer(server.url)
    comment_id = post()
    pid = child(app, lambda: scorings.ask_due(parts))
    end = time.monotonic() + 60
    while not server.asked and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    reap(pid)
    over.set()
    assert len(server.asked) == 1
    server.say = plain
    assert scorings.ask_due(parts) == 0
    clock.move(seconds=parts.settings.scorer_timeout_s + scorings.SETTLE_S + 60)
    assert scorings.ask_due(parts) == 1
    assert [one.json["id"] for one in server.asked] == [f"{comment_id}-1"] * 2
    with read() as session:
        assert session.scalars(sa.select(Scoring)).all() == []
