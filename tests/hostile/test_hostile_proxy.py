"""The shipped proxy configuration, run for real before gunicorn as it is shipped; only its paths and ports are others.

Skipped where nginx is not installed.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import submission_json
from tests.hostile.conftest import Live, fixtures, header, request_for, statuses, talk, until
from tests.hostile.test_hostile_requests import JSON, _decoded, post

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)
LIST = "/api/v1/sites/news/comments?thread="
HALF_OPEN = 20

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed.")


@dataclass
class Proxy:
    """nginx before ``live``."""

    port: int
    folder: Path
    live: Live

    @property
    def log(self) -> str:
        """What nginx wrote of the requests."""
        return (self.folder / "access.log").read_text()

    def get(self, path: str, *headers: str, source: str = "127.0.0.1") -> tuple[int, str, bytes]:
        """Status, head and body of an answer, as a client at ``source`` sees it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0)) as connection:
            connection.sendall(request_for(path, *headers))
            answer = b""
            while more := connection.recv(65_536):
                answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.decode("latin-1"), body

    def send(self, path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
        """The whole answer to a body."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request_for(path, *headers, method=method, body=body))
            answer = b""
            while more := connection.recv(65_536):
                answer += more
        return answer


def adapted(folder: Path, port: int, upstream: int, **changes: str) -> Path:
    """The shipped configuration with the paths and ports of this test."""
    text = (ROOT / "deploy/nginx.conf").read_text("utf-8")
    replaced = {
        "/tmp/": f"{folder}/",
        "/dev/stdout": f"{folder}/access.log",
        "/dev/stderr": f"{folder}/error.log",
        "web:8080": f"127.0.0.1:{upstream}",
        "listen 8080": f"listen 127.0.0.1:{port}",
        "worker_processes auto": "worker_processes 1",
        **changes,
    }
    for shipped, own in replaced.items():
        assert shipped in text, shipped
        text = text.replace(shipped, own)
    path = folder / "nginx.conf"
    as_root = "user root;\n" if os.geteuid() == 0 else ""  # folders of tests are their owner's alone
    path.write_text(f"daemon off;\n{as_root}{text}")
    return path


@pytest.fixture(scope="module")
def proxy(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx by the shipped configuration, for all tests of this file."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = adapted(folder, port, live.port)
    process = subprocess.Popen([str(NGINX), "-c", str(configuration)], stdin=subprocess.DEVNULL)
    try:
        until(lambda: statuses(talk(port, b"\r\n")) is not None, configuration)
        yield Proxy(port, folder, live)
    finally:
        process.terminate()
        process.wait(timeout=30)


def comment(proxy: Proxy, thread: str, body: str = "A calm and useful remark.", name: str = "Ana") -> str:
    """A comment through the proxy; its id."""
    sent = submission_json(body, thread={"key": thread}, author={"name": name})
    answer = proxy.send("/api/v1/sites/news/comments", json.dumps(sent).encode(), JSON)
    assert statuses(answer) == [202], answer
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["id"])


def decide(proxy: Proxy, comment_id: str, action: str) -> None:
    """Decide on a comment through the proxy."""
    body = json.dumps({"action": action}).encode()
    answer = proxy.send(f"/api/v1/comments/{comment_id}/decisions", body, JSON, proxy.live.bearer)
    assert statuses(answer) == [200], answer


def told(head: str, name: str) -> str:
    """A header of an answer."""
    return header(head.encode("latin-1") + b"\r\n\r\n", name)


def test_the_shipped_configuration_is_one_that_nginx_takes_without_a_warning(tmp_path):
    done = subprocess.run(
        [str(NGINX), "-t", "-c", str(adapted(tmp_path, 8080, 8081))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


@pytest.mark.parametrize(
    "begun",
    [
        b"POST /api/v1/sites/news/preview HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        post("/api/v1/sites/news/preview", JSON, "Content-Length: 5000", body=b'{"body": "'),
        post("/sites/news/reply", JSON, "Transfer-Encoding: chunked", body=b"5\r\nhel"),
        b"",
        request_for("/openapi.json"),
    ],
    ids=["in the header", "in the body", "in a chunk", "before the first byte", "before reading the answer"],
)
def test_clients_that_stop_halfway_leave_all_others_served(proxy, begun):
    slow = [socket.create_connection(("127.0.0.1", proxy.port), timeout=30) for _ in range(HALF_OPEN)]
    try:
        for connection in slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
            connection.sendall(begun)
        for _ in range(2 * HALF_OPEN):
            assert proxy.get("/healthz", source="127.0.0.3")[0] == 200
    finally:
        for connection in slow:
            connection.close()


def test_an_approval_shows_and_a_removal_hides_within_the_time_that_a_cache_may_keep(proxy):
    made = comment(proxy, "cached")
    decide(proxy, made, "approve")
    shown = json.loads(proxy.get(f"{LIST}cached")[2])
    assert shown["total"] == 1
    again = proxy.get(f"{LIST}cached")
    assert told(again[1], "X-Cache") == "HIT"
    decide(proxy, made, "reject")
    limit = time.monotonic() + 30
    while (found := proxy.get(f"{LIST}cached"))[0] == 200 and json.loads(found[2])["total"] == 1:
        assert time.monotonic() < limit, "a cache keeps what was taken down"
        time.sleep(0.1)
    assert json.loads(found[2])["total"] == 0


def test_a_cached_answer_is_kept_by_origin_and_says_not_modified(proxy):
    own = proxy.get(f"{LIST}vary", "Origin: https://news.example")
    assert told(own[1], "Access-Control-Allow-Origin") == "https://news.example"
    foreign = proxy.get(f"{LIST}vary", "Origin: https://evil.example")
    assert told(foreign[1], "Access-Control-Allow-Origin") == ""
    tag = told(own[1], "ETag")
    assert tag
    unchanged = proxy.get(f"{LIST}vary", f"If-None-Match: {tag}", "Origin: https://news.example")
    assert (unchanged[0], unchanged[2]) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/console/login",
        "/console/",
        "/api/v1/queue",
        "/api/v1/sites",
        "/receipts/abc",
        "/sites/news/nothing",
        "/console/..%2fstatic/site.css",
        "/console/login/..%2f..%2fstatic/x.css",
        "/console/login;/static/x.css",
        "/console/login%2f%2e%2e%2fstatic/site.css",
        "/static/..%2fconsole/login",
        "/api/v1/queue/../sites/news/comments",
        "/api/v1/sites/news/comments/../../../queue",
    ],
)
def test_nothing_private_and_no_cookie_is_ever_kept(proxy, path):
    for _ in range(2):
        status, head, _ = proxy.get(path, proxy.live.bearer, "Cookie: moderation-session=abc")
        assert status < 500
        assert told(head, "X-Cache") in {"", "MISS", "BYPASS", "EXPIRED"}, path
        assert told(head, "Cache-Control") == "no-store", path
    kept = [file for file in (proxy.folder / "nginx-cache").rglob("*") if file.is_file()]
    assert not [file for file in kept if b"set-cookie" in file.read_bytes().lower()]
    assert not [file for file in kept if b"no-store" in file.read_bytes()]


def test_every_answer_has_the_callers_own_id_also_a_kept_one(proxy):
    for number in range(3):
        for path in (f"{LIST}ids", "/healthz", "/metrics", "/nothing"):
            head = proxy.get(path, f"X-Request-Id: caller-{number}-{'x' * 8}")[1]
            assert re.findall(r"(?im)^x-request-id: (.+?)\r?$", head) == [f"caller-{number}-{'x' * 8}"], path
            assert re.fullmatch(r"[0-9a-f]{32}", told(proxy.get(path, "X-Request-Id: <b>")[1], "X-Request-Id")), path


def test_what_the_proxy_answers_itself_is_a_problem_in_the_services_shape(proxy):
    long_line = request_for("/?" + "a" * 40_000)
    long_header = request_for("/", "X-Long: " + "a" * 40_000)
    cases = {
        404: request_for("/metrics"),
        400: b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        405: request_for("/", method="TRACE"),
        414: long_line,
    }
    answers = {status: talk(proxy.port, raw) for status, raw in cases.items()}
    answers[431] = talk(proxy.port, long_header)
    answers[413] = _without_a_body(proxy, 2_000_000)
    for status, answer in answers.items():
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert header(answer, "Content-Type") == "application/problem+json", answer
        assert set(body) == {"type", "title", "status", "detail"}
        assert body["type"].startswith("/problems/")
        assert statuses(answer) == [body["status"]] == [400 if status == 431 else status], answer
        assert header(answer, "Cache-Control") == "no-store"
        assert header(answer, "X-Request-Id")


def _without_a_body(proxy: Proxy, length: int) -> bytes:
    """The answer to a request that tells of a body and sends none: nginx keeps the connection for seconds after it."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as connection:
        connection.sendall(post("/api/v1/sites", JSON, f"Content-Length: {length}"))
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65_536)
        return answer


