"""Groups of alike comments, and by which scorer a comment was judged"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Json

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The old bands are of another kind: 'moderation regroup' makes new ones of the texts.
    op.execute("DELETE FROM fingerprints")
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
    op.execute("DELETE FROM fingerprints")
