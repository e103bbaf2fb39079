"""The console's page of what a site's decisions taught."""

from typing import Any
from urllib.parse import urlencode

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.errors import CallerError, NotFound
from moderation.services import learning
from moderation.web import guards
from moderation.web.console import _actor, _own_sites, console
from moderation.web.guards import parts

TOLD = {
    "reset": {"text": "Forgotten: this site learns anew from its next decision.", "bad": False},
    "403": {"text": "That was not done: it needs the role admin on this site.", "bad": True},
    "404": {"text": "That was not done: the site is not there any more.", "bad": True},
    "422": {"text": "That was not done: give a reason of at most 200 characters.", "bad": True},
}
"""What the last form came to."""


@console.get("/learned")
def show_learned() -> str:
    """How much a site learned, how well it predicts its decisions, and the words that count most."""
    sites = _own_sites()
    key = request.args.get("site") or (sites[0]["key"] if sites else "")
    guards.refuse_malformed(key)
    if not key:
        raise NotFound("site")
    shown = learning.show(parts(), _actor(), key)
    site: dict[str, Any] = next((one for one in sites if one["key"] == key), {"id": None, "name": ""})
    told = TOLD.get(request.args.get("told", ""))
    return render_template(
        "console/learned.html",
        here="learned",
        shown=shown,
        sites=sites,
        name=site["name"] or key,
        may_reset=_actor().may(site["id"], Role.ADMIN),
        flash={**told, "undo": None, "back": ""} if told else None,
    )


@console.post("/learned/reset")
def reset_learned() -> AnyResponse:
    """Forget what a site's decisions taught."""
    key, reason = request.form.get("site", ""), request.form.get("reason", "")
    guards.refuse_malformed(key + reason)
    try:
        learning.reset(parts(), _actor(), key, reason)
    except CallerError as error:
        return _back(key, str(error.status))
    return _back(key, "reset")


def _back(key: str, told: str) -> AnyResponse:
    return redirect(f"{url_for('console.show_learned')}?{urlencode({'site': key, 'told': told})}", 303)
