"""``moderation moderator reset-second-factor``: for who has lost their device."""

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_reset_second_factor_says_what_it_did(run: Run, run_json: Run, home: Any) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    run("moderator", "add", "Ana", "--role", "moderator", "--site", "news")
    assert run_json("moderator", "list")[0]["second_factor"] is False
    assert "Ana has none." in run("moderator", "reset-second-factor", "Ana").output
    assert run_json("moderator", "reset-second-factor", "Ana")["reset"] is False
    run("moderator", "reset-second-factor", "Nobody", status=1)
