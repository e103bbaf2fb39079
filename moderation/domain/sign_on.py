"""Single sign-on: what a site says of a reader whom it knows, and which of it is believed. Pure.

A site signs a JSON Web Token (RFC 7519) with a key of its own. Its claims have the shape that Coral's integrations
send: ``user`` with ``id``, ``username`` and ``email``, and ``exp``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from moderation.errors import Unauthenticated

LEEWAY_S = 60
"""How far the clocks of two servers may be apart (RFC 7519, section 4.1.4: "usually no more than a few minutes")."""

MAX_TOKEN_CHARS = 4_096
MAX_ID_CHARS = 255
MIN_SECRET_CHARS = 32
"""As many bytes as the hash of HS256 has (RFC 7518, section 3.2)."""

MAX_SECRET_CHARS = 512
MAX_TIME = 253_402_300_799
"""The last second of the year 9999."""


class Algorithm(StrEnum):
    """How a site's tokens are signed: by a secret that both know, or by a key of which we have the public half."""

    HS256 = "HS256"
    EDDSA = "EdDSA"


class Mode(StrEnum):
    """Whether readers of a site may, or have to, be signed on by it."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Person:
    """A reader whom a site vouches for. ``id`` is the site's own name for them; it is stored as a keyed hash alone."""

    id: str
    name: str
    email: str | None


def person_of(claims: Mapping[str, Any], site_key: str, now: datetime) -> Person:
    """The reader that verified claims tell of. Raises ``Unauthenticated`` where they do not hold, and says why.

    ``exp`` has to be there and ahead, ``nbf`` and ``iat`` not ahead, ``aud``, where it is given, the site's key.
    """
    at = now.timestamp()
    if _time(claims, "exp", required=True) <= at - LEEWAY_S:
        raise Unauthenticated("The sign-on token has expired. Sign on again.")
    if max(_time(claims, "nbf"), _time(claims, "iat")) > at + LEEWAY_S:
        raise Unauthenticated("The sign-on token is not valid yet. Compare the clocks of both servers.")
    audience = claims.get("aud")
    if audience is not None and site_key not in (audience if isinstance(audience, list) else [audience]):
        raise Unauthenticated("The sign-on token is meant for somebody else: its 'aud' is not this site.")
    return _person(claims.get("user"))


def _person(user: Any) -> Person:
    if not isinstance(user, dict):
        raise Unauthenticated("The sign-on token has no 'user' with 'id' and 'username'.")
    own = user.get("id")
    if isinstance(own, int) and not isinstance(own, bool):
        own = str(own)
    name, email = user.get("username"), user.get("email")
    if not isinstance(own, str) or not 1 <= len(own) <= MAX_ID_CHARS or not own.isprintable():
        raise Unauthenticated(f"The sign-on token's 'user.id' is not a text of 1 to {MAX_ID_CHARS} characters.")
    if not isinstance(name, str) or not name.strip():
        raise Unauthenticated("The sign-on token has no 'user.username'.")
    if email is not None and not isinstance(email, str):
        raise Unauthenticated("The sign-on token's 'user.email' is not a text.")
    return Person(own, name, email or None)


def _time(claims: Mapping[str, Any], name: str, *, required: bool = False) -> float:
    value = claims.get(name)
    if value is None and not required:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TIME:
        raise Unauthenticated(f"The sign-on token has no '{name}' in seconds since 1970.")
    return float(value)
