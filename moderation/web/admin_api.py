"""For admins: sites, threads, external scorers, webhooks, tokens, moderators. The same tokens, the role ``admin``."""

import uuid
from typing import Any

from moderation.services import accounts, deliver, scorers, sign_on, sites
from moderation.web import guards, schemas
from moderation.web.calls import Calls, actor, idempotency

calls = Calls("admin", "/api/v1", "For admins: the set-up of sites.", secured=True)


# --- sites and threads -----------------------------------------------------------------------------------------------


@calls.call("GET", "/sites", query=schemas.Paged, answer=schemas.SitesOut)
def list_sites(query: dict[str, Any]) -> Any:
    """List the sites that one may look at."""
    return sites.list_sites(guards.parts(), actor(), **query)


@calls.call(
    "POST", "/sites", body=schemas.SiteIn, answer=schemas.SiteOut, status=201, creates=True, doc={"x-conflict": True},
    example={"key": "news", "name": "The News", "origins": ["https://news.example"], "settings": {"policy": "hold"}},
)  # fmt: skip
def add_site(body: dict[str, Any]) -> Any:
    """Add a site; for admins of all sites."""
    return sites.add_site(guards.parts(), actor(), **body, idem=idempotency())


@calls.call("GET", "/sites/<site:site>", answer=schemas.SiteOut)
def show_site(site: str) -> Any:
    """Show a site with all its settings."""
    return sites.show_site(guards.parts(), actor(), site)


@calls.call("PATCH", "/sites/<site:site>", body=schemas.SiteChangeIn, answer=schemas.SiteOut, doc={"x-conflict": True})
def change_site(site: str, body: dict[str, Any]) -> Any:
    """Change what is given, leave the rest."""
    return sites.change_site(guards.parts(), actor(), site, **body)


@calls.call("POST", "/sites/<site:site>/raid", body=schemas.RaidIn, answer=schemas.SiteOut, example={"do": "end"})
def steer_raid(site: str, body: dict[str, Any]) -> Any:
    """Hold raid mode on, give it back to the figures, or end it; for moderators of the site."""
    return sites.steer_raid(guards.parts(), actor(), site, body["do"])


@calls.call("GET", "/threads", query=schemas.SitePaged, answer=schemas.ThreadsOut)
def list_threads(query: dict[str, Any]) -> Any:
    """List a site's threads, newest first."""
    return sites.list_threads(guards.parts(), actor(), query["site"], limit=query["limit"], cursor=query["cursor"])


@calls.call(
    "PATCH", "/threads/<id:thread_id>", query=schemas.SiteQuery, body=schemas.ThreadChangeIn, answer=schemas.ThreadOut
)
def change_thread(thread_id: uuid.UUID, query: dict[str, Any], body: dict[str, Any]) -> Any:
    """Close or open a thread for new comments, or give it another title."""
    return sites.change_thread(guards.parts(), actor(), query["site"], thread_id, **body)


# --- external scorers ------------------------------------------------------------------------------------------------


@calls.call("GET", "/scorers", query=schemas.ScopePaged, answer=schemas.ScorersOut)
def list_scorers(query: dict[str, Any]) -> Any:
    """List the external scorers of a site, or with `*` those for all sites."""
    return scorers.list_scorers(guards.parts(), actor(), query["site"], limit=query["limit"], cursor=query["cursor"])


@calls.call(
    "POST", "/scorers", body=schemas.ScorerIn, answer=schemas.ScorerOut, status=201, creates=True,
    doc={"x-conflict": True},
    example={"site": "news", "name": "house", "kind": "http", "url": "https://scorer.example/", "deadline_ms": 0},
)  # fmt: skip
def add_scorer(body: dict[str, Any]) -> Any:
    """Add an external scorer. A signing `secret` that the service makes is in this answer alone."""
    site_key = body.pop("site")
    return scorers.add_scorer(guards.parts(), actor(), site_key, **body, idem=idempotency())


@calls.call("GET", "/scorers/<id:scorer_id>", answer=schemas.ScorerOut)
def show_scorer(scorer_id: uuid.UUID) -> Any:
    """Show an external scorer, without its secret."""
    return scorers.show_scorer(guards.parts(), actor(), scorer_id)


