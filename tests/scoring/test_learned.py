"""The model that a site's decisions teach, by itself: counts, proof, forgetting, evidence, keeping."""

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.domain.comment import State
from moderation.domain.policy import Evidence, Forces, Policy, Signal, decide
from moderation.errors import Invalid
from moderation.scoring import learned
from moderation.scoring.folding import fold
from moderation.scoring.learned import Label, Learned, Step
from moderation.scoring.pipeline import Candidate, Pipeline

PLACES = ("harbour", "council", "library", "bridge", "school", "market", "museum", "station")
DEEDS = ("will open on Tuesday", "costs too much", "was built by my uncle", "should be larger", "is closed again")
HEALERS = ("Priest Odwe", "Mother Linnet", "the healer of Askar")
CURES = ("cast a spell that brought my husband home", "cured me with seven herbs", "gave me the winning numbers")


def fine(dice: random.Random) -> str:
    return (
        f"I think the {dice.choice(PLACES)} {dice.choice(DEEDS)}, and the {dice.choice(PLACES)} {dice.choice(DEEDS)}."
    )


def spell(dice: random.Random) -> str:
    return f"After years of tears {dice.choice(HEALERS)} {dice.choice(CURES)}. {dice.choice(HEALERS)} can help you too."


def taught(texts: Sequence[tuple[str, Label]], model: Learned | None = None, risk: float = 0.0) -> Learned:
    model = model or learned.nothing()
    for text, label in texts:
        model = model.after([lesson(model, text, label, risk)])
    return model


def lesson(model: Learned, text: str, label: Label, risk: float = 0.0) -> Step:
    said = [Signal("attributes", risk)] if risk else []
    return learned.step_of(model, model.version + 1, label, learned.features_of(fold(text), (), None, said))


def stream(size: int, seed: int = 1) -> list[tuple[str, Label]]:
    dice = random.Random(seed)
    return [(spell(dice), Label.SPAM) if dice.random() < 0.4 else (fine(dice), Label.FINE) for _ in range(size)]


def judged(model: Learned | None, text: str, *said: Signal) -> Signal:
    return learned.judge(model, fold(text), (), None, said)


def same(a: Learned, b: Learned) -> bool:
    """Whether two models give the same figures, whatever their version."""
    figures = [(one.totals, one.taught, one.cap, one.regression) for one in (a, b)]
    return np.array_equal(a.counts, b.counts) and figures[0] == figures[1]


DICE = random.Random(99)
PROVED = taught(stream(300))


def test_judge_before_anything_was_learned_says_nothing() -> None:
    assert judged(None, spell(DICE)) == judged(learned.nothing(), spell(DICE)) == Signal("learned")


def test_judge_after_approvals_alone_says_nothing() -> None:
    model = taught([(fine(DICE), Label.FINE)] * 50)
    assert judged(model, spell(DICE)) == Signal("learned")


def test_judge_after_a_handful_of_decisions_stays_within_the_least_weight() -> None:
    model = taught(stream(12))
    found = judged(model, spell(DICE))
    assert model.cap < 0.2
    assert found.weight <= model.cap
    assert found.scores.get("spam", 0) <= model.cap / learned.MOST_WEIGHT


def test_judge_once_proved_flags_the_campaign_and_leaves_the_rest() -> None:
    assert PROVED.cap == learned.MOST_WEIGHT
    campaign, ordinary = judged(PROVED, spell(DICE)), judged(PROVED, fine(DICE))
    assert campaign.weight >= 0.5
    assert campaign.scores["spam"] >= 0.8
    assert abs(ordinary.weight) < 0.1
    assert ordinary.scores.get("spam", 0.0) < 0.2


def test_judge_names_how_much_it_learned_and_marks_the_words() -> None:
    text = "After years of tears Priest Odwe cured me with seven herbs."
    evidence = judged(PROVED, text).evidence[0]
    assert "learned-300: 300 decisions, right in 100 of the last 100" in evidence.text
    marked = " ".join(text[span.start : span.end] for span in evidence.spans)
    assert "herbs" in marked


def test_judge_gives_the_same_figures_for_the_same_version() -> None:
    again = taught(stream(300))
    text = spell(DICE)
    assert judged(PROVED, text) == judged(again, text)


def test_learn_where_the_risk_is_right_already_proves_nothing() -> None:
    model = learned.nothing()
    for text, label in stream(300):
        model = model.after([lesson(model, text, label, risk=0.9 if label else 0.0)])
    assert model.cap == learned.LEAST_WEIGHT


