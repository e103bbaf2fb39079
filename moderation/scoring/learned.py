"""Learned: what a site's own decisions say of a comment. Counts that grow with each one, and are taken back exactly.

For each word, pair of words, beginning and ending of a word, domain and noticed signal there are three counts: in how
many fine, spam and unwanted comments it stood. Naive Bayes (Maron, JACM 1961) adds up their log-odds, and a logistic
regression over the latest outcomes turns the sums, together with the risk by all other signals, into a probability.
These outcomes are honest: each is the prediction that was made before its decision was learned (progressive
validation; Dawid, JRSS A 1984). By them the model has to prove itself before its weight counts for much.

Pure: where counts are kept, and who may teach, is not known here. A model never changes; ``after`` gives another one.
"""

import base64
import math
import re
import zlib
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from moderation.domain.links import host_of, safe_url
from moderation.domain.policy import Evidence, Signal, Span
from moderation.errors import Invalid
from moderation.scoring.folding import Folded
from moderation.scoring.tokens import MAX_WORD_CHARS, tokens, words

Rows = NDArray[np.uint16]
Counts = NDArray[np.int32]
Floats = NDArray[np.float64]

NAME = "learned"
FORMAT = "moderation-learned-1"

TEXT_ROWS, SIGNAL_ROWS = 1 << 14, 1 << 10
"""Rows of the table for what stands in the text, and behind them those for signals; powers of two."""

UNIT = 4096
"""What one decision adds to a count. Whole numbers, so that what was added can be taken away without a rest."""

HALF_LIFE_DECISIONS, HALF_LIFE_DAYS = 2_000, 180
"""After so many further decisions, and after so many days, a decision counts half."""

FADES_EVERY = 128
"""Steps between two fadings."""

SMOOTHING = 3.0
"""Decisions that each row is thought to have seen before any, in the proportion of all. Of 0.2 to 4 the best over nine
streams of 1,500 decisions (``bench/learning.py``)."""

PRIOR, PRIOR_WEIGHT = (0.0, 1.0, 0.3, 2.0), (1.0, 10.0, 10.0, 2.0)
"""Where the regression starts (constant, words, signals, risk), and how strongly it holds on to that."""

KEPT, USED, RECENT = 600, 500, 100
"""Latest outcomes that are kept (more than are used, so that undoing can give some back), that are used, and that have
to be no worse by themselves."""

FITS_EVERY = 8
"""Decisions between two fits of the regression."""

LEAST_OF_EACH = 5
"""Comments of both kinds, fine and not, before the model says anything."""

LEAST_WEIGHT, MOST_WEIGHT = 0.1, 0.6
"""The most that it may add to the risk: before it has proved anything, and once it has. Below 0.9, from which
``auto_spam`` acts: what was learned alone sends nothing to spam."""

ENOUGH_OF_EACH = 20
"""Comments of both kinds before its weight may be at its most: a handful of decisions proves nothing."""

PROVES_FROM, PROVED_AT = 1.0, 3.0
"""Standard errors by which it has to beat the risk of the other signals: for its weight to grow, and to be at its most.
"""

NOTICED_FROM = 0.05
"""Smaller weights are left out, and so are scores for spam where the probability that it is not fine is below this."""

_MAX_SPANS = 8
_MAX_STORED = 4 << 20
_OUTCOME_FIGURES = 6


class Label(IntEnum):
    """What a decision says of a comment. The order is that of the counts."""

    FINE = 0
    SPAM = 1
    UNWANTED = 2


@dataclass(frozen=True, slots=True)
class Features:
    """What is counted of one comment: rows of its text, rows of its signals, and the risk by all other signals."""

    text: Rows
    signals: Rows
    risk: float


class Prediction(NamedTuple):
    """``by_text`` and ``by_signals``: the sums of log-odds; ``bad``: the probability that it is spam or unwanted."""

    by_text: float
    by_signals: float
    bad: float


