"""A clock that goes back an hour, or forward a day and back: nothing is published, lost or stuck by it."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.errors import RateLimited
from moderation.services import accounts, deliver, submit
from moderation.services.parts import Parts
from moderation.storage import audit, limits, mails, models, scorings, upkeep
from moderation.storage.db import db, new_id, read, write
from tests.conftest import enqueue_event, submission_json
from tests.faults.conftest import COMMENTS, PAGE, Site, make_site


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_mending_of_times_scans_no_table_that_grows(parts: Parts, people: Any) -> None:
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, values))

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        with write() as session:
            upkeep.mend_times(session, parts.clock())
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all() for one, values in seen]
    steps = [row[3] for plan in plans for row in plan]
    assert len(steps) == 7
    for table in ("deliveries", "mails", "comments"):
        assert all("INDEX" in step for step in steps if table in step), steps


@pytest.mark.parametrize("back", [{"hours": -1}, {"days": -1}])
def test_lease_of_a_killed_worker_is_free_soon_after_the_clock_went_back(
    parts: Parts, people: Any, clock: Any, back: dict[str, float]
) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")
    enqueue_event(parts, people)
    assert len(deliver.lease_runs(parts, limit=9)) == 1
    clock.move(**back)
    assert deliver.lease_runs(parts, limit=9) == []
    with write() as session:
        upkeep.mend_times(session, clock())
    assert len(deliver.lease_runs(parts, limit=9)) == 1


def test_lease_that_stands_is_left_to_its_worker_when_times_are_mended(parts: Parts, people: Any, clock: Any) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")
    enqueue_event(parts, people)
    (run,) = deliver.lease_runs(parts, limit=9)
    with write() as session:
        upkeep.mend_times(session, clock())
    assert deliver.lease_runs(parts, limit=9) == []
    with read() as session:
        assert session.scalars(sa.select(models.Delivery.lease_token)).all() == [run.token]


def test_event_from_a_day_ahead_goes_out_soon_after_the_clock_went_back(parts: Parts, people: Any, clock: Any) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")
    clock.move(days=1)
    enqueue_event(parts, people)
    clock.move(days=-1)
    assert deliver.lease_runs(parts, limit=9) == []
    with write() as session:
        upkeep.mend_times(session, clock())
    assert len(deliver.lease_runs(parts, limit=9)) == 1


def test_try_that_is_put_off_by_the_schedule_stays_put_off_when_times_are_mended(
    parts: Parts, people: Any, clock: Any
) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")
    enqueue_event(parts, people)
    for _ in range(4):
        clock.move(hours=3)
        assert deliver.deliver_due(parts) == 1
    with write() as session:
        upkeep.mend_times(session, clock())
    assert deliver.deliver_due(parts) == 0


def test_question_and_mail_from_a_day_ahead_go_out_soon_after_the_clock_went_back(
    parts: Parts, people: Any, clock: Any
) -> None:
    clock.move(days=1)
    sent = submit.Submission("a", None, None, None, "Ana", None, None, None, "A remark.")
    comment_id = submit.submit_comment(parts, "news", sent, submit.Client("203.0.113.7", "x"))["id"]
    with write() as session:
        scorer = models.ScorerRow(
            id=new_id(),
            site_id=people.site_id,
            name="s",
            kind="http",
            url="http://127.0.0.1:9/",
            created_at=clock(),
        )
        session.add(scorer)
        session.flush()
        comment = session.get_one(models.Comment, comment_id)
        scorings.enqueue(session, comment, [scorer.id], clock(), may_approve=True)
        mails.enqueue(session, mails.CONFIRM, [{"site_id": people.site_id}], clock())
    clock.move(days=-1)
    with write() as session:
        assert not scorings.is_due(session, now=clock(), without=())
        assert not mails.is_due(session, clock())
        upkeep.mend_times(session, clock())
        assert scorings.is_due(session, now=clock(), without=())
        assert mails.is_due(session, clock())


def test_claim_from_a_day_ahead_is_free_soon_after_the_clock_went_back(app: Flask, clock: Any) -> None:
    site = make_site(app)
    claims = {"site": "news", "limit": 5, "minutes": 120}

    def claimed(who: str) -> int:
        answer = site.client.post("/api/v1/queue/claims", json=claims, headers=site.people.bearer(who))
        return len(answer.get_json()["items"])

    clock.move(days=1)
    assert claimed("moderator") == 1
    clock.move(days=-1)
    assert claimed("second") == 0
    with app.app_context(), write() as session:
        upkeep.mend_times(session, clock())
    assert claimed("second") == 1
    with app.app_context(), write() as session:
        upkeep.mend_times(session, clock())
    assert claimed("moderator") == 0, "a claim that can be is left to who has it"


def test_worker_that_died_while_the_clock_ran_ahead_does_not_count_as_alive(
    client: FlaskClient, parts: Parts, clock: Any
) -> None:
    with write() as session:
        upkeep.beat(session, "w1", clock())
    assert client.get("/readyz").status_code == 200
    clock.move(days=-1)
    assert client.get("/readyz").get_json()["checks"]["worker"] == "failed"
    with write() as session:
        upkeep.beat(session, "w2", clock())
    assert client.get("/readyz").status_code == 200, "a worker that lives is heard of at once"


@pytest.mark.parametrize(("there", "back"), [({}, {"hours": -1}), ({"days": 1}, {"days": -1})])
def test_reader_at_the_limit_is_not_locked_out_by_a_clock_that_went_back(
    parts: Parts, clock: Any, there: dict[str, float], back: dict[str, float]
) -> None:
    clock.move(**there)
    for _ in range(2):
        with write() as session:
            limits.hit(session, "2/minute", "somebody", clock())
    clock.move(**back)
    with write() as session:
        limits.peek(session, "2/minute", "somebody", clock())
        limits.hit(session, "2/minute", "somebody", clock())
    with write() as session:
        limits.hit(session, "2/minute", "somebody", clock())
    with pytest.raises(RateLimited) as caught, write() as session:
        limits.hit(session, "2/minute", "somebody", clock())
    assert caught.value.retry_after_s <= 60


def test_limit_holds_between_machines_whose_clocks_differ_by_a_minute(parts: Parts, clock: Any) -> None:
    for skew in (-60, 30):
        with write() as session:
            limits.hit(session, "2/minute", "somebody", clock())
        clock.move(seconds=skew)
    with pytest.raises(RateLimited), write() as session:
        limits.hit(session, "2/minute", "somebody", clock())


def test_session_edit_window_and_key_follow_the_clock_and_never_outlast_it(app: Flask, clock: Any) -> None:
    site = make_site(app)
    parts = app.extensions["moderation"]
    key = {"Idempotency-Key": "the-same-key"}
    first = site.client.post(COMMENTS, json=submission_json("Once."), headers=key).get_json()
    edit = {"body": "Changed."}
    token = {"X-Edit-Token": first["edit_token"]}

    clock.move(days=1, seconds=1)
    assert site.browser.get("/console/", headers=PAGE).status_code == 303, "who was logged in has to log in again"
    assert site.client.patch(f"{COMMENTS}/{first['id']}", json=edit, headers=token).status_code == 403

    clock.move(days=-1, hours=-1)
    assert site.browser.get("/console/", headers=PAGE).status_code == 200
    again = site.client.post(COMMENTS, json=submission_json("Once."), headers=key)
    assert (again.status_code, again.get_json()["id"]) == (202, first["id"])
    assert site.client.patch(f"{COMMENTS}/{first['id']}", json=edit, headers=token).status_code == 200
    with app.app_context(), read() as session:
        assert audit.verify(session, parts.vault.audit_key) == []


@pytest.mark.parametrize(("there", "back"), [({}, {"hours": -1}), ({"days": 1}, {"days": -1})])
def test_all_that_readers_and_moderators_do_goes_on_after_the_clock_went_back(
    app: Flask, clock: Any, there: dict[str, float], back: dict[str, float]
) -> None:
    clock.move(**there)
    site = make_site(app)
    early = [site.post(f"Remark {number}, before.").get_json()["id"] for number in range(3)]
    assert site.approve(early[0]).status_code == 200
    listed = site.client.get(f"{COMMENTS}?thread=2025/07/arms-pause")
    clock.move(**back)

    # Nothing of what waits is published; what is decided is seen at once, also by caches.
    late = [site.post(f"Remark {number}, after.").get_json()["id"] for number in range(3)]
    assert not any(site.is_public(one) for one in (*early[1:], *late, site.waiting))
    decided = site.approve(late[0])
    assert decided.status_code == 200
    fresh = site.client.get(f"{COMMENTS}?thread=2025/07/arms-pause", headers={"If-None-Match": listed.headers["ETag"]})
    assert fresh.status_code == 200
    assert site.is_public(late[0])
    undo = f"/api/v1/decisions/{decided.get_json()['decision_id']}/undo"
    assert site.client.post(undo, headers=site.people.bearer("moderator")).status_code == 200
    assert not site.is_public(late[0])

    # All of it is in the queue, page by page, and each page of the console opens.
    waiting = {site.waiting, *early[1:], *late}
    assert _queue(site) == waiting
    assert _log_in_again(site).status_code == 200
    pages = ("/console/", f"/console/comments/{late[0]}", "/console/dashboard", "/console/audit", "/console/learned")
    for path in pages:
        answer = site.browser.get(path, headers=PAGE)
        assert answer.status_code in {200, 403, 404}, path
    for path in ("/api/v1/stats?site=news", "/api/v1/audit?site=news"):
        assert site.client.get(path, headers=site.people.bearer("admin")).status_code == 200, path
    assert site.client.get("/sites/news/feed.atom").status_code == 200
    with app.app_context(), read() as session:
        assert audit.verify(session, app.extensions["moderation"].vault.audit_key) == []


def _queue(site: Site) -> set[str]:
    found: list[str] = []
    path, cursor = "/api/v1/queue?site=news&limit=2", ""
    while True:
        answer = site.client.get(path + cursor, headers=site.people.bearer("moderator")).get_json()
        found += [item["id"] for item in answer["items"]]
        if answer["next"] is None:
            assert len(found) == len(set(found))
            return set(found)
        cursor = f"&cursor={answer['next']}"


def _log_in_again(site: Site) -> Any:
    parts = site.app.extensions["moderation"]
    with site.app.app_context():
        cookie, _ = accounts.log_in(parts, "mira", "nine lamps over the harbour", b"h" * 16)
    site.browser.set_cookie("moderation-session", cookie)
    return site.browser.get("/console/", headers=PAGE)


def test_ids_made_after_the_clock_went_back_still_follow_the_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    real = time.time_ns
    before = [new_id() for _ in range(3)]
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3_600 * 10**9)
    after = [new_id() for _ in range(3)]
    assert [*before, *after] == sorted({*before, *after})
