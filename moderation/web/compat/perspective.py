"""The Perspective API, v1alpha1: ``comments:analyze``, ``comments:suggestscore``, and its discovery document.

Errors are Google's: ``{"error": {code, message, status, details}}``, with details in every case, since clients look
into the first of them. The key comes as ``key`` in the query or in ``X-Goog-Api-Key``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, current_app, request

from moderation.domain.perspective import Analysis, Asked, Refused
from moderation.errors import Forbidden, Invalid, Malformed, Unauthenticated
from moderation.services import perspective
from moderation.services.scorer_keys import SWITCHED_OFF, Caller
from moderation.web import guards, json_bodies
from moderation.web.calls import Calls
from moderation.web.compat import discovery
from moderation.web.compat.json_messages import Misfit, by_name, many, message, number, text, truth

calls = Calls("perspective", "", "The Perspective API, where a site has switched it on.")

SERVICE = "commentanalyzer.googleapis.com"
ERROR, INFO, BAD_REQUEST = (
    f"type.googleapis.com/{name}"
    for name in ("google.commentanalyzer.v1alpha1.Error", "google.rpc.ErrorInfo", "google.rpc.BadRequest")
)
PROBABILITY = "PROBABILITY"
NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
    "form of API consumer identity to call this API."
)
BAD_KEY = "API key not valid. Please pass a valid API key."
TEXT_TYPES = {"TEXT_TYPE_UNSPECIFIED": False, "PLAIN_TEXT": False, "HTML": True}
SCORE_TYPES = frozenset({PROBABILITY, "SCORE_TYPE_UNSPECIFIED"})

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_AS_GOOGLE = {405: 404, 413: 400, 414: 400, 415: 400, 422: 400}
"""Statuses of ours and what the service answers: an unknown method is not found, what it cannot read is an argument."""

_ENTRY = message({"text": text, "type": text})
_SCORE = message({"value": number, "type": text})
_CONTEXT = message(
    {
        "entries": many(_ENTRY),
        "articleAndParentComment": message({"article": _ENTRY, "parentComment": _ENTRY}),
    }
)
_COMMON = {
    "comment": _ENTRY,
    "context": _CONTEXT,
    "languages": many(text),
    "clientToken": text,
    "sessionId": text,
    "communityId": text,
}
_ANALYZE = message(
    {
        **_COMMON,
        "requestedAttributes": by_name(message({"scoreType": text, "scoreThreshold": number})),
        "spanAnnotations": truth,
        "doNotStore": truth,
        "dropUnsupportedAttributes": truth,
    }
)
_SPAN = message({"begin": number, "end": number, "score": _SCORE})
_SUGGEST = message(
    {
        **_COMMON,
        "attributeScores": by_name(message({"summaryScore": _SCORE, "spanScores": many(_SPAN)})),
        "doNotStore": truth,
    }
)


def _doc(name: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "x-protocol": True,
        "parameters": [{"in": "query", "name": "key", "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": f"`{name}`, as `/$discovery/rest` describes it.", "content": content}},
    }


@calls.call("POST", "/v1alpha1/comments:analyze", answer_type="application/json", doc=_doc("AnalyzeCommentResponse"))
def perspective_analyze() -> Response:
    """Score a text by attributes, by the Perspective API. Nothing of it is stored, whatever `doNotStore` says."""
    return _answered(_analyzed)


@calls.call(
    "POST", "/v1alpha1/comments:suggestscore", answer_type="application/json",
    doc=_doc("SuggestCommentScoreResponse"),
)  # fmt: skip
def perspective_suggestscore() -> Response:
    """Teach the site by better scores for a text, by the Perspective API."""
    return _answered(_suggested)


@calls.call("GET", "/$discovery/rest", answer_type="application/json", doc={"x-protocol": True})
def perspective_discovery() -> Response:
    """Describe the two calls as Google's client libraries read it (discovery document, `version=v1alpha1`)."""
    if request.args.get("version", discovery.VERSION) != discovery.VERSION:
        return error(404, "Discovery document not found for this version.")
    answer = _json(200, discovery.document(guards.parts().settings.public_url))
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


def error(status: int, detail: str) -> Response:
    """An error in Google's form, from a status of ours."""
    code = _AS_GOOGLE.get(status, status)
    kind = {429: "RATE_LIMIT_EXCEEDED", 404: "METHOD_NOT_FOUND", 503: "BACKEND_ERROR", 500: "BACKEND_ERROR"}
    if code == 400:
        return _error(400, detail, {"@type": ERROR, "errorType": "INVALID_REQUEST"})
    return _error(code, detail, _info(kind.get(code, _STATUSES.get(code, "UNKNOWN"))))


