"""A newspaper's article, the error page and the commenter's own page in a real browser without script."""

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.errors import CallerError
from moderation.services import moderate, sites
from moderation.services.moderate import QueueFilter
from moderation.services.submit import Client, Submission, submit_comment
from moderation.web.demo.content import SITE_KEY
from tests.conftest import dispose, empty, make_settings
from tests.pages.test_accessibility import SIZES

pytestmark = pytest.mark.browser

SLUG = "night-ferry"
NAME = "Ana"
TEXT = "A calm remark from a page without script."


class Newspaper:
    """The demo newspaper behind a real socket, and what its people do."""

    def __init__(self, port: int, app: Any) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.other_url = f"http://localhost:{port}"  # another origin of the same site
        self.article = f"{self.url}/demo/{SLUG}"
        self.app = app

    def do(self, act: Callable[[Any], Any]) -> Any:
        """Do something with the service's parts."""
        with self.app.app_context():
            return act(self.app.extensions["moderation"])

    def waiting(self) -> list[dict[str, Any]]:
        """What is in the queue."""
        items: list[dict[str, Any]] = self.do(lambda parts: moderate.list_queue(parts, CLI, QueueFilter()))["items"]
        return items

    def approve_all(self) -> None:
        """Approve what waits."""
        for item in self.waiting():
            self.do(lambda parts, id=item["id"]: moderate.decide(parts, CLI, id, "approve"))

    def submit(self, body: str = TEXT, name: str = NAME, **changes: Any) -> dict[str, Any]:
        """A comment that waits."""
        values = {"parent_id": None, "url": None, **changes}
        sent = Submission(
            thread_key=SLUG, thread_url=self.article, thread_title="The night ferry", name=name, email=None,
            token=None, body=body, **values,
        )  # fmt: skip
        return dict(self.do(lambda parts: submit_comment(parts, SITE_KEY, sent, Client("203.0.113.9", "test"))))


