"""The console's pages beside the queue in a real browser: journeys, axe-core, a phone, and no dialog from any field."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from moderation.domain.actor import CLI
from moderation.services import accounts, automod, deliver, moderate, scorers, sites, word_lists
from moderation.services.submit import Client, Submission, submit_comment
from tests.conftest import LiveServer
from tests.pages.test_accessibility import SIZES
from tests.pages.test_console_pages import PASSWORD

EVIL = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


@pytest.fixture
def site(live_server: LiveServer) -> dict[str, Any]:
    """A site with one of each thing, hostile in every field that takes it; ids by what they are of."""
    parts = live_server.app.extensions["moderation"]
    with live_server.app.app_context():
        sites.add_site(parts, CLI, "news", EVIL[:200], settings={"submit_rate": "none"})
        sites.add_site(parts, CLI, "other", "أخبار المدينة")
        accounts.add_moderator(parts, CLI, "ada", PASSWORD, "admin", "*")
        person = accounts.add_moderator(parts, CLI, EVIL, PASSWORD, "viewer", "news")["id"]
        accounts.add_token(parts, CLI, "news", "viewer", EVIL)
        webhook = deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")["id"]
        scorer = scorers.add_scorer(parts, CLI, "news", "house", "http", "http://127.0.0.1:9/")["id"]
        word_lists.put_list(parts, CLI, "news", "rude", f"casino\n{EVIL}", action="hold")
        automod.put_automod(parts, CLI, "news", f"body: [casino]\naction: filter\naction_reason: '{EVIL}'\n")
        sites.add_rule(parts, CLI, "news", "pattern", "<script>", "hold")
        ids = []
        for n, action in enumerate(("approve", "spam", "reject", None)):
            sent = Submission("a", None, EVIL, None, EVIL, "ana@example.org", None, None, f"casino {EVIL} {n}")
            ids.append(submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))["id"])
            if action:
                moderate.decide(parts, CLI, ids[-1], action, EVIL)
        deliver.deliver_due(parts)
        delivery = deliver.list_deliveries(parts, CLI, webhook)["items"][-1]["id"]
    return {"person": person, "webhook": webhook, "scorer": scorer, "comment": ids[-1], "delivery": delivery}


@pytest.fixture
def enter(live_server: LiveServer, open_page: Callable[..., Any]) -> Callable[..., Any]:
    """Log ada in, in a fresh browser."""

    def log_in(**options: Any) -> Any:
        page = open_page(**options)
        page.goto(f"{live_server.url}/console/login")
        page.fill("#name", "ada")
        page.fill("#password", PASSWORD)
        page.click("button.primary")
        page.wait_for_url("**/console/")
        return page

    return log_in


PATHS = (
    *("dashboard?site=news", "settings?site=news", "lists?site=news", "lists/rude?site=news", "automod?site=news"),
    *("scorers?site=news", "scorers/{scorer}", "webhooks?site=news", "webhooks/{webhook}", "deliveries/{delivery}"),
    *("tokens", "people", "people/{person}", "audit?site=news", "account", "rules?site=news", "comments/{comment}"),
)


KINDS = (
    *("dashboard?site=news", "settings?site=news", "automod?site=news", "webhooks/{webhook}", "people/{person}"),
    "audit?site=news",
)
"""One of each kind: what they are made of is the same on the others."""


@pytest.mark.parametrize(("size", "scheme", "paths"), [("phone", "light", PATHS), ("desktop", "dark", KINDS)])
def test_page_has_no_violation_fits_the_width_and_runs_nothing(
    live_server: LiveServer,
    site: dict[str, Any],
    enter: Callable[..., Any],
    violations: Callable[[Any], list[str]],
    size: str,
    scheme: str,
    paths: tuple[str, ...],
) -> None:
    page = enter(viewport=SIZES[size], color_scheme=scheme)
    for path in paths:
        page.goto(f"{live_server.url}/console/{path.format(**site)}")
        page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.click(".menu-more summary")
    assert violations(page) == []
    assert page.complaints == []


def test_add_a_webhook_by_keyboard_see_its_secret_once_and_its_log(
    live_server: LiveServer, site: dict[str, Any], enter: Callable[..., Any]
) -> None:
    page = enter(viewport=SIZES["phone"])
    page.focus(".menu-more summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.locator(".menu-more").get_attribute("open") is None
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Webhooks"
    page.keyboard.press("Enter")
    page.fill("#url", "http://127.0.0.1:9/second")
    page.keyboard.press("Enter")
    secret = page.locator("#secret").inner_text()
    assert secret.startswith("whsec_")
    assert "whsec_" not in page.url
    page.click("text=Send a test")
    assert "The test did not arrive" in page.locator(".notice.bad").inner_text()
    assert secret not in page.content()
    page.goto(f"{live_server.url}/console/webhooks/{site['webhook']}?state=pending")
    page.click(".adm-log a >> nth=0")
    page.click("text=Send it again")
    assert "It is on its way again." in page.locator(".notice").inner_text()
    assert page.complaints == []


def test_change_a_setting_and_be_told_what_is_wrong(
    live_server: LiveServer, site: dict[str, Any], enter: Callable[..., Any]
) -> None:
    page = enter(java_script_enabled=False)
    page.goto(f"{live_server.url}/console/settings?site=other")
    page.fill("#submit_rate", "often")
    page.check("input[name=votes]")
    page.click("button:has-text('Save')")
    wrong = page.locator("#submit_rate")
    assert wrong.get_attribute("aria-invalid") == "true"
    assert "10/minute" in page.locator("#wrong-submit_rate").inner_text()
    page.fill("#submit_rate", "5/minute")
    page.click("button:has-text('Save')")
    assert page.locator(".notice").inner_text() == "Saved."
    assert page.locator("#submit_rate").input_value() == "5/minute"
    assert page.locator("input[name=votes]").is_checked()


def test_look_at_the_dashboard_on_a_phone(
    live_server: LiveServer, site: dict[str, Any], enter: Callable[..., Any]
) -> None:
    page = enter(viewport=SIZES["phone"])
    page.click("nav >> text=Dashboard")
    page.click("text=7 days")
    plot = page.locator("svg[aria-labelledby^=by-day]").bounding_box()
    assert plot["width"] <= 360
    size = page.evaluate("document.querySelector('.plot text').getBoundingClientRect().height")
    assert size >= 9
    page.click("summary:has-text('The figures') >> nth=0")
    row = page.locator(".plot table >> nth=0").locator("tbody tr").last.inner_text()
    assert re.split(r"\s+", row.strip())[2:] == ["4", "1", "1", "1"]
    assert page.complaints == []


def test_remove_asks_once_more_without_script(
    live_server: LiveServer, site: dict[str, Any], enter: Callable[..., Any]
) -> None:
    page = enter(java_script_enabled=False)
    page.goto(f"{live_server.url}/console/lists/rude?site=news")
    assert not page.locator("button:has-text('Remove the list')").is_visible()
    page.click("summary:has-text('Remove this list')")
    page.click("button:has-text('Remove the list')")
    assert page.locator(".notice").inner_text() == "Removed."


def test_reveal_an_address_with_its_reason(
    live_server: LiveServer, site: dict[str, Any], enter: Callable[..., Any]
) -> None:
    page = enter()
    page.goto(f"{live_server.url}/console/comments/{site['comment']}")
    page.click("summary:has-text('Reveal the address')")
    page.fill("#reveal-reason", "A court asked, file 12")
    page.click("button:has-text('Reveal the address')")
    assert page.locator("#email").inner_text() == "ana@example.org"
    page.go_back()
    assert "ana@example.org" not in page.content()
    page.goto(f"{live_server.url}/console/audit?action=comment.reveal-email&site=news")
    assert "A court asked, file 12" in page.locator("main").inner_text()
    assert page.complaints == []
