"""The demo newspaper's pages; joined to the service only where ``MODERATION_DEMO`` is on."""

from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, jsonify, render_template, request, url_for
from markupsafe import Markup

from moderation.web import fragments
from moderation.web.demo import receiver
from moderation.web.demo.content import ARTICLES, SITE_KEY, SITE_NAME


def blueprint(home: Path, public_url: str) -> Blueprint:
    """The demo's pages under ``/demo``. ``home`` holds its secret and what arrived; ``public_url`` the widget."""
    pages = Blueprint("demo", __name__, url_prefix="/demo")
    pages.add_app_template_filter(long_date)
    pages.add_app_template_filter(emphasis)

    @pages.context_processor
    def names() -> dict[str, Any]:
        return {"paper": SITE_NAME, "site": SITE_KEY, "widget_url": "/embed.js"}

    @pages.get("/")
    def front() -> str:
        return render_template("demo/front.html", articles=ARTICLES)

    @pages.get("/<slug>")
    def article(slug: str) -> str:
        found = next((article for article in ARTICLES if article.slug == slug), None)
        if found is None:
            abort(404)
        return render_template(
            "demo/article.html",
            article=found,
            others=[other for other in ARTICLES if other is not found],
            page_url=public_url + url_for("demo.article", slug=slug),
            feed_url=f"{public_url}/sites/{SITE_KEY}/feed.atom?{urlencode({'thread': slug})}",
            plain=fragments.fragment(
                SITE_KEY,
                thread=slug,
                title=found.headline,
                url=public_url + url_for("demo.article", slug=slug),
                within="1",
                form="1",
                **{name: request.args.get(name, "") for name in ("cursor", "reply_to", "comment")},
            ),
        )

    @pages.get("/webhooks")
    def webhooks() -> str:
        return render_template(
            "demo/webhooks.html",
            arrivals=receiver.arrivals(home),
            feed_url=url_for("demo.arrivals"),
            limit=receiver.LIMIT,
        )

    @pages.get("/webhooks/arrivals")
    def arrivals() -> Response:
        after = request.args.get("after", default=0, type=int)
        answer = jsonify(arrivals=receiver.arrivals(home, after))
        answer.cache_control.no_store = True
        return answer

    @pages.post("/webhooks/receive")
    def receive() -> tuple[str, int]:
        verified = receiver.receive(home, dict(request.headers), request.get_data())
        return ("", 204) if verified else ("The signature is not right.", 400)

    return pages


def long_date(day: date) -> str:
    """``20 November 2026``."""
    return f"{day.day} {day:%B %Y}"


def emphasis(text: str) -> Markup:
    """The text with ``*these words*`` emphasised, all else escaped."""
    parts = text.split("*")
    marked = [
        Markup("<em>{}</em>").format(part) if i % 2 else Markup("{}").format(part) for i, part in enumerate(parts)
    ]
    return Markup("").join(marked)
