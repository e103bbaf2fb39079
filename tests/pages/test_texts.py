"""The texts of the pages without script: every language says everything, with the same names to fill in."""

import re
import string
from importlib import import_module

import pytest
from flask import Flask

from moderation.web.texts import DEFAULT, LANGUAGES, texts
from tests.conftest import People

ENGLISH = import_module("moderation.web.texts.en").WORDS


def fields(text: str) -> set[str]:
    """The names to be filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_of_each_language_are_all_there(language: str) -> None:
    t = texts(language)
    forms = {t.plural(number) for number in range(1_000)}
    plain = {name for name in t.words if not name.startswith("replies_")}
    assert plain == {name for name in ENGLISH if not name.startswith("replies_")}
    assert {name.removeprefix("replies_") for name in t.words if name.startswith("replies_")} == forms
    for name in plain:
        assert fields(t.words[name]) == fields(ENGLISH[name]), name
        assert t.words[name].strip() == t.words[name] != "", name
    if language != DEFAULT:
        assert len([name for name in plain if t.words[name] == ENGLISH[name]]) <= 3
        errors = import_module("moderation.web.texts.de").ERRORS
        assert t.errors.keys() == errors.keys()


@pytest.mark.parametrize(
    ("language", "number", "told"),
    [
        ("en", 0, "No replies yet"),
        ("en", 1, "1 reply"),
        ("de", 2, "2 Antworten"),
        ("pl", 2, "2 odpowiedzi"),
        ("uk", 21, "21 відповідь"),
        ("uk", 11, "11 відповідей"),
        ("uk", 103, "103 відповіді"),
        ("ar", 2, "ردان"),
        ("ar", 105, "105 ردود"),
        ("ar", 111, "111 ردًا"),
        ("ar", 100, "100 رد"),
    ],
)
def test_count_takes_the_form_of_its_language(language: str, number: int, told: str) -> None:
    assert texts(language).counted("replies", number) == told


def test_name_that_looks_like_a_place_to_fill_in_stays_a_name() -> None:
    """A name is put in once, escaped, and never read as a template."""
    assert (
        texts("de").naming("respond_to", "{name} <b>") == 'Antwort an <bdi dir="auto">{name} &lt;b&gt;</bdi> schreiben'
    )
    assert texts("xx").language == DEFAULT
    assert texts(None).language == DEFAULT


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_speaks_the_language_that_the_form_was_in(app: Flask, people: People, language: str) -> None:
    t = texts(language)
    client = app.test_client()
    start = client.get("/sites/news/thread.html", query_string={"thread": "a", "form": "1", "lang": language}).text
    assert f'lang="{language}" dir="{t.direction}"' in start
    assert t["email_note"] in start
    typed = {"thread": "a", "author": "Ana", "email": "ana@nowhere", "comment": "A remark.", "lang": language}
    refused = client.post("/sites/news/reply", data=typed)
    assert f'<html lang="{language}">' in refused.text
    assert str(t.error("The address has no dot after the @.")) in refused.text
    assert language == DEFAULT or 'lang="en"' not in refused.text
    taken = client.post("/sites/news/reply", data={**typed, "email": ""})
    link = re.search(r'href="http://127.0.0.1:8080(/receipts/[^"]+)"', taken.text)
    assert link is not None
    page = client.get(link[1])
    assert f'<html lang="{language}">' in page.text
    assert t["state_waiting"] in page.text
