"""The shapes of the API: what a request may hold, what an answer holds. Limits are those of the tables' CHECKs.

Requests are strict: an unknown field is an error, and a value of another JSON type is never bent into the right one.
Answers are dumped through these schemas, so that a field which is not listed here has no way out.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from moderation.domain.comment import EVENTS, Action, State
from moderation.domain.policy import ATTRIBUTES
from moderation.domain.proof import MAX_PROOF_CHARS
from moderation.domain.scorer import MAX_DEADLINE_MS, MAX_SECRET_CHARS, NAME_PATTERN, Kind
from moderation.domain.sign_on import MAX_SECRET_CHARS as MAX_SSO_SECRET_CHARS
from moderation.domain.sign_on import MAX_TOKEN_CHARS, MIN_SECRET_CHARS, Algorithm
from moderation.domain.site import CHOICES, RANGES, SiteSettings
from moderation.domain.times import rfc3339_or_none
from moderation.services.sites import MATCHES, RAID_ACTIONS
from moderation.services.trials import DEFAULT_LAST, MAX_LAST
from moderation.storage.models import (
    LIST_ACTIONS,
    MAX_AUTOMOD_CHARS,
    MAX_LIST_CHARS,
    REPORT_REASONS,
    ROLES,
    RULE_ACTIONS,
    RULE_KINDS,
)
from moderation.web.texts import LANGUAGES

MAX_BODY_CHARS = 20_000
"""Longest source of a comment that a site may allow; the site's own ``max_chars`` is what counts for readers."""

MAX_IDS = 500
MAX_THREADS = 100
MAX_LIMIT = 100
MAX_CURSOR_CHARS = 512
MAX_SETTING_CHARS = 200
MAX_LINE_BYTES = 8_190
"""gunicorn's longest request line: what may be nonsense has no limit but this one."""
HUMAN_ROLES = tuple(role for role in ROLES if role != "scorer")

ID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
SITE_PATTERN = "^[a-z0-9][a-z0-9-]{0,63}$"
SCOPE_PATTERN = r"^(\*|[a-z0-9][a-z0-9-]{0,63})$"
_PLAIN = "[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*"
LINE_PATTERN = f"^{_PLAIN}$"
VISIBLE_LINE_PATTERN = f"^{_PLAIN}[^\\u0000-\\u0020\\u007f-\\u00a0\\u2028\\u2029\\s]{_PLAIN}$"
TEXT_PATTERN = "^[^\\u0000]*$"
VISIBLE_TEXT_PATTERN = "^[^\\u0000]*[^\\u0000\\s][^\\u0000]*$"

_ID = re.compile(ID_PATTERN.strip("^$"))
# RFC 3339, section 5.6: "T" and "Z" may be lower case, and a leap second is a second.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_VISIBLE = re.compile(r"\S")
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


# --- fields ----------------------------------------------------------------------------------------------------------


