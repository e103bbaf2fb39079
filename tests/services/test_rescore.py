"""Stored comments judged again: the same version changes nothing, another is compared, and no state ever moves."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.domain.policy import Signal
from moderation.errors import Conflict, Forbidden, Invalid, NotFound
from moderation.scoring.pipeline import SIGNALS, Pipeline
from moderation.services import moderate, rescore, sites
from moderation.services import submit as submitting
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage import audit
from moderation.storage.db import read, write
from moderation.storage.models import AuditLine, Comment, Fingerprint, SignalRow

CLIENT = Client("203.0.113.7", "Mozilla/5.0")
TEXTS = (
    "A calm and useful remark.",
    "You are a stupid idiot and nobody likes you.",
    "What the hell is this shit, g0d help us \U0001f525\U0001f525 damn",
    "FREE MONEY!!! https://bit.ly/x http://192.0.2.1/win https://a.example https://b.example https://c.example",
    "Мы не знаем, что будет завтра, и это хорошо.",
    "The casino is open, says casino.example",
    "Come and see my new cooking channel, with a prize for every subscriber",
    "Come and see my new gardening channel, with a prize for every subscriber",
    "Thanks!",
    "Thanks!",
    "x",
    "I will kill you all. " * 40,
)


def post(parts: Parts, body: str, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"filled_in_ms": 60_000, "honeypot": "", "url": None, "token": None, **changes}
    sent = Submission("a", None, None, None, "Ana", "ana@example.org", body=body, **values)
    return submit_comment(parts, "news", sent, CLIENT)


@pytest.fixture
def stored(parts: Parts, people: Any) -> list[uuid.UUID]:
    """Comments of every kind of signal: rules, links, repeats, behaviour, the author's record, none at all."""
    for kind, value, action in (
        ("word", "casino", "score"),
        ("pattern", "prize for every [a-z]+", "hold"),
        ("domain", "a.example", "spam"),
        ("author", "Ana", "hold"),
        ("network", "203.0.113.0/24", "score"),
        ("allow", "god", "score"),
    ):
        sites.add_rule(parts, CLI, "news", kind, value, action, 0.3)
    made = [post(parts, body) for body in TEXTS]
    made.append(post(parts, "Sent by a machine.", filled_in_ms=200, honeypot="x", url="http://192.0.2.9/"))
    moderate.decide(parts, CLI, made[0]["id"], "approve")
    moderate.decide(parts, CLI, made[6]["id"], "spam")
    made.append(post(parts, "Proven, and with a record. Damn.", token=made[0]["author_token"], filled_in_ms=None))
    made.append(post(parts, TEXTS[6].upper()))
    submitting.edit_comment(
        parts, "news", made[1]["id"], made[1]["edit_token"], "You are all fools \U0001f600 fools", CLIENT
    )
    submitting.delete_comment(parts, "news", made[10]["id"], made[10]["edit_token"])
    return [one["id"] for one in made]


def everything() -> dict[str, list[Any]]:
    """Each row that rescoring could touch, whole."""
    with read() as session:
        rows = session.execute(sa.select(Comment.__table__).order_by(Comment.id)).all()
        signals = session.execute(sa.select(SignalRow.__table__).order_by(SignalRow.comment_id, SignalRow.name)).all()
    return {"comments": [row._asdict() for row in rows], "signals": [row._asdict() for row in signals]}


def other_version(parts: Parts, shift: float = 0.3) -> Parts:
    """The same service with a scorer of another version: its word list weighs more, and is never unavailable."""

    def heavier(case: Any) -> Signal:
        signal = by_name["profanity"].judge(case)
        scores = {"obscene": min(1.0, signal.scores["obscene"] + shift)}
        return replace(signal, weight=min(1.0, signal.weight + shift) if signal.weight else 0.0, scores=scores)

    class Other(Pipeline):
        @property
        def version(self) -> str:
            return "other-1"

    by_name = {step.name: step for step in SIGNALS}
    steps = [step._replace(judge=heavier) if step.name == "profanity" else step for step in SIGNALS]
    return replace(parts, pipeline=Other(steps))


def test_rescore_by_the_same_version_gives_the_same_figures(parts: Parts, stored: list[uuid.UUID]) -> None:
    before = everything()
    kinds = {row["name"] for row in before["signals"]}
    assert kinds >= {"profanity", "site_words", "site_patterns", "site_domains", "attributes", "links", "repeats"}
    assert kinds >= {"honeypot", "filled_too_fast", "burst", "site_authors", "site_networks", "record"}
    report = rescore.rescore(parts, CLI, "news", apply=True)
    assert report["compared"] == report["same"] == len(stored) - 1
    assert report["scored_by"] == {parts.pipeline.version: len(stored) - 1}
    assert report["largest"] == []
    assert all(row["before"] == row["after"] for row in report["policy"])
    assert report["applied"] == {"stored": len(stored) - 1, "passed_over": 0}
    after = everything()
    assert after["comments"] == before["comments"]
    assert after["signals"] == before["signals"]


