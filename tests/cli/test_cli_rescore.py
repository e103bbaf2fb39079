"""``rescore`` and ``regroup`` on an installation, and places in UTF-16 in what ``score`` prints."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from moderation.cli.program import installation
from moderation.services.submit import Client, Submission, submit_comment

Run = Callable[..., Any]


@pytest.fixture
def filled(home: Any, run: Run) -> None:
    """A site with three comments."""
    run("site", "add", "news", "--origin", "https://news.example")
    run("site", "set", "news", "submit_rate=none")
    with installation() as parts:
        for body in ("A calm remark about the night ferry.", "you shit", "A calm remark about the night ferry!"):
            sent = Submission("a", None, None, None, "Ana", None, None, None, body, filled_in_ms=60_000)
            submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))


@pytest.mark.usefixtures("filled")
def test_rescore_prints_what_differs_and_applies(run: Run, run_json: Run) -> None:
    told = run("rescore", "--site", "news").output
    assert "3 comments by signals-" in told
    assert "3 are the same." in told
    assert "The policy would decide on all of them as before." in told
    report = run_json("rescore", "--site", "*", "--last", "2", "--apply")
    assert (report["compared"], report["same"], report["applied"]) == (2, 2, {"stored": 2, "passed_over": 0})
    assert set(report["attributes"]) >= {"risk", "toxicity", "spam"}
    assert "Stored 1; passed over 0." in run("rescore", "--site", "news", "--last", "1", "--apply").output
    assert run("audit", "verify").exit_code == 0


@pytest.mark.usefixtures("filled")
def test_regroup_says_how_many_it_looked_at(run: Run, run_json: Run) -> None:
    assert run_json("regroup", "--site", "news") == {"comments": 3}
    assert "Put 3 comments into groups." in run("regroup", "--site", "*").output


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("command", ["rescore", "regroup"])
def test_rescore_of_no_such_site_fails(run: Run, command: str) -> None:
    assert "no such site" in run(command, "--site", "nowhere", status=1).stderr
    run(command, status=2)


def test_score_has_places_in_utf16_too(run: Run) -> None:
    answer = json.loads(run("score", "\U0001f600 shit", "--json").stdout)
    (evidence,) = [one["evidence"][0] for one in answer["signals"] if one["name"] == "profanity"]
    assert (evidence["spans"], evidence["spans_utf16"]) == ([[2, 6]], [[3, 7]])
    (line,) = run("score", "--lines", "-", stdin='{"text": "\\ud83d\\ude00 shit"}').stdout.splitlines()
    assert '"spans_utf16": [[3, 7]]' in line
