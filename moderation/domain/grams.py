"""Texts in pieces of three letters, by which a stretch of text is found in many: what contains it has all its pieces.

The same piece has the same bytes on every database. Upper and lower case are one, by a mapping of single characters
that is coarser than any database's ``lower()``: so nothing that a database finds is missed, and what is found beyond it
is sorted out by the database's own comparison.
"""

from collections.abc import Iterable

SIZE = 3
"""Letters in a piece. Two would be in nearly every comment, four take twice the space."""

_END = "\x00"
"""Ends a text, so that its last letters begin a piece too; no stored text has this character."""

_FREQUENT = " etaoinshrdlucmfwygpbvkxqjz"
"""Letters of English from the most frequent on; what is not in it counts as rare."""


def folded(text: str) -> str:
    """``text`` for comparison: without case, and without the dot that a lower-cased Turkish I is left with."""
    return text.casefold().replace("\u0307", "")


def grams(text: str) -> set[str]:
    """The pieces of a text that is stored, those at its end filled up."""
    padded = folded(text) + _END * (SIZE - 1)
    return {padded[at : at + SIZE] for at in range(len(padded) - SIZE + 1)}


def grams_of_search(text: str, most: int) -> list[str]:
    """Up to ``most`` pieces that every text with ``text`` in it has, the rarest first by their letters.

    A text that is shorter than a piece is itself the only one: then it is the beginning of pieces.
    """
    wanted = folded(text)
    if len(wanted) < SIZE:
        return [wanted] if wanted else []
    pieces = {wanted[at : at + SIZE] for at in range(len(wanted) - SIZE + 1)}
    return sorted(pieces, key=lambda piece: (-_rarity(piece), piece))[:most]


def _rarity(piece: Iterable[str]) -> int:
    return sum(at if (at := _FREQUENT.find(letter)) >= 0 else len(_FREQUENT) for letter in piece)
