"""A grown database for benchmarks: threads of all sizes, authors, signals, decisions, audit lines, by bulk inserts.

Some comments are submitted and judged by the service itself; the rest are rows made from theirs, each with an id, a
time, an author, a thread and words of its own, so that indexes, searches and counts meet what they meet in a database
that has grown for years. One comment of twelve is in one large thread, the others in threads of 1 to some 200; half of
them are replies. Of those that are decided on 93 % were approved. Authors write five comments each. The hashes of the
audit lines are made up.

Indexes and triggers of the tables are taken away meanwhile and made anew at the end.
"""

import json
import math
import random
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from filling import CALM, NOUNS, ROUGH
from sqlalchemy import Table

from moderation.services import indexing
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import db, write
from moderation.storage.models import (
    AuditLine,
    Author,
    Comment,
    Decision,
    SignalRow,
    Site,
    Thread,
)

SEEDS = 200
BATCH = 20_000
PER_THREAD = 60
ACTIVE = 40
"""Threads that are written in at the same time."""

LARGE_SHARE = 1 / 12
RARE = "quokka"
"""A word that one comment in 20,000 has; the first in each such run."""

TABLES = (Thread, Author, Comment, SignalRow, Decision, AuditLine)
_STATES = (("approved", "approve"),) * 93 + (("rejected", "reject"),) * 4 + (("spam", "spam"),) * 3


def grow(parts: Parts, site_keys: Sequence[str], count: int, waiting: float, *, index: bool = True) -> dict[str, float]:
    """Let sites have ``count`` comments together, the share ``waiting`` of which waits; the seconds of each step.

    Needs an application context and an empty database but for the sites, in the order of whose keys they have fewer and
    fewer comments. The application may not be used meanwhile.
    """
    clock = _Clock()
    with write() as session:
        sites = [session.scalars(sa.select(Site.id).where(Site.key == key)).one() for key in site_keys]
    seeds = _seeds(parts, site_keys[0])
    clock.note("seeds")
    postgres = db.engine.dialect.name == "postgresql"
    connection = db.engine.raw_connection()
    try:
        store = _Postgres(connection) if postgres else _Sqlite(connection)
        store.begin()
        made = _Made(sites, seeds, count, waiting, store)
        for start in range(0, count, BATCH):
            made.add(range(start, min(start + BATCH, count)))
            if sys.stderr.isatty():
                print(f"\r{start + BATCH:,} of {count:,} ", end="", file=sys.stderr)
        made.finish()
        clock.note("rows")
        store.end()
        clock.note("indexes")
    finally:
        connection.close()
    if index:
        while indexing.index_new(parts, least=1_000):
            pass
        clock.note("index of texts")
    return clock.steps


class _Clock:
    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._last = time.monotonic()

    def note(self, step: str) -> None:
        now = time.monotonic()
        self.steps[step] = now - self._last
        self._last = now


