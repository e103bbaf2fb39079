"""What decisions teach"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Utc

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "learned_models",
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("snapshot_version", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=True),
        sa.Column("faded_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_learned_models_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_learned_models")),
    )
    op.create_table(
        "learned_steps",
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("comment_id", Id(), nullable=True),
        sa.Column("decision_id", Id(), nullable=True),
        sa.Column("sign", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.Column("risk", sa.Float(), nullable=False),
        sa.Column("by_text", sa.Float(), nullable=False),
        sa.Column("by_signals", sa.Float(), nullable=False),
        sa.Column("bad", sa.Float(), nullable=False),
        sa.Column("text_rows", sa.LargeBinary(), nullable=False),
        sa.Column("signal_rows", sa.LargeBinary(), nullable=False),
        sa.Column("worth", sa.BigInteger(), nullable=False),
        sa.Column("halvings", sa.Float(), nullable=False),
        sa.Column("faded", sa.Float(), nullable=False),
        sa.CheckConstraint("sign IN (-1, 1)", name=op.f("ck_learned_steps_sign")),
        sa.CheckConstraint("label >= 0 AND label <= 2", name=op.f("ck_learned_steps_label")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_learned_steps_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_learned_steps_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site_id", "seq", name=op.f("pk_learned_steps")),
    )
    with op.batch_alter_table("learned_steps", schema=None) as batch_op:
        batch_op.create_index("ix_learned_steps_comment", ["comment_id", "seq"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("learned_steps", schema=None) as batch_op:
        batch_op.drop_index("ix_learned_steps_comment")

    op.drop_table("learned_steps")
    op.drop_table("learned_models")
