"""Whether a thread and its site are still as they were: the question that is asked for every page that is read."""

import uuid
from typing import Any, NamedTuple, cast

from sqlalchemy import Engine, Select, Table, bindparam, literal_column, select

from moderation.errors import StorageUnavailable
from moderation.storage.models import Site, Thread
from moderation.storage.quick import quick_of
from moderation.storage.types import raw_id

_sites, _threads = cast("Table", Site.__table__), cast("Table", Thread.__table__)
_SAME = (
    select(1)
    .select_from(_threads.join(_sites, _threads.c.site_id == _sites.c.id))
    .where(
        _threads.c.id == bindparam("of"),
        _threads.c.version == bindparam("thread_version"),
        _sites.c.version == bindparam("site_version"),
    )
)
_CHANGED: Select[Any] = select(literal_column("1")).where(~_SAME.exists())
"""A row where something has changed. Where nothing has, SQLite is done in one step, and each is a chance for another
thread to take the interpreter: with four of them that costs more than the query."""


class Seen(NamedTuple):
    """What an answer was made of: a thread, its site's version and its own. Both only ever grow."""

    thread_id: uuid.UUID
    site_version: int
    thread_version: int


def are_still(engine: Engine, seen: Seen) -> bool:
    """Whether nothing that readers see has changed since. False also where the database does not answer."""
    values = {
        "of": raw_id(engine.dialect, seen.thread_id),
        "thread_version": seen.thread_version,
        "site_version": seen.site_version,
    }
    try:
        return not quick_of(engine).rows(_CHANGED, values)
    except StorageUnavailable:
        return False  # The usual way asks again, and says so.
