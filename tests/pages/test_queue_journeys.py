"""The queue in a real browser: worked through by keys, by two at once, offline, without script, and by its enemies."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moderation.domain.actor import CLI, Actor
from moderation.services import accounts, desk, moderate, sites, views
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from tests.conftest import LiveServer

PASSWORD = "nine lamps over the harbour"
FIXTURES = Path(os.environ.get("HOSTILE_FIXTURES", "nowhere"))

pytestmark = pytest.mark.browser


class Desk:
    """A running service with comments that wait, and its moderators."""

    def __init__(self, server: LiveServer, open_page: Callable[..., Any]) -> None:
        self.url, self.app, self.open_page = server.url, server.app, open_page
        self.parts: Parts = server.app.extensions["moderation"]

    def post(self, name: str, body: str, **changes: Any) -> Any:
        """A reader's comment; its id."""
        fields = {"thread_key": "k", "thread_url": None, "thread_title": "A thread", "parent_id": None, **changes}
        sent = Submission(**fields, name=name, email=None, url=None, token=None, body=body, filled_in_ms=60_000)
        with self.app.app_context():
            return submit_comment(self.parts, "news", sent, Client("203.0.113.9", "test"))["id"]

    def enter(self, name: str = "mira", path: str = "/console/", **options: Any) -> Any:
        """A page of the console in a browser of its own, in which the moderator is logged in."""
        page = self.open_page(**options)
        with self.app.app_context():
            cookie, _ = accounts.log_in(self.parts, name, PASSWORD, b"test")
        page.context.add_cookies([{"name": "moderation-session", "value": cookie, "url": self.url}])
        page.goto(self.url + path)
        return page

    def states(self) -> dict[str, str]:
        """The state of each comment, by its author."""
        with self.app.app_context():
            found = [
                item
                for state in ("pending", "approved", "rejected", "spam", "escalated")
                for item in moderate.list_queue(self.parts, CLI, QueueFilter(state=state))["items"]
            ]
        return {item["author"]["name"]: item["state"] for item in found}

    def actor(self, name: str) -> Actor:
        """A moderator, as the services know them."""
        with self.app.app_context():
            cookie, _ = accounts.log_in(self.parts, name, PASSWORD, b"test")
            found = accounts.session_actor(self.parts, cookie)
        assert found is not None
        return found


@pytest.fixture
def service(live_server: LiveServer, open_page: Callable[..., Any]) -> Desk:
    """A site with four comments that wait, in their order Ana, Ben, Cy and Dot; mira and ada moderate it."""
    at = Desk(live_server, open_page)
    with at.app.app_context():
        sites.add_site(at.parts, CLI, "news", "News", [], {"submit_rate": "none"})
        for name in ("mira", "ada"):
            accounts.add_moderator(at.parts, CLI, name, PASSWORD, "moderator", "news")
    for name, body in (("Ana", "One."), ("Ben", "Two, [here](https://a.example)."), ("Cy", "Three."), ("Dot", "Four.")):
        at.post(name, body)
    return at


def names(page: Any) -> list[str]:
    """The authors on the page, from above."""
    found: list[str] = page.locator(".card h2").all_inner_texts()
    return found


def here(page: Any) -> str:
    """Whose comment has the focus."""
    return str(page.locator(".card:focus h2").inner_text())


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def settled(page: Any, address: str, key: str) -> None:
    """Press a key and wait for the answer to what it sends."""
    with page.expect_response(lambda answer: address in answer.url and answer.request.method == "POST"):
        page.keyboard.press(key)


def test_work_through_the_queue_by_keys_decides_with_reasons_and_undoes(service: Desk) -> None:
    page = service.enter()
    press(page, "j", "j")
    assert here(page) == "Ben"
    settled(page, "/decisions", "a")
    assert here(page) == "Cy"
    assert page.get_by_text("Approved: Ben").is_visible()
    assert page.title().startswith("(3) ")
    press(page, "r")
    assert page.locator(".choice button:focus").inner_text().split("\n")[-1] == "off topic"
    press(page, "a", "Escape")
    assert here(page) == "Cy"
    press(page, "r", "ArrowDown", "ArrowDown")
    settled(page, "/decisions", "Enter")
    press(page, "r")
    settled(page, "/decisions", "2")
    assert names(page) == ["Ana"]
    assert service.states() == {"Ana": "pending", "Ben": "approved", "Cy": "rejected", "Dot": "rejected"}
    for name in ("Dot", "Cy", "Ben"):
        settled(page, "/undo", "u")
        assert here(page) == name
    assert names(page) == ["Ana", "Ben", "Cy", "Dot"]
    assert set(service.states().values()) == {"pending"}
    settled(page, "/decisions", "e")
    press(page, "o")
    page.get_by_role("heading", name="History").wait_for()
    assert "threat" in page.locator(".facts").inner_text()
    press(page, "q")
    page.get_by_text("Decided before").wait_for()
    settled(page, "/undo", "u")
    page.locator(".card:focus h2", has_text="Ben").wait_for()
    assert set(service.states().values()) == {"pending"}
    press(page, "/")
    page.keyboard.type("three")
    press(page, "Enter")
    page.wait_for_url("**q=three**")
    assert names(page) == ["Cy"]
    assert page.complaints == []


