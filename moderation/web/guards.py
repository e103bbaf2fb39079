"""What every request passes before any view, and every answer after it: size, type, encoding, origin, headers.

CORS is ours, in about forty lines, because the list of origins is a site's and comes from the database by the path; the
usual extension takes one list for a pattern of paths when the application starts.
"""

import ipaddress
import random
import re
import uuid
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, RequestRedirect

from moderation.domain import origin as origins
from moderation.domain.links import safe_url
from moderation.errors import Forbidden, Invalid, Malformed, ModerationError, TooLarge, UnsupportedMedia
from moderation.services import submit
from moderation.services.parts import Parts
from moderation.services.submit import Client
from moderation.settings import Settings

API = "/api/"
PUBLIC = "public"
"""Name of the blueprint whose routes browsers of other origins may call."""

MAX_USER_AGENT_CHARS = 500
MAX_QUERY_CHARS = 60_000
"""A hundred thread keys of the longest kind still fit; gunicorn's own limit of the request line is lower."""

LARGER_BODIES = {
    "demo": 262_144,
    "rules": 4_194_304,
    "console.put_words": 4_194_304,
    "console.put_automod": 1_048_576,
    "akismet": 262_144,
    "perspective": 1_048_576,
    "coral": 262_144,
}
"""Bytes, by blueprint or endpoint: the demo's receiver takes webhooks, which hold a comment's text and its HTML; lists
of words have up to 100,000 entries; a form writes what is not ASCII in three bytes a byte; a form of Akismet's has all
that a server knows of a request; Perspective takes a context of a megabyte. Who sends a list, a form or a context is
known before the body is parsed."""

CORS_MAX_AGE_S = 600
CORS_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
CORS_REQUEST_HEADERS = "Content-Type, Idempotency-Key, X-Edit-Token, If-None-Match, X-Request-Id"
CORS_ANSWER_HEADERS = "ETag, Retry-After, X-Request-Id"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

_OWN_FORMS, _NO_FRAMES = "form-action 'self'", "frame-ancestors 'none'"
"""What the policy of a page for a site's readers widens."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_JSON = re.compile(r"application/json(?:\s*;\s*charset\s*=\s*\"?utf-8\"?)?", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class IdConverter(BaseConverter):
    """An id in a path: the canonical form of a UUID in lower-case ASCII, and nothing else."""

    regex = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

    def to_python(self, value: str) -> uuid.UUID:
        """The id."""
        return uuid.UUID(value)

    def to_url(self, value: Any) -> str:
        """The id as it stands in a path."""
        return str(value)


class SiteConverter(BaseConverter):
    """A site's key in a path."""

    regex = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class ScopeConverter(BaseConverter):
    """A site's key in a path, or ``*`` for all sites."""

    regex = r"\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def install(app: Flask, settings: Settings) -> None:
    """Guard all routes of this application."""
    app.url_map.converters["id"] = IdConverter
    app.url_map.converters["site"] = SiteConverter
    app.url_map.converters["scope"] = ScopeConverter
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.config["MAX_FORM_PARTS"] = 100
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    app.before_request(_identify)
    app.before_request(_guard)
    app.after_request(_harden)


def parts() -> Parts:
    """The joined parts of the application that serves this request."""
    joined: Parts = current_app.extensions["moderation"]
    return joined


def client() -> Client:
    """Who asks: the address that the outermost trusted proxy saw, and the user agent, cut to a sane length."""
    return Client(ip=_ip(request.remote_addr or ""), user_agent=request.user_agent.string[:MAX_USER_AGENT_CHARS])


def own_origin() -> str:
    """The origin of the service's own pages."""
    return origin_of(parts().settings.public_url) or ""


def origin_of(url: str) -> str | None:
    """The origin of an address, as a browser would name it in ``Origin``; None for what is no safe address."""
    safe = safe_url(url)
    if safe is None:
        return None
    split = urlsplit(safe)
    return origins.origin_of(f"{split.scheme}://{split.netloc}")


def is_cross_site() -> bool:
    """Whether this is one of the routes that pages of other origins may call."""
    return request.blueprint == PUBLIC


def refuse_foreign_origin(site_key: str) -> None:
    """Raise ``Forbidden`` for a browser's request from a page that is neither the site's nor ours."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != own_origin() and origin not in site_origins(site_key):
        raise Forbidden("Pages of this origin may not write to the site.")


def site_origins(site_key: str) -> tuple[str, ...]:
    """The origins of the site that this request is about, looked up once. Raises ``NotFound``."""
    if "site_origins" not in g:
        g.site_origins = submit.site_origins(parts(), site_key)
    found: tuple[str, ...] = g.site_origins
    return found


def unseen(answer: Response) -> Response:
    """The answer, to be kept by nobody: it holds a private link. Not stored, not indexed, not told as a referrer."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


def let_lead_back(answer: Response, site_origins: tuple[str, ...]) -> None:
    """Let the forms of this page end on the site's pages: a browser holds a redirect to ``form-action`` too."""
    answer.headers["Content-Security-Policy"] = PAGE_POLICY.replace(_OWN_FORMS, _among(_OWN_FORMS, site_origins))


