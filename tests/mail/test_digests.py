"""Moderators' digests: to a confirmed address, when due, once, and only where there is something to tell."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from moderation.domain.actor import CLI, Actor, Role
from moderation.domain.notice import Digest, next_digest
from moderation.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from moderation.services import accounts, digests, moderate, sites
from moderation.services.parts import Parts
from moderation.storage.db import read
from moderation.storage.models import AuditLine, Mail, Mailbox
from tests.conftest import make_people, submission_json
from tests.mail.conftest import links_in, text_of

Send = Callable[[], list[Any]]
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
SECRET = "horse-staple-battery-1"


@pytest.fixture
def people(mail_parts: Parts) -> Any:
    return make_people(mail_parts)


def add_person(parts: Parts, name: str, role: str, site: str) -> uuid.UUID:
    made: uuid.UUID = accounts.add_moderator(parts, CLI, name, SECRET, role, site)["id"]
    return made


@pytest.fixture
def mira(mail_parts: Parts, people: Any, send: Send, client: FlaskClient, clock: Any) -> uuid.UUID:
    """A moderator of ``news`` who is told every hour; it is ten past one."""
    clock.now = clock.now.replace(hour=1, minute=10, second=0)
    person = add_person(mail_parts, "mira", "moderator", "news")
    confirm(mail_parts, person, "mira@example.org", "hourly", send, client)
    return person


def confirm(parts: Parts, person: uuid.UUID, email: str, digest: str, send: Send, client: FlaskClient) -> None:
    digests.change(parts, CLI, person, email=email, digest=digest)
    (question,) = send()
    assert client.post(links_in(question)[0]).status_code == 200


def box(person: uuid.UUID) -> Mailbox | None:
    with read() as session:
        return session.scalar(select(Mailbox).where(Mailbox.moderator_id == person))


def test_give_an_address_asks_it_and_sends_nothing_else(
    mail_parts: Parts, people: Any, submit: Any, send: Send, client: FlaskClient, clock: Any
) -> None:
    person = add_person(mail_parts, "mira", "moderator", "news")
    said = digests.change(mail_parts, CLI, person, email="Mira@Example.org", digest="hourly")
    assert said == {"address": "m…@example.org", "confirmed": False, "digest": "hourly"}
    submit()
    (question,) = send()
    assert question["To"] == "mira@example.org"
    assert "mira" not in text_of(question)
    assert "List-Unsubscribe" not in question
    clock.move(hours=5)
    assert send() == []
    (link,) = links_in(question)
    for method in ("GET", "HEAD"):
        assert client.open(link, method=method).status_code == 200
    assert send() == []
    assert not digests.show(mail_parts, CLI, person)["confirmed"]
    assert "confirmed" in client.post(link).text
    assert digests.show(mail_parts, CLI, person)["confirmed"]


def test_digest_counts_what_waits_and_holds_no_name_and_no_text(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, decide: Any, client: FlaskClient, send: Send, clock: Any
) -> None:
    for number in range(3):
        submit(f"SECRETWORD number {number}.", author={"name": "SECRETNAME", "email": None, "url": None})
    reported = submit("Reported.")
    decide(reported["id"])
    client.post(f"/api/v1/sites/news/comments/{reported['id']}/reports", json={"reason": "spam"})
    escalated = submit("Escalated.")
    decide(escalated["id"], "escalate")
    assert send() == []
    clock.move(hours=1)
    (mail,) = send()
    text = text_of(mail)
    assert mail["Subject"] == "4 comments to look at"
    assert "3 waiting\n  http://127.0.0.1:8080/console/?site=news\n" in text
    assert "1 approved, then reported\n  http://127.0.0.1:8080/console/?site=news&state=reported" in text
    assert "escalated" not in text  # that is for admins
    assert "The oldest has waited for 1 hour." in text
    assert "SECRET" not in text
    assert reported["id"] not in text
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "mira@" not in text


def test_digest_links_need_a_login_and_change_nothing(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, send: Send, clock: Any, client: FlaskClient
) -> None:
    made = submit()
    clock.move(hours=1)
    (mail,) = send()
    for link in links_in(mail):
        for method in ("GET", "HEAD"):
            answer = client.open(link, method=method)
            assert answer.status_code in ({303} if link.startswith("/console") else {200})
    assert moderate.show_comment(mail_parts, CLI, uuid.UUID(made["id"]))["state"] == "pending"
    assert digests.show(mail_parts, CLI, mira)["digest"] == "hourly"


def test_digest_where_nothing_waits_or_nothing_changed_is_not_sent(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, decide: Any, send: Send, clock: Any
) -> None:
    clock.move(hours=1)
    assert send() == []
    made = submit()
    clock.move(hours=1)
    assert len(send()) == 1
    clock.move(hours=1)
    assert send() == []
    submit("One more.")
    clock.move(hours=1)
    assert len(send()) == 1
    decide(made["id"])
    submit("And another.")  # as many as before, but others
    clock.move(hours=1)
    assert len(send()) == 1


def test_digest_that_has_nothing_to_tell_any_more_when_sent_is_dropped(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, decide: Any, send: Send, clock: Any
) -> None:
    made = submit()
    clock.move(hours=1)
    assert digests.enqueue_due(mail_parts) == 1
    decide(made["id"])
    assert send() == []


def test_digest_waiting_for_the_mail_server_is_written_once(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, clock: Any
) -> None:
    for number in range(3):
        submit(f"Remark {number}.")
        clock.move(hours=1)
        digests.enqueue_due(mail_parts)
    with read() as session:
        assert len(session.scalars(select(Mail).where(Mail.kind == "digest")).all()) == 1


def test_digest_is_written_once_by_several_workers(
    app: Flask, mail_parts: Parts, mira: uuid.UUID, submit: Any, clock: Any
) -> None:
    submit()
    clock.move(hours=1)
    barrier, made = threading.Barrier(4), []

    def turn() -> None:
        with app.app_context():
            barrier.wait()
            made.append(digests.enqueue_due(mail_parts))

    threads = [threading.Thread(target=turn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 1]


def test_digest_by_role_shows_own_sites_alone(
    mail_parts: Parts,
    people: Any,
    submit: Any,
    decide: Any,
    send: Send,
    client: FlaskClient,
    clock: Any,
) -> None:
    clock.now = clock.now.replace(hour=1, minute=10, second=0)
    for name, role, site in (
        ("ada", "admin", "news"),
        ("vera", "viewer", "news"),
        ("otto", "moderator", "other"),
        ("root", "admin", "*"),
    ):
        confirm(mail_parts, add_person(mail_parts, name, role, site), f"{name}@example.org", "hourly", send, client)
    submit("Waits.")
    decide(submit("Escalated.")["id"], "escalate")
    clock.move(hours=1)
    found = {str(mail["To"]): text_of(mail) for mail in send()}
    assert set(found) == {"ada@example.org", "root@example.org"}
    assert "1 escalated" in found["ada@example.org"]
    client.post("/api/v1/sites/other/comments", json=submission_json())
    clock.move(hours=1)
    found = {str(mail["To"]): text_of(mail) for mail in send()}
    assert set(found) == {"otto@example.org", "root@example.org"}
    assert "News" not in found["otto@example.org"]
    assert "Other" in found["root@example.org"]
    assert "The News" in found["root@example.org"]


def test_disabled_moderator_is_told_of_nothing(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, send: Send, clock: Any
) -> None:
    submit()
    clock.move(hours=1)
    digests.enqueue_due(mail_parts)
    accounts.change_moderator(mail_parts, CLI, mira, disabled=True)
    assert send() == []
    submit("One more.")
    clock.move(hours=1)
    assert send() == []


def test_removed_moderator_leaves_no_address(mail_parts: Parts, mira: uuid.UUID) -> None:
    accounts.remove_moderator(mail_parts, CLI, mira)
    with read() as session:
        assert session.scalars(select(Mailbox)).all() == []
        assert session.scalars(select(Mail)).all() == []


def test_one_click_stops_the_digest(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, send: Send, clock: Any, client: FlaskClient
) -> None:
    submit()
    clock.move(hours=1)
    (mail,) = send()
    path = str(mail["List-Unsubscribe"]).strip("<>").removeprefix("http://127.0.0.1:8080")
    for _ in range(2):
        assert client.post(path, data=ONE_CLICK, headers={"Origin": "https://mailbox.example"}).status_code == 200
    assert digests.show(mail_parts, CLI, mira)["digest"] == "off"
    submit("One more.")
    clock.move(hours=1)
    assert send() == []


def test_change_the_address_voids_the_old_ones_links(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, send: Send, clock: Any, client: FlaskClient
) -> None:
    submit()
    clock.move(hours=1)
    (mail,) = send()
    old_stop = links_in(mail)[-1]
    digests.change(mail_parts, CLI, mira, email="new@example.org")
    (question,) = send()
    assert question["To"] == "new@example.org"
    assert client.post(old_stop).status_code == 200
    assert digests.show(mail_parts, CLI, mira) == {"address": "n…@example.org", "confirmed": False, "digest": "hourly"}
    submit("One more.")
    clock.move(hours=1)
    assert send() == []
    client.post(links_in(question)[0])
    submit("A third.")
    clock.move(hours=1)
    assert [str(mail["To"]) for mail in send()] == ["new@example.org"]


def test_change_to_the_same_confirmed_address_asks_nobody(mail_parts: Parts, mira: uuid.UUID, send: Send) -> None:
    said = digests.change(mail_parts, CLI, mira, email="MIRA@example.org", digest="daily")
    assert (said["confirmed"], said["digest"]) == (True, "daily")
    assert send() == []


def test_old_question_is_void_after_a_week(
    mail_parts: Parts, people: Any, send: Send, client: FlaskClient, clock: Any
) -> None:
    person = add_person(mail_parts, "mira", "moderator", "news")
    digests.change(mail_parts, CLI, person, email="mira@example.org", digest="daily")
    (question,) = send()
    clock.move(days=7, seconds=1)
    assert client.post(links_in(question)[0]).status_code == 404


def test_change_by_others_or_with_nonsense_is_refused(mail_parts: Parts, mira: uuid.UUID, people: Any) -> None:
    other = Actor("moderator", str(uuid.uuid4()), "otto", {people.site_id: Role.ADMIN})
    with pytest.raises(Forbidden):
        digests.change(mail_parts, other, mira, digest="off")
    with pytest.raises(Forbidden):
        digests.show(mail_parts, other, mira)
    for wrong, field in (
        ({"email": "nonsense"}, "email"),
        ({"email": "a@b\r\nBcc: x@y.example"}, "email"),
        ({"digest": "weekly"}, "digest"),
        ({"email": "", "digest": "daily"}, "digest"),
    ):
        with pytest.raises(Invalid) as caught:
            digests.change(mail_parts, CLI, mira, **wrong)
        assert list(caught.value.fields) == [field]


def test_change_without_mail_is_refused(parts: Parts, mail_parts: Parts, mira: uuid.UUID) -> None:
    with pytest.raises(Conflict, match="SMTP_HOST"):
        digests.change(parts, CLI, mira, digest="off")


def test_ask_addresses_of_strangers_is_limited(mail_parts: Parts, mira: uuid.UUID) -> None:
    me = Actor("moderator", str(mira), "mira", {})
    for number in range(4):  # mira's own was the first
        digests.change(mail_parts, me, mira, email=f"victim{number}@example.org")
    with pytest.raises(RateLimited):
        digests.change(mail_parts, me, mira, email="victim@example.org")


def test_remove_the_address_deletes_it(mail_parts: Parts, mira: uuid.UUID, send: Send) -> None:
    digests.change(mail_parts, CLI, mira, email="new@example.org")
    assert digests.change(mail_parts, CLI, mira, email="")["address"] is None
    assert box(mira) is None
    assert send() == []


def test_change_is_audited_without_the_address(mail_parts: Parts, mira: uuid.UUID) -> None:
    with read() as session:
        (line,) = session.scalars(select(AuditLine).where(AuditLine.action == "moderator.notices"))
    assert line.data == {"digest": "hourly", "asked": True}
    assert "example.org" not in repr(line.__dict__)


@pytest.mark.parametrize(
    ("digest", "now", "due"),
    [
        (Digest.OFF, datetime(2026, 3, 1, 12, 30, tzinfo=UTC), None),
        (Digest.HOURLY, datetime(2026, 3, 1, 12, 30, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)),
        (Digest.HOURLY, datetime(2026, 3, 1, 23, 0, tzinfo=UTC), datetime(2026, 3, 2, 0, tzinfo=UTC)),
        (Digest.DAILY, datetime(2026, 3, 1, 5, 59, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC)),
        (Digest.DAILY, datetime(2026, 3, 1, 6, 0, tzinfo=UTC), datetime(2026, 3, 2, 6, tzinfo=UTC)),
    ],
)
def test_next_digest_is_at_the_full_hour(digest: Digest, now: datetime, due: datetime | None) -> None:
    assert next_digest(digest, now) == due


def test_digest_after_a_pause_of_the_worker_is_one_and_not_many(
    mail_parts: Parts, mira: uuid.UUID, submit: Any, send: Send, clock: Any
) -> None:
    submit()
    clock.move(days=3)
    assert len(send()) == 1
    found = box(mira)
    assert found is not None
    assert found.due_at is not None
    assert clock.now < found.due_at <= clock.now + timedelta(hours=1)


def test_foreign_site_is_no_reason_to_be_told(
    mail_parts: Parts, mira: uuid.UUID, client: FlaskClient, send: Send, clock: Any
) -> None:
    sites.change_site(mail_parts, CLI, "other", name="Other <b>")
    client.post("/api/v1/sites/other/comments", json=submission_json())
    clock.move(hours=1)
    assert send() == []


def test_change_of_nobody_is_not_there(mail_parts: Parts, people: Any) -> None:
    with pytest.raises(NotFound):
        digests.change(mail_parts, CLI, uuid.uuid4(), email="x@example.org")
