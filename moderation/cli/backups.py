"""``moderation backup`` and ``restore``: the whole installation in a folder, and back."""

from pathlib import Path

import click

from moderation.cli.program import installation, json_option, print_json
from moderation.domain.actor import CLI
from moderation.settings import home_folder, read_settings

_folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.command("backup")
@_folder
@click.option("--with-keys", is_flag=True, help="With the keys: whoever has the folder can read everything.")
@json_option
def make_backup(folder: Path, with_keys: bool, as_json: bool) -> None:
    """Write the database into a new FOLDER, as of one moment, while the service runs.

    On PostgreSQL this needs pg_dump on the PATH. Without --with-keys keep the folder 'keys' elsewhere: no address can
    be read without it.
    """
    from moderation.services import backup as service

    with installation() as parts:
        made = service.make(parts, folder, with_keys=with_keys)
        service.note(parts, CLI, "backup.make", {"comments": made["comments"], "with_keys": with_keys})
    if as_json:
        print_json(made)
        return
    click.echo(f"Wrote {made['comments']} comments and all else to {folder}, {made['bytes']:,} bytes.")
    click.echo(
        "The keys are in it: whoever has it can read everything. Lock it away."
        if with_keys
        else f"Not in it: {', '.join(made['keys'])}. Without these keys it is of no use.",
        err=True,
    )


@click.command("restore")
@_folder
@click.option("--replace", is_flag=True, help="Put it in the place of a database that has content.")
@json_option
def put_back(folder: Path, replace: bool, as_json: bool) -> None:
    """Put the backup in FOLDER in the place of the database. Stop the service first.

    Keys that are in the backup are put into a home folder that has none. Checks the backup, its keys, the schema and
    the audit log. What was erased in a database that it replaces is erased again.
    """
    from moderation.services import backup as service
    from moderation.services.parts import utc_now

    with_keys = service.put_back_keys(folder, home_folder())
    settings = read_settings()
    done = service.restore(settings, folder, utc_now(), replace=replace)
    listed = settings.home / service.ERASED
    with installation() as parts:
        done["erased_again"] = service.erase_again(parts, listed) if listed.exists() else 0
        facts = {name: done[name] for name in ("made_at", "comments", "erased_again")}
        service.note(parts, CLI, "backup.restore", facts)
    listed.unlink(missing_ok=True)
    if as_json:
        print_json(done)
        return
    click.echo(f"Put back {done['comments']} comments and all else, as of {done['made_at']}.")
    click.echo(f"Erased again: {done['erased_again']}. Checked: checksum, keys, schema, audit log.")
    if with_keys:
        click.echo(f"The keys are in {settings.home / 'keys'}.", err=True)
