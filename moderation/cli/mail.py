"""``moderation mail``: try the mail settings, and see what became of mails."""

import time

import click

from moderation.cli.program import installation, json_option, print_json, print_table
from moderation.errors import MailFailed

SHOWN = 20


@click.group()
def mail() -> None:
    """Mail: notices of replies to readers, and of what waits to moderators."""


@mail.command("test")
@click.argument("address")
@json_option
def test(address: str, as_json: bool) -> None:
    """Send a mail to ADDRESS now; status 1, with the reason, where the mail server does not take it.

    That it was taken is not that it arrives: look into the mailbox, and there at what it says of DKIM.
    """
    from moderation.errors import Invalid
    from moderation.services import mailing

    started, error = time.monotonic(), ""
    with installation() as parts:
        try:
            mailing.send_test(parts, address)
        except Invalid as wrong:
            raise click.UsageError(" ".join(wrong.fields["email"])) from None
        except MailFailed as failure:
            error = failure.detail
    if as_json:
        print_json({"ok": not error, "error": error, "duration_ms": round((time.monotonic() - started) * 1_000)})
    if error:
        raise click.ClickException(error)
    if not as_json:
        click.echo("The mail server has taken it.")


@mail.command("status")
@json_option
def status(as_json: bool) -> None:
    """Count the mails that wait, were sent or failed, and say why the latest did not go out at once."""
    from moderation.services import mailing

    with installation() as parts:
        found = mailing.status(parts, SHOWN)
    if as_json:
        print_json(found)
        return
    if not found["on"]:
        click.echo("Mail is off: MODERATION_SMTP_HOST is not set.")
    print_table(found["mails"], ["kind", "state", "number"])
    if found["errors"]:
        click.echo()
        print_table(found["errors"], ["created_at", "kind", "state", "error"])
