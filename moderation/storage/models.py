"""The tables. Every row of a site carries its ``site_id``, and references cannot cross sites.

Lengths are CHECKed, since SQLite ignores them otherwise and nothing may be truncated. Times are UTC.
"""

import uuid
from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column

from moderation.domain.comment import Action, State
from moderation.domain.scorer import MAX_DEADLINE_MS, Kind
from moderation.domain.sign_on import Algorithm
from moderation.storage.db import Base, new_id
from moderation.storage.types import BigKey, Id, Json, Utc

ROLES = ("viewer", "moderator", "admin", "scorer")
REPORT_REASONS = ("spam", "abuse", "off_topic", "illegal", "other")
SECRETS = ("coral",)
RULE_KINDS = ("word", "pattern", "domain", "author", "network", "allow")
RULE_ACTIONS = ("score", "hold", "spam")
LIST_ACTIONS = (*RULE_ACTIONS, "allow")
MAX_LIST_CHARS = 2_000_000
MAX_AUTOMOD_CHARS = 65_536

KEPT = {
    "addresses": "email_sealed IS NOT NULL",
    "networks": "ip_network <> ''",
    "refused": "state IN ('rejected', 'spam', 'trashed') AND body <> ''",
}
"""What a site may let go after some days, by what its comments then still have; each has an index of its own."""


def _one_of(column: str, values: Any) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def _at_most(column: str, characters: int) -> CheckConstraint:
    return CheckConstraint(f"length({column}) <= {characters}", name=f"{column}_length")


def _site() -> Mapped[uuid.UUID]:
    return mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"))


def _key() -> Mapped[uuid.UUID]:
    return mapped_column(Id, primary_key=True, default=new_id)


def _of_comment() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["site_id", "comment_id"], ["comments.site_id", "comments.id"], ondelete="CASCADE")


class Site(Base):
    """A publication. ``settings`` are the values that differ from the defaults of ``domain.site.SiteSettings``.

    Under a raid ``raid_since`` is when it began, ``raid_busy_at`` when newcomers last came in a flood; by itself none
    begins before ``raid_not_before``. They stand here since a submission reads this row anyway.
    """

    __tablename__ = "sites"
    id: Mapped[uuid.UUID] = _key()
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    origins: Mapped[list[str]] = mapped_column(Json, default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Utc)
    raid_since: Mapped[datetime | None] = mapped_column(Utc)
    raid_busy_at: Mapped[datetime | None] = mapped_column(Utc)
    raid_not_before: Mapped[datetime | None] = mapped_column(Utc)
    learned_version: ClassVar[Any]
    __table_args__ = (_at_most("key", 64), _at_most("name", 200))


class Thread(Base):
    """The comments under one page.

    ``version`` grows with every change that a reader could see; ``approved`` counts what readers see.
    """

    __tablename__ = "threads"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = _site()
    key: Mapped[str] = mapped_column(String(500))
    url: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    open: Mapped[bool] = mapped_column(default=True)
    approved: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        UniqueConstraint("site_id", "key"),
        UniqueConstraint("site_id", "id"),
        CheckConstraint("approved >= 0", name="approved"),
        _at_most("key", 500),
        _at_most("url", 2000),
        _at_most("title", 500),
    )


class Author(Base):
    """A reader who can prove that they are the same person as before, on one site: by an author token, or because the
    site vouches for them (``person_key``, the keyed hash of its own name for them).
    """

    __tablename__ = "authors"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = _site()
    name: Mapped[str] = mapped_column(String(100))
    person_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    approved: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    spam: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        Index(
            "ix_authors_person",
            "site_id",
            "person_key",
            unique=True,
            sqlite_where=text("person_key IS NOT NULL"),
            postgresql_where=text("person_key IS NOT NULL"),
        ),
        _at_most("name", 100),
    )


