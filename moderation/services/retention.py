"""What a site keeps for some days only, by its settings ``keep_..._days``, and then lets go by itself.

Addresses that nothing needs any more; networks; the texts of what was refused. A batch is a transaction of its own, and
looks once more whether what it found is still so: a run may be killed, run twice, or meet an edit. What is left, the
next run takes. Webhooks are told nothing of it, and nothing of it is on its way either.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import State
from moderation.domain.site import site_settings
from moderation.services import events, learning, notices
from moderation.services.parts import Parts
from moderation.services.privacy import ERASED_NAME
from moderation.services.sites import audit_line, site_for
from moderation.services.submit import erased_values, forget_judgement
from moderation.storage import comments, retention, scorings, sites, threads
from moderation.storage.db import read, write
from moderation.storage.models import Comment
from moderation.storage.retention import ADDRESSES, NETWORKS, REFUSED, Past

KINDS = (ADDRESSES, NETWORKS, REFUSED)
"""What can go: by the name of the setting ``keep_<kind>_days``, and of the count."""

BATCH = 200
TEXTS_BATCH = 25
"""Comments a transaction, so that no reader's comment waits long; a text takes a dozen rows of other tables with it."""


def retain(
    parts: Parts, actor: Actor, site_key: str | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> list[dict[str, Any]]:
    """Let go what the settings of the sites, or of one, keep no longer: ``[{"site", "addresses", "networks",
    "refused"}]`` with numbers of comments, of the sites that had some.

    A line in the audit log for each of these, with the numbers alone. ``stopped`` is asked between two batches.
    Raises ``NotFound``, ``Forbidden`` (admins only), ``StorageUnavailable``.
    """
    done = []
    for site_id, key, days in _sites(parts, actor, site_key):
        counts = dict.fromkeys(KINDS, 0)
        try:
            for past in _past(parts, site_id, days):
                _retain(parts, past, counts, stopped)
        finally:
            if any(counts.values()):
                _note(parts, actor, site_id, counts)
                done.append({"site": key, **counts})
    return done


def count_past(parts: Parts, actor: Actor, site_key: str | None = None) -> list[dict[str, Any]]:
    """What ``retain`` would let go now, of every site that lets something go. Changes nothing. Raises as that does."""
    found = []
    for site_id, key, days in _sites(parts, actor, site_key):
        with read() as session:
            counts = {past.kind: retention.count_past(session, past) for past in _past(parts, site_id, days)}
        found.append({"site": key, **dict.fromkeys(KINDS, 0), **counts})
    return found


def _sites(parts: Parts, actor: Actor, site_key: str | None) -> list[tuple[uuid.UUID, str, dict[str, int]]]:
    """The sites that let something go, with the days by kind."""
    with read() as session:
        if site_key is None:
            actor.require_everywhere(Role.ADMIN)
            rows = list(retention.all_settings(session))
        else:
            rows = [site_for(session, actor, site_key, Role.ADMIN)]
        found = [(row.id, row.key, _days(row.settings)) for row in rows]
    return [one for one in found if one[2]]


def _days(stored: Mapping[str, Any]) -> dict[str, int]:
    settings = site_settings(stored)
    days = {kind: int(getattr(settings, f"keep_{kind}_days")) for kind in KINDS}
    return {kind: n for kind, n in days.items() if n}


def _past(parts: Parts, site_id: uuid.UUID, days: Mapping[str, int]) -> list[Past]:
    now = parts.clock()
    return [Past(kind, site_id, now - timedelta(days=n), now) for kind, n in days.items()]


def _retain(parts: Parts, past: Past, counts: dict[str, int], stopped: Callable[[], bool]) -> None:
    """Go once along all that is past, from the oldest on."""
    size = TEXTS_BATCH if past.kind == REFUSED else BATCH
    after: tuple[datetime, uuid.UUID] | None = None
    while not stopped():
        with read() as session:
            places = retention.ids_past(session, past, size, after)
        if places:
            counts[past.kind] += _let_go(parts, past, [place.id for place in places])
        if len(places) < size:
            return
        after = (places[-1].created_at, places[-1].id)


def _let_go(parts: Parts, past: Past, ids: list[uuid.UUID]) -> int:
    with write() as session:
        if past.kind == REFUSED:
            threads.lock_threads(session, [row.thread_id for row in comments.owners_of(session, ids)])
        locked = comments.comments_for_change(session, ids)
        still = retention.past_among(session, past, ids)
        if not still:
            return 0
        if past.kind != REFUSED:
            retention.forget(session, past.kind, still)
            return len(still)
        comments.lock_authors(session, [locked[comment_id].author_id for comment_id in still])
        emptied = [comment_id for comment_id in still if _empty(session, locked[comment_id], past.now)]
        learning.forget(session, parts, past.site_id, emptied)
        return len(emptied)


def _empty(session: Session, comment: Comment, now: datetime) -> bool:
    """Take from a refused comment its text and who wrote it. It stays refused: what hangs below stays hidden."""
    values = {**erased_values(now, comment.version), "author_name": ERASED_NAME, "author_proven": False}
    values["edited_at"] = comment.edited_at
    if not comments.move_comment(session, comment, State(comment.state), **values):
        return False
    forget_judgement(session, comment)
    scorings.forget(session, comment)
    comments.forget_revisions(session, comment)
    comments.forget_name(session, comment.author_id)
    events.forget_comment(session, comment.id)
    notices.forget_comment(session, comment.id)
    return True


def _note(parts: Parts, actor: Actor, site_id: uuid.UUID, counts: Mapping[str, int]) -> None:
    with write() as session:
        site = sites.site_by_id(session, site_id)
        if site is not None:
            audit_line(parts, session, actor, site, "privacy.retain", "site", site.key, counts)
