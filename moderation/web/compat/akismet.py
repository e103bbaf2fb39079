"""Akismet's REST protocol, 1.1 and the two calls of 1.2 that clients use.

Clients compare bodies to the byte, so there is no line break behind them, and take the presence of
``X-akismet-debug-help`` for a failure, so it stands beside errors alone. What the protocol knows is answered with 200;
only what it does not (a wrong method, too large a body, no database) has another status, for which clients hold a
comment back. A key may be the field ``api_key`` or ``key``, or the first label of the host.
"""

import codecs
import csv
import io
import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from flask import Response, current_app, request

from moderation.domain import akismet as protocol
from moderation.domain.akismet import Check
from moderation.errors import Forbidden, Malformed, Unauthenticated
from moderation.services import akismet
from moderation.storage.key_usage import ORDERS
from moderation.web import guards
from moderation.web.calls import Calls

calls = Calls("akismet", "", "Akismet's protocol, where a site has switched it on.")

MAX_FIELDS = 1_000
"""Fields of a form; clients send some seventy of them, with everything that their server knows of a request."""

MAX_SITES, DEFAULT_SITES = 500, 500

VALID, INVALID = "valid", "invalid"
HELP = "X-akismet-debug-help"

_LABEL = re.compile(r"([a-z0-9]{20,63})\.[a-z0-9.-]+(?::\d+)?", re.IGNORECASE)
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_CHARSETS = frozenset(
    {"utf-8", "ascii", "koi8-r", "koi8-u", "big5", "gbk", "gb2312", "gb18030", "shift_jis", "euc_jp", "euc_kr"}
    | {f"iso8859-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)}
    | {f"cp{number}" for number in range(1250, 1259)}
)
"""What a form may be written in, by Python's names. UTF-7 and the like are none of them."""

_TEXT = {"type": "string"}
_PLAIN_FIELDS = (
    "comment_author", "comment_author_email", "comment_author_url", "comment_content", "comment_parent", "user_role",
    "is_test", "recheck_reason", "honeypot_field_name", "blog_charset",
)  # fmt: skip
_FIELDS = {
    "blog": {**_TEXT, "description": "The address of the site."},
    "user_ip": {**_TEXT, "description": "The address of the comment's author."},
    "api_key": {**_TEXT, "description": "The key; it may also be the first label of the host."},
    **dict.fromkeys(_PLAIN_FIELDS, _TEXT),
}


class Form(NamedTuple):
    """The fields of a request, and its key."""

    fields: dict[str, str]
    key: str


def _doc(needed: tuple[str, ...], answers: tuple[str, ...]) -> dict[str, Any]:
    schema = {"type": "object", "required": list(needed), "properties": _FIELDS}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    words = ", ".join(f"`{one}`" for one in answers)
    return {
        "x-protocol": True,
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": f"One of {words}.", "content": {"text/plain": {"schema": _TEXT}}}},
    }


_ENTRY_DOC = _doc(("blog", "user_ip"), (protocol.THANKS, INVALID))


@calls.call("POST", "/1.1/verify-key", answer_type="text/plain", doc=_doc(("blog",), (VALID, INVALID)))
def akismet_verify_key() -> Response:
    """Say whether a key is valid, by Akismet's protocol."""
    answer = _answered(_verified, ("blog",))
    # Clients know two answers here and no third.
    return answer if answer.get_data() == VALID.encode() else _plain(INVALID, help_=answer.headers[HELP])


@calls.call(
    "POST", "/1.1/comment-check", answer_type="text/plain", doc=_doc(("blog", "user_ip"), ("true", "false", INVALID))
)
def akismet_comment_check() -> Response:
    """Say whether a comment is spam, by Akismet's protocol. Nothing of it is stored."""
    return _answered(_checked)


@calls.call("POST", "/1.1/submit-spam", answer_type="text/plain", doc=_ENTRY_DOC)
def akismet_submit_spam() -> Response:
    """Teach the site that a comment is spam, by Akismet's protocol; in the place of what was taught of it before."""
    return _answered(lambda form: _submitted(form, "submit-spam"))


@calls.call("POST", "/1.1/submit-ham", answer_type="text/plain", doc=_ENTRY_DOC)
def akismet_submit_ham() -> Response:
    """Teach the site that a comment is no spam, by Akismet's protocol; in the place of what was taught before."""
    return _answered(lambda form: _submitted(form, "submit-ham"))


def _query_doc(*names: str) -> dict[str, Any]:
    parameters = [{"in": "query", "name": name, "schema": _TEXT, "required": name == "api_key"} for name in names]
    json_or_text = {"application/json": {"schema": {"type": "object"}}, "text/plain": {"schema": _TEXT}}
    answer = {"description": "The figures, or `invalid`.", "content": json_or_text}
    return {"x-protocol": True, "parameters": parameters, "responses": {"200": answer}}


@calls.call("GET", "/1.2/usage-limit", answer_type="application/json", doc=_query_doc("api_key"))
def akismet_usage_limit() -> Response:
    """Tell how often a key was used in this month, by Akismet's protocol."""
    return _answered(_used, ())


@calls.call(
    "GET", "/1.2/key-sites", answer_type="application/json",
    doc=_query_doc("api_key", "month", "filter", "format", "order", "limit", "offset"),
)  # fmt: skip
def akismet_key_sites() -> Response:
    """Tell for which of the site's addresses a key was used in a month, by Akismet's protocol."""
    return _answered(_listed, ())


def error(status: int, detail: str) -> Response:
    """An error that is not of the protocol: a status, and one line."""
    return _plain(INVALID, help_=detail, status=status)


def _answered(answer: Callable[[Form], Response], needed: tuple[str, ...] = ("blog", "user_ip")) -> Response:
    """The answer to a form that is complete and whose key is valid; else the protocol's word for what is wrong."""
    form = _form()
    if not form.key:
        return _missing("api_key")
    missing = protocol.missing_field(form.fields, needed)
    if missing is not None:
        return _missing(missing)
    try:
        return answer(form)
    except (Unauthenticated, Forbidden) as refused:
        return _plain(INVALID, help_=refused.detail)


def _verified(form: Form) -> Response:
    akismet.verify(guards.parts(), form.key)
    return _plain(VALID)


def _checked(form: Form) -> Response:
    found = akismet.check(guards.parts(), form.key, protocol.read_entry(form.fields))
    answer = _plain("true" if found in (Check.SPAM, Check.BLATANT) else "false")
    answer.headers["X-akismet-guid"] = str(uuid.uuid4())
    if found is Check.BLATANT:
        answer.headers["X-akismet-pro-tip"] = "discard"
    if found is Check.UNSURE:
        answer.headers["X-akismet-recheck-after"] = str(protocol.RECHECK_AFTER_S)
    return answer


def _submitted(form: Form, kind: str) -> Response:
    akismet.submit(guards.parts(), form.key, protocol.read_entry(form.fields), kind)
    return _plain(protocol.THANKS)


def _used(form: Form) -> Response:
    return _json(akismet.usage(guards.parts(), form.key))


def _listed(form: Form) -> Response:
    fields = form.fields
    month = _MONTH.fullmatch(fields.get("month", ""))
    order = fields.get("order", "total")
    limit, offset = _number(fields.get("limit"), DEFAULT_SITES), _number(fields.get("offset"), 0)
    sound = {
        "month": "month" not in fields or month is not None,
        "order": order in ORDERS,
        "limit": limit is not None and 1 <= limit <= MAX_SITES,
        "offset": offset is not None,
    }
    wrong = next((name for name, holds in sound.items() if not holds), None)
    if wrong is not None or limit is None or offset is None:
        return _plain(INVALID, help_=f"Invalid value of {wrong}.")
    first = date(int(month[1]), int(month[2]), 1) if month else None
    found = akismet.key_sites(guards.parts(), form.key, first, fields.get("filter", ""), order, limit, offset)
    if fields.get("format") == "csv":
        return _csv(found)
    named = f"{found['month']:%Y-%m}"
    return _json({named: found["rows"], **{name: found[name] for name in ("limit", "offset", "total")}})


def _form() -> Form:
    """The fields of the body and, behind them, of the query, each by its first value; lists keep their brackets."""
    pairs = [*_pairs(request.get_data(cache=True)), *request.args.items(multi=True)]
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value.replace("\x00", ""))
    label = _LABEL.fullmatch(request.host)
    key = fields.get("api_key") or fields.get("key") or (label[1].lower() if label else "")
    return Form(fields, key.strip())


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in the charset that it names. Raises ``Malformed``."""
    if request.mimetype == "multipart/form-data":
        return list(request.form.items(multi=True))
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # Bytes as they are, which clients should have escaped.
        text = "".join(char if char < "\x80" else f"%{ord(char):02X}" for char in text)
    try:
        plain = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace"))
        charset = _charset(plain.get("blog_charset", ""))
        return parse_qsl(text, keep_blank_values=True, encoding=charset, errors="replace")
    except ValueError:
        raise Malformed(f"The form has more than {MAX_FIELDS} fields.") from None


def _charset(name: str) -> str:
    """The charset of a form: the one that it names, if forms are written in it; else UTF-8."""
    try:
        known = codecs.lookup(name.strip()[:40]).name if name.strip() else "utf-8"
    except (LookupError, ValueError):
        return "utf-8"
    return known if known in _CHARSETS else "utf-8"


def _number(text: str | None, default: int) -> int | None:
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _missing(name: str) -> Response:
    text = f"Missing required field: {name}."
    return _plain(text, help_=text)


def _plain(text: str, *, help_: str = "", status: int = 200) -> Response:
    answer = Response(text, status=status, content_type="text/plain; charset=utf-8")
    if help_:
        answer.headers[HELP] = help_
    return answer


def _json(content: dict[str, Any]) -> Response:
    return Response(current_app.json.dumps(content), content_type="application/json")


def _csv(found: dict[str, Any]) -> Response:
    paper = io.StringIO()
    paper.write(f"Active sites during {found['month']:%Y-%m} ")
    paper.write(f"(limit:{found['limit']}, offset: {found['offset']}, total: {found['total']})\n")
    writer = csv.writer(paper, lineterminator="\n")
    writer.writerow(["Site", "Total API Calls", "Spam", "Ham", "Missed Spam", "False Positives", "Is Revoked"])
    for row in found["rows"]:
        writer.writerow([*list(row.values())[:-1], "true" if row["is_revoked"] else "false"])
    return Response(paper.getvalue(), content_type="text/csv; charset=utf-8")
