"""The signal ``attributes`` for the language of a comment: English, German, Portuguese, or none that can be judged.

German and Portuguese have a linear model each over words, pairs of words and pieces of words, so that the evidence is
exact. They score toxicity and nothing else: for the rest there was nothing to learn from, and those scores are absent,
spam among them. ``model/LANGUAGES.md`` says from what they were made and how good they are.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from moderation.domain.policy import Evidence, Signal, risk_share
from moderation.errors import Bug
from moderation.scoring import attributes
from moderation.scoring.attributes import FOLDER, RUDE_AT_MOST, Manifest
from moderation.scoring.folding import Folded
from moderation.scoring.languages import ENGLISH, GERMAN, NAMES, PORTUGUESE, UNKNOWN
from moderation.scoring.spam import number_of, pair_rows
from moderation.scoring.tokens import LINK, Remembered, tokens, words

LANGUAGES = (GERMAN, PORTUGUESE)
"""The languages that have a model of their own."""

MANIFEST = "languages.json"
"""Version, checksums, calibration and thresholds of these models, beside their arrays."""

ROWS = 1 << 15
"""Rows of the table of words and pairs of words, and of that of pieces of words; a power of two."""

WORD_VALUE, GRAM_VALUE, PAIR_VALUE = 1.0, 0.5, 0.7
"""How much a word, a piece and a pair count before the weights: chosen by cross-validation."""

TWEET_WORDS = 25
"""Words of a text that is still like those of the training data in length."""

_MAX_GRAM_CHARS = 24
_READ_WORDS = 8_192
_MAX_CARRYING = 6

_log = structlog.get_logger(__name__)
Floats = NDArray[np.float32]


class Model:
    """Toxicity in one language. Safe to share between threads."""

    def __init__(self, language: str, manifest: Manifest, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.language, self.version = language, manifest.version
        self.threshold = manifest.thresholds[language]
        self._curve = manifest.curves[language]
        self._words: Floats = arrays["words"].astype(np.float32) * np.float32(arrays["words_scale"])
        self._grams: Floats = arrays["grams"].astype(np.float32) * np.float32(arrays["grams_scale"])
        self._bias = float(arrays["bias"])
        if len(self._words) != ROWS or len(self._grams) != ROWS:
            raise Bug("The arrays of the model do not fit.")
        self._read = Remembered(self._word, _READ_WORDS)

    def judge(self, folded: Folded) -> Signal:
        """The signal of a text: toxicity alone, its weight, and, from the threshold on, the words that carry it."""
        shares = self.shares(words(folded.text))
        score = self._curve.score(self.logit(shares))
        weight = round(risk_share(score, self.threshold, RUDE_AT_MOST), 4)
        said = f"Toxicity {score:.2f} by the {NAMES[self.language]} model {self.version}"
        evidence: tuple[Evidence, ...] = ()
        if score >= self.threshold:
            places = tokens(folded.text)
            spans = folded.spans(places[at][1:] for at in _carrying(shares))
            evidence = (Evidence(f"{said}: {'these words' if spans else 'the text as a whole'}.", spans),)
        elif weight:
            evidence = (Evidence(f"{said}: below what is flagged."),)
        return Signal("attributes", weight, evidence, {"toxicity": score})

    def score(self, folded: Folded) -> float:
        """The toxicity of a text, 0..1."""
        return self._curve.score(self.logit(self.shares(words(folded.text))))

    def logit(self, shares: Floats) -> float:
        """What the shares of the words come to, with the constant part."""
        return float(shares.sum()) + self._bias

    def shares(self, found: Sequence[str]) -> Floats:
        """What each token adds to the logit: exact, a pair being shared by its two words."""
        read = list(map(self._read.__getitem__, found))
        scale = np.float32(token_scale(len(found)))
        shares: Floats = np.array([weight for weight, _ in read], dtype=np.float32) * scale
        if len(read) > 1:
            pairs = self._words[pair_rows([number for _, number in read], ROWS)] * (np.float32(PAIR_VALUE / 2) * scale)
            shares[:-1] += pairs
            shares[1:] += pairs
        return shares

    def _word(self, token: str) -> tuple[float, int]:
        """The weight of a token with its pieces, and its number for pairs. Links say nothing: no tweet had one left."""
        word = plain_word(token)
        number = number_of(word)
        if word == LINK:
            return 0.0, number
        pieces = float(self._grams[gram_rows(word)].sum()) * GRAM_VALUE
        return float(self._words[number & (ROWS - 1)]) * WORD_VALUE + pieces, number


# ---- How a text is read: shared with training, so that a change here needs new models.


def token_scale(count: int) -> float:
    """What each word's weight is multiplied by: one over the root of their number, so that long texts are no worse.

    Beyond the length of a tweet it falls a little faster, or false alarms would grow with a text's length.
    """
    count = max(count, 1)
    return float(count**-0.5 * min(1.0, TWEET_WORDS / count) ** 0.35)


def gram_rows(word: str) -> list[int]:
    """The rows of a word's pieces: 3 to 5 characters, its ends marked."""
    marked = f"<{word[:_MAX_GRAM_CHARS]}>"
    grams = [marked[at : at + size] for size in (3, 4, 5) for at in range(len(marked) - size + 1)]
    return [number_of(gram) & (ROWS - 1) for gram in grams]


