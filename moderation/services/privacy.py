"""The rights of a person whose data a site keeps: all of it to take along, and all of it gone.

A person is who an address belongs to. That somebody typed it proves nothing: whoever asks has to show that the address
is theirs, which is for the site to check before it calls these.
"""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import State
from moderation.domain.identity import canonical_email
from moderation.domain.site import site_settings
from moderation.errors import Conflict, Invalid
from moderation.scoring.repeats import bands
from moderation.services import events, notices
from moderation.services.listing import id_after
from moderation.services.parts import Parts
from moderation.services.sites import audit_line, site_for
from moderation.services.submit import WITHOUT_AUTHOR, empty_comment, fresh, thread_of
from moderation.storage import comments, decisions, people, subscriptions, threads
from moderation.storage.db import read, write
from moderation.storage.models import Comment, Decision, Site, Subscription

PAGE = 100
ERASED_NAME = "[deleted]"
"""Who wrote a comment whose text stays."""

_TRIES = 5
_SHOWN = 1_000
"""Former texts and decisions of one comment that an export holds."""


def export_person(
    parts: Parts, actor: Actor, site_key: str, email: str, *, cursor: str | None = None
) -> dict[str, Any]:
    """A page of all that a site keeps of a person: ``{"site", "email", "notices", "comments", "next"}``.

    For admins; the first page leaves a line in the audit log, without the address. Other people's names are not in it.
    Raises ``Invalid`` for what is no address, ``NotFound``, ``Forbidden``.
    """
    address = _address(email)
    after = id_after(cursor)
    with read() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        index = parts.vault.blind_index(site.id, address)
        rows = people.comments_of_email(session, site.id, index, PAGE + 1, after)
        page = rows[:PAGE]
        answer = {
            "site": site.key,
            "email": address,
            "notices": _notices(subscriptions.of_address(session, site.id, index)),
            "comments": _shown_all(session, page),
            "next": page[-1].id.hex if len(rows) > PAGE else None,
        }
    if after is None:
        with write() as session:
            audit_line(parts, session, actor, site, "privacy.export", "person", "", {})
    return answer


def count_comments(parts: Parts, actor: Actor, site_key: str, email: str) -> int:
    """How many comments ``erase_person`` would go through. Raises as that does."""
    address = _address(email)
    with read() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        return people.count_comments_of_email(session, site.id, parts.vault.blind_index(site.id, address))


def erase_person(
    parts: Parts,
    actor: Actor,
    site_key: str,
    email: str,
    *,
    most: int | None = None,
    done: Callable[[int], Any] = lambda n: None,
) -> dict[str, Any]:
    """Erase a person on a site, up to ``most`` comments: ``{"erased", "left"}`` with their numbers. Final.

    Address, network, name, website and former texts are gone, also from webhooks that were not sent yet; the comments
    themselves by the site's setting ``erase_texts``. Replies of others stay where they are. The audit log keeps that
    it was done, by whom and when, not of whom. A comment a transaction: stopped half-way, it goes on the next time.
    Raises ``Invalid`` for what is no address, ``NotFound``, ``Forbidden``, ``Conflict`` where one keeps changing.
    """
    address = _address(email)
    erased = 0
    while most is None or erased < most:
        with read() as session:
            site = site_for(session, actor, site_key, Role.ADMIN)
            index = parts.vault.blind_index(site.id, address)
            ids = [row.id for row in people.comments_of_email(session, site.id, index, _step(most, erased))]
        if not ids:
            break
        for comment_id in ids:
            erase_comment(parts, site, comment_id, site_settings(site.settings).erase_texts, index)
            erased += 1
            done(1)
    with write() as session:
        subscriptions.forget_address(session, site.id, index)
        audit_line(parts, session, actor, site, "privacy.erase", "person", "", {"comments": erased})
        left = people.count_comments_of_email(session, site.id, index)
    return {"erased": erased, "left": left}


def _step(most: int | None, erased: int) -> int:
    return PAGE if most is None else min(PAGE, most - erased)


def erase_comment(
    parts: Parts, site: Site, comment_id: uuid.UUID, removes: bool, email_index: bytes | None = None
) -> bool:
    """Erase who wrote a comment, and with ``removes`` its text; False where it is gone, or not of this address now.

    Raises ``Conflict`` where it keeps changing.
    """
    for _ in range(_TRIES):
        now = parts.clock()
        with write() as session:
            comment = comments.comment_of_site(session, site.id, comment_id)
            if comment is None or email_index not in {None, comment.email_index}:
                return False
            make = empty_comment if removes else neutralise
            if make(session, parts, site, comment, now):
                people.forget_author(session, comment.author_id)
                return True
    raise Conflict(f"The comment {comment_id} keeps changing. Run this again: it goes on with it.")


