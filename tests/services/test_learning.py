"""Decisions teach their site: in their transaction, exactly taken back, nothing lost among many, nobody else's."""

import random
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Conflict, Forbidden, Invalid, NotFound
from moderation.scoring import learned
from moderation.scoring.learned import Label, Learned
from moderation.services import learning, moderate, sites
from moderation.services import submit as submitting
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage import audit
from moderation.storage import learned as log
from moderation.storage.db import db, read, write
from moderation.storage.models import AuditLine, Comment, LearnedModel, LearnedStep, SignalRow, Site
from tests.scoring.test_learned import fine, same, spell
from tests.services.test_deadlocks import at_once

CLIENT = Client("203.0.113.7", "Mozilla/5.0")


def post(parts: Parts, body: str, site: str = "news", key: str = "a") -> dict[str, Any]:
    sent = Submission(key, None, None, None, "Ana", None, None, None, body, filled_in_ms=600_000)
    return submit_comment(parts, site, sent, CLIENT)


def decided(parts: Parts, body: str, action: str, site: str = "news") -> uuid.UUID:
    """Post and decide; the id of the decision."""
    made: uuid.UUID = moderate.decide(parts, CLI, post(parts, body, site)["id"], action)["decision_id"]
    return made


def model_of(site_key: str = "news") -> Learned:
    """The site's model, read anew from what is stored."""
    learning._models.clear()
    return kept_model(site_key)


def kept_model(site_key: str = "news") -> Learned:
    with read() as session:
        site = session.scalars(sa.select(Site).where(Site.key == site_key)).one()
        return learning.model_of_site(session, site, sites.site_settings(site.settings)) or learned.nothing()


def run_stream(parts: Parts, size: int, seed: int = 1) -> None:
    dice = random.Random(seed)
    for _ in range(size):
        text, action = (spell(dice), "spam") if dice.random() < 0.4 else (fine(dice), "approve")
        decided(parts, text, action)


def rows() -> int:
    with read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(LearnedStep)) or 0


@pytest.mark.parametrize(("action", "label"), [("approve", 0), ("spam", 1), ("reject", 2)])
def test_decide_teaches_in_its_transaction(parts: Parts, people: Any, action: str, label: int) -> None:
    decided(parts, "A remark on the old harbour.", action)
    totals = [0, 0, 0]
    totals[label] = learned.UNIT
    assert list(model_of().totals) == totals
    assert model_of("other").taught == 0


@pytest.mark.parametrize("action", ["trash", "escalate"])
def test_decide_what_says_nothing_of_a_text_teaches_nothing(parts: Parts, people: Any, action: str) -> None:
    decided(parts, "A remark on the old harbour.", action)
    assert rows() == 0


def test_decide_that_fails_teaches_nothing(parts: Parts, people: Any, monkeypatch: Any) -> None:
    comment = post(parts, "A remark on the old harbour.")["id"]

    def fail(*_args: Any, **_named: Any) -> None:
        raise Conflict("for the test")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "append_all", fail)
        with pytest.raises(Conflict):
            moderate.decide(parts, CLI, comment, "spam")
    assert rows() == 0
    assert kept_model().taught == model_of().taught == 0


def test_policy_teaches_nothing(parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"policy": "auto", "approve_below": 0.9})
    assert post(parts, "A calm remark.")["state"] == "approved"
    assert rows() == 0


def test_decide_where_learning_is_off_teaches_nothing_and_says_nothing(parts: Parts, people: Any) -> None:
    run_stream(parts, 40)
    before = rows()
    sites.change_site(parts, CLI, "news", settings={"learning": "off"})
    made = post(parts, spell(random.Random(7)))
    moderate.decide(parts, CLI, made["id"], "spam")
    assert rows() == before
    assert signal_of(made["id"]) is None
    assert learning.show(parts, CLI, "news")["learning"] is False


def test_undo_takes_back_also_where_learning_is_off_by_now(parts: Parts, people: Any) -> None:
    decision = decided(parts, "A remark on the old harbour.", "spam")
    sites.change_site(parts, CLI, "news", settings={"learning": "off"})
    moderate.undo(parts, CLI, decision)
    sites.change_site(parts, CLI, "news", settings={"learning": "on"})
    assert model_of().totals == (0, 0, 0)


def signal_of(comment_id: uuid.UUID) -> Any:
    with read() as session:
        wanted = sa.select(SignalRow).where(SignalRow.comment_id == comment_id, SignalRow.name == "learned")
        return session.scalars(wanted).first()


