"""What moderators do: look through the queue, claim, decide, take back, reveal an address, read the record.

A decision is ONE transaction: compare-and-set on the state and version that it is based on, the decision, the author's
record, what readers see, an outbox row for each subscribed endpoint, the audit line.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from moderation.domain.actor import POLICY, Actor, Role
from moderation.domain.comment import REFUSED, WAITING, Action, State, event_of, state_after
from moderation.domain.policy import ATTRIBUTES, evidence_shown
from moderation.domain.site import site_settings
from moderation.domain.text import normalise_body, normalise_line
from moderation.errors import CallerError, Conflict, Forbidden, Invalid, NotFound
from moderation.scoring.repeats import similarity
from moderation.services import events, figures, learning, notices
from moderation.services.cursors import read_cursor, write_cursor
from moderation.services.parts import Parts
from moderation.services.sites import site_for
from moderation.storage import audit, comments, decisions, queue, sites, tallies, threads
from moderation.storage.comments import Surroundings
from moderation.storage.db import read, write
from moderation.storage.models import AuditLine, Comment, Decision
from moderation.storage.queue import QueueQuery

SORTS = ("oldest", "newest", "risk", "safest")
CLAIM_FILTERS = ("me", "others", "none", "any")
MOST_COUNTED, MOST_COUNTED_BY_TEXT = queue.ESTIMATE_LIMIT, queue.TEXT_ESTIMATE_LIMIT
MAX_BULK = 500
MAX_CLAIMS = 100
MAX_CLAIM_MINUTES = 120
MAX_STATS_DAYS = 366
HISTORY_SHOWN = 100
AGREES_FROM = 0.5
"""The score "agrees" with a rejection at this risk or above, and with an approval below it."""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What a moderator asks the queue for; None means "any"."""

    site: str | None = None
    state: str = "pending"
    thread: str | None = None
    q: str | None = None
    author: str | None = None
    signal: str | None = None
    min_risk: float | None = None
    reported: bool | None = None
    before: datetime | None = None
    after: datetime | None = None
    claimed: str | None = None
    alike: uuid.UUID | None = None
    sort: str = "oldest"
    limit: int = 50
    cursor: str | None = None


# --- looking ---------------------------------------------------------------------------------------------------


def list_queue(parts: Parts, actor: Actor, asked: QueueFilter) -> dict[str, Any]:
    """One page of what waits (or of another state), with the reasons. ``total_estimate`` goes up to ``MOST_COUNTED``,
    with ``q`` up to ``MOST_COUNTED_BY_TEXT``; see ``queue.estimate``.

    Raises ``NotFound`` for a site that is not the actor's, ``Invalid`` for a filter that does not fit.
    """
    check_filter(asked)
    with read() as session:
        query = queue_query(session, parts, actor, asked)
        listing = f"queue:{actor.key}:{asked.state}:{asked.sort}:{asked.site}"
        place = read_cursor(parts.vault, listing, asked.cursor)
        index = queue.index_for(session, query)
        rows = queue.page(session, query, index, sort=asked.sort, limit=asked.limit + 1, after=place)
        page = rows[: asked.limit]
        items = items_of(session, parts, page)
        is_all = place is None and len(rows) <= asked.limit
        estimate = len(rows) if is_all else queue.estimate(session, query, index)
    last = page[-1] if len(rows) > asked.limit else None
    value = None if last is None else (last.risk if asked.sort in queue.BY_RISK else last.created_at)
    return {
        "items": items,
        "next": write_cursor(parts.vault, listing, value, last.id) if last else None,
        "total_estimate": estimate,
    }


def show_comment(parts: Parts, actor: Actor, comment_id: uuid.UUID) -> dict[str, Any]:
    """One comment whole, with reports, former texts and history. Raises ``NotFound``."""
    with read() as session:
        comment = _comment(session, actor, comment_id, Role.VIEWER)
        item = items_of(session, parts, [comment])[0]
        reports = comments.reports_of(session, comment_id, HISTORY_SHOWN)
        item["scored_by"] = comment.scorer_version or None
        item["reports_count"] = comment.reports
        item["reports"] = [{"reason": r.reason, "detail": r.detail, "created_at": r.created_at} for r in reports]
        item["history"] = [_decision(d) for d in decisions.decisions_of(session, comment_id, HISTORY_SHOWN)]
        item["revisions"] = [
            {"body": r.body, "state": r.state, "created_at": r.created_at}
            for r in comments.revisions_of(session, comment_id, HISTORY_SHOWN)
        ]
    return item


