"""Coral's external moderation phase: a comment is judged before Coral takes it. Nothing is kept."""

from dataclasses import dataclass, replace
from typing import Any

from moderation.domain import coral
from moderation.domain.markup import links_of_text, plain_of_html
from moderation.domain.site import SiteSettings, site_settings
from moderation.domain.text import normalise_body
from moderation.errors import Unauthenticated
from moderation.services.judging import Draft, judge_unstored
from moderation.services.parts import Parts
from moderation.services.site_secrets import CORAL, opened
from moderation.storage import sites
from moderation.storage.db import new_id, read
from moderation.storage.models import Site

MAX_BODY_CHARS = 60_000
"""Of a longer text the beginning is judged, and what is fine so far waits."""

NOT_SIGNED = "The signature is not of the site's secret and this body."


@dataclass(frozen=True, slots=True)
class Entry:
    """What Coral tells of a comment that matters here. ``html``: as its editor made it."""

    html: str
    is_reply: bool = False
    is_edited: bool = False


def authenticate(parts: Parts, site_key: str, signature: str, body: bytes) -> tuple[Site, SiteSettings]:
    """The site that Coral speaks for. Raises ``Unauthenticated``: for a site without a secret, and for no site, too."""
    with read() as session:
        site = sites.site_by_key(session, site_key)
        secret = opened(session, parts, site, CORAL) if site is not None else None
    if site is None or secret is None or not coral.is_signed(signature, secret, body):
        raise Unauthenticated(NOT_SIGNED)
    return site, site_settings(site.settings)


def moderate(parts: Parts, site: Site, settings: SiteSettings, entry: Entry) -> dict[str, Any] | None:
    """What Coral is answered: a status with the reasons in its own words, or None for no opinion.

    Whether every comment is to be held is Coral's to say, so the site's ``policy`` is passed over here.
    """
    plain = plain_of_html(entry.html[:MAX_BODY_CHARS])
    body, links = normalise_body(plain.text), (*plain.links, *links_of_text(plain.text))
    draft = Draft(
        comment_id=new_id(),
        body=body,
        body_html="",
        author_name="",
        author_url=None,
        email_domain=None,
        author_id=None,
        thread_id=None,
        network_key=b"",
        ip_network="",
        is_top_level=not entry.is_reply,
        is_edited=entry.is_edited,
    )
    with read() as session:
        verdict, signals = judge_unstored(session, parts, site, replace(settings, policy="auto"), draft, links)
    answer = coral.answer_of(verdict, signals, parts.pipeline.thresholds)
    return {"status": coral.HELD} if answer is None and len(entry.html) > MAX_BODY_CHARS else answer
