"""``moderation serve``, ``worker`` and ``demo``: what keeps running."""

import os
import sys

import click

from moderation import serving
from moderation.cli.program import require_database
from moderation.errors import SettingsError, StorageUnavailable
from moderation.settings import Settings, read_settings

bind_option = click.option(
    "--bind", default=serving.DEFAULT_BIND, show_default=True, metavar="HOST:PORT", help="Where to listen."
)


@click.command()
@bind_option
@click.option("--workers", type=click.IntRange(1, 64), default=serving.DEFAULT_WORKERS, show_default=True)
@click.option("--no-worker", is_flag=True, help="Without the worker; run 'moderation worker' yourself.")
def serve(bind: str, workers: int, no_worker: bool) -> None:
    """Serve by gunicorn with the shipped configuration, and the worker beside it.

    Put a proxy that buffers requests in front; deploy/nginx.conf is one. SIGTERM or Ctrl-C stops.
    """
    settings = read_settings()
    require_database(settings)
    require_schema(settings)
    listener = serving.listen(bind)
    say(f"Listening at {serving.address_of(listener)}. Ctrl-C stops.")
    sys.exit(serving.serve(listener, workers=workers, with_worker=not no_worker, say=say))


@click.command()
def worker() -> None:
    """Deliver webhooks and ask external scorers; one is enough, several share the work."""
    from moderation import worker as service
    from moderation.app import without_pages

    settings = read_settings()
    require_database(settings)
    stop = service.stop_on_signals()
    service.run(without_pages(settings), stop)


@click.command()
@bind_option
def demo(bind: str) -> None:
    """Serve everything with a demo site, for a first look: articles, comments, a moderator, webhooks.

    Kept in ./var/demo, or in MODERATION_HOME; a second run goes on with what is there.
    """
    from moderation.cli import demo as demonstration

    listener = serving.listen(bind)
    url = serving.address_of(listener)
    os.environ.update(demonstration.environment(url))
    guide = demonstration.prepare(url, say)
    click.echo("\n".join(guide))
    sys.stdout.flush()
    # Another program in this process, on the same socket, so that what the preparation has loaded leaves the memory.
    listener.set_inheritable(True)
    command = ["-m", "moderation", "serve", "--bind", f"{serving.FD_PREFIX}{listener.fileno()}"]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


def require_schema(settings: Settings) -> None:
    """Raise ``SettingsError`` for an old schema. A database that is away is no reason not to start: /readyz says so."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError

    from moderation.storage import schema
    from moderation.storage.db import engine_options

    engine = create_engine(settings.database_url, **engine_options(settings))
    try:
        with engine.connect() as connection:
            there = schema.current(connection)
    except OperationalError:
        say(str(StorageUnavailable()))
        return
    finally:
        engine.dispose()
    if there != schema.newest():
        raise SettingsError(f"The database is at revision {there}, not {schema.newest()}. Run 'moderation db upgrade'.")


def say(line: str) -> None:
    """A line for the operator, on standard error."""
    click.echo(line, err=True)
