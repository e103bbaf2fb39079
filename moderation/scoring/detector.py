"""py3langid's naive Bayes over n-grams of bytes, with the same answers from a third of the memory.

The library's automaton is a table with a row of 256 moves for each state, nearly all of which other states make too.
Here a row is cut into 16 parts, and equal parts are kept once. Weights are kept of the languages asked for alone.
"""

import math
import unicodedata
from array import array
from collections import Counter
from collections.abc import Collection
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier

_PART = 16
_PARTS = 256 // _PART
_HIGH, _LOW = bytes(byte // _PART for byte in range(256)), bytes(byte % _PART for byte in range(256))
_AT_ONCE = 1 << 15
_TIMES = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class Detector:
    """Tells one of some languages. Safe to share between threads."""

    def __init__(self, whole: LanguageIdentifier, languages: Collection[str]) -> None:
        """Take what these languages (ISO 639-1) need of the library's identifier, which may be thrown away then."""
        kept = [at for at, code in enumerate(whole.nb_classes) if code in languages]
        self._codes = [whole.nb_classes[at] for at in kept]
        self._twice = [(self._codes.index(code), at) for at, code in enumerate(self._codes) if code in self._codes[:at]]
        self._shares: NDArray[np.float32] = whole.nb_pc[kept]
        self._weights = _of_its_own((len(whole.nb_ptc), len(kept)), np.float16)
        np.take(whole.nb_ptc, kept, 1, out=self._weights, mode="clip")
        moves = np.frombuffer(whole.tk_nextmove, f"u{whole.tk_nextmove.itemsize}").reshape(-1, _PART)
        firsts, numbers = _different(moves)
        to = _of_its_own((len(firsts), _PART), moves.dtype)
        np.take(moves, firsts, 0, out=to, mode="clip")
        # Where a row's parts begin among the different ones; and for each move in these, the row that it leads to (as
        # a place in the former) and the feature that is found there.
        rows = np.frombuffer(whole.tk_row, f"u{whole.tk_row.itemsize}").astype(np.uint32) * np.uint32(_PARTS)
        self._parts = _taken("I", np.arange(len(firsts), dtype=np.uint32) * np.uint32(_PART), numbers)
        self._rows = _taken("I", rows, to)
        self._features = _taken("i", np.array(whole.tk_output, np.int32), to)
        self._start = int(rows[0])

    def __call__(self, text: str) -> tuple[str, float]:
        """The likeliest language of a text, and how likely it is, 0 to 1. Takes any text."""
        raw = unicodedata.normalize("NFC", text.lower() if text.isupper() else text).encode("utf-8", "surrogatepass")
        found = Counter(map(self._features.__getitem__, self._moves(raw)))
        found.pop(-1, None)
        if found:
            features = np.fromiter(found, np.intp, len(found))
            counts = np.fromiter(found.values(), np.float32, len(found))
            said = np.log1p(counts) @ self._weights.take(features, 0) + self._shares
        else:
            said = np.zeros(len(self._codes), np.float32)
        # The library's way to say how sure it is: a long text is not made surer by its length alone.
        said *= 1.0 / math.sqrt(len(raw) or 1)
        np.exp(said - said.max(), out=said)
        said /= said.sum()
        for at, other in self._twice:
            said[at] += said[other]
            said[other] = 0.0
        best = int(said.argmax())
        return self._codes[best], float(said[best])

    def _moves(self, raw: bytes) -> list[int]:
        """The moves of the automaton, one for each byte."""
        parts, rows, row, found = self._parts, self._rows, self._start, []
        for high, low in zip(raw.translate(_HIGH), raw.translate(_LOW), strict=True):
            move = parts[row + high] + low
            row = rows[move]
            found.append(move)
        return found


def load(languages: Collection[str]) -> Detector:
    """The detector for these languages, from py3langid's file: half a second. Raises what reading a damaged one raises.

    The file's tables take 75 MB more meanwhile, which are given back.
    """
    return Detector(LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True), languages)


def _of_its_own(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array in pages of its own: what is large and dropped again goes back at once, which the heap may not do."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS), dtype).reshape(shape)


def _taken(kind: str, values: NDArray[Any], places: NDArray[Any]) -> "array[int]":
    """The values at these places as an array of the standard library, whose single ones are quicker to get."""
    kept, flat = array(kind, [0]) * places.size, places.ravel()
    filled = np.frombuffer(kept, values.dtype)
    for start in range(0, len(flat), _AT_ONCE):
        filled[start : start + _AT_ONCE] = values[flat[start : start + _AT_ONCE]]
    return kept


def _different(parts: NDArray[Any]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Where each different part is, and for each part the number of that which it is equal to. Told by a hash."""
    hashes, ordered = (_of_its_own((len(parts),), np.uint64) for _ in range(2))
    for start in range(0, len(parts), _AT_ONCE):
        some = hashes[start : start + _AT_ONCE]
        for column in parts[start : start + _AT_ONCE].T:
            some += column
            some *= _TIMES
            some ^= some >> _HALF
    ordered[:] = hashes
    ordered.sort()
    known = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    numbers, firsts = _of_its_own((len(parts),), np.uint32), np.empty(len(known), np.uint32)
    for start in range(0, len(parts), _AT_ONCE):
        some = np.searchsorted(known, hashes[start : start + _AT_ONCE])
        numbers[start : start + _AT_ONCE] = some
        firsts[some] = np.arange(start, start + len(some), dtype=np.uint32)
    return firsts, numbers
