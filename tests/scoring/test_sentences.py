"""The sentences of longer texts, read one by one: what is rude is found among calm ones, and calm ones stay calm."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.scoring import attributes
from moderation.scoring.attributes import BY_SENTENCE_FROM, LABELS, SUSPECTED, Network
from moderation.scoring.folding import fold
from moderation.scoring.tokens import LEAST_SENTENCE, MOST_SENTENCE, Remembered, sentence_starts, words

MODEL = attributes.load()
NETWORK = MODEL._network
CALM = (
    "The council met on Monday about the bridge.",
    "The ferry runs twice a day until the works are done.",
    "My neighbour asked for a bus to the market, and so did I.",
    "Nobody knew how long it would take, and the shops had a bad summer.",
    "The report names the costs, and the mayor will read it next week.",
)
RUDE = {
    "You are a stupid idiot and a moron, you fool.": "insult",
    "I will find you and kill you.": "threat",
    "All Muslims are filthy animals and must be thrown out.": "identity_attack",
}


def among(rude: str, before: int, behind: int) -> str:
    return " ".join([*CALM[:before], rude, *CALM[len(CALM) - behind :]])


def parts(text: str) -> list[list[str]]:
    found, starts = words(text), sentence_starts(text)
    return [found[start:end] for start, end in pairwise([*starts, len(found)])]


def test_cut_text_by_signs_and_line_breaks_short_sentences_joined() -> None:
    text = (
        "no. this is the first one, of 2.5 km. is this the second one?\nthird line it is\nyes! u.s.a. is the last one"
    )
    assert [" ".join(part) for part in parts(text)] == [
        "no this is the first one of 2 5 km",
        "is this the second one",
        "third line it is yes usa",
        "is the last one",
    ]


def test_cut_endless_sentence_into_parts() -> None:
    assert [len(part) for part in parts("word " * 99)] == [MOST_SENTENCE, MOST_SENTENCE, 99 - 2 * MOST_SENTENCE]


@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from([*CALM, "a.", "\n", "!", "f*ck. ", "'s. ", "word " * 50])).map("".join)
)
def test_cut_any_text_no_token_is_lost_or_short_of_company(text: str) -> None:
    folded = fold(text).text
    found = parts(folded)
    assert [token for part in found for token in part] == words(folded)
    assert all(0 < len(part) < MOST_SENTENCE + LEAST_SENTENCE for part in found)
    assert all(len(part) >= LEAST_SENTENCE for part in found[:-1])


@pytest.mark.parametrize(("before", "behind"), [(2, 0), (2, 2), (0, 3)])
@pytest.mark.parametrize(("rude", "name"), RUDE.items())
def test_judge_rude_sentence_among_calm_ones_found_and_shown(rude: str, name: str, before: int, behind: int) -> None:
    text = among(rude, before, behind)
    signal = MODEL.judge(fold(text))
    found = [evidence for evidence in signal.evidence if evidence.text.startswith(attributes.in_words(name))]
    assert signal.scores[name] >= MODEL.thresholds[name]
    start = text.index(rude)
    assert found[0].spans
    assert all(start <= span.start and span.end <= start + len(rude) for span in found[0].spans)


def test_judge_calm_sentences_alone_nothing_flagged() -> None:
    assert not MODEL.judge(fold(" ".join(CALM))).weight


@given(st.lists(st.sampled_from([*CALM, *RUDE, "What a stupid policy.", "They kill time."]), min_size=2, max_size=8))
def test_read_sentences_raise_scores_and_never_lower_them(sentences: list[str]) -> None:
    text = fold(" ".join(sentences)).text
    whole = NETWORK.read(words(text)).logits
    reading = attributes.read(NETWORK, text)
    assert np.all(reading.logits >= whole)
    for label in (LABELS.index("obscene"), LABELS.index("severe_toxicity")):
        assert reading.logits[label] == whole[label]


def test_read_short_or_unsuspected_text_not_by_sentence() -> None:
    short = fold("You idiot. You fool, you.").text
    assert len(short) < BY_SENTENCE_FROM
    assert attributes.read(NETWORK, short).sentences is None
    calm = attributes.read(NETWORK, fold(" ".join(CALM)).text)
    assert calm.logits[0] + calm.logits[-1] / 2 < SUSPECTED
    assert calm.sentences is None


def test_read_sentences_without_a_say_change_nothing() -> None:
    silent = Network(attributes.checked_arrays(attributes.FOLDER, "attributes.npz", sums()))
    text = fold(among(next(iter(RUDE)), 2, 2)).text
    reading = attributes.read(silent, text)
    assert reading.sentences is not None
    assert reading.logits.tolist() == silent.read(words(text)).logits.tolist()


def sums() -> dict[str, str]:
    return dict(attributes.read_manifest(attributes.FOLDER / "manifest.json", attributes.ATTRIBUTES).sha256)


def test_remember_words_only_so_many_and_find_them_again() -> None:
    asked: list[str] = []

    def find(word: str) -> int:
        asked.append(word)
        return len(word)

    known = Remembered(find, 3)
    assert [known[word] for word in ("a", "bb", "a", "ccc", "dddd", "a")] == [1, 2, 1, 3, 4, 1]
    assert asked == ["a", "bb", "ccc", "dddd", "a"]
    assert len(known) <= 3
