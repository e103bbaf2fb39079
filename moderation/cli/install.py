"""``moderation init`` and ``moderation db``: the home folder, the keys, the database."""

import base64
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from moderation.cli.program import require_database, sqlite_file
from moderation.errors import SettingsError
from moderation.settings import KEY_FILES, MIN_KEY_BYTES, PREFIX, Settings, home_folder, read_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

FIRST_KEY_ID = "k1"
MAX_DIFFERENCE_CHARS = 160


@click.command()
def init() -> None:
    """Make the home folder, its keys and the database; change nothing that is there.

    The home folder is MODERATION_HOME, or ./var.
    """
    made = set_up()
    for line in made:
        click.echo(f"Made {line}.")
    if not made:
        click.echo(f"Everything is there already, in {home_folder()}. Nothing was changed.")


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
def upgrade() -> None:
    """Bring the schema to the newest version; does nothing where it is there already."""
    settings = read_settings()
    require_database(settings)
    changed = _migrate(settings)
    click.echo(
        f"The schema is now at revision {changed}." if changed else "The schema is at the newest revision already."
    )


@db.command()
def current() -> None:
    """Print the schema's revision."""
    from moderation.storage import schema

    with _connected() as connection:
        click.echo(schema.current(connection) or "none")


@db.command("check")
def check_schema() -> None:
    """Compare the database with what this version needs; status 1 where they differ."""
    from moderation.storage import models, schema  # noqa: F401  (the tables in code)

    with _connected() as connection:
        there, newest = schema.current(connection), schema.newest()
        differences = schema.differences(connection)
    if there != newest:
        raise click.ClickException(
            f"The schema is at revision {there}, this version needs {newest}: 'moderation db upgrade'."
        )
    if differences:
        shown = "\n".join(f"  {difference[:MAX_DIFFERENCE_CHARS]}" for difference in differences)
        raise click.ClickException(f"The database differs from the schema:\n{shown}")
    click.echo(f"The schema is at revision {newest} and complete.")


def set_up() -> list[str]:
    """Make what is missing of home folder, keys and database; what was made, in words.

    Settings are read, with the new keys in their place, before anything is written. Raises ``SettingsError`` where
    there is a database with data but not the keys that its sealed values need.
    """
    home = home_folder()
    fresh = {name: _new_key(name) for name in KEY_FILES if not _has_key(home, name)}
    with _in_environment(fresh):
        settings = read_settings()
    if fresh:
        _refuse_database_without_keys(settings, sorted(fresh))
    made = _make_folders(home, with_keys=bool(fresh))
    for name, value in fresh.items():
        _write_key(home / "keys" / KEY_FILES[name], value)
    if fresh:
        made.append(f"{len(fresh)} keys in {home / 'keys'} (readable by you alone; keep a copy elsewhere)")
    with _private_files():
        revision = _migrate(settings)
    if revision:
        made.append(f"the database, at revision {revision}")
    return made


def _has_key(home: Path, name: str) -> bool:
    given = any(os.environ.get(PREFIX + name + ending) for ending in ("", "_FILE"))
    return given or (home / "keys" / KEY_FILES[name]).exists()


def _new_key(name: str) -> str:
    text = base64.b64encode(secrets.token_bytes(MIN_KEY_BYTES)).decode("ascii")
    return f"{FIRST_KEY_ID}:{text}" if name == "ENCRYPTION_KEYS" else text


@contextmanager
def _in_environment(values: dict[str, str]) -> Iterator[None]:
    names = {PREFIX + name: value for name, value in values.items()}
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)


def _refuse_database_without_keys(settings: Settings, missing: list[str]) -> None:
    from moderation.storage import schema

    path = sqlite_file(settings)
    if path is not None and (not path.exists() or path.stat().st_size == 0):
        return
    with _connected(settings) as connection:
        has_data = schema.current(connection) is not None
    if has_data:
        names = ", ".join(PREFIX + name for name in missing)
        raise SettingsError(
            f"There is a database, but not {names}. Put the keys back into {settings.home / 'keys'} from your copy: "
            "new ones could not read what is sealed in it. Nothing was changed."
        )


def _make_folders(home: Path, *, with_keys: bool) -> list[str]:
    made = [] if home.is_dir() else [f"the home folder {home}"]
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if with_keys:
        (home / "keys").mkdir(mode=0o700, exist_ok=True)
    return made


def _write_key(path: Path, value: str) -> None:
    """Write a key file once; an existing one is never touched (``O_EXCL``)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _private_files() -> Iterator[None]:
    """Files made meanwhile, SQLite's, belong to their owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _migrate(settings: Settings) -> str | None:
    """Upgrade the schema; the new revision, or None where there was nothing to do."""
    from sqlalchemy import create_engine

    from moderation.adapters.vault import Vault
    from moderation.storage import schema
    from moderation.storage.db import engine_options

    engine = create_engine(settings.database_url, **engine_options(settings, may_create=True))
    try:
        with _worded_database_errors():
            with engine.connect() as connection:
                before = schema.current(connection)
            if before == schema.newest():
                return None
            schema.upgrade(engine, Vault(settings).audit_key)
    finally:
        engine.dispose()
    return schema.newest()


@contextmanager
def _connected(settings: Settings | None = None) -> Iterator["Connection"]:
    from sqlalchemy import create_engine

    from moderation.storage.db import engine_options

    settings = settings or read_settings()
    require_database(settings)
    engine = create_engine(settings.database_url, **engine_options(settings))
    try:
        with _worded_database_errors(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _worded_database_errors() -> Iterator[None]:
    from alembic.util import CommandError
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        raise SettingsError(
            f"{PREFIX}DATABASE_URL: the database cannot be used ({type(error.orig).__name__})."
        ) from None
    except CommandError:
        raise SettingsError("The database was made by a newer version of this program. Use that version.") from None


def add_encryption_key() -> str:
    """Put a new key at the head of the home folder's file, the others after it; its id. The file is replaced at once:
    whoever reads it has the old keys, or all of them.

    Raises ``SettingsError`` where the keys come from the environment.
    """
    if os.environ.get(f"{PREFIX}ENCRYPTION_KEYS") or os.environ.get(f"{PREFIX}ENCRYPTION_KEYS_FILE"):
        raise SettingsError(f"{PREFIX}ENCRYPTION_KEYS is set, so the keys are yours to change: put the new one first.")
    settings = read_settings()
    taken = {key_id for key_id, _ in settings.encryption_keys}
    key_id = next(name for name in (f"k{number}" for number in itertools.count(2)) if name not in taken)
    path = settings.home / "keys" / KEY_FILES["ENCRYPTION_KEYS"]
    text = _new_key("ENCRYPTION_KEYS").replace(f"{FIRST_KEY_ID}:", f"{key_id}:", 1)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)  # of a run that was killed before it was put in place, so nothing is under its key
    _write_key(fresh, text + "\n" + path.read_text(encoding="ascii").strip())
    fresh.replace(path)
    return key_id