def test_rescore_by_another_version_says_what_differs_and_stores_nothing(parts: Parts, stored: list[uuid.UUID]) -> None:
    before = everything()
    report = rescore.rescore(other_version(parts, shift=0.6), CLI, "news", largest=3)
    assert report["scorer"] == "other-1"
    assert report["attributes"]["obscene"]["mean_difference"] > 0
    assert report["attributes"]["insult"]["mean_difference"] == 0
    assert report["attributes"]["obscene"]["up"] > 0
    assert report["attributes"]["obscene"]["down"] == 0
    assert 0 < len(report["largest"]) <= 3
    changes = [line["change"] for line in report["largest"]]
    assert changes == sorted(changes, reverse=True)
    assert report["applied"] is None
    assert everything() == before


def test_rescore_applied_changes_figures_and_never_a_state(parts: Parts, stored: list[uuid.UUID]) -> None:
    before = {row["id"]: row for row in everything()["comments"]}
    report = rescore.rescore(other_version(parts), CLI, "*", apply=True)
    rows = everything()
    after = {row["id"]: row for row in rows["comments"]}
    figures = {"risk", "scores", "reasons", "scorer_version"}
    for comment_id, row in after.items():
        assert {k: v for k, v in row.items() if k not in figures} == {
            k: v for k, v in before[comment_id].items() if k not in figures
        }
    changed = next(line for line in report["largest"] if line["risk"][0] != line["risk"][1])
    assert [row[changed["id"]]["risk"] for row in (before, after)] == changed["risk"]
    assert after[changed["id"]]["scores"]["obscene"] > before[changed["id"]]["scores"]["obscene"]
    assert moderate.show_comment(parts, CLI, changed["id"])["scored_by"] == "other-1"
    with read() as session:
        lines = session.scalars(sa.select(AuditLine).where(AuditLine.action == "comments.rescore")).all()
        assert not audit.verify(session, parts.vault.audit_key)
    assert [line.data for line in lines] == [{"comments": len(stored) - 1, "scorer": "other-1"}]
    again = rescore.rescore(other_version(parts), CLI, "news")
    assert again["same"] == again["compared"]
    back = rescore.rescore(parts, CLI, "news", apply=True)
    assert back["scored_by"] == {"other-1": len(stored) - 1}
    assert {row["id"]: row["risk"] for row in everything()["comments"]} == {k: v["risk"] for k, v in before.items()}


def test_rescore_says_how_often_the_risk_agrees_with_people(parts: Parts, people: Any) -> None:
    ids = [post(parts, "damn shit, " * 3)["id"], post(parts, "A calm remark.")["id"], post(parts, "Another one.")["id"]]
    moderate.decide(parts, CLI, ids[0], "reject")
    moderate.decide(parts, CLI, ids[1], "approve")
    for number in (1, 2):
        undone = moderate.decide(parts, CLI, ids[2], "spam")
        assert number
        moderate.undo(parts, CLI, undone["decision_id"])
    before = moderate.show_comment(parts, CLI, ids[0])["risk"]
    report = rescore.rescore(other_version(parts, shift=0.9 - before), CLI, "news")
    assert report["decided"]["comments"] == 2
    assert report["decided"]["agreement_after"] == 1
    assert report["decided"]["agreement_before"] == (0.5 if before < 0.5 else 1)


def test_rescore_leaves_out_what_the_policy_decided(parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"policy": "auto"})
    made = post(parts, "A calm remark about the ferry.")
    assert made["state"] == "approved"
    report = rescore.rescore(other_version(parts), CLI, "news")
    assert report["compared"] == 1
    assert report["decided"]["comments"] == 0


def test_rescore_of_some_takes_the_newest_in_that_state(parts: Parts, stored: list[uuid.UUID]) -> None:
    assert rescore.rescore(parts, CLI, "news", last=3)["compared"] == 3
    assert rescore.count(CLI, "news", last=3) == 3
    assert rescore.rescore(parts, CLI, "news", state="spam")["compared"] == 1
    assert rescore.rescore(parts, CLI, "other")["compared"] == 0
    assert rescore.count(CLI, "*") == len(stored) - 1


