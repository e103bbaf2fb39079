"""Measure what it costs to judge a comment: the whole pipeline in processor time of one thread, beside a reference.

    python bench/score_cost.py [FILE.jsonl] [--rounds 7] [--words 0] [--patterns 0]

One comment costs: its fingerprint, its matching copy, all signals of THE LIST, and the decision. Left out are what is
done for every comment whether judged or not (normalising, rendering, finding the links of the rendered HTML) and the
queries; the network has no part in it. Without FILE the texts are put together from sentences in here, and with it
(lines as ``{"submission": {"body": ...}}``, as for ``bench/replay.py``) they are its comments, cut to the length.

For 50, 300 and 1,500 characters each of up to 100 texts is judged once a round, after one that does not count; its cost
is the lowest of the rounds, and what is printed is the median over the texts. For the percentiles over real
comments each one of FILE is judged once and never before: the first third only fills the caches. Every figure is in
microseconds of this thread and in multiples of the reference, ``json.dumps`` of a page of comments, which is measured
in between, so that a busy or throttled machine slows down both. The memory is what the process has more of when all
models are loaded.
"""

import argparse
import json
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from moderation.domain.policy import Policy, decide
from moderation.scoring import pipeline
from moderation.scoring.pipeline import Candidate, Case, Pipeline
from moderation.scoring.repeats import fingerprint
from moderation.scoring.words import NO_RULES, RuleRow, Rules, compile_rules

LENGTHS = (50, 300, 1_500)
TEXTS = 100
SENTENCES = """
The council should have asked the people of the old town before it closed the bridge.
I don't agree with the author, but the figures about the rents are interesting.
My grandfather worked at the harbour for 40 years and never saw such a storm.
Why does nobody talk about the schools? There are 31 children in my daughter's class!
Thanks for this article, it explains the new tax better than the minister did.
Sorry, but that is nonsense: the train was late because of the strike.
We went to the market on Saturday and the stalls were empty by nine o'clock.
You can't compare a city of two million with a village, as you did last week.
Has anybody read the report itself? It's on page 12, in small print.
I'd rather pay a little more for bread than see another shop close down.
What a wonderful evening, the band played until midnight and everybody danced.
He promised it in March, he promised it in June, and nothing has happened since.
"""
_RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")
PAGE = [{"id": str(n), "author": f"Reader {n}", "body": SENTENCES[: 100 + n], "state": "approved"} for n in range(20)]
_LINK = re.compile(r"https?://[^\s<>\[\]()\"']+")