class Comment(Base):
    """A reader's reply.

    ``shown`` is whether readers see it: approved, and everything above it shown; or deleted by its author with shown
    replies below (then as an empty place). ``exact`` finds the same texts. Comments of a site with one ``alike_key``
    are alike: it is the ``exact`` of the text that began their group. ``sketch`` tells how much two have in common.
    """

    __tablename__ = "comments"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = _site()
    thread_id: Mapped[uuid.UUID] = mapped_column(Id)
    parent_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    root_id: Mapped[uuid.UUID] = mapped_column(Id)
    depth: Mapped[int] = mapped_column(SmallInteger, default=0)
    author_id: Mapped[uuid.UUID] = mapped_column(Id)
    author_name: Mapped[str] = mapped_column(String(100))
    author_url: Mapped[str | None] = mapped_column(Text)
    author_proven: Mapped[bool] = mapped_column(default=False)
    avatar: Mapped[str] = mapped_column(String(32))
    email_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    email_domain: Mapped[str | None] = mapped_column(String(255))
    ip_network: Mapped[str] = mapped_column(String(50), default="")
    network_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    body: Mapped[str] = mapped_column(Text)
    body_html: Mapped[str] = mapped_column(Text)
    renderer: Mapped[str] = mapped_column(String(64))
    exact: Mapped[bytes] = mapped_column(LargeBinary)
    sketch: Mapped[bytes | None] = mapped_column(LargeBinary)
    alike_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10), default=State.PENDING.value)
    shown: Mapped[bool] = mapped_column(default=False)
    risk: Mapped[float] = mapped_column(default=0.0)
    scores: Mapped[dict[str, float | None]] = mapped_column(Json, default=dict)
    reasons: Mapped[list[str]] = mapped_column(Json, default=list)
    scorer_version: Mapped[str] = mapped_column(Text, default="", server_default="")
    votes: Mapped[int] = mapped_column(default=0)
    reports: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    claimed_name: Mapped[str | None] = mapped_column(String(100))
    claimed_until: Mapped[datetime | None] = mapped_column(Utc)
    editable_until: Mapped[datetime] = mapped_column(Utc)
    created_at: Mapped[datetime] = mapped_column(Utc)
    edited_at: Mapped[datetime | None] = mapped_column(Utc)
    decided_at: Mapped[datetime | None] = mapped_column(Utc)
    version: Mapped[int] = mapped_column(default=1)
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("thread_id", "id"),
        ForeignKeyConstraint(["site_id", "thread_id"], ["threads.site_id", "threads.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["thread_id", "parent_id"], ["comments.thread_id", "comments.id"]),
        ForeignKeyConstraint(["site_id", "author_id"], ["authors.site_id", "authors.id"]),
        _one_of("state", State),
        CheckConstraint("risk >= 0 AND risk <= 1", name="risk"),
        CheckConstraint("reports >= 0", name="reports"),
        _at_most("author_name", 100),
        _at_most("author_url", 2000),
        _at_most("body", 20_000),
        _at_most("body_html", 100_000),
        Index(
            "ix_comments_roots",
            "thread_id",
            "created_at",
            "id",
            sqlite_where=text("shown AND parent_id IS NULL"),
            postgresql_where=text("shown AND parent_id IS NULL"),
        ),
        Index(
            "ix_comments_top",
            "thread_id",
            "votes",
            "id",
            sqlite_where=text("shown AND parent_id IS NULL"),
            postgresql_where=text("shown AND parent_id IS NULL"),
        ),
        Index(
            "ix_comments_replies",
            "root_id",
            "created_at",
            "id",
            sqlite_where=text("shown AND parent_id IS NOT NULL"),
            postgresql_where=text("shown AND parent_id IS NOT NULL"),
        ),
        Index(
            "ix_comments_shown",
            "site_id",
            "created_at",
            "id",
            sqlite_where=text("shown"),
            postgresql_where=text("shown"),
        ),
        Index(
            "ix_comments_queue_all_risk",
            "state",
            "risk",
            "id",
            "created_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_comments_queue_risk",
            "site_id",
            "state",
            "risk",
            "id",
            "created_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_comments_state", "site_id", "state", "created_at", "id", "risk"),
        Index("ix_comments_state_all", "state", "created_at", "id", "risk"),
        Index("ix_comments_thread", "thread_id", "state", "created_at", "id"),
        Index(
            "ix_comments_claimed",
            "claimed_by",
            sqlite_where=text("claimed_by IS NOT NULL"),
            postgresql_where=text("claimed_by IS NOT NULL"),
        ),
        Index(
            "ix_comments_reported",
            "state",
            "site_id",
            "created_at",
            "id",
            sqlite_where=text("reports > 0"),
            postgresql_where=text("reports > 0"),
        ),
        Index(
            "ix_comments_children",
            "parent_id",
            sqlite_where=text("parent_id IS NOT NULL"),
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        Index("ix_comments_author", "author_id", "created_at"),
        Index(
            "ix_comments_email",
            "site_id",
            "email_index",
            sqlite_where=text("email_index IS NOT NULL"),
            postgresql_where=text("email_index IS NOT NULL"),
        ),
        *(
            Index(
                f"ix_comments_{name}",
                "site_id",
                "created_at",
                "id",
                sqlite_where=text(having),
                postgresql_where=text(having),
            )
            for name, having in KEPT.items()
        ),
        Index("ix_comments_alike", "site_id", "alike_key", "id", "state"),
        Index("ix_comments_exact", "site_id", "exact", "created_at"),
        Index("ix_comments_network", "site_id", "network_key", "created_at"),
    )


class Imported(Base):
    """A comment that came from another system, so that a second import of it adds nothing.

    ``source`` names the system and which of several such it was, ``source_id`` is the comment's id there.
    ``waits_for`` is the id there of the parent, while that has not come.
    """

    __tablename__ = "imported"
    site_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(250), primary_key=True)
    source_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    comment_id: Mapped[uuid.UUID] = mapped_column(Id)
    waits_for: Mapped[str | None] = mapped_column(String(250))
    __table_args__ = (
        _of_comment(),
        _at_most("source", 250),
        _at_most("source_id", 250),
        _at_most("waits_for", 250),
        Index("ix_imported_comment", "comment_id"),
        Index(
            "ix_imported_waiting",
            "site_id",
            "source",
            "source_id",
            sqlite_where=text("waits_for IS NOT NULL"),
            postgresql_where=text("waits_for IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )


class Fingerprint(Base):
    """One band of the sketch of a comment that stands for its group; what shares a band with it may belong there."""

    __tablename__ = "fingerprints"
    site_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True)
    band: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    comment_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    __table_args__ = (
        _of_comment(),
        Index("ix_fingerprints_comment", "comment_id"),
        {"sqlite_with_rowid": False},
    )


class SignalRow(Base):
    """What one signal said of a comment. ``scores`` and ``forces`` let the policy decide on what is stored again."""

    __tablename__ = "signals"
    comment_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    weight: Mapped[float] = mapped_column(default=0.0)
    available: Mapped[bool] = mapped_column(default=True)
    evidence: Mapped[list[Any]] = mapped_column(Json, default=list)
    scores: Mapped[dict[str, float]] = mapped_column(Json, default=dict, server_default=text("'{}'"))
    forces: Mapped[str | None] = mapped_column(String(10))
    __table_args__ = (_of_comment(),)


class Unindexed(Base):
    """A comment that came, changed or went since the index of texts took it; triggers note it. ``changes`` counts."""

    __tablename__ = "unindexed"
    comment_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Utc)
    changes: Mapped[int] = mapped_column(default=1)
    __table_args__ = ({"sqlite_with_rowid": False},)


class SearchChunk(Base):
    """A part of the index of texts: comments that lie side by side in the order of their time."""

    __tablename__ = "search_chunks"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    oldest: Mapped[datetime] = mapped_column(Utc)
    newest: Mapped[datetime] = mapped_column(Utc)
    size: Mapped[int] = mapped_column()


class SearchIds(Base):
    """Some of the ids of a chunk's comments, of 16 bytes each, in the order of their places."""

    __tablename__ = "search_ids"
    number: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    ids: Mapped[bytes] = mapped_column(LargeBinary)


class SearchTerm(Base):
    """The places in a chunk of the comments that have a term, as ``storage/search.py`` packs them."""

    __tablename__ = "search_terms"
    chunk_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    term: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    places: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = ({"sqlite_with_rowid": False},)


class Revision(Base):
    """A former text of a comment, kept when its author edits it."""

    __tablename__ = "revisions"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    comment_id: Mapped[uuid.UUID] = mapped_column(Id)
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (_of_comment(), Index("ix_revisions_comment", "comment_id"), _at_most("body", 20_000))


class Decision(Base):
    """What a moderator, or the site's policy, did to a comment."""

    __tablename__ = "decisions"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    comment_id: Mapped[uuid.UUID] = mapped_column(Id)
    action: Mapped[str] = mapped_column(String(10))
    from_state: Mapped[str] = mapped_column(String(10))
    to_state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(String(200), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    risk: Mapped[float] = mapped_column(default=0.0)
    version: Mapped[int] = mapped_column(default=1)
    waited_s: Mapped[float] = mapped_column(default=0.0)
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str] = mapped_column(String(64))
    actor_name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(Utc)
    undone_at: Mapped[datetime | None] = mapped_column(Utc)
    undone_by: Mapped[str | None] = mapped_column(String(100))
    __table_args__ = (
        _of_comment(),
        _one_of("action", Action),
        _one_of("from_state", State),
        _one_of("to_state", State),
        _at_most("reason", 200),
        _at_most("note", 2000),
        Index("ix_decisions_comment", "comment_id", "created_at"),
        Index("ix_decisions_site", "site_id", "created_at"),
    )


class Report(Base):
    """A reader's report of an approved comment, one a reader."""

    __tablename__ = "reports"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    comment_id: Mapped[uuid.UUID] = mapped_column(Id)
    reader_key: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(String(10))
    detail: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        _of_comment(),
        UniqueConstraint("comment_id", "reader_key"),
        _one_of("reason", REPORT_REASONS),
        _at_most("detail", 1000),
    )


class Vote(Base):
    """A reader's vote on an approved comment, one a reader."""

    __tablename__ = "votes"
    comment_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    reader_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    value: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (_of_comment(), CheckConstraint("value IN (-1, 1)", name="value"))


class Rule(Base):
    """A site's own word, pattern, domain, author or network; without a site it holds for all of them."""

    __tablename__ = "rules"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(10), default="score")
    weight: Mapped[float] = mapped_column(default=0.5)
    language: Mapped[str] = mapped_column(String(2), default="")
    exact: Mapped[bool] = mapped_column(default=False)
    part: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        UniqueConstraint("site_id", "kind", "value", "language"),
        _one_of("kind", RULE_KINDS),
        _one_of("action", RULE_ACTIONS),
        CheckConstraint("weight >= -1 AND weight <= 1", name="weight"),
        _at_most("value", 500),
        _at_most("note", 500),
    )


