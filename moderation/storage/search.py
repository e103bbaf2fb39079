"""The index of texts: which comments may hold a stretch of text, an author's name, a signal.

It is made of chunks of up to ``FULL`` comments each, in the order of their time. For each chunk and term there is one
row with the places of the comments that have the term: two bytes a place, or a bit for each of the chunk where that
takes less. A term is three letters of a text or of a name, the name of a signal that noticed something, or a site. The
ids of a chunk's comments are in rows of ``IDS_TOGETHER``, in the order of their places.

Triggers of the database note in ``unindexed`` which comments came, changed or went (``migrations/``); the worker takes
them from there (``services/indexing.py``). So a submission pays for one small row, and nothing can forget to keep the
index in step. What it finds are candidates: whoever asks compares their present rows, and looks at those of
``unindexed`` one by one.
"""

import uuid
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
from sqlalchemy import BindParameter, Row, Table, and_, bindparam, delete, func, insert, literal_column, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.domain.grams import SIZE, grams, grams_of_search
from moderation.storage.db import is_postgres
from moderation.storage.models import Comment, SearchChunk, SearchIds, SearchTerm, SignalRow, Unindexed

FULL = 16_384
"""Most comments in a chunk: a bit for each of them is then 2 kB, and to make one anew takes about a second."""

MOST_GRAMS = 6
"""Pieces of a text that are looked up; more hardly narrow it down."""

CHUNKS_AT_ONCE = 32
IDS_TOGETHER = 64

_BITS = FULL // 8
_ID_BYTES = 16

_comments, _signals = cast("Table", Comment.__table__), cast("Table", SignalRow.__table__)
_chunks, _terms = cast("Table", SearchChunk.__table__), cast("Table", SearchTerm.__table__)
_parts, _unindexed = cast("Table", SearchIds.__table__), cast("Table", Unindexed.__table__)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)


