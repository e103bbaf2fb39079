"""External scorers, asked: within a reader's request as far as a deadline allows, or later by the worker.

Nobody is waited for inside a transaction. What a scorer does not answer in time is "unavailable", and the policy holds
the comment.
"""

import queue
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.orm import Session

from moderation.domain.comment import WAITING, State
from moderation.domain.policy import Policy, Signal, decide
from moderation.domain.scorer import Question, Scorer, signal_of
from moderation.errors import ScorerUnavailable
from moderation.services.judging import Judged
from moderation.services.parts import Parts
from moderation.storage import scorings
from moderation.storage.models import Comment
from moderation.storage.sealed import NO_SITE

ASKED = Counter(
    "moderation_scorer_requests", "Questions to external scorers, by what came of them.", ["scorer", "outcome"]
)
SECONDS = Histogram(
    "moderation_scorer_request_seconds",
    "Time to an external scorer's answer or failure.",
    ["scorer"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60),
)

UNUSABLE = "The scorer's secret cannot be used. Set it again."

_log = structlog.get_logger("moderation.asking")


def ask(parts: Parts, scorer: Scorer, question: Question, timeout_s: float) -> Signal:
    """The signal of a scorer, within ``timeout_s``. Raises ``ScorerUnavailable``, whatever went wrong."""
    started = time.monotonic()
    try:
        opinion = parts.scorers.ask(scorer, secret_of(parts, scorer), question, parts.clock(), timeout_s)
        signal = signal_of(scorer, opinion)
    except ScorerUnavailable as error:
        _note(scorer, "failed" if error.asked else "skipped", started, error.detail)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not lose a reader's comment
        _note(scorer, "failed", started, type(error).__name__)
        raise ScorerUnavailable(UNUSABLE) from None
    _note(scorer, "answered", started)
    return signal


def secret_of(parts: Parts, scorer: Scorer) -> str:
    """The secret of a scorer in the clear, empty where it has none. Raises ``Bug`` where it does not open."""
    if scorer.secret_sealed is None:
        return ""
    place = {"row_id": scorer.id, "site_id": scorer.site_id or NO_SITE}
    return parts.vault.open(scorer.secret_sealed, table="scorers", column="secret_sealed", **place).decode("ascii")


def answered_in_time(parts: Parts, policy: Policy, question: Question, judged: Judged) -> Judged:
    """Ask the scorers that have a deadline, all at once, and decide again with what they answered until then.

    Waits for the longest deadline at most, whatever the scorers do.
    """
    answers = _answers(parts, [scorer for scorer in judged.scorers if scorer.deadline_ms], question)
    if not answers:
        return judged
    signals = tuple(answers.get(signal.name, signal) for signal in judged.signals)
    return replace(judged, signals=signals, verdict=decide(signals, policy))


def ask_later(session: Session, comment: Comment, judged: Judged, *, may_approve: bool = True) -> None:
    """Leave to the worker what has not answered, in the caller's transaction. Only what waits is asked about."""
    missing = {signal.name for signal in judged.signals if not signal.available}
    late = [scorer.id for scorer in judged.scorers if scorer.signal in missing]
    if late and State(comment.state) in WAITING:
        now = comment.edited_at or comment.created_at
        scorings.enqueue(session, comment, late, now, may_approve=may_approve)


def message_id(comment_id: uuid.UUID, version: int) -> str:
    """The id of a question: the same for every try with the same text."""
    return f"{comment_id}-{version}"


def _answers(parts: Parts, asked: Sequence[Scorer], question: Question) -> dict[str, Signal]:
    found: queue.SimpleQueue[Signal | None] = queue.SimpleQueue()

    def put(scorer: Scorer) -> None:
        try:
            found.put(ask(parts, scorer, question, scorer.deadline_ms / 1000))
        except ScorerUnavailable:
            found.put(None)

    end = time.monotonic() + max(scorer.deadline_ms for scorer in asked) / 1000
    for scorer in asked:
        threading.Thread(target=put, args=(scorer,), name="scorer", daemon=True).start()
    answers: dict[str, Signal] = {}
    for _ in asked:
        try:
            signal = found.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        if signal is not None:
            answers[signal.name] = signal
    return answers


def _note(scorer: Scorer, outcome: str, started: float, error: str = "") -> None:
    ASKED.labels(str(scorer.id), outcome).inc()
    if outcome == "skipped":
        return
    SECONDS.labels(str(scorer.id)).observe(time.monotonic() - started)
    if error:
        _log.warning("scorer unavailable", scorer=str(scorer.id), error=error)
