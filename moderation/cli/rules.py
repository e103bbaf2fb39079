"""``moderation rule``: words, patterns, domains, authors, networks; lists of words; rules in YAML; trying them."""

import sys
import uuid
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import click

from moderation.cli.access import site_option
from moderation.cli.program import every_page, installation, json_option, print_json, print_table, read_stdin, shown
from moderation.domain.actor import CLI
from moderation.errors import Invalid

if TYPE_CHECKING:
    from moderation.services.trials import Tried

_KINDS = ["word", "pattern", "domain", "author", "network", "allow"]
_MATCHES = ["folded", "exact"]
_REFUSED_SHOWN = 20

action_option = click.option(
    "--action", type=click.Choice(["score", "hold", "spam"]), default="score", show_default=True
)
weight_option = click.option(
    "--weight", type=click.FloatRange(-1, 1), default=0.5, show_default=True, help="What a match adds to the risk."
)
language_option = click.option(
    "--language", metavar="CODE", help="For comments in this language alone, such as 'de'; unknown counts as any."
)
match_option = click.option(
    "--match",
    type=click.Choice(_MATCHES),
    default="folded",
    show_default=True,
    help="'exact': with case and accents as typed.",
)
part_option = click.option("--part", is_flag=True, help="Also inside words.")
text_file = click.File(encoding="utf-8", errors="replace")


@click.group()
def rule() -> None:
    """A site's own words, patterns, domains, authors and networks, lists of words, and rules in YAML."""


@rule.command("add")
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("value")
@site_option
@action_option
@weight_option
@language_option
@match_option
@part_option
@click.option("--note", default="", help="Why it is there.")
@json_option
def add(kind: str, value: str, site_key: str, note: str, as_json: bool, **options: Any) -> None:
    """Add a rule of KIND for VALUE.

    A word may begin or end with '*'; a pattern is in RE2 syntax; a domain covers its subdomains; 'allow' names a word
    that the built-in list and your own words must not object to.
    """
    from moderation.services import sites

    with installation() as parts:
        made = sites.add_rule(parts, CLI, site_key, kind, value, note=note, **options)
    print_json(made) if as_json else click.echo(f"Added {made['id']}.")


@rule.command("list")
@site_option
@json_option
def list_(site_key: str, as_json: bool) -> None:
    """List the rules made for a site, or with '*' those for all sites."""
    from moderation.services import sites

    with installation() as parts:
        found = list(every_page(lambda at: sites.list_rules(parts, CLI, site_key, limit=100, cursor=at)))
    columns = ["id", "kind", "value", "action", "weight", "language", "match", "part", "note"]
    print_json(found) if as_json else print_table(found, columns)


@rule.command("remove")
@click.argument("rule_id", type=click.UUID, metavar="ID")
def remove(rule_id: uuid.UUID) -> None:
    """Remove the rule with this ID."""
    from moderation.services import sites

    with installation() as parts:
        sites.remove_rule(parts, CLI, rule_id)
    click.echo("Removed.")


# --- lists of words --------------------------------------------------------------------------------------------------


