"""Queries of what moves comments in and out: what is there already, many rows at once, and pages of everything."""

import hashlib
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, BindParameter, Row, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres, new_id
from moderation.storage.models import (
    Author,
    Comment,
    Decision,
    Imported,
    Report,
    Revision,
    SignalRow,
    Thread,
)

PAGE = 500
"""Rows read at once of everything."""

_comments, _authors = cast("Table", Comment.__table__), cast("Table", Author.__table__)
_imported, _threads = cast("Table", Imported.__table__), cast("Table", Thread.__table__)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_OF_SOURCE = (_imported.c.site_id == bindparam("site"), _imported.c.source == bindparam("from_source"))


class Placed(NamedTuple):
    """Where a comment stands."""

    id: uuid.UUID
    site_id: uuid.UUID
    thread_id: uuid.UUID
    parent_id: uuid.UUID | None
    root_id: uuid.UUID
    depth: int
    created_at: datetime
    state: str


_PLACED = [_comments.c[name] for name in Placed._fields]
_KNOWN = select(_imported.c.source_id, *_PLACED).join_from(
    _imported, _comments, _imported.c.comment_id == _comments.c.id
)
_KNOWN = _KNOWN.where(*_OF_SOURCE, _imported.c.source_id.in_(_IDS))
_BY_IDS = select(*_PLACED).where(_comments.c.id.in_(_IDS))
_LOCK = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))
_THREADS = select(_threads.c.key, _threads.c.id).where(
    _threads.c.site_id == bindparam("site"), _threads.c.key.in_(_IDS)
)
_AUTHORS = select(_authors.c.id, _authors.c.site_id).where(_authors.c.id.in_(_IDS))


# --- in -------------------------------------------------------------------------------------------------------------


def lock_imports(session: Session, site_id: uuid.UUID) -> None:
    """Let one transaction at a time import into a site. On SQLite the write transaction is alone anyway."""
    if is_postgres(session):
        digest = hashlib.sha256(b"import:" + site_id.bytes).digest()
        session.execute(_LOCK, {"number": int.from_bytes(digest[:8], "big", signed=True)})


def imported_of(session: Session, site_id: uuid.UUID, source: str, ids: Collection[str]) -> dict[str, Placed]:
    """The comments that came from a source before, by their ids there."""
    rows = session.execute(_KNOWN, {"site": site_id, "from_source": source, "ids": list(ids)})
    return {row[0]: Placed._make(row[1:]) for row in rows}


def placed(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Placed]:
    """Where the comments among ``ids`` stand, of whatever site."""
    return {row[0]: Placed._make(row) for row in session.execute(_BY_IDS, {"ids": list(ids)})}


def thread_ids(session: Session, site_id: uuid.UUID, keys: Collection[str]) -> dict[str, uuid.UUID]:
    """The threads of a site by their keys."""
    return {key: thread_id for key, thread_id in session.execute(_THREADS, {"site": site_id, "ids": list(keys)})}


