"""The sender against real servers on this machine, well-behaved and not. Each test scripts the bytes of the server."""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moderation.adapters.safe_http import Answer, Sender, system_resolve
from moderation.errors import OutboundFailed, OutboundRefused

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
Script = Callable[[socket.socket, bytes], None]


class Receiver:
    """A TCP server that reads one request per connection and hands it to a script."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None, *, reads: bool = True) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._script, self._tls, self._reads = script, tls, reads
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(5)
            sock = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with sock:
                request = self._request(sock) if self._reads else b""
                self.requests.append(request)
                self._script(sock, request)

    @staticmethod
    def _request(sock: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65_536) or b"\r\n\r\n"
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += sock.recv(65_536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(script: Script | bytes, tls: ssl.SSLContext | None = None, *, reads: bool = True) -> Receiver:
        def say(sock: socket.socket, _request: bytes) -> None:
            assert isinstance(script, bytes)
            sock.sendall(script)

        started.append(Receiver(say if isinstance(script, bytes) else script, tls, reads=reads))
        return started[-1]

    yield start
    for one in started:
        one.close()


def post(url: str, *, timeout_s: float = 2.0, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Answer:
    return Sender(allow_networks=LOOPBACK, timeout_s=timeout_s).post(url, headers=headers or {}, body=body)


def test_post_to_a_plain_server_sends_one_exact_request(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
    answer = post(server.url + "?a=1", body=b'{"x":"\xc3\xa4"}', headers={"webhook-id": "abc"})
    assert (answer.status, answer.snippet, answer.retry_after) == (200, "fine", None)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?a=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert {"webhook-id: abc", "Connection: close", "Content-Length: 10"} <= set(lines)
    assert body == b'{"x":"\xc3\xa4"}'


def test_post_to_a_name_sends_the_name_as_host(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 204 No Content\r\n\r\n")
    sender = Sender(allow_networks=LOOPBACK, timeout_s=2, resolve=lambda _host, _port: ["127.0.0.1"])
    assert sender.post(f"http://Bücher.example:{server.port}/", headers={}, body=b"").status == 204
    assert f"Host: xn--bcher-kva.example:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_post_answered_by_a_redirect_does_not_follow_it(receiver: Callable[..., Receiver], status: int) -> None:
    other = receiver(b"HTTP/1.1 200 OK\r\n\r\n")
    server = receiver(f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode())
    assert post(server.url).status == status
    assert other.connections == 0


@pytest.mark.parametrize("status", [200, 204, 400, 410, 429, 500, 503])
def test_post_returns_whatever_status_was_answered(receiver: Callable[..., Receiver], status: int) -> None:
    server = receiver(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
    assert post(server.url).status == status


def test_post_returns_the_retry_after_header(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 503 Busy\r\nretry-after: 17\r\nContent-Length: 0\r\n\r\n")
    assert post(server.url).retry_after == "17"


def test_post_answered_after_interim_answers_returns_the_final_one(receiver: Callable[..., Receiver]) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    server = receiver(interim + b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok")
    answer = post(server.url)
    assert (answer.status, answer.snippet) == (202, "ok")


def test_post_answered_in_chunks_reads_the_text(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert post(server.url).snippet == "abc"


def test_post_answered_with_hostile_text_keeps_a_short_printable_snippet(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 400 No\r\n\r\n\x00\x1b[31m\xff\r\n<b>\xe2\x80\xae" + b"x" * 5_000)
    snippet = post(server.url).snippet
    assert len(snippet) <= 300
    assert snippet.isprintable()
    assert "<b>" in snippet


def forever(first: bytes, piece: bytes, pause_s: float = 0.0) -> Script:
    def script(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(first)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            sock.sendall(piece)
            time.sleep(pause_s)

    return script


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    ],
)
def test_post_answered_by_an_endless_body_stops_reading(receiver: Callable[..., Receiver], head: bytes) -> None:
    server = receiver(forever(head, b"x" * 65_536))
    answer = post(server.url, timeout_s=20)
    assert answer.status == 200
    assert answer.duration_ms < 10_000


@pytest.mark.parametrize("first", [b"", b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_post_answered_by_dripping_headers_fails_at_the_deadline(
    receiver: Callable[..., Receiver], first: bytes
) -> None:
    server = receiver(forever(first, b"x", 0.05))
    started = time.monotonic()
    with pytest.raises(OutboundFailed, match="in time"):
        post(server.url, timeout_s=0.3)
    assert 0.25 < time.monotonic() - started < 10


def test_post_answered_by_dripping_interim_answers_fails_at_the_deadline(receiver: Callable[..., Receiver]) -> None:
    server = receiver(forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05))
    with pytest.raises(OutboundFailed, match="in time"):
        post(server.url, timeout_s=0.3)


def test_post_answered_by_a_dripping_body_is_cut_at_the_deadline(receiver: Callable[..., Receiver]) -> None:
    server = receiver(forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.05))
    started = time.monotonic()
    answer = post(server.url, timeout_s=0.3)
    assert answer.status == 200
    assert 0.25 < time.monotonic() - started < 10


def test_post_to_a_server_that_never_answers_fails_at_the_deadline(receiver: Callable[..., Receiver]) -> None:
    server = receiver(forever(b"", b"", 0.05))
    started = time.monotonic()
    with pytest.raises(OutboundFailed, match="in time"):
        post(server.url, timeout_s=0.3)
    assert time.monotonic() - started < 10


def test_post_to_a_server_that_never_reads_fails_at_the_deadline(receiver: Callable[..., Receiver]) -> None:
    server = receiver(forever(b"", b"", 0.05), reads=False)
    started = time.monotonic()
    with pytest.raises(OutboundFailed, match="in time"):
        post(server.url, timeout_s=0.3, body=b"x" * 20_000_000)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "noise",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1",
        b"",
        b"\r\n" * 10,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000,
    ],
    ids=range(12),
)
def test_post_answered_by_noise_fails_with_a_plain_sentence(receiver: Callable[..., Receiver], noise: bytes) -> None:
    server = receiver(noise)
    with pytest.raises(OutboundFailed) as caught:
        post(server.url)
    assert not isinstance(caught.value, OutboundRefused)
    assert "127.0.0.1" not in str(caught.value)
    assert str(server.port) not in str(caught.value)


def test_post_closed_before_an_answer_fails(receiver: Callable[..., Receiver]) -> None:
    server = receiver(lambda sock, _request: sock.close())
    with pytest.raises(OutboundFailed):
        post(server.url)


def test_post_answered_before_the_body_was_read_returns_the_answer(receiver: Callable[..., Receiver]) -> None:
    def answer_early(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65_536):
            pass

    server = receiver(answer_early, reads=False)
    assert post(server.url, body=b"x" * 3_000_000).status == 413


def test_post_whose_answer_breaks_off_in_the_body_keeps_the_status(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal")
    answer = post(server.url)
    assert (answer.status, answer.snippet) == (200, "hal")


def test_post_to_a_closed_port_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(OutboundFailed, match="cannot be reached"):
        post(f"http://127.0.0.1:{port}/secret-path")


def test_post_where_the_first_address_is_dead_takes_the_next(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\n\r\n")
    addresses = ["127.9.9.9", "127.0.0.1"]
    sender = Sender(allow_networks=LOOPBACK, timeout_s=2, resolve=lambda _host, _port: addresses)
    assert sender.post(f"http://hooks.example:{server.port}/", headers={}, body=b"").status == 200


@pytest.mark.parametrize("headers", [{"X": "a\r\nHost: b"}, {"X\n": "a"}, {"X": "ä"}, {"X": "a\x00"}])
def test_post_with_a_header_that_would_split_the_request_fails_without_connecting(
    receiver: Callable[..., Receiver], headers: dict[str, str]
) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(OutboundFailed):
        post(server.url, headers=headers)
    assert server.connections == 0


def test_post_with_proxies_in_the_environment_ignores_them(
    receiver: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = receiver(b"HTTP/1.1 500 Proxy\r\n\r\n")
    server = receiver(b"HTTP/1.1 200 OK\r\n\r\n")
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert post(server.url).status == 200
    assert proxy.connections == 0


def test_post_to_a_name_that_rebinds_between_check_and_send_is_refused(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\n\r\n")
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    sender = Sender(allow_http=True, timeout_s=1, resolve=lambda _host, _port: next(answers))
    sender.check("http://rebind.example/")
    with pytest.raises(OutboundRefused):
        sender.post("http://rebind.example/", headers={}, body=b"")
    assert server.connections == 0


def test_post_resolves_a_name_once(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\n\r\n")
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    sender = Sender(allow_networks=LOOPBACK, timeout_s=2, resolve=resolve)
    assert sender.post(f"http://hooks.example:{server.port}/", headers={}, body=b"").status == 200
    assert asked == ["hooks.example"]


def test_post_with_a_resolver_that_hangs_fails_at_the_deadline() -> None:
    released = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        released.wait(30)
        return ["8.8.8.8"]

    sender = Sender(timeout_s=0.3, resolve=resolve)
    started = time.monotonic()
    with pytest.raises(OutboundFailed, match="does not resolve"):
        sender.post("https://hooks.example/", headers={}, body=b"")
    released.set()
    assert time.monotonic() - started < 10


def test_resolve_by_the_system_returns_plain_addresses() -> None:
    assert "127.0.0.1" in system_resolve("127.0.0.1", 443)


# TLS


def _certificate(folder: Path, *names: str, days: int = 1) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _server_tls(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def _https_sender(trusted: Path | None, timeout_s: float = 2.0) -> Sender:
    tls = ssl.create_default_context(cafile=str(trusted)) if trusted else None
    return Sender(allow_networks=LOOPBACK, timeout_s=timeout_s, resolve=lambda _host, _port: ["127.0.0.1"], tls=tls)


def test_post_by_https_verifies_the_name_and_sends_it_as_sni(receiver: Callable[..., Receiver], tmp_path: Path) -> None:
    path = _certificate(tmp_path, "hooks.example")
    tls, names = _server_tls(path), []
    tls.sni_callback = lambda _sock, name, _context: names.append(name)
    server = receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", tls)
    answer = _https_sender(path).post(f"https://hooks.example:{server.port}/", headers={}, body=b"{}")
    assert (answer.status, answer.snippet) == (200, "ok")
    assert names == ["hooks.example"]
    assert f"Host: hooks.example:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(
    ("name", "days", "is_trusted"),
    [("other.example", 1, True), ("hooks.example", -1, True), ("hooks.example", 1, False)],
)
def test_post_by_https_with_a_certificate_that_is_not_good_sends_nothing(
    receiver: Callable[..., Receiver], tmp_path: Path, name: str, days: int, is_trusted: bool
) -> None:
    path = _certificate(tmp_path, name, days=days)
    server = receiver(b"HTTP/1.1 200 OK\r\n\r\n", _server_tls(path))
    with pytest.raises(OutboundFailed, match="certificate"):
        _https_sender(path if is_trusted else None).post(
            f"https://hooks.example:{server.port}/", headers={}, body=b"secret"
        )
    assert server.requests == []


def test_post_by_https_to_a_server_without_tls_fails(receiver: Callable[..., Receiver]) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\n\r\n", reads=False)
    with pytest.raises(OutboundFailed, match="TLS"):
        _https_sender(None).post(f"https://hooks.example:{server.port}/", headers={}, body=b"")


def test_post_by_https_with_a_handshake_that_drips_fails_at_the_deadline(
    receiver: Callable[..., Receiver],
) -> None:
    # The start of a TLS record of 16 kB that never ends.
    server = receiver(forever(b"\x16\x03\x03\x40\x00", b"\x02", 0.05), reads=False)
    started = time.monotonic()
    with pytest.raises(OutboundFailed):
        _https_sender(None, timeout_s=0.3).post(f"https://hooks.example:{server.port}/", headers={}, body=b"")
    assert time.monotonic() - started < 10


def test_post_by_https_answered_by_dripping_headers_fails_at_the_deadline(
    receiver: Callable[..., Receiver], tmp_path: Path
) -> None:
    path = _certificate(tmp_path, "hooks.example")
    server = receiver(forever(b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.05), _server_tls(path))
    started = time.monotonic()
    with pytest.raises(OutboundFailed, match="in time"):
        _https_sender(path, timeout_s=0.3).post(f"https://hooks.example:{server.port}/", headers={}, body=b"")
    assert time.monotonic() - started < 10


# Whole answers


@pytest.mark.parametrize(
    ("said", "body", "is_whole"),
    [
        (b"Content-Length: 4\r\n\r\ntrue", b"true", True),
        (b"Content-Length: 0\r\n\r\n", b"", True),
        (b"Content-Length: 9\r\n\r\ntrue", b"true", False),
        (b"\r\ntrue", b"true", True),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\ntr\r\n2\r\nue\r\n0\r\n\r\n", b"true", True),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\ntr\r\n2\r\nu", b"tru", False),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\ntrue\r\n", b"true", False),
        (b"Content-Length: 100\r\n\r\n" + b"x" * 100, b"x" * 50, False),
        (b"\r\n" + b"x" * 100, b"x" * 50, False),
        (b"Content-Length: 50\r\n\r\n" + b"x" * 100, b"x" * 50, True),
    ],
)
def test_post_tells_whether_the_answer_is_whole(
    receiver: Callable[..., Receiver], said: bytes, body: bytes, is_whole: bool
) -> None:
    server = receiver(b"HTTP/1.1 200 OK\r\nX-Word: one\r\n" + said)
    sender = Sender(allow_networks=LOOPBACK, timeout_s=2, max_body_bytes=50)
    answer = sender.post(server.url, headers={}, body=b"")
    assert (answer.body, answer.is_whole, answer.headers["x-word"]) == (body, is_whole, "one")


def test_post_to_a_server_that_does_not_close_ends_with_the_announced_length(
    receiver: Callable[..., Receiver],
) -> None:
    def keep_open(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue")
        sock.settimeout(30)
        sock.recv(1)

    server = receiver(keep_open)
    started = time.monotonic()
    answer = Sender(allow_networks=LOOPBACK, timeout_s=20).post(server.url, headers={}, body=b"")
    assert time.monotonic() - started < 10
    assert (answer.body, answer.is_whole) == (b"true", True)


def test_post_with_a_shorter_time_of_its_own_ends_by_it(receiver: Callable[..., Receiver]) -> None:
    server = receiver(forever(b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.05))
    started = time.monotonic()
    with pytest.raises(OutboundFailed, match="in time"):
        Sender(allow_networks=LOOPBACK, timeout_s=20).post(server.url, headers={}, body=b"", timeout_s=0.3)
    assert time.monotonic() - started < 10
