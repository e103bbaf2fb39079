"""The OpenAPI document, and a page that people can read, made from it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import flask_smorest
from flask import Blueprint, Flask, Response, current_app, render_template, request
from marshmallow import fields as schema_fields
from werkzeug.exceptions import HTTPException

from moderation import __version__
from moderation.web import guards, problems, schemas
from moderation.web.calls import Calls

pages = Blueprint("docs", __name__)

METHODS = ("get", "post", "put", "patch", "delete")
DOC_CACHE = "public, max-age=300"
_PROBLEMS = {
    400: "Malformed: not JSON in UTF-8, nested too deeply, a key twice, a number out of range.",
    401: "No credentials, or bad ones.",
    403: "Not allowed.",
    404: "Not there, or not yours to know of.",
    405: "The method is not one that this address knows.",
    409: "The present state forbids it.",
    413: "The body is over the limit.",
    414: "The request line is over 8,190 bytes.",
    415: "Not `application/json` in UTF-8, or encoded.",
    422: "A field is wrong; `errors` names it.",
    429: "Too many requests.",
    500: "Something broke on our side.",
    503: "The database is away for now.",
}
_ABOUT = """\
JSON in UTF-8, `snake_case`; times by RFC 3339 in UTC; ids are UUIDv7; cursors are opaque. Errors are
`application/problem+json` (RFC 9457). Unknown fields and query parameters are refused by name. A body may have up to
{max_body} bytes, {nesting} levels of nesting and {items} items in one array; whole numbers lie within +-2^53.

Every answer carries `X-Request-Id`: the caller's own, where it is 8 to 64 of `A-Za-z0-9._-`.
"""


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest with our problems as its errors."""

    ERROR_SCHEMA = problems.Problem
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer as everywhere else."""
        return problems.of_http(error)

    def _register_responses(self) -> None:
        """Describe each problem once, as a component."""
        for status, description in _PROBLEMS.items():
            self.spec.components.response(f"Problem{status}", _problem_response(status, description))
        # What decorators of flask-smorest point to by name.
        self.spec.components.response("UNPROCESSABLE_ENTITY", _problem_response(422, _PROBLEMS[422]), lazy=True)
        self.spec.components.response("UNPROCESSABLE_CONTENT", _problem_response(422, _PROBLEMS[422]), lazy=True)


def make_api(app: Flask) -> Any:
    """The collector of all calls' descriptions."""
    app.config["API_TITLE"] = "Comment moderation"
    app.config["API_VERSION"] = "1"
    app.config["OPENAPI_VERSION"] = "3.1.0"
    api = Api(app, spec_kwargs={"info": {"description": _about()}})
    spec = api.spec
    spec.components.schema("ProblemDocument", schema=problems.Problem)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for name, header in _HEADERS.items():
        spec.components.header(name, header)
    for name, parameter in _PARAMETERS.items():
        spec.components.parameter(name, "header", parameter)
    api.register_converter(
        guards.IdConverter, lambda _: {"type": "string", "format": "uuid", "pattern": schemas.ID_PATTERN}
    )
    api.register_converter(guards.SiteConverter, lambda _: {"type": "string", "pattern": schemas.SITE_PATTERN})
    api.register_converter(guards.ScopeConverter, lambda _: {"type": "string", "pattern": schemas.SCOPE_PATTERN})
    api.register_field(schemas.Time, "string", "date-time")
    api.register_field(schema_fields.Raw, None, None)
    return api


def register(api: Any, calls: Calls) -> None:
    """Serve and describe a group of calls."""
    api.register_blueprint(calls.blueprint)


def finish(app: Flask, api: Any) -> None:
    """Complete the document by what follows from the kind of each call, and keep its bytes."""
    document = api.spec.to_dict()
    for path, _, operation in operations(document):
        _complete(path, operation)
    document["servers"] = [{"url": "/"}]
    app.extensions["openapi"] = document
    app.extensions["openapi.json"] = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (path, method, operation) of a document, in its order."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


@pages.get("/openapi.json")
def openapi_json() -> Response:
    """The OpenAPI 3.1 document."""
    answer = Response(current_app.extensions["openapi.json"], content_type="application/json")
    answer.headers["Cache-Control"] = DOC_CACHE
    # A description of the service is no secret; tools in a browser may read it from anywhere.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@pages.get("/docs")
def docs() -> str:
    """The same for people."""
    document = current_app.extensions["openapi"]
    return render_template("docs.html", document=document, groups=_groups(document), version=__version__)


def _about() -> str:
    from moderation.web import json_bodies

    return _ABOUT.format(
        max_body=guards.parts().settings.max_body_bytes if current_app else "65,536",
        nesting=json_bodies.MAX_NESTING,
        items=json_bodies.MAX_ITEMS,
    )


