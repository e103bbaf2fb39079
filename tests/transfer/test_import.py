"""Comments moved in: each system's oddities, parents that come later, a second time, and files that are broken."""

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from moderation.cli import main
from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Forbidden, Malformed, NotFound, TooLarge
from moderation.formats import files, xml_events
from moderation.services import moderate, rescore, transfer
from moderation.storage import audit
from moderation.storage.db import read
from moderation.storage.models import AuditLine, Comment, DailyCount, Event, Imported, LearnedStep, Thread
from tests.conftest import submission_json
from tests.transfer.conftest import SAMPLES

KINDS = ["wordpress", "disqus", "isso", "remark42"]


def reasons(report):
    return {one["reason"]: one["count"] for one in report["left_out"]}


def changes(report):
    return {one["what"]: one["count"] for one in report["changed"]}


# --- each system ----------------------------------------------------------------------------------------------------


def test_import_wordpress_keeps_what_it_means_and_says_what_it_leaves_out(take, rows) -> None:
    report = take("wordpress")
    assert report["records"] == 9
    assert report["added"] == {"pending": 1, "approved": 3, "spam": 1, "trashed": 2}
    assert report["threads"] == 2
    assert reasons(report) == {
        "pingback": 1,
        "trackback": 1,
        "what a plugin keeps among the comments": 1,
        "it has no text": 1,
        "the second of this id in the file": 1,
    }
    assert [one["lines"] for one in report["left_out"] if one["reason"] == "pingback"] == [[95]]
    assert changes(report) == {
        "a website was left out, since it is no web address": 1,
        "an email address was left out, since it is none": 1,
        "a reply to a comment of another page stands on top level": 1,
    }
    assert report["without_parent"] == 1
    found = rows()
    imke, bjorn, nobody = found["Imke"], found["Björn <b>"], found["Anonymous"]
    assert (imke.key, imke.title, imke.approved) == (
        "/2024/05/runner-beans/",
        "Runner beans & the late frost",
        2,
    )
    assert imke.parent_id == bjorn.id == imke.root_id
    assert (imke.depth, nobody.depth, nobody.root_id, nobody.parent_id) == (1, 2, bjorn.id, imke.id)
    assert (imke.shown, bjorn.shown, nobody.shown) == (True, True, False)
    assert imke.created_at.replace(tzinfo=UTC) == datetime(2024, 5, 3, 10, 30, tzinfo=UTC)
    assert nobody.created_at.replace(tzinfo=UTC) == datetime(2024, 5, 4, 8, 0, tzinfo=UTC)
    assert (imke.ip_network, bjorn.ip_network) == ("203.0.113.0/24", "2001:db8:17::/48")
    assert (imke.email_domain, bjorn.email_domain, nobody.email_domain) == ("garden.example", "example.org", None)
    assert (imke.author_url, bjorn.author_url) == ("https://imke.example/", None)
    assert imke.body_html == (
        "<p>The reply stands <em>before</em> what it answers.</p>\n"
        "<p>A second paragraph,<br>\non two lines, with 2 * 3 * 4 and snake_case.</p>"
    )
    assert "<blockquote>\n<p>Cover them.</p>\n</blockquote>" in bjorn.body_html
    assert (
        '<a href="https://beans.example/frost" rel="nofollow ugc noopener noreferrer">the table</a>' in bjorn.body_html
    )
    assert "script" not in bjorn.body_html
    assert "alert" not in bjorn.body_html
    assert "]]&gt;" in bjorn.body_html
    assert nobody.body_html == "<p>Escaped, not in CDATA: fish &amp; chips <strong>now</strong></p>"
    plain, other = found["مریم می‌نویسد"], found["Elsewhere"]
    assert (plain.key, plain.open, plain.state) == ("/?page_id=7", False, "trashed")
    assert (other.parent_id, other.depth) == (None, 0)


