"""A command line on an installation of its own."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from moderation.cli import main

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that the tests run on."""
    for name in [name for name in os.environ if name.startswith("MODERATION_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in a home folder that is not there yet; the status has to be ``status``."""
    monkeypatch.setenv("MODERATION_HOME", str(tmp_path / "home"))

    def invoke(*arguments: str, status: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, list(arguments), input=stdin)
        assert result.exit_code == status, (result.output, result.exception)
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder after ``init``, made once."""
    home = tmp_path_factory.mktemp("installed") / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MODERATION_")]:
            patch.delenv(name)
        patch.setenv("MODERATION_HOME", str(home))
        result = CliRunner().invoke(main, ["init"])
        assert result.exit_code == 0, result.output
    return home


@pytest.fixture
def home(installed: Path, tmp_path: Path) -> Path:
    """A copy of it, in the place where ``run`` looks."""
    shutil.copytree(installed, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def run_json(home: Path, run: Run) -> Callable[..., Any]:
    """Run a command on the installation and read what it prints as JSON."""

    def invoke(*arguments: str, **options: Any) -> Any:
        return json.loads(run(*arguments, "--json", **options).stdout)

    return invoke
