"""Lists of words and rules in YAML as they are kept: who may, what is refused, and that comments are judged by them."""

import random
import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Conflict, Forbidden, Invalid, NotFound
from moderation.services import automod, sites, trials, word_lists
from moderation.services.parts import Parts
from moderation.storage import audit, decisions
from moderation.storage.db import db, read
from moderation.storage.models import AuditLine, Comment

YAML = "body: casino\naction: filter\naction_reason: 'Says {{match}}.'\n"


@pytest.fixture
def admin(people: Any) -> Actor:
    return Actor("moderator", "one", "One", {people.site_id: Role.ADMIN})


@pytest.fixture
def moderator(people: Any) -> Actor:
    return Actor("moderator", "two", "Two", {people.site_id: Role.MODERATOR})


def entries(parts: Parts, name: str, site: str = "news") -> list[str]:
    return str(word_lists.show_list(parts, CLI, site, name)["text"]).split("\n")


def said(parts: Parts, text: str, site: str = "news", **options: Any) -> list[tuple[str, float, str | None]]:
    signals = trials.try_rules(parts, CLI, site, text, **options)["signals"]
    return [(signal["name"], signal["weight"], signal["forces"]) for signal in signals]


def test_put_list_then_its_words_count(parts: Parts, admin: Actor) -> None:
    before = sites.show_site(parts, CLI, "news")["version"]
    made = word_lists.put_list(parts, admin, "news", "rude", "casino\nfree money\t0.2\na*b", action="hold", weight=0.4)
    assert (made["size"], made["added"], made["version"], made["site"]) == (2, 2, 1, "news")
    assert made["refused"] == [{"line": 3, "why": made["refused"][0]["why"]}]
    assert sites.show_site(parts, CLI, "news")["version"] == before + 1
    assert said(parts, "free money") == [("site_words", 0.2, "hold")]
    assert said(parts, "casino", "other") == []


def test_put_list_again_replaces_or_adds_and_keeps_options(parts: Parts, admin: Actor) -> None:
    word_lists.put_list(parts, admin, "news", "rude", "a1\nb1\t0.1", action="spam", language="de", match="exact")
    added = word_lists.put_list(parts, admin, "news", "rude", "b1\t0.3\nc1", replace=False)
    assert (added["size"], added["added"], added["removed"], added["version"]) == (3, 1, 0, 2)
    assert (added["action"], added["language"], added["match"]) == ("spam", "de", "exact")
    assert entries(parts, "rude") == ["a1", "b1\t0.3", "c1"]
    replaced = word_lists.put_list(parts, admin, "news", "rude", "d1", language="")
    assert (replaced["added"], replaced["removed"], replaced["language"]) == (1, 3, None)
    assert entries(parts, "rude") == ["d1"]
    assert said(parts, "a1") == []
    assert said(parts, "d1") == [("site_words", 0.5, "spam")]


def test_show_list_text_is_read_again_as_it_was(parts: Parts, admin: Actor) -> None:
    word_lists.put_list(parts, admin, "news", "rude", "\\#tag\nfree money\t0.25\nKöln")
    shown = word_lists.show_list(parts, admin, "news", "rude")["text"]
    assert shown == "\\#tag\nfree money\t0.25\nKöln"
    again = word_lists.put_list(parts, admin, "news", "rude", shown)
    assert (again["size"], again["added"], again["removed"]) == (3, 0, 0)


def test_put_list_dry_run_changes_nothing(parts: Parts, admin: Actor) -> None:
    word_lists.put_list(parts, admin, "news", "rude", "a1\nb1")
    tried = word_lists.put_list(parts, admin, "news", "rude", "b1\nc1", dry_run=True)
    assert (tried["size"], tried["added"], tried["removed"]) == (2, 1, 1)
    assert entries(parts, "rude") == ["a1", "b1"]


