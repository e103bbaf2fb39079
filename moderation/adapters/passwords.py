"""Passwords of moderators: Argon2id, and what is too weak to be one."""

import secrets
import unicodedata
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from moderation.errors import Invalid

MIN_CHARS = 12
MAX_CHARS = 1_000
MIN_DIFFERENT_CHARS = 5

MEMORY_KIB = 19 * 1024
TIME_COST = 2
PARALLELISM = 1
"""OWASP's password storage guidance for Argon2id: 19 MiB, 2 passes, 1 lane. The memory is taken for each log-in."""


class Passwords:
    """Hashes and verifies passwords. Safe to share between threads."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(TIME_COST, MEMORY_KIB, PARALLELISM)
        self._nobody = self._hasher.hash(secrets.token_bytes(32))

    def hash(self, password: str) -> str:
        """Hash a password that ``check_strength`` let pass, with a salt of its own."""
        return self._hasher.hash(_encode(password))

    def verify(self, hash: str | None, password: str) -> bool:
        """Whether ``password`` is the one of ``hash``. None, for an unknown user, takes as long and is False."""
        known = hash is not None and len(password) <= MAX_CHARS
        wanted = hash if hash is not None and known else self._nobody
        try:
            return self._hasher.verify(wanted, _encode(password[:MAX_CHARS])) and known
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def needs_rehash(self, hash: str) -> bool:
        """Whether ``hash`` was made with other costs than today's, so that the next log-in should renew it."""
        try:
            return self._hasher.check_needs_rehash(hash)
        except (InvalidHashError, UnicodeEncodeError):
            return True


def check_strength(password: str, *, name: str = "") -> None:
    """Refuse a password of fewer than 12 characters, one of a simple pattern, and the user's own ``name``.

    Length is what counts (NIST SP 800-63B): there are no rules on kinds of characters. Raises ``Invalid`` for
    ``password`` with every reason at once.
    """
    text = _normalise(password)
    faults = []
    if len(text) < MIN_CHARS:
        faults.append(f"Use at least {MIN_CHARS} characters.")
    if max(len(text), len(password)) > MAX_CHARS:
        faults.append(f"Use at most {MAX_CHARS} characters.")
    elif _is_pattern(text):
        faults.append("It repeats itself or follows a simple sequence.")
    if _is_mostly(text.casefold(), _normalise(name).strip().casefold()):
        faults.append("It is the user name, or little more.")
    if faults:
        raise Invalid({"password": faults})


def _is_pattern(text: str) -> bool:
    """Few different characters, one piece over and over, or steps as in ``abcdef`` and ``123456789012``."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return len(set(text)) < MIN_DIFFERENT_CHARS or text in (text + text)[1:-1] or len(steps) <= 2


def _is_mostly(text: str, name: str) -> bool:
    return bool(name) and name in text and len(text.replace(name, "")) < MIN_CHARS // 2


def _normalise(password: str) -> str:
    """NFKC, so that the same password typed on another keyboard is the same (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _encode(password: str) -> bytes:
    return _normalise(password).encode("utf-8", "surrogatepass")
