"""Notices to moderators: what waits, counted, hourly or daily, to an address that its owner has confirmed."""

import hashlib
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from moderation.domain import notice
from moderation.domain.actor import Actor, Role
from moderation.domain.comment import State
from moderation.domain.identity import canonical_email, email_domain
from moderation.domain.notice import Digest, Letter, Waiting
from moderation.errors import Bug, Conflict, Forbidden, Invalid, NotFound
from moderation.services.notices import ASKED_OF_ADDRESS, address_key
from moderation.services.parts import Parts
from moderation.storage import audit, limits, mailboxes, mails, moderators, sites
from moderation.storage.db import new_id, read, write
from moderation.storage.mails import Leased
from moderation.storage.models import Mailbox
from moderation.storage.sealed import NO_SITE

ASKED_BY_MODERATOR = "5/hour"
"""Questions to addresses that are entered for one moderator."""

OFF = "Mail is off: MODERATION_SMTP_HOST is not set."

BATCH = 100
_CONFIRM = "digest-confirm"
_STOP = "digest-stop"


# --- the set-up -------------------------------------------------------------------------------------------------


def show(parts: Parts, actor: Actor, moderator_id: uuid.UUID) -> dict[str, Any]:
    """Where and how often a moderator is told: ``{"address", "confirmed", "digest"}``.

    ``address`` is a hint at it, None where there is none. Raises ``Conflict`` where the service sends no mail.
    """
    _require(parts, actor, moderator_id)
    with read() as session:
        return _shown(parts, mailboxes.of_moderator(session, moderator_id))


def change(
    parts: Parts, actor: Actor, moderator_id: uuid.UUID, *, email: str | None = None, digest: str | None = None
) -> dict[str, Any]:
    """Change what is given, leave the rest; the same as ``show``. A new address is asked first; "" takes it away.

    One's own, or anybody's for an admin of all sites. Raises ``Invalid`` by field, ``RateLimited``.
    """
    _require(parts, actor, moderator_id)
    address = canonical(email) if email else None
    wanted = None if digest is None else _digest(digest)
    now = parts.clock()
    with write() as session:
        if moderators.moderator_by_id(session, moderator_id) is None:
            raise NotFound("moderator")
        found = mailboxes.of_moderator(session, moderator_id, for_change=True)
        if email == "":
            _remove(session, found)
            found = None
        elif address is not None:
            found = _with_address(session, parts, moderator_id, found, address, now)
        if wanted is not None and found is not None:
            _set_digest(session, found, wanted, now)
        elif wanted not in {None, Digest.OFF}:
            raise Invalid({"digest": ["It needs an address first."]})
        shown = _shown(parts, found)
        _note(parts, session, actor, moderator_id, {"digest": shown["digest"], "asked": address is not None})
        return shown


def _with_address(
    session: Session,
    parts: Parts,
    moderator_id: uuid.UUID,
    found: Mailbox | None,
    address: str,
    now: datetime,
) -> Mailbox:
    """The mailbox with this address; where it is not confirmed, the question is on its way."""
    if found is not None and found.confirmed_at is not None and _address(parts, found) == address:
        return found
    limits.hit(session, ASKED_BY_MODERATOR, f"mail:asked-by:{moderator_id.hex}", now)
    limits.hit(session, ASKED_OF_ADDRESS, address_key(parts, "asked", address), now)
    digest = Digest.OFF.value if found is None else found.digest
    # A new row: links to confirm or to stop the old address are void, and nothing on its way goes to either of them.
    _remove(session, found)
    made_id = new_id()
    box = Mailbox(
        id=made_id,
        moderator_id=moderator_id,
        email_sealed=_sealed(parts, made_id, address),
        digest=digest,
        asked_at=now,
    )
    mailboxes.add(session, box)
    mails.enqueue(session, mails.ADDRESS, [{"mailbox_id": made_id}], now)
    return box


def _set_digest(session: Session, found: Mailbox, wanted: Digest, now: datetime) -> None:
    found.digest = wanted.value
    found.due_at = notice.next_digest(wanted, now) if found.confirmed_at is not None else None
    mailboxes.change(session, found.id, digest=found.digest, due_at=found.due_at)


def _remove(session: Session, found: Mailbox | None) -> None:
    if found is not None:
        mailboxes.remove(session, found.id)
        session.expunge(found)


