"""What the tests that attack share: payloads written by others, a reader of HTML that is not ours, real servers.

The payloads lie in the folder that HOSTILE_FIXTURES names; without it their tests are skipped and say so. Of the
thousands of lines a part is sent, and another one on each engine; HOSTILE_ALL=1 sends all.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from justhtml import JustHTML

from moderation.app import create_app
from moderation.cli import main
from moderation.domain.actor import CLI
from moderation.services import accounts, sites
from tests.conftest import People, dispose, make_people, make_settings
from tests.pages.test_console_pages import PASSWORD, log_in

STRIDE = 1 if os.environ.get("HOSTILE_ALL") else 60
CORAL_SECRET = "c0ffee" * 6

PROSE_TAGS = frozenset({"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "strong", "ul"})
"""What a reader's text may come out as: written down here a second time, so that a slip in the service shows."""

LINK_RELS = {"nofollow", "ugc", "noopener", "noreferrer"}
_ADDRESS_ATTRIBUTES = frozenset({"href", "src", "action", "formaction", "cite", "data", "poster", "background"})
_NO_PAGE_HAS = frozenset(
    {"object", "embed", "applet", "svg:script", "math", "noscript", "template", "frame", "frameset"}
)


def fixtures(*path: str) -> Path:
    """A file or folder of payloads; skips the test where they are not there."""
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        pytest.skip("HOSTILE_FIXTURES is not set")
    return Path(folder, *path)


def payloads(first: int = 0) -> list[str]:
    """Lines of the corpora: all patterns and cells, and a part of the scripts, naughty strings and addresses."""
    scripts = fixtures("payloadbox-xss", "xss-payload-list.txt").read_text("utf-8", "replace").splitlines()
    naughty = json.loads(fixtures("blns", "blns.json").read_text("utf-8"))
    urls = [one["input"] for one in url_tests()]
    cells = fixtures("csv-injection", "csv-payload.txt").read_text("utf-8").splitlines()
    patterns = json.loads(fixtures("redos", "patterns.json").read_text("utf-8"))["patterns"]
    few = min(STRIDE, 4)
    lines = [*scripts[first::STRIDE], *naughty[first % few :: few], *urls[first :: 3 * few], *cells, *patterns]
    return [line for line in lines if line.strip()]


def url_tests() -> list[dict[str, Any]]:
    """The tests of the URL standard."""
    found = json.loads(fixtures("url", "urltestdata.json").read_text("utf-8"))
    return [one for one in found if isinstance(one, dict)]