class Line(fields.String):
    """Text of one line: no control characters. ``visible``: not blank either."""

    def __init__(self, *, least: int = 0, most: int, note: str = "", visible: bool = False, **options: Any) -> None:
        self._visible = visible
        pattern = VISIBLE_LINE_PATTERN if visible else LINE_PATTERN
        metadata = {"pattern": pattern, **({"description": note} if note else {}), **options.pop("metadata", {})}
        super().__init__(validate=validate.Length(least, most), metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if _CONTROLS.search(text):
            raise ValidationError("It may not hold line breaks or control characters.")
        if self._visible and not _VISIBLE.search(text):
            raise ValidationError("It is blank.")
        return text


class Prose(fields.String):
    """Text of many lines, normalised by the use case that takes it. One that has to have something is not blank."""

    def __init__(self, *, least: int = 0, most: int, note: str = "", **options: Any) -> None:
        self._visible = least > 0
        metadata = {"pattern": VISIBLE_TEXT_PATTERN if least else TEXT_PATTERN}
        metadata |= {"description": note} if note else {}
        super().__init__(validate=validate.Length(least, most), metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if self._visible and text and not _VISIBLE.search(text):
            raise ValidationError("It is blank.")
        return text


class Identifier(fields.UUID):
    """A UUID in its canonical form alone."""

    def __init__(self, **options: Any) -> None:
        metadata = {"pattern": ID_PATTERN, **options.pop("metadata", {})}
        super().__init__(metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return uuid.UUID(value)


class Time(fields.Field[datetime]):
    """A time by RFC 3339, with its offset; answers are in UTC with ``Z``."""

    default_error_messages = {"invalid": "It is not a time like 2025-07-01T12:00:00Z."}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        match = _TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self.make_error("invalid")
        start, second, fraction, offset = match.groups("")
        try:
            at = datetime.fromisoformat(f"{start}{second.replace('60', '59')}{fraction[:7]}{offset.upper()}")
        except ValueError:
            raise self.make_error("invalid") from None
        return _in_utc(at)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return rfc3339_or_none(value)


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        # An hour beyond the first or the last day that there is.
        return at.replace(tzinfo=UTC)


class Whole(fields.Integer):
    """A whole JSON number; a text, a fraction or a truth value is none."""

    def __init__(self, least: int | None = None, most: int | None = None, **options: Any) -> None:
        super().__init__(strict=True, validate=_range(least, most), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        # JSON knows one kind of number: 5.0 is the whole number 5 (JSON Schema 2020-12, section 4.2.2).
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid")
        return value


class Number(fields.Float):
    """A JSON number."""

    def __init__(self, least: float | None = None, most: float | None = None, **options: Any) -> None:
        super().__init__(validate=_range(least, most), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        return float(value)


class Truth(fields.Boolean):
    """JSON's true or false, and nothing that resembles them."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class WholeText(fields.Integer):
    """A whole number in a query, of ASCII digits."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(validate=_range(least, most), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not _WHOLE.fullmatch(str(value)):
            raise self.make_error("invalid")
        return int(value)


class NumberText(fields.Float):
    """A number in a query, in ASCII."""

    def __init__(self, least: float, most: float, **options: Any) -> None:
        super().__init__(validate=_range(least, most), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not _DECIMAL.fullmatch(str(value)):
            raise self.make_error("invalid")
        return float(value)


class TruthText(fields.Boolean):
    """``true`` or ``false`` in a query."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return value == "true"


def _range(least: float | None, most: float | None) -> validate.Range:
    return validate.Range(min=least, max=most)


def _choice(values: Any, **options: Any) -> fields.String:
    return fields.String(validate=validate.OneOf([str(value) for value in values]), **options)


def _site(**options: Any) -> fields.String:
    note = {"description": "The site's key.", "pattern": SITE_PATTERN}
    return fields.String(validate=validate.Regexp(SITE_PATTERN + r"\Z"), metadata=note, **options)


def _scope(**options: Any) -> fields.String:
    note = {"description": "The site's key, or '*' for all sites.", "pattern": SCOPE_PATTERN}
    return fields.String(validate=validate.Regexp(SCOPE_PATTERN + r"\Z"), metadata=note, **options)


class Request(Schema):
    """What comes in; unknown fields are named in a 422."""

    class Meta:
        unknown = RAISE


class Nothing(Request):
    """A body is not needed; where one is sent, it is an empty object."""


class Paged(Request):
    """A page of a list."""

    limit = WholeText(1, MAX_LIMIT, load_default=50, metadata={"description": "Items a page."})
    cursor = Line(least=1, most=MAX_CURSOR_CHARS, note="`next` of the page before.", load_default=None)


# --- readers ---------------------------------------------------------------------------------------------------------


class ThreadIn(Request):
    """The page that is commented on."""

    key = Line(least=1, most=500, required=True, visible=True, note="The site's own name of the page; stable.")
    url = Line(least=1, most=2000, note="Absolute http or https address.", load_default=None, allow_none=True)
    title = Prose(most=500, load_default=None, allow_none=True)


class AuthorIn(Request):
    """Who writes. The address is stored encrypted, shown to nobody, and proves nothing."""

    name = Prose(least=1, most=100, note="Required, unless `sso` is there.", load_default=None)
    email = Prose(most=320, load_default=None, allow_none=True)
    url = Prose(most=2000, load_default=None, allow_none=True)
    token = Line(
        least=1,
        most=512,
        note="`author_token` of an earlier answer: proves that this is the same person.",
        load_default=None,
        allow_none=True,
    )
    sso = Line(
        least=1,
        most=MAX_TOKEN_CHARS,
        note="A JSON Web Token of the site that tells who this is, instead of `name`, `email` and `token`.",
        load_default=None,
        allow_none=True,
    )

    @validates_schema(skip_on_field_errors=True)
    def _one_who(self, data: dict[str, Any], **_options: Any) -> None:
        if data["sso"] is None and data["name"] is None:
            raise ValidationError("It is required.", "name")
        for name in ("name", "email", "token"):
            if data["sso"] is not None and data[name] is not None:
                raise ValidationError("The sign-on token tells it: leave it out.", name)


class ContextIn(Request):
    """What the form noticed."""

    filled_in_ms = Whole(0, 2**53, load_default=None, allow_none=True)
    website_confirm = Prose(most=2000, note="The honeypot: people leave it empty.", load_default="", allow_none=True)
    proof = Line(
        most=MAX_PROOF_CHARS,
        note="`CHALLENGE.NUMBER`, where the site asks for a proof of work; see `GET .../challenge`. Without a good one "
        "the comment is taken, and waits.",
        load_default=None,
        allow_none=True,
    )


class SubmissionIn(Request):
    """A reader's comment."""

    thread = fields.Nested(ThreadIn, required=True)
    parent_id = Identifier(load_default=None, allow_none=True)
    author = fields.Nested(AuthorIn, required=True)
    body = Prose(least=1, most=MAX_BODY_CHARS, required=True, note="Markdown. The site may allow less.")
    context = fields.Nested(ContextIn, load_default=None, allow_none=True)
    notify = Truth(
        load_default=False,
        metadata={
            "description": "Tell the author of replies by email, where the site has `reply_notices` on. Needs "
            "`author.email`, whose owner is asked first."
        },
    )


class EditIn(Request):
    """The author's new text."""

    body = Prose(least=1, most=MAX_BODY_CHARS, required=True)
    edit_token = Line(least=1, most=512, note="Instead of the header X-Edit-Token.", load_default=None)


class EditTokenIn(Request):
    """The proof that the comment is one's own."""

    edit_token = Line(least=1, most=512, note="Instead of the header X-Edit-Token.", load_default=None)


class PreviewIn(Request):
    """A text to be shown as it would be shown."""

    body = Prose(least=1, most=MAX_BODY_CHARS, required=True)


class ReportIn(Request):
    """A reader's report."""

    reason = _choice(REPORT_REASONS, required=True)
    detail = Prose(most=1000, load_default="", allow_none=True)


class VoteIn(Request):
    """A vote; the later one counts."""

    value = Whole(required=True, metadata={"enum": [1, -1]})
    author_token = Line(least=1, most=512, load_default=None, allow_none=True)

    @validates_schema
    def _one(self, data: dict[str, Any], **_options: Any) -> None:
        if data.get("value") not in (1, -1):
            raise ValidationError("It is 1 or -1.", "value")


class VoteOffIn(Request):
    """A vote taken back."""

    author_token = Line(least=1, most=512, load_default=None, allow_none=True)


class ThreadQuery(Request):
    """One thread's approved comments."""

    thread = Line(least=1, most=500, required=True, note="The thread's key.")
    sort = _choice(("oldest", "newest", "top"), load_default="oldest")
    limit = WholeText(1, MAX_LIMIT, load_default=50, metadata={"description": "Root comments a page."})
    cursor = Line(least=1, most=MAX_CURSOR_CHARS, note="`next` or `more_replies` of an answer.", load_default=None)


class ThreadPageQuery(Request):
    """One thread as HTML. What may come from an article's address may be empty, which is the same as not there."""

    thread = Line(least=1, most=500, required=True, note="The thread's key.")
    sort = _choice(("oldest", "newest", "top"), load_default="oldest")
    limit = WholeText(1, MAX_LIMIT, load_default=50, metadata={"description": "Root comments a page."})
    cursor = Prose(most=MAX_LINE_BYTES, note="From the links. One that leads nowhere counts as none.", load_default="")
    page = _choice(("0", "1"), load_default="0", metadata={"description": "`1`: a whole page, not a fragment."})
    form = _choice(("0", "1"), load_default="0", metadata={"description": "`1`: with the form for replies."})
    reply_to = Prose(most=MAX_LINE_BYTES, note="Id of the comment that the form is to answer.", load_default="")
    comment = Prose(most=MAX_LINE_BYTES, note="`pending`: says that a comment waits.", load_default="")
    url = Line(most=2000, note="The address of the article, on one of the site's origins.", load_default="")
    within = _choice(("0", "1"), load_default="0", metadata={"description": "`1`: links lead into the page at `url`."})
    title = Line(most=500, note="The title of a thread that its first comment makes.", load_default="")
    lang = _choice(LANGUAGES, load_default=LANGUAGES[0], metadata={"description": "The language of its own texts."})


class CountsQuery(Request):
    """Up to a hundred threads."""

    thread = fields.List(
        Line(least=1, most=500),
        required=True,
        validate=validate.Length(1, MAX_THREADS),
        metadata={"description": "Keys."},
    )


class FeedQuery(Request):
    """A thread's feed, or the site's."""

    thread = Line(least=1, most=500, note="The thread's key; without it, the whole site.", load_default=None)
    cursor = Line(least=1, most=MAX_CURSOR_CHARS, note="From the link `next` of a feed.", load_default=None)


_RECEIPT_NOTE = "The author's private page of this comment: what became of it, change, withdraw. A secret like a token."


class Accepted(Schema):
    """What became of a submission. Keep the tokens and the address: they are not given again."""

    id = Identifier(required=True)
    state = _choice(("pending", "approved"), required=True)
    created_at = Time(required=True)
    body_html = fields.String(required=True)
    edit_token = fields.String(required=True)
    editable_until = Time(required=True)
    author_token = fields.String(required=True)
    receipt_url = fields.String(required=True, metadata={"format": "uri", "description": _RECEIPT_NOTE})


class Edited(Schema):
    """The comment after its author's edit."""

    id = Identifier(required=True)
    state = _choice(("pending", "approved"), required=True)
    created_at = Time(required=True)
    edited_at = Time(required=True, allow_none=True)
    body_html = fields.String(required=True)
    editable_until = Time(required=True)
    receipt_url = fields.String(required=True, metadata={"format": "uri", "description": _RECEIPT_NOTE})


class Preview(Schema):
    """The HTML that readers would see."""

    body_html = fields.String(required=True)


class Received(Schema):
    """Thanks; whether it is a repetition is not told."""

    status = _choice(("received",), required=True)


class Votes(Schema):
    """The sum of all votes."""

    votes = fields.Integer(required=True)


class PublicAuthor(Schema):
    """An author as the public may see one."""

    name = fields.String(required=True)
    url = fields.String(required=True, allow_none=True)
    avatar = fields.String(required=True, metadata={"description": "Path of a picture on this service."})


class PublicComment(Schema):
    """An approved comment with its replies."""

    id = Identifier(required=True)
    parent_id = Identifier(required=True, allow_none=True)
    author = fields.Nested(PublicAuthor, required=True, allow_none=True)
    body_html = fields.String(required=True)
    created_at = Time(required=True)
    edited_at = Time(required=True, allow_none=True)
    votes = fields.Integer(required=True)
    replies = fields.List(fields.Nested("PublicComment"), required=True)
    more_replies = fields.String(required=True, allow_none=True, metadata={"description": "A cursor."})
    deleted = fields.Boolean(
        required=True, metadata={"description": "Taken back by its author, kept as a place for its replies."}
    )


class PublicThread(Schema):
    """The thread of a list."""

    key = fields.String(required=True)
    title = fields.String(required=True, allow_none=True)
    open = fields.Boolean(required=True)


class CommentList(Schema):
    """A page of a thread's approved comments."""

    thread = fields.Nested(PublicThread, required=True)
    total = fields.Integer(required=True)
    next = fields.String(required=True, allow_none=True)
    comments = fields.List(fields.Nested(PublicComment), required=True)
    proof = fields.Boolean(
        metadata={
            "description": "`true`: the site may ask for a proof of work; see `GET .../challenge`. Else not there."
        }
    )


class Challenge(Schema):
    """A sum for the browser. All of it is null where the site asks for none at the moment."""

    challenge = fields.String(
        required=True, allow_none=True, metadata={"description": "Signed for this site; good for one comment."}
    )
    bits = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "Find a whole number from 0 to 10^16 - 1 so that SHA-256 of `CHALLENGE.NUMBER`, in ASCII, "
            "begins with so many zero bits. That text is `context.proof`."
        },
    )
    expires_at = Time(required=True, allow_none=True)


class Counts(Schema):
    """Approved comments by thread key."""

    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


# --- moderators ------------------------------------------------------------------------------------------------------


class QueueQuery(Paged):
    """Which comments of the queue."""

    site = _site(load_default=None)
    state = _choice(State, load_default=State.PENDING.value)
    thread = Line(least=1, most=500, note="The thread's key.", load_default=None)
    q = Line(least=1, most=200, note="Text to look for.", load_default=None)
    author = Line(least=1, most=100, note="Name of the author.", load_default=None)
    signal = Line(least=1, most=40, note="Name of a signal that noticed something.", load_default=None)
    min_risk = NumberText(0, 1, load_default=None)
    reported = TruthText(load_default=None)
    before = Time(load_default=None)
    after = Time(load_default=None)
    claimed = _choice(("me", "others", "none", "any"), load_default=None)
    alike = Identifier(load_default=None, metadata={"description": "A comment: those like it, and itself."})
    sort = _choice(("oldest", "newest", "risk", "safest"), load_default="oldest")


class ClaimIn(Request):
    """How much to take."""

    site = _site(required=True)
    limit = Whole(1, MAX_LIMIT, load_default=20)
    minutes = Whole(1, 120, load_default=10)


class ReleaseIn(Request):
    """What to give back; without ids, everything."""

    ids = fields.List(Identifier(), load_default=None, allow_none=True, validate=validate.Length(0, MAX_IDS))


class _DecisionIn(Request):
    action = _choice(Action, required=True)
    reason = Line(most=200, load_default="")
    note = Prose(most=2000, load_default="")
    expected_state = _choice(State, load_default=None, allow_none=True)


class DecisionIn(_DecisionIn):
    """What to do with a comment; with ``expected_state`` or ``expected_version``, only if it is still as seen."""

    expected_version = Whole(1, 2**31 - 1, load_default=None, allow_none=True)


class _BulkIn(_DecisionIn):
    expected_versions = fields.Dict(
        keys=Identifier(),
        values=Whole(1, 2**31 - 1),
        load_default=None,
        allow_none=True,
        validate=validate.Length(0, MAX_IDS),
        metadata={"description": "Version by id, as seen. A comment that was edited since is left alone."},
    )


class DecisionsIn(_BulkIn):
    """What to do with up to 500 comments."""

    ids = fields.List(Identifier(), required=True, validate=validate.Length(1, MAX_IDS))


class AlikeQuery(Paged):
    """Which of the comments that are like this one, newest first."""

    state = _choice(State, load_default=None)


class AlikeDecisionsIn(_BulkIn):
    """What to do with a comment and all those like it that are in ``expected_state``, by default ``pending``."""

    until = Time(
        load_default=None,
        allow_none=True,
        metadata={"description": "What came in or was edited later is left alone: nobody has seen it."},
    )


class RevealIn(Request):
    """Why the address is needed; it stands in the audit log."""

    reason = Line(least=1, most=200, required=True, visible=True)


class AuditQuery(Paged):
    """The audit log, newest first."""

    site = _site(load_default=None)
    by = Line(least=1, most=100, load_default=None, note="The name of who did it.")
    action = Line(
        least=1, most=40, load_default=None, note="An action; with a dot at the end all that begin so: `comment.`"
    )
    after = Time(load_default=None)
    before = Time(load_default=None)


class StatsQuery(Request):
    """Which sites and days."""

    site = _site(load_default=None)
    days = WholeText(1, 366, load_default=30)


_PLACES = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}}


class Evidence(Schema):
    """Why a signal fired, and the places in ``body`` that carry it: ``[start, end]``, the end exclusive."""

    text = fields.String(required=True)
    spans = fields.Raw(required=True, metadata={**_PLACES, "description": "In Unicode code points."})
    spans_utf16 = fields.Raw(
        required=True,
        metadata={**_PLACES, "description": "The same places in UTF-16 code units, as JavaScript counts."},
    )


class Signal(Schema):
    """What one signal said."""

    name = fields.String(required=True)
    weight = fields.Float(required=True)
    available = fields.Boolean(required=True)
    evidence = fields.List(fields.Nested(Evidence), required=True)


AlikeStates = Schema.from_dict(
    {state.value: fields.Integer(required=True) for state in State if state is not State.DELETED},
    name="AlikeStates",
)


class Alike(Schema):
    """The other comments of the site that are the same or nearly so; 500 stands for that many or more."""

    count = fields.Integer(required=True)
    by_state = fields.Nested(AlikeStates, required=True)
    group = fields.String(required=True, allow_none=True, metadata={"description": "The same for all that are alike."})


class QueueAuthor(Schema):
    """An author as moderators see one. Never the address."""

    name = fields.String(required=True)
    url = fields.String(required=True, allow_none=True)
    avatar = fields.String(required=True)
    known = fields.Boolean(required=True, metadata={"description": "Proven by an author token."})
    approved_before = fields.Integer(required=True)
    rejected_before = fields.Integer(required=True)
    email_domain = fields.String(required=True, allow_none=True)


class QueueThread(Schema):
    """Where a comment stands."""

    key = fields.String(required=True)
    url = fields.String(required=True, allow_none=True)
    title = fields.String(required=True, allow_none=True)


class ParentAuthor(Schema):
    """Who wrote the parent."""

    name = fields.String(required=True)


class Parent(Schema):
    """The comment that is replied to."""

    id = Identifier(required=True)
    author = fields.Nested(ParentAuthor, required=True)
    body_html = fields.String(required=True)
    state = _choice(State, required=True)


Scores = Schema.from_dict(
    {name: fields.Float(allow_none=True) for name in ATTRIBUTES},
    name="Scores",
)


class QueueItem(Schema):
    """A comment as moderators see it in a list."""

    id = Identifier(required=True)
    site = fields.String(required=True)
    thread = fields.Nested(QueueThread, required=True)
    author = fields.Nested(QueueAuthor, required=True)
    body = fields.String(required=True)
    body_html = fields.String(required=True)
    state = _choice(State, required=True)
    version = fields.Integer(required=True, metadata={"description": "Grows with every change of the comment."})
    created_at = Time(required=True)
    edited_at = Time(required=True, allow_none=True)
    risk = fields.Float(required=True)
    scores = fields.Nested(Scores, required=True)
    reasons = fields.List(fields.String(), required=True)
    signals = fields.List(fields.Nested(Signal), required=True)
    reports = fields.Integer(required=True)
    claimed_by = fields.String(required=True, allow_none=True)
    claimed_until = Time(required=True, allow_none=True)
    parent = fields.Nested(Parent, required=True, allow_none=True)
    alike = fields.Nested(Alike, required=True)


class ReportOut(Schema):
    """A reader's report."""

    reason = fields.String(required=True)
    detail = fields.String(required=True)
    created_at = Time(required=True)


class Revision(Schema):
    """A former text."""

    body = fields.String(required=True)
    state = fields.String()
    created_at = Time(required=True)


class PastDecision(Schema):
    """A decision in a comment's history."""

    id = Identifier(required=True)
    action = fields.String(required=True)
    from_state = fields.String(required=True)
    to_state = fields.String(required=True)
    reason = fields.String(required=True)
    note = fields.String(required=True)
    by = fields.String(required=True)
    by_kind = fields.String(required=True)
    created_at = Time(required=True)
    undone_at = Time(required=True, allow_none=True)
    undone_by = fields.String(required=True, allow_none=True)


class CommentWhole(QueueItem):
    """One comment whole. Here ``reports`` are the reports themselves, the newest hundred."""

    reports = fields.List(fields.Nested(ReportOut), required=True)  # type: ignore[assignment]
    reports_count = fields.Integer(required=True)
    scored_by = fields.String(
        required=True, allow_none=True, metadata={"description": "Version of the scorer that judged the text."}
    )
    history = fields.List(fields.Nested(PastDecision), required=True)
    revisions = fields.List(fields.Nested(Revision), required=True)


class Queue(Schema):
    """A page of the queue. ``total_estimate`` stops at 10,000, with `q` at 1,000; it is exact for short lists and for
    lists by one filter, and else computed from a part.
    """

    items = fields.List(fields.Nested(QueueItem), required=True)
    next = fields.String(required=True, allow_none=True)
    total_estimate = fields.Integer(required=True)


class Claimed(Schema):
    """What was taken, and until when."""

    items = fields.List(fields.Nested(QueueItem), required=True)
    claimed_until = Time(required=True, allow_none=True)


class Released(Schema):
    """How many were given back."""

    released = fields.Integer(required=True)


class DecisionMade(Schema):
    """A decision; ``decision_id`` takes it back, which is answered with the action ``undo``."""

    decision_id = Identifier(required=True)
    id = Identifier(required=True)
    action = _choice((*Action, "undo"), required=True)
    from_state = _choice(State, required=True)
    state = _choice(State, required=True)
    created_at = Time(required=True)


class DecisionResult(Schema):
    """What became of one id."""

    id = Identifier(required=True)
    ok = fields.Boolean(required=True)
    state = _choice(State)
    decision_id = Identifier()
    status = fields.Integer(metadata={"description": "The status that a single call would have had."})
    detail = fields.String()


class DecisionResults(Schema):
    """One result an id, in the order of the request."""

    results = fields.List(fields.Nested(DecisionResult), required=True)


class AlikeItem(Schema):
    """A comment that is like another one."""

    id = Identifier(required=True)
    thread = fields.Nested(QueueThread, required=True)
    author = fields.Nested(ParentAuthor, required=True)
    state = _choice(State, required=True)
    version = fields.Integer(required=True)
    created_at = Time(required=True)
    similarity = fields.Float(
        required=True,
        metadata={"minimum": 0, "maximum": 1, "description": "Estimated, give or take 0.07; 1: the same."},
    )
    risk = fields.Float(required=True)
    body = fields.String(required=True)


class AlikeList(Schema):
    """A page of the comments that are like one."""

    items = fields.List(fields.Nested(AlikeItem), required=True)
    next = fields.String(required=True, allow_none=True)


class AlikeResults(DecisionResults):
    """One result a comment, the oldest first; ``left`` are still in that state, counted up to 500."""

    left = fields.Integer(required=True)


class Email(Schema):
    """The address, or null where none was given."""

    email = fields.String(required=True, allow_none=True)


class AuditLine(Schema):
    """Who did what, when and why. ``hash`` covers the line before it on the same chain."""

    seq = fields.Integer(required=True)
    site = fields.String(required=True, allow_none=True)
    at = Time(required=True)
    by = fields.String(required=True)
    by_kind = fields.String(required=True)
    action = fields.String(required=True)
    object_kind = fields.String(required=True)
    object_id = fields.String(required=True)
    reason = fields.String(required=True)
    data = fields.Raw(required=True)
    hash = fields.String(required=True)


class Audit(Schema):
    """A page of the audit log. It may have few lines, or none, and yet a `next`, where a filter looks further back."""

    items = fields.List(fields.Nested(AuditLine), required=True)
    next = fields.String(required=True, allow_none=True)
    holds = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "Whether the lines are as they were written; null with a filter, or without a site."},
    )


