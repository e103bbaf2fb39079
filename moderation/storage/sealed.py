"""The sealed values, wherever they are, for a rotation of keys.

Answers kept for idempotency keys are sealed too; they expire within a day and are left to that.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, null, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from moderation.storage.models import (
    Comment,
    Endpoint,
    Mailbox,
    ScorerRow,
    SecondFactor,
    SignOnKey,
    SiteSecret,
    Subscription,
)

COLUMNS: dict[tuple[str, str], InstrumentedAttribute[Any]] = {
    ("comments", "email_sealed"): Comment.email_sealed,
    ("endpoints", "secret_sealed"): Endpoint.secret_sealed,
    ("endpoints", "previous_sealed"): Endpoint.previous_sealed,
    ("scorers", "secret_sealed"): ScorerRow.secret_sealed,
    ("sign_on_keys", "key_sealed"): SignOnKey.key_sealed,
    ("subscriptions", "email_sealed"): Subscription.email_sealed,
    ("mailboxes", "email_sealed"): Mailbox.email_sealed,
    ("site_secrets", "secret_sealed"): SiteSecret.secret_sealed,
    ("second_factors", "secret_sealed"): SecondFactor.secret_sealed,
}
"""Every sealed column that lasts, by the names that are part of its associated data."""

NO_SITE = uuid.UUID(int=0)
"""What stands in the associated data for the site of something that holds for all of them."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed value and its place."""

    row_id: uuid.UUID
    site_id: uuid.UUID
    value: bytes


def count_sealed(session: Session, place: tuple[str, str]) -> int:
    """How many rows there are to look at, for a progress bar. Scans the table once."""
    column = COLUMNS[place]
    return session.scalar(select(func.count()).select_from(column.class_).where(column.is_not(None))) or 0


def sealed_values(session: Session, place: tuple[str, str], limit: int, after: uuid.UUID | None) -> Sequence[Sealed]:
    """Up to ``limit`` values of a column, by id, after the row ``after``."""
    column = COLUMNS[place]
    table = column.class_
    site_id = getattr(table, "site_id", null())
    query = select(table.id, site_id, column).where(column.is_not(None)).order_by(table.id).limit(limit)
    rows = session.execute(query if after is None else query.where(table.id > after))
    return [Sealed(row_id, site_id or NO_SITE, value) for row_id, site_id, value in rows]


def replace_sealed(session: Session, place: tuple[str, str], old: Sealed, value: bytes) -> bool:
    """Put a value in the place of ``old``, unless somebody has changed or erased it meanwhile; whether it was done."""
    column = COLUMNS[place]
    table = column.class_
    query = update(table).where(table.id == old.row_id, column == old.value).values({column: value})
    return bool(session.execute(query.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]
