"""Queries on comments: what readers see, what waits, what is alike."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.types import NullType

from moderation.domain.comment import State
from moderation.domain.tree import Node, shown_changes
from moderation.storage import search
from moderation.storage.db import is_postgres, new_id
from moderation.storage.models import Author, Comment, Fingerprint, Report, Revision, SignalRow, Thread
from moderation.storage.sites import site_keys
from moderation.storage.threads import thread_names, touch_thread
from moderation.storage.types import Id

Place = tuple[Any, uuid.UUID]
"""Where a page ended: the sort value and the id of its last row."""


_comments, _authors = cast("Table", Comment.__table__), cast("Table", Author.__table__)
_signals, _fingerprints = cast("Table", SignalRow.__table__), cast("Table", Fingerprint.__table__)
_revisions = cast("Table", Revision.__table__)
# Statements are built once where they are run often: to build one takes longer than to run it. Those that write go to
# the tables themselves, since by the mapped classes each one also looks through every object of the session.


# --- one comment -----------------------------------------------------------------------------------------------

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_OF_SITE = select(Comment).where(Comment.site_id == bindparam("site"), Comment.id == bindparam("of"))
_BY_ID = select(Comment).where(Comment.id == bindparam("of"))
_BY_IDS = select(Comment).where(Comment.id.in_(_IDS))
_FOR_CHANGE = _BY_IDS.order_by(Comment.id).with_for_update(key_share=True).execution_options(populate_existing=True)
_INSERT_COMMENT, _INSERT_SIGNAL = insert(_comments), insert(_signals)
_INSERT_FINGERPRINT, _INSERT_REVISION = insert(_fingerprints), insert(_revisions)
_FORGET_SIGNALS, _FORGET_BANDS = (
    delete(table).where(table.c.comment_id == bindparam("of")) for table in (_signals, _fingerprints)
)
_FORGET_REVISIONS = delete(_revisions).where(_revisions.c.comment_id == bindparam("of"))
_COLUMNS = frozenset(column.key for column in _comments.columns)
_SIGNALS_OF = select(_signals).where(_signals.c.comment_id == bindparam("of")).order_by(_signals.c.name)
_FORGET_SIGNAL = delete(_signals).where(
    _signals.c.comment_id == bindparam("of"), _signals.c.name == bindparam("called")
)
_REJUDGE = (
    update(_comments)
    .where(_comments.c.id == bindparam("of"))
    .values({name: bindparam(f"to_{name}", type_=_comments.c[name].type) for name in ("risk", "scores", "reasons")})
)


def comment_of_site(session: Session, site_id: uuid.UUID, comment_id: uuid.UUID) -> Comment | None:
    """The comment, if it is of this site."""
    return session.scalar(_OF_SITE, {"site": site_id, "of": comment_id})


def comment_by_id(session: Session, comment_id: uuid.UUID) -> Comment | None:
    """The comment, of whatever site: ask who may see it before you show it."""
    return session.scalar(_BY_ID, {"of": comment_id})


def place_of(session: Session, comment_id: uuid.UUID) -> Any:
    """``(site_id, thread_id)`` of the comment, of whatever site, or None. Neither ever changes."""
    return session.execute(_PLACE, {"of": comment_id}).first()


_PLACE = select(_comments.c.site_id, _comments.c.thread_id).where(_comments.c.id == bindparam("of"))


def comments_by_ids(session: Session, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Comment]:
    """The comments among ``ids`` that exist, of whatever site."""
    return {comment.id: comment for comment in session.scalars(_BY_IDS, {"ids": list(ids)})}


def comments_for_change(session: Session, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Comment]:
    """The same as they are at this moment, locked until the transaction ends; in one order, by id."""
    return {comment.id: comment for comment in session.scalars(_FOR_CHANGE, {"ids": list(ids)})}


def owners_of(session: Session, ids: Iterable[uuid.UUID]) -> list[Any]:
    """``(thread_id, author_id)`` of the comments among ``ids`` that exist, of whatever site."""
    return list(session.execute(_OWNERS, {"ids": list(ids)}))


_OWNERS = select(_comments.c.thread_id, _comments.c.author_id).where(_comments.c.id.in_(_IDS)).distinct()


def add_comment(session: Session, comment: Comment, signals: Sequence[Mapping[str, Any]], bands: Sequence[int]) -> None:
    """Store a new comment with what the signals said, and the bands by which it stands for its group, if it does.

    ``comment`` stays outside of the session.
    """
    session.execute(_INSERT_COMMENT, {name: value for name, value in vars(comment).items() if name in _COLUMNS})
    add_signals(session, comment, signals, bands)


def add_signals(session: Session, comment: Comment, signals: Sequence[Mapping[str, Any]], bands: Sequence[int]) -> None:
    """Store what the signals said of a comment, and the bands by which it stands for its group, if it does."""
    of = {"site_id": comment.site_id, "comment_id": comment.id}
    if signals:
        session.execute(_INSERT_SIGNAL, [{**of, **signal} for signal in signals])
    add_bands(session, comment.site_id, comment.id, bands)


def add_bands(session: Session, site_id: uuid.UUID, comment_id: uuid.UUID, bands: Sequence[int]) -> None:
    """Let a comment stand for its group, by the bands of its sketch and no others. It is locked or new."""
    if bands:
        of = {"site_id": site_id, "comment_id": comment_id}
        session.execute(_INSERT_FINGERPRINT, [{**of, "band": band} for band in set(bands)])


def forget_signals(session: Session, comment: Comment) -> bool:
    """Remove what the signals said of a comment's text, and its bands; whether it stood for its group."""
    session.execute(_FORGET_SIGNALS, {"of": comment.id})
    search.note_changed(session, [comment.id])
    return forget_bands(session, comment.id)


