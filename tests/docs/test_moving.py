"""The pages for those who move in from another system, followed word for word."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from moderation.adapters import sanitizer
from moderation.cli import main
from moderation.formats import files
from moderation.services import transfer
from moderation.storage import transfer as rows
from tests.docs.conftest import ROOT
from tests.transfer.conftest import sample

FILES = {"wordpress": "blog.xml", "disqus": "ferry.xml.gz", "isso": "copy.db", "remark42": "backup-kiln.gz"}
_STEP = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the site ``news``, made once."""
    home = tmp_path_factory.mktemp("installed") / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MODERATION_")]:
            patch.delenv(name)
        patch.setenv("MODERATION_HOME", str(home))
        for words in (["init"], ["site", "add", "news", "--origin", "https://news.example"]):
            assert CliRunner().invoke(main, words).exit_code == 0
    return home


@pytest.mark.parametrize("kind", FILES)
def test_follow_page_word_for_word_prints_what_it_shows(kind: str, installed: Path, tmp_path: Path) -> None:
    """Each block of shell prints the block of text behind it, and nothing else."""
    shutil.copytree(installed, tmp_path / "home")
    folder = tmp_path / "there"
    folder.mkdir()
    found = sample(kind, tmp_path)
    raw = found.read_bytes()
    (folder / FILES[kind]).write_bytes(gzip.compress(raw) if FILES[kind] == "ferry.xml.gz" else raw)
    command = folder / "moderation"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m moderation "$@"\n', encoding="ascii")
    command.chmod(0o755)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
    environment = {**plain, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment["MODERATION_HOME"] = str(tmp_path / "home")
    steps = _STEP.findall((ROOT / f"docs/migrate/{kind}.md").read_text(encoding="utf-8"))
    assert [name for name, _ in steps] == ["sh", "text"] * (len(steps) // 2)
    for (_, script), (_, text) in zip(steps[::2], steps[1::2], strict=True):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.rstrip("\n") == text.rstrip("\n")


def test_tell_limits_of_texts_as_they_are() -> None:
    """The numbers on the page are the code's."""
    page = " ".join((ROOT / "docs/migrate/wordpress.md").read_text(encoding="utf-8").split())
    assert f"more than {sanitizer.MAX_BODY_CHARS:,} characters" in page
    assert f"up to {sanitizer.MAX_PLAIN_CHARS:,};" in page
    assert transfer.NAMELESS in page
    operate = " ".join((ROOT / "docs/operate.md").read_text(encoding="utf-8").split())
    for told in (
        f"stores {transfer.BATCH} comments a transaction",
        f"may have {files.MAX_BYTES // 2**30} GB",
        f"former texts (the newest {rows.HISTORY['revisions'][2]})",
        f"reports (the newest {rows.HISTORY['reports'][2]:,})",
    ):
        assert told in operate, told
