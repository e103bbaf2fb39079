"""The plain text of somebody else's HTML, with places that lead back to it: to be judged, never to be shown. Pure.

No parser of HTML but a reading in one pass, whose time grows with the length alone whatever stands in it.
"""

import html
import re
from bisect import bisect_right
from dataclasses import dataclass

from moderation.domain.links import safe_url

MAX_LINKS = 200
"""Links that are looked at; more say nothing new."""

_LOOKS_LIKE_HTML = re.compile(
    r"<(?:[a-z][a-z0-9]*[\s/>]|/[a-z]|!--)|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});", re.IGNORECASE
)
_URL = re.compile(r"(?:https?://|\bwww\.)[^\s<>\[\](){}\"'`|\\^]+", re.IGNORECASE)
_MARK = re.compile(r"<!--|</?[a-zA-Z]|<[!?]|&")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_INLINE_TAGS = """
a abbr b bdi bdo big cite code del em font i ins kbd mark q s small span strike strong sub sup tt u
"""
_INLINE = frozenset(_INLINE_TAGS.split())


@dataclass(frozen=True, slots=True)
class Plain:
    """What a reader would read of an HTML text, and its links.

    ``pieces``: where each run of characters of ``text`` begins in it and in the source, and whether it stands there as
    it is (else the whole run is one thing of the source, as an entity is, that ends at the next run's place).
    """

    text: str
    links: tuple[str, ...]
    pieces: tuple[tuple[int, int, bool], ...]
    length: int

    def source_of(self, at: int) -> int:
        """The place in the source of a place in the text, in code points."""
        number = bisect_right(self.pieces, at, key=lambda piece: piece[0]) - 1
        if number < 0:
            return self.length
        start, source, verbatim = self.pieces[number]
        return source + at - start if verbatim else source


def looks_like_html(text: str) -> bool:
    """Whether a text has tags or entities in it."""
    return _LOOKS_LIKE_HTML.search(text) is not None


def links_of_text(text: str) -> tuple[str, ...]:
    """The addresses that stand in a text, whatever its markup; at most ``MAX_LINKS``."""
    found: list[str] = []
    for match in _URL.finditer(text):
        url = match[0].rstrip(".,;:!?*_~")
        safe = safe_url(url if "://" in url else f"http://{url}")
        if safe is not None:
            found.append(safe)
        if len(found) == MAX_LINKS:
            break
    return tuple(found)


def plain_of_html(source: str) -> Plain:
    """The text of HTML: without tags, entities as characters, a new line where another block begins.

    What scripts, styles and comments hold stays in it: whoever hides a text there is judged by it too.
    """
    reading = _Reading(source)
    reading.run()
    return Plain("".join(reading.texts), tuple(reading.links), tuple(reading.pieces), len(source))


class _Reading:
    """One pass over a source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.texts: list[str] = []
        self.links: list[str] = []
        self.pieces: list[tuple[int, int, bool]] = []
        self._written = 0
        self._no_more = False

    def run(self) -> None:
        """Read it to the end."""
        at = 0
        while mark := _MARK.search(self.source, at):
            self._put(self.source[at : mark.start()], at, verbatim=True)
            at = self._entity(mark.start()) if mark[0] == "&" else self._tag(mark.start(), mark[0])
        self._put(self.source[at:], at, verbatim=True)
        self.pieces.append((self._written, len(self.source), True))

    def _put(self, text: str, source: int, *, verbatim: bool) -> None:
        if text:
            self.texts.append(text)
            self.pieces.append((self._written, source, verbatim))
            self._written += len(text)

    def _entity(self, at: int) -> int:
        entity = _ENTITY.match(self.source, at)
        if entity is None:
            self._put("&", at, verbatim=True)
            return at + 1
        read = html.unescape(entity[0])
        self._put(
            "".join(" " if "\ud800" <= char <= "\udfff" or char == "\x00" else char for char in read),
            at,
            verbatim=False,
        )
        return entity.end()

    def _tag(self, at: int, mark: str) -> int:
        """Read a tag, and give back where it ends. One without an end, and what a comment holds, is text."""
        end = at + len(mark) if mark == "<!--" else self._end_of_tag(at)
        if end is None:
            self._put(self.source[at : at + len(mark)], at, verbatim=True)
            return at + len(mark)
        name = _TAG_NAME.match(self.source, at)
        known = name[1].lower() if name else ""
        if known == "a" and mark[1] != "/":
            self._link(self.source[at:end])
        if known not in _INLINE:
            self._put("\n", at, verbatim=False)
        return end

    def _end_of_tag(self, at: int) -> int | None:
        """Behind the next ``>``. Once there is none, it is not looked for again, or time would be quadratic."""
        found = -1 if self._no_more else self.source.find(">", at)
        self._no_more = found < 0
        return None if self._no_more else found + 1

    def _link(self, tag: str) -> None:
        href = _HREF.search(tag)
        if href is None or len(self.links) >= MAX_LINKS:
            return
        url = safe_url(html.unescape(href[1] or href[2] or href[3] or ""))
        if url is not None:
            self.links.append(url)
