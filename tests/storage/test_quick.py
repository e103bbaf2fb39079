"""Small questions are asked of the database that has the name now."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from moderation.errors import StorageUnavailable
from moderation.storage.db import engine_options
from moderation.storage.quick import Quick
from tests.conftest import make_settings

_QUESTION = sa.select(sa.column("name")).select_from(sa.table("told")).where(sa.column("name") != sa.bindparam("no"))


def make(path: Path, name: str) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE told (name TEXT)")
        connection.exec_driver_sql("INSERT INTO told VALUES (?)", (name,))
    engine.dispose()


def test_ask_after_the_file_was_replaced_asks_the_new_one(tmp_path: Path) -> None:
    path, url = tmp_path / "a.db", f"sqlite:///{tmp_path / 'a.db'}"
    make(path, "old")
    make(tmp_path / "b.db", "new")
    engine = sa.create_engine(url, **engine_options(make_settings(tmp_path, url)))
    quick = Quick(engine)
    assert quick.rows(_QUESTION, {"no": ""}) == [("old",)]
    (tmp_path / "b.db").replace(path)
    assert quick.rows(_QUESTION, {"no": ""}) == [("new",)]
    engine.dispose()


def test_ask_after_the_file_was_taken_away_is_no_answer(tmp_path: Path) -> None:
    path, url = tmp_path / "a.db", f"sqlite:///{tmp_path / 'a.db'}"
    make(path, "old")
    engine = sa.create_engine(url, **engine_options(make_settings(tmp_path, url)))
    quick = Quick(engine)
    assert quick.rows(_QUESTION, {"no": ""}) == [("old",)]
    path.rename(tmp_path / "away.db")
    with pytest.raises(StorageUnavailable):
        quick.rows(_QUESTION, {"no": ""})
    (tmp_path / "away.db").rename(path)
    assert quick.rows(_QUESTION, {"no": ""}) == [("old",)]
    engine.dispose()
