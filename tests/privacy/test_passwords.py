"""Passwords of moderators: Argon2id, the same work for nobody, no weak ones."""

import time
import unicodedata
from contextlib import suppress

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from moderation.adapters.passwords import Passwords, check_strength
from moderation.errors import Invalid

PASSWORDS = Passwords()
GOOD = "correct horse battery staple"
HASH = PASSWORDS.hash(GOOD)


def test_verify_of_right_password_is_true() -> None:
    assert PASSWORDS.verify(HASH, GOOD) is True


@pytest.mark.parametrize("wrong", ["", GOOD + " ", GOOD.upper(), "\ud800", "x" * 1_000_000, "\x00"])
def test_verify_of_wrong_password_is_false(wrong: str) -> None:
    assert PASSWORDS.verify(HASH, wrong) is False


@pytest.mark.parametrize("broken", ["", "not a hash", "$argon2id$v=19$m=19456,t=2,p=1$", "é"])
def test_verify_with_broken_hash_is_false(broken: str) -> None:
    assert PASSWORDS.verify(broken, GOOD) is False


def test_verify_of_composed_and_decomposed_letters_is_the_same_password() -> None:
    password = "zu\u0308rich \ufb01nds a way"
    assert PASSWORDS.verify(PASSWORDS.hash(password), unicodedata.normalize("NFKC", password))


def test_verify_for_nobody_is_false_and_does_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    original = PasswordHasher.verify

    def watched(self: PasswordHasher, hash: str, password: bytes) -> bool:
        checked.append(extract_parameters(hash))
        return bool(original(self, hash, password))

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    assert PASSWORDS.verify(None, GOOD) is False
    assert PASSWORDS.verify(HASH, "wrong") is False
    assert checked[0] == checked[1]


def test_hash_is_argon2id_with_at_least_19_mib_and_two_passes() -> None:
    costs = extract_parameters(HASH)
    assert costs.type is Type.ID
    assert (costs.memory_cost >= 19 * 1024, costs.time_cost >= 2, costs.parallelism >= 1) == (True, True, True)
    assert PASSWORDS.hash(GOOD) != HASH


def test_hash_takes_a_moment_and_not_a_second() -> None:
    started = time.process_time()
    PASSWORDS.hash(GOOD)
    assert 0.003 < time.process_time() - started < 1


def test_needs_rehash_of_weaker_or_broken_hash_is_true() -> None:
    weaker = PasswordHasher(1, 8, 1).hash(GOOD)
    assert (PASSWORDS.needs_rehash(HASH), PASSWORDS.needs_rehash(weaker), PASSWORDS.needs_rehash("é")) == (
        False,
        True,
        True,
    )
    assert PASSWORDS.verify(weaker, GOOD)


@pytest.mark.parametrize(
    "password",
    [GOOD, "vX2#kQ9!mZ4p", "пароль для модератора", "日本語のとても長い合言葉です", "x" * 3 + "Wq7 lamp rug"],
)
def test_check_strength_of_good_password_passes(password: str) -> None:
    check_strength(password, name="rosa")
    assert PASSWORDS.verify(PASSWORDS.hash(password), password)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", "at least 12"),
        ("elevenchars", "at least 12"),
        ("x" * 1_001, "at most 1000"),
        ("e\u0301" * 600, "at most 1000"),
        ("a" * 12, "repeats"),
        ("abababababab", "repeats"),
        ("abcdefghijkl", "repeats"),
        ("123456789012", "repeats"),
        ("987654321098", "repeats"),
        ("passwordpassword", "repeats"),
        ("abc1abc1abc1", "repeats"),
        ("aabbaabbaabb", "repeats"),
        ("rosa.martinez", "user name"),
        ("Rosa.Martinez1!", "user name"),
        ("rosa.martinezROSA.martinez99", "user name"),
    ],
)
def test_check_strength_of_weak_password_says_why(password: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_strength(password, name="Rosa.Martinez")
    assert any(said in message for message in caught.value.fields["password"])
    assert not password or password not in str(caught.value.fields)


@given(st.text())
def test_check_strength_of_anything_passes_or_refuses(password: str) -> None:
    with suppress(Invalid):
        check_strength(password, name="")
        assert len(set(unicodedata.normalize("NFKC", password))) >= 5
