"""Under a raid: it is noticed, newcomers wait and are slowed, who is known is not, and it ends by itself; told once."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from moderation.domain import raid
from moderation.domain.actor import CLI
from moderation.domain.raid import NOTHING, Arrivals, Move, Raid
from moderation.errors import Forbidden, Invalid, NotFound, SlowedDown
from moderation.services import accounts, deliver, moderate, raids, sites
from moderation.services.idempotency import Idempotency
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, edit_comment, submit_comment
from moderation.storage import raids as raid_rows
from moderation.storage.db import db, read, write
from moderation.storage.models import AuditLine, Delivery, Event, Site

on_sqlite = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
"""Where the database does not matter."""

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
QUIET = timedelta(minutes=10)
FLOOD = Arrivals(comments=80, newcomers=75, networks=40)
UNDER = Raid(since=NOW - timedelta(hours=1), busy_at=NOW - timedelta(minutes=5))


# --- the rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stands", "mode", "arrivals", "expected"),
    [
        (Raid(), "auto", FLOOD, Move.START),
        (Raid(), "auto", Arrivals(59, 59, 59), None),
        (Raid(), "auto", Arrivals(500, 500, 9), None),  # one office, or one flooder: its own limit is for that
        (Raid(), "auto", Arrivals(200, 75, 40), None),  # a match that all regulars talk about
        (Raid(), "off", FLOOD, None),
        (Raid(), "on", NOTHING, Move.START),
        (Raid(not_before=NOW + timedelta(seconds=1)), "auto", FLOOD, None),
        (Raid(not_before=NOW), "auto", FLOOD, Move.START),
        (UNDER, "auto", Arrivals(30, 30, 1), Move.GO_ON),
        (Raid(UNDER.since, NOW - timedelta(seconds=14)), "auto", FLOOD, None),
        (UNDER, "auto", Arrivals(29, 29, 29), None),
        (Raid(UNDER.since, NOW - QUIET), "auto", Arrivals(29, 29, 29), Move.END),
        (Raid(UNDER.since, NOW - QUIET), "on", NOTHING, None),
        (UNDER, "off", FLOOD, Move.END),
    ],
)
def test_next_move_follows_figures_and_setting(stands: Raid, mode: str, arrivals: Arrivals, expected: Any) -> None:
    assert raid.next_move(stands, mode, arrivals, 60, QUIET, NOW) is expected


def test_limit_grows_with_what_is_usual() -> None:
    assert [raid.limit_of(60, usual) for usual in (0, 6, 7)] == [60, 60, 70]


@pytest.mark.parametrize(
    ("approved", "spam", "hours", "by_person", "expected"),
    [
        (0, 0, 1_000, False, False),
        (1, 0, 24, False, True),
        (1, 0, 23, False, False),  # approved by the policy a moment ago, like the first of the raid
        (1, 0, 0, True, True),
        (9, 1, 1_000, True, False),
    ],
)
def test_is_known_needs_an_approval_that_no_raid_can_have(
    approved: int, spam: int, hours: int, by_person: bool, expected: bool
) -> None:
    assert raid.is_known(approved, spam, timedelta(hours=hours), by_person) is expected


# --- on both databases ---------------------------------------------------------------------------------------------


_numbers = itertools.count()


def post(
    parts: Parts,
    body: str = "",
    *,
    ip: str = "",
    agent: str = "Mozilla/5.0",
    token: str | None = None,
    idem: Idempotency | None = None,
    site: str = "news",
) -> dict[str, Any]:
    n = next(_numbers)
    sent = Submission(
        "a", None, None, None, "Ana", None, None, token, body or f"A calm and useful remark, number {n}.", 60_000
    )
    return submit_comment(parts, site, sent, Client(ip or f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", agent), idem)


@pytest.fixture
def flooded(parts: Parts, people: Any, clock: Any) -> Callable[[], None]:
    """Lets newcomers come in from as many addresses as begin a raid on the site; its limits are small."""
    sites.change_site(
        parts,
        CLI,
        "news",
        settings={"policy": "auto", "raid_at": 12, "raid_quiet_s": 120, "submit_rate": "100/minute"},
    )

    def flood() -> None:
        for _ in range(12):
            post(parts)

    return flood


def since(key: str = "news") -> datetime | None:
    with read() as session:
        return session.scalar(sa.select(Site.raid_since).where(Site.key == key))


def told(kind: str = "site.") -> list[dict[str, Any]]:
    with read() as session:
        found = session.scalars(sa.select(Event.payload).where(Event.type.startswith(kind)).order_by(Event.id))
        return [orjson.loads(one) for one in found]


def signals_of(parts: Parts, made: dict[str, Any]) -> set[str]:
    return {signal["name"] for signal in moderate.show_comment(parts, CLI, made["id"])["signals"]}


def lines(action: str) -> int:
    with read() as session:
        return session.scalar(sa.select(sa.func.count()).where(AuditLine.action == action)) or 0


def hook(parts: Parts) -> None:
    deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook", ["site.raid_started", "site.raid_ended"])


def test_flood_from_many_addresses_starts_a_raid_that_ends_by_itself(
    parts: Parts, flooded: Callable[[], None], clock: Any
) -> None:
    hook(parts)
    flooded()
    assert raids.look(parts) == 1
    began = since()
    assert began == clock()
    assert raids.look(parts) == 0
    clock.move(seconds=100)
    flooded()
    assert raids.look(parts) == 0  # it goes on
    clock.move(seconds=119)
    assert raids.look(parts) == 0
    clock.move(seconds=1)
    assert raids.look(parts) == 1
    assert since() is None
    started, ended = told()
    assert (started["type"], ended["type"]) == ("site.raid_started", "site.raid_ended")
    assert started["data"]["site"] == "news"
    assert started["data"]["raid"] | {"since": ""} == {
        "since": "", "by": "figures", "newcomers": 12, "networks": 12, "limit": 12
    }  # fmt: skip
    assert ended["data"]["raid"]["since"] == started["data"]["raid"]["since"]
    assert (lines("raid.start"), lines("raid.end")) == (1, 1)


def test_flood_from_one_address_or_of_another_site_starts_nothing(parts: Parts, flooded: Any) -> None:
    for _ in range(20):
        post(parts, ip="203.0.113.7")
    assert raids.look(parts) == 0
    sites.change_site(parts, CLI, "other", settings={"raid_at": 12})
    for _ in range(12):
        post(parts, site="other")
    assert raids.look(parts) == 1
    assert since() is None
    assert since("other") is not None


def test_raid_seen_by_many_workers_is_told_once(app: Any, parts: Parts, flooded: Any) -> None:
    hook(parts)
    flooded()

    def see() -> int:
        with app.app_context():
            return raids.look(parts)

    with ThreadPoolExecutor(4) as pool:
        assert sum(future.result() for future in [pool.submit(see) for _ in range(8)]) == 1
    assert len(told()) == 1
    assert lines("raid.start") == 1
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Delivery)) == 1


def test_newcomers_wait_in_a_raid_though_the_site_publishes_at_once(parts: Parts, flooded: Any, clock: Any) -> None:
    early = post(parts)
    assert early["state"] == "approved"
    flooded()
    raids.look(parts)
    late = post(parts)
    assert late["state"] == "pending"
    assert "raid" in signals_of(parts, late)
    assert "Raid asks for a moderator." in moderate.show_comment(parts, CLI, late["id"])["reasons"]
    # Nor does a token that the policy's own approval, a moment ago, would make a known reader's.
    assert post(parts, token=early["author_token"])["state"] == "pending"
    # And what was approved before does not become something else by an edit.
    edited = edit_comment(parts, "news", early["id"], early["edit_token"], "Buy now.", Client("10.9.9.9", "x"))
    assert edited["state"] == "pending"


@pytest.mark.parametrize("how", ["a moderator approved", "long known"])
def test_known_readers_are_published_in_a_raid_as_before(parts: Parts, flooded: Any, clock: Any, how: str) -> None:
    known = post(parts)
    if how == "long known":
        clock.move(hours=25)
    else:
        moderate.decide(parts, CLI, known["id"], "reject")
        moderate.decide(parts, CLI, known["id"], "approve")
    flooded()
    raids.look(parts)
    assert post(parts, token=known["author_token"])["state"] == "approved"


def test_slow_mode_takes_one_comment_a_reader_a_minute_and_says_what_to_do(
    parts: Parts, flooded: Any, clock: Any, people: Any, client: Any
) -> None:
    flooded()
    raids.look(parts)
    body = {"thread": {"key": "a"}, "author": {"name": "Ana"}, "body": "A calm remark."}
    sent = {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}, "headers": {"User-Agent": "one"}}
    first = client.post("/api/v1/sites/news/comments", json=body, **sent)
    assert first.status_code == 202
    assert first.get_json()["state"] == "pending"
    clock.move(seconds=20)
    refused = client.post("/api/v1/sites/news/comments", json=body | {"body": "Another."}, **sent)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "40"
    assert "was not taken: keep its text, and send it again in 40 s" in refused.get_json()["detail"]
    # Neighbours behind the same address are other readers; and a minute later it is taken.
    sent["headers"] = {"User-Agent": "two"}
    assert client.post("/api/v1/sites/news/comments", json=body, **sent).status_code == 202
    clock.move(seconds=40)
    sent["headers"] = {"User-Agent": "one"}
    assert client.post("/api/v1/sites/news/comments", json=body | {"body": "Another."}, **sent).status_code == 202


def test_slow_mode_gives_a_repeat_its_first_answer(parts: Parts, flooded: Any) -> None:
    flooded()
    raids.look(parts)
    idem = Idempotency("key-of-a-retry", b"the same request")
    first = post(parts, "The same words.", ip="203.0.113.7", idem=idem)
    assert post(parts, "The same words.", ip="203.0.113.7", idem=idem)["id"] == str(first["id"])
    with pytest.raises(SlowedDown):
        post(parts, "Other words.", ip="203.0.113.7")


@on_sqlite
def test_slow_mode_counts_a_known_reader_by_themselves_wherever_they_are(parts: Parts, flooded: Any) -> None:
    known = post(parts)
    moderate.decide(parts, CLI, known["id"], "reject")
    moderate.decide(parts, CLI, known["id"], "approve")
    flooded()
    raids.look(parts)
    post(parts, ip="203.0.113.7")
    assert post(parts, ip="203.0.113.7", token=known["author_token"])["state"] == "approved"
    with pytest.raises(SlowedDown):
        post(parts, ip="198.51.100.9", token=known["author_token"])


@on_sqlite
@pytest.mark.parametrize("settings", [{"slow_mode_s": 0}, {"submit_rate": "none"}])
def test_slow_mode_is_off_where_the_site_lifted_it(parts: Parts, flooded: Any, settings: dict[str, Any]) -> None:
    sites.change_site(parts, CLI, "news", settings={**settings, "raid_mode": "on"})
    assert {post(parts, ip="203.0.113.7")["state"] for _ in range(3)} == {"pending"}


@on_sqlite
def test_submission_costs_no_query_more_where_there_is_no_raid(parts: Parts, people: Any) -> None:
    from tests.services.test_hot_paths import queries

    post(parts)
    with queries() as before:
        post(parts)
    sites.change_site(parts, CLI, "news", settings={"raid_mode": "off"})
    post(parts)
    with queries() as after:
        post(parts)
    assert len(after) == len(before)
    assert not any("decisions" in one for one in before)


# --- by hand -------------------------------------------------------------------------------------------------------


def test_hold_raid_mode_on_by_hand_lasts_until_it_is_given_back(parts: Parts, flooded: Any, clock: Any) -> None:
    hook(parts)
    assert sites.steer_raid(parts, CLI, "news", "hold")["raid_since"] == clock()
    clock.move(hours=5)
    assert raids.look(parts) == 0
    assert post(parts)["state"] == "pending"
    assert sites.steer_raid(parts, CLI, "news", "auto")["raid_since"] is not None
    clock.move(seconds=119)
    assert raids.look(parts) == 0
    clock.move(seconds=1)
    assert raids.look(parts) == 1
    assert post(parts)["state"] == "approved"
    assert [one["data"]["raid"]["by"] for one in told()] == ["hand", "figures"]


@on_sqlite
def test_end_a_raid_by_hand_lets_none_begin_by_itself_for_an_hour(parts: Parts, flooded: Any, clock: Any) -> None:
    hook(parts)
    flooded()
    raids.look(parts)
    assert sites.steer_raid(parts, CLI, "news", "end")["raid_since"] is None
    assert raids.look(parts) == 0
    assert "raid" not in signals_of(parts, post(parts))
    clock.move(minutes=61)
    flooded()
    assert raids.look(parts) == 1
    assert [one["data"]["raid"]["by"] for one in told()] == ["figures", "hand", "figures"]


@on_sqlite
def test_switch_raids_off_by_setting_ends_one_and_begins_none(parts: Parts, flooded: Any) -> None:
    flooded()
    raids.look(parts)
    sites.change_site(parts, CLI, "news", settings={"raid_mode": "off"})
    assert since() is None
    assert raids.look(parts) == 0
    sites.change_site(parts, CLI, "news", settings={"raid_mode": "on"})
    assert since() is not None


@on_sqlite
def test_steer_raid_is_for_moderators_of_the_site_alone(parts: Parts, people: Any, client: Any) -> None:
    expected = {"viewer": 403, "moderator": 200, "admin": 200, "scorer": 404, "stranger": 404}
    for who, status in expected.items():
        answer = client.post("/api/v1/sites/news/raid", json={"do": "hold"}, headers=people.bearer(who))
        assert answer.status_code == status, (who, answer.text)
    assert client.post("/api/v1/sites/news/raid", json={"do": "hold"}).status_code == 401
    assert client.post("/api/v1/sites/news/raid", json={"do": "x"}, headers=people.bearer("admin")).status_code == 422
    actor = accounts.authenticate_token(parts, people.tokens["stranger"])
    with pytest.raises(NotFound):
        sites.steer_raid(parts, actor, "news", "end")
    with pytest.raises(Forbidden):
        sites.steer_raid(parts, accounts.authenticate_token(parts, people.tokens["viewer"]), "news", "end")
    with pytest.raises(Invalid):
        sites.steer_raid(parts, CLI, "news", "surrender")


@on_sqlite
def test_list_counts_and_answers_do_not_tell_of_a_raid(parts: Parts, flooded: Any, client: Any) -> None:
    reads = ("comments?thread=a", "comments/counts?thread=a")
    before = [client.get(f"/api/v1/sites/news/{path}") for path in reads]
    sites.steer_raid(parts, CLI, "other", "hold")
    with read() as session:
        session.execute(sa.update(Site).where(Site.key == "news").values(raid_since=sa.text("created_at")))
        session.commit()
    after = [client.get(f"/api/v1/sites/news/{path}") for path in reads]
    assert [(one.data, one.headers["ETag"]) for one in after] == [(one.data, one.headers["ETag"]) for one in before]
    assert set(post(parts)) == {
        "id", "state", "created_at", "body_html", "edit_token", "editable_until", "author_token", "receipt_url"
    }  # fmt: skip
    assert db.engine is not None


@on_sqlite
def test_look_for_raids_reads_the_last_minute_by_an_index(parts: Parts, people: Any) -> None:
    from tests.services.test_query_plans import plans

    post(parts)
    steps = plans(parts, lambda: raids.look(parts))
    assert any("ix_comments_state_all" in step for step in steps), steps
    assert not any(step.startswith("SCAN comments") for step in steps), steps


def test_site_as_it_is_now_knows_of_a_raid_at_once(parts: Parts, people: Any, clock: Any) -> None:
    assert sites.site_now(people.site_key).raid_since is None
    for since in (clock(), None):
        with write() as session:
            raid_rows.keep(session, people.site_id, Raid(since, since, None))
        assert sites.site_now(people.site_key).raid_since == since


def test_flood_from_a_clock_that_ran_ahead_starts_no_raid_now(parts: Parts, flooded: Any, clock: Any) -> None:
    flooded()
    clock.move(hours=-1)
    assert raids.look(parts) == 0
