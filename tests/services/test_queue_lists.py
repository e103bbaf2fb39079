"""Lists of the queue give the same answers by whatever index they are found, and the index of texts is kept in step."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from moderation.domain.actor import CLI, Actor, Role
from moderation.domain.grams import folded, grams, grams_of_search
from moderation.services import indexing, moderate, privacy, rescore, submit, transfer
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage import comments, queue, schema, search
from moderation.storage.db import db, read, write
from moderation.storage.models import Comment, SearchChunk, SearchTerm, SignalRow, Thread, Unindexed

CLIENT = Client("203.0.113.7", "Mozilla/5.0")
WORDS = (
    "The harbour needs a new bridge.",
    "HARBOUR masters write in capitals, and say 100 % of it.",
    "An under_score, a back\\slash, 'single' and \"double\" quotes; 100% sure.",
    "日本語の書き込みです。港は美しい。",
    "שלום לכולם, זה הנמל",
    "مرحبا بالميناء",
    "Straße, STRASSE, İstanbul, ISTANBUL, ΟΔΟΣ, οδός, ǅ, K",
    "a",
    "ab",
    "x" * 300,
    "🙂🙃 harbour 🙂",
    "You pathetic liar, the harbour is crap.",
)
ASKED = (
    *(
        "harbour",
        "HARB",
        "%",
        "100 %",
        "_",
        "r_s",
        "\\",
        "k\\s",
        "'single'",
        '"',
        "港",
        "の書",
        "は美しい",
        "שלום",
        "מל",
    ),
    *("ميناء", "straße", "STRASSE", "ss", "istanbul", "ΟΔΟΣ", "οδος", "ǆ", "k", "a", "ab", "xxxx", "🙂", "🙃 h", "zq"),
    *("no such thing", " ", "harbour needs a new bridge.", "e"),
)


def post(parts: Parts, body: str, *, site: str = "news", key: str = "a", name: str = "Ana", email: str | None = None):
    sent = Submission(key, None, None, None, name, email, None, None, body, filled_in_ms=60_000)
    return submit_comment(parts, site, sent, CLIENT)


def taken_in(parts: Parts) -> None:
    """Have the whole of the texts indexed."""
    while indexing.index_new(parts, least=1):
        pass
    indexing.index_changed(parts)


@pytest.fixture
def filled(parts: Parts, people: Any, clock: Any) -> list[uuid.UUID]:
    """Comments of all words, twice, on two sites, some decided, reported or claimed; two thirds are indexed."""
    made = []
    for number, body in enumerate(WORDS * 2):
        clock.move(seconds=number % 3)
        site, name = ("news", "other")[number % 4 == 3], ("Ana", "ÅSA Berg", "Liu 刘")[number % 3]
        made.append(post(parts, f"{body} {number}", site=site, key=f"t{number % 2}", name=name)["id"])
        if number == 15:
            with write() as session:  # as an import does, whose ids are not in the order of time
                old = clock() - timedelta(days=9)
                session.execute(sa.update(Comment).where(Comment.id == made[10]).values(created_at=old))
                session.execute(sa.update(Unindexed).where(Unindexed.comment_id == made[10]).values(created_at=old))
            indexing.index_new(parts, least=1)
    moderate.decide_many(parts, CLI, made[1:6:2], "approve")
    moderate.decide_many(parts, CLI, [made[4]], "spam")
    moderate.claim(parts, CLI, "news", 3, 10)
    with write() as session:
        session.execute(sa.update(Comment).where(Comment.id.in_(made[6:9])).values(reports=1))
    return made


def expected(asked: dict[str, Any], sort: str, sites: Any = None) -> list[uuid.UUID]:
    """What a plain comparison of every row finds, in its order."""
    where = [Comment.state == asked.get("state", "pending")]
    for name, column in (("q", Comment.body), ("author", Comment.author_name)):
        if name in asked and asked[name].strip():
            where.append(column.icontains(asked[name].strip(), autoescape=True))
    if "thread" in asked:
        where.append(Comment.thread_id.in_(sa.select(Thread.id).where(Thread.key == asked["thread"])))
    if "signal" in asked:
        speaks = sa.or_(SignalRow.weight != 0, SignalRow.forces.is_not(None))
        of_it = sa.and_(SignalRow.comment_id == Comment.id, SignalRow.name == asked["signal"], speaks)
        where.append(sa.exists().where(of_it))
    if "min_risk" in asked:
        where.append(Comment.risk >= asked["min_risk"])
    if "reported" in asked:
        where.append((Comment.reports > 0) if asked["reported"] else (Comment.reports == 0))
    if "before" in asked:
        where.append(Comment.created_at < asked["before"])
    if "after" in asked:
        where.append(Comment.created_at > asked["after"])
    if sites is not None:
        where.append(Comment.site_id.in_(sites))
    if "claimed" in asked:
        mine = Comment.claimed_by == CLI.key
        where.append({"me": mine, "others": sa.false(), "none": Comment.claimed_by.is_(None)}[asked["claimed"]])
    by = Comment.risk if sort in queue.BY_RISK else Comment.created_at
    order = (by, Comment.id) if sort in queue.ASCENDING else (by.desc(), Comment.id.desc())
    with read() as session:
        return list(session.scalars(sa.select(Comment.id).where(*where).order_by(*order)))


def listed(parts: Parts, actor: Actor, asked: dict[str, Any], sort: str, limit: int) -> tuple[list[uuid.UUID], int]:
    """All pages of a list, one after the other, and the estimate of the first."""
    found: list[uuid.UUID] = []
    first = page = moderate.list_queue(parts, actor, QueueFilter(**asked, sort=sort, limit=limit))
    while True:
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return found, first["total_estimate"]
        page = moderate.list_queue(parts, actor, QueueFilter(**asked, sort=sort, limit=limit, cursor=page["next"]))


@pytest.fixture(params=["at its real size", "as if everything were long"])
def windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Lists of this test are short; so let them count as long, or every one would be read from its head."""
    if request.param == "at its real size":
        return False
    for name in ("LOOKED_AT", "TEXTS_LOOKED_AT", "MANY", "_SLICE"):
        monkeypatch.setattr(queue, name, 2)
    monkeypatch.setattr(search, "CHUNKS_AT_ONCE", 1)
    return True