def test_rescore_in_batches_covers_each_once(
    parts: Parts, stored: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescore, "BATCH", 4)
    seen: list[int] = []
    assert rescore.rescore(parts, CLI, "news", progress=seen.append)["compared"] == sum(seen) == len(stored) - 1
    assert rescore.rescore(parts, CLI, "news", last=6)["compared"] == 6


def test_rescore_passes_over_what_was_edited_or_decided_meanwhile(parts: Parts, stored: list[uuid.UUID]) -> None:
    other = other_version(parts)
    compared: list[Any] = []
    for rows in rescore._newest(rescore._which(CLI, "news", None), None):
        compared += rescore._compare(other, rows)
    victim = post(parts, "damn")
    moderate.decide(parts, CLI, stored[2], "reject")
    assert rescore._store(other, CLI, compared) == len(compared) - 1
    assert moderate.show_comment(parts, CLI, stored[2])["scored_by"] == parts.pipeline.version
    assert moderate.show_comment(parts, CLI, victim["id"])["scored_by"] == parts.pipeline.version


def test_rescore_while_moderators_decide_loses_neither(app: Any, parts: Parts, people: Any) -> None:
    ids = [post(parts, f"damn, number {number}")["id"] for number in range(30)]
    other = other_version(parts)

    def work(which: int) -> None:
        with app.app_context():
            if which:
                rescore.rescore(other, CLI, "news", apply=True)
            else:
                moderate.decide_many(parts, CLI, list(reversed(ids)), "spam")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, (1, 0, 1)))
    rows = everything()["comments"]
    assert {row["state"] for row in rows} == {"spam"}
    final = rescore.rescore(other, CLI, "news", apply=True)
    assert final["applied"] == {"stored": 30, "passed_over": 0}


def test_rescore_without_right_or_with_nonsense_is_refused(parts: Parts, people: Any) -> None:
    stranger = Actor("moderator", "far", "Far", {people.other_id: Role.ADMIN})
    moderator = Actor("moderator", "one", "One", {people.site_id: Role.MODERATOR})
    for site in ("news", "nowhere"):
        with pytest.raises(NotFound):
            rescore.rescore(parts, stranger, site)
    for actor, site in ((moderator, "news"), (stranger, "*")):
        with pytest.raises(Forbidden):
            rescore.rescore(parts, actor, site)
        with pytest.raises(Forbidden):
            rescore.regroup(parts, actor, site)
    for wrong in ({"last": 0}, {"state": "deleted"}, {"state": "nonsense"}, {"largest": -1}):
        with pytest.raises(Invalid):
            rescore.rescore(parts, CLI, "news", **wrong)


def test_rescore_without_a_model_stores_nothing(parts: Parts, stored: list[uuid.UUID]) -> None:
    broken = other_version(parts)
    broken.pipeline._model = None
    before = everything()
    assert rescore.rescore(broken, CLI, "news")["attributes"]["insult"]["lost"] > 0
    with pytest.raises(Conflict):
        rescore.rescore(broken, CLI, "news", apply=True)
    assert everything() == before


def test_regroup_makes_the_same_groups_again(parts: Parts, stored: list[uuid.UUID]) -> None:
    before = {row["id"]: (row["exact"], row["sketch"], row["alike_key"]) for row in everything()["comments"]}
    with read() as session:
        bands = set(session.execute(sa.select(Fingerprint.band, Fingerprint.comment_id)))
    answer = rescore.regroup(parts, CLI, "news")
    assert answer["comments"] == len(stored) - 1
    assert {row["id"]: (row["exact"], row["sketch"], row["alike_key"]) for row in everything()["comments"]} == before
    with read() as session:
        assert set(session.execute(sa.select(Fingerprint.band, Fingerprint.comment_id))) == bands


def test_regroup_after_an_update_finds_groups_that_had_none(
    parts: Parts, stored: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    with write() as session:
        session.execute(sa.update(Comment).values(alike_key=None, sketch=None, exact=b"old"))
        session.execute(sa.delete(Fingerprint))
    monkeypatch.setattr(rescore, "BATCH", 5)
    assert moderate.show_comment(parts, CLI, stored[7])["alike"] == {
        "count": 0,
        "by_state": dict.fromkeys(("pending", "approved", "rejected", "spam", "trashed", "escalated"), 0),
        "group": None,
    }
    rescore.regroup(parts, CLI, "*")
    assert moderate.show_comment(parts, CLI, stored[7])["alike"]["count"] == 2
    assert moderate.show_comment(parts, CLI, stored[8])["alike"]["count"] == 1
