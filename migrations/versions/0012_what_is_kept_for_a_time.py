"""What is kept for a time is found by indexes; where the chains of the audit log end"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEPT = {
    "addresses": "email_sealed IS NOT NULL",
    "networks": "ip_network <> ''",
    "refused": "state IN ('rejected', 'spam', 'trashed') AND body <> ''",
}


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("begun", sa.String(length=10), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("trail", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_heads")),
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        for name, having in KEPT.items():
            batch_op.create_index(
                f"ix_comments_{name}",
                ["site_id", "created_at", "id"],
                unique=False,
                sqlite_where=sa.text(having),
                postgresql_where=sa.text(having),
            )


def downgrade() -> None:
    with op.batch_alter_table("comments", schema=None) as batch_op:
        for name in KEPT:
            batch_op.drop_index(f"ix_comments_{name}")
    op.drop_table("audit_heads")
