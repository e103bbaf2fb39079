"""THE LIST of signals: what is noticed about a comment, in order, and what each costs. Read it and you know the policy.

Each signal gets the facts it needs and no more, says what it found in words for a moderator, and adds a weight to the
risk; ``moderation.domain.policy.decide`` does the rest. A signal that fails is "unavailable", and the comment is held.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import structlog

from moderation.domain.policy import Signal, Span, is_usable
from moderation.domain.proof import Proof
from moderation.scoring import attributes, automod, behaviour, foreign, learned, links, perspective, repeats, words
from moderation.scoring.automod import Automod
from moderation.scoring.behaviour import Record
from moderation.scoring.folding import Folded, fold
from moderation.scoring.languages import UNKNOWN, language_of
from moderation.scoring.learned import Learned
from moderation.scoring.repeats import Earlier
from moderation.scoring.words import NO_RULES, Rules

__all__ = ["OF_TEXT", "SIGNALS", "Candidate", "Earlier", "Pipeline", "Record", "Rules"]

_DOUBTFUL = "Ceci est une phrase."
"""A text that is plainly no English, so that what tells the others is read."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """All facts about a comment that is to be judged. Gathering them is the caller's; judging needs nothing else.

    ``body`` is the normalised source; ``links`` the absolute ones of the final HTML, in order; ``record`` None unless
    a signed token proves the author; ``network_recent`` the comments of this network in the last ten minutes;
    ``ip_network`` truncated (``203.0.113.0/24``), empty where unknown; ``language`` by ISO 639-1, None where unknown;
    ``automod`` the site's rules in YAML; ``reports`` by readers, where an edit is judged; ``learned`` what the site's
    decisions taught; ``raid``: the site is under a raid and nobody known wrote this; ``proof`` of work, where one was
    asked for.
    """

    body: str
    author_name: str = ""
    author_url: str | None = None
    links: Sequence[str] = ()
    email_domain: str | None = None
    filled_in_ms: int | None = None
    honeypot: bool = False
    record: Record | None = None
    network_recent: int = 0
    identical: Sequence[Earlier] = ()
    similar: Sequence[Earlier] = ()
    ip_network: str = ""
    rules: Rules = NO_RULES
    language: str | None = None
    automod: Automod | None = None
    is_top_level: bool = True
    is_edited: bool = False
    reports: int = 0
    learned: Learned | None = None
    raid: bool = False
    proof: Proof | None = None


class Case:
    """A candidate, with what several signals share: its folded copy, its language, the word list and the models."""

    def __init__(
        self,
        candidate: Candidate,
        listed: words.Profanity,
        model: attributes.Model | None = None,
        others: Mapping[str, foreign.Model] | None = None,
    ) -> None:
        self.facts = candidate
        self.listed = listed
        self.model = model
        self.others = others or {}

    @cached_property
    def body(self) -> Folded:
        """The body and its matching copy."""
        return fold(self.facts.body)

    @cached_property
    def language(self) -> str:
        """The language of the body: an ISO 639-1 code, or "und" where it cannot be told; see ``languages.py``."""
        return self.facts.language or language_of(self.body)

    @cached_property
    def language_of_rules(self) -> str:
        """The same for rules that are made for one language: where telling it fails, all of them count."""
        try:
            return self.language
        except Exception as error:  # noqa: BLE001 - the signal of the model is unavailable then; words still work
            _log.error("language_failed", error=type(error).__name__)
            return UNKNOWN

    def asked_by_rules(self) -> automod.Facts:
        """What rules in YAML may ask about."""
        facts = self.facts
        return automod.Facts(
            body=self.body,
            author_name=facts.author_name,
            author_url=facts.author_url,
            links=facts.links,
            record=facts.record,
            is_top_level=facts.is_top_level,
            is_edited=facts.is_edited,
            reports=facts.reports,
        )


class Step(NamedTuple):
    """A signal in THE LIST. ``cost``: median time for 300 characters of ordinary English, one thread."""

    name: str
    judge: Callable[[Case], Signal]
    cost: str


SIGNALS = (
    # What the text says.
    Step("profanity", lambda c: words.profanity(c.listed, c.body, c.facts.rules, c.language_of_rules), "18 µs"),
    Step(
        "site_words",
        lambda c: words.site_words(c.body, c.facts.rules, c.language_of_rules),
        "1 µs; 4 µs with 200 words, 12 µs with lists of 50,000",
    ),
    Step(
        "site_patterns",
        lambda c: words.site_patterns(c.body, c.facts.rules, c.language_of_rules),
        "1 µs, and 2 µs a pattern",
    ),
    # Gives all seven scores for English, toxicity alone for German and Portuguese. Unavailable for texts in another
    # language or script, or with no usable model on the disk.
    Step(
        "attributes",
        lambda c: foreign.judge(c.model, c.others, c.language, c.body, len(c.facts.links)),
        "120 µs; sentence by sentence 160 µs; with evidence 300 µs; to tell the language 4 µs, where in doubt 60 µs",
    ),
    # Where it leads.
    Step("links", lambda c: links.links(c.facts.body, c.facts.links, c.facts.author_url), "2 µs; 21 µs with a link"),
    Step(
        "site_domains",
        lambda c: links.site_domains(c.facts.links, c.facts.author_url, c.facts.email_domain, c.facts.rules),
        "1 µs; 7 µs with a link and listed domains",
    ),
    Step(
        "repeats",
        lambda c: repeats.repeats(c.facts.body, c.facts.identical, c.facts.similar),
        "2 µs; the fingerprint, made before: 30 µs",
    ),
    # How it was sent, and by whom.
    Step("honeypot", lambda c: behaviour.honeypot(c.facts.honeypot), "1 µs"),
    Step("filled_too_fast", lambda c: behaviour.filled_too_fast(c.facts.body, c.facts.filled_in_ms), "1 µs"),
    Step("burst", lambda c: behaviour.burst(c.facts.network_recent), "1 µs"),
    Step("raid", lambda c: behaviour.raid(c.facts.raid), "0.3 µs"),
    Step("proof_of_work", lambda c: behaviour.proof_of_work(c.facts.proof), "0.3 µs"),
    Step("site_authors", lambda c: words.site_authors(c.facts.author_name, c.facts.rules), "1 µs"),
    Step(
        "site_networks",
        lambda c: words.site_networks(c.facts.ip_network, c.facts.rules),
        "1 µs; 4 µs with listed networks",
    ),
    # All of these at once, by the site's rules in YAML.
    Step("automod", lambda c: automod.judge(c.facts.automod, c.asked_by_rules), "0.3 µs; 5 µs, and 4 µs a rule"),
    Step("record", lambda c: behaviour.record(c.facts.record), "1 µs; 3 µs with a record"),
)
"""THE LIST."""

OF_TEXT = frozenset({"profanity", "attributes", "links"})
"""The signals that rest on what is stored of a comment alone (text, links, website), so that it can be judged again by
them; what the others said of it stays."""


RULE_SIGNALS = frozenset({"site_words", "site_patterns", "site_domains", "site_authors", "site_networks", "automod"})
"""Those that say what the site's own rules say."""


