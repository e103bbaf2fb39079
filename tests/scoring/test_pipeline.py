"""THE LIST as a whole: order, failures, and that it never raises."""

import copy
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.comment import State
from moderation.domain.policy import Evidence, Policy, Signal, Span, decide
from moderation.scoring.attributes import is_foreign
from moderation.scoring.automod import BROKEN
from moderation.scoring.folding import fold
from moderation.scoring.pipeline import SIGNALS, Candidate, Case, Earlier, Pipeline, Record, Step
from moderation.scoring.words import NO_RULES, RuleRow, compile_rules

PIPELINE = Pipeline()
AUTO = Policy(mode="auto", auto_spam=True)


def failing(case: Case) -> Signal:
    raise RecursionError("a text that must not reach a log")


def judged(**facts: Any) -> State:
    return decide(PIPELINE.signals(Candidate(**facts)), AUTO).state


@pytest.mark.parametrize(
    "body",
    [
        "Thank you, that is a fair point and well put.",
        "As a gay man I thank God for this article.",
        "See https://news.example/2025/07/x, where the minister says the opposite.",
        "👍",
    ],
)
def test_judge_ordinary_comment_in_auto_mode_approved(body: str) -> None:
    assert judged(body=body, author_name="Ana") is State.APPROVED


def test_judge_comment_in_a_script_that_the_model_cannot_read_held() -> None:
    signals = PIPELINE.signals(Candidate("Спасибо за статью, очень интересно."))
    assert [signal.name for signal in signals if not signal.available] == ["attributes"]
    assert decide(signals, AUTO).state is State.PENDING


def test_judge_rude_comment_in_auto_mode_held() -> None:
    assert judged(body="You are a fucking asshole.") is State.PENDING


def test_judge_filled_honeypot_spam_only_where_site_allows() -> None:
    signals = PIPELINE.signals(Candidate("Nice post", honeypot=True))
    assert decide(signals, AUTO).state is State.SPAM
    assert decide(signals, Policy(mode="auto")).state is State.PENDING


def test_judge_repeated_spam_with_many_links_spam() -> None:
    hrefs = tuple(f"https://shop{n}.example/" for n in range(6))
    body = "Cheap watches " + " ".join(hrefs)
    assert judged(body=body, links=hrefs, identical=[Earlier("1", "spam")]) is State.SPAM


def test_judge_proven_author_slightly_rude_approved() -> None:
    facts: dict[str, Any] = {"body": "What a shitty decision by the council."}
    assert judged(**facts) is State.PENDING
    assert judged(**facts, record=Record(approved=12, first_seen_days=200)) is State.APPROVED


@pytest.mark.parametrize(
    "broken",
    [
        failing,
        lambda case: Signal("x", math.nan),
        lambda case: Signal("x", 3.0),
        lambda case: Signal("x", scores={"spam": math.inf}),
        lambda case: Signal("x", evidence=(Evidence("x", (Span(0, 99),)),)),
        lambda case: None,
    ],
)
def test_judge_with_failing_signal_unavailable_and_held(broken: Any) -> None:
    signals = Pipeline([Step("x", broken, ""), *SIGNALS]).signals(Candidate("Hello there"))
    assert signals[0] == Signal("x", available=False)
    assert decide(signals, AUTO).state is State.PENDING


def test_judge_with_failing_signal_log_has_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    Pipeline([Step("x", failing, "")]).signals(Candidate("Hello there"))
    out = capsys.readouterr()
    assert "RecursionError" in out.out + out.err
    assert "must not reach" not in out.out + out.err


def test_judge_with_broken_stored_rule_held() -> None:
    assert judged(body="Hello", rules=compile_rules([RuleRow("1", "pattern", "(")])) is State.PENDING


def test_read_the_list_names_are_unique_and_fit_the_database() -> None:
    names = [step.name for step in SIGNALS]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 40 for name in names)
    assert all(step.cost for step in SIGNALS)


