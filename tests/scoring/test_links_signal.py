"""How links weigh."""

import time

import pytest

from moderation.scoring.links import links


def texts(body: str, *hrefs: str, author_url: str | None = None) -> str:
    return " ".join(e.text for e in links(body, hrefs, author_url).evidence)


def test_judge_single_link_in_a_sentence_nothing() -> None:
    signal = links("See https://news.example/2025/x for more on that.", ["https://news.example/2025/x"], None)
    assert (signal.weight, signal.evidence, signal.scores) == (0, (), {"spam": 0})


def test_judge_bare_link_to_news_site_below_the_usual_limit() -> None:
    assert 0 < links("https://news.example/a", ["https://news.example/a"], None).weight < 0.2


@pytest.mark.parametrize(("count", "least"), [(2, 0.05), (3, 0.2), (5, 0.35), (10, 0.6)])
def test_judge_many_links_weight_grows_with_spans(count: int, least: float) -> None:
    body = " and ".join(f"a word on https://news{n}.example/ that I read" for n in range(count))
    signal = links(body, [f"https://news{n}.example/" for n in range(count)], None)
    assert signal.weight == least
    assert body[signal.evidence[0].spans[0].start :].startswith("https://news0")


@pytest.mark.parametrize(
    ("body", "href", "said"),
    [
        ("look [here](http://192.0.2.1/x)", "http://192.0.2.1/x", "bare IP"),
        ("look [here](http://[2001:db8::1]/x)", "http://[2001:db8::1]/x", "bare IP"),
        ("look at https://bit.ly/x please", "https://bit.ly/x", "shortener"),
        ("look at https://www.tinyurl.com/x please", "https://www.tinyurl.com/x", "shortener"),
        ("look at https://xn--80ak6aa92e.example/ ok", "https://xn--80ak6aa92e.example/", "punycode"),
        ("[url=https://a.example]x[/url]", "https://a.example", "other systems"),
        ('<a href="https://a.example">x</a>', "https://a.example", "other systems"),
        ("go to [https://bank.example](https://evil.test/)", "https://evil.test/", "another host"),
    ],
)
def test_judge_suspicious_link_said_why(body: str, href: str, said: str) -> None:
    assert said in texts(body, href)


def test_judge_link_text_on_the_same_domain_nothing_said() -> None:
    assert "another host" not in texts(
        "go to [www.bank.example](https://login.bank.example/)", "https://login.bank.example/"
    )


def test_judge_author_link_through_shortener_said() -> None:
    assert "author's own link" in texts("Nice article.", author_url="https://bit.ly/abc")
    assert texts("Nice article.", author_url="https://ana.example/") == ""


@pytest.mark.parametrize(
    "body", ["[" * 10_000, "[a](" * 2_500, "http://" * 1_400, "www." * 2_500, "[http://a.b](" * 700]
)
def test_judge_hostile_markup_linear_time(body: str) -> None:
    began = time.process_time()
    links(body, (), None)
    assert time.process_time() - began < 0.5
