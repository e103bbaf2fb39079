"""What Akismet's protocol 1.1 says of a comment that is to be checked, and what its answers mean. Pure.

Source: the protocol's published description, and what its clients send and compare (see ``docs/migrate/akismet.md``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from moderation.domain.comment import State
from moderation.domain.links import safe_url
from moderation.domain.policy import Forces, Signal, Verdict, is_usable

GUARANTEED_NAMES = frozenset({"akismet-guaranteed-spam", "viagra-test-123"})
GUARANTEED_EMAIL = "akismet-guaranteed-spam@example.com"
"""An author of one of these names, or with this address, is spam for certain: for tests of a set-up."""

ALWAYS_FINE = "administrator"
"""Whoever has this role is never spam."""

BLATANT_FROM = 0.98
"""The spam score from which clients are told that they may throw a comment away unseen."""

RECHECK_AFTER_S = 120
"""What a client is asked to wait with a comment that cannot be judged, or that a rule lets a person look at."""

THANKS = "Thanks for making the web a better place."
EDITED = "edit"
_YES = frozenset({"1", "true"})


class Check(StrEnum):
    """A verdict; ``unsure`` is told as fine, for now."""

    SPAM = "spam"
    BLATANT = "blatant"
    FINE = "fine"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Entry:
    """A comment as a client tells of it, as it came; nothing in it is to be believed."""

    blog: str
    user_ip: str
    content: str = ""
    author: str = ""
    email: str = ""
    url: str | None = None
    role: str = ""
    is_reply: bool = False
    is_edited: bool = False
    is_test: bool = False
    honeypot: bool = False

    @property
    def is_guaranteed_spam(self) -> bool:
        """Whether it is one of the entries by which a set-up is tried."""
        return self.author in GUARANTEED_NAMES or self.email == GUARANTEED_EMAIL


def read_entry(fields: Mapping[str, str]) -> Entry:
    """An entry from a form's fields. What is not known of the protocol is passed over: clients send all they have."""
    trap = fields.get("honeypot_field_name", "")
    return Entry(
        blog=fields.get("blog", ""),
        user_ip=fields.get("user_ip", ""),
        content=fields.get("comment_content", ""),
        author=fields.get("comment_author", ""),
        email=fields.get("comment_author_email", ""),
        url=safe_url(fields.get("comment_author_url", "")),
        role=fields.get("user_role", ""),
        is_reply=fields.get("comment_parent", "").strip() not in {"", "0"},
        is_edited=fields.get("recheck_reason", "") == EDITED,
        is_test=fields.get("is_test", "").strip().lower() in _YES,
        honeypot=bool(trap and fields.get(trap, "").strip()),
    )


def missing_field(fields: Mapping[str, str], needed: tuple[str, ...]) -> str | None:
    """The first field that is needed and empty or not there."""
    return next((name for name in needed if not fields.get(name, "").strip()), None)


def check_of(verdict: Verdict, signals: tuple[Signal, ...], spam_from: float) -> Check:
    """What a verdict comes to. Rude is not spam: only what a signal calls spam, or the site's own policy, counts.

    ``spam_from``: the spam score from which the trained model flags. What could not be judged, and what a rule holds,
    is ``unsure``.
    """
    score = verdict.scores.get("spam") or 0.0
    if score >= BLATANT_FROM:
        return Check.BLATANT
    forced = any(is_usable(signal) and signal.forces is Forces.SPAM for signal in signals)
    if forced or verdict.state is State.SPAM or score >= spam_from:
        return Check.SPAM
    if any(not is_usable(signal) or signal.forces is Forces.HOLD for signal in signals):
        return Check.UNSURE
    return Check.FINE
