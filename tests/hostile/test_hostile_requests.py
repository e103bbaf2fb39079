"""Bytes that are no request, or two, or another than they seem, against gunicorn as it is shipped: never a 5xx of ours,
never half a text stored, never a second request that a proxy did not see.
"""

import json
import re
import socket
import time

import pytest

from tests.hostile.conftest import fixtures, header, request_for, statuses, talk

PREVIEW = "/api/v1/sites/news/preview"
REPLY = "/sites/news/reply"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
NOT_IMPLEMENTED = {501, 505}
"""What HTTP itself asks for: a transfer coding, or a version, that a server does not know (RFC 9110, section 15.6)."""


def post(path: str, *headers: str, body: bytes = b"") -> bytes:
    """A request whose length its headers tell, or lie about."""
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1") + body


def crashes(live) -> int:
    return live.log.read_text().count('"event":"crash"')


def _decoded(raw: bytes) -> bytes:
    """A file of the suite: its lines are joined, and what it escapes is meant."""
    joined = raw.replace(b"\n", b"").replace(b"\r", b"")
    for written, meant in ((b"\\r", b"\r"), (b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\0", b"\0")):
        joined = joined.replace(written, meant)
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda match: bytes([int(match[1], 16)]), joined)


@pytest.mark.parametrize("kind", ["valid", "invalid"])
def test_every_request_of_a_servers_own_suite_is_answered_once_or_refused(live, kind):
    before = crashes(live)
    files = sorted(fixtures("gunicorn-requests", "tests", "requests", kind).glob("*.http"))
    assert len(files) > 60
    for file in files:
        answer = talk(live.port, _decoded(file.read_bytes()))
        found = statuses(answer)
        assert not [one for one in found if one >= 500 and one not in NOT_IMPLEMENTED], (file.name, answer)
        assert kind == "valid" or (len(found) <= 1 and 200 not in found), (file.name, answer)
    assert crashes(live) == before


@pytest.mark.parametrize(
    "body",
    [
        b"6_0\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"3\r\nhello\r\n0\r\n\r\n",
        b"9\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        b"\xd9\xa5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n",
        b"5\r\nhello\r\n0\r\nHost: evil.example\r\n\r\n",
        b"5\r\nhello\r\n",
        b"5\r\nhel",
        b"",
    ],
)
def test_a_body_in_broken_chunks_is_malformed_and_nothing_behind_it_is_a_request(live, body):
    before = crashes(live)
    answer = talk(live.port, post(PREVIEW, JSON, CHUNKED, body=body + SMUGGLED))
    assert statuses(answer) in ([400], [413], [400, 400]), answer
    assert b"smuggled" not in answer.partition(b"\r\n\r\n")[2]
    if b"problem+json" in answer and b"/problems/unreadable" not in answer:
        assert header(answer, "X-Request-Id")
    assert crashes(live) == before


@pytest.mark.parametrize(
    "lengths",
    [
        ["Content-Length: 5", CHUNKED],
        [CHUNKED, "Content-Length: 5"],
        ["Content-Length: 0", "Transfer-Encoding: chunked, identity"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: 5, 5"],
        ["Content-Length: +5"],
        ["Content-Length: -5"],
        ["Content-Length: 5_0"],
        ["Content-Length: 0x5"],
        ["Content-Length: \u00b2"],
        ["Content-Length: 5 5"],
        [f"Content-Length: {'9' * 5_000}"],
        [f"{CHUNKED}, chunked"],
        [CHUNKED, CHUNKED],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: \x0bchunked"],
        ["Transfer-Encoding:chunked ,gzip"],
        ["Transfer-Encoding : chunked"],
        [" Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length : 5"],
        ["Content-Length: 5\n" + CHUNKED],
        ["Content\u00a0Length: 5"],
    ],
    ids=ascii,
)
def test_a_length_that_is_told_twice_or_wrongly_is_refused_with_the_connection(live, lengths):
    answer = talk(live.port, post(PREVIEW, JSON, *lengths, body=b"0\r\n\r\n" + SMUGGLED))
    assert set(statuses(answer)) <= {400, 431, 501}, answer
    assert len(statuses(answer)) <= 1, answer


def test_a_length_with_an_underscore_is_no_length(live):
    answer = talk(live.port, post(PREVIEW, JSON, "Content_Length: 50", "Transfer_Encoding: chunked"))
    assert statuses(answer) == [400], answer


def test_a_length_beyond_the_limit_is_refused_before_the_body_is_there(live):
    for length in (65_537, 10**12, 10**25):
        with socket.create_connection(("127.0.0.1", live.port), timeout=30) as connection:
            connection.sendall(post(PREVIEW, JSON, f"Content-Length: {length}", body=b"{"))
            assert b" 413 " in connection.recv(65_536)[:20], length


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        (REPLY, FORM, b"author=Cut&thread=cut&comment=This+is+only+the+first+half"),
        (PREVIEW, JSON, b'{"body": "This is only the first half"}'),
        ("/1.1/submit-spam", FORM, b"blog=https%3A%2F%2Fnews.example&user_ip=203.0.113.9&comment_content=half"),
        ("/console/login", FORM, b"name=mira&password=half"),
    ],
)
def test_a_body_that_was_cut_off_is_refused_even_where_half_of_it_would_do(live, path, kind, body):
    answer = talk(live.port, post(path, kind, "Connection: close", f"Content-Length: {len(body) + 20}", body=body))
    assert statuses(answer) == [400], answer
    count = talk(live.port, request_for("/api/v1/queue?site=news&thread=cut", live.bearer))
    assert json.loads(count.partition(b"\r\n\r\n")[2])["items"] == []


