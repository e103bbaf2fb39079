"""``moderation site``: sites and their policies."""

from collections.abc import Sequence
from typing import Any

import click

from moderation.cli.program import every_page, installation, json_option, print_json, print_table, shown
from moderation.domain.actor import CLI
from moderation.domain.times import rfc3339, rfc3339_or_none


@click.group()
def site() -> None:
    """Sites and their policies."""


@site.command("add")
@click.argument("key")
@click.option(
    "--origin", "origins", multiple=True, required=True, metavar="URL", help="Where its pages are; repeatable."
)
@click.option("--name", default="", help="The publication's name.")
@click.option(
    "--policy", type=click.Choice(["hold", "auto"]), default="hold", show_default=True, help="See 'site set'."
)
@json_option
def add(key: str, origins: Sequence[str], name: str, policy: str, as_json: bool) -> None:
    """Add the site KEY.

    'hold' shows every comment to a moderator first, 'auto' publishes at once what nothing speaks against.
    """
    from moderation.services import sites

    with installation() as parts:
        made = sites.add_site(parts, CLI, key, name, list(origins), {"policy": policy})
    print_json(made) if as_json else click.echo(f"Added the site '{made['key']}' for {', '.join(made['origins'])}.")


@site.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List all sites."""
    from moderation.services import sites

    with installation() as parts:
        found = list(every_page(lambda cursor: sites.list_sites(parts, CLI, limit=100, cursor=cursor)))
    if as_json:
        print_json(found)
        return
    rows = [{**row, "policy": row["settings"]["policy"]} for row in found]
    print_table(rows, ["key", "name", "policy", "origins", "created_at"])


@site.command("show")
@click.argument("key")
@json_option
def show(key: str, as_json: bool) -> None:
    """Show the site KEY with all its settings."""
    from moderation.services import sites

    with installation() as parts:
        found = sites.show_site(parts, CLI, key)
    _print_site(found, as_json)


@site.command("set")
@click.argument("key")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_option
def set_(key: str, pairs: Sequence[str], as_json: bool) -> None:
    """Change settings of the site KEY.

    'site show KEY' lists the names. 'submit_rate=none' lifts the rate limit; 'name=...' and
    'origins=https://a.example,https://b.example' change these. 'coral_secret=...' sets the secret by which Coral signs,
    'coral_secret=none' takes it away; it is never shown.
    """
    from moderation.services import sites

    changes = dict(_pair(pair) for pair in pairs)
    name, origins = changes.pop("name", None), changes.pop("origins", None)
    with installation() as parts:
        found = sites.change_site(
            parts,
            CLI,
            key,
            name=name,
            origins=None if origins is None else [origin for origin in origins.split(",") if origin],
            settings=changes or None,
        )
    _print_site(found, as_json)


@site.command("raid")
@click.argument("key")
@click.argument("do", type=click.Choice(["hold", "auto", "end"]))
@json_option
def raid(key: str, do: str, as_json: bool) -> None:
    """Raid mode of the site KEY by hand.

    'hold' keeps it on, 'auto' lets it begin and end by the figures again, 'end' ends it now: then none begins by itself
    for an hour. 'site show KEY' tells since when a site is under a raid.
    """
    from moderation.services import sites

    with installation() as parts:
        found = sites.steer_raid(parts, CLI, key, do)
    if as_json:
        print_json(found)
        return
    click.echo(f"Under a raid since {rfc3339(found['raid_since'])}." if found["raid_since"] else "Not under a raid.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"'{shown(text)}' is not NAME=VALUE.")
    return name, value


def _print_site(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['key']}  {shown(found['name'])}".rstrip())
    click.echo(f"  origins = {', '.join(found['origins']) or '-'}")
    raid_since = rfc3339_or_none(found["raid_since"]) or "-"
    others = {"has_coral_secret": found["has_coral_secret"], "raid_since": raid_since}
    for name, value in {**found["settings"], **others}.items():
        click.echo(f"  {name} = {_word(value)}")


def _word(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else shown(str(value))
