"""A thread as HTML for pages without script: the list and no more, safe wherever it is put, kept and validated as the
JSON list is, with links and a form that need no script.
"""

import html
import json
import os
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.exc import OperationalError

from moderation.services import threads
from moderation.storage import sites
from tests.conftest import submission_json

KEY = "2025/07/arms-pause"
URL = "/sites/news/thread.html"
ARTICLE = "https://news.example/2025/07/arms-pause"
OWN_PAGE = "http://127.0.0.1:8080/sites/news/thread.html"


class Seen(HTMLParser):
    """What a page holds: tags, attributes, ids, hidden fields, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **having: str) -> list[dict[str, str]]:
        """The attributes of all elements of a kind."""
        return [have for name, have in self.elements if name == tag and having.items() <= have.items()]

    @property
    def hidden(self) -> dict[str, str]:
        """The form's hidden fields."""
        return {one["name"]: one["value"] for one in self.all("input", type="hidden")}

    @property
    def ids(self) -> list[str]:
        """All ids, in their order."""
        return [have["id"] for _, have in self.elements if "id" in have]


def read(client: Any, **query: Any) -> Seen:
    answer = client.get(URL, query_string={"thread": KEY, **query})
    assert answer.status_code == 200, answer.text
    return Seen(answer.text)


def change_site(client: Any, people: Any, **settings: Any) -> None:
    answer = client.patch("/api/v1/sites/news", json={"settings": settings}, headers=people.bearer("admin"))
    assert answer.status_code == 200


def change_thread(client: Any, people: Any, **changes: Any) -> None:
    (thread,) = client.get("/api/v1/threads?site=news", headers=people.bearer("admin")).get_json()["items"]
    path = f"/api/v1/threads/{thread['id']}?site=news"
    assert client.patch(path, json=changes, headers=people.bearer("moderator")).status_code == 200


def test_fragment_holds_the_list_and_is_no_document(client, submit, decide, approved):
    reply = submit("An answer, and not a short one.", parent_id=approved["id"])
    decide(reply["id"])
    submit("This one waits for somebody.")
    seen = read(client)
    assert not seen.tags.keys() & {"html", "head", "body", "form", "script", "style", "img", "iframe"}
    assert [one for one in seen.ids if one.startswith("comment-")] == [
        f"comment-{approved['id']}",
        f"comment-{reply['id']}",
    ]
    assert "2 replies" in seen.text
    assert "waits for somebody" not in seen.text
    assert "ana@example.org" not in seen.text
    (outer, inner) = seen.all("article")
    assert (outer["itemtype"], inner.get("itemprop")) == ("https://schema.org/Comment", "comment")
    times = {one["datetime"] for one in seen.all("time")}
    assert approved["created_at"] in times
    assert seen.all("a", href=f"#comment-{approved['id']}")


def test_fragment_is_validated_by_its_etag_until_readers_see_a_change(client, people, approved, decide):
    first = client.get(URL, query_string={"thread": KEY})
    tag = {"If-None-Match": first.headers["ETag"]}
    listed = client.get(f"/api/v1/sites/news/comments?thread={KEY}")
    assert first.headers["Cache-Control"] == listed.headers["Cache-Control"]
    assert not first.headers["ETag"].startswith("W/")
    assert first.headers["ETag"] != listed.headers["ETag"]
    again = client.get(URL, query_string={"thread": KEY}, headers=tag)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert client.get(URL, query_string={"thread": KEY, "form": "1"}, headers=tag).status_code == 200
    assert client.get(URL, query_string={"thread": KEY}).data == first.data  # from memory
    decide(approved["id"], "trash")
    gone = client.get(URL, query_string={"thread": KEY}, headers=tag)
    assert gone.status_code == 200
    assert "useful remark" not in gone.text
    change_site(client, people, require_email=True)
    assert client.get(URL, query_string={"thread": KEY}, headers=tag).headers["ETag"] != gone.headers["ETag"]


def test_fragment_of_a_thread_that_waits_is_as_empty_as_of_none(client, submit):
    submit("Nobody has looked at this.")
    waiting, none = (client.get(URL, query_string={"thread": key, "form": "1"}).text for key in (KEY, "none"))
    assert waiting.replace(KEY, "none") == none
    assert "No replies yet" in none


