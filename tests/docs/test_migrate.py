"""The pages for those who come from another service, followed word for word."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from moderation.domain import akismet, perspective
from moderation.domain.actor import CLI
from moderation.domain.site import SiteSettings
from moderation.scoring.perspective import ALIKE, FITTED, MAX_SENTENCES
from moderation.services import learning, sites
from moderation.web.guards import LARGER_BODIES
from tests.compat.conftest import packages  # noqa: F401 - a fixture
from tests.conftest import ENCRYPTION_KEY, INDEX_KEY, SECRET_KEY, LiveServer
from tests.docs.conftest import ROOT, blocks

MIGRATE = ROOT / "docs/migrate"
SERVICE = "http://127.0.0.1:8080"
SHELL_S = 120


class Shell:
    """A folder with the command ``moderation`` for the running service, whose site is ``news``."""

    def __init__(self, server: LiveServer, folder: Path) -> None:
        self.server, self.folder, self.printed = server, folder, ""
        settings = server.app.extensions["moderation"].settings
        commands = folder / "bin"
        commands.mkdir(parents=True)
        command = commands / "moderation"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m moderation "$@"\n', encoding="ascii")
        command.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "MODERATION_HOME": str(settings.home),
            "MODERATION_DATABASE_URL": settings.database_url,
            "MODERATION_SECRET_KEY": base64.b64encode(SECRET_KEY).decode(),
            "MODERATION_INDEX_KEY": base64.b64encode(INDEX_KEY).decode(),
            "MODERATION_ENCRYPTION_KEYS": f"k1:{base64.b64encode(ENCRYPTION_KEY).decode()}",
        }

    def run(self, page: str) -> list[str]:
        """Run all shell of a page, and what then tells the key; the lines that it printed before, without the key."""
        script = "\n".join(blocks(MIGRATE / page, "sh")).replace(SERVICE, self.server.url)
        script += '\nprintf "KEY=%s\\n" "${KEY:-}"\n'
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SHELL_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.printed = done.stdout
        *lines, key = done.stdout.splitlines()
        self.environment |= {"KEY": key.removeprefix("KEY="), "SERVICE": self.server.url}
        return [line for line in lines if not re.match(r"news  |  \w+ = ", line) and line != "news"]

    def python(self, page: str) -> str:
        """Run the Python of a page with the key and the service; what it printed."""
        (script,) = blocks(MIGRATE / page, "python")
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def decisions(self) -> int:
        """How much the site learned."""
        with self.server.app.app_context():
            return int(learning.show(self.server.app.extensions["moderation"], CLI, "news")["decisions"])


@pytest.fixture
def shell(live_server: LiveServer, tmp_path: Path) -> Shell:
    """A shell in which the pages can be followed."""
    with live_server.app.app_context():
        sites.add_site(live_server.app.extensions["moderation"], CLI, "news", "", ["https://news.example"])
    return Shell(live_server, tmp_path / "follow")


def run_node(shell: Shell, folder: Path, page: str) -> str:
    """Run the script of a page among the packages."""
    (script,) = blocks(MIGRATE / page, "js")
    path = folder / "page.mjs"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(
        ["node", str(path)], cwd=folder, env=shell.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_follow_akismet_page_prints_what_it_shows(shell: Shell) -> None:
    (shown,) = blocks(MIGRATE / "akismet.md", "text")
    assert shell.run("akismet.md") == shown.splitlines()
    assert shell.decisions() == 1
    assert shell.python("akismet.md") == "HAM\n"


def test_follow_akismet_page_in_node(shell: Shell, packages: Path) -> None:  # noqa: F811
    shell.run("akismet.md")
    assert run_node(shell, packages, "akismet.md") == "true true\n"


def test_follow_perspective_page_answers_with_scores(shell: Shell) -> None:
    (line,) = shell.run("perspective.md")
    answer = json.loads(line)
    assert answer["clientToken"] == "comment-53922"
    toxicity = answer["attributeScores"]["TOXICITY"]
    assert [(one["begin"], one["end"]) for one in toxicity["spanScores"]] == [(0, 17), (18, 39)]
    first, second = (one["score"]["value"] for one in toxicity["spanScores"])
    assert first > 2 * second
    assert answer["attributeScores"]["INSULT"]["summaryScore"]["value"] >= 0.2
    assert shell.python("perspective.md") == "True\n"


def test_follow_perspective_page_in_node(shell: Shell, packages: Path) -> None:  # noqa: F811
    shell.run("perspective.md")
    assert run_node(shell, packages, "perspective.md") == "true\n"


def test_follow_coral_page_flags_and_teaches(shell: Shell) -> None:
    (shown,) = blocks(MIGRATE / "coral.md", "text")
    phase, analyzed, suggested = shell.run("coral.md")
    assert phase == shown.strip()
    assert "has_coral_secret = on" in shell.printed
    assert "5f1d3a7c" not in shell.printed
    assert json.loads(analyzed)["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.5
    assert json.loads(suggested)["clientToken"] == "comment:1"
    assert shell.decisions() == 1


def test_tell_limits_of_other_protocols_as_they_are() -> None:
    rate = SiteSettings().scorer_rate.partition("/")[0]
    told: dict[str, list[str]] = {
        "akismet.md": [
            f"spam score is {akismet.BLATANT_FROM} or more",
            f"X-akismet-recheck-after: {akismet.RECHECK_AFTER_S}",
            *akismet.GUARANTEED_NAMES,
            akismet.GUARANTEED_EMAIL,
            f"({rate} a minute for each key)",
            f"a form over {LARGER_BODIES['akismet'] // 1024} kB",
        ],
        "perspective.md": [
            f"over {perspective.MAX_TEXT_BYTES:,} bytes",
            f"up to {MAX_SENTENCES} parts",
            f"({rate} a minute for each key)",
            *(f"`{name}`" for name in (*FITTED, *ALIKE)),
            *(f"`{name}`" for name in vars(perspective).values() if isinstance(name, str) and name.isupper()),
        ],
    }
    pages = {name: " ".join((MIGRATE / name).read_text(encoding="utf-8").split()) for name in told}
    assert [(name, text) for name, texts in told.items() for text in texts if text not in pages[name]] == []
