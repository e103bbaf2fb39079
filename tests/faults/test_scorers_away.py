"""A scorer that raises, says nonsense or cannot be loaded: the comment is held, and the moderator sees why."""

import dataclasses
import html
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from moderation.adapters.sanitizer import Renderer
from moderation.app import create_app
from moderation.domain.policy import Signal
from moderation.scoring import attributes
from moderation.scoring.pipeline import SIGNALS, Case, Pipeline, Step
from tests.conftest import dispose, make_settings, submission_json
from tests.faults.conftest import COMMENTS, PAGE, Site, make_site

CALM = iter(
    (
        "Thank you, that is a fair point and well put.",
        "The new lamps at the harbour are a fine idea.",
        "My grandmother took this train every Sunday.",
        "Could somebody explain how the vote was counted?",
        "The bakery on the corner opens at seven now.",
        "I read the report twice, and page nine is worth it.",
        "We walked along the river after the concert.",
        "Snow in April is not so rare up here.",
        "The library has two copies of that book.",
        "A calm answer to a long question, well done.",
    )
)
"""Remarks that have nothing in common, so that nothing but the fault is noticed."""

ADDRESSES = (f"203.0.{number}.7" for number in range(1, 100))


def raising(_case: Case) -> Signal:
    raise MemoryError


BROKEN: dict[str, Callable[[Case], Signal]] = {
    "raises": raising,
    "a score that is no number": lambda _case: Signal("attributes", 0.1, scores={"toxicity": math.nan}),
    "a weight that is no number": lambda _case: Signal("attributes", math.nan),
    "an endless weight": lambda _case: Signal("attributes", -math.inf),
    "a score below zero": lambda _case: Signal("attributes", 0.1, scores={"toxicity": -5.0}),
    "says it was not able to": lambda _case: Signal("attributes", available=False),
}


@pytest.fixture(scope="module")
def auto_site(sqlite_template: Path, sqlite_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that publishes what nothing speaks against."""
    folder = tmp_path_factory.mktemp("scorers")
    shutil.copy(sqlite_template, folder / "moderation.db")
    settings = make_settings(folder, f"sqlite:///{folder / 'moderation.db'}")
    app = create_app(settings, pipeline=sqlite_app.extensions["moderation"].pipeline)
    yield make_site(app, policy="auto")
    dispose(app)


@pytest.fixture
def judged_by(auto_site: Site) -> Iterator[Callable[[Pipeline], None]]:
    """Have the site's comments judged by another pipeline."""
    before = auto_site.app.extensions["moderation"]

    def use(pipeline: Pipeline) -> None:
        auto_site.app.extensions["moderation"] = dataclasses.replace(before, pipeline=pipeline)

    yield use
    auto_site.app.extensions["moderation"] = before


def post(site: Site, text: str) -> Any:
    """Send a comment from somewhere else each time."""
    return site.client.post(COMMENTS, json=submission_json(text), environ_base={"REMOTE_ADDR": next(ADDRESSES)})


def assert_held_and_said(site: Site) -> None:
    """What came in waits, also for readers, and both ways to look at it say which scorer could not judge."""
    sent = post(site, next(CALM))
    assert (sent.status_code, sent.get_json()["state"]) == (202, "pending")
    comment_id = sent.get_json()["id"]
    assert not site.is_public(comment_id)
    shown = site.client.get(f"/api/v1/comments/{comment_id}", headers=site.people.bearer("moderator")).get_json()
    assert [(one["name"], one["available"]) for one in shown["signals"]] == [("attributes", False)]
    for path in ("/console/?sort=newest", f"/console/comments/{comment_id}"):
        page = html.unescape(site.browser.get(path, headers=PAGE).text)
        assert "“attributes” was not available, so a person decides." in page


@pytest.mark.parametrize("fault", BROKEN)
def test_comment_whose_scorer_is_broken_is_held_and_the_moderator_sees_why(
    auto_site: Site, judged_by: Callable[[Pipeline], None], fault: str
) -> None:
    judged_by(Pipeline([Step(one.name, BROKEN[fault], "") if one.name == "attributes" else one for one in SIGNALS]))
    assert_held_and_said(auto_site)


@pytest.mark.parametrize("fault", ["missing", "changed"])
def test_comment_is_held_where_the_file_of_the_model_is_missing_or_not_the_one_of_its_checksum(
    auto_site: Site, judged_by: Callable[[Pipeline], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    folder = Path(shutil.copytree(attributes.FOLDER, tmp_path / "model"))
    file = folder / "attributes.npz"
    if fault == "missing":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    load = attributes.load
    monkeypatch.setattr(attributes, "load", lambda: load(folder))
    attributes.shipped.cache_clear()
    try:
        pipeline = Pipeline()
    finally:
        attributes.shipped.cache_clear()
    assert pipeline.version.endswith("no-model")
    judged_by(pipeline)
    assert_held_and_said(auto_site)


def test_same_comment_is_published_where_no_scorer_is_broken(auto_site: Site) -> None:
    """So that what the others show is the fault's doing."""
    assert post(auto_site, next(CALM)).get_json()["state"] == "approved"


def test_sanitizer_that_raises_publishes_and_stores_nothing(auto_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site, text = auto_site, next(CALM)

    def broken(*_: object) -> str:
        raise RecursionError(text)

    with monkeypatch.context() as patch:
        patch.setattr(Renderer, "html", broken)
        answers = [
            post(site, text),
            site.client.post("/api/v1/sites/news/preview", json={"body": text}),
            site.client.post("/sites/news/reply", data={"thread": "t", "author": "Ana", "comment": text}),
        ]
        assert [answer.status_code for answer in answers] == [500, 500, 500]
        assert not any(text in answer.text for answer in answers)
    assert text not in site.client.get(f"{COMMENTS}?thread=2025/07/arms-pause").text
    queue = "/api/v1/queue?site=news&claimed=any"
    waiting = site.client.get(queue, headers=site.people.bearer("moderator")).get_json()["items"]
    assert text not in str(waiting)
    assert post(site, text).get_json()["state"] == "approved"
