"""``make train``: the model from the data sets, with fixed seeds. Writes the arrays that the package ships.

Order: read, vocabulary, word vectors, network (torch), spam model, int8 arrays, calibration and thresholds by the run
time's own figures on data held out for that, manifest. Prints the time of each.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from moderation.scoring.folding import fold
from moderation.scoring.tokens import words
from training import data, export, teacher
from training.data import Row
from training.network import (
    HATE_FILTERS,
    HATE_LABELS,
    HATE_WIDTH,
    MAX_TRAINED_TOKENS,
    SOURCES,
    Lexicon,
    Network,
    pretrained,
    vocabulary_of,
)

Tell = Callable[[str], None]

BATCH = 128
RATE = 2.5e-3
UNKNOWN_SHARE = 0.12
DROPPED_WORDS = 0.15
AVERAGED = 0.998
"""Of the running average of the weights, which is what is shipped."""

TAUGHT_SHARE = 0.3
"""Share of the teacher's opinion in a label that is known."""

HATE_EPOCHS = 4

QUIET = 0.05
"""How dear it is for the second tower to change what the first says of texts that are no contrast sentences."""


def main() -> None:
    """Train and write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, default=6)
    options.add_argument("--seed", type=int, default=3)
    options.add_argument("--out", type=Path, default=export.FOLDER)
    options.add_argument(
        "--only", choices=("spam", "calibration"), help="do this alone, and keep the network that is there"
    )
    args = options.parse_args()
    torch.set_num_threads(int(os.environ.get("TRAIN_THREADS", "1")))
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {what}", flush=True)

    rows = data.rows()
    if args.only == "spam":
        export.write_spam(args.out, rows, tell)
        return
    if args.only == "calibration":
        export.calibrate(args.out, rows, tell)
        return
    kept = data.for_training(rows)
    tell(f"{len(rows)} texts, {len(kept)} rows for training")
    network, tower, lexicon = towers(kept, teacher.opinions(kept), args.epochs, args.seed, tell)
    export.write(args.out, network, tower, lexicon, rows, tell)
    tell("done")


def towers(
    kept: Sequence[Row], opinions: np.ndarray, epochs: int, seed: int, tell: Tell
) -> tuple[Network, Network, Lexicon]:
    """Both towers. The first learns all labels from everything but the sentences put together from parts.

    The second then adds to toxicity, threat and identity attack what these teach, and stays silent about all else:
    taught together, the many sentences of one kind spoiled what the first knows of real comments.
    """
    texts = [words(fold(row.text).text)[:MAX_TRAINED_TOKENS] for row in kept]
    lexicon = Lexicon(vocabulary_of(texts))
    sequences = [lexicon.ids(tokens) for tokens in texts]
    tell(f"{len(lexicon.vocabulary)} words, {len(lexicon.grams) - len(lexicon.vocabulary)} other spellings")
    initial = pretrained(sequences, len(lexicon.vocabulary))
    tell("word vectors")
    size = len(lexicon.vocabulary)
    first = [at for at, row in enumerate(kept) if row.source != "grammar"]
    of_first = lessons(
        teacher.taught([kept[at] for at in first], opinions[first], TAUGHT_SHARE), [sequences[at] for at in first]
    )
    torch.manual_seed(seed)
    network = trained(Network(size, initial), lexicon, of_first, epochs, seed, tell)
    of_second = replace(
        lessons(kept, sequences),
        known=logits_of(network, lexicon, sequences)[:, HATE_LABELS],
        strange=np.array([row.source not in {"grammar", "contrast", "madlibs"} for row in kept], dtype=np.float32),
    )
    of_second = replace(
        of_second,
        labels=of_second.labels[:, HATE_LABELS],
        weights=np.ascontiguousarray(of_second.weights[:, HATE_LABELS]),
    )
    fresh = Network(size, initial, HATE_WIDTH, HATE_FILTERS, len(HATE_LABELS))
    nn.init.zeros_(fresh.dense.weight)
    nn.init.zeros_(fresh.dense.bias)
    tower = trained(fresh, lexicon, of_second, HATE_EPOCHS, seed, tell)
    return network, tower, lexicon


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a network is trained on: its texts as numbers of words, labels, weights (0 where unknown), sources.

    ``known``: logits that something else has already found, to which the network adds; ``strange``: rows about which
    it had better say nothing.
    """

    sequences: Sequence[list[int]]
    labels: np.ndarray
    weights: np.ndarray
    sources: np.ndarray
    known: np.ndarray | None = None
    strange: np.ndarray | None = None


