"""``serve``, ``worker`` and ``demo`` as real processes: they answer, stop when told to, and leave nobody behind."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from moderation import gunicorn_conf, serving
from moderation.cli import demo
from moderation.errors import SettingsError
from moderation.web.demo import content
from moderation.web.demo.content import COMMENTS

START_S = 60.0
"""How long a start may take on a machine that runs all tests at once."""


class Service:
    """A running ``moderation`` command."""

    def __init__(self, home: Path, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
        self.log = home.parent / "service.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "moderation", *arguments],
                env={**environment, "MODERATION_HOME": str(home), "TMPDIR": str(home.parent)},
                cwd=home.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def url(self) -> str:
        """Where it listens, once it says so."""
        return str(self.until(lambda: re.findall(r"(http://127\.0\.0\.1:\d+)[ /.]", self.output))[0]).rstrip(".")

    def until(self, found: Callable[[], Any]) -> Any:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if value := found():
                return value
            assert self.process.poll() is None, self.output
            time.sleep(0.05)
        raise AssertionError(self.output)

    def children(self) -> dict[str, int]:
        """Process ids of its children, by what they are."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = {}
        for pid in pids:
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")  # empty for one that has just died
            except FileNotFoundError:
                continue
            if b"gunicorn" in words or b"worker" in words:
                found["server" if b"gunicorn" in words else "worker"] = int(pid)
        return found

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=START_S)


