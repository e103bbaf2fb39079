"""The HTML of other systems as Markdown of ours, which then goes through the same renderer as any comment.

It decides what is kept of the look, never what is safe: whatever comes out is text, and ``adapters/sanitizer.py`` makes
the HTML of it. Kept are paragraphs, line breaks, emphasis, code, quotes, lists and links; a heading becomes bold, a
picture its address; of everything else the text alone. What only looks like Markdown in the original is escaped, so
that it stays what readers saw. Takes time in proportion to the text, whatever is in it.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from moderation.domain.links import safe_url

MAX_NESTING = 40
"""Tags within tags; deeper ones are passed over and their text kept."""

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)([^<>]*)>")
_ATTRIBUTE = re.compile(r"""(?:^|[\s/"'])(href|src)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE)
_MARKUP_LIKE = re.compile(r"</?(?:p|br|a|b|i|em|strong|blockquote|code|pre|ul|ol|li)\b[^<>]*>", re.IGNORECASE)

_SKIPPED = frozenset({"script", "style", "iframe", "object", "template", "noscript", "svg", "math", "title"})
_STRONG, _EM = frozenset({"strong", "b"}), frozenset({"em", "i"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LISTS = frozenset({"ul", "ol"})
_BLOCKS = frozenset({"p", "div", "blockquote", "pre", "li", "table", "tr", "section", "article", "dl", "dt", "dd"})
_BLOCKS |= _HEADINGS | _LISTS
_INLINE = _STRONG | _EM | {"a", "code", "tt", "kbd", "samp"}
_CODE = frozenset({"code", "tt", "kbd", "samp"})
_VOID = frozenset({"br", "hr", "img"})
_CLOSED_BY_THEMSELVES = {"p": frozenset({"p"}), "li": frozenset({"li"}), "tr": frozenset({"tr"})}

_URL = re.compile(r"(https?://[^\s<>]+)")
_NOT_BARE = re.compile(r"""[()*`\\\[\]]|(?<![^\W_])_|_(?![^\W_])|[.,;:!?'"]$""")
_TROUBLE = re.compile(r"[*`\\\[\]]|(?<![^\W_])_|_(?![^\W_])")
_BLANK = re.compile(r"[ \t\r\n\f]+")
_GAP = re.compile(r"[ \t]*\n[ \t]*\n\s*")
_LINE_END = re.compile(r"[ \t]*\n[ \t]*")
_SPECIAL = re.compile(r"\\(?=[!-/:-@\[-`{-~\n]|$)|`|\*|_|(?<=\])\(|<(?=https?:)")
_LINE_START = re.compile(r"(?m)^([ \t]*)(>|[-+*](?=[ \t]|$)|~~~)|^([ \t]*0{0,8}1)([.)])(?=[ \t]|$)")


@dataclass(slots=True)
class _Node:
    """An element with its children; ``target`` is the address of a link or picture."""

    tag: str
    target: str = ""
    children: list["_Node | str"] = field(default_factory=list)


def markdown_of(markup: str, *, lines: bool) -> str:
    """HTML as Markdown of the subset that the renderer knows. ``lines``: a new line in it is a line break."""
    return "\n\n".join(_blocks(_tree(_without_comments(markup)), lines))


def plain_of(markup: str, *, lines: bool) -> str:
    """The text of HTML alone, with its paragraphs and line breaks."""
    return "\n\n".join(_plain_blocks(_tree(_without_comments(markup)), lines))


def looks_like_html(text: str) -> bool:
    """Whether a text that should be Markdown has HTML in it, as what was imported there before."""
    return _MARKUP_LIKE.search(text) is not None


# --- HTML to a tree -------------------------------------------------------------------------------------------------


def _without_comments(markup: str) -> str:
    """Without comments, declarations and CDATA marks; a comment without an end hides nothing."""
    pieces, end = [], 0
    while (start := markup.find("<!--", end)) >= 0:
        close = markup.find("-->", start + 4)
        if close < 0:
            break
        pieces.append(markup[end:start])
        end = close + 3
    return "".join(pieces) + markup[end:]


def _tree(markup: str) -> _Node:
    root = _Node("")
    path = [root]
    end, skipped = 0, ""
    for tag in _TAG.finditer(markup):
        name = tag[2].lower()
        if skipped:
            if tag[1] and name == skipped:
                skipped, end = "", tag.end()
            continue
        _add_text(path, markup[end : tag.start()])
        end = tag.end()
        if tag[1]:
            _close(path, name)
        elif name in _SKIPPED:
            skipped = "" if tag[3].endswith("/") else name
        else:
            _open(path, name, tag[3])
    if not skipped:
        _add_text(path, markup[end:])
    return root


def _add_text(path: Sequence[_Node], raw: str) -> None:
    if raw:
        path[-1].children.append(html.unescape(raw))


def _open(path: list[_Node], name: str, attributes: str) -> None:
    if name in _BLOCKS:
        for closing in _CLOSED_BY_THEMSELVES.get(name, frozenset({"p"})):
            _close(path, closing, within=_LISTS | {"blockquote"})
    node = _Node(name, _target(attributes) if name in {"a", "img"} else "")
    if name in _VOID:
        path[-1].children.append(node)
    elif name in _BLOCKS | _INLINE and len(path) <= MAX_NESTING:
        path[-1].children.append(node)
        path.append(node)


def _close(path: list[_Node], name: str, within: frozenset[str] = frozenset()) -> None:
    """Close the innermost element of this name, if there is one before an element of ``within``."""
    for depth in range(len(path) - 1, 0, -1):
        if path[depth].tag == name:
            del path[depth:]
            return
        if path[depth].tag in within:
            return


def _target(attributes: str) -> str:
    found = _ATTRIBUTE.search(attributes)
    return safe_url(html.unescape(found[2].strip("\"'"))) or "" if found else ""


# --- a tree to Markdown ---------------------------------------------------------------------------------------------


def _blocks(node: _Node, lines: bool) -> list[str]:
    """The blocks of Markdown below a node."""
    found: list[str] = []
    for part in _parts(node):
        if isinstance(part, list):
            found += [_guarded(block) for block in _paragraphs(_inline(part, lines), lines)]
        elif part.tag == "pre":
            found.append(_fenced(_raw_text(part).strip("\n")))
        elif part.tag == "blockquote":
            found.append(_prefixed("\n\n".join(_blocks(part, lines)), "> ", "> "))
        elif part.tag in _LISTS:
            found.append(_list(part, lines))
        elif part.tag in _HEADINGS:
            found += [_guarded(_around(block, "**")) for block in _paragraphs(_inline(part.children, lines), lines)]
        else:
            found += _blocks(part, lines)
    return [block for block in found if block.strip()]


def _parts(node: _Node) -> Iterator["list[_Node | str] | _Node"]:
    """The children, those that are no blocks gathered in runs."""
    run: list[_Node | str] = []
    for child in node.children:
        if isinstance(child, _Node) and child.tag in _BLOCKS | {"hr"}:
            yield run
            yield child
            run = []
        elif isinstance(child, _Node) and child.tag in _INLINE and _holds_block(child):
            yield run
            yield _Node("div", "", child.children)  # a link or emphasis around whole paragraphs
            run = []
        else:
            run.append(child)
    yield run


def _holds_block(node: _Node) -> bool:
    return any(isinstance(child, _Node) and (child.tag in _BLOCKS or _holds_block(child)) for child in node.children)


def _list(node: _Node, lines: bool) -> str:
    items, number = [], 0
    for part in _parts(node):
        blocks = (
            _paragraphs(_inline(part, lines), lines)
            if isinstance(part, list)
            else _blocks(_Node("", "", [part]), lines)
        )
        if not any(block.strip() for block in blocks):
            continue
        number += 1
        mark = f"{number}. " if node.tag == "ol" else "- "
        items.append(_prefixed(_tight(blocks), mark, " " * len(mark)))
    return "\n".join(items)


def _tight(blocks: Sequence[str]) -> str:
    """The blocks of an item, a list right below its text, so that the text is no paragraph."""
    first, *others = (block for block in blocks if block.strip())
    return first + "".join(("\n" if block.startswith(("- ", "1. ")) else "\n\n") + block for block in others)


def _prefixed(block: str, first: str, others: str) -> str:
    lines = block.split("\n")
    return "\n".join(f"{others if i else first}{line}".rstrip() for i, line in enumerate(lines)) if block else ""


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}" if text.strip() else ""


def _paragraphs(text: str, lines: bool) -> list[str]:
    return [_LINE_END.sub("\n", block.strip()) for block in _GAP.split(text)]


def _guarded(block: str) -> str:
    """A paragraph whose lines begin nothing: no quote, list or fence that was not in the HTML."""
    return _LINE_START.sub(lambda found: f"{found[1] or ''}{found[3] or ''}\\{found[2] or found[4]}", block)


def _inline(children: Sequence["_Node | str"], lines: bool, *, in_link: bool = False) -> str:
    """The inline Markdown of some children, with a new line for each line break."""
    pieces: list[str] = []
    run: list[str] = []
    after_break = False
    for child in children:
        if isinstance(child, str):
            text = child.replace("\r\n", "\n").replace("\r", "\n") if lines else _BLANK.sub(" ", child)
            run.append(text.removeprefix("\n") if after_break else text)
            after_break = False
            continue
        pieces.append(_escaped("".join(run), in_link))
        run = []
        after_break = child.tag == "br"
        pieces.append(_element(child, lines, in_link))
    pieces.append(_escaped("".join(run), in_link))
    return "".join(_joined(pieces))


def _element(node: _Node, lines: bool, in_link: bool) -> str:
    if node.tag == "br":
        return "\n"
    if node.tag == "img":
        return f" {node.target} "
    if node.tag in _CODE:
        return _code(_BLANK.sub(" ", _raw_text(node)))
    is_link = node.tag == "a" and bool(node.target) and not in_link
    inner = _inline(node.children, lines, in_link=in_link or is_link)
    if node.tag in _STRONG:
        return _around(inner, "**")
    if node.tag in _EM:
        return _around(inner, "*")
    return _link(node, inner) if is_link else inner


def _link(node: _Node, inner: str) -> str:
    shown = _raw_text(node).strip()
    if shown in {node.target, node.target.removesuffix("/")} and not _needs_brackets(node.target):
        return node.target
    label = _LINE_END.sub(" ", inner.strip()).replace("[", r"\[").replace("]", r"\]")
    if not label:
        return node.target
    return f"[{label}](<{node.target}>)" if _needs_brackets(node.target) else f"[{label}]({node.target})"


def _needs_brackets(url: str) -> bool:
    """Whether Markdown would end the address too early, or see more than an address in it."""
    return _NOT_BARE.search(url) is not None


def _code(text: str) -> str:
    if not text.strip():
        return text
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _around(inner: str, mark: str) -> str:
    """``inner`` in emphasis, paragraph by paragraph, its outer blanks outside."""
    return "\n\n".join(_around_one(block, mark) for block in _GAP.split(inner))


def _around_one(block: str, mark: str) -> str:
    core = block.strip()
    is_so_already = core.startswith(mark) and core.endswith(mark) and (mark == "**" or not core.startswith("**"))
    if not core or is_so_already:
        return block
    if mark == "*" and "*" in {core[0], core[-1]}:
        mark = "_"
    start = len(block) - len(block.lstrip())
    return f"{block[:start]}{mark}{core}{mark}{block[start + len(core) :]}"


def _joined(pieces: Sequence[str]) -> Iterator[str]:
    """The pieces, but for emphasis that Markdown would not see where a letter touches its mark."""
    solid = [piece for piece in pieces if piece]
    for i, piece in enumerate(solid):
        mark = re.match(r"\*\*?|_", piece)
        if mark and piece.endswith(mark[0]) and len(piece) > 2 * len(mark[0]):
            inner = piece[len(mark[0]) : -len(mark[0])]
            before, after = solid[i - 1][-1:] if i else "", solid[i + 1][:1] if i + 1 < len(solid) else ""
            stuck = before.isalnum() or after.isalnum() if mark[0] == "_" else False
            if stuck or (before.isalnum() and not inner[0].isalnum()) or (after.isalnum() and not inner[-1].isalnum()):
                yield inner
                continue
        yield piece


def _escaped(text: str, in_link: bool) -> str:
    """Text without any meaning in Markdown; addresses become links, unless they stand in one."""
    if in_link:
        return _SPECIAL.sub(_escape, text)
    return "".join(_bare(piece) if i % 2 else _SPECIAL.sub(_escape, piece) for i, piece in enumerate(_URL.split(text)))


def _bare(url: str) -> str:
    """An address in the text, in brackets where Markdown would see emphasis in it."""
    if not _TROUBLE.search(url):
        return url
    core = url.rstrip(".,;:!?'\"")
    core = core[:-1] if core.endswith(")") and core.count("(") < core.count(")") else core
    return f"<{core}>{_SPECIAL.sub(_escape, url[len(core) :])}" if safe_url(core) else _SPECIAL.sub(_escape, url)


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    text, start = found.string, found.start()
    before, after = text[start - 1 : start], text[start + 1 : start + 2]
    if char == "_" and before.isalnum() and after.isalnum():
        return char
    if char in "*_" and (not before or before.isspace()) and (not after or after.isspace()):
        return char
    return f"\\{char}"


# --- text alone -----------------------------------------------------------------------------------------------------


def _raw_text(node: _Node) -> str:
    return "".join(
        child if isinstance(child, str) else "\n" if child.tag == "br" else _raw_text(child) for child in node.children
    )


def _plain_blocks(node: _Node, lines: bool) -> list[str]:
    found: list[str] = []
    for part in _parts(node):
        if isinstance(part, list):
            text = _raw_text(_Node("", "", part))
            found += _GAP.split(text) if lines else [_BLANK.sub(" ", line) for line in text.split("\n\n")]
        else:
            found += _plain_blocks(part, lines)
    return [block.strip() for block in found if block.strip()]
