"""What is stored of one person on one site, found by the blind index of their address."""

import uuid
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Table, func, select, update
from sqlalchemy.orm import Session

from moderation.storage.models import AuditLine, Author, Comment

_authors = cast("Table", Author.__table__)


def comments_of_email(
    session: Session, site_id: uuid.UUID, email_index: bytes, limit: int, after: uuid.UUID | None = None
) -> Sequence[Comment]:
    """Up to ``limit`` comments that were sent with an address, by id, after the comment ``after``."""
    query = select(Comment).where(Comment.site_id == site_id, Comment.email_index == email_index)
    query = query.order_by(Comment.id).limit(limit)
    return session.scalars(query if after is None else query.where(Comment.id > after)).all()


def count_comments_of_email(session: Session, site_id: uuid.UUID, email_index: bytes) -> int:
    """How many there are, for a progress bar."""
    query = select(func.count()).select_from(Comment)
    return session.scalar(query.where(Comment.site_id == site_id, Comment.email_index == email_index)) or 0


def authors_by_id(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Author]:
    """The authors with these ids, of whatever site."""
    return {author.id: author for author in session.scalars(select(Author).where(Author.id.in_(ids)))}


def reveals_of(session: Session, comment_ids: Sequence[uuid.UUID]) -> dict[str, list[AuditLine]]:
    """When the addresses of these comments were shown to somebody, by the text of the comment's id."""
    about = [str(comment_id) for comment_id in comment_ids]
    query = select(AuditLine).where(AuditLine.object_kind == "comment", AuditLine.object_id.in_(about))
    found: dict[str, list[AuditLine]] = {}
    for line in session.scalars(query.where(AuditLine.action == "comment.reveal-email").order_by(AuditLine.seq)):
        found.setdefault(line.object_id, []).append(line)
    return found


def forget_author(session: Session, author_id: uuid.UUID) -> None:
    """Take the name, and the tie to whom the site vouches for, from an author's record."""
    values: dict[str, Any] = {"name": "", "person_key": None}
    session.execute(update(_authors).where(_authors.c.id == author_id).values(values))
