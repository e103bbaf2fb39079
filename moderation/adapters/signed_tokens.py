"""JSON Web Tokens that somebody else signed; the only import of joserfc.

Each key verifies by its own algorithm and no other: what the header of a token asks for is compared, never followed
(RFC 8725, sections 3.1 and 3.2).
"""

import json
import warnings
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from moderation.domain.sign_on import MAX_TOKEN_CHARS, Algorithm
from moderation.errors import Invalid

# RFC 9864 renames EdDSA with this curve to Ed25519. Both names are taken, since libraries send the older one.
warnings.filterwarnings("ignore", category=SecurityWarning, module="joserfc")
MAX_KEYS = 50
MIN_RSA_BITS = 2_048
"""RFC 7518, section 3.3."""

_PUBLIC: dict[str, tuple[type[RSAKey | ECKey | OKPKey], list[str]]] = {
    "RSA": (RSAKey, ["RS256", "PS256"]),
    "EC": (ECKey, ["ES256"]),
    "OKP": (OKPKey, ["EdDSA", "Ed25519"]),
}
_NAMES = {Algorithm.HS256: ["HS256"], Algorithm.EDDSA: ["EdDSA", "Ed25519"]}


def verified_claims(token: str, algorithm: Algorithm, key: bytes) -> dict[str, Any] | None:
    """The claims of a token that this key signed by this algorithm; None for everything else.

    ``key`` is the secret, or for EdDSA the public key as ``public_key_pem`` gave it. Times are not looked at.
    """
    if len(token) > MAX_TOKEN_CHARS or not token.isascii() or token.count(".") != 2:
        return None
    try:
        own = OctKey.import_key(key) if algorithm is Algorithm.HS256 else OKPKey.import_key(key)
        claims = jwt.decode(token, own, algorithms=_NAMES[algorithm]).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def claims_by_keys(token: str, key_set: Any) -> dict[str, Any] | None:
    """The claims of a token that a public key of a JWK Set (RFC 7517) signed; None for everything else.

    A key takes the algorithms of its own type and no other, none of them symmetric. Times are not looked at.
    """
    keys = key_set.get("keys") if isinstance(key_set, dict) else None
    if not token.isascii() or token.count(".") != 2 or not isinstance(keys, list):
        return None
    for raw in keys[:MAX_KEYS]:
        kind = raw.get("kty") if isinstance(raw, dict) and raw.get("use", "sig") == "sig" else None
        if kind in _PUBLIC and (claims := _claims_by(token, raw, *_PUBLIC[kind])) is not None:
            return claims
    return None


def _claims_by(
    token: str, raw: dict[str, Any], kind: type[RSAKey | ECKey | OKPKey], names: list[str]
) -> dict[str, Any] | None:
    try:
        key = kind.import_key(raw)
        if isinstance(key, RSAKey) and key.public_key.key_size < MIN_RSA_BITS:
            return None
        claims = jwt.decode(token, key, algorithms=names).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def public_key_pem(text: str) -> bytes:
    """The public Ed25519 key of a PEM or JWK text, as PEM. Raises ``Invalid`` for any other, and for a private one."""
    try:
        plain = text.strip()
        key = OKPKey.import_key(json.loads(plain) if plain.startswith("{") else plain)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        key = None
    if key is None or key.curve_name != "Ed25519":
        raise Invalid({"public_key": ["It is not an Ed25519 key in PEM or as a JWK."]})
    if key.is_private:
        raise Invalid({"public_key": ["This is the private half, which only the site may have. Give the public one."]})
    return key.as_pem(private=False)
