"""The console's page for a person's data: found, handed out and erased by forms alone, and nothing of it in a URL."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from moderation.domain.actor import CLI
from moderation.services import sites
from moderation.storage.db import read
from moderation.storage.models import AuditLine, Comment
from moderation.web import console_privacy
from tests.conftest import LiveServer, make_people, submission_json
from tests.pages.test_accessibility import LOOKS, SIZES
from tests.pages.test_console_pages import PASSWORD, add_person, log_in, token_in

EMAIL = "ana@example.org"


@pytest.fixture
def admin(app: Flask, people: Any, submit: Any) -> Callable[..., Any]:
    """Send one of the page's forms as an admin of the site, on which Ana wrote twice and Ben once."""
    for body, author in (("The first.", {}), ("The second.", {}), ("By Ben.", {"email": "ben@example.org"})):
        submit(body, author={"name": "Ana", "email": EMAIL, **author})
    add_person(app, "rosa", "admin", "news")
    client, _ = log_in(app, "rosa")
    token = token_in(client.get("/console/privacy").text)

    def send(what: str = "", email: str = EMAIL, site: str = "news") -> Any:
        return client.post(f"/console/privacy{what}", data={"csrf_token": token, "site": site, "email": email})

    return send


def test_find_says_how_many_comments_it_concerns_before_anything_happens(admin: Any) -> None:
    found = admin()
    assert "2 comments with this address" in found.text
    assert "It concerns 2 comments" in found.text
    assert "the texts too" in found.text
    assert found.headers["Cache-Control"] == "no-store"
    assert "0 comments" in admin(email="nobody@example.org").text
    assert admin(email="not an address").status_code == 422


def test_export_is_one_file_with_everything_however_many_pages(admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_privacy.privacy, "PAGE", 1)
    answer = admin("/export")
    assert answer.headers["Content-Disposition"] == "attachment; filename=person.json"
    assert answer.mimetype == "application/json"
    data = json.loads(answer.text)
    assert (data["site"], data["email"], data["notices"]) == ("news", EMAIL, None)
    assert [comment["body"] for comment in data["comments"]] == ["The first.", "The second."]
    assert answer.headers["Cache-Control"] == "no-store"
    assert json.loads(admin("/export", "nobody@example.org").text)["comments"] == []


def test_erase_says_what_was_done_and_what_is_left(
    admin: Any, app: Flask, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console_privacy, "MOST_A_CALL", 1)
    first = admin("/erase")
    assert "with 1 comments of theirs" in first.text
    assert "1 comment with this address" in first.text
    last = admin("/erase")
    assert EMAIL not in last.text
    with app.app_context(), read() as session:
        left = session.scalars(sa.select(Comment).where(Comment.email_index.is_not(None))).all()
        lines = session.scalars(sa.select(AuditLine).where(AuditLine.action == "privacy.erase")).all()
    assert [comment.body for comment in left] == ["By Ben."]
    assert {line.actor_name for line in lines} == {"rosa"}
    assert EMAIL not in str([line.data for line in lines])
    assert "ana@" not in capfd.readouterr().err


def test_person_of_another_site_is_nobodys_to_find(admin: Any) -> None:
    for what in ("", "/export", "/erase"):
        assert admin(what, site="other").status_code == admin(what, site="nowhere").status_code == 404


def test_privacy_page_and_receipt_have_no_violation(
    live_server: LiveServer, open_page: Callable[..., Any], violations: Callable[[Any], list[str]]
) -> None:
    client = live_server.app.test_client()
    with live_server.app.app_context():
        parts = live_server.app.extensions["moderation"]
        make_people(parts)
        sites.change_site(parts, CLI, "news", settings={"erase_texts": False})
    made = client.post("/api/v1/sites/news/comments", json=submission_json()).get_json()
    add_person(live_server.app, "rosa", "admin", "news")
    page = open_page()
    page.goto(f"{live_server.url}/console/login")
    page.fill("#name", "rosa")
    page.fill("#password", PASSWORD)
    page.click("button.primary")
    page.wait_for_url("**/console/")
    for size, scheme in LOOKS:
        page.set_viewport_size(SIZES[size])
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{live_server.url}/console/privacy")
        page.get_by_label("Their email address").fill(EMAIL)
        page.get_by_role("button", name="Find").click()
        page.get_by_text("Erase this person").click()
        assert page.url == f"{live_server.url}/console/privacy"
        assert violations(page) == [], (size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (size, scheme)
        for lang in ("en", "ar"):
            page.goto(f"{made['receipt_url']}?lang={lang}")
            assert violations(page) == [], (size, scheme, lang)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (size, scheme, lang)
        page.locator("button[value=erase]").click()
        assert violations(page) == [], (size, scheme)
    assert page.complaints == []
