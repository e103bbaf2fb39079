"""What readers read: the approved comments of a thread, counts, feeds. Nothing that is not public is ever read here."""

import gzip
import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from moderation.domain.comment import State
from moderation.domain.kept import Kept
from moderation.domain.proof import Demand
from moderation.domain.site import SiteSettings, site_settings
from moderation.domain.text import normalise_line
from moderation.domain.times import rfc3339, rfc3339_or_none
from moderation.errors import Invalid
from moderation.services.cursors import read_cursor, write_cursor
from moderation.services.parts import Parts
from moderation.services.sites import known_site
from moderation.storage import comments, threads
from moderation.storage.comments import Shown
from moderation.storage.db import public_read
from moderation.storage.models import Site, Thread
from moderation.storage.versions import Seen

SORTS = ("oldest", "newest", "top")
REPLIES_PER_ROOT = 50
"""Replies sent with each root; where there are more, ``more_replies`` is a cursor to them."""

MAX_COUNTED_THREADS = 100

_PACKED = 6
"""The level of compression: beyond it the bytes are hardly fewer, and the time is longer."""

_SHAPE = "1"
"""Part of every ETag: raise it when the answer's form changes."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer as it goes out. ``body`` None: the caller has it already (304).

    ``seen``: the versions with which it stays the same; None where that is not worth keeping.
    """

    etag: str
    body: bytes | None
    cache_control: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page of a thread is written from: its list, and what a page for people says beside it.

    ``url`` is the thread's own, of whatever origin; None before anything is public. ``answered``: the id and name of
    the shown comment that a reply is to be written to.
    """

    listed: dict[str, Any]
    url: str | None
    takes_replies: bool
    answered: tuple[uuid.UUID, str] | None
    origins: tuple[str, ...]
    settings: SiteSettings


Write = Callable[[Reading], bytes]


def list_comments(
    parts: Parts,
    site_key: str,
    thread_key: str,
    *,
    sort: str = "oldest",
    limit: int = 50,
    cursor: str | None = None,
    if_none_match: str | None = None,
    packed: bool = False,
) -> Page:
    """The approved comments of a thread, nested. A thread in which nothing is public yet is an empty one.

    ``packed``: by gzip, under an ETag of its own.

    The ETag is strong and changes with every change that a reader could see, and only then; a 304 costs two small
    queries. Raises ``NotFound`` for an unknown site, ``Invalid`` for a sort, limit or cursor that does not fit.
    """
    return written_list(
        parts,
        site_key,
        thread_key,
        _as_packed_json if packed else _as_json,
        form=("gzip",) if packed else (),
        sort=sort,
        limit=limit,
        cursor=cursor,
        if_none_match=if_none_match,
    )


def written_list(
    parts: Parts,
    site_key: str,
    thread_key: str,
    write: Write,
    *,
    form: Sequence[str] = (),
    reply_to: uuid.UUID | None = None,
    sort: str = "oldest",
    limit: int = 50,
    cursor: str | None = None,
    if_none_match: str | None = None,
) -> Page:
    """The same in the form that ``write`` gives it. ``form`` is all that its bytes depend on beside the list.

    A ``reply_to`` that is no shown comment of the thread counts as none.
    """
    _check(sort, limit)
    thread_key = normalise_line(thread_key, "thread")
    with public_read() as session:
        site = known_site(session, site_key)
        thread = public_thread(session, site.id, thread_key)
        listing = _listing(site.id, thread_key, sort)
        etag = _etag(site, thread, listing, str(limit), cursor or "", *form, *([str(reply_to)] if reply_to else ()))
        cache = cache_control(parts)
        # Else anybody could push out what is read, by names of threads that are not there, or a form for each comment.
        is_kept = thread is not None and reply_to is None
        seen = Seen(thread.id, site.version, thread.version) if thread is not None and is_kept else None
        if matches(if_none_match, etag):
            return Page(etag, None, cache, seen)
        known = _finished.get(etag)
        if known is not None:
            return Page(etag, known, cache, seen)
        body = _body(session, parts, site, thread, thread_key, sort, limit, cursor, listing)
        reading = _reading(session, site, thread, reply_to, body)
    finished = write(reading)
    if is_kept:
        _finished.keep(etag, finished)
    return Page(etag, finished, cache, seen)


def reply_form(parts: Parts, site_key: str, thread_key: str, parent_id: uuid.UUID | None) -> Reading:
    """What a form for a reply needs to know, without the list. Raises ``NotFound`` for an unknown site."""
    with public_read() as session:
        site = known_site(session, site_key)
        thread = public_thread(session, site.id, thread_key)
        return _reading(session, site, thread, parent_id, {})


def _as_json(reading: Reading) -> bytes:
    return orjson.dumps(reading.listed)


def _as_packed_json(reading: Reading) -> bytes:
    return gzip.compress(_as_json(reading), _PACKED, mtime=0)


def _reading(
    session: Session, site: Site, thread: Thread | None, reply_to: uuid.UUID | None, listed: dict[str, Any]
) -> Reading:
    settings = site_settings(site.settings)
    return Reading(
        listed=listed,
        url=thread.url if thread else None,
        takes_replies=thread.open if thread else settings.open_threads,
        answered=_answered(session, thread, reply_to) if thread and reply_to else None,
        origins=tuple(site.origins),
        settings=settings,
    )


def _answered(session: Session, thread: Thread, comment_id: uuid.UUID) -> tuple[uuid.UUID, str] | None:
    comment = comments.comment_of_site(session, thread.site_id, comment_id)
    if comment is None or comment.thread_id != thread.id or not comment.shown or comment.state != State.APPROVED.value:
        return None
    return comment.id, comment.author_name


def _cost(body: bytes) -> int:
    return len(body) + _ENTRY_BYTES


_ENTRY_BYTES = 300
"""What an entry takes beside its body, about: the ETag and its places in the dictionary."""

MAX_FINISHED_BYTES = 16 * 1024 * 1024
"""How much memory finished answers may take in one process."""

_finished: Kept[str, bytes] = Kept(MAX_FINISHED_BYTES, _cost)
"""Finished answers by their ETags. An ETag names the versions of the site and the thread that an answer was made of,
and it is made anew from the database for each request: an answer that is no longer true is never found.
"""


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether an ``If-None-Match`` header names the ETag (RFC 9110, 13.1.2: compared weakly)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


def count_comments(parts: Parts, site_key: str, keys: Sequence[str]) -> dict[str, Any]:
    """Approved counts of up to 100 threads; one that does not exist counts 0."""
    if not 1 <= len(keys) <= MAX_COUNTED_THREADS:
        raise Invalid({"thread": [f"Name 1 to {MAX_COUNTED_THREADS} threads."]})
    with public_read() as session:
        site = known_site(session, site_key)
        stored = {key: normalise_line(key, "thread") for key in keys}
        found = threads.approved_counts(session, site.id, list(stored.values()))
    return {"counts": {key: found.get(stored[key], 0) for key in keys}}


def _is_public(thread: Thread) -> bool:
    """Whether anything in the thread was ever approved, or a moderator changed it.

    Before that, its title and address are what the first sender typed, which nobody has looked at.
    """
    return thread.version > 1 or thread.approved > 0


def public_thread(session: Session, site_id: uuid.UUID, key: str) -> Thread | None:
    """The thread, if it is public: that something waits in another one is not the readers' to know."""
    thread = threads.thread_of_site(session, site_id, key)
    return thread if thread is not None and _is_public(thread) else None


