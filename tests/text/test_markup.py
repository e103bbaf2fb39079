"""HTML read as plain text, with places that lead back, in time that grows with the length alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.domain.markup import MAX_LINKS, links_of_text, looks_like_html, plain_of_html

HOSTILE = ["<a", "<!--", "&", "<a href='", "<p>", "</", "<a href=" + " " * 50, "&amp", '<a b="', "&#x1f600;", "\ud800<"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "\nOne\n\nTwo\n"),
        ("You <b>id</b>iot", "You idiot"),
        ("a &lt;b&gt; &amp;amp; &#65;&#x42; &nosuch; & c", "a <b> &amp; AB &nosuch; & c"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<script>hidden()</script>", "\nhidden()\n"),
        ("<!-- hidden -->", "\n hidden -->"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<unclosed", "<unclosed"),
        ("", ""),
    ],
)
def test_read_html_as_text(html: str, text: str) -> None:
    assert plain_of_html(html).text == text


def test_read_html_gives_its_links() -> None:
    html = """<a href="http://a.example/?x=1&amp;y=2">x</a><a HREF='HTTPS://B.example'>y</a><a href=//c.example>z</a>
    <a title=x href=http://d.example>q</a><a href="javascript:alert(1)">w</a><abbr href="http://e.example">v</abbr>"""
    assert plain_of_html(html).links == ("http://a.example/?x=1&y=2", "https://b.example", "http://d.example")
    assert len(plain_of_html("<a href=http://a.example>" * 500).links) == MAX_LINKS


def test_find_links_in_text() -> None:
    text = "See http://a.example/x. [b](https://b.example/y) www.c.example, (http://d.example/z) http://u@e.example"
    found = links_of_text(text)
    assert found == ("http://a.example/x", "https://b.example/y", "http://www.c.example", "http://d.example/z")


@pytest.mark.parametrize(
    ("text", "is_html"), [("<p>x", True), ("a &amp; b", True), ("1 < 2 & 3", False), ("<3", False)]
)
def test_tell_html_from_text(text: str, is_html: bool) -> None:
    assert looks_like_html(text) is is_html


@given(
    st.lists(
        st.sampled_from(["a", "😀", " ", "<b>", "</b>", "<p>", "&amp;", "&#128512;", "<", ">", "&", "é"]), max_size=30
    )
)
def test_every_character_leads_back_to_where_it_stands(pieces: list[str]) -> None:
    html = "".join(pieces)
    plain = plain_of_html(html)
    places = [plain.source_of(at) for at in range(len(plain.text) + 1)]
    assert places == sorted(places)
    assert all(0 <= place <= len(html) for place in places)
    for at, char in enumerate(plain.text):
        assert html[places[at]] in (char, "&", "<")


@pytest.mark.parametrize("piece", HOSTILE)
def test_read_hostile_html_in_linear_time(piece: str) -> None:
    began = time.thread_time()
    plain_of_html((piece * 60_000)[:60_000])
    assert time.thread_time() - began < 1.5
