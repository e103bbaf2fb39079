"""The moderators' pages: by keyboard, without script, and against those who would misuse them."""

import dataclasses
import html
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts
from moderation.web import console
from moderation.web.sessions import own_path
from tests.conftest import dispose

PASSWORD = "nine lamps over the harbour"
PAGES = ("/", "/console/", "/console/learned", "/console/rules", "/console/?state=spam", "/docs")


def add_person(app: Flask, name: str, role: str, site: str) -> None:
    """Make a person who can log in with ``PASSWORD``."""
    with app.app_context():
        accounts.add_moderator(app.extensions["moderation"], CLI, name, PASSWORD, role, site)


@pytest.fixture
def staffed(app: Flask, people: Any) -> Flask:
    """The site with a moderator, mira."""
    add_person(app, "mira", "moderator", "news")
    return app


def token_in(page: str) -> str:
    """The form token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def log_in(app: Flask, name: str, password: str = PASSWORD, then: str = "") -> tuple[FlaskClient, Any]:
    """A browser that has logged in, and the answer that it got."""
    client = app.test_client()
    token = token_in(client.get("/console/login").text)
    form = {"csrf_token": token, "name": name, "password": password, "then": then}
    return client, client.post("/console/login", data=form)


def decide(client: FlaskClient, comment_id: str, action: str, **fields: str) -> Any:
    """Decide by the page's own form."""
    token = token_in(client.get("/console/").text)
    form = {"csrf_token": token, "action": action, "expected_state": "pending", **fields}
    return client.post(f"/console/comments/{comment_id}/decisions", data=form)


def test_open_console_without_session_leads_to_the_login_and_back(staffed: Flask) -> None:
    """Where one wanted to go is where one gets after the log-in."""
    answer = staffed.test_client().get("/console/?state=spam")
    assert answer.status_code == 303
    assert answer.location == "/console/login?then=/console/?state%3Dspam"
    _, logged_in = log_in(staffed, "mira", then="/console/?state=spam")
    assert logged_in.location == "/console/?state=spam"


def test_log_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(staffed: Flask) -> None:
    """HttpOnly and SameSite; a new value each time."""
    first, second = (log_in(staffed, "mira")[1].headers.getlist("Set-Cookie") for _ in range(2))
    session = next(cookie for cookie in first if cookie.startswith("moderation-session="))
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
    assert session not in second


def test_log_in_with_another_place_to_go_stays_in_the_console(staffed: Flask) -> None:
    """The log-in never sends anybody elsewhere."""
    assert log_in(staffed, "mira", then="//evil.example/console/")[1].location == "/console/"


def test_log_in_over_https_sets_a_cookie_of_this_host_alone(staffed: Flask) -> None:
    """The prefix keeps other hosts of the domain from setting it; it never goes over plain http."""
    parts = staffed.extensions["moderation"]
    secure = create_app(dataclasses.replace(parts.settings, public_url="https://comments.example"))
    client = secure.test_client()
    base = "https://comments.example"
    token = token_in(client.get("/console/login", base_url=base).text)
    form = {"csrf_token": token, "name": "mira", "password": PASSWORD}
    answer = client.post("/console/login", base_url=base, data=form)
    cookies = answer.headers.getlist("Set-Cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("__Host-moderation-session="))
    assert "; Secure" in session
    assert "; Path=/" in session
    assert "Domain" not in session
    dispose(secure)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("/console/?state=spam#c-1", True),
        ("https://evil.example/console/", False),
        ("//evil.example/console/", False),
        ("/\\evil.example/console/", False),
        ("/console//evil.example", False),
        ("/console/\r\nX: y", False),
        ("javascript:alert(1)", False),
        ("/docs", False),
        ("", False),
        (None, False),
    ],
)
def test_read_a_path_to_go_to_keeps_only_those_of_the_console(raw: str | None, kept: bool) -> None:
    """Everything else becomes the default."""
    assert own_path(raw, "/console/") == (raw if kept else "/console/")


