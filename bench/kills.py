"""Kill a process with SIGKILL that takes and decides on comments, at random moments, and account for all it had said.

    python bench/kills.py [--kills 200] [--database-url URL] [--longest-ms 60] [--seed 1]

A fresh site is made in a temporary folder (SQLite unless a URL is given; that database has to be empty). Each time a
copy of this process submits, decides on and deletes comments without a pause, and says after each answer what it was;
it is killed at a random moment, up to ``--longest-ms`` after its first answer. Most of that time is spent committing.

After each kill what the process had answered has to be there, with its event, its delivery and its audit line, and
nothing may be there by halves: see ``faults_of``. SQLite's own checks of the file run as well. Prints how many kills,
answers and commits without an answer there were. Exit status 0 only where nothing is wrong.
"""

import argparse
import os
import random
import secrets
import signal
import sqlite3
import struct
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import deliver, sites
from moderation.services.idempotency import Idempotency
from moderation.services.moderate import decide
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, delete_comment, submit_comment
from moderation.settings import Settings
from moderation.storage import audit, schema
from moderation.storage.db import read
from moderation.storage.models import Author, Comment, DailyCount, Decision, Delivery, Event, IdempotencyKey, Thread

SITE = "kills"
ACTIONS = ("approve", "reject", "spam")
STATES = {"approve": "approved", "reject": "rejected", "spam": "spam", "delete": "deleted", "submit": "pending"}
_ANSWER = struct.Struct("10s16s")
"""What was done to which comment. Shorter than a pipe's buffer, so that it is written whole or not at all."""


@dataclass
class Tally:
    """What all processes said until they were killed: by comment, the last thing that was answered.

    ``cut_off``: those of which a process may have done more than it could say.
    """

    kills: int = 0
    answers: int = 0
    last: dict[uuid.UUID, str] = field(default_factory=dict)
    cut_off: set[uuid.UUID] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def add_kills_site(app: Flask) -> None:
    """Make the site, with a webhook that nobody delivers to; and do all once, so that copies begin warm."""
    parts = app.extensions["moderation"]
    with app.app_context():
        sites.add_site(parts, CLI, SITE, "Kills", ["https://news.example"], {"submit_rate": "none"})
        deliver.add_endpoint(parts, CLI, SITE, "http://127.0.0.1:9/hook")
        for count in range(6):
            list(_done(parts, f"warm-{count}", count))


def kill_often(app: Flask, kills: int, longest_s: float, chance: random.Random) -> Tally:
    """Do it ``kills`` times and return what was said, and what of it does not hold."""
    tally = Tally()
    while tally.kills < kills and not tally.wrong:
        answers = _killed(app, chance.uniform(0.0, longest_s), tally.kills)
        tally.kills += 1
        tally.answers += len(answers)
        tally.last |= {comment_id: did for did, comment_id in answers}
        tally.cut_off |= {answers[-1][1]} if answers else set()
        with app.app_context(), read() as session:
            tally.wrong += faults_of(session, tally.last, tally.cut_off)
            if tally.kills % 10 == 0 or tally.kills == kills:
                key = app.extensions["moderation"].vault.audit_key
                tally.wrong += [f"audit line {one.seq}: {one.fault}" for one in audit.verify(session, key)]
        tally.wrong += _faults_of_file(app)
    return tally


def _killed(app: Flask, after_s: float, number: int) -> list[tuple[str, uuid.UUID]]:
    """Run a process until it is killed, so long after its first answer; what it answered."""
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()  # no connection is shared with the copy
    hear, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(hear)
        try:
            _work(app, say, number)
        finally:
            os._exit(1)
    os.close(say)
    with os.fdopen(hear, "rb", buffering=0) as pipe:
        said = pipe.read(_ANSWER.size) or b""
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        said += b"".join(iter(lambda: pipe.read(65_536), b""))
    if not os.WIFSIGNALED(status):
        sys.exit("The process ended by itself; what it said is above.")
    return [(did.rstrip(b"\0").decode(), uuid.UUID(bytes=raw)) for did, raw in _ANSWER.iter_unpack(said)]


def _work(app: Flask, say: int, number: int) -> None:
    """Do one thing after the other, and say so after each answer. Ends by a kill alone."""
    parts, count = app.extensions["moderation"], 0
    with app.app_context():
        while True:
            count += 1
            for did, comment_id in _done(parts, f"{number}-{count}", count):
                os.write(say, _ANSWER.pack(did.encode(), comment_id.bytes))


def _done(parts: Parts, name: str, count: int) -> Iterator[tuple[str, uuid.UUID]]:
    """Submit a comment, decide on most of them, delete some; each after its answer."""
    body = f"Remark {name} on the harbour and its {secrets.token_hex(4)}."
    sent = Submission(f"story-{count % 3}", None, None, None, f"Reader {name}", None, None, None, body)
    answer = submit_comment(parts, SITE, sent, Client("203.0.113.7", "bench"), Idempotency(name, name.encode()))
    yield "submit", answer["id"]
    if count % 4:
        decide(parts, CLI, answer["id"], ACTIONS[count % 3], "off topic")
        yield ACTIONS[count % 3], answer["id"]
    if count % 5 == 0:
        delete_comment(parts, SITE, answer["id"], answer["edit_token"])
        yield "delete", answer["id"]


