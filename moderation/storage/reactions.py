"""Reports and votes: one a reader and comment."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres, new_id
from moderation.storage.models import Comment, Report, Vote


def add_report(session: Session, comment: Comment, reader_key: bytes, reason: str, detail: str, now: datetime) -> bool:
    """Store a report and count it; False where this reader has reported this comment before."""
    insert = postgresql.insert(Report) if is_postgres(session) else sqlite.insert(Report)
    values = {"id": new_id(), "site_id": comment.site_id, "comment_id": comment.id, "reader_key": reader_key}
    values |= {"reason": reason, "detail": detail, "created_at": now}
    statement = insert.values(**values).on_conflict_do_nothing(index_elements=["comment_id", "reader_key"])
    if session.scalar(statement.returning(Report.id)) is None:
        return False
    session.execute(update(Comment).where(Comment.id == comment.id).values(reports=Comment.reports + 1))
    return True


def set_vote(session: Session, comment: Comment, reader_key: bytes, value: int, now: datetime) -> int:
    """Set this reader's vote (1, -1, or 0 for none); returns by how much the comment's sum changed.

    The comment's thread has to be locked, so that one reader's two clicks do not count twice.
    """
    mine = (Vote.comment_id == comment.id, Vote.reader_key == reader_key)
    before = session.scalar(select(Vote.value).where(*mine)) or 0
    if before == value:
        return 0
    session.execute(delete(Vote).where(*mine))
    if value:
        session.add(
            Vote(comment_id=comment.id, reader_key=reader_key, site_id=comment.site_id, value=value, created_at=now)
        )
        session.flush()
    session.execute(update(Comment).where(Comment.id == comment.id).values(votes=Comment.votes + value - before))
    return value - before
