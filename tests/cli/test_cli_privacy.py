"""``moderation privacy``: a person's data, printed and erased."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.app import create_app
from moderation.services.submit import Client, Submission, submit_comment
from moderation.settings import read_settings
from moderation.storage.db import write
from moderation.storage.models import Comment
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


def test_retain_says_what_would_go_and_lets_it_go(run: Run, run_json: Run) -> None:
    assert run_json("privacy", "retain") == {"sites": []}
    run("site", "set", "news", "keep_networks_days=30")
    nothing = {"site": "news", "addresses": 0, "networks": 0, "refused": 0}
    assert run_json("privacy", "retain", "--dry-run", "--site", "news") == {"sites": [nothing]}
    app = create_app(read_settings())
    with app.app_context(), write() as session:
        session.execute(sa.update(Comment).values(created_at=app.extensions["moderation"].clock() - timedelta(days=31)))
    dispose(app)
    assert run_json("privacy", "retain", "--dry-run") == {"sites": [{**nothing, "networks": 1}]}
    assert run_json("privacy", "retain") == {"sites": [{**nothing, "networks": 1}]}
    assert "None." in run("privacy", "retain").stdout
    assert "no such site" in run("privacy", "retain", "--site", "x", status=1).stderr
    assert "0 to 3650" in run("site", "set", "news", "keep_networks_days=9999", status=1).stderr


def test_verify_against_heads_that_were_noted_finds_a_log_put_back(run: Run, home: Path, tmp_path: Path) -> None:
    old = (home / "moderation.db").read_bytes()
    run("site", "set", "news", "votes=on")
    noted = tmp_path / "noted.json"
    noted.write_text(run("audit", "verify", "--json").stdout)
    run("audit", "verify", "--noted", str(noted))
    (home / "moderation.db").write_bytes(old)
    run("audit", "verify")
    assert "was noted is not there" in run("audit", "verify", "--noted", str(noted), status=1).stderr
    for nonsense in ("no JSON", "{}", '{"heads": [{"chain": 1}]}', '{"heads": 3}'):
        noted.write_text(nonsense)
        run("audit", "verify", "--noted", str(noted), status=2)
    noted.write_text('{"heads": [{"chain": "service", "line": 99999999999999999999, "hash": "no hash"}]}')
    run("audit", "verify", "--noted", str(noted), status=1)
