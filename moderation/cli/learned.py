"""``moderation learned``: what a site's own decisions taught its scores."""

import json
from pathlib import Path
from typing import Any

import click

from moderation.cli.access import site_option
from moderation.cli.program import installation, json_option, print_json, print_table, read_stdin
from moderation.domain.actor import CLI
from moderation.errors import Invalid

_MAX_BYTES = 8 << 20
_reason_option = click.option("--reason", required=True, help="Why; it stands in the audit log.")


@click.group()
def learned() -> None:
    """What a site's own decisions taught its scores."""


@learned.command("show")
@site_option
@json_option
def show(site_key: str, as_json: bool) -> None:
    """Show how much was learned, how well it predicts decisions, and the words that count most."""
    from moderation.services import learning

    with installation() as parts:
        answer = learning.show(parts, CLI, site_key)
    print_json(answer) if as_json else _print(answer)


@learned.command("export")
@site_option
def export(site_key: str) -> None:
    """Print a site's model as JSON, for 'learned import'."""
    from moderation.services import learning

    with installation() as parts:
        print_json(learning.export(parts, CLI, site_key))


@learned.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@site_option
@_reason_option
@json_option
def import_(file: Path, site_key: str, reason: str, as_json: bool) -> None:
    """Put the model of FILE, made by 'learned export', in the place of a site's own."""
    from moderation.services import learning

    stored = _stored(file)
    with installation() as parts:
        answer = learning.import_model(parts, CLI, site_key, stored, reason)
    print_json(answer) if as_json else _print(answer)


@learned.command("reset")
@site_option
@_reason_option
@json_option
def reset(site_key: str, reason: str, as_json: bool) -> None:
    """Forget everything that a site's decisions taught."""
    from moderation.services import learning

    with installation() as parts:
        answer = learning.reset(parts, CLI, site_key, reason)
    print_json(answer) if as_json else click.echo("Forgotten.")


@learned.command("teach")
@click.argument("label", type=click.Choice(["fine", "spam", "unwanted"]))
@click.argument("text", default="-")
@site_option
@json_option
def teach(label: str, text: str, site_key: str, as_json: bool) -> None:
    """Teach a site that TEXT ('-' reads standard input) is LABEL. The text itself is not kept."""
    from moderation.services import learning

    if text == "-":
        text = read_stdin()
    with installation() as parts:
        answer = learning.teach(parts, CLI, site_key, text, label)
    print_json(answer) if as_json else click.echo(f"Learned; {answer['decisions']} decisions by now.")


def _stored(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        raw = opened.read(_MAX_BYTES + 1)
    try:
        stored = json.loads(raw) if len(raw) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        stored = None
    if not isinstance(stored, dict):
        raise Invalid({"file": ["It is not what 'learned export' writes."]})
    return stored


def _print(answer: dict[str, Any]) -> None:
    if not answer["learning"]:
        click.echo("This site does not learn (learning=off).")
    if not answer["usable"]:
        click.echo("What was learned cannot be read; 'learned reset' starts anew.")
    weight = f"may add at most {answer['most_weight']:.2f} to the risk" if answer["ready"] else "says nothing yet"
    click.echo(f"{answer['model']}: {answer['decisions']} decisions, {weight}.")
    for record in answer["latest"]:
        if record["decisions"]:
            click.echo(
                f"Of the last {record['decisions']} decisions it predicted {record['right']} rightly; "
                f"the other signals {record['risk_right']}."
            )
    for side, title in (("against", "Speaks against a comment"), ("in_favour", "Speaks for a comment")):
        if answer["words"][side]:
            click.echo(f"\n{title}:")
            print_table(answer["words"][side], ["word", "odds", "fine", "spam", "unwanted"])
