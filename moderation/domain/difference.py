"""What changed between two texts, by words, for a person to read. Pure; bounded for texts that were made to be slow.

``difflib`` looks for the longest run that two lists share, then left and right of it: for a few places in a long text
this is quick, for two lists chosen against it the time grows with the third power. So what it may cost at most is known
before it is asked.
"""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "removed", "added"]
Piece = tuple[Kind, str]

MOST_STEPS = 500_000
"""What one comparison may cost at most: some 500 sentences of which each is there once, or 80 times the same word."""

MOST_REFINED_CHARS = 4_000
"""Characters in changed sentences that are compared by words once more; what is beyond them is shown by sentences."""

_WORDS = re.compile(r"\s+|https?://[^\s<>()\[\]]+|[^\W_]+(?:['’][^\W_]+)*|.", re.DOTALL)
_SENTENCE_ENDS = re.compile(r"((?<=[.!?…])\s+|\n+)")
_LETTERWISE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
"""Scripts that put no space between words: their letters are compared one by one."""


def difference(before: str, after: str) -> list[Piece]:
    """The two texts as one: what both have, what only the first and what only the second has, in reading order.

    The pieces that are not "added" make ``before``, those that are not "removed" make ``after``. Where too much changed
    to compare it by words it is compared by sentences; where even these are too many, the whole differing middle is
    removed and added.
    """
    return _joined(_by_words(before, after) or _by_sentences(before, after) or _whole(before, after))


def _by_words(before: str, after: str) -> list[Piece] | None:
    return _compared(_split(before), _split(after))


def _by_sentences(before: str, after: str) -> list[Piece] | None:
    pieces = _compared(_sentences(before), _sentences(after))
    if pieces is None:
        return None
    finer: list[Piece] = []
    words_left = MOST_REFINED_CHARS
    for kind, text in pieces:
        finer.append((kind, text))
        if kind == "added" and finer[-2][0] == "removed":
            removed = finer[-2][1]
            words_left -= len(removed) + len(text)
            inside = _by_words(removed, text) if words_left > 0 else None
            finer[-2:] = inside or finer[-2:]
    return finer


def _whole(before: str, after: str) -> list[Piece]:
    first, last = _shared(before, after)
    middle: list[Piece] = [("removed", before[first : len(before) - last]), ("added", after[first : len(after) - last])]
    return [("same", before[:first]), *middle, ("same", before[len(before) - last :] if last else "")]


def _compared(a: Sequence[str], b: Sequence[str]) -> list[Piece] | None:
    """The pieces of two lists; None where what differs is too much to compare."""
    first, last = _shared(a, b)
    x, y = a[first : len(a) - last], b[first : len(b) - last]
    if _steps(x, y) > MOST_STEPS:
        return None
    pieces: list[Piece] = [("same", "".join(a[:first]))]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, x, y, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(x[i1:i2])))
        else:
            pieces += [("removed", "".join(x[i1:i2])), ("added", "".join(y[j1:j2]))]
    return [*pieces, ("same", "".join(a[len(a) - last :]) if last else "")]


def _shared(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How much two sequences share at the beginning, and of the rest at the end."""
    most = min(len(a), len(b))
    first = next((i for i in range(most) if a[i] != b[i]), most)
    last = next((i for i in range(most - first) if a[-1 - i] != b[-1 - i]), most - first)
    return first, last


def _steps(x: Sequence[str], y: Sequence[str]) -> int:
    """What ``difflib`` may need for these: for each run that it finds, one look at all that the two share."""
    in_y = Counter(y)
    return (len(x) + sum(in_y[one] for one in x)) * min(len(x), len(y))


def _sentences(text: str) -> list[str]:
    """Sentences and lines, each with the blanks behind it."""
    parts = [*_SENTENCE_ENDS.split(text), ""]
    return [text + blanks for text, blanks in zip(parts[::2], parts[1::2], strict=True)]


def _split(text: str) -> list[str]:
    """Words, blanks and other characters; scripts without blanks between words letter by letter."""
    found = _WORDS.findall(text)
    if not _LETTERWISE.search(text):
        return found
    return [one for word in found for one in (word if _LETTERWISE.search(word) else [word])]


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Without empty pieces, and with neighbours of a kind put together."""
    joined: list[Piece] = []
    for kind, text in pieces:
        if not text:
            continue
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return joined