class WordListRow(Base):
    """A named list of words; without a site it holds for all of them.

    ``entries`` is the whole list, an entry a line: it is always read whole, replaced whole and compiled once.
    """

    __tablename__ = "word_lists"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(10), default="score")
    weight: Mapped[float] = mapped_column(default=0.5)
    language: Mapped[str] = mapped_column(String(2), default="")
    exact: Mapped[bool] = mapped_column(default=False)
    part: Mapped[bool] = mapped_column(default=False)
    entries: Mapped[str] = mapped_column(Text, deferred=True)
    size: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Utc)
    changed_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        UniqueConstraint("site_id", "name"),
        _one_of("action", LIST_ACTIONS),
        CheckConstraint("weight >= -1 AND weight <= 1", name="weight"),
        _at_most("name", 64),
        _at_most("entries", MAX_LIST_CHARS),
    )


class AutomodRow(Base):
    """A site's rules in the form of AutoModerator, as they were written."""

    __tablename__ = "automod"
    site_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    rules: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (_at_most("text", MAX_AUTOMOD_CHARS),)


class ScorerRow(Base):
    """An external scorer of a site; without a site, of all of them. The secret is sealed."""

    __tablename__ = "scorers"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(30))
    kind: Mapped[str] = mapped_column(String(20))
    url: Mapped[str] = mapped_column(Text)
    secret_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    options: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    deadline_ms: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10), default="active")
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        UniqueConstraint("site_id", "name"),
        _one_of("kind", Kind),
        _one_of("state", ("active", "disabled")),
        CheckConstraint(f"deadline_ms >= 0 AND deadline_ms <= {MAX_DEADLINE_MS}", name="deadline_ms"),
        _at_most("name", 30),
        _at_most("url", 2000),
    )


