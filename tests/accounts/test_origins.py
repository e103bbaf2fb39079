"""Origins are kept in the form in which a browser sends them, and nothing else is let in."""

import pytest

from moderation.domain.origin import origin_of


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://News.Example", "https://news.example"),
        ("HTTPS://news.example:443", "https://news.example"),
        ("http://news.example:80/", "http://news.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_origin_of_a_site_is_what_its_browsers_send(raw: str, expected: str) -> None:
    assert origin_of(raw) == expected
    assert origin_of(expected) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "*",
        "news.example",
        "//news.example",
        "https://",
        "https://news.example/path",
        "https://news.example/?q",
        "https://news.example?",
        "https://news.example#x",
        "https://user@news.example",
        "https://news.example:0",
        "https://news.example:99999",
        "ftp://news.example",
        "javascript:alert(1)",
        "https://news.example\nhttps://evil.example",
        "https://*.example",
        "https://news.example:443:443",
    ],
)
def test_origin_of_anything_else_is_refused(raw: str) -> None:
    assert origin_of(raw) is None
