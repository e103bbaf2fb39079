"""Queries on threads."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres, new_id
from moderation.storage.models import Thread


def thread_of_site(session: Session, site_id: uuid.UUID, key: str) -> Thread | None:
    """The thread with this key, or None."""
    return session.scalar(select(Thread).where(Thread.site_id == site_id, Thread.key == key))


def thread_by_id(session: Session, thread_id: uuid.UUID) -> Thread | None:
    """The thread with this id, of whatever site: ask who may see it before you show it."""
    return session.get(Thread, thread_id)


def thread_made(
    session: Session, site_id: uuid.UUID, key: str, url: str | None, title: str | None, now: datetime
) -> Thread:
    """The thread with this key, made if it is not there; two that make it at once get the same one."""
    values = {"id": new_id(), "site_id": site_id, "key": key, "url": url, "title": title, "open": True}
    values |= {"approved": 0, "version": 1, "created_at": now}
    insert = postgresql.insert(Thread) if is_postgres(session) else sqlite.insert(Thread)
    session.execute(insert.values(**values).on_conflict_do_nothing(index_elements=["site_id", "key"]))
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
        locked = select(Thread.id).where(Thread.id.in_(set(thread_ids))).order_by(Thread.id)
        session.execute(locked.with_for_update(key_share=True)).all()


def touch_thread(session: Session, thread_id: uuid.UUID, approved_delta: int = 0) -> None:
    """Tell readers' caches that the thread changed, and keep its count of shown comments."""
    session.execute(
        update(Thread)
        .where(Thread.id == thread_id)
        .values(version=Thread.version + 1, approved=Thread.approved + approved_delta)
    )


def approved_counts(session: Session, site_id: uuid.UUID, keys: Sequence[str]) -> dict[str, int]:
    """Shown comments by thread key, in one query; a thread that does not exist is missing."""
    rows = session.execute(select(Thread.key, Thread.approved).where(Thread.site_id == site_id, Thread.key.in_(keys)))
    return {key: count for key, count in rows}