def test_fragment_is_the_same_for_each_way_to_write_a_key(client, submit, decide):
    decide(submit(thread={"key": "caf\u00e9 au lait", "url": None, "title": None})["id"])
    answers = [
        client.get(URL, query_string={"thread": key, "form": "1"})
        for key in ("cafe\u0301  au lait ", "caf\u00e9 au lait")
    ]
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]
    assert answers[0].data == answers[1].data
    assert "1 reply" in answers[0].text


def test_fragment_walks_through_all_comments_by_its_links(client, submit, decide, monkeypatch):
    monkeypatch.setattr(threads, "REPLIES_PER_ROOT", 2)
    roots = [submit(f"Remark number {place} on matter {place * 7919}.")["id"] for place in range(5)]
    for one in roots:
        decide(one)
    below = [submit(f"Answer {place} to it, on {place * 104729}.", parent_id=roots[0])["id"] for place in range(5)]
    for one in below:
        decide(one)
    found, address, pages = [], f"{URL}?thread={KEY}&limit=2&page=1", [""]
    while pages:
        page = pages.pop(0)
        seen = Seen(client.get(page or address).text)
        found += [one.removeprefix("comment-") for one in seen.ids if one.startswith("comment-")]
        links = [one["href"] for one in seen.all("a") if "cursor=" in one.get("href", "")]
        pages += [link.removeprefix("http://127.0.0.1:8080") for link in links]
    assert sorted(found) == sorted(roots + below)


def test_fragment_nests_no_deeper_than_the_site_says(client, people, submit, decide):
    change_site(client, people, max_depth=2)
    parent = None
    for place in range(5):
        parent = submit(f"Level {place} of it, about {place * 7919}.", parent_id=parent)["id"]
        decide(parent)
    assert read(client).tags["ol"] == 1 + 2


def test_links_lead_to_the_page_around_and_keep_its_query(client, approved, submit, decide):
    decide(submit("A second one, on another matter.")["id"])
    seen = read(client, form="1", limit="1", within="1", url=f"{ARTICLE}?id=7&cursor=old&reply_to=x#top")
    addresses = [one["href"] for one in seen.all("a") if one["href"].startswith("https:")]
    assert {address.partition("?")[0] for address in addresses} == {ARTICLE}
    queries = [parse_qs(urlsplit(address).query) for address in addresses]
    assert all(query["id"] == ["7"] for query in queries)
    assert {"reply_to": [approved["id"]], "id": ["7"]} in queries
    (further,) = [query["cursor"] for query in queries if "cursor" in query]
    assert further != ["old"]
    assert read(client, form="1", limit="1", within="1", url=ARTICLE, cursor=further[0]).text.count("A second one") == 1


def test_links_without_a_page_around_lead_to_the_page_of_its_own(client, approved):
    (reply,) = [one["href"] for one in read(client, form="1", url=ARTICLE).all("a") if "reply_to" in one["href"]]
    page = Seen(client.get(reply.removeprefix("http://127.0.0.1:8080")).text)
    assert (page.hidden["return_to"], page.hidden["comment_parent"]) == (ARTICLE, approved["id"])
    (reply,) = [one["href"] for one in read(client, form="1").all("a") if "reply_to" in one["href"]]
    assert reply == f"{OWN_PAGE}?page=1&thread={KEY.replace('/', '%2F')}&form=1&reply_to={approved['id']}#respond"


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "https://news.example@evil.example/", "x"]
)
def test_fragment_leads_to_no_foreign_page(caller, everybody, assert_problem, url):
    answer = caller.get(URL, query_string={"thread": KEY, "url": url})
    assert "url" in assert_problem(answer, 422)["errors"]


def test_form_answers_the_comment_that_the_address_names(client, submit, decide):
    made = submit(author={"name": "<b>Ana</b> & \u202eco", "email": None, "url": None})
    decide(made["id"])
    seen = read(client, form="1", reply_to=made["id"], within="1", url=ARTICLE)
    assert seen.hidden["comment_parent"] == made["id"]
    assert "Leave a Reply to <b>Ana</b> & co" in seen.text
    assert seen.tags["b"] == 0
    answer = client.post(
        "/sites/news/reply", data={**seen.hidden, "author": "Ben", "comment": "An answer from a form."}
    )
    assert answer.headers["Location"] == f"{ARTICLE}?comment=pending#respond"