class Day(Schema):
    """One day's figures (UTC)."""

    day = fields.Date(required=True)
    submitted = fields.Integer(required=True)
    approved = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    spam = fields.Integer(required=True)
    agreed = fields.Integer(required=True, metadata={"description": "Decisions of people that the score agreed with."})
    disagreed = fields.Integer(required=True)


class Waits(Schema):
    """How many decisions were made within a time, and not within the time before it."""

    up_to_s = fields.Integer(required=True, allow_none=True, metadata={"description": "Null: longer than all others."})
    decisions = fields.Integer(required=True)


class Outcomes(Schema):
    """What became of the decided comments that something was said of; `rejected` counts the trash too."""

    comments = fields.Integer(required=True)
    approved = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    spam = fields.Integer(required=True)


class SignalOutcomes(Outcomes):
    """One signal, and what became of the comments."""

    name = fields.String(required=True)
    said = fields.String(required=True, metadata={"enum": ["against", "for", "unavailable"]})


class RuleOutcomes(Outcomes):
    """One rule of the site in words, and what became of the comments."""

    rule = fields.String(required=True)


class ModelAgreement(Schema):
    """How often one version of the scorer agreed with the decisions."""

    model = fields.String(required=True, allow_none=True)
    comments = fields.Integer(required=True)
    agreed = fields.Integer(required=True)


