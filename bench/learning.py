"""Measure what learning from decisions is worth: streams of decided comments, replayed with learning and without.

    python bench/learning.py [--size 1500] [--pure] [--data FOLDER] [--only NAME]

Each stream is 1,500 comments, the ordinary ones from the news comments of the data sets (or, without a folder, from
sentences made here), the others of a kind that the trained model does not know or knows badly. By default each is
submitted to and decided in a service of its own on SQLite by the real use cases; ``--pure`` runs the signals and the
model alone, without repeats, which is faster. Prints for the last 500 comments how many are told rightly by a risk of
0.5 or more and by a score for spam of 0.5 or more: with a site that learns, and with one that does not.

The data sets are not part of the project; ``SHARED_DATA`` names their folder too.
"""

import argparse
import csv
import os
import random
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.domain.policy import Policy, decide
from moderation.scoring import learned
from moderation.scoring.folding import fold
from moderation.scoring.learned import Label
from moderation.scoring.pipeline import Candidate, Pipeline
from moderation.services import moderate, sites
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.settings import Settings
from moderation.storage import schema
from moderation.storage.db import read
from moderation.storage.models import Comment

LAST = 500
CLIENT = Client("203.0.113.7", "Mozilla/5.0")
ACTIONS = {Label.FINE: "approve", Label.SPAM: "spam", Label.UNWANTED: "reject"}
Row = tuple[str, Label]
_URL = re.compile(r"https?://[^\s<>\"()]+")

csv.field_size_limit(10**8)


# --- streams ---------------------------------------------------------------------------------------------------------

HEALERS = ("Prophet Adun", "Mama Kesi", "the priest of Wazobi", "Doctor Igbena", "Father Umar")
HEALING = """
cast a spell and my husband came home within two days|cured my mother with his herbs|showed me the winning numbers
broke the curse on my shop|made the judge see my side|sent away the woman who took my fiance
"""
BEFORE = "I had lost all hope|Nobody believed me|After nine years of tears|The doctors gave up|My marriage was over"
AFTER = """
You can be happy too|I promised to tell the whole world|He helps whoever asks him|Try him today and thank me later
Distance is no problem for him|I still cry when I think of it
"""
SHOPS = ("PaperFalcon", "ThesisHarbor", "the writers of GradeNest")
PRAISE = "Great article.|So true.|Interesting read.|I agree with the author.|Thank you for this.|Well said, neighbour."
STUDIES = "When I was drowning in coursework|During my last term|With two jobs and a thesis|When my nephew was failing"
HANDED = """
{shop} saved me|{shop} did the whole paper overnight|I handed the essay to {shop}|{shop} delivered before the deadline
a friend told me about {shop}
"""
GRADES = (
    "Best marks ever.|Worth every cent.|No plagiarism at all.|Recommended to all students.|My professor was stunned."
)
SIGNALS = "the group of Mr Halden|Mrs Abreu's trading circle|the Lisbon account managers"
GAINS = """
I doubled my savings in three weeks with {who}|{who} trade for me while I sleep|my pension grew by half thanks to {who}
{who} take no fee unless you earn
"""
JOINS = (
    "Ask for her name in the messenger.|They still take newcomers.|Begin with two hundred, as I did.|No risk at all."
)
ORDINARY = """
I think the {place} {deed}.|Why does nobody ask what the {place} costs?|The {place} {deed}, and that is a good thing.
My mother says the {place} {deed}.|If the {place} {deed}, we should all vote on it.|The article forgets the {place}.
Has anybody seen the plans for the {place}?|The {place} was better before, in my opinion.
"""
PLACES = "harbour|school|library|bridge|market|council|museum|station|park|clinic|ferry|theatre"
DEEDS = "is too small|opens again in May|needs a new roof|serves the whole town|was a mistake|belongs to all of us"


