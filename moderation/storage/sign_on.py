"""The keys by which sites vouch for their readers."""

import uuid
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from moderation.errors import Conflict
from moderation.storage.models import SignOnKey

_TAKEN = "This key is in use already. Make another one: its tokens would be good in both places."


def keys_of(session: Session, site_id: uuid.UUID) -> Sequence[SignOnKey]:
    """All keys of a site, oldest first."""
    return session.scalars(select(SignOnKey).where(SignOnKey.site_id == site_id).order_by(SignOnKey.id)).all()


def count_keys(session: Session, site_id: uuid.UUID) -> int:
    """How many keys a site has."""
    return session.scalar(select(func.count()).select_from(SignOnKey).where(SignOnKey.site_id == site_id)) or 0


def add_key(session: Session, key: SignOnKey) -> None:
    """Insert the key. Raises ``Conflict`` where it is in use, on whatever site."""
    if session.scalar(select(SignOnKey.id).where(SignOnKey.mark == key.mark)) is not None:
        raise Conflict(_TAKEN)
    session.add(key)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(_TAKEN) from None


def key_by_id(session: Session, key_id: uuid.UUID) -> SignOnKey | None:
    """The key with this id, of whatever site: ask who may see it before you show it."""
    return session.get(SignOnKey, key_id)


def remove_key(session: Session, key_id: uuid.UUID) -> None:
    """Delete a key. What it signed is not believed any more."""
    session.execute(delete(SignOnKey).where(SignOnKey.id == key_id))
