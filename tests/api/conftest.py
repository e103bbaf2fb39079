"""Tests with ``client`` run on both databases; those with ``caller`` share one application on SQLite."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.app import create_app
from tests.conftest import People, dispose, make_people, make_settings


@pytest.fixture
def assert_problem() -> Callable[..., dict[str, Any]]:
    """Asserts that an answer is a problem document of a status, in the one shape; returns the document."""

    def check(answer: Any, status: int) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.content_type == "application/problem+json"
        document: dict[str, Any] = answer.get_json(force=True)
        assert set(document) - {"errors"} == {"type", "title", "status", "detail"}
        assert document["status"] == status
        assert document["type"].startswith("/problems/")
        assert document["title"]
        assert document["detail"]
        assert "Traceback" not in answer.text
        assert answer.headers["X-Request-Id"]
        assert answer.headers["Cache-Control"] == "no-store"
        return document

    return check


@pytest.fixture
def submission() -> dict[str, Any]:
    """A submission as in the contract."""
    return {
        "thread": {
            "key": "2025/07/arms-pause",
            "url": "https://news.example/2025/07/arms-pause",
            "title": "Arms pause",
        },
        "parent_id": None,
        "author": {"name": "Ana", "email": "ana@example.org", "url": None},
        "body": "A calm and useful remark.",
    }


@pytest.fixture
def approved(submit: Any, decide: Any) -> dict[str, Any]:
    """The answer of 202 to a comment that is approved by now."""
    made: dict[str, Any] = submit()
    assert decide(made["id"]).status_code == 200
    return made


@pytest.fixture(scope="session")
def shared_app(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One application on SQLite for all tests that change nothing, or nothing that another one looks at."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copy(sqlite_template, folder / "moderation.db")
    app = create_app(make_settings(folder, f"sqlite:///{folder / 'moderation.db'}"))
    app.testing = True
    with app.app_context():
        app.extensions["people"] = make_people(app.extensions["moderation"])
    yield app
    dispose(app)


@pytest.fixture
def caller(shared_app: Flask) -> FlaskClient:
    """A caller of ``shared_app``."""
    return shared_app.test_client()


@pytest.fixture
def everybody(shared_app: Flask) -> People:
    """The people of ``shared_app``."""
    people: People = shared_app.extensions["people"]
    return people
