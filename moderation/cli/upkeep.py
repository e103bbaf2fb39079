"""``moderation keys``, ``audit`` and ``check``: keys, the audit chain, a self-test of the installation."""

import json
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from moderation.cli import install
from moderation.cli.program import installation, json_option, print_json
from moderation.domain.actor import CLI
from moderation.errors import ModerationError, SettingsError
from moderation.settings import KEY_FILES

if TYPE_CHECKING:
    from moderation.services.parts import Parts
    from moderation.storage.audit import Head

MAX_LINE = 2**63 - 1
NOT_HELD = "The line that was noted is not there any more."


@click.group()
def keys() -> None:
    """The encryption keys."""


@keys.command()
@click.option("--new-key", is_flag=True, help="First put a new key at the head of the home folder's file.")
@click.option("--shared", is_flag=True, help="All machines and containers read this same file of keys.")
@json_option
def rotate(new_key: bool, shared: bool, as_json: bool) -> None:
    """Seal everything again under the first of the encryption keys, while the service runs.

    With --new-key a new key comes first; the service takes it up by itself. Without it, a key that you have put first
    yourself is used. Stopped half-way, the next run goes on where it was, and makes no second key for it. The old key
    opens answers to repeated requests for another day, and your backups for as long as you keep them.
    """
    from moderation.services import keys as service

    if new_key:
        with installation() as parts:
            if not shared:
                _refuse_other_machines(parts)
            is_needed = service.is_finished(parts)
        if is_needed:
            install.add_encryption_key()
        else:
            click.echo("The last rotation was stopped half-way. Going on with its key.", err=True)
    with installation() as parts:
        total = service.count_sealed(parts)
        # A bar would spoil the output for programs, and logs.
        with click.progressbar(length=total, label="Sealing again", hidden=as_json, file=sys.stderr) as bar:
            answer = service.reseal(parts, CLI, bar.update)
        current = parts.vault.current_key
    if as_json:
        print_json({**answer, "key": current})
        return
    click.echo(f"Sealed {answer['resealed']} of {answer['checked']} values again; all are under the key '{current}'.")


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command()
@click.option("--noted", type=click.File(encoding="utf-8"), help="What this printed earlier with --json.")
@json_option
def verify(noted: Any, as_json: bool) -> None:
    """Walk the chains of the audit log; status 1 where a line was changed, put in or removed, at the end too.

    Prints the head of each chain: keep what --json prints elsewhere, and give it by --noted. A database that was put
    back as a whole to what it once was shows only so.
    """
    from moderation.storage import audit as log
    from moderation.storage.db import read

    with installation() as parts, read() as session:
        broken, heads = log.verify(session, parts.vault.audit_key), log.heads(session)
        missed = log.not_held(session, _noted_heads(noted)) if noted else []
        broken += [log.Broken(head.seq, head.chain, NOT_HELD) for head in missed]
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


def _noted_heads(file: Any) -> "list[Head]":
    from moderation.storage.audit import Head

    try:
        heads = [Head(str(one["chain"]), int(one["line"]), str(one["hash"])) for one in json.load(file)["heads"]]
        return [replace(head, seq=head.seq if 0 < head.seq <= MAX_LINE else 0) for head in heads]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise click.UsageError("--noted is no output of 'moderation audit verify --json'.") from None


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
    if last is None or parts.clock() - last > upkeep.SILENT_AFTER:
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


def _refuse_other_machines(parts: "Parts") -> None:
    """Another machine has a file of keys of its own, and would meet a key that it does not know."""
    from moderation.storage import upkeep
    from moderation.storage.db import read
    from moderation.worker import node_name

    with read() as session:
        heard = upkeep.workers_since(session, parts.clock() - upkeep.SILENT_AFTER)
    others = sorted({worker.rpartition(":")[0].rpartition(":")[0] for worker in heard} - {node_name()})
    if others:
        raise SettingsError(
            f"A worker runs on another machine ({', '.join(others)}), which may have a file of keys of its own. Where "
            "all of them read this one, say --shared; else add the key on each machine first."
        )
