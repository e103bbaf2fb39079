"""Notices by mail: readers' subscriptions, moderators' mailboxes, and the mails on their way"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import Id, Utc

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("email_index", sa.LargeBinary(), nullable=False),
        sa.Column("email_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=True),
        sa.CheckConstraint("state IN ('asked', 'confirmed', 'stopped')", name=op.f("ck_subscriptions_state")),
        sa.CheckConstraint("(state = 'stopped') = (email_sealed IS NULL)", name=op.f("ck_subscriptions_email_sealed")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_subscriptions_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("site_id", "email_index", name=op.f("uq_subscriptions_site_id_email_index")),
        sa.UniqueConstraint("site_id", "id", name=op.f("uq_subscriptions_site_id_id")),
    )
    op.create_index("ix_subscriptions_expires_at", "subscriptions", ["expires_at"], unique=False)
    op.create_table(
        "watches",
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("subscription_id", Id(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_watches_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "subscription_id"],
            ["subscriptions.site_id", "subscriptions.id"],
            name=op.f("fk_watches_site_id_subscription_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_watches")),
    )
    op.create_index("ix_watches_subscription_id", "watches", ["subscription_id"], unique=False)
    op.create_table(
        "mailboxes",
        sa.Column("id", Id(), nullable=False),
        sa.Column("moderator_id", Id(), nullable=False),
        sa.Column("email_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=10), nullable=False),
        sa.Column("asked_at", Utc(), nullable=False),
        sa.Column("confirmed_at", Utc(), nullable=True),
        sa.Column("due_at", Utc(), nullable=True),
        sa.Column("told", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("digest IN ('off', 'hourly', 'daily')", name=op.f("ck_mailboxes_digest")),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["moderators.id"], name=op.f("fk_mailboxes_moderator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailboxes")),
        sa.UniqueConstraint("moderator_id", name=op.f("uq_mailboxes_moderator_id")),
    )
    op.create_table(
        "mails",
        sa.Column("id", Id(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("subscription_id", Id(), nullable=True),
        sa.Column("comment_id", Id(), nullable=True),
        sa.Column("mailbox_id", Id(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Utc(), nullable=False),
        sa.Column("lease_token", Id(), nullable=True),
        sa.Column("leased_until", Utc(), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("kind IN ('confirm', 'reply', 'address', 'digest')", name=op.f("ck_mails_kind")),
        sa.CheckConstraint("state IN ('pending', 'sent', 'failed')", name=op.f("ck_mails_state")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_mails_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "subscription_id"],
            ["subscriptions.site_id", "subscriptions.id"],
            name=op.f("fk_mails_site_id_subscription_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailboxes.id"], name=op.f("fk_mails_mailbox_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("subscription_id", "comment_id", name=op.f("uq_mails_subscription_id_comment_id")),
    )
    op.create_index("ix_mails_mailbox_id", "mails", ["mailbox_id"], unique=False)
    op.create_index("ix_mails_created_at", "mails", ["created_at"], unique=False)
    op.create_index(
        "ix_mails_due",
        "mails",
        ["due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_mails_comment",
        "mails",
        ["comment_id"],
        unique=False,
        sqlite_where=sa.text("comment_id IS NOT NULL"),
        postgresql_where=sa.text("comment_id IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("mails", "mailboxes", "watches", "subscriptions"):
        op.drop_table(table)
