"""A reply from a plain HTML form, without any script. No cookie and no credential is involved."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Response, render_template, request
from marshmallow import ValidationError

from moderation.domain.links import safe_url
from moderation.domain.proof import MAX_PROOF_CHARS
from moderation.errors import (
    CallerError,
    Forbidden,
    Invalid,
    ModerationError,
    RateLimited,
    StorageUnavailable,
    Unavailable,
    UnsupportedMedia,
)
from moderation.services import submit, threads
from moderation.services.idempotency import Idempotency
from moderation.services.threads import Reading
from moderation.web import guards, health, json_bodies, problems, public_api, schemas
from moderation.web.calls import Calls
from moderation.web.texts import DEFAULT, Texts, texts

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
    "proof": "context.proof",
    "notify": "notify",
    "return_to": "return_to",
    "receipt": "receipt",
    "lang": "lang",
}
"""Names of the common reply form, and the fields of the JSON submission that they stand for."""

OTHER_NAMES = {"comment_post_ID": "thread", "redirect_to": "return_to"}
"""What forms of WordPress's themes call two of them; what else these send is passed over."""

_FOR_OTHERS = ("author", "email", "author_token")
"""Fields that a reader's sign-on token stands for."""

_OF_FORM = frozenset({"return_to", "receipt", "lang"})
"""Fields that are about the form and no part of the submission."""

_LABELS = {
    "author.name": "name",
    "author.email": "email",
    "author.url": "website",
    "body": "comment",
    "parent_id": "parent",
    "thread.key": "page",
    "thread.url": "page",
    "thread.title": "page",
    "notify": "notify",
}
_AT_FIELDS = ("author.name", "author.email", "author.url", "body")
"""Where a message can stand at its field; others stand at the top of the form."""

