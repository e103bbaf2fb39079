"""Evidence: its places are in the source and on the words it names, in code points and in UTF-16 units; and scores
depend on the text and on nothing else.
"""

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.policy import Policy, Signal, decide, evidence_as_json, evidence_shown
from moderation.scoring.folding import fold
from moderation.scoring.pipeline import Candidate, Pipeline
from moderation.scoring.words import RuleRow, compile_rules

PIPELINE = Pipeline()
RULES = compile_rules(
    [
        RuleRow("1", "word", "casino*", "score", 0.3),
        RuleRow("2", "word", "größe", "score", 0.3),
        RuleRow("3", "pattern", "win [0-9]+ euros", "hold", 0.3),
    ]
)
WORDS = (
    "idiot", "stupid", "damn", "shit", "ѕhit", "sh\u200bit", "casinos", "Größe", "GRO\u0308SSE", "win 500 euros",
    "http://192.0.2.1/x", "the", "ferry", "and", "\U0001f600", "\U0001f469\u200d\U0001f680", "日本語", "İstanbul",
    "ﬁne", "\U0001d530\U0001d531\U0001d532\U0001d52d\U0001d526\U0001d521", "you are a",
    "kill", "money", "\n", "e\u0301",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=14).map(" ".join)
BOUNDED = settings(deadline=None, max_examples=150)


def judged(text: str) -> tuple[Signal, ...]:
    return PIPELINE.signals(Candidate(text, rules=RULES))


def javascript_slice(source: str, start: int, end: int) -> str:
    """What ``source.slice(start, end)`` gives in a language whose strings are UTF-16."""
    return source.encode("utf-16-le", "surrogatepass")[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")


@BOUNDED
@given(TEXTS)
def test_places_of_evidence_are_in_the_source_and_the_same_in_utf16(text: str) -> None:
    for signal in judged(text):
        for shown in evidence_shown(evidence_as_json(signal.evidence), text):
            assert len(shown["spans"]) == len(shown["spans_utf16"])
            for (start, end), wide in zip(shown["spans"], shown["spans_utf16"], strict=True):
                assert 0 <= start < end <= len(text)
                assert javascript_slice(text, *wide) == text[start:end]


@BOUNDED
@given(TEXTS)
def test_places_of_rules_are_on_the_words_that_the_rules_name(text: str) -> None:
    wanted = {"site_words": ("casino", fold("größe").text), "site_patterns": ("win ",)}
    for signal in judged(text):
        spans = [span for evidence in signal.evidence for span in evidence.spans]
        for span in spans if signal.name in wanted else ():
            assert fold(text[span.start : span.end]).text.startswith(wanted[signal.name])


@BOUNDED
@given(TEXTS, st.sampled_from(["ѕhit", "sh\u200bit", "shit", "Größe"]), TEXTS)
def test_evidence_of_a_word_between_any_texts_covers_that_word(before: str, word: str, after: str) -> None:
    text = f"{before} {word} {after}"
    at = len(before) + 1
    covered = {
        place
        for signal in judged(text)
        if signal.name in {"profanity", "site_words"}
        for evidence in signal.evidence
        for span in evidence.spans
        for place in range(span.start, span.end)
    }
    assert set(range(at, at + len(word))) <= covered


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("\U0001f600 shit", "shit"),
        ("a \U0001f469\u200d\U0001f680\U0001f600 shit \U0001f600", "shit"),
        ("日本 ѕhit", "ѕhit"),
    ],
)
def test_places_behind_emoji_are_the_words_in_javascript_too(text: str, word: str) -> None:
    (signal,) = [signal for signal in judged(text) if signal.name == "profanity"]
    (evidence,) = evidence_shown(evidence_as_json(signal.evidence), text)
    assert [javascript_slice(text, *span) for span in evidence["spans_utf16"]] == [word]


def test_places_of_stored_evidence_without_any_are_none() -> None:
    assert evidence_shown([{"text": "Sent fast."}], "\U0001f600") == [{"text": "Sent fast.", "spans_utf16": []}]


@BOUNDED
@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_scores_do_not_depend_on_what_was_judged_before(text: str, others: list[str]) -> None:
    first = judged(text)
    for other in others:
        judged(other)
    assert judged(text) == first
    assert Pipeline().signals(Candidate(text, rules=RULES)) == first


@BOUNDED
@given(TEXTS, st.text(max_size=20), st.booleans(), st.integers(0, 10**6))
def test_scores_of_the_text_do_not_depend_on_who_sent_it_and_how(
    text: str, name: str, honeypot: bool, filled_in_ms: int
) -> None:
    facts: dict[str, Any] = {"author_name": name, "honeypot": honeypot, "filled_in_ms": filled_in_ms}
    facts |= {"email_domain": "example.org", "network_recent": 9, "ip_network": "203.0.113.0/24"}
    plain = PIPELINE.signals_of_text(Candidate(text, rules=RULES))
    assert PIPELINE.signals_of_text(Candidate(text, rules=RULES, **facts)) == plain
    names = {signal.name for signal in plain}
    everything = PIPELINE.signals(Candidate(text, rules=RULES, **facts))
    assert tuple(signal for signal in everything if signal.name in names) == plain


def some_texts(count: int = 60) -> list[str]:
    chosen = random.Random(7)
    return [" ".join(chosen.choice(WORDS) for _ in range(chosen.randrange(1, 30))) for _ in range(count)]


def test_scores_in_threads_at_once_are_those_of_one_alone() -> None:
    texts = some_texts()
    alone = [judged(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(judged, texts)) == alone
            assert list(pool.map(judged, reversed(texts))) == alone[::-1]


def test_scores_in_another_process_are_the_same() -> None:
    program = (
        "import json, sys; from moderation.scoring.pipeline import Candidate, Pipeline;"
        "from moderation.domain.policy import Policy, decide; pipeline = Pipeline();"
        "verdicts = [decide(pipeline.signals(Candidate(t)), Policy()) for t in json.load(sys.stdin)];"
        "json.dump([[v.scores, v.risk, v.reasons] for v in verdicts], sys.stdout)"
    )
    texts = some_texts(20)
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    here = [decide(PIPELINE.signals(Candidate(text)), Policy()) for text in texts]
    assert json.loads(done.stdout) == [[v.scores, v.risk, list(v.reasons)] for v in here]
