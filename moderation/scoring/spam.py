"""The spam model: words, pairs of words, kinds of words, and the traits of a text. Linear, so its evidence is exact.

A link is no spam by itself: the model was trained with ordinary comments mixed in, also with links in them. What makes
spam of it is who asks for what: ``spam_words.py`` has the kinds of words, ``spam_traits.py`` what else is looked at.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from moderation.errors import Bug
from moderation.scoring.folding import Folded
from moderation.scoring.spam_traits import TRAITS, traits
from moderation.scoring.spam_words import KINDS, kind_of, kind_pairs, plain_word
from moderation.scoring.tokens import MAX_WORD_CHARS

Floats = NDArray[np.float32]

ROWS = 1 << 16
"""Rows of the table of words and pairs of words, and of that of n-grams; a power of two."""

WORD_VALUE, GRAM_VALUE, KIND_PAIR_VALUE = 0.7, 0.5, 1.5
"""How much a word or pair counts, an n-gram, and a pair of kinds, before the weights."""

_READ_WORDS = 8_192


@dataclass(frozen=True, slots=True)
class Noticed:
    """What the model noticed of one text: the logit, and each part's exact share of it."""

    logit: float
    word_shares: Floats
    trait_shares: Floats

    def carrying(self, most: int = 6) -> list[int]:
        """The tokens that speak for spam, the strongest ``most``, in order."""
        total = float(np.maximum(self.word_shares, 0).sum())
        likely = np.argsort(-self.word_shares, kind="stable")[:most]
        return sorted(int(at) for at in likely if self.word_shares[at] > max(0.05 * total, 0.05))

    def reasons(self, most: int = 3) -> list[str]:
        """The traits that speak for spam, the strongest first, as words."""
        likely = np.argsort(-self.trait_shares, kind="stable")[: 2 * most]
        said = dict.fromkeys(TRAITS[at][1] for at in likely if self.trait_shares[at] > 0.3 and TRAITS[at][1])
        return list(said)[:most]


class SpamModel:
    """Weights of words, their n-grams, pairs of words, pairs of kinds, and traits."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._words: Floats = arrays["words"].astype(np.float32) * np.float32(arrays["words_scale"])
        self._grams: Floats = arrays["grams"].astype(np.float32) * np.float32(arrays["grams_scale"])
        self._kind_pairs: list[float] = arrays["kind_pairs"].astype(np.float32).tolist()
        self._traits: Floats = arrays["traits"].astype(np.float32)
        self._bias = float(arrays["bias"])
        sizes = [len(part) for part in (self._words, self._grams, self._kind_pairs, self._traits)]
        if sizes != [ROWS, ROWS, len(KINDS) ** 2, len(TRAITS)]:
            raise Bug("The arrays of the spam model do not fit.")
        self._read = lru_cache(maxsize=_READ_WORDS)(self._word)

    def features(self, folded: Folded, found: Sequence[str], links: int = 0) -> Noticed:
        """What is noticed of a text. ``found``: its tokens; ``links``: how many its rendered form has."""
        read = [self._read(token[:MAX_WORD_CHARS]) for token in found]
        scale = token_scale(len(found))
        shares = np.array([weight for weight, _, _ in read], dtype=np.float32)
        if len(read) > 1:
            pairs = self._words[pair_rows([number for _, number, _ in read])] * np.float32(WORD_VALUE / 2)
            shares[:-1] += pairs
            shares[1:] += pairs
        marked = [(at, kind) for at, (_, _, kind) in enumerate(read) if kind]
        for first, second, row in kind_pairs(marked):
            half = self._kind_pairs[row] * KIND_PAIR_VALUE / 2
            shares[first] += half
            shares[second] += half
        shares *= np.float32(scale)
        trait_shares: Floats = np.array(traits(folded, found, marked, links), dtype=np.float32) * self._traits
        return Noticed(float(shares.sum() + trait_shares.sum()) + self._bias, shares, trait_shares)

    def _word(self, token: str) -> tuple[float, int, int]:
        """The weight of a token with its n-grams, its number for pairs, and its kind."""
        word = plain_word(token)
        number = number_of(word)
        grams = float(self._grams[gram_rows(word)].sum()) * GRAM_VALUE
        return float(self._words[number & (ROWS - 1)]) * WORD_VALUE + grams, number, kind_of(word)


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
