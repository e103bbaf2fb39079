"""The spam model: logistic regression over words, pairs and traits, with ordinary comments mixed in."""

import csv
import html
import random
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from moderation.scoring.folding import fold
from moderation.scoring.spam import (
    GRAM_VALUE,
    ROWS,
    WORD_VALUE,
    gram_rows,
    number_of,
    pair_rows,
    plain_word,
    token_scale,
    traits,
)
from moderation.scoring.tokens import words
from training import contrast_spam, data
from training.heldout import is_calibration, is_test

STRENGTH = 10.0
TRAIT_SCALE = 3.0
ORDINARY_WEIGHT = 0.06
OWN_WEIGHT = 0.5
SMS_WEIGHT = 0.1
ORDINARY = frozenset({"civil", "civil_link", "wiki"})

SPAM_SHARE = 0.2
"""The share of spam that the calibration assumes among the comments that come in."""


@dataclass(frozen=True, slots=True)
class Message:
    """A text, whether it is spam, where it is from, and how much it counts."""

    text: str
    spam: bool
    source: str
    weight: float


def messages(rows: Sequence[data.Row]) -> list[Message]:
    """Spam and ham of the two spam collections, then ordinary comments, some with a link that we put there."""
    found = []
    for number in (1, 2, 3):
        with (data.folder() / f"youtube_spam_0{number}.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        found += [Message(_as_typed(line["text"]), line["spam"] == "1", f"youtube{number}", 1.0) for line in lines]
    with (data.folder() / "sms_spam_5549.tsv").open(encoding="utf-8") as file:
        for line in file:
            label, _, text = line.rstrip("\n").partition("\t")
            found.append(Message(text, label == "spam", "sms", SMS_WEIGHT))
    found += [Message(text, True, "own", OWN_WEIGHT) for text in contrast_spam.spam()]
    found += [Message(text, False, "own", OWN_WEIGHT) for text in contrast_spam.ham()]
    return found + _ordinary(rows)


_ANCHOR = re.compile(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>')


def _as_typed(text: str) -> str:
    """A comment without the HTML that one of the collections has: a time mark stays, a link becomes its address."""
    text = _ANCHOR.sub(lambda match: match[2] if re.fullmatch(r"[\d:]+", match[2]) else match[1], text)
    return html.unescape(re.sub(r"<[^>]{1,20}>", " ", text)).replace("\ufeff", "").strip()


_PLACES = (
    "https://www.nytimes.example/2019/05/02/politics/budget-vote.html",
    "http://news.example/article/12345",
    "https://en.wikipedia.example/wiki/History_of_the_town",
    "https://www.theguardian.example/world/2018/jan/05/report",
    "http://www.city.example/council/minutes.pdf",
    "https://youtu.example/watch?v=a1b2c3",
    "www.statistics.example/table7",
)


def _ordinary(rows: Sequence[data.Row]) -> list[Message]:
    dice = random.Random(11)
    found = []
    for row in rows:
        if row.source in {"civil", "wiki"}:
            found.append(Message(row.text, False, row.source, ORDINARY_WEIGHT))
            if row.source == "civil" and dice.random() < 0.12:
                place = dice.choice(_PLACES)
                texts = (f"{row.text} {place}", f"{place} {row.text}", place, f"See {place}", f"Read this: {place}")
                found.append(Message(dice.choice(texts), False, "civil_link", ORDINARY_WEIGHT))
    return found


def matrix(found: Sequence[Message]) -> csr_matrix:
    """One row a message, by the run time's own features: words and pairs, n-grams, traits."""
    indices, values, ends, dense = array("q"), array("f"), [0], []
    for message in found:
        folded = fold(message.text)
        tokens = words(folded.text)
        plain = [plain_word(token) for token in tokens]
        scale = token_scale(len(plain))
        numbers = [number_of(word) for word in plain]
        rows = [number & (ROWS - 1) for number in numbers] + (pair_rows(numbers).tolist() if numbers else [])
        grams = [ROWS + row for word in plain for row in gram_rows(word)]
        indices.extend(rows + grams)
        values.extend([WORD_VALUE * scale] * len(rows) + [GRAM_VALUE * scale] * len(grams))
        ends.append(len(indices))
        dense.append(traits(folded, tokens))
    hashed = csr_matrix((np.array(values), np.array(indices), ends), shape=(len(found), 2 * ROWS))
    hashed.sum_duplicates()
    return hstack([hashed, csr_matrix(np.array(dense) * TRAIT_SCALE)]).tocsr()


def fitted(features: csr_matrix, found: Sequence[Message]) -> LogisticRegression:
    """The regression over some messages."""
    model = LogisticRegression(C=STRENGTH, max_iter=300, solver="lbfgs", tol=1e-3)
    return model.fit(features, [m.spam for m in found], sample_weight=[m.weight for m in found])


def train(rows: Sequence[data.Row]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """The arrays of the shipped model, and for its calibration: truth, logits and weights of messages not trained on.

    Those are of models that left one video, and the comments held out for calibration, out. The shipped one is trained
    on all the spam and on the ordinary comments that are not held out.
    """
    found = messages(rows)
    features = matrix(found)
    ordinary = np.array([is_calibration(m.text) and m.source in ORDINARY for m in found])
    seen = np.array([not (is_test(m.text) or is_calibration(m.text)) or m.source not in ORDINARY for m in found])
    truth, guess, weights = [], [], []
    for number in (1, 2, 3):
        video = np.array([m.source == f"youtube{number}" for m in found])
        model = fitted(features[seen & ~video], [m for m, kept in zip(found, seen & ~video, strict=True) if kept])
        for part, share in ((video, 1.0), (ordinary, 0.12)):
            truth += [m.spam for m, kept in zip(found, part, strict=True) if kept]
            guess += list(model.decision_function(features[part]))
            weights += [share] * int(part.sum())
    whole = fitted(features[seen], [m for m, kept in zip(found, seen, strict=True) if kept])
    return arrays(whole), np.array(truth, dtype=float), np.array(guess), _balanced(np.array(truth), np.array(weights))


def _balanced(truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weights, so that ``SPAM_SHARE`` of them lies on spam."""
    share = weights[truth].sum() / weights.sum()
    return weights * np.where(truth, SPAM_SHARE / share, (1 - SPAM_SHARE) / (1 - share))


def arrays(model: LogisticRegression) -> dict[str, np.ndarray]:
    """int8 weights of words and n-grams, floats of traits."""
    weights = model.coef_[0]
    parts = {"words": weights[:ROWS], "grams": weights[ROWS : 2 * ROWS]}
    scales = {name: np.float32(np.abs(part).max() / 127) for name, part in parts.items()}
    return {
        **{name: np.round(part / scales[name]).astype(np.int8) for name, part in parts.items()},
        **{f"{name}_scale": scale for name, scale in scales.items()},
        "traits": (weights[2 * ROWS :] * TRAIT_SCALE).astype(np.float32),
        "bias": np.float32(model.intercept_[0]),
    }


def left_out(rows: Sequence[data.Row]) -> dict[str, float]:
    """Leave one video out: each of the three is predicted by a model that saw none of it."""
    found = messages(rows)
    features = matrix(found)
    test_ordinary = [at for at, m in enumerate(found) if m.source in {"civil", "wiki"} and is_test(m.text)]
    truth, guess, alarms = [], [], []
    for number in (1, 2, 3):
        name = f"youtube{number}"
        kept = [at for at, m in enumerate(found) if m.source != name and not is_test(m.text)]
        model = fitted(features[kept], [found[at] for at in kept])
        tested = [at for at, m in enumerate(found) if m.source == name]
        truth += [found[at].spam for at in tested]
        guess += list(model.decision_function(features[tested]))
        alarms += list(model.decision_function(features[test_ordinary]))
    figures = {"auc": roc_auc_score(truth, guess)}
    for cut in (0.0, -0.5, -1.0, -1.5):
        said = np.array(guess) > cut
        figures[f"accuracy at {cut}"] = float((said == np.array(truth)).mean())
        figures[f"mcc at {cut}"] = float(matthews_corrcoef(truth, said))
        figures[f"alarms at {cut}"] = float((np.array(alarms) > cut).mean())
    return figures


if __name__ == "__main__":
    for name, figure in left_out(data.rows()).items():
        print(f"{name:20} {figure:.4f}")
