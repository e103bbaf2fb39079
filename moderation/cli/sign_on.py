"""``moderation sso``: the keys by which a site vouches for its readers."""

import uuid
from typing import Any

import click

from moderation.cli.access import site_option
from moderation.cli.program import installation, json_option, print_json, print_made, print_table
from moderation.domain.actor import CLI


@click.group()
def sso() -> None:
    """Single sign-on. Switch it on with 'moderation site set KEY sso=optional', or 'sso=required'."""


@sso.command("add")
@site_option
@click.option("--name", default="", help="What it is for.")
@click.option(
    "--secret-file", type=click.File(encoding="ascii"), help="A secret that you have; '-' reads standard input."
)
@click.option(
    "--public-key", "public_key", type=click.File(encoding="ascii"), help="An Ed25519 public key: PEM or JWK."
)
@json_option
def add(site_key: str, name: str, secret_file: Any, public_key: Any, as_json: bool) -> None:
    """Add a key. Without a file a secret is made and printed, this once."""
    from moderation.services import sign_on

    secret = None if secret_file is None else secret_file.read().strip()
    public = None if public_key is None else public_key.read()
    with installation() as parts:
        made = sign_on.add_key(parts, CLI, site_key, name=name, secret=secret, public_key=public)
    print_json(made) if as_json else print_made(made)


@sso.command("list")
@site_option
@json_option
def list_(site_key: str, as_json: bool) -> None:
    """List a site's keys, without the keys themselves."""
    from moderation.services import sign_on

    with installation() as parts:
        found = sign_on.list_keys(parts, CLI, site_key)["items"]
    print_json(found) if as_json else print_table(found, ["id", "name", "algorithm", "created_at"])


@sso.command("remove")
@click.argument("key_id", type=click.UUID, metavar="ID")
def remove(key_id: uuid.UUID) -> None:
    """Remove a key. What it signed is not believed any more, from the next comment on."""
    from moderation.services import sign_on

    with installation() as parts:
        sign_on.remove_key(parts, CLI, key_id)
    click.echo("Removed.")
