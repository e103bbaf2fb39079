"""Copies of a whole database, made while others write to it, and what is asked of one before it is put in place."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, func, inspect, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from moderation.domain.comment import State
from moderation.errors import StorageUnavailable
from moderation.settings import Settings
from moderation.storage import audit, schema
from moderation.storage.db import Base, engine_options
from moderation.storage.models import Comment, Moderator, Site

TABLES = (*Base.metadata.tables, "alembic_version")
FUNCTIONS = ("comments_came", "comments_changed", "comments_went")
"""All that is ours in a database; the functions are those of triggers, on PostgreSQL."""

_PAGE = 1_000


def copy_sqlite(source: Path, target: Path) -> None:
    """Write a copy of a SQLite database as it is at one moment. Readers and writers go on.

    The copy has no free pages, and so nothing of what was deleted. ``target`` may be there if it is empty. Raises
    ``StorageUnavailable``.
    """
    try:
        with closing(sqlite3.connect(source, isolation_level=None, timeout=10)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise StorageUnavailable from error


def damage_of_sqlite(path: Path) -> list[str]:
    """What SQLite finds wrong with a file: pages, indexes, references; empty when all is well."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.create_function("lower", 1, lambda value: value, deterministic=True)
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(10)
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return found + [f"a row of {table} refers to nothing" for table, *_ in broken]


def is_open_elsewhere(path: Path) -> bool:
    """Whether another process has a SQLite file open. Ends its write-ahead log, where none has."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.2)) as connection:
        try:
            return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] != "delete")
        except sqlite3.OperationalError:
            return True


@contextmanager
def connected(settings: Settings, **options: Any) -> Iterator[Connection]:
    """A connection without an application around it. Raises ``StorageUnavailable``."""
    engine = create_engine(settings.database_url, **engine_options(settings))
    try:
        with engine.connect() as connection:
            yield connection.execution_options(**options)
    except OperationalError as error:
        raise StorageUnavailable from error
    finally:
        engine.dispose()


@contextmanager
def one_moment(settings: Settings) -> Iterator[tuple[Connection, str]]:
    """A PostgreSQL transaction that sees one moment, and the name by which ``pg_dump`` sees the same."""
    with connected(settings, isolation_level="REPEATABLE READ") as connection, connection.begin():
        yield connection, str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())


@contextmanager
def session_of(connection: Connection) -> Iterator[Session]:
    """What the queries of the other files take, on such a connection; nothing is committed."""
    with Session(bind=connection) as session:
        yield session


def facts_of(connection: Connection) -> dict[str, Any]:
    """What tells one state of a database from another: revision, ends of the audit log, number of comments."""
    with Session(bind=connection) as session:
        heads = audit.heads(session)
        return {
            "revision": schema.current(connection),
            "comments": session.scalar(select(func.count()).select_from(Comment)) or 0,
            "heads": [{"chain": head.chain, "line": head.seq, "hash": head.hash} for head in heads],
        }


def has_content(connection: Connection) -> bool:
    """Whether there is a site or a moderator, or something else than our tables."""
    tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if not {Site.__tablename__, Moderator.__tablename__} <= tables:
        return bool(tables)
    with Session(bind=connection) as session:
        return any(session.scalar(select(table.id).limit(1)) is not None for table in (Site, Moderator))


def faults_of(connection: Connection, key: bytes, noted: list[audit.Head]) -> list[str]:
    """What is wrong with a database that was put back: its schema, its audit log."""
    with Session(bind=connection) as session:
        found = [f"line {line.seq} of {line.chain}: {line.fault}" for line in audit.verify(session, key)]
        found += [f"line {head.seq} of {head.chain} is missing" for head in audit.not_held(session, noted)]
    return found + schema.differences(connection)


def erased_comments(session: Session, avatar: str) -> Iterator[tuple[uuid.UUID, uuid.UUID, bool]]:
    """``(site_id, id, deleted)`` of every comment that no longer says who wrote it. Reads all comments once."""
    after: uuid.UUID | None = None
    while True:
        query = select(Comment.site_id, Comment.id, Comment.state).where(Comment.avatar == avatar)
        query = query.order_by(Comment.id).limit(_PAGE)
        rows = session.execute(query if after is None else query.where(Comment.id > after)).all()
        yield from ((row.site_id, row.id, row.state == State.DELETED.value) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id
