"""What notices cost those who do not use them: nothing. And those who do: one query by primary keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import sites
from moderation.services.parts import Parts
from moderation.storage.db import db
from tests.conftest import make_people
from tests.mail.conftest import links_in

TABLES = ("subscriptions", "watches", "mails", "mailboxes")


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(" ".join(statement.split()))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


def of_notices(seen: list[str]) -> list[str]:
    return [statement for statement in seen if any(f"{name}" in statement for name in TABLES)]


@pytest.fixture
def people(mail_parts: Parts) -> Any:
    return make_people(mail_parts, reply_notices=True)


def test_submit_without_notify_asks_the_database_nothing_more(
    app: Flask, parts: Parts, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit("The first makes the thread.")
    with statements() as with_mail:
        submit("The night ferry leaves at seven on Tuesdays and is seldom late in winter.")
    monkeypatch.setitem(app.extensions, "moderation", parts)
    with statements() as without:
        submit("Four schools were painted this summer, and nobody has thanked the painters.")
    assert len(with_mail) == len(without)
    assert of_notices(with_mail) == []


def test_approve_what_is_no_reply_asks_nothing_more(submit: Callable[..., Any], decide: Any) -> None:
    made = submit()
    with statements() as seen:
        assert decide(made["id"]).status_code == 200
    assert of_notices(seen) == []


def test_approve_a_reply_asks_one_query_more(submit: Callable[..., Any], decide: Any) -> None:
    made = submit()
    decide(made["id"])
    answers = [submit(f"A reply {n}.", parent_id=made["id"])["id"] for n in range(2)]
    with statements() as seen:
        assert decide(answers[0]).status_code == 200
    assert len(of_notices(seen)) == 1


def test_approve_a_reply_on_a_site_without_notices_asks_nothing_more(
    mail_parts: Parts, submit: Callable[..., Any], decide: Any
) -> None:
    sites.change_site(mail_parts, CLI, "news", settings={"reply_notices": False})
    made = submit()
    decide(made["id"])
    answer = submit("A reply.", parent_id=made["id"])
    with statements() as seen:
        decide(answer["id"])
    assert of_notices(seen) == []


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_find_watchers_goes_by_primary_keys(
    mail_parts: Parts, client: FlaskClient, submit: Callable[..., Any], decide: Any, send: Any
) -> None:
    made = submit(notify=True)
    decide(made["id"])
    (question,) = send()
    client.post(links_in(question)[0])
    answer = submit("A reply.", parent_id=made["id"], author={"name": "Ben"})
    plans: list[str] = []

    def explain(conn: Any, cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if "FROM watches" in statement:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(row[3] for row in cursor.fetchall())

    sa.event.listen(db.engine, "before_cursor_execute", explain)
    try:
        decide(answer["id"])
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", explain)
    assert len(plans) == 3
    assert all(plan.startswith("SEARCH") for plan in plans), plans


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_worker_looks_for_due_mails_by_their_index(mail_parts: Parts, people: Any) -> None:
    from moderation.storage import mails
    from moderation.storage.db import read

    plans: list[str] = []

    def explain(conn: Any, cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if "FROM mails" in statement:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(row[3] for row in cursor.fetchall())

    sa.event.listen(db.engine, "before_cursor_execute", explain)
    try:
        with read() as session:
            mails.is_due(session, mail_parts.clock())
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", explain)
    assert any("ix_mails_due" in plan for plan in plans), plans