def lessons(rows: Sequence[Row], sequences: Sequence[list[int]]) -> Lessons:
    """The lessons of some rows."""
    labels = np.array([row.labels for row in rows], dtype=np.float32)
    weights = np.array([[row.weight] for row in rows], dtype=np.float32) * ~np.isnan(labels)
    sources = np.array([SOURCES.index(row.source) if row.source in SOURCES else 0 for row in rows])
    return Lessons(sequences, np.nan_to_num(labels), weights, sources)


def trained(network: Network, lexicon: Lexicon, taught: Lessons, epochs: int, seed: int, tell: Tell) -> Network:
    """The network after some epochs, as the running average of its weights."""
    torch.manual_seed(seed)
    dice = random.Random(seed)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGED)
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    steps = epochs * (len(taught.sequences) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.02, 1 - step / steps))
    mean_weight = float(taught.weights.mean())
    for epoch in range(epochs):
        network.train()
        total, count = 0.0, 0
        for batch in _batches(taught.sequences, dice):
            loss = _loss(network, lexicon, taught, batch) / (BATCH * mean_weight)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            total, count = total + loss.item(), count + 1
        tell(f"epoch {epoch + 1} of {epochs}: loss {total / count:.4f}")
    return averaged.module.eval()


def _batches(sequences: Sequence[list[int]], dice: random.Random) -> Iterator[list[int]]:
    """Shuffled batches of texts of like length."""
    order = list(range(len(sequences)))
    dice.shuffle(order)
    pool = BATCH * 40
    batches = []
    for at in range(0, len(order), pool):
        part = sorted(order[at : at + pool], key=lambda number: len(sequences[number]))
        batches += [part[start : start + BATCH] for start in range(0, len(part), BATCH)]
    dice.shuffle(batches)
    yield from batches


def _loss(network: Network, lexicon: Lexicon, taught: Lessons, batch: Sequence[int]) -> torch.Tensor:
    """Binary cross-entropy over the labels that are known, by source weight: the sum.

    The caller divides by the same figure for all batches: these are of texts of like length, and so of like sources,
    and each would else count the same whatever its rows weigh.
    """
    padded, mask = _padded([taught.sequences[at] for at in batch])
    vectors = network.vectors(padded, lexicon, UNKNOWN_SHARE)
    vectors = vectors * (torch.rand(mask.shape) >= DROPPED_WORDS)[:, :, None]
    said = network(vectors, mask, torch.from_numpy(taught.sources[batch]))
    logits = said if taught.known is None else said + torch.from_numpy(taught.known[batch])
    truth, weights = torch.from_numpy(taught.labels[batch]), torch.from_numpy(taught.weights[batch])
    each = nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    loss = (each * weights).sum()
    if taught.strange is not None:
        loss = loss + QUIET * (said.square() * torch.from_numpy(taught.strange[batch])[:, None]).sum()
    return loss


def logits_of(network: Network, lexicon: Lexicon, sequences: Sequence[list[int]]) -> np.ndarray:
    """What a trained network says of texts, without a source's offset."""
    found = np.zeros((len(sequences), network.dense.out_features), dtype=np.float32)
    order = sorted(range(len(sequences)), key=lambda at: len(sequences[at]))
    with torch.no_grad():
        for start in range(0, len(order), 256):
            part = order[start : start + 256]
            padded, mask = _padded([sequences[at] for at in part])
            none = torch.zeros(len(part), dtype=torch.long)
            found[part] = network(network.vectors(padded, lexicon, 0.0), mask, none).numpy()
    return found


def _padded(ids: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(1, *(len(row) for row in ids))
    padded = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest)
    for at, row in enumerate(ids):
        padded[at, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[at, : len(row)] = 1
    return padded, mask


if __name__ == "__main__":
    main()
