"""What the commands share: errors in one line, the open installation, and printing."""

import json
import sys
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moderation.domain.times import rfc3339
from moderation.errors import Invalid, ModerationError, SettingsError
from moderation.settings import Settings, read_settings

if TYPE_CHECKING:
    from moderation.services.parts import Parts

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Program(click.Group):
    """A group whose commands end with one line on standard error and status 1 where the service says no."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; our own errors become click's."""
        try:
            return super().invoke(ctx)
        except (SettingsError, ModerationError) as error:
            raise click.ClickException(_worded(error)) from None
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise click.ClickException(f"{error.filename or 'The system'}: {error.strerror}.") from None
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - a driver's message may hold a reader's data
            raise click.ClickException(_place(error)) from None


def _worded(error: Exception) -> str:
    if isinstance(error, Invalid):
        return " ".join(f"{path}: {' '.join(messages)}" for path, messages in error.fields.items())
    return str(error)


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"A fault in this program: {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}."


@contextmanager
def installation(*, migrated: bool = True) -> Iterator["Parts"]:
    """The joined parts of this installation, inside an application context.

    Raises ``SettingsError`` where the schema is not at the newest version, unless ``migrated`` is False.
    """
    from moderation.app import without_pages

    settings = read_settings()
    require_database(settings)
    app = without_pages(settings)
    with app.app_context():
        try:
            if migrated:
                require_newest_schema()
            parts: Parts = app.extensions["moderation"]
            yield parts
        finally:
            app.extensions["sqlalchemy"].engine.dispose()


def require_database(settings: Settings) -> None:
    """Raise ``SettingsError`` where the SQLite file is missing: opening it would make an empty one."""
    path = sqlite_file(settings)
    if path is not None and not path.exists():
        raise SettingsError(f"There is no database at {path}. Run 'moderation init' to make it.")


def sqlite_file(settings: Settings) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL and for one in memory."""
    name = settings.database_url.removeprefix("sqlite:///").partition("?")[0]
    return Path(name) if settings.is_sqlite and name and name != ":memory:" else None


def require_newest_schema() -> None:
    """Raise ``SettingsError`` unless the database is at the newest revision."""
    from moderation.storage import schema
    from moderation.storage.db import read

    with read() as session:
        there = schema.current(session.connection())
    if there != schema.newest():
        has = f"revision {there}" if there else "no schema"
        raise SettingsError(
            f"The database has {has}, this version needs {schema.newest()}. Run 'moderation db upgrade'."
        )


def every_page(page: Callable[[str | None], Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The items of a list, page after page; ``page`` takes a cursor."""
    cursor = None
    while True:
        answer = page(cursor)
        yield from answer["items"]
        cursor = answer["next"]
        if cursor is None:
            return


def read_stdin() -> str:
    """All of standard input, as UTF-8; bytes that are none are replaced."""
    with click.open_file("-", encoding="utf-8", errors="replace") as file:
        return str(file.read())


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(data, default=_plain, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def print_made(made: Mapping[str, Any]) -> None:
    """What was added, by its id; a secret that was made for it alone on standard output, this once."""
    if "secret" in made:
        click.echo(made["secret"])
        click.echo("Keep the secret: it is not shown again.", err=True)
    click.echo(f"Added {made['id']}.", err="secret" in made)


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows in aligned columns under their names; nothing at all prints 'None.'"""
    lines = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not lines:
        click.echo("None.")
        return
    widths = [max(len(line[i]) for line in [list(columns), *lines]) for i in range(len(columns))]
    for line in [list(columns), *lines]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def shown(value: str) -> str:
    """Text from outside for a terminal: what could move the cursor or hide a part is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%SZ")
        case list() | tuple():
            return ", ".join(_cell(item) for item in value) or "-"
        case dict():
            return " ".join(f"{name}={_cell(item)}" for name, item in value.items())
        case _:
            return shown(str(value))


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form.")
