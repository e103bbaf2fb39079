"""The first tables"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import BigKey, Id, Json, Utc

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", BigKey, autoincrement=True, nullable=False),
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor_name", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=20), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sa.UniqueConstraint("chain", "previous", name=op.f("uq_audit_chain_previous")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_chain", ["chain", "seq"], unique=False)
        batch_op.create_index("ix_audit_object", ["object_kind", "object_id", "seq"], unique=False)

    op.create_table(
        "counters",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_counters")),
    )
    with op.batch_alter_table("counters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_counters_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "heartbeats",
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "moderators",
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("disabled_at", Utc(), nullable=True),
        sa.CheckConstraint("length(name) <= 100", name=op.f("ck_moderators_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderators")),
        sa.UniqueConstraint("name", name=op.f("uq_moderators_name")),
    )
    op.create_table(
        "sites",
        sa.Column("id", Id(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("origins", Json, nullable=False),
        sa.Column("settings", Json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("length(key) <= 64", name=op.f("ck_sites_key_length")),
        sa.CheckConstraint("length(name) <= 200", name=op.f("ck_sites_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("key", name=op.f("uq_sites_key")),
    )
    op.create_table(
        "authors",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("approved", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("spam", sa.Integer(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("length(name) <= 100", name=op.f("ck_authors_name_length")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_authors_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authors")),
        sa.UniqueConstraint("site_id", "id", name=op.f("uq_authors_site_id_id")),
    )
    op.create_table(
        "daily_counts",
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_daily_counts_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site_id", "day", "name", "shard", name=op.f("pk_daily_counts")),
    )
    op.create_table(
        "endpoints",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("previous_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", Utc(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("disabled_reason", sa.String(length=200), nullable=False),
        sa.Column("failing_since", Utc(), nullable=True),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'disabled')", name=op.f("ck_endpoints_state")),
        sa.CheckConstraint("length(url) <= 2000", name=op.f("ck_endpoints_url_length")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_endpoints_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoints")),
        sa.UniqueConstraint("site_id", "id", name=op.f("uq_endpoints_site_id_id")),
    )
    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        batch_op.create_index("ix_endpoints_site", ["site_id", "created_at", "id"], unique=False)

    op.create_table(
        "events",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("comment_id", Id(), nullable=True),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_events_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("site_id", "id", name=op.f("uq_events_site_id_id")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_site", ["site_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_events_created", ["created_at"], unique=False)
        batch_op.create_index("ix_events_comment", ["comment_id"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(length=120), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_idempotency_keys_site_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scope", "key_hash", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "login_sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("moderator_id", Id(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["moderators.id"], name=op.f("fk_login_sessions_moderator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_sessions")),
    )
    with op.batch_alter_table("login_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_sessions_moderator_id"), ["moderator_id"], unique=False)

    op.create_table(
        "roles",
        sa.Column("id", Id(), nullable=False),
        sa.Column("moderator_id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'moderator', 'admin', 'scorer')", name=op.f("ck_roles_role")),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["moderators.id"], name=op.f("fk_roles_moderator_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_roles_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("moderator_id", "site_id", name=op.f("uq_roles_moderator_id_site_id")),
    )
    op.create_table(
        "rules",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("action IN ('score', 'hold', 'spam')", name=op.f("ck_rules_action")),
        sa.CheckConstraint(
            "kind IN ('word', 'pattern', 'domain', 'author', 'network', 'allow')", name=op.f("ck_rules_kind")
        ),
        sa.CheckConstraint("length(note) <= 500", name=op.f("ck_rules_note_length")),
        sa.CheckConstraint("length(value) <= 500", name=op.f("ck_rules_value_length")),
        sa.CheckConstraint("weight >= -1 AND weight <= 1", name=op.f("ck_rules_weight")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_rules_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rules")),
        sa.UniqueConstraint("site_id", "kind", "value", name=op.f("uq_rules_site_id_kind_value")),
    )
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rules_site_id"), ["site_id"], unique=False)

    op.create_table(
        "threads",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("approved", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("approved >= 0", name=op.f("ck_threads_approved")),
        sa.CheckConstraint("length(key) <= 500", name=op.f("ck_threads_key_length")),
        sa.CheckConstraint("length(title) <= 500", name=op.f("ck_threads_title_length")),
        sa.CheckConstraint("length(url) <= 2000", name=op.f("ck_threads_url_length")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_threads_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_threads")),
        sa.UniqueConstraint("site_id", "id", name=op.f("uq_threads_site_id_id")),
        sa.UniqueConstraint("site_id", "key", name=op.f("uq_threads_site_id_key")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("hint", sa.String(length=12), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=True),
        sa.Column("last_used_at", Utc(), nullable=True),
        sa.Column("revoked_at", Utc(), nullable=True),
        sa.CheckConstraint("role IN ('viewer', 'moderator', 'admin', 'scorer')", name=op.f("ck_tokens_role")),
        sa.CheckConstraint("length(name) <= 100", name=op.f("ck_tokens_name_length")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_tokens_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokens_site_id"), ["site_id"], unique=False)

    op.create_table(
        "comments",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("thread_id", Id(), nullable=False),
        sa.Column("parent_id", Id(), nullable=True),
        sa.Column("root_id", Id(), nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("author_id", Id(), nullable=False),
        sa.Column("author_name", sa.String(length=100), nullable=False),
        sa.Column("author_url", sa.Text(), nullable=True),
        sa.Column("author_proven", sa.Boolean(), nullable=False),
        sa.Column("avatar", sa.String(length=32), nullable=False),
        sa.Column("email_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("email_index", sa.LargeBinary(), nullable=True),
        sa.Column("email_domain", sa.String(length=255), nullable=True),
        sa.Column("ip_network", sa.String(length=50), nullable=False),
        sa.Column("network_key", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("renderer", sa.String(length=64), nullable=False),
        sa.Column("exact", sa.LargeBinary(), nullable=False),
        sa.Column("simhash", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("risk", sa.Double(), nullable=False),
        sa.Column("scores", Json, nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_name", sa.String(length=100), nullable=True),
        sa.Column("claimed_until", Utc(), nullable=True),
        sa.Column("editable_until", Utc(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("edited_at", Utc(), nullable=True),
        sa.Column("decided_at", Utc(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'rejected', 'spam', 'trashed', 'escalated', 'deleted')",
            name=op.f("ck_comments_state"),
        ),
        sa.CheckConstraint("length(author_name) <= 100", name=op.f("ck_comments_author_name_length")),
        sa.CheckConstraint("length(author_url) <= 2000", name=op.f("ck_comments_author_url_length")),
        sa.CheckConstraint("length(body) <= 20000", name=op.f("ck_comments_body_length")),
        sa.CheckConstraint("length(body_html) <= 100000", name=op.f("ck_comments_body_html_length")),
        sa.CheckConstraint("reports >= 0", name=op.f("ck_comments_reports")),
        sa.CheckConstraint("risk >= 0 AND risk <= 1", name=op.f("ck_comments_risk")),
        sa.ForeignKeyConstraint(
            ["site_id", "author_id"], ["authors.site_id", "authors.id"], name=op.f("fk_comments_site_id_author_id")
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "thread_id"],
            ["threads.site_id", "threads.id"],
            name=op.f("fk_comments_site_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_comments_site_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["thread_id", "parent_id"],
            ["comments.thread_id", "comments.id"],
            name=op.f("fk_comments_thread_id_parent_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
        sa.UniqueConstraint("site_id", "id", name=op.f("uq_comments_site_id_id")),
        sa.UniqueConstraint("thread_id", "id", name=op.f("uq_comments_thread_id_id")),
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.create_index("ix_comments_author", ["author_id", "created_at"], unique=False)
        batch_op.create_index(
            "ix_comments_children",
            ["parent_id"],
            unique=False,
            sqlite_where=sa.text("parent_id IS NOT NULL"),
            postgresql_where=sa.text("parent_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_comments_email",
            ["site_id", "email_index"],
            unique=False,
            sqlite_where=sa.text("email_index IS NOT NULL"),
            postgresql_where=sa.text("email_index IS NOT NULL"),
        )
        batch_op.create_index("ix_comments_exact", ["site_id", "exact", "created_at"], unique=False)
        batch_op.create_index("ix_comments_network", ["site_id", "network_key", "created_at"], unique=False)
        batch_op.create_index(
            "ix_comments_queue_all_risk",
            ["state", "risk", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "ix_comments_queue_risk",
            ["site_id", "state", "risk", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "ix_comments_replies",
            ["root_id", "created_at", "id"],
            unique=False,
            sqlite_where=sa.text("shown AND parent_id IS NOT NULL"),
            postgresql_where=sa.text("shown AND parent_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_comments_roots",
            ["thread_id", "created_at", "id"],
            unique=False,
            sqlite_where=sa.text("shown AND parent_id IS NULL"),
            postgresql_where=sa.text("shown AND parent_id IS NULL"),
        )
        batch_op.create_index(
            "ix_comments_shown",
            ["site_id", "created_at", "id"],
            unique=False,
            sqlite_where=sa.text("shown"),
            postgresql_where=sa.text("shown"),
        )
        batch_op.create_index("ix_comments_state", ["site_id", "state", "created_at", "id"], unique=False)
        batch_op.create_index("ix_comments_state_all", ["state", "created_at", "id"], unique=False)
        batch_op.create_index("ix_comments_thread", ["thread_id", "state", "created_at", "id"], unique=False)
        # After ix_comments_state: of two that fit alike, SQLite takes the one that was made last.
        batch_op.create_index(
            "ix_comments_reported",
            ["state", "site_id", "created_at", "id"],
            unique=False,
            sqlite_where=sa.text("reports > 0"),
            postgresql_where=sa.text("reports > 0"),
        )
        batch_op.create_index(
            "ix_comments_claimed",
            ["claimed_by"],
            unique=False,
            sqlite_where=sa.text("claimed_by IS NOT NULL"),
            postgresql_where=sa.text("claimed_by IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_comments_top",
            ["thread_id", "votes", "id"],
            unique=False,
            sqlite_where=sa.text("shown AND parent_id IS NULL"),
            postgresql_where=sa.text("shown AND parent_id IS NULL"),
        )

    op.create_table(
        "deliveries",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("event_id", Id(), nullable=False),
        sa.Column("endpoint_id", Id(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Utc(), nullable=False),
        sa.Column("lease_token", Id(), nullable=True),
        sa.Column("leased_until", Utc(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("delivered_at", Utc(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_deliveries_state")),
        sa.ForeignKeyConstraint(
            ["site_id", "endpoint_id"],
            ["endpoints.site_id", "endpoints.id"],
            name=op.f("fk_deliveries_site_id_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "event_id"],
            ["events.site_id", "events.id"],
            name=op.f("fk_deliveries_site_id_event_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deliveries_due",
            ["endpoint_id", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "ix_deliveries_leased",
            ["endpoint_id", "leased_until"],
            unique=False,
            sqlite_where=sa.text("lease_token IS NOT NULL"),
            postgresql_where=sa.text("lease_token IS NOT NULL"),
        )
        batch_op.create_index("ix_deliveries_endpoint", ["endpoint_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_deliveries_event", ["event_id"], unique=False)

    op.create_table(
        "attempts",
        sa.Column("id", Id(), nullable=False),
        sa.Column("delivery_id", Id(), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.Column("snippet", sa.Text(), nullable=False),
        sa.CheckConstraint("length(snippet) <= 1000", name=op.f("ck_attempts_snippet_length")),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempts_delivery_id"), ["delivery_id"], unique=False)

    op.create_table(
        "decisions",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("from_state", sa.String(length=10), nullable=False),
        sa.Column("to_state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("risk", sa.Double(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("waited_s", sa.Double(), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor_name", sa.String(length=100), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("undone_at", Utc(), nullable=True),
        sa.Column("undone_by", sa.String(length=100), nullable=True),
        sa.CheckConstraint(
            "action IN ('approve', 'reject', 'spam', 'trash', 'restore', 'escalate')", name=op.f("ck_decisions_action")
        ),
        sa.CheckConstraint(
            "from_state IN ('pending', 'approved', 'rejected', 'spam', 'trashed', 'escalated', 'deleted')",
            name=op.f("ck_decisions_from_state"),
        ),
        sa.CheckConstraint(
            "to_state IN ('pending', 'approved', 'rejected', 'spam', 'trashed', 'escalated', 'deleted')",
            name=op.f("ck_decisions_to_state"),
        ),
        sa.CheckConstraint("length(note) <= 2000", name=op.f("ck_decisions_note_length")),
        sa.CheckConstraint("length(reason) <= 200", name=op.f("ck_decisions_reason_length")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_decisions_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index("ix_decisions_comment", ["comment_id", "created_at"], unique=False)
        batch_op.create_index("ix_decisions_site", ["site_id", "created_at"], unique=False)

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
    )
    with op.batch_alter_table("fingerprints", schema=None) as batch_op:
        batch_op.create_index("ix_fingerprints_comment", ["comment_id"], unique=False)

    op.create_table(
        "reports",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("reader_key", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(length=10), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('spam', 'abuse', 'off_topic', 'illegal', 'other')", name=op.f("ck_reports_reason")
        ),
        sa.CheckConstraint("length(detail) <= 1000", name=op.f("ck_reports_detail_length")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_reports_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("comment_id", "reader_key", name=op.f("uq_reports_comment_id_reader_key")),
    )
    op.create_table(
        "revisions",
        sa.Column("id", Id(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("length(body) <= 20000", name=op.f("ck_revisions_body_length")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_revisions_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
    )
    with op.batch_alter_table("revisions", schema=None) as batch_op:
        batch_op.create_index("ix_revisions_comment", ["comment_id"], unique=False)

    op.create_table(
        "signals",
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("evidence", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_signals_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("comment_id", "name", name=op.f("pk_signals")),
    )
    op.create_table(
        "votes",
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("reader_key", sa.LargeBinary(), nullable=False),
        sa.Column("site_id", Id(), nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.CheckConstraint("value IN (-1, 1)", name=op.f("ck_votes_value")),
        sa.ForeignKeyConstraint(
            ["site_id", "comment_id"],
            ["comments.site_id", "comments.id"],
            name=op.f("fk_votes_site_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("comment_id", "reader_key", name=op.f("pk_votes")),
    )


def downgrade() -> None:
    op.drop_table("votes")
    op.drop_table("signals")
    with op.batch_alter_table("revisions", schema=None) as batch_op:
        batch_op.drop_index("ix_revisions_comment")

    op.drop_table("revisions")
    op.drop_table("reports")
    with op.batch_alter_table("fingerprints", schema=None) as batch_op:
        batch_op.drop_index("ix_fingerprints_comment")

    op.drop_table("fingerprints")
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.drop_index("ix_decisions_site")
        batch_op.drop_index("ix_decisions_comment")

    op.drop_table("decisions")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempts_delivery_id"))

    op.drop_table("attempts")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_event")
        batch_op.drop_index("ix_deliveries_endpoint")
        batch_op.drop_index(
            "ix_deliveries_leased",
            sqlite_where=sa.text("lease_token IS NOT NULL"),
            postgresql_where=sa.text("lease_token IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_deliveries_due",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )

    op.drop_table("deliveries")
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_comments_top",
            sqlite_where=sa.text("shown AND parent_id IS NULL"),
            postgresql_where=sa.text("shown AND parent_id IS NULL"),
        )
        batch_op.drop_index(
            "ix_comments_claimed",
            sqlite_where=sa.text("claimed_by IS NOT NULL"),
            postgresql_where=sa.text("claimed_by IS NOT NULL"),
        )
        batch_op.drop_index("ix_comments_thread")
        batch_op.drop_index("ix_comments_state_all")
        batch_op.drop_index("ix_comments_state")
        batch_op.drop_index("ix_comments_shown", sqlite_where=sa.text("shown"), postgresql_where=sa.text("shown"))
        batch_op.drop_index(
            "ix_comments_roots",
            sqlite_where=sa.text("shown AND parent_id IS NULL"),
            postgresql_where=sa.text("shown AND parent_id IS NULL"),
        )
        batch_op.drop_index(
            "ix_comments_reported", sqlite_where=sa.text("reports > 0"), postgresql_where=sa.text("reports > 0")
        )
        batch_op.drop_index(
            "ix_comments_replies",
            sqlite_where=sa.text("shown AND parent_id IS NOT NULL"),
            postgresql_where=sa.text("shown AND parent_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_comments_queue_risk",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index(
            "ix_comments_queue_all_risk",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index("ix_comments_network")
        batch_op.drop_index("ix_comments_exact")
        batch_op.drop_index(
            "ix_comments_email",
            sqlite_where=sa.text("email_index IS NOT NULL"),
            postgresql_where=sa.text("email_index IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_comments_children",
            sqlite_where=sa.text("parent_id IS NOT NULL"),
            postgresql_where=sa.text("parent_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_comments_author")

    op.drop_table("comments")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokens_site_id"))

    op.drop_table("tokens")
    op.drop_table("threads")
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rules_site_id"))

    op.drop_table("rules")
    op.drop_table("roles")
    with op.batch_alter_table("login_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_sessions_moderator_id"))
        batch_op.drop_index(batch_op.f("ix_login_sessions_expires_at"))

    op.drop_table("login_sessions")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_expires_at"))

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_site")
        batch_op.drop_index("ix_events_comment")
        batch_op.drop_index("ix_events_created")

    op.drop_table("events")
    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        batch_op.drop_index("ix_endpoints_site")

    op.drop_table("endpoints")
    op.drop_table("daily_counts")
    op.drop_table("authors")
    op.drop_table("sites")
    op.drop_table("moderators")
    op.drop_table("heartbeats")
    with op.batch_alter_table("counters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_counters_expires_at"))

    op.drop_table("counters")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_object")
        batch_op.drop_index("ix_audit_chain")

    op.drop_table("audit")
