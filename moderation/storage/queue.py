"""The lists of the queue. A page takes as long with a million comments waiting as with ten thousand, or nearly.

Where nothing but the site and the state is asked for, a page is a walk along the index of its order. What else is asked
for is found in one of these ways:

- by its own index, where that is short or has the same order: claims, a group, a thread, reports;
- among the first comments of the list, ``LOOKED_AT``, which is enough where many are wanted;
- where those had too few: by the index of texts (``search.py``), or by the index of the risk or of the time;
- at last along the whole list. That is left where what is wanted is neither frequent nor rare, and stands at the end.

Both databases hand on the rows of a limited subquery in its order; nothing here sorts what was read in order.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from moderation.domain.comment import State
from moderation.storage import search
from moderation.storage.comments import (
    SELECT_QUEUED,
    Place,
    in_state,
)
from moderation.storage.models import Comment, SignalRow, Thread
from moderation.storage.search import Index, Wanted
from moderation.storage.sites import all_site_ids
from moderation.storage.types import Id

ESTIMATE_LIMIT = 10_000
"""Beyond this many, ``total_estimate`` stops counting: a count of everything would grow with the table."""

TEXT_ESTIMATE_LIMIT = 1_000
"""The same where words are looked for: each text is read for it."""

LOOKED_AT_INDEX = 5_000
"""Comments at the head of a list that are looked at, where what is asked for stands in the index of the list."""

LOOKED_AT = 2_000
"""The same where it stands in their rows."""

TEXTS_LOOKED_AT = 300
"""The same where texts, names or signals are compared, which is dearer."""

CANDIDATES = 5_000
"""Candidates of the index of texts that are compared for one page; where they are more, walking is quicker."""

SORTED = 20_000
"""Comments of a range of risks or times that are sorted for a page; among more, a walk meets enough of them sooner."""

TAIL = 4_000
"""Comments that the index of texts may lack; with more, the worker is behind, and it is not asked."""

SITES_APART = 100
"""Lists of up to so many sites are read site by site, each in its order."""

MANY = 10
"""So many that fit among those that were compared tell their share well enough."""

SAMPLE = 200
"""Candidates that are compared to estimate how many of all of them are what is asked for, the oldest ones."""

_SLICE = 200
_comments, _signals = cast("Table", Comment.__table__), cast("Table", SignalRow.__table__)
_c = _comments.c


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """What is asked of the queue; None means "any". ``sites`` None: all sites. ``alike``: a comment and its key."""

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
    alike: tuple[uuid.UUID, bytes | None] | None = None
    me: str = ""
    now: datetime | None = None


BY_RISK, ASCENDING = ("risk", "safest"), ("oldest", "safest")


@dataclass(frozen=True, slots=True)
class _List:
    """A query, and the order that its list is asked in, behind ``after``."""

    query: QueueQuery
    sort: str = "oldest"
    after: Place | None = None

    @property
    def by(self) -> str:
        return "risk" if self.sort in BY_RISK else "created_at"

    @property
    def descending(self) -> bool:
        return self.sort not in ASCENDING


Found = list[tuple[Any, uuid.UUID]]
"""The sort value and the id of comments, in the order of their list."""


def index_for(session: Session, query: QueueQuery) -> Index | None:
    """The index of texts, where a query asks what that knows, and the worker is not too far behind."""
    if not _is_costly(query) or (new := search.count_unindexed(session, TAIL + 1)) > TAIL:
        return None
    wanted = Wanted(text=query.text, author=query.author, signal=query.signal, sites=query.sites)
    return Index(session, wanted, new)


def page(
    session: Session, query: QueueQuery, index: Index | None, *, sort: str, limit: int, after: Place | None
) -> Sequence[Row[Any]]:
    """One page of the queue, sorted ``oldest``, ``newest``, ``risk`` (highest first) or ``safest`` (lowest first), with
    what moderators see.

    ``index`` is that of ``index_for``, which ``estimate`` can use, too.
    """
    asked = _List(query, sort, after)
    if _is_plain(query) and (query.sites is None or len(query.sites) == 1):
        return session.execute(
            _plain_page(query.state, query.sites is not None, sort, after is not None), _given(asked, limit)
        ).all()
    found = _find(session, asked, index, limit)
    rows = {row.id: row for row in session.execute(_QUEUED_BY_IDS, {"ids": [id for _, id in found]})} if found else {}
    return [rows[id] for _, id in found]


_QUEUED_BY_IDS = SELECT_QUEUED.where(_c.id.in_(bindparam("ids", expanding=True)))


def _given(asked: _List, limit: int) -> dict[str, Any]:
    given: dict[str, Any] = {"limit": limit}
    if asked.query.sites:
        given["site"] = next(iter(asked.query.sites))
    return given if asked.after is None else given | {"after_value": asked.after[0], "after_id": asked.after[1]}


def _is_plain(query: QueueQuery) -> bool:
    return query == QueueQuery(sites=query.sites, state=query.state, me=query.me, now=query.now)


@lru_cache
def _plain_page(state: State, one_site: bool, sort: str, behind: bool) -> Any:
    asked = _List(QueueQuery(sites=None, state=state), sort)
    statement = SELECT_QUEUED.where(_in(state))
    if one_site:
        statement = statement.where(_c.site_id == bindparam("site"))
    if behind:
        end = tuple_(bindparam("after_value", type_=_c[asked.by].type), bindparam("after_id", type_=Id()))
        place = tuple_(_c[asked.by], _c.id)
        statement = statement.where(place < end if asked.descending else place > end)
    return statement.order_by(*_order(asked, _c)).limit(bindparam("limit"))


# --- how many --------------------------------------------------------------------------------------------------------


def estimate(session: Session, query: QueueQuery, index: Index | None = None) -> int:
    """How many the queue holds for this query, up to ``ESTIMATE_LIMIT``, which stands for "that many or more"; where
    words are looked for, up to ``TEXT_ESTIMATE_LIMIT``.

    It is exact while the list is short (``LOOKED_AT``), and where one thing is asked for that has an index. Else it is
    computed from the share among the first of the list, or among the candidates.
    """
    most = TEXT_ESTIMATE_LIMIT if query.text is not None else ESTIMATE_LIMIT
    asked = _List(query)
    if _is_plain(query):
        return _count_plain(session, query)
    if _own(session, query) is not None and not _is_costly(query):
        return _count(session, _of_own(session, asked).limit(ESTIMATE_LIMIT))
    if not _is_costly(query) and (ranged := _ranged_alone(query)) is not None:
        return _count(session, ranged.limit(ESTIMATE_LIMIT))
    index = index or index_for(session, query)
    by_index = None if index is None else _estimate_by_search(session, asked, index, most)
    if by_index is not None:
        return min(by_index, most)
    looked_at, fitting = _look(session, asked)
    if looked_at < _window(query):
        return min(fitting, most)
    whole = _count_driving(session, asked)
    return min(max(fitting, round(whole * fitting / looked_at)), most)


def _count_plain(session: Session, query: QueueQuery) -> int:
    if query.sites is None or len(query.sites) == 1:
        return session.scalar(_plain_count(query.state, query.sites is not None), _given(_List(query), 0)) or 0
    return _count(session, select(_first(_List(query), ("id",), ESTIMATE_LIMIT).c.id))


@lru_cache
def _plain_count(state: State, one_site: bool) -> Any:
    rows = select(_c.id).where(_in(state))
    if one_site:
        rows = rows.where(_c.site_id == bindparam("site"))
    return select(func.count()).select_from(rows.limit(ESTIMATE_LIMIT).subquery())


def _count(session: Session, rows: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def _ranged_alone(query: QueueQuery) -> Select[Any] | None:
    """What a query asks for where that is a range of risks that wait, or of times, and nothing else."""
    nothing = replace(query, min_risk=None)
    if query.min_risk is not None and query.state is State.PENDING and _is_plain(nothing):
        return select(_first(_List(query, "risk"), ("id",), ESTIMATE_LIMIT).c.id)
    if query.min_risk is None and _is_plain(replace(query, before=None, after=None)):
        return select(_first(_List(query), ("id",), ESTIMATE_LIMIT).c.id)
    return None


def _look(session: Session, asked: _List) -> tuple[int, int]:
    """Of the first of a list how many there are, and how many fit."""
    first = _head(session, asked, _window(asked.query))
    fits = select(func.count()).select_from(first).where(*_rest(asked, first.c)).scalar_subquery()
    looked_at, fitting = session.execute(select(func.count(), fits).select_from(first)).one()
    return looked_at, fitting


def _count_driving(session: Session, asked: _List) -> int:
    return _count(session, select(_head(session, asked, ESTIMATE_LIMIT, bare=True).c.id))


def _estimate_by_search(session: Session, asked: _List, index: Index, most: int) -> int | None:
    """From the share of the candidates that are it; exact where they are few. None: too few of them are it."""
    total, behind = index.count(TEXT_ESTIMATE_LIMIT * SAMPLE // MANY), index.unindexed
    sample = list(islice(_candidates(index.candidates(index.chunks)), SAMPLE)) if total else []
    found = 0
    for some in _slices(sample):
        ids = search.ids_at(session, some)
        indexed = [_c.id.in_(ids), *([_c.id.not_in(search.unindexed_ids())] if behind else [])]
        found += _count(session, _among(session, asked, and_(*indexed)))
    if len(sample) < total and found < MANY:
        return None
    new = _count(session, _among(session, asked, _c.id.in_(search.unindexed_ids())).limit(most)) if behind else 0
    return new + (round(found * total / len(sample)) if sample else 0)


def _candidates(pieces: Iterable[search.Piece]) -> Iterator[tuple[int, int]]:
    return ((piece.chunk_id, place) for piece in pieces for place in piece.places)


def _slices(places: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    return (places[start : start + _SLICE] for start in range(0, len(places), _SLICE))


# --- finding ---------------------------------------------------------------------------------------------------------


def _find(session: Session, asked: _List, index: Index | None, limit: int) -> Found:
    query = asked.query
    if _own(session, query) is not None and not _is_costly(query):
        return _read(session, _of_own(session, asked), asked, limit)
    if _is_plain(query):
        return _walked(session, asked, limit, limit)
    found = _walked(session, asked, _window(query), limit)
    if len(found) == limit or _looked_at_all(session, asked):
        return found
    if index is not None:
        searched = _searched(session, asked, index, limit)
        if searched is not None:
            return searched
    if (ranged := _by_range(session, asked)) is not None:
        return _read(session, ranged, asked, limit)
    return _walked(session, asked, None, limit)


def _window(query: QueueQuery) -> int:
    if _is_costly(query):
        return TEXTS_LOOKED_AT
    in_index = not _own_is_asked(query) and _is_plain(replace(query, min_risk=None, before=None, after=None))
    return LOOKED_AT_INDEX if in_index else LOOKED_AT


def _is_costly(query: QueueQuery) -> bool:
    return query.text is not None or query.author is not None or query.signal is not None


def _read(session: Session, statement: Select[Any], asked: _List, limit: int) -> Found:
    return [(value, id) for value, id in session.execute(statement.limit(limit))]


def _walked(session: Session, asked: _List, window: int | None, limit: int) -> Found:
    first = _head(session, asked, window)
    return _read(session, select(first.c[asked.by], first.c.id).where(*_rest(asked, first.c)), asked, limit)


def _looked_at_all(session: Session, asked: _List) -> bool:
    window = _window(asked.query)
    return _count(session, select(_head(session, asked, window, bare=True).c.id)) < window


def _head(session: Session, asked: _List, window: int | None, *, bare: bool = False) -> Subquery:
    """The first comments of a list by its order, with the columns that ``_rest`` asks; ``bare``: none but those."""
    own = _own(session, asked.query)
    names = ("id", asked.by) if bare else _columns(asked)
    return _first(asked, names, window) if own is None else _first_of(asked, names, window, own)


# --- along a list ----------------------------------------------------------------------------------------------------


def _in(state: State) -> ColumnElement[bool]:
    """In the text of the statement: a partial index is not used for a parameter on SQLite."""
    return literal_column(f"comments.state = '{state.value}'")


def _order(asked: _List, columns: Any) -> tuple[Any, ...]:
    by = (columns[asked.by], columns.id)
    return tuple(one.desc() for one in by) if asked.descending else by


def _behind(asked: _List, columns: Any) -> list[ColumnElement[bool]]:
    if asked.after is None:
        return []
    place = tuple_(columns[asked.by], columns.id)
    end = tuple_(*asked.after, types=[_c[asked.by].type, Id()])
    return [place < end if asked.descending else place > end]


def _columns(asked: _List) -> tuple[str, ...]:
    """What is read of a comment to decide whether it fits."""
    query = asked.query
    pairs = (
        (query.text, "body"),
        (query.author, "author_name"),
        (query.min_risk, "risk"),
        (query.before or query.after, "created_at"),
        (query.reported, "reports"),
        (query.claimed, "claimed_by"),
        (query.claimed, "claimed_until"),
    )
    return tuple(dict.fromkeys(("id", asked.by, *(name for value, name in pairs if value is not None))))


def _first(asked: _List, names: Sequence[str], window: int | None) -> Subquery:
    """The first comments of a list by site, state and the range of its order, in that order."""
    sites = asked.query.sites
    if sites is None or len(sites) == 1 or len(sites) > SITES_APART:
        of_sites = [] if sites is None else [_of(sites)]
        return _first_of(asked, names, window, [_in(asked.query.state), *of_sites])
    names = tuple(dict.fromkeys((*names, asked.by)))
    apart = [
        _first_of(asked, names, window, [_in(asked.query.state), _c.site_id == site_id]) for site_id in sorted(sites)
    ]
    together = union_all(*(select(*one.c) for one in apart)).subquery()
    return select(*together.c).order_by(*_order(asked, together.c)).limit(window).subquery()


def _of(sites: frozenset[uuid.UUID]) -> ColumnElement[bool]:
    return _c.site_id == next(iter(sites)) if len(sites) == 1 else _c.site_id.in_(sorted(sites))


def _first_of(asked: _List, names: Sequence[str], window: int | None, conditions: Sequence[Any]) -> Subquery:
    query = asked.query
    if asked.by == "risk":
        ranges = [] if query.min_risk is None else [_c.risk >= query.min_risk]
    else:
        ranges = [] if query.before is None else [_c.created_at < query.before]
        ranges += [] if query.after is None else [_c.created_at > query.after]
    rows = select(*(_c[name] for name in names)).where(*conditions, *ranges, *_behind(asked, _c))
    return rows.order_by(*_order(asked, _c)).limit(window).subquery()


def _rest(asked: _List, columns: Any) -> list[ColumnElement[bool]]:
    """All that a query asks beside its site and state, of the columns of a subquery or of the table."""
    query = asked.query
    pairs: list[tuple[Any, Callable[[], ColumnElement[bool]]]] = [
        (query.min_risk, lambda: columns.risk >= query.min_risk),
        (query.before, lambda: columns.created_at < query.before),
        (query.after, lambda: columns.created_at > query.after),
        (query.reported, lambda: columns.reports > 0 if query.reported else columns.reports == 0),
        (query.claimed, lambda: _claim(query, columns)),
        (query.author, lambda: columns.author_name.icontains(query.author, autoescape=True)),
        (query.signal, lambda: _noticed(columns.id, query.signal or "")),
        (query.text, lambda: columns.body.icontains(query.text, autoescape=True)),
    ]
    return [condition() for value, condition in pairs if value is not None]


def _noticed(comment_id: Any, name: str) -> ColumnElement[bool]:
    """By the signal's key for each of the comments: for EXISTS, PostgreSQL would read all signals there are."""
    own = and_(_signals.c.comment_id == comment_id, _signals.c.name == name)
    return select(_signals.c.comment_id).where(own, search.SPEAKS).scalar_subquery().is_not(None)


