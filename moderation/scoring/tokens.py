"""Words as the trained model reads them, from the matching copy of a text.

What ``folding.py`` cannot put in plain spelling, because letters are left out (``f*ck``, ``sh**``) or are others
(``fvck``), is one word here, and read by its n-grams and its consonants.

Training and run time share this file: a change here needs a new model.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar
from zlib import crc32

MAX_CHARS = 5_000
"""Characters that are read of a text; the rest is left out. Keeps the time of the longest texts bounded."""

MAX_TOKENS = 300
"""Tokens that are read of a text."""

MAX_WORD_CHARS = 32
"""Characters that are read of one word."""

LINK, NUMBER = "<link>", "<number>"
"""The tokens that stand for any link and any number."""

_LINK = r"(?:https?://|www\.)[^\s<>\"]+"
_WORD = r"[^\W_]+(?:'[^\W_]+)*"
_PLAIN, _PLAIN_ASCII = re.compile(_WORD), re.compile(_WORD, re.ASCII)
_WITH_LINKS = re.compile(rf"{_LINK}|{_WORD}")
# An abbreviation; a word with signs in it or before it, for letters that are left out; a plain word.
_ABBREVIATION = r"(?<![^\W_])[^\W\d_](?:\.[^\W\d_]){2,}(?![^\W_])"
_SIGNED = r"[@$*#]{0,2}[^\W_]+(?:[@$*#%&^']+[^\W_]+)*[$@*#]*"
_WITH_SIGNS = re.compile(rf"{_LINK}|(?P<abbreviation>{_ABBREVIATION})|{_SIGNED}|[@$*#]{{2,4}}[^\W_]")
# Cheap tests first: most texts have no such word, and are read by the cheaper expression.
_SIGN_IN_WORD = re.compile(r"[^\W\d_][@$*#%&^]+[^\W\d_]|[@$*#][^\W\d_]|[^\W\d_][$*@#]")
_ABBREVIATED = re.compile(r"\.[^\W\d_]\.[^\W\d_]")

_LOOSE_APOSTROPHE = re.compile(r"'(?![a-z0-9])|(?<![a-z0-9])'")
_TO_BLANKS = bytes(code if code == ord("'") or chr(code).isalnum() else ord(" ") for code in range(128)) + bytes(128)

# Digits at the end of a word ("ars3") are spared by the folding; here it is enough that the word is known.
_LEET = str.maketrans("0134579@$", "oieastgas")
_MEASURE = re.compile(r"\d+[a-z]{0,2}")
_TWICE = re.compile(r"(.)\1+")
_TWICE_VOWELS = re.compile(r"([aeiouy])\1+")
_NO_SHAPE = re.compile(r"[aeiou\W\d_]+")


_SENTENCE_END = re.compile(r"[.!?\n](?:\s|(?<=\n))")  # a sign and a blank, or a line break; twice as fast as said so

LEAST_SENTENCE, MOST_SENTENCE = 4, 32
"""Tokens of a sentence: a shorter one is read with its neighbour, a longer one in parts."""


Found = TypeVar("Found")


class Remembered(dict[str, Found]):
    """What ``find`` finds for words: kept until there are ``most``, then all forgotten.

    A look at it takes half the time of one at a cache that forgets the oldest, since that notes when it was.
    """

    def __init__(self, find: Callable[[str], Found], most: int) -> None:
        super().__init__()
        self._find, self._most = find, most

    def __missing__(self, word: str) -> Found:
        if len(self) >= self._most:
            self.clear()
        found = self[word] = self._find(word)
        return found


class Token(NamedTuple):
    """A token and its place in the matching copy."""

    text: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """The tokens of a matching copy, in order, at most ``MAX_TOKENS``; an abbreviation without its dots."""
    text = text[:MAX_CHARS]
    return _cutter(text)(text)[:MAX_TOKENS]


def tokens(text: str) -> list[Token]:
    """The same tokens as ``words``, with their places."""
    text = text[:MAX_CHARS]
    if _has_signs(text):
        found = [Token(_spelled(match), *match.span()) for match in _WITH_SIGNS.finditer(text)]
    else:
        found = [Token(match[0], *match.span()) for match in _plain(text).finditer(text)]
    return found[:MAX_TOKENS]


def sentence_starts(text: str) -> list[int]:
    """Where among these tokens each sentence begins. No token has a blank in it, so none is cut."""
    text = text[:MAX_CHARS]
    cut, count, starts = _cutter(text), 0, [0]
    for start, end in pairwise([0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]):
        size = len(cut(text[start:end]))
        if min(size, count - starts[-1]) >= LEAST_SENTENCE:
            starts.append(count)
        count += size
    return _in_parts(starts, min(count, MAX_TOKENS))


def _in_parts(starts: Sequence[int], count: int) -> list[int]:
    """Where sentences begin that lie within ``count`` tokens, and the parts of long ones; no part is short."""
    found = []
    for start, end in pairwise([*(at for at in starts if at < count), count]):
        found += [start, *range(start + MOST_SENTENCE, end - LEAST_SENTENCE + 1, MOST_SENTENCE)]
    return found


def _cutter(text: str) -> Callable[[str], list[str]]:
    """What finds the tokens of a text, and of its parts: the cheapest way."""
    if _has_signs(text):
        return _with_signs
    return _simple if _is_simple(text) else _plain(text).findall


def _with_signs(text: str) -> list[str]:
    return [_spelled(match) for match in _WITH_SIGNS.finditer(text)]


def _simple(text: str) -> list[str]:
    return text.encode().translate(_TO_BLANKS).decode().split()


def _plain(text: str) -> re.Pattern[str]:
    """The cheapest expression that finds the tokens of a text without signs in words."""
    if "://" in text or "www." in text:
        return _WITH_LINKS
    return _PLAIN_ASCII if text.isascii() else _PLAIN


def spellings(token: str) -> Iterator[str]:
    """What a token may be a spelling of, the likeliest first; the last is what an unknown word is read as."""
    token = token[:MAX_WORD_CHARS]
    yield token
    if token.startswith(("http:", "https:", "www.")):
        yield LINK
        return
    if _MEASURE.fullmatch(token):
        yield NUMBER
        return
    plain = bare = token.replace("'", "")
    yield bare
    if not bare.isalpha():
        yield bare.translate(_LEET)
        yield bare.rstrip("0123456789@$*#")
        plain = bare.strip("*#&^%@$")
        yield plain
    yield _TWICE.sub(r"\1", plain)
    yield _TWICE_VOWELS.sub(r"\1", plain)
    yield plain


def gram_rows(word: str, rows: int) -> list[int]:
    """The rows of the table of character n-grams that an unknown word is the mean of. ``rows``: a power of two.

    N-grams of 3 to 5 characters with the word's ends marked, and the word's shape: its consonants, without repeats,
    so that ``f*ck``, ``fvck`` and ``fuuck`` have something in common with the word that is meant.
    """
    marked = f"<{word}>"
    grams = [marked[at : at + size] for size in (3, 4, 5) for at in range(len(marked) - size + 1)]
    grams.append("~" + _TWICE.sub(r"\1", _NO_SHAPE.sub("", word.replace("v", "u"))))
    return [crc32(gram.encode("utf-8", "replace")) & (rows - 1) for gram in grams]


def _is_simple(text: str) -> bool:
    """Whether cutting at all but letters, digits and apostrophes gives the tokens: without an expression."""
    if not text.isascii() or "://" in text or "www." in text:
        return False
    return "'" not in text or _LOOSE_APOSTROPHE.search(text) is None


def _has_signs(text: str) -> bool:
    """Whether some word may have signs or dots in it."""
    if any(map(text.__contains__, "@$*#%&^")) and _SIGN_IN_WORD.search(text) is not None:
        return True
    return _ABBREVIATED.search(text) is not None


def _spelled(match: re.Match[str]) -> str:
    """An abbreviation without its dots; any other word as it is."""
    return match[0].replace(".", "") if match["abbreviation"] else match[0]
