"""The discovery document of the two calls, as Google's client libraries read it, with this service's own address.

Source: the format of the API Discovery Service, v1 (``discovery#restDescription``), and the names that the Comment
Analyzer API gives to its messages. The words are ours.
"""

from typing import Any

VERSION = "v1alpha1"
REVISION = "20190414"

_STRING, _FLOAT, _TRUTH = {"type": "string"}, {"type": "number", "format": "float"}, {"type": "boolean"}
_WHOLE = {"type": "integer", "format": "int32"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": name}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _enum(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


_SCORE_TYPE = _enum("SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW")
_MESSAGES: dict[str, dict[str, Any]] = {
    "TextEntry": {"text": _STRING, "type": _enum("TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML")},
    "ArticleAndParentComment": {"article": _ref("TextEntry"), "parentComment": _ref("TextEntry")},
    "Context": {
        "entries": _list(_ref("TextEntry")),
        "articleAndParentComment": _ref("ArticleAndParentComment"),
    },
    "AttributeParameters": {"scoreType": _SCORE_TYPE, "scoreThreshold": _FLOAT},
    "Score": {"value": _FLOAT, "type": _SCORE_TYPE},
    "SpanScore": {"begin": _WHOLE, "end": _WHOLE, "score": _ref("Score")},
    "AttributeScores": {"summaryScore": _ref("Score"), "spanScores": _list(_ref("SpanScore"))},
    "AnalyzeCommentRequest": {
        "comment": _ref("TextEntry"),
        "context": _ref("Context"),
        "requestedAttributes": _map(_ref("AttributeParameters")),
        "spanAnnotations": _TRUTH,
        "languages": _list(_STRING),
        "doNotStore": _TRUTH,
        "dropUnsupportedAttributes": _TRUTH,
        "clientToken": _STRING,
        "sessionId": _STRING,
        "communityId": _STRING,
    },
    "AnalyzeCommentResponse": {
        "attributeScores": _map(_ref("AttributeScores")),
        "languages": _list(_STRING),
        "detectedLanguages": _list(_STRING),
        "clientToken": _STRING,
    },
    "SuggestCommentScoreRequest": {
        "comment": _ref("TextEntry"),
        "context": _ref("Context"),
        "attributeScores": _map(_ref("AttributeScores")),
        "languages": _list(_STRING),
        "communityId": _STRING,
        "clientToken": _STRING,
        "sessionId": _STRING,
    },
    "SuggestCommentScoreResponse": {
        "clientToken": _STRING,
        "requestedLanguages": _list(_STRING),
        "detectedLanguages": _list(_STRING),
    },
}
_METHODS = {
    "analyze": ("AnalyzeComment", "Scores a text by the attributes that are asked for."),
    "suggestscore": ("SuggestCommentScore", "Teaches the site by scores that a person holds to be right."),
}


def document(public_url: str) -> dict[str, Any]:
    """The document for a service at this address."""
    root = f"{public_url}/"
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"commentanalyzer:{VERSION}",
        "name": "commentanalyzer",
        "version": VERSION,
        "revision": REVISION,
        "title": "Comment moderation, as the Perspective Comment Analyzer API",
        "description": "Scores of texts, and scores suggested for them.",
        "ownerName": "This service",
        "ownerDomain": "",
        "protocol": "rest",
        "rootUrl": root,
        "baseUrl": root,
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "parameters": {
            "key": {"type": "string", "location": "query", "description": "The key."},
            "alt": {"type": "string", "location": "query", "default": "json", "enum": ["json"]},
            "fields": {"type": "string", "location": "query"},
            "prettyPrint": {"type": "boolean", "location": "query", "default": "true"},
            "quotaUser": {"type": "string", "location": "query"},
        },
        "schemas": {name: {"id": name, "type": "object", "properties": fields} for name, fields in _MESSAGES.items()},
        "resources": {"comments": {"methods": {name: _method(name) for name in _METHODS}}},
    }


def _method(name: str) -> dict[str, Any]:
    message, description = _METHODS[name]
    path = f"{VERSION}/comments:{name}"
    return {
        "id": f"commentanalyzer.comments.{name}",
        "path": path,
        "flatPath": path,
        "httpMethod": "POST",
        "description": description,
        "parameters": {},
        "parameterOrder": [],
        "request": _ref(f"{message}Request"),
        "response": _ref(f"{message}Response"),
    }