class LastStep(NamedTuple):
    """A signal that is judged last, since it hears what all others said."""

    name: str
    judge: Callable[[Case, Sequence[Signal]], Signal]
    cost: str


LAST = LastStep(
    "learned",
    lambda c, said: learned.judge(c.facts.learned, c.body, c.facts.links, c.facts.author_url, said),
    "1 µs before the site's decisions taught something; then 100 µs, with evidence 250 µs",
)
"""The end of THE LIST: what this site's own decisions taught."""


class Pipeline:
    """Runs THE LIST. Made once; safe to share between threads."""

    def __init__(self, signals: Sequence[Step] = SIGNALS) -> None:
        self._signals = tuple(signals)
        self._without_rules = tuple(step for step in self._signals if step.name not in RULE_SIGNALS)
        self._listed = words.Profanity()
        self._model = attributes.shipped()
        self._others = foreign.shipped()

    @property
    def version(self) -> str:
        """Changes whenever the same comment may be judged differently; stored with what was judged."""
        others = "".join(f"+{language}-{model.version}" for language, model in self._others.items())
        return f"signals-3{others}+{self._model.version if self._model else 'no-model'}"

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The score from which each attribute counts as found; empty without a model."""
        return self._model.thresholds if self._model else {}

    def prepare(self) -> None:
        """Read now what is otherwise read with the first text that needs it: for a process that forks. Never raises."""
        self.language(_DOUBTFUL)

    def language(self, body: str) -> str:
        """The language of a text: an ISO 639-1 code, or "und" where it cannot be told. Never raises."""
        try:
            return language_of(fold(body))
        except Exception as error:  # noqa: BLE001 - the signal that needs the language is unavailable then
            _log.error("language_failed", error=type(error).__name__)
            return UNKNOWN

    def signals(self, candidate: Candidate, only: Collection[str] | None = None) -> tuple[Signal, ...]:
        """What is noticed about a comment, in the order of THE LIST, or by the signals named ``only``. Never raises.

        Left out are signals that found nothing and score nothing. One that raises, or whose numbers or spans make no
        sense, is there as unavailable.
        """
        case = Case(candidate, self._listed, self._model, self._others)
        ruled = candidate.rules is not NO_RULES or candidate.automod is not None
        steps: Sequence[Step] = self._signals if ruled else self._without_rules
        if only is not None:
            steps = [step for step in steps if step.name in only]
        asked = [_judge(step, case) for step in steps]
        said = [signal for signal in asked if signal is not None]
        if candidate.learned is not None and (only is None or LAST.name in only):
            last = _judge(Step(LAST.name, lambda c: LAST.judge(c, said), LAST.cost), case)
            said += [last] if last is not None else []
        return tuple(said)

    def attributes_of(self, candidate: Candidate, names: Collection[str]) -> dict[str, float] | None:
        """Attributes of Perspective's (``scoring/perspective.py``) that the candidate's language supports.

        None where the trained model cannot judge the text. Raises ``Bug`` where the weights cannot be used.
        """
        said = self.signals(candidate, {"attributes"})
        if not (said and said[0].available):
            return None
        language, folded = candidate.language or UNKNOWN, fold(candidate.body)
        return perspective.scores_of(perspective.shipped(), self._listed, names, language, folded, said[0].scores)

    def signals_of_text(self, candidate: Candidate) -> tuple[Signal, ...]:
        """The same of those signals alone that a stored comment can be judged by again."""
        return self.signals(candidate, OF_TEXT)


def _judge(step: Step, case: Case) -> Signal | None:
    """What a signal says; None where it found nothing and scores nothing."""
    try:
        signal = step.judge(case)
        if not (signal.weight or signal.evidence or signal.scores or signal.forces):
            return None if signal.available else signal
        if signal.available and not (is_usable(signal) and _fits(signal, len(case.facts.body))):
            raise ValueError("A weight, score or span out of range.")
    except Exception as error:  # noqa: BLE001 - whatever it is, one signal must not lose a reader's comment
        _log.error("signal_failed", signal=step.name, error=type(error).__name__)
        return Signal(step.name, available=False)
    return signal


def _fits(signal: Signal, length: int) -> bool:
    if not signal.evidence:
        return True
    spans: list[Span] = [span for evidence in signal.evidence for span in evidence.spans]
    return all(0 <= span.start <= span.end <= length for span in spans)
