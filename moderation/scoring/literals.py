"""Literals: many words and phrases found in a text in one pass, from a handful of rules to lists of tens of thousands.

Two ways, with the same answers. What is to be found inside words, or holds signs, goes through Aho-Corasick (50,000 in
32 MB). Whole words and phrases of a list are looked up word by word in a hash table: 50,000 of them take 6 MB and cost
9 µs a comment of 300 characters, whatever their number.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import ahocorasick
import regex

from moderation.domain.text import normalise_line
from moderation.errors import Invalid
from moderation.scoring.folding import fold, fold_name

MAX_ENTRY_CHARS = 200
"""Longest entry of a list, in characters."""

MAX_ENTRIES = 100_000
"""Most entries of one list."""

MAX_LINES = 2 * MAX_ENTRIES
"""Most lines of a text that a list is read from."""

MAX_RAW_MATCHES = 50_000
"""Occurrences inside words that are looked at in one text; some 20 ms. More are the work of an attacker, or of a rule
for "aaa": then ``places`` raises, and the comment waits for a person."""

MIN_OPEN_CHARS = 3
"""Fewest letters of what may stand inside a word: shorter ones are in almost every text."""

Payload = TypeVar("Payload")

_LINE_BREAK = re.compile(r"[^\S ]")
_LINES = re.compile(r"\r\n?|\n")
_ASCII_WORD = re.compile(r"[a-zA-Z0-9]+")
_ANY_WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_PLAIN_ASCII_LINE = re.compile(r"[!-)+-~]+(?: [!-)+-~]+)*")
_STRETCHED = re.compile(r"(.)\1\1")
_ALONE = (1,)


def is_edge(text: str, index: int) -> bool:
    """Whether a word can start or end at ``index``. Marks belong to their letter; an underscore is no letter."""
    if index in {0, len(text)}:
        return True
    return not (_is_letter(text[index - 1]) and _is_letter(text[index]))


def _is_letter(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


def one_line(text: str) -> str:
    """The text with a blank for each line break, tab and other kind of blank; no offset changes."""
    return _LINE_BREAK.sub(" ", text)


class Needle(NamedTuple):
    """What to look for. Where an end is open, the word may go on there."""

    text: str
    open_start: bool = False
    open_end: bool = False


def spellings(value: str) -> set[str]:
    """What a rule is looked for as: its matching copy, and what was typed but for width, case and marks."""
    lower = value.lower()
    if lower.isascii() and lower.isalpha() and not _STRETCHED.search(lower):
        return {lower}
    folded = fold(value)
    meant = " ".join(folded.text.split())
    return {meant} if folded.plain is folded.text else {meant, " ".join(folded.plain.split())}


def needle(value: str, *, part: bool = False) -> Needle:
    """The needle of a rule's value, in which ``*`` at an end stands for an open one; ``part``: both are."""
    return Needle(value.strip("*"), part or value[0] == "*", part or value[-1] == "*")


class Literals(Generic[Payload]):
    """Many literals found in one pass (Aho-Corasick), each with what it stands for."""

    def __init__(self, entries: Iterable[tuple[Needle, Payload]]) -> None:
        self._found: dict[str, list[tuple[Payload, bool, bool]]] = {}
        for sought, payload in entries:
            self._found.setdefault(sought.text, []).append((payload, sought.open_start, sought.open_end))
        self._automaton = ahocorasick.Automaton()
        for text in self._found:
            self._automaton.add_word(text, text)
        if self._found:
            self._automaton.make_automaton()

    def __bool__(self) -> bool:
        return bool(self._found)

    def places(self, text: str) -> Iterator[tuple[Payload, int, int]]:
        """What occurs in a text, with start and end. A blank in a literal is one blank or line break.

        Raises ``ValueError`` beyond ``MAX_RAW_MATCHES``.
        """
        if not self._found:
            return
        text = one_line(text)
        for count, (last, found) in enumerate(self._automaton.iter(text)):
            if count == MAX_RAW_MATCHES:
                raise ValueError("Too many matches in one text.")
            start, end = last + 1 - len(found), last + 1
            for payload, open_start, open_end in self._found[found]:
                if (open_start or is_edge(text, start)) and (open_end or is_edge(text, end)):
                    yield payload, start, end


# --- lists -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListHead:
    """What holds for all entries of a list. ``action`` ``score``, ``hold``, ``spam`` or ``allow``; ``language`` empty:
    for all; ``exact``: in this very spelling; ``part``: also inside words. ``weight`` -1..1, of an entry without one.
    """

    name: str
    action: str = "score"
    weight: float = 0.5
    language: str = ""
    exact: bool = False
    part: bool = False


