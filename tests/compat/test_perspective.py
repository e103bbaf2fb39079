"""The Perspective API: scores, spans, languages, errors with details, and suggestions that teach."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI
from moderation.domain.perspective import MAX_TEXT_BYTES
from moderation.scoring import perspective
from moderation.services import learning, sites
from moderation.storage.db import read
from moderation.storage.models import Comment
from tests.compat.conftest import CALM, FRENCH, SPAM, Keys

INSULT = "You are an idiot and everybody here knows it."
GERMAN = "Du bist ein dummes Arschloch und gehörst hinter Gitter, das ist die Wahrheit."
ERROR = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"


@pytest.fixture
def ask(client: Any, keys: Keys) -> Callable[..., Any]:
    """Analyze a text; returns the answer."""

    def post(text: Any, *names: str, method: str = "analyze", key: str | None = None, **more: Any) -> Any:
        body = {"comment": {"text": text}, "requestedAttributes": {name: {} for name in names or ["TOXICITY"]}, **more}
        return client.post(f"/v1alpha1/comments:{method}?key={keys.own if key is None else key}", json=body)

    return post


def value(answer: Any, name: str = "TOXICITY") -> float:
    assert answer.status_code == 200, answer.text
    return float(answer.get_json()["attributeScores"][name]["summaryScore"]["value"])


def refusal(answer: Any, status: int = 400) -> dict[str, Any]:
    """The error of an answer, in Google's form."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    document = answer.get_json()
    assert set(document) == {"error"}
    error: dict[str, Any] = document["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == status
    assert error["details"][0]["@type"].startswith("type.googleapis.com/")
    return error


def kind(answer: Any) -> str:
    detail = refusal(answer)["details"][0]
    assert detail["@type"] == ERROR
    return str(detail["errorType"])


# --- scores


def test_analyze_answers_in_the_documented_form(ask: Any) -> None:
    answer = ask(INSULT, clientToken="token-1", sessionId="s", communityId="c", doNotStore=True, languages=["en"])
    document = answer.get_json()
    assert set(document) == {"attributeScores", "languages", "detectedLanguages", "clientToken"}
    assert (document["languages"], document["detectedLanguages"]) == (["en"], ["en"])
    assert document["clientToken"] == "token-1"
    score = document["attributeScores"]["TOXICITY"]
    assert score["summaryScore"] == {"value": value(answer), "type": "PROBABILITY"}
    assert score["spanScores"] == [{"begin": 0, "end": len(INSULT), "score": score["summaryScore"]}]
    assert answer.headers["Cache-Control"] == "no-store"


def test_analyze_gives_every_attribute_that_is_documented(ask: Any) -> None:
    answer = ask(INSULT, *perspective.ATTRIBUTES).get_json()["attributeScores"]
    assert set(answer) == set(perspective.ATTRIBUTES)
    assert all(0 <= one["summaryScore"]["value"] <= 1 for one in answer.values())
    assert len(perspective.ATTRIBUTES) == 23


def test_analyze_tells_an_insult_from_a_remark_and_spam_from_both(ask: Any) -> None:
    insult = ask(INSULT, "TOXICITY", "INSULT", "SPAM")
    assert value(insult) > 0.7 > 0.2 > value(ask(CALM))
    assert value(insult, "INSULT") > 0.6
    assert value(ask(SPAM, "SPAM"), "SPAM") > 0.9 > 0.1 > value(insult, "SPAM")


def test_analyze_knows_other_names_and_versions_of_an_attribute(ask: Any) -> None:
    answer = ask(INSULT, "TOXICITY", "TOXICITY_EXPERIMENTAL", "TOXICITY_FAST", "TOXICITY@6")
    assert len({value(answer, name) for name in answer.get_json()["attributeScores"]}) == 1


def test_analyze_leaves_out_what_is_below_its_threshold(client: Any, ask: Any) -> None:
    asked = {"TOXICITY": {"scoreThreshold": 0.5}, "FLIRTATION": {"scoreThreshold": "0.99"}}
    both = ask(INSULT, requestedAttributes=asked).get_json()
    assert set(both["attributeScores"]) == {"TOXICITY"}
    assert "attributeScores" not in ask(CALM, requestedAttributes=asked).get_json()


def test_analyze_counts_spans_in_utf16_units_of_the_text_as_sent(ask: Any) -> None:
    text = "  😀 You are an idiot! 👩‍👩‍👧 Ну.\n\nHave a nice day, dear José… Bye"
    spans = ask(text, "TOXICITY", spanAnnotations=True, languages=["en"]).get_json()["attributeScores"]["TOXICITY"]
    units = text.encode("utf-16-le")
    told = [units[2 * one["begin"] : 2 * one["end"]].decode("utf-16-le") for one in spans["spanScores"]]
    assert told[0] == "😀 You are an idiot!"
    assert "Have a nice day, dear José…" in told
    assert told[-1] == "Bye"
    scores = [one["score"]["value"] for one in spans["spanScores"]]
    assert scores[0] == max(scores) > 0.7
    assert spans["summaryScore"]["value"] > min(scores)


def test_analyze_of_many_sentences_gives_a_bounded_number_of_spans(ask: Any) -> None:
    text = "A. b! " * 3_000
    spans = ask(text, spanAnnotations=True, languages=["en"]).get_json()["attributeScores"]["TOXICITY"]["spanScores"]
    assert 50 <= len(spans) <= perspective.MAX_SENTENCES
    assert (spans[0]["begin"], spans[-1]["end"]) == (0, len(text.rstrip()))
    assert all(one["end"] <= two["begin"] for one, two in pairwise(spans))


def test_analyze_of_html_reads_the_text_and_leads_back_to_the_source(ask: Any) -> None:
    html = "<p>Good &amp; fine, 😀 I think.</p><p>You are an <b>id</b>iot!</p>"
    comment = {"text": html, "type": "HTML"}
    answer = ask("", comment=comment, spanAnnotations=True, languages=["en"])
    assert value(answer) > 0.5
    spans = answer.get_json()["attributeScores"]["TOXICITY"]["spanScores"]
    units = html.encode("utf-16-le")
    told = [units[2 * one["begin"] : 2 * one["end"]].decode("utf-16-le") for one in spans]
    assert told == ["Good &amp; fine, 😀 I think.", "You are an <b>id</b>iot!"]
    assert spans[1]["score"]["value"] > spans[0]["score"]["value"]
    plain = ask("Good & fine, 😀 I think.\nYou are an idiot!", languages=["en"])
    assert value(plain) == pytest.approx(value(answer), abs=0.02)


def test_analyze_takes_a_context_of_either_kind_and_not_of_both(ask: Any) -> None:
    entry = {"text": "The article. " * 5_000, "type": "PLAIN_TEXT"}
    alone = value(ask(INSULT))
    for context in ({"entries": [entry]}, {"articleAndParentComment": {"article": entry, "parentComment": entry}}):
        assert value(ask(INSULT, context=context)) == alone
    both = {"entries": [entry], "articleAndParentComment": {"article": entry}}
    answer = ask(INSULT, context=both)
    assert kind(answer) == "INVALID_REQUEST"
    assert "either entries or article_and_parent_comment" in refusal(answer)["message"]


def test_analyze_reads_names_in_snake_case_too(client: Any, keys: Keys) -> None:
    body = {"comment": {"text": INSULT}, "requested_attributes": {"TOXICITY": {"score_threshold": 0.1}},
            "span_annotations": None, "client_token": "x"}  # fmt: skip
    answer = client.post("/v1alpha1/comments:analyze", json=body, headers={"X-Goog-Api-Key": keys.own})
    assert answer.get_json()["clientToken"] == "x"
    assert value(answer) > 0.5


# --- languages


def test_analyze_in_german_scores_toxicity_and_refuses_the_rest(ask: Any) -> None:
    answer = ask(GERMAN)
    assert value(answer) > 0.5
    assert answer.get_json()["languages"] == ["de"]
    assert value(ask(GERMAN, languages=["de"])) == value(answer)
    error = refusal(ask(GERMAN, "INSULT", languages=["de"]))
    assert error["message"] == "Attribute INSULT does not support request languages: de"


def test_analyze_in_a_language_without_a_model_is_the_documented_error(ask: Any) -> None:
    asked = refusal(ask(CALM, languages=["it", "en"]))["details"][0]
    assert asked["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert asked["languageNotSupportedByAttributeError"] == {"requestedLanguages": ["it"], "attribute": "TOXICITY"}
    found = refusal(ask(FRENCH))["details"][0]["languageNotSupportedByAttributeError"]
    assert found == {"detectedLanguages": ["fr"], "attribute": "TOXICITY"}


def test_analyze_of_french_as_english_is_refused_rather_than_called_harmless(ask: Any) -> None:
    """A score of nearly nothing, for want of understanding, would let it pass."""
    assert kind(ask(FRENCH, languages=["en"])) == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"


def test_analyze_of_a_text_in_no_known_language(ask: Any) -> None:
    assert kind(ask("ⰀⰁⰂ Ⰳⰴⰵ ⰶⰷⰸ")) == "LANGUAGE_DETECTION_FAILED"
    short = ask("hm 123")
    assert short.get_json()["detectedLanguages"] == ["und"]


def test_analyze_drops_unsupported_attributes_where_asked_to(ask: Any) -> None:
    answer = ask(GERMAN, "TOXICITY", "INSULT", dropUnsupportedAttributes=True)
    assert set(answer.get_json()["attributeScores"]) == {"TOXICITY"}
    assert "attributeScores" not in ask(FRENCH, "INSULT", dropUnsupportedAttributes=True).get_json()


# --- refusals


def test_analyze_with_wrong_keys_is_refused_as_by_google(ask: Any, client: Any, keys: Keys) -> None:
    for wrong in ("x" * 42, keys.moderator, keys.everywhere, "\u00e9", "a" * 3_000):
        error = refusal(ask(INSULT, key=wrong))
        assert error["status"] == "INVALID_ARGUMENT"
        assert error["message"] == "API key not valid. Please pass a valid API key."
        assert error["details"][0]["reason"] == "API_KEY_INVALID"
    off = refusal(ask(INSULT, key=keys.switched_off), 403)
    assert (off["status"], off["details"][0]["reason"]) == ("PERMISSION_DENIED", "SERVICE_DISABLED")
    assert refusal(ask(INSULT, key=""), 403)["status"] == "PERMISSION_DENIED"
    bare = client.post(f"/v1alpha1/comments:analyze?key={'x' * 42}")
    assert refusal(bare)["details"][0]["reason"] == "API_KEY_INVALID"
    assert kind(client.post(f"/v1alpha1/comments:analyze?key={keys.own}")) == "COMMENT_EMPTY"


@pytest.mark.parametrize("text", ["", " \n\t", None])
def test_analyze_of_nothing_is_refused(ask: Any, text: str | None) -> None:
    assert kind(ask(text)) == "COMMENT_EMPTY"


def test_analyze_of_too_long_a_text_is_refused_at_20480_bytes(ask: Any) -> None:
    assert value(ask("a b " * (MAX_TEXT_BYTES // 4), languages=["en"])) < 0.5
    answer = ask("é" * (MAX_TEXT_BYTES // 2) + "!")
    assert kind(answer) == "COMMENT_TOO_LONG"
    assert refusal(answer)["message"] == "Comment text too long."


def test_analyze_without_attributes_or_with_unknown_ones_is_refused(ask: Any) -> None:
    answer = ask(INSULT, requestedAttributes={})
    assert (kind(answer), refusal(answer)["message"]) == ("NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes")
    answer = ask(INSULT, "CURIOSITY_EXPERIMENTAL")
    assert kind(answer) == "INVALID_REQUEST"
    assert refusal(answer)["message"] == "Unknown requested attribute: CURIOSITY_EXPERIMENTAL"
    answer = ask(INSULT, requestedAttributes={"TOXICITY": {"scoreType": "PERCENTILE"}})
    assert refusal(answer)["message"] == "Requested score type PERCENTILE is not supported by attribute TOXICITY"
    assert kind(ask(INSULT, requestedAttributes={f"A{n}": {} for n in range(400)})) == "INVALID_REQUEST"
    assert refusal(ask("", comment={"text": INSULT, "type": "RTF"}))["message"] == "Unknown text type"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"comments": {}}, ""),
        ({"comment": {"text": INSULT, "lang": "en"}}, "comment"),
        ({"comment": {"text": 5}}, "comment.text"),
        ({"comment": [INSULT]}, "comment"),
        ({"comment": {"text": INSULT}, "requestedAttributes": ["TOXICITY"]}, "requestedAttributes"),
        ({"comment": {"text": INSULT}, "languages": "en"}, "languages"),
        ({"comment": {"text": INSULT}, "languages": [1]}, "languages[0]"),
        ({"spanAnnotations": "yes"}, "spanAnnotations"),
        ({"requestedAttributes": {"X": {"scoreThreshold": "much"}}}, "requestedAttributes.value.scoreThreshold"),
        ([], ""),
    ],
)
def test_analyze_of_misfits_names_the_field(client: Any, keys: Keys, body: Any, field: str) -> None:
    error = refusal(client.post(f"/v1alpha1/comments:analyze?key={keys.own}", json=body))
    assert error["message"].startswith("Invalid JSON payload received. ")
    assert error["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert error["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b'{"comment": NaN}', b"[" * 5_000, b'{"a":1,"a":2}', b'{"comment":{"text":"\\ud800"}}']
)
def test_analyze_of_what_is_no_json_is_refused(client: Any, keys: Keys, body: bytes) -> None:
    answer = client.post(f"/v1alpha1/comments:analyze?key={keys.own}", data=body, content_type="application/json")
    assert kind(answer) == "INVALID_REQUEST"


def test_call_with_wrong_methods_paths_and_sizes_answers_in_googles_form(client: Any, keys: Keys) -> None:
    path = f"/v1alpha1/comments:analyze?key={keys.own}"
    assert refusal(client.get(path), 404)["status"] == "NOT_FOUND"
    assert refusal(client.put(path, json={}), 404)["status"] == "NOT_FOUND"
    assert refusal(client.post(f"/v1alpha1/comments:delete?key={keys.own}", json={}), 404)["status"] == "NOT_FOUND"
    assert refusal(client.get("/$discovery/rest?version=v2"), 404)["status"] == "NOT_FOUND"
    large = client.post(path, json={"comment": {"text": "x" * 1_100_000}})
    assert refusal(large)["status"] == "INVALID_ARGUMENT"


def test_analyze_above_the_rate_is_429(ask: Any, parts: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"scorer_rate": "1/minute"})
    assert value(ask(CALM)) < 0.5
    answer = ask(CALM)
    error = refusal(answer, 429)
    assert (error["status"], error["details"][0]["reason"]) == ("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")
    assert int(answer.headers["Retry-After"]) >= 1


# --- teaching


def suggest(client: Any, key: str, text: str, **scores: float | None) -> Any:
    body = {
        "comment": {"text": text},
        "attributeScores": {name: {"summaryScore": {"value": score}} for name, score in scores.items()},
        "clientToken": "comment:1",
        "communityId": "Coral:news.example",
        "languages": ["en"],
    }
    return client.post(f"/v1alpha1/comments:suggestscore?key={key}", json=body)


def totals(parts: Any) -> list[bool]:
    return [bool(one) for one in learning.export(parts, CLI, "news")["totals"]]


@pytest.mark.parametrize(
    ("scores", "taught"),
    [
        ({"TOXICITY": 1}, [False, False, True]),
        ({"TOXICITY": 0}, [True, False, False]),
        ({"SEVERE_TOXICITY_EXPERIMENTAL": 0.9, "FLIRTATION": 0}, [False, False, True]),
        ({"SPAM": 1, "TOXICITY": 1}, [False, True, False]),
        ({"INCOHERENT": 1}, [False, False, False]),
        ({"LIKELY_TO_REJECT": None}, [True, False, False]),
    ],
)
def test_suggest_teaches_the_site(client: Any, keys: Keys, parts: Any, scores: Any, taught: list[bool]) -> None:
    answer = suggest(client, keys.own, "The ferry again, you people", **scores)
    assert answer.get_json() == {
        "clientToken": "comment:1",
        "requestedLanguages": ["en"],
        "detectedLanguages": answer.get_json()["detectedLanguages"],
    }
    assert totals(parts) == taught


def test_suggest_the_opposite_takes_back_and_analyze_stores_nothing(
    client: Any, keys: Keys, parts: Any, ask: Any
) -> None:
    suggest(client, keys.own, INSULT, TOXICITY=1)
    suggest(client, keys.own, INSULT, TOXICITY=0)
    assert totals(parts) == [True, False, False]
    assert learning.show(parts, CLI, "news")["decisions"] == 1
    assert learning.show(parts, CLI, "other")["decisions"] == 0
    ask(INSULT, doNotStore=False)
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Comment)) == 0
    assert learning.show(parts, CLI, "news")["decisions"] == 1


