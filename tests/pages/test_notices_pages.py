"""The pages that links in mails lead to, and the console's page of one's own notices, in a real browser."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from moderation.domain.actor import CLI
from moderation.services import accounts, digests, moderate, notices, sites
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage.db import read
from moderation.storage.models import Mail, Mailbox, Subscription
from tests.conftest import LiveServer
from tests.pages.test_accessibility import LOOKS, SIZES
from tests.pages.test_console_pages import PASSWORD, add_person, log_in, token_in

NAME = "The <script>alert(1)</script> أخبار News"
EMAIL = "ana@example.org"


def mailing(app: Flask) -> Parts:
    """The parts of an application that sends mail; that nobody listens is of no matter to pages."""
    parts: Parts = app.extensions["moderation"]
    changed = {"smtp_host": "127.0.0.1", "smtp_port": 9, "smtp_security": "none", "smtp_from": "c@news.example"}
    return replace(parts, settings=replace(parts.settings, **changed))


@pytest.fixture
def mail_app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setitem(app.extensions, "moderation", mailing(app))
    return app


@pytest.fixture
def mail_server(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> LiveServer:
    """The served application, with mail switched on and a site that tells of replies."""
    monkeypatch.setitem(live_server.app.extensions, "moderation", mailing(live_server.app))
    with live_server.app.app_context():
        parts = live_server.app.extensions["moderation"]
        sites.add_site(parts, CLI, "news", NAME, [live_server.url], {"reply_notices": True})
    return live_server


def asked(app: Flask, *, times: int = 1) -> dict[str, str]:
    """The links of the question, and of the notices, that go to a reader who wrote."""
    parts = app.extensions["moderation"]
    with app.app_context():
        for number in range(times):
            sent = Submission("a", None, None, None, "Ana", EMAIL, None, None, f"Remark {number}.", notify=True)
            made = submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))
            moderate.decide(parts, CLI, made["id"], "approve")
        with read() as session:
            found = session.scalars(select(Subscription)).one()
            confirm = parts.vault.sign("notice-confirm", f"{found.id.hex}.{int(found.asked_at.timestamp())}")
            return {
                "confirm": f"/notices/confirm?t={confirm}",
                "stop": notices._stop_url(parts, found.id, made["id"]).partition(parts.settings.public_url)[2],
                "all": notices._stop_url(parts, found.id).partition(parts.settings.public_url)[2],
            }


def state(app: Flask) -> list[str]:
    with app.app_context(), read() as session:
        return list(session.scalars(select(Subscription.state)))


def moderators_links(app: Flask) -> dict[str, str]:
    parts = app.extensions["moderation"]
    with app.app_context():
        person = accounts.add_moderator(parts, CLI, "mira", PASSWORD, "moderator", "news")["id"]
        digests.change(parts, CLI, person, email="mira@example.org", digest="hourly")
        with read() as session:
            box = session.scalars(select(Mailbox.id)).one()
    sign = parts.vault.sign
    return {
        "address": f"/notices/address?t={sign('digest-confirm', box.hex)}",
        "digest": f"/notices/digest?t={sign('digest-stop', box.hex)}",
    }


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_reader_confirms_and_stops_with_the_keyboard_alone(
    mail_server: LiveServer,
    open_page: Callable[..., Any],
    violations: Callable[[Any], list[str]],
    size: str,
    scheme: str,
) -> None:
    links = asked(mail_server.app, times=2)
    page = open_page(viewport=SIZES[size], color_scheme=scheme)

    def check(heading: str) -> None:
        assert heading in page.locator("h1").inner_text()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.complaints == []

    page.goto(mail_server.url + links["confirm"])
    check("tell you of replies?")
    assert state(mail_server.app) == ["asked"]
    press(page, "Yes, tell me of replies")
    check("Done: you will be told")
    assert state(mail_server.app) == ["confirmed"]
    page.goto(mail_server.url + links["confirm"])
    check("You are told of replies already")
    page.goto(mail_server.url + links["stop"])
    check("Stop notices of")
    press(page, "Stop those about this comment")
    check("no more notices about this comment")
    press(page, "Stop all notices of")
    check("Done: no more notices")
    assert state(mail_server.app) == ["stopped"]
    page.goto(mail_server.url + links["all"])
    check("No notices come")


def press(page: Any, name: str) -> None:
    """Reach a button by the tab key, and press it."""
    button = page.get_by_role("button", name=name)
    for _ in range(8):
        page.keyboard.press("Tab")
        if button.evaluate("node => node === document.activeElement"):
            break
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark")])
def test_moderator_sets_confirms_and_stops_the_digest(
    mail_server: LiveServer,
    open_page: Callable[..., Any],
    violations: Callable[[Any], list[str]],
    size: str,
    scheme: str,
) -> None:
    links = moderators_links(mail_server.app)
    page = open_page(viewport=SIZES[size], color_scheme=scheme)

    def check() -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.complaints == []

    page.goto(mail_server.url + "/console/login?then=/console/notices")
    page.get_by_label("Name").fill("mira")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("is not confirmed yet").wait_for()
    check()
    page.goto(mail_server.url + links["address"])
    check()
    page.get_by_role("button", name="Yes, it is mine").click()
    page.get_by_text("Done: the address is confirmed").wait_for()
    check()
    page.goto(mail_server.url + "/console/notices")
    page.get_by_label("How often").select_option("daily")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("is told of what waits: every day at 06:00 UTC").wait_for()
    check()
    page.goto(mail_server.url + links["digest"])
    check()
    page.get_by_role("button", name="Stop them").click()
    page.get_by_text("Done: no more notices of what waits").wait_for()
    check()
    page.goto(mail_server.url + "/console/notices")
    page.get_by_role("button", name="Delete the address").click()
    page.get_by_text("You are told of nothing by email").wait_for()
    check()


def test_open_pages_show_the_sites_name_as_text_and_no_address(mail_app: Flask, client: FlaskClient) -> None:
    with mail_app.app_context():
        parts = mail_app.extensions["moderation"]
        sites.add_site(parts, CLI, "news", NAME, ["https://news.example"], {"reply_notices": True})
    links = asked(mail_app)
    for link in (*links.values(), *moderators_links(mail_app).values()):
        answer = client.get(link, headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "example.org" not in answer.text
        assert "style=" not in answer.text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_void_link_is_a_readable_page(mail_app: Flask, client: FlaskClient) -> None:
    answer = client.get("/notices/stop?t=nonsense", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "There is no such link, or not any more." in answer.text
    assert "noindex" in answer.headers["X-Robots-Tag"]


# --- the console's page ------------------------------------------------------------------------------------------


@pytest.fixture
def staffed(mail_app: Flask, people: Any) -> Flask:
    add_person(mail_app, "mira", "viewer", "news")
    return mail_app


def post(client: FlaskClient, **form: str) -> Any:
    token = token_in(client.get("/console/notices").text)
    return client.post("/console/notices", data={"csrf_token": token, **form})


def test_give_an_address_in_the_console_asks_it(staffed: Flask) -> None:
    client, _ = log_in(staffed, "mira")
    done = post(client, email="Mira@example.org", digest="hourly")
    assert done.location == "/console/notices?told=asked"
    page = client.get(done.location).text
    assert "m…@example.org" in page
    assert "mira@example.org" not in page.lower()
    assert "is not confirmed yet" in page
    with staffed.app_context(), read() as session:
        assert list(session.scalars(select(Mail.kind))) == ["address"]


@pytest.mark.parametrize(
    "email", ["nonsense", "a@b", '"><script>alert(1)</script>@x.example', "x" * 400, "a@b.example\r\nc"]
)
def test_give_nonsense_in_the_console_is_said_beside_the_field(staffed: Flask, email: str) -> None:
    client, _ = log_in(staffed, "mira")
    page = post(client, email=email, digest="daily").text
    assert 'id="wrong-email"' in page
    assert "<script>alert" not in page
    with staffed.app_context(), read() as session:
        assert session.scalars(select(Mailbox)).all() == []


def test_choose_a_rhythm_without_an_address_is_said(staffed: Flask) -> None:
    client, _ = log_in(staffed, "mira")
    assert "It needs an address first." in post(client, email="", digest="daily").text
    assert 'id="wrong-digest"' in post(client, email="", digest="weekly").text
    assert client.post("/console/notices", data={"email": "x\x00@y.example"}).status_code in {400, 403}


def test_ask_many_addresses_in_the_console_is_stopped(staffed: Flask) -> None:
    client, _ = log_in(staffed, "mira")
    for number in range(5):
        assert post(client, email=f"v{number}@example.org", digest="off").location.endswith("told=asked")
    assert post(client, email="v@example.org", digest="off").location.endswith("told=429")


def test_change_notices_without_the_forms_token_is_refused(staffed: Flask) -> None:
    client, _ = log_in(staffed, "mira")
    assert client.post("/console/notices", data={"email": "a@b.example", "digest": "daily"}).status_code == 403
    assert staffed.test_client().get("/console/notices").status_code == 303


def test_console_without_a_mail_server_has_no_such_page(app: Flask, people: Any) -> None:
    add_person(app, "mira", "viewer", "news")
    client, _ = log_in(app, "mira")
    assert client.get("/console/notices").status_code == 404
    token = token_in(client.get("/console/").text)
    assert client.post("/console/notices", data={"csrf_token": token, "digest": "off"}).status_code == 404


def test_change_twice_at_once_leaves_one_mailbox(staffed: Flask) -> None:
    """A double click."""
    parts = staffed.extensions["moderation"]
    with staffed.app_context():
        person = accounts.find_moderator(parts, CLI, "mira")["id"]
    barrier, failures = threading.Barrier(2), []

    def change() -> None:
        with staffed.app_context():
            barrier.wait()
            try:
                digests.change(parts, CLI, person, email="mira@example.org", digest="daily")
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with staffed.app_context(), read() as session:
        assert len(session.scalars(select(Mailbox)).all()) == 1
        assert len(session.scalars(select(Mail)).all()) == 1