def encodable(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, which no form and no JSON in UTF-8 can carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- reading what came out ------------------------------------------------------------------------------------------


def nodes(html: str, *, fragment: bool) -> Iterator[Any]:
    """Every node of a text, as a browser would read it; by a parser that none of our sanitizers uses."""
    waiting = [JustHTML(html, sanitize=False, fragment=fragment).root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += list(node.children or ())
        if getattr(node, "template_content", None) is not None:
            waiting.append(node.template_content)


def wrong_in_prose(html: str) -> list[str]:
    """What stands in a comment's HTML beside the tags, attributes and addresses that may."""
    wrong = []
    for node in nodes(html, fragment=True):
        if node.name in {"#document-fragment", "#text"}:
            continue
        attributes = dict(node.attrs or {})
        allowed = {"href", "rel"} if node.name == "a" else set()
        if node.name not in PROSE_TAGS or set(attributes) != allowed:
            wrong.append(f"<{node.name} {attributes}>")
        elif node.name == "a" and (
            not is_safe_address(attributes["href"]) or set(attributes["rel"].split()) != LINK_RELS
        ):
            wrong.append(f"a {attributes}")
    return wrong


def wrong_in_page(html: str) -> list[str]:
    """What stands in a page that no page of ours has: script, style or event inside it, or an address that runs."""
    wrong = []
    for node in nodes(html, fragment=False):
        if node.name.startswith("#") or node.name == "!doctype":
            if node.name == "#comment":
                wrong.append(f"<!--{node.data}-->")
            continue
        attributes = dict(node.attrs or {})
        if node.name in _NO_PAGE_HAS or (node.name == "base" and set(attributes) != {"target"}):
            wrong.append(f"<{node.name}>")
        if node.name in {"script", "style"} and any((child.data or "").strip() for child in node.children or ()):
            wrong.append(f"<{node.name}> with content")
        for name, value in attributes.items():
            if name.startswith("on") or name in {"style", "srcdoc", "formaction"} or not name.isprintable():
                wrong.append(f"<{node.name} {name}={value}>")
            if name in _ADDRESS_ATTRIBUTES and not (is_safe_address(value) or _is_own(value)):
                wrong.append(f"<{node.name} {name}={value}>")
    return wrong


def is_safe_address(value: str | None) -> bool:
    """Whether an address is plain ASCII, http or https, with a host and nobody's name in it."""
    if value is None or not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        return False
    try:
        split = urlsplit(value)
        return split.scheme in {"http", "https"} and bool(split.hostname) and "@" not in split.netloc
    except ValueError:
        return False


def _is_own(value: str | None) -> bool:
    """Whether an address stays on the page's own host: a path, a query or a fragment."""
    return value is not None and (
        value == "" or value[0] in "?#" or (value[0] == "/" and value[1:2] not in {"/", "\\"})
    )


# --- applications ---------------------------------------------------------------------------------------------------


class Target:
    """An application with its people and a moderator's browser, all within the process."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.parts = app.extensions["moderation"]
        self.client: FlaskClient = app.test_client()
        with app.app_context():
            self.people: People = make_people(self.parts, akismet=True, perspective=True)
            unlimited = dict.fromkeys(("scorer_rate", "preview_rate", "report_rate", "vote_rate"), "none")
            sites.change_site(self.parts, CLI, "news", settings={**unlimited, "coral_secret": CORAL_SECRET})
            accounts.add_moderator(self.parts, CLI, "mira", PASSWORD, "admin", "*")
        self.browser, _ = log_in(app, "mira")

    def call(self, method: str, path: str, who: str = "root", **options: Any) -> Any:
        """A call of the API with a token."""
        return self.client.open(path, method=method, headers=self.people.bearer(who), **options)


def make_target(template: Path, folder: Path, **settings: Any) -> Target:
    """A target on a fresh SQLite file."""
    shutil.copy(template, folder / "moderation.db")
    app = create_app(make_settings(folder, f"sqlite:///{folder / 'moderation.db'}", **settings))
    app.testing = True
    return Target(app)


@pytest.fixture(scope="module")
def target(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One target for all tests of a file that look at answers alone."""
    made = make_target(sqlite_template, tmp_path_factory.mktemp("target"))
    yield made
    dispose(made.app)


# --- servers --------------------------------------------------------------------------------------------------------

START_S = 60.0
PUBLIC_URL = "http://comments.example"


@dataclass
class Live:
    """gunicorn with the shipped configuration, one worker of four threads; a site ``news`` and an admin's token."""

    port: int
    token: str
    log: Path

    @property
    def bearer(self) -> str:
        """The header of the admin."""
        return f"Authorization: Bearer {self.token}"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The service as `moderation serve` runs it behind one proxy, started once a process."""
    folder = tmp_path_factory.mktemp("live")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
    settings = {"HOME": str(folder / "home"), "PROXY_HOPS": "1", "PUBLIC_CACHE_S": "1", "PUBLIC_URL": PUBLIC_URL}
    given = {f"MODERATION_{name}": value for name, value in settings.items()}
    token = json.loads(_commands(given)[-1])["token"]
    log = folder / "service.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moderation", "serve", "--bind", "127.0.0.1:0", "--workers", "1", "--no-worker"],
            env={**environment, **given, "TMPDIR": str(folder)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        port = int(until(lambda: re.findall(r"http://127\.0\.0\.1:(\d+)", log.read_text()), log)[0])
        until(lambda: b" 200 " in talk(port, request_for("/healthz"))[:20], log)
        yield Live(port, token, log)
    finally:
        process.terminate()
        process.wait(timeout=START_S)


def _commands(given: dict[str, str]) -> list[str]:
    """Set the service up by its own commands; what each printed."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MODERATION_")]:
            patch.delenv(name)
        for name, value in given.items():
            patch.setenv(name, value)
        for command in (
            "init",
            "site add news --origin https://news.example",
            "site set news submit_rate=none preview_rate=none akismet=on",
            "token add --site * --role admin --json",
        ):
            result = CliRunner().invoke(main, command.split())
            assert result.exit_code == 0, result.output
            said.append(result.stdout)
    return said


def until(found: Any, log: Path) -> Any:
    """What ``found`` gives as soon as it is true; what the log says where it never is."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def request_for(path: str, *headers: str, method: str = "GET", body: bytes = b"", host: str = "x") -> bytes:
    """The bytes of a request that ends its connection."""
    length = [f"Content-Length: {len(body)}"] if body or method != "GET" else []
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *length, *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def talk(port: int, raw: bytes) -> bytes:
    """Send these bytes and no more, and read until the server has said all."""
    with socket.create_connection(("127.0.0.1", port), timeout=START_S) as connection:
        answer = b""
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65_536):
                answer += more
        except (BrokenPipeError, ConnectionResetError):
            pass  # It did not care to read on; what it said until then counts.
        return answer


def statuses(answer: bytes) -> list[int]:
    """The statuses of all answers that came, interim ones left out."""
    found = re.findall(rb"(?:^|[^\r\n]|\r\n\r\n)HTTP/1\.[01] (\d{3}) ", answer)
    return [int(status) for status in found if not status.startswith(b"1")]


def header(answer: bytes, name: str) -> str:
    """A header of the first answer, or nothing."""
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    return next((line.partition(":")[2].strip() for line in head.split("\r\n") if _is_named(line, name)), "")


def _is_named(line: str, name: str) -> bool:
    return line.lower().startswith(f"{name.lower()}:")
