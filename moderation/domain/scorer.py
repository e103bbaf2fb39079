"""External scorers: how one is set up, what its answer weighs, when one that did not answer is asked again. Pure."""

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from moderation.domain.links import safe_url
from moderation.domain.policy import ATTRIBUTES, EXTERNAL, Evidence, Signal, Span, in_words, risk_share
from moderation.domain.webhook import SECRET_PREFIX
from moderation.errors import Invalid

NAME_PATTERN = "^[a-z0-9][a-z0-9-]{0,29}$"
"""With the prefix a name fits the 40 characters of a signal's."""

MAX_DEADLINE_MS = 2_000
"""Longest that a reader's request may wait for a scorer."""

MAX_SECRET_CHARS = 500
THRESHOLD = 0.5
"""The score from which on an attribute is flagged, where ``thresholds`` sets no other."""

MAX_WEIGHT = 0.5
"""The most that a scorer adds to the risk, where ``max_weight`` sets no other."""

WAITS_S = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400)
"""Seconds before each further try after one that failed: 7.7 h in all. Then the comment is left to the moderators."""

JITTER_SHARE = 0.1
MAX_RETRY_AFTER_S = 3_600.0


class Kind(StrEnum):
    """What a scorer speaks."""

    HTTP = "http"
    PERSPECTIVE = "perspective"
    AKISMET = "akismet"
    OPENAI_MODERATION = "openai_moderation"
    OPENAI_CHAT = "openai_chat"


@dataclass(frozen=True, slots=True)
class Scorer:
    """A scorer that is asked about a site's comments; without ``site_id``, about those of all sites.

    With ``deadline_ms`` above 0 it is asked within the reader's request too, which waits that long and no longer.
    """

    id: uuid.UUID
    site_id: uuid.UUID | None
    name: str
    kind: Kind
    url: str
    secret_sealed: bytes | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    deadline_ms: int = 0

    @property
    def signal(self) -> str:
        """The name of its signal."""
        return EXTERNAL + self.name


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of a comment that is asked about; each protocol sends as little of it as it can.

    ``id`` stays the same for every try with the same text. ``site_url`` is the site's first origin.
    """

    id: str
    site: str
    thread_key: str
    text: str = field(repr=False)
    site_url: str = ""
    page_url: str | None = None
    author_name: str = field(default="", repr=False)
    author_url: str | None = field(default=None, repr=False)
    ip_network: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a scorer answered, checked: scores 0..1 and the places that carry them, a weight of its own or None,
    sentences, its version.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    weight: float | None = None
    evidence: tuple[Evidence, ...] = ()
    version: str = ""


# --- what an answer weighs --------------------------------------------------------------------------------------


def signal_of(scorer: Scorer, opinion: Opinion) -> Signal:
    """The signal of an answer: its weight, at most ``max_weight``, and a sentence for each attribute that is flagged.

    A weight of the scorer's own counts instead of the scores'. It counts for the comment only where the option
    ``may_lower`` says so: a scorer does not approve by being asked nicely.
    """
    most = float(scorer.options.get("max_weight", MAX_WEIGHT))
    by_score = {name: risk_share(score, threshold_of(scorer, name), most) for name, score in opinion.scores.items()}
    weight = max(by_score.values(), default=0.0)
    if opinion.weight is not None:
        weight = min(max(opinion.weight, -most if scorer.options.get("may_lower") else 0.0), most)
    evidence = tuple(e for name in by_score for e in _flagged(scorer, opinion, name)) + opinion.evidence
    if weight and not evidence:
        evidence = (Evidence(f"The scorer {scorer.name} gives it a weight of {weight:.2f}."),)
    return Signal(scorer.signal, round(weight, 4), evidence, dict(opinion.scores))


def unanswered(scorer: Scorer) -> Signal:
    """The signal of a scorer that is still to be asked, or to answer."""
    return Signal(
        scorer.signal, evidence=(Evidence(f"The scorer {scorer.name} has not answered yet."),), available=False
    )


def gave_up(scorer: Scorer) -> Signal:
    """The signal of a scorer that has not answered in all its tries."""
    return Signal(scorer.signal, evidence=(Evidence(f"The scorer {scorer.name} did not answer."),), available=False)


def threshold_of(scorer: Scorer, attribute: str) -> float:
    """The score from which on this scorer's attribute is flagged."""
    return float(scorer.options.get("thresholds", {}).get(attribute, THRESHOLD))


def _flagged(scorer: Scorer, opinion: Opinion, name: str) -> list[Evidence]:
    score = opinion.scores[name]
    if score < threshold_of(scorer, name):
        return []
    version = f" ({opinion.version})" if opinion.version else ""
    sentence = f"{in_words(name)} {score:.2f} by the scorer {scorer.name}{version}."
    return [Evidence(sentence, opinion.places.get(name, ()))]


