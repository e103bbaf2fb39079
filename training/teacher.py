"""A second opinion to learn from: linear models over words and pieces of words, each asked about texts it never saw.

The network learns the labels and, in part, what these models say (distillation, Hinton et al., 2015): they see
spellings that the network's vocabulary has not, and fill in the labels that a source lacks. Nothing of them is shipped.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from moderation.scoring.folding import fold
from training.data import LABELS, Row
from training.heldout import bucket

FOLDS = 3
TAUGHT_BY = frozenset({"wiki", "wiki_rare", "civil", "perspective", "wikitalk"})
ASKED_ABOUT = frozenset({*TAUGHT_BY, "tweets"})
STRENGTH = 3.0
MAX_CHARS = 2_000

NEWS_SHARE = 0.75
"""Share of the opinion in the labels of news comments: raters disagree on most of those that we have, and the linear
models tell them apart better (0.65 against 0.61) than the network does from the raters' shares alone."""


def opinions(rows: Sequence[Row]) -> np.ndarray:
    """Probabilities (rows, labels), each by models trained without the row's fold; NaN for rows they have no say in."""
    found = np.full((len(rows), len(LABELS)), np.nan, dtype=np.float32)
    asked = [at for at, row in enumerate(rows) if row.source in ASKED_ABOUT]
    features = _features([rows[at].text for at in asked])
    folds = np.array([bucket(rows[at].text) % FOLDS for at in asked])
    taught = np.array([rows[at].source in TAUGHT_BY for at in asked])
    labels = np.array([rows[at].labels for at in asked])
    weights = np.array([rows[at].weight for at in asked])
    places = np.array(asked)
    for fold_number in range(FOLDS):
        apart = folds == fold_number
        for label in range(len(LABELS)):
            known = taught & ~apart & ~np.isnan(labels[:, label])
            model = LogisticRegression(C=STRENGTH, solver="liblinear", max_iter=60, tol=1e-2)
            model.fit(features[known], labels[known, label] >= 0.5, sample_weight=weights[known])
            found[places[apart], label] = model.predict_proba(features[apart])[:, 1]
    return found


def _features(texts: Sequence[str]) -> csr_matrix:
    """TF-IDF of words, pairs of words, and n-grams of 2 to 5 characters inside words."""
    folded = [fold(text[:MAX_CHARS]).text for text in texts]
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True, max_features=150_000, dtype=np.float32)
    pieces = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=5, sublinear_tf=True, max_features=150_000, dtype=np.float32
    )
    return hstack([words.fit_transform(folded), pieces.fit_transform(folded)]).tocsr()


def taught(rows: Sequence[Row], said: np.ndarray, share: float) -> list[Row]:
    """The rows with labels that are partly the opinions: ``share`` of them where a label is known (of news comments at
    least ``NEWS_SHARE``), else all.

    A label of a source whose raters were asked about nothing else (tweets) stays unknown where the opinion is NaN.
    """
    found = []
    for row, opinion in zip(rows, said.tolist(), strict=True):
        part = max(share, NEWS_SHARE) if row.source == "civil" else share
        labels = tuple(_blend(label, other, part) for label, other in zip(row.labels, opinion, strict=True))
        found.append(replace(row, labels=labels))
    return found


def _blend(label: float, opinion: float, share: float) -> float:
    if opinion != opinion:
        return label
    return opinion if label != label else (1 - share) * label + share * opinion