_SAMPLED = {"description": "Of the latest decisions of people, at most 1,000, as the comments stand now."}


class Stats(Schema):
    """Figures of the sites asked for."""

    days = fields.List(fields.Nested(Day), required=True)
    pending_estimate = fields.Integer(required=True, metadata={"description": "Exact up to 10,000."})
    oldest_pending_s = fields.Float(required=True, allow_none=True)
    sampled = fields.Integer(required=True, metadata={"description": "Decided comments that the rest is about."})
    median_decision_s = fields.Float(required=True, allow_none=True)
    p90_decision_s = fields.Float(required=True, allow_none=True)
    waits = fields.List(fields.Nested(Waits), required=True, metadata={"description": "From arrival to a decision."})
    signals = fields.List(fields.Nested(SignalOutcomes), required=True, metadata=_SAMPLED)
    rules = fields.List(fields.Nested(RuleOutcomes), required=True, metadata=_SAMPLED)
    models = fields.List(fields.Nested(ModelAgreement), required=True, metadata=_SAMPLED)
    score_agreed = fields.Integer(required=True)
    score_disagreed = fields.Integer(required=True)
    agreement = fields.Float(required=True, allow_none=True, metadata={"minimum": 0, "maximum": 1})
    learned = fields.Nested(
        "LearnedFigures", required=True, allow_none=True, metadata={"description": "Of one site; null for several."}
    )


