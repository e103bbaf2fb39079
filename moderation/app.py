"""The one place where the parts are joined."""

from flask import Flask

from moderation import logs
from moderation.adapters import identity_provider
from moderation.adapters.identity_provider import IdentityProvider
from moderation.adapters.mail import Mailer
from moderation.adapters.passwords import Passwords
from moderation.adapters.safe_http import Sender
from moderation.adapters.sanitizer import Renderer
from moderation.adapters.scorers.client import MAX_ANSWER_BYTES, Client
from moderation.adapters.vault import Vault
from moderation.scoring.pipeline import Pipeline
from moderation.services.parts import Clock, Parts, utc_now
from moderation.settings import Settings
from moderation.storage.db import REPLICA, db, engine_options

OIDC_TIMEOUT_S = 5.0
"""A person waits for these answers, and a thread of the server with them."""


def create_app(
    settings: Settings, *, clock: Clock = utc_now, pipeline: Pipeline | None = None, sender: Sender | None = None
) -> Flask:
    """Build the application. The keyword arguments are the seams that tests replace."""
    from moderation.web import routes  # a second of imports and of describing addresses, which no command needs

    app = without_pages(settings, clock=clock, pipeline=pipeline, sender=sender)
    routes.install(app)
    return app


def without_pages(
    settings: Settings, *, clock: Clock = utc_now, pipeline: Pipeline | None = None, sender: Sender | None = None
) -> Flask:
    """The database and the joined parts, and no address to call: enough for the use cases."""
    logs.configure(settings)
    app = Flask("moderation.web")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    if settings.replica_url:
        app.config["SQLALCHEMY_BINDS"] = {REPLICA: {"url": settings.replica_url, **engine_options(settings)}}
    db.init_app(app)
    app.extensions["moderation"] = Parts(
        settings=settings,
        vault=Vault(settings),
        passwords=Passwords(),
        renderer=Renderer(settings.sanitizer),
        pipeline=pipeline or Pipeline(),
        sender=sender
        or Sender(
            allow_networks=settings.webhook_allow_networks,
            allow_http=settings.webhook_allow_http,
            timeout_s=settings.webhook_timeout_s,
        ),
        scorers=Client(
            Sender(
                allow_networks=settings.scorer_allow_networks,
                timeout_s=settings.scorer_timeout_s,
                max_body_bytes=MAX_ANSWER_BYTES,
            )
        ),
        provider=_provider(settings) if settings.has_oidc else None,
        mailer=Mailer(settings) if settings.has_mail else None,
        clock=clock,
    )
    return app


def _provider(settings: Settings) -> IdentityProvider:
    sender = Sender(
        allow_networks=settings.oidc_allow_networks,
        timeout_s=OIDC_TIMEOUT_S,
        max_body_bytes=identity_provider.MAX_ANSWER_BYTES,
    )
    return IdentityProvider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, sender)