def test_import_disqus_keeps_what_it_means_and_says_what_it_leaves_out(take, rows) -> None:
    report = take("disqus")
    assert report["added"] == {"approved": 5, "spam": 1, "deleted": 1}
    assert reasons(report) == {"its page is not in the file, or has no address there": 2}
    found = rows()
    odile, sam, gone, below = found["Odile"], found["Sam"], found[""], found["Anonymous"]
    assert (odile.key, odile.title, odile.open) == ("/news/night-boat/", "The night boat & its crew", False)
    assert odile.body == "First **bold** words.\n\nA https://tide.example/table"
    assert (sam.email_domain, sam.ip_network, odile.email_domain) == ("example.net", "198.51.100.0/24", None)
    assert (gone.state, gone.body, gone.body_html, gone.email_sealed, gone.shown) == ("deleted", "", "", None, True)
    assert (below.parent_id, below.depth, below.shown) == (gone.id, 3, True)
    assert found["Later"].parent_id == found["Earlier"].id
    assert (found["Later"].key, found["Later"].title) == ("/news/fares/", None)
    assert found["Later"].body_html == "<p>Plain text with<br>\na line break</p>"
    assert (found["Bot"].state, found["Bot"].shown) == ("spam", False)
    assert odile.approved == 3


def test_import_isso_keeps_what_it_means(take, rows) -> None:
    report = take("isso")
    assert report["added"] == {"pending": 1, "approved": 4, "deleted": 1}
    assert changes(report) == {"a website was left out, since it is no web address": 1}
    found = rows()
    wilma, old = found["Wilma"], found["Old"]
    assert (wilma.key, wilma.votes, old.votes) == ("/posts/lighthouse/", 3, -1)
    assert wilma.created_at.replace(tzinfo=UTC) == datetime(2021, 2, 1, 0, 0, 0, 250_000, UTC)
    assert wilma.edited_at.replace(tzinfo=UTC) == datetime(2021, 2, 1, 0, 5, 0, 500_000, UTC)
    assert wilma.body == "Some **Markdown** with `code` and https://lamp.example/"
    assert old.body_html == "<p>Imported into Isso as <em>HTML</em>.</p>\n<p>*not emphasis*</p>"
    assert found["Early"].parent_id == found["Late"].id
    assert found["Anonymous"].parent_id == wilma.id
    assert found["Anonymous"].state == "pending"


