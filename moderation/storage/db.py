"""The database handle and the two kinds of transaction. Everything that touches the database goes through here.

SQLite runs in WAL with ``synchronous=FULL`` (an answer "accepted" survives a power cut), foreign keys on, a busy
timeout of ten seconds; writers begin IMMEDIATE, so that a transaction that reads and then writes never fails half-way
for a stale snapshot. PostgreSQL writes under READ COMMITTED by psycopg 3, decisions rest on row counts there as on
SQLite; it reads under REPEATABLE READ, so that an answer made of several queries is of one moment.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uuid6
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DBAPIError, OperationalError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session

from moderation.errors import Bug, StorageUnavailable
from moderation.settings import Settings
from moderation.storage.turns import turn

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another one before it gives up."""

_BEGIN = "moderation_begin"
_WRITING = "moderation_writing"
_READING = "moderation_reading"


class Base(DeclarativeBase):
    """Base of all tables; names constraints the same way on both databases, for the migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False, "autoflush": False})
"""The handle that ``create_app`` joins to the application; ``db.session`` lives as long as an application context."""


def new_id() -> Any:
    """A new UUIDv7: ordered by time of creation, also within one process and millisecond."""
    return uuid6.uuid7()


def engine_options(settings: Settings) -> dict[str, Any]:
    """Options of ``create_engine`` for the database of ``settings``."""
    if settings.is_sqlite:
        return {
            "connect_args": {"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
            "pool_size": 20,
            # The one that was used last: it has read what its own writes changed, and the others have to read it anew.
            "pool_use_lifo": True,
        }
    return {
        "pool_size": 8,
        "max_overflow": 16,
        "pool_pre_ping": True,
        "pool_timeout": 10,
        "connect_args": {
            "connect_timeout": 5,
            "options": "-c timezone=utc -c lock_timeout=10s -c statement_timeout=30s",
        },
    }


@event.listens_for(Engine, "connect")
def _configure_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None
    # SQLite's own knows ASCII alone; a search has to find the same as on PostgreSQL.
    connection.create_function("lower", 1, _lower, deterministic=True)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


@contextmanager
def write() -> Iterator[Session]:
    """One write transaction: commits at the end, rolls back on any exception.

    What was read before in this application context is detached, so that nothing stale can be written back. Not
    to be nested. Raises ``StorageUnavailable`` where the database is away, locked for too long, full or read-only.
    """
    session: Session = db.session()
    if session.info.get(_WRITING):
        raise Bug("a write transaction inside another")
    session.close()
    session.info[_WRITING] = True
    try:
        with _turn(session), _translated_errors(), _rolled_back_on_error(session):
            session.connection(execution_options={_BEGIN: "BEGIN IMMEDIATE"})
            yield session
            session.commit()
    finally:
        session.info.pop(_WRITING, None)
        session.close()


@contextmanager
def read() -> Iterator[Session]:
    """One read transaction over a consistent snapshot; inside ``write()`` or ``read()`` it is the same transaction."""
    session: Session = db.session()
    if session.info.get(_WRITING) or session.info.get(_READING):
        yield session
        return
    session.close()
    session.info[_READING] = True
    try:
        with _translated_errors(), _rolled_back_on_error(session):
            if is_postgres(session):
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session
    finally:
        session.info.pop(_READING, None)
        session.close()


@contextmanager
def _turn(session: Session) -> Iterator[None]:
    """On SQLite, wait for the other writers of this machine first."""
    if is_postgres(session):
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(turn(_file_of(session.get_bind()), BUSY_TIMEOUT_MS / 1000))
        except TimeoutError as error:
            raise StorageUnavailable from error
        yield


def _file_of(bind: Engine | Connection) -> str:
    """Where the database lies; empty for one in memory."""
    name = bind.engine.url.database
    return "" if name is None or name == ":memory:" else name


@contextmanager
def _rolled_back_on_error(session: Session) -> Iterator[None]:
    try:
        yield
    except BaseException:
        session.rollback()
        raise


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, PoolTimeoutError, ResourceClosedError) as error:
        raise StorageUnavailable from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageUnavailable from error
        raise


def is_postgres(session: Session) -> bool:
    """Whether the session talks to PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"
