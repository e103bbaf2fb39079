"""Moderators: nobody can give, take or set what is not theirs."""

import uuid
from typing import Any

import pytest

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from moderation.services import accounts
from moderation.services.parts import Parts

PASSWORD = "a long enough pass phrase"


@pytest.fixture
def admin(parts: Parts, people: Any) -> Actor:
    return accounts.authenticate_token(parts, people.tokens["admin"])


@pytest.fixture
def shared(parts: Parts, people: Any) -> Any:
    """A person who works on both sites."""
    made = accounts.add_moderator(parts, CLI, "Shared", PASSWORD, "moderator", "news")
    return accounts.change_moderator(parts, CLI, made["id"], roles={"other": "viewer"})


def test_add_moderator_without_password_makes_one_once(parts: Parts, admin: Actor) -> None:
    made = accounts.add_moderator(parts, admin, "Ana", None, "moderator", "news")
    accounts.log_in(parts, "Ana", made["password"], b"n" * 16)
    assert "password" not in accounts.list_moderators(parts, admin)["items"][0]


@pytest.mark.parametrize(
    ("name", "password", "role", "field"),
    [
        ("", PASSWORD, "viewer", "name"),
        ("x" * 101, PASSWORD, "viewer", "name"),
        ("Ana", "short", "viewer", "password"),
        ("Ana", PASSWORD, "scorer", "role"),
        ("Ana", PASSWORD, "owner", "role"),
    ],
)
def test_add_moderator_wrong_field_is_named(
    parts: Parts, admin: Actor, name: str, password: str, role: str, field: str
) -> None:
    with pytest.raises(Invalid) as error:
        accounts.add_moderator(parts, admin, name, password, role, "news")
    assert list(error.value.fields) == [field]


def test_add_moderator_twice_is_a_conflict(parts: Parts, admin: Actor) -> None:
    accounts.add_moderator(parts, admin, "Ana", PASSWORD, "viewer", "news")
    with pytest.raises(Conflict):
        accounts.add_moderator(parts, admin, "Ana", PASSWORD, "admin", "news")


def test_add_moderator_by_site_admin_stays_on_own_site(parts: Parts, admin: Actor) -> None:
    with pytest.raises(NotFound):
        accounts.add_moderator(parts, admin, "Ana", PASSWORD, "viewer", "other")
    with pytest.raises(Forbidden):
        accounts.add_moderator(parts, admin, "Ana", PASSWORD, "viewer", "*")


def test_list_moderators_shows_roles_on_own_sites_alone(parts: Parts, admin: Actor, shared: Any) -> None:
    accounts.add_moderator(parts, CLI, "Stranger", PASSWORD, "admin", "other")
    found = accounts.list_moderators(parts, admin)["items"]
    assert [(row["name"], row["roles"]) for row in found] == [("Shared", [{"site": "news", "role": "moderator"}])]
    everyone = accounts.list_moderators(parts, CLI)["items"]
    assert [row["name"] for row in everyone] == ["Shared", "Stranger"]
    assert len(everyone[0]["roles"]) == 2


def test_change_moderator_who_works_elsewhere_needs_admin_everywhere(parts: Parts, admin: Actor, shared: Any) -> None:
    for change in ({"password": "another good pass phrase"}, {"disabled": True}):
        with pytest.raises(Forbidden):
            accounts.change_moderator(parts, admin, shared["id"], **change)
    with pytest.raises(Forbidden):
        accounts.remove_moderator(parts, admin, shared["id"])
    accounts.log_in(parts, "Shared", PASSWORD, b"n" * 16)


def test_change_moderator_takes_own_role_away_and_leaves_the_others(parts: Parts, admin: Actor, shared: Any) -> None:
    accounts.change_moderator(parts, admin, shared["id"], roles={"news": None})
    assert accounts.find_moderator(parts, CLI, "Shared")["roles"] == [{"site": "other", "role": "viewer"}]
    with pytest.raises(NotFound):
        accounts.change_moderator(parts, admin, shared["id"], roles={"news": "viewer"})


def test_change_moderator_to_foreign_site_is_refused_whole(parts: Parts, admin: Actor, shared: Any) -> None:
    with pytest.raises(NotFound):
        accounts.change_moderator(parts, admin, shared["id"], roles={"news": "viewer", "other": "admin"})
    roles = {role["site"]: role["role"] for role in accounts.find_moderator(parts, CLI, "Shared")["roles"]}
    assert roles == {"news": "moderator", "other": "viewer"}


def test_change_moderator_role_ends_sessions(parts: Parts, shared: Any) -> None:
    cookie, _ = accounts.log_in(parts, "Shared", PASSWORD, b"n" * 16)
    accounts.change_moderator(parts, CLI, shared["id"], roles={"news": "viewer"})
    assert accounts.session_actor(parts, cookie) is None


def test_moderator_of_another_site_is_as_if_missing(parts: Parts, admin: Actor) -> None:
    stranger = accounts.add_moderator(parts, CLI, "Stranger", PASSWORD, "viewer", "other")
    details = set()
    for moderator_id in (stranger["id"], uuid.uuid4()):
        with pytest.raises(NotFound) as error:
            accounts.remove_moderator(parts, admin, moderator_id)
        details.add(error.value.detail)
    for name in ("Stranger", "Nobody"):
        with pytest.raises(NotFound) as error:
            accounts.find_moderator(parts, admin, name)
        details.add(error.value.detail)
    assert len(details) == 1


def test_change_or_remove_oneself_is_refused(parts: Parts, people: Any) -> None:
    """Whoever locks themselves out may be the last admin."""
    made = accounts.add_moderator(parts, CLI, "ada", "nine lamps over the harbour", "admin", "news")
    me = Actor("moderator", str(made["id"]), "ada", {people.site_id: Role.ADMIN})
    for change in ({"disabled": True}, {"roles": {"news": None}}, {"password": "another one of the lamps"}):
        with pytest.raises(Conflict):
            accounts.change_moderator(parts, me, made["id"], **change)
    with pytest.raises(Conflict):
        accounts.remove_moderator(parts, me, made["id"])
    assert accounts.show_moderator(parts, me, made["id"])["roles"] == [{"site": "news", "role": "admin"}]


def test_show_moderator_has_the_roles_on_ones_own_sites_alone(parts: Parts, people: Any) -> None:
    made = accounts.add_moderator(parts, CLI, "vera", "nine lamps over the harbour", "viewer", "news")
    accounts.change_moderator(parts, CLI, made["id"], roles={"other": "admin"})
    ada = Actor("moderator", "a", "ada", {people.site_id: Role.ADMIN})
    shown = accounts.show_moderator(parts, ada, made["id"])
    assert shown["roles"] == [{"site": "news", "role": "viewer"}]
    assert shown["all_sites"] is False
    assert accounts.show_moderator(parts, CLI, made["id"])["all_sites"] is True
    mira = Actor("moderator", "m", "mira", {people.site_id: Role.MODERATOR})
    with pytest.raises(NotFound):
        accounts.show_moderator(parts, mira, made["id"])


def test_change_password_slows_down_who_guesses_the_present_one(parts: Parts, people: Any) -> None:
    made = accounts.add_moderator(parts, CLI, "ada", "nine lamps over the harbour", "admin", "news")
    me = Actor("moderator", str(made["id"]), "ada", {people.site_id: Role.ADMIN})
    for _ in range(10):
        with pytest.raises(Invalid):
            accounts.change_password(parts, me, "guessed", "a new and long password")
    with pytest.raises(RateLimited):
        accounts.change_password(parts, me, "nine lamps over the harbour", "a new and long password")
