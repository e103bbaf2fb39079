"""The console's sessions: a cookie that says who it is, and proof that a form was ours.

Three things each keep a foreign page from acting for a moderator: the cookie is ``SameSite=Lax``, the browser's own
word on where a request comes from is checked, and every form carries a token that is bound to the cookie.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from flask import Response, g, request

from moderation.domain.actor import Actor
from moderation.errors import Forbidden
from moderation.services import accounts, organisation
from moderation.web.guards import origin_of, own_origin, parts

SESSION_COOKIE = "moderation-session"
VISIT_COOKIE = "moderation-visit"
"""A random value that the log-in form is bound to, before there is a session."""

STEP_COOKIE = "moderation-step"
"""The proof that the first half of a log-in was right, while the second is awaited."""

DEVICE_COOKIE = "moderation-device"
"""What tells a browser that has logged in to an account from one that has not: it lets nobody in by itself."""

ORGANISATION_COOKIE = "moderation-organisation"
"""What ties an answer of the organisation's log-in service to the browser that asked it."""

CSRF_FIELD = "csrf_token"
_CSRF_PURPOSE = "console-csrf"
_MAX_COOKIE_CHARS = 200
_MAX_STATE_CHARS = 1_000


def load() -> Actor | None:
    """Who is logged in, by this request's cookie."""
    g.console_cookie = _cookie(SESSION_COOKIE)
    actor = accounts.session_actor(parts(), g.console_cookie)
    if actor is None:
        g.console_cookie = ""
    return actor


def open_session(response: Response, cookie: str, name: str = "") -> None:
    """Hand the browser a fresh session; its age ends with the session's own. With a name, after a log-in, the browser
    is also known to that account from now on.
    """
    _set(response, SESSION_COOKIE, cookie, parts().settings.session_hours * 3600)
    _drop(response, VISIT_COOKIE)
    _drop(response, STEP_COOKIE)
    if name:
        _set(response, DEVICE_COOKIE, accounts.device_of(parts(), name), int(accounts.DEVICE_LASTS.total_seconds()))


def renew(cookie: str) -> None:
    """Bind the forms of the page that is made now to the session that the answer opens."""
    g.console_cookie = cookie


def begin_step(response: Response, ticket: str) -> None:
    """Keep the proof of the first half of a log-in in this browser."""
    _set(response, STEP_COOKIE, ticket, int(accounts.TICKET_LASTS.total_seconds()))


def begin_organisation(response: Response, state: str) -> None:
    """Keep what this browser's log-in by the organisation goes by."""
    _set(response, ORGANISATION_COOKIE, state, organisation.LASTS_S)


def end_organisation(response: Response) -> None:
    """It was used, whatever came of it."""
    _drop(response, ORGANISATION_COOKIE)


def begun_at_organisation() -> str:
    """What this browser went to the organisation with; empty where it did not."""
    return _cookie(ORGANISATION_COOKIE, _MAX_STATE_CHARS)


def ticket() -> str:
    """That proof; empty where there is none."""
    return _cookie(STEP_COOKIE)


def device() -> str:
    """What this browser was given when it last logged in; empty where it never did."""
    return _cookie(DEVICE_COOKIE)


def close_session(response: Response) -> None:
    """End the session, here and in the browser."""
    accounts.log_out(parts(), g.console_cookie)
    _drop(response, SESSION_COOKIE)


def begin_visit(response: Response) -> None:
    """Set the cookie that the log-in form's token was made for."""
    _set(response, VISIT_COOKIE, _visit(), 3600)


def csrf_token() -> str:
    """The token for this session's forms, or before there is one, for this visit's."""
    return parts().vault.sign(_CSRF_PURPOSE, _bound_to(g.get("console_cookie") or _visit()))


def check_form() -> None:
    """Raise ``Forbidden`` unless this form was sent from our own page, in this browser's session."""
    if not _is_same_origin():
        raise Forbidden("The form was sent from another site.")
    bound = _bound_to(g.get("console_cookie") or _cookie(VISIT_COOKIE))
    given = parts().vault.unsign(_CSRF_PURPOSE, request.form.get(CSRF_FIELD, "")[:500])
    if given is None or not hmac.compare_digest(given.encode(), bound.encode()):
        raise Forbidden("The form is too old, or your session has ended. Go back, reload the page, and try again.")


def _is_same_origin() -> bool:
    """By ``Sec-Fetch-Site`` (Fetch Metadata), or ``Origin`` where a browser or plain http does not send that."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    return origin is None or origin in {own_origin(), origin_of(request.host_url)}


def _bound_to(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _visit() -> str:
    if "console_visit" not in g:
        g.console_visit = _cookie(VISIT_COOKIE) or parts().vault.new_token()
    visit: str = g.console_visit
    return visit


def _is_secure() -> bool:
    return parts().settings.is_https


def _name(name: str) -> str:
    """With the prefix that lets no other host or path of the domain set it (RFC 6265bis, section 4.1.3)."""
    return f"__Host-{name}" if _is_secure() else name


def _cookie(name: str, most: int = _MAX_COOKIE_CHARS) -> str:
    value = request.cookies.get(_name(name), "")
    return value if len(value) <= most and value.isascii() else ""


def _set(response: Response, name: str, value: str, max_age_s: int) -> None:
    response.set_cookie(
        _name(name), value, max_age=max_age_s, path="/", secure=_is_secure(), httponly=True, samesite="Lax"
    )


def _drop(response: Response, name: str) -> None:
    response.delete_cookie(_name(name), path="/", secure=_is_secure(), httponly=True, samesite="Lax")


def own_path(raw: str | None, default: str) -> str:
    """``raw`` if it is a path of the console, else ``default``: never an open redirect."""
    if not raw or len(raw) > 2_000 or "\\" in raw or not raw.isprintable():
        return default
    try:
        split = urlsplit(raw)
    except ValueError:  # a bracket that is never closed
        return default
    is_ours = not split.scheme and not split.netloc and split.path.startswith("/console/")
    return raw if is_ours and "//" not in split.path else default
