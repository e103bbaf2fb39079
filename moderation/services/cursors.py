"""Opaque cursors: where a page ended, signed, and good only for the list that gave it."""

import json
import uuid
from datetime import datetime
from typing import Any

from moderation.adapters.vault import Vault
from moderation.errors import Invalid

Place = tuple[Any, uuid.UUID]


def write_cursor(vault: Vault, listing: str, value: Any, last_id: uuid.UUID) -> str:
    """A cursor behind the row with this sort value (a time, a number or None) and id.

    ``listing`` names the list with its sort order and scope; the cursor opens for the same name alone.
    """
    encoded = value.isoformat() if isinstance(value, datetime) else value
    return vault.sign(f"cursor:{listing}", json.dumps([encoded, last_id.hex]))


def read_cursor(vault: Vault, listing: str, cursor: str | None) -> Place | None:
    """The place that a cursor stands for; None for the first page.

    Raises ``Invalid`` for one that was made up, changed, or belongs to another list, sort order or site.
    """
    if cursor is None:
        return None
    payload = vault.unsign(f"cursor:{listing}", cursor)
    if payload is None:
        raise Invalid({"cursor": ["It is not a cursor of this list. Start again without it."]})
    value, last_id = json.loads(payload)
    return datetime.fromisoformat(value) if isinstance(value, str) else value, uuid.UUID(hex=last_id)
