"""``moderation learned``: taught, shown, taken along, forgotten."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_model_is_taught_shown_taken_along_and_forgotten(
    home: Path, run: Run, run_json: Callable[..., Any], tmp_path: Path
) -> None:
    for key in ("news", "other"):
        run("site", "add", key, "--origin", f"https://{key}.example")
    for number in range(6):
        run("learned", "teach", "spam", f"Seven herbs, number {number}.", "--site", "news")
        run("learned", "teach", "fine", "-", "--site", "news", stdin=f"The harbour opens at {number}.")
    shown = run("learned", "show", "--site", "news").stdout
    assert "learned-12: 12 decisions, may add at most" in shown
    assert "Of the last 12 decisions it predicted" in shown
    file = tmp_path / "learned.json"
    file.write_text(run("learned", "export", "--site", "news").stdout, encoding="utf-8")
    taken = run_json("learned", "import", str(file), "--site", "other", "--reason", "The same newsroom.")
    assert taken["decisions"] == 12
    assert run("learned", "reset", "--site", "news", "--reason", "New rules.").stdout == "Forgotten.\n"
    assert run_json("learned", "show", "--site", "news")["decisions"] == 0
    assert run_json("learned", "show", "--site", "other")["decisions"] == 12
    run("audit", "verify")


def test_import_of_anything_else_ends_with_1(home: Path, run: Run, tmp_path: Path) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    for content in ("no json", "[]", json.dumps({"format": "x"}), "[" * 100_000):
        file = tmp_path / "other.json"
        file.write_text(content, encoding="utf-8")
        result = run("learned", "import", str(file), "--site", "news", "--reason", "x", status=1)
        assert "It is not what 'learned export' writes." in result.stderr


def test_learned_of_a_site_that_is_not_there_ends_with_1(home: Path, run: Run) -> None:
    for arguments in (("show",), ("export",), ("reset", "--reason", "x"), ("teach", "spam", "x")):
        assert "Error: " in run("learned", *arguments, "--site", "nowhere", status=1).stderr
