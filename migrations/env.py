"""Runs the migrations on the connection that ``moderation.storage.schema`` hands over."""

from alembic import context

from moderation.storage import models  # noqa: F401  (fills the metadata)
from moderation.storage.db import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=False,
)
context.run_migrations()