def _check(sort: str, limit: int) -> None:
    if sort not in SORTS:
        raise Invalid({"sort": [f"It is one of: {', '.join(SORTS)}."]})
    if not 1 <= limit <= 100:
        raise Invalid({"limit": ["It is a whole number from 1 to 100."]})


def _listing(site_id: uuid.UUID, thread_key: str, sort: str) -> str:
    return digest(site_id.hex, thread_key, sort)


def digest(*values: str) -> str:
    joined = "".join(f"{len(value)}:{value}" for value in values)
    return hashlib.sha256(joined.encode()).hexdigest()[:32]


def _etag(site: Site, thread: Thread | None, *parameters: str) -> str:
    version = f"{thread.id.hex}.{thread.version}" if thread else "none"
    return f'"{digest(_SHAPE, site.id.hex, str(site.version), version, *parameters)}"'


def cache_control(parts: Parts) -> str:
    """Browsers ask again each time (a 304 is cheap); a shared cache may keep it for as long as the setting says."""
    return f"public, max-age=0, s-maxage={parts.settings.public_cache_s}, must-revalidate"


def _body(
    session: Session,
    parts: Parts,
    site: Site,
    thread: Thread | None,
    thread_key: str,
    sort: str,
    limit: int,
    cursor: str | None,
    listing: str,
) -> dict[str, Any]:
    head = {"key": thread_key, "title": thread.title if thread else None, "open": thread.open if thread else True}
    settings = site_settings(site.settings)
    asks = {"proof": True} if settings.proof_of_work != Demand.OFF else {}
    if thread is None:
        return {"thread": head, "total": 0, "next": None, "comments": [], **asks}
    branch = _branch_of_cursor(parts, listing, cursor)
    if branch is not None:
        rows = comments.more_replies(session, branch[0], limit=limit + 1, after=branch[1])
        nested = _nest([], rows[:limit], settings)
        next_cursor = _replies_cursor(parts, listing, rows[limit - 1]) if len(rows) > limit else None
        return {"thread": head, "total": thread.approved, "next": next_cursor, "comments": nested}
    place = read_cursor(parts.vault, listing, cursor)
    roots = comments.shown_roots(session, thread.id, sort=sort, limit=limit + 1, after=place)
    page = roots[:limit]
    replies = comments.shown_replies(session, [root.id for root in page], limit=REPLIES_PER_ROOT + 1)
    nested = _nest(page, _cut(page, replies), settings, _more(parts, listing, replies))
    return {
        "thread": head,
        "total": thread.approved,
        "next": _next(parts, listing, sort, page[-1]) if len(roots) > limit else None,
        "comments": nested,
        **asks,
    }


