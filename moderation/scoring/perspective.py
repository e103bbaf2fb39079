"""Perspective's attributes, from what we know of a text: our seven scores and a few traits, by a small linear model.

Its weights were fitted to 1,000 texts that Perspective itself had scored (``training/perspective.py``), so that a
threshold that somebody chose for Perspective means about the same here; ``bench/perspective_agreement.py`` measures how
well each attribute agrees on texts that neither these weights nor the trained model had seen. Two attributes are not
fitted: ``SPAM`` is our own score, and ``LIKELY_TO_REJECT`` gives way to what a site's decisions taught, once they
taught enough.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from moderation.domain.policy import ATTRIBUTES as SCORES
from moderation.errors import Bug
from moderation.scoring.attributes import FOLDER
from moderation.scoring.folding import Folded
from moderation.scoring.languages import ENGLISH, GERMAN, PORTUGUESE, UNKNOWN
from moderation.scoring.tokens import words
from moderation.scoring.words import OFTEN_HARMLESS, Profanity

FILE = "perspective.json"
"""The weights, beside the trained model."""

FITTED = (
    "TOXICITY",
    "SEVERE_TOXICITY",
    "IDENTITY_ATTACK",
    "INSULT",
    "PROFANITY",
    "THREAT",
    "SEXUALLY_EXPLICIT",
    "FLIRTATION",
    "ATTACK_ON_AUTHOR",
    "ATTACK_ON_COMMENTER",
    "INCOHERENT",
    "INFLAMMATORY",
    "LIKELY_TO_REJECT",
    "OBSCENE",
    "UNSUBSTANTIAL",
)
"""What the linear model gives."""

SPAM, LIKELY_TO_REJECT = "SPAM", "LIKELY_TO_REJECT"
ALIKE = {f"{name}_EXPERIMENTAL": name for name in FITTED[:6]} | {"TOXICITY_FAST": "TOXICITY"}
"""Other names for the same."""

ATTRIBUTES = (*FITTED, SPAM, *ALIKE)
"""Every name that may be asked for."""

LANGUAGES = (ENGLISH, GERMAN, PORTUGUESE)
"""What toxicity is scored in; the other attributes are there for English alone."""

IN_ALL_LANGUAGES = frozenset({"TOXICITY", LIKELY_TO_REJECT})

MAX_SENTENCES = 100
"""Parts that a text is cut into at most; of more sentences several make one part."""

_VERSION = re.compile(r"@[0-9]{1,4}\Z")
# A row of stops is tried from its first alone, or time would be quadratic.
_SENTENCE_ENDS = re.compile(r"(?<![.!?\u2026\u3002])[.!?\u2026\u3002]++[\"'\u201d\u2019)\]]*+(?=\s)|\n+")
_FLOOR = 0.003
_MAX_LOGIT = 8.0

_SEXUAL_WORDS = """
sex sexual sexy porn porno nude naked penis vagina dick cock pussy boobs breasts tits anal anus cum sperm orgasm
masturbate masturbation blowjob erotic horny lesbian rape raped slut whore hooker prostitute condom virgin
intercourse genital genitals nipples hump humping fuck fucking fucked sucking suck oral butt fetish threesome escort
testicles erection ejaculate
"""
_TENDER_WORDS = """
love beautiful cute sexy hot gorgeous pretty handsome kiss hug date dating girl girlfriend boyfriend baby babe
honey darling sweet sweetheart marry lonely smile lovely dear crush romance romantic eyes lips xoxo
"""
_VIOLENT_WORDS = """
kill killed killing die died dead death murder shoot shot gun knife stab hurt beat burn hang punch kick destroy
attack war bomb blood hunt revenge threat threaten strangle choke smash execute rot suffer
"""
_SEXUAL, _TENDER, _VIOLENT = (frozenset(listed.split()) for listed in (_SEXUAL_WORDS, _TENDER_WORDS, _VIOLENT_WORDS))
_ADDRESSED = frozenset({"you", "your", "yours", "you're", "youre", "u", "ur"})
_SELF = frozenset({"i", "me", "my", "i'm", "im"})

TRAITS = (
    *SCORES,
    "length",
    "length_squared",
    "capitals",
    "addressed",
    "questions",
    "exclamations",
    "profane_words",
    "mild_words",
    "sexual_words",
    "tender_words",
    "violent_words",
    "self",
    "distinct_words",
    "word_length",
    "sentence_length",
    "link",
    "digits",
)
"""What the linear model looks at: the logits of our scores, and what ``traits`` counts, in this order."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The linear model: for each of ``FITTED`` a constant and one weight for each of ``TRAITS``.

    ``ranges``: the least and the most of each trait in the texts that it was fitted to.
    """

    version: str
    rows: Mapping[str, tuple[float, ...]]
    ranges: tuple[tuple[float, float], ...]

    def within(self, found: Sequence[float]) -> list[float]:
        """The traits of a text, kept to what is known: a line that fits ordinary texts says nothing of others."""
        return [min(max(value, low), high) for value, (low, high) in zip(found, self.ranges, strict=True)]

    def score(self, name: str, found: Sequence[float]) -> float:
        """The score 0..1 of an attribute for traits as ``within`` gives them, as Perspective would scale it."""
        constant, *row = self.rows[name]
        logit = constant + math.fsum(map(float.__mul__, row, found))
        return round(1 / (1 + math.exp(-max(-_MAX_LOGIT, min(_MAX_LOGIT, logit)))), 6)


def known_name(asked: str) -> str | None:
    """The attribute that a requested name stands for, whatever version it names; None for one that is not known."""
    plain = _VERSION.sub("", asked)
    return ALIKE.get(plain, plain) if plain in ATTRIBUTES else None


def supports(name: str, language: str) -> bool:
    """Whether an attribute (as ``known_name`` gives it) is scored in a language; "und" is read as English."""
    if language in (ENGLISH, UNKNOWN):
        return True
    return language in LANGUAGES and name in IN_ALL_LANGUAGES


def scores_of(
    weights: Weights,
    listed: Profanity,
    names: Iterable[str],
    language: str,
    folded: Folded,
    scores: Mapping[str, float],
) -> dict[str, float]:
    """The scores 0..1 of attributes. ``scores``: those of the signal ``attributes`` for this text.

    Call it for attributes that the language supports. In German and Portuguese they are that model's toxicity.
    """
    if language not in (ENGLISH, UNKNOWN):
        return dict.fromkeys(names, scores["toxicity"])
    found = weights.within(traits(listed, folded, scores))
    return {name: scores["spam"] if name == SPAM else weights.score(name, found) for name in names}


def traits(listed: Profanity, folded: Folded, scores: Mapping[str, float]) -> list[float]:
    """The figures of a text, in the order of ``TRAITS``."""
    source, found = folded.source, words(folded.text)
    count, letters = max(len(found), 1), [char for char in source if char.isalpha()]
    hits = [hit.word for hit in listed.hits(source)]
    mild = sum(word in OFTEN_HARMLESS for word in hits)
    length = math.log1p(len(found))
    return [
        *(_logit(scores[name]) for name in SCORES),
        length,
        length**2 / 5,
        sum(map(str.isupper, letters)) / max(len(letters), 1),
        min(1.0, _share(_ADDRESSED, found) * 5),
        math.log1p(source.count("?")),
        math.log1p(source.count("!")),
        math.log1p(len(hits) - mild),
        math.log1p(mild),
        *(math.log1p(sum(map(known.__contains__, found))) for known in (_SEXUAL, _TENDER, _VIOLENT)),
        _share(_SELF, found) * 5,
        len(set(found)) / count,
        sum(map(len, found)) / count / 5,
        math.log1p(len(found) / len(sentences(source) or (1,))),
        float("http" in folded.text or "www." in folded.text),
        sum(map(str.isdigit, source)) / max(len(source), 1),
    ]


def sentences(text: str) -> list[tuple[int, int]]:
    """The places of a text's sentences, without the blanks between them; at most ``MAX_SENTENCES`` parts."""
    ends = [0, *(match.end() for match in _SENTENCE_ENDS.finditer(text)), len(text)]
    found = [place for start, end in pairwise(ends) if (place := _trimmed(text, start, end))]
    together = -(-len(found) // MAX_SENTENCES)
    if together <= 1:
        return found
    groups = [found[at : at + together] for at in range(0, len(found), together)]
    return [(group[0][0], group[-1][1]) for group in groups]


@cache
def shipped() -> Weights:
    """The weights that come with the package. Raises ``Bug`` where they are missing or damaged."""
    try:
        stored = json.loads((FOLDER / FILE).read_text(encoding="utf-8"))
        rows = {name: tuple(map(float, stored["weights"][name])) for name in FITTED}
        ranges = tuple((float(low), float(high)) for low, high in stored["ranges"])
        if tuple(stored["traits"]) != TRAITS or len(ranges) != len(TRAITS) or not all(map(_is_whole, rows.values())):
            raise ValueError("not the weights for these traits")
        return Weights(str(stored["version"]), rows, ranges)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Bug(f"The weights of Perspective's attributes cannot be used ({type(error).__name__}).") from error


def _is_whole(row: Sequence[float]) -> bool:
    return len(row) == len(TRAITS) + 1 and all(map(math.isfinite, row))


def _logit(score: float) -> float:
    kept = min(max(score, _FLOOR), 1 - _FLOOR)
    return math.log(kept / (1 - kept))


def _share(known: frozenset[str], found: Sequence[str]) -> float:
    return sum(map(known.__contains__, found)) / max(len(found), 1)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return (start + left, start + len(part.rstrip())) if left < len(part) else None
