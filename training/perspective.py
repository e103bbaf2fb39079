"""Fit Perspective's attributes to our scores and a few traits of a text, and measure how well they agree.

    python -m training.perspective

Ridge regression on logits over the texts of ``perspective_scores_1000.csv`` that the trained model may have seen (by
the fixed rule); the rest is held out, for ``bench/perspective_agreement.py``. Writes the weights beside the model.
"""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moderation.scoring import attributes, perspective
from moderation.scoring.folding import fold
from moderation.scoring.words import Profanity
from training.data import folder
from training.heldout import bucket

DATA = "perspective_scores_1000.csv"
COLUMNS = {name: name for name in perspective.FITTED} | {
    "TOXICITY": "TOXICITY@6",
    "SEVERE_TOXICITY": "SEVERE_TOXICITY@2",
}
"""The column of each attribute: the latest version of those that are there in two."""

HELD_OUT = (0, 1)
STIFFNESS = 10.0
"""Ridge penalty on standardised traits; from 5 to 20 nothing changes in the second decimal."""

STRETCHED_FROM = 0.7
"""Correlation of logits from which a fit is spread as wide as Perspective's scores."""

RANGE = (0.5, 99.5)
"""Percentiles of each trait between which it counts."""

_LEAST = 0.005
Floats = NDArray[np.float64]


def rows(path: Path) -> list[dict[str, str]]:
    """The texts with Perspective's scores."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def is_held_out(text: str) -> bool:
    """Whether neither the trained model nor these weights have seen a text."""
    return bucket(text) in HELD_OUT


def traits_of(model: attributes.Model, listed: Profanity, text: str) -> list[float]:
    """The traits of an English text."""
    folded = fold(text)
    return perspective.traits(listed, folded, model.scores(folded))


def fitted(found: Floats, scores: Floats) -> Floats:
    """A constant and weights for each column of ``scores``, for traits as they come."""
    mean, spread = found.mean(0), found.std(0) + 1e-9
    plain = np.c_[np.ones(len(found)), (found - mean) / spread]
    stiff = np.eye(plain.shape[1]) * STIFFNESS
    stiff[0, 0] = 0
    kept = np.clip(scores, _LEAST, 1 - _LEAST)
    logits = np.log(kept / (1 - kept))
    weights: Floats = np.linalg.solve(plain.T @ plain + stiff, plain.T @ logits)
    weights[1:] *= stretches(plain[:, 1:] @ weights[1:], logits)
    weights[1:] /= spread[:, None]
    weights[0] -= mean @ weights[1:]
    return weights


def stretches(found: Floats, logits: Floats) -> Floats:
    """What each column of a fit is multiplied by, to be spread as wide as what it was fitted to.

    Least squares keep to the middle, so that few texts would reach the limits that people chose for Perspective. Where
    the fit is poor, it stays there: a wide spread would only make it sound sure.
    """
    together = [float(np.corrcoef(ours, theirs)[0, 1]) for ours, theirs in zip(found.T, logits.T, strict=True)]
    return np.array([1 / r if r >= STRETCHED_FROM else 1.0 for r in together])


def main() -> None:
    """Fit and write."""
    model, listed = attributes.load(), Profanity()
    seen = [row for row in rows(folder() / DATA) if not is_held_out(row["comment_text"])]
    found = np.array([traits_of(model, listed, row["comment_text"]) for row in seen])
    scores = np.array([[float(row[COLUMNS[name]]) for name in perspective.FITTED] for row in seen])
    weights = fitted(found, scores)
    stored: dict[str, Any] = {
        "version": f"perspective-1+{model.version}",
        "traits": perspective.TRAITS,
        "ranges": [[round(float(value), 5) for value in ends] for ends in np.percentile(found, RANGE, axis=0).T],
        "weights": {
            name: [round(float(value), 5) for value in weights[:, at]] for at, name in enumerate(perspective.FITTED)
        },
    }
    if not all(math.isfinite(value) for row in stored["weights"].values() for value in row):
        raise SystemExit("The weights are not finite.")
    rows_of_weights = ",\n".join(f"  {json.dumps(name)}: {row}" for name, row in stored.pop("weights").items())
    heads = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in stored.items())
    written = f'{{\n{heads},\n "weights": {{\n{rows_of_weights}\n }}\n}}\n'
    (attributes.FOLDER / perspective.FILE).write_text(written, encoding="utf-8")
    print(f"{len(seen)} texts; written {perspective.FILE}")


if __name__ == "__main__":
    main()
