"""The console under a raid: its notice, for whom it has buttons, what they do; and a queue that stays usable."""

import html
import random
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from moderation.domain.actor import CLI
from moderation.services import moderate, raids, sites
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from tests.conftest import LiveServer, make_people, submission_json
from tests.pages.test_console_pages import PASSWORD, add_person, log_in, token_in

LOOKS = (({"width": 360, "height": 740}, "light"), ({"width": 1440, "height": 900}, "dark"))

HOSTILE = '<img src=x onerror=alert(1)>"\u202e'

CAMPAIGNS = (
    "Earn money from home every day with this simple trick that banks hate and nobody else will tell you",
    "The editor of this paper is a liar who was paid by the harbour company for every line about the ferry",
    "Join our channel tonight, thousands are already there, and tell all your friends about the great prize",
    "They want to close the library and they laugh at you while they do it, share this before it is deleted",
)
FILLERS = ["today", "friends", "really", "please", "now", "here", "again", "everybody", "seriously", "honestly"]


def edited(text: str, random_: random.Random) -> str:
    """A copy as raiders make it: a word more, a number, other marks."""
    words = text.split()
    words.insert(random_.randrange(len(words)), random_.choice(FILLERS))
    return f"{' '.join(words)}{random_.choice(['!', '!!', '...', ''])} {random_.randrange(1_000)}"


def remark(n: int) -> str:
    """What an honest reader writes: no two alike."""
    things = ("ferry timetable", "council vote", "river gauge", "school roof", "bus shelter", "market hall")
    views = (
        "surprised me when I read it on the train",
        "was decided years ago in our street",
        "costs more than we think",
    )
    return f"The {things[n % 6]} {views[n // 6 % 3]}, says neighbour {chr(65 + n)} of number {n * 37 % 101}."


@pytest.fixture
def raided(app: Flask, parts: Parts) -> Any:
    """A site under a raid with a name that is an attack; its people."""
    people = make_people(parts)
    sites.change_site(parts, CLI, "news", name=HOSTILE.replace("\u202e", ""))
    for name, role in (("vera", "viewer"), ("mira", "moderator")):
        add_person(app, name, role, "news")
    sites.change_site(parts, CLI, "news", settings={"raid_at": 10})
    client = app.test_client()
    for n in range(12):
        client.post(
            "/api/v1/sites/news/comments",
            json=submission_json(remark(n)),
            environ_base={"REMOTE_ADDR": f"198.51.100.{n}"},
        )
    assert raids.look(parts) == 1
    return people


@pytest.mark.parametrize("path", ["/console/", "/console/dashboard"])
def test_notice_of_a_raid_tells_since_when_and_how_many_and_escapes_the_name(
    app: Flask, raided: Any, path: str
) -> None:
    page = log_in(app, "mira")[0].get(path).text
    assert "12 comments that came in since then wait" in re.sub(r"\s+", " ", page)
    assert html.escape("<img src=x onerror=alert(1)>") in page
    assert "<img src=x" not in page
    assert "sort=safest" in page
    assert "signal=record" in page


def test_notice_has_buttons_for_moderators_alone_and_they_work(app: Flask, raided: Any, parts: Parts) -> None:
    assert "Hold it on" not in log_in(app, "vera")[0].get("/console/").text
    mira, _ = log_in(app, "mira")

    def press(do: str, **changes: str) -> str:
        token = token_in(mira.get("/console/").text)
        form = {"csrf_token": token, "site": "news", "do": do, "back": "/console/?sort=newest", **changes}
        answer = mira.post("/console/raid", data=form)
        assert answer.status_code == 303, answer.text
        return str(mira.get(answer.headers["Location"]).text)

    assert "held on by hand" in press("hold")
    assert "ends by itself after" in press("auto")
    assert "the form was not complete" in press("surrender")
    assert "the site is not there" in press("end", site="other")
    assert "None begins by itself for an hour." in (page := press("end"))
    assert "is under a raid" not in page
    assert sites.show_site(parts, CLI, "news")["raid_since"] is None
    assert [line["action"] for line in moderate.list_audit(parts, CLI, "news")["items"][:2]] == [
        "raid.end",
        "site.change",
    ]


def test_steer_raid_needs_the_role_and_the_token_of_the_form(app: Flask, raided: Any, parts: Parts) -> None:
    vera, _ = log_in(app, "vera")
    token = token_in(vera.get("/console/").text)
    form = {"site": "news", "do": "end"}
    assert "raid_403" in vera.post("/console/raid", data={"csrf_token": token, **form}).headers["Location"]
    mira, _ = log_in(app, "mira")
    assert mira.post("/console/raid", data=form).status_code == 403
    assert mira.get("/console/raid").status_code == 405
    assert sites.show_site(parts, CLI, "news")["raid_since"] is not None