@pytest.mark.parametrize(("name", "password"), [("mira", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_log_in_with_wrong_credentials_says_the_same_for_all(staffed: Flask, name: str, password: str) -> None:
    """Whether the name exists is not told."""
    _, answer = log_in(staffed, name, password)
    assert answer.status_code == 401
    assert "The name or the password is not right." in answer.text


def test_decide_without_token_or_from_another_site_changes_nothing(
    staffed: Flask, submit: Callable[..., Any], decide_state: Callable[[str], str]
) -> None:
    """A form that is not ours is refused, by its token and by the browser's word."""
    comment_id = submit()["id"]
    client, _ = log_in(staffed, "mira")
    token = token_in(client.get("/console/").text)
    other = log_in(staffed, "mira")[0]
    url, form = f"/console/comments/{comment_id}/decisions", {"action": "approve", "csrf_token": token}
    answers = [
        client.post(url, data={"action": "approve"}),
        client.post(url, data={**form, "csrf_token": token_in(other.get("/console/").text)}),
        client.post(url, data=form, headers={"Sec-Fetch-Site": "cross-site"}),
        client.post(url, data=form, headers={"Origin": "https://evil.example"}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert decide_state(comment_id) == "pending"


@pytest.fixture
def decide_state(client: FlaskClient, people: Any) -> Callable[[str], str]:
    """The state of a comment, as an admin sees it."""

    def state(comment_id: str) -> str:
        answer = client.get(f"/api/v1/comments/{comment_id}", headers=people.bearer("admin"))
        return str(answer.get_json()["state"])

    return state


def test_decide_and_undo_by_forms_tells_and_takes_back(
    staffed: Flask, submit: Callable[..., Any], decide_state: Callable[[str], str]
) -> None:
    """A decision leads back to the list with a button that undoes it."""
    comment_id = submit()["id"]
    client, _ = log_in(staffed, "mira")
    answer = decide(client, comment_id, "reject", reason="off topic", back="/console/?sort=risk")
    assert answer.status_code == 303
    assert answer.location.startswith("/console/?sort=risk&did=reject&decision=")
    assert decide_state(comment_id) == "rejected"
    told = client.get(answer.location).text
    assert "The comment was rejected." in told
    undo = re.search(r'action="(/console/decisions/[0-9a-f-]+/undo)"', told)
    assert undo is not None
    client.post(undo[1], data={"csrf_token": token_in(told)})
    assert decide_state(comment_id) == "pending"


def test_decide_on_a_comment_that_moved_on_says_so(
    staffed: Flask, submit: Callable[..., Any], decide_state: Callable[[str], str]
) -> None:
    """The second of two moderators learns that the first was quicker."""
    comment_id = submit()["id"]
    client, _ = log_in(staffed, "mira")
    decide(client, comment_id, "approve")
    answer = decide(client, comment_id, "spam")
    assert "failed=409" in answer.location
    assert "has moved on" in client.get(answer.location).text
    assert decide_state(comment_id) == "approved"


def test_look_through_more_than_a_page_leads_on_and_back(staffed: Flask, submit: Callable[..., Any]) -> None:
    """The second page has the rest, and a way back to the first."""
    for n in range(console.PAGE_SIZE + 2):
        submit(f"Remark number {n}.")
    client, _ = log_in(staffed, "mira")
    first = client.get("/console/").text
    following = re.search(r'href="(/console/\?cursor=[^"]+)" rel="next"', first)
    assert first.count('class="card"') == console.PAGE_SIZE
    assert following is not None
    second = client.get(html.unescape(following[1])).text
    assert second.count('class="card"') == 2
    assert "Back to the start" in second


def test_look_at_reported_comments_shows_what_readers_said(
    staffed: Flask, submit: Callable[..., Any], client: FlaskClient, people: Any
) -> None:
    """An approved comment that was reported has its own list, and the report is on its page."""
    comment_id = submit("A doubtful claim.")["id"]
    person, _ = log_in(staffed, "mira")
    decide(person, comment_id, "approve")
    report = {"reason": "off_topic", "detail": "It is about boats."}
    client.post(f"/api/v1/sites/{people.site_key}/comments/{comment_id}/reports", json=report)
    assert "A doubtful claim." in person.get("/console/?state=reported").text
    page = person.get(f"/console/comments/{comment_id}").text
    assert "off topic" in page
    assert "It is about boats." in page


def test_look_as_viewer_shows_no_button_and_a_forged_form_fails(
    staffed: Flask, submit: Callable[..., Any], decide_state: Callable[[str], str]
) -> None:
    """A role is a role, whatever the form says."""
    comment_id = submit()["id"]
    add_person(staffed, "vera", "viewer", "news")
    client, _ = log_in(staffed, "vera")
    assert 'value="approve"' not in client.get("/console/").text
    assert "failed=403" in decide(client, comment_id, "approve").location
    assert decide_state(comment_id) == "pending"


def test_look_as_moderator_of_another_site_sees_nothing(staffed: Flask, submit: Callable[..., Any]) -> None:
    """What belongs to another site is not there, in the list or by its address."""
    comment_id = submit("A word that is seldom: quokka.")["id"]
    add_person(staffed, "olga", "admin", "other")
    client, _ = log_in(staffed, "olga")
    assert "quokka" not in client.get("/console/").text
    assert client.get(f"/console/comments/{comment_id}").status_code == 404
    assert client.get(f"/console/comments/{uuid.uuid4()}").status_code == 404


def test_show_hostile_comment_escapes_every_field(staffed: Flask, submit: Callable[..., Any]) -> None:
    """Name, thread and source are text on both pages, whatever they hold."""
    attack = "<script>alert(1)</script>"
    thread = {"key": attack, "url": "https://news.example/x", "title": attack}
    comment_id = submit(attack, thread=thread, author={"name": attack})["id"]
    client, _ = log_in(staffed, "mira")
    for path in ("/console/", f"/console/comments/{comment_id}", f"/console/?q={attack}"):
        page = client.get(path).text
        assert "&lt;script&gt;alert(1)" in page
        assert attack not in page


def test_log_out_ends_the_session(staffed: Flask) -> None:
    """The old cookie is worth nothing afterwards, also to who kept a copy of it."""
    client, _ = log_in(staffed, "mira")
    kept = client.get_cookie("moderation-session")
    assert kept is not None
    client.post("/console/logout", data={"csrf_token": token_in(client.get("/console/").text)})
    client.set_cookie("moderation-session", kept.value)
    assert client.get("/console/").status_code == 303


# --- in a browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(live_server: Any) -> Any:
    """A running service with three comments that wait, and a moderator."""
    from moderation.services import sites
    from moderation.services.submit import Client, Submission, submit_comment

    with live_server.app.app_context():
        parts = live_server.app.extensions["moderation"]
        sites.add_site(parts, CLI, "news", "News", [], {"submit_rate": "none"})
        for name, body in (("Ana", "One."), ("Ben", "Two, [here](https://a.example)."), ("Cy", "Three.")):
            submission = Submission("k", None, "A thread", None, name, None, None, None, body)
            submit_comment(parts, "news", submission, Client("203.0.113.9", "test"))
    add_person(live_server.app, "mira", "moderator", "*")
    return live_server


def enter(page: Any, url: str) -> None:
    """Log in through the form, by keyboard alone."""
    page.goto(url + "/console/")
    page.locator("input[name=name]:focus").wait_for()
    page.keyboard.type("mira")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Waiting").wait_for()


@pytest.mark.browser
def test_decide_without_script_works_by_the_plain_form(desk: Any, open_page: Callable[..., Any]) -> None:
    """The script is a convenience."""
    page = open_page(java_script_enabled=False)
    enter(page, desk.url)
    page.get_by_role("article", name="Ana").get_by_role("button", name="Spam").click()
    page.get_by_text("The comment was marked as spam.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Undone").wait_for()
    assert page.locator(".card").count() == 3


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["dark"])
def test_open_pages_on_a_narrow_phone_needs_no_sideways_scrolling(
    desk: Any, open_page: Callable[..., Any], scheme: str
) -> None:
    """Every page fits into 360 pixels, and breaks no rule of its own content security policy."""
    page = open_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    enter(page, desk.url)
    for path in PAGES:
        page.goto(desk.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    assert page.complaints == []
