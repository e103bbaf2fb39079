"""Fingerprints and what repeats weigh."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.policy import Signal
from moderation.scoring.repeats import NEAR, Earlier, distance, fingerprint, repeats

LONG = "Our watches are the finest in town and every one of them is sold at half the price with free delivery to you"


def earlier(count: int, state: str, *, same_thread: bool = False) -> list[Earlier]:
    return [Earlier(f"{state}{n}", state, same_thread) for n in range(count)]


@pytest.mark.parametrize("other", [LONG.upper(), LONG.replace(" ", "\n \n"), LONG.replace("o", "о"), f"  {LONG}\u200b"])
def test_fingerprint_of_the_same_text_in_disguise_equal(other: str) -> None:
    assert fingerprint(other) == fingerprint(LONG)


def test_fingerprint_is_stable_between_versions() -> None:
    # Stored in databases: a change here needs a migration that makes them anew.
    print_ = fingerprint(LONG)
    assert print_.exact.hex() == "6da1018f28c082ea23cf149499bbbd72"
    assert print_.simhash == 4211656786916793146


def test_fingerprint_of_short_text_has_no_bands() -> None:
    assert fingerprint("I agree with you on that").bands == ()
    assert fingerprint("").simhash == 0


@settings(deadline=None)
@given(st.text())
def test_fingerprint_of_any_text_fits_the_database(text: str) -> None:
    found = fingerprint(text)
    assert len(found.exact) == 16
    assert len(found.bands) in {0, 4}
    assert all(0 <= band < 2**18 for band in found.bands)
    assert [band >> 16 for band in found.bands] == list(range(len(found.bands)))
    assert -(2**63) <= found.simhash < 2**63


@pytest.mark.parametrize("other", [f"@Ana {LONG}", LONG.replace("town", "city"), LONG.replace("every one", "each")])
def test_compare_nearly_the_same_text_near(other: str) -> None:
    assert distance(fingerprint(LONG).simhash, fingerprint(other).simhash) <= NEAR + 4


def test_compare_texts_on_other_things_far() -> None:
    other = "The council voted on Tuesday to close the old bridge until the spring, which nobody in the village wanted"
    assert distance(fingerprint(LONG).simhash, fingerprint(other).simhash) > NEAR + 8


def test_distance_of_negative_and_positive_counts_64_bits() -> None:
    assert distance(-1, 0) == 64
    assert distance(-(2**63), 0) == 1


def test_judge_no_earlier_ones_nothing() -> None:
    assert repeats(LONG, [], []) == Signal("repeats")


def test_judge_same_text_as_spam_says_so_and_weighs_most() -> None:
    signal = repeats(LONG, [*earlier(2, "spam"), *earlier(1, "pending", same_thread=True)], [])
    assert signal.evidence[0].text == "The same text as 3 comments, 2 of them spam, 1 in this thread."
    assert signal.weight == 0.9
    assert repeats(LONG, earlier(1, "approved"), []).weight == 0.1


def test_judge_short_text_again_weighs_little() -> None:
    assert repeats("Thanks!", earlier(9, "approved"), []).weight == 0.1


def test_judge_comment_in_both_lists_counted_once() -> None:
    same = earlier(1, "spam")
    assert repeats(LONG, same, same) == repeats(LONG, same, [])


def test_judge_near_text_weighs_less_than_same_text() -> None:
    assert 0 < repeats(LONG, [], earlier(1, "spam")).weight < repeats(LONG, earlier(1, "spam"), []).weight