def add_threads(session: Session, site_id: uuid.UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make threads; one that is there stays as it is."""
    if rows:
        values = [{"id": new_id(), "site_id": site_id, "approved": 0, "version": 1, **row} for row in rows]
        session.execute(_insert(_threads.name, is_postgres(session)), values)


def sites_of_authors(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The sites of the authors among ``ids``."""
    return {author_id: site_id for author_id, site_id in session.execute(_AUTHORS, {"ids": list(ids)})}


def add_rows(
    session: Session,
    authors: Sequence[Mapping[str, Any]],
    comments: Sequence[Mapping[str, Any]],
    imported: Sequence[Mapping[str, Any]],
) -> None:
    """Store comments, parents before their replies, with their authors (those that are there stay) and where they
    came from.
    """
    if comments:
        session.execute(_insert(_authors.name, is_postgres(session)), list(authors))
        session.execute(insert(_comments), list(comments))
        session.execute(insert(_imported), list(imported))


@lru_cache
def _insert(name: str, postgres: bool) -> Any:
    table = {_threads.name: _threads, _authors.name: _authors}[name]
    return (postgresql.insert if postgres else sqlite.insert)(table).on_conflict_do_nothing()


_parents = _imported.alias("parents")
_WAITING = select(_imported.c.source_id).where(*_OF_SOURCE, _imported.c.waits_for.is_not(None))
_READY = _WAITING.join(
    _parents,
    (_parents.c.site_id == _imported.c.site_id)
    & (_parents.c.source == _imported.c.source)
    & (_parents.c.source_id == _imported.c.waits_for),
)
_WAITS_FOR = select(_imported.c.waits_for).where(*_OF_SOURCE, _imported.c.source_id == bindparam("of"))
_COUNT_WAITING = select(func.count()).select_from(_WAITING.subquery())
_STOP = update(_imported).where(*_OF_SOURCE, _imported.c.source_id == bindparam("of")).values(waits_for=None)


def ready_to_move(session: Session, site_id: uuid.UUID, source: str, after: str, limit: int) -> list[str]:
    """Comments, by their ids in the source, that wait for a parent which has come meanwhile; in order, after one."""
    statement = _READY.where(_imported.c.source_id > after).order_by(_imported.c.source_id).limit(limit)
    return list(session.scalars(statement, {"site": site_id, "from_source": source}))


def count_waiting(session: Session, site_id: uuid.UUID, source: str) -> int:
    """How many comments of a source wait for a parent."""
    return session.scalar(_COUNT_WAITING, {"site": site_id, "from_source": source}) or 0


def waits_for(session: Session, site_id: uuid.UUID, source: str, source_id: str) -> str | None:
    """The id in the source of the parent that a comment waits for, if it does."""
    return session.scalar(_WAITS_FOR, {"site": site_id, "from_source": source, "of": source_id})


def stop_waiting(session: Session, site_id: uuid.UUID, source: str, source_id: str) -> None:
    """Let a comment wait for no parent any more."""
    session.execute(_STOP, {"site": site_id, "from_source": source, "of": source_id})


_HANG = (
    update(_comments)
    .where(_comments.c.id == bindparam("of"))
    .values(parent_id=bindparam("under"), root_id=bindparam("root"), depth=bindparam("to_depth"))
)
_BELOW = select(_comments.c.id).where(_comments.c.parent_id.in_(_IDS))
_SINK = update(_comments).where(_comments.c.id.in_(_IDS))
_SINK = _SINK.values(root_id=bindparam("root"), depth=_comments.c.depth + bindparam("by"))


def hang_under(session: Session, comment: Placed, parent: Placed) -> None:
    """Put a comment that stood on top level, with all below it, under a parent in the same thread."""
    depth = parent.depth + 1
    session.execute(_HANG, {"of": comment.id, "under": parent.id, "root": parent.root_id, "to_depth": depth})
    level = [comment.id]
    while level:
        below = [row for ids in _chunks(level) for row in session.scalars(_BELOW, {"ids": ids})]
        for ids in _chunks(below):
            session.execute(_SINK, {"ids": ids, "root": parent.root_id, "by": depth - comment.depth})
        level = below


def _chunks(ids: Sequence[uuid.UUID]) -> Iterable[Sequence[uuid.UUID]]:
    return (ids[i : i + PAGE] for i in range(0, len(ids), PAGE))


HISTORY: dict[str, tuple[Table, tuple[str, ...], int]] = {
    "signals": (
        cast("Table", SignalRow.__table__),
        ("name", "weight", "available", "evidence", "scores", "forces"),
        200,
    ),
    "decisions": (
        cast("Table", Decision.__table__),
        (
            *("action", "from_state", "to_state", "reason", "note", "risk", "version", "waited_s"),
            *("actor_kind", "actor_id", "actor_name", "created_at", "undone_at", "undone_by"),
        ),
        500,
    ),
    "revisions": (cast("Table", Revision.__table__), ("body", "state", "created_at"), 200),
    "reports": (cast("Table", Report.__table__), ("reason", "detail", "created_at"), 1_000),
}
"""What belongs to a comment in other tables and means something in another database, too: table, columns, and how many
of the newest are read of one comment."""


def add_histories(session: Session, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Store rows of the tables of ``HISTORY``, each whole, with its id, site and comment."""
    for name, (table, _, _) in HISTORY.items():
        if rows[name]:
            session.execute(insert(table), list(rows[name]))


# --- out ------------------------------------------------------------------------------------------------------------

_OUT = (
    *("id", "thread_id", "parent_id", "author_id", "author_name", "author_url", "author_proven", "email_sealed"),
    *("ip_network", "body", "body_html", "state", "created_at", "edited_at", "decided_at", "votes", "risk"),
    *("scores", "reasons", "scorer_version", "version"),
)
_WHOLE = select(*(_comments.c[name] for name in _OUT))
_TREE = select(_comments.c.id, _comments.c.parent_id, _comments.c.state)
_THREAD = select(*(_threads.c[name] for name in ("id", "key", "url", "title", "open", "created_at")))
_FIRST = uuid.UUID(int=0)


def histories(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, list[dict[str, Any]]]]:
    """What was said, decided, typed before and reported of each comment: rows by the name of their table, in order."""
    found: dict[uuid.UUID, dict[str, list[dict[str, Any]]]] = {one: {name: [] for name in HISTORY} for one in ids}
    for name, (table, columns, _) in HISTORY.items():
        order = [table.c.name] if name == "signals" else [table.c.created_at, table.c.id]
        statement = select(table.c.comment_id, *(table.c[column] for column in columns))
        statement = statement.where(table.c.comment_id.in_(_IDS)).order_by(*order)
        for row in session.execute(statement, {"ids": list(ids)}):
            found[row.comment_id][name].append(dict(zip(columns, row[1:], strict=True)))
    return {one: {name: rows[-HISTORY[name][2] :] for name, rows in of.items()} for one, of in found.items()}


def all_threads(session: Session, site_id: uuid.UUID) -> Iterator[Row[Any]]:
    """Every thread of a site, by id."""
    return _rows(session, _THREAD.where(_threads.c.site_id == site_id), _threads.c.id)


def threads_by_id(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Row[Any]]:
    """The threads with these ids, of whatever site."""
    return {row.id: row for row in session.execute(_THREAD.where(_threads.c.id.in_(_IDS)), {"ids": list(ids)})}


def comments_by_site(session: Session, site_id: uuid.UUID) -> Iterator[Sequence[Row[Any]]]:
    """Every comment of a site, whole, by id, in pages."""
    return _pages(session, _WHOLE.where(_comments.c.site_id == site_id), _comments.c.id)


def comments_by_thread(session: Session, thread_id: uuid.UUID) -> Iterator[Row[Any]]:
    """Every comment of a thread, whole, by id."""
    return _rows(session, _WHOLE.where(_comments.c.thread_id == thread_id), _comments.c.id)


def tree_of_thread(session: Session, thread_id: uuid.UUID) -> Iterator[Row[Any]]:
    """``(id, parent_id, state)`` of every comment of a thread, by id."""
    return _rows(session, _TREE.where(_comments.c.thread_id == thread_id), _comments.c.id)


def count_comments(session: Session, site_id: uuid.UUID) -> int:
    """How many comments a site has, for a progress bar. Walks an index once."""
    return session.scalar(select(func.count()).select_from(_comments).where(_comments.c.site_id == site_id)) or 0


def _rows(session: Session, statement: Any, column: Any) -> Iterator[Row[Any]]:
    for page in _pages(session, statement, column):
        yield from page


def _pages(session: Session, statement: Any, column: Any) -> Iterator[Sequence[Row[Any]]]:
    """All rows in short statements, by the primary key: memory and each statement's time stay small."""
    statement = statement.where(column > bindparam("after", type_=column.type)).order_by(column).limit(PAGE)
    after = _FIRST
    while rows := session.execute(statement, {"after": after}).all():
        yield rows
        after = rows[-1].id
        if len(rows) < PAGE:
            return
