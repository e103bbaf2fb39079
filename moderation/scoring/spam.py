"""The spam model: words and pairs of words, and what a spammer cannot do without. Linear, so its evidence is exact.

A link is no spam by itself: the model was trained with ordinary comments mixed in, also with links in them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from moderation.errors import Bug
from moderation.scoring.folding import Folded
from moderation.scoring.tokens import MAX_CHARS

Floats = NDArray[np.float32]

ROWS = 1 << 16
"""Rows of the table of words and pairs of words, and of that of n-grams; a power of two."""

WORD_VALUE, GRAM_VALUE = 0.7, 0.5
"""How much a word or pair counts, and an n-gram, before the weights: chosen by leaving one video out."""

_READ_WORDS = 8_192

TRAITS = (
    ("links", "a link"),
    ("many_links", "several links"),
    ("link_share", "little but links"),
    ("bare_domain", "the name of a web address"),
    ("contact", "a telephone number or an address"),
    ("money", "sums of money"),
    ("asks", "asking the reader to act"),
    ("own", "its own channel, page or shop"),
    ("offers", "an offer"),
    ("begs", "begging for attention"),
    ("likes", "asking for likes or subscribers"),
    ("shouting", "capitals"),
    ("exclaiming", "exclamation marks"),
    ("digits", "digits"),
    ("repeating", "words repeated"),
    ("short", ""),
    ("long", ""),
    ("markup", "markup"),
    ("asks_and_links", "asking to follow a link"),
    ("own_and_asks", "asking to visit its own place"),
)
"""The traits beside the words, in the order of their weights: name, and how a sentence calls it."""

_ASKS_WORDS = """
check visit click follow join call text txt buy watch subscribe sub share vote sign claim reply send order
download register contact message add listen support donate whatsapp telegram dm
"""

_OWN_WORDS = """
channel channels video videos website site page blog vlog music song songs cover covers shop store app album
youtube facebook instagram twitter profile group
"""

_OFFERS_WORDS = """
free win winner won prize offer cash earn earning income discount guarantee guaranteed cheap bonus deal deals
loan loans credit bitcoin crypto invest investment profit viagra pills casino prizes awarded urgent selected
voucher gift giveaway dating singles hot sexy mobile ringtone tone
"""

_BEGS_WORDS = """
please plz pls hey guys subscribers likes views thumbs famous dream talent sorry minute chance
"""

_MINE = frozenset(("my", "our", "mine", "this", "me", "us"))

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_BARE = re.compile(
    r"\b[a-z0-9-]{2,40}\s?(?:\.|\bdot\b)\s?(?:com|net|org|info|co\.uk|biz|ru|tv|ly|shop|xyz|me)\b", re.IGNORECASE
)
_CONTACT = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.[a-z]|(?<!\d)(?:\d[\s().-]{0,2}){7,15}(?!\d)", re.IGNORECASE)
_LIKES = re.compile(
    r"\blike (?:this|if|for|my|and)\b|\blikes?\b.{0,20}\bcomment\b|\bthumbs? up\b|\bsubs?\b|\bviews?\b"
    r"|\bgive it a like\b|\bs[uo]s?c+s?cri|\bsubcri|\bsuscri"
)
_LIKING_WORDS = """
like likes thumb thumbs sub subs subscribe subscribed subscriber subscribers subscribing suscribe subcribe
sucscribe suscribirse view views
"""

_DOMAINS_WORDS = """
com net org info uk biz ru tv ly shop xyz me dot
"""

_ASKS, _OWN = frozenset(_ASKS_WORDS.split()), frozenset(_OWN_WORDS.split())
_OFFERS, _BEGS = frozenset(_OFFERS_WORDS.split()), frozenset(_BEGS_WORDS.split())
_LIKING, _DOMAINS = frozenset(_LIKING_WORDS.split()), frozenset(_DOMAINS_WORDS.split())
_CAPITAL, _DIGIT = re.compile("[A-Z]"), re.compile(r"\d")
_MONEY = re.compile(r"[$€£]\s?\d|\d\s?(?:[$€£]|usd|eur|dollars|pounds|euros)\b|\d(?:k|p)\b|\bbtc\b", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-z]+[\s>/]|\[/?(?:url|link|b)\b|&#?\w{2,6};", re.IGNORECASE)


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
        likely = np.argsort(-self.trait_shares, kind="stable")[:most]
        return [TRAITS[at][1] for at in likely if self.trait_shares[at] > 0.3 and TRAITS[at][1]]


class SpamModel:
    """Weights of words, their n-grams, pairs of words, and traits."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        scale = np.float32(arrays["words_scale"]), np.float32(arrays["grams_scale"])
        self._words: Floats = arrays["words"].astype(np.float32) * scale[0]
        self._grams: Floats = arrays["grams"].astype(np.float32) * scale[1]
        self._traits: Floats = arrays["traits"]
        self._bias = float(arrays["bias"])
        if len(self._words) != ROWS or len(self._grams) != ROWS or len(self._traits) != len(TRAITS):
            raise Bug("The arrays of the spam model do not fit.")
        self._read = lru_cache(maxsize=_READ_WORDS)(self._word)

    def features(self, folded: Folded, found: Sequence[str], links: int = 0) -> Noticed:
        """What is noticed of a text. ``found``: its tokens; ``links``: how many its rendered form has."""
        read = [self._read(token) for token in found]
        scale = token_scale(len(found))
        shares = np.array([weight for weight, _ in read], dtype=np.float32) * np.float32(scale)
        if len(read) > 1:
            pairs = self._words[pair_rows([number for _, number in read])] * np.float32(WORD_VALUE * scale / 2)
            shares[:-1] += pairs
            shares[1:] += pairs
        trait_shares: Floats = traits(folded, found, links) * self._traits
        return Noticed(float(shares.sum() + trait_shares.sum()) + self._bias, shares, trait_shares)

    def _word(self, token: str) -> tuple[float, int]:
        """The weight of a token with its n-grams, and its number for pairs."""
        word = plain_word(token)
        number = number_of(word)
        grams = float(self._grams[gram_rows(word)].sum()) * GRAM_VALUE
        return float(self._words[number & (ROWS - 1)]) * WORD_VALUE + grams, number


