"""What readers' programs fetch: Atom feeds of approved comments, and the drawn pictures of authors."""

import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, render_template

from moderation.domain.identity import avatar_svg
from moderation.services import feeds
from moderation.web import guards, schemas
from moderation.web.calls import Calls, conditional, if_none_match
from moderation.web.public_api import cacheable

calls = Calls("feeds", "", "Feeds and pictures.")

FEED_TYPE = "application/atom+xml; charset=utf-8"
AVATAR_CACHE_S = 31_536_000
_AVATAR = re.compile(r"[A-Za-z0-9_-]{1,32}")
# XML 1.0 section 2.2 has no place for these, not even escaped; one of them makes the whole feed unreadable.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@calls.call(
    "GET", "/sites/<site:site>/feed.atom", query=schemas.FeedQuery, answer_type="application/atom+xml",
    doc={"x-etag": True},
)  # fmt: skip
def feed(site: str, query: dict[str, Any]) -> Response:
    """Read approved comments as Atom (RFC 4287), newest first, with threading (RFC 4685) and pages (RFC 5005).

    Ask again with `If-None-Match`; `Last-Modified` tells of what was added or edited, and not of what was taken away,
    so `If-Modified-Since` is not heeded.
    """
    page = feeds.written_feed(
        guards.parts(), site, query["thread"], _written(site, query), query["cursor"], if_none_match()
    )
    answer = cacheable(page.body, page.etag, page.cache_control, FEED_TYPE)
    if page.changed_at is not None:
        answer.last_modified = page.changed_at
    return answer


def _written(site: str, query: dict[str, Any]) -> Callable[[feeds.Feed], bytes]:
    """Writes a feed, with the addresses that only the web knows."""
    base = f"{guards.parts().settings.public_url}/sites/{site}"
    thread = {"thread": query["thread"]} if query["thread"] else {}

    def address(cursor: str | None = None) -> str:
        asked = urlencode({**thread, **({"cursor": cursor} if cursor else {})})
        return f"{base}/feed.atom{'?' if asked else ''}{asked}"

    def comment_address(entry: feeds.Entry, comment_id: uuid.UUID) -> str:
        page = entry.page_url or f"{base}/thread.html?{urlencode({'page': '1', 'thread': entry.thread_key})}"
        return f"{page.partition('#')[0]}#comment-{comment_id}"

    def write(content: feeds.Feed) -> bytes:
        text = render_template(
            "feed.atom.xml",
            feed=content,
            address=address,
            comment_address=comment_address,
            cursor=query["cursor"],
            clean=_clean,
        )
        return text.encode()

    return write


@calls.call("GET", "/avatars/<string(maxlength=40):name>", answer_type="image/svg+xml", doc={"x-etag": True})
def avatar(name: str) -> Response:
    """Show an author's picture, drawn from a keyed hash. It tells nothing about the address."""
    key = name.removesuffix(".svg")
    if key == name or not _AVATAR.fullmatch(key):
        abort(404)
    answer = conditional(
        avatar_svg(key.encode()).encode(), "image/svg+xml", f"public, max-age={AVATAR_CACHE_S}, immutable"
    )
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _clean(text: Any) -> str:
    return _NOT_XML.sub("\ufffd", str(text or ""))
