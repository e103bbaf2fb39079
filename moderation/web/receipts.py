"""A commenter's private page, by the signed link that came with the answer to a submission.

The token in the link is the only proof there is: no cookie, nothing to log in to. So nothing here is stored, indexed or
told as a referrer; a GET changes nothing, since scanners of mail and messengers open links; and what changes something
is a POST with the token in its body, which no page of somebody else can send.
"""

from typing import Any

from flask import Response, current_app, redirect, render_template, request, url_for
from marshmallow import ValidationError

from moderation.errors import (
    CallerError,
    Conflict,
    Forbidden,
    Invalid,
    ModerationError,
    NotFound,
    RateLimited,
    UnsupportedMedia,
)
from moderation.services import receipts
from moderation.services.receipts import Receipt, Told
from moderation.web import forms, guards, problems, schemas
from moderation.web.calls import Calls
from moderation.web.texts import DEFAULT, Texts, texts

calls = Calls("receipts", "", "A commenter's own page.")

MAX_TOKEN_CHARS = 400

_ACTIONS = ("preview", "save", "withdraw", "withdraw_yes", "copy", "erase", "erase_yes")
COPY_NAME = "my-comment.json"
_DOC = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["token", "action"],
                    "properties": {
                        "token": {"type": "string", "maxLength": MAX_TOKEN_CHARS},
                        "action": {"type": "string", "enum": list(_ACTIONS)},
                        "text": {"type": "string", "minLength": 1, "maxLength": schemas.MAX_BODY_CHARS},
                        "lang": {"type": "string"},
                    },
                }
            }
        },
    },
    "x-page": True,
    "x-receipt": True,
}


@calls.call(
    "GET", f"/receipts/<string(maxlength={MAX_TOKEN_CHARS}):token>", answer_type="text/html",
    doc={"x-html": True, "x-receipt": True},
)  # fmt: skip
def show_receipt(token: str) -> Response:
    """Show the author of a comment what became of it. Changes nothing, whoever opens it.

    With the way to change it, while it waits or within the edit window, and to withdraw it at any time. A comment
    that was judged to be spam is said to wait. `lang` chooses the language of the page.
    """
    t = texts(request.args.get("lang"))
    try:
        receipt = receipts.show_receipt(guards.parts(), token)
    except NotFound:
        return _gone(t)
    return _page(t, token, receipt, saved=request.args.get("done") == "saved")


@calls.call("POST", "/receipts", answer_type="text/html", doc=_DOC)
def use_receipt() -> Response:
    """Change, withdraw or copy a comment by its receipt, or take the name off it, from the forms of its page.

    `preview`, `withdraw` and `erase` change nothing: they show the text as it would be, and ask once more. `copy`
    answers a file of JSON with what is kept of this comment, without the address. Otherwise answers 303 to the
    page.
    """
    if request.mimetype != "application/x-www-form-urlencoded":
        raise UnsupportedMedia("Send the form as application/x-www-form-urlencoded.")
    _refuse_foreign_page()
    t = texts(request.form.get("lang"))
    token = request.form.get("token", "")
    try:
        return _done(t, token, request.form.get("action", ""))
    except NotFound:
        return _gone(t)


def _done(t: Texts, token: str, action: str) -> Response:
    parts = guards.parts()
    receipt = receipts.show_receipt(parts, token)
    text = request.form.get("text", "")
    try:
        match action:
            case "preview":
                html = receipts.preview(parts, token, _read(text), guards.client())
                return _page(t, token, receipt, text=text, preview=html)
            case "save":
                receipts.edit(parts, token, _read(text), guards.client())
                return _back(t, token, "saved")
            case "withdraw":
                return _page(t, token, receipt, asks="withdraw" if receipt.told is not Told.DELETED else "")
            case "withdraw_yes":
                receipts.withdraw(parts, token)
                return _back(t, token)
            case "copy":
                return _file(receipts.copy(parts, token))
            case "erase":
                return _page(t, token, receipt, asks="erase" if receipt.may_erase else "")
            case "erase_yes":
                receipts.erase(parts, token)
                return _back(t, token)
    except ValidationError as error:
        return _page(t, token, receipt, text=text, error=Invalid(dict(problems.flatten(error.messages))))
    except CallerError as error:
        return _page(t, token, receipts.show_receipt(parts, token), text=text, error=error)
    raise Invalid({"action": [f"It is one of: {', '.join(_ACTIONS)}."]})


def _read(text: str) -> str:
    """The text by the schema of an edit."""
    if guards.malformed_text(text):
        raise Invalid({"body": ["It holds characters that are not text."]})
    return str(schemas.EditIn().load({"body": text})["body"])


def _refuse_foreign_page() -> None:
    """By the browser's own word (Fetch Metadata). A page that tells no referrer sends ``null`` for its origin."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    is_own = site in {"same-origin", "none"} if site is not None else origin in {None, "null", guards.own_origin()}
    if not is_own:
        raise Forbidden("The form was sent from another site.")


def _page(
    t: Texts,
    token: str,
    receipt: Receipt,
    *,
    text: str | None = None,
    preview: str = "",
    asks: str = "",
    saved: bool = False,
    error: ModerationError | None = None,
) -> Response:
    article = forms.own_address(receipt.page_url, receipt.origins)
    page = render_template(
        "receipt/ask.html" if asks else "receipt/receipt.html",
        t=t,
        token=token,
        receipt=receipt,
        asks=asks,
        text=receipt.body if text is None else text,
        preview=preview,
        saved=saved,
        problem=_problem(t, error) if error else None,
        at_text=error.fields.get("body", []) if isinstance(error, Invalid) else [],
        link=f"{article.partition('#')[0]}#comment-{receipt.comment_id}" if article else None,
        here=_address(t, token),
    )
    answer = Response(page, status=error.status if error else 200, mimetype="text/html")
    if isinstance(error, RateLimited):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return guards.unseen(answer)


def _file(data: dict[str, Any]) -> Response:
    answer = Response(current_app.json.dumps(data) + "\n", mimetype="application/json")
    answer.headers["Content-Disposition"] = f"attachment; filename={COPY_NAME}"
    return guards.unseen(answer)


def _problem(t: Texts, error: ModerationError) -> Any:
    if isinstance(error, Conflict):
        return t["moved_on"]
    if isinstance(error, Forbidden):
        return t["too_late"]
    if isinstance(error, RateLimited):
        return t["wait"].format(n=error.retry_after_s)
    return t["look"]


def _gone(t: Texts) -> Response:
    return guards.unseen(Response(render_template("receipt/gone.html", t=t), status=404, mimetype="text/html"))


def _back(t: Texts, token: str, done: str | None = None) -> Response:
    answer = redirect(_address(t, token, done), 303)
    return guards.unseen(answer)  # type: ignore[arg-type]


def _address(t: Texts, token: str, done: str | None = None) -> str:
    lang = None if t.language == DEFAULT else t.language
    return url_for("receipts.show_receipt", token=token, done=done, lang=lang)
