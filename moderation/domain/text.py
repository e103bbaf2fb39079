"""The one normalisation of what a reader typed, and its length as a reader sees it. Pure.

What is judged is what is stored is what is shown: everything after this works on its result. Applying it twice
changes nothing (a property test holds it to that), so that no path needs to know whether another was there before.
"""

import unicodedata
from dataclasses import dataclass

import regex

from moderation.errors import Invalid

MAX_MARKS = 4
"""Combining marks that may follow each other; living languages need three, stacks of them overprint other lines."""

MAX_MARKS_OF_STACKING_SCRIPTS = 8
"""The same where vowels, medials and subjoined letters are marks too (Burmese, Tibetan, Khmer, Tai Tham)."""

MAX_MARKS_READ = 30
"""Marks of a row that are put into order at all (UAX 15, section 13): to order n of them takes time squared in n."""

MAX_ISOLATES = 8
"""Depth of bidirectional isolates in one line. The Unicode algorithm (UAX 9) allows 125; people do not go past 2."""

_LINE_BREAKS = regex.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# The flags of England, Scotland and Wales are the only recommended sequences with tag characters (UTS 51, RGI).
_FLAGS = (
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067"
    "|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_NEVER_SHOWN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1, except tab and newline
    "\xad\u034f\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # soft hyphen, joiners of nothing, BOM
    "\u3164\uffa0"  # compatibility Hangul fillers, which only serve to look like nothing
    "\u202a-\u202e"  # bidirectional embeddings and overrides
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # musical format controls, tag characters
    r"\p{Noncharacter_Code_Point=Yes}"
)
_DROPPED = regex.compile(f"({_FLAGS})|[{_NEVER_SHOWN}]")
_DROPPED_IN_LINES = regex.compile(
    f"({_FLAGS})|[{_NEVER_SHOWN}\u061c\u115f\u1160\u180e\u200e\u200f\u2066-\u2069]|(?![\u200c\u200d])\\p{{Cf}}"
)
_ISOLATES = regex.compile("[\u2066-\u2069]")
_JOINERS = regex.compile("[\u200c\u200d]+")
_JOINS_BEFORE = regex.compile(r"[\p{L}\p{M}\p{Nd}\p{Extended_Pictographic}\p{Emoji_Modifier}\U000e007f]")
_JOINS_AFTER = regex.compile(r"[\p{L}\p{M}\p{Nd}\p{Extended_Pictographic}]")
_STACKING = r"\p{Myanmar}\p{Tibetan}\p{Khmer}\p{Tai_Tham}"
_MARK_RUNS = regex.compile(
    rf"((?:[\u200c\u200d]?[\p{{M}}--[{_STACKING}]]){{{MAX_MARKS}}})(?:[\u200c\u200d]?[\p{{M}}--[{_STACKING}]])+",
    regex.V1,
)
_LONG_MARK_RUNS = regex.compile(
    rf"((?:[\u200c\u200d]?\p{{M}}){{{MAX_MARKS_OF_STACKING_SCRIPTS}}})(?:[\u200c\u200d]?\p{{M}})+"
)
_ENDLESS_MARKS = regex.compile(rf"(\p{{M}}{{{MAX_MARKS_READ}}})\p{{M}}+")
_BLANK_START = regex.compile(r"\A[\s\p{M}\u115f\u1160\u2800\u200c\u200d]+")
_VISIBLE = regex.compile(r"[^\s\p{M}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]")
_SPACE = regex.compile(r"[\s\u115f\u1160\u2800]")
_SPACES = regex.compile(r"[\s\u115f\u1160\u2800]+")
_CLUSTER = regex.compile(r"\X")
_FLAG_LETTERS = regex.compile("[\U0001f1e6-\U0001f1ff]{2}")
_MAX_PASSES = 4


@dataclass(frozen=True, slots=True)
class Text:
    """A normalised body and how long it is for a reader.

    ``source`` is NFC; ``length`` counts grapheme clusters, so that a family emoji or a letter with its accents is 1.
    """

    source: str
    length: int