def _claim(query: QueueQuery, columns: Any) -> ColumnElement[bool]:
    held = and_(columns.claimed_by.is_not(None), columns.claimed_until > query.now)
    match query.claimed:
        case "me":
            return and_(held, columns.claimed_by == query.me)
        case "others":
            return and_(held, columns.claimed_by != query.me)
        case _:
            return or_(columns.claimed_by.is_(None), columns.claimed_until <= query.now)


# --- by an index of its own ------------------------------------------------------------------------------------------


def _own(session: Session, query: QueueQuery) -> list[ColumnElement[bool]] | None:
    """What finds the comments of a query by an index of their own, in words that leave the planner no other."""
    elsewhere = [] if query.sites is None else [_hidden(_c.site_id).in_(sorted(query.sites))]
    if query.alike is not None:
        own, key = query.alike
        return (
            [_c.id == own]
            if key is None
            else [_of(query.sites or frozenset()), _c.alike_key == key, in_state(query.state)]
        )
    if query.claimed in {"me", "others"}:
        mine = _c.claimed_by == query.me if query.claimed == "me" else _c.claimed_by > ""
        return [_c.claimed_by.is_not(None), mine, in_state(query.state), *elsewhere]
    if query.thread is not None:
        ids = _threads(session, query)
        of_thread = _c.thread_id == ids[0] if len(ids) == 1 else _c.thread_id.in_(ids)
        return [of_thread, _in(query.state)]
    if query.reported:
        of_sites = [] if query.sites is None else [_of(query.sites)]
        return [literal_column("comments.reports > 0"), _in(query.state), *of_sites]
    return None