# --- what decisions taught -------------------------------------------------------------------------------------------


class LearnedRecord(Schema):
    """Of the latest decisions, how many were told before they were made."""

    decisions = fields.Integer(required=True)
    right = fields.Integer(required=True, metadata={"description": "Told rightly by what was learned."})
    risk_right = fields.Integer(required=True, metadata={"description": "By the risk of the other signals at 0.5."})


class LearnedFigures(Schema):
    """How much a site's decisions taught, and how well it fares."""

    usable = fields.Boolean(required=True)
    model = fields.String(required=True)
    decisions = fields.Integer(required=True)
    ready = fields.Boolean(required=True, metadata={"description": "Whether it says anything yet."})
    proof = fields.Float(
        required=True, metadata={"description": "Standard errors by which it beats the risk of the other signals."}
    )
    most_weight = fields.Float(required=True, metadata={"description": "What it may add to the risk at most."})
    latest = fields.List(fields.Nested(LearnedRecord), required=True, metadata={"description": "Last 100, last 500."})


class LearnedWord(Schema):
    """A word, its log-odds, and in how many of the latest decided comments of each kind it stands."""

    word = fields.String(required=True)
    odds = fields.Float(required=True)
    fine = fields.Integer(required=True)
    spam = fields.Integer(required=True)
    unwanted = fields.Integer(required=True)


class LearnedWords(Schema):
    """The words that count most."""

    against = fields.List(fields.Nested(LearnedWord), required=True)
    in_favour = fields.List(fields.Nested(LearnedWord), required=True)


class LearnedOut(LearnedFigures):
    """What a site's decisions taught."""

    site = fields.String(required=True)
    learning = fields.Boolean(required=True)
    words = fields.Nested(LearnedWords, required=True)


class LearnedExport(Schema):
    """A site's model, as `moderation learned import` takes it."""

    format = fields.String(required=True)
    version = fields.Integer(required=True)
    taught = fields.Integer(required=True)
    faded = fields.Float(required=True)
    totals = fields.List(fields.Integer(), required=True)
    counts = fields.String(required=True)
    outcomes = fields.String(required=True)
    words = fields.Nested(LearnedWords, required=True)


class TeachIn(Request):
    """A text, and what it is."""

    text = Prose(least=1, most=MAX_BODY_CHARS, required=True)
    label = _choice(("fine", "spam", "unwanted"), required=True)


class ResetIn(Request):
    """Why; it stands in the audit log."""

    reason = Line(least=1, most=200, required=True, visible=True)


# --- admins ----------------------------------------------------------------------------------------------------------

_SETTING_TYPES: dict[type, type[fields.Field[Any]]] = {
    bool: fields.Boolean,
    int: fields.Integer,
    float: fields.Float,
    str: fields.String,
}
SiteSettingsOut = Schema.from_dict(
    {name: _SETTING_TYPES[type(value)](required=True) for name, value in asdict(SiteSettings()).items()},
    name="SiteSettings",
)


def _setting(name: str, default: Any) -> fields.Field[Any]:
    """How a setting comes in; which text a text may be is for the domain to say."""
    if isinstance(default, bool):
        return Truth()
    if isinstance(default, int):
        low, high = RANGES[name]
        return Whole(int(low), int(high))
    if isinstance(default, float):
        return Number(*RANGES[name])
    if name in CHOICES:
        return _choice(CHOICES[name])
    return Line(most=MAX_SETTING_CHARS, note="Like `10/minute;100/hour`, or `none`." if name.endswith("_rate") else "")


SiteSettingsIn = Request.from_dict(
    {
        **{name: _setting(name, value) for name, value in asdict(SiteSettings()).items()},
        "coral_secret": Line(most=200, note="Signs Coral's requests; `none` takes it away. Never shown again."),
    },
    name="SiteSettingsIn",
)


class SiteIn(Request):
    """A new site."""

    key = _site(required=True)
    name = Prose(most=200, load_default="")
    origins = fields.List(Line(least=1, most=300), load_default=list, validate=validate.Length(0, 50))
    settings = fields.Nested(SiteSettingsIn, load_default=dict)


class SiteChangeIn(Request):
    """What to change of a site; the rest stays."""

    name = Prose(most=200, load_default=None)
    origins = fields.List(Line(least=1, most=300), load_default=None, validate=validate.Length(0, 50))
    settings = fields.Nested(SiteSettingsIn, load_default=None)
    expected_version = fields.Integer(
        strict=True,
        load_default=None,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "The site's `version` as you saw it; 409 where it moved on."},
    )


class SiteOut(Schema):
    """A site with all its settings."""

    id = Identifier(required=True)
    key = fields.String(required=True)
    name = fields.String(required=True)
    origins = fields.List(fields.String(), required=True)
    settings = fields.Nested(SiteSettingsOut, required=True)
    has_coral_secret = fields.Boolean(required=True)
    version = fields.Integer()
    created_at = Time(required=True)
    raid_since = Time(
        required=True, allow_none=True, metadata={"description": "Since when the site is under a raid; null for not."}
    )


