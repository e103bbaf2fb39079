"""What a webhook's receiver may answer: nothing of it holds us up, fills memory, or loses an event."""

import contextlib
import gzip
import ipaddress
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderation.adapters.safe_http import MAX_BODY_BYTES, Answer, Sender
from moderation.domain import webhook
from moderation.domain.actor import CLI
from moderation.errors import OutboundFailed
from moderation.services import deliver
from moderation.services.parts import Parts
from moderation.storage.db import read, write
from moderation.storage.models import Delivery, Endpoint
from tests.conftest import enqueue_event

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class Raw:
    """A server that sends bytes whatever it is asked: ``pieces``, one after the other, also without end."""

    def __init__(self) -> None:
        self.pieces: Callable[[], Iterator[bytes]] = lambda: iter([b"HTTP/1.1 204 No Content\r\n\r\n"])
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(30)
            self.requests.append(connection.recv(65_536))
            for piece in self.pieces():
                connection.sendall(piece)

    def says(self, *pieces: bytes) -> None:
        self.pieces = lambda: iter(pieces)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    server = Raw()
    yield server
    server.close()


def post(raw: Raw, timeout_s: float = 20.0) -> Answer:
    return Sender(allow_networks=LOOPBACK, timeout_s=timeout_s).post(raw.url, headers={}, body=b"{}")


def drip(first: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield first
        while True:
            time.sleep(0.05)
            yield piece

    return pieces


def flood(first: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield first
        while True:
            yield piece

    return pieces


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD, b"X-Flood: " + b"y" * 1_000 + b"\r\n"),
        (HEAD + b"X: ", b"y" * 65_536),
        (b"HTTP/1.1 200 ", b"O" * 65_536),
    ],
    ids=["interim answers", "headers", "one header", "status line"],
)
def test_answer_whose_head_never_ends_fails_without_being_read_on(raw: Raw, first: bytes, piece: bytes) -> None:
    raw.pieces = flood(first, piece)
    with pytest.raises(OutboundFailed, match="not HTTP"):
        post(raw)


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (HEAD + b"\r\n", b"x" * 65_536),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", b"x" * 65_536),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", b"x" * 65_536),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"extension=" * 1_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: y\r\n" * 1_000),
    ],
    ids=["body", "length", "one chunk", "chunks", "chunk extension", "trailers"],
)
def test_answer_whose_body_never_ends_is_cut_and_its_status_counts(raw: Raw, first: bytes, piece: bytes) -> None:
    raw.pieces = flood(first, piece)
    answer = post(raw)
    assert (answer.status, answer.is_whole) == (200, False)
    assert len(answer.body) <= MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("first", "piece", "is_answer"),
    [
        (b"", b"H", False),
        (HEAD, b"X", False),
        (HEAD + b"X: ", b"y", False),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (HEAD + b"\r\n", b"x", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", True),
    ],
)
def test_answer_that_drips_ends_at_the_deadline_of_the_whole(
    raw: Raw, first: bytes, piece: bytes, is_answer: bool
) -> None:
    """Each byte comes in time; all of them never would."""
    raw.pieces = drip(first, piece)
    if is_answer:
        answer = post(raw, timeout_s=0.4)
        assert (answer.status, answer.is_whole) == (200, False)
    else:
        with pytest.raises(OutboundFailed, match="in time"):
            post(raw, timeout_s=0.4)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate, gzip", b"br"])
def test_answer_that_is_a_bomb_is_never_unpacked(raw: Raw, encoding: bytes) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    length = b"%d" % len(bomb)
    raw.says(HEAD + b"Content-Encoding: " + encoding + b"\r\nContent-Length: " + length + b"\r\n\r\n" + bomb)
    answer = post(raw)
    assert b"Accept-Encoding: identity" in raw.requests[-1]
    assert answer.body == bomb[:MAX_BODY_BYTES]
    assert len(answer.snippet) <= 300


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 4\r\nContent-Length: 9\r\n\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x4\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 70_000,
        b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_answer_that_contradicts_itself_ends_as_an_answer_or_a_failure(raw: Raw, head: bytes) -> None:
    raw.says(HEAD + head + b"text")
    with contextlib.suppress(OutboundFailed):
        assert post(raw).status == 200


_PIECES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 500\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/9.9 \xff\r\n", b"\r\n"),
        *(
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Retry-After: \x00\r\n",
            b": \r\n",
            b" fold\r\n",
        ),
        *(b"3\r\nabc\r\n", b"0\r\n\r\n", b"zz\r\n", b"\x80=?utf-8?b?4pyT?=: y\r\n", b"Content-Type: multipart/x\r\n"),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PIECES | st.binary(max_size=20), max_size=8))
def test_answer_of_any_bytes_is_an_answer_or_a_failure_and_nothing_else(raw: Raw, pieces: list[bytes]) -> None:
    raw.says(*pieces)
    with contextlib.suppress(OutboundFailed):
        answer = post(raw)
        assert 101 <= answer.status <= 999
        assert answer.snippet.isprintable()


# --- what becomes of the delivery ------------------------------------------------------------------------------------


@pytest.fixture
def endpoint_id(parts: Parts, people: Any, raw: Raw) -> uuid.UUID:
    found: uuid.UUID = deliver.add_endpoint(parts, CLI, "news", raw.url)["id"]
    return found


