"""Every error as an answer: RFC 9457 for programs, a small page for people. The one place that maps errors to HTTP."""

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, render_template, request
from gunicorn.http.errors import ParseException
from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import HTTPException

from moderation.errors import CallerError, Invalid, Malformed, ModerationError, RateLimited, Unavailable
from moderation.web import logs

CONTENT_TYPE = "application/problem+json"
MAX_ERRORS = 50
"""Most fields named in one answer."""

_KINDS = {
    400: ("malformed", "Malformed request"),
    401: ("unauthenticated", "Authentication required"),
    403: ("forbidden", "Not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    406: ("not-acceptable", "Not acceptable"),
    409: ("conflict", "Conflict"),
    413: ("too-large", "Body too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
    422: ("invalid", "A field is wrong"),
    429: ("rate-limited", "Too many requests"),
    500: ("internal", "Internal error"),
    503: ("unavailable", "Temporarily unavailable"),
}
_DETAILS = {
    400: "The request cannot be read.",
    404: "There is no such resource.",
    405: "The method is not one that this address knows; see the Allow header.",
    413: "The body is over the limit.",
    415: "The content type is not one that this address reads.",
    500: "Something broke on our side. The request id helps to find it in the logs.",
}
_FOR_PROGRAMS = re.compile(r"/(api|healthz|readyz|metrics|openapi\.json|avatars|1\.[12]|v1alpha1|embed)\b")


_WORDED = {
    "Missing data for required field.": "It is required.",
    "Field may not be null.": "It may not be null.",
}


class Problem(Schema):
    """An error, by RFC 9457."""

    type = fields.String(required=True, metadata={"format": "uri-reference", "examples": ["/problems/invalid"]})
    title = fields.String(required=True, metadata={"examples": ["A field is wrong"]})
    status = fields.Integer(required=True, metadata={"minimum": 400, "maximum": 599})
    detail = fields.String(required=True)
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "For a wrong field: messages by its path, with the index in lists.",
            "examples": [{"thread.url": ["It is not an absolute http or https address."]}],
        },
    )


Dialect = Callable[[int, str], Response]
"""How another protocol words an error: from its status and our words."""


def install(app: Flask, dialects: Mapping[str, Dialect]) -> None:
    """Answer every error of this application; below the paths of ``dialects`` in the form of their protocols."""
    app.extensions["dialects"] = dict(dialects)
    app.register_error_handler(ModerationError, of_ours)
    app.register_error_handler(ValidationError, of_validation)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(ParseException, of_server)
    app.register_error_handler(Exception, of_crash)


def of_ours(error: ModerationError) -> Response:
    """Answer an error of our own tree."""
    if not isinstance(error, CallerError | Unavailable):
        return of_crash(error)
    headers = {}
    if isinstance(error, RateLimited | Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unavailable):
        structlog.get_logger().warning("unavailable", kind=type(error).__name__, request_id=g.get("request_id", ""))
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="moderation"'
    errors = _bounded(error.fields) if isinstance(error, Invalid) else None
    return problem(error.status, _shortened(error.detail), errors=errors, headers=headers)


def of_validation(error: ValidationError) -> Response:
    """Answer what a schema found, by dotted paths."""
    return of_ours(Invalid(dict(flatten(error.messages))))


def of_http(error: HTTPException) -> Response:
    """Answer an error that werkzeug or Flask raised."""
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=dict(error.get_headers()))
    if status == 500:
        return of_crash(getattr(error, "original_exception", None) or error)
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    return problem(status, _DETAILS.get(status, ""), headers=headers)


def of_server(_error: ParseException) -> Response:
    """Answer what gunicorn finds wrong with a body while it is read: chunks that are none, forbidden trailers.

    It uses the connection for nothing else after that.
    """
    return of_ours(Malformed("The body is not one that HTTP knows."))


def of_crash(error: Exception) -> Response:
    """Answer what nobody foresaw: logged by kind and place, told as 500 without any of it."""
    logs.log_crash(error)
    return problem(500, _DETAILS[500])


def problem(
    status: int,
    detail: str = "",
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error answer in the shape that this address speaks: a problem document, a page, or another protocol's."""
    dialects: dict[str, Dialect] = current_app.extensions["dialects"]
    for prefix, dialect in dialects.items():
        if request.path.startswith(prefix):
            answer = dialect(status, detail or _phrase(status))
            answer.headers.update(headers or {})
            return answer
    kind, title = _KINDS.get(status, (f"http-{status}", _phrase(status)))
    if is_for_people():
        page = render_template("problem.html", title=title, detail=detail or title, request_id=g.get("request_id", ""))
        return Response(page, status=status, headers=headers, mimetype="text/html")
    document: dict[str, Any] = {
        "type": f"/problems/{kind}",
        "title": title,
        "status": status,
        "detail": detail or title,
    }
    if errors:
        document["errors"] = dict(errors)
    return Response(current_app.json.dumps(document), status=status, headers=headers, content_type=CONTENT_TYPE)


def is_for_people() -> bool:
    """Whether this address is a page of a browser, so that an error is a page too."""
    if _FOR_PROGRAMS.match(request.path):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def flatten(messages: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Nested messages of marshmallow as (dotted path, messages)."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            name = "" if key == "_schema" else _name(key)
            yield from flatten(inner, f"{path}.{name}".strip("."))
    elif isinstance(messages, list):
        yield path or "body", [_WORDED.get(str(message), str(message)) for message in messages]
    else:
        yield path or "body", [str(messages)]


def _name(key: Any) -> str:
    return str(key)[:100]


def _bounded(errors: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return dict(list(errors.items())[:MAX_ERRORS])


def _shortened(detail: str) -> str:
    return detail if len(detail) <= 500 else detail[:497] + "..."


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
