"""``moderation scorer``: from adding one to removing it, against a real server."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.scorers.conftest import Asked, Say, ScorerServer, saying, scorer_servers

__all__ = ["scorer_servers"]
Run = Callable[..., Any]


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, run: Run, home: Path) -> None:
    """An installation with a site, that may reach scorers on this machine."""
    monkeypatch.setenv("MODERATION_SCORER_ALLOW_NETWORKS", "127.0.0.0/8")
    run("site", "add", "news", "--origin", "https://news.example")


@pytest.mark.usefixtures("inside")
def test_scorer_is_added_tried_disabled_and_removed(
    run: Run, run_json: Run, scorer_servers: Callable[[Say], ScorerServer]
) -> None:
    server = scorer_servers(saying({"scores": {"insult": 0.9}}))
    given = ("scorer", "add", "house", "--site", "news", "--kind", "http", "--url", server.url)
    made = run_json(*given, "--option", "max_weight=0.3", "--option", 'thresholds={"insult": 0.8}')
    assert made["secret"].startswith("whsec_")
    assert made["options"] == {"max_weight": 0.3, "thresholds": {"insult": 0.8}}
    (listed,) = run_json("scorer", "list", "--site", "news")
    assert listed["id"] == made["id"]
    assert "secret" not in listed
    answer = run_json("scorer", "test", made["id"], "-", stdin="You fool.")
    assert (answer["ok"], answer["scores"]) == (True, {"insult": 0.9})
    assert server.asked[0].json["text"] == "You fool."
    printed = run("scorer", "test", made["id"], "You fool.").stdout
    assert "Insult 0.90 by the scorer house." in printed
    run("scorer", "disable", made["id"])
    assert run_json("scorer", "list", "--site", "news")[0]["state"] == "disabled"
    run("scorer", "enable", made["id"])
    assert run_json("scorer", "set", made["id"], "--deadline-ms", "200")["deadline_ms"] == 200
    assert run("scorer", "retry", made["id"]).stdout == "Asking again about 0.\n"
    run("scorer", "remove", made["id"])
    assert run_json("scorer", "list", "--site", "news") == []


@pytest.mark.usefixtures("inside")
def test_scorer_gets_its_key_from_a_file(
    run: Run, run_json: Run, tmp_path: Path, scorer_servers: Callable[[Say], ScorerServer]
) -> None:
    server = scorer_servers(saying(b"true"))
    (tmp_path / "key").write_text("abc123\n", encoding="ascii")
    given = ("scorer", "add", "spam", "--site", "*", "--kind", "akismet", "--url", server.url)
    made = run_json(*given, "--secret-file", str(tmp_path / "key"), "--option", "blog=https://news.example/")
    assert "abc123" not in str(made)
    assert run_json("scorer", "test", made["id"], "Buy this.")["scores"] == {"spam": 1.0}
    assert b"api_key=abc123&blog=https%3A%2F%2Fnews.example%2F&" in server.asked[0].body


@pytest.mark.usefixtures("inside")
def test_scorer_that_fails_is_one_line_and_status_1(
    run: Run, run_json: Run, scorer_servers: Callable[[Say], ScorerServer]
) -> None:
    def refuse(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        saying({}, 503)(handler, asked)

    server = scorer_servers(refuse)
    made = run_json("scorer", "add", "house", "--site", "news", "--kind", "http", "--url", server.url)
    result = run("scorer", "test", made["id"], "A text.", status=1)
    assert result.stderr == "Error: Unavailable: HTTP 503\n"
    for arguments in (
        ("scorer", "add", "house", "--site", "news", "--kind", "http", "--url", "http://10.0.0.1/"),
        ("scorer", "add", "other", "--site", "nowhere", "--kind", "http", "--url", server.url),
        ("scorer", "add", "chat", "--site", "news", "--kind", "openai_chat", "--url", server.url),
        ("scorer", "remove", "01a2091d-04dd-7db4-8593-d30031daa009"),
    ):
        assert run(*arguments, status=1).stdout == ""
    run("scorer", "add", "x", "--site", "news", "--kind", "http", "--url", server.url, "--option", "odd", status=2)
    run("scorer", "add", "x", "--site", "news", "--kind", "oracle", "--url", server.url, status=2)
