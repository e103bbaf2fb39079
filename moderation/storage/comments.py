"""Queries on comments: what readers see, what waits, what is alike."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    and_,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from moderation.domain.comment import State
from moderation.domain.tree import Node, shown_changes
from moderation.storage.db import is_postgres
from moderation.storage.models import Author, Comment, Fingerprint, Report, Revision, SignalRow, Site, Thread
from moderation.storage.threads import touch_thread
from moderation.storage.types import Id, Utc

ESTIMATE_LIMIT = 10_000
"""Beyond this many, ``total_estimate`` stops counting: a count of everything would grow with the table."""

Place = tuple[Any, uuid.UUID]
"""Where a page ended: the sort value and the id of its last row."""


# --- one comment -----------------------------------------------------------------------------------------------


def comment_of_site(session: Session, site_id: uuid.UUID, comment_id: uuid.UUID) -> Comment | None:
    """The comment, if it is of this site."""
    return session.scalar(select(Comment).where(Comment.site_id == site_id, Comment.id == comment_id))


def comment_by_id(session: Session, comment_id: uuid.UUID) -> Comment | None:
    """The comment, of whatever site: ask who may see it before you show it."""
    return session.get(Comment, comment_id)


def comments_by_ids(session: Session, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Comment]:
    """The comments among ``ids`` that exist, of whatever site."""
    return {comment.id: comment for comment in session.scalars(select(Comment).where(Comment.id.in_(list(ids))))}


def add_comment(session: Session, comment: Comment, signals: Sequence[Mapping[str, Any]], bands: Sequence[int]) -> None:
    """Store a new comment with what the signals said and its fingerprint."""
    session.add(comment)
    session.flush()
    add_signals(session, comment, signals, bands)


def add_signals(session: Session, comment: Comment, signals: Sequence[Mapping[str, Any]], bands: Sequence[int]) -> None:
    """Store what the signals said of a comment, and its fingerprint."""
    of = {"site_id": comment.site_id, "comment_id": comment.id}
    if signals:
        session.execute(insert(SignalRow), [{**of, **signal} for signal in signals])
    if bands:
        session.execute(insert(Fingerprint), [{**of, "band": band} for band in set(bands)])


def forget_signals(session: Session, comment: Comment) -> None:
    """Remove what the signals said of a comment's text, and its fingerprint."""
    for table in (SignalRow, Fingerprint):
        session.execute(table.__table__.delete().where(table.comment_id == comment.id))  # type: ignore[attr-defined]


def add_revision(session: Session, comment: Comment, now: datetime) -> None:
    """Keep the present text of a comment before it changes."""
    session.execute(
        insert(Revision).values(
            site_id=comment.site_id, comment_id=comment.id, body=comment.body, state=comment.state, created_at=now
        )
    )


def forget_revisions(session: Session, comment: Comment) -> None:
    """Remove a comment's former texts."""
    session.execute(Revision.__table__.delete().where(Revision.comment_id == comment.id))  # type: ignore[attr-defined]


