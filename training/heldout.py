"""The fixed rule by which data is held out: by a hash of the letters of a text, so that copies fall on the same side.

Some files hold the same comment in another case, without punctuation, or cut. Only the first letters a to z count.
"""

import re
import unicodedata
from zlib import crc32

LETTERS = 60
_NOT_A_LETTER = re.compile(r"[^a-z]+")


def letters(text: str) -> str:
    """What the rule looks at: the first ``LETTERS`` letters, lower case, without accents; the text if it has none."""
    folded = unicodedata.normalize("NFKD", text[: LETTERS * 20]).lower()
    return _NOT_A_LETTER.sub("", folded)[:LETTERS] or text


def bucket(text: str) -> int:
    """0 to 9, evenly. Data: 0 is held out for measuring, 1 for calibration and thresholds, 2 to 9 are for training."""
    return crc32(b"split-1:" + letters(text).encode()) // 429_496_730


def is_test(text: str) -> bool:
    """Held out for measuring."""
    return bucket(text) == 0


def is_calibration(text: str) -> bool:
    """Held out for calibration and thresholds."""
    return bucket(text) == 1
