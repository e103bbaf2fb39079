"""Akismet's protocol: check an entry, teach what it was, tell how much a key was used. No text is stored."""

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain import akismet
from moderation.domain.akismet import Check, Entry
from moderation.domain.identity import canonical_email, email_domain, truncate_ip
from moderation.domain.markup import links_of_text, looks_like_html, plain_of_html
from moderation.domain.origin import origin_of
from moderation.domain.text import normalise_body, normalise_line
from moderation.errors import Invalid
from moderation.services.judging import Draft, judge_unstored
from moderation.services.parts import Parts
from moderation.services.scorer_keys import Caller, caller_of, count_call, is_throttled, teach_as
from moderation.storage import key_usage
from moderation.storage.db import new_id, read, write
from moderation.storage.models import Site

PROTOCOL = "akismet"
LABELS = {"submit-spam": ("spam", "missed_spam"), "submit-ham": ("fine", "false_positives")}
"""What each submission teaches, and as what it is counted."""

MAX_CONTENT_CHARS = 60_000
"""Of a longer text the beginning is judged, and what is fine so far is unsure."""

_MAX_LINE_CHARS = 500
_SPAM_FROM = 0.5


def verify(parts: Parts, key: str) -> None:
    """Whether a key may be used. Raises as ``caller_of``."""
    with read() as session:
        caller_of(session, parts, key, PROTOCOL, limited=False)


def check(parts: Parts, key: str, entry: Entry) -> Check:
    """What becomes of an entry. Raises as ``caller_of``."""
    with read() as session:
        caller = caller_of(session, parts, key, PROTOCOL)
        found = _checked(session, parts, caller, entry)
    counted = "ham" if found in (Check.FINE, Check.UNSURE) else "spam"
    with write() as session:
        _count(session, parts, caller, entry, counted)
    return found


def submit(parts: Parts, key: str, entry: Entry, kind: str) -> None:
    """Teach the site's model that an entry is spam or fine (``kind`` of ``LABELS``), in the place of the opposite.

    A test teaches nothing. Raises as ``caller_of``.
    """
    label, counted = LABELS[kind]
    with read() as session:
        caller = caller_of(session, parts, key, PROTOCOL)
    body, links = _body(entry)
    with write() as session:
        count_call(session, parts, caller)
        if not entry.is_test:
            key_usage.count(session, caller.token_id, _month(parts), _blog(caller.site, entry.blog), counted)
            teach_as(session, parts, caller, body, label, entry.url, links)


def usage(parts: Parts, key: str) -> dict[str, Any]:
    """``{limit, usage, percentage, throttled}``: verdicts of this month. There is no limit by month."""
    with read() as session:
        caller = caller_of(session, parts, key, PROTOCOL, limited=False)
        used = key_usage.calls_in(session, caller.token_id, _month(parts))
        throttled = is_throttled(session, parts, caller)
    return {"limit": "none", "usage": used, "percentage": "0.00", "throttled": throttled}


def key_sites(
    parts: Parts, key: str, month: date | None, matching: str, order: str, limit: int, offset: int
) -> dict[str, Any]:
    """A key's use by the site's origins in a month (its first day): ``{month, rows, limit, offset, total}``.

    All that named another address as its blog is in the row of the site's key.
    """
    month = month or _month(parts)
    with read() as session:
        caller = caller_of(session, parts, key, PROTOCOL)
        found = key_usage.rows_of(session, caller.token_id, month, order)
    rows = [
        {
            "site": row.blog.partition("://")[2] or caller.site.key,
            "api_calls": row.calls,
            "spam": row.spam,
            "ham": row.ham,
            "missed_spam": row.missed_spam,
            "false_positives": row.false_positives,
            "is_revoked": False,
        }
        for row in found
    ]
    rows = [row for row in rows if matching.lower() in row["site"]]
    return {"month": month, "rows": rows[offset : offset + limit], "limit": limit, "offset": offset, "total": len(rows)}


def _checked(session: Session, parts: Parts, caller: Caller, entry: Entry) -> Check:
    if entry.role == akismet.ALWAYS_FINE:
        return Check.FINE
    if entry.is_guaranteed_spam:
        return Check.SPAM
    draft, links = _draft(parts, caller.site, entry)
    verdict, signals = judge_unstored(session, parts, caller.site, caller.settings, draft, links)
    found = akismet.check_of(verdict, signals, parts.pipeline.thresholds.get("spam", _SPAM_FROM))
    return Check.UNSURE if found is Check.FINE and len(entry.content) > MAX_CONTENT_CHARS else found


def _draft(parts: Parts, site: Site, entry: Entry) -> tuple[Draft, tuple[str, ...]]:
    body, links = _body(entry)
    network = truncate_ip(entry.user_ip)
    draft = Draft(
        comment_id=new_id(),
        body=body,
        body_html="",
        author_name=_line(entry.author),
        author_url=entry.url,
        email_domain=_domain(entry.email),
        author_id=None,
        thread_id=None,
        network_key=parts.vault.network_key(site.id, entry.user_ip, parts.clock().date()) if network else b"",
        ip_network=network,
        honeypot=entry.honeypot,
        is_top_level=not entry.is_reply,
        is_edited=entry.is_edited,
    )
    return draft, links


def _body(entry: Entry) -> tuple[str, tuple[str, ...]]:
    """The text of an entry, which may be HTML, and its links."""
    content = entry.content[:MAX_CONTENT_CHARS]
    if not looks_like_html(content):
        return normalise_body(content), links_of_text(content)
    plain = plain_of_html(content)
    return normalise_body(plain.text), (*plain.links, *links_of_text(plain.text))


def _line(raw: str) -> str:
    return normalise_line(raw[:_MAX_LINE_CHARS], "comment_author")


def _domain(raw: str) -> str | None:
    try:
        return email_domain(canonical_email(raw))
    except Invalid:
        return None


def _count(session: Session, parts: Parts, caller: Caller, entry: Entry, counted: str) -> None:
    count_call(session, parts, caller)
    key_usage.count(session, caller.token_id, _month(parts), _blog(caller.site, entry.blog), counted)


def _blog(site: Site, blog: str) -> str:
    """The site's own origin that an address belongs to, or nothing: whoever holds a key fills no table with names."""
    head = "/".join(blog.strip().split("/", 3)[:3])
    origin = origin_of(head)
    return origin if origin is not None and origin in site.origins and len(origin) <= 300 else ""


def _month(parts: Parts) -> date:
    return parts.clock().date().replace(day=1)
