"""A process killed with SIGKILL at random moments, most of them commits: what it answered is there, nothing by halves.

The short form of ``bench/kills.py``.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from bench import kills
from moderation.storage.db import read, write
from moderation.storage.models import Comment, Event
from tests.conftest import Clock


@pytest.fixture
def app(on_file: Callable[[Path], Flask], tmp_path: Path, clock: Clock) -> Flask:
    return on_file(tmp_path)


def test_process_killed_in_mid_commit_keeps_every_answer_and_leaves_no_half(app: Flask) -> None:
    kills.add_kills_site(app)
    tally = kills.kill_often(app, 10, 0.03, random.Random(3))
    assert tally.wrong == []
    assert tally.kills == 10
    assert tally.answers >= 10


@pytest.mark.postgres
def test_process_killed_in_mid_commit_on_postgresql_keeps_every_answer_and_leaves_no_half(
    postgres_app: Flask, postgres_url: str, clock: Clock
) -> None:
    kills.add_kills_site(postgres_app)
    tally = kills.kill_often(postgres_app, 5, 0.03, random.Random(4))
    assert tally.wrong == []
    assert tally.answers >= 5


def test_account_of_the_kills_notices_what_is_lost_and_what_is_by_halves(app: Flask) -> None:
    kills.add_kills_site(app)
    with app.app_context():
        with read() as session:
            found = session.scalars(sa.select(Comment.id).where(Comment.state == "approved")).all()
            assert kills.faults_of(session, {found[0]: "approve"}, set()) == []
            assert kills.faults_of(session, {found[0]: "reject"}, set())
        with write() as session:
            session.execute(sa.delete(Event).where(Event.comment_id == found[0], Event.type == "comment.approved"))
        with read() as session:
            assert any("0 events comment.approved" in fault for fault in kills.faults_of(session, {}, set()))
        with write() as session:
            session.execute(sa.delete(Comment).where(Comment.id == found[0]))
        with read() as session:
            assert f"{found[0]}: lost after 'approve'" in kills.faults_of(session, {found[0]: "approve"}, set())