def check_filter(asked: QueueFilter) -> None:
    """Raise ``Invalid`` for what the queue cannot be asked."""
    wrong: dict[str, list[str]] = {}
    if asked.sort not in SORTS:
        wrong["sort"] = [f"It is one of: {', '.join(SORTS)}."]
    if asked.state not in {state.value for state in State}:
        wrong["state"] = [f"It is one of: {', '.join(State)}."]
    if asked.claimed is not None and asked.claimed not in CLAIM_FILTERS:
        wrong["claimed"] = [f"It is one of: {', '.join(CLAIM_FILTERS)}."]
    if not 1 <= asked.limit <= 100:
        wrong["limit"] = ["It is a whole number from 1 to 100."]
    if wrong:
        raise Invalid(wrong)


def queue_query(session: Session, parts: Parts, actor: Actor, asked: QueueFilter) -> QueueQuery:
    """A filter in ids and normalised words, within what the actor may look at. Raises ``NotFound``, ``Forbidden``."""
    allowed = _sites_asked(session, actor, asked.site)
    alike = None
    if asked.alike is not None:
        comment = _comment(session, actor, asked.alike, Role.VIEWER)
        allowed = frozenset({comment.site_id}) & (allowed or {comment.site_id})
        alike = (comment.id, comment.alike_key)
    return QueueQuery(
        sites=allowed,
        alike=alike,
        state=State(asked.state),
        thread=_asked_line(asked.thread, "thread"),
        text=_asked_line(asked.q, "q"),
        author=_asked_line(asked.author, "author"),
        signal=_asked_line(asked.signal, "signal"),
        min_risk=asked.min_risk,
        reported=asked.reported,
        before=asked.before,
        after=asked.after,
        claimed=None if asked.claimed == "any" else asked.claimed,
        me=actor.key,
        now=parts.clock(),
    )


def _asked_line(value: str | None, field: str) -> str | None:
    """What is looked for, normalised as what is stored was; None where that leaves nothing."""
    return normalise_line(value, field) or None if value is not None else None


def _sites_asked(session: Session, actor: Actor, site_key: str | None) -> frozenset[uuid.UUID] | None:
    """The ids of the sites that a list covers: the one named, or all that the actor may look at (None: all)."""
    if site_key is not None:
        return frozenset({site_for(session, actor, site_key, Role.VIEWER).id})
    allowed = actor.sites
    if allowed is not None and not allowed:
        raise Forbidden("This needs the role 'viewer' on a site.")
    return allowed


def _comment(session: Session, actor: Actor, comment_id: uuid.UUID, role: Role) -> Comment:
    comment = comments.comment_by_id(session, comment_id)
    if comment is None:
        raise NotFound("comment")
    actor.require(comment.site_id, role, "comment")
    return comment


def items_of(session: Session, parts: Parts, page: Sequence[Comment | Row[Any]]) -> list[dict[str, Any]]:
    """The comments as moderators get them, in their order, in few queries whatever their number."""
    around = comments.surroundings_of(session, page)
    now = parts.clock()
    return [_item(comment, around, now) for comment in page]


def _item(comment: Comment | Row[Any], around: Surroundings, now: datetime) -> dict[str, Any]:
    thread = around.threads[comment.thread_id]
    author = around.authors[comment.author_id]
    parent = around.parents.get(comment.parent_id) if comment.parent_id else None
    held = comment.claimed_until is not None and comment.claimed_until > now
    return {
        "id": comment.id,
        "site": around.sites[comment.site_id],
        "thread": {"key": thread.key, "url": thread.url, "title": thread.title},
        "author": {
            "name": comment.author_name,
            "url": comment.author_url,
            "avatar": f"/avatars/{comment.avatar}.svg",
            "email_domain": comment.email_domain,
            "known": comment.author_proven,
            "approved_before": author.approved - int(comment.state == State.APPROVED),
            "rejected_before": author.rejected + author.spam - int(comment.state in {State.REJECTED, State.SPAM}),
        },
        "body": comment.body,
        "body_html": comment.body_html,
        "state": comment.state,
        "version": comment.version,
        "created_at": comment.created_at,
        "edited_at": comment.edited_at,
        "risk": comment.risk,
        "scores": {name: comment.scores.get(name) for name in ATTRIBUTES},
        "reasons": comment.reasons,
        "signals": [
            {
                "name": s.name,
                "weight": s.weight,
                "available": s.available,
                "evidence": evidence_shown(s.evidence, comment.body),
            }
            for s in around.signals[comment.id]
        ],
        "alike": _alike(comment, around),
        "reports": comment.reports,
        "claimed_by": comment.claimed_name if held else None,
        "claimed_until": comment.claimed_until if held else None,
        "parent": _parent(parent),
    }


ALIKE_COUNTED = comments.ALIKE_COUNTED
ALIKE_STATES = tuple(state.value for state in State if state is not State.DELETED)


