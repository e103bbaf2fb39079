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
from pathlib import Path
from typing import Any

import uuid6
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session

from moderation.errors import Bug, StorageUnavailable
from moderation.settings import Settings
from moderation.storage.turns import turn

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another one before it gives up."""

_UNUSABLE = frozenset({"25006", "XX001", "XX002"})
"""SQLSTATE of PostgreSQL for a server that only reads (a standby), for damaged data and a damaged index."""

_BEGIN = "moderation_begin"
_WRITING = "moderation_writing"
_READING = "moderation_reading"
_FILE = "moderation_file"
_OF_REPLICA = "moderation_of_replica"
REPLICA = "replica"
"""Name of the bind of the database that public lists are read from, where there is one."""

File = tuple[int, int] | None
"""A file, whatever its name: device and number. None for one that is not there."""


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


class _Session(FlaskSession):
    """A session that reads from the replica while ``public_read`` says so."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        """The engine, or the connection, of a statement."""
        if self.info.get(_OF_REPLICA):
            return db.engines[REPLICA]
        return super().get_bind(*args, **kwargs)


db = SQLAlchemy(model_class=Base, session_options={"class_": _Session, "expire_on_commit": False, "autoflush": False})
"""The handle that ``create_app`` joins to the application; ``db.session`` lives as long as an application context."""


def new_id() -> Any:
    """A new UUIDv7: ordered by time of creation, also within one process and millisecond."""
    return uuid6.uuid7()


def engine_options(settings: Settings, *, may_create: bool = False) -> dict[str, Any]:
    """Options of ``create_engine`` for the database of ``settings``; ``may_create``: where there is none, make it."""
    if settings.is_sqlite:
        return {
            # By a URI, SQLite can be told not to make an empty file where one is missing; see ``_open_sqlite``.
            "connect_args": {"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False, "uri": not may_create},
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


@event.listens_for(Engine, "do_connect")
def _open_sqlite(dialect: Any, _record: Any, args: Any, options: Any) -> Any:
    """Open the file that is there, for ``engine_options``; else a new and empty one would stand in for it."""
    if dialect.name != "sqlite" or not options.get("uri") or args[0].startswith((":", "file:")):
        return None
    return sqlite3.connect(f"{Path(args[0]).absolute().as_uri()}?mode=rw", **options)


@event.listens_for(Engine, "connect")
def _configure_sqlite(connection: Any, record: Any) -> None:
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
    name = connection.execute("PRAGMA database_list").fetchone()[2]
    record.info[_FILE] = (name, file_of(name))


@event.listens_for(Engine, "checkout")
def _leave_removed_file(_connection: Any, record: Any, _proxy: Any) -> None:
    """Not write to a file that was moved away or replaced: what is accepted there is lost. The pool opens it anew."""
    name, opened = record.info.get(_FILE, ("", None))
    if opened != file_of(name):
        raise DisconnectionError


def file_of(name: str) -> File:
    """Which file has this name; None where there is none, and for a database in memory."""
    try:
        found = Path(name).stat() if name else None
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


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
    with _translated_errors(), _used(session, _WRITING), _turn(session), _rolled_back_on_error(session):
        session.connection(execution_options={_BEGIN: "BEGIN IMMEDIATE"})
        yield session
        session.commit()


@contextmanager
def read() -> Iterator[Session]:
    """One read transaction over a consistent snapshot; inside ``write()`` or ``read()`` it is the same transaction."""
    session: Session = db.session()
    if session.info.get(_WRITING) or session.info.get(_READING):
        yield session
        return
    with _translated_errors(), _used(session, _READING), _rolled_back_on_error(session):
        if is_postgres(session):
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


@contextmanager
def public_read() -> Iterator[Session]:
    """``read()`` for what readers see: from the replica where there is one, else, or while it is away, as ever.

    A replica is behind by what the database's own replication takes; each answer is of one moment of it.
    """
    session: Session = db.session()
    if REPLICA not in db.engines or session.info.get(_WRITING) or session.info.get(_READING):
        with read() as session:
            yield session
        return
    session.info[_OF_REPLICA] = True
    try:
        try:
            reading = _connected_read(session)
        except StorageUnavailable:
            session.info.pop(_OF_REPLICA)
            reading = _connected_read(session)
        with reading:
            yield session
    finally:
        session.info.pop(_OF_REPLICA, None)


def _connected_read(session: Session) -> contextlib.ExitStack:
    """A ``read()`` that was entered, and has a connection."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(read())
        session.connection()
        return stack.pop_all()


def public_engine() -> Engine:
    """The engine of ``public_read``."""
    return db.engines.get(REPLICA, db.engine)


@contextmanager
def _used(session: Session, mark: str) -> Iterator[None]:
    """Begin with nothing of what was before, and leave nothing. Closing says something to the database too."""
    session.close()
    session.info[mark] = True
    try:
        yield
    finally:
        session.info.pop(mark, None)
        session.close()


@contextmanager
def _turn(session: Session) -> Iterator[None]:
    """On SQLite, wait for the other writers of this machine first."""
    if is_postgres(session):
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(turn(path_of(session.get_bind()), BUSY_TIMEOUT_MS / 1000))
        except TimeoutError as error:
            raise StorageUnavailable from error
        yield


def path_of(bind: Engine | Connection) -> str:
    """Where a SQLite database lies; empty for one in memory, and for PostgreSQL."""
    name = bind.engine.url.database
    return "" if name is None or name == ":memory:" or bind.dialect.name != "sqlite" else name


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
        if error.connection_invalidated or _is_unusable(error.orig):
            raise StorageUnavailable from error
        raise


def _is_unusable(error: BaseException | None) -> bool:
    """Whether a driver says that the database itself is not usable as it is."""
    # SQLite says the bare class for a damaged file and for one that is no database; all else is a class below it.
    return type(error) is sqlite3.DatabaseError or getattr(error, "sqlstate", None) in _UNUSABLE


def is_postgres(session: Session) -> bool:
    """Whether the session talks to PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"
