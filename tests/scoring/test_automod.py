"""Rules in the form of AutoModerator: read, refused with line and column, run."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.comment import State
from moderation.domain.policy import Forces, Policy, Signal, decide
from moderation.errors import Invalid
from moderation.scoring import automod
from moderation.scoring.automod import BROKEN, Facts, judge
from moderation.scoring.automod_reader import MAX_CHARS, MAX_RULES, read_automod
from moderation.scoring.behaviour import Record
from moderation.scoring.folding import fold
from moderation.scoring.pipeline import Candidate, Pipeline


def said(text: str, body: str = "", **facts: Any) -> Signal:
    return judge(read_automod(text), lambda: Facts(fold(body), **facts))


def fires(checks: str, body: str = "", **facts: Any) -> bool:
    return said(f"{checks}\naction: filter\n", body, **facts).forces is Forces.HOLD


def complaints(text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read_automod(text)
    return caught.value.fields["text"]


@pytest.mark.parametrize(
    ("check", "body", "holds"),
    [
        ("body: casino", "The CASINO.", True),
        ("body: casino", "casinos", False),
        ("body: cаsinó", "a casino", True),
        ("body (includes): casino", "minicasinos", True),
        ("body (starts-with): dear", "Dearest", True),
        ("body (starts-with): dear", "Oh dear", False),
        ("body (ends-with): dear", "Oh dear", True),
        ("body (ends-with): dear", "dear me", False),
        ("body (full-exact): first", "First", True),
        ("body (full-exact): first", "First!", False),
        ("body (full-text): first", " ** First!! **", True),
        ("body (full-text): first", "First one", False),
        ("body (case-sensitive): IT", "it", False),
        ("body (case-sensitive, includes): IT", "wITh", True),
        ("body: no", "No way", True),
        ("body: [12, 1.5]", "costs 1.5", True),
        ("body (regex): 'che(a|e)p\\w*'", "cheaply", True),
        ("body (regex): 'che(a|e)p'", "cheaply", False),
        ("body (regex, includes): 'che(a|e)p'", "cheaply", True),
        ("body (regex): 'cat|category'", "category", True),
        ("body (regex, starts-with): 'a+b'", "aab c", True),
        ("body (regex, starts-with): 'a+b'", "c aab", False),
        ("body (regex, ends-with): 'a+b'", "c aab", True),
        ("body (regex, full-exact): 'a+b'", "aab", True),
        ("body (regex, full-exact): 'a+b'", "aab c", False),
        ("body (regex, full-text): 'a+b'", "* aab!", True),
        ("body (regex, case-sensitive): 'ABC'", "abc", False),
        ("body (regex): 'cheap'", "sо chеаp", True),
        ("body (regex): 'rger'", "Ärger", False),
        ("~body: [please, thanks]", "Do it", True),
        ("~body: [please, thanks]", "Do it, please", False),
        ("body#1: casino\nbody#2: royale", "casino royale", True),
        ("body#1: casino\nbody#2: royale", "casino", False),
        ("body (regex)#2: 'cas.no'", "casino", True),
        ("body_longer_than: 3", "abcd", True),
        ("body_longer_than: 3", "abc", False),
        ("body_shorter_than: 3", "ab", True),
        ("body_shorter_than: 3", "abc", False),
    ],
)
def test_check_of_the_text_holds_as_its_modifiers_say(check: str, body: str, holds: bool) -> None:
    assert fires(check, body) == holds


@pytest.mark.parametrize(
    ("check", "facts", "holds"),
    [
        ("domain: spam.example", {"links": ["https://www.spam.example/x"]}, True),
        ("domain: spam.example", {"links": ["https://notspam.example/"]}, False),
        ("domain (regex): '\\d+'", {"links": ["https://casino-365.example/"]}, True),
        ("url: /promo/", {"links": ["https://a.example/promo/1"]}, True),
        ("body+url (includes): casino", {"links": ["https://a.example/casino"]}, True),
        ("~body+url (includes): casino", {"links": ["https://a.example/casino"]}, False),
        ("author: [Spam Bot]", {"author_name": "spam bot"}, True),
        ("author (full-exact): Spam", {"author_name": "spam bot"}, False),
        ("~author: Ana", {"author_name": "Ben"}, True),
        ("author: {name (starts-with): spam}", {"author_name": "spambot"}, True),
        ("author: {~name: ana}", {"author_name": "Ana"}, False),
        ("author: {url: casino}", {"author_url": "https://casino.example"}, True),
        ("author: {approved: '> 3'}", {"record": Record(4)}, True),
        ("author: {approved: '> 3'}", {"record": Record(3)}, False),
        ("author: {approved: '> 3'}", {}, False),
        ("author: {approved: '< 3'}", {}, True),
        ("author: {rejected: '>= 2', spam: 0}", {"record": Record(0, 2)}, True),
        ("author: {account_age: '< 2 weeks'}", {"record": Record(first_seen_days=13)}, True),
        ("author: {account_age: '< 2 weeks'}", {"record": Record(first_seen_days=14)}, False),
        ("author: {is_new: true}", {}, True),
        ("author: {is_new: no}", {"record": Record(1)}, True),
        ("author: {is_proven: true}", {}, False),
        ("is_top_level: false", {"is_top_level": False}, True),
        ("is_top_level: true", {"is_top_level": False}, False),
        ("is_edited: true", {"is_edited": True}, True),
        ("reports: 2", {"reports": 2}, True),
        ("reports: '> 2'", {"reports": 2}, False),
    ],
)
def test_check_of_what_is_known_holds_or_not(check: str, facts: dict[str, Any], holds: bool) -> None:
    assert fires(check, **facts) == holds


@pytest.mark.parametrize(
    ("action", "weight", "forces"),
    [
        ("approve", -0.3, None),
        ("report", 0.1, None),
        ("filter", 0.3, Forces.HOLD),
        ("remove", 0.6, Forces.HOLD),
        ("spam", 1.0, Forces.SPAM),
    ],
)
def test_action_weighs_and_forces(action: str, weight: float, forces: Forces | None) -> None:
    signal = said(f"body: x\naction: {action}", "x")
    assert (signal.weight, signal.forces) == (weight, forces)


def test_approve_never_publishes_over_what_could_not_be_judged() -> None:
    approve = said("body: x\naction: approve", "x")
    auto = Policy("auto")
    assert decide([approve], auto).state is State.APPROVED
    assert decide([approve, Signal("other", available=False)], auto).state is State.PENDING
    assert decide([approve, Signal("other", forces=Forces.HOLD)], auto).state is State.PENDING
    assert decide([approve], Policy("hold")).state is State.PENDING


def test_removing_rules_stop_at_the_first_by_priority_and_the_others_all_run() -> None:
    text = """
