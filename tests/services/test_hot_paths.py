"""The paths that are walked most: as few queries as promised, and short cuts that change no answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI
from moderation.domain.kept import Kept
from moderation.errors import Invalid
from moderation.services import desk, moderate, sites, threads
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import db, read
from moderation.storage.models import Author, Comment, Thread

CLIENT = Client("203.0.113.7", "Mozilla/5.0")


def post(parts: Parts, body: str, parent: Any = None, key: str = "a") -> Any:
    sent = Submission(key, None, None, parent, "Ana", None, None, None, body, filled_in_ms=60_000)
    return submit_comment(parts, "news", sent, CLIENT)["id"]


@pytest.fixture
def approved(parts: Parts, people: Any) -> Callable[..., Any]:
    def make(body: str, parent: Any = None) -> Any:
        made = post(parts, body, parent)
        moderate.decide(parts, CLI, made, "approve")
        return made

    return make


@contextmanager
def queries() -> Iterator[list[str]]:
    """The SELECT statements that run meanwhile."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("SELECT"):
            seen.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


def bodies(page: threads.Page) -> list[str]:
    return [one["body_html"] for one in orjson.loads(page.body or b"")["comments"]]


def state_of(parts: Parts) -> dict[str, Any]:
    """What the rows say of what is shown, counted from scratch, beside what is kept."""
    with read() as session:
        thread = session.scalars(sa.select(Thread)).one()
        of_thread = sa.select(sa.func.count()).where(Comment.thread_id == thread.id)
        return {
            "kept": thread.approved,
            "counted": session.scalar(of_thread.where(Comment.shown, Comment.state == "approved")),
            "shown": session.scalar(of_thread.where(Comment.shown)),
            "authors": session.scalar(sa.select(sa.func.sum(Author.approved))),
        }


def test_list_comments_with_a_known_etag_costs_two_queries(parts: Parts, approved: Callable[..., Any]) -> None:
    approved("The first.")
    etag = threads.list_comments(parts, "news", "a").etag
    with queries() as seen:
        page = threads.list_comments(parts, "news", "a", if_none_match=etag)
    assert page.body is None
    assert len(seen) == 2


def test_list_comments_asked_again_is_not_made_again(parts: Parts, approved: Callable[..., Any]) -> None:
    approved("The first.")
    first = threads.list_comments(parts, "news", "a")
    with queries() as seen:
        again = threads.list_comments(parts, "news", "a")
    assert again == first
    assert len(seen) == 2


def test_list_comments_after_each_change_is_made_anew(parts: Parts, approved: Callable[..., Any]) -> None:
    first, second = approved("The first."), approved("The second.")
    assert bodies(threads.list_comments(parts, "news", "a")) == ["<p>The first.</p>", "<p>The second.</p>"]
    moderate.decide(parts, CLI, first, "reject")
    assert bodies(threads.list_comments(parts, "news", "a")) == ["<p>The second.</p>"]
    moderate.decide_many(parts, CLI, [second], "spam")
    assert bodies(threads.list_comments(parts, "news", "a")) == []


def test_list_comments_sorted_otherwise_is_another_answer(
    parts: Parts, approved: Callable[..., Any], clock: Any
) -> None:
    approved("The first.")
    clock.move(seconds=1)
    approved("The second.")
    oldest, newest = (bodies(threads.list_comments(parts, "news", "a", sort=sort)) for sort in ("oldest", "newest"))
    assert oldest == newest[::-1] != newest


def test_keep_finished_answers_beyond_the_limit_drops_the_longest_unused() -> None:
    finished: Kept[str, bytes] = Kept(2_500, len)
    for name in ("one", "two"):
        finished.keep(name, bytes(1_000))
    assert finished.get("one") is not None
    finished.keep("three", bytes(1_000))
    assert [finished.get(name) is not None for name in ("one", "two", "three")] == [True, False, True]
    finished.keep("huge", bytes(10_000))
    assert finished.get("huge") is None


@pytest.mark.parametrize("roots", [1, 3, 6])
def test_list_comments_gives_each_root_its_own_replies(parts: Parts, approved: Callable[..., Any], roots: int) -> None:
    for number in range(roots):
        approved(f"Reply to {number}.", approved(f"Root {number}."))
    page = orjson.loads(threads.list_comments(parts, "news", "a").body or b"")
    found = {one["body_html"]: [reply["body_html"] for reply in one["replies"]] for one in page["comments"]}
    assert found == {f"<p>Root {n}.</p>": [f"<p>Reply to {n}.</p>"] for n in range(roots)}


