"""Sites, threads and rules: who may change them, and that every change counts the version up and is audited."""

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from moderation.domain.actor import CLI, Actor
from moderation.errors import Conflict, Forbidden, Invalid, NotFound
from moderation.services import accounts, automod, sites, trials
from moderation.services.parts import Parts
from moderation.storage import audit
from moderation.storage.db import read, write
from moderation.storage.models import AuditLine, Thread


@pytest.fixture
def admin(parts: Parts, people: Any) -> Actor:
    return accounts.authenticate_token(parts, people.tokens["admin"])


def version(parts: Parts, key: str) -> int:
    return int(sites.show_site(parts, CLI, key)["version"])


def actions() -> list[str]:
    with read() as session:
        return list(session.scalars(select(AuditLine.action).order_by(AuditLine.seq)))


@pytest.mark.parametrize("key", ["", "-news", "News", "news_1", "nëws", "a" * 65, "news\n", "a/b", "٣"])
def test_add_site_bad_key_is_invalid(parts: Parts, key: str) -> None:
    with pytest.raises(Invalid) as error:
        sites.add_site(parts, CLI, key, "", ["https://news.example"])
    assert list(error.value.fields) == ["key"]


def test_add_site_keeps_only_what_differs_from_the_defaults(parts: Parts) -> None:
    made = sites.add_site(parts, CLI, "a" * 64, " The\u202e News ", ["https://N.example", "https://n.example:443"])
    assert made["name"] == "The News"
    assert made["origins"] == ["https://n.example"]
    assert made["settings"]["policy"] == "hold"
    assert sites.show_site(parts, CLI, "a" * 64) == made


def test_add_site_twice_is_a_conflict(parts: Parts, people: Any) -> None:
    with pytest.raises(Conflict):
        sites.add_site(parts, CLI, "news", "", [])


def test_add_site_names_each_bad_origin(parts: Parts) -> None:
    with pytest.raises(Invalid) as error:
        sites.add_site(parts, CLI, "n", "", ["https://a.example", "https://a.example/x", "null"])
    assert sorted(error.value.fields) == ["origins.1", "origins.2"]
    with pytest.raises(Invalid):
        sites.add_site(parts, CLI, "n", "", [f"https://a{n}.example" for n in range(51)])


def test_add_site_by_site_admin_is_forbidden(parts: Parts, admin: Actor) -> None:
    with pytest.raises(Forbidden):
        sites.add_site(parts, admin, "third", "", [])


def test_list_sites_shows_own_ones(parts: Parts, admin: Actor) -> None:
    assert [row["key"] for row in sites.list_sites(parts, admin)["items"]] == ["news"]
    first = sites.list_sites(parts, CLI, limit=1)
    second = sites.list_sites(parts, CLI, limit=1, cursor=first["next"])
    assert [row["key"] for row in (*first["items"], *second["items"])] == ["news", "other"]
    assert second["next"] is None
    with pytest.raises(Invalid):
        sites.list_sites(parts, CLI, cursor="nonsense")


def test_change_site_counts_up_and_audits(parts: Parts, admin: Actor) -> None:
    before = version(parts, "news")
    changed = sites.change_site(parts, admin, "news", settings={"votes": "on"})
    assert changed["settings"]["votes"] is True
    assert changed["settings"]["submit_rate"] == "none"
    assert version(parts, "news") == before + 1
    assert actions()[-1] == "site.change"
    sites.change_site(parts, admin, "news", settings={"votes": True})
    assert version(parts, "news") == before + 1


@pytest.mark.parametrize(
    "changes", [{"nonsense": 1}, {"votes": "perhaps"}, {"submit_rate": "often"}, {"max_depth": 99}]
)
def test_change_site_bad_setting_is_named_and_changes_nothing(
    parts: Parts, admin: Actor, changes: dict[str, Any]
) -> None:
    before = sites.show_site(parts, CLI, "news")
    with pytest.raises(Invalid) as error:
        sites.change_site(parts, admin, "news", name="New", settings=changes)
    assert list(error.value.fields) == [f"settings.{name}" for name in changes]
    assert sites.show_site(parts, CLI, "news") == before


def test_foreign_site_is_as_if_missing(parts: Parts, admin: Actor) -> None:
    details = set()
    for key in ("other", "nowhere"):
        for call in (
            lambda key: sites.show_site(parts, admin, key),
            lambda key: sites.change_site(parts, admin, key, name="x"),
            lambda key: sites.list_rules(parts, admin, key),
            lambda key: sites.list_threads(parts, admin, key),
        ):
            with pytest.raises(NotFound) as error:
                call(key)
            details.add(error.value.detail)
    assert len(details) == 1


def test_change_site_by_moderator_is_forbidden(parts: Parts, people: Any) -> None:
    moderator = accounts.authenticate_token(parts, people.tokens["moderator"])
    with pytest.raises(Forbidden):
        sites.change_site(parts, moderator, "news", name="x")


def test_change_thread_closes_it_and_counts_up(parts: Parts, people: Any) -> None:
    with write() as session:
        thread = Thread(site_id=people.site_id, key="k", created_at=parts.clock())
        session.add(thread)
    moderator = accounts.authenticate_token(parts, people.tokens["moderator"])
    shown = sites.change_thread(parts, moderator, "news", thread.id, open=False, title="A title")
    assert (shown["open"], shown["title"]) == (False, "A title")
    with read() as session:
        assert session.get_one(Thread, thread.id).version == 2
    assert sites.list_threads(parts, moderator, "news")["items"] == [shown]
    stranger = accounts.authenticate_token(parts, people.tokens["stranger"])
    with pytest.raises(NotFound):
        sites.change_thread(parts, stranger, "other", thread.id, open=True)


