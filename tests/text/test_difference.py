"""What changed between two texts: both can be put together again from it, it reads well, and nothing makes it slow."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.domain.difference import difference

TEXTS = st.text(st.sampled_from("ab .\n'漢字https:/é̂😀"), max_size=80)


@given(TEXTS, TEXTS)
def test_compare_any_two_texts_keeps_both_whole(before: str, after: str) -> None:
    pieces = difference(before, after)
    assert "".join(text for kind, text in pieces if kind != "added") == before
    assert "".join(text for kind, text in pieces if kind != "removed") == after
    assert all(text for _, text in pieces)
    assert all(one[0] != two[0] for one, two in pairwise(pieces))


def test_compare_two_sentences_names_the_words_that_changed() -> None:
    assert difference("The ferry is good, see https://a.example/b.", "The ferry is bad, see https://a.example/c.") == [
        ("same", "The ferry is "),
        ("removed", "good"),
        ("added", "bad"),
        ("same", ", see "),
        ("removed", "https://a.example/b."),
        ("added", "https://a.example/c."),
    ]


def test_compare_scripts_without_blanks_goes_by_letters() -> None:
    assert difference("夜の船は安全です", "夜の船は危険です") == [
        ("same", "夜の船は"),
        ("removed", "安全"),
        ("added", "危険"),
        ("same", "です"),
    ]


def test_compare_two_words_far_apart_in_a_long_text_names_these_alone() -> None:
    before = "".join(f"Sentence {number} has words. " for number in range(700))
    after = before.replace("Sentence 400 has", "Sentence 400 had").replace("Sentence 3 has", "The 3 has")
    changed = [piece for piece in difference(before, after) if piece[0] != "same"]
    assert changed == [("removed", "Sentence"), ("added", "The"), ("removed", "has"), ("added", "had")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x " * 10_000, "x x" * 6_666),
        ("." * 20_000, "." * 19_000 + "!" * 1_000),
        ("a. " * 6_666, "b. " * 6_666),
        ("a b " * 5_000, "b c " * 5_000),
        ("\n " * 10_000, " \n" * 10_000),
        ("漢" * 20_000, "字漢" * 10_000),
        ("".join(f"x,{chr(0x100 + i)}," for i in range(60)), "".join(f"x,{chr(0x400 + i)}," for i in range(60))),
        ("".join(f"s{i}. " for i in range(480)), "".join(f"s{i}. t{i}. " for i in range(480))),
    ],
)
def test_compare_texts_that_were_made_to_be_slow_takes_a_moment(before: str, after: str) -> None:
    began = time.process_time()
    difference(before, after)
    assert time.process_time() - began < 0.5
