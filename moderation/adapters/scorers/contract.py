"""``http``: our own simple contract, one signed question and one answer in JSON.

Question: ``{"id", "site", "thread": {"key"}, "text", "language"?, "author"?: {"name"}}``, with the three headers of
Standard Webhooks 1.0.0. Answer: ``{"scores": {name: 0..1}, "weight": -1..1, "evidence": [{"text", "spans"?}],
"version"}``, of which it needs a score or a weight; names are those of our seven scores, spans count code points.
"""

from datetime import datetime
from typing import Any

from moderation.adapters.safe_http import Answer
from moderation.adapters.scorers import reading
from moderation.adapters.scorers.reading import Request
from moderation.domain import webhook
from moderation.domain.policy import ATTRIBUTES, Evidence
from moderation.domain.scorer import Opinion, Question, Scorer


def request(scorer: Scorer, secret: str, question: Question, now: datetime) -> Request:
    """The question, signed."""
    content: dict[str, Any] = {
        "id": question.id,
        "site": question.site,
        "thread": {"key": question.thread_key},
        "text": question.text,
    }
    if "language" in scorer.options:
        content["language"] = scorer.options["language"]
    if scorer.options.get("send_name"):
        content["author"] = {"name": question.author_name}
    body = reading.written(content)
    return Request(scorer.url, {**reading.JSON, **webhook.sign([secret], question.id, now, body)}, body)


def opinion(scorer: Scorer, question: Question, answer: Answer) -> Opinion:
    """What was answered. An answer with neither a score nor a weight judges nothing, and is none."""
    found = reading.read_object(answer.body)
    scores = reading.mapping(found.get("scores", {}))
    if not set(scores) <= set(ATTRIBUTES):
        raise ValueError("an unknown score")
    weight = found.get("weight")
    if not scores and weight is None:
        raise ValueError("neither a score nor a weight")
    evidence = reading.items(found.get("evidence", []), reading.MAX_EVIDENCE)
    return Opinion(
        {name: reading.number(score) for name, score in scores.items()},
        weight=None if weight is None else reading.number(weight, -1.0),
        evidence=tuple(_evidence(scorer, one, len(question.text)) for one in evidence),
        version=reading.line(found.get("version", ""), reading.MAX_VERSION_CHARS),
    )


def _evidence(scorer: Scorer, value: Any, length: int) -> Evidence:
    found = reading.mapping(value)
    (sentence,) = reading.said(scorer.name, reading.line(found.get("text")))
    return Evidence(sentence.text, reading.spans(found.get("spans", []), length))