DAY_S = 86_400
ASKED: dict[str, tuple[bytes, float]] = {
    # the header, and the longest wait that it may come to; the shortest is the schedule's 5 s
    "negative": (b"Retry-After: -100", 5.5),
    "zero": (b"Retry-After: 0", 5.5),
    "a fraction": (b"Retry-After: 0.000001", 5.5),
    "an exponent": (b"Retry-After: 1e9", 5.5),
    "no number": (b"Retry-After: NaN", 5.5),
    "endless": (b"Retry-After: inf", 5.5),
    "other digits": ("Retry-After: ٣٠٠".encode(), 5.5),
    "hexadecimal": (b"Retry-After: 0xffff", 5.5),
    "a plus": (b"Retry-After: +90", 5.5),
    "empty": (b"Retry-After:", 5.5),
    "a date long ago": (b"Retry-After: Thu, 01 Jan 1970 00:00:00 GMT", 5.5),
    "a date that is none": (b"Retry-After: Mon, 99 Foo 2026 99:99:99 GMT", 5.5),
    "a zone that is none": (b"Retry-After: Thu, 01 Jan 2026 00:00:00 +9999", 5.5),
    "a minute": (b"Retry-After: 60", 60),
    "twice, the first counts": (b"Retry-After: 60\r\nRetry-After: 99999999", 60),
    "huge": (b"Retry-After: 99999999999999999999999999999999", DAY_S),
    "thousands of digits": (b"Retry-After: " + b"9" * 9_000, DAY_S),
    "a date in the year 9999": (b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", DAY_S),
}


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_receiver_that_asks_for_any_wait_gets_one_of_seconds_to_a_day(
    parts: Parts, people: Any, endpoint_id: uuid.UUID, raw: Raw
) -> None:
    for name, (header, longest_s) in ASKED.items():
        with write() as session:
            session.execute(sa.delete(Delivery))
        enqueue_event(parts, people)
        raw.says(b"HTTP/1.1 503 Busy\r\n" + header + b"\r\nContent-Length: 0\r\n\r\n")
        assert deliver.deliver_due(parts) == 1, name
        with read() as session:
            row = session.scalars(sa.select(Delivery)).one()
        wait_s = (row.due_at - parts.clock()).total_seconds()
        assert (row.state, row.attempts, row.last_status) == ("pending", 1, 503), name
        assert 5 <= wait_s <= longest_s, name
        assert wait_s > 59 or longest_s == 5.5, name


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_receiver_that_always_asks_for_time_uses_up_its_tries_and_no_more(
    parts: Parts, people: Any, endpoint_id: uuid.UUID, raw: Raw, clock: Any
) -> None:
    """Neither can it have us ask without end, by short waits, nor keep an event for years, by long ones."""
    enqueue_event(parts, people)
    for tries in range(len(webhook.SCHEDULE_S)):
        long = format_datetime(clock() + timedelta(days=4_000), usegmt=True)
        asked = "1" if tries % 2 else long
        raw.says(f"HTTP/1.1 429 Busy\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n".encode())
        assert deliver.deliver_due(parts) == 1
        clock.move(seconds=2)
        assert deliver.deliver_due(parts) == 0
        clock.move(hours=27)
        with write() as session:  # else the endpoint would be disabled for failing for days
            session.execute(sa.update(Endpoint).values(failing_since=None))
    assert deliver.deliver_due(parts) == 0
    with read() as session:
        assert session.scalars(sa.select(Delivery.state)).one() == "failed"


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
def test_receiver_that_leads_inside_is_not_followed_and_the_event_stays(
    parts: Parts, people: Any, endpoint_id: uuid.UUID, raw: Raw, status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.setblocking(False)
        to = f"http://127.0.0.1:{inside.getsockname()[1]}/latest/meta-data/"
        raw.says(
            f"HTTP/1.1 {status} Go\r\nLocation: {to}\r\nRefresh: 0; url={to}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        enqueue_event(parts, people)
        assert deliver.deliver_due(parts) == 1
        with pytest.raises(BlockingIOError):
            inside.accept()
    with read() as session:
        row = session.scalars(sa.select(Delivery)).one()
    assert (row.state, row.last_error) == ("pending", f"HTTP {status}")


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
@pytest.mark.parametrize("error", [RuntimeError("x"), OverflowError(), RecursionError(), MemoryError()])
def test_try_that_breaks_in_a_way_nobody_foresaw_is_a_failed_one_and_holds_up_no_other(
    parts: Parts, people: Any, endpoint_id: uuid.UUID, raw: Raw, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Else its lease would end, and the same run break again, for ever."""
    raw.says(b"HTTP/1.1 204 No Content\r\n\r\n")
    enqueue_event(parts, people, 3)
    real, calls = parts.sender.post, []

    def breaking(*args: Any, **more: Any) -> Answer:
        calls.append(args)
        if len(calls) == 1:
            raise error
        return real(*args, **more)

    monkeypatch.setattr(parts.sender, "post", breaking)
    assert deliver.deliver_due(parts) == 3
    with read() as session:
        rows = session.scalars(sa.select(Delivery).order_by(Delivery.attempts, Delivery.state)).all()
    assert sorted(row.state for row in rows) == ["delivered", "delivered", "pending"]
    assert {row.attempts for row in rows} == {1}
