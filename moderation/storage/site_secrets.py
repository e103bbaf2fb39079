"""Secrets that sites share with others: sealed here, opened where they are needed."""

import uuid
from collections.abc import Collection

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from moderation.storage.models import SiteSecret

_OF_SITE = select(SiteSecret).where(SiteSecret.site_id == bindparam("of"), SiteSecret.name == bindparam("called"))
"""Built once: to build a statement takes longer than to run it."""


def secret_of_site(session: Session, site_id: uuid.UUID, name: str) -> SiteSecret | None:
    """The secret of this name of a site."""
    return session.scalar(_OF_SITE, {"of": site_id, "called": name})


def sites_with(session: Session, site_ids: Collection[uuid.UUID], name: str) -> set[uuid.UUID]:
    """Which of these sites have a secret of this name."""
    query = select(SiteSecret.site_id).where(SiteSecret.site_id.in_(site_ids), SiteSecret.name == name)
    return set(session.scalars(query))


def remove_secret(session: Session, site_id: uuid.UUID, name: str) -> bool:
    """Remove a secret; whether there was one."""
    gone = delete(SiteSecret).where(SiteSecret.site_id == site_id, SiteSecret.name == name).returning(SiteSecret.id)
    return session.execute(gone).first() is not None


def add_secret(session: Session, secret: SiteSecret) -> None:
    """Insert a secret, sealed under its own id."""
    session.add(secret)
    session.flush()