def forget_bands(session: Session, comment_id: uuid.UUID) -> bool:
    """Let a comment stand for its group no longer; whether it did."""
    return bool(session.execute(_FORGET_BANDS, {"of": comment_id}).rowcount)  # type: ignore[attr-defined]


def signals_of(session: Session, comment_id: uuid.UUID) -> Sequence[Row[Any]]:
    """What the signals said of a comment, as it is stored, in the order of their names."""
    return session.execute(_SIGNALS_OF, {"of": comment_id}).all()


def replace_signal(session: Session, comment: Comment, signal: Mapping[str, Any]) -> None:
    """Put what a signal says now in the place of what it said before."""
    session.execute(_FORGET_SIGNAL, {"of": comment.id, "called": signal["name"]})
    add_signals(session, comment, [signal], ())
    search.note_changed(session, [comment.id])


def rejudge(session: Session, comment: Comment, risk: float, scores: Mapping[str, Any], reasons: Sequence[str]) -> None:
    """Store what the policy makes of a comment's signals now. Its state and version stay."""
    values = {"risk": risk, "scores": scores, "reasons": reasons}
    session.execute(_REJUDGE, {"of": comment.id, **{f"to_{name}": value for name, value in values.items()}})


def add_revision(session: Session, comment: Comment, now: datetime) -> None:
    """Keep the present text of a comment before it changes."""
    row = {"site_id": comment.site_id, "comment_id": comment.id, "body": comment.body, "state": comment.state}
    session.execute(_INSERT_REVISION, {**row, "created_at": now})


def forget_revisions(session: Session, comment: Comment) -> None:
    """Remove a comment's former texts."""
    session.execute(_FORGET_REVISIONS, {"of": comment.id})


def move_comment(session: Session, comment: Comment, to: State, **values: Any) -> bool:
    """Compare-and-set: move from the state and version that ``comment`` was read with; False where it moved on."""
    return move_comments(session, [comment], to, **values) == {comment.id}


def move_comments(session: Session, moving: Sequence[Comment], to: State, **values: Any) -> set[uuid.UUID]:
    """The same for several, all to the same values; the ids of those that had not moved on.

    Only where nobody but this transaction changes them (``comments_for_change``) are several in a safe order.
    """
    alike: dict[tuple[str, int], list[uuid.UUID]] = {}
    for comment in moving:
        alike.setdefault((comment.state, comment.version), []).append(comment.id)
    values |= {"state": to.value}
    statement = _moved(tuple(sorted(values)))
    given = {f"to_{name}": value for name, value in values.items()}
    moved: set[uuid.UUID] = set()
    for (state, version), ids in alike.items():
        of = {"ids": ids, "of_state": state, "of_version": version}
        moved.update(session.scalars(statement, {**given, **of}))
    return moved


@lru_cache
def _moved(names: tuple[str, ...]) -> Any:
    same = (_comments.c.state == bindparam("of_state"), _comments.c.version == bindparam("of_version"))
    values = {name: bindparam(f"to_{name}", type_=_comments.c[name].type) for name in names}
    return update(_comments).where(_comments.c.id.in_(_IDS), *same).values(values).returning(_comments.c.id)


def note_move(comment: Comment, **values: Any) -> None:
    """Let ``comment`` say what its row says since ``move_comments``, without reading it again."""
    for name, value in values.items():
        set_committed_value(comment, name, value)


# --- what readers see ------------------------------------------------------------------------------------------


def refresh_shown(session: Session, comment_id: uuid.UUID, before: State) -> None:
    """Bring ``shown`` of a comment's branch, and its thread's count and version, in line with the states.

    Call it after each change of state, with the thread locked; ``before`` is the state that the comment left. One
    or two small queries for a comment without replies; otherwise the ids and states of the branch below are read.
    """
    refresh_shown_of(session, {comment_id: before})


