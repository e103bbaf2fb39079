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
from typing import Any, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from moderation.domain.policy import ATTRIBUTES, Evidence, Signal, four_places, in_words, risk_share
from moderation.errors import Bug
from moderation.scoring import spam
from moderation.scoring.folding import Folded
from moderation.scoring.languages import is_foreign
from moderation.scoring.tokens import MAX_TOKENS, gram_rows, sentence_starts, spellings, tokens, words

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

BY_SENTENCE_FROM, SUSPECTED = 100, -3.5
"""Characters, and logit of toxicity plus half of that of an identity attack, from which on the sentences of a text are
also read one by one. The limit on the logits spares five of six ordinary comments this, and hides 1.4 % of what is
found without it."""

_AT_ONCE = 512
_TRIED = 6
_ZERO = np.zeros((), np.float32)

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
        return four_places(1 / (1 + math.exp(-value)))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says: version, checksums, calibration and default thresholds by attribute (or by language).

    ``sentences``: by attribute the logit from which a sentence counts for the text as it is; see ``Network``.
    """

    version: str
    sha256: Mapping[str, str]
    curves: Mapping[str, Curve]
    thresholds: Mapping[str, float]
    sentences: Mapping[str, float] = field(default_factory=dict)


class Reading(NamedTuple):
    """A text as the network sees it: its tokens and what each label's logit came to. The evidence starts from it.

    ``rows`` is what each place says, before it is pooled. Where the sentences were read one by one: ``starts`` of them
    among the tokens, ``sentences``, their logits, and ``whole``, the logits without them.
    """

    tokens: Sequence[str]
    logits: Floats
    rows: Floats
    starts: Sequence[int] = ()
    sentences: Floats | None = None
    whole: Floats | None = None

    def deciding(self, label: int) -> tuple[int, int]:
        """Start and end of the tokens that decided on a label: of the worst sentence, if it did, else of all."""
        if self.sentences is None or self.whole is None or self.logits[label] <= self.whole[label]:
            return 0, len(self.tokens)
        worst = int(self.sentences[:, label].argmax())
        return self.starts[worst], [*self.starts[1:], len(self.tokens)][worst]


class Network:
    """Vectors of words, convolutions of width 3 and 1, maximum and mean, a linear term a word, one dense layer.

    Calm sentences around a rude one thin it out. So the sentences of some texts are pooled one by one too, and the
    worst one counts for the text where its logit is higher: from ``full_from`` on as it is. What lacks to that is taken
    off once more, since one of many sentences is more easily wrong than a text.

    A filter is linear in the vectors of words, so what a word adds to each filter is a row of figures: its linear
    terms, its part in the middle of a window (with the constant), in the filters of width 1, and before and behind the
    middle. ``_rows`` has those of frequent words, made once, and shared by the processes that are forked; those of the
    others are made when they are met.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], full_from: Mapping[str, float] | None = None) -> None:
        """``full_from``: logits by label; the sentences have no say on those that are left out."""
        self._full_from: Floats = np.array([(full_from or {}).get(label, np.inf) for label in LABELS], np.float32)
        known = bytes(arrays["vocabulary"]).decode("utf-8").split("\n")
        self._ids = {word: number for number, word in enumerate(known)}
        self._convolutions: Floats = arrays["convolutions"]
        self._bias: Floats = arrays["convolution_bias"]
        self._width, self._filters = self._convolutions.shape[0], len(self._bias) // 2
        self._grams, self._gram_scale = arrays["grams"], arrays["gram_scale"].astype(np.float32)
        self._table, self._scale = arrays["table"], arrays["table_scale"].astype(np.float32)
        self._linear = self._table.shape[1] - self._width
        dense: Floats = arrays["dense"]
        if len(known) != len(self._table) or dense.shape != (4 * self._filters + 2 * self._linear + 1, len(LABELS)):
            raise Bug("The arrays of the model do not fit each other.")
        # In the order of what is pooled: maxima of linear terms and filters, their sums, the length, and a constant.
        maxima, means, linear, rest = np.split(dense, np.cumsum([2 * self._filters] * 2 + [self._linear]))
        bias: Floats = arrays["dense_bias"]
        self._dense: Floats = np.asfortranarray(
            np.concatenate([linear, maxima, rest[:-1], means, rest[-1:], bias[None]])
        )
        # What a place says at least; of a whole matrix numpy makes one loop, of a part a loop for each row.
        self._least: Floats = np.zeros((MAX_TOKENS, self._linear + 2 * self._filters), np.float32)
        self._least[:, : self._linear] = -np.inf
        frequent = min(_FREQUENT, len(known))
        self._rows: Floats = np.empty((frequent, self._linear + self._convolutions.shape[1]), np.float32)
        for start in range(0, frequent, _AT_ONCE):  # in parts, so that loading takes little memory beside them
            part = slice(start, min(start + _AT_ONCE, frequent))
            self._rows[part] = self._rows_from(self._table[part] * self._scale[part, None])
        self._nothing = self._row_of(np.zeros(self._table.shape[1], np.float32))
        self._counted = lru_cache(maxsize=MAX_TOKENS)(self._of_count)
        self._rare = lru_cache(maxsize=_READ_WORDS)(self._spelled)

    def read(self, found: Sequence[str]) -> Reading:
        """The logits of a text's tokens. An empty text is read too."""
        rows = self._said(self._rows_of(found))
        return Reading(found, self._logits(rows) if found else self._dense[-1], rows)

    def with_sentences(self, reading: Reading, starts: Sequence[int]) -> Reading:
        """The same with its sentences, which start there among its tokens."""
        if len(starts) < 2:
            return reading
        sentences = self._logits_of_parts(reading.rows, starts)
        worst = sentences.max(0)
        counted = worst - np.maximum(self._full_from - worst, _ZERO)
        logits = np.maximum(reading.logits, counted)
        return Reading(reading.tokens, logits, reading.rows, starts, sentences, reading.logits)

    def carrying(self, found: Sequence[str], labels: Sequence[int]) -> list[list[int]]:
        """For each label the tokens that carry its logit: of those with the largest shares, the ones without which it
        would fall noticeably. At most ``_TRIED`` a label are left out one by one, which bounds the time.
        """
        if not found:
            return [[] for _ in labels]
        rows = self._rows_of(found)
        said = self._said(rows)
        likely = [_largest(self._shares(said, label)) for label in labels]
        places = sorted({place for some in likely for place in some})
        without = np.repeat(rows[None], len(places), 0)
        without[np.arange(len(places)), places] = self._nothing
        falls = dict(zip(places, self._logits(said) - self._logits(self._said(without)), strict=True))
        found_by_label = []
        for label, some in zip(labels, likely, strict=True):
            most = max((float(falls[at][label]) for at in some), default=0.0)
            found_by_label.append(sorted(at for at in some if falls[at][label] > 0 and falls[at][label] >= most * 0.25))
        return found_by_label

    def shares(self, found: Sequence[str], label: int) -> Floats:
        """What each token adds to the logit of ``label``: exact, they add up to the logit but for its constant part."""
        return self._shares(self._said(self._rows_of(found)), label)

    def _shares(self, rows: Floats, label: int) -> Floats:
        """A maximum belongs to the place where it was found, a mean to all; a window of three is laid to its centre."""
        count, size, linear, weights = len(rows), rows.shape[1], self._linear, self._dense[:, label]
        shares: Floats = rows[:, linear:] @ weights[size + linear : -2] / np.float32(count)
        shares += rows[:, :linear] @ weights[size : size + linear] / np.float32(count + 3)
        maxima = np.maximum(rows.max(0), _ZERO) * weights[:size]
        shares += np.bincount(rows.argmax(0), maxima, count).astype(np.float32)
        return shares

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
        ids, frequent = [self._ids.get(word, -1) for word in found], len(self._rows)
        rows: Floats = self._rows.take(ids, 0, mode="clip") if ids else self._rows[:0].copy()
        for place in [place for place, number in enumerate(ids) if not 0 <= number < frequent]:
            rows[place] = self._rare(found[place])
        return rows

    def _spelled(self, token: str) -> Floats:
        """The row of a word, or of a spelling of it that is known, else by the mean of its n-grams."""
        last = token
        for spelling in spellings(token):
            last = spelling or last
            if spelling in self._ids:
                number = self._ids[spelling]
                return self._row_of(self._table[number] * self._scale[number])
        grams = gram_rows(last, len(self._grams))
        mean: Floats = (self._grams[grams] * self._gram_scale[grams, None]).mean(0)
        return self._row_of(mean)

    def _said(self, rows: Floats) -> Floats:
        """At each place the linear terms, and what the filters of width 3 and of width 1 say: of the rows of a text, or
        of several of the same length.
        """
        start, half = self._linear, self._filters
        end = start + 2 * half
        said: Floats = rows[..., :end].copy()
        centre = said[..., start : start + half]
        later, earlier = centre[..., 1:, :], centre[..., :-1, :]
        np.add(later, rows[..., :-1, end : end + half], later)
        np.add(earlier, rows[..., 1:, end + half :], earlier)
        np.maximum(said, self._least[: said.shape[-2]], out=said)
        return said

    def _logits(self, rows: Floats) -> Floats:
        """The logits of pooled rows, of one text or of several."""
        count, size = rows.shape[-2:]
        divisors, last = self._counted(count)
        pooled: Floats = np.empty((*rows.shape[:-2], len(self._dense)), np.float32)
        np.maximum.reduce(rows, -2, out=pooled[..., :size], initial=0.0)
        sums = np.add.reduce(rows, -2, out=pooled[..., size:-2])
        np.divide(sums, divisors, sums)
        pooled[..., -2:] = last
        logits: Floats = pooled @ self._dense
        return logits

    def _logits_of_parts(self, rows: Floats, starts: Sequence[int]) -> Floats:
        """The logits of parts of pooled rows."""
        size, ends = rows.shape[1], [*starts[1:], len(rows)]
        pooled: Floats = np.empty((len(starts), len(self._dense)), np.float32)
        for part, start, end in zip(pooled, starts, ends, strict=True):
            divisors, part[-2:] = self._counted(end - start)
            np.maximum.reduce(rows[start:end], 0, out=part[:size], initial=0.0)
            sums = np.add.reduce(rows[start:end], 0, out=part[size:-2])
            np.divide(sums, divisors, sums)
        logits: Floats = pooled @ self._dense
        return logits

    def _of_count(self, count: int) -> tuple[Floats, Floats]:
        """By what the sums over so many tokens are divided; what stands for the length, and the constant."""
        divisors: Floats = np.full(self._linear + 2 * self._filters, count, np.float32)
        divisors[: self._linear] += 3
        return divisors, np.array([math.log1p(count) / 5, 1], np.float32)