def hostile(*path: str) -> Any:
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        pytest.skip("HOSTILE_FIXTURES is not set")
    file = Path(folder, *path)
    text = file.read_text(encoding="utf-8", errors="replace")
    return json.loads(text) if file.suffix == ".json" else text.splitlines()


@pytest.mark.parametrize(
    "path", [("blns", "blns.json"), ("payloadbox-xss", "xss-payload-list.txt"), ("csv-injection", "csv-payload.txt")]
)
def test_judge_known_payloads_every_signal_available_but_the_model_on_foreign_script(path: tuple[str, str]) -> None:
    for body in hostile(*path)[:1_500]:
        unavailable = [s.name for s in PIPELINE.signals(Candidate(body, body, body, (body,))) if not s.available]
        assert unavailable == (["attributes"] if is_foreign(fold(body).text) else []), body


def test_judge_with_patterns_that_ruin_backtracking_engines_fast_or_refused() -> None:
    texts = ["a" * 5_000, "1" * 5_000 + "!", " \t" * 2_500, "x,=;<" * 1_000]
    for value in hostile("redos", "patterns.json")["patterns"]:
        rules = compile_rules([RuleRow("1", "pattern", value)])
        began = time.process_time()
        for text in texts:
            PIPELINE.signals(Candidate(text, rules=rules))
        assert time.process_time() - began < 0.5, value


RULES = [
    RuleRow("1", "word", "*spam*", "hold"),
    RuleRow("2", "pattern", r"a.+b"),
    RuleRow("3", "domain", "casino.example"),
    RuleRow("4", "author", "bot"),
    RuleRow("5", "network", "203.0.112.0/22"),
    RuleRow("6", "allow", "god"),
]
EARLIER = st.lists(st.builds(Earlier, st.text(max_size=3), st.text(max_size=8), st.booleans()), max_size=3)
ANY_TEXT = st.text(st.characters(), max_size=200) | st.text("fuck s$h!t.http://a.b[](<аѕ\u200b\ud800 ", max_size=120)


@settings(max_examples=120, deadline=None)
@given(
    st.builds(
        Candidate,
        ANY_TEXT,
        ANY_TEXT,
        st.none() | ANY_TEXT,
        st.lists(ANY_TEXT, max_size=3),
        st.none() | ANY_TEXT,
        st.none() | st.integers(),
        st.booleans(),
        st.none() | st.builds(Record, st.integers(), st.integers(), st.integers(), st.integers()),
        st.integers(),
        EARLIER,
        EARLIER,
        st.sampled_from(["", "203.0.113.0/24", "2001:db8::/48", "nonsense"]),
        st.sampled_from([compile_rules(()), compile_rules(RULES)]),
    )
)
def test_judge_anything_never_raises_and_spans_fit(candidate: Candidate) -> None:
    signals = PIPELINE.signals(candidate)
    for signal in signals:
        assert -1 <= signal.weight <= 1
        assert all(0 <= s.start <= s.end <= len(candidate.body) for e in signal.evidence for s in e.spans)
    assert 0 <= decide(signals, AUTO).risk <= 1


@pytest.mark.parametrize("nonsense", [None, 7, b"bytes", object()])
def test_judge_facts_of_the_wrong_type_unavailable_not_raised(nonsense: Any) -> None:
    signals = PIPELINE.signals(Candidate(nonsense, nonsense, nonsense, nonsense, nonsense))
    assert any(not signal.available for signal in signals)


@pytest.mark.parametrize("body", ["You idiot.", "Thanks for the report.", "http://192.0.2.1/x"])
def test_judge_without_rules_the_steps_for_rules_left_out_say_nothing(body: str) -> None:
    empty = copy.copy(NO_RULES)
    assert empty is not NO_RULES
    assert PIPELINE.signals(Candidate(body)) == PIPELINE.signals(Candidate(body, rules=empty))


def test_judge_with_unreadable_rules_in_yaml_alone_unavailable_and_held() -> None:
    found = PIPELINE.signals(Candidate("The bridge is closed.", automod=BROKEN))
    assert [signal.name for signal in found if not signal.available] == ["automod"]
    assert decide(found, AUTO).state is State.PENDING
