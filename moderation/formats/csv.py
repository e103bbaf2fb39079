"""Comments as CSV (RFC 4180), for spreadsheets, in which no cell is a formula."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from moderation.domain.times import rfc3339, rfc3339_or_none
from moderation.formats.records import OwnComment

COLUMNS = (
    *("id", "thread", "url", "title", "parent_id", "state", "created_at", "edited_at", "author", "author_url"),
    *("body", "votes", "risk"),
)
_FORMULA = frozenset("=+-@\t\r")


def write_csv(comments: Iterable[OwnComment], *, with_emails: bool) -> Iterator[str]:
    """A line of names, and one for each comment; lines end with CR LF."""
    yield _line([*COLUMNS, "email"] if with_emails else COLUMNS)
    for comment in comments:
        values = _values(comment)
        yield _line([*values, comment.email or ""] if with_emails else values)


def _values(comment: OwnComment) -> list[Any]:
    return [
        comment.id,
        comment.thread.key,
        comment.thread.url or "",
        comment.thread.title or "",
        comment.parent_id or "",
        comment.state.value,
        rfc3339(comment.created_at),
        rfc3339_or_none(comment.edited_at) or "",
        comment.author_name,
        comment.author_url or "",
        comment.body,
        comment.votes,
        f"{comment.risk:.4f}",
    ]


def _line(values: Iterable[Any]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerow([plain_cell(str(value)) for value in values])
    return file.getvalue()


def plain_cell(text: str) -> str:
    """``text`` behind an apostrophe, where a spreadsheet would take it for a formula.

    That is where it begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return, or with a wide form of these
    (which some programs take for the same), also behind blanks and what cannot be seen. OWASP, "CSV injection".
    """
    seen = next((char for char in text if not _is_blank(char)), "")
    if text[:1] in _FORMULA or (seen and unicodedata.normalize("NFKC", seen)[:1] in _FORMULA):
        return f"'{text}"
    return text


def _is_blank(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) in {"Cf", "Cc", "Zs", "Mn", "Me"}
