"""The matching copy of a text: what a reader sees, in one spelling, with offsets back to the source.

The copy is for comparing and is never shown; model, words and patterns share it. It is applied to both sides of each
comparison, so a rule in Russian still finds Russian, and a rule for "4chan" still finds "4chan". In order:

1. Width and case are folded; accents, overlays and invisible characters dropped; Cyrillic, Greek, Armenian and Cherokee
   letters that pass for Latin ones replaced in words that mix the scripts.
2. Letters that stand apart are joined (``s h i t``, ``f.u.c.k``): four of them between blanks, slashes or bars, three
   between other signs. Three with a dot behind each are an abbreviation (``U.S.A.``), and ``a b c d`` is a list.
3. A letter that stands three times or more stands twice (``fuuuck``, ``asss``); ``Folded.readings`` has the copies with
   such letters once. Three of a kind alone (``KKK``) and Roman numbers stay.
4. Digits and signs in words of letters are read as letters (``1d10t``, ``sh!t``, ``a$$``). Numbers with a unit
   (``4th``, ``5km``), digits at the end (``covid19``, ``mp3``) and sums of money stay.

Nothing is changed by 2 to 4 inside of links and addresses, nor in other scripts, save that stretched letters are cut in
Cyrillic, Greek and Armenian. A letter that is not there (``f*ck``) cannot be restored here.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate

from moderation.domain.policy import Span

# --- one character: width, case, marks, look-alikes ------------------------------------------------------------------

_LOOK_ALIKES = dict(
    zip(
        "аеорсухіѕјһԁԛԝѵӏкмтвнгьүөҽαβεικνορτυχωϲϳσγοսօոհցզᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ",
        "aeopcyxisjhdqwvlkmtbhrbyoeabeiknoptuxwcjoyouonhgqabcdeghijklmprstvwz",
        strict=True,
    )
)
"""Letters of other scripts, folded, and the Latin ones that they (or their capitals) pass for. Unicode's
``confusables.txt`` (UTS 39) has most of these pairs; в, к, м, н, т look alike as capitals only."""

_GIVE_AWAYS = "ѕјһԁԛԝѵӏϲϳ"
"""Letters so rare in living languages that a whole word of look-alikes with one of them is meant as Latin."""

_LATIN_VARIANTS = dict(
    zip(
        "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢɑɡıøłđħŧƒɗɛʋɾʂℓ",
        "abcdefghijklmnoprstuvwyzagioldhtfdeursl",
        strict=True,
    )
)
"""Latin letters that Unicode does not decompose: small capitals, and letters with a stroke or a hook."""

_ALIKE = "".join(_LOOK_ALIKES)
_HAS_ALIKE = re.compile(f"[{_ALIKE}]")
# Possessive, and anchored at the start of a word: a word is read once, however long it is.
_FOREIGN_WORD = re.compile(r"(?<![^\W\d_])[a-z]*+[^\W\d_a-z][^\W\d_]*+")
_LATIN = re.compile("[a-z]")
_ALL_ALIKE = re.compile(f"[{_ALIKE}]++")
_GIVE_AWAY = re.compile(f"[{_GIVE_AWAYS}]")
_TO_LATIN = str.maketrans(_LOOK_ALIKES)

_SELECTORS = (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(code) for code in _SELECTORS}
"""Characters that show nothing although Unicode's general category does not say so."""

_BADGES = {first + n: chr(ord("a") + n) for first in (0x1F150, 0x1F170) for n in range(26)}
"""White letters in black circles and squares, which Unicode does not decompose."""

_PUNCTUATION = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\xa0": " "}
"""Typographic signs and those of a typewriter."""

_LATIN_TABLE = str.maketrans(_LATIN_VARIANTS) | str.maketrans(_PUNCTUATION) | _BADGES | {0x2800: " "}

# --- a whole text: letters apart, stretched letters, leet ------------------------------------------------------------

_LETTERS = "a-z\xdf-\u024f\u0370-\u058f"
"""Letters of the alphabets that are written in disguise by these tricks: Latin, Greek, Cyrillic, Armenian."""

_SIGNS = "@$!|€£¥¢¡"
"""Signs that stand for letters."""

_LEET = str.maketrans("01345679@$!|€£¥¢¡", "oieasgtgasiielyci")

