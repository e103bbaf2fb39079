"""A moderator's work: the queue, claims, decisions by compare-and-set, undo, and what readers then see."""

import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Conflict, Forbidden, Invalid, NotFound
from moderation.services import deliver, moderate, sites, threads
from moderation.services import submit as submitting
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage import audit
from moderation.storage.db import read
from moderation.storage.models import Decision, Event, Thread

CLIENT = Client("203.0.113.7", "Mozilla/5.0")
KEY = "a-thread"


@pytest.fixture
def one(people: Any) -> Actor:
    """A moderator of the site."""
    return Actor("moderator", "one", "One", {people.site_id: Role.MODERATOR})


@pytest.fixture
def two(people: Any) -> Actor:
    """A colleague."""
    return Actor("moderator", "two", "Two", {people.site_id: Role.MODERATOR})


@pytest.fixture
def stranger(people: Any) -> Actor:
    """An admin of another site."""
    return Actor("moderator", "far", "Far", {people.other_id: Role.ADMIN})


def post(parts: Parts, body: str = "A remark.", parent: uuid.UUID | None = None, **changes: Any) -> uuid.UUID:
    values: dict[str, Any] = {"name": "Ana", "email": None, "url": None, "token": None, **changes}
    sent = Submission(values.pop("key", KEY), "https://news.example/a", "A", parent, body=body, **values)
    found: uuid.UUID = submit_comment(parts, "news", sent, CLIENT)["id"]
    return found


def shown(parts: Parts, **options: Any) -> dict[str, Any]:
    body = threads.list_comments(parts, "news", KEY, **options).body
    assert body is not None
    answer: dict[str, Any] = orjson.loads(body)
    return answer


def shape(nodes: list[dict[str, Any]]) -> list[Any]:
    """Bodies, nested."""
    return [(node["body_html"][3:-4], shape(node["replies"])) for node in nodes]


def test_decide_once_counts_and_the_second_is_told(parts: Parts, one: Actor, two: Actor) -> None:
    comment_id = post(parts)
    answer = moderate.decide(parts, one, comment_id, "approve", expected_state="pending")
    assert (answer["from_state"], answer["state"]) == ("pending", "approved")
    with pytest.raises(Conflict):
        moderate.decide(parts, two, comment_id, "reject", expected_state="pending")
    assert shown(parts)["total"] == 1


def test_decide_at_once_by_many_takes_effect_once(app: Any, parts: Parts, people: Any, one: Actor, two: Actor) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook", ["comment.approved", "comment.rejected"])
    comment_id = post(parts)

    def go(number: int) -> bool:
        with app.app_context():
            try:
                actor, action = ((one, "approve"), (two, "reject"))[number % 2]
                moderate.decide(parts, actor, comment_id, action, expected_state="pending")
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(go, range(6))) == 1
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Decision)) == 1
        types = set(session.scalars(sa.select(Event.type)))
    assert len(types - {"comment.submitted"}) == 1


def test_decide_without_right_is_refused(parts: Parts, people: Any, one: Actor, stranger: Actor) -> None:
    comment_id = post(parts)
    viewer = Actor("token", "v", "V", {people.site_id: Role.VIEWER})
    with pytest.raises(Forbidden):
        moderate.decide(parts, viewer, comment_id, "approve")
    for missing in (
        lambda: moderate.decide(parts, stranger, comment_id, "approve"),
        lambda: moderate.decide(parts, one, uuid.uuid4(), "approve"),
        lambda: moderate.show_comment(parts, stranger, comment_id),
    ):
        with pytest.raises(NotFound) as caught:
            missing()
        assert caught.value.detail == "There is no such comment."


def test_decide_on_text_edited_since_is_refused_with_its_version(parts: Parts, one: Actor) -> None:
    sent = Submission(KEY, None, None, None, "Ana", None, None, None, "First words.")
    answer = submit_comment(parts, "news", sent, CLIENT)
    seen = moderate.show_comment(parts, one, answer["id"])["version"]
    submitting.edit_comment(parts, "news", answer["id"], answer["edit_token"], "Other words.", CLIENT)
    with pytest.raises(Conflict):
        moderate.decide(parts, one, answer["id"], "approve", expected_state="pending", expected_version=seen)
    assert shown(parts)["total"] == 0


