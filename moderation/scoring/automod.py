"""Rules in the form of AutoModerator: YAML documents of checks and an action, as many forums have them already.

This is what runs; ``automod_reader.py`` makes it from the text. What an action means to the policy is in ``ACTIONS``.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from moderation.domain.links import host_of, safe_url
from moderation.domain.policy import Evidence, Forces, Signal, Span, nothing, strictest
from moderation.scoring.behaviour import Record
from moderation.scoring.folding import Folded, fold
from moderation.scoring.literals import Literals, Needle, is_edge, spellings
from moderation.scoring.words import (
    MAX_SPANS,
    as_typed,
    compile_pattern,
    domain_name,
    windows,
)

MAX_TRIES = 1_000
"""Matches of one expression that are tried for being whole words; beyond, the signal is unavailable."""

MAX_SHOWN_CHARS = 100
"""Characters of a match that a reason shows."""


PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
"""What stands for a match in a reason."""


class Effect(NamedTuple):
    """What an action does: its weight in the risk, and what it forces. ``removes``: the first hit ends such rules."""

    weight: float
    forces: Forces | None = None
    removes: bool = False


ACTIONS: Mapping[str, Effect] = {
    "approve": Effect(-0.3),
    "report": Effect(0.1),
    "filter": Effect(0.3, Forces.HOLD, removes=True),
    "remove": Effect(0.6, Forces.HOLD, removes=True),
    "spam": Effect(1.0, Forces.SPAM, removes=True),
}
"""By our judgement. Nothing but a person rejects a comment here, so ``remove`` asks for one, and for soon. ``approve``
speaks for a comment as an author's good record does: it publishes nothing where the site holds everything, another
signal asks for a moderator or one could not be judged."""

MOST_APPROVAL, MOST_REPORT = -0.3, 0.3
"""What all ``approve`` and all ``report`` rules that match may weigh together."""


# --- what is judged --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What the rules may ask about a comment. ``record`` None: the author is not proven, and counts as new."""

    body: Folded
    author_name: str = ""
    author_url: str | None = None
    links: Sequence[str] = ()
    record: Record | None = None
    is_top_level: bool = True
    is_edited: bool = False
    reports: int = 0

    def texts(self, name: str) -> "list[_Text]":
        """The texts that a field stands for; made once."""
        found: list[_Text] = getattr(self, f"_{name}")
        return found

    @cached_property
    def _body(self) -> "list[_Text]":
        return [_Text(self.body)]

    @cached_property
    def _url(self) -> "list[_Text]":
        return [_Text(fold(link)) for link in dict.fromkeys(self.links)]

    @cached_property
    def _domain(self) -> "list[_Text]":
        hosts = [host for link in self.links if (safe := safe_url(link)) and (host := host_of(safe))]
        return [_Text(fold(host)) for host in dict.fromkeys(hosts)]

    @cached_property
    def _author(self) -> "list[_Text]":
        return [_Text(fold(self.author_name))] if self.author_name else []

    @cached_property
    def _author_url(self) -> "list[_Text]":
        return [_Text(fold(self.author_url))] if self.author_url else []


class _Copy:
    """A text in one spelling: as typed, or as one of its matching copies. ``span`` leads back to the source."""

    def __init__(self, text: str, span: Callable[[int, int], Span]) -> None:
        self.text = text
        self.span = span

    @cached_property
    def core(self) -> tuple[int, int]:
        """Where the first letter or digit is, and the end of the last."""
        first = next((at for at, char in enumerate(self.text) if char.isalnum()), 0)
        last = next((at for at in range(len(self.text), 0, -1) if self.text[at - 1].isalnum()), len(self.text))
        return first, last


class _Text:
    """A text in all its spellings."""

    def __init__(self, folded: Folded) -> None:
        self.source = folded.source
        self._folded = folded

    @cached_property
    def typed(self) -> list[_Copy]:
        """The text as typed."""
        return [_Copy(self.source, Span)]

    @cached_property
    def copies(self) -> list[_Copy]:
        """The matching copies."""
        return [_Copy(copy.text, copy.span) for copy in self._folded.readings]

    @cached_property
    def all(self) -> list[_Copy]:
        """The text as typed, and the copies that are more than that in small letters."""
        return self.typed + [_Copy(copy.text, copy.span) for copy in self._folded.readings if copy.differs]