@pytest.mark.parametrize(
    "reply_to", ["", "0", "x", "01900000-0000-7000-8000-000000000000", "\u0663", "WAITING", "OTHER"]
)
def test_form_answers_the_article_where_the_address_names_no_shown_comment(client, people, approved, submit, reply_to):
    if reply_to == "WAITING":
        reply_to = submit("It waits.", parent_id=approved["id"])["id"]
    elif reply_to == "OTHER":
        made = client.post("/api/v1/sites/other/comments", json=submission_json()).get_json()
        decision = {"action": "approve"}
        path = f"/api/v1/comments/{made['id']}/decisions"
        assert client.post(path, json=decision, headers=people.bearer("stranger")).status_code == 200
        reply_to = made["id"]
    seen = read(client, form="1", reply_to=reply_to, cursor="", comment="")
    assert "comment_parent" not in seen.hidden


@pytest.mark.parametrize("cursor", ["x", "r.x.y", "r." + "0" * 32 + ".x", "a" * 5_000, "\r\n\u0663"])
def test_fragment_shows_the_beginning_where_the_address_was_changed(client, approved, cursor):
    assert approved["id"] in "".join(read(client, cursor=cursor).ids)


def test_form_says_what_the_site_asks_for(client, people, approved):
    assert "required" not in read(client, form="1").all("input", id="moderation-email")[0]
    change_site(client, people, require_email=True)
    assert "required" in read(client, form="1").all("input", id="moderation-email")[0]
    assert "Your email address will not be published." in read(client, form="1").text


def test_form_is_not_there_where_replies_are_not_taken(client, people, approved):
    change_thread(client, people, open=False)
    seen = read(client, form="1", reply_to=approved["id"])
    assert seen.tags["form"] == 0
    assert "not taken here any more" in seen.text
    assert not [one for one in seen.all("a") if "reply_to" in one["href"]]
    change_site(client, people, open_threads=False)
    assert Seen(client.get(URL, query_string={"thread": "new", "form": "1"}).text).tags["form"] == 0


def test_form_makes_a_thread_with_its_address_and_title(client, people):
    seen = read(client, form="1", url=ARTICLE, title="Arms pause")
    sent = {**seen.hidden, "author": "Ana", "comment": "A calm remark from a plain form."}
    assert client.post("/sites/news/reply", data=sent).status_code == 303
    (item,) = client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"]
    assert item["thread"] == {"key": KEY, "url": ARTICLE, "title": "Arms pause"}


def test_notice_stands_at_the_form_after_a_comment_that_waits(client, approved):
    assert "waiting for a moderator" in read(client, comment="pending", form="1").text
    assert "waiting for a moderator" not in read(client, comment="else", form="1").text


def test_page_is_a_document_that_the_site_may_frame_and_nobody_else(client, approved):
    answer = client.get(URL, query_string={"thread": KEY, "page": "1", "form": "1"})
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors https://news.example;" in policy
    assert "form-action 'self' https://news.example;" in policy
    assert "X-Frame-Options" not in answer.headers
    seen = Seen(answer.text)
    assert (seen.tags["html"], seen.tags["h1"], seen.tags["script"]) == (1, 1, 0)
    assert seen.all("link", rel="alternate")[0]["href"].endswith("/sites/news/feed.atom?thread=2025%2F07%2Farms-pause")
    known = client.get(answer.request.full_path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.headers["Content-Security-Policy"]) == (304, policy)
    fragment = client.get(URL, query_string={"thread": KEY})
    assert fragment.headers["X-Frame-Options"] == "DENY"


def test_page_of_a_site_without_origins_is_framed_by_nobody(client, people, approved):
    client.patch("/api/v1/sites/news", json={"origins": []}, headers=people.bearer("admin"))
    answer = client.get(URL, query_string={"thread": KEY, "page": "1"})
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_thread_page_of_an_unknown_site_is_not_found(caller, everybody, assert_problem):
    assert_problem(caller.get("/sites/nobody/thread.html?thread=a"), 404)


@pytest.mark.parametrize("query", ["", "thread=", "thread=a&sort=best", "thread=a&limit=0", "thread=a&x=1"])
def test_thread_page_asked_wrongly_says_so(caller, everybody, assert_problem, query):
    assert_problem(caller.get(f"{URL}?{query}"), 422)


