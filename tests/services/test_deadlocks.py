"""Writers that meet in the database wait for one another in one order: nobody is ever turned away by a deadlock."""

import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.services import moderate, sites
from moderation.services import submit as submitting
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage import audit
from moderation.storage.db import read
from moderation.storage.models import Author, Comment, DailyCount, Thread

CLIENT = Client("203.0.113.7", "Mozilla/5.0")


def post(parts: Parts, body: str, key: str = "a", token: str | None = None, site: str = "news") -> dict[str, Any]:
    sent = Submission(key, None, None, None, "Ana", None, None, token, body, filled_in_ms=60_000)
    return submit_comment(parts, site, sent, CLIENT)


def at_once(app: Any, jobs: Iterable[Callable[[], object]]) -> None:
    """Run the jobs in a thread each; raises what any of them raised."""

    def run(job: Callable[[], object]) -> None:
        with app.app_context():
            job()

    jobs = list(jobs)
    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(run, jobs))


@pytest.fixture
def auto(parts: Parts, people: Any) -> None:
    """The site publishes by itself."""
    sites.change_site(parts, CLI, "news", settings={"policy": "auto", "approve_below": 0.9})


def counted(name: str) -> int:
    with read() as session:
        return int(session.scalar(sa.select(sa.func.sum(DailyCount.n)).where(DailyCount.name == name)) or 0)


@pytest.mark.usefixtures("auto")
def test_submit_by_many_to_one_thread_that_publishes_at_once(app: Any, parts: Parts) -> None:
    post(parts, "The first remark.")

    def several(who: int) -> Callable[[], object]:
        return lambda: [post(parts, f"Remark {number} by reader {who} on the old harbour.") for number in range(3)]

    at_once(app, [several(who) for who in range(4)])
    with read() as session:
        assert session.scalar(sa.select(Thread.approved)) == counted("approved") == 13


@pytest.mark.usefixtures("auto")
def test_submit_by_a_known_reader_while_their_comments_are_decided(app: Any, parts: Parts) -> None:
    first = post(parts, "The first remark.")

    def write_more() -> None:
        for number in range(8):
            post(parts, f"Another remark, number {number}, of the same reader.", token=first["author_token"])

    def judge() -> None:
        for number in range(10):
            moderate.decide(parts, CLI, first["id"], "approve" if number % 2 else "reject")

    at_once(app, [write_more, judge])
    with read() as session:
        author = session.scalars(sa.select(Author)).one()
        assert (author.approved, author.rejected) == (9, 0)


def test_decide_many_by_two_on_the_same_readers_in_other_threads(app: Any, parts: Parts, people: Any) -> None:
    tokens = [post(parts, f"Reader {number} says hello.")["author_token"] for number in range(2)]
    ids = {
        key: [post(parts, f"In {key}, {n}.", key, tokens[n % 2])["id"] for n in range(8)] for key in ("left", "right")
    }
    orders = (ids["left"], ids["right"][::-1])
    at_once(
        app,
        [
            lambda: [moderate.decide_many(parts, CLI, orders[0], a) for a in ("approve", "reject", "approve")],
            lambda: [moderate.decide_many(parts, CLI, orders[1], a) for a in ("reject", "spam", "approve")],
        ],
    )
    with read() as session:
        assert session.scalar(sa.select(sa.func.sum(Author.approved))) == 16
        assert session.scalar(sa.select(sa.func.sum(Thread.approved))) == 16


def test_decide_many_and_one_by_one_count_in_one_order(app: Any, parts: Parts, people: Any) -> None:
    many = [post(parts, f"Left {n}.", "left")["id"] for n in range(8)]
    single = [post(parts, f"Right {n}.", "right")["id"] for n in range(8)]

    def one_by_one() -> None:
        for comment_id in single:
            moderate.decide(parts, CLI, comment_id, "approve")

    at_once(app, [one_by_one, lambda: moderate.decide_many(parts, CLI, many, "approve")])
    assert counted("approved") == counted("agreed") + counted("disagreed") == 16


def test_decide_many_over_two_sites_in_opposite_orders(app: Any, parts: Parts, people: Any) -> None:
    ids = {
        site: [post(parts, f"{site} {n}.", f"t{n}", site=site)["id"] for n in range(4)] for site in ("news", "other")
    }
    one = [*ids["news"][:2], *ids["other"][:2]]
    two = [*ids["other"][2:], *ids["news"][2:]]
    at_once(
        app,
        [
            lambda: [moderate.decide_many(parts, CLI, one, action) for action in ("approve", "reject")],
            lambda: [moderate.decide_many(parts, CLI, two, action) for action in ("approve", "reject")],
        ],
    )
    with read() as session:
        assert audit.verify(session, parts.vault.audit_key) == []
        assert set(session.scalars(sa.select(Comment.state))) == {"rejected"}


def test_claim_and_release_while_others_decide(app: Any, parts: Parts, people: Any) -> None:
    me = Actor("moderator", "one", "One", {people.site_id: Role.MODERATOR})
    ids = [post(parts, f"Remark {n}.", f"t{n % 3}")["id"] for n in range(9)]

    def claim_and_release() -> None:
        for _ in range(6):
            moderate.claim(parts, me, "news", 24, 10)
            moderate.release(parts, me)

    def decide_and_restore() -> None:
        for action in ("approve", "restore"):
            moderate.decide_many(parts, CLI, ids[::-1], action)

    at_once(app, [claim_and_release, decide_and_restore])
    with read() as session:
        assert set(session.scalars(sa.select(Comment.state))) == {"pending"}


def test_readers_and_moderators_all_at_once_leave_the_counts_right(app: Any, parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"votes": True, "vote_rate": "none", "report_rate": "none"})
    answers = [post(parts, f"Remark {n}.", f"t{n % 2}") for n in range(8)]
    ids: list[uuid.UUID] = [answer["id"] for answer in answers]
    moderate.decide_many(parts, CLI, ids, "approve")

    def quietly(job: Callable[[], object]) -> None:
        from moderation.errors import CallerError

        try:
            job()
        except CallerError:
            return

    def decide(action: str) -> None:
        made = moderate.decide_many(parts, CLI, ids[::-1], action)["results"]
        for result in made[:4]:
            if result["ok"]:
                quietly(lambda done=result["decision_id"]: moderate.undo(parts, CLI, done))

    def read_along(reader: int) -> None:
        who = Client(f"198.51.{reader}.1", "x")
        for comment_id in ids:
            quietly(lambda one=comment_id: submitting.vote(parts, "news", one, 1, who))
            quietly(lambda one=comment_id: submitting.report_comment(parts, "news", one, "abuse", "", who))

    def author() -> None:
        for answer in answers[:3]:
            token = answer["edit_token"]
            quietly(lambda a=answer, t=token: submitting.edit_comment(parts, "news", a["id"], t, "New words.", CLIENT))
        for answer in answers[6:]:
            quietly(lambda a=answer: submitting.delete_comment(parts, "news", a["id"], a["edit_token"]))

    jobs: list[Callable[[], object]] = [lambda: decide("reject"), lambda: decide("approve"), author]
    at_once(app, [*jobs, lambda: read_along(1), lambda: read_along(2)])
    with read() as session:
        for thread in session.scalars(sa.select(Thread)):
            shown = sa.select(sa.func.count()).where(Comment.thread_id == thread.id, Comment.shown)
            assert session.scalar(shown.where(Comment.state == "approved")) == thread.approved
        for comment, author_row in session.execute(sa.select(Comment, Author).join(Author)):
            assert author_row.approved == int(comment.state == "approved")
        assert audit.verify(session, parts.vault.audit_key) == []