def test_escalated_comment_is_decided_by_admins_alone(parts: Parts, people: Any, one: Actor) -> None:
    comment_id = post(parts)
    moderate.decide(parts, one, comment_id, "escalate")
    with pytest.raises(Forbidden):
        moderate.decide(parts, one, comment_id, "approve")
    admin = Actor("moderator", "a", "A", {people.site_id: Role.ADMIN})
    assert moderate.decide(parts, admin, comment_id, "approve")["state"] == "approved"


def test_undo_brings_back_what_was_and_only_once(parts: Parts, one: Actor, two: Actor) -> None:
    comment_id = post(parts)
    first = moderate.decide(parts, one, comment_id, "approve")
    moderate.undo(parts, one, first["decision_id"])
    assert shown(parts)["total"] == 0
    with pytest.raises(Conflict):
        moderate.undo(parts, one, first["decision_id"])
    second = moderate.decide(parts, one, comment_id, "reject")
    third = moderate.decide(parts, two, comment_id, "approve")
    with pytest.raises(Conflict):
        moderate.undo(parts, one, second["decision_id"])
    moderate.undo(parts, two, third["decision_id"])
    moderate.undo(parts, one, second["decision_id"])
    assert moderate.show_comment(parts, one, comment_id)["state"] == "pending"


def test_undo_never_publishes_a_text_edited_since(parts: Parts, one: Actor) -> None:
    sent = Submission(KEY, None, None, None, "Ana", None, None, None, "First words.")
    answer = submit_comment(parts, "news", sent, CLIENT)
    moderate.decide(parts, one, answer["id"], "approve")
    rejection = moderate.decide(parts, one, answer["id"], "reject")
    submitting.edit_comment(parts, "news", answer["id"], answer["edit_token"], "Never approved.", CLIENT)
    with pytest.raises(Conflict):
        moderate.undo(parts, one, rejection["decision_id"])
    assert shown(parts)["comments"] == []


def test_decide_many_says_for_each_what_became_of_it(parts: Parts, one: Actor, two: Actor) -> None:
    ids = [post(parts, f"Remark {n}.") for n in range(3)]
    moderate.decide(parts, two, ids[1], "spam")
    missing = uuid.uuid4()
    answer = moderate.decide_many(parts, one, [*ids, missing, ids[0]], "approve", expected_state="pending")
    assert [(r["id"], r["ok"]) for r in answer["results"]] == [
        (ids[0], True),
        (ids[1], False),
        (ids[2], True),
        (missing, False),
    ]
    assert [r.get("status") for r in answer["results"]] == [None, 409, None, 404]
    assert shown(parts)["total"] == 2


def test_claim_by_two_never_hands_out_the_same(app: Any, parts: Parts, one: Actor, two: Actor, clock: Any) -> None:
    ids = {post(parts, f"Remark {n}.") for n in range(12)}

    def take(actor: Actor) -> set[uuid.UUID]:
        with app.app_context():
            return {item["id"] for item in moderate.claim(parts, actor, "news", 6, 10)["items"]}

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(take, (one, two))
    assert first | second == ids
    assert not first & second
    assert moderate.claim(parts, Actor("token", "x", "X", one.roles), "news", 5, 1)["items"] == []
    assert take(one) == first
    clock.move(minutes=11)
    assert len(take(two)) == 6
    moderate.release(parts, two)
    assert moderate.list_queue(parts, one, QueueFilter(claimed="me"))["items"] == []


def test_queue_pages_hold_each_comment_once_in_every_order(parts: Parts, one: Actor, clock: Any) -> None:
    ids = []
    for number in range(7):
        clock.move(seconds=1)
        body = f"Remark {number}" + (" http://a.example http://b.example http://c.example" if number % 2 else "")
        ids.append(post(parts, body))
    for sort in ("oldest", "newest", "risk"):
        found: list[uuid.UUID] = []
        cursor = None
        while True:
            page = moderate.list_queue(parts, one, QueueFilter(sort=sort, limit=3, cursor=cursor))
            assert page["total_estimate"] == 7
            found += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(found) == 7
        assert set(found) == set(ids)
        if sort != "risk":
            assert found == (ids if sort == "oldest" else ids[::-1])


