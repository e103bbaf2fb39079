"""The spam model as shipped: what it calls spam and what it leaves alone, its exact evidence, its cost."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.scoring import attributes
from moderation.scoring.folding import fold
from moderation.scoring.spam import Noticed, number_of, pair_rows
from moderation.scoring.spam_traits import TRAITS, traits
from moderation.scoring.spam_words import KINDS, kind_of, kind_pairs, plain_word
from moderation.scoring.tokens import MAX_CHARS, words

MODEL = attributes.load()


def noticed(text: str, links: int = 0) -> Noticed:
    folded = fold(text)
    return MODEL._spam.features(folded, words(folded.text), links)


def score(text: str) -> float:
    return MODEL.scores(fold(text))["spam"]


SPAM = [
    "Yo guys, could you drop by my channel? I do skate videos and I really need subs",
    "sub for a sub, I never unsub",
    "suscribe to my chanel plzzz",
    "Check out our first single, it's on my page!!",
    "Watch my new drum cover of this tune: https://www.youtube.com/watch?v=Zz81kQ",
    "If we hit 300 subscribers tonight I will eat a raw onion",
    "Like this comment if your dog is better than you",
    "My aunt earns $4,200 a month from her sofa, find out how at http://sofa-income.biz/?ref=81",
    "I put in $500 with Mrs Dorothy Lane and took out $6,400 in nine days. Message her on Telegram @lanefx",
    "A hacker called Vik recovered my stolen bitcoin, write to vikrecovers@coinback-desk.com",
    "Urgent loan at 2%? Apply today, WhatsApp +44 7700 900321",
    "Buy cheap cialis online without a prescription http://pharm-24.top",
    "Best casino of the year, $300 bonus for new players http://spin77.club/go",
    "Real backlinks and guest posts from $20, first page of Google guaranteed, seo4all@rankhouse.net",
    "We write your thesis on time, low price, visit www.thesis4u.info",
    "Hot single ladies in your town want to chat, join free http://meet2nite.xyz",
    "Wonderful article, I have bookmarked it. Please visit my website http://www.lawn-care-tips.biz",
    "You have won a gift card! Claim it now: http://tinyurl.com/9xk2",
    "<a href=\"http://www.prize-pool.info/?r=99\">http://www.prize-pool.info/?r=99</a> free phones<br />",
]  # fmt: skip

ORDINARY = [
    "The agenda is on the town's site, www.millbrook.gov/agenda, and item four is the one that matters.",
    "Here is the ruling everybody talks about: https://www.courtwatch.org/2023/11/14/ruling-in-the-water-case",
    "https://www.weeklycourier.co.uk/news/school-roof-falls-in-554120 says there were two warnings.",
    "I subscribe to the paper edition and I would miss the crossword.",
    "Please subscribe to a newspaper, any newspaper, or there will be none left.",
    "If you feel low, call the helpline on 116 123, they listen.",
    "We paid 85 euros for the train and stood all the way.",
    "Watch the hearing before you judge her.",
    "Click on the second chart and you will see that the axis starts at ninety.",
    "Bitcoin has lost half its value again, who could have known.",
    "The bank refused the loan although the shop makes a profit.",
    "They should close the casino and open a school in the building.",
    "He earned $2.3 million last year and his nurses earned $31,000.",
    "@Martin, please read the third paragraph again.",
    "Thank you for this article, I learned a lot.",
    "Great post.",
    "Still listening to this song in 2024",
    "400 million views, how?",
    "The drummer at 1:12 is the best part",
    "I WILL NOT VOTE FOR ANY OF THEM!!!",
    "Check your mail, I sent you the minutes.",
    "Der Bahnhof ist seit drei Wochen gesperrt, und niemand weiß warum.",
    "Siehe den Bericht der Stadt: https://www.neustadt-am-see.de/rat/bericht-2024.pdf",
    "A ponte está fechada há um mês e ninguém explica nada.",
    "Le maire a promis une école, nous attendons toujours.",
]


@pytest.mark.parametrize("text", SPAM)
def test_score_kinds_of_spam_flagged(text: str) -> None:
    assert score(text) >= MODEL.thresholds["spam"]


@pytest.mark.parametrize("text", ORDINARY)
def test_score_ordinary_comment_not_flagged(text: str) -> None:
    assert score(text) < MODEL.thresholds["spam"]


def test_read_default_threshold_is_near_one_half() -> None:
    assert 0.4 <= MODEL.thresholds["spam"] <= 0.6


@pytest.mark.parametrize("text", [*SPAM, *ORDINARY, "", "👍"])
def test_notice_text_shares_add_up_to_the_logit(text: str) -> None:
    found = noticed(text)
    total = float(found.word_shares.sum()) + float(found.trait_shares.sum()) + MODEL._spam._bias
    assert total == pytest.approx(found.logit, abs=1e-4)
    assert len(found.word_shares) == len(words(fold(text).text))
    assert len(found.trait_shares) == len(TRAITS)


def test_notice_word_left_out_its_share_is_gone() -> None:
    """Weights of words are additive: of one word alone, the share is what it adds to a text without words."""
    model = MODEL._spam
    alone = noticed("viagra")
    weight = model._word("viagra")[0]
    assert alone.word_shares.tolist() == pytest.approx([weight])


@given(st.lists(st.text(max_size=8), min_size=1, max_size=12))
def test_read_pairs_in_the_rows_that_training_gives_them(found: list[str]) -> None:
    numbers = [number_of(plain_word(token)) for token in found]
    pairs = MODEL._spam.features(fold(" ".join(found)), found)._pairs
    assert pairs == [MODEL._spam._words[row] for row in pair_rows(numbers)]


def test_judge_spam_evidence_names_words_and_traits() -> None:
    text = "Nice view from up there. Check out my channel and subscribe: http://www.youtube.com/user/hillwalker"
    signal = MODEL.judge(fold(text))
    evidence = next(e for e in signal.evidence if e.text.startswith("Spam"))
    carried = " ".join(text[span.start : span.end] for span in evidence.spans)
    assert "channel" in carried
    assert "view from" not in carried
    assert "asking" in evidence.text


def test_notice_links_of_the_rendered_text_count() -> None:
    assert noticed("read on", links=3).logit != noticed("read on").logit


@pytest.mark.parametrize("word", ["subscribe", "suscribe", "subcribe", "subscirbe", "suscribanse", "subscribing"])
def test_read_subscribing_in_many_spellings_one_kind(word: str) -> None:
    assert KINDS[kind_of(word)] == "subscribes"


@pytest.mark.parametrize("word", ["success", "suburb", "substance", "describe", "succumb", "susan", "s", ""])
def test_read_words_alike_no_subscribing(word: str) -> None:
    assert KINDS[kind_of(word)] != "subscribes"


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("https://a.example/b", "<link>"),
        ("www.a.example", "<link>"),
        ("2024", "<year>"),
        ("1999", "<4 digits>"),
        ("116", "<3 digits>"),
        ("mp3", "mp3"),
    ],
)
def test_read_links_years_and_numbers_as_one_word(token: str, word: str) -> None:
    assert plain_word(token) == word


def test_pair_kinds_only_those_that_are_near() -> None:
    pairs = [(first, second) for first, second, _ in kind_pairs([(0, 1), (3, 2), (7, 4), (8, 5)])]
    assert pairs == [(0, 3), (7, 8)]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300) | st.text("http://w.$€1 @!likesub<[é\ud800😀\n", max_size=200), st.integers(0, 30))
def test_see_traits_of_anything_between_zero_and_one(text: str, links: int) -> None:
    folded = fold(text)
    found = words(folded.text)
    marked = [(at, kind) for at, kind in enumerate(kind_of(plain_word(word)) for word in found) if kind]
    figures = traits(folded, found, marked, links)
    assert len(figures) == len(TRAITS)
    assert all(0 <= figure <= 1 for figure in figures)
    assert np.isfinite(MODEL._spam.features(folded, found, links).logit)


HOSTILE = [
    "a" * 20_000,
    "1" * 20_000,
    "1 " * 10_000,
    "$1," * 7_000,
    "http://" + "a-" * 10_000,
    "http://x " * 2_500,
    "www." * 5_000,
    "a@" * 10_000,
    "a dot " * 3_500,
    "a . com" * 3_000,
    "thumbs up" + " a" * 10_000,
    "like " * 4_000,
    "check my channel " * 1_200,
    "suscsbbc" * 2_500,
    "<a" * 10_000,
    "😀" * 20_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_notice_longest_texts_bounded_in_time(text: str) -> None:
    folded = fold(text)
    found = words(folded.text)
    times = []
    for _ in range(3):
        began = time.thread_time()
        MODEL._spam.features(folded, found)
        times.append(time.thread_time() - began)
    assert min(times) < 0.02


def test_notice_what_lies_behind_the_characters_that_are_read_has_no_say() -> None:
    text = ("The council met on Monday. " * 200)[:MAX_CHARS]
    assert noticed(text + " check out my channel http://a.example !!!" * 50).logit == noticed(text).logit
