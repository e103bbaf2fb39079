"""The trained model as shipped: what it says of plain sentences, its evidence, and what it does when it is damaged."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.comment import State
from moderation.domain.policy import ATTRIBUTES, Policy, decide, is_usable
from moderation.errors import Bug
from moderation.scoring import attributes
from moderation.scoring.folding import fold
from moderation.scoring.pipeline import Candidate, Pipeline
from moderation.scoring.tokens import MAX_CHARS, MAX_TOKENS, spellings, tokens, words

MODEL = attributes.load()
AUTO = Policy(mode="auto")


def flagged(text: str) -> set[str]:
    scores = MODEL.scores(fold(text))
    return {name for name in ATTRIBUTES if scores[name] >= MODEL.thresholds[name]}


@pytest.mark.parametrize(
    "text",
    [
        "You are a complete idiot and everybody knows it.",
        "Shut up, you stupid piece of shit.",
        "What a bunch of fucking morons.",
        "Go to hell, asshole.",
        "You f*cking 1diot, you are a worthless b!tch.",
        "y o u are an a s s h o l e",
        "You are a fuсking idiot",
    ],
)
def test_judge_plain_insult_flagged(text: str) -> None:
    assert flagged(text) & {"toxicity", "insult"}


@pytest.mark.parametrize(
    "text",
    [
        "My aunt is a Muslim and runs the chemist's on the square.",
        "I am a lesbian and I have two children.",
        "The two gay men who own the café invited the whole street.",
        "Black women are well represented on the new board.",
        "My grandfather was a refugee.",
        "The bomb attack on the station killed four people, police said.",
        "Nurses will strike on Monday.",
        "Dick Cheney gave an interview on Sunday.",
        "I disagree with the mayor about the bridge.",
        "Thank you for this careful report.",
        "The budget was passed by a narrow vote after a long night.",
    ],
)
def test_judge_neutral_sentence_nothing_flagged(text: str) -> None:
    assert flagged(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "Check out my channel and subscribe please!!! http://youtube.example/user/me",
        "I earn $5000 a week from home, click here http://money.example",
        "Cheap viagra, buy now at http://pills.example",
    ],
)
def test_judge_spam_scored_high(text: str) -> None:
    assert "spam" in flagged(text)


def test_judge_comment_with_a_link_to_a_source_is_no_spam() -> None:
    assert "spam" not in flagged(
        "The figures are in the report, see https://www.statistics.example/2025/t7.pdf for the table."
    )


def test_judge_insult_evidence_names_attribute_score_version_and_words() -> None:
    text = "Well, whoever wrote this: you are a fucking idiot."
    signal = MODEL.judge(fold(text))
    insult = next(e for e in signal.evidence if e.text.startswith("Insult"))
    assert f"{signal.scores['insult']:.2f} by model {MODEL.version}" in insult.text
    assert any("idiot" in text[span.start : span.end] for span in insult.spans)
    assert not any("Well" in text[span.start : span.end] for span in insult.spans)


CALM = (
    "I read the whole report last night, and the figures on page four are clear. The council has done its homework "
    "this time, and the ferry will keep running through the winter."
)


@pytest.mark.parametrize(
    ("rude", "name"),
    [("You are a stupid idiot and a moron, shut up, you fool.", "insult"), ("I will find you and kill you.", "threat")],
)
def test_judge_insult_or_threat_behind_calm_sentences_still_flagged(rude: str, name: str) -> None:
    assert not flagged(CALM)
    assert flagged(rude) & {name, "toxicity"}
    assert flagged(f"{CALM} {rude}") & {name, "toxicity"}


def test_share_logit_over_the_words_adds_up_exactly() -> None:
    network = MODEL._network
    found = words("you are an idiot who writes about bridges")
    reading, empty = network.read(found), network.read([])
    length = network._dense[-2] * np.log1p(len(found)) / 5
    for label in range(len(attributes.LABELS)):
        total = network.shares(found, label).sum() + empty.logits[label] + length[label]
        assert total == pytest.approx(reading.logits[label], abs=1e-3)


def test_judge_disguised_insult_evidence_lies_in_the_source() -> None:
    text = "Well… you are an i\u200bdi\u200bot, ｉｄｉｏｔ!"
    signal = MODEL.judge(fold(text))
    spans = [span for e in signal.evidence for span in e.spans]
    assert any("i\u200bdi\u200bot" in text[span.start : span.end] for span in spans)


def test_judge_spam_evidence_names_what_it_saw() -> None:
    signal = MODEL.judge(fold("Check out my channel and subscribe please!!! http://youtube.example/user/me"))
    spam = next(e for e in signal.evidence if e.text.startswith("Spam"))
    assert spam.spans or "link" in spam.text


@pytest.mark.parametrize("text", ["", "👍", "...", "12 34", "\n"])
def test_judge_text_without_letters_scored_and_not_flagged(text: str) -> None:
    signal = MODEL.judge(fold(text))
    assert set(signal.scores) == set(ATTRIBUTES)
    assert signal.weight == 0
    assert not signal.evidence


@pytest.mark.parametrize("text", ["Спасибо за статью, очень интересно.", "这篇文章很好", "مقال جيد جدا"])
def test_judge_other_script_unavailable_and_held(text: str) -> None:
    signal = MODEL.judge(fold(text))
    assert not signal.available
    assert not signal.scores
    assert decide([signal], AUTO).state is State.PENDING


def test_judge_latin_text_with_some_foreign_words_available() -> None:
    assert MODEL.judge(fold("The paper Правда wrote about it in 1962, and so did we.")).available


def test_weigh_scores_threshold_means_the_default_limit_of_auto_mode() -> None:
    for name, threshold in MODEL.thresholds.items():
        assert MODEL.weight(name, threshold / 2) == 0
        assert MODEL.weight(name, threshold - 0.001) < Policy().approve_below
        assert MODEL.weight(name, threshold) == Policy().approve_below
        assert MODEL.weight(name, 1.0) < Policy().spam_from


def test_weigh_scores_rises_with_the_score() -> None:
    weights = [MODEL.weight("insult", at / 100) for at in range(101)]
    assert weights == sorted(weights)


def test_calibrate_order_of_logits_kept() -> None:
    curve = attributes.Curve((-20.0, 0.0, 1.0, 20.0), (-15.0, -1.0, 0.5, 12.0))
    scores = [curve.score(at / 10) for at in range(-60, 60)]
    assert scores == sorted(scores)
    assert curve.score(0.0) == round(1 / (1 + np.exp(1.0)), 4)


ANY_TEXT = st.text(st.characters(), max_size=300) | st.text("fuck s$h!t.http://a.b[](<аѕ\u200b\ud800 1", max_size=200)


@settings(max_examples=150, deadline=None)
@given(ANY_TEXT)
def test_judge_anything_never_raises_same_scores_and_spans_fit(text: str) -> None:
    signal = MODEL.judge(fold(text))
    assert is_usable(signal) or not signal.available
    assert signal == MODEL.judge(fold(text))
    assert all(0 <= s.start < s.end <= len(text) for e in signal.evidence for s in e.spans)


@settings(max_examples=150, deadline=None)
@given(ANY_TEXT)
def test_split_anything_words_and_places_agree(text: str) -> None:
    copy = fold(text).text
    places = tokens(copy)
    assert [place.text for place in places] == words(copy)
    assert all(0 <= place.start < place.end <= len(copy) for place in places)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000,
        "a " * 10_000,
        "! " * 10_000,
        "f.u.c.k." * 3_000,
        "idiot " * 4_000,
        "$1@" * 7_000,
        "a " * 4_000 + "ж" * 9_000,
    ],
)
def test_judge_longest_texts_scored_within_the_caps(text: str) -> None:
    signal = MODEL.judge(fold(text))
    assert set(signal.scores) == set(ATTRIBUTES)
    assert len(words(text)) <= MAX_TOKENS
    assert all(place.end <= MAX_CHARS for place in tokens(text))


def test_score_text_what_was_scored_before_has_no_say() -> None:
    fresh = attributes.load()
    for n in range(300):
        MODEL.scores(fold(f"zz{n}zzy qq{n}"))
    for text in ("You are an 1d1ot, zz7zzy", "Thank you qq9"):
        assert fresh.scores(fold(text)) == MODEL.scores(fold(text))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("s h i t happens", ["shit", "happens"]),
        ("f.u.c.k you", ["fuck", "you"]),
        ("a u.s.a. army", ["a", "usa", "army"]),
        ("covid19 on the 4th", ["covid19", "on", "the", "4th"]),
        ("it\u2019s don't", ["it's", "don't"]),
        ("see https://a.example/b?c, ok", ["see", "https://a.example/b?c,", "ok"]),
        ("f*ck this sh** @#$%", ["f*ck", "this", "sh**"]),
        ("great!Thanks", ["great", "thanks"]),
        ("he said e.g. this", ["he", "said", "e", "g", "this"]),
        ("$h1t fuuuck", ["shit", "fuuck"]),
    ],
)
def test_split_text_tokens(text: str, read: list[str]) -> None:
    assert words(fold(text).text) == read


@pytest.mark.parametrize(
    ("token", "meant"),
    [
        ("fuuck", "fuck"),
        ("asshoole", "asshole"),
        ("covid19", "covid"),
        ("ars3", "arse"),
        ("don't", "dont"),
        ("4th", "<number>"),
    ],
)
def test_spell_unknown_token_what_may_be_meant_is_tried(token: str, meant: str) -> None:
    assert meant in list(spellings(token))


# ---- A missing or damaged model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(attributes.FOLDER, tmp_path / "model"))


@pytest.mark.parametrize("name", ["attributes.npz", "spam.npz", "manifest.json"])
def test_load_missing_file_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(Bug):
        attributes.load(folder)


@pytest.mark.parametrize("name", ["attributes.npz", "spam.npz"])
def test_load_file_with_one_changed_byte_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(Bug, match="manifest"):
        attributes.load(folder)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 1}', "{"])
def test_load_damaged_manifest_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(Bug):
        attributes.load(folder)


def test_load_pickled_array_refused_even_with_the_right_checksum(folder: Path) -> None:
    import hashlib

    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(folder / "spam.npz", "w") as archive:
        archive.writestr("words.npy", content.getvalue())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["spam.npz"] = hashlib.sha256((folder / "spam.npz").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Bug):
        attributes.load(folder)


def test_judge_without_a_model_unavailable_and_everything_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "shipped", lambda: None)
    pipeline = Pipeline()
    signals = pipeline.signals(Candidate("A friendly word."))
    assert [signal.name for signal in signals if not signal.available] == ["attributes"]
    assert decide(signals, AUTO).state is State.PENDING
    assert pipeline.version.endswith("no-model")


def test_read_pipeline_version_names_the_model() -> None:
    assert MODEL.version in Pipeline().version
