"""The log line of each request.

A line has the route, never the path; ids, never a name; the kind of an error, never its text. What a reader typed, an
address, a token or a query string has no way in: nothing here is given them.
"""

import time
import traceback
from pathlib import Path

import structlog
from flask import Flask, Response, g, request

from moderation.logs import log_request

_MAX_FRAMES = 12


def install(app: Flask) -> None:
    """Write one line for each request that is answered."""
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
    method = request.method if request.url_rule else "-"
    log_request(method, route(), response.status_code, duration_s(), g.get("request_id", ""))
    return response


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
