"""``make evaluate``: the shipped model on data held out by the fixed rule, printed as a table.

Everything is measured with the run time of the package (numpy, int8), as it is shipped.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from moderation.scoring import attributes
from moderation.scoring.attributes import LABELS, Model
from moderation.scoring.folding import fold
from training import contrast, data, export, languages, plot, spam
from training.data import Row

Scores = dict[str, float]


CARD = attributes.FOLDER / "MODEL_CARD.md"
PLOT = attributes.FOLDER / "reliability.svg"
BEGIN, END = "<!-- figures: written by make evaluate -->", "<!-- end of figures -->"


def main() -> None:
    """Print the table; with ``--card`` also write it, and the reliability plot, into the model card's place."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--card", action="store_true", help="write the figures into the model card, and the plot")
    to_card = options.parse_args().card
    model = attributes.load()
    rows = data.rows()
    test = data.for_test(rows)
    print(f"model {model.version}; thresholds {dict(model.thresholds)}\n")
    table: list[tuple[str, str]] = []
    for part in (_wikipedia, _news, _sentences, _buried, _spam, _reliability, _cost):
        for name, figure in part(model, rows, test):
            print(f"{name:66} {figure}", flush=True)
            table.append((name, figure))
        print()
    for name, figure in (*languages.evaluate(), *languages.told()):
        print(f"{name:66} {figure}", flush=True)
        table.append((name, figure))
    if to_card:
        _write_card(model, table)
        panels = {
            name: [(b.said, b.right, b.mass) for b in found] for name, found in _all_bins(model, rows, test).items()
        }
        PLOT.write_text(plot.reliability(f"Model {model.version} on texts held out", panels), encoding="utf-8")


def _write_card(model: Model, table: Sequence[tuple[str, str]]) -> None:
    before, _, rest = CARD.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit(f"{CARD.name} has no place for the figures.")
    lines = ["", "", f"Version {model.version}.", "", "| measure | figure |", "| --- | --- |"]
    lines += [f"| {'– ' if name.startswith(' ') else ''}{name.strip()} | {figure} |" for name, figure in table]
    lines += ["", "| attribute | default threshold |", "| --- | --- |"]
    lines += [f"| {name} | {threshold:.2f} |" for name, threshold in model.thresholds.items()]
    CARD.write_text(before + BEGIN + "\n".join(lines) + "\n\n" + END + after, encoding="utf-8")


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
        ("Civil Comments held-out, toxic (half of the raters or more) or not, AUC", f"{toxic:.3f}"),
        ("  half of the raters or more against fewer than a fifth, AUC", f"{_apart(news, scores):.3f}"),
        ("  insult, AUC", f"{insult:.3f}"),
        (f"  flagged of {len(flagged)} that < 1/3 of raters found toxic", f"{np.mean(flagged):.1%}"),
        (f"  flagged of {len(caught)} that all raters found toxic", f"{np.mean(caught):.1%}"),
    ]


def _apart(news: Sequence[Row], scores: Sequence[Scores]) -> float:
    """The AUC without the comments that raters could not agree on."""
    clear = [
        (r.labels[0] >= 0.5, s["toxicity"]) for r, s in zip(news, scores, strict=True) if not 0.2 <= r.labels[0] < 0.5
    ]
    return float(roc_auc_score(*zip(*clear, strict=True)))


def _flags(model: Model, scores: Scores) -> bool:
    return any(scores[name] >= model.thresholds[name] for name in LABELS)