def refresh_shown_of(session: Session, before: Mapping[uuid.UUID, State]) -> None:
    """The same for several comments that changed their state; ``before`` has the state that each of them left.

    Without replies these are two small queries, however many comments; else one more for each level of replies.
    """
    starts, above = _starts_of_branches(session, before)
    found = _with_replies(session, starts)
    children: dict[uuid.UUID | None, list[Node]] = {}
    for node, _ in found.values():
        children.setdefault(node.parent_id, []).append(node)
    changes: dict[uuid.UUID, bool] = {}
    for top, _ in starts.values():
        if top.parent_id not in found:  # else it is part of another one's branch
            above_shown = top.parent_id is None or above[top.parent_id].node.shown
            changes |= shown_changes(_branch(top, children), above_shown=above_shown)
    for shown in (True, False):
        for chunk in _chunks([node_id for node_id, value in changes.items() if value is shown]):
            session.execute(_SET_SHOWN, {"ids": chunk, "value": shown})
    deltas: dict[uuid.UUID, int] = {}
    for node, thread_id in found.values():
        was = node.shown and before.get(node.id, node.state) is State.APPROVED
        delta = int(changes.get(node.id, node.shown) and node.state is State.APPROVED) - int(was)
        if delta or node.id in changes:  # else readers saw nothing of it, and nothing tells them
            deltas[thread_id] = deltas.get(thread_id, 0) + delta
    for thread_id in sorted(deltas):
        touch_thread(session, thread_id, deltas[thread_id])


_CHUNK = 400
"""Ids in one IN list; SQLite's default limit of parameters is far above."""


def _chunks(ids: Sequence[uuid.UUID]) -> Iterable[Sequence[uuid.UUID]]:
    return (ids[i : i + _CHUNK] for i in range(0, len(ids), _CHUNK))


class _Placed(NamedTuple):
    node: Node
    thread_id: uuid.UUID


_NODES = select(*(_comments.c[name] for name in ("id", "parent_id", "state", "shown", "thread_id")))
_NODES_BY_ID, _NODES_BELOW = _NODES.where(_comments.c.id.in_(_IDS)), _NODES.where(_comments.c.parent_id.in_(_IDS))
_SET_SHOWN = update(_comments).where(_comments.c.id.in_(_IDS)).values(shown=bindparam("value"))


def _nodes(session: Session, statement: Any, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, _Placed]:
    rows = (row for chunk in _chunks(list(ids)) for row in session.execute(statement, {"ids": chunk}))
    return {row[0]: _Placed(Node(row[0], row[1], State(row[2]), row[3]), row[4]) for row in rows}


def _starts_of_branches(
    session: Session, ids: Iterable[uuid.UUID]
) -> tuple[dict[uuid.UUID, _Placed], dict[uuid.UUID, _Placed]]:
    """Of each comment itself, or the topmost of the deleted ones right above it: their empty places come and go with
    it. And what is right above them.
    """
    starts: dict[uuid.UUID, _Placed] = {}
    above: dict[uuid.UUID, _Placed] = {}
    rising = _nodes(session, _NODES_BY_ID, ids)
    while rising:
        found = _nodes(session, _NODES_BY_ID, {one.node.parent_id for one in rising.values() if one.node.parent_id})
        above |= found
        deleted = {one.node.id: one for one in found.values() if one.node.state is State.DELETED}
        starts |= {id: one for id, one in rising.items() if one.node.parent_id not in deleted}
        rising = deleted
    return starts, above


def _with_replies(session: Session, starts: Mapping[uuid.UUID, _Placed]) -> dict[uuid.UUID, _Placed]:
    """The whole branches below ``starts``."""
    found = dict(starts)
    level = list(starts)
    while level:
        new = {id: one for id, one in _nodes(session, _NODES_BELOW, level).items() if id not in found}
        found |= new
        level = list(new)
    return found


def _branch(top: Node, children: Mapping[uuid.UUID | None, list[Node]]) -> list[Node]:
    """``top`` and all below it, parents before children."""
    nodes = [top]
    for node in nodes:  # grows as it goes
        nodes += children.get(node.id, [])
    return nodes


class Shown(NamedTuple):
    """What is read of a comment to show it to readers."""

    id: uuid.UUID
    parent_id: uuid.UUID | None
    root_id: uuid.UUID
    author_name: str
    author_url: str | None
    avatar: str
    body_html: str
    created_at: datetime
    edited_at: datetime | None
    votes: int
    state: str