body: x
action: filter
action_reason: first in the file
---
body: x
priority: 2
action: remove
action_reason: first by priority
---
body: x
action: report
---
body: x
action: report
priority: -1
---
body: x
action: approve
"""
    signal = said(text, "x")
    assert [e.text.split(":")[0] for e in signal.evidence] == [
        "The rule in line 6 (remove)",
        "The rule in line 11 (report)",
        "The rule in line 18 (approve)",
        "The rule in line 14 (report)",
    ]
    assert signal.weight == pytest.approx(0.6 + 0.2 - 0.3)


def test_reason_has_what_matched_and_its_place() -> None:
    text = "body: [casino]\nauthor: {name: bot}\naction: filter\naction_reason: '{{match}}, {{match-author}}'"
    signal = said(text, "The  CASINO", author_name="A bot")
    assert signal.evidence[0].text == "The rule in line 1 (filter): CASINO, bot"
    assert [(s.start, s.end) for s in signal.evidence[0].spans] == [(5, 11)]


def test_reason_is_filled_in_once_whatever_the_match_says() -> None:
    text = "body (regex, includes): '.+'\nauthor: {name: bot}\naction: filter\naction_reason: 'Says {{match-body}}'"
    assert said(text, "{{match-author}}", author_name="bot").evidence[0].text.endswith("Says {{match-author}}")


WRONG = """\
body: casino
bdy: x
author:
    comment_karma: '> 3'
    approved: lots
