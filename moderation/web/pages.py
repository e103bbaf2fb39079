"""The start page, and the icon."""

from flask import Blueprint, Response, current_app, render_template

from moderation import __version__
from moderation.web.guards import parts

pages = Blueprint("pages", __name__)


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"version": __version__, "demo": parts().settings.demo}


@pages.get("/")
def landing() -> str:
    """What this is, and the way to everything else."""
    return render_template("landing.html", public_url=parts().settings.public_url)


@pages.get("/favicon.ico")
def icon() -> Response:
    """The picture for a tab, where a page does not say which."""
    return current_app.send_static_file("icon.svg")
