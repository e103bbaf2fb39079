"""Atom feeds that every reader can parse, whatever a comment holds, and pictures that tell nothing."""

import xml.etree.ElementTree as ET
from datetime import datetime

import pytest

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
    root = ET.fromstring(client.get(FEED).data)
    assert len(root.findall(f"{ATOM}entry")) == len(HOSTILE_NAMES)
    assert root.find(".//{*}evil") is None


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