def test_submit_is_judged_by_what_was_learned(parts: Parts, people: Any) -> None:
    run_stream(parts, 80)
    made = post(parts, "No more tears: my husband came home by a spell that the healer of Askar cast.")["id"]
    whole = moderate.show_comment(parts, CLI, made)
    assert whole["risk"] >= 0.5
    assert whole["scores"]["spam"] >= 0.5
    [signal] = [signal for signal in whole["signals"] if signal["name"] == "learned"]
    assert "learned-80: 80 decisions" in signal["evidence"][0]["text"]
    ordinary = moderate.show_comment(parts, CLI, post(parts, fine(random.Random(7)))["id"])
    assert ordinary["risk"] < 0.2
    elsewhere = moderate.show_comment(parts, CLI, post(parts, spell(random.Random(8)), "other")["id"])
    assert all(signal["name"] != "learned" for signal in elsewhere["signals"])


def test_undo_restores_the_figures_exactly(parts: Parts, people: Any) -> None:
    run_stream(parts, 30)
    before = model_of()
    undone = decided(parts, "Quite another thing about boats.", "reject")
    middle = model_of()
    later = decided(parts, "And a third one on bicycles.", "approve")
    assert not same(model_of(), before)
    moderate.undo(parts, CLI, later)
    assert same(model_of(), middle)
    moderate.undo(parts, CLI, undone)
    assert same(model_of(), before)
    assert same(kept_model(), before)


def test_decide_again_replaces_what_was_taught_and_undo_brings_it_back(parts: Parts, people: Any) -> None:
    comment = post(parts, "A remark on the old harbour.")["id"]
    moderate.decide(parts, CLI, comment, "approve")
    first = model_of()
    second = moderate.decide(parts, CLI, comment, "spam")["decision_id"]
    assert model_of().totals == (0, learned.UNIT, 0)
    assert model_of().taught == 1
    moderate.undo(parts, CLI, second)
    assert same(model_of(), first)
    third = moderate.decide(parts, CLI, comment, "reject")["decision_id"]
    moderate.undo(parts, CLI, third)
    assert same(model_of(), first)


def test_undo_over_a_snapshot_and_a_fading_leaves_next_to_nothing(parts: Parts, people: Any, clock: Any) -> None:
    first = post(parts, "Something about zebras and xylophones.")["id"]
    undone = moderate.decide(parts, CLI, first, "spam")["decision_id"]
    clock.move(days=90)
    ids = [post(parts, f"Remark {number} on the harbour.")["id"] for number in range(130)]
    moderate.decide_many(parts, CLI, ids, "approve")
    model = model_of()
    assert model.faded == pytest.approx(90 / 180 + 128 / 2_000)
    assert model.totals[Label.SPAM] == pytest.approx(learned.UNIT * 2**-model.faded, abs=1)
    moderate.undo(parts, CLI, undone)
    assert model_of().totals[Label.SPAM] <= 1
    assert int(model_of().counts[Label.SPAM].max()) <= 1


def test_decide_by_many_at_once_loses_nothing(app: Any, parts: Parts, people: Any) -> None:
    dice = random.Random(2)
    texts = [(spell(dice), "spam") if number % 2 else (fine(dice), "approve") for number in range(24)]
    ids = [(post(parts, text, key=f"t{number % 3}")["id"], action) for number, (text, action) in enumerate(texts)]

    def some(which: int) -> Callable[[], object]:
        return lambda: [moderate.decide(parts, CLI, one, action) for one, action in ids[which::4]]

    at_once(app, [some(which) for which in range(4)])
    together = model_of()
    assert (together.taught, together.version) == (24, 24)
    assert together.totals == (12 * learned.UNIT, 12 * learned.UNIT, 0)
    with read() as session:
        assert list(session.scalars(sa.select(LearnedStep.seq).order_by(LearnedStep.seq))) == list(range(1, 25))
    learning.reset(parts, CLI, "news", "to compare")
    for one, action in ids:
        moderate.decide(parts, CLI, one, "restore")
        moderate.decide(parts, CLI, one, action)
    assert np.array_equal(model_of().counts, together.counts)


def test_decide_many_over_two_sites_and_undo_at_once_are_not_turned_away(app: Any, parts: Parts, people: Any) -> None:
    ids = {site: [post(parts, f"{site} {n}.", site)["id"] for n in range(6)] for site in ("news", "other")}
    one, two = [*ids["news"][:3], *ids["other"][:3]], [*ids["other"][3:], *ids["news"][3:]]
    first = [moderate.decide(parts, CLI, comment, "approve")["decision_id"] for comment in two]

    def undo_all() -> None:
        for decision in first:
            moderate.undo(parts, CLI, decision)

    at_once(
        app,
        [
            lambda: [moderate.decide_many(parts, CLI, one[::-1], action) for action in ("approve", "reject", "spam")],
            undo_all,
            lambda: [learning.teach(parts, CLI, site, "A text.", "fine") for site in ("other", "news") for _ in "ab"],
            lambda: learning.reset(parts, CLI, "other", "a fresh start"),
        ],
    )
    assert model_of("news").totals == (2 * learned.UNIT, 3 * learned.UNIT, 0)
    assert audit_holds(parts)


