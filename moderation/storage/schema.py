"""The schema's versions: Alembic migrations, from the checkout's ``migrations/`` or from the installed package."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.orm import Session

from moderation.storage import audit
from moderation.storage.db import Base
from moderation.storage.models import AuditHead


def migrations_folder() -> Path:
    """Where the migrations are: inside the wheel, or at the top of the checkout."""
    inside = Path(__file__).parents[1] / "migrations"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, audit_key: bytes | None = None) -> None:
    """Bring the schema to the newest version; does nothing where it is there already.

    The key is the audit log's, for a database of a version that kept no record of where its chains end. On SQLite the
    whole upgrade is one write transaction; on PostgreSQL two upgrades at once wait for each other.
    """
    with engine.connect().execution_options(moderation_begin="BEGIN IMMEDIATE") as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7306271)")
        kept_ends = inspect(connection).has_table(AuditHead.__tablename__)
        command.upgrade(_config(connection), "head")
        if not kept_ends:
            with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
                audit.adopt(session, audit_key)
                session.commit()


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_known(revision: str | None) -> bool:
    """Whether this code knows a revision, and so can bring a database from there to its own."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def is_current(session: Session) -> bool:
    """Whether the database is at the newest revision."""
    return current(session.connection()) == newest()


def differences(connection: Connection) -> list[str]:
    """What the tables in code and the tables in the database do not agree on; empty when all is well."""
    context = MigrationContext.configure(connection, opts={"compare_type": False})
    return [str(difference) for difference in compare_metadata(context, Base.metadata)]
