"""Reports and votes: one a reader and comment."""

from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres, new_id
from moderation.storage.models import Comment, Report, Vote

_comments, _votes = cast("Table", Comment.__table__), cast("Table", Vote.__table__)
_OF = _comments.c.id == bindparam("of")
_MINE = (_votes.c.comment_id == bindparam("of"), _votes.c.reader_key == bindparam("reader"))
_COUNT_REPORT = update(_comments).where(_OF).values(reports=_comments.c.reports + 1)
_VOTE = select(_votes.c.value).where(*_MINE)
_FORGET_VOTE = delete(_votes).where(*_MINE)
_ADD_VOTE = insert(_votes)
_COUNT_VOTE = update(_comments).where(_OF).values(votes=_comments.c.votes + bindparam("change"))
"""Built once: to build a statement takes longer than to run it."""


@lru_cache
def _insert_report(postgres: bool) -> Any:
    table = cast("Table", Report.__table__)
    statement = (postgresql.insert if postgres else sqlite.insert)(table)
    return statement.on_conflict_do_nothing(index_elements=["comment_id", "reader_key"]).returning(table.c.id)


def add_report(session: Session, comment: Comment, reader_key: bytes, reason: str, detail: str, now: datetime) -> bool:
    """Store a report and count it; False where this reader has reported this comment before."""
    values = {"id": new_id(), "site_id": comment.site_id, "comment_id": comment.id, "reader_key": reader_key}
    values |= {"reason": reason, "detail": detail, "created_at": now}
    if session.scalar(_insert_report(is_postgres(session)), values) is None:
        return False
    session.execute(_COUNT_REPORT, {"of": comment.id})
    return True


def set_vote(session: Session, comment: Comment, reader_key: bytes, value: int, now: datetime) -> int:
    """Set this reader's vote (1, -1, or 0 for none); returns by how much the comment's sum changed.

    The comment's thread has to be locked, so that one reader's two clicks do not count twice.
    """
    mine = {"of": comment.id, "reader": reader_key}
    before = session.scalar(_VOTE, mine) or 0
    if before == value:
        return 0
    session.execute(_FORGET_VOTE, mine)
    if value:
        row = {"comment_id": comment.id, "reader_key": reader_key, "site_id": comment.site_id}
        session.execute(_ADD_VOTE, {**row, "value": value, "created_at": now})
    session.execute(_COUNT_VOTE, {"of": comment.id, "change": value - before})
    return value - before