def token_scale(count: int) -> float:
    """What each word's weight is multiplied by: long texts do not outweigh their traits."""
    return 1 / math.sqrt(max(count, 1))


def number_of(gram: str) -> int:
    """The number of a word or n-gram; its low bits are its row."""
    return crc32(gram.encode("utf-8", "replace"))


def pair_rows(numbers: Sequence[int]) -> NDArray[np.int64]:
    """The rows of the pairs of neighbours, from the numbers of the words."""
    each = np.array(numbers, dtype=np.int64)
    return (each[:-1] * 31 + (each[1:] >> 7) + each[1:]) & (ROWS - 1)


def gram_rows(word: str) -> list[int]:
    """The rows of a word's n-grams of 3 to 5 characters, its ends marked."""
    marked = f"<{word[:20]}>"
    grams = [marked[at : at + size] for size in (3, 4, 5) for at in range(len(marked) - size + 1)]
    return [number_of(gram) & (ROWS - 1) for gram in grams]


def traits(folded: Folded, found: Sequence[str], links: int = 0) -> Floats:
    """The figures of ``TRAITS``, each between 0 and about 1."""
    text = folded.source[:MAX_CHARS]
    length = max(len(text), 1)
    known = frozenset(found)
    places = [match.span() for match in _LINK.finditer(text)] if "://" in text or "www." in text.lower() else []
    count = max(len(places), links)
    asks, mine = len(known & _ASKS), bool(known & _MINE)
    own = len(known & _OWN) * (1.0 if mine else 0.4)
    capitals, digits = len(_CAPITAL.findall(text)) / length, len(_DIGIT.findall(text))
    bare = not places and not known.isdisjoint(_DOMAINS) and bool(_BARE.search(text))
    figures = (
        min(count, 1),
        min(max(count - 1, 0), 4) / 4,
        sum(end - start for start, end in places) / length,
        bare,
        ("@" in text or digits >= 7) and bool(_CONTACT.search(text)),
        digits > 0 and bool(_MONEY.search(text)),
        min(asks, 4) / 4,
        min(own, 3) / 3,
        min(len(known & _OFFERS), 4) / 4,
        min(len(known & _BEGS), 4) / 4,
        not known.isdisjoint(_LIKING) and bool(_LIKES.search(folded.text[:MAX_CHARS])),
        max(0.0, capitals - 0.1),
        min(text.count("!"), 6) / 6,
        min(digits / length, 0.5),
        1 - len(known) / len(found) if found else 0.0,
        max(0.0, 1 - len(found) / 12),
        min(math.log1p(len(found)) / 6, 1.0),
        ("<" in text or "[" in text or "&" in text) and bool(_MARKUP.search(text)),
        min(asks, 2) / 2 * bool(count or bare),
        min(asks, 2) / 2 * min(own, 1.0),
    )
    return np.array(figures, dtype=np.float32)


def plain_word(token: str) -> str:
    """Any link as one word, any number by its length: the figures themselves say nothing."""
    if token.startswith(("http:", "https:", "www.")):
        return "<link>"
    return f"<{len(token)} digits>" if token.isdecimal() else token
