"""Atom feeds that every reader can parse, whatever a comment holds, and pictures that tell nothing."""

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from moderation.services import feeds
from moderation.storage.db import write
from moderation.storage.models import Comment, Thread

FEED = "/sites/news/feed.atom"
ATOM = "{http://www.w3.org/2005/Atom}"
THR = "{http://purl.org/syndication/thread/1.0}"


def test_feed_holds_what_rfc_4287_asks_for(client, approved):
    answer = client.get(FEED)
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    root = ET.fromstring(answer.data)
    assert root.tag == f"{ATOM}feed"
    assert root.find(f"{ATOM}id").text.startswith("urn:uuid:")
    datetime.fromisoformat(root.find(f"{ATOM}updated").text)
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")] == ["self", "alternate"]
    (entry,) = root.findall(f"{ATOM}entry")
    assert entry.find(f"{ATOM}id").text == f"urn:uuid:{approved['id']}"
    assert entry.find(f"{ATOM}author/{ATOM}name").text == "Ana"
    assert entry.find(f"{ATOM}content").get("type") == "html"
    assert entry.find(f"{ATOM}content").text == "<p>A calm and useful remark.</p>"
    assert "ana@example.org" not in answer.text


def test_feed_of_a_reply_names_its_parent(client, approved, submit, decide):
    reply = submit("An answer to that, and not a short one.", parent_id=approved["id"])
    decide(reply["id"])
    root = ET.fromstring(client.get(f"{FEED}?thread=2025/07/arms-pause").data)
    references = [one.get("ref") for one in root.iter(f"{THR}in-reply-to")]
    assert references == [f"urn:uuid:{approved['id']}"]


HOSTILE_NAMES = ("</name><evil/>", "]]>", "&amp;", "<!--", "\"'><script>", "\u2028", "\ufffe\uffff", "a\x08b", "&#x0;")


def test_feed_stays_well_formed_whatever_a_name_holds(client, submit, decide):
    for place, name in enumerate(HOSTILE_NAMES):
        author = {"name": f"A {name}", "email": None, "url": None}
        decide(submit(f"Remark number {place} on matter {place * 7919}.", author=author)["id"])
    root = valid_feed(client.get(FEED))
    assert len(root.findall(f"{ATOM}entry")) == len(HOSTILE_NAMES)
    assert root.find(".//{*}evil") is None


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_feed_stays_well_formed_for_every_stored_character(client, parts, approved):
    """Also for what an import or an older version may have stored: each character of the first plane."""
    every = "".join(chr(code) for code in range(1, 0x10000) if not 0xD800 <= code <= 0xDFFF)
    for part in (every[:100], every[-100:]):
        with write() as session:
            session.execute(sa.update(Comment).values(body_html=every, author_name=part))
            session.execute(sa.update(Thread).values(title=part, version=Thread.version + 1))
        valid_feed(client.get(FEED))
        valid_feed(client.get(f"{FEED}?thread=2025/07/arms-pause"))


