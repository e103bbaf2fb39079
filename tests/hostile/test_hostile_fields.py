"""Every field of every call, found in the service's own description: of another type, unknown, or not the caller's."""

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from moderation.domain.actor import CLI
from moderation.services import accounts
from tests.conftest import submission_json

SOME_ID = "01890000-0000-7000-8000-000000000000"
ARABIC_ID = SOME_ID.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
NOT_THE_CALLERS = (
    *("state", "id", "site_id", "thread_id", "risk", "scores", "signals", "votes", "created_at", "edited_at", "shown"),
    *("author_id", "author_proven", "email_index", "email_sealed", "ip_network", "moderator_id", "actor", "is_admin"),
    *("body_html", "version", "depth", "reports_count", "claimed_by", "__class__", "__proto__", "constructor", ""),
)
"""Columns of our own tables and what other languages' objects are bent by."""

WRONG = {
    "string": [5, 1.5, True, [], {}, ["a"]],
    "integer": ["5", 1.5, True, [], {}, [1]],
    "number": ["0.5", True, [], {}, [1], "NaN"],
    "boolean": [0, 1, "true", [], {}, 1.0],
    "array": ["a", 5, True, {}, 1.5, {"0": "a"}],
    "object": ["a", 5, True, [], 1.5, [{}]],
}
"""Six values of other types for each."""

NUMBERS = ["٣", "１", "1_0", "1.5.1", " 1", "1 ", "+1", "0x1", "1e3", "NaN", "Infinity", "", "9" * 400, "--1"]
TRUTHS = ["True", "TRUE", "1", "yes", "on", "", "truе"]


def _calls(target: Any, *methods: str) -> Iterator[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]:
    """Method, path with ids of nothing, schema of the body, and parameters of each call of the API."""
    document = json.loads(target.app.extensions["openapi.json"])
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method not in methods or not path.startswith("/api/"):
                continue
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            yield (
                method,
                _filled(path, parameters),
                _plain(document, schema),
                [_plain(document, one) for one in parameters],
            )


def _filled(path: str, parameters: list[dict[str, Any]]) -> str:
    for name, value in {"{site}": "news", "{name}": "a-list"}.items():
        path = path.replace(name, value)
    path = "/".join(SOME_ID if part.startswith("{") else part for part in path.split("/"))
    needed = [one["name"] for one in parameters if one.get("in") == "query" and one.get("required")]
    return f"{path}?{needed[0]}=news" if needed else path


def _base(path: str) -> str:
    return path.partition("?")[0]


