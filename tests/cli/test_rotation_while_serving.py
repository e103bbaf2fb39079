"""Keys are rotated while readers write: every process takes the new key up, and a rotation that was killed goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from moderation.adapters.vault import Vault
from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import keys, sites
from moderation.services.parts import Parts
from moderation.settings import read_settings
from moderation.storage import audit, sealed
from moderation.storage.db import new_id, read, write
from moderation.storage.models import Heartbeat, Subscription
from tests.conftest import dispose, submission_json

VALUES = 1_000


@pytest.fixture
def serving(
    request: pytest.FixtureRequest, home: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """An installation with a file of keys, on either database, as a running process sees it."""
    if request.param == "postgresql":
        monkeypatch.setenv("MODERATION_DATABASE_URL", str(request.getfixturevalue("postgres_url")))
    app = create_app(read_settings())
    with app.app_context():
        parts = app.extensions["moderation"]
        site = sites.add_site(parts, CLI, "news", "News", [], {"submit_rate": "none"})
        with write() as session:
            session.add_all(subscription(parts, site["id"]) for _ in range(VALUES))
        yield app
    dispose(app)


def subscription(parts: Parts, site_id: Any) -> Subscription:
    own = new_id()
    value = parts.vault.seal(
        f"{own}@b.example".encode(), table="subscriptions", column="email_sealed", row_id=own, site_id=site_id
    )
    return Subscription(id=own, site_id=site_id, email_index=own.bytes, email_sealed=value, asked_at=parts.clock())


def key_ids(parts: Parts) -> dict[str, int]:
    """How many values are under which key; each of them opens."""
    found: dict[str, int] = {}
    with read() as session:
        for place in sealed.COLUMNS:
            for row in sealed.sealed_values(session, place, 10 * VALUES, None):
                at = {"table": place[0], "column": place[1], "row_id": row.row_id, "site_id": row.site_id}
                assert parts.vault.open(row.value, **at)
                key_id = parts.vault.key_id_of(row.value)
                found[key_id] = found.get(key_id, 0) + 1
    return found


def write_comment(app: Flask, number: int) -> None:
    body = submission_json(f"Remark number {number}.")
    assert app.test_client().post("/api/v1/sites/news/comments", json=body).status_code == 202


both = pytest.mark.parametrize(
    "serving", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@both
def test_rotation_killed_half_way_goes_on_and_loses_nothing_written_meanwhile(
    serving: Flask, home: Path, run_json: Callable[..., Any]
) -> None:
    parts = serving.extensions["moderation"]
    write_comment(serving, 0)
    process = subprocess.Popen(
        [sys.executable, "-m", "moderation", "keys", "rotate", "--new-key"],
        env=os.environ | {"MODERATION_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    is_new = sa.select(sa.func.count()).where(sa.func.substr(Subscription.email_sealed, 1, 3) == b"k2:")
    done = 0
    while not done and process.poll() is None and time.monotonic() < end:
        with read() as session:
            done = session.scalar(is_new) or 0
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    cut = key_ids(parts)
    assert 0 < cut["k2"] < VALUES + 1, "killed in the middle"
    write_comment(serving, 1)
    assert key_ids(parts)["k2"] == cut["k2"] + 1, "the running process seals under the new key by itself"

    answer = run_json("keys", "rotate", "--new-key")
    assert answer == {"resealed": cut["k1"], "checked": VALUES + 2, "key": "k2"}
    write_comment(serving, 2)
    assert key_ids(parts) == {"k2": VALUES + 3}
    fresh = read_settings()
    assert [key_id for key_id, _ in fresh.encryption_keys] == ["k2", "k1"]
    assert Vault(fresh).current_key == "k2"
    with read() as session:
        assert audit.verify(session, parts.vault.audit_key) == []
    assert run_json("keys", "rotate")["resealed"] == 0


@pytest.mark.parametrize("serving", ["sqlite"], indirect=True)
def test_process_that_has_not_sealed_since_opens_what_is_under_a_new_key(
    serving: Flask, home: Path, run_json: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = serving.extensions["moderation"]
    assert set(key_ids(parts)) == {"k1"}
    run_json("keys", "rotate", "--new-key")
    assert set(key_ids(parts)) == {"k2"}
    (home / "keys" / "encryption_keys").write_text("nonsense")
    write_comment(serving, 1)
    assert set(key_ids(parts)) == {"k2"}, "a broken file leaves the keys as they were"


@pytest.mark.parametrize("serving", ["sqlite"], indirect=True)
def test_last_look_finds_what_was_sealed_under_the_old_key_meanwhile(
    serving: Flask, home: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = serving.extensions["moderation"]
    with read() as session:
        site_id = session.scalars(sa.select(Subscription.site_id)).first()
    late = subscription(parts, site_id)
    look = keys._reseal_all
    added: list[Subscription] = []

    def look_and_be_overtaken(*arguments: Any) -> Any:
        found = look(*arguments)
        if not added:
            added.append(late)
            with write() as session:
                session.add(late)
        return found

    monkeypatch.setattr(keys, "_reseal_all", look_and_be_overtaken)
    run("keys", "rotate", "--new-key")
    assert key_ids(parts) == {"k2": VALUES + 1}


@pytest.mark.parametrize("serving", ["sqlite"], indirect=True)
def test_new_key_is_refused_while_a_worker_of_another_machine_runs(
    serving: Flask, home: Path, run: Callable[..., Any]
) -> None:
    with write() as session:
        session.add(Heartbeat(worker="elsewhere:1:2", at=serving.extensions["moderation"].clock()))
    before = (home / "keys" / "encryption_keys").read_text()
    assert "elsewhere" in run("keys", "rotate", "--new-key", status=1).stderr
    assert (home / "keys" / "encryption_keys").read_text() == before
    run("keys", "rotate", "--new-key", "--shared")


def test_new_key_of_a_run_killed_before_it_was_in_place_is_made_anew(home: Path, run_json: Callable[..., Any]) -> None:
    (home / "keys" / "encryption_keys.new").write_text("k2:half")
    assert run_json("keys", "rotate", "--new-key")["key"] == "k2"
    assert [path.name for path in (home / "keys").glob("*.new")] == []
