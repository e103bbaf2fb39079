"""Measure how well our scores agree with Perspective's own, attribute by attribute.

    python bench/perspective_agreement.py [FOLDER]

FOLDER has ``perspective_scores_1000.csv`` (texts with Perspective's scores for 18 attributes) and, where it is there,
``wikitalk_perspective_scored_19995.csv`` (toxicity alone); it is ``SHARED_DATA``, or ``../shared/data``. Only texts
count that neither the trained model nor the weights in ``perspective.json`` have seen, by the fixed rule of
``training/heldout.py``. Prints a table in Markdown: Pearson's correlation, Spearman's of ranks, the mean distance, and
what becomes of a limit of 0.7: how many of the texts that are over it at Perspective are over it here, of those here,
there, and the limit over which as many are here as are over 0.7 there.
"""

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moderation.scoring import attributes, perspective
from moderation.scoring.folding import fold
from moderation.scoring.languages import ENGLISH
from moderation.scoring.words import Profanity

sys.path.insert(0, str(Path(__file__).parent.parent))  # `training` is no part of the package
from training.perspective import COLUMNS, DATA, is_held_out, rows

LIMIT = 0.7
MORE = "wikitalk_perspective_scored_19995.csv"
Floats = NDArray[np.float64]


def ranks(values: Floats) -> Floats:
    """The rank of each value; equal ones share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    found = np.empty(len(values))
    found[order] = np.arange(len(values), dtype=float)
    _, group = np.unique(values, return_inverse=True)
    means: Floats = (np.bincount(group, found) / np.bincount(group))[group]
    return means


def correlation(ours: Floats, theirs: Floats) -> float:
    """Pearson's."""
    return float(np.corrcoef(ours, theirs)[0, 1])


def line(name: str, ours: Floats, theirs: Floats) -> str:
    """A row of the table."""
    over_there, over_here = theirs >= LIMIT, ours >= LIMIT
    both, count = int((over_there & over_here).sum()), int(over_there.sum())
    figures = (
        f"{correlation(ours, theirs):.2f}",
        f"{correlation(ranks(ours), ranks(theirs)):.2f}",
        f"{float(np.abs(ours - theirs).mean()):.2f}",
        f"{both} of {count}",
        f"{both} of {int(over_here.sum())}",
        f"{float(np.sort(ours)[-max(count, 1)]):.2f}",
    )
    return f"| `{name}` | {' | '.join(figures)} |"


class Scorer:
    """Scores texts as the endpoint does for English."""

    def __init__(self) -> None:
        self._model, self._listed, self._weights = attributes.load(), Profanity(), perspective.shipped()

    def scores(self, text: str, names: Sequence[str]) -> list[float]:
        """The scores of one text."""
        folded = fold(text)
        given = self._model.scores(folded)
        found = perspective.scores_of(self._weights, self._listed, names, ENGLISH, folded, given)
        return [found[name] for name in names]


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("SHARED_DATA", "../shared/data")))
    given: Path = asked.parse_args().folder
    folder = given.parent if given.is_file() else given
    scorer, names = Scorer(), (*perspective.FITTED, perspective.SPAM)
    held_out = [row for row in rows(folder / DATA) if is_held_out(row["comment_text"])]
    ours = np.array([scorer.scores(row["comment_text"], names) for row in held_out])
    theirs = np.array([[float(row[COLUMNS.get(name, name)]) for name in names] for row in held_out])
    print(f"{len(held_out)} texts of {DATA}, weights {perspective.shipped().version}\n")
    print(
        f"| attribute | Pearson | Spearman | distance | {LIMIT} there, here too | {LIMIT} here, there too | as many |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for at, name in enumerate(names):
        print(line(name, ours[:, at], theirs[:, at]))
    if (folder / MORE).exists():
        with (folder / MORE).open(encoding="utf-8", newline="") as file:
            more = [row for row in csv.DictReader(file) if is_held_out(row["text"])]
        found = np.array([scorer.scores(row["text"], ["TOXICITY"])[0] for row in more])
        print(f"\n{len(more)} more texts of {MORE}\n")
        print(line("TOXICITY", found, np.array([float(row["toxic"]) for row in more])))


if __name__ == "__main__":
    main()
