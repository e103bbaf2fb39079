"""What the figures of the latest decisions rest on: reads that are bounded by how many comments are looked at."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BindParameter, Row, Select, Table, bindparam, false, or_, select
from sqlalchemy.orm import Session

from moderation.storage.models import Comment, Decision, SignalRow

_CHUNK = 500
"""Ids a query: well below what both databases take as parameters."""

_comments, _decisions = cast("Table", Comment.__table__), cast("Table", Decision.__table__)
_signals = cast("Table", SignalRow.__table__)

_LATEST = (
    select(*(_decisions.c[name] for name in ("comment_id", "from_state", "waited_s", "actor_kind", "created_at")))
    .where(_decisions.c.site_id == bindparam("site"), _decisions.c.created_at >= bindparam("since"))
    .order_by(_decisions.c.created_at.desc())
    .limit(bindparam("most"))
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_STANDING = select(*(_comments.c[name] for name in ("id", "state", "risk", "scorer_version")))
_STANDING = _STANDING.where(_comments.c.id.in_(_IDS))
_SAID = select(*(_signals.c[name] for name in ("comment_id", "name", "weight", "available"))).where(
    _signals.c.comment_id.in_(_IDS),
    or_(_signals.c.weight != 0, _signals.c.forces.is_not(None), _signals.c.available == false()),
)
_EVIDENCE = select(_signals.c.comment_id, _signals.c.evidence).where(
    _signals.c.comment_id.in_(_IDS), _signals.c.name.in_(bindparam("names", expanding=True))
)
"""Built once: to build a statement takes longer than to run it."""


def latest_decisions(session: Session, site_ids: Sequence[uuid.UUID], since: datetime, most: int) -> list[Row[Any]]:
    """Up to ``most`` of the latest decisions of each of these sites, by anybody, none older than ``since``."""
    given = {"since": since, "most": most}
    return [row for site_id in site_ids for row in session.execute(_LATEST, {"site": site_id, **given})]


def standing(session: Session, ids: Iterable[uuid.UUID]) -> Iterator[Row[Any]]:
    """State, risk and the scorer's version of each of these comments, as they are now."""
    return _in_chunks(session, _STANDING, ids)


def signals_said(session: Session, ids: Iterable[uuid.UUID]) -> Iterator[Row[Any]]:
    """Every signal that counted for or against one of these comments, or could not be judged."""
    return _in_chunks(session, _SAID, ids)


def evidence_of(session: Session, ids: Iterable[uuid.UUID], names: Collection[str]) -> Iterator[Row[Any]]:
    """What the signals of these names gave as evidence."""
    return _in_chunks(session, _EVIDENCE, ids, names=sorted(names))


def _in_chunks(session: Session, statement: Select[Any], ids: Iterable[uuid.UUID], **given: Any) -> Iterator[Row[Any]]:
    asked = list(ids)
    for start in range(0, len(asked), _CHUNK):
        yield from session.execute(statement, {"ids": asked[start : start + _CHUNK], **given})
