"""``moderation scorer``: external scorers."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import click

from moderation.cli.access import site_option
from moderation.cli.program import (
    every_page,
    installation,
    json_option,
    print_json,
    print_made,
    print_table,
    read_stdin,
    shown,
)
from moderation.domain.actor import CLI
from moderation.domain.scorer import MAX_DEADLINE_MS, Kind

id_argument = click.argument("scorer_id", type=click.UUID, metavar="ID")
_options = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="""Like model=llama3 or 'thresholds={"insult": 0.7}'; repeatable.""",
)
_secret_file = click.option(
    "--secret-file", type=click.File(encoding="ascii"), help="The key for the scorer; '-' reads standard input."
)


@click.group()
def scorer() -> None:
    """External scorers: servers that are asked about each comment."""


@scorer.command("add")
@click.argument("name")
@site_option
@click.option("--kind", type=click.Choice([str(kind) for kind in Kind]), required=True)
@click.option("--url", required=True)
@_secret_file
@_options
@click.option(
    "--deadline-ms",
    type=click.IntRange(0, MAX_DEADLINE_MS),
    default=0,
    show_default=True,
    help="How long a reader's request may wait for it; 0 leaves it to the worker.",
)
@json_option
def add(
    name: str,
    site_key: str,
    kind: str,
    url: str,
    secret_file: Any,
    options: Sequence[str],
    deadline_ms: int,
    as_json: bool,
) -> None:
    """Add the scorer NAME. For the kind 'http', a signing secret is made and printed, this once."""
    from moderation.services import scorers

    secret = None if secret_file is None else secret_file.read().strip()
    read = _read_options(options)
    with installation() as parts:
        made = scorers.add_scorer(parts, CLI, site_key, name, kind, url, secret, read, deadline_ms)
    print_json(made) if as_json else print_made(made)


@scorer.command("list")
@site_option
@json_option
def list_(site_key: str, as_json: bool) -> None:
    """List the scorers made for a site, or with '*' those for all sites."""
    from moderation.services import scorers

    with installation() as parts:
        found = list(every_page(lambda at: scorers.list_scorers(parts, CLI, site_key, limit=100, cursor=at)))
    columns = ["id", "name", "kind", "url", "deadline_ms", "state", "waiting", "failed"]
    print_json(found) if as_json else print_table(found, columns)


@scorer.command("set")
@id_argument
@click.option("--url")
@_secret_file
@_options
@click.option("--deadline-ms", type=click.IntRange(0, MAX_DEADLINE_MS))
@json_option
def set_(
    scorer_id: uuid.UUID,
    url: str | None,
    secret_file: Any,
    options: Sequence[str],
    deadline_ms: int | None,
    as_json: bool,
) -> None:
    """Change what is given, leave the rest. Options that are given replace all of those before."""
    from moderation.services import scorers

    secret = None if secret_file is None else secret_file.read().strip()
    read = _read_options(options) if options else None
    with installation() as parts:
        made = scorers.change_scorer(
            parts, CLI, scorer_id, url=url, secret=secret, options=read, deadline_ms=deadline_ms
        )
    print_json(made) if as_json else click.echo("Changed.")


@scorer.command("test")
@id_argument
@click.argument("text", default="-")
@json_option
def test(scorer_id: uuid.UUID, text: str, as_json: bool) -> None:
    """Ask a scorer about TEXT now ('-' reads standard input); status 1 where it does not answer. Nothing is stored."""
    from moderation.services import scorers

    if text == "-":
        text = read_stdin()
    with installation() as parts:
        answer = scorers.try_scorer(parts, CLI, scorer_id, text)
    if as_json:
        print_json(answer)
    elif answer["ok"]:
        _print(answer)
    if not answer["ok"]:
        raise click.ClickException(f"Unavailable: {shown(answer['error'])}")


@scorer.command("retry")
@id_argument
def retry(scorer_id: uuid.UUID) -> None:
    """Ask a scorer again about the comments for which it never answered."""
    from moderation.services import scorers

    with installation() as parts:
        answer = scorers.retry_scorer(parts, CLI, scorer_id)
    click.echo(f"Asking again about {answer['retried']}.")


@scorer.command("enable")
@id_argument
def enable(scorer_id: uuid.UUID) -> None:
    """Switch a scorer on again; what waited for it is asked about."""
    _set_state(scorer_id, "active")
    click.echo("Enabled.")


@scorer.command("disable")
@id_argument
def disable(scorer_id: uuid.UUID) -> None:
    """Switch a scorer off. What waits for it goes on waiting."""
    _set_state(scorer_id, "disabled")
    click.echo("Disabled.")


@scorer.command("remove")
@id_argument
def remove(scorer_id: uuid.UUID) -> None:
    """Remove a scorer. Comments that wait for it are left to the moderators."""
    from moderation.services import scorers

    with installation() as parts:
        scorers.remove_scorer(parts, CLI, scorer_id)
    click.echo("Removed.")


def _set_state(scorer_id: uuid.UUID, state: str) -> None:
    from moderation.services import scorers

    with installation() as parts:
        scorers.change_scorer(parts, CLI, scorer_id, state=state)


def _read_options(given: Sequence[str]) -> dict[str, Any]:
    """Names and values; a value that is JSON is what it says, any other is text."""
    read: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise click.UsageError(f"'{one}' is not NAME=VALUE.")
        try:
            read[name] = json.loads(value)
        except (ValueError, RecursionError):
            read[name] = value
    return read


def _print(answer: dict[str, Any]) -> None:
    click.echo(f"weight {answer['weight']:+.2f}   ({answer['duration_ms']} ms)")
    for name, value in answer["scores"].items():
        click.echo(f"  {name:16} {value:.2f}")
    for evidence in answer["evidence"]:
        click.echo(f"  {shown(evidence['text'])}")
