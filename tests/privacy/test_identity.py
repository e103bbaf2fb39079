"""Addresses in one form for look-ups, IP addresses cut short, pictures that give nobody away."""

import ipaddress
import re
from contextlib import suppress
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moderation.domain.identity import avatar_svg, canonical_email, email_domain, subscriber_of, truncate_ip
from moderation.errors import Invalid

LETTERS = st.characters(categories=["L", "M", "N"])
LONGEST_DOMAIN = ".".join(["d" * 63, "e" * 63, "f" * 57, "org"])


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("ana@example.org", "ana@example.org"),
        ("  Ana@Example.ORG\n", "ana@example.org"),
        ("ana+news@example.org", "ana+news@example.org"),
        ("o'neil.!#$%&*/=?^_`{|}~-x@example.org", "o'neil.!#$%&*/=?^_`{|}~-x@example.org"),
        ("Jose\u0301@example.org", "jos\u00e9@example.org"),
        ("ana@M\u00dcLLER.example", "ana@xn--mller-kva.example"),
        ("ana@mu\u0308ller.example", "ana@xn--mller-kva.example"),
        ("ana@XN--MLLER-KVA.example", "ana@xn--mller-kva.example"),
        ("ana@stra\u00dfe.example", "ana@xn--strae-oqa.example"),
        ("ana@example\u3002org", "ana@example.org"),
        ("ana@\uff45xample.org", "ana@example.org"),
        (
            "\u0441\u0438\u043c\u0432\u043e\u043b@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
            "\u0441\u0438\u043c\u0432\u043e\u043b@xn--e1afmkfd.xn--p1ai",
        ),
        ("\u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a", "\u7528\u6237@xn--fsqu00a.xn--4rr70v"),
        ("ana@r3---a.example", "ana@r3---a.example"),
        ("ana@xn--i-7iq.ws", "ana@xn--i-7iq.ws"),
        ("l" * 64 + "@example.org", "l" * 64 + "@example.org"),
        ("l" * 64 + "@" + LONGEST_DOMAIN, "l" * 64 + "@" + LONGEST_DOMAIN),
    ],
)
def test_canonical_email_of_good_address_is_one_form(raw: str, canonical: str) -> None:
    assert canonical_email(raw) == canonical


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "is empty"),
        (" \t", "is empty"),
        ("ana.example.org", "has no @"),
        ("ana\uff20example.org", "has no @"),
        ("@example.org", "has nothing before the @"),
        ("ana@", "has nothing after the @"),
        ("ana@bo@example.org", "has more than one @"),
        ("ana@localhost", "has no dot after the @"),
        ("ana@example..org", "has no valid domain"),
        ("ana@.example.org", "has no valid domain"),
        ("ana@example.org.", "has no valid domain"),
        ("ana@-example.org", "has no valid domain"),
        ("ana@exa_mple.org", "has no valid domain"),
        ("ana@exa mple.org", "has no valid domain"),
        ("ana@192.0.2.1", "has no valid domain"),
        ("ana@[192.0.2.1]", "has no valid domain"),
        ("ana@m\u00fcller.example\uff20x.org", "has no valid domain"),
        ("ana@\u202eexample.org", "has no valid domain"),
        ("ana@" + "d" * 64 + ".org", "has no valid domain"),
        ("ana\r\nBcc: x@example.org", "cannot stand there"),
        ("ana\x00@example.org", "cannot stand there"),
        ("ana bo@example.org", "cannot stand there"),
        ("ana\u00a0bo@example.org", "cannot stand there"),
        ("ana\u200bbo@example.org", "cannot stand there"),
        ("ana\u202e@example.org", "cannot stand there"),
        ("\ud800@example.org", "cannot stand there"),
        ('"ana bo"@example.org', "cannot stand there"),
        ("Ana <ana@example.org>", "cannot stand there"),
        (".ana@example.org", "a dot before the @"),
        ("ana.@example.org", "a dot before the @"),
        ("a..na@example.org", "a dot before the @"),
        ("l" * 65 + "@example.org", "more than 64"),
        ("\u00e9" * 33 + "@example.org", "more than 64"),
        ("l" * 64 + "@d" + LONGEST_DOMAIN, "longer than 254"),
        ("a" * 1_000_000 + "@example.org", "longer than 254"),
    ],
)
def test_canonical_email_of_bad_address_says_what_is_wrong(raw: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        canonical_email(raw)
    (said,) = caught.value.fields["author.email"]
    assert message in said
    assert "example.org" not in said
    assert "example.org" not in str(caught.value)


@given(st.text(LETTERS, min_size=1, max_size=20), st.text(LETTERS, min_size=1, max_size=20))
@example("I\u0307", "\u0130")
@example("\u03a3\u03a3", "\u03a3a")
@example("a", "fa\u00df")
def test_canonical_email_of_canonical_address_changes_nothing(local: str, domain: str) -> None:
    with suppress(Invalid):
        once = canonical_email(f"{local}@{domain}.example")
        assert canonical_email(once) == once
        assert email_domain(once).isascii()
        assert email_domain(once) == email_domain(once).lower()


@given(st.text())
def test_canonical_email_of_anything_returns_or_refuses(raw: str) -> None:
    with suppress(Invalid):
        assert canonical_email(raw).count("@") == 1


def test_email_domain_of_canonical_address_is_what_follows_the_at() -> None:
    assert email_domain("ana@example.org") == "example.org"


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        (" 203.0.113.77 ", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("::ffff:cb00:714d", "203.0.113.0/24"),
        ("2002:cb00:714d::1", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:DB8:0001:0002::", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("fe80::1%<script>", "fe80::/48"),
        ("::1", "::/48"),
    ],
)
def test_truncate_ip_of_address_is_its_network(ip: str, network: str) -> None:
    assert truncate_ip(ip) == network


@pytest.mark.parametrize(
    "ip",
    [
        *("", "unknown", "unix:", "203.0.113", "203.0.113.1:80", "[::1]", "0xcb007101", "3405803777", "203.0.113.01"),
        *("\u0662\u0660\u0663.0.113.1", "203.0.113.1, 10.0.0.1", "::1::", "\x00", "1" * 100_000),
    ],
)
def test_truncate_ip_of_nonsense_is_empty(ip: str) -> None:
    assert truncate_ip(ip) == ""
    assert subscriber_of(ip) == b""


@given(st.ip_addresses())
def test_truncate_ip_of_any_address_holds_no_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    network = ipaddress.ip_network(truncate_ip(str(address)))
    assert network.prefixlen == (24 if network.version == 4 else 48)
    assert len(truncate_ip(str(address))) <= 50


def test_subscriber_of_ipv6_neighbours_in_one_64_is_the_same() -> None:
    assert subscriber_of("2001:db8:1:2::1") == subscriber_of("2001:db8:1:2:ffff::9")
    assert subscriber_of("2001:db8:1:2::1") != subscriber_of("2001:db8:1:3::1")


def test_subscriber_of_mapped_ipv4_is_the_ipv4_address() -> None:
    assert subscriber_of("::ffff:203.0.113.77") == subscriber_of("203.0.113.77") == bytes([203, 0, 113, 77])


def _contrast(svg: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(luminance(colour) for colour in re.findall(r'fill="#([0-9a-f]{6})"', svg))
    return (high + 0.05) / (low + 0.05)


def test_avatar_svg_of_many_seeds_has_thousands_of_pictures_of_good_contrast() -> None:
    pictures = {avatar_svg(seed.to_bytes(4, "big")) for seed in range(5_000)}
    assert len(pictures) > 4_900
    assert min(map(_contrast, pictures)) > 4.5
    assert max(map(len, pictures)) < 1_000


@given(st.binary(max_size=64))
def test_avatar_svg_of_any_seed_is_still_harmless_and_symmetric(seed: bytes) -> None:
    svg = avatar_svg(seed)
    root = ElementTree.fromstring(svg)
    assert svg == avatar_svg(seed)
    assert [element.tag.rpartition("}")[2] for element in root.iter()] == ["svg", "rect", "path"]
    assert (root.get("role"), root.get("viewBox")) == ("img", "0 0 64 64")
    assert svg.count("http") == 1
    cells = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)", svg)}
    assert cells == {(54 - x, y) for x, y in cells}
    assert 5 <= len(cells) <= 22
