"""A comment and its external scorers: in time, late, never; and what the policy makes of it. On both databases."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.adapters.safe_http import Sender
from moderation.adapters.scorers.client import FAILURES
from moderation.adapters.scorers.client import Client as ScorerClient
from moderation.domain.actor import CLI
from moderation.domain.scorer import WAITS_S
from moderation.errors import Forbidden, Invalid, RateLimited
from moderation.services import deliver, moderate, scorers, scorings, sites, threads
from moderation.services import submit as submitting
from moderation.services.idempotency import Idempotency
from moderation.services.parts import Parts
from moderation.services.submit import Submission, submit_comment
from moderation.storage import audit, upkeep
from moderation.storage.db import read, write
from moderation.storage.models import AuditLine, Comment, Decision, Event, Scoring, SignalRow
from tests.scorers.conftest import CALM, READER, Say, ScorerServer, saying, slowly

Post = Callable[..., Any]
Add = Callable[..., dict[str, Any]]
Servers = Callable[[Say], ScorerServer]
RUDE = {"scores": {"insult": 0.95}, "version": "house-1", "evidence": [{"text": "An insult.", "spans": [[0, 6]]}]}


def row(comment_id: Any) -> Comment:
    with read() as session:
        return session.get_one(Comment, comment_id)


def signals(comment_id: Any) -> dict[str, SignalRow]:
    with read() as session:
        rows = session.scalars(sa.select(SignalRow).where(SignalRow.comment_id == comment_id))
        return {one.name: one for one in rows}


def queued() -> list[Scoring]:
    with read() as session:
        return list(session.scalars(sa.select(Scoring).order_by(Scoring.id)))


def event_types(comment_id: Any) -> list[str]:
    with read() as session:
        return list(session.scalars(sa.select(Event.type).where(Event.comment_id == comment_id).order_by(Event.id)))


def policy(parts: Parts, **settings: Any) -> None:
    sites.change_site(parts, CLI, "news", settings=settings)


@pytest.fixture
def auto(parts: Parts, people: Any) -> None:
    """The site publishes by itself, and has an endpoint, without which no event is kept."""
    policy(parts, policy="auto")
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")


# --- later ----------------------------------------------------------------------------------------------------------


def test_submit_without_scorers_leaves_nothing_to_ask(parts: Parts, auto: None, post: Post) -> None:
    assert row(post()).state == "approved"
    assert queued() == []


def test_submit_with_a_scorer_that_the_worker_asks_waits_and_sends_nothing(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    comment = row(post())
    assert (comment.state, comment.reasons) == ("pending", ["The scorer house has not answered yet."])
    assert server.asked == []
    (waiting,) = queued()
    assert (waiting.comment_id, waiting.version, waiting.state, waiting.may_approve) == (comment.id, 1, "pending", True)
    assert signals(comment.id)["external:house"].available is False


def test_answer_approves_where_the_policy_would_have(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer, clock: Any
) -> None:
    add_scorer(server.url)
    comment_id = post()
    clock.move(minutes=1)
    assert scorings.ask_due(parts) == 1
    comment = row(comment_id)
    assert (comment.state, comment.shown, comment.version) == ("approved", True, 1)
    assert comment.reasons == ["The risk of 0.00 is below this site's limit, 0.20."]
    signal = signals(comment_id)["external:house"]
    assert (signal.available, signal.weight, signal.scores) == (True, 0.0, {"toxicity": 0.02})
    assert event_types(comment_id) == ["comment.submitted", "comment.approved"]
    assert queued() == []
    with read() as session:
        decision = session.scalars(sa.select(Decision)).one()
        line = session.scalars(sa.select(AuditLine).where(AuditLine.object_id == str(comment_id))).one()
        assert audit.verify(session, parts.vault.audit_key) == []
    assert (decision.actor_kind, decision.action, decision.created_at) == ("policy", "approve", clock.now)
    assert (line.action, line.actor_kind) == ("comment.approved", "policy")
    listed = threads.list_comments(parts, "news", "a").body
    assert listed is not None
    assert [one["id"] for one in json.loads(listed)["comments"]] == [str(comment_id)]
    assert server.asked[0].json["id"] == f"{comment_id}-1"
    assert scorings.ask_due(parts) == 0


def test_answer_that_objects_leaves_the_comment_waiting_with_its_evidence(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    add_scorer(scorer_servers(saying(RUDE)).url)
    comment_id = post()
    scorings.ask_due(parts)
    item = moderate.show_comment(parts, CLI, comment_id)
    assert (item["state"], item["risk"], item["scores"]["insult"]) == ("pending", 0.47, 0.95)
    assert item["reasons"][-1] == "Insult 0.95 by the scorer house (house-1)."
    (signal,) = [one for one in item["signals"] if one["name"] == "external:house"]
    assert signal["evidence"][1] == {
        "text": "The scorer house says: An insult.",
        "spans": [[0, 6]],
        "spans_utf16": [[0, 6]],
    }


def test_answer_on_a_site_that_holds_changes_the_risk_and_no_state(
    parts: Parts, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    add_scorer(scorer_servers(saying(RUDE)).url)
    comment_id = post()
    scorings.ask_due(parts)
    comment = row(comment_id)
    assert (comment.state, comment.risk) == ("pending", 0.47)
    assert comment.reasons[0] == "This site holds every comment."


def test_answer_that_completes_a_case_of_spam_takes_it_there(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    policy(parts, auto_spam=True, spam_from=0.9)
    add_scorer(scorer_servers(saying({"weight": 1})).url, options={"max_weight": 1})
    comment_id = post()
    assert row(comment_id).state == "pending"
    scorings.ask_due(parts)
    assert row(comment_id).state == "spam"
    assert event_types(comment_id)[-1] == "comment.spam"
    assert row(comment_id).shown is False


def test_recomputed_verdict_is_that_of_an_answer_in_time(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    """The policy on what is stored says the same as on what was judged: risk, scores, state; also what forces."""
    sites.add_rule(parts, CLI, "news", "word", "harbour", "hold")
    sites.add_rule(parts, CLI, "news", "word", "ferry", "score", 0.13)
    server = scorer_servers(saying(RUDE))
    late = add_scorer(server.url, "late")
    body = "You stupid harbour, you idiot of a ferry. http://example.org/"
    later = post(body)
    scorings.ask_due(parts)
    scorers.remove_scorer(parts, CLI, late["id"])
    with write() as session:  # or the second one would be a repeat of the first
        session.execute(sa.update(Comment).values(exact=b"", sketch=None, alike_key=None))
        session.execute(sa.text("DELETE FROM fingerprints"))
    add_scorer(server.url, "late", deadline_ms=2_000)
    in_time = post(body)
    one, other = row(later), row(in_time)
    assert (one.risk, one.scores, one.state) == (other.risk, other.scores, other.state)
    assert one.reasons == other.reasons
    assert "Site words asks for a moderator." in one.reasons
    assert {name: (s.weight, s.scores, s.forces) for name, s in signals(later).items()} == {
        name: (s.weight, s.scores, s.forces) for name, s in signals(in_time).items()
    }


def test_several_scorers_all_have_to_answer(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer, scorer_servers: Servers, clock: Any
) -> None:
    broken = scorer_servers(saying({}, 503))
    add_scorer(server.url, "one")
    add_scorer(broken.url, "two")
    comment_id = post()
    scorings.ask_due(parts)
    assert (row(comment_id).state, row(comment_id).reasons) == ("pending", ["The scorer two has not answered yet."])
    broken.say = saying({"scores": {"threat": 0.3}})
    clock.move(minutes=1)
    assert scorings.ask_due(parts) == 1
    comment = row(comment_id)
    assert (comment.state, comment.scores["threat"]) == ("approved", pytest.approx(0.3))
    assert comment.scores["toxicity"] >= 0.02


# --- never ----------------------------------------------------------------------------------------------------------


def test_scorer_that_never_answers_is_given_up_after_hours_and_the_comment_held(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers, clock: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("moderation.adapters.scorers.client.FAILURES", 1_000)
    server = scorer_servers(saying({}, 500))
    made = add_scorer(server.url)
    comment_id, started = post(), clock.now
    for wait_s in WAITS_S:
        assert scorings.ask_due(parts) == 1
        assert queued()[0].last_error == "HTTP 500"
        assert scorings.ask_due(parts) == 0
        clock.move(seconds=wait_s * 1.11)
    assert scorings.ask_due(parts) == 1
    assert timedelta(hours=7) < clock.now - started < timedelta(hours=10)
    assert len(server.asked) == len(WAITS_S) + 1
    (failed,) = queued()
    assert failed.state == "failed"
    clock.move(days=2)
    assert scorings.ask_due(parts) == 0
    comment = row(comment_id)
    assert (comment.state, comment.reasons) == ("pending", ["The scorer house did not answer."])
    assert signals(comment_id)["external:house"].available is False
    assert scorers.show_scorer(parts, CLI, made["id"])["failed"] == 1
    server.say = saying(CALM)
    assert scorers.retry_scorer(parts, CLI, made["id"]) == {"retried": 1}
    assert scorings.ask_due(parts) == 1
    assert row(comment_id).state == "approved"


def test_scorer_that_rests_is_not_leased_and_its_tries_are_not_used_up(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers, clock: Any
) -> None:
    server = scorer_servers(saying({}, 500))
    add_scorer(server.url)
    for number in range(FAILURES + 2):
        post(f"A calm and useful remark on harbour number {number} of the town.")
    assert scorings.ask_due(parts) == 4
    scorings.ask_due(parts)
    assert len(server.asked) == FAILURES
    clock.move(minutes=1)
    assert scorings.ask_due(parts) == 0
    assert sorted(one.attempts for one in queued()) == [0, 0, *[1] * FAILURES]


def test_scorer_that_asks_for_time_gets_it(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers, clock: Any
) -> None:
    server = scorer_servers(saying({}, 429, Retry_After="900"))
    add_scorer(server.url)
    post()
    scorings.ask_due(parts)
    clock.move(seconds=899)
    assert scorings.ask_due(parts) == 0
    clock.move(seconds=2)
    assert scorings.ask_due(parts) == 1


def test_disabled_scorer_is_not_asked_and_holds_no_new_comment(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    made = add_scorer(server.url)
    waiting = post()
    scorers.change_scorer(parts, CLI, made["id"], state="disabled")
    assert scorings.ask_due(parts) == 0
    assert row(post("Quite another remark, on the night ferry this time.")).state == "approved"
    assert row(waiting).state == "pending"
    scorers.change_scorer(parts, CLI, made["id"], state="active")
    assert scorings.ask_due(parts) == 1
    assert row(waiting).state == "approved"


def test_removed_scorer_leaves_what_waits_to_the_moderators(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    made = add_scorer(server.url)
    comment_id = post()
    scorers.remove_scorer(parts, CLI, made["id"])
    assert queued() == []
    assert scorings.ask_due(parts) == 0
    assert row(comment_id).state == "pending"
    moderate.decide(parts, CLI, comment_id, "approve")
    assert row(comment_id).state == "approved"


# --- what happens in between ----------------------------------------------------------------------------------------


def meanwhile(server: ScorerServer, do: Callable[[], object], app: Any, then: Any = CALM) -> None:
    """Have something happen while the scorer thinks."""

    def say(handler: Any, asked: Any) -> None:
        with app.app_context():
            do()
        saying(then)(handler, asked)

    server.say = say


@pytest.mark.parametrize("action", ["reject", "approve", "spam", "trash", "escalate"])
def test_decision_in_between_stands_whatever_the_answer(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer, action: str
) -> None:
    add_scorer(server.url)
    comment_id = post()
    meanwhile(server, lambda: moderate.decide(parts, CLI, comment_id, action), app)
    scorings.ask_due(parts)
    assert row(comment_id).state == {"reject": "rejected", "approve": "approved", "trash": "trashed"}.get(
        action, "escalated" if action == "escalate" else action
    )
    assert len(moderate.show_comment(parts, CLI, comment_id)["history"]) == 1
    assert queued() == []


def test_decision_before_the_question_means_that_nobody_is_told_the_text(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    moderate.decide(parts, CLI, post(), "reject")
    assert scorings.ask_due(parts) == 0
    assert server.asked == []
    assert queued() == []


def test_tidy_forgets_questions_about_what_was_decided_on(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    made = add_scorer(server.url)
    decided, waiting = post(), post("Another calm and useful remark, on ferries.")
    scorers.change_scorer(parts, CLI, made["id"], state="disabled")
    moderate.decide(parts, CLI, decided, "reject")
    with write() as session:
        assert upkeep.delete_stale_scorings(session) == 1
    assert [one.comment_id for one in queued()] == [waiting]


def test_comment_that_a_moderator_put_back_is_left_to_moderators(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    comment_id = post()
    decided = moderate.decide(parts, CLI, comment_id, "reject")
    moderate.undo(parts, CLI, decided["decision_id"])
    scorings.ask_due(parts)
    comment = row(comment_id)
    assert (comment.state, signals(comment_id)["external:house"].available) == ("pending", True)


def test_comment_that_a_moderator_has_claimed_is_left_to_them(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    comment_id = post()
    moderate.claim(parts, CLI, "news", 10, 15)
    scorings.ask_due(parts)
    assert row(comment_id).state == "pending"
    assert row(comment_id).reasons == ["The risk of 0.00 is below this site's limit, 0.20."]


def edit(parts: Parts, comment_id: uuid.UUID, body: str) -> dict[str, Any]:
    with read() as session:
        site_id = session.get_one(Comment, comment_id).site_id
    token = parts.vault.sign(f"edit:{site_id}", comment_id.hex)
    return submitting.edit_comment(parts, "news", comment_id, token, body, READER)


def test_edit_in_between_makes_the_answer_void_and_asks_again(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    comment_id = post()
    meanwhile(server, lambda: edit(parts, comment_id, "You are quite another text by now."), app)
    scorings.ask_due(parts)
    assert (row(comment_id).state, row(comment_id).version) == ("pending", 2)
    (waiting,) = queued()
    assert (waiting.version, waiting.may_approve, waiting.lease_token) == (2, False, None)
    server.say = saying(CALM)
    scorings.ask_due(parts)
    assert server.asked[-1].json["text"] == "You are quite another text by now."
    assert server.asked[-1].json["id"] == f"{comment_id}-2"
    # What waits is never published by its edit; it may have been held for what the edit does not carry.
    assert row(comment_id).state == "pending"
    assert queued() == []


def test_edit_of_what_was_held_for_its_hidden_field_is_not_approved_by_an_answer(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    comment_id = post(honeypot="https://spam.example/")
    edit(parts, comment_id, "A calm and useful remark on the night ferry.")
    scorings.ask_due(parts)
    assert row(comment_id).state == "pending"


def test_edit_of_what_was_public_waits_for_the_scorer_and_comes_back(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    comment_id = post()
    scorings.ask_due(parts)
    assert row(comment_id).state == "approved"
    assert edit(parts, comment_id, "A calm and useful remark, corrected.")["state"] == "pending"
    assert row(comment_id).shown is False
    scorings.ask_due(parts)
    assert (row(comment_id).state, row(comment_id).shown) == ("approved", True)
    assert event_types(comment_id) == [
        "comment.submitted", "comment.approved", "comment.edited", "comment.held", "comment.approved"
    ]  # fmt: skip


def test_deletion_in_between_leaves_nothing_to_ask(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer, people: Any
) -> None:
    add_scorer(server.url)
    first, second = post(), post("Another calm and useful remark, on ferries.")

    def delete(comment_id: uuid.UUID) -> None:
        token = parts.vault.sign(f"edit:{people.site_id}", comment_id.hex)
        submitting.delete_comment(parts, "news", comment_id, token)

    delete(first)
    assert len(queued()) == 1
    meanwhile(server, lambda: delete(second), app, RUDE)
    scorings.ask_due(parts)
    assert [row(one).state for one in (first, second)] == ["deleted", "deleted"]
    assert (queued(), signals(first), signals(second)) == ([], {}, {})


def test_lease_that_ended_is_taken_over_and_the_late_answer_is_void(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer, clock: Any
) -> None:
    add_scorer(server.url)
    comment_id = post()
    (dead,) = scorings.lease_due(parts, limit=5)
    assert scorings.lease_due(parts, limit=5) == []
    clock.move(seconds=parts.settings.scorer_timeout_s + scorings.SETTLE_S + 1)
    (alive,) = scorings.lease_due(parts, limit=5)
    server.say = saying(RUDE)
    scorings.carry_out(parts, dead)
    assert (row(comment_id).state, signals(comment_id)["external:house"].available) == ("pending", False)
    server.say = saying({}, 500)
    scorings.carry_out(parts, dead)
    assert queued()[0].attempts == 0
    server.say = saying(CALM)
    scorings.carry_out(parts, alive)
    assert row(comment_id).state == "approved"


def test_lease_by_several_workers_at_once_hands_out_each_once_and_few_of_a_scorer(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    for number in range(12):
        post(f"A calm and useful remark on harbour number {number} of the town.")

    def lease(_number: int) -> list[Any]:
        with app.app_context():
            return scorings.lease_due(parts, limit=8)

    with ThreadPoolExecutor(4) as pool:
        leased = [one.id for found in pool.map(lease, range(4)) for one in found]
    assert len(leased) == len(set(leased)) == scorings.AT_ONCE


def test_answers_edits_and_decisions_at_once_never_deadlock(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    for name in ("one", "two"):
        add_scorer(server.url, name)
    ids = [post(f"A calm and useful remark on harbour number {number} of the town.") for number in range(6)]

    def ask() -> None:
        for _ in range(6):
            scorings.ask_due(parts)

    def change() -> None:
        for comment_id in ids[:3]:
            edit(parts, comment_id, f"A calm remark, {comment_id}.")

    def judge() -> None:
        moderate.decide_many(parts, CLI, ids[2:], "approve")

    def run(job: Callable[[], None]) -> None:
        with app.app_context():
            try:
                job()
            except submitting.Conflict:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, [ask, ask, change, judge]))
    scorings.ask_due(parts)
    with read() as session:
        assert audit.verify(session, parts.vault.audit_key) == []
        shown = session.scalar(sa.select(sa.func.count()).where(Comment.shown))
        approved = session.scalar(sa.select(sa.func.count()).where(Comment.state == "approved"))
    assert shown == approved
    assert [row(one).state for one in ids[3:]] == ["approved"] * 3


def test_submit_while_scorers_come_and_go_takes_every_comment(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    """A scorer that is removed between the judging of a comment and its storing breaks no reference."""
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        with app.app_context():
            try:
                job()
            except BaseException as error:
                errors.append(error)

    def write_much(who: int) -> None:
        for number in range(8):
            post(f"A calm and useful remark on harbour number {who * 10 + number} of the town.")

    def come_and_go() -> None:
        for number in range(8):
            made = add_scorer(server.url, f"s{number}")
            time.sleep(0.02)
            scorers.remove_scorer(parts, CLI, made["id"])

    def ask() -> None:
        for _ in range(10):
            scorings.ask_due(parts)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, [lambda: write_much(1), lambda: write_much(2), come_and_go, ask]))
    assert errors == []
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Comment)) == 16
    assert queued() == []


# --- within the request ---------------------------------------------------------------------------------------------


def test_answer_in_time_approves_at_once(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url, deadline_ms=2_000)
    comment_id = post()
    assert row(comment_id).state == "approved"
    assert signals(comment_id)["external:house"].scores == {"toxicity": 0.02}
    assert queued() == []
    assert server.asked[0].json["id"] == f"{comment_id}-1"
    assert edit(parts, comment_id, "A calm and useful remark, corrected.")["state"] == "approved"
    assert server.asked[1].json["id"] == f"{comment_id}-2"


def test_answer_that_is_late_costs_the_deadline_and_no_more(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    slow = scorer_servers(slowly(4, saying(CALM)))
    for name in ("one", "two", "three"):
        add_scorer(slow.url, name, deadline_ms=300)
    add_scorer(slow.url, "later")
    warm = post("A first remark, to load what is loaded once.")
    started = time.monotonic()
    comment_id = post()
    assert 0.3 < time.monotonic() - started < 0.3 + 1.5
    assert row(comment_id).state == row(warm).state == "pending"
    assert len([one for one in queued() if one.comment_id == comment_id]) == 4
    assert len(slow.asked) == 6


def test_scorer_that_keeps_failing_costs_no_wait_any_more(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    slow = scorer_servers(slowly(1.5, saying(CALM)))
    add_scorer(slow.url, deadline_ms=200)
    for number in range(FAILURES):
        post(f"A calm and useful remark on harbour number {number} of the town.")
    comment_id = post()
    assert len(slow.asked) == FAILURES
    assert row(comment_id).state == "pending"
    assert len([one for one in queued() if one.comment_id == comment_id]) == 1


def test_question_that_hangs_beyond_its_own_time_does_not_hold_the_request(
    parts: Parts, auto: None, people: Any, add_scorer: Add
) -> None:
    """Whatever keeps a thread (a resolver, a busy machine), the request goes on at the deadline."""

    class Stuck(Sender):
        def post(self, *_args: Any, **_more: Any) -> Any:
            time.sleep(5)

    add_scorer("http://127.0.0.1:9/", deadline_ms=300)
    stuck = replace(parts, scorers=ScorerClient(Stuck()))
    sent = Submission("a", None, None, None, "Ana", None, None, None, "A calm remark.", 60_000)
    started = time.monotonic()
    comment_id = submit_comment(stuck, "news", sent, READER)["id"]
    assert time.monotonic() - started < 2.5
    assert row(comment_id).state == "pending"


def test_request_above_the_rate_bothers_no_scorer(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    policy(parts, submit_rate="1/hour")
    add_scorer(server.url, deadline_ms=2_000)
    post()
    with pytest.raises(RateLimited):
        post("Another remark.")
    assert len(server.asked) == 1


def test_repeat_under_a_known_key_bothers_no_scorer(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    """Repeats are not counted by the limit, so that each would be a question for free."""
    add_scorer(server.url, deadline_ms=2_000)
    sent = Submission("a", None, None, None, "Ana", None, None, None, "A calm remark.", 60_000)
    answers = [submit_comment(parts, "news", sent, READER, Idempotency("k", b"hash")) for _ in range(3)]
    assert len({str(one["id"]) for one in answers}) == 1
    assert len(server.asked) == 1


def test_comment_that_is_refused_for_its_place_bothers_no_scorer(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url, deadline_ms=2_000)
    post()
    thread = sites.list_threads(parts, CLI, "news")["items"][0]
    sites.change_thread(parts, CLI, "news", thread["id"], open=False)
    policy(parts, open_threads=False)
    for key, parent in (("a", None), ("b", None), ("b", uuid.uuid4()), ("a", uuid.uuid4())):
        sent = Submission(key, None, None, parent, "Ana", None, None, None, "A calm remark.", 60_000)
        with pytest.raises((Forbidden, Invalid)):
            submit_comment(parts, "news", sent, READER)
    assert len(server.asked) == 1


def test_comment_that_is_spam_already_is_shown_to_no_scorer(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    policy(parts, auto_spam=True)
    sites.add_rule(parts, CLI, "news", "word", "harbour", "spam")
    add_scorer(server.url, "one", deadline_ms=2_000)
    add_scorer(server.url, "two")
    assert row(post()).state == "spam"
    assert (server.asked, queued()) == ([], [])


def test_no_transaction_is_open_while_a_scorer_is_waited_for(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    """On SQLite another writer would wait else, and on both a connection of the pool would be held."""
    found: list[int] = []

    def look() -> None:
        with write():
            pass
        found.append(app.extensions["sqlalchemy"].engine.pool.checkedout())

    meanwhile(server, look, app)
    add_scorer(server.url, "one", deadline_ms=2_000)
    before = app.extensions["sqlalchemy"].engine.pool.checkedout()
    post()
    assert found == [before]


# --- whose ----------------------------------------------------------------------------------------------------------


def test_scorer_of_a_site_is_not_asked_about_another(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer
) -> None:
    add_scorer(server.url)
    other = post(site="other")
    assert "external:house" not in signals(other)
    assert queued() == []


def test_scorer_of_all_sites_is_asked_about_each_unless_a_site_has_its_own(
    parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer, scorer_servers: Servers
) -> None:
    own = scorer_servers(saying(CALM))
    add_scorer(server.url, site="*")
    first = post(site="other")
    replaced = add_scorer(own.url)
    second = post()
    scorings.ask_due(parts)
    assert [one.json["site"] for one in server.asked] == ["other"]
    assert [one.json["site"] for one in own.asked] == ["news"]
    assert {row(first).state, row(second).state} == {"pending", "approved"}
    scorers.change_scorer(parts, CLI, replaced["id"], state="disabled")
    assert "external:house" not in signals(post("A remark on quite another matter: ferries."))


def test_text_of_an_answer_is_hostile_and_stays_text(
    client: Any, people: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    hostile = {"weight": 0.4, "evidence": [{"text": "<img src=x onerror=alert(1)> \u202e{{7*7}}"}], "version": "<b>"}
    add_scorer(scorer_servers(saying(hostile)).url)
    comment_id = post()
    scorings.ask_due(parts)
    answer = client.get(f"/api/v1/comments/{comment_id}", headers=people.bearer("moderator")).get_json()
    (signal,) = [one for one in answer["signals"] if one["name"] == "external:house"]
    assert signal["evidence"][0]["text"] == "The scorer house says: <img src=x onerror=alert(1)> {{7*7}}"
    with read() as session:
        told = b"".join(session.scalars(sa.select(Event.payload)))
        lines = json.dumps([list(row) for row in session.execute(sa.select(AuditLine.reason, AuditLine.data))])
    assert b"onerror" not in told
    assert "onerror" not in lines


def test_log_tells_scorer_and_error_and_neither_text_nor_secret(
    parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers, capfd: Any, clock: Any
) -> None:
    made = add_scorer(scorer_servers(saying({"evidence": "secret-of-theirs"}, 500)).url, deadline_ms=1_000)
    post("A very private remark on the harbour.")
    scorings.ask_due(parts)
    printed = "".join(capfd.readouterr())
    of_it = [line for line in printed.splitlines() if made["id"].hex in line.replace("-", "")]
    assert sum("scorer unavailable" in line for line in of_it) == 2
    for hidden in ("private", "harbour", made["secret"], "secret-of-theirs", "Ana", "203.0.113", "ana@example.org"):
        assert hidden not in printed


def test_figures_count_what_was_asked(
    client: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, scorer_servers: Servers
) -> None:
    server = scorer_servers(saying({}, 500))
    made = add_scorer(server.url, deadline_ms=1_000)
    for number in range(FAILURES + 1):
        post(f"A calm and useful remark on harbour number {number} of the town.")
    server.say = saying(CALM)
    ok = add_scorer(server.url, "fine", deadline_ms=1_000)
    post("Another remark that has nothing to do with it: ferries sail at night.")
    text = client.get("/metrics").text
    name = "moderation_scorer_requests_total"
    assert f'{name}{{outcome="failed",scorer="{made["id"]}"}} {FAILURES}.0' in text
    assert f'{name}{{outcome="skipped",scorer="{made["id"]}"}} 2.0' in text
    assert f'{name}{{outcome="answered",scorer="{ok["id"]}"}} 1.0' in text
    assert f'moderation_scorer_request_seconds_count{{scorer="{made["id"]}"}} {FAILURES}.0' in text


def test_worker_asks_while_a_receiver_and_a_scorer_hang(
    app: Any, parts: Parts, auto: None, post: Post, add_scorer: Add, server: ScorerServer, scorer_servers: Servers
) -> None:
    """A slow scorer delays neither webhooks nor other scorers."""
    from moderation import worker

    received = scorer_servers(saying({}))
    deliver.add_endpoint(parts, CLI, "news", received.url)
    hanging = scorer_servers(slowly(3, saying(CALM)))
    add_scorer(hanging.url, "slow")
    add_scorer(server.url, "quick")
    for number in range(6):
        post(f"A calm and useful remark on harbour number {number} of the town.")
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(app, stop))
    thread.start()
    try:
        end = time.monotonic() + 8
        while (len(server.asked) < 6 or len(received.asked) < 6) and time.monotonic() < end:
            time.sleep(0.05)
        assert len(server.asked) >= 6
        assert len(received.asked) >= 6
        assert hanging.most_at_once == scorings.AT_ONCE
    finally:
        stop.set()
        thread.join()