@calls.call("PATCH", "/scorers/<id:scorer_id>", body=schemas.ScorerChangeIn, answer=schemas.ScorerOut)
def change_scorer(scorer_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Change what is given, leave the rest. What waits for a disabled scorer goes on waiting."""
    return scorers.change_scorer(guards.parts(), actor(), scorer_id, **body)


@calls.call("DELETE", "/scorers/<id:scorer_id>", status=204)
def remove_scorer(scorer_id: uuid.UUID) -> None:
    """Remove an external scorer. Comments that wait for it are left to the moderators."""
    scorers.remove_scorer(guards.parts(), actor(), scorer_id)


@calls.call("POST", "/scorers/<id:scorer_id>/test", body=schemas.ScorerTestIn, answer=schemas.ScorerTestOut)
def test_scorer(scorer_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Ask a scorer about a text now. Nothing is stored."""
    return scorers.try_scorer(guards.parts(), actor(), scorer_id, body["text"])


@calls.call(
    "POST", "/scorers/<id:scorer_id>/retry", body=schemas.Nothing, body_required=False, answer=schemas.ScorerRetriedOut
)
def retry_scorer(scorer_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Ask a scorer again about the comments for which it never answered."""
    return scorers.retry_scorer(guards.parts(), actor(), scorer_id)


# --- webhooks --------------------------------------------------------------------------------------------------------


@calls.call("GET", "/webhooks", query=schemas.SitePaged, answer=schemas.WebhooksOut)
def list_webhooks(query: dict[str, Any]) -> Any:
    """List a site's endpoints."""
    return deliver.list_endpoints(guards.parts(), actor(), query["site"], limit=query["limit"], cursor=query["cursor"])


@calls.call(
    "POST", "/webhooks", body=schemas.WebhookIn, answer=schemas.WebhookOut, status=201, creates=True,
    doc={"x-conflict": True}, example={"site": "news", "url": "https://news.example/hooks/comments"},
)  # fmt: skip
def add_webhook(body: dict[str, Any]) -> Any:
    """Add an endpoint. Its `secret` is in this answer alone."""
    return deliver.add_endpoint(guards.parts(), actor(), body["site"], body["url"], body["events"], idem=idempotency())


@calls.call("GET", "/webhooks/<id:webhook_id>", answer=schemas.WebhookOut)
def show_webhook(webhook_id: uuid.UUID) -> Any:
    """Show an endpoint, without its secret."""
    return deliver.show_endpoint(guards.parts(), actor(), webhook_id)


@calls.call("PATCH", "/webhooks/<id:webhook_id>", body=schemas.WebhookChangeIn, answer=schemas.WebhookOut)
def change_webhook(webhook_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Change what is given, leave the rest. The state `active` switches a disabled endpoint on again."""
    return deliver.change_endpoint(guards.parts(), actor(), webhook_id, **body)


@calls.call("DELETE", "/webhooks/<id:webhook_id>", status=204)
def remove_webhook(webhook_id: uuid.UUID) -> None:
    """Remove an endpoint with its delivery log."""
    deliver.remove_endpoint(guards.parts(), actor(), webhook_id)


@calls.call(
    "POST", "/webhooks/<id:webhook_id>/rotate", body=schemas.Nothing, body_required=False, answer=schemas.WebhookOut
)
def rotate_webhook(webhook_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Give an endpoint a new `secret`, shown in this answer alone. For 24 hours the one before signs too."""
    return deliver.rotate_secret(guards.parts(), actor(), webhook_id)


@calls.call("POST", "/webhooks/<id:webhook_id>/test", body=schemas.Nothing, body_required=False, answer=schemas.PingOut)
def test_webhook(webhook_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Send a signed `webhook.ping` now, and say what came back."""
    return deliver.ping_endpoint(guards.parts(), actor(), webhook_id)


@calls.call("GET", "/webhooks/<id:webhook_id>/deliveries", query=schemas.DeliveriesQuery, answer=schemas.DeliveriesOut)
def list_deliveries(webhook_id: uuid.UUID, query: dict[str, Any]) -> Any:
    """List what was or will be sent to an endpoint, newest first."""
    return deliver.list_deliveries(guards.parts(), actor(), webhook_id, **query)


@calls.call(
    "POST", "/webhooks/<id:webhook_id>/replay", body=schemas.ReplayIn, answer=schemas.ReplayedOut,
    doc={"x-conflict": True}, example={"since": "2026-11-01T00:00:00Z", "until": None, "only_failed": True},
)  # fmt: skip
def replay_deliveries(webhook_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Send again what happened in a range of time."""
    return deliver.replay_range(guards.parts(), actor(), webhook_id, **body)


@calls.call("GET", "/deliveries/<id:delivery_id>", answer=schemas.DeliveryWholeOut)
def show_delivery(delivery_id: uuid.UUID) -> Any:
    """Show a delivery with its payload and its tries."""
    return deliver.show_delivery(guards.parts(), actor(), delivery_id)


@calls.call(
    "POST", "/deliveries/<id:delivery_id>/replay", body=schemas.Nothing, body_required=False,
    answer=schemas.DeliveryOut, doc={"x-conflict": True},
)  # fmt: skip
def replay_delivery(delivery_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Send a delivery again, with the same `webhook-id`."""
    return deliver.replay_delivery(guards.parts(), actor(), delivery_id)


# --- single sign-on --------------------------------------------------------------------------------------------------


@calls.call("GET", "/sso-keys", query=schemas.SiteQuery, answer=schemas.SignOnKeysOut)
def list_sign_on_keys(query: dict[str, Any]) -> Any:
    """List the keys by which a site vouches for its readers, without the keys themselves."""
    return sign_on.list_keys(guards.parts(), actor(), query["site"])


@calls.call(
    "POST", "/sso-keys", body=schemas.SignOnKeyIn, answer=schemas.SignOnKeyOut, status=201, creates=True,
    doc={"x-conflict": True}, example={"site": "news", "name": "accounts server"},
)  # fmt: skip
def add_sign_on_key(body: dict[str, Any]) -> Any:
    """Add a key. A `secret` that the service makes is in this answer alone.

    Switch it on for the site's readers with the setting `sso`: `optional` or `required`.
    """
    return sign_on.add_key(
        guards.parts(),
        actor(),
        body["site"],
        name=body["name"],
        secret=body["secret"],
        public_key=body["public_key"],
        idem=idempotency(),
    )


@calls.call("DELETE", "/sso-keys/<id:key_id>", status=204)
def remove_sign_on_key(key_id: uuid.UUID) -> None:
    """Remove a key; what it signed is not believed any more."""
    sign_on.remove_key(guards.parts(), actor(), key_id)


# --- tokens and moderators -------------------------------------------------------------------------------------------


@calls.call("GET", "/tokens", query=schemas.OptionalSitePaged, answer=schemas.TokensOut)
def list_tokens(query: dict[str, Any]) -> Any:
    """List tokens, without the tokens themselves."""
    return accounts.list_tokens(
        guards.parts(), actor(), site_key=query["site"], limit=query["limit"], cursor=query["cursor"]
    )


@calls.call(
    "POST", "/tokens", body=schemas.TokenIn, answer=schemas.TokenOut, status=201, creates=True,
    example={"site": "news", "role": "moderator", "name": "newsroom tool"},
)  # fmt: skip
def add_token(body: dict[str, Any]) -> Any:
    """Add a token. The `token` itself is in this answer alone."""
    return accounts.add_token(
        guards.parts(), actor(), body["site"], body["role"], body["name"], body["expires_at"], idem=idempotency()
    )


@calls.call("DELETE", "/tokens/<id:token_id>", status=204)
def revoke_token(token_id: uuid.UUID) -> None:
    """Revoke a token, at once."""
    accounts.revoke_token(guards.parts(), actor(), token_id)


@calls.call("GET", "/moderators", query=schemas.OptionalSitePaged, answer=schemas.ModeratorsOut)
def list_moderators(query: dict[str, Any]) -> Any:
    """List the people who log in to the console."""
    return accounts.list_moderators(
        guards.parts(), actor(), site_key=query["site"], limit=query["limit"], cursor=query["cursor"]
    )


@calls.call(
    "POST", "/moderators", body=schemas.ModeratorIn, answer=schemas.ModeratorOut, status=201, creates=True,
    doc={"x-conflict": True}, example={"name": "Ana", "site": "news", "role": "moderator"},
)  # fmt: skip
def add_moderator(body: dict[str, Any]) -> Any:
    """Add a person. A `password` that the service makes is in this answer alone."""
    return accounts.add_moderator(
        guards.parts(), actor(), body["name"], body["password"], body["role"], body["site"], idem=idempotency()
    )


@calls.call("PATCH", "/moderators/<id:moderator_id>", body=schemas.ModeratorChangeIn, answer=schemas.ModeratorOut)
def change_moderator(moderator_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Change a person's roles, lock them out, or set a password. Their sessions end."""
    return accounts.change_moderator(guards.parts(), actor(), moderator_id, **body)


@calls.call("DELETE", "/moderators/<id:moderator_id>", status=204)
def remove_moderator(moderator_id: uuid.UUID) -> None:
    """Remove a person. What they decided stays, with their name."""
    accounts.remove_moderator(guards.parts(), actor(), moderator_id)