def valid_feed(answer):
    """The feed, which is held to each MUST of RFC 4287 that bears on it, and to RFC 4685 and RFC 5005."""
    assert answer.status_code == 200
    root = ET.fromstring(answer.data)
    assert root.tag == f"{ATOM}feed"
    for holder in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):  # 4.1.1, 4.1.2: exactly one
            assert len(holder.findall(f"{ATOM}{name}")) == 1
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", holder.find(f"{ATOM}id").text)  # 4.2.6: an IRI
        alternates = [(one.get("type"), one.get("hreflang")) for one in holder.findall(f"{ATOM}link[@rel='alternate']")]
        assert len(alternates) == len(set(alternates))
        for link in holder.findall(f"{ATOM}link"):  # 4.2.7
            split = urlsplit(link.get("href"))
            assert split.scheme in {"http", "https"}
            assert split.netloc
            assert "/" in link.get("type")
            count = link.get(f"{THR}count")
            assert count is None or (int(count) >= 0 and link.get("rel") == "replies")  # RFC 4685, 4
        for title in holder.findall(f"{ATOM}title"):
            assert title.get("type") == "text"
            assert len(title) == 0
        for date in (*holder.findall(f"{ATOM}updated"), *holder.findall(f"{ATOM}published")):  # 3.3
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", date.text)
        for relation in ("self", "first", "next"):  # RFC 5005, 3
            assert len(holder.findall(f"{ATOM}link[@rel='{relation}']")) <= 1
    for entry in root.findall(f"{ATOM}entry"):
        assert len(entry.findall(f"{ATOM}author")) == 1  # 4.1.1: or the feed has to have one
        assert len(entry.findall(f"{ATOM}author/{ATOM}name")) == 1
        assert len(entry.findall(f"{ATOM}content")) == 1
        assert entry.find(f"{ATOM}content").get("type") == "html"
        assert len(entry.find(f"{ATOM}content")) == 0  # 4.1.3.3: html has no child elements
        for uri in entry.findall(f"{ATOM}author/{ATOM}uri"):
            assert urlsplit(uri.text).scheme in {"http", "https"}
        for reference in entry.findall(f"{THR}in-reply-to"):  # RFC 4685, 3
            assert reference.get("ref").startswith("urn:uuid:")
    ids = [entry.find(f"{ATOM}id").text for entry in root.findall(f"{ATOM}entry")]
    assert len(ids) == len(set(ids))
    assert len(root.findall(f"{ATOM}link[@rel='self']")) == 1
    return root


def links(holder, relation):
    """The addresses of a relation."""
    return [one.get("href") for one in holder.findall(f"{ATOM}link[@rel='{relation}']")]


def test_feed_walks_back_to_the_first_comment_by_its_links(client, submit, decide, monkeypatch):
    monkeypatch.setattr(feeds, "ENTRIES", 2)
    made = [submit(f"Remark number {place} on matter {place * 7919}.")["id"] for place in range(5)]
    for one in made:
        decide(one)
    for start in (FEED, f"{FEED}?thread=2025/07/arms-pause"):
        found, address = [], start
        while address:
            root = valid_feed(client.get(address.removeprefix("http://127.0.0.1:8080")))
            assert urlsplit(links(root, "self")[0]).path == FEED
            assert bool(links(root, "first")) is (address is not start)
            found += [entry.find(f"{ATOM}id").text.removeprefix("urn:uuid:") for entry in root.iter(f"{ATOM}entry")]
            address = next(iter(links(root, "next")), None)
        assert found == made[::-1]


def test_feed_counts_and_names_answers(client, approved, submit, decide):
    for place in range(2):
        decide(submit(f"Answer {place} to it, about {place * 7919}.", parent_id=approved["id"])["id"])
    submit("An answer that waits for somebody.", parent_id=approved["id"])
    root = valid_feed(client.get(FEED))
    permalink = f"https://news.example/2025/07/arms-pause#comment-{approved['id']}"
    answers, (parent,) = root.findall(f"{ATOM}entry")[:2], root.findall(f"{ATOM}entry")[2:]
    for answer in answers:
        reference = answer.find(f"{THR}in-reply-to")
        assert (reference.get("href"), reference.get("type")) == (permalink, "text/html")
        assert answer.find(f"{THR}total") is None
    assert parent.find(f"{THR}total").text == "2"
    (replies,) = parent.findall(f"{ATOM}link[@rel='replies']")
    assert (replies.get("href"), replies.get(f"{THR}count")) == (permalink, "2")


def test_feed_of_a_thread_without_an_address_links_to_the_page_of_its_own(client, submit, decide):
    made = submit(thread={"key": "a&b=c", "url": None, "title": None})
    decide(made["id"])
    (entry,) = valid_feed(client.get(FEED)).findall(f"{ATOM}entry")
    page, _, anchor = links(entry, "alternate")[0].partition("#")
    assert anchor == f"comment-{made['id']}"
    assert f'id="{anchor}"' in client.get(page.removeprefix("http://127.0.0.1:8080")).text


def test_feed_is_dated_by_what_readers_last_saw(client, submit, decide, clock):
    made = submit()
    clock.move(hours=3)
    decide(made["id"])
    answer = client.get(FEED)
    assert answer.last_modified == clock.now
    assert datetime.fromisoformat(valid_feed(answer).find(f"{ATOM}updated").text) == clock.now


