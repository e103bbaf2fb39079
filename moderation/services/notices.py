"""Notices to readers: of replies to their comments, by mail, after a confirmed opt-in.

A typed address proves nothing, so that nothing but one question goes to it until its owner has pressed a button: one
question an address and site, with nothing in it that anybody typed. A link that is opened changes nothing; what acts
is a POST with a signed token of its own purpose, which needs no session and has no address in it.
"""

import contextlib
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain import notice
from moderation.domain.comment import State
from moderation.domain.links import safe_url
from moderation.domain.notice import Letter, StopUrls
from moderation.domain.origin import origin_of
from moderation.domain.site import site_settings
from moderation.errors import Bug, NotFound, RateLimited
from moderation.services.parts import Parts
from moderation.storage import comments, limits, mails, sites, subscriptions, threads
from moderation.storage.db import new_id, read, write
from moderation.storage.mails import Leased
from moderation.storage.models import Comment, Site, Subscription
from moderation.storage.sealed import NO_SITE

ASKED_OF_ADDRESS = "3/day"
"""Questions to one address, over all sites and moderators."""

ASKED_BY_NETWORK = "5/hour;20/day"
ASKED_BY_SITE = "100/hour"
"""Questions that come of the comments of one network, and of all of a site's. What is above is not asked, and the
address is not kept; the comment is taken as ever, so that its sender learns nothing."""

_CONFIRM = "notice-confirm"
_STOP = "notice-stop"
_WANTED = (State.APPROVED, State.PENDING, State.ESCALATED)


# --- with the comment -------------------------------------------------------------------------------------------


def offers(parts: Parts, site: Site) -> bool:
    """Whether readers of this site can ask to be told of replies."""
    return parts.settings.has_mail and site_settings(site.settings).reply_notices


def watch(session: Session, parts: Parts, site: Site, comment: Comment, email: str, network_key: bytes) -> None:
    """Tell a comment's author of replies, in the transaction that takes the comment; asks the address first.

    The same to the caller whatever is known of the address, and whatever is done.
    """
    if comment.email_index is None or comment.state == State.SPAM.value:
        return
    found = subscriptions.of_address(session, site.id, comment.email_index)
    if found is not None and found.expires_at is not None and found.expires_at <= parts.clock():
        subscriptions.remove(session, found.id)
        found = None
    if found is None:
        found = _asked(session, parts, site, comment.email_index, email, network_key)
    if found is None or found.state == subscriptions.STOPPED:
        return
    if found.state == subscriptions.CONFIRMED and found.expires_at is not None:
        subscriptions.change(session, found.id, expires_at=None)
    subscriptions.watch(session, site.id, comment.id, found.id)


def _asked(
    session: Session, parts: Parts, site: Site, email_index: bytes, email: str, network_key: bytes
) -> Subscription | None:
    """A new subscription, and the question on its way; None where enough was asked."""
    now, made_id = parts.clock(), new_id()
    limited = (
        (ASKED_OF_ADDRESS, address_key(parts, "asked", email)),
        (ASKED_BY_NETWORK, f"mail:asked-by:{network_key.hex()}"),
        (ASKED_BY_SITE, f"mail:asked-by:{site.id.hex}"),
    )
    if not is_below(session, limited, now):
        return None
    values = {
        "id": made_id,
        "site_id": site.id,
        "email_index": email_index,
        "email_sealed": _sealed(parts, made_id, site.id, email),
        "state": subscriptions.ASKED,
        "asked_at": now,
        "expires_at": now + notice.CONFIRM_WITHIN,
    }
    if subscriptions.add(session, values):
        count(session, limited, now)
        mails.enqueue(session, mails.CONFIRM, [{"site_id": site.id, "subscription_id": made_id}], now)
    return subscriptions.of_address(session, site.id, email_index)


def is_below(session: Session, limited: Iterable[tuple[str, str]], now: datetime) -> bool:
    """Whether one more is within each of these ``(limit, key)``."""
    try:
        for limit, key in limited:
            limits.peek(session, limit, key, now)
    except RateLimited:
        return False
    return True


def count(session: Session, limited: Iterable[tuple[str, str]], now: datetime) -> None:
    """Count one more of each; where two came at the same moment, both count, and none is refused any more."""
    for limit, key in limited:
        with contextlib.suppress(RateLimited):
            limits.hit(session, limit, key, now)


def address_key(parts: Parts, what: str, email: str) -> str:
    """What counts mails to an address over all sites; a keyed hash."""
    return f"mail:{what}:{parts.vault.blind_index(NO_SITE, email).hex()}"