_UNTOUCHED = re.compile(
    r"(?:https?://|www\.)[^\s<>\"]++|(?<![\w.+\-@$!|])[\w.+-]{1,64}@[\w-]{1,63}\.\w[\w.-]*+(?![:@$!|])"
)
_ONE = rf"[{_LETTERS}](?![^\W_])"
_ONE_OR_LEET = rf"[{_LETTERS}013457$@!](?![^\W_])"
_APART = re.compile(
    rf"(?<![^\W_])(?<!\w'){_ONE}(?P<sep>(?:[^\S\n]|[.\-_*/|~+]){{1,3}}){_ONE_OR_LEET}(?:(?P=sep){_ONE_OR_LEET})+"
)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

_STRETCHED = re.compile(rf"([{_LETTERS}])\1\1+")
_ROMAN = re.compile(r"\b(?=[ivxlcdm])m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})\b")
_LONGEST_ROMAN = 15
_VOWELS = frozenset("aeiouyаеиоуыэюяαεηιουω")

_MIXED = re.compile(rf"(?<![^\W_])(?<![{_SIGNS}])[^\W\d_]*+[\d{_SIGNS}](?:[^\W_]|[{_SIGNS}])*+")
# Two letters at least, or one and two signs ("a$$"); 2 and 8 stand for no letter, and 6 and 9 only when doubled.
_READABLE = re.compile(
    rf"(?!.*\d\d\d)(?=[^a-z]*+[a-z](?:[^a-z]*+[a-z]|[$@]{{2}})|[$@]{{2}}[a-z])(?:[a-z013457{_SIGNS}]|66(?!6)|99(?!9))*+"
)
_UNITS = (
    "days? years? weeks? months? hours? hrs? mins? minutes? secs? seconds? times? stars? people men women percent pct "
    "miles? feet foot inch(?:es)? million billion trillion points? euros? dollars? pounds? bucks? cents? way pack ball "
    "page part steps? yr yrs yrold yo mph kmh kph fps lbs? kg gb mb tb mhz ghz some fold day chan ers? th"
)
_SPARED = re.compile(
    r"[$€£¥¢]?\d[\d.,]*[a-z]{0,2}"  # 4th, 5km, $20, $5k
    rf"|[$€£¥]?\d+(?:{'|'.join(_UNITS.split())})"  # 5stars, 100percent
    r"|\d\d+[a-z]+"  # 24hour: a number and a word
    r"|[a-z]+\d+s?"  # covid19, mp3s
    r"|[a-z]\d\d+[a-z]|(?:[a-z]\d){2,}"  # i18n; h1n1, c3p0
    r"|\d(?:[a-z]\d)+"  # 4x4
    r"|(?:us|au|ca|nz|hk|r|c|a)\$|\$(?:us|aus?|ca|nz|hk)d?"  # US$
)
# What may stand before such a sign. "Wow!That" lacks a blank, "[[a page|its name]]" is markup, "@ana" is a name.
_EXCLAIMING = "wow yes no hey lol omg oh ok hi bye yay nah man haha thx boo hah aw ah so go"
_EXCLAIMED = frozenset(_EXCLAIMING.split())
_FITS = (
    ("@", re.compile(r"[^@]{1,4}@|@(?:ss|nal|nus|rse|.*[@$!].)")),
    ("!", re.compile(r"[^!]{1,3}!..|[^!]{2,3}!.|[^!]*(?:sh!t|b!tch)(?:s|es|y|ty|ed|ted|er|ter|ing|ting|head)?$")),
    ("|", re.compile(r"[^|]\|[^|]{2,5}$|[^|]{2}\|[^|]{1,5}$")),
)

_KINDS = bytearray(b" " * 256)
for _characters, _kind in ((_ALPHABET, b"a"), ("0123456789", b"0"), ("$@", b"$"), ("!|", b"!"), ("'", b"'")):
    for _character in _characters.encode():
        _KINDS[_character] = _kind[0]
_ASCII_KINDS = bytes(_KINDS)
_KINDS[ord("?")] = _KINDS[ord("a")]
_OTHER_KINDS = bytes(_KINDS)
"""Kinds of characters: letter, digit, two kinds of signs, apostrophe, anything else. In texts with other letters than
ASCII, a question mark stands for each of these and passes for a letter."""