def test_feed_is_no_304_by_a_date_since_what_is_taken_down_leaves_none(client, approved, submit, decide):
    first = submit("Another one, on another matter.")
    decide(first["id"])
    date = client.get(FEED).headers["Last-Modified"]
    decide(first["id"], "trash")
    assert "another matter" not in client.get(FEED, headers={"If-Modified-Since": date}).text


@pytest.mark.parametrize("address", [FEED, f"{FEED}?thread=2025/07/arms-pause"])
def test_feed_changes_its_etag_with_each_thing_that_readers_see(client, people, approved, submit, decide, address):
    tags = [client.get(address).headers["ETag"]]

    def changed() -> bool:
        answer = client.get(address, headers={"If-None-Match": tags[-1]})
        tags.append(answer.headers["ETag"])
        return answer.status_code == 200

    assert not changed()
    reply = submit("An answer, and not a short one.", parent_id=approved["id"])
    assert not changed()  # it waits
    decide(reply["id"])
    assert changed()
    decide(reply["id"], "trash")
    assert changed()
    client.patch("/api/v1/sites/news", json={"name": "The New News"}, headers=people.bearer("admin"))
    assert changed()
    assert not changed()


@pytest.mark.parametrize("cursor", ["x", "OTHER", "LIST"])
def test_feed_with_a_cursor_of_another_list_is_refused(client, submit, decide, monkeypatch, assert_problem, cursor):
    monkeypatch.setattr(feeds, "ENTRIES", 1)
    for place in range(2):
        decide(submit(f"Remark number {place} on matter {place * 7919}.")["id"])
    address = next(iter(links(valid_feed(client.get(f"{FEED}?thread=2025/07/arms-pause")), "next")))
    page = client.get("/api/v1/sites/news/comments?thread=2025/07/arms-pause&limit=1").get_json()
    cursor = {"OTHER": address.partition("cursor=")[2], "LIST": page["next"]}.get(cursor, cursor)
    assert "cursor" in assert_problem(client.get(f"{FEED}?cursor={cursor}"), 422)["errors"]


def test_feed_of_a_thread_that_waits_is_as_that_of_none(client, submit, assert_problem):
    submit("Nobody has looked at this.")
    waiting = assert_problem(client.get(f"{FEED}?thread=2025/07/arms-pause"), 404)
    assert waiting == assert_problem(client.get(f"{FEED}?thread=none"), 404)


def test_feed_keeps_its_etag_until_something_changes(client, approved, submit, decide):
    tag = client.get(FEED).headers["ETag"]
    again = client.get(FEED, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    decide(submit("Another one, on another matter.")["id"])
    assert client.get(FEED, headers={"If-None-Match": tag}).status_code == 200


def test_feed_of_what_is_not_there_is_not_found(caller, everybody, assert_problem):
    assert_problem(caller.get("/sites/nobody/feed.atom"), 404)
    assert_problem(caller.get(f"{FEED}?thread=none"), 404)
    assert_problem(caller.get(f"{FEED}?thread=none&x=1"), 422)


def test_picture_is_a_public_drawing_that_may_be_kept(client, approved):
    page = client.get("/api/v1/sites/news/comments?thread=2025/07/arms-pause").get_json()
    answer = client.get(page["comments"][0]["author"]["avatar"])
    assert answer.status_code == 200
    assert answer.mimetype == "image/svg+xml"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "<script" not in answer.text
    assert (
        client.get(
            page["comments"][0]["author"]["avatar"], headers={"If-None-Match": answer.headers["ETag"]}
        ).status_code
        == 304
    )


@pytest.mark.parametrize(
    "name", ["x", "x.png", ".svg", "a" * 33 + ".svg", "a%2f.svg", "%00.svg", "\u00e9.svg", "a b.svg", "a.svg.svg"]
)
def test_picture_with_a_strange_key_is_not_found(caller, everybody, assert_problem, name):
    assert_problem(caller.get(f"/avatars/{name}"), 404)


def test_the_widget_may_be_loaded_from_anywhere(caller, everybody):
    answer = caller.get("/embed.js")
    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert caller.get("/embed.js", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
