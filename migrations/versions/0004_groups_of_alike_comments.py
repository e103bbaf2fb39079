"""Groups of alike comments, and by which scorer a comment was judged"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The old bands are of another kind: 'moderation regroup' makes new ones of the texts.
    _make_fingerprints_anew(sqlite_with_rowid=False)
    op.drop_column("comments", "simhash")
    op.add_column("comments", sa.Column("sketch", sa.LargeBinary(), nullable=True))
    op.add_column("comments", sa.Column("alike_key", sa.LargeBinary(), nullable=True))
    op.add_column("comments", sa.Column("scorer_version", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_comments_alike", "comments", ["site_id", "alike_key", "id", "state"], unique=False)
    op.add_column("signals", sa.Column("scores", Json, nullable=False, server_default="{}"))
    op.add_column("signals", sa.Column("forces", sa.String(length=10), nullable=True))


def downgrade() -> None:
    op.drop_column("signals", "forces")
    op.drop_column("signals", "scores")
    op.drop_index("ix_comments_alike", "comments")
    for name in ("scorer_version", "alike_key", "sketch"):
        op.drop_column("comments", name)
    op.add_column("comments", sa.Column("simhash", sa.BigInteger(), nullable=True))
    _make_fingerprints_anew()


def _make_fingerprints_anew(**options: bool) -> None:
    """Empty. On SQLite without row ids: the rows are all key, and would be stored twice."""
    op.drop_table("fingerprints")
    op.create_table(
        "fingerprints",
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("band", sa.BigInteger(), nullable=False),
        sa.Column("comment_id", Id(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_fingerprints_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_fingerprints_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site_id", "band", "comment_id", name=op.f("pk_fingerprints")),
        **options,
    )
    op.create_index("ix_fingerprints_comment", "fingerprints", ["comment_id"], unique=False)