def test_import_remark42_keeps_what_it_means(take, rows) -> None:
    report = take("remark42")
    assert report["added"] == {"approved": 3, "deleted": 1}
    assert report["without_parent"] == 1
    found = rows()
    noor, tove = found["Noor"], found["Tove"]
    assert (noor.key, noor.open, noor.votes, noor.body) == ("/glaze/", False, 4, "Rendered **text**")
    assert noor.created_at.replace(tzinfo=UTC) == datetime(2022, 1, 5, 8, 0, 0, 123_456, UTC)
    assert noor.edited_at.replace(tzinfo=UTC) == datetime(2022, 1, 5, 8, 3, tzinfo=UTC)
    assert (tove.body, tove.votes, tove.depth) == ("Its parent comes later & is deleted", -2, 2)
    assert (found[""].state, found[""].shown, found[""].parent_id) == ("deleted", True, noor.id)
    assert found["Anonymous"].key == "/firing/"
    assert found["Anonymous"].open


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_import_wordpress_of_older_versions_is_the_same(take, rows, version) -> None:
    text = (SAMPLES / "wordpress.xml").read_text(encoding="utf-8").replace("export/1.2/", f"export/{version}/")
    assert take("wordpress", text)["added"] == {"pending": 1, "approved": 3, "spam": 1, "trashed": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_import_is_quiet_and_teaches_nothing(app, take, rows, kind) -> None:
    report = take(kind)
    with app.extensions["sqlalchemy"].engine.connect() as connection:
        for table in (Event, LearnedStep, DailyCount):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert all(row.editable_until == row.created_at and not row.author_proven for row in rows().values())
    assert {row.risk for row in rows().values()} == {0.0}
    with read() as session:
        assert audit.verify(session, app.extensions["moderation"].vault.audit_key) == []
        lines = session.scalars(sa.select(AuditLine).where(AuditLine.action == "comments.import")).all()
    assert sum(line.data["comments"] for line in lines) == sum(report["added"].values())


@pytest.mark.parametrize("kind", KINDS)
def test_import_twice_adds_nothing_and_changes_nothing(app, take, kind) -> None:
    first = take(kind)
    dump = everything(app)
    again = take(kind)
    assert (again["added"], again["threads"]) == ({}, 0)
    assert again["already_there"] == sum(first["added"].values())
    assert everything(app) == dump


@pytest.mark.parametrize("kind", KINDS)
def test_import_dry_run_says_the_same_and_stores_nothing(app, take, kind) -> None:
    before = everything(app)
    tried = take(kind, dry_run=True)
    assert everything(app) == before
    done = take(kind)
    for name in ("records", "added", "threads", "left_out"):
        assert tried[name] == done[name]
    assert sum(take(kind, dry_run=True)["added"].values()) == 0


def everything(app):
    """Every row of every table that an import may write, but for the audit log."""
    with app.extensions["sqlalchemy"].engine.connect() as connection:
        return [
            connection.execute(sa.select(table.__table__).order_by(*table.__table__.primary_key.columns)).all()
            for table in (Thread, Comment, Imported)
        ]


# --- beside what is there -------------------------------------------------------------------------------------------


def test_import_into_used_site_changes_nothing_that_is_there(app, take, client, people, rows) -> None:
    body = submission_json()
    body["thread"] = {"key": "/2024/05/runner-beans/", "url": None, "title": "Our own title"}
    assert client.post("/api/v1/sites/news/comments", json=body).status_code == 202
    with app.extensions["sqlalchemy"].engine.connect() as connection:
        before = connection.execute(sa.select(Comment.__table__)).one()
    take("wordpress")
    ana = rows()["Ana"]
    assert tuple(ana)[: len(before)] == tuple(before)
    assert (ana.title, ana.open) == ("Our own title", True)
    assert len({row.thread_id for row in rows().values() if row.key == ana.key}) == 1


def test_import_what_was_decided_since_stays_decided(take, parts, rows) -> None:
    take("wordpress")
    waiting = rows()["Anonymous"]
    moderate.decide(parts, CLI, waiting.id, "approve")
    take("wordpress")
    assert rows()["Anonymous"].state == "approved"
    assert rows()["Anonymous"].shown


def test_decide_and_read_imported_comments_like_any(take, parts, client, rows) -> None:
    take("wordpress")
    found = rows()
    moderate.decide(parts, CLI, found["Björn <b>"].id, "reject")
    answer = client.get("/api/v1/sites/news/comments", query_string={"thread": "/2024/05/runner-beans/"}).get_json()
    assert (answer["total"], answer["comments"]) == (0, [])
    moderate.decide(parts, CLI, found["Björn <b>"].id, "approve")
    answer = client.get("/api/v1/sites/news/comments", query_string={"thread": "/2024/05/runner-beans/"}).get_json()
    assert answer["total"] == 2
    (root,) = answer["comments"]
    assert [reply["author"]["name"] for reply in root["replies"]] == ["Imke"]
    shown = moderate.show_comment(parts, CLI, found["Imke"].id)
    assert shown["body"].startswith("The reply stands *before*")
    revealed = moderate.reveal_email(parts, CLI, found["Imke"].id, "a test of the import")
    assert revealed["email"] == "imke@garden.example"


def test_import_two_sites_of_one_kind_are_told_apart_by_origin(take) -> None:
    take("isso")
    other = (SAMPLES / "isso.sql").read_text(encoding="utf-8").replace("16121", "16131")
    database = sqlite3.connect(":memory:")
    database.executescript(other)
    raw = database.serialize()
    report = take("isso", raw)
    assert reasons(report) == {
        "another comment with this id came before; if from another site, name each by --origin": 6
    }
    assert sum(take("isso", raw, origin="second")["added"].values()) == 6
    assert take("isso", raw, origin="second")["already_there"] == 6


@pytest.mark.parametrize(
    ("how", "key"),
    [
        ("path", "/2024/05/runner-beans/"),
        ("bare", "2024/05/runner-beans"),
        ("url", "https://allotment.example/2024/05/runner-beans/"),
        ("id", "41"),
    ],
)
def test_import_makes_thread_keys_as_asked(take, rows, how, key) -> None:
    take("wordpress", how=how)
    assert rows()["Imke"].key == key


def test_import_for_nobody_but_an_admin(parts, people) -> None:
    viewer = Actor("token", "x", "x", {people.site_id: Role.MODERATOR})
    stranger = Actor("token", "y", "y", {people.other_id: Role.ADMIN})
    for actor, error in ((viewer, Forbidden), (stranger, NotFound)):
        with pytest.raises(error):
            transfer.import_comments(parts, actor, "news", "wordpress", SAMPLES / "wordpress.xml")
    with pytest.raises(NotFound):
        transfer.import_comments(parts, CLI, "*", "wordpress", SAMPLES / "wordpress.xml")


# --- trees ----------------------------------------------------------------------------------------------------------


def remark(number, parent="", url="https://kiln.example/a/", **more):
    line = {
        "id": f"r{number:05}",
        "pid": parent and f"r{parent:05}",
        "orig": f"Comment {number}",
        "user": {"name": f"N{number}"},
    }
    line |= {
        "locator": {"url": url},
        "time": f"2022-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
    }
    return json.dumps(line | more)


def tree(app):
    with app.extensions["sqlalchemy"].engine.connect() as connection:
        return {row.author_name: row for row in connection.execute(sa.select(Comment.__table__))}


def test_import_long_chain_backwards_comes_out_whole(app, take) -> None:
    lines = [remark(n, n + 1) for n in range(1, 450)] + [remark(450)]
    report = take("remark42", "\n".join(lines))
    assert (report["added"], report["without_parent"]) == ({"approved": 450}, 0)
    found = tree(app)
    assert len({row.root_id for row in found.values()}) == 1
    assert max(row.depth for row in found.values()) == transfer.MAX_DEPTH
    assert all(row.shown for row in found.values())
    assert found["N449"].parent_id == found["N450"].id
    assert found["N360"].depth == 90
    with app.extensions["sqlalchemy"].engine.connect() as connection:
        assert connection.scalar(sa.select(Thread.approved)) == 450
        assert connection.scalar(sa.select(sa.func.count()).where(Imported.waits_for.is_not(None))) == 0


def test_import_deep_chain_forwards_stays_within_depth(app, take) -> None:
    take("remark42", "\n".join([remark(1), *(remark(n, n - 1) for n in range(2, 250))]))
    assert max(row.depth for row in tree(app).values()) == transfer.MAX_DEPTH


def test_import_replies_in_a_circle_stand_on_top_level(app, take) -> None:
    report = take(
        "remark42", "\n".join([remark(1, 3), remark(2, 1), remark(3, 2), remark(4, 4), remark(5, 6), remark(6, 5)])
    )
    assert report["added"] == {"approved": 6}
    found = tree(app)
    assert {name for name, row in found.items() if row.parent_id is None} >= {"N1", "N4"}
    by_id = {row.id: row for row in found.values()}
    for row in found.values():
        steps = 0
        while row.parent_id is not None:
            row, steps = by_id[row.parent_id], steps + 1
            assert steps < 10
    assert all(row.shown for row in found.values())


def test_import_parent_in_a_later_file_takes_its_replies(app, take) -> None:
    assert take("remark42", "\n".join([remark(2, 1), remark(3, 2)]))["without_parent"] == 1
    assert tree(app)["N2"].parent_id is None
    assert take("remark42", remark(1))["without_parent"] == 0
    found = tree(app)
    assert (found["N2"].parent_id, found["N3"].root_id, found["N3"].depth) == (found["N1"].id, found["N1"].id, 2)


def test_import_reply_below_what_is_hidden_is_hidden(app, take) -> None:
    lines = [remark(2, 1), remark(3, 2), remark(1, delete=True), remark(5, 4, delete=True), remark(4, delete=True)]
    take("remark42", "\n".join(lines))
    found = {row.author_name: row for row in tree(app).values() if row.author_name}
    assert found["N2"].shown
    assert found["N3"].shown
    with app.extensions["sqlalchemy"].engine.connect() as connection:
        states = connection.execute(sa.select(Comment.state, Comment.shown, Comment.created_at)).all()
        assert connection.scalar(sa.select(Thread.approved)) == 2
    deleted = {row.created_at.second: row.shown for row in states if row.state == "deleted"}
    assert deleted == {1: True, 4: False, 5: False}


# --- broken and hostile files ---------------------------------------------------------------------------------------

_WXR = '<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel>\n<item><link>https://b.example/a/</link>\n{}</item></channel></rss>'


def comment(number=1, text="Text", **more):
    fields = {"id": number, "author": "A", "date_gmt": "2024-01-01 00:00:00", "content": text, "approved": 1} | more
    return (
        "<wp:comment>" + "".join(f"<wp:comment_{k}>{v}</wp:comment_{k}>" for k, v in fields.items()) + "</wp:comment>\n"
    )


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("wordpress", _WXR.format(comment() + comment(2, "<b>")), "Line 4"),
        ("wordpress", _WXR.format(comment() + comment("x")), "Line 4: a comment has no comment_id"),
        ("wordpress", _WXR.format(comment(date_gmt="yesterday")), "Line 3: a comment has no comment_date_gmt"),
        ("wordpress", _WXR.format(comment(approved="maybe")), "Line 3: a comment's comment_approved"),
        ("wordpress", _WXR.format(comment())[:-20], "not well-formed"),
        ("wordpress", _WXR.format(comment(text="\x0b")), "Line 3: it is not well-formed XML"),
        (
            "wordpress",
            _WXR.format(comment(text="X")).encode().replace(b"X", b"\xff"),
            "Line 3: it is not well-formed XML",
        ),
        ("wordpress", "<html></html>", "no WordPress export"),
        ("wordpress", "", "no WordPress export"),
        ("wordpress", '<!DOCTYPE rss [<!ENTITY a "b">]>\n' + _WXR.format(comment()), "Line 1: it has a DTD"),
        ("wordpress", "<a>" * 100 + "</a>" * 100, "deep"),
        ("disqus", "<rss></rss>", "no Disqus export"),
        ("remark42", '{"version":1}\n{"id":"1",\n', "Line 2: it is not one JSON object"),
        ("remark42", '{"version":1}\n[]\n', "Line 2: it is not one JSON object"),
        ("remark42", '{"version":2,"users":[],"posts":[]}\n', "version"),
        ("remark42", "[" * 100_000, "Line 1: it is not one JSON object"),
        ("remark42", '{"id":"1","time":"2022-01-01T00:00:00Z","locator":{}}', "locator.url"),
        ("remark42", gzip.compress(b"x" * 1000, mtime=0)[:-9], "gzip"),
        ("jsonl", "", "empty"),
        ("jsonl", '{"format":"other"}\n', "no export of ours"),
        ("jsonl", '{"format":"comment-moderation","version":1}\n{"comment":{"author":{}}}\n', "Line 2"),
        ("jsonl", '{"format":"comment-moderation","version":1}\n{"comment":"\\ud800"}\n', "Line 2: it is not JSON"),
        ("isso", "not a database", "no SQLite database"),
        ("isso", "", "no Isso database"),
    ],
)
def test_import_broken_file_says_where_and_stores_nothing(app, take, kind, content, says) -> None:
    before = everything(app)
    with pytest.raises(Malformed, match=says):
        take(kind, content)
    assert everything(app) == before


