"""The only outbound socket: posts to addresses that strangers chose, without becoming their way into our network.

What is judged is the address that we connect to, never the text of the URL: the resolver knows a dozen spellings of
127.0.0.1. A name is resolved once per request and the connection goes to what was checked, so that a second answer of
its DNS server changes nothing. There are no redirects, no proxy from the environment and no connection kept.
"""

import contextlib
import http.client
import io
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, quote, urlsplit

import idna

from moderation.errors import OutboundFailed, OutboundRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

MAX_URL_CHARS = 2_000
MAX_HEADER_BYTES = 32_768
MAX_BODY_BYTES = 20_000
SNIPPET_CHARS = 300
CHECK_TIMEOUT_S = 5.0
"""Longest wait for a resolver when a URL is only checked."""

MAX_ADDRESSES = 4
"""How many of a name's addresses are tried."""

USER_AGENT = "comment-moderation-webhooks/1"
DEFAULT_PORTS = {"https": 443, "http": 80}

GLOBAL_V6 = ipaddress.ip_network("2000::/3")
"""The only unicast space that IANA has given out; all else of IPv6 is refused: loopback, unique local, link-local,
multicast, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), v4-compatible, discard-only, segment routing (5f00::/16)."""

SPECIAL: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        # IANA IPv4 Special-Purpose Address Registry, multicast, and one address that only looks global.
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT, and some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, from inside a virtual machine
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT relays
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        # IANA IPv6 Special-Purpose Address Registry, as far as it lies inside 2000::/3. Tunnels are refused whole,
        # whatever address they wrap.
        "2001::/23",  # protocol assignments, among them Teredo (2001::/32) and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_FORBIDDEN_IN_URL = re.compile(r"[\x00-\x20\x7f-\xa0\\#@<>\"^`{|}\ud800-\udfff]")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. ``snippet`` is the start of its body, hostile text of up to 300 characters.

    ``body`` is all that was read of it; not ``is_whole`` where it broke off, took too long or is too large.
    ``headers`` has lower-case names.
    """

    status: int
    retry_after: str | None
    snippet: str
    duration_ms: int
    body: bytes = field(default=b"", repr=False)
    is_whole: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def is_global(address: Address) -> bool:
    """Whether an address is plainly a public host. IPv4 mapped into IPv6 counts as the IPv4 address it is.

    One with a zone is not, whatever it is: a zone names an interface of this machine.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    address = unwrapped(address)
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_V6:
        return False
    return not any(address in network for network in SPECIAL if network.version == address.version)


