"""Log lines as JSON, one a line, on standard error.

A line has the route, never the path; ids, never a name; the kind of an error, never its text. What a reader typed, an
address, a token or a query string has no way in: nothing here is given them.
"""

import logging
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request

from moderation.settings import Settings

_MAX_FRAMES = 12


def configure(settings: Settings) -> None:
    """Make structlog write JSON lines at the level of the settings. Called again, it changes nothing."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_written),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        # Looked up at each line: the process may have replaced the stream (tests, gunicorn's --capture-output).
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def install(app: Flask, settings: Settings) -> None:
    """Write one line for each request that is answered."""
    configure(settings)
    app.before_request(_start)
    app.after_request(_finish)


def log_crash(error: BaseException) -> None:
    """Log an exception by its kind and the places it passed, without its text, which may hold anybody's data."""
    structlog.get_logger().error(
        "crash", kind=type(error).__name__, request_id=g.get("request_id", ""), frames=_frames(error)
    )


def route() -> str:
    """The template of the route that serves this request, or ``unmatched``."""
    return request.url_rule.rule if request.url_rule else "unmatched"


def duration_s() -> float:
    """Seconds since this request began."""
    return float(time.perf_counter() - g.get("started", time.perf_counter()))


def _start() -> None:
    g.started = time.perf_counter()


def _finish(response: Response) -> Response:
    structlog.get_logger().info(
        "request",
        method=request.method if request.url_rule else "-",
        route=route(),
        status=response.status_code,
        duration_ms=round(duration_s() * 1000, 1),
        request_id=g.get("request_id", ""),
    )
    return response


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def _written(line: Any, **_options: Any) -> str:
    return orjson.dumps(line, default=str).decode()
