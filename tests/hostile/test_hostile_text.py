"""Payloads written by others, through every way in, read again in every place of output by a parser of its own.

Names, titles, addresses and texts are all payloads. What comes out as a text has the few tags of a comment, what comes
out as a page has no script, style or address of theirs.
"""

import csv
import html
import io
import json
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import feedparser
import pytest
from defusedxml import ElementTree

from moderation.adapters.sanitizer import Renderer
from moderation.domain.actor import CLI
from moderation.domain.text import normalise_line
from moderation.errors import CallerError
from moderation.services import transfer
from moderation.services.export import export_comments
from tests.conftest import dispose
from tests.hostile.conftest import (
    CORAL_SECRET,
    Target,
    encodable,
    is_safe_address,
    make_target,
    nodes,
    payloads,
    wrong_in_page,
    wrong_in_prose,
)
from tests.pages.test_console_pages import token_in

ORIGIN = "https://news.example"
RENDERERS = [Renderer("bleach"), Renderer("nh3")]
PACKED = 24
"""Payloads in one text."""

SHORT = (
    '"><img src=x onerror=alert(1)>',
    "'/><svg/onload=alert(1)>",
    "{{config}}{%raw%}${7*7}<%=7%>",
    "javascript:alert(1)",
)


class Sent:
    """What was sent to a target, and the HTML that its answers held."""

    def __init__(self, target: Target, lines: list[str]) -> None:
        self.target, self.lines = target, lines
        self.answers: list[str] = []
        self.statuses: set[tuple[str, int]] = set()
        self.taken: list[dict[str, Any]] = []

    def note(self, way: str, answer: Any) -> Any:
        """Remember the status of an answer; a 5xx is a failure at once."""
        assert answer.status_code < 500, (way, answer.text)
        self.statuses.add((way, answer.status_code))
        return answer


@pytest.fixture(scope="module")
def send_all(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Sent]]:
    """Sends every payload to an application with an engine, through every way of readers, once; all is approved."""
    made: dict[str, Sent] = {}

    def send(engine: str) -> Sent:
        if engine not in made:
            target = make_target(sqlite_template, tmp_path_factory.mktemp(engine), sanitizer=engine)
            made[engine] = _sent(target, payloads(["nh3", "bleach"].index(engine) * 7))
        return made[engine]

    yield send
    for one in made.values():
        dispose(one.target.app)


@pytest.fixture(params=["bleach", "nh3"])
def sent(request: pytest.FixtureRequest, send_all: Callable[[str], Sent]) -> Sent:
    """What was sent, on each engine."""
    return send_all(request.param)


@pytest.fixture
def moderated(send_all: Callable[[str], Sent]) -> Sent:
    """What was sent, for pages and exports that are made of it: the engine is of no matter to these."""
    return send_all("nh3")


def _sent(target: Target, lines: list[str]) -> Sent:
    done = Sent(target, lines)
    packs = [lines[at : at + PACKED] for at in range(0, len(lines), PACKED)]
    for number, pack in enumerate(packs):
        _by_api(done, number, pack)
    for number, pack in enumerate(packs[::6]):
        _by_form(done, number, pack)
        _by_others(done, pack)
    _by_import(done)
    _approve_all(target)
    return done


def _text(pack: list[str]) -> str:
    """Each payload as a paragraph, and in a link's text, a link's target, code and a quote."""
    lines = [f"{one}\n\n[{one}]({one})" for one in pack]
    return "".join(char for char in "\n\n".join(lines) if char not in "\x00" and encodable(char))[:9_000]


def _line(text: str, most: int) -> str:
    return "".join(char for char in text if char >= " " and encodable(char))[:most] or "x"


