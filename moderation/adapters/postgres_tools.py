"""``pg_dump`` and ``pg_restore``, which have to be on the PATH: the only programs that this service starts."""

import os
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from moderation.errors import SettingsError

MAX_MESSAGE_CHARS = 300


def dump(database_url: str, target: Path, snapshot: str) -> None:
    """Write a database, as a snapshot sees it, to a file in the custom format of ``pg_dump``.

    Raises ``SettingsError`` where the program is missing or fails: with its own last words.
    """
    _run("pg_dump", database_url, "--format=custom", f"--snapshot={snapshot}", *_OWNERLESS, f"--file={target}")


def restore(database_url: str, source: Path, *, clean: bool) -> None:
    """Read a file of ``dump`` into a database, in one transaction; with ``clean`` in the place of what is there.

    Raises ``SettingsError`` as ``dump`` does; then nothing was changed.
    """
    instead = ("--clean", "--if-exists") if clean else ()
    options = ("--single-transaction", "--exit-on-error", *_OWNERLESS, *instead)
    _run("pg_restore", database_url, *options, str(source))


def require(program: str) -> str:
    """The path of one of the programs. Raises ``SettingsError`` where it is not on the PATH."""
    found = shutil.which(program)
    if found is None:
        raise SettingsError(
            f"{program} is not on the PATH. It comes with PostgreSQL's client programs; its version has to be the "
            "server's, or a newer one."
        )
    return found


_OWNERLESS = ("--no-owner", "--no-privileges")


def _run(program: str, database_url: str, *arguments: str) -> None:
    """The password goes by the environment: the list of processes shows arguments to everybody."""
    path = require(program)
    url = make_url(database_url)
    place = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
    password = place.pop("password", None)
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    command = [path, f"--dbname={make_conninfo(**place)}", "--no-password", *arguments]
    done = subprocess.run(  # noqa: S603 - a fixed program, and no shell
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.split())[-MAX_MESSAGE_CHARS:]
        raise SettingsError(f"{program} failed: {said}")
