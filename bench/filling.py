"""A database with many comments, for benchmarks: some are submitted and judged, the rest are copies of their rows.

A copy has an id, a time, a page and a place of its own, and its words end in its number, so that searches, indexes and
groups of alike comments meet what they meet in a grown database.
"""

import random
import secrets
import sys
import uuid
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
import uuid6
from sqlalchemy import Table

from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import read, write
from moderation.storage.models import Author, Comment, SignalRow, Site, Thread

SEEDS = 300
BATCH = 2_000
APART = timedelta(seconds=20)
"""Between two comments."""

ALIKE_SHARE = 0.05
"""Of the copies, those that stay in the group of the comment that they were made from."""

NOUNS = ["harbour", "council", "road", "bridge", "school", "garden", "market", "paper"]
NOUNS += ["reader", "river", "minister", "budget", "hospital", "tram"]
CALM = (
    "The {a} needs a new {b}, and the {c} will pay for it.",
    "I have lived by the {a} for years and never saw such a {b}.",
    "Thank you for writing about the {a}. What does the {b} say of the {c}?",
    "Nobody asked the people at the {a} before the {b} was planned.",
)
ROUGH = (
    "You are an idiot, and your {a} is a pile of crap.",
    "Shut up about the {a}, you pathetic liar. The {b} is fine.",
    "Cheap {a} and {b} at https://deals-{c}.example/offer, write to sales@{c}.example now!!!",
    "I made 4,000 a week with this {a}: www.{b}-{c}.example - click here",
)


def fill(parts: Parts, site_key: str, count: int, *, until: datetime, threads: int = 200, seed: int = 1) -> None:
    """Let ``count`` comments wait on a site, the last of them at ``until``; needs an application context.

    Raises ``Invalid`` where the site does not take what is submitted.
    """
    chance = random.Random(seed)
    seeds = [_submit(parts, site_key, chance) for _ in range(min(SEEDS, count))]
    with read() as session:
        bodies = [
            dict(row) for row in session.execute(sa.select(_table(Comment))).mappings() if row["id"] in set(seeds)
        ]
        signals: dict[uuid.UUID, list[dict[str, Any]]] = {}
        for row in session.execute(sa.select(_table(SignalRow))).mappings():
            signals.setdefault(row["comment_id"], []).append(dict(row))
        site_id = session.scalar(sa.select(Site.id).where(Site.key == site_key))
    if site_id is None:
        raise LookupError(site_key)
    pages = _add_threads(site_id, threads, until)
    first = until - APART * count
    for start in range(0, count - len(seeds), BATCH):
        numbers = range(start, min(start + BATCH, count - len(seeds)))
        _add_copies(bodies, signals, pages, first, numbers, chance)
        if sys.stderr.isatty():
            print(f"\r{numbers[-1] + 1:,} of {count:,} comments ", end="", file=sys.stderr)
    with write() as session:
        connection = session.connection()
        connection.exec_driver_sql("ANALYZE")


def _submit(parts: Parts, site_key: str, chance: random.Random) -> uuid.UUID:
    form = chance.choice(CALM if chance.random() < 0.7 else ROUGH)
    sentences = [form.format(**dict(zip("abc", chance.sample(NOUNS, 3), strict=True))) for _ in range(3)]
    name = f"Reader {chance.randrange(100)}"
    submission = Submission(
        thread_key=f"seed-{chance.randrange(20)}",
        thread_url=None,
        thread_title="A story",
        parent_id=None,
        name=name,
        email=f"{name.lower().replace(' ', '.')}@mail.example",
        url=None,
        token=None,
        body=f"{' '.join(sentences)} {chance.randrange(10**6)}",
    )
    made: dict[str, Any] = submit_comment(parts, site_key, submission, Client("203.0.113.7", "bench"))
    return uuid.UUID(str(made["id"]))


def _add_threads(site_id: uuid.UUID, count: int, at: datetime) -> list[uuid.UUID]:
    rows = [
        {
            "id": uuid6.uuid7(),
            "site_id": site_id,
            "key": f"2026/11/story-{n}",
            "url": f"https://news.example/2026/11/story-{n}",
            "title": f"Story {n}",
            "open": True,
            "approved": 0,
            "version": 1,
            "created_at": at - timedelta(days=400),
        }
        for n in range(count)
    ]
    with write() as session:
        session.execute(sa.insert(_table(Thread)), rows)
    return [row["id"] for row in rows]


def _add_copies(
    bodies: list[dict[str, Any]],
    signals: dict[uuid.UUID, list[dict[str, Any]]],
    pages: list[uuid.UUID],
    first: datetime,
    numbers: range,
    chance: random.Random,
) -> None:
    made, authors, said = [], [], []
    for number in numbers:
        own = uuid6.uuid7()
        row = dict(chance.choice(bodies))
        said += [signal | {"comment_id": own} for signal in signals.get(row["id"], ())]
        exact = secrets.token_bytes(len(row["exact"]))
        stays = chance.random() < ALIKE_SHARE
        author = uuid6.uuid7()
        at = first + APART * number
        authors.append(_author(author, row, at))
        row |= {
            "id": own,
            "thread_id": chance.choice(pages),
            "parent_id": None,
            "root_id": own,
            "author_id": author,
            "exact": exact,
            "alike_key": row["alike_key"] if stays else exact,
            "body": f"{row['body']} No. {number}",
            "created_at": at,
            "editable_until": at + timedelta(minutes=5),
        }
        made.append(row)
    with write() as session:
        session.execute(sa.insert(_table(Author)), authors)
        session.execute(sa.insert(_table(Comment)), made)
        session.execute(sa.insert(_table(SignalRow)), said)


def _author(own: uuid.UUID, row: dict[str, Any], at: datetime) -> dict[str, Any]:
    return {
        "id": own,
        "site_id": row["site_id"],
        "name": row["author_name"],
        "approved": 0,
        "rejected": 0,
        "spam": 0,
        "created_at": at,
    }


def _table(model: Any) -> Table:
    return cast("Table", model.__table__)
