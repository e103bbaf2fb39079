"""What readers' programs fetch: Atom feeds of approved comments, and the drawn pictures of authors."""

import re
from typing import Any

from flask import Response, abort, render_template

from moderation.domain.identity import avatar_svg
from moderation.services import threads
from moderation.web import guards, schemas
from moderation.web.calls import Calls, conditional

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
    """Read approved comments as Atom (RFC 4287) with the threading extension (RFC 4685)."""
    content = threads.feed(guards.parts(), site, query["thread"])
    parts = guards.parts()
    self_url = f"{parts.settings.public_url}/sites/{site}/feed.atom"
    text = render_template("feed.atom.xml", feed=content, self_url=self_url, query=query, clean=_clean)
    return conditional(text.encode(), FEED_TYPE, f"public, max-age={parts.settings.public_cache_s}")


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
