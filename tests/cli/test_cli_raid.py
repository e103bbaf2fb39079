"""Raid mode from a shell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result


def test_raid_is_held_given_back_and_ended(
    home: Path, run: Callable[..., Result], run_json: Callable[..., Any]
) -> None:
    made = run_json("site", "add", "news", "--origin", "https://news.example")
    assert made["raid_since"] is None
    assert run("site", "raid", "news", "hold").output.startswith("Under a raid since 20")
    shown = run_json("site", "show", "news")
    assert (shown["settings"]["raid_mode"], shown["raid_since"] is None) == ("on", False)
    assert f"raid_since = {shown['raid_since'][:19]}" in run("site", "show", "news").output
    assert run_json("site", "raid", "news", "auto")["settings"]["raid_mode"] == "auto"
    assert run("site", "raid", "news", "end").output == "Not under a raid.\n"
    assert "raid_since = -" in run("site", "show", "news").output
    run("site", "raid", "news", "surrender", status=2)
    run("site", "raid", "nowhere", "end", status=1)
    run("site", "set", "news", "raid_mode=perhaps", status=1)
