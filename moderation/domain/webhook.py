"""Webhooks by the Standard Webhooks specification 1.0.0: bytes, signature, schedule, what an answer means. Pure."""

import base64
import json
import secrets as random_source
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from standardwebhooks import Webhook

from moderation.domain.times import rfc3339
from moderation.errors import Bug

SECRET_PREFIX = "whsec_"  # noqa: S105 (a marker, not a secret)
SECRET_BYTES = 32
"""Size of a new secret; the specification asks for 24 to 64."""

PING = "webhook.ping"
"""Type of the event that a test sends; nobody subscribes to it."""

SCHEDULE_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each try, counted from the one before: the sample schedule of the specification, 75.6 h in all."""

JITTER_SHARE = 0.1
"""A wait grows by up to this share, so that what failed together does not come back together."""

RETRY_AFTER_MIN_S = 1.0
RETRY_AFTER_MAX_S = 86_400.0

ROTATION = timedelta(hours=24)
"""For how long the secret before the present one signs too."""

FAILING_LIMIT = timedelta(days=5)
"""An endpoint that has only failed for so long is disabled."""


class Outcome(StrEnum):
    """What an answer means for the delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"


def payload(event_type: str, timestamp: datetime, data: Mapping[str, Any]) -> bytes:
    """The bytes of an event, as they are signed, stored and sent: compact JSON in UTF-8.

    Raises ``Bug`` for a naive time, and for what JSON or UTF-8 cannot carry: NaN, infinity, a lone surrogate, an
    unknown type.
    """
    if timestamp.tzinfo is None:
        raise Bug("A time without a zone was given to a webhook.")
    event = {"type": event_type, "timestamp": rfc3339(timestamp), "data": data}
    try:
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except (ValueError, TypeError, RecursionError):
        # The cause would carry the text of a comment.
        raise Bug(f"An event of type {event_type} cannot be written as JSON.") from None


def without_author(body: bytes) -> bytes:
    """The bytes of a comment's event with name, link, picture and words left out, the rest as it was."""
    event = json.loads(body)
    comment = event["data"]["comment"]
    comment["author"] = {"name": "", "url": None, "avatar": None}
    comment["body_html"] = ""
    return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def new_secret() -> str:
    """A new signing secret, ``whsec_`` and the base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(random_source.token_bytes(SECRET_BYTES)).decode("ascii")


def sign(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of one try. Each secret gives one signature, so that both are good during a rotation.

    ``at`` is the time of this try, not of the event. Raises ``Bug`` without a secret, for a time that is naive and
    for an id with a dot, which would make the signed text ambiguous.
    """
    if not secrets or at.tzinfo is None or not message_id or "." in message_id:
        raise Bug("A webhook was to be signed without a secret, a zone or a proper id.")
    # The package replaces the zone instead of converting to UTC, so that it must be UTC already.
    at = at.astimezone(UTC)
    text = body.decode("utf-8")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, text) for secret in secrets),
    }


def outcome_of(status: int | None) -> Outcome:
    """What a status means; None stands for no answer. A redirect is a failure, since none is ever followed."""
    if status is not None and 200 <= status < 300:
        return Outcome.DELIVERED
    return Outcome.GONE if status == 410 else Outcome.RETRY


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3: whole seconds, or an HTTP date).

    Clamped to 1 s .. 24 h; None for no header or one that cannot be read.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        # An HTTP date is always GMT; the parser leaves "-0000" naive.
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)


def next_attempt(attempts: int, now: datetime, *, jitter: float, retry_after_s: float | None = None) -> datetime | None:
    """When to try again after ``attempts`` tries, or None where the schedule has ended.

    ``jitter`` is a random number 0..1. ``retry_after_s`` can only lengthen the wait: a receiver that always asks for
    one second would otherwise use up all tries of an event in ten.
    """
    if attempts >= len(SCHEDULE_S):
        return None
    wait_s = SCHEDULE_S[attempts] * (1 + JITTER_SHARE * jitter)
    if retry_after_s is not None:
        wait_s = max(wait_s, min(max(retry_after_s, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S))
    return now + timedelta(seconds=wait_s)
