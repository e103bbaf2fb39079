"""A real mail server on this machine, with STARTTLS, and the application that sends by it."""

import contextlib
import datetime
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask

from moderation.adapters.mail import Mailer
from moderation.services import mailing
from moderation.services.parts import Parts
from moderation.settings import Settings

FROM = "comments@news.example"
ACCOUNT = ("moderation", "a password of the relay")


class Keeper:
    """What a mail server does with mails: keep them, or answer ``answers`` at RCPT, at DATA, or at MAIL."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.to: list[str] = []
        self.senders: list[str] = []
        self.answers: dict[str, str] = {}
        self.was_secure: list[bool] = []
        self.users: list[str] = []
        self.greetings: list[str] = []
        self.gate: threading.Event | None = None

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if "RCPT" in self.answers:
            return self.answers["RCPT"].replace("ADDRESS", address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.raw.append(envelope.content)
        self.mails.append(cast("EmailMessage", message_from_bytes(envelope.content, policy=SMTP)))
        self.to += envelope.rcpt_tos
        self.senders.append(envelope.mail_from)
        self.was_secure.append(session.ssl is not None)
        self.greetings.append(session.host_name)
        return "250 taken"

    def auth(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.users.append(data.login.decode())
        return AuthResult(success=(data.login.decode(), data.password.decode()) == ACCOUNT)


class MailServer:
    """A keeper behind a real socket."""

    def __init__(self, certificate: Path, **options: Any) -> None:
        self.keeper = Keeper()
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        by_option = {"require_starttls": True, "tls_context": tls, "enable_SMTPUTF8": True, **options}
        self._controller = Controller(
            self.keeper,
            hostname="127.0.0.1",
            port=free_port(),
            authenticator=self.keeper.auth,
            **{name: value for name, value in by_option.items() if value is not None},
        )
        self._controller.start()
        self.port = self._controller.port

    def close(self) -> None:
        with contextlib.suppress(AssertionError):
            self._controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, with its key, that nobody but these tests trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mail server of tests")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    """What verifies as the service does, and trusts the certificate of the tests' mail server."""
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def mail_servers(certificate: Path) -> Iterator[Callable[..., MailServer]]:
    """Make mail servers, by the options of aiosmtpd."""
    made: list[MailServer] = []

    def make(**options: Any) -> MailServer:
        made.append(MailServer(certificate, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def mail_server(mail_servers: Callable[..., MailServer]) -> MailServer:
    """A mail server with STARTTLS."""
    return mail_servers()


@pytest.fixture
def keeper(mail_server: MailServer) -> Keeper:
    """What the mail server got."""
    return mail_server.keeper


def with_mail(settings: Settings, port: int, **changes: Any) -> Settings:
    """Settings that send by a mail server of the tests."""
    return replace(
        settings, **{"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_from": FROM, "smtp_timeout_s": 10.0, **changes}
    )


@pytest.fixture
def mail_parts(
    app: Flask, parts: Parts, mail_server: MailServer, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> Parts:
    """The joined parts with a mail server; for requests, too."""
    settings = with_mail(parts.settings, mail_server.port)
    joined = replace(parts, settings=settings, mailer=Mailer(settings, tls=trusting))
    monkeypatch.setitem(app.extensions, "moderation", joined)
    return joined


@pytest.fixture
def send(mail_parts: Parts, keeper: Keeper) -> Callable[[], list[EmailMessage]]:
    """Send all that is due now; what arrived by that."""

    def all_due() -> list[EmailMessage]:
        before = len(keeper.mails)
        while mailing.send_due(mail_parts):
            pass
        return keeper.mails[before:]

    return all_due


def links_in(mail: EmailMessage) -> list[str]:
    """The addresses in a mail's text, as paths of the service."""
    return re.findall(r"http://127\.0\.0\.1:8080(/\S+)", text_of(mail))


def text_of(mail: EmailMessage) -> str:
    """A mail's text."""
    return str(mail.get_content()).replace("\r\n", "\n")


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