def test_queue_filters_find_what_they_say(parts: Parts, one: Actor, clock: Any) -> None:
    calm = post(parts, "The harbour is calm, 100% so.", name="Zoë")
    clock.move(minutes=5)
    loud = post(parts, "Free pills at http://pills.example and http://more.example", key="elsewhere")
    cases = {
        calm: [{"q": "HARBOUR"}, {"q": "100%"}, {"author": "zo"}, {"thread": KEY}, {"before": clock.now}],
        loud: [{"thread": "elsewhere"}, {"signal": "links"}, {"min_risk": 0.05}, {"q": "pills"}],
    }
    for expected, filters in cases.items():
        for asked in filters:
            items = moderate.list_queue(parts, one, QueueFilter(**asked))["items"]
            assert [item["id"] for item in items] == [expected], asked
    assert moderate.list_queue(parts, one, QueueFilter(q="100_"))["items"] == []
    assert moderate.list_queue(parts, one, QueueFilter(reported=True))["items"] == []


def test_queue_cursor_of_another_list_is_refused(parts: Parts, one: Actor, two: Actor) -> None:
    for number in range(3):
        post(parts, f"Remark {number}.")
    cursor = moderate.list_queue(parts, one, QueueFilter(limit=1))["next"]
    for actor, asked in (
        (two, QueueFilter(cursor=cursor)),
        (one, QueueFilter(sort="risk", cursor=cursor)),
        (one, QueueFilter(cursor=cursor[:-2])),
        (one, QueueFilter(cursor="é")),
    ):
        with pytest.raises(Invalid) as caught:
            moderate.list_queue(parts, actor, asked)
        assert "cursor" in caught.value.fields


def test_queue_of_a_foreign_site_is_not_found(parts: Parts, people: Any, one: Actor) -> None:
    with pytest.raises(NotFound):
        moderate.list_queue(parts, one, QueueFilter(site="other"))
    with pytest.raises(NotFound):
        moderate.list_queue(parts, one, QueueFilter(site="no-such-site"))
    with pytest.raises(Forbidden):
        moderate.list_queue(parts, Actor("token", "s", "S", {people.site_id: Role.SCORER}), QueueFilter())


def test_rejecting_a_parent_hides_its_branch_and_approving_shows_it_again(parts: Parts, one: Actor) -> None:
    root = post(parts, "root")
    moderate.decide(parts, one, root, "approve")
    child = post(parts, "child", root)
    moderate.decide(parts, one, child, "approve")
    leaf = post(parts, "leaf", child)
    moderate.decide(parts, one, leaf, "approve")
    assert shape(shown(parts)["comments"]) == [("root", [("child", [("leaf", [])])])]
    moderate.decide(parts, one, child, "reject")
    after = shown(parts)
    assert (shape(after["comments"]), after["total"]) == ([("root", [])], 1)
    moderate.decide(parts, one, child, "approve")
    after = shown(parts)
    assert (shape(after["comments"]), after["total"]) == ([("root", [("child", [("leaf", [])])])], 3)


def test_total_and_counts_agree_with_what_is_listed_whatever_is_decided(parts: Parts, one: Actor) -> None:
    import random

    chance = random.Random(7)
    ids: list[uuid.UUID] = []
    for number in range(12):
        parent = chance.choice(ids) if ids and number % 3 else None
        comment_id = post(parts, f"c{number}", parent)
        moderate.decide(parts, one, comment_id, "approve")
        ids.append(comment_id)
    for _ in range(30):
        comment_id = chance.choice(ids)
        try:
            moderate.decide(parts, one, comment_id, chance.choice(["approve", "reject", "spam", "trash", "restore"]))
        except Conflict:
            continue
        answer = shown(parts, limit=100)
        assert answer["total"] == _size(answer["comments"])
        assert threads.count_comments(parts, "news", [KEY, "none"])["counts"] == {KEY: answer["total"], "none": 0}


def _size(nodes: list[dict[str, Any]]) -> int:
    return sum(1 + _size(node["replies"]) for node in nodes)