def test_list_queue_by_text_finds_what_a_comparison_finds(parts: Parts, filled: Any, windows: bool) -> None:
    for number, text in enumerate(ASKED):
        sort = ("oldest", "newest")[number % 2]
        for asked in ({"q": text}, {"q": text, "state": "approved"}):
            assert listed(parts, CLI, asked, sort, 7)[0] == expected(asked, sort), asked


def test_list_queue_by_text_never_reads_the_whole_list_for_what_is_rare(
    parts: Parts, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "TEXTS_LOOKED_AT", 2)
    walked = queue._walked

    def bounded(session: Any, asked: Any, window: Any, limit: int) -> Any:
        assert window is not None
        return walked(session, asked, window, limit)

    monkeypatch.setattr(queue, "_walked", bounded)
    for number, text in enumerate(ASKED[:-1]):
        if text.strip():
            listed(parts, CLI, {"q": text}, moderate.SORTS[number % 3], 9)


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"q": "harbour"},
    {"author": "ÅSA"},
    {"author": "刘"},
    {"author": "åsa berg", "q": "a"},
    {"signal": "profanity"},
    {"signal": "nothing"},
    {"min_risk": 0.3},
    {"min_risk": 0.3, "q": "harbour"},
    {"reported": True},
    {"reported": False},
    {"claimed": "me"},
    {"claimed": "others"},
    {"claimed": "none"},
    {"claimed": "none", "min_risk": 0.1},
    {"thread": "t1"},
    {"thread": "t1", "q": "harbour"},
    {"thread": "t1", "signal": "profanity", "min_risk": 0.2},
    {"state": "approved"},
    {"state": "spam", "q": "a"},
)


@pytest.mark.parametrize("sort", moderate.SORTS)
def test_list_queue_with_every_filter_finds_what_a_comparison_finds(
    parts: Parts, filled: Any, people: Any, clock: Any, windows: bool, sort: str
) -> None:
    middle = clock() - timedelta(seconds=12)
    both = Actor("token", "x", "x", {people.site_id: Role.MODERATOR, people.other_id: Role.VIEWER})
    times: tuple[dict[str, Any], ...] = ({"before": middle}, {"after": middle})
    for asked in (*FILTERS, *times, *(one | times[at % 2] for at, one in enumerate(FILTERS[1:9]))):
        if "claimed" in asked:  # who claims is part of it
            scopes: tuple[Any, ...] = ((CLI, None, None),)
        else:
            scopes = (
                (CLI, None, None),
                (CLI, "news", {people.site_id}),
                (both, None, {people.site_id, people.other_id}),
            )
        for actor, site, sites in scopes:
            wanted = expected(asked, sort, sites)
            found, total = listed(parts, actor, asked if site is None else asked | {"site": site}, sort, 9)
            assert found == wanted, (asked, sort, site)
            assert windows or total == len(wanted), (asked, sort, site)


