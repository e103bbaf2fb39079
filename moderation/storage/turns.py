"""Whose turn it is to write to a SQLite file, among the threads of this process and all processes of this machine.

SQLite lets one write at a time; the others wait by naps that grow to a tenth of a second and know no order, so that
the unlucky one waits for seconds. Here threads queue at a lock, and the first of each process at two bytes of a file
beside the database: whoever is next holds the first byte until the second is free. So the one that has just written,
and would be quickest to write again, comes behind the other process's. The kernel gives both back when a process dies.

What keeps two writers apart is SQLite's own lock, also where this file cannot be made.

In the same file, mapped into memory, stands a count that is odd while somebody may be committing, and grows with each
turn. Whoever finds it as it was before, and even, knows without a question that nothing was committed meanwhile: the
count is made odd before a transaction begins and even after it has ended. After a crash it stays odd until the next
turn. A writer that cannot open the file does not count; so nobody may rest on it for long (``web.replay``).
"""

import contextlib
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Iterator

_NEXT, _WRITING = 0, 1
"""The bytes: who writes next, who writes."""

_COUNT, _SIZE = 1, 16
"""Which eight bytes of the file are the count, and how many bytes there are; the locked ones hold nothing."""

_NAP_S = 0.0002

_threads = threading.Lock()


@contextlib.contextmanager
def turn(path: str, timeout_s: float) -> Iterator[None]:
    """Wait for one's turn to write to the database at ``path``. Raises ``TimeoutError``."""
    deadline = time.monotonic() + timeout_s
    if not _threads.acquire(timeout=timeout_s):
        raise TimeoutError
    try:
        opened = _opened(f"{path}-turns") if path else None
        if opened is None:
            yield
            return
        file, counts = opened
        _take(file, _NEXT, deadline)
        try:
            _take(file, _WRITING, deadline)
        finally:
            _give(file, _NEXT)
        counts[_COUNT] |= 1
        try:
            yield
        finally:
            counts[_COUNT] += 1
            _give(file, _WRITING)
    finally:
        _threads.release()


class Turns:
    """The count of turns of the database at ``path``; in memory, or where its file cannot be opened, there is none."""

    def __init__(self, path: str) -> None:
        with _threads:
            opened = _opened(f"{path}-turns") if path else None
        self._counts = None if opened is None else opened[1]

    def even(self) -> int | None:
        """The count; None where there is none, and while somebody may be committing."""
        if self._counts is None:
            return None
        try:
            count = self._counts[_COUNT]
        except ValueError:  # it was given back
            self._counts = None
            return None
        return None if count & 1 else count


_open: dict[str, tuple[int, memoryview]] = {}
"""The file of the database that was written to last. It stays open: to close one gives back the locks of all."""


def forget() -> None:
    """Give back what is held of files, so that a disk can be unmounted. Whoever counted turns of one asks no more."""
    with _threads:
        while _open:
            file, counts = _open.popitem()[1]
            counts.release()
            os.close(file)


def _opened(path: str) -> tuple[int, memoryview] | None:
    """A file's descriptor and what is in it, or None where it cannot be made. For whoever holds ``_threads``."""
    if path not in _open:
        while _open:
            os.close(_open.popitem()[1][0])  # who counts turns there may go on: nobody here writes to it
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(file).st_size < _SIZE:
                os.ftruncate(file, _SIZE)
            _open[path] = file, memoryview(mmap.mmap(file, _SIZE)).cast("Q")
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
