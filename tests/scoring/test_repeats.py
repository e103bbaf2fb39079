"""Fingerprints and what repeats weigh."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.policy import Signal
from moderation.scoring.repeats import NEAR, Earlier, bands, fingerprint, repeats, similarity

LONG = "Our watches are the finest in town and every one of them is sold at half the price with free delivery to you"
MEDIUM = "I earn two hundred a day from my kitchen table. Ask me how on my page! It takes an hour."
SHORT = "Come and see my new cooking channel today"

EDITS = {
    "a name before": lambda text: f"@Ana {text}",
    "a greeting before": lambda text: f"Well hello, {text}",
    "digits behind": lambda text: f"{text} 48213",
    "emoji behind": lambda text: f"{text} \U0001f525\U0001f44d",
    "a link behind": lambda text: f"{text} https://x17.example/a?b=9",
    "look-alikes": lambda text: text.replace("o", "о").replace("a", "а"),
    "leet": lambda text: text.replace("o", "0").replace("e", "3").replace("i", "1"),
    "letters apart": lambda text: " ".join(text),
    "dots for blanks": lambda text: text.replace(" ", "..."),
    "capitals": str.upper,
    "halves changed round": lambda text: f"{text[len(text) // 2 :]} {text[: len(text) // 2]}",
}


def earlier(count: int, state: str, *, same_thread: bool = False) -> list[Earlier]:
    return [Earlier(f"{state}{n}", state, same_thread) for n in range(count)]


def found_near(one: str, other: str) -> bool:
    a, b = fingerprint(one).sketch, fingerprint(other).sketch
    return bool(set(bands(a)) & set(bands(b))) and similarity(a, b) >= NEAR


@pytest.mark.parametrize("other", [LONG.upper(), LONG.replace(" ", "\n \n"), LONG.replace("o", "о"), f"  {LONG}\u200b"])
def test_fingerprint_of_the_same_text_in_disguise_equal(other: str) -> None:
    assert fingerprint(other) == fingerprint(LONG)


def test_fingerprint_is_stable_between_versions() -> None:
    # Stored in databases: after a change here, or in the folding, operators have to run 'moderation regroup'.
    print_ = fingerprint(LONG)
    assert print_.exact.hex() == "6da1018f28c082ea23cf149499bbbd72"
    assert (
        print_.sketch.hex()
        == "02033e9ff5d5841356d7772946a727d573d9847f578335e1cc9e41afa15491cde71cb333a3f64a6698e6d759882e96304f"
    )
    assert bands(print_.sketch)[0] == 2199023468191
    assert (
        fingerprint("Ünïcode, größer als üblich, und noch etwas 👍 mehr").sketch.hex()
        == "025a307c6ac21a0b7366abb1dc953049a534f967dc3269050fc5cc7c9d3237849fff8ed05414cae47e49297f21658f3849"
    )


def test_fingerprint_in_another_process_is_the_same() -> None:
    program = "import sys; from moderation.scoring.repeats import fingerprint as f; print(f(sys.argv[1]).sketch.hex())"
    done = subprocess.run([sys.executable, "-c", program, LONG], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(LONG).sketch.hex()


@pytest.mark.parametrize(
    "text", ["I agree with you!", "Thanks!", "", "!" * 500, "https://spam.example/a-long-address-of-it"]
)
def test_fingerprint_of_short_text_has_no_bands(text: str) -> None:
    assert bands(fingerprint(text).sketch) == ()


@settings(deadline=None)
@given(st.text())
def test_fingerprint_of_any_text_fits_the_database(text: str) -> None:
    found = fingerprint(text)
    keys = bands(found.sketch)
    assert len(found.exact) == 16
    assert len(found.sketch) in {0, 49}
    assert len(keys) == len(set(keys)) == (10 if found.sketch else 0)
    assert all(2**41 <= band < 2**42 for band in keys)


@settings(deadline=None)
@given(st.text(min_size=20, max_size=300), st.text(max_size=300))
def test_similarity_of_any_two_is_a_share_and_symmetric(one: str, other: str) -> None:
    a, b = fingerprint(one).sketch, fingerprint(other).sketch
    assert 0 <= similarity(a, b) == similarity(b, a) <= 1
    assert similarity(a, a) == (1 if a else 0)


def test_similarity_of_sketches_of_two_versions_is_nothing() -> None:
    sketch = fingerprint(LONG).sketch
    older = bytes([1]) + sketch[1:]
    assert similarity(sketch, older) == 0
    assert not set(bands(sketch)) & set(bands(older))


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("text", [SHORT, MEDIUM, LONG], ids=["short", "medium", "long"])
def test_compare_edited_text_found_near(text: str, edit: object) -> None:
    assert callable(edit)
    assert found_near(text, edit(text))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (LONG, LONG.replace("finest", "cheapest").replace("town", "city")),
        (MEDIUM, MEDIUM.replace("kitchen", "garden")),
        (MEDIUM, "It takes an hour. Ask me how on my page! I earn two hundred a day from my kitchen table."),
        (SHORT, SHORT.replace("today", "tonight")),
    ],
)
def test_compare_text_with_words_changed_found_near(text: str, other: str) -> None:
    assert found_near(text, other)


def test_compare_texts_in_letters_without_blanks_found_near() -> None:
    text = "这家餐厅的服务非常好而且价格也很便宜我们下次一定会再来这里吃饭"
    assert found_near(text, f"大家好{text}")
    assert not found_near(text, "市议会星期二投票决定保留夜间渡轮村里没有人预料到这个结果出现")


OTHER_THINGS = (
    "The council voted on Tuesday to close the old bridge until the spring, which nobody in the village wanted",
    "The council voted on Tuesday to keep the night ferry and to raise the fare by a third from next month on",
    "I do not think that the mayor has read the report that he talks about",
    "I do not think that you have ever been on that ferry in winter",
    "Could somebody explain to me why the library has to close at noon?",
)


def test_compare_texts_on_other_things_not_near() -> None:
    texts = [*OTHER_THINGS, LONG, MEDIUM, SHORT]
    assert not any(found_near(one, other) for one in texts for other in texts if one is not other)


def test_judge_no_earlier_ones_nothing() -> None:
    assert repeats(LONG, [], []) == Signal("repeats")


def test_judge_same_text_as_spam_says_so_and_weighs_most() -> None:
    signal = repeats(LONG, [*earlier(2, "spam"), *earlier(1, "pending", same_thread=True)], [])
    assert signal.evidence[0].text == (
        "The same text as 2 comments that were marked as spam and 1 that waits, 1 of them in this thread."
    )
    assert signal.weight == 0.9
    assert repeats(LONG, earlier(1, "approved"), []).weight == 0.1


def test_judge_near_text_says_what_became_of_each() -> None:
    found = [*earlier(20, "spam"), *earlier(1, "approved"), *earlier(3, "rejected")]
    assert repeats(LONG, [], found).evidence[0].text == (
        "Like 20 comments that were marked as spam, 3 that were rejected and 1 that was approved."
    )
    assert repeats(LONG, [], earlier(1, "spam")).evidence[0].text == "Like 1 comment that was marked as spam."
    assert repeats(LONG, [], earlier(2, "deleted")).evidence[0].text == "Like 2 comments that went."


def test_judge_short_text_again_weighs_little() -> None:
    assert repeats("Thanks!", earlier(9, "approved"), []).weight == 0.1


def test_judge_common_phrase_of_which_one_was_spam_stays_below_a_sites_limit() -> None:
    assert repeats("Thanks!", earlier(1, "spam"), []).weight < 0.2
    assert repeats("Thanks!", [*earlier(1, "spam"), *earlier(19, "approved")], []).weight < 0.12


def test_judge_text_approved_far_more_often_than_marked_is_not_taken_for_spam() -> None:
    mostly_fine = repeats(LONG, [*earlier(1, "spam"), *earlier(2, "approved")], [])
    assert mostly_fine.weight < repeats(LONG, earlier(3, "spam"), []).weight - 0.3


def test_judge_comment_in_both_lists_counted_once() -> None:
    same = earlier(1, "spam")
    assert repeats(LONG, same, same) == repeats(LONG, same, [])


def test_judge_near_text_weighs_less_than_same_text() -> None:
    assert 0 < repeats(LONG, [], earlier(1, "spam")).weight < repeats(LONG, earlier(1, "spam"), []).weight
