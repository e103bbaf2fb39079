"""A file read in pieces, gzip undone, with limits on what it may become."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from moderation.errors import Malformed, TooLarge

CHUNK_BYTES = 65_536

MAX_BYTES = 16 * 2**30
"""Most bytes of a file after unpacking."""

MAX_RATIO = 200
"""Most bytes that one byte of a gzip file may become, once it has become ``RATIO_FROM``. Its most is 1,032 (zlib)."""

RATIO_FROM = 64 * 2**20

MAX_LINE_BYTES = 1_000_000
"""Longest line of a file of lines, unless it says otherwise; it has one comment."""

_GZIP = b"\x1f\x8b"


class File:
    """The bytes of a file. ``done`` of its ``size`` bytes on the disk have been read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.done = 0

    def chunks(self) -> Iterator[bytes]:
        """The bytes in pieces, unpacked. Raises ``Malformed`` for broken gzip, ``TooLarge`` for what grows too far."""
        total = 0
        with self.path.open("rb") as raw, _unpacked(raw) as file:
            while chunk := _read(file):
                total += len(chunk)
                self.done = raw.tell()
                self._check(total)
                yield chunk
        self.done = self.size

    def lines(self, most: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes]]:
        """The lines with their numbers, from 1, without their ends. Raises ``Malformed`` for one of over ``most``."""
        number, length = 1, 0
        begun: list[bytes] = []
        for chunk in self.chunks():
            *whole, rest = chunk.split(b"\n")
            for end in whole:
                yield number, b"".join((*begun, end))
                number, length, begun = number + 1, 0, []
            begun.append(rest)
            length += len(rest)
            if length > most:
                raise Malformed(f"Line {number} is longer than {most:,} bytes.")
        if length:
            yield number, b"".join(begun)

    def _check(self, total: int) -> None:
        if total > MAX_BYTES:
            raise TooLarge(f"The file has more than {MAX_BYTES // 2**30} GB.")
        if total > RATIO_FROM and total > MAX_RATIO * max(self.size, 1):
            raise TooLarge(f"The file grows more than {MAX_RATIO} times when it is unpacked, as no comments do.")


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    is_packed = raw.read(2) == _GZIP
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if is_packed else raw  # type: ignore[return-value]


def _read(file: IO[bytes]) -> bytes:
    try:
        return file.read(CHUNK_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Malformed("The gzip file is broken or cut off.") from None