def _hidden(column: Any) -> Any:
    return func.coalesce(column, column)


def _of_own(session: Session, asked: _List) -> Select[Any]:
    conditions, query = _own(session, asked.query) or [], asked.query
    apart = _order_of_own(asked)
    if query.reported and not (query.alike or query.thread or query.claimed in {"me", "others"}):
        asked = replace(asked, query=replace(query, reported=None))
    if not apart:
        rows = select(_c[asked.by], _c.id).where(*conditions, *_rest(asked, _c), *_behind(asked, _c))
        return rows.order_by(*_order(asked, _c))
    names = tuple(dict.fromkeys((*_columns(asked), *(("thread_id",) if query.thread is not None else ()))))
    first = select(*(_c[name] for name in names)).where(*conditions).order_by(*apart).limit(ALL).subquery()
    rows = select(first.c[asked.by], first.c.id).where(*_rest(asked, first.c), *_behind(asked, first.c))
    return rows.order_by(*_order(asked, first.c))


def _order_of_own(asked: _List) -> list[Any]:
    """The order of an index of its own, where another one has the order of the list: SQLite would take that."""
    query = asked.query
    if query.alike is not None or query.claimed in {"me", "others"}:
        return []
    if query.thread is not None:
        return [_c.thread_id, _c.created_at, _c.id] if asked.by == "risk" else []
    one_site = query.sites is not None and len(query.sites) == 1
    return [] if one_site and asked.by != "risk" else [_c.site_id, _c.created_at, _c.id]


