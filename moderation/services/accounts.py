"""Who may come in: API tokens, and the people who log in to the console.

Tokens and cookies are random, shown once and kept as their SHA-256. A person's roles are looked up anew with every
request, so that a role taken away is gone at once. Whoever manages accounts can give nothing that they do not have:
an admin of one site gives roles on that site alone, and a password is set by an admin of all of the person's sites.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.adapters.passwords import check_strength
from moderation.domain.actor import Actor, Role
from moderation.domain.text import normalise_line
from moderation.errors import (
    CodeNeeded,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    StorageUnavailable,
    Unauthenticated,
)
from moderation.services.idempotency import Idempotency, reserve, settle
from moderation.services.listing import after, page
from moderation.services.parts import Parts
from moderation.services.sites import ALL_SITES, scope_for
from moderation.storage import audit, limits, moderators, second_factors, sites
from moderation.storage.db import read, write
from moderation.storage.models import LoginSession, Moderator, Token

MAX_TOKEN_CHARS = 63
MAX_NAME_CHARS = 100
HINT_CHARS = 8
GENERATED_PASSWORD_BYTES = 15
"""20 characters of base64, 120 bits."""

PAIR_RATE = "10/minute;60/hour"
NETWORK_RATE = "60/minute"
ACCOUNT_RATE = "100/hour"
"""How often somebody may try to log in: to one account from one network, to any account from one network, and to one
account from networks that have not logged in to it today. The last is what slows a guesser with many addresses; since
it passes over known networks and devices, such a guesser does not lock out the account's owner there."""

DEVICE_LASTS = timedelta(days=180)
"""How long a browser that has logged in to an account counts its tries by itself, whoever floods the account or shares
its network (OWASP, "Slow Down Online Guessing Attacks with Device Cookies")."""

TICKET_LASTS = timedelta(minutes=10)

_KNOWN_NETWORK = "1/day"
_DEVICE = "console-device"
_TICKET = "console-second-step"


# ---------------------------------------------------------------------------------------------------------- tokens


def authenticate_token(parts: Parts, text: str) -> Actor:
    """Who holds this token. Raises ``Unauthenticated`` for one that is unknown, revoked or expired: one answer."""
    now = parts.clock()
    if not 0 < len(text) <= MAX_TOKEN_CHARS:
        raise Unauthenticated("The token is not valid.")
    with read() as session:
        token = moderators.token_by_hash(session, parts.vault.token_hash(text))
    if token is None or token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        raise Unauthenticated("The token is not valid.")
    if token.last_used_at is None or token.last_used_at <= now - moderators.USE_NOTED_EVERY:
        _note_use(token.id, now)
    return Actor("token", str(token.id), token.name or f"token {token.hint}", {token.site_id: Role(token.role)})


def add_token(
    parts: Parts,
    actor: Actor,
    site_key: str,
    role: str,
    name: str = "",
    expires_at: datetime | None = None,
    idem: Idempotency | None = None,
) -> dict[str, Any]:
    """Make a token for a site, or with the key ``*`` for all of them; ``token`` in the answer is shown this once."""
    role = _role(role)
    name = _name(name, "name", empty=True)
    if expires_at is not None and expires_at <= parts.clock():
        raise Invalid({"expires_at": ["It is in the past."]})
    text = parts.vault.new_token()
    with write() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        reserved = reserve(session, parts, actor.key, idem)
        if reserved is not None and reserved.known is not None:
            return reserved.known
        token = Token(
            site_id=None if site is None else site.id,
            name=name,
            role=role,
            hint=text[:HINT_CHARS],
            token_hash=parts.vault.token_hash(text),
            created_at=parts.clock(),
            expires_at=expires_at,
        )
        session.add(token)
        session.flush()
        answer = {**_shown_token(token, site_key), "token": text}
        settle(session, parts, reserved, answer)
        note(parts, session, actor, token.site_id, "token.add", "token", token.id, {"role": role, "name": name})
        return answer


