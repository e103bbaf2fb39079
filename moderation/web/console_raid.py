"""The console's notice of a raid, above the queue and on the dashboard, and the buttons by which it is steered."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.domain.raid import Mode
from moderation.errors import CallerError
from moderation.services import raids, sites
from moderation.web import guards
from moderation.web.console import _actor, _back, _number, address_of, console
from moderation.web.guards import parts

TOLD = {
    "raid_hold": {"text": "Raid mode stays on until you give it back to the figures or end it.", "bad": False},
    "raid_auto": {"text": "Raid mode ends by itself once the flood is over.", "bad": False},
    "raid_end": {"text": "Raid mode has ended. None begins by itself for an hour.", "bad": False},
    "raid_403": {"text": "That was not done: it needs the role moderator on the site.", "bad": True},
    "raid_404": {"text": "That was not done: the site is not there.", "bad": True},
    "raid_422": {"text": "That was not done: the form was not complete.", "bad": True},
}
"""What the last of these forms came to."""


def told() -> dict[str, Any] | None:
    """What is to be told of the last form, on a page that has no other such words."""
    said = TOLD.get(request.args.get("told", ""))
    return {**said, "undo": None, "undo_all": None, "back": ""} if said else None


def raids_of(own_sites: Sequence[Mapping[str, Any]], site_key: str | None = None) -> list[dict[str, Any]]:
    """The raids on one's sites, or on the one of them that a page is about. Costs nothing while there are none."""
    return [
        _raid(site)
        for site in own_sites
        if site["raid_since"] is not None and (not site_key or site["key"] == site_key)
    ]


def _raid(site: Mapping[str, Any]) -> dict[str, Any]:
    settings = site["settings"]
    waiting = raids.waiting(parts(), site["id"], site["raid_since"])
    slow_s = settings["slow_mode_s"] if settings["submit_rate"] != "none" else 0
    return {
        "key": site["key"],
        "name": site["name"] or site["key"],
        "since": site["raid_since"],
        "waiting": f"{waiting:,} or more comments" if waiting >= raids.MOST_COUNTED else _number(waiting, "comment"),
        "is_held": settings["raid_mode"] == Mode.ON,
        "slow_s": slow_s,
        "quiet_s": settings["raid_quiet_s"],
        "may_steer": _actor().may(site["id"], Role.MODERATOR),
        "known_url": address_of(url_for("console.queue"), {"site": site["key"], "signal": "record"}),
        "safest_url": address_of(url_for("console.queue"), {"site": site["key"], "sort": "safest"}),
    }


@console.post("/raid")
def steer_raid() -> AnyResponse:
    """Hold raid mode on, give it back to the figures, or end it; by the button that was pressed."""
    site_key, do = request.form.get("site", ""), request.form.get("do", "")
    guards.refuse_malformed(site_key + do)
    try:
        sites.steer_raid(parts(), _actor(), site_key, do)
    except CallerError as error:
        return _back(told=f"raid_{error.status}")
    return _back(told=f"raid_{do}")
