"""Each failure of the contract's table, by a real request, in the same shape."""

import uuid
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from moderation.services import submit as submitting
from moderation.services import threads

COMMENTS = "/api/v1/sites/news/comments"
SOME_ID = "01890000-0000-7000-8000-000000000000"


def test_submit_with_broken_json_is_malformed(caller, everybody, assert_problem):
    answer = caller.post(COMMENTS, data=b'{"thread": ', content_type="application/json")
    assert_problem(answer, 400)


def test_ask_without_credentials_is_unauthenticated(caller, everybody, assert_problem):
    answer = caller.get("/api/v1/queue")
    assert_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["Bearer nonsense", "Bearer", "Basic YTpi", "Bearer " + "a" * 600, "Bearer \xff"])
def test_ask_with_bad_credentials_is_unauthenticated(caller, everybody, assert_problem, value):
    assert_problem(caller.get("/api/v1/queue", headers={"Authorization": value}), 401)


def test_ask_with_the_consoles_cookie_is_unauthenticated(caller, everybody, assert_problem):
    caller.set_cookie("moderation-session", everybody.tokens["admin"])
    assert_problem(caller.get("/api/v1/queue"), 401)


def test_decide_as_viewer_is_forbidden(approved, decide, assert_problem):
    assert_problem(decide(approved["id"], "reject", who="viewer"), 403)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/v1/sites/nobody/comments?thread=x",
        f"/api/v1/comments/{SOME_ID}",
        "/api/v1/comments/\u0663",
        "/api/v1/comments/01890000-0000-7000-8000-00000000000\u0663",
        "/api/v1/comments/9223372036854775808",
        f"/api/v1/comments/{SOME_ID.upper().replace('0189', '018A')}",
        f"/api/v1/comments/{SOME_ID}%0a",
        f"/api/v1/comments/{{{SOME_ID}}}",
        "/api/v1/sites/%00/comments?thread=x",
    ],
)
def test_ask_for_what_is_not_there_is_not_found(caller, everybody, assert_problem, path):
    assert_problem(caller.get(path, headers=everybody.bearer("admin")), 404)


def test_ask_for_a_foreign_comment_answers_as_for_a_missing_one(client, people, approved, assert_problem):
    foreign = client.get(f"/api/v1/comments/{approved['id']}", headers=people.bearer("stranger"))
    missing = client.get(f"/api/v1/comments/{uuid.uuid4()}", headers=people.bearer("stranger"))
    assert assert_problem(foreign, 404) == assert_problem(missing, 404)
    assert {name for name, _ in foreign.headers} == {name for name, _ in missing.headers}


def test_ask_with_an_unknown_method_says_which_are_known(caller, everybody, assert_problem):
    answer = caller.put("/api/v1/queue", headers=everybody.bearer("admin"))
    assert_problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


def test_decide_twice_is_a_conflict(approved, decide, assert_problem):
    assert_problem(decide(approved["id"], "reject", expected_state="pending"), 409)


def test_submit_a_body_over_the_limit_is_too_large(caller, everybody, assert_problem):
    answer = caller.post(COMMENTS, data=b" " * 65_537, content_type="application/json")
    assert_problem(answer, 413)


def test_submit_a_long_body_without_content_length_is_too_large(caller, everybody, assert_problem):
    import io

    answer = caller.post(
        COMMENTS,
        input_stream=io.BytesIO(b" " * 70_000),
        headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert_problem(answer, 413)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; charset=utf-7"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/vnd.api+json"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_submit_what_is_not_declared_as_json_is_unsupported(caller, everybody, submission, assert_problem, headers):
    from flask import json

    answer = caller.post(COMMENTS, data=json.dumps(submission).encode(), headers=headers)
    assert_problem(answer, 415)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
def test_submit_json_in_utf8_is_accepted(caller, everybody, submission, content_type):
    from flask import json

    answer = caller.post(COMMENTS, data=json.dumps(submission), content_type=content_type)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"body": ""}, "body"),
        ({"body": " \u200b\u2060 "}, "body"),
        ({"body": "x" * 20_001}, "body"),
        ({"body": 5}, "body"),
        ({"body": None}, "body"),
        ({"body": "a\x00b"}, "body"),
        ({"parent_id": "nonsense"}, "parent_id"),
        ({"parent_id": SOME_ID.replace("-", "")}, "parent_id"),
        ({"parent_id": "{" + SOME_ID + "}"}, "parent_id"),
        ({"parent_id": SOME_ID}, "parent_id"),
        ({"author": {"name": "A", "nick": "B"}}, "author.nick"),
        ({"author": {"name": ["A"]}}, "author.name"),
        ({"author": {"name": "A", "email": "not an address"}}, "author.email"),
        ({"author": {"name": "A", "url": "javascript:alert(1)"}}, "author.url"),
        ({"author": {}}, "author.name"),
        ({"author": []}, "author"),
        ({"thread": {"key": ""}}, "thread.key"),
        ({"thread": {"key": "a\nb"}}, "thread.key"),
        ({"thread": {"key": "k", "url": "//evil.example"}}, "thread.url"),
        ({"context": {"filled_in_ms": "8400"}}, "context.filled_in_ms"),
        ({"context": {"filled_in_ms": 1.5}}, "context.filled_in_ms"),
        ({"context": {"filled_in_ms": True}}, "context.filled_in_ms"),
        ({"context": {"filled_in_ms": -1}}, "context.filled_in_ms"),
    ],
)  # fmt: skip
def test_submit_a_wrong_field_names_it_by_its_path(caller, everybody, submission, assert_problem, change, field):
    document = assert_problem(caller.post(COMMENTS, json={**submission, **change}), 422)
    assert field in document["errors"]
    assert all(isinstance(message, str) for message in document["errors"][field])


