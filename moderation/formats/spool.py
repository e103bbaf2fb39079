"""A map of bytes that does not grow in memory: SQLite's own temporary file, which goes away with it."""

import sqlite3
from types import TracebackType


class Spool:
    """Keys and values on the disk. Nobody else can open it, and nothing of it is left."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA cache_size = -8000",
            "CREATE TABLE spool (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def put(self, name: bytes, value: bytes = b"") -> bool:
        """Keep a value, unless there is one of this name already; whether it was kept."""
        done = self._database.execute("INSERT OR IGNORE INTO spool VALUES (?, ?)", (name, value))
        return bool(done.rowcount)

    def get(self, name: bytes) -> bytes | None:
        """The value of this name, or None."""
        row = self._database.execute("SELECT value FROM spool WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])
