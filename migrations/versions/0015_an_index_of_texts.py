"""An index of texts, and times and risks in the indexes of the queue"""

import sqlalchemy as sa
from alembic import op

from moderation.storage.types import BigKey, Id, Utc

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")
INDEXES = {
    "ix_comments_state": (["site_id", "state", "created_at", "id"], "risk", None),
    "ix_comments_state_all": (["state", "created_at", "id"], "risk", None),
    "ix_comments_queue_risk": (["site_id", "state", "risk", "id"], "created_at", PENDING),
    "ix_comments_queue_all_risk": (["state", "risk", "id"], "created_at", PENDING),
}
"""Their columns; the one that is new; of which comments they are."""

NOTE = """
INSERT INTO unindexed (comment_id, created_at, changes) VALUES ({row}.id, {row}.created_at, 1)
ON CONFLICT (comment_id) DO UPDATE SET changes = unindexed.changes + 1;
"""
CHANGED = "OLD.body <> NEW.body OR OLD.author_name <> NEW.author_name"
TRIGGERS = (
    ("comments_came", "INSERT", "NEW", ""),
    ("comments_changed", "UPDATE OF body, author_name", "NEW", f"WHEN ({CHANGED})"),
    ("comments_went", "DELETE", "OLD", ""),
)


def upgrade() -> None:
    op.create_table(
        "unindexed",
        sa.Column("comment_id", Id(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_unindexed")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "search_chunks",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("oldest", Utc(), nullable=False),
        sa.Column("newest", Utc(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_chunks")),
    )
    op.create_table(
        "search_ids",
        sa.Column("number", BigKey, autoincrement=False, nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_search_ids")),
    )
    op.create_table(
        "search_terms",
        sa.Column("chunk_id", BigKey, autoincrement=False, nullable=False),
        sa.Column("term", sa.LargeBinary(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chunk_id", "term", name=op.f("pk_search_terms")),
        sqlite_with_rowid=False,
    )
    _make_indexes(with_new=True)
    op.execute("INSERT INTO unindexed (comment_id, created_at, changes) SELECT id, created_at, 1 FROM comments")
    is_postgres = op.get_bind().dialect.name == "postgresql"
    for name, event, row, when in TRIGGERS:
        note = NOTE.format(row=row)
        if not is_postgres:
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON comments {when} BEGIN {note} END")
            continue
        body = f"BEGIN {note} RETURN NULL; END"
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON comments FOR EACH ROW {when} EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    for name, *_ in TRIGGERS:
        op.execute(f"DROP TRIGGER {name}{' ON comments' if is_postgres else ''}")
        if is_postgres:
            op.execute(f"DROP FUNCTION {name}()")
    _make_indexes(with_new=False)
    for table in ("search_terms", "search_ids", "search_chunks", "unindexed"):
        op.drop_table(table)


def _make_indexes(*, with_new: bool) -> None:
    for name, (columns, new, where) in INDEXES.items():
        op.drop_index(name, table_name="comments")
        of_index = {} if where is None else {"sqlite_where": where, "postgresql_where": where}
        op.create_index(name, "comments", [*columns, *([new] if with_new else [])], **of_index)
