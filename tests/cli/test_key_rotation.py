"""Rotation seals everything again, can be stopped half-way, and never writes over a change."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from moderation.adapters.vault import Vault
from moderation.domain.actor import CLI
from moderation.errors import Bug
from moderation.services import deliver, keys
from moderation.services.parts import Parts
from moderation.storage import sealed
from moderation.storage.db import new_id, read, write
from moderation.storage.models import Comment, Mailbox, Moderator, Subscription

NEW = ("k2", bytes(range(32)))


@pytest.fixture
def rotated(parts: Parts) -> Parts:
    """The same installation with a new key in front."""
    settings = replace(parts.settings, encryption_keys=(NEW, *parts.settings.encryption_keys))
    return replace(parts, settings=settings, vault=Vault(settings))


def key_ids(parts: Parts) -> list[str]:
    with read() as session:
        return [
            parts.vault.key_id_of(row.value)
            for place in sealed.COLUMNS
            for row in sealed.sealed_values(session, place, 100, None)
        ]


def test_reseal_puts_everything_under_the_new_key(
    rotated: Parts, parts: Parts, submit: Callable[..., Any], people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "BATCH", 2)
    for number in range(5):
        submit(f"Remark number {number}.")
    endpoint = deliver.add_endpoint(parts, CLI, people.site_key, "http://127.0.0.1:9/x")
    deliver.rotate_secret(parts, CLI, endpoint["id"])
    assert set(key_ids(parts)) == {"k1"}
    assert keys.count_sealed(rotated) == 7
    seen: list[int] = []
    assert keys.reseal(rotated, CLI, seen.append) == {"resealed": 7, "checked": 7}
    assert sum(seen) == 7
    assert key_ids(rotated) == ["k2"] * 7
    assert keys.reseal(rotated, CLI) == {"resealed": 0, "checked": 7}
    alone = Vault(replace(rotated.settings, encryption_keys=(NEW,)))
    with read() as session:
        row = sealed.sealed_values(session, ("comments", "email_sealed"), 1, None)[0]
    place = {"table": "comments", "column": "email_sealed", "row_id": row.row_id, "site_id": row.site_id}
    assert alone.open(row.value, **place) == b"ana@example.org"


def test_reseal_covers_the_addresses_of_readers_and_moderators_who_are_told_by_mail(
    rotated: Parts, parts: Parts, people: Any
) -> None:
    now = parts.clock()
    with write() as session:
        reader, box, person = new_id(), new_id(), new_id()
        session.add(Moderator(id=person, name="mira", password_hash="", created_at=now))
        session.flush()
        for table, row_id, site_id in (("subscriptions", reader, people.site_id), ("mailboxes", box, sealed.NO_SITE)):
            value = parts.vault.seal(b"a@b.example", table=table, column="email_sealed", row_id=row_id, site_id=site_id)
            if table == "subscriptions":
                subscription = {"site_id": site_id, "email_index": b"i", "email_sealed": value, "asked_at": now}
                session.add(Subscription(id=reader, **subscription))
            else:
                session.add(Mailbox(id=box, moderator_id=person, email_sealed=value, asked_at=now))
    assert keys.reseal(rotated, CLI) == {"resealed": 2, "checked": 2}
    alone = Vault(replace(rotated.settings, encryption_keys=(NEW,)))
    with read() as session:
        for table in ("subscriptions", "mailboxes"):
            (row,) = sealed.sealed_values(session, (table, "email_sealed"), 9, None)
            place = {"table": table, "column": "email_sealed", "row_id": row.row_id, "site_id": row.site_id}
            assert alone.open(row.value, **place) == b"a@b.example"


def test_reseal_never_brings_back_what_was_erased_meanwhile(rotated: Parts, submit: Callable[..., Any]) -> None:
    submit("A remark.")
    with read() as session:
        row = sealed.sealed_values(session, ("comments", "email_sealed"), 1, None)[0]
    with write() as session:
        session.execute(update(Comment).values(email_sealed=None))
    with write() as session:
        assert not sealed.replace_sealed(session, ("comments", "email_sealed"), row, b"k2:anything")
    assert key_ids(rotated) == []


def test_reseal_stops_at_a_value_that_was_changed(rotated: Parts, submit: Callable[..., Any]) -> None:
    submit("A remark.")
    with write() as session:
        session.execute(update(Comment).values(email_sealed=b"k1:" + bytes(60)))
    with pytest.raises(Bug):
        keys.reseal(rotated, CLI)


def test_rotate_with_new_key_keeps_the_old_one_behind_it(
    home: Path, run: Callable[..., Any], run_json: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATION_WEBHOOK_ALLOW_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("MODERATION_WEBHOOK_ALLOW_HTTP", "true")
    run("site", "add", "news", "--origin", "https://news.example")
    run("webhook", "add", "--site", "news", "--url", "http://127.0.0.1:9/x")
    before = (home / "keys" / "encryption_keys").read_text()
    assert run_json("keys", "rotate", "--new-key") == {"resealed": 1, "checked": 1, "key": "k2"}
    after = (home / "keys" / "encryption_keys").read_text()
    assert after.startswith("k2:")
    assert before.strip() in after
    assert (home / "keys" / "encryption_keys").stat().st_mode & 0o777 == 0o600
    assert run_json("keys", "rotate")["resealed"] == 0