@pytest.fixture(scope="module")
def printed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newspaper]:
    """One newspaper for all tests here."""
    home = tmp_path_factory.mktemp("newspaper")
    shutil.copy(sqlite_template, home / "moderation.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app = create_app(make_settings(home, f"sqlite:///{home / 'moderation.db'}", public_url=url, demo=True))
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield Newspaper(port, app)
    server.shutdown()
    thread.join()
    server.server_close()
    dispose(app)


@pytest.fixture
def newspaper(printed: Newspaper) -> Newspaper:
    """A newspaper without comments."""
    with printed.app.app_context():
        empty(printed.app.extensions["sqlalchemy"].engine)
    origins = [printed.url, printed.other_url]
    printed.do(lambda parts: sites.add_site(parts, CLI, SITE_KEY, "Demo", origins, {"submit_rate": "none"}))
    return printed


def reach(page: Any, what: Any, most: int = 60) -> None:
    """Move the focus to an element by the keyboard alone."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if what.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("the keyboard does not lead there")


def type_into(page: Any, label: str, text: str) -> None:
    """Fill in a field by the keyboard alone."""
    reach(page, page.get_by_label(label, exact=True))
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(text)


def press(page: Any, name: str, role: str = "button") -> None:
    """Use a button or a link by the keyboard alone."""
    reach(page, page.get_by_role(role, name=name, exact=True))
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_post_and_answer_from_the_article_without_script_by_keyboard(newspaper: Newspaper, open_page: Any) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(newspaper.article)
    assert page.get_by_role("heading", name="No replies yet").is_visible()
    type_into(page, "Comment *", TEXT)
    type_into(page, "Name *", NAME)
    press(page, "Post comment")
    assert page.url == f"{newspaper.article}?comment=pending#respond"
    assert page.get_by_role("status").inner_text() == "Thank you. Your comment is waiting for a moderator."
    newspaper.approve_all()
    page.goto(newspaper.article)
    assert page.get_by_role("heading", name="1 reply").is_visible()
    press(page, f"Reply to {NAME}", "link")
    assert page.url.startswith(f"{newspaper.article}?reply_to=")
    assert page.url.endswith("#respond")
    assert page.get_by_role("heading", name=f"Leave a Reply to {NAME}").is_visible()
    type_into(page, "Comment *", "An answer to it, and not a short one.")
    type_into(page, "Name *", "Ben")
    press(page, "Post comment")
    newspaper.approve_all()
    page.goto(newspaper.article)
    inner = page.locator("article.moderation-comment article.moderation-comment")
    assert "An answer to it" in inner.inner_text()
    page.goto(page.url + "#" + str(inner.get_attribute("id")))
    assert page.complaints == []


def test_send_again_after_an_error_leads_back_to_a_page_of_another_origin(newspaper: Newspaper, open_page: Any) -> None:
    """A browser holds a form's redirect to the policy of the page that the form stands on."""
    page = open_page(java_script_enabled=False)
    article = f"{newspaper.other_url}/demo/{SLUG}"
    page.goto(f"{newspaper.url}/sites/demo/thread.html?page=1&form=1&thread={SLUG}&url={article}")
    page.get_by_label("Comment *").fill(f"\n{TEXT}")
    page.get_by_label("Name *").fill(NAME)
    page.get_by_label("Email").fill("ana@nowhere")
    page.get_by_role("button", name="Post comment").click()
    assert page.get_by_role("heading", name="Your reply was not taken").is_visible()
    assert page.get_by_label("Comment *").input_value() == f"\n{TEXT}"
    assert page.locator("#moderation-email-error1").inner_text() == "The address has no dot after the @."
    page.get_by_label("Email").fill("ana@nowhere.example")
    page.get_by_role("button", name="Post comment").click()
    page.wait_for_url(f"{article}?comment=pending#respond")
    (item,) = newspaper.waiting()
    assert item["body"] == TEXT
    assert [text for text in page.complaints if "422" not in text] == []


def test_change_and_withdraw_by_the_receipt_without_script_by_keyboard(newspaper: Newspaper, open_page: Any) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(newspaper.article)
    type_into(page, "Comment *", TEXT)
    type_into(page, "Name *", NAME)
    reach(page, page.get_by_label("Then show me a private link to change or withdraw my comment"))
    page.keyboard.press("Space")
    press(page, "Post comment")
    press(page, "See, change or withdraw your comment", "link")
    assert page.get_by_text("It is waiting for a moderator.").is_visible()
    type_into(page, "Your text", "A *better* remark.")
    press(page, "Preview")
    assert page.locator("section section .moderation-body em").inner_text() == "better"
    press(page, "Save")
    assert page.get_by_role("status").inner_text() == "Your change is saved."
    assert [item["body"] for item in newspaper.waiting()] == ["A *better* remark."]
    press(page, "Withdraw it")
    press(page, "No, keep it", "link")
    assert len(newspaper.waiting()) == 1
    press(page, "Withdraw it")
    press(page, "Yes, delete it")
    assert page.get_by_text("It was deleted.").is_visible()
    assert newspaper.waiting() == []
    assert page.complaints == []


def test_receipt_tells_the_article_nothing(newspaper: Newspaper, open_page: Any) -> None:
    """The link to the published comment carries no referrer, even to our own pages."""
    made = newspaper.submit()
    newspaper.approve_all()
    page = open_page()
    told: list[str | None] = []
    page.on("request", lambda request: told.append(request.headers.get("referer")))
    page.goto(made["receipt_url"])
    page.get_by_role("link", name="See it under the article").click()
    page.wait_for_url(f"{newspaper.article}#comment-{made['id']}")
    assert not [referrer for referrer in told if referrer and "receipts" in referrer]


@pytest.fixture
def host(newspaper: Newspaper) -> Iterator[int]:
    """The port of a server whose every page has the replies in a frame."""
    source = f"{newspaper.url}/sites/demo/thread.html?page=1&form=1&thread={SLUG}"
    body = f'<!doctype html><title>x</title><iframe src="{source}" width="400" height="600"></iframe>'.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_page_stands_in_a_frame_of_the_site_alone(newspaper: Newspaper, open_page: Any, host: int) -> None:
    own, foreign = f"http://127.0.0.1:{host}", f"http://localhost:{host}"
    newspaper.do(lambda parts: sites.change_site(parts, CLI, SITE_KEY, origins=[newspaper.url, own]))
    newspaper.submit()
    newspaper.approve_all()
    page = open_page()
    page.goto(foreign)
    assert page.frame_locator("iframe").get_by_role("heading").count() == 0
    assert any("frame-ancestors" in text for text in page.complaints), page.complaints
    page = open_page()
    page.goto(own)
    inner = page.frame_locator("iframe")
    inner.get_by_role("link", name=f"Reply to {NAME}").click()  # stays within
    inner.get_by_role("heading", name=f"Leave a Reply to {NAME}").wait_for()
    inner.get_by_label("Comment *").fill("An answer out of a frame, to it.")
    inner.get_by_label("Name *").fill("Ben")
    inner.get_by_role("button", name="Post comment").click()  # leads the page around it back
    page.wait_for_url(f"{newspaper.article}?comment=pending#respond")


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark")])
def test_pages_without_script_have_no_violation_and_fit_the_width(
    newspaper: Newspaper, open_page: Any, violations: Any, size: str, scheme: str
) -> None:
    newspaper.submit(name="A" * 100, body="W" * 400)
    newspaper.approve_all()
    made = newspaper.submit(body="مرحبا، هذا تعليق هادئ ومفيد.", name="ليلى")
    page = open_page(viewport=SIZES[size], color_scheme=scheme)

    def check() -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.goto(f"{newspaper.url}/sites/demo/thread.html?page=1&form=1&thread={SLUG}")
    check()
    page.get_by_role("link", name=re.compile("^Reply to A")).click()
    check()
    page.get_by_label("Comment *").fill(TEXT)
    page.get_by_label("Name *").fill(NAME)
    page.get_by_label("Email").fill("ana@nowhere")
    page.get_by_role("button", name="Post comment").click()
    check()
    page.get_by_label("Email").fill("")
    page.get_by_label("Then show me a private link to change or withdraw my comment").check()
    page.get_by_role("button", name="Post comment").click()
    check()
    page.goto(made["receipt_url"])
    check()
    page.get_by_label("Your text").fill("W" * 400)
    page.get_by_role("button", name="Preview").click()
    check()
    page.get_by_role("button", name="Withdraw it").click()
    check()
    page.goto(f"{newspaper.url}/receipts/x")
    check()
    assert [text for text in page.complaints if "422" not in text and "404" not in text] == []


def test_article_without_script_has_no_violation(newspaper: Newspaper, open_page: Any, violations: Any) -> None:
    newspaper.submit()
    newspaper.approve_all()
    page = open_page(viewport=SIZES["phone"])

    def without_noscript(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub("</?noscript>", "", answer.text()))

    # axe-core is a script: what a browser without one would show is shown to one that has it, without the widget.
    page.route("**/demo/*", without_noscript)
    page.route("**/embed.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(f"{newspaper.article}?comment=pending")
    assert page.get_by_role("status").is_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("input[name=website_confirm]").is_hidden()
    assert page.complaints == []


ATTACKS = (
    "</article></section><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</textarea></title></noscript><svg onload=alert(1)>",
    "' autofocus onfocus=alert(1) x='",
    "javascript:alert(1)",
    "[a](javascript:alert(1)) <a href=javascript:alert(1)>b</a>",
)


def test_no_dialog_opens_whatever_was_typed(newspaper: Newspaper, open_page: Any) -> None:
    made = []
    for place, attack in enumerate(ATTACKS):
        try:
            made.append(newspaper.submit(body=f"{attack} {place * 7919}", name=f"A {attack}"[:100]))
        except CallerError:
            continue
        newspaper.approve_all()
    assert len(made) == len(ATTACKS)
    page = open_page()
    for one in made:
        page.goto(f"{newspaper.url}/sites/demo/thread.html?page=1&form=1&thread={SLUG}&reply_to={one['id']}")
        page.goto(one["receipt_url"])
        page.get_by_role("button", name="Preview").click()
    page.goto(f"{newspaper.url}/sites/demo/thread.html?page=1&form=1&thread={SLUG}")
    for attack in ATTACKS:
        page.get_by_label("Comment *").fill(attack)
        page.get_by_label("Name *").fill(attack)
        page.get_by_label("Email").fill("ana@nowhere")
        page.get_by_role("button", name="Post comment").click()
        assert page.get_by_label("Name *").input_value() == attack
    assert [text for text in page.complaints if "422" not in text] == []