def get(url: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(url, timeout=START_S) as answer:
        return answer.status, answer.read()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def begin(*arguments: str) -> Service:
        started.append(Service(tmp_path / "home", *arguments))
        return started[-1]

    yield begin
    for service in started:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        (":80", ("0.0.0.0", 80)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_parse_bind_reads_host_and_port(bind: str, expected: tuple[str, int]) -> None:
    assert serving.parse_bind(bind) == expected


@pytest.mark.parametrize("bind", ["", "8080", "localhost", "localhost:", "localhost:x", "localhost:99999", "a:٣"])
def test_parse_bind_refuses_nonsense(bind: str) -> None:
    with pytest.raises(SettingsError):
        serving.parse_bind(bind)


def test_serve_answers_what_is_no_request_as_a_problem_and_logs_nothing_of_it(
    home: Path, start: Callable[..., Service]
) -> None:
    service = start("serve", "--bind", "127.0.0.1:0", "--workers", "1", "--no-worker")
    port = int(service.url().rpartition(":")[2])
    long_header = b"GET /api/v1/queue HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n"
    for sent, status in ((b"GET /?ana@example.org\r\n\r\n", b" 400 "), (long_header, b" 431 ")):
        with socket.create_connection(("127.0.0.1", port), timeout=START_S) as connection:
            connection.sendall(sent)
            answer = b""
            while more := connection.recv(65_536):
                answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        assert status in head.splitlines()[0]
        assert b"application/problem+json" in head
        assert b"\r\nX-Request-Id: " in head
        assert json.loads(body)["status"] == int(status)
    counts = "&".join(f"thread={'k' * 60}{number}" for number in range(100))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{service.url()}/api/v1/sites/no-such-site/comments/counts?{counts}")
    service.until(lambda: service.output.count("could not be read") == 2)
    assert "ana@example.org" not in service.output
    assert "ip=" not in service.output


def test_listen_on_a_port_in_use_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match="in use"):
            serving.listen(f"127.0.0.1:{port}")


def test_listen_on_an_address_of_another_machine_says_so() -> None:
    with pytest.raises(SettingsError, match="cannot be listened on"):
        serving.listen("192.0.2.1:8080")


@pytest.mark.parametrize("bind", ["fd://", "fd://x", "fd://-1", "fd://999999"])
def test_listen_on_a_descriptor_that_is_none_says_so(bind: str) -> None:
    with pytest.raises(SettingsError, match="not an open socket"):
        serving.listen(bind)


def test_gunicorn_conf_names_only_settings_that_gunicorn_has() -> None:
    from gunicorn.config import KNOWN_SETTINGS

    known = {setting.name for setting in KNOWN_SETTINGS}
    modules = {name for name, value in vars(gunicorn_conf).items() if isinstance(value, ModuleType)}
    ours = {name for name in vars(gunicorn_conf) if not name.startswith("_")} - modules - {"Any"}
    assert ours <= known
    assert gunicorn_conf.control_socket_disable


def test_restarts_of_a_dying_worker_come_ever_later() -> None:
    child = serving._Child("worker", ["true"], {})
    pauses = []
    for _ in range(9):
        child.started = time.monotonic()
        child.schedule_restart()
        pauses.append(round(child.due - time.monotonic()))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    child.started = time.monotonic() - serving.STEADY_AFTER_S
    child.schedule_restart()
    assert round(child.due - time.monotonic()) == serving.FIRST_PAUSE_S


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_serve_restarts_its_worker_and_killed_leaves_nobody_behind(home: Path, start: Callable[..., Service]) -> None:
    service = start("serve", "--bind", "127.0.0.1:0", "--workers", "1")
    url = service.url()
    assert get(f"{url}/healthz")[0] == 200
    assert b"moderation_http_requests_total" in get(f"{url}/metrics")[1]
    first = service.until(lambda: service.children().get("worker"))
    os.kill(first, signal.SIGKILL)
    service.until(lambda: service.children().get("worker", first) != first)
    children = service.children()
    service.process.kill()
    service.process.wait()
    end = time.monotonic() + START_S
    while any(is_alive(pid) for pid in children.values()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(is_alive(pid) for pid in children.values())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_serve_ends_with_1_when_gunicorn_dies(home: Path, start: Callable[..., Service]) -> None:
    service = start("serve", "--bind", "127.0.0.1:0", "--workers", "1", "--no-worker")
    get(f"{service.url()}/healthz")
    os.kill(service.children()["server"], signal.SIGKILL)
    assert service.process.wait(timeout=START_S) == 1
    assert "ended with status" in service.output


def test_worker_stops_on_sigterm(home: Path, start: Callable[..., Service]) -> None:
    service = start("worker")
    service.until(lambda: "worker started" in service.output)
    assert service.stop(signal.SIGTERM) == 0


def test_demo_keeps_what_is_there_and_follows_the_address(
    tmp_path: Path, start: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATION_HOME", str(tmp_path / "home"))
    with monkeypatch.context() as patch:
        patch.setattr(content, "COMMENTS", COMMENTS[:8])
        for name, value in demo.environment("http://127.0.0.1:9").items():
            patch.setenv(name, value)
        guide = "\n".join(demo.prepare("http://127.0.0.1:9", lambda _: None))
    kept = json.loads((tmp_path / "home" / "demo.json").read_text())
    assert (tmp_path / "home" / "demo.json").stat().st_mode & 0o777 == 0o600
    assert all(kept[name] in guide for name in ("login", "password", "token"))
    service = start("demo", "--bind", "127.0.0.1:0")
    url = service.url()
    assert all(kept[name] in service.output for name in ("login", "password", "token"))
    assert json.loads((tmp_path / "home" / "demo.json").read_text()) == kept
    assert json.loads(get(f"{url}/api/v1/sites/demo/comments?thread=night-ferry")[1])["total"] == sum(
        comment.decision == "approve" for comment in COMMENTS[:8] if comment.article == "night-ferry"
    )
    request = urllib.request.Request(f"{url}/api/v1/webhooks?site=demo")
    request.add_header("Authorization", f"Bearer {kept['token']}")
    with urllib.request.urlopen(request, timeout=START_S) as answer:
        assert [row["url"] for row in json.load(answer)["items"]] == [f"{url}/demo/webhooks/receive"]
    children = service.children().values()
    assert service.stop() == 0
    assert not any(is_alive(pid) for pid in children)
    assert "Traceback" not in service.output
    assert not list(tmp_path.glob("moderation-metrics-*"))


def test_demo_in_the_home_of_an_installation_refuses(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATION_HOME", str(home))
    before = (home / "moderation.db").read_bytes()
    with pytest.raises(SettingsError, match="no demo"):
        demo.prepare("http://127.0.0.1:9", lambda _: None)
    assert (home / "moderation.db").read_bytes() == before
    assert not (home / "demo.json").exists()


def test_demo_seeding_stopped_half_way_goes_on_without_doubles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATION_HOME", str(tmp_path / "home"))
    for name, value in demo.environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    decide = demo._decide
    calls: list[Any] = []

    def stop_at_the_fifth(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        decide(*arguments)

    monkeypatch.setattr(demo, "_decide", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        demo.prepare("http://127.0.0.1:9", lambda _: None)
    demo.prepare("http://127.0.0.1:9", lambda _: None)
    with closing(sqlite3.connect(tmp_path / "home" / "moderation.db")) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM comments GROUP BY state").fetchall())
    assert sum(states.values()) == len(COMMENTS)
    assert states["approved"] == sum(comment.decision == "approve" for comment in COMMENTS)
