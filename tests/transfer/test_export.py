"""Comments handed out: what is in it and what is not, and the way there and back."""

import csv
import io
import json
import os
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderation.domain.actor import CLI, Actor, Role
from moderation.domain.comment import State
from moderation.errors import Forbidden, Malformed, NotFound
from moderation.formats import jsonl
from moderation.formats.csv import COLUMNS, plain_cell
from moderation.formats.wordpress import content_of
from moderation.services import export as service
from moderation.services import moderate, transfer
from moderation.services.submit import Client, Submission, delete_comment, edit_comment, report_comment, submit_comment
from moderation.storage import models
from moderation.storage.db import read
from moderation.storage.models import AuditLine, Comment, Decision, Report, Revision, SignalRow, Thread

WP = {"wp": "http://wordpress.org/export/1.2/", "dsq": "http://www.disqus.com/"}
CLIENT = Client("203.0.113.7", "Mozilla/5.0")
HOSTILE = (
    "A calm remark, [a link](https://e.example/a_(b)) and `code`.",
    "]]> and ]]]]><![CDATA[> and </wp:comment_content>",
    "<script>alert(1)</script> & &amp; &lt;b&gt; \\*not\\* *em* **strong**",
    "=1+1\n@SUM(A1)\n\t-2",
    "\u2067\u05d0\u05d1\u2069 \U0001f469\u200d\U0001f469\u200d\U0001f467 \u202e reversed",
    "> quote\n>\n> - list\n>   1. deep\n\n```python\nx = 1\n```\n\n1. one\n2. two",
    "x" * 9_990,
    "nul \x00 bell \x07 line\u2028separator\x85next \ufffe end",
    "# not a heading\n***\n~~~\ntildes\n~~~\n[a]: https://e.example/\n<https://e.example/>",
)


@pytest.fixture
def filled(parts, people):
    """Comments in every state, with replies, an edit, a deletion, votes and hostile texts."""
    return fill(parts)


def fill(parts, texts=HOSTILE):
    made = []
    for number, text in enumerate(texts):
        made.append(put(parts, text, f"2025/{number % 3}", name=f"=Ana{number} <b>", email=f"ana{number}@example.org"))
    for one, action in zip(
        made, ("approve", "approve", "spam", "reject", "trash", "escalate", "approve"), strict=False
    ):
        moderate.decide(parts, CLI, one["id"], action)
    reply = put(parts, "A reply", "2025/0", parent=made[0]["id"], url="https://ana.example/")
    deeper = None
    moderate.decide(parts, CLI, reply["id"], "approve")
    deeper = put(parts, "Below it", "2025/0", parent=reply["id"], name="Bo")
    moderate.decide(parts, CLI, deeper["id"], "approve")
    edit_comment(parts, "news", made[1]["id"], made[1]["edit_token"], "Edited: ]]>", CLIENT)
    delete_comment(parts, "news", reply["id"], reply["edit_token"])
    report_comment(parts, "news", deeper["id"], "abuse", "Rude: ]]>", CLIENT)
    return made


def put(parts, text, thread, *, name="Ana", email=None, parent=None, url=None):
    sent = Submission(thread, f"https://news.example/{thread}", f"On {thread}", parent, name, email, url, None, text)
    return submit_comment(parts, "news", sent, CLIENT)


def stored(app):
    """Threads, comments and their history as they are, but for what means something in its own database alone."""
    own = {"site_id", "thread_id", "avatar", "email_sealed", "email_index", "network_key", "alike_key"}
    own |= {"editable_until", "claimed_by", "claimed_name", "claimed_until"}
    columns = [column for column in Comment.__table__.columns if column.name not in own]
    threads = [Thread.key, Thread.url, Thread.title, Thread.open, Thread.approved, Thread.created_at]
    queries = [
        sa.select(*columns, Thread.key).join(Thread, Thread.id == Comment.thread_id).order_by(Comment.id),
        sa.select(*threads).order_by(Thread.id),
    ]
    for table in (SignalRow, Decision, Revision, Report):
        names = [c for c in table.__table__.columns if c.name not in {"id", "site_id", "reader_key"}]
        order = [table.comment_id, SignalRow.name if table is SignalRow else table.created_at]
        queries.append(sa.select(*names).order_by(*order))
    with app.extensions["sqlalchemy"].engine.connect() as connection:
        return [connection.execute(query).all() for query in queries]


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("filled")
def test_jsonl_there_and_back_is_the_same_database_and_the_same_bytes(app, export, take, start_anew) -> None:
    text = export("jsonl", with_emails=True)
    before = stored(app)
    assert {row.state for row in before[0]} == set(State)
    assert all(before)
    start_anew()
    report = take("jsonl", text)
    assert sum(report["added"].values()) == len(before[0]) == report["records"]
    assert (report["left_out"], report["changed"], report["without_parent"]) == ([], [], 0)
    assert stored(app) == before
    assert export("jsonl", with_emails=True) == text
    assert take("jsonl", text)["already_there"] == len(before[0])


