"""The one file that speaks SMTP: what it writes, how it connects, what each answer means, and that it ends in time."""

import contextlib
import email
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.adapters.mail import Mailer
from moderation.domain.identity import canonical_email
from moderation.domain.notice import Letter
from moderation.errors import MailFailed
from moderation.settings import Settings
from tests.conftest import make_settings
from tests.mail.conftest import ACCOUNT, FROM, Keeper, MailServer, free_port, text_of, with_mail

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
STOP = f"https://comments.example/notices/stop?t={'a' * 90}.{'b' * 43}"
LETTER = Letter(to="ana@example.org", from_name="The News", subject="A reply", text="Hello.\n", stop_url=STOP)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path, "sqlite:///x", public_url="https://comments.example")


@pytest.fixture
def post(settings: Settings, trusting: ssl.SSLContext) -> Callable[..., None]:
    """Send a letter by a server of the tests."""

    def send(port: int, letter: Letter = LETTER, tls: ssl.SSLContext | None = trusting, **changes: Any) -> None:
        Mailer(with_mail(settings, port, **changes), tls=tls).send(letter, "0123", NOW)

    return send


def failure(post: Callable[..., None], *args: Any, **options: Any) -> MailFailed:
    with pytest.raises(MailFailed) as caught:
        post(*args, **options)
    assert "example.org" not in str(caught.value)
    return caught.value


def test_send_by_starttls_writes_all_headers(post: Callable[..., None], mail_server: MailServer) -> None:
    post(mail_server.port)
    keeper = mail_server.keeper
    (mail,) = keeper.mails
    assert (keeper.to, keeper.senders, keeper.was_secure) == (["ana@example.org"], [FROM], [True])
    assert keeper.greetings == ["comments.example"]
    assert mail["From"] == f"The News <{FROM}>"
    assert mail["To"] == "ana@example.org"
    assert mail["Message-ID"] == "<0123@comments.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOW
    assert f"\r\nList-Unsubscribe: <{STOP}>\r\n".encode() in keeper.raw[0]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.get_content_type() == "text/plain"
    assert text_of(mail) == "Hello.\n"


def test_send_a_text_with_a_long_link_leaves_it_in_one_piece(
    post: Callable[..., None], mail_server: MailServer
) -> None:
    post(mail_server.port, Letter("ana@example.org", "The News", "A reply", f"Look:\n{STOP}\n", STOP))
    post(mail_server.port, Letter("ana@example.org", "The News", "A reply", f"Schön:\n{STOP}\n", STOP))
    plain, encoded = mail_server.keeper.raw
    assert f"\r\n{STOP}\r\n".encode() in plain
    assert encoded.isascii()
    assert text_of(mail_server.keeper.mails[1]) == f"Schön:\n{STOP}\n"


def test_send_without_stop_url_has_no_unsubscribe_headers(post: Callable[..., None], mail_server: MailServer) -> None:
    post(mail_server.port, Letter("ana@example.org", "The News", "A reply", "Hello.\n"))
    (mail,) = mail_server.keeper.mails
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None


def test_send_with_an_account_logs_in_over_tls(
    post: Callable[..., None], mail_servers: Callable[..., MailServer]
) -> None:
    server = mail_servers(auth_required=True)
    post(server.port, smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1])
    assert server.keeper.users == [ACCOUNT[0]]
    assert server.keeper.was_secure == [True]
    wrong = failure(post, server.port, smtp_user=ACCOUNT[0], smtp_password="another")
    assert (wrong.is_final, wrong.is_of_server) == (False, True)
    assert "another" not in str(wrong)


def test_send_by_tls_from_the_start_is_secure(post: Callable[..., None], certificate: Path) -> None:
    from aiosmtpd.controller import Controller

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    keeper = Keeper()
    controller = Controller(keeper, hostname="127.0.0.1", port=free_port(), ssl_context=tls)
    controller.start()
    try:
        post(controller.port, smtp_security="tls")
    finally:
        controller.stop()
    assert keeper.to == ["ana@example.org"]


def test_send_to_a_server_that_nobody_vouches_for_is_refused(
    post: Callable[..., None], mail_server: MailServer
) -> None:
    error = failure(post, mail_server.port, tls=ssl.create_default_context())
    assert "certificate" in str(error)
    assert error.is_of_server
    assert mail_server.keeper.mails == []


