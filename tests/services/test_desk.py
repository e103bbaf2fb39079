"""What the console's queue asks for: how things stand, claims of what one looks at, undoing many, views."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Conflict, Invalid, NotFound
from moderation.services import accounts, desk, learning, moderate, submit, views
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission
from moderation.storage.db import read
from moderation.storage.models import AuditLine, Author, DailyCount, Thread

CLIENT = Client("203.0.113.7", "Mozilla/5.0")


@pytest.fixture
def post(parts: Parts, people: Any, clock: Any) -> Callable[..., Any]:
    """A reader's comment, a second after the one before; its id."""

    def send(body: str, site: str = "news", key: str = "a", parent: Any = None) -> Any:
        clock.move(seconds=1)
        sent = Submission(key, None, None, parent, "Ana", None, None, None, body, filled_in_ms=60_000)
        return submit.submit_comment(parts, site, sent, CLIENT)["id"]

    return send


@pytest.fixture
def mira(people: Any) -> Actor:
    return Actor("moderator", str(uuid.UUID(int=1)), "mira", {people.site_id: Role.MODERATOR})


@pytest.fixture
def ada(people: Any) -> Actor:
    return Actor("moderator", str(uuid.UUID(int=2)), "ada", {people.site_id: Role.MODERATOR})


# --- how things stand --------------------------------------------------------------------------------------------


def test_ask_again_while_nothing_changed_says_nothing(
    parts: Parts, post: Callable[..., Any], mira: Actor, ada: Actor, clock: Any
) -> None:
    known = [post("One."), post("Two.")]
    since = clock()
    asked = QueueFilter(site="news")

    def ask(etag: str) -> desk.Live:
        return desk.live(parts, mira, asked, known, since, etag)

    tag = ask("").etag
    assert ask(tag).facts is None
    for change in (
        lambda: post("Three."),
        lambda: desk.hold(parts, ada, known[:1]),
        lambda: moderate.decide(parts, ada, known[0], "spam"),
    ):
        change()
        told = ask(tag)
        assert told.facts is not None
        tag = told.etag
        assert ask(tag).facts is None
    assert desk.live(parts, ada, asked, known, since, tag).facts is not None


def test_ask_tells_what_came_in_and_who_did_what(
    parts: Parts, post: Callable[..., Any], mira: Actor, ada: Actor, clock: Any
) -> None:
    known = [post("One."), post("Two."), post("Three.")]
    clock.move(minutes=1)
    since = clock()
    moderate.decide(parts, ada, known[0], "reject")
    desk.hold(parts, ada, known[1:2])
    new = post("m0r0n")
    facts = desk.live(parts, mira, QueueFilter(site="news"), known, since).facts
    assert facts is not None
    assert facts["arrived"] == [new]
    assert facts["total_estimate"] == 3
    assert [(one["id"], one["state"], one["action"], one["by"], one["held_by"]) for one in facts["comments"]] == [
        (known[0], "rejected", "reject", "ada", None),
        (known[1], "pending", None, None, "ada"),
        (known[2], "pending", None, None, None),
    ]
    risky = desk.live(parts, mira, QueueFilter(site="news", min_risk=0.1), known, since).facts
    calm = desk.live(parts, mira, QueueFilter(site="news", q="nothing like it"), known, since).facts
    assert risky is not None
    assert calm is not None
    assert (risky["arrived"], calm["arrived"]) == ([new], [])


def test_ask_about_comments_of_another_site_tells_nothing(
    parts: Parts, post: Callable[..., Any], mira: Actor, clock: Any
) -> None:
    since, foreign = clock(), post("Theirs.", site="other")
    facts = desk.live(parts, mira, QueueFilter(), [foreign, uuid.uuid4()], since).facts
    assert facts is not None
    assert (facts["comments"], facts["arrived"], facts["total_estimate"]) == ([], [], 0)
    assert desk.show_some(parts, mira, [foreign]) == []
    with pytest.raises(NotFound):
        desk.live(parts, mira, QueueFilter(site="other"), [], since)
    with pytest.raises(NotFound):
        desk.list_around(parts, mira, foreign)
    with pytest.raises(Invalid):
        desk.live(parts, mira, QueueFilter(), [uuid.uuid4() for _ in range(41)], since)