_SHOWN: ColumnElement[bool] = literal_column("comments.shown")
_IS_ROOT, _IS_REPLY = _comments.c.parent_id.is_(None), _comments.c.parent_id.is_not(None)
_SELECT_SHOWN = select(*(_comments.c[name] for name in Shown._fields))
_BY_AGE = (_comments.c.created_at, _comments.c.id)


def shown_roots(
    session: Session, thread_id: uuid.UUID, *, sort: str, limit: int, after: Place | None
) -> Sequence[Shown]:
    """Comments that stand under the article itself, sorted ``oldest``, ``newest`` or ``top``, behind ``after``."""
    given = {"of": thread_id, "limit": limit} | _place(after)
    return [Shown._make(row) for row in session.execute(_roots(sort, after is not None), given)]


@lru_cache
def _roots(sort: str, behind: bool) -> Any:
    statement = _SELECT_SHOWN.where(_comments.c.thread_id == bindparam("of"), _SHOWN, _IS_ROOT)
    return _sorted(statement, "votes" if sort == "top" else "created_at", descending=sort != "oldest", behind=behind)


def shown_replies(session: Session, root_ids: Sequence[uuid.UUID], *, limit: int) -> Sequence[Shown]:
    """For each root up to ``limit`` replies of any depth, oldest first, in one query."""
    if not root_ids:
        return []
    places = next((size for size in _PAGES if size >= len(root_ids)), len(root_ids))
    roots = [*root_ids, *[_NOBODY] * (places - len(root_ids))]
    given: dict[str, Any] = {f"root{number}": root_id for number, root_id in enumerate(roots)}
    rows = session.execute(_replies_of(places), {**given, "limit": limit})
    return [Shown._make(row) for row in rows]


_PAGES = (1, 2, 5, 10, 20, 35, 50, 75, 100)
"""For so many roots there is a statement; what is left over is filled up, so that few have to be built."""

_NOBODY = uuid.UUID(int=0)


@lru_cache(maxsize=128)
def _replies_of(roots: int) -> Any:
    branches = [
        select(_comments.c.id)
        .where(_comments.c.root_id == bindparam(f"root{number}"), _SHOWN, _IS_REPLY)
        .order_by(*_BY_AGE)
        .limit(bindparam("limit", type_=Integer))
        .subquery()
        for number in range(roots)
    ]
    ids = union_all(*(select(branch.c.id) for branch in branches))
    return _SELECT_SHOWN.where(_comments.c.id.in_(ids)).order_by(*_BY_AGE)


def more_replies(session: Session, root_id: uuid.UUID, *, limit: int, after: Place) -> Sequence[Shown]:
    """Further replies below one root, oldest first, behind ``after``."""
    given = {"of": root_id, "limit": limit} | _place(after)
    return [Shown._make(row) for row in session.execute(_more_replies(), given)]


@lru_cache
def _more_replies() -> Any:
    statement = _SELECT_SHOWN.where(_comments.c.root_id == bindparam("of"), _SHOWN, _IS_REPLY)
    return _sorted(statement, "created_at", descending=False, behind=True)


def _place(after: Place | None) -> dict[str, Any]:
    return {} if after is None else {"after_value": after[0], "after_id": after[1]}


def _sorted(statement: Select[Any], column: str, *, descending: bool, behind: bool) -> Select[Any]:
    """A keyset page by ``column`` and id, for the values of ``_place`` and a ``limit``."""
    by = (_comments.c[column], _comments.c.id)
    if behind:
        place = tuple_(*by)
        end = tuple_(bindparam("after_value", type_=by[0].type), bindparam("after_id", type_=Id()))
        statement = statement.where(place < end if descending else place > end)
    order = tuple(one.desc() for one in by) if descending else by
    return statement.order_by(*order).limit(bindparam("limit", type_=Integer))


def newest_shown(
    session: Session, site_id: uuid.UUID, thread_id: uuid.UUID | None, limit: int, after: Place | None = None
) -> Sequence[Any]:
    """The newest shown comments of a site or of one thread behind ``after``, each with its thread, for a feed."""
    statement = (
        select(Comment, Thread)
        .join(Thread, Thread.id == Comment.thread_id)
        .where(_SHOWN, Comment.state == State.APPROVED.value)
    )
    # Not both: SQLite would read the whole site for a thread of it.
    where = Comment.site_id == site_id if thread_id is None else Comment.thread_id == thread_id
    of_feed = cast("Select[Any]", statement.where(where))
    page = _sorted(of_feed, "created_at", descending=True, behind=after is not None)
    return session.execute(page, {"limit": limit} | _place(after)).all()


def answers_shown(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[int, datetime]]:
    """How many shown answers hang right below each comment, and when the newest was written; without those of none."""
    rows = session.execute(_ANSWERS, {"ids": list(ids)})
    return {parent_id: (count, newest) for parent_id, count, newest in rows}


