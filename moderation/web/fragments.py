"""A thread for readers without script: HTML to be put into a page by its server or an edge cache, or a page of its own.

The bytes are kept and validated as those of the JSON list are: by the versions of site and thread, read anew for each
request. What a reader may have changed in an article's address (a cursor, the comment to reply to) is never an error
here, since an error would stand in the middle of the article.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Response, render_template
from markupsafe import Markup

from moderation.errors import Invalid, StorageUnavailable
from moderation.services import threads
from moderation.services.threads import SORTS, Page, Reading
from moderation.web import forms, guards, replay, schemas
from moderation.web.calls import Calls, if_none_match
from moderation.web.public_api import cacheable
from moderation.web.texts import Texts, texts

calls = Calls("fragments", "", "For pages without script: a thread as HTML.")

TYPE = "text/html; charset=utf-8"
_SHAPE = "html.1"
"""Part of every ETag: raise it when a template or a text changes."""

_OF_READER = ("cursor", "reply_to", "comment")
"""Names in the query of an article's address that its server passes on."""

_HELD = "pending"


@calls.call(
    "GET", "/sites/<site:site>/thread.html", query=schemas.ThreadPageQuery, answer_type="text/html",
    doc={"x-etag": True, "x-html": True},
)  # fmt: skip
def read_thread(site: str, query: dict[str, Any]) -> Response:
    """Read a thread as HTML: a fragment for server-side or edge includes, or with `page=1` a whole page.

    The list is that of the API, with the same freshness: a strong `ETag`, 304, `Cache-Control`. With `form=1` it has a
    form for replies that works without script and leads back to `url`. Links to further replies and to the form lead
    to the page of its own; with `within=1` into the page at `url`, with `cursor` and `reply_to` in their query, which
    that page passes on, as it does `comment`.
    """
    try:
        page = thread_page(site, query, if_none_match())
    except StorageUnavailable as error:
        if query["page"] == "1":
            raise
        return _away(error, texts(query["lang"]))
    answer = cacheable(page.body, page.etag, page.cache_control, TYPE)
    if query["page"] == "1":
        guards.let_frame(answer, guards.site_origins(site))
    replay.rests_on(page.seen)
    return answer


def fragment(site: str, **query: Any) -> Markup:
    """The fragment for a page of ours. Raises as ``services.threads.written_list`` does."""
    page = thread_page(site, {**_USUAL, **query}, None)
    return Markup((page.body or b"").decode())  # noqa: S704 (written by our own templates)


def thread_page(site: str, query: Mapping[str, Any], known: str | None) -> Page:
    """The thread as ``query`` (of ``schemas.ThreadPageQuery``) asks for it; ``known`` is an ``If-None-Match``."""
    try:
        return _written(site, query, known)
    except Invalid as error:
        if "cursor" not in error.fields:
            raise
    return _written(site, {**query, "cursor": ""}, known)


def _written(site: str, query: Mapping[str, Any], known: str | None) -> Page:
    settings = guards.parts().settings
    of_service = (_SHAPE, settings.public_url, str(settings.has_mail))
    told = ("page", "form", "lang", "url", "within", "title")
    return threads.written_list(
        guards.parts(),
        site,
        query["thread"],
        lambda reading: _html(site, query, reading).encode(),
        form=(*of_service, *(query[name] for name in told), str(query["comment"] == _HELD)),
        reply_to=_id(query["reply_to"]),
        sort=query["sort"],
        limit=query["limit"],
        cursor=query["cursor"] or None,
        if_none_match=known,
    )


def _html(site: str, query: Mapping[str, Any], reading: Reading) -> str:
    # The key as it is kept: two ways to write it have one ETag, so they have the same bytes.
    query = {**query, "thread": reading.listed["thread"]["key"]}
    t = texts(query["lang"])
    article = _article(query["url"], reading)
    links = _Links.of(site, query, article)
    has_form = query["form"] == "1"
    form = None
    if has_form and reading.takes_replies:
        typed = {
            "thread": query["thread"],
            "thread_title": query["title"],
            "thread_url": article or "",
            "return_to": article or "",
            "comment_parent": str(reading.answered[0]) if reading.answered else "",
            "lang": query["lang"],
        }
        form = forms.ReplyForm.of(site, typed, reading, cancel=links.cancel() if reading.answered else None)
    html = render_template(
        "plain/fragment.html",
        listed=reading.listed,
        t=t,
        links=links,
        takes_replies=reading.takes_replies,
        has_form=has_form,
        form=form,
        is_held=query["comment"] == _HELD,
    )
    return _page(site, html, query, reading, article, links, t) if query["page"] == "1" else html


