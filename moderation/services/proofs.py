"""Proof of work: challenges that a site's readers' browsers solve, and whether what came back is one, once.

A challenge is a signed text: site, difficulty, end, chance. It is not kept. A proof that was used is remembered among
the idempotency keys until its challenge has ended; the worker forgets it with the others.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain import proof
from moderation.domain.proof import Demand, Proof
from moderation.domain.site import SiteSettings, site_settings
from moderation.services import raids
from moderation.services.parts import Parts
from moderation.services.sites import known_site
from moderation.storage import idempotency
from moderation.storage.db import new_id, read
from moderation.storage.models import Site

LASTS = timedelta(minutes=30)
"""How long a challenge can be used: as long as it takes to write a comment, and too short to hoard."""


def is_asked(site: Site, settings: SiteSettings) -> bool:
    """Whether the site asks for a proof at this moment."""
    match settings.proof_of_work:
        case Demand.ALWAYS:
            return True
        case Demand.RAID:
            return raids.is_on(site, settings)
    return False


def challenge(parts: Parts, site_key: str) -> dict[str, Any]:
    """A challenge for one comment, or None in all places where the site asks for none. Raises ``NotFound``."""
    with read() as session:
        site = known_site(session, site_key)
    settings = site_settings(site.settings)
    if not is_asked(site, settings):
        return {"challenge": None, "bits": None, "expires_at": None}
    ends = parts.clock().replace(microsecond=0) + LASTS
    payload = f"{settings.proof_bits}.{int(ends.timestamp())}.{secrets.token_hex(8)}"
    return {"challenge": parts.vault.sign(_purpose(site), payload), "bits": settings.proof_bits, "expires_at": ends}


def looked_at(session: Session, parts: Parts, site: Site, given: str | None) -> Proof:
    """What a proof is worth. It may still turn out to be used when ``use`` takes it."""
    if not given:
        return Proof.MISSING
    parted = proof.parted(given)
    payload = parts.vault.unsign(_purpose(site), parted[0]) if parted else None
    if parted is None or payload is None:
        return Proof.WRONG
    bits, ends = _read(payload)
    if not proof.is_solved(*parted, bits):
        return Proof.WRONG
    now = parts.clock()
    if now >= ends:
        return Proof.EXPIRED
    return Proof.USED if idempotency.is_taken(session, _scope(site), _key(parted[0]), now) else Proof.GOOD


def use(session: Session, parts: Parts, site: Site, given: str) -> bool:
    """Take a good proof in the caller's transaction; False where another comment was faster."""
    parted = proof.parted(given)
    payload = parts.vault.unsign(_purpose(site), parted[0]) if parted else None
    if parted is None or payload is None:
        return False
    key, (_, ends) = _key(parted[0]), _read(payload)
    taken = idempotency.take(session, _scope(site), key, new_id(), key, now=parts.clock(), expires_at=ends)
    return taken is None


def _read(payload: str) -> tuple[int, datetime]:
    bits, ends, _ = payload.split(".")
    return int(bits), datetime.fromtimestamp(int(ends), UTC)


def _purpose(site: Site) -> str:
    return f"proof:{site.id}"


def _scope(site: Site) -> str:
    return f"proof:{site.key}"


def _key(challenge: str) -> bytes:
    return hashlib.sha256(challenge.encode("ascii")).digest()
