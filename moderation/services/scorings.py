"""What the worker does about external scorers: ask those that have not answered, and let the policy decide again.

An answer is stored in ONE transaction, in which the comment must still have the version that was asked about. Where
the policy then decides, it does so as it would have at once; but what a moderator has touched is left to moderators.
"""

import random
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from moderation.domain.comment import WAITING, State
from moderation.domain.policy import Signal, Verdict, decide
from moderation.domain.scorer import Question, gave_up, next_try
from moderation.domain.site import site_settings
from moderation.errors import Bug, ScorerUnavailable
from moderation.services import asking
from moderation.services.judging import signal_row, stored_signal
from moderation.services.parts import Parts
from moderation.services.submit import apply_policy, audit_policy
from moderation.storage import comments, decisions, scorings, sites, threads
from moderation.storage.db import read, write
from moderation.storage.models import Comment, Site
from moderation.storage.scorings import Leased

AT_ONCE = 4
"""Questions to one scorer at the same time, over all workers."""

SETTLE_S = 10.0
"""What a lease has in reserve for settling; after a crash its comments wait that long, and a timeout."""

LEFT_ALONE_S = 30.0
"""When a question that was not asked is due again."""

EARLIER = "earlier"
"""Stands for the scores that the other signals gave: of several for one attribute the highest counts."""

_log = structlog.get_logger("moderation.scorings")


def ask_due(parts: Parts) -> int:
    """One round: lease what is due, ask and settle, one after the other. Returns how many were asked."""
    leased = lease_due(parts, limit=100)
    for one in leased:
        carry_out(parts, one)
    return len(leased)


def lease_due(parts: Parts, *, limit: int) -> list[Leased]:
    """Lease up to ``limit`` questions. Takes no write lock where nothing is due."""
    now, resting = parts.clock(), parts.scorers.resting()
    with read() as session:
        if not scorings.is_due(session, now=now, without=resting):
            return []
    lease_s = parts.settings.scorer_timeout_s + SETTLE_S
    with write() as session:
        return scorings.lease_due(session, now=now, limit=limit, lease_s=lease_s, per_scorer=AT_ONCE, without=resting)


def carry_out(parts: Parts, leased: Leased) -> None:
    """Ask outside of any transaction, then settle. Raises ``StorageUnavailable`` where that cannot be written: the
    lease ends by itself, and the same question is asked again.
    """
    try:
        signal = asking.ask(parts, leased.scorer, _question(leased), parts.settings.scorer_timeout_s)
    except ScorerUnavailable as error:
        _put_off(parts, leased, error)
    else:
        _store(parts, leased, signal)


def _question(leased: Leased) -> Question:
    return Question(
        id=asking.message_id(leased.comment_id, leased.version),
        site=leased.site_key,
        thread_key=leased.thread_key,
        text=leased.body,
        site_url=leased.origins[0] if leased.origins else "",
        page_url=leased.thread_url,
        author_name=leased.author_name,
        author_url=leased.author_url,
        ip_network=leased.ip_network,
    )


def _put_off(parts: Parts, leased: Leased, error: ScorerUnavailable) -> None:
    now = parts.clock()
    if not error.asked:
        with write() as session:
            scorings.put_off(session, leased, error.detail, now + timedelta(seconds=LEFT_ALONE_S), counted=False)
        return
    jitter = random.random()  # noqa: S311 (spreads load, guards nothing)
    due_at = next_try(leased.attempts + 1, now, jitter=jitter, retry_after_s=error.wait_s)
    with write() as session:
        if due_at is not None:
            scorings.put_off(session, leased, error.detail, due_at, counted=True)
            return
        comment = _still_waiting(session, leased)
        if scorings.give_up(session, leased, error.detail) and comment is not None:
            _judge_again(session, comment, gave_up(leased.scorer))
    _log.warning("scorer given up", scorer=str(leased.scorer.id), comment=str(leased.comment_id))


def _store(parts: Parts, leased: Leased, signal: Signal) -> None:
    """Keep the answer, and let the policy decide, if nothing happened to the comment since it was asked about."""
    with write() as session:
        threads.lock_threads(session, [leased.thread_id])
        comment = _still_waiting(session, leased)
        if not scorings.take(session, leased) or comment is None:
            return
        site, verdict = _judge_again(session, comment, signal)
        after = verdict.state
        thread = threads.thread_by_id(session, leased.thread_id)
        if thread is None or not _may_decide(parts, session, comment, leased, after):
            return
        if comments.move_comment(session, comment, after):
            comments.note_move(comment, state=after.value)
            apply_policy(session, site, thread, comment, verdict.reasons[0], parts.clock())
            audit_policy(parts, session, comment, verdict.reasons[0], parts.clock())


def _still_waiting(session: Session, leased: Leased) -> Comment | None:
    """The comment, locked, if its text is the one that was asked about and nobody has decided on it."""
    comment = comments.comments_for_change(session, [leased.comment_id]).get(leased.comment_id)
    if comment is None or comment.version != leased.version or State(comment.state) not in WAITING:
        return None
    return comment


def _judge_again(session: Session, comment: Comment, signal: Signal) -> tuple[Site, Verdict]:
    """Store a signal in the place of the one that was unavailable, and what the policy makes of all of them."""
    comments.replace_signal(session, comment, signal_row(signal))
    stored = [stored_signal(row) for row in comments.signals_of(session, comment.id)]
    scores = {name: score for name, score in comment.scores.items() if score is not None}
    site = sites.site_by_id(session, comment.site_id)
    if site is None:
        raise Bug(f"The comment {comment.id} has no site.")
    verdict = decide([*stored, Signal(EARLIER, scores=scores)], site_settings(site.settings).decision_policy())
    comments.rejudge(session, comment, verdict.risk, verdict.scores, verdict.reasons)
    comments.note_move(comment, risk=verdict.risk, scores=verdict.scores, reasons=list(verdict.reasons))
    return site, verdict


def _may_decide(parts: Parts, session: Session, comment: Comment, leased: Leased, after: State) -> bool:
    """Whether the policy may move the comment there: from the queue alone, and past no moderator."""
    if State(comment.state) is not State.PENDING or after is State.PENDING:
        return False
    is_claimed = comment.claimed_until is not None and comment.claimed_until > parts.clock()
    if is_claimed or decisions.is_touched(session, comment.id):
        return False
    return after is State.SPAM or leased.may_approve