class RaidIn(Request):
    """What is to be done about a raid."""

    do = _choice(
        RAID_ACTIONS,
        required=True,
        metadata={
            "description": "`hold`: raid mode stays on. `auto`: it begins and ends by the figures. `end`: it ends now, "
            "and none begins by itself for an hour."
        },
    )


class SitesOut(Schema):
    """A page of sites."""

    items = fields.List(fields.Nested(SiteOut), required=True)
    next = fields.String(required=True, allow_none=True)


class SitePaged(Paged):
    """A page of one site's list."""

    site = _site(required=True)


class OptionalSitePaged(Paged):
    """A page of a list, of one site or of all that are yours."""

    site = _scope(load_default=None)


class ScopePaged(Paged):
    """A page of a list of one site, or of what holds for all."""

    site = _scope(required=True)


class SiteQuery(Request):
    """Which site."""

    site = _site(required=True)


class ThreadChangeIn(Request):
    """What to change of a thread."""

    open = Truth(load_default=None)
    title = Prose(most=500, load_default=None)


class ThreadOut(Schema):
    """A thread as its moderators see it."""

    id = Identifier(required=True)
    key = fields.String(required=True)
    url = fields.String(required=True, allow_none=True)
    title = fields.String(required=True, allow_none=True)
    open = fields.Boolean(required=True)
    approved = fields.Integer(required=True)
    created_at = Time(required=True)


class ThreadsOut(Schema):
    """A page of threads."""

    items = fields.List(fields.Nested(ThreadOut), required=True)
    next = fields.String(required=True, allow_none=True)


def _language(pattern: str = "^[a-z]{2}$") -> fields.String:
    note = {"description": "By ISO 639-1: for comments in this language alone; null for all.", "pattern": pattern}
    return fields.String(validate=validate.Regexp(pattern + r"\Z"), metadata=note, load_default=None, allow_none=True)


class RuleTried(Request):
    """A rule that is not stored."""

    kind = _choice(RULE_KINDS, required=True)
    value = Line(least=1, most=500, required=True)
    action = _choice(RULE_ACTIONS, load_default="score")
    weight = Number(-1, 1, load_default=0.5)
    language = _language()
    match = _choice(MATCHES, load_default="folded")
    part = Truth(load_default=False, metadata={"description": "Also inside words."})


class RuleIn(RuleTried):
    """A new rule."""

    site = _scope(required=True)
    note = Line(most=500, load_default="")


class ListTried(Request):
    """A list of words that is not stored."""

    text = Prose(
        least=1, most=MAX_LIST_CHARS, required=True, note="A word or phrase a line; a tab and a weight after it."
    )
    action = _choice(LIST_ACTIONS, load_default=None, allow_none=True)
    weight = Number(-1, 1, load_default=None, allow_none=True)
    language = _language("^([a-z]{2})?$")
    match = _choice(MATCHES, load_default=None, allow_none=True)
    part = Truth(load_default=None, allow_none=True, metadata={"description": "Also inside words."})


class WordListIn(ListTried):
    """A list of words. Of the options, what is not given stays as it is; an empty `language` is all of them."""

    replace = Truth(load_default=True, metadata={"description": "Whether what is not in the text goes."})


class WordListOut(Schema):
    """A list of words, without its entries."""

    name = fields.String(required=True)
    site = fields.String(required=True)
    action = _choice(LIST_ACTIONS, required=True)
    weight = fields.Float(required=True)
    language = fields.String(required=True, allow_none=True)
    match = _choice(MATCHES, required=True)
    part = fields.Boolean(required=True)
    size = fields.Integer(required=True, metadata={"description": "Number of entries."})
    version = fields.Integer(required=True)
    changed_at = Time(required=True)


class WordListsOut(Schema):
    """A page of lists."""

    items = fields.List(fields.Nested(WordListOut), required=True)
    next = fields.String(required=True, allow_none=True)


class RefusedLine(Schema):
    """A line that is no entry."""

    line = fields.Integer(required=True)
    why = fields.String(required=True)


class WordListPut(WordListOut):
    """A list, and what became of the text."""

    added = fields.Integer(required=True)
    removed = fields.Integer(required=True)
    refused_count = fields.Integer(required=True)
    refused = fields.List(
        fields.Nested(RefusedLine), required=True, metadata={"description": "The first hundred of them."}
    )


class WordListWhole(WordListOut):
    """A list with its entries."""

    text = fields.String(required=True)


class AutomodIn(Request):
    """Rules in the form of AutoModerator."""

    text = Prose(least=1, most=MAX_AUTOMOD_CHARS, required=True, note="YAML.")


class AutomodOut(Schema):
    """A site's rules in the form of AutoModerator."""

    site = fields.String(required=True)
    text = fields.String(required=True)
    rules = fields.Integer(required=True, metadata={"description": "Number of rules."})
    version = fields.Integer(required=True)
    changed_at = Time(required=True)


class _TrialIn(Request):
    """What is tried instead of the stored rules: at most one of these."""

    site = _site(required=True)
    rule = fields.Nested(RuleTried, load_default=None, allow_none=True)
    list = fields.Nested(ListTried, load_default=None, allow_none=True)
    automod = Prose(
        least=1, most=MAX_AUTOMOD_CHARS, note="Rules in the form of AutoModerator.", load_default=None, allow_none=True
    )


class RuleTestIn(_TrialIn):
    """A text to try rules on: the site's, or a rule, a list or rules in YAML that are not stored."""

    text = Prose(least=1, most=MAX_BODY_CHARS, required=True)
    author = Line(most=100, note="A name, for rules on authors.", load_default="")
    network = Line(most=50, note="A truncated address, for rules on networks.", load_default="")
    language = _language()


class BacktestIn(_TrialIn):
    """What to try on decided comments: exactly one of `rule`, `list`, `automod` and `without`."""

    without = Identifier(
        load_default=None, allow_none=True, metadata={"description": "A stored rule: what would be missed without it."}
    )
    last = Whole(1, MAX_LAST, load_default=DEFAULT_LAST, metadata={"description": "How many comments, newest first."})
    automatic = Truth(load_default=False, metadata={"description": "Also what the site's policy decided."})


class BacktestWouldHave(Schema):
    """Comments by what would have become of them."""

    hold = fields.Integer(required=True)
    spam = fields.Integer(required=True)
    score = fields.Integer(required=True)


class BacktestExample(Schema):
    """A comment that matches."""

    id = Identifier(required=True)
    state = _choice(State, required=True)
    would = _choice(RULE_ACTIONS, required=True)
    evidence = fields.List(fields.Nested(Evidence), required=True)


