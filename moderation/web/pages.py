"""The start page, and the icon."""

from flask import Blueprint, Response, current_app, render_template

from moderation import __version__
from moderation.web.guards import parts

STYLE_CACHE_S = 300
"""How long a browser may use the style without asking again: short, so that a fix reaches it soon."""

pages = Blueprint("pages", __name__)


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"version": __version__, "demo": parts().settings.demo}


@pages.get("/")
def landing() -> str:
    """What this is, and the way to everything else."""
    return render_template("landing.html", public_url=parts().settings.public_url)


@pages.get("/thread.css")
def thread_style() -> Response:
    """The style of a thread that was put into a page by its server, for any page of any origin."""
    answer = current_app.send_static_file("thread.css")
    answer.cache_control.no_cache = None
    answer.cache_control.public = True
    answer.cache_control.max_age = STYLE_CACHE_S
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@pages.get("/favicon.ico")
def icon() -> Response:
    """The picture for a tab, where a page does not say which."""
    return current_app.send_static_file("icon.svg")
