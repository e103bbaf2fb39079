"""The second factor in the console: set up, asked for, demanded, taken away; by forms alone, and by keyboard."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.adapters import one_time_codes
from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts
from tests.conftest import Clock, LiveServer, dispose
from tests.pages.test_accessibility import SIZES
from tests.pages.test_console_pages import PASSWORD, add_person, log_in, token_in

KEY = re.compile(r"in groups of four\">([A-Z2-7 ]+)<")


def app_code(page: str, clock: Clock) -> str:
    """What an app shows now that was given the key of this page."""
    import base64

    found = KEY.search(page)
    assert found is not None
    secret = base64.b32decode(found[1].replace(" ", ""))
    return one_time_codes.code_at(secret, int(clock().timestamp()) // 30)


def send(client: FlaskClient, path: str, **fields: str) -> Any:
    token = token_in(client.get("/console/second-factor").text)
    return client.post(f"/console/second-factor{path}", data={"csrf_token": token, **fields})


def set_up(client: FlaskClient, clock: Clock) -> tuple[Callable[[], str], list[str]]:
    """Switch it on: what the app shows from then on, and the recovery codes."""
    assert send(client, "", current_password=PASSWORD).status_code == 303
    shown = client.get("/console/second-factor").text
    answer = send(client, "/confirm", code=app_code(shown, clock))
    assert answer.status_code == 200
    codes = re.findall(r"<li><code class=\"adm-code\">([a-z2-9-]+)</code>", answer.text)
    assert len(codes) == 10
    assert answer.headers["Cache-Control"] == "no-store"
    assert not any(code in client.get("/console/second-factor").text for code in codes)
    return lambda: app_code(shown, clock), codes


@pytest.fixture
def mira(app: Flask, people: Any) -> FlaskClient:
    add_person(app, "mira", "admin", "news")
    return log_in(app, "mira")[0]


def enter(app: Flask, code: str, then: str = "") -> tuple[FlaskClient, Any]:
    """Log in in a fresh browser, with a code."""
    client, answer = log_in(app, "mira", then=then)
    assert answer.location.startswith("/console/login/code")
    assert client.get("/console/").location.startswith("/console/login")
    page = client.get(answer.location)
    return client, client.post("/console/login/code", data={"csrf_token": token_in(page.text), "code": code})


def test_set_up_then_log_in_by_password_and_code(app: Flask, mira: FlaskClient, clock: Clock) -> None:
    app_shows, codes = set_up(mira, clock)
    assert mira.get("/console/").status_code == 200  # The session that set it up goes on, under a new cookie.
    clock.move(seconds=60)
    client, answer = enter(app, app_shows())
    assert answer.location == "/console/"
    assert client.get("/console/").status_code == 200
    _, again = enter(app, app_shows())
    assert again.status_code == 401
    assert "was used before" in again.text
    assert enter(app, codes[3])[1].status_code == 303
    assert "9 recovery codes are left" in client.get("/console/second-factor").text


def test_ask_for_a_code_without_the_first_half_leads_to_the_log_in(app: Flask, mira: FlaskClient) -> None:
    client = app.test_client()
    assert client.get("/console/login/code").location == "/console/login"
    token = token_in(client.get("/console/login").text)
    sent = client.post("/console/login/code", data={"csrf_token": token, "code": "123456"})
    assert sent.location.startswith("/console/login?")
    assert client.post("/console/login/code", data={"code": "123456"}).status_code == 403


def test_remove_it_or_make_new_codes_needs_a_code(app: Flask, mira: FlaskClient, clock: Clock) -> None:
    app_shows, codes = set_up(mira, clock)
    for path in ("/remove", "/codes"):
        assert send(mira, path, code="000000").status_code == 422
    fresh = send(mira, "/codes", code=codes[0])
    assert fresh.status_code == 200
    assert codes[1] not in fresh.text
    clock.move(seconds=60)
    assert send(mira, "/remove", code=app_shows()).status_code == 303
    assert log_in(app, "mira")[1].location == "/console/"


def test_change_of_the_password_keeps_the_second_factor_and_this_browser(
    app: Flask, mira: FlaskClient, clock: Clock
) -> None:
    set_up(mira, clock)
    new = "quite another pass phrase"
    token = token_in(mira.get("/console/account").text)
    form = {"csrf_token": token, "current_password": PASSWORD, "password": new, "again": new}
    assert mira.post("/console/account", data=form).status_code == 303
    assert mira.get("/console/").status_code == 200
    assert log_in(app, "mira", new)[1].location.startswith("/console/login/code")


def test_admin_takes_it_away_and_the_audit_log_says_so(app: Flask, mira: FlaskClient, clock: Clock) -> None:
    set_up(mira, clock)
    add_person(app, "root", "admin", "*")
    root, _ = log_in(app, "root")
    with app.app_context():
        person = accounts.find_moderator(app.extensions["moderation"], CLI, "mira")["id"]
    page = root.get(f"/console/people/{person}").text
    assert "Take away the second factor" in page
    answer = root.post(f"/console/people/{person}/second-factor", data={"csrf_token": token_in(page)})
    assert answer.location.endswith("told=reset")
    assert mira.get("/console/").status_code == 303
    assert log_in(app, "mira")[1].location == "/console/"
    assert "moderator.second_factor" in root.get("/console/audit?site=*").text
    assert "Take away" not in root.get(f"/console/people/{person}").text


@pytest.fixture
def strict(app: Flask, clock: Clock, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The same installation, where a second factor is demanded of those whom the parameter names."""
    settings = dataclasses.replace(app.extensions["moderation"].settings, second_factor=request.param)
    made = create_app(settings, clock=clock)
    made.testing = True
    yield made
    dispose(made)


