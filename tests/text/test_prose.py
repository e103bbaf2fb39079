"""Texts without markup take a short cut, to the same bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.adapters import sanitizer
from moderation.adapters.sanitizer import Renderer
from moderation.domain.text import normalise_body

PIECES = (
    *("word", "Two words", "example.com", "www.example.org", "a@b.example", "mailto:x", "http://x.example", "1", "I"),
    *(" ", "  ", "\t", "\n", "\n\n", "\n\n\n", ".", ". ", ":", ": ", "://", "-", "---", "- ", "1. ", "1) ", "=", "==="),
    *(
        "&",
        "&amp;",
        "&lt",
        "<",
        ">",
        "<b>",
        "*",
        "**",
        "_",
        "`",
        "~~",
        "!",
        "![",
        "[x]",
        "(y)",
        "[x](y)",
        "#",
        "# ",
        "|",
    ),
    *(
        "'",
        '"',
        "\\",
        ",",
        ";",
        "?",
        "(",
        ")",
        "(c)",
        "...",
        "é",
        "ß",
        "日本語",
        "עברית",
        "e\u0301",
        "\u200d",
        "👍",
        "\u00a0",
    ),
    *("ǆ", "ﬁ", "İ", "\u2028", "ⅷ", "²", "٣", "〇"),
)

RENDERERS = [Renderer("bleach"), Renderer("nh3")]


def slowly(renderer: Renderer, body: str) -> str:
    source = normalise_body(body)
    final = renderer.sanitized(renderer._rendered(source))
    return final if sanitizer.links_if_safe(final) is not None else sanitizer._as_plain_text(source)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_render_prose_gives_the_bytes_of_the_parser_and_the_engine(body: str) -> None:
    for renderer in RENDERERS:
        assert renderer.html(body) == slowly(renderer, body)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(categories=["L", "Nd", "Nl", "Zs", "Po", "Ps", "Pe"]), max_size=12))
def test_render_letters_of_any_script_gives_the_same_bytes(body: str) -> None:
    for renderer in RENDERERS:
        assert renderer.html(body) == slowly(renderer, body)


@pytest.mark.parametrize(
    ("body", "is_prose"),
    [
        ("A calm remark, isn't it?\n\nYes: it is (mostly) well-meant.", True),
        ("See example.com for more.", False),
        ("1. A list.", False),
        ("A line\nand another.", False),
        ("Fish & chips", False),
        ("It ends with:", False),
        ("", False),
    ],
)
def test_take_the_short_cut_for_prose_alone(body: str, is_prose: bool) -> None:
    assert (sanitizer._as_prose(normalise_body(body)) is not None) == is_prose
