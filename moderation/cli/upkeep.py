"""``moderation keys``, ``audit`` and ``check``: keys, the audit chain, a self-test of the installation."""

import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from moderation.cli import install
from moderation.cli.program import installation, json_option, print_json
from moderation.domain.actor import CLI
from moderation.errors import ModerationError, SettingsError
from moderation.settings import KEY_FILES, PREFIX

if TYPE_CHECKING:
    from moderation.services.parts import Parts

WORKER_SILENT_AFTER = timedelta(seconds=30)


@click.group()
def keys() -> None:
    """The encryption keys."""


@keys.command()
@click.option("--new-key", is_flag=True, help="First put a new key at the head of the home folder's file.")
@json_option
def rotate(new_key: bool, as_json: bool) -> None:
    """Seal everything again under the first of the encryption keys.

    Stop the service, run this with --new-key, start the service. Without --new-key, a key that you have put first
    yourself is used. Stopped half-way, it goes on where it was. The old key opens answers to repeated requests for
    another day, and your backups for as long as you keep them.
    """
    from moderation.services import keys as service

    if new_key:
        with installation() as parts:
            _refuse_while_running(parts)
        install.add_encryption_key()
    with installation() as parts:
        total = service.count_sealed(parts)
        # A bar would spoil the output for programs, and logs.
        with click.progressbar(length=total, label="Sealing again", hidden=as_json, file=sys.stderr) as bar:
            answer = service.reseal(parts, CLI, bar.update)
        current = parts.settings.encryption_keys[0][0]
    if as_json:
        print_json({**answer, "key": current})
        return
    click.echo(f"Sealed {answer['resealed']} of {answer['checked']} values again; all are under the key '{current}'.")


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command()
@json_option
def verify(as_json: bool) -> None:
    """Walk the chains of the audit log; status 1 where one does not hold.

    Prints the head of each chain: note them elsewhere, since lines cut off at the end show only against them.
    """
    from moderation.storage import audit as log
    from moderation.storage.db import read

    with installation() as parts, read() as session:
        broken, heads = log.verify(session, parts.vault.audit_key), log.heads(session)
    if as_json:
        print_json(
            {
                "ok": not broken,
                "broken": [{"line": line.seq, "chain": line.chain, "fault": line.fault} for line in broken],
                "heads": [{"chain": head.chain, "line": head.seq, "hash": head.hash} for head in heads],
            }
        )
    else:
        for head in heads:
            click.echo(f"{head.chain}  line {head.seq}  {head.hash}")
        for line in broken:
            click.echo(f"line {line.seq} of {line.chain}: {line.fault}", err=True)
    if broken:
        raise click.ClickException(f"The audit log does not hold at {len(broken)} lines.")
    if not as_json:
        click.echo("Every chain holds.")


@click.command()
@click.option("--no-worker", is_flag=True, help="Do not ask for a running worker.")
@json_option
def check(no_worker: bool, as_json: bool) -> None:
    """Test this installation: keys, database, schema, sealing, sanitizer, scorer, worker, disk."""
    with installation(migrated=False) as parts:
        found = [_outcome(name, test, parts) for name, test in CHECKS if not (no_worker and name == "worker")]
    failed = [row["name"] for row in found if not row["ok"]]
    if as_json:
        print_json({"ok": not failed, "checks": found})
    else:
        for row in found:
            click.echo(f"{'ok    ' if row['ok'] else 'FAILED'}  {row['name']:10} {row['detail']}")
    if failed:
        raise click.ClickException(f"Not all is well: {', '.join(failed)}.")


