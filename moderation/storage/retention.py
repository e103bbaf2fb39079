"""What sites keep for some days only: found along an index of its own each, and taken out of the rows."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, func, literal, select, text, tuple_, update
from sqlalchemy.orm import Session

from moderation.domain.comment import WAITING
from moderation.storage.models import KEPT, Comment, SignalRow, Site, Subscription, Watch
from moderation.storage.subscriptions import CONFIRMED

ADDRESSES, NETWORKS, REFUSED = KEPT

_comments, _signals = cast("Table", Comment.__table__), cast("Table", SignalRow.__table__)
_AT_DOMAIN = "The author's address is at "
"""How the signal of listed domains begins what it says of an address."""

_GONE: dict[str, dict[str, Any]] = {
    ADDRESSES: {"email_sealed": None, "email_index": None, "email_domain": None},
    NETWORKS: {"ip_network": "", "network_key": None},
}


@dataclass(frozen=True, slots=True)
class Past:
    """What of a site is kept no longer: what it is, and the time before which it counts."""

    kind: str
    site_id: uuid.UUID
    before: datetime
    now: datetime


def all_settings(session: Session) -> Sequence[Any]:
    """``(id, key, settings)`` of all sites, oldest first."""
    return session.execute(select(Site.id, Site.key, Site.settings).order_by(Site.id)).all()


def count_past(session: Session, past: Past) -> int:
    """How many comments have what is kept no longer. Reads all of them in the index."""
    return session.scalar(select(func.count()).select_from(Comment).where(*_conditions(past))) or 0


def ids_past(session: Session, past: Past, limit: int, after: tuple[datetime, uuid.UUID] | None) -> Sequence[Any]:
    """``(created_at, id)`` of up to ``limit`` of them, oldest first, after a place. Along the index of their kind."""
    query = select(Comment.created_at, Comment.id).where(*_conditions(past)).order_by(Comment.created_at, Comment.id)
    if after is not None:
        place = tuple_(literal(after[0], Comment.created_at.type), literal(after[1], Comment.id.type))
        query = query.where(tuple_(Comment.created_at, Comment.id) > place)
    return session.execute(query.limit(limit)).all()


def past_among(session: Session, past: Past, ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Those of these comments, locked by now, that still have it: somebody may have edited or decided meanwhile."""
    query = select(Comment.id).where(Comment.id.in_(ids), *_conditions(past))
    return list(session.scalars(query.order_by(Comment.id)))


def forget(session: Session, kind: str, ids: Sequence[uuid.UUID]) -> None:
    """Take the address, or the network, out of comments and out of what the signals said of them."""
    session.execute(update(_comments).where(_comments.c.id.in_(ids)).values(_GONE[kind]))
    if kind == ADDRESSES:
        _forget_domains(session, ids)


def _forget_domains(session: Session, ids: Sequence[uuid.UUID]) -> None:
    of_it = (_signals.c.comment_id.in_(ids), _signals.c.name == "site_domains")
    for row in session.execute(select(_signals.c.comment_id, _signals.c.evidence).where(*of_it)).all():
        left = [one for one in row.evidence if not one["text"].startswith(_AT_DOMAIN)]
        if len(left) < len(row.evidence):
            place = (_signals.c.comment_id == row.comment_id, _signals.c.name == "site_domains")
            session.execute(update(_signals).where(*place).values(evidence=left))


def _conditions(past: Past) -> list[ColumnElement[bool]]:
    """The words of the index (``KEPT``) among them, so that both databases see that it fits."""
    found: list[Any] = [Comment.site_id == past.site_id, Comment.created_at < past.before, text(KEPT[past.kind])]
    if past.kind == NETWORKS:
        return found
    # What happened to a comment later counts from then on.
    found += [func.coalesce(Comment.decided_at, Comment.created_at) < past.before]
    found += [func.coalesce(Comment.edited_at, Comment.created_at) < past.before, Comment.editable_until < past.now]
    if past.kind == ADDRESSES:
        found += [Comment.state.not_in([state.value for state in WAITING]), ~_is_watched().exists()]
    return found


def _is_watched() -> Select[Any]:
    """Its author has confirmed to be told of replies, at this address."""
    watching = select(Watch.comment_id).join(Subscription, Subscription.id == Watch.subscription_id)
    return watching.where(Watch.comment_id == Comment.id, Subscription.state == CONFIRMED).correlate(Comment)