def test_what_stands_behind_a_body_is_another_request(live):
    answer = talk(live.port, post(PREVIEW, JSON, "Content-Length: 2", body=b"{}" + SMUGGLED))
    assert statuses(answer) == [422, 404]


def test_a_flood_of_chunks_is_read_to_the_limit_and_no_further(live):
    tiny = b"1\r\n \r\n"
    within = talk(live.port, post(PREVIEW, JSON, CHUNKED, body=tiny * 10_000 + b"2\r\n{}\r\n0\r\n\r\n"))
    assert statuses(within) == [422]
    over = talk(live.port, post(PREVIEW, JSON, CHUNKED, body=tiny * 70_000 + b"0\r\n\r\n"))
    assert statuses(over) in ([413], []), over
    extended = talk(live.port, post(PREVIEW, JSON, CHUNKED, body=b"2;" + b"a" * 100_000 + b"\r\n{}\r\n0\r\n\r\n"))
    assert set(statuses(extended)) <= {400, 413, 422}
    trailed = talk(live.port, post(PREVIEW, JSON, CHUNKED, body=b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"))
    assert set(statuses(trailed)) <= {400, 413, 422, 431}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", set()),
        (b"\x00" * 100, set()),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
        (b"GET /\r\n\r\n", {400}),
        (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"G\xc3\x89T / HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {400, 414}),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n", {400, 431}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9_000 + b"\r\n\r\n", {400, 431}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rX-B: b\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n folded\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX A: a\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", {200}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", {400}),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {404, 405}),
        (b"TRACE / HTTP/1.1\r\nHost: x\r\nX-Secret: y\r\nConnection: close\r\n\r\n", {405}),
    ],
    ids=lambda value: ascii(value[:50]) if isinstance(value, bytes) else "",
)
def test_what_is_no_request_of_ours_is_refused(live, raw, expected):
    before = crashes(live)
    answer = talk(live.port, raw)
    assert set(statuses(answer)) <= expected, answer
    assert bool(expected) is bool(statuses(answer))
    assert b"X-Secret" not in answer
    assert crashes(live) == before


ODD_HEADERS = [
    'Cookie: moderation-session=\xff\xfe; =; ;;;; moderation-session="a\\"; $Version=1',
    "Cookie: " + "; ".join(f"moderation-session={number}" for number in range(300)),
    "Accept: text/html;q=0." + "1" * 3_000 + ",*/*;q=nan,a;q=1e999",
    "Accept-Language: " + "a-" * 3_000,
    "Range: bytes=0-0," + "1-2," * 1_000,
    "Range: bytes=-9999999999999999999999",
    "If-None-Match: " + '"a",' * 1_900,
    "If-None-Match: W/\xff",
    "If-Modified-Since: Thu, 99 Xxx 99999 99:99:99 GMT",
    "If-Range: \xff",
    "Authorization: Basic \xff\xfe::",
    "Authorization: Bearer " + "A" * 5_000,
    "Origin: http://[::1",
    "Origin: " + "a" * 5_000,
    "Referer: http://[::1/%zz\xff",
    "Sec-Fetch-Site: \xff",
    "X-Request-Id: " + "a" * 5_000,
    "X-Forwarded-For: " + "1.2.3.4, " * 800,
    "X-Forwarded-For: \xff, [::1, ::::",
    "X-Forwarded-Proto: javascript",
    "X-Edit-Token: \xff\xfe",
    "Idempotency-Key: \xff",
    "Content-Type: multipart/form-data; boundary=\xff",
    "Content-Type: " + "a/" * 2_000,
    "Expect: nonsense",
]


@pytest.mark.parametrize("odd", ODD_HEADERS, ids=lambda line: ascii(line[:40]))
def test_a_header_of_nonsense_breaks_no_page_and_no_call(live, odd):
    before = crashes(live)
    for path in ("/", "/console/", "/console/login", "/api/v1/queue", "/api/v1/sites/news/comments?thread=x",
                 "/sites/news/feed.atom", "/embed.js", "/static/site.css", "/receipts/x"):  # fmt: skip
        found = statuses(talk(live.port, request_for(path, odd)))
        assert found[0] < 500, path
    for path in (PREVIEW, REPLY, "/receipts", "/console/login", "/1.1/verify-key"):
        found = statuses(talk(live.port, request_for(path, odd, method="POST", body=b"a=b")))
        assert found[0] < 500, path
    assert crashes(live) == before


def test_requests_in_a_row_in_pieces_and_half_are_each_answered_alone(live):
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as connection:
        whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        for piece in (whole[:5], whole[5:20], whole[20:] + whole + whole[:10]):
            connection.sendall(piece)
            time.sleep(0.01)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    assert statuses(answer)[:2] == [200, 200]
    assert len(statuses(answer)) <= 3
