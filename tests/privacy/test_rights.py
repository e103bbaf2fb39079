"""A person's rights: all that a site keeps of them in one answer, and all of it gone, with the thread intact."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import deliver, privacy
from moderation.services.parts import Parts
from moderation.storage import audit
from moderation.storage.db import new_id, read, write
from moderation.storage.models import Author, Comment, Event, Revision, SignalRow, Subscription
from tests.conftest import People

ANA = {"name": "Ana Kovac", "email": "Ana@Example.org", "url": "https://ana.example"}
EMAIL = "ana@example.org"
LIST = "/api/v1/sites/news/comments?thread=2025/07/arms-pause"


def ask(client: FlaskClient, people: People, what: str, who: str = "admin", **body: Any) -> Any:
    """Call one of the two, as an admin of the site."""
    body = {"site": "news", "email": EMAIL, **body}
    return client.post(f"/api/v1/privacy/{what}", json=body, headers=people.bearer(who))


@pytest.fixture
def written(submit: Callable[..., Any], decide: Callable[..., Any]) -> dict[str, str]:
    """Two comments of Ana, one of them approved with a reply by Ben below it, and one of Ben's alone."""
    first = submit("What I said first.", author=ANA)["id"]
    decide(first, reason="fine")
    reply = submit("An answer to it.", author={"name": "Ben", "email": "ben@example.org"}, parent_id=first)["id"]
    decide(reply)
    second = submit("What I said later, and it waits.", author={**ANA, "name": "A. Kovac"})["id"]
    return {"first": first, "reply": reply, "second": second}


def everything(app: Flask) -> str:
    """All rows of all tables but the audit log, as text."""
    with app.app_context(), read() as session:
        tables = sa.MetaData()
        tables.reflect(session.connection())
        names = [table for table in tables.sorted_tables if table.name != "audit"]
        return "\n".join(str(row) for table in names for row in session.execute(sa.select(table)))


def test_export_holds_all_that_is_kept_of_a_person_and_of_nobody_else(
    client: FlaskClient, people: People, written: dict[str, str]
) -> None:
    reveal = f"/api/v1/comments/{written['first']}/reveal-email"
    client.post(reveal, json={"reason": "a letter of thanks"}, headers=people.bearer("admin"))
    answer = ask(client, people, "export")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    data = answer.get_json()
    assert (data["site"], data["email"], data["next"]) == ("news", EMAIL, None)
    first, second = data["comments"]
    assert (first["id"], second["id"]) == (written["first"], written["second"])
    assert first["body"] == "What I said first."
    assert (first["state"], first["author"]["url"]) == ("approved", "https://ana.example")
    assert first["decisions"][0] | {"at": ""} == {
        "action": "approve", "reason": "fine", "at": "", "by": "token", "undone_at": None,
    }  # fmt: skip
    assert first["address_shown"][0]["reason"] == "a letter of thanks"
    assert first["network"]
    assert second["signals"] is not None
    assert "Ben" not in answer.text
    lines = client.get("/api/v1/audit?site=news", headers=people.bearer("admin"))
    assert "privacy.export" in lines.text
    assert EMAIL not in lines.text.lower()


