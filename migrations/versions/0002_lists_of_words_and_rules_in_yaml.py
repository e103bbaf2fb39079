"""Lists of words, rules in YAML, and rules for a language or a spelling"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Utc

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("language", sa.String(length=2), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("exact", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("part", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_constraint(batch_op.f("uq_rules_site_id_kind_value"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_rules_site_id_kind_value_language"), ["site_id", "kind", "value", "language"]
        )
    # The default was for the rows that were there.
    with op.batch_alter_table("rules", schema=None) as batch_op:
        for name in ("language", "exact", "part"):
            batch_op.alter_column(name, server_default=None)

    op.create_table(
        "word_lists",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("part", sa.Boolean(), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.CheckConstraint("action IN ('score', 'hold', 'spam', 'allow')", name=op.f("ck_word_lists_action")),
        sa.CheckConstraint("length(entries) <= 2000000", name=op.f("ck_word_lists_entries_length")),
        sa.CheckConstraint("length(name) <= 64", name=op.f("ck_word_lists_name_length")),
        sa.CheckConstraint("weight >= -1 AND weight <= 1", name=op.f("ck_word_lists_weight")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_word_lists_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_word_lists")),
        sa.UniqueConstraint("site_id", "name", name=op.f("uq_word_lists_site_id_name")),
    )
    with op.batch_alter_table("word_lists", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_word_lists_site_id"), ["site_id"], unique=False)

    op.create_table(
        "automod",
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.CheckConstraint("length(text) <= 65536", name=op.f("ck_automod_text_length")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_automod_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_automod")),
    )


def downgrade() -> None:
    op.drop_table("automod")
    with op.batch_alter_table("word_lists", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_word_lists_site_id"))

    op.drop_table("word_lists")
    # Without its language, a rule may be there twice: the older one stays.
    op.execute(
        "DELETE FROM rules WHERE EXISTS (SELECT 1 FROM rules AS older WHERE older.kind = rules.kind "
        "AND older.value = rules.value AND older.id < rules.id AND (older.site_id = rules.site_id "
        "OR (older.site_id IS NULL AND rules.site_id IS NULL)))"
    )
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_rules_site_id_kind_value_language"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_rules_site_id_kind_value"), ["site_id", "kind", "value"])
        batch_op.drop_column("part")
        batch_op.drop_column("exact")
        batch_op.drop_column("language")
