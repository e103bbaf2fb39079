"""Rate limits that hold across threads, processes and machines: the counters are rows of our own database.

A limit is written as the ``limits`` package reads it: ``10/minute``, ``10/minute;100/hour`` (each of them holds), or
``none``. Windows are fixed: one opens with the first hit and ends after its time, so at a border up to twice the
number can pass. A refusal rolls its transaction back, so what was refused does not count.
"""

import hashlib
import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from limits import RateLimitItem, parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Table, bindparam, case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from moderation.domain.times import SKEW
from moderation.errors import Bug, RateLimited
from moderation.storage.db import is_postgres
from moderation.storage.models import Counter

UNLIMITED = ("", "none")


def hit(session: Session, limit: str, key: bytes | str, now: datetime) -> None:
    """Count one use of ``key`` under every part of ``limit``, in the caller's write transaction.

    ``key`` says what is limited and whom (``submit:...``); of a person or network it holds a keyed hash alone. On
    PostgreSQL its counters stay locked until the transaction ends. Raises ``RateLimited`` with the seconds until all
    parts allow it again, and ``Bug`` for a limit that does not parse.
    """
    counted = [(item, _limiter(session, now, item)) for item in _items(limit)]
    _refuse([one for one in counted if not one[1].hit(one[0], _name(key))], key, now)


def peek(session: Session, limit: str, key: bytes | str, now: datetime) -> None:
    """Raise ``RateLimited`` where the next ``hit`` would; changes nothing. One read by primary key a part."""
    counted = [(item, _limiter(session, now, item)) for item in _items(limit)]
    _refuse([one for one in counted if not one[1].test(one[0], _name(key))], key, now)


def forget_expired(session: Session, now: datetime, at_most: int = 1_000) -> int:
    """Delete counters whose window is over, and return how many; those that are in use now are passed over."""
    over = select(Counter.key).where(Counter.expires_at <= now).limit(at_most).with_for_update(skip_locked=True)
    gone = delete(Counter).where(Counter.key.in_(over), Counter.expires_at <= now).returning(Counter.key)
    return len(session.execute(gone).all())


class CounterStorage(Storage):
    """The storage of the ``limits`` package, inside one transaction at one moment. Its keys are hashed.

    A window that would end later than ``longest_s`` from now was opened while a clock ran ahead, and is over.
    """

    STORAGE_SCHEME = None

    def __init__(self, session: Session, now: datetime, longest_s: int = 86_400) -> None:
        super().__init__()
        self._session = session
        self._now = now
        self._latest = now + timedelta(seconds=longest_s) + SKEW

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this storage raises when the database does."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter and return its value, by one atomic statement; an expired one starts again from zero."""
        expires_at = self._now + timedelta(seconds=expiry)
        values = {"amount": amount, "ends": expires_at, **self._open(key)}
        upsert = _upsert(is_postgres(self._session))
        return int(self._session.execute(upsert, values).scalar_one())

    def get(self, key: str) -> int:
        """The value of a counter; 0 where there is none or its window is over."""
        return self._session.scalar(_VALUE, self._open(key)) or 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since the epoch; now, where none is open."""
        end = self._session.scalar(_EXPIRES_AT, self._open(key))
        return (end or self._now).astimezone(UTC).timestamp()

    def check(self) -> bool:
        """Whether the database answers."""
        return self._session.scalar(select(1)) == 1

    def reset(self) -> int | None:
        """Delete every counter, and return how many there were."""
        return len(self._session.execute(delete(Counter).returning(Counter.key)).all())

    def clear(self, key: str) -> None:
        """Delete one counter."""
        self._session.execute(delete(Counter).where(Counter.key == _hash(key)))

    def _open(self, key: str) -> dict[str, Any]:
        return {"of": _hash(key), "now": self._now, "latest": self._latest}


_counters = Counter.__table__
_OPEN = (
    _counters.c.key == bindparam("of"),
    _counters.c.expires_at > bindparam("now"),
    _counters.c.expires_at <= bindparam("latest"),
)
_VALUE = select(_counters.c.value).where(*_OPEN)
_EXPIRES_AT = select(_counters.c.expires_at).where(*_OPEN)


@lru_cache
def _upsert(postgres: bool) -> ReturningInsert[Any]:
    """The statement of ``incr``, built once, on the table itself: by the mapped class it takes twice as long."""
    insert = (postgresql.insert if postgres else sqlite.insert)(cast("Table", _counters)).values(
        key=bindparam("of"), value=bindparam("amount"), expires_at=bindparam("ends")
    )
    new, old = insert.excluded, _counters.c
    over = or_(old.expires_at <= bindparam("now"), old.expires_at > bindparam("latest"))
    return insert.on_conflict_do_update(
        index_elements=[old.key],
        set_={
            "value": case((over, new.value), else_=old.value + new.value),
            "expires_at": case((over, new.expires_at), else_=old.expires_at),
        },
    ).returning(old.value)


_Counted = tuple[RateLimitItem, FixedWindowRateLimiter]


def _limiter(session: Session, now: datetime, item: RateLimitItem) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(CounterStorage(session, now, item.get_expiry()))


def _refuse(exceeded: list[_Counted], key: bytes | str, now: datetime) -> None:
    if exceeded:
        ends = max(limiter.get_window_stats(item, _name(key)).reset_time for item, limiter in exceeded)
        raise RateLimited(math.ceil(ends - now.timestamp()))


@lru_cache(maxsize=256)
def _items(limit: str) -> tuple[RateLimitItem, ...]:
    if limit in UNLIMITED:
        return ()
    try:
        return tuple(parse_many(limit))
    except ValueError:
        raise Bug("A rate limit does not parse.") from None


def _name(key: bytes | str) -> str:
    return key if isinstance(key, str) else key.hex()


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:16]
