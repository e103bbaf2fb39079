"""From signals to a decision, by a site's settings. Pure: no clock, no database, no network.

A *signal* is one thing noticed about a comment. Its ``weight`` is its share of the risk: the weights of all signals
add up and are clamped to 0..1. ``scores`` are attribute scores (toxicity and its kin, spam), each 0..1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from moderation.domain.comment import State

ATTRIBUTES = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack", "spam")
"""The names of the scores in a queue item, in the order of the contract."""


class Forces(StrEnum):
    """What a signal settles on its own, whatever the sum says."""

    HOLD = "hold"
    SPAM = "spam"


@dataclass(frozen=True, slots=True)
class Span:
    """A range of the comment's source: ``start`` inclusive, ``end`` exclusive, in Unicode code points."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a signal fired: one sentence for a moderator, and the places in the source that carry it."""

    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing noticed. ``weight`` -1..1 (negative speaks for the comment); ``available`` False: could not be judged."""

    name: str
    weight: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    forces: Forces | None = None
    available: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """A site's settings as far as they decide. ``mode`` is ``hold`` (a moderator sees everything) or ``auto``."""

    mode: str = "hold"
    approve_below: float = 0.2
    spam_from: float = 0.9
    auto_spam: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a comment, and why. ``risk`` 0..1; ``scores`` has every attribute, None where unavailable."""

    state: State
    risk: float
    scores: dict[str, float | None]
    reasons: tuple[str, ...]


def evidence_as_json(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """The form of evidence in storage and in API answers: ``[{"text": ..., "spans": [[start, end], ...]}]``."""
    return [{"text": e.text, "spans": [[s.start, s.end] for s in e.spans]} for e in evidence]
