"""Log lines as JSON, one a line, on standard error: of every process in the same form.

Where many requests are answered, their lines are written some at a time (``write_behind``): a write gives the
interpreter to another thread, and under load that costs a request more than all of its other work. What is not a
request's line is written at once.
"""

import collections
import contextlib
import logging
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from moderation.settings import Settings

BEHIND_S = 0.1
"""How long a request's line may wait; so much of them is lost when a process is killed."""

_behind: collections.deque[str] | None = None
_says_requests = True
"""Whether the level of the settings lets lines of requests through."""


def configure(settings: Settings) -> None:
    """Make structlog write JSON lines at the level of the settings. Called again, it changes nothing."""
    global _says_requests  # noqa: PLW0603
    level = logging.getLevelNamesMapping()[settings.log_level]
    _says_requests = level <= logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_written),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up at each line: the process may have replaced the stream (tests, gunicorn's --capture-output).
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_request(method: str, route: str, status: int, duration_s: float, request_id: str) -> None:
    """Write the line of a request that was answered: as structlog would, in a third of its time."""
    if not _says_requests:
        return
    line = {
        "method": method,
        "route": route,
        "status": status,
        "duration_ms": round(duration_s * 1000, 1),
        "request_id": request_id,
        "event": "request",
        "level": "info",
        "timestamp": f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z",
    }
    if _behind is None:
        sys.stderr.write(f"{_written(line)}\n")
    else:
        _behind.append(_written(line))


def write_behind() -> None:
    """From now on write the lines of requests every ``BEHIND_S``. For a process that serves, after it was forked."""
    global _behind  # noqa: PLW0603
    _behind = collections.deque()
    threading.Thread(target=_write_now_and_then, name="log", daemon=True).start()


def flush() -> None:
    """Write what waits to be written."""
    lines: list[str] = []
    with contextlib.suppress(IndexError):
        while _behind:
            lines.append(_behind.popleft())
    if lines:
        sys.stderr.write("\n".join([*lines, ""]))
        sys.stderr.flush()


def _write_now_and_then() -> None:
    while True:
        time.sleep(BEHIND_S)
        flush()


def _written(line: Any, **_options: Any) -> str:
    return orjson.dumps(line, default=str).decode()
