"""The console's page of what decisions taught: for everybody of the site to see, for admins to reset."""

import random
from typing import Any

from flask import Flask

from moderation.domain.actor import CLI
from moderation.services import learning
from tests.pages.test_console_pages import add_person, log_in, token_in
from tests.scoring.test_learned import fine, spell
from tests.services.test_learning import decided


def fill(app: Flask) -> None:
    parts = app.extensions["moderation"]
    dice = random.Random(3)
    with app.app_context():
        for _ in range(15):
            decided(parts, spell(dice), "spam")
            decided(parts, fine(dice), "approve")
        for number in range(9):
            decided(parts, f"<script>alert({number})</script> jollyword", "spam")


def test_open_learned_shows_figures_and_words(app: Flask, people: Any) -> None:
    fill(app)
    add_person(app, "vera", "viewer", "news")
    client, _ = log_in(app, "vera")
    page = client.get("/console/learned").text
    assert "39 decisions learned" in page
    assert "the last 39" in page
    assert "jollyword" in page
    assert "<script>alert" not in page
    assert "Forget what was learned" not in page
    assert "style=" not in page
    assert 'href="/console/learned"' in client.get("/console/").text


def test_reset_by_an_admin_with_a_reason_forgets(app: Flask, people: Any) -> None:
    fill(app)
    add_person(app, "ada", "admin", "news")
    client, _ = log_in(app, "ada")
    token = token_in(client.get("/console/learned?site=news").text)
    refused = client.post("/console/learned/reset", data={"csrf_token": token, "site": "news", "reason": " "})
    assert "give a reason" in client.get(refused.location).text
    done = client.post("/console/learned/reset", data={"csrf_token": token, "site": "news", "reason": "New rules."})
    assert done.location == "/console/learned?site=news&told=reset"
    page = client.get(done.location).text
    assert "0 decisions learned" in page
    assert "learns anew" in page


def test_reset_by_others_is_refused(app: Flask, people: Any) -> None:
    fill(app)
    for name, role, site in (("mira", "moderator", "news"), ("otto", "admin", "other")):
        add_person(app, name, role, site)
        client, _ = log_in(app, name)
        token = token_in(client.get("/console/learned").text)
        client.post("/console/learned/reset", data={"csrf_token": token, "site": "news", "reason": "Because."})
        assert client.post("/console/learned/reset", data={"site": "news", "reason": "x"}).status_code == 403
    with app.app_context():
        assert learning.show(app.extensions["moderation"], CLI, "news")["decisions"] == 39


def test_open_learned_of_a_foreign_site_is_not_there(app: Flask, people: Any) -> None:
    add_person(app, "otto", "admin", "other")
    client, _ = log_in(app, "otto")
    assert client.get("/console/learned?site=news").status_code == 404
    assert client.get("/console/learned?site=nowhere").status_code == 404
    assert client.get("/console/learned?site=%00").status_code in {400, 404, 422}
    assert client.get("/console/learned").status_code == 200
