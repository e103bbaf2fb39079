"""For site frontends: no login, CORS by the site's own list of origins. The site is always in the path."""

import uuid
from typing import Any

from flask import Response, current_app, request

from moderation.services import proofs, submit, threads
from moderation.services.submit import Submission
from moderation.web import auth, guards, health, replay, schemas
from moderation.web.calls import Calls, accepts_gzip, conditional, idempotency, if_none_match

calls = Calls(guards.PUBLIC, "/api/v1/sites/<site:site>", "For site frontends: public, CORS by the site's own origins.")

_EXAMPLE = {
    "thread": {"key": "2025/07/arms-pause", "url": "https://news.example/2025/07/arms-pause", "title": "Arms pause"},
    "parent_id": None,
    "author": {"name": "Ana", "email": "ana@example.org", "url": None},
    "body": "Markdown, as the reader *typed* it",
    "context": {"filled_in_ms": 8400, "website_confirm": ""},
}


@calls.call(
    "POST", "/comments", rate="submit", body=schemas.SubmissionIn, answer=schemas.Accepted, status=202, creates=True,
    example=_EXAMPLE, doc={"x-token": True},
)  # fmt: skip
def submit_comment(site: str, body: dict[str, Any]) -> Any:
    """Send a reader's comment.

    202 says that it is stored, and whether it waits or is public. Keep `edit_token` for edits, and send `author_token`
    back as `author.token` with the same reader's next comment.
    """
    answer = submit.submit_comment(guards.parts(), site, submission(body), guards.client(), idempotency())
    health.count_submission(answer["state"])
    return answer


@calls.call("GET", "/comments", query=schemas.ThreadQuery, answer=schemas.CommentList, doc={"x-etag": True})
def list_comments(site: str, query: dict[str, Any]) -> Response:
    """List the approved comments of one thread, with nested replies."""
    packed = accepts_gzip(request.headers.get("Accept-Encoding"))
    page = threads.list_comments(
        guards.parts(),
        site,
        query["thread"],
        sort=query["sort"],
        limit=query["limit"],
        cursor=query["cursor"],
        if_none_match=if_none_match(),
        packed=packed,
    )
    answer = cacheable(page.body, page.etag, page.cache_control, "application/json")
    answer.vary.add("Accept-Encoding")
    if packed and page.body is not None:
        answer.headers["Content-Encoding"] = "gzip"
    replay.rests_on(page.seen)
    return answer


@calls.call("GET", "/comments/counts", query=schemas.CountsQuery, answer=schemas.Counts, doc={"x-etag": True})
def count_comments(site: str, query: dict[str, Any]) -> Response:
    """Count the approved comments of up to 100 threads."""
    counts = threads.count_comments(guards.parts(), site, query["thread"])
    cache = f"public, max-age=0, s-maxage={guards.parts().settings.public_cache_s}, must-revalidate"
    return conditional(current_app.json.dumps(counts).encode(), "application/json", cache)


@calls.call("GET", "/challenge", answer=schemas.Challenge)
def make_challenge(site: str) -> Any:
    """Get a sum for the reader's browser, where the site asks for a proof of work.

    It is signed, good for one comment of this site within half an hour, and nothing of it is kept until then.
    """
    return proofs.challenge(guards.parts(), site)


@calls.call(
    "PATCH", "/comments/<id:comment_id>", rate="submit", body=schemas.EditIn, answer=schemas.Edited,
    doc={"x-edit-token": True},
)  # fmt: skip
def edit_comment(site: str, comment_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Change one's own comment, within the edit window. It is judged anew.

    The edit token goes into the header `X-Edit-Token`, or `Authorization: Bearer`, or the field `edit_token`.
    """
    token = auth.edit_token(body)
    return submit.edit_comment(guards.parts(), site, comment_id, token, body["body"], guards.client())


@calls.call(
    "DELETE", "/comments/<id:comment_id>", body=schemas.EditTokenIn, body_required=False, status=204,
    doc={"x-edit-token": True},
)  # fmt: skip
def delete_comment(site: str, comment_id: uuid.UUID, body: dict[str, Any]) -> None:
    """Delete one's own comment, within the edit window. That is final.

    The edit token goes into the header `X-Edit-Token`, or `Authorization: Bearer`, or the field `edit_token`.
    """
    submit.delete_comment(guards.parts(), site, comment_id, auth.edit_token(body))


@calls.call(
    "POST", "/comments/<id:comment_id>/reports", rate="report", body=schemas.ReportIn, answer=schemas.Received,
    status=202, creates=True, example={"reason": "spam", "detail": ""},
)  # fmt: skip
def report_comment(site: str, comment_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Report an approved comment to the moderators. One report a reader counts."""
    submit.report_comment(
        guards.parts(), site, comment_id, body["reason"], body["detail"] or "", guards.client(), idempotency()
    )
    return {"status": "received"}


@calls.call(
    "PUT", "/comments/<id:comment_id>/vote", rate="vote", body=schemas.VoteIn, answer=schemas.Votes,
    example={"value": 1},
)  # fmt: skip
def vote(site: str, comment_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Vote on an approved comment, where the site allows votes. One vote a reader; the later one counts."""
    return submit.vote(guards.parts(), site, comment_id, body["value"], guards.client(), body["author_token"])


@calls.call(
    "DELETE", "/comments/<id:comment_id>/vote", rate="vote", body=schemas.VoteOffIn, body_required=False,
    answer=schemas.Votes,
)  # fmt: skip
def unvote(site: str, comment_id: uuid.UUID, body: dict[str, Any]) -> Any:
    """Take one's vote back."""
    return submit.vote(guards.parts(), site, comment_id, None, guards.client(), body["author_token"])


@calls.call("POST", "/preview", rate="preview", body=schemas.PreviewIn, answer=schemas.Preview)
def preview(site: str, body: dict[str, Any]) -> Any:
    """Show a text as readers would see it. Nothing is stored."""
    return submit.preview(guards.parts(), site, body["body"], guards.client())


def submission(body: dict[str, Any]) -> Submission:
    """The loaded JSON of a submission as the use case takes it."""
    context = body["context"] or {}
    return Submission(
        thread_key=body["thread"]["key"],
        thread_url=body["thread"]["url"],
        thread_title=body["thread"]["title"],
        parent_id=body["parent_id"],
        name=body["author"]["name"] or "",
        email=body["author"]["email"],
        url=body["author"]["url"],
        token=body["author"]["token"],
        body=body["body"],
        filled_in_ms=context.get("filled_in_ms"),
        honeypot=context.get("website_confirm") or "",
        sso=body["author"]["sso"],
        notify=body["notify"],
        proof=context.get("proof"),
    )


def cacheable(body: bytes | None, etag: str, cache_control: str, content_type: str) -> Response:
    """An answer with its ``ETag``; without a body, 304."""
    # The type also of a 304, which says nothing of it: other headers go by it.
    answer = Response(body, status=304 if body is None else 200, content_type=content_type)
    answer.headers["ETag"] = etag
    answer.headers["Cache-Control"] = cache_control
    return answer
