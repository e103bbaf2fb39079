"""gunicorn's settings, with the reason for each. ``moderation serve`` passes this file on.

The number of workers and the address are on the command line of ``moderation serve``. A proxy that buffers whole
requests belongs in front: a handful of clients that send a byte now and then would occupy every thread otherwise.
"""

import gc
import json
import logging
import os
import uuid
from typing import Any

from gunicorn import glogging, util
from gunicorn.http import parser
from prometheus_client import multiprocess

from moderation import logs

# Threads, because a request waits for the database more than it computes, and because a sync worker is stopped by one
# client that stalls. Four of them: beyond that they wait for the interpreter's lock.
worker_class = "gthread"
threads = 4

# Load the application once, then fork: a mistake in the set-up stops the start with one message instead of a circle of
# dying workers, and the word lists are shared. No connection is open yet when it forks; see post_fork.
preload_app = True

# A worker whose main loop is silent for so long is replaced. No request takes longer: PostgreSQL cancels a statement
# after 30 s, SQLite gives up on a lock after 5 s.
timeout = 30

# What is being answered when the service stops has this long; the deadline of `moderation serve` is a little longer.
graceful_timeout = 20

# Long enough for a proxy to use a connection again, short enough not to keep threads' sockets for idle browsers.
keepalive = 5

# Request line and headers, in bytes and lines: the counts of a hundred threads have the longest line (gunicorn allows
# no more), a flood of headers ends early.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Connections that wait to be accepted; more than this is better refused by the kernel than answered too late.
backlog = 512

# gunicorn believes nobody's X-Forwarded headers. The application does, for exactly MODERATION_PROXY_HOPS proxies.
forwarded_allow_ips = ""
forwarder_headers = ""

# Header names with an underscore could pose as a forwarded header in WSGI; gunicorn drops them.
header_map = "drop"

# Since 25.1 gunicorn opens a socket for remote control by default. Signals are enough, and a home folder may be
# read-only.
control_socket_disable = True

# The heartbeat file of each worker is touched every second: in memory, where there is such a place, since a slow disk
# would otherwise block the worker.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

# gunicorn's access log has the query string in it. The application writes its own line for each request, without.
accesslog = None

# To standard error, and only what an operator has to know.
errorlog = "-"
loglevel = "warning"


class _Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own messages, without what they would quote: the caller's address, the request line, a traceback."""

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning; one about a request that cannot be read says that alone."""
        if str(msg).startswith("Invalid request from"):
            msg, args = "A request could not be read; it was answered with an error.", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log that something failed, by its type; the text of an exception may hold anything."""
        kind = type(args[-1]) if args and isinstance(args[-1], BaseException) else None
        text = str(msg).partition("%")[0].strip()
        self.error(f"{text}: {kind.__name__}" if kind else text)


logger_class = _Logger


def _write_problem(client: Any, status: int, reason: str, detail: str) -> None:
    """Answer what never reaches the application in the form of RFC 9457; the detail could quote the request."""
    problem = {"type": "/problems/unreadable", "title": reason, "status": status, "detail": "The request is not HTTP."}
    if status in {413, 414, 431}:
        problem["detail"] = "The request line or a header is over the limit."
    body = json.dumps(problem)
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    head += f"X-Request-Id: {uuid.uuid4().hex}\r\nContent-Length: {len(body)}\r\n"
    util.write_nonblock(client, f"{head}\r\n{body}".encode("latin-1"))


# gunicorn has no setting for the page that it sends itself.
util.write_error = _write_problem

# What is left of a body that was refused is read after the answer, for 5 s at most: a proxy that is still sending when
# the connection is reset tells its caller that the service is away, instead of what was wrong. gunicorn reads 64 kB,
# and has no setting for it. 8 MiB is more than any call takes and than the shipped proxy lets through.
parser._DRAIN_MAX_BYTES = 8_388_608

# No release of bleach, re2 or the drivers leaks so much that workers have to be replaced; a restart would cost the
# requests that it interrupts.
max_requests = 0


def when_ready(server: Any) -> None:
    """Read what is read late, and keep all of it out of the garbage collector's sight, so that workers share it."""
    server.app.wsgi().extensions["moderation"].pipeline.prepare()
    gc.collect()
    gc.freeze()


def worker_exit(_server: Any, worker: Any) -> None:
    """Leave at once: to free the word lists one by one, in memory that is shared, takes each worker a second or more.

    A worker that could not even start keeps its exit status, by which gunicorn knows to give up.
    """
    if worker.booted:
        logs.flush()
        logging.shutdown()
        os._exit(0)


def post_fork(_server: Any, worker: Any) -> None:
    """Forget connections that were opened before the fork, should there ever be one: they belong to the parent."""
    from moderation.storage.db import db

    logs.write_behind()

    application = worker.app.wsgi()
    with application.app_context():
        for engine in db.engines.values():
            engine.dispose(close=False)


def child_exit(_server: Any, worker: Any) -> None:
    """Take a dead worker's gauges out of the metrics."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