def _next(parts: Parts, listing: str, sort: str, last: Shown) -> str:
    return write_cursor(parts.vault, listing, last.votes if sort == "top" else last.created_at, last.id)


def _by_root(replies: Sequence[Shown]) -> dict[uuid.UUID, list[Shown]]:
    groups: dict[uuid.UUID, list[Shown]] = {}
    for reply in replies:
        groups.setdefault(reply.root_id, []).append(reply)
    return groups


def _cut(roots: Sequence[Shown], replies: Sequence[Shown]) -> list[Shown]:
    """Each root's replies without the one too many, which only tells that there are more."""
    groups = _by_root(replies)
    return [reply for root in roots for reply in groups.get(root.id, [])[:REPLIES_PER_ROOT]]


def _more(parts: Parts, listing: str, replies: Sequence[Shown]) -> dict[uuid.UUID, str]:
    return {
        root_id: _replies_cursor(parts, listing, group[REPLIES_PER_ROOT - 1])
        for root_id, group in _by_root(replies).items()
        if len(group) > REPLIES_PER_ROOT
    }


def _replies_cursor(parts: Parts, listing: str, last: Shown) -> str:
    """A cursor to the replies behind ``last``, below the same root: ``r.<root>.<signed place>``."""
    inner = write_cursor(parts.vault, f"{listing}:{last.root_id.hex}", last.created_at, last.id)
    return f"r.{last.root_id.hex}.{inner}"


def _branch_of_cursor(
    parts: Parts, listing: str, cursor: str | None
) -> tuple[uuid.UUID, tuple[datetime, uuid.UUID]] | None:
    if cursor is None or not cursor.startswith("r."):
        return None
    _, root_hex, inner = [*cursor.split(".", 2), "", ""][:3]
    place = read_cursor(parts.vault, f"{listing}:{root_hex}", inner)
    return (uuid.UUID(hex=root_hex), place) if place is not None else None


def _nest(
    roots: Sequence[Shown],
    replies: Sequence[Shown],
    settings: SiteSettings,
    more: dict[uuid.UUID, str] | None = None,
) -> list[dict[str, Any]]:
    """Hang each reply on its parent; deeper ones than the site's depth hang on the deepest level allowed.

    Without roots (a page of further replies), what does not find its parent on the page stands at the top of it.
    """
    top: list[dict[str, Any]] = []
    places: dict[uuid.UUID, tuple[dict[str, Any], int]] = {}
    for comment in [*roots, *replies]:
        node = _public(comment)
        parent = places.get(comment.parent_id) if comment.parent_id else None
        if parent is None and comment.parent_id is not None:
            parent = places.get(comment.root_id)
        siblings, depth = (top, 0) if parent is None else (parent[0]["replies"], parent[1] + 1)
        siblings.append(node)
        # At the deepest level an answer's answers become its siblings.
        anchor = parent if parent is not None and depth >= settings.max_depth else (node, depth)
        places[comment.id] = anchor
        if more and comment.id in more:
            node["more_replies"] = more[comment.id]
    return top


def _public(comment: Shown) -> dict[str, Any]:
    return {
        "id": str(comment.id),
        "parent_id": str(comment.parent_id) if comment.parent_id else None,
        "author": {
            "name": comment.author_name,
            "url": comment.author_url,
            "avatar": f"/avatars/{comment.avatar}.svg",
        },
        "body_html": comment.body_html,
        "created_at": rfc3339(comment.created_at),
        "edited_at": rfc3339_or_none(comment.edited_at),
        "votes": comment.votes,
        "deleted": comment.state == State.DELETED.value,
        "replies": [],
        "more_replies": None,
    }
