"""A reader's comment: accepted, judged, edited, deleted, reported, voted on. On both databases."""

import uuid
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI
from moderation.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited, Unauthenticated
from moderation.services import deliver, moderate, sites, threads
from moderation.services import submit as submitting
from moderation.services.idempotency import Idempotency
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import Base, read
from moderation.storage.models import Comment, Event, Report, SignalRow

CLIENT = Client("203.0.113.7", "Mozilla/5.0")
KEY = "2025/07/arms-pause"


@pytest.fixture(autouse=True)
def subscribed(parts: Parts, people: Any) -> None:
    """A site without an endpoint keeps no events."""
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")


def a_submission(body: str = "A calm and useful remark on the harbour.", **changes: Any) -> Submission:
    values: dict[str, Any] = {
        "thread_key": KEY,
        "thread_url": "https://news.example/2025/07/arms-pause",
        "thread_title": "Arms pause",
        "parent_id": None,
        "name": "Ana",
        "email": "Ana@Example.org",
        "url": None,
        "token": None,
        "body": body,
    }
    return Submission(**{**values, **changes})


def row(comment_id: uuid.UUID) -> Comment:
    with read() as session:
        comment = session.get(Comment, comment_id)
        assert comment is not None
        return comment


def event_types(comment_id: uuid.UUID) -> list[str]:
    with read() as session:
        statement = sa.select(Event.type).where(Event.comment_id == comment_id).order_by(Event.id)
        return list(session.scalars(statement))


def listed(parts: Parts, **options: Any) -> dict[str, Any]:
    body = threads.list_comments(parts, "news", KEY, **options).body
    assert body is not None
    answer: dict[str, Any] = orjson.loads(body)
    return answer


def approve(parts: Parts, comment_id: uuid.UUID) -> dict[str, Any]:
    return moderate.decide(parts, CLI, comment_id, "approve")


def test_submit_plain_comment_waits_and_is_told(parts: Parts, people: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    assert answer["state"] == "pending"
    assert answer["body_html"] == "<p>A calm and useful remark on the harbour.</p>"
    assert row(answer["id"]).state == "pending"
    assert event_types(answer["id"]) == ["comment.submitted"]
    assert listed(parts)["comments"] == []


def test_submit_email_is_stored_sealed_and_ip_truncated(parts: Parts, people: Any, settings: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    comment = row(answer["id"])
    assert comment.email_sealed is not None
    assert b"example.org" not in comment.email_sealed
    assert comment.ip_network == "203.0.113.0/24"
    assert moderate.reveal_email(parts, CLI, comment.id, "asked by the reader")["email"] == "ana@example.org"
    with read() as session:
        for table in ("comments", "events", "audit", "idempotency_keys", "authors"):
            text = str(session.execute(sa.text(f"SELECT * FROM {table}")).all()).lower()
            assert "ana@example" not in text
            assert "203.0.113.7" not in text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "author.name"),
        ({"name": "x" * 101}, "author.name"),
        ({"email": "not an address"}, "author.email"),
        ({"url": "javascript:alert(1)"}, "author.url"),
        ({"thread_url": "//evil.example"}, "thread.url"),
        ({"thread_key": ""}, "thread.key"),
        ({"body": " \n "}, "body"),
        ({"body": "x" * 10_001}, "body"),
        ({"body": "\ud800"}, "body"),
        ({"parent_id": uuid.uuid4()}, "parent_id"),
    ],
)
def test_submit_wrong_field_is_refused_by_name(parts: Parts, people: Any, changes: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        submit_comment(parts, "news", a_submission(**changes), CLIENT)
    assert field in caught.value.fields


def test_submit_to_unknown_site_is_not_found(parts: Parts, people: Any) -> None:
    with pytest.raises(NotFound):
        submit_comment(parts, "nowhere", a_submission(), CLIENT)


def test_submit_twice_with_one_key_makes_one_comment(parts: Parts, people: Any) -> None:
    key = Idempotency("k-1", b"hash")
    first = submit_comment(parts, "news", a_submission(), CLIENT, key)
    second = submit_comment(parts, "news", a_submission(), CLIENT, key)
    assert str(second["id"]) == str(first["id"])
    assert second["edit_token"] == first["edit_token"]
    assert second["created_at"] == first["created_at"]
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Comment)) == 1
    with pytest.raises(Invalid):
        submit_comment(parts, "news", a_submission("another"), CLIENT, Idempotency("k-1", b"other"))


