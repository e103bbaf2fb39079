"""The exception tree of the service.

::

    ModerationError
    ├── CallerError            the caller's fault; an HTTP status of 4xx
    │   ├── Malformed          400  the bytes are not what they claim to be
    │   ├── Unauthenticated    401  no credentials, or bad ones
    │   │   └── CodeNeeded          ... or half of them: the second factor is still to come
    │   ├── Forbidden          403  known, but not allowed
    │   ├── NotFound           404  not there, or not the caller's to know of
    │   ├── Conflict           409  a state that forbids it
    │   ├── TooLarge           413
    │   ├── UnsupportedMedia   415
    │   ├── Invalid            422  a field is wrong; carries messages by field path
    │   └── RateLimited        429  carries the seconds to wait
    │       └── SlowedDown     429  ... until this reader's next comment, while a site is in slow mode
    ├── Unavailable            a part is away for now; 503, or a held comment
    │   ├── StorageUnavailable
    │   └── OutboundFailed     a request to somebody else's server did not come to an answer
    │       ├── OutboundRefused    ... because the address is not one that we connect to
    │       ├── ScorerUnavailable  ... or to one that an external scorer should give
    │       └── MailFailed         ... or the mail server did not take a mail
    └── Bug                    a promise between our own parts was broken; 500
    SettingsError              refuses to start; names the setting

Errors are raised with ids and plain facts, are worded here, and become an HTTP answer in ``web/problems.py``.
No message ever holds an email address, an IP address, a token or the text of a comment.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class ModerationError(Exception):
    """Root of all errors that this service raises on purpose."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title


class CallerError(ModerationError):
    """The caller sent something that cannot be done; the message says what to do instead."""

    status = 400
    title = "Bad request"


class Malformed(CallerError):
    """The request cannot be read at all."""

    title = "Malformed request"


class Unauthenticated(CallerError):
    """No credentials, or credentials that are not valid (or not valid any more)."""

    status = 401
    title = "Authentication required"


class CodeNeeded(Unauthenticated):
    """The first half of a log-in was right; ``ticket`` proves that for ten minutes, together with a one-time code."""

    def __init__(self, ticket: str) -> None:
        super().__init__("The log-in needs a one-time code as well.")
        self.ticket = ticket


class Forbidden(CallerError):
    """The caller is known and may not do this."""

    status = 403
    title = "Not allowed"


class NotFound(CallerError):
    """It does not exist, or it belongs to another site: the same answer for both."""

    status = 404
    title = "Not found"

    def __init__(self, what: str = "resource") -> None:
        super().__init__(f"There is no such {what}.")


class Conflict(CallerError):
    """The present state forbids the request."""

    status = 409
    title = "Conflict"


class TooLarge(CallerError):
    """The body is over the limit."""

    status = 413
    title = "Body too large"


class UnsupportedMedia(CallerError):
    """The content type or encoding is not one that this endpoint reads."""

    status = 415
    title = "Unsupported media type"


class Invalid(CallerError):
    """One or more fields are wrong.

    ``fields`` maps a field path (``author.email``) to messages, as in the contract's ``errors``.
    """

    status = 422
    title = "A field is wrong"

    def __init__(self, fields: Mapping[str, Sequence[str]], detail: str = "") -> None:
        super().__init__(detail or "See errors: " + ", ".join(sorted(fields)) + ".")
        self.fields = {path: list(messages) for path, messages in fields.items()}


class RateLimited(CallerError):
    """Too many requests; ``retry_after_s`` is a whole number of seconds, at least 1."""

    status = 429
    title = "Too many requests"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = max(1, retry_after_s)
        super().__init__(f"Too many requests. Try again in {self.retry_after_s} s.")


class SlowedDown(RateLimited):
    """One comment a reader each so many seconds is taken at the moment, and this was another one."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.detail = (
            "This site takes comments slowly at the moment, and took one of yours just before. This one was not taken: "
            f"keep its text, and send it again in {self.retry_after_s} s."
        )


class Unavailable(ModerationError):
    """A part of the service is away for now; trying again later is right."""

    status = 503
    title = "Temporarily unavailable"
    retry_after_s: ClassVar[int] = 5


class StorageUnavailable(Unavailable):
    """The database cannot be reached, is locked, full or read-only."""

    def __init__(self) -> None:
        super().__init__("The database is not available at the moment. Nothing was changed; try again.")


class OutboundFailed(Unavailable):
    """A request to another server came to no usable answer (connection, TLS, deadline, protocol)."""


class OutboundRefused(OutboundFailed):
    """The address is not one that this service connects to. One wording for every reason."""

    def __init__(self) -> None:
        super().__init__("This address is not allowed as a target.")


class ScorerUnavailable(OutboundFailed):
    """An external scorer gave no usable answer.

    Not ``asked``: it was left alone, because it failed too often lately or has enough to do. No ``is_fault``: it
    answered as it should, but not finally. ``wait_s`` is how long it asked us to wait.
    """

    def __init__(self, detail: str, *, asked: bool = True, is_fault: bool = True, wait_s: float | None = None) -> None:
        super().__init__(detail)
        self.asked = asked
        self.is_fault = is_fault
        self.wait_s = wait_s


class MailFailed(OutboundFailed):
    """The mail server did not take a mail.

    ``is_final``: it never will. ``is_of_server``: it is away, or will not have us; that says nothing of this mail.
    """

    def __init__(self, detail: str, *, is_final: bool = False, is_of_server: bool = False) -> None:
        super().__init__(detail)
        self.is_final = is_final
        self.is_of_server = is_of_server


class Bug(ModerationError):
    """A promise between our own parts was broken."""


class SettingsError(Exception):
    """A setting is missing, weak or nonsense. The message names it and says what to do."""
