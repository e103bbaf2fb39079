"""A real scorer to ask: a server on this machine that says what a test wants."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from moderation.domain.actor import CLI
from moderation.services import scorers
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment

READER = Client("203.0.113.7", "Mozilla/5.0")


@dataclass
class Asked:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


Say = Callable[[BaseHTTPRequestHandler, Asked], None]


class ScorerServer:
    """Answers as ``say`` does, and keeps what it was asked."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[Asked] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                with server._lock:
                    server.asked.append(asked)
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                try:
                    with contextlib.suppress(OSError):
                        server.say(self, asked)
                finally:
                    with server._lock:
                        server.at_once -= 1

            def log_message(self, *_args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def saying(content: Any, status: int = 200, **headers: str) -> Say:
    """Answer with JSON, or with bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def say(handler: BaseHTTPRequestHandler, _asked: Asked) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return say


def slowly(seconds: float, then: Say) -> Say:
    """Answer late."""

    def say(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        time.sleep(seconds)
        then(handler, asked)

    return say


def dripping(handler: BaseHTTPRequestHandler, _asked: Asked) -> None:
    """Promise a short body, and send a byte of it now and then."""
    handler.send_response(200)
    handler.send_header("Content-Length", "600")
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def breaking_off(content: bytes) -> Say:
    """Send less than was promised, and close."""

    def say(handler: BaseHTTPRequestHandler, _asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) + 10))
        handler.end_headers()
        handler.wfile.write(content)
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    return say


@pytest.fixture
def scorer_servers() -> Iterator[Callable[[Say], ScorerServer]]:
    """Make servers that end with the test."""
    made: list[ScorerServer] = []

    def make(say: Say) -> ScorerServer:
        made.append(ScorerServer(say))
        return made[-1]

    yield make
    for one in made:
        one.close()


CALM = {"scores": {"toxicity": 0.02}, "version": "house-1"}


@pytest.fixture
def server(scorer_servers: Callable[[Say], ScorerServer]) -> ScorerServer:
    """A scorer of the simple contract that finds nothing."""
    return scorer_servers(saying(CALM))


@pytest.fixture
def post(parts: Parts, people: Any) -> Callable[..., Any]:
    """Submit a comment to the site ``news``; returns its id."""

    def submit(body: str = "A calm and useful remark on the harbour.", site: str = "news", **changes: Any) -> Any:
        values: dict[str, Any] = {"honeypot": "", "filled_in_ms": 60_000, **changes}
        sent = Submission("a", None, None, None, "Ana", "ana@example.org", None, None, body, **values)
        return submit_comment(parts, site, sent, READER)["id"]

    return submit


@pytest.fixture
def add_scorer(parts: Parts, people: Any) -> Callable[..., dict[str, Any]]:
    """Add a scorer of the simple contract."""

    def add(url: str, name: str = "house", site: str = "news", kind: str = "http", **more: Any) -> dict[str, Any]:
        return scorers.add_scorer(parts, CLI, site, name, kind, url, **more)

    return add