def _answered(answer: Callable[[Caller, bytes], dict[str, Any]]) -> Response:
    """The answer to a request whose key is valid. The key is looked at before the body is."""
    key = request.args.get("key") or request.headers.get("X-Goog-Api-Key", "")
    if not key:
        return _error(403, NO_KEY, _info("CREDENTIALS_MISSING"))
    try:
        caller = perspective.authenticate(guards.parts(), key)
        return _json(200, answer(caller, request.get_data(cache=True)))
    except Unauthenticated:
        return _error(400, BAD_KEY, _info("API_KEY_INVALID"))
    except Forbidden:
        return _error(403, SWITCHED_OFF, _info("SERVICE_DISABLED"))
    except Refused as refused:
        return _error(400, refused.detail, {"@type": ERROR, "errorType": refused.kind, **refused.more})
    except Misfit as misfit:
        violation = {"field": misfit.path, "description": str(misfit)}
        return _error(400, str(misfit), {"@type": BAD_REQUEST, "fieldViolations": [violation]})
    except (Malformed, Invalid) as refused:
        return error(400, f"Invalid JSON payload received. {refused.detail}")


def _analyzed(caller: Caller, body: bytes) -> dict[str, Any]:
    given = _ANALYZE(_object(body), "")
    attributes = {
        name: _threshold(name, parameters) for name, parameters in given.get("requestedAttributes", {}).items()
    }
    found = perspective.analyze(guards.parts(), caller, _asked(given, attributes))
    answer: dict[str, Any] = {}
    if found.scores:
        answer["attributeScores"] = {
            name: {
                "spanScores": [
                    {"begin": begin, "end": end, "score": _score(value)} for begin, end, value in scored.parts
                ],
                "summaryScore": _score(scored.score),
            }
            for name, scored in found.scores.items()
        }
    return answer | _languages(found, "languages") | _echoed(given)


def _suggested(caller: Caller, body: bytes) -> dict[str, Any]:
    given = _SUGGEST(_object(body), "")
    suggested = {name: _suggestion(one) for name, one in given.get("attributeScores", {}).items()}
    if not all(value is None or 0 <= value <= 1 for value in suggested.values()):
        raise Refused("Suggested scores must be in the range [0,1].")
    found = perspective.suggest(guards.parts(), caller, _asked(given, {}), suggested)
    return _echoed(given) | _languages(found, "requestedLanguages")


def _suggestion(one: Mapping[str, Any]) -> float | None:
    """The score of the whole text; None where parts alone are scored. A 0 may be left out, as Protocol Buffers do."""
    return float(one["summaryScore"].get("value", 0.0)) if "summaryScore" in one else None


def _asked(given: Mapping[str, Any], attributes: Mapping[str, float]) -> Asked:
    comment, context = given.get("comment", {}), given.get("context", {})
    if "entries" in context and "articleAndParentComment" in context:
        raise Refused("Context can have either entries or article_and_parent_comment, but both fields were populated.")
    kind = comment.get("type", "PLAIN_TEXT")
    if kind not in TEXT_TYPES:
        raise Refused("Unknown text type")
    return Asked(
        text=comment.get("text", ""),
        is_html=TEXT_TYPES[kind],
        attributes=attributes,
        languages=tuple(given.get("languages", ())),
        by_sentence=given.get("spanAnnotations", False),
        drops_unsupported=given.get("dropUnsupportedAttributes", False),
    )


def _threshold(name: str, parameters: Mapping[str, Any]) -> float:
    kind = parameters.get("scoreType", PROBABILITY)
    if kind not in SCORE_TYPES:
        raise Refused(f"Requested score type {kind[:50]} is not supported by attribute {name[:100]}")
    return float(parameters.get("scoreThreshold", 0.0))


def _object(body: bytes) -> Any:
    """The JSON of a body; none at all is an empty message."""
    return json_bodies.read_json(body) if body.strip() else {}


def _score(value: float) -> dict[str, Any]:
    return {"value": value, "type": PROBABILITY}


def _languages(found: Analysis, name: str) -> dict[str, Any]:
    return {name: list(found.languages), "detectedLanguages": list(found.detected)}


def _echoed(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"clientToken": given["clientToken"]} if "clientToken" in given else {}


def _info(reason: str) -> dict[str, Any]:
    return {"@type": INFO, "reason": reason, "domain": "googleapis.com", "metadata": {"service": SERVICE}}


def _error(code: int, words: str, detail: dict[str, Any]) -> Response:
    status = _STATUSES.get(code, "UNKNOWN")
    return _json(code, {"error": {"code": code, "message": words, "status": status, "details": [detail]}})


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(current_app.json.dumps(content), status=status, content_type="application/json; charset=UTF-8")
