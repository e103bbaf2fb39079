"""Whatever is changed, removed or put in, a chain's end and a whole chain included, the walk finds it."""

import uuid
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from moderation.domain.actor import CLI
from moderation.services import sites
from moderation.services.parts import Parts
from moderation.services.sites import audit_line
from moderation.storage import audit, schema
from moderation.storage.db import db, read, write
from moderation.storage.models import AuditHead, AuditLine
from tests.conftest import INDEX_KEY

LINES = 2


@pytest.fixture
def people(parts: Parts) -> SimpleNamespace:
    """Two sites, and a line of what belongs to none of them."""
    own, other = (sites.add_site(parts, CLI, key)["id"] for key in ("news", "other"))
    with write() as session:
        audit_line(parts, session, CLI, None, "backup.make", "backup", "", {"comments": 0})
    return SimpleNamespace(site_id=own, other_id=other)


@pytest.fixture
def log(parts: Parts, people: SimpleNamespace) -> list[int]:
    """The numbers of a site's lines, among those of another site and of the service."""
    for number in range(LINES):
        sites.change_site(parts, CLI, "news", name=f"Name {number}")
    with read() as session:
        assert found(parts) == []
        own = AuditLine.chain == str(people.site_id)
        return list(session.scalars(sa.select(AuditLine.seq).where(own).order_by(AuditLine.seq)))


def found(parts: Parts, key: bytes | None = None) -> list[audit.Broken]:
    with read() as session:
        return audit.verify(session, key or parts.vault.audit_key)


class Undone(Exception):
    """Ends a transaction that is to leave nothing."""


def found_after(parts: Parts, *statements: Any) -> list[audit.Broken]:
    """What the walk finds after these statements, which are taken back again."""
    broken: list[audit.Broken] = []
    with suppress(Undone), write() as session:
        for statement in statements:
            session.execute(statement)
        broken = audit.verify(session, parts.vault.audit_key)
        raise Undone
    return broken


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case None:
            return uuid.UUID(int=7)
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case str():
            return f"{value}x"[-36:]
        case int():
            return value + 1_000_000
        case uuid.UUID():
            return uuid.UUID(int=value.int ^ 1)
        case dict():
            return {**value, "x": 1}
    return value.replace(microsecond=(value.microsecond + 1) % 1_000_000)


def test_verify_finds_a_change_of_any_column_of_any_line(parts: Parts, log: list[int]) -> None:
    columns = AuditLine.__table__.columns
    with read() as session:
        lines = session.execute(sa.select(*columns).order_by(AuditLine.seq)).all()
    assert len(lines) > LINES
    for line in lines:
        for column in columns:
            new = {column.name: changed(getattr(line, column.name))}
            assert found_after(parts, sa.update(AuditLine).where(AuditLine.seq == line.seq).values(new)), column.name


def test_verify_finds_a_line_with_another_number_in_the_same_order(
    parts: Parts, people: SimpleNamespace, log: list[int]
) -> None:
    sites.change_site(parts, CLI, "other", name="A line of another chain, which makes a gap in this one.")
    sites.change_site(parts, CLI, "news", name="The last.")
    gap = log[-1] + 1
    with write() as session:
        session.execute(sa.delete(AuditLine).where(AuditLine.seq == gap))
    assert {broken.chain for broken in found(parts)} == {str(people.other_id)}
    moved = sa.update(AuditLine).where(AuditLine.seq == log[-1]).values(seq=gap)
    assert {broken.chain for broken in found_after(parts, moved)} == {str(people.other_id), str(people.site_id)}


def test_verify_finds_lines_cut_off_at_the_end(parts: Parts, log: list[int]) -> None:
    for kept in range(len(log)):
        (broken,) = found_after(parts, sa.delete(AuditLine).where(AuditLine.seq.in_(log[kept:])))
        assert broken.fault == audit.END_FAULTS["cut" if kept else "empty"]


