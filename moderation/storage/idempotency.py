"""Idempotency keys: taken by one transaction at a time, forgotten when they expire."""

import uuid
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres
from moderation.storage.models import IdempotencyKey


def take(
    session: Session,
    scope: str,
    key_hash: bytes,
    row_id: uuid.UUID,
    request_hash: bytes,
    *,
    now: datetime,
    expires_at: datetime,
) -> IdempotencyKey | None:
    """Take a key for this transaction: None when it is ours, else the row of whoever had it first.

    Where another transaction holds the key at this moment, this one waits until that one is over.
    """
    mine = {"of_scope": scope, "of_hash": key_hash}
    session.execute(_FORGET, {**mine, "now": now})
    values = {"scope": scope, "key_hash": key_hash, "id": row_id, "request_hash": request_hash}
    values |= {"status": 0, "answer": b"", "expires_at": expires_at}
    if session.scalar(_insert(is_postgres(session)), values) is not None:
        return None
    return session.scalars(_FIND, mine).one()


def is_taken(session: Session, scope: str, key_hash: bytes, now: datetime) -> bool:
    """Whether somebody had the key before, and it has not expired."""
    row: IdempotencyKey | None = session.scalar(_FIND, {"of_scope": scope, "of_hash": key_hash})
    return row is not None and row.expires_at > now


def keep_answer(session: Session, scope: str, key_hash: bytes, sealed: bytes) -> None:
    """Store the sealed answer with its key."""
    session.execute(_KEEP, {"of_scope": scope, "of_hash": key_hash, "sealed": sealed})


_keys = cast("Table", IdempotencyKey.__table__)
_MINE = (_keys.c.scope == bindparam("of_scope"), _keys.c.key_hash == bindparam("of_hash"))
_FORGET = delete(_keys).where(*_MINE, _keys.c.expires_at <= bindparam("now"))
_FIND = select(IdempotencyKey).where(*_MINE)
_KEEP = update(_keys).where(*_MINE).values(answer=bindparam("sealed"))
"""Built once: to build a statement takes longer than to run it."""


@lru_cache
def _insert(postgres: bool) -> Any:
    insert = (postgresql.insert if postgres else sqlite.insert)(_keys)
    return insert.on_conflict_do_nothing(index_elements=["scope", "key_hash"]).returning(_keys.c.id)