def _alike(comment: Comment | Row[Any], around: Surroundings) -> dict[str, Any]:
    """The other comments of the group, counted; from ``ALIKE_COUNTED`` on it is that many or more."""
    key = comment.alike_key
    counts = around.alike.get((comment.site_id, key), {}) if key else {}
    by_state = {state: counts.get(state, 0) for state in ALIKE_STATES}
    if by_state.get(comment.state):
        by_state[comment.state] -= 1
    return {"count": sum(by_state.values()), "by_state": by_state, "group": key.hex() if key else None}


def _parent(parent: Row[Any] | None) -> dict[str, Any] | None:
    if parent is None:
        return None
    return {
        "id": parent.id,
        "author": {"name": parent.author_name},
        "body_html": parent.body_html,
        "state": parent.state,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "action": decision.action,
        "from_state": decision.from_state,
        "to_state": decision.to_state,
        "reason": decision.reason,
        "note": decision.note,
        "by": decision.actor_name,
        "by_kind": decision.actor_kind,
        "created_at": decision.created_at,
        "undone_at": decision.undone_at,
        "undone_by": decision.undone_by,
    }


# --- claiming --------------------------------------------------------------------------------------------------


def claim(parts: Parts, actor: Actor, site_key: str, limit: int, minutes: int) -> dict[str, Any]:
    """Take the oldest pending comments of a site for this moderator, for some minutes; a lease, not a lock.

    Others are not handed the same ones while it runs; a decision by somebody else still counts, and the compare-and-set
    keeps two decisions apart. What this moderator holds already comes first and is renewed.
    """
    if not 1 <= limit <= MAX_CLAIMS:
        raise Invalid({"limit": [f"It is a whole number from 1 to {MAX_CLAIMS}."]})
    if not 1 <= minutes <= MAX_CLAIM_MINUTES:
        raise Invalid({"minutes": [f"It is a whole number from 1 to {MAX_CLAIM_MINUTES}."]})
    now = parts.clock()
    until = now + timedelta(minutes=minutes)
    with write() as session:
        site = site_for(session, actor, site_key, Role.MODERATOR)
        ids = comments.claim_next(session, site.id, actor.key, actor.name, now, until, limit)
        session.expire_all()
        found = comments.comments_by_ids(session, ids)
        items = items_of(session, parts, [found[comment_id] for comment_id in ids])
    return {"items": items, "claimed_until": until}


def release(parts: Parts, actor: Actor, comment_ids: Sequence[uuid.UUID] | None = None) -> dict[str, Any]:
    """Give back what this moderator holds: all, or the given ones."""
    with write() as session:
        return {"released": comments.release_claims(session, actor.key, comment_ids)}


# --- deciding --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Order:
    """A decision as it was asked for."""

    action: Action
    reason: str
    note: str
    expected_state: State | None
    expected_version: int | None


@dataclass(frozen=True, slots=True)
class _Done:
    """A decision, carried out but for its counts and its audit line: rows that many writers share."""

    answer: dict[str, Any]
    site_id: uuid.UUID
    counts: list[tallies.Count]
    lesson: learning.Lesson
    entry: audit.Entry


def _finish(session: Session, parts: Parts, actor: Actor, done: Sequence[_Done]) -> None:
    """Count, learn and write down what was done, last and in one order, since each of these rows makes others wait."""
    tallies.count_all(session, [count for one in done for count in one.counts])
    learning.learn(session, parts, [one.lesson for one in done])
    for site_id in sorted({one.site_id for one in done}):
        entries = [one.entry for one in done if one.site_id == site_id]
        at = done[0].answer["created_at"]
        audit.append_all(session, site_id=site_id, actor=actor, entries=entries, now=at, key=parts.vault.audit_key)


def decide(
    parts: Parts,
    actor: Actor,
    comment_id: uuid.UUID,
    action: str,
    reason: str = "",
    note: str = "",
    expected_state: str | None = None,
    expected_version: int | None = None,
) -> dict[str, Any]:
    """Decide on one comment.

    ``expected_state`` and ``expected_version`` are what the moderator saw; where the comment moved on, or was edited,
    nothing happens and ``Conflict`` is raised. Escalated comments are decided by admins alone (``Forbidden``).
    """
    order = _order(action, reason, note, expected_state, expected_version)
    with write() as session:
        place = comments.place_of(session, comment_id)
        if place is None:
            raise NotFound("comment")
        actor.require(place.site_id, Role.MODERATOR, "comment")
        threads.lock_threads(session, [place.thread_id])
        step = _step(actor, comments.comments_for_change(session, [comment_id]).get(comment_id), order)
        done = _carry_out(session, parts, actor, [step], order)
        if not done:
            raise Conflict(_MOVED_ON)
        _finish(session, parts, actor, done)
    return done[0].answer