def test_submit_over_the_rate_is_refused_and_leaves_nothing(parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"submit_rate": "2/minute"})
    for body in ("One remark.", "Another remark."):
        submit_comment(parts, "news", a_submission(body), CLIENT)
    with pytest.raises(RateLimited) as caught:
        submit_comment(parts, "news", a_submission("A third."), CLIENT)
    assert 1 <= caught.value.retry_after_s <= 60
    with pytest.raises(RateLimited):
        submitting.check_rate(parts, "news", "submit", CLIENT)
    submitting.check_rate(parts, "news", "submit", Client("198.51.100.9", ""))
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Comment)) == 2


def test_submit_repeated_above_the_rate_gets_its_first_answer(parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"submit_rate": "1/minute"})
    key = Idempotency("k-2", b"hash")
    first = submit_comment(parts, "news", a_submission(), CLIENT, key)
    assert str(submit_comment(parts, "news", a_submission(), CLIENT, key)["id"]) == str(first["id"])
    with pytest.raises(RateLimited):
        submit_comment(parts, "news", a_submission(), CLIENT, Idempotency("k-3", b"hash"))


def test_submit_spam_is_answered_as_pending(parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"auto_spam": True})
    answer = submit_comment(parts, "news", a_submission(honeypot="http://spam.example"), CLIENT)
    assert answer["state"] == "pending"
    assert row(answer["id"]).state == "spam"
    assert event_types(answer["id"]) == ["comment.submitted", "comment.spam"]


def test_submit_on_an_auto_site_is_published_at_once(parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"policy": "auto"})
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    assert answer["state"] == "approved"
    assert [c["id"] for c in listed(parts)["comments"]] == [str(answer["id"])]
    assert event_types(answer["id"]) == ["comment.submitted", "comment.approved"]