class Outcome(NamedTuple):
    """A prediction and what was decided then. ``number``: the step in which it was learned; they are in its order."""

    number: int
    label: int
    risk: float
    by_text: float
    by_signals: float
    bad: float


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a model's log: a decision learned (``sign`` 1) or taken back (-1).

    ``worth``: what it adds to its counts or takes from them; ``halvings``: how much everything fades after it.
    """

    seq: int
    sign: int
    outcome: Outcome
    text: Rows
    signals: Rows
    worth: int = UNIT
    halvings: float = 0.0


class Record(NamedTuple):
    """How the predictions fared over the latest decisions, beside the risk by all other signals at 0.5."""

    decisions: int
    right: int
    risk_right: int


@dataclass(frozen=True)
class Learned:
    """A site's model after the step ``version``. ``taught``: decisions that stand; ``faded``: halvings so far."""

    version: int
    counts: Counts
    totals: tuple[int, int, int] = (0, 0, 0)
    taught: int = 0
    faded: float = 0.0
    outcomes: tuple[Outcome, ...] = ()

    @property
    def name(self) -> str:
        """Its version as a moderator reads it: under one name a site's model gives the same figures."""
        return f"learned-{self.version}"

    @property
    def ready(self) -> bool:
        """Whether it has seen enough comments of both kinds to say anything."""
        fine, *bad = self.totals
        return min(fine, sum(bad)) >= LEAST_OF_EACH * UNIT

    def predict(self, features: Features) -> Prediction:
        """The probability that a comment is not fine, in 0..1."""
        size = len(features.text)
        odds = self._odds(np.concatenate((features.text, features.signals)))
        by_text, by_signals = float(odds[:size].sum()) / math.sqrt(max(size, 1)), float(odds[size:].sum())
        figures = (1.0, by_text, by_signals, features.risk - 0.3)
        return Prediction(by_text, by_signals, _logistic(sum(map(float.__mul__, self.regression, figures))))

    def spam_share(self, features: Features) -> float:
        """Of a comment that is not fine: the probability that it is spam rather than unwanted."""
        _, spam, unwanted = (total / UNIT + 0.5 for total in self.totals)
        odds = _log_odds(self.counts[1, features.text], self.counts[2, features.text], spam, unwanted)
        return _logistic(math.log(spam / unwanted) + float(odds.sum()) / math.sqrt(max(len(features.text), 1)))

    def odds_of(self, word: str) -> float:
        """The log-odds of a word of the matching copy: above 0 it speaks against a comment."""
        return float(self._odds(np.array(_rows_of_word(_plain(word))[:1], np.uint16))[0])

    def shares(self, found: Sequence[str]) -> Floats:
        """What each token adds to the sum for the text; rows that stand in it several times are shared out."""
        each = [_rows_of_word(_plain(token)) for token in found]
        rows = [*(row for of_word in each for row in of_word), *_pair_rows(each)]
        owners = [place for place, of_word in enumerate(each) for _ in of_word]
        times = Counter(rows)
        parts = self._odds(np.array(rows, np.uint16)) / np.array([times[row] for row in rows])
        shares: Floats = np.bincount(owners, parts[: len(owners)], minlength=len(each)).astype(np.float64)
        pairs = parts[len(owners) :] / 2
        shares[:-1] += pairs
        shares[1:] += pairs
        return shares

    @cached_property
    def regression(self) -> tuple[float, ...]:
        """Constant, and weights of the text's sum, the signals' sum and the risk."""
        return _fitted(self.outcomes[: len(self.outcomes) - self.taught % FITS_EVERY][-USED:])

    @cached_property
    def proof(self) -> float:
        """By how many standard errors its predictions beat the risk of the other signals, over the latest outcomes.

        Where they are clearly worse over the latest hundred alone, these count: better days excuse nothing.
        """
        whole, recent = _advantage(self.outcomes[-USED:]), _advantage(self.outcomes[-RECENT:])
        return recent if recent < -PROVES_FROM else whole

    @cached_property
    def cap(self) -> float:
        """The most that it adds to the risk, by its proof; it takes away at most half of that.

        It grows in full once there were ``ENOUGH_OF_EACH`` comments of both kinds.
        """
        bad = sum(outcome.label != Label.FINE for outcome in self.outcomes[-USED:])
        seen = min(bad, len(self.outcomes[-USED:]) - bad) / ENOUGH_OF_EACH
        share = min(1.0, seen) * min(1.0, max(0.0, (self.proof - PROVES_FROM) / (PROVED_AT - PROVES_FROM)))
        return round(LEAST_WEIGHT + (MOST_WEIGHT - LEAST_WEIGHT) * share, 4)

    def record(self, latest: int) -> Record:
        """How the predictions before the ``latest`` decisions (at most 500) fared."""
        seen = self.outcomes[-min(latest, USED) :]
        right = sum((o.bad >= 0.5) is (o.label != Label.FINE) for o in seen)
        return Record(len(seen), right, sum((o.risk >= 0.5) is (o.label != Label.FINE) for o in seen))

    def after(self, steps: Iterable[Step]) -> "Learned":
        """The model after further steps, in the order of their ``seq``."""
        steps = list(steps)
        if not steps:
            return self
        counts, totals, outcomes = self.counts.copy(), list(self.totals), list(self.outcomes)
        faded = self.faded
        for step in steps:
            label, worth = step.outcome.label, step.sign * step.worth
            for rows in (step.text, step.signals):
                counts[label, rows] = np.maximum(counts[label, rows] + worth, 0)
            totals[label] = max(0, totals[label] + worth)
            _note(outcomes, step)
            if step.halvings:
                kept = _kept(step.halvings)
                counts[:] = (counts.astype(np.int64) * kept) >> 16
                totals = [total * kept >> 16 for total in totals]
                faded += step.halvings
        taught = max(0, self.taught + sum(step.sign for step in steps))
        return Learned(steps[-1].seq, counts, (totals[0], totals[1], totals[2]), taught, faded, tuple(outcomes[-KEPT:]))

    def _odds(self, rows: Rows) -> Floats:
        fine, spam, unwanted = (total / UNIT for total in self.totals)
        counted = self.counts[:, rows]
        return _log_odds(counted[1] + counted[2], counted[0], spam + unwanted + 1, fine + 1)


