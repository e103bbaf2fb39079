"""Logging in to the console by one's organisation: the code flow of OpenID Connect, with PKCE, state and nonce.

It lets in people whom an admin has added, by the name that the provider tells; it makes nobody. What proves that an
answer belongs to this browser is a signed cookie that holds the state; nonce and code verifier come from the state by
our own key, so that they stand in no cookie and no table.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from moderation.adapters.identity_provider import IdentityProvider
from moderation.domain.actor import Actor
from moderation.domain.organisation import authorization_url, check_claims, name_of
from moderation.errors import CodeNeeded, NotFound, RateLimited, Unauthenticated
from moderation.services import accounts
from moderation.services.parts import Parts
from moderation.storage import limits, moderators, second_factors
from moderation.storage.db import write

BACK_PATH = "/console/login/organisation/back"
LASTS_S = 600
"""How long one may take to log in at the provider."""

MAX_THEN_CHARS = 300
MAX_CODE_CHARS = 2_000

_STATE = "organisation-state"
_NONCE = "organisation-nonce"
_VERIFIER = "organisation-verifier"
_STRANGE = "This log-in was begun in another browser, too long ago, or was used already. Begin again."


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and the cookie that it brings back."""

    url: str
    cookie: str


def begin(parts: Parts, then: str, network: bytes) -> Begun:
    """Begin a log-in that leads to ``then``. Raises ``NotFound`` where there is no provider, ``OutboundFailed`` where
    it does not answer, ``RateLimited``.
    """
    provider = _provider(parts)
    accounts.throttle_network(parts, network)
    state = secrets.token_urlsafe(24)
    kept = then if len(then) <= MAX_THEN_CHARS else ""
    issued = int(parts.clock().timestamp())
    url = authorization_url(
        provider.discover(),
        provider.client_id,
        _back_uri(parts),
        state,
        parts.vault.sign(_NONCE, state),
        _challenge(parts.vault.sign(_VERIFIER, state)),
    )
    return Begun(url, parts.vault.sign(_STATE, f"{state}|{issued}|{kept}"))


def finish(
    parts: Parts, cookie: str, state: str, code: str, issuer: str | None, network: bytes
) -> tuple[str, Actor, str]:
    """Finish it by what the browser brought back: a session's cookie, whose it is, and where they wanted to go.

    Raises ``Unauthenticated`` for whatever does not hold, ``CodeNeeded`` where the person has a second factor here,
    ``OutboundFailed`` where the provider does not answer, ``RateLimited``.
    """
    provider = _provider(parts)
    then = begun_for(parts, cookie, state)
    # Counted from here on: a foreign page cannot use up the network's tries by sending browsers here.
    accounts.throttle_network(parts, network)
    # RFC 9207: an answer that names another issuer was mixed up.
    if not code or len(code) > MAX_CODE_CHARS or issuer not in {None, provider.issuer}:
        raise Unauthenticated(_STRANGE)
    _use_up(parts, state)
    where = provider.discover()
    token = provider.exchange(where, code, parts.vault.sign(_VERIFIER, state), _back_uri(parts))
    claims = provider.claims(where, token)
    check_claims(claims, provider.issuer, provider.client_id, parts.vault.sign(_NONCE, state), parts.clock())
    opened, actor = _open(parts, name_of(claims, parts.settings.oidc_claim), network)
    return opened, actor, then


def begun_for(parts: Parts, cookie: str, state: str) -> str:
    """Where the log-in of this cookie leads. Raises ``Unauthenticated`` unless it is of this state and still good."""
    fields = (parts.vault.unsign(_STATE, cookie) or "").split("|", 2)
    if len(fields) != 3 or not hmac.compare_digest(fields[0].encode(), state.encode("utf-8", "replace")):
        raise Unauthenticated(_STRANGE)
    if parts.clock().timestamp() - int(fields[1]) > LASTS_S:
        raise Unauthenticated(_STRANGE)
    return fields[2]


def _open(parts: Parts, name: str, network: bytes) -> tuple[str, Actor]:
    opened = None
    with write() as session:
        person = moderators.moderator_by_name(session, name) if _is_plain(name) else None
        if person is None or person.disabled_at is not None:
            raise Unauthenticated(
                "Your organisation knows you, but nobody of your name may moderate here. Ask an admin to add you."
            )
        if not second_factors.confirmed(session, [person.id]):
            opened = accounts.open_session(parts, session, person, network, {"by": "organisation"})
    if opened is None:
        raise CodeNeeded(accounts.ticket_for(parts, person))
    return opened


def _is_plain(name: str) -> bool:
    """Whether a name is written as we write names: what we would have cut from a typed one may tell two people apart
    at the provider.
    """
    return bool(name) and accounts.login_name(name) == name


def _use_up(parts: Parts, state: str) -> None:
    """Let a state count once, on whatever machine its answer arrives."""
    try:
        with write() as session:
            limits.hit(session, "1/hour", f"organisation:{state}", parts.clock())
    except RateLimited:
        raise Unauthenticated(_STRANGE) from None


def _provider(parts: Parts) -> IdentityProvider:
    if parts.provider is None:
        raise NotFound("page")
    return parts.provider


def _back_uri(parts: Parts) -> str:
    return parts.settings.public_url + BACK_PATH


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode("ascii")
