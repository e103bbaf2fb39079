"""The audit log: who did what, when and why. Lines are only ever added, and each one's hash covers the one before.

Every site has a chain of its own, and what belongs to no site another one. What a chain proves: a line cannot be
changed, removed, inserted or moved without ``verify`` saying so, unless every line after it is rewritten as well. That
takes the key, where one is given (HMAC-SHA-256); without a key (SHA-256) anybody who can write to the table can do it.
The end of each chain is kept and signed in a row of its own, so that lines cut off at the end, and a chain that is gone
as a whole, show as well. What shows only against heads that were noted elsewhere (``heads``, ``not_held``): a database
that was put back as a whole to what it once was.

No email address, IP address, token or text of a comment belongs in a line: a line cannot be erased later.
"""

import hashlib
import hmac
import json
import math
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

from sqlalchemy import BigInteger, ColumnElement, Row, Select, Table, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.domain.actor import Actor
from moderation.storage.db import is_postgres
from moderation.storage.models import AuditHead, AuditLine, Site

NO_SITE = "service"
"""The chain of what belongs to no single site."""

GENESIS = bytes(32)
"""What the first line of a chain has for its predecessor's hash."""

FIRST_ACTION = "site.add"
"""What the first line of a site's chain says."""

FIRST, UPGRADE, LOST = "first", "upgrade", "lost"
"""With what the record of a chain's end was begun: its first line, an upgrade from a version that kept none, or the
first line after the record was removed.
"""

END_FAULTS = {
    "cut": "The end of the chain is not what it was: lines were cut off or renumbered.",
    "forged": "The record of the chain's end was changed by somebody without the key.",
    "lost": "The record of the chain's end was removed. Lines before this one may have been cut off.",
    "empty": "All lines of the chain are gone.",
}
"""What is wrong with a chain whose lines follow one another."""

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
    """The same for several lines, one after the other, in few statements, however many. ``entries``: at least one."""
    chain = _chain(site_id)
    _lock(session, chain)
    end = _end(session, chain, site_id, entries[0].action)
    lines: list[dict[str, Any]] = []
    previous = end.hash
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
    for seq, line in zip(session.scalars(_INSERT, lines), lines, strict=True):
        end = end.after(seq, line["hash"])
    _keep(session, end, key)


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
    kept = {row.chain: row for row in session.execute(select(*_heads.columns))}
    sites = [str(site_id) for site_id in session.scalars(select(Site.id))]
    expected = {*kept, *sites, *([NO_SITE] if sites else [])}
    broken: list[Broken] = []
    walks: dict[str, _Walk] = {}
    walk = _Walk("")
    try:
        for row in session.execute(query.execution_options(yield_per=_STREAM_ROWS)):
            walk = walks.setdefault(row.chain, _Walk(row.chain))
            fault = walk.step(row, _hash(row._asdict(), key))
            if fault:
                broken.append(Broken(row.seq, row.chain, fault))
    except (ValueError, TypeError):
        return [*broken, Broken(walk.seq, walk.chain, UNREADABLE)]
    for chain in sorted({*walks, *expected}):
        fault = _fault_at_end(kept.get(chain), walks.get(chain) or _Walk(chain), key)
        if fault:
            broken.append(Broken(walks[chain].seq if chain in walks else 0, chain, fault))
    return broken


def _fault_at_end(kept: Row[Any] | None, walk: "_Walk", key: bytes | None) -> str:
    """What is wrong with the end of a chain whose lines follow one another; where they do not, that is told already."""
    if walk.is_broken:
        return ""
    if kept is None:
        return END_FAULTS["lost"]
    if not hmac.compare_digest(kept.signature, _signature(kept, key)):
        return END_FAULTS["forged"]
    if kept.begun == LOST:
        return END_FAULTS["lost"]
    if walk.end.lines == 0:
        return END_FAULTS["empty"] if kept.lines else ""
    return (
        ""
        if (kept.lines, kept.hash, kept.trail) == (walk.end.lines, walk.end.hash, walk.end.trail)
        else END_FAULTS["cut"]
    )


@dataclass(slots=True)
class _Walk:
    """How far a chain was walked: the hashes that the next line may follow.

    They are several after a fault, so that one line put in, or one gap, is one report and not two.
    """

    chain: str
    seq: int = 0
    open_ends: set[bytes] = field(default_factory=lambda: {GENESIS})
    is_broken: bool = False
    end: "End" = field(default_factory=lambda: End("", FIRST))

    def step(self, row: Row[Any], expected: bytes) -> str:
        """Go on by one line; return what is wrong with it, or ""."""
        follows = row.previous in self.open_ends
        self.open_ends = {row.hash} if follows else self.open_ends | {row.hash}
        self.seq = row.seq
        self.end = self.end.after(row.seq, row.hash)
        if not hmac.compare_digest(row.hash, expected):
            self.is_broken = True
            return "The line was changed."
        self.is_broken = self.is_broken or not follows
        return "" if follows else "A line before it was removed or changed, or it was put in or moved."


