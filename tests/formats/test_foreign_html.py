"""HTML of other systems as Markdown: what readers saw stays what they see, and nothing takes long."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.adapters.sanitizer import Renderer, links_if_safe
from moderation.formats.foreign_html import looks_like_html, markdown_of, plain_of

RENDERER = Renderer("nh3")


def shown(markup, *, lines=False):
    return RENDERER.html(markdown_of(markup, lines=lines))


@pytest.mark.parametrize(
    ("markup", "lines", "html"),
    [
        ("<p>One</p><p>Two<br>lines</p>", False, "<p>One</p>\n<p>Two<br>\nlines</p>"),
        ("One\n\nTwo\nlines", True, "<p>One</p>\n<p>Two<br>\nlines</p>"),
        ("One\nline", False, "<p>One line</p>"),
        ("One<br />\nline", True, "<p>One<br>\nline</p>"),
        (
            "<b>b</b> <i>i</i> <em>e<strong>s</strong></em>",
            False,
            "<p><strong>b</strong> <em>i</em> <em>e<strong>s</strong></em></p>",
        ),
        ("<b>a\n\nb</b>", True, "<p><strong>a</strong></p>\n<p><strong>b</strong></p>"),
        ('x<b>"q"</b>y', False, '<p>x"q"y</p>'),
        ("<p>un<p>closed<li>item", False, "<p>un</p>\n<p>closed</p>\n<p>item</p>"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", False, "<ul>\n<li>a</li>\n<li>b\n<ul>\n<li>c</li>\n</ul>\n</li>\n</ul>"),
        ("<ol><li>a</li><li>b</li></ol>", False, "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        (
            "<blockquote><p>a</p><p>b</p></blockquote>c",
            False,
            "<blockquote>\n<p>a</p>\n<p>b</p>\n</blockquote>\n<p>c</p>",
        ),
        ("<pre>a  b\n  ```\n</pre>", False, "<pre><code>a  b\n  ```\n</code></pre>"),
        ("<code>a ` b</code>", False, "<p><code>a ` b</code></p>"),
        ("<h2>Title</h2>text", False, "<p><strong>Title</strong></p>\n<p>text</p>"),
        (
            "* not\n- a\n+ list\n1. at\n> all\n~~~\n```",
            True,
            "<p>* not<br>\n- a<br>\n+ list<br>\n1. at<br>\n&gt; all<br>\n~~~<br>\n```</p>",
        ),
        ("*a* _b_ `c` [d](e) snake_case 2 * 3 \\*", False, "<p>*a* _b_ `c` [d](e) snake_case 2 * 3 \\*</p>"),
        ("&lt;b&gt; &amp;amp; &#39;", False, "<p>&lt;b&gt; &amp;amp; '</p>"),
        ("<script>a()</script><style>b{}</style><!-- c -->text<iframe src=x>d</iframe>", False, "<p>text</p>"),
        ("a <!-- never closed", False, "<p>a &lt;!-- never closed</p>"),
        ("1 < 2 and 3 > 2 <3 <nobody@x", False, "<p>1 &lt; 2 and 3 &gt; 2 &lt;3 &lt;nobody@x</p>"),
        ('<a href="javascript:alert(1)">x</a>', False, "<p>x</p>"),
        ('<a href="/relative">x</a>', False, "<p>x</p>"),
    ],
)
def test_turn_html_into_markdown_shows_the_same(markup, lines, html) -> None:
    assert shown(markup, lines=lines) == html


@pytest.mark.parametrize(
    ("markup", "target", "label"),
    [
        ('<a href="https://e.example/a?b=1&amp;c=2">x</a>', "https://e.example/a?b=1&amp;c=2", "x"),
        ("<a HREF='https://e.example/(a)'>x]y</a>", "https://e.example/(a)", "x]y"),
        ("<a href=https://e.example/_a_>https://e.example/_a_</a>", "https://e.example/_a_", "https://e.example/_a_"),
        ('<a href="https://e.example/a."><b>x</b></a>', "https://e.example/a.", "<strong>x</strong>"),
        ('<a href="https://e.example/"></a>', "https://e.example/", "https://e.example/"),
        ("https://e.example/a_b*c", "https://e.example/a_b*c", "https://e.example/a_b*c"),
        ('<img src="https://e.example/p.png">', "https://e.example/p.png", "https://e.example/p.png"),
    ],
)
def test_turn_link_into_markdown_keeps_target_and_label(markup, target, label) -> None:
    assert shown(markup) == f'<p><a href="{target}" rel="nofollow ugc noopener noreferrer">{label}</a></p>'


PIECES = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<i>",
        "<a href='https://e.example/'>",
        "</a>",
        "<blockquote>",
        "</blockquote>",
        "<ul>",
        "<li>",
        "</ul>",
        "<pre>",
        "</pre>",
        "<code>",
        "</code>",
        "<br>",
        "<script>",
        "</script>",
        "<img src=https://e.example/x>",
        "<!--",
        "-->",
        "&lt;",
        "&amp;",
        "text",
        " ",
        "\n",
        "\n\n",
        "*",
        "_",
        "`",
        "[",
        "](",
        ")",
        "<",
        ">",
        "\\",
        "1.",
        "-",
        "~~~",
        "onclick=",
        '"',
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join), st.booleans())
def test_turn_any_html_into_markdown_is_safe_and_loses_no_words(markup, lines) -> None:
    html = shown(markup, lines=lines)
    assert links_if_safe(html) is not None
    if "<script>" not in markup and "<!--" not in markup:
        assert html.count("text") == markup.count("text")
    assert RENDERER.plain(plain_of(markup, lines=lines)).count("<script") == 0


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab *_`[]()<>\\~.-+1#!&\n:/"), max_size=40))
def test_turn_plain_text_into_markdown_stays_what_it_was(text) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    html = shown(escaped, lines=True)
    assert "<em>" not in html
    assert "<strong>" not in html
    assert "<code>" not in html
    assert "<ul>" not in html
    assert "<ol>" not in html
    assert "<blockquote>" not in html


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<a ",
        "<b>",
        '<a href="',
        "&#",
        "<p",
        "*",
        "\n",
        " \n",
        "<blockquote>",
        "http://",
        "`",
        "[](",
        "\\",
        "<ul><li>",
        "</b>",
        "<script>",
        "<b>*</b>",
        "<i></i>",
        "0",
        "<pre>",
        "<a href=https://e.example/>x</a>",
        "](",
        "<table><tr>",
    ],
)
def test_turn_hostile_html_into_markdown_takes_time_in_proportion(piece) -> None:
    markup = piece * (200_000 // len(piece))
    begun = time.process_time()
    markdown_of(markup, lines=True)
    plain_of(markup, lines=True)
    assert time.process_time() - begun < 3


def test_tell_html_from_markdown() -> None:
    assert looks_like_html("<p>a</p>")
    assert looks_like_html("a<br/>b")
    assert not looks_like_html("a < b > c, **x**, <https://e.example/>")