# --- when to ask again ------------------------------------------------------------------------------------------


def next_try(attempts: int, now: datetime, *, jitter: float, retry_after_s: float | None = None) -> datetime | None:
    """When to ask again after ``attempts`` tries that failed; None where it was the last.

    ``jitter`` is a random number 0..1. ``retry_after_s`` can only lengthen the wait, to an hour at most.
    """
    if attempts > len(WAITS_S):
        return None
    wait_s = WAITS_S[attempts - 1] * (1 + JITTER_SHARE * jitter)
    return now + timedelta(seconds=max(wait_s, min(retry_after_s or 0.0, MAX_RETRY_AFTER_S)))


# --- the set-up -------------------------------------------------------------------------------------------------


def checked_secret(kind: Kind, secret: str) -> str:
    """A secret as it may be kept. Raises ``Invalid``: for ``http`` it signs, elsewhere it goes into a header or URL."""
    if not (1 <= len(secret) <= MAX_SECRET_CHARS and re.fullmatch(r"[\x21-\x7e]+", secret)):
        raise Invalid({"secret": [f"It is 1 to {MAX_SECRET_CHARS} visible ASCII characters."]})
    if kind is Kind.HTTP and not _is_signing_secret(secret):
        raise Invalid(
            {"secret": [f"It is '{SECRET_PREFIX}' and the base64 of 24 to 64 random bytes; or leave it out."]}
        )
    return secret


def _is_signing_secret(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(SECRET_PREFIX) and 24 <= len(key) <= 64


def checked_options(kind: Kind, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they are stored. Raises ``Invalid`` naming ``options.<name>`` for what does not fit the kind."""
    problems: dict[str, list[str]] = {}
    checked: dict[str, Any] = {}
    known = [name for name, option in OPTIONS.items() if kind in option.kinds]
    for name, value in options.items():
        try:
            if name not in known:
                raise ValueError(f"Unknown for this kind. Known are: {', '.join(known)}.")
            checked[name] = OPTIONS[name].read(value)
        except ValueError as error:
            problems[f"options.{name}"] = [str(error)]
    if kind is Kind.OPENAI_CHAT and "model" not in options:
        problems["options.model"] = ["It is required for this kind."]
    if problems:
        raise Invalid(problems)
    return checked


@dataclass(frozen=True, slots=True)
class Option:
    """An option: the kinds that have it, and how a value is read; ``read`` raises ``ValueError``."""

    kinds: frozenset[Kind]
    read: Callable[[Any], Any]


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("It is a number from 0 to 1.")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("It is true or false.")
    return value


def _thresholds(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or not set(value) <= set(ATTRIBUTES):
        raise ValueError(f"It maps names of scores to numbers. Known are: {', '.join(ATTRIBUTES)}.")
    found = {name: _share(threshold) for name, threshold in value.items()}
    if not all(found.values()):
        raise ValueError("A threshold is above 0.")
    return found


def _attributes(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError("It is a list of names of scores.")
    if not set(value) <= set(ATTRIBUTES):
        raise ValueError(f"Unknown score. Known are: {', '.join(ATTRIBUTES)}.")
    return list(dict.fromkeys(value))


def _matching(pattern: str, message: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(message)
        return value

    return read


def _address(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 300 or safe_url(value) is None:
        raise ValueError("It is a web address like https://news.example/.")
    return value


_ALL, _OPENAI = frozenset(Kind), frozenset({Kind.OPENAI_MODERATION, Kind.OPENAI_CHAT})
OPTIONS: dict[str, Option] = {
    "thresholds": Option(_ALL, _thresholds),
    "max_weight": Option(_ALL, _share),
    "language": Option(
        _ALL - _OPENAI, _matching(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}", "It is a language like 'en'.")
    ),
    "model": Option(_OPENAI, _matching(r"[\x21-\x7e]{1,100}", "It is 1 to 100 visible ASCII characters.")),
    "json_mode": Option(frozenset({Kind.OPENAI_CHAT}), _truth),
    "attributes": Option(frozenset({Kind.PERSPECTIVE}), _attributes),
    "blog": Option(frozenset({Kind.AKISMET}), _address),
    "send_network": Option(frozenset({Kind.AKISMET}), _truth),
    "send_name": Option(frozenset({Kind.AKISMET, Kind.HTTP}), _truth),
    "may_lower": Option(frozenset({Kind.HTTP}), _truth),
}
"""Every option of a scorer."""
