"""Who calls: bearer tokens of the API, and a reader's edit token. The console's cookie means nothing here."""

import re
from typing import Any

from flask import g, request

from moderation.domain.actor import Actor
from moderation.errors import Unauthenticated
from moderation.services import accounts
from moderation.web import guards

EDIT_TOKEN_HEADER = "X-Edit-Token"  # noqa: S105 (the name of a header)
MAX_TOKEN_CHARS = 512

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)


def authenticate() -> Actor:
    """The actor of this request's bearer token (RFC 6750, section 2.1). Raises ``Unauthenticated``."""
    token = bearer()
    if token is None:
        raise Unauthenticated("Send the header 'Authorization: Bearer TOKEN'.")
    actor = accounts.authenticate_token(guards.parts(), token)
    g.actor = actor
    return actor


def bearer() -> str | None:
    """The token of the ``Authorization`` header, or None where there is none or it is of another scheme."""
    match = _BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    return match[1] if match else None


def edit_token(body: dict[str, Any]) -> str:
    """The edit token of a reader: from ``X-Edit-Token``, the bearer token, or the field ``edit_token``.

    Raises ``Unauthenticated`` where there is none.
    """
    token = request.headers.get(EDIT_TOKEN_HEADER) or bearer() or body.get("edit_token")
    if not token or len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise Unauthenticated(f"Send the comment's edit token in the header '{EDIT_TOKEN_HEADER}'.")
    return str(token)