# --- what is asked ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What comments are to have, all of it; None: whatever. ``sites`` None: of any site."""

    text: str | None = None
    author: str | None = None
    signal: str | None = None
    sites: frozenset[uuid.UUID] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Candidates of one chunk, in the order of their time, which lies between ``oldest`` and ``newest``."""

    chunk_id: int
    oldest: datetime
    newest: datetime
    places: Sequence[int]


class _Head(NamedTuple):
    id: int
    oldest: datetime
    newest: datetime
    size: int


_HEADS = select(*(_chunks.c[name] for name in _Head._fields))


def heads(session: Session) -> list[_Head]:
    """All chunks, without what is in them; some sixty for a million comments."""
    return [_Head._make(row) for row in session.execute(_HEADS)]


class Index:
    """The index as it is in this transaction, for what is wanted. What was read of it once is kept."""

    def __init__(self, session: Session, wanted: Wanted, unindexed_comments: int) -> None:
        self.chunks = heads(session)
        self.unindexed = unindexed_comments
        self._session, self._wanted = session, wanted
        self._kept: dict[int, int] = {}

    def candidates(
        self,
        chunks: Sequence[_Head],
        after: tuple[datetime, uuid.UUID] | None = None,
        *,
        descending: bool = False,
    ) -> Iterator[Piece]:
        """Of each chunk, in their order, the comments that may be what is wanted; those of nothing are left out.

        In a chunk that has the comment ``after``, only those that are newer, or with ``descending`` older than that.
        """
        for some in _growing(chunks):
            masks = self._masks(some)
            for chunk in some:
                if (mask := masks[chunk.id]) == 0:
                    continue
                places = _places(mask)
                if after is not None and chunk.oldest <= after[0] <= chunk.newest:
                    at = _place_in(chunk_ids(self._session, chunk.id), after[1])
                    if at is not None:
                        places = places[places < at] if descending else places[places > at]
                if len(places):
                    ordered = places[::-1] if descending else places
                    yield Piece(chunk.id, chunk.oldest, chunk.newest, ordered.tolist())

    def count(self, enough: int) -> int:
        """How many candidates there are: counted up to about ``enough``, from then on by the share of what is left."""
        total, seen, size = 0, 0, sum(chunk.size for chunk in self.chunks)
        for some in _growing(self.chunks):
            total += sum(mask.bit_count() for mask in self._masks(some).values())
            seen += sum(chunk.size for chunk in some)
            if total >= enough:
                return round(total * size / seen)
        return total

    def _masks(self, chunks: Sequence[_Head]) -> dict[int, int]:
        new = [chunk.id for chunk in chunks if chunk.id not in self._kept]
        if new:
            self._kept |= dict.fromkeys(new, 0) | _masks(self._session, self._wanted, new)
        return {chunk.id: self._kept[chunk.id] for chunk in chunks}


def _growing(chunks: Sequence[_Head]) -> Iterator[Sequence[_Head]]:
    """First a few, then more at a time: mostly the first ones have enough."""
    start, size = 0, 2
    while start < len(chunks):
        yield chunks[start : start + size]
        start, size = start + size, min(2 * size, CHUNKS_AT_ONCE)


def ids_at(session: Session, places: Sequence[tuple[int, int]]) -> list[uuid.UUID]:
    """The ids of the comments at these places, each a chunk and a place in it, in this order."""
    numbers = {_number(chunk_id, at) for chunk_id, at in places}
    found = {number: bytes(ids) for number, ids in session.execute(_IDS_AT, {"ids": sorted(numbers)})}
    made = []
    for chunk_id, at in places:
        start = at % IDS_TOGETHER * _ID_BYTES
        made.append(uuid.UUID(bytes=found[_number(chunk_id, at)][start : start + _ID_BYTES]))
    return made


_IDS_AT = select(_parts.c.number, _parts.c.ids).where(_parts.c.number.in_(_IDS))


def _number(chunk_id: int, place: int) -> int:
    """The number of the row that has the id at a place; those of a chunk follow each other."""
    return chunk_id * (FULL // IDS_TOGETHER) + place // IDS_TOGETHER


def _masks(session: Session, wanted: Wanted, chunk_ids: Sequence[int]) -> dict[int, int]:
    """For each chunk a bit for each place that has all that is wanted; a chunk that has nothing may be missing."""
    masks = dict.fromkeys(chunk_ids, (1 << FULL) - 1)
    needs = _needs(wanted)
    # The rarest first: where they leave nothing, nothing else is read.
    for start in range(0, len(needs), 2):
        _narrow(session, masks, needs[start : start + 2])
        masks = {chunk_id: mask for chunk_id, mask in masks.items() if mask}
    return masks


def _narrow(session: Session, masks: dict[int, int], needs: Sequence["_Need"]) -> None:
    terms = {term for need in needs if not need.is_prefix for term in need.terms}
    given = {"ids": list(masks), "terms": list(terms)}
    rows = _by_chunk(session.execute(_EXACT, given)) if terms and masks else {}
    for need in needs:
        found = _prefixed(session, list(masks), need.terms[0]) if need.is_prefix else rows
        for chunk_id in masks:
            of_chunk = found.get(chunk_id, {})
            mask = 0
            for term in of_chunk if need.is_prefix else need.terms:
                mask |= of_chunk.get(term, 0)
            masks[chunk_id] &= mask


class _Need(NamedTuple):
    """One of these terms is needed; or one that begins with the only one."""

    terms: tuple[bytes, ...]
    is_prefix: bool = False


def _needs(wanted: Wanted) -> list[_Need]:
    needs = []
    if wanted.signal is not None:
        needs.append(_Need((b"n" + wanted.signal.encode(),)))
    for kind, text in ((b"t", wanted.text), (b"a", wanted.author)):
        for gram in grams_of_search(text or "", MOST_GRAMS):
            needs.append(_Need((kind + gram.encode(),), is_prefix=len(gram) < SIZE))
    if wanted.sites is not None:
        needs.append(_Need(tuple(b"s" + site_id.bytes for site_id in sorted(wanted.sites))))
    return needs


_EXACT = select(_terms.c.chunk_id, _terms.c.term, _terms.c.places)
_EXACT = _EXACT.where(_terms.c.chunk_id.in_(_IDS), _terms.c.term.in_(bindparam("terms", expanding=True)))


def _prefixed(session: Session, chunk_ids: Sequence[int], prefix: bytes) -> dict[int, dict[bytes, int]]:
    statement = select(_terms.c.chunk_id, _terms.c.term, _terms.c.places)
    # No byte of UTF-8 is 0xFF.
    within = and_(_terms.c.term >= prefix, _terms.c.term < prefix + b"\xff")
    return _by_chunk(session.execute(statement.where(_terms.c.chunk_id.in_(chunk_ids), within)))


def _by_chunk(rows: Iterable[Any]) -> dict[int, dict[bytes, int]]:
    found: dict[int, dict[bytes, int]] = {}
    for chunk_id, term, places in rows:
        found.setdefault(chunk_id, {})[bytes(term)] = _mask(bytes(places))
    return found


def _mask(places: bytes) -> int:
    if len(places) == _BITS:
        return int.from_bytes(places, "little")
    bits = np.zeros(FULL, np.uint8)
    bits[np.frombuffer(places, "<u2")] = 1
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def _places(mask: int) -> Any:
    packed = np.frombuffer(mask.to_bytes(_BITS, "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(packed, bitorder="little"))


def _place_in(ids: bytes, comment_id: uuid.UUID) -> int | None:
    at = ids.find(comment_id.bytes)
    while at >= 0 and at % _ID_BYTES:
        at = ids.find(comment_id.bytes, at + 1)
    return at // _ID_BYTES if at >= 0 else None


def chunk_ids(session: Session, chunk_id: int) -> bytes:
    """The ids of a chunk's comments, one after the other."""
    return b"".join(bytes(ids) for ids in session.scalars(_CHUNK_IDS, _numbers_of(chunk_id)))


