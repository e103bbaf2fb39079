"""The processes of ``moderation serve``: gunicorn, and the delivery worker beside it.

The parent opens the listening socket, starts both as children in process groups of their own (so that Ctrl-C reaches
the parent alone, which then tells each child once), starts a worker anew that has died, and ends when gunicorn does.

Children do not outlive the parent: on Linux the kernel sends them SIGTERM when it dies, even by SIGKILL
(``PR_SET_PDEATHSIG``), and gunicorn's own workers leave within a second or so when their master is gone. Elsewhere a
SIGKILL of the parent leaves the children running; stop it by SIGTERM there.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from moderation.errors import SettingsError

DEFAULT_BIND = "127.0.0.1:8080"
DEFAULT_WORKERS = 2
FD_PREFIX = "fd://"
STOP_AFTER_S = 25.0
"""Children get this long after SIGTERM, 5 s more than gunicorn gives its workers; then SIGKILL."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_AFTER_S = 60.0
"""Before a worker that died is started anew: 1 s, twice as long each time, at most a minute. One that ran for a minute
counts as steady, and the pauses begin anew."""

_POLL_S = 0.2
_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

Say = Callable[[str], None]


def parse_bind(bind: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT`` (all addresses). Raises ``SettingsError``."""
    host, colon, port = bind.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise SettingsError(f"'{bind}' is not HOST:PORT, like 127.0.0.1:8080.")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104


def listen(bind: str) -> socket.socket:
    """Open the listening socket, or take over an open one by its descriptor, ``fd://3``.

    Raises ``SettingsError`` where the address is in use or not this machine's.
    """
    if bind.startswith(FD_PREFIX):
        return _taken_over(bind)
    host, port = parse_bind(bind)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        reason = "is in use already" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
        raise SettingsError(f"{bind} {reason}. Choose another with --bind HOST:PORT.") from None


def _taken_over(bind: str) -> socket.socket:
    try:
        return socket.socket(fileno=int(bind.removeprefix(FD_PREFIX)))
    except (ValueError, OSError):
        raise SettingsError(f"'{bind}' is not an open socket.") from None


def address_of(listener: socket.socket) -> str:
    """The listening address as a URL that works on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    listener: socket.socket, *, workers: int, with_worker: bool, say: Say, environment: Mapping[str, str] | None = None
) -> int:
    """Run until SIGINT or SIGTERM; the exit status of the command: 0 after a stop that was asked for, else 1."""
    with _metrics_folder() as folder:
        given = {**os.environ, **(environment or {}), _METRICS_DIR: folder}
        server = _Child("server", _gunicorn(listener, workers), given, (listener.fileno(),))
        worker = _Child("worker", [sys.executable, "-m", "moderation", "worker"], given)
        return _watch(server, [worker] if with_worker else [], say)


@dataclass(slots=True)
class _Child:
    """One child process, and when it may be started again."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    due: float = field(default=0.0)

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603
            self.command,
            env=dict(self.environment),
            pass_fds=self.pass_fds,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  (the parent has no threads)
        )

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def tell(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def schedule_restart(self) -> None:
        now = time.monotonic()
        if now - self.started >= STEADY_AFTER_S:
            self.pause_s = FIRST_PAUSE_S
        self.process, self.due = None, now + self.pause_s
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)


def _gunicorn(listener: socket.socket, workers: int) -> list[str]:
    conf = "python:moderation.gunicorn_conf"
    bind = f"{FD_PREFIX}{listener.fileno()}"
    base = [sys.executable, "-m", "gunicorn", "--config", conf, "--bind", bind, "--workers", str(workers)]
    return [*base, "moderation.wsgi:application"]


def _watch(server: _Child, others: list[_Child], say: Say) -> int:
    with _stop_signals() as stops:
        for child in (server, *others):
            child.start()
        try:
            while not stops and not server.has_ended():
                _start_again(others, say)
                time.sleep(_POLL_S)
            failed = server.has_ended() and not stops
            if failed and server.process is not None:
                say(f"The server ended with status {server.process.returncode}; stopping.")
        finally:
            _stop([server, *others], stops)
    return 1 if failed else 0


def _start_again(children: list[_Child], say: Say) -> None:
    for child in children:
        if child.has_ended() and child.process is not None:
            status = child.process.returncode
            child.schedule_restart()
            pause_s = child.due - time.monotonic()
            say(f"The {child.name} ended with status {status}; starting it again in {pause_s:.0f} s.")
        elif child.process is None and time.monotonic() >= child.due:
            child.start()


def _stop(children: list[_Child], stops: list[int]) -> None:
    """SIGTERM to each child, once; a second signal to the parent hurries them, and the deadline ends them."""
    for child in children:
        child.tell(signal.SIGTERM)
    deadline, asked = time.monotonic() + STOP_AFTER_S, len(stops)
    while any(child.process is not None and not child.has_ended() for child in children):
        if len(stops) > max(asked, 1) or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S / 4)
    for child in children:
        if child.process is not None and not child.has_ended():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()


@contextlib.contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of being interrupted by them."""
    stops: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        stops.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _metrics_folder() -> Iterator[str]:
    """A folder in which the processes add up their metrics: the operator's, emptied, or a temporary one."""
    given = os.environ.get(_METRICS_DIR)
    folder = Path(given or tempfile.mkdtemp(prefix="moderation-metrics-"))
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.db"):
        stale.unlink()
    try:
        yield str(folder)
    finally:
        if given is None:
            shutil.rmtree(folder, ignore_errors=True)


def _die_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it becomes another program: ask the kernel for SIGTERM when the parent dies."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
