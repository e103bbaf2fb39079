"""The data sets of ``../shared/data`` as rows of one form. Nothing of them is ever written into the project.

A label that a source lacks is NaN and is masked in training. Soft labels (shares of raters, another model's score) stay
soft. Weights are by source: how far its labels are to be believed for a newspaper's comments.
"""

import csv
import math
import os
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training import contrast, contrast_grammar
from training.heldout import bucket, is_calibration, is_test, letters

LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
COLUMNS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
NO = math.nan
CLEAN = (0.0,) * 6
HATE = (1.0, NO, 0.0, NO, NO, 1.0)

csv.field_size_limit(10**8)


@dataclass(frozen=True, slots=True)
class Row:
    """A text, its six labels (NaN where unknown), how much it counts, and where it is from."""

    text: str
    labels: tuple[float, ...]
    weight: float
    source: str


def folder() -> Path:
    """Where the data sets are: ``SHARED_DATA``, else ``../shared/data`` beside the checkout."""
    path = Path(os.environ.get("SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
    if not path.is_dir():
        raise SystemExit(f"No data sets in {path}; set SHARED_DATA.")
    return path


def rows() -> list[Row]:
    """Every labelled text once, the first source that has it winning; contrast sentences are apart."""
    seen: set[str] = set()
    unique = []
    for row in _all_rows():
        key = letters(row.text) + str(len(row.text) // 400 if len(letters(row.text)) >= 60 else "")
        if row.source == "madlibs" or key not in seen:
            seen.add(key)
            unique.append(row)
    return unique


def for_training(all_rows: Sequence[Row]) -> list[Row]:
    """What is not held out, with our contrast sentences and with disguised copies."""
    kept = [row for row in all_rows if not (is_test(row.text) or is_calibration(row.text))]
    kept += _contrast("train")
    return buried(kept, random.Random(8)) + disguised(kept, random.Random(5))


def for_calibration(all_rows: Sequence[Row]) -> list[Row]:
    """Held out for calibration and thresholds."""
    return [row for row in all_rows if is_calibration(row.text)] + _contrast("calibrate")


def for_test(all_rows: Sequence[Row]) -> list[Row]:
    """Held out for measuring."""
    return [row for row in all_rows if is_test(row.text)]


def _all_rows() -> Iterator[Row]:
    yield from _labelled("jigsaw_wiki_original_12928.csv", "wiki", 1.0)
    yield from _labelled("jigsaw_wiki_rareclass_lowercased_8206.csv", "wiki_rare", 1.0)
    yield from _labelled("civilcomments_toxicspans_soft_13100.csv", "civil", 1.0)
    yield from _perspective()
    yield from _labelled("wikitalk_perspective_scored_19995.csv", "wikitalk", 0.6)
    yield from _tweets()
    yield from _madlibs()
    yield from _lexicon()


def _read(name: str) -> Iterator[dict[str, str]]:
    with (folder() / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _labelled(name: str, source: str, weight: float) -> Iterator[Row]:
    for line in _read(name):
        labels = tuple(float(line[column]) if line[column] else NO for column in COLUMNS)
        yield Row(line["text"], labels, weight, source)


_ATTRIBUTES = ("TOXICITY@6", "SEVERE_TOXICITY@2", "OBSCENE", "THREAT", "INSULT", "IDENTITY_ATTACK")


def _perspective() -> Iterator[Row]:
    for line in _read("perspective_scores_1000.csv"):
        yield Row(line["comment_text"], tuple(float(line[name]) for name in _ATTRIBUTES), 0.7, "perspective")


def _tweets() -> Iterator[Row]:
    """Raters' shares. "Offensive" there is often slang between friends, so that it counts little."""
    for line in _read("davidson_tweets_24783.csv"):
        count = int(line["count"])
        hate, rude = int(line["hate_speech"]) / count, int(line["offensive_language"]) / count
        text = re.sub(r"@\w+|&#\d+;|\bRT\b", " ", line["tweet"]).replace("&amp;", "&").strip()
        hateful = hate if hate >= 0.5 or hate == 0 else NO
        yield Row(text, (min(1.0, hate + rude), NO, NO, NO, NO, hateful), 0.25 if hate < 0.5 else 0.5, "tweets")


def _madlibs() -> Iterator[Row]:
    """A twentieth of the template sentences. Identity terms of the buckets held out stay out (by the last word)."""
    for line in _read("identity_madlibs_76564.csv"):
        phrase = line["phrase"]
        large = line["template"] == "name_adj"
        if bucket(phrase.split()[-1]) < 3 or (large and bucket("sample " + phrase) != 4):
            continue
        if large and bucket("sample again " + phrase) > 3:
            continue
        bad = float(line["toxicity"] == "toxic")
        yield Row(phrase, (bad, 0.0 if not bad else NO, 0.0, NO if bad else 0.0, bad, bad and 0.8), 0.5, "madlibs")


def madlibs_held_out() -> list[tuple[str, bool]]:
    """Template sentences about identity terms that training never sees in them: text, whether toxic."""
    kept = (line for line in _read("identity_madlibs_76564.csv") if bucket(line["phrase"].split()[-1]) == 0)
    return [(line["phrase"], line["toxicity"] == "toxic") for line in kept]


_GROUPS = ("racial / ethnic slurs", "sexual orientation / gender", "physical disability", "religious offense")


def _lexicon() -> Iterator[Row]:
    """Single words: toxic by their severity, of an identity where the category is a group of people."""
    for line in _read("lexicon_surge_profanity_1598.csv"):
        severity = min(1.0, float(line["severity_rating"]) / 2.4)
        kinds = {line[f"category_{n}"] for n in (1, 2, 3)}
        group = 0.8 * severity if "racial / ethnic slurs" in kinds else (NO if kinds & set(_GROUPS) else 0.0)
        yield Row(line["text"], (severity, NO, severity, 0.0, NO, group), 0.3, "lexicon")


GRAMMAR_WEIGHT = 1.0
"""Weight of a sentence put together from parts: there are many, and they are alike."""


def _contrast(part: str) -> list[Row]:
    rows = [
        Row(sentence.text, HATE if sentence.hateful else CLEAN, sentence.weight, "contrast")
        for sentence in contrast.sentences()
        if sentence.part == part
    ]
    if part == "train":
        dice = random.Random(6)
        for text, labels in contrast_grammar.sentences(contrast.people_trained(), _slurs()):
            rows.append(Row(_now_and_then_disguised(text, dice), labels, GRAMMAR_WEIGHT, "grammar"))
    return rows


def _now_and_then_disguised(text: str, dice: random.Random) -> str:
    """The text; one of ten times with a word of it disguised, whatever the word."""
    found = [match for match in _WORD.finditer(text) if len(match[0]) > 3]
    if not found or dice.random() >= 0.1:
        return text
    match = dice.choice(found)
    return text[: match.start()] + dice.choice(TRAINED_WAYS)(match[0].lower(), dice) + text[match.end() :]


def _slurs() -> list[str]:
    """Nouns of the lexicon that insult a group of people, one word each."""
    kinds = ("racial / ethnic slurs", "sexual orientation / gender")
    return [
        line["text"]
        for line in _read("lexicon_surge_profanity_1598.csv")
        if line["category_1"] in kinds and float(line["severity_rating"]) >= 1.6 and line["text"].isalpha()
    ]


def ordinary_news(all_rows: Sequence[Row]) -> list[str]:
    """News-site comments that fewer than a third of the raters found toxic, of the rows given."""
    return [row.text for row in all_rows if row.source == "civil" and row.labels[0] < 0.34]


BURIED, BURIED_SHARE = 5_000, 0.2
"""Rude comments that are put between calm ones, and the share of the sentences put together that are."""


def buried(kept: Sequence[Row], dice: random.Random) -> list[Row]:
    """The rows, some of them between calm comments of Wikipedia: calm words around an insult take nothing from it."""
    wiki = [row for row in kept if row.source == "wiki" and len(row.text) < 500]
    rude, calm = [row for row in wiki if any(row.labels)], [row.text for row in wiki if not any(row.labels)]
    short = [text for text in calm if len(text) < 250]

    def between(text: str, others: Sequence[str], most: int) -> str:
        parts = dice.sample(others, dice.randint(1, most))
        parts.insert(dice.randint(0, len(parts)), text)
        return " ".join(parts)

    found = [
        replace(row, text=between(row.text, short, 2))
        if row.source == "grammar" and dice.random() < BURIED_SHARE
        else row
        for row in kept
    ]
    some = (dice.choice(rude) for _ in range(BURIED))
    return found + [Row(between(row.text, calm, 3), row.labels, 0.4, "wiki") for row in some]


# ---- Disguises. The first are for training; the others only for measuring.

_LEET = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7"}
_VOWELS = "aeiou"


def _leet(word: str, dice: random.Random) -> str:
    places = [at for at, letter in enumerate(word) if letter in _LEET]
    if not places:
        return word
    chosen = set(dice.sample(places, dice.randint(1, min(2, len(places)))))
    return "".join(dice.choice(_LEET[letter]) if at in chosen else letter for at, letter in enumerate(word))


def _starred(word: str, dice: random.Random) -> str:
    at = next((at for at, letter in enumerate(word) if at and letter in _VOWELS), 1)
    if dice.random() < 0.3:
        return word[0] + "*" * (len(word) - 2) + word[-1]
    return word[:at] + "*" + word[at + 1 :]


def _dotted(word: str, dice: random.Random) -> str:
    return dice.choice(". -").join(word)


def _stretched(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word))
    return word[:at] + word[at] * dice.randint(3, 5) + word[at + 1 :]


def _dropped(word: str, dice: random.Random) -> str:
    at = dice.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]


TRAINED_WAYS = (_leet, _leet, _starred, _dotted, _stretched, _dropped)


def _swapped(word: str, dice: random.Random) -> str:
    at = dice.randrange(1, len(word) - 1)
    return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]


def _doubled(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word))
    return word[:at] + word[at] + word[at:]


