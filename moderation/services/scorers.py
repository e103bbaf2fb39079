"""The set-up of external scorers, for admins: add, change, remove, try.

Every change lets the version of the site grow, so that no process goes on with what it has cached.
"""

import re
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from moderation.domain import webhook
from moderation.domain.actor import Actor, Role
from moderation.domain.policy import evidence_as_json, evidence_shown
from moderation.domain.scorer import (
    MAX_DEADLINE_MS,
    NAME_PATTERN,
    Kind,
    Question,
    checked_options,
    checked_secret,
    signal_of,
)
from moderation.domain.text import normalise_body
from moderation.errors import Bug, Conflict, Invalid, NotFound, OutboundRefused, ScorerUnavailable
from moderation.services import asking
from moderation.services.idempotency import Idempotency, reserve, settle
from moderation.services.listing import after, page
from moderation.services.parts import Parts
from moderation.services.sites import ALL_SITES, scope_for
from moderation.services.trials import MAX_TEST_CHARS
from moderation.storage import audit, scorers, scorings, sites
from moderation.storage.db import new_id, read, write
from moderation.storage.models import ScorerRow, Site
from moderation.storage.sealed import NO_SITE

MAX_SCORERS = 5
"""Scorers of one site, and of all sites: each is asked about every comment."""

STATES = (scorers.ACTIVE, scorers.DISABLED)


def add_scorer(
    parts: Parts,
    actor: Actor,
    site_key: str,
    name: str,
    kind: str,
    url: str,
    secret: str | None = None,
    options: Mapping[str, Any] | None = None,
    deadline_ms: int = 0,
    idem: Idempotency | None = None,
) -> dict[str, Any]:
    """Add a scorer to a site, or with the key ``*`` to all of them.

    One of the kind ``http`` that is given no secret gets one, which is in this answer as ``secret``, this once.
    Raises ``Invalid`` by field, also for a URL that leads to an address that we do not connect to, and ``Conflict``
    for a name that is taken or one scorer too many.
    """
    with read() as session:
        scope_for(session, actor, site_key, Role.ADMIN)
    made = webhook.new_secret() if kind == Kind.HTTP and secret is None else None
    row = _checked(parts, name, kind, url, options or {}, deadline_ms)
    plain = made or (None if secret is None else checked_secret(Kind(kind), secret))
    with write() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        reserved = reserve(session, parts, actor.key, idem)
        if reserved is not None and reserved.known is not None:
            return reserved.known
        row.site_id = None if site is None else site.id
        if scorers.count_scorers(session, row.site_id) >= MAX_SCORERS:
            raise Conflict(f"There are {MAX_SCORERS} scorers already, which is the most.")
        row.secret_sealed = _sealed(parts, row, plain)
        scorers.add_scorer(session, row)
        sites.bump_sites(session, row.site_id)
        answer = _shown(row, site, {}) | ({"secret": made} if made else {})
        settle(session, parts, reserved, answer)
        _note(parts, session, actor, row, "scorer.add", _facts(row))
        return answer