def list_tokens(
    parts: Parts, actor: Actor, *, site_key: str | None = None, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """The tokens of one site, or of every site where the actor is admin, oldest first: ``{"items", "next"}``."""
    with read() as session:
        scope = _managed(session, actor, site_key)
        listing = f"tokens:{site_key}"
        rows = moderators.list_tokens(session, scope, limit + 1, after(parts, listing, cursor))
        keys = sites.site_keys(session, {row.site_id for row in rows if row.site_id is not None})
        return page(parts, listing, rows, limit, lambda row: _shown_token(row, _key_of(keys, row.site_id)))


def revoke_token(parts: Parts, actor: Actor, token_id: uuid.UUID) -> None:
    """End a token at once; a second time changes nothing. Raises ``NotFound``, ``Forbidden``."""
    with write() as session:
        token = moderators.token_by_id(session, token_id)
        if token is None:
            raise NotFound("token")
        _require_on(actor, token.site_id, "token")
        if token.revoked_at is None:
            moderators.revoke_token(session, token.id, parts.clock())
            note(parts, session, actor, token.site_id, "token.revoke", "token", token.id, {"hint": token.hint})


# -------------------------------------------------------------------------------------------------------- sessions


def log_in(parts: Parts, name: str, password: str, client_ip_key: bytes, device: str = "") -> tuple[str, Actor]:
    """Open a session: the cookie's value, which is new every time, and who it is for.

    ``client_ip_key`` is a keyed hash of the caller's network, ``device`` what ``device_of`` gave this browser. Raises
    ``Unauthenticated``, in the same words and after the same work for a name that does not exist, a wrong password and
    a disabled account; ``CodeNeeded`` where the person has a second factor; ``RateLimited`` after too many tries.
    """
    name = login_name(name)
    throttle(parts, "login", name, client_ip_key, device)
    with read() as session:
        person = moderators.moderator_by_name(session, name)
    known = person.password_hash if person is not None else None
    if not parts.passwords.verify(known, password) or person is None or person.disabled_at is not None:
        raise Unauthenticated("The name or the password is not right.")
    renewed = parts.passwords.hash(password) if parts.passwords.needs_rehash(person.password_hash) else None
    with write() as session:
        current = moderators.moderator_by_id(session, person.id)
        if current is None or current.disabled_at is not None or current.password_hash != person.password_hash:
            raise Unauthenticated("The name or the password is not right.")
        if renewed is not None:
            moderators.change_moderator(session, person.id, {"password_hash": renewed})
            person.password_hash = renewed
        needs_code = bool(second_factors.confirmed(session, [person.id]))
        opened = None if needs_code else open_session(parts, session, person, client_ip_key, {})
    if opened is None:
        raise CodeNeeded(ticket_for(parts, person))
    return opened


def open_session(
    parts: Parts, session: Session, person: Moderator, client_ip_key: bytes | None, how: Mapping[str, str]
) -> tuple[str, Actor]:
    """A session for a person who has proved all that they have to, in the caller's transaction: cookie and actor."""
    now = parts.clock()
    cookie = parts.vault.new_token()
    moderators.add_session(
        session,
        LoginSession(
            token_hash=parts.vault.token_hash(cookie),
            moderator_id=person.id,
            created_at=now,
            expires_at=now + timedelta(hours=parts.settings.session_hours),
        ),
    )
    if client_ip_key is not None and not _is_known(session, person.name, client_ip_key, now):
        limits.hit(session, _KNOWN_NETWORK, _known_key(person.name, client_ip_key), now)
    actor = _actor(session, person)
    note(parts, session, actor, None, "session.open", "moderator", person.id, how)
    return cookie, actor


def session_anew(parts: Parts, session: Session, person: Moderator) -> str:
    """End all sessions of a person, and open one for where they are now: what they may do with it has changed."""
    moderators.end_sessions_of(session, person.id)
    return open_session(parts, session, person, None, {"by": "change"})[0]


def device_of(parts: Parts, name: str) -> str:
    """What a browser keeps that has logged in as ``name``: with it, its tries are counted apart from all others'."""
    payload = f"{secrets.token_hex(8)}|{int(parts.clock().timestamp())}|{_digest(login_name(name))}"
    return parts.vault.sign(_DEVICE, payload)


def ticket_for(parts: Parts, person: Moderator) -> str:
    """Proof that the first half of a log-in was right; void after ten minutes, and with another password."""
    issued = int(parts.clock().timestamp())
    return parts.vault.sign(_TICKET, f"{person.id.hex}|{issued}|{_digest(person.password_hash)}")


def holder_of(parts: Parts, session: Session, ticket: str) -> Moderator:
    """Whose ticket this is. Raises ``Unauthenticated`` for one that is void, whatever the reason."""
    fields = (parts.vault.unsign(_TICKET, ticket) or "").split("|")
    if len(fields) == 3 and parts.clock().timestamp() - int(fields[1]) <= TICKET_LASTS.total_seconds():
        person = moderators.moderator_by_id(session, uuid.UUID(fields[0]))
        if person is not None and person.disabled_at is None and _is(_digest(person.password_hash), fields[2]):
            return person
    raise Unauthenticated("The log-in took too long. Begin again.")


def session_actor(parts: Parts, cookie: str) -> Actor | None:
    """Who this cookie stands for; None where the session is unknown, over, or its owner disabled."""
    if not 0 < len(cookie) <= MAX_TOKEN_CHARS:
        return None
    with read() as session:
        person = moderators.moderator_in_session(session, parts.vault.token_hash(cookie), parts.clock())
        return None if person is None else _actor(session, person)


def log_out(parts: Parts, cookie: str) -> None:
    """End the session; an unknown one changes nothing."""
    with write() as session:
        moderators.end_session(session, parts.vault.token_hash(cookie))


def change_password(parts: Parts, actor: Actor, current: str, new: str) -> str:
    """Change one's own password; ends all of one's sessions, and gives the cookie of a new one.

    Raises ``Invalid`` for ``current_password`` or ``password``, ``Forbidden`` for who is no person, ``RateLimited``
    after too many tries: whoever finds an open session is not to guess the password there.
    """
    person = check_own_password(parts, actor, current)
    hashed = _hashed(parts, person.name, new)
    with write() as session:
        moderators.change_moderator(session, person.id, {"password_hash": hashed})
        note(parts, session, actor, None, "moderator.password", "moderator", person.id, {})
        return session_anew(parts, session, person)


def check_own_password(parts: Parts, actor: Actor, password: str) -> Moderator:
    """Who acts, if this is their present password. Raises as ``change_password`` does."""
    if actor.kind != "moderator":
        raise Forbidden("Only a person has a password.")
    throttle_own(parts, f"password:{actor.id}")
    with read() as session:
        person = moderators.moderator_by_id(session, uuid.UUID(actor.id))
    if not parts.passwords.verify(None if person is None else person.password_hash, password) or person is None:
        raise Invalid({"current_password": ["It is not your present password."]})
    return person


# ------------------------------------------------------------------------------------------------------ moderators


def add_moderator(
    parts: Parts,
    actor: Actor,
    name: str,
    password: str | None,
    role: str,
    site_key: str,
    idem: Idempotency | None = None,
) -> dict[str, Any]:
    """Make a person with a role on a site, or with the key ``*`` on all of them.

    Without a password one is made; it is then in the answer as ``password``, this once. Raises ``Conflict`` for a name
    that is taken.
    """
    role = _person_role(role)
    name = _name(name, "name")
    chosen = new_password() if password is None else password
    hashed = _hashed(parts, name, chosen)
    with write() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        reserved = reserve(session, parts, actor.key, idem)
        if reserved is not None and reserved.known is not None:
            return reserved.known
        site_id = None if site is None else site.id
        person = Moderator(name=name, password_hash=hashed, created_at=parts.clock())
        moderators.add_moderator(session, person)
        moderators.set_role(session, person.id, site_id, role)
        answer = _shown_moderator(person, {site_id: role}, {} if site is None else {site.id: site.key}, set())
        if password is None:
            answer["password"] = chosen
        settle(session, parts, reserved, answer)
        note(parts, session, actor, site_id, "moderator.add", "moderator", person.id, {"name": name, "role": role})
        return answer


def list_moderators(
    parts: Parts, actor: Actor, *, site_key: str | None = None, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """People with a role on one site, or on any site where the actor is admin: ``{"items", "next"}``.

    An admin of some sites sees of each person the roles on these sites alone.
    """
    with read() as session:
        scope = _managed(session, actor, site_key)
        listing = f"moderators:{site_key}"
        rows = moderators.list_moderators(session, scope, limit + 1, after(parts, listing, cursor))
        roles = moderators.roles_of(session, [row.id for row in rows])
        keys = sites.site_keys(session, {site for of in roles.values() for site in of if site is not None})
        strong = second_factors.confirmed(session, [row.id for row in rows])
        return page(
            parts, listing, rows, limit, lambda row: _shown_moderator(row, _visible(actor, roles[row.id]), keys, strong)
        )


def change_moderator(
    parts: Parts,
    actor: Actor,
    moderator_id: uuid.UUID,
    *,
    roles: Mapping[str, str | None] | None = None,
    disabled: bool | None = None,
    password: str | None = None,
) -> dict[str, Any]:
    """Change a person: ``roles`` maps a site's key (or ``*``) to a role, or to None to take it away.

    All sessions of the person end. Raises ``NotFound`` for a person without a role on the actor's sites, ``Forbidden``
    for a password or a lock by somebody who is not admin of all of the person's sites, ``Conflict`` for oneself.
    """
    refuse_oneself(actor, moderator_id)
    with read() as session:
        person = person_for(session, actor, moderator_id)
    hashed = None if password is None else _hashed(parts, person.name, password)
    with write() as session:
        person = person_for(session, actor, moderator_id)
        if disabled is not None or hashed is not None:
            require_all_of(session, actor, person)
        for site_key, role in (roles or {}).items():
            _change_role(parts, session, actor, person, site_key, role)
        if hashed is not None:
            _set_password(session, person.id, hashed)
            note(parts, session, actor, None, "moderator.password", "moderator", person.id, {})
        if disabled is not None and disabled != (person.disabled_at is not None):
            disabled_at = parts.clock() if disabled else None
            moderators.change_moderator(session, person.id, {"disabled_at": disabled_at})
            person.disabled_at = disabled_at
            action = "moderator.disable" if disabled else "moderator.enable"
            note(parts, session, actor, None, action, "moderator", person.id, {})
        moderators.end_sessions_of(session, person.id)
        now_has = moderators.roles_of(session, [person.id])[person.id]
        keys = sites.site_keys(session, {site for site in now_has if site is not None})
        return _shown_moderator(person, _visible(actor, now_has), keys, _strong(session, person))


def remove_moderator(parts: Parts, actor: Actor, moderator_id: uuid.UUID) -> None:
    """Remove a person with all roles and sessions; what they decided keeps their name. ``Conflict`` for oneself."""
    refuse_oneself(actor, moderator_id)
    with write() as session:
        person = person_for(session, actor, moderator_id)
        require_all_of(session, actor, person)
        moderators.remove_moderator(session, person.id)
        note(parts, session, actor, None, "moderator.remove", "moderator", person.id, {"name": person.name})


def show_moderator(parts: Parts, actor: Actor, moderator_id: uuid.UUID) -> dict[str, Any]:
    """One person, with the roles on the actor's sites, and whether the actor is admin of ``all_sites`` of theirs.

    Raises ``NotFound`` also for a person without a role on a site where the actor is admin.
    """
    with read() as session:
        person = person_for(session, actor, moderator_id)
        roles = moderators.roles_of(session, [person.id])[person.id]
        keys = sites.site_keys(session, {site for site in roles if site is not None})
        all_sites = all(actor.may(site, Role.ADMIN) for site in roles)
        return {
            **_shown_moderator(person, _visible(actor, roles), keys, _strong(session, person)),
            "all_sites": all_sites,
        }


def known_moderator(parts: Parts, actor: Actor, name: str) -> dict[str, Any] | None:
    """Like ``find_moderator``, with None for nobody."""
    try:
        return find_moderator(parts, actor, name)
    except NotFound:
        return None


def find_moderator(parts: Parts, actor: Actor, name: str) -> dict[str, Any]:
    """The person of this name. Raises ``NotFound``."""
    with read() as session:
        person = moderators.moderator_by_name(session, login_name(name))
        if person is None:
            raise NotFound("moderator")
        person = person_for(session, actor, person.id)
        roles = moderators.roles_of(session, [person.id])[person.id]
        keys = sites.site_keys(session, {site for site in roles if site is not None})
        return _shown_moderator(person, _visible(actor, roles), keys, _strong(session, person))


def new_password() -> str:
    """A password of 120 random bits, for a person who changes it after the first log-in."""
    return secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)


# --------------------------------------------------------------------------------------------------------- private


def _note_use(token_id: uuid.UUID, now: datetime) -> None:
    try:
        with write() as session:
            moderators.note_use(session, token_id, now)
    except StorageUnavailable:
        return  # Nobody is turned away because a time of last use could not be written.


def throttle(
    parts: Parts, what: str, name: str, network: bytes, device: str = "", account_rate: str | None = None
) -> None:
    """Count this try at an account, in a transaction of its own, so that a failed one stays counted.

    A browser that has logged in to this account before counts by itself alone: neither who floods the account from
    elsewhere nor who shares its network shuts it out, and a stolen device cookie makes no more tries than one network.
    Raises ``RateLimited``.
    """
    now = parts.clock()
    own = _device(parts, name, device)
    with write() as session:
        if own is not None:
            limits.hit(session, PAIR_RATE, f"{what}:device:{own}", now)
            return
        limits.hit(session, PAIR_RATE, f"{what}:pair:{network.hex()}:{name}", now)
        limits.hit(session, NETWORK_RATE, f"{what}:network:{network.hex()}", now)
        if not _is_known(session, name, network, now):
            limits.hit(session, account_rate or ACCOUNT_RATE, f"{what}:account:{name}", now)


def throttle_network(parts: Parts, network: bytes) -> None:
    """Count a try at no account in particular. Raises ``RateLimited``."""
    with write() as session:
        limits.hit(session, NETWORK_RATE, f"login:network:{network.hex()}", parts.clock())


def throttle_own(parts: Parts, key: str) -> None:
    """Count a try that somebody makes inside a session of theirs. Raises ``RateLimited``."""
    with write() as session:
        limits.hit(session, PAIR_RATE, key, parts.clock())


def _device(parts: Parts, name: str, device: str) -> str | None:
    """The id of a device that has logged in as ``name``; None for any other, and for one that is too old."""
    fields = (parts.vault.unsign(_DEVICE, device) or "").split("|")
    if len(fields) != 3 or not _is(_digest(name), fields[2]):
        return None
    age_s = parts.clock().timestamp() - int(fields[1])
    return fields[0] if age_s <= DEVICE_LASTS.total_seconds() else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _is_known(session: Session, name: str, network: bytes, now: datetime) -> bool:
    """Whether this account was logged in to from this network today: then its one use a day is spent."""
    try:
        limits.peek(session, _KNOWN_NETWORK, _known_key(name, network), now)
    except RateLimited:
        return True
    return False


def _known_key(name: str, network: bytes) -> str:
    return f"login:known:{network.hex()}:{name}"


def _actor(session: Session, person: Moderator) -> Actor:
    roles = moderators.roles_of(session, [person.id])[person.id]
    return Actor("moderator", str(person.id), person.name, {site: Role(role) for site, role in roles.items()})


def _managed(session: Session, actor: Actor, site_key: str | None) -> set[uuid.UUID] | None:
    """The sites whose accounts the actor asks for and manages; None: all of them, and what holds for all."""
    if site_key is not None and site_key != ALL_SITES:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        return set() if site is None else {site.id}
    if actor.may(None, Role.ADMIN):
        return None
    managed = {site for site in actor.roles if site is not None and actor.may(site, Role.ADMIN)}
    if not managed:
        raise Forbidden("This needs the role 'admin' on a site.")
    return managed


def _require_on(actor: Actor, site_id: uuid.UUID | None, what: str) -> None:
    """Admin of the site; what holds for all sites is not there for who has not the role on all of them."""
    if site_id is None and not actor.may(None, Role.ADMIN):
        raise NotFound(what)
    if site_id is not None:
        actor.require(site_id, Role.ADMIN, what)


def person_for(session: Session, actor: Actor, moderator_id: uuid.UUID) -> Moderator:
    """The person, where the actor is admin of at least one of their sites (or of all sites)."""
    person = moderators.moderator_by_id(session, moderator_id)
    # Asked for also where there is nobody, so that nobody and somebody else's person are the same work.
    roles = moderators.roles_of(session, [moderator_id])[moderator_id]
    is_ours = actor.may(None, Role.ADMIN) or any(site and actor.may(site, Role.ADMIN) for site in roles)
    if person is None or not is_ours:
        raise NotFound("moderator")
    return person


def refuse_oneself(actor: Actor, moderator_id: uuid.UUID) -> None:
    """Raise ``Conflict``: who locks themselves out by one click may be the last admin."""
    if actor.key == f"moderator:{moderator_id}":
        raise Conflict("Another admin has to do this: nobody changes or removes their own account here.")


def require_all_of(session: Session, actor: Actor, person: Moderator) -> None:
    """Raise ``Forbidden`` unless the actor is admin of all of the person's sites."""
    roles = moderators.roles_of(session, [person.id])[person.id]
    if not all(actor.may(site, Role.ADMIN) for site in roles):
        raise Forbidden("Only an admin of all of this person's sites may do this.")


def _change_role(
    parts: Parts, session: Session, actor: Actor, person: Moderator, site_key: str, role: str | None
) -> None:
    role = None if role is None else _person_role(role)
    site = scope_for(session, actor, site_key, Role.ADMIN)
    site_id = None if site is None else site.id
    moderators.set_role(session, person.id, site_id, role)
    note(parts, session, actor, site_id, "moderator.role", "moderator", person.id, {"role": role})


def _set_password(session: Session, moderator_id: uuid.UUID, hashed: str) -> None:
    moderators.change_moderator(session, moderator_id, {"password_hash": hashed})
    moderators.end_sessions_of(session, moderator_id)


def _hashed(parts: Parts, name: str, password: str) -> str:
    check_strength(password, name=name)
    return parts.passwords.hash(password)


def _role(role: str) -> str:
    if role not in set(Role):
        raise Invalid({"role": [f"It is one of {', '.join(Role)}."]})
    return role


def _person_role(role: str) -> str:
    if _role(role) == Role.SCORER:
        raise Invalid({"role": ["A person is viewer, moderator or admin; 'scorer' is for tokens."]})
    return role


def _name(raw: str, field: str, *, empty: bool = False) -> str:
    name = normalise_line(raw, field)
    if len(name) > MAX_NAME_CHARS or not (name or empty):
        raise Invalid({field: [f"Use {0 if empty else 1} to {MAX_NAME_CHARS} characters."]})
    return name


def login_name(raw: str) -> str:
    """The name as it would have been stored; a hopeless one stays as it is and is not found."""
    try:
        return normalise_line(raw[: 2 * MAX_NAME_CHARS], "name")
    except Invalid:
        return ""


def _key_of(keys: Mapping[uuid.UUID, str], site_id: uuid.UUID | None) -> str:
    return ALL_SITES if site_id is None else keys[site_id]


def _visible(actor: Actor, roles: Mapping[uuid.UUID | None, str]) -> dict[uuid.UUID | None, str]:
    return {site: role for site, role in roles.items() if actor.may(site, Role.ADMIN)}


def note(
    parts: Parts,
    session: Session,
    actor: Actor,
    site_id: uuid.UUID | None,
    action: str,
    kind: str,
    object_id: uuid.UUID,
    data: Mapping[str, Any],
) -> None:
    """Write an audit line of accounts, in the caller's transaction."""
    audit.append(
        session,
        site_id=site_id,
        actor=actor,
        action=action,
        object_kind=kind,
        object_id=str(object_id),
        data=dict(data),
        now=parts.clock(),
        key=parts.vault.audit_key,
    )


def _shown_token(token: Token, site_key: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "site": site_key,
        "role": token.role,
        "name": token.name,
        "hint": token.hint,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


def _strong(session: Session, person: Moderator) -> set[uuid.UUID]:
    return second_factors.confirmed(session, [person.id])


def _shown_moderator(
    person: Moderator,
    roles: Mapping[uuid.UUID | None, str],
    keys: Mapping[uuid.UUID, str],
    strong: Collection[uuid.UUID],
) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "roles": [{"site": _key_of(keys, site), "role": role} for site, role in roles.items()],
        "second_factor": person.id in strong,
        "created_at": person.created_at,
        "disabled_at": person.disabled_at,
    }
