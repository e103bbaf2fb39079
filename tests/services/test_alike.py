"""Groups of alike comments: found across threads and names, counted, listed, decided together, kept to their site."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Forbidden, Invalid, NotFound
from moderation.services import judging, moderate
from moderation.services import submit as submitting
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import db, read, write
from moderation.storage.models import Comment, Fingerprint

CLIENT = Client("203.0.113.7", "Mozilla/5.0")
SPAM = "Come and see my new cooking channel, with a prize for every subscriber"
EDITED = (
    "@Ana come and see my new cooking channel, with a prize for every subscriber",
    "Come and see my new gardening channel, with a prize for every subscriber",
    "C0me and s33 my new cooking channel, with a prize for every subscriber \U0001f525",
    "Come and see my new cooking channel with a prize for every subscriber https://x.example/9",
)
OTHER = "The council voted on Tuesday to keep the night ferry, which nobody had expected."


@pytest.fixture
def one(people: Any) -> Actor:
    """A moderator of the site."""
    return Actor("moderator", "one", "One", {people.site_id: Role.MODERATOR})


@pytest.fixture
def stranger(people: Any) -> Actor:
    """An admin of another site."""
    return Actor("moderator", "far", "Far", {people.other_id: Role.ADMIN})


def send(parts: Parts, body: str, *, key: str = "a", name: str = "Ana", site: str = "news") -> dict[str, Any]:
    sent = Submission(key, None, None, None, name, None, None, None, body, filled_in_ms=60_000)
    return submit_comment(parts, site, sent, CLIENT)


def post(parts: Parts, body: str, **where: Any) -> uuid.UUID:
    made: uuid.UUID = send(parts, body, **where)["id"]
    return made


def campaign(parts: Parts) -> list[uuid.UUID]:
    """The same spam, edited, by several names in several threads; the first is what the others are like."""
    return [
        post(parts, body, key=f"thread-{number}", name=f"Reader {number}")
        for number, body in enumerate((SPAM, *EDITED))
    ]


def alike(parts: Parts, comment_id: uuid.UUID, actor: Actor = CLI) -> dict[str, Any]:
    found: dict[str, Any] = moderate.show_comment(parts, actor, comment_id)["alike"]
    return found


def states(parts: Parts, ids: list[uuid.UUID]) -> list[str]:
    with read() as session:
        rows = {
            row.id: row.state
            for row in session.execute(sa.select(Comment.id, Comment.state).where(Comment.id.in_(ids)))
        }
    return [rows[one] for one in ids]


def test_submit_edited_copies_under_other_names_makes_one_group(parts: Parts, people: Any) -> None:
    ids = campaign(parts)
    other = post(parts, OTHER)
    moderate.decide_many(parts, CLI, ids[:2], "spam")
    found = alike(parts, ids[-1])
    assert found["count"] == 4
    assert {state: n for state, n in found["by_state"].items() if n} == {"spam": 2, "pending": 2}
    assert len({alike(parts, one)["group"] for one in ids}) == 1
    assert alike(parts, other) == {
        **found,
        "count": 0,
        "by_state": dict.fromkeys(found["by_state"], 0),
        "group": alike(parts, other)["group"],
    }
    assert alike(parts, other)["group"] != found["group"]


def test_submit_like_what_was_spam_says_so_in_words(parts: Parts, people: Any) -> None:
    ids = campaign(parts)
    moderate.decide_many(parts, CLI, ids[:3], "spam")
    moderate.decide(parts, CLI, ids[3], "approve")
    item = moderate.show_comment(parts, CLI, post(parts, f"Hello there! {SPAM}", key="elsewhere"))
    said = [
        evidence["text"] for signal in item["signals"] if signal["name"] == "repeats" for evidence in signal["evidence"]
    ]
    assert said == ["Like 3 comments that were marked as spam, 1 that was approved and 1 that waits."]


def test_submit_common_phrase_of_which_one_was_spam_is_not_held_for_it(parts: Parts, people: Any) -> None:
    first = post(parts, "Thank you!")
    moderate.decide(parts, CLI, first, "spam")
    for number in range(4):
        moderate.decide(parts, CLI, post(parts, "Thank you!", key=str(number)), "approve")
    item = moderate.show_comment(parts, CLI, post(parts, "thank you"))
    assert item["scores"]["spam"] < 0.2
    assert item["risk"] < 0.2
    assert alike(parts, first)["by_state"]["approved"] == 4


def test_submit_the_same_text_at_once_makes_one_group(app: Any, parts: Parts, people: Any) -> None:
    def go(number: int) -> uuid.UUID:
        with app.app_context():
            return post(parts, SPAM, key=f"thread-{number}")

    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(go, range(12)))
    assert alike(parts, ids[0])["count"] == 11


def test_group_is_around_one_comment_and_no_chain(parts: Parts, people: Any) -> None:
    words = [
        f"{a}{b}" for a in ("stone", "river", "candle", "meadow") for b in ("bread", "light", "house", "wind", "song")
    ]
    texts = [" ".join(words[start : start + 10]) for start in range(0, 11, 2)]
    ids = [post(parts, text) for text in texts]
    groups = [alike(parts, one)["group"] for one in ids]
    assert groups[0] == groups[1]
    assert groups[0] != groups[-1]


def test_count_of_another_sites_copies_is_nothing(parts: Parts, people: Any, one: Actor, stranger: Actor) -> None:
    own = post(parts, SPAM)
    foreign = post(parts, SPAM, site="other")
    assert alike(parts, own)["count"] == 0
    assert moderate.list_alike(parts, one, own)["items"] == []
    moderate.decide_alike(parts, CLI, own, "spam")
    assert states(parts, [own, foreign]) == ["spam", "pending"]
    for refused in (
        lambda: moderate.list_alike(parts, stranger, own),
        lambda: moderate.decide_alike(parts, stranger, own, "spam"),
        lambda: moderate.list_queue(parts, stranger, QueueFilter(alike=own)),
        lambda: moderate.list_alike(parts, one, uuid.uuid4()),
    ):
        with pytest.raises(NotFound) as caught:
            refused()
        assert caught.value.detail == "There is no such comment."
    assert moderate.list_queue(parts, CLI, QueueFilter(alike=own, site="other", state="pending"))["items"] == []


def test_list_alike_pages_hold_each_once_with_its_similarity(parts: Parts, people: Any, one: Actor) -> None:
    ids = campaign(parts)
    same = post(parts, SPAM.upper(), key="again")
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = moderate.list_alike(parts, one, ids[0], limit=2, cursor=cursor)
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [item["id"] for item in found] == [same, *reversed(ids[1:])]
    assert found[0]["similarity"] == 1
    assert all(0.4 <= item["similarity"] <= 1 for item in found)
    assert found[-1]["thread"]["key"] == "thread-1"
    assert found[-1]["author"] == {"name": "Reader 1"}
    moderate.decide(parts, one, ids[2], "approve")
    approved = moderate.list_alike(parts, one, ids[0], state="approved")["items"]
    assert [item["id"] for item in approved] == [ids[2]]
    with pytest.raises(Invalid):
        moderate.list_alike(parts, one, ids[0], cursor=moderate.list_alike(parts, one, ids[1], limit=2)["next"])
    with pytest.raises(Invalid):
        moderate.list_alike(parts, one, ids[0], state="nonsense")


def test_list_queue_of_alike_ones_has_the_comment_and_those_like_it(parts: Parts, people: Any, one: Actor) -> None:
    ids = campaign(parts)
    post(parts, OTHER)
    moderate.decide(parts, one, ids[1], "spam")
    page = moderate.list_queue(parts, one, QueueFilter(alike=ids[0]))
    assert {item["id"] for item in page["items"]} == {ids[0], *ids[2:]}
    assert page["total_estimate"] == 4
    page = moderate.list_queue(parts, one, QueueFilter(alike=ids[1], state="spam", site="news"))
    assert [item["id"] for item in page["items"]] == [ids[1]]


def test_decide_alike_takes_those_that_wait_and_no_other(parts: Parts, people: Any, one: Actor) -> None:
    ids = campaign(parts)
    other = post(parts, OTHER)
    moderate.decide(parts, one, ids[1], "approve")
    answer = moderate.decide_alike(parts, one, ids[0], "spam", "advertising")
    assert [(result["id"], result["ok"]) for result in answer["results"]] == [(one, True) for one in (ids[0], *ids[2:])]
    assert answer["left"] == 0
    assert states(parts, [*ids, other]) == ["spam", "approved", "spam", "spam", "spam", "pending"]
    answer = moderate.decide_alike(parts, one, ids[0], "spam", expected_state="approved")
    assert [result["id"] for result in answer["results"]] == [ids[1]]
    history = moderate.show_comment(parts, one, ids[2])["history"]
    assert (history[0]["reason"], history[0]["by"]) == ("advertising", "One")


def test_decide_alike_leaves_alone_what_was_not_seen(parts: Parts, people: Any, one: Actor, clock: Any) -> None:
    first, edited = send(parts, SPAM), send(parts, EDITED[0])
    clock.move(seconds=5)
    seen = clock()
    clock.move(seconds=5)
    later = send(parts, EDITED[1])
    submitting.edit_comment(parts, "news", edited["id"], edited["edit_token"], EDITED[2], CLIENT)
    answer = moderate.decide_alike(parts, one, first["id"], "spam", until=seen)
    assert [result["id"] for result in answer["results"]] == [first["id"]]
    assert answer["left"] == 2
    version = moderate.show_comment(parts, one, edited["id"])["version"]
    answer = moderate.decide_alike(
        parts, one, first["id"], "spam", expected_versions={edited["id"]: version - 1, later["id"]: 1}
    )
    assert [(result["id"], result.get("status")) for result in answer["results"]] == [
        (edited["id"], 409),
        (later["id"], None),
    ]


def test_decide_alike_leaves_alone_what_is_edited_at_this_very_moment(
    app: Any, parts: Parts, people: Any, one: Actor, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite lets one transaction write at a time.")
    first, edited = send(parts, SPAM), send(parts, EDITED[0])
    seen = clock()
    clock.move(seconds=5)
    lock = moderate._locked

    def edit() -> None:
        with app.app_context():
            submitting.edit_comment(parts, "news", edited["id"], edited["edit_token"], OTHER, CLIENT)

    def lock_after_edit(session: Any, ids: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(edit).result()
        return lock(session, ids)

    monkeypatch.setattr(moderate, "_locked", lock_after_edit)
    answer = moderate.decide_alike(parts, one, first["id"], "approve", until=seen)
    assert [result.get("status") for result in answer["results"]] == [None, 409]
    assert states(parts, [first["id"], edited["id"]]) == ["approved", "pending"]


def test_decide_alike_without_right_is_refused(parts: Parts, people: Any) -> None:
    comment_id = post(parts, SPAM)
    with pytest.raises(Forbidden):
        moderate.decide_alike(parts, Actor("token", "v", "V", {people.site_id: Role.VIEWER}), comment_id, "spam")
    with pytest.raises(Invalid):
        moderate.decide_alike(parts, CLI, comment_id, "nonsense")
    assert states(parts, [comment_id]) == ["pending"]


def test_decide_alike_by_two_at_once_decides_each_once(app: Any, parts: Parts, people: Any, one: Actor) -> None:
    ids = [post(parts, SPAM, key=f"thread-{number}") for number in range(12)]

    def go(action: str) -> int:
        with app.app_context():
            answer = moderate.decide_alike(parts, one, ids[0], action)
            return sum(result["ok"] for result in answer["results"])

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(go, ("spam", "reject", "spam", "approve")))
    assert sum(done) == len(ids)
    assert set(states(parts, ids)) <= {"spam", "rejected", "approved"}
    for comment_id in ids:
        assert len(moderate.show_comment(parts, one, comment_id)["history"]) == 1


def test_edit_of_what_stands_for_a_group_leaves_the_group_findable(parts: Parts, people: Any) -> None:
    first = send(parts, SPAM)
    second = post(parts, EDITED[0])
    submitting.edit_comment(parts, "news", first["id"], first["edit_token"], OTHER, CLIENT)
    assert alike(parts, second)["count"] == 0
    third = post(parts, EDITED[1])
    assert alike(parts, third)["group"] == alike(parts, second)["group"]
    assert alike(parts, first["id"])["count"] == 0


def test_edit_of_a_comma_stays_in_the_group(parts: Parts, people: Any) -> None:
    first = send(parts, SPAM)
    second = post(parts, EDITED[0])
    submitting.edit_comment(parts, "news", first["id"], first["edit_token"], f"{SPAM}, truly!", CLIENT)
    third = post(parts, EDITED[3])
    assert {alike(parts, one)["count"] for one in (first["id"], second, third)} == {2}


def test_delete_leaves_nothing_of_the_text_and_the_group_findable(parts: Parts, people: Any) -> None:
    first = send(parts, SPAM)
    second = post(parts, EDITED[0])
    submitting.delete_comment(parts, "news", first["id"], first["edit_token"])
    assert alike(parts, first["id"])["group"] is None
    assert moderate.list_alike(parts, CLI, first["id"])["items"] == []
    assert alike(parts, post(parts, EDITED[1]))["group"] == alike(parts, second)["group"]
    with read() as session:
        row = session.execute(sa.select(Comment.sketch, Comment.exact).where(Comment.id == first["id"])).one()
        held = session.scalar(sa.select(sa.func.count()).where(Fingerprint.comment_id == first["id"]))
    assert (row.sketch, row.exact, held) == (None, b"", 0)


def test_delete_one_of_two_that_stand_for_a_group_leaves_the_other(parts: Parts, people: Any) -> None:
    first = send(parts, SPAM)
    second = post(parts, SPAM)
    with write() as session:  # as when both came in at the same moment
        site_id = session.scalars(sa.select(Comment.site_id)).first()
        keys = list(session.scalars(sa.select(Fingerprint.band)))
        session.execute(
            sa.insert(Fingerprint), [{"site_id": site_id, "band": key, "comment_id": second} for key in keys]
        )
    submitting.delete_comment(parts, "news", first["id"], first["edit_token"])
    assert alike(parts, post(parts, EDITED[1]))["group"] == alike(parts, second)["group"]


def test_delete_all_of_a_group_at_once_leaves_no_fingerprint(app: Any, parts: Parts, people: Any) -> None:
    made = [send(parts, f"{SPAM} {number}", key=str(number)) for number in range(8)]

    def go(one: dict[str, Any]) -> None:
        with app.app_context():
            submitting.delete_comment(parts, "news", one["id"], one["edit_token"])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(go, made))
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Fingerprint)) == 0


def test_submit_flood_keeps_one_fingerprint_for_its_group(parts: Parts, people: Any) -> None:
    for number in range(5):
        post(parts, f"{SPAM} {number}", key=str(number))
    with read() as session:
        assert session.scalar(sa.select(sa.func.count(sa.distinct(Fingerprint.comment_id)))) == 1


def test_list_queue_with_groups_costs_as_many_queries_for_many(parts: Parts, people: Any) -> None:
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool) -> None:
        seen.append(statement)

    counts = []
    for number in range(12):
        post(parts, f"{OTHER} {SPAM} {chr(97 + number) * 30}" if number % 2 else f"{number} {SPAM}", key=str(number))
        if number not in {1, 11}:
            continue
        sa.event.listen(db.engine, "before_cursor_execute", note)
        try:
            seen.clear()
            moderate.list_queue(parts, CLI, QueueFilter(site="news"))
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_count_stops_at_its_limit(parts: Parts, people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moderation.storage import comments

    monkeypatch.setattr(comments, "ALIKE_COUNTED", 3)
    ids = [post(parts, SPAM, key=str(number)) for number in range(6)]
    assert {alike(parts, comment_id)["count"] for comment_id in ids} == {3}
    other = post(parts, OTHER)
    few = [post(parts, f"{OTHER} {number}") for number in range(2)]
    page = moderate.list_queue(parts, CLI, QueueFilter(site="news"))["items"]
    assert {item["id"]: item["alike"]["count"] for item in page} == {
        **dict.fromkeys(ids, 3),
        **dict.fromkeys([other, *few], 2),
    }


def test_time_moves_on_and_old_copies_are_still_alike(parts: Parts, people: Any, clock: Any) -> None:
    old = post(parts, SPAM)
    clock.now += timedelta(days=90)
    assert alike(parts, post(parts, EDITED[0]))["group"] == alike(parts, old)["group"]
    assert alike(parts, post(parts, SPAM))["count"] == 2


def test_submit_text_like_no_other_asks_for_no_members_of_its_group(
    parts: Parts, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    newest = judging.comments.newest_of_group

    def counted(*args: Any) -> Any:
        asked.append(args)
        return newest(*args)

    monkeypatch.setattr(judging.comments, "newest_of_group", counted)
    post(parts, SPAM)
    post(parts, OTHER)
    assert not asked
    post(parts, EDITED[0])
    assert len(asked) == 1
