"""Queries on threads."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import db, is_postgres, new_id
from moderation.storage.models import Thread
from moderation.storage.quick import quick_of
from moderation.storage.types import own_id, raw_id

_threads = cast("Table", Thread.__table__)
_BY_KEY = select(Thread).where(Thread.site_id == bindparam("of"), Thread.key == bindparam("named"))
_ID_BY_KEY = select(_threads.c.id).where(_threads.c.site_id == bindparam("of"), _threads.c.key == bindparam("named"))
_NAMES = select(_threads.c.id, _threads.c.key, _threads.c.url, _threads.c.title)
_NAMES = _NAMES.where(_threads.c.id.in_(bindparam("ids", expanding=True)))
_LOCK = select(_threads.c.id).where(_threads.c.id.in_(bindparam("ids", expanding=True))).order_by(_threads.c.id)
_LOCK = _LOCK.with_for_update(key_share=True)
_TOUCH = (
    update(_threads)
    .where(_threads.c.id == bindparam("of"))
    .values(version=_threads.c.version + 1, approved=_threads.c.approved + bindparam("delta"))
)
_COUNTS = select(_threads.c.key, _threads.c.approved)
_COUNTS = _COUNTS.where(_threads.c.site_id == bindparam("of"), _threads.c.key.in_(bindparam("keys", expanding=True)))
"""Built once: to build a statement takes longer than to run it."""


@lru_cache
def _insert(postgres: bool) -> Any:
    statement = (postgresql.insert if postgres else sqlite.insert)(_threads)
    return statement.on_conflict_do_nothing(index_elements=["site_id", "key"])


def thread_of_site(session: Session, site_id: uuid.UUID, key: str) -> Thread | None:
    """The thread with this key, or None."""
    return session.scalar(_BY_KEY, {"of": site_id, "named": key})


def thread_now(site_id: uuid.UUID, key: str) -> uuid.UUID | None:
    """The id of the thread with this key at this moment, outside of any transaction."""
    engine = db.engine
    rows = quick_of(engine).rows(_ID_BY_KEY, {"of": raw_id(engine.dialect, site_id), "named": key})
    return own_id(rows[0][0]) if rows else None


def thread_by_id(session: Session, thread_id: uuid.UUID) -> Thread | None:
    """The thread with this id, of whatever site: ask who may see it before you show it."""
    return session.get(Thread, thread_id)


def thread_names(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Any]:
    """``(id, key, url, title)`` of the threads with these ids, of whatever site, by id."""
    return {row.id: row for row in session.execute(_NAMES, {"ids": list(ids)})}


def thread_made(
    session: Session, site_id: uuid.UUID, key: str, url: str | None, title: str | None, now: datetime
) -> Thread:
    """The thread with this key, made if it is not there; two that make it at once get the same one."""
    values = {"id": new_id(), "site_id": site_id, "key": key, "url": url, "title": title, "open": True}
    values |= {"approved": 0, "version": 1, "created_at": now}
    session.execute(_insert(is_postgres(session)), values)
    thread = thread_of_site(session, site_id, key)
    if thread is None:  # unreachable under READ COMMITTED and on SQLite
        raise RuntimeError("a thread vanished")
    return thread


def lock_threads(session: Session, thread_ids: Sequence[uuid.UUID]) -> None:
    """Let one transaction at a time change what a thread shows. In one order, so that two never wait for each other.

    Take it before rows of authors, counts and the audit log. It does not keep new comments waiting, whose reference to
    the thread is a lock too. On SQLite the write transaction is alone anyway.
    """
    if is_postgres(session):
        session.execute(_LOCK, {"ids": list(set(thread_ids))}).all()


def touch_thread(session: Session, thread_id: uuid.UUID, approved_delta: int = 0) -> None:
    """Tell readers' caches that the thread changed, and keep its count of shown comments."""
    session.execute(_TOUCH, {"of": thread_id, "delta": approved_delta})


def approved_counts(session: Session, site_id: uuid.UUID, keys: Sequence[str]) -> dict[str, int]:
    """Shown comments by thread key, in one query; a thread that does not exist is missing."""
    return {key: count for key, count in session.execute(_COUNTS, {"of": site_id, "keys": list(keys)})}
