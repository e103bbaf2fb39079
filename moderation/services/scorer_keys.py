"""Keys of the protocols that existing clients speak: tokens of the role ``scorer`` on one site, and nothing else.

Whoever has such a key may ask for scores and teach the site's model. Nothing of a text is stored or logged.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.site import SiteSettings, site_settings
from moderation.errors import Forbidden, RateLimited, Unauthenticated
from moderation.services import learning
from moderation.services.accounts import MAX_TOKEN_CHARS
from moderation.services.parts import Parts
from moderation.services.sites import audit_line
from moderation.storage import limits, moderators, sites
from moderation.storage.db import write
from moderation.storage.models import Site

NOT_VALID = "The key is not valid."
OF_ALL_SITES = "The key holds for all sites. Make one for a single site."
SWITCHED_OFF = "This is not switched on for the site of the key."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the token, the site that it is for, and that site's settings."""

    token_id: uuid.UUID
    site: Site
    settings: SiteSettings
    actor: Actor
    is_noted: bool

    @property
    def is_limited(self) -> bool:
        """Whether calls have to be counted for the site's ``scorer_rate``."""
        return self.settings.scorer_rate not in limits.UNLIMITED


def caller_of(session: Session, parts: Parts, key: str, protocol: str, *, limited: bool = True) -> Caller:
    """Who holds this key. ``protocol`` is the site's setting that has to be on: ``akismet`` or ``perspective``.

    Raises ``Unauthenticated`` for a key that is unknown, revoked, expired, of another role or of no single site;
    ``Forbidden`` where the site has not switched the protocol on; and if the call is ``limited``, ``RateLimited``.
    """
    now = parts.clock()
    if not (0 < len(key) <= MAX_TOKEN_CHARS and key.isascii()):
        raise Unauthenticated(NOT_VALID)
    token = moderators.token_by_hash(session, parts.vault.token_hash(key))
    if token is None or token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        raise Unauthenticated(NOT_VALID)
    if token.role != Role.SCORER:
        raise Unauthenticated(NOT_VALID)
    if token.site_id is None:
        raise Unauthenticated(OF_ALL_SITES)
    site = sites.site_by_id(session, token.site_id)
    if site is None:
        raise Unauthenticated(NOT_VALID)
    settings = site_settings(site.settings)
    if not getattr(settings, protocol):
        raise Forbidden(SWITCHED_OFF)
    if limited:
        limits.peek(session, settings.scorer_rate, _rate_key(token.id), now)
    actor = Actor("token", str(token.id), token.name or f"token {token.hint}", {site.id: Role.SCORER})
    is_noted = token.last_used_at is not None and token.last_used_at > now - moderators.USE_NOTED_EVERY
    return Caller(token.id, site, settings, actor, is_noted)


def is_throttled(session: Session, parts: Parts, caller: Caller) -> bool:
    """Whether the next call would be refused for the rate limit."""
    try:
        limits.peek(session, caller.settings.scorer_rate, _rate_key(caller.token_id), parts.clock())
    except RateLimited:
        return True
    return False


def count_call(session: Session, parts: Parts, caller: Caller) -> None:
    """Count one call for the rate limit and note the key's use, in this transaction. Raises ``RateLimited``."""
    now = parts.clock()
    limits.hit(session, caller.settings.scorer_rate, _rate_key(caller.token_id), now)
    if not caller.is_noted:
        moderators.note_use(session, caller.token_id, now)


def count_alone(parts: Parts, caller: Caller) -> None:
    """The same in a transaction of its own, and in none where there is nothing to write."""
    if caller.is_limited or not caller.is_noted:
        with write() as session:
            count_call(session, parts, caller)


def teach_as(
    session: Session,
    parts: Parts,
    caller: Caller,
    text: str,
    label: str,
    author_url: str | None,
    links: Sequence[str],
) -> None:
    """Teach the caller's site by a text, in this transaction: its beginning, where it is long; nothing, where it is
    empty. A text that was taught otherwise before is taught anew in its place.
    """
    body = text[: learning.MAX_TEXT_CHARS].rstrip()
    if body and learning.teach_anew(session, parts, caller.site, body, label, author_url, links):
        data = {"label": label}
        audit_line(parts, session, caller.actor, caller.site, "learned.teach", "site", caller.site.key, data)


def _rate_key(token_id: uuid.UUID) -> bytes:
    return b"scorer" + token_id.bytes