def test_add_rule_counts_site_up_and_is_found_by_test(parts: Parts, admin: Actor) -> None:
    before = version(parts, "news")
    made = sites.add_rule(parts, admin, "news", "word", "casino", "spam")
    assert version(parts, "news") == before + 1
    signals = trials.try_rules(parts, admin, "news", "The casino of the town")["signals"]
    assert [(signal["name"], signal["forces"]) for signal in signals if signal["weight"]] == [("site_words", "spam")]
    sites.remove_rule(parts, admin, made["id"])
    assert version(parts, "news") == before + 2
    after = trials.try_rules(parts, admin, "news", "The casino of the town")["signals"]
    assert not any(signal["weight"] for signal in after)
    assert actions()[-2:] == ["rule.add", "rule.remove"]


def test_add_rule_for_all_sites_counts_all_up_and_needs_all(parts: Parts, admin: Actor) -> None:
    before = version(parts, "news"), version(parts, "other")
    with pytest.raises(Forbidden):
        sites.add_rule(parts, admin, "*", "word", "casino")
    made = sites.add_rule(parts, CLI, "*", "word", "casino")
    assert made["site"] == "*"
    assert (version(parts, "news"), version(parts, "other")) == (before[0] + 1, before[1] + 1)
    assert trials.try_rules(parts, admin, "news", "casino")["signals"]
    with pytest.raises(NotFound):
        sites.remove_rule(parts, admin, made["id"])


@pytest.mark.parametrize(
    ("kind", "value", "action", "weight", "field"),
    [
        ("pattern", "(?=a)", "score", 0.5, "value"),
        ("pattern", "(a", "score", 0.5, "value"),
        ("word", "", "score", 0.5, "value"),
        ("word", "x" * 501, "score", 0.5, "value"),
        ("nonsense", "a", "score", 0.5, "kind"),
        ("word", "a", "delete", 0.5, "action"),
        ("word", "a", "score", 1.5, "weight"),
        ("word", "a", "score", float("nan"), "weight"),
        ("network", "203.0.113.7", "score", 0.5, "value"),
    ],
)
def test_add_rule_wrong_field_is_named(
    parts: Parts, admin: Actor, kind: str, value: str, action: str, weight: float, field: str
) -> None:
    with pytest.raises(Invalid) as error:
        sites.add_rule(parts, admin, "news", kind, value, action, weight)
    assert list(error.value.fields) == [field]


@pytest.mark.parametrize("site_key", ["news", "*"])
def test_add_rule_twice_is_a_conflict(parts: Parts, people: Any, site_key: str) -> None:
    sites.add_rule(parts, CLI, site_key, "domain", "casino.example")
    with pytest.raises(Conflict):
        sites.add_rule(parts, CLI, site_key, "domain", "casino.example")


def test_add_rule_one_pattern_too_many_is_a_conflict(
    parts: Parts, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sites.MAX_RULES, "pattern", 1)
    sites.add_rule(parts, admin, "news", "pattern", "a+b")
    with pytest.raises(Conflict):
        sites.add_rule(parts, admin, "news", "pattern", "a+c")


def test_remove_rule_of_another_site_is_as_if_missing(parts: Parts, admin: Actor) -> None:
    foreign = sites.add_rule(parts, CLI, "other", "word", "casino")["id"]
    details = set()
    for rule_id in (foreign, uuid.uuid4()):
        with pytest.raises(NotFound) as error:
            sites.remove_rule(parts, admin, rule_id)
        details.add(error.value.detail)
    assert len(details) == 1


def test_set_up_leaves_an_audit_chain_that_holds(parts: Parts, admin: Actor) -> None:
    sites.add_rule(parts, admin, "news", "word", "casino")
    sites.change_site(parts, admin, "news", origins=["https://new.example"])
    with read() as session:
        assert audit.verify(session, parts.vault.audit_key) == []


def test_change_site_that_somebody_else_changed_is_a_conflict(parts: Parts, people: Any) -> None:
    """Two admins with the same page open do not undo one another."""
    seen = version(parts, "news")
    sites.change_site(parts, CLI, "news", name="First", expected_version=seen)
    with pytest.raises(Conflict):
        sites.change_site(parts, CLI, "news", name="Second", expected_version=seen)
    assert sites.show_site(parts, CLI, "news")["name"] == "First"
    sites.change_site(parts, CLI, "news", name="Second", expected_version=seen + 1)


def test_change_site_names_all_that_is_wrong_at_once(parts: Parts, people: Any) -> None:
    with pytest.raises(Invalid) as error:
        sites.change_site(parts, CLI, "news", name="n" * 201, origins=["no"], settings={"max_depth": 0})
    assert set(error.value.fields) == {"name", "origins.0", "settings.max_depth"}


def test_put_automod_over_a_text_that_moved_on_is_a_conflict(parts: Parts, people: Any) -> None:
    text = "body: [a]\naction: filter\n"
    assert automod.put_automod(parts, CLI, "news", text, expected_version=0)["version"] == 1
    with pytest.raises(Conflict):
        automod.put_automod(parts, CLI, "news", text, expected_version=0)
    assert automod.put_automod(parts, CLI, "news", text, expected_version=1)["version"] == 2
