"""The documentation, as the tests read it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TOP = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES = sorted([*_TOP, *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/migrate").glob("*.md")])
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language, in their order."""
    return [text for name, text in _FENCED.findall(page.read_text(encoding="utf-8")) if name == language]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    """Each page in turn."""
    found: Path = request.param
    return found