def audit_holds(parts: Parts) -> bool:
    with read() as session:
        return audit.verify(session, parts.vault.audit_key) == []


def test_decide_many_predicts_all_before_it_learns_any(parts: Parts, people: Any) -> None:
    dice = random.Random(4)
    ids = [post(parts, spell(dice))["id"] for _ in range(12)]
    moderate.decide_many(parts, CLI, ids, "spam")
    with read() as session:
        assert len(set(session.scalars(sa.select(LearnedStep.by_text)))) == 1


def test_model_kept_in_the_process_is_the_stored_one(parts: Parts, people: Any) -> None:
    for part in range(3):
        run_stream(parts, 50, part)
        kept = kept_model()
        assert same(kept, model_of())
    with read() as session:
        assert session.scalar(sa.select(LearnedModel.snapshot_version)) == 128


def test_steps_older_than_anybody_takes_back_are_dropped(parts: Parts, people: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(log, "KEPT_STEPS", 10)
    first = decided(parts, "The very first remark.", "spam")
    ids = [post(parts, f"Remark {number}.")["id"] for number in range(128)]
    moderate.decide_many(parts, CLI, ids, "approve")
    assert rows() == 10
    before = model_of()
    moderate.undo(parts, CLI, first)
    assert same(model_of(), before)


def test_delete_by_the_author_drops_the_rows_and_keeps_the_figures(parts: Parts, people: Any) -> None:
    made = post(parts, "A remark about my very own zebra.")
    moderate.decide(parts, CLI, made["id"], "approve")
    decided(parts, "Another one.", "approve")
    before = model_of()
    submitting.delete_comment(parts, "news", made["id"], made["edit_token"])
    assert rows() == 1
    assert same(model_of(), before)
    assert same(kept_model(), before)


def test_site_deleted_takes_along_what_it_learned(parts: Parts, people: Any) -> None:
    decided(parts, "A remark.", "approve", "other")
    with write() as session:
        for table in ("decisions", "signals", "comments", "threads", "authors"):
            session.execute(sa.text(f"DELETE FROM {table}"))
        session.execute(sa.delete(Site).where(Site.key == "other"))
        assert session.scalar(sa.select(sa.func.count()).select_from(LearnedModel)) == 0
        assert session.scalar(sa.select(sa.func.count()).select_from(LearnedStep)) == 0


def test_submit_with_a_damaged_model_waits_and_decisions_go_on(parts: Parts, people: Any) -> None:
    run_stream(parts, 12)
    sites.change_site(parts, CLI, "news", settings={"policy": "auto"})
    with write() as session:
        session.execute(sa.update(LearnedModel).values(snapshot=b'{"format": "?"}', snapshot_version=12))
    learning._models.clear()
    made = post(parts, "A calm remark.")
    assert made["state"] == "pending"
    whole = moderate.show_comment(parts, CLI, made["id"])
    assert "Learned could not be judged." in whole["reasons"]
    assert moderate.decide(parts, CLI, made["id"], "approve")["state"] == "approved"
    assert learning.show(parts, CLI, "news")["usable"] is False
    learning.reset(parts, CLI, "news", "it was damaged")
    assert learning.show(parts, CLI, "news")["usable"] is True


def test_teach_by_a_text_counts_like_a_decision(parts: Parts, people: Any) -> None:
    moderator = Actor("token", "m", "M", {people.site_id: Role.MODERATOR})
    shown = learning.teach(parts, moderator, "news", "Buy the seven herbs of Priest Odwe.", "spam")
    assert shown["decisions"] == 1
    assert model_of().totals == (0, learned.UNIT, 0)
    with read() as session:
        line = session.scalars(sa.select(AuditLine).where(AuditLine.action == "learned.teach")).one()
        assert line.data == {"label": "spam"}
        assert line.reason == ""


@pytest.mark.parametrize(
    ("roles", "error"), [({}, NotFound), ({"viewer"}, Forbidden), ({"scorer"}, NotFound), ({"elsewhere"}, NotFound)]
)
def test_teach_by_anybody_else_is_refused(parts: Parts, people: Any, roles: Any, error: type[Exception]) -> None:
    given: dict[uuid.UUID | None, Role] = {}
    for role in roles:
        given |= {people.other_id: Role.ADMIN} if role == "elsewhere" else {people.site_id: Role(role)}
    actor = Actor("token", "x", "X", given)
    with pytest.raises(error):
        learning.teach(parts, actor, "news", "A text.", "fine")
    with pytest.raises(error):
        learning.reset(parts, actor, "news", "because")
    assert rows() == 0


@pytest.mark.parametrize(
    ("text", "label", "field"), [("", "fine", "text"), ("x" * 10_001, "fine", "text"), ("A text.", "bad", "label")]
)
def test_teach_what_does_not_fit_says_which_field(parts: Parts, people: Any, text: str, label: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        learning.teach(parts, CLI, "news", text, label)
    assert list(refused.value.fields) == [field]


def test_reset_forgets_all_and_leaves_a_line(parts: Parts, people: Any) -> None:
    run_stream(parts, 20)
    undone = decided(parts, "One more.", "spam")
    shown = learning.reset(parts, CLI, "news", "The newsroom changed its rules.")
    assert shown["decisions"] == rows() == 0
    assert same(kept_model(), learned.nothing())
    moderate.undo(parts, CLI, undone)
    assert same(model_of(), learned.nothing())
    with read() as session:
        line = session.scalars(sa.select(AuditLine).where(AuditLine.action == "learned.reset")).one()
        assert line.reason == "The newsroom changed its rules."
    with pytest.raises(Invalid):
        learning.reset(parts, CLI, "news", "  ")


def test_export_and_import_carry_a_model_to_another_site(parts: Parts, people: Any) -> None:
    run_stream(parts, 60)
    exported = learning.export(parts, CLI, "news")
    assert {"herbs", "spell"} & {one["word"] for one in exported["words"]["against"]}
    learning.import_model(parts, CLI, "other", exported, "the same newsroom")
    assert same(model_of("other"), model_of())
    decided(parts, "A remark there.", "approve", "other")
    assert model_of("other").taught == 61
    with pytest.raises(Invalid):
        learning.import_model(parts, CLI, "other", {**exported, "counts": ""}, "broken")
    assert model_of("other").taught == 61


def test_show_names_words_of_several_comments_alone(parts: Parts, people: Any) -> None:
    run_stream(parts, 60)
    for _ in range(2):
        decided(parts, f"The zebra of number {uuid.uuid4().hex} was mine.", "spam")
    shown = learning.show(parts, CLI, "news")
    words = {one["word"]: one for side in shown["words"].values() for one in side}
    assert "zebra" not in words
    top = shown["words"]["against"][0]
    assert (top["fine"], top["unwanted"]) == (0, 0)
    assert top["spam"] >= learning.WORD_IN
    assert shown["latest"][0]["decisions"] == 62
    assert shown["latest"][0]["right"] > shown["latest"][0]["risk_right"]


def test_judge_of_an_untaught_site_costs_no_query_and_of_a_taught_one_none_while_it_is_known(
    parts: Parts, people: Any
) -> None:
    def asked(call: Callable[[], Any]) -> list[str]:
        seen: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool) -> None:
            seen.append(statement)

        sa.event.listen(db.engine, "before_cursor_execute", note)
        try:
            call()
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", note)
        return [one for one in seen if "FROM learned" in one and "FROM sites" not in one]

    assert asked(lambda: post(parts, "A remark.")) == []
    decided(parts, "Another remark.", "approve")
    assert len(asked(lambda: post(parts, "A third remark."))) <= 2
    assert asked(lambda: post(parts, "A fourth remark.")) == []


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_steps_are_found_by_an_index(parts: Parts, people: Any) -> None:
    decided(parts, "A remark.", "approve")
    site_id = people.site_id
    calls: list[Callable[[Any], Any]] = [
        lambda s: log.steps_after(s, site_id, 0, 5),
        lambda s: log.steps_of_comments(s, site_id, [uuid.uuid4()]),
        lambda s: log.taught_texts(s, site_id, 5, 5),
        lambda s: log.state_of(s, site_id),
    ]
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        seen.append((statement, values))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        with read() as session:
            for call in calls:
                call(session)
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    for statement, values in seen:
        if "learned" not in statement:
            continue
        with db.engine.connect() as connection:
            steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
        assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in steps), steps


def test_edited_comment_teaches_its_new_text(parts: Parts, people: Any) -> None:
    made = post(parts, "The harbour is lovely.")
    moderate.decide(parts, CLI, made["id"], "approve")
    submitting.edit_comment(parts, "news", made["id"], made["edit_token"], "Buy seven herbs from me.", CLIENT)
    moderate.decide(parts, CLI, made["id"], "spam")
    model = model_of()
    assert model.totals == (0, learned.UNIT, 0)
    assert model.odds_of("herbs") > 0 >= model.odds_of("harbour")
    with read() as session:
        assert session.scalar(sa.select(Comment.state)) == "spam"