def test_suggest_of_misfits_is_refused_and_teaches_nothing(client: Any, keys: Keys, parts: Any) -> None:
    assert kind(suggest(client, keys.own, INSULT, TOXICITY=1.5)) == "INVALID_REQUEST"
    assert kind(suggest(client, keys.own, INSULT, NICENESS=1)) == "INVALID_REQUEST"
    assert kind(suggest(client, keys.own, INSULT)) == "NO_REQUESTED_ATTRIBUTES"
    assert kind(suggest(client, keys.own, "", TOXICITY=1)) == "COMMENT_EMPTY"
    assert refusal(suggest(client, keys.switched_off, INSULT, TOXICITY=1), 403)["status"] == "PERMISSION_DENIED"
    assert totals(parts) == [False, False, False]


def test_likely_to_reject_is_what_the_sites_decisions_taught(client: Any, keys: Keys, ask: Any) -> None:
    name = "LIKELY_TO_REJECT"
    ferry, school = "The night ferry is a waste of money", "The school choir sang on the square"
    untaught = value(ask(ferry, name), name)
    for turn in range(12):
        suggest(client, keys.own, f"{ferry}, as I said on day {turn}", **{name: 1})
        suggest(client, keys.own, f"{school} on day {turn}", **{name: 0})
    taught = value(ask(f"{ferry} for the town", name), name)
    assert taught > 0.6 > value(ask(f"{school} today", name), name)
    assert taught > untaught
    french = ask(FRENCH, name, spanAnnotations=True)  # words are words in any language
    assert 0 <= value(french, name) <= 1
    assert french.get_json()["attributeScores"][name]["spanScores"][0]["end"] == len(FRENCH)