class SignOnKey(Base):
    """A key by which a site vouches for its readers: a secret, or the public half of a pair; sealed either way.

    ``mark`` finds it on any site, since a token would be good on each of those that share a key.
    """

    __tablename__ = "sign_on_keys"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100), default="")
    algorithm: Mapped[str] = mapped_column(String(10))
    key_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    mark: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (_one_of("algorithm", Algorithm), _at_most("name", 100))


class Scoring(Base):
    """A comment about which a scorer is still to be asked, or did not answer in all its tries (``failed``).

    Leased by a worker, and settled only by the holder of the lease. ``version`` is the comment's; ``may_approve``
    says whether all that the comment was held for is among its stored signals.
    """

    __tablename__ = "scorings"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    comment_id: Mapped[uuid.UUID] = mapped_column(Id)
    scorer_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("scorers.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column()
    may_approve: Mapped[bool] = mapped_column(default=True)
    state: Mapped[str] = mapped_column(String(10), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(Utc)
    lease_token: Mapped[uuid.UUID | None] = mapped_column(Id)
    leased_until: Mapped[datetime | None] = mapped_column(Utc)
    last_error: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        _of_comment(),
        UniqueConstraint("comment_id", "scorer_id"),
        _one_of("state", ("pending", "failed")),
        Index("ix_scorings_due", "scorer_id", "state", "due_at", "id"),
        Index(
            "ix_scorings_leased",
            "scorer_id",
            "leased_until",
            sqlite_where=text("lease_token IS NOT NULL"),
            postgresql_where=text("lease_token IS NOT NULL"),
        ),
    )


class Moderator(Base):
    """A person who logs in to the console."""

    __tablename__ = "moderators"
    id: Mapped[uuid.UUID] = _key()
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc)
    disabled_at: Mapped[datetime | None] = mapped_column(Utc)
    __table_args__ = (_at_most("name", 100),)