@pytest.mark.usefixtures("filled")
def test_jsonl_into_its_own_site_adds_nothing(app, export, take) -> None:
    before = stored(app)
    report = take("jsonl", export("jsonl"))
    assert (report["added"], report["threads"]) == ({}, 0)
    assert stored(app) == before


@pytest.mark.usefixtures("filled")
def test_jsonl_into_another_site_gets_other_ids_and_touches_nothing(app, parts, export, tmp_path) -> None:
    before = stored(app)[0]
    path = tmp_path / "export.jsonl"
    path.write_text(export("jsonl", with_emails=True), encoding="utf-8")
    for _ in range(2):
        report = transfer.import_comments(parts, CLI, "other", "jsonl", path)
    assert report["already_there"] == len(before)
    after = stored(app)[0]
    assert after[: len(before)] == before
    copies = after[len(before) :]
    assert [(row.body, row.state, row.shown, row.depth) for row in copies] == [
        (row.body, row.state, row.shown, row.depth) for row in before
    ]
    pieces: list[str] = []
    service.export_comments(parts, CLI, "other", "jsonl", pieces.append, with_emails=True)
    assert "".join(pieces).count("@example.org") == path.read_text(encoding="utf-8").count("@example.org")


@pytest.mark.usefixtures("filled")
def test_wordpress_there_and_back_is_the_same_bytes(app, export, take, start_anew) -> None:
    text = export("wordpress", with_emails=True)
    before = {row.body: row for row in stored(app)[0]}
    start_anew()
    report = take("wordpress", text)
    assert (report["left_out"], report["changed"], report["without_parent"]) == ([], [], 0)
    assert export("wordpress", with_emails=True) == text
    after = stored(app)[0]
    assert len(after) == sum(row.state not in {"spam", "deleted"} for row in before.values())
    for row in after:
        assert (row.body_html, row.author_name) == (before[row.body].body_html, before[row.body].author_name)


HOSTILE_TEXT = st.text(
    st.one_of(
        st.sampled_from(
            "\x00\x07\t\n\r\x0b\x85\u2028\ufeff\ufffe\ud800\udfff\u202e\u2066\u2069\u200d]>&<=+-@*_`[()\\#~ "
        ),
        st.characters(),
    ),
    max_size=60,
)


@pytest.mark.parametrize("kind", ["jsonl", "wordpress"])
def test_any_text_there_and_back_is_the_same_bytes(app, parts, people, export, take, start_anew, kind) -> None:
    rows = st.lists(
        st.tuples(HOSTILE_TEXT, HOSTILE_TEXT, st.sampled_from(list(State)), st.integers(0, 400)), max_size=8
    )

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows)
    def check(texts) -> None:
        start_anew()
        lines = ['{"format":"comment-moderation","version":1}']
        for number, (name, body, state, times) in enumerate(texts):
            lines.append(json.dumps({"comment": line(number, name, (body + " ") * times + body, state)}))
        take("jsonl", "\n".join(lines), lenient=True)
        text = export(kind, with_emails=True)
        start_anew()
        report = take(kind, text)
        assert report["left_out"] == []
        assert export(kind, with_emails=True) == text

    check()