def decide_many(
    parts: Parts,
    actor: Actor,
    comment_ids: Sequence[uuid.UUID],
    action: str,
    reason: str = "",
    note: str = "",
    expected_state: str | None = None,
    expected_versions: Mapping[uuid.UUID, int] | None = None,
) -> dict[str, Any]:
    """Decide on up to 500 comments alike, in one transaction; the answer says for each what became of it.

    ``expected_versions`` are those that the moderator saw: a comment that was edited since is left alone. One that
    cannot be decided (not there, moved on, not allowed) does not keep the others back.
    """
    if not 1 <= len(comment_ids) <= MAX_BULK:
        raise Invalid({"ids": [f"Name 1 to {MAX_BULK} comments."]})
    order = _order(action, reason, note, expected_state, None)
    with write() as session:
        return {"results": _decide_each(session, parts, actor, comment_ids, order, expected_versions or {})}


@dataclass(frozen=True, slots=True)
class _Seen:
    """A group as a moderator saw it. What was edited between finding its comments and locking them is none of it."""

    key: bytes | None
    until: datetime | None

    def check(self, comment: Comment) -> None:
        """Raise ``Conflict`` for a comment that has left the group, or was edited after ``until``."""
        changed_at = comment.edited_at or comment.created_at
        if comment.alike_key != self.key or (self.until is not None and changed_at > self.until):
            raise Conflict(_EDITED)


def _decide_each(
    session: Session,
    parts: Parts,
    actor: Actor,
    comment_ids: Sequence[uuid.UUID],
    order: _Order,
    versions: Mapping[uuid.UUID, int],
    group: _Seen | None = None,
) -> list[dict[str, Any]]:
    """What became of each, in their order."""
    results: dict[uuid.UUID, dict[str, Any]] = {}
    found = _locked(session, comment_ids)
    steps: list[_Step] = []
    for comment_id in sorted(set(comment_ids)):
        seen = replace(order, expected_version=versions.get(comment_id))
        try:
            if group is not None and comment_id in found:
                group.check(found[comment_id])
            steps.append(_step(actor, found.get(comment_id), seen))
        except CallerError as error:
            results[comment_id] = _refused(comment_id, error)
    done = _carry_out(session, parts, actor, steps, order)
    _finish(session, parts, actor, done)
    for step in steps:
        results[step.comment.id] = _refused(step.comment.id, Conflict(_MOVED_ON))
    for answer in (one.answer for one in done):
        kept = {name: answer[name] for name in ("state", "decision_id", "created_at")}
        results[answer["id"]] = {"id": answer["id"], "ok": True, **kept}
    return [results[comment_id] for comment_id in dict.fromkeys(comment_ids)]


def _locked(session: Session, comment_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Comment]:
    """The comments as they are once their threads and authors are locked: in one order, however they were named."""
    owners = comments.owners_of(session, comment_ids)
    threads.lock_threads(session, [thread_id for thread_id, _ in owners])
    comments.lock_authors(session, [author_id for _, author_id in owners])
    return comments.comments_for_change(session, comment_ids)


def _refused(comment_id: uuid.UUID, error: CallerError) -> dict[str, Any]:
    return {"id": comment_id, "ok": False, "status": error.status, "detail": error.detail}


def _order(action: str, reason: str, note: str, expected_state: str | None, expected_version: int | None) -> _Order:
    problems: dict[str, list[str]] = {}
    if action not in {known.value for known in Action}:
        problems["action"] = [f"It is one of: {', '.join(Action)}."]
    if expected_state is not None and expected_state not in {state.value for state in State}:
        problems["expected_state"] = [f"It is one of: {', '.join(State)}."]
    reason, note = normalise_line(reason, "reason"), normalise_body(note)
    if len(reason) > decisions.MAX_REASON_CHARS:
        problems["reason"] = [f"It is longer than {decisions.MAX_REASON_CHARS} characters."]
    if len(note) > 2_000:
        problems["note"] = ["It is longer than 2000 characters."]
    if problems:
        raise Invalid(problems)
    return _Order(Action(action), reason, note, State(expected_state) if expected_state else None, expected_version)


_MOVED_ON = "Somebody else decided on the comment at the same moment."
_TEXT_GONE = "The comment has no text any more, by the time that the site keeps it. Nobody can publish it."
_EDITED = "The comment was edited since you saw it. Look at it again."


@dataclass(frozen=True, slots=True)
class _Step:
    """A comment whose thread is locked, and the states that it is to leave and to reach."""

    comment: Comment
    before: State
    after: State


