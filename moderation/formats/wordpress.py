"""WordPress' WXR, the file of its own exporter and importer, which Disqus imports, too.

Reading: comments with their pages; pingbacks, trackbacks and what plugins keep among the comments are left out.
Writing: what both importers take. Spam and deleted comments are not in it, as WordPress' own exporter leaves spam out.
Beside the HTML stands our source, as a comment's meta value, so that an import of it here gives back what was typed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from moderation.domain.comment import State
from moderation.errors import Malformed
from moderation.formats.files import File
from moderation.formats.records import Faulty, Item, LeftOut, Markup, OwnComment, OwnThread, Page, Record, Repaired
from moderation.formats.values import sql_time, whole
from moderation.formats.xml_events import End, Event, Start, xml_events

SOURCE_META, VOTES_META, KEY_META = "_moderation_source", "_moderation_votes", "_moderation_thread"

_NAMESPACE = re.compile(r"http://wordpress\.org/export/[0-9.]{1,5}/")
_STATES = {
    **dict.fromkeys(("1", "approve", "approved"), State.APPROVED),
    **dict.fromkeys(("0", "hold", "unapproved"), State.PENDING),
    "spam": State.SPAM,
    **dict.fromkeys(("trash", "post-trashed"), State.TRASHED),
}
_WRITTEN = {
    State.APPROVED: "1",
    State.PENDING: "0",
    State.ESCALATED: "0",
    State.TRASHED: "trash",
    State.REJECTED: "trash",
}
_OF_PAGE = frozenset({"title", "link", "wp:post_id", "wp:post_date_gmt", "wp:post_date", "wp:comment_status"})
_OF_COMMENT = "id author author_email author_url author_IP date date_gmt content approved type parent"
_COMMENT_FIELDS = frozenset(f"wp:comment_{name}" for name in _OF_COMMENT.split())
_META = frozenset({"wp:meta_key", "wp:meta_value"})
_WANTED = _OF_PAGE | _COMMENT_FIELDS | _META | {"wp:base_blog_url", "wp:base_site_url"}
_LONG = frozenset({"wp:comment_content", "wp:meta_value"})
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def carried(state: State) -> bool:
    """Whether comments in this state are written."""
    return state in _WRITTEN


# --- reading --------------------------------------------------------------------------------------------------------


class WordPress:
    """A WXR file being read."""

    def __init__(self, file: File, *, lenient: bool = False) -> None:
        self._file, self._lenient = file, lenient
        self.size = file.size
        self.origin, self.unit = "", "Line"

    @property
    def done(self) -> int:
        """Bytes read."""
        return self._file.done

    def items(self) -> Iterator[Item]:
        """The comments in the order of the file. Raises ``Malformed`` for what is no WXR."""
        state = _State()
        for event in xml_events(self._file, _name, _WANTED, _LONG, lenient=self._lenient):
            if isinstance(event, Repaired):
                yield event
                continue
            item = state.take(event)
            self.origin = state.origin
            if item is not None:
                yield item
        if not state.is_wxr:
            raise Malformed("It is no WordPress export: there is no element of WordPress' in it.")


def _name(namespace: str | None, local: str) -> str:
    if namespace is None:
        return local
    return f"wp:{local}" if _NAMESPACE.fullmatch(namespace) else f"other:{local}"


@dataclass(slots=True)
class _State:
    """What is known at one place of the file."""

    origin: str = ""
    is_wxr: bool = False
    page: dict[str, str] = field(default_factory=dict)
    comment: dict[str, str] | None = None
    line: int = 0
    meta: dict[str, str] = field(default_factory=dict)
    in_item: bool = False

    def take(self, event: Event) -> Item | None:
        """Go on by one event; what is complete with it."""
        if isinstance(event, Start):
            self._start(event)
            return None
        return self._end(event) if isinstance(event, End) else None

    def _start(self, event: Start) -> None:
        self.is_wxr = self.is_wxr or event.name.startswith("wp:")
        if event.name == "item":
            self.page, self.in_item = {}, True
        elif event.name == "wp:comment":
            self.comment, self.line = {}, event.line
        elif event.name in {"wp:commentmeta", "wp:postmeta"}:
            self.meta = {}

    def _end(self, event: End) -> Item | None:
        name, text = event.name, event.text
        if name == "wp:comment" and self.comment is not None:
            comment, self.comment = self.comment, None
            return _item(comment, self.page, self.line)
        if name == "item":
            self.in_item = False
        elif name in _META:
            self.meta[name] = text
        elif name in {"wp:commentmeta", "wp:postmeta"}:
            self._keep_meta(self.comment if name == "wp:commentmeta" else self.page)
        elif self.comment is not None:
            if name in _COMMENT_FIELDS:
                self.comment[name] = text
        elif self.in_item and name in _OF_PAGE:
            self.page.setdefault(name, text)
        elif name in {"wp:base_blog_url", "wp:base_site_url"}:
            self.origin = text.strip() if name == "wp:base_blog_url" or not self.origin else self.origin
        return None

    def _keep_meta(self, owner: dict[str, str] | None) -> None:
        key = self.meta.get("wp:meta_key", "").strip()
        if owner is not None and key in {SOURCE_META, VOTES_META, KEY_META}:
            owner[key] = self.meta.get("wp:meta_value", "")


def _item(comment: dict[str, str], page: dict[str, str], line: int) -> Item:
    def get(name: str) -> str:
        return comment.get(f"wp:comment_{name}", "").strip()

    kind = get("type")
    if kind not in {"", "comment"}:
        return LeftOut(line, kind if kind in {"pingback", "trackback"} else "what a plugin keeps among the comments")
    if whole(get("id")) is None:
        return Faulty(line, "a comment has no comment_id that is a number")
    state = _STATES.get(get("approved"))
    if state is None:
        return Faulty(line, "a comment's comment_approved is none of 0, 1, spam, trash")
    created_at = sql_time(get("date_gmt")) or sql_time(get("date"))
    if created_at is None:
        return Faulty(line, "a comment has no comment_date_gmt like 2026-01-31 12:00:00")
    return Record(
        line=line,
        id=str(whole(get("id"))),
        parent=_parent(get("parent")),
        page=_page(page),
        name=get("author"),
        email=get("author_email"),
        website=get("author_url"),
        ip=get("author_IP"),
        text=comment.get("wp:comment_content", "").strip("\n"),
        markup=Markup.LINES,
        state=state,
        created_at=created_at,
        votes=whole(comment.get(VOTES_META, "")) or 0,
        source=comment.get(SOURCE_META),
    )


def _parent(text: str) -> str | None:
    number = whole(text)
    return str(number) if number else None


def _page(page: dict[str, str]) -> Page:
    return Page(
        url=page.get("link", "").strip(),
        id=page.get("wp:post_id", "").strip(),
        title=page.get("title", ""),
        is_open=page.get("wp:comment_status", "open").strip() != "closed",
        created_at=sql_time(page.get("wp:post_date_gmt", "")) or sql_time(page.get("wp:post_date", "")),
        key=page.get(KEY_META),
    )


def content_of(html: str) -> str:
    """HTML of our renderer as WordPress keeps comments: blank lines for paragraphs, new lines for breaks.

    WordPress takes ``p`` and ``br`` out of comments, and makes them anew when it shows one.
    """
    for tag, line in (("<p>", ""), ("</p>\n", "\n\n"), ("</p>", ""), ("<br>\n", "\n")):
        html = html.replace(tag, line)
    return html


# --- writing --------------------------------------------------------------------------------------------------------


def write_wordpress(
    title: str, url: str, comments: Iterable[OwnComment], number_of: Callable[[OwnComment], tuple[int, int]]
) -> Iterator[str]:
    """A WXR file of comments that come thread by thread; ``number_of``: a comment's number and its parent's, or 0."""
    yield _HEAD.format(title=escape(_xml(title)), url=escape(_xml(url)))
    thread, posts = None, 0
    for comment in comments:
        if not carried(comment.state):
            continue
        if comment.thread is not thread:
            if thread is not None:
                yield _ITEM_END
            thread, posts = comment.thread, posts + 1
            yield _item_start(thread, posts)
        yield _comment(comment, *number_of(comment))
    yield (_ITEM_END if thread is not None else "") + _FOOT


_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"
\txmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
\txmlns:content="http://purl.org/rss/1.0/modules/content/"
\txmlns:dsq="http://www.disqus.com/"
\txmlns:dc="http://purl.org/dc/elements/1.1/"
\txmlns:wp="http://wordpress.org/export/1.2/">
<channel>
\t<title>{title}</title>
\t<link>{url}</link>
\t<description></description>
\t<wp:wxr_version>1.2</wp:wxr_version>
\t<wp:base_site_url>{url}</wp:base_site_url>
\t<wp:base_blog_url>{url}</wp:base_blog_url>
"""
_TAB = "\t"
_ITEM_END = "\t</item>\n"
_FOOT = "</channel>\n</rss>\n"


