"""Who may open and send what of the console's other pages: every route, by everybody. The table is the test."""

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import accounts, automod, deliver, scorers, word_lists
from moderation.storage.db import db, read, write
from moderation.storage.models import AuditLine, Delivery, Endpoint, ScorerRow, Token, WordListRow
from moderation.web.console_admin import MENU, MORE, RULE_TABS
from tests.pages.test_console_pages import PASSWORD, add_person, log_in, token_in

WHO = ("viewer", "moderator", "admin", "stranger")
"""``admin`` is admin of the site, ``stranger`` of another one."""

# The least role that gets in, in the words of the table; "own" needs no more than a session.
TABLE: list[tuple[str, str, str]] = [
    ("GET", "dashboard", "viewer"),
    ("GET", "settings", "viewer"),
    ("POST", "settings", "admin"),
    ("GET", "lists", "moderator"),
    ("POST", "lists", "moderator"),
    ("GET", "lists/rude", "moderator"),
    ("GET", "lists/rude/file", "moderator"),
    ("GET", "automod", "moderator"),
    ("POST", "automod", "moderator"),
    ("GET", "scorers", "admin"),
    ("POST", "scorers", "admin"),
    ("GET", "scorers/{scorer}", "admin"),
    ("POST", "scorers/{scorer}", "admin"),
    ("POST", "scorers/{scorer}/test", "admin"),
    ("POST", "scorers/{scorer}/retry", "admin"),
    ("GET", "webhooks", "admin"),
    ("POST", "webhooks", "admin"),
    ("GET", "webhooks/{webhook}", "admin"),
    ("POST", "webhooks/{webhook}", "admin"),
    ("POST", "webhooks/{webhook}/rotate", "admin"),
    ("POST", "webhooks/{webhook}/test", "admin"),
    ("POST", "webhooks/{webhook}/replay", "admin"),
    ("GET", "deliveries/{delivery}", "admin"),
    ("POST", "deliveries/{delivery}/replay", "admin"),
    ("GET", "tokens", "admin"),
    ("POST", "tokens", "admin"),
    ("GET", "people", "admin"),
    ("POST", "people", "admin"),
    ("GET", "people/{person}", "admin"),
    ("POST", "people/{person}/role", "admin"),
    ("POST", "people/{person}/lock", "admin"),
    ("POST", "people/{person}/password", "admin"),
    ("GET", "privacy", "admin"),
    ("POST", "privacy", "admin"),
    ("POST", "privacy/export", "admin"),
    ("POST", "privacy/erase", "admin"),
    ("GET", "audit", "moderator"),
    ("POST", "comments/{comment}/reveal-email", "admin"),
    ("GET", "account", "own"),
    ("POST", "account", "own"),
    # What removes comes last, so that an admin finds it there.
    ("POST", "lists/rude/remove", "admin"),
    ("POST", "automod/remove", "admin"),
    ("POST", "scorers/{scorer}/remove", "admin"),
    ("POST", "tokens/{token}/revoke", "admin"),
    ("POST", "people/{person}/remove", "admin"),
    ("POST", "webhooks/{webhook}/remove", "admin"),
]
RANK = {"own": 0, "viewer": 1, "moderator": 2, "admin": 3, "stranger": 0}


@pytest.fixture
def there(app: Flask, people: Any, submit: Any) -> SimpleNamespace:
    """A site with one of each thing, and people of every role."""
    parts = app.extensions["moderation"]
    for name, site in (("viewer", "news"), ("moderator", "news"), ("admin", "news"), ("stranger", "other")):
        add_person(app, name, "admin" if name == "stranger" else name, site)
    with app.app_context():
        webhook = deliver.add_endpoint(parts, CLI, "news", "http://127.0.0.1:9/hook")["id"]
        comment = submit()["id"]
        scorer = scorers.add_scorer(parts, CLI, "news", "house", "http", "http://127.0.0.1:9/")["id"]
        word_lists.put_list(parts, CLI, "news", "rude", "casino")
        automod.put_automod(parts, CLI, "news", "body: [casino]\naction: filter\n")
        person = accounts.add_moderator(parts, CLI, "vera", PASSWORD, "viewer", "news")["id"]
        token = accounts.add_token(parts, CLI, "news", "viewer", "tool")["id"]
        delivery = deliver.list_deliveries(parts, CLI, webhook)["items"][0]["id"]
    return SimpleNamespace(
        webhook=webhook, comment=comment, scorer=scorer, person=person, token=token, delivery=delivery
    )


def send(client: FlaskClient, method: str, path: str, there: SimpleNamespace, token: str = "") -> Any:
    url = "/console/" + path.format(**vars(there))
    if method == "GET":
        return client.get(url, query_string={"site": "news"})
    return client.post(url, data={"csrf_token": token, "site": "news", "at": "news", "role": "viewer"})


def traces() -> tuple[Any, ...]:
    """What a write of any of these routes would leave behind."""
    with read() as session:
        counts = [
            session.scalar(sa.select(sa.func.count()).select_from(t)) for t in (Endpoint, ScorerRow, Token, WordListRow)
        ]
        lines = session.scalar(sa.select(sa.func.max(AuditLine.seq)).where(AuditLine.action != "session.open"))
        return (*counts, lines, *session.scalars(sa.select(Delivery.due_at)))


