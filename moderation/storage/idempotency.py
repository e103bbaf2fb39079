"""Idempotency keys: taken by one transaction at a time, forgotten when they expire."""

import uuid
from datetime import datetime

from sqlalchemy import delete, select, update
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
    mine = (IdempotencyKey.scope == scope, IdempotencyKey.key_hash == key_hash)
    session.execute(delete(IdempotencyKey).where(*mine, IdempotencyKey.expires_at <= now))
    insert = postgresql.insert(IdempotencyKey) if is_postgres(session) else sqlite.insert(IdempotencyKey)
    values = {"scope": scope, "key_hash": key_hash, "id": row_id, "request_hash": request_hash}
    values |= {"status": 0, "answer": b"", "expires_at": expires_at}
    statement = insert.values(**values).on_conflict_do_nothing(index_elements=["scope", "key_hash"])
    if session.scalar(statement.returning(IdempotencyKey.id)) is not None:
        return None
    return session.scalars(select(IdempotencyKey).where(*mine)).one()


def keep_answer(session: Session, scope: str, key_hash: bytes, sealed: bytes) -> None:
    """Store the sealed answer with its key."""
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.scope == scope, IdempotencyKey.key_hash == key_hash)
        .values(answer=sealed)
    )
