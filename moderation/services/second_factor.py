"""The second factor of those who log in to the console: one-time codes of an app, and recovery codes in its place.

The secret is sealed for the row of its owner, recovery codes are kept as keyed hashes, a code counts once. Tries are
throttled like those of passwords, so that who has the password alone cannot guess and cannot lock out the owner.
"""

import secrets
import unicodedata
import uuid
from typing import Any

from sqlalchemy.orm import Session

from moderation.adapters import one_time_codes
from moderation.domain.actor import Actor, Role
from moderation.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from moderation.services import accounts
from moderation.services.accounts import note
from moderation.services.parts import Parts
from moderation.settings import SECOND_FACTOR_ADMINS, SECOND_FACTOR_OFF
from moderation.storage import moderators, second_factors
from moderation.storage.db import read, write
from moderation.storage.models import Moderator, SecondFactor
from moderation.storage.sealed import NO_SITE

RECOVERY_CODES = 10
RECOVERY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
RECOVERY_CHARS = 16
"""16 of 31 letters that are not mistaken for each other: 79 bits."""

ACCOUNT_RATE = "30/day"
"""Tries at one account's codes from networks and devices that are not its owner's: at three codes that count at a time
who has the password would guess one in some thirty years."""

MAX_CODE_CHARS = 100
ISSUER = "Comment moderation"

_PLACE = {"table": "second_factors", "column": "secret_sealed"}
_WRONG = {"code": ["It is not right, or was used before. Wait for the next one, and compare the clock of your device."]}


# --- logging in --------------------------------------------------------------------------------------------------


def finish_log_in(parts: Parts, ticket: str, code: str, network: bytes, device: str = "") -> tuple[str, Actor]:
    """The second half of a log-in: like ``accounts.log_in``, by the ticket that its first half gave.

    Raises ``Unauthenticated`` for a ticket that is void, ``Invalid`` for a wrong or used ``code``, ``RateLimited``.
    """
    with read() as session:
        name = accounts.holder_of(parts, session, ticket).name
    accounts.throttle(parts, "code", name, network, device, ACCOUNT_RATE)
    with write() as session:
        person = accounts.holder_of(parts, session, ticket)
        by = _spend(parts, session, person.id, code)
        return accounts.open_session(parts, session, person, network, {"code": by})


def is_due(parts: Parts, actor: Actor) -> bool:
    """Whether this person has to set up a second factor before anything else. One query, where the setting asks."""
    if not _is_asked_of(parts, actor):
        return False
    with read() as session:
        return not second_factors.confirmed(session, [uuid.UUID(actor.id)])


# --- one's own ---------------------------------------------------------------------------------------------------


def show(parts: Parts, actor: Actor) -> dict[str, Any]:
    """One's own: ``{"since", "codes_left", "required", "pending"}``.

    ``since`` is None where there is none. ``pending`` is None, or what an app needs of one that is being set up:
    ``{"secret", "side", "path"}``, the last two of its QR code.
    """
    own = _own(actor)
    with read() as session:
        factor = second_factors.of_moderator(session, own)
        left = second_factors.count_codes(session, own)
    since = None if factor is None else factor.confirmed_at
    pending = factor is not None and since is None
    return {
        "since": since,
        "codes_left": left,
        "required": _is_asked_of(parts, actor),
        "pending": _for_an_app(parts, factor, actor.name) if factor is not None and pending else None,
    }


def begin(parts: Parts, actor: Actor, password: str) -> None:
    """Make a secret for one's app. It counts for nothing until ``confirm``.

    Asks for the present password: whoever finds an open session is not to shut out its owner. Raises as
    ``accounts.change_password`` does, and ``Conflict`` where there is a second factor already.
    """
    person = accounts.check_own_password(parts, actor, password)
    sealed = parts.vault.seal(one_time_codes.new_secret(), row_id=person.id, site_id=NO_SITE, **_PLACE)
    with write() as session:
        known = second_factors.of_moderator(session, person.id, for_change=True)
        if known is not None and known.confirmed_at is not None:
            raise Conflict("You have a second factor already. Remove it first.")
        row = SecondFactor(id=person.id, secret_sealed=sealed, created_at=parts.clock(), last_step=0)
        second_factors.replace(session, row)


def confirm(parts: Parts, actor: Actor, code: str) -> tuple[list[str], str]:
    """Let the second factor count, if ``code`` is one of the app's: the recovery codes, shown this once, and a cookie.

    All sessions end, and the cookie is that of a new one. Raises ``Invalid``, ``Conflict``, ``RateLimited``.
    """
    own = _throttled(parts, actor)
    with write() as session:
        factor = second_factors.of_moderator(session, own, for_change=True)
        if factor is None or factor.confirmed_at is not None:
            raise Conflict("There is no second factor that waits to be confirmed.")
        _use_app(parts, session, factor, _plain(code))
        second_factors.confirm(session, own, parts.clock())
        codes = _fresh_codes(parts, session, own)
        note(parts, session, actor, None, "moderator.second_factor", "moderator", own, {"is": "on"})
        return codes, accounts.session_anew(parts, session, _person(session, own))