def nothing() -> Learned:
    """The model of a site that has learned nothing."""
    return Learned(0, np.zeros((len(Label), TEXT_ROWS + SIGNAL_ROWS), np.int32))


UNUSABLE = Learned(-1, np.zeros((len(Label), 0), np.int32))
"""Stands for a model that is there and cannot be read: its signal is unavailable."""


def step_of(model: Learned, seq: int, label: Label, features: Features) -> Step:
    """The step that learns one decision, with what ``model`` would have said."""
    outcome = Outcome(seq, int(label), features.risk, *model.predict(features))
    return Step(seq, 1, outcome, features.text, features.signals)


def taking_back(step: Step, seq: int, faded_since: float) -> Step:
    """The step that undoes ``step`` (or redoes what took it back), after further ``faded_since`` halvings."""
    return replace(step, seq=seq, sign=-step.sign, worth=round(step.worth * 2**-faded_since), halvings=0.0)


def halvings_due(seq: int, days: float) -> float:
    """By how much everything fades after the step ``seq``, ``days`` after the last time; mostly 0."""
    if seq % FADES_EVERY:
        return 0.0
    return FADES_EVERY / HALF_LIFE_DECISIONS + max(0.0, days) / HALF_LIFE_DAYS


# --- features --------------------------------------------------------------------------------------------------------


def features_of(folded: Folded, links: Sequence[str], author_url: str | None, said: Iterable[Signal]) -> Features:
    """What is counted of a comment. ``said``: the signals; what was learned is not itself learned from."""
    each = [_rows_of_word(_plain(token)) for token in words(folded.text)]
    rows = {row for of_word in each for row in of_word}
    rows.update(_pair_rows(each))
    rows.update(_row(f"@{host}") for host in _hosts(links, author_url))
    others = [signal for signal in said if signal.name != NAME]
    return Features(_sorted_rows(rows), _sorted_rows(set(_signal_rows(others))), risk_of(others))


