"""Mails of the service: what each of them says, when one is tried again, when a digest is due. Pure.

All are plain text. There is no HTML in them, so that nothing is loaded, nothing is hidden, and what a reader typed has
no markup to break out of.
"""

import html
import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

CONFIRM_WITHIN = timedelta(days=7)
"""How long a link to confirm an address is good; after that the address is forgotten, and may be asked again."""

STOPPED_FOR = timedelta(days=90)
"""For how long nobody can have an address asked again whose owner wanted no mails."""

STALE_AFTER = timedelta(days=3)
"""What could not be sent by then is not news any more."""

WAITS_S = (60, 300, 1_800, 7_200, 21_600, 43_200)
"""Seconds between the tries of a mail; after seven of them, in about 20 hours, it is given up."""

JITTER_SHARE = 0.1
"""A wait grows by up to this share, so that what failed together does not come back together."""

EXCERPT_CHARS = 500
QUOTE_CHARS = 72
DAILY_AT_HOUR = 6
"""UTC."""

_BREAK = re.compile(r"<br\s*/?>|</(?:p|li|pre|blockquote)>")
_TAG = re.compile(r"<[^>]*>")
_BLANK_LINES = re.compile(r"\n\s*\n+")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_ISOLATE, _ISOLATE_END = "\u2068", "\u2069"


class Digest(StrEnum):
    """How often a moderator is told of what waits."""

    OFF = "off"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to one address. ``stop_url`` is where one request ends all mails like it (RFC 8058)."""

    to: str = field(repr=False)
    from_name: str
    subject: str
    text: str = field(repr=False)
    stop_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits on a site. ``escalated`` is None for who does not decide on that."""

    site: str
    name: str
    pending: int
    escalated: int | None
    reported: int
    oldest: datetime | None
    newest: datetime | None

    @property
    def total(self) -> int:
        """All of it."""
        return self.pending + (self.escalated or 0) + self.reported


def next_try(attempts: int, now: datetime, *, jitter: float) -> datetime | None:
    """When to try again after ``attempts`` tries; None where that was the last. ``jitter`` is a random number 0..1."""
    if attempts > len(WAITS_S):
        return None
    return now + timedelta(seconds=WAITS_S[attempts - 1] * (1 + JITTER_SHARE * jitter))


def next_digest(digest: Digest, now: datetime) -> datetime | None:
    """When the next digest is due: at the next full hour, or at the next 06:00 UTC."""
    if digest is Digest.OFF:
        return None
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if digest is Digest.HOURLY:
        return hour + timedelta(hours=1)
    today = hour.replace(hour=DAILY_AT_HOUR)
    return today if today > now else today + timedelta(days=1)


def plain_text(body_html: str, most: int = EXCERPT_CHARS) -> str:
    """The words of a comment's HTML, a line for each paragraph, cut to ``most`` characters."""
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", body_html)))
    text = _BLANK_LINES.sub("\n", "\n".join(line.rstrip() for line in text.splitlines())).strip()
    return text if len(text) <= most else text[:most].rstrip() + "…"


def confirmation(*, to: str, site: str, confirm_url: str, stop_url: str) -> Letter:
    """The question whether an address may be told of replies.

    Nothing in it was typed by a reader: it goes to people who may never have heard of the site, and would carry
    whatever a stranger wants them to read. ``site`` is the name that the operator gave.
    """
    return Letter(
        to=to,
        from_name=site,
        subject=f"May {site} tell you of replies?",
        text=_lines(
            f"Somebody, most likely you, wrote a comment on {_isolated(site)} with this",
            "address and asked to be told of replies by email. To allow that, open this",
            "page and press its button:",
            "",
            confirm_url,
            "",
            f"The link is good for {CONFIRM_WITHIN.days} days. Was it not you, or have you changed your mind?",
            "Then do nothing: no more mails come, and the address is forgotten.",
            "",
            "Not to be asked again:",
            stop_url,
        ),
        stop_url=stop_url,
    )


def reply_notice(
    *, to: str, site: str, name: str, body_html: str, page_url: str | None, stop_urls: "StopUrls"
) -> Letter:
    """News of a reply: who, the beginning of it, where it stands. A moderator has approved both, name and text."""
    wrapped = (line for long in plain_text(body_html).splitlines() for line in _wrapped(long))
    quoted = "\n".join(f"> {line}".rstrip() for line in wrapped)
    where = ["", "Read it where it stands:", page_url] if page_url else []
    return Letter(
        to=to,
        from_name=site,
        subject=f"A reply to your comment on {site}",
        text=_lines(
            f"{_isolated(name)} replied to your comment on {_isolated(site)}:",
            "",
            quoted,
            *where,
            "",
            "-- ",
            "You asked for these mails. To have no more of them about this comment,",
            "or none at all:",
            stop_urls.page,
        ),
        stop_url=stop_urls.all,
    )


@dataclass(frozen=True, slots=True)
class StopUrls:
    """``page`` asks what is to stop, ``all`` stops all: for the button of a mail program, where nobody sees a page."""

    page: str
    all: str


def address_question(*, to: str, service: str, confirm_url: str) -> Letter:
    """The question whether an address is a moderator's. Nothing in it was typed by anybody."""
    return Letter(
        to=to,
        from_name="Comment moderation",
        subject="Confirm this address for notices",
        text=_lines(
            f"A moderator at {service} gave this address for notices of comments",
            "that wait. If that was you, open this page and press its button:",
            "",
            confirm_url,
            "",
            f"The link is good for {CONFIRM_WITHIN.days} days. If it was not you, do nothing:",
            "no more mails come.",
        ),
    )


def digest(*, to: str, waiting: Sequence[Waiting], now: datetime, console_url: str, stop_url: str) -> Letter:
    """What waits for a moderator, counted. No name and no text of a comment: mail is read by more than its owner."""
    total = sum(one.total for one in waiting)
    return Letter(
        to=to,
        from_name="Comment moderation",
        subject=f"{_counted(total, 'comment')} to look at",
        text=_lines(
            *(line for one in waiting for line in (*_of_site(one, now, console_url), "")),
            "The links lead to the console; you decide there, after logging in.",
            "",
            "-- ",
            "You asked for this. Another rhythm: the console, My notices. No more of it:",
            stop_url,
        ),
        stop_url=stop_url,
    )


def trial(*, to: str, service: str) -> Letter:
    """What ``moderation mail test`` sends."""
    return Letter(
        to=to,
        from_name="Comment moderation",
        subject="A test of the mail settings",
        text=_lines(f"The comment moderation at {service} can send mail. There is nothing to do."),
    )


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, QUOTE_CHARS, break_long_words=False, break_on_hyphens=False) or [""]


def _of_site(waiting: Waiting, now: datetime, console_url: str) -> list[str]:
    lines = [_isolated(waiting.name)]
    for count, state, told in (
        (waiting.pending, "", "waiting"),
        (waiting.escalated or 0, "&state=escalated", "escalated"),
        (waiting.reported, "&state=reported", "approved, then reported"),
    ):
        if count:
            lines += [f"  {count:,} {told}", f"  {console_url}/?site={waiting.site}{state}"]
    if waiting.oldest is not None:
        lines.append(f"  The oldest has waited for {_age(now - waiting.oldest)}.")
    return lines


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600)):
        if seconds >= length:
            return _counted(seconds // length, unit)
    return _counted(seconds // 60, "minute")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _isolated(name: str) -> str:
    """A name that runs from right to left is closed off, so that it does not turn the words around it."""
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in name):
        return f"{_ISOLATE}{name}{_ISOLATE_END}"
    return name


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
