"""The network as torch trains it: vectors of words, two convolutions, pooling, a linear term per word, one dense layer.

``moderation.scoring.attributes`` computes the same with numpy; ``tests`` hold the two together by fixed sentences.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import coo_matrix
from sklearn.utils.extmath import randomized_svd
from torch import nn

from moderation.scoring.tokens import gram_rows, spellings

LABELS = 6
WIDTH = 32
FILTERS = 64
HATE_LABELS = (0, 3, 5)
"""What the second tower adds to: toxicity, threat and identity attack."""

HATE_WIDTH = 20
HATE_FILTERS = 32
VOCABULARY = 25_000
GRAM_ROWS = 32_768
LEAST_COUNT = 3
MAX_TRAINED_TOKENS = 200

SOURCES = ("", "wiki_rare", "civil", "wikitalk", "perspective", "tweets")
"""Sources that were picked by how toxic they are, or labelled in another way. Each has an offset of its own in
training, which the run time has not: the model need not learn to tell them apart. All others share the first."""


class Lexicon:
    """Words of the vocabulary, then every other spelling that was met, numbered; n-gram rows for all of them."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = list(vocabulary)
        self._ids = {word: number for number, word in enumerate(self.vocabulary)}
        self._read: dict[str, int] = {}
        self.grams: list[np.ndarray] = [self._rows(word) for word in self.vocabulary]

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """The numbers of a text's tokens; below ``len(vocabulary)`` for known words."""
        return [self._id(token) for token in tokens]

    def _id(self, token: str) -> int:
        if token not in self._read:
            last = token
            for spelling in spellings(token):
                last = spelling or last
                if spelling in self._ids:
                    break
            if last not in self._ids:
                self._ids[last] = len(self.grams)
                self.grams.append(self._rows(last))
            self._read[token] = self._ids[last]
        return self._read[token]

    @staticmethod
    def _rows(word: str) -> np.ndarray:
        return np.array(gram_rows(word, GRAM_ROWS), dtype=np.int64)


def vocabulary_of(texts: Sequence[Sequence[str]]) -> list[str]:
    """The words of plain letters that enough texts have, the most frequent first, and the two placeholders."""
    counts: Counter[str] = Counter()
    for tokens in texts:
        counts.update({token.replace("'", "") if token.count("'") > 1 else token for token in tokens})
    kept = [(word, count) for word, count in counts.items() if count >= LEAST_COUNT and len(word) <= 32]
    kept = [(word, count) for word, count in kept if word.replace("'", "").isalpha() and not word.startswith("http")]
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    return ["<link>", "<number>", *(word for word, _ in kept[: VOCABULARY - 2])]


def pretrained(sentences: Sequence[Sequence[int]], size: int) -> np.ndarray:
    """Vectors of words from who stands beside whom: shifted PPMI, then a truncated SVD (Levy and Goldberg, 2014)."""
    left, right = [], []
    for ids in sentences:
        known = np.array([number for number in ids[:MAX_TRAINED_TOKENS] if number < size])
        for gap in (1, 2, 3):
            left.append(known[:-gap])
            right.append(known[gap:])
    a, b = np.concatenate(left), np.concatenate(right)
    ones = np.ones(len(a) * 2, dtype=np.float64)
    counts = coo_matrix((ones, (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(size, size)).tocsr()
    totals = np.asarray(counts.sum(axis=1)).ravel() + 1e-9
    smooth = totals**0.75
    table = counts.tocoo()
    pmi = np.log(table.data * smooth.sum() / (totals[table.row] * smooth[table.col]))
    kept = pmi > 0
    positive = coo_matrix((pmi[kept], (table.row[kept], table.col[kept])), shape=(size, size)).tocsr()
    vectors, strengths, _ = randomized_svd(positive, n_components=WIDTH, n_iter=4, random_state=7)
    vectors = vectors * np.sqrt(strengths)
    return (vectors / vectors.std() * 0.25).astype(np.float32)


class Network(nn.Module):
    """Logits from word vectors. ``forward`` takes vectors (batch, tokens, columns) and a mask (batch, tokens)."""

    def __init__(
        self,
        words_known: int,
        initial: np.ndarray | None,
        width: int = WIDTH,
        filters: int = FILTERS,
        labels: int = LABELS,
    ) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Embedding(words_known, width + labels)
        self.grams = nn.EmbeddingBag(GRAM_ROWS, width + labels, mode="mean")
        nn.init.normal_(self.table.weight, std=0.1)
        nn.init.normal_(self.grams.weight, std=0.1)
        with torch.no_grad():
            if initial is not None:
                self.table.weight[:, :width] = torch.from_numpy(initial[:, :width])
            self.table.weight[:, width:] = 0
            self.grams.weight[:, width:] = 0
        self.three = nn.Conv1d(width, filters, 3, padding=1)
        self.one = nn.Conv1d(width, filters, 1)
        self.drop = nn.Dropout(0.35)
        self.of_source = nn.Embedding(len(SOURCES), labels)
        nn.init.zeros_(self.of_source.weight)
        self.dense = nn.Linear(4 * filters + 2 * labels + 1, labels)

    def vectors(self, ids: torch.Tensor, lexicon: Lexicon, unknown_share: float) -> torch.Tensor:
        """The vectors of ``ids``; a share of the known words is read by their n-grams, so that these learn."""
        unique, inverse = torch.unique(ids, return_inverse=True)
        known = len(lexicon.vocabulary)
        by_grams = (unique >= known) | (torch.rand(len(unique)) < unknown_share)
        result = self.table(unique.clamp(max=known - 1))
        if by_grams.any():
            rows = [lexicon.grams[number] for number in unique[by_grams].tolist()]
            offsets = np.cumsum([0, *(len(row) for row in rows[:-1])])
            read = self.grams(torch.from_numpy(np.concatenate(rows)), torch.from_numpy(offsets))
            result = result.masked_scatter(by_grams[:, None], read)
        return result[inverse]

    def forward(self, vectors: torch.Tensor, mask: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
        vectors = vectors * mask[:, :, None]
        count = mask.sum(1, keepdim=True)
        meaning = vectors[:, :, : self.width].transpose(1, 2)
        found = torch.cat([torch.relu(self.three(meaning)), torch.relu(self.one(meaning))], 1) * mask[:, None, :]
        linear = vectors[:, :, self.width :]
        pooled = torch.cat(
            [
                found.amax(2),
                found.sum(2) / count.clamp(min=1),
                linear.clamp(min=0).amax(1),
                linear.sum(1) / (count + 3),
                torch.log1p(count) / 5,
            ],
            1,
        )
        return self.dense(self.drop(pooled)) + self.of_source(sources) * (sources > 0)[:, None]
