"""The audit log: who did what, when and why. Lines are only ever added, and each one's hash covers the one before.

Every site has a chain of its own, and what belongs to no site another one. What a chain proves: a line cannot be
changed, removed, inserted or moved without ``verify`` saying so, unless every line after it is rewritten as well. That
takes the key, where one is given (HMAC-SHA-256); without a key (SHA-256) anybody who can write to the table can do it.
Lines cut off at the end show only against a head that was noted elsewhere: see ``heads``.

No email address, IP address, token or text of a comment belongs in a line: a line cannot be erased later.
"""

import hashlib
import hmac
import json
import math
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, bindparam, func, insert, select
from sqlalchemy.orm import Session

from moderation.domain.actor import Actor
from moderation.storage.db import is_postgres
from moderation.storage.models import AuditLine

NO_SITE = "service"
"""The chain of what belongs to no single site."""

GENESIS = bytes(32)
"""What the first line of a chain has for its predecessor's hash."""

UNREADABLE = "A line soon after this one cannot even be read, so the walk ended here."

_HASHED = (
    *("chain", "site_id", "at", "actor_kind", "actor_id", "actor_name", "action", "object_kind", "object_id"),
    *("reason", "data", "previous"),
)
_STREAM_ROWS = 1_000
MAX_WALKED = 10_000
"""Lines that a filter looks at for one page."""

_SKEW = timedelta(minutes=5)
"""By how much two machines' clocks, or two transactions that wait for one another, may put times out of order."""

_LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)
_EXACT_FLOATS = 2.0**53


@dataclass(frozen=True, slots=True)
class Broken:
    """A line at which a chain does not hold, and what is wrong there."""

    seq: int
    chain: str
    fault: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a chain. Note it down elsewhere: a chain that no longer holds this hash was cut."""

    chain: str
    seq: int
    hash: str


def append(
    session: Session,
    *,
    site_id: uuid.UUID | None,
    actor: Actor,
    action: str,
    object_kind: str,
    object_id: str,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
    now: datetime,
    key: bytes | None = None,
) -> None:
    """Add a line at the end of the site's chain, in the caller's write transaction.

    Call it last: on PostgreSQL the chain stays locked from here to the end of the transaction (on SQLite there is one
    writer anyway). ``data`` becomes plain JSON: what is neither text, number, truth value nor None is kept as text.
    """
    entry = Entry(action, object_kind, object_id, reason, data)
    append_all(session, site_id=site_id, actor=actor, entries=[entry], now=now, key=key)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a line tells, beside who did it and when."""

    action: str
    object_kind: str
    object_id: str
    reason: str = ""
    data: Mapping[str, Any] | None = None


def append_all(
    session: Session,
    *,
    site_id: uuid.UUID | None,
    actor: Actor,
    entries: Sequence[Entry],
    now: datetime,
    key: bytes | None = None,
) -> None:
    """The same for several lines, one after the other, in three statements whatever their number."""
    chain = _chain(site_id)
    _lock(session, chain)
    previous = _last_hash(session, chain)
    lines: list[dict[str, Any]] = []
    for entry in entries:
        line: dict[str, Any] = {
            "chain": chain,
            "site_id": site_id,
            "at": now.astimezone(UTC),
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor_name": actor.name,
            "action": entry.action,
            "object_kind": entry.object_kind,
            "object_id": entry.object_id,
            "reason": entry.reason,
            "data": _plain(entry.data or {}),
            "previous": previous,
        }
        previous = _hash(line, key)
        lines.append({**line, "hash": previous})
    session.execute(_INSERT, lines)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are looked for; None means "any". ``action`` is one, or with a dot at the end all that begin so."""

    by: str | None = None
    action: str | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Lines, newest first, and the line behind which to go on looking; None at the end."""

    lines: Sequence[AuditLine]
    next: int | None


ANY = Wanted()


def page(
    session: Session, *, site_ids: Collection[uuid.UUID] | None, limit: int, before: int | None = None
) -> Sequence[AuditLine]:
    """Up to ``limit`` lines of these sites (None: all lines there are), newest first, older than line ``before``."""
    lines = _lines(select(AuditLine), site_ids, before).limit(limit)
    return session.scalars(lines).all()


def find(
    session: Session,
    wanted: Wanted,
    *,
    site_ids: Collection[uuid.UUID] | None,
    limit: int,
    before: int | None = None,
) -> Found:
    """Up to ``limit`` lines that are wanted of these sites (None: all lines there are), newest first, older than line
    ``before``.

    Looks at ``MAX_WALKED`` lines at most, so that there may be few lines, or none, and yet more to look at.
    """
    if before is None and wanted.before is not None:
        before = _seq_after(session, _moved(wanted.before, _SKEW))
    walked = _lines(select(AuditLine.seq), site_ids, before).limit(MAX_WALKED)
    found = select(AuditLine).where(AuditLine.seq.in_(walked.subquery().select()), *_conditions(wanted))
    lines = session.scalars(found.order_by(AuditLine.seq.desc()).limit(limit + 1)).all()
    if len(lines) > limit:
        return Found(lines[:limit], lines[limit - 1].seq)
    last = session.scalar(walked.offset(MAX_WALKED - 1).limit(1))
    is_over = last is not None and wanted.after is not None and _at(session, last) < _moved(wanted.after, -_SKEW)
    return Found(lines, None if is_over else last)


def _lines(query: Select[Any], site_ids: Collection[uuid.UUID] | None, before: int | None) -> Select[Any]:
    query = query.order_by(AuditLine.seq.desc())
    if site_ids is not None:
        query = query.where(AuditLine.chain.in_([_chain(site_id) for site_id in site_ids]))
    return query if before is None else query.where(AuditLine.seq < before)


