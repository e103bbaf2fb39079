"""``moderation webhook``: where a site wants to be told."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from moderation.cli.program import every_page, installation, json_option, print_json, print_table, shown
from moderation.domain.actor import CLI

_WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
id_argument = click.argument("webhook_id", type=click.UUID, metavar="ID")


@click.group()
def webhook() -> None:
    """Webhooks: endpoints, secrets, deliveries."""


@webhook.command("add")
@click.option("--site", "site_key", required=True, metavar="KEY")
@click.option("--url", required=True)
@click.option("--event", "events", multiple=True, metavar="EVENT", help="Like comment.approved; repeatable; else all.")
@json_option
def add(site_key: str, url: str, events: Sequence[str], as_json: bool) -> None:
    """Add an endpoint and print its signing secret, this once."""
    from moderation.services import deliver

    with installation() as parts:
        made = deliver.add_endpoint(parts, CLI, site_key, url, list(events))
    if as_json:
        print_json({"id": made["id"], "secret": made["secret"]})
        return
    click.echo(made["secret"])
    click.echo(f"Keep the secret: it is not shown again. The endpoint's id is {made['id']}.", err=True)


@webhook.command("list")
@click.option("--site", "site_key", required=True, metavar="KEY")
@json_option
def list_(site_key: str, as_json: bool) -> None:
    """List the endpoints of a site."""
    from moderation.services import deliver

    with installation() as parts:
        found = list(every_page(lambda at: deliver.list_endpoints(parts, CLI, site_key, limit=100, cursor=at)))
    print_json(found) if as_json else print_table(found, ["id", "url", "events", "state", "disabled_reason"])


@webhook.command("test")
@id_argument
@json_option
def test(webhook_id: uuid.UUID, as_json: bool) -> None:
    """Send a signed 'webhook.ping' to an endpoint now; status 1 where it is not answered with 2xx."""
    from moderation.services import deliver

    with installation() as parts:
        answer = deliver.ping_endpoint(parts, CLI, webhook_id)
    if as_json:
        print_json(answer)
    elif answer["ok"]:
        click.echo(f"Answered {answer['status']} after {answer['duration_ms']} ms.")
    if not answer["ok"]:
        raise click.ClickException(f"Not delivered: {shown(answer['error'])}")


@webhook.command("rotate")
@id_argument
@json_option
def rotate(webhook_id: uuid.UUID, as_json: bool) -> None:
    """Make a new secret and print it, this once. For 24 hours the one before signs too."""
    from moderation.services import deliver

    with installation() as parts:
        made = deliver.rotate_secret(parts, CLI, webhook_id)
    if as_json:
        print_json({"id": made["id"], "secret": made["secret"], "previous_until": made["previous_until"]})
        return
    click.echo(made["secret"])
    click.echo("Keep the secret: it is not shown again. The one before signs too for 24 hours.", err=True)


@webhook.command("deliveries")
@id_argument
@click.option("--state", type=click.Choice(["pending", "delivered", "failed"]))
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@json_option
def deliveries(webhook_id: uuid.UUID, state: str | None, limit: int, as_json: bool) -> None:
    """Show the last deliveries to an endpoint, newest first."""
    from moderation.services import deliver

    with installation() as parts:
        found = deliver.list_deliveries(parts, CLI, webhook_id, state=state, limit=limit)["items"]
    columns = ["id", "type", "state", "attempts", "last_status", "last_error", "created_at", "due_at"]
    print_json(found) if as_json else print_table(found, columns)


@webhook.command("replay")
@click.argument("any_id", type=click.UUID, metavar="ID")
@click.option("--since", type=_WHEN, help="ID is an endpoint: send again what happened from this time (UTC) on ...")
@click.option("--until", type=_WHEN, help="... to before this time (UTC).")
@click.option("--failed", "only_failed", is_flag=True, help="With --since: leave out what was delivered.")
@json_option
def replay(any_id: uuid.UUID, since: datetime | None, until: datetime | None, only_failed: bool, as_json: bool) -> None:
    """Send the delivery with this ID again, or with --since all events of a time to the endpoint with this ID."""
    from moderation.services import deliver

    if since is None and (until is not None or only_failed):
        raise click.UsageError("--until and --failed need --since.")
    with installation() as parts:
        if since is None:
            answer: dict[str, Any] = deliver.replay_delivery(parts, CLI, any_id)
        else:
            answer = deliver.replay_range(
                parts,
                CLI,
                any_id,
                since=_utc(since),
                until=None if until is None else _utc(until),
                only_failed=only_failed,
            )
    if as_json:
        print_json(answer)
        return
    click.echo(f"Sending {answer.get('replayed', 1)} again.")


@webhook.command("enable")
@id_argument
def enable(webhook_id: uuid.UUID) -> None:
    """Switch an endpoint on again that was disabled; what waited for it is sent."""
    from moderation.services import deliver

    with installation() as parts:
        deliver.change_endpoint(parts, CLI, webhook_id, state="active")
    click.echo("Enabled.")


@webhook.command("remove")
@id_argument
def remove(webhook_id: uuid.UUID) -> None:
    """Remove an endpoint with its deliveries."""
    from moderation.services import deliver

    with installation() as parts:
        deliver.remove_endpoint(parts, CLI, webhook_id)
    click.echo("Removed.")


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC)
