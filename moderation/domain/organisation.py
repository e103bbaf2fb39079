"""Logging in by one's organisation: what its OpenID provider says, and what of it is believed. Pure.

OpenID Connect Core 1.0, the code flow alone: section 3.1.3.7 says what has to hold of an ID token.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from moderation.domain.sign_on import LEEWAY_S, MAX_TIME
from moderation.errors import OutboundFailed, Unauthenticated

SCOPE = "openid profile email"
MAX_ENDPOINT_CHARS = 2_000
WELL_KNOWN = "/.well-known/openid-configuration"

EMAIL = "email"
"""The claim that is believed only where the provider says that it has verified it."""

NOT_AS_IT_SHOULD = "Your organisation's log-in service answered something that cannot be used. Tell your administrator."


@dataclass(frozen=True, slots=True)
class Provider:
    """Where an OpenID provider does what, by its own discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool


def provider_of(document: Any, issuer: str) -> Provider:
    """Read a discovery document. Raises ``OutboundFailed`` where it is none, or another issuer's.

    The issuer has to be the configured one to the letter (OpenID Connect Discovery 1.0, section 4.3).
    """
    found = document if isinstance(document, dict) else {}
    authorization, token, keys = (
        _endpoint(found.get(name), issuer) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    )
    if found.get("issuer") != issuer:
        raise OutboundFailed(NOT_AS_IT_SHOULD)
    methods = found.get("token_endpoint_auth_methods_supported")
    takes_basic = not isinstance(methods, list) or "client_secret_basic" in methods
    return Provider(issuer, authorization, token, keys, takes_basic)


def authorization_url(
    provider: Provider, client_id: str, redirect_uri: str, state: str, nonce: str, challenge: str
) -> str:
    """Where the browser goes to log in: the code flow with PKCE by SHA-256 (RFC 7636)."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in provider.authorization_endpoint else "?"
    return f"{provider.authorization_endpoint}{joint}{urlencode(query)}"


def check_claims(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now: datetime) -> None:
    """Raise ``Unauthenticated`` unless an ID token is this issuer's, for us, of now and of this very log-in."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    at = now.timestamp()
    holds = (
        claims.get("iss") == issuer
        and client_id in audiences
        and (claims.get("azp", client_id) == client_id)
        and (len(audiences) == 1 or "azp" in claims)
        and isinstance(claims.get("sub"), str)
        and bool(claims["sub"])
        and _time(claims, "exp") > at - LEEWAY_S
        and 0 <= _time(claims, "iat") <= at + LEEWAY_S
        and _time(claims, "nbf", default=0.0) <= at + LEEWAY_S
        and isinstance(claims.get("nonce"), str)
        and hmac.compare_digest(claims["nonce"].encode("utf-8", "replace"), nonce.encode())
    )
    if not holds:
        raise Unauthenticated("Your organisation's answer does not belong to this log-in. Begin again.")


def name_of(claims: Mapping[str, Any], claim: str) -> str:
    """The moderator's name that the claims tell; empty where they tell none that is believed."""
    name = claims.get(claim)
    if not isinstance(name, str) or (claim == EMAIL and claims.get("email_verified") is not True):
        return ""
    return name


def _endpoint(url: Any, issuer: str) -> str:
    """An address by https; by http only where the issuer itself is reached so. Raises ``OutboundFailed``."""
    try:
        if isinstance(url, str) and url.isascii() and url.isprintable() and len(url) <= MAX_ENDPOINT_CHARS:
            split = urlsplit(url)
            if split.hostname and not split.fragment and split.scheme in {"https", urlsplit(issuer).scheme}:
                return url
    except ValueError:
        pass
    raise OutboundFailed(NOT_AS_IT_SHOULD)


def _time(claims: Mapping[str, Any], name: str, default: float = -1.0) -> float:
    value = claims.get(name, default)
    is_time = isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= MAX_TIME
    return float(value) if is_time else -1.0
