"""The demo newspaper: its content is whole, its pages stand, its receiver believes only what is signed."""

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from moderation.app import create_app
from moderation.domain import webhook
from moderation.domain.actor import CLI
from moderation.services import sites
from moderation.settings import Settings
from moderation.web.demo import receiver
from moderation.web.demo.content import ARTICLES, COMMENTS, SITE_KEY
from moderation.web.demo.views import emphasis


def payload(author: str = "Ana", body_html: str = "<p>A &lt;calm&gt; word.</p>") -> bytes:
    """A webhook's body as the service writes it."""
    comment = {"author": {"name": author}, "body_html": body_html}
    return webhook.payload("comment.approved", datetime.now(UTC), {"comment": comment})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder whose demo knows its secret."""
    secret = webhook.new_secret()
    (tmp_path / "demo.json").write_text(json.dumps({"webhook_secret": secret}), encoding="utf-8")
    return tmp_path


def signed(home: Path, body: bytes, message_id: str = "msg_1") -> dict[str, str]:
    """The headers that the service would send."""
    secret = json.loads((home / "demo.json").read_text(encoding="utf-8"))["webhook_secret"]
    return webhook.sign([secret], message_id, datetime.now(UTC), body)


def test_receive_signed_webhook_remembers_who_and_what(home: Path) -> None:
    """The reference library verifies what the service signs; markup becomes plain words."""
    body = payload()
    assert receiver.receive(home, signed(home, body), body)
    arrival = receiver.arrivals(home)[0]
    assert (arrival.type, arrival.verified, arrival.author) == ("comment.approved", True, "Ana")
    assert arrival.excerpt == "A <calm> word."


def test_receive_forged_webhook_keeps_nothing_of_its_content(home: Path) -> None:
    """A body that was changed on the way is shown as not verified, without a word of it."""
    body = payload()
    assert not receiver.receive(home, signed(home, body), body.replace(b"Ana", b"Eve"))
    arrival = receiver.arrivals(home)[0]
    assert (arrival.verified, arrival.author, arrival.excerpt) == (False, "", "")


def test_receive_more_than_the_limit_keeps_the_latest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays small, and numbers go on growing."""
    monkeypatch.setattr(receiver, "LIMIT", 3)
    for _ in range(5):
        receiver.receive(home, {}, b"{}")
    assert [arrival.number for arrival in receiver.arrivals(home)] == [5, 4, 3]
    assert [arrival.number for arrival in receiver.arrivals(home, after=4)] == [5]


def test_read_content_finds_every_parent_before_its_reply() -> None:
    """About forty comments, each under an article that exists, some of them waiting."""
    slugs = {article.slug for article in ARTICLES}
    assert len(COMMENTS) >= 40
    assert sum(comment.decision is None for comment in COMMENTS) >= 12
    for index, comment in enumerate(COMMENTS):
        assert comment.article in slugs
        assert comment.email.endswith("@example.org")
        if comment.parent is not None:
            assert comment.parent < index
            assert COMMENTS[comment.parent].article == comment.article


def test_emphasise_text_escapes_all_else() -> None:
    """Stars become emphasis, markup stays text."""
    assert emphasis("a *b* <c>") == "a <em>b</em> &lt;c&gt;"


@pytest.fixture
def demo(settings: Settings, home: Path) -> Iterator[Flask]:
    """The application with the demo on."""
    app = create_app(dataclasses.replace(settings, demo=True, home=home))
    with app.app_context():
        sites.add_site(app.extensions["moderation"], CLI, SITE_KEY, "Demo")
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_open_demo_pages_answers_and_names_three_other_articles(demo: Flask) -> None:
    """Front page, four articles, webhooks; each article has its thread, its plain form and its "Don't miss"."""
    client = demo.test_client()
    assert client.get("/").status_code == 200
    front = client.get("/demo/").text
    for article in ARTICLES:
        assert f'href="/demo/{article.slug}"' in front
        page = client.get(f"/demo/{article.slug}").text
        assert f'data-thread="{article.slug}"' in page
        assert '/sites/demo/reply"' in page
        assert len(set(re.findall(r'href="/demo/([a-z-]+)"', page)) - {article.slug, "webhooks"}) == 3
    assert client.get("/demo/no-such-article").status_code == 404


def test_post_webhook_to_demo_answers_by_its_signature(demo: Flask, home: Path) -> None:
    """204 for what is signed, 400 for what is not; both are on the page."""
    client, body = demo.test_client(), payload()
    assert client.post("/demo/webhooks/receive", data=body, headers=signed(home, body)).status_code == 204
    assert client.post("/demo/webhooks/receive", data=body).status_code == 400
    shown = client.get("/demo/webhooks/arrivals").get_json()["arrivals"]
    assert [arrival["verified"] for arrival in shown] == [False, True]
    assert "A &lt;calm&gt; word." in client.get("/demo/webhooks").text


def test_open_demo_where_it_is_off_finds_nothing(app: Flask) -> None:
    """Without the setting there is no demo."""
    assert app.test_client().get("/demo/").status_code == 404