def _chain(site_id: uuid.UUID | None) -> str:
    return NO_SITE if site_id is None else str(site_id)


_LOCK = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))
_heads = cast("Table", AuditHead.__table__)
_INSERT = insert(AuditLine.__table__).returning(AuditLine.seq, sort_by_parameter_order=True)  # type: ignore[arg-type]
_END = select(_heads).where(_heads.c.chain == bindparam("of"))
_LINES = select(AuditLine.seq, AuditLine.hash).where(AuditLine.chain == bindparam("of")).order_by(AuditLine.seq)
"""Built once: to build a statement takes longer than to run it."""


def _lock(session: Session, chain: str) -> None:
    """Let one transaction at a time add to the chain; two would follow the same line."""
    if is_postgres(session):
        number = int.from_bytes(hashlib.sha256(b"audit:" + chain.encode()).digest()[:8], "big", signed=True)
        session.execute(_LOCK, {"number": number})


@dataclass(frozen=True, slots=True)
class End:
    """Where a chain ends: how many lines it has, the last one's hash, and a hash over all of them in their order."""

    chain: str
    begun: str
    lines: int = 0
    hash: bytes = GENESIS
    trail: bytes = GENESIS

    def after(self, seq: int, line_hash: bytes) -> "End":
        """The end after one more line."""
        trail = hashlib.sha256(self.trail + line_hash + str(seq).encode("ascii")).digest()
        return replace(self, lines=self.lines + 1, hash=line_hash, trail=trail)


def _end(session: Session, chain: str, site_id: uuid.UUID | None, action: str) -> End:
    """Where a chain ends, by the row that is kept of it. Without one, by its lines; a chain that ought to have lines,
    since its site is there for longer than this line, has lost them.
    """
    row = session.execute(_END, {"of": chain}).first()
    if row is not None:
        return End(row.chain, row.begun, row.lines, row.hash, row.trail)
    end = _end_of_lines(session, chain, LOST)
    is_first = end.lines == 0 and (action == FIRST_ACTION or not _has_site(session, site_id))
    return replace(end, begun=FIRST) if is_first else end


def _has_site(session: Session, site_id: uuid.UUID | None) -> bool:
    """Whether the site is there; for the chain of no site, whether any is: with the first of them it was begun."""
    sites = select(Site.id).limit(1)
    return session.scalar(sites if site_id is None else sites.where(Site.id == site_id)) is not None


def begin(session: Session, key: bytes | None) -> None:
    """Begin the chain of what belongs to no single site, before there is a site: from then on it is missed."""
    _lock(session, NO_SITE)
    if session.execute(_END, {"of": NO_SITE}).first() is None and not _has_site(session, None):
        _keep(session, replace(_end_of_lines(session, NO_SITE, LOST), begun=FIRST), key)


def _end_of_lines(session: Session, chain: str, begun: str) -> End:
    """The same by all of its lines."""
    end = End(chain, begun)
    for seq, line_hash in session.execute(_LINES, {"of": chain}):
        end = end.after(seq, line_hash)
    return end


def adopt(session: Session, key: bytes | None) -> None:
    """Begin the record of the ends of chains that were written by a version that kept none: once, at the upgrade."""
    chains = set(session.scalars(select(AuditLine.chain).distinct()))
    for chain in {*chains, NO_SITE} if chains else ():
        _keep(session, _end_of_lines(session, chain, UPGRADE), key)


def _keep(session: Session, end: End, key: bytes | None) -> None:
    values = {name: getattr(end, name) for name in ("chain", "begun", "lines", "hash", "trail")}
    session.execute(_upsert(is_postgres(session)), {**values, "signature": _signature(end, key)})


@lru_cache
def _upsert(postgres: bool) -> Any:
    statement = (postgresql.insert if postgres else sqlite.insert)(_heads)
    changed = {name: statement.excluded[name] for name in ("lines", "hash", "trail", "signature")}
    return statement.on_conflict_do_update(index_elements=["chain"], set_=changed)


def _signature(end: Any, key: bytes | None) -> bytes:
    """Over the end of a chain, as ``_hash`` is over a line; the first word keeps the two apart."""
    facts = ["end", end.chain, end.begun, end.lines, end.hash.hex(), end.trail.hex()]
    text = json.dumps(facts, separators=(",", ":")).encode("ascii")
    return hashlib.sha256(text).digest() if key is None else hmac.digest(key, text, "sha256")


def not_held(session: Session, noted: Iterable[Head]) -> list[Head]:
    """Those of the heads noted earlier that the log does not have any more: their chain was cut, or written anew."""
    query = select(AuditLine.hash)
    return [
        head
        for head in noted
        if session.scalar(query.where(AuditLine.seq == head.seq, AuditLine.chain == head.chain)) != _bytes(head.hash)
    ]


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


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
