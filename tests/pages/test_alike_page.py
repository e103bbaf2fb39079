"""The page of comments that are alike: what it says, what its button does, and what it leaves alone."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from moderation.web import console
from tests.pages.test_console_pages import add_person, log_in, token_in

SPAM = "Come and see my new cooking channel, with a prize for every subscriber"


@pytest.fixture
def staffed(app: Flask, people: Any) -> Flask:
    """The site with a moderator, mira."""
    add_person(app, "mira", "moderator", "news")
    return app


@pytest.fixture
def campaign(submit: Callable[..., Any], decide: Callable[..., Any]) -> list[str]:
    """Four alike comments in four threads, the last of which was marked as spam, and one that is not like them."""
    submit("The council voted on Tuesday to keep the night ferry.")
    ids = [submit(f"{SPAM} {name}!", thread={"key": name})["id"] for name in ("Ana", "Bert", "Cleo", "Dan")]
    decide(ids[-1], "spam")
    return ids


def alike_url(comment_id: str) -> str:
    return f"/console/comments/{comment_id}/alike"


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the form that decides on all."""
    form = re.search(r'<form class="decide"[^>]*/alike/decisions">(.*?)</form>', page, re.DOTALL)
    assert form is not None
    return {
        name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[1])
    }


def test_look_at_the_queue_says_how_many_are_alike_and_leads_there(staffed: Flask, campaign: list[str]) -> None:
    client, _ = log_in(staffed, "mira")
    for page in (client.get("/console/").text, client.get(f"/console/comments/{campaign[0]}").text):
        assert "3 alike, 1 of them spam, 2 waiting" in page
        assert f'href="{alike_url(campaign[0])}"' in page
    page = client.get(alike_url(campaign[0])).text
    assert page.count('class="card"') == 4
    assert "Spam: the 3 that wait" in page
    assert "night ferry" not in page
    assert "<script>" not in page
    assert "style=" not in page


def test_decide_on_all_by_the_form_tells_how_many(
    staffed: Flask, campaign: list[str], submit: Callable[..., Any], decide_state: Callable[[str], str], clock: Any
) -> None:
    client, _ = log_in(staffed, "mira")
    page = client.get(alike_url(campaign[0])).text
    clock.move(seconds=1)
    late = submit(f"{SPAM} and Eve!", thread={"key": "late"})["id"]
    answer = client.post(
        f"{alike_url(campaign[0])}/decisions", data={**form_of(page), "action": "spam", "reason": "advertising"}
    )
    assert answer.status_code == 303
    told = client.get(answer.location).text
    assert "3 comments: marked as spam. 1 still wait" in told
    assert [decide_state(one) for one in (*campaign, late)] == ["spam"] * 4 + ["pending"]


def test_decide_on_all_without_token_time_or_right_changes_nothing(
    staffed: Flask, campaign: list[str], decide_state: Callable[[str], str]
) -> None:
    add_person(staffed, "vera", "viewer", "news")
    add_person(staffed, "otto", "admin", "other")
    client, _ = log_in(staffed, "mira")
    form = form_of(client.get(alike_url(campaign[0])).text)
    url = f"{alike_url(campaign[0])}/decisions"
    assert client.post(url, data={**form, "csrf_token": "", "action": "spam"}).status_code in {400, 403}
    for wrong in (
        {"until": ""},
        {"until": "yesterday"},
        {"until": "2025-01-01T00:00:00"},
        {"until": "0001-01-01T00:00:00+23:59"},
        {"action": "nonsense"},
    ):
        answer = client.post(url, data={"action": "spam", **form, **wrong})
        assert "failed=422" in answer.location
    for name, status in (("vera", "403"), ("otto", "404")):
        other, _ = log_in(staffed, name)
        data = {**form, "csrf_token": token_in(other.get("/console/").text), "action": "spam"}
        assert f"failed={status}" in other.post(url, data=data).location
    viewer, _ = log_in(staffed, "vera")
    assert "that wait</button>" not in viewer.get(alike_url(campaign[0])).text
    stranger, _ = log_in(staffed, "otto")
    assert stranger.get(alike_url(campaign[0])).status_code == 404
    assert [decide_state(one) for one in campaign[:3]] == ["pending"] * 3


def test_look_at_more_than_a_page_leads_on_and_back(
    staffed: Flask, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.web.console.PAGE_SIZE", 2)
    ids = [submit(f"{SPAM} {n}!", thread={"key": str(n)})["id"] for n in range(4)]
    client, _ = log_in(staffed, "mira")
    first = client.get(alike_url(ids[0])).text
    following = re.search(r'href="([^"]+)" rel="next"', first)
    assert following is not None
    second = client.get(html.unescape(following[1])).text
    assert (first.count('class="card"'), second.count('class="card"')) == (3, 2)
    assert "Back to the start" in second
    assert client.get(f"{alike_url(ids[0])}?cursor=nonsense").status_code == 422


def test_look_at_hostile_comments_escapes_every_field(staffed: Flask, submit: Callable[..., Any]) -> None:
    hostile = '"><img src=x onerror=alert(1)> and more of it <script>alert(2)</script>'
    author = {"name": "<b>Eve</b>", "email": None, "url": None}
    first = submit(hostile, author=author)["id"]
    submit(f"{hostile} again", author=author, thread={"key": "<i>", "title": "<u>x</u>"})
    client, _ = log_in(staffed, "mira")
    page = client.get(alike_url(first)).text
    assert page.count('class="card"') == 2
    for live in ("<img src=x", "<script>alert", "<b>Eve", "<i>", "<u>"):
        assert live not in page
    assert client.get(f"{alike_url(first)}?did=spam&all=<b>&left=-3").status_code == 200


@pytest.fixture
def decide_state(client: Any, people: Any) -> Callable[[str], str]:
    """The state of a comment."""

    def state(comment_id: str) -> str:
        answer = client.get(f"/api/v1/comments/{comment_id}", headers=people.bearer("root"))
        return str(answer.get_json()["state"])

    return state


def test_approve_all_is_offered_only_where_all_of_them_are_on_the_page(
    staffed: Flask, campaign: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = log_in(staffed, "mira")
    assert "Approve: the 3 that wait" in client.get(alike_url(campaign[0])).text
    monkeypatch.setattr(console, "PAGE_SIZE", 2)
    page = client.get(alike_url(campaign[0])).text
    assert "Spam: the 3 that wait" in page
    assert "Approve: the" not in page
    behind = re.search(r'<a class="button" href="([^"]+)" rel="next"', page)
    assert behind is not None
    assert "Approve: the" not in client.get(html.unescape(behind[1])).text
