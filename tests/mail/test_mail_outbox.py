"""Mails on their way: leases, tries, what a crash leaves behind, several workers, and how much is sent."""

import os
import secrets
import signal
import threading
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from moderation import worker
from moderation.adapters.mail import Mailer
from moderation.app import create_app
from moderation.domain import notice
from moderation.errors import StorageUnavailable
from moderation.services import mailing, notices
from moderation.services.parts import Parts
from moderation.storage import mails, upkeep
from moderation.storage.db import db, read, write
from moderation.storage.models import Comment, Mail, Site, Subscription
from tests.conftest import child, make_people, reap
from tests.mail.conftest import Keeper, MailServer, wait_until, with_mail

AskMany = Callable[[int], None]


@pytest.fixture
def people(mail_parts: Parts) -> Any:
    return make_people(mail_parts, reply_notices=True)


@pytest.fixture
def ask(mail_parts: Parts, submit: Callable[..., Any], people: Any) -> AskMany:
    """Have so many readers ask for notices, each from a network of their own."""

    def many(count: int) -> None:
        for number in range(count):
            email = f"{secrets.token_hex(4)}-{number}@example.org"
            submit(f"Remark number {number}.", author={"name": "Ana", "email": email})
        with write() as session:
            site = session.scalars(select(Site).where(Site.key == "news")).one()
            watched = set(session.scalars(select(Subscription.email_index)))
            for comment in session.scalars(select(Comment)).all():
                if comment.email_index not in watched:
                    place = {"table": "comments", "column": "email_sealed", "row_id": comment.id, "site_id": site.id}
                    email = mail_parts.vault.open(comment.email_sealed or b"", **place).decode()
                    notices.watch(session, mail_parts, site, comment, email, secrets.token_bytes(16))

    return many


def rows() -> list[Mail]:
    with read() as session:
        return list(session.scalars(select(Mail).order_by(Mail.id)))


def states() -> dict[str, int]:
    return dict(Tally(row.state for row in rows()))


def test_send_due_settles_what_was_taken(mail_parts: Parts, ask: AskMany, keeper: Keeper) -> None:
    ask(3)
    assert mailing.send_due(mail_parts) == 3
    assert len(set(keeper.to)) == 3
    assert states() == {"sent": 3}
    assert all(row.lease_token is None and row.attempts == 1 for row in rows())
    assert mailing.send_due(mail_parts) == 0