def _plain(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its references in their places, and of alternatives the one that is not null."""
    if "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return _plain(document, found)
    others = [one for one in schema.get("anyOf", schema.get("allOf", [])) if one.get("type") != "null"]
    if len(others) == 1:
        return _plain(document, others[0])
    plain = dict(schema)
    if isinstance(plain.get("type"), list):
        plain["type"] = next(one for one in plain["type"] if one != "null")
    if "properties" in plain:
        plain["properties"] = {name: _plain(document, one) for name, one in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _plain(document, plain["items"])
    if "schema" in plain:
        plain["schema"] = _plain(document, plain["schema"])
    return plain


def _bent(schema: dict[str, Any], number: int, path: str = "", *, deep: bool) -> tuple[Any, list[str]]:
    """A value in which each field is of another type than it should be, and the paths of these."""
    if schema.get("properties") and (deep or not path):
        made = {
            name: _bent(one, number, f"{path}.{name}".strip("."), deep=deep)
            for name, one in schema["properties"].items()
        }
        return {name: value for name, (value, _) in made.items()}, [at for _, paths in made.values() for at in paths]
    if deep and schema.get("type") == "array":
        value, paths = _bent(schema["items"], number, f"{path}.0", deep=deep)
        return [value], paths
    return WRONG[schema.get("type", "string")][number], [path]


def _is_named(path: str, errors: dict[str, Any]) -> bool:
    return any(path == named or path.startswith(f"{named}.") or named.startswith(f"{path}.") for named in errors)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("deep", [False, True], ids=["top", "within"])
def test_a_field_of_another_type_is_refused_by_its_path_in_every_call(target, number, deep):
    seen = 0
    for method, path, schema, _ in _calls(target, "post", "put", "patch", "delete"):
        if not schema.get("properties"):
            continue
        body, paths = _bent(schema, number, deep=deep)
        answer = target.call(method.upper(), path, json=body)
        assert answer.status_code == 422, f"{method} {path} {body}: {answer.text}"
        errors = answer.get_json(force=True)["errors"]
        missed = [at for at in paths if not _is_named(at, errors)]
        assert not missed, f"{method} {path}: {missed} of {body}"
        seen += len(paths)
    assert seen > 90


def test_a_field_that_is_unknown_or_not_the_callers_is_refused_in_every_object_of_every_call(target):
    seen = 0
    for method, path, schema, _ in _calls(target, "post", "put", "patch", "delete"):
        if "properties" not in schema and schema.get("type") != "object":
            continue
        for prefix, within in [("", schema), *_objects(schema)]:
            foreign = [name for name in NOT_THE_CALLERS if name not in within.get("properties", {})]
            body: Any = dict.fromkeys(foreign, "approved")
            for step in reversed(prefix.split(".") if prefix else []):
                body = {step: body}
            answer = target.call(method.upper(), path, json=body)
            assert answer.status_code == 422, f"{method} {path}: {answer.text}"
            errors = answer.get_json(force=True)["errors"]
            missed = [name for name in foreign if f"{prefix}.{name}".strip(".") not in errors and name]
            assert not missed, f"{method} {path} {prefix}: {missed}"
            seen += 1
    assert seen > 40


def _objects(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in schema.get("properties", {}).items():
        at = f"{path}.{name}".strip(".")
        if one.get("properties"):
            yield at, one
            yield from _objects(one, at)


def test_a_comment_sent_with_fields_of_ours_is_not_stored_at_all(target):
    before = target.call("GET", "/api/v1/stats?site=news").get_json()
    for name in filter(None, NOT_THE_CALLERS):
        body = {**submission_json(), name: "approved"}
        assert target.client.post("/api/v1/sites/news/comments", json=body).status_code == 422, name
        body = submission_json()
        body["author"][name] = str(uuid.uuid4())
        assert target.client.post("/api/v1/sites/news/comments", json=body).status_code == 422, name
    assert target.call("GET", "/api/v1/stats?site=news").get_json() == before


def test_a_number_or_truth_in_a_query_is_plain_ascii_in_every_call(target):
    seen = 0
    for _, path, _, parameters in _calls(target, "get"):
        for one in parameters:
            kind = one.get("schema", {}).get("type")
            wrong = {"integer": NUMBERS, "number": NUMBERS, "boolean": TRUTHS}.get(str(kind), [])
            if one["in"] != "query":
                continue
            for value in wrong:
                answer = target.call("GET", f"{_base(path)}?{one['name']}={quote(value)}")
                assert answer.status_code == 422, f"{path} {one['name']}={value!r}: {answer.text}"
                assert one["name"] in answer.get_json(force=True)["errors"]
                seen += 1
    assert seen > 150


def test_a_query_in_pieces_that_are_no_text_is_refused_in_every_call(target):
    for _, path, _, parameters in _calls(target, "get"):
        names = [one["name"] for one in parameters if one["in"] == "query"] or ["q"]
        for name in names:
            for value in ("%00", "a%00b", "%ed%a0%80"):
                status = target.call("GET", f"{_base(path)}?{name}={value}").status_code
                assert status in {400, 404, 422} or (value == "%ed%a0%80" and status == 200), f"{path} {name} {value}"
        flood = "&".join(f"x{number}=1" for number in range(2_000))
        assert target.call("GET", f"{_base(path)}?{flood}").status_code in {400, 413, 422}, path


ODD_IDS = [ARABIC_ID, SOME_ID.upper().replace("0189", "018A"), f"{{{SOME_ID}}}", SOME_ID.replace("-", ""), "9" * 30]
ODD_IDS += [f"{SOME_ID}%0a", f"{SOME_ID}%00", f"{SOME_ID};a=b", f"{SOME_ID}%20", f"{SOME_ID}.json", f"{SOME_ID}%2e"]


def test_an_id_in_a_path_has_one_spelling_in_every_route(target):
    rules = [rule for rule in target.app.url_map.iter_rules() if "<id:" in rule.rule]
    assert len(rules) > 40
    for rule in rules:
        before, _, rest = rule.rule.partition("<id:")
        after = rest.partition(">")[2].replace("<site:site>", "news")
        path = before.replace("<site:site>", "news")
        for odd in ODD_IDS:
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                answer = target.call(method, f"{path}{odd}{after}")
                assert answer.status_code in {404, 405}, f"{method} {rule.rule} with {odd!r}: {answer.status_code}"


def test_every_route_knows_its_methods_and_no_other(target):
    values = {"site": "news", "name": "a", "token": "a", "language": "en", "filename": "x", "path": "x", "kind": "x"}
    for rule in target.app.url_map.iter_rules():
        known = {argument: values.get(argument, SOME_ID) for argument in rule.arguments}
        path = rule.rule
        for argument, value in known.items():
            path = "/".join(
                value if part.startswith("<") and part.rstrip(">").endswith(argument) else part
                for part in path.split("/")
            )
        if "<" in path:
            continue
        for method in ("TRACE", "CONNECT", "PROPFIND", "GETS"):
            answer = target.client.open(path, method=method)
            assert answer.status_code in {404, 405}, f"{method} {path}: {answer.status_code}"
            assert answer.status_code == 404 or answer.headers["Allow"]
        assert target.client.open(path, method="OPTIONS").status_code in {200, 204, 303, 308, 401, 404}, path


def test_another_method_named_in_a_header_or_field_is_not_heeded(target):
    with target.app.app_context():
        made = accounts.add_token(target.parts, CLI, "news", "viewer", "kept")
    path = f"/api/v1/tokens/{made['id']}"
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "X-Original-Method"):
        for method in ("POST", "GET", "HEAD"):
            headers = {**target.people.bearer("root"), name: "DELETE"}
            assert target.client.open(path, method=method, headers=headers).status_code == 405
    for query in ("_method=DELETE", "method=DELETE", "X-HTTP-Method-Override=DELETE"):
        assert target.call("POST", f"{path}?{query}").status_code == 405
    own = {"Authorization": f"Bearer {made['token']}"}
    assert target.client.get("/api/v1/queue", headers=own).status_code == 200


def test_a_url_named_in_a_header_is_not_served_instead(target):
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix", "X-Script-Name"):
        answer = target.call("GET", "/api/v1/nothing")
        other = target.client.get("/api/v1/nothing", headers={**target.people.bearer("root"), name: "/api/v1/queue"})
        assert (other.status_code, other.get_json(force=True)) == (404, answer.get_json(force=True))