@pytest.mark.parametrize("but", [[], ["news"], ["other"], ["service"]])
def test_verify_finds_a_log_that_was_emptied(
    parts: Parts, people: SimpleNamespace, log: list[int], but: list[str]
) -> None:
    chains = {"news": str(people.site_id), "other": str(people.other_id), "service": audit.NO_SITE}
    gone = [chain for name, chain in chains.items() if name not in but]
    lines = sa.delete(AuditLine).where(AuditLine.chain.in_(gone))
    ends = sa.delete(AuditHead).where(AuditHead.chain.in_(gone))
    assert {broken.chain for broken in found_after(parts, lines)} == set(gone)
    assert {broken.chain for broken in found_after(parts, lines, ends)} == set(gone)


def test_verify_still_finds_an_emptied_log_after_it_went_on(
    parts: Parts, people: SimpleNamespace, log: list[int]
) -> None:
    with write() as session:
        session.execute(sa.delete(AuditLine))
        session.execute(sa.delete(AuditHead))
    for key in ("news", "other"):
        sites.change_site(parts, CLI, key, name="Nothing happened here.")
    sites.add_site(parts, CLI, "third")
    broken = {broken.chain: broken.fault for broken in found(parts)}
    lost = audit.END_FAULTS["lost"]
    assert broken == {str(people.site_id): lost, str(people.other_id): lost, audit.NO_SITE: lost}


def test_verify_finds_a_cut_end_whose_record_was_removed_or_forged(
    parts: Parts, people: SimpleNamespace, log: list[int]
) -> None:
    own = AuditHead.chain == str(people.site_id)
    cut = sa.delete(AuditLine).where(AuditLine.seq == log[-1])
    with read() as session:
        last = session.scalars(sa.select(AuditLine).where(AuditLine.seq == log[-2])).one()
    forged = {"lines": len(log) - 1, "hash": last.hash}
    assert found_after(parts, cut, sa.delete(AuditHead).where(own))[0].fault == audit.END_FAULTS["lost"]
    assert (
        found_after(parts, cut, sa.update(AuditHead).where(own).values(forged))[0].fault == audit.END_FAULTS["forged"]
    )


def test_verify_finds_any_change_of_the_record_of_an_end(parts: Parts, log: list[int]) -> None:
    with read() as session:
        ends = session.execute(sa.select(*AuditHead.__table__.columns)).all()
    assert len(ends) == 3
    for end in ends:
        for name in ("chain", "begun", "lines", "hash", "trail", "signature"):
            new = {name: audit.UPGRADE if name == "begun" else changed(getattr(end, name))}
            assert found_after(parts, sa.update(AuditHead).where(AuditHead.chain == end.chain).values(new)), name


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_verify_finds_any_lines_removed_moved_or_doubled(parts: Parts, log: list[int], data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(log), min_size=1, unique=True))
    how = data.draw(st.sampled_from(["remove", "behind", "to another chain"]))
    chosen = sa.update(AuditLine).where(AuditLine.seq.in_(some))
    statement = {
        "remove": sa.delete(AuditLine).where(AuditLine.seq.in_(some)),
        "behind": chosen.values(seq=AuditLine.seq + 1_000_000),
        "to another chain": chosen.values(chain=str(uuid.UUID(int=9))),
    }[how]
    assert found_after(parts, statement)


def test_upgrade_of_a_database_without_ends_begins_them_with_the_key(parts: Parts, log: list[int]) -> None:
    """As ``moderation db upgrade`` does with one of a version that kept none."""
    engine = db.engine
    with write() as session:
        session.execute(sa.delete(AuditHead))
    assert {broken.fault for broken in found(parts)} == {audit.END_FAULTS["lost"]}
    with write() as session:
        audit.adopt(session, parts.vault.audit_key)
    assert found(parts) == []
    sites.change_site(parts, CLI, "news", name="Another name.")
    assert found(parts) == []
    assert found_after(parts, sa.delete(AuditLine).where(AuditLine.seq > log[-1]))
    schema.upgrade(engine, INDEX_KEY)  # where the table is there already, nothing is begun anew
    assert found(parts) == []