_ANSWERS = (
    select(_comments.c.parent_id, func.count(), func.max(_comments.c.created_at))
    .where(_comments.c.parent_id.in_(_IDS), _SHOWN, _comments.c.state == State.APPROVED.value)
    .group_by(_comments.c.parent_id)
)


# --- what is alike, and who wrote before ------------------------------------------------------------------------


def identical_comments(session: Session, site_id: uuid.UUID, exact: bytes, limit: int) -> list[Any]:
    """``(id, thread_id, state, created_at, alike_key)`` of comments of the same text, newest first."""
    return list(session.execute(_IDENTICAL, {"site": site_id, "exact": exact, "limit": limit}))


_SINCE = (_comments.c.site_id == bindparam("site"), _comments.c.created_at >= bindparam("since"))
_LIMIT = bindparam("limit", type_=Integer)
_IDENTICAL = (
    select(*(_comments.c[name] for name in ("id", "thread_id", "state", "created_at", "alike_key")))
    .where(_comments.c.site_id == bindparam("site"), _comments.c.exact == bindparam("exact"))
    .order_by(_comments.c.created_at.desc())
    .limit(_LIMIT)
)
_OF_NETWORK = select(_comments.c.id).where(_comments.c.network_key == bindparam("network"), *_SINCE).limit(_LIMIT)
_COUNT_OF_NETWORK = select(func.count()).select_from(_OF_NETWORK.subquery())


def anchors_near(session: Session, site_id: uuid.UUID, bands: Sequence[int], limit: int) -> list[Any]:
    """``(id, alike_key, sketch)`` of the newest comments that stand for a group and share a band, in no order.

    Each band is cut to ``limit`` rows, so that no flood makes this slow.
    """
    if not bands:
        return []
    given: dict[str, Any] = {f"band{number}": band for number, band in enumerate(sorted(set(bands)))}
    return list(session.execute(_anchors(len(given)), {**given, "site": site_id, "limit": limit}))


@lru_cache
def _anchors(bands: int) -> Any:
    newest = [
        select(_fingerprints.c.comment_id)
        .where(_fingerprints.c.site_id == bindparam("site"), _fingerprints.c.band == bindparam(f"band{number}"))
        .order_by(_fingerprints.c.comment_id.desc())
        .limit(_LIMIT)
        .subquery()
        for number in range(bands)
    ]
    ids = union_all(*(select(band.c.comment_id) for band in newest))
    columns = (_comments.c[name] for name in ("id", "alike_key", "sketch"))
    return select(*columns).where(_comments.c.id.in_(ids))


# --- groups of alike comments -------------------------------------------------------------------------------------

ALIKE_COUNTED = 500
"""Comments of a group that are counted, the newest: a count of a whole flood would grow with it."""

Group = tuple[uuid.UUID, bytes]
"""A group of alike comments: the site and the key."""

_OF_GROUP = (_comments.c.site_id == bindparam("site"), _comments.c.alike_key == bindparam("key"))
_MEMBERS = select(*(_comments.c[name] for name in ("id", "thread_id", "state", "exact", "sketch")))
_MEMBERS = _MEMBERS.where(*_OF_GROUP).order_by(_comments.c.id.desc()).limit(_LIMIT)


def in_state(state: State) -> ColumnElement[bool]:
    """No column for the planner, who would rather walk all comments in a state than those of a group."""
    return literal_column(f"comments.state || '' = '{state.value}'")


def heir_of_group(session: Session, group: Group, but: uuid.UUID) -> Row[Any] | None:
    """The newest comment of a group but one, locked until the transaction ends; passed over is what others change."""
    statement = _MEMBERS.where(_comments.c.id != but).with_for_update(skip_locked=True, key_share=True)
    return session.execute(statement, {"site": group[0], "key": group[1], "limit": 1}).first()


def newest_of_group(session: Session, group: Group, limit: int) -> Sequence[Row[Any]]:
    """``(id, thread_id, state, exact, sketch)`` of the newest comments of a group."""
    return session.execute(_MEMBERS, {"site": group[0], "key": group[1], "limit": limit}).all()