def test_list_queue_while_the_index_is_far_behind_finds_all_the_same(
    parts: Parts, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TEXTS_LOOKED_AT", "TAIL"):
        monkeypatch.setattr(queue, name, 2)
    for sort in moderate.SORTS:
        assert listed(parts, CLI, {"q": "harbour"}, sort, 3)[0] == expected({"q": "harbour"}, sort)


def test_search_of_a_whole_text_asks_for_pieces_that_it_has() -> None:
    for text, asked in product(WORDS, ASKED):
        if asked.lower() in text.lower():
            pieces = grams(text)
            for piece in grams_of_search(asked, 6):
                assert any(one.startswith(piece) for one in pieces), (text, asked)
    assert folded("ΟΔΟΣ") == folded("οδος") == folded("οδοσ")


# --- kept in step -----------------------------------------------------------------------------------------------------


def noted(parts: Parts) -> set[uuid.UUID]:
    with read() as session:
        return set(session.scalars(sa.select(Unindexed.comment_id)))


def has_term(term: bytes) -> bool:
    with read() as session:
        return session.scalar(sa.select(SearchTerm.term).where(SearchTerm.term == term).limit(1)) is not None


@pytest.fixture
def one(parts: Parts, people: Any) -> dict[str, Any]:
    """A comment with a rare word, written by somebody with a rare name, which is indexed."""
    made = post(parts, "A wyvern flew by.", name="Xuxa", email="xuxa@mail.example")
    post(parts, "Another remark.")
    taken_in(parts)
    assert noted(parts) == set()
    assert has_term(b"tyve")
    assert has_term(b"axux")
    return made


Change = Callable[[Parts, Any, dict[str, Any]], Any]


def _edit(parts: Parts, _people: Any, made: dict[str, Any]) -> None:
    submit.edit_comment(parts, "news", made["id"], made["edit_token"], "A gryphon flew by.", CLIENT)


def _delete(parts: Parts, _people: Any, made: dict[str, Any]) -> None:
    submit.delete_comment(parts, "news", made["id"], made["edit_token"])


def _erase(parts: Parts, people: Any, _made: dict[str, Any]) -> None:
    privacy.erase_person(parts, CLI, "news", "xuxa@mail.example")


def _remove_row(_parts: Parts, _people: Any, made: dict[str, Any]) -> None:
    with write() as session:
        session.execute(sa.delete(Comment).where(Comment.id == made["id"]))


@pytest.mark.parametrize("change", [_edit, _delete, _erase, _remove_row])
def test_change_of_a_text_leaves_nothing_of_the_former_one_in_the_index(
    parts: Parts, people: Any, one: dict[str, Any], change: Change
) -> None:
    change(parts, people, one)
    assert one["id"] in noted(parts)
    assert listed(parts, CLI, {"q": "wyvern"}, "oldest", 5)[0] == []
    taken_in(parts)
    assert not has_term(b"tyve")
    assert noted(parts) == set()
    found = [one["id"]] if change is _edit else []
    assert listed(parts, CLI, {"q": "gryphon"}, "oldest", 5)[0] == found
    assert has_term(b"axux") is (change is _edit)


def test_erase_of_the_name_alone_takes_it_from_the_index(parts: Parts, people: Any, one: dict[str, Any]) -> None:
    from moderation.services import sites

    sites.change_site(parts, CLI, "news", settings={"erase_texts": False})
    _erase(parts, people, one)
    taken_in(parts)
    assert has_term(b"tyve")
    assert not has_term(b"axux")
    assert listed(parts, CLI, {"author": "xuxa"}, "oldest", 5)[0] == []


def test_removal_of_a_site_takes_its_texts_from_the_index(parts: Parts, people: Any, one: dict[str, Any]) -> None:
    with write() as session:
        for table in (Comment, Thread):
            session.execute(sa.delete(table))
    taken_in(parts)
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SearchTerm)) == 0
        assert session.scalar(sa.select(sa.func.count()).select_from(SearchChunk)) == 0


def test_new_signals_of_a_stored_comment_are_indexed(parts: Parts, people: Any, one: dict[str, Any]) -> None:
    said = {"name": "scorer:own", "weight": 0.4, "available": True, "evidence": [], "scores": {}, "forces": None}
    with write() as session:
        comment = comments.comment_by_id(session, one["id"])
        assert comment is not None
        comments.replace_signal(session, comment, said)
    assert one["id"] in noted(parts)
    taken_in(parts)
    assert has_term(b"nscorer:own")
    rescore.rescore(parts, CLI, "news", apply=True)
    assert one["id"] in noted(parts)