_OF_CHUNK = (_parts.c.number >= bindparam("first"), _parts.c.number < bindparam("end"))
_CHUNK_IDS = select(_parts.c.ids).where(*_OF_CHUNK).order_by(_parts.c.number)
_DROP_IDS = delete(_parts).where(*_OF_CHUNK)


def _numbers_of(chunk_id: int) -> dict[str, int]:
    return {"first": _number(chunk_id, 0), "end": _number(chunk_id + 1, 0)}


# --- what is not in it yet -------------------------------------------------------------------------------------------


def count_unindexed(session: Session, most: int) -> int:
    """How many comments came or changed since the index took them, counted up to ``most``."""
    rows = select(_unindexed.c.comment_id).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def unindexed_ids() -> Any:
    """Their ids, to be joined with."""
    return select(_unindexed.c.comment_id)


def unindexed(session: Session, limit: int) -> Sequence[Row[Any]]:
    """``(comment_id, created_at, changes)`` of up to ``limit`` of them, the oldest first."""
    statement = select(*(_unindexed.c[name] for name in ("comment_id", "created_at", "changes")))
    return session.execute(statement.order_by(_unindexed.c.comment_id).limit(limit)).all()


def note_changed(session: Session, comment_ids: Sequence[uuid.UUID]) -> None:
    """Have comments indexed anew whose signals changed. Of all else the triggers take note."""
    session.execute(_note(is_postgres(session)), {"ids": sorted(comment_ids)})


@lru_cache
def _note(postgres: bool) -> Any:
    changed = select(_comments.c.id, _comments.c.created_at, literal_column("1")).where(_comments.c.id.in_(_IDS))
    statement = (postgresql.insert if postgres else sqlite.insert)(_unindexed)
    statement = statement.from_select(["comment_id", "created_at", "changes"], changed.order_by(_comments.c.id))
    return statement.on_conflict_do_update(index_elements=["comment_id"], set_={"changes": _unindexed.c.changes + 1})


def settle(session: Session, seen: Mapping[uuid.UUID, int]) -> int:
    """Take off the list what was indexed as ``{id: changes}``; what changed meanwhile, or is being changed, stays.

    Returns how many were taken off.
    """
    settled = 0
    for some in _batches(sorted(seen), 500):
        statement = select(_unindexed.c.comment_id, _unindexed.c.changes).where(_unindexed.c.comment_id.in_(some))
        rows = session.execute(statement.order_by(_unindexed.c.comment_id).with_for_update(skip_locked=True))
        done = [comment_id for comment_id, changes in rows if changes == seen[comment_id]]
        session.execute(delete(_unindexed).where(_unindexed.c.comment_id.in_(done)))
        settled += len(done)
    return settled


