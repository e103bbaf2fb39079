"""Who a reader is, as far as the service may know: an address for look-ups, a coarse network, a drawn picture. Pure.

The *canonical* form of an address is made for look-ups (privacy export and erasure, rules): NFC, outer blanks cut, the
local part in lower case although RFC 5321 lets a host tell ``Ana`` from ``ana`` (in practice none does), the domain in
lower-case ASCII. A ``+tag`` stays, since only the mail host knows whether it means anything.
"""

import colorsys
import hashlib
import ipaddress
import re
import unicodedata

import idna

from moderation.errors import Invalid

MAX_ADDRESS_OCTETS = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets with its angle brackets."""

MAX_LOCAL_OCTETS = 64
"""RFC 5321, 4.5.3.1.1."""

_ATEXT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})

IPV4_PREFIX = 24
IPV6_PREFIX = 48
IPV6_SUBSCRIBER_PREFIX = 64
"""One subscriber holds at least a /64 (RFC 6177), so it counts as one address where we limit rates."""


def canonical_email(raw: str) -> str:
    """Return the look-up form of an email address; the same for every way to write it.

    At most 254 octets, 64 of them before the @. International addresses (RFC 6531) are accepted; quoted local parts,
    comments and address literals are not. Raises ``Invalid`` for ``author.email``, never repeating the address.
    """
    # NFC leaves a quarter of a text at least, and takes time squared where that is nothing but marks.
    _require(len(raw) <= 4 * MAX_ADDRESS_OCTETS, f"is longer than {MAX_ADDRESS_OCTETS} characters")
    text = unicodedata.normalize("NFC", raw).strip()
    _require(bool(text), "is empty")
    _require(len(text) <= MAX_ADDRESS_OCTETS, f"is longer than {MAX_ADDRESS_OCTETS} characters")
    local, at, domain = text.rpartition("@")
    _require(bool(at), "has no @")
    address = f"{_canonical_local(local)}@{_canonical_domain(domain)}"
    _require(_octets(address) <= MAX_ADDRESS_OCTETS, f"is longer than {MAX_ADDRESS_OCTETS} characters")
    return address


def email_domain(canonical: str) -> str:
    """Return the domain of a canonical address, in ASCII."""
    return canonical.rpartition("@")[2]


def truncate_ip(ip: str) -> str:
    """Return the network that an address lies in, /24 or /48, or "" for what is no address.

    IPv4 inside IPv6 (mapped, or 6to4, whose /48 would hold the whole IPv4 address) counts as IPv4. A
    zone id is dropped.
    """
    address = _parse_ip(ip)
    if address is None:
        return ""
    prefix = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
    return str(ipaddress.ip_network((address.packed, prefix), strict=False))


def subscriber_of(ip: str) -> bytes:
    """Return the bytes that stand for one subscriber: the IPv4 address, the IPv6 /64; b"" for what is no address.

    Only ever hashed with a key, for rate limits and bursts; never stored or shown.
    """
    address = _parse_ip(ip)
    if address is None:
        return b""
    return address.packed if address.version == 4 else address.packed[: IPV6_SUBSCRIBER_PREFIX // 8]


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Invalid({"author.email": [f"The address {otherwise}."]})


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _canonical_local(local: str) -> str:
    _require(bool(local), "has nothing before the @")
    _require("@" not in local, "has more than one @")
    lowered = unicodedata.normalize("NFC", local.lower())
    _require(all(map(_is_local_character, lowered)), "has a character before the @ that cannot stand there")
    _require(
        not (lowered.startswith(".") or lowered.endswith(".") or ".." in lowered),
        "has a dot before the @ that is first, last or doubled",
    )
    _require(_octets(lowered) <= MAX_LOCAL_OCTETS, f"has more than {MAX_LOCAL_OCTETS} characters before the @")
    return lowered


def _is_local_character(char: str) -> bool:
    """ASCII as in an unquoted local part (RFC 5322); beyond ASCII all but controls, blanks and what is unassigned."""
    return char in _ATEXT if char.isascii() else unicodedata.category(char)[0] not in "CZ"


def _canonical_domain(domain: str) -> str:
    _require(bool(domain), "has nothing after the @")
    ascii_domain = _ascii_domain(domain.translate(_DOTS))
    labels = ascii_domain.split(".")
    _require(len(labels) > 1, "has no dot after the @")
    _require(all(map(_LABEL.fullmatch, labels)), "has no valid domain after the @")
    _require(len(ascii_domain) <= 253 and not labels[-1].isdigit(), "has no valid domain after the @")
    return ascii_domain


def _ascii_domain(domain: str) -> str:
    """ASCII stays as it is, so that names older than IDNA 2008's rules are not refused (``r3---a.example``)."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise Invalid({"author.email": ["The address has no valid domain after the @."]}) from None


def _parse_ip(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(ip.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


_GRID = 5
_CELL = 10
_MARGIN = 7
_HUES = 24
_HALF = _GRID * (_GRID // 2 + 1)


def avatar_svg(seed: bytes) -> str:
    """Draw a picture from ``seed``: 64 by 64, mirrored left to right, the same for the same seed, without any script.

    Some 28,000 patterns in 24 hues, each with a contrast of more than 4.5 to 1 (WCAG 2.2, 1.4.3). ``seed`` must be a
    keyed hash: a picture of a plain hash of an address lets anybody test a guess (the fault of Gravatar).
    """
    pattern, hue = _pattern(seed)
    ink, paper = _colour(hue, 0.28, 0.60), _colour(hue, 0.93, 0.45)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 64 64" role="img"'
        ' aria-label="Avatar">'
        f'<rect width="64" height="64" rx="8" fill="{paper}"/>'
        f'<path fill="{ink}" d="{_path(pattern)}"/></svg>'
    )


def _pattern(seed: bytes) -> tuple[int, int]:
    """15 bits for the left half and the middle, neither nearly empty nor nearly full; and a hue."""
    digest = hashlib.sha256(seed).digest()
    while not 5 <= (int.from_bytes(digest[:2], "big") & (1 << _HALF) - 1).bit_count() <= 11:
        digest = hashlib.sha256(digest).digest()
    return int.from_bytes(digest[:2], "big") & (1 << _HALF) - 1, digest[2] % _HUES


def _path(pattern: int) -> str:
    """One square for each bit that is set, and its mirror image."""
    half = _GRID // 2 + 1
    return "".join(
        f"M{_MARGIN + x * _CELL} {_MARGIN + y * _CELL}h{_CELL}v{_CELL}h-{_CELL}z"
        for y in range(_GRID)
        for x in range(_GRID)
        if pattern >> (y * half + min(x, _GRID - 1 - x)) & 1
    )


def _colour(hue: int, lightness: float, saturation: float) -> str:
    channels = colorsys.hls_to_rgb(hue / _HUES, lightness, saturation)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)
