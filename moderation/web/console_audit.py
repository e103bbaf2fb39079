"""The console's page of the audit log, and the reveal of an address, which leaves a line in it."""

import uuid
from datetime import UTC, date, datetime, time
from typing import Any

from flask import Response
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.errors import Invalid
from moderation.services import moderate
from moderation.web import console_admin
from moderation.web.console import _actor, console
from moderation.web.console_admin import asked, cursor, page, pages, typed
from moderation.web.guards import parts

SHOWN = 50
MAX_REASON_CHARS = 200
MAX_FACTS_CHARS = 500
ACTIONS = {
    "": "anything",
    "comment.": "comments: decisions, reveals",
    "comment.reveal-email": "an address was revealed",
    "site.": "settings of the site",
    "rule.": "rules",
    "word_list.": "word lists",
    "automod.": "AutoModerator’s rules",
    "scorer.": "external scorers",
    "learned.": "what was learned",
    "thread.": "threads",
    "webhook.": "webhooks",
    "privacy.": "people’s data: handed out, erased, kept no longer",
    "token.": "tokens",
    "moderator.": "people",
    "session.": "log-ins",
}
"""What one can look for: an action, or with a dot at the end all that begin so."""


@console.get("/audit")
def show_audit() -> Response:
    """Who did what, when and why."""
    at = console_admin.place(Role.MODERATOR, everywhere=True)
    filters = {name: asked(name, 100) for name in ("by", "action", "from", "to")}
    if filters["action"] not in ACTIONS:
        filters["action"] = ""
    problems: dict[str, list[str]] = {}
    after, until = (_day(filters[name], name, problems) for name in ("from", "to"))
    found = moderate.list_audit(
        parts(),
        _actor(),
        None if at.id is None else at.key,
        limit=SHOWN,
        cursor=cursor(),
        by=filters["by"] or None,
        action=filters["action"] or None,
        after=after,
        before=None if until is None else until.replace(hour=23, minute=59, second=59, microsecond=999_999),
    )
    return page(
        "audit",
        "audit",
        at,
        422 if problems else 200,
        form=filters,
        problems=problems,
        found=found,
        actions=ACTIONS,
        is_filtered=any(filters.values()),
        **pages(found, "console.show_audit", site=at.key, **filters),
    )


def _day(text: str, name: str, problems: dict[str, list[str]]) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time.min, UTC) if text else None
    except ValueError:
        problems[name] = ["It is a day like 2027-01-31."]
        return None


@console.app_template_filter("facts")
def facts(data: dict[str, Any]) -> str:
    """The data of a line on one line, as it is: ``from pending, to approved``. Still to be escaped."""
    told = _in_words(data)
    return told if len(told) <= MAX_FACTS_CHARS else told[: MAX_FACTS_CHARS - 1] + "…"


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return " ".join(_in_words(inner) for inner in value) or "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if value not in {None, ""} else "–"


@console.post("/comments/<id:comment_id>/reveal-email")
def reveal_email(comment_id: uuid.UUID) -> AnyResponse:
    """Show the address of a comment's author, to an admin with a reason. It is on this page alone."""
    reason = typed("reason")["reason"].strip()[:MAX_REASON_CHARS]
    shown: dict[str, Any] = {"comment_id": comment_id, "reason": reason, "email": None, "is_shown": False}
    try:
        email = moderate.reveal_email(parts(), _actor(), comment_id, reason)["email"]
    except Invalid as error:
        return page("revealed", "", None, 422, form={"reason": reason}, problems=error.fields, **shown)
    return page("revealed", "", None, 200, **{**shown, "email": email, "is_shown": True})