def hostile() -> list[str]:
    """Attacks on pages and on feeds: ours, and known ones where they are there."""
    own = [
        "</article></section><script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "</textarea></title></noscript><svg onload=alert(1)>",
        '<!--#include virtual="/etc/passwd" --><!--#exec cmd="id" -->',
        '<esi:include src="https://evil.example/"/><?php echo 1 ?>',
        "{{ 7*7 }} {% raw %} ${7*7} <%= 7 %> #{7}",
        "]]></content><evil/> &#0; \ufffe\uffff \x85 \u2028",
        "\u202eevil\u202c \u2067rtl\u2069 مرحبا שלום",
        "{n} {name} %s {0}",
    ]
    folder = Path(os.environ.get("HOSTILE_FIXTURES", "nowhere"))
    if folder.is_dir():
        naughty = json.loads((folder / "blns/blns.json").read_text(encoding="utf-8"))
        own += [text for text in naughty if text.strip()][::17]
        payloads = (folder / "payloadbox-xss/xss-payload-list.txt").read_text(encoding="utf-8", errors="replace")
        own += payloads.splitlines()[::401]
    return own


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_everything_typed_is_text_in_fragment_form_feed_and_receipt(client, people, decide):
    """In every field, and as the whole of what a page is asked by."""
    import xml.etree.ElementTree as ET

    change_site(client, people, max_depth=1)
    shown, first = [], None
    for place, attack in enumerate(hostile()):
        sent = submission_json(
            f"{attack}\n\nNumber {place} on {place * 7919}, which is [a]({attack[:200]}) link."[:9_000],
            author={"name": f"A {attack}"[:100], "email": None, "url": attack[:300]},
            parent_id=first,
        )
        sent["thread"]["title"] = attack[:400]
        if not attack.startswith("http"):
            sent["author"]["url"] = None
        answer = client.post("/api/v1/sites/news/comments", json=sent)
        if answer.status_code != 202 or decide(answer.get_json()["id"]).status_code != 200:
            continue
        made = answer.get_json()
        first = first or made["id"]
        shown.append(made["id"])
        receipt = Seen(client.get(urlsplit(made["receipt_url"]).path).text)
        assert_plain(receipt, allowed={"textarea", "button", "title", "meta", "link", "main", "html", "head", "body"})
    assert len(shown) > len(hostile()) / 2
    for query in ({}, {"form": "1"}, {"form": "1", "reply_to": shown[-1]}):
        assert_plain(read(client, **query))
    for attack in hostile():
        title = attack[:400] if attack.isprintable() else "x"
        assert_plain(Seen(client.get(URL, query_string={"thread": KEY, "form": "1", "title": title}).text))
    assert ET.fromstring(client.get(f"/sites/news/feed.atom?thread={KEY}").data).find(".//{*}evil") is None


FRAMEWORK = {
    "section",
    "h1",
    "h2",
    "h3",
    "ol",
    "li",
    "article",
    "header",
    "span",
    "bdi",
    "a",
    "time",
    "div",
    "p",
    "form",
}
FRAMEWORK |= {"input", "label", "textarea", "button"}
TYPED = {"em", "strong", "code", "pre", "blockquote", "ul", "br", "del"}


def assert_plain(seen: Seen, allowed: set[str] | None = None) -> None:
    """Nothing but our own elements and those that the sanitizer lets through, and no attribute that acts."""
    assert seen.tags.keys() - FRAMEWORK - TYPED - (allowed or set()) == set()
    assert not [name for name in seen.attributes if name.startswith("on") or name in {"style", "srcdoc", "formaction"}]
    for one in seen.all("a"):
        assert re.match(r"https?://|#comment-[0-9a-f-]{36}\Z|/receipts/", one["href"]), one["href"]


def test_error_page_has_the_form_filled_in_so_that_sending_again_is_one_step(client, people, approved):
    typed = {
        "thread": KEY,
        "thread_url": ARTICLE,
        "return_to": f"{ARTICLE}#respond",
        "comment_parent": approved["id"],
        "author": 'Ana "A" <b>',
        "email": "not an address",
        "url": "javascript:alert(1)",
        "comment": "\nA first line\nand a second </textarea><b>one</b>",
        "receipt": "1",
    }
    answer = client.post("/sites/news/reply", data=typed)
    assert answer.status_code == 422
    seen = Seen(answer.text)
    assert seen.hidden == {name: typed[name] for name in ("thread", "thread_url", "return_to", "comment_parent")}
    fields = {one["name"]: one for one in seen.all("input") if one["name"] in typed}
    assert {name: fields[name]["value"] for name in ("author", "email", "url")} == {
        name: typed[name] for name in ("author", "email", "url")
    }
    assert "checked" in fields["receipt"]
    for name in ("email", "url"):
        assert fields[name]["aria-invalid"] == "true"
        assert fields[name]["aria-describedby"] in seen.ids
    assert "aria-invalid" not in fields["author"]
    area = re.search(r"<textarea id=\"moderation-text\"[^>]*>\n(.*?)</textarea>", answer.text, re.DOTALL)
    assert html.unescape(area[1]) == typed["comment"]
    assert "form-action 'self' https://news.example;" in answer.headers["Content-Security-Policy"]
    again = {**seen.hidden, **{name: typed[name] for name in ("author", "comment")}, "email": "", "url": ""}
    sent = client.post("/sites/news/reply", data=again)
    assert sent.headers["Location"] == f"{ARTICLE}?comment=pending#respond"
    (item,) = client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"]
    assert item["parent"]["id"] == approved["id"]


