"""The whole pipeline's processor time: no text up to the size limit raises or takes over 50 ms.

Twice as much is let pass here, since a machine that runs other things beside takes so much longer.
"""

import random
import time
from itertools import cycle, islice

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moderation.domain.policy import Policy, decide
from moderation.scoring.folding import _ALIKE, _LATIN_VARIANTS
from moderation.scoring.pipeline import Candidate, Pipeline
from moderation.scoring.repeats import fingerprint
from moderation.scoring.words import RuleRow, compile_rules

PIPELINE = Pipeline()
MAX_CHARS = 20_000
LIMIT_MS, MARGIN = 50, 2
RULES = compile_rules(
    [
        *(RuleRow(f"w{n}", "word", word) for n, word in enumerate(["idiot", "*spam*", "f u", "ass", "casino", "shit"])),
        *(RuleRow(f"a{n}", "allow", word) for n, word in enumerate(["god", "ass kicking", "*classic*"])),
        RuleRow("p0", "pattern", r"\bfree\s+\w+"),
        RuleRow("d0", "domain", "casino.example"),
        RuleRow("u0", "author", "bot"),
    ]
)


def full(text: str) -> str:
    """The text again and again, up to the size limit."""
    return "".join(islice(cycle(text), MAX_CHARS))


def cost_ms(body: str) -> float:
    """Processor time of judging a comment: the best of three, since a busy machine adds to it."""
    links = [word for word in body.split() if word.startswith("http")][:200]
    candidate = Candidate(body, "Reader", "https://reader.example/", links, "mail.example", 60_000, rules=RULES)
    took = []
    for _ in range(3):
        began = time.thread_time()
        fingerprint(body)
        decide(PIPELINE.signals(candidate), Policy("auto"))
        took.append((time.thread_time() - began) * 1_000)
        if took[-1] < LIMIT_MS:
            break
    return min(took)


DICE = random.Random(4)
HOSTILE = {
    "one letter": full("a"),
    "one Cyrillic letter": full("ж"),
    "one Chinese character": full("人"),
    "blanks": "a" + full(" ")[1:],
    "marks": "a" + full("\u0301")[1:],
    "zalgo": full("z\u0315\u0336\u20dda\u0301\u0302\u0303\u0489l\u0316\u0317g\u0358o\u0334"),
    "nested brackets": "[" * 10_000 + "]" * 10_000,
    "nested markup": full("<a href=") + ">",
    "brackets and blanks": full("[ ]( "),
    "alternating signs": full("$@!|1*#"),
    "signs and letters": full("a!$b@1"),
    "leet words": full("1d10t sh1t a$$ @ss f@gg0t b!tch "),
    "letters apart": full("f u c k "),
    "letters apart in one chain": full("s.h-i.t_"),
    "stretched words": full("shiiiiiiit asssssshooole fuuuuckkkk "),
    "stretched letters": full("aaabbbccc"),
    "all confusables": full(f"a{_ALIKE}x{''.join(_LATIN_VARIANTS)} "),
    "many links": full("https://a.example/b?c=d "),
    "many links to look at": full("[https://a.example](https://b.example/x) "),
    "many foreign links": full("https://пример.example/ю "),
    "almost links": full("http:/www.http://"),
    "addresses": full("a@b.example 0170 1234567 "),
    "rude words": full("fuck shit cunt idiot "),
    "rude sentences": full("You are an idiot. "),
    "ends of sentences": full("idiot. ! ?\n"),
    "rude words apart": full("a s s h o l e - "),
    "openings of listed words": full("as a be a two gi r ls son of "),
    "numbers": full("455 80085 10 2015 5 "),
    "Roman numbers": full("iii xviii mmm "),
    "allowed words": full("god ass kicking classical "),
    "abbreviations": full("u.s.a. e.g. "),
    "capitals": full("SHOUTING AT YOU!!! "),
    "every character": "".join(map(chr, range(1, MAX_CHARS + 1))),
    "emoji": full("\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1e9\U0001f1ea\U0001f170"),
    "lone surrogates": full("\ud800a"),
    "invisible": full("s\u200bh\u2060i\xadt\ufe0f "),
    "no word twice": "".join(DICE.choices("abcdefghijklmnopqrstuvwxyz     ", k=MAX_CHARS)),
    "no foreign word twice": "".join(DICE.choices("абвгдежзийклмнопрстуаеос     ", k=MAX_CHARS)),
    "any of these": "".join(DICE.choices("aеs$5@*4hi1t!+ .-_G0oDxX2gr'\n\u0301\u200bж人|<>[]()", k=MAX_CHARS)),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_judge_hostile_text_of_the_size_limit_under_50_ms(body: str) -> None:
    assert len(body) <= MAX_CHARS + 1
    assert cost_ms(body) < LIMIT_MS * MARGIN


PIECES = st.one_of(
    st.text(min_size=1, max_size=30),
    st.text(alphabet="aеs$5@*4hi1t!+ .-_G0oDxX2gr'\n\u0301\u200bж人|<>[]()/:", min_size=1, max_size=30),
    st.lists(st.sampled_from([text[:40] for text in HOSTILE.values()]), min_size=1, max_size=4).map("".join),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PIECES, st.integers(1, MAX_CHARS))
@example("s h i t", MAX_CHARS)
def test_judge_any_text_over_and_over_under_50_ms(piece: str, length: int) -> None:
    assert cost_ms(full(piece)[:length]) < LIMIT_MS * MARGIN
