"""Perspective's attributes from ours: names, languages, sentences, bounded traits, and how well they agree."""

import os
import time
from pathlib import Path

import pytest

from moderation.errors import Bug
from moderation.scoring import attributes, perspective
from moderation.scoring.folding import fold
from moderation.scoring.languages import ENGLISH
from moderation.scoring.pipeline import Candidate, Pipeline
from moderation.scoring.words import Profanity

CALM = "The council should have asked the people of the old town before it closed the bridge. "


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """The shipped pipeline."""
    return Pipeline()


def score(pipeline: Pipeline, text: str, name: str = "TOXICITY") -> float:
    found = pipeline.attributes_of(Candidate(body=text, language=ENGLISH), {name})
    assert found is not None
    return found[name]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("TOXICITY", "TOXICITY"),
        ("TOXICITY_FAST", "TOXICITY"),
        ("INSULT_EXPERIMENTAL@12", "INSULT"),
        ("TOXICITY@6", "TOXICITY"),
        ("SPAM@1", "SPAM"),
        ("toxicity", None),
        ("TOXICITY@", None),
        ("TOXICITY@6@6", None),
        ("TOXICITY@\u0666", None),
        ("", None),
    ],
)
def test_know_names_of_attributes(asked: str, name: str | None) -> None:
    assert perspective.known_name(asked) == name


def test_support_languages() -> None:
    assert [perspective.supports("TOXICITY", code) for code in ("en", "de", "pt", "und", "fr")] == [True] * 4 + [False]
    assert [perspective.supports("INSULT", code) for code in ("en", "de", "und")] == [True, False, True]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("  A 3.5 % rise.\n\n(So what?) Yes", ["A 3.5 % rise.", "(So what?)", "Yes"]),
        ("no end", ["no end"]),
        ("\n \n", []),
        ("...", ["..."]),
    ],
)
def test_cut_a_text_into_sentences(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in perspective.sentences(text)] == parts


@pytest.mark.parametrize("piece", [".", ".'", "?\u2019", "\n", ". ", "a.b"])
def test_cut_a_hostile_text_into_sentences_in_linear_time(piece: str) -> None:
    began = time.thread_time()
    assert len(perspective.sentences((piece * 40_000)[:40_000])) <= perspective.MAX_SENTENCES
    assert time.thread_time() - began < 1.0


@pytest.mark.parametrize(
    "text",
    [
        CALM * 200,
        "a b " * 5_000,
        "a" * 20_000,
        "\U0001f600" * 300,
        "12345 " * 300,
        CALM.upper() * 50,
        "?" * 2_000,
        "ok",
        ".",
    ],
    ids=["long", "letters", "one word", "emoji", "digits", "capitals", "questions", "short", "dot"],
)
def test_score_what_is_far_from_ordinary_stays_low(pipeline: Pipeline, text: str) -> None:
    """A line fitted to ordinary texts must not run off where there were none."""
    assert score(pipeline, text) < 0.5


def test_score_insult_threat_and_profanity_high(pipeline: Pipeline) -> None:
    assert score(pipeline, "You are an idiot.", "INSULT") > 0.8
    assert score(pipeline, "I will kill you.", "THREAT") > 0.6
    assert score(pipeline, "fuck you", "PROFANITY") > 0.9
    assert score(pipeline, CALM) < 0.3


def test_load_weights_that_do_not_fit_is_a_bug(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    perspective.shipped.cache_clear()
    stored = (attributes.FOLDER / perspective.FILE).read_text(encoding="utf-8")
    monkeypatch.setattr(perspective, "FOLDER", tmp_path)
    for damaged in (
        "",
        "{}",
        stored.replace("digits", "digit"),
        stored.replace("INSULT", "X"),
        stored.replace("0.", "NaN", 1),
    ):
        (tmp_path / perspective.FILE).write_text(damaged, encoding="utf-8")
        with pytest.raises(Bug):
            perspective.shipped()
    (tmp_path / perspective.FILE).write_text(stored, encoding="utf-8")
    assert perspective.shipped().version.startswith("perspective-1+")
    perspective.shipped.cache_clear()


@pytest.mark.skipif("SHARED_DATA" not in os.environ, reason="SHARED_DATA names no folder with Perspective's scores.")
def test_agree_with_perspective_as_the_documentation_says() -> None:
    """The table in docs/migrate/perspective.md is what is measured, on texts that were held out."""
    import numpy as np

    from training.perspective import COLUMNS, DATA, is_held_out, rows

    page = Path(__file__).parents[2] / "docs/migrate/perspective.md"
    told = {
        cells[0].strip("` "): (float(cells[1]), float(cells[2]))
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and len(cells := line.strip("| ").split("|")) == 7
    }
    names = (*perspective.FITTED, perspective.SPAM)
    assert set(told) == set(names)
    model, listed, weights = attributes.load(), Profanity(), perspective.shipped()
    texts = [row for row in rows(Path(os.environ["SHARED_DATA"]) / DATA) if is_held_out(row["comment_text"])]
    found = [
        perspective.scores_of(
            weights, listed, names, ENGLISH, fold(row["comment_text"]), model.scores(fold(row["comment_text"]))
        )
        for row in texts
    ]
    for name in names:
        theirs = [float(row[COLUMNS.get(name, name)]) for row in texts]
        pearson = float(np.corrcoef([one[name] for one in found], theirs)[0, 1])
        assert pearson == pytest.approx(told[name][0], abs=0.02), name