def read_body(raw: str) -> Text:
    """Normalise a comment's body and measure it. Raises as ``normalise_body`` does; does not judge the length."""
    source = normalise_body(raw)
    return Text(source, reader_length(source))


def normalise_body(raw: str) -> str:
    """Return ``raw`` as it will be judged, stored and shown: NFC, newlines as ``\\n``, nothing in it that hides.

    Removed are controls but tab and newline, BOM, noncharacters, tag characters (three flags excepted), invisible
    fillers, bidirectional embeddings and overrides, isolates in a line that does not close them, joiners that join
    nothing, combining marks after the fourth in a row, and blank around the whole. Text that shows nothing is "".

    Raises ``Invalid`` for ``body`` where there is a lone surrogate, which is no character and no database stores.
    """
    _refuse_surrogates(raw, "body")
    text = _LINE_BREAKS.sub("\n", raw)
    text = _DROPPED.sub(_kept_flag, text)
    text = "\n".join(map(_without_loose_isolates, text.split("\n"))) if _ISOLATES.search(text) else text
    return _trimmed(_settled(text))


def normalise_line(raw: str, field: str) -> str:
    """Return ``raw`` as one line for a name or a title: NFC, one space between words, no invisible or bidi control.

    Joiners stay where they join letters or emoji (Persian names need them). Text that shows nothing is "". Raises
    ``Invalid`` for ``field`` where there is a lone surrogate.
    """
    _refuse_surrogates(raw, field)
    text = _SPACES.sub(" ", _LINE_BREAKS.sub(" ", raw))
    text = _settled(_DROPPED_IN_LINES.sub(_kept_flag, text))
    return _trimmed(_SPACES.sub(" ", text))


def reader_length(text: str) -> int:
    """Count what a reader would call characters: extended grapheme clusters (UAX 29)."""
    if text.isascii():
        return len(text) - text.count("\r\n")
    # Each regional indicator makes the engine count back to the first of its row, which is quadratic; a letter
    # in the place of each pair breaks the row and leaves the count as it is.
    return sum(1 for _ in _CLUSTER.finditer(_FLAG_LETTERS.sub("x", text)))


def _refuse_surrogates(raw: str, field: str) -> None:
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise Invalid({field: ["Contains half of a character (a lone surrogate)."]}) from None


def _kept_flag(match: regex.Match[str]) -> str:
    return match[1] or ""


def _without_loose_isolates(line: str) -> str:
    """A line keeps its isolates only where each is closed in order: an open one would swallow what follows."""
    depth = 0
    for match in _ISOLATES.finditer(line):
        depth += -1 if match[0] == "\u2069" else 1
        if not 0 <= depth <= MAX_ISOLATES:
            break
    return line if depth == 0 else _ISOLATES.sub("", line)


def _settled(text: str) -> str:
    """NFC, joiners and marks, until nothing moves: a joiner that goes may let two characters compose."""
    text = _ENDLESS_MARKS.sub(r"\1", text)
    for _ in range(_MAX_PASSES):
        before, text = text, unicodedata.normalize("NFC", text)
        if text.isascii():
            return text
        text = _JOINERS.sub(_kept_joiner, text)
        text = _LONG_MARK_RUNS.sub(r"\1", _MARK_RUNS.sub(r"\1", text))
        if text == before:
            break
    return text


def _kept_joiner(match: regex.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    joins = start > 0 and _JOINS_BEFORE.match(text, start - 1) and _JOINS_AFTER.match(text, end)
    return match[0][0] if joins else ""


def _trimmed(text: str) -> str:
    if not _VISIBLE.search(text):
        return ""
    end = len(text)
    while _SPACE.match(text, end - 1):  # one at a time: a pattern anchored at the end would be quadratic
        end -= 1
    return _BLANK_START.sub("", text[:end])
