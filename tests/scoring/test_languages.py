"""The language of a comment, what is judged in which, and what is held because nothing here can judge it."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.domain.comment import State
from moderation.domain.policy import ATTRIBUTES, Policy, Signal, decide, is_usable
from moderation.errors import Bug
from moderation.scoring import attributes, foreign, languages, spam
from moderation.scoring.folding import fold
from moderation.scoring.languages import NAMES, UNKNOWN, language_of
from moderation.scoring.pipeline import Candidate, Pipeline
from moderation.scoring.tokens import words
from moderation.services import sites
from moderation.services.submit import Client, Submission, submit_comment
from tests.conftest import dispose, make_settings

ENGLISH = attributes.load()
OTHERS = foreign.shipped()
AUTO = Policy(mode="auto")
PIPELINE = Pipeline()


def told(text: str) -> str:
    return language_of(fold(text))


def judged(text: str) -> Signal:
    return foreign.judge(ENGLISH, OTHERS, told(text), fold(text))


# ---- Which language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The council voted to keep the ferry, and I think that was right.", "en"),
        ("Das Rathaus hat den Plan schon wieder verschoben, wie immer.", "de"),
        ("A prefeitura adiou o plano mais uma vez, como sempre.", "pt"),
        ("La mairie a encore repoussé le projet, comme toujours.", "fr"),
        ("El ayuntamiento ha aplazado el plan otra vez, como siempre.", "es"),
        ("Il comune ha rinviato di nuovo il progetto, come sempre.", "it"),
        ("De gemeente heeft het plan weer eens uitgesteld.", "nl"),
        ("Rada miasta znowu przełożyła ten plan na później.", "pl"),
        ("Kommunen har skjutit upp planen igen, som vanligt.", "sv"),
        ("Belediye planı her zamanki gibi yine erteledi.", "tr"),
        ("Městská rada plán zase odložila, jako vždycky.", "cs"),
        ("Kaupunki lykkäsi suunnitelmaa taas kerran.", "fi"),
        ("Hội đồng thành phố lại hoãn kế hoạch một lần nữa.", "vi"),
        ("Городской совет снова отложил этот план.", "ru"),
        ("Міська рада знову відклала цей план, як завжди.", "uk"),
        ("Το δημοτικό συμβούλιο ανέβαλε πάλι το σχέδιο.", "el"),
        ("أجّل المجلس البلدي الخطة مرة أخرى كالعادة", "ar"),
        ("מועצת העיר דחתה שוב את התוכנית", "he"),
        ("नगर परिषद ने योजना को फिर से टाल दिया", "hi"),
        ("สภาเทศบาลเลื่อนแผนนี้ออกไปอีกครั้ง", "th"),
        ("市议会又一次推迟了这个计划。", "zh"),
        ("市議会はまたこの計画を延期しました。", "ja"),
        ("시의회는 이번에도 계획을 미뤘습니다.", "ko"),
    ],
)
def test_tell_language_of_a_sentence(text: str, language: str) -> None:
    assert told(text) == language


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "\n",
            "👍",
            "...",
            "12 34",
            "lol",
            "LOL!!!",
            "ok 👍",
            "first",
            "Danke!",
            "merci",
            "gracias amigo",
            "Amen.",
        ),
        *("https://www.example.org/artikel/warum-nicht", "@ana @ben", "Angela Merkel", "Manuel Neuer", "haha", "xD"),
        *("WTF DUDE", "so true", "smh", "gr8 m8", "u r dum", "f*ck this sh!t", "y o u a r e a n a s s h o l e"),
        *("THIS IS WHY WE CANT HAVE NICE THINGS", "waht a stuipd polcy", "Dirty bomb threat", "Organ donor"),
        *("hahahahahaha", "Déjà vu in the Café Müller", "The Zeitgeist, the Schadenfreude, the Angst of it all"),
        *(
            "<script>alert(1)</script>",
            "SELECT * FROM users; DROP TABLE users;",
            "a = {b: c(d)}",
            "C:\\temp\\x_y_z.txt",
        ),
    ],
)
def test_tell_language_of_short_loud_or_misspelt_text_is_english_or_unknown(text: str) -> None:
    assert told(text) in {"en", UNKNOWN}


def test_tell_language_german_in_capitals_or_with_a_link_is_german() -> None:
    assert told("DAS IST DOCH WIEDER TYPISCH FÜR DIESE STADT") == "de"
    assert told("@jan Das steht schon hier: https://www.example.org/the-news-of-the-day und ist nicht neu") == "de"


def test_tell_language_some_foreign_words_in_english_change_nothing() -> None:
    assert told("The paper Правда wrote about it in 1962, and so did we.") == "en"
    assert told("My grandmother used to say 'alles hat ein Ende' and she was right about that.") == "en"
    assert told("PSY - GANGNAM STYLE (강남스타일) M/V") == UNKNOWN


def test_tell_language_other_script_with_english_names_in_it_is_not_english() -> None:
    assert told("Президент Трамп выступил в The New York Times и рассказал о новом законе") == "ru"


def test_tell_language_has_a_name_for_each_code_it_may_give() -> None:
    assert all(len(code) == 2 and code.islower() and name.istitle() for code, name in NAMES.items())
    assert set(foreign.LANGUAGES) | {"en"} <= set(NAMES)


ANY_TEXT = st.text(st.characters(), max_size=300) | st.text("the der o que <a=\\@/.\u200b\ud800Яж한", max_size=200)


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT)
def test_tell_language_of_anything_never_raises_and_is_known(text: str) -> None:
    language = told(text)
    assert language in NAMES or language == UNKNOWN
    assert language == told(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000,
        "das " * 5_000,
        "<" * 20_000,
        "<a" * 10_000,
        "@" * 20_000,
        "=x" * 10_000,
        "ж" * 20_000,
        "한 " * 10_000,
        "\ud800" * 20_000,
        "http://" * 3_000,
        "u\u0308" * 10_000,
    ],
)
def test_tell_language_of_longest_texts_takes_bounded_time(text: str) -> None:
    folded = fold(text)
    language_of(folded)
    began = time.process_time()
    language_of(folded)
    assert time.process_time() - began < 0.05


def test_tell_language_from_several_threads_gives_the_same_answers() -> None:
    texts = [
        "Das ist doch kompletter Unsinn, was hier steht.",
        "Isso é uma vergonha para a cidade toda.",
        "Ça ne va pas du tout.",
    ]
    alone = [judged(text) for text in texts * 60]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(judged, texts * 60)) == alone


# ---- Judged in German and Portuguese


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Halt die Fresse, du dummes Arschloch, du hast hier nichts zu sagen!", "German"),
        ("Was für ein dreckiger Hurensohn, der Typ ist einfach Abschaum.", "German"),
        ("Vai tomar no cu, seu filho da puta, você não presta.", "Portuguese"),
        ("Cala a boca, seu idiota de merda.", "Portuguese"),
    ],
)
def test_judge_insult_in_its_language_flagged_with_its_model_and_words(text: str, language: str) -> None:
    signal = judged(text)
    assert set(signal.scores) == {"toxicity"}
    assert signal.weight >= AUTO.approve_below
    (evidence,) = signal.evidence
    version = OTHERS["de"].version
    assert evidence.text == f"Toxicity {signal.scores['toxicity']:.2f} by the {language} model {version}: these words."
    assert evidence.spans
    assert all(text[span.start : span.end].strip() for span in evidence.spans)
    assert decide([signal], AUTO).state is State.PENDING


@pytest.mark.parametrize(
    "text",
    [
        "Mein Onkel ist schwul und lebt mit seinem Mann in Kassel.",
        "Unsere neue Nachbarin ist Muslimin und backt einen guten Kuchen.",
        "Die Bombe im Bahnhof wurde am Abend von der Polizei entschärft.",
        "Der Krieg hat schon vierzehntausend Menschen getötet, schreibt die Zeitung.",
        "Ich finde den Plan falsch und werde dagegen stimmen.",
        "Meu tio é gay e mora com o marido em Recife.",
        "A nossa vizinha é muçulmana e faz um bolo muito bom.",
        "A bomba na estação foi desativada pela polícia à noite.",
        "A guerra já matou catorze mil pessoas, diz o jornal.",
        "Eu acho o plano errado e vou votar contra.",
    ],
)
def test_judge_neutral_sentence_in_its_language_approved(text: str) -> None:
    assert told(text) in foreign.LANGUAGES
    signal = judged(text)
    assert signal.scores["toxicity"] < OTHERS[told(text)].threshold
    assert decide(PIPELINE.signals(Candidate(text)), AUTO).state is State.APPROVED


def test_judge_german_scores_of_what_was_not_learned_are_absent() -> None:
    verdict = decide([judged("Vielen Dank für den ausführlichen und klaren Bericht.")], AUTO)
    assert verdict.scores["toxicity"] is not None
    assert [verdict.scores[name] for name in ATTRIBUTES if name != "toxicity"] == [None] * 6


def test_judge_text_without_a_known_language_flagged_by_whoever_knows_the_word() -> None:
    assert told("Hurensohn!") == UNKNOWN
    signal = judged("Hurensohn!")
    assert "by the German model" in signal.evidence[0].text
    assert set(signal.scores) == set(ATTRIBUTES)
    assert signal.weight >= AUTO.approve_below


@pytest.mark.parametrize("text", ["Danke!", "Obrigado!", "lol", "ok 👍", "Amen.", "Tschüss!"])
def test_judge_harmless_text_without_a_known_language_approved(text: str) -> None:
    assert decide(PIPELINE.signals(Candidate(text)), AUTO).state is State.APPROVED


@pytest.mark.parametrize("language", foreign.LANGUAGES)
def test_share_logit_over_the_words_adds_up_exactly(language: str) -> None:
    model = OTHERS[language]
    found = words("halt die fresse du idiot vai tomar no cu seu merda")
    read = [foreign.plain_word(word) for word in found]
    rows = [spam.number_of(word) & (foreign.ROWS - 1) for word in read]
    pieces = [row for word in read for row in foreign.gram_rows(word)]
    pairs = spam.pair_rows([spam.number_of(word) for word in read], foreign.ROWS)
    values = (
        model._words[rows].sum() * foreign.WORD_VALUE
        + model._grams[pieces].sum() * foreign.GRAM_VALUE
        + model._words[pairs].sum() * foreign.PAIR_VALUE
    )
    assert model.logit(model.shares(found)) == pytest.approx(
        values * foreign.token_scale(len(found)) + model._bias, abs=1e-3
    )


def test_judge_german_with_accents_and_marks_evidence_lies_in_the_source() -> None:
    text = "Só ein Mist… du bist ein verdammtes A\u200brschloch, ｄｕ Ärschloch, und das weißt du"
    signal = OTHERS["de"].judge(fold(text))
    spans = [span for evidence in signal.evidence for span in evidence.spans]
    assert any("A\u200brschloch" in text[span.start : span.end] for span in spans)


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT, st.sampled_from([*NAMES, UNKNOWN]))
def test_judge_anything_as_any_language_never_raises_and_spans_fit(text: str, language: str) -> None:
    signal = foreign.judge(ENGLISH, OTHERS, language, fold(text))
    assert is_usable(signal) or not signal.available
    assert all(0 <= s.start < s.end <= len(text) for e in signal.evidence for s in e.spans)


# ---- Unavailable, and so held


def test_judge_other_language_unavailable_says_which_and_held() -> None:
    signal = judged("La mairie a encore repoussé le projet, comme toujours.")
    assert not signal.available
    assert not signal.scores
    assert [evidence.text for evidence in signal.evidence] == [
        "Written in French, as far as we can tell; the model was trained on English, German and Portuguese and cannot "
        "judge it."
    ]
    assert decide([signal], AUTO).state is State.PENDING


def test_judge_other_language_words_of_the_site_still_found() -> None:
    from moderation.scoring.words import RuleRow, compile_rules

    rules = compile_rules([RuleRow("1", "word", "abruti", "spam")])
    signals = {s.name: s for s in PIPELINE.signals(Candidate("Ce maire est un abruti, il ne fait rien.", rules=rules))}
    assert not signals["attributes"].available
    assert signals["site_words"].evidence


def a_submission(body: str) -> Submission:
    return Submission("k", "https://news.example/a", "A", None, "Ana", None, None, None, body)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("Thank you, that is a fair point and well put.", "approved"),
        ("Vielen Dank, das ist ein guter Punkt und schön gesagt.", "approved"),
        ("Halt die Fresse, du dummes Arschloch, du hast hier nichts zu sagen!", "pending"),
        ("Merci beaucoup, c'est un argument juste et bien dit.", "pending"),
        ("Спасибо за статью, очень интересно и хорошо написано.", "pending"),
    ],
)
def test_submit_in_auto_mode_publishes_what_could_be_judged_alone(
    parts: Any, people: Any, body: str, state: str
) -> None:
    sites.change_site(parts, CLI, "news", settings={"policy": "auto"})
    answer = submit_comment(parts, "news", a_submission(body), Client("203.0.113.7", "Mozilla/5.0"))
    assert answer["state"] == state


# ---- A missing or damaged model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(foreign.FOLDER, tmp_path / "model"))


@pytest.mark.parametrize("name", ["de.npz", foreign.MANIFEST])
def test_load_missing_file_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(Bug, match="German"):
        foreign.load("de", folder)


def test_load_file_with_one_changed_byte_refused(folder: Path) -> None:
    content = bytearray((folder / "pt.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "pt.npz").write_bytes(content)
    with pytest.raises(Bug):
        foreign.load("pt", folder)
    assert foreign.load("de", folder).language == "de"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 1, "sha256": {}}', "{"])
def test_load_damaged_manifest_refused(folder: Path, text: str) -> None:
    (folder / foreign.MANIFEST).write_text(text)
    with pytest.raises(Bug):
        foreign.load("de", folder)


def test_load_array_of_another_size_refused_even_with_the_right_checksum(folder: Path) -> None:
    import hashlib

    with np.load(folder / "de.npz") as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    np.savez_compressed(folder / "de.npz", **{**kept, "words": kept["words"][:100]})
    manifest = json.loads((folder / foreign.MANIFEST).read_text())
    manifest["sha256"]["de.npz"] = hashlib.sha256((folder / "de.npz").read_bytes()).hexdigest()
    (folder / foreign.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(Bug):
        foreign.load("de", folder)


def test_judge_without_the_german_model_unavailable_and_held_for_german_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "de.npz").unlink()
    monkeypatch.setattr(foreign, "load", lambda language: _load(language, folder))
    monkeypatch.setattr(foreign, "shipped", foreign.shipped.__wrapped__)
    pipeline = Pipeline()
    german = pipeline.signals(Candidate("Vielen Dank für den ausführlichen und klaren Bericht."))
    (signal,) = [signal for signal in german if not signal.available]
    assert signal.name == "attributes"
    assert signal.evidence[0].text == "Written in German, as far as we can tell; the model for it cannot be used."
    assert decide(german, AUTO).state is State.PENDING
    assert decide(pipeline.signals(Candidate("Thank you for the report.")), AUTO).state is State.APPROVED
    assert decide(pipeline.signals(Candidate("Muito obrigado pela reportagem.")), AUTO).state is State.APPROVED
    assert "de-" not in pipeline.version


_load = foreign.load


def test_judge_with_an_unreadable_detector_doubtful_texts_unavailable_and_english_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> Any:
        raise ValueError("unsupported model layout")

    monkeypatch.setattr(languages, "detector", broken)
    english = PIPELINE.signals(Candidate("Thank you for the report, it was good to read."))
    assert all(signal.available for signal in english)
    doubtful = PIPELINE.signals(Candidate("Vielen Dank für den ausführlichen und klaren Bericht."))
    assert [signal.name for signal in doubtful if not signal.available] == ["attributes"]
    assert decide(doubtful, AUTO).state is State.PENDING


def test_prepare_reads_the_detector_and_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def broken() -> Any:
        asked.append(1)
        raise ValueError("unsupported model layout")

    monkeypatch.setattr(languages, "detector", broken)
    PIPELINE.prepare()
    assert asked == [1]


def test_read_pipeline_version_names_the_models_of_the_languages() -> None:
    assert all(f"{language}-{model.version}" in PIPELINE.version for language, model in OTHERS.items())


def test_make_app_without_the_models_of_the_languages_starts(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "load", lambda language: _load(language, tmp_path))
    monkeypatch.setattr(foreign, "shipped", foreign.shipped.__wrapped__)
    app = create_app(make_settings(tmp_path, sqlite_url))
    assert app.test_client().get("/healthz").status_code == 200
    dispose(app)
