"""The console's page of one's own notices: where and how often one is told of what waits."""

import uuid

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.notice import CONFIRM_WITHIN
from moderation.errors import CallerError, Invalid, NotFound
from moderation.services import digests
from moderation.web import guards
from moderation.web.console import _actor, console
from moderation.web.guards import parts

RHYTHMS = {"off": "not at all", "hourly": "every hour", "daily": "every day at 06:00 UTC"}

TOLD = {
    "asked": {
        "text": "A mail is on its way to that address. Open the link in it, and press the button there.",
        "bad": False,
    },
    "saved": {"text": "Saved.", "bad": False},
    "removed": {"text": "The address was deleted, and no notices come.", "bad": False},
    "429": {"text": "That was not done: too many mails were asked for. Try again in an hour.", "bad": True},
}
"""What the last form came to."""


@console.context_processor
def _names() -> dict[str, bool]:
    return {"has_notices": parts().settings.has_mail}


@console.get("/notices")
def show_notices() -> str:
    """Where and how often one is told, and the forms to change it."""
    return _page({})


@console.post("/notices")
def change_notices() -> AnyResponse | str:
    """Change the address or the rhythm, or delete the address; by the button that was pressed."""
    email, digest = request.form.get("email", "").strip(), request.form.get("digest", "")
    guards.refuse_malformed(email + digest)
    is_removal = request.form.get("do") == "remove"
    _require_mail()
    try:
        said = digests.change(
            parts(), _actor(), _me(), email="" if is_removal else email or None, digest=None if is_removal else digest
        )
    except Invalid as error:
        return _page(error.fields)
    except CallerError as error:
        if error.status != 429:
            raise
        return _back(str(error.status))
    return _back("removed" if is_removal else "asked" if email and not said["confirmed"] else "saved")


def _page(problems: dict[str, list[str]]) -> str:
    _require_mail()
    told = None if problems else TOLD.get(request.args.get("told", ""))
    return render_template(
        "console/notices.html",
        here="notices",
        shown=digests.show(parts(), _actor(), _me()),
        rhythms=RHYTHMS,
        days=CONFIRM_WITHIN.days,
        problems=problems,
        flash={**told, "undo": None, "back": ""} if told else None,
    )


def _require_mail() -> None:
    """Where the service sends no mail, the page is not there."""
    if not parts().settings.has_mail:
        raise NotFound("page")


def _me() -> uuid.UUID:
    return uuid.UUID(_actor().id)


def _back(told: str) -> AnyResponse:
    return redirect(url_for("console.show_notices", told=told), 303)
