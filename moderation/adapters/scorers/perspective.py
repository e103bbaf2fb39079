"""``perspective``: servers that speak the Perspective API, v1alpha1 (``comments:analyze``).

The text goes out with ``doNotStore``. Places in answers count UTF-16 units; ours count code points.
"""

import itertools
from datetime import datetime
from typing import Any
from urllib.parse import quote

from moderation.adapters.safe_http import Answer
from moderation.adapters.scorers import reading
from moderation.adapters.scorers.reading import Request
from moderation.domain.policy import Span
from moderation.domain.scorer import Opinion, Question, Scorer, threshold_of

NAMES = {
    "toxicity": "TOXICITY",
    "severe_toxicity": "SEVERE_TOXICITY",
    "obscene": "PROFANITY",
    "threat": "THREAT",
    "insult": "INSULT",
    "identity_attack": "IDENTITY_ATTACK",
    "spam": "SPAM",
}
"""Our scores and theirs."""

ASKED = tuple(name for name in NAMES if name != "spam")
"""What is asked for where the option ``attributes`` names nothing else; SPAM is an experimental attribute there."""

_MAX_PLACES = 2_000


def request(scorer: Scorer, secret: str, question: Question, _now: datetime) -> Request:
    """A question for the wanted attributes and their places."""
    content: dict[str, Any] = {
        "comment": {"text": question.text, "type": "PLAIN_TEXT"},
        "requestedAttributes": {NAMES[name]: {} for name in _asked(scorer)},
        "spanAnnotations": True,
        "doNotStore": True,
    }
    if "language" in scorer.options:
        content["languages"] = [scorer.options["language"]]
    base = scorer.url.rstrip("/").removesuffix("/v1alpha1")
    key = f"?key={quote(secret, safe='')}" if secret else ""
    return Request(f"{base}/v1alpha1/comments:analyze{key}", reading.JSON, reading.written(content))


def opinion(scorer: Scorer, question: Question, answer: Answer) -> Opinion:
    """Every attribute that was asked for has to be there."""
    found = reading.mapping(reading.read_object(answer.body).get("attributeScores"))
    scores: dict[str, float] = {}
    places: dict[str, tuple[Span, ...]] = {}
    units = _code_points(question.text)
    for name in _asked(scorer):
        attribute = reading.mapping(found.get(NAMES[name]))
        scores[name] = reading.number(reading.mapping(attribute.get("summaryScore")).get("value"))
        places[name] = _places(attribute.get("spanScores", []), threshold_of(scorer, name), units)
    return Opinion(scores, places)


def _asked(scorer: Scorer) -> tuple[str, ...]:
    return tuple(scorer.options.get("attributes", ASKED))


def _places(value: Any, threshold: float, units: list[int]) -> tuple[Span, ...]:
    """The places that reach the threshold themselves."""
    found = []
    for one in reading.items(value, _MAX_PLACES):
        part = reading.mapping(one)
        score = reading.number(reading.mapping(part.get("score")).get("value"))
        # The two are left out where they are 0, as Protocol Buffers have it.
        within = reading.place([part.get("begin", 0), part.get("end", 0)], len(units) - 1)
        if score >= threshold:
            found.append(Span(units[within.start], units[within.end]))
    return tuple(found[: reading.MAX_SPANS])


def _code_points(text: str) -> list[int]:
    """For each UTF-16 unit of a text, and its end, the code point that it belongs to."""
    units = itertools.chain.from_iterable((at,) * (2 if char > "\uffff" else 1) for at, char in enumerate(text))
    return [*units, len(text)]
