"""One text judged: facts gathered, signals run, the policy asked. Used for a new comment and for an edit alike."""

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.policy import Signal, Verdict, decide, evidence_as_json, noticed
from moderation.domain.site import SiteSettings
from moderation.scoring.pipeline import Candidate, Earlier, Record
from moderation.scoring.repeats import NEAR, Fingerprint, distance, fingerprint
from moderation.scoring.words import RuleRow, Rules, compile_rules
from moderation.services.learning import model_of_site
from moderation.services.parts import Parts
from moderation.storage import comments, rules
from moderation.storage.models import Site

REPEATS_WITHIN = timedelta(days=30)
BURST_WITHIN = timedelta(minutes=10)
BURST_COUNTED = 50
SIMILAR_READ = 50
"""Rows read of each band."""

IDENTICAL_READ = 20


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be judged, normalised and rendered. ``author_id`` is set only where a signed token proves it."""

    body: str
    body_html: str
    author_name: str
    author_url: str | None
    email_domain: str | None
    author_id: uuid.UUID | None
    thread_id: uuid.UUID | None
    network_key: bytes | None
    ip_network: str
    filled_in_ms: int | None = None
    honeypot: bool = False
    comment_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with what led to it."""

    verdict: Verdict
    signals: tuple[Signal, ...]
    fingerprint: Fingerprint

    def signal_rows(self) -> list[dict[str, Any]]:
        """The signals as they are stored: those that found something, or could not be judged."""
        return [
            {
                "name": signal.name,
                "weight": signal.weight,
                "available": signal.available,
                "evidence": evidence_as_json(signal.evidence),
            }
            for signal in self.signals
            if noticed(signal)
        ]


def judge(session: Session, parts: Parts, site: Site, settings: SiteSettings, draft: Draft) -> Judged:
    """Gather the facts (at most seven small queries, none in proportion to a table), run the signals, decide."""
    now = parts.clock()
    print_ = fingerprint(draft.body)
    candidate = Candidate(
        body=draft.body,
        author_name=draft.author_name,
        author_url=draft.author_url,
        links=tuple(parts.renderer.links(draft.body_html)),
        email_domain=draft.email_domain,
        filled_in_ms=draft.filled_in_ms,
        honeypot=draft.honeypot,
        record=_record(session, site.id, draft.author_id, now),
        network_recent=_recent(session, site.id, draft.network_key, now),
        identical=_identical(session, site.id, print_, draft, now),
        similar=_similar(session, site.id, print_, draft),
        ip_network=draft.ip_network,
        rules=rules_of_site(session, site),
        learned=model_of_site(session, site, settings),
    )
    signals = parts.pipeline.signals(candidate)
    return Judged(decide(signals, settings.decision_policy()), signals, print_)


def _record(session: Session, site_id: uuid.UUID, author_id: uuid.UUID | None, now: datetime) -> Record | None:
    author = comments.author_of_site(session, site_id, author_id) if author_id else None
    if author is None:
        return None
    return Record(author.approved, author.rejected, author.spam, (now - author.created_at).days)


def _recent(session: Session, site_id: uuid.UUID, network_key: bytes | None, now: datetime) -> int:
    if network_key is None:
        return 0
    return comments.recent_of_network(session, site_id, network_key, now - BURST_WITHIN, BURST_COUNTED)


def _identical(session: Session, site_id: uuid.UUID, found: Fingerprint, draft: Draft, now: datetime) -> list[Earlier]:
    rows = comments.identical_comments(session, site_id, found.exact, now - REPEATS_WITHIN, IDENTICAL_READ)
    return [
        Earlier(str(id), state, thread_id == draft.thread_id) for id, thread_id, state in rows if id != draft.comment_id
    ]


def _similar(session: Session, site_id: uuid.UUID, found: Fingerprint, draft: Draft) -> list[Earlier]:
    rows = comments.similar_comments(session, site_id, found.bands, SIMILAR_READ)
    return [
        Earlier(str(id), state, thread_id == draft.thread_id)
        for id, thread_id, state, simhash, exact in rows
        if id != draft.comment_id and exact != found.exact and distance(simhash, found.simhash) <= NEAR
    ]


_compiled: dict[uuid.UUID, tuple[int, Rules]] = {}
_compiling = threading.Lock()


def rules_of_site(session: Session, site: Site) -> Rules:
    """A site's rules, compiled; kept in this process until the site's version grows, as with every change of rules."""
    known = _compiled.get(site.id)
    if known is not None and known[0] == site.version:
        return known[1]
    with _compiling:
        known = _compiled.get(site.id)
        if known is not None and known[0] == site.version:
            return known[1]
        compiled = compile_rules(_rows(rules.rules_of(session, site.id)))
        _compiled[site.id] = (site.version, compiled)
    return compiled


def _rows(stored: Sequence[Any]) -> list[RuleRow]:
    return [RuleRow(str(rule.id), rule.kind, rule.value, rule.action, rule.weight) for rule in stored]