def risk_of(said: Iterable[Signal]) -> float:
    """The risk by all signals but this one, in 0..1."""
    total = sum(signal.weight for signal in said if signal.available and signal.name != NAME)
    return round(min(1.0, max(0.0, total)), 4)


def _plain(token: str) -> str:
    """Any link as one word, any number by its length. Not the trained model's way of it: counts outlive that."""
    if token.startswith(("http:", "https:", "www.")):
        return "<link>"
    return f"<{len(token)} digits>" if token.isdecimal() else token


@lru_cache(maxsize=8_192)
def _rows_of_word(word: str) -> tuple[int, ...]:
    """The rows of a word, and of its beginning and ending where it is long enough to have some."""
    word = word[:MAX_WORD_CHARS]
    if len(word) <= 4 or word[0] == "<":
        return (_row(word),)
    return _row(word), _row(f"{word[:4]}-"), _row(f"-{word[-4:]}")


def _row(gram: str) -> int:
    return crc32(gram.encode("utf-8", "replace")) & (TEXT_ROWS - 1)


def _pair_rows(each: Sequence[tuple[int, ...]]) -> list[int]:
    numbers = [of_word[0] for of_word in each]
    return [(a * 31 + (b >> 7) + b * 8) & (TEXT_ROWS - 1) for a, b in pairwise(numbers)]


def _hosts(links: Sequence[str], author_url: str | None) -> set[str]:
    given = [*links[:50], *([author_url] if author_url else [])]
    return {host_of(safe) for url in given if (safe := safe_url(url))}


def _signal_rows(said: Iterable[Signal]) -> Iterable[int]:
    """Each noticed signal with its weight in fifths, and each attribute's score in tenths.

    Not the score for spam: this signal has a say in it, and would come to hear itself.
    """
    scores: dict[str, float] = {}
    for signal in said:
        if not signal.available:
            yield _signal_row(f"{signal.name} unavailable")
        elif signal.weight:
            yield _signal_row(f"{signal.name} {round(signal.weight * 5)}")
        for name, score in signal.scores.items():
            if name != "spam":
                scores[name] = max(score, scores.get(name, 0.0))
    for name, score in scores.items():
        yield _signal_row(f"{name} {int(score * 10) if score >= 0.1 else 'low' if score >= 0.03 else 'none'}")


@lru_cache(maxsize=1_024)
def _signal_row(text: str) -> int:
    return TEXT_ROWS + (crc32(text.encode()) & (SIGNAL_ROWS - 1))


def _sorted_rows(rows: set[int]) -> Rows:
    return np.array(sorted(rows), np.uint16)


# --- the signal ------------------------------------------------------------------------------------------------------


def judge(
    model: Learned | None, folded: Folded, links: Sequence[str], author_url: str | None, said: Sequence[Signal]
) -> Signal:
    """What the site's decisions say of a comment, once all other signals have been heard.

    The weight leads from their risk towards the probability that was learned, at most ``cap`` upwards and half of it
    downwards; never downwards where a signal forces something. Until it has proved itself, it only speaks against what
    it holds to be more likely bad than not. Weight below 0 never approves a comment by itself.
    """
    if model is None:
        return Signal(NAME)
    if model is UNUSABLE:
        return Signal(NAME, available=False)
    if not model.ready:
        return Signal(NAME)
    features = features_of(folded, links, author_url, said)
    bad = model.predict(features).bad
    forced = any(signal.forces for signal in said)
    most = model.cap if bad >= 0.5 or model.cap > LEAST_WEIGHT else 0.0
    weight = round(min(max(bad - features.risk, 0.0 if forced else -model.cap / 2), most), 4)
    scores: dict[str, float] = {}
    if bad >= NOTICED_FROM:
        scores["spam"] = round(bad * model.spam_share(features) * model.cap / MOST_WEIGHT, 4)
    if abs(weight) < NOTICED_FROM:
        return Signal(NAME, scores=scores)
    return Signal(NAME, weight, (_evidence(model, folded, weight > 0),), scores, approves=False)