def test_imported_comments_are_indexed(parts: Parts, people: Any, tmp_path: Any) -> None:
    file = tmp_path / "comments.jsonl"
    taken_in(parts)
    post(parts, "A wyvern flew by.")
    from moderation.services import export

    with file.open("w") as out:
        export.export_comments(parts, CLI, "news", "jsonl", out.write)
    with write() as session:
        session.execute(sa.delete(Comment))
    taken_in(parts)
    transfer.import_comments(parts, CLI, "other", "jsonl", file)
    taken_in(parts)
    assert has_term(b"tyve")
    assert noted(parts) == set()


def test_change_while_a_chunk_is_made_stays_on_the_list(
    parts: Parts, people: Any, one: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _edit(parts, people, one)
    read_entries = search.entries_of

    def edited_meanwhile(session: Any, ids: Any) -> Any:
        found = read_entries(session, ids)
        session.close()
        session.info.clear()
        with write() as other:
            other.execute(sa.update(Comment).where(Comment.id == one["id"]).values(body="A cockatrice."))
        return found

    monkeypatch.setattr(search, "entries_of", edited_meanwhile)
    indexing.index_changed(parts)
    monkeypatch.undo()
    assert noted(parts) == {one["id"]}
    assert listed(parts, CLI, {"q": "cockatrice"}, "oldest", 5)[0] == [one["id"]]
    assert listed(parts, CLI, {"q": "gryphon"}, "oldest", 5)[0] == []
    taken_in(parts)
    assert listed(parts, CLI, {"q": "cockatrice"}, "oldest", 5)[0] == [one["id"]]


def test_join_small_chunks_finds_the_same_in_fewer(
    parts: Parts, people: Any, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    monkeypatch.setattr(queue, "TEXTS_LOOKED_AT", 1)
    for number in range(indexing.MANY_SMALL):
        clock.move(seconds=1)
        post(parts, f"A wyvern flew by, the {number}th.")
        indexing.index_new(parts, least=1)
    before = listed(parts, CLI, {"q": "wyvern"}, "newest", 3)[0]
    assert indexing.join_small(parts) == indexing.MANY_SMALL
    with read() as session:
        assert len(search.heads(session)) == 1
    assert listed(parts, CLI, {"q": "wyvern"}, "newest", 3)[0] == before
    assert len(before) == indexing.MANY_SMALL


def test_places_of_many_comments_are_packed_and_read_back(parts: Parts) -> None:
    for places in ([0], [16_383], list(range(0, 16_384, 3)), list(range(1_023)), list(range(1_024))):
        packed = search._packed(search.array("H", places))
        assert len(packed) <= search.FULL // 8
        assert search._places(search._mask(packed)).tolist() == places


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_lists_read_no_table_and_sort_no_list(
    parts: Parts, people: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "TEXTS_LOOKED_AT", 1)
    monkeypatch.setattr(queue, "LOOKED_AT", 1)
    for number in range(4):
        post(parts, f"Remark {number}.", site=("news", "other")[number % 2])
    indexing.index_new(parts, least=1)
    both = Actor("token", "x", "x", {people.site_id: Role.MODERATOR, people.other_id: Role.VIEWER})
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, values))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        for asked, sort, (actor, site) in product(FILTERS, moderate.SORTS, ((CLI, None), (CLI, "news"), (both, None))):
            if asked.get("state", "pending") == "pending":
                moderate.list_queue(parts, actor, QueueFilter(**asked, site=site, sort=sort, limit=1))
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        for statement, values in dict(seen).items():
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values):
                step = row[3]
                assert not step.startswith(("SCAN comments", "SCAN signals", "SCAN search_terms")), (step, statement)


def test_migrate_puts_what_is_there_on_the_list_and_brings_the_triggers(parts: Parts, people: Any) -> None:
    made = post(parts, "A wyvern flew by.")["id"]
    taken_in(parts)
    engine = db.engine
    try:
        with engine.connect() as connection, connection.begin():
            revision = ScriptDirectory.from_config(schema._config()).get_revision("0015")
            command.downgrade(schema._config(connection), str(revision.down_revision))
    finally:
        schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
    assert noted(parts) == {made}
    taken_in(parts)
    later = post(parts, "A second one.")["id"]
    assert noted(parts) == {later}
    assert listed(parts, CLI, {"q": "wyvern"}, "oldest", 5)[0] == [made]
