"""Where moderators are told of what waits, and what there is to tell."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, func, literal_column, select, update
from sqlalchemy.orm import Session

from moderation.domain.comment import State
from moderation.storage.models import Comment, Mailbox, Moderator, Site

_mailboxes = cast("Table", Mailbox.__table__)


def of_moderator(session: Session, moderator_id: uuid.UUID, *, for_change: bool = False) -> Mailbox | None:
    """The mailbox of a moderator; ``for_change``: the moderator is locked, so that two changes wait for each other."""
    if for_change:
        session.execute(select(Moderator.id).where(Moderator.id == moderator_id).with_for_update(key_share=True))
    return session.scalar(select(Mailbox).where(Mailbox.moderator_id == moderator_id))


def by_id(session: Session, mailbox_id: uuid.UUID, *, for_change: bool = False) -> Mailbox | None:
    """The mailbox with this id, of a moderator who may log in; ``for_change``: locked, as it is by now."""
    query = select(Mailbox).join(Moderator, Moderator.id == Mailbox.moderator_id)
    query = query.where(Mailbox.id == mailbox_id, Moderator.disabled_at.is_(None))
    if for_change:
        query = query.with_for_update(of=Mailbox, key_share=True).execution_options(populate_existing=True)
    return session.scalar(query)


def add(session: Session, mailbox: Mailbox) -> None:
    """Insert a mailbox."""
    session.add(mailbox)
    session.flush()


def change(session: Session, mailbox_id: uuid.UUID, **values: Any) -> None:
    """Set columns of a mailbox."""
    session.execute(update(_mailboxes).where(_mailboxes.c.id == mailbox_id).values(**values))


def remove(session: Session, mailbox_id: uuid.UUID) -> None:
    """Delete a mailbox, with what is on its way to it."""
    session.execute(delete(_mailboxes).where(_mailboxes.c.id == mailbox_id))


def due(session: Session, now: datetime, limit: int) -> Sequence[Mailbox]:
    """Up to ``limit`` mailboxes whose digest is due. Reads only; the table has a row for each moderator at most."""
    query = select(Mailbox).where(Mailbox.due_at <= now, Mailbox.confirmed_at.is_not(None))
    return session.scalars(query.order_by(Mailbox.due_at, Mailbox.id).limit(limit)).all()


def take_turn(session: Session, mailbox: Mailbox, due_at: datetime | None) -> bool:
    """Move a digest on to its next time; False where another worker did so, or its owner changed it."""
    mine = (_mailboxes.c.id == mailbox.id, _mailboxes.c.due_at == mailbox.due_at, _mailboxes.c.digest == mailbox.digest)
    moved = update(_mailboxes).where(*mine).values(due_at=due_at).returning(_mailboxes.c.id)
    return session.execute(moved).first() is not None


@dataclass(frozen=True, slots=True)
class SiteCount:
    """How many comments of a site wait in one state, or were reported; when the oldest and the newest came in."""

    site_id: uuid.UUID
    key: str
    name: str
    state: str
    number: int
    oldest: datetime
    newest: datetime


def waiting(session: Session, site_ids: Sequence[uuid.UUID]) -> list[SiteCount]:
    """What waits on these sites, by site and state; ``approved`` are those that readers reported.

    Walks the indexes of what waits: in proportion to that, not to the table.
    """
    found = []
    for state, more in (
        (State.PENDING, ()),
        (State.ESCALATED, ()),
        (State.APPROVED, (literal_column("comments.reports > 0"),)),
    ):
        conditions = [literal_column(f"comments.state = '{state.value}'"), *more]
        query = (
            select(Comment.site_id, func.count(), func.min(Comment.created_at), func.max(Comment.created_at))
            .where(Comment.site_id.in_(site_ids), *conditions)
            .group_by(Comment.site_id)
        )
        found += [(state.value, *row) for row in session.execute(query)]
    names = {
        row.id: row
        for row in session.execute(
            select(Site.id, Site.key, Site.name).where(Site.id.in_({site_id for _, site_id, *_ in found}))
        )
    }
    return [
        SiteCount(site_id, names[site_id].key, names[site_id].name, state, number, oldest, newest)
        for state, site_id, number, oldest, newest in found
    ]
