"""The index of texts: which comments may hold a stretch of text, an author's name, a signal.

It is made of chunks of up to ``FULL`` comments each, in the order of their time. For each chunk and term there is one
row with the places of the comments that have the term: two bytes a place, or a bit for each of the chunk where that
takes less. A term is three letters of a text or of a name, the name of a signal that noticed something, or a site.

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
from sqlalchemy import BindParameter, Row, Table, and_, bindparam, delete, func, insert, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.domain.grams import SIZE, grams, grams_of_search
from moderation.storage.db import is_postgres
from moderation.storage.models import Comment, SearchChunk, SearchTerm, SignalRow, Unindexed

FULL = 16_384
"""Most comments in a chunk: a bit for each of them is then 2 kB, and to make one anew takes about a second."""

MOST_GRAMS = 6
"""Pieces of a text that are looked up; more hardly narrow it down."""

CHUNKS_AT_ONCE = 16

_BITS = FULL // 8
_ID_BYTES = 16

_comments, _signals = cast("Table", Comment.__table__), cast("Table", SignalRow.__table__)
_chunks, _terms = cast("Table", SearchChunk.__table__), cast("Table", SearchTerm.__table__)
_unindexed = cast("Table", Unindexed.__table__)
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

    oldest: datetime
    newest: datetime
    places: Sequence[int]
    ids_of_chunk: bytes

    def slices(self, size: int, *, backwards: bool = False) -> Iterator[list[uuid.UUID]]:
        """Their ids, up to ``size`` at a time."""
        places = self.places[::-1] if backwards else self.places
        for start in range(0, len(places), size):
            some = (at * _ID_BYTES for at in places[start : start + size])
            yield [uuid.UUID(bytes=self.ids_of_chunk[at : at + _ID_BYTES]) for at in some]


class _Head(NamedTuple):
    id: int
    oldest: datetime
    newest: datetime
    size: int


_HEADS = select(*(_chunks.c[name] for name in _Head._fields))


def heads(session: Session) -> list[_Head]:
    """All chunks, without what is in them; some sixty for a million comments."""
    return [_Head._make(row) for row in session.execute(_HEADS)]


def candidates(
    session: Session,
    wanted: Wanted,
    chunks: Sequence[_Head],
    after: uuid.UUID | None = None,
    *,
    descending: bool = False,
) -> Iterator[Piece]:
    """Of each chunk, in their order, the comments that may be what is wanted; those of nothing are left out.

    In the chunk that has the comment ``after``, only those that are newer, or with ``descending`` older than that.
    """
    for start in range(0, len(chunks), CHUNKS_AT_ONCE):
        some = chunks[start : start + CHUNKS_AT_ONCE]
        masks = _masks(session, wanted, [chunk.id for chunk in some])
        for chunk in some:
            if (mask := masks.get(chunk.id, 0)) == 0:
                continue
            ids = chunk_ids(session, chunk.id)
            places = _places(mask)
            if after is not None and (at := _place_in(ids, after)) is not None:
                places = places[places < at] if descending else places[places > at]
            if len(places):
                yield Piece(chunk.oldest, chunk.newest, places.tolist(), ids)


def count_candidates(session: Session, wanted: Wanted, chunks: Sequence[_Head]) -> int:
    """How many ``candidates`` there are, without naming them."""
    return sum(
        mask.bit_count()
        for start in range(0, len(chunks), CHUNKS_AT_ONCE)
        for mask in _masks(session, wanted, [one.id for one in chunks[start : start + CHUNKS_AT_ONCE]]).values()
    )


def _masks(session: Session, wanted: Wanted, chunk_ids: Sequence[int]) -> dict[int, int]:
    """For each chunk a bit for each place that has all that is wanted; a chunk that has nothing may be missing."""
    needs = _needs(wanted)
    terms = {term for need in needs if not need.is_prefix for term in need.terms}
    rows = _by_chunk(session.execute(_exact_rows(), {"ids": list(chunk_ids), "terms": list(terms)})) if terms else {}
    masks = dict.fromkeys(chunk_ids, (1 << FULL) - 1)
    for need in needs:
        found = _prefixed(session, chunk_ids, need.terms[0]) if need.is_prefix else rows
        for chunk_id in chunk_ids:
            of_chunk = found.get(chunk_id, {})
            either = of_chunk.keys() if need.is_prefix else need.terms
            mask = 0
            for term in either:
                mask |= of_chunk.get(term, 0)
            masks[chunk_id] &= mask
    return masks


class _Need(NamedTuple):
    """One of these terms is needed; or one that begins with the only one."""

    terms: tuple[bytes, ...]
    is_prefix: bool = False


def _needs(wanted: Wanted) -> list[_Need]:
    needs = [] if wanted.sites is None else [_Need(tuple(b"s" + site_id.bytes for site_id in sorted(wanted.sites)))]
    if wanted.signal is not None:
        needs.append(_Need((b"n" + wanted.signal.encode(),)))
    for kind, text in ((b"t", wanted.text), (b"a", wanted.author)):
        for gram in grams_of_search(text or "", MOST_GRAMS):
            needs.append(_Need((kind + gram.encode(),), is_prefix=len(gram) < SIZE))
    return needs


@lru_cache
def _exact_rows() -> Any:
    of_terms = _terms.c.term.in_(bindparam("terms", expanding=True))
    return select(_terms.c.chunk_id, _terms.c.term, _terms.c.places).where(_terms.c.chunk_id.in_(_IDS), of_terms)


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
    found = session.scalar(_CHUNK_IDS, {"of": chunk_id})
    return b"" if found is None else bytes(found)


_CHUNK_IDS = select(_chunks.c.ids).where(_chunks.c.id == bindparam("of"))


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
_NOTICED = select(_signals.c.comment_id, _signals.c.name).where(_signals.c.comment_id.in_(_IDS), _signals.c.weight != 0)


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
        "ids": b"".join(comment_id.bytes for _, comment_id in entries),
    }
    chunk_id = session.scalar(insert(_chunks).values(values).returning(_chunks.c.id))
    for some in _batches(list(terms.rows(chunk_id or 0)), 2_000):
        session.execute(insert(_terms), some)


def drop_chunks(session: Session, chunk_ids: Sequence[int]) -> int:
    """Remove chunks with all their terms; how many there were."""
    session.execute(delete(_terms).where(_terms.c.chunk_id.in_(chunk_ids)))
    return len(session.execute(delete(_chunks).where(_chunks.c.id.in_(chunk_ids)).returning(_chunks.c.id)).all())


def lock_indexing(session: Session) -> bool:
    """Whether nobody else stores chunks at this moment. On SQLite the write transaction is alone anyway."""
    return not is_postgres(session) or bool(session.scalar(select(func.pg_try_advisory_xact_lock(7_306_272))))


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
