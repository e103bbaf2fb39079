"""Which targets the sender refuses: by the address that a name stands for, in every dialect, and by the URL."""

import ipaddress
import socket
from collections.abc import Sequence

import pytest

from moderation.adapters import safe_http
from moderation.adapters.safe_http import Sender
from moderation.errors import OutboundFailed, OutboundRefused

_INSIDE = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
168.63.129.16 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9 192.0.0.192 192.0.2.1
192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1 192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:100.64.0.1
::ffff:169.254.169.254 ::ffff:0:127.0.0.1
64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 100:0:0:1::1
2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:30::1 2001:1ff:ffff::1 2001:db8::1
2002:7f00:1:: 2002:a00:1::1 2002:808:808::1 2620:4f:8000::1 3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254
fd20:ce::254 fdff::1 fe80::1 febf::1 fec0::1 feff::1 ff02::1 ff0e::1
"""
INSIDE = _INSIDE.split()

_OUTSIDE = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255
172.15.255.255 172.32.0.0 192.0.1.1 192.0.3.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.0
203.0.112.1 223.255.255.254
2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1111 2a00:1450:4001::1 3ffe::1 3fff:1000::1 ::ffff:8.8.8.8
"""
OUTSIDE = _OUTSIDE.split()


def sender_for(*addresses: str, networks: Sequence[str] = (), allow_http: bool = False) -> Sender:
    allowed = [ipaddress.ip_network(network) for network in networks]
    return Sender(allow_networks=allowed, allow_http=allow_http, timeout_s=2, resolve=lambda _host, _port: addresses)


@pytest.fixture(autouse=True)
def _no_connection_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_args: object) -> socket.socket:
        raise OSError("a test tried to connect")

    monkeypatch.setattr(safe_http, "_connect", connect)


@pytest.mark.parametrize("address", INSIDE)
def test_check_name_that_stands_for_an_inside_address_is_refused(address: str) -> None:
    with pytest.raises(OutboundRefused):
        sender_for(address).check("https://hooks.example/x")


@pytest.mark.parametrize("address", OUTSIDE)
def test_check_name_that_stands_for_a_global_address_passes(address: str) -> None:
    sender = sender_for(address)
    sender.check("https://hooks.example/x")
    with pytest.raises(OutboundFailed, match="cannot be reached"):
        sender.post("https://hooks.example/x", headers={}, body=b"")


def literal(address: str) -> str:
    return f"https://[{address}]/x" if ":" in address else f"https://{address}/x"


@pytest.mark.parametrize("address", INSIDE)
def test_post_to_an_inside_address_written_out_is_refused(address: str) -> None:
    with pytest.raises(OutboundRefused):
        sender_for("8.8.8.8").post(literal(address), headers={}, body=b"")


_LOOPBACK = """
2130706433 0x7f000001 0177.0.0.1 127.1 127.0.1 0 0x7f.1 00000177.0.0.1 127.0.0.01 1.2.3.256 127.0.0.1. localhost.
①②⑦.0.0.1 127。0。0。1 １２７.0.0.1 ⓛocalhost localhost [::ffff:127.0.0.1] [::ffff:7f00:1] [fe80::1%25lo] [fe80::1%lo]
[::127.0.0.1] [0:0:0:0:0:0:0:1] 0x08080808 8.8.2056 134744072 %31%32%37.0.0.1 lo%63alhost
"""