class Role(Base):
    """What a moderator may do on a site; without a site, on all of them."""

    __tablename__ = "roles"
    id: Mapped[uuid.UUID] = _key()
    moderator_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("moderators.id", ondelete="CASCADE"))
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(10))
    __table_args__ = (UniqueConstraint("moderator_id", "site_id"), _one_of("role", ROLES))


class SavedView(Base):
    """A filter of the queue that a moderator keeps under a name, for themselves alone."""

    __tablename__ = "saved_views"
    id: Mapped[uuid.UUID] = _key()
    moderator_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("moderators.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(60))
    filters: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (UniqueConstraint("moderator_id", "name"), _at_most("name", 60))


class SecondFactor(Base):
    """A moderator's one-time codes: the secret that their app shares with us, sealed for this row.

    It counts from ``confirmed_at``, when a first code was right. ``last_step`` is that of the last code that was used.
    """

    __tablename__ = "second_factors"
    id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("moderators.id", ondelete="CASCADE"), primary_key=True)
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Utc)
    confirmed_at: Mapped[datetime | None] = mapped_column(Utc)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Base):
    """A code that stands in for a moderator's app once, as a keyed hash alone. A used one is deleted."""

    __tablename__ = "recovery_codes"
    moderator_id: Mapped[uuid.UUID] = mapped_column(
        Id, ForeignKey("moderators.id", ondelete="CASCADE"), primary_key=True
    )
    code_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


