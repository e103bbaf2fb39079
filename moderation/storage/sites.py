"""Sites and their threads, as the set-up sees them."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from moderation.domain.kept import Kept
from moderation.errors import Conflict
from moderation.storage.db import db, read
from moderation.storage.models import Site, Thread
from moderation.storage.quick import quick_of
from moderation.storage.types import own_id

_BY_KEY = select(Site).where(Site.key == bindparam("of"))
_VERSIONS = select(Site.id, Site.version, Site.learned_version, Site.raid_since).where(Site.key == bindparam("of"))
_HEADS = select(Site.__table__.c.id, Site.__table__.c.key, Site.__table__.c.settings).where(
    Site.__table__.c.id.in_(bindparam("ids", expanding=True))
)
_KEYS = select(Site.__table__.c.id, Site.__table__.c.key).where(
    Site.__table__.c.id.in_(bindparam("ids", expanding=True))
)
"""Built once: to build a statement takes longer than to run it."""


def site_by_key(session: Session, key: str) -> Site | None:
    """The site with this key."""
    return session.scalar(_BY_KEY, {"of": key})


def site_now(key: str) -> Site | None:
    """The site with this key as it is at this moment, outside of any transaction; not to be changed.

    It is kept in this process as long as the database says the same of what changes in it, by one small question;
    ``raid_busy_at`` and ``raid_not_before`` may be older ones.
    """
    rows = quick_of(db.engine).rows(_VERSIONS, {"of": key})
    if not rows:
        return None
    own, *versions = rows[0]
    site_id = own_id(own)
    known = _known.get(site_id)
    if known is not None and known[0] == versions:
        return known[1]
    with read() as session:
        site = site_by_key(session, key)
        session.expunge_all()
    if site is not None:
        _known.keep(site_id, (versions, site))
    return site


MAX_KNOWN = 1_000
_known: Kept[uuid.UUID, tuple[list[Any], Site]] = Kept(MAX_KNOWN, lambda _site: 1)
"""Sites by their ids, which are never given twice."""


def site_by_id(session: Session, site_id: uuid.UUID) -> Site | None:
    """The site with this id."""
    return session.get(Site, site_id)


def site_for_change(session: Session, key: str) -> Site | None:
    """The site with this key, locked until the transaction ends, so that two changes do not undo one another."""
    return session.scalar(select(Site).where(Site.key == key).with_for_update())


def list_sites(
    session: Session, ids: Collection[uuid.UUID] | None, limit: int, after: uuid.UUID | None
) -> Sequence[Site]:
    """Up to ``limit`` sites, oldest first, after the site ``after``; ``ids`` None stands for all of them."""
    query = select(Site).order_by(Site.id).limit(limit)
    if ids is not None:
        query = query.where(Site.id.in_(ids))
    if after is not None:
        query = query.where(Site.id > after)
    return session.scalars(query).all()


def site_keys(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The keys of the sites with these ids."""
    return {id: key for id, key in session.execute(_KEYS, {"ids": list(ids)})}


def site_heads(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Any]:
    """The ``key`` and the stored ``settings`` of the sites with these ids."""
    return {row.id: row for row in session.execute(_HEADS, {"ids": list(ids)})}


def all_site_ids(session: Session) -> list[uuid.UUID]:
    """The ids of all sites."""
    return list(session.scalars(select(Site.id)))


def add_site(session: Session, site: Site) -> None:
    """Insert the site. Raises ``Conflict`` where its key is taken."""
    session.add(site)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"There is a site '{site.key}' already.") from None


def change_site(session: Session, site_id: uuid.UUID, values: dict[str, Any]) -> None:
    """Set columns of a site; its version grows by one, so that nothing goes on with the old settings."""
    session.execute(update(Site).where(Site.id == site_id).values(**values, version=Site.version + 1))


def bump_sites(session: Session, site_id: uuid.UUID | None) -> None:
    """Let the version of a site grow by one, or of all sites: something that decides on comments was changed."""
    query = update(Site).values(version=Site.version + 1)
    session.execute(query if site_id is None else query.where(Site.id == site_id))


def list_threads(session: Session, site_id: uuid.UUID, limit: int, after: uuid.UUID | None) -> Sequence[Thread]:
    """Up to ``limit`` threads of a site, newest first, older than the thread ``after``."""
    query = select(Thread).where(Thread.site_id == site_id).order_by(Thread.id.desc()).limit(limit)
    return session.scalars(query if after is None else query.where(Thread.id < after)).all()


def thread_of_site(session: Session, site_id: uuid.UUID, thread_id: uuid.UUID) -> Thread | None:
    """The thread with this id on this site."""
    return session.scalar(select(Thread).where(Thread.site_id == site_id, Thread.id == thread_id))


def change_thread(session: Session, thread_id: uuid.UUID, values: dict[str, Any]) -> None:
    """Set columns of a thread; its version grows by one, since readers see them."""
    session.execute(update(Thread).where(Thread.id == thread_id).values(**values, version=Thread.version + 1))
