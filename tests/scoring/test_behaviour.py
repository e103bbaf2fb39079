"""How a comment was sent, and the record of a proven author."""

import pytest

from moderation.domain.policy import Forces
from moderation.scoring.behaviour import Record, burst, filled_too_fast, honeypot, record


def test_judge_filled_honeypot_forces_spam() -> None:
    assert honeypot(filled=True).forces is Forces.SPAM
    assert honeypot(filled=False).weight == 0


@pytest.mark.parametrize(
    ("length", "filled_in_ms", "weight"),
    [
        (200, None, 0),
        (200, 300, 0.4),
        (20, 1_900, 0.2),
        (200, 0, 0.4),
        (200, -5, 0.4),
        (200, 60_000, 0),
        (900, 4_000, 0.1),
    ],
)
def test_judge_time_to_fill_in_weighed_with_length(length: int, filled_in_ms: int | None, weight: float) -> None:
    assert filled_too_fast("x" * length, filled_in_ms).weight == weight


@pytest.mark.parametrize(("recent", "weight"), [(0, 0), (7, 0), (8, 0.1), (20, 0.25), (500, 0.4)])
def test_judge_burst_of_a_network_weight_grows(recent: int, weight: float) -> None:
    assert burst(recent).weight == weight


def test_judge_unproven_author_says_nothing() -> None:
    assert record(None).weight == 0
    assert record(None).evidence == ()


@pytest.mark.parametrize(
    ("known", "weight"),
    [
        (Record(), 0),
        (Record(approved=2), -0.1),
        (Record(approved=500), -0.3),
        (Record(rejected=2), 0.2),
        (Record(spam=9), 0.7),
        (Record(approved=500, spam=3), 0.4),
    ],
)
def test_judge_record_of_proven_author_approved_lowers_spam_raises(known: Record, weight: float) -> None:
    assert record(known).weight == weight
