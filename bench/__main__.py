"""Run a short form of the benches, and write what they found into docs/performance.md.

    python bench [NAME ...]

A line of ``BENCHES`` is a bench: its file, and what it is given beside ``--short`` and ``--rows``. Each prints its rows
and appends them to a file (``beside.Row``); the table between the marks in the page is made of them. Their full form is
each program's own, as its ``--help`` says. The exit status is 1 where one of them broke down, and not where a ratio is
missed: a busy machine misses many.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCHES: tuple[tuple[str, ...], ...] = (
    ("read.py",),
    ("submit.py",),
)

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEAD = "| what | ratio | asked | ours | beside |\n| --- | ---: | --- | --- | --- |\n"


def run(name: str, *options: str) -> tuple[list[dict[str, str]], bool]:
    """The rows of one bench, and whether it went through."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        rows.touch()
        command = [sys.executable, str(Path(__file__).with_name(name)), "--short", "--rows", str(rows), *options]
        started = time.monotonic()
        status = subprocess.run(command, check=False).returncode
        print(f"{name}: {time.monotonic() - started:.0f} s, status {status}\n", flush=True)
        return [json.loads(line) for line in rows.read_text().splitlines()], status in {0, 1}


def table(rows: list[dict[str, str]], load: float) -> str:
    """The rows as Markdown, under a line on the machine."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} processors, load {load:.1f} before the start."
    lines = [
        f"| {' | '.join(str(row[name]) for name in ('what', 'ratio', 'asked', 'ours', 'beside'))} |" for row in rows
    ]
    return "\n".join([machine, "", _HEAD + "\n".join(lines), ""])


def main() -> None:
    """Run them, or those that are named, and write the table where all were run."""
    asked = sys.argv[1:]
    chosen = [bench for bench in BENCHES if not asked or bench[0].removesuffix(".py") in asked]
    load = os.getloadavg()[0]
    done = [run(*bench) for bench in chosen]
    rows = [row for found, _ in done for row in found]
    if not asked:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_TABLE.sub(lambda _: table(rows, load), page), encoding="utf-8")
    sys.exit(0 if all(went for _, went in done) else 1)


if __name__ == "__main__":
    main()