def test_submit_with_failing_signal_is_held_also_on_an_auto_site(
    parts: Parts, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites.change_site(parts, CLI, "news", settings={"policy": "auto"})
    from moderation.domain.policy import Signal
    from moderation.scoring.pipeline import Pipeline

    monkeypatch.setattr(Pipeline, "signals", lambda self, candidate: (Signal("broken", available=False),))
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    assert answer["state"] == "pending"
    with read() as session:
        stored = session.scalars(sa.select(SignalRow)).one()
    assert (stored.name, stored.available) == ("broken", False)


def test_submit_same_text_again_is_noticed(parts: Parts, people: Any) -> None:
    text = (
        "My cousin found a way to earn three thousand a week from the kitchen table, and anybody in this town can do "
        "the same without any training. Write to the address on my page today and I will send you the free booklet "
        "that explains each step, with pictures, and a list of people who have done it before you."
    )
    first = submit_comment(parts, "news", a_submission(text), CLIENT)
    same = submit_comment(parts, "news", a_submission(text.upper(), thread_key="elsewhere"), CLIENT)
    similar = submit_comment(parts, "news", a_submission(text.replace("today", "now"), thread_key="third"), CLIENT)
    for answer, noticed in ((first, False), (same, True), (similar, True)):
        with read() as session:
            names = set(session.scalars(sa.select(SignalRow.name).where(SignalRow.comment_id == answer["id"])))
        assert ("repeats" in names) is noticed


def test_reply_to_what_is_not_public_is_refused(parts: Parts, people: Any) -> None:
    parent = submit_comment(parts, "news", a_submission(), CLIENT)
    with pytest.raises(Invalid):
        submit_comment(parts, "news", a_submission(parent_id=parent["id"]), CLIENT)
    approve(parts, parent["id"])
    with pytest.raises(Invalid):
        submit_comment(parts, "news", a_submission(parent_id=parent["id"], thread_key="other thread"), CLIENT)
    with pytest.raises(Invalid):
        submit_comment(parts, "other", a_submission(parent_id=parent["id"]), CLIENT)
    reply = submit_comment(parts, "news", a_submission("An answer.", parent_id=parent["id"]), CLIENT)
    approve(parts, reply["id"])
    assert listed(parts)["comments"][0]["replies"][0]["id"] == str(reply["id"])


def test_author_token_proves_and_a_typed_name_does_not(parts: Parts, people: Any) -> None:
    first = submit_comment(parts, "news", a_submission(), CLIENT)
    approve(parts, first["id"])
    same = submit_comment(parts, "news", a_submission("Again me.", token=first["author_token"]), CLIENT)
    typed = submit_comment(parts, "news", a_submission("Also Ana, I say."), CLIENT)
    known = moderate.show_comment(parts, CLI, same["id"])["author"]
    unknown = moderate.show_comment(parts, CLI, typed["id"])["author"]
    assert (known["known"], known["approved_before"]) == (True, 1)
    assert (unknown["known"], unknown["approved_before"]) == (False, 0)


def test_author_token_of_another_site_proves_nothing(parts: Parts, people: Any) -> None:
    first = submit_comment(parts, "other", a_submission(), CLIENT)
    here = submit_comment(parts, "news", a_submission("Hello here.", token=first["author_token"]), CLIENT)
    assert row(here["id"]).author_proven is False


def test_edit_of_an_approved_comment_waits_again(parts: Parts, people: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    approve(parts, answer["id"])
    edited = submitting.edit_comment(parts, "news", answer["id"], answer["edit_token"], "New words.", CLIENT)
    assert (edited["state"], edited["body_html"]) == ("pending", "<p>New words.</p>")
    assert listed(parts)["total"] == 0
    assert event_types(answer["id"])[-2:] == ["comment.edited", "comment.held"]
    assert moderate.show_comment(parts, CLI, answer["id"])["revisions"][0]["body"].startswith("A calm")


def test_edit_of_a_rejected_comment_stays_rejected(parts: Parts, people: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    moderate.decide(parts, CLI, answer["id"], "reject")
    edited = submitting.edit_comment(parts, "news", answer["id"], answer["edit_token"], "New words.", CLIENT)
    assert edited["state"] == "pending"
    assert row(answer["id"]).state == "rejected"


def test_edit_without_right_token_or_too_late_is_refused(parts: Parts, people: Any, clock: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    other = submit_comment(parts, "news", a_submission("Another."), CLIENT)
    for token in (None, "x", other["edit_token"], answer["author_token"]):
        with pytest.raises(Unauthenticated):
            submitting.edit_comment(parts, "news", answer["id"], token, "New.", CLIENT)
    clock.move(seconds=901)
    with pytest.raises(Forbidden):
        submitting.edit_comment(parts, "news", answer["id"], answer["edit_token"], "New.", CLIENT)
    with pytest.raises(Forbidden):
        submitting.delete_comment(parts, "news", answer["id"], answer["edit_token"])


def test_delete_erases_and_is_final(parts: Parts, people: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    approve(parts, answer["id"])
    submitting.delete_comment(parts, "news", answer["id"], answer["edit_token"])
    comment = row(answer["id"])
    assert (comment.state, comment.body, comment.email_sealed, comment.author_name) == ("deleted", "", None, "")
    assert listed(parts)["comments"] == []
    assert event_types(answer["id"])[-1] == "comment.deleted"
    with pytest.raises(Conflict):
        moderate.decide(parts, CLI, answer["id"], "approve")
    with pytest.raises(Conflict):
        submitting.delete_comment(parts, "news", answer["id"], answer["edit_token"])


def test_delete_leaves_nothing_of_the_author_in_any_table(parts: Parts, people: Any) -> None:
    text = "Unforgettable words about zeppelins."
    answer = submit_comment(parts, "news", a_submission(text, name="Zenobia", url="https://zenobia.example/"), CLIENT)
    approve(parts, answer["id"])
    submitting.edit_comment(parts, "news", answer["id"], answer["edit_token"], text + " More.", CLIENT)
    submitting.delete_comment(parts, "news", answer["id"], answer["edit_token"])
    with read() as session:
        for table in Base.metadata.sorted_tables:
            rows = str(session.execute(sa.text(f'SELECT * FROM "{table.name}"')).all()).lower()
            assert not {word for word in ("zeppelins", "zenobia", "ana@example") if word in rows}, table.name
        payload = session.scalars(sa.select(Event.payload).where(Event.type == "comment.approved")).one()
    assert orjson.loads(payload)["data"]["comment"]["author"]["name"] == ""
    assert orjson.loads(payload)["data"]["comment"]["id"] == str(answer["id"])


def test_delete_of_a_comment_with_replies_leaves_an_empty_place(parts: Parts, people: Any) -> None:
    parent = submit_comment(parts, "news", a_submission(), CLIENT)
    approve(parts, parent["id"])
    reply = submit_comment(parts, "news", a_submission("An answer.", parent_id=parent["id"]), CLIENT)
    approve(parts, reply["id"])
    submitting.delete_comment(parts, "news", parent["id"], parent["edit_token"])
    answer = listed(parts)
    place = answer["comments"][0]
    assert (answer["total"], place["deleted"], place["author"]["name"], place["body_html"]) == (1, True, "", "")
    assert place["replies"][0]["id"] == str(reply["id"])
    moderate.decide(parts, CLI, reply["id"], "reject")
    assert listed(parts) | {"thread": None} == {"thread": None, "total": 0, "next": None, "comments": []}


def test_report_is_counted_once_a_reader(parts: Parts, people: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    with pytest.raises(NotFound):
        submitting.report_comment(parts, "news", answer["id"], "abuse", "", CLIENT)
    approve(parts, answer["id"])
    for _ in range(2):
        submitting.report_comment(parts, "news", answer["id"], "abuse", "rude", CLIENT)
    submitting.report_comment(parts, "news", answer["id"], "spam", "", Client("198.51.100.1", "Mozilla/5.0"))
    assert row(answer["id"]).reports == 2
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Report)) == 2
    assert event_types(answer["id"]).count("comment.reported") == 2


def test_vote_counts_once_a_reader_and_can_be_taken_back(parts: Parts, people: Any) -> None:
    answer = submit_comment(parts, "news", a_submission(), CLIENT)
    approve(parts, answer["id"])
    with pytest.raises(Forbidden):
        submitting.vote(parts, "news", answer["id"], 1, CLIENT)
    sites.change_site(parts, CLI, "news", settings={"votes": True})
    assert submitting.vote(parts, "news", answer["id"], 1, CLIENT) == {"votes": 1}
    assert submitting.vote(parts, "news", answer["id"], 1, CLIENT) == {"votes": 1}
    assert submitting.vote(parts, "news", answer["id"], -1, CLIENT) == {"votes": -1}
    assert submitting.vote(parts, "news", answer["id"], 1, Client("198.51.100.1", "x")) == {"votes": 0}
    assert submitting.vote(parts, "news", answer["id"], None, CLIENT) == {"votes": 1}
    with pytest.raises(Forbidden):
        submitting.vote(parts, "news", answer["id"], 1, CLIENT, answer["author_token"])


def test_closed_thread_takes_no_comment(parts: Parts, people: Any) -> None:
    submit_comment(parts, "news", a_submission(), CLIENT)
    thread = sites.list_threads(parts, CLI, "news")["items"][0]
    sites.change_thread(parts, CLI, "news", thread["id"], open=False)
    with pytest.raises(Forbidden):
        submit_comment(parts, "news", a_submission("More."), CLIENT)
    assert listed(parts)["thread"]["open"] is False


def test_submit_from_many_threads_at_once_loses_nothing(app: Any, parts: Parts, people: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def one(number: int) -> uuid.UUID:
        with app.app_context():
            done = submit_comment(
                parts, "news", a_submission(f"Remark {number}.", thread_key=f"new-{number % 3}"), CLIENT
            )
        found: uuid.UUID = done["id"]
        return found

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(one, range(40)))
    with read() as session:
        assert set(session.scalars(sa.select(Comment.id))) == ids


def test_same_key_at_once_makes_one_comment(app: Any, parts: Parts, people: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def one(_: int) -> str:
        with app.app_context():
            return str(submit_comment(parts, "news", a_submission(), CLIENT, Idempotency("once", b"h"))["id"])

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(one, range(12)))) == 1
