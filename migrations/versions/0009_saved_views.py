"""Saved views of the queue"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Json, Utc

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", Id(), nullable=False),
        sa.Column("moderator_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("filters", Json, nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("length(name) <= 60", name=op.f("ck_saved_views_name_length")),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["moderators.id"], name=op.f("fk_saved_views_moderator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("moderator_id", "name", name=op.f("uq_saved_views_moderator_id_name")),
    )


def downgrade() -> None:
    op.drop_table("saved_views")
