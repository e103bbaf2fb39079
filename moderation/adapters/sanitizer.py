"""Markdown to safe HTML; the only file that imports bleach and nh3.

::

    body -> normalised -> Markdown subset -> the engine (bleach or nh3), with our rule for links inside it
         -> read once more against the grammar of our own output -> final; nothing changes it after this

Paragraphs, emphasis, code, quotes, lists and links; one newline is a line break, and a bare ``https://...`` is a link.
Everything else that Markdown knows stays the text that was typed. So do raw HTML, entities and link definitions, all
of which would show something else than what was judged. For the same reason nothing is hidden: the title of a link
stands behind it, a link without text shows its address, and words after the fence of a code block are its first line.
"""

import html
import re
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import bleach
import nh3
from bleach.html5lib_shim import Filter  # type: ignore[attr-defined]
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt, helpers
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, blockquote, list_block
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from moderation.domain.links import safe_url
from moderation.domain.text import normalise_body, normalise_line
from moderation.errors import Bug, Invalid

MAX_BODY_CHARS = 10_000
"""Longest body in code points, whatever a site allows; the time limits below were measured at this size."""

MAX_HTML_CHARS = 65_536
"""Longest result. Markdown can grow tenfold (a list of links), and each reader of the thread receives it."""

MAX_HTML_TAGS = 4_000
"""Most tags in the result, opening and closing: bleach takes some 60 µs for each. Prose of full length has 200."""

MAX_NESTING = 8
"""Depth of quotes (a list counts twice), and of emphasis within emphasis; what is deeper stays the text it was."""

MAX_LINK_MARKS = 100
"""Times that ``[`` or ``://`` may occur for links to be made at all: both cost time squared in the Markdown parser."""

MAX_LABEL_CHARS = 500
"""How far the parser looks for the ``]`` of a link; without it each ``[`` is followed to the end of the paragraph."""