def holds(lines: Sequence[AuditLine], key: bytes | None = None) -> bool:
    """Whether lines of one chain that follow one another, newest first, are as they were written."""
    rows = [{name: getattr(line, name) for name in (*_HASHED, "hash")} for line in lines]
    whole = all(hmac.compare_digest(row["hash"], _hash(row, key)) for row in rows)
    return whole and all(later["previous"] == earlier["hash"] for later, earlier in pairwise(rows))


def _moved(at: datetime, by: timedelta) -> datetime:
    try:
        return at + by
    except OverflowError:
        return at


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.by is not None:
        found.append(AuditLine.actor_name == wanted.by)
    if wanted.action is not None:
        begins = wanted.action.endswith(".")
        found.append(
            AuditLine.action.startswith(wanted.action, autoescape=True) if begins else AuditLine.action == wanted.action
        )
    if wanted.after is not None:
        found.append(AuditLine.at >= wanted.after)
    if wanted.before is not None:
        found.append(AuditLine.at < wanted.before)
    return found


def _seq_after(session: Session, at: datetime) -> int | None:
    """The first line that was written at this time or later, by halving: lines are in the order of their times, give
    or take ``_SKEW``. None where all are older.
    """
    low, high = 0, session.scalar(select(func.max(AuditLine.seq))) or 0
    if not high or _at(session, high) < at:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _at(session, middle) < at else (low, middle)
    return low


def _at(session: Session, seq: int) -> datetime:
    """When the line of this number was written, or the one before it where there is none of it."""
    before = select(AuditLine.at).where(AuditLine.seq <= seq).order_by(AuditLine.seq.desc()).limit(1)
    return session.scalar(before) or _LONG_AGO


def lines_about(session: Session, object_kind: str, object_id: str, limit: int = 200) -> Sequence[AuditLine]:
    """The newest ``limit`` lines about one thing, the oldest of them first."""
    about = select(AuditLine).where(AuditLine.object_kind == object_kind, AuditLine.object_id == object_id)
    return session.scalars(about.order_by(AuditLine.seq.desc()).limit(limit)).all()[::-1]


def heads(session: Session) -> list[Head]:
    """The last line of every chain."""
    last = select(func.max(AuditLine.seq)).group_by(AuditLine.chain)
    lines = session.scalars(select(AuditLine).where(AuditLine.seq.in_(last)).order_by(AuditLine.chain))
    return [Head(line.chain, line.seq, line.hash.hex()) for line in lines]


def verify(session: Session, key: bytes | None = None) -> list[Broken]:
    """Walk every chain and return the lines at which one does not hold; empty when all is well.

    ``key`` is the one that the lines were appended with. Reads row by row: memory does not grow with the log.
    """
    query = select(*AuditLine.__table__.columns).order_by(AuditLine.chain, AuditLine.seq)
    broken = []
    walk = _Walk("")
    try:
        for row in session.execute(query.execution_options(yield_per=_STREAM_ROWS)):
            walk = walk if row.chain == walk.chain else _Walk(row.chain)
            fault = walk.step(row, _hash(row._asdict(), key))
            if fault:
                broken.append(Broken(row.seq, row.chain, fault))
    except (ValueError, TypeError):
        broken.append(Broken(walk.seq, walk.chain, UNREADABLE))
    return broken


@dataclass(slots=True)
class _Walk:
    """How far a chain was walked: the hashes that the next line may follow.

    They are several after a fault, so that one line put in, or one gap, is one report and not two.
    """

    chain: str
    seq: int = 0
    open_ends: set[bytes] = field(default_factory=lambda: {GENESIS})

    def step(self, row: Row[Any], expected: bytes) -> str:
        """Go on by one line; return what is wrong with it, or ""."""
        follows = row.previous in self.open_ends
        self.open_ends = {row.hash} if follows else self.open_ends | {row.hash}
        self.seq = row.seq
        if not hmac.compare_digest(row.hash, expected):
            return "The line was changed."
        return "" if follows else "A line before it was removed or changed, or it was put in or moved."


def _chain(site_id: uuid.UUID | None) -> str:
    return NO_SITE if site_id is None else str(site_id)


_LOCK = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))
_INSERT = insert(AuditLine.__table__)  # type: ignore[arg-type]
_LAST_HASH = select(AuditLine.hash).where(AuditLine.chain == bindparam("of")).order_by(AuditLine.seq.desc()).limit(1)
"""Built once: to build a statement takes longer than to run it."""


def _lock(session: Session, chain: str) -> None:
    """Let one transaction at a time add to the chain; two would follow the same line."""
    if is_postgres(session):
        number = int.from_bytes(hashlib.sha256(b"audit:" + chain.encode()).digest()[:8], "big", signed=True)
        session.execute(_LOCK, {"number": number})


def _last_hash(session: Session, chain: str) -> bytes:
    return session.scalar(_LAST_HASH, {"of": chain}) or GENESIS


def _hash(line: Mapping[str, Any], key: bytes | None) -> bytes:
    """The hash of a line, its predecessor's hash included, over JSON with sorted keys, in ASCII, without blanks."""
    facts = {name: line[name] for name in _HASHED}
    facts["at"] = line["at"].isoformat(timespec="microseconds")
    facts["previous"] = line["previous"].hex()
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str).encode("ascii")
    return hashlib.sha256(text).digest() if key is None else hmac.digest(key, text, "sha256")


def _plain(value: Any) -> Any:
    """JSON that comes back the same from both databases: PostgreSQL keeps 1e22 as a whole number, and no -0.0."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) and abs(value) < _EXACT_FLOATS else str(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Collection) and not isinstance(value, bytes):
        return [_plain(inner) for inner in value]
    return str(value)