class Words:
    """A text cut into words, once for all lists of a site."""

    def __init__(self, text: str) -> None:
        self.text = one_line(text)
        self._find: Any = _ASCII_WORD if text.isascii() else _ANY_WORD
        self.words: list[str] = self._find.findall(self.text)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each word."""
        return [match.span() for match in self._find.finditer(self.text)]


class WordList:
    """A list ready to run. Safe to share between threads; made from the text that ``read_list`` gives.

    Making one of 50,000 words takes 0.1 s.
    """

    def __init__(self, head: ListHead, text: str) -> None:
        self.head = head
        self._weights: dict[str, float] = {}
        # First word -> how many words the entries have that begin with it; most lists have no phrase at all.
        self._heads: dict[str, tuple[int, ...]] = {}
        self._phrases: set[str] = set()
        others: list[tuple[Needle, str]] = []
        for entry in self._entries(text):
            words = _plain_words(entry)
            if head.part or not words:
                others.append((needle(entry, part=head.part), entry))
            elif len(words) == 1:
                counts = self._heads.get(entry)
                self._heads[entry] = (1, *counts) if counts and 1 not in counts else _ALONE
            else:
                self._phrases.add(entry)
                counts = self._heads.get(words[0], ())
                self._heads[words[0]] = counts if len(words) in counts else (*counts, len(words))
        self._others = Literals(others)

    def _entries(self, text: str) -> Iterator[str]:
        for line in filter(None, text.split("\n")):
            value, _, weight = line.partition("\t")
            for entry in (value,) if self.head.exact else spellings(value):
                if weight:
                    self._weights[entry] = float(weight)
                if entry.strip("*"):
                    yield entry

    def weight(self, entry: str) -> float:
        """What a match of the entry adds to the risk."""
        return self._weights.get(entry, self.head.weight)

    def has(self, word: str) -> bool:
        """Whether a folded word is an entry by itself."""
        return 1 in self._heads.get(word, ())

    def places(self, words: Words) -> Iterator[tuple[str, int, int]]:
        """Each entry that occurs, with start and end in the text that ``words`` was made from (the folded copy, or the
        source for an exact list). Raises ``ValueError`` beyond ``MAX_RAW_MATCHES``.
        """
        yield from self._others.places(words.text)
        if self._heads.keys().isdisjoint(words.words):
            return
        spans, tried = words.spans, 0
        for index, word in enumerate(words.words):
            for count in self._heads.get(word, ()):
                if index + count <= len(spans):
                    tried += 1
                    if tried > MAX_RAW_MATCHES:
                        raise ValueError("Too many matches in one text.")
                    start, end = spans[index][0], spans[index + count - 1][1]
                    entry = words.text[start:end]
                    if count == 1 or entry in self._phrases:
                        yield entry, start, end


def _plain_words(entry: str) -> list[str]:
    """The words of an entry of nothing but words with one blank between them; else none."""
    if entry.isascii():
        words = entry.split(" ")
        return words if all(map(str.isalnum, words)) else []
    words = _ANY_WORD.findall(entry)
    return words if " ".join(words) == entry else []


# --- lists: read from plain text -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadList:
    """A list as it was read: weight (None: the list's own) by entry, and the lines that were refused, with why."""

    entries: Mapping[str, float | None]
    refused: Mapping[int, str]

    def text(self) -> str:
        """The form that is stored and that ``WordList`` takes: an entry a line, with its weight after a tab."""
        return "\n".join(entry if weight is None else f"{entry}\t{weight:g}" for entry, weight in self.entries.items())


def read_list(text: str, *, part: bool = False, advance: Callable[[int], None] | None = None) -> ReadList:
    """Read a plain word list: a word or phrase a line, optionally a tab and a weight from -1 to 1.

    Passed over are blank lines, lines that begin with ``#`` (``\\#`` stands for the sign itself), a BOM, and what is
    there already; of an entry that stands twice the later weight counts. ``advance`` is told every 1,000 lines.
    """
    entries: dict[str, float | None] = {}
    refused: dict[int, str] = {}
    for number, line in enumerate(_LINES.split(text.removeprefix("\ufeff")), 1):
        if advance is not None and number % 1_000 == 0:
            advance(1_000)
        raw = line.strip()
        if not raw or raw[0] == "#":
            continue
        if number > MAX_LINES:
            refused[number] = f"A text may have {MAX_LINES:,} lines. Make a second list of the rest."
            break
        try:
            entry, weight = _entry(raw, part)
        except ValueError as error:
            refused[number] = str(error)
            continue
        if len(entries) == MAX_ENTRIES and entry not in entries:
            refused[number] = f"A list may have {MAX_ENTRIES:,} entries. Make a second one of the rest."
            break
        entries[entry] = weight
    return ReadList(entries, refused)


def _entry(raw: str, part: bool) -> tuple[str, float | None]:
    if "\ufffd" in raw:
        raise ValueError("It is not in UTF-8. Save the file as UTF-8.")
    value, tab, weight = raw.partition("\t")
    value = value.removeprefix("\\") if value.startswith("\\#") else value
    is_plain = _PLAIN_ASCII_LINE.fullmatch(value) is not None
    if not is_plain:
        value = _settled(value)
    if len(value) > MAX_ENTRY_CHARS:
        raise ValueError(f"It has {len(value):,} characters; at most {MAX_ENTRY_CHARS} are allowed.")
    if part or not is_plain:
        check_literal(value, part=part)
    return value, _weight(weight.strip()) if tab else None


def _settled(value: str) -> str:
    try:
        return normalise_line(value, "text")
    except Invalid:
        raise ValueError("It holds characters that are not valid text.") from None


def _weight(raw: str) -> float:
    try:
        weight = float(raw)
    except ValueError:
        weight = 2.0
    if not -1 <= weight <= 1:
        raise ValueError("After the tab stands a weight, a number from -1 to 1.")
    return weight


def check_literal(value: str, *, part: bool = False) -> None:
    """Check a word or phrase to look for. Raises ``ValueError`` that says what to change."""
    value.encode()
    folded = fold_name(value)
    inner = folded.strip("*")
    if not inner.strip():
        raise ValueError("It is empty, or holds only invisible characters. Write the word to look for.")
    if "*" in inner:
        raise ValueError("'*' may stand only at the start or the end. For anything else use a rule of kind 'pattern'.")
    if (part or inner != folded) and len(inner) < MIN_OPEN_CHARS:
        raise ValueError(f"With '*' it would be in almost every text. Write at least {MIN_OPEN_CHARS} letters.")