def test_send_to_a_server_of_another_name_is_refused(post: Callable[..., None], mail_server: MailServer) -> None:
    error = failure(post, mail_server.port, smtp_host="localhost")
    assert "certificate" in str(error)
    assert mail_server.keeper.mails == []


def test_send_where_starttls_is_not_offered_never_goes_on_in_the_clear(
    post: Callable[..., None], mail_servers: Callable[..., MailServer]
) -> None:
    server = mail_servers(require_starttls=None, tls_context=None)
    error = failure(post, server.port)
    assert "STARTTLS" in str(error)
    assert error.is_of_server
    assert server.keeper.mails == []
    post(server.port, smtp_security="none")
    assert server.keeper.was_secure == [False]


@pytest.mark.parametrize(
    ("answers", "is_final", "is_of_server"),
    [
        ({"RCPT": "550 5.1.1 <ADDRESS> is not here"}, True, False),
        ({"RCPT": "450 4.2.1 <ADDRESS> is busy"}, False, False),
        ({"RCPT": "421 too many"}, False, True),
        ({"DATA": "554 5.7.1 spam, says ana@example.org"}, True, False),
        ({"DATA": "451 4.3.0 later"}, False, False),
        ({"MAIL": "550 5.7.1 not you"}, False, True),
        ({"MAIL": "451 later"}, False, True),
    ],
)
def test_send_that_is_refused_says_whether_to_try_again(
    post: Callable[..., None], mail_server: MailServer, answers: dict[str, str], is_final: bool, is_of_server: bool
) -> None:
    mail_server.keeper.answers = answers
    error = failure(post, mail_server.port)
    assert (error.is_final, error.is_of_server) == (is_final, is_of_server)


def test_send_where_nobody_listens_is_of_the_server(post: Callable[..., None]) -> None:
    error = failure(post, free_port())
    assert (error.is_final, error.is_of_server) == (False, True)


def test_send_to_an_international_address_needs_a_server_that_takes_them(
    post: Callable[..., None], mail_servers: Callable[..., MailServer]
) -> None:
    letter = Letter("jörg@xn--bcher-kva.example", "The News", "A reply", "Hello.\n")
    able, unable = mail_servers(), mail_servers(enable_SMTPUTF8=False)
    post(able.port, letter)
    assert able.keeper.to == ["jörg@xn--bcher-kva.example"]
    assert "jörg@xn--bcher-kva.example".encode() in able.keeper.raw[0]
    with pytest.raises(MailFailed, match="SMTPUTF8") as caught:
        post(unable.port, letter)
    assert caught.value.is_final
    assert unable.keeper.mails == []


@pytest.fixture
def speaking() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """A server that does to each connection what a function says."""
    listeners: list[socket.socket] = []

    def serve(speak: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=until_closed, args=(speak, connection), daemon=True).start()
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield serve
    for listener in listeners:
        listener.close()


