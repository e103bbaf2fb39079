"""What webhooks tell of a comment: made from its row, frozen to bytes, written in the caller's transaction."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain import webhook
from moderation.domain.times import rfc3339, rfc3339_or_none
from moderation.storage import outbox
from moderation.storage.models import Comment, Thread


def tell(
    session: Session,
    event_type: str,
    site_key: str,
    thread: Thread,
    comment: Comment,
    now: datetime,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write the event, and a delivery for each endpoint that wants it. No address and no IP is ever in a payload."""
    told = _told(event_type, site_key, thread, comment, now, extra)
    outbox.enqueue_all(session, site_id=comment.site_id, told=[told], now=now)


def tell_all(
    session: Session,
    site_id: uuid.UUID,
    site_key: str,
    happened: Iterable[tuple[str, Any, Comment]],
    now: datetime,
) -> None:
    """The same of several comments of one site: ``(event type, thread, comment)``, each frozen as it is now."""
    told = [_told(event_type, site_key, thread, comment, now) for event_type, thread, comment in happened]
    outbox.enqueue_all(session, site_id=site_id, told=told, now=now)


def _told(
    event_type: str, site_key: str, thread: Any, comment: Comment, now: datetime, extra: dict[str, Any] | None = None
) -> outbox.Told:
    data: dict[str, Any] = {
        "comment": comment_of_event(comment),
        "site": site_key,
        "thread": {"key": thread.key, "url": thread.url, "title": thread.title},
        **(extra or {}),
    }
    return outbox.Told(comment.id, event_type, webhook.payload(event_type, now, data))


def comment_of_event(comment: Comment) -> dict[str, Any]:
    """The comment as a site's own server may see it."""
    return {
        "id": str(comment.id),
        "parent_id": _text(comment.parent_id),
        "state": comment.state,
        "author": {"name": comment.author_name, "url": comment.author_url, "avatar": f"/avatars/{comment.avatar}.svg"},
        "body_html": comment.body_html,
        "risk": round(comment.risk, 3),
        "created_at": rfc3339(comment.created_at),
        "edited_at": rfc3339_or_none(comment.edited_at),
    }


def _text(value: uuid.UUID | None) -> str | None:
    return None if value is None else str(value)


def forget_comment(session: Session, comment_id: uuid.UUID) -> None:
    """Take the author's name, picture, link and words out of the events of a comment, sent or not.

    What is still on its way then says the same of what happened, and nothing of what was written.
    """
    for event_id, payload in outbox.payloads_of(session, comment_id):
        outbox.replace_payload(session, event_id, webhook.without_author(payload))
