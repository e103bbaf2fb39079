"""Learning from decisions: what moderators decide teaches their site's model, in the transaction of the decision.

Approving teaches that a comment is fine, spam that it is spam, rejecting that it is unwanted. Trash, restoring and
escalating say nothing of a text and teach nothing; nor does the site's policy, which would teach itself, nor a reader.
A later decision on the same comment replaces what the earlier one taught, and its undo brings that back.
"""

import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from sqlalchemy import Row
from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import Action
from moderation.domain.policy import Signal
from moderation.domain.site import SiteSettings, site_settings
from moderation.domain.text import normalise_body, normalise_line
from moderation.errors import Conflict, Invalid
from moderation.scoring import learned
from moderation.scoring.folding import fold
from moderation.scoring.learned import Features, Label, Learned, Outcome, Step
from moderation.scoring.pipeline import Candidate
from moderation.services.parts import Parts
from moderation.services.site_rules import rules_of_site
from moderation.services.sites import audit_line, site_for
from moderation.storage import learned as log
from moderation.storage.db import read, write
from moderation.storage.models import Comment, Site

TEACHES = {Action.APPROVE: Label.FINE, Action.SPAM: Label.SPAM, Action.REJECT: Label.UNWANTED}
"""What each action says of a comment; the others say nothing."""

LABELS = ("fine", "spam", "unwanted")
"""The labels as the API names them, in the order of ``Label``."""

MAX_TEXT_CHARS = 10_000
MAX_REASON_CHARS = 200

WORDS_FROM = 400
"""Of so many of the latest comments that taught something are the words taken which show what was learned."""

WORD_IN = 3
"""Comments in which a word has to stand, to be shown."""

