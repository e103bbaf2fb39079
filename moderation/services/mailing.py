"""The sending of mails: lease what is due, look again whether it is wanted, send, settle.

At least once: a worker killed between the server's answer and its own note sends the mail again, under the same
``Message-ID``. What a mail says is made when it is sent, so that nothing goes out that was taken back meanwhile.
"""

import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog

from moderation.domain import notice
from moderation.domain.notice import Letter
from moderation.errors import Bug, Conflict, MailFailed, RateLimited
from moderation.services import digests, notices
from moderation.services.parts import Parts
from moderation.storage import limits, mails
from moderation.storage.db import new_id, read, write
from moderation.storage.mails import Leased

RUN_MAILS = 20
RUN_S = 10.0
"""A run is at most so many mails, and begins none after so many seconds, so that its lease can be short."""

SETTLE_S = 10.0
"""What a lease has in reserve for settling; after a crash its mails wait that long, and a run and a timeout."""

REST_S = 30.0
"""How long a worker leaves a mail server alone that is away, or will not have us."""

MAILS_TO_ADDRESS = "10/hour"
"""Most mails to one address, over all sites; what is above waits for its turn."""

_COMPOSERS = {
    mails.CONFIRM: notices.question,
    mails.REPLY: notices.reply,
    mails.ADDRESS: digests.question,
    mails.DIGEST: digests.letter,
}

_log = structlog.get_logger("moderation.mailing")


def send_due(parts: Parts) -> int:
    """One round: write the digests that are due, then lease what is due and send it. Returns how many were leased."""
    digests.enqueue_due(parts)
    leased = lease_due(parts)
    carry_out(parts, leased)
    return len(leased)


def lease_due(parts: Parts) -> list[Leased]:
    """Lease a run of mails. Takes no write lock where nothing is due."""
    with read() as session:
        if not mails.is_due(session, parts.clock()):
            return []
    lease_s = RUN_S + parts.settings.smtp_timeout_s + SETTLE_S
    with write() as session:
        return mails.lease_due(session, now=parts.clock(), limit=RUN_MAILS, lease_s=lease_s)


def carry_out(parts: Parts, leased: Sequence[Leased], should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Send the mails of a run, one after the other; what there was no time for is given back.

    False where the mail server is away or will not have us: then it is to be left alone for a while. Raises
    ``StorageUnavailable`` where a result cannot be written: the lease ends by itself, and the mail goes out again.
    """
    end = time.monotonic() + RUN_S
    for place, one in enumerate(leased):
        if should_stop() or time.monotonic() >= end:
            _give_back(leased[place:])
            return True
        if not _carry_out_one(parts, one):
            _give_back(leased[place + 1 :])
            return False
    return True


def _carry_out_one(parts: Parts, leased: Leased) -> bool:
    letter = _wanted(parts, leased)
    if letter is None:
        return True
    if parts.mailer is None:
        raise Bug("A mail was to be sent without a mail server.")
    try:
        parts.mailer.send(letter, leased.id.hex, parts.clock())
    except MailFailed as error:
        _failed(parts, leased, error)
        return not error.is_of_server
    with write() as session:
        mails.settle_sent(session, leased)
    return True


def _wanted(parts: Parts, leased: Leased) -> Letter | None:
    """The mail as it is to go out now; None where it is not, or not yet. Counts it for the limits."""
    now = parts.clock()
    try:
        with read() as session:
            letter = _COMPOSERS[leased.kind](session, parts, leased)
    except Bug:
        _log.error("a mail cannot be written", kind=leased.kind, mail=str(leased.id))
        with write() as session:
            mails.give_up(session, leased, "Its address cannot be read: a key is missing.")
        return None
    with write() as session:
        if not mails.is_held(session, leased):
            return None
        if letter is None or now > leased.created_at + notice.STALE_AFTER:
            mails.drop(session, leased)
            notices.forget_unasked(session, leased)
            return None
        limited = [(MAILS_TO_ADDRESS, notices.address_key(parts, "to", letter.to))]
        if leased.site_id is not None:
            limited.append((parts.settings.mail_rate, f"mail:of-site:{leased.site_id.hex}"))
        try:
            for limit, key in limited:
                limits.peek(session, limit, key, now)
        except RateLimited as error:
            mails.put_off(session, leased, now + timedelta(seconds=error.retry_after_s), counted=False)
            return None
        notices.count(session, limited, now)
    return letter


def _failed(parts: Parts, leased: Leased, error: MailFailed) -> None:
    jitter = random.random()  # noqa: S311 (spreads load, guards nothing)
    due_at = None if error.is_final else notice.next_try(leased.attempts + 1, parts.clock(), jitter=jitter)
    with write() as session:
        if due_at is None:
            mails.give_up(session, leased, error.detail)
        else:
            mails.put_off(session, leased, due_at, error.detail, counted=True)
    _log.warning("mail not sent", kind=leased.kind, mail=str(leased.id), reason=error.detail, given_up=due_at is None)


def _give_back(leased: Sequence[Leased]) -> None:
    if leased:
        with write() as session:
            mails.release(session, leased)


def send_test(parts: Parts, address: str) -> None:
    """Send a test to an address now, past the outbox and its limits.

    Raises ``Conflict`` where mail is off, ``Invalid`` for ``email``, ``MailFailed``.
    """
    if parts.mailer is None:
        raise Conflict(digests.OFF)
    to = digests.canonical(address)
    service = digests.own_host(parts.settings.public_url)
    parts.mailer.send(notice.trial(to=to, service=service), new_id().hex, parts.clock())


def status(parts: Parts, shown: int) -> dict[str, Any]:
    """How many mails there are by kind and state, and the last errors: ``{"on", "mails", "errors"}``. No addresses."""
    with read() as session:
        counted, errors = mails.counts(session), mails.last_errors(session, shown)
    return {
        "on": parts.settings.has_mail,
        "mails": [{"kind": kind, "state": state, "number": number} for kind, state, number in counted],
        "errors": [dict(zip(("kind", "state", "error", "created_at"), row, strict=True)) for row in errors],
    }