# --- making it -------------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """What is indexed of a comment."""

    id: uuid.UUID
    created_at: datetime
    site_id: uuid.UUID
    body: str
    author_name: str


_ENTRIES = select(*(_comments.c[name] for name in Entry._fields)).where(_comments.c.id.in_(_IDS))
SPEAKS = or_(_signals.c.weight != 0, _signals.c.forces.is_not(None))
"""Whether a signal says something of its comment, by a weight or by what it forces."""

_NOTICED = select(_signals.c.comment_id, _signals.c.name).where(_signals.c.comment_id.in_(_IDS), SPEAKS)


class Terms:
    """Which comments of a chunk have which terms. Memory: about 600 bytes a comment."""

    def __init__(self) -> None:
        self._places: dict[str | bytes, array[int]] = {}
        self._size = 0

    def add(self, entry: Entry, signals: Iterable[str]) -> None:
        """Add the next comment, in the order of time."""
        place, places = self._size, self._places
        terms: set[str | bytes] = {"t" + gram for gram in grams(entry.body)}
        terms.update("a" + gram for gram in grams(entry.author_name))
        terms.update("n" + name for name in signals)
        terms.add(b"s" + entry.site_id.bytes)
        for term in terms:
            if (found := places.get(term)) is None:
                found = places[term] = array("H")
            found.append(place)
        self._size += 1

    def rows(self, chunk_id: int) -> Iterator[dict[str, Any]]:
        """The rows to store, in the order of their key."""
        encoded = ((term if isinstance(term, bytes) else term.encode(), term) for term in self._places)
        for key, term in sorted(encoded, key=lambda pair: pair[0]):
            yield {"chunk_id": chunk_id, "term": key, "places": _packed(self._places[term])}


def _packed(places: "array[int]") -> bytes:
    if 2 * len(places) < _BITS:
        return np.frombuffer(places, np.uint16).astype("<u2").tobytes()
    bits = np.zeros(FULL, np.uint8)
    bits[np.frombuffer(places, np.uint16)] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def entries_of(session: Session, ids: Sequence[uuid.UUID]) -> list[tuple[Entry, list[str]]]:
    """The comments among ``ids`` that exist, each with the signals that noticed something, in no order."""
    noticed: dict[uuid.UUID, list[str]] = {}
    for comment_id, name in session.execute(_NOTICED, {"ids": list(ids)}):
        noticed.setdefault(comment_id, []).append(name)
    rows = session.execute(_ENTRIES, {"ids": list(ids)})
    return [(entry, noticed.get(entry.id, [])) for entry in map(Entry._make, rows)]


def add_chunk(session: Session, entries: Sequence[tuple[datetime, uuid.UUID]], terms: Terms) -> None:
    """Store a chunk of ``(created_at, id)``, in that order, with its terms."""
    values = {
        "oldest": entries[0][0],
        "newest": entries[-1][0],
        "size": len(entries),
    }
    chunk_id = session.scalar(insert(_chunks).values(values).returning(_chunks.c.id)) or 0
    ids = [comment_id.bytes for _, comment_id in entries]
    rows = [
        {"number": _number(chunk_id, at), "ids": b"".join(ids[at : at + IDS_TOGETHER])}
        for at in range(0, len(ids), IDS_TOGETHER)
    ]
    session.execute(insert(_parts), rows)
    for some in _batches(list(terms.rows(chunk_id)), 2_000):
        session.execute(insert(_terms), some)


def drop_chunks(session: Session, chunk_ids: Sequence[int]) -> int:
    """Remove chunks with all their terms; how many there were."""
    session.execute(delete(_terms).where(_terms.c.chunk_id.in_(chunk_ids)))
    for chunk_id in chunk_ids:
        session.execute(_DROP_IDS, _numbers_of(chunk_id))
    return len(session.execute(delete(_chunks).where(_chunks.c.id.in_(chunk_ids)).returning(_chunks.c.id)).all())


def lock_indexing(session: Session) -> bool:
    """Whether nobody else stores chunks at this moment. On SQLite the write transaction is alone anyway."""
    return not is_postgres(session) or bool(session.scalar(select(func.pg_try_advisory_xact_lock(7_306_272))))


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