WORDS_SHOWN = 20
_WORD_CHARS = 2_000
_MODELS_KEPT = 64

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A decision that was made on a comment, as it is now."""

    comment: Comment
    decision_id: uuid.UUID
    action: Action


# --- the model of a site -------------------------------------------------------------------------------------------

_models: OrderedDict[uuid.UUID, Learned] = OrderedDict()
_keeping = threading.Lock()


def model_of_site(session: Session, site: Site, settings: SiteSettings) -> Learned | None:
    """What a site's decisions taught; None where it learns nothing or has learned nothing.

    Kept in this process; while it is the newest it costs no query, else one or two small ones. One that cannot be read
    is ``learned.UNUSABLE``, and its comments wait.
    """
    if not settings.learning or not site.learned_version:
        return None
    known = _models.get(site.id)
    if known is not None and known.version == site.learned_version:
        return known
    state = log.state_of(session, site.id)
    return _current(session, site.id, state) if state is not None else None


def _current(session: Session, site_id: uuid.UUID, state: Row[Any]) -> Learned:
    """The model after the step ``state.version``: the one in this process, or the snapshot, and what came after."""
    known = _models.get(site_id)
    try:
        if known is None or not state.snapshot_version <= known.version <= state.version:
            stored = log.snapshot_of(session, site_id)
            known = replace(_read(stored), version=state.snapshot_version)
        model = known.after(_step(row) for row in log.steps_after(session, site_id, known.version, state.version))
    except (Invalid, ValueError, IndexError) as error:
        _log.error("learned_unusable", site_id=str(site_id), error=type(error).__name__)
        return learned.UNUSABLE
    if model.version != state.version:  # a comment that taught the last steps is gone
        model = replace(model, version=state.version)
    with _keeping:
        _models[site_id] = model
        _models.move_to_end(site_id)
        while len(_models) > _MODELS_KEPT:
            _models.popitem(last=False)
    return model


def _read(stored: bytes | None) -> Learned:
    return learned.nothing() if stored is None else learned.from_json(json.loads(stored))


def _written(model: Learned) -> bytes:
    return json.dumps(learned.as_json(model)).encode("ascii")


# --- teaching ------------------------------------------------------------------------------------------------------


def learn(session: Session, parts: Parts, lessons: Iterable[Lesson]) -> None:
    """Learn from decisions that the caller's transaction has just made; all are predicted before any is learned.

    Call it after counts are written and before the audit log: it locks each site's model, in the order of their ids.
    """
    by_site: dict[uuid.UUID, list[Lesson]] = {}
    for lesson in lessons:
        if lesson.action in TEACHES:
            by_site.setdefault(lesson.comment.site_id, []).append(lesson)
    for site_id in sorted(by_site):
        _learn_on_site(session, parts, site_id, by_site[site_id])


def _learn_on_site(session: Session, parts: Parts, site_id: uuid.UUID, lessons: Sequence[Lesson]) -> None:
    book = _Book.open(session, parts, site_id)
    if book is None:
        return
    ids = [lesson.comment.id for lesson in lessons]
    standing = _standing(log.steps_of_comments(session, site_id, ids))
    said = log.said_of(session, ids)
    for lesson in lessons:
        model, old = book.before, standing.get(lesson.comment.id)
        if old is not None:
            back = book.take_back(old, lesson.decision_id)
            model = model.after([back])
        features = _features(parts, lesson.comment, said[lesson.comment.id])
        book.add(model, TEACHES[lesson.action], features, lesson.comment.id, lesson.decision_id)
    book.close()


def take_back(session: Session, parts: Parts, comment: Comment, decision_id: uuid.UUID) -> None:
    """Unlearn what a decision taught, and learn again what it had replaced. Nothing where its steps are gone.

    The figures are then those from before, but for a rest below a thousandth of a decision where they faded meanwhile.
    """
    rows = [
        row for row in log.steps_of_comments(session, comment.site_id, [comment.id]) if row.decision_id == decision_id
    ]
    book = _Book.open(session, parts, comment.site_id, even_if_off=True) if rows else None
    if book is None:
        return
    for row in reversed(rows):
        book.take_back(row, decision_id)
    book.close()


def forget(session: Session, parts: Parts, site_id: uuid.UUID, comment_ids: Sequence[uuid.UUID]) -> None:
    """Drop what is stored of the words of these comments; the counts that they added to stay.

    Call it where comments are emptied or deleted, after counts and before the audit log.
    """
    rows = log.steps_of_comments(session, site_id, comment_ids)
    if not rows:
        return
    state = log.locked_state(session, site_id, parts.clock())
    if max(row.seq for row in rows) > state.snapshot_version:
        model = _current(session, site_id, state)
        if model is not learned.UNUSABLE:
            log.keep_snapshot(session, site_id, model.version, _written(model))
    log.forget_comments(session, site_id, comment_ids)


class _Book:
    """The steps that one transaction adds to a site's log, from the locking of its model on."""

    def __init__(self, session: Session, site_id: uuid.UUID, state: Row[Any], before: Learned, now: datetime) -> None:
        self.before = before
        self._session, self._site_id, self._state, self._now = session, site_id, state, now
        self._seq, self._faded, self._faded_at = before.version, before.faded, state.faded_at
        self._steps: list[Step] = []
        self._rows: list[dict[str, Any]] = []

    @classmethod
    def open(cls, session: Session, parts: Parts, site_id: uuid.UUID, *, even_if_off: bool = False) -> "_Book | None":
        """Lock a site's model; None where it cannot be read, or the site does not learn and that matters."""
        state = log.locked_state(session, site_id, parts.clock())
        if not (site_settings(state.settings).learning or even_if_off):
            return None
        model = _current(session, site_id, state)
        return None if model is learned.UNUSABLE else cls(session, site_id, state, model, parts.clock())

    def add(
        self,
        model: Learned,
        label: Label,
        features: Features,
        comment_id: uuid.UUID | None = None,
        decision_id: uuid.UUID | None = None,
    ) -> None:
        """Learn one decision; ``model`` says what would have been predicted."""
        self._put(learned.step_of(model, self._seq + 1, label, features), comment_id, decision_id)

    def take_back(self, row: Row[Any], decision_id: uuid.UUID) -> Step:
        """Turn a stored step round, because of the decision."""
        step = learned.taking_back(_step(row), self._seq + 1, self._faded - row.faded)
        return self._put(step, row.comment_id, decision_id)

    def close(self) -> None:
        """Write the steps, and a snapshot where one is due."""
        if not self._rows:
            return
        log.add_steps(self._session, self._site_id, self._rows)
        if self._faded_at != self._state.faded_at:
            log.note_fading(self._session, self._site_id, self._faded_at)
        if self._seq - self._state.snapshot_version >= learned.FADES_EVERY:
            log.keep_snapshot(self._session, self._site_id, self._seq, _written(self.before.after(self._steps)))

    def _put(self, step: Step, comment_id: uuid.UUID | None, decision_id: uuid.UUID | None) -> Step:
        days = (self._now - self._faded_at).total_seconds() / 86_400
        step = replace(step, halvings=learned.halvings_due(step.seq, days))
        self._rows.append(_row(step, comment_id, decision_id, self._faded))
        self._steps.append(step)
        self._seq, self._faded = step.seq, self._faded + step.halvings
        if step.halvings:
            self._faded_at = self._now
        return step


def _standing(rows: Sequence[Row[Any]]) -> dict[uuid.UUID, Row[Any]]:
    """Of each comment the step that it taught and that was not taken back."""
    last = {row.comment_id: row for row in rows}
    return {comment_id: row for comment_id, row in last.items() if row.sign > 0}


