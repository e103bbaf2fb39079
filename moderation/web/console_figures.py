"""The console's dashboard: what came in and what became of it, how long it took, and who was right."""

from collections.abc import Sequence
from typing import Any

from flask import Response

from moderation.domain.actor import Role
from moderation.services import moderate
from moderation.web import console_raid, plots
from moderation.web.console import _actor, _own_sites, console
from moderation.web.console_admin import asked, page
from moderation.web.guards import parts
from moderation.web.plots import Series

PERIODS = (7, 30, 90)
"""Days that the dashboard offers."""

_OUTCOMES = (("approved", "fill-yes"), ("rejected", "fill-no"), ("spam", "fill-bad"))


@console.get("/dashboard")
def dashboard() -> Response:
    """Figures and plots of one's sites, or of one of them."""
    site_key = asked("site") or None
    given = asked("days")
    days = int(given) if given in {str(period) for period in PERIODS} else PERIODS[1]
    found = moderate.stats(parts(), _actor(), site_key, days)
    own = _own_sites()
    name = next((site["name"] or site["key"] for site in own if site["key"] == site_key), site_key)
    return page(
        "dashboard",
        "dashboard",
        None,
        found=found,
        days=days,
        periods=PERIODS,
        sites=own,
        site_key=site_key or "",
        name=name,
        by_day=_by_day(found["days"]),
        agreement=_agreement(found["days"]),
        waits=_waits(found["waits"]),
        signals=_with_shares(found["signals"]),
        rules=_with_shares(found["rules"]),
        raids=console_raid.raids_of(own, site_key),
        flash=console_raid.told(),
        may_moderate=any(_actor().may(site["id"], Role.MODERATOR) for site in own),
    )


def _by_day(days: Sequence[dict[str, Any]]) -> plots.Plot:
    stacks = [Series(name, fill, [day[name] for day in days]) for name, fill in _OUTCOMES]
    return plots.draw(_labels(days), stacks, Series("arrived", "line", [day["submitted"] for day in days]))


def _agreement(days: Sequence[dict[str, Any]]) -> plots.Plot:
    agreed = Series("agreed", "fill-yes", [max(0, day["agreed"]) for day in days])
    disagreed = Series("did not agree", "fill-bad", [max(0, day["disagreed"]) for day in days])
    return plots.draw(_labels(days), [agreed, disagreed])


def _labels(days: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{day['day'].day} {day['day']:%b}" for day in days]


def _waits(classes: Sequence[dict[str, Any]]) -> plots.Plot:
    labels = [_class_of(one["up_to_s"]) for one in classes]
    return plots.draw(labels, [Series("decisions", "fill-all", [one["decisions"] for one in classes])])


def _class_of(up_to_s: int | None) -> str:
    if up_to_s is None:
        return "longer"
    return "< " + (
        f"{up_to_s // 60}m"
        if up_to_s < 3_600
        else f"{up_to_s // 3_600}h"
        if up_to_s < 86_400
        else f"{up_to_s // 86_400}d"
    )


def _with_shares(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with the pieces of its bar."""
    most = max((row["comments"] for row in rows), default=0)
    return [
        {
            **row,
            "pieces": [
                (fill, *piece)
                for (_, fill), piece in zip(
                    _OUTCOMES, plots.shares([row[name] for name, _ in _OUTCOMES], most), strict=True
                )
            ],
        }
        for row in rows
    ]


_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@console.app_template_filter("span")
def span(seconds: float | None) -> str:
    """``3.5 h``: a length of time in its largest unit; a dash for none."""
    if seconds is None:
        return "–"
    unit, length = next((one for one in _UNITS if seconds >= one[1]), _UNITS[-1])
    n = seconds / length
    return f"{n:,.0f} {unit}" if n >= 10 or round(n, 1) == round(n) else f"{n:.1f} {unit}"