def _item_start(thread: OwnThread, number: int) -> str:
    at = _time(thread.created_at)
    fields = (
        ("title", _cdata(thread.title or thread.key)),
        ("link", escape(_xml(thread.url or ""))),
        ("pubDate", format_datetime(thread.created_at.replace(microsecond=0))),
        ("dc:creator", _cdata("comments")),
        ("guid", escape(_xml(thread.key)), ' isPermaLink="false"'),
        ("description", ""),
        ("content:encoded", _cdata("")),
        ("excerpt:encoded", _cdata("")),
        ("dsq:thread_identifier", _cdata(thread.key)),
        ("wp:post_id", str(number)),
        ("wp:post_date", at),
        ("wp:post_date_gmt", at),
        ("wp:comment_status", "open" if thread.is_open else "closed"),
        ("wp:ping_status", "closed"),
        ("wp:post_name", escape(_slug(thread.key))),
        ("wp:status", "publish"),
        ("wp:post_parent", "0"),
        ("wp:menu_order", "0"),
        ("wp:post_type", "post"),
        ("wp:post_password", ""),
        ("wp:is_sticky", "0"),
    )
    lines = "".join(_element(2, *one) for one in fields)
    return f"\t<item>\n{lines}{_meta(2, 'wp:postmeta', KEY_META, thread.key)}"


