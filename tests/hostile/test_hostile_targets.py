"""Where a webhook may lead: every trick of addresses, names and redirects ends outside, or nowhere."""

import ipaddress
import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from moderation.adapters import safe_http
from moderation.adapters.safe_http import Address, Sender, is_global, unwrapped
from moderation.domain.actor import CLI
from moderation.errors import OutboundFailed, OutboundRefused
from moderation.services import deliver
from moderation.services.parts import Parts

V4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
INSIDE_V4 = st.sampled_from(
    ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"]
).flatmap(
    lambda text: st.integers(0, ipaddress.ip_network(text).num_addresses - 1).map(
        lambda number: ipaddress.IPv4Address(int(ipaddress.ip_network(text).network_address) + number)
    )
)


def wrapped(address: ipaddress.IPv4Address) -> list[str]:
    """The ways to write an IPv4 address as an IPv6 one that some machine between here and there takes for it."""
    number = int(address)
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    flipped = number ^ 0xFFFFFFFF
    return [
        f"::ffff:{address}",  # mapped
        f"::{address}",  # compatible
        f"::ffff:0:{address}",  # translated (SIIT)
        f"64:ff9b::{address}",  # NAT64
        f"64:ff9b:1::{address}",  # NAT64, local use
        f"2002:{high}:{low}::1",  # 6to4
        f"2001:0:{high}:{low}::1",  # Teredo, by its server
        f"2001:0:808:808:0:0:{flipped >> 16:x}:{flipped & 0xFFFF:x}",  # Teredo, by its client
        f"fe80::5efe:{address}",  # ISATAP
    ]


def resolving_to(*addresses: str) -> Sender:
    return Sender(timeout_s=5, resolve=lambda _host, _port: addresses)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a connection was tried to; none is made."""
    found: list[str] = []

    def connect(address: Address, _port: int, _timeout_s: float) -> socket.socket:
        found.append(str(address))
        raise OSError

    monkeypatch.setattr(safe_http, "_connect", connect)
    return found


@given(INSIDE_V4)
def test_inside_address_in_any_wrapping_is_refused(address: ipaddress.IPv4Address) -> None:
    assert not is_global(address)
    for text in wrapped(address):
        assert not is_global(ipaddress.ip_address(text)), text
        with pytest.raises(OutboundRefused):
            resolving_to(text).check("https://hooks.example/")
        with pytest.raises(OutboundRefused):
            resolving_to("8.8.8.8").check(f"https://[{text}]/")


@given(V4)
def test_wrapped_address_is_never_let_in_where_the_plain_one_is_not(address: ipaddress.IPv4Address) -> None:
    for text in wrapped(address):
        assert is_global(address) or not is_global(ipaddress.ip_address(text)), text


@given(st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address))
def test_address_that_is_let_in_is_global_by_the_registries_too(address: ipaddress.IPv6Address) -> None:
    plain = unwrapped(address)
    inside = (plain.is_multicast, plain.is_private, plain.is_reserved, plain.is_link_local, not plain.is_global)
    assert not (is_global(address) and any(inside))


@pytest.mark.parametrize("text", ["2606:4700::1111%lo", "::ffff:8.8.8.8%1", "2a00:1450::1%eth0", "fe80::1%2", "::1%lo"])
def test_address_with_a_zone_is_refused_whatever_it_is(text: str) -> None:
    """A zone names an interface of this machine: no public host has one."""
    with pytest.raises(OutboundRefused):
        resolving_to(text).check("https://hooks.example/")


def test_flood_of_addresses_is_judged_whole_and_few_are_tried(tried: list[str]) -> None:
    many = [f"8.8.{number // 250}.{number % 250 + 1}" for number in range(5_000)]
    with pytest.raises(OutboundFailed, match="cannot be reached"):
        resolving_to(*many).post("https://hooks.example/", headers={}, body=b"")
    assert len(tried) == safe_http.MAX_ADDRESSES
    with pytest.raises(OutboundRefused):
        resolving_to(*many, "10.0.0.1").post("https://hooks.example/", headers={}, body=b"")
    assert len(tried) == safe_http.MAX_ADDRESSES


def test_name_that_turns_inside_at_any_moment_is_never_connected_to(tried: list[str]) -> None:
    """Each answer of its name server differs: public when saved, inside when sent, both at once, public again."""
    answers: list[Sequence[str]] = [
        ["8.8.8.8"],
        ["127.0.0.1"],
        ["8.8.8.8", "169.254.169.254"],
        ["::ffff:10.0.0.1"],
        [],
        ["1.1.1.1"],
    ]
    told = iter(answers)
    sender = Sender(timeout_s=5, resolve=lambda _host, _port: next(told))
    sender.check("https://rebind.example/")
    for _ in answers[1:-1]:
        with pytest.raises(OutboundRefused):
            sender.post("https://rebind.example/", headers={}, body=b"")
    assert tried == []
    with pytest.raises(OutboundFailed, match="cannot be reached"):
        sender.post("https://rebind.example/", headers={}, body=b"")
    assert tried == ["1.1.1.1"]


def test_connection_that_ends_elsewhere_than_at_the_checked_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a firewall's rule, or a socket that something replaced: what the kernel says of the other side counts."""
    listener = socket.create_server(("127.0.0.1", 0))
    real = socket.socket.connect
    port = listener.getsockname()[1]
    monkeypatch.setattr(socket.socket, "connect", lambda self, _to: real(self, ("127.0.0.1", port)))
    with pytest.raises(OutboundFailed):
        resolving_to("8.8.8.8").post("https://hooks.example/", headers={}, body=b"secret")
    listener.setblocking(False)
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(1) == b"", "not a byte was sent"
    listener.close()


