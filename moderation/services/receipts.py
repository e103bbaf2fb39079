"""A commenter's private page: what became of the comment, a change while it waits, its withdrawal.

The link is the proof: a signed token with the ids of site and comment. It is good for as long as the comment has
anything of its author in it, since a reader may ask or withdraw at any time. A change is possible within the edit
window, and as long as the comment waits, where the site allows changes at all.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.comment import State
from moderation.domain.site import site_settings
from moderation.errors import Forbidden, NotFound
from moderation.services import privacy, submit
from moderation.services.parts import Parts
from moderation.services.submit import Client
from moderation.storage import comments, decisions, sites, threads
from moderation.storage.db import read
from moderation.storage.models import Comment, Site

_HEX_CHARS = 32


class Told(StrEnum):
    """What an author may know of a comment's state. One that was judged to be spam looks like one that waits."""

    WAITING = "waiting"
    PUBLISHED = "published"
    HIDDEN = "hidden"
    REFUSED = "refused"
    REMOVED = "removed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A comment as its author may see it. Of one that was deleted, nothing but that.

    ``page_url`` is its thread's address, of whatever origin, while the comment is public; ``editable_until`` None: for
    as long as it waits. ``may_erase``: whether who wrote it can be taken off it and the text stays, as the site has it.
    """

    comment_id: uuid.UUID
    told: Told
    author_name: str
    author_url: str | None
    body: str
    body_html: str
    created_at: datetime
    page_url: str | None
    may_edit: bool
    may_erase: bool
    editable_until: datetime | None
    origins: tuple[str, ...]


def show_receipt(parts: Parts, token: str) -> Receipt:
    """What became of the comment that a receipt is for. Raises ``NotFound``, the same for all that leads nowhere."""
    with read() as session:
        site, comment = _opened(session, parts, token)
        told = _told(session, comment)
        thread = threads.thread_by_id(session, comment.thread_id) if told is Told.PUBLISHED else None
        is_within = parts.clock() <= comment.editable_until
        return Receipt(
            comment_id=comment.id,
            told=told,
            author_name=comment.author_name,
            author_url=comment.author_url,
            body=comment.body,
            body_html=comment.body_html,
            created_at=comment.created_at,
            page_url=thread.url if thread else None,
            may_edit=_may_edit(parts, comment, told),
            may_erase=_may_erase(site, comment, told),
            editable_until=comment.editable_until if is_within and told is not Told.WAITING else None,
            origins=tuple(site.origins),
        )


def edit(parts: Parts, token: str, body: str, client: Client) -> None:
    """Change the comment of a receipt; it is judged anew.

    Raises ``NotFound``, ``Forbidden`` where it may not be changed any more, and what ``submit.edit_own`` raises.
    """
    site_key, comment_id = _place(parts, token)
    submit.check_rate(parts, site_key, "submit", client)

    def own(session: Session, site: Site) -> Comment:
        comment = submit.own_comment(session, site.id, comment_id)
        if not _may_edit(parts, comment, _told(session, comment)):
            raise Forbidden(submit.TOO_LATE)
        return comment

    submit.edit_own(parts, site_key, own, body, client)


def preview(parts: Parts, token: str, body: str, client: Client) -> str:
    """The HTML that a changed text would become. Raises ``NotFound``, ``Invalid``, ``RateLimited``."""
    site_key, _ = _place(parts, token)
    return str(submit.preview(parts, site_key, body, client)["body_html"])


def withdraw(parts: Parts, token: str) -> None:
    """Delete the comment of a receipt, at any time, for good; one that is deleted already stays so.

    Raises ``NotFound``, or ``Conflict`` where it was changed at this very moment.
    """
    site_key, comment_id = _place(parts, token)
    if show_receipt(parts, token).told is not Told.DELETED:
        submit.delete_own(parts, site_key, lambda session, site: submit.own_comment(session, site.id, comment_id))


def copy(parts: Parts, token: str) -> dict[str, Any]:
    """What is kept of the comment of a receipt, for its author to take along. Raises ``NotFound``.

    Of one that was deleted there is nothing: ``NotFound`` too.
    """
    with read() as session:
        site, comment = _opened(session, parts, token)
        if comment.state == State.DELETED.value:
            raise NotFound("comment")
        return {**privacy.copy_of_comment(session, site, comment), "state": _told(session, comment).value}


def erase(parts: Parts, token: str) -> None:
    """Take from the comment of a receipt who wrote it, where the site leaves texts standing; done already, it stays so.

    Raises ``NotFound``, ``Forbidden`` where the site does not, ``Conflict`` where it was changed at this very moment.
    """
    with read() as session:
        site, comment = _opened(session, parts, token)
        told = _told(session, comment)
    if told is Told.DELETED or comment.avatar == submit.DELETED_AVATAR:
        return
    if not _may_erase(site, comment, told):
        raise Forbidden("On this site the text goes with the name: withdraw the comment.")
    privacy.erase_author(parts, site, comment)


def _may_erase(site: Site, comment: Comment, told: Told) -> bool:
    leaves_texts = not site_settings(site.settings).erase_texts
    return leaves_texts and told is not Told.DELETED and comment.avatar != submit.DELETED_AVATAR


def _place(parts: Parts, token: str) -> tuple[str, uuid.UUID]:
    with read() as session:
        site, comment = _opened(session, parts, token)
        return site.key, comment.id


def _opened(session: Session, parts: Parts, token: str) -> tuple[Site, Comment]:
    payload = parts.vault.unsign(submit.RECEIPT, token) or ""
    if len(payload) != 2 * _HEX_CHARS:
        raise NotFound("comment")
    site_id, comment_id = uuid.UUID(hex=payload[:_HEX_CHARS]), uuid.UUID(hex=payload[_HEX_CHARS:])
    site = sites.site_by_id(session, site_id)
    comment = comments.comment_of_site(session, site_id, comment_id)
    if site is None or comment is None:
        raise NotFound("comment")
    return site, comment


def _told(session: Session, comment: Comment) -> Told:
    state = State(comment.state)
    if state is State.DELETED:
        return Told.DELETED
    if state is State.APPROVED:
        return Told.PUBLISHED if comment.shown else Told.HIDDEN
    if state in {State.REJECTED, State.TRASHED}:
        return Told.REMOVED if decisions.was_approved(session, comment.id) else Told.REFUSED
    return Told.WAITING


def _may_edit(parts: Parts, comment: Comment, told: Told) -> bool:
    """Within the window while nobody decided against it, and after it while it waits. A site without a window takes no
    changes.
    """
    if told is Told.WAITING:
        return bool(comment.body) and comment.editable_until > comment.created_at
    return told in {Told.PUBLISHED, Told.HIDDEN} and parts.clock() <= comment.editable_until
