"""Repeats: the same text again, or nearly the same, in any thread of the site.

A fingerprint is stored with each comment. Equal ``exact`` means the same text but for case, accents, look-alikes and
blanks. ``sketch`` is a MinHash (Broder, "On the resemblance and containment of documents", 1997) of the letters: the
share of equal bytes in two sketches estimates how much the texts have in common, whatever the order. Two that share one
of the ``bands`` are worth comparing by ``similarity``: at least ``NEAR`` is nearly the same.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, shake_128
from operator import eq

import numpy as np
import numpy.typing as npt

from moderation.domain.policy import Evidence, Signal, nothing
from moderation.scoring.folding import fold

NEAR = 0.45
"""Similarity from which two texts are nearly the same. Of 103 million pairs of 14,355 different real comments, 465
share a band and reach it, and all but eight of them have two fifths of their letters in common indeed. Of copies of 6
to 9 words with one word changed 85 % do, with one dropped 80 %, with another edit 98 %; of longer ones 98 % or more."""

MIN_LETTERS = 20
"""Letters and digits, links left out, below which a text is only ever the same and not nearly the same as another: what
is shorter ("I agree with you") would be alike by chance. Below it a repeat weighs a quarter, too."""

_VERSION = 2
"""Of sketches and bands; those of different versions never match."""

_GRAM = 4
_HASHES, _FEW_GRAMS = 48, 256
_BANDS, _ROWS = 10, 3
_MAX_GRAMS = 2_048
"""So many grams of the longest texts are used: those with the lowest hashes, so that they are the same in a copy."""

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_LETTERS = re.compile(r"[^\W_]+")
_LEET = str.maketrans("0134578@$", "oieastbas")
_LEET_BYTES = bytes(ord(chr(code).translate(_LEET)) for code in range(256))
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalnum() and chr(code) not in "@$")
_FAMILY = np.frombuffer(shake_128(b"minhash").digest(8 * _HASHES), dtype="<u4").astype(np.uint32).reshape(2, _HASHES)
_TIMES, _PLUS = _FAMILY[0] | np.uint32(1), _FAMILY[1]
_HALVES = [(_TIMES[some, None], _PLUS[some, None]) for some in (slice(24), slice(24, None))]
"""The hash functions x -> a x + b over 32 bits, a odd; and in two parts that stay within the processor's cache with
many grams. Their numbers are stored in databases, so to say."""

_PLACES = np.array([pow(0x01000193, power, 1 << 32) for power in reversed(range(_GRAM))], dtype=np.uint32)
# Arrays without a dimension: a third of the time of a small operation would go into making them of numbers.
_HALF, _GOLDEN = np.array(16, np.uint32), np.array(0x9E3779B1, np.uint32)
_MIXING = (
    (_HALF, np.array(0x85EBCA6B, np.uint32)),
    (np.array(13, np.uint32), np.array(0xC2B2AE35, np.uint32)),
)

_Codes = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``exact``: 16 bytes. ``sketch``: the version and 48 bytes, or nothing for a short text."""

    exact: bytes
    sketch: bytes = b""


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
    codes = _codes(folded)
    return Fingerprint(exact, bytes([_VERSION]) + _sketch(codes) if len(codes) >= MIN_LETTERS else b"")


def bands(sketch: bytes) -> tuple[int, ...]:
    """The keys under which a sketch is found by sketches like it: ten integers of at most 48 bits, or none."""
    if not sketch:
        return ()
    version, rows = sketch[0], sketch[1:]
    return tuple(
        version << 40 | band << 32 | int.from_bytes(rows[band * _ROWS : (band + 1) * _ROWS], "big")
        for band in range(_BANDS)
    )


def similarity(a: bytes, b: bytes) -> float:
    """About how much two texts have in common by their sketches: shared four-letter sequences among all, 0 to 1.

    The standard error is at most 0.07. 0 where either has no sketch, or of another version.
    """
    if len(a) != len(b) or a[:1] != b[:1] or not a:
        return 0.0
    equal: int = sum(map(eq, a[1:], b[1:]))
    return equal / (len(a) - 1)


