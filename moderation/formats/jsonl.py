"""Our own format: JSON lines in UTF-8. A line that names the format, one for each thread, one for each comment.

It holds the rows of threads and comments, and what was said, decided, typed before and reported of each, but for what
only means something in its own database: hashes, claims, edit windows, groups of alike comments. Addresses are in it
where they were asked for.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from moderation.domain.comment import Action, State
from moderation.domain.policy import ATTRIBUTES, Forces
from moderation.domain.times import rfc3339, rfc3339_or_none
from moderation.errors import Malformed
from moderation.formats.files import File
from moderation.formats.records import Faulty, Item, Markup, OwnComment, OwnThread, Page, PageOnly, Record
from moderation.formats.values import rfc3339_time

FORMAT, VERSION = "comment-moderation", 1
MAX_LINE_BYTES = 32_000_000
"""Longest line: a comment with as much of its history as is written, each text at its longest."""

MAX_REASONS, MAX_REASON_CHARS = 1_000, 5_000
MAX_WHOLE, MAX_WEIGHT = 1_000_000_000, 100
REPORT_REASONS = ("spam", "abuse", "off_topic", "illegal", "other")

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
        for number, line in self._file.lines(MAX_LINE_BYTES):
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
                return _record(number, comment, len(line))
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


def _record(number: int, data: dict[str, Any], length: int) -> Record:
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
        history={name: _rows(data, name, fields) for name, fields in _HISTORY.items()},
        history_bytes=length,
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
        "version": _whole(data, "version", 1),
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


def _whole(data: dict[str, Any], name: str, least: int = -MAX_WHOLE) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_WHOLE:
        raise _Wrong(f"its {name} is no whole number, or too large")
    return value


def _share(data: dict[str, Any], name: str) -> float:
    return _number(data, name, 0, 1)


def _number(data: dict[str, Any], name: str, low: float, high: float) -> float:
    value = data.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise _Wrong(f"its {name} is no number from {low:g} to {high:g}")
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


# --- what belongs to a comment ---------------------------------------------------------------------------------------

_Field = Callable[[dict[str, Any], str], Any]


def _at_most(chars: int) -> _Field:
    def read(data: dict[str, Any], name: str) -> str:
        text = _text(data, name).replace("\0", "")
        if len(text) > chars:
            raise _Wrong(f"its {name} is longer than {chars} characters")
        return text

    return read


def _one_of(values: Iterable[str]) -> _Field:
    allowed = frozenset(values)

    def read(data: dict[str, Any], name: str) -> str:
        text = _text(data, name)
        if text not in allowed:
            raise _Wrong(f"its {name} is none that we know")
        return text

    return read


def _or_none(field: _Field) -> _Field:
    return lambda data, name: None if data.get(name) is None else field(data, name)


def _needed_time(data: dict[str, Any], name: str) -> Any:
    if data.get(name) is None:
        raise _Wrong(f"it has no {name}")
    return _time(data, name)


def _scores(data: dict[str, Any], name: str) -> dict[str, float]:
    scores = data.get(name)
    if not isinstance(scores, dict) or not set(scores) <= set(ATTRIBUTES):
        raise _Wrong(f"its {name} are not those that we know")
    return {attribute: _share(scores, attribute) for attribute in scores}


def _evidence(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = data.get(name)
    if not isinstance(found, list) or len(found) > MAX_REASONS:
        raise _Wrong(f"its {name} is no short list")
    return [{"text": _at_most(MAX_REASON_CHARS)(one, "text"), "spans": _spans(one)} for one in map(_object, found)]


def _spans(data: dict[str, Any]) -> list[list[int]]:
    spans = data.get("spans")
    if not isinstance(spans, list) or not all(isinstance(span, list) and len(span) == 2 for span in spans):
        raise _Wrong("its spans are no pairs of places")
    return [[_whole({"span": place}, "span", 0) for place in span] for span in spans]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong("a part of it is no object")
    return value


_STATE, _LINE = _one_of(_STATES), _at_most(100)
_HISTORY: dict[str, dict[str, _Field]] = {
    "signals": {
        "name": _at_most(40),
        "weight": lambda data, name: _number(data, name, -MAX_WEIGHT, MAX_WEIGHT),
        "available": _truth,
        "evidence": _evidence,
        "scores": _scores,
        "forces": _or_none(_one_of(Forces)),
    },
    "decisions": {
        "action": _one_of(Action),
        "from_state": _STATE,
        "to_state": _STATE,
        "reason": _at_most(200),
        "note": _at_most(2_000),
        "risk": _share,
        "version": lambda data, name: _whole(data, name, 1),
        "waited_s": lambda data, name: _number(data, name, 0, MAX_WHOLE),
        "actor_kind": _at_most(10),
        "actor_id": _at_most(64),
        "actor_name": _LINE,
        "created_at": _needed_time,
        "undone_at": _time,
        "undone_by": _or_none(_LINE),
    },
    "revisions": {"body": _at_most(20_000), "state": _STATE, "created_at": _needed_time},
    "reports": {"reason": _one_of(REPORT_REASONS), "detail": _at_most(1_000), "created_at": _needed_time},
}
"""The rows of other tables that a comment brings: their fields, and how each is read."""


def _rows(data: dict[str, Any], name: str, fields: Mapping[str, _Field]) -> list[dict[str, Any]]:
    rows = data.get(name)
    if not isinstance(rows, list):
        raise _Wrong(f"its {name} are no list")
    found = [{field: read(row, field) for field, read in fields.items()} for row in map(_object, rows)]
    if name == "signals" and len({row["name"] for row in found}) < len(found):
        raise _Wrong("it has two signals of one name")
    return found


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
        "scores": _in_order(comment.scores),
        "reasons": list(comment.reasons),
        "scorer": comment.scorer_version,
        "version": comment.version,
        **{name: [_row(row) for row in comment.history.get(name, ())] for name in _HISTORY},
    }


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: rfc3339(value) for name, value in row.items() if isinstance(value, datetime)}
    scores = {"scores": _in_order(row["scores"])} if "scores" in row else {}
    evidence = [{"text": one["text"], "spans": one.get("spans", [])} for one in row.get("evidence", ())]
    return {**row, **times, **scores, **({"evidence": evidence} if "evidence" in row else {})}


def _in_order(scores: Mapping[str, Any]) -> dict[str, Any]:
    """In one order, whatever the database keeps them in."""
    return {name: scores[name] for name in ATTRIBUTES if name in scores}