TAGS = frozenset({"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "strong", "ul"})
REL = "nofollow ugc noopener noreferrer"

MAX_PLAIN_CHARS = 20_000
"""Longest text that ``plain`` takes; it is what the database keeps of one."""

MAX_PLAIN_HTML_CHARS = 100_000
"""Longest result of ``plain``; the same."""

RULES_VERSION = 1
"""Goes up with every release in which this file changes a result, so that stored HTML can be rendered again."""

_Engine = Literal["bleach", "nh3"]
_BARE_LINK = f'<a rel="{REL}">'
_TAG = re.compile(rf'<(?:(br)|a href="([^"<>]+)" rel="{REL}"|(/?)(blockquote|code|em|li|ol|p|pre|strong|ul)|(/a))>')
_ENTITY = re.compile(r"&(#?[0-9A-Za-z]+);")
_BLOCKS = re.compile(r"\n{2,}")
_LANGUAGE = re.compile(r"[\w+#.-]{0,20}")
_ORDERED = re.compile(r"[0-9]+[.)]")
_ORDERED_FROM_ONE = re.compile(r"0*1[.)]")


class Renderer:
    """Renders the bodies of comments by one of two engines, with equal results. Safe to share between threads."""

    def __init__(self, engine: _Engine | str = "bleach") -> None:
        """``engine`` is ``"bleach"`` or ``"nh3"``; anything else is a ``Bug``, since the settings refuse it first."""
        if engine not in _ENGINES:
            raise Bug(f"There is no sanitizer called '{engine}'.")
        self._parts = _Parts(_ENGINES[engine])
        self.version = f"md{_major('markdown-it-py')}+{engine}{version(engine)}+{RULES_VERSION}"

    def html(self, body: str) -> str:
        """Return ``body``, which is Markdown, as the HTML that is stored and shown. "" for a blank body.

        Raises ``Invalid`` for ``body``: over ``MAX_BODY_CHARS``, or over ``MAX_HTML_CHARS`` or ``MAX_HTML_TAGS``
        when rendered. A body that is not normalised yet is normalised first. Takes at most 0.5 s at the limits.
        """
        source = _not_too_long(normalise_body(_not_too_long(body)))  # NFC may treble the length
        final = _as_prose(source) or self.sanitized(_within_limit(self._rendered(source)))
        if links_if_safe(final) is None:
            final = _as_plain_text(source)
        return _within_limit(final)

    @property
    def plain_version(self) -> str:
        """The version of what ``plain`` makes."""
        return f"plain+{RULES_VERSION}"

    def plain(self, body: str) -> str:
        """Return ``body`` as paragraphs and line breaks of plain text, for what is too long for ``html``.

        Comments that come from elsewhere may be: up to ``MAX_PLAIN_CHARS``. Raises ``Invalid`` for ``body`` beyond it,
        or over ``MAX_PLAIN_HTML_CHARS``. A body that is not normalised yet is normalised first.
        """
        source = normalise_body(body)
        final = "\n".join(_as_plain_text(block).replace("\n", "<br>\n") for block in _BLOCKS.split(source) if block)
        if len(source) > MAX_PLAIN_CHARS or len(final) > MAX_PLAIN_HTML_CHARS:
            raise Invalid({"body": [f"Longer than {MAX_PLAIN_CHARS} characters."]})
        return final

    def sanitized(self, markup: str) -> str:
        """Return what the engine, with our rule for links, leaves of any HTML. Its result is a fixed point of it.

        For the tests and ``html``; takes no Markdown, has no limit of time or size.
        """
        return self._parts.engine.clean(markup)

    def links(self, html: str) -> list[str]:
        """The targets of the links in a result of ``html``, in order, repeats included.

        Raises ``Bug`` for HTML that ``html`` cannot have made.
        """
        found = links_if_safe(html)
        if found is None:
            raise Bug("This HTML is not a result of the renderer.")
        return found

    def _rendered(self, source: str) -> str:
        markdown = self._parts.markdown if _may_have_links(source) else self._parts.linkless
        return str(markdown.render(source)).strip()


_PROSE = re.compile(r"[^\W\d_](?:[^\W_]|[ ,;?!'()-]|\.(?= |\Z)|:(?= ))*(?<! )")
"""A paragraph in which no character means anything, to Markdown, to the finder of links, or to HTML."""


def _as_prose(source: str) -> str | None:
    """What the parser and the engine would make of a text without any markup, in a hundredth of their time; else None.

    ``source`` is normalised.
    """
    blocks = source.split("\n\n")
    if not all(_PROSE.fullmatch(block) for block in blocks):
        return None
    return "\n".join(f"<p>{block}</p>" for block in blocks)


class _Parts(threading.local):
    """Each thread's own, made when it first asks: bleach's parser and linkify-it keep state in themselves."""

    def __init__(self, engine: "type[_Bleach] | type[_Nh3]") -> None:
        self.engine = engine()
        self.markdown = _markdown()
        self.linkless = _markdown().disable(["linkify", "autolink", "link"])


def _may_have_links(source: str) -> bool:
    return source.count("[") + source.count("://") <= MAX_LINK_MARKS


def links_if_safe(final: str) -> list[str] | None:
    """Read ``final`` against the grammar of our own output: its links in order, or None where it is anything else.

    The grammar is far narrower than HTML (each tag has one spelling, all are closed in order, no ``<`` or ``>``
    outside them, every ``href`` is a fixed point of ``safe_url``), so it leaves nothing for parsers to differ on.
    """
    links: list[str] = []
    open_tags: list[str] = []
    end = 0
    for tag in _TAG.finditer(final):
        if _has_angle(final[end : tag.start()]) or not _fits(tag, open_tags, links):
            return None
        end = tag.end()
    return None if open_tags or _has_angle(final[end:]) else links


def _fits(tag: re.Match[str], open_tags: list[str], links: list[str]) -> bool:
    is_break, href, slash, name, link_end = tag.groups()
    if is_break:
        return True
    if slash or link_end:
        return bool(open_tags) and open_tags.pop() == (name or "a")
    if href is not None:
        url = html.unescape(href)
        links.append(url)
        if _href(url) != url or "a" in open_tags:
            return False
    open_tags.append(name or "a")
    return True


def _href(url: str) -> str | None:
    """``url`` as it may stand in an ``href``, by ``safe_url``.

    A ``;`` that would end an entity is escaped: in attributes, bleach's serializer takes ``&amp;lt;`` for ``&lt;``.
    """
    return safe_url(_ENTITY.sub(r"&\1%3B", url))


def _has_angle(text: str) -> bool:
    return "<" in text or ">" in text


def _not_too_long(body: str) -> str:
    if len(body) > MAX_BODY_CHARS:
        raise Invalid({"body": [f"Longer than {MAX_BODY_CHARS} characters."]})
    return body


def _within_limit(markup: str) -> str:
    if len(markup) > MAX_HTML_CHARS or markup.count("<") > MAX_HTML_TAGS:
        raise Invalid({"body": ["Too much markup: rendered, it is over the limit."]})
    return markup


def _as_plain_text(source: str) -> str:
    return f"<p>{_escaped(source)}</p>"


def _escaped(text: str) -> str:
    """Escape as an HTML serializer does (no quotes outside attributes), so that a sanitizer finds nothing to change."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\xa0", "&nbsp;")


# --- engines ---------------------------------------------------------------------------------------------------


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Our rule for attributes: an ``href`` of ``a`` that is a safe URL, our own ``rel``, and nothing else."""
    if (tag, name) == ("a", "href"):
        return _href(value)
    return REL if (tag, name) == ("a", "rel") else None


class _LinkFilter(Filter):  # type: ignore[misc]
    """Takes the ``a`` from links that bleach left without a safe target, and sets ``rel`` on the others.

    html5lib streams tokens, and HTML never nests links, so that one flag is state enough.
    """

    def __iter__(self) -> Iterator[dict[str, Any]]:
        is_dropped = False
        for token in super().__iter__():
            if token.get("name") != "a":
                yield token
            elif token["type"] == "StartTag":
                url = _href(html.unescape(token["data"].get((None, "href"), "")))
                is_dropped = url is None
                if url:
                    yield {**token, "data": {(None, "href"): url, (None, "rel"): REL}}
            elif not is_dropped:
                yield token


class _Bleach:
    """bleach 6.4 checks a scheme loosely (``javascript:1``, ``//host``), so ``_attribute`` decides, not it."""

    def __init__(self) -> None:
        self._cleaner = bleach.Cleaner(
            tags=TAGS,
            attributes=lambda tag, name, value: _attribute(tag, name, html.unescape(value)) is not None,
            protocols={"http", "https"},
            strip=True,
            strip_comments=True,
            filters=[_LinkFilter],
        )

    def clean(self, text: str) -> str:
        return self._cleaner.clean(text)


class _Nh3:
    """nh3 keeps an ``a`` whose ``href`` it drops, so such HTML goes through it twice, the tag taken out between."""

    def __init__(self) -> None:
        self._cleaner = nh3.Cleaner(
            tags=set(TAGS),
            clean_content_tags={"script", "style"},
            attributes={"a": {"href"}},
            attribute_filter=_attribute,
            url_schemes={"http", "https"},
            link_rel=REL,
        )

    def clean(self, text: str) -> str:
        cleaned = self._cleaner.clean(text)
        if _BARE_LINK in cleaned:
            cleaned = self._cleaner.clean(cleaned.replace(_BARE_LINK, ""))
        return cleaned


_ENGINES: dict[str, type[_Bleach] | type[_Nh3]] = {"bleach": _Bleach, "nh3": _Nh3}


# --- the Markdown subset ---------------------------------------------------------------------------------------


class _Html(RendererHTML):
    """Writes tags without any attribute but ``href``, and text as a serializer would."""

    __output__: ClassVar[str] = "html"

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return _escaped(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<code>{_escaped(tokens[idx].content)}</code>"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        info = tokens[idx].info.strip()
        first_line = "" if _LANGUAGE.fullmatch(info) else info + "\n"
        return f"<pre><code>{_escaped(first_line + tokens[idx].content)}</code></pre>\n"

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<a href="{_escaped(str(tokens[idx].attrs["href"]))}">'

    def ordered_list_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "<ol>\n"


def _markdown() -> MarkdownIt:
    """An own instance: the subset by allow-list, our links rule, our renderer."""
    md = MarkdownIt("zero", {"breaks": True, "linkify": True, "maxNesting": 100}, renderer_cls=_Html)
    md.enable(["blockquote", "fence", "list", "linkify"])
    md.enable(["autolink", "backticks", "emphasis", "escape", "link", "newline", "balance_pairs", "fragments_join"])
    md.block.ruler.at("blockquote", _quote, {"alt": ["paragraph", "blockquote", "list"]})
    md.block.ruler.at("list", _list, {"alt": ["paragraph", "blockquote"]})
    md.core.ruler.push("shallow_emphasis", _shallow_emphasis)
    md.core.ruler.push("whole_links", _whole_links)
    md.helpers = SimpleNamespace(**{**vars(helpers), "parseLinkLabel": _label_end})  # type: ignore[assignment]
    md.normalizeLink = lambda url: _href(url) or ""  # type: ignore[method-assign]
    md.validateLink = bool  # type: ignore[method-assign, assignment]
    md.normalizeLinkText = str  # type: ignore[method-assign, assignment]
    md.linkify = LinkifyIt({"ftp:": None, "mailto:": None, "//": None}, {"fuzzy_link": False, "fuzzy_email": False})
    return md


def _quote(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    return state.level < MAX_NESTING and blockquote(state, start_line, end_line, silent)


def _list(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A list, unless too deep or its numbers do not start at 1: "2024. A good year" must stay 2024."""
    start = state.bMarks[start_line] + state.tShift[start_line]
    if not silent and _ORDERED.match(state.src, start) and not _ORDERED_FROM_ONE.match(state.src, start):
        return False
    return state.level < MAX_NESTING and list_block(state, start_line, end_line, silent)


def _label_end(state: StateInline, start: int, disable_nested: bool = False) -> int:
    """The parser's own, within ``MAX_LABEL_CHARS``. What it learns of backticks there does not hold for the rest."""
    whole, scanned, backticks = state.posMax, state.backticksScanned, dict(state.backticks)
    state.posMax = min(whole, start + MAX_LABEL_CHARS)
    end = helpers.parseLinkLabel(state, start, disable_nested)
    state.posMax, state.backticksScanned, state.backticks = whole, scanned, backticks
    return end


def _shallow_emphasis(state: StateCore) -> None:
    for token in state.tokens:
        depth = 0
        for child in token.children or ():
            if child.type not in {"em_open", "em_close", "strong_open", "strong_close"}:
                continue
            depth += max(child.nesting, 0)
            is_deep = depth > MAX_NESTING
            depth += min(child.nesting, 0)
            if is_deep:
                child.type, child.tag, child.nesting, child.content = "text", "", 0, child.markup


def _whole_links(state: StateCore) -> None:
    for token in state.tokens:
        if token.children and any(child.type == "link_open" for child in token.children):
            token.children = list(_with_whole_links(token.children))


def _with_whole_links(tokens: Sequence[Token]) -> Iterator[Token]:
    """Links do not nest, so that the last one opened is the one that closes."""
    link, label = Token("link_open", "a", 1), ""
    for token in tokens:
        if token.type == "link_open":
            link, label = token, ""
        label += token.content
        is_end = token.type == "link_close"
        if is_end and not normalise_line(label, "body"):
            yield Token("text", "", 0, content=str(link.attrs["href"]))
        yield token
        if is_end and (title := normalise_line(str(link.attrs.get("title", "")), "body")):
            yield Token("text", "", 0, content=f" ({title})")


def _major(package: str) -> str:
    return version(package).split(".", 1)[0]