def test_decide_before_the_answers_come_sends_all_in_their_order(service: Desk) -> None:
    page = service.enter()
    held: list[Any] = []
    page.route("**/decisions", lambda route: held.append(route) if len(held) < 2 else route.continue_())
    press(page, "j", "a", "s", "u", "e")
    assert names(page) == ["Cy", "Dot"]
    with page.expect_response(lambda answer: answer.url.endswith("/undo")):
        for one in held:
            one.continue_()
    page.wait_for_function("!document.querySelector('#refusals').children.length")
    page.wait_for_function("!performance.getEntriesByType('resource').some((one) => one.responseStatus >= 400)")
    page.wait_for_load_state("networkidle")
    assert service.states() == {"Ana": "approved", "Ben": "escalated", "Cy": "pending", "Dot": "pending"}
    assert page.complaints == []


def test_decide_while_offline_or_too_late_brings_the_card_back_with_the_reason(service: Desk) -> None:
    page = service.enter()
    press(page, "j", "x")
    page.context.set_offline(True)
    press(page, "j", "s")
    page.locator("#refusals").get_by_text("You are offline.").wait_for()
    assert names(page) == ["Ana", "Ben", "Cy", "Dot"]
    assert here(page) == "Cy"
    assert page.get_by_label("Select the comment by Ana").is_checked()
    page.context.set_offline(False)
    ada = service.actor("ada")
    with service.app.app_context():
        waiting = moderate.list_queue(service.parts, CLI, QueueFilter())["items"]
        moderate.decide(service.parts, ada, waiting[2]["id"], "reject", "threat")
    settled(page, "/decisions", "a")
    page.locator("#refusals").get_by_text("rejected by now").wait_for()
    page.get_by_role("article", name="Cy").get_by_text("ada rejected this.").wait_for()
    press(page, "k", "k", "j", "j")
    assert here(page) == "Dot"  # Cy is passed over
    assert service.states() == {"Ana": "pending", "Ben": "pending", "Cy": "rejected", "Dot": "pending"}


def test_decide_after_the_session_ended_goes_on_after_a_login_elsewhere(service: Desk) -> None:
    page = service.enter()
    press(page, "j")
    page.context.clear_cookies()
    press(page, "a")
    page.locator("#refusals").get_by_text("Your session has ended.").wait_for()
    assert names(page)[0] == "Ana"
    with service.app.app_context():
        cookie, _ = accounts.log_in(service.parts, "mira", PASSWORD, b"test")
    page.context.add_cookies([{"name": "moderation-session", "value": cookie, "url": service.url}])
    page.get_by_role("button", name="Go there").click()
    with page.expect_response(lambda answer: answer.url.endswith("/decisions") and answer.status == 200):
        press(page, "a")
    assert service.states()["Ana"] == "approved"


def test_decide_on_a_selection_by_keys_and_undo_it_whole(service: Desk) -> None:
    page = service.enter()
    press(page, "j", "x", "j", "j", "x")
    assert page.get_by_text("2 selected:").is_visible()
    settled(page, "/console/decisions", "A")
    assert names(page) == ["Ben", "Dot"]
    assert service.states() == {"Ana": "approved", "Ben": "pending", "Cy": "approved", "Dot": "pending"}
    settled(page, "/undo", "u")
    assert names(page) == ["Ana", "Ben", "Cy", "Dot"]
    press(page, "X")
    assert page.get_by_text("4 selected:").is_visible()
    press(page, "R")
    settled(page, "/console/decisions", "5")
    assert set(service.states().values()) == {"rejected"}
    page.get_by_text("Nothing waits.").wait_for()
    settled(page, "/undo", "u")
    assert set(service.states().values()) == {"pending"}
    assert page.complaints == []


def test_look_at_the_queue_by_two_marks_what_the_other_looks_at_and_shows_what_comes_in(service: Desk) -> None:
    ada, mira = service.enter("ada"), service.enter("mira")
    with ada.expect_response("**/claims"):
        press(ada, "j")
    service.post("Eve", "Five.")
    service.post("Fox", "Six.")
    mira.evaluate("window.dispatchEvent(new Event('focus'))")
    mira.get_by_role("article", name="Ana").get_by_text("ada is looking at this.").wait_for()
    mira.get_by_role("article", name="Fox").wait_for()
    press(mira, "j")
    assert here(mira) == "Eve"  # ada has the first one, and those after it
    settled(ada, "/decisions", "s")
    mira.evaluate("window.dispatchEvent(new Event('focus'))")
    mira.get_by_role("article", name="Ana").get_by_text("ada marked this as spam.").wait_for()
    assert here(mira) == "Eve"
    assert mira.title().startswith("(5) ")
    ada.close()
    mira.wait_for_timeout(200)
    mira.evaluate("window.dispatchEvent(new Event('focus'))")
    mira.locator("[data-held]").first.wait_for(state="detached")
    mira.goto(service.url + "/console/?sort=newest")
    press(mira, "j")
    service.post("Gil", "Seven.")
    mira.evaluate("window.dispatchEvent(new Event('focus'))")
    mira.get_by_role("button", name="1 new").wait_for()
    assert (here(mira), names(mira)[0]) == ("Fox", "Fox")
    press(mira, "n")
    mira.locator(".card:focus h2", has_text="Gil").wait_for()
    assert names(mira)[:2] == ["Gil", "Fox"]
    assert ada.complaints + mira.complaints == []