_LEET_APART = re.compile(r"\ba( {1,3})[0$!]\1a|[$!]a( {1,3})a\2a")
_OTHER_SIGN = re.compile(r"[^\w\x00-\x7f]|\?")
_NO_LEET = bytes(code for code in range(256) if _OTHER_KINDS[code] in b"a '")
_ODD_SIGN = re.compile("[€£¥¢¡]")


class Folded:
    """A matching copy. ``text`` is the copy; ``span`` leads back to the source.

    ``plain`` is the text of step 1: as typed, but for width, case, marks and look-alikes.
    """

    __slots__ = ("_even", "_kept", "_readings", "_starts", "plain", "source", "text")

    def __init__(
        self, source: str, plain: str, text: str | None = None, kept: Sequence[int] | None = None, *, even: bool
    ) -> None:
        self.source = source
        self.plain = plain
        self.text = plain if text is None else text
        self._even = even  # whether each character of ``plain`` stands where it stands in the source
        self._kept = kept  # for each character of the copy its place in ``plain``; None: the same place
        self._starts: list[int] | None = None
        self._readings: tuple[Folded, ...] | None = None

    @property
    def differs(self) -> bool:
        """Whether the copy is more than the source in small letters."""
        return self.text is not self.plain or (not self.source.isascii() and self.text != self.source.lower())

    @property
    def readings(self) -> tuple["Folded", ...]:
        """All copies to look for listed words in: this one alone for nearly all texts, four at most.

        Where letters were stretched, also those with one of each, and with one of each vowel: so "fuuuck" (``fuuck``,
        ``fuck``), "asss" (``ass``, ``as``) and "asssshooole" (``asshole`` is the third) are all found. Where a disguise
        was taken off, also ``plain``, in case that it was none.
        """
        if self.text is self.plain:
            return (self,)
        if self._readings is None:
            twice = _cut_short(self.text, self._kept) if self._kept else []
            vowels = [at for at in twice if self.text[at] in _VOWELS]
            dropped = dict.fromkeys(tuple(places) for places in (twice, vowels) if places)
            self._readings = (self, *map(self._without, dropped), Folded(self.source, self.plain, even=self._even))
            for copy in self._readings if not self._even else ():
                copy._starts = self._offsets()
        return self._readings

    def span(self, start: int, end: int) -> Span:
        """The range of the source that ``text[start:end]`` was made from, with the marks on its last character."""
        if self._kept is not None and start < end:
            start, end = self._kept[start], self._kept[end - 1] + 1
        if self._even or start >= end:
            return Span(min(start, len(self.source)), min(end, len(self.source)))
        starts = self._offsets()
        first, last = bisect_right(starts, start) - 1, bisect_left(starts, end)
        while last < len(self.source) and unicodedata.category(self.source[last]) == "Mn":
            last += 1
        return Span(first, last)

    def spans(self, places: Iterable[tuple[int, int]]) -> tuple[Span, ...]:
        """The ranges of the source for places of ``text`` in order; those with only blanks between them become one."""
        merged: list[tuple[int, int]] = []
        for start, end in places:
            if merged and not self.text[merged[-1][1] : start].strip():
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        return tuple(self.span(start, end) for start, end in merged)

    def _offsets(self) -> list[int]:
        """For each character of the source, where its copy starts. Made on the first hit only: most texts have none."""
        if self._starts is None:
            lengths = map(len, map(_TABLE.__getitem__, map(ord, self.source)))
            self._starts = list(accumulate(lengths, initial=0))[:-1]
        return self._starts

    def _without(self, places: Sequence[int]) -> "Folded":
        text, kept = _left(self.text, self._kept or (), [(at, at + 1) for at in places])
        return Folded(self.source, self.plain, text, kept, even=self._even)


