"""Words as the trained model reads them: from the matching copy of a text, with disguised spellings put in plain ones.

Training and run time share this file: a change here needs a new model.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
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
# Letters one by one with the same separator between them; a word with signs in it or before it; a plain word.
_LETTER = r"[^\W\d_](?![^\W_])"
_APART = rf"(?<![^\W_]){_LETTER}(?P<sep>[\s.\-_*/,|~]{{1,2}}){_LETTER}(?:(?P=sep){_LETTER})+"
_SIGNED = r"[@$*#]{0,2}[^\W_]+(?:[@$*#!|+%&^']+[^\W_]+)*[$@*#]*"
_DISGUISED = re.compile(rf"{_LINK}|{_APART}|{_SIGNED}|[@$*#]{{2,4}}[^\W_]")
# Cheap tests first: most texts hide nothing, and are read by the cheaper expression.
_ANY_SIGN = re.compile(r"[@$*#!|+%&^\d]")
_SIGN_IN_WORD = re.compile(r"[^\W\d_][@$*#!|+%&^\d]+[^\W\d_]|[@$*#][^\W\d_]|[^\W\d_][$*@#]")
_LETTERS_APART = b"\1\1\1"

_LEET = str.maketrans("013456789@$!|+", "oieasgtbgasiit")
_MEASURE = re.compile(r"\d+[a-z]{0,2}")
_THRICE = re.compile(r"(.)\1{2,}")
_TWICE = re.compile(r"(.)\1+")
_NO_SHAPE = re.compile(r"[aeiou\W\d_]+")


class Token(NamedTuple):
    """A token and its place in the matching copy."""

    text: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """The tokens of a matching copy, in order, at most ``MAX_TOKENS``; letters that stand apart are joined."""
    text = _readable(text)
    found: list[str] = _plain(text).findall(text)
    if _may_hide(text, found):
        found = [_joined(match) for match in _DISGUISED.finditer(text)]
    return found[:MAX_TOKENS]


def tokens(text: str) -> list[Token]:
    """The same tokens as ``words``, with their places."""
    text = _readable(text)
    plain = _plain(text)
    if _may_hide(text, plain.findall(text)):
        found = [Token(_joined(match), *match.span()) for match in _DISGUISED.finditer(text)]
    else:
        found = [Token(match[0], *match.span()) for match in plain.finditer(text)]
    return found[:MAX_TOKENS]


def _plain(text: str) -> re.Pattern[str]:
    """The cheapest expression that finds the tokens of a text in which nothing is disguised."""
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
    bare = token.replace("'", "")
    yield bare
    plain = bare
    if not bare.isalpha():
        plain = bare.translate(_LEET)
        yield plain
        yield bare.rstrip("0123456789@$*#")
        plain = plain.strip("*#&^%")
    yield plain
    yield _THRICE.sub(r"\1\1", plain)
    yield _TWICE.sub(r"\1", plain)
    yield _THRICE.sub(r"\1\1", plain)


def gram_rows(word: str, rows: int) -> list[int]:
    """The rows of the table of character n-grams that an unknown word is the mean of. ``rows``: a power of two.

    N-grams of 3 to 5 characters with the word's ends marked, and the word's shape: its consonants, without repeats,
    so that ``f*ck``, ``fvck`` and ``fuuck`` have something in common with the word that is meant.
    """
    marked = f"<{word}>"
    grams = [marked[at : at + size] for size in (3, 4, 5) for at in range(len(marked) - size + 1)]
    grams.append("~" + _TWICE.sub(r"\1", _NO_SHAPE.sub("", word.replace("v", "u"))))
    return [crc32(gram.encode("utf-8", "replace")) & (rows - 1) for gram in grams]


def _readable(text: str) -> str:
    text = text[:MAX_CHARS]
    return text if text.isascii() else text.replace("\u2019", "'")


def _may_hide(text: str, plain: list[str]) -> bool:
    """Whether some word may be disguised: with signs or digits in it, or by letters that stand apart."""
    if _LETTERS_APART in bytes([len(word) == 1 for word in plain]):
        return True
    return _ANY_SIGN.search(text) is not None and _SIGN_IN_WORD.search(text) is not None


def _joined(match: re.Match[str]) -> str:
    """The word that letters standing apart spell; any other word as it is."""
    separator = match["sep"]
    return match[0].replace(separator, "") if separator else match[0]