def _comment(comment: OwnComment, number: int, parent: int) -> str:
    at = _time(comment.created_at)
    fields = (
        ("id", str(number)),
        ("author", _cdata(comment.author_name)),
        ("author_email", _cdata(comment.email or "")),
        ("author_url", escape(_xml(comment.author_url or ""))),
        ("author_IP", escape(comment.ip_network.partition("/")[0])),
        ("date", at),
        ("date_gmt", at),
        ("content", _cdata(content_of(comment.body_html))),
        ("approved", _WRITTEN[comment.state]),
        ("type", "comment"),
        ("parent", str(parent)),
        ("user_id", "0"),
    )
    lines = "".join(_element(3, f"wp:comment_{name}", text) for name, text in fields)
    metas = _meta(3, "wp:commentmeta", SOURCE_META, comment.body)
    if comment.votes:
        metas += _meta(3, "wp:commentmeta", VOTES_META, str(comment.votes))
    return f"\t\t<wp:comment>\n{lines}{metas}\t\t</wp:comment>\n"


def _element(depth: int, name: str, text: str, attributes: str = "") -> str:
    return f"{_TAB * depth}<{name}{attributes}>{text}</{name}>\n"


def _meta(depth: int, name: str, key: str, value: str) -> str:
    inner = _element(depth + 1, "wp:meta_key", key) + _element(depth + 1, "wp:meta_value", _cdata(value))
    return f"{_TAB * depth}<{name}>\n{inner}{_TAB * depth}</{name}>\n"


def _cdata(text: str) -> str:
    return f"<![CDATA[{_xml(text).replace(']]>', ']]]]><![CDATA[>')}]]>"


def _xml(text: str) -> str:
    """Without what XML 1.0 has no way to write."""
    return _NOT_XML.sub("", text)


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _slug(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[-200:]
