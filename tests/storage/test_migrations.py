"""The migration to groups of alike comments, on a database with rows in it."""

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from moderation.storage import schema
from moderation.storage.models import Comment, Fingerprint, SignalRow
from tests.conftest import make_people, submission_json

REVISION = "0004"


def test_migrate_down_and_up_keeps_comments_and_forgets_old_bands(app, parts, client) -> None:
    make_people(parts)
    made = client.post("/api/v1/sites/news/comments", json=submission_json("you shit, and a calm, useful remark"))
    assert made.status_code == 202
    engine = app.extensions["sqlalchemy"].engine
    before = ScriptDirectory.from_config(schema._config()).get_revision(REVISION).down_revision
    try:
        with engine.connect() as connection, connection.begin():
            command.downgrade(schema._config(connection), before)
        with engine.connect() as connection:
            names = {column["name"] for column in sa.inspect(connection).get_columns("comments")}
            assert "simhash" in names
            assert not names & {"sketch", "alike_key", "scorer_version"}
            connection.rollback()
    finally:
        schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
        assert connection.execute(sa.select(Comment.scorer_version, Comment.alike_key)).all() == [("", None)]
        assert connection.execute(sa.select(Fingerprint.band)).all() == []
        assert all(
            row.scores == {} and row.forces is None
            for row in connection.execute(sa.select(SignalRow.scores, SignalRow.forces))
        )


def test_migrate_away_from_other_protocols_and_back_keeps_what_was_learned(app, parts) -> None:
    from moderation.domain.actor import CLI
    from moderation.services import learning

    make_people(parts)
    learning.teach(parts, CLI, "news", "Seven herbs", "spam")
    engine = app.extensions["sqlalchemy"].engine
    before = ScriptDirectory.from_config(schema._config()).get_revision("0010").down_revision
    try:
        with engine.connect() as connection, connection.begin():
            command.downgrade(schema._config(connection), before)
        with engine.connect() as connection:
            assert not {"key_usage", "site_secrets"} & set(sa.inspect(connection).get_table_names())
            connection.rollback()
    finally:
        schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
        connection.rollback()
    assert learning.show(parts, CLI, "news")["decisions"] == 1