def from_sentences() -> Iterator[str]:
    """Texts of our own, long enough for the longest length."""
    dice, known = random.Random(3), SENTENCES.strip().split("\n")
    for _ in range(TEXTS):
        yield " ".join(dice.choices(known, k=2 + LENGTHS[-1] // 50))


def from_file(path: Path) -> list[str]:
    """The bodies of a file of submissions."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["submission"]["body"] for line in lines if line.strip()]


def rules(words: int, patterns: int) -> Rules:
    """The rules of a site with so many words and patterns, none of which is in an ordinary comment."""
    rows = [RuleRow(f"w{n}", "word", f"zq{n}word") for n in range(words)]
    return compile_rules([*rows, *(RuleRow(f"p{n}", "pattern", rf"zq{n}\s+\w+") for n in range(patterns))])


def candidate(body: str, site: Rules = NO_RULES) -> Candidate:
    """A comment as a page's form sends it, with the links that its HTML would have."""
    return Candidate(
        body, "Reader", links=tuple(_LINK.findall(body)), ip_network="203.0.113.0/24", filled_in_ms=60_000, rules=site
    )


def resident_mb() -> float:
    """Memory of this process; 0 where the system does not say so in ``/proc``."""
    status = Path("/proc/self/status")
    found = _RESIDENT.search(status.read_text(encoding="utf-8")) if status.exists() else None
    return int(found[1]) / 1_024 if found else 0.0


def cpu_us(call: Callable[[], object]) -> float:
    """Processor time of one call in this thread, in microseconds."""
    began = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - began) / 1_000


class Costs:
    """What is measured, with the reference measured in between."""

    def __init__(self, site: Rules, rounds: int) -> None:
        before = resident_mb()
        self._pipeline = Pipeline()
        self._pipeline.prepare()
        self.models_mb = resident_mb() - before
        self._site = site
        self._rounds = rounds
        self.references: list[float] = []

    def judge(self, facts: Candidate) -> None:
        """All that is done with one comment."""
        fingerprint(facts.body)
        decide(self._pipeline.signals(facts), Policy("auto"))

    def of_length(self, texts: Sequence[str], length: int) -> float:
        """Median over texts of so many characters."""
        cut = [candidate(text[:length], self._site) for text in texts if len(text) >= length][:TEXTS]
        return self._median([lambda facts=facts: self.judge(facts) for facts in cut])

    def of_steps(self, texts: Sequence[str], length: int) -> dict[str, float]:
        """Median of each step of THE LIST, what they share already made; and of what is done beside them."""
        cut = [candidate(text[:length], self._site) for text in texts if len(text) >= length][:TEXTS]
        cases = [Case(facts, self._pipeline._listed, self._pipeline._model, self._pipeline._others) for facts in cut]
        found = {
            "matching copy": self._median([lambda facts=facts: pipeline.fold.__wrapped__(facts.body) for facts in cut]),
            "fingerprint": self._median([lambda facts=facts: fingerprint(facts.body) for facts in cut]),
        }
        for step in pipeline.SIGNALS:
            found[step.name] = self._median([lambda case=case, step=step: step.judge(case) for case in cases])
        judged = [self._pipeline.signals(facts) for facts in cut]
        found["decide"] = self._median([lambda signals=signals: decide(signals, Policy("auto")) for signals in judged])
        return found

    def of_all(self, texts: Sequence[str]) -> list[float]:
        """The cost of each text, judged for the first time; the first third is not counted."""
        for text in texts[: len(texts) // 3]:
            self.judge(candidate(text, self._site))
        found = []
        for number, text in enumerate(texts[len(texts) // 3 :]):
            facts = candidate(text, self._site)
            found.append(cpu_us(lambda facts=facts: self.judge(facts)))
            if number % 100 == 0:
                self._refer()
        return sorted(found)

    def _median(self, calls: Sequence[Callable[[], object]]) -> float:
        for call in calls:
            call()
        lowest = [float("inf")] * len(calls)
        for _ in range(self._rounds):
            self._refer()
            lowest = [min(known, cpu_us(call)) for known, call in zip(lowest, calls, strict=True)]
        return statistics.median(lowest)

    def _refer(self) -> None:
        self.references.append(cpu_us(lambda: json.dumps(PAGE)))


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", nargs="?", type=Path, help="comments, one JSON object a line")
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--words", type=int, default=0, help="how many words the site lists")
    asked.add_argument("--patterns", type=int, default=0, help="how many patterns the site has, at most 200")
    options = asked.parse_args()
    texts = from_file(options.file) if options.file else list(from_sentences())
    costs = Costs(rules(options.words, options.patterns), options.rounds)
    rows = {}
    if options.file:
        everyone = costs.of_all(texts)
        for share in (50, 90, 99):
            rows[f"real comments, {share} %"] = everyone[min(len(everyone) * share // 100, len(everyone) - 1)]
    rows |= {f"{length:,} characters": costs.of_length(texts, length) for length in LENGTHS}
    steps = costs.of_steps(texts, 300)
    reference = statistics.median(costs.references)
    print(f"{'':24}{'CPU µs':>10}{'x reference':>14}")
    print(f"{'reference':24}{reference:10.1f}{1:14.2f}")
    for name, value in rows.items():
        print(f"{name:24}{value:10.1f}{value / reference:14.2f}")
    print(f"{'memory of the models':24}{costs.models_mb:10.1f} MB")
    print("of 300 characters:")
    for name, value in steps.items():
        print(f"  {name:22}{value:10.1f}{value / reference:14.2f}")


if __name__ == "__main__":
    main()