def test_count_views_counts_what_each_finds_and_no_further_than_its_limit(
    parts: Parts, post: Callable[..., Any], mira: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        post(f"Calm remark {number}.", key=str(number))
    post("You m0r0n.")
    moderate.decide(parts, mira, post("Fine."), "approve")
    asked = [
        QueueFilter(),
        QueueFilter(q="remark"),
        QueueFilter(thread="1"),
        QueueFilter(min_risk=0.05),
        QueueFilter(min_risk=0.05, q="calm"),
        QueueFilter(signal="profanity"),
        QueueFilter(state="approved", reported=False, author="ana"),
        QueueFilter(claimed="none"),
        QueueFilter(site="other"),
        QueueFilter(sort="sideways"),
    ]
    whole = [(4, True), (3, True), (1, True), (1, True), (0, True), (1, True), (1, True), (4, True), None, None]
    assert desk.count_views(parts, mira, asked) == whole
    monkeypatch.setattr(desk, "COUNTED", 2)
    assert desk.count_views(parts, mira, asked[:1]) == [(2, False)]


# --- some comments -------------------------------------------------------------------------------------------------


def test_edit_after_approval_shows_the_text_that_was_approved(
    parts: Parts, people: Any, post: Callable[..., Any], mira: Actor
) -> None:
    sent = Submission("a", None, None, None, "Ana", None, None, None, "The approved text.", filled_in_ms=60_000)
    made = submit.submit_comment(parts, "news", sent, CLIENT)
    moderate.decide(parts, mira, made["id"], "approve")
    for body in ("A changed text.", "A text changed twice."):
        submit.edit_comment(parts, "news", made["id"], made["edit_token"], body, CLIENT)
    items = desk.show_some(parts, mira, [made["id"], post("Never edited.")])
    assert desk.approved_texts(parts, items) == {made["id"]: "The approved text."}
    moderate.decide(parts, mira, made["id"], "approve")
    assert desk.approved_texts(parts, desk.show_some(parts, mira, [made["id"]])) == {}


def test_list_around_shows_the_nearest_that_are_public_or_wait(
    parts: Parts, post: Callable[..., Any], mira: Actor
) -> None:
    before = [post(f"Before {number}.") for number in range(4)]
    moderate.decide(parts, mira, before[2], "approve")
    moderate.decide(parts, mira, before[3], "spam")
    own = post("This one.", parent=before[2])
    post("Elsewhere.", key="b")
    moderate.decide(parts, mira, own, "approve")
    reply = post("A reply.", parent=own)
    after = [post(f"After {number}.") for number in range(3)]
    around = desk.list_around(parts, mira, own)
    assert [one["id"] for one in around] == [*before[:3], reply, *after[:2]]
    assert [one["relation"] for one in around] == ["", "", "parent", "reply", "", ""]
    assert [one["is_before"] for one in around] == [True] * 3 + [False] * 3


# --- claims --------------------------------------------------------------------------------------------------------


def test_hold_what_one_looks_at_leaves_what_others_hold_until_their_time_is_over(
    parts: Parts, post: Callable[..., Any], mira: Actor, ada: Actor, clock: Any
) -> None:
    ids = [post(f"Remark {number}.") for number in range(3)]
    assert desk.hold(parts, ada, ids[:2]) == {"taken": ids[:2], "others": {}}
    held = desk.hold(parts, mira, ids)
    assert (held["taken"], held["others"]) == ([ids[2]], {ids[0]: "ada", ids[1]: "ada"})
    desk.hold(parts, ada, ids[1:2], leave=[*ids[:1], ids[2]])
    assert desk.hold(parts, mira, ids)["taken"] == [ids[0], ids[2]]
    clock.move(seconds=desk.HOLD_FOR.total_seconds() + 1)
    assert desk.hold(parts, mira, ids)["taken"] == ids
    assert moderate.decide(parts, ada, ids[0], "spam")["state"] == "spam"
    assert desk.hold(parts, mira, ids)["taken"] == ids[1:]


def test_hold_is_for_moderators_of_the_site(parts: Parts, people: Any, post: Callable[..., Any], mira: Actor) -> None:
    own, foreign = post("Ours."), post("Theirs.", site="other")
    viewer = Actor("moderator", str(uuid.UUID(int=3)), "vera", {people.site_id: Role.VIEWER})
    assert desk.hold(parts, viewer, [own]) == {"taken": [], "others": {}}
    assert desk.hold(parts, mira, [foreign, own, uuid.uuid4()]) == {"taken": [own], "others": {}}
    assert desk.hold(parts, CLI, [foreign])["taken"] == [foreign]


# --- undoing many --------------------------------------------------------------------------------------------------


def figures(parts: Parts, site_id: Any) -> dict[str, Any]:
    """What decisions add to."""
    with read() as session:
        days = sa.select(DailyCount.name, sa.func.sum(DailyCount.n)).group_by(DailyCount.name)
        return {
            "days": {name: n for name, n in session.execute(days) if n},
            "authors": session.execute(sa.select(sa.func.sum(Author.approved), sa.func.sum(Author.spam))).one(),
            "threads": session.scalars(sa.select(Thread.approved).order_by(Thread.key)).all(),
            "learned": learning.figures_of(session, site_id)["decisions"],
        }


def test_undo_all_takes_one_bulk_decision_back_with_all_that_it_counted(
    parts: Parts, people: Any, post: Callable[..., Any], mira: Actor, ada: Actor, clock: Any
) -> None:
    ids = [post(f"Remark {number}.", key=str(number % 2)) for number in range(4)]
    moderate.decide(parts, mira, post("The first that this site learns from."), "approve")
    before = figures(parts, people.site_id)
    clock.move(seconds=1)
    done = moderate.decide_many(parts, mira, ids, "approve")
    at = done["results"][0]["created_at"]
    clock.move(seconds=1)
    moderate.decide(parts, ada, ids[3], "spam")
    with pytest.raises(NotFound):
        moderate.undo_all(parts, ada, at)
    with pytest.raises(NotFound):
        moderate.undo_all(parts, mira, at + timedelta(microseconds=1))
    answer = moderate.undo_all(parts, mira, at)
    assert [(one["id"], one["ok"], one.get("status")) for one in answer["results"]] == [
        *((one, True, None) for one in ids[:3]),
        (ids[3], False, 409),
    ]
    states = {item["id"]: item["state"] for item in desk.show_some(parts, mira, ids)}
    assert states == {**dict.fromkeys(ids[:3], "pending"), ids[3]: "spam"}
    undone = next(d for d in moderate.show_comment(parts, ada, ids[3])["history"] if d["action"] == "spam")
    moderate.undo(parts, ada, undone["id"])
    moderate.undo_all(parts, mira, at)
    assert figures(parts, people.site_id) == before
    with pytest.raises(NotFound):
        moderate.undo_all(parts, mira, at)
    with read() as session:
        lines = session.scalar(sa.select(sa.func.count()).where(AuditLine.action == "comment.undo"))
    assert lines == 5


def test_undo_all_leaves_what_was_edited_since(parts: Parts, people: Any, mira: Actor, clock: Any) -> None:
    sent = Submission("a", None, None, None, "Ana", None, None, None, "Spam as it seems.", filled_in_ms=60_000)
    made = [submit.submit_comment(parts, "news", sent, CLIENT) for _ in range(2)]
    ids = [one["id"] for one in made]
    at = moderate.decide_many(parts, mira, ids, "spam")["results"][0]["created_at"]
    submit.edit_comment(parts, "news", ids[0], made[0]["edit_token"], "Another text.", CLIENT)
    results = {one["id"]: one["ok"] for one in moderate.undo_all(parts, mira, at)["results"]}
    assert results == {ids[0]: False, ids[1]: True}


# --- views ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def persons(parts: Parts, people: Any) -> list[Actor]:
    """Two moderators with log-ins."""
    made = [
        accounts.add_moderator(parts, CLI, n, "nine lamps over the harbour", "moderator", "news")
        for n in ("ann", "bob")
    ]
    return [Actor("moderator", str(one["id"]), one["name"], {people.site_id: Role.MODERATOR}) for one in made]


def test_keep_views_are_ones_own_and_have_names_of_their_own(parts: Parts, persons: list[Actor]) -> None:
    one, two = persons
    kept = views.add_view(parts, one, "  Risky  ", {"min_risk": "0.7"})
    views.add_view(parts, two, "Risky", {"state": "spam"})
    assert views.list_views(parts, one) == [{"id": kept, "name": "Risky", "filters": {"min_risk": "0.7"}}]
    other = views.add_view(parts, one, "Other", {})
    with pytest.raises(Conflict):
        views.add_view(parts, one, "Risky", {})
    with pytest.raises(Conflict):
        views.rename_view(parts, one, other, "Risky")
    for foreign in (kept, uuid.uuid4()):
        with pytest.raises(NotFound):
            views.rename_view(parts, two, foreign, "Mine")
        with pytest.raises(NotFound):
            views.remove_view(parts, two, foreign)
    views.rename_view(parts, one, kept, "Riskiest")
    views.remove_view(parts, one, other)
    assert [view["name"] for view in views.list_views(parts, one)] == ["Riskiest"]
    assert views.list_views(parts, CLI) == []


def test_keep_views_refuses_what_is_none(parts: Parts, persons: list[Actor]) -> None:
    one = persons[0]
    for name, filters in (("", {}), ("x" * 61, {}), ("a", {"colour": "red"}), ("a", {"q": "x" * 501})):
        with pytest.raises(Invalid):
            views.add_view(parts, one, name, filters)
    for number in range(views.MAX_VIEWS):
        views.add_view(parts, one, str(number), {})
    with pytest.raises(Conflict):
        views.add_view(parts, one, "one more", {})


def test_remove_a_moderator_removes_their_views(parts: Parts, persons: list[Actor]) -> None:
    views.add_view(parts, persons[0], "Mine", {})
    accounts.remove_moderator(parts, CLI, uuid.UUID(persons[0].id))
    assert views.list_views(parts, persons[0]) == []
