"""Whose turn it is to write to a SQLite file, among the threads of this process and all processes of this machine.

SQLite lets one write at a time; the others wait by naps that grow to a tenth of a second and know no order, so that
the unlucky one waits for seconds. Here threads queue at a lock, and the first of each process at two bytes of a file
beside the database: whoever is next holds the first byte until the second is free. So the one that has just written,
and would be quickest to write again, comes behind the other process's. The kernel gives both back when a process dies.

Nothing depends on it but the order: what keeps two writers apart is SQLite's own lock, also where this file cannot be
made.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator

_NEXT, _WRITING = 0, 1
"""The bytes: who writes next, who writes."""

_NAP_S = 0.0002

_threads = threading.Lock()


@contextlib.contextmanager
def turn(path: str, timeout_s: float) -> Iterator[None]:
    """Wait for one's turn to write to the database at ``path``. Raises ``TimeoutError``."""
    deadline = time.monotonic() + timeout_s
    if not _threads.acquire(timeout=timeout_s):
        raise TimeoutError
    try:
        file = _opened(f"{path}-turns") if path else None
        if file is None:
            yield
            return
        _take(file, _NEXT, deadline)
        try:
            _take(file, _WRITING, deadline)
        finally:
            _give(file, _NEXT)
        try:
            yield
        finally:
            _give(file, _WRITING)
    finally:
        _threads.release()


_open: dict[str, int] = {}
"""The file of the database that was written to last. It stays open: to close one gives back the locks of all."""


def _opened(path: str) -> int | None:
    """The descriptor of a file, or None where it cannot be made. For whoever holds ``_threads``."""
    if path not in _open:
        while _open:
            os.close(_open.popitem()[1])
        try:
            _open[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
    return _open[path]


def _take(file: int, byte: int, deadline: float) -> None:
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            return
        except OSError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(_NAP_S)


def _give(file: int, byte: int) -> None:
    fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
