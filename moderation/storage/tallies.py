"""Daily counts of a site, for its statistics without a count over a large table."""

import random
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres
from moderation.storage.models import DailyCount

SHARDS = 8
"""On PostgreSQL a day's count is spread over this many rows, so that writers seldom wait for one another."""


Count = tuple[uuid.UUID, date, str]
"""A site, a day, and the name of what is counted."""


def count_all(session: Session, counts: Iterable[Count], n: int = 1) -> None:
    """Add ``n`` for each of ``counts``, in one order, so that two transactions never wait for each other."""
    for (site_id, day, name), times in sorted(Counter(counts).items()):
        count(session, site_id, day, name, n * times)


def count(session: Session, site_id: uuid.UUID, day: date, name: str, n: int = 1) -> None:
    """Add to a count of the day (UTC), in the caller's transaction."""
    postgres = is_postgres(session)
    shard = random.randrange(SHARDS) if postgres else 0  # noqa: S311
    session.execute(_upsert(postgres), {"site_id": site_id, "day": day, "name": name, "shard": shard, "n": n})


@lru_cache
def _upsert(postgres: bool) -> Any:
    """The statement of ``count``, built once."""
    table = cast("Table", DailyCount.__table__)
    insert = (postgresql.insert if postgres else sqlite.insert)(table)
    return insert.on_conflict_do_update(
        index_elements=["site_id", "day", "name", "shard"], set_={"n": table.c.n + insert.excluded.n}
    )


def counts_by_day(session: Session, site_ids: list[uuid.UUID], since: date) -> list[tuple[date, str, int]]:
    """``(day, name, n)`` of these sites together, since a day."""
    rows = session.execute(
        select(DailyCount.day, DailyCount.name, func.sum(DailyCount.n))
        .where(DailyCount.site_id.in_(site_ids), DailyCount.day >= since)
        .group_by(DailyCount.day, DailyCount.name)
        .order_by(DailyCount.day)
    )
    return [(day, name, int(n)) for day, name, n in rows]
