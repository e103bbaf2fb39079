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
from training import data, spam
from training.data import LABELS, Row
from training.network import HATE_LABELS, Lexicon, Network

FOLDER = attributes.FOLDER
VERSION = "2026.11.3"

CALIBRATED_ON = ("wiki", "wiki_rare", "civil", "contrast")
SHARES = {
    "toxicity": 0.15,
    "severe_toxicity": 0.03,
    "obscene": 0.08,
    "threat": 0.015,
    "insult": 0.10,
    "identity_attack": 0.06,
}
"""The share of each attribute that calibration assumes among the comments that come in. The collections were picked
for what is rude, the news site's most of all (two thirds of it toxic): taken as they are, scores of ordinary comments
would be far too high. Each source is weighed to this share; on a site with less, scores are too high, with more, too
low."""

CONTRAST_SHARE = 0.15
"""Of the weight in the calibration of identity attacks that lies on our own sentences, of templates not trained on."""

FALSE_ALARMS = {
    "toxicity": 0.06,
    "severe_toxicity": 0.005,
    "obscene": 0.01,
    "threat": 0.004,
    "insult": 0.04,
    "identity_attack": 0.025,
}
"""For each attribute the share of held-out news comments that its default threshold may flag, of those which fewer
than a third of the raters found toxic (Civil Comments). That is a hard measure: the corpus that we have was picked for
toxic words, so most of these comments were toxic to somebody. Of ordinary comments the thresholds flag far fewer;
``evaluate.py`` says how many of Wikipedia's."""

BY_SENTENCE = ("toxicity", "threat", "insult", "identity_attack")
"""What single sentences of longer texts have a say on. What is obscene or severe is so by its words, which the maxima
find wherever they stand."""

SENTENCE_MARGIN = 2.0
"""How far above the logit from which a text is flagged that of a sentence must be to count as it is. With less more
rude sentences are found among calm ones, and more of ordinary news comments are flagged: the thresholds, which hold
these to their share, would rise for short texts too."""

LOWEST = 0.25
"""No threshold is below this: what is called flagged should be more than a rare suspicion."""


def write(
    out: Path, network: Network, tower: Network, lexicon: Lexicon, rows: Sequence[Row], tell: Callable[[str], None]
) -> None:
    """Write everything into ``out`` and measure calibration and thresholds with what was written."""
    out.mkdir(parents=True, exist_ok=True)
    sums = {"attributes.npz": _save(out / "attributes.npz", arrays_of(network, tower, lexicon))}
    tell("arrays of the network")
    spam_model = spam.train(rows)
    sums["spam.npz"] = _save(out / "spam.npz", spam_model.arrays)
    tell("spam model")
    manifest = {"version": VERSION, "sha256": sums}
    manifest |= {"calibration": {"spam": _stored(spam_model.curve)}, "thresholds": {"spam": spam_model.threshold}}
    _calibrate(out, manifest, rows, tell)


def calibrate(out: Path, rows: Sequence[Row], tell: Callable[[str], None]) -> None:
    """Calibrate the network that is in ``out`` anew, and choose its thresholds; all arrays stay as they are."""
    _calibrate(out, json.loads((out / "manifest.json").read_text(encoding="utf-8")), rows, tell)


def _calibrate(out: Path, manifest: dict[str, Any], rows: Sequence[Row], tell: Callable[[str], None]) -> None:
    arrays, held = _load(out / "attributes.npz"), data.for_calibration(rows)
    texts = [fold(row.text).text for row in held]
    reader = attributes.Network(arrays)
    whole = np.array([attributes.read(reader, text).logits for text in texts])
    manifest["sentences"] = _sentences(held, whole)
    reader = attributes.Network(arrays, manifest["sentences"])
    logits = np.array([attributes.read(reader, text).logits for text in texts])
    curves = {name: _calibrated(held, logits[:, at], at) for at, name in enumerate(LABELS)}
    thresholds = _thresholds(held, logits, curves)
    manifest["version"] = VERSION
    manifest["calibration"] = curves | {"spam": manifest["calibration"]["spam"]}
    manifest["thresholds"] = thresholds | {"spam": manifest["thresholds"]["spam"]}
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


def arrays_of(network: Network, tower: Network | None, lexicon: Lexicon) -> dict[str, np.ndarray]:
    """The run time's arrays: int8 rows with a scale each, and the small matrices as they are.

    The second tower's columns and filters stand beside the first's, so that the run time has one network to compute.
    """
    main = _parts(network)
    found = {name: main[name] for name in ("convolution_bias", "dense", "dense_bias")}
    found |= {name: np.concatenate([main[name], main[f"{name}_linear"]], 1) for name in ("table", "grams")}
    found["convolutions"] = np.concatenate(list(main["filters"]), 1)
    if tower is not None:
        found |= _joined(main, _parts(tower))
    arrays = {"vocabulary": np.frombuffer("\n".join(lexicon.vocabulary).encode(), dtype=np.uint8)}
    arrays["table"], arrays["table_scale"] = _int8(found["table"])
    arrays["grams"], arrays["gram_scale"] = _int8(found["grams"])
    for name in ("convolutions", "convolution_bias", "dense", "dense_bias"):
        arrays[name] = np.ascontiguousarray(found[name]).astype(np.float32)
    return arrays


