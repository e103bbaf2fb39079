"""Raids: when newcomers flood a site from many addresses, and when that is over. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

WINDOW = timedelta(minutes=1)
"""What is counted: the comments of the last minute."""

USUAL_DAYS = 7
"""The days, up to yesterday, whose average is a site's usual rate: a raid of today does not raise it."""

TIMES_USUAL = 10
"""So many times a site's average rate are no ordinary rush: the busiest minute of a day has some five to eight times
its average."""

FROM_NETWORKS = 10
"""From fewer addresses it is no raid but a flood, which the limit of each address keeps in check."""

SETTLES = timedelta(seconds=15)
"""How much older the time of the last flood may be than it is, so that not every look is a write."""

KNOWN_AFTER = timedelta(days=1)
"""For so long an author has to be there before what the policy alone approved makes them known: where it publishes at
once, the first comments of a raid are approved too."""

PAUSE = timedelta(hours=1)
"""For so long after somebody ended a raid by hand none begins by itself."""


class Mode(StrEnum):
    """A site's setting: by the figures, held on, never."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Move(StrEnum):
    """What is to be done about a site."""

    START = "start"
    GO_ON = "go on"
    END = "end"


@dataclass(frozen=True, slots=True)
class Raid:
    """Where a site stands: under a raid ``since`` then, last flooded at ``busy_at``; by itself ``not_before`` then."""

    since: datetime | None = None
    busy_at: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The comments of the last minute: all, those of newcomers (no approved comment, or first seen today), from how
    many addresses.
    """

    comments: int = 0
    newcomers: int = 0
    networks: int = 0


NOTHING = Arrivals()


def is_known(approved: int, spam: int, age: timedelta, by_person: bool) -> bool:
    """Whether a proven author is spared under a raid: has approved comments and no spam, and either has been there for
    ``KNOWN_AFTER``, or a person approved one of them (``by_person``).
    """
    return approved > 0 and spam == 0 and (by_person or age >= KNOWN_AFTER)


def limit_of(raid_at: int, usual: float) -> float:
    """From how many newcomers' comments a minute on it is a raid; ``usual`` is the site's average a minute."""
    return max(float(raid_at), TIMES_USUAL * usual)


def next_move(raid: Raid, mode: str, arrivals: Arrivals, limit: float, quiet: timedelta, now: datetime) -> Move | None:
    """What the figures, or the setting, ask for; None for leaving it as it is.

    It starts at the limit, where at least half of the comments are newcomers', from ten addresses or more. It goes on
    while half of the limit is reached, and ends once that has not happened for ``quiet``.
    """
    if mode == Mode.ON:
        return Move.START if raid.since is None else None
    if raid.since is None:
        return Move.START if mode == Mode.AUTO and _starts(raid, arrivals, limit, now) else None
    if mode != Mode.AUTO:
        return Move.END
    last = raid.busy_at or raid.since
    if arrivals.newcomers >= limit / 2:
        return Move.GO_ON if now - last >= SETTLES else None
    return Move.END if now - last >= quiet else None


def _starts(raid: Raid, arrivals: Arrivals, limit: float, now: datetime) -> bool:
    return (
        arrivals.newcomers >= limit
        and 2 * arrivals.newcomers >= arrivals.comments
        and arrivals.networks >= FROM_NETWORKS
        and (raid.not_before is None or now >= raid.not_before)
    )
