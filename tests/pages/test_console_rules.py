"""The console's page of rules: tried on a text and on decided comments, added and removed by admins alone."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import sites
from tests.pages.test_console_pages import add_person, log_in, token_in

PATH = "/console/rules"


@pytest.fixture
def admin(app: Flask, people: Any) -> FlaskClient:
    """The browser of ada, admin of the site."""
    add_person(app, "ada", "admin", "news")
    return log_in(app, "ada")[0]


def send(client: FlaskClient, do: str, **fields: str) -> Any:
    """Press a button of the page's form."""
    token = token_in(client.get(PATH).text)
    return client.post(PATH, data={"csrf_token": token, "site": "news", "do": do, "last": "1000", **fields})


def test_try_rule_on_a_disguised_text_marks_what_it_found_and_stores_nothing(admin: FlaskClient) -> None:
    page = send(
        admin, "test", kind="word", value="casino", action="hold", text="Come to our c a s i n o <b>now</b>"
    ).text
    assert "The site&#39;s word &#34;casino&#34;." in page
    assert "<mark>c a s i n o</mark>" in page
    assert "<b>now</b>" not in page
    assert "would wait for a person" in page
    assert "None yet." in page


def test_try_text_without_a_rule_asks_the_rules_that_are_there(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        sites.add_rule(app.extensions["moderation"], CLI, "news", "word", "ferry", "hold")
    page = send(admin, "test", text="The ferry again.").text
    assert "What the rules say of the text" in page
    assert "<mark>ferry</mark>" in page


def test_backtest_rule_says_how_many_it_would_have_held_and_how_many_were_approved(
    admin: FlaskClient, submit: Any, decide: Any
) -> None:
    for body, action in (
        ("A casino in town?", "approve"),
        ("Casino bonus here", "spam"),
        ("The night ferry", "approve"),
    ):
        decide(submit(body)["id"], action)
    page = send(admin, "backtest", kind="word", value="casino", action="hold").text
    assert "Would have held 2 of the last 3 decided comments; 1 of them was approved." in page
    assert page.count("/console/comments/") >= 2


def test_add_and_remove_rule_by_an_admin(admin: FlaskClient) -> None:
    made = send(
        admin, "add", kind="word", value='"><script>alert(1)</script>', action="score", weight="0.3", language="de"
    )
    assert made.status_code == 303
    page = admin.get(made.location).text
    assert "The rule was added" in page
    assert "<script>alert" not in page
    assert "word (de)" in page
    removing = page.split('action="/console/rules/')[1].split('"')[0]
    done = admin.post(f"/console/rules/{removing}", data={"csrf_token": token_in(page), "site": "news"})
    assert "The rule was removed." in admin.get(done.location).text
    assert "None yet." in admin.get(PATH).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "pattern", "value": "(?=a)"}, "Look-ahead"),
        ({"kind": "word", "value": "x", "weight": "much"}, "a number from -1 to 1"),
        ({"kind": "word", "value": "x", "weight": "nan"}, "weight"),
        ({"kind": "word", "value": "x", "language": "x1"}, "ISO 639-1"),
        ({"kind": "nothing", "value": "x"}, "It is one of"),
        ({"kind": "word", "value": "casino", "last": "0"}, "1 to 5,000"),
        ({"kind": "word", "value": "casino", "last": "many"}, "1 to 5,000"),
        ({"kind": "word", "value": " "}, "empty"),
    ],
)
def test_backtest_wrong_field_is_said_beside_it_and_the_form_keeps_what_was_typed(
    admin: FlaskClient, fields: dict[str, str], said: str
) -> None:
    answer = send(admin, "backtest", text="What I typed", **fields)
    assert answer.status_code == 200
    assert said in answer.text
    assert "What I typed" in answer.text
    assert 'role="alert"' in answer.text


def test_add_rule_by_a_moderator_is_refused_and_not_offered(app: Flask, people: Any) -> None:
    add_person(app, "mira", "moderator", "news")
    client, _ = log_in(app, "mira")
    assert "Add the rule" not in client.get(PATH).text
    refused = send(client, "add", kind="word", value="casino", action="hold")
    assert "needs the role admin" in client.get(refused.location).text
    assert "None yet." in client.get(PATH).text
    assert (
        "would be" in send(client, "test", text="Hello.").text
        or "would wait" in send(client, "test", text="Hello.").text
    )


@pytest.mark.parametrize(("name", "role", "site"), [("vera", "viewer", "news"), ("otto", "admin", "other")])
def test_open_rules_by_others_is_refused_as_if_the_site_were_not_there(
    app: Flask, people: Any, name: str, role: str, site: str
) -> None:
    add_person(app, name, role, site)
    client, _ = log_in(app, name)
    assert client.get(f"{PATH}?site=news").status_code in {403, 404}


def test_post_without_the_forms_token_is_refused(admin: FlaskClient) -> None:
    assert admin.post(PATH, data={"site": "news", "do": "add", "kind": "word", "value": "casino"}).status_code == 403
    assert "None yet." in admin.get(PATH).text
