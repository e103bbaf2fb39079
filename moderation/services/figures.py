"""What the latest decisions say: how long they took, which signals and rules spoke, whose scores agreed."""

import math
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import POLICY
from moderation.domain.comment import WAITING, State
from moderation.scoring.pipeline import RULE_SIGNALS
from moderation.storage import figures as stored

MAX_DECISIONS = 1_000
"""The figures rest on so many of the latest decisions, shared among the sites asked for, so that their cost does not
grow with a site: a hundred take some 6 ms."""

MIN_OF_A_SITE = 20
MAX_RULES_SHOWN = 20

WAITS_S = (60, 300, 900, 3_600, 14_400, 86_400, 259_200)
"""Upper ends of the classes of waiting times; what waited longer is in a class of its own."""

_OUTCOMES = {State.APPROVED: "approved", State.REJECTED: "rejected", State.TRASHED: "rejected", State.SPAM: "spam"}
"""What a decided comment counts as."""

_RULE_IN_YAML = re.compile(r"(The rule in line \d+ \(\w+\)): .*", re.DOTALL)
"""Behind the colon are words of the comment."""


def latest(session: Session, site_ids: Sequence[uuid.UUID], since: datetime, agrees_from: float) -> dict[str, Any]:
    """Figures of what persons decided lately on these sites, none of it before ``since``, by how it stands now.

    ``median_decision_s``, ``p90_decision_s`` and ``waits`` are about the time from arrival to a decision; ``signals``
    and ``rules`` count the decided comments that each spoke on; ``models`` say how often the risk was at least
    ``agrees_from`` for what was not approved, and below it for what was. ``sampled`` is how many decided comments all
    this is about.
    """
    most = max(MIN_OF_A_SITE, MAX_DECISIONS // max(1, len(site_ids)))
    made = [row for row in stored.latest_decisions(session, site_ids, since, most) if row.actor_kind != POLICY.kind]
    found = {row.id: row for row in stored.standing(session, {row.comment_id for row in made})}
    outcomes = {id: _OUTCOMES[State(row.state)] for id, row in found.items() if row.state in _OUTCOMES}
    return {
        "sampled": len(outcomes),
        **_times([row.waited_s for row in made if row.from_state in WAITING]),
        "signals": _signals(stored.signals_said(session, outcomes), outcomes),
        "rules": _rules(stored.evidence_of(session, outcomes, RULE_SIGNALS), outcomes),
        "models": _models([found[id] for id in outcomes], agrees_from),
    }


def _times(waits: list[float]) -> dict[str, Any]:
    waits.sort()
    classes = [sum(low <= wait < high for wait in waits) for low, high in _classes()]
    return {
        "median_decision_s": _quantile(waits, 0.5),
        "p90_decision_s": _quantile(waits, 0.9),
        "waits": [
            {"up_to_s": None if math.isinf(high) else high, "decisions": n}
            for (_, high), n in zip(_classes(), classes, strict=True)
        ],
    }


def _classes() -> list[tuple[float, float]]:
    return list(pairwise((0, *WAITS_S, math.inf)))


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """By linear interpolation between the two nearest (Hyndman and Fan 1996, definition 7)."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _signals(rows: Iterable[Any], outcomes: Mapping[uuid.UUID, str]) -> list[dict[str, Any]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        said = "unavailable" if not row.available else "for" if row.weight < 0 else "against"
        counts[row.name, said, outcomes[row.comment_id]] += 1
    told = sorted({(name, said) for name, said, _ in counts})
    shown: list[dict[str, Any]] = [
        {"name": name, "said": said, **_by_outcome(counts, name, said)} for name, said in told
    ]
    return sorted(shown, key=lambda one: -one["comments"])


def _rules(rows: Iterable[Any], outcomes: Mapping[uuid.UUID, str]) -> list[dict[str, Any]]:
    """The rules that held most often, by what they said of a comment without the comment's own words."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for text in {_RULE_IN_YAML.sub(r"\1.", str(one.get("text", ""))) for one in row.evidence}:
            counts[text, outcomes[row.comment_id]] += 1
    shown: list[dict[str, Any]] = [
        {"rule": text, **_by_outcome(counts, text)} for text in sorted({text for text, _ in counts})
    ]
    return sorted(shown, key=lambda one: -one["comments"])[:MAX_RULES_SHOWN]


def _by_outcome(counts: Mapping[Any, int], *which: str) -> dict[str, int]:
    of = {outcome: counts.get((*which, outcome), 0) for outcome in dict.fromkeys(_OUTCOMES.values())}
    return {"comments": sum(of.values()), **of}


def _models(rows: Iterable[Any], agrees_from: float) -> list[dict[str, Any]]:
    decided: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for row in rows:
        decided[row.scorer_version] += 1
        agreed[row.scorer_version] += (row.risk >= agrees_from) is (row.state != State.APPROVED)
    return [{"model": name or None, "comments": n, "agreed": agreed[name]} for name, n in decided.most_common()]
