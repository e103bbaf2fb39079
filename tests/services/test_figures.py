"""Figures of the latest decisions: how long they took, which signals and rules spoke, whose score agreed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.services import automod, deliver, figures, moderate, sites
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import db
from moderation.web import plots
from moderation.web.console_figures import span

CLIENT = Client("203.0.113.7", "Mozilla/5.0")


def post(parts: Parts, body: str, site: str = "news") -> Any:
    sent = Submission("a", None, None, None, "Ana", None, None, None, body, filled_in_ms=60_000)
    return submit_comment(parts, site, sent, CLIENT)["id"]


@pytest.fixture
def mira(people: Any) -> Actor:
    """A moderator of the site."""
    return Actor("moderator", "m", "mira", {people.site_id: Role.MODERATOR})


def test_stats_have_median_and_ninety_percent_of_the_waiting_times(
    parts: Parts, people: Any, mira: Actor, clock: Any
) -> None:
    """Ten comments, decided after one minute, two minutes, and so on."""
    ids = [post(parts, f"Remark number {n} on the ferry.") for n in range(10)]
    for comment_id in ids:
        clock.move(minutes=1)
        moderate.decide(parts, mira, comment_id, "approve")
    found = moderate.stats(parts, mira, "news", 7)
    assert found["sampled"] == 10
    assert found["median_decision_s"] == pytest.approx(330)
    assert found["p90_decision_s"] == pytest.approx(546)
    classes = {one["up_to_s"]: one["decisions"] for one in found["waits"]}
    assert sum(classes.values()) == 10
    assert classes[60] == 0
    assert classes[300] == 4  # 1 to 4 minutes; 5 minutes is in the next class
    assert found["pending_estimate"] == 0


def test_stats_count_signals_and_rules_by_what_people_decided(parts: Parts, people: Any, mira: Actor) -> None:
    sites.add_rule(parts, CLI, "news", "word", "casino", "hold")
    for body, action in (
        ("The casino by the harbour is open.", "approve"),
        ("Best casino of them all, come in.", "spam"),
        ("A casino is no place for children.", "trash"),
        ("The night ferry was late again.", "approve"),
    ):
        moderate.decide(parts, mira, post(parts, body), action)
    found = moderate.stats(parts, mira, "news")
    words = next(one for one in found["signals"] if one["name"] == "site_words")
    assert words == {"name": "site_words", "said": "against", "comments": 3, "approved": 1, "rejected": 1, "spam": 1}
    assert found["rules"] == [
        {"rule": 'The site\'s word "casino".', "comments": 3, "approved": 1, "rejected": 1, "spam": 1}
    ]
    (model,) = found["models"]
    assert model["model"]
    assert model["comments"] == 4
    assert model["agreed"] == found["score_agreed"]
    today = found["days"][-1]
    assert today["agreed"] + today["disagreed"] == 4


def test_stats_show_rules_in_yaml_without_the_words_of_a_comment(parts: Parts, people: Any, mira: Actor) -> None:
    automod.put_automod(parts, CLI, "news", "body: [hamster]\naction: filter\naction_reason: 'Seen: {{match}}'\n")
    moderate.decide(parts, mira, post(parts, "My HaMsTer is on the ferry."), "approve")
    (rule,) = moderate.stats(parts, mira, "news")["rules"]
    assert rule["rule"] == "The rule in line 1 (filter)."


def test_stats_follow_an_undo_and_leave_out_the_policy_and_other_sites(parts: Parts, people: Any, mira: Actor) -> None:
    sites.change_site(parts, CLI, "other", settings={"policy": "auto", "approve_below": 0.9, "spam_from": 0.95})
    made = moderate.decide(parts, mira, post(parts, "A remark that is taken back."), "reject")
    moderate.undo(parts, mira, made["decision_id"])
    post(parts, "Published at once by the policy.", "other")
    moderate.decide(parts, CLI, post(parts, "Decided elsewhere."), "approve")
    assert moderate.stats(parts, mira, "news")["sampled"] == 1
    assert moderate.stats(parts, CLI, "other")["sampled"] == 0
    assert moderate.stats(parts, CLI, None)["sampled"] == 1


def test_stats_look_at_a_bounded_number_of_decisions_within_the_days(
    parts: Parts, people: Any, mira: Actor, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MAX_DECISIONS", 3)
    monkeypatch.setattr(figures, "MIN_OF_A_SITE", 1)
    moderate.decide(parts, mira, post(parts, "Long ago."), "approve")
    clock.move(days=10)
    assert moderate.stats(parts, mira, "news", 7)["sampled"] == 0
    for n in range(5):
        moderate.decide(parts, mira, post(parts, f"Remark {n} of today."), "approve")
        clock.move(seconds=1)
    assert moderate.stats(parts, mira, "news", 30)["sampled"] == 3


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_figures_and_logs_find_their_rows_by_an_index(parts: Parts, people: Any, mira: Actor) -> None:
    """What these pages read is bounded, also on a SQLite that nobody has analysed."""
    moderate.decide(parts, mira, post(parts, "A remark on the casino."), "approve")
    endpoint = deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/")["id"]
    steps = steps_of(
        lambda: moderate.stats(parts, mira, "news"),
        lambda: deliver.list_deliveries(parts, CLI, endpoint, state="failed"),
        lambda: moderate.list_audit(parts, CLI, "news", by="nobody", before=parts.clock()),
    )
    # What is scanned is the inner query, which is limited itself.
    assert {step for step in steps if step.startswith("SCAN")} <= {"SCAN anon_1"}
    for index in ("ix_decisions_site (site_id=? AND created_at>?)", "ix_deliveries_failed", "ix_audit_chain"):
        assert any(index in step for step in steps), index
    assert not any("ORDER BY" in step for step in steps)


def steps_of(*calls: Callable[[], Any]) -> list[str]:
    """The steps in which SQLite carries out what these calls read of the tables that grow."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if any(f"FROM {table}" in statement for table in ("decisions", "signals", "comments", "deliveries", "audit")):
            seen.append((statement, values))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        for call in calls:
            call()
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        return [
            row[3]
            for statement, values in seen
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


def test_draw_a_plot_keeps_every_bar_inside_and_stacks_them() -> None:
    drawn = plots.draw(
        [f"day {n}" for n in range(90)],
        [plots.Series("a", "x", [1] * 90), plots.Series("b", "y", [2] * 90)],
        plots.Series("line", "line", list(range(90))),
    )
    assert len(drawn.bars) == 180
    assert all(bar.x >= plots.LEFT and bar.x + bar.width <= plots.WIDTH - plots.RIGHT for bar in drawn.bars)
    assert all(bar.y >= plots.TOP and bar.height > 0 for bar in drawn.bars)
    first, second = drawn.bars[:2]
    assert second.y + second.height == pytest.approx(first.y, abs=0.02)
    assert drawn.dots == ()
    assert drawn.rows[-1].text == "100"
    assert len(drawn.columns) <= 7


def test_draw_nothing_is_empty_and_still_a_plot() -> None:
    drawn = plots.draw(["a"], [plots.Series("n", "x", [0])])
    assert drawn.is_empty
    assert drawn.bars == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0 s"),
        (59, "59 s"),
        (90, "1.5 min"),
        (3_600, "1 h"),
        (timedelta(days=12).total_seconds(), "12 d"),
    ],
)
def test_write_a_length_of_time_in_its_largest_unit(seconds: float | None, said: str) -> None:
    assert span(seconds) == said