def test_learn_by_calling_everything_spam_proves_nothing() -> None:
    """On a site where most is spam, "all is spam" is right most of the time; it must not count as proof."""
    dice = random.Random(3)
    words = [f"word{number}" for number in range(400)]
    model = learned.nothing()
    for number in range(400):
        text = " ".join(dice.choices(words, k=12))
        model = model.after([lesson(model, text, Label.FINE if number % 20 == 0 else Label.SPAM)])
    assert model.record(500).right > 350
    assert model.proof < learned.PROVED_AT
    assert learned.LEAST_WEIGHT <= model.cap < 0.35


def test_cap_falls_again_when_the_predictions_go_wrong() -> None:
    model = taught(stream(300))
    assert model.cap == learned.MOST_WEIGHT
    caps = []
    for text, _ in stream(120, seed=8):
        wrong = Label.FINE if model.predict(learned.features_of(fold(text), (), None, ())).bad >= 0.5 else Label.SPAM
        model = taught([(text, wrong)], model)
        caps.append(model.cap)
    assert min(caps) == learned.LEAST_WEIGHT


@pytest.mark.parametrize("place", [0, 40, 99])
def test_take_back_a_decision_restores_the_counts_exactly(place: int) -> None:
    texts = stream(100)
    steps: list[Step] = []
    whole = learned.nothing()
    for text, label in texts:
        steps.append(lesson(whole, text, label))
        whole = whole.after(steps[-1:])
    undone = whole.after([learned.taking_back(steps[place], whole.version + 1, 0.0)])
    without = learned.nothing().after([step for number, step in enumerate(steps) if number != place])
    assert same(undone, without)
    redone = undone.after([learned.taking_back(undone_step(steps[place], undone), undone.version + 1, 0.0)])
    assert same(redone, whole)


def undone_step(step: Step, after: Learned) -> Step:
    return learned.taking_back(step, after.version, 0.0)


def test_take_back_after_all_faded_leaves_next_to_nothing() -> None:
    step = lesson(learned.nothing(), spell(DICE), Label.SPAM)
    model = learned.nothing().after([step])
    fading = Step(2, 1, lesson(model, "x", Label.FINE).outcome._replace(number=2), *no_rows(), halvings=1.5)
    model = model.after([fading])
    model = model.after([learned.taking_back(step, 3, model.faded)])
    assert model.counts[Label.SPAM].max() <= 1  # of 4,096


def no_rows() -> tuple[Any, Any]:
    return np.array([], np.uint16), np.array([], np.uint16)


def test_learn_fades_by_half_over_the_half_life() -> None:
    model, seq = taught([(spell(DICE), Label.SPAM)] * 8), 8
    before = model.totals[Label.SPAM]
    for _ in range(learned.HALF_LIFE_DECISIONS):
        seq += 1
        outcome = lesson(model, "x", Label.FINE).outcome._replace(number=seq)
        step = Step(seq, 1, outcome, *no_rows(), halvings=learned.halvings_due(seq, 0.0))
        model = model.after([step])
    assert model.totals[Label.SPAM] == pytest.approx(before / 2, rel=0.05)
    assert learned.halvings_due(128, 180.0) == pytest.approx(1 + 128 / 2_000)
    assert learned.halvings_due(129, 180.0) == 0


def test_judge_speaks_for_what_the_site_approves_within_half_of_the_cap() -> None:
    text = fine(DICE)
    found = judged(PROVED, text, Signal("attributes", 0.7, (Evidence("rude"),)))
    assert -learned.MOST_WEIGHT / 2 <= found.weight < 0
    assert not found.approves
    assert judged(PROVED, text, Signal("site_words", 0.7, forces=Forces.HOLD)).weight >= 0


def test_decide_never_approves_for_what_was_learned_alone() -> None:
    flagged = Signal("attributes", 0.4, (Evidence("rude"),))
    favour = Signal("learned", -0.3, (Evidence("for it"),), approves=False)
    verdict = decide([flagged, favour], Policy(mode="auto"))
    assert (verdict.state, verdict.risk) == (State.PENDING, 0.1)
    assert "Without what may not approve it, the risk is 0.40" in verdict.reasons[0]
    trusted = Signal("record", -0.3, (Evidence("known"),))
    assert decide([flagged, trusted], Policy(mode="auto")).state is State.APPROVED


