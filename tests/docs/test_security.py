"""Every promise of the security page names a test that is there."""

import ast
import re

from tests.docs.conftest import ROOT

_PAGE = ROOT / "docs/security.md"
_ROW = re.compile(r"^\| (?!promise |---)(?P<promise>.+?) \| (?P<tests>.+?) \|$", re.MULTILINE)
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")


def names_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_name_a_test_that_exists_for_every_promise() -> None:
    for row in _ROW.finditer(_PAGE.read_text("utf-8")):
        named = _TEST.findall(row["tests"])
        assert named, f"no test keeps: {row['promise']}"
        for file, name in named:
            assert (ROOT / file).is_file(), f"{file} is not there"
            assert name in names_of(file), f"{file} has no {name}"


def test_promise_each_thing_once() -> None:
    promises = [row["promise"] for row in _ROW.finditer(_PAGE.read_text("utf-8"))]
    assert len(promises) == len(set(promises))
