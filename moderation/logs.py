"""Log lines as JSON, one a line, on standard error: of every process in the same form."""

import logging
import sys
from typing import Any

import orjson
import structlog

from moderation.settings import Settings


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


def _written(line: Any, **_options: Any) -> str:
    return orjson.dumps(line, default=str).decode()