def count_groups(session: Session, groups: Iterable[Group]) -> dict[Group, dict[str, int]]:
    """For each group how many comments it has, by state; of more than ``ALIKE_COUNTED`` in a group so many and one.

    One query, or two where there is a flood among them; neither reads more than some thousand rows.
    """
    asked = list(dict.fromkeys(groups))
    if not asked:
        return {}
    limit = max(2_000, ALIKE_COUNTED + 2)
    given: dict[str, Any] = {"sites": list({site_id for site_id, _ in asked}), "keys": [key for _, key in asked]}
    counts = _by_group(session.execute(_COUNT_ALL, {**given, "limit": limit}))
    totals = [sum(of_group.values()) for of_group in counts.values()]
    if sum(totals) < limit and max(totals, default=0) <= ALIKE_COUNTED + 1:
        return counts
    places = next((size for size in _PAGES if size >= len(asked)), len(asked))
    given = {"limit": ALIKE_COUNTED + 1}
    for number, (site_id, key) in enumerate([*asked, *[(_NOBODY, b"")] * (places - len(asked))]):
        given |= {f"site{number}": site_id, f"key{number}": key}
    return _by_group(session.execute(_counts_of(places), given))


def _by_group(rows: Iterable[Any]) -> dict[Group, dict[str, int]]:
    counts: dict[Group, dict[str, int]] = {}
    for site_id, key, state, n in rows:
        counts.setdefault((site_id, key), {})[state] = n
    return counts


_STATES_OF = select(*(_comments.c[name] for name in ("site_id", "alike_key", "state")))
_OF_GROUPS = _STATES_OF.where(
    _comments.c.site_id.in_(bindparam("sites", expanding=True)),
    _comments.c.alike_key.in_(bindparam("keys", expanding=True)),
)
_ROWS_OF_GROUPS = _OF_GROUPS.limit(_LIMIT).subquery()
_COUNT_ALL = select(*_ROWS_OF_GROUPS.c, func.count()).group_by(*_ROWS_OF_GROUPS.c)


@lru_cache(maxsize=128)
def _counts_of(groups: int) -> Any:
    newest = [
        _STATES_OF.where(
            _comments.c.site_id == bindparam(f"site{number}"), _comments.c.alike_key == bindparam(f"key{number}")
        )
        .order_by(_comments.c.id.desc())
        .limit(_LIMIT)
        .subquery()
        for number in range(groups)
    ]
    rows = union_all(*(select(*one.c) for one in newest)).subquery()
    return select(*rows.c, func.count()).group_by(*rows.c)


def alike_page(
    session: Session, group: Group, *, but: uuid.UUID, state: State | None, limit: int, after: uuid.UUID | None
) -> Sequence[Row[Any]]:
    """One page of a group, newest first, behind the comment ``after``, without the comment ``but``."""
    names = ("id", "thread_id", "author_name", "state", "version", "created_at", "exact", "sketch", "body", "risk")
    statement = select(*(_comments.c[name] for name in names)).where(*_OF_GROUP, _comments.c.id != but)
    if state is not None:
        statement = statement.where(in_state(state))
    if after is not None:
        statement = statement.where(_comments.c.id < after)
    statement = statement.order_by(_comments.c.id.desc()).limit(limit)
    return session.execute(statement, {"site": group[0], "key": group[1]}).all()


def ids_of_group(
    session: Session, group: Group, state: State, until: datetime | None, limit: int
) -> Sequence[uuid.UUID]:
    """The oldest comments of a group in a state; with ``until``, those that nobody wrote or edited after it."""
    statement = select(_comments.c.id).where(*_OF_GROUP, in_state(state))
    if until is not None:
        statement = statement.where(func.coalesce(_comments.c.edited_at, _comments.c.created_at) <= until)
    statement = statement.order_by(_comments.c.id).limit(limit)
    return session.scalars(statement, {"site": group[0], "key": group[1]}).all()


def recent_of_network(session: Session, site_id: uuid.UUID, network_key: bytes, since: datetime, limit: int) -> int:
    """How many comments came from this network since then, counted up to ``limit``."""
    given = {"site": site_id, "network": network_key, "since": since, "limit": limit}
    return session.scalar(_COUNT_OF_NETWORK, given) or 0


_AUTHOR = select(Author).where(Author.site_id == bindparam("site"), Author.id == bindparam("of"))
_INSERT_AUTHOR = insert(_authors)
_PERSON = select(Author).where(Author.site_id == bindparam("site"), Author.person_key == bindparam("of"))
_FORGET_NAME = update(_authors).where(_authors.c.id == bindparam("of")).values(name="")
_LOCK_AUTHORS = select(_authors.c.id).where(_authors.c.id.in_(_IDS)).order_by(_authors.c.id)
_LOCK_AUTHORS = _LOCK_AUTHORS.with_for_update(key_share=True)
_COUNT = (
    update(_authors)
    .where(_authors.c.id == bindparam("of"))
    .values({name: _authors.c[name] + bindparam(f"more_{name}") for name in ("approved", "rejected", "spam")})
)


