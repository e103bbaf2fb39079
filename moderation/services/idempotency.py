"""The same ``Idempotency-Key`` with the same body gives the first answer again, and one thing made.

The key is reserved at the start of the transaction that makes the thing and gets its answer at the end of it: a
crash in between leaves neither. Two requests at once wait for each other in the database.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.times import rfc3339
from moderation.errors import Invalid
from moderation.services.parts import Parts
from moderation.storage import idempotency as keys
from moderation.storage.db import new_id

KEPT = timedelta(hours=24)
"""How long a key is remembered."""

NO_SITE = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key, and the hash of method, path and body that it came with."""

    key: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Reservation:
    """A key taken in this transaction; ``known`` is the first answer where there is one."""

    scope: str
    key_hash: bytes
    row_id: uuid.UUID
    known: dict[str, Any] | None


def reserve(session: Session, parts: Parts, scope: str, idem: Idempotency | None) -> Reservation | None:
    """Take the key, or find the first answer. ``scope`` is whom the key belongs to: a site's public, or an actor.

    Raises ``Invalid`` where the key came with another request before.
    """
    if idem is None:
        return None
    now = parts.clock()
    key_hash = hashlib.sha256(idem.key.encode()).digest()
    row_id = new_id()
    row = keys.take(session, scope, key_hash, row_id, idem.request_hash, now=now, expires_at=now + KEPT)
    if row is None:
        return Reservation(scope, key_hash, row_id, None)
    if row.request_hash != idem.request_hash:
        raise Invalid({"Idempotency-Key": ["It was used with another request before. Use a new key."]})
    plain = parts.vault.open(row.answer, table="idempotency_keys", column="answer", row_id=row.id, site_id=NO_SITE)
    return Reservation(scope, key_hash, row.id, _revived(json.loads(plain)))


def is_known(session: Session, parts: Parts, scope: str, idem: Idempotency | None) -> bool:
    """Whether there is a first answer already. Reads only; ``reserve`` has the last word."""
    if idem is None:
        return False
    return keys.is_taken(session, scope, hashlib.sha256(idem.key.encode()).digest(), parts.clock())


def settle(session: Session, parts: Parts, reservation: Reservation | None, answer: dict[str, Any]) -> None:
    """Keep the answer with the key, sealed, since it may hold a token."""
    if reservation is None:
        return
    plain = json.dumps(answer, default=_plain).encode()
    sealed = parts.vault.seal(
        plain, table="idempotency_keys", column="answer", row_id=reservation.row_id, site_id=NO_SITE
    )
    keys.keep_answer(session, reservation.scope, reservation.key_hash, sealed)


def _plain(value: Any) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def _revived(answer: dict[str, Any]) -> dict[str, Any]:
    """Times as times again, so that a known answer is dumped like a first one."""
    for name, value in answer.items():
        if isinstance(value, str) and name.endswith(("_at", "_until")):
            answer[name] = datetime.fromisoformat(value)
    return answer