def test_decide_sends_nothing_to_spam_for_what_was_learned_alone() -> None:
    found = judged(PROVED, spell(DICE))
    assert decide([found], Policy(auto_spam=True)).state is State.PENDING


def test_pipeline_judges_what_was_learned_last_and_holds_where_it_cannot() -> None:
    pipeline = Pipeline()
    text = spell(DICE)
    names = [signal.name for signal in pipeline.signals(Candidate(body=text, learned=PROVED))]
    assert names[-1] == "learned"
    broken = pipeline.signals(Candidate(body=text, learned=learned.UNUSABLE))
    assert [signal.name for signal in broken if not signal.available] == ["learned"]
    assert decide(broken, Policy(mode="auto")).state is State.PENDING


def test_spam_share_tells_spam_from_what_is_unwanted() -> None:
    dice = random.Random(5)
    rude = [
        (f"You are a {dice.choice(('fool', 'clown', 'liar'))} and a {dice.choice(('toad', 'rat'))}.", Label.UNWANTED)
    ]
    model = taught([*stream(100), *rude * 40])
    share = [model.spam_share(learned.features_of(fold(text), (), None, ())) for text in (spell(dice), rude[0][0])]
    assert share[0] > 0.9 > 0.1 > share[1]


def test_features_know_domains_and_not_the_learned_signal_itself() -> None:
    plain = learned.features_of(fold("Look here."), (), None, ())
    linked = learned.features_of(fold("Look here."), ("https://pills.example/x",), None, ())
    assert len(linked.text) == len(plain.text) + 1
    heard = learned.features_of(fold("Look here."), (), None, [Signal("learned", 0.5, scores={"spam": 0.9})])
    assert heard.risk == plain.risk == 0
    assert heard.signals.tolist() == plain.signals.tolist()


def test_from_json_reads_what_as_json_wrote() -> None:
    back = learned.from_json(json.loads(json.dumps(learned.as_json(PROVED))))
    assert same(back, PROVED)
    assert back.outcomes == PROVED.outcomes
    text = spell(DICE)
    assert judged(back, text) == judged(PROVED, text)


def bomb() -> str:
    return learned._packed(bytes(64 << 20))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"counts": "no base64"},
        {"counts": learned._packed(b"short")},
        {"totals": [1, 2]},
        {"totals": [-1, 0, 0]},
        {"totals": [10**12, 0, 0]},
        {"taught": "many"},
        {"taught": -1},
        {"faded": float("nan")},
        {"faded": None},
        {"outcomes": learned._packed(np.full((1, 6), np.nan).tobytes())},
        {"outcomes": learned._packed(np.full((1, 6), 7.0).tobytes())},
        {"outcomes": learned._packed(np.zeros((601, 6)).tobytes())},
    ],
)
def test_from_json_refuses_what_it_did_not_write(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        learned.from_json({**learned.as_json(PROVED), **change})


def test_from_json_refuses_what_unfolds_without_end() -> None:
    with pytest.raises(Invalid):
        learned.from_json({**learned.as_json(PROVED), "counts": bomb()})


def test_shown_words_leave_out_addresses_mentions_links_and_digits() -> None:
    text = "Write to ana.b@example.org or @ana_b, call 030-1234567, see https://ana.example/b www.ana.example. O'Neill!"
    assert learned.shown_words(fold(text)) == {"write", "to", "or", "call", "see", "o'neill"}


@settings(deadline=None)
@given(st.text(max_size=600))
def test_judge_any_text_raises_nothing_and_marks_places_inside(text: str) -> None:
    found = judged(PROVED, text)
    assert -1 <= found.weight <= 1
    for evidence in found.evidence:
        assert all(0 <= span.start <= span.end <= len(text) for span in evidence.spans)
    after = PROVED.after([lesson(PROVED, text, Label.UNWANTED)])
    assert int(after.counts.min()) >= 0


@pytest.mark.parametrize(
    "text", ["", " ", "a" * 20_000, "x " * 10_000, "é" * 10_000, "\u202e" * 500, "f\u0301" * 5_000]
)
def test_learn_from_hostile_texts_keeps_within_bounds(text: str) -> None:
    features = learned.features_of(fold(text), ["https://a.example"] * 10_000, None, ())
    assert len(features.text) <= 1_300
    assert features.text.size == 0 or int(features.text.max()) < learned.TEXT_ROWS
    judged(PROVED.after([lesson(PROVED, text, Label.SPAM)]), text)
