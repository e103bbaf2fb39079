"""Times as the contract writes them."""

from datetime import UTC, datetime, timedelta

SKEW = timedelta(minutes=5)
"""By how much the clocks of two machines may differ. What lies further ahead was written while a clock was wrong."""


def rfc3339(at: datetime) -> str:
    """``at`` in RFC 3339, UTC, with microseconds and ``Z``."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def rfc3339_or_none(at: datetime | None) -> str | None:
    """The same, for a time that may be missing."""
    return None if at is None else rfc3339(at)