def new_codes(parts: Parts, actor: Actor, code: str) -> list[str]:
    """Fresh recovery codes, shown this once; the former ones are void. Raises ``Invalid``, ``RateLimited``."""
    own = _throttled(parts, actor)
    with write() as session:
        _spend(parts, session, own, code)
        codes = _fresh_codes(parts, session, own)
        note(parts, session, actor, None, "moderator.recovery_codes", "moderator", own, {})
        return codes


def remove(parts: Parts, actor: Actor, code: str) -> str:
    """Take away one's own second factor; the cookie of a new session, since all others end.

    Raises ``Forbidden`` where the installation asks for one, ``Invalid``, ``RateLimited``.
    """
    if _is_asked_of(parts, actor):
        raise Forbidden("Here everybody in your role has a second factor.")
    own = _throttled(parts, actor)
    with write() as session:
        _spend(parts, session, own, code)
        second_factors.remove(session, own)
        note(parts, session, actor, None, "moderator.second_factor", "moderator", own, {"is": "off"})
        return accounts.session_anew(parts, session, _person(session, own))


# --- another's ---------------------------------------------------------------------------------------------------


def reset(parts: Parts, actor: Actor, moderator_id: uuid.UUID) -> bool:
    """Take away the second factor of a person who has lost their device; whether there was one. Their sessions end.

    Raises as ``accounts.change_moderator`` does for a password.
    """
    accounts.refuse_oneself(actor, moderator_id)
    with write() as session:
        person = accounts.person_for(session, actor, moderator_id)
        accounts.require_all_of(session, actor, person)
        if not second_factors.remove(session, person.id):
            return False
        moderators.end_sessions_of(session, person.id)
        note(parts, session, actor, None, "moderator.second_factor", "moderator", person.id, {"is": "reset"})
        return True


# --- private -----------------------------------------------------------------------------------------------------


def _own(actor: Actor) -> uuid.UUID:
    if actor.kind != "moderator":
        raise Forbidden("Only a person has a second factor.")
    return uuid.UUID(actor.id)


def _person(session: Session, own: uuid.UUID) -> Moderator:
    person = moderators.moderator_by_id(session, own)
    if person is None:
        raise NotFound("moderator")
    return person


def _is_asked_of(parts: Parts, actor: Actor) -> bool:
    asked = parts.settings.second_factor
    if asked == SECOND_FACTOR_OFF or actor.kind != "moderator":
        return False
    return asked != SECOND_FACTOR_ADMINS or Role.ADMIN in actor.roles.values()


def _throttled(parts: Parts, actor: Actor) -> uuid.UUID:
    """Who finds an open session guesses no codes there: all of its tries count as those of one device."""
    own = _own(actor)
    accounts.throttle_own(parts, f"code:{own}")
    return own


def _spend(parts: Parts, session: Session, own: uuid.UUID, code: str) -> str:
    """Use up a code of the app, or a recovery code; which of the two it was. Raises ``Invalid`` for any other."""
    plain = _plain(code)
    factor = second_factors.of_moderator(session, own)
    if factor is None or factor.confirmed_at is None:
        raise Unauthenticated("The log-in took too long. Begin again.")
    if len(plain) == one_time_codes.DIGITS:
        _use_app(parts, session, factor, plain)
        return "app"
    if not second_factors.use_code(session, own, parts.vault.recovery_key(own, plain)):
        raise Invalid(_WRONG)
    return "recovery"


def _use_app(parts: Parts, session: Session, factor: SecondFactor, plain: str) -> None:
    step = one_time_codes.step_of(_secret(parts, factor), plain, parts.clock().timestamp())
    if step is None or not second_factors.use_step(session, factor.id, step):
        raise Invalid(_WRONG)


def _plain(code: str) -> str:
    """A code as it was typed, in whatever digits and case, without blanks and dashes."""
    kept = [c for c in code[:MAX_CODE_CHARS] if c.isalnum()]
    return "".join(str(unicodedata.decimal(c, c)) for c in kept).lower()


def _secret(parts: Parts, factor: SecondFactor) -> bytes:
    return parts.vault.open(factor.secret_sealed, row_id=factor.id, site_id=NO_SITE, **_PLACE)


def _for_an_app(parts: Parts, factor: SecondFactor, name: str) -> dict[str, Any]:
    secret = _secret(parts, factor)
    side, path = one_time_codes.picture(one_time_codes.address(secret, ISSUER, name))
    return {"secret": one_time_codes.typed_secret(secret), "side": side, "path": path}


def _fresh_codes(parts: Parts, session: Session, own: uuid.UUID) -> list[str]:
    codes = ["".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_CHARS)) for _ in range(RECOVERY_CODES)]
    second_factors.replace_codes(session, own, (parts.vault.recovery_key(own, code) for code in codes))
    return ["-".join(code[i : i + 4] for i in range(0, len(code), 4)) for code in codes]
