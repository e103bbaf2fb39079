"""The audit chain: added to by many at once without a fork, and every kind of tampering is named."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DataError

from moderation.domain.actor import CLI, Actor
from moderation.domain.comment import State
from moderation.storage import audit
from moderation.storage.db import is_postgres, read, write
from moderation.storage.models import AuditLine

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
SITE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
KEY = bytes(range(32))
ROSA = Actor("moderator", "m1", "Rosa <b>")

pytestmark = pytest.mark.usefixtures("database")


def append(action: str = "comment.approve", site_id: uuid.UUID | None = SITE, **facts: Any) -> None:
    line: dict[str, Any] = {
        "actor": ROSA,
        "object_kind": "comment",
        "object_id": "c1",
        "reason": "fine",
        "data": {"from": "pending"},
        "now": NOW,
        **facts,
    }
    with write() as session:
        audit.append(session, site_id=site_id, action=action, **line)


def faults(key: bytes | None = None) -> list[tuple[int, str]]:
    with read() as session:
        return [(broken.seq, broken.fault.split()[2]) for broken in audit.verify(session, key)]


def five_lines(key: bytes | None = None) -> list[int]:
    for number in range(5):
        append(f"action.{number}", now=NOW + timedelta(seconds=number), key=key)
    with read() as session:
        return list(session.scalars(select(AuditLine.seq).order_by(AuditLine.seq)))


def tamper(statement: Any) -> None:
    with write() as session:
        session.execute(statement)


def test_append_keeps_every_fact() -> None:
    append(site_id=None, actor=CLI, reason="", data=None, now=NOW.astimezone(timezone(timedelta(hours=5))))
    append()
    with read() as session:
        new, old = audit.page(session, site_ids=None, limit=10)
    assert (old.site_id, old.actor_kind, old.reason, old.data, old.at) == (None, "cli", "", {}, NOW)
    assert (new.site_id, new.actor_kind, new.actor_id, new.actor_name) == (SITE, "moderator", "m1", "Rosa <b>")
    assert (new.action, new.object_kind, new.object_id, new.reason) == ("comment.approve", "comment", "c1", "fine")
    assert new.data == {"from": "pending"}


def test_append_chains_each_site_apart() -> None:
    append()
    append(site_id=OTHER)
    append(site_id=None)
    append()
    with read() as session:
        lines = audit.page(session, site_ids=None, limit=10)[::-1]
    assert [line.previous == audit.GENESIS for line in lines] == [True, True, True, False]
    assert lines[3].previous == lines[0].hash
    assert faults() == []


def test_append_in_a_transaction_that_fails_leaves_nothing() -> None:
    with suppress(ZeroDivisionError), write() as session:
        audit.append(session, site_id=SITE, actor=CLI, action="a", object_kind="k", object_id="i", now=NOW)
        raise ZeroDivisionError
    with read() as session:
        assert audit.heads(session) == []


def test_append_twice_in_one_transaction_links_both() -> None:
    with write() as session:
        for action in ("one", "two"):
            audit.append(session, site_id=SITE, actor=CLI, action=action, object_kind="k", object_id="i", now=NOW)
    assert faults() == []
    with read() as session:
        two, one = audit.page(session, site_ids=[SITE], limit=2)
    assert two.previous == one.hash


def test_append_from_many_threads_makes_one_chain(database: Flask) -> None:
    def append_often(thread: int) -> None:
        with database.app_context():
            for number in range(6):
                append(f"{thread}.{number}", SITE if number % 2 else OTHER)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(append_often, range(6)))
    assert faults() == []
    with read() as session:
        assert session.scalar(select(func.count()).select_from(AuditLine)) == 36
        assert len(audit.heads(session)) == 2


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**70), 2**70)
            | st.floats()
            | st.uuids()
            | st.datetimes()
            | st.sampled_from(State)
            | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            lambda inner: st.lists(inner) | st.sets(st.integers()),
            max_leaves=5,
        ),
    )
)
def test_append_of_any_data_verifies_after_the_way_through_the_database(data: dict[str, Any]) -> None:
    append(data=data)
    assert faults() == []


@pytest.mark.parametrize("key", [None, KEY])
def test_verify_of_untouched_log_finds_nothing(key: bytes | None) -> None:
    five_lines(key)
    assert faults(key) == []


@pytest.mark.parametrize(
    "change",
    [
        {"actor_name": "Somebody else"},
        {"actor_id": "m2"},
        {"reason": ""},
        {"action": "comment.reject"},
        {"object_id": "c2"},
        {"at": NOW + timedelta(microseconds=1)},
        {"data": {"from": "spam"}},
        {"site_id": OTHER},
    ],
)
def test_verify_after_a_line_was_changed_names_it(change: dict[str, Any]) -> None:
    lines = five_lines()
    tamper(update(AuditLine).where(AuditLine.seq == lines[2]).values(**change))
    assert faults() == [(lines[2], "was")]


def test_verify_after_a_line_and_its_hash_were_changed_names_the_next() -> None:
    lines = five_lines()
    with write() as session:
        row = session.execute(select(*AuditLine.__table__.columns).where(AuditLine.seq == lines[2])).one()
        forged = audit._hash({**row._asdict(), "reason": "forged"}, None)
        session.execute(update(AuditLine).where(AuditLine.seq == lines[2]).values(reason="forged", hash=forged))
    assert faults() == [(lines[3], "before")]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_verify_after_a_line_was_removed_names_the_one_behind_it(place: int) -> None:
    lines = five_lines()
    tamper(delete(AuditLine).where(AuditLine.seq == lines[place]))
    assert faults() == [(lines[place + 1], "before")]


def test_verify_after_a_line_was_put_in_names_it_alone() -> None:
    lines = five_lines()
    with write() as session:
        row = session.execute(select(*AuditLine.__table__.columns).where(AuditLine.seq == lines[4])).one()._asdict()
        forged = {**row, "seq": lines[4], "previous": bytes(range(32))}
        session.execute(update(AuditLine).where(AuditLine.seq == lines[4]).values(seq=lines[4] + 1))
        session.execute(insert(AuditLine).values(**{**forged, "hash": audit._hash(forged, None)}))
    assert faults() == [(lines[4], "before")]


def test_verify_after_two_lines_changed_places_finds_it() -> None:
    lines = five_lines()
    for old, new in ((lines[1], 999), (lines[2], lines[1]), (999, lines[2])):
        tamper(update(AuditLine).where(AuditLine.seq == old).values(seq=new))
    assert faults() != []


def test_verify_after_the_chain_was_written_anew_needs_the_key() -> None:
    five_lines(KEY)
    with write() as session:
        rows = session.execute(select(*AuditLine.__table__.columns).order_by(AuditLine.seq)).all()
        session.execute(delete(AuditLine))
        previous = audit.GENESIS
        for row in rows:
            forged = {**row._asdict(), "reason": "forged", "previous": previous}
            previous = audit._hash(forged, None)
            session.execute(insert(AuditLine).values(**{**forged, "hash": previous}))
    assert [fault for _, fault in faults()] == ["of"]  # the end, which the key signed
    assert len(faults(KEY)) == 5


def test_noted_head_is_missed_after_the_end_was_cut() -> None:
    lines = five_lines()
    with read() as session:
        (noted,) = audit.heads(session)
        assert audit.not_held(session, [noted]) == []
    tamper(delete(AuditLine).where(AuditLine.seq == lines[4]))
    with read() as session:
        assert audit.not_held(session, [noted]) == [noted]
    assert (noted.chain, noted.seq) == (str(SITE), lines[4])


def test_verify_of_a_line_that_cannot_be_read_says_so() -> None:
    five_lines()
    broken_json = text("UPDATE audit SET data = 'no JSON' WHERE action = 'action.2'")
    with write() as session:
        if is_postgres(session):
            with pytest.raises(DataError), session.begin_nested():
                session.execute(broken_json)
        else:
            session.execute(broken_json)
        found = [broken.fault for broken in audit.verify(session)]
        assert found == ([] if is_postgres(session) else [audit.UNREADABLE])


def test_page_walks_by_keyset_within_the_sites_alone() -> None:
    for number in range(6):
        append(str(number), SITE if number % 2 else OTHER)
    append("service", None)
    with read() as session:
        first = audit.page(session, site_ids=[SITE], limit=2)
        second = audit.page(session, site_ids=[SITE], limit=2, before=first[-1].seq)
        assert [line.action for line in first] == ["5", "3"]
        assert [line.action for line in second] == ["1"]
        assert [line.action for line in audit.page(session, site_ids=None, limit=100)] == [
            *("service", "5", "4", "3", "2", "1", "0")
        ]
        assert audit.page(session, site_ids=[], limit=100) == []


def test_lines_about_one_thing_are_its_newest_oldest_first() -> None:
    for number in range(3):
        append(str(number))
    append("another", object_id="c2")
    with read() as session:
        assert [line.action for line in audit.lines_about(session, "comment", "c1", 2)] == ["1", "2"]