def _sentences(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    libs = data.madlibs_held_out()
    sets: list[tuple[str, Sequence[str]]] = [
        ("our neutral identity sentences (templates and terms unseen)", contrast.identity_held_out()),
        ("the same templates, terms of training", contrast.identity_held_out(terms_held_out=False)),
        ("our sentences against hatred (templates and terms unseen)", contrast.counter_held_out()),
        ("our news vocabulary sentences (unseen)", contrast.news_held_out()),
        ("template sentences of the data set, neutral (terms unseen)", [text for text, bad in libs if not bad][:3_000]),
        ("our hateful sentences (templates and terms unseen), for recall", contrast.hateful_held_out()),
        ("the same templates, terms of training, for recall", contrast.hateful_held_out(terms_held_out=False)),
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


CALM_AROUND = ((0, 0), (2, 0), (2, 2), (5, 5))
"""How many calm sentences stand before a rude one, and behind."""


def _buried(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    """Whether what is flagged by itself is still found among calm sentences, and whether these alone are flagged."""
    dice = random.Random(5)
    sources = [row.text.strip() for row in test if row.source == "wiki" and not any(row.labels)]
    candidates = [text for text in sources if 40 < len(text) < 200] + contrast.news_held_out()
    calm = [text for text in candidates if not _flags(model, model.scores(fold(text)))]
    wiki = [row for row in test if row.source in {"wiki", "wiki_rare"} and len(row.text) < 120]
    sets = {
        "our hateful sentences": ("identity_attack", contrast.hateful_held_out(terms_held_out=False)),
        "short insults of Wikipedia": ("insult", [row.text for row in wiki if row.labels[4] == 1]),
        "short threats of Wikipedia": ("threat", [row.text for row in wiki if row.labels[3] == 1]),
    }
    table = []
    for name, (label, texts) in sets.items():
        shares = []
        for before, behind in CALM_AROUND:
            made = [" ".join([*dice.sample(calm, before), text, *dice.sample(calm, behind)]) for text in texts]
            scores = _scored(model, made)
            own = np.mean([score[label] >= model.thresholds[label] for score in scores])
            shares.append(f"{before} + {behind}: {own:.1%}, at all {np.mean([_flags(model, s) for s in scores]):.1%}")
        table.append((f"{len(texts)} {name} among calm ones (before + behind), {label}", " · ".join(shares)))
    alone = _scored(model, [" ".join(dice.sample(calm, 7)) for _ in range(1_000)])
    share = f"{np.mean([_flags(model, score) for score in alone]):.1%}"
    return [*table, ("flagged of 1000 texts of seven of these calm sentences alone", share)]


def _spam(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    left_out = _left_out(rows)
    table = [(f"YouTube, leave one video out: {name}", f"{figure:.3f}") for name, figure in left_out.figures.items()]
    sets = {
        f"held-out comments of {source}": [row.text for row in test if row.source == source]
        for source in ("civil", "wiki")
    }
    for name, texts in (sets | spam.foreign()).items():
        scores = np.array([score["spam"] for score in _scored(model, texts)])
        shares = [f"{(scores >= cut).mean():.2%} at {cut}" for cut in (model.thresholds["spam"], 0.5)]
        table.append((f"spam false alarms on {len(texts)} {name}", " · ".join(shares)))
    return table


class _Bin(NamedTuple):
    """Of the scores between two limits: their mean, the share that was right, their part of all by weight, texts."""

    said: float
    right: float
    mass: float
    texts: int


def _bins(model: Model, test: Sequence[Row], name: str) -> list[_Bin]:
    """By tenths of the score, on test rows, which calibration never saw, with the shares that it assumes."""
    label = LABELS.index(name)
    kept = [row for row in test if row.source in export.CALIBRATED_ON[:-1] and row.labels[label] == row.labels[label]]
    truth = np.array([row.labels[label] for row in kept])
    pairs = export.weighed([row.source for row in kept], truth, label)
    yes, no = truth * pairs[:, 0], (1 - truth) * pairs[:, 1]
    scores = np.array([score[name] for score in _scored(model, [row.text for row in kept])])
    return _binned(scores, yes, no)


def _binned(scores: np.ndarray, yes: np.ndarray, no: np.ndarray) -> list[_Bin]:
    """By tenths of the score. ``yes`` and ``no``: weights of each text as one that is so, and as one that is not."""
    found = []
    for low in np.arange(0, 1, 0.1):
        part = (scores >= low) & (scores < low + 0.1 + (low > 0.85))
        mass = yes[part].sum() + no[part].sum()
        if part.sum() >= 8:
            said = float((scores * (yes + no))[part].sum() / mass)
            found.append(_Bin(said, float(yes[part].sum() / mass), float(mass / (yes + no).sum()), int(part.sum())))
    return found


def _left_out(rows: Sequence[Row]) -> spam.LeftOut:
    """Nine models are trained for it, once."""
    if not _LEFT_OUT:
        _LEFT_OUT.append(spam.left_out(rows))
    return _LEFT_OUT[0]


_LEFT_OUT: list[spam.LeftOut] = []


def _all_bins(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> dict[str, list[_Bin]]:
    """Of each attribute; of spam by the models that left a video out, with the share that calibration assumes.

    Worked out once: the table and the plot show the same.
    """
    if _ALL_BINS:
        return _ALL_BINS
    judged = _left_out(rows)
    share = judged.spam.mean()
    yes = judged.spam * spam.SPAM_SHARE / share
    no = ~judged.spam * (1 - spam.SPAM_SHARE) / (1 - share)
    _ALL_BINS.update({name: _bins(model, test, name) for name in LABELS} | {"spam": _binned(judged.scores, yes, no)})
    return _ALL_BINS


_ALL_BINS: dict[str, list[_Bin]] = {}


def _reliability(model: Model, rows: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    table = [("reliability: mean score -> share that was so (texts), and the mean error", "")]
    for name, bins in _all_bins(model, rows, test).items():
        error = sum(abs(b.said - b.right) * b.mass for b in bins) / sum(b.mass for b in bins)
        shown = "  ".join(f"{b.said:.2f}->{b.right:.2f} ({b.texts})" for b in bins)
        table.append((f"  {name:16} {shown}", f"{error:.3f}"))
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
