"""Rules tried before they count: on a text, and on the comments that moderators have decided on. Nothing is stored."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import POLICY, Actor, Role
from moderation.domain.comment import State
from moderation.domain.policy import Forces, Signal, decide, evidence_as_json, evidence_shown, strictest
from moderation.domain.site import site_settings
from moderation.domain.text import normalise_body
from moderation.errors import Conflict, Invalid, NotFound
from moderation.scoring.automod_reader import read_automod
from moderation.scoring.pipeline import RULE_SIGNALS, Candidate, Record
from moderation.scoring.words import RuleRow, compile_rules
from moderation.services.parts import Parts
from moderation.services.site_rules import SiteRules, rule_row, rules_of_site
from moderation.services.sites import checked_rule, site_for
from moderation.services.word_lists import checked_list
from moderation.storage import decisions, rules
from moderation.storage.db import read
from moderation.storage.models import Author, Comment, Site

MAX_TEST_CHARS = 10_000
MAX_LAST, DEFAULT_LAST = 5_000, 1_000
"""Comments that a back-test goes through at most, and unless asked for more."""

MAX_SECONDS = 10.0
"""A back-test ends after this long, and says so. Between batches nothing is held in the database."""

MAX_RUNNING = 2
"""Back-tests that one process goes through at a time, so that readers' requests find a free thread."""

_running = threading.BoundedSemaphore(MAX_RUNNING)

MAX_EXAMPLES = 20
BATCH = 200

