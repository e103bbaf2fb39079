"""Whether a thread and its site are still as they were: the question that is asked for every page that is read.

It is one query by two primary keys, on connections kept for it alone: a session with its transaction and the mapper
takes many times as long as the database does. Each question is a transaction of its own, so what was committed before
it, by whatever process, is seen.
"""

import uuid
from collections import deque
from typing import Any, NamedTuple, cast

from sqlalchemy import Engine, Select, Table, bindparam, event, literal_column, select
from sqlalchemy.exc import SQLAlchemyError

from moderation.storage.models import Site, Thread
from moderation.storage.types import Id

_sites, _threads = cast("Table", Site.__table__), cast("Table", Thread.__table__)
_SAME = (
    select(1)
    .select_from(_threads.join(_sites, _threads.c.site_id == _sites.c.id))
    .where(
        _threads.c.id == bindparam("of", type_=Id),
        _threads.c.version == bindparam("thread_version"),
        _sites.c.version == bindparam("site_version"),
    )
)
_QUESTION: Select[Any] = select(literal_column("1")).where(~_SAME.exists())
"""A row where something has changed. Where nothing has, SQLite is done in one step, and each is a chance for another
thread to take the interpreter: with four of them that costs more than the query."""


class Seen(NamedTuple):
    """What an answer was made of: a thread, its site's version and its own. Both only ever grow."""

    thread_id: uuid.UUID
    site_version: int
    thread_version: int


class Versions:
    """Asks the database behind ``engine``. For all threads; as many connections as ask at once, made when needed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_postgres = engine.dialect.name == "postgresql"
        self._driver_error = engine.dialect.loaded_dbapi.Error
        self._question = str(_QUESTION.compile(dialect=engine.dialect))
        self._idle: deque[Any] = deque()
        event.listen(engine, "engine_disposed", self._forget)

    def are_still(self, seen: Seen) -> bool:
        """Whether nothing that readers see has changed since. False also where the database does not answer."""
        cursor = None
        try:
            cursor = self._idle.pop() if self._idle else self._opened()
            # Read to the end: otherwise the query would hold its snapshot.
            changed = self._ask(cursor, seen).fetchall()
        except (self._driver_error, SQLAlchemyError):
            # The usual way asks again, and says what is wrong.
            _close(cursor)
            return False
        self._idle.append(cursor)
        return not changed

    def _ask(self, cursor: Any, seen: Seen) -> Any:
        if self._is_postgres:
            values = {"of": seen.thread_id, "thread_version": seen.thread_version, "site_version": seen.site_version}
            return cursor.execute(self._question, values, prepare=True)
        return cursor.execute(self._question, (seen.thread_id.bytes, seen.thread_version, seen.site_version))

    def _opened(self) -> Any:
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        if not self._is_postgres:
            return connection.cursor()
        connection.autocommit = True
        return connection.cursor(binary=True)

    def _forget(self, _engine: Engine) -> None:
        while self._idle:
            _close(self._idle.pop())


def _close(cursor: Any) -> None:
    if cursor is not None:
        cursor.connection.close()
