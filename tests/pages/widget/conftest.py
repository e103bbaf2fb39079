"""A site's own server, on another origin than the service: its pages with the widget, strict ones and others."""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from moderation.domain.actor import CLI
from moderation.errors import CallerError
from moderation.services import sites
from moderation.services.moderate import QueueFilter, decide, list_queue
from moderation.services.submit import Client, Submission, submit_comment

KEY = "2026/11/night-ferry"
PAGE_SIZE = 3


class Host:
    """Pages of a site, and the service that its widgets speak to. ``url`` is the strict one."""

    def __init__(self, live: Any) -> None:
        self.live = live
        self.origin = ""
        self._pages: dict[str, tuple[str, str | None]] = {}

    @property
    def url(self) -> str:
        """The article with the strictest policy that the widget needs."""
        return f"{self.origin}/article"

    def write(self, path: str, body: str, *, head: str = "", lang: str = "en", policy: str | None = None) -> str:
        """A page of the site; its address. ``SCRIPT`` in it is the widget's address."""
        page = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Night ferry</title>'
            f'<meta name="viewport" content="width=device-width">{head}</head><body>{body}</body></html>'
        )
        self._pages[path] = (page.replace("SCRIPT", f"{self.live.url}/embed.js"), policy)
        return self.origin + path

    def read(self, path: str) -> tuple[str, str | None] | None:
        """A page and its policy."""
        return self._pages.get(path)

    def in_app(self, act: Callable[[Any], Any]) -> Any:
        """Do something with the service's parts."""
        with self.live.app.app_context():
            return act(self.live.app.extensions["moderation"])

    def change(self, **settings: Any) -> None:
        """Change settings of the site."""
        self.in_app(lambda parts: sites.change_site(parts, CLI, "news", settings=settings))

    def waiting(self) -> list[dict[str, Any]]:
        """What is in the queue."""
        items: list[dict[str, Any]] = self.in_app(lambda parts: list_queue(parts, CLI, QueueFilter()))["items"]
        return items

    def decide(self, comment_id: uuid.UUID, action: str = "approve") -> None:
        """Decide on one comment."""
        self.in_app(lambda parts: decide(parts, CLI, comment_id, action))

    def close_thread(self) -> None:
        """No more comments on the article."""
        thread = self.in_app(lambda parts: sites.list_threads(parts, CLI, "news"))["items"][0]
        self.in_app(lambda parts: sites.change_thread(parts, CLI, "news", thread["id"], open=False))

    def try_submit(self, attack: str) -> bool:
        """A comment whose name and body are an attack; whether it was taken and is public."""
        submission = Submission(KEY, self.url, attack[:500], None, attack[:100], None, None, None, attack)
        try:
            made = self.in_app(lambda parts: submit_comment(parts, "news", submission, Client("203.0.113.9", "test")))
        except CallerError:
            return False
        return bool(made["state"] == "approved")

    def submit(self, body: str, parent_id: uuid.UUID | None = None, key: str = KEY, **changes: Any) -> uuid.UUID:
        """A comment of another reader, approved."""
        given = {"name": "Ben", "email": None, "url": None, "token": None, **changes}
        submission = Submission(key, self.url, "Night ferry", parent_id, body=body, **given)
        made = self.in_app(lambda parts: submit_comment(parts, "news", submission, Client("203.0.113.9", "test")))
        self.decide(made["id"])
        return uuid.UUID(str(made["id"]))


@pytest.fixture
def host(live_server: Any) -> Iterator[Host]:
    """The site ``news`` with its own server."""
    made = Host(live_server)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page, policy = made.read(self.path) or ("", None)
            self.send_response(200 if page else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    made.origin = f"http://127.0.0.1:{server.server_port}"
    service = live_server.url
    policy = (
        f"default-src 'none'; script-src {service}; connect-src {service}; img-src {service}; style-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types moderation-embed"
    )
    for limit in (PAGE_SIZE, 100):
        made.write(
            "/article" if limit == PAGE_SIZE else f"/article?limit={limit}",
            f'<h1>Night ferry</h1><p><a href="#comments" data-moderation-site="news" data-moderation-count="{KEY}">'
            f'Replies</a></p><div id="comments" data-moderation-site="news" data-thread="{KEY}" data-limit="{limit}" '
            "data-votes data-notify></div>",
            head='<script src="SCRIPT" defer></script>',
            policy=policy,
        )
    settings = {"submit_rate": "none", "votes": True}
    made.in_app(lambda parts: sites.add_site(parts, CLI, "news", "News", [made.origin], settings))
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def field(page: Any, name: str) -> Any:
    """A field of the form, by its accessible name."""
    return page.get_by_role("textbox", name=name, exact=True)


def fill(page: Any, body: str, name: str = "Ana") -> None:
    """Type a reply."""
    field(page, "Comment").fill(body)
    field(page, "Name").fill(name)


def send(page: Any) -> None:
    """Press the button."""
    page.get_by_role("button", name=re.compile("Post comment|Try again")).click()


def focused(page: Any) -> str:
    """What has the focus inside the widget: its id, or what it is, and the start of its text."""
    what: str = page.evaluate(
        """() => {
          const node = document.querySelector("#comments").shadowRoot.activeElement;
          if (!node) return "nothing";
          return node.id || `${node.getAttribute("part") || node.tagName}: ${node.textContent.trim()}`;
        }"""
    )
    return what