def test_decide_many_on_a_comment_and_its_replies_shows_and_hides_the_branch(
    parts: Parts, approved: Callable[..., Any]
) -> None:
    top = approved("Top.")
    below = approved("Below.", top)
    deep = approved("Deep.", below)
    other = approved("Other.")
    moderate.decide_many(parts, CLI, [deep, top], "reject")
    assert state_of(parts) == {"kept": 1, "counted": 1, "shown": 1, "authors": 2}
    moderate.decide_many(parts, CLI, [other, below, deep], "approve")
    assert state_of(parts) == {"kept": 1, "counted": 1, "shown": 1, "authors": 3}
    moderate.decide_many(parts, CLI, [below, top], "approve")
    assert state_of(parts) == {"kept": 4, "counted": 4, "shown": 4, "authors": 4}


def test_decide_many_says_of_each_what_became_of_it(parts: Parts, approved: Callable[..., Any]) -> None:
    waiting, public, edited = post(parts, "Waits."), approved("Public."), approved("Edited since.")
    answer = moderate.decide_many(
        parts, CLI, [edited, waiting, public, waiting], "reject", expected_versions={edited: 7}
    )
    assert [(one["id"], one["ok"], one.get("state"), one.get("status")) for one in answer["results"]] == [
        (edited, False, None, 409),
        (waiting, True, "rejected", None),
        (public, True, "rejected", None),
    ]
    history = moderate.show_comment(parts, CLI, waiting)["history"]
    assert [one["id"] for one in history] == [answer["results"][1]["decision_id"]]


def test_decide_many_on_hundreds_costs_no_query_for_each(parts: Parts, people: Any) -> None:
    few, many = [[post(parts, f"{size} {n}.") for n in range(size)] for size in (2, 20)]
    moderate.decide(parts, CLI, post(parts, "The first that this site learns from."), "approve")
    counts = []
    for ids in (few, many):
        with queries() as seen:
            moderate.decide_many(parts, CLI, ids, "approve")
        counts.append(len([one for one in seen if "audit" not in one and "pg_advisory" not in one]))
    assert counts[0] == counts[1]


def test_list_queue_with_a_filter_and_without_agree(parts: Parts, people: Any, clock: Any) -> None:
    for number in range(5):
        post(parts, f"Remark {number}.")
        clock.move(seconds=1)
    for sort in moderate.SORTS:
        plain = moderate.list_queue(parts, CLI, moderate.QueueFilter(site="news", sort=sort, limit=3))
        filtered = moderate.list_queue(parts, CLI, moderate.QueueFilter(site="news", sort=sort, limit=3, min_risk=0))
        assert plain["items"] == filtered["items"]
        assert plain["total_estimate"] == filtered["total_estimate"] == 5
        rest = moderate.list_queue(
            parts, CLI, moderate.QueueFilter(site="news", sort=sort, limit=3, cursor=plain["next"])
        )
        assert len({item["id"] for item in [*plain["items"], *rest["items"]]}) == 5


def test_ask_how_the_queue_stands_while_nothing_changed_costs_four_queries(
    parts: Parts, people: Any, clock: Any
) -> None:
    ids = [post(parts, f"Remark {number}.") for number in range(5)]
    asked = moderate.QueueFilter(site="news")
    etag = desk.live(parts, CLI, asked, ids, clock()).etag
    with queries() as seen:
        assert desk.live(parts, CLI, asked, ids, clock(), etag).facts is None
    assert len(seen) == 4  # the site, the comments, the newest, and how many


def test_show_a_page_of_cards_costs_no_query_for_each(parts: Parts, people: Any) -> None:
    ids = [post(parts, f"Remark {number}.") for number in range(12)]
    counts = []
    for some in (ids[:2], ids):
        with queries() as seen:
            desk.approved_texts(parts, desk.show_some(parts, CLI, some))
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_undo_all_costs_few_queries_for_each(parts: Parts, people: Any, clock: Any) -> None:
    moderate.decide(parts, CLI, post(parts, "The first that this site learns from."), "approve")
    counts = []
    for size in (2, 12):
        clock.move(seconds=1)
        ids = [post(parts, f"{size} {n}.") for n in range(size)]
        at = moderate.decide_many(parts, CLI, ids, "approve")["results"][0]["created_at"]
        with queries() as seen:
            moderate.undo_all(parts, CLI, at)
        counts.append(len([one for one in seen if "audit" not in one and "pg_advisory" not in one]))
    assert counts[1] - counts[0] <= 10 * 4  # the newest decision on it, and what it taught


def test_submit_knows_its_site_without_a_query_and_sees_its_change_at_once(parts: Parts, people: Any) -> None:
    post(parts, "The first, for which the site is read.")
    with queries() as seen:
        post(parts, "Another remark.")
    assert not [one for one in seen if "FROM sites" in one]
    assert len(seen) <= 7  # alike texts (2), the network, the thread and its key, the endpoints
    sites.change_site(parts, CLI, "news", settings={"max_chars": 5})
    with pytest.raises(Invalid):
        post(parts, "Longer than that.")
    sites.change_site(parts, CLI, "news", settings={"max_chars": 100})
    post(parts, "Longer than that.")
