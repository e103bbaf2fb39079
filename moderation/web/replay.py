"""Public answers that were made before, sent again in front of everything else while they still hold.

What is kept is an answer exactly as the service made it, headers and all, by the path, the query and the two request
headers that it depends on. It is sent again only after the database was asked whether the thread and its site are of
the same versions (``storage.versions``), so that a decision is visible to the next request, in whatever process it was
made. On SQLite nothing is asked while nobody has written (``storage.turns``). What is not a plain GET goes the usual
way, and so does everything that is not kept, cannot be asked about, or has changed; the way back in is an answer that
says what it rests on, by ``rests_on``.

Of an answer that is sent again the request's id is its own, and it is counted and logged as any other.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask, request

from moderation.domain.kept import Kept
from moderation.logs import log_request
from moderation.services.threads import matches
from moderation.storage.db import path_of, public_engine
from moderation.storage.turns import Turns
from moderation.storage.versions import Seen, are_still
from moderation.web import guards, health, logs
from moderation.web.calls import accepts_gzip, usual_etags

MAX_BYTES = 32 * 1024 * 1024
"""How much memory kept answers may take in one process, with what is shared with ``services.threads`` counted."""

_MAX_PLACE_CHARS = 3_000
"""The longest path, query and origin together that are kept."""

_ENTRY_BYTES = 6_000
"""What an entry takes beside its body, at most: its key and its headers."""

_RESTS_ON = "moderation.rests_on"
_ID = "X-Request-Id"
_UNUSUAL = ("HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING")
"""Headers with which a request is not answered from here, as with a body: the guards have something to say of it."""

_ASK_AGAIN_S = 0.05
"""For how long nothing is asked where no turn was taken: a writer that takes none (another program, or one that may not
open the file of turns) is seen so much later at most."""

Headers = list[tuple[str, str]]
Place = tuple[str, str, str | None, bool]
"""Path, query, ``Origin``, and whether gzip is accepted."""

Program = Callable[..., Iterable[bytes]]


@dataclass(slots=True)
class _Answer:
    """An answer as it was made. ``before`` and ``after`` are its headers around the request's id.

    ``turn`` is the count of turns at which it was found to hold, at the time ``at``.
    """

    rests_on: Seen
    parts: object
    etag: str
    route: str
    status: str
    before: Headers
    after: Headers
    body: bytes
    turn: int | None = None
    at: float = 0.0


def _cost(answer: _Answer) -> int:
    return len(answer.body) + _ENTRY_BYTES


def install(app: Flask) -> None:
    """Put this in front of the application. Last of all, so that nothing is left in front of it."""
    app.wsgi_app = Replay(app, app.wsgi_app)  # type: ignore[method-assign]


def rests_on(seen: Seen | None) -> None:
    """Say of the answer to this request that it is the same as long as these versions are; None: it is not kept.

    It may depend on nothing else but the path, the query, the settings of the service, ``Origin``, whether gzip is
    accepted, and ``If-None-Match``; and what it reads beside the list has to be read after it.
    """
    if seen is not None:
        request.environ[_RESTS_ON] = (seen, logs.route())


class Replay:
    """A WSGI program around ``usual``, which is that of ``app``."""

    def __init__(self, app: Flask, usual: Program) -> None:
        self.usual = usual
        self._app = app
        # By the place, and whether it is a 304.
        self._kept: Kept[tuple[Place, bool], _Answer] = Kept(MAX_BYTES, _cost)
        with app.app_context():
            self._engine = public_engine()
        self._turns = Turns(path_of(self._engine))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] != "GET" or not _is_plain(environ):
            return self.usual(environ, start_response)
        started = time.perf_counter()
        place = _place(environ)
        known = self._found(place, usual_etags(environ.get("HTTP_IF_NONE_MATCH")))
        if known is None or not self._still_holds(known, started):
            return self._made(place, environ, start_response)
        request_id = guards.request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        start_response(known.status, [*known.before, (_ID, request_id), *known.after])
        duration_s = time.perf_counter() - started
        health.count("GET", known.route, known.status[:3], duration_s)
        log_request("GET", known.route, int(known.status[:3]), duration_s, request_id)
        return [known.body]

    def _found(self, place: Place, etags: str | None) -> _Answer | None:
        """The kept answer for somebody who has what ``etags`` name, if there is one."""
        if etags is not None:
            unchanged = self._kept.get((place, True))
            if unchanged is not None and matches(etags, unchanged.etag):
                return unchanged
        whole = self._kept.get((place, False))
        return None if whole is None or matches(etags, whole.etag) else whole

    def _still_holds(self, answer: _Answer, now: float) -> bool:
        """Whether it would be made the same again: also by the same parts, which tests replace."""
        if answer.parts is not self._app.extensions["moderation"]:
            return False
        turn = self._turns.even()
        if turn is not None and turn == answer.turn and now - answer.at < _ASK_AGAIN_S:
            return True
        if not are_still(self._engine, answer.rests_on):
            return False
        answer.turn, answer.at = turn, now  # the count was read before the question was put
        return True

    def _made(self, place: Place, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The answer as the service makes it, and kept where it says what it rests on."""
        told: list[tuple[str, Headers]] = []

        def note(status: str, headers: Headers, exc_info: Any = None) -> Any:
            told.append((status, headers))
            return start_response(status, headers, exc_info)

        chunks = self.usual(environ, note)
        if _RESTS_ON not in environ:
            return chunks
        body = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        status, headers = told[-1]
        seen, route = environ[_RESTS_ON]
        self._keep(place, seen, route, status, headers, body)
        return [body]

    def _keep(self, place: Place, seen: Seen, route: str, status: str, headers: Headers, body: bytes) -> None:
        names = [name for name, _ in headers]
        # Else anybody could push out what is read, by the names of origins that may not read it.
        is_for_origin = place[2] is None or "Access-Control-Allow-Origin" in names
        is_short = len(place[0]) + len(place[1]) + len(place[2] or "") <= _MAX_PLACE_CHARS
        if status[:3] not in {"200", "304"} or not is_for_origin or not is_short:
            return
        at = names.index(_ID)
        before, after = headers[:at], headers[at + 1 :]
        parts = self._app.extensions["moderation"]
        answer = _Answer(seen, parts, dict(headers)["ETag"], route, status, before, after, body)
        self._kept.keep((place, status.startswith("304")), answer)


def _place(environ: dict[str, Any]) -> Place:
    accepted = accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING"))
    return environ["PATH_INFO"], environ["QUERY_STRING"], environ.get("HTTP_ORIGIN"), accepted


def _is_plain(environ: dict[str, Any]) -> bool:
    """Whether the request has no body, and says nothing of one."""
    return environ.get("CONTENT_LENGTH", "") in {"", "0"} and not any(name in environ for name in _UNUSUAL)
