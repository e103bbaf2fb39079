"""A backup of the whole installation, made while it serves, and its way back. For the operator at the machine alone.

A backup is a folder: the database, ``manifest.json`` that says what it is and is signed, and if asked for the keys.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from moderation import __version__
from moderation.adapters import postgres_tools
from moderation.adapters.vault import Vault
from moderation.domain.actor import Actor
from moderation.domain.times import rfc3339
from moderation.errors import Conflict, SettingsError
from moderation.services import privacy
from moderation.services.parts import Parts
from moderation.services.sites import audit_line
from moderation.services.submit import DELETED_AVATAR
from moderation.settings import KEY_FILES, Settings
from moderation.storage import backup, comments, schema, upkeep
from moderation.storage.audit import Head
from moderation.storage.db import engine_options, read, write
from moderation.storage.sites import site_by_id

FORMAT = 1
MANIFEST = "manifest.json"
KEYS = "keys"
ERASED = "erased-since.json"
FILES = {"sqlite": "moderation.db", "postgresql": "moderation.dump"}
"""The database's file, by its kind."""

_CHUNK = 1 << 20


# --- there -----------------------------------------------------------------------------------------------------


def make(parts: Parts, folder: Path, *, with_keys: bool = False) -> dict[str, Any]:
    """Write a backup into a new folder, as of one moment, while others write; returns the manifest.

    Only its owner can read it. It appears when it is whole: what a run that was killed left behind, the next one
    removes. ``with_keys``: whoever has it can read everything, addresses too. Raises ``Conflict`` where there is
    something already, ``SettingsError`` where ``pg_dump`` is missing or fails, ``StorageUnavailable``.
    """
    settings, kind = parts.settings, _kind(parts.settings)
    if folder.exists():
        raise Conflict(f"{folder} is there already. A backup gets a folder of its own.")
    part = folder.with_name(f"{folder.name}.part")
    _remove_part(part)
    part.mkdir(mode=0o700, parents=True)
    file = part / FILES[kind]
    _touch(file)
    facts = _copy(settings, file)
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "made_at": rfc3339(parts.clock()),
        "database": kind,
        "bytes": file.stat().st_size,
        "sha256": _sha256(file),
        "keys": _marks(settings),
        "with_keys": with_keys,
        **facts,
    }
    manifest["signature"] = _signature(manifest, parts.vault)
    if with_keys:
        _write_keys(settings, part / KEYS)
    _write(part / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    _sync(file)
    part.rename(folder)
    return manifest


def _copy(settings: Settings, file: Path) -> dict[str, Any]:
    if settings.is_sqlite:
        backup.copy_sqlite(_sqlite_file(settings), file)
        with backup.connected(_at(settings, file)) as connection:
            facts = backup.facts_of(connection)
        # Reading switched the copy to a write-ahead log, whose files go with the last reader.
        backup.is_open_elsewhere(file)
        return facts
    postgres_tools.require("pg_dump")
    with backup.one_moment(settings) as (connection, snapshot):
        postgres_tools.dump(settings.database_url, file, snapshot)
        return backup.facts_of(connection)


# --- and back --------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a backup says of itself. Raises ``SettingsError`` for a folder that is none, or of a newer version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise SettingsError(f"The backup has format {manifest['format']}; this version reads {FORMAT}.")
        manifest["database"], manifest["revision"], manifest["sha256"], manifest["keys"], manifest["signature"]
        [Head(one["chain"], one["line"], one["hash"]) for one in manifest["heads"]]
    except (OSError, ValueError, TypeError, KeyError):
        raise SettingsError(f"{folder} is no backup: {MANIFEST} is missing or not complete.") from None
    return dict(manifest)


def put_back_keys(folder: Path, home: Path) -> bool:
    """Put the keys of a backup into a home folder that has none; False where the backup has none.

    Raises ``Conflict`` where there are other ones: they may be needed.
    """
    source, target = folder / KEYS, home / "keys"
    if not source.is_dir():
        return False
    texts = {name: (source / name).read_text(encoding="ascii") for name in KEY_FILES.values()}
    there = {name: (target / name).read_text(encoding="ascii") for name in texts if (target / name).exists()}
    other = sorted(name for name, text in there.items() if text.split() != texts[name].split())
    if other:
        raise Conflict(f"There are other keys in {target} ({', '.join(other)}). Nothing was changed.")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in texts.keys() - there.keys():
        _write(target / name, texts[name])
    return True


def restore(settings: Settings, folder: Path, now: datetime, *, replace: bool = False) -> dict[str, Any]:
    """Put a backup in the place of the database: ``{"comments", "revision", "made_at", "erased"}``.

    Before anything changes, the backup's checksum, signature and keys are checked; on SQLite the copy that will be used
    as well: its pages, its schema, brought to this version, and its audit log. On PostgreSQL that is done afterwards.
    The database has to be empty, unless ``replace``. What was erased in it is then listed in ``erased-since.json`` in
    the home folder, for ``erase_again``; ``erased`` is their number.

    Raises ``Conflict`` where there is content, or a service that runs, ``SettingsError`` for a backup that is damaged
    or needs other keys, ``StorageUnavailable``.
    """
    manifest = read_manifest(folder)
    file = folder / FILES.get(manifest["database"], "")
    vault = Vault(settings)
    _check(settings, vault, manifest, file)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    erased = _make_room(settings, now, replace)
    if settings.is_sqlite:
        _restore_sqlite(settings, vault, manifest, file)
    else:
        _restore_postgres(settings, file)
        _finish(settings, vault, manifest)
    return {**{name: manifest[name] for name in ("made_at", "comments")}, "revision": schema.newest(), "erased": erased}


def _check(settings: Settings, vault: Vault, manifest: dict[str, Any], file: Path) -> None:
    if manifest["database"] != _kind(settings):
        raise SettingsError(
            f"The backup is of {manifest['database']}, and the database here is {_kind(settings)}. 'moderation export "
            "jsonl' and 'import jsonl' move comments from one to the other."
        )
    if not file.is_file() or _sha256(file) != manifest["sha256"]:
        raise SettingsError(f"{file.name} is not what was backed up: its checksum is another one.")
    here, wanted = _marks(settings), manifest["keys"]
    missing = [name for name, mark in wanted.items() if here.get(name) != mark]
    if missing:
        raise SettingsError(
            f"The backup needs other keys than there are here: {', '.join(missing)}. Put those back first that it was "
            "made with; what is sealed in it cannot be read without them."
        )
    if not hmac.compare_digest(manifest["signature"], _signature(manifest, vault)):
        raise SettingsError(f"{MANIFEST} was changed since the backup was made.")
    if not schema.is_known(manifest["revision"]):
        raise SettingsError("The backup was made by a newer version of this program. Use that version.")


def _make_room(settings: Settings, now: datetime, replace: bool) -> int:
    """Look at what is there, and list what was erased in it; how much that is."""
    path = _sqlite_file(settings) if settings.is_sqlite else None
    if path is not None and (not path.exists() or path.stat().st_size == 0):
        return 0
    with backup.connected(settings) as connection:
        if not backup.has_content(connection):
            return 0
        if not replace:
            raise Conflict("There is a database with content. Say --replace to put the backup in its place.")
        with backup.session_of(connection) as session:
            if upkeep.workers_since(session, now - upkeep.SILENT_AFTER):
                raise Conflict("The service is running. Stop it first: it would go on with what it remembers.")
            found = set(backup.erased_comments(session, DELETED_AVATAR))
    # A list that is there is of a run that was killed before it could erase again.
    path = settings.home / ERASED
    found |= set(_read_erased(path)) if path.exists() else set()
    _write(path, json.dumps([_listed(*one) for one in sorted(found)]) + "\n")
    return len(found)


def _listed(site_id: uuid.UUID, own: uuid.UUID, deleted: bool) -> dict[str, Any]:
    return {"site": str(site_id), "comment": str(own), "deleted": deleted}


def _restore_sqlite(settings: Settings, vault: Vault, manifest: dict[str, Any], file: Path) -> None:
    path = _sqlite_file(settings)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.restoring")
    fresh.unlink(missing_ok=True)
    _touch(fresh)
    shutil.copyfile(file, fresh)
    try:
        damage = backup.damage_of_sqlite(fresh)
        if damage:
            raise SettingsError(f"The backup's database is damaged: {damage[0]}.")
        _finish(_at(settings, fresh), vault, manifest)
        backup.is_open_elsewhere(fresh)
        _sync(fresh)
        if path.exists() and backup.is_open_elsewhere(path):
            raise Conflict("Another process has the database open. Stop the service first.")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _restore_postgres(settings: Settings, file: Path) -> None:
    script = settings.home / f"{file.name}.restoring"
    script.unlink(missing_ok=True)
    _touch(script)
    try:
        postgres_tools.restore(settings.database_url, file, script, backup.TABLES, backup.FUNCTIONS)
    finally:
        script.unlink(missing_ok=True)


def _finish(settings: Settings, vault: Vault, manifest: dict[str, Any]) -> None:
    """Bring the schema to this version, and look whether all is well. Raises ``SettingsError`` where it is not."""
    engine = create_engine(settings.database_url, **engine_options(settings))
    try:
        schema.upgrade(engine, vault.audit_key)
    finally:
        engine.dispose()
    noted = [Head(one["chain"], one["line"], one["hash"]) for one in manifest["heads"]]
    with backup.connected(settings) as connection:
        faults = backup.faults_of(connection, vault.audit_key, noted)
    if faults:
        raise SettingsError(f"What was put back is not well: {faults[0]}")


# --- what was erased since -------------------------------------------------------------------------------------


def list_erased() -> Iterator[dict[str, Any]]:
    """The ids of all comments that no longer say who wrote them, and no data of anybody: ``{"site", "comment",
    "deleted"}``.
    """
    with read() as session:
        for one in backup.erased_comments(session, DELETED_AVATAR):
            yield _listed(*one)


def erase_again(parts: Parts, listed: Path) -> int:
    """Erase in a database that was put back what a file lists as erased; how many comments still said who wrote them.

    What was deleted is deleted, of the others the text stays as it is in the backup. Done twice, it does nothing more.
    Raises ``SettingsError`` for what is no such list.
    """
    done = 0
    for site_id, own, deleted in _read_erased(listed):
        with read() as session:
            site = site_by_id(session, site_id)
            comment = comments.comment_of_site(session, site_id, own)
        if site is not None and comment is not None and comment.avatar != DELETED_AVATAR:
            done += privacy.erase_comment(parts, site, own, removes=deleted)
    return done


def _read_erased(path: Path) -> list[tuple[uuid.UUID, uuid.UUID, bool]]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return [(uuid.UUID(one["site"]), uuid.UUID(one["comment"]), bool(one["deleted"])) for one in listed]
    except (TypeError, KeyError, ValueError, AttributeError):
        raise SettingsError(f"{path} is no list by 'moderation privacy erased'.") from None


# --- files, keys, marks ----------------------------------------------------------------------------------------


def _kind(settings: Settings) -> str:
    return "sqlite" if settings.is_sqlite else "postgresql"


def _sqlite_file(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///").partition("?")[0])


def _at(settings: Settings, file: Path) -> Settings:
    return dataclasses.replace(settings, database_url=f"sqlite:///{file}")


def _marks(settings: Settings) -> dict[str, str]:
    """By which a key is known again, and from which nobody gets back to it: keys have 256 random bits."""
    keys = {f"encryption key {key_id}": key for key_id, key in settings.encryption_keys}
    keys |= {"index key": settings.index_key, "secret key": settings.secret_key}
    return {
        name: hashlib.sha256(b"moderation backup\0" + name.encode() + key).hexdigest()[:16]
        for name, key in keys.items()
    }


def _signature(manifest: dict[str, Any], vault: Vault) -> str:
    facts = {name: value for name, value in manifest.items() if name != "signature"}
    text = "backup" + json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hmac.new(vault.audit_key, text.encode(), "sha256").hexdigest()


def _write_keys(settings: Settings, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    ring = "\n".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in settings.encryption_keys)
    texts = {"ENCRYPTION_KEYS": ring}
    texts |= {name: base64.b64encode(getattr(settings, name.lower())).decode() for name in ("SECRET_KEY", "INDEX_KEY")}
    for name, text in texts.items():
        _write(folder / KEY_FILES[name], text + "\n")


def _remove_part(part: Path) -> None:
    """What a backup that was killed left behind, file by file: nothing else is removed."""
    names = (*FILES.values(), *(f"{FILES['sqlite']}{ending}" for ending in ("-journal", "-wal", "-shm")), MANIFEST)
    for path in (*(part / name for name in names), *(part / KEYS / name for name in KEY_FILES.values())):
        path.unlink(missing_ok=True)
    for folder in (part / KEYS, part):
        if folder.is_dir():
            folder.rmdir()


def _touch(path: Path) -> None:
    """A new, empty file that only its owner may read."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _write(path: Path, text: str) -> None:
    with _opened(path) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        yield file


def _sync(path: Path) -> None:
    for each, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        handle = os.open(each, flags)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def note(parts: Parts, actor: Actor, action: str, data: dict[str, Any]) -> None:
    """Write into the audit log that a backup was made or put back."""
    with write() as session:
        audit_line(parts, session, actor, None, action, "backup", "", data)
