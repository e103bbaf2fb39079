"""``moderation mail`` and ``moderation moderator set``: to try the settings, and to have a moderator told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mail.conftest import FROM, MailServer, certificate, free_port

__all__ = ["certificate"]


@pytest.fixture
def server(certificate: Path) -> Iterator[MailServer]:
    """A mail server on this machine without TLS, as a relay may be."""
    made = MailServer(certificate, require_starttls=None, tls_context=None)
    yield made
    made.close()


@pytest.fixture
def mail(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> MailServer:
    """The settings that send by it."""
    for name, value in {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "SMTP_SECURITY": "none",
        "SMTP_FROM": FROM,
        "SMTP_TIMEOUT_S": "2",
    }.items():
        monkeypatch.setenv(f"MODERATION_{name}", value)
    return server


def test_mail_test_sends_a_mail_now(
    home: Path, mail: MailServer, run: Callable[..., Any], run_json: Callable[..., Any]
) -> None:
    assert "has taken it" in run("mail", "test", "ops@news.example").stdout
    said = run_json("mail", "test", "ops@news.example")
    assert said["ok"]
    assert said["error"] == ""
    assert mail.keeper.to == ["ops@news.example"] * 2
    assert "can send mail" in mail.keeper.raw[0].decode()


def test_mail_test_that_fails_says_why_and_ends_with_1(
    home: Path, mail: MailServer, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.keeper.answers = {"RCPT": "550 <ADDRESS> is not here"}
    assert "refused the address (550)" in run("mail", "test", "ops@news.example", status=1).stderr
    monkeypatch.setenv("MODERATION_SMTP_PORT", str(free_port()))
    assert "cannot be reached" in run("mail", "test", "ops@news.example", status=1).stderr


def test_mail_test_with_nonsense_ends_with_2(home: Path, mail: MailServer, run: Callable[..., Any]) -> None:
    for wrong in ("nonsense", "a@b", "a@b.example\r\nBcc: c@d.example", ""):
        assert "Traceback" not in run("mail", "test", wrong, status=2).stderr
    run("mail", "test", status=2)
    assert mail.keeper.to == []


def test_mail_test_without_a_mail_server_says_so(home: Path, run: Callable[..., Any]) -> None:
    assert "SMTP_HOST" in run("mail", "test", "ops@news.example", status=1).stderr
    assert "Mail is off" in run("mail", "status").stdout


def test_mail_status_counts_what_waits(
    home: Path, mail: MailServer, run: Callable[..., Any], run_json: Callable[..., Any]
) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    run("moderator", "add", "Mira", "--role", "moderator", "--site", "news")
    said = run_json("moderator", "set", "Mira", "email=mira@example.org", "digest=daily")
    assert {name: said[name] for name in ("name", "address", "confirmed", "digest")} == {
        "name": "Mira",
        "address": "m…@example.org",
        "confirmed": False,
        "digest": "daily",
    }
    status = run_json("mail", "status")
    assert status == {"on": True, "mails": [{"kind": "address", "state": "pending", "number": 1}], "errors": []}
    assert "address" in run("mail", "status").stdout


def test_moderator_set_takes_the_address_away_and_refuses_nonsense(
    home: Path, mail: MailServer, run: Callable[..., Any]
) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    run("moderator", "add", "Mira", "--role", "moderator", "--site", "news")
    assert "sends a mail with a link" in run("moderator", "set", "Mira", "email=mira@example.org").stderr
    assert "has no address" in run("moderator", "set", "Mira", "email=").stdout
    run("moderator", "set", "Mira", "colour=red", status=2)
    run("moderator", "set", "Mira", "email", status=2)
    run("moderator", "set", "Mira", status=2)
    assert "digest" in run("moderator", "set", "Mira", "digest=weekly", status=1).stderr
    assert "email" in run("moderator", "set", "Mira", "email=nonsense", status=1).stderr
    run("moderator", "set", "Nobody", "digest=off", status=1)


def test_moderator_set_without_a_mail_server_is_refused(home: Path, run: Callable[..., Any]) -> None:
    run("site", "add", "news", "--origin", "https://news.example")
    run("moderator", "add", "Mira", "--role", "moderator", "--site", "news")
    assert "SMTP_HOST" in run("moderator", "set", "Mira", "digest=daily", status=1).stderr
