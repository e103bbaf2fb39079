"""Readers who ask for notices at the same moment: nobody is refused, and nobody is asked twice."""

import threading
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import read
from moderation.storage.models import Comment, Mail, Subscription, Watch
from tests.conftest import make_people


def submit_at_once(app: Flask, parts: Parts, emails: list[str]) -> list[Any]:
    barrier, outcomes = threading.Barrier(len(emails)), []

    def post(number: int, email: str) -> None:
        with app.app_context():
            barrier.wait()
            sent = Submission(f"t{number}", None, None, None, "Ana", email, None, None, f"Hi {number}.", notify=True)
            try:
                outcomes.append(submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))["state"])
            except Exception as error:
                outcomes.append(error)

    threads = [threading.Thread(target=post, args=(number, email)) for number, email in enumerate(emails)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def counted(*tables: Any) -> list[int]:
    with read() as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def test_submit_at_once_with_one_address_asks_it_once(app: Flask, mail_parts: Parts) -> None:
    make_people(mail_parts, reply_notices=True)
    assert submit_at_once(app, mail_parts, ["ana@example.org"] * 6) == ["pending"] * 6
    assert counted(Comment, Subscription, Watch, Mail) == [6, 1, 6, 1]


def test_submit_at_once_around_the_limit_of_a_network_refuses_no_comment(app: Flask, mail_parts: Parts) -> None:
    make_people(mail_parts, reply_notices=True)
    outcomes = submit_at_once(app, mail_parts, [f"reader{number}@example.org" for number in range(10)])
    assert outcomes == ["pending"] * 10
    comments, asked, mails = counted(Comment, Subscription, Mail)
    assert comments == 10
    assert 5 <= asked == mails <= 10
