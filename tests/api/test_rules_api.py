"""Rules by the API: lists of words, rules in YAML, trying and back-testing; another site's things are not there."""

import random
from typing import Any

import pytest

API = "/api/v1"


@pytest.fixture
def call(client: Any, people: Any) -> Any:
    """Send JSON as somebody; the answer has to have the status."""

    def send(method: str, path: str, body: Any = None, who: str = "admin", status: int = 200) -> Any:
        answer = client.open(f"{API}{path}", method=method, json=body, headers=people.bearer(who))
        assert answer.status_code == status, answer.text
        return answer.get_json() if answer.data else None

    return send


def test_word_list_is_put_listed_shown_used_and_removed(call: Any) -> None:
    body = {"text": "casino\n# no\nfree money\t0.2\na*b", "action": "hold", "language": "en", "weight": 0.4}
    made = call("PUT", "/sites/news/word-lists/rude", body)
    assert {key: made[key] for key in ("name", "site", "action", "weight", "language", "match", "part", "size")} == {
        "name": "rude", "site": "news", "action": "hold", "weight": 0.4, "language": "en", "match": "folded",
        "part": False, "size": 2,
    }  # fmt: skip
    assert (made["refused_count"], made["refused"][0]["line"]) == (1, 4)
    assert [one["name"] for one in call("GET", "/sites/news/word-lists", who="moderator")["items"]] == ["rude"]
    assert call("GET", "/sites/news/word-lists/rude")["text"] == "casino\nfree money\t0.2"
    said = call("POST", "/rules/test", {"site": "news", "text": "Free money!"}, "moderator")
    assert [(one["name"], one["weight"], one["forces"]) for one in said["signals"]] == [("site_words", 0.2, "hold")]
    assert said["decision"]["state"] == "pending"
    call("DELETE", "/sites/news/word-lists/rude", status=204)
    call("GET", "/sites/news/word-lists/rude", status=404)
    assert call("POST", "/rules/test", {"site": "news", "text": "Free money!"})["signals"] == []


def test_word_list_larger_than_other_bodies_is_taken(call: Any) -> None:
    letters = random.Random(5)
    words = {"".join(letters.choices("abcdefghijklmnop", k=10)) for _ in range(20_000)}
    made = call("PUT", "/sites/news/word-lists/big", {"text": "\n".join(words)})
    assert made["size"] == len(words)


def test_rules_have_language_match_and_part_and_old_calls_go_on(call: Any) -> None:
    old = call("POST", "/rules", {"site": "news", "kind": "word", "value": "casino"}, status=201)
    assert (old["language"], old["match"], old["part"]) == (None, "folded", False)
    new = {"site": "news", "kind": "word", "value": "casino", "language": "de", "match": "exact", "part": True}
    assert new.items() <= call("POST", "/rules", new, status=201).items()
    rows = call("GET", "/rules?site=news")["items"]
    assert [(row["language"], row["match"], row["part"]) for row in rows] == [
        (None, "folded", False),
        ("de", "exact", True),
    ]
    call("POST", "/rules", new, status=409)
    wrong = call("POST", "/rules", {**new, "kind": "domain", "value": "x.example"}, status=422)
    assert set(wrong["errors"]) == {"language", "match", "part"}
    assert "letters" in call("POST", "/rules", {**new, "value": "x"}, status=422)["errors"]["value"][0]


def test_automod_is_put_shown_used_and_removed(call: Any) -> None:
    text = "# ours\nbody: casino\naction: filter\naction_reason: 'Says {{match}}.'\n"
    made = call("PUT", "/sites/news/automod", {"text": text})
    assert (made["rules"], made["text"], made["version"]) == (1, text, 1)
    assert call("GET", "/sites/news/automod", who="moderator")["text"] == text
    said = call("POST", "/rules/test", {"site": "news", "text": "A casino"})["signals"]
    assert said[0]["evidence"] == [
        {"text": "The rule in line 2 (filter): Says casino.", "spans": [[2, 8]], "spans_utf16": [[2, 8]]}
    ]
    call("DELETE", "/sites/news/automod", status=204)
    call("GET", "/sites/news/automod", status=404)