def _by_range(session: Session, asked: _List) -> Select[Any] | None:
    """By the range of risks in a list by time, or of times in one by risk: sorted, so only where that is not long."""
    query = asked.query
    if _own_is_asked(query):
        return None
    if asked.by == "created_at" and query.min_risk is not None and query.state is State.PENDING:
        other = _List(query, "risk")
    elif asked.by == "risk" and (query.before is not None or query.after is not None):
        other = _List(query, "oldest")
    else:
        return None
    if _count(session, select(_first(other, ("id",), SORTED + 1).c.id)) > SORTED:
        return None
    names = tuple(dict.fromkeys((*_columns(asked), asked.by)))
    first = _first(other, names, ALL)
    rows = select(first.c[asked.by], first.c.id).where(*_rest(asked, first.c), *_behind(asked, first.c))
    return rows.order_by(*_order(asked, first.c))


ALL = 2**31 - 1
"""A limit that limits nothing, and keeps the planner from taking a subquery apart."""


def _own_is_asked(query: QueueQuery) -> bool:
    return bool(query.alike or query.thread or query.reported or query.claimed in {"me", "others"})


# --- by the index of texts -------------------------------------------------------------------------------------------


def _searched(session: Session, asked: _List, index: Index, limit: int) -> Found | None:
    """A page by the index of texts; None where it has so many candidates that walking is quicker."""
    by_risk = asked.by == "risk"
    if by_risk and index.count(CANDIDATES + 1) > CANDIDATES:
        return None
    found = set(_of_tail(session, asked, limit)) if index.unindexed else set()
    key = (lambda chunk: chunk.newest) if asked.descending else (lambda chunk: chunk.oldest)
    chunks = sorted(index.chunks, key=key, reverse=asked.descending)
    after = None if by_risk else asked.after
    reached = _reached(chunks, asked, after)
    compared = 0
    waiting: list[tuple[int, int]] = []
    for piece in index.candidates(reached, after, descending=asked.descending):
        if not by_risk and len(found) >= limit and _is_past(piece, _cut(found, asked, limit)[-1], asked):
            break
        for start in range(0, len(piece.places), _SLICE):
            waiting += [(piece.chunk_id, place) for place in piece.places[start : start + _SLICE]]
            # What is left of a chunk is compared with the next ones: one candidate in each costs no query for each.
            if len(waiting) < _SLICE:
                continue
            some, waiting = waiting[:_SLICE], waiting[_SLICE:]
            compared += len(some)
            if compared > CANDIDATES:
                return None
            more = _verified(session, asked, search.ids_at(session, some), limit)
            found.update(more)
            is_of_one = some[0][0] == piece.chunk_id
            if not by_risk and is_of_one and more and _is_full(found, more, asked, limit):
                waiting = []
                break
    found.update(_verified(session, asked, search.ids_at(session, waiting), limit) if waiting else [])
    return _cut(found, asked, limit)


