"""From signals to a decision."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.comment import State
from moderation.domain.policy import (
    ATTRIBUTES,
    Evidence,
    Forces,
    Policy,
    Signal,
    decide,
    four_places,
    is_usable,
    noticed,
)

HOLD = Policy()
AUTO = Policy(mode="auto")
AUTO_SPAM = Policy(mode="auto", auto_spam=True)
HOLD_SPAM = Policy(auto_spam=True)

CALM = Signal("links", scores={"spam": 0.0})
RISKY = Signal("profanity", 0.3, (Evidence("Rude."),), {"obscene": 0.7})
AWFUL = Signal("repeats", 0.95, (Evidence("The same as spam."),), {"spam": 0.95})
AWAY = Signal("site_words", available=False)
NAN = Signal("links", math.nan)
TRAP = Signal("honeypot", 0.5, (Evidence("Filled in."),), forces=Forces.SPAM)
STOP = Signal("site_authors", 0.0, (Evidence("On the list."),), forces=Forces.HOLD)


@pytest.mark.parametrize(
    ("policy", "signals", "state"),
    [
        (HOLD, [], State.PENDING),
        (HOLD, [CALM], State.PENDING),
        (HOLD, [AWFUL, TRAP], State.PENDING),
        (HOLD_SPAM, [CALM], State.PENDING),
        (HOLD_SPAM, [AWFUL], State.SPAM),
        (HOLD_SPAM, [TRAP], State.SPAM),
        (HOLD_SPAM, [RISKY], State.PENDING),
        (AUTO, [], State.APPROVED),
        (AUTO, [CALM], State.APPROVED),
        (AUTO, [RISKY], State.PENDING),
        (AUTO, [AWFUL], State.PENDING),
        (AUTO, [TRAP], State.PENDING),
        (AUTO, [STOP], State.PENDING),
        (AUTO, [CALM, AWAY], State.PENDING),
        (AUTO, [CALM, NAN], State.PENDING),
        (AUTO_SPAM, [CALM], State.APPROVED),
        (AUTO_SPAM, [AWFUL], State.SPAM),
        (AUTO_SPAM, [AWFUL, AWAY], State.PENDING),
        (AUTO_SPAM, [TRAP, AWAY], State.SPAM),
        (AUTO_SPAM, [RISKY], State.PENDING),
        (AUTO, [RISKY, Signal("record", -0.2)], State.APPROVED),
        (AUTO, [STOP, Signal("record", -0.3)], State.PENDING),
        (Policy(mode="automatic"), [CALM], State.PENDING),
        (Policy(mode="auto", approve_below=math.nan), [CALM], State.PENDING),
        (Policy(mode="auto", approve_below=0.0), [CALM], State.PENDING),
    ],
)
def test_decide_by_policy_and_signals(policy: Policy, signals: list[Signal], state: State) -> None:
    verdict = decide(signals, policy)
    assert verdict.state is state
    assert verdict.reasons


def test_decide_scores_highest_of_each_attribute_none_where_nobody_scores() -> None:
    scores = decide([CALM, RISKY, AWFUL], AUTO).scores
    assert tuple(scores) == ATTRIBUTES
    assert (scores["spam"], scores["obscene"], scores["toxicity"]) == (0.95, 0.7, None)


def test_decide_reasons_say_what_held_it_and_what_was_found() -> None:
    assert decide([AWAY, RISKY], AUTO).reasons == (
        "Site words could not be judged.",
        "The risk of 0.30 is not below this site's limit, 0.20.",
        "Rude.",
    )


NUMBERS = st.floats() | st.floats(-1, 1)
SIGNALS = st.builds(
    Signal,
    st.sampled_from(["a", "b"]),
    NUMBERS,
    scores=st.dictionaries(st.sampled_from(ATTRIBUTES), NUMBERS, max_size=2),
    forces=st.sampled_from([None, *Forces]),
    available=st.booleans(),
)


@settings(deadline=None)
@given(
    st.lists(SIGNALS, max_size=5),
    st.builds(Policy, st.sampled_from(["hold", "auto", ""]), NUMBERS, NUMBERS, st.booleans()),
)
def test_decide_anything_promises_hold(signals: list[Signal], policy: Policy) -> None:
    verdict = decide(signals, policy)
    assert 0 <= verdict.risk <= 1
    assert all(score is None or 0 <= score <= 1 for score in verdict.scores.values())
    if verdict.state is State.APPROVED:
        assert policy.mode == "auto"
        assert verdict.risk < policy.approve_below
        assert all(is_usable(signal) and signal.forces is None for signal in signals)
    assert verdict.state is not State.SPAM or policy.auto_spam
    assert verdict.state in {State.APPROVED, State.PENDING, State.SPAM}


def test_notice_signal_with_scores_only_not_worth_storing() -> None:
    assert [noticed(signal) for signal in (CALM, RISKY, AWAY, NAN, STOP)] == [False, True, True, True, True]


@given(st.integers(0, 10_000) | st.floats(0, 1))
def test_round_a_share_to_four_places_once_and_for_all(share: float) -> None:
    rounded = four_places(share / 10_000 if isinstance(share, int) else share)
    assert rounded == round(rounded, 4) == four_places(rounded)
    assert abs(rounded - (share / 10_000 if isinstance(share, int) else share)) <= 0.00005 + 1e-12
