"""The matching copy of a text: what a reader sees, in one spelling, with offsets back to the source.

The copy is for comparing and is never shown. Width and case are folded, accents dropped, invisible characters dropped,
and Cyrillic or Greek letters that pass for Latin ones are replaced in words that mix the scripts. It is applied to both
sides of each comparison, so a rule in Russian still finds Russian. Leet and stretched letters are left alone here.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from itertools import accumulate

from moderation.domain.policy import Span

_LOOK_ALIKES = dict(
    zip(
        "аеорсухіѕјһԁԛԝѵӏкмтвнгαβεικνορτυχωϲϳ",
        "aeopcyxisjhdqwvlkmtbhrabeiknoptuxwcj",
        strict=True,
    )
)
"""Lower-case Cyrillic and Greek letters and the Latin ones that they (or their capitals) pass for. Unicode's
``confusables.txt`` (UTS 39) has these pairs, except в, к, м, н, т, which look alike as capitals only."""

_GIVE_AWAYS = "ѕјһԁԛԝѵӏϲϳ"
"""Letters so rare in living languages that a whole word of look-alikes with one of them is meant as Latin."""

_ALIKE = "".join(_LOOK_ALIKES)
_HAS_ALIKE = re.compile(f"[{_ALIKE}]")
# Possessive, and anchored at the start of a word: a word is read once, however long it is.
_FOREIGN_WORD = re.compile(r"(?<![^\W\d_])[a-z]*+[^\W\d_a-z][^\W\d_]*+")
_LATIN = re.compile("[a-z]")
_ALL_ALIKE = re.compile(f"[{_ALIKE}]++")
_GIVE_AWAY = re.compile(f"[{_GIVE_AWAYS}]")
_TO_LATIN = str.maketrans(_LOOK_ALIKES)

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(c) for c in range(0xFE00, 0xFE10)}
"""Characters that show nothing although Unicode's general category does not say so."""


class Folded:
    """A matching copy. ``text`` is the copy; ``span`` leads back to the source."""

    __slots__ = ("_starts", "source", "text")

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self.text = text
        self._starts: list[int] | None = None

    def span(self, start: int, end: int) -> Span:
        """The range of the source that ``text[start:end]`` was made from, with the marks on its last character."""
        if self.source.isascii() or start >= end:
            return Span(min(start, len(self.source)), min(end, len(self.source)))
        starts = self._offsets()
        first, last = bisect_right(starts, start) - 1, bisect_left(starts, end)
        while last < len(self.source) and unicodedata.category(self.source[last]) == "Mn":
            last += 1
        return Span(first, last)

    def _offsets(self) -> list[int]:
        """For each character of the source, where its copy starts. Made on the first hit only: most texts have none."""
        if self._starts is None:
            lengths = (len(_TABLE[ord(char)]) for char in self.source)
            self._starts = list(accumulate(lengths, initial=0))[:-1]
        return self._starts


def fold(source: str) -> Folded:
    """Make the matching copy of ``source``. Takes any string and does not raise; time is linear in the length."""
    if source.isascii():
        return Folded(source, source.lower())
    text = source.translate(_TABLE)
    if _HAS_ALIKE.search(text):
        text = _FOREIGN_WORD.sub(_as_meant, text)
    return Folded(source, text)


def fold_name(name: str) -> str:
    """The copy of a one-line text with outer blanks cut and inner ones made single, for comparing whole names."""
    return " ".join(fold(name).text.split())


def _as_meant(match: re.Match[str]) -> str:
    """The word with Latin letters for their look-alikes, where it mixes scripts or can only be meant as Latin."""
    word = match[0]
    if _LATIN.search(word) or (_GIVE_AWAY.search(word) and _ALL_ALIKE.fullmatch(word)):
        return word.translate(_TO_LATIN)
    return word


class _Table(dict[int, str]):
    """Code point to its copy, filled as characters are met: at most one entry for each code point of Unicode."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


def _fold_character(char: str) -> str:
    """NFKC, case and marks of one character.

    Only marks that sit on a letter without changing which letter it is are dropped: accents (combining class from 200)
    and the vowel points of Hebrew and Arabic (10 to 35). Indic vowel signs, Thai tones and kana voicing stay.
    """
    if char in _INVISIBLE or unicodedata.category(char) == "Cf":
        return ""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    kept = "".join(part for part in parts if not _is_accent(part))
    return unicodedata.normalize("NFC", kept)


def _is_accent(char: str) -> bool:
    place = unicodedata.combining(char)
    return place >= 200 or 10 <= place <= 35


_TABLE = _Table()
