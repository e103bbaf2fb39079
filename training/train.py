"""``make train``: the model from the data sets, with fixed seeds. Writes the arrays that the package ships.

Order: read, vocabulary, word vectors, network (torch), spam model, int8 arrays, calibration and thresholds by the run
time's own figures on data held out for that, manifest. Prints the time of each.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from moderation.scoring.folding import fold
from moderation.scoring.tokens import words
from training import data, export
from training.data import Row
from training.network import LABELS, MAX_TRAINED_TOKENS, SOURCES, Lexicon, Network, pretrained, vocabulary_of

Tell = Callable[[str], None]

BATCH = 128
RATE = 2.5e-3
UNKNOWN_SHARE = 0.12
DROPPED_WORDS = 0.15
AVERAGED = 0.998
"""Of the running average of the weights, which is what is shipped."""


def main() -> None:
    """Train and write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, default=export.FOLDER)
    options.add_argument("--weights", type=Path, help="keep the trained weights in this file, or take them from it")
    options.add_argument("--only", choices=("spam",), help="train this alone, and keep the network that is there")
    args = options.parse_args()
    torch.set_num_threads(int(os.environ.get("TRAIN_THREADS", "2")))
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {what}", flush=True)

    rows = data.rows()
    if args.only == "spam":
        export.write_spam(args.out, rows, tell)
        return
    kept = data.for_training(rows)
    tell(f"{len(rows)} texts, {len(kept)} rows for training")
    texts = [words(fold(row.text).text)[:MAX_TRAINED_TOKENS] for row in kept]
    lexicon = Lexicon(vocabulary_of(texts))
    sequences = [lexicon.ids(tokens) for tokens in texts]
    tell(f"{len(lexicon.vocabulary)} words, {len(lexicon.grams) - len(lexicon.vocabulary)} other spellings")
    if args.weights and args.weights.exists():
        network = Network(len(lexicon.vocabulary), None)
        network.load_state_dict(torch.load(args.weights, weights_only=True))
    else:
        network = trained(lexicon, sequences, kept, args, tell)
    export.write(args.out, network, lexicon, rows, tell)
    tell("done")


def trained(
    lexicon: Lexicon, sequences: Sequence[list[int]], kept: Sequence[Row], args: argparse.Namespace, tell: Tell
) -> Network:
    """The network after the epochs asked for, as the running average of its weights; kept after each epoch."""
    torch.manual_seed(args.seed)
    dice, epochs = random.Random(args.seed), args.epochs
    labels = np.array([row.labels for row in kept], dtype=np.float32)
    weights = np.array([[row.weight] for row in kept], dtype=np.float32) * ~np.isnan(labels)
    labels = np.nan_to_num(labels)
    initial = pretrained(sequences, len(lexicon.vocabulary))
    tell("word vectors")
    network = Network(len(lexicon.vocabulary), initial)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGED)
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    steps = epochs * (len(kept) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.02, 1 - step / steps))
    sources = np.array([SOURCES.index(row.source) if row.source in SOURCES else 0 for row in kept])
    for epoch in range(epochs):
        network.train()
        total, count = 0.0, 0
        for batch in _batches(sequences, dice):
            loss = _loss(
                network, lexicon, [sequences[at] for at in batch], labels[batch], weights[batch], sources[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            total, count = total + loss.item(), count + 1
        tell(f"epoch {epoch + 1} of {epochs}: loss {total / count:.4f}")
        if args.weights:
            torch.save(averaged.module.state_dict(), args.weights)
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


def _loss(
    network: Network,
    lexicon: Lexicon,
    ids: Sequence[list[int]],
    labels: np.ndarray,
    weights: np.ndarray,
    sources: np.ndarray,
) -> torch.Tensor:
    """Binary cross-entropy over the labels that are known, by source weight."""
    padded, mask = _padded(ids)
    vectors = network.vectors(padded, lexicon, UNKNOWN_SHARE)
    vectors = vectors * (torch.rand(mask.shape) >= DROPPED_WORDS)[:, :, None]
    logits = network(vectors, mask, torch.from_numpy(sources))
    known = torch.from_numpy(weights)
    each = nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(labels), reduction="none")
    return (each * known).sum() / (known.sum() / LABELS).clamp(min=1)


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