def _require(parts: Parts, actor: Actor, moderator_id: uuid.UUID) -> None:
    if not parts.settings.has_mail:
        raise Conflict(OFF)
    is_own = actor.kind == "moderator" and actor.id == str(moderator_id)
    if not is_own and not actor.may(None, Role.ADMIN):
        raise Forbidden("Only an admin of all sites changes the notices of others.")


def canonical(raw: str) -> str:
    """The look-up form of an address. Raises ``Invalid`` for ``email``."""
    try:
        return canonical_email(raw)
    except Invalid as error:
        raise Invalid({"email": error.fields["author.email"]}) from None


def _digest(raw: str) -> Digest:
    try:
        return Digest(raw)
    except ValueError:
        raise Invalid({"digest": [f"It is one of: {', '.join(Digest)}."]}) from None


def _shown(parts: Parts, found: Mailbox | None) -> dict[str, Any]:
    if found is None:
        return {"address": None, "confirmed": False, "digest": Digest.OFF.value}
    address = _address(parts, found)
    hint = f"{address[0]}…@{email_domain(address)}"
    return {"address": hint, "confirmed": found.confirmed_at is not None, "digest": str(found.digest)}


def _note(parts: Parts, session: Session, actor: Actor, moderator_id: uuid.UUID, data: dict[str, Any]) -> None:
    audit.append(
        session,
        site_id=None,
        actor=actor,
        action="moderator.notices",
        object_kind="moderator",
        object_id=str(moderator_id),
        data=data,
        now=parts.clock(),
        key=parts.vault.audit_key,
    )


# --- what the links do ------------------------------------------------------------------------------------------


def look_at_question(parts: Parts, token: str) -> dict[str, Any]:
    """Whether the address that a link is about is ``confirmed``. Changes nothing. Raises ``NotFound``."""
    with read() as session:
        return {"confirmed": _in_question(session, parts, token).confirmed_at is not None}


def confirm(parts: Parts, token: str) -> dict[str, Any]:
    """The address is its owner's; a second time changes nothing. Raises ``NotFound`` for a link that is void."""
    now = parts.clock()
    with write() as session:
        found = _in_question(session, parts, token, for_change=True)
        if found.confirmed_at is None:
            due_at = notice.next_digest(Digest(found.digest), now)
            mailboxes.change(session, found.id, confirmed_at=now, due_at=due_at)
    return {"confirmed": True}


def look_at_stop(parts: Parts, token: str) -> dict[str, Any]:
    """Whether digests go to the address that a link is about: ``{"on"}``. Changes nothing. Raises ``NotFound``."""
    with read() as session:
        found = mailboxes.by_id(session, _to_stop(parts, token))
        return {"on": found is not None and found.digest != Digest.OFF}


def stop(parts: Parts, token: str) -> dict[str, Any]:
    """Send no more digests to this address; a second time changes nothing."""
    with write() as session:
        found = mailboxes.by_id(session, _to_stop(parts, token), for_change=True)
        if found is not None:
            mailboxes.change(session, found.id, digest=Digest.OFF.value, due_at=None)
    return {"on": False}


def _in_question(session: Session, parts: Parts, token: str, *, for_change: bool = False) -> Mailbox:
    payload = parts.vault.unsign(_CONFIRM, token) if parts.settings.has_mail else None
    found = mailboxes.by_id(session, uuid.UUID(hex=payload), for_change=for_change) if payload else None
    if found is None or (found.confirmed_at is None and parts.clock() > found.asked_at + notice.CONFIRM_WITHIN):
        raise NotFound("link, or not any more")
    return found


def _to_stop(parts: Parts, token: str) -> uuid.UUID:
    payload = parts.vault.unsign(_STOP, token)
    if payload is None:
        raise NotFound("link, or not any more")
    return uuid.UUID(hex=payload)


# --- the mails --------------------------------------------------------------------------------------------------


def enqueue_due(parts: Parts) -> int:
    """Write the digests that are due; how many. Once each, however many workers there are.

    None is written where nothing waits, where nothing has changed since the last, or while that is still on its way.
    """
    now = parts.clock()
    with read() as session:
        boxes = mailboxes.due(session, now, BATCH)
        facts = {box.id: _fingerprint(_waiting(session, box.moderator_id)) for box in boxes}
    made = 0
    for box in boxes:
        with write() as session:
            made += _enqueue(session, box, facts[box.id], now)
    return made


