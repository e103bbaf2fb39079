"""Keeping the index of texts in step: the worker takes in what came or changed since."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from moderation.services.parts import Parts
from moderation.storage import search
from moderation.storage.db import read, write

LEAST = 1_000
"""New comments that make a chunk; fewer are looked at one by one, which takes no longer."""

MANY_SMALL = 8
"""So many chunks that are less than half full are put together."""

READ_AT_ONCE = 500


def index_new(parts: Parts, least: int = LEAST) -> int:
    """Index comments that are not yet, once there are ``least``, up to a full chunk; how many these were."""
    with read() as session:
        rows = search.unindexed(session, 2 * search.FULL)
        known = _chunks_with(session, [(row.comment_id, row.created_at) for row in rows])
    new = [row for row in rows if row.comment_id not in known][: search.FULL]
    if len(new) < max(1, least):
        return 0
    seen = {row.comment_id: row.changes for row in new}
    return len(seen) if _store(seen, (), seen) else 0


def index_changed(parts: Parts) -> int:
    """Make the chunks anew in which comments changed or were erased, so that nothing of their former texts stays.

    Returns how many chunks these were. A comment that is in no chunk is left for ``index_new``.
    """
    done = 0
    with read() as session:
        rows = search.unindexed(session, 2 * search.FULL)
        known = _chunks_with(session, [(row.comment_id, row.created_at) for row in rows])
    changes = {row.comment_id: row.changes for row in rows}
    by_chunk: dict[int, list[uuid.UUID]] = {}
    for comment_id, chunk_ids in known.items():
        for chunk_id in chunk_ids:
            by_chunk.setdefault(chunk_id, []).append(comment_id)
    for chunk_id, changed in by_chunk.items():
        with read() as session:
            ids = _split(search.chunk_ids(session, chunk_id))
        done += _store(ids, [chunk_id], {comment_id: changes[comment_id] for comment_id in changed})
    return done


def join_small(parts: Parts) -> int:
    """Put chunks together that are less than half full, once there are many; how many these were."""
    with read() as session:
        small = sorted(one for one in search.heads(session) if one.size < search.FULL // 2)
        if len(small) < MANY_SMALL:
            return 0
        chosen, size = [], 0
        for one in sorted(small, key=lambda one: one.oldest):
            if size + one.size > search.FULL:
                break
            chosen.append(one.id)
            size += one.size
        ids = [id for chunk_id in chosen for id in _split(search.chunk_ids(session, chunk_id))]
    return len(chosen) if _store(ids, chosen, {}) else 0


def _chunks_with(session: Session, comments: Sequence[tuple[uuid.UUID, datetime]]) -> dict[uuid.UUID, list[int]]:
    """Of these comments the chunks that have them; without those that are in none."""
    found: dict[uuid.UUID, list[int]] = {}
    for chunk in search.heads(session):
        within = [comment_id for comment_id, at in comments if chunk.oldest <= at <= chunk.newest]
        if within:
            of_chunk = set(_split(search.chunk_ids(session, chunk.id)))
            for comment_id in of_chunk.intersection(within):
                found.setdefault(comment_id, []).append(chunk.id)
    return found


def _store(ids: Collection[uuid.UUID], instead: Sequence[int], seen: dict[uuid.UUID, int]) -> bool:
    """Make a chunk of these comments in the place of others; False where another worker was faster.

    The texts are read before the transaction that stores it: what changes meanwhile stays on the list.
    """
    with read() as session:
        found = [
            one
            for start in range(0, len(ids), READ_AT_ONCE)
            for one in search.entries_of(session, list(ids)[start : start + READ_AT_ONCE])
        ]
    found.sort(key=lambda one: (one[0].created_at, one[0].id))
    terms = search.Terms()
    for entry, signals in found:
        terms.add(entry, signals)
    with write() as session:
        if not search.lock_indexing(session) or search.drop_chunks(session, instead) != len(instead):
            session.rollback()
            return False
        if found:
            search.add_chunk(session, [(entry.created_at, entry.id) for entry, _ in found], terms)
        if not search.settle(session, seen) and not instead:
            session.rollback()
            return False
    return True


def _split(ids: bytes) -> list[uuid.UUID]:
    return [uuid.UUID(bytes=ids[at : at + 16]) for at in range(0, len(ids), 16)]
