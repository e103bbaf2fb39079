"""Saved views: filters of the queue that moderators keep."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from moderation.errors import Conflict
from moderation.storage.models import SavedView

_TAKEN = "You have a view of this name already."


def views_of(session: Session, moderator_id: uuid.UUID) -> Sequence[SavedView]:
    """The views of a moderator, oldest first."""
    return session.scalars(select(SavedView).where(SavedView.moderator_id == moderator_id).order_by(SavedView.id)).all()


def add_view(session: Session, moderator_id: uuid.UUID, name: str, filters: dict[str, str], now: datetime) -> uuid.UUID:
    """Keep a view; returns its id. Raises ``Conflict`` where the moderator has one of this name."""
    view = SavedView(moderator_id=moderator_id, name=name, filters=filters, created_at=now)
    session.add(view)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(_TAKEN) from None
    return view.id


def rename_view(session: Session, moderator_id: uuid.UUID, view_id: uuid.UUID, name: str) -> bool:
    """Call a moderator's view otherwise; False where it is not there. Raises ``Conflict`` where the name is taken."""
    statement = update(SavedView).where(SavedView.moderator_id == moderator_id, SavedView.id == view_id)
    try:
        return bool(session.execute(statement.values(name=name)).rowcount)  # type: ignore[attr-defined]
    except IntegrityError:
        raise Conflict(_TAKEN) from None


def remove_view(session: Session, moderator_id: uuid.UUID, view_id: uuid.UUID) -> bool:
    """Remove a moderator's view; False where it is not there."""
    statement = delete(SavedView).where(SavedView.moderator_id == moderator_id, SavedView.id == view_id)
    return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]
