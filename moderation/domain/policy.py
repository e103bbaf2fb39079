"""From signals to a decision, by a site's settings. Pure: no clock, no database, no network.

A *signal* is one thing noticed about a comment. Its ``weight`` is its share of the risk: the weights of all signals
add up and are clamped to 0..1. ``scores`` are attribute scores (toxicity and its kin, spam), each 0..1.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from moderation.domain.comment import State

ATTRIBUTES = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack", "spam")
"""The names of the scores in a queue item, in the order of the contract."""

EXTERNAL = "external:"
"""What the name of an external scorer's signal begins with."""


RISK_AT_THRESHOLD = 0.2
"""The weight of a score that just reaches its threshold: the risk from which a site in ``auto`` mode lets a moderator
look, unless it sets another."""


class Forces(StrEnum):
    """What a signal settles on its own, whatever the sum says."""

    HOLD = "hold"
    SPAM = "spam"


def strictest(forces: Collection[str | None]) -> Forces | None:
    """The strictest of what several signals or rules settle, also by the names of their actions; None for nothing."""
    return Forces.SPAM if Forces.SPAM in forces else Forces.HOLD if Forces.HOLD in forces else None


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
    """One thing noticed. ``weight`` -1..1, below 0 speaks for the comment; not ``available``: could not be judged.

    Where it does not ``approves``, a weight below 0 lowers the risk, and no site publishes a comment for it.
    """

    name: str
    weight: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    forces: Forces | None = None
    available: bool = True
    approves: bool = True


@cache
def nothing(name: str) -> Signal:
    """The signal of that name that found nothing: the same object each time, since most find nothing in a comment."""
    return Signal(name)


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


def noticed(signal: Signal) -> bool:
    """Whether a signal is worth storing and showing: it says something, or could not be judged.

    The others only carry the scores of a comment in which they found nothing.
    """
    return bool(signal.weight or signal.evidence or signal.forces) or not is_usable(signal)


def is_usable(signal: Signal) -> bool:
    """Whether a signal was judged and its numbers make sense: a weight in -1..1, scores in 0..1, none of them NaN."""
    if not (signal.available and -1 <= signal.weight <= 1):
        return False
    for score in signal.scores.values():  # noqa: SIM110 - for every signal of every comment; a generator takes twice as long
        if not 0 <= score <= 1:
            return False
    return True


def four_places(share: float) -> float:
    """A figure of 0..1 rounded to four places: as ``round`` does it, in a third of the time."""
    return int(share * 10_000 + 0.5) / 10_000


def risk_share(score: float, threshold: float, most: float) -> float:
    """The share of the risk that a score stands for.

    0 below half its threshold, ``RISK_AT_THRESHOLD`` at it, ``most`` at 1, straight lines between.
    """
    at_threshold = min(RISK_AT_THRESHOLD, most)
    if score <= threshold / 2:
        return 0.0
    if score < threshold:
        return (score / threshold * 2 - 1) * at_threshold
    return at_threshold + (score - threshold) / max(1 - threshold, 1e-6) * (most - at_threshold)


def decide(signals: Sequence[Signal], policy: Policy) -> Verdict:
    """What becomes of a comment: ``pending``, or ``approved`` or ``spam`` where the site's settings say so.

    ``hold`` mode approves nothing. ``auto`` mode approves what every signal could judge, none holds, and whose risk is
    below ``approve_below``, also without what speaks for it and may not approve. With ``auto_spam``, either mode sends
    to spam what a signal forces there, or whose risk reaches ``spam_from`` with every signal judged. Everything else
    waits for a moderator, also where a threshold is NaN or the mode unknown. An attribute that no signal scores is None
    and holds nothing.
    """
    usable = [signal for signal in signals if is_usable(signal)]
    missing = [_unjudged(signal) for signal in signals if not is_usable(signal)] if len(usable) < len(signals) else []
    risk = _risk(usable)
    state, why = _settle(usable, missing, risk, policy)
    causes = [signal for signal in usable if signal.weight > 0 and signal.evidence]
    causes.sort(key=lambda signal: -signal.weight)
    return Verdict(state, risk, _scores(usable), (*why, *[signal.evidence[0].text for signal in causes]))


def _settle(usable: list[Signal], missing: list[str], risk: float, policy: Policy) -> tuple[State, list[str]]:
    forcing = [signal for signal in usable if signal.forces]
    spam = [f"{in_words(s.name)} marks it as spam." for s in forcing if s.forces is Forces.SPAM]
    if policy.auto_spam and spam:
        return State.SPAM, spam
    if policy.auto_spam and not missing and risk >= policy.spam_from:
        return State.SPAM, [f"The risk of {risk:.2f} reaches this site's limit for spam, {policy.spam_from:.2f}."]
    why = spam + [f"{in_words(s.name)} asks for a moderator." for s in forcing if s.forces is Forces.HOLD]
    why += missing
    if policy.mode != "auto":
        return State.PENDING, [*why, "This site holds every comment."]
    unfavoured = _risk([signal for signal in usable if signal.approves or signal.weight > 0])
    if not risk < policy.approve_below:
        why.append(f"The risk of {risk:.2f} is not below this site's limit, {policy.approve_below:.2f}.")
    elif not unfavoured < policy.approve_below:
        why.append(f"Without what may not approve it, the risk is {unfavoured:.2f}: not below this site's limit.")
    if why:
        return State.PENDING, why
    return State.APPROVED, [f"The risk of {risk:.2f} is below this site's limit, {policy.approve_below:.2f}."]


def _unjudged(signal: Signal) -> str:
    if signal.name.startswith(EXTERNAL) and signal.evidence:
        return signal.evidence[0].text
    return f"{in_words(signal.name)} could not be judged."


def _risk(signals: Sequence[Signal]) -> float:
    return four_places(min(1.0, max(0.0, sum([signal.weight for signal in signals]))))


def in_words(name: str) -> str:
    """The name of a signal or an attribute at the beginning of a sentence."""
    return name.replace("_", " ").capitalize()


def _scores(signals: Sequence[Signal]) -> dict[str, float | None]:
    """For each attribute the highest score that a signal gives, None where none gives one."""
    highest: dict[str, float] = {}
    for signal in signals:
        for name, score in signal.scores.items():
            if score >= highest.get(name, 0.0):
                highest[name] = score
    return {name: four_places(highest[name]) if name in highest else None for name in ATTRIBUTES}


def evidence_as_json(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """The form of evidence in storage: ``[{"text": ..., "spans": [[start, end], ...]}]``, in code points."""
    return [{"text": e.text, "spans": [[s.start, s.end] for s in e.spans]} for e in evidence]


def evidence_shown(evidence: Sequence[Mapping[str, Any]], source: str) -> list[dict[str, Any]]:
    """Stored evidence as callers get it: with ``spans_utf16``, the same places in UTF-16 code units.

    Those are what JavaScript, Java and C# count: ``source.slice(start, end)`` is the place there.
    """
    wide = [at for at, char in enumerate(source) if char > "\uffff"] if _has_wide(source) else []
    return [
        {
            **one,
            "spans_utf16": [[at + bisect_left(wide, at) for at in span] for span in one.get("spans", [])],
        }
        for one in evidence
    ]


def _has_wide(source: str) -> bool:
    return not source.isascii() and max(source) > "\uffff"
