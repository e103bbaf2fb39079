"""``moderation privacy``: a person's data, to take along or gone."""

import sys
from pathlib import Path
from typing import Any

import click

from moderation.cli.program import installation, json_option, print_json, print_table
from moderation.domain.actor import CLI

_site = click.option("--site", "site_key", required=True, metavar="KEY", help="The site's key.")


@click.group()
def privacy() -> None:
    """The rights of a person whose data a site keeps. First make sure that the address is theirs."""


@privacy.command("export")
@click.argument("email")
@_site
def export(email: str, site_key: str) -> None:
    """Print as JSON all that a site keeps of EMAIL."""
    from moderation.services import privacy as service

    found: list[Any] = []
    cursor: str | None = None
    with installation() as parts:
        while True:
            page = service.export_person(parts, CLI, site_key, email, cursor=cursor)
            found += page["comments"]
            cursor = page["next"]
            if cursor is None:
                break
    print_json({**{name: page[name] for name in ("site", "email", "notices")}, "comments": found})


@privacy.command("erase")
@click.argument("email")
@_site
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase(email: str, site_key: str, yes: bool, as_json: bool) -> None:
    """Erase all that a site keeps of EMAIL: address, network, name, and by the site's setting the texts. Final."""
    from moderation.services import privacy as service

    with installation() as parts:
        total = service.count_comments(parts, CLI, site_key, email)
        if not yes:
            click.confirm(f"Erase {total} comments' data for good?", abort=True, err=True)
        with click.progressbar(length=total, label="Erasing", hidden=as_json, file=sys.stderr) as bar:
            answer = service.erase_person(parts, CLI, site_key, email, done=bar.update)
    print_json(answer) if as_json else click.echo(f"Erased what belonged to {answer['erased']} comments.")


@privacy.command("retain")
@click.option("--site", "site_key", metavar="KEY", help="This site alone; else all of them.")
@click.option("--dry-run", is_flag=True, help="Count what would go, and change nothing.")
@json_option
def retain(site_key: str | None, dry_run: bool, as_json: bool) -> None:
    """Let go what has been kept for longer than the sites' settings keep_..._days say.

    The worker does so by itself every ten minutes. Stopped half-way, the next run goes on with the rest.
    """
    from moderation.services import retention

    with installation() as parts:
        run = retention.count_past if dry_run else retention.retain
        found = run(parts, CLI, site_key)
    print_json({"sites": found}) if as_json else print_table(found, ("site", *retention.KINDS))


@privacy.command("erased")
def erased() -> None:
    """Print the ids of all comments that no longer say who wrote them, and no data of anybody.

    Keep the list apart from your backups: 'privacy erase-again' takes it after an old backup was put back.
    """
    from moderation.services import backup as service

    with installation():
        print_json(list(service.list_erased()))


@privacy.command("erase-again")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def erase_again(file: Path, as_json: bool) -> None:
    """Erase again what FILE, by 'privacy erased', lists: after an old backup was put back. Final."""
    from moderation.services import backup as service

    with installation() as parts:
        done = service.erase_again(parts, file)
        service.note(parts, CLI, "privacy.erase-again", {"comments": done})
    print_json({"erased": done}) if as_json else click.echo(f"Erased {done} comments' data again.")
