"""Logging in: sessions are new, hashed and end; guessing is slow; the owner is not locked out by a guesser."""

from typing import Any

import pytest
from sqlalchemy import select

from moderation.domain.actor import CLI, Role
from moderation.errors import Forbidden, Invalid, RateLimited, Unauthenticated
from moderation.services import accounts
from moderation.services.parts import Parts
from moderation.storage.db import read
from moderation.storage.models import LoginSession

PASSWORD = "a long enough pass phrase"
HOME, ELSEWHERE = b"h" * 16, b"e" * 16


@pytest.fixture
def ana(parts: Parts, people: Any) -> Any:
    return accounts.add_moderator(parts, CLI, "Ana", PASSWORD, "moderator", "news")


def test_log_in_gives_new_session_each_time(parts: Parts, ana: Any, people: Any) -> None:
    first, actor = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    second, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    assert first != second
    assert actor.key == f"moderator:{ana['id']}"
    known = accounts.session_actor(parts, first)
    assert known is not None
    assert known.may(people.site_id, Role.MODERATOR)
    with read() as session:
        hashes = session.scalars(select(LoginSession.token_hash)).all()
    assert set(hashes) == {parts.vault.token_hash(first), parts.vault.token_hash(second)}


def test_log_in_wrong_answers_are_alike(parts: Parts, ana: Any) -> None:
    accounts.add_moderator(parts, CLI, "Bea", PASSWORD, "viewer", "news")
    bea = accounts.find_moderator(parts, CLI, "Bea")
    accounts.change_moderator(parts, CLI, bea["id"], disabled=True)
    details = set()
    for name, password in (("Ana", "wrong"), ("Nobody", PASSWORD), ("Bea", PASSWORD), ("", ""), ("\ud800", "x")):
        with pytest.raises(Unauthenticated) as error:
            accounts.log_in(parts, name, password, HOME)
        details.add(error.value.detail)
    assert len(details) == 1


def test_log_in_unknown_name_takes_the_same_work(parts: Parts, ana: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    original = type(parts.passwords).verify

    def verify(self: Any, hash: str | None, password: str) -> bool:
        verified.append(hash is None)
        return original(self, hash, password)

    monkeypatch.setattr(type(parts.passwords), "verify", verify)
    for name in ("Ana", "Nobody"):
        with pytest.raises(Unauthenticated):
            accounts.log_in(parts, name, "wrong", HOME)
    assert verified == [False, True]


def test_log_in_guessed_from_one_network_is_slowed(
    parts: Parts, ana: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "PAIR_RATE", "2/minute")
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            accounts.log_in(parts, "Ana", "wrong", ELSEWHERE)
    with pytest.raises(RateLimited) as limited:
        accounts.log_in(parts, "Ana", PASSWORD, ELSEWHERE)
    assert 1 <= limited.value.retry_after_s <= 60
    accounts.log_in(parts, "Ana", PASSWORD, HOME)
    clock.move(seconds=61)
    accounts.log_in(parts, "Ana", PASSWORD, ELSEWHERE)


def test_log_in_guessed_from_many_networks_does_not_lock_out_the_owner(
    parts: Parts, ana: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "ACCOUNT_RATE", "2/hour")
    accounts.log_in(parts, "Ana", PASSWORD, HOME)
    with pytest.raises(Unauthenticated):
        accounts.log_in(parts, "Ana", "wrong", b"1" * 16)
    with pytest.raises(RateLimited):
        accounts.log_in(parts, "Ana", "wrong", b"2" * 16)
    accounts.log_in(parts, "Ana", PASSWORD, HOME)


def test_session_ends_by_time_log_out_and_password(parts: Parts, ana: Any, clock: Any) -> None:
    timed, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    clock.move(hours=parts.settings.session_hours, seconds=-1)
    assert accounts.session_actor(parts, timed) is not None
    clock.move(seconds=1)
    assert accounts.session_actor(parts, timed) is None
    left, actor = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    accounts.log_out(parts, left)
    accounts.log_out(parts, left)
    assert accounts.session_actor(parts, left) is None
    changed, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    accounts.change_password(parts, actor, PASSWORD, "another good pass phrase")
    assert accounts.session_actor(parts, changed) is None
    accounts.log_in(parts, "Ana", "another good pass phrase", HOME)


@pytest.mark.parametrize("cookie", ["", "x", "a" * 64, "\ud800"])
def test_session_unknown_is_nobody(parts: Parts, cookie: str) -> None:
    assert accounts.session_actor(parts, cookie) is None


def test_session_of_disabled_or_removed_moderator_ends_at_once(parts: Parts, ana: Any) -> None:
    cookie, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    accounts.change_moderator(parts, CLI, ana["id"], disabled=True)
    assert accounts.session_actor(parts, cookie) is None
    accounts.change_moderator(parts, CLI, ana["id"], disabled=False)
    assert accounts.session_actor(parts, cookie) is None
    cookie, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    accounts.remove_moderator(parts, CLI, ana["id"])
    assert accounts.session_actor(parts, cookie) is None


def test_change_password_asks_for_the_present_one_and_a_strong_one(parts: Parts, ana: Any) -> None:
    cookie, actor = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    with pytest.raises(Invalid) as wrong:
        accounts.change_password(parts, actor, "wrong", "another good pass phrase")
    with pytest.raises(Invalid) as weak:
        accounts.change_password(parts, actor, PASSWORD, "short")
    assert (list(wrong.value.fields), list(weak.value.fields)) == (["current_password"], ["password"])
    assert accounts.session_actor(parts, cookie) is not None
    with pytest.raises(Forbidden):
        accounts.change_password(parts, CLI, PASSWORD, "another good pass phrase")
