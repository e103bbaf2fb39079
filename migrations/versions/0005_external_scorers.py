"""External scorers, and the comments that they are still to be asked about"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Json, Utc

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scorers",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("options", Json, nullable=False),
        sa.Column("deadline_ms", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('http', 'perspective', 'akismet', 'openai_moderation', 'openai_chat')",
            name=op.f("ck_scorers_kind"),
        ),
        sa.CheckConstraint("state IN ('active', 'disabled')", name=op.f("ck_scorers_state")),
        sa.CheckConstraint("deadline_ms >= 0 AND deadline_ms <= 2000", name=op.f("ck_scorers_deadline_ms")),
        sa.CheckConstraint("length(name) <= 30", name=op.f("ck_scorers_name_length")),
        sa.CheckConstraint("length(url) <= 2000", name=op.f("ck_scorers_url_length")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_scorers_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scorers")),
        sa.UniqueConstraint("site_id", "name", name=op.f("uq_scorers_site_id_name")),
    )
    op.create_table(
        "scorings",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("scorer_id", Id(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("may_approve", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Utc(), nullable=False),
        sa.Column("lease_token", Id(), nullable=True),
        sa.Column("leased_until", Utc(), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'failed')", name=op.f("ck_scorings_state")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_scorings_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["scorer_id"], ["scorers.id"], name=op.f("fk_scorings_scorer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scorings")),
        sa.UniqueConstraint("comment_id", "scorer_id", name=op.f("uq_scorings_comment_id_scorer_id")),
    )
    with op.batch_alter_table("scorings", schema=None) as batch_op:
        batch_op.create_index("ix_scorings_due", ["scorer_id", "state", "due_at", "id"], unique=False)
        batch_op.create_index(
            "ix_scorings_leased",
            ["scorer_id", "leased_until"],
            unique=False,
            sqlite_where=sa.text("lease_token IS NOT NULL"),
            postgresql_where=sa.text("lease_token IS NOT NULL"),
        )


def downgrade() -> None:
    op.drop_table("scorings")
    op.drop_table("scorers")
