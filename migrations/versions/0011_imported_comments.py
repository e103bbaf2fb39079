"""Which comments came from another system, and under which id there"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported",
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("source", sa.String(length=250), nullable=False),
        sa.Column("source_id", sa.String(length=250), nullable=False),
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("waits_for", sa.String(length=250), nullable=True),
        sa.CheckConstraint("length(source) <= 250", name=op.f("ck_imported_source_length")),
        sa.CheckConstraint("length(source_id) <= 250", name=op.f("ck_imported_source_id_length")),
        sa.CheckConstraint("length(waits_for) <= 250", name=op.f("ck_imported_waits_for_length")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_imported_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("site_id", "source", "source_id", name=op.f("pk_imported")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("imported", schema=None) as batch_op:
        batch_op.create_index("ix_imported_comment", ["comment_id"], unique=False)
        batch_op.create_index(
            "ix_imported_waiting",
            ["site_id", "source", "source_id"],
            unique=False,
            sqlite_where=sa.text("waits_for IS NOT NULL"),
            postgresql_where=sa.text("waits_for IS NOT NULL"),
        )


def downgrade() -> None:
    op.drop_table("imported")
