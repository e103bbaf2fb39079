"""The readers' widget in a real browser, on a page of another origin with a policy as strict as they come."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moderation.domain.actor import CLI
from moderation.services import accounts, threads
from moderation.services.moderate import QueueFilter, list_queue
from tests.pages.widget.conftest import PAGE_SIZE, Host, field, fill, focused, send

pytestmark = pytest.mark.browser


def test_reply_on_strict_page_of_another_origin_waits_is_edited_approved_and_deleted(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """The whole life of a reply in its writer's browser: no cookie, no third party, nothing that a CSP forbids; and
    after each step the focus is where one goes on.
    """
    root = host.submit("The *first* word.")
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(host.url)
    page.get_by_role("heading", name="1 reply").wait_for()
    assert page.locator(".body em").inner_text() == "first"
    page.get_by_role("link", name="1 reply").wait_for()

    page.get_by_role("button", name=re.compile("Reply to .Ben.")).press("Enter")
    assert focused(page) == "field-body"
    page.keyboard.type("Seconded *quietly*.")
    page.get_by_role("button", name="Preview").press("Enter")
    page.get_by_role("region", name="Preview").locator("em", has_text="quietly").wait_for()
    assert focused(page).startswith("preview: ")
    assert host.waiting() == []
    fill(page, "Seconded.")
    assert page.get_by_role("region", name="Preview").count() == 0
    field(page, "Name").press("Control+Enter")
    page.get_by_text("only you can see this").wait_for()
    assert "Seconded." in focused(page)
    waiting = host.waiting()
    assert [(item["body"], item["parent"]["id"]) for item in waiting] == [("Seconded.", root)]

    page.reload()
    page.locator(".own").get_by_role("button", name="Edit").press("Enter")
    page.get_by_label("Edit your comment").fill("Seconded, **warmly**.")
    page.get_by_role("button", name="Save").press("Enter")
    page.locator(".own strong").wait_for()
    page.get_by_text("Thank you. Your comment is waiting for a moderator.").wait_for()
    assert focused(page).startswith("status: Thank you")
    host.decide(waiting[0]["id"])
    page.reload()
    page.get_by_role("heading", name="2 replies").wait_for()
    assert page.locator(".own").count() == 0
    assert page.locator(".replies strong").inner_text() == "warmly"

    page.get_by_role("button", name="Delete").press("Enter")
    page.get_by_role("button", name="Delete for good").press("Enter")
    page.get_by_text("Your comment was deleted.").wait_for()
    page.get_by_role("heading", name="1 reply").wait_for()
    assert focused(page) == "status: Your comment was deleted."
    assert page.complaints == []
    assert page.context.cookies() == []
    assert {url.split("/")[2] for url in asked} <= {host.url.split("/")[2], host.live.url.split("/")[2]}


def test_send_with_wish_for_notices_says_so_and_keeps_the_receipt(host: Host, open_page: Callable[..., Any]) -> None:
    """The box is there once an address is typed; what the answer gives as a receipt stands below the own comment."""
    page = open_page()
    sent: list[dict[str, Any]] = []

    def of_tomorrow(route: Any) -> None:
        """A service that knows notices and receipts, in front of this one."""
        body = route.request.post_data_json
        sent.append(dict(body))
        body.pop("notify", None)
        answer = route.fetch(post_data=body)
        route.fulfill(response=answer, json={**answer.json(), "receipt_url": receipts.pop()})

    page.route("**/comments", of_tomorrow)
    page.goto(host.url)
    receipts = ["javascript:alert(1)", f"{host.live.url}/receipts/a"]
    page.get_by_role("heading", name="No replies yet").wait_for()
    wish = page.get_by_label("Email me when somebody replies")
    assert not wish.is_visible()
    fill(page, "With a wish.")
    field(page, "Email").fill("ana@example.org")
    wish.check()
    send(page)
    receipt = page.get_by_role("link", name="withdraw")
    receipt.wait_for()
    assert receipt.get_attribute("href") == f"{host.live.url}/receipts/a"
    page.reload()
    receipt.wait_for()
    fill(page, "Without an address, no notices.")
    send(page)
    page.locator(".own").nth(1).wait_for()
    assert [one.get("notify") for one in sent] == [True, None]
    assert receipt.count() == 1
    assert page.complaints == []


def test_load_more_of_a_long_thread_shows_each_reply_once_and_moves_the_focus(
    host: Host, open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More comments than a page, more replies than are sent at once: nothing twice, nothing lost."""
    monkeypatch.setattr(threads, "REPLIES_PER_ROOT", 2)
    first = host.submit("Root 0")
    for n in range(3):
        host.submit(f"Reply {n}", first)
    for n in range(1, PAGE_SIZE + 1):
        host.submit(f"Root {n}")
    page = open_page()
    page.goto(host.url)
    page.get_by_role("heading", name=f"{PAGE_SIZE + 4} replies").wait_for()
    assert page.locator(".item").count() == PAGE_SIZE + 2
    page.get_by_role("button", name="Show more replies").first.click()
    page.get_by_text("Reply 2", exact=True).wait_for()
    assert page.locator(".replies .item").count() == 3
    page.get_by_role("button", name="Show more replies").click()
    page.get_by_text(f"Root {PAGE_SIZE}", exact=True).wait_for()
    assert f"Root {PAGE_SIZE}" in focused(page)
    shown = page.locator(".item > article .body").all_inner_texts()
    assert len(shown) == len(set(shown)) == PAGE_SIZE + 4
    page.get_by_label("Sort").select_option("newest")
    page.locator(".item").first.get_by_text(f"Root {PAGE_SIZE}").wait_for()
    assert page.complaints == []