class LoginSession(Base):
    """A moderator's session in the console; the cookie's value is kept as its SHA-256 alone."""

    __tablename__ = "login_sessions"
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    moderator_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("moderators.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Utc)
    expires_at: Mapped[datetime] = mapped_column(Utc, index=True)


class Token(Base):
    """An API token; kept as its SHA-256 alone. Without a site it holds for all of them."""

    __tablename__ = "tokens"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100), default="")
    role: Mapped[str] = mapped_column(String(10))
    hint: Mapped[str] = mapped_column(String(12))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(Utc)
    expires_at: Mapped[datetime | None] = mapped_column(Utc)
    last_used_at: Mapped[datetime | None] = mapped_column(Utc)
    revoked_at: Mapped[datetime | None] = mapped_column(Utc)
    __table_args__ = (_one_of("role", ROLES), _at_most("name", 100))


class KeyUsage(Base):
    """What a scorer's token was used for by Akismet's protocol in a month. ``blog``: one of the site's origins, or
    empty for all others; no other address that a caller names is kept.
    """

    __tablename__ = "key_usage"
    token_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("tokens.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    blog: Mapped[str] = mapped_column(String(300), primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, default=0)
    spam: Mapped[int] = mapped_column(BigInteger, default=0)
    ham: Mapped[int] = mapped_column(BigInteger, default=0)
    missed_spam: Mapped[int] = mapped_column(BigInteger, default=0)
    false_positives: Mapped[int] = mapped_column(BigInteger, default=0)
    __table_args__ = (_at_most("blog", 300),)


class SiteSecret(Base):
    """A secret that a site shares with somebody, sealed; ``name`` says with whom."""

    __tablename__ = "site_secrets"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = _site()
    name: Mapped[str] = mapped_column(String(20))
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (UniqueConstraint("site_id", "name"), _one_of("name", SECRETS))


class Endpoint(Base):
    """Where a site wants to be told. Secrets are sealed; the previous one signs too until ``previous_until``."""

    __tablename__ = "endpoints"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = _site()
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(Json, default=list)
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    previous_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None] = mapped_column(Utc)
    state: Mapped[str] = mapped_column(String(10), default="active")
    disabled_reason: Mapped[str] = mapped_column(String(200), default="")
    failing_since: Mapped[datetime | None] = mapped_column(Utc)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        _one_of("state", ("active", "disabled")),
        _at_most("url", 2000),
        Index("ix_endpoints_site", "site_id", "created_at", "id"),
    )


class Event(Base):
    """Something that happened, with the exact bytes that tell of it. Its id is the ``webhook-id`` of every try."""

    __tablename__ = "events"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = _site()
    comment_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    type: Mapped[str] = mapped_column(String(40))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Utc)
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        Index("ix_events_site", "site_id", "created_at", "id"),
        Index("ix_events_created", "created_at"),
        Index("ix_events_comment", "comment_id"),
    )


class Delivery(Base):
    """An event on its way to an endpoint. Leased by a worker, and settled only by the holder of the lease."""

    __tablename__ = "deliveries"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    event_id: Mapped[uuid.UUID] = mapped_column(Id)
    endpoint_id: Mapped[uuid.UUID] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(10), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(Utc)
    lease_token: Mapped[uuid.UUID | None] = mapped_column(Id)
    leased_until: Mapped[datetime | None] = mapped_column(Utc)
    last_status: Mapped[int | None] = mapped_column()
    last_error: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(Utc)
    delivered_at: Mapped[datetime | None] = mapped_column(Utc)
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "event_id"], ["events.site_id", "events.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["site_id", "endpoint_id"], ["endpoints.site_id", "endpoints.id"], ondelete="CASCADE"),
        _one_of("state", ("pending", "delivered", "failed")),
        Index(
            "ix_deliveries_due",
            "endpoint_id",
            "due_at",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_deliveries_leased",
            "endpoint_id",
            "leased_until",
            sqlite_where=text("lease_token IS NOT NULL"),
            postgresql_where=text("lease_token IS NOT NULL"),
        ),
        Index("ix_deliveries_endpoint", "endpoint_id", "created_at", "id"),
        Index(
            "ix_deliveries_failed",
            "endpoint_id",
            "created_at",
            "id",
            sqlite_where=text("state = 'failed'"),
            postgresql_where=text("state = 'failed'"),
        ),
        Index("ix_deliveries_event", "event_id"),
    )


