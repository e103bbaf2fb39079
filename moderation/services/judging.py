"""One text judged: facts gathered, signals run, the policy asked. Used for a new comment and for an edit alike."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.comment import State
from moderation.domain.policy import Evidence, Forces, Signal, Span, Verdict, decide, evidence_as_json, noticed
from moderation.domain.proof import Proof
from moderation.domain.scorer import Scorer, unanswered
from moderation.domain.site import SiteSettings
from moderation.scoring import behaviour, learned
from moderation.scoring.pipeline import OF_TEXT, Candidate, Earlier, Record
from moderation.scoring.repeats import NEAR, Fingerprint, bands, fingerprint, similarity
from moderation.services.learning import model_of_site
from moderation.services.parts import Parts
from moderation.services.site_rules import rules_of_site
from moderation.storage import comments, scorers
from moderation.storage.models import Site

REPEATS_WITHIN = timedelta(days=30)
BURST_WITHIN = timedelta(minutes=10)
BURST_COUNTED = 50
ANCHORS_READ = 50
"""Rows read of each band."""

IDENTICAL_READ = 20
SIMILAR_READ = 50


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be judged, normalised and rendered. ``author_id`` is set only where a signed token proves it.

    ``raid``: the site is under a raid, and nobody known wrote this. ``proof``: what came of the proof of work that was
    asked for, None where none was.
    """

    comment_id: uuid.UUID
    body: str
    body_html: str
    author_name: str
    author_url: str | None
    email_domain: str | None
    author_id: uuid.UUID | None
    thread_id: uuid.UUID | None
    network_key: bytes
    ip_network: str
    filled_in_ms: int | None = None
    honeypot: bool = False
    is_top_level: bool = True
    is_edited: bool = False
    reports: int = 0
    raid: bool = False
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Alike:
    """The group of alike comments that a text belongs to; ``begins``: no other comment stands for it; ``is_new``: no
    other is in it.
    """

    key: bytes | None
    begins: bool = False
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with what led to it. ``scorers`` are those of the site; each has its signal among the others."""

    verdict: Verdict
    signals: tuple[Signal, ...]
    fingerprint: Fingerprint
    alike: Alike
    scorer_version: str
    scorers: tuple[Scorer, ...] = ()

    @property
    def asks_now(self) -> bool:
        """Whether a scorer is to be asked within the request. Nobody is about what is spam already."""
        return self.verdict.state is not State.SPAM and any(scorer.deadline_ms for scorer in self.scorers)

    def signal_rows(self) -> list[dict[str, Any]]:
        """The signals as they are stored."""
        return signal_rows(self.signals)

    def bands(self) -> tuple[int, ...]:
        """The bands by which the comment is to be found, where it stands for a group."""
        return bands(self.fingerprint.sketch) if self.alike.begins else ()


def signal_rows(signals: Sequence[Signal]) -> list[dict[str, Any]]:
    """The rows of what signals said: of those that noticed something or could not be judged.

    Those that cannot be asked again are stored in any case, for the scores that they gave.
    """
    return [signal_row(signal) for signal in signals if noticed(signal) or signal.name not in OF_TEXT]


def signal_row(signal: Signal) -> dict[str, Any]:
    """A signal as it is stored."""
    return {
        "name": signal.name,
        "weight": signal.weight,
        "available": signal.available,
        "evidence": evidence_as_json(signal.evidence),
        "scores": dict(signal.scores),
        "forces": signal.forces,
    }


def stored_signal(row: Any) -> Signal:
    """A signal from its row. What the site's decisions taught may not approve a comment, now as then."""
    evidence = tuple(
        Evidence(one["text"], tuple(Span(start, end) for start, end in one.get("spans", []))) for one in row.evidence
    )
    forces = Forces(row.forces) if row.forces else None
    return Signal(row.name, row.weight, evidence, row.scores, forces, row.available, approves=row.name != learned.NAME)


def judge(session: Session, parts: Parts, site: Site, settings: SiteSettings, draft: Draft) -> Judged:
    """Gather the facts, run the signals, decide.

    At most five small queries, none in proportion to a table; and some more where the site's rules, scorers or what was
    learned have changed since this process asked for them.
    """
    now = parts.clock()
    print_ = fingerprint(draft.body)
    alike, identical, similar = _repeats(session, site.id, print_, draft, now)
    links = tuple(parts.renderer.links(draft.body_html))
    candidate = _candidate(session, parts, site, settings, draft, links, identical, similar)
    asked = scorers_of_site(session, site)
    signals = (*parts.pipeline.signals(candidate), *(unanswered(scorer) for scorer in asked))
    verdict = decide(signals, settings.decision_policy())
    return Judged(verdict, signals, print_, alike, parts.pipeline.version, asked)


