"""Rate limits count exactly, on both databases, from many threads; nothing readable is kept."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from limits import parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import func, select

from moderation.errors import Bug, RateLimited
from moderation.storage import limits
from moderation.storage.db import read, write
from moderation.storage.limits import CounterStorage
from moderation.storage.models import Counter

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("database")


def hit(limit: str, key: bytes | str = "submit:a", now: datetime = NOW) -> None:
    with write() as session:
        limits.hit(session, limit, key, now)


def peek(limit: str, key: bytes | str = "submit:a", now: datetime = NOW) -> None:
    with read() as session:
        limits.peek(session, limit, key, now)


def refused(act: Callable[..., None], limit: str, now: datetime = NOW) -> int:
    with pytest.raises(RateLimited) as caught:
        act(limit, now=now)
    return caught.value.retry_after_s


def test_hit_within_limit_passes_and_one_more_is_refused() -> None:
    for _ in range(3):
        peek("3/minute")
        hit("3/minute")
    assert refused(hit, "3/minute") == 60
    assert refused(peek, "3/minute", NOW + timedelta(seconds=59.5)) == 1


def test_hit_after_window_starts_again() -> None:
    hit("1/minute")
    assert refused(hit, "1/minute", NOW + timedelta(seconds=59)) == 1
    later = NOW + timedelta(seconds=60)
    peek("1/minute", now=later)
    hit("1/minute", now=later)
    assert refused(hit, "1/minute", later) == 60


def test_hit_of_several_limits_says_the_longest_wait() -> None:
    limit = "1/minute;2/hour"
    hit(limit)
    assert refused(hit, limit) == 60
    hit(limit, now=NOW + timedelta(minutes=1))
    assert refused(hit, limit, NOW + timedelta(minutes=2)) == 58 * 60
    assert refused(peek, limit, NOW + timedelta(minutes=2)) == 58 * 60


def test_hit_that_is_refused_does_not_count() -> None:
    hit("1/minute;2/hour")
    for _ in range(5):
        refused(hit, "1/minute;2/hour")
    hit("1/minute;2/hour", now=NOW + timedelta(minutes=1))


def test_hit_in_a_transaction_that_fails_does_not_count() -> None:
    with suppress(ZeroDivisionError), write() as session:
        limits.hit(session, "1/minute", "submit:a", NOW)
        raise ZeroDivisionError
    peek("1/minute")


def test_hit_of_other_keys_is_apart() -> None:
    hit("1/minute", "submit:a")
    hit("1/minute", "submit:b")
    hit("1/minute", b"\xff\x00")
    hit("1/minute", b"\xff\x01")
    hit("1/minute", "\ud800 any text at all " * 100)
    assert refused(hit, "1/minute") == 60


@pytest.mark.parametrize("limit", ["", "none"])
def test_hit_without_limit_never_refuses_nor_writes(limit: str) -> None:
    for _ in range(100):
        hit(limit)
    with read() as session:
        assert session.scalar(select(func.count()).select_from(Counter)) == 0


def test_hit_of_zero_refuses_everything() -> None:
    assert refused(peek, "0/minute") == 1
    assert refused(hit, "0/minute") == 60


@pytest.mark.parametrize("limit", ["often", "10/fortnight", "10", "-1/minute"])
def test_hit_of_nonsense_limit_raises_bug(limit: str) -> None:
    with pytest.raises(Bug):
        hit(limit)


def test_hit_keeps_no_readable_key() -> None:
    hit("1/minute", "submit:203.0.113.7")
    with read() as session:
        (counter,) = session.scalars(select(Counter)).all()
    assert len(counter.key) == 16
    assert b"203" not in counter.key
    assert counter.expires_at == NOW + timedelta(minutes=1)


def test_hit_from_many_threads_counts_exactly(database: Flask) -> None:
    def try_often(_: int) -> int:
        passed = 0
        with database.app_context():
            for _ in range(10):
                try:
                    hit("37/minute")
                    passed += 1
                except RateLimited:
                    pass
        return passed

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_often, range(8))) == 37
    with read() as session:
        assert session.scalar(select(Counter.value)) == 37


def test_forget_expired_deletes_only_what_is_over() -> None:
    hit("1/minute", "a")
    hit("1/minute", "b")
    hit("1/hour", "c")
    later = NOW + timedelta(minutes=1)
    with write() as session:
        assert limits.forget_expired(session, later, at_most=1) == 1
        assert limits.forget_expired(session, later) == 1
        assert limits.forget_expired(session, later) == 0
        assert session.scalar(select(func.count()).select_from(Counter)) == 1


def test_storage_speaks_the_interface_of_limits() -> None:
    with write() as session:
        storage = CounterStorage(session, NOW)
        assert isinstance(storage, Storage)
        assert storage.check()
        assert (storage.get("k"), storage.get_expiry("k")) == (0, NOW.timestamp())
        assert [storage.incr("k", 60, 2), storage.incr("k", 60, 3)] == [2, 5]
        assert (storage.get("k"), storage.get_expiry("k")) == (5, NOW.timestamp() + 60)
        storage.clear("k")
        assert storage.get("k") == 0
        storage.incr("k", 60)
        storage.incr("l", 60)
        assert storage.reset() == 2
        assert FixedWindowRateLimiter(storage).get_window_stats(parse("5/minute"), "k").remaining == 5
