"""The spam model: words, pairs of words, kinds of words, and the traits of a text. Linear, so its evidence is exact.

A link is no spam by itself: the model was trained with ordinary comments mixed in, also with links in them. What makes
spam of it is who asks for what: "check out my channel" has an asking word, a "my" and a place of one's own, in a row.
Words that do the same work are of one kind, so that a pair of kinds is known with words that were never seen together.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
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

WORD_VALUE, GRAM_VALUE, KIND_PAIR_VALUE = 0.7, 0.5, 1.0
"""How much a word or pair counts, an n-gram, and a pair of kinds, before the weights."""

NEAR = 3
"""Words of a kind are a pair if the second is at most so many words after the first."""

_READ_WORDS = 8_192
_MAX_LINKS = 20
_MAX_LINK_CHARS = 200

_KINDS = {
    "asks": """
        check checkout chk visit click clik follow join watch listen download buy order vote sign claim register
        contact message msg dm add support donate whatsapp call text txt email reply send search google try grab
        apply hit tap view see look come go peep spread
    """,
    "likes": "share sharing repost retweet like likes liked thumb thumbs upvote comment comments rate",
    "trades": "sub subs subbed subbing sub4sub f4f l4l follow4follow like4like",
    "mine": "my our mine me us meh myself ours mah",
    "own": """
        channel channels chanel chanell chhanel chanal channal chanels vid vids video videos vidios vidio page site
        website web blog vlog vlogs music song songs cover covers remix remixes mixtape mixtapes album albums single
        shop store app profile group playlist track tracks beat beats rap raps podcast stream streams server link
        links bio game games gameplay gaming account band work stuff content freestyle clip clips lyrics ep
    """,
    "platform": """
        youtube yt facebook fb instagram insta ig twitter tiktok telegram snapchat snap discord soundcloud twitch
        skype paypal cashapp venmo kik onlyfans patreon gofundme kickstarter spotify itunes ebay amazon etsy fiverr
        linkedin tumblr pinterest vk myspace reddit wechat viber mailchimp
    """,
    "offers": """
        free win winner won winning prize prizes offer offers deal deals discount coupon voucher gift gifts giveaway
        bonus bonuses cheap cheapest guarantee guaranteed promo promotion sale wholesale bargain limited exclusive
        instant instantly unlimited trial reward rewards lowest affordable hurry nulled cracked generator hack hacks
        cheats skins vbucks robux iphone ipad xbox
    """,
    "money": """
        cash earn earned earning earnings earns income profit profits profitable payout payouts withdraw withdrew
        withdrawal money dollars usd paid payment salary rich millionaire financially freedom passive hourly weekly
        monthly euros pounds bucks
    """,
    "finance": """
        loan loans lender lenders lending credit bitcoin btc crypto cryptocurrency ethereum eth forex trading trader
        traders trade broker brokers invest invested investing investment investments investor investors binary
        wallet mining nft nfts signals portfolio debt mortgage refinance payday altcoin usdt dogecoin funds recovery
    """,
    "cures": """
        viagra cialis levitra pills pill xanax tramadol kamagra steroids cbd kratom keto detox supplement
        supplements herbal herbs spell spells caster herpes cure cured enlargement slimming psychic illuminati
        astrologer voodoo priest healer
    """,
    "dating": """
        dating singles hookup hookups escort escorts webcam cam cams nude nudes porn xxx milf sexy hot horny lonely
        meet flirt erotic sugar
    """,
    "betting": """
        casino casinos poker slots slot jackpot betting bet bets sportsbook lottery roulette blackjack gambling
    """,
    "services": """
        seo backlinks backlink traffic ranking rankings replica replicas watches handbags essay essays assignment
        assignments dissertation thesis writing writers diploma degree certificate passport passports license
        licences outlet jerseys hosting domain leads marketing affiliate dropshipping agency services hacker hackers
        iptv subscription supplier manufacturer
    """,
    "begs": """
        please pls plz plzz plss pleas plse help chance favor favour minute second thanks thank appreciate grateful
        sorry dream dreams famous talent talented promise desperate struggling pray prayer god bless mercy honest
        feedback opinion
    """,
    "greets": """
        hey hi hello guys everyone everybody dear friends friend folks people yo sup attention fam viewers anyone
        bro
    """,
    "audience": "subscriber subscribers followers fans views viewer view fan supporters",
    "makes": """
        new latest first own just started starting upload uploaded uploading uploads posted posting post released
        dropping daily make makes making made create created launched
    """,
    "self": "i im i'm ive i've ill i'll we we're we've id i'd",
    "reader": "you your u ur you're yall y'all ya you'll",
    "if": "if when while cuz because",
    "back": "back return too",
    "subscribes": "",
    "link": "",
    "digits": "",
    "year": "",
}
"""Kinds of words by what they do in a sentence. The last ones are known by their form."""

KINDS = ("", *_KINDS)
"""The kinds, by number; 0 is none."""

(
    _NONE, _ASKS, _LIKES, _TRADES, _MINE, _OWN, _PLATFORM, _OFFERS, _MONEY, _FINANCE, _CURES, _DATING, _BETTING,
    _SERVICES, _BEGS, _GREETS, _AUDIENCE, _MAKES, _SELF, _READER, _IF, _BACK, _SUBSCRIBES, _LINK, _DIGITS, _YEAR,
) = range(len(KINDS))  # fmt: skip
_SOLD = (_OFFERS, _MONEY, _FINANCE, _CURES, _DATING, _BETTING, _SERVICES)

_KIND_OF: dict[str, int] = {}
for _number, _words in enumerate(_KINDS.values(), 1):
    for _word in _words.split():
        _KIND_OF.setdefault(_word, _number)

_SAID = {
    "asks": "asking the reader to act",
    "likes": "asking for likes",
    "trades": "trading subscriptions",
    "mine": "its own things",
    "own": "a channel, page or shop",
    "platform": "another platform",
    "offers": "an offer",
    "money": "talk of earning",
    "finance": "loans or investments",
    "cures": "pills or cures",
    "dating": "dating",
    "betting": "betting",
    "services": "services for sale",
    "begs": "begging for attention",
    "audience": "talk of subscribers",
    "makes": "something new of its own",
    "subscribes": "asking to subscribe",
}

TRAITS = (
    *((kind, _SAID.get(kind, "")) for kind in KINDS[1:]),
    ("mail", "an e-mail address"),
    ("phone", "a telephone number"),
    ("sum", "a sum of money"),
    ("large_sum", "a large sum of money"),
    ("likes_if", "asking for likes"),
    ("shouting", "capitals"),
    ("exclaiming", "exclamation marks"),
    ("asking", ""),
    ("figures", "digits"),
    ("repeating", "words repeated"),
    ("short", ""),
    ("long", ""),
    ("markup", "markup"),
    ("emoji", "emoji"),
    ("runs", "signs in a row"),
    ("links", "a link"),
    ("many_links", "several links"),
    ("link_share", "little but links"),
    ("bare_domain", "the name of a web address"),
    ("referring", "a link that pays its sender"),
    ("social_link", "a link to a channel, page or shop"),
    ("shortened_link", "a shortened link"),
    ("cheap_domain", "a link to a cheap domain"),
    ("source_link", ""),
    ("home_link", "a link to a home page"),
    ("only_links", "nothing but links"),
    ("link_last", "a link at the end"),
    ("same_link", "the same link again"),
    ("asks_and_links", "asking to follow a link"),
    ("subscribing", "asking to subscribe"),
    ("earning", "telling of its own gains"),
    ("begs_and_asks", "begging the reader to act"),
    ("sold", "words of trade"),
    ("sold_and_links", "a trade and where to find it"),
)
"""The traits beside the words, in the order of their weights: name, and how a sentence calls it. First the kinds of
words, each by how many there are."""

_SUBSCRIBE = re.compile(r"s[uo]{1,2}[bsck]{2,5}(?:ri|ir|r|i)[bcv]|subsc(?!ript)")
_LINK_TEXT = re.compile(r"(?:https?://|www\.)[^\s<>\"]+")
_BARE = re.compile(
    r"[a-z0-9]\s?(?:\.|\bdot\b)\s?(?:com|net|org|info)\b(?!\.?\w)"
    r"|[a-z0-9]\.(?:co\.uk|biz|ru|tv|ly|shop|xyz|io|gg|tk|site|online|club|pl|eu|co)\b(?!\.?\w)"
)
_DOMAIN_WORDS = """
com net org info uk biz ru tv ly shop xyz io gg tk site online club pl eu co
"""
_DOMAINS = frozenset(_DOMAIN_WORDS.split())
_MAIL = re.compile(r"(?<=[\w.+-])@[\w-]{1,63}\.[a-z]", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\d/.-])(?:\d[\s().-]{0,2}){9,15}(?!\d)")
_SUM = re.compile(r"[$€£]\s?\d|\d\s?(?:[$€£]|(?:usd|eur|dollars|pounds|euros|bucks|btc)\b)|\d(?:k|p)\b", re.IGNORECASE)
_LARGE_SUM = re.compile(r"[$€£]\s?\d{1,3}(?:[,.]?\d{3}|k)|\d{4,9}\s?(?:dollars|usd|euros)", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-z]+[\s>/]|\[/?(?:url|link|b)\b", re.IGNORECASE)
_LIKES_IF = re.compile(
    r"\blikes? (?:it )?(?:this|if|for|so|my|and|plz|please|the comment)\b"
    r"|\bgive (?:it|this|me) (?:a|some) (?:like|thumb)"
    r"|\bthumbs? (?:up|this)\b.{0,12}\b(?:if|for|so|who|to|guys|please|plz)\b"
)
_REFERRING = re.compile(
    r"[?&/](?:ref|r|aff|affid|invite|referral|referrer|code|utm_[a-z]+|promo|join|i|u|id|user|channel|c)[=/]"
)
_SOCIAL = re.compile(
    r"youtu\.?be|facebook|fb\.|instagram|twitter|soundcloud|twitch|t\.me|wa\.me|discord|gofundme|kickstarter|indiegogo"
    r"|patreon|paypal|tiktok|snapchat|spotify|itunes|apple\.com|play\.google|amazon|ebay|etsy|vk\.|reverbnation|bandcamp"
    r"|change\.org|petition"
)
_SHORTENED = re.compile(
    r"//(?:www\.)?(?:bit\.ly|goo\.gl|tinyurl|ow\.ly|adf\.ly|is\.gd|cutt\.ly|rb\.gy|buff\.ly|tiny\.cc|shorturl|linktr\.ee"
    r"|lnk\.|hyperurl|smarturl)"
)
_CHEAP = re.compile(
    r"\.(?:xyz|top|club|tk|ml|ga|cf|gq|click|loan|win|bid|icu|buzz|online|site|shop|live|vip|biz|ru|info|cc|ws|su|store"
    r"|fun|space)(?![a-z0-9.-])"
)
_SOURCE = re.compile(
    r"wikipedia|\.(?:gov|edu|ac|int|mil)\b|/(?:19|20)\d\d/|\.(?:pdf|s?html?)\b"
    r"|/(?:news|article|articles|story|stories|opinion|politics|world|wiki|report|reports|archive)\b"
    r"|(?:[a-z0-9]{1,20}-){3}"
)
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")
_RUNS = ("!!!!", "????", "....", "****", "~~~~", "====", "____", "----")
_CAPITALS, _FIGURES = bytes(range(65, 91)), bytes(range(48, 58))


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
        read = [self._read(token) for token in found]
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


def pair_rows(numbers: Sequence[int]) -> NDArray[np.int64]:
    """The rows of the pairs of neighbours, from the numbers of the words."""
    each = np.array(numbers, dtype=np.int64)
    return (each[:-1] * 31 + (each[1:] >> 7) + each[1:]) & (ROWS - 1)


def gram_rows(word: str) -> list[int]:
    """The rows of a word's n-grams of 3 to 5 characters, its ends marked."""
    marked = f"<{word[:20]}>".encode("utf-8", "replace")
    return [crc32(marked[at : at + size]) & (ROWS - 1) for size in (3, 4, 5) for at in range(len(marked) - size + 1)]