def _url_cases() -> list[dict[str, Any]]:
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        pytest.skip("HOSTILE_FIXTURES is not set")
    cases = json.loads((Path(folder) / "url" / "urltestdata.json").read_text("utf-8"))
    return [case for case in cases if isinstance(case, dict)]


def test_host_is_the_one_that_browsers_read_or_the_url_is_refused() -> None:
    """No URL of the WHATWG's tests leads us to another host than it says; what it calls a failure is none of ours."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"]

    sender, accepted = Sender(allow_http=True, timeout_s=5, resolve=resolve), 0
    for case in _url_cases():
        asked.clear()
        try:
            sender.check(case["input"])
        except OutboundRefused:
            continue
        accepted += 1
        if case.get("failure"):
            assert "xn--" in asked[0], case["input"]  # no such name can be registered: its resolver says so
        else:
            assert asked == [case["hostname"]] or is_global(ipaddress.ip_address(case["hostname"])), case["input"]
    assert accepted > 20


@pytest.fixture
def inside() -> Iterator[tuple[str, list[bytes]]]:
    """A service inside our network, which nobody from outside may reach; and what reached it."""
    got: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                got.append(connection.recv(65_536))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/admin", got
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_endpoint_by_api_to_an_inside_address_is_refused_in_the_same_words_for_all(
    client: FlaskClient, people: Any, inside: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch, parts: Parts
) -> None:
    """No answer tells an open port from a closed one, or a machine that is there from one that is not."""
    monkeypatch.setattr(parts.sender, "_allow_networks", ())
    url, got = inside
    said = set()
    for target in (url, "http://127.0.0.1:1/", "https://10.0.0.1/", "https://[fd00::1]/", "https://localhost/"):
        answer = client.post(
            "/api/v1/webhooks", json={"site": "news", "url": target, "events": []}, headers=people.bearer("admin")
        )
        assert answer.status_code == 422
        said.add(answer.text)
    assert len(said) == 1
    assert got == []


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_endpoint_whose_name_moved_inside_is_not_sent_to_nor_pinged(
    parts: Parts, people: Any, inside: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.sender, "_allow_networks", ())
    answers = iter([["8.8.8.8"], *([["127.0.0.1"]] * 3)])
    monkeypatch.setattr(parts.sender, "_resolve", lambda _host, _port: next(answers))
    endpoint_id: uuid.UUID = deliver.add_endpoint(parts, CLI, "news", "http://rebind.example/hook")["id"]
    pinged = deliver.ping_endpoint(parts, CLI, endpoint_id)
    assert (pinged["ok"], pinged["error"]) == (False, "This address is not allowed as a target.")
    assert inside[1] == []
