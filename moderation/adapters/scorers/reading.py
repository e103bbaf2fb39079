"""What the protocols share: a request to send, and the strict reading of answers, which are hostile. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from moderation.domain.policy import Evidence, Span
from moderation.domain.text import normalise_line
from moderation.errors import Invalid

MAX_SENTENCE_CHARS = 300
MAX_VERSION_CHARS = 60
MAX_EVIDENCE = 5
MAX_SPANS = 20

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted. The URL and the headers may hold a secret, the body the text of a comment."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def written(content: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def read_object(body: bytes | str) -> dict[str, Any]:
    """The JSON object of an answer. Raises ``ValueError`` for anything else: NaN, a repeated key, deep nesting."""
    text = body if isinstance(body, str) else body.decode("utf-8")
    try:
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return mapping(value)


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object; ``ValueError`` for anything else."""
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def items(value: Any, most: int) -> list[Any]:
    """A list of up to ``most`` items; ``ValueError`` for anything else."""
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("no list, or too long")
    return value


def number(value: Any, least: float = 0.0) -> float:
    """A number from ``least`` to 1; ``ValueError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    if not least <= value <= 1:
        raise ValueError("out of range")
    return round(float(value), 4)


def line(value: Any, most: int = MAX_SENTENCE_CHARS) -> str:
    """Text of somebody else's as one line that hides nothing, cut to ``most`` characters."""
    if not isinstance(value, str):
        raise ValueError("no text")
    try:
        text = normalise_line(value[: 4 * most], "text")
    except Invalid:
        raise ValueError("half of a character") from None
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def spans(value: Any, length: int) -> tuple[Span, ...]:
    """Places ``[[start, end], ...]`` in a text of ``length`` code points; ``ValueError`` for one outside of it."""
    return tuple(place(one, length) for one in items(value, MAX_SPANS))


def place(value: Any, length: int) -> Span:
    """One place ``[start, end]``."""
    pair = items(value, 2)
    if len(pair) != 2 or any(isinstance(one, bool) or not isinstance(one, int) for one in pair):
        raise ValueError("no place")
    if not 0 <= pair[0] <= pair[1] <= length:
        raise ValueError("a place outside of the text")
    return Span(pair[0], pair[1])


def said(name: str, sentence: str) -> tuple[Evidence, ...]:
    """A sentence of the scorer's own, as what it is; nothing for an empty one."""
    return (Evidence(f"The scorer {name} says: {sentence}"),) if sentence else ()


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key stands twice")
    return members