class Attempt(Base):
    """One try of a delivery, for the log."""

    __tablename__ = "attempts"
    id: Mapped[uuid.UUID] = _key()
    delivery_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("deliveries.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Utc)
    duration_ms: Mapped[int] = mapped_column(default=0)
    status: Mapped[int | None] = mapped_column()
    error: Mapped[str] = mapped_column(String(200), default="")
    snippet: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (_at_most("snippet", 1000),)


class Subscription(Base):
    """An address that may be told of replies on one site.

    ``asked``: it was typed, and waits for a click in the mailbox. ``confirmed``: its owner clicked. ``stopped``: its
    owner wants none; the address is gone, and the index keeps anybody from asking it again. It is deleted at
    ``expires_at``.
    """

    __tablename__ = "subscriptions"
    id: Mapped[uuid.UUID] = _key()
    site_id: Mapped[uuid.UUID] = _site()
    email_index: Mapped[bytes] = mapped_column(LargeBinary)
    email_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10), default="asked")
    asked_at: Mapped[datetime] = mapped_column(Utc)
    expires_at: Mapped[datetime | None] = mapped_column(Utc, index=True)
    __table_args__ = (
        UniqueConstraint("site_id", "email_index"),
        UniqueConstraint("site_id", "id"),
        _one_of("state", ("asked", "confirmed", "stopped")),
        CheckConstraint("(state = 'stopped') = (email_sealed IS NULL)", name="email_sealed"),
    )


class Watch(Base):
    """A comment whose author wants to be told of replies to it."""

    __tablename__ = "watches"
    comment_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    site_id: Mapped[uuid.UUID] = mapped_column(Id)
    subscription_id: Mapped[uuid.UUID] = mapped_column(Id, index=True)
    __table_args__ = (
        _of_comment(),
        ForeignKeyConstraint(
            ["site_id", "subscription_id"], ["subscriptions.site_id", "subscriptions.id"], ondelete="CASCADE"
        ),
    )


class Mailbox(Base):
    """Where a moderator wants to be told of what waits, and how often. Asked before anything but the question is sent.

    ``due_at``: when the next digest is to be made; ``told``: a hash of what the last one told.
    """

    __tablename__ = "mailboxes"
    id: Mapped[uuid.UUID] = _key()
    moderator_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("moderators.id", ondelete="CASCADE"), unique=True)
    email_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str] = mapped_column(String(10), default="off")
    asked_at: Mapped[datetime] = mapped_column(Utc)
    confirmed_at: Mapped[datetime | None] = mapped_column(Utc)
    due_at: Mapped[datetime | None] = mapped_column(Utc)
    told: Mapped[bytes | None] = mapped_column(LargeBinary)
    __table_args__ = (_one_of("digest", ("off", "hourly", "daily")),)


