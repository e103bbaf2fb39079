"""The wrapper around better-profanity answers what the library answers; the signal makes modest use of it."""

import json
import os
import random
import string
import time
from pathlib import Path

import better_profanity
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.scoring.folding import fold
from moderation.scoring.words import NO_RULES, OFTEN_HARMLESS, Profanity, RuleRow, compile_rules, profanity

LIBRARY = better_profanity.Profanity()
OURS = Profanity(LIBRARY)
LISTED = [str(entry) for entry in LIBRARY.CENSOR_WORDSET]
# A small list keeps the library fast enough for thousands of longer texts; it has each kind of word.
FEW = [
    "ass",
    "god",
    "shit",
    "blow job",
    "son-of-a-bitch",
    "2 girls 1 cup",
    "s.h.i.t.",
    "sh!+",
    "l3i+ch",
    "masterbat*",
    "xx",
]
FEW_LIBRARY = better_profanity.Profanity(FEW)
FEW_OURS = Profanity(FEW_LIBRARY)


def censored(ours: Profanity, text: str) -> str:
    """The library's ``censor``, from our hits: not only the answer but each place must be the same."""
    parts, done = [], 0
    for hit in ours.hits(text):
        parts += [text[done : hit.start], "****"]
        done = hit.end
    return "".join(parts) + text[done:]


def disguised(word: str, rnd: random.Random) -> str:
    """Leet by the library's mapping, capitals, separators: what it knows, and what it does not."""
    letters = []
    for char in word:
        if rnd.random() < 0.3:
            char = rnd.choice(LIBRARY.CHARS_MAPPING.get(char, (char,)))
        if rnd.random() < 0.15:
            char = char.upper()
        if rnd.random() < 0.1:
            char += rnd.choice(" .-_!\n*@é\u212a")
        letters.append(char)
    return "".join(letters)


def sentence(rnd: random.Random, words: list[str], most: int) -> str:
    """Listed words, near misses, ordinary words and noise, with all sorts of separators."""
    ordinary = ["have", "people", "here", "even", "take", "list", "guy", "the", "oil", "İstanbul", "ſtop", "a", "naïve"]
    parts = []
    for _ in range(rnd.randint(0, most)):
        kind = rnd.random()
        if kind < 0.4:
            parts.append(disguised(rnd.choice(words), rnd))
        elif kind < 0.8:
            parts.append(rnd.choice(ordinary))
        else:
            parts.append("".join(rnd.choices(string.printable + "*@$éß\u200b", k=rnd.randint(1, 4))))
        parts.append(rnd.choice([" ", " ", "  ", "\n", "-", "_", ".", ", ", "", "+", "'", '"']))
    return "".join(parts)


@pytest.mark.parametrize("seed", range(10))
def test_find_words_in_generated_strings_same_as_library(seed: int) -> None:
    rnd = random.Random(seed)
    for _ in range(120):
        text = sentence(rnd, LISTED, 3)
        assert OURS.contains_profanity(text) == LIBRARY.contains_profanity(text), text


@pytest.mark.parametrize("seed", range(10))
def test_find_words_with_a_short_list_same_places_as_library(seed: int) -> None:
    rnd = random.Random(seed)
    for _ in range(600):
        text = sentence(rnd, FEW, 9)
        want = FEW_LIBRARY.censor(text)
        assert censored(FEW_OURS, text) == want, text
        assert FEW_OURS.contains_profanity(text) == (want != text), text


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="as$5@*4hi1t!+ .-_G0oDxX2gr'\n\u212aİ\x01\x02éж“?", max_size=40))
def test_find_words_in_letter_soup_same_places_as_library(text: str) -> None:
    assert censored(FEW_OURS, text) == FEW_LIBRARY.censor(text)


@pytest.mark.parametrize(
    "text",
    [
        "b low j0b",
        "2 girls 1 cup",
        "tw0 2 g1rls 1 cup",
        "bl0w-jo b x",
        "naïve, s hit x",
        "“shit”",
        "жasж ass",
        "a\x02ss ass",
        "son-of-a-b1tch",
        "was a",
        "455",
    ],
)
def test_find_words_across_and_beside_others_same_places_as_library(text: str) -> None:
    assert censored(FEW_OURS, text) == FEW_LIBRARY.censor(text)
    assert OURS.contains_profanity(text) == LIBRARY.contains_profanity(text)