def _step(actor: Actor, comment: Comment | None, order: _Order) -> _Step:
    """What an order comes to for a comment; raises where it is not to be carried out."""
    if comment is None:
        raise NotFound("comment")
    actor.require(comment.site_id, Role.MODERATOR, "comment")
    before = State(comment.state)
    if order.expected_state is not None and before is not order.expected_state:
        raise Conflict(f"The comment is {before} by now, not {order.expected_state}.")
    if order.expected_version is not None and comment.version != order.expected_version:
        raise Conflict(_EDITED)
    if before is State.ESCALATED and not actor.may(comment.site_id, Role.ADMIN):
        raise Forbidden("The comment was escalated; an admin decides on it.")
    after = state_after(before, order.action)
    if after not in REFUSED and not comment.body:
        raise Conflict(_TEXT_GONE)
    return _Step(comment, before, after)


def _carry_out(session: Session, parts: Parts, actor: Actor, steps: Sequence[_Step], order: _Order) -> list[_Done]:
    """Decide on the comments of the steps; those that had moved on are missing. ``_finish`` has to follow."""
    now = parts.clock()
    moved = _move(session, steps, now)
    found = [(step.comment, step.before, step.after) for step in moved]
    ids = decisions.add_decisions(session, found, actor, order.action, order.reason, now, order.note)
    return [_done(step, order, decision_id, now) for step, decision_id in zip(moved, ids, strict=True)]


def _done(step: _Step, order: _Order, decision_id: uuid.UUID, now: datetime) -> _Done:
    comment, before, after = step.comment, step.before, step.after
    answer = {
        "decision_id": decision_id,
        "id": comment.id,
        "action": order.action.value,
        "from_state": before.value,
        "state": after.value,
        "created_at": now,
    }
    counts = _counts(comment.site_id, now.date(), before, after, comment.risk)
    moved = {"from": before.value, "to": after.value}
    entry = audit.Entry(f"comment.{order.action}", "comment", str(comment.id), order.reason, moved)
    return _Done(answer, comment.site_id, counts, learning.Lesson(comment, decision_id, order.action), entry)


def _move(session: Session, steps: Sequence[_Step], now: datetime) -> list[_Step]:
    """The compare-and-set and all that hangs on it: record, what readers see, events. Returns the steps that held."""
    held: list[_Step] = []
    for after in sorted({step.after for step in steps}):
        alike = [step for step in steps if step.after is after]
        values = {"decided_at": None if after in WAITING else now, "claimed_by": None}
        values |= {"claimed_name": None, "claimed_until": None}
        moved = comments.move_comments(session, [step.comment for step in alike], after, **values)
        for step in alike:
            if step.comment.id in moved:
                comments.note_move(step.comment, state=after.value, **values)
                held.append(step)
    comments.count_for_authors(session, [(step.comment.author_id, step.before, step.after) for step in held])
    seen = [step for step in held if State.APPROVED in {step.before, step.after}]
    comments.refresh_shown_of(session, {step.comment.id: step.before for step in seen})
    _tell(session, held, now)
    return held


def _tell(session: Session, steps: Sequence[_Step], now: datetime) -> None:
    """The events of the steps, site by site: in one order, like all that others may wait for."""
    told = [(event_of(step.before, step.after), step.comment) for step in steps]
    told = [(event_type, comment) for event_type, comment in told if event_type is not None]
    if not told:
        return
    names = threads.thread_names(session, {comment.thread_id for _, comment in told})
    heads = sites.site_heads(session, {comment.site_id for _, comment in told})
    for site_id in sorted(heads):
        of_site = [
            (event_type, names[comment.thread_id], comment)
            for event_type, comment in told
            if event_type is not None and comment.site_id == site_id
        ]
        events.tell_all(session, site_id, heads[site_id].key, of_site, now)
        if site_settings(heads[site_id].settings).reply_notices:
            public = [comment for _, _, comment in of_site if comment.state == State.APPROVED.value]
            notices.tell_of_replies(session, public, now)


def _counts(
    site_id: uuid.UUID, day: date, before: State, after: State, risk: float, by: str = ""
) -> list[tallies.Count]:
    """What a decision adds to the counts of its day; the site's policy cannot disagree with the score."""
    if after in WAITING:
        return []
    names = [after.value]
    if before in WAITING and by != POLICY.kind:
        names.append("agreed" if (risk >= AGREES_FROM) is (after is not State.APPROVED) else "disagreed")
    return [(site_id, day, name) for name in names]


def _audit(
    parts: Parts,
    session: Session,
    actor: Actor,
    comment: Comment,
    action: str,
    reason: str,
    now: datetime,
    before: State | None = None,
    after: State | None = None,
) -> None:
    moved = {"from": before.value, "to": after.value} if before and after else None
    audit.append(
        session,
        site_id=comment.site_id,
        actor=actor,
        action=action,
        object_kind="comment",
        object_id=str(comment.id),
        reason=reason,
        data=moved,
        now=now,
        key=parts.vault.audit_key,
    )


