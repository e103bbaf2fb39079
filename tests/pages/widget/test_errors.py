"""The widget when something goes wrong: the text is never lost, and what is said helps."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.widget.conftest import KEY, Host, field, fill, focused, send

pytestmark = pytest.mark.browser


def alert(page: Any, text: Any) -> Any:
    """An alert that says this."""
    return page.get_by_role("alert").filter(has_text=text)


def test_retry_after_a_lost_answer_a_reload_a_wait_and_a_gap_makes_one_comment(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """The service took it and the answer was lost; then it was slow; then the reader was offline: one comment."""
    page = open_page()
    page.clock.install()
    page.goto(host.url)
    fill(page, "Only once, please.")
    keys: list[str] = []

    def lose_answer(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    page.route("**/comments", lose_answer, times=1)
    send(page)
    alert(page, "did not answer. Please try again. Your text is kept here.").wait_for()
    assert len(host.waiting()) == 1
    page.reload()
    page.get_by_role("heading", name="No replies yet").wait_for()
    assert field(page, "Comment").input_value() == "Only once, please."

    page.route("**/comments", lambda route: keys.append(route.request.headers["idempotency-key"]), times=1)
    send(page)
    page.get_by_role("button", name="Sending…").wait_for()
    page.clock.fast_forward(20_000)
    alert(page, "did not answer").wait_for()

    page.context.set_offline(True)
    page.get_by_role("button", name="Try again").click()
    alert(page, "You are offline.").wait_for()
    page.context.set_offline(False)
    held: list[Any] = []
    page.route("**/comments", lambda route: held.append(route), times=1)
    with page.expect_request("**/comments") as last:
        send(page)
    field(page, "Comment").fill("Another thought, while it is sent.")
    held.pop().continue_()
    page.get_by_text("only you can see this").wait_for()
    assert {*keys, last.value.headers["idempotency-key"]} == {keys[0]}
    assert [item["body"] for item in host.waiting()] == ["Only once, please."]
    assert page.locator(".own .body").inner_text() == "Only once, please."
    page.reload()
    page.locator(".own").wait_for()
    assert field(page, "Comment").input_value() == "Another thought, while it is sent."


def test_load_list_that_fails_is_tried_again_by_hand_and_when_the_line_is_back(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """First no texts, then no list: each time there is a button, and the form is there to write."""
    host.submit("Here all the time.")
    page = open_page()
    page.route("**/embed/*", lambda route: route.abort(), times=1)
    page.route("**/comments?*", lambda route: route.abort(), times=2)
    page.goto(host.url)
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="The replies could not be loaded.").wait_for()
    field(page, "Comment").fill("Written in the meantime.")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="1 reply").wait_for()
    assert focused(page) == "heading"
    page.context.set_offline(True)
    page.get_by_role("button", name=re.compile("Helpful")).click()
    page.get_by_role("status").filter(has_text="You are offline.").wait_for()
    page.context.set_offline(False)

    page.route("**/comments?*", lambda route: route.abort(), times=1)
    page.reload()
    page.get_by_role("heading", name="The replies could not be loaded.").wait_for()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.get_by_role("heading", name="1 reply").wait_for()
    assert field(page, "Comment").input_value() == "Written in the meantime."


def test_reply_with_wrong_fields_says_so_at_each_field(host: Host, open_page: Callable[..., Any]) -> None:
    """Each message is tied to its field, in the reader's language, and the first wrong field has the focus."""
    host.change(max_chars=20, require_email=True)
    div = f'<main><div id="comments" data-moderation-site="news" data-thread="{KEY}"></div></main>'
    page = open_page()
    page.goto(host.write("/de", div + '<script src="SCRIPT"></script>', lang="de"))
    page.get_by_role("heading", name="Noch keine Kommentare").wait_for()

    def at(name: str) -> Any:
        return page.locator(f"#error-{name}")

    press = page.get_by_role("button", name="Kommentar abschicken")
    press.click()
    assert focused(page) == "field-body"
    assert at("body").inner_text() == "Bitte füllen Sie dieses Feld aus."
    field(page, "Kommentar").fill("Das hier ist viel zu lang.")
    press.click()
    assert focused(page) == "field-name"
    assert at("body").inner_text() == ""
    field(page, "Name").fill("Jürgen")
    press.click()
    alert(page, "Bitte prüfen Sie die markierten Felder.").wait_for()
    assert focused(page) == "field-body"
    assert at("body").inner_text() == "Höchstens 20 Zeichen sind erlaubt."
    assert at("email").inner_text() == "Bitte füllen Sie dieses Feld aus."
    assert field(page, "Kommentar").get_attribute("aria-invalid") == "true"
    assert "error-body" in field(page, "Kommentar").get_attribute("aria-describedby")
    field(page, "Kommentar").fill("Kurz.")
    field(page, "E-Mail").fill("keine Adresse")
    field(page, "Website").fill("auch keine")
    press.click()
    at("url").filter(has_text="https://example.org/").wait_for()
    assert at("email").inner_text() == "Bitte geben Sie eine gültige E-Mail-Adresse ein."
    assert field(page, "Kommentar").get_attribute("aria-invalid") is None
    assert host.waiting() == []