def test_table_has_every_route_of_these_pages(app: Flask) -> None:
    """A page that is added has to say who may open it."""
    listed = {(method, "/console/" + path.split("?")[0]) for method, path, _ in TABLE}
    there = SimpleNamespace(
        **dict.fromkeys(("webhook", "comment", "scorer", "person", "token", "delivery"), uuid.UUID(int=7))
    )
    listed = {(method, path.format(**vars(there))) for method, path in listed}
    urls = app.url_map.bind("localhost")
    matched = {(method, urls.match(path, method=method)[0]) for method, path in listed}
    modules = {
        *("console_accounts", "console_audit", "console_figures", "console_lists", "console_scorers"),
        *("console_privacy", "console_settings", "console_webhooks"),
    }
    wanted = {
        (method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
        if app.view_functions[rule.endpoint].__module__.rpartition(".")[2] in modules
    }
    assert matched == wanted


@pytest.mark.parametrize("who", WHO)
def test_open_and_send_by_each_role_is_allowed_or_refused(app: Flask, there: SimpleNamespace, who: str) -> None:
    client, _ = log_in(app, who)
    token = token_in(client.get("/console/account").text)
    with app.app_context():
        before = traces()
    for method, path, least in TABLE:
        if RANK[who] < RANK[least]:
            answer = send(client, method, path, there, token)
            assert answer.status_code == (404 if who == "stranger" else 403 if "{person}" not in path else 404), path
            assert "vera" not in answer.text
    with app.app_context():
        assert traces() == before
    for method, path, least in TABLE:
        if RANK[who] >= RANK[least]:
            answer = send(client, method, path, there, token)
            assert answer.status_code in {200, 303, 409, 422}, (path, answer.status_code)
            assert "/login" not in answer.headers.get("Location", "")
            assert answer.headers["Cache-Control"] == "no-store"
            assert "style=" not in answer.text


def test_open_and_send_without_a_session_leads_to_the_login(app: Flask, there: SimpleNamespace) -> None:
    client = app.test_client()
    with app.app_context():
        before = traces()
    for method, path, _ in TABLE:
        answer = send(client, method, path, there)
        assert answer.status_code == 303
        assert answer.location.startswith("/console/login")
    with app.app_context():
        assert traces() == before


def test_send_without_the_form_token_or_from_elsewhere_changes_nothing(app: Flask, there: SimpleNamespace) -> None:
    client, _ = log_in(app, "admin")
    token = token_in(client.get("/console/account").text)
    with app.app_context():
        before = traces()
    for method, path, _ in TABLE:
        if method == "POST":
            url = "/console/" + path.format(**vars(there))
            assert client.post(url, data={"site": "news"}).status_code == 403, path
            form = {"site": "news", "csrf_token": token}
            assert client.post(url, data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403, path
            assert client.get(url).status_code in {200, 404, 405}, path
    with app.app_context():
        assert traces() == before


@pytest.mark.parametrize("path", ["tokens", "people", "scorers", "lists", "audit"])
def test_open_what_holds_for_all_sites_needs_the_role_on_all_of_them(
    app: Flask, there: SimpleNamespace, path: str
) -> None:
    add_person(app, "root", "admin", "*")
    assert log_in(app, "root")[0].get(f"/console/{path}?site=*").status_code == 200
    assert log_in(app, "admin")[0].get(f"/console/{path}?site=*").status_code == 403


def test_menu_has_what_the_role_may_open_and_nothing_else(app: Flask, there: SimpleNamespace) -> None:
    for who in WHO:
        client, _ = log_in(app, who)
        page = client.get("/console/account").text
        for entries, shown_on in ((MENU, page), (MORE, page)):
            for _, _, endpoint, least in entries:
                with app.test_request_context():
                    from flask import url_for

                    url = url_for(endpoint)
                is_there = f'href="{url}"' in shown_on
                assert is_there is (RANK["admin" if who == "stranger" else who] >= RANK[least.value]), (who, url)
                if is_there:
                    assert client.get(url).status_code == 200
    assert len(RULE_TABS) == 4


def test_pages_of_the_rules_show_a_viewer_nothing_to_press(app: Flask, there: SimpleNamespace) -> None:
    client, _ = log_in(app, "viewer")
    assert "Save" not in client.get("/console/settings?site=news").text
    assert "Reveal" not in client.get(f"/console/comments/{there.comment}").text
    mira, _ = log_in(app, "moderator")
    assert 'value="save"' not in mira.get("/console/automod").text
    assert "Reveal" not in mira.get(f"/console/comments/{there.comment}").text
    assert "Remove" not in mira.get("/console/lists/rude").text
    ada, _ = log_in(app, "admin")
    assert "Reveal" in ada.get(f"/console/comments/{there.comment}").text


def test_role_that_was_taken_away_counts_from_the_next_request(app: Flask, there: SimpleNamespace) -> None:
    client, _ = log_in(app, "admin")
    assert client.get("/console/webhooks").status_code == 200
    with app.app_context(), write() as session:
        session.execute(sa.text("UPDATE roles SET role = 'viewer' WHERE role = 'admin'"))
    assert client.get("/console/webhooks").status_code == 403
    assert db is not None
