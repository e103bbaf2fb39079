"""``import`` and ``export`` on an installation: what they print, where they write, and how they fail."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.transfer.conftest import SAMPLES

Run = Callable[..., Any]
WXR = str(SAMPLES / "wordpress.xml")


@pytest.fixture
def site(home: Path, run: Run) -> Path:
    """An installation with two sites."""
    run("site", "add", "news", "--origin", "https://news.example")
    run("site", "add", "copy", "--origin", "https://copy.example")
    return home


@pytest.mark.usefixtures("site")
def test_import_says_what_it_would_do_and_what_it_did(run: Run, run_json: Run) -> None:
    assert "Would add 7 (" in run("import", "wordpress", WXR, "--site", "news", "--dry-run").stdout
    report = run_json("import", "wordpress", WXR, "--site", "news")
    assert report["added"] == {"pending": 1, "approved": 3, "spam": 1, "trashed": 2}
    assert {one["reason"] for one in report["left_out"]} >= {"pingback", "trackback"}
    assert "There already: 7." in run("import", "wordpress", WXR, "--site", "news").stdout
    assert run("audit", "verify").exit_code == 0


@pytest.mark.usefixtures("site")
def test_import_that_cannot_be_fails_with_one_line(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<rss>\n<a></b>", encoding="utf-8")
    failed = run("import", "wordpress", str(broken), "--site", "news", status=1)
    assert failed.stderr.startswith("Error: Line 2: it is not well-formed XML")
    assert "no such site" in run("import", "wordpress", WXR, "--site", "nowhere", status=1).stderr
    for words in (
        ["import", "blogger", WXR],
        ["import", "wordpress", str(tmp_path / "none")],
        ["import"],
        ["export", "pdf"],
    ):
        run(*words, "--site", "news", status=2)
    run("import", "wordpress", WXR, status=2)


@pytest.mark.usefixtures("site")
def test_export_writes_whole_files_for_their_owner_alone(run: Run, tmp_path: Path) -> None:
    run("import", "wordpress", WXR, "--site", "news")
    out = tmp_path / "out.jsonl"
    out.write_text("older", encoding="utf-8")
    assert "Wrote 7 comments" in run("export", "jsonl", "--site", "news", "--output", str(out), "--with-emails").stdout
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text(encoding="utf-8").count("imke@garden.example") == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
    plain = run("export", "jsonl", "--site", "news").stdout
    assert "@garden.example" not in plain
    assert len([json.loads(line) for line in plain.splitlines()]) == 10
    assert "Added 7 " in run("import", "jsonl", str(out), "--site", "copy").stdout
    assert run("export", "csv", "--site", "copy").stdout.startswith("id,thread,")
    failed = run("export", "jsonl", "--site", "news", "--output", str(tmp_path / "none/out"), status=1)
    assert "No such file" in failed.stderr
