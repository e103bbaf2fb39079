"""What keys of other protocols are used for, secrets of sites, and texts that were taught"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Utc

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "key_usage",
        sa.Column("token_id", Id(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("blog", sa.String(length=300), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("spam", sa.BigInteger(), nullable=False),
        sa.Column("ham", sa.BigInteger(), nullable=False),
        sa.Column("missed_spam", sa.BigInteger(), nullable=False),
        sa.Column("false_positives", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(blog) <= 300", name=op.f("ck_key_usage_blog_length")),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_key_usage_token_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_id", "month", "blog", name=op.f("pk_key_usage")),
    )
    op.create_table(
        "site_secrets",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("name IN ('coral')", name=op.f("ck_site_secrets_name")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_site_secrets_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_secrets")),
        sa.UniqueConstraint("site_id", "name", name=op.f("uq_site_secrets_site_id_name")),
    )
    with op.batch_alter_table("learned_steps", schema=None) as batch_op:
        batch_op.create_index(
            "ix_learned_steps_text",
            ["site_id", "decision_id", "seq"],
            unique=False,
            sqlite_where=sa.text("comment_id IS NULL"),
            postgresql_where=sa.text("comment_id IS NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("learned_steps", schema=None) as batch_op:
        batch_op.drop_index("ix_learned_steps_text")
    op.drop_table("site_secrets")
    op.drop_table("key_usage")