def _features(parts: Parts, comment: Comment, said: Sequence[Row[Any]]) -> Features:
    """What a comment teaches from, of what is stored of it. The score for spam is left out, as it is in the model."""
    signals = [Signal(row.name, row.weight, available=row.available) for row in said]
    scores = {name: score for name, score in comment.scores.items() if score is not None and name != "spam"}
    links = parts.renderer.links(comment.body_html)
    return learned.features_of(fold(comment.body), links, comment.author_url, [*signals, Signal("", scores=scores)])


def _step(row: Row[Any]) -> Step:
    outcome = Outcome(row.number, row.label, row.risk, row.by_text, row.by_signals, row.bad)
    text, signals = (np.frombuffer(stored, "<u2") for stored in (row.text_rows, row.signal_rows))
    return Step(row.seq, row.sign, outcome, text, signals, row.worth, row.halvings)


def _row(step: Step, comment_id: uuid.UUID | None, decision_id: uuid.UUID | None, faded: float) -> dict[str, Any]:
    return {
        "seq": step.seq,
        "comment_id": comment_id,
        "decision_id": decision_id,
        "sign": step.sign,
        **step.outcome._asdict(),
        "text_rows": step.text.astype("<u2").tobytes(),
        "signal_rows": step.signals.astype("<u2").tobytes(),
        "worth": step.worth,
        "halvings": step.halvings,
        "faded": faded,
    }


def teach(parts: Parts, actor: Actor, site_key: str, text: str, label: str) -> dict[str, Any]:
    """Teach a site by a text that is no comment of it: ``fine``, ``spam`` or ``unwanted``. For moderators of the site.

    Nothing of the text is stored but its rows. Raises ``NotFound``, ``Forbidden``, ``Invalid``.
    """
    with write() as session:
        site = site_for(session, actor, site_key, Role.MODERATOR)
        teach_text(session, parts, site, text, label)
        audit_line(parts, session, actor, site, "learned.teach", "site", site.key, {"label": label})
    return show(parts, actor, site_key)


def teach_text(session: Session, parts: Parts, site: Site, text: str, label: str) -> None:
    """The same in the caller's transaction, who has made sure that its caller may teach. Raises ``Invalid``."""
    body = _checked_text(text, label)
    links = parts.renderer.links(parts.renderer.html(body))
    book = _Book.open(session, parts, site.id)
    if book is not None:
        features = _features_of_text(session, parts, site, body, None, links)
        book.add(book.before, Label(LABELS.index(label)), features)
        book.close()


def teach_anew(
    session: Session,
    parts: Parts,
    site: Site,
    text: str,
    label: str,
    author_url: str | None = None,
    links: Sequence[str] = (),
) -> bool:
    """Teach by a text that may have been taught before: what it had taught so is taken back, where it is still known.

    The same label again changes nothing. In the caller's transaction, as ``teach_text``; returns whether anything was
    learned. Of the text a keyed hash is stored besides, by which it is found again.
    """
    body = _checked_text(text, label)
    book = _Book.open(session, parts, site.id)
    if book is None:
        return False
    key, wanted = uuid.UUID(bytes=parts.vault.text_key(site.id, body)), Label(LABELS.index(label))
    old = log.last_step_of_text(session, site.id, key)
    model = book.before
    if old is not None and old.sign > 0:
        if old.label == wanted:
            return False
        model = model.after([book.take_back(old, key)])
    book.add(model, wanted, _features_of_text(session, parts, site, body, author_url, links), decision_id=key)
    book.close()
    return True


def _checked_text(text: str, label: str) -> str:
    body = normalise_body(text)
    if label not in LABELS:
        raise Invalid({"label": [f"It is one of: {', '.join(LABELS)}."]})
    if not body or len(body) > MAX_TEXT_CHARS:
        raise Invalid({"text": [f"It has {len(body)} characters; 1 to {MAX_TEXT_CHARS} are allowed."]})
    return body


def _features_of_text(
    session: Session, parts: Parts, site: Site, body: str, author_url: str | None, links: Sequence[str]
) -> Features:
    """What a text teaches from that is no comment."""
    ruled = rules_of_site(session, site)
    candidate = Candidate(body=body, author_url=author_url, links=links, rules=ruled.rules, automod=ruled.automod)
    return learned.features_of(fold(body), links, author_url, parts.pipeline.signals(candidate))


# --- looking, taking along, starting anew --------------------------------------------------------------------------


