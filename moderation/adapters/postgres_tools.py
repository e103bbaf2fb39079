"""``pg_dump``, ``pg_restore`` and ``psql``, which have to be on the PATH: the only programs that are started here."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
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


def restore(
    database_url: str, source: Path, script: Path, drop: Iterable[str], drop_functions: Iterable[str] = ()
) -> None:
    """Read a file of ``dump`` into a database, in the place of the tables ``drop`` and of functions without arguments,
    all in one transaction.

    ``script`` is written on the way, the same as SQL, whole before anything is changed; the caller deletes it. Raises
    ``SettingsError`` as ``dump`` does; then nothing was changed.
    """
    require("psql")
    _start("pg_restore", [*_OWNERLESS, f"--file={script}", str(source)], {})
    dropped = ", ".join(f'"{name}"' for name in drop)
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null")
    first = [f"--command=DROP TABLE IF EXISTS {dropped} CASCADE"]
    first += [f'--command=DROP FUNCTION IF EXISTS "{name}"()' for name in drop_functions]
    _run("psql", database_url, *options, *first, f"--file={script}")


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
    url = make_url(database_url)
    place = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
    password = place.pop("password", None)
    secret = {"PGPASSWORD": str(password)} if password else {}
    _start(program, [f"--dbname={make_conninfo(**place)}", "--no-password", *arguments], secret)


def _start(program: str, arguments: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - a fixed program, and no shell
        [require(program), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.split())[-MAX_MESSAGE_CHARS:]
        raise SettingsError(f"{program} failed: {said}")
