"""The spam model: logistic regression over words, pairs, kinds and traits, with ordinary comments mixed in."""

import csv
import html
import math
import random
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from moderation.scoring.attributes import Curve
from moderation.scoring.folding import fold
from moderation.scoring.spam import (
    GRAM_VALUE,
    KIND_PAIR_VALUE,
    ROWS,
    WORD_VALUE,
    gram_rows,
    number_of,
    pair_rows,
    token_scale,
)
from moderation.scoring.spam_traits import traits
from moderation.scoring.spam_words import KINDS, kind_of, kind_pairs, plain_word
from moderation.scoring.tokens import MAX_WORD_CHARS, words
from training import contrast_spam, data
from training.heldout import is_calibration, is_test

STRENGTH = 3.0
TRAIT_SCALE = 2.0
ORDINARY_WEIGHT, OWN_WEIGHT, SMS_WEIGHT = 0.06, 0.4, 0.04
ORDINARY = frozenset({"civil", "civil_link", "wiki"})
LEAST_PRIOR = 0.3
"""How far a word may move that is as frequent in spam as elsewhere; see ``_priors``."""

SPAM_SHARE = 0.2
"""The share of spam that the calibration assumes among the comments that come in."""

ORDINARY_SHARE = 0.12
"""What an ordinary comment counts in the calibration beside one of a video."""

ALARMS = 0.005
"""The share of held-out ordinary comments (Civil Comments and Wikipedia) that the default threshold may flag."""

LOWEST, HIGHEST = 0.4, 0.6
"""The default threshold stays near 0.5, so that both mean about the same."""

_HASHED = 2 * ROWS
_COLUMNS = _HASHED + len(KINDS) ** 2


@dataclass(frozen=True, slots=True)
class Message:
    """A text, whether it is spam, where it is from, and how much it counts."""

    text: str
    spam: bool
    source: str
    weight: float


def messages(rows: Sequence[data.Row]) -> list[Message]:
    """Spam and ham of the two spam collections and our own, then ordinary comments, some with a link that we put there.

    A comment of YouTube is there as it was typed, and as the collection has it (source ``raw1``) where that differs.
    """
    found = []
    for number in (1, 2, 3):
        for text, is_spam in _videos(number):
            typed = as_typed(text)
            weight = 1.0 if typed == text else 0.5
            found.append(Message(typed, is_spam, f"youtube{number}", weight))
            if typed != text:
                found.append(Message(text, is_spam, f"raw{number}", weight))
    with (data.folder() / "sms_spam_5549.tsv").open(encoding="utf-8") as file:
        for line in file:
            label, _, text = line.rstrip("\n").partition("\t")
            found.append(Message(text, label == "spam", "sms", SMS_WEIGHT))
    found += [Message(text, True, "own", OWN_WEIGHT) for text in contrast_spam.spam()]
    found += [Message(text, False, "own", OWN_WEIGHT) for text in contrast_spam.ham()]
    return found + _ordinary(rows)


def _videos(number: int) -> list[tuple[str, bool]]:
    with (data.folder() / f"youtube_spam_0{number}.csv").open(encoding="utf-8", newline="") as file:
        return [(line["text"], line["spam"] == "1") for line in csv.DictReader(file)]


