"""Stored comments judged again: what another version of the scorer would say, and groups of alike ones made anew.

Only the signals that rest on what is stored of a comment (``pipeline.OF_TEXT``) are asked again. What the others said
stays as it was: how a form was filled in, what else came from the network, what the site had learned by then cannot be
asked any more. A comment's state never changes here.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import WAITING, State
from moderation.domain.policy import ATTRIBUTES, Policy, Signal, Verdict, decide
from moderation.domain.site import site_settings
from moderation.errors import Conflict, Invalid, NotFound
from moderation.scoring.pipeline import OF_TEXT, SIGNALS, Candidate
from moderation.scoring.repeats import bands, fingerprint
from moderation.scoring.words import Rules
from moderation.services.judging import find_group, signal_rows, stored_signal
from moderation.services.moderate import AGREES_FROM
from moderation.services.parts import Parts
from moderation.services.site_rules import rules_of_site
from moderation.services.sites import scope_for
from moderation.storage import audit, comments, rescoring, sites
from moderation.storage.db import read, write
from moderation.storage.rescoring import Which

BATCH = 200
"""Comments a transaction, so that no reader's comment waits long for the writer's place."""

MAX_LARGEST = 1_000
_ORDER = {step.name: place for place, step in enumerate(SIGNALS)}

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Compared:
    """A stored comment, as it was judged and as it is judged now."""

    row: Any
    risk: float
    scores: Mapping[str, float | None]
    before: State
    after: Verdict
    fresh: tuple[Signal, ...]
    by_person: bool

    def differences(self) -> dict[str, float]:
        """By how much risk and scores rise, where both versions give one."""
        risen = {"risk": self.after.risk - self.risk}
        for name in ATTRIBUTES:
            old, new = self.scores.get(name), self.after.scores[name]
            if old is not None and new is not None:
                risen[name] = new - old
        return {name: round(by, 4) for name, by in risen.items()}


@dataclass(slots=True)
class _Tally:
    """What a comparison comes to, comment by comment."""

    thresholds: Mapping[str, float]
    largest_kept: int
    compared: int = 0
    same: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    sums: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: Counter[str] = field(default_factory=Counter)
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy: Counter[tuple[str, str]] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    largest: list[dict[str, Any]] = field(default_factory=list)

    def add(self, one: _Compared) -> None:
        """Count a comment."""
        self.compared += 1
        self.versions[one.row.scorer_version or "unknown"] += 1
        risen = one.differences()
        changed = max(map(abs, risen.values()))
        self.same += not changed and dict(one.scores) == one.after.scores
        for name, by in risen.items():
            self.sums[name] += abs(by)
            self.counts[name] += 1
        for name in ATTRIBUTES:
            self._cross(name, one.scores.get(name), one.after.scores[name])
        self.policy[one.before.value, one.after.state.value] += 1
        self._agree(one)
        if changed:
            self._keep(one, risen, changed)

    def _cross(self, name: str, old: float | None, new: float | None) -> None:
        if (old is None) != (new is None):
            self.moved[name, "lost" if new is None else "gained"] += 1
        elif old is not None and new is not None and name in self.thresholds:
            was, is_now = old >= self.thresholds[name], new >= self.thresholds[name]
            if was != is_now:
                self.moved[name, "up" if is_now else "down"] += 1

    def _agree(self, one: _Compared) -> None:
        state = State(one.row.state)
        if not one.by_person or state in WAITING:
            return
        self.decided["all"] += 1
        self.decided["before"] += (one.risk >= AGREES_FROM) is (state is not State.APPROVED)
        self.decided["after"] += (one.after.risk >= AGREES_FROM) is (state is not State.APPROVED)

    def _keep(self, one: _Compared, risen: Mapping[str, float], changed: float) -> None:
        line = {"id": one.row.id, "state": one.row.state, "risk": [one.risk, one.after.risk], "change": changed}
        self.largest.append({**line, "differences": {name: by for name, by in risen.items() if by}})
        if len(self.largest) > 2 * self.largest_kept + 100:
            self._cut()

    def _cut(self) -> None:
        self.largest.sort(key=lambda line: -line["change"])
        del self.largest[self.largest_kept :]

    def report(self) -> dict[str, Any]:
        """The figures, for JSON and for people."""
        self._cut()
        decided = self.decided["all"]
        return {
            "compared": self.compared,
            "same": self.same,
            "scored_by": dict(self.versions),
            "attributes": {name: self._attribute(name) for name in ("risk", *ATTRIBUTES)},
            "policy": [
                {"before": before, "after": after, "comments": n} for (before, after), n in sorted(self.policy.items())
            ],
            "decided": {
                "comments": decided,
                "agreement_before": self.decided["before"] / decided if decided else None,
                "agreement_after": self.decided["after"] / decided if decided else None,
            },
            "largest": self.largest,
        }

    def _attribute(self, name: str) -> dict[str, Any]:
        n = self.counts[name]
        crossed = {way: self.moved[name, way] for way in ("up", "down", "lost", "gained")}
        return {
            "mean_difference": round(self.sums[name] / n, 4) if n else None,
            "threshold": self.thresholds.get(name),
            **crossed,
        }


def rescore(
    parts: Parts,
    actor: Actor,
    site_key: str,
    last: int | None = None,
    state: str | None = None,
    largest: int = 20,
    *,
    apply: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Judge stored comments of a site ('*': of all) by this installation's scorer, and say what differs.

    The newest ``last`` of them (all), in ``state`` (any). With ``apply`` the new scores, risk, reasons and signals are
    stored, with a line in the audit log; what was edited or decided on meanwhile is passed over. Batches of their own
    transactions: stopped half-way, run it again. Raises ``NotFound``, ``Forbidden``, ``Invalid``; ``Conflict`` where a
    model that does not load would take all scores away.
    """
    which = _which(actor, site_key, state)
    if last is not None and last < 1:
        raise Invalid({"last": ["It is a whole number from 1 on."]})
    if not 0 <= largest <= MAX_LARGEST:
        raise Invalid({"largest": [f"It is a whole number from 0 to {MAX_LARGEST}."]})
    if apply and not parts.pipeline.thresholds:
        raise Conflict("The model of this installation is not usable: all scores would be lost. Nothing was stored.")
    tally = _Tally(parts.pipeline.thresholds, largest)
    stored = passed_over = 0
    for rows in _newest(which, last):
        compared = _compare(parts, rows)
        for one in compared:
            tally.add(one)
        if apply:
            done = _store(parts, actor, compared)
            stored, passed_over = stored + done, passed_over + len(compared) - done
        progress(len(rows))
    applied = {"stored": stored, "passed_over": passed_over} if apply else None
    return {"scorer": parts.pipeline.version, **tally.report(), "applied": applied}