class BacktestOut(Schema):
    """What would have become of decided comments."""

    tried = fields.Integer(required=True, metadata={"description": "Comments gone through."})
    matched = fields.Integer(required=True)
    would_have = fields.Nested(BacktestWouldHave, required=True)
    approved_among_matched = fields.Integer(required=True)
    rejected_among_matched = fields.Integer(required=True)
    spam_among_matched = fields.Integer(required=True)
    summary = fields.String(required=True, metadata={"description": "The same in words."})
    examples = fields.List(
        fields.Nested(BacktestExample), required=True, metadata={"description": "Up to 20, approved ones first."}
    )
    stopped_early = fields.Boolean(required=True, metadata={"description": "Whether the time was up before the end."})
    seconds = fields.Float(required=True)


class RuleOut(Schema):
    """A rule."""

    id = Identifier(required=True)
    site = fields.String(required=True)
    kind = _choice(RULE_KINDS, required=True)
    value = fields.String(required=True)
    action = _choice(RULE_ACTIONS, required=True)
    weight = fields.Float(required=True)
    language = fields.String(required=True, allow_none=True)
    match = _choice(MATCHES, required=True)
    part = fields.Boolean(required=True)
    note = fields.String(required=True)
    created_at = Time(required=True)


class RulesOut(Schema):
    """A page of rules."""

    items = fields.List(fields.Nested(RuleOut), required=True)
    next = fields.String(required=True, allow_none=True)


class RuleSignal(Schema):
    """What a group of rules said."""

    name = fields.String(required=True)
    weight = fields.Float(required=True)
    evidence = fields.List(fields.Nested(Evidence), required=True)
    forces = fields.String(required=True, allow_none=True)
    available = fields.Boolean(required=True)


class RuleTestDecision(Schema):
    """What would become of a comment."""

    state = _choice(State, required=True)
    risk = fields.Float(required=True)
    reasons = fields.List(fields.String(), required=True)


class RuleTestOut(Schema):
    """What the rules say of a text, and what all signals together would make of it by the site's settings."""

    signals = fields.List(fields.Nested(RuleSignal), required=True)
    decision = fields.Nested(RuleTestDecision, required=True)


ScorerThresholds = Request.from_dict({name: Number(0, 1) for name in ATTRIBUTES}, name="ScorerThresholds")


class ScorerOptions(Request):
    """Options of a scorer; which of them a kind has stands in the documentation of external scorers."""

    thresholds = fields.Nested(ScorerThresholds)
    max_weight = Number(0, 1)
    language = Line(least=2, most=35)
    model = Line(least=1, most=100)
    json_mode = Truth()
    attributes = fields.List(_choice(ATTRIBUTES), validate=validate.Length(1, len(ATTRIBUTES)))
    blog = Line(least=1, most=300)
    send_network = Truth()
    send_name = Truth()
    may_lower = Truth()


def _deadline(**options: Any) -> Whole:
    note = "How long a reader's request may wait for it; 0 leaves it to the worker."
    return Whole(0, MAX_DEADLINE_MS, metadata={"description": note}, **options)


class ScorerIn(Request):
    """A new external scorer."""

    site = _scope(required=True)
    name = fields.String(
        required=True, validate=validate.Regexp(NAME_PATTERN[:-1] + r"\Z"), metadata={"pattern": NAME_PATTERN}
    )
    kind = _choice(Kind, required=True)
    url = Line(least=1, most=2000, required=True)
    secret = Line(least=1, most=MAX_SECRET_CHARS, load_default=None)
    options = fields.Nested(ScorerOptions, load_default=dict)
    deadline_ms = _deadline(load_default=0)


class ScorerChangeIn(Request):
    """What to change of a scorer; ``options`` are replaced whole."""

    url = Line(least=1, most=2000, load_default=None)
    secret = Line(least=1, most=MAX_SECRET_CHARS, load_default=None)
    options = fields.Nested(ScorerOptions, load_default=None)
    deadline_ms = _deadline(load_default=None)
    state = _choice(("active", "disabled"), load_default=None)


class ScorerOut(Schema):
    """An external scorer. ``secret`` is there once, where one was made."""

    id = Identifier(required=True)
    site = fields.String(required=True)
    name = fields.String(required=True)
    kind = _choice(Kind, required=True)
    url = fields.String(required=True)
    options = fields.Nested(ScorerOptions, required=True)
    deadline_ms = fields.Integer(required=True)
    state = fields.String(required=True)
    has_secret = fields.Boolean(required=True)
    waiting = fields.Integer(required=True, metadata={"description": "Comments it is still to be asked about."})
    failed = fields.Integer(required=True, metadata={"description": "Comments for which it never answered."})
    secret = fields.String()
    created_at = Time(required=True)


class ScorersOut(Schema):
    """A page of scorers."""

    items = fields.List(fields.Nested(ScorerOut), required=True)
    next = fields.String(required=True, allow_none=True)


class SignOnKeyIn(Request):
    """A new key by which a site vouches for its readers. Without either a secret is made."""

    site = _site(required=True)
    name = Line(most=100, load_default="")
    secret = Line(least=MIN_SECRET_CHARS, most=MAX_SSO_SECRET_CHARS, load_default=None, note="For HS256; ASCII.")
    public_key = Prose(least=1, most=2000, load_default=None, note="Of an Ed25519 pair, as PEM or JWK, for EdDSA.")


class SignOnKeyOut(Schema):
    """A key. ``secret`` is there once, where one was made."""

    id = Identifier(required=True)
    site = fields.String(required=True)
    name = fields.String(required=True)
    algorithm = _choice(Algorithm, required=True)
    secret = fields.String()
    created_at = Time(required=True)


class SignOnKeysOut(Schema):
    """The keys of a site; a site has a handful."""

    items = fields.List(fields.Nested(SignOnKeyOut), required=True)


class PersonIn(Request):
    """A person on a site, by their address."""

    site = _site(required=True)
    email = Prose(least=1, most=320, required=True)


class PersonPageIn(PersonIn):
    """The same, and where a page goes on."""

    cursor = Line(least=1, most=MAX_CURSOR_CHARS, note="`next` of the page before.", load_default=None)


class PersonAuthor(Schema):
    """Under which name, and the record of decisions that goes with it."""

    name = fields.String(required=True)
    url = fields.String(required=True, allow_none=True)
    approved = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    spam = fields.Integer(required=True)


class PersonDecision(Schema):
    """What was done to the comment. ``by`` is the kind of who did it, not their name."""

    action = _choice(Action, required=True)
    reason = fields.String(required=True)
    at = Time(required=True)
    by = fields.String(required=True)
    undone_at = Time(required=True, allow_none=True)


class FormerText(Schema):
    """A text before an edit."""

    body = fields.String(required=True)
    until = Time(required=True)


class AddressShown(Schema):
    """When an admin looked at the address, and what for."""

    at = Time(required=True)
    reason = fields.String(required=True)


class PersonSignal(Schema):
    """What a signal said."""

    name = fields.String(required=True)
    weight = fields.Float(required=True)
    evidence = fields.List(fields.Dict(), required=True)


