"""Mail: the only file that speaks SMTP. One mail a connection, TLS verified, one deadline over everything.

The standard library's ``smtplib`` carries the protocol (RFC 5321, 6531, 8314), ``email`` writes the message (RFC 5322).
What a server says is read as a number alone: its words repeat addresses, and would end up in logs.
"""

import contextlib
import http.client
import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any
from urllib.parse import urlsplit

from moderation.adapters.safe_http import MAX_ADDRESSES, _connect_to_any, _Deadline, _in_time, _Wire, system_resolve
from moderation.domain.notice import Letter
from moderation.errors import MailFailed, OutboundFailed
from moderation.settings import Settings

MAX_HEADER_CHARS = 200
"""The longest name or subject; what is longer is cut."""

MAX_LINE_CHARS = 998
"""RFC 5322, 2.1.1."""

_BUSY = 421
"""RFC 5321, 4.2.1: the server closes the connection; it says nothing of the mail."""


class Mailer:
    """Sends mails by the server of the settings. Safe to share between threads. ``tls`` is a seam for tests."""

    def __init__(self, settings: Settings, *, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._tls = tls
        self._own_host = urlsplit(settings.public_url).hostname or "localhost"

    def send(self, letter: Letter, message_id: str, now: datetime) -> None:
        """Hand one mail to the server. ``message_id`` is the same on every try, so that a mailbox sees twins.

        Returns when the server has taken it. Raises ``MailFailed``: ``is_final`` where this mail is never to be taken,
        ``is_of_server`` where the server is away, or will not have us, and nothing was said of this mail.
        """
        try:
            message = self._written(letter, message_id, now)
            message.as_bytes(policy=_POLICY.clone(utf8=not letter.to.isascii()))
        except Exception:  # noqa: BLE001 (the library has many; one such mail must not keep all others back)
            raise MailFailed("The mail cannot be written.", is_final=True) from None
        deadline = _Deadline(self._settings.smtp_timeout_s)
        with _worded(deadline), self._connected(deadline) as client:
            client.send_message(message, self._settings.smtp_from, [letter.to])

    def _written(self, letter: Letter, message_id: str, now: datetime) -> EmailMessage:
        message = EmailMessage(policy=_POLICY)
        message["From"] = _sender(self._settings.smtp_from, _one_line(letter.from_name))
        message["To"] = letter.to
        message["Subject"] = _one_line(letter.subject)
        message["Date"] = now
        message["Message-ID"] = f"<{message_id}@{self._own_host}>"
        # RFC 3834: nobody's out-of-office reply is to answer this.
        message["Auto-Submitted"] = "auto-generated"
        if letter.stop_url is not None:
            message["List-Unsubscribe"] = f"<{letter.stop_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        # As it is where that can be: a link that is cut into lines is whole again only for programs that know how.
        is_plain = letter.text.isascii() and all(len(line) <= MAX_LINE_CHARS for line in letter.text.splitlines())
        message.set_content(letter.text, cte="7bit" if is_plain else None)
        return message

    @contextlib.contextmanager
    def _connected(self, deadline: _Deadline) -> Iterator["_Client"]:
        settings = self._settings
        tls = self._tls or ssl.create_default_context()
        client = _Client(
            settings, deadline, tls if settings.smtp_security == "tls" else None, _greeting(self._own_host)
        )
        try:
            if settings.smtp_security == "starttls":
                # Raises where the server does not offer it: a mail never goes on in the clear instead.
                client.starttls(context=tls)
            if settings.smtp_user:
                client.login(settings.smtp_user, settings.smtp_password)
            yield client
            # It was taken by now, whatever the server says to this.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()
        finally:
            client.close()


class _Policy(EmailPolicy):
    """The library's, but headers that programs read are written as they are, and nothing is read into them.

    It would decode what looks like an encoded word (RFC 2047) in an address that a reader typed, and let line breaks
    out of it; and it would write a long address of a page as encoded words. An address with such a word is not
    written at all: a receiver may be as obliging.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if name not in _AS_IT_IS:
            return super().header_store_parse(name, value)
        if not value.isprintable() or " " in value or (name == "To" and "=?" in value):
            raise ValueError("what is, or may become, more than one header")
        return name, value

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name in _AS_IT_IS:
            return f"{name}: {value}\r\n".encode("utf-8" if self.utf8 else "ascii")
        return super().fold_binary(name, value)


_AS_IT_IS = frozenset({"To", "Message-ID", "List-Unsubscribe"})
_POLICY = _Policy(linesep="\r\n")


class _Client(smtplib.SMTP):
    """The library's client, with every wait measured against one deadline, and what it reads against a budget."""

    def __init__(self, settings: Settings, deadline: _Deadline, tls: ssl.SSLContext | None, greeting: str) -> None:
        self._deadline = deadline
        self._from_the_start = tls
        super().__init__(settings.smtp_host, settings.smtp_port, local_hostname=greeting, timeout=deadline.left_s())

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        texts = _in_time(lambda: system_resolve(host, port), self._deadline)
        addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
        sock = _connect_to_any(addresses[:MAX_ADDRESSES], port, self._deadline)
        sock.settimeout(self._deadline.left_s())
        return self._from_the_start.wrap_socket(sock, server_hostname=host) if self._from_the_start else sock

    def getreply(self) -> tuple[int, bytes]:
        sock = _open(self.sock)
        if self.file is None:
            self.file = _Wire(sock, self._deadline).makefile("rb")
        reply = super().getreply()
        # For the handshake of STARTTLS, which the library begins by itself. An answer that came is not late.
        with contextlib.suppress(TimeoutError):
            sock.settimeout(self._deadline.left_s())
        return reply

    def send(self, s: Any) -> None:
        view = memoryview(s.encode(self.command_encoding) if isinstance(s, str) else s)
        sock = _open(self.sock)
        try:
            while view:
                sock.settimeout(self._deadline.left_s())
                view = view[sock.send(view) :]
        except OSError:
            self.close()
            raise


def _open(sock: socket.socket | None) -> socket.socket:
    if sock is None:
        raise smtplib.SMTPServerDisconnected("please run connect() first")
    return sock


@contextlib.contextmanager
def _worded(deadline: _Deadline) -> Iterator[None]:
    """Turn whatever went wrong into one of a few sentences, which hold nothing that the server said."""
    try:
        yield
    except OutboundFailed as error:
        raise MailFailed(error.detail, is_of_server=True) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _answered("the address", next(iter(error.recipients.values()))[0]) from None
    except smtplib.SMTPDataError as error:
        raise _answered("the mail", error.smtp_code) from None
    except smtplib.SMTPNotSupportedError as error:
        raise _not_supported(error) from None
    except smtplib.SMTPAuthenticationError as error:
        raise MailFailed(f"The mail server refused the log-in ({error.smtp_code}).", is_of_server=True) from None
    except smtplib.SMTPSenderRefused as error:
        raise MailFailed(f"The mail server refused the sender ({error.smtp_code}).", is_of_server=True) from None
    except smtplib.SMTPResponseException as error:
        raise MailFailed(f"The mail server answered {error.smtp_code}.", is_of_server=True) from None
    except ssl.SSLCertVerificationError:
        raise MailFailed("The certificate of the mail server is not valid for its name.", is_of_server=True) from None
    except (OSError, smtplib.SMTPException, http.client.HTTPException, ValueError) as error:
        raise MailFailed(_broken_off(error, deadline), is_of_server=True) from None


def _answered(what: str, code: int) -> MailFailed:
    """RFC 5321, 4.2.1: 5yz is final, 4yz is to be tried again."""
    return MailFailed(f"The mail server refused {what} ({code}).", is_final=code >= 500, is_of_server=code == _BUSY)


def _not_supported(error: smtplib.SMTPNotSupportedError) -> MailFailed:
    if "SMTPUTF8" in str(error):
        return MailFailed("The mail server takes no international addresses (SMTPUTF8).", is_final=True)
    return MailFailed("The mail server does not offer STARTTLS, or no log-in that we know.", is_of_server=True)


def _broken_off(error: Exception, deadline: _Deadline) -> str:
    try:
        deadline.left_s()
    except TimeoutError:
        return "The mail server did not answer in time."
    if isinstance(error, ssl.SSLError):
        return "The mail server does not speak TLS as it should."
    return "The connection to the mail server broke off."


def _sender(address: str, name: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _one_line(text: str) -> str:
    """Text for a header: what could end the line, or is not to be seen, is a blank; never longer than 200.

    The library decodes what looks like an encoded word (RFC 2047) in a value, and line breaks out of it.
    """
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())[:MAX_HEADER_CHARS].replace("=?", "= ?")


def _greeting(host: str) -> str:
    """How we name ourselves: not by this machine's own name, which is nobody's business (RFC 5321, 4.1.3)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