def test_send_what_is_refused_says_why_and_keeps_the_text(host: Host, open_page: Callable[..., Any]) -> None:
    """Too large, an answer to what is gone, too fast, a closed thread, and a service whose words are an attack."""
    first = host.submit("Soon gone.")
    page = open_page()
    page.goto(host.url)
    fill(page, "x" * 70_000)
    send(page)
    alert(page, "This is too long to be sent. Your text is kept here.").wait_for()
    assert len(field(page, "Comment").input_value()) == 70_000

    page.get_by_role("button", name=re.compile("Reply to .Ben.")).click()
    fill(page, "An answer to nobody.")
    host.decide(first, "trash")
    send(page)
    alert(page, "no longer there. You can post your text as a comment of its own.").wait_for()
    host.change(submit_rate="1/day")
    send(page)
    page.get_by_text("only you can see this").wait_for()
    fill(page, "One more.")
    send(page)
    alert(page, re.compile(r"again in .[\d,]+ (minute|second)s?.\. Your text is kept here\.")).wait_for()
    button = page.get_by_role("button", name="Post comment")
    assert button.get_attribute("aria-disabled") == "true"
    button.click(force=True)
    assert [item["body"] for item in host.waiting()] == ["An answer to nobody."]

    page.reload()
    page.locator(".own").wait_for()
    attack = "<img src=x onerror=alert(1)>"
    answer = {"detail": attack, "errors": {"author.name": [attack], attack: [attack]}}
    allowed = {"Access-Control-Allow-Origin": host.origin}
    page.route("**/comments", lambda route: route.fulfill(status=422, json=answer, headers=allowed), times=1)
    send(page)
    page.locator("#error-name", has_text=attack).wait_for()
    host.change(submit_rate="none")
    host.close_thread()
    send(page)
    alert(page, "Replies are closed. Your text is kept here.").wait_for()
    assert field(page, "Comment").input_value() == "One more."
    page.reload()
    page.get_by_text("Replies are closed.").wait_for()
    assert page.get_by_role("textbox").count() == 0
    assert [one for one in page.complaints if "status of 4" not in one] == []


def test_open_page_of_a_site_without_comments_shows_no_form(host: Host, open_page: Callable[..., Any]) -> None:
    """Where the service knows no such site, the page says so in one line."""
    page = open_page()
    div = '<div id="comments" data-moderation-site="gone"></div><script src="/embed.js"></script>'
    page.route("**/article", lambda route: route.fulfill(body=div, content_type="text/html"))
    page.goto(f"{host.live.url}/article")
    page.get_by_role("heading", name="Comments are not available here.").wait_for()
    assert page.get_by_role("textbox").count() == page.get_by_role("button").count() == 0
