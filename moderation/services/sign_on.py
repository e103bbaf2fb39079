"""Single sign-on: the keys by which a site vouches for its readers, and who it is that a token tells of."""

import secrets
import uuid
from typing import Any

from sqlalchemy.orm import Session

from moderation.adapters.signed_tokens import public_key_pem, verified_claims
from moderation.domain.actor import Actor, Role
from moderation.domain.sign_on import (
    MAX_SECRET_CHARS,
    MAX_TOKEN_CHARS,
    MIN_SECRET_CHARS,
    Algorithm,
    Mode,
    Person,
    person_of,
)
from moderation.domain.site import SiteSettings
from moderation.domain.text import normalise_line
from moderation.errors import Conflict, Invalid, NotFound, Unauthenticated
from moderation.services.idempotency import Idempotency, reserve, settle
from moderation.services.parts import Parts
from moderation.services.sites import audit_line, site_for
from moderation.storage import sign_on, sites
from moderation.storage.db import new_id, read, write
from moderation.storage.models import SignOnKey, Site

MAX_KEYS = 5
"""Keys of one site: one in use, its successor, and some to spare. Each may be tried for a token."""

MAX_NAME_CHARS = 100


def signed_on(session: Session, parts: Parts, site: Site, settings: SiteSettings, token: str | None) -> Person | None:
    """The reader whom a submission's token tells of, or None without one.

    Raises ``Unauthenticated`` for a token that does not hold, and for none where the site asks for one; ``Invalid``
    for a token to a site that has sign-on switched off. Costs one query, and 30 to 150 µs for each key that is tried.
    """
    if token is None:
        if settings.sso == Mode.REQUIRED:
            raise Unauthenticated("Readers of this site sign on before they comment.")
        return None
    if settings.sso == Mode.OFF:
        raise Invalid({"author.sso": ["This site has sign-on switched off: its setting is 'sso'."]})
    if len(token) > MAX_TOKEN_CHARS:
        raise Unauthenticated(f"The sign-on token is longer than {MAX_TOKEN_CHARS:,} characters.")
    for row in sign_on.keys_of(session, site.id):
        claims = verified_claims(token, Algorithm(row.algorithm), _opened(parts, row))
        if claims is not None:
            return person_of(claims, site.key, parts.clock())
    raise Unauthenticated("The sign-on token is not signed by a key of this site.")


def add_key(
    parts: Parts,
    actor: Actor,
    site_key: str,
    *,
    name: str = "",
    secret: str | None = None,
    public_key: str | None = None,
    idem: Idempotency | None = None,
) -> dict[str, Any]:
    """Add a key to a site: a secret for HS256, or the public half of an Ed25519 pair (PEM or JWK) for EdDSA.

    Without either a secret is made; it is then in this answer as ``secret``, this once. Raises ``Invalid`` by field,
    and ``Conflict`` for a key that is in use already, on whatever site, or one key too many.
    """
    if secret is not None and public_key is not None:
        raise Invalid({"public_key": ["Give a secret or a public key, not both."]})
    made = f"sso_{secrets.token_urlsafe(32)}" if secret is None and public_key is None else None
    algorithm, key = _checked(made or secret, public_key)
    with write() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        reserved = reserve(session, parts, actor.key, idem)
        if reserved is not None and reserved.known is not None:
            return reserved.known
        if sign_on.count_keys(session, site.id) >= MAX_KEYS:
            raise Conflict(f"There are {MAX_KEYS} keys already, which is the most. Remove one that is not in use.")
        row = _row(parts, site, _checked_name(name), algorithm, key)
        sign_on.add_key(session, row)
        answer = _shown(row, site) | ({"secret": made} if made else {})
        settle(session, parts, reserved, answer)
        _note(parts, session, actor, site, row, "sso.add")
        return answer


def list_keys(parts: Parts, actor: Actor, site_key: str) -> dict[str, Any]:
    """The keys of a site, without the keys themselves: ``{"items"}``, at most ``MAX_KEYS``."""
    with read() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        return {"items": [_shown(row, site) for row in sign_on.keys_of(session, site.id)]}


def remove_key(parts: Parts, actor: Actor, key_id: uuid.UUID) -> None:
    """Remove a key: what it signed is not believed any more, from the next comment on."""
    with write() as session:
        row = sign_on.key_by_id(session, key_id)
        if row is None:
            raise NotFound("sign-on key")
        actor.require(row.site_id, Role.ADMIN, "sign-on key")
        site = sites.site_by_id(session, row.site_id)
        if site is None:
            raise NotFound("sign-on key")
        sign_on.remove_key(session, key_id)
        _note(parts, session, actor, site, row, "sso.remove")


def _checked(secret: str | None, public_key: str | None) -> tuple[Algorithm, bytes]:
    if public_key is not None:
        return Algorithm.EDDSA, public_key_pem(public_key)
    plain = secret or ""
    if not (plain.isascii() and plain.isprintable() and MIN_SECRET_CHARS <= len(plain) <= MAX_SECRET_CHARS):
        said = f"It has {MIN_SECRET_CHARS} to {MAX_SECRET_CHARS} characters of ASCII."
        raise Invalid({"secret": [said]})
    return Algorithm.HS256, plain.encode("ascii")


def _checked_name(raw: str) -> str:
    name = normalise_line(raw, "name")
    if len(name) > MAX_NAME_CHARS:
        raise Invalid({"name": [f"It is longer than {MAX_NAME_CHARS} characters."]})
    return name


def _row(parts: Parts, site: Site, name: str, algorithm: Algorithm, key: bytes) -> SignOnKey:
    own = new_id()
    sealed = parts.vault.seal(key, table="sign_on_keys", column="key_sealed", row_id=own, site_id=site.id)
    return SignOnKey(
        id=own,
        site_id=site.id,
        name=name,
        algorithm=algorithm.value,
        key_sealed=sealed,
        mark=parts.vault.key_mark(key),
        created_at=parts.clock(),
    )


def _opened(parts: Parts, row: SignOnKey) -> bytes:
    return parts.vault.open(
        row.key_sealed, table="sign_on_keys", column="key_sealed", row_id=row.id, site_id=row.site_id
    )


def _shown(row: SignOnKey, site: Site) -> dict[str, Any]:
    return {
        "id": row.id,
        "site": site.key,
        "name": row.name,
        "algorithm": row.algorithm,
        "created_at": row.created_at,
    }


def _note(parts: Parts, session: Session, actor: Actor, site: Site, row: SignOnKey, action: str) -> None:
    facts = {"name": row.name, "algorithm": row.algorithm}
    audit_line(parts, session, actor, site, action, "sso_key", str(row.id), facts)
