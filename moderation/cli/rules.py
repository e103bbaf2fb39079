"""``moderation rule``: words, patterns, domains, authors, networks."""

import uuid

import click

from moderation.cli.access import site_option
from moderation.cli.program import every_page, installation, json_option, print_json, print_table, read_stdin, shown
from moderation.domain.actor import CLI

_KINDS = ["word", "pattern", "domain", "author", "network", "allow"]


@click.group()
def rule() -> None:
    """A site's own words, patterns, domains, authors and networks."""


@rule.command("add")
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("value")
@site_option
@click.option("--action", type=click.Choice(["score", "hold", "spam"]), default="score", show_default=True)
@click.option("--weight", type=click.FloatRange(-1, 1), default=0.5, show_default=True, help="What 'score' adds.")
@click.option("--note", default="", help="Why it is there.")
@json_option
def add(kind: str, value: str, site_key: str, action: str, weight: float, note: str, as_json: bool) -> None:
    """Add a rule of KIND for VALUE.

    A word may begin or end with '*'; a pattern is in RE2 syntax; a domain covers its subdomains; 'allow' names a word
    that the built-in list must not object to.
    """
    from moderation.services import sites

    with installation() as parts:
        made = sites.add_rule(parts, CLI, site_key, kind, value, action, weight, note)
    print_json(made) if as_json else click.echo(f"Added {made['id']}.")


@rule.command("list")
@site_option
@json_option
def list_(site_key: str, as_json: bool) -> None:
    """List the rules made for a site, or with '*' those for all sites."""
    from moderation.services import sites

    with installation() as parts:
        found = list(every_page(lambda at: sites.list_rules(parts, CLI, site_key, limit=100, cursor=at)))
    print_json(found) if as_json else print_table(found, ["id", "kind", "value", "action", "weight", "note"])


@rule.command("remove")
@click.argument("rule_id", type=click.UUID, metavar="ID")
def remove(rule_id: uuid.UUID) -> None:
    """Remove the rule with this ID."""
    from moderation.services import sites

    with installation() as parts:
        sites.remove_rule(parts, CLI, rule_id)
    click.echo("Removed.")


@rule.command("test")
@click.argument("text", default="-")
@site_option
@click.option("--author", default="", help="A reader's name, for rules on authors.")
@click.option("--network", default="", help="Like 203.0.113.0/24, for rules on networks.")
@json_option
def test(text: str, site_key: str, author: str, network: str, as_json: bool) -> None:
    """Show what the rules of a site say of TEXT ('-' reads standard input). Nothing is stored."""
    from moderation.services import sites

    if text == "-":
        text = read_stdin()
    with installation() as parts:
        answer = sites.test_rules(parts, CLI, site_key, text, author=author, network=network)
    if as_json:
        print_json(answer)
        return
    for signal in answer["signals"]:
        click.echo(f"{signal['name']}  {signal['weight']:+.2f}  {signal['forces'] or ''}".rstrip())
        for evidence in signal["evidence"]:
            click.echo(f"  {shown(evidence['text'])}")
    if not answer["signals"]:
        click.echo("No rule objects.")