def test_import_lenient_leaves_out_and_mends_what_is_broken(take, rows) -> None:
    text = _WXR.format(comment(1, "a\x0bb\x00c") + comment("x") + comment(3, "\N{REPLACEMENT CHARACTER}", author="B"))
    report = take(
        "wordpress", text.encode().replace("\N{REPLACEMENT CHARACTER}".encode(), b"bad \xff\xfe"), lenient=True
    )
    assert report["added"] == {"approved": 2}
    assert reasons(report) == {"cannot be read: a comment has no comment_id that is a number": 1}
    assert changes(report) == {"control characters left out": 2, "bytes that are not UTF-8 replaced": 2}
    assert rows()["A"].body == "abc"
    lines = ['{"version":1}', remark(1), "nonsense", remark(2, time="never"), "\ufffd", remark(3)]
    report = take("remark42", "\n".join(lines), lenient=True)
    assert report["added"] == {"approved": 2}
    assert sum(reasons(report).values()) == 3


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
@pytest.mark.parametrize("lenient", [False, True])
def test_import_xml_of_another_encoding_is_read(take, rows, encoding, lenient) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n' + _WXR.format(comment(author="Zoë"))
    take("wordpress", text.encode(encoding), lenient=lenient)
    assert "Zoë" in rows()


@pytest.mark.skipif("HOSTILE_FIXTURES" not in os.environ, reason="HOSTILE_FIXTURES is not set")
def test_import_xml_bombs_are_refused_at_once(take) -> None:
    found = sorted(Path(os.environ["HOSTILE_FIXTURES"], "defusedxml/xmltestdata").glob("*.xml"))
    assert len(found) >= 8
    for path in found:
        begun = time.monotonic()
        with pytest.raises(Malformed):
            take("wordpress", path)
        assert time.monotonic() - begun < 5


