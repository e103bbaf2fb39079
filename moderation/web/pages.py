"""The start page, and the widget's script under its short address."""

from flask import Blueprint, Response, current_app, render_template

from moderation import __version__
from moderation.web.guards import parts

WIDGET_CACHE_S = 300
"""How long a browser may use the script or the style without asking again: short, so that a fix reaches them soon."""

pages = Blueprint("pages", __name__)


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"version": __version__, "demo": parts().settings.demo}


@pages.get("/")
def landing() -> str:
    """What this is, and the way to everything else."""
    return render_template("landing.html", public_url=parts().settings.public_url)


@pages.get("/embed.js")
def widget() -> Response:
    """The readers' widget, for any page of any origin."""
    return _for_every_page("embed.js")


@pages.get("/thread.css")
def thread_style() -> Response:
    """The style of a thread that was put into a page by its server; likewise."""
    return _for_every_page("thread.css")


def _for_every_page(name: str) -> Response:
    answer = current_app.send_static_file(name)
    answer.cache_control.no_cache = None
    answer.cache_control.public = True
    answer.cache_control.max_age = WIDGET_CACHE_S
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@pages.get("/favicon.ico")
def icon() -> Response:
    """The picture for a tab, where a page does not say which."""
    return current_app.send_static_file("icon.svg")
