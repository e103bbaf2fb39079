"""The commands of the contract: what they print, and how they fail."""

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from moderation.cli import main

Run = Callable[..., Any]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(main))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself(run: Run, path: tuple[str, ...]) -> None:
    assert ALL[path].help
    assert "Usage: " in run(*path, "--help").output


@pytest.mark.parametrize("path", [path for path in ALL if path[-1] == "list"], ids=" ".join)
def test_every_list_can_be_json(path: tuple[str, ...]) -> None:
    assert "--json" in [option for parameter in ALL[path].params for option in parameter.opts]


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("site", "add", "news"),
        ("site", "set", "news"),
        ("site", "set", "news", "votes"),
        ("token", "add", "--site", "news", "--role", "owner"),
        ("token", "revoke", "nonsense"),
        ("rule", "add", "nonsense", "x", "--site", "news"),
        ("serve", "--workers", "0"),
        ("webhook", "replay", "01a2091d-04dd-7db4-8593-d30031daa009", "--failed"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, status=2)
    assert "Error: " in result.stderr
    assert result.stdout == ""


def test_site_is_added_shown_and_set(home: Path, run: Run, run_json: Callable[..., Any]) -> None:
    made = run_json("site", "add", "news", "--origin", "https://News.example/", "--policy", "auto")
    assert (made["key"], made["origins"], made["settings"]["policy"]) == ("news", ["https://news.example"], "auto")
    changed = run_json("site", "set", "news", "submit_rate=none", "votes=on", "name=The News")
    assert (changed["settings"]["submit_rate"], changed["settings"]["votes"], changed["name"]) == (
        "none",
        True,
        "The News",
    )
    assert run_json("site", "show", "news") == changed
    assert run_json("site", "list") == [changed]
    assert "submit_rate = none" in run("site", "show", "news").output


def test_failure_is_one_line_on_standard_error(home: Path, run: Run) -> None:
    for arguments in (
        ("site", "show", "nowhere"),
        ("site", "add", "News", "--origin", "https://news.example"),
        ("token", "add", "--site", "nowhere", "--role", "viewer"),
        ("token", "revoke", "01a2091d-04dd-7db4-8593-d30031daa009"),
    ):
        result = run(*arguments, status=1)
        assert result.stdout == ""
        assert re.fullmatch(r"Error: [^\n]+\n", result.stderr)


def test_token_is_printed_once(home: Path, run: Run, run_json: Callable[..., Any]) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    made = run_json("token", "add", "--site", "news", "--role", "scorer", "--name", "akismet")
    assert set(made) == {"id", "token"}
    assert re.fullmatch(r"[a-z0-9]{1,63}", made["token"])
    assert made["token"] not in run("token", "list").output
    listed = run_json("token", "list", "--site", "news")
    assert [(row["id"], row["role"], row["hint"]) for row in listed] == [(made["id"], "scorer", made["token"][:8])]
    run("token", "revoke", made["id"])
    assert run_json("token", "list")[0]["revoked_at"]
    everywhere = run("token", "add", "--site", "*", "--role", "admin", "--expires", "2999-01-01")
    assert re.fullmatch(r"[a-z0-9]{1,63}\n", everywhere.stdout)


def test_moderator_is_added_twice_given_a_password_and_removed(
    home: Path, run: Run, run_json: Callable[..., Any]
) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    made = run_json("moderator", "add", "Ana", "--role", "moderator", "--site", "news")
    assert len(made["password"]) >= 20
    again = run_json("moderator", "add", "Ana", "--role", "viewer", "--site", "*")
    assert "password" not in again
    assert len(again["roles"]) == 2
    assert "password" in run("moderator", "password", "Ana", "--password-stdin", stdin="short\n", status=1).stderr
    changed = run("moderator", "password", "Ana", "--password-stdin", stdin="a long enough pass phrase\n").output
    assert "a long enough" not in changed
    run("moderator", "remove", "Ana", "--site", "news")
    assert run_json("moderator", "list")[0]["roles"] == [{"site": "*", "role": "viewer"}]
    run("moderator", "remove", "Ana")
    assert run_json("moderator", "list") == []
    run("moderator", "remove", "Ana", status=1)


def test_rule_is_added_tested_and_removed(home: Path, run: Run, run_json: Callable[..., Any]) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    made = run_json("rule", "add", "word", "casino*", "--site", "news", "--action", "spam")
    assert "casino" in run("rule", "test", "-", "--site", "news", stdin="The casinos of the town").output
    assert "No rule" in run("rule", "test", "A calm remark.", "--site", "news").output
    assert [row["id"] for row in run_json("rule", "list", "--site", "news")] == [made["id"]]
    assert "look-behind" in run("rule", "add", "pattern", "(?=a)b", "--site", "news", status=1).stderr
    run("rule", "remove", made["id"])
    assert "None." in run("rule", "list", "--site", "news").output


def test_webhook_is_added_tested_rotated_and_removed(
    home: Path, run: Run, run_json: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    assert "url" in run("webhook", "add", "--site", "news", "--url", "http://127.0.0.1:9/x", status=1).stderr
    monkeypatch.setenv("MODERATION_WEBHOOK_ALLOW_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("MODERATION_WEBHOOK_ALLOW_HTTP", "true")
    made = run_json("webhook", "add", "--site", "news", "--url", "http://127.0.0.1:9/x", "--event", "comment.approved")
    assert set(made) == {"id", "secret"}
    assert made["secret"].startswith("whsec_")
    assert "Not delivered" in run("webhook", "test", made["id"], status=1).stderr
    rotated = run_json("webhook", "rotate", made["id"])
    assert rotated["secret"] != made["secret"]
    assert run_json("webhook", "deliveries", made["id"]) == []
    assert "0 again" in run("webhook", "replay", made["id"], "--since", "2026-01-01").output
    assert [row["events"] for row in run_json("webhook", "list", "--site", "news")] == [["comment.approved"]]
    run("webhook", "remove", made["id"])
    assert run_json("webhook", "list", "--site", "news") == []


def test_terminal_never_gets_control_characters_of_others(home: Path, run: Run) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    run("rule", "add", "author", "evil\x1b[2Jname", "--site", "news")
    listed = run("rule", "list", "--site", "news").output
    assert "\x1b" not in listed
    assert "\\x1b" in listed


def test_audit_verify_tells_a_changed_line(home: Path, run: Run, run_json: Callable[..., Any]) -> None:
    import sqlite3
    from contextlib import closing

    run("site", "add", "news", "--origin", "https://news.example")
    assert run_json("audit", "verify")["ok"] is True
    with closing(sqlite3.connect(home / "moderation.db")) as connection, connection:
        connection.execute("UPDATE audit SET actor_name = 'nobody'")
    found = run("audit", "verify", "--json", status=1)
    assert '"ok": false' in found.stdout


def test_check_names_what_is_wrong(home: Path, run: Run) -> None:
    result = run("check", status=1)
    assert re.findall(r"FAILED +(\w+)", result.output) == ["worker"]
    assert "FAILED" not in run("check", "--no-worker").output
    key = home / "keys" / "secret_key"
    key.chmod(stat.S_IRUSR | stat.S_IRGRP)
    assert re.findall(r"FAILED +(\w+)", run("check", "--no-worker", status=1).output) == ["keys"]
