"""A proof of work: a sum that costs a browser half a second, and a flood that for each of its comments. Pure.

It is that of hashcash (Back, 2002) with SHA-256: a number is sought with which the hash of a text begins with so many
zero bits. The text is ours, signed for one site and a time, so nothing is kept until it is used.
"""

import hashlib
import re
from enum import StrEnum

MAX_PROOF_CHARS = 300

_FORM = re.compile(r"(?P<challenge>[A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]{43})\.(?P<number>0|[1-9][0-9]{0,15})", re.ASCII)


class Demand(StrEnum):
    """A site's setting: when a form has to bring a proof."""

    OFF = "off"
    RAID = "raid"
    ALWAYS = "always"


class Proof(StrEnum):
    """What came with a comment of which a proof was asked."""

    GOOD = "good"
    MISSING = "missing"
    WRONG = "wrong"
    EXPIRED = "expired"
    USED = "used"


def parted(proof: str) -> tuple[str, str] | None:
    """The challenge and the number of ``CHALLENGE.NUMBER``; None for any other text."""
    found = _FORM.fullmatch(proof) if len(proof) <= MAX_PROOF_CHARS else None
    return (found["challenge"], found["number"]) if found else None


def is_solved(challenge: str, number: str, bits: int) -> bool:
    """Whether SHA-256 of ``CHALLENGE.NUMBER`` in ASCII begins with ``bits`` zero bits."""
    digest = hashlib.sha256(f"{challenge}.{number}".encode("ascii")).digest()
    return int.from_bytes(digest) >> (256 - bits) == 0
