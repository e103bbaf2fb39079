"""Why a comment has its risk, for a page: each reason in words and, where it points to places in the text, with a
number that stands at these places too, so that no colour has to say it.
"""

import html
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

MAX_SPANS = 100
"""Places that are marked in one comment, the first ones: beyond them a text is all marks."""

_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"</?(?:p|br)\b[^>]*>")
_LINK = re.compile(r"</?a\b[^>]*>")
"""Tags that may leave a text as it was typed: paragraphs, line breaks, and links that show their own address."""


class Reason(NamedTuple):
    """One line of the reasons. ``number`` is 0 where no place in the text carries it."""

    text: str
    number: int = 0
    weight: str = ""
    is_away: bool = False
    spans: tuple[tuple[int, int], ...] = ()


class Mark(NamedTuple):
    """A piece of the text; ``numbers`` of the reasons that point to it, ``ends`` of those that end with it."""

    text: str
    numbers: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    title: str = ""


def reasons_of(item: Mapping[str, Any]) -> list[Reason]:
    """The reasons of a queue item, the heaviest signal first; what speaks for the comment has no number."""
    reasons: list[Reason] = []
    number = 0
    for signal in sorted(item["signals"], key=lambda one: -one["weight"]):
        weight = f"{signal['weight']:+.2f}"
        for evidence in signal["evidence"]:
            spans = tuple((start, end) for start, end in evidence.get("spans", ())) if signal["weight"] >= 0 else ()
            number += bool(spans)
            reasons.append(Reason(evidence["text"], number if spans else 0, weight, False, spans))
            weight = ""
        if not signal["available"]:
            reasons.append(Reason(f"“{signal['name']}” was not available, so a person decides.", 0, "–", True))
    return reasons


def marks_of(body: str, reasons: Sequence[Reason]) -> list[Mark]:
    """The source cut where marks begin and end; one piece without numbers where nothing is marked."""
    spans = sorted((start, min(end, len(body)), reason.number) for reason in reasons for start, end in reason.spans)
    spans = [(start, end, number) for start, end, number in spans if 0 <= start < end][:MAX_SPANS]
    titles = {reason.number: f"{reason.number}: {reason.text}" for reason in reasons if reason.number}
    cuts = sorted({0, len(body), *(at for start, end, _ in spans for at in (start, end))})
    marks = []
    for start, end in pairwise(cuts):
        over = [span for span in spans if span[0] <= start and span[1] >= end]
        numbers = tuple(sorted({number for _, _, number in over}))
        ends = tuple(sorted({number for _, last, number in over if last == end}))
        marks.append(Mark(body[start:end], numbers, ends, "\n".join(titles[number] for number in numbers)))
    return marks


def is_plain(body: str, body_html: str) -> bool:
    """Whether readers see the comment as it was typed, so that its marked source can stand for it."""
    text = _LINK.sub("", body_html)
    if _TAG.search(_BREAK.sub("", text)):
        return False
    return html.unescape(_BREAK.sub(" ", text)).split() == body.split()