def line(number, name, body, state):
    at = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=number)).isoformat()
    author = {"id": str(uuid.UUID(int=number + 1)), "name": name, "url": None, "proven": False, "email": "a@b.example"}
    known = {"state": state.value, "created_at": at, "network": "", "votes": number - 2, "risk": 0.5, "scores": {}}
    known |= {"version": 1, "signals": [], "decisions": [], "revisions": [], "reports": []}
    known |= {"parent_id": str(uuid.UUID(int=number)) if number % 2 else None, "reasons": [name[:9]], "scorer": ""}
    return {"id": str(uuid.UUID(int=number + 1)), "thread": f"t{number % 2}", "author": author, "body": body, **known}


def test_long_text_there_and_back_is_the_same_bytes(app, parts, people, export, take, start_anew) -> None:
    lines = ['{"format":"comment-moderation","version":1}']
    for number, body in enumerate(
        ["*long* \n\n" * 2_200, "&" * 19_000, "\U0001f469" * 20_000, "a" * 20_001, "&" * 20_000]
    ):
        lines.append(json.dumps({"comment": line(2 * number, "A", body, State.APPROVED)}))
    report = take("jsonl", "\n".join(lines))
    assert (report["added"], report["left_out"][0]["count"]) == ({"approved": 3}, 2)
    for kind in ("jsonl", "wordpress"):
        text = export(kind)
        start_anew()
        assert take(kind, text)["added"] == {"approved": 3}
        assert export(kind) == text


# --- what is in it --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("kind", service.KINDS)
def test_export_has_addresses_only_where_asked_and_the_audit_log_says_so(export, kind) -> None:
    assert "@example.org" not in export(kind)
    assert "ana0@example.org" in export(kind, with_emails=True)
    with read() as session:
        lines = session.scalars(
            sa.select(AuditLine).where(AuditLine.action == "comments.export").order_by(AuditLine.seq)
        ).all()
    assert [line.data for line in lines] == [{"format": kind, "emails": False}, {"format": kind, "emails": True}]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("kind", service.KINDS)
def test_export_has_no_other_site_in_it(parts, export, kind) -> None:
    sent = Submission("elsewhere", None, None, None, "Stranger", "s@example.net", None, None, "Of the other site")
    submit_comment(parts, "other", sent, CLIENT)
    assert "Stranger" not in export(kind, with_emails=True)
    assert "elsewhere" not in export(kind, with_emails=True)


def test_export_for_nobody_but_an_admin(parts, people) -> None:
    for actor, error in (
        (Actor("token", "x", "x", {people.site_id: Role.MODERATOR}), Forbidden),
        (Actor("token", "y", "y", {people.other_id: Role.ADMIN}), NotFound),
    ):
        with pytest.raises(error):
            service.export_comments(parts, actor, "news", "jsonl", print)


@pytest.mark.usefixtures("filled")
def test_export_wordpress_is_what_its_importer_reads(export) -> None:
    text = export("wordpress", with_emails=True)
    root = ET.fromstring(text)
    assert root.findtext("channel/wp:wxr_version", namespaces=WP) == "1.2"
    items = root.findall("channel/item")
    assert [item.findtext("dsq:thread_identifier", namespaces=WP) for item in items] == ["2025/0", "2025/1", "2025/2"]
    ids, parents = [], {}
    for item in items:
        for name in ("title", "link", "pubDate", "wp:post_id", "wp:post_date_gmt", "wp:status", "wp:post_type"):
            assert item.findtext(name, namespaces=WP)
        assert item.findtext("wp:comment_status", namespaces=WP) == "open"
        for comment in item.findall("wp:comment", WP):
            fields = {child.tag.partition("}")[2]: child.text or "" for child in comment}
            number = int(fields["comment_id"])
            ids.append(number)
            parents[number] = int(fields["comment_parent"])
            assert fields["comment_approved"] in {"0", "1", "trash"}
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fields["comment_date_gmt"])
            assert fields["comment_type"] == "comment"
            assert "<p>" not in fields["comment_content"]
    assert ids == list(range(1, len(ids) + 1))
    below = [number for number, parent in parents.items() if parent]
    assert len(below) == 1
    assert parents[below[0]] == 1  # what it answered was deleted, so that it hangs on what stands above that