def _largest(shares: Floats) -> list[int]:
    """The places of the largest shares, those above 0."""
    return [int(at) for at in np.argsort(-shares, kind="stable")[:_TRIED] if shares[at] > 0]


class Model:
    """Network, spam model, calibration and thresholds, loaded and checked. Safe to share between threads."""

    def __init__(self, manifest: Manifest, network: Network, spam_model: spam.SpamModel) -> None:
        self.version = manifest.version
        self.thresholds = manifest.thresholds
        self._silent = {name: threshold / 2 for name, threshold in manifest.thresholds.items()}
        self._curves = manifest.curves
        self._scored = [(name, manifest.curves[name].score) for name in ATTRIBUTES]
        self._network, self._spam = network, spam_model

    def judge(self, folded: Folded, links: int = 0) -> Signal:
        """The signal of a text: scores of all attributes, a weight, and evidence for what reaches its threshold.

        A text mostly in letters of another script is not judged, and the policy holds the comment.
        """
        if is_foreign(folded.text):
            why = "Mostly in another script than Latin; the model was trained on English and cannot judge it."
            return Signal("attributes", evidence=(Evidence(why),), available=False)
        reading, noticed = self._read(folded, links)
        scores = self._scores(reading, noticed)
        weights = {name: self.weight(name, score) for name, score in scores.items() if score > self._silent[name]}
        if not weights:
            return Signal("attributes", scores=scores)
        weight = max(weights.values())
        flagged = [name for name in weights if scores[name] >= self.thresholds[name]]
        evidence = self._evidence(flagged, scores, folded, reading, noticed) if flagged else []
        if weight and not evidence:
            name = max(weights, key=lambda name: weights[name])
            evidence = [
                Evidence(f"{in_words(name)} {scores[name]:.2f} by model {self.version}: below what is flagged.")
            ]
        return Signal("attributes", weight, tuple(evidence), scores)

    def scores(self, folded: Folded, links: int = 0) -> dict[str, float]:
        """All scores of a text, also of one in another script."""
        return self._scores(*self._read(folded, links))

    def _read(self, folded: Folded, links: int) -> tuple[Reading, spam.Noticed]:
        reading = read(self._network, folded.text)
        return reading, self._spam.features(folded, reading.tokens, links)

    def _scores(self, reading: Reading, noticed: spam.Noticed) -> dict[str, float]:
        """Calibrated; all 0 for a text without a word, of which nothing was learned."""
        if not reading.tokens:
            return dict.fromkeys(ATTRIBUTES, 0.0)
        logits = (*reading.logits.tolist(), noticed.logit)
        return {name: score(logit) for (name, score), logit in zip(self._scored, logits, strict=True)}

    def weight(self, name: str, score: float) -> float:
        """The share of the risk that a score stands for: ``RUDE_AT_MOST`` or ``SPAM_AT_MOST`` at 1.

        A site's ``approve_below`` of 0.2 means the threshold of each attribute, whatever figure that is.
        """
        most = SPAM_AT_MOST if name == "spam" else RUDE_AT_MOST
        return round(risk_share(score, self.thresholds[name], most), 4)

    def _evidence(
        self, names: Sequence[str], scores: Mapping[str, float], folded: Folded, reading: Reading, noticed: spam.Noticed
    ) -> list[Evidence]:
        """For each attribute of ``names`` a sentence, and the places that carry it."""
        places = tokens(folded.text)
        carrying = self._carrying(reading, [LABELS.index(name) for name in names if name != "spam"])
        found = []
        for name in names:
            if name == "spam":
                words_of_it, reasons = noticed.carrying(), noticed.reasons()
            else:
                words_of_it, reasons = carrying[LABELS.index(name)], []
            because = ", ".join([*reasons, *(["these words"] if words_of_it else [])]) or "the text as a whole"
            text = f"{in_words(name)} {scores[name]:.2f} by model {self.version}: {because}."
            found.append(Evidence(text, folded.spans(places[at][1:] for at in words_of_it)))
        return found

    def _carrying(self, reading: Reading, labels: Sequence[int]) -> dict[int, list[int]]:
        """For each label the tokens that carry its score, looked for in what decided on it."""
        deciding: dict[tuple[int, int], list[int]] = {}
        for label in labels:
            deciding.setdefault(reading.deciding(label), []).append(label)
        found = {}
        for (start, end), some in deciding.items():
            for label, carrying in zip(some, self._network.carrying(reading.tokens[start:end], some), strict=True):
                found[label] = [start + at for at in carrying]
        return found


def read(network: Network, text: str) -> Reading:
    """A matching copy as the network sees it, with its sentences where it is long and suspected enough."""
    reading = network.read(words(text))
    toxicity, *_, identity = reading.logits.tolist()
    if len(text) >= BY_SENTENCE_FROM and toxicity + identity / 2 >= SUSPECTED:
        return network.with_sentences(reading, sentence_starts(text))
    return reading


def judge(model: Model | None, folded: Folded, links: int = 0) -> Signal:
    """The signal of the trained model; unavailable where the model could not be loaded."""
    if model is None:
        return Signal("attributes", available=False)
    return model.judge(folded, links)


def load(folder: Path = FOLDER) -> Model:
    """The model of a folder, its files checked against the manifest. Raises ``Bug`` for a missing or damaged one."""
    try:
        manifest = read_manifest(folder / "manifest.json", ATTRIBUTES)
        network = Network(checked_arrays(folder, "attributes.npz", manifest.sha256), manifest.sentences)
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
    sentences = {name: float(logit) for name, logit in stored.get("sentences", {}).items()}
    return Manifest(str(stored["version"]), dict(stored["sha256"]), curves, thresholds, sentences)