def unwrapped(address: Address) -> Address:
    """The IPv4 address behind ``::ffff:a.b.c.d``, which the kernel treats as the same; any other unchanged."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def system_resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, in the order in which the system would try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Sender:
    """Posts to checked addresses only.

    ``allow_networks`` are reachable although they are not global: there on any port, and by http too.
    ``allow_http`` lets http reach global addresses. ``timeout_s`` is the longest that a request takes in all,
    whatever the server does, and ``max_body_bytes`` the most that is read of an answer. ``resolve`` and ``tls`` are
    seams for tests and for a private certificate authority.
    """

    def __init__(
        self,
        *,
        allow_networks: Sequence[Network] = (),
        allow_http: bool = False,
        timeout_s: float = 20.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_networks = tuple(allow_networks)
        self._allow_http = allow_http
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._resolve = resolve
        self._tls = tls

    def check(self, url: str) -> None:
        """Judge a URL before it is saved. Raises ``OutboundRefused``, with the same text for every reason.

        A name that does not resolve now passes: it is judged again at each request, and its DNS may come later.
        """
        target = _parse(url)
        deadline = _Deadline(min(self._timeout_s, CHECK_TIMEOUT_S))
        try:
            addresses = self._addresses(target, deadline)
        except OutboundRefused:
            raise
        except OutboundFailed:
            return
        self._judge(target, addresses)

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float | None = None) -> Answer:
        """Send one POST and return what was answered, whatever the status. ``timeout_s`` may shorten the sender's own.

        The status decides; a body that breaks off or takes too long is cut, not an error. Raises
        ``OutboundRefused`` for a target that is not allowed, ``OutboundFailed`` where no answer came.
        """
        return self._send("POST", url, headers, body, timeout_s)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None) -> Answer:
        deadline = _Deadline(min(self._timeout_s, self._timeout_s if timeout_s is None else timeout_s))
        target = _parse(url)
        request = _request(method, target, headers, body)
        addresses = self._addresses(target, deadline)
        self._judge(target, addresses)
        with _worded_errors(), self._connected(target, addresses, deadline) as sock:
            return _exchange(sock, request, deadline, self._max_body_bytes)

    def get(self, url: str, *, headers: Mapping[str, str]) -> Answer:
        """Send one GET; otherwise the same."""
        return self._send("GET", url, headers, b"", None)

    def _addresses(self, target: _Target, deadline: "_Deadline") -> list[Address]:
        with contextlib.suppress(ValueError):
            return [ipaddress.ip_address(target.host)]
        texts = _in_time(lambda: self._resolve(target.host, target.port), deadline)
        try:
            return [ipaddress.ip_address(text) for text in texts]
        except ValueError:
            raise OutboundRefused from None

    def _judge(self, target: _Target, addresses: Sequence[Address]) -> None:
        # One bad address among good ones refuses all: which one a connection takes is for the other side to influence.
        if all(self._is_allowed(address) for address in addresses) and addresses:
            return
        nothing_inside = all(is_global(address) or self._is_allowed(address) for address in addresses)
        scheme_is_fine = target.scheme == "https" or self._allow_http
        if not (addresses and nothing_inside and scheme_is_fine and target.port in DEFAULT_PORTS.values()):
            raise OutboundRefused

    def _is_allowed(self, address: Address) -> bool:
        address = unwrapped(address)
        return any(address in network for network in self._allow_networks if network.version == address.version)

    @contextlib.contextmanager
    def _connected(
        self, target: _Target, addresses: Sequence[Address], deadline: "_Deadline"
    ) -> Iterator[socket.socket]:
        sock = _connect_to_any(addresses[:MAX_ADDRESSES], target.port, deadline)
        try:
            if target.scheme == "https":
                sock.settimeout(deadline.left_s())
                sock = self._tls_context().wrap_socket(sock, server_hostname=target.host)
            yield sock
        finally:
            sock.close()

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


class _Deadline:
    """One point in time that every wait of a request is measured against."""

    def __init__(self, timeout_s: float) -> None:
        self.started = time.monotonic()
        self._end = self.started + timeout_s

    def left_s(self) -> float:
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1_000)


class _Wire(io.RawIOBase):
    """A socket as a file for ``http.client``, where each read ends at the deadline and all of them at a budget."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self.budget = MAX_HEADER_BYTES
        self._file = io.BufferedReader(self)

    def makefile(self, _mode: str) -> io.BufferedIOBase:
        return self._file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self.budget <= 0:
            raise http.client.HTTPException
        self._sock.settimeout(self._deadline.left_s())
        count = self._sock.recv_into(memoryview(buffer)[: self.budget])
        self.budget -= count
        return count

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(self._deadline.left_s())
            view = view[self._sock.send(view) :]


def _parse(url: str) -> _Target:
    """Read a URL strictly. What two parsers could read in two ways is refused."""
    if len(url) > MAX_URL_CHARS or _FORBIDDEN_IN_URL.search(url):
        raise OutboundRefused
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OutboundRefused from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.netloc.endswith(":") or port == 0:
        raise OutboundRefused
    path = quote(parts.path or "/", safe="/%:;,=+$&!*'()~.-_[]")
    query = "?" + quote(parts.query, safe="/%:;,=+$&!*'()~.-_[]?") if parts.query else ""
    return _Target(parts.scheme, _host(parts), port or DEFAULT_PORTS[parts.scheme], path + query)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    try:
        if "[" in parts.netloc or ":" in host:
            # A zone would name an interface of this machine.
            return str(ipaddress.IPv6Address(host if "%" not in host else ""))
        if not host.isascii():
            host = idna.encode(host).decode("ascii")
        if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
            return str(ipaddress.IPv4Address(host))
    except (ValueError, UnicodeError):
        raise OutboundRefused from None
    if not _HOST.fullmatch(host):
        raise OutboundRefused
    return host


