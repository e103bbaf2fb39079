"""What keys of Akismet's protocol were used for, by month: a row a token, month and origin."""

import uuid
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres
from moderation.storage.models import KeyUsage

COUNTED = ("calls", "spam", "ham", "missed_spam", "false_positives")
"""What is counted: calls in all, the two verdicts, and what was submitted as wrong."""

ORDERS = {name: name for name in COUNTED[1:]} | {"total": "calls"}
"""By what the rows of a month can be sorted, most first."""

_usage = cast("Table", KeyUsage.__table__)


def count(session: Session, token_id: uuid.UUID, month: date, blog: str, *also: str) -> None:
    """Count one call, and what came of it (of ``COUNTED``), in the caller's transaction; ``month`` is its first day."""
    row = dict.fromkeys(COUNTED, 0) | dict.fromkeys(("calls", *also), 1)
    session.execute(_upsert(is_postgres(session)), {"token_id": token_id, "month": month, "blog": blog, **row})


@lru_cache
def _upsert(postgres: bool) -> Any:
    """The statement of ``count``, built once."""
    insert = (postgresql.insert if postgres else sqlite.insert)(_usage)
    return insert.on_conflict_do_update(
        index_elements=["token_id", "month", "blog"],
        set_={name: _usage.c[name] + insert.excluded[name] for name in COUNTED},
    )


def calls_in(session: Session, token_id: uuid.UUID, month: date) -> int:
    """Verdicts that a token was given in a month."""
    total = func.coalesce(func.sum(_usage.c.spam + _usage.c.ham), 0)
    return int(session.scalar(select(total).where(_usage.c.token_id == token_id, _usage.c.month == month)) or 0)


def rows_of(session: Session, token_id: uuid.UUID, month: date, order: str) -> Sequence[Any]:
    """A token's rows of a month, by a name of ``ORDERS``: at most as many as the site has origins, and one."""
    where = (_usage.c.token_id == token_id, _usage.c.month == month)
    return session.execute(select(_usage).where(*where).order_by(_usage.c[ORDERS[order]].desc(), _usage.c.blog)).all()