def repeats(body: str, identical: Sequence[Earlier], similar: Sequence[Earlier]) -> Signal:
    """Earlier comments with the same or nearly the same text, by what became of them.

    It weighs as much as the share of spam and rejected among those that were decided, so that a common phrase is not
    spam because one person's was; and a little for the repetition. ``scores["spam"]`` is the weight: a rule of thumb,
    not a trained score.
    """
    if not identical and not similar:
        return nothing("repeats")
    known = {earlier.comment_id for earlier in identical}
    others = [earlier for earlier in similar if earlier.comment_id not in known]
    weight = _weight(identical, 1.0) + _weight(others, 0.6)
    if sum(map(str.isalnum, body)) < MIN_LETTERS:
        weight /= 4
    weight = round(min(0.9, weight), 4)
    evidence = [
        Evidence(f"{lead} {_tally(found)}.")
        for lead, found in (("The same text as", identical), ("Like", others))
        if found
    ]
    return Signal("repeats", weight, tuple(evidence), {"spam": weight})


def _weight(found: Sequence[Earlier], share: float) -> float:
    states = Counter(earlier.state for earlier in found)
    spam, rejected = states["spam"], states["rejected"] + states["trashed"]
    decided = spam + rejected + states["approved"]
    bad = (0.6 * spam + 0.35 * rejected) / decided if decided else 0.0
    return share * (bad + min(0.4, 0.1 * len(found)))


_SAID = {
    "spam": ("was marked as spam", "were marked as spam"),
    "rejected": ("was rejected", "were rejected"),
    "trashed": ("is in the trash", "are in the trash"),
    "approved": ("was approved", "were approved"),
    "pending": ("waits", "wait"),
    "escalated": ("waits for an admin", "wait for an admin"),
}
"""The states that are told, in order, of one comment and of several."""


def _tally(found: Sequence[Earlier]) -> str:
    """ "20 comments that were marked as spam and 1 that was approved"."""
    states = Counter(earlier.state for earlier in found)
    parts = [f"{states[state]} that {said[states[state] > 1]}" for state, said in _SAID.items() if states[state]]
    first, *rest = parts or [f"{len(found)} that went"]
    number, _, what = first.partition(" ")
    parts = [f"{number} comment{'s' if number != '1' else ''} {what}", *rest]
    told = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    same_thread = sum(earlier.same_thread for earlier in found)
    return told + (f", {same_thread} of them in this thread" if same_thread else "")


def _codes(folded: str) -> _Codes:
    """The letters and digits of a matching copy as code points: no links, signs or blanks; leet read as letters."""
    if "://" in folded or "www." in folded:
        folded = _LINK.sub(" ", folded)
    if folded.isascii():
        letters = folded.encode().translate(_LEET_BYTES, _NO_LETTERS)
        return np.frombuffer(letters, dtype=np.uint8).astype(np.uint32)
    plain = "".join(_LETTERS.findall(folded.translate(_LEET)))
    return np.frombuffer(plain.encode("utf-32-le", "replace"), dtype="<u4").astype(np.uint32)


def _sketch(codes: _Codes) -> bytes:
    """For each hash function the last byte of the lowest value that a sequence of four letters has under it."""
    grams = _grams(codes)
    if len(grams) > _MAX_GRAMS:
        grams = np.partition(grams, _MAX_GRAMS)[:_MAX_GRAMS]
    if len(grams) <= _FEW_GRAMS:
        return _lowest(grams[:, None] * _TIMES, _PLUS, 0)
    return b"".join([_lowest(grams * times, plus, 1) for times, plus in _HALVES])


def _grams(codes: _Codes) -> _Codes:
    """A hash of each sequence of four letters: FNV-like sums, mixed as MurmurHash3 ends (its constants)."""
    mixed: _Codes = np.correlate(codes, _PLACES, "valid")
    for shift, times in _MIXING:
        mixed ^= mixed >> shift
        mixed *= times
    mixed ^= mixed >> _HALF
    return mixed


def _lowest(values: _Codes, plus: _Codes, axis: int) -> bytes:
    """The last bytes of the lowest values of some of the functions. ``values``: what is multiplied already."""
    values += plus
    values ^= values >> _HALF
    values *= _GOLDEN
    lowest: _Codes = np.minimum.reduce(values, axis)
    return lowest.astype(np.uint8).tobytes()