def add_author(session: Session, site_id: uuid.UUID, name: str, now: datetime) -> uuid.UUID:
    """Store a new author; returns the id."""
    author_id: uuid.UUID = new_id()
    session.execute(_INSERT_AUTHOR, {"id": author_id, "site_id": site_id, "name": name, "created_at": now})
    return author_id


def author_of_site(session: Session, site_id: uuid.UUID, author_id: uuid.UUID) -> Author | None:
    """The author, if they are of this site."""
    return session.scalar(_AUTHOR, {"site": site_id, "of": author_id})


def author_by_person(session: Session, site_id: uuid.UUID, person_key: bytes) -> Author | None:
    """The author whom the site vouches for under this key."""
    return session.scalar(_PERSON, {"site": site_id, "of": person_key})


@lru_cache
def _insert_person(postgres: bool) -> Any:
    statement = (postgresql.insert if postgres else sqlite.insert)(_authors)
    return statement.on_conflict_do_nothing(
        index_elements=["site_id", "person_key"], index_where=_authors.c.person_key.is_not(None)
    )


def person_made(session: Session, site_id: uuid.UUID, person_key: bytes, name: str, now: datetime) -> uuid.UUID:
    """The id of the author under this key, stored if new; two that store one at once get the same."""
    values = {"id": new_id(), "site_id": site_id, "person_key": person_key, "name": name, "created_at": now}
    session.execute(_insert_person(is_postgres(session)), values)
    author = author_by_person(session, site_id, person_key)
    if author is None:  # unreachable under READ COMMITTED and on SQLite
        raise RuntimeError("an author vanished")
    return author.id


def forget_name(session: Session, author_id: uuid.UUID) -> None:
    """Remove the name that an author had."""
    session.execute(_FORGET_NAME, {"of": author_id})


_RECORD = {State.APPROVED: "more_approved", State.REJECTED: "more_rejected", State.SPAM: "more_spam"}


def lock_authors(session: Session, author_ids: Iterable[uuid.UUID]) -> None:
    """Before the records of several authors change: in one order, so that two never wait for each other."""
    if is_postgres(session):
        session.execute(_LOCK_AUTHORS, {"ids": list(set(author_ids))}).all()


def count_for_author(session: Session, author_id: uuid.UUID, before: State | None, after: State) -> None:
    """Keep an author's record when one of their comments moves; only approved, rejected and spam count."""
    count_for_authors(session, [(author_id, before, after)])


def count_for_authors(session: Session, moves: Iterable[tuple[uuid.UUID, State | None, State]]) -> None:
    """The same for several comments, each with its author, in the order of the authors."""
    more: dict[uuid.UUID, dict[str, int]] = {}
    for author_id, before, after in moves:
        record = more.setdefault(author_id, dict.fromkeys(_RECORD.values(), 0))
        for state, one in ((before, -1), (after, 1)):
            if state in _RECORD:
                record[_RECORD[state]] += one
    rows = [{"of": author_id, **more[author_id]} for author_id in sorted(more) if any(more[author_id].values())]
    if rows:
        session.execute(_COUNT, rows)


# --- the queue -------------------------------------------------------------------------------------------------


_QUEUED = (
    *("id", "site_id", "thread_id", "parent_id", "author_id", "author_name", "author_url", "author_proven", "avatar"),
    *("email_domain", "body", "body_html", "state", "version", "created_at", "edited_at", "risk", "scores", "reasons"),
    *("reports", "claimed_name", "claimed_until", "alike_key"),
)
SELECT_QUEUED = select(*(_comments.c[name] for name in _QUEUED))


def claim_next(
    session: Session, site_id: uuid.UUID, me: str, name: str, now: datetime, until: datetime, limit: int
) -> list[uuid.UUID]:
    """Take the oldest pending comments that nobody else holds; those that ``me`` holds come first again.

    Two that claim at once never get the same one: locked rows are skipped on PostgreSQL, SQLite has one writer.
    """
    held = and_(Comment.claimed_by == me, Comment.claimed_until > now)
    ids = _taken(session, site_id, held, limit)
    if len(ids) < limit:
        free = or_(Comment.claimed_by.is_(None), Comment.claimed_until <= now)
        ids += _taken(session, site_id, free, limit - len(ids))
    for chunk in _chunks(ids):
        session.execute(
            update(Comment).where(Comment.id.in_(chunk)).values(claimed_by=me, claimed_name=name, claimed_until=until)
        )
    return ids


def _taken(session: Session, site_id: uuid.UUID, which: ColumnElement[bool], limit: int) -> list[uuid.UUID]:
    """The oldest pending comments of a site, locked for this transaction; those locked by another are passed over."""
    statement = (
        select(Comment.id)
        .where(Comment.site_id == site_id, literal_column("comments.state = 'pending'"), which)
        .order_by(Comment.created_at, Comment.id)
        .limit(limit)
    )
    return list(session.scalars(statement.with_for_update(skip_locked=True, key_share=True)))