def _evidence(model: Learned, folded: Folded, against: bool) -> Evidence:
    """One sentence, and the words that speak most against a comment, by their shares."""
    spans = _strongest(model, folded) if against else ()
    what = f"against it: {'these words' if spans else 'what was noticed of it'}" if against else "for it"
    record = model.record(100)
    source = f"{model.name}: {model.taught} decisions, right in {record.right} of the last {record.decisions}"
    return Evidence(f"This site's decisions speak {what} ({source}).", spans)


def _strongest(model: Learned, folded: Folded) -> tuple[Span, ...]:
    found = tokens(folded.text)
    shares = model.shares([token.text for token in found])
    total = float(np.maximum(shares, 0).sum())
    strongest = sorted(map(int, np.argsort(-shares, kind="stable")[:_MAX_SPANS]))
    return folded.spans(found[at][1:] for at in strongest if shares[at] > max(0.05 * total, 0.1))


# --- what it learned, in words ---------------------------------------------------------------------------------------

_PRIVATE = re.compile(r"\S*[@\d]\S*|https?://\S+|www\.\S+", re.IGNORECASE)
_SHOWN_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|')+")


def shown_words(folded: Folded) -> set[str]:
    """The words of a text that may be shown in a list: no link, address or mention, and nothing with a digit in it."""
    return {word for word in words(_PRIVATE.sub(" ", folded.text)) if len(word) <= 24 and _SHOWN_WORD.fullmatch(word)}


# --- keeping ---------------------------------------------------------------------------------------------------------


def as_json(model: Learned) -> dict[str, Any]:
    """The model as plain JSON: what ``from_json`` reads."""
    outcomes = np.array(model.outcomes, "<f8").reshape(-1, _OUTCOME_FIGURES)
    return {
        "format": FORMAT,
        "version": model.version,
        "taught": model.taught,
        "faded": model.faded,
        "totals": list(model.totals),
        "counts": _packed(model.counts.astype("<i4").tobytes()),
        "outcomes": _packed(outcomes.tobytes()),
    }


def from_json(stored: Mapping[str, Any]) -> Learned:
    """The model from its JSON. Raises ``Invalid`` for anything that ``as_json`` cannot have written."""
    try:
        if stored["format"] != FORMAT:
            raise ValueError("another format")
        counts = np.frombuffer(_unpacked(stored["counts"]), "<i4").reshape(len(Label), TEXT_ROWS + SIGNAL_ROWS)
        figures = np.frombuffer(_unpacked(stored["outcomes"]), "<f8").reshape(-1, _OUTCOME_FIGURES)
        fine, spam, unwanted = (int(total) for total in stored["totals"])
        outcomes = tuple(Outcome(int(row[0]), int(row[1]), *map(float, row[2:])) for row in figures)
        model = Learned(
            int(stored["version"]),
            counts.astype(np.int32),
            (fine, spam, unwanted),
            int(stored["taught"]),
            float(stored["faded"]),
            outcomes,
        )
        _check(model)
    except (KeyError, TypeError, ValueError, OverflowError, zlib.error) as error:
        raise Invalid({"file": ["It is not what 'learned export' writes."]}) from error
    return model


def _check(model: Learned) -> None:
    figures = np.array(model.outcomes, np.float64).reshape(-1, _OUTCOME_FIGURES)
    labels, chances = figures[:, 1], figures[:, [2, 5]]
    sound = (
        min(model.totals) >= 0
        and max(model.totals) < 2**28
        and 0 <= model.taught < 2**31
        and 0 <= model.version < 2**62
        and 0 <= model.faded < 1e6
        and int(model.counts.min()) >= 0
        and int(model.counts.max()) <= max(model.totals) + KEPT * UNIT
        and len(model.outcomes) <= KEPT
        and bool(np.isfinite(figures).all())
        and bool(np.isin(labels, list(Label)).all())
        and bool(((chances >= 0) & (chances <= 1)).all())
    )
    if not sound:
        raise ValueError("figures out of range")


