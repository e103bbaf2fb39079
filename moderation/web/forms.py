"""A reply from a plain HTML form, without any script. No cookie and no credential is involved."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Response, render_template, request
from marshmallow import ValidationError

from moderation.domain.links import safe_url
from moderation.errors import (
    CallerError,
    Forbidden,
    Invalid,
    ModerationError,
    RateLimited,
    Unavailable,
    UnsupportedMedia,
)
from moderation.services import submit
from moderation.services.idempotency import Idempotency
from moderation.web import guards, health, json_bodies, problems, public_api, schemas
from moderation.web.calls import Calls

calls = Calls("forms", "", "For pages without script.")

FIELDS = {
    "author": "author.name",
    "email": "author.email",
    "url": "author.url",
    "author_token": "author.token",
    "sso": "author.sso",
    "comment": "body",
    "comment_parent": "parent_id",
    "thread": "thread.key",
    "thread_url": "thread.url",
    "thread_title": "thread.title",
    "website_confirm": "context.website_confirm",
    "notify": "notify",
    "return_to": "return_to",
}
"""Names of the common reply form, and the fields of the JSON submission that they stand for."""

_FOR_OTHERS = ("author", "email", "author_token")
"""Fields that a reader's sign-on token stands for."""

LABELS = {
    "author.name": "Name",
    "author.email": "Email",
    "author.url": "Website",
    "body": "Comment",
    "parent_id": "The comment you reply to",
    "thread.key": "The article",
    "thread.url": "The article's address",
    "thread.title": "The article's title",
    "notify": "Notices of replies",
}
_NOTHING = {"", "0"}
_WAITS = "comment=pending"

_DOC = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["author", "comment", "thread"],
                    "properties": {
                        "author": {"type": "string", "minLength": 1, "maxLength": 100},
                        "email": {"type": "string", "maxLength": 320},
                        "url": {"type": "string", "maxLength": 2000},
                        "comment": {"type": "string", "minLength": 1, "maxLength": schemas.MAX_BODY_CHARS},
                        "comment_parent": {"type": "string", "description": "Id of the parent; `0` or empty for none."},
                        "thread": {"type": "string", "minLength": 1, "maxLength": 500},
                        "thread_url": {"type": "string", "maxLength": 2000},
                        "thread_title": {"type": "string", "maxLength": 500},
                        "author_token": {"type": "string", "maxLength": 512},
                        "website_confirm": {"type": "string", "description": "The honeypot: people leave it empty."},
                        "notify": {
                            "type": "string",
                            "description": "Not empty, as from a ticked box: tell the author of replies by email.",
                        },
                        "return_to": {
                            "type": "string",
                            "description": "Where to go afterwards, on one of the site's own origins.",
                        },
                    },
                }
            }
        },
    },
    "x-page": True,
    "x-token": True,
}


@calls.call("POST", "/sites/<site:site>/reply", answer_type="text/html", doc=_DOC)
def reply(site: str) -> Response:
    """Send a reader's comment from a plain form.

    Answers 303 back to the article, only ever on the site's own origins, or a page that says what is wrong and gives
    back what was typed.
    """
    origins: tuple[str, ...] = ()
    typed: Mapping[str, str] = {}
    try:
        origins = guards.site_origins(site)
        _guard(site)
        typed = _typed()
        submit.check_rate(guards.parts(), site, "submit", guards.client())
        submission = public_api.submission(_loaded(typed))
        made = submit.submit_comment(guards.parts(), site, submission, guards.client(), _once(typed))
    except ValidationError as error:
        return _refused(Invalid(dict(problems.flatten(error.messages))), typed, origins)
    except (CallerError, Unavailable) as error:
        return _refused(error, typed, origins)
    health.count_submission(made["state"])
    return _thanked(made, typed, origins)


def own_address(url: str | None, origins: tuple[str, ...]) -> str | None:
    """The address, if it is on one of the site's own origins or on ours; None otherwise. Never an open redirect."""
    if not url or url != url.strip():
        return None
    safe = safe_url(url)
    if safe is None or guards.origin_of(safe) not in {*origins, guards.own_origin()}:
        return None
    return safe