def _by_api(done: Sent, number: int, pack: list[str]) -> None:
    client = done.target.client
    thread = {"key": f"api-{number % 7}", "url": f"{ORIGIN}/{number % 7}", "title": _line(" ".join(pack), 500)}
    author = {"name": _line(pack[0], 100), "email": "ana@example.org", "url": None}
    body = {"thread": thread, "author": author, "body": _text(pack)}
    made = done.note("api", client.post("/api/v1/sites/news/comments", json=body))
    if number % 2 == 0:
        for field, value in (("url", pack[-1]), ("email", pack[-2 % len(pack)]), ("token", pack[0]), ("sso", pack[0])):
            odd = {**body, "author": {**author, field: value if encodable(value) else "x"}, "body": f"{number} {field}"}
            done.note(field, client.post("/api/v1/sites/news/comments", json=odd))
        for field in ("url", "key"):
            odd = {**body, "thread": {**thread, field: _line(pack[-1], 500)}, "body": f"In {number} of {field}"}
            done.note(f"thread.{field}", client.post("/api/v1/sites/news/comments", json=odd))
    if made.status_code == 202:
        given = made.get_json()
        done.answers.append(given["body_html"])
        path = f"/api/v1/sites/news/comments/{given['id']}"
        edit = {"body": _text(pack[::-1]), "edit_token": given["edit_token"]}
        edited = done.note("edit", client.patch(path, json=edit))
        done.answers.append(edited.get_json()["body_html"])
        done.taken.append(given)
    shown = done.note("preview", client.post("/api/v1/sites/news/preview", json={"body": _text(pack)}))
    if shown.status_code == 200:
        done.answers.append(shown.get_json()["body_html"])


def _by_form(done: Sent, number: int, pack: list[str]) -> None:
    client = done.target.client
    form = {
        "author": _line(pack[0], 100), "comment": _text(pack), "thread": f"form-{number % 3}", "receipt": "1",
        "thread_title": _line(pack[1 % len(pack)], 500), "return_to": f"{ORIGIN}/a", "lang": pack[0], "thread_url": "",
    }  # fmt: skip
    form = {name: value for name, value in form.items() if encodable(value)}
    page = done.note("form", client.post("/sites/news/reply", data=form))
    assert wrong_in_page(page.text) == []
    link = re.search(r'href="[^"]*(/receipts/[^"?]+)', page.text)
    for field in (
        "email",
        "url",
        "comment_parent",
        "author_token",
        "thread_url",
        "sso",
        "notify",
        "thread",
        "return_to",
    ):
        odd = {**form, field: pack[-1] if encodable(pack[-1]) else "x"}
        again = done.note(f"form.{field}", client.post("/sites/news/reply", data=odd))
        assert wrong_in_page(again.text) == [], (field, pack[-1])
    if link:
        path = html.unescape(link[1])
        assert wrong_in_page(done.note("receipt", client.get(path)).text) == []
        for action in ("preview", "save", "withdraw", pack[0] if encodable(pack[0]) else "x"):
            given = {"token": path.rpartition("/")[2], "action": action, "text": _text(pack[::-1])}
            answer = done.note(f"receipts.{action[:8]}", client.post("/receipts", data=given))
            assert wrong_in_page(answer.text) == []


def _by_others(done: Sent, pack: list[str]) -> None:
    """Ways that answer with words alone, and keep nothing that is shown as HTML."""
    client, people = done.target.client, done.target.people
    key = people.tokens["scorer"]
    fields = (
        "comment_author",
        "comment_author_email",
        "comment_author_url",
        "comment_content",
        "referrer",
        "permalink",
    )
    form = {"api_key": key, "blog": f"{ORIGIN}/", "user_ip": "203.0.113.9"}
    form |= {name: _text(pack)[:2_000] for name in fields}
    for call in ("comment-check", "submit-spam", "submit-ham"):
        done.note(f"akismet.{call}", client.post(f"/1.1/{call}", data=form))
    for name in ("blog", "user_ip", "blog_charset", "honeypot_field_name", "user_role"):
        odd = done.note(
            "akismet", client.post("/1.1/comment-check", data={**form, name: pack[0].encode("utf-8", "replace")})
        )
        assert odd.mimetype == "text/plain"
    for kind in ("PLAIN_TEXT", "HTML"):
        comment = {"comment": {"text": _text(pack)[:5_000], "type": kind}, "requestedAttributes": {"TOXICITY": {}}}
        answer = done.note("perspective", client.post(f"/v1alpha1/comments:analyze?key={key}", json=comment))
        assert answer.mimetype == "application/json"
    body = json.dumps({"action": "NEW", "comment": {"body": _text(pack)}}).encode()
    done.note("coral", client.post("/coral/news/moderate", data=body, headers={"X-Coral-Signature": _signature(body)}))


def _signature(body: bytes) -> str:
    import hashlib
    import hmac

    return f"sha256={hmac.new(CORAL_SECRET.encode(), body, hashlib.sha256).hexdigest()}"


def _by_import(done: Sent) -> None:
    """Each line as name, text, title, address and website of a comment of each format."""
    lines = [line for line in done.lines if encodable(line)]
    folder = done.target.parts.settings.home
    files = {
        "jsonl": _jsonl(lines).encode(),
        "wordpress": _wordpress(lines[::9]).encode(),
        "disqus": _disqus(lines[1::9]).encode(),
        "remark42": _remark42(lines[2::9]).encode(),
    }
    with done.target.app.app_context():
        for kind, content in files.items():
            path = folder / f"hostile.{kind}"
            path.write_bytes(content)
            report = transfer.import_comments(done.target.parts, CLI, "news", kind, path)
            assert sum(report["added"].values()) > len(lines) // 20, (kind, report)
        report = transfer.import_comments(
            done.target.parts, CLI, "news", "isso", _isso(folder / "isso.db", lines[3::9])
        )
        assert sum(report["added"].values()) > len(lines) // 20, report


def _jsonl(lines: list[str]) -> str:
    made = [{"format": "comment-moderation", "version": 1}]
    for number, line in enumerate(lines):
        at = {"created_at": "2025-01-01T00:00:00Z"}
        if number % 50 == 0:
            thread = {"key": f"jsonl-{number // 50}", "url": line[:2_000], "title": line[:500], "open": True, **at}
            made.append({"thread": thread})
        author = {"id": str(uuid.uuid4()), "name": line[:100], "url": line[:2_000], "proven": False}
        none: dict[str, Any] = {name: [] for name in ("signals", "decisions", "revisions", "reports")}
        none["reports"] = [{"reason": "other", "detail": line[:1_000].replace("\0", ""), **at}]
        comment = {
            "id": str(uuid.uuid4()), "thread": f"jsonl-{number // 50}", "parent_id": None, "author": author,
            "network": "", "body": f"{line}\n\n[{line}]({line})"[:9_000], "state": "approved", **at, "edited_at": None,
            "decided_at": None, "votes": 0, "risk": 0.5, "scores": {}, "reasons": [line[:200]], "scorer": line[:100],
            "version": 1, **none,
        }  # fmt: skip
        made.append({"comment": comment})
    return "\n".join(map(json.dumps, made))


def _xml_text(line: str) -> str:
    return escape("".join(char for char in line if char in "\t\n" or (char >= " " and char not in "\ufffe\uffff")))


def _wordpress(lines: list[str]) -> str:
    comments = "".join(
        f"<wp:comment><wp:comment_id>{number}</wp:comment_id><wp:comment_author>{_xml_text(line)}</wp:comment_author>"
        f"<wp:comment_author_email>{_xml_text(line)}</wp:comment_author_email>"
        f"<wp:comment_author_url>{_xml_text(line)}</wp:comment_author_url>"
        f"<wp:comment_date_gmt>2024-05-03 10:30:00</wp:comment_date_gmt>"
        f"<wp:comment_content>{_xml_text(line)}</wp:comment_content><wp:comment_approved>1</wp:comment_approved>"
        "<wp:comment_type>comment</wp:comment_type><wp:comment_parent>0</wp:comment_parent></wp:comment>"
        for number, line in enumerate(lines, 1)
    )
    return (
        '<rss version="2.0" xmlns:wp="http://wordpress.org/export/1.2/"><channel><title>a</title>'
        "<link>https://w.example</link><wp:wxr_version>1.2</wp:wxr_version><item>"
        f"<title>{_xml_text(lines[0])}</title><link>https://w.example/a/</link><wp:post_id>1</wp:post_id>"
        f"<wp:post_type>post</wp:post_type>{comments}</item></channel></rss>"
    )


def _disqus(lines: list[str]) -> str:
    posts = "".join(
        f'<post dsq:id="{number}"><id/><message>{_xml_text(line)}</message><createdAt>2021-03-01T09:00:00Z</createdAt>'
        "<isDeleted>false</isDeleted><isSpam>false</isSpam>"
        f"<author><name>{_xml_text(line)}</name><isAnonymous>true</isAnonymous></author>"
        '<thread dsq:id="501"/></post>'
        for number, line in enumerate(lines, 1)
    )
    return (
        '<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals"><thread dsq:id="501"><id/>'
        f"<link>https://d.example/a/</link><title>{_xml_text(lines[0])}</title>"
        "<createdAt>2021-03-01T08:00:00Z</createdAt><isClosed>false</isClosed><isDeleted>false</isDeleted></thread>"
        f"{posts}</disqus>"
    )


def _remark42(lines: list[str]) -> str:
    made: list[dict[str, Any]] = [{"version": 1, "users": [], "posts": []}]
    for number, line in enumerate(lines):
        locator = {"site": "s", "url": "https://r.example/a/"}
        user = {"name": line, "id": line, "picture": line, "ip": line}
        made.append(
            {
                "id": str(number),
                "pid": "",
                "text": line,
                "user": user,
                "locator": locator,
                "score": 0,
                "time": "2022-01-05T12:00:00Z",
                "title": line,
                **({"orig": line} if number % 2 else {}),
            }
        )
    return "\n".join(map(json.dumps, made))


def _isso(path: Any, lines: list[str]) -> Any:
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE preferences (key, value); CREATE TABLE threads (id INTEGER PRIMARY KEY, uri, title);"
        "CREATE TABLE comments (tid, id INTEGER PRIMARY KEY, parent, created FLOAT, modified FLOAT, mode, remote_addr,"
        " text, author, email, website, likes INTEGER, dislikes INTEGER, voters BLOB, notification INTEGER)"
    )
    database.execute("INSERT INTO threads VALUES (1, '/a/', ?)", [lines[0]])
    rows = [(1, number, line, line, line, line) for number, line in enumerate(lines, 1)]
    database.executemany(
        "INSERT INTO comments VALUES (?, ?, NULL, 1612137600, NULL, 1, '203.0.113.0', ?, ?, ?, ?, 0, 0, x'00', 0)", rows
    )
    database.commit()
    database.close()
    return path


def _approve_all(target: Target) -> None:
    for state in ("pending", "spam"):
        cursor = ""
        while cursor is not None:
            page = target.call("GET", f"/api/v1/queue?site=news&state={state}&limit=100{cursor}").get_json()
            ids = [item["id"] for item in page["items"]]
            if ids:
                target.call("POST", "/api/v1/decisions", json={"action": "approve", "ids": ids})
            cursor = f"&cursor={page['next']}" if page["next"] else None


# --- what comes out -------------------------------------------------------------------------------------------------


def _threads(target: Target) -> list[str]:
    found, cursor = [], ""
    while cursor is not None:
        page = target.call("GET", f"/api/v1/threads?site=news&limit=100{cursor}").get_json()
        found += [thread["key"] for thread in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    return found


def _public(target: Target) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for key in _threads(target):
        cursor = ""
        while cursor is not None:
            path = f"/api/v1/sites/news/comments?thread={quote(key, safe='')}&limit=100{cursor}"
            page = target.client.get(path).get_json()
            found += page["comments"]
            cursor = f"&cursor={page['next']}" if page["next"] else None
    return found


def test_every_way_in_takes_or_refuses_and_never_breaks(sent):
    taken = {way for way, status in sent.statuses if status in {200, 202, 204, 303}}
    assert {"api", "edit", "preview", "form", "receipt", "receipts.save", "akismet.comment-check", "perspective",
            "coral"} <= taken  # fmt: skip
    assert {status for _, status in sent.statuses} <= {200, 202, 204, 303, 400, 401, 403, 404, 409, 422}


def test_the_public_list_holds_the_tags_of_a_comment_and_nothing_else(sent):
    listed = _public(sent.target)
    assert len(listed) > len(sent.lines)
    for comment in listed:
        assert wrong_in_prose(comment["body_html"]) == [], comment["body_html"]
        url = comment["author"]["url"]
        assert url is None or is_safe_address(url), url
    names = {comment["author"]["name"] for comment in listed}
    told = [normalise_line(line[:100], "name") for line in sent.lines if encodable(line)]
    assert [name for name in told if name and name not in names] == []
    for body in sent.answers:
        assert wrong_in_prose(body) == []


def test_sanitising_what_was_sanitised_changes_nothing_on_either_engine(sent):
    for body in [comment["body_html"] for comment in _public(sent.target)][:: 2 if len(sent.lines) < 3_000 else 1]:
        assert [renderer.sanitized(body) for renderer in RENDERERS] == [body, body]


def test_the_feed_is_well_formed_and_holds_the_same(sent):
    for path in ("/sites/news/feed.atom", *(f"/sites/news/feed.atom?thread=api-{n}" for n in range(7))):
        answer = sent.target.client.get(path)
        ElementTree.fromstring(answer.data, forbid_dtd=True)
        read = feedparser.parse(answer.data, sanitize_html=False, resolve_relative_uris=False)
        assert not read.bozo
        assert read.entries
        for entry in read.entries:
            assert wrong_in_prose(entry.content[0].value) == []
            assert all(is_safe_address(link.href) for link in entry.links)
            assert "author_detail" not in entry or is_safe_address(
                entry.author_detail.get("href", "http://none.example")
            )


def test_the_thread_as_a_page_holds_the_same(moderated):
    for key in _threads(moderated.target)[:: max(1, len(_threads(moderated.target)) // 12)]:
        path = f"/sites/news/thread.html?thread={quote(key, safe='')}&page=1&form=1&limit=100&title={quote(SHORT[0])}"
        page = moderated.target.client.get(path)
        assert page.status_code == 200
        assert wrong_in_page(page.text) == [], key


def test_an_export_has_no_formula_and_no_markup_of_its_own(moderated):
    with moderated.target.app.app_context():
        texts = {kind: _exported(moderated.target, kind) for kind in ("csv", "wordpress", "jsonl")}
    rows = list(csv.reader(io.StringIO(texts["csv"], newline="")))
    assert len(rows) > len(moderated.lines)
    assert {len(row) for row in rows} == {len(rows[0])}
    for row in rows[1:]:
        assert [cell for cell in row if cell.lstrip()[:1] in {"=", "+", "@", "\t", "\r"} or _is_sum(cell)] == []
    tree = ElementTree.fromstring(texts["wordpress"].encode(), forbid_dtd=True)
    contents = tree.findall(".//{http://wordpress.org/export/1.2/}comment_content")
    assert len(contents) == len(rows) - 1
    for content in contents[::3]:
        assert wrong_in_prose(content.text or "") == []
    lines = texts["jsonl"].strip("\n").split("\n")
    assert len(lines) > len(rows)
    assert all(json.loads(line) for line in lines)


def _is_sum(cell: str) -> bool:
    return cell[:1] == "-" and not re.fullmatch(r"-?\d+(\.\d+)?", cell)


def _exported(target: Target, kind: str) -> str:
    pieces: list[str] = []
    export_comments(target.parts, CLI, "news", kind, pieces.append, with_emails=True)
    return "".join(pieces)


# --- the moderators' side -------------------------------------------------------------------------------------------


def _console_pages(target: Target) -> list[str]:
    rules = [rule.rule for rule in target.app.url_map.iter_rules() if rule.rule.startswith("/console/")]
    plain = [rule for rule in rules if "<" not in rule and "live" not in rule and "cards" not in rule]
    return [path for path in plain if target.browser.get(path).status_code == 200]


def _forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Where each form of a page goes, and its fields with what is in them."""
    found = []
    for form in [node for node in nodes(page, fragment=False) if node.name == "form"]:
        attributes = dict(form.attrs or {})
        if attributes.get("method", "get").lower() != "post":
            continue
        fields: dict[str, str] = {}
        waiting = list(form.children or ())
        while waiting:
            node = waiting.pop(0)
            waiting += list(node.children or ())
            given = dict(getattr(node, "attrs", None) or {})
            if node.name in {"input", "textarea", "select", "button"} and given.get("name"):
                fields.setdefault(given["name"], given.get("value") or "")
        found.append((attributes.get("action", ""), fields))
    return found


_ENDS = re.compile(r"logout|remove|revoke|lock|reset|rotate|/test$|/password$|/role$")


def test_every_form_of_the_console_shows_what_was_typed_as_text(moderated):
    """Found by reading the pages: each field of each form gets each payload, and then all pages are read again."""
    target, client = moderated.target, moderated.target.browser
    everything = _line(" ".join(moderated.lines[::9]), 3_000)
    seen = 0
    for path in _console_pages(target):
        for action, fields in _forms(client.get(f"{path}?site=news").text):
            if _ENDS.search(action):
                continue
            for payload in (SHORT[0], everything):
                typed = dict.fromkeys(fields, payload)
                for kept in ("csrf_token", "site", "version"):
                    typed |= {kept: fields[kept]} if kept in fields else {}
                for choices in (
                    {},
                    {name: fields[name] for name in ("role", "kind", "action", "do") if name in fields},
                ):
                    answer = client.post(action or path, data={**typed, **choices}, follow_redirects=True)
                    assert answer.status_code < 500, (path, action)
                    assert wrong_in_page(answer.text) == [], (path, action)
                    seen += 1
    assert seen > 50


def test_every_field_of_the_set_up_comes_out_of_the_api_and_the_console_as_text(moderated):
    target = moderated.target
    for number, line in enumerate([*SHORT, *moderated.lines[:: max(1, len(moderated.lines) // 3)]]):
        name, url = _line(line, 100), _line(line, 300)
        for method, path, body in (
            ("POST", "/rules", {"site": "news", "kind": "word", "value": name, "action": "hold", "note": name}),
            ("POST", "/rules", {"site": "news", "kind": "domain", "value": url, "action": "hold", "note": name}),
            ("POST", "/rules", {"site": "news", "kind": "author", "value": name, "action": "hold"}),
            ("POST", "/rules", {"site": "news", "kind": "pattern", "value": name, "action": "hold"}),
            ("PATCH", "/sites/news", {"name": name}),
            ("PATCH", "/sites/news", {"origins": [url]}),
            ("PUT", "/sites/news/automod", {"text": f"body: [{json.dumps(line)}]\naction: filter\n# {name}"}),
            ("POST", "/tokens", {"site": "news", "role": "viewer", "name": name}),
            ("POST", "/moderators", {"site": "news", "role": "viewer", "name": f"{name[:90]} {number}"}),
            ("POST", "/webhooks", {"site": "news", "url": url}),
            ("POST", "/webhooks", {"site": "news", "url": f"https://hook.example/{quote(url)}"}),
            ("POST", "/scorers", {"site": "news", "name": name, "kind": "http", "url": url}),
            ("POST", "/sso-keys", {"site": "news", "name": name}),
            ("POST", "/privacy/export", {"site": "news", "email": name}),
            ("POST", "/rules/test", {"site": "news", "text": line[:2_000]}),
        ):
            answer = target.call(method, f"/api/v1{path}", json=body)
            assert answer.status_code < 500, (path, body, answer.text)
            assert answer.content_type.startswith(("application/json", "application/problem+json"))
        decided = moderated.taken[number % len(moderated.taken)]["id"]
        for action in ("reject", "approve"):
            decision = {"action": action, "reason": _line(line, 200), "note": line[:2_000]}
            assert target.call("POST", f"/api/v1/comments/{decided}/decisions", json=decision).status_code < 500
        report = {"reason": "other", "detail": line[:1_000]}
        path = f"/api/v1/sites/news/comments/{decided}/reports"
        assert target.client.post(path, json=report, headers={"User-Agent": f"a{number}"}).status_code in {202, 422}
        target.call("POST", f"/api/v1/comments/{decided}/reveal-email", json={"reason": _line(line, 200)})
    lists = {"text": "\n".join(_line(line, 200) for line in moderated.lines), "action": "score"}
    assert target.call("PUT", "/api/v1/sites/news/word-lists/hostile", json=lists).status_code in {200, 422}
    for path in _console_pages(target):
        for query in ("site=news", f"site=news&q={quote(SHORT[0])}&author={quote(SHORT[1])}&thread={quote(SHORT[0])}"):
            assert wrong_in_page(target.browser.get(f"{path}?{query}").text) == [], path


def test_the_queue_and_each_comment_are_shown_as_text(moderated):
    target = moderated.target
    ids = []
    for state in ("approved", "pending", "rejected"):
        for kind in ("oldest", "newest", "risk"):
            page = target.browser.get(f"/console/?site=news&state={state}&sort={kind}")
            assert wrong_in_page(page.text) == [], (state, kind)
            ids += re.findall(r"/console/comments/([0-9a-f-]{36})", page.text)
    for comment_id in list(dict.fromkeys(ids))[::20] + [one["id"] for one in moderated.taken[::12]]:
        for path in (f"/console/comments/{comment_id}", f"/console/comments/{comment_id}/alike"):
            page = target.browser.get(f"{path}?list={quote(SHORT[3])}")
            assert page.status_code == 200
            assert wrong_in_page(page.text) == [], path
        whole = target.call("GET", f"/api/v1/comments/{comment_id}").get_json()
        assert wrong_in_prose(whole["body_html"]) == []
    for payload in (*SHORT, *moderated.lines[::90]):
        for name in ("q", "author", "thread", "signal"):
            asked = quote(_line(payload, 100))
            assert target.call("GET", f"/api/v1/queue?site=news&{name}={asked}").status_code in {200, 422}
        page = target.browser.get(f"/console/?site=news&q={quote(_line(payload, 150))}")
        assert wrong_in_page(page.text) == []


def test_a_decision_on_a_page_keeps_its_words_as_text(moderated):
    client = moderated.target.browser
    decided = moderated.taken[0]["id"]
    token = token_in(client.get("/console/").text)
    for payload in SHORT:
        form = {"csrf_token": token, "action": "trash", "reason": payload, "note": payload, "back": payload}
        answer = client.post(f"/console/comments/{decided}/decisions", data=form)
        assert answer.location.startswith("/console/")
        client.post(f"/console/comments/{decided}/decisions", data={**form, "action": "restore"})
    assert wrong_in_page(client.get(f"/console/comments/{decided}").text) == []


@pytest.mark.parametrize("kind", ["wordpress", "disqus", "isso", "remark42", "jsonl"])
def test_a_file_that_is_none_of_its_kind_is_refused_and_nothing_of_it_is_fetched(target, tmp_path, kind):
    from tests.hostile.conftest import fixtures

    files = [*fixtures("defusedxml", "xmltestdata").iterdir(), *fixtures("imports").iterdir()]
    files += [fixtures("blns", "blns.txt"), fixtures("payloadbox-xss", "xss-payload-list.txt")]
    assert len(files) > 15
    with target.app.app_context():
        for file in files:
            try:
                report = transfer.import_comments(target.parts, CLI, "news", kind, file, dry_run=True)
            except CallerError:
                continue
            assert "defusedxml" not in str(file) or not sum(report["added"].values()), file