def _reached(chunks: list[Any], asked: _List, after: Place | None) -> list[Any]:
    """The chunks that a page behind ``after`` can have anything of."""
    if after is None:
        return chunks
    return [one for one in chunks if (one.oldest <= after[0] if asked.descending else one.newest >= after[0])]


def _is_past(piece: search.Piece, last: tuple[Any, uuid.UUID], asked: _List) -> bool:
    past: bool = piece.newest < last[0] if asked.descending else piece.oldest > last[0]
    return past


def _is_full(found: set[tuple[Any, uuid.UUID]], more: Found, asked: _List, limit: int) -> bool:
    """Whether what follows in a chunk, which is in the order of time, stands behind the page."""
    return len(found) >= limit and more[-1] not in _cut(found, asked, limit)[:-1]


def _cut(found: set[tuple[Any, uuid.UUID]], asked: _List, limit: int) -> Found:
    return sorted(found, reverse=asked.descending)[:limit]


def _verified(session: Session, asked: _List, ids: Sequence[uuid.UUID], limit: int) -> Found:
    return _read(session, _among(session, asked, _c.id.in_(ids)), asked, limit)


def _of_tail(session: Session, asked: _List, limit: int) -> Found:
    return _read(session, _among(session, asked, _c.id.in_(search.unindexed_ids())), asked, limit)


