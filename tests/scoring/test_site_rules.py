"""A site's own words, patterns, domains, authors and networks."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.policy import Forces, Signal
from moderation.errors import Invalid
from moderation.scoring.folding import fold
from moderation.scoring.links import site_domains
from moderation.scoring.words import (
    MAX_PATTERNS,
    MAX_VALUE_CHARS,
    NO_RULES,
    PATTERN_WINDOW_BYTES,
    RuleRow,
    compile_rules,
    site_authors,
    site_networks,
    site_patterns,
    site_words,
    validate_rule,
)


def words_found(value: str, text: str, *more: RuleRow) -> list[str]:
    signal = site_words(fold(text), compile_rules([RuleRow("1", "word", value), *more]))
    return [text[span.start : span.end] for evidence in signal.evidence for span in evidence.spans]


def judged_pattern(value: str, text: str) -> Signal:
    return site_patterns(fold(text), compile_rules([RuleRow("1", "pattern", value)]))


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("casino", "Casino, CASINO and casinos", ["Casino", "CASINO"]),
        ("casino*", "the casinos", ["casino"]),
        ("*casino*", "a minicasinos", ["casino"]),
        ("casino", "_casino_ **casino**", ["casino", "casino"]),
        ("casino", "c\u200basino", ["c\u200basino"]),
        ("casino", "сasіno", ["сasіno"]),
        ("buy now", "so buy\nnow", ["buy\nnow"]),
        ("вор", "Он ВОР, а не воробей", ["ВОР"]),
        ("$$$", "win $$$ now$$$", ["$$$", "$$$"]),
        ("casino", "casinó", ["casinó"]),
    ],
)
def test_find_site_word_in_text_its_places(value: str, text: str, found: list[str]) -> None:
    assert words_found(value, text) == found


def test_find_site_word_inside_allowed_phrase_not_found() -> None:
    allow = RuleRow("2", "allow", "casino royale")
    assert words_found("casino", "Casino Royale, not a casino", allow) == ["casino"]


@settings(deadline=None)
@given(st.text(alphabet="ab *é\u200bа", min_size=1, max_size=6), st.text(alphabet="ab é\u200bа\n", max_size=30))
def test_find_any_word_in_any_text_spans_fit(value: str, text: str) -> None:
    signal = site_words(fold(text), compile_rules([RuleRow("1", "word", value)]))
    assert all(0 <= s.start < s.end <= len(text) for e in signal.evidence for s in e.spans)


@pytest.mark.parametrize(("action", "forces"), [("score", None), ("hold", Forces.HOLD), ("spam", Forces.SPAM)])
def test_match_rule_with_action_forces_it_and_adds_weight(action: str, forces: Forces | None) -> None:
    signal = site_words(fold("casino"), compile_rules([RuleRow("1", "word", "casino", action, 0.3)]))
    assert (signal.forces, signal.weight) == (forces, 0.3)


def test_match_several_rules_weights_add_up_to_one_at_most() -> None:
    rows = [RuleRow(str(n), "word", f"word{n}", "score", 0.6) for n in range(3)]
    assert site_words(fold("word0 word1 word2"), compile_rules(rows)).weight == 1.0


def test_match_pattern_without_case_span_of_the_match() -> None:
    text = "Buy a CHEAP   watch"
    signal = judged_pattern(r"cheap\s+watch", text)
    assert [text[s.start : s.end] for s in signal.evidence[0].spans] == ["CHEAP   watch"]


def test_match_pattern_on_folded_copy_found_in_source() -> None:
    text = "so chеаp"
    assert judged_pattern(r"\bcheap\b", text).evidence[0].spans[0].start == 3


def test_match_pattern_behind_the_first_window_found() -> None:
    text = "x" * (PATTERN_WINDOW_BYTES * 2 - 3) + " needle "
    assert text[judged_pattern("needle", text).evidence[0].spans[0].start :].startswith("needle")


def test_match_pattern_of_single_bytes_available_with_a_span_in_the_text() -> None:
    signal = judged_pattern(r"\C", "é")
    assert signal.available
    assert all(0 <= span.start <= span.end <= 1 for evidence in signal.evidence for span in evidence.spans)


def test_match_pattern_that_ruins_backtracking_engines_fast() -> None:
    began = time.process_time()
    judged_pattern(r"(x+x+)+y", "x" * 9_000)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        ("colour", "red", "one of"),
        ("word", " \u200b ", "empty"),
        ("word", "a*b", "start or the end"),
        ("word", "*a*", "almost every text"),
        ("word", "x" * (MAX_VALUE_CHARS + 1), "at most 500"),
        ("word", "\ud800", "not valid text"),
        ("allow", "", "empty"),
        ("pattern", "", "empty"),
        ("pattern", "x" * (MAX_VALUE_CHARS + 1), "at most 500"),
        ("pattern", "(?=a)b", "Look-ahead"),
        ("pattern", "(?<!a)b", "Look-ahead"),
        ("pattern", r"(a)\1", "back to a group"),
        ("pattern", "a*", "empty text"),
        ("pattern", "(", "missing )"),
        ("pattern", "a{5000}", "too large"),
        ("pattern", r"\pL{200}", "too large"),
        ("pattern", "\ud800", "not valid text"),
        ("domain", "https://casino.example/x", "bare host name"),
        ("domain", "co.uk", "public suffix"),
        ("domain", "com", "public suffix"),
        ("domain", "ca sino.example", "bare host name"),
        ("domain", "-x.example", "not a valid host"),
        ("domain", "", "bare host name"),
        ("author", " ", "empty"),
        ("network", "all", "not a network"),
        ("network", "203.0.113.7", "203.0.113.0/24"),
        ("network", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("network", "0.0.0.0/0", "large part"),
        ("network", "203.0.113.9/24", "203.0.113.0/24"),
    ],
)
def test_save_rule_that_is_wrong_says_what_to_change(kind: str, value: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate_rule(kind, value)
    field = "kind" if kind == "colour" else "value"
    assert hint in caught.value.fields[field][0]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("word", "*casino*"),
        ("word", "два слова"),
        ("pattern", r"\b(?:free|cheap)\s+watch(?:es)?\b"),
        ("pattern", r"\pL+\d"),
        ("domain", "blogspot.com"),
        ("domain", "bücher.example"),
        ("domain", "203.0.113.7"),
        ("author", "Spam Bot"),
        ("network", "203.0.113.0/24"),
        ("network", "2001:db8::/32"),
        ("allow", "virgin olive oil"),
    ],
)
def test_save_rule_that_is_right_accepted(kind: str, value: str) -> None:
    validate_rule(kind, value)
    assert not compile_rules([RuleRow("1", kind, value)]).broken


@settings(deadline=None)
@given(st.sampled_from(["word", "pattern", "domain", "author", "network", "allow", "?"]), st.text(max_size=40))
def test_save_any_rule_accepted_or_invalid_and_compiles_alike(kind: str, value: str) -> None:
    try:
        validate_rule(kind, value)
        valid = True
    except Invalid:
        valid = False
    assert compile_rules([RuleRow("1", kind, value)]).broken == (frozenset() if valid else {kind})


def test_compile_stored_rule_that_is_broken_makes_its_signal_unavailable() -> None:
    rules = compile_rules([RuleRow("1", "pattern", "("), RuleRow("2", "word", "fine")])
    assert not site_patterns(fold("text"), rules).available
    assert site_words(fold("text"), rules).available


def test_compile_too_many_patterns_makes_their_signal_unavailable() -> None:
    rows = [RuleRow(str(n), "pattern", f"p{n}x") for n in range(MAX_PATTERNS + 1)]
    assert site_patterns(fold("text"), compile_rules(rows[:-1])).available
    assert not site_patterns(fold("text"), compile_rules(rows)).available


def test_compile_same_rules_again_kept() -> None:
    rows = [RuleRow("1", "word", "casino")]
    assert compile_rules(rows) is compile_rules(iter(rows))


@pytest.mark.parametrize(
    ("url", "blocked"),
    [
        ("https://casino.example/x", True),
        ("https://www.casino.example", True),
        ("https://a.b.casino.example", True),
        ("https://notcasino.example", False),
        ("https://casino.example.org", False),
        ("https://CASINO.example.", True),
        ("https://xn--bcher-kva.example/", True),
        ("https://bücher.example/", True),
        ("http://203.0.113.7/", True),
        ("http://[::1", False),
    ],
)
def test_link_to_domain_blocked_with_its_subdomains(url: str, blocked: bool) -> None:
    values = ["casino.example", "bücher.example", "203.0.113.7"]
    rules = compile_rules([RuleRow(str(n), "domain", value, "spam") for n, value in enumerate(values)])
    assert (site_domains([url], None, None, rules).forces is Forces.SPAM) == blocked


def test_author_link_and_address_at_blocked_domain_both_named() -> None:
    rules = compile_rules([RuleRow("1", "domain", "casino.example")])
    signal = site_domains([], "https://casino.example/me", "mail.casino.example", rules)
    assert [e.text.split(" casino")[0] for e in signal.evidence] == [
        "The author's own link leads to",
        "The author's address is at",
    ]


def test_author_name_on_list_matched_folded_and_whole() -> None:
    rules = compile_rules([RuleRow("1", "author", "Spam Bot", "hold")])
    assert site_authors("  SPAM  Bоt", rules).forces is Forces.HOLD
    assert site_authors("Spam Botany", rules).forces is None


@pytest.mark.parametrize(
    ("listed", "sender", "matches"),
    [
        ("203.0.112.0/22", "203.0.113.0/24", True),
        ("203.0.113.0/24", "203.0.113.0/24", True),
        ("203.0.114.0/24", "203.0.113.0/24", False),
        ("2001:db8::/32", "2001:db8:1::/48", True),
        ("2001:db8::/32", "203.0.113.0/24", False),
        ("203.0.113.0/24", "", False),
    ],
)
def test_sender_in_listed_network_matches_without_naming_it(listed: str, sender: str, matches: bool) -> None:
    signal = site_networks(sender, compile_rules([RuleRow("1", "network", listed)]))
    assert bool(signal.evidence) == matches
    assert not any("203." in e.text or "2001:" in e.text for e in signal.evidence)


def test_judge_without_rules_says_nothing() -> None:
    signals = [site_words(fold("x"), NO_RULES), site_patterns(fold("x"), NO_RULES), site_authors("x", NO_RULES)]
    assert all(signal == Signal(signal.name) for signal in signals)


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("idiot", "You 1d10t, i d i o t, idiooot, 1diot!", ["1d10t", "i d i o t", "idiooot", "1diot"]),
        ("idiot", "idiocy, covid10t", []),
        ("1d10t", "an idiot", ["idiot"]),
        ("ass", "asss a$$ @ss, as", ["asss", "a$$", "@ss"]),
        ("fuck", "fuuuck f.u.c.k F-U-C-K", ["fuuuck", "f.u.c.k", "F-U-C-K"]),
        ("u.s.a", "in the U.S.A. too", ["U.S.A"]),
        ("f u c k", "f u c k", ["f u c k"]),
        ("fuuuck", "fuuuuuck", ["fuuuuuck"]),
        ("don't", "don’t", ["don’t"]),
        ("ебал", "е б а л, ебааал", ["е б а л", "ебааал"]),
    ],
)
def test_find_site_word_in_disguise_its_places(value: str, text: str, found: list[str]) -> None:
    assert sorted(words_found(value, text)) == sorted(found)


def test_allow_word_in_disguise_too() -> None:
    assert words_found("1diot", "the 1diot", RuleRow("2", "allow", "idiot")) == []


@pytest.mark.parametrize("spelled", ["1d10t", "i d i o t", "idiooot"])
def test_match_pattern_on_disguised_text_found_in_source(spelled: str) -> None:
    text = f"You {spelled}!"
    span = judged_pattern(r"\bidiot\b", text).evidence[0].spans[0]
    assert text[span.start : span.end] == spelled


def test_match_pattern_for_a_disguise_still_found_as_typed() -> None:
    assert judged_pattern(r"1d10t", "an 1d10t").evidence
    assert judged_pattern(r"(\w ){4}t", "i d i o t").evidence