def test_list_pages_and_further_replies_hold_each_comment_once(
    parts: Parts, one: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "REPLIES_PER_ROOT", 2)
    roots = [post(parts, f"r{n}") for n in range(3)]
    moderate.decide_many(parts, one, roots, "approve")
    replies = [post(parts, f"r0-{n}", roots[0]) for n in range(5)]
    moderate.decide_many(parts, one, replies, "approve")
    for sort in threads.SORTS:
        first = shown(parts, sort=sort, limit=2)
        second = shown(parts, sort=sort, limit=2, cursor=first["next"])
        nodes = [*first["comments"], *second["comments"]]
        assert {node["id"] for node in nodes} == {str(root) for root in roots}
        assert second["next"] is None
        parent = next(node for node in nodes if node["id"] == str(roots[0]))
        found = [reply["id"] for reply in parent["replies"]]
        cursor = parent["more_replies"]
        while cursor:
            more = shown(parts, sort=sort, limit=2, cursor=cursor)
            found += [reply["id"] for reply in more["comments"]]
            cursor = more["next"]
        assert found == [str(reply) for reply in replies]


def test_replies_below_the_deepest_level_hang_on_it(parts: Parts, one: Actor) -> None:
    sites.change_site(parts, CLI, "news", settings={"max_depth": 2})
    parent: uuid.UUID | None = None
    for number in range(5):
        parent = post(parts, f"c{number}", parent)
        moderate.decide(parts, one, parent, "approve")
    deepest = [("c2", []), ("c3", []), ("c4", [])]
    assert shape(shown(parts)["comments"]) == [("c0", [("c1", deepest)])]


def test_etag_changes_with_what_readers_see_and_only_then(parts: Parts, one: Actor) -> None:
    def etag() -> str:
        return threads.list_comments(parts, "news", KEY).etag

    empty = etag()
    comment_id = post(parts)
    waiting = etag()
    moderate.decide(parts, one, comment_id, "approve")
    approved = etag()
    post(parts, "Another waits.")
    assert empty != approved
    assert waiting != approved
    assert etag() == approved
    page = threads.list_comments(parts, "news", KEY, if_none_match=f'"x", {approved}')
    assert page.body is None
    assert threads.list_comments(parts, "news", KEY, sort="newest").etag != approved


def test_audit_holds_decisions_and_reveals_and_verifies(parts: Parts, people: Any, one: Actor, stranger: Actor) -> None:
    comment_id = post(parts, email="ana@example.org")
    moderate.decide(parts, one, comment_id, "approve", reason="fine")
    with pytest.raises(Forbidden):
        moderate.reveal_email(parts, one, comment_id, "curious")
    admin = Actor("moderator", "a", "A", {people.site_id: Role.ADMIN})
    with pytest.raises(Invalid):
        moderate.reveal_email(parts, admin, comment_id, " ")
    assert moderate.reveal_email(parts, admin, comment_id, "police request 12")["email"] == "ana@example.org"
    lines = moderate.list_audit(parts, one, "news")["items"]
    assert [line["action"] for line in lines[:2]] == ["comment.reveal-email", "comment.approve"]
    assert lines[0]["reason"] == "police request 12"
    with pytest.raises(NotFound):
        moderate.list_audit(parts, stranger, "news")
    with read() as session:
        assert audit.verify(session, parts.vault.audit_key) == []


def test_stats_count_what_happened(parts: Parts, one: Actor, clock: Any) -> None:
    ids = [post(parts, f"Remark {n}.") for n in range(4)]
    clock.move(minutes=2)
    moderate.decide_many(parts, one, ids[:2], "approve")
    moderate.decide(parts, one, ids[2], "reject")
    found = moderate.stats(parts, one, "news", days=2)
    today = found["days"][-1]
    assert {name: today[name] for name in ("submitted", "approved", "rejected", "spam")} == {
        "submitted": 4,
        "approved": 2,
        "rejected": 1,
        "spam": 0,
    }
    assert found["oldest_pending_s"] == 120
    assert found["median_decision_s"] == 120
    assert found["agreement"] == pytest.approx(2 / 3)


def test_thread_count_never_drifts_under_concurrent_decisions(app: Any, parts: Parts, one: Actor) -> None:
    root = post(parts, "root")
    moderate.decide(parts, one, root, "approve")
    ids = [root, *(post(parts, f"c{n}", root) for n in range(8))]

    def go(number: int) -> None:
        with app.app_context(), contextlib.suppress(Conflict):
            moderate.decide(parts, one, ids[number % len(ids)], "approve" if number % 2 else "reject")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(go, range(27)))
    with read() as session:
        stored = session.scalar(sa.select(Thread.approved))
    assert stored == shown(parts, limit=100)["total"] == _size(shown(parts, limit=100)["comments"])
