"""``moderation import`` and ``moderation export``: moving in and out."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from moderation.cli.program import installation, json_option, print_json, print_table
from moderation.domain.actor import CLI

_FROM = ["wordpress", "disqus", "isso", "remark42", "jsonl"]
_TO = ["wordpress", "jsonl", "csv"]
_STEPS = 1_000

one_site_option = click.option("--site", "site_key", required=True, metavar="KEY", help="A site's key.")


@click.command("import")
@click.argument("kind", type=click.Choice(_FROM), metavar=f"[{'|'.join(_FROM)}]")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@one_site_option
@click.option("--dry-run", is_flag=True, help="Only say what would be added, what not, and why.")
@click.option("--lenient", is_flag=True, help="Leave out records that cannot be read, and mend bad bytes in XML.")
@click.option(
    "--thread-key",
    "how",
    type=click.Choice(["path", "bare", "url", "id"]),
    default="path",
    show_default=True,
    help="What of a page becomes the thread's key: the path of its address, the path without outer slashes, the whole "
    "address, or its id there.",
)
@click.option(
    "--origin", default="", metavar="NAME", help="Which of several sites of its kind the file is from, if several are."
)
@json_option
def import_(
    kind: str, file: Path, site_key: str, dry_run: bool, lenient: bool, how: str, origin: str, as_json: bool
) -> None:
    """Take over the comments of FILE, which may be packed by gzip, but for Isso's.

    States, times, replies and votes are kept; addresses are sealed. Stopped at any moment, run it again: it goes on.
    What is there already stays as it is, and a second import of a file adds nothing. Nobody is told of it.
    """
    from moderation.services import transfer

    with installation() as parts, _bar("Importing", _STEPS, hidden=as_json) as bar:
        answer = transfer.import_comments(
            parts,
            CLI,
            site_key,
            kind,
            file,
            origin=origin,
            how=how,
            lenient=lenient,
            dry_run=dry_run,
            progress=lambda share: bar.update(max(0, int(share * _STEPS) - bar.pos)),
        )
    print_json(answer) if as_json else _print(answer)


@contextmanager
def _bar(label: str, length: int, *, hidden: bool) -> Iterator[Any]:
    """A progress bar on a terminal. Elsewhere it would spoil logs."""
    hidden = hidden or not sys.stderr.isatty()
    with click.progressbar(length=length, label=label, hidden=hidden, file=sys.stderr) as bar:
        yield bar


def _print(answer: dict[str, Any]) -> None:
    total = sum(answer["added"].values())
    states = ", ".join(f"{n} {state}" for state, n in answer["added"].items())
    would = "Would add" if answer["dry_run"] else "Added"
    click.echo(f"Read {answer['records']} comments.")
    click.echo(f"{would} {total}{f' ({states})' if states else ''} and {answer['threads']} threads.")
    if answer["already_there"]:
        click.echo(f"There already: {answer['already_there']}.")
    if answer["without_parent"]:
        click.echo(f"Replies whose parent is not in the file, now on top level: {answer['without_parent']}.")
    for name, title, column in (("left_out", "Left out:", "reason"), ("changed", "Not as it was:", "what")):
        if answer[name]:
            click.echo()
            click.echo(title)
            print_table(answer[name], ["count", column, "lines"])


@click.command("export")
@click.argument("kind", type=click.Choice(_TO), metavar=f"[{'|'.join(_TO)}]")
@one_site_option
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write this file instead of standard output."
)
@click.option(
    "--with-emails",
    is_flag=True,
    help="With the email addresses, in the clear. The audit log notes that you took them.",
)
def export(kind: str, site_key: str, output: Path | None, with_emails: bool) -> None:
    """Hand out a site's comments: for WordPress and Disqus, as JSON lines for 'import jsonl', or for spreadsheets.

    It is of one moment, and the service may go on meanwhile. A file appears only when it is whole.
    """
    from moderation.services import export as service

    with installation() as parts:
        total = service.count(CLI, site_key)
        with _written(output) as file, _bar("Exporting", total, hidden=output is None) as bar:
            done = service.export_comments(
                parts,
                CLI,
                site_key,
                kind,
                lambda text: file.write(text.encode()),
                with_emails=with_emails,
                progress=bar.update,
            )
    if output is not None:
        click.echo(f"Wrote {done} comments to {output}.")


@contextmanager
def _written(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that only its owner may read and that is put in its place at the end."""
    if output is None:
        yield sys.stdout.buffer
        return
    part = output.with_name(f"{output.name}.part")
    part.unlink(missing_ok=True)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123 - a handle
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