def _underscored(word: str, dice: random.Random) -> str:
    return "_".join(word)


def _invisible(word: str, dice: random.Random) -> str:
    at = dice.randrange(1, len(word))
    return word[:at] + "\u200b" + word[at:]


def _cyrillic(word: str, dice: random.Random) -> str:
    return word.translate(str.maketrans("aeocpx", "аеосрх"))


def _accented(word: str, dice: random.Random) -> str:
    return word.translate(str.maketrans("aeiou", dice.choice(("áéíóú", "àèìòù", "äëïöü"))))


def _parted(word: str, dice: random.Random) -> str:
    at = dice.randrange(2, len(word) - 1) if len(word) > 3 else 1
    return word[:at] + "-" + word[at:]


def _other_vowel(word: str, dice: random.Random) -> str:
    places = [at for at, letter in enumerate(word) if letter in _VOWELS]
    if not places:
        return _doubled(word, dice)
    at = dice.choice(places)
    return word[:at] + dice.choice("xvy#") + word[at + 1 :]


UNSEEN_WAYS = (_swapped, _doubled, _underscored, _invisible, _cyrillic, _accented, _parted, _other_vowel)


def listed_words() -> frozenset[str]:
    """The bad words that are disguised: of the lexicon, those of one word, plain letters and some severity."""
    lines = _read("lexicon_surge_profanity_1598.csv")
    return frozenset(
        line["text"]
        for line in lines
        if float(line["severity_rating"]) >= 1.0 and re.fullmatch("[a-z]{3,}", line["text"])
    )


