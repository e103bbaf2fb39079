"""Remark42's backup: a line of JSON about users and pages, then one for each comment; mostly packed by gzip.

It has no addresses of readers, and only hashes of their networks, which are left out.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from moderation.domain.comment import State
from moderation.errors import Malformed
from moderation.formats.files import File
from moderation.formats.records import Faulty, Item, Markup, Page, Record
from moderation.formats.values import rfc3339_time

MAX_READ_ONLY = 100_000
"""Closed pages that are remembered."""


class Remark42:
    """A backup being read."""

    def __init__(self, file: File, *, lenient: bool = False) -> None:
        self._file = file
        self.size = file.size
        self.origin, self.unit = "", "Line"
        self._closed: frozenset[str] = frozenset()

    @property
    def done(self) -> int:
        """Bytes read."""
        return self._file.done

    def items(self) -> Iterator[Item]:
        """The comments in the order of the file. Raises ``Malformed`` for what cannot be unpacked."""
        is_first = True
        for number, line in self._file.lines():
            if not line.strip():
                continue
            data = _object(line)
            if data is None:
                yield Faulty(number, "it is not one JSON object in UTF-8")
            elif is_first and "locator" not in data:
                if data.get("version", 0) not in {0, 1}:
                    raise Malformed(f"Line {number}: it is a backup of a version that is not known.")
                self._closed = _closed(data)
            else:
                yield _item(number, data, self._closed)
            is_first = False


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return data if isinstance(data, dict) else None


def _closed(meta: dict[str, Any]) -> frozenset[str]:
    posts = meta.get("posts")
    found = [post for post in posts[:MAX_READ_ONLY] if isinstance(post, dict)] if isinstance(posts, list) else []
    return frozenset(_text(post.get("url")) for post in found if post.get("read_only") is True)


def _item(line: int, data: dict[str, Any], closed: frozenset[str]) -> Item:
    user, locator, edit = (_part(data.get(name)) for name in ("user", "locator", "edit"))
    created_at = rfc3339_time(_text(data.get("time")))
    if not _text(data.get("id")):
        return Faulty(line, "a comment has no id")
    if created_at is None:
        return Faulty(line, "a comment has no time like 2026-01-31T12:00:00Z")
    url, source, score = _text(locator.get("url")), _text(data.get("orig")), data.get("score")
    if not url:
        return Faulty(line, "a comment has no locator.url")
    return Record(
        line=line,
        id=_text(data.get("id")),
        parent=_text(data.get("pid")) or None,
        page=Page(url=url, id=url, title=_text(data.get("title")), is_open=url not in closed),
        name=_text(user.get("name")),
        text=source or _text(data.get("text")),
        markup=Markup.MARKDOWN if source else Markup.HTML,
        state=State.DELETED if data.get("delete") is True else State.APPROVED,
        created_at=created_at,
        edited_at=rfc3339_time(_text(edit.get("time"))),
        votes=score if isinstance(score, int) else 0,
    )


def _part(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