def until_closed(speak: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        speak(connection)


def silent(connection: socket.socket) -> None:
    time.sleep(30)


def dripping(connection: socket.socket) -> None:
    for _ in range(300):
        connection.sendall(b"2")
        time.sleep(0.1)


def endless(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"220-more of it\r\n" * 1_000)


def silent_after_data(connection: socket.socket) -> None:
    connection.sendall(b"220 here\r\n")
    lines = connection.makefile("rb")
    for line in lines:
        if line.upper().startswith(b"DATA"):
            connection.sendall(b"354 go on\r\n")
            time.sleep(30)
        connection.sendall(b"250 fine\r\n")


def silent_after_starttls(connection: socket.socket) -> None:
    connection.sendall(b"220 here\r\n")
    for line in connection.makefile("rb"):
        if line.upper().startswith(b"EHLO"):
            connection.sendall(b"250-here\r\n250 STARTTLS\r\n")
        else:
            connection.sendall(b"220 go on\r\n")
            time.sleep(30)


@pytest.mark.parametrize(
    ("speak", "security"),
    [
        (silent, "none"),
        (silent, "tls"),
        (dripping, "none"),
        (endless, "none"),
        (silent_after_data, "none"),
        (silent_after_starttls, "starttls"),
    ],
)
def test_send_to_a_server_that_hangs_ends_in_time(
    post: Callable[..., None], speaking: Callable[..., int], speak: Any, security: str
) -> None:
    started = time.monotonic()
    error = failure(post, speaking(speak), smtp_security=security, smtp_timeout_s=1.0)
    assert time.monotonic() - started < 2.5
    assert (error.is_final, error.is_of_server) == (False, True)


def test_send_whose_name_does_not_resolve_is_of_the_server(post: Callable[..., None]) -> None:
    error = failure(post, 25, smtp_host="nowhere.invalid")
    assert "does not resolve" in str(error)
    assert error.is_of_server


HOSTILE = [
    "=?utf-8?q?=0D=0ABcc=3A_eve=40evil.example?=",
    "==?utf-8?b?DQpCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=",
    "\r\nBcc: eve@evil.example",
    "a\nX-Evil: 1",
    "\u2028To: x@y.example",
    '"<eve@evil.example>, "',
    "\x00\x1b[31m",
]


@pytest.mark.parametrize("text", [*HOSTILE, "Ü" * 5_000, "الأخبار", "𝕏" * 300, ""])
def test_send_with_a_hostile_name_writes_no_header_of_its(
    post: Callable[..., None], mail_server: MailServer, text: str
) -> None:
    post(mail_server.port, Letter("ana@example.org", f"The {text} News", f"From {text}", "Hello.\n"))
    (raw,) = mail_server.keeper.raw
    head = raw.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(names) == len(set(names))
    assert not {b"Bcc", b"X-Evil"} & set(names)
    (mail,) = mail_server.keeper.mails
    assert [one.addr_spec for one in mail["From"].addresses] == [FROM]
    assert [one.addr_spec for one in mail["To"].addresses] == ["ana@example.org"]
    assert mail_server.keeper.to == ["ana@example.org"]


@pytest.mark.parametrize(
    "typed",
    [
        "a=b?c=@example.org",
        "a'b{}|~`%s@example.org",
        "-ooutput@example.org",
        f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 55}.example",
        "ü=b@example.org",
    ],
)
def test_send_to_an_odd_address_writes_it_and_nothing_else(
    post: Callable[..., None], mail_server: MailServer, typed: str
) -> None:
    """Whatever a reader may type for an address is one line, and the one recipient."""
    to = canonical_email(typed)
    post(mail_server.port, Letter(to, "The News", "A reply", "Hello.\n", STOP))
    (raw,) = mail_server.keeper.raw
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b"Hello.\r\n"
    assert f"To: {to}".encode() in head.split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(names) == len(set(names)) == 11
    assert mail_server.keeper.to == [to]


@pytest.mark.parametrize(
    "to",
    [
        "=?utf-8?q?=0d=0abcc=3a_eve=40evil.example?=@example.org",
        "=?utf-8?q?=0d=0a=0d=0abuy_pills?=@example.org",
        "=?utf-8?b?dqpcy2m6igv2zq==?=@example.org",
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example c@d.example",
        "a\x00@b.example",
    ],
)
def test_send_to_an_address_that_breaks_out_of_its_header_is_final(
    post: Callable[..., None], mail_server: MailServer, to: str
) -> None:
    with pytest.raises(MailFailed, match="cannot be written") as caught:
        post(mail_server.port, Letter(to, "The News", "A reply", "Hello.\n"))
    assert caught.value.is_final
    assert mail_server.keeper.mails == []


@given(name=st.text(max_size=400), subject=st.text(max_size=400), text=st.text(max_size=2_000))
def test_write_any_text_reads_back_as_one_mail_to_one_address(name: str, subject: str, text: str) -> None:
    text = "".join(char for char in text if not "\ud800" <= char <= "\udfff").replace("\r", "\n")
    name, subject = ("".join(char for char in one if not "\ud800" <= char <= "\udfff") for one in (name, subject))
    mailer = Mailer(with_mail(make_settings(Path("x"), "sqlite:///x", public_url="https://comments.example"), 25))
    raw = mailer._written(Letter("ana@example.org", name, subject, text + "\n"), "0123", NOW).as_bytes()
    read = email.message_from_bytes(raw, policy=SMTP)
    names = [header for header, _ in read.items()]
    assert len(names) == len(set(names))
    assert set(names) <= {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
        "MIME-Version",
    }  # fmt: skip
    assert [one.addr_spec for one in read["To"].addresses] == ["ana@example.org"]
    assert [one.addr_spec for one in read["From"].addresses] == [FROM]