def undo(parts: Parts, actor: Actor, decision_id: uuid.UUID) -> dict[str, Any]:
    """Take the latest decision on a comment back: it returns to the state before.

    Raises ``NotFound``, ``Forbidden`` where an admin's decision on an escalated comment is not the actor's to undo,
    ``Conflict`` where it was taken back already, another decision followed, or the text was edited since (nobody
    approved that text).
    """
    now = parts.clock()
    with write() as session:
        decision = decisions.decision_by_id(session, decision_id)
        if decision is None:
            raise NotFound("decision")
        actor.require(decision.site_id, Role.MODERATOR, "decision")
        comment = _comment(session, actor, decision.comment_id, Role.MODERATOR)
        threads.lock_threads(session, [comment.thread_id])
        changing = comments.comments_for_change(session, [comment.id]).get(comment.id)
        if changing is None:
            raise NotFound("comment")
        _check_undo(session, actor, decision, changing)
        if not decisions.mark_undone(session, decision_id, actor, now):
            raise Conflict("The decision was taken back already.")
        done = _take_back(session, parts, actor, [_Return(decision, changing)], now)
        if not done:
            raise Conflict(_MOVED_ON)
        return done[0]


def undo_all(parts: Parts, actor: Actor, decided_at: datetime) -> dict[str, Any]:
    """Take back all that the actor decided at one moment, which is one bulk decision: up to 500 comments.

    The answer says for each what became of it, as with ``decide_many``; one that cannot be taken back does not keep the
    others. Raises ``NotFound`` where there was nothing, or it was taken back already.
    """
    now = parts.clock()
    with write() as session:
        site_ids = sites.all_site_ids(session) if actor.sites is None else sorted(actor.sites)
        found = decisions.of_moment(session, site_ids, actor, decided_at, MAX_BULK)
        if not found:
            raise NotFound("decision")
        changing = _locked(session, [decision.comment_id for decision in found])
        results: dict[uuid.UUID, dict[str, Any]] = {}
        returns: list[_Return] = []
        for decision in found:
            comment_id = decision.comment_id
            results[comment_id] = _refused(comment_id, Conflict(_MOVED_ON))
            try:
                if comment_id not in changing:
                    raise NotFound("comment")
                actor.require(decision.site_id, Role.MODERATOR, "decision")
                _check_undo(session, actor, decision, changing[comment_id])
            except CallerError as error:
                results[comment_id] = _refused(comment_id, error)
                continue
            if decisions.mark_undone(session, decision.id, actor, now):
                returns.append(_Return(decision, changing[comment_id]))
        for answer in _take_back(session, parts, actor, returns, now):
            kept = {name: answer[name] for name in ("state", "decision_id")}
            results[answer["id"]] = {"id": answer["id"], "ok": True, **kept}
        return {"results": [results[decision.comment_id] for decision in found]}


@dataclass(frozen=True, slots=True)
class _Return:
    """A decision that is marked as taken back, and its comment, locked."""

    decision: Decision
    comment: Comment


def _take_back(
    session: Session, parts: Parts, actor: Actor, returns: Sequence[_Return], now: datetime
) -> list[dict[str, Any]]:
    """Move the comments back, then count, unlearn and write it down, in the order of ``_finish``; those that held."""
    steps = [_Step(one.comment, State(one.decision.to_state), State(one.decision.from_state)) for one in returns]
    moved = {step.comment.id for step in _move(session, steps, now)}
    held = sorted((one for one in returns if one.comment.id in moved), key=lambda one: one.comment.site_id)
    tallies.count_all(session, [count for one in held for count in _counts_of(one.decision)], n=-1)
    for one in held:
        learning.take_back(session, parts, one.comment, one.decision.id)
    answers = []
    for one in held:
        before, after = State(one.decision.to_state), State(one.decision.from_state)
        _audit(parts, session, actor, one.comment, "comment.undo", "", now, before, after)
        answers.append(
            {
                "decision_id": one.decision.id,
                "id": one.comment.id,
                "action": "undo",
                "from_state": before.value,
                "state": after.value,
                "created_at": now,
            }
        )
    return answers


def _counts_of(decision: Decision) -> list[tallies.Count]:
    """What a decision was counted as."""
    before, after, day = State(decision.from_state), State(decision.to_state), decision.created_at.date()
    return _counts(decision.site_id, day, before, after, decision.risk, decision.actor_kind)


def _check_undo(session: Session, actor: Actor, decision: Decision, comment: Comment) -> None:
    if decision.undone_at is not None:
        raise Conflict("The decision was taken back already.")
    if State.ESCALATED.value in {decision.from_state, decision.to_state} and decision.actor_id != actor.id:
        actor.require(comment.site_id, Role.ADMIN, "decision")
    if comment.state != decision.to_state or decisions.latest_standing(session, comment.id) != decision.id:
        raise Conflict("Another decision was made since. Take that one back first.")
    if comment.version != decision.version:
        raise Conflict("The comment was edited since. Decide on it anew.")


