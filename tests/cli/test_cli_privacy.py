"""``moderation privacy``: a person's data, printed and erased."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moderation.app import create_app
from moderation.services.submit import Client, Submission, submit_comment
from moderation.settings import read_settings
from tests.conftest import dispose

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def inside(run: Run, home: Path) -> None:
    """An installation with a site and a comment."""
    run("site", "add", "news", "--origin", "https://news.example")
    app = create_app(read_settings())
    with app.app_context():
        sent = Submission("a", None, None, None, "Ana", "ana@example.org", None, None, "A calm remark.", 60_000)
        submit_comment(app.extensions["moderation"], "news", sent, Client("203.0.113.7", "test"))
    dispose(app)


def test_export_prints_and_erase_asks_first(run: Run, run_json: Run) -> None:
    given = ("ana@example.org", "--site", "news")
    (comment,) = json.loads(run("privacy", "export", *given).stdout)["comments"]
    assert comment["body"] == "A calm remark."
    run("privacy", "erase", *given, stdin="n\n", status=1)
    assert run_json("privacy", "erase", *given, "--yes") == {"erased": 1, "left": 0}
    assert json.loads(run("privacy", "export", *given).stdout)["comments"] == []


def test_address_that_is_none_is_refused(run: Run) -> None:
    assert "email" in run("privacy", "export", "nonsense", "--site", "news", status=1).stderr
    assert "no such site" in run("privacy", "erase", "ana@example.org", "--site", "x", "--yes", status=1).stderr
