"""A SQLite that is locked, full, read-only, gone or damaged: 503 with Retry-After, no half state, and back alone."""

import contextlib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from moderation.errors import StorageUnavailable
from moderation.storage import turns
from moderation.storage.db import read, write
from moderation.web import replay
from tests.conftest import dispose
from tests.faults.conftest import (
    COMMENTS,
    PAGE,
    Site,
    assert_readable,
    assert_sound,
    assert_unavailable,
    file_of,
    make_site,
)

pytestmark = pytest.mark.usefixtures("impatient", "clock")

READ = f"{COMMENTS}?thread=2025/07/arms-pause"


@pytest.fixture(autouse=True)
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers may get a list from memory for some hundredths of a second after the database is gone; not here."""
    monkeypatch.setattr(replay, "_ASK_AGAIN_S", 0.0)


@pytest.fixture(scope="module")
def made(on_file: Callable[[Path], Flask], tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, bytes]:
    """A service on a SQLite file, and that file's content."""
    site = make_site(on_file(tmp_path_factory.mktemp("away")))
    return site, _closed(site)


@pytest.fixture
def site(made: tuple[Site, bytes]) -> Iterator[Site]:
    """The service on its file as it was made; the test may break it."""
    site, whole = made
    dispose(site.app)
    _put_back(site, whole)
    yield site
    dispose(site.app)


def rows(app: Flask) -> dict[str, int]:
    """How many rows each table has that one submission or decision writes to."""
    tables = ("comments", "threads", "authors", "events", "deliveries", "decisions", "audit", "idempotency_keys")
    connection = sqlite3.connect(f"file:{file_of(app)}?mode=ro", uri=True)
    found = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    connection.close()
    return found


def assert_every_write_is_refused_whole(site: Site) -> None:
    """Readers' and moderators' writes get 503 as they should, and leave nothing."""
    before = rows(site.app)
    assert_unavailable(site.post())
    assert_unavailable(site.approve(site.waiting))
    assert_readable(site.approve_by_form())
    assert rows(site.app) == before


def assert_reads_go_on(site: Site) -> None:
    """Readers and moderators see what is there."""
    assert site.client.get(READ).status_code == 200
    assert site.browser.get("/console/", headers=PAGE).status_code == 200


def assert_works(site: Site) -> None:
    """A comment is taken, one that waited is published, and the file is sound."""
    assert site.post("Another remark, later.").status_code == 202
    assert site.approve(site.waiting).status_code == 200
    assert site.is_public(site.waiting)
    assert_sound(file_of(site.app))


def test_database_locked_by_another_process_is_503_and_recovers_alone(site: Site) -> None:
    other = sqlite3.connect(file_of(site.app), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert_every_write_is_refused_whole(site)
        assert_reads_go_on(site)
    finally:
        other.close()
    assert_works(site)


@pytest.fixture
def on_connect(site: Site) -> Iterator[Callable[..., None]]:
    """Have every connection of the application begin with a pragma, also those to come."""
    with site.app.app_context():
        engine = site.app.extensions["sqlalchemy"].engine
    told: list[str] = []

    def tell(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in told:
            connection.execute(pragma)

    sa.event.listen(engine, "connect", tell)

    def use(*pragmas: str) -> None:
        told[:] = pragmas
        engine.dispose()

    yield use
    sa.event.remove(engine, "connect", tell)


def test_database_that_may_not_grow_is_503_and_recovers_alone(site: Site, on_connect: Callable[..., None]) -> None:
    on_connect("PRAGMA max_page_count = 1")  # SQLite takes the present size: not one page more
    answers = [site.post(f"{number} " + "x" * 9_000) for number in range(10)]
    refused = next(answer for answer in answers if answer.status_code != 202)
    assert_unavailable(refused)
    taken = [answer.get_json()["id"] for answer in answers if answer.status_code == 202]
    on_connect()
    assert rows(site.app)["comments"] == rows(site.app)["authors"] == 1 + len(taken)
    assert_works(site)


def test_full_disk_is_503_and_recovers_alone(on_file: Callable[[Path], Flask], small_disk: Path) -> None:
    site = make_site(on_file(small_disk))
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4_096)):
            pass
    answers = [site.post(f"{number} " + "x" * 9_000) for number in range(10)]
    assert_unavailable(answers[-1])
    assert_unavailable(site.approve(site.waiting))
    assert not site.is_public(site.waiting)
    assert site.client.get(READ).status_code == 200
    taken = [answer for answer in answers if answer.status_code == 202]
    ballast.unlink()
    assert_works(site)
    assert rows(site.app)["comments"] == 2 + len(taken)


def test_read_only_disk_is_503_and_recovers_alone(on_file: Callable[[Path], Flask], small_disk: Path) -> None:
    site = make_site(on_file(small_disk))
    dispose(site.app)  # else open files keep the disk from being remounted
    turns.forget()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert_unavailable(site.post())
    assert_unavailable(site.approve(site.waiting))
    assert site.client.get("/readyz").status_code == 503
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert_works(site)


def test_read_only_database_is_503_for_writes_and_recovers_alone(site: Site, on_connect: Callable[..., None]) -> None:
    on_connect("PRAGMA query_only = ON")
    assert_every_write_is_refused_whole(site)
    assert_reads_go_on(site)
    on_connect()
    assert_works(site)


def test_database_that_is_no_database_is_503_and_readyz_says_so(site: Site) -> None:
    file = file_of(site.app)
    whole = _closed(site)
    file.write_bytes(b"this is no database " * 1_000)
    assert_unavailable(site.post())
    assert_unavailable(site.client.get(READ))
    assert_readable(site.browser.get("/console/", headers=PAGE))
    ready = site.client.get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]["database"]) == (503, "unavailable")
    _put_back(site, whole)
    assert_works(site)


def test_damaged_pages_are_503_and_nothing_of_them_is_answered(site: Site) -> None:
    file = file_of(site.app)
    whole = _closed(site)
    damaged = bytearray(whole)
    damaged[4_096:] = b"\xa5" * (len(whole) - 4_096)
    file.write_bytes(damaged)
    assert_unavailable(site.post())
    assert_unavailable(site.client.get(READ))
    assert site.client.get("/readyz").status_code == 503
    _put_back(site, whole)
    assert_works(site)


def test_database_file_taken_away_is_503_and_none_is_made_in_its_place(site: Site) -> None:
    """Also not taken up by connections that were open: what they write to a removed file is lost."""
    file = file_of(site.app)
    assert site.client.get(READ).status_code == 200
    whole = _closed(site)
    assert site.client.get(READ).status_code == 200  # connections are open again
    file.rename(file.with_name("elsewhere.db"))
    assert_unavailable(site.post())
    assert_unavailable(site.client.get(READ))
    ready = site.client.get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]["database"]) == (503, "unavailable")
    assert not file.exists()
    _put_back(site, whole)
    assert_works(site)


def _closed(site: Site) -> bytes:
    """The whole database, as it is once all connections are closed."""
    dispose(site.app)
    return file_of(site.app).read_bytes()


def _put_back(site: Site, whole: bytes) -> None:
    file = file_of(site.app)
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.write_bytes(whole)


def test_write_that_waits_too_long_for_its_turn_in_this_process_is_refused(site: Site) -> None:
    with site.app.app_context(), turns._threads:
        with pytest.raises(StorageUnavailable), write():
            pass
        with read() as session:
            assert session.scalar(sa.text("SELECT 1")) == 1
