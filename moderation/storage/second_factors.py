"""Second factors of moderators: their sealed secrets, and the recovery codes that stand in for them."""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from moderation.storage.models import Moderator, RecoveryCode, SecondFactor


def of_moderator(session: Session, moderator_id: uuid.UUID, *, for_change: bool = False) -> SecondFactor | None:
    """The second factor of a moderator, confirmed or not; ``for_change``: the moderator is locked meanwhile."""
    if for_change:
        session.execute(select(Moderator.id).where(Moderator.id == moderator_id).with_for_update(key_share=True))
    query = select(SecondFactor).where(SecondFactor.id == moderator_id)
    return session.scalar(query.execution_options(populate_existing=True))


def confirmed(session: Session, moderator_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Which of these moderators have a second factor that counts."""
    query = select(SecondFactor.id).where(SecondFactor.id.in_(moderator_ids), SecondFactor.confirmed_at.is_not(None))
    return set(session.scalars(query))


def replace(session: Session, factor: SecondFactor) -> None:
    """Insert a second factor in the place of what the moderator had."""
    remove(session, factor.id)
    session.add(factor)
    session.flush()


def confirm(session: Session, moderator_id: uuid.UUID, now: datetime) -> None:
    """Let a second factor count from now on."""
    session.execute(update(SecondFactor).where(SecondFactor.id == moderator_id).values(confirmed_at=now))


def use_step(session: Session, moderator_id: uuid.UUID, step: int) -> bool:
    """Note the step of a code that was right; False where it, or a later one, was used before."""
    unused = update(SecondFactor).where(SecondFactor.id == moderator_id, SecondFactor.last_step < step)
    return bool(session.execute(unused.values(last_step=step)).rowcount)  # type: ignore[attr-defined]


def remove(session: Session, moderator_id: uuid.UUID) -> bool:
    """Delete a moderator's second factor with its recovery codes; whether there was one."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.moderator_id == moderator_id))
    gone = session.execute(delete(SecondFactor).where(SecondFactor.id == moderator_id))
    return bool(gone.rowcount)  # type: ignore[attr-defined]


def replace_codes(session: Session, moderator_id: uuid.UUID, keys: Iterable[bytes]) -> None:
    """Keep these recovery codes and no others."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.moderator_id == moderator_id))
    session.add_all(RecoveryCode(moderator_id=moderator_id, code_key=key) for key in keys)
    session.flush()


def count_codes(session: Session, moderator_id: uuid.UUID) -> int:
    """How many recovery codes are left."""
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.moderator_id == moderator_id)
    return session.scalar(query) or 0


def use_code(session: Session, moderator_id: uuid.UUID, key: bytes) -> bool:
    """Spend a recovery code; False where there is none of this key (any more)."""
    spent = delete(RecoveryCode).where(RecoveryCode.moderator_id == moderator_id, RecoveryCode.code_key == key)
    return bool(session.execute(spent).rowcount)  # type: ignore[attr-defined]
