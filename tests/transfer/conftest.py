"""Files of other systems, and what became of them here."""

import gzip
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from moderation.domain.actor import CLI
from moderation.services import transfer
from moderation.services.export import export_comments
from moderation.services.parts import Parts
from moderation.storage.models import Comment, Thread
from tests.conftest import People, empty, make_people

SAMPLES = Path(__file__).parents[1] / "formats/samples"


def sample(kind: str, folder: Path) -> Path:
    """The sample of a kind as the other system hands it out."""
    if kind == "isso":
        path = folder / "comments.db"
        path.unlink(missing_ok=True)
        database = sqlite3.connect(path)
        database.executescript((SAMPLES / "isso.sql").read_text(encoding="utf-8"))
        database.close()
    elif kind == "remark42":
        path = folder / "backup.gz"
        path.write_bytes(gzip.compress((SAMPLES / "remark42.jsonl").read_bytes()))
    else:
        path = SAMPLES / f"{kind}.xml"
    return path


Take = Callable[..., dict[str, Any]]


@pytest.fixture
def take(parts: Parts, people: People, tmp_path: Path) -> Take:
    """Import a file, or the sample of its kind, into the site of the tests."""

    def run(kind: str, file: Path | str | bytes | None = None, **options: Any) -> dict[str, Any]:
        if isinstance(file, str | bytes):
            path = tmp_path / "file"
            path.write_bytes(file if isinstance(file, bytes) else file.encode("utf-8", "surrogatepass"))
        else:
            path = file or sample(kind, tmp_path)
        return transfer.import_comments(parts, CLI, people.site_key, kind, path, **options)

    return run


@pytest.fixture
def rows(app: Flask, people: People) -> Callable[[], dict[str, Any]]:
    """The comments that are there, by their author's name (or, without one, "")."""

    def read() -> dict[str, Any]:
        with app.extensions["sqlalchemy"].engine.connect() as connection:
            found = connection.execute(
                sa.select(Comment.__table__, Thread.key, Thread.url, Thread.title, Thread.open, Thread.approved)
                .join(Thread, Thread.id == Comment.thread_id)
                .order_by(Comment.id)
            ).all()
        return {row.author_name: row for row in found}

    return read


@pytest.fixture
def export(parts: Parts, people: People) -> Callable[..., str]:
    """An export of the site, as text."""

    def run(kind: str, **options: Any) -> str:
        pieces: list[str] = []
        export_comments(parts, CLI, people.site_key, kind, pieces.append, **options)
        return "".join(pieces)

    return run


@pytest.fixture
def start_anew(app: Flask, parts: Parts, people: People) -> Callable[[], None]:
    """Empty the database and make the sites of the tests again."""

    def run() -> None:
        empty(app.extensions["sqlalchemy"].engine)
        make_people(parts)

    return run
