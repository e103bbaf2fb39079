"""Single values of foreign files: numbers, truth values and times, None where they are nothing of the kind."""

import re
from datetime import UTC, datetime

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_SQL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FROM_YEAR = 1970


def whole(text: str) -> int | None:
    """A whole number in ASCII digits."""
    text = text.strip()
    return int(text) if _WHOLE.fullmatch(text) else None


def sql_time(text: str) -> datetime | None:
    """``YYYY-MM-DD HH:MM:SS`` in UTC; None for another form, and for the zeros that MySQL has for no time."""
    text = text.strip()
    return _aware(text + "+00:00") if _SQL_TIME.fullmatch(text) else None


def rfc3339_time(text: str) -> datetime | None:
    """A time in RFC 3339, in UTC to the microsecond; what is finer is cut off."""
    found = _RFC3339.fullmatch(text.strip())
    if found is None:
        return None
    fraction = (found[2] or "")[:7]
    return _aware(f"{found[1].upper()}{fraction}{'' if not fraction else '0' * (7 - len(fraction))}{found[3].upper()}")


def unix_time(seconds: float | int | None) -> datetime | None:
    """Seconds since 1970."""
    if seconds is None or not 0 <= seconds < 253_402_300_800:  # the year 10000; not so for NaN either
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _aware(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year >= _FROM_YEAR else None
