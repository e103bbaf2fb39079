"""Nobody waits for a scorer that keeps failing, and none is asked more at once than it may be."""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from standardwebhooks.webhooks import EmptyWebhookSecretError

from moderation.adapters.safe_http import Sender
from moderation.adapters.scorers.client import AT_ONCE, BUSY, FAILURES, REST_S, RESTING, Breaker, Client
from moderation.domain import webhook
from moderation.domain.scorer import Kind, Question, Scorer
from moderation.errors import ScorerUnavailable
from tests.scorers.conftest import Say, ScorerServer, saying

Servers = Callable[[Say], ScorerServer]
QUESTION = Question("1-1", "news", "a", "A text.")
SECRET = webhook.new_secret()


class Seconds:
    """A clock of seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_breaker_opens_after_failures_in_a_row_and_lets_one_try_after_its_rest() -> None:
    clock = Seconds()
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        breaker.note(answered=False)
    breaker.note(answered=True)
    for _ in range(FAILURES):
        assert breaker.lets_through()
        breaker.note(answered=False)
    assert breaker.is_open
    assert not breaker.lets_through()
    clock.now += REST_S
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    breaker.note(answered=False)
    clock.now += REST_S - 1
    assert not breaker.lets_through()
    clock.now += 1
    assert breaker.lets_through()
    breaker.note(answered=True)
    assert [breaker.lets_through() for _ in range(3)] == [True, True, True]


def test_breaker_whose_trial_never_comes_back_lets_another_one_through_later() -> None:
    clock = Seconds()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.note(answered=False)
    clock.now += REST_S
    assert breaker.lets_through()
    clock.now += REST_S
    assert breaker.lets_through()


def make(clock: Seconds | None = None) -> Client:
    sender = Sender(allow_networks=[ip_network("127.0.0.0/8")], timeout_s=2)
    return Client(sender, clock) if clock else Client(sender)


def ask(client: Client, scorer: Scorer, secret: str = SECRET) -> object:
    return client.ask(scorer, secret, QUESTION, datetime.now(UTC), 2.0)


def test_ask_failing_scorer_stops_asking_until_it_answers_again(scorer_servers: Servers) -> None:
    clock = Seconds()
    client, server = make(clock), scorer_servers(saying({}, 500))
    bad, good = (Scorer(uuid.uuid4(), None, name, Kind.HTTP, server.url) for name in ("bad", "good"))
    for _ in range(FAILURES):
        with pytest.raises(ScorerUnavailable, match="HTTP 500"):
            ask(client, bad)
    with pytest.raises(ScorerUnavailable, match=RESTING) as caught:
        ask(client, bad)
    assert not caught.value.asked
    assert len(server.asked) == FAILURES
    assert client.resting() == [bad.id]
    server.say = saying({"weight": 0.1})
    ask(client, good)
    clock.now += REST_S
    assert client.resting() == []
    ask(client, bad)
    ask(client, bad)
    assert len(server.asked) == FAILURES + 3


def test_ask_with_a_secret_that_cannot_sign_counts_as_a_failure(scorer_servers: Servers) -> None:
    client, server = make(), scorer_servers(saying({"weight": 0}))
    scorer = Scorer(uuid.uuid4(), None, "house", Kind.HTTP, server.url)
    for _ in range(FAILURES):
        with pytest.raises(EmptyWebhookSecretError):
            ask(client, scorer, "whsec_")
    assert client.resting() == [scorer.id]
    assert server.asked == []


def test_ask_more_at_once_than_allowed_is_refused_at_once(scorer_servers: Servers) -> None:
    released = threading.Event()

    def wait(handler: Any, asked: Any) -> None:
        released.wait(2)
        saying({"weight": 0})(handler, asked)

    client, server = make(), scorer_servers(wait)
    scorer = Scorer(uuid.uuid4(), None, "house", Kind.HTTP, server.url)
    threads = [threading.Thread(target=ask, args=(client, scorer)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 2
    while len(server.asked) < AT_ONCE and time.monotonic() < end:
        time.sleep(0.01)
    started = time.monotonic()
    with pytest.raises(ScorerUnavailable, match=BUSY) as caught:
        ask(client, scorer)
    assert time.monotonic() - started < 0.2
    assert not caught.value.asked
    released.set()
    for thread in threads:
        thread.join()
    ask(client, scorer)
    assert server.most_at_once == AT_ONCE
