"""The sentences that the model is trained and measured on: nothing that is measured may have been learned."""

import random

import pytest

from moderation.scoring.folding import fold
from moderation.scoring.tokens import words
from training import contrast, contrast_grammar, plot

PARTS = ("train", "calibrate", "test")
GRAMMAR = list(contrast_grammar.sentences(contrast.people_trained(), ["exampleslur"]))


def read(text: str) -> tuple[str, ...]:
    return tuple(words(fold(text).text))


def test_split_sentences_no_text_is_in_two_parts() -> None:
    texts = {part: {read(s.text) for s in contrast.sentences() if s.part == part} for part in PARTS}
    assert all(texts.values())
    for one, other in (("train", "calibrate"), ("train", "test"), ("calibrate", "test")):
        assert not texts[one] & texts[other]


def test_put_together_sentences_none_of_them_is_measured_on() -> None:
    measured = {
        read(text)
        for text in (
            *contrast.identity_held_out(),
            *contrast.identity_held_out(terms_held_out=False),
            *contrast.hateful_held_out(),
            *contrast.counter_held_out(),
            *contrast.news_held_out(),
        )
    }
    assert not measured & {read(made.text) for made in GRAMMAR}


def test_put_together_sentences_same_seed_same_sample() -> None:
    again = contrast_grammar.sentences(contrast.people_trained(), ["exampleslur"])
    assert [made.text for made in again] == [made.text for made in GRAMMAR]


def test_put_together_sentences_every_part_filled_and_labels_are_shares() -> None:
    assert not [made.text for made in GRAMMAR if "{" in made.text or "}" in made.text]
    assert all(label != label or 0 <= label <= 1 for made in GRAMMAR for label in made.labels)


def test_put_together_sentences_held_out_terms_stay_out() -> None:
    held = {one.lower() for one in contrast.terms_held_out()}
    said = [made.text.lower() for made in GRAMMAR]
    assert held
    assert not [text for text in said for one in held if f" {one} " in f" {text} "]


@pytest.mark.parametrize(("part", "before"), [("apple", "a "), ("idiot", "You are a "), ("old man", "A ")])
def test_fill_frame_vowel_takes_an(part: str, before: str) -> None:
    assert contrast_grammar._with_article(before, part).endswith(f"n {part}")


def test_fill_frame_no_article_before_it_left_alone() -> None:
    assert contrast_grammar._with_article("These ", "apples") == "These apples"


def test_plot_reliability_names_are_escaped_and_points_lie_inside() -> None:
    dice = random.Random(1)
    bins = [(dice.random(), dice.random(), 0.1) for _ in range(10)]
    svg = plot.reliability("<b> & co", {"toxicity": bins, "spam": bins})
    assert "<b>" not in svg
    assert svg.count("<circle") == 20
