"""Asks external scorers: within the time given, only what is not failing, never more at once than it may.

Each process has a circuit breaker for each scorer. It opens after ``FAILURES`` failures in a row; then nobody waits
for the scorer, until after ``REST_S`` one question is let through to see whether it answers again.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from moderation.adapters.safe_http import Answer, Sender
from moderation.adapters.scorers import akismet, contract, openai, perspective
from moderation.adapters.scorers.reading import Request
from moderation.domain.scorer import Kind, Opinion, Question, Scorer
from moderation.domain.webhook import retry_after_s
from moderation.errors import OutboundFailed, ScorerUnavailable

MAX_ANSWER_BYTES = 200_000
"""A Perspective answer with a score for each sentence of a long comment has some 100 kB."""

FAILURES = 5
REST_S = 30.0
AT_ONCE = 8
"""Questions to one scorer at the same time, of one process."""

USER_AGENT = "comment-moderation-scorers/1"

RESTING = "It failed too often in a row and is left alone for a while."
BUSY = "It has enough questions at once."
NONSENSE = "The answer is not what the protocol says."


class Protocol(NamedTuple):
    """How a kind of scorer is spoken to."""

    request: Callable[[Scorer, str, Question, datetime], Request]
    opinion: Callable[[Scorer, Question, Answer], Opinion]


PROTOCOLS = {
    Kind.HTTP: Protocol(contract.request, contract.opinion),
    Kind.PERSPECTIVE: Protocol(perspective.request, perspective.opinion),
    Kind.AKISMET: Protocol(akismet.request, akismet.opinion),
    Kind.OPENAI_MODERATION: Protocol(openai.moderation_request, openai.moderation_opinion),
    Kind.OPENAI_CHAT: Protocol(openai.chat_request, openai.chat_opinion),
}


class Breaker:
    """Counts failures in a row; safe to share between threads. ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_from = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nobody is let through at this moment."""
        with self._lock:
            return self._failures >= FAILURES and self._clock() < self._closed_from

    def lets_through(self) -> bool:
        """Whether to ask. While it is open, one caller in ``REST_S`` is let through."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            if self._clock() < self._closed_from:
                return False
            self._closed_from = self._clock() + REST_S
            return True

    def note(self, *, answered: bool) -> None:
        """Tell how it went."""
        with self._lock:
            self._failures = 0 if answered else self._failures + 1
            if self._failures >= FAILURES:
                self._closed_from = self._clock() + REST_S


class Client:
    """Asks scorers by ``sender``. Safe to share between threads."""

    def __init__(self, sender: Sender, clock: Callable[[], float] = time.monotonic) -> None:
        self._sender = sender
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[uuid.UUID, Breaker] = {}
        self._places: dict[uuid.UUID, threading.BoundedSemaphore] = {}

    def check(self, url: str) -> None:
        """Judge a URL before it is saved. Raises ``OutboundRefused``."""
        self._sender.check(url)

    def resting(self) -> list[uuid.UUID]:
        """The scorers that are not asked at this moment, because they failed too often."""
        with self._lock:
            return [scorer_id for scorer_id, breaker in self._breakers.items() if breaker.is_open]

    def ask(self, scorer: Scorer, secret: str, question: Question, now: datetime, timeout_s: float) -> Opinion:
        """What a scorer says, within ``timeout_s`` in all. Raises ``ScorerUnavailable``, for whatever reason."""
        breaker = self._breaker(scorer.id)
        with self._place(scorer.id):
            if not breaker.lets_through():
                raise ScorerUnavailable(RESTING, asked=False)
            try:
                opinion = self.ask_anyway(scorer, secret, question, now, timeout_s)
            except ScorerUnavailable as error:
                breaker.note(answered=not error.is_fault)
                raise
            except BaseException:
                breaker.note(answered=False)
                raise
            breaker.note(answered=True)
            return opinion

    def ask_anyway(self, scorer: Scorer, secret: str, question: Question, now: datetime, timeout_s: float) -> Opinion:
        """The same for a test: whatever went wrong before."""
        protocol = PROTOCOLS[scorer.kind]
        request = protocol.request(scorer, secret, question, now)
        try:
            answer = self._sender.post(
                request.url,
                headers={"User-Agent": USER_AGENT, **request.headers},
                body=request.body,
                timeout_s=timeout_s,
            )
        except OutboundFailed as error:
            raise ScorerUnavailable(error.detail) from None
        if answer.status != 200:
            wait_s = retry_after_s(answer.retry_after, now)
            raise ScorerUnavailable(f"HTTP {answer.status}", wait_s=wait_s)
        try:
            if not answer.is_whole:
                raise ValueError("it broke off, or is too large")
            return protocol.opinion(scorer, question, answer)
        except (ValueError, TypeError, RecursionError):
            raise ScorerUnavailable(NONSENSE) from None

    def _breaker(self, scorer_id: uuid.UUID) -> Breaker:
        with self._lock:
            return self._breakers.setdefault(scorer_id, Breaker(self._clock))

    @contextmanager
    def _place(self, scorer_id: uuid.UUID) -> Iterator[None]:
        with self._lock:
            places = self._places.setdefault(scorer_id, threading.BoundedSemaphore(AT_ONCE))
        if not places.acquire(blocking=False):
            raise ScorerUnavailable(BUSY, asked=False)
        try:
            yield
        finally:
            places.release()