_ANCHOR = re.compile(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>')


def as_typed(text: str) -> str:
    """A comment without the HTML that one of the collections has: a time mark stays, a link becomes its address."""
    text = _ANCHOR.sub(lambda match: match[2] if re.fullmatch(r"[\d:]+", match[2]) else match[1], text)
    return html.unescape(re.sub(r"<[^>]{1,20}>", " ", text)).replace("\ufeff", "").strip()


_LINKED = (
    "{} {at}",
    "{} {at}",
    "{at} {}",
    "{}\n\n{at}",
    "{} Source: {at}",
    "{} See {at}",
    "Read this: {at} {}",
    "{} ({at})",
)
_LINKED_SHARE = 0.2


def _ordinary(rows: Sequence[data.Row]) -> list[Message]:
    dice, places = random.Random(11), contrast_spam.addresses(4_000)
    found = []
    for row in rows:
        if row.source in {"civil", "wiki"}:
            found.append(Message(row.text, False, row.source, ORDINARY_WEIGHT))
            if row.source == "civil" and dice.random() < _LINKED_SHARE:
                text = dice.choice(_LINKED).replace("{at}", dice.choice(places)).replace("{}", row.text)
                found.append(Message(text, False, "civil_link", ORDINARY_WEIGHT))
    return found


class _Block:
    """Rows of a sparse matrix, as they come."""

    def __init__(self) -> None:
        self.indices, self.values, self.ends = array("q"), array("f"), [0]

    def add(self, indices: Sequence[int], value: float) -> None:
        self.indices.extend(indices)
        self.values.extend([value] * len(indices))

    def end(self) -> None:
        self.ends.append(len(self.indices))


def matrix(texts: Sequence[str]) -> csr_matrix:
    """One row a text, by the run time's own features: words and pairs, n-grams, pairs of kinds, traits."""
    block, dense = _Block(), []
    for text in texts:
        folded = fold(text)
        tokens = words(folded.text)
        plain = [plain_word(token[:MAX_WORD_CHARS]) for token in tokens]
        scale = token_scale(len(plain))
        numbers = [number_of(word) for word in plain]
        marked = [(at, kind) for at, kind in enumerate(map(kind_of, plain)) if kind]
        block.add([number & (ROWS - 1) for number in numbers], WORD_VALUE * scale)
        block.add(pair_rows(numbers).tolist() if numbers else [], WORD_VALUE * scale)
        block.add([ROWS + row for word in plain for row in gram_rows(word)], GRAM_VALUE * scale)
        block.add([_HASHED + row for _, _, row in kind_pairs(marked)], KIND_PAIR_VALUE * scale)
        block.end()
        dense.append(traits(folded, tokens, marked))
    shape = (len(texts), _COLUMNS)
    counted = csr_matrix((np.array(block.values), np.array(block.indices), np.array(block.ends)), shape=shape)
    counted.sum_duplicates()
    return hstack([counted, csr_matrix(np.array(dense, dtype=np.float64) * TRAIT_SCALE)]).tocsr()


def fitted(features: csr_matrix, found: Sequence[Message]) -> LogisticRegression:
    """The regression over some messages."""
    truth, weights = np.array([m.spam for m in found]), np.array([m.weight for m in found])
    priors = _priors(features, truth, weights)
    model = LogisticRegression(C=STRENGTH, max_iter=300, solver="lbfgs", tol=1e-3)
    model.fit(features @ diags(priors), truth, sample_weight=weights)
    model.coef_ = model.coef_ * priors
    return model


def _priors(features: csr_matrix, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How far the weight of each column may move: the more, the more it tells spam from the rest by its counts alone.

    The size of the log ratio of counts, as in Wang and Manning, "Baselines and Bigrams" (2012), as the scale of a
    column before it is regularised. The model stays linear in the counts. Pairs of kinds and traits keep a scale of 1.
    """
    there = (features[:, :_HASHED] > 0).astype(float)
    spam = 1 + np.asarray((diags(weights * truth) @ there).sum(0)).ravel()
    other = 1 + np.asarray((diags(weights * ~truth) @ there).sum(0)).ravel()
    ratios = np.log((spam / spam.sum()) / (other / other.sum()))
    return np.concatenate([LEAST_PRIOR + np.abs(ratios), np.ones(features.shape[1] - _HASHED)])


@dataclass(frozen=True, slots=True)
class Trained:
    """What the package ships for spam: arrays, the curve from logit to score, and the default threshold."""

    arrays: dict[str, np.ndarray]
    curve: Curve
    threshold: float


def train(rows: Sequence[data.Row]) -> Trained:
    """The model over all the spam and the ordinary comments that are not held out; its curve and threshold.

    These two are of models that left one video, and the comments held out for calibration, out.
    """
    found = messages(rows)
    features = matrix([m.text for m in found])
    curve, threshold = calibrated(found, features, (1, 2, 3))
    return Trained(arrays(_without(found, features, ())), curve, threshold)


def _without(found: Sequence[Message], features: csr_matrix, videos: Sequence[int]) -> LogisticRegression:
    """The regression over all but some videos and the ordinary comments that are held out."""
    out = {f"{kind}{number}" for number in videos for kind in ("youtube", "raw")}
    seen = np.array([m.source not in out and not (m.source in ORDINARY and _held_out(m)) for m in found])
    return fitted(features[seen], _kept(found, seen))


def _held_out(message: Message) -> bool:
    return is_test(message.text) or is_calibration(message.text)


def calibrated(found: Sequence[Message], features: csr_matrix, videos: Sequence[int]) -> tuple[Curve, float]:
    """The curve and the threshold that follow from leaving out each of ``videos`` in turn; other videos are not used.

    The curve assumes ``SPAM_SHARE``. The threshold is the lowest score, in hundredths, that flags no more than
    ``ALARMS`` of the ordinary comments held out for calibration.
    """
    unseen = set(range(1, 4)) - set(videos)
    held = np.array([m.source in ORDINARY and is_calibration(m.text) for m in found])
    plain = np.array([m.source in {"civil", "wiki"} for m in found])[held]
    truth, logits, weights, alarms = [], [], [], []
    for number in videos:
        model = _without(found, features, [number, *unseen])
        video = np.array([m.source in {f"youtube{number}", f"raw{number}"} for m in found])
        ordinary = model.decision_function(features[held])
        logits += [model.decision_function(features[video]), ordinary]
        truth += [m.spam for m in _kept(found, video)] + [False] * len(ordinary)
        weights += [m.weight for m in _kept(found, video)] + [ORDINARY_SHARE] * len(ordinary)
        alarms.append(ordinary[plain])
    curve = _curve(np.concatenate(logits), np.array(truth), np.array(weights))
    cut = float(np.mean([np.quantile(part, 1 - ALARMS) for part in alarms]))
    return curve, min(max(math.ceil(curve.score(cut) * 100) / 100, LOWEST), HIGHEST)


def _curve(logits: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> Curve:
    """A line in logits (Platt), with ``SPAM_SHARE`` of the weight on spam."""
    share = weights[truth].sum() / weights.sum()
    balanced = weights * np.where(truth, SPAM_SHARE / share, (1 - SPAM_SHARE) / (1 - share))
    line = LogisticRegression(C=100.0, max_iter=1_000).fit(logits[:, None], truth, sample_weight=balanced)
    ends = (-25.0, 25.0)
    return Curve(ends, tuple(round(float(end * line.coef_[0, 0] + line.intercept_[0]), 4) for end in ends))


def _kept(found: Sequence[Message], mask: np.ndarray) -> list[Message]:
    return [message for message, kept in zip(found, mask, strict=True) if kept]


def arrays(model: LogisticRegression) -> dict[str, np.ndarray]:
    """int16 weights of words and n-grams, floats of pairs of kinds and of traits."""
    weights = model.coef_[0]
    parts = {"words": weights[:ROWS], "grams": weights[ROWS:_HASHED]}
    scales = {name: np.float32(np.abs(part).max() / 32_767) for name, part in parts.items()}
    return {
        **{name: np.round(part / scales[name]).astype(np.int16) for name, part in parts.items()},
        **{f"{name}_scale": scale for name, scale in scales.items()},
        "kind_pairs": weights[_HASHED:_COLUMNS].astype(np.float32),
        "traits": (weights[_COLUMNS:] * TRAIT_SCALE).astype(np.float32),
        "bias": np.float32(model.intercept_[0]),
    }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What leaving one video out came to: figures by name; and of each video's comments and of ordinary comments held
    out for measuring the score and whether it is spam, for the reliability."""

    figures: dict[str, float]
    scores: np.ndarray
    spam: np.ndarray


def left_out(rows: Sequence[data.Row]) -> LeftOut:
    """Leave one video out: each of the three is judged by a model, a curve and a threshold that saw none of it.

    "Alarms" are of ordinary comments held out for measuring, the mean of the three models. Each row gives the figure at
    a score of 0.5 and at the default threshold.
    """
    found = messages(rows)
    features = matrix([m.text for m in found])
    parts = {
        "alarms civil": np.array([m.source == "civil" and is_test(m.text) for m in found]),
        "alarms wiki": np.array([m.source == "wiki" and is_test(m.text) for m in found]),
        "alarms with a link added": np.array([m.source == "civil_link" and is_test(m.text) for m in found]),
    }
    truth, logits, said, figures = [], [], {"0.5": [], "threshold": []}, {}
    judged: list[tuple[float, bool]] = []
    ordinary = parts["alarms civil"] | parts["alarms wiki"]
    for number in (1, 2, 3):
        curve, threshold = calibrated(found, features, [other for other in (1, 2, 3) if other != number])
        guess = _without(found, features, [number]).decision_function(features)
        video = np.array([m.source == f"youtube{number}" for m in found])
        truth += [m.spam for m in _kept(found, video)]
        logits += list(guess[video])
        scores = np.array([curve.score(logit) for logit in guess])
        judged += [(float(scores[at]), found[at].spam) for at in np.flatnonzero(video | ordinary)]
        for name, cut in (("0.5", 0.5), ("threshold", threshold)):
            said[name] += list(scores[video] >= cut)
            for part, chosen in parts.items():
                figures.setdefault(f"{part}, {name}", []).append(float((scores[chosen] >= cut).mean()))
            figures[f"accuracy of video {number}, {name}"] = [
                float((np.array(said[name]) == truth)[-sum(video) :].mean())
            ]
    table = {"auc": float(roc_auc_score(truth, logits))}
    for name, flags in said.items():
        table[f"accuracy, {name}"] = float((np.array(flags) == truth).mean())
        table[f"mcc, {name}"] = float(matthews_corrcoef(truth, flags))
    table |= {name: float(np.mean(parts)) for name, parts in figures.items()}
    return LeftOut(table, np.array([score for score, _ in judged]), np.array([spam for _, spam in judged]))


def foreign() -> dict[str, list[str]]:
    """German and Portuguese posts, none of them spam but for a few: to be foreign is no reason to be flagged."""
    with (data.folder() / "germeval2018_train.txt").open(encoding="utf-8") as file:
        german = [line.split("\t")[0] for line in file]
    with (data.folder() / "told_br_pt_21000.csv").open(encoding="utf-8", newline="") as file:
        portuguese = [line["text"] for line in csv.DictReader(file)]
    return {"German posts": german, "Portuguese posts": portuguese[:5_000]}


if __name__ == "__main__":
    for name, figure in left_out(data.rows()).figures.items():
        print(f"{name:40} {figure:.4f}")
