"""From a trained network to what the package ships: int8 arrays, calibration, thresholds, checksums."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from moderation.scoring import attributes
from moderation.scoring.folding import fold
from moderation.scoring.tokens import words
from training import data, spam
from training.data import LABELS, Row
from training.network import Lexicon, Network

FOLDER = attributes.FOLDER
VERSION = "2026.11"

CALIBRATED_ON = ("wiki", "wiki_rare", "civil")
FALSE_ALARMS = {
    "toxicity": 0.08,
    "severe_toxicity": 0.002,
    "obscene": 0.02,
    "threat": 0.005,
    "insult": 0.09,
    "identity_attack": 0.003,
}
"""For each attribute the share of held-out news comments that its default threshold may flag, of those which fewer
than a third of the raters found toxic (Civil Comments). That is a hard measure: the corpus that we have was picked for
toxic words, so most of these comments were toxic to somebody. Of ordinary comments the thresholds flag far fewer;
``evaluate.py`` says how many of Wikipedia's."""

LOWEST = 0.38
"""No threshold is below this: what is called flagged should be more than a rare suspicion."""


def write(out: Path, network: Network, lexicon: Lexicon, rows: Sequence[Row], tell: Callable[[str], None]) -> None:
    """Write everything into ``out`` and measure calibration and thresholds with what was written."""
    out.mkdir(parents=True, exist_ok=True)
    sums = {"attributes.npz": _save(out / "attributes.npz", arrays_of(network, lexicon))}
    tell("arrays of the network")
    spam_model = spam.train(rows)
    sums["spam.npz"] = _save(out / "spam.npz", spam_model.arrays)
    tell("spam model")
    reader = attributes.Network(_load(out / "attributes.npz"))
    held = data.for_calibration(rows)
    logits = np.array([reader.read(words(fold(row.text).text)).logits for row in held])
    curves = {name: _calibrated(held, logits[:, at], at) for at, name in enumerate(LABELS)}
    curves["spam"] = _stored(spam_model.curve)
    manifest = {
        "version": VERSION,
        "sha256": sums,
        "calibration": curves,
        "thresholds": _thresholds(held, logits, curves) | {"spam": spam_model.threshold},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    tell(f"calibration; thresholds {manifest['thresholds']}")


def write_spam(out: Path, rows: Sequence[Row], tell: Callable[[str], None]) -> None:
    """Write the spam model alone into ``out``, and its parts of the manifest there; the network stays as it is."""
    model = spam.train(rows)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"]["spam.npz"] = _save(out / "spam.npz", model.arrays)
    manifest["calibration"]["spam"] = _stored(model.curve)
    manifest["thresholds"]["spam"] = model.threshold
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    tell(f"spam model; threshold {model.threshold}")


def _stored(curve: attributes.Curve) -> dict[str, Any]:
    return {"logits": list(curve.logits), "calibrated": list(curve.calibrated)}


def arrays_of(network: Network, lexicon: Lexicon) -> dict[str, np.ndarray]:
    """The run time's arrays: int8 rows with a scale each, and the small matrices as they are."""
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    three, one = state["three.weight"], state["one.weight"]
    parts = [three[:, :, 1], one[:, :, 0], three[:, :, 0], three[:, :, 2]]
    table, table_scale = _int8(state["table.weight"])
    grams, gram_scale = _int8(state["grams.weight"])
    return {
        "vocabulary": np.frombuffer("\n".join(lexicon.vocabulary).encode(), dtype=np.uint8),
        "table": table,
        "table_scale": table_scale,
        "grams": grams,
        "gram_scale": gram_scale,
        "convolutions": np.concatenate([part.T for part in parts], 1).astype(np.float32),
        "convolution_bias": np.concatenate([state["three.bias"], state["one.bias"]]).astype(np.float32),
        "dense": np.ascontiguousarray(state["dense.weight"].T).astype(np.float32),
        "dense_bias": state["dense.bias"].astype(np.float32),
    }


def _int8(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = (np.maximum(np.abs(rows).max(1) / 127, 1e-4)).astype(np.float16)
    quantised = np.clip(np.round(rows / scale.astype(np.float32)[:, None]), -127, 127)
    return quantised.astype(np.int8), scale


def _save(path: Path, arrays: dict[str, np.ndarray]) -> str:
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _calibrated(held: Sequence[Row], logits: np.ndarray, label: int) -> dict[str, Any]:
    """A curve of up to three straight pieces in logits; one where positives are too few, or it would fall."""
    known = [at for at, row in enumerate(held) if row.source in CALIBRATED_ON and not np.isnan(row.labels[label])]
    truth = np.array([held[at].labels[label] for at in known])
    x = logits[known]
    if truth.sum() >= 150:
        knots = np.quantile(x, [0.5, 0.8])
        slopes, bias = _platt(np.stack([x, *(np.maximum(x - knot, 0) for knot in knots)], 1), truth, np.ones(len(x)))
        if min(slopes[0], slopes[0] + slopes[1], slopes.sum()) > 0.05:
            points = [-25.0, float(knots[0]), float(knots[1]), 25.0]
            values = [
                slopes[0] * p + sum(s * max(p - k, 0) for s, k in zip(slopes[1:], knots, strict=True)) + bias
                for p in points
            ]
            return {"logits": [round(p, 4) for p in points], "calibrated": [round(float(v), 4) for v in values]}
    return _line(*_platt(x[:, None], truth, np.ones(len(x))))


def _platt(x: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Logistic regression on soft labels: each text once as positive and once as negative."""
    doubled = np.concatenate([x, x])
    answers = np.concatenate([np.ones(len(x)), np.zeros(len(x))])
    shares = np.concatenate([truth * weights, (1 - truth) * weights])
    model = LogisticRegression(C=100.0, max_iter=1_000).fit(doubled, answers, sample_weight=shares)
    return model.coef_[0], float(model.intercept_[0])


def _line(slopes: np.ndarray, bias: float) -> dict[str, Any]:
    slope = float(slopes[0])
    return {"logits": [-25.0, 25.0], "calibrated": [round(-25 * slope + bias, 4), round(25 * slope + bias, 4)]}


def _thresholds(held: Sequence[Row], logits: np.ndarray, curves: dict[str, Any]) -> dict[str, float]:
    """The lowest score, in hundredths, that flags no more of the ordinary news comments than stated."""
    news = [at for at, row in enumerate(held) if row.source == "civil"]
    ordinary = [at for at in news if held[at].labels[0] < 0.34]
    found = {}
    for at, name in enumerate(LABELS):
        curve = attributes.Curve(tuple(curves[name]["logits"]), tuple(curves[name]["calibrated"]))
        found[name] = _cut([curve.score(float(logits[row, at])) for row in ordinary], FALSE_ALARMS[name])
    return found


def _cut(scores: Sequence[float], share: float) -> float:
    return float(np.clip(np.ceil(np.quantile(scores, 1 - share) * 100 + 0.001) / 100, LOWEST, 0.95))