def _outcome(name: str, test: "Callable[[Parts], str]", parts: "Parts") -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": test(parts)}
    except (ModerationError, SettingsError) as error:
        return {"name": name, "ok": False, "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - a self-test reports, whatever it is
        return {"name": name, "ok": False, "detail": type(error).__name__}


def _keys(parts: "Parts") -> str:
    folder = parts.settings.home / "keys"
    loose = [path.name for path in folder.glob("*") if path.name in KEY_FILES.values() and path.stat().st_mode & 0o077]
    if loose:
        raise SettingsError(f"Others can read {', '.join(sorted(loose))} in {folder}: chmod 600.")
    ids = ", ".join(key_id for key_id, _ in parts.settings.encryption_keys)
    return f"encryption keys {ids}"


def _database(parts: "Parts") -> str:
    from moderation.storage.db import is_postgres, read

    with read() as session:
        session.connection()
        return "PostgreSQL" if is_postgres(session) else "SQLite"


def _schema(_parts: "Parts") -> str:
    from moderation.storage import schema
    from moderation.storage.db import read

    with read() as session:
        connection = session.connection()
        if not schema.is_current(session):
            raise SettingsError("It is not the newest. Run 'moderation db upgrade'.")
        if schema.differences(connection):
            raise SettingsError("It differs from what it should be: 'moderation db check' says where.")
    return f"revision {schema.newest()}"


def _sealing(parts: "Parts") -> str:
    """A value sealed now opens, and so does one of each kind that was sealed before."""
    from moderation.storage import sealed
    from moderation.storage.db import read

    place = {"table": "check", "column": "check", "row_id": uuid.uuid4(), "site_id": uuid.uuid4()}
    if parts.vault.open(parts.vault.seal(b"test", **place), **place) != b"test":  # type: ignore[arg-type]
        raise SettingsError("What is sealed does not open.")
    opened = 0
    with read() as session:
        for table, column in sealed.COLUMNS:
            for row in sealed.sealed_values(session, (table, column), 1, None):
                parts.vault.open(row.value, table=table, column=column, row_id=row.row_id, site_id=row.site_id)
                opened += 1
    return f"round trip, and {opened} stored values open"


def _sanitizer(parts: "Parts") -> str:
    html = parts.renderer.html("*a* <script>alert(1)</script> [x](javascript:1) <https://example.org>")
    if "<script" in html or 'href="javascript' in html or parts.renderer.links(html) != ["https://example.org"]:
        raise SettingsError("It lets through what it must not, or the reverse.")
    return parts.renderer.version


def _scorer(parts: "Parts") -> str:
    from moderation.scoring.pipeline import Candidate

    signals = parts.pipeline.signals(Candidate(body="You are a shitty casino, http://casino.example", honeypot=True))
    silent = [signal.name for signal in signals if not signal.available]
    if silent or not signals:
        raise SettingsError(f"Signals that do not work: {', '.join(silent) or 'all'}.")
    return parts.pipeline.version


def _worker(parts: "Parts") -> str:
    from moderation.storage import upkeep
    from moderation.storage.db import read

    with read() as session:
        last = upkeep.last_beat(session, parts.clock())
    if last is None or parts.clock() - last > WORKER_SILENT_AFTER:
        raise SettingsError("No worker is running: 'moderation serve' or 'moderation worker'.")
    return f"heard of {max(0, round((parts.clock() - last).total_seconds()))} s ago"


def _disk(parts: "Parts") -> str:
    with tempfile.TemporaryFile(dir=parts.settings.home) as file:
        file.write(b"test")
        file.flush()
    return f"{parts.settings.home} can be written to"


CHECKS: "tuple[tuple[str, Callable[[Parts], str]], ...]" = (
    ("keys", _keys),
    ("database", _database),
    ("schema", _schema),
    ("sealing", _sealing),
    ("sanitizer", _sanitizer),
    ("scorer", _scorer),
    ("worker", _worker),
    ("disk", _disk),
)


def _refuse_while_running(parts: "Parts") -> None:
    try:
        _worker(parts)
    except SettingsError:
        return
    raise SettingsError(
        f"The service is running and would not know the new key. Stop it, or set {PREFIX}ENCRYPTION_KEYS."
    )