def _parts(network: Network) -> dict[str, np.ndarray]:
    """A network's weights, its filters in the run time's order: middle, width 1, before, behind; each (width, n)."""
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    three, one, width = state["three.weight"], state["one.weight"], network.width
    return {
        "table": state["table.weight"][:, :width],
        "table_linear": state["table.weight"][:, width:],
        "grams": state["grams.weight"][:, :width],
        "grams_linear": state["grams.weight"][:, width:],
        "filters": np.stack([three[:, :, 1].T, one[:, :, 0].T, three[:, :, 0].T, three[:, :, 2].T]),
        "convolution_bias": np.concatenate([state["three.bias"], state["one.bias"]]),
        "dense": state["dense.weight"].T,
        "dense_bias": state["dense.bias"],
    }


def _joined(main: dict[str, np.ndarray], tower: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The two towers as one network: filters of the one do not read the columns of the other."""
    wide, labels = np.zeros((len(tower["dense"]), len(LABELS)), np.float32), list(HATE_LABELS)
    wide[:, labels] = tower["dense"]
    bias = main["dense_bias"].copy()
    bias[labels] += tower["dense_bias"]
    sizes = [part["filters"].shape[2] for part in (main, tower)]
    linear = [part["table_linear"].shape[1] for part in (main, tower)]
    cuts = [np.cumsum([n, n, n, n, own, own]) for n, own in zip(sizes, linear, strict=True)]
    pieces = zip(np.split(main["dense"], cuts[0]), np.split(wide, cuts[1]), strict=True)
    dense = [np.concatenate(pair) for pair in list(pieces)[:-1]]
    biases = zip(np.split(main["convolution_bias"], 2), np.split(tower["convolution_bias"], 2), strict=True)
    filters = [_block(*pair) for pair in zip(main["filters"], tower["filters"], strict=True)]
    return {
        "table": np.concatenate([main["table"], tower["table"], main["table_linear"], tower["table_linear"]], 1),
        "grams": np.concatenate([main["grams"], tower["grams"], main["grams_linear"], tower["grams_linear"]], 1),
        "convolutions": np.concatenate(filters, 1),
        "convolution_bias": np.concatenate([part for pair in biases for part in pair]),
        "dense": np.concatenate([*dense, main["dense"][-1:] + wide[-1:]]),
        "dense_bias": bias,
    }


def _block(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A matrix with the two on its diagonal."""
    whole = np.zeros((first.shape[0] + second.shape[0], first.shape[1] + second.shape[1]), np.float32)
    whole[: first.shape[0], : first.shape[1]] = first
    whole[first.shape[0] :, first.shape[1] :] = second
    return whole


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
    known = [at for at, row in enumerate(held) if row.source in _sources(label) and not np.isnan(row.labels[label])]
    truth = np.array([held[at].labels[label] for at in known])
    weights = weighed([held[at].source for at in known], truth, label)
    x = logits[known]
    if truth.sum() >= 150:
        knots = np.quantile(x, [0.5, 0.8])
        slopes, bias = _platt(np.stack([x, *(np.maximum(x - knot, 0) for knot in knots)], 1), truth, weights)
        if min(slopes[0], slopes[0] + slopes[1], slopes.sum()) > 0.05:
            points = [-25.0, float(knots[0]), float(knots[1]), 25.0]
            values = [
                slopes[0] * p + sum(s * max(p - k, 0) for s, k in zip(slopes[1:], knots, strict=True)) + bias
                for p in points
            ]
            return {"logits": [round(p, 4) for p in points], "calibrated": [round(float(v), 4) for v in values]}
    return _line(*_platt(x[:, None], truth, weights))


def _sources(label: int) -> tuple[str, ...]:
    return CALIBRATED_ON if LABELS[label] == "identity_attack" else CALIBRATED_ON[:-1]


def weighed(sources: Sequence[str], truth: np.ndarray, label: int) -> np.ndarray:
    """Weights (pairs: of a text as one that is, and as one that is not) by which each source has the share assumed."""
    share, found = SHARES[LABELS[label]], np.zeros((len(truth), 2))
    of_source = np.array(sources)
    for source in set(sources):
        rows = of_source == source
        positive = truth[rows].sum() / rows.sum()
        part = (
            CONTRAST_SHARE / (1 - CONTRAST_SHARE) * (of_source != "contrast").sum()
            if source == "contrast"
            else rows.sum()
        )
        found[rows, 0] = part / rows.sum() * share / max(positive, 1e-3)
        found[rows, 1] = part / rows.sum() * (1 - share) / max(1 - positive, 1e-3)
    return found


def _platt(x: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Logistic regression on soft labels: each text once as one that is, once as one that is not.

    ``weights``: one a text, or one for each of the two.
    """
    doubled = np.concatenate([x, x])
    answers = np.concatenate([np.ones(len(x)), np.zeros(len(x))])
    pairs = weights if weights.ndim == 2 else np.stack([weights, weights], 1)
    shares = np.concatenate([truth * pairs[:, 0], (1 - truth) * pairs[:, 1]])
    model = LogisticRegression(C=100.0, max_iter=1_000).fit(doubled, answers, sample_weight=shares)
    return model.coef_[0], float(model.intercept_[0])


def _line(slopes: np.ndarray, bias: float) -> dict[str, Any]:
    slope = float(slopes[0])
    return {"logits": [-25.0, 25.0], "calibrated": [round(-25 * slope + bias, 4), round(25 * slope + bias, 4)]}


def _sentences(held: Sequence[Row], logits: np.ndarray) -> dict[str, float]:
    """The logits from which a sentence counts for its text as it is, by attribute. ``logits``: of whole texts."""
    ordinary = [at for at, row in enumerate(held) if row.source == "civil" and row.labels[0] < 0.34]
    found = {}
    for name in BY_SENTENCE:
        flagged_from = np.quantile(logits[ordinary, LABELS.index(name)], 1 - FALSE_ALARMS[name])
        found[name] = round(float(flagged_from) + SENTENCE_MARGIN, 4)
    return found


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