def count(actor: Actor, site_key: str, last: int | None = None, state: str | None = None) -> int:
    """How many comments ``rescore`` or ``regroup`` would look at, for a progress bar."""
    which = _which(actor, site_key, state)
    with read() as session:
        total = rescoring.count_stored(session, which)
    return total if last is None else min(last, total)


def _which(actor: Actor, site_key: str, state: str | None) -> Which:
    if state is not None and state not in {known.value for known in State if known is not State.DELETED}:
        raise Invalid({"state": ["There is no such state with texts in it."]})
    wanted = State(state) if state is not None else None
    with read() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
    return Which(None if site is None else site.id, wanted)


def _batches(
    fetch: Callable[[Session, int, uuid.UUID | None], Sequence[Any]], last: int | None = None
) -> Iterator[Any]:
    """Batches of rows, each read by ``fetch`` behind the last row of the one before; ``last`` rows at most."""
    left, after = last, None
    while left is None or left > 0:
        size = BATCH if left is None else min(BATCH, left)
        with read() as session:
            rows = fetch(session, size, after)
        if rows:
            yield rows
        if len(rows) < size:
            return
        after, left = rows[-1].id, None if left is None else left - size


def _compare(parts: Parts, rows: Sequence[Any]) -> list[_Compared]:
    ids = [row.id for row in rows]
    with read() as session:
        said, people = rescoring.signals_of(session, ids), rescoring.decided_by_people(session, ids)
        by_site = {site_id: _site(session, site_id) for site_id in {row.site_id for row in rows}}
    return [_judged_again(parts, row, said[row.id], *by_site[row.site_id], row.id in people) for row in rows]