def _guard(site: str) -> None:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise UnsupportedMedia("Send the form as application/x-www-form-urlencoded.")
    guards.refuse_foreign_origin(site)
    # A browser too old for Origin is let pass: nothing here rests on who the browser's user is.
    if "Origin" not in request.headers and request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("Pages of this origin may not write to the site.")


def _typed() -> dict[str, str]:
    typed: dict[str, str] = {}
    for name, values in request.form.lists():
        if name in FIELDS:
            if len(values) > 1:
                raise Invalid({name: ["It is given more than once."]})
            if guards.malformed_text(values[0]):
                raise Invalid({FIELDS[name]: ["It holds characters that are not text."]})
            typed[name] = values[0]
    return typed


def _loaded(typed: Mapping[str, str]) -> dict[str, Any]:
    """The form as the JSON submission that it stands for, by the same schema.

    Where the site vouches for the reader, what the form has for others is passed over.
    """
    if typed.get("sso"):
        typed = {name: value for name, value in typed.items() if name not in _FOR_OTHERS}
    nested: dict[str, Any] = {"thread": {}, "author": {}, "context": {}}
    for name, value in typed.items():
        if name == "return_to" or (
            name != "comment" and value.strip() in (_NOTHING if name in {"comment_parent", "notify"} else {""})
        ):
            continue
        room, dot, field = FIELDS[name].partition(".")
        if dot:
            nested[room][field] = value
        elif name == "notify":
            nested[name] = True
        else:
            nested[room] = value
    if "url" not in nested["thread"] and (page := own_page(typed)):
        nested["thread"]["url"] = page
    loaded: dict[str, Any] = schemas.SubmissionIn().load(nested)
    return loaded


def _once(typed: Mapping[str, str]) -> Idempotency:
    """A plain form cannot bring a key of its own: what the same person sends twice is one reply (a second click)."""
    content = {name: value for name, value in typed.items() if name != "return_to"}
    content["agent"] = guards.client().user_agent
    digest = hashlib.sha256(json_bodies.canonical(content))
    return Idempotency(key=f"form-{digest.hexdigest()}", request_hash=digest.digest())


def own_page(typed: Mapping[str, str]) -> str | None:
    """Where the form stands, as its own field says, without the fragment."""
    return typed.get("return_to", "").partition("#")[0] or None


def _thanked(made: Mapping[str, Any], typed: Mapping[str, str], origins: tuple[str, ...]) -> Response:
    back = _back(typed, origins)
    if back is None:
        page = render_template("reply_taken.html", state=made["state"])
        return Response(page, mimetype="text/html")
    page_address = back.partition("#")[0]
    if made["state"] == "approved":
        return _redirect(f"{page_address}#comment-{made['id']}")
    return _redirect(f"{_marked(page_address)}#respond")


def _marked(address: str) -> str:
    """The address with the mark by which the page can say that the comment waits."""
    query = urlsplit(address).query
    if _WAITS in query.split("&"):
        return address
    return f"{address}{'&' if query else '?'}{_WAITS}"


def _redirect(address: str) -> Response:
    answer = Response(status=303)
    answer.headers["Location"] = address
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _back(typed: Mapping[str, str], origins: tuple[str, ...]) -> str | None:
    return own_address(typed.get("return_to"), origins) or own_address(typed.get("thread_url"), origins)


def _refused(error: ModerationError, typed: Mapping[str, str], origins: tuple[str, ...]) -> Response:
    errors = error.fields if isinstance(error, Invalid) else {}
    page = render_template(
        "reply_error.html",
        title=error.title,
        detail="Please look at what is marked below." if errors else error.detail,
        errors={LABELS.get(path, path): messages for path, messages in errors.items()},
        back=_back(typed, origins),
        body=typed.get("comment", ""),
    )
    answer = Response(page, status=error.status, mimetype="text/html")
    if isinstance(error, RateLimited | Unavailable):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer
