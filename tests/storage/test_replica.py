"""Readers' lists come from the replica where there is one; all else, and lists while it is away, from the database."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts, sites
from moderation.storage.db import db, public_engine, public_read, read, write
from tests.conftest import ORIGIN, dispose, make_settings, submission_json

LIST = "/api/v1/sites/news/comments?thread=2025/07/arms-pause"


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Any:
    """The service with a replica that lags: a copy of its file, made anew by ``catch_up``."""
    settings = make_settings(tmp_path, sqlite_url)
    first = create_app(settings)
    with first.app_context():
        sites.add_site(first.extensions["moderation"], CLI, "news", "The News", [ORIGIN], {"policy": "auto"})
    dispose(first)
    shutil.copy(tmp_path / "moderation.db", tmp_path / "replica.db")
    made = create_app(replace(settings, replica_url=f"sqlite:///{tmp_path / 'replica.db'}"))
    yield made
    dispose(made)
    with made.app_context():
        db.engines["replica"].dispose()


@pytest.fixture
def catch_up(app: Flask, tmp_path: Path) -> Callable[[], None]:
    """Bring the replica to where the database is."""

    def copy() -> None:
        with app.app_context(), db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            db.engines["replica"].dispose()
        for name in ("replica.db-wal", "replica.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(tmp_path / "moderation.db", tmp_path / "new.db")
        (tmp_path / "new.db").replace(tmp_path / "replica.db")

    return copy


def approve(app: Flask) -> str:
    client = app.test_client()
    made = client.post("/api/v1/sites/news/comments", json=submission_json()).get_json()
    with app.app_context():
        token = accounts.add_token(app.extensions["moderation"], CLI, "news", "moderator")["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answer = client.post(f"/api/v1/comments/{made['id']}/decisions", json={"action": "approve"}, headers=bearer)
    assert answer.status_code in {200, 409}, answer.text
    return str(made["id"])


def test_lists_counts_and_feeds_are_read_from_the_replica(app: Flask, catch_up: Callable[[], None]) -> None:
    comment_id = approve(app)
    client = app.test_client()
    counts = "/api/v1/sites/news/comments/counts?thread=2025/07/arms-pause"
    for _ in range(2):
        assert client.get(LIST).get_json()["comments"] == []
        assert client.get(counts).get_json()["counts"] == {"2025/07/arms-pause": 0}
        assert comment_id not in client.get("/sites/news/feed.atom").text
    catch_up()
    for _ in range(2):
        assert [one["id"] for one in client.get(LIST).get_json()["comments"]] == [comment_id]
        assert client.get(counts).get_json()["counts"] == {"2025/07/arms-pause": 1}
        assert comment_id in client.get("/sites/news/feed.atom").text


def test_lists_are_read_from_the_database_while_the_replica_is_away(app: Flask, tmp_path: Path) -> None:
    comment_id = approve(app)
    (tmp_path / "replica.db").rename(tmp_path / "away.db")
    assert [one["id"] for one in app.test_client().get(LIST).get_json()["comments"]] == [comment_id]


def test_what_is_read_to_be_written_is_of_the_database(app: Flask) -> None:
    with app.app_context():
        with public_read() as session:
            assert session.get_bind() is db.engines["replica"]
        for transaction in (read, write):
            with transaction() as session:
                assert session.get_bind() is db.engine
                with public_read() as inner:
                    assert inner.get_bind() is db.engine
        assert public_engine() is db.engines["replica"]