class PersonComment(Schema):
    """A comment of the person with all that is kept with it."""

    id = Identifier(required=True)
    thread = fields.Nested(QueueThread, required=True)
    parent_id = Identifier(required=True, allow_none=True)
    state = _choice(State, required=True)
    created_at = Time(required=True)
    edited_at = Time(required=True, allow_none=True)
    author = fields.Nested(PersonAuthor, required=True)
    network = fields.String(required=True, metadata={"description": "The network of the IP address, /24 or /48."})
    body = fields.String(required=True)
    body_html = fields.String(required=True)
    risk = fields.Float(required=True)
    scores = fields.Dict(required=True)
    reasons = fields.List(fields.String(), required=True)
    signals = fields.List(fields.Nested(PersonSignal), required=True)
    votes = fields.Integer(required=True)
    reports = fields.Integer(required=True)
    decisions = fields.List(fields.Nested(PersonDecision), required=True)
    former_texts = fields.List(fields.Nested(FormerText), required=True)
    address_shown = fields.List(fields.Nested(AddressShown), required=True)


class PersonNotices(Schema):
    """Whether the address is told of replies."""

    state = _choice(("asked", "confirmed", "stopped"), required=True)
    asked_at = Time(required=True)
    until = Time(required=True, allow_none=True)


class PersonOut(Schema):
    """A page of what a site keeps of a person."""

    site = fields.String(required=True)
    email = fields.String(required=True)
    notices = fields.Nested(PersonNotices, required=True, allow_none=True)
    comments = fields.List(fields.Nested(PersonComment), required=True)
    next = fields.String(required=True, allow_none=True)


class ErasedOut(Schema):
    """How many of the person's comments were gone through, and how many are left."""

    erased = fields.Integer(required=True)
    left = fields.Integer(required=True)


class ScorerTestIn(Request):
    """A text to ask a scorer about."""

    text = Prose(least=1, most=MAX_BODY_CHARS, required=True)


class ScorerTestOut(Schema):
    """What a scorer says of a text, or why it says nothing."""

    ok = fields.Boolean(required=True)
    error = fields.String(required=True)
    duration_ms = fields.Integer(required=True)
    weight = fields.Float(required=True)
    scores = fields.Nested(Scores, required=True)
    evidence = fields.List(fields.Nested(Evidence), required=True)


class ScorerRetriedOut(Schema):
    """How many comments the scorer is asked about again."""

    retried = fields.Integer(required=True)


class WebhookIn(Request):
    """A new endpoint."""

    site = _site(required=True)
    url = Line(least=1, most=2000, required=True)
    events = fields.List(
        _choice(EVENTS),
        load_default=None,
        validate=validate.Length(0, len(EVENTS)),
        metadata={"description": "All, if none."},
    )


class WebhookChangeIn(Request):
    """What to change of an endpoint; ``state`` "active" switches a disabled one on again."""

    url = Line(least=1, most=2000, load_default=None)
    events = fields.List(_choice(EVENTS), load_default=None, validate=validate.Length(0, len(EVENTS)))
    state = _choice(("active", "disabled"), load_default=None)


class WebhookOut(Schema):
    """An endpoint. ``secret`` is there once, when it is made or rotated."""

    id = Identifier(required=True)
    site = fields.String(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(), required=True)
    state = fields.String(required=True)
    disabled_reason = fields.String()
    failing_since = Time(allow_none=True)
    previous_until = Time(allow_none=True)
    secret = fields.String()
    created_at = Time()


class WebhooksOut(Schema):
    """A page of endpoints."""

    items = fields.List(fields.Nested(WebhookOut), required=True)
    next = fields.String(required=True, allow_none=True)


class DeliveriesQuery(Paged):
    """Which deliveries, newest first."""

    state = _choice(("pending", "delivered", "failed"), load_default=None)


class ReplayIn(Request):
    """Which deliveries to send again."""

    since = Time(required=True)
    until = Time(load_default=None, allow_none=True)
    only_failed = Truth(load_default=False)


class PingOut(Schema):
    """What came back."""

    ok = fields.Boolean(required=True)
    status = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True)
    duration_ms = fields.Integer(required=True)


class AttemptOut(Schema):
    """One try."""

    id = Identifier()
    at = Time(required=True)
    duration_ms = fields.Integer(required=True)
    status = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True)
    snippet = fields.String()


class DeliveryOut(Schema):
    """An event on its way to an endpoint."""

    id = Identifier(required=True)
    event_id = Identifier(required=True)
    webhook_id = Identifier()
    endpoint_id = Identifier()
    type = fields.String()
    state = fields.String(required=True)
    attempts = fields.Integer()
    due_at = Time(allow_none=True)
    last_status = fields.Integer(allow_none=True)
    last_error = fields.String()
    created_at = Time(required=True)
    delivered_at = Time(allow_none=True)


class DeliveryWholeOut(DeliveryOut):
    """A delivery with its tries and the payload, as it is sent."""

    tries = fields.List(fields.Nested(AttemptOut))
    payload = fields.Raw()


class DeliveriesOut(Schema):
    """A page of deliveries."""

    items = fields.List(fields.Nested(DeliveryOut), required=True)
    next = fields.String(required=True, allow_none=True)


class ReplayedOut(Schema):
    """How many will be sent again."""

    replayed = fields.Integer(required=True)


class TokenIn(Request):
    """A new token."""

    site = _scope(required=True)
    role = _choice(ROLES, required=True)
    name = Prose(most=100, load_default="")
    expires_at = Time(load_default=None, allow_none=True)


class TokenOut(Schema):
    """A token; ``token`` itself is there once, when it is made."""

    id = Identifier(required=True)
    site = fields.String(required=True)
    role = fields.String(required=True)
    name = fields.String(required=True)
    hint = fields.String()
    token = fields.String()
    created_at = Time()
    expires_at = Time(allow_none=True)
    last_used_at = Time(allow_none=True)
    revoked_at = Time(allow_none=True)


class TokensOut(Schema):
    """A page of tokens."""

    items = fields.List(fields.Nested(TokenOut), required=True)
    next = fields.String(required=True, allow_none=True)


class ModeratorIn(Request):
    """A new person; without a password one is made."""

    name = Prose(least=1, most=100, required=True)
    site = _scope(required=True)
    role = _choice(HUMAN_ROLES, required=True)
    password = Prose(least=1, most=1000, load_default=None, allow_none=True)


class ModeratorChangeIn(Request):
    """What to change of a person. ``roles`` maps a site's key, or '*', to a role; null takes it away."""

    roles = fields.Dict(
        keys=_scope(),
        values=_choice(HUMAN_ROLES, allow_none=True),
        load_default=None,
        validate=validate.Length(1, 100),
    )
    disabled = Truth(load_default=None)
    password = Prose(least=1, most=1000, load_default=None)


class RoleOut(Schema):
    """A role on a site."""

    site = fields.String(required=True)
    role = fields.String(required=True)


class ModeratorOut(Schema):
    """A person; ``password`` is there once, where the service made it."""

    id = Identifier(required=True)
    name = fields.String(required=True)
    roles = fields.List(fields.Nested(RoleOut), required=True)
    password = fields.String()
    second_factor = fields.Boolean(required=True)
    created_at = Time()
    disabled_at = Time(allow_none=True)


class ModeratorsOut(Schema):
    """A page of people."""

    items = fields.List(fields.Nested(ModeratorOut), required=True)
    next = fields.String(required=True, allow_none=True)