def _lines(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", "|").split("|") if part.strip()]


def spells(dice: random.Random) -> str:
    """A testimony for a healer."""
    parts = [dice.choice(_lines(part)) for part in (BEFORE, HEALING, AFTER)]
    return f"{parts[0]}, until {dice.choice(HEALERS)} {parts[1]}. {parts[2]}."


def essays(dice: random.Random) -> str:
    """Praise of the article, with an advertisement that looks like a reader's story."""
    handed = dice.choice(_lines(HANDED)).format(shop=dice.choice(SHOPS))
    said = f"{dice.choice(_lines(STUDIES))}, {handed}. {dice.choice(_lines(GRADES))}"
    return f"{dice.choice(_lines(PRAISE))} {said}"


def trading(dice: random.Random) -> str:
    """An advertisement for people who trade with one's savings, behind a remark on the article."""
    gains = dice.choice(_lines(GAINS)).format(who=dice.choice(_lines(SIGNALS)))
    return f"{ordinary(dice)} {gains[0].upper()}{gains[1:]}. {dice.choice(_lines(JOINS))}"


def ordinary(dice: random.Random) -> str:
    """What a reader might say of a town."""
    both = [dice.choice(_lines(ORDINARY)) for _ in range(2)]
    filled = [one.format(place=dice.choice(_lines(PLACES)), deed=dice.choice(_lines(DEEDS))) for one in both]
    return " ".join(filled)


def _made(make: Callable[[random.Random], str], seed: int = 5) -> Iterator[str]:
    dice = random.Random(seed)
    while True:
        yield make(dice)


class Data:
    """The data sets, read where they are wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a file with a header."""
        with (self._folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def lines(self, name: str) -> list[list[str]]:
        """The rows of a file with tabs."""
        text = (self._folder / name).read_text(encoding="utf-8")
        return [line.split("\t") for line in text.splitlines() if "\t" in line]

    def news(self) -> list[str]:
        """News comments in which few raters saw anything."""
        rows = self.table("civilcomments_toxicspans_soft_13100.csv")
        return [row["text"][:3_000] for row in rows if row["toxic"] and float(row["toxic"]) < 0.3]


def streams(folder: Path | None, size: int) -> Iterator[tuple[str, list[Row]]]:
    """Each stream by its name: shuffled, with a fixed seed."""
    data = Data(folder) if folder else None
    for make in (spells, essays, trading):
        news = data.news() if data else [text for text, _ in zip(_made(ordinary), range(size), strict=False)]
        bad = [text for text, _ in zip(_made(make), range(size), strict=False)]
        yield make.__name__, _mixed(bad, news, size, 0.35, Label.SPAM)
    if data is None:
        return
    messages = data.lines("sms_spam_5549.tsv")
    spam = [text for kind, text, *_ in messages if kind == "spam"]
    yield "text messages", _mixed(spam, data.news(), size, 0.4, Label.SPAM)
    tweets = data.table("davidson_tweets_24783.csv")
    rude = [row["tweet"] for row in tweets if row["class"] != "2"]
    neither = [row["tweet"] for row in tweets if row["class"] == "2"]
    yield "rude tweets", _mixed(rude, neither, size, 0.5, Label.UNWANTED)
    german = data.lines("germeval2018_train.txt")
    offensive = [row[0] for row in german if row[1] != "OTHER"]
    other = [row[0] for row in german if row[1] == "OTHER"]
    yield "German tweets", _mixed(offensive, other, size, 0.45, Label.UNWANTED)
    portuguese = data.table("told_br_pt_21000.csv")
    raters = [(row["text"], sum(float(row[name]) for name in row if name != "text")) for row in portuguese]
    toxic, clean = [text for text, n in raters if n >= 2], [text for text, n in raters if n == 0]
    yield "Portuguese tweets", _mixed(toxic, clean, size, 0.45, Label.UNWANTED)


def _mixed(bad: Sequence[str], good: Sequence[str], size: int, share: float, label: Label) -> list[Row]:
    dice = random.Random(7)
    some_bad, some_good = list(bad), list(good)
    dice.shuffle(some_bad)
    dice.shuffle(some_good)
    count = min(round(size * share), len(some_bad))
    rows = [(text, label) for text in some_bad[:count]]
    rows += [(text, Label.FINE) for text in some_good[: size - count]]
    dice.shuffle(rows)
    return rows


# --- replaying -------------------------------------------------------------------------------------------------------


@dataclass
class Replay:
    """What the comments of a stream were given before they were decided."""

    risks: list[float] = field(default_factory=list)
    spam: list[float] = field(default_factory=list)
    decide_ms: list[float] = field(default_factory=list)
    most_weight: float = 0.0

    def right(self, rows: Sequence[Row], figures: Sequence[float]) -> float:
        """The percentage of the last 500 that a figure of 0.5 or more tells rightly."""
        told = list(zip(rows, figures, strict=True))[-LAST:]
        return 100 * statistics.mean((figure >= 0.5) is (label != Label.FINE) for (_, label), figure in told)


def replay_pure(rows: Sequence[Row], *, learning: bool) -> Replay:
    """By the signals and the model alone."""
    pipeline, model, done = Pipeline(), learned.nothing(), Replay()
    for text, label in rows:
        links = tuple(_URL.findall(text))
        said = pipeline.signals(Candidate(body=text, links=links, learned=model if learning else None))
        verdict = decide(said, Policy())
        done.risks.append(verdict.risk)
        done.spam.append(verdict.scores["spam"] or 0.0)
        start = time.process_time()
        if learning:
            features = learned.features_of(fold(text), links, None, said)
            model = model.after([learned.step_of(model, model.version + 1, label, features)])
        done.decide_ms.append(1_000 * (time.process_time() - start))
    done.most_weight = model.cap
    return done


def replay_service(rows: Sequence[Row], *, learning: bool) -> Replay:
    """By the use cases, in a service of its own."""
    from moderation.services import learning as lessons

    with tempfile.TemporaryDirectory() as home:
        url = f"sqlite:///{home}/moderation.db"
        engine = sa.create_engine(url)
        schema.upgrade(engine)
        engine.dispose()
        app = create_app(_settings(Path(home), url))
        done = Replay()
        with app.app_context():
            parts: Parts = app.extensions["moderation"]
            wanted = {"submit_rate": "none", "learning": "on" if learning else "off"}
            sites.add_site(parts, CLI, "news", "News", ["https://news.example"], wanted)
            for number, (text, label) in enumerate(rows):
                _submit_and_decide(parts, done, number, text, label)
            done.most_weight = lessons.show(parts, CLI, "news")["most_weight"]
            app.extensions["sqlalchemy"].engine.dispose()
    return done


def _submit_and_decide(parts: Parts, done: Replay, number: int, text: str, label: Label) -> None:
    client = Client(f"198.51.{number % 250}.7", "Mozilla/5.0")
    sent = Submission(f"story-{number % 20}", None, None, None, f"Reader {number}", None, None, None, text)
    made = submit_comment(parts, "news", sent, client)
    with read() as session:
        risk, scores = session.execute(sa.select(Comment.risk, Comment.scores).where(Comment.id == made["id"])).one()
    done.risks.append(risk)
    done.spam.append(scores["spam"] or 0.0)
    start = time.process_time()
    moderate.decide(parts, CLI, made["id"], ACTIONS[label])
    done.decide_ms.append(1_000 * (time.process_time() - start))


def _settings(home: Path, url: str) -> Settings:
    return Settings(
        home=home,
        database_url=url,
        public_url="http://127.0.0.1:8080",
        secret_key=secrets.token_bytes(32),
        encryption_keys=(("k1", secrets.token_bytes(32)),),
        index_key=secrets.token_bytes(32),
        log_level="CRITICAL",
    )


def main() -> None:
    """Replay the streams and print a line for each."""
    arguments = _arguments()
    folder = arguments.data or (Path(os.environ["SHARED_DATA"]) if "SHARED_DATA" in os.environ else None)
    replay = replay_pure if arguments.pure else replay_service
    print(f"{'stream':18} {'risk: without':>14} {'with':>6} {'gain':>6}   {'spam: without':>14} {'with':>6}", end="")
    print(f"   {'most weight':>11}   {'CPU of a decision, ms':>22}")
    for name, rows in streams(folder, arguments.size):
        if arguments.only in {None, name}:
            plain, taught = replay(rows, learning=False), replay(rows, learning=True)
            print(_line(name, rows, plain, taught), flush=True)


def _line(name: str, rows: Sequence[Row], plain: Replay, taught: Replay) -> str:
    risk = plain.right(rows, plain.risks), taught.right(rows, taught.risks)
    spam = plain.right(rows, plain.spam), taught.right(rows, taught.spam)
    cost = statistics.median(plain.decide_ms), statistics.median(taught.decide_ms)
    return (
        f"{name:18} {risk[0]:14.1f} {risk[1]:6.1f} {risk[1] - risk[0]:+6.1f}   {spam[0]:14.1f} {spam[1]:6.1f}"
        f"   {taught.most_weight:11.2f}   {cost[0]:10.2f} to {cost[1]:.2f}"
    )


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=1_500, help="comments of a stream")
    parser.add_argument("--pure", action="store_true", help="without a service and its database")
    parser.add_argument("--data", type=Path, help="folder of the data sets; without it, the streams made here alone")
    parser.add_argument("--only", help="one stream, by its name")
    return parser.parse_args()


if __name__ == "__main__":
    main()
