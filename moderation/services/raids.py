"""Raid mode: whether a site is under a raid, and switching it. The rule itself is in ``domain/raid.py``.

A switch is one transaction: the site's row, the event for webhooks, the line of the audit log. It is made under the
lock of that row by what stands in it then, so each is told once, however many workers and processes see the same.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain import raid, webhook
from moderation.domain.actor import POLICY, Actor
from moderation.domain.raid import NOTHING, Arrivals, Mode, Move, Raid
from moderation.domain.site import SiteSettings, site_settings
from moderation.domain.times import SKEW, rfc3339, rfc3339_or_none
from moderation.services.parts import Parts
from moderation.storage import audit, comments, outbox, raids
from moderation.storage.db import read, write
from moderation.storage.models import Site

MOST_COUNTED = raids.MOST_COUNTED
STARTED, ENDED = "site.raid_started", "site.raid_ended"


def is_on(site: Site, settings: SiteSettings) -> bool:
    """Whether comments are to be held and slowed: by the row that a submission reads anyway."""
    return settings.raid_mode == Mode.ON or (settings.raid_mode == Mode.AUTO and site.raid_since is not None)


def is_known(session: Session, parts: Parts, site: Site, author_id: uuid.UUID | None) -> bool:
    """Whether an author, proven by a token or by the site's word, is spared; at most two small reads."""
    author = comments.author_of_site(session, site.id, author_id) if author_id else None
    if author is None or not author.approved or author.spam:
        return False
    age = parts.clock() - author.created_at
    by_person = age < raid.KNOWN_AFTER and raids.was_approved_by_person(session, site.id, author.id)
    return raid.is_known(author.approved, author.spam, age, by_person)


def look(parts: Parts) -> int:
    """Switch what the figures of the last minute ask to be switched, for all sites; how many were. For the worker.

    Costs a read of the comments of the last minute, and nothing to those who send them.
    """
    now = parts.clock()
    with read() as session:
        # Other machines' clocks are not quite the same; what is far ahead was written before this one was set back.
        arrivals = raids.arrivals_between(session, now - raid.WINDOW, now + SKEW)
        moves = []
        for row in raids.to_look_at(session, arrivals):
            figures = arrivals.get(row.id, NOTHING)
            limit = _limit(session, row.id, site_settings(row.settings), figures, now)
            if _next_move(raids.raid_of(row), site_settings(row.settings), figures, limit, now) is not None:
                moves.append((row.id, figures, limit))
    return sum(_carry_out(parts, *move, now) for move in moves)


def _limit(session: Session, site_id: uuid.UUID, settings: SiteSettings, figures: Arrivals, now: datetime) -> float:
    """From how many on it is a raid. The usual rate is only asked for where it matters."""
    if figures.newcomers < settings.raid_at / 2:
        return float(settings.raid_at)
    return raid.limit_of(settings.raid_at, raids.usual_rate(session, site_id, now.date()))


def _next_move(stands: Raid, settings: SiteSettings, figures: Arrivals, limit: float, now: datetime) -> Move | None:
    quiet = timedelta(seconds=settings.raid_quiet_s)
    return raid.next_move(stands, settings.raid_mode, figures, limit, quiet, now)


def _carry_out(parts: Parts, site_id: uuid.UUID, figures: Arrivals, limit: float, now: datetime) -> bool:
    with write() as session:
        site = raids.site_for_switch(session, site_id)
        if site is None:
            return False
        stands = raids.raid_of(site)
        match _next_move(stands, site_settings(site.settings), figures, limit, now):
            case Move.START:
                _start(session, parts, site, POLICY, now, figures, limit)
            case Move.END:
                _end(session, parts, site, POLICY, now)
            case Move.GO_ON:
                raids.keep(session, site.id, Raid(stands.since, now, None))
                return False
            case _:
                return False
    return True


def waiting(parts: Parts, site_id: uuid.UUID, since: datetime) -> int:
    """How many comments wait that came in since then; ``MOST_COUNTED`` stands for that many or more."""
    with read() as session:
        return raids.waiting_since(session, site_id, since)


def follow_setting(session: Session, parts: Parts, actor: Actor, site: Site) -> None:
    """Switch as ``raid_mode``, which has just been set, says, in the caller's transaction; call it at its end.

    Set back to ``auto``, a raid goes on until it has been quiet for long enough from now on.
    """
    mode, now = site_settings(site.settings).raid_mode, parts.clock()
    if mode == Mode.ON and site.raid_since is None:
        _start(session, parts, site, actor, now)
    elif mode == Mode.OFF and site.raid_since is not None:
        _end(session, parts, site, actor, now)
    elif mode == Mode.AUTO and site.raid_since is not None:
        raids.keep(session, site.id, Raid(site.raid_since, now, None))


def end_by_hand(session: Session, parts: Parts, actor: Actor, site: Site) -> None:
    """End it, in the caller's transaction; none begins by itself for an hour. Call it at its end."""
    now = parts.clock()
    if site.raid_since is not None:
        _end(session, parts, site, actor, now, now + raid.PAUSE)


def _start(
    session: Session,
    parts: Parts,
    site: Site,
    actor: Actor,
    now: datetime,
    figures: Arrivals | None = None,
    limit: float | None = None,
) -> None:
    raids.keep(session, site.id, Raid(now, now, None))
    facts: dict[str, Any] = {"by": "figures" if figures else "hand"}
    if figures is not None:
        facts |= {"newcomers": figures.newcomers, "networks": figures.networks, "limit": round(limit or 0)}
    _tell(session, site, STARTED, {"since": rfc3339(now), **facts}, now)
    _audit(session, parts, site, actor, "raid.start", facts, now)


def _end(
    session: Session, parts: Parts, site: Site, actor: Actor, now: datetime, not_before: datetime | None = None
) -> None:
    facts = {"since": rfc3339_or_none(site.raid_since), "by": "figures" if actor is POLICY else "hand"}
    raids.keep(session, site.id, Raid(None, None, not_before))
    _tell(session, site, ENDED, {**facts, "ended_at": rfc3339(now)}, now)
    _audit(session, parts, site, actor, "raid.end", facts, now)


def _tell(session: Session, site: Site, event_type: str, facts: dict[str, Any], now: datetime) -> None:
    payload = webhook.payload(event_type, now, {"site": site.key, "raid": facts})
    outbox.enqueue(session, site_id=site.id, comment_id=None, event_type=event_type, payload=payload, now=now)


def _audit(
    session: Session, parts: Parts, site: Site, actor: Actor, action: str, facts: dict[str, Any], now: datetime
) -> None:
    audit.append(
        session,
        site_id=site.id,
        actor=actor,
        action=action,
        object_kind="site",
        object_id=site.key,
        data=facts,
        now=now,
        key=parts.vault.audit_key,
    )
