"""XML read as a stream of events, by defusedxml: no DTD, and so no entity of the file's own, is ever let in.

Memory does not grow with the file: text is kept for the elements that were asked for, up to a limit, and what
makes a parser wait for its end (a tag, a comment) may only be so long.
"""

import codecs
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml import DefusedXmlException
from defusedxml.expatreader import create_parser

from moderation.errors import Malformed
from moderation.formats.files import File
from moderation.formats.records import Repaired

MAX_FIELD_CHARS = 200_000
"""Kept of one element's text; ten times the longest comment that is stored, so that what was cut is too long anyway."""

MAX_SHORT_CHARS = 5_000
"""The same of an element that is no text of a comment."""

MAX_DEPTH = 64
MAX_NAMES, MAX_NAME_CHARS = 2_000, 200
"""Different names of elements, attributes and prefixes, and the length of one: the parser remembers them all."""

MAX_QUIET_BYTES = 4 * 2**20
"""Most bytes of one tag or comment."""

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""")

NameOf = Callable[[str | None, str], str]
"""The short name of an element from its namespace and local name."""


@dataclass(frozen=True, slots=True)
class Start:
    """An element begins."""

    line: int
    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """An element ends; ``text`` is its own text, where it is one of those asked for."""

    line: int
    name: str
    text: str


Event = Start | End | Repaired


def xml_events(
    file: File, name_of: NameOf, wanted: Collection[str], long: Collection[str], *, lenient: bool = False
) -> Iterator[Event]:
    """The events of a file. ``wanted`` are the short names of the elements whose text is kept, ``long`` those of them
    that hold the text of a comment.

    ``lenient`` takes out control characters and bytes that are not UTF-8, which programs let into their exports, and
    tells of it. Raises ``Malformed`` with the line for what is not well-formed, has a DTD, or is too deep.
    """
    handler = _Handler(name_of, {name: MAX_FIELD_CHARS if name in long else MAX_SHORT_CHARS for name in wanted})
    parser = create_parser(1, forbid_dtd=True)
    parser.setContentHandler(handler)
    handler.setDocumentLocator(parser)  # which feeding, unlike parsing whole files, leaves out
    chunks = _repaired(file.chunks()) if lenient else file.chunks()
    try:
        for chunk in chunks:
            if isinstance(chunk, Repaired):
                yield chunk
                continue
            handler.quiet += len(chunk)
            parser.feed(chunk)
            yield from handler.taken()
            if handler.quiet > MAX_QUIET_BYTES:
                raise _at(handler.line(), "a tag or comment has more than 4 MB")
        parser.close()
    except SAXParseException as error:
        hint = "" if lenient else "; --lenient mends control characters and bytes that are not UTF-8"
        raise _at(error.getLineNumber() or 0, f"it is not well-formed XML ({error.getMessage()}){hint}") from None
    except DefusedXmlException:
        raise _at(handler.line(), "it has a DTD or an entity, which no export has and nobody should open") from None
    yield from handler.taken()


def _at(line: int, fault: str) -> Malformed:
    return Malformed(f"Line {line}: {fault}.")


@dataclass
class _Handler(ContentHandler):
    name_of: NameOf
    wanted: Mapping[str, int]
    events: list[Event] = field(default_factory=list)
    quiet: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._locator: Any = None
        self._names: dict[tuple[str | None, str], str] = {}
        self._open: list[tuple[list[str] | None, str]] = []
        self._kept = 0

    def taken(self) -> list[Event]:
        """The events since it was last called."""
        events, self.events = self.events, []
        return events

    def line(self) -> int:
        """The line that the parser is at."""
        return (self._locator.getLineNumber() or 0) if self._locator else 0

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802 - SAX's name
        self._locator = locator

    def startElementNS(self, name: tuple[str | None, str], qname: str | None, attrs: Any) -> None:  # noqa: N802
        self.quiet = 0
        if len(self._open) == MAX_DEPTH:
            raise _at(self.line(), f"elements are more than {MAX_DEPTH} deep")
        short = self._short(name)
        self._open.append(([] if short in self.wanted else None, short))
        self._kept = 0
        given = {self._short(key): value for key, value in attrs.items()} if len(attrs) else {}
        self.events.append(Start(self.line(), short, given))

    def characters(self, content: str) -> None:
        self.quiet = 0
        text = self._open[-1][0] if self._open else None
        if text is not None and self._kept <= self.wanted[self._open[-1][1]]:
            text.append(content)
            self._kept += len(content)

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: N802
        self.quiet = 0
        text, short = self._open.pop()
        self.events.append(End(self.line(), short, "".join(text or ())))

    def startPrefixMapping(self, prefix: str | None, uri: str | None) -> None:  # noqa: N802
        self._short((None, f"xmlns:{prefix}"))

    def _short(self, name: tuple[str | None, str]) -> str:
        short = self._names.get(name)
        if short is None:
            if len(self._names) == MAX_NAMES or len(name[1]) > MAX_NAME_CHARS:
                raise _at(self.line(), "it has too many names of elements, or one that is too long")
            short = self._names[name] = self.name_of(*name)
        return short

    def processingInstruction(self, target: str, data: str) -> None:  # noqa: N802
        self.quiet = 0


def _repaired(chunks: Iterator[bytes]) -> Iterator[bytes | Repaired]:
    """UTF-8 without what XML forbids. What says that it has another encoding stays as it is."""
    line, decoder, is_utf8 = 1, codecs.getincrementaldecoder("utf-8")("replace"), None
    for chunk in chunks:
        if is_utf8 is None:
            is_utf8 = _says_utf8(chunk)
        if not is_utf8:
            yield chunk
            continue
        text = decoder.decode(chunk)
        yield from _clean(text, line)
        line += text.count("\n")
    if is_utf8:
        yield from _clean(decoder.decode(b"", final=True), line)


def _says_utf8(start: bytes) -> bool:
    declared = _ENCODING.search(start[:400])
    return not start.startswith((b"\xff\xfe", b"\xfe\xff")) and (
        declared is None or declared[1].lower() in {b"utf-8", b"utf8"}
    )


def _clean(text: str, line: int) -> Iterator[bytes | Repaired]:
    clean, controls = _CONTROLS.subn("", text)
    first = _CONTROLS.search(text)
    if first:
        yield Repaired(line + text.count("\n", 0, first.start()), "control characters left out", controls)
    replaced = text.count("\ufffd")
    if replaced:
        place = text.index("\ufffd")
        yield Repaired(line + text.count("\n", 0, place), "bytes that are not UTF-8 replaced", replaced)
    if clean:
        yield clean.encode()
