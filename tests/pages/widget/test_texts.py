"""The widget's texts: every language says all of it, and the whole stays small."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import moderation.web

LANGUAGES = ("ar", "de", "en", "es", "fr", "pl", "pt", "uk")
FOLDER = Path(moderation.web.__file__).parent / "static" / "embed"
MAX_BYTES = 12 * 1024
"""What a reader in one language loads at most, compressed."""


def words(language: str) -> dict[str, Any]:
    """The texts of a language."""
    found: dict[str, Any] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def placeholders(text: str) -> list[str]:
    """The names in braces."""
    return sorted(re.findall(r"\{(\w+)\}", text))


def test_read_texts_finds_a_file_for_each_language_and_no_other() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_read_texts_of_a_language_finds_all_keys_and_placeholders(language: str) -> None:
    """In the order of the English ones; plural forms may write one and two in words."""
    english, texts = words("en"), words(language)
    assert list(texts) == list(english)
    assert texts["lang"] == language
    for key, text in texts.items():
        if isinstance(text, dict):
            assert placeholders(text["other"]) == placeholders(english[key]["other"])
            assert all(set(placeholders(form)) <= {"n"} for form in text.values())
        else:
            assert text.strip() == text != ""
            assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_load_widget_in_a_language_stays_within_its_limit(client: FlaskClient, language: str) -> None:
    """Script and texts as they go out, to a browser that takes them compressed."""
    packed = {"Accept-Encoding": "gzip"}
    script, texts = client.get("/embed.js", headers=packed), client.get(f"/embed/{language}.json", headers=packed)
    assert script.headers["Content-Encoding"] == texts.headers["Content-Encoding"] == "gzip"
    assert len(script.data) + len(texts.data) <= MAX_BYTES
    assert gzip.decompress(script.data) == client.get("/embed.js").data
    assert json.loads(gzip.decompress(texts.data)) == words(language)


def test_load_texts_by_their_version_may_be_kept_for_good(client: FlaskClient) -> None:
    """The script names the version; what is asked for by another one, or by none, is asked for again soon."""
    address = re.search(r"embed/\$\{language\}\.json\?v=(\w+)", client.get("/embed.js").text)
    assert address is not None
    current = client.get(f"/embed/de.json?v={address[1]}")
    assert "immutable" in current.headers["Cache-Control"]
    assert current.headers["Access-Control-Allow-Origin"] == "*"
    assert "immutable" not in client.get("/embed/de.json?v=old").headers["Cache-Control"]
    assert client.get("/embed/de.json", headers={"If-None-Match": current.headers["ETag"]}).status_code == 304
    assert client.get("/embed/it.json").get_json()["lang"] == "en"
    assert client.get("/embed/..json").status_code == client.get("/embed/english.json").status_code == 404


def test_read_script_finds_every_part_property_and_attribute_in_the_docs() -> None:
    """What a site may rely on is listed: a part that is not, or not any more, is a mistake on one of both sides."""
    script = (FOLDER.parent / "embed.js").read_text(encoding="utf-8")
    page = (Path(moderation.web.__file__).parents[2] / "docs" / "integrate.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| parts \|.*?\n\n", page, re.MULTILINE | re.DOTALL)[0].splitlines()[2:]
    listed = {part for row in rows for part in re.findall(r"`([a-z-]+)`", row)}
    parts = {part for parts in re.findall(r'part: "([a-z -]+)"', script) for part in parts.split()}
    assert listed == parts | set(re.findall(r'check\("([a-z]+)"\)', script))
    assert set(re.findall(r"--moderation-[a-z-]+", script)) == set(re.findall(r"`(--moderation-[a-z-]+)`", page))
    names = set(re.findall(r"\bset\.([a-zA-Z]+)", script)) | set(re.findall(r'"([a-zA-Z]+)" in set', script)) | {"lang"}
    attributes = {"data-" + re.sub("[A-Z]", lambda one: "-" + one[0].lower(), name) for name in names} | {"data-theme"}
    table = re.findall(r"^\| `(data-[a-z-]+)", page, re.MULTILINE)
    assert attributes == set(table)
