"""Small questions that are asked for nearly every request, on connections kept for them alone.

A session with its transaction and the mapper takes many times as long as the database does. Each question is a
transaction of its own, so what was committed before it, by whatever process, is seen; it sees nothing of a transaction
of the caller's.
"""

import contextlib
from collections import deque
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Select, event
from sqlalchemy.exc import SQLAlchemyError

from moderation.errors import StorageUnavailable
from moderation.storage.db import File, file_of


class Quick:
    """Asks the database behind ``engine``. For all threads; as many connections as ask at once, made when needed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_postgres = engine.dialect.name == "postgresql"
        self._driver_error = engine.dialect.loaded_dbapi.Error
        self._written: dict[Select[Any], tuple[str, tuple[str, ...]]] = {}
        self._idle: deque[tuple[File, Any]] = deque()
        event.listen(engine, "engine_disposed", self._forget)

    def rows(self, question: Select[Any], values: Mapping[str, Any]) -> list[Any]:
        """All rows, as the driver gives them. Raises ``StorageUnavailable`` where the database does not answer.

        ``question`` is one of the module's own, made once; ``values`` are its parameters as the driver takes them.
        """
        text, names = self._written.get(question) or self._write(question)
        given: Any = values if self._is_postgres else [values[name] for name in names]
        file = self._file()
        with contextlib.suppress(LookupError, self._driver_error):  # it may have died since it was used last
            return self._asked(file, self._kept(file), text, given)
        try:
            return self._asked(file, self._opened(), text, given)
        except (self._driver_error, SQLAlchemyError) as error:
            raise StorageUnavailable from error

    def _asked(self, file: File, cursor: Any, text: str, given: Any) -> list[Any]:
        try:
            if self._is_postgres:
                cursor.execute(text, given, prepare=True)
            else:
                cursor.execute(text, given)
            # To the end: otherwise the question would go on holding its snapshot.
            found: list[Any] = cursor.fetchall()
        except BaseException:
            cursor.connection.close()
            raise
        self._idle.append((file, cursor))
        return found

    def _file(self) -> File:
        """Which file has the database's name: answers of one that was moved away or replaced are nobody's."""
        return None if self._is_postgres else file_of(self._engine.url.database or "")

    def _kept(self, file: File) -> Any:
        """A cursor that is open already. Raises ``LookupError``."""
        while True:
            opened, cursor = self._idle.pop()
            if opened == file:
                return cursor
            cursor.connection.close()

    def _write(self, question: Select[Any]) -> tuple[str, tuple[str, ...]]:
        compiled: Any = question.compile(dialect=self._engine.dialect)
        written = str(compiled), tuple(compiled.positiontup or ())
        self._written[question] = written
        return written

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
            self._idle.pop()[1].connection.close()


_of_engine: WeakKeyDictionary[Engine, Quick] = WeakKeyDictionary()


def quick_of(engine: Engine) -> Quick:
    """The one that belongs to an engine."""
    return _of_engine.get(engine) or _of_engine.setdefault(engine, Quick(engine))
