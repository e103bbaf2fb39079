"""The readers' widget in a real browser, on a page of another origin with a policy as strict as they come."""

import gzip
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import moderation.web
from moderation.domain.actor import CLI
from moderation.errors import CallerError
from moderation.services import accounts, sites, threads
from moderation.services.moderate import QueueFilter, decide, list_queue
from moderation.services.submit import Client, Submission, submit_comment

pytestmark = pytest.mark.browser

WIDGET = Path(moderation.web.__file__).parent / "static" / "embed.js"
MAX_GZIPPED_BYTES = 12 * 1024
KEY = "2026/11/night-ferry"
PAGE_SIZE = 3


class Host:
    """A page of a site: the article's address, and the service that its widget speaks to."""

    def __init__(self, server: Any, live: Any) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/article"
        self.live = live

    def in_app(self, act: Callable[[Any], Any]) -> Any:
        """Do something with the service's parts."""
        with self.live.app.app_context():
            return act(self.live.app.extensions["moderation"])

    def waiting(self) -> list[dict[str, Any]]:
        """What is in the queue."""
        items: list[dict[str, Any]] = self.in_app(lambda parts: list_queue(parts, CLI, QueueFilter()))["items"]
        return items

    def approve(self, comment_id: uuid.UUID) -> None:
        """Approve one comment."""
        self.in_app(lambda parts: decide(parts, CLI, comment_id, "approve"))

    def try_submit(self, attack: str) -> bool:
        """A comment whose name and body are an attack; whether it was taken and is public."""
        submission = Submission(KEY, self.url, attack[:500], None, attack[:100], None, None, None, attack)
        try:
            made = self.in_app(lambda parts: submit_comment(parts, "news", submission, Client("203.0.113.9", "test")))
        except CallerError:
            return False
        return bool(made["state"] == "approved")

    def submit(self, body: str, parent_id: uuid.UUID | None = None, **changes: Any) -> uuid.UUID:
        """A comment of another reader, approved."""
        given = {"name": "Ben", "email": None, "url": None, "token": None, **changes}
        submission = Submission(KEY, self.url, "Night ferry", parent_id, body=body, **given)
        made = self.in_app(lambda parts: submit_comment(parts, "news", submission, Client("203.0.113.9", "test")))
        self.approve(made["id"])
        return uuid.UUID(str(made["id"]))