def test_queue_under_a_flood_is_sorted_safest_first_through_all_pages(app: Flask, raided: Any, parts: Parts) -> None:
    found: list[float] = []
    cursor = None
    while True:
        page = moderate.list_queue(parts, CLI, QueueFilter(site="news", sort="safest", limit=5, cursor=cursor))
        found += [item["risk"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(found) == 12
    assert found == sorted(found)


def test_queue_stays_usable_under_a_flood_of_edited_copies(app: Flask, parts: Parts, clock: Any) -> None:
    """160 copies of four texts from as many addresses, among them 12 honest newcomers and 6 readers who are known."""
    people = make_people(parts, raid_at=30, policy="auto", submit_rate="10/minute;100/hour")
    add_person(app, "mira", "moderator", "news")
    client, chance = app.test_client(), random.Random(7)

    def send(body: str, address: str, **more: Any) -> Any:
        sent = submission_json(body, context={"filled_in_ms": 60_000}, **more)
        return client.post(
            "/api/v1/sites/news/comments",
            json=sent,
            environ_base={"REMOTE_ADDR": address},
            headers={"User-Agent": f"Browser of {address}"},
        )

    known = [send(remark(n), f"192.0.2.{n}").get_json() for n in range(6)]
    for one in known:
        moderate.decide(parts, CLI, uuid.UUID(one["id"]), "reject")
        moderate.decide(parts, CLI, uuid.UUID(one["id"]), "approve")
    clock.move(minutes=5)
    honest = []
    for n in range(160):
        clock.move(seconds=0.3)
        answer = send(edited(CAMPAIGNS[n % 4], chance), f"198.51.{n}.9")
        assert answer.status_code == 202
        if n % 20 == 19:
            raids.look(parts)
        if n >= 40 and n % 10 == 0:
            honest.append(send(remark(6 + len(honest)), f"203.0.113.{n}"))
    assert sites.show_site(parts, CLI, "news")["raid_since"] is not None
    tokens = [{"name": "Known", "token": one["author_token"]} for one in known]
    regulars = [send(f"Reply {n} by somebody known.", f"192.0.2.{n}", author=one) for n, one in enumerate(tokens)]

    assert [answer.status_code for answer in (*honest, *regulars)] == [202] * (len(honest) + 6)
    assert "raid" not in {
        signal["name"]
        for answer in regulars
        for signal in moderate.show_comment(parts, CLI, uuid.UUID(answer.get_json()["id"]))["signals"]
    }
    mira, _ = log_in(app, "mira")
    assert mira.get("/console/").status_code == 200
    safest = mira.get("/console/?site=news&sort=safest").text
    first = set(re.findall(r'id="c-([0-9a-f-]{36})"', safest)[:25])
    waiting = {answer.get_json()["id"] for answer in honest if answer.get_json()["state"] == "pending"}
    assert waiting <= first

    riskiest = moderate.list_queue(parts, CLI, QueueFilter(site="news", sort="risk", limit=1))["items"][0]
    before = moderate.list_queue(parts, CLI, QueueFilter(site="news"))["total_estimate"]
    group = moderate.show_comment(parts, CLI, riskiest["id"])["alike"]["count"] + 1
    assert group >= 30
    token = token_in(mira.get(f"/console/comments/{riskiest['id']}/alike").text)
    form = {"csrf_token": token, "action": "spam", "until": clock().isoformat(), "back": "/console/"}
    assert mira.post(f"/console/comments/{riskiest['id']}/alike/decisions", data=form).status_code == 303
    after = moderate.list_queue(parts, CLI, QueueFilter(site="news"))["total_estimate"]
    assert before - after >= 30
    assert people.site_key == "news"


@pytest.mark.browser
def test_pages_with_the_notice_have_no_violation_and_fit_the_width(
    live_server: LiveServer, open_page: Callable[..., Any], violations: Callable[[Any], list[str]]
) -> None:
    with live_server.app.app_context():
        parts = live_server.app.extensions["moderation"]
        make_people(parts)
        sites.change_site(parts, CLI, "news", name="جريدة الميناء")
        sites.steer_raid(parts, CLI, "news", "hold")
        sites.steer_raid(parts, CLI, "other", "hold")
        sites.steer_raid(parts, CLI, "other", "auto")
        add_person(live_server.app, "mira", "admin", "*")
    page = open_page()
    page.goto(f"{live_server.url}/console/login")
    page.fill("[name=name]", "mira")
    page.fill("[name=password]", PASSWORD)
    page.click("main form button")
    for size, scheme in LOOKS:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        for path in ("/console/", "/console/dashboard"):
            page.goto(live_server.url + path)
            assert page.locator(".raid").count() == 2
            assert violations(page) == [], (path, scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, scheme)
    page.goto(f"{live_server.url}/console/")
    page.get_by_role("button", name="End it now").first.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Raid mode has ended.").wait_for()
    assert page.locator(".raid").count() == 1
    assert page.complaints == []
