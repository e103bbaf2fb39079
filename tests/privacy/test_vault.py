"""Sealed values open in one place alone, indexes tell nothing across sites, tokens hold for one purpose."""

import re
import uuid
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.adapters.vault import Vault
from moderation.errors import Bug
from moderation.settings import Settings

SITE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
PLACE: dict[str, Any] = {"table": "comments", "column": "email_sealed", "row_id": uuid.UUID(int=3), "site_id": SITE}
OLD, NEW = ("k1", bytes(range(32))), ("k2", bytes(range(1, 33)))
SETTINGS = Settings(
    home=Path("var"),
    database_url="sqlite:///x",
    public_url="http://127.0.0.1",
    secret_key=bytes(range(2, 34)),
    encryption_keys=(OLD,),
    index_key=bytes(range(3, 35)),
)
VAULT = Vault(SETTINGS)
ROTATED = Vault(replace(SETTINGS, encryption_keys=(NEW, OLD)))


@given(st.binary(max_size=500))
def test_open_of_sealed_value_returns_it(plain: bytes) -> None:
    sealed = VAULT.seal(plain, **PLACE)
    assert VAULT.open(sealed, **PLACE) == plain
    assert len(sealed) == len(plain) + 29 + len("k1")


def test_seal_of_same_value_twice_differs() -> None:
    assert VAULT.seal(b"ana@example.org", **PLACE) != VAULT.seal(b"ana@example.org", **PLACE)


def test_seal_shows_neither_value_nor_place() -> None:
    sealed = VAULT.seal(b"ana@example.org", **PLACE)
    assert b"ana" not in sealed
    assert b"comments" not in sealed


def test_open_with_any_byte_changed_raises_bug() -> None:
    sealed = VAULT.seal(b"ana@example.org", **PLACE)
    for position in range(len(sealed)):
        for change in (0x01, 0x80):
            changed = bytearray(sealed)
            changed[position] ^= change
            with pytest.raises(Bug):
                VAULT.open(bytes(changed), **PLACE)


@given(st.data())
def test_open_of_cut_value_raises_bug(data: st.DataObject) -> None:
    sealed = VAULT.seal(b"ana@example.org", **PLACE)
    with pytest.raises(Bug):
        VAULT.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))], **PLACE)


@given(st.binary(max_size=100))
def test_open_of_nonsense_raises_bug_without_it(sealed: bytes) -> None:
    with pytest.raises(Bug) as caught:
        VAULT.open(b"k1:" + sealed, **PLACE)
    assert str(caught.value) == "A sealed value of comments.email_sealed was changed or belongs elsewhere."
    with pytest.raises(Bug):
        VAULT.open(sealed, **PLACE)


@pytest.mark.parametrize(
    "other",
    [
        {"table": "endpoints"},
        {"column": "ip"},
        {"row_id": uuid.UUID(int=4)},
        {"site_id": OTHER},
        {"table": "comments\0email_sealed", "column": ""},
        {"row_id": SITE, "site_id": uuid.UUID(int=3)},
    ],
)
def test_open_in_another_place_raises_bug(other: dict[str, Any]) -> None:
    sealed = VAULT.seal(b"ana@example.org", **PLACE)
    with pytest.raises(Bug):
        VAULT.open(sealed, **PLACE | other)


def test_open_under_another_key_of_same_id_raises_bug() -> None:
    stranger = Vault(replace(SETTINGS, encryption_keys=(("k1", NEW[1]),)))
    with pytest.raises(Bug):
        stranger.open(VAULT.seal(b"ana@example.org", **PLACE), **PLACE)


def test_open_with_key_id_swapped_raises_bug() -> None:
    same_key_twice = Vault(replace(SETTINGS, encryption_keys=(("k1", OLD[1]), ("k2", OLD[1]))))
    sealed = same_key_twice.seal(b"ana@example.org", **PLACE)
    with pytest.raises(Bug):
        same_key_twice.open(b"k2" + sealed[2:], **PLACE)


def test_open_after_rotation_still_opens_old_values() -> None:
    assert ROTATED.open(VAULT.seal(b"ana@example.org", **PLACE), **PLACE) == b"ana@example.org"


def test_open_after_key_was_dropped_raises_bug_naming_the_setting() -> None:
    dropped = Vault(replace(SETTINGS, encryption_keys=(NEW,)))
    with pytest.raises(Bug, match="ENCRYPTION_KEYS"):
        dropped.open(VAULT.seal(b"ana@example.org", **PLACE), **PLACE)


def test_reseal_of_old_value_moves_it_to_current_key() -> None:
    old = VAULT.seal(b"ana@example.org", **PLACE)
    new = ROTATED.reseal(old, **PLACE)
    assert new is not None
    assert (ROTATED.key_id_of(old), ROTATED.key_id_of(new)) == ("k1", "k2")
    assert ROTATED.open(new, **PLACE) == b"ana@example.org"
    assert ROTATED.reseal(new, **PLACE) is None