action: delete
---
body (regexp): x
body (regex): '(?=a)b'
title: x
action: filter
---
body: a
body: b
approved: '> 3'
moderators_exempt: perhaps
action: filter
"""


def test_read_wrong_rules_each_complaint_has_line_column_and_what_to_do() -> None:
    found = complaints(WRONG)
    for place, hint in [
        ("Line 2, column 1:", "Did you mean 'body'?"),
        ("Line 4, column 5:", "author's record"),
        ("Line 5, column 15:", "'> 3'"),
        ("Line 6, column 9:", "approve, report"),
        ("Line 8, column 1:", "Did you mean 'regex'?"),
        ("Line 9, column 15:", "Look-ahead"),
        ("Line 10, column 1:", "comments"),
        ("Line 14, column 1:", "twice"),
        ("Line 15, column 1:", "below 'author:'"),
        ("Line 16, column 20:", "'true' or 'false'"),
    ]:
        assert any(text.startswith(place) and hint in text for text in found), (place, hint, found)
    assert len(found) == 10


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "no rule"),
        ("---\n---\n", "no rule"),
        ("body: x\n", "Add 'action:'"),
        ("action: filter\n", "no check"),
        ("just words\n", "'key: value'"),
        ("reports: > 3\naction: filter", "quotes"),
        ("body: {{match}}\naction: filter", "single value"),
        ("body: a: b", "Line 1, column 8"),
        ("body: &x [a]\nurl: *x\naction: filter", "anchors"),
        ("body: !!python/object/apply:os.system [id]\naction: filter", "tag"),
        ("!x\nbody: a", "tag"),
        ("body: \x07\naction: filter", "Line 1"),
        ("body: []\naction: filter", "empty"),
        ("body:\naction: filter", "missing"),
        ("body (regex): 'a*'\naction: filter", "empty text"),
        ("body (includes, starts-with): a\naction: filter", "exclude"),
        ("body+author: a\naction: filter", "joined"),
        ("~is_edited: true\naction: filter", "no '~'"),
        ("~author: {name: a}\naction: filter", "below 'author'"),
        ("domain: 'https://x'\naction: filter", "host name"),
        ("type: submission\nbody: x\naction: filter", "comment, any"),
        ("body: x\naction: filter\naction_reason: '{{author}}'", "stands for nothing"),
        ('body: x\naction: filter\naction_reason: "a\\0b"', "control character"),
        ('body: "\\ud800"\naction: filter', "surrogate"),
        ("modmail: hello\nbody: x\naction: filter", "no messages"),
        ("? [a]\n: b", "plain word"),
        ('body: "\\UFFFFFFFF"\naction: filter', "Line 1, column 10: It is not YAML: a number out of range"),
        ('body: "\\U00110000"\naction: filter', "out of range"),
        ("%YAML 1." + "9" * 6_000 + "\n---\nbody: x\naction: filter", "out of range"),
        ("body: " + "x" * 501 + "\naction: filter", "at most 500"),
        ("---\nbody: x\naction: report\n" * (MAX_RULES + 1), f"At most {MAX_RULES} rules"),
        ("x" * (MAX_CHARS + 1), "at most"),
    ],
)
def test_read_text_that_is_wrong_says_what_to_do(text: str, hint: str) -> None:
    assert any(hint in message for message in complaints(text)), complaints(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 60_000,
        "{" * 60_000,
        "? " * 30_000,
        "- " * 30_000,
        "a:\n" * 20_000,
        "body: |\n" + " x\n" * 20_000,
        "---\n" * 16_000,
        "body: [" + "a," * 30_000 + "]\naction: filter",
        "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
        "'" * 65_000,
        "body: '" + "\\" * 60_000,
        "%TAG ! x\n" * 7_000,
        "#" * 65_000,
        "".join(f"body#{n}: x\n" for n in range(4_500)),
        f"body{' ' * 900}!: x\naction: filter",
        f"? body{' ' * 3_000}!\n: x\naction: filter",
        f"? body{'+body' * 12_000}!\n: x\naction: filter",
    ],
    ids=lambda text: text[:8].replace("\n", "|"),
)
def test_read_hostile_yaml_refused_in_bounded_time(text: str) -> None:
    began = time.thread_time()
    assert complaints(text)
    assert time.thread_time() - began < 4


def test_rules_of_expressions_that_ruin_backtracking_engines_fast_or_refused() -> None:
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        pytest.skip("HOSTILE_FIXTURES is not set")
    patterns = json.loads(Path(folder, "redos", "patterns.json").read_text())["patterns"]
    texts = ["a" * 5_000, "1" * 5_000 + "!", " \t" * 2_500, "x,=;<" * 1_000]
    ran, pipeline = 0, Pipeline()
    for pattern in patterns:
        for modifiers in ("regex", "regex, includes", "regex, full-text"):
            try:
                rules = read_automod(f"body ({modifiers}): {json.dumps(pattern)}\naction: filter\n")
            except Invalid:
                continue
            ran += 1
            began = time.thread_time()
            for text in texts:
                pipeline.signals(Candidate(text, automod=rules), only={"automod"})
            assert time.thread_time() - began < 1, pattern
    assert ran > 40


def test_judge_without_rules_says_nothing_and_with_broken_ones_is_unavailable() -> None:
    assert judge(None, lambda: Facts(fold("x"))) == Signal("automod")
    assert not judge(BROKEN, lambda: Facts(fold("x"))).available


def test_judge_more_matches_than_anybody_looks_at_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automod, "MAX_TRIES", 10)
    rules = read_automod("body (regex): 'ab'\naction: filter\n")
    signals = Pipeline().signals(Candidate("xab" * 50, automod=rules), only={"automod"})
    assert [signal.available for signal in signals] == [False]


EVERY_KIND = read_automod("""
body+url (includes): [aa, '<', é]
action: report
---
body (regex): '[ab]+'
~body (full-text): x
author:
    name (regex, ends-with): 'b+'
    approved: '< 3'
action: filter
action_reason: '{{match}} {{match-author}}'
---
domain: a.example
action: spam
---
body (regex, full-exact): '\\w+'
action: remove
""")


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60) | st.text("ab é\u200b<x\n", max_size=60), st.text("abé", max_size=8))
def test_judge_any_text_available_and_spans_fit(body: str, name: str) -> None:
    candidate = Candidate(body, name, links=(f"https://{name}.a.example/", body), automod=EVERY_KIND)
    for signal in Pipeline(signals=()).signals(candidate) + PIPELINE.signals(candidate, only={"automod"}):
        assert signal.available
        assert all(0 <= s.start <= s.end <= len(body) for e in signal.evidence for s in e.spans)


PIPELINE = Pipeline()


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=120) | st.text("body:~+#(regex)[]{}'\"-\n action filter&*!|>%@`", max_size=120))
def test_read_any_text_rules_or_complaints(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert read_automod(text).rules