def _seeds(parts: Parts, site_key: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Rows of comments that were judged, with those of their signals; the comments themselves are deleted again."""
    chance = random.Random(3)
    for number in range(SEEDS):
        form = chance.choice(CALM if chance.random() < 0.7 else ROUGH)
        sentences = [form.format(**dict(zip("abc", chance.sample(NOUNS, 3), strict=True))) for _ in range(3)]
        sent = Submission("seeds", None, None, None, f"Reader {number}", None, None, None, " ".join(sentences))
        submit_comment(parts, site_key, sent, Client(f"203.0.113.{number % 250}", "bench"))
    with write() as session:
        rows = [dict(row) for row in session.execute(sa.select(_table(Comment))).mappings()]
        signals: dict[uuid.UUID, list[dict[str, Any]]] = {}
        for row in session.execute(sa.select(_table(SignalRow))).mappings():
            signals.setdefault(row["comment_id"], []).append(dict(row))
        for table in reversed(_table(Comment).metadata.sorted_tables):
            if table.name in {"comments", "threads", "authors", "fingerprints", "unindexed", "signals", "scorings"}:
                session.execute(sa.delete(table))
    return [(row, signals.get(row["id"], [])) for row in rows]


class _Made:
    """What is made, batch by batch."""

    def __init__(self, sites: list[uuid.UUID], seeds: Any, count: int, waiting: float, store: "_Sqlite") -> None:
        self.chance = random.Random(7)
        self.store, self.count = store, count
        self.sites = [site.bytes for site in sites]
        self.shares = [1 / (1 + place) for place in range(len(sites))]
        self.first_waiting = count - math.ceil(count * waiting)
        self.seeds = [self._template(row, signals) for row, signals in seeds]
        now = datetime.now(UTC).replace(tzinfo=None)
        # A year at most, and 20 seconds between two.
        self.apart = min(timedelta(seconds=20), timedelta(days=365) / count)
        self.begin = now - timedelta(minutes=10) - self.apart * count
        self.threads: dict[int, list[Any]] = {}
        self.recent: dict[int, list[tuple[bytes, bytes, int]]] = {}
        self.previous = [secrets.token_bytes(32) for _ in sites]
        self.seq = store.lines()

    def _template(self, row: dict[str, Any], signals: list[dict[str, Any]]) -> Any:
        """The values of a seed as the driver takes them, and those of its signals."""
        fixed = {name: self.store.plain(value) for name, value in row.items()}
        said = [[self.store.plain(signal[column.name]) for column in _table(SignalRow).columns] for signal in signals]
        return fixed, said, row["author_name"]

    def _id(self, number: int, at_ms: int) -> bytes:
        """A UUIDv7 of that time, in the order of the numbers."""
        head = (at_ms << 16) | 0x7000 | (number & 0xFFF)
        return head.to_bytes(8, "big") + b"\x80" + secrets.token_bytes(7)

    def add(self, numbers: range) -> None:
        """Make and store these."""
        chance, store = self.chance, self.store
        comments, signals, decisions, lines = [], [], [], []
        authors: list[list[Any]] = [[] for _ in self.sites]
        columns = [column.name for column in _table(Comment).columns]
        for number in numbers:
            at = self.begin + self.apart * number
            own = self._id(number, int(at.replace(tzinfo=UTC).timestamp() * 1000))
            place = chance.choices(range(len(self.sites)), self.shares)[0] if len(self.sites) > 1 else 0
            fixed, said, name = chance.choice(self.seeds)
            waits = number >= self.first_waiting
            state, action = ("pending", "") if waits else chance.choice(_STATES)
            shown = state == "approved"
            thread = self._thread(number, place, at, shown)
            author = self._author(authors[place], place, name, state, own)
            parent, root, depth = self._place(thread[0], own, shown)
            when = store.time(at)
            values = dict(fixed)
            values["id"] = store.id(own)
            values["site_id"] = store.id(self.sites[place])
            values["thread_id"] = store.id(thread[0])
            values["parent_id"] = None if parent is None else store.id(parent)
            values["root_id"] = store.id(root)
            values["depth"] = depth
            values["author_id"] = store.id(author[0])
            values["author_name"] = author[1]
            values["exact"] = values["alike_key"] = store.blob(secrets.token_bytes(32))
            values["network_key"] = store.blob(secrets.token_bytes(16))
            rare = f" {RARE} {number}" if number % 20_000 == 0 else ""
            values["body"] = f"{fixed['body']} No. {number}{rare}"
            values["body_html"] = f"{fixed['body_html'][:-4]} No. {number}{rare}</p>"
            values["created_at"] = values["editable_until"] = when
            values["state"], values["shown"] = state, store.truth(shown)
            values["risk"] = round(min(1.0, max(0.0, fixed["risk"] + chance.uniform(-0.05, 0.05))), 4)
            values["votes"] = int(chance.expovariate(0.4)) if shown else 0
            values["reports"] = int(chance.random() < 0.002)
            values["decided_at"] = None if waits else when
            comments.append([values[column] for column in columns])
            for row in said:
                signals.append([values["id"], *row[1:]])
                signals[-1][2] = values["site_id"]
            if not waits:
                decisions.append(self._decision(own, place, action, state, values["risk"], when))
                lines.append(self._line(own, place, action, state, when))
        for place, of_site in enumerate(authors):
            store.copy(Author, [self._author_row(one, place) for one in of_site])
        for model, rows in ((Comment, comments), (SignalRow, signals), (Decision, decisions), (AuditLine, lines)):
            store.copy(model, rows)

    def _thread(self, number: int, place: int, at: datetime, shown: bool) -> list[Any]:
        large = self.chance.random() < LARGE_SHARE
        active = int(ACTIVE * self.chance.random() ** 2)
        key = -1 - place if large else (max(0, number // PER_THREAD - active)) * len(self.sites) + place
        thread = self.threads.get(key)
        if thread is None:
            own = self._id(key & 0xFFF, int(at.replace(tzinfo=UTC).timestamp() * 1000))
            thread = self.threads[key] = [own, place, key, at, 0]
        thread[4] += shown
        return thread

    def _author(self, known: list[Any], place: int, name: str, state: str, own: bytes) -> Any:
        if known and self.chance.random() < 0.8:
            author = known[self.chance.randrange(len(known))]
        else:
            # Its id is as random as the comment's, and of the same time.
            author = [own[:8] + b"\x81" + secrets.token_bytes(7), f"{name} {self.chance.randrange(10_000)}", [0, 0, 0]]
            known.append(author)
        if state != "pending":
            author[2][("approved", "rejected", "spam").index(state)] += 1
        return author

    def _place(self, thread: bytes, own: bytes, shown: bool) -> tuple[bytes | None, bytes, int]:
        """Parent, root and depth; replies answer one of the latest eight that are shown."""
        recent = self.recent.setdefault(hash(thread), [])
        parent = None
        if recent and self.chance.random() < 0.5:
            parent = recent[self.chance.randrange(len(recent))]
            parent = None if parent[2] >= 6 else parent
        root, depth = (own, 0) if parent is None else (parent[1], parent[2] + 1)
        if shown:
            recent.append((own, root, depth))
            del recent[:-8]
        return None if parent is None else parent[0], root, depth

    def _decision(self, own: bytes, place: int, action: str, state: str, risk: float, when: Any) -> list[Any]:
        values = {
            "id": self.store.id(own[:9] + secrets.token_bytes(7)),
            "site_id": self.store.id(self.sites[place]),
            "comment_id": self.store.id(own),
            "action": action,
            "from_state": "pending",
            "to_state": state,
            "reason": "",
            "note": "",
            "risk": risk,
            "version": 1,
            "waited_s": 60.0,
            "actor_kind": "moderator",
            "actor_id": "bench",
            "actor_name": "bench",
            "created_at": when,
            "undone_at": None,
            "undone_by": None,
        }
        return [values[column.name] for column in _table(Decision).columns]

    def _line(self, own: bytes, place: int, action: str, state: str, when: Any) -> list[Any]:
        self.seq += 1
        before, self.previous[place] = self.previous[place], secrets.token_bytes(32)
        values = {
            "seq": self.seq,
            "chain": str(uuid.UUID(bytes=self.sites[place])),
            "site_id": self.store.id(self.sites[place]),
            "at": when,
            "actor_kind": "moderator",
            "actor_id": "bench",
            "actor_name": "bench",
            "action": f"comment.{action}",
            "object_kind": "comment",
            "object_id": str(uuid.UUID(bytes=own)),
            "reason": "",
            "data": json.dumps({"from": "pending", "to": state}),
            "previous": self.store.blob(before),
            "hash": self.store.blob(self.previous[place]),
        }
        return [values[column.name] for column in _table(AuditLine).columns]

    def _author_row(self, author: Any, place: int) -> list[Any]:
        values = {
            "id": self.store.id(author[0]),
            "site_id": self.store.id(self.sites[place]),
            "name": author[1],
            "person_key": None,
            **dict(zip(("approved", "rejected", "spam"), author[2], strict=True)),
            "created_at": self.store.time(self.begin),
        }
        return [values[column.name] for column in _table(Author).columns]

    def finish(self) -> None:
        """Store the threads, whose counts are known now."""
        rows = []
        for own, place, key, at, approved in self.threads.values():
            name = f"2026/large-{-key}" if key < 0 else f"2026/story-{key}"
            values = {
                "id": self.store.id(own),
                "site_id": self.store.id(self.sites[place]),
                "key": name,
                "url": f"https://news.example/{name}",
                "title": f"Story {key}",
                "open": self.store.truth(True),
                "approved": approved,
                "version": approved + 1,
                "created_at": self.store.time(at),
            }
            rows.append([values[column.name] for column in _table(Thread).columns])
        self.store.copy(Thread, rows)


class _Sqlite:
    """Rows into SQLite, as its driver takes them."""

    def __init__(self, connection: Any) -> None:
        self.cursor = connection.cursor()
        self.triggers: list[str] = []

    id: Callable[[Any, bytes], Any] = staticmethod(lambda value: value)  # type: ignore[assignment]
    blob = id

    @staticmethod
    def truth(value: bool) -> Any:
        return int(value)

    @staticmethod
    def time(at: datetime) -> Any:
        return at.isoformat(" ", "microseconds")

    def plain(self, value: Any) -> Any:
        """A value that was read, as it is written."""
        match value:
            case uuid.UUID():
                return self.id(value.bytes)
            case bytes():
                return self.blob(value)
            case bool():
                return self.truth(value)
            case datetime():
                return self.time(value.replace(tzinfo=None))
            case dict() | list():
                return json.dumps(value)
        return value

    def lines(self) -> int:
        """How many lines the audit log has."""
        self.cursor.execute("SELECT coalesce(max(seq), 0) FROM audit")
        return int(self.cursor.fetchone()[0])

    def begin(self) -> None:
        """Take indexes and triggers away, and durability."""
        for setting in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-400000"):
            self.cursor.execute(f"PRAGMA {setting}")
        found = self.cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        self.triggers = [sql for _, sql in found]
        for name, _ in found:
            self.cursor.execute(f"DROP TRIGGER {name}")
        for index in _indexes():
            self.cursor.execute(f"DROP INDEX IF EXISTS {index.name}")

    def copy(self, model: Any, rows: list[list[Any]]) -> None:
        """Store rows of a table."""
        columns = [column.name for column in _table(model).columns]
        places = ", ".join("?" * len(columns))
        self.cursor.execute("BEGIN")
        self.cursor.executemany(f"INSERT INTO {model.__tablename__} ({', '.join(columns)}) VALUES ({places})", rows)
        self.cursor.execute("COMMIT")

    def end(self) -> None:
        """Bring indexes, triggers and durability back."""
        for index in _indexes():
            self.cursor.execute(str(sa.schema.CreateIndex(index).compile(dialect=db.engine.dialect)))
        self.cursor.execute("INSERT INTO unindexed SELECT id, created_at, 1 FROM comments")
        for sql in self.triggers:
            self.cursor.execute(sql)
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-2000"):
            self.cursor.execute(f"PRAGMA {setting}")


class _Postgres(_Sqlite):
    """Rows into PostgreSQL by COPY."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.connection = connection

    @staticmethod
    def id(value: bytes) -> Any:
        return value.hex()

    @staticmethod
    def blob(value: bytes) -> Any:
        return f"\\x{value.hex()}"

    @staticmethod
    def truth(value: bool) -> Any:
        return "t" if value else "f"

    @staticmethod
    def time(at: datetime) -> Any:
        return f"{at.isoformat(' ', 'microseconds')}+00"

    def begin(self) -> None:
        self.cursor.execute(
            "SET statement_timeout = 0; SET synchronous_commit = off; SET maintenance_work_mem = '512MB'"
        )
        self.cursor.execute("SET session_replication_role = replica")
        for index in _indexes():
            self.cursor.execute(f"DROP INDEX IF EXISTS {index.name}")
        self.connection.commit()

    def copy(self, model: Any, rows: list[list[Any]]) -> None:
        columns = [column.name for column in _table(model).columns]
        with self.cursor.copy(f"COPY {model.__tablename__} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        self.connection.commit()

    def end(self) -> None:
        for index in _indexes():
            self.cursor.execute(str(sa.schema.CreateIndex(index).compile(dialect=db.engine.dialect)))
        self.cursor.execute("INSERT INTO unindexed SELECT id, created_at, 1 FROM comments")
        self.cursor.execute("SELECT setval(pg_get_serial_sequence('audit', 'seq'), (SELECT max(seq) FROM audit) + 1)")
        self.cursor.execute("SET session_replication_role = DEFAULT; SET statement_timeout = DEFAULT")
        self.connection.commit()
        self.connection.set_session = None
        self.connection.driver_connection.autocommit = True
        self.cursor.execute("VACUUM ANALYZE")
        self.connection.driver_connection.autocommit = False


def _indexes() -> Iterator[Any]:
    for model in TABLES:
        yield from sorted(_table(model).indexes, key=lambda index: str(index.name))


def size_of(parts: Parts) -> int:
    """Bytes that the database takes on disk."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect() as connection:
            return int(connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)
    files = (Path(f"{db.engine.url.database}{end}") for end in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _table(model: Any) -> Table:
    return cast("Table", model.__table__)
