"""The lists that are asked for most find their rows by an index, on a SQLite that nobody has analysed too."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI
from moderation.services import desk, feeds, moderate
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import db


def plans(parts: Parts, call: Callable[[], Any]) -> list[str]:
    """Index and order of each step in which ``call`` reads comments."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if "FROM comments" in statement:
            seen.append((statement, values))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    steps: list[str] = []
    for statement, values in seen:
        with db.engine.connect() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps += [row[3] for row in rows if "comments" in row[3] or "ORDER BY" in row[3]]
    return steps


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"site": "news"}, "ix_comments_state"),
        ({}, "ix_comments_state_all"),
        ({"site": "news", "sort": "risk"}, "ix_comments_queue_risk"),
        ({"sort": "risk"}, "ix_comments_queue_all_risk"),
        ({"site": "news", "state": "approved", "sort": "newest"}, "ix_comments_state"),
        ({"site": "news", "state": "approved", "reported": True}, "ix_comments_reported"),
        ({"site": "news", "state": "approved", "thread": "a"}, "ix_comments_thread"),
    ],
)
def test_list_queue_walks_an_index_in_its_order(parts: Parts, people: Any, asked: dict[str, Any], index: str) -> None:
    sent = Submission("a", None, None, None, "Ana", None, None, None, "A remark.")
    submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))
    steps = plans(parts, lambda: moderate.list_queue(parts, CLI, QueueFilter(**asked)))
    assert f"INDEX {index} " in f"{steps[0]} "
    assert not any("ORDER BY" in step for step in steps)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_alike_comments_are_read_by_their_index_alone(parts: Parts, people: Any) -> None:
    sent = Submission("a", None, None, None, "Ana", None, None, None, "A remark that is long enough to be compared.")
    done = [submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))["id"] for _ in range(2)]
    for call in (
        lambda: moderate.list_queue(parts, CLI, QueueFilter(alike=done[0])),
        lambda: moderate.list_alike(parts, CLI, done[0], state="pending"),
        lambda: moderate.decide_alike(parts, CLI, done[0], "spam"),
    ):
        steps = plans(parts, call)
        walked = [step for step in steps if "(site_id=? AND alike_key=?" in step]
        assert walked
        assert not any("ix_comments_state" in step for step in steps)
        assert not any(step.startswith("SCAN comments") for step in steps)
    counted = plans(parts, lambda: moderate.show_comment(parts, CLI, done[0]))
    assert any("USING COVERING INDEX ix_comments_alike (site_id=? AND alike_key=?)" in step for step in counted)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_feed_of_a_thread_reads_that_thread_alone(parts: Parts, people: Any) -> None:
    sent = Submission("a", None, None, None, "Ana", None, None, None, "A remark.")
    done = submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))
    moderate.decide(parts, CLI, done["id"], "approve")
    steps = plans(parts, lambda: feeds.written_feed(parts, "news", "a", lambda _: b""))
    assert any("ix_comments_thread (thread_id=? AND state=?)" in step for step in steps)
    assert not any("ORDER BY" in step for step in steps)


def found_by_index(steps: list[str]) -> bool:
    """Whether no step reads all comments, and none sorts them."""
    return bool(steps) and not any(step.startswith("SCAN comments") or "ORDER BY" in step for step in steps)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
@pytest.mark.parametrize("site", [None, "news"])
def test_what_the_console_asks_for_is_found_by_an_index(
    parts: Parts, people: Any, clock: Any, site: str | None
) -> None:
    sent = Submission("a", None, None, None, "Ana", None, None, None, "A remark.")
    done = submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))["id"]
    asked = QueueFilter(site=site)
    etag = desk.live(parts, CLI, asked, [done], clock()).etag
    for call in (
        lambda: desk.live(parts, CLI, asked, [done], clock(), etag),
        lambda: desk.show_some(parts, CLI, [done]),
        lambda: desk.hold(parts, CLI, [done], [done]),
        lambda: desk.list_around(parts, CLI, done),
        lambda: desk.count_views(parts, CLI, [asked, QueueFilter(site=site, q="x", author="y", claimed="me")]),
        lambda: desk.count_views(parts, CLI, [QueueFilter(site=site, min_risk=0.5)]),
        lambda: desk.count_views(parts, CLI, [QueueFilter(site=site, state="approved", reported=True)]),
    ):
        assert found_by_index(plans(parts, call))
    arrived = plans(parts, lambda: desk.live(parts, CLI, asked, [], clock()))
    assert any("created_at>?" in step for step in arrived)