class Hit(NamedTuple):
    """A check that holds: what matched, and where in the comment, if it was a text of the comment."""

    text: str = ""
    span: Span | None = None


@dataclass(frozen=True)
class Rule:
    """One document. ``line`` is where it begins."""

    line: int
    action: str
    checks: "tuple[Check, ...]"
    reason: str = ""
    priority: int = 0

    def hits(self, facts: Facts) -> dict[str, Hit] | None:
        """What makes the rule hold, by the key of the check; None where it does not."""
        found = {}
        for check in self.checks:
            hit = check.hit(facts)
            if hit is None:
                return None
            found[check.key] = hit
        return found

    def evidence(self, hits: Mapping[str, Hit]) -> Evidence:
        """Why, in the words of whoever wrote the rule."""
        first = next((hit.text for hit in hits.values() if hit.text), "")
        stands_for = {f"match-{name}": hits[check.key].text for check in reversed(self.checks) for name in check.fields}
        stands_for["match"] = first
        says = PLACEHOLDER.sub(lambda place: short(stands_for.get(place[1], "")), self.reason)
        says = says or (f'it has "{short(first)}".' if first else "it holds.")
        spans = sorted({hit.span for hit in hits.values() if hit.span}, key=lambda span: span.start)
        return Evidence(f"The rule in line {self.line} ({self.action}): {says}", tuple(spans[:MAX_SPANS]))


def short(text: str) -> str:
    """The text in one line of at most ``MAX_SHOWN_CHARS`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "..."


@dataclass(frozen=True, eq=False)
class Automod:
    """A site's rules, ready to run, in the order in which they are tried. ``broken``: they cannot be read any more."""

    rules: tuple[Rule, ...]
    broken: bool = False


BROKEN = Automod((), broken=True)
"""Stands for stored rules that this version cannot read: the signal is then unavailable."""


def judge(automod: Automod | None, facts: Callable[[], Facts]) -> Signal:
    """What the rules say. Raises ``ValueError`` where a text holds more matches than anybody should look at."""
    if automod is None:
        return nothing("automod")
    if automod.broken:
        return Signal("automod", available=False)
    found = list(_matching(automod.rules, facts()))
    actions = [rule.action for rule, _ in found]
    weights = {action: ACTIONS[action].weight * actions.count(action) for action in set(actions)}
    if "approve" in weights:
        weights["approve"] = MOST_APPROVAL
    if "report" in weights:
        weights["report"] = min(MOST_REPORT, weights["report"])
    return Signal(
        "automod",
        round(min(1.0, max(-1.0, sum(weights.values()))), 4),
        tuple(evidence for _, evidence in found[:MAX_SPANS]),
        forces=strictest({ACTIONS[action].forces for action in actions}),
    )


def _matching(rules: Sequence[Rule], facts: Facts) -> Iterator[tuple[Rule, Evidence]]:
    removed = False
    for rule in rules:
        removes = ACTIONS[rule.action].removes
        if removes and removed:
            continue
        hits = rule.hits(facts)
        if hits is not None:
            removed = removed or removes
            yield rule, rule.evidence(hits)


# --- checks ----------------------------------------------------------------------------------------------------------

Find = Callable[[_Text], Span | None]
"""Where in its source a matcher finds something in a text."""


@dataclass(frozen=True)
class TextCheck:
    """Whether one of several values is in one of several fields; negated: in none of them."""

    key: str
    fields: tuple[str, ...]
    find: Find
    negated: bool
    cost: int = 1

    def hit(self, facts: Facts) -> Hit | None:
        """What makes the check hold; None where it does not."""
        found = self._found(facts)
        if self.negated:
            return Hit() if found is None else None
        return found

    def _found(self, facts: Facts) -> Hit | None:
        for name in self.fields:
            for text in facts.texts(name):
                span = self.find(text)
                if span is not None:
                    return Hit(text.source[span.start : span.end], span if name == "body" else None)
        return None