@pytest.mark.skipif("HOSTILE_FIXTURES" not in os.environ, reason="HOSTILE_FIXTURES is not set")
@pytest.mark.parametrize(("name", "kind"), [("isso-disqus.xml", "disqus"), ("isso-wordpress.xml", "wordpress")])
def test_import_samples_of_others_are_read(take, name, kind) -> None:
    report = take(kind, Path(os.environ["HOSTILE_FIXTURES"], "imports", name))
    assert sum(report["added"].values()) >= 3


@pytest.mark.parametrize(
    "content",
    [
        "<rss>" + "".join(f"<a{n}/>" for n in range(3_000)) + "</rss>",
        "<rss>" + "".join(f'<a b{n}="1"/>' for n in range(3_000)) + "</rss>",
        "<rss>" + "".join(f'<a xmlns:p{n}="u"/>' for n in range(3_000)) + "</rss>",
        f"<{'a' * 300}/>",
    ],
    ids=["elements", "attributes", "prefixes", "length"],
)
def test_import_names_that_fill_the_memory_are_refused(take, content) -> None:
    with pytest.raises(Malformed, match="names"):
        take("wordpress", content)


@pytest.mark.parametrize("kind", KINDS)
def test_import_is_judged_by_rescore_and_grouped_by_regroup(take, parts, rows, kind) -> None:
    total = sum(count for state, count in take(kind)["added"].items() if state != "deleted")
    take("remark42", remark(1, orig="Long. " * 3_000))
    assert rescore.rescore(parts, CLI, "news", apply=True)["applied"]["stored"] == total + 1
    assert all(row.scorer_version for row in rows().values() if row.state != "deleted")
    assert rescore.regroup(parts, CLI, "news")["comments"] == total + 1


