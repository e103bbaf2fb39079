"""Single values of foreign files, the keys of threads, and what is kept on the disk meanwhile."""

import math
from datetime import UTC, datetime

import pytest

from moderation.domain.thread_key import ThreadKey, thread_key
from moderation.formats.spool import Spool
from moderation.formats.values import rfc3339_time, sql_time, unix_time, whole


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-01-31T12:00:00Z", datetime(2024, 1, 31, 12, tzinfo=UTC)),
        ("2024-01-31t12:00:00.5+02:00", datetime(2024, 1, 31, 10, 0, 0, 500_000, UTC)),
        ("2024-01-31T12:00:00.123456789Z", datetime(2024, 1, 31, 12, 0, 0, 123_456, UTC)),
        ("2024-02-31T12:00:00Z", None),
        ("2024-01-31T12:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("٢٠٢٤-01-31T12:00:00Z", None),
        ("", None),
    ],
)
def test_read_time_of_rfc3339(text, at) -> None:
    assert rfc3339_time(text) == at


def test_read_other_values() -> None:
    assert sql_time(" 2024-01-31 12:00:00\n") == datetime(2024, 1, 31, 12, tzinfo=UTC)
    assert sql_time("0000-00-00 00:00:00") is None
    assert unix_time(1.5) == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
    assert [unix_time(value) for value in (None, -1, math.nan, math.inf, 1e12)] == [None] * 5
    assert (whole(" 12 "), whole("-3"), whole("٣"), whole("1" * 30), whole("")) == (12, -3, None, None, None)


@pytest.mark.parametrize(
    ("url", "path", "bare"),
    [
        ("https://b.example/2025/07/a/", "/2025/07/a/", "2025/07/a"),
        ("https://b.example/2025/07/a/#comment-3", "/2025/07/a/", "2025/07/a"),
        ("https://b.example", "/", "/"),
        ("https://b.example/?p=12", "/?p=12", "/?p=12"),
        ("https://b.example/a?id=1&utm_source=x&fbclid=y", "/a?id=1", "a?id=1"),
        ("https://b.example/a?utm_source=x", "/a", "a"),
        ("https://b.example/Übung/", "/%C3%9Cbung/", "%C3%9Cbung"),
        ("/posts/1.html", "/posts/1.html", "posts/1.html"),
        ("slug", "slug", "slug"),
        ("", "", "/"),
    ],
)
def test_make_key_of_thread_from_address(url, path, bare) -> None:
    assert thread_key(url, "7", ThreadKey.PATH) == path
    assert thread_key(url, "7", ThreadKey.BARE) == bare
    assert thread_key(url, "7", ThreadKey.ID) == "7"


def test_spool_keeps_the_first_value_of_a_name() -> None:
    with Spool() as spool:
        assert spool.put(b"a", b"1")
        assert not spool.put(b"a", b"2")
        assert (spool.get(b"a"), spool.get(b"b")) == (b"1", None)
