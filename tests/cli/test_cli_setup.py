"""``init`` and ``db``: everything is made once, and nothing is ever made over."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moderation.settings import read_settings

Run = Callable[..., Any]
KEYS = ("encryption_keys", "index_key", "secret_key")


def contents(home: Path) -> dict[str, str]:
    return {name: (home / "keys" / name).read_text() for name in KEYS}


def test_init_makes_private_home_keys_and_database(run: Run, tmp_path: Path) -> None:
    output = run("init").output
    home = tmp_path / "home"
    assert all(word in output for word in ("home folder", "3 keys", "database"))
    assert home.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (home / "keys").iterdir()} == {0o600}
    assert (home / "moderation.db").stat().st_mode & 0o077 == 0
    settings = read_settings()
    assert [key_id for key_id, _ in settings.encryption_keys] == ["k1"]
    assert len({settings.secret_key, settings.index_key, settings.encryption_keys[0][1]}) == 3
    assert not any(key.strip().split(":")[-1] in output for key in contents(home).values())


def test_init_again_changes_nothing_and_says_so(run: Run, home: Path) -> None:
    before = contents(home)
    assert "Nothing was changed" in run("init").output
    assert contents(home) == before


def test_init_with_database_but_without_a_key_refuses(run: Run, home: Path) -> None:
    (home / "keys" / "index_key").unlink()
    error = run("init", status=1).stderr
    assert "MODERATION_INDEX_KEY" in error
    assert not (home / "keys" / "index_key").exists()


def test_init_after_a_stop_half_way_makes_the_rest(run: Run, tmp_path: Path) -> None:
    keys = tmp_path / "home" / "keys"
    keys.mkdir(parents=True)
    (keys / "secret_key").write_text(base64.b64encode(bytes(range(32))).decode())
    before = (keys / "secret_key").read_text()
    assert "2 keys" in run("init").output
    assert (keys / "secret_key").read_text() == before


def test_init_with_nonsense_in_settings_writes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATION_DATABASE_URL", "mysql://nowhere")
    assert "MODERATION_DATABASE_URL" in run("init", status=1).stderr
    assert not (tmp_path / "home").exists()


def test_init_with_keys_from_the_environment_makes_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    for name, value in (("SECRET_KEY", key), ("INDEX_KEY", key), ("ENCRYPTION_KEYS", f"a:{key}")):
        monkeypatch.setenv(f"MODERATION_{name}", value)
    run("init")
    assert not (tmp_path / "home" / "keys").exists()
    assert (tmp_path / "home" / "moderation.db").exists()


@pytest.mark.postgres
def test_init_on_postgresql_needs_the_keys_of_its_data(
    run: Run, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATION_DATABASE_URL", postgres_url)
    assert "MODERATION_ENCRYPTION_KEYS" in run("init", status=1).stderr
    assert not (tmp_path / "home").exists()


def test_db_commands_agree_on_the_schema(run: Run, home: Path) -> None:
    revision = run("db", "current").output.strip()
    assert revision in run("db", "check").output
    assert "already" in run("db", "upgrade").output


@pytest.mark.parametrize("command", [("site", "list"), ("db", "current"), ("db", "upgrade"), ("serve",), ("worker",)])
def test_command_without_installation_says_what_to_do(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    assert "moderation init" in run(*command, status=1).stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", [("site", "list"), ("db", "current"), ("db", "upgrade"), ("serve",), ("worker",)])
def test_command_without_database_does_not_make_an_empty_one(run: Run, home: Path, command: tuple[str, ...]) -> None:
    (home / "moderation.db").unlink()
    assert "moderation init" in run(*command, status=1).stderr
    assert not (home / "moderation.db").exists()


@pytest.mark.parametrize("command", [("site", "list"), ("serve",)])
def test_command_on_old_schema_asks_for_the_upgrade(run: Run, home: Path, command: tuple[str, ...]) -> None:
    (home / "moderation.db").unlink()
    (home / "moderation.db").touch()
    assert "moderation db upgrade" in run(*command, status=1).stderr
    assert "moderation db upgrade" in run("db", "check", status=1).stderr