def let_frame(answer: Response, site_origins: tuple[str, ...]) -> None:
    """The same, and let pages of the site show this page in a frame of theirs."""
    let_lead_back(answer, site_origins)
    if site_origins:
        policy = answer.headers["Content-Security-Policy"]
        frames = _among("frame-ancestors", site_origins)
        answer.headers["Content-Security-Policy"] = policy.replace(_NO_FRAMES, frames)


def _among(directive: str, site_origins: tuple[str, ...]) -> str:
    return " ".join((directive, *site_origins))


def _identify() -> None:
    g.request_id = request_id(request.headers.get("X-Request-Id", ""))


def request_id(given: str) -> str:
    """The id of a request: the one that it came with, where it is fit for a header and a log line, else a new one."""
    # Unique, and nobody's secret: the system's random bytes would cost a system call.
    return given if given and _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _guard() -> Response | None:
    _guard_size()
    if len(request.query_string) > MAX_QUERY_CHARS:
        raise Invalid({"query": ["The query is too long."]})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body as it is, without Content-Encoding.")
    if is_cross_site() and (preflight := _guard_origin()):
        return preflight
    if request.path.startswith(API):
        _guard_type()
        _guard_query()
    return None


def _guard_size() -> None:
    larger = LARGER_BODIES.get(request.blueprint or "", parts().settings.max_body_bytes)
    most = LARGER_BODIES.get(request.endpoint or "", larger)
    # One more than that: werkzeug cuts a body without a length at its limit and says nothing.
    request.max_content_length = most + 1
    request.max_form_memory_size = most
    if request.content_length is not None:
        # Where the server ends a body, werkzeug takes it for whole wherever it ends, half a form as well; by its
        # length it knows one that was cut off.
        request.environ.pop("wsgi.input_terminated", None)
    if request.content_length is None and "Transfer-Encoding" in request.headers:
        size = len(request.get_data(cache=True))
    else:
        size = request.content_length or 0
    if size > most:
        raise TooLarge(f"At most {most} bytes.")


def _guard_type() -> None:
    if request.method not in _WITH_BODY or request.url_rule is None or not _has_body():
        return
    if not _JSON.fullmatch(request.headers.get("Content-Type", "").strip()):
        raise UnsupportedMedia("The Content-Type has to be application/json, in UTF-8.")


def _has_body() -> bool:
    """Whether a body is there, or is due: a call that takes one may not be sent without saying what it is."""
    if request.content_length or "Transfer-Encoding" in request.headers or "Content-Type" in request.headers:
        return True
    return _documents("json", required=True)


def _guard_query() -> None:
    if request.args and request.url_rule is not None and request.method != "OPTIONS" and not _documents("query"):
        raise Invalid({name[:100]: ["Unknown field."] for name in list(request.args)[:20]})


def _documents(location: str, required: bool = False) -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    parameters = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    return any(one["in"] == location and (not required or one["required"]) for one in parameters)


def _guard_origin() -> Response | None:
    """Answer a preflight request; refuse a write from a page that is not the site's (Fetch standard, section 3.2)."""
    site_key = (request.view_args or {}).get("site", "")
    origin = request.headers.get("Origin")
    if request.method == "OPTIONS" and origin and "Access-Control-Request-Method" in request.headers:
        site_origins(site_key)
        return Response(status=204)
    if request.method not in _SAFE:
        refuse_foreign_origin(site_key)
    return None


def _harden(response: Response) -> Response:
    headers = response.headers
    if isinstance(request.routing_exception, RequestRedirect):
        # To the page with its slash: werkzeug names the host that the caller named.
        headers["Location"] = urlsplit(request.routing_exception.new_url)._replace(scheme="", netloc="").geturl()
        response.set_data(b"")
    headers.pop("Date", None)  # The server writes it; werkzeug adds one more to conditional answers.
    headers["X-Request-Id"] = g.get("request_id") or uuid.uuid4().hex
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    is_page = response.mimetype == "text/html"
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else DATA_POLICY)
    headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin" if is_cross_site() else "same-origin")
    if is_page:
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if _NO_FRAMES in headers["Content-Security-Policy"]:
            headers.setdefault("X-Frame-Options", "DENY")
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    if parts().settings.is_https:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if is_cross_site():
        _allow_origin(response)
    return response


def _allow_origin(response: Response) -> None:
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if not origin or origin == "null" or not _is_allowed(origin):
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = CORS_ANSWER_HEADERS
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
        response.headers["Access-Control-Allow-Headers"] = CORS_REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(CORS_MAX_AGE_S)


def _is_allowed(origin: str) -> bool:
    try:
        return origin in site_origins((request.view_args or {}).get("site", ""))
    except ModerationError:
        # No such site, or no database: this runs after the answer is made, which says so already.
        return False


def _ip(raw: str) -> str:
    """The address alone: some proxies add the port. What is no address shares one bucket, 0.0.0.0."""
    text = raw.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return "0.0.0.0"  # noqa: S104 (a stand-in, nothing listens on it)


def malformed_text(text: str) -> bool:
    """Whether a text from a URL or a form holds what no field may hold: U+0000 or half of a surrogate pair."""
    return "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text)


def refuse_malformed(text: str) -> None:
    """Raise ``Malformed`` for a text that neither database keeps."""
    if malformed_text(text):
        raise Malformed("The request holds characters that are not text.")