_HIDDEN = ("thread", "thread_url", "thread_title", "author_token", "sso", "return_to", "comment_parent", "lang")
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
                        "proof": {
                            "type": "string",
                            "maxLength": MAX_PROOF_CHARS,
                            "description": "A proof of work, where a script of the page made one.",
                        },
                        "notify": {
                            "type": "string",
                            "description": "Not empty, as from a ticked box: tell the author of replies by email.",
                        },
                        "return_to": {
                            "type": "string",
                            "description": "Where to go afterwards, on one of the site's own origins.",
                        },
                        "receipt": {
                            "type": "string",
                            "description": "`1`: answers with a page of thanks that has the private link, and not 303.",
                        },
                        "lang": {"type": "string", "description": "The language of the pages that answer."},
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

    Answers 303 back to the article, only ever on the site's own origins, or a page that says what is wrong with the
    form filled in. Where there is no way back, or with `receipt=1`, it is a page of thanks with the private link to
    the comment.
    """
    origins: tuple[str, ...] = ()
    typed: dict[str, str] = {}
    try:
        origins = guards.site_origins(site)
        _guard(site)
        _read_typed(typed)
        submit.check_rate(guards.parts(), site, "submit", guards.client())
        submission = public_api.submission(_loaded(typed))
        made = submit.submit_comment(guards.parts(), site, submission, guards.client(), _once(typed))
    except ValidationError as error:
        return _refused(site, Invalid(dict(problems.flatten(error.messages))), typed, origins)
    except (CallerError, Unavailable) as error:
        return _refused(site, error, typed, origins)
    health.count_submission(made["state"])
    return _thanked(made, typed, origins)


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """A form for a reply: where it goes, what is in it, and what is wrong with that, by field path."""

    action: str
    typed: Mapping[str, str]
    needs_email: bool
    offers_notices: bool
    answered: str | None
    cancel: str | None
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        site: str,
        typed: Mapping[str, str],
        reading: Reading,
        *,
        cancel: str | None = None,
        errors: Mapping[str, Sequence[str]] | None = None,
    ) -> "ReplyForm":
        """The form for a thread as it is now, with what was typed."""
        return cls(
            action=f"{guards.parts().settings.public_url}/sites/{site}/reply",
            typed=typed,
            needs_email=reading.settings.require_email,
            offers_notices=guards.parts().settings.has_mail and reading.settings.reply_notices,
            answered=reading.answered[1] if reading.answered else None,
            cancel=cancel,
            errors=errors or {},
        )

    def value(self, name: str) -> str:
        """What is in a field."""
        return self.typed.get(name, "")

    @property
    def hidden(self) -> dict[str, str]:
        """The fields that are not for people, without those that are empty."""
        return {name: self.typed[name] for name in _HIDDEN if self.typed.get(name)}

    @property
    def elsewhere(self) -> list[str]:
        """The paths of errors that have no field to stand at."""
        return [path for path in self.errors if path not in _AT_FIELDS]

    @staticmethod
    def label(t: Texts, path: str) -> str:
        """What people call the field of a path."""
        return t[_LABELS[path]] if path in _LABELS else path


def own_address(url: str | None, origins: Sequence[str]) -> str | None:
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


def _read_typed(typed: dict[str, str]) -> None:
    """Put what was typed into ``typed``, as far as it can be read."""
    for given, values in request.form.lists():
        name = OTHER_NAMES.get(given, given)
        if name in FIELDS and (name == given or name not in request.form):
            if len(values) > 1:
                raise Invalid({name: ["It is given more than once."]})
            if guards.malformed_text(values[0]):
                raise Invalid({FIELDS[name]: ["It holds characters that are not text."]})
            typed[name] = values[0]


def _loaded(typed: Mapping[str, str]) -> dict[str, Any]:
    """The form as the JSON submission that it stands for, by the same schema.

    Where the site vouches for the reader, what the form has for others is passed over.
    """
    if typed.get("sso"):
        typed = {name: value for name, value in typed.items() if name not in _FOR_OTHERS}
    nested: dict[str, Any] = {"thread": {}, "author": {}, "context": {}}
    for name, value in typed.items():
        if name in _OF_FORM or (
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
    """A plain form cannot bring a key of its own: what the same person sends twice is one reply (a second click).

    The same person is the same address and browser, as a keyed hash: the answer may hold the private link, so nobody
    else gets it by sending what they have read.
    """
    client = guards.client()
    content = {name: value for name, value in typed.items() if name not in _OF_FORM}
    content |= {"agent": client.user_agent, "ip": client.ip}
    plain = hashlib.sha256(json_bodies.canonical(content)).hexdigest()
    digest = hashlib.sha256(guards.parts().vault.sign("form", plain).encode())
    return Idempotency(key=f"form-{digest.hexdigest()}", request_hash=digest.digest())


def own_page(typed: Mapping[str, str]) -> str | None:
    """Where the form stands, as its own field says, without the fragment."""
    return typed.get("return_to", "").partition("#")[0] or None


def _thanked(made: Mapping[str, Any], typed: Mapping[str, str], origins: tuple[str, ...]) -> Response:
    back = _back(typed, origins)
    page_address = back.partition("#")[0] if back else None
    if page_address is None or typed.get("receipt"):
        return _taken(made, typed, page_address)
    if made["state"] == "approved":
        return _redirect(f"{page_address}#comment-{made['id']}")
    return _redirect(f"{_marked(page_address)}#respond")


def _taken(made: Mapping[str, Any], typed: Mapping[str, str], back: str | None) -> Response:
    """The page of thanks. It holds the private link, which no address and no other page ever does."""
    t = texts(typed.get("lang"))
    if back and made["state"] == "approved":
        back = f"{back}#comment-{made['id']}"
    page = render_template("reply_taken.html", state=made["state"], receipt=_receipt(made, t), back=back, t=t)
    return guards.unseen(Response(page, mimetype="text/html"))


RELOADED_WITHIN = timedelta(minutes=10)
"""For so long a page of thanks that is loaded again has the link still; then others may sit at the same computer."""


def _receipt(made: Mapping[str, Any], t: Texts) -> str | None:
    address: str | None = made.get("receipt_url")
    if address is None or guards.parts().clock() - made["created_at"] > RELOADED_WITHIN:
        return None
    return address + (f"?lang={t.language}" if t.language != DEFAULT else "")


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
    return (
        own_address(typed.get("return_to"), origins)
        or own_address(typed.get("thread_url"), origins)
        or _referring_page(origins)
    )


def _referring_page(origins: tuple[str, ...]) -> str | None:
    """Where the form was, as far as the browser says: of another origin it mostly says no more than that."""
    page = own_address(request.referrer, origins)
    return page if page is not None and urlsplit(page).path not in {"", "/"} else None


def _refused(site: str, error: ModerationError, typed: dict[str, str], origins: tuple[str, ...]) -> Response:
    """A page that says what is wrong, with the form filled in where sending it again can help."""
    t = texts(typed.get("lang"))
    errors = error.fields if isinstance(error, Invalid) else {}
    page = render_template(
        "reply_error.html",
        title=error.title,
        detail=_detail(t, error),
        back=_back(typed, origins),
        body=typed.get("comment", ""),
        form=_filled_in(site, error, errors, typed, origins),
        errors=[(ReplyForm.label(t, path), t.error(one)) for path, messages in errors.items() for one in messages],
        t=t,
    )
    answer = Response(page, status=error.status, mimetype="text/html")
    guards.let_lead_back(answer, origins)
    if isinstance(error, RateLimited | Unavailable):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _detail(t: Texts, error: ModerationError) -> Any:
    if isinstance(error, Invalid):
        return t["look"]
    if isinstance(error, RateLimited):
        return t["wait"].format(n=error.retry_after_s)
    return t.error(error.detail)


def _filled_in(
    site: str,
    error: ModerationError,
    errors: Mapping[str, Sequence[str]],
    typed: Mapping[str, str],
    origins: tuple[str, ...],
) -> ReplyForm | None:
    """The form as it was sent; None where sending it again is of no use, or the database is away."""
    if not isinstance(error, Invalid | RateLimited | StorageUnavailable) or not typed.get("thread", "").strip():
        return None
    kept = dict(typed)
    if own_address(kept.get("return_to"), origins) is None:
        kept.pop("return_to", None)
    if "parent_id" in errors:
        kept.pop("comment_parent", None)
    try:
        reading = threads.reply_form(guards.parts(), site, kept["thread"], _parent(kept))
    except (CallerError, Unavailable):
        return None
    return ReplyForm.of(site, kept, reading, errors=errors) if reading.takes_replies else None


def _parent(typed: Mapping[str, str]) -> uuid.UUID | None:
    try:
        return uuid.UUID(typed.get("comment_parent", ""))
    except ValueError:
        return None
