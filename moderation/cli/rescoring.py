"""``moderation rescore`` and ``regroup``: stored comments judged and compared again."""

import sys
from typing import Any

import click

from moderation.cli.access import site_option
from moderation.cli.program import installation, json_option, print_json, print_table
from moderation.domain.actor import CLI

_STATES = ["pending", "approved", "rejected", "spam", "trashed", "escalated"]


@click.command()
@site_option
@click.option("--last", type=click.IntRange(1), help="Only the newest so many.")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--largest", type=click.IntRange(0, 1_000), default=20, show_default=True, help="Differences to list.")
@click.option("--apply", is_flag=True, help="Store the new scores, risk, reasons and signals.")
@json_option
def rescore(site_key: str, last: int | None, state: str | None, largest: int, apply: bool, as_json: bool) -> None:
    """Judge stored comments by the scorer of this installation, and show what differs from how they were judged.

    Signals that rest on the text, its links and the author's website are asked again, with the rules of today; what
    other signals said stays. With --apply a comment's figures change, never its state: nothing is published or hidden.
    """
    from moderation.services import rescore as service

    with installation() as parts:
        total = service.count(CLI, site_key, last, state)
        # A bar would spoil the output for programs, and logs.
        with click.progressbar(length=total, label="Judging again", hidden=as_json, file=sys.stderr) as bar:
            answer = service.rescore(parts, CLI, site_key, last, state, largest, apply=apply, progress=bar.update)
    print_json(answer) if as_json else _print(answer)


def _print(answer: dict[str, Any]) -> None:
    versions = ", ".join(f"{version}: {n}" for version, n in answer["scored_by"].items()) or "none"
    click.echo(
        f"{answer['compared']} comments by {answer['scorer']}; before by {versions}. {answer['same']} are the same."
    )
    click.echo()
    rows = [{"score": name, **figures} for name, figures in answer["attributes"].items()]
    print_table(rows, ["score", "mean_difference", "threshold", "up", "down", "lost", "gained"])
    click.echo()
    changed = [row for row in answer["policy"] if row["before"] != row["after"]]
    for row in changed:
        click.echo(f"The policy would make {row['comments']} of them {row['after']} that it made {row['before']}.")
    if not changed:
        click.echo("The policy would decide on all of them as before.")
    decided = answer["decided"]
    if decided["comments"]:
        click.echo(
            f"The risk agrees with the moderators on {decided['agreement_after']:.1%} of {decided['comments']} decided"
            f" comments; before on {decided['agreement_before']:.1%}."
        )
    if answer["largest"]:
        click.echo()
        print_table(
            [{**row, "before": row["risk"][0], "after": row["risk"][1]} for row in answer["largest"]],
            ["id", "state", "before", "after", "differences"],
        )
    if answer["applied"] is not None:
        click.echo()
        click.echo(f"Stored {answer['applied']['stored']}; passed over {answer['applied']['passed_over']}.")


@click.command()
@site_option
@json_option
def regroup(site_key: str, as_json: bool) -> None:
    """Make the groups of alike comments anew, from the texts. Needed once after an update that says so.

    The service may run meanwhile. Stopped half-way, run it again.
    """
    from moderation.services import rescore as service

    with installation() as parts:
        total = service.count(CLI, site_key)
        with click.progressbar(length=total, label="Grouping", hidden=as_json, file=sys.stderr) as bar:
            answer = service.regroup(parts, CLI, site_key, bar.update)
    if as_json:
        print_json(answer)
        return
    click.echo(f"Put {answer['comments']} comments into groups.")
