"""A real browser."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from werkzeug.serving import make_server

from moderation.app import create_app
from tests.conftest import LiveServer, dispose, empty, make_settings

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def app(sqlite_app: Flask) -> Flask:
    """SQLite alone: pages are the same on both, and what they stand on is tested on both."""
    with sqlite_app.app_context():
        empty(sqlite_app.extensions["sqlalchemy"].engine)
    return sqlite_app


@pytest.fixture(scope="session")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The application behind a real socket, for all tests of a process: starting it takes longer than emptying it."""
    home = tmp_path_factory.mktemp("served")
    shutil.copy(sqlite_template, home / "moderation.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app = create_app(make_settings(home, f"sqlite:///{home / 'moderation.db'}", public_url=url))
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield LiveServer(url, app)
    server.shutdown()
    thread.join()
    server.server_close()
    dispose(app)


@pytest.fixture
def live_server(served: LiveServer) -> LiveServer:
    """The served application with an empty database."""
    with served.app.app_context():
        empty(served.app.extensions["sqlalchemy"].engine)
    return served


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, one for all tests of a process."""
    usual = Path("/usr/bin/chromium")
    path = str(usual) if usual.exists() else shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is not installed.")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page in a fresh browser profile. What its console complains of is in ``page.complaints``."""
    contexts = []

    def open_one(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (page.complaints.append("a dialog opened"), dialog.dismiss()))
        return page

    yield open_one
    for context in contexts:
        context.close()


AXE_OPTIONS = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],  # the places of what passes are counted, not described: that takes most of the time
}


@pytest.fixture
def violations() -> Callable[[Any], list[str]]:
    """What axe-core finds wrong with a page by WCAG 2.2 AA and its best practices: a line for each place."""

    def find(page: Any) -> list[str]:
        found = Axe().run(page, options=AXE_OPTIONS).response["violations"]
        return [f"{one['id']}: {' '.join(map(str, node['target']))}" for one in found for node in one["nodes"]]

    return find
