"""``moderation token`` and ``moderation moderator``: who may come in."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import click

from moderation.cli.program import every_page, installation, json_option, print_json, print_table, read_stdin, shown
from moderation.domain.actor import CLI

_ROLES = ["viewer", "moderator", "admin"]
site_option = click.option(
    "--site", "site_key", required=True, metavar="KEY", help="A site's key, or '*' for all sites."
)
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; else one is made and printed."
)


@click.group()
def token() -> None:
    """API tokens. Of a token only a hash is kept: it is printed once."""


@token.command("add")
@site_option
@click.option("--role", type=click.Choice([*_ROLES, "scorer"]), required=True)
@click.option("--name", default="", help="What it is for.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The day (UTC) on which it ends.")
@json_option
def add_token(site_key: str, role: str, name: str, expires: Any, as_json: bool) -> None:
    """Make a token and print it, this once."""
    from datetime import UTC

    from moderation.services import accounts

    ends = None if expires is None else expires.replace(tzinfo=UTC)
    with installation() as parts:
        made = accounts.add_token(parts, CLI, site_key, role, name, ends)
    if as_json:
        print_json({"id": made["id"], "token": made["token"]})
        return
    click.echo(made["token"])
    click.echo(f"Keep it: it is not shown again. Its id is {made['id']}.", err=True)


@token.command("list")
@click.option("--site", "site_key", metavar="KEY", help="Of this site alone.")
@json_option
def list_tokens(site_key: str | None, as_json: bool) -> None:
    """List tokens, by what they begin with."""
    from moderation.services import accounts

    with installation() as parts:
        found = list(every_page(lambda at: accounts.list_tokens(parts, CLI, site_key=site_key, limit=100, cursor=at)))
    columns = ["id", "hint", "site", "role", "name", "last_used_at", "expires_at", "revoked_at"]
    print_json(found) if as_json else print_table(found, columns)


@token.command("revoke")
@click.argument("token_id", type=click.UUID, metavar="ID")
def revoke_token(token_id: uuid.UUID) -> None:
    """End the token with this ID at once."""
    from moderation.services import accounts

    with installation() as parts:
        accounts.revoke_token(parts, CLI, token_id)
    click.echo("Revoked.")


@click.group()
def moderator() -> None:
    """People who log in to the console."""


@moderator.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True)
@site_option
@password_option
@json_option
def add_moderator(name: str, role: str, site_key: str, password_stdin: bool, as_json: bool) -> None:
    """Add the person NAME with a role on a site; a name that is there gets the role in addition."""
    from moderation.services import accounts

    password = _password() if password_stdin else None
    with installation() as parts:
        known = accounts.known_moderator(parts, CLI, name)
        if known is None:
            made = accounts.add_moderator(parts, CLI, name, password, role, site_key)
        elif password_stdin:
            raise click.UsageError(f"'{shown(name)}' has a password; 'moderation moderator password' changes it.")
        else:
            made = accounts.change_moderator(parts, CLI, known["id"], roles={site_key: role})
    if as_json:
        print_json({key: made[key] for key in ("id", "name", "roles", "password") if key in made})
        return
    click.echo(f"{shown(made['name'])} is {_roles(made['roles'])}.")
    _print_password(made)


@moderator.command("list")
@click.option("--site", "site_key", metavar="KEY", help="Of this site alone.")
@json_option
def list_moderators(site_key: str | None, as_json: bool) -> None:
    """List the people who can log in."""
    from moderation.services import accounts

    with installation() as parts:
        found = list(
            every_page(lambda at: accounts.list_moderators(parts, CLI, site_key=site_key, limit=100, cursor=at))
        )
    if as_json:
        print_json(found)
        return
    print_table(
        [{**row, "roles": _roles(row["roles"])} for row in found],
        ["name", "roles", "second_factor", "created_at", "disabled_at"],
    )


@moderator.command("remove")
@click.argument("name")
@click.option("--site", "site_key", metavar="KEY", help="Take away the role on this site alone.")
def remove_moderator(name: str, site_key: str | None) -> None:
    """Remove the person NAME; what they decided keeps their name."""
    from moderation.services import accounts

    with installation() as parts:
        person = accounts.find_moderator(parts, CLI, name)
        if site_key is None:
            accounts.remove_moderator(parts, CLI, person["id"])
        else:
            accounts.change_moderator(parts, CLI, person["id"], roles={site_key: None})
    click.echo("Removed.")


@moderator.command("set")
@click.argument("name")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_option
def set_moderator(name: str, pairs: Sequence[str], as_json: bool) -> None:
    """Set where and how often the person NAME is told of what waits, by mail.

    'email=ADDRESS' sends a mail with a link there, and nothing else before somebody presses the button behind it;
    'email=' takes the address away. 'digest=off', 'digest=hourly' or 'digest=daily' says how often.
    """
    from moderation.services import accounts, digests

    changes = dict(pair.partition("=")[::2] for pair in pairs)
    unknown = sorted(set(changes) - {"email", "digest"})
    if unknown or not all("=" in pair for pair in pairs):
        raise click.UsageError("Give 'email=ADDRESS', 'digest=off|hourly|daily', or both.")
    with installation() as parts:
        person = accounts.find_moderator(parts, CLI, name)
        said = digests.change(parts, CLI, person["id"], email=changes.get("email"), digest=changes.get("digest"))
    if as_json:
        print_json({"id": person["id"], "name": person["name"], **said})
        return
    if said["address"] is None:
        click.echo(f"{shown(person['name'])} has no address.")
        return
    click.echo(f"{shown(person['name'])}: {said['digest']}, to {said['address']}.")
    if not said["confirmed"]:
        click.echo("The worker sends a mail with a link there. Nothing else is sent before it is confirmed.", err=True)


@moderator.command("password")
@click.argument("name")
@password_option
@json_option
def change_password(name: str, password_stdin: bool, as_json: bool) -> None:
    """Give the person NAME a new password; ends all their sessions."""
    from moderation.services import accounts

    password = _password() if password_stdin else accounts.new_password()
    with installation() as parts:
        person = accounts.find_moderator(parts, CLI, name)
        accounts.change_moderator(parts, CLI, person["id"], password=password)
    made = {"id": person["id"], "name": person["name"]} | ({} if password_stdin else {"password": password})
    if as_json:
        print_json(made)
        return
    click.echo("Changed; all sessions have ended.")
    _print_password(made)


@moderator.command("reset-second-factor")
@click.argument("name")
@json_option
def reset_second_factor(name: str, as_json: bool) -> None:
    """Take away the second factor of the person NAME, who has lost their device; ends all their sessions."""
    from moderation.services import accounts, second_factor

    with installation() as parts:
        person = accounts.find_moderator(parts, CLI, name)
        was_there = second_factor.reset(parts, CLI, person["id"])
    if as_json:
        print_json({"id": person["id"], "name": person["name"], "reset": was_there})
        return
    click.echo("Taken away; all sessions have ended." if was_there else f"{shown(person['name'])} has none.")


def _password() -> str:
    return read_stdin().partition("\n")[0].rstrip("\r")


def _print_password(made: dict[str, Any]) -> None:
    if "password" in made:
        click.echo(f"Password: {made['password']}")
        click.echo("Keep it: it is not shown again.", err=True)


def _roles(roles: Iterable[dict[str, Any]]) -> str:
    return ", ".join(f"{role['role']} on {role['site']}" for role in roles) or "without a role"