def _request(method: str, target: _Target, headers: Mapping[str, str], body: bytes) -> bytes:
    own = {
        "Host": target.host_header,
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(body)),
    }
    lines = [f"{method} {target.path} HTTP/1.1"]
    for name, value in {**own, **headers}.items():
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
            raise OutboundFailed("The request cannot be written.")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _in_time(resolve: Callable[[], Sequence[str]], deadline: _Deadline) -> Sequence[str]:
    """Ask the resolver in a thread of its own: it has no deadline, and a wait for it cannot be broken off."""
    answers: queue.SimpleQueue[Sequence[str] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve())
        except (OSError, UnicodeError):
            answers.put(None)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left_s())
    except (queue.Empty, TimeoutError):
        found = None
    if found is None:
        raise OutboundFailed("The name of the server does not resolve.")
    return found


def _connect_to_any(addresses: Sequence[Address], port: int, deadline: _Deadline) -> socket.socket:
    """Connect to the first address that answers; each gets its share of the time that is left."""
    for index, address in enumerate(addresses):
        timeout_s = deadline.left_s() / (len(addresses) - index)
        with contextlib.suppress(OSError):
            return _connect(address, port, timeout_s)
    raise OutboundFailed("The server cannot be reached.")


def _connect(address: Address, port: int, timeout_s: float) -> socket.socket:
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect((str(address), port))
        if ipaddress.ip_address(sock.getpeername()[0]) != address:
            raise OutboundRefused
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _exchange(sock: socket.socket, request: bytes, deadline: _Deadline, max_body_bytes: int) -> Answer:
    wire = _Wire(sock, deadline)
    # A server may answer, and close, before it has read all of the request; the answer counts.
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        wire.send(request)
    response = _final_response(wire)
    wire.budget = max_body_bytes
    body, is_whole = _body(response, max_body_bytes)
    retry_after = response.headers.get("Retry-After")
    return Answer(
        status=response.status,
        retry_after=str(retry_after)[:100] if retry_after is not None else None,
        snippet=_printable(body.decode("utf-8", "replace")),
        duration_ms=deadline.elapsed_ms(),
        body=body,
        is_whole=is_whole,
        headers={name.lower(): str(value) for name, value in response.headers.items()},
    )


def _final_response(wire: _Wire) -> http.client.HTTPResponse:
    """Read headers, skipping interim answers (1xx). The budget of the wire ends a server that sends nothing else."""
    while True:
        response = http.client.HTTPResponse(cast("socket.socket", wire), method="POST")
        response.begin()
        if response.status >= 200 or response.status == 101:
            return response
        # A response that is collected closes its file, which the next one reads on.
        response.fp = None  # type: ignore[assignment]


def _body(response: http.client.HTTPResponse, most: int) -> tuple[bytes, bool]:
    """Up to ``most`` bytes of the body, and whether that is all of it. Ends at the length that was announced: a server
    need not close the connection.
    """
    body, announced = b"", response.length
    wanted = most if announced is None else min(announced, most)
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        while len(body) < wanted:
            piece = response.read1(wanted - len(body))
            if not piece:
                return body, announced is None
            body += piece
        return body, len(body) == announced
    return body, False


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:SNIPPET_CHARS]).strip()


@contextlib.contextmanager
def _worded_errors() -> Iterator[None]:
    """Turn whatever went wrong into one of a few sentences, which hold nothing of the address or the request."""
    try:
        yield
    except OutboundFailed:
        raise
    except TimeoutError:
        raise OutboundFailed("The server did not answer in time.") from None
    except ssl.SSLCertVerificationError:
        raise OutboundFailed("The certificate of the server is not valid for its name.") from None
    except ssl.SSLError:
        raise OutboundFailed("The server does not speak TLS as it should.") from None
    except OSError:
        raise OutboundFailed("The connection broke off before there was an answer.") from None
    except (http.client.HTTPException, ValueError):
        raise OutboundFailed("The answer is not HTTP as it should be.") from None
