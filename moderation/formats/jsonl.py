"""Our own format: JSON lines in UTF-8. A line that names the format, one for each thread, one for each comment.

It holds the rows of threads and comments but for what only means something in their own database: hashes, claims, edit
windows, groups of alike comments. Addresses are in it where they were asked for.
"""

import re
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from moderation.domain.comment import State
from moderation.domain.policy import ATTRIBUTES
from moderation.domain.times import rfc3339, rfc3339_or_none
from moderation.errors import Malformed
from moderation.formats.files import File
from moderation.formats.records import Faulty, Item, Markup, OwnComment, OwnThread, Page, PageOnly, Record
from moderation.formats.values import rfc3339_time

FORMAT, VERSION = "comment-moderation", 1
MAX_REASONS, MAX_REASON_CHARS = 50, 500

_STATES = {state.value: state for state in State}
_NETWORK = re.compile(r"[0-9a-fA-F:.]{2,45}/[0-9]{1,3}")


class _Wrong(Exception):
    """A field is not what it should be; the message names it."""


# --- reading --------------------------------------------------------------------------------------------------------


class JsonLines:
    """An export of ours being read. Threads stand before their comments."""

    def __init__(self, file: File, *, lenient: bool = False) -> None:
        self._file = file
        self.size = file.size
        self.origin, self.unit = "", "Line"

    @property
    def done(self) -> int:
        """Bytes read."""
        return self._file.done

    def items(self) -> Iterator[Item]:
        """Threads and comments in the order of the file. Raises ``Malformed`` for what cannot be unpacked."""
        is_first = True
        for number, line in self._file.lines():
            if is_first:
                is_first = False
                if not _is_ours(line):
                    raise Malformed(
                        f"It is no export of ours: its first line does not name '{FORMAT}', version {VERSION}."
                    )
            elif line.strip():
                yield _item(number, line)
        if is_first:
            raise Malformed("The file is empty.")


def _is_ours(line: bytes) -> bool:
    try:
        head = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(head, dict) and head.get("format") == FORMAT and head.get("version") == VERSION


def _item(number: int, line: bytes) -> Item:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Faulty(number, "it is not JSON in UTF-8")
    try:
        match data:
            case {"thread": dict() as thread}:
                return PageOnly(number, _page(thread))
            case {"comment": dict() as comment}:
                return _record(number, comment)
            case _:
                return Faulty(number, "it is neither a thread nor a comment")
    except _Wrong as wrong:
        return Faulty(number, str(wrong))


def _page(data: dict[str, Any]) -> Page:
    return Page(
        key=_text(data, "key"),
        url=_text_or_none(data, "url") or "",
        title=_text_or_none(data, "title") or "",
        is_open=_truth(data, "open"),
        created_at=_time(data, "created_at"),
    )


def _record(number: int, data: dict[str, Any]) -> Record:
    author = data.get("author")
    if not isinstance(author, dict):
        raise _Wrong("a comment's author is no object")
    state = _STATES.get(_text(data, "state"))
    created_at = _time(data, "created_at")
    if state is None or created_at is None:
        raise _Wrong("a comment's state or created_at is not one that we write")
    return Record(
        line=number,
        id=str(_id(data, "id")),
        parent=None if data.get("parent_id") is None else str(_id(data, "parent_id")),
        page=Page(key=_text(data, "thread")),
        name=_text(author, "name"),
        email=_text_or_none(author, "email") or "",
        website=_text_or_none(author, "url") or "",
        text=_text(data, "body"),
        markup=Markup.MARKDOWN,
        state=state,
        created_at=created_at,
        edited_at=_time(data, "edited_at"),
        votes=_whole(data, "votes"),
        values=_values(data, author),
    )


def _values(data: dict[str, Any], author: dict[str, Any]) -> dict[str, Any]:
    reasons, scores = data.get("reasons"), data.get("scores")
    if not isinstance(reasons, list) or not all(
        isinstance(one, str) and len(one) <= MAX_REASON_CHARS for one in reasons
    ):
        raise _Wrong("a comment's reasons are no list of short texts")
    if not isinstance(scores, dict) or not set(scores) <= set(ATTRIBUTES):
        raise _Wrong("a comment's scores are not those that we know")
    network = _text(data, "network")
    if network and not _NETWORK.fullmatch(network):
        raise _Wrong("a comment's network is none")
    return {
        "author_id": _id(author, "id"),
        "author_proven": _truth(author, "proven"),
        "ip_network": network,
        "decided_at": _time(data, "decided_at"),
        "risk": _share(data, "risk"),
        "scores": {name: None if value is None else _share(scores, name) for name, value in scores.items()},
        "reasons": [reason.replace("\0", "") for reason in reasons[:MAX_REASONS]],
        "scorer_version": _text(data, "scorer")[:MAX_REASON_CHARS].replace("\0", ""),
    }


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise _Wrong(f"its {name} is no text")
    return value


def _text_or_none(data: dict[str, Any], name: str) -> str | None:
    return None if data.get(name) is None else _text(data, name)


def _truth(data: dict[str, Any], name: str) -> bool:
    value = data.get(name)
    if not isinstance(value, bool):
        raise _Wrong(f"its {name} is neither true nor false")
    return value


def _whole(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Wrong(f"its {name} is no whole number")
    return value


def _share(data: dict[str, Any], name: str) -> float:
    value = data.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise _Wrong(f"its {name} is no number from 0 to 1")
    return float(value)


def _time(data: dict[str, Any], name: str) -> Any:
    text = _text_or_none(data, name)
    found = None if text is None else rfc3339_time(text)
    if text is not None and found is None:
        raise _Wrong(f"its {name} is no time like 2026-01-31T12:00:00Z")
    return found


def _id(data: dict[str, Any], name: str) -> uuid.UUID:
    try:
        return uuid.UUID(_text(data, name))
    except ValueError:
        raise _Wrong(f"its {name} is no UUID") from None


# --- writing --------------------------------------------------------------------------------------------------------


def write_jsonl(threads: Iterable[OwnThread], comments: Iterable[OwnComment], *, with_emails: bool) -> Iterator[str]:
    """The lines of an export, threads first."""
    yield _line({"format": FORMAT, "version": VERSION})
    for thread in threads:
        yield _line({"thread": _thread(thread)})
    for comment in comments:
        yield _line({"comment": _comment(comment, with_emails=with_emails)})


def _line(data: dict[str, Any]) -> str:
    return orjson.dumps(data).decode() + "\n"


def _thread(thread: OwnThread) -> dict[str, Any]:
    return {
        "key": thread.key,
        "url": thread.url,
        "title": thread.title,
        "open": thread.is_open,
        "created_at": rfc3339(thread.created_at),
    }


def _comment(comment: OwnComment, *, with_emails: bool) -> dict[str, Any]:
    author = {"id": comment.author_id, "name": comment.author_name, "url": comment.author_url}
    email = {"email": comment.email} if with_emails else {}
    return {
        "id": comment.id,
        "thread": comment.thread.key,
        "parent_id": comment.parent_id,
        "author": {**author, "proven": comment.author_proven, **email},
        "network": comment.ip_network,
        "body": comment.body,
        "state": comment.state.value,
        "created_at": rfc3339(comment.created_at),
        "edited_at": rfc3339_or_none(comment.edited_at),
        "decided_at": rfc3339_or_none(comment.decided_at),
        "votes": comment.votes,
        "risk": comment.risk,
        "scores": {name: comment.scores[name] for name in ATTRIBUTES if name in comment.scores},
        "reasons": list(comment.reasons),
        "scorer": comment.scorer_version,
    }
