"""The form of one call of the API: what it takes, what it answers, in which order it is checked.

A thin, typed layer over flask-smorest, so that a view is a function of plain values and its decorator is its line in
the table of contents. The order is fixed here: rate, credentials, query, body, view.
"""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Literal

import flask_smorest
from flask import Response, g, request
from marshmallow import RAISE, Schema, ValidationError, fields
from webargs import core
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.http import parse_accept_header

from moderation.domain.actor import Actor
from moderation.errors import Invalid
from moderation.services import submit
from moderation.services.idempotency import Idempotency
from moderation.web import auth, guards, json_bodies, problems

View = Callable[..., Any]
Rate = Literal["submit", "report", "vote", "preview"]

MAX_ETAGS_CHARS = 1_000
MAY_BE_ABSENT = "may_be_absent"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Parser(FlaskParser):
    """Reads arguments the strict way; what it finds wrong becomes a problem by ``web.problems``."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"query": RAISE, "json": RAISE}

    def load_json(self, req: Any, schema: Schema) -> Any:
        """The body, parsed by our own reader. Where a body is not needed, none is the same as no fields."""
        raw = req.get_data(cache=True)
        if not raw and getattr(schema, MAY_BE_ABSENT, False):
            return core.missing
        value = json_bodies.read_json(raw)
        if not isinstance(value, dict):
            raise Invalid({"body": ["It has to be a JSON object."]})
        return value

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        """The query. A parameter that is no list may stand once."""
        for name, values in req.args.lists():
            guards.refuse_malformed(name)
            for value in values:
                guards.refuse_malformed(value)
            field = schema.fields.get(name)
            if len(values) > 1 and field is not None and not isinstance(field, fields.List):
                raise Invalid({name: ["It is given more than once."]})
        return MultiDictProxy(req.args, schema)

    def handle_error(self, error: ValidationError, req: Any, schema: Schema, **_options: Any) -> Any:
        """Raise ``Invalid`` by field path, without the location that webargs puts first."""
        found: dict[str, list[str]] = {}
        for messages in error.messages.values() if isinstance(error.messages, dict) else [error.messages]:
            found.update(problems.flatten(messages))
        raise Invalid(found)


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A blueprint that reads arguments by ``Parser``."""

    ARGUMENTS_PARSER = Parser()


class Calls:
    """A group of calls under one prefix. ``secured``: each of them needs a bearer token."""

    def __init__(self, name: str, prefix: str, description: str, *, secured: bool = False) -> None:
        self.blueprint = Blueprint(name, __name__, url_prefix=prefix, description=description)
        self._secured = secured

    def call(
        self,
        method: str,
        path: str,
        *,
        answer: type[Schema] | None = None,
        status: int = 200,
        query: type[Schema] | None = None,
        body: type[Schema] | None = None,
        body_required: bool = True,
        example: dict[str, Any] | None = None,
        rate: Rate | None = None,
        creates: bool = False,
        answer_type: str | None = None,
        doc: dict[str, Any] | None = None,
    ) -> Callable[[View], View]:
        """Register a view for ``method`` and ``path``. It gets the path's values, ``query`` and ``body`` by name.

        ``creates`` documents the header ``Idempotency-Key``; the view passes ``idempotency()`` on. What the view
        returns is dumped by ``answer``; None is an empty body.
        """

        def register(view: View) -> View:
            blueprint: Any = self.blueprint
            made = blueprint.response(status, answer, content_type=answer_type)(_empty_for_none(view, status))
            if body is not None:
                # An instance: made once, and not anew for each request as a class would be.
                schema = body()
                setattr(schema, MAY_BE_ABSENT, not body_required)
                made = blueprint.arguments(
                    schema, location="json", arg_name="body", required=body_required, example=example
                )(made)
            if query is not None:
                made = blueprint.arguments(query(), location="query", arg_name="query")(made)
            made = self._checked(made, rate)
            made = blueprint.doc(**self._notes(view, rate, creates, doc or {}))(made)
            blueprint.route(path, methods=[method])(made)
            return view

        return register

    def _checked(self, view: View, rate: Rate | None) -> View:
        @wraps(view)
        def check_first(**values: Any) -> Any:
            # A repeat under a known key gets its first answer also above the limit; the view itself counts the rest.
            if rate is not None and "Idempotency-Key" not in request.headers:
                submit.check_rate(guards.parts(), values["site"], rate, guards.client())
            if self._secured:
                auth.authenticate()
            return view(**values)

        return check_first

    def _notes(self, view: View, rate: Rate | None, creates: bool, doc: dict[str, Any]) -> dict[str, Any]:
        notes: dict[str, Any] = {"operationId": view.__name__, "x-rate": rate, **doc}
        if creates:
            notes["x-creates"] = True
        if self._secured:
            notes["security"] = [{"bearer": []}]
        return {name: value for name, value in notes.items() if value is not None}


def idempotency() -> Idempotency | None:
    """The caller's ``Idempotency-Key`` with the hash of what it stands for, or None. Raises ``Invalid``."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise Invalid({"Idempotency-Key": ["It is 1 to 255 visible ASCII characters."]})
    raw = request.get_data(cache=True)
    content = json_bodies.canonical(json_bodies.read_json(raw)) if raw else b""
    head = f"{request.method} {request.path}\n".encode()
    return Idempotency(key=key, request_hash=hashlib.sha256(head + content).digest())


def if_none_match() -> str | None:
    """The ``If-None-Match`` header as it came; one of an absurd length counts as none."""
    return usual_etags(request.headers.get("If-None-Match"))


def usual_etags(value: str | None) -> str | None:
    """The value of an ``If-None-Match`` header, or None for one of an absurd length."""
    return value if value is None or len(value) <= MAX_ETAGS_CHARS else None


@lru_cache(maxsize=256)
def accepts_gzip(value: str | None) -> bool:
    """Whether an ``Accept-Encoding`` header allows gzip (RFC 9110, 12.5.3); without one, nobody asked for it."""
    return value is not None and bool(parse_accept_header(value)["gzip"] > 0)


def conditional(body: bytes, content_type: str, cache_control: str) -> Response:
    """A public answer with a strong ``ETag``; 304 where the caller has it (RFC 9110, section 13.1.2)."""
    answer = Response(body, content_type=content_type)
    answer.set_etag(hashlib.sha256(body).hexdigest()[:32])
    answer.headers["Cache-Control"] = cache_control
    answer.make_conditional(request)
    return answer


def actor() -> Actor:
    """The actor whom this request's token stands for."""
    current: Actor = g.actor
    return current


def _empty_for_none(view: View, status: int) -> View:
    @wraps(view)
    def answer(**values: Any) -> Any:
        result = view(**values)
        return Response(status=status) if result is None else result

    return answer