@lru_cache(maxsize=4)
def fold(source: str) -> Folded:
    """Make the matching copy of ``source``. Takes any string and does not raise; time is linear in the length.

    Folding a copy again changes nothing. The last few are kept, since a comment's fingerprint and its signals are made
    from the same copy in different places.
    """
    typed = source if source.isascii() else _with_ascii_quotes(source)
    even = typed.isascii()
    if even:
        text = typed.lower()
        raw = text.encode()
        kinds = raw.translate(_ASCII_KINDS).decode()
    else:
        text = source.translate(_TABLE)
        if _HAS_ALIKE.search(text):
            text = _FOREIGN_WORD.sub(_as_meant, text)
        raw = _OTHER_SIGN.sub(" ", text).encode("ascii", "replace")
        kinds = raw.translate(_OTHER_KINDS).decode()
    signs = bool(raw.translate(None, _NO_LEET))
    apart = _may_stand_apart(kinds) or (signs and _LEET_APART.search(kinds) is not None)
    leet = (signs and _may_be_leet(kinds)) or (not even and _ODD_SIGN.search(text) is not None)
    if apart or leet or (_may_be_stretched(raw) and _STRETCHED.search(text)):
        return _undisguised(source, text, even=even, apart=apart, leet=leet)
    return Folded(source, text, even=even)


def fold_name(name: str) -> str:
    """The copy of a one-line text with outer blanks cut and inner ones made single, for comparing whole names."""
    return " ".join(fold(name).text.split())


# --- the cheap tests: whether there may be something to do at all ----------------------------------------------------


def _with_ascii_quotes(text: str) -> str:
    """The text with plain quotes and dashes: then most texts have only ASCII characters, and take the short way."""
    for char, plain in _PUNCTUATION.items():
        text = text.replace(char, plain)
    return text


def _may_stand_apart(kinds: str) -> bool:
    """Whether three letters may stand apart, with the same between them. ``kinds``: of each character of the text."""
    kinds = f" {kinds}".replace(" '", "  ")
    return " a a a" in kinds or " a  a  a" in kinds or " a   a   a" in kinds


def _may_be_leet(kinds: str) -> bool:
    """Whether digits or signs may be letters: not those of numbers, of units of two letters and at the end."""
    return "0aaa" in kinds or "a0a" in kinds or "a00a" in kinds or "$a" in kinds or "a$" in kinds or "!a" in kinds


def _may_be_stretched(raw: bytes) -> bool:
    """Whether some character stands three times in a row: a few shifts of one large number, whatever the length."""
    number = int.from_bytes(raw, "little")
    return (number ^ (number >> 8)).to_bytes(len(raw), "little").find(b"\0\0") >= 0


# --- what is done where they say so ----------------------------------------------------------------------------------


def _undisguised(source: str, text: str, *, even: bool, apart: bool, leet: bool) -> Folded:
    """The copy with steps 2 to 4 done on ``text``, which is the result of step 1; links and addresses are spared."""
    spared = [match.span() for match in _UNTOUCHED.finditer(text)] if _may_link(text) else []
    if spared:
        copy, kept = _around(text, spared, apart=apart, leet=leet)
    else:
        copy, kept = _plain(text, apart=apart, leet=leet)
    if copy == text:
        return Folded(source, text, even=even)
    return Folded(source, text, copy, kept if len(copy) < len(text) else None, even=even)


def _around(text: str, spared: Sequence[tuple[int, int]], *, apart: bool, leet: bool) -> tuple[str, Sequence[int]]:
    """What ``_plain`` makes of each part between the spared ones."""
    texts: list[str] = []
    kept: list[int] = []
    done = 0
    for start, end in (*spared, (len(text), len(text))):
        part, places = _plain(text[done:start], apart=apart, leet=leet)
        texts += [part, text[start:end]]
        kept += [done + place for place in places]
        kept += range(start, end)
        done = end
    return "".join(texts), kept


def _may_link(text: str) -> bool:
    return "://" in text or "www." in text or "@" in text


def _plain(text: str, *, apart: bool, leet: bool) -> tuple[str, Sequence[int]]:
    """A part without links in plain spelling, and the places of the characters that were kept."""
    kept: Sequence[int] = range(len(text))
    gaps = _gaps(text) if apart else []
    if gaps:
        text, kept = _left(text, kept, gaps)
    text, kept = _shortened(text, kept)
    if apart or leet:
        spelled = _MIXED.sub(_as_letters, text)
        text, kept = _shortened(spelled, kept) if spelled != text else (text, kept)
    return text, kept


def _left(text: str, kept: Sequence[int], ranges: Sequence[tuple[int, int]]) -> tuple[str, Sequence[int]]:
    """What is left of a text and of its places without ``ranges``, which are in order."""
    texts: list[str] = []
    places: list[int] = []
    done = 0
    for start, end in ranges:
        texts.append(text[done:start])
        places += kept[done:start]
        done = end
    texts.append(text[done:])
    places += kept[done:]
    return "".join(texts), places


