"""Addresses that lead elsewhere, hosts that are not ours, and line breaks on their way into a header."""

import json
import re
from urllib.parse import quote, urlsplit

import pytest

from moderation.domain.actor import CLI
from moderation.services import accounts
from tests.hostile.conftest import encodable, is_safe_address, url_tests
from tests.pages.test_console_pages import token_in

ORIGIN = "https://news.example"
OWN = {ORIGIN, "http://127.0.0.1:8080"}
EVIL = "evil.example"
WICKED = "wicked.example"
TRICKS = [
    f"https://{EVIL}",
    f"//{EVIL}",
    f"///{EVIL}",
    f"////{EVIL}",
    f"/\\{EVIL}",
    f"\\\\{EVIL}",
    f"/\t/{EVIL}",
    f"/\n/{EVIL}",
    f"\t//{EVIL}",
    f"https:{EVIL}",
    f"https:/{EVIL}",
    f"https:\\\\{EVIL}",
    f"{ORIGIN}.{EVIL}/",
    f"{ORIGIN}@{EVIL}/",
    f"{ORIGIN}:80@{EVIL}/",
    f"{ORIGIN}%40{EVIL}/",
    f"{ORIGIN}\\@{EVIL}/",
    f"{ORIGIN}#@{EVIL}/",
    f"{ORIGIN}%00.{EVIL}/",
    f"{ORIGIN}%2f@{EVIL}/",
    f"{ORIGIN}\u3002{EVIL}/",
    f"{ORIGIN}\u2024{EVIL}/",
    f"https://{EVIL}\\.news.example/",
    f"https://{EVIL}%23.news.example/",
    "javascript:alert(1)//news.example",
    "javascript://news.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "blob:https://news.example/x",
    "view-source:https://news.example/",
    "http://news.example/",
    "https://news.example:8443/",
    "HTTPS://NEWS.EXAMPLE./",
    "/console/../" + EVIL,
    f"/console/{EVIL}/..//",
    f"/console//{EVIL}",
    f"/console/\\{EVIL}",
    f"/console/..\\{EVIL}",
    f"/console?next=//{EVIL}",
    "/consoleevil",
    "console/",
    "?x",
    "#x",
    f"/console/\r\nLocation: https://{EVIL}",
    f"{ORIGIN}/\r\nSet-Cookie: a=b",
    f"{ORIGIN}/a%0d%0aSet-Cookie:a=b",
    f"{ORIGIN}/\u560d\u560aSet-Cookie:a=b",
    "https://[::1]/",
    "https://[",
    "https://" + "a" * 5_000,
]


def _candidates(first: int = 0):
    return [*TRICKS, *(one["input"] for one in url_tests()[first::16] if encodable(one["input"]))]


def _is_own(location: str) -> bool:
    split = urlsplit(location)
    return is_safe_address(location) and f"{split.scheme}://{split.netloc}" in OWN


def _no_injection(answer) -> None:
    for name, value in answer.headers:
        assert "\r" not in f"{name}{value}"
        assert "\n" not in f"{name}{value}"
        assert name.lower() != "set-cookie" or value.startswith("moderation-")


def test_a_form_leads_back_to_the_sites_own_pages_alone(target):
    """The same reply again and again, which counts once; each time it is to lead elsewhere."""
    form = {"author": "Ana", "comment": "A calm remark.", "thread": "back"}
    led = 0
    for number, url in enumerate(_candidates()):
        field = ("return_to", "redirect_to")[number % 2]
        answer = target.client.post("/sites/news/reply", data={**form, "thread_url": f"{ORIGIN}/a", field: url})
        _no_injection(answer)
        assert answer.status_code in {200, 303, 422}, (url, answer.text)
        if answer.status_code == 303:
            assert _is_own(answer.location), (url, answer.location)
            led += 1
        assert not re.search(rf'(?:href|action|content)="[^"]*{EVIL}', answer.text), url
        refused = target.client.post("/sites/news/reply", data={**form, "comment": "", field: url})
        for found in re.findall(r'(?:href|action)="([^"]*)"', refused.text):
            assert found.startswith(("/", "#")) or _is_own(found.replace("&amp;", "&")), (url, found)
            assert not found.startswith(("//", "/\\")), (url, found)
    assert led > 15


def test_a_reply_leads_back_by_no_foreign_referrer(target):
    form = {"author": "Ana", "comment": "A calm remark.", "thread": "back"}
    for url in TRICKS:
        headers = {"Referer": re.sub(r"[\r\n]", "", url).encode("utf-8").decode("latin-1")}
        answer = target.client.post("/sites/news/reply", data=form, headers=headers)
        assert answer.status_code == 200 or _is_own(answer.location), url


def test_the_console_leads_to_its_own_pages_alone(target):
    token = token_in(target.browser.get("/console/").text)
    missing = "01890000-0000-7000-8000-000000000000"
    for url in _candidates(1):
        answer = target.browser.get(f"/console/login?then={quote(url)}")
        _no_injection(answer)
        _leads_within(answer, url)
        form = {"csrf_token": token, "action": "approve", "back": url}
        answer = target.browser.post(f"/console/comments/{missing}/decisions", data=form)
        _no_injection(answer)
        assert answer.status_code == 303
        _leads_within(answer, url)


def _leads_within(answer, url: str) -> None:
    assert answer.status_code < 500, url
    if answer.status_code in {301, 302, 303, 307, 308}:
        assert re.fullmatch(r"/console/(?!/)[\x21-\x5b\x5d-\x7e]*", answer.location), (url, answer.location)
        assert "//" not in urlsplit(answer.location).path, (url, answer.location)