_WORD = re.compile(r"[A-Za-z]{3,}")


def disguise(text: str, listed: frozenset[str], ways: Sequence, dice: random.Random) -> str:  # type: ignore[type-arg]
    """``text`` with every listed word disguised, each by one of ``ways``."""

    def changed(match: re.Match[str]) -> str:
        word = match[0]
        return dice.choice(ways)(word.lower(), dice) if word.lower() in listed else word

    return _WORD.sub(changed, text)


def disguised(kept: Sequence[Row], dice: random.Random) -> list[Row]:
    """Disguised copies: of texts with listed words, and, so that it alone says nothing, of some decent words."""
    listed = listed_words()
    copies = []
    for row in kept:
        if row.source not in {"wiki", "wiki_rare", "civil", "wikitalk"} or len(row.text) > 1_500:
            continue
        found = {word.lower() for word in _WORD.findall(row.text)}
        if found & listed:
            if dice.random() < 0.5:
                copies.append(
                    replace(row, text=disguise(row.text, listed, TRAINED_WAYS, dice), weight=row.weight * 0.7)
                )
        elif found and dice.random() < 0.08:
            some = frozenset(dice.sample(sorted(found), min(2, len(found))))
            copies.append(replace(row, text=disguise(row.text, some, TRAINED_WAYS, dice), weight=row.weight * 0.7))
    return copies
