"""Secrets that a site shares with another service: set by its admins, sealed, never shown again."""

from sqlalchemy.orm import Session

from moderation.errors import Bug, Invalid
from moderation.services.parts import Parts
from moderation.storage import site_secrets
from moderation.storage.db import new_id
from moderation.storage.models import Site, SiteSecret

CORAL = "coral"
MIN_CHARS, MAX_CHARS = 16, 200
"""Coral makes secrets of some 64 characters; what is much shorter can be guessed."""

_NONE = frozenset({"", "none", "off"})
_PLACE = {"table": "site_secrets", "column": "secret_sealed"}


def change_secret(session: Session, parts: Parts, site: Site, name: str, text: str) -> bool:
    """Set a secret of a site, or with ``none`` take it away, in the caller's transaction; whether anything changed.

    Raises ``Invalid`` for ``settings.<name>_secret``.
    """
    text = text.strip()
    removed = site_secrets.remove_secret(session, site.id, name)
    if text.lower() in _NONE:
        return removed
    if not (MIN_CHARS <= len(text) <= MAX_CHARS and text.isascii() and text.isprintable() and " " not in text):
        allowed = f"It is {MIN_CHARS} to {MAX_CHARS} visible ASCII characters, or 'none'."
        raise Invalid({f"settings.{name}_secret": [allowed]})
    row_id = new_id()
    sealed = parts.vault.seal(text.encode("ascii"), row_id=row_id, site_id=site.id, **_PLACE)
    secret = SiteSecret(id=row_id, site_id=site.id, name=name, secret_sealed=sealed, created_at=parts.clock())
    site_secrets.add_secret(session, secret)
    return True


def opened(session: Session, parts: Parts, site: Site, name: str) -> str | None:
    """A secret in the clear; None where there is none, or it cannot be opened: then nobody gets in."""
    row = site_secrets.secret_of_site(session, site.id, name)
    if row is None:
        return None
    try:
        return parts.vault.open(row.secret_sealed, row_id=row.id, site_id=site.id, **_PLACE).decode("ascii")
    except Bug:
        return None