def plain_word(token: str) -> str:
    """Any link as one word, any number by its length, any year: the figures themselves say nothing."""
    if token.startswith(("http:", "https:", "www.")):
        return "<link>"
    if token.isdecimal():
        return "<year>" if len(token) == 4 and token.startswith("20") else f"<{len(token)} digits>"
    return token


def kind_of(word: str) -> int:
    """The kind of a plain word; 0 for none. Subscribing is known in many spellings."""
    kind = _KIND_OF.get(word, 0)
    if kind or word[:1] not in {"s", "<"}:
        return kind
    if word[0] == "<":
        return {"<link>": _LINK, "<year>": _YEAR}.get(word, _DIGITS)
    if _SUBSCRIBE.match(word):
        return _AUDIENCE if "er" in word[6:] else _SUBSCRIBES
    return 0


def kind_pairs(marked: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Words of a kind that follow each other closely: both places, and the row of the pair. ``marked``: place, kind."""
    before, kind_before = -NEAR - 1, 0
    for at, kind in marked:
        if at - before <= NEAR:
            yield before, at, kind_before * len(KINDS) + kind
        before, kind_before = at, kind


def traits(folded: Folded, found: Sequence[str], marked: Sequence[tuple[int, int]], links: int = 0) -> list[float]:
    """The figures of ``TRAITS``, each between 0 and about 1. ``marked``: place and kind of the words that have one."""
    counts = [0] * len(KINDS)
    for _, kind in marked:
        counts[kind] += 1
    text, known = folded.source[:MAX_CHARS], frozenset(found)
    low = folded.text[:MAX_CHARS]
    places = [m[0] for m in _LINK_TEXT.finditer(low)][:_MAX_LINKS] if "://" in low or "www." in low else []
    bare = not places and not known.isdisjoint(_DOMAINS) and _BARE.search(low) is not None
    linked = bool(places or links or bare)
    return [
        *(count / 3 if count < 3 else 1.0 for count in counts[1:]),
        *_shape(text, low, found, known, counts),
        *_links(low, places, links, bare, len(found)),
        *_together(counts, linked),
    ]


def _shape(text: str, low: str, found: Sequence[str], known: frozenset[str], counts: Sequence[int]) -> list[float]:
    """From the name of a web address to markup: what stands in a text. Expressions run where a cheap test passed."""
    length, raw = max(len(text), 1), text.encode("utf-8", "replace")
    capitals = (len(raw) - len(raw.translate(None, _CAPITALS))) / length
    digits = len(raw) - len(raw.translate(None, _FIGURES))
    return [
        "@" in text and _MAIL.search(text) is not None,
        digits >= 9 and _PHONE.search(text) is not None,
        digits > 0 and _SUM.search(text) is not None,
        digits > 1 and _LARGE_SUM.search(text) is not None,
        counts[_LIKES] > 0 and _LIKES_IF.search(low) is not None,
        max(0.0, capitals - 0.1),
        min(text.count("!"), 6) / 6,
        min(text.count("?"), 3) / 3,
        min(digits / length, 0.5),
        1 - len(known) / len(found) if found else 0.0,
        max(0.0, 1 - len(found) / 12),
        min(math.log1p(len(found)) / 6, 1.0),
        ("<" in text or "[" in text) and _MARKUP.search(text) is not None,
        0.0 if text.isascii() else min(len(_EMOJI.findall(text)), 6) / 6,
        any(run in text for run in _RUNS),
    ]


def _links(low: str, places: Sequence[str], links: int, bare: bool, words: int) -> list[float]:
    """What kind of links, and how they stand in the text."""
    count = max(len(places), links)
    if not count:
        return [0.0, 0.0, 0.0, bare, *[0.0] * 9]
    all_links = " ".join(place[:_MAX_LINK_CHARS] for place in places)
    return [
        1.0,
        min(count - 1, 4) / 4,
        sum(map(len, places)) / len(low) if low else 0.0,
        0.0,
        _REFERRING.search(all_links) is not None,
        _SOCIAL.search(all_links) is not None,
        _SHORTENED.search(all_links) is not None,
        _CHEAP.search(all_links) is not None,
        _SOURCE.search(all_links) is not None,
        any(place.rstrip("/").count("/") <= 2 for place in places),
        words <= count,
        bool(places) and low.rstrip().endswith(places[-1]),
        len(set(places)) < len(places),
    ]


def _together(counts: Sequence[int], linked: bool) -> list[float]:
    """What only means something together."""
    asks = counts[_ASKS] + counts[_TRADES] + counts[_SUBSCRIBES] + counts[_LIKES]
    sold = sum(min(counts[kind], 2) for kind in _SOLD)
    return [
        min(asks, 2) / 2 * linked,
        min(counts[_TRADES] + counts[_SUBSCRIBES], 2) / 2,
        min(counts[_MONEY], 2) / 2 * bool(counts[_SELF] or counts[_MINE]),
        min(counts[_BEGS], 2) / 2 * bool(asks),
        min(sold, 4) / 4,
        min(sold, 2) / 2 * linked,
    ]
