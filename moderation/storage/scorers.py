"""The external scorers of sites, and those of all sites."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from moderation.domain.scorer import Kind, Scorer
from moderation.errors import Conflict
from moderation.storage.models import ScorerRow, Scoring

ACTIVE = "active"
DISABLED = "disabled"


def scorer_of(row: Any) -> Scorer:
    """A row as the domain knows it."""
    return Scorer(
        row.id, row.site_id, row.name, Kind(row.kind), row.url, row.secret_sealed, dict(row.options), row.deadline_ms
    )


def scorers_of(session: Session, site_id: uuid.UUID) -> tuple[Scorer, ...]:
    """The active scorers that are asked about a site's comments, by name.

    A site's own takes the place of one of all sites with the same name, and where it is disabled there is none.
    """
    query = select(ScorerRow).where(or_(ScorerRow.site_id == site_id, ScorerRow.site_id.is_(None)))
    rows = sorted(session.scalars(query), key=lambda row: row.site_id is not None)
    by_name = {row.name: row for row in rows}
    return tuple(scorer_of(by_name[name]) for name in sorted(by_name) if by_name[name].state == ACTIVE)


def add_scorer(session: Session, row: ScorerRow) -> None:
    """Insert the scorer. Raises ``Conflict`` for a name that is taken on the same site, or for all sites."""
    if session.scalar(select(ScorerRow.id).where(_own(row.site_id), ScorerRow.name == row.name)) is not None:
        raise Conflict(f"There is a scorer '{row.name}' already.")
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"There is a scorer '{row.name}' already.") from None


def scorer_by_id(session: Session, scorer_id: uuid.UUID) -> ScorerRow | None:
    """The scorer with this id, of whatever site: ask who may see it before you show it."""
    return session.get(ScorerRow, scorer_id)


def scorer_for_change(session: Session, scorer_id: uuid.UUID) -> ScorerRow | None:
    """The same, locked until the transaction ends."""
    query = select(ScorerRow).where(ScorerRow.id == scorer_id).with_for_update(key_share=True)
    row: ScorerRow | None = session.scalar(query.execution_options(populate_existing=True))
    return row


def list_scorers(
    session: Session, site_id: uuid.UUID | None, limit: int, after: uuid.UUID | None = None
) -> Sequence[ScorerRow]:
    """Up to ``limit`` scorers made for this site alone (None: for all sites), after the scorer ``after``."""
    query = select(ScorerRow).where(_own(site_id)).order_by(ScorerRow.id).limit(limit)
    return session.scalars(query if after is None else query.where(ScorerRow.id > after)).all()


def count_scorers(session: Session, site_id: uuid.UUID | None) -> int:
    """How many scorers were made for this site alone (None: for all sites)."""
    return session.scalar(select(func.count()).select_from(ScorerRow).where(_own(site_id))) or 0


def count_scorings(session: Session, scorer_ids: Sequence[uuid.UUID]) -> dict[tuple[uuid.UUID, str], int]:
    """How many comments wait for each scorer (``pending``), and for how many it is too late (``failed``)."""
    query = select(Scoring.scorer_id, Scoring.state, func.count()).where(Scoring.scorer_id.in_(scorer_ids))
    rows = session.execute(query.group_by(Scoring.scorer_id, Scoring.state))
    return {(scorer_id, state): count for scorer_id, state, count in rows}


def remove_scorer(session: Session, scorer_id: uuid.UUID) -> None:
    """Delete a scorer with what was still to be asked. What it said stays with the comments."""
    session.execute(delete(ScorerRow).where(ScorerRow.id == scorer_id))


def _own(site_id: uuid.UUID | None) -> ColumnElement[bool]:
    return ScorerRow.site_id.is_(None) if site_id is None else ScorerRow.site_id == site_id
