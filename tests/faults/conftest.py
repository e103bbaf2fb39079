"""What the tests of faults share: databases of their own that may be broken, and processes that die where told."""

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts
from moderation.storage import db
from tests.conftest import CLOCK, People, dispose, make_people, make_settings, submission_json

COMMENTS = "/api/v1/sites/news/comments"
PAGE = {"Accept": "text/html,application/xhtml+xml"}


@dataclass
class Site:
    """A service with a database of its own, a site and its people, a comment that waits, a moderator's browser."""

    app: Flask
    people: People
    client: FlaskClient
    browser: FlaskClient
    form: dict[str, str]
    waiting: str

    def post(self, body: str = "A calm and useful remark.") -> Any:
        """Send a comment as a reader does."""
        return self.client.post(COMMENTS, json=submission_json(body))

    def approve(self, comment_id: str) -> Any:
        """Approve by the API."""
        path = f"/api/v1/comments/{comment_id}/decisions"
        return self.client.post(path, json={"action": "approve"}, headers=self.people.bearer("moderator"))

    def approve_by_form(self) -> Any:
        """Approve the waiting comment in the console, without script."""
        path = f"/console/comments/{self.waiting}/decisions"
        return self.browser.post(path, data={**self.form, "action": "approve"}, headers=PAGE)

    def is_public(self, comment_id: str) -> bool:
        """Whether readers see a comment."""
        return comment_id in self.client.get(f"{COMMENTS}?thread=2025/07/arms-pause").text


def make_site(app: Flask, **site_settings: Any) -> Site:
    """Put a site and its people into an empty database."""
    with app.app_context():
        parts = app.extensions["moderation"]
        people = make_people(parts, **site_settings)
        accounts.add_moderator(parts, CLI, "mira", "nine lamps over the harbour", "moderator", "news")
        cookie, _ = accounts.log_in(parts, "mira", "nine lamps over the harbour", b"h" * 16)
    browser = app.test_client()
    browser.set_cookie("moderation-session", cookie)
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/console/").text)
    assert token is not None
    client = app.test_client()
    waiting = client.post(COMMENTS, json=submission_json("The first remark.")).get_json()["id"]
    return Site(app, people, client, browser, {"csrf_token": token[1]}, waiting)


@pytest.fixture(scope="session")
def on_file(sqlite_template: Path, sqlite_app: Flask) -> Iterator[Callable[[Path], Flask]]:
    """Make the application on a SQLite file of its own in a folder."""
    made: list[Flask] = []
    pipeline = sqlite_app.extensions["moderation"].pipeline

    def make(folder: Path) -> Flask:
        shutil.copy(sqlite_template, folder / "moderation.db")
        settings = make_settings(folder, f"sqlite:///{folder / 'moderation.db'}")
        made.append(create_app(settings, clock=CLOCK, pipeline=pipeline))
        return made[-1]

    yield make
    for app in made:
        dispose(app)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers wait for a fifth of a second for their turn."""
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 200)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A folder on a file system of its own, of 3 MB."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("Mounting a small disk takes root.")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def file_of(app: Flask) -> Path:
    """The SQLite file of an application."""
    return Path(app.extensions["moderation"].settings.database_url.removeprefix("sqlite:///"))


def assert_sound(file: Path) -> None:
    """Nothing in the file is damaged or refers to what is not there."""
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def assert_unavailable(answer: Any) -> None:
    """The answer for a database that is away: 503, when to come again, and no word of what it was."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"] == "5"
    assert answer.content_type == "application/problem+json"
    document = answer.get_json()
    assert document["title"] == "Temporarily unavailable"
    assert not any(word in answer.text.lower() for word in ("sql", "disk", "psycopg", "moderation.db", "traceback"))


def assert_readable(answer: Any) -> None:
    """The same as a page for people."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"] == "5"
    assert answer.mimetype == "text/html"
    assert "<h1>Temporarily unavailable</h1>" in answer.text
    assert "try again" in answer.text