def _enqueue(session: Session, box: Mailbox, told: bytes | None, now: datetime) -> bool:
    if not mailboxes.take_turn(session, box, notice.next_digest(Digest(box.digest), now)):
        return False
    if told is None or told == box.told or mails.is_on_its_way(session, box.id, mails.DIGEST):
        return False
    mailboxes.change(session, box.id, told=told)
    mails.enqueue(session, mails.DIGEST, [{"mailbox_id": box.id}], now)
    return True


def question(session: Session, parts: Parts, leased: Leased) -> Letter | None:
    """The mail that asks a moderator's address; None where it is not wanted any more."""
    found = mailboxes.by_id(session, _mailbox_id(leased))
    if found is None or found.confirmed_at is not None:
        return None
    url = parts.settings.public_url
    return notice.address_question(
        to=_address(parts, found),
        service=own_host(url),
        confirm_url=f"{url}/notices/address?t={parts.vault.sign(_CONFIRM, found.id.hex)}",
    )


def letter(session: Session, parts: Parts, leased: Leased) -> Letter | None:
    """The digest as it is at this moment; None where nothing waits any more, or it is not wanted."""
    found = mailboxes.by_id(session, _mailbox_id(leased))
    if found is None or found.confirmed_at is None or found.digest == Digest.OFF:
        return None
    waiting = _waiting(session, found.moderator_id)
    if not waiting:
        return None
    url = parts.settings.public_url
    return notice.digest(
        to=_address(parts, found),
        waiting=waiting,
        now=parts.clock(),
        console_url=f"{url}/console",
        stop_url=f"{url}/notices/digest?t={parts.vault.sign(_STOP, found.id.hex)}",
    )


def _waiting(session: Session, moderator_id: uuid.UUID) -> list[Waiting]:
    """What a moderator can decide on, by site; sites where nothing waits are left out."""
    person = moderators.moderator_by_id(session, moderator_id)
    if person is None or person.disabled_at is not None:
        return []
    roles = moderators.roles_of(session, [moderator_id])[moderator_id]
    actor = Actor("moderator", str(moderator_id), person.name, {site: Role(role) for site, role in roles.items()})
    counted: dict[uuid.UUID, dict[str, mailboxes.SiteCount]] = {}
    own = sites.all_site_ids(session) if actor.sites is None else list(actor.sites)
    for row in mailboxes.waiting(session, own):
        needed = Role.ADMIN if row.state == State.ESCALATED else Role.MODERATOR
        if actor.may(row.site_id, needed):
            counted.setdefault(row.site_id, {})[row.state] = row
    return sorted((_of_site(rows) for rows in counted.values()), key=lambda one: one.site)


def _of_site(rows: dict[str, mailboxes.SiteCount]) -> Waiting:
    any_row = next(iter(rows.values()))
    open_ones = [row for state, row in rows.items() if state != State.APPROVED]

    def number(state: State) -> int:
        return rows[state.value].number if state.value in rows else 0

    return Waiting(
        site=any_row.key,
        name=any_row.name or any_row.key,
        pending=number(State.PENDING),
        escalated=number(State.ESCALATED),
        reported=number(State.APPROVED),
        oldest=min((row.oldest for row in open_ones), default=None),
        newest=max((row.newest for row in rows.values()), default=None),
    )


def _fingerprint(waiting: list[Waiting]) -> bytes | None:
    """What a digest tells, as a hash; None where there is nothing to tell."""
    return hashlib.sha256(repr(waiting).encode()).digest() if waiting else None


def _mailbox_id(leased: Leased) -> uuid.UUID:
    if leased.mailbox_id is None:
        raise Bug("A mail to a moderator has no mailbox.")
    return leased.mailbox_id


def own_host(url: str) -> str:
    """The host of the service, as mails name it."""
    return urlsplit(url).hostname or url


def _sealed(parts: Parts, mailbox_id: uuid.UUID, address: str) -> bytes:
    place = {"row_id": mailbox_id, "site_id": NO_SITE}
    return parts.vault.seal(address.encode(), table="mailboxes", column="email_sealed", **place)


def _address(parts: Parts, found: Mailbox) -> str:
    place = {"row_id": found.id, "site_id": NO_SITE}
    return parts.vault.open(found.email_sealed, table="mailboxes", column="email_sealed", **place).decode()
