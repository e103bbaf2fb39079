"""Lists of words: read from plain text, found in comments, in a language, in a spelling, allowed."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.policy import Forces, Signal
from moderation.errors import Invalid
from moderation.scoring import literals
from moderation.scoring.folding import fold, fold_name
from moderation.scoring.literals import ListHead, Literals, WordList, Words, needle, read_list
from moderation.scoring.pipeline import Candidate, Pipeline
from moderation.scoring.words import (
    Profanity,
    RuleRow,
    compile_rules,
    profanity,
    site_patterns,
    site_words,
    validate_rule,
)

OURS = Profanity()


def listed(text: str, entries: str, language: str | None = None, **head: object) -> Signal:
    words = WordList(ListHead("rude", **head), read_list(entries, part=bool(head.get("part"))).text())  # type: ignore[arg-type]
    return site_words(fold(text), compile_rules((), [words]), language)


def found(text: str, entries: str, **head: object) -> list[str]:
    signal = listed(text, entries, **head)
    return [text[span.start : span.end] for evidence in signal.evidence for span in evidence.spans]


@pytest.mark.parametrize(
    ("entries", "text", "places"),
    [
        ("casino", "Casino, CASINO and casinos", ["Casino", "CASINO"]),
        ("casino*", "the casinos", ["casino"]),
        ("buy now", "so buy\nnow, buy  now", ["buy\nnow"]),
        ("buy\nbuy now\nbuy now please", "buy now please", ["buy", "buy now", "buy now please"]),
        ("buy now please", "buy now", []),
        ("$$$\nc++", "win $$$ with c++", ["$$$", "c++"]),
        ("_", "a_b _ c", ["_", "_"]),
        ("casinó", "a casino, a cаsino", ["casino", "cаsino"]),
        ("вор", "Он ВОР, а не воробей", ["ВОР"]),
        ("हिन्दी", "यह हिन्दी है, हिन्दीभाषा", ["हिन्दी"]),
    ],
)
def test_find_listed_words_their_places(entries: str, text: str, places: list[str]) -> None:
    assert found(text, entries) == places


def test_find_exact_entry_only_as_typed() -> None:
    assert found("IT and it, Ít", "IT", exact=True) == ["IT"]
    assert found("Café cafe", "Cafe\u0301", exact=True) == ["Café"]


def test_find_part_of_word_where_the_list_says_so() -> None:
    assert found("minicasinos", "casino", part=True) == ["casino"]
    assert list(read_list("ab", part=True).refused) == [1]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.text("ab *éа_$", min_size=1, max_size=6), min_size=1, max_size=6),
    st.text("ab éа_$\n\u200b", max_size=30),
)
def test_find_by_table_and_by_automaton_the_same(entries: list[str], text: str) -> None:
    stored = read_list("\n".join(entries)).text()
    body = fold(text)
    values = {fold_name(line) for line in stored.split("\n") if line}
    slow = {(entry, s, e) for entry, s, e in Literals((needle(v), v) for v in values).places(body.text)}
    assert set(WordList(ListHead("x"), stored).places(Words(body.text))) == slow


def test_match_list_weight_is_of_the_entry_or_of_the_list() -> None:
    entries = "mild\t0.1\nharsh\nfine\t-0.2"
    assert listed("mild", entries, weight=0.4).weight == 0.1
    assert listed("mild mild harsh fine", entries, weight=0.4).weight == pytest.approx(0.3)
    signal = listed("harsh", entries, action="hold")
    assert (signal.forces, signal.evidence[0].text) == (Forces.HOLD, 'On the site\'s list "rude": "harsh".')


@pytest.mark.parametrize(
    ("language", "fires"), [("de", True), ("en", False), ("und", True), (None, True)], ids=["same", "other", "und", "?"]
)
def test_match_rule_for_a_language_in_it_or_where_nobody_can_tell(language: str | None, fires: bool) -> None:
    row = RuleRow("1", "word", "die", language="de")
    pattern = RuleRow("2", "pattern", "d.e", language="de")
    rules = compile_rules([row, pattern], [WordList(ListHead("l", language="de"), "die")])
    assert bool(site_words(fold("die"), rules, language).evidence) == fires
    assert bool(site_patterns(fold("die"), rules, language).evidence) == fires
    signals = Pipeline().signals(Candidate("die", rules=rules, language=language))
    assert any(signal.name == "site_words" for signal in signals) == fires


def test_allow_list_spares_the_built_in_list_and_the_sites_words() -> None:
    allow = WordList(ListHead("ok", "allow"), "god\nvirgin olive oil")
    rules = compile_rules([RuleRow("1", "word", "oil")], [allow])
    assert profanity(OURS, fold("g0d, God, virgin olive oil"), rules).weight == 0
    assert site_words(fold("virgin olive oil"), rules).weight == 0
    assert site_words(fold("oil"), rules).weight == 0.5
    german = compile_rules((), [WordList(ListHead("ok", "allow", language="de"), "god")])
    assert profanity(OURS, fold("god"), german, "en").weight
    assert not profanity(OURS, fold("god"), german, "de").weight


def test_match_exact_rule_and_pattern_with_case_in_the_source() -> None:
    rules = compile_rules([RuleRow("1", "word", "IT", exact=True), RuleRow("2", "pattern", r"\bUS\b", exact=True)])
    assert not site_words(fold("it"), rules).evidence
    assert site_words(fold("ask IT"), rules).evidence[0].spans[0].start == 4
    assert not site_patterns(fold("tell us"), rules).evidence
    assert site_patterns(fold("the US"), rules).evidence


def test_match_part_of_a_word_by_option_the_same_as_by_asterisks() -> None:
    rules = compile_rules([RuleRow("1", "word", "casino", part=True)])
    assert site_words(fold("minicasinos"), rules).evidence[0].spans[0].start == 4


@pytest.mark.parametrize(
    ("kind", "options", "field"),
    [
        ("word", {"language": "deu"}, "language"),
        ("word", {"language": "DE"}, "language"),
        ("domain", {"language": "de"}, "language"),
        ("author", {"exact": True}, "match"),
        ("pattern", {"part": True}, "part"),
    ],
)
def test_save_rule_with_an_option_that_does_not_fit_names_it(kind: str, options: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate_rule(kind, "x.example", **options)  # type: ignore[arg-type]
    assert list(caught.value.fields) == [field]


def test_read_list_passes_over_comments_blanks_bom_and_line_ends() -> None:
    read = read_list("\ufeff# rude words\r\ncasino\r\n\r\n  free money \t 0.25\rcasino\n\\#tag\n  # more\n")
    assert read.entries == {"casino": None, "free money": 0.25, "#tag": None}
    assert read.refused == {}
    assert read_list(read.text()).entries == {"casino": None, "free money": 0.25}


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("a*b", "start or the end"),
        ("*a", "almost every text"),
        ("\u200b", "empty"),
        ("\ud800x", "not valid text"),
        ("x" * 201, "at most 200"),
        ("m\ufffdll", "not in UTF-8"),
        ("word\theavy", "-1 to 1"),
        ("word\tnan", "-1 to 1"),
        ("word\t1.5", "-1 to 1"),
    ],
)
def test_read_list_names_the_line_that_it_refuses(line: str, hint: str) -> None:
    read = read_list(f"fine\n{line}\nalso fine")
    assert list(read.refused) == [2]
    assert hint in read.refused[2]
    assert list(read.entries) == ["fine", "also fine"]


def test_read_list_beyond_the_most_stops_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "MAX_ENTRIES", 3)
    read = read_list("a\nb\nc\na\nd\ne")
    assert (list(read.entries), list(read.refused)) == (["a", "b", "c"], [5])


def test_read_list_of_more_lines_than_anybody_needs_stops_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "MAX_LINES", 4)
    read = read_list("a\na\na\na\nb\nc")
    assert (list(read.entries), list(read.refused)) == (["a"], [5])


def test_read_and_compile_fifty_thousand_words_in_time_and_found() -> None:
    letters = random.Random(7)
    words = ["".join(letters.choices("abcdefghijklmnop", k=letters.randint(5, 11))) for _ in range(50_000)]
    began = time.process_time()
    stored = read_list("\n".join(words)).text()
    read_s = time.process_time() - began
    compiled = WordList(ListHead("big"), stored)
    compiled_s = time.process_time() - began - read_s
    assert (read_s < 2, compiled_s < 0.5) == (True, True), (read_s, compiled_s)
    text = fold("A quiet remark, " * 19)
    rules = compile_rules((), [compiled])
    began = time.process_time()
    for _ in range(1_000):
        site_words(text, rules)
    assert (time.process_time() - began) / 1_000 < 100e-6
    assert site_words(fold(f"a {words[77]} b"), rules).weight == 0.5


def test_find_more_matches_than_anybody_looks_at_is_unavailable() -> None:
    rules = compile_rules([RuleRow(str(n), "word", "a" * n, part=True) for n in range(3, 60)])
    began = time.process_time()
    signals = Pipeline().signals(Candidate("a" * 20_000, rules=rules), only={"site_words"})
    assert [signal.available for signal in signals] == [False]
    assert time.process_time() - began < 2


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300))
def test_read_any_text_accepted_or_refused_and_then_compiles(text: str) -> None:
    read = read_list(text)
    WordList(ListHead("x"), read.text())
    assert read_list(read.text().replace("#", "\\#")).refused == {}


def test_list_of_phrases_that_a_text_is_full_of_is_refused_as_well() -> None:
    found = WordList(ListHead("p"), read_list("\n".join(" ".join(["aa"] * n) for n in range(1, 60))).text())
    assert len(list(found.places(Words("aa aa aa")))) == 6
    with pytest.raises(ValueError, match="Too many"):
        list(found.places(Words("aa " * 3_333)))
