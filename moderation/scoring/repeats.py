"""Repeats: the same text again, or nearly the same, in any thread of the site.

A fingerprint is stored with each comment. Equal ``exact`` means the same text but for case, accents, look-alikes and
blanks. Two that share one of the ``bands`` are worth comparing by ``distance``: at most ``NEAR`` is nearly the same.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from struct import unpack

from moderation.domain.policy import Evidence, Signal
from moderation.scoring.folding import fold

MIN_WORDS = 8
"""Shorter texts have no bands: ordinary ones ("I agree with you") would be alike by chance."""

NEAR = 8
"""Bits that may differ. Over 2,048 real comments of 8 words or more, 4 of 2 million pairs are as near as that and share
a band; of copies of them with one word changed, 68 % do; with one dropped, 77 %; with one put in front, 91 %."""

SHORT_CHARS = 25
"""Folded characters under which a repeat weighs a quarter: people do write "Thanks!" twice."""

_BANDS, _BAND_BITS = 4, 16
_WORD = re.compile(r"\w+")

_LANE_BYTES = 2
_MAX_WORDS = 32_000
"""So that the counts of all shingles fit into their lanes; over three times what the longest comment has."""
_LANES = tuple(
    tuple(sum(1 << (8 * _LANE_BYTES * (8 * index + bit)) for bit in range(8) if byte >> bit & 1) for byte in range(256))
    for index in range(8)
)
"""For each byte of a hash and each value of it: its bits, spread to lanes."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``exact``: 16 bytes. ``bands``: four integers below 2^18, or none. ``simhash``: signed, 64 bits; 0 without."""

    exact: bytes
    bands: tuple[int, ...] = ()
    simhash: int = 0


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier comment that is like this one. ``state``: a value of ``moderation.domain.comment.State``."""

    comment_id: str
    state: str
    same_thread: bool = False


def fingerprint(body: str) -> Fingerprint:
    """The fingerprint of a text: the same for the same text in every process and version of Python."""
    folded = fold(body).text
    exact = blake2b("".join(folded.split()).encode("utf-8", "replace"), digest_size=16).digest()
    words = _WORD.findall(folded)[:_MAX_WORDS]
    if len(words) < MIN_WORDS:
        return Fingerprint(exact)
    bits = _simhash(words)
    bands = tuple((band << _BAND_BITS) | (bits >> (band * _BAND_BITS)) & 0xFFFF for band in range(_BANDS))
    return Fingerprint(exact, bands, bits - (1 << 64) if bits >> 63 else bits)


def distance(a: int, b: int) -> int:
    """How many of the 64 bits of two simhashes differ; 0 to 64."""
    return ((a ^ b) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()


def repeats(body: str, identical: Sequence[Earlier], similar: Sequence[Earlier]) -> Signal:
    """Earlier comments with the same or nearly the same text. Those that were spam or rejected weigh most.

    ``scores["spam"]`` is the weight: a rule of thumb, not a trained score.
    """
    if not identical and not similar:
        return Signal("repeats")
    known = {earlier.comment_id for earlier in identical}
    others = [earlier for earlier in similar if earlier.comment_id not in known]
    weight = _weight(identical, 1.0) + _weight(others, 0.6)
    if len(body.strip()) < SHORT_CHARS:
        weight /= 4
    weight = round(min(0.9, weight), 4)
    evidence = [
        Evidence(f"{lead} {_tally(found)}.")
        for lead, found in (("The same text as", identical), ("Nearly the same text as", others))
        if found
    ]
    return Signal("repeats", weight, tuple(evidence), {"spam": weight})


def _weight(found: Sequence[Earlier], share: float) -> float:
    states = Counter(earlier.state for earlier in found)
    bad = 0.6 if states["spam"] else 0.35 if states["rejected"] + states["trashed"] else 0.0
    return share * (bad + min(0.4, 0.1 * len(found)))


def _tally(found: Sequence[Earlier]) -> str:
    """ "3 comments, 2 of them spam"."""
    states = Counter(earlier.state for earlier in found)
    same_thread = sum(earlier.same_thread for earlier in found)
    parts = [f"{states[state]} of them {state}" for state in ("spam", "rejected", "approved") if states[state]]
    parts += [f"{same_thread} in this thread"] if same_thread else []
    return ", ".join([f"{len(found)} comment{'s' if len(found) > 1 else ''}", *parts])


def _simhash(words: Sequence[str]) -> int:
    """Charikar's simhash (STOC 2002) over the shingles of one and of two words, 64 bits.

    Each bit of the result is what the majority of the shingles' hashes have there. The 64 counts are kept as lanes of
    one large integer, so that a shingle costs one addition.
    """
    shingles = [*words, *map(" ".join, pairwise(words))]
    counts = sum(map(_spread, shingles)).to_bytes(64 * _LANE_BYTES, "little")
    return sum(1 << bit for bit, count in enumerate(unpack("<64H", counts)) if 2 * count > len(shingles))


@lru_cache(maxsize=8_192)
def _spread(shingle: str) -> int:
    """The 64 bits of a shingle's hash, each in a lane of its own. Kept for the words that everybody uses."""
    digest = blake2b(shingle.encode("utf-8", "replace"), digest_size=8).digest()
    return sum(lanes[byte] for lanes, byte in zip(_LANES, digest, strict=True))