def move_comment(session: Session, comment: Comment, to: State, **values: Any) -> bool:
    """Compare-and-set: move from the state and version that ``comment`` was read with; False where it moved on."""
    result = session.execute(
        update(Comment)
        .where(Comment.id == comment.id, Comment.state == comment.state, Comment.version == comment.version)
        .values(state=to.value, **values)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


# --- what readers see ------------------------------------------------------------------------------------------


def refresh_shown(session: Session, comment_id: uuid.UUID, before: State) -> None:
    """Bring ``shown`` of a comment's branch, and its thread's count and version, in line with the states.

    Call it after each change of state, with the thread locked; ``before`` is the state that the comment left. One
    or two small queries for a comment without replies; otherwise the ids and states of the branch below are read.
    """
    start = _start_of_branch(session, comment_id)
    above_shown = start.parent_id is None or _node(session, start.parent_id).shown
    nodes = _branch(session, start)
    changes = shown_changes(nodes, above_shown=above_shown)
    for shown in (True, False):
        for chunk in _chunks([node_id for node_id, value in changes.items() if value is shown]):
            session.execute(update(Comment).where(Comment.id.in_(chunk)).values(shown=shown))
    delta = 0
    for node in nodes:
        was = node.shown and (before if node.id == comment_id else node.state) is State.APPROVED
        delta += int(changes.get(node.id, node.shown) and node.state is State.APPROVED) - int(was)
    if not changes and not delta:
        return  # readers saw nothing of it, and nothing tells them
    thread_id = session.scalar(select(Comment.thread_id).where(Comment.id == comment_id))
    if thread_id is not None:
        touch_thread(session, thread_id, delta)


_CHUNK = 400
"""Ids in one IN list; SQLite's default limit of parameters is far above."""


def _chunks(ids: Sequence[uuid.UUID]) -> Iterable[Sequence[uuid.UUID]]:
    return (ids[i : i + _CHUNK] for i in range(0, len(ids), _CHUNK))


def _nodes(session: Session, where: ColumnElement[bool]) -> list[Node]:
    rows = session.execute(select(Comment.id, Comment.parent_id, Comment.state, Comment.shown).where(where))
    return [Node(id, parent_id, State(state), shown) for id, parent_id, state, shown in rows]


def _node(session: Session, comment_id: uuid.UUID) -> Node:
    return _nodes(session, Comment.id == comment_id)[0]


def _start_of_branch(session: Session, comment_id: uuid.UUID) -> Node:
    """The comment, or the topmost of the deleted ones right above it: their empty places come and go with it."""
    node = _node(session, comment_id)
    while node.parent_id is not None:
        above = _node(session, node.parent_id)
        if above.state is not State.DELETED:
            break
        node = above
    return node


def _branch(session: Session, start: Node) -> list[Node]:
    """The whole branch below ``start``, parents before children."""
    nodes = [start]
    level: list[uuid.UUID] = [start.id]
    while level:
        found = [node for chunk in _chunks(level) for node in _nodes(session, Comment.parent_id.in_(chunk))]
        nodes += found
        level = [node.id for node in found]
    return nodes


_SHOWN: ColumnElement[bool] = literal_column("comments.shown")
_IS_ROOT = Comment.parent_id.is_(None)


def shown_roots(
    session: Session, thread_id: uuid.UUID, *, sort: str, limit: int, after: Place | None
) -> Sequence[Comment]:
    """Comments that stand under the article itself, sorted ``oldest``, ``newest`` or ``top``, behind ``after``."""
    column = Comment.votes if sort == "top" else Comment.created_at
    statement = select(Comment).where(Comment.thread_id == thread_id, _SHOWN, _IS_ROOT)
    return _page(session, statement, column, descending=sort != "oldest", limit=limit, after=after)


def shown_replies(session: Session, root_ids: Sequence[uuid.UUID], *, limit: int) -> Sequence[Comment]:
    """For each root up to ``limit`` replies of any depth, oldest first, in one query."""
    if not root_ids:
        return []
    branches = [
        select(Comment.id)
        .where(Comment.root_id == root_id, _SHOWN, Comment.parent_id.is_not(None))
        .order_by(Comment.created_at, Comment.id)
        .limit(limit)
        .subquery()
        for root_id in root_ids
    ]
    ids = union_all(*(select(branch.c.id) for branch in branches))
    return session.scalars(select(Comment).where(Comment.id.in_(ids)).order_by(Comment.created_at, Comment.id)).all()


def more_replies(session: Session, root_id: uuid.UUID, *, limit: int, after: Place) -> Sequence[Comment]:
    """Further replies below one root, oldest first, behind ``after``."""
    statement = select(Comment).where(Comment.root_id == root_id, _SHOWN, Comment.parent_id.is_not(None))
    return _page(session, statement, Comment.created_at, descending=False, limit=limit, after=after)


def newest_shown(session: Session, site_id: uuid.UUID, thread_id: uuid.UUID | None, limit: int) -> Sequence[Any]:
    """The newest shown comments of a site or of one thread, each with its thread, for a feed."""
    statement = (
        select(Comment, Thread)
        .join(Thread, Thread.id == Comment.thread_id)
        .where(_SHOWN, Comment.state == State.APPROVED.value)
    )
    # Not both: SQLite would read the whole site for a thread of it.
    where = Comment.site_id == site_id if thread_id is None else Comment.thread_id == thread_id
    statement = statement.where(where)
    return session.execute(statement.order_by(Comment.created_at.desc(), Comment.id.desc()).limit(limit)).all()


# --- what is alike, and who wrote before ------------------------------------------------------------------------


def identical_comments(session: Session, site_id: uuid.UUID, exact: bytes, since: datetime, limit: int) -> list[Any]:
    """``(id, thread_id, state)`` of comments of the same text since then, newest first."""
    statement = select(Comment.id, Comment.thread_id, Comment.state).where(
        Comment.site_id == site_id, Comment.exact == exact, Comment.created_at >= since
    )
    return list(session.execute(statement.order_by(Comment.created_at.desc()).limit(limit)))


def similar_comments(session: Session, site_id: uuid.UUID, bands: Sequence[int], limit: int) -> list[Any]:
    """``(id, thread_id, state, simhash, exact)`` of the newest comments that share a band, in no order.

    Each band is cut to ``limit`` rows, so that a flood of the same text does not make this slow.
    """
    if not bands:
        return []
    newest = [
        select(Fingerprint.comment_id)
        .where(Fingerprint.site_id == site_id, Fingerprint.band == band)
        .order_by(Fingerprint.comment_id.desc())
        .limit(limit)
        .subquery()
        for band in sorted(set(bands))
    ]
    ids = union_all(*(select(band.c.comment_id) for band in newest))
    statement = select(Comment.id, Comment.thread_id, Comment.state, Comment.simhash, Comment.exact)
    return list(session.execute(statement.where(Comment.id.in_(ids))))


def recent_of_network(session: Session, site_id: uuid.UUID, network_key: bytes, since: datetime, limit: int) -> int:
    """How many comments came from this network since then, counted up to ``limit``."""
    rows = (
        select(Comment.id)
        .where(Comment.site_id == site_id, Comment.network_key == network_key, Comment.created_at >= since)
        .limit(limit)
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(rows)) or 0


def author_of_site(session: Session, site_id: uuid.UUID, author_id: uuid.UUID) -> Author | None:
    """The author, if they are of this site."""
    return session.scalar(select(Author).where(Author.site_id == site_id, Author.id == author_id))


def forget_name(session: Session, author_id: uuid.UUID) -> None:
    """Remove the name that an author had."""
    session.execute(update(Author).where(Author.id == author_id).values(name=""))


_RECORD = {State.APPROVED: Author.approved, State.REJECTED: Author.rejected, State.SPAM: Author.spam}


def lock_authors(session: Session, author_ids: Iterable[uuid.UUID]) -> None:
    """Before the records of several authors change: in one order, so that two never wait for each other."""
    if is_postgres(session):
        locked = select(Author.id).where(Author.id.in_(set(author_ids))).order_by(Author.id)
        session.execute(locked.with_for_update(key_share=True)).all()


def count_for_author(session: Session, author_id: uuid.UUID, before: State | None, after: State) -> None:
    """Keep an author's record when one of their comments moves; only approved, rejected and spam count."""
    values: dict[Any, Any] = {}
    if before in _RECORD:
        values[_RECORD[before]] = _RECORD[before] - 1
    if after in _RECORD:
        values[_RECORD[after]] = _RECORD[after] + 1
    if values:
        session.execute(update(Author).where(Author.id == author_id).values(values))


# --- the queue -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """What is asked of the queue; None means "any". ``sites`` None: all sites."""

    sites: frozenset[uuid.UUID] | None
    state: State
    thread: str | None = None
    text: str | None = None
    author: str | None = None
    signal: str | None = None
    min_risk: float | None = None
    reported: bool | None = None
    before: datetime | None = None
    after: datetime | None = None
    claimed: str | None = None
    me: str = ""
    now: datetime | None = None


def queue_page(session: Session, query: QueueQuery, *, sort: str, limit: int, after: Place | None) -> Sequence[Comment]:
    """One page of the queue, sorted ``oldest``, ``newest`` or ``risk`` (highest first)."""
    column: Any = Comment.risk if sort == "risk" else Comment.created_at
    return _page(session, _queue(session, query), column, descending=sort != "oldest", limit=limit, after=after)


def queue_estimate(session: Session, query: QueueQuery) -> int:
    """How many the queue holds for this query: exact up to ``ESTIMATE_LIMIT``, which stands for "that many or more"."""
    rows = _queue(session, query).with_only_columns(Comment.id).limit(ESTIMATE_LIMIT).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def _queue(session: Session, query: QueueQuery) -> Select[Comment]:
    # The state stands in the text of the statement: a partial index is not used for a parameter on SQLite.
    conditions: list[ColumnElement[bool]] = [literal_column(f"comments.state = '{query.state.value}'")]
    if query.sites is not None:
        one = len(query.sites) == 1
        conditions.append(
            Comment.site_id == next(iter(query.sites)) if one else Comment.site_id.in_(sorted(query.sites))
        )
    conditions += _plain_conditions(query)
    if query.thread is not None:
        conditions.append(_thread_condition(session, query.thread, query.sites))
    if query.signal is not None:
        of_signal = and_(SignalRow.comment_id == Comment.id, SignalRow.name == query.signal, SignalRow.weight != 0)
        conditions.append(exists().where(of_signal))
    if query.claimed is not None:
        conditions.append(_claim_condition(query))
    return select(Comment).where(and_(*conditions))


def _plain_conditions(query: QueueQuery) -> list[ColumnElement[bool]]:
    reported: ColumnElement[bool] = literal_column(
        f"comments.reports {'>' if query.reported else '='} 0"
    )  # in the text, like the state
    pairs: list[tuple[Any, ColumnElement[bool]]] = [
        (query.min_risk, Comment.risk >= (query.min_risk or 0)),
        (query.reported, reported),
        (query.before, Comment.created_at < (query.before or query.now)),
        (query.after, Comment.created_at > (query.after or query.now)),
        (query.text, Comment.body.icontains(query.text or "", autoescape=True)),
        (query.author, Comment.author_name.icontains(query.author or "", autoescape=True)),
    ]
    return [condition for value, condition in pairs if value is not None]


def _thread_condition(session: Session, key: str, sites: frozenset[uuid.UUID] | None) -> ColumnElement[bool]:
    """By the ids of the threads with this key, looked up before: with a subquery SQLite reads the whole site."""
    statement = select(Thread.id).where(Thread.key == key)
    if sites is not None:
        statement = statement.where(Thread.site_id.in_(sorted(sites)))
    ids = session.scalars(statement).all()
    return Comment.thread_id == ids[0] if len(ids) == 1 else Comment.thread_id.in_(ids)


def _claim_condition(query: QueueQuery) -> ColumnElement[bool]:
    held = and_(Comment.claimed_by.is_not(None), Comment.claimed_until > query.now)
    match query.claimed:
        case "me":
            return and_(held, Comment.claimed_by == query.me)
        case "others":
            return and_(held, Comment.claimed_by != query.me)
        case _:
            return or_(Comment.claimed_by.is_(None), Comment.claimed_until <= query.now)


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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a moderator sees beside a page of comments, by id."""

    sites: Mapping[uuid.UUID, str]
    threads: Mapping[uuid.UUID, Thread]
    authors: Mapping[uuid.UUID, Author]
    parents: Mapping[uuid.UUID, Comment]
    signals: Mapping[uuid.UUID, list[SignalRow]]


def surroundings_of(session: Session, comments: Sequence[Comment]) -> Surroundings:
    """Sites, threads, authors, parents and signals of the comments, in five queries whatever their number."""
    signals: dict[uuid.UUID, list[SignalRow]] = {comment.id: [] for comment in comments}
    for row in session.scalars(select(SignalRow).where(SignalRow.comment_id.in_(signals)).order_by(SignalRow.name)):
        signals[row.comment_id].append(row)
    site_ids = {comment.site_id for comment in comments}
    return Surroundings(
        sites={id: key for id, key in session.execute(select(Site.id, Site.key).where(Site.id.in_(site_ids)))},
        threads=_by_id(session, Thread, {comment.thread_id for comment in comments}),
        authors=_by_id(session, Author, {comment.author_id for comment in comments}),
        parents=_by_id(session, Comment, {comment.parent_id for comment in comments if comment.parent_id}),
        signals=signals,
    )


def _by_id(session: Session, table: Any, ids: set[Any]) -> dict[uuid.UUID, Any]:
    return {row.id: row for row in session.scalars(select(table).where(table.id.in_(ids)))} if ids else {}


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


def _page(
    session: Session,
    statement: Select[Comment],
    column: Any,
    *,
    descending: bool,
    limit: int,
    after: Place | None,
) -> Sequence[Comment]:
    """A keyset page by ``column`` and id."""
    if after is not None:
        kind = Utc() if isinstance(after[0], datetime) else Float() if isinstance(after[0], float) else None
        place, end = tuple_(column, Comment.id), tuple_(*after, types=[kind or column.type, Id()])
        statement = statement.where(place < end if descending else place > end)
    order = (column.desc(), Comment.id.desc()) if descending else (column, Comment.id)
    return session.scalars(statement.order_by(*order).limit(limit)).all()
