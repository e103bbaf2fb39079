"""What sites' decisions taught: a log of steps, and a snapshot of the model every so often.

A step is a small row, so that a decision stays cheap; whoever has the model after step n reads the steps behind it.
Steps get their numbers with the site's row in ``learned_models`` locked, which makes them one line in the order of
their commits. Take that lock after threads, comments, authors and counts, and before the audit log; of several sites
in the order of their ids.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from moderation.storage.db import is_postgres
from moderation.storage.models import Comment, LearnedModel, LearnedStep, SignalRow, Site

KEPT_STEPS = 2_000
"""Steps that are kept behind the snapshot, so that their decisions can be taken back."""

_models, _steps = cast("Table", LearnedModel.__table__), cast("Table", LearnedStep.__table__)
_signals, _sites = cast("Table", SignalRow.__table__), cast("Table", Site.__table__)
_comments = cast("Table", Comment.__table__)
_STATE = select(_models.c.version, _models.c.snapshot_version, _models.c.faded_at, _sites.c.settings)
_STATE = _STATE.join(_sites, _sites.c.id == _models.c.site_id).where(_models.c.site_id == bindparam("of"))
_LOCK = _STATE.with_for_update(of=_models)
_SNAPSHOT = select(_models.c.snapshot).where(_models.c.site_id == bindparam("of"))
_OF_SITE = _steps.c.site_id == bindparam("of")
_AFTER = select(_steps).where(_OF_SITE, _steps.c.seq > bindparam("after"), _steps.c.seq <= bindparam("upto"))
_AFTER = _AFTER.order_by(_steps.c.seq)
_IDS: Any = bindparam("ids", expanding=True)
_OF_COMMENTS = select(_steps).where(_steps.c.comment_id.in_(_IDS), _OF_SITE).order_by(_steps.c.comment_id, _steps.c.seq)
_OF_TEXT = select(_steps).where(_OF_SITE, _steps.c.decision_id == bindparam("key"), _steps.c.comment_id.is_(None))
_OF_TEXT = _OF_TEXT.order_by(_steps.c.seq.desc()).limit(1)
_SAID = select(_signals.c.comment_id, _signals.c.name, _signals.c.weight, _signals.c.available)
_SAID = _SAID.where(_signals.c.comment_id.in_(_IDS))
_ADD = insert(_steps)
_ADVANCE = update(_models).where(_models.c.site_id == bindparam("of")).values(version=bindparam("to"))
"""Built once: to build a statement takes longer than to run it."""


def state_of(session: Session, site_id: uuid.UUID) -> Any:
    """``(version, snapshot_version, faded_at, settings)``: how far a site's log is, and its settings. None without."""
    return session.execute(_STATE, {"of": site_id}).first()


def locked_state(session: Session, site_id: uuid.UUID, now: datetime) -> Any:
    """The same, made if it is not there, and locked until the transaction ends. The site has to exist."""
    found = session.execute(_LOCK, {"of": site_id}).first()
    if found is None:
        row = {"site_id": site_id, "version": 0, "snapshot_version": 0, "snapshot": None, "faded_at": now}
        session.execute(_made(is_postgres(session)), row)
        found = session.execute(_LOCK, {"of": site_id}).one()
    return found


@lru_cache
def _made(postgres: bool) -> Any:
    statement = (postgresql.insert if postgres else sqlite.insert)(_models)
    return statement.on_conflict_do_nothing(index_elements=["site_id"])


def snapshot_of(session: Session, site_id: uuid.UUID) -> bytes | None:
    """The site's snapshot; None for an empty model."""
    return session.scalar(_SNAPSHOT, {"of": site_id})


def steps_after(session: Session, site_id: uuid.UUID, after: int, upto: int) -> Sequence[Any]:
    """The steps of a site behind ``after``, in their order."""
    return session.execute(_AFTER, {"of": site_id, "after": after, "upto": upto}).all()


def steps_of_comments(session: Session, site_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> Sequence[Any]:
    """The steps that comments of the site taught, those of one comment together and in their order."""
    return session.execute(_OF_COMMENTS, {"of": site_id, "ids": list(ids)}).all()


def last_step_of_text(session: Session, site_id: uuid.UUID, key: uuid.UUID) -> Any:
    """The last step that a text without a comment taught under this key; None where there is none (any more)."""
    return session.execute(_OF_TEXT, {"of": site_id, "key": key}).first()


def said_of(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Any]]:
    """``(comment_id, name, weight, available)`` of the signals stored with the comments, by comment."""
    found: dict[uuid.UUID, list[Any]] = {comment_id: [] for comment_id in ids}
    for row in session.execute(_SAID, {"ids": list(ids)}):
        found[row.comment_id].append(row)
    return found


def add_steps(session: Session, site_id: uuid.UUID, rows: Sequence[dict[str, Any]]) -> None:
    """Add steps in their order, with the site's state locked."""
    session.execute(_ADD, [{**row, "site_id": site_id} for row in rows])
    session.execute(_ADVANCE, {"of": site_id, "to": rows[-1]["seq"]})


def note_fading(session: Session, site_id: uuid.UUID, now: datetime) -> None:
    """Note when the site's model last faded."""
    session.execute(update(_models).where(_models.c.site_id == site_id).values(faded_at=now))


def keep_snapshot(session: Session, site_id: uuid.UUID, version: int, snapshot: bytes | None) -> None:
    """Keep the model after the step ``version``, and drop steps that are older than anybody takes back."""
    values = {"version": version, "snapshot_version": version, "snapshot": snapshot}
    session.execute(update(_models).where(_models.c.site_id == site_id).values(values))
    session.execute(delete(_steps).where(_steps.c.site_id == site_id, _steps.c.seq <= version - KEPT_STEPS))


def forget_all(session: Session, site_id: uuid.UUID) -> None:
    """Drop every step of a site."""
    session.execute(delete(_steps).where(_steps.c.site_id == site_id))


def forget_comments(session: Session, site_id: uuid.UUID, ids: Iterable[uuid.UUID]) -> None:
    """Drop the steps that these comments taught. They have to be in the snapshot."""
    session.execute(delete(_steps).where(_steps.c.site_id == site_id, _steps.c.comment_id.in_(list(ids))))


def taught_texts(session: Session, site_id: uuid.UUID, most: int, most_chars: int) -> Sequence[Any]:
    """``(comment_id, sign, label, body)`` of up to ``most`` of the latest steps, newest first; bodies cut."""
    columns = (_steps.c.comment_id, _steps.c.sign, _steps.c.label)
    statement = (
        select(*columns, func.substr(_comments.c.body, 1, most_chars).label("body"))
        .join(_comments, _comments.c.id == _steps.c.comment_id)
        .where(_steps.c.site_id == site_id)
        .order_by(_steps.c.seq.desc())
        .limit(most)
    )
    return session.execute(statement).all()