@pytest.mark.parametrize("strict", ["admins", "all"], indirect=True)
def test_who_has_to_have_one_gets_nowhere_before(app: Flask, people: Any, strict: Flask, clock: Clock) -> None:
    everybody = strict.extensions["moderation"].settings.second_factor == "all"
    add_person(app, "mira", "admin", "news")
    add_person(app, "vera", "viewer", "news")
    vera, _ = log_in(strict, "vera")
    assert (vera.get("/console/").status_code == 200) is not everybody
    mira, _ = log_in(strict, "mira")
    for path in ("/console/", "/console/tokens", "/console/account", "/console/people"):
        assert mira.get(path).location == "/console/second-factor"
    facts = {"Accept": "application/json"}
    assert mira.get("/console/live", headers=facts).status_code == 403
    token = token_in(mira.get("/console/second-factor").text)
    made = mira.post("/console/tokens", data={"csrf_token": token, "site": "news", "role": "admin", "name": "x"})
    assert made.location == "/console/second-factor"
    _, codes = set_up(mira, clock)
    assert mira.get("/console/tokens").status_code == 200
    assert send(mira, "/remove", code=codes[0]).status_code == 403


def test_pages_have_no_violation_fit_the_width_and_need_no_mouse(
    live_server: LiveServer, open_page: Callable[..., Any], violations: Callable[[Any], list[str]]
) -> None:
    import time

    parts = live_server.app.extensions["moderation"]
    with live_server.app.app_context():
        accounts.add_moderator(parts, CLI, "<b>ada</b> \u202eمرحبا", PASSWORD, "admin", "*")
        name = accounts.list_moderators(parts, CLI)["items"][0]["name"]
    page = open_page(viewport=SIZES["phone"])

    def check() -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def first_half() -> None:
        page.goto(f"{live_server.url}/console/login?then=/console/second-factor")
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")

    first_half()
    page.wait_for_selector("#current_password")
    check()
    page.fill("#current_password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("svg.factor-picture")
    check()
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(SIZES["desktop"])
    key = page.inner_text(".adm-code").replace(" ", "").replace("\n", "")
    import base64

    shown = one_time_codes.code_at(base64.b32decode(key), int(time.time()) // 30)
    page.fill("#code", shown)
    page.keyboard.press("Enter")
    page.wait_for_selector(".factor-codes")
    check()
    recovery = page.inner_text(".factor-codes li:first-child code")
    page.get_by_role("button", name="Log out").press("Enter")
    page.wait_for_selector("#name")
    first_half()
    page.wait_for_selector("#code")
    check()
    page.keyboard.type(recovery)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/second-factor")
    assert "9 recovery codes are left" in page.inner_text("main")
    assert [one for one in page.complaints if "401" not in one] == []