def _problem_response(status: int, description: str) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status in {429, 503}:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status == 401:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    content = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {"description": description, "content": content, "headers": headers}


_TEXT = {"type": "string"}
_HEADERS = {
    "X-Request-Id": {"description": "Names this request in the logs.", "required": True, "schema": _TEXT},
    "ETag": {"description": "Strong validator of this very content.", "schema": _TEXT},
    "Cache-Control": {"description": "How long a cache may keep it.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "The scheme that is asked for.", "schema": _TEXT},
    "Location": {"description": "Where to go on.", "schema": {"type": "string", "format": "uri"}},
}
_PARAMETERS = {
    "Idempotency-Key": {
        "description": "The same key and body give the first answer again, and make one thing. Kept for 24 hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
    },
    "X-Edit-Token": {
        "description": "The comment's `edit_token`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 512, "pattern": "^[A-Za-z0-9._~+/=:-]{1,512}$"},
    },
    "If-None-Match": {"description": "The `ETag` that one has.", "schema": {"type": "string"}},
}


_SAME_SITE = {"path.site": "$request.path.site"}
_SUBMITTED = {
    **_SAME_SITE,
    "path.comment_id": "$response.body#/id",
    "header.X-Edit-Token": "$response.body#/edit_token",
}
_LISTED = {**_SAME_SITE, "path.comment_id": "$response.body#/comments/0/id"}
_QUEUED = {"path.comment_id": "$response.body#/items/0/id"}
_LINKS: dict[tuple[str, str], dict[str, dict[str, str]]] = {
    ("submit_comment", "202"): {
        "edit_comment": _SUBMITTED,
        "delete_comment": _SUBMITTED,
        "show_comment": {"path.comment_id": "$response.body#/id"},
        "decide": {"path.comment_id": "$response.body#/id"},
    },
    ("list_comments", "200"): {"report_comment": _LISTED, "vote": _LISTED, "unvote": _LISTED},
    ("list_queue", "200"): {"show_comment": _QUEUED, "decide": _QUEUED, "reveal_email": _QUEUED},
    ("decide", "200"): {"undo": {"path.decision_id": "$response.body#/decision_id"}},
}
"""Which answers hold what other calls need (OpenAPI 3.1, section 4.8.20)."""


def _complete(path: str, operation: dict[str, Any]) -> None:
    notes = {name: operation.pop(name) for name in list(operation) if name.startswith("x-")}
    parameters: list[Any] = operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter.get("in") == "query":
            _without_null(parameter["schema"])
    statuses = _statuses(path, operation, notes)
    if notes.get("x-creates"):
        parameters.append({"$ref": "#/components/parameters/Idempotency-Key"})
    if notes.get("x-edit-token"):
        parameters.append({"$ref": "#/components/parameters/X-Edit-Token"})
    if notes.get("x-etag"):
        parameters.append({"$ref": "#/components/parameters/If-None-Match"})
    if not parameters:
        del operation["parameters"]
    _describe_answers(operation, statuses, notes)
    for (name, status), links in _LINKS.items():
        if operation["operationId"] == name:
            operation["responses"][status]["links"] = {
                to: {"operationId": to, "parameters": values} for to, values in links.items()
            }


def _statuses(path: str, operation: dict[str, Any], notes: dict[str, Any]) -> set[int]:
    """The problems that follow from the kind of a call; none where it speaks another protocol."""
    if notes.get("x-protocol"):
        return set()
    follows: list[tuple[Any, set[int]]] = [
        (True, {500}),
        ("{" in path, {404}),
        ("/api/" in path or "{site}" in path, {422, 503}),
        ("requestBody" in operation, {400, 413, 415, 422}),
        (any(one.get("in") == "query" for one in operation["parameters"]), {400, 414}),
        ("security" in operation, {401, 403, 404}),
        (notes.get("x-rate") or notes.get("x-page"), {403, 429}),
        (notes.get("x-conflict"), {409}),
        (notes.get("x-receipt"), {404, 409, 503}),
        (notes.get("x-token"), {401}),
        (notes.get("x-edit-token"), {401, 403, 409}),
    ]
    return {status for holds, statuses in follows if holds for status in statuses}


def _without_null(schema: dict[str, Any]) -> None:
    """A query has no null: a parameter that is not given is not there."""
    if isinstance(schema.get("type"), list):
        schema["type"] = next(kind for kind in schema["type"] if kind != "null")
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    if "default" in schema and schema["default"] is None:
        del schema["default"]


def _describe_answers(operation: dict[str, Any], statuses: set[int], notes: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    answers.pop("default", None)
    answers |= {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}
    if notes.get("x-unavailable"):
        answers["503"] = {**answers["200"], "description": "Not ready; the checks say why."}
    if notes.get("x-page") or notes.get("x-html"):
        _describe_page(answers, statuses)
    if notes.get("x-page"):
        answers["303"] = {"description": "Taken; back to the page.", "headers": _refs("Location")}
    if notes.get("x-etag"):
        answers["304"] = {"description": "Not modified."}
        for name in ("200", "304"):
            answers[name].setdefault("headers", {}).update(_refs("ETag", "Cache-Control"))
    for answer in answers.values():
        if "$ref" not in answer:
            answer.setdefault("headers", {}).update(_refs("X-Request-Id"))
    operation["responses"] = dict(sorted(answers.items()))


def _describe_page(answers: dict[str, Any], statuses: set[int]) -> None:
    page = {"text/html": {"schema": {"type": "string"}}}
    for status in statuses - {500}:
        problem = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
        answers[str(status)] = {"description": _PROBLEMS[status], "content": {**page, **problem}}


def _refs(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls by tag, resolved as far as the page shows them."""
    groups: dict[str, dict[str, Any]] = {
        tag["name"]: {"name": tag["name"], "description": tag.get("description", ""), "calls": []}
        for tag in document.get("tags", [])
    }
    for path, method, operation in operations(document):
        for tag in operation["tags"]:
            groups[tag]["calls"].append(_shown(document, path, method, operation))
    return [group for group in groups.values() if group["calls"]]


def _shown(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    given = [*document["paths"][path].get("parameters", []), *operation.get("parameters", [])]
    parameters = [_resolved(document, one) for one in given]
    return {
        "id": operation.get("operationId", ""),
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "secured": "security" in operation,
        "parameters": [{**one, "limits": _limits(one.get("schema", {}))} for one in parameters],
        "body": _content_rows(document, operation.get("requestBody", {})),
        "example": _example(operation),
        "answer": _content_rows(document, _success(operation)),
        "answers": [
            {"status": status, "description": _resolved(document, one).get("description", "")}
            for status, one in operation["responses"].items()
        ],
    }


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


def _success(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for status, one in operation["responses"].items() if status.startswith("2"))
    return found


def _content_rows(document: dict[str, Any], holder: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a request's or an answer's content."""
    for content in holder.get("content", {}).values():
        return list(_rows(document, content.get("schema", {}), "", ()))
    return []


def _rows(
    document: dict[str, Any], schema: dict[str, Any], prefix: str, above: tuple[int, ...]
) -> Iterator[dict[str, Any]]:
    """One row a field, with those below it in objects and lists; a shape within itself is not repeated."""
    whole = _object_of(document, schema)
    if id(whole) in above:
        return
    above = (*above, id(whole))
    for name, field in whole.get("properties", {}).items():
        inner = _object_of(document, field)
        is_object = "properties" in inner
        if not is_object:
            yield {
                "name": prefix + name,
                "required": name in whole.get("required", []),
                "limits": _limits(inner),
                "description": inner.get("description", ""),
            }
        yield from _rows(document, inner.get("items", inner), f"{prefix}{name}{'.' if is_object else '[].'}", above)


def _object_of(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found = _resolved(document, schema)
    for part in [*found.get("anyOf", []), *found.get("allOf", [])]:
        if "$ref" in part:
            return _resolved(document, part)
    return found


def _limits(schema: dict[str, Any]) -> str:
    """Type and limits of a value, in a few words."""
    kinds = schema.get("type", "any")
    words = [" or ".join(kinds if isinstance(kinds, list) else [kinds])]
    if "enum" in schema:
        words = ["one of " + ", ".join(str(value) for value in schema["enum"] if value is not None)]
    elif schema.get("format"):
        words = [words[0].replace("string", {"uuid": "UUID", "date-time": "time"}.get(schema["format"], "string"))]
    if "maxLength" in schema:
        words.append(f"{schema.get('minLength', 0)} to {schema['maxLength']:,} characters")
    if "maxItems" in schema:
        words.append(f"{schema.get('minItems', 0)} to {schema['maxItems']} items")
    if "maximum" in schema:
        words.append(f"{schema.get('minimum', '')} to {schema['maximum']:,}")
    if schema.get("default") not in (None, "", [], {}):
        words.append(f"default {schema['default']}")
    return ", ".join(words)


def _example(operation: dict[str, Any]) -> str:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "example" in content:
            return json.dumps(content["example"], indent=2, ensure_ascii=False)
    return ""


def code_words(text: str) -> list[tuple[bool, str]]:
    """A description split into (is code, text), for `code` in back-quotes."""
    return [(index % 2 == 1, part) for index, part in enumerate(re.split("`", text)) if part]
