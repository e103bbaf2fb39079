"""The traits of a text beside its words: what a spammer can hardly do without, as figures between 0 and about 1.

Each has a name and, where it can speak for spam, words for a moderator. Expressions run where a cheap test passed, and
none of them can backtrack far. Training and run time share this file: a change here needs a new model.
"""

import math
import re
from collections.abc import Sequence
from operator import itemgetter

from moderation.scoring.folding import Folded
from moderation.scoring.spam_words import (
    ASKS,
    BEGS,
    BETTING,
    CURES,
    DATING,
    FINANCE,
    KINDS,
    LIKES,
    MINE,
    MONEY,
    OFFERS,
    SELF,
    SERVICES,
    SUBSCRIBES,
    TRADES,
)
from moderation.scoring.tokens import MAX_CHARS

_MAX_LINKS = 20
_MAX_LINK_CHARS = 200

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

_LINK_TEXT = re.compile(r"(?:https?://|www\.)[^\s<>\"]+")
_BARE = re.compile(
    r"[a-z0-9]\s?(?:\.|\bdot\b)\s?(?:com|net|org|info)\b(?!\.?\w)"
    r"|[a-z0-9]\.(?:co\.uk|biz|ru|tv|ly|shop|xyz|io|gg|tk|site|online|club|pl|eu|co)\b(?!\.?\w)"
)
_DOMAIN_WORDS = """
com net org info uk biz ru tv ly shop xyz io gg tk site online club pl eu co
"""
_DOMAINS = frozenset(_DOMAIN_WORDS.split())
# These begin with what they cannot do without, and look back then: such a beginning is looked for four times as fast.
_MAIL = re.compile(r"@(?<=[\w.+-]@)[\w-]{1,63}\.[a-z]", re.IGNORECASE)
_PHONE = re.compile(r"\d(?<![\d/.-]\d)[\s().-]{0,2}(?:\d[\s().-]{0,2}){8,14}(?!\d)")
_SUM = re.compile(
    r"[$€£\d](?:(?<=[$€£])\s?\d|(?<=\d)(?:[kp]\b|\s?(?:[$€£]|(?:usd|eur|dollars|pounds|euros|bucks|btc)\b)))",
    re.IGNORECASE,
)
_LARGE_SUM = re.compile(
    r"[$€£\d](?:(?<=[$€£])\s?\d{1,3}(?:[,.]?\d{3}|k)|(?<=\d)\d{3,8}\s?(?:dollars|usd|euros))", re.IGNORECASE
)
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

_counts_of_sold = itemgetter(OFFERS, MONEY, FINANCE, CURES, DATING, BETTING, SERVICES)
_NOT_TOGETHER = [0.0] * 6


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
    kinds = [0.0] * (len(KINDS) - 1)
    for _, kind in marked:
        kinds[kind - 1] = min(counts[kind], 3) / 3
    return (
        kinds
        + _shape(text, low, found, known, counts)
        + _links(low, places, links, bare, len(found))
        + (_together(counts, linked) if marked else _NOT_TOGETHER)
    )


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
        counts[LIKES] > 0 and _LIKES_IF.search(low) is not None,
        max(0.0, capitals - 0.1),
        min(text.count("!"), 6) / 6,
        min(text.count("?"), 3) / 3,
        min(digits / length, 0.5),
        1 - len(known) / len(found) if found else 0.0,
        max(0.0, 1 - len(found) / 12),
        min(math.log1p(len(found)) / 6, 1.0),
        ("<" in text or "[" in text) and _MARKUP.search(text) is not None,
        0.0 if text.isascii() else min(len(_EMOJI.findall(text)), 6) / 6,
        any(map(text.__contains__, _RUNS)),
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
    asks = counts[ASKS] + counts[TRADES] + counts[SUBSCRIBES] + counts[LIKES]
    of_sold = _counts_of_sold(counts)
    sold = sum([min(count, 2) for count in of_sold]) if any(of_sold) else 0
    return [
        min(asks, 2) / 2 * linked,
        min(counts[TRADES] + counts[SUBSCRIBES], 2) / 2,
        min(counts[MONEY], 2) / 2 * bool(counts[SELF] or counts[MINE]),
        min(counts[BEGS], 2) / 2 * bool(asks),
        min(sold, 4) / 4,
        min(sold, 2) / 2 * linked,
    ]
