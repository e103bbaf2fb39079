"""What is asked by Perspective's protocol v1alpha1, and how it is refused. Pure.

Sources: the service's discovery document of 2019, its documentation of methods, limits and errors, and answers that its
clients have kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moderation.errors import Malformed

MAX_TEXT_BYTES = 20_480
"""Of a comment's text, in UTF-8."""

UNWANTED = frozenset(
    {
        "TOXICITY",
        "SEVERE_TOXICITY",
        "IDENTITY_ATTACK",
        "INSULT",
        "PROFANITY",
        "THREAT",
        "SEXUALLY_EXPLICIT",
        "ATTACK_ON_AUTHOR",
        "ATTACK_ON_COMMENTER",
        "INFLAMMATORY",
        "LIKELY_TO_REJECT",
        "OBSCENE",
    }
)
"""Attributes of what no moderator wants. That a text is short, tender or confused says nothing of that."""

SPAM = "SPAM"
AGREED_FROM = 0.5

TOO_LONG = "COMMENT_TOO_LONG"
EMPTY = "COMMENT_EMPTY"
NO_ATTRIBUTES = "NO_REQUESTED_ATTRIBUTES"
LANGUAGE_NOT_SUPPORTED = "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
LANGUAGE_UNKNOWN = "LANGUAGE_DETECTION_FAILED"
INVALID = "INVALID_REQUEST"


class Refused(Malformed):
    """The request cannot be answered; ``kind`` is the protocol's own name for why, ``more`` what else it tells."""

    def __init__(self, message: str, kind: str = INVALID, more: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.more = dict(more or {})


@dataclass(frozen=True, slots=True)
class Asked:
    """A text and what is to be said of it. ``attributes``: as they were requested, with the least score to be told."""

    text: str
    is_html: bool = False
    attributes: Mapping[str, float] = field(default_factory=dict)
    languages: Sequence[str] = ()
    by_sentence: bool = False
    drops_unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """An attribute's score, and those of parts: (begin, end, score), counted in UTF-16 units of the text as sent."""

    score: float
    parts: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """The attributes at or above their least scores, and the languages: what was gone by, and what was found."""

    scores: Mapping[str, Scored]
    languages: tuple[str, ...]
    detected: tuple[str, ...]


def check_text(text: str) -> None:
    """Raise ``Refused`` for a text that is empty or too long."""
    if not text.strip():
        raise Refused("Comment must be non-empty.", EMPTY)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise Refused("Comment text too long.", TOO_LONG)


def not_supported(attribute: str, languages: Sequence[str], *, requested: bool) -> Refused:
    """The refusal of an attribute that cannot be scored in these languages."""
    message = f"Attribute {attribute} does not support request languages: {', '.join(languages)}"
    which = "requestedLanguages" if requested else "detectedLanguages"
    more = {"languageNotSupportedByAttributeError": {which: list(languages), "attribute": attribute}}
    return Refused(message, LANGUAGE_NOT_SUPPORTED, more)


def label_of(suggested: Mapping[str, float]) -> str | None:
    """What suggested scores say of a text: ``spam``, ``unwanted`` or ``fine``; None where they say nothing of that."""
    if suggested.get(SPAM, 0.0) >= AGREED_FROM:
        return "spam"
    told = [value for name, value in suggested.items() if name in UNWANTED or name == SPAM]
    if not told:
        return None
    return "unwanted" if max(told) >= AGREED_FROM else "fine"