def _packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 1)).decode("ascii")


def _unpacked(packed: str) -> bytes:
    """The bytes again; a text that would unfold beyond all measure raises ``ValueError``."""
    reader = zlib.decompressobj()
    raw = reader.decompress(base64.b64decode(packed, validate=True), _MAX_STORED)
    if reader.unconsumed_tail or not reader.eof:
        raise ValueError("too long, or cut off")
    return raw


# --- figures ---------------------------------------------------------------------------------------------------------


def _log_odds(these: Counts, those: Counts, of_these: float, of_those: float) -> Floats:
    """How much likelier each row is in these comments than in those, as a logarithm, smoothed."""
    share = of_these / (of_these + of_those)
    high, low = these / UNIT + 2 * SMOOTHING * share, those / UNIT + 2 * SMOOTHING * (1 - share)
    odds: Floats = np.log(high / low) - math.log(of_these / of_those)
    return odds


def _note(outcomes: list[Outcome], step: Step) -> None:
    """Put the step's outcome in, by its number, or take it out."""
    if step.sign > 0:
        insort(outcomes, step.outcome, key=lambda outcome: outcome.number)
        return
    for place in range(len(outcomes) - 1, -1, -1):
        if outcomes[place].number == step.outcome.number:
            del outcomes[place]
            return


def _advantage(outcomes: Sequence[Outcome]) -> float:
    """By how many standard errors predictions were right more often than the risk at 0.5.

    Fine comments and others count alike, however many there were of each: who calls everything spam proves nothing.
    Each kind's difference has McNemar's variance (Psychometrika 1947), with one more comment that it may depend on.
    """
    gain, variance = 0.0, 0.0
    for bad in (False, True):
        # Only where they differ, one of the two was right.
        kind = [(o.bad >= 0.5, o.risk >= 0.5) for o in outcomes if (o.label != Label.FINE) is bad]
        differ = [said is bad for said, risk in kind if said is not risk]
        gain += (2 * sum(differ) - len(differ)) / (len(kind) + 1)
        variance += (len(differ) + 1) / (len(kind) + 1) ** 2
    return gain / math.sqrt(variance)


def _kept(halvings: float) -> int:
    """What is left of 65,536."""
    return round(2 ** (16 - halvings))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-min(max(value, -30.0), 30.0)))


@lru_cache(maxsize=64)
def _fitted(outcomes: tuple[Outcome, ...]) -> tuple[float, ...]:
    """Logistic regression with a Gaussian prior, by at most six damped Newton steps. Kept for the models in use."""
    prior, weight = np.array(PRIOR), np.array(PRIOR_WEIGHT)
    if not outcomes:
        return PRIOR
    rows = np.array([(1.0, o.by_text, o.by_signals, o.risk - 0.3) for o in outcomes])
    bad = np.array([float(o.label != Label.FINE) for o in outcomes])

    def loss(at: Floats) -> float:
        sums = rows @ at
        return float(np.logaddexp(0, sums).sum() - bad @ sums + 0.5 * ((at - prior) ** 2 @ weight))

    here, best = prior, loss(prior)
    for _ in range(6):
        chance = 1 / (1 + np.exp(-np.clip(rows @ here, -30, 30)))
        slope = rows.T @ (chance - bad) + weight * (here - prior)
        bend = (rows * (chance * (1 - chance))[:, None]).T @ rows + np.diag(weight)
        move = np.linalg.solve(bend, slope)
        there, found = _damped(loss, here, move, best)
        if found >= best:
            break
        here, best = there, found
    return tuple(float(value) for value in here)


def _damped(loss: Any, here: Floats, move: Floats, best: float) -> tuple[Floats, float]:
    """A Newton step, halved until it does not make things worse."""
    for size in (1.0, 0.5, 0.25, 0.125):
        there: Floats = here - size * move
        found = loss(there)
        if found <= best:
            return there, found
    return here, best
