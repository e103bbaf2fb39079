"""The trained model: toxicity, severe toxicity, obscene, threat, insult, identity attack; and spam.

Run time of what ``training/`` trains, on numpy alone. Arrays lie in ``model/``, without pickles, and are checked
against the manifest there before they are read; ``model/MODEL_CARD.md`` says from what they were made and how good
they are. The same text gets the same scores: nothing but the text (and, for spam, its links) has a say.
"""

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from moderation.domain.policy import ATTRIBUTES, Evidence, Signal, in_words, risk_share
from moderation.errors import Bug
from moderation.scoring import spam
from moderation.scoring.folding import Folded
from moderation.scoring.languages import is_foreign
from moderation.scoring.tokens import Token, gram_rows, spellings, tokens, words

FOLDER = Path(__file__).parent / "model"
"""The shipped arrays, their manifest and their model card."""

LABELS = ATTRIBUTES[:-1]
"""What the network scores, in the order of its outputs. The seventh score, spam, has a model of its own."""

RUDE_AT_MOST, SPAM_AT_MOST = 0.49, 0.8
"""The weight of a score of 1. What is rude is no spam: together with the built-in word list's 0.4 at most it stays
below 0.9, from which ``auto_spam`` acts. Nor does the spam score send anything there without another signal."""

_FREQUENT = 8_192
"""Known words whose rows are made when the model is loaded, 13 MB: 92 % of the words of comments. The vocabulary has
the most frequent ones first."""

_READ_WORDS = 2_048
"""Other words whose rows are kept: 4 MB at most. With twice as many, 0.3 % less of all words would be read anew."""

_AT_ONCE = 512
_TRIED = 6