def test_vote_and_report_from_the_page_reach_the_moderators(host: Host, open_page: Callable[..., Any]) -> None:
    """A vote is counted and taken back; a report is thanked for and shows in the queue's filter."""
    host.submit("Buy my boat.")
    page = open_page()
    page.goto(host.url)
    page.get_by_role("button", name="Helpful").click()
    page.get_by_role("button", name="Helpful · 1", pressed=True).wait_for()
    page.reload()
    page.get_by_role("button", name="Helpful · 1", pressed=True).click()
    page.get_by_role("button", name="Helpful", exact=True, pressed=False).wait_for()
    page.get_by_role("button", name="Report").click()
    page.get_by_role("combobox", name="What is wrong").select_option("spam")
    page.get_by_role("button", name="Send report").click()
    page.get_by_text("A moderator will look at it.").wait_for()
    assert focused(page).startswith("note: Thank you.")
    asked = QueueFilter(state="approved", reported=True)
    assert [item["reports"] for item in host.in_app(lambda parts: list_queue(parts, CLI, asked))["items"]] == [1]
    assert page.complaints == []


def test_show_hostile_comments_opens_no_dialog_and_runs_nothing(host: Host, open_page: Callable[..., Any]) -> None:
    """Names, addresses and texts are shown as text; the sanitised body has no way to act."""
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    host.submit(f"{attack} [x](javascript:alert(3)) ![y](https://evil.example/z.png)", name=attack[:90])
    page = open_page()
    page.goto(host.url)
    page.get_by_role("heading", name="1 reply").wait_for()
    assert page.locator(".name").inner_text().startswith("<img src=x")
    assert page.locator(".body img, .body script, .body a:not([href^='https:'])").count() == 0
    assert page.complaints == []


@pytest.mark.skipif("HOSTILE_FIXTURES" not in os.environ, reason="HOSTILE_FIXTURES is not set")
def test_show_known_attacks_to_readers_and_moderators_runs_nothing(host: Host, open_page: Callable[..., Any]) -> None:
    """A sample of published attacks, one comment each: no dialog, no request elsewhere, no error."""
    folder = Path(os.environ["HOSTILE_FIXTURES"]) / "payloadbox-xss"
    lines = [line for file in sorted(folder.glob("*.txt")) for line in file.read_text("utf-8", "replace").splitlines()]
    attacks = [line.strip()[:2_000] for line in lines if line.strip()]
    step = max(1, len(attacks) // int(os.environ.get("HOSTILE_SAMPLE", "20")))
    host.change(policy="auto", approve_below=1.0, spam_from=1.0)
    shown = 0
    for attack in attacks[::step]:
        shown += host.try_submit(attack)
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(host.url + "?limit=100")
    page.locator(".item").first.wait_for()
    assert page.locator(".item").count() == shown > 0
    host.in_app(lambda parts: accounts.add_moderator(parts, CLI, "mira", "nine lamps over the harbour", "viewer", "*"))
    cookie, _ = host.in_app(lambda parts: accounts.log_in(parts, "mira", "nine lamps over the harbour", b"here"))
    page.context.add_cookies([{"name": "moderation-session", "value": cookie, "url": host.live.url}])
    page.goto(f"{host.live.url}/console/?state=approved")
    assert page.locator(".card").count() == min(shown, 25)
    assert page.complaints == []
    assert {url.split("/")[2] for url in asked} <= {host.url.split("/")[2], host.live.url.split("/")[2]}
