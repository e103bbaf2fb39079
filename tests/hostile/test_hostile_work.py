"""The worst texts cost work in proportion to their length. Counted, not timed: times are in bench/hostile_texts.py."""

import sys
import unicodedata
from types import SimpleNamespace
from typing import Any

import pytest
import regex

from moderation.adapters.sanitizer import MAX_BODY_CHARS, MAX_HTML_CHARS, MAX_HTML_TAGS, MAX_PLAIN_HTML_CHARS, Renderer
from moderation.domain import identity, text
from moderation.domain.markup import plain_of_html
from moderation.domain.text import MAX_MARKS_READ, normalise_body, normalise_line
from moderation.errors import Invalid
from moderation.scoring.folding import fold
from tests.conftest import submission_json

MARKS = "\u0f74\u0f72\u0f71\u0330\u0301"
"""Marks whose order is not the canonical one, so that all of them have to move."""

UNITS = ["[", "![", "[a](", "*", "_*", "**a ", "`", "> ", "- ", "1. ", "<b>", "<a href=", "&", "&amp;", "http://", "://",
         "a@b.c ", "\\", "\n", MARKS, "e\u0301", "\u200d", "a\u200d", "\u2067\u2069", "\U0001f1e9", "\u1100", "ﷺ",
         "\u3000", "1", "i d ", "a. ", "\U0001f468\u200d"]  # fmt: skip


COUNTED = 3_000
"""Characters of the texts whose steps are counted."""


class Watched:
    """``unicodedata`` with an eye on what it is asked to put into order."""

    def __init__(self) -> None:
        self.longest, self.most = 0, 0

    def normalize(self, form: Any, given: str) -> str:
        rows = regex.findall(r"\p{M}+", given)
        self.longest = max([self.longest, *map(len, rows)])
        self.most = max(self.most, len(given))
        return unicodedata.normalize(form, given)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched()
    for module in (text, identity):
        monkeypatch.setattr(module, "unicodedata", SimpleNamespace(normalize=found.normalize))
    return found


def test_endless_marks_are_cut_before_they_are_put_into_order(watched: Watched) -> None:
    """To order n marks takes time squared in n: 80,000 of them took 3.7 s of a moderator's server."""
    for raw in (MARKS * 20_000, "a" + MARKS * 20_000 + "b", (MARKS * 3 + "\u200b") * 9_000, (MARKS + "\u202e") * 9_000):
        for normalised in (normalise_body(raw), normalise_line(raw, "name")):
            assert len(normalised) < 30
    assert 0 < watched.longest <= MAX_MARKS_READ


def test_what_is_no_address_by_its_length_alone_is_not_read(watched: Watched) -> None:
    for raw in (MARKS * 20_000, f"a{MARKS * 20_000}@b.example", "a" * 100_000):
        with pytest.raises(Invalid):
            identity.canonical_email(raw)
    assert watched.most <= 4 * identity.MAX_ADDRESS_OCTETS


def _steps(call: Any) -> int:
    """How many functions are called, of Python's and of C's."""
    steps = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal steps
        steps += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        call()
    except Invalid:
        pass
    finally:
        sys.setprofile(before)
    return steps


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_twice_the_text_takes_little_more_than_twice_the_steps(unit: str) -> None:
    renderer = Renderer("nh3")
    whole = (unit * COUNTED)[:COUNTED]
    for work in (renderer.html, normalise_body, fold, plain_of_html):
        half, all_of_it = _steps(lambda: work(whole[: COUNTED // 2])), _steps(lambda: work(whole))  # noqa: B023
        assert all_of_it <= 3 * half + 2_000, work
        assert all_of_it <= 60 * COUNTED, work


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_what_comes_out_grows_no_further_than_its_limit_or_is_refused_by_name(unit: str) -> None:
    for engine in ("bleach", "nh3"):
        html = _html_or_refusal(engine, (unit * MAX_BODY_CHARS)[:MAX_BODY_CHARS])
        assert len(html) <= MAX_HTML_CHARS
        assert html.count("<") <= MAX_HTML_TAGS
    with pytest.raises(Invalid):
        Renderer("nh3").plain("&" * (MAX_PLAIN_HTML_CHARS // 5 + 1))


def _html_or_refusal(engine: str, body: str) -> str:
    """What becomes of a body; "" where it is refused for being one."""
    try:
        return Renderer(engine).html(body)
    except Invalid as error:
        return "" if list(error.fields) == ["body"] else "<" * MAX_HTML_CHARS * 2


def test_a_flood_that_would_grow_fivefold_is_refused_by_its_field_and_not_cut(target) -> None:
    for body in ("> a\n\n" * 2_000, "- [a](http://a.example/" + "b" * 50 + ")\n" * 99, "a\n" * 5_000):
        answer = target.client.post("/api/v1/sites/news/comments", json=submission_json(body[:10_000]))
        if answer.status_code == 422:
            assert list(answer.get_json(force=True)["errors"]) == ["body"]
        else:
            whole = target.call("GET", f"/api/v1/comments/{answer.get_json()['id']}").get_json()
            assert whole["body"] == normalise_body(body[:10_000])