def neutralise(session: Session, parts: Parts, site: Site, comment: Comment, now: datetime) -> bool:
    """Leave a comment its text and its place, and take from it who wrote it, in the caller's transaction.

    False where it moved on.
    """
    threads.lock_threads(session, [comment.thread_id])
    values = {
        **WITHOUT_AUTHOR,
        "author_name": ERASED_NAME,
        "author_proven": False,
        "version": comment.version + 1,
    }
    if not comments.move_comment(session, comment, State(comment.state), **values):
        return False
    # A signal may quote the name or the network. What stands for a group goes on standing for it.
    if comments.forget_signals(session, comment):
        comments.add_bands(session, site.id, comment.id, bands(comment.sketch or b""))
    comments.forget_revisions(session, comment)
    events.forget_comment(session, comment.id)
    notices.forget_comment(session, comment.id)
    changed = fresh(session, site.id, comment.id)
    if comment.shown:
        threads.touch_thread(session, comment.thread_id)
    events.tell(session, "comment.edited", site.key, thread_of(session, changed), changed, now)
    return True


# --- by the link to a comment ------------------------------------------------------------------------------------


def copy_of_comment(session: Session, site: Site, comment: Comment) -> dict[str, Any]:
    """What may be handed to whoever has proven to have written this comment, and no more than that.

    Not the address and the network themselves: the link proves who wrote the text, not whose address was typed. Not
    what the service thinks of the text, which would teach a spammer.
    """
    shown = _shown_all(session, [comment])[0]
    names = ("id", "thread", "parent_id", "created_at", "edited_at", "body", "body_html", "votes", "former_texts")
    return {
        "site": site.key,
        **{name: shown[name] for name in names},
        "author": {"name": comment.author_name, "url": comment.author_url},
        "kept_of_its_author": {
            "address": comment.email_sealed is not None,
            "network": bool(comment.ip_network or comment.network_key),
            "told_of_replies": subscriptions.is_watched_by_any(session, comment.id),
        },
    }


AUTHOR = Actor("author", "author", "the comment's author")


def erase_author(parts: Parts, site: Site, comment: Comment) -> None:
    """Take from one comment who wrote it, for its author, and leave the text. Raises ``Conflict`` where it moved on."""
    with write() as session:
        if not neutralise(session, parts, site, comment, parts.clock()):
            raise Conflict("The comment was changed at the same moment. Load it again.")
        people.forget_author(session, comment.author_id)
        audit_line(parts, session, AUTHOR, site, "privacy.erase", "comment", str(comment.id), {})


def _address(email: str) -> str:
    try:
        return canonical_email(email)
    except Invalid as error:
        raise Invalid({"email": [said for messages in error.fields.values() for said in messages]}) from None


def _shown_all(session: Session, page: list[Comment] | Any) -> list[dict[str, Any]]:
    ids = [comment.id for comment in page]
    authors = people.authors_by_id(session, [comment.author_id for comment in page])
    names = threads.thread_names(session, {comment.thread_id for comment in page})
    reveals = people.reveals_of(session, ids)
    shown = []
    for comment in page:
        thread, author = names[comment.thread_id], authors[comment.author_id]
        shown.append(
            {
                "id": comment.id,
                "thread": {"key": thread.key, "url": thread.url, "title": thread.title},
                "parent_id": comment.parent_id,
                "state": comment.state,
                "created_at": comment.created_at,
                "edited_at": comment.edited_at,
                "author": {
                    "name": comment.author_name,
                    "url": comment.author_url,
                    "approved": author.approved,
                    "rejected": author.rejected,
                    "spam": author.spam,
                },
                "network": comment.ip_network,
                "body": comment.body,
                "body_html": comment.body_html,
                "risk": comment.risk,
                "scores": comment.scores,
                "reasons": comment.reasons,
                "signals": [
                    {"name": signal.name, "weight": signal.weight, "evidence": signal.evidence}
                    for signal in comments.signals_of(session, comment.id)
                ],
                "votes": comment.votes,
                "reports": comment.reports,
                "decisions": [_decision(one) for one in decisions.decisions_of(session, comment.id, _SHOWN)],
                "former_texts": [
                    {"body": revision.body, "until": revision.created_at}
                    for revision in comments.revisions_of(session, comment.id, _SHOWN)
                ],
                "address_shown": [{"at": line.at, "reason": line.reason} for line in reveals.get(str(comment.id), ())],
            }
        )
    return shown


def _notices(kept: Subscription | None) -> dict[str, Any] | None:
    """Whether the address is asked, or told, of replies; the address itself is the one that was asked for."""
    return None if kept is None else {"state": kept.state, "asked_at": kept.asked_at, "until": kept.expires_at}


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "action": decision.action,
        "reason": decision.reason,
        "at": decision.created_at,
        "by": decision.actor_kind,
        "undone_at": decision.undone_at,
    }