_DECIDED = (State.APPROVED, State.REJECTED, State.SPAM)


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried instead of a site's stored rules; at most one of these.

    ``rule`` has the fields of a rule, ``words`` those of a list with its ``text``, ``automod`` is a text of rules in
    YAML, and ``stored`` the id of a rule that is there.
    """

    rule: Mapping[str, Any] | None = None
    words: Mapping[str, Any] | None = None
    automod: str | None = None
    stored: uuid.UUID | None = None

    def count(self) -> int:
        """How many are given."""
        return sum(one is not None for one in (self.rule, self.words, self.automod, self.stored))


STORED_RULES = Tried()


def try_rules(
    parts: Parts,
    actor: Actor,
    site_key: str,
    text: str,
    *,
    tried: Tried = STORED_RULES,
    author: str = "",
    network: str = "",
    language: str | None = None,
) -> dict[str, Any]:
    """What the rules that hold on a site, or those to be tried, say of a text, and what would become of it.

    ``{"signals": [{name, weight, evidence, forces, available}], "decision": {state, risk, reasons}}``: the signals of
    rules alone, the decision by all signals and the site's settings. ``author`` is a name and ``network`` a truncated
    one, for rules of these kinds.
    """
    body = normalise_body(text)
    if len(body) > MAX_TEST_CHARS:
        raise Invalid({"text": [f"It has {len(body)} characters; at most {MAX_TEST_CHARS} are allowed."]})
    with read() as session:
        site = site_for(session, actor, site_key, Role.MODERATOR)
        ruled = _tried_rules(session, site, tried) if tried.count() else rules_of_site(session, site)
        policy = site_settings(site.settings).decision_policy()
    candidate = Candidate(
        body=body,
        author_name=author,
        links=tuple(parts.renderer.links(parts.renderer.html(body))),
        ip_network=network,
        rules=ruled.rules,
        automod=ruled.automod,
        language=language,
    )
    signals = parts.pipeline.signals(candidate)
    verdict = decide(signals, policy)
    return {
        "signals": [_shown_signal(signal, candidate.body) for signal in signals if signal.name in RULE_SIGNALS],
        "decision": {"state": verdict.state, "risk": verdict.risk, "reasons": list(verdict.reasons)},
    }


_OUTCOMES = ("hold", "spam", "score")


@dataclass(slots=True)
class _Tally:
    """What a back-test has found so far; ``found`` counts by what would have been done and what was decided."""

    tried: int = 0
    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, comment: Comment, signals: tuple[Signal, ...]) -> None:
        """Count a comment."""
        self.tried += 1
        if not signals:
            return
        outcome = strictest({Forces.HOLD if not signal.available else signal.forces for signal in signals}) or "score"
        self.found[outcome, comment.state] += 1
        # Those that were approved first: they are what a rule must not catch.
        if len(self.examples) < MAX_EXAMPLES or comment.state == State.APPROVED:
            said = [one for signal in signals for one in evidence_as_json(signal.evidence)]
            evidence = evidence_shown(said, comment.body)
            self.examples.append({"id": comment.id, "state": comment.state, "would": outcome, "evidence": evidence})
            self.examples.sort(key=lambda example: example["state"] != State.APPROVED)
            del self.examples[MAX_EXAMPLES:]

    def count(self, outcomes: Sequence[str] = _OUTCOMES, states: Sequence[str] = _DECIDED) -> int:
        """How many were found with one of these outcomes and decided in one of these ways."""
        return sum(self.found[outcome, state] for outcome in outcomes for state in states)


def backtest(
    parts: Parts,
    actor: Actor,
    site_key: str,
    tried: Tried,
    *,
    last: int = DEFAULT_LAST,
    automatic: bool = False,
    max_seconds: float = MAX_SECONDS,
) -> dict[str, Any]:
    """What a rule, list or text of rules would have done to the last comments that moderators decided on.

    Those that are approved, rejected or spam by a person's decision that stands, newest decision first; with
    ``automatic`` also by the site's policy. Each is judged as it is now, its author by the record of today. Where the
    rules could not be judged, the comment counts as held.

    Raises ``NotFound``, ``Invalid`` by field, or ``Conflict`` where ``MAX_RUNNING`` are under way.
    """
    if tried.count() != 1:
        raise Invalid({"rule": ["Give one of: a rule, a list, a text of rules in YAML, the id of a rule."]})
    if not 1 <= last <= MAX_LAST:
        raise Invalid({"last": [f"It is a number from 1 to {MAX_LAST:,}."]})
    with read() as session:
        site = site_for(session, actor, site_key, Role.MODERATOR)
        ruled = _tried_rules(session, site, tried)
    _refuse_allowing(ruled)
    if not _running.acquire(blocking=False):
        raise Conflict(f"{MAX_RUNNING} back-tests are under way. Try again when one of them is done.")
    try:
        return _gone_through(parts, site, ruled, last, automatic, max_seconds)
    finally:
        _running.release()


def _gone_through(
    parts: Parts, site: Site, ruled: SiteRules, last: int, automatic: bool, max_seconds: float
) -> dict[str, Any]:
    began = time.monotonic()
    tally, stopped = _Tally(), False
    for batch in _decided(site.id, automatic):
        for comment, author in batch[: last - tally.tried]:
            if time.monotonic() - began > max_seconds:
                break
            tally.add(comment, _judged(parts, comment, author, ruled))
        stopped = time.monotonic() - began > max_seconds
        if stopped or tally.tried == last:
            break
    return {**_report(tally), "stopped_early": stopped, "seconds": round(time.monotonic() - began, 3)}


def _report(tally: _Tally) -> dict[str, Any]:
    return {
        "tried": tally.tried,
        "matched": tally.count(),
        "would_have": {outcome: tally.count((outcome,)) for outcome in _OUTCOMES},
        "approved_among_matched": tally.count(states=(State.APPROVED,)),
        "rejected_among_matched": tally.count(states=(State.REJECTED,)),
        "spam_among_matched": tally.count(states=(State.SPAM,)),
        "summary": _in_words(tally),
        "examples": tally.examples,
    }


def _in_words(tally: _Tally) -> str:
    outcomes = ("hold", "spam") if tally.count(("hold", "spam")) or not tally.count() else ("score",)
    does = "held" if "hold" in outcomes else "weighed on"
    approved = tally.count(outcomes, (State.APPROVED,))
    return (
        f"Would have {does} {tally.count(outcomes):,} of the last {tally.tried:,} decided comments; "
        f"{approved:,} of them {'was' if approved == 1 else 'were'} approved."
    )


def _refuse_allowing(ruled: SiteRules) -> None:
    found = ruled.rules
    objects = (
        *(found.words, found.patterns, found.domains, found.authors, found.networks),
        *(entries for entries in found.lists if entries.head.action != "allow"),
        ruled.automod,
    )
    if not any(objects):
        raise Invalid({"rule": ["It allows, and holds nothing. Back-test the rule that it is an exception to."]})


def _tried_rules(session: Session, site: Site, tried: Tried) -> SiteRules:
    """What is to be tried, with what the site allows. Raises ``Invalid`` by field, ``NotFound`` for a foreign rule."""
    if tried.count() > 1:
        raise Invalid({"rule": ["Give one of: a rule, a list, a text of rules in YAML, the id of a rule."]})
    rows = [rule_row(rule) for rule in rules.rules_of(session, site.id) if rule.kind == "allow"]
    lists = [entries for entries in rules_of_site(session, site).rules.lists if entries.head.action == "allow"]
    if tried.rule is not None:
        rows.append(_below("rule", lambda: checked_rule(**tried.rule or {})))
    if tried.stored is not None:
        rows.append(_stored(session, site, tried.stored))
    if tried.words is not None:
        lists.append(_below("list", lambda: checked_list(**tried.words or {})))
    automod = None if tried.automod is None else _below("automod", lambda: read_automod(tried.automod or ""))
    return SiteRules(compile_rules(rows, lists), automod)


def _stored(session: Session, site: Site, rule_id: uuid.UUID) -> RuleRow:
    """A rule that holds on the site: its own, or one of all sites."""
    rule = rules.rule_by_id(session, rule_id)
    if rule is None or rule.site_id not in {None, site.id}:
        raise NotFound("rule")
    return rule_row(rule)


def _below(name: str, made: Any) -> Any:
    """What ``made`` gives; the fields that it finds wrong are those of ``name``."""
    try:
        return made()
    except Invalid as error:
        if name == "automod":
            raise Invalid({name: error.fields["text"]}) from None
        raise Invalid({f"{name}.{path}": messages for path, messages in error.fields.items()}) from None


def _decided(site_id: uuid.UUID, automatic: bool) -> Iterator[list[tuple[Comment, Author]]]:
    """The decided comments with their authors, by the latest decision that stands; a small read a batch, which may be
    empty.
    """
    seen: set[uuid.UUID] = set()
    before: tuple[datetime, uuid.UUID] | None = None
    while True:
        with read() as session:
            rows = decisions.standing_decisions(session, site_id, BATCH, before)
            latest: dict[uuid.UUID, Any] = {}
            for row in rows:
                # Newest first: what an older decision did has been overtaken.
                if row.comment_id not in seen:
                    latest.setdefault(row.comment_id, row)
            wanted = [
                row.comment_id
                for row in latest.values()
                if row.to_state in _DECIDED and (automatic or row.actor_kind != POLICY.kind)
            ]
            found = decisions.decided_comments(session, site_id, wanted) if wanted else {}
        yield [found[id] for id in wanted if id in found and found[id][0].state == latest[id].to_state]
        if len(rows) < BATCH:
            return
        seen |= latest.keys()
        before = (rows[-1].created_at, rows[-1].id)


def _judged(parts: Parts, comment: Comment, author: Author, ruled: SiteRules) -> tuple[Signal, ...]:
    record = None
    if comment.author_proven:
        known = (comment.created_at - author.created_at).days
        record = Record(author.approved, author.rejected, author.spam, known)
    candidate = Candidate(
        body=comment.body,
        author_name=comment.author_name,
        author_url=comment.author_url,
        links=tuple(parts.renderer.links(comment.body_html)),
        email_domain=comment.email_domain,
        record=record,
        ip_network=comment.ip_network,
        rules=ruled.rules,
        automod=ruled.automod,
        is_top_level=comment.parent_id is None,
        is_edited=comment.edited_at is not None,
        reports=comment.reports,
    )
    return parts.pipeline.signals(candidate, only=RULE_SIGNALS)


def _shown_signal(signal: Signal, body: str) -> dict[str, Any]:
    return {
        "name": signal.name,
        "weight": signal.weight,
        "evidence": evidence_shown(evidence_as_json(signal.evidence), body),
        "forces": signal.forces,
        "available": signal.available,
    }