def test_import_gzip_bomb_is_refused(take, monkeypatch) -> None:
    monkeypatch.setattr(files, "RATIO_FROM", 1_000_000)
    with pytest.raises(TooLarge, match="grows"):
        take("remark42", gzip.compress(b"\n" * 5_000_000))


def test_import_endless_line_and_endless_tag_are_refused(take, monkeypatch) -> None:
    with pytest.raises(Malformed, match="Line 1 is longer"):
        take("remark42", "x" * (files.MAX_LINE_BYTES + files.CHUNK_BYTES + 1))
    monkeypatch.setattr(xml_events, "MAX_QUIET_BYTES", 200_000)
    with pytest.raises(Malformed, match="more than 4 MB"):
        take("wordpress", "<rss><!--" + "x" * 500_000 + "--></rss>")


def test_import_isso_with_a_view_or_an_endless_query_is_refused(take, monkeypatch) -> None:
    from moderation.formats import isso

    view = sqlite3.connect(":memory:")
    view.executescript(
        """
        CREATE TABLE threads (id, uri, title);
        CREATE VIEW comments AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)
            SELECT n tid, n id, n parent, n created, 1 mode, n text, n author FROM r;
        """
    )
    with pytest.raises(Malformed, match="no Isso database"):
        take("isso", view.serialize())
    monkeypatch.setattr(isso, "MAX_STEPS", 1_000)
    big = sqlite3.connect(":memory:")
    big.executescript((SAMPLES / "isso.sql").read_text(encoding="utf-8"))
    big.execute("DELETE FROM comments")
    big.execute(
        "INSERT INTO comments (tid, created, mode, text, voters)"
        " WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 200000)"
        " SELECT 1, 1, 1, '', x'' FROM r"
    )
    big.commit()
    with pytest.raises(Malformed, match="cannot be read"):
        take("isso", big.serialize())