def test_come_near_the_end_of_a_page_finds_the_next_one_there(service: Desk) -> None:
    for number in range(30):
        service.post(f"R{number}", f"Remark {number}.")
    page = service.enter()
    with page.expect_response("**/console/cards?*"):
        press(page, *["j"] * 20)
    page.locator(".card").nth(33).wait_for()
    assert names(page)[-1] == "R29"
    assert page.locator("a[rel=next]").count() == 0


def test_work_without_script_decides_on_one_and_on_several_and_keeps_a_view(service: Desk) -> None:
    page = service.enter(java_script_enabled=False)
    page.get_by_role("article", name="Ana").get_by_role("button", name="Spam").click()
    page.get_by_text("The comment was marked as spam.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Undone").wait_for()
    page.get_by_role("link", name="Select all on this page").click()
    page.get_by_label("Select the comment by Cy").uncheck()
    page.get_by_role("form", name="Selected comments").get_by_role("button", name="Approve").click()
    page.get_by_text("3 comments: approved.").wait_for()
    assert service.states() == {"Ana": "approved", "Ben": "approved", "Cy": "pending", "Dot": "approved"}
    page.get_by_role("button", name="Undo all").click()
    page.get_by_text("3 comments: where they were before.").wait_for()
    assert page.locator(".card").count() == 4
    page.get_by_text("More filters").click()
    page.get_by_label("Author’s name").fill("cy")
    page.get_by_role("button", name="Use these filters").click()
    assert names(page) == ["Cy"]
    page.get_by_text("Save this view").click()
    page.get_by_label("Name", exact=True).fill("Only Cy")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Only Cy 1").wait_for()
    page.get_by_text("Change this view").click()
    page.get_by_role("button", name="Remove").click()
    page.get_by_text("The view was removed.").wait_for()


def test_look_at_queue_and_item_on_a_phone_has_no_violation_and_fits_the_width(
    service: Desk, violations: Callable[[Any], list[str]]
) -> None:
    own = service.post("Hal", "You m0r0n, **never** do that. http://192.0.2.7/win", thread_key="other")
    with service.app.app_context():
        desk.hold(service.parts, service.actor("ada"), [own])
    page = service.enter(viewport={"width": 360, "height": 740})
    fits = "document.documentElement.scrollWidth <= innerWidth"
    press(page, "j", "x", "r")
    assert (violations(page), page.evaluate(fits)) == ([], True)
    page.goto(f"{service.url}/console/comments/{own}")
    assert (violations(page), page.evaluate(fits)) == ([], True)
    assert page.complaints == []


def test_look_at_queue_and_keys_in_the_dark_has_no_violation(
    service: Desk, violations: Callable[[Any], list[str]]
) -> None:
    service.post("Hal", "You m0r0n.")
    page = service.enter(path="/console/?sort=newest", viewport={"width": 1440, "height": 900}, color_scheme="dark")
    press(page, "j", "x", "j", "s")
    assert violations(page) == []
    press(page, "?")
    assert page.locator("dialog:focus-within").count() == 1
    assert violations(page) == []
    press(page, "Escape")
    assert here(page)
    assert page.complaints == []


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="HOSTILE_FIXTURES is not set")
def test_show_hostile_comments_in_every_field_opens_no_dialog(service: Desk) -> None:
    folder = FIXTURES / "payloadbox-xss"
    lines = [line for path in sorted(folder.rglob("*.txt")) for line in path.read_text("utf-8", "replace").splitlines()]
    attacks = [line for line in lines if 20 < len(line) < 90][:: max(1, len(lines) // 60)][:24]
    assert len(attacks) > 10
    for attack in attacks:
        key = attack.replace("\x00", "")
        last = service.post(attack, f"{attack}\n\nm0r0n {attack}", thread_key=key, thread_title=attack)
    mira = service.actor("mira")
    with service.app.app_context():
        views.add_view(service.parts, mira, attacks[0][:60], {"author": attacks[0]})
    page = service.enter(path="/console/?sort=newest")
    assert page.locator(".card").count() == 25
    press(page, "j", "s", "u", "x", "j", "?", "?")
    page.goto(f"{service.url}/console/comments/{last}")
    page.locator("mark").first.wait_for()
    page.goto(service.url + "/console/?author=" + "%3Cimg%20src=x%20onerror=alert(1)%3E")
    assert page.complaints == []