@pytest.fixture
def host(live_server: Any) -> Iterator[Host]:
    """A site's own server, on another origin than the service."""
    service = live_server.url
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Night ferry</title>'
        f'<script src="{service}/embed.js" defer></script></head><body><h1>Night ferry</h1>'
        f'<p><a href="#comments" data-moderation-site="news" data-moderation-count="{KEY}">Replies</a></p>'
        f'<div id="comments" data-moderation-site="news" data-thread="{KEY}" data-limit="LIMIT" data-votes></div>'
        "</body></html>"
    )
    policy = (
        f"default-src 'none'; script-src {service}; connect-src {service}; img-src {service}; "
        "require-trusted-types-for 'script'; trusted-types moderation-embed"
    )

    class Article(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, limit = self.path.partition("?limit=")
            self.send_response(200 if path == "/article" else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            if path == "/article":
                self.wfile.write(page.replace("LIMIT", limit or str(PAGE_SIZE)).encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Article)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    made = Host(server, live_server)
    origin = made.url.removesuffix("/article")
    made.in_app(
        lambda parts: sites.add_site(parts, CLI, "news", "News", [origin], {"submit_rate": "none", "votes": True})
    )
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
    page.get_by_role("button", name="Post comment").click()


def test_load_widget_gzipped_stays_within_its_limit() -> None:
    """The script costs a reader at most 12 kB."""
    assert len(gzip.compress(WIDGET.read_bytes(), 9)) <= MAX_GZIPPED_BYTES


def test_reply_on_strict_page_of_another_origin_waits_is_edited_approved_and_deleted(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """The whole life of a reply in its writer's browser: no cookie, no third party, nothing that a CSP forbids."""
    root = host.submit("The *first* word.")
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(host.url)
    page.get_by_role("heading", name="1 reply").wait_for()
    assert page.locator(".body em").inner_text() == "first"
    page.get_by_role("link", name="1 reply").wait_for()

    page.get_by_role("button", name="Reply to Ben").click()
    fill(page, "Seconded.")
    send(page)
    page.get_by_text("only you can see this").wait_for()
    waiting = host.waiting()
    assert [(item["body"], item["parent"]["id"]) for item in waiting] == [("Seconded.", root)]

    page.reload()
    page.locator(".own").get_by_role("button", name="Edit").click()
    page.get_by_label("Edit your comment").fill("Seconded, **warmly**.")
    page.get_by_role("button", name="Save").click()
    page.locator(".own strong").wait_for()
    host.approve(waiting[0]["id"])
    page.reload()
    page.get_by_role("heading", name="2 replies").wait_for()
    assert page.locator(".own").count() == 0
    assert page.locator(".replies strong").inner_text() == "warmly"

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    page.get_by_text("Your comment was deleted.").wait_for()
    page.get_by_role("heading", name="1 reply").wait_for()
    assert page.complaints == []
    assert page.context.cookies() == []
    assert {url.split("/")[2] for url in asked} <= {host.url.split("/")[2], host.live.url.split("/")[2]}


def test_load_more_of_a_long_thread_shows_each_reply_once_and_moves_the_focus(
    host: Host, open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More comments than a page, more replies than are sent at once: nothing twice, nothing lost."""
    monkeypatch.setattr(threads, "REPLIES_PER_ROOT", 2)
    first = host.submit("Root 0")
    for n in range(3):
        host.submit(f"Reply {n}", first)
    for n in range(1, PAGE_SIZE + 1):
        host.submit(f"Root {n}")
    page = open_page()
    page.goto(host.url)
    page.get_by_role("heading", name=f"{PAGE_SIZE + 4} replies").wait_for()
    assert page.locator(".item").count() == PAGE_SIZE + 2
    page.get_by_role("button", name="Show more replies").first.click()
    page.get_by_text("Reply 2", exact=True).wait_for()
    assert page.locator(".replies .item").count() == 3
    page.get_by_role("button", name="Show more replies").click()
    page.get_by_text(f"Root {PAGE_SIZE}", exact=True).wait_for()
    focused = "document.querySelector('#comments').shadowRoot.activeElement.querySelector('.body').textContent.trim()"
    assert page.evaluate(focused) == f"Root {PAGE_SIZE}"
    shown = page.locator(".item > article .body").all_inner_texts()
    assert len(shown) == len(set(shown)) == PAGE_SIZE + 4
    page.get_by_label("Sort").select_option("newest")
    page.locator(".item").first.get_by_text(f"Root {PAGE_SIZE}").wait_for()
    assert page.complaints == []


def test_vote_and_report_from_the_page_reach_the_moderators(host: Host, open_page: Callable[..., Any]) -> None:
    """A vote is counted and taken back; a report is thanked for and shows in the queue's filter."""
    host.submit("Buy my boat.")
    page = open_page()
    page.goto(host.url)
    page.get_by_role("button", name="Helpful").click()
    page.get_by_role("button", name="Helpful · 1", pressed=True).wait_for()
    page.reload()
    page.get_by_role("button", name="Helpful · 1", pressed=True).click()
    page.get_by_role("button", name="Helpful", exact=True, pressed=False).wait_for()
    page.get_by_role("button", name="Report").click()
    page.get_by_role("combobox", name="What is wrong").select_option("spam")
    page.get_by_role("button", name="Send report").click()
    page.get_by_text("A moderator will look at it.").wait_for()
    asked = QueueFilter(state="approved", reported=True)
    assert [item["reports"] for item in host.in_app(lambda parts: list_queue(parts, CLI, asked))["items"]] == [1]
    assert page.complaints == []


def test_retry_after_a_lost_answer_and_a_reload_makes_one_comment(host: Host, open_page: Callable[..., Any]) -> None:
    """The service took it, the answer was lost, the reader reloads and presses again: one comment."""
    page = open_page()
    page.goto(host.url)
    fill(page, "Only once, please.")

    def lose_answer(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/comments", lose_answer, times=1)
    send(page)
    page.get_by_text("did not answer").wait_for()
    assert len(host.waiting()) == 1
    page.reload()
    page.get_by_role("heading", name="No replies yet").wait_for()
    assert field(page, "Comment").input_value() == "Only once, please."
    send(page)
    page.get_by_text("only you can see this").wait_for()
    assert len(host.waiting()) == 1


def test_reply_with_wrong_fields_says_so_at_each_field(host: Host, open_page: Callable[..., Any]) -> None:
    """Each message is tied to its field, and the first wrong field has the focus."""
    page = open_page()
    page.goto(host.url)
    fill(page, "Fine.", name="")
    field(page, "Email").fill("not an address")
    send(page)
    name = field(page, "Name")
    assert name.get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.querySelector('#comments').shadowRoot.activeElement.name") == "name"
    name.fill("Ana")
    send(page)
    page.locator("#error-email", has_text=" ").wait_for()
    described = field(page, "Email").get_attribute("aria-describedby")
    assert described == "error-email"
    assert host.waiting() == []


def test_show_hostile_comments_opens_no_dialog_and_runs_nothing(host: Host, open_page: Callable[..., Any]) -> None:
    """Names, addresses and texts are shown as text; the sanitised body has no way to act."""
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    host.submit(f"{attack} [x](javascript:alert(3)) ![y](https://evil.example/z.png)", name=attack[:90])
    page = open_page()
    page.goto(host.url)
    page.get_by_role("heading", name="1 reply").wait_for()
    assert page.locator(".name").inner_text().startswith("<img src=x")
    assert page.locator(".body img, .body script, .body a:not([href^='https:'])").count() == 0
    assert page.complaints == []


@pytest.mark.skipif("HOSTILE_FIXTURES" not in os.environ, reason="HOSTILE_FIXTURES is not set")
def test_show_known_attacks_to_readers_and_moderators_runs_nothing(host: Host, open_page: Callable[..., Any]) -> None:
    """A sample of published attacks, one comment each: no dialog, no request elsewhere, no error."""
    folder = Path(os.environ["HOSTILE_FIXTURES"]) / "payloadbox-xss"
    lines = [line for file in sorted(folder.glob("*.txt")) for line in file.read_text("utf-8", "replace").splitlines()]
    attacks = [line.strip()[:2_000] for line in lines if line.strip()]
    step = max(1, len(attacks) // int(os.environ.get("HOSTILE_SAMPLE", "20")))
    accept_all = {"submit_rate": "none", "policy": "auto", "approve_below": 1.0, "spam_from": 1.0}
    host.in_app(lambda parts: sites.change_site(parts, CLI, "news", settings=accept_all))
    shown = 0
    for attack in attacks[::step]:
        shown += host.try_submit(attack)
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(host.url + "?limit=100")
    page.locator(".item").first.wait_for()
    assert page.locator(".item").count() == shown > 0
    host.in_app(lambda parts: accounts.add_moderator(parts, CLI, "mira", "nine lamps over the harbour", "viewer", "*"))
    cookie, _ = host.in_app(lambda parts: accounts.log_in(parts, "mira", "nine lamps over the harbour", b"here"))
    page.context.add_cookies([{"name": "moderation-session", "value": cookie, "url": host.live.url}])
    page.goto(f"{host.live.url}/console/?state=approved")
    assert page.locator(".card").count() == min(shown, 25)
    assert page.complaints == []
    assert {url.split("/")[2] for url in asked} <= {host.url.split("/")[2], host.live.url.split("/")[2]}