def test_import_very_long_text_is_kept_plain_and_far_too_long_left_out(take, rows) -> None:
    long = "Well *said*. " * 1_300
    items = comment(1, long, author="Long") + comment(2, "x " * 15_000, author="Longer") + comment(3, "y" * 300_000)
    items += comment(4, "[a](https://e.example/) " * 400, author="Links") + comment(
        5, "&lt;b&gt;" * 2_000 + "deep", author="Deep"
    )
    report = take("wordpress", _WXR.format(items))
    assert reasons(report) == {"its text is too long": 2}
    found = rows()
    assert found["Long"].body == long.strip()
    assert found["Long"].body_html.startswith("<p>Well *said*.")
    assert changes(report)["a text was kept without its markup, since it is very long"] >= 1
    assert found["Deep"].body == "**deep**"


def test_import_name_title_and_key_at_their_limits(take, rows) -> None:
    text = _WXR.replace("<link>", "<title>" + "T" * 900 + "</title><link>")
    items = (
        comment(1, author="N" * 300) + comment(2, author="\u202e\u200b") + comment(3, author="F", author_IP="nowhere")
    )
    report = take("wordpress", text.format(items))
    assert report["added"] == {"approved": 3}
    found = rows()
    assert {len(name) for name in found} == {100, 9, 1}
    assert len(found["F"].title) == 500
    long = take("wordpress", _WXR.replace("/a/", "/" + "p" * 600).format(comment(9)))
    assert list(reasons(long)) == ["its page has no address that makes a key of 1 to 500 characters"]


# --- stopped in the middle ------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_import_killed_in_the_middle_goes_on_where_it_was(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MODERATION_HOME", str(tmp_path / "home"))
    environment = {**os.environ, "MODERATION_HOME": str(tmp_path / "home")}
    file = tmp_path / "backup"
    lines = [remark(n, n + 3 if n % 7 == 0 and n < 1_990 else "") for n in range(1, 2_001)]
    file.write_text("\n".join(lines), encoding="utf-8")

    def run(*arguments):
        done = CliRunner().invoke(main, list(arguments))
        assert done.exit_code == 0, done.output
        return done.stdout

    run("init")
    run("site", "add", "news", "--origin", "https://news.example")
    importing = [sys.executable, "-m", "moderation", "import", "remark42", str(file), "--site", "news"]
    database = tmp_path / "home/moderation.db"
    kills = 0
    for _ in range(2):
        before = count(database)
        process = subprocess.Popen(importing, env=environment, stdout=subprocess.DEVNULL)
        while process.poll() is None and count(database) <= before + 200:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 1
    assert 0 < count(database) < 2_000
    done = json.loads(run("import", "remark42", str(file), "--site", "news", "--json"))
    assert sum(done["added"].values()) + done["already_there"] == 2_000
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT author_name, parent_id, id, shown FROM comments").fetchall()
        by_name = {row[0]: row for row in rows}
        assert len(rows) == len(by_name) == 2_000
        assert all(by_name[f"N{n}"][1] == by_name[f"N{n + 3}"][2] for n in range(7, 1_990, 7))
        assert all(row[3] for row in rows)
        assert connection.execute("SELECT approved FROM threads").fetchall() == [(2_000,)]
    assert "Every chain holds." in run("audit", "verify")
    assert json.loads(run("import", "remark42", str(file), "--site", "news", "--json"))["added"] == {}


def count(database):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT count(*) FROM comments").fetchone()[0]


def test_import_twice_at_once_adds_each_comment_once(app, parts, people, tmp_path) -> None:
    import threading

    file = tmp_path / "backup"
    file.write_text("\n".join(remark(n) for n in range(1, 801)), encoding="utf-8")
    reports, errors = [], []

    def work():
        try:
            with app.app_context():
                reports.append(transfer.import_comments(parts, CLI, "news", "remark42", file))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(sum(report["added"].values()) for report in reports) == 800
    assert len(tree(app)) == 800