def list_scorers(
    parts: Parts, actor: Actor, site_key: str, *, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """The scorers made for one site, or with the key ``*`` those for all sites: ``{"items", "next"}``. No secrets."""
    with read() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        listing = f"scorers:{site_key}"
        rows = scorers.list_scorers(
            session, None if site is None else site.id, limit + 1, after(parts, listing, cursor)
        )
        counts = scorers.count_scorings(session, [row.id for row in rows])
        return page(parts, listing, rows, limit, lambda row: _shown(row, site, counts))


def show_scorer(parts: Parts, actor: Actor, scorer_id: uuid.UUID) -> dict[str, Any]:
    """One scorer. Raises ``NotFound`` also for one of a site that is not the actor's."""
    with read() as session:
        return _shown_alone(session, _scorer_for(session, actor, scorer_id))


def change_scorer(
    parts: Parts,
    actor: Actor,
    scorer_id: uuid.UUID,
    *,
    url: str | None = None,
    secret: str | None = None,
    options: Mapping[str, Any] | None = None,
    deadline_ms: int | None = None,
    state: str | None = None,
) -> dict[str, Any]:
    """Change what is given, leave the rest; ``options`` are replaced whole. What waits for a disabled scorer goes on
    waiting. Raises ``Invalid`` by field, also for a URL of another server without the secret that is meant for it.
    """
    with read() as session:
        kind = Kind(_scorer_for(session, actor, scorer_id).kind)
    values: dict[str, Any] = {}
    if url is not None:
        values["url"] = _checked_url(parts, url)
    if options is not None:
        values["options"] = checked_options(kind, options)
    if deadline_ms is not None:
        values["deadline_ms"] = _checked_deadline(deadline_ms)
    if state is not None:
        values["state"] = _checked_state(state)
    plain = None if secret is None else checked_secret(kind, secret)
    with write() as session:
        row = _scorer_for(session, actor, scorer_id, for_change=True)
        if plain is None:
            _check_keeps_secret(row, values.get("url", row.url))
        changed = [name for name, value in values.items() if getattr(row, name) != value]
        for name in changed:
            setattr(row, name, values[name])
        if plain is not None:
            row.secret_sealed = _sealed(parts, row, plain)
            changed.append("secret")
        if changed:
            session.flush()
            sites.bump_sites(session, row.site_id)
            _note(parts, session, actor, row, "scorer.change", {"changed": changed, **_facts(row)})
        return _shown_alone(session, row)


def remove_scorer(parts: Parts, actor: Actor, scorer_id: uuid.UUID) -> None:
    """Remove a scorer. What it said stays with the comments; those that wait for it are left to the moderators."""
    with write() as session:
        row = _scorer_for(session, actor, scorer_id, for_change=True)
        scorers.remove_scorer(session, row.id)
        sites.bump_sites(session, row.site_id)
        _note(parts, session, actor, row, "scorer.remove", _facts(row))


def retry_scorer(parts: Parts, actor: Actor, scorer_id: uuid.UUID) -> dict[str, Any]:
    """Have a scorer asked again about the comments for which it did not answer in all its tries: ``{"retried": n}``."""
    with write() as session:
        row = _scorer_for(session, actor, scorer_id, for_change=True)
        retried = scorings.retry_failed(session, row.id, parts.clock())
        _note(parts, session, actor, row, "scorer.retry", {"retried": retried})
    return {"retried": retried}


def try_scorer(parts: Parts, actor: Actor, scorer_id: uuid.UUID, text: str) -> dict[str, Any]:
    """Ask a scorer about a text now, also a disabled one. Nothing is stored.

    Returns ``{"ok", "error", "duration_ms", "weight", "scores", "evidence"}``; a failure is an answer here.
    """
    body = normalise_body(text)
    if not 1 <= len(body) <= MAX_TEST_CHARS:
        raise Invalid({"text": [f"It has {len(body)} characters; 1 to {MAX_TEST_CHARS} are allowed."]})
    with read() as session:
        row = _scorer_for(session, actor, scorer_id)
        site = None if row.site_id is None else sites.site_by_id(session, row.site_id)
        scorer = scorers.scorer_of(row)
    site_url = site.origins[0] if site is not None and site.origins else parts.settings.public_url
    question = Question(asking.message_id(new_id(), 1), ALL_SITES if site is None else site.key, "test", body, site_url)
    started = time.monotonic()
    answer: dict[str, Any] = {"ok": True, "error": "", "weight": 0.0, "scores": {}, "evidence": []}
    try:
        secret = asking.secret_of(parts, scorer)
        opinion = parts.scorers.ask_anyway(scorer, secret, question, parts.clock(), parts.settings.scorer_timeout_s)
        signal = signal_of(scorer, opinion)
        evidence = evidence_shown(evidence_as_json(signal.evidence), body)
        answer |= {"weight": signal.weight, "scores": signal.scores, "evidence": evidence}
    except ScorerUnavailable as error:
        answer |= {"ok": False, "error": error.detail}
    except Bug:
        answer |= {"ok": False, "error": asking.UNUSABLE}
    return answer | {"duration_ms": round((time.monotonic() - started) * 1_000)}


def _checked(parts: Parts, name: str, kind: str, url: str, options: Mapping[str, Any], deadline_ms: int) -> ScorerRow:
    if not re.fullmatch(NAME_PATTERN.strip("^$"), name):
        raise Invalid({"name": ["Use 1 to 30 of a-z, 0-9 and '-', beginning with a letter or digit."]})
    if kind not in {known.value for known in Kind}:
        raise Invalid({"kind": [f"It is one of {', '.join(Kind)}."]})
    return ScorerRow(
        id=new_id(),
        name=name,
        kind=kind,
        url=_checked_url(parts, url),
        options=checked_options(Kind(kind), options),
        deadline_ms=_checked_deadline(deadline_ms),
        state=scorers.ACTIVE,
        created_at=parts.clock(),
    )


def _checked_url(parts: Parts, url: str) -> str:
    """A URL that may be connected to, without a query: the protocols put their own path behind it."""
    if "?" in url:
        raise Invalid({"url": ["It may not have a query; a key goes into 'secret'."]})
    try:
        parts.scorers.check(url)
    except OutboundRefused as error:
        raise Invalid({"url": [error.detail]}) from None
    return url


def _check_keeps_secret(row: ScorerRow, url: str) -> None:
    """Raise ``Invalid`` where the secret would go to another server: who may change a URL may not know the secret.

    That of our own contract is never sent, it signs.
    """
    if row.secret_sealed is not None and row.kind != Kind.HTTP and _origin(url) != _origin(row.url):
        raise Invalid({"secret": ["The URL leads to another server. Give the secret that is meant for it."]})


def _origin(url: str) -> tuple[str, str]:
    split = urlsplit(url)
    return split.scheme.lower(), split.netloc.lower()


def _checked_deadline(deadline_ms: int) -> int:
    if not 0 <= deadline_ms <= MAX_DEADLINE_MS:
        raise Invalid({"deadline_ms": [f"It is a whole number from 0 to {MAX_DEADLINE_MS}; 0 lets the worker ask."]})
    return deadline_ms


def _checked_state(state: str) -> str:
    if state not in STATES:
        raise Invalid({"state": [f"It is one of {', '.join(STATES)}."]})
    return state


def _sealed(parts: Parts, row: ScorerRow, secret: str | None) -> bytes | None:
    if secret is None:
        return None
    plain = secret.encode("ascii")
    site_id = row.site_id or NO_SITE
    return parts.vault.seal(plain, table="scorers", column="secret_sealed", row_id=row.id, site_id=site_id)


def _scorer_for(session: Session, actor: Actor, scorer_id: uuid.UUID, *, for_change: bool = False) -> ScorerRow:
    find = scorers.scorer_for_change if for_change else scorers.scorer_by_id
    row = find(session, scorer_id)
    if row is None or (row.site_id is None and not actor.may(None, Role.ADMIN)):
        raise NotFound("scorer")
    if row.site_id is not None:
        actor.require(row.site_id, Role.ADMIN, "scorer")
    return row


def _shown_alone(session: Session, row: ScorerRow) -> dict[str, Any]:
    site = None if row.site_id is None else sites.site_by_id(session, row.site_id)
    return _shown(row, site, scorers.count_scorings(session, [row.id]))


def _shown(row: ScorerRow, site: Site | None, counts: Mapping[tuple[uuid.UUID, str], int]) -> dict[str, Any]:
    return {
        "id": row.id,
        "site": ALL_SITES if site is None else site.key,
        "name": row.name,
        "kind": row.kind,
        "url": row.url,
        "options": dict(row.options),
        "deadline_ms": row.deadline_ms,
        "state": row.state,
        "has_secret": row.secret_sealed is not None,
        "waiting": counts.get((row.id, scorings.PENDING), 0),
        "failed": counts.get((row.id, scorings.FAILED), 0),
        "created_at": row.created_at,
    }


def _facts(row: ScorerRow) -> dict[str, Any]:
    # A URL may hold a token of the scorer's, so that it does not go to the audit log.
    return {"name": row.name, "kind": row.kind, "deadline_ms": row.deadline_ms, "state": row.state}


def _note(parts: Parts, session: Session, actor: Actor, row: ScorerRow, action: str, data: Mapping[str, Any]) -> None:
    audit.append(
        session,
        site_id=row.site_id,
        actor=actor,
        action=action,
        object_kind="scorer",
        object_id=str(row.id),
        data=dict(data),
        now=parts.clock(),
        key=parts.vault.audit_key,
    )
