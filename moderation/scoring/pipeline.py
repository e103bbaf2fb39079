"""THE LIST of signals: what is noticed about a comment, in order, and what each costs. Read it and you know the policy.

Each signal gets the facts it needs and no more, says what it found in words for a moderator, and adds a weight to the
risk; ``moderation.domain.policy.decide`` does the rest. A signal that fails is "unavailable", and the comment is held.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import structlog

from moderation.domain.policy import Signal, Span, is_usable, noticed
from moderation.scoring import attributes, behaviour, learned, links, repeats, words
from moderation.scoring.behaviour import Record
from moderation.scoring.folding import Folded, fold
from moderation.scoring.learned import Learned
from moderation.scoring.repeats import Earlier
from moderation.scoring.words import NO_RULES, Rules

__all__ = ["SIGNALS", "Candidate", "Earlier", "Pipeline", "Record", "Rules"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """All facts about a comment that is to be judged. Gathering them is the caller's; judging needs nothing else.

    ``body`` is the normalised source; ``links`` the absolute ones of the final HTML, in order; ``record`` None unless
    a signed token proves the author; ``network_recent`` the comments of this network in the last ten minutes;
    ``ip_network`` truncated (``203.0.113.0/24``), empty where unknown; ``learned`` what the site's decisions taught.
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
    learned: Learned | None = None


class Case:
    """A candidate, with what several signals share: its folded copy, the loaded word list and the trained model."""

    def __init__(self, candidate: Candidate, listed: words.Profanity, model: attributes.Model | None = None) -> None:
        self.facts = candidate
        self.listed = listed
        self.model = model

    @cached_property
    def body(self) -> Folded:
        """The body and its matching copy."""
        return fold(self.facts.body)


class Step(NamedTuple):
    """A signal in THE LIST. ``cost``: median time for 300 characters of ordinary English, one thread."""

    name: str
    judge: Callable[[Case], Signal]
    cost: str


SIGNALS = (
    # What the text says.
    Step("profanity", lambda c: words.profanity(c.listed, c.body, c.facts.rules), "50 µs"),
    Step("site_words", lambda c: words.site_words(c.body, c.facts.rules), "10 µs with 200 words"),
    Step("site_patterns", lambda c: words.site_patterns(c.body, c.facts.rules), "5 µs, and 2 µs a pattern"),
    # Gives all seven scores. Unavailable for texts in another script than Latin, or with no usable model on the disk.
    Step("attributes", lambda c: attributes.judge(c.model, c.body, len(c.facts.links)), "200 µs; with evidence 600 µs"),
    # Where it leads.
    Step("links", lambda c: links.links(c.facts.body, c.facts.links, c.facts.author_url), "15 µs with a link"),
    Step(
        "site_domains",
        lambda c: links.site_domains(c.facts.links, c.facts.author_url, c.facts.email_domain, c.facts.rules),
        "20 µs with a link",
    ),
    Step(
        "repeats",
        lambda c: repeats.repeats(c.facts.body, c.facts.identical, c.facts.similar),
        "2 µs; the fingerprint, made before: 200 µs",
    ),
    # How it was sent, and by whom.
    Step("honeypot", lambda c: behaviour.honeypot(c.facts.honeypot), "1 µs"),
    Step("filled_too_fast", lambda c: behaviour.filled_too_fast(c.facts.body, c.facts.filled_in_ms), "2 µs"),
    Step("burst", lambda c: behaviour.burst(c.facts.network_recent), "1 µs"),
    Step("site_authors", lambda c: words.site_authors(c.facts.author_name, c.facts.rules), "4 µs"),
    Step("site_networks", lambda c: words.site_networks(c.facts.ip_network, c.facts.rules), "9 µs with a network"),
    Step("record", lambda c: behaviour.record(c.facts.record), "3 µs"),
)
"""THE LIST."""


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
        self._listed = words.Profanity()
        self._model = attributes.shipped()

    @property
    def version(self) -> str:
        """Changes whenever the same comment may be judged differently; stored with what was judged."""
        return f"signals-3+{self._model.version if self._model else 'no-model'}"

    def signals(self, candidate: Candidate) -> tuple[Signal, ...]:
        """What is noticed about a comment, in the order of THE LIST. Never raises.

        Left out are signals that found nothing and score nothing. One that raises, or whose numbers or spans make no
        sense, is there as unavailable.
        """
        case = Case(candidate, self._listed, self._model)
        judged = [_judge(step, case) for step in self._signals]
        judged.append(_judge(Step(LAST.name, lambda c: LAST.judge(c, judged), LAST.cost), case))
        return tuple(signal for signal in judged if noticed(signal) or signal.scores)


def _judge(step: Step, case: Case) -> Signal:
    try:
        signal = step.judge(case)
        if signal.available and not (is_usable(signal) and _fits(signal, len(case.facts.body))):
            raise ValueError("A weight, score or span out of range.")
    except Exception as error:  # noqa: BLE001 - whatever it is, one signal must not lose a reader's comment
        _log.error("signal_failed", signal=step.name, error=type(error).__name__)
        return Signal(step.name, available=False)
    return signal


def _fits(signal: Signal, length: int) -> bool:
    spans: list[Span] = [span for evidence in signal.evidence for span in evidence.spans]
    return all(0 <= span.start <= span.end <= length for span in spans)