def test_decide_on_a_list_names_the_wrong_item_by_its_index(caller, everybody, assert_problem):
    body = {"action": "approve", "ids": [SOME_ID, "x", 5]}
    document = assert_problem(caller.post("/api/v1/decisions", json=body, headers=everybody.bearer("moderator")), 422)
    assert set(document["errors"]) == {"ids.1", "ids.2"}


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
def test_submit_json_that_is_no_object_is_refused(caller, everybody, assert_problem, body):
    assert_problem(caller.post(COMMENTS, data=body, content_type="application/json"), 422)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "thread"),
        ("?thread=x&surprise=1", "surprise"),
        ("?thread=x&thread=y", "thread"),
        ("?thread=x&limit=0", "limit"),
        ("?thread=x&limit=101", "limit"),
        ("?thread=x&limit=%D9%A3", "limit"),
        ("?thread=x&limit=1_0", "limit"),
        ("?thread=x&limit=1.0", "limit"),
        ("?thread=x&sort=best", "sort"),
        ("?thread=" + "x" * 501, "thread"),
        ("?thread=%0a", "thread"),
    ],
)
def test_list_with_a_wrong_parameter_names_it(caller, everybody, assert_problem, query, field):
    document = assert_problem(caller.get(COMMENTS + query), 422)
    assert field in document["errors"]


def test_list_with_a_made_up_cursor_names_it(client, approved, assert_problem):
    answer = client.get(f"{COMMENTS}?thread=2025/07/arms-pause&cursor=made-up")
    assert "cursor" in assert_problem(answer, 422)["errors"]


def test_list_with_a_null_character_is_malformed(caller, everybody, assert_problem):
    assert_problem(caller.get(COMMENTS + "?thread=%00"), 400)


def test_ask_a_call_without_parameters_with_one_names_it(caller, everybody, assert_problem):
    answer = caller.get("/api/v1/sites/news?surprise=1", headers=everybody.bearer("admin"))
    assert "surprise" in assert_problem(answer, 422)["errors"]


def test_count_more_threads_than_allowed_is_refused(caller, everybody, assert_problem):
    query = "&".join(f"thread={n}" for n in range(101))
    assert "thread" in assert_problem(caller.get(f"{COMMENTS}/counts?{query}"), 422)["errors"]


def test_submit_over_the_rate_is_limited_before_the_body_is_read(client, parts, submission, assert_problem):
    from moderation.domain.actor import CLI
    from moderation.services import sites

    sites.add_site(parts, CLI, "slow", "Slow", [], {"submit_rate": "1/minute"})
    assert client.post("/api/v1/sites/slow/comments", json=submission).status_code == 202
    answer = client.post("/api/v1/sites/slow/comments", data=b"{", content_type="application/json")
    document = assert_problem(answer, 429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["Retry-After"] in document["detail"]


def test_list_while_the_database_is_away_is_unavailable(caller, everybody, monkeypatch, assert_problem):
    from moderation.storage import sites as storage

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    monkeypatch.setattr(storage, "site_by_key", away)
    answer = caller.get(f"{COMMENTS}?thread=x")
    document = assert_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert "secret" not in str(document)


def test_list_when_something_breaks_tells_nothing_of_it(caller, everybody, monkeypatch, assert_problem):
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("ana@example.org")

    monkeypatch.setattr(threads, "list_comments", broken)
    document = assert_problem(caller.get(f"{COMMENTS}?thread=x"), 500)
    assert "ana@example.org" not in str(document)


def test_submit_when_a_promise_between_parts_breaks_is_an_internal_error(
    caller, everybody, submission, monkeypatch, assert_problem
):
    from moderation.errors import Bug

    def broken(*_: Any, **__: Any) -> Any:
        raise Bug("ana@example.org")

    monkeypatch.setattr(submitting, "submit_comment", broken)
    assert "ana@example.org" not in str(assert_problem(caller.post(COMMENTS, json=submission), 500))


def test_open_a_missing_page_in_a_browser_shows_a_page(caller, everybody):
    answer = caller.get("/no/such/page", headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_open_a_missing_call_in_a_browser_is_still_a_problem(caller, everybody, assert_problem):
    answer = caller.get("/api/v1/nothing", headers={"Accept": "text/html,application/xhtml+xml"})
    assert_problem(answer, 404)
