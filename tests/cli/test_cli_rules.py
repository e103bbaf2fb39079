"""``moderation rule``: lists of words, rules in YAML, and trying them."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def site(home: Path, run: Run) -> str:
    """The site ``news`` on an installation of its own."""
    run("site", "add", "news", "--origin", "https://news.example")
    return "news"


def test_list_is_imported_named_with_bad_lines_exported_and_removed(
    site: str, run: Run, run_json: Run, tmp_path: Path
) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeff# rude\r\ncasino\r\n\r\na*b\r\nfree money\t0.2\r\nfine\t3\r\n".encode())
    made = run("rule", "import", str(file), "--site", site, "--list", "rude", "--action", "hold", "--language", "de")
    assert "The list has 2 entries: 2 added, 0 removed, 2 refused." in made.stdout
    assert "Line 4: '*' may stand only" in made.stderr
    assert "Line 6: After the tab" in made.stderr
    assert [row["name"] for row in run_json("rule", "lists", "--site", site)] == ["rude"]
    assert run("rule", "export", "rude", "--site", site).stdout == "casino\nfree money\t0.2\n"
    assert "rude" in run("rule", "test", "Free money", "--site", site).stdout
    tried = run_json("rule", "import", "-", "--site", site, "--list", "rude", "--replace", "--dry-run", stdin="other")
    assert (tried["size"], tried["added"], tried["removed"]) == (1, 1, 2)
    more = run_json("rule", "import", "-", "--site", site, "--list", "rude", stdin="other")
    assert (more["size"], more["action"], more["language"]) == (3, "hold", "de")
    run("rule", "remove-list", "rude", "--site", site)
    assert "None." in run("rule", "lists", "--site", site).output
    assert "no such list" in run("rule", "export", "rude", "--site", site, status=1).stderr


def test_import_of_fifty_thousand_lines_takes_seconds(site: str, run: Run, run_json: Run, tmp_path: Path) -> None:
    letters = random.Random(11)
    words = {"".join(letters.choices("abcdefghijklmnop", k=10)) for _ in range(50_000)}
    file = tmp_path / "words.txt"
    file.write_text("\n".join(words))
    began = time.process_time()
    made = run_json("rule", "import", str(file), "--site", site, "--list", "big")
    assert time.process_time() - began < 8
    assert (made["size"], made["refused_count"]) == (len(words), 0)


def test_import_of_nothing_that_is_an_entry_fails(site: str, run: Run) -> None:
    result = run("rule", "import", "-", "--site", site, "--list", "rude", stdin="a*b\n", status=1)
    assert "Line 1:" in result.stderr


def test_automod_is_checked_set_shown_and_removed(site: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("body: casino\naction: filter\n---\nbdy: x\n")
    wrong = run("rule", "automod", str(file), "--site", site, status=1)
    assert "Line 4, column 1: 'bdy' is not known. Did you mean 'body'?" in wrong.stderr
    assert "Nothing was changed." in wrong.stderr
    run("rule", "automod", "--site", site, status=1)
    file.write_text("body: casino\naction: filter\n")
    assert "Rules in order: 1." in run("rule", "automod", str(file), "--site", site, "--check").output
    run("rule", "automod", "--site", site, status=1)
    assert "line 1 (filter)" in run("rule", "test", "casino", "--site", site, "--automod", str(file)).output
    assert "No rule" in run("rule", "test", "casino", "--site", site).output
    assert "Rules of the site: 1." in run("rule", "automod", str(file), "--site", site).output
    assert "line 1 (filter)" in run("rule", "test", "casino", "--site", site).output
    assert run("rule", "automod", "--site", site).stdout == "body: casino\naction: filter\n"
    run("rule", "automod", str(file), "--site", site, "--remove", status=2)
    run("rule", "automod", "--site", site, "--remove")
    run("rule", "automod", "--site", site, status=1)


def test_backtest_says_in_words_and_as_json_or_what_is_missing(site: str, run: Run, run_json: Run) -> None:
    says = run("rule", "backtest", "word", "casino", "--site", site, "--action", "hold").output
    assert says == "Would have held 0 of the last 0 decided comments; 0 of them were approved.\n"
    assert run_json("rule", "backtest", "--list", "-", "--site", site, stdin="casino\n")["tried"] == 0
    assert (
        run_json("rule", "backtest", "--automod", "-", "--site", site, stdin="body: x\naction: spam\n")["matched"] == 0
    )
    made = run_json("rule", "add", "word", "Haus", "--site", site, "--language", "de", "--match", "exact", "--part")
    assert (made["language"], made["match"], made["part"]) == ("de", "exact", True)
    assert run_json("rule", "backtest", "--rule", made["id"], "--site", site, "--last", "10")["tried"] == 0
    run("rule", "backtest", "--site", site, status=2)
    run("rule", "backtest", "word", "--site", site, status=2)
    run("rule", "backtest", "word", "x1", "--automod", "-", "--site", site, status=2, stdin="")
    run("rule", "backtest", "pattern", "(", "--site", site, status=1)
