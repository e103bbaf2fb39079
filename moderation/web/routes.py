"""All routes of the service, joined to the application in the order in which they guard, answer and are described."""

from flask import Flask

from moderation.domain.times import rfc3339
from moderation.services.parts import Parts
from moderation.web import (
    admin_api,
    console,
    console_accounts,  # noqa: F401 - its pages are the console's
    console_audit,  # noqa: F401 - likewise
    console_figures,  # noqa: F401 - likewise
    console_learned,  # noqa: F401 - likewise
    console_lists,  # noqa: F401 - likewise
    console_notices,  # noqa: F401 - likewise
    console_organisation,  # noqa: F401 - likewise
    console_privacy,  # noqa: F401 - likewise
    console_queue,  # noqa: F401 - likewise
    console_raid,  # noqa: F401 - likewise
    console_rules,  # noqa: F401 - likewise
    console_scorers,  # noqa: F401 - likewise
    console_second_factor,  # noqa: F401 - likewise
    console_settings,  # noqa: F401 - likewise
    console_webhooks,  # noqa: F401 - likewise
    docs,
    feeds,
    forms,
    fragments,
    guards,
    health,
    json_bodies,
    learned_api,
    logs,
    notices,
    pages,
    privacy_api,
    problems,
    public_api,
    queue_api,
    receipts,
    replay,
    rules_api,
    widget,
)
from moderation.web.compat import akismet, coral, perspective
from moderation.web.demo import views as demo_views

CALLS = (
    *(public_api, feeds, fragments, forms, receipts),
    *(queue_api, learned_api, rules_api, privacy_api, admin_api, akismet, perspective, coral, health),
)
"""Rooms of documented calls, in the order of the document."""

DIALECTS = {
    "/1.1/": akismet.error,
    "/1.2/": akismet.error,
    "/v1alpha1/": perspective.error,
    "/$discovery/": perspective.error,
    "/coral/": coral.error,
}
"""Where errors are worded as other protocols word them."""


def install(app: Flask) -> None:
    """Register guards, error answers and every route."""
    parts: Parts = app.extensions["moderation"]
    app.json = json_bodies.Json(app)
    app.jinja_env.filters["rfc3339"] = rfc3339
    app.jinja_env.filters["code_words"] = docs.code_words
    # Last registered runs first after a view: headers are set before they are counted and logged.
    logs.install(app)
    health.install(app)
    guards.install(app, parts.settings)
    problems.install(app, DIALECTS)
    api = docs.make_api(app)
    for room in CALLS:
        docs.register(api, room.calls)
    docs.finish(app, api)
    app.register_blueprint(docs.pages)
    app.register_blueprint(pages.pages)
    app.register_blueprint(widget.widget)
    app.register_blueprint(notices.pages)
    app.register_blueprint(console.console)
    if parts.settings.demo:
        app.register_blueprint(demo_views.blueprint(parts.settings.home, parts.settings.public_url))
    replay.install(app)