@dataclass(frozen=True)
class ValueCheck:
    """Whether a figure or a fact is as asked for."""

    key: str
    holds: Callable[[Facts], bool]
    fields: tuple[str, ...] = ()
    cost: int = 0

    def hit(self, facts: Facts) -> Hit | None:
        """An empty hit where the check holds."""
        return Hit() if self.holds(facts) else None


Check = TextCheck | ValueCheck
"""One condition of a rule. Cheap ones (``cost``) are tried first."""

MODES = ("full-exact", "full-text", "includes", "includes-word", "starts-with", "ends-with")
MODIFIERS = (*MODES, "case-sensitive", "regex")


def literal_finder(values: Sequence[str], mode: str, exact: bool) -> Find:
    """Finds words and phrases: in the matching copies, or as typed where it is ``exact``."""
    spelled = [one for value in values for one in ({as_typed(value)} if exact else spellings(value))]
    literals = Literals((Needle(value, True, True), value) for value in spelled)

    def find(text: _Text) -> Span | None:
        for copy in text.typed if exact else text.copies:
            for _, start, end in literals.places(copy.text):
                if _fits(mode, copy, start, end):
                    return copy.span(start, end)
        return None

    return find


def _fits(mode: str, copy: _Copy, start: int, end: int) -> bool:
    if mode == "includes":
        return True
    if mode == "includes-word":
        return is_edge(copy.text, start) and is_edge(copy.text, end)
    if mode == "full-text":
        first, last = copy.core
        return start <= first and end >= last
    return (mode == "ends-with" or start == 0) and (mode == "starts-with" or end == len(copy.text))


_FRAMES = {
    "starts-with": (r"\A(?:", ")"),
    "ends-with": ("(?:", r")\z"),
    "full-exact": (r"\A(?:", r")\z"),
    "full-text": (r"\A(?:", r")\z"),
}


def regex_finder(values: Sequence[str], mode: str, exact: bool) -> Find:
    """Finds what RE2 finds in the text as typed, and unless ``exact`` in the matching copies.

    Raises ``ValueError`` for a value that does not compile.
    """
    before, after = _FRAMES.get(mode, ("", ""))
    patterns = [compile_pattern(f"{before}{value}{after}", exact=exact, longest=True) for value in values]

    def find(text: _Text) -> Span | None:
        for copy in text.typed if exact else text.all:
            place = _first(patterns, mode, copy)
            if place is not None:
                return copy.span(*place)
        return None

    return find


def _first(patterns: Sequence[Any], mode: str, copy: _Copy) -> tuple[int, int] | None:
    parts = windows(copy.text)
    if mode.startswith("full") and len(parts) > 1:
        return None  # No value is as long as that.
    if mode == "full-text":
        first, last = copy.core
        parts = [*parts, (first, copy.text[first:last].encode())]
    parts = parts[:1] if mode == "starts-with" else parts[-1:] if mode == "ends-with" else parts
    found = (_searched(pattern, mode, *part) for pattern in patterns for part in parts)
    return next(filter(None, found), None)


def _searched(pattern: Any, mode: str, offset: int, encoded: bytes) -> tuple[int, int] | None:
    """The first match, and for whole words the first that is one."""
    for tries, match in enumerate(pattern.finditer(encoded)):
        if tries == MAX_TRIES:
            raise ValueError("Too many matches in one text.")
        # "ignore": RE2's "\\C" matches a single byte, which may be a part of a character.
        before = encoded[: match.start()].decode(errors="ignore")
        inner = match[0].decode(errors="ignore")
        if mode != "includes-word" or _is_word(before[-1:], inner, encoded[match.end() :][:4].decode(errors="ignore")):
            return offset + len(before), offset + len(before) + len(inner)
    return None


def _is_word(before: str, inner: str, after: str) -> bool:
    text = before + inner + after[:1]
    return is_edge(text, len(before)) and is_edge(text, len(before) + len(inner))


def domain_finder(values: Sequence[str]) -> Find:
    """Finds hosts that are one of these domains, or below one."""
    listed = {domain_name(value) for value in values}

    def find(text: _Text) -> Span | None:
        labels = text.source.split(".")
        if any(".".join(labels[at:]) in listed for at in range(len(labels))):
            return Span(0, len(text.source))
        return None

    return find