def _page(
    site: str,
    html: str,
    query: Mapping[str, Any],
    reading: Reading,
    article: str | None,
    links: "_Links",
    t: Texts,
) -> str:
    listed = reading.listed
    feed = f"{guards.parts().settings.public_url}/sites/{site}/feed.atom?{urlencode({'thread': query['thread']})}"
    orders = [sort for sort in SORTS if sort != "top" or reading.settings.votes] if listed["total"] else []
    return render_template(
        "plain/page.html",
        fragment=Markup(html),  # noqa: S704 (written by our own template)
        title=listed["thread"]["title"],
        article=article,
        feed=feed if listed["total"] else None,
        orders=[(sort, links.sorted_by(sort), sort == query["sort"]) for sort in orders],
        t=t,
    )


def _article(url: str | None, reading: Reading) -> str | None:
    """The address of the article: as the query says, which has to be on an origin of the site, or as is known."""
    if not url:
        return forms.own_address(reading.url, reading.origins)
    own = forms.own_address(url, reading.origins)
    if own is None:
        raise Invalid({"url": ["It is not on one of the site's origins."]})
    return own.partition("#")[0]


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _away(error: StorageUnavailable, t: Texts) -> Response:
    answer = Response(render_template("plain/away.html", t=t), status=error.status, content_type=TYPE)
    answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


@dataclass(frozen=True, slots=True)
class _Links:
    """Where the links of a thread lead: into the page around it, or to the page of its own."""

    address: str
    query: tuple[tuple[str, str], ...]
    sort: str
    cursor: str | None
    is_own_page: bool

    @classmethod
    def of(cls, site: str, query: Mapping[str, Any], article: str | None) -> "_Links":
        """The links for a query; ``article`` is the page around it, where it is known."""
        if query["within"] == "1" and query["page"] != "1" and article is not None:
            split = urlsplit(article)
            address = split._replace(query="", fragment="").geturl()
            kept = [pair for pair in parse_qsl(split.query, keep_blank_values=True) if pair[0] not in _OF_READER]
        else:
            address = f"{guards.parts().settings.public_url}/sites/{site}/thread.html"
            kept = [("page", "1"), *((name, str(query[name])) for name in _KEPT if query[name] != _USUAL.get(name))]
        return cls(address, tuple(kept), query["sort"], query["cursor"] or None, query["page"] == "1")

    @property
    def is_further(self) -> bool:
        """Whether this is not the first page of the thread."""
        return self.cursor is not None

    @property
    def target(self) -> Markup:
        """In a frame, what stays within it."""
        return Markup(' target="_self"') if self.is_own_page else Markup()

    def reply(self, comment_id: str) -> str:
        """To the form, as a reply to a comment."""
        return self._to("respond", cursor=self.cursor, reply_to=comment_id)

    def cancel(self) -> str:
        """To the form, as a reply to none."""
        return self._to("respond", cursor=self.cursor)

    def page(self, cursor: str) -> str:
        """To further comments."""
        return self._to("moderation-thread", cursor=cursor)

    def start(self) -> str:
        """To the first comments."""
        return self._to("moderation-thread")

    def sorted_by(self, sort: str) -> str:
        """To the same in another order."""
        return self._to("", sort=sort)

    def _to(self, anchor: str, **more: str | None) -> str:
        kept = [pair for pair in self.query if pair[0] not in more]
        query = urlencode([*kept, *((name, value) for name, value in more.items() if value)])
        return f"{self.address}{'?' if query else ''}{query}{'#' if anchor else ''}{anchor}"


_KEPT = ("thread", "sort", "limit", "form", "lang", "url", "title")
"""What a page of its own keeps of its query, where it is not as usual."""

_USUAL = {name: field.load_default for name, field in schemas.ThreadPageQuery().fields.items()}