def _among(session: Session, asked: _List, chosen: ColumnElement[bool]) -> Select[Any]:
    """Those of chosen comments that a query asks for, in words that leave the planner nothing but their key."""
    query = asked.query
    conditions = [chosen, in_state(query.state), *_rest(asked, _c), *_behind(asked, _c)]
    if query.sites is not None:
        conditions.append(_hidden(_c.site_id).in_(sorted(query.sites)))
    if query.thread is not None:
        conditions.append(_hidden(_c.thread_id).in_(_threads(session, query)))
    if query.alike is not None:
        own, key = query.alike
        conditions.append(_c.id == own if key is None else _hidden(_c.alike_key) == key)
    return select(_c[asked.by], _c.id).where(*conditions).order_by(*_order(asked, _c))


# --- for others ------------------------------------------------------------------------------------------------------


def select_all(session: Session, query: QueueQuery) -> Select[Comment]:
    """All comments that a query asks for, in no order."""
    conditions = [in_state(query.state) if query.alike is not None else _in(query.state)]
    if query.sites is not None:
        conditions.append(_of(query.sites))
    if query.thread is not None:
        conditions.append(_c.thread_id.in_(_threads(session, query)))
    if query.alike is not None:
        own, key = query.alike
        conditions.append(_c.id == own if key is None else _c.alike_key == key)
    return select(Comment).where(*conditions, *_rest(_List(query), _c))


def _threads(session: Session, query: QueueQuery) -> Sequence[uuid.UUID]:
    """The ids of the threads with a key, looked up before: with a subquery SQLite reads the whole site."""
    sites = all_site_ids(session) if query.sites is None else sorted(query.sites)
    return session.scalars(select(Thread.id).where(Thread.key == query.thread, Thread.site_id.in_(sites))).all()
