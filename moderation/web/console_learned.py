"""The console's page of what a site's decisions taught."""

from urllib.parse import urlencode

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.errors import CallerError
from moderation.services import learning
from moderation.web import guards
from moderation.web.console import _actor, _asked_site, _own_sites, console
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
    site = _asked_site(request.args.get("site", ""))
    shown = learning.show(parts(), _actor(), site["key"])
    told = TOLD.get(request.args.get("told", ""))
    return render_template(
        "console/learned.html",
        here="learned",
        shown=shown,
        sites=_own_sites(),
        name=site["name"] or site["key"],
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
