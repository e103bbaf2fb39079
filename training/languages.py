"""The models of other languages than English: toxicity in German and Portuguese, logistic regression, fixed seeds.

Run by itself or at the end of ``make train``; writes ``de.npz``, ``pt.npz`` and ``languages.json``. A language is
written only if five-fold cross-validation gives an AUC of ``LEAST_AUC``; prints what was measured.
"""

import argparse
import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from moderation.scoring import foreign
from moderation.scoring.attributes import Curve, Manifest
from moderation.scoring.folding import fold
from moderation.scoring.foreign import GRAM_VALUE, LANGUAGES, PAIR_VALUE, ROWS, WORD_VALUE, Model
from moderation.scoring.languages import ENGLISH, NAMES, UNKNOWN, language_of
from moderation.scoring.spam import number_of, pair_rows
from moderation.scoring.tokens import words
from training import contrast_languages, data
from training.heldout import is_calibration, is_test, letters

VERSION = "2026.11"

LEAST_AUC = 0.80
"""Of five-fold cross-validation, below which a language is left out."""

STRENGTH = 2.0

FALSE_ALARMS = {"de": 0.05, "pt": 0.05}
"""The share of the held-out tweets that no rater found offensive which the default threshold may flag."""

LOWEST = 0.38
"""No threshold is below this, as for the English model."""


@dataclass(frozen=True, slots=True)
class Tweet:
    """A tweet, the share of its raters that found it offensive (0 or 1 where that is all that is known), its weight."""

    text: str
    share: float
    weight: float = 1.0


_NOT_TEXT = re.compile(r"^rt\b|@\w+|\|LBR\||https?://\S+", re.IGNORECASE)


def tweets(language: str) -> list[Tweet]:
    """The tweets of ``de`` (GermEval 2018) or ``pt`` (ToLD-BR), each once, without names, marks and links."""
    raw = _germeval() if language == "de" else _told()
    seen, kept = set(), []
    for text, share in raw:
        plain = " ".join(_NOT_TEXT.sub(" ", text).split())
        if letters(plain) not in seen:
            seen.add(letters(plain))
            kept.append(Tweet(plain, share))
    return kept


def _germeval() -> list[tuple[str, float]]:
    with (data.folder() / "germeval2018_train.txt").open(encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    return [(line[0], float(line[1] == "OFFENSE")) for line in lines]


def _told() -> list[tuple[str, float]]:
    with (data.folder() / "told_br_pt_21000.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    kinds = [name for name in lines[0] if name != "text"]
    return [(line["text"], max(float(line[kind]) for kind in kinds) / 3) for line in lines]


def ours(language: str, *, held_out: bool = False) -> list[Tweet]:
    """Our own sentences of a language, for training or held out."""
    kept = [s for s in contrast_languages.sentences(language) if (s.part == "test") == held_out]
    return [Tweet(s.text, float(s.hateful), s.weight) for s in kept]


def matrix(found: Sequence[Tweet]) -> csr_matrix:
    """The features of the run time: words and pairs, then pieces of words."""
    values: list[float] = []
    columns: list[int] = []
    ends = [0]
    for tweet in found:
        read = [foreign.plain_word(token) for token in words(fold(tweet.text).text)]
        numbers = [number_of(word) for word in read]
        pieces = [ROWS + row for word in read for row in foreign.gram_rows(word)]
        pairs = pair_rows(numbers, ROWS).tolist() if len(numbers) > 1 else []
        columns += [number & (ROWS - 1) for number in numbers] + pairs + pieces
        scale = foreign.token_scale(len(read))
        values += [WORD_VALUE * scale] * len(numbers) + [PAIR_VALUE * scale] * len(pairs)
        values += [GRAM_VALUE * scale] * len(pieces)
        ends.append(len(columns))
    features = csr_matrix((np.array(values), np.array(columns, dtype=np.int64), ends), shape=(len(found), 2 * ROWS))
    features.sum_duplicates()
    return features


def fitted(features: csr_matrix, found: Sequence[Tweet]) -> LogisticRegression:
    """The regression. A tweet that only some raters found offensive counts for both sides, by their share."""
    share, weight = np.array([t.share for t in found]), np.array([t.weight for t in found])
    yes, no = np.flatnonzero(share > 0), np.flatnonzero(share < 1)
    both = vstack([features[yes], features[no]])
    truth = np.repeat([1, 0], [len(yes), len(no)])
    weights = np.concatenate([(weight * share)[yes], (weight * (1 - share))[no]])
    return LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3).fit(both, truth, sample_weight=weights)


def cross_validated(found: Sequence[Tweet], more: Sequence[Tweet]) -> tuple[float, float]:
    """AUC by five folds, of offensive to any rater, and of offensive to most against offensive to none."""
    share = np.array([t.share for t in found])
    features, added = matrix(found), matrix(more)
    guess = np.zeros(len(found))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=1).split(features, share > 0):
        model = fitted(vstack([features[train], added]).tocsr(), [*(found[at] for at in train), *more])
        guess[test] = model.decision_function(features[test])
    clear = (share == 0) | (share > 0.5)
    return float(roc_auc_score(share > 0, guess)), float(roc_auc_score(share[clear] > 0.5, guess[clear]))


