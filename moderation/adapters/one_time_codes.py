"""One-time codes by RFC 6238, as the usual apps make them, and the picture by which an app learns the secret."""

import base64
import hmac
import secrets
from urllib.parse import quote

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

SECRET_BYTES = 20
"""RFC 4226, section 4, R6: 160 bits are recommended."""

DIGITS = 6
STEP_S = 30
"""RFC 6238, section 5.2; with SHA-1 the only values that every app takes."""

DRIFT = 1
"""Steps before and after the present one whose codes count: clocks differ, and typing takes time."""

QUIET_ZONE = 4
"""Light modules around a QR code (ISO/IEC 18004)."""


def new_secret() -> bytes:
    """A fresh secret."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """The code of a step of time."""
    return HOTP(secret, DIGITS, SHA1(), enforce_key_length=True).generate(step).decode()  # noqa: S303 (as RFC 6238 has it)


def step_of(secret: bytes, code: str, at_s: float) -> int | None:
    """The step that ``code`` is right for, near the time ``at_s``; None where it is wrong. Always the same work."""
    present = int(at_s) // STEP_S
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "surrogatepass")):
            found = step
    return found


def typed_secret(secret: bytes) -> str:
    """The secret as one types it into an app: base32, in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def address(secret: bytes, issuer: str, account: str) -> str:
    """The ``otpauth:`` address that apps read from the picture (Google's Key Uri Format)."""
    label = f"{quote(issuer, safe='')}:{quote(account.encode('utf-8', 'replace'), safe='')}"
    text = base64.b32encode(secret).decode()
    return f"otpauth://totp/{label}?secret={text}&issuer={quote(issuer, safe='')}&digits={DIGITS}&period={STEP_S}"


def picture(text: str) -> tuple[int, str]:
    """A QR code as the side of a square and an SVG path of unit modules in it, with its quiet zone."""
    rows = segno.make_qr(text, error="m").matrix
    dark = [(x, y) for y, row in enumerate(rows, QUIET_ZONE) for x, module in enumerate(row, QUIET_ZONE) if module]
    return len(rows) + 2 * QUIET_ZONE, "".join(f"M{x} {y}h1v1h-1z" for x, y in dark)
