"""Whether a site is under a raid, and since when"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Utc

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

NAMES = ("raid_since", "raid_busy_at", "raid_not_before")


def upgrade() -> None:
    for name in NAMES:
        op.add_column("sites", sa.Column(name, Utc(), nullable=True))


def downgrade() -> None:
    for name in NAMES:
        op.drop_column("sites", name)
