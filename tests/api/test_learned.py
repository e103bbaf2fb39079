"""What decisions taught, by the API: a stream is replayed as a newsroom would, and shown, reset, taught."""

import random
from typing import Any

import pytest

from tests.scoring.test_learned import fine, spell

LEARNED = "/api/v1/sites/news/learned"


def test_decide_a_stream_moves_the_risk_of_what_looks_alike(client: Any, people: Any, submit: Any, decide: Any) -> None:
    dice = random.Random(3)
    for _ in range(60):
        is_spam = dice.random() < 0.5
        comment = submit(spell(dice) if is_spam else fine(dice))["id"]
        assert decide(comment, "spam" if is_spam else "approve").status_code == 200
    new = submit("No more tears: my husband came home by a spell that the healer of Askar cast.")["id"]
    whole = client.get(f"/api/v1/comments/{new}", headers=people.bearer("viewer")).get_json()
    assert whole["risk"] >= 0.5
    assert whole["scores"]["spam"] >= 0.5
    shown = client.get(LEARNED, headers=people.bearer("viewer")).get_json()
    assert (shown["site"], shown["model"], shown["ready"], shown["usable"]) == ("news", "learned-60", True, True)
    assert shown["latest"][0] == shown["latest"][1]
    assert shown["latest"][0]["decisions"] == 60
    stats = client.get("/api/v1/stats?site=news", headers=people.bearer("viewer")).get_json()
    assert stats["learned"] == {name: shown[name] for name in stats["learned"]}
    assert client.get("/api/v1/stats", headers=people.bearer("root")).get_json()["learned"] is None


def test_teach_and_reset_by_the_api_leave_lines(client: Any, people: Any) -> None:
    taught = client.post(
        f"{LEARNED}/teach", json={"text": "Seven herbs.", "label": "spam"}, headers=people.bearer("moderator")
    )
    assert taught.get_json()["decisions"] == 1
    answer = client.post(f"{LEARNED}/reset", json={"reason": "New rules."}, headers=people.bearer("admin"))
    assert answer.get_json()["decisions"] == 0
    lines = client.get("/api/v1/audit?site=news", headers=people.bearer("moderator")).get_json()["items"]
    assert [line["action"] for line in lines[:2]] == ["learned.reset", "learned.teach"]
    assert "herbs" not in str(lines)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("teach", {"text": "x"}, "label"),
        ("teach", {"text": "x", "label": "ham"}, "label"),
        ("teach", {"text": "  ", "label": "fine"}, "text"),
        ("teach", {"text": "x" * 20_001, "label": "fine"}, "text"),
        ("teach", {"text": "x" * 10_001, "label": "fine"}, "text"),
        ("reset", {}, "reason"),
        ("reset", {"reason": " "}, "reason"),
        ("reset", {"reason": "x" * 201}, "reason"),
    ],
)
def test_send_what_does_not_fit_names_the_field(client: Any, people: Any, path: str, body: Any, field: str) -> None:
    answer = client.post(f"{LEARNED}/{path}", json=body, headers=people.bearer("admin"))
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == [field]


def test_export_by_the_api_is_what_the_command_imports(client: Any, people: Any, submit: Any, decide: Any) -> None:
    from moderation.scoring import learned

    decide(submit()["id"], "approve")
    exported = client.get(f"{LEARNED}/export", headers=people.bearer("admin")).get_json()
    assert learned.from_json(exported).taught == 1