def tell_of_replies(session: Session, approved: Iterable[Comment], now: datetime) -> None:
    """Write a mail for each of these comments whose parent's author is to be told, in the approval's transaction.

    Nobody is told of a reply of their own. One query by primary keys; none where no comment is a reply.
    """
    replies = [comment for comment in approved if comment.parent_id is not None]
    if not replies:
        return
    watchers = subscriptions.watchers_of(session, sorted({reply.parent_id for reply in replies if reply.parent_id}))
    rows = []
    for reply in replies:
        watcher = watchers.get(reply.parent_id) if reply.parent_id else None
        if watcher and watcher.email_index != reply.email_index and watcher.author_id != reply.author_id:
            ids = {"subscription_id": watcher.subscription_id, "comment_id": reply.id}
            rows.append({"site_id": reply.site_id, **ids})
    mails.enqueue(session, mails.REPLY, rows, now)


def forget_comment(session: Session, comment_id: uuid.UUID) -> None:
    """Its author took a comment back: nobody watches it any more, and an address that watches nothing is gone."""
    idle = subscriptions.unwatch(session, comment_id)
    if idle is not None:
        subscriptions.remove(session, idle)


# --- what the links do ------------------------------------------------------------------------------------------


def look_at_question(parts: Parts, token: str) -> dict[str, Any]:
    """What a link to confirm is about: ``{"site", "confirmed"}``. Changes nothing. Raises ``NotFound``."""
    with read() as session:
        return _shown(session, _in_question(session, parts, token))


def confirm(parts: Parts, token: str) -> dict[str, Any]:
    """An address's owner allows mails; a second time changes nothing. Raises ``NotFound`` for a link that is void."""
    with write() as session:
        found = _in_question(session, parts, token, for_change=True)
        if found.state == subscriptions.ASKED:
            subscriptions.change(session, found.id, state=subscriptions.CONFIRMED, expires_at=None)
        return _shown(session, found) | {"confirmed": True}


def look_at_stop(parts: Parts, token: str) -> dict[str, Any]:
    """What a link to stop is about: ``{"site", "comment", "state"}``. Changes nothing. Raises ``NotFound``.

    ``comment``: whether it names one; ``state``: ``on``, ``comment-off``, or ``off`` where no mails come at all.
    """
    with read() as session:
        return _stopping(session, _to_stop(parts, token))


def stop(parts: Parts, token: str, *, everything: bool) -> dict[str, Any]:
    """Stop what the link is for, or ``everything`` that the site would mail to this address; the same as
    ``look_at_stop``. A second time changes nothing, and it works for as long as the service does.
    """
    subscription_id, comment_id = _to_stop(parts, token)
    with write() as session:
        found = subscriptions.by_id(session, subscription_id, for_change=True)
        if found is not None and (everything or comment_id is None):
            _stop_all(session, found, parts.clock())
        elif found is not None and comment_id is not None and subscriptions.is_watched(session, comment_id, found.id):
            _stop_comment(session, comment_id, parts.clock())
    return look_at_stop(parts, token)


def _stop_comment(session: Session, comment_id: uuid.UUID, now: datetime) -> None:
    """Where nothing else is watched, the address goes too, but not before its owner could stop all of them."""
    idle = subscriptions.unwatch(session, comment_id)
    if idle is not None:
        subscriptions.change(session, idle, expires_at=now + notice.CONFIRM_WITHIN)


def _stop_all(session: Session, found: Subscription, now: datetime) -> None:
    if found.state == subscriptions.STOPPED:
        return
    values = {"state": subscriptions.STOPPED, "email_sealed": None, "expires_at": now + notice.STOPPED_FOR}
    subscriptions.change(session, found.id, **values)
    subscriptions.unwatch_all(session, found.id)


def _in_question(session: Session, parts: Parts, token: str, *, for_change: bool = False) -> Subscription:
    payload = parts.vault.unsign(_CONFIRM, token) if parts.settings.has_mail else None
    subscription_id, _, asked_at = (payload or "").partition(".")
    found = subscriptions.by_id(session, uuid.UUID(hex=subscription_id), for_change=for_change) if payload else None
    if found is None or found.state == subscriptions.STOPPED or asked_at != _stamp(found.asked_at):
        raise NotFound("link, or not any more")
    if found.expires_at is not None and found.expires_at <= parts.clock():
        raise NotFound("link, or not any more")
    return found


def _to_stop(parts: Parts, token: str) -> tuple[uuid.UUID, uuid.UUID | None]:
    """The subscription and the comment that a link to stop is for; without a comment, all of them."""
    payload = parts.vault.unsign(_STOP, token)
    if payload is None:
        raise NotFound("link, or not any more")
    subscription_id, _, comment_id = payload.partition(".")
    return uuid.UUID(hex=subscription_id), uuid.UUID(hex=comment_id) if comment_id else None


def _shown(session: Session, found: Subscription) -> dict[str, Any]:
    return {"site": _name(_site(session, found.site_id)), "confirmed": found.state == subscriptions.CONFIRMED}


