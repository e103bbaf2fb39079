"""JSON the strict way: what parts behind us would read differently is refused, by a 400, never by a 500."""

import json
import os
from pathlib import Path

import pytest

from moderation.errors import Invalid, Malformed
from moderation.web import json_bodies
from moderation.web.json_bodies import MAX_ITEMS, MAX_NESTING, read_json

PREVIEW = "/api/v1/sites/news/preview"
FOLDER = Path(os.environ.get("HOSTILE_FIXTURES", "nowhere")) / "jsontestsuite"
Y_WE_REFUSE = ("y_object_duplicated_key", "y_string_null_escape", "y_string_null")
"""Valid JSON that we refuse on purpose: a key that stands twice, and U+0000."""


def _cases(prefix: str) -> list[Path]:
    return sorted(FOLDER.rglob(f"{prefix}*.json"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": 9007199254740993}',
        b'{"a": -9007199254740993}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": 0.' + b"1" * 5_000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"[" * (MAX_NESTING + 1) + b"]" * (MAX_NESTING + 1),
        b'{"a": "tab\there"}',
        b"{\"a\": 'b'}",
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": +1}',
        b'{"a": 1,}',
        b'["\\"',
        b'"' + b"\\" * 60_001,
    ],
)
def test_read_what_is_not_strict_json_is_malformed(raw):
    with pytest.raises(Malformed):
        read_json(raw)


def test_read_whole_numbers_up_to_the_limit_keeps_them():
    assert read_json(b'{"a": 9007199254740992, "b": -9007199254740992}') == {"a": 2**53, "b": -(2**53)}


def test_read_brackets_within_texts_does_not_count_them():
    text = "[{" * 500 + '\\"' + "[" * 100
    assert read_json(json.dumps({"a": text}).encode()) == {"a": text}


def test_read_the_deepest_allowed_nesting_works():
    assert read_json(b"[" * MAX_NESTING + b"]" * MAX_NESTING)


def test_read_a_null_character_names_the_field():
    with pytest.raises(Invalid) as refused:
        read_json(b'{"a": ["ok", {"b": "x\\u0000"}], "c\\u0000": 1}')
    assert set(refused.value.fields) == {"a.1.b", "c\ufffd"}


@pytest.mark.parametrize("raw", [json.dumps({"a": [0] * (MAX_ITEMS + 1)}), json.dumps({str(n): n for n in range(501)})])
def test_read_too_many_items_is_refused(raw):
    with pytest.raises(Invalid):
        read_json(raw.encode())


def test_canonical_bytes_are_the_same_for_the_same_content():
    one, other = read_json(b'{"a": 1, "b": "\\u00e9"}'), read_json('{ "b":"é",\n"a":1 }'.encode())
    assert json_bodies.canonical(one) == json_bodies.canonical(other)


def test_read_a_megabyte_of_escapes_is_quick():
    import time

    raw = b'"' + b"\\\\" * 500_000 + b'"'
    start = time.perf_counter()
    read_json(raw)
    assert time.perf_counter() - start < 1


@pytest.mark.skipif(not FOLDER.is_dir(), reason="HOSTILE_FIXTURES is not set")
def test_send_every_invalid_json_of_the_suite_is_malformed(caller, everybody):
    cases = _cases("n_")
    assert len(cases) > 150
    for case in cases:
        raw = case.read_bytes()
        answer = caller.post(PREVIEW, data=raw, content_type="application/json")
        assert answer.status_code == (400 if len(raw) <= 65_536 else 413), case.name
        assert answer.content_type == "application/problem+json"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="HOSTILE_FIXTURES is not set")
def test_send_every_valid_json_of_the_suite_is_parsed(caller, everybody):
    cases = _cases("y_")
    assert len(cases) > 80
    for case in cases:
        if case.name.startswith(Y_WE_REFUSE):
            continue
        answer = caller.post(PREVIEW, data=case.read_bytes(), content_type="application/json")
        # Parsed, and then refused for what it says: it is no preview request.
        assert answer.status_code == 422, case.name


@pytest.mark.skipif(not FOLDER.is_dir(), reason="HOSTILE_FIXTURES is not set")
def test_send_every_doubtful_json_of_the_suite_is_the_callers_fault_at_worst(caller, everybody):
    for case in _cases("i_") + _cases("string_") + _cases("number_") + _cases("object_"):
        answer = caller.post(PREVIEW, data=case.read_bytes(), content_type="application/json")
        assert answer.status_code in {400, 413, 422}, case.name
