"""Coral's external moderation phase: whose request it is, and what our verdict means there. Pure.

Source: the description of external moderation phases in Coral's repository.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from moderation.domain.comment import State
from moderation.domain.policy import Forces, Signal, Verdict, is_usable

SCHEME = "sha256="
MAX_SIGNATURES = 10
TONE = "attributes"
"""The signal of the trained model. A listed word alone is not toxic; Coral has lists of its own."""

RUDE = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
TOXIC, SPAM = "COMMENT_DETECTED_TOXIC", "COMMENT_DETECTED_SPAM"

HELD, WITHHELD, REJECTED = "PREMOD", "SYSTEM_WITHHELD", "REJECTED"
"""Coral's states: a moderator looks first; the same, and its author is told; it is not published."""


def is_signed(header: str, secret: str, body: bytes) -> bool:
    """Whether one of the signatures (``sha256=HEX``, several while secrets are rotated) is of this very body."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = [one.strip() for one in header.split(",", MAX_SIGNATURES)[:MAX_SIGNATURES]]
    return any(one.isascii() and hmac.compare_digest(one, SCHEME + expected) for one in given)


def answer_of(verdict: Verdict, signals: tuple[Signal, ...], thresholds: Mapping[str, float]) -> dict[str, Any] | None:
    """What Coral is answered; None for no opinion, which lets its own phases go on.

    ``verdict`` is one of the site's policy in ``auto`` mode. Nothing is ever approved over Coral's own phases.
    """
    tone = next((signal.scores for signal in signals if signal.name == TONE and is_usable(signal)), {})
    reasons = [TOXIC] if any(_reaches(tone, thresholds, name) for name in RUDE) else []
    is_spam = verdict.state is State.SPAM or _reaches(verdict.scores, thresholds, "spam")
    if is_spam or any(is_usable(signal) and signal.forces is Forces.SPAM for signal in signals):
        reasons.append(SPAM)
    actions = [{"actionType": "FLAG", "reason": reason} for reason in reasons]
    if verdict.state is State.SPAM:
        return {"actions": actions, "status": REJECTED}
    if actions:
        return {"actions": actions, "status": WITHHELD}
    if verdict.state is not State.APPROVED:
        return {"status": HELD}
    return None


def _reaches(scores: Mapping[str, float | None], thresholds: Mapping[str, float], name: str) -> bool:
    """Whether a score counts as found."""
    return name in thresholds and (scores.get(name) or 0.0) >= thresholds[name]