class Mail(Base):
    """A mail on its way, or sent. It holds neither an address nor a text: both are looked up when it is sent.

    Leased by a worker, and settled only by the holder of the lease. ``comment_id`` is the reply that is told of.
    """

    __tablename__ = "mails"
    id: Mapped[uuid.UUID] = _key()
    kind: Mapped[str] = mapped_column(String(10))
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    comment_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    mailbox_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("mailboxes.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(10), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(Utc)
    lease_token: Mapped[uuid.UUID | None] = mapped_column(Id)
    leased_until: Mapped[datetime | None] = mapped_column(Utc)
    last_error: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(Utc, index=True)
    __table_args__ = (
        _of_comment(),
        ForeignKeyConstraint(
            ["site_id", "subscription_id"], ["subscriptions.site_id", "subscriptions.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("subscription_id", "comment_id"),
        _one_of("kind", ("confirm", "reply", "address", "digest")),
        _one_of("state", ("pending", "sent", "failed")),
        Index(
            "ix_mails_due",
            "due_at",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_mails_comment",
            "comment_id",
            sqlite_where=text("comment_id IS NOT NULL"),
            postgresql_where=text("comment_id IS NOT NULL"),
        ),
    )


class IdempotencyKey(Base):
    """The first answer to a POST with an ``Idempotency-Key``; ``answer`` is sealed, since it may hold tokens."""

    __tablename__ = "idempotency_keys"
    scope: Mapped[str] = mapped_column(String(120), primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(Id, default=new_id)
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"))
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(Utc, index=True)


class Counter(Base):
    """A counter of a rate limit; its key is a hash."""

    __tablename__ = "counters"
    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime] = mapped_column(Utc, index=True)


class DailyCount(Base):
    """How often something happened on a site on a day; spread over shards so that writers do not queue up."""

    __tablename__ = "daily_counts"
    site_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class AuditLine(Base):
    """Who did what, when and why. Append-only; each line's hash covers the line before it on the same chain."""

    __tablename__ = "audit"
    seq: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    chain: Mapped[str] = mapped_column(String(36))
    site_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Utc)
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str] = mapped_column(String(64))
    actor_name: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(40))
    object_kind: Mapped[str] = mapped_column(String(20))
    object_id: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (
        UniqueConstraint("chain", "previous"),
        Index("ix_audit_chain", "chain", "seq"),
        Index("ix_audit_object", "object_kind", "object_id", "seq"),
    )


class AuditHead(Base):
    """The end of a chain of the audit log, signed: how many lines it has, the hash of the last one, and a hash over
    the hashes and numbers of all of them. ``begun`` says with what it was begun, see ``storage.audit``.
    """

    __tablename__ = "audit_heads"
    chain: Mapped[str] = mapped_column(String(36), primary_key=True)
    begun: Mapped[str] = mapped_column(String(10))
    lines: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    trail: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class Heartbeat(Base):
    """A worker's sign of life."""

    __tablename__ = "heartbeats"
    worker: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(Utc)


class LearnedModel(Base):
    """What a site's decisions taught, after the step ``version``. ``snapshot``: the model after ``snapshot_version``
    as JSON, None for an empty one; later steps are in ``learned_steps``. ``faded_at``: when it last faded.
    """

    __tablename__ = "learned_models"
    site_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    snapshot_version: Mapped[int] = mapped_column(BigInteger, default=0)
    snapshot: Mapped[bytes | None] = mapped_column(LargeBinary)
    faded_at: Mapped[datetime] = mapped_column(Utc)


class LearnedStep(Base):
    """One decision learned or taken back, as ``scoring.learned.Step``. Without a comment where a text was taught;
    ``decision_id`` is then a keyed hash of it, so that it can be taught otherwise.
    """

    __tablename__ = "learned_steps"
    site_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    comment_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    decision_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    sign: Mapped[int] = mapped_column(SmallInteger)
    number: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[int] = mapped_column(SmallInteger)
    risk: Mapped[float] = mapped_column()
    by_text: Mapped[float] = mapped_column()
    by_signals: Mapped[float] = mapped_column()
    bad: Mapped[float] = mapped_column()
    text_rows: Mapped[bytes] = mapped_column(LargeBinary)
    signal_rows: Mapped[bytes] = mapped_column(LargeBinary)
    worth: Mapped[int] = mapped_column(BigInteger)
    halvings: Mapped[float] = mapped_column(default=0.0)
    faded: Mapped[float] = mapped_column(default=0.0)
    __table_args__ = (
        _of_comment(),
        CheckConstraint("sign IN (-1, 1)", name="sign"),
        CheckConstraint("label >= 0 AND label <= 2", name="label"),
        Index("ix_learned_steps_comment", "comment_id", "seq"),
        Index(
            "ix_learned_steps_text",
            "site_id",
            "decision_id",
            "seq",
            sqlite_where=text("comment_id IS NULL"),
            postgresql_where=text("comment_id IS NULL"),
        ),
    )


_version = select(LearnedModel.version).where(LearnedModel.site_id == Site.id).correlate_except(LearnedModel)
Site.learned_version = column_property(_version.scalar_subquery())  # read with the site, so that it costs no query