def test_find_words_of_the_whole_list_each_is_found_as_by_the_library() -> None:
    # Alone and whole, and spelled with the last variant of each letter.
    for word in random.Random(1).sample(LISTED, 60):
        for text in (word, "".join(LIBRARY.CHARS_MAPPING.get(char, (char,))[-1] for char in word) + " x"):
            assert OURS.contains_profanity(text) == LIBRARY.contains_profanity(text), text


@pytest.mark.skipif("SHARED_DATA" not in os.environ, reason="SHARED_DATA names the folder with replay.jsonl")
def test_find_words_in_real_comments_same_places_as_library() -> None:
    lines = (Path(os.environ["SHARED_DATA"]) / "replay.jsonl").read_text(encoding="utf-8").splitlines()
    bodies = [body for line in lines if len(body := json.loads(line)["submission"]["body"]) < 300]
    for body in random.Random(2).sample(bodies, 12):
        assert censored(OURS, body) == LIBRARY.censor(body), body


def test_find_words_of_300_characters_at_least_100_times_faster_than_library() -> None:
    text = ("The people here have even more to say on virgin olive oil than the last list of salt did. " * 4)[:300]
    began = time.process_time()
    LIBRARY.contains_profanity(text)
    library_s = time.process_time() - began
    began = time.process_time()
    for _ in range(20):
        OURS.contains_profanity(text)
    assert library_s > 100 * (time.process_time() - began) / 20


def test_judge_rude_words_modest_weight_with_spans_in_source() -> None:
    text = "What an a$$hole, and a fucking idiot."
    signal = profanity(OURS, fold(text), NO_RULES)
    assert [text[span.start : span.end] for span in signal.evidence[0].spans] == ["a$$hole", "fucking"]
    assert 0.2 < signal.weight <= 0.4
    assert signal.scores["obscene"] > 0.5
    assert signal.forces is None


@pytest.mark.parametrize("text", ["God bless", "gay rights now", "a bottle of virgin olive oil", "organ donors"])
def test_judge_words_that_are_often_harmless_below_the_usual_limit(text: str) -> None:
    signal = profanity(OURS, fold(text), NO_RULES)
    assert LIBRARY.contains_profanity(text)
    assert 0 < signal.weight <= 0.1
    assert signal.scores["obscene"] <= 0.2


def test_judge_text_full_of_profanity_never_reaches_spam_alone() -> None:
    assert profanity(OURS, fold("fuck shit cunt " * 200), NO_RULES).weight <= 0.4


@pytest.mark.parametrize("text", ["ѕhit", "ｓｈｉｔ", "shít"])
def test_judge_look_alikes_that_the_library_misses_found_in_folded_copy(text: str) -> None:
    body = f"oh {text} no"
    signal = profanity(OURS, fold(body), NO_RULES)
    assert not LIBRARY.contains_profanity(body)
    assert [body[span.start : span.end] for span in signal.evidence[0].spans] == [text]


def test_judge_with_allowed_word_drops_it_and_keeps_the_others() -> None:
    rules = compile_rules([RuleRow("1", "allow", "God"), RuleRow("2", "allow", "virgin olive oil")])
    assert profanity(OURS, fold("g0d and God and virgin olive oil"), rules).weight == 0
    assert profanity(OURS, fold("god, a virgin"), rules).evidence[0].text.count('"') == 2


def test_find_word_that_is_listed_itself_named_as_such() -> None:
    assert [hit.word for hit in OURS.hits("sh1t, shit")] == ["sh1t", "shit"]


def test_list_of_often_harmless_words_holds_only_words_of_the_library() -> None:
    assert set() == OFTEN_HARMLESS - set(LISTED)


def test_fold_classes_of_the_word_list_no_hit_can_be_censored_to_itself() -> None:
    # "****" for a word of four stars would be no change, and then a hit would not mean contains_profanity.
    starrable = {letter for letter, stand_ins in LIBRARY.CHARS_MAPPING.items() if "*" in stand_ins}
    assert all(set(word[:4]) - starrable for word in LISTED)
