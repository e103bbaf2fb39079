"""Promises of ``safe_url``: what it lets through may stand in any ``href``."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.links import MAX_URL_CHARS, host_of, safe_url

SAFE = [
    ("https://example.com", "https://example.com"),
    ("HTTPS://ExAmple.COM/Path?Q=1#F", "https://example.com/Path?Q=1#F"),
    ("  http://example.com/a \n", "http://example.com/a"),
    ("http://localhost:8000/article", "http://localhost:8000/article"),
    ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
    ("http://[2001:DB8::1]:80/x", "http://[2001:db8::1]:80/x"),
    ("https://my_site.example.com./", "https://my_site.example.com./"),
    ("https://пример.рф/путь", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"),
    ("https://faß.de/", "https://xn--fa-hia.de/"),
    ("https://xn--e1afmkfd.xn--p1ai", "https://xn--e1afmkfd.xn--p1ai"),
    ("http://①②⑦.0.0。1/", "http://127.0.0.1/"),
    ("https://r3---sn-x.example.com/", "https://r3---sn-x.example.com/"),
    (
        "https://fa.example.org/می\u200cخواهم",
        "https://fa.example.org/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85",
    ),
    ("https://example.com/it's<b>\"`{}|^", "https://example.com/it%27s%3Cb%3E%22%60%7B%7D%7C%5E"),
    ("https://example.com?q#f", "https://example.com?q#f"),
    ("https://example.com/@user/a:b", "https://example.com/@user/a:b"),
]

UNSAFE = [
    "",
    "example.com",
    "//evil.example/x",
    "/\\evil.example",
    "\\\\evil.example",
    "/path",
    "#top",
    "http:evil",
    "http:/evil.example",
    "http:///evil.example",
    "http://",
    "http:///",
    "http://?q",
    "javascript:1",
    "javascript:alert(1)",
    "JaVaScRiPt://example.com/%0aalert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "data:1",
    "vbscript:1",
    "tel:09001234",
    "sms:12345",
    "mailto:a@b.example",
    "ftp://example.com/",
    "localhost:8080",
    "http://good@evil.example/",
    "http://good:pw@evil.example/",
    "http://@evil.example/",
    "http://good.example\\@evil.example/",
    "http://good.example\\.evil.example/",
    "http://exa\tmple.com/",
    "http://example.com/a b",
    "http://example.com/a\u00a0b",
    "http://example.com/\x00",
    "http://example.com/\x9f",
    "http://example.com/\u202egpj.exe",
    "http://example.com/\u2066x",
    "http://example.com/\ud800",
    "http://exam\u00adple.com/",
    "http://exam\u200bple.com/",
    "http://a..b/",
    "http://-a.example/",
    "http://a-.example/",
    "http://%65xample.com/",
    "http://exa%00mple.com",
    "http://xn--a.example/",
    "http://xn--/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://1.2.3.4.5/",
    "http://foo.0x4/",
    "http://[::1/",
    "http://::1/",
    "http://[::1%25eth0]/",
    "http://example.com:/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:٣/",
    "http://example.com:8a/",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 130 + "example/",
    "http://" + "é" * 1_900 + ".example/",
    "http://example.com/" + "a" * MAX_URL_CHARS,
    "http://example.com/" + "é" * 400,
]


@pytest.mark.parametrize(("raw", "expected"), SAFE)
def test_safe_url_plain_link_comes_back_as_ascii(raw: str, expected: str) -> None:
    assert safe_url(raw) == expected


@pytest.mark.parametrize("raw", UNSAFE)
def test_safe_url_unsafe_link_is_none(raw: str) -> None:
    assert safe_url(raw) is None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.COM:8443/a", "example.com"),
        ("http://[::1]:80/", "::1"),
        ("https://example.com.?q=a/b:c", "example.com"),
    ],
)
def test_host_of_safe_url_is_bare_host(url: str, host: str) -> None:
    assert host_of(safe_url(url) or "") == host


_PIECES = st.sampled_from(
    [
        "http://",
        "https://",
        "//",
        "/",
        "\\",
        "@",
        ":",
        ".",
        "a",
        "example.com",
        "xn--",
        "é",
        "%",
        "%41",
        "[",
        "]",
        "::1",
        "0x7f",
        "1",
        "?",
        "#",
        "&lt;",
        "'",
        '"',
        "<",
        "\u202e",
        "\u200c",
        "\t",
        " ",
        "。",
        "😀",
        "\ud800",
        "javascript:",
    ]
)


@settings(deadline=None)
@given(st.one_of(st.lists(_PIECES, max_size=12).map("".join), st.text()))
def test_safe_url_any_input_is_none_or_fixed_point(raw: str) -> None:
    for candidate in (raw, "http://" + raw, "https://example.com/" + raw):
        url = safe_url(candidate)
        if url is None:
            continue
        assert url.isascii()
        assert url.isprintable()
        assert not set(url) & set("<>\"'` \\")
        assert url.startswith(("http://", "https://"))
        assert "@" not in url.split("/")[2]
        assert host_of(url)
        assert len(url) <= MAX_URL_CHARS
        assert safe_url(url) == url


def test_safe_url_what_whatwg_calls_failure_is_none() -> None:
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        pytest.skip("HOSTILE_FIXTURES is not set")
    cases = json.loads(Path(folder, "url", "urltestdata.json").read_text(encoding="utf-8"))
    failures = [case["input"] for case in cases if isinstance(case, dict) and case.get("failure")]
    assert len(failures) > 200
    assert [url for url in failures if safe_url(url) is not None] == []


def test_safe_url_what_whatwg_parses_keeps_its_host() -> None:
    """Where both accept, both mean the same host: no link goes elsewhere than it was judged for."""
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        pytest.skip("HOSTILE_FIXTURES is not set")
    cases = json.loads(Path(folder, "url", "urltestdata.json").read_text(encoding="utf-8"))
    parsed = [case for case in cases if isinstance(case, dict) and case.get("hostname")]
    accepted = [(case["hostname"].strip("[]").rstrip("."), safe_url(case["input"])) for case in parsed]
    compared = [(host, host_of(url)) for host, url in accepted if url]
    assert len(compared) > 50
    assert [pair for pair in compared if pair[0] != pair[1]] == []