def test_reseal_of_value_from_elsewhere_raises_bug() -> None:
    with pytest.raises(Bug):
        ROTATED.reseal(VAULT.seal(b"ana@example.org", **PLACE), **PLACE | {"site_id": OTHER})


@given(st.emails())
def test_blind_index_finds_on_one_site_and_differs_across_sites_and_keys(email: str) -> None:
    index = VAULT.blind_index(SITE, email)
    assert index == Vault(SETTINGS).blind_index(SITE, email)
    assert len(index) == 16
    assert index != VAULT.blind_index(OTHER, email)
    assert index != Vault(replace(SETTINGS, index_key=bytes(range(4, 36)))).blind_index(SITE, email)


def test_blind_index_survives_rotation_of_encryption_keys() -> None:
    assert ROTATED.blind_index(SITE, "ana@example.org") == VAULT.blind_index(SITE, "ana@example.org")


def test_hashes_of_same_text_for_different_purposes_differ() -> None:
    text = "203.0.113.77"
    hashes = {
        VAULT.blind_index(SITE, text),
        VAULT.network_key(SITE, text, date(2026, 11, 23)),
        VAULT.reader_key(SITE, text, ""),
    }
    assert len(hashes) == 3


def test_network_key_of_same_address_holds_for_a_day_and_a_site() -> None:
    today = date(2026, 11, 23)
    key = VAULT.network_key(SITE, "203.0.113.77", today)
    assert key == VAULT.network_key(SITE, "::ffff:203.0.113.77", today)
    assert key != VAULT.network_key(SITE, "203.0.113.77", today + timedelta(days=1))
    assert key != VAULT.network_key(OTHER, "203.0.113.77", today)
    assert key != VAULT.network_key(SITE, "203.0.113.78", today)


def test_network_key_of_nonsense_is_one_bucket() -> None:
    today = date(2026, 11, 23)
    assert VAULT.network_key(SITE, "garbage", today) == VAULT.network_key(SITE, "other garbage", today)


@given(st.text(), st.text(max_size=600))
def test_reader_key_of_any_browser_is_stable(network: str, user_agent: str) -> None:
    assert VAULT.reader_key(SITE, network, user_agent) == VAULT.reader_key(SITE, network, user_agent)
    assert VAULT.reader_key(SITE, network, user_agent) != VAULT.reader_key(OTHER, network, user_agent)


def test_reader_key_of_lone_surrogate_is_made() -> None:
    assert len(VAULT.reader_key(SITE, "203.0.113.0/24", "\ud800")) == 16


def test_avatar_key_is_short_url_safe_and_of_one_site() -> None:
    key = VAULT.avatar_key(SITE, b"ana@example.org")
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", key)
    assert key != VAULT.avatar_key(OTHER, b"ana@example.org")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_unsign_of_signed_payload_returns_it_for_its_purpose_alone(payload: str) -> None:
    token = VAULT.sign("edit", payload)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    assert VAULT.unsign("edit", token) == payload
    assert VAULT.unsign("author", token) is None
    assert Vault(replace(SETTINGS, secret_key=bytes(range(9, 41)))).unsign("edit", token) is None


def test_unsign_with_any_character_changed_is_none() -> None:
    token = VAULT.sign("edit", "0192f0c1-2b7e-7c3a-9d55-0123456789ab")
    for position, char in enumerate(token):
        for other in "AQgw_.=é":
            if other != char:
                assert VAULT.unsign("edit", token[:position] + other + token[position + 1 :]) is None
    for other in (token + "=", token + "A", token + ".", "." + token, token[:-1], token + "\n", token.swapcase()):
        assert VAULT.unsign("edit", other) is None


@given(st.text(alphabet=st.characters(), max_size=200))
def test_unsign_of_anything_is_none_and_never_raises(token: str) -> None:
    assert VAULT.unsign("edit", token) is None


@pytest.mark.parametrize("token", ["", ".", "..", "\ud800", "é.é", "a" * 10_000_000, "." * 4_096, "\x00"])
def test_unsign_of_hostile_text_is_none(token: str) -> None:
    assert VAULT.unsign("edit", token) is None


def test_sign_of_absurdly_long_payload_raises_bug() -> None:
    with pytest.raises(Bug):
        VAULT.sign("edit", "x" * 4_096)


def test_new_token_is_long_plain_and_never_the_same() -> None:
    tokens = {VAULT.new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(re.fullmatch(r"cm[a-z0-9]{40}", token) for token in tokens)


def test_token_hash_of_anything_has_32_bytes() -> None:
    assert len(VAULT.token_hash("cm0")) == len(VAULT.token_hash("\ud800é")) == 32
    assert VAULT.token_hash("cm0") != VAULT.token_hash("cm1")


def test_repr_of_vault_and_settings_shows_no_key() -> None:
    shown = repr(VAULT) + repr(SETTINGS)
    assert repr(OLD[1]) not in shown
    assert repr(SETTINGS.secret_key) not in shown