_log = structlog.get_logger(__name__)
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Curve:
    """From a model's logit to a score that means what it says: 0.8 is right eight times of ten on held-out data.

    Straight lines between points in logits, so that the order of texts stays (points rise strictly).
    """

    logits: tuple[float, ...]
    calibrated: tuple[float, ...]
    _lines: tuple[tuple[float, float, float], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        x, y = self.logits, self.calibrated
        slopes = [(y[at] - y[at - 1]) / (x[at] - x[at - 1]) for at in range(1, len(x))]
        lines = [(x[at + 1], slope, y[at] - slope * x[at]) for at, slope in enumerate(slopes)]
        object.__setattr__(self, "_lines", (*lines[:-1], (math.inf, *lines[-1][1:])))

    def score(self, logit: float) -> float:
        """The score 0..1 of a logit, rounded to four places."""
        value = 0.0
        for end, slope, at_zero in self._lines:
            if logit <= end:
                value = at_zero + slope * logit
                break
        if not -30.0 < value < 30.0:
            value = math.copysign(30.0, value)
        return round(1 / (1 + math.exp(-value)), 4)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says: version, checksums, calibration and default thresholds by attribute (or by language)."""

    version: str
    sha256: Mapping[str, str]
    curves: Mapping[str, Curve]
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the network sees it: its tokens and what each label's logit came to. The evidence starts from it."""

    tokens: Sequence[str]
    logits: Floats


class Network:
    """Vectors of words, convolutions of width 3 and 1, maximum and mean, a linear term a word, one dense layer.

    A filter is linear in the vectors of words, so what a word adds to each filter is a row of figures: its linear
    terms, its part in the middle of a window (with the constant), in the filters of width 1, and before and behind the
    middle. ``_rows`` has those of frequent words, made once, and shared by the processes that are forked; those of the
    others are made when they are met.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        known = bytes(arrays["vocabulary"]).decode("utf-8").split("\n")
        self._ids = {word: number for number, word in enumerate(known)}
        self._convolutions: Floats = arrays["convolutions"]
        self._bias: Floats = arrays["convolution_bias"]
        self._width, self._filters = self._convolutions.shape[0], len(self._bias) // 2
        self._grams, self._gram_scale = arrays["grams"], arrays["gram_scale"].astype(np.float32)
        self._dense_bias: Floats = arrays["dense_bias"]
        self._table, self._scale = arrays["table"], arrays["table_scale"].astype(np.float32)
        self._linear = self._table.shape[1] - self._width
        dense: Floats = arrays["dense"]
        if len(known) != len(self._table) or dense.shape != (4 * self._filters + 2 * self._linear + 1, len(LABELS)):
            raise Bug("The arrays of the model do not fit each other.")
        # In the order of what is pooled: maxima of linear terms and filters, their sums, the length.
        maxima, means, linear, rest = np.split(dense, np.cumsum([2 * self._filters] * 2 + [self._linear]))
        self._dense: Floats = np.concatenate([linear, maxima, rest[:-1], means, rest[-1:]])
        frequent = range(min(_FREQUENT, len(known)))
        self._rows: Floats = np.empty((len(frequent), self._linear + self._convolutions.shape[1]), np.float32)
        for start in frequent[::_AT_ONCE]:  # in parts, so that loading takes little memory beside them
            self._rows[start : start + _AT_ONCE] = self._known(frequent[start : start + _AT_ONCE])
        self._nothing = self._row_of(np.zeros(self._table.shape[1], np.float32))
        self._rare = lru_cache(maxsize=_READ_WORDS)(self._spelled)

    def read(self, found: Sequence[str]) -> Reading:
        """The logits of a text's tokens. An empty text is read too."""
        return Reading(found, self._logits(self._rows_of(found)))

    def without(self, reading: Reading, places: Sequence[int]) -> Floats:
        """For each of the places the logits if the token there said nothing: shape (places, labels)."""
        rows = self._rows_of(reading.tokens)
        logits = np.empty((len(places), len(LABELS)), np.float32)
        for number, place in enumerate(places):
            changed = rows.copy()
            changed[place] = self._nothing
            logits[number] = self._logits(changed)
        return logits

    def shares(self, reading: Reading, label: int) -> Floats:
        """What each token adds to the logit of ``label``: exact, they add up to the logit but for its constant part.

        A maximum belongs to the place where it was found, a mean to all; a window of three is laid to its centre.
        """
        rows, weights = self._pooled_rows(self._rows_of(reading.tokens)), self._dense[:, label]
        count, size, linear = len(rows), rows.shape[1], self._linear
        shares: Floats = rows[:, linear:] @ weights[size + linear : -1] / np.float32(count)
        shares += rows[:, :linear] @ weights[size : size + linear] / np.float32(count + 3)
        np.add.at(shares, rows.argmax(0), np.maximum(rows.max(0), 0) * weights[:size])
        return shares

    def _known(self, numbers: Sequence[int]) -> Floats:
        """The rows of known words."""
        return self._rows_from(self._table[numbers].astype(np.float32) * self._scale[numbers, None])

    def _row_of(self, vector: Floats) -> Floats:
        row: Floats = self._rows_from(vector[None, :])[0]
        return row

    def _rows_from(self, vectors: Floats) -> Floats:
        """What words with these vectors say: their linear terms, and what they add to each filter."""
        rows: Floats = np.empty((len(vectors), self._linear + self._convolutions.shape[1]), np.float32)
        rows[:, : self._linear] = vectors[:, self._width :]
        filtered = rows[:, self._linear :]
        np.matmul(vectors[:, : self._width], self._convolutions, out=filtered)
        filtered[:, : len(self._bias)] += self._bias
        return rows

    def _rows_of(self, found: Sequence[str]) -> Floats:
        """The rows of a text's tokens, a copy that may be changed."""
        ids = [self._ids.get(word, -1) for word in found]
        rows: Floats = self._rows.take(ids, 0, mode="clip") if ids else self._rows[:0].copy()
        for place in [place for place, number in enumerate(ids) if not 0 <= number < len(self._rows)]:
            rows[place] = self._rare(found[place])
        return rows

    def _spelled(self, token: str) -> Floats:
        """The row of a word, or of a spelling of it that is known, else by the mean of its n-grams.

        Two of a known one are made: the product for a single one would be rounded otherwise than for the frequent ones.
        """
        last = token
        for spelling in spellings(token):
            last = spelling or last
            if spelling in self._ids:
                known: Floats = self._known([self._ids[spelling]] * 2)[0].copy()
                return known
        grams = gram_rows(last, len(self._grams))
        mean: Floats = (self._grams[grams] * self._gram_scale[grams, None]).mean(0)
        return self._row_of(mean)

    def _pooled_rows(self, rows: Floats) -> Floats:
        """At each place the linear terms, and what the filters of width 3 and of width 1 say. Changes ``rows``."""
        start, half = self._linear, self._filters
        end = start + 2 * half
        centre = rows[:, start : start + half]
        centre[1:] += rows[:-1, end : end + half]
        centre[:-1] += rows[1:, end + half :]
        found = rows[:, start:end]
        np.maximum(found, 0, out=found)
        return rows[:, :end]

    def _logits(self, rows: Floats) -> Floats:
        """The logits of rows, which are changed."""
        count = len(rows)
        if not count:
            return self._dense_bias
        found, linear = self._pooled_rows(rows), self._linear
        size, pooled = found.shape[1], np.empty(len(self._dense), np.float32)
        maxima, sums = pooled[:size], pooled[size:-1]
        np.maximum.reduce(found, axis=0, out=maxima)
        np.maximum(maxima, 0, out=maxima)
        np.add.reduce(found, axis=0, out=sums)
        sums[:linear] /= count + 3
        sums[linear:] /= count
        pooled[-1] = math.log1p(count) / 5
        logits: Floats = pooled @ self._dense + self._dense_bias
        return logits


class Model:
    """Network, spam model, calibration and thresholds, loaded and checked. Safe to share between threads."""

    def __init__(self, manifest: Manifest, network: Network, spam_model: spam.SpamModel) -> None:
        self.version = manifest.version
        self.thresholds = manifest.thresholds
        self._silent = {name: threshold / 2 for name, threshold in manifest.thresholds.items()}
        self._curves = manifest.curves
        self._network, self._spam = network, spam_model

    def judge(self, folded: Folded, links: int = 0) -> Signal:
        """The signal of a text: scores of all attributes, a weight, and evidence for what reaches its threshold.

        A text mostly in letters of another script is not judged, and the policy holds the comment.
        """
        if is_foreign(folded.text):
            why = "Mostly in another script than Latin; the model was trained on English and cannot judge it."
            return Signal("attributes", evidence=(Evidence(why),), available=False)
        found = words(folded.text)
        reading, noticed = self._network.read(found), self._spam.features(folded, found, links)
        scores = self._scores(found, reading, noticed)
        weights = {name: self.weight(name, score) for name, score in scores.items() if score > self._silent[name]}
        if not weights:
            return Signal("attributes", scores=scores)
        weight = max(weights.values())
        flagged = [name for name in weights if scores[name] >= self.thresholds[name]]
        places = tokens(folded.text) if flagged else []
        evidence = [self._evidence(name, scores[name], folded, places, reading, noticed) for name in flagged]
        if weight and not evidence:
            name = max(weights, key=lambda name: weights[name])
            evidence = [
                Evidence(f"{in_words(name)} {scores[name]:.2f} by model {self.version}: below what is flagged.")
            ]
        return Signal("attributes", weight, tuple(evidence), scores)

    def scores(self, folded: Folded, links: int = 0) -> dict[str, float]:
        """All scores of a text, also of one in another script."""
        found = words(folded.text)
        return self._scores(found, self._network.read(found), self._spam.features(folded, found, links))

    def _scores(self, found: Sequence[str], reading: Reading, noticed: spam.Noticed) -> dict[str, float]:
        """Calibrated; all 0 for a text without a word, of which nothing was learned."""
        if not found:
            return dict.fromkeys(ATTRIBUTES, 0.0)
        logits = (*reading.logits.tolist(), noticed.logit)
        return {name: self._curves[name].score(logit) for name, logit in zip(ATTRIBUTES, logits, strict=True)}

    def weight(self, name: str, score: float) -> float:
        """The share of the risk that a score stands for: ``RUDE_AT_MOST`` or ``SPAM_AT_MOST`` at 1.

        A site's ``approve_below`` of 0.2 means the threshold of each attribute, whatever figure that is.
        """
        most = SPAM_AT_MOST if name == "spam" else RUDE_AT_MOST
        return round(risk_share(score, self.thresholds[name], most), 4)

    def _evidence(
        self,
        name: str,
        score: float,
        folded: Folded,
        places: Sequence[Token],
        reading: Reading,
        noticed: spam.Noticed,
    ) -> Evidence:
        said = f"{in_words(name)} {score:.2f} by model {self.version}"
        if name == "spam":
            carrying, reasons = noticed.carrying(), noticed.reasons()
            because = ", ".join([*reasons, *(["these words"] if carrying else [])])
        else:
            carrying = self._carrying(reading, LABELS.index(name))
            because = "these words" if carrying else "the text as a whole"
        spans = folded.spans(places[place][1:] for place in carrying)
        return Evidence(f"{said}: {because or 'the text as a whole'}.", spans)

    def _carrying(self, reading: Reading, label: int) -> list[int]:
        """The tokens that carry a score: of the largest shares, those without which the logit would fall noticeably.

        At most ``_TRIED`` are left out one by one, which bounds the time.
        """
        if not len(reading.tokens):
            return []
        shares = self._network.shares(reading, label)
        likely = [int(at) for at in np.argsort(-shares, kind="stable")[:_TRIED] if shares[at] > 0]
        falls = reading.logits[label] - self._network.without(reading, likely)[:, label]
        most = max(falls.tolist(), default=0.0)
        return sorted(at for at, fall in zip(likely, falls.tolist(), strict=True) if fall > 0 and fall >= most * 0.25)


def judge(model: Model | None, folded: Folded, links: int = 0) -> Signal:
    """The signal of the trained model; unavailable where the model could not be loaded."""
    if model is None:
        return Signal("attributes", available=False)
    return model.judge(folded, links)


def load(folder: Path = FOLDER) -> Model:
    """The model of a folder, its files checked against the manifest. Raises ``Bug`` for a missing or damaged one."""
    try:
        manifest = read_manifest(folder / "manifest.json", ATTRIBUTES)
        network = Network(checked_arrays(folder, "attributes.npz", manifest.sha256))
        return Model(manifest, network, spam.SpamModel(checked_arrays(folder, "spam.npz", manifest.sha256)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Bug(f"The model's files cannot be used ({type(error).__name__}).") from error


@cache
def shipped() -> Model | None:
    """The model that comes with the package, loaded once a process; None where that fails, which is logged."""
    try:
        return load()
    except Bug as error:
        _log.error("model_unusable", error=str(error))
        return None


def checked_arrays(folder: Path, name: str, sha256: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The arrays of a file. Raises ``Bug`` if it is not the one of the checksum, ``OSError`` if it is missing."""
    content = (folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256[name]:
        raise Bug(f"The model's file {name} is not the one that the manifest names.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def read_manifest(path: Path, names: Sequence[str]) -> Manifest:
    """What a manifest says of these scores. Raises what reading a missing or damaged one raises."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    points = {name: stored["calibration"][name] for name in names}
    curves = {name: Curve(tuple(at["logits"]), tuple(at["calibrated"])) for name, at in points.items()}
    thresholds = {name: float(stored["thresholds"][name]) for name in names}
    return Manifest(str(stored["version"]), dict(stored["sha256"]), curves, thresholds)