@pytest.mark.usefixtures("filled")
def test_export_csv_has_no_formula_in_any_cell(export) -> None:
    text = export("csv", with_emails=True)
    assert text.count("\r\n") >= len(HOSTILE) + 1
    first, *others = csv.reader(io.StringIO(text, newline=""))
    assert tuple(first) == (*COLUMNS, "email")
    assert len(others) == len(HOSTILE) + 2
    for row in others:
        assert len(row) == len(first)
        assert not [cell for cell in row if cell.lstrip()[:1] in set("=+-@")]
    assert "'=Ana0 <b>" in text


@pytest.mark.parametrize(
    "text",
    [
        "=1",
        "+1",
        "-1",
        "@A",
        "\t=1",
        "\r1",
        "  =1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
        "\ufe621",
        "\ufeff=1",
        "\u200b=1",
    ],
)
def test_cell_that_would_be_a_formula_is_text(text) -> None:
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "1", "a=1", "'=1", " a", "\u2014dash", "\u5b57", "#1"])
def test_cell_that_is_none_stays(text) -> None:
    assert plain_cell(text) == text


@pytest.mark.skipif("HOSTILE_FIXTURES" not in os.environ, reason="HOSTILE_FIXTURES is not set")
def test_cells_of_others_that_start_a_formula_are_text() -> None:
    path = Path(os.environ["HOSTILE_FIXTURES"], "csv-injection/csv-payload.txt")
    cells = [cell for cell in path.read_text(encoding="utf-8", errors="replace").splitlines() if cell.strip()]
    assert cells
    assert all(plain_cell(cell).lstrip()[:1] not in set("=+-@") for cell in cells)


def test_export_is_of_one_moment_while_others_write(app, parts, people, export) -> None:
    import threading

    for number in range(30):
        put(parts, f"Comment {number}", "a")

    def write_more():
        with app.app_context():
            put(parts, "Written meanwhile", "b")

    pieces: list[str] = []

    def slow(piece):
        if len(pieces) == 5:
            other = threading.Thread(target=write_more)
            other.start()
            other.join()
        pieces.append(piece)

    service.export_comments(parts, CLI, "news", "jsonl", slow)
    assert "Written meanwhile" not in "".join(pieces)
    assert "".join(pieces).count('{"comment"') == 30
    assert "Written meanwhile" in export("jsonl")


def test_content_for_wordpress_has_no_paragraph_marks() -> None:
    assert content_of("<p>a<br>\nb</p>\n<p>c</p>") == "a\nb\n\nc"
    assert content_of("<p>a</p>\n<blockquote>\n<p>b</p>\n</blockquote>") == "a\n\n<blockquote>\nb\n\n</blockquote>"


def test_reasons_of_reports_are_those_of_the_database() -> None:
    assert jsonl.REPORT_REASONS == models.REPORT_REASONS


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("signals", {"name": "words"}),
        ("signals", {"name": "words", "weight": 1e9, "available": True, "evidence": [], "scores": {}, "forces": None}),
        (
            "signals",
            {"name": "words", "weight": 1, "available": True, "evidence": [{"text": 1}], "scores": {}, "forces": None},
        ),
        (
            "signals",
            {"name": "words", "weight": 1, "available": True, "evidence": [], "scores": {"x": 1}, "forces": None},
        ),
        (
            "signals",
            {"name": "words", "weight": 1, "available": True, "evidence": [], "scores": {}, "forces": "approve"},
        ),
        ("decisions", {"action": "explode"}),
        ("revisions", {"body": "x" * 20_001, "state": "pending", "created_at": "2024-01-01T00:00:00Z"}),
        ("revisions", {"body": "x", "state": "pending", "created_at": None}),
        ("reports", {"reason": "dislike", "detail": "", "created_at": "2024-01-01T00:00:00Z"}),
        ("reports", []),
    ],
)
def test_jsonl_with_a_wrong_row_is_refused(take, name, row) -> None:
    comment = line(1, "A", "Text", State.PENDING) | {name: [row]}
    with pytest.raises(Malformed, match="Line 2: "):
        take("jsonl", '{"format":"comment-moderation","version":1}\n' + json.dumps({"comment": comment}))
