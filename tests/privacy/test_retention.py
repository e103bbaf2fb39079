"""What a site keeps for some days only goes by itself: what nothing needs, no earlier, all of it, in small steps."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moderation import worker
from moderation.domain.actor import CLI, WORKER, Actor, Role
from moderation.errors import Conflict, Forbidden
from moderation.services import deliver, moderate, receipts, retention, sites
from moderation.services.parts import Parts
from moderation.storage import audit
from moderation.storage.db import new_id, read, write
from moderation.storage.models import AuditLine, Comment, SignalRow, Subscription, Watch
from tests.conftest import Clock, People
from tests.privacy.test_rights import everything
from tests.services.test_query_plans import plans

pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def keep(parts: Parts, people: People) -> Callable[..., None]:
    """Set for how many days the site keeps what."""

    def change(**days: int) -> None:
        sites.change_site(parts, CLI, "news", settings={f"keep_{kind}_days": n for kind, n in days.items()})

    return change


def row(comment_id: str) -> Comment:
    with read() as session:
        return session.scalars(sa.select(Comment).where(Comment.id == uuid.UUID(str(comment_id)))).one()


def run(parts: Parts) -> dict[str, int]:
    """Let go what is over; the numbers of the site, without noughts."""
    found = retention.retain(parts, WORKER)
    return {name: n for one in found for name, n in one.items() if name != "site" and n}


def test_nothing_goes_by_itself_unless_the_site_says_so(parts: Parts, submit: Any, clock: Clock) -> None:
    submit()
    clock.move(days=4_000)
    assert retention.retain(parts, WORKER) == retention.count_past(parts, CLI) == []


def test_address_goes_when_nothing_needs_it_for_so_long(
    parts: Parts, people: People, submit: Any, decide: Any, keep: Any, clock: Clock
) -> None:
    keep(addresses=10)
    rule = {"kind": "domain", "value": "example.org", "action": "score", "weight": 0.1}
    sites.add_rule(parts, CLI, "news", **rule)
    waits, done, late = (submit(f"Remark number {n} of them.")["id"] for n in range(3))
    decide(done)
    clock.move(days=9, hours=23)
    decide(late)
    assert run(parts) == {}
    clock.move(hours=2)
    with read() as session:
        told = [one["text"] for signal in session.scalars(sa.select(SignalRow)) for one in signal.evidence]
    assert [text for text in told if "example.org" in text]
    assert retention.count_past(parts, CLI) == [{"site": "news", "addresses": 1, "networks": 0, "refused": 0}]
    assert run(parts) == {"addresses": 1}
    gone, pending, recent = row(done), row(waits), row(late)
    assert (gone.email_sealed, gone.email_index, gone.email_domain) == (None, None, None)
    assert (gone.author_name, gone.body, gone.state) == ("Ana", "Remark number 1 of them.", "approved")
    assert pending.email_sealed, "it waits, and somebody may have to ask"
    assert recent.email_sealed, "the decision is of today"
    with read() as session:
        of_it = sa.select(SignalRow).where(SignalRow.comment_id == gone.id)
        assert "example.org" not in str([signal.evidence for signal in session.scalars(of_it)])
    clock.move(days=10)
    assert run(parts) == {"addresses": 1}
    assert run(parts) == {}


def test_address_stays_while_its_owner_is_told_of_replies(
    parts: Parts, people: People, submit: Any, decide: Any, keep: Any, clock: Clock
) -> None:
    keep(addresses=1)
    made = submit()["id"]
    decide(made)
    own = new_id()
    place = {"table": "subscriptions", "column": "email_sealed", "row_id": own, "site_id": people.site_id}
    with write() as session:
        kept = {"email_index": b"i", "email_sealed": parts.vault.seal(b"a@b.example", **place)}
        session.add(Subscription(id=own, site_id=people.site_id, state="confirmed", asked_at=clock(), **kept))
        session.flush()
        session.add(Watch(comment_id=uuid.UUID(made), site_id=people.site_id, subscription_id=own))
    clock.move(days=5)
    assert run(parts) == {}
    with write() as session:
        session.execute(sa.delete(Subscription))
    assert run(parts) == {"addresses": 1}


def test_network_goes_in_every_state(
    app: Flask, parts: Parts, submit: Any, decide: Any, keep: Any, clock: Clock
) -> None:
    keep(networks=7)
    made = [submit(f"Remark number {n} of them.")["id"] for n in range(3)]
    decide(made[0])
    decide(made[1], "trash")
    clock.move(days=6)
    assert run(parts) == {}
    clock.move(days=2)
    assert run(parts) == {"networks": 3}
    assert {(row(one).ip_network, row(one).network_key) for one in made} == {("", None)}
    assert "127.0.0.0" not in everything(app)


def test_text_of_what_was_refused_goes_from_everywhere_and_stays_refused(
    app: Flask, client: FlaskClient, people: People, parts: Parts, submit: Any, decide: Any, keep: Any, clock: Clock
) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/x")
    keep(refused=3)
    parent = submit("Wording of old, quite a long sentence to be compared with.", author={"name": "Zoltan"})
    decide(parent["id"])
    reply = submit("An answer that was public once.", parent_id=parent["id"])["id"]
    decide(reply)
    edit = {"body": "Wording of new, quite a long sentence to be compared with."}
    path = f"/api/v1/sites/news/comments/{parent['id']}"
    assert client.patch(path, json=edit, headers={"X-Edit-Token": parent["edit_token"]}).status_code == 200
    decide(parent["id"], "trash")
    spam = submit("Wording of a third, which is spam.")["id"]
    decide(spam, "spam")
    waits = submit("This one waits for somebody.")["id"]
    clock.move(days=4)
    assert run(parts) == {"refused": 2}
    left = everything(app)
    assert "Wording" not in left
    assert "Zoltan" not in left
    assert (row(parent["id"]).state, row(spam).state, row(waits).body) == (
        "trashed", "spam", "This one waits for somebody.",
    )  # fmt: skip
    assert client.get("/api/v1/sites/news/comments?thread=2025/07/arms-pause").get_json()["comments"] == []
    for action in ("approve", "restore", "escalate"):
        with pytest.raises(Conflict):
            moderate.decide(parts, CLI, row(spam).id, action)
    assert decide(spam, "trash").status_code == 200
    assert run(parts) == {}
    with read() as session:
        assert audit.verify(session, parts.vault.audit_key) == []


def test_author_of_a_refused_text_that_is_gone_sees_nothing_to_change(
    parts: Parts, submit: Any, decide: Any, keep: Any, clock: Clock
) -> None:
    keep(refused=2)
    made = submit("A remark that somebody takes for spam.")
    decide(made["id"], "spam")
    token = made["receipt_url"].rpartition("/")[2]
    assert receipts.show_receipt(parts, token).may_edit
    clock.move(days=3)
    assert run(parts) == {"refused": 1}
    shown = receipts.show_receipt(parts, token)
    assert (shown.may_edit, shown.body) == (False, "")
    receipts.withdraw(parts, token)
    assert receipts.show_receipt(parts, token).told == "deleted"


def test_run_goes_on_where_it_was_killed_and_counts_once(
    parts: Parts, submit: Any, keep: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    keep(networks=1)
    for number in range(7):
        submit(f"Remark number {number} of them.")
    clock.move(days=2)
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > 2

    assert retention.retain(parts, WORKER, stopped=stopped)[0]["networks"] == 4
    assert run(parts) == {"networks": 3}
    assert run(parts) == {}
    with read() as session:
        lines = session.scalars(sa.select(AuditLine).where(AuditLine.action == "privacy.retain")).all()
    assert [line.data["networks"] for line in lines] == [4, 3]
    assert {(line.actor_name, line.object_id) for line in lines} == {("worker", "news")}


def test_run_goes_once_along_comments_of_the_same_moment_that_stay(
    parts: Parts, submit: Any, keep: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    keep(networks=1)
    made = sorted(uuid.UUID(submit(f"Remark number {number} of them.")["id"]) for number in range(5))
    clock.move(days=2)
    seen: list[uuid.UUID] = []
    monkeypatch.setattr(retention, "_let_go", lambda _parts, _past, ids: seen.extend(ids) or 0)
    retention.retain(parts, WORKER, stopped=lambda: len(seen) > 9)
    assert seen == made


def test_run_leaves_alone_what_changed_between_finding_and_locking(
    parts: Parts, submit: Any, decide: Any, keep: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(refused=1)
    made = submit("A remark that was refused, and then was not.")["id"]
    decide(made, "reject")
    clock.move(days=2)
    let_go = retention._let_go

    def overtaken(*args: Any) -> int:
        moderate.decide(parts, CLI, row(made).id, "approve")
        return let_go(*args)

    monkeypatch.setattr(retention, "_let_go", overtaken)
    assert run(parts) == {}
    assert (row(made).state, bool(row(made).body)) == ("approved", True)


def test_retention_stays_on_its_site_and_is_for_admins(parts: Parts, submit: Any, clock: Clock) -> None:
    sites.change_site(parts, CLI, "other", settings={"keep_networks_days": 1})
    made = submit()["id"]
    clock.move(days=3)
    assert run(parts) == {}
    assert row(made).ip_network
    with pytest.raises(Forbidden):
        retention.retain(parts, Actor("token", "t", "a moderator", {None: Role.MODERATOR}))


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", retention.KINDS)
def test_retention_walks_an_index_of_its_own(parts: Parts, submit: Any, keep: Any, clock: Clock, kind: str) -> None:
    submit()
    keep(**{kind: 1})
    clock.move(days=2)
    steps = plans(parts, lambda: retention.retain(parts, WORKER))
    assert any(step.startswith(f"SEARCH comments USING INDEX ix_comments_{kind} (site_id=? AND") for step in steps)
    assert not any(step.startswith("SCAN comments") or "ORDER BY" in step for step in steps)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_worker_lets_go_by_itself(app: Flask, parts: Parts, submit: Any, keep: Any, clock: Clock) -> None:
    made = submit()["id"]
    keep(networks=1)
    clock.move(days=2)
    stop = threading.Event()
    working = threading.Thread(target=worker.run, args=(app, stop))
    working.start()
    end = time.monotonic() + 60
    while row(made).ip_network and time.monotonic() < end:
        time.sleep(0.05)
    stop.set()
    working.join()
    assert row(made).ip_network == ""
