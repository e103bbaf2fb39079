"""What tells of a raid: the comments of the last minute by site, and where a site stands."""

import uuid
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, distinct, func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from moderation.domain.actor import POLICY
from moderation.domain.comment import State
from moderation.domain.raid import KNOWN_AFTER, USUAL_DAYS, Arrivals, Raid
from moderation.storage.models import Author, Comment, DailyCount, Decision, Site

MOST_COUNTED = 1_000
"""Where what waits since a raid began is counted, this stands for that many or more."""

_STATES = ", ".join(f"'{state.value}'" for state in State)
_IN_ANY_STATE: ColumnElement[bool] = literal_column(f"comments.state IN ({_STATES})")
"""So that the index by state and time is used, whatever the state."""


def arrivals_between(session: Session, since: datetime, until: datetime) -> dict[uuid.UUID, Arrivals]:
    """The comments that came in between two times, by site; what was imported has no network and does not count.

    Reads these comments and their authors by indexes, and nothing else, however many there are.
    """
    rows = session.execute(
        select(
            Comment.site_id,
            func.count(),
            func.sum(case((or_(Author.approved == 0, Author.created_at > since - KNOWN_AFTER), 1), else_=0)),
            func.count(distinct(Comment.network_key)),
        )
        .join(Author, Author.id == Comment.author_id)
        .where(_IN_ANY_STATE, Comment.created_at > since, Comment.created_at <= until)
        .where(Comment.network_key.is_not(None))
        .group_by(Comment.site_id)
    )
    return {site_id: Arrivals(n, int(newcomers), networks) for site_id, n, newcomers, networks in rows}


def to_look_at(session: Session, with_arrivals: Collection[uuid.UUID]) -> Sequence[Any]:
    """``id``, ``settings`` and where it stands of each of these sites, and of those that are under a raid."""
    query = select(Site.id, Site.settings, Site.raid_since, Site.raid_busy_at, Site.raid_not_before)
    return session.execute(query.where(or_(Site.id.in_(with_arrivals), Site.raid_since.is_not(None)))).all()


def usual_rate(session: Session, site_id: uuid.UUID, today: date) -> float:
    """A site's comments a minute, on average over the last days up to yesterday (UTC)."""
    total = session.scalar(
        select(func.sum(DailyCount.n)).where(
            DailyCount.site_id == site_id,
            DailyCount.name == "submitted",
            DailyCount.day >= today - timedelta(days=USUAL_DAYS),
            DailyCount.day < today,
        )
    )
    return float(total or 0) / (USUAL_DAYS * 24 * 60)


def site_for_switch(session: Session, site_id: uuid.UUID) -> Site | None:
    """The site, locked until the transaction ends; comments may refer to it meanwhile."""
    return session.scalar(select(Site).where(Site.id == site_id).with_for_update(key_share=True))


def raid_of(row: Any) -> Raid:
    """Where a site stands, by its row."""
    return Raid(row.raid_since, row.raid_busy_at, row.raid_not_before)


def keep(session: Session, site_id: uuid.UUID, raid: Raid) -> None:
    """Store where a site stands. Its version stays: readers and moderators see the same site."""
    values = {"raid_since": raid.since, "raid_busy_at": raid.busy_at, "raid_not_before": raid.not_before}
    session.execute(update(Site).where(Site.id == site_id).values(**values))


def waiting_since(session: Session, site_id: uuid.UUID, since: datetime) -> int:
    """How many comments wait that came in since then: exact below ``MOST_COUNTED``. Reads an index alone."""
    rows = (
        select(Comment.id)
        .where(Comment.site_id == site_id, Comment.state == State.PENDING.value, Comment.created_at >= since)
        .limit(MOST_COUNTED)
    )
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def was_approved_by_person(session: Session, site_id: uuid.UUID, author_id: uuid.UUID) -> bool:
    """Whether a person, and not the policy, approved a comment of an author. Reads the author's comments alone."""
    found = (
        select(Decision.id)
        .join(Comment, Comment.id == Decision.comment_id)
        .where(
            Comment.author_id == author_id,
            Comment.site_id == site_id,
            Decision.actor_kind != POLICY.kind,
            Decision.to_state == State.APPROVED.value,
            Decision.undone_at.is_(None),
        )
        .limit(1)
    )
    return session.scalar(found) is not None