def faults_of(session: Session, said: dict[uuid.UUID, str], cut_off: set[uuid.UUID]) -> list[str]:
    """What is lost, and what is there by halves. ``said`` is what was answered last of each comment."""
    states = {row.id: row.state for row in session.execute(sa.select(Comment.id, Comment.state))}
    wrong = []
    for comment_id, did in said.items():
        state = states.get(comment_id, "lost")
        may_be_further = comment_id in cut_off and state != "lost" and (did == "submit" or state == "deleted")
        if state != STATES[did] and not may_be_further:
            wrong.append(f"{comment_id}: {state} after '{did}'")
    return wrong + _halves(session, states)


def _halves(session: Session, states: dict[uuid.UUID, str]) -> list[str]:
    """What a transaction would have left by halves: rows that belong together, and counts that belong to rows."""
    decided = Counter(session.scalars(sa.select(Decision.comment_id)).all())
    lines = Counter(
        session.scalars(sa.select(audit.AuditLine.object_id).where(audit.AuditLine.object_kind == "comment")).all()
    )
    told: Counter[tuple[uuid.UUID | None, str]] = Counter(
        (row.comment_id, row.type) for row in session.execute(sa.select(Event.comment_id, Event.type))
    )
    wrong: list[str] = []
    for comment_id, state in states.items():
        # An author's own deletion takes the earlier events' texts away, and has an event, but no decision.
        expected = {"comment.submitted": 1} | ({} if state == "pending" else {f"comment.{state}": 1})
        wrong += [
            f"{comment_id} ({state}): {told[comment_id, event]} events {event}"
            for event, times in expected.items()
            if told[comment_id, event] != times
        ]
        if decided[comment_id] != lines[str(comment_id)] or (state not in {"pending", "deleted"}) > decided[comment_id]:
            wrong.append(f"{comment_id} ({state}): {decided[comment_id]} decisions, {lines[str(comment_id)]} lines")
    events, deliveries = (session.scalar(sa.select(sa.func.count()).select_from(of)) for of in (Event, Delivery))
    wrong += [] if events == deliveries else [f"{events} events, {deliveries} deliveries"]
    return wrong + _miscounted(session, Counter(states.values()))


def _miscounted(session: Session, states: Counter[str]) -> list[str]:
    counted: Counter[str] = Counter()
    for row in session.execute(sa.select(DailyCount.name, DailyCount.n)):
        counted[row.name] += row.n
    public = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(Thread.approved), 0)))
    shown = session.scalar(sa.select(sa.func.count()).where(Comment.shown, Comment.state == "approved"))
    of_authors = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(Author.approved), 0)))
    keys = session.scalar(sa.select(sa.func.count()).where(IdempotencyKey.answer != b""))
    empty = session.scalar(sa.select(sa.func.count()).where(IdempotencyKey.answer == b""))
    pairs: dict[str, tuple[Any, Any]] = {
        "submitted, by day": (counted["submitted"], states.total()),
        "deleted, by day": (counted["deleted"], states["deleted"]),
        "public, by thread": (public, shown),
        "approved, by author": (of_authors, states["approved"]),
        "answers kept": (keys, states.total()),
        "keys without an answer": (empty, 0),
    }
    return [f"{what}: {found}, not {right}" for what, (found, right) in pairs.items() if found != right]


def _faults_of_file(app: Flask) -> list[str]:
    settings = app.extensions["moderation"].settings
    if not settings.is_sqlite:
        return []
    connection = sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))
    said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    said += [str(row) for row in connection.execute("PRAGMA foreign_key_check")]
    connection.close()
    return said


def unsaid(app: Flask, tally: Tally) -> int:
    """How many comments were committed in the moment of a kill, before their answer."""
    with app.app_context(), read() as session:
        said = sa.func.count()
        stored = session.scalar(sa.select(said).where(Comment.author_name.not_like("Reader warm-%"))) or 0
        return stored - len(tally.last)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--longest-ms", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        url = options.database_url or f"sqlite:///{folder}/moderation.db"
        engine = sa.create_engine(url)
        schema.upgrade(engine)
        engine.dispose()
        app = create_app(
            Settings(
                home=Path(folder),
                database_url=url,
                public_url="http://127.0.0.1:8080",
                secret_key=secrets.token_bytes(32),
                encryption_keys=(("k1", secrets.token_bytes(32)),),
                index_key=secrets.token_bytes(32),
                webhook_allow_networks=(ip_network("127.0.0.0/8"),),
                webhook_allow_http=True,
            )
        )
        add_kills_site(app)
        started = time.monotonic()
        tally = kill_often(app, options.kills, options.longest_ms / 1_000, random.Random(options.seed))
        took_s = time.monotonic() - started
        print(f"{tally.kills} kills in {took_s:.0f} s, {tally.answers} answers about {len(tally.last)} comments")
        print(f"{unsaid(app, tally)} comments committed in the moment of a kill, before their answer")
        if tally.wrong:
            sys.exit("\n".join(["WRONG:", *tally.wrong[:20], f"({len(tally.wrong)} in all)"]))
    print("All accounted for.")


if __name__ == "__main__":
    main()
