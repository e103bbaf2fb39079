"""The one rule for every link that the service shows: absolute http(s), a real host, nobody's user name in it. Pure."""

import ipaddress
import re

import idna

MAX_URL_CHARS = 2_000
"""Longest URL, before and after escaping; what browsers, proxies and feed readers all still take."""

_MAX_HOST_CHARS = 253  # RFC 1035, section 2.3.4, without the root's dot
_SHAPE = re.compile(r"(https?)://([^/?#]+)([/?#].*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:@\[\]\\%]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
# Underscores are not in the DNS host syntax, but real sites have them and every browser opens them.
_ASCII_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LOOKS_LIKE_A_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Controls, every kind of space and filler, bidi controls, surrogates, BOM, tag characters. ZWJ and ZWNJ are not
# among them: Persian and Indic paths need them, and IDNA knows where a host may have one.
_FORBIDDEN = re.compile(
    "[\x00-\x20\x7f-\xa0\xad\u061c\u115f\u1160\u1680\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\uffff\\\\\U000e0000-\U000e0fff]"
)
_TO_ESCAPE = re.compile(r"[^!#$%&()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")


def safe_url(raw: str) -> str | None:
    """Return ``raw`` as the plain ASCII URL that may stand in an ``href``, or None where it may not.

    Safe means: ``http`` or ``https``, ``//``, a host that DNS and IDNA 2008 allow (or an IP address in its usual
    notation), no user name or password, no control, space, backslash or bidirectional mark, at most
    ``MAX_URL_CHARS``. Scheme and host come back in lower case, the host as A-labels (so that look-alikes show), and
    what is not plain ASCII after it percent-encoded. ``safe_url(safe_url(x)) == safe_url(x)``. Never raises.

    What the WHATWG URL standard calls a failure is None here; so is much that browsers would repair.
    """
    url = raw.strip(" \t\r\n")
    if len(url) > MAX_URL_CHARS or _FORBIDDEN.search(url):
        return None
    shape = _SHAPE.fullmatch(url)
    authority = _AUTHORITY.fullmatch(shape[2]) if shape else None
    if shape is None or authority is None:
        return None
    host, port = _host(authority[1]), _port(authority[2])
    if host is None or port is None:
        return None
    safe = f"{shape[1].lower()}://{host}{port}{_TO_ESCAPE.sub(_percent_encoded, shape[3] or '')}"
    return safe if len(safe) <= MAX_URL_CHARS else None


def host_of(url: str) -> str:
    """The host of a URL that came from ``safe_url``: lower case, A-labels, no port, no brackets, no final dot."""
    authority = url.split("://", 1)[1].split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    host = authority[1 : authority.index("]")] if authority.startswith("[") else authority.split(":", 1)[0]
    return host.rstrip(".")


def _port(digits: str | None) -> str | None:
    if digits is None:
        return ""
    return f":{int(digits)}" if 0 < int(digits) < 65_536 else None


def _host(raw: str) -> str | None:
    if raw.startswith("["):
        return _ipv6(raw[1:-1])
    name = _ascii_host(raw)
    if name is None:
        return None
    labels = name.removesuffix(".").split(".")
    if not all(_is_label(label) for label in labels):
        return None
    if _LOOKS_LIKE_A_NUMBER.fullmatch(labels[-1]):
        return _ipv4(name)
    return name if len(name.removesuffix(".")) <= _MAX_HOST_CHARS else None


def _ascii_host(raw: str) -> str | None:
    """Lower case and A-labels, by UTS 46 without its transitional mappings."""
    if raw.isascii():
        return raw.lower()
    if len(raw) > _MAX_HOST_CHARS:
        return None
    try:
        mapped = idna.uts46_remap(raw, std3_rules=False, transitional=False)
        return ".".join(label if label.isascii() else idna.alabel(label).decode() for label in mapped.split("."))
    except (idna.IDNAError, UnicodeError):
        return None


def _is_label(label: str) -> bool:
    if not _ASCII_LABEL.fullmatch(label):
        return False
    if not label.startswith("xn--"):
        return True
    try:
        return idna.alabel(idna.ulabel(label)).decode() == label
    except (idna.IDNAError, UnicodeError):
        return False


def _ipv4(name: str) -> str | None:
    # A last label that is a number makes browsers read the whole as IPv4, in octal and hexadecimal too.
    # Only the notation that everybody reads alike is let through.
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        return None


def _ipv6(text: str) -> str | None:
    try:
        return f"[{ipaddress.IPv6Address(text).compressed}]"
    except ValueError:
        return None


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())