def test_error_page_answers_the_article_where_the_parent_is_gone(client, approved, decide):
    decide(approved["id"], "trash")
    typed = {"thread": KEY, "comment_parent": approved["id"], "author": "Ana", "comment": "A late answer to it."}
    answer = client.post("/sites/news/reply", data=typed)
    assert answer.status_code == 422
    assert "comment_parent" not in Seen(answer.text).hidden
    assert "The comment you reply to" in answer.text


def test_error_page_of_what_cannot_be_sent_again_gives_the_text_back(client, people, approved):
    change_thread(client, people, open=False)
    typed = {"thread": KEY, "author": "Ana", "comment": "A remark that comes too late."}
    answer = client.post("/sites/news/reply", data=typed)
    assert answer.status_code == 403
    seen = Seen(answer.text)
    assert (seen.tags["form"], seen.tags["textarea"]) == (0, 1)
    foreign = client.post("/sites/news/reply", data=typed, headers={"Origin": "https://evil.example"})
    assert Seen(foreign.text).tags["form"] == 0


def test_form_with_the_wish_for_a_link_answers_with_it_and_keeps_it_out_of_addresses(client, people):
    typed = {"thread": KEY, "return_to": ARTICLE, "author": "Ana", "comment": "A calm remark.", "receipt": "1"}
    answer = client.post("/sites/news/reply", data=typed, headers={"Origin": "https://news.example"})
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    links = [one["href"] for one in Seen(answer.text).all("a")]
    assert [link.startswith("http://127.0.0.1:8080/receipts/") for link in links] == [True, False]
    assert links[1] == ARTICLE
    assert client.get(urlsplit(links[0]).path).status_code == 200
    assert client.post("/sites/news/reply", data=typed).text == answer.text  # a reload is no second comment


def test_form_sent_again_by_somebody_else_gives_them_no_link_to_the_comment(client, people, clock):
    """What is public can be copied: thread, name and text."""
    typed = {"thread": KEY, "author": "Ana", "comment": "A calm remark.", "receipt": "1"}
    first, again = client.post("/sites/news/reply", data=typed), client.post("/sites/news/reply", data=typed)
    assert "/receipts/" in first.text
    assert again.text == first.text
    other = client.post("/sites/news/reply", data=typed, environ_base={"REMOTE_ADDR": "203.0.113.77"})
    links = [Seen(answer.text).all("a")[0]["href"] for answer in (first, other)]
    assert links[0] != links[1]
    clock.move(minutes=11)
    assert "/receipts/" not in client.post("/sites/news/reply", data=typed).text


def test_fragment_while_the_database_is_away_is_a_sentence_and_no_page(caller, everybody, monkeypatch):
    """A server that includes whatever it gets has no second document in the middle of its article."""

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    monkeypatch.setattr(sites, "site_by_key", away)
    answer = caller.get(URL, query_string={"thread": KEY, "lang": "de"}, headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "Die Antworten können gerade nicht angezeigt werden." in answer.text
    assert Seen(answer.text).tags.keys() == {"section", "p"}
    assert "secret" not in answer.text


def test_form_offers_notices_where_mail_is_on_and_not_elsewhere(client, people, app, approved):
    change = {"settings": {"reply_notices": True}}
    client.patch("/api/v1/sites/news", json=change, headers=people.bearer("admin"))
    path = "/sites/news/thread.html?thread=2025/07/arms-pause&form=1"
    before = client.get(path)
    assert 'name="notify"' not in before.text
    parts = app.extensions["moderation"]
    app.extensions["moderation"] = replace(parts, settings=replace(parts.settings, smtp_host="mail.example"))
    try:
        after = client.get(path)
    finally:
        app.extensions["moderation"] = parts
    assert 'name="notify"' in after.text
    assert after.headers["ETag"] != before.headers["ETag"]