def _site(session: Session, site_id: uuid.UUID) -> tuple[Policy, Rules]:
    site = sites.site_by_id(session, site_id)
    if site is None:
        raise NotFound("site")
    return site_settings(site.settings).decision_policy(), rules_of_site(session, site).rules


def _judged_again(
    parts: Parts, row: Any, said: Sequence[Any], policy: Policy, rules: Rules, by_person: bool
) -> _Compared:
    links = tuple(parts.renderer.links(row.body_html))
    candidate = Candidate(body=row.body, author_url=row.author_url, links=links, rules=rules)
    fresh = parts.pipeline.signals_of_text(candidate)
    stored = [stored_signal(one) for one in said]
    kept = [signal for signal in stored if signal.name not in OF_TEXT]
    before = decide(_in_order(stored), policy)
    after = decide(_in_order([*fresh, *kept]), policy)
    return _Compared(row, row.risk, row.scores, before.state, after, fresh, by_person)


def _in_order(signals: Sequence[Signal]) -> list[Signal]:
    """In the order of THE LIST, since sums and equal reasons depend on it."""
    return sorted(signals, key=lambda signal: _ORDER.get(signal.name, len(_ORDER)))


def _store(parts: Parts, actor: Actor, compared: Sequence[_Compared]) -> int:
    version, now = parts.pipeline.version, parts.clock()
    done: Counter[uuid.UUID] = Counter()
    with write() as session:
        for one in sorted(compared, key=lambda one: one.row.id):
            values = {"risk": one.after.risk, "scores": one.after.scores, "reasons": list(one.after.reasons)}
            values["scorer_version"] = version
            if rescoring.replace_judgement(session, one.row, values, OF_TEXT, signal_rows(one.fresh)):
                done[one.row.site_id] += 1
        for site_id in sorted(done):
            _note(
                parts, session, actor, site_id, "comments.rescore", {"comments": done[site_id], "scorer": version}, now
            )
    return done.total()


def _note(
    parts: Parts, session: Session, actor: Actor, site_id: uuid.UUID, action: str, data: Mapping[str, Any], now: Any
) -> None:
    audit.append(
        session,
        site_id=site_id,
        actor=actor,
        action=action,
        object_kind="site",
        object_id=str(site_id),
        data=data,
        now=now,
        key=parts.vault.audit_key,
    )


# --- groups --------------------------------------------------------------------------------------------------------


def regroup(parts: Parts, actor: Actor, site_key: str, progress: Progress = lambda _: None) -> dict[str, int]:
    """Make fingerprints and groups of alike comments anew, from the texts, of a site or with '*' of all.

    For after a change of how texts are folded or compared, and for groups that came apart because alike comments
    were sent at the same moment. All leave their groups first; new comments meanwhile find their place by themselves.
    Batches of their own transactions: stopped half-way, run it again. ``{"comments"}``: how many it were.
    """
    which = _which(actor, site_key, None)
    for rows in _oldest(which):
        with write() as session:
            rescoring.leave_groups(session, [row.id for row in rows])
    total = 0
    for rows in _oldest(which):
        with write() as session:
            for row in rows:
                _join(session, row)
            for site_id, of_site in groupby(sorted(rows, key=lambda row: row.site_id), key=lambda row: row.site_id):
                _note(
                    parts, session, actor, site_id, "comments.regroup", {"comments": len(list(of_site))}, parts.clock()
                )
        total += len(rows)
        progress(len(rows))
    return {"comments": total}


def _oldest(which: Which) -> Iterator[Sequence[Any]]:
    return _batches(lambda session, size, after: rescoring.oldest_texts(session, which, size, after))


def _newest(which: Which, last: int | None) -> Iterator[Sequence[Any]]:
    return _batches(lambda session, size, before: rescoring.newest_stored(session, which, size, before), last)


def _join(session: Session, row: Any) -> None:
    """Give a comment its group, unless it was edited meanwhile: then it has one."""
    found = fingerprint(row.body)
    alike = find_group(session, row.site_id, found, None, row.id)
    if rescoring.join_group(session, row, found.exact, found.sketch, alike.key) and alike.begins:
        comments.forget_bands(session, row.id)
        comments.add_bands(session, row.site_id, row.id, bands(found.sketch))
