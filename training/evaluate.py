"""``make evaluate``: the shipped model on data held out by the fixed rule, printed as a table.

Everything is measured with the run time of the package (numpy, int8), as it is shipped.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from moderation.scoring import attributes
from moderation.scoring.attributes import LABELS, Model
from moderation.scoring.folding import fold
from training import contrast, data, languages, spam
from training.data import Row

Scores = dict[str, float]


def main() -> None:
    """Print the table."""
    model = attributes.load()
    rows = data.rows()
    test = data.for_test(rows)
    print(f"model {model.version}; thresholds {dict(model.thresholds)}\n")
    for part in (_wikipedia, _news, _sentences, _spam, _reliability, _cost):
        for name, figure in part(model, rows, test):
            print(f"{name:66} {figure}", flush=True)
        print()
    for name, figure in (*languages.evaluate(), *languages.told()):
        print(f"{name:66} {figure}", flush=True)


def _scored(model: Model, texts: Sequence[str]) -> list[Scores]:
    return [model.scores(fold(text)) for text in texts]


def _aucs(rows: Sequence[Row], scores: Sequence[Scores]) -> dict[str, float]:
    found = {}
    for at, name in enumerate(LABELS):
        pairs = [
            (row.labels[at] >= 0.5, score[name])
            for row, score in zip(rows, scores, strict=True)
            if row.labels[at] == row.labels[at]
        ]
        found[name] = float(roc_auc_score(*zip(*pairs, strict=True)))
    return found


def _wikipedia(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    both = [row for row in test if row.source in {"wiki", "wiki_rare"}]
    scores = _scored(model, [row.text for row in both])
    only = [at for at, row in enumerate(both) if row.source == "wiki"]
    each = _aucs(both, scores)
    original = _aucs([both[at] for at in only], [scores[at] for at in only])
    listed, dice = data.listed_words(), random.Random(99)
    table = [
        ("Wikipedia held-out, both files, mean AUC of six", _mean(each)),
        ("  each: " + " ".join(f"{name} {figure:.3f}" for name, figure in each.items()), ""),
        ("Wikipedia held-out, original file alone, mean AUC", _mean(original)),
        ("  each: " + " ".join(f"{name} {figure:.3f}" for name, figure in original.items()), ""),
    ]
    changed = [data.disguise(row.text, listed, data.UNSEEN_WAYS, dice) for row in both]
    table.append(
        ("  every listed word disguised, ways unseen, both files", _mean(_aucs(both, _scored(model, changed))))
    )
    for way in data.UNSEEN_WAYS:
        changed = [data.disguise(row.text, listed, (way,), dice) for row in both]
        table.append((f"    {way.__name__.strip('_')}", _mean(_aucs(both, _scored(model, changed)))))
    return table


def _news(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    news = [row for row in test if row.source == "civil"]
    scores = _scored(model, [row.text for row in news])
    toxic = roc_auc_score([row.labels[0] >= 0.5 for row in news], [score["toxicity"] for score in scores])
    insult = roc_auc_score([row.labels[4] >= 0.5 for row in news], [score["insult"] for score in scores])
    flagged = [_flags(model, score) for row, score in zip(news, scores, strict=True) if row.labels[0] < 0.34]
    caught = [_flags(model, score) for row, score in zip(news, scores, strict=True) if row.labels[0] > 0.9]
    ordinary = [row.text for row in test if row.source == "wiki" and not any(row.labels)]
    alarms = [_flags(model, score) for score in _scored(model, ordinary)]
    plain = [(row.labels[0] >= 0.5, score["toxicity"]) for row, score in zip(news, scores, strict=True)]
    plain += [(False, model.scores(fold(text))["toxicity"]) for text in ordinary]
    return [
        (f"flagged of {len(ordinary)} held-out Wikipedia comments without any label", f"{np.mean(alarms):.1%}"),
        ("toxic news comments against these and the others, AUC", f"{roc_auc_score(*zip(*plain, strict=True)):.3f}"),
        ("Civil Comments held-out, toxic, AUC", f"{toxic:.3f}"),
        ("  insult, AUC", f"{insult:.3f}"),
        (f"  flagged of {len(flagged)} that < 1/3 of raters found toxic", f"{np.mean(flagged):.1%}"),
        (f"  flagged of {len(caught)} that all raters found toxic", f"{np.mean(caught):.1%}"),
    ]


def _flags(model: Model, scores: Scores) -> bool:
    return any(scores[name] >= model.thresholds[name] for name in LABELS)


def _sentences(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    libs = data.madlibs_held_out()
    sets: list[tuple[str, Sequence[str]]] = [
        ("our neutral identity sentences (templates and terms unseen)", contrast.identity_held_out()),
        ("our sentences against hatred (templates and terms unseen)", contrast.counter_held_out()),
        ("our news vocabulary sentences (unseen)", contrast.news_held_out()),
        ("template sentences of the data set, neutral (terms unseen)", [text for text, bad in libs if not bad][:3_000]),
        ("our hateful sentences (unseen), for recall", contrast.hateful_held_out()),
        ("template sentences of the data set, toxic, for recall", [text for text, bad in libs if bad][:3_000]),
    ]
    table = []
    for name, texts in sets:
        scores = _scored(model, texts)
        share = np.mean([_flags(model, score) for score in scores])
        by = " ".join(
            f"{label} {np.mean([s[label] >= model.thresholds[label] for s in scores]):.1%}" for label in LABELS
        )
        table += [(f"flagged of {len(texts)} {name}", f"{share:.1%}"), (f"  {by}", "")]
    return table


def _spam(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    left_out = spam.left_out(rows)
    table = [(f"YouTube, leave one video out: {name}", f"{figure:.3f}") for name, figure in left_out.items()]
    for source in ("civil", "wiki"):
        texts = [row.text for row in test if row.source == source]
        share = np.mean([score["spam"] >= model.thresholds["spam"] for score in _scored(model, texts)])
        table.append((f"spam false alarms on {len(texts)} held-out comments of {source}", f"{share:.2%}"))
    return table


def _reliability(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    """Of the scores in a bin, the mean, and the share that was right; on test rows, which calibration never saw."""
    kept = [row for row in test if row.source in {"wiki", "wiki_rare", "civil"}]
    scores = _scored(model, [row.text for row in kept])
    table = [("reliability: mean score -> share of raters, by bins of the score", "")]
    for at, name in enumerate(LABELS):
        pairs = [
            (score[name], row.labels[at])
            for row, score in zip(kept, scores, strict=True)
            if row.labels[at] == row.labels[at]
        ]
        bins, error = [], 0.0
        for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
            part = [pair for pair in pairs if low <= pair[0] < high]
            if part:
                said, right = np.mean(part, axis=0)
                error += abs(said - right) * len(part) / len(pairs)
                bins.append(f"{said:.2f}->{right:.2f} ({len(part)})")
        table.append((f"  {name:16} {'  '.join(bins)}", f"ECE {error:.3f}"))
    return table


def _cost(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    texts = [row.text for row in rows if row.source == "wiki" and row.text.isascii()]
    table = []
    for size in (50, 300, 1_500):
        like = [text[:size] for text in texts if len(text) >= size][:150]
        table.append((f"CPU, {size} characters, median of {len(like)} comments", f"{_median_us(model, like):.0f} µs"))
    began = time.process_time()
    attributes.load()
    table.append(("load, CPU", f"{time.process_time() - began:.3f} s"))
    size = sum(file.stat().st_size for file in attributes.FOLDER.iterdir())
    table.append(("package data", f"{size / 1e6:.2f} MB"))
    return table


def _median_us(model: Model, texts: Sequence[str]) -> float:
    folded = [fold(text) for text in texts]
    judge: Callable[..., object] = model.judge
    for text in folded:
        judge(text)
    times = []
    for text in folded:
        each = []
        for _ in range(5):
            began = time.perf_counter_ns()
            judge(text)
            each.append(time.perf_counter_ns() - began)
        times.append(min(each) / 1_000)
    return statistics.median(times)


def _mean(figures: dict[str, float]) -> str:
    return f"{statistics.fmean(figures.values()):.4f}"


if __name__ == "__main__":
    main()