def _stopping(session: Session, wanted: tuple[uuid.UUID, uuid.UUID | None]) -> dict[str, Any]:
    subscription_id, comment_id = wanted
    found = subscriptions.by_id(session, subscription_id)
    if found is None or found.state == subscriptions.STOPPED:
        site = None if found is None else _name(_site(session, found.site_id))
        return {"site": site, "comment": comment_id is not None, "state": "off"}
    watched = comment_id is None or subscriptions.is_watched(session, comment_id, found.id)
    state = "on" if watched else "comment-off"
    return {"site": _name(_site(session, found.site_id)), "comment": comment_id is not None, "state": state}


# --- the mails --------------------------------------------------------------------------------------------------


def question(session: Session, parts: Parts, leased: Leased) -> Letter | None:
    """The mail that asks an address; None where it is not wanted any more: answered, or the comment is gone."""
    found, site = _subject(session, leased)
    if found is None or found.state != subscriptions.ASKED or not offers(parts, site):
        return None
    if found.expires_at is None or found.expires_at <= parts.clock():
        return None
    if not subscriptions.has_comment_in(session, found.id, _WANTED):
        return None
    confirm_token = parts.vault.sign(_CONFIRM, f"{found.id.hex}.{_stamp(found.asked_at)}")
    return notice.confirmation(
        to=_address(parts, found),
        site=_name(site),
        confirm_url=f"{parts.settings.public_url}/notices/confirm?t={confirm_token}",
        stop_url=_stop_url(parts, found.id),
    )


def forget_unasked(session: Session, leased: Leased) -> None:
    """After a question that was not sent: the address goes, and the next comment with it may ask again."""
    if leased.kind == mails.CONFIRM and leased.subscription_id is not None:
        found = subscriptions.by_id(session, leased.subscription_id, for_change=True)
        if found is not None and found.state == subscriptions.ASKED:
            subscriptions.remove(session, found.id)


def reply(session: Session, parts: Parts, leased: Leased) -> Letter | None:
    """The mail that tells of a reply; None where it is not wanted any more: stopped, or the reply is not public."""
    found, site = _subject(session, leased)
    comment = comments.comment_of_site(session, site.id, leased.comment_id) if leased.comment_id else None
    if found is None or comment is None or comment.parent_id is None or not offers(parts, site):
        return None
    if found.state != subscriptions.CONFIRMED or not subscriptions.is_watched(session, comment.parent_id, found.id):
        return None
    if comment.state != State.APPROVED.value or not comment.shown:
        return None
    return notice.reply_notice(
        to=_address(parts, found),
        site=_name(site),
        name=comment.author_name,
        body_html=comment.body_html,
        page_url=_page_url(session, site, comment),
        stop_urls=StopUrls(page=_stop_url(parts, found.id, comment.parent_id), all=_stop_url(parts, found.id)),
    )


def _subject(session: Session, leased: Leased) -> tuple[Subscription | None, Site]:
    if leased.subscription_id is None or leased.site_id is None:
        raise Bug("A mail to a reader has no subscription.")
    return subscriptions.by_id(session, leased.subscription_id), _site(session, leased.site_id)


def _page_url(session: Session, site: Site, comment: Comment) -> str | None:
    """Where the comment stands. The address of a thread is what its first sender typed, so that it only counts where
    it is on one of the site's own origins.
    """
    thread = threads.thread_by_id(session, comment.thread_id)
    page = safe_url((thread.url or "").partition("#")[0]) if thread is not None else None
    if page is None or origin_of("/".join(page.split("/", 3)[:3])) not in site.origins:
        return None
    return f"{page}#comment-{comment.id}"


def _stop_url(parts: Parts, subscription_id: uuid.UUID, comment_id: uuid.UUID | None = None) -> str:
    payload = subscription_id.hex if comment_id is None else f"{subscription_id.hex}.{comment_id.hex}"
    return f"{parts.settings.public_url}/notices/stop?t={parts.vault.sign(_STOP, payload)}"


def _site(session: Session, site_id: uuid.UUID) -> Site:
    site = sites.site_by_id(session, site_id)
    if site is None:
        raise Bug("A subscription has no site.")
    return site


def _name(site: Site) -> str:
    return site.name or site.key


def _stamp(at: datetime) -> str:
    return str(int(at.timestamp()))


def _sealed(parts: Parts, subscription_id: uuid.UUID, site_id: uuid.UUID, email: str) -> bytes:
    place = {"row_id": subscription_id, "site_id": site_id}
    return parts.vault.seal(email.encode(), table="subscriptions", column="email_sealed", **place)


def _address(parts: Parts, found: Subscription) -> str:
    if found.email_sealed is None:
        raise Bug("A subscription that is not stopped has no address.")
    place = {"row_id": found.id, "site_id": found.site_id}
    return parts.vault.open(found.email_sealed, table="subscriptions", column="email_sealed", **place).decode()