def test_export_goes_on_page_by_page(
    client: FlaskClient, people: People, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "PAGE", 2)
    ids = [submit(f"Remark number {number} of them.", author=ANA)["id"] for number in range(5)]
    found: list[str] = []
    cursor = None
    while True:
        page = ask(client, people, "export", cursor=cursor).get_json()
        found += [comment["id"] for comment in page["comments"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ids


def test_erase_takes_all_of_the_person_and_leaves_the_thread(
    app: Flask, client: FlaskClient, parts: Parts, people: People, written: dict[str, str], submit: Any
) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/x")
    waits = submit("One more remark by me.", author=ANA)
    edit = {"body": "One more remark by me, mended."}
    path = f"/api/v1/sites/news/comments/{waits['id']}"
    assert client.patch(path, json=edit, headers={"X-Edit-Token": waits["edit_token"]}).status_code == 200
    assert ask(client, people, "erase").get_json() == {"erased": 3, "left": 0}
    left = everything(app)
    for word in ("Kovac", "ana.example", "What I said", "it waits", "remark by me"):
        assert word not in left, word
    assert "An answer to it." in left
    with read() as session:
        for comment_id in (written["first"], written["second"], waits["id"]):
            row = session.scalars(sa.select(Comment).where(Comment.id == uuid.UUID(comment_id))).one()
            assert (row.state, row.email_sealed, row.email_index, row.ip_network) == ("deleted", None, None, "")
        assert not audit.verify(session, parts.vault.audit_key)
    shown = client.get(LIST).get_json()
    (root,) = shown["comments"]
    assert (root["deleted"], root["author"]["name"]) == (True, "")
    assert root["replies"][0]["author"]["name"] == "Ben"
    assert ask(client, people, "export").get_json()["comments"] == []
    assert ask(client, people, "erase").get_json() == {"erased": 0, "left": 0}


def test_erase_keeps_the_texts_where_the_site_says_so(
    app: Flask, client: FlaskClient, parts: Parts, people: People, written: dict[str, str]
) -> None:
    change = {"settings": {"erase_texts": False}}
    client.patch("/api/v1/sites/news", json=change, headers=people.bearer("admin"))
    client.post(
        "/api/v1/rules", json={"site": "news", "kind": "author", "value": "A. Kovac"}, headers=people.bearer("admin")
    )
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/x")
    before = client.get(LIST).headers["ETag"]
    assert ask(client, people, "erase").get_json() == {"erased": 2, "left": 0}
    left = everything(app)
    assert "ana.example" not in left
    assert left.count("Kovac") == 1  # the rule that an admin typed
    answer = client.get(LIST)
    assert answer.headers["ETag"] != before
    (root,) = answer.get_json()["comments"]
    assert (root["author"]["name"], root["author"]["url"]) == (privacy.ERASED_NAME, None)
    assert "What I said first." in root["body_html"]
    assert len(root["replies"]) == 1
    with read() as session:
        told = [event.type for event in session.scalars(sa.select(Event))]
        assert told == ["comment.edited"] * 2
        assert session.scalar(sa.select(sa.func.count()).select_from(Revision)) == 0
        kept = {str(row.comment_id) for row in session.scalars(sa.select(SignalRow))}
        assert not kept & {written["first"], written["second"]}
    waiting = client.get("/api/v1/queue", headers=people.bearer("moderator")).get_json()["items"]
    assert [item["author"]["name"] for item in waiting] == [privacy.ERASED_NAME]


def test_erase_goes_on_where_it_was_stopped(
    client: FlaskClient, parts: Parts, people: People, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        submit(f"Remark number {number} of them.", author=ANA)
    assert privacy.erase_person(parts, CLI, "news", EMAIL, most=2) == {"erased": 2, "left": 3}

    def stop(_n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        privacy.erase_person(parts, CLI, "news", EMAIL, done=stop)
    assert privacy.count_comments(parts, CLI, "news", EMAIL) == 2
    assert ask(client, people, "erase").get_json() == {"erased": 2, "left": 0}


def test_erase_and_export_stay_on_their_site(client: FlaskClient, people: People, written: dict[str, str]) -> None:
    assert ask(client, people, "erase", "stranger", site="other").get_json() == {"erased": 0, "left": 0}
    assert len(ask(client, people, "export").get_json()["comments"]) == 2
    for what in ("export", "erase"):
        for who, status in (("viewer", 403), ("moderator", 403), ("scorer", 404), ("stranger", 404)):
            assert ask(client, people, what, who).status_code == status, (what, who)
        bad = ask(client, people, what, email="not an address")
        assert (bad.status_code, list(bad.get_json()["errors"])) == (422, ["email"])


def test_erase_takes_the_tie_to_whom_the_site_vouched_for(
    app: Flask, client: FlaskClient, people: People, written: dict[str, str], parts: Parts
) -> None:
    with app.app_context(), read() as session:
        author = session.scalars(sa.select(Author)).first()
        assert author is not None
    with write() as session:
        session.execute(sa.update(Author).where(Author.id == author.id).values(person_key=b"p" * 16))
    ask(client, people, "erase")
    with read() as session:
        assert all(row.person_key is None for row in session.scalars(sa.select(Author)))


def test_notices_of_replies_are_told_and_erased_with_the_person(
    client: FlaskClient, people: People, parts: Parts
) -> None:
    index, own = parts.vault.blind_index(people.site_id, EMAIL), new_id()
    place = {"table": "subscriptions", "column": "email_sealed", "row_id": own, "site_id": people.site_id}
    sealed = parts.vault.seal(EMAIL.encode(), **place)
    kept = {"id": own, "site_id": people.site_id, "email_index": index, "email_sealed": sealed, "state": "confirmed"}
    with write() as session:
        session.add(Subscription(**kept, asked_at=parts.clock()))
    assert ask(client, people, "export").get_json()["notices"]["state"] == "confirmed"
    assert ask(client, people, "erase").get_json() == {"erased": 0, "left": 0}
    assert ask(client, people, "export").get_json()["notices"] is None
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Subscription)) == 0
