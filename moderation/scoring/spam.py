"""The spam model: words, pairs of words, kinds of words, and the traits of a text. Linear, so its evidence is exact.

A link is no spam by itself: the model was trained with ordinary comments mixed in, also with links in them. What makes
spam of it is who asks for what: ``spam_words.py`` has the kinds of words, ``spam_traits.py`` what else is looked at.
"""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from moderation.errors import Bug
from moderation.scoring.folding import Folded
from moderation.scoring.spam_traits import TRAITS, traits
from moderation.scoring.spam_words import KINDS, kind_of, kind_pairs, plain_word
from moderation.scoring.tokens import MAX_WORD_CHARS, Remembered

Floats = NDArray[np.float32]

ROWS = 1 << 16
"""Rows of the table of words and pairs of words, and of that of n-grams; a power of two."""

WORD_VALUE, GRAM_VALUE, KIND_PAIR_VALUE = 0.7, 0.5, 1.5
"""How much a word or pair counts, an n-gram, and a pair of kinds, before the weights."""

_READ_WORDS = 8_192


@dataclass(slots=True)
class Noticed:
    """What the model noticed of one text: the logit, and the parts of which it is the sum.

    What each trait adds to it; and, before they are scaled, the weights of words, of pairs of neighbours, and of pairs
    of kinds with both places. Most texts are not flagged, and then nobody asks for each word's share.
    """

    logit: float
    _weights: Sequence[float]
    _pairs: Sequence[float]
    _beside: Sequence[tuple[int, int, float]]
    _traits: Sequence[float]

    @property
    def trait_shares(self) -> Floats:
        """What each trait adds to the logit."""
        return np.array(self._traits, dtype=np.float32)

    @property
    def word_shares(self) -> Floats:
        """What each token adds to the logit; a pair of words or of kinds belongs half to each."""
        shares = np.array(self._weights, dtype=np.float32)
        halves = np.array(self._pairs, dtype=np.float32) * np.float32(WORD_VALUE / 2)
        shares[:-1] += halves
        shares[1:] += halves
        for first, second, weight in self._beside:
            shares[first] += weight * KIND_PAIR_VALUE / 2
            shares[second] += weight * KIND_PAIR_VALUE / 2
        return shares * np.float32(token_scale(len(shares)))

    def carrying(self, most: int = 6) -> list[int]:
        """The tokens that speak for spam, the strongest ``most``, in order."""
        shares = self.word_shares
        total = float(np.maximum(shares, 0).sum())
        likely = np.argsort(-shares, kind="stable")[:most]
        return sorted(int(at) for at in likely if shares[at] > max(0.05 * total, 0.05))

    def reasons(self, most: int = 3) -> list[str]:
        """The traits that speak for spam, the strongest first, as words."""
        shares = self.trait_shares
        likely = np.argsort(-shares, kind="stable")[: 2 * most]
        said = dict.fromkeys(TRAITS[at][1] for at in likely if shares[at] > 0.3 and TRAITS[at][1])
        return list(said)[:most]


class _Word(NamedTuple):
    """A token as the model reads it: its weight with its n-grams, what it adds to the rows of the pairs in which it is
    the first and the second, and its kind.
    """

    weight: float
    first: int
    second: int
    kind: int


class SpamModel:
    """Weights of words, their n-grams, pairs of words, pairs of kinds, and traits.

    Texts are short and weights single figures, so these are added up as Python's floats, which is quicker than arrays.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._words = array("f", (arrays["words"].astype(np.float32) * np.float32(arrays["words_scale"])).tobytes())
        self._grams = array("f", (arrays["grams"].astype(np.float32) * np.float32(arrays["grams_scale"])).tobytes())
        self._kind_pairs: list[float] = arrays["kind_pairs"].astype(np.float32).tolist()
        self._traits: list[float] = arrays["traits"].astype(np.float32).tolist()
        self._bias = float(arrays["bias"])
        sizes = [len(part) for part in (self._words, self._grams, self._kind_pairs, self._traits)]
        if sizes != [ROWS, ROWS, len(KINDS) ** 2, len(TRAITS)]:
            raise Bug("The arrays of the spam model do not fit.")
        self._read = Remembered(self._word, _READ_WORDS)

    def features(self, folded: Folded, found: Sequence[str], links: int = 0) -> Noticed:
        """What is noticed of a text. ``found``: its tokens; ``links``: how many its rendered form has."""
        read = list(map(self._read.__getitem__, [token[:MAX_WORD_CHARS] for token in found]))
        weights, firsts, seconds, kinds = zip(*read, strict=True) if read else ((), (), (), ())
        pairs = list(map(self._words.__getitem__, _pairs(firsts, seconds)))
        marked = [(at, kind) for at, kind in enumerate(kinds) if kind]
        beside = [(first, second, self._kind_pairs[row]) for first, second, row in kind_pairs(marked)]
        said = sum(weights) + sum(pairs) * WORD_VALUE + sum([weight for _, _, weight in beside]) * KIND_PAIR_VALUE
        seen = list(map(mul, traits(folded, found, marked, links), self._traits))
        return Noticed(said * token_scale(len(found)) + sum(seen) + self._bias, weights, pairs, beside, seen)

    def _word(self, token: str) -> _Word:
        word = plain_word(token)
        number = number_of(word)
        grams = sum([self._grams[row] for row in gram_rows(word)]) * GRAM_VALUE
        weight = self._words[number & (ROWS - 1)] * WORD_VALUE + grams
        return _Word(weight, number * 31, (number >> 7) + number, kind_of(word))


def _pairs(firsts: Sequence[int], seconds: Sequence[int]) -> list[int]:
    """The rows of the pairs of neighbours; the same as ``pair_rows``."""
    return [first + second & (ROWS - 1) for first, second in zip(firsts, seconds[1:], strict=False)]


def token_scale(count: int) -> float:
    """What each word's weight is multiplied by: long texts do not outweigh their traits."""
    return 1 / math.sqrt(max(count, 1))


def number_of(gram: str) -> int:
    """The number of a word or n-gram; its low bits are its row."""
    return crc32(gram.encode("utf-8", "replace"))


def pair_rows(numbers: Sequence[int], rows: int = ROWS) -> NDArray[np.int64]:
    """The rows of the pairs of neighbours in a table of ``rows``, from the numbers of the words."""
    each = np.array(numbers, dtype=np.int64)
    return (each[:-1] * 31 + (each[1:] >> 7) + each[1:]) & (rows - 1)


def gram_rows(word: str) -> list[int]:
    """The rows of a word's n-grams of 3 to 5 characters, its ends marked."""
    marked = f"<{word[:20]}>".encode("utf-8", "replace")
    return [crc32(marked[at : at + size]) & (ROWS - 1) for size in (3, 4, 5) for at in range(len(marked) - size + 1)]
