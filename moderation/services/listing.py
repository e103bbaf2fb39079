"""Pages of lists of the set-up, which are short, ordered by id or key, and walked by keyset."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from moderation.errors import Invalid

MAX_LIMIT = 100
Row = TypeVar("Row")


def id_after(cursor: str | None) -> uuid.UUID | None:
    """The id that a cursor stands for. Raises ``Invalid`` for what is no cursor."""
    if cursor is None:
        return None
    try:
        return uuid.UUID(hex=cursor)
    except ValueError:
        raise Invalid({"cursor": ["It is not a cursor of this list."]}) from None


def page(
    rows: Sequence[Row], limit: int, shown: Callable[[Row], dict[str, Any]], cursor: Callable[[Row], str]
) -> dict[str, Any]:
    """``{"items", "next"}`` from up to ``limit + 1`` rows: the one too many only says that there are more."""
    more = len(rows) > limit
    return {"items": [shown(row) for row in rows[:limit]], "next": cursor(rows[limit - 1]) if more else None}