@contextlib.contextmanager
def another(folder: Path, live: Live, upstream: int, **changes: str) -> Iterator[Proxy]:
    """One more nginx, by the shipped configuration with a change."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [str(NGINX), "-c", str(adapted(folder, port, upstream, **changes))], stdin=subprocess.DEVNULL
    )
    try:
        until(lambda: statuses(talk(port, b"\r\n")) is not None, folder / "nginx.conf")
        yield Proxy(port, folder, live)
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_an_upstream_that_is_away_is_said_so_as_a_problem_with_a_time_to_try_again(live, tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with another(tmp_path, live, nobody.getsockname()[1]) as away:
            for path in ("/healthz", f"{LIST}x"):
                status, head, body = away.get(path)
                assert (status, told(head, "Retry-After"), json.loads(body)["status"]) == (503, "5", 503)


def _previews(proxy: Proxy, *headers: list[str]) -> list[int]:
    """The statuses of previews with these headers, of which one reader may have one an hour."""
    path = "/api/v1/sites/news"
    for_one = json.dumps({"settings": {"preview_rate": "1/hour"}}).encode()
    assert statuses(proxy.send(path, for_one, JSON, proxy.live.bearer, method="PATCH")) == [200]
    found = []
    for given in headers:
        found += statuses(proxy.send("/api/v1/sites/news/preview", b'{"body": "a"}', JSON, *given))
    for_all = json.dumps({"settings": {"preview_rate": "none"}}).encode()
    assert statuses(proxy.send(path, for_all, JSON, proxy.live.bearer, method="PATCH")) == [200]
    return found


def test_readers_behind_a_terminator_that_is_named_keep_their_own_address(live, tmp_path):
    named = {
        "# set_real_ip_from 10.0.0.5;": "set_real_ip_from 127.0.0.1;",
        "# real_ip_header X-Forwarded-For;": "real_ip_header X-Forwarded-For;",
    }
    with another(tmp_path, live, live.port, **named) as proxy:
        readers = [[f"X-Forwarded-For: 6.6.6.6, 198.51.100.{number}"] for number in (1, 2, 1)]
        assert _previews(proxy, *readers) == [200, 200, 429]


def test_a_list_of_words_of_four_mebibytes_passes_and_another_body_of_two_does_not(proxy):
    words = json.dumps({"text": "casino\n" + "# what this list is for\n" * 60_000, "action": "hold"}).encode()
    assert len(words) > 1_048_576
    answer = proxy.send("/api/v1/sites/news/word-lists/long", words, JSON, proxy.live.bearer, method="PUT")
    assert statuses(answer) == [200], answer
    four = b'{"text": "' + b"a" * 4_300_000 + b'"}'
    answer = proxy.send("/api/v1/sites/news/word-lists/long", four, JSON, proxy.live.bearer, method="PUT")
    assert statuses(answer) == [413], answer
    assert b"4194304" in answer
    for path in ("/console/lists", "/console/automod", "/api/v1/rules/test"):
        assert statuses(proxy.send(path, b"a" * 1_500_000, JSON))[0] in {303, 401, 403, 413, 415}
    assert statuses(_without_a_body(proxy, 2_000_000)) == [413]


def test_a_body_that_is_refused_while_it_is_sent_gets_the_services_own_answer(proxy):
    """gunicorn alone resets a connection of which it has not read all, for which nginx says that nobody is there."""
    body = b"author=Ana&thread=k&comment=" + b"a" * 300_000
    for _ in range(15):
        answer = proxy.send("/sites/news/reply", body, "Content-Type: application/x-www-form-urlencoded")
        assert statuses(answer) == [413]
        assert b"Server: nginx" in answer
        assert statuses(proxy.send("/api/v1/rules/test", body, JSON)) == [401]


def test_one_address_that_floods_is_slowed_and_the_others_are_not(proxy):
    asked = b"GET /static/site.css HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30, source_address=("127.0.0.9", 0)) as connection:
        connection.sendall(asked * 399 + asked.replace(b"Host", b"Connection: close\r\nHost"))
        answer = b""
        while more := connection.recv(262_144):
            answer += more
    found = statuses(answer)
    assert 200 in found
    assert found.count(429) > 50
    assert b"Retry-After: 1" in answer
    assert proxy.get("/static/site.css", source="127.0.0.10")[0] == 200


def test_what_a_caller_says_of_other_proxies_is_replaced(proxy):
    """The service counts the reader by what nginx saw: those that claim to be others share one limit."""
    names = ("X-Forwarded-For: {0}", "X-Real-IP: {0}", "Forwarded: for={0}", "X_Forwarded_For: {0}")
    claims = [[name.format(f"203.0.113.{number}") for name in names] for number in range(3)]
    assert _previews(proxy, *claims) == [200, 429, 429]


def test_no_link_of_an_author_no_query_and_no_address_is_in_the_log(proxy):
    token = "secret-token-of-a-receipt"
    for path in (
        f"/receipts/{token}",
        f"//receipts/{token}",
        f"/receipts%2f{token}",
        f"/x/../receipts/{token}",
        f"/%72eceipts/{token}",
        f"/notices/stop?t={token}",
        f"/nothing?q={token}",
        f"/healthz?{token}",
    ):
        proxy.get(path, f"Cookie: a={token}", f"Authorization: Bearer {token}", f"Referer: http://a/{token}")
    talk(proxy.port, f"GET /{token} HTTP/9.9\r\nHost: {token}\r\n\r\n".encode())
    until(lambda: "/receipts/-" in proxy.log, proxy.folder / "access.log")
    errors = (proxy.folder / "error.log").read_text()
    lines = [line for line in proxy.log.splitlines() if token in line]
    assert not [line for line in lines if f"/{token} 505" not in line and f"/{token} 400" not in line], lines
    assert "127.0.0." not in proxy.log + errors
    assert token not in errors


def test_metrics_and_readiness_are_not_for_the_world_in_any_spelling(proxy):
    for path in ("/metrics", "/readyz", "//metrics", "/./metrics", "/x/../metrics", "/%6detrics", "/metrics?a=b",
                 "/metrics/", "/metrics%00", "/metrics;a", "/METRICS", "/metrics%20", "/metrics%2f"):  # fmt: skip
        status, _, body = proxy.get(path)
        assert status in {400, 404}, path
        assert b"moderation_" not in body


def test_a_comment_holds_no_directive_even_where_the_proxy_would_follow_one(proxy):
    hostile = (
        '<!--# include virtual="/metrics" --> <!--#exec cmd="id" --> <esi:include src="/metrics"/> {{config}} ${config}'
    )
    decide(proxy, comment(proxy, "directives", hostile, name='<!--# echo var="host" -->'), "approve")
    for path in (
        "/sites/news/thread.html?thread=directives",
        "/sites/news/thread.html?thread=directives&page=1&form=1",
    ):
        _, _, body = proxy.get(path)
        assert b"<!--#" not in body, path
        assert b"<esi:" not in body, path
        assert b"{{config}} ${config}" in body, path


def test_every_request_of_a_servers_own_suite_stops_at_the_proxy_or_is_answered_once(proxy):
    for kind in ("valid", "invalid"):
        for file in sorted(fixtures("gunicorn-requests", "tests", "requests", kind).glob("*.http")):
            answer = talk(proxy.port, _decoded(file.read_bytes()))
            found = statuses(answer)
            assert not [one for one in found if one >= 500 and one not in {501, 505}], (file.name, answer)
            assert kind == "valid" or (len(found) <= 1 and 200 not in found), (file.name, answer)