@rule.command("import")
@click.argument("file", type=text_file)
@site_option
@click.option("--list", "name", required=True, metavar="NAME", help="The list's name, of a-z, 0-9 and '-'.")
@click.option("--action", type=click.Choice(["score", "hold", "spam", "allow"]), help="A new list has 'score'.")
@click.option("--weight", type=click.FloatRange(-1, 1), help="What an entry adds to the risk; a new list has 0.5.")
@language_option
@click.option("--match", type=click.Choice(_MATCHES), help="'exact': with case and accents as typed.")
@click.option("--part/--whole", default=None, help="Whether entries are found inside words too.")
@click.option("--replace", is_flag=True, help="Remove what is not in FILE; else entries are added.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@json_option
def import_(file: IO[str], site_key: str, name: str, as_json: bool, **options: Any) -> None:
    """Import a list of words from FILE ('-' reads standard input).

    A word or phrase a line, optionally a tab and its own weight; lines that begin with '#' are passed over. What is
    refused is named with its line on standard error, and the rest is imported. Options that are not given stay as they
    are in a list that is there.
    """
    from moderation.services import word_lists

    text = file.read()
    lines = text.count("\n") + 1
    # A bar would spoil the output for programs, and logs.
    bar = click.progressbar(length=lines, label="Reading", hidden=as_json, file=sys.stderr)
    with installation() as parts, bar:
        made = word_lists.put_list(parts, CLI, site_key, name, text, advance=bar.update, **options)
        bar.update(lines % 1_000)
    if as_json:
        print_json(made)
        return
    for refused in made["refused"][:_REFUSED_SHOWN]:
        click.echo(f"Line {refused['line']}: {refused['why']}", err=True)
    if made["refused_count"] > _REFUSED_SHOWN:
        click.echo(f"{made['refused_count'] - _REFUSED_SHOWN:,} more lines were refused.", err=True)
    would = "Would have" if options["dry_run"] else "The list has"
    click.echo(
        f"{would} {made['size']:,} entries: {made['added']:,} added, {made['removed']:,} removed, "
        f"{made['refused_count']:,} refused."
    )


@rule.command("lists")
@site_option
@json_option
def lists(site_key: str, as_json: bool) -> None:
    """List the lists of words made for a site, or with '*' those for all sites."""
    from moderation.services import word_lists

    with installation() as parts:
        found = list(every_page(lambda at: word_lists.list_lists(parts, CLI, site_key, limit=100, cursor=at)))
    columns = ["name", "action", "weight", "language", "match", "part", "size", "changed_at"]
    print_json(found) if as_json else print_table(found, columns)


@rule.command("export")
@click.argument("name")
@site_option
def export(name: str, site_key: str) -> None:
    """Print the entries of the list of words NAME, as 'import' reads them."""
    from moderation.services import word_lists

    with installation() as parts:
        click.echo(word_lists.show_list(parts, CLI, site_key, name)["text"])


@rule.command("remove-list")
@click.argument("name")
@site_option
def remove_list(name: str, site_key: str) -> None:
    """Remove the list of words NAME."""
    from moderation.services import word_lists

    with installation() as parts:
        word_lists.remove_list(parts, CLI, site_key, name)
    click.echo("Removed.")


# --- rules in YAML ---------------------------------------------------------------------------------------------------


@rule.command("automod")
@click.argument("file", type=text_file, required=False)
@site_option
@click.option("--check", is_flag=True, help="Only check FILE, keep nothing.")
@click.option("--remove", "is_removal", is_flag=True, help="Remove the site's rules in YAML.")
@json_option
def automod(file: IO[str] | None, site_key: str, check: bool, is_removal: bool, as_json: bool) -> None:
    """Set a site's rules in the form of AutoModerator from FILE ('-' reads standard input); without FILE print them.

    Where something is wrong with FILE nothing is changed, and each complaint names line and column.
    """
    from moderation.services import automod as service

    if is_removal and (file or check):
        raise click.UsageError("With --remove there is no FILE and nothing to check.")
    with installation() as parts:
        if is_removal:
            service.remove_automod(parts, CLI, site_key)
            answer: dict[str, Any] = {"site": site_key, "rules": 0}
            says = "Removed."
        elif file is None:
            answer = service.show_automod(parts, CLI, site_key)
            says = str(answer["text"]).rstrip("\n")
        else:
            answer = _put_automod(parts, site_key, file.read(), check)
            says = f"Rules in order: {answer['rules']}." if check else f"Rules of the site: {answer['rules']}."
    print_json(answer) if as_json else click.echo(says)


def _put_automod(parts: Any, site_key: str, text: str, check: bool) -> dict[str, Any]:
    """Set the rules; a complaint a line on standard error, instead of all in one."""
    from moderation.services import automod as service

    try:
        return service.put_automod(parts, CLI, site_key, text, dry_run=check)
    except Invalid as error:
        for message in error.fields["text"]:
            click.echo(message, err=True)
        raise click.ClickException("Nothing was changed.") from None


# --- trying ----------------------------------------------------------------------------------------------------------


@rule.command("test")
@click.argument("text", default="-")
@site_option
@click.option("--author", default="", help="A reader's name, for rules on authors.")
@click.option("--network", default="", help="Like 203.0.113.0/24, for rules on networks.")
@click.option("--automod", type=text_file, help="Try the rules of this YAML file instead of the site's.")
@json_option
def test(text: str, site_key: str, author: str, network: str, automod: IO[str] | None, as_json: bool) -> None:
    """Show what the rules of a site say of TEXT ('-' reads standard input). Nothing is stored."""
    from moderation.services import trials

    if text == "-":
        text = read_stdin()
    tried = trials.Tried(automod=automod.read() if automod else None)
    with installation() as parts:
        answer = trials.try_rules(parts, CLI, site_key, text, tried=tried, author=author, network=network)
    if as_json:
        print_json(answer)
        return
    for signal in answer["signals"]:
        click.echo(f"{signal['name']}  {signal['weight']:+.2f}  {signal['forces'] or ''}".rstrip())
        for evidence in signal["evidence"]:
            click.echo(f"  {shown(evidence['text'])}")
    if not answer["signals"]:
        click.echo("No rule objects.")
    decision = answer["decision"]
    click.echo(f"With all signals: {decision['state']}, risk {decision['risk']:.2f}.")


@rule.command("backtest")
@click.argument("kind", type=click.Choice([*_KINDS[:-1]]), required=False)
@click.argument("value", required=False)
@site_option
@action_option
@weight_option
@language_option
@match_option
@part_option
@click.option("--list", "words", type=text_file, help="Try the words of this file.")
@click.option("--automod", type=text_file, help="Try the rules of this YAML file.")
@click.option("--rule", "stored", type=click.UUID, metavar="ID", help="Try a rule that is there.")
@click.option("--last", type=click.IntRange(1, 5_000), default=1_000, show_default=True, help="How many comments.")
@click.option("--automatic", is_flag=True, help="Also what the site's policy decided.")
@json_option
def backtest(site_key: str, last: int, automatic: bool, as_json: bool, **asked: Any) -> None:
    """Show what a rule of KIND for VALUE would have done to the last comments that moderators decided on.

    Or what the words or rules of a file would have done, or a rule that is there does. Nothing is changed.
    """
    from moderation.services import trials

    tried = _tried(asked)
    with installation() as parts:
        answer = trials.backtest(parts, CLI, site_key, tried, last=last, automatic=automatic)
    print_json(answer) if as_json else _print_backtest(answer)


def _tried(asked: Mapping[str, Any]) -> "Tried":
    from moderation.services import trials

    options = {name: asked[name] for name in ("action", "weight", "language", "match", "part")}
    if (asked["kind"] is None) != (asked["value"] is None):
        raise click.UsageError("A rule has a KIND and a VALUE.")
    tried = trials.Tried(
        rule={"kind": asked["kind"], "value": asked["value"], **options} if asked["kind"] else None,
        words={"text": asked["words"].read(), **options} if asked["words"] else None,
        automod=asked["automod"].read() if asked["automod"] else None,
        stored=asked["stored"],
    )
    if tried.count() != 1:
        raise click.UsageError("Give one of: KIND and VALUE, --list, --automod, --rule.")
    return tried


def _print_backtest(answer: Mapping[str, Any]) -> None:
    click.echo(answer["summary"])
    for example in answer["examples"]:
        says = "; ".join(shown(evidence["text"]) for evidence in example["evidence"])
        click.echo(f"  {example['id']}  {example['state']:8}  {says}")
    if answer["stopped_early"]:
        click.echo("The time was up before the end.", err=True)
