"""Pages of lists of the set-up, which are short, ordered by id or key, and walked by keyset."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from moderation.errors import Invalid
from moderation.services.cursors import read_cursor, write_cursor
from moderation.services.parts import Parts

MAX_LIMIT = 100
Row = TypeVar("Row", bound=Any)


def id_after(cursor: str | None) -> uuid.UUID | None:
    """The id that a cursor stands for. Raises ``Invalid`` for what is no cursor."""
    if cursor is None:
        return None
    try:
        return uuid.UUID(hex=cursor)
    except ValueError:
        raise Invalid({"cursor": ["It is not a cursor of this list."]}) from None


def after(parts: Parts, listing: str, cursor: str | None) -> uuid.UUID | None:
    """The id behind which a page of ``listing`` begins. Raises ``Invalid`` for what is no cursor of this very list."""
    place = read_cursor(parts.vault, listing, cursor)
    return None if place is None else place[1]


def page(
    parts: Parts, listing: str, rows: Sequence[Row], limit: int, shown: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """``{"items", "next"}`` from up to ``limit + 1`` rows, which have an ``id``: the one too many only says that there
    are more. ``listing`` names the list and its site, and a cursor is good for it alone.
    """
    more = len(rows) > limit
    last = write_cursor(parts.vault, listing, None, rows[limit - 1].id) if more else None
    return {"items": [shown(row) for row in rows[:limit]], "next": last}
