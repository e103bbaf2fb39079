"""Feeds: the newest approved comments of a site or a thread. Nothing that is not public is ever read here."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from moderation.domain.text import normalise_line
from moderation.errors import NotFound
from moderation.services import threads
from moderation.services.cursors import read_cursor, write_cursor
from moderation.services.parts import Parts
from moderation.services.sites import known_site
from moderation.storage import comments
from moderation.storage.db import public_read
from moderation.storage.models import Comment, Site, Thread

ENTRIES = 50
"""Entries a page; further ones are behind the link ``next``."""

_SHAPE = "atom.1"
"""Part of every ETag: raise it when the form of a feed changes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A comment as an entry. ``answers``: how many shown ones are right below it, and when the newest was written."""

    comment_id: uuid.UUID
    parent_id: uuid.UUID | None
    author_name: str
    author_url: str | None
    published: datetime
    updated: datetime
    html: str
    thread_key: str
    thread_title: str
    page_url: str | None
    answers: tuple[int, datetime] | None


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed says. ``id`` is the same for as long as the site or thread is there; ``next`` a cursor."""

    id: uuid.UUID
    title: str
    link: str | None
    updated: datetime
    entries: list[Entry]
    next: str | None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """An answer as it goes out. ``body`` and ``changed_at`` None: the caller has it already (304)."""

    etag: str
    body: bytes | None
    cache_control: str
    changed_at: datetime | None = None


def written_feed(
    parts: Parts,
    site_key: str,
    thread_key: str | None,
    write: Callable[[Feed], bytes],
    cursor: str | None = None,
    if_none_match: str | None = None,
) -> FeedPage:
    """The feed of a site, or of a thread in which something is public, as ``write`` writes it.

    The ETag is strong; a 304 for a thread reads no comment. Raises ``NotFound`` for what is not there or has nothing
    public, ``Invalid`` for a cursor of another feed.
    """
    key = normalise_line(thread_key, "thread") if thread_key is not None else None
    cache = threads.cache_control(parts)
    with public_read() as session:
        site = known_site(session, site_key)
        thread = threads.public_thread(session, site.id, key) if key is not None else None
        if key is not None and thread is None:
            raise NotFound("thread")
        named = (_SHAPE, parts.settings.public_url, site.id.hex, str(site.version), cursor or "")
        if thread is not None:
            etag = f'"{threads.digest(*named, thread.id.hex, str(thread.version))}"'
            if threads.matches(if_none_match, etag):
                return FeedPage(etag, None, cache)
        listing = f"feed:{(thread or site).id.hex}"
        place = read_cursor(parts.vault, listing, cursor)
        rows = comments.newest_shown(session, site.id, thread.id if thread else None, ENTRIES + 1, place)
        shown = rows[:ENTRIES]
        if thread is None:
            # Whatever readers see of a comment or below it lets the version of its thread grow.
            seen = (f"{comment.id.hex}.{of.version}" for comment, of in rows)
            etag = f'"{threads.digest(*named, *seen)}"'
            if threads.matches(if_none_match, etag):
                return FeedPage(etag, None, cache)
        answers = comments.answers_shown(session, [comment.id for comment, _ in shown])
        entries = [_entry(comment, of, answers.get(comment.id)) for comment, of in shown]
        changed = max((_changed_at(comment) for comment, _ in shown), default=(thread or site).created_at)
        last = shown[-1][0] if len(rows) > ENTRIES else None
        following = write_cursor(parts.vault, listing, last.created_at, last.id) if last is not None else None
        feed = _feed(site, thread, changed, entries, following)
    return FeedPage(etag, write(feed), cache, changed)


def _feed(site: Site, thread: Thread | None, updated: datetime, entries: list[Entry], following: str | None) -> Feed:
    name = site.name or site.key
    return Feed(
        id=(thread or site).id,
        title=f"{name}: {thread.title or thread.key}" if thread else f"Comments on {name}",
        link=thread.url if thread else (site.origins[0] if site.origins else None),
        updated=updated,
        entries=entries,
        next=following,
    )


def _entry(comment: Comment, thread: Thread, answers: tuple[int, datetime] | None) -> Entry:
    return Entry(
        comment_id=comment.id,
        parent_id=comment.parent_id,
        author_name=comment.author_name,
        author_url=comment.author_url,
        published=comment.created_at,
        updated=comment.edited_at or comment.created_at,
        html=comment.body_html,
        thread_key=thread.key,
        thread_title=thread.title or thread.key,
        page_url=thread.url,
        answers=answers,
    )


def _changed_at(comment: Comment) -> datetime:
    """When readers last saw something new of it: written, edited, or approved."""
    return max(at for at in (comment.created_at, comment.edited_at, comment.decided_at) if at is not None)
