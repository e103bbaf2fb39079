"""For moderators: the queue, decisions, the audit log. Each call needs a bearer token with a role on the site."""

import uuid
from typing import Any

from flask import Response

from moderation.services import moderate
from moderation.services.moderate import QueueFilter
from moderation.web import guards, health, json_bodies, schemas
from moderation.web.calls import Calls, actor

calls = Calls("moderation", "/api/v1", "For moderators: a bearer token with a role on the site.", secured=True)


@calls.call("GET", "/queue", query=schemas.QueueQuery, answer=schemas.Queue)
def list_queue(query: dict[str, Any]) -> Any:
    """List comments that wait, or those in another state."""
    page = moderate.list_queue(guards.parts(), actor(), QueueFilter(**query))
    return Response(json_bodies.answer(page), mimetype="application/json")


@calls.call(
    "POST",
    "/queue/claims",
    body=schemas.ClaimIn,
    answer=schemas.Claimed,
    example={"site": "news", "limit": 20, "minutes": 10},
)
def claim(body: dict[str, Any]) -> Any:
    """Take the next comments for oneself, so that two never work on the same."""
    return moderate.claim(guards.parts(), actor(), body["site"], body["limit"], body["minutes"])


@calls.call("DELETE", "/queue/claims", body=schemas.ReleaseIn, body_required=False, answer=schemas.Released)
def release(body: dict[str, Any]) -> Any:
    """Give back what one has taken; without ids, all of it."""
    return moderate.release(guards.parts(), actor(), body["ids"])


@calls.call("GET", "/comments/<id:comment_id>", answer=schemas.CommentWhole)
def show_comment(comment_id: uuid.UUID) -> Any:
    """Show one comment whole: source, scores, evidence, the author's record, reports, history."""
    return moderate.show_comment(guards.parts(), actor(), comment_id)


@calls.call(
    "POST", "/comments/<id:comment_id>/decisions", body=schemas.DecisionIn, answer=schemas.DecisionMade,
    example={"action": "approve", "reason": "", "note": "", "expected_state": "pending"}, doc={"x-conflict": True},
)  # fmt: skip
def decide(comment_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Decide on a comment. 409 where its state has moved on."""
    made = moderate.decide(guards.parts(), actor(), comment_id, **body)
    health.count_decision(made["action"])
    return made


@calls.call("POST", "/decisions", body=schemas.DecisionsIn, answer=schemas.DecisionResults)
def decide_many(body: dict[str, Any]) -> Any:
    """Decide on up to 500 comments; the answer says for each what became of it."""
    done = moderate.decide_many(guards.parts(), actor(), body.pop("ids"), **body)
    health.count_decision(body["action"], sum(1 for result in done["results"] if result["ok"]))
    return done


@calls.call("GET", "/comments/<id:comment_id>/alike", query=schemas.AlikeQuery, answer=schemas.AlikeList)
def list_alike(comment_id: uuid.UUID, query: dict[str, Any]) -> Any:
    """List the comments of the site that are the same or nearly so, in any thread and by anybody."""
    return moderate.list_alike(guards.parts(), actor(), comment_id, **query)


@calls.call(
    "POST", "/comments/<id:comment_id>/alike/decisions", body=schemas.AlikeDecisionsIn, answer=schemas.AlikeResults,
    example={"action": "spam", "reason": "advertising", "until": "2025-07-01T12:00:00Z"},
)  # fmt: skip
def decide_alike(comment_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Decide together on a comment and all those like it that wait; up to 500 a call."""
    done = moderate.decide_alike(guards.parts(), actor(), comment_id, **body)
    health.count_decision(body["action"], sum(1 for result in done["results"] if result["ok"]))
    return done


@calls.call(
    "POST", "/decisions/<id:decision_id>/undo", body=schemas.Nothing, body_required=False, answer=schemas.DecisionMade,
    doc={"x-conflict": True},
)  # fmt: skip
def undo(decision_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Take a decision back. 409 where the comment was decided on since."""
    return moderate.undo(guards.parts(), actor(), decision_id)


@calls.call("POST", "/comments/<id:comment_id>/reveal-email", body=schemas.RevealIn, answer=schemas.Email)
def reveal_email(comment_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Show the author's address, to an admin with a reason. It leaves a line in the audit log."""
    return moderate.reveal_email(guards.parts(), actor(), comment_id, body["reason"])


@calls.call("GET", "/audit", query=schemas.AuditQuery, answer=schemas.Audit)
def list_audit(query: dict[str, Any]) -> Any:
    """List who did what, when and why, newest first."""
    return moderate.list_audit(guards.parts(), actor(), query.pop("site"), **query)


@calls.call("GET", "/stats", query=schemas.StatsQuery, answer=schemas.Stats)
def stats(query: dict[str, Any]) -> Any:
    """Show figures by day, the oldest that waits, how long decisions took, and which signals and rules were right."""
    return moderate.stats(guards.parts(), actor(), query["site"], query["days"])