def test_automod_that_is_wrong_is_422_with_lines_and_keeps_the_former(call: Any, assert_problem: Any) -> None:
    call("PUT", "/sites/news/automod", {"text": "body: casino\naction: filter"})
    wrong = call("PUT", "/sites/news/automod", {"text": "bdy: x\naction: delete\n"}, status=422)
    assert wrong["errors"]["text"] == [
        "Line 1, column 1: 'bdy' is not known. Did you mean 'body'?",
        "Line 2, column 9: 'delete' is none of approve, report, filter, remove, spam.",
    ]
    assert call("GET", "/sites/news/automod")["version"] == 1


def test_backtest_by_the_api_counts_and_names_examples(call: Any, submit: Any, decide: Any) -> None:
    approved, rejected = submit("The casino is fine.")["id"], submit("You casino!")["id"]
    decide(approved, "approve")
    decide(rejected, "reject")
    decide(submit("A calm remark about something else.")["id"], "approve")
    asked = {"site": "news", "rule": {"kind": "word", "value": "casino", "action": "hold"}, "last": 5000}
    answer = call("POST", "/rules/backtest", asked, "moderator")
    assert (answer["tried"], answer["matched"], answer["would_have"]["hold"]) == (3, 2, 2)
    assert answer["summary"] == "Would have held 2 of the last 3 decided comments; 1 of them was approved."
    assert [one["id"] for one in answer["examples"]] == [approved, rejected]
    for given in ({"list": {"text": "casino"}}, {"automod": "body: casino\naction: report"}):
        assert call("POST", "/rules/backtest", {"site": "news", **given})["would_have"]["score"] == 2
    rule = call("POST", "/rules", {"site": "news", "kind": "word", "value": "casino", "action": "spam"}, status=201)
    assert call("POST", "/rules/backtest", {"site": "news", "without": rule["id"]})["would_have"]["spam"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rule"),
        ({"rule": {"kind": "word", "value": "a1"}, "automod": "body: x"}, "rule"),
        ({"rule": {"kind": "pattern", "value": "("}}, "rule.value"),
        ({"rule": {"kind": "word", "value": "a1", "colour": "red"}}, "rule.colour"),
        ({"list": {"text": "a*b"}}, "list.text"),
        ({"automod": "bdy: x"}, "automod"),
        ({"rule": {"kind": "word", "value": "a1"}, "last": 5001}, "last"),
    ],
)
def test_backtest_of_what_is_wrong_names_the_field(call: Any, body: dict[str, Any], field: str) -> None:
    assert field in call("POST", "/rules/backtest", {"site": "news", **body}, status=422)["errors"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/sites/{}/word-lists", None),
        ("PUT", "/sites/{}/word-lists/rude", {"text": "x1"}),
        ("GET", "/sites/{}/word-lists/rude", None),
        ("DELETE", "/sites/{}/word-lists/rude", None),
        ("PUT", "/sites/{}/automod", {"text": "body: x\naction: filter"}),
        ("GET", "/sites/{}/automod", None),
        ("DELETE", "/sites/{}/automod", None),
        ("POST", "/rules/test", {"site": "{}", "text": "x"}),
        ("POST", "/rules/backtest", {"site": "{}", "rule": {"kind": "word", "value": "x1"}}),
    ],
)
def test_call_on_a_foreign_site_and_on_none_the_same_404(call: Any, method: str, path: str, body: Any) -> None:
    call("PUT", "/sites/news/word-lists/rude", {"text": "casino"})
    call("PUT", "/sites/news/automod", {"text": "body: casino\naction: filter"})
    answers = []
    for site in ("news", "nowhere"):
        sent = {**body, "site": site} if body and "site" in body else body
        answers.append(call(method, path.format(site), sent, "stranger", status=404))
    assert answers[0] == answers[1]


def test_backtest_of_a_foreign_rule_is_404(call: Any) -> None:
    rule = call("POST", "/rules", {"site": "news", "kind": "word", "value": "casino"}, status=201)
    call("POST", "/rules/backtest", {"site": "other", "without": rule["id"]}, "stranger", status=404)