@pytest.mark.parametrize("host", _LOOPBACK.split())
def test_check_dialects_of_loopback_by_the_real_resolver_are_refused(host: str) -> None:
    with pytest.raises(OutboundRefused):
        Sender(timeout_s=2).check(f"https://{host}/x")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example/x",
        "/x",
        "https:hooks.example",
        "https:/hooks.example",
        "https://",
        "https:///x",
        "https://?x",
        "ftp://hooks.example/x",
        "file:///etc/passwd",
        "gopher://hooks.example:443/",
        "javascript:1",
        "http://hooks.example/x",
        "https://user@hooks.example/x",
        "https://user:secret@hooks.example/x",
        "https://@hooks.example/x",
        "https://hooks.example@127.0.0.1/x",
        "https://hooks.example/x#part",
        "https://hooks.example#",
        "https://hooks.example\\@127.0.0.1/x",
        "https:\\\\hooks.example/x",
        "https://hooks.example:8443/x",
        "https://hooks.example:22/x",
        "https://hooks.example:0/x",
        "https://hooks.example:/x",
        "https://hooks.example:443443/x",
        "https://hooks.example:-1/x",
        "https://hooks.example:４４３/x",
        "https://hooks.example:x/x",
        "https://hooks.example:443:443/x",
        "https://hooks example/x",
        " https://hooks.example/x",
        "https://hooks.example/x ",
        "https://hooks.exa\tmple/x",
        "https://hooks.example/x\r\nHost: inside",
        "https://hooks.example/\x00",
        "https://hooks.example/\ud800",
        "https://hooks..example/x",
        "https://.example/x",
        "https://hooks.example./x",
        "https://-hooks.example/x",
        "https://hooks*.example/x",
        "https://" + "a" * 64 + ".example/x",
        "https://" + "a." * 130 + "example/x",
        "https://hooks.example/" + "x" * 2_000,
        "https://[::1/x",
        "https://::1/x",
        "https://[v1.x]/x",
        "https://hooks.example／evil/x",
        "https://hooks.example﹫evil/x",
        "https://faß\u200d.example/x",
    ],
)
def test_check_url_that_is_not_plain_is_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        sender_for("8.8.8.8").check(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example",
        "https://hooks.example?x=1",
        "HTTPS://HOOKS.example:443/x/y;z?q=%20&a=[1]",
        "https://bücher.example/höhe",
        "https://hooks.example:80/",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]/x",
        "https://my_host.example/x",
    ],
)
def test_check_url_that_is_plain_passes(url: str) -> None:
    sender_for("8.8.8.8").check(url)
    with pytest.raises(OutboundFailed, match="cannot be reached"):
        sender_for("8.8.8.8").post(url, headers={}, body=b"")


def test_check_name_with_one_inside_address_among_good_ones_is_refused() -> None:
    with pytest.raises(OutboundRefused):
        sender_for("8.8.8.8", "10.0.0.1", "1.1.1.1").check("https://hooks.example/x")


@pytest.mark.parametrize("answer", ["", "not an address", "8.8.8.8.8"])
def test_check_name_whose_resolver_answers_nonsense_is_refused(answer: str) -> None:
    with pytest.raises(OutboundRefused):
        sender_for(answer).check("https://hooks.example/x")


def test_check_name_without_addresses_is_refused() -> None:
    with pytest.raises(OutboundRefused):
        sender_for().check("https://hooks.example/x")


def test_check_name_that_does_not_resolve_passes_but_post_fails() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    sender = Sender(timeout_s=2, resolve=resolve)
    sender.check("https://hooks.example/x")
    with pytest.raises(OutboundFailed, match="does not resolve"):
        sender.post("https://hooks.example/x", headers={}, body=b"")


@pytest.mark.parametrize(
    "url", ["http://inside.example:8099/x", "https://inside.example:9/x", "http://inside.example/"]
)
def test_check_name_inside_allowed_networks_passes_on_any_port_and_by_http(url: str) -> None:
    sender_for("127.0.0.1", "::1", "::ffff:127.0.0.5", networks=["127.0.0.0/8", "::1/128"]).check(url)


@pytest.mark.parametrize(
    "url", ["http://inside.example:8099/x", "https://inside.example:8099/x", "http://inside.example/"]
)
def test_check_name_only_partly_inside_allowed_networks_gets_no_privilege(url: str) -> None:
    with pytest.raises(OutboundRefused):
        sender_for("127.0.0.1", "8.8.8.8", networks=["127.0.0.0/8"]).check(url)


def test_check_name_inside_another_network_than_the_allowed_is_refused() -> None:
    with pytest.raises(OutboundRefused):
        sender_for("10.0.0.1", networks=["127.0.0.0/8"]).check("https://inside.example/x")


def test_check_http_to_a_global_address_passes_only_where_allowed() -> None:
    sender_for("8.8.8.8", allow_http=True).check("http://hooks.example/x")
    with pytest.raises(OutboundRefused):
        sender_for("8.8.8.8").check("http://hooks.example/x")
    with pytest.raises(OutboundRefused):
        sender_for("10.0.0.1", allow_http=True).check("http://hooks.example/x")
    with pytest.raises(OutboundRefused):
        sender_for("8.8.8.8", allow_http=True).check("http://hooks.example:8080/x")


def test_refusals_for_different_reasons_read_the_same_and_tell_nothing() -> None:
    texts = set()
    for url, address in [
        ("https://user:hunter2@hooks.example/x", "8.8.8.8"),
        ("https://hooks.example/token-123", "10.1.2.3"),
        ("http://hooks.example/token-123", "8.8.8.8"),
        ("https://hooks.example:22/token-123", "8.8.8.8"),
    ]:
        with pytest.raises(OutboundRefused) as caught:
            sender_for(address).check(url)
        texts.add(str(caught.value))
    assert len(texts) == 1
    text = texts.pop()
    assert not any(word in text for word in ("hunter2", "token", "10.", "example"))