def write(out: Path, *, with_ours: bool = True) -> None:
    """Train, measure and write the languages that pass; a language that does not is removed."""
    manifest: dict[str, Any] = {"version": VERSION, "sha256": {}, "calibration": {}, "thresholds": {}}
    for language in LANGUAGES:
        found, more = tweets(language), ours(language) if with_ours else []
        any_rater, most = cross_validated(found, more)
        print(f"{language}: {len(found)} tweets; five folds, AUC {any_rater:.4f} (clear cases {most:.4f})", flush=True)
        path = out / f"{language}.npz"
        path.unlink(missing_ok=True)
        if any_rater < LEAST_AUC:
            print(f"{language}: left out, below {LEAST_AUC}")
            continue
        kept = [t for t in found if not (is_test(t.text) or is_calibration(t.text))]
        arrays = _arrays(fitted(matrix([*kept, *more]), [*kept, *more]))
        np.savez_compressed(path, allow_pickle=False, **arrays)
        manifest["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        _calibrate(language, arrays, [t for t in found if is_calibration(t.text)], manifest)
        print(f"{language}: threshold {manifest['thresholds'][language]}, {path.stat().st_size} bytes", flush=True)
    (out / foreign.MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _arrays(model: LogisticRegression) -> dict[str, np.ndarray]:
    """int8 weights with a scale for each table."""
    tables = {"words": model.coef_[0][:ROWS], "grams": model.coef_[0][ROWS:]}
    scales = {name: np.float32(np.abs(table).max() / 127) for name, table in tables.items()}
    return {
        **{name: np.round(table / scales[name]).astype(np.int8) for name, table in tables.items()},
        **{f"{name}_scale": scale for name, scale in scales.items()},
        "bias": np.float32(model.intercept_[0]),
    }


def _calibrate(language: str, arrays: dict[str, np.ndarray], held: Sequence[Tweet], manifest: dict[str, Any]) -> None:
    """A straight line in logits, fitted on tweets held out for it by the run time's own figures, and the threshold."""
    flat = Curve((-30.0, 30.0), (-30.0, 30.0))
    reader = Model(language, Manifest(VERSION, {}, {language: flat}, {language: 0.5}), arrays)
    logits = np.array([reader.logit(reader.shares(words(fold(t.text).text))) for t in held])
    share = np.array([t.share for t in held])
    both = np.concatenate([logits, logits])[:, None]
    truth = np.repeat([1, 0], len(held))
    line = LogisticRegression(C=1e6).fit(both, truth, sample_weight=np.concatenate([share, 1 - share]))
    slope, offset = float(line.coef_[0][0]), float(line.intercept_[0])
    ends = (-30.0, 30.0)
    stored = {"logits": list(ends), "calibrated": [round(slope * end + offset, 4) for end in ends]}
    curve = Curve(ends, tuple(stored["calibrated"]))
    clean = sorted(curve.score(float(logit)) for logit in logits[share == 0])
    cut = clean[int(len(clean) * (1 - FALSE_ALARMS[language]))]
    manifest["calibration"][language] = stored
    manifest["thresholds"][language] = round(max(cut + 1e-4, LOWEST), 2)


def evaluate(folder: Path = foreign.FOLDER) -> list[tuple[str, str]]:
    """Rows for the table of ``make evaluate``: the models on tweets held out for measuring, and on our sentences."""
    return [
        row for language in LANGUAGES if (folder / f"{language}.npz").exists() for row in _measured(language, folder)
    ]


def told() -> list[tuple[str, str]]:
    """Rows for the same table: how often the language is told wrongly, on all texts, since none trained that."""
    english = {"wiki", "wiki_rare", "civil", "wikitalk"}
    texts = [row.text for row in data.rows() if row.source in english]
    wrong = np.mean([language_of(fold(text)) not in {ENGLISH, UNKNOWN} for text in texts])
    table = [(f"language of {len(texts)} English comments: told to be another", f"{wrong:.2%}")]
    for language in LANGUAGES:
        texts = [tweet.text for tweet in tweets(language) if len(tweet.text.split()) >= 5]
        right = np.mean([language_of(fold(text)) == language for text in texts])
        table.append(
            (f"language of {len(texts)} {NAMES[language]} tweets of five words or more: right", f"{right:.1%}")
        )
    return table


def _measured(language: str, folder: Path) -> list[tuple[str, str]]:
    model = foreign.load(language, folder)
    held, mine = [t for t in tweets(language) if is_test(t.text)], ours(language, held_out=True)
    share, scores = np.array([t.share for t in held]), np.array([model.score(fold(t.text)) for t in held])
    none, most = share == 0, share > 0.5
    flagged = scores >= model.threshold
    said = np.array([model.score(fold(t.text)) >= model.threshold for t in mine])
    hateful = np.array([t.share > 0 for t in mine])
    clear = none | most
    rows = [
        (f"AUC, {len(held)} held-out tweets, offensive to any rater", f"{roc_auc_score(~none, scores):.3f}"),
        ("  offensive to most against offensive to none", f"{roc_auc_score(most[clear], scores[clear]):.3f}"),
        (f"  flagged of {none.sum()} that no rater found offensive", f"{flagged[none].mean():.1%}"),
        (f"  flagged of {most.sum()} that most found offensive", f"{flagged[most].mean():.1%}"),
        (f"  mean score -> share of raters: {_reliability(scores, share)}", ""),
        (f"flagged of {(~hateful).sum()} our neutral and news sentences (unseen)", f"{said[~hateful].mean():.1%}"),
        (f"flagged of {hateful.sum()} our hateful sentences (unseen), for recall", f"{said[hateful].mean():.1%}"),
    ]
    return [(f"{NAMES[language]}: {name}", figure) for name, figure in rows]


def _reliability(scores: np.ndarray, share: np.ndarray) -> str:
    bins = []
    for low, high in ((0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        part = (scores >= low) & (scores < high)
        if part.any():
            bins.append(f"{scores[part].mean():.2f}->{share[part].mean():.2f} ({part.sum()})")
    return "  ".join(bins)


def main() -> None:
    """Train and write, then print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=foreign.FOLDER)
    options.add_argument("--without-ours", action="store_true", help="leave our sentences out, to see what they change")
    args = options.parse_args()
    write(args.out, with_ours=not args.without_ours)
    for name, figure in (*evaluate(args.out), *told()):
        print(f"{name:66} {figure}")


if __name__ == "__main__":
    main()
