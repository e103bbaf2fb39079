"""A database of either kind with no application around it."""

from collections.abc import Iterator

import pytest
from flask import Flask

from moderation.settings import Settings
from moderation.storage.db import db, engine_options


@pytest.fixture
def database(settings: Settings) -> Iterator[Flask]:
    """The smallest thing that ``write()`` and ``read()`` work in; its context is pushed. Threads push their own."""
    app = Flask("database")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    db.init_app(app)
    with app.app_context():
        yield app
        db.engine.dispose()
