"""The pages that links in mails lead to. A GET changes nothing, since programs open links, too; a POST acts.

What proves the right to act is the signed token in the address: no cookie and no session is involved, so that there is
nothing for a foreign page to borrow, and a mailbox's server can stop mails by one request of its own (RFC 8058).
"""

from flask import Blueprint, Response, render_template, request

from moderation.services import digests, notices
from moderation.web.guards import parts

pages = Blueprint("notices", __name__, url_prefix="/notices")


@pages.after_request
def _keep_private(response: Response) -> Response:
    """The address of such a page is its key: it goes to no other site, and into no search engine."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


@pages.get("/confirm")
def ask_reader() -> str:
    """The question whether to be told of replies."""
    return render_template("notices/confirm.html", done=False, **notices.look_at_question(parts(), _token()))


@pages.post("/confirm")
def confirm_reader() -> str:
    """A reader wants to be told of replies."""
    return render_template("notices/confirm.html", done=True, **notices.confirm(parts(), _token()))


@pages.get("/stop")
def ask_stop() -> str:
    """The question which mails to stop."""
    return render_template("notices/stop.html", done=False, **notices.look_at_stop(parts(), _token()))


@pages.post("/stop")
def stop() -> str:
    """Stop what the link is for, or all of the site's notices where the form says so."""
    everything = request.form.get("what") == "all"
    return render_template("notices/stop.html", done=True, **notices.stop(parts(), _token(), everything=everything))


@pages.get("/address")
def ask_moderator() -> str:
    """The question whether an address is a moderator's own."""
    return render_template("notices/address.html", done=False, **digests.look_at_question(parts(), _token()))


@pages.post("/address")
def confirm_moderator() -> str:
    """An address is a moderator's own."""
    return render_template("notices/address.html", done=True, **digests.confirm(parts(), _token()))


@pages.get("/digest")
def ask_stop_digest() -> str:
    """The question whether to stop a moderator's digest."""
    return render_template("notices/digest.html", done=False, **digests.look_at_stop(parts(), _token()))


@pages.post("/digest")
def stop_digest() -> str:
    """Send this moderator no more digests."""
    return render_template("notices/digest.html", done=True, **digests.stop(parts(), _token()))


def _token() -> str:
    return request.args.get("t", "")