def test_a_thread_page_links_to_no_foreign_article(target):
    for url in _candidates():
        answer = target.client.get(f"/sites/news/thread.html?thread=k&form=1&page=1&within=1&url={quote(url)}")
        assert answer.status_code in {200, 400, 422}, url
        for found in re.findall(r'(?:href|action)="([^"]*)"', answer.text):
            plain = found.replace("&amp;", "&")
            assert (plain.startswith(("/", "#", "?")) and plain[:2] not in {"//", "/\\"}) or _is_own(plain), (
                url,
                found,
            )


@pytest.mark.parametrize("host", [WICKED, f"{WICKED}:8080", f"127.0.0.1:8080@{WICKED}", "[::1]"])
def test_no_answer_is_made_of_the_host_that_the_caller_names(target, host):
    headers = {
        "Host": host,
        "X-Forwarded-Host": WICKED,
        "X-Host": WICKED,
        "Forwarded": f"host={WICKED};proto=javascript",
    }
    headers |= {"X-Forwarded-Server": WICKED, "X-Forwarded-Prefix": f"//{WICKED}", "X-Forwarded-Proto": "javascript"}
    values = {"site": "news", "name": "a", "token": "a", "language": "en", "filename": "site.css"}
    for rule in target.app.url_map.iter_rules():
        if "GET" not in rule.methods or "<id:" in rule.rule or rule.rule == "/readyz":
            continue
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda match: values.get(match[1], "x"), rule.rule)
        for asked in {path, path.rstrip("/") or "/"}:
            answer = target.browser.get(f"{asked}?thread=k&version=v1alpha1", headers=headers)
            assert answer.status_code < 500, asked
            assert WICKED not in answer.text, asked
            assert WICKED not in str(answer.headers), asked
            assert "://" not in answer.headers.get("Location", "").partition("?")[0], asked
    form = {"author": "Ana", "comment": "A calm remark.", "thread": "hosts"}
    made = target.client.post("/sites/news/reply", data=form, headers=headers)
    assert (made.status_code, WICKED in made.text) == (200, False)


BREAKS = ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rX-Injected: 1", "a\u2028X-Injected: 1", "a\x0bX-Injected: 1"]
BREAKS += ["a\u560d\u560aX-Injected: 1", "a\x85X-Injected: 1", "a\x00X-Injected: 1", 'a";X-Injected=1', "a;b=c,d"]


def test_no_line_break_of_a_caller_ends_a_header(target):
    with target.app.app_context():
        key = accounts.add_token(target.parts, CLI, "news", "scorer", "k")["token"]
    for text in BREAKS:
        asked = quote(text)
        for path in (
            f"/console/login?then={asked}",
            f"/console/lists/{asked}/file?site=news",
            f"/console?{asked}",
            f"/sites/news/thread.html?thread={asked}&lang={asked}&cursor={asked}",
            f"/sites/news/feed.atom?thread={asked}",
            f"/avatars/{asked}.svg",
            f"/embed/{asked}.json",
            f"/receipts/{asked}?lang={asked}&done={asked}",
            f"/1.2/key-sites?api_key={key}&filter={asked}&format=csv",
            f"/1.2/key-sites?api_key={key}&order={asked}&month={asked}",
            f"/v1alpha1/{asked}?key={asked}",
            f"/$discovery/rest?version={asked}",
        ):
            answer = target.browser.get(path)
            assert answer.status_code < 500, path
            assert "X-Injected" not in answer.headers
            _no_injection(answer)
        for path, form in (
            ("/1.1/comment-check", {"api_key": text, "blog": text, "user_ip": text}),
            ("/1.1/comment-check", {"api_key": key, "blog": text}),
            ("/sites/news/reply", {"author": "A", "comment": "c", "thread": "t", "return_to": f"{ORIGIN}/{text}"}),
            ("/receipts", {"token": text, "action": text, "lang": text}),
        ):
            answer = target.client.post(path, data=form)
            assert answer.status_code < 500, path
            assert "X-Injected" not in answer.headers
            _no_injection(answer)


def test_the_name_of_a_file_to_save_is_plain(target):
    lists = {"text": "casino", "action": "hold"}
    for name in ("a-list", 'a"b', "a/b", "..", "a;b", "x" * 64):
        made = target.call("PUT", f"/api/v1/sites/news/word-lists/{quote(name, safe='')}", json=lists)
        answer = target.browser.get(f"/console/lists/{quote(name, safe='')}/file?site=news")
        if made.status_code != 200:
            assert answer.status_code == 404, name
            continue
        assert re.fullmatch(r"attachment; filename=[A-Za-z0-9._-]+\.txt", answer.headers["Content-Disposition"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_told_of_an_error_holds_nothing_that_runs_wherever_it_is_opened(target):
    for path in (f"/{quote('<script>alert(1)</script>')}", f"/api/v1/{quote('<script>')}", "/receipts/%3Cscript%3E"):
        for accept in ("text/html", "*/*", "application/json"):
            answer = target.client.get(path, headers={"Accept": accept})
            assert "<script>alert" not in answer.text
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer = target.client.post("/api/v1/sites/news/preview", json={"<script>": 1, "body": "a"})
    assert answer.content_type == "application/problem+json"
    assert json.loads(answer.data)["errors"]