def _gaps(text: str) -> list[tuple[int, int]]:
    """What separates letters that stand apart and are meant to be read together."""
    found: list[tuple[int, int]] = []
    match = _APART.search(text)
    while match:
        meant, size = _is_one_word(match), len(match["sep"])
        if meant:
            found += [(at, at + size) for at in range(match.start() + 1, match.end(), size + 1)]
        match = _APART.search(text, match.end() - (not meant))  # the last letter may be the first of another word
    return found


def _is_one_word(match: re.Match[str]) -> bool:
    """Whether letters that stand apart are meant to be read together; else they are a list or an abbreviation."""
    separator = match["sep"]
    letters = match[0][:: len(separator) + 1]
    least = 4 if not separator.strip() or "/" in separator or "|" in separator else 3
    plain = sum(letter.isalpha() for letter in letters)
    if len(letters) < least or plain <= 2 * (len(letters) - plain) or not letters[-1].isalpha():
        return False
    abbreviation = separator == "." and len(letters) == 3 and match.string.startswith(".", match.end())
    return not abbreviation and letters not in _ALPHABET


def _shortened(text: str, kept: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Stretched letters twice. The first and the last stay, so that a span covers what lies between."""
    ranges = [
        (match.start() + 1, match.end() - 1) for match in _STRETCHED.finditer(text) if not _is_spared_triple(match)
    ]
    return _left(text, kept, ranges) if ranges else (text, kept)


def _is_spared_triple(match: re.Match[str]) -> bool:
    """Whether three of a letter are no stretched one: alone ("KKK") or in a Roman number ("XVIII")."""
    start, end, text = match.start(), match.end(), match.string
    if end - start > 3:
        return False
    if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
        return True
    around = _ROMAN.finditer(text, max(start - _LONGEST_ROMAN, 0), end + _LONGEST_ROMAN)
    return any(number.start() <= start < number.end() for number in around)


def _as_letters(match: re.Match[str]) -> str:
    """The word with letters for its digits and signs, where these can be meant for letters; else as it is."""
    word = match[0].rstrip("!|@¡")
    after = match[0][len(word) :]
    if not _is_leet(word) or not _READABLE.fullmatch(word) or _SPARED.fullmatch(word) or not _signs_fit(word):
        return match[0]
    bare = word.rstrip("0123456789")
    if len(word) - len(bare) > 1:
        word, after = bare, word[len(bare) :] + after
    return word.translate(_LEET) + after


def _is_leet(word: str) -> bool:
    """Whether the cheap test would see it too: what becomes of a word must not depend on what else is in the text."""
    kinds = word.encode("ascii", "replace").translate(_OTHER_KINDS).decode()
    return _may_be_leet(kinds) or _ODD_SIGN.search(word) is not None


def _signs_fit(word: str) -> bool:
    """Whether the signs of a word stand where they may be letters."""
    if "!!" in word or word.endswith("$$$") or word[: word.find("!")] in _EXCLAIMED:
        return False
    return all(fit.match(word) for sign, fit in _FITS if sign in word)


def _cut_short(text: str, kept: Sequence[int]) -> list[int]:
    """Where in a copy the second of two equal letters stands between which others were left out."""
    pairs = zip(text, text[1:], kept, kept[1:], strict=False)
    return [
        at for at, (one, two, here, there) in enumerate(pairs, 1) if one == two and there > here + 1 and one.isalpha()
    ]


# --- one character ---------------------------------------------------------------------------------------------------


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

    Only marks that sit on a letter without changing which letter it is are dropped: accents (combining class from 200),
    strokes through it (1), frames around it, and the vowel points of Hebrew and Arabic (10 to 35). Indic vowel signs,
    Thai tones and kana voicing stay.
    """
    if char in _INVISIBLE or unicodedata.category(char) in {"Cf", "Me"}:
        return ""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    kept = "".join(part for part in parts if not _is_accent(part))
    return unicodedata.normalize("NFC", kept).translate(_LATIN_TABLE)


def _is_accent(char: str) -> bool:
    place = unicodedata.combining(char)
    return place >= 200 or 10 <= place <= 35 or place == 1


_TABLE = _Table()