def plain_word(token: str) -> str:
    """Any link as one word, any number by its length: they are of no language."""
    if token.startswith(("http:", "https:", "www.")):
        return LINK
    return f"<{len(token)} digits>" if token.isdecimal() else token


# ---- In the pipeline


def judge(
    english: attributes.Model | None, others: Mapping[str, Model], language: str, folded: Folded, links: int = 0
) -> Signal:
    """The signal ``attributes`` by the model of the text's language.

    A text of unknown language is read as English, which is what most short ones are, and what the other models flag in
    it counts too. A language that no model was trained for, or whose model cannot be used, is unavailable and says so,
    and the policy holds the comment.
    """
    if language == ENGLISH:
        return attributes.judge(english, folded, links)
    if language == UNKNOWN:
        return _with_others(attributes.judge(english, folded, links), others, folded)
    if language in others:
        return others[language].judge(folded)
    known = f"Written in {NAMES[language]}, as far as we can tell"
    if language in LANGUAGES:
        return _unavailable(f"{known}; the model for it cannot be used.")
    return _unavailable(f"{known}; the model was trained on {_listed()} and cannot judge it.")


def _with_others(signal: Signal, others: Mapping[str, Model], folded: Folded) -> Signal:
    """The English model's signal, and of the others the one that is surest, if it flags the text and is surer."""
    if not signal.available:
        return signal
    judged = [(model.judge(folded), model.threshold) for model in others.values()]
    flagging = [other for other, threshold in judged if other.scores["toxicity"] >= threshold]
    surest = max(flagging, key=lambda other: other.scores["toxicity"], default=signal)
    if surest.scores["toxicity"] <= signal.scores["toxicity"]:
        return signal
    scores = {**signal.scores, **surest.scores}
    return Signal(signal.name, max(signal.weight, surest.weight), surest.evidence + signal.evidence, scores)


def load(language: str, folder: Path = FOLDER) -> Model:
    """The model of a language, its file checked against the manifest. Raises ``Bug`` for a missing or damaged one."""
    try:
        manifest = attributes.read_manifest(folder / MANIFEST, [language])
        return Model(language, manifest, attributes.checked_arrays(folder, f"{language}.npz", manifest.sha256))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Bug(f"The files of the {NAMES[language]} model cannot be used ({type(error).__name__}).") from error


@cache
def shipped() -> Mapping[str, Model]:
    """The models that come with the package, by language, loaded once; one that fails is left out and logged."""
    found = {}
    for language in LANGUAGES:
        try:
            found[language] = load(language)
        except Bug as error:
            _log.error("model_unusable", error=str(error), language=language)
    return found


def _unavailable(why: str) -> Signal:
    return Signal("attributes", evidence=(Evidence(why),), available=False)


def _listed() -> str:
    names = [NAMES[language] for language in (ENGLISH, *LANGUAGES)]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _carrying(shares: Floats) -> list[int]:
    """The tokens that carry the score: at most six, those with at least a quarter of the largest share."""
    likely = np.argsort(-shares, kind="stable")[:_MAX_CARRYING]
    most = float(shares.max(initial=0.0))
    return sorted(int(at) for at in likely if shares[at] > 0 and shares[at] >= most * 0.25)
