"""Isso's database, one SQLite file: opened for reading alone, and trusted in nothing.

Isso keeps the text as Markdown, or as HTML where it was imported there; the page by its path.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from moderation.domain.comment import State
from moderation.errors import Malformed
from moderation.formats.foreign_html import looks_like_html
from moderation.formats.records import Faulty, Item, Markup, Page, Record
from moderation.formats.values import unix_time

MAX_VALUE_BYTES = 1_000_000
MAX_STEPS = 20_000_000
"""Instructions of SQLite's machine for one row: no row needs a thousandth of it, but a table's trick may never end."""

_STEPS_AT_ONCE = 100_000
_STATES = {1: State.APPROVED, 2: State.PENDING, 4: State.DELETED}
_NEEDED = {"threads": {"id", "uri", "title"}, "comments": {"tid", "id", "parent", "created", "mode", "text", "author"}}
_MAY = ("modified", "remote_addr", "email", "website", "likes", "dislikes")


class Isso:
    """An Isso database being read."""

    def __init__(self, path: Path, *, lenient: bool = False) -> None:
        self.origin, self.unit = "", "Comment"
        self.done = self._steps = 0
        self._database = _opened(path)
        self._database.set_progress_handler(self._is_too_much, _STEPS_AT_ONCE)
        try:
            self._columns = self._known_columns()
            self.size = max(1, self._count())
        except Malformed:
            self._database.close()
            raise

    def items(self) -> Iterator[Item]:
        """The comments by their ids. Raises ``Malformed`` for what SQLite cannot read on."""
        optional = ", ".join(f"c.{name}" if name in self._columns else "NULL" for name in _MAY)
        query = f"""
            SELECT c.id, c.parent, c.created, c.mode, c.text, c.author, t.uri, t.title, t.id, {optional}
            FROM comments c LEFT JOIN threads t ON t.id = c.tid ORDER BY c.id
        """  # noqa: S608 - names from a list of ours
        try:
            rows = self._database.execute(query)
            while (row := rows.fetchone()) is not None:
                self.done, self._steps = self.done + 1, 0
                yield _item(row)
        except sqlite3.Error:
            raise Malformed(f"After {self.done} comments the database cannot be read on; it is broken.") from None
        finally:
            self._database.close()

    def _is_too_much(self) -> int:
        self._steps += _STEPS_AT_ONCE
        return int(self._steps > MAX_STEPS)

    def _known_columns(self) -> set[str]:
        found: dict[str, set[str]] = {}
        try:
            for table in _NEEDED:
                kind = self._database.execute("SELECT type FROM sqlite_master WHERE name = ?", (table,)).fetchone()
                plain = kind is not None and kind[0] == "table"
                rows = self._database.execute(f"PRAGMA table_xinfo({table})") if plain else ()
                found[table] = {row[1] for row in rows if not row[6]}  # no hidden or generated column
        except sqlite3.Error:
            raise Malformed("It is no SQLite database that can be read.") from None
        if any(not needed <= found[table] for table, needed in _NEEDED.items()):
            raise Malformed(
                "It is no Isso database: the tables 'threads' and 'comments' are not there as Isso has them."
            )
        return found["comments"]

    def _count(self) -> int:
        try:
            return int(self._database.execute("SELECT count(*) FROM comments").fetchone()[0])
        except sqlite3.Error:
            raise Malformed("The table of comments cannot be read; the database is broken.") from None
        finally:
            self._steps = 0


def _opened(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None)
        database.text_factory = lambda raw: raw.decode("utf-8", "replace")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        for statement in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
            database.execute(f"PRAGMA {statement}")
    except sqlite3.Error:
        raise Malformed("It is no SQLite database that can be read.") from None
    return database


def _item(row: tuple[object, ...]) -> Item:
    number, parent, created, mode, body, author, uri, title, thread_id, *optional = row
    values = dict(zip(_MAY, optional, strict=True))
    line = number if isinstance(number, int) else 0
    state = _STATES.get(mode) if isinstance(mode, int) else None
    created_at = unix_time(created) if isinstance(created, int | float) else None
    if state is None:
        return Faulty(line, "its mode is none of 1, 2, 4")
    if created_at is None:
        return Faulty(line, "its created is no time")
    if not isinstance(uri, str) or not uri:
        return Faulty(line, "its thread is not in the database")
    text = _text(body)
    modified = values["modified"]
    return Record(
        line=line,
        id=str(number),
        parent=str(parent) if isinstance(parent, int) and parent else None,
        page=Page(url=uri, id=str(thread_id), title=_text(title)),
        name=_text(author),
        email=_text(values["email"]),
        website=_text(values["website"]),
        ip=_text(values["remote_addr"]),
        text=text,
        markup=Markup.HTML if looks_like_html(text) else Markup.MARKDOWN,
        state=state,
        created_at=created_at,
        edited_at=unix_time(modified) if isinstance(modified, int | float) else None,
        votes=_count(values["likes"]) - _count(values["dislikes"]),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