def with_used_proof(judged: Judged, settings: SiteSettings) -> Judged:
    """The same where the proof of work turned out to be used already: another comment came in with it meanwhile."""
    used = behaviour.proof_of_work(Proof.USED)
    signals = (*(signal for signal in judged.signals if signal.name != used.name), used)
    return replace(judged, verdict=decide(signals, settings.decision_policy()), signals=signals)


def judge_unstored(
    session: Session, parts: Parts, site: Site, settings: SiteSettings, draft: Draft, links: Sequence[str]
) -> tuple[Verdict, tuple[Signal, ...]]:
    """Judge a text that is not a comment here and is not kept: by everything on this machine, and by the site's rules.

    External scorers are not asked, so that the answer is quick and nobody is asked in a circle. The draft needs no
    HTML, since ``links`` are given.
    """
    now = parts.clock()
    _, identical, similar = _repeats(session, site.id, fingerprint(draft.body), draft, now)
    candidate = _candidate(session, parts, site, settings, draft, links, identical, similar)
    signals = parts.pipeline.signals(candidate)
    return decide(signals, settings.decision_policy()), signals


def _candidate(
    session: Session,
    parts: Parts,
    site: Site,
    settings: SiteSettings,
    draft: Draft,
    links: Sequence[str],
    identical: Sequence[Earlier],
    similar: Sequence[Earlier],
) -> Candidate:
    now = parts.clock()
    ruled = rules_of_site(session, site)
    return Candidate(
        body=draft.body,
        author_name=draft.author_name,
        author_url=draft.author_url,
        links=links,
        email_domain=draft.email_domain,
        filled_in_ms=draft.filled_in_ms,
        honeypot=draft.honeypot,
        record=_record(session, site.id, draft.author_id, now),
        network_recent=comments.recent_of_network(
            session, site.id, draft.network_key, now - BURST_WITHIN, BURST_COUNTED
        ),
        identical=identical,
        similar=similar,
        ip_network=draft.ip_network,
        rules=ruled.rules,
        learned=model_of_site(session, site, settings),
        automod=ruled.automod,
        is_top_level=draft.is_top_level,
        is_edited=draft.is_edited,
        reports=draft.reports,
        raid=draft.raid,
        proof=draft.proof,
    )


def _record(session: Session, site_id: uuid.UUID, author_id: uuid.UUID | None, now: datetime) -> Record | None:
    author = comments.author_of_site(session, site_id, author_id) if author_id else None
    if author is None:
        return None
    return Record(author.approved, author.rejected, author.spam, (now - author.created_at).days)


def _repeats(
    session: Session, site_id: uuid.UUID, found: Fingerprint, draft: Draft, now: datetime
) -> tuple[Alike, list[Earlier], list[Earlier]]:
    """The group of a text, and the comments before it of the same text and of nearly the same."""
    same = comments.identical_comments(session, site_id, found.exact, IDENTICAL_READ)
    others = [row for row in same if row.id != draft.comment_id]
    alike = find_group(session, site_id, found, others[0].alike_key if others else None, draft.comment_id)
    identical = [_earlier(row, draft) for row in others if row.created_at >= now - REPEATS_WITHIN]
    if alike.key is None or alike.is_new or not found.sketch:
        return alike, identical, []
    members = comments.newest_of_group(session, (site_id, alike.key), SIMILAR_READ)
    similar = [_earlier(row, draft) for row in members if row.id != draft.comment_id and row.exact != found.exact]
    return alike, identical, similar


def find_group(
    session: Session, site_id: uuid.UUID, found: Fingerprint, known: bytes | None, own_id: uuid.UUID | None
) -> Alike:
    """The group of a text: that of the same text (``known``), else the one whose comment is most like it, else its own.

    The key of a group is made from the text that began it, so that two of the same text at the same moment begin the
    same group. Only the comment that stands for a group is compared: a group is around it and no chain.
    """
    if known is not None:
        return Alike(known)
    anchors = comments.anchors_near(session, site_id, bands(found.sketch), ANCHORS_READ)
    ranked = sorted(
        (-similarity(row.sketch or b"", found.sketch), row.id, row.alike_key) for row in anchors if row.alike_key
    )
    if not ranked or -ranked[0][0] < NEAR:
        return Alike(found.exact, begins=True, is_new=True)
    _, anchor_id, key = ranked[0]
    return Alike(key, begins=anchor_id == own_id)


def _earlier(row: Any, draft: Draft) -> Earlier:
    return Earlier(str(row.id), row.state, row.thread_id == draft.thread_id)


_scorers: dict[uuid.UUID, tuple[int, tuple[Scorer, ...]]] = {}


def scorers_of_site(session: Session, site: Site) -> tuple[Scorer, ...]:
    """A site's external scorers; kept in this process until the site's version grows, as with every change of them."""
    known = _scorers.get(site.id)
    if known is None or known[0] != site.version:
        known = _scorers[site.id] = (site.version, scorers.scorers_of(session, site.id))
    return known[1]
