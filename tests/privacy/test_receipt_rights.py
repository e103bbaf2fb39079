"""By the link to their comment, its author gets a copy of what is kept of it, and takes their name off it; no more."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import privacy, sites
from moderation.services.parts import Parts
from moderation.storage import audit
from moderation.storage.db import read
from moderation.storage.models import AuditLine, Comment
from tests.api.test_receipts import assert_secret, send, token_of
from tests.conftest import People
from tests.privacy.test_rights import ANA, EMAIL, everything

Made = dict[str, Any]


@pytest.fixture
def keeps_texts(parts: Parts, people: People) -> None:
    """A site on which a text stays when who wrote it is erased."""
    sites.change_site(parts, CLI, "news", settings={"erase_texts": False})


def row(made: Made) -> Comment:
    with read() as session:
        return session.scalars(sa.select(Comment).where(Comment.id == uuid.UUID(made["id"]))).one()


def test_copy_holds_what_is_kept_of_this_comment_and_no_address(client: FlaskClient, submit: Any) -> None:
    made = submit("What I said first.", author=ANA)
    path = f"/api/v1/sites/news/comments/{made['id']}"
    client.patch(path, json={"body": "What I meant."}, headers={"X-Edit-Token": made["edit_token"]})
    submit("Another one, by the same address.", author=ANA)
    answer = send(client, made, "copy")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Content-Disposition"] == "attachment; filename=my-comment.json"
    assert_secret(answer)
    data = answer.get_json()
    assert (data["id"], data["body"], data["state"]) == (made["id"], "What I meant.", "waiting")
    assert data["author"] == {"name": "Ana Kovac", "url": "https://ana.example"}
    assert data["former_texts"][0]["body"] == "What I said first."
    assert data["kept_of_its_author"] == {"address": True, "network": True, "told_of_replies": False}
    assert "another one" not in answer.text.lower()
    assert EMAIL not in answer.text.lower()
    assert "127.0.0" not in answer.text


def test_copy_of_spam_is_the_one_of_a_comment_that_waits(client: FlaskClient, submit: Any, decide: Any) -> None:
    """A score, a reason or a state would tell a spammer what to write instead."""
    made = submit("A remark of mine.")
    before = send(client, made, "copy").get_json()
    decide(made["id"], "spam")
    assert send(client, made, "copy").get_json() == before
    assert not {"risk", "scores", "reasons", "signals", "decisions"} & before.keys()


def test_typed_address_of_another_hands_out_and_erases_nothing_of_theirs(
    client: FlaskClient, submit: Any, keeps_texts: None
) -> None:
    theirs = submit("What Ana said.", author=ANA)
    mine = submit("A comment under her address.", author={**ANA, "name": "Mallory"})
    assert "What Ana said" not in send(client, mine, "copy").text
    assert send(client, mine, "erase_yes").status_code == 303
    assert (row(theirs).author_name, row(mine).author_name) == ("Ana Kovac", privacy.ERASED_NAME)
    assert row(theirs).email_index is not None
    assert send(client, mine, "withdraw_yes").status_code == 303
    assert row(theirs).body == "What Ana said."


def test_erase_by_receipt_asks_once_more_then_takes_the_author_off(
    app: Flask, client: FlaskClient, submit: Any, decide: Any, keeps_texts: None, parts: Parts
) -> None:
    made = submit("What I said, and stand by.", author=ANA)
    decide(made["id"])
    asked = send(client, made, "erase")
    assert "Delete what says who you are?" in asked.text
    assert row(made).author_name == "Ana Kovac"
    assert send(client, made, "erase_yes").status_code == 303
    found = row(made)
    assert (found.author_name, found.body, found.state) == (
        privacy.ERASED_NAME,
        "What I said, and stand by.",
        "approved",
    )
    left = everything(app)
    assert "Kovac" not in left
    assert "ana.example" not in left
    shown = client.get(f"/receipts/{token_of(made)}").text
    assert 'value="erase"' not in shown
    assert "What I said, and stand by." in shown
    assert send(client, made, "copy").get_json()["kept_of_its_author"]["address"] is False
    version = found.version
    assert send(client, made, "erase_yes").status_code == 303
    assert row(made).version == version
    with read() as session:
        lines = session.scalars(sa.select(AuditLine).where(AuditLine.action == "privacy.erase")).all()
        assert [(line.actor_kind, line.object_id) for line in lines] == [("author", made["id"])]
        assert audit.verify(session, parts.vault.audit_key) == []


def test_erase_by_receipt_where_the_text_goes_too_is_to_withdraw(client: FlaskClient, submit: Any) -> None:
    made = submit("What I said.", author=ANA)
    assert 'value="erase"' not in client.get(f"/receipts/{token_of(made)}").text
    assert send(client, made, "erase_yes").status_code == 403
    assert row(made).author_name == "Ana Kovac"


@pytest.mark.parametrize("action", ["copy", "erase", "erase_yes"])
def test_rights_by_a_receipt_need_its_token_from_our_own_page(
    client: FlaskClient, submit: Callable[..., Made], keeps_texts: None, action: str
) -> None:
    made = submit("What I said.", author=ANA)
    forged = {**made, "receipt_url": made["receipt_url"][:-2] + "xx"}
    assert send(client, forged, action).status_code == 404
    assert send(client, made, action, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/receipts", query_string={"token": token_of(made), "action": action}).status_code == 405
    send(client, made, "withdraw_yes")
    gone = send(client, made, action)
    assert gone.status_code in {200, 303, 404}
    assert "What I said." not in gone.text
