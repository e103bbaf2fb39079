"""The console's pages of webhooks: endpoints with how they fare, and the log of what was sent to them."""

import json
import uuid
from typing import Any

from flask import Response
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.domain.comment import EVENTS
from moderation.errors import Conflict, Invalid
from moderation.services import deliver
from moderation.web import console_admin
from moderation.web.console import _actor, console
from moderation.web.console_admin import Place, asked, back, chosen, cursor, page, pages, typed
from moderation.web.guards import parts

SHOWN = 25
STATES = {"": "all", "pending": "on their way", "delivered": "delivered", "failed": "failed"}
"""What the log can show, and what it is called."""

_KEEPS = "Your receiver checks with it that an event came from here."


@console.get("/webhooks")
def list_webhooks() -> Response:
    """The endpoints of a site, and the form to add one."""
    return _list(console_admin.place(Role.ADMIN), {"events": list(EVENTS)})


@console.post("/webhooks")
def add_webhook() -> AnyResponse:
    """Add an endpoint. Its secret is on this page alone."""
    at = console_admin.place(Role.ADMIN)
    form: dict[str, Any] = {**typed("url"), "events": chosen("events")}
    try:
        made = deliver.add_endpoint(parts(), _actor(), at.key, form["url"].strip(), _events(form["events"]))
    except Invalid as error:
        return _list(at, form, 422, problems=error.fields)
    except Conflict as error:
        return _list(at, form, 409, problems={"": [error.detail]})
    return _one(made["id"], secret=made["secret"])


@console.get("/webhooks/<id:webhook_id>")
def show_webhook(webhook_id: uuid.UUID) -> Response:
    """One endpoint, and the log of its deliveries."""
    return _one(webhook_id)


@console.post("/webhooks/<id:webhook_id>")
def change_webhook(webhook_id: uuid.UUID) -> AnyResponse:
    """Change where an endpoint is, what it is told, or switch it on or off."""
    form: dict[str, Any] = {**typed("url", "active"), "events": chosen("events")}
    state = "active" if form["active"] == "on" else "disabled"
    try:
        there = deliver.show_endpoint(parts(), _actor(), webhook_id)
        deliver.change_endpoint(
            parts(),
            _actor(),
            webhook_id,
            url=form["url"].strip(),
            events=_events(form["events"]),
            # To say "active" again would forget since when it fails.
            state=None if state == there["state"] else state,
        )
    except Invalid as error:
        return _one(webhook_id, form, 422, problems=error.fields)
    return back("console.show_webhook", "saved", webhook_id=webhook_id)


@console.post("/webhooks/<id:webhook_id>/rotate")
def rotate_webhook(webhook_id: uuid.UUID) -> Response:
    """Give an endpoint a new secret, which is on this page alone."""
    made = deliver.rotate_secret(parts(), _actor(), webhook_id)
    return _one(webhook_id, secret=made["secret"])


@console.post("/webhooks/<id:webhook_id>/test")
def test_webhook(webhook_id: uuid.UUID) -> Response:
    """Send a signed test now, and say what came back."""
    return _one(webhook_id, ping=deliver.ping_endpoint(parts(), _actor(), webhook_id))


@console.post("/webhooks/<id:webhook_id>/replay")
def replay_webhook(webhook_id: uuid.UUID) -> AnyResponse:
    """Send again all that failed."""
    try:
        done = deliver.replay_failed(parts(), _actor(), webhook_id)
    except Conflict as error:
        return _one(webhook_id, None, 409, problems={"": [error.detail]})
    return _one(webhook_id, replayed=done)


@console.post("/webhooks/<id:webhook_id>/remove")
def remove_webhook(webhook_id: uuid.UUID) -> AnyResponse:
    """Remove an endpoint with its log."""
    site = deliver.show_endpoint(parts(), _actor(), webhook_id)["site"]
    deliver.remove_endpoint(parts(), _actor(), webhook_id)
    return back("console.list_webhooks", "removed", site=site)


@console.get("/deliveries/<id:delivery_id>")
def show_delivery(delivery_id: uuid.UUID) -> Response:
    """One delivery: what was sent, each try, and what was answered."""
    return _delivery(delivery_id)


@console.post("/deliveries/<id:delivery_id>/replay")
def replay_delivery(delivery_id: uuid.UUID) -> AnyResponse:
    """Send a delivery again."""
    try:
        deliver.replay_delivery(parts(), _actor(), delivery_id)
    except Conflict as error:
        return _delivery(delivery_id, 409, {"": [error.detail]})
    return back("console.show_delivery", "replayed", delivery_id=delivery_id)


def _events(ticked: list[str]) -> list[str]:
    """All of them ticked is the same as none named: what is new in a later version is told too."""
    if not ticked:
        raise Invalid({"events": ["Choose one at least."]})
    return [] if set(ticked) == set(EVENTS) else ticked


def health_of(endpoint: dict[str, Any]) -> dict[str, str]:
    """How an endpoint fares: a word, and the class that colours it."""
    if endpoint["state"] != "active":
        return {"word": "switched off", "look": "warn"}
    if endpoint["failing_since"] is not None:
        return {"word": "failing", "look": "bad"}
    return {"word": "healthy", "look": "good"}


def _list(at: Place, form: dict[str, Any], status: int = 200, **more: Any) -> Response:
    found = deliver.list_endpoints(parts(), _actor(), at.key, limit=SHOWN, cursor=cursor())
    health = {one["id"]: health_of(one) for one in found["items"]}
    return page(
        "webhooks",
        "webhooks",
        at,
        status,
        form=form,
        found=found,
        health=health,
        events=EVENTS,
        **pages(found, "console.list_webhooks", site=at.key),
        **more,
    )


def _one(webhook_id: uuid.UUID, form: dict[str, Any] | None = None, status: int = 200, **more: Any) -> Response:
    endpoint = deliver.show_endpoint(parts(), _actor(), webhook_id)
    state = asked("state")
    state = state if state in STATES else ""
    log = deliver.list_deliveries(parts(), _actor(), webhook_id, state=state or None, limit=SHOWN, cursor=cursor())
    kept = {
        "url": endpoint["url"],
        "active": "on" if endpoint["state"] == "active" else "",
        "events": endpoint["events"] or list(EVENTS),
    }
    shown = {"secret": None, "ping": None, "replayed": None, **more}
    return page(
        "webhook",
        "webhooks",
        None,
        status,
        form=form or kept,
        endpoint=endpoint,
        health=health_of(endpoint),
        events=EVENTS,
        log=log,
        state=state,
        states=STATES,
        site_key=endpoint["site"],
        keeps=_KEEPS,
        **pages(log, "console.show_webhook", webhook_id=webhook_id, state=state),
        **shown,
    )


def _delivery(delivery_id: uuid.UUID, status: int = 200, problems: dict[str, list[str]] | None = None) -> Response:
    found = deliver.show_delivery(parts(), _actor(), delivery_id)
    endpoint = deliver.show_endpoint(parts(), _actor(), found["endpoint_id"])
    payload = json.dumps(found["payload"], indent=2, ensure_ascii=False)
    return page(
        "delivery",
        "webhooks",
        None,
        status,
        found=found,
        endpoint=endpoint,
        payload=payload,
        states=STATES,
        site_key=endpoint["site"],
        problems=problems or {},
    )