def test_send_due_without_anything_due_takes_no_write_lock(mail_parts: Parts, people: Any) -> None:
    with write():
        pass
    statements: list[str] = []
    from sqlalchemy import event

    def note(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert mailing.send_due(mail_parts) == 0
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert not any(one.startswith(("UPDATE", "INSERT", "DELETE", "BEGIN IMM")) for one in statements)
    assert len([one for one in statements if one.startswith("SELECT")]) <= 2


def test_refused_recipient_is_not_tried_again(mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any) -> None:
    ask(1)
    keeper.answers = {"RCPT": "550 5.1.1 <ADDRESS> is not here"}
    mailing.send_due(mail_parts)
    (row,) = rows()
    assert (row.state, row.attempts) == ("failed", 1)
    assert row.last_error == "The mail server refused the address (550)."
    keeper.answers = {}
    clock.move(days=2)
    assert mailing.send_due(mail_parts) == 0
    assert keeper.to == []


def test_refused_recipient_does_not_keep_the_others_back(mail_parts: Parts, ask: AskMany, keeper: Keeper) -> None:
    ask(3)
    keeper.answers = {"DATA": "554 no"}
    leased = mailing.lease_due(mail_parts)
    assert mailing.carry_out(mail_parts, leased)
    assert states() == {"failed": 3}


def test_put_off_mail_is_tried_again_until_its_last_try(
    mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any
) -> None:
    ask(1)
    keeper.answers = {"RCPT": "450 4.2.1 busy"}
    for number, wait_s in enumerate(notice.WAITS_S, 1):
        assert mailing.send_due(mail_parts) == 1
        (row,) = rows()
        assert (row.state, row.attempts) == ("pending", number)
        assert timedelta(seconds=wait_s) <= row.due_at - clock.now <= timedelta(seconds=wait_s * 1.1)
        clock.move(seconds=wait_s - 1)
        assert mailing.send_due(mail_parts) == 0
        clock.move(seconds=wait_s * 0.1 + 2)
    assert mailing.send_due(mail_parts) == 1
    (row,) = rows()
    assert (row.state, row.attempts) == ("failed", len(notice.WAITS_S) + 1)


def test_put_off_mail_goes_out_with_the_same_message_id(
    mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any
) -> None:
    ask(1)
    keeper.answers = {"DATA": "451 later"}
    mailing.send_due(mail_parts)
    keeper.answers = {}
    clock.move(minutes=2)
    mailing.send_due(mail_parts)
    (mail,) = keeper.mails
    assert mail["Message-ID"] == f"<{rows()[0].id.hex}@127.0.0.1>"
    assert states() == {"sent": 1}


def test_server_that_is_away_is_left_alone_and_costs_the_others_no_try(
    mail_parts: Parts, ask: AskMany, mail_server: MailServer
) -> None:
    ask(3)
    mail_server.close()
    leased = mailing.lease_due(mail_parts)
    assert not mailing.carry_out(mail_parts, leased)
    assert sorted(row.attempts for row in rows()) == [0, 0, 1]
    assert all(row.lease_token is None for row in rows())


def test_crash_between_lease_and_settle_sends_again_after_the_lease(
    mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(2)
    leased = mailing.lease_due(mail_parts)  # and then the worker is gone
    assert len(leased) == 2
    assert mailing.send_due(mail_parts) == 0
    clock.move(seconds=mailing.RUN_S + mail_parts.settings.smtp_timeout_s + mailing.SETTLE_S + 1)
    assert mailing.send_due(mail_parts) == 2
    assert len(keeper.to) == 2
    # The one that was away comes back: its lease is another's by now, so that it sends nothing.
    mailing.carry_out(mail_parts, leased)
    assert len(keeper.to) == 2


def test_database_away_after_sending_sends_a_twin_with_the_same_id(
    mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(1)
    with monkeypatch.context() as patch:
        patch.setattr(mails, "settle_sent", lambda *_: (_ for _ in ()).throw(StorageUnavailable()))
        with pytest.raises(StorageUnavailable):
            mailing.send_due(mail_parts)
    clock.move(minutes=2)
    assert mailing.send_due(mail_parts) == 1
    first, second = keeper.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert states() == {"sent": 1}


def test_lease_by_four_at_once_gives_no_mail_twice(
    app: Flask, mail_parts: Parts, ask: AskMany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "RUN_MAILS", 3)
    ask(10)
    barrier, taken = threading.Barrier(4), []

    def lease() -> None:
        with app.app_context():
            barrier.wait()
            while leased := mailing.lease_due(mail_parts):
                taken.extend(one.id for one in leased)

    threads = [threading.Thread(target=lease) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 10


def test_two_workers_send_each_mail_once(app: Flask, mail_parts: Parts, ask: AskMany, keeper: Keeper) -> None:
    ask(12)
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(app, stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(keeper.to) >= 12, 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)
    assert len(keeper.to) == len(set(keeper.to)) == 12
    assert states() == {"sent": 12}


def test_worker_killed_in_the_middle_loses_no_mail(
    app: Flask, mail_parts: Parts, ask: AskMany, mail_servers: Callable[..., MailServer], clock: Any
) -> None:
    clock.move(seconds=-2)  # due by the clock of the other process, too
    ask(15)
    plain = mail_servers(require_starttls=None, tls_context=None)
    settings = with_mail(mail_parts.settings, plain.port, smtp_security="none")
    pid = child(app, lambda: worker.run(create_app(settings), threading.Event()))
    try:
        wait_until(lambda: len(plain.keeper.to) >= 3, 60)
    finally:
        os.kill(pid, signal.SIGKILL)
        reap(pid)
    clock.now = datetime.now(UTC) + timedelta(seconds=120)
    joined = replace(mail_parts, settings=settings, mailer=Mailer(settings))
    while mailing.send_due(joined):
        pass
    sent = plain.keeper.to
    assert len(set(sent)) == 15
    assert len(sent) <= 16  # at most the one whose answer was not written down
    assert states() == {"sent": 15}


def test_hanging_server_ends_at_the_deadline_and_the_mail_is_tried_again(
    mail_parts: Parts, ask: AskMany, clock: Any
) -> None:
    import socket
    import time

    ask(2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = with_mail(mail_parts.settings, silent.getsockname()[1], smtp_timeout_s=1.0)
        hung = replace(mail_parts, settings=settings, mailer=Mailer(settings))
        started = time.monotonic()
        mailing.send_due(hung)
        assert time.monotonic() - started < 4
    assert sorted((row.state, row.attempts) for row in rows()) == [("pending", 0), ("pending", 1)]
    assert {row.last_error for row in rows()} == {"", "The mail server did not answer in time."}


def test_site_sends_no_more_than_its_rate_and_the_rest_waits(
    mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any
) -> None:
    ask(5)
    limited = replace(mail_parts, settings=replace(mail_parts.settings, mail_rate="2/hour"))
    mailing.send_due(limited)
    assert len(keeper.to) == 2
    assert sorted(row.attempts for row in rows()) == [0, 0, 0, 1, 1]
    assert mailing.send_due(limited) == 0
    clock.move(hours=1, seconds=1)
    mailing.send_due(limited)
    assert len(keeper.to) == 4


def test_mail_that_could_not_be_sent_for_days_is_not_sent(
    mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any
) -> None:
    ask(1)
    clock.move(days=3, seconds=1)
    mailing.send_due(mail_parts)
    assert keeper.to == []
    assert rows() == []


def test_stop_in_the_middle_of_a_run_gives_back_the_rest(mail_parts: Parts, ask: AskMany, keeper: Keeper) -> None:
    ask(3)
    leased = mailing.lease_due(mail_parts)
    assert mailing.carry_out(mail_parts, leased, lambda: len(keeper.to) >= 1)
    assert states() == {"sent": 1, "pending": 2}
    assert all(row.lease_token is None for row in rows())


def test_address_whose_key_is_gone_fails_and_keeps_nothing_back(
    mail_parts: Parts, ask: AskMany, keeper: Keeper
) -> None:
    ask(2)
    with write() as session:
        first = session.scalars(select(Subscription.id).order_by(Subscription.id)).first()
        changed = update(Subscription).where(Subscription.id == first).values(email_sealed=b"k9:" + bytes(60))
        session.execute(changed)
    mailing.send_due(mail_parts)
    assert len(keeper.to) == 1
    assert states() == {"failed": 1, "sent": 1}


def test_delete_old_mail_keeps_what_waits(mail_parts: Parts, ask: AskMany, keeper: Keeper, clock: Any) -> None:
    ask(1)
    mailing.send_due(mail_parts)
    clock.move(days=1)
    ask(1)
    with write() as session:
        assert upkeep.delete_old_mail(session, clock.now, clock.now - timedelta(hours=1)) == 1
    assert states() == {"pending": 1}


def test_status_counts_without_an_address(mail_parts: Parts, ask: AskMany, keeper: Keeper) -> None:
    ask(1)
    keeper.answers = {"RCPT": "550 <ADDRESS> no"}
    mailing.send_due(mail_parts)
    ask(1)
    found = mailing.status(mail_parts, 5)
    assert found["on"]
    assert {(row["state"], row["number"]) for row in found["mails"]} == {("failed", 1), ("pending", 1)}
    (error,) = found["errors"]
    assert error["error"] == "The mail server refused the address (550)."
    assert "example.org" not in repr(found)
