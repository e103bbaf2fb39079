"""Keys by which sites vouch for their readers, and who is known by one"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Utc

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_on_keys",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("algorithm", sa.String(length=10), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("algorithm IN ('HS256', 'EdDSA')", name=op.f("ck_sign_on_keys_algorithm")),
        sa.CheckConstraint("length(name) <= 100", name=op.f("ck_sign_on_keys_name_length")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_sign_on_keys_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_on_keys")),
        sa.UniqueConstraint("mark", name=op.f("uq_sign_on_keys_mark")),
    )
    with op.batch_alter_table("sign_on_keys", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_sign_on_keys_site_id"), ["site_id"], unique=False)
    op.add_column("authors", sa.Column("person_key", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_authors_person",
        "authors",
        ["site_id", "person_key"],
        unique=True,
        sqlite_where=sa.text("person_key IS NOT NULL"),
        postgresql_where=sa.text("person_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_authors_person", table_name="authors")
    op.drop_column("authors", "person_key")
    op.drop_table("sign_on_keys")