def show(parts: Parts, actor: Actor, site_key: str) -> dict[str, Any]:
    """What a site's decisions taught: how much, how well it predicts them, and the words that count most."""
    with read() as session:
        site = site_for(session, actor, site_key, Role.VIEWER)
        model = _whole(session, site)
        return {
            "site": site.key,
            "learning": site_settings(site.settings).learning,
            **figures(model),
            "words": _words(session, site, model),
        }


def _whole(session: Session, site: Site) -> Learned:
    """A site's model, whether it learns on or not."""
    return model_of_site(session, site, SiteSettings()) or learned.nothing()


def figures_of(session: Session, site_id: uuid.UUID) -> dict[str, Any]:
    """The figures of a site's model, whether it learns on or not."""
    state = log.state_of(session, site_id)
    return figures(learned.nothing() if state is None else _current(session, site_id, state))


def figures(model: Learned) -> dict[str, Any]:
    """How much was learned and how well it fares. ``most_weight``: what it may add to the risk now."""
    usable = model is not learned.UNUSABLE
    return {
        "usable": usable,
        "model": model.name,
        "decisions": model.taught,
        "ready": usable and model.ready,
        "proof": round(model.proof, 2),
        "most_weight": model.cap,
        "latest": [model.record(latest)._asdict() for latest in (100, learned.USED)],
    }


def export(parts: Parts, actor: Actor, site_key: str) -> dict[str, Any]:
    """A site's model to take along: figures and counts, and the words that count most. For admins of the site."""
    with read() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        model = _whole(session, site)
        if model is learned.UNUSABLE:
            raise Conflict("What was learned cannot be read. Reset it to start anew.")
        return {**learned.as_json(model), "words": _words(session, site, model)}


def import_model(parts: Parts, actor: Actor, site_key: str, stored: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Put an exported model in the place of a site's own. For admins of the site; the reason goes to the audit log."""
    model = learned.from_json(stored)
    return _start_anew(parts, actor, site_key, reason, model, "learned.import")


def reset(parts: Parts, actor: Actor, site_key: str, reason: str) -> dict[str, Any]:
    """Forget everything that a site's decisions taught. For admins of the site; the reason goes into the audit log."""
    return _start_anew(parts, actor, site_key, reason, None, "learned.reset")


def _start_anew(
    parts: Parts, actor: Actor, site_key: str, reason: str, model: Learned | None, action: str
) -> dict[str, Any]:
    reason = normalise_line(reason, "reason")
    if not reason or len(reason) > MAX_REASON_CHARS:
        raise Invalid({"reason": [f"Say why, in 1 to {MAX_REASON_CHARS} characters."]})
    with write() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        state = log.locked_state(session, site.id, parts.clock())
        log.forget_all(session, site.id)
        version = state.version + 1
        # Its outcomes get numbers from before any step that is to come.
        snapshot = None if model is None else _written(_renumbered(model, version))
        log.keep_snapshot(session, site.id, version, snapshot)
        log.note_fading(session, site.id, parts.clock())
        audit_line(parts, session, actor, site, action, "site", site.key, {}, reason)
    return show(parts, actor, site_key)


def _renumbered(model: Learned, version: int) -> Learned:
    first = version - len(model.outcomes)
    outcomes = tuple(outcome._replace(number=first + place) for place, outcome in enumerate(model.outcomes))
    return replace(model, version=version, outcomes=outcomes)


def _words(session: Session, site: Site, model: Learned) -> dict[str, list[dict[str, Any]]]:
    """The words that speak most against and for a comment, of those that stand in several comments which taught.

    They are read from the comments themselves: what is erased is not there, and nothing is kept for this list.
    """
    if model is learned.UNUSABLE:
        return {"against": [], "in_favour": []}
    rows = log.taught_texts(session, site.id, WORDS_FROM, _WORD_CHARS)
    latest = {row.comment_id: row for row in reversed(rows)}
    seen: dict[str, list[int]] = {}
    for row in latest.values():
        if row.sign > 0:
            for word in learned.shown_words(fold(row.body)):
                seen.setdefault(word, [0] * len(LABELS))[row.label] += 1
    weighed = [(model.odds_of(word), word, counts) for word, counts in seen.items() if sum(counts) >= WORD_IN]
    weighed.sort()
    return {
        "against": [_shown_word(*one) for one in reversed(weighed[-WORDS_SHOWN:]) if one[0] > 0],
        "in_favour": [_shown_word(*one) for one in weighed[:WORDS_SHOWN] if one[0] < 0],
    }


def _shown_word(odds: float, word: str, counts: Sequence[int]) -> dict[str, Any]:
    return {"word": word, "odds": round(odds, 2), **dict(zip(LABELS, counts, strict=True))}
