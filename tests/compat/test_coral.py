"""Coral: its external moderation phase and its two calls of the Perspective API, by its documented requests."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.adapters.vault import Vault
from moderation.domain.actor import CLI
from moderation.errors import Invalid
from moderation.services import keys as encryption
from moderation.services import learning, moderate, site_secrets, sites
from moderation.storage.db import read
from moderation.storage.models import Comment, Site, SiteSecret
from tests.compat.conftest import CALM, CORAL_SECRET, FRENCH, SPAM, Keys

TOXIC = {"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}
SPAMMY = {"actionType": "FLAG", "reason": "COMMENT_DETECTED_SPAM"}


def request_of(text: str, **more: Any) -> bytes:
    """The body of a request, as Coral writes it: indented by two."""
    content = {
        "action": "NEW",
        "comment": {"body": f"<div>{text}</div>", "parentID": None},
        "author": {"id": "b6a8c5f0-71c9-4ae9-9b1a-6a3a1d7e2b11", "role": "COMMENTER"},
        "story": {"id": "2025-07-arms-pause", "url": "https://news.example/2025/07/arms-pause"},
        "site": {"id": "5d2c7d0a-1fd5-4f0e-8c83-9f8ddf1e6f9b"},
        "tenantID": "3f3e7c0c-6a5b-4c25-b8fb-a2d7b6e5b5c3",
        "tenantDomain": "coral.news.example",
        **more,
    }
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


def signed(body: bytes, secret: str = CORAL_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
def coral(client: Any, keys: Keys) -> Callable[..., Any]:
    """Send a comment as Coral does."""

    def post(text: str, site: str = "news", signature: str | None = None, **more: Any) -> Any:
        body = request_of(text, **more)
        headers = {"X-Coral-Signature": signed(body) if signature is None else signature}
        return client.post(f"/coral/{site}/moderate", data=body, content_type="application/json", headers=headers)

    return post


def test_moderate_a_calm_remark_is_no_opinion(coral: Any) -> None:
    for more in ({}, {"action": "EDIT"}, {"comment": {"body": CALM, "parentID": "x"}}, {"new": {"field": 1}}):
        answer = coral(CALM, **more)
        assert (answer.status_code, answer.get_data()) == (204, b"")


def test_moderate_an_insult_and_spam_is_withheld_with_the_reason(coral: Any) -> None:
    insult = coral("You are a <b>fucking</b> idiot &amp; should die")
    assert insult.get_json() == {"actions": [TOXIC], "status": "SYSTEM_WITHHELD"}
    assert coral(SPAM).get_json() == {"actions": [SPAMMY], "status": "SYSTEM_WITHHELD"}


def test_moderate_what_cannot_be_judged_or_a_rule_holds_waits(coral: Any, parts: Any) -> None:
    assert coral(FRENCH).get_json() == {"status": "PREMOD"}
    assert coral(f"{CALM} " * 2_000).get_json() == {"status": "PREMOD"}
    sites.add_rule(parts, CLI, "news", "word", "harbour", "hold")
    assert coral(CALM).get_json() == {"status": "PREMOD"}


def test_moderate_what_the_site_sends_to_spam_is_rejected(coral: Any, parts: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"auto_spam": True})
    sites.add_rule(parts, CLI, "news", "word", "harbour", "spam")
    assert coral(CALM).get_json() == {"actions": [SPAMMY], "status": "REJECTED"}


def test_moderate_with_a_wrong_signature_is_401(coral: Any, client: Any, keys: Keys) -> None:
    body = request_of(CALM)
    good, other = signed(body), signed(body, "f" * 40)
    for signature in (
        "",
        "sha256=",
        other,
        signed(body + b" "),
        good[:-1],
        good.replace("sha256=", "sha1="),
        "sha256=\u00e9",
    ):
        answer = coral(CALM, signature=signature)
        assert answer.status_code == 401, signature
        assert answer.mimetype == "application/json"
        assert set(answer.get_json()) == {"error"}
    headers = {"X-Coral-Signature": good}
    compact = json.dumps(json.loads(body)).encode()
    assert client.post("/coral/news/moderate", data=compact, headers=headers).status_code == 401


def test_moderate_while_secrets_are_rotated_takes_either_signature(coral: Any) -> None:
    body = request_of(CALM)
    both = f"{signed(body, 'f' * 40)}, {signed(body)}"
    assert coral(CALM, signature=both).status_code == 204
    assert coral(CALM, signature=",".join([signed(body, "f" * 40)] * 50)).status_code == 401


def test_moderate_for_a_site_without_a_secret_and_for_none_is_the_same_401(coral: Any) -> None:
    answers = [coral(CALM, site=site) for site in ("other", "nowhere")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].get_data() == answers[1].get_data()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"comment": null}', b'{"comment": {"body": 5}}', b"[" * 900])
def test_moderate_what_is_no_request_of_corals_is_refused(client: Any, keys: Keys, body: bytes) -> None:
    headers = {"X-Coral-Signature": signed(body)}
    answer = client.post("/coral/news/moderate", data=body, headers=headers)
    assert (answer.status_code, answer.mimetype) == (400, "application/json")
    assert client.get("/coral/news/moderate").status_code == 405


def test_moderate_stores_nothing_and_is_quick(coral: Any) -> None:
    coral(CALM)
    began = time.thread_time()
    for _ in range(5):
        coral(CALM * 20)
    assert (time.thread_time() - began) / 5 < 0.1  # Coral waits 200 ms at the least
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Comment)) == 0


# --- the secret


def test_secret_is_sealed_never_shown_and_can_be_taken_away(client: Any, keys: Keys, coral: Any, parts: Any) -> None:
    headers = keys.people.bearer("admin")
    shown = client.get("/api/v1/sites/news", headers=headers)
    assert shown.get_json()["has_coral_secret"] is True
    assert CORAL_SECRET not in shown.text
    audit = str(moderate.list_audit(parts, CLI, "news")["items"])
    assert "site.secret" in audit
    assert CORAL_SECRET not in audit
    with read() as session:
        sealed = session.scalars(sa.select(SiteSecret.secret_sealed)).one()
    assert CORAL_SECRET.encode() not in sealed
    changed = client.patch("/api/v1/sites/news", json={"settings": {"coral_secret": "none"}}, headers=headers)
    assert changed.get_json()["has_coral_secret"] is False
    assert coral(CALM).status_code == 401
    body = request_of(CALM)
    assert (
        client.patch("/api/v1/sites/news", json={"settings": {"coral_secret": "f" * 40}}, headers=headers).status_code
        == 200
    )
    assert coral(CALM, signature=signed(body, "f" * 40)).status_code == 204
    assert client.get("/api/v1/sites", headers=headers).get_json()["items"][0]["has_coral_secret"] is True


@pytest.mark.parametrize("secret", ["short", "x" * 201, "with a blank in it, long", "\u00e9" * 20])
def test_secret_that_is_none_is_refused_and_the_former_stays(parts: Any, keys: Keys, coral: Any, secret: str) -> None:
    with pytest.raises(Invalid) as refused:
        sites.change_site(parts, CLI, "news", settings={"coral_secret": secret})
    assert list(refused.value.fields) == ["settings.coral_secret"]
    assert coral(CALM).status_code == 204


def test_secret_of_another_row_does_not_open_and_lets_nobody_in(coral: Any, parts: Any) -> None:
    from moderation.storage.db import write

    with write() as session:
        session.execute(sa.update(SiteSecret).values(secret_sealed=b"k1:" + b"x" * 60))
    assert coral(CALM).status_code == 401


def test_secret_is_sealed_again_by_a_rotation_of_keys(parts: Any, keys: Keys) -> None:
    ring = (("k2", secrets.token_bytes(32)), *parts.settings.encryption_keys)
    settings = replace(parts.settings, encryption_keys=ring)
    rotated = replace(parts, settings=settings, vault=Vault(settings))
    assert encryption.reseal(rotated, CLI)["resealed"] == 1
    with read() as session:
        site = session.scalars(sa.select(Site).where(Site.key == "news")).one()
        assert session.scalars(sa.select(SiteSecret.secret_sealed)).one().startswith(b"k2:")
        assert site_secrets.opened(session, rotated, site, "coral") == CORAL_SECRET


def test_set_other_settings_keeps_the_secret(parts: Any, coral: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"votes": True})
    assert coral(CALM).status_code == 204


# --- Coral's two calls of Perspective


def test_perspective_calls_of_coral_are_answered_as_it_reads_them(client: Any, keys: Keys, parts: Any) -> None:
    """The JSON that Coral's server sends for its toxic phase and for a moderator's decision."""
    analyze = {
        "comment": {"text": "You are an idiot"},
        "doNotStore": True,
        "requestedAttributes": {"SEVERE_TOXICITY": {}},
        "languages": ["en"],
    }
    answer = client.post(f"/v1alpha1/comments:analyze?key={keys.own}", json=analyze)
    assert answer.status_code == 200
    assert 0.2 < answer.get_json()["attributeScores"]["SEVERE_TOXICITY"]["summaryScore"]["value"] <= 1
    context = {
        "url": "https://news.example/2025/07/arms-pause",
        "reply_to_id_Coral_comment_id": None,
        "Coral_comment_id": "b6a8",
    }
    feedback = {
        "comment": {"text": "You are an idiot"},
        "context": {"entries": [{"text": json.dumps(context)}]},
        "attributeScores": {"SEVERE_TOXICITY": {"summaryScore": {"value": 1}}},
        "languages": ["en"],
        "communityId": "Coral:coral.news.example",
        "clientToken": "comment:b6a8",
    }
    told = client.post(f"/v1alpha1/comments:suggestscore?key={keys.own}", json=feedback)
    assert (told.status_code, told.get_json()["clientToken"]) == (200, "comment:b6a8")
    assert learning.show(parts, CLI, "news")["decisions"] == 1
    approved = {**feedback, "attributeScores": {"SEVERE_TOXICITY": {"summaryScore": {"value": 0}}}}
    client.post(f"/v1alpha1/comments:suggestscore?key={keys.own}", json=approved)
    fine, spam, unwanted = learning.export(parts, CLI, "news")["totals"]
    assert (fine > 0, spam, unwanted) == (True, 0, 0)
