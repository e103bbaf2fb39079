"""The one reader and the one writer of JSON.

Stricter than ``json.loads``, because parts behind us disagree on the rest: what one keeps, another refuses or changes
(RFC 8259 section 4 and 8.2, RFC 7493).
"""

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NoReturn

import orjson
from flask.json.provider import JSONProvider

from moderation.domain.times import rfc3339
from moderation.errors import Invalid, Malformed

MAX_NESTING = 32
"""Deepest nesting of arrays and objects; the parser below is recursive."""

MAX_ITEMS = 500
"""Most items of one array, and most members of one object; a bulk decision takes as many ids."""

MAX_INTEGER = 2**53
"""Whole numbers beyond this are changed by every reader that computes in doubles (RFC 7493, section 2.2)."""

MAX_FLOAT_DIGITS = 100

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def read_json(raw: bytes) -> Any:
    """Parse a request body.

    Raises ``Malformed`` for what is not UTF-8 or not JSON, nesting over ``MAX_NESTING``, a repeated key, NaN and
    infinity, whole numbers beyond +-2^53 and halves of surrogate pairs. Raises ``Invalid``, by field path, for an
    array or object over ``MAX_ITEMS`` and for the character U+0000, which PostgreSQL cannot keep.
    """
    _refuse_deep(raw)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_float,
        )
        orjson.dumps(value)
    except (ValueError, RecursionError, TypeError):
        raise Malformed("The body is not JSON in UTF-8.") from None
    _refuse_oversize(value)
    return value


def canonical(value: Any) -> bytes:
    """The bytes that stand for a parsed body: the same for the same content, however it was written."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def answer(value: Any) -> bytes:
    """An answer of ours as compact JSON, with times by RFC 3339 as ``schemas.Time`` writes them.

    For long lists, whose dump by a schema takes longer than all the rest; a test holds the two to the same.
    """
    return orjson.dumps(value, default=_time, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(type(value).__name__)


class Json(JSONProvider):
    """Flask's JSON, by orjson. NaN cannot be written; it comes out as null."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """Write ``obj`` as compact JSON."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Parse JSON of our own making; request bodies go through ``read_json``."""
        return orjson.loads(s)


def _refuse_deep(raw: bytes) -> None:
    depth = 0
    for match in _TOKEN.finditer(raw):
        token = match[0]
        if token in b"[{":
            depth += 1
            if depth > MAX_NESTING:
                raise Malformed(f"The body is nested deeper than {MAX_NESTING} levels.")
        elif token in b"]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Malformed("A key stands twice in one object.")
    return members


def _refuse_constant(_text: str) -> NoReturn:
    raise Malformed("NaN and Infinity are not JSON.")


def _integer(text: str) -> int:
    # The length first: int() is quadratic, and refuses more than 4300 digits by itself.
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise Malformed("A whole number is beyond 2^53.")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if len(text) > MAX_FLOAT_DIGITS or not math.isfinite(value):
        raise Malformed("A number is out of range.")
    return value


def _refuse_oversize(value: Any) -> None:
    problems: dict[str, list[str]] = {}
    for path, part in _walk(value):
        if isinstance(part, str) and "\x00" in part:
            problems[path] = ["It may not hold the character U+0000."]
        elif isinstance(part, list | dict) and len(part) > MAX_ITEMS:
            problems[path] = [f"At most {MAX_ITEMS} items."]
        if len(problems) == 20:
            break
    if problems:
        raise Invalid(problems)


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path or "body", value
    if isinstance(value, list):
        for index, item in enumerate(value[: MAX_ITEMS + 1]):
            yield from _walk(item, f"{path}.{index}" if path else str(index))
    elif isinstance(value, dict):
        for key, item in value.items():
            name = key.replace("\x00", "\ufffd")[:100]
            yield (f"{path}.{name}" if path else name), key
            yield from _walk(item, f"{path}.{name}" if path else name)