def release_claims(session: Session, me: str, ids: Sequence[uuid.UUID] | None) -> int:
    """Give back what ``me`` holds: all of it, or the given ones."""
    held = select(Comment.id).where(Comment.claimed_by == me)
    if ids is not None:
        held = held.where(Comment.id.in_(ids))
    # Locked in the order in which bulk decisions go, so that the two never wait for each other.
    found = list(session.scalars(held.order_by(Comment.id).with_for_update(key_share=True)))
    for chunk in _chunks(found):
        nobody = {"claimed_by": None, "claimed_name": None, "claimed_until": None}
        session.execute(update(Comment).where(Comment.id.in_(chunk)).values(nobody))
    return len(found)


class Said(NamedTuple):
    """What a signal that noticed something, or could not be judged, said of a comment."""

    name: str
    weight: float
    available: bool
    evidence: list[Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a moderator sees beside a page of comments, by id."""

    sites: Mapping[uuid.UUID, str]
    threads: Mapping[uuid.UUID, Row[Any]]
    authors: Mapping[uuid.UUID, Row[Any]]
    parents: Mapping[uuid.UUID, Row[Any]]
    signals: Mapping[uuid.UUID, list[Said]]
    alike: Mapping[Group, Mapping[str, int]]


_SIGNALS = select(
    *(type_coerce(_signals.c[name], NullType).label(f"stored_{name}") for name in ("comment_id", "evidence")),
    *(_signals.c[name] for name in ("name", "weight", "available", "forces")),
)
_SIGNALS = _SIGNALS.where(_signals.c.comment_id.in_(_IDS)).order_by(_signals.c.name)
_RECORDS = select(*(_authors.c[name] for name in ("id", "approved", "rejected", "spam")))
_RECORDS = _RECORDS.where(_authors.c.id.in_(_IDS))
_PARENTS = select(*(_comments.c[name] for name in ("id", "author_name", "body_html", "state")))
_PARENTS = _PARENTS.where(_comments.c.id.in_(_IDS))


def surroundings_of(session: Session, comments: Sequence[Comment | Row[Any]]) -> Surroundings:
    """Sites, threads, authors, parents, signals and groups of the comments, in few queries whatever their number."""
    signals: dict[uuid.UUID, list[Said]] = {comment.id: [] for comment in comments}
    # By the ids as they are stored, and without what found nothing: to make the values takes longer than to read them.
    stored = {Id().process_bind_param(id, session.get_bind().dialect): said for id, said in signals.items()}
    rows: Any = session.execute(_SIGNALS, {"ids": list(signals)})
    for own, evidence, name, weight, available, forces in rows:
        found = orjson.loads(evidence) if isinstance(evidence, str) else evidence
        if weight or found or forces or not available:
            stored[own].append(Said(name, weight, available, found))
    return Surroundings(
        sites=site_keys(session, {comment.site_id for comment in comments}),
        threads=thread_names(session, {comment.thread_id for comment in comments}),
        authors=_by_id(session, _RECORDS, {comment.author_id for comment in comments}),
        parents=_by_id(session, _PARENTS, {comment.parent_id for comment in comments if comment.parent_id}),
        signals=signals,
        alike=count_groups(session, [(one.site_id, one.alike_key) for one in comments if one.alike_key]),
    )


def _by_id(session: Session, statement: Any, ids: set[Any]) -> dict[uuid.UUID, Any]:
    return {row.id: row for row in session.execute(statement, {"ids": list(ids)})} if ids else {}


def reports_of(session: Session, comment_id: uuid.UUID, limit: int) -> Sequence[Report]:
    """Reports of one comment, newest first."""
    statement = select(Report).where(Report.comment_id == comment_id)
    return session.scalars(statement.order_by(Report.created_at.desc(), Report.id.desc()).limit(limit)).all()


def revisions_of(session: Session, comment_id: uuid.UUID, limit: int) -> Sequence[Revision]:
    """Former texts of one comment, newest first."""
    statement = select(Revision).where(Revision.comment_id == comment_id)
    return session.scalars(statement.order_by(Revision.created_at.desc(), Revision.id.desc()).limit(limit)).all()


def oldest_waiting(session: Session, site_ids: Sequence[uuid.UUID]) -> datetime | None:
    """When the oldest pending comment of these sites came in."""
    firsts = [
        session.scalar(
            select(Comment.created_at)
            .where(Comment.site_id == site_id, literal_column("comments.state = 'pending'"))
            .order_by(Comment.created_at, Comment.id)
            .limit(1)
        )
        for site_id in site_ids
    ]
    return min((first for first in firsts if first is not None), default=None)
