"""API tokens: shown once, kept as a hash, ended at once, and never wider than who made them."""

import re
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Forbidden, Invalid, NotFound, Unauthenticated
from moderation.services import accounts
from moderation.services.idempotency import Idempotency
from moderation.services.parts import Parts
from moderation.storage.db import read
from moderation.storage.models import AuditLine, Token


def actor_of(parts: Parts, people: Any, who: str) -> Actor:
    return accounts.authenticate_token(parts, people.tokens[who])


def test_add_token_gives_text_that_is_stored_as_hash_alone(parts: Parts, people: Any) -> None:
    made = accounts.add_token(parts, CLI, "news", "moderator", "ci")
    assert re.fullmatch(r"[a-z0-9]{40,63}", made["token"])
    with read() as session:
        row = session.scalars(select(Token).where(Token.id == made["id"])).one()
    assert row.hint == made["token"][:8]
    assert row.token_hash == parts.vault.token_hash(made["token"])
    stored = [str(value) for value in vars(row).values()]
    assert not any(made["token"] in value for value in stored)


def test_authenticate_token_knows_site_and_role(parts: Parts, people: Any) -> None:
    actor = actor_of(parts, people, "moderator")
    assert actor.kind == "token"
    assert actor.may(people.site_id, Role.MODERATOR)
    assert not actor.may(people.site_id, Role.ADMIN)
    assert not actor.may(people.other_id, Role.VIEWER)


@pytest.mark.parametrize("text", ["", "x", "cm" + "a" * 40, "a" * 64, "a" * 10_000, "\ud800", "cm\x00"])
def test_authenticate_token_unknown_is_refused(parts: Parts, text: str) -> None:
    with pytest.raises(Unauthenticated):
        accounts.authenticate_token(parts, text)


def test_authenticate_token_revoked_is_refused_at_once(parts: Parts, people: Any) -> None:
    made = accounts.add_token(parts, CLI, "news", "viewer")
    accounts.authenticate_token(parts, made["token"])
    accounts.revoke_token(parts, CLI, made["id"])
    accounts.revoke_token(parts, CLI, made["id"])
    with pytest.raises(Unauthenticated):
        accounts.authenticate_token(parts, made["token"])
    with read() as session:
        lines = session.scalars(
            select(AuditLine).where(AuditLine.object_id == str(made["id"])).order_by(AuditLine.seq)
        ).all()
    assert [line.action for line in lines] == ["token.add", "token.revoke"]


def test_authenticate_token_expired_is_refused(parts: Parts, people: Any, clock: Any) -> None:
    from datetime import timedelta

    made = accounts.add_token(parts, CLI, "news", "viewer", expires_at=clock() + timedelta(hours=1))
    clock.move(minutes=59)
    accounts.authenticate_token(parts, made["token"])
    clock.move(minutes=1)
    with pytest.raises(Unauthenticated):
        accounts.authenticate_token(parts, made["token"])
    with pytest.raises(Invalid):
        accounts.add_token(parts, CLI, "news", "viewer", expires_at=clock())


def test_authenticate_token_notes_use_once_a_minute(parts: Parts, people: Any, clock: Any) -> None:
    made = accounts.add_token(parts, CLI, "news", "viewer")

    def last_used() -> Any:
        with read() as session:
            return session.scalar(select(Token.last_used_at).where(Token.id == made["id"]))

    assert last_used() is None
    accounts.authenticate_token(parts, made["token"])
    first = last_used()
    clock.move(seconds=59)
    accounts.authenticate_token(parts, made["token"])
    assert last_used() == first == clock() - (clock() - first)
    clock.move(seconds=1)
    accounts.authenticate_token(parts, made["token"])
    assert last_used() == clock()


def test_add_token_by_site_admin_reaches_own_site_alone(parts: Parts, people: Any) -> None:
    admin = actor_of(parts, people, "admin")
    accounts.add_token(parts, admin, "news", "admin")
    with pytest.raises(NotFound) as foreign:
        accounts.add_token(parts, admin, "other", "viewer")
    with pytest.raises(NotFound) as missing:
        accounts.add_token(parts, admin, "nowhere", "viewer")
    assert foreign.value.detail == missing.value.detail
    with pytest.raises(Forbidden):
        accounts.add_token(parts, admin, "*", "viewer")


@pytest.mark.parametrize("who", ["viewer", "moderator"])
def test_add_token_without_admin_is_forbidden(parts: Parts, people: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        accounts.add_token(parts, actor_of(parts, people, who), "news", "viewer")


def test_add_token_by_scorer_is_as_if_nothing_were_there(parts: Parts, people: Any) -> None:
    with pytest.raises(NotFound):
        accounts.add_token(parts, actor_of(parts, people, "scorer"), "news", "viewer")


def test_add_token_unknown_role_is_invalid(parts: Parts, people: Any) -> None:
    with pytest.raises(Invalid) as error:
        accounts.add_token(parts, CLI, "news", "root")
    assert list(error.value.fields) == ["role"]


def test_add_token_repeated_with_same_key_gives_first_answer(parts: Parts, people: Any) -> None:
    admin = actor_of(parts, people, "admin")
    idem = Idempotency("k", b"1" * 32)
    first = accounts.add_token(parts, admin, "news", "viewer", idem=idem)
    again = accounts.add_token(parts, admin, "news", "viewer", idem=idem)
    assert again["token"] == first["token"]
    assert str(again["id"]) == str(first["id"])
    with pytest.raises(Invalid):
        accounts.add_token(parts, admin, "news", "admin", idem=Idempotency("k", b"2" * 32))


def test_list_tokens_shows_own_sites_and_never_a_token(parts: Parts, people: Any) -> None:
    admin = actor_of(parts, people, "admin")
    found = accounts.list_tokens(parts, admin)["items"]
    assert {row["site"] for row in found} == {"news"}
    assert not any("token" in row or "token_hash" in row for row in found)
    everything = accounts.list_tokens(parts, CLI)["items"]
    assert {row["site"] for row in everything} == {"news", "other", "*"}
    with pytest.raises(Forbidden):
        accounts.list_tokens(parts, actor_of(parts, people, "moderator"))


def test_list_tokens_pages_reach_every_token_once(parts: Parts, people: Any) -> None:
    seen, cursor = [], None
    while True:
        answer = accounts.list_tokens(parts, CLI, limit=2, cursor=cursor)
        assert len(answer["items"]) <= 2
        seen += [row["id"] for row in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(people.tokens)


def test_revoke_token_of_another_site_is_as_if_missing(parts: Parts, people: Any) -> None:
    admin = actor_of(parts, people, "admin")
    foreign = accounts.list_tokens(parts, CLI, site_key="other")["items"][0]["id"]
    everywhere = next(row["id"] for row in accounts.list_tokens(parts, CLI)["items"] if row["site"] == "*")
    details = set()
    for token_id in (foreign, everywhere, uuid.uuid4()):
        with pytest.raises(NotFound) as error:
            accounts.revoke_token(parts, admin, token_id)
        details.add(error.value.detail)
    assert len(details) == 1