# --- alike -----------------------------------------------------------------------------------------------------


def list_alike(
    parts: Parts,
    actor: Actor,
    comment_id: uuid.UUID,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """One page of the comments that are like this one, newest first, each with its similarity to this one.

    ``similarity`` is 1 for the same text but for case, blanks and the like; 0 where one of the two was edited since and
    is too short to compare. Raises ``NotFound``, ``Invalid``.
    """
    check_filter(QueueFilter(state=state or State.PENDING.value, limit=limit))
    listing = f"alike:{actor.key}:{comment_id}:{state}"
    with read() as session:
        comment = _comment(session, actor, comment_id, Role.VIEWER)
        if comment.alike_key is None:
            return {"items": [], "next": None}
        place = read_cursor(parts.vault, listing, cursor)
        wanted = State(state) if state is not None else None
        group = (comment.site_id, comment.alike_key)
        after = place[1] if place else None
        rows = comments.alike_page(session, group, but=comment_id, state=wanted, limit=limit + 1, after=after)
        names = threads.thread_names(session, {row.thread_id for row in rows})
    page = rows[:limit]
    return {
        "items": [_alike_item(row, comment, names[row.thread_id]) for row in page],
        "next": write_cursor(parts.vault, listing, page[-1].created_at, page[-1].id) if len(rows) > limit else None,
    }


def _alike_item(row: Row[Any], comment: Comment, thread: Row[Any]) -> dict[str, Any]:
    same = row.exact == comment.exact
    return {
        "id": row.id,
        "thread": {"key": thread.key, "url": thread.url, "title": thread.title},
        "author": {"name": row.author_name},
        "state": row.state,
        "version": row.version,
        "created_at": row.created_at,
        "similarity": 1.0 if same else round(similarity(row.sketch or b"", comment.sketch or b""), 2),
        "risk": row.risk,
        "body": row.body,
    }


def decide_alike(
    parts: Parts,
    actor: Actor,
    comment_id: uuid.UUID,
    action: str,
    reason: str = "",
    note: str = "",
    expected_state: str | None = None,
    expected_versions: Mapping[uuid.UUID, int] | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Decide together on a comment and those like it: all of the group that are in ``expected_state`` (pending).

    At most 500 a call, the oldest first; ``left`` says how many of that state are there still (counted up to 500).
    ``until`` leaves alone what came in or was edited after that time, since the moderator has not seen it;
    ``expected_versions`` as in ``decide_many``. Raises ``NotFound``, ``Forbidden``, ``Invalid``.
    """
    order = _order(action, reason, note, expected_state or State.PENDING.value, None)
    state = order.expected_state or State.PENDING
    with write() as session:
        comment = _comment(session, actor, comment_id, Role.MODERATOR)
        group = (comment.site_id, comment.alike_key or b"")
        ids = comments.ids_of_group(session, group, state, until, MAX_BULK) if comment.alike_key else [comment_id]
        seen = _Seen(comment.alike_key, until)
        results = _decide_each(session, parts, actor, ids, order, expected_versions or {}, seen) if ids else []
        left = len(comments.ids_of_group(session, group, state, None, MAX_BULK))
    return {"results": results, "left": left}


# --- address, audit, statistics --------------------------------------------------------------------------------


def reveal_email(parts: Parts, actor: Actor, comment_id: uuid.UUID, reason: str) -> dict[str, Any]:
    """The address of a comment's author, for an admin with a reason; the reason goes into the audit log.

    ``email`` is None where none was given, or it is gone. Raises ``NotFound``, ``Forbidden``, ``Invalid``.
    """
    reason = normalise_line(reason, "reason")
    with write() as session:
        comment = _comment(session, actor, comment_id, Role.ADMIN)
        if not reason:
            raise Invalid({"reason": ["It is required: say what the address is needed for."]})
        email: str | None = None
        if comment.email_sealed is not None:
            email = parts.vault.open(
                comment.email_sealed,
                table="comments",
                column="email_sealed",
                row_id=comment.id,
                site_id=comment.site_id,
            ).decode()
        _audit(parts, session, actor, comment, "comment.reveal-email", reason, parts.clock())
    return {"email": email}


def list_audit(
    parts: Parts,
    actor: Actor,
    site_key: str | None,
    limit: int = 50,
    cursor: str | None = None,
    *,
    by: str | None = None,
    action: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> dict[str, Any]:
    """Who did what, newest first: of one site for its moderators; of all for whoever moderates all sites.

    ``by`` is a name; ``action`` is one, or with a dot at the end all that begin so (``comment.``). A page may have
    fewer than ``limit`` lines, or none, and yet a ``next``: what is looked for may be further back. ``holds`` says of
    a page of one site without any filter whether its lines are as they were written, else it is None.
    """
    if not 1 <= limit <= 100:
        raise Invalid({"limit": ["It is a whole number from 1 to 100."]})
    wanted = audit.Wanted(_asked_line(by, "by"), _asked_line(action, "action"), after, before)
    listing = f"audit:{actor.key}:{site_key}"
    with read() as session:
        site_ids = _audited_sites(session, actor, site_key)
        place = read_cursor(parts.vault, listing, cursor)
        found = _audit_found(session, wanted, site_ids, limit, place[0] if place else None)
        keys = sites.site_keys(session, {row.site_id for row in found.lines if row.site_id})
    is_run = site_key is not None and wanted == audit.ANY
    return {
        "items": [_audit_line(row, keys) for row in found.lines],
        "next": None if found.next is None else write_cursor(parts.vault, listing, found.next, uuid.UUID(int=0)),
        "holds": audit.holds(found.lines, parts.vault.audit_key) if is_run else None,
    }


def _audit_found(
    session: Session, wanted: audit.Wanted, site_ids: frozenset[uuid.UUID] | None, limit: int, before: int | None
) -> audit.Found:
    if wanted != audit.ANY:
        return audit.find(session, wanted, site_ids=site_ids, limit=limit, before=before)
    rows = audit.page(session, site_ids=site_ids, limit=limit + 1, before=before)
    return audit.Found(rows[:limit], rows[limit - 1].seq if len(rows) > limit else None)


def _audited_sites(session: Session, actor: Actor, site_key: str | None) -> frozenset[uuid.UUID] | None:
    if site_key is not None:
        return frozenset({site_for(session, actor, site_key, Role.MODERATOR).id})
    if actor.may(None, Role.MODERATOR):
        return None
    own = frozenset(site for site in actor.sites or () if actor.may(site, Role.MODERATOR))
    if not own:
        raise Forbidden("This needs the role 'moderator' on a site.")
    return own


def _audit_line(row: AuditLine, keys: dict[uuid.UUID, str]) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "site": keys.get(row.site_id) if row.site_id else None,
        "at": row.at,
        "by": row.actor_name,
        "by_kind": row.actor_kind,
        "action": row.action,
        "object_kind": row.object_kind,
        "object_id": row.object_id,
        "reason": row.reason,
        "data": row.data,
        "hash": row.hash.hex(),
    }


def stats(parts: Parts, actor: Actor, site_key: str | None, days: int = 30) -> dict[str, Any]:
    """What came in and what became of it, by day (UTC); how many wait, and the oldest of them; how often the score
    agreed with the moderators; of the latest decisions what ``figures.latest`` has; of one site, how well what was
    learned predicts decisions.
    """
    if not 1 <= days <= MAX_STATS_DAYS:
        raise Invalid({"days": [f"It is a whole number from 1 to {MAX_STATS_DAYS}."]})
    now = parts.clock()
    since = now.date() - timedelta(days=days - 1)
    with read() as session:
        asked = _sites_asked(session, actor, site_key)
        ids = list(asked) if asked is not None else sites.all_site_ids(session)
        rows = tallies.counts_by_day(session, ids, since)
        pending = queue.estimate(session, QueueQuery(sites=asked, state=State.PENDING))
        oldest = comments.oldest_waiting(session, ids)
        latest = figures.latest(session, ids, datetime.combine(since, time.min, UTC), AGREES_FROM)
        taught = learning.figures_of(session, ids[0]) if len(ids) == 1 else None
    by_day = _by_day(rows, since, days)
    agreed, disagreed = _sum(rows, "agreed"), _sum(rows, "disagreed")
    return {
        "days": by_day,
        "pending_estimate": pending,
        "oldest_pending_s": None if oldest is None else max(0.0, (now - oldest).total_seconds()),
        "score_agreed": agreed,
        "score_disagreed": disagreed,
        "agreement": agreed / (agreed + disagreed) if agreed + disagreed else None,
        "learned": taught,
        **latest,
    }


_COUNTED = ("submitted", "approved", "rejected", "spam", "agreed", "disagreed")


def _by_day(rows: Iterable[tuple[date, str, int]], since: date, days: int) -> list[dict[str, Any]]:
    table = {
        since + timedelta(days=i): {"day": since + timedelta(days=i), **dict.fromkeys(_COUNTED, 0)} for i in range(days)
    }
    for day, name, n in rows:
        if name in _COUNTED and day in table:
            table[day][name] = n
    return list(table.values())


def _sum(rows: Iterable[tuple[date, str, int]], name: str) -> int:
    return sum(n for _, counted, n in rows if counted == name)