def test_put_list_for_all_sites_counts_on_each(parts: Parts, people: Any) -> None:
    word_lists.put_list(parts, CLI, "*", "everywhere", "casino")
    assert said(parts, "casino") == said(parts, "casino", "other") == [("site_words", 0.5, None)]
    assert word_lists.list_lists(parts, CLI, "news")["items"] == []
    assert [one["site"] for one in word_lists.list_lists(parts, CLI, "*")["items"]] == ["*"]
    word_lists.remove_list(parts, CLI, "*", "everywhere")
    assert said(parts, "casino") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "No blanks"}, "name"),
        ({"action": "delete"}, "action"),
        ({"weight": 2.0}, "weight"),
        ({"language": "german"}, "language"),
        ({"match": "loose"}, "match"),
        ({"text": "a*b\n"}, "text"),
        ({"text": "x" * 2_000_001}, "text"),
    ],
)
def test_put_list_that_is_wrong_names_the_field(parts: Parts, people: Any, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        word_lists.put_list(parts, CLI, "news", **{"name": "rude", "text": "fine", **changes})
    assert list(caught.value.fields) == [field]


def test_put_one_list_or_entry_too_many_is_a_conflict(
    parts: Parts, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_lists, "MAX_LISTS", 2)
    monkeypatch.setattr(word_lists, "MAX_ENTRIES_OF_SITE", 5)
    word_lists.put_list(parts, CLI, "news", "one", "a1\nb1")
    word_lists.put_list(parts, CLI, "news", "two", "c1\nd1")
    with pytest.raises(Conflict):
        word_lists.put_list(parts, CLI, "news", "three", "e1")
    with pytest.raises(Conflict):
        word_lists.put_list(parts, CLI, "news", "two", "c1\nd1\ne1\nf1")
    word_lists.put_list(parts, CLI, "other", "three", "e1")


def test_lists_and_yaml_of_a_foreign_site_are_as_if_missing(parts: Parts, people: Any, admin: Actor) -> None:
    stranger = Actor("moderator", "far", "Far", {people.other_id: Role.ADMIN})
    word_lists.put_list(parts, admin, "news", "rude", "casino")
    automod.put_automod(parts, admin, "news", YAML)
    rule = sites.add_rule(parts, CLI, "news", "word", "casino")["id"]
    tried = trials.Tried(rule={"kind": "word", "value": "x1"})
    details = set()
    for key in ("news", "nowhere"):
        for call in (
            lambda key: word_lists.put_list(parts, stranger, key, "rude", "x1"),
            lambda key: word_lists.list_lists(parts, stranger, key),
            lambda key: word_lists.show_list(parts, stranger, key, "rude"),
            lambda key: word_lists.remove_list(parts, stranger, key, "rude"),
            lambda key: automod.put_automod(parts, stranger, key, YAML),
            lambda key: automod.show_automod(parts, stranger, key),
            lambda key: automod.remove_automod(parts, stranger, key),
            lambda key: trials.backtest(parts, stranger, key, tried),
            lambda key: trials.try_rules(parts, stranger, key, "casino"),
        ):
            with pytest.raises(NotFound) as error:
                call(key)
            details.add(error.value.detail)
    assert len(details) == 1
    with pytest.raises(NotFound):
        word_lists.show_list(parts, stranger, "other", "rude")
    with pytest.raises(NotFound):
        trials.backtest(parts, stranger, "other", trials.Tried(stored=rule))
    with pytest.raises(Forbidden):
        word_lists.put_list(parts, admin, "*", "rude", "x1")


def test_moderator_reads_lists_and_yaml_and_changes_none(parts: Parts, admin: Actor, moderator: Actor) -> None:
    word_lists.put_list(parts, admin, "news", "rude", "casino")
    automod.put_automod(parts, admin, "news", YAML)
    assert word_lists.show_list(parts, moderator, "news", "rude")["text"] == "casino"
    assert automod.show_automod(parts, moderator, "news")["text"] == YAML
    for call in (
        lambda: word_lists.put_list(parts, moderator, "news", "rude", "x1"),
        lambda: word_lists.remove_list(parts, moderator, "news", "rude"),
        lambda: automod.put_automod(parts, moderator, "news", YAML),
        lambda: automod.remove_automod(parts, moderator, "news"),
    ):
        with pytest.raises(Forbidden):
            call()


def test_changes_are_audited_without_the_words(parts: Parts, admin: Actor) -> None:
    word_lists.put_list(parts, admin, "news", "rude", "casino")
    word_lists.remove_list(parts, admin, "news", "rude")
    automod.put_automod(parts, admin, "news", YAML)
    automod.remove_automod(parts, admin, "news")
    with read() as session:
        lines = session.scalars(select(AuditLine).order_by(AuditLine.seq)).all()[-4:]
        assert audit.verify(session, parts.vault.audit_key) == []
    assert [line.action for line in lines] == ["word_list.put", "word_list.remove", "automod.put", "automod.remove"]
    assert "casino" not in repr([line.data for line in lines])


def test_import_fifty_thousand_lines_in_seconds_and_judge_by_them(parts: Parts, people: Any) -> None:
    letters = random.Random(3)
    words = ["".join(letters.choices("abcdefghijklmnop", k=9)) for _ in range(50_000)]
    began = time.process_time()
    made = word_lists.put_list(parts, CLI, "news", "big", "\r\n".join(words), action="hold")
    assert time.process_time() - began < 5
    assert made["size"] == len(set(words))
    assert said(parts, f"so {words[4_711]}, then") == [("site_words", 0.5, "hold")]


def test_submit_under_rules_in_yaml_is_held_with_the_reason(parts: Parts, admin: Actor, submit: Any) -> None:
    sites.change_site(parts, admin, "news", settings={"policy": "auto"})
    assert submit("A calm and useful remark.")["state"] == "approved"
    automod.put_automod(parts, admin, "news", YAML + "---\nis_top_level: false\nbody: quiet\naction: filter\n")
    held = submit("The Casino is open.")
    assert held["state"] == "pending"
    with read() as session:
        row = session.scalar(select(Comment).where(Comment.state == "pending"))
        assert row is not None
        assert "The rule in line 1 (filter): Says Casino." in row.reasons
    assert submit("A quiet place on the first level.")["state"] == "approved"


def test_put_yaml_again_after_removal_counts_as_it_reads_now(parts: Parts, admin: Actor) -> None:
    automod.put_automod(parts, admin, "news", YAML)
    assert [name for name, _, _ in said(parts, "casino")] == ["automod"]
    automod.remove_automod(parts, admin, "news")
    assert said(parts, "casino") == []
    automod.put_automod(parts, admin, "news", "body: roulette\naction: filter\n")
    assert said(parts, "casino") == []
    assert [name for name, _, _ in said(parts, "roulette")] == ["automod"]
    with pytest.raises(Invalid):
        automod.put_automod(parts, admin, "news", "bdy: x")
    assert automod.show_automod(parts, admin, "news")["version"] == 1


def test_try_what_is_not_stored_says_what_it_would_and_stores_nothing(parts: Parts, admin: Actor) -> None:
    sites.add_rule(parts, admin, "news", "word", "stored")
    sites.add_rule(parts, admin, "news", "allow", "casino royale")
    rule = trials.Tried(rule={"kind": "word", "value": "casino*", "action": "spam"})
    assert said(parts, "stored casinos", tried=rule) == [("site_words", 0.5, "spam")]
    assert said(parts, "Casino Royale", tried=rule) == []
    words = trials.Tried(words={"text": "casino", "action": "hold"})
    assert said(parts, "a casino", tried=words) == [("site_words", 0.5, "hold")]
    assert said(parts, "a casino", tried=trials.Tried(automod=YAML)) == [("automod", 0.3, "hold")]
    german = trials.Tried(rule={"kind": "word", "value": "die", "language": "de"})
    assert said(parts, "die", tried=german, language="en") == []
    assert len(sites.list_rules(parts, CLI, "news")["items"]) == 2
    answer = trials.try_rules(parts, admin, "news", "stored")
    assert answer["decision"]["state"] == "pending"
    assert answer["decision"]["risk"] >= 0.5


@pytest.mark.parametrize(
    ("tried", "field"),
    [
        ({"rule": {"kind": "pattern", "value": "("}}, "rule.value"),
        ({"words": {"text": "a*b"}}, "list.text"),
        ({"automod": "bdy: x"}, "automod"),
        ({"rule": {"kind": "word", "value": "a1"}, "automod": YAML}, "rule"),
    ],
)
def test_try_what_is_wrong_names_its_field(parts: Parts, people: Any, tried: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        trials.try_rules(parts, CLI, "news", "x", tried=trials.Tried(**tried))
    assert list(caught.value.fields) == [field]


# --- back-test -------------------------------------------------------------------------------------------------------


@pytest.fixture
def history(submit: Any, decide: Any, client: Any, people: Any) -> dict[str, str]:
    """Comments with what became of them, oldest first; the ids by a short name."""
    ids = {}
    for name, body, actions in [
        ("old", "An old casino, approved.", ["approve"]),
        ("ad", "Casino, casino, casino!", ["spam"]),
        ("rude", "You and your casino.", ["reject"]),
        ("calm", "A calm and useful remark.", ["approve"]),
        ("again", "Casino, first spam and then approved.", ["spam", "approve"]),
        ("back", "Casino, back in the queue.", ["approve", "restore"]),
        ("trash", "Casino, in the trash.", ["trash"]),
        ("waits", "Casino, waiting.", []),
        ("royale", "Casino Royale is a film.", ["approve"]),
        ("undone", "A casino, approved, then undone.", ["approve"]),
    ]:
        ids[name] = submit(body)["id"]
        for action in actions:
            made = decide(ids[name], action)
            assert made.status_code == 200, made.text
        if name == "undone":
            url = f"/api/v1/decisions/{made.get_json()['decision_id']}/undo"
            assert client.post(url, headers=people.bearer("moderator")).status_code == 200
    return ids


def test_backtest_word_counts_what_was_decided_and_how(parts: Parts, moderator: Actor, history: dict[str, str]) -> None:
    tried = trials.Tried(rule={"kind": "word", "value": "casino", "action": "hold"})
    answer = trials.backtest(parts, moderator, "news", tried)
    assert (answer["tried"], answer["matched"]) == (6, 5)
    assert answer["would_have"] == {"hold": 5, "spam": 0, "score": 0}
    assert answer["approved_among_matched"] == 3
    assert (answer["rejected_among_matched"], answer["spam_among_matched"]) == (1, 1)
    assert answer["summary"] == "Would have held 5 of the last 6 decided comments; 3 of them were approved."
    shown = [str(example["id"]) for example in answer["examples"]]
    assert shown == [history[name] for name in ("royale", "again", "old", "rude", "ad")]
    assert answer["examples"][0]["evidence"] == [
        {"text": 'The site\'s word "casino".', "spans": [[0, 6]], "spans_utf16": [[0, 6]]}
    ]
    assert answer["stopped_early"] is False


def test_backtest_of_the_last_few_takes_the_newest(parts: Parts, moderator: Actor, history: dict[str, str]) -> None:
    tried = trials.Tried(rule={"kind": "word", "value": "casino"})
    answer = trials.backtest(parts, moderator, "news", tried, last=2)
    assert [str(example["id"]) for example in answer["examples"]] == [history["royale"], history["again"]]
    assert answer["would_have"] == {"hold": 0, "spam": 0, "score": 2}
    assert answer["summary"].startswith("Would have weighed on 2 of the last 2")


def test_backtest_minds_what_the_site_allows_and_other_ways_to_name_rules(
    parts: Parts, admin: Actor, history: dict[str, str]
) -> None:
    sites.add_rule(parts, admin, "news", "allow", "casino royale")
    stored = sites.add_rule(parts, admin, "news", "pattern", "casino,", "spam")["id"]
    words = trials.backtest(parts, admin, "news", trials.Tried(words={"text": "casino", "action": "hold"}))
    assert (words["tried"], words["matched"], words["approved_among_matched"]) == (6, 4, 2)
    pattern = trials.backtest(parts, admin, "news", trials.Tried(stored=stored))
    assert (pattern["would_have"]["spam"], pattern["approved_among_matched"]) == (3, 2)
    yaml = "body: casino\n~body: film\naction: remove\n---\nbody: calm\naction: report\n"
    rules = trials.backtest(parts, admin, "news", trials.Tried(automod=yaml))
    assert rules["would_have"] == {"hold": 4, "spam": 0, "score": 1}
    assert rules["summary"] == "Would have held 4 of the last 6 decided comments; 2 of them were approved."


def test_backtest_leaves_out_what_the_policy_decided_unless_asked(
    parts: Parts, admin: Actor, submit: Any, decide: Any
) -> None:
    sites.change_site(parts, admin, "news", settings={"policy": "auto"})
    assert submit("The first casino, approved by the policy.")["state"] == "approved"
    decide(submit("fuck the second casino")["id"], "reject")
    tried = trials.Tried(rule={"kind": "word", "value": "casino"})
    assert trials.backtest(parts, admin, "news", tried)["tried"] == 1
    assert trials.backtest(parts, admin, "news", tried, automatic=True)["tried"] == 2


def test_backtest_walks_all_batches_and_ends_when_the_time_is_up(
    parts: Parts, moderator: Actor, history: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "BATCH", 2)
    tried = trials.Tried(rule={"kind": "word", "value": "casino"})
    whole = trials.backtest(parts, moderator, "news", tried)
    assert (whole["tried"], whole["matched"]) == (6, 5)
    early = trials.backtest(parts, moderator, "news", tried, max_seconds=0)
    assert early["stopped_early"]
    assert early["tried"] < 6


@pytest.mark.parametrize(
    ("tried", "last", "field"),
    [
        ({}, 10, "rule"),
        ({"rule": {"kind": "word", "value": "a1"}, "automod": YAML}, 10, "rule"),
        ({"rule": {"kind": "allow", "value": "a1"}}, 10, "rule"),
        ({"words": {"text": "a1", "action": "allow"}}, 10, "rule"),
        ({"rule": {"kind": "word", "value": "a1"}}, 5_001, "last"),
        ({"rule": {"kind": "word", "value": "a1"}}, 0, "last"),
    ],
)
def test_backtest_of_nothing_or_too_much_is_invalid(
    parts: Parts, people: Any, tried: dict[str, Any], last: int, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        trials.backtest(parts, CLI, "news", trials.Tried(**tried), last=last)
    assert list(caught.value.fields) == [field]


def test_backtest_while_as_many_as_may_are_under_way_is_a_conflict(
    parts: Parts, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_running", threading.BoundedSemaphore(1))
    tried = trials.Tried(rule={"kind": "word", "value": "casino"})
    with trials._running, pytest.raises(Conflict):
        trials.backtest(parts, CLI, "news", tried)
    assert trials.backtest(parts, CLI, "news", tried)["tried"] == 0


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_backtest_walks_decisions_by_an_index_in_its_order(parts: Parts, people: Any) -> None:
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        seen.append((statement, values))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        with read() as session:
            decisions.standing_decisions(session, people.site_id, 10, (parts.clock(), people.site_id))
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        statement, values = next(one for one in seen if "FROM decisions" in one[0])
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert "ix_decisions_site (site_id=? AND created_at<?)" in plan[0]
    # Only the ids of decisions of the same moment are sorted.
    assert plan[1:] == [] or "RIGHT PART OF ORDER BY" in plan[1] or "LAST TERM OF ORDER BY" in plan[1]
