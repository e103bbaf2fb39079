"""The examples of the documentation, run as they stand: only addresses and ports are others."""

import html
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from moderation import worker
from moderation.domain import webhook
from moderation.domain.actor import CLI
from moderation.services import accounts
from tests.docs.conftest import ROOT, blocks

SERVICE = "http://127.0.0.1:8080"
PAGE_PORT, RECEIVER_PORT = 8000, 9000
WAIT_S = 15

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@dataclass
class Tour:
    """A folder like a clone after ``make run``, with the service running; and what to change in the examples."""

    folder: Path
    changes: dict[str, str]
    app: Any
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    def changed(self, text: str) -> str:
        """The text with this run's addresses."""
        for old, new in self.changes.items():
            text = text.replace(old, new)
        return text

    def run(self, script: str) -> str:
        """Run a script in the folder; what it printed."""
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", self.changed(script)],
            cwd=self.folder,
            stdout=(self.folder / "printed").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        status = process.wait(WAIT_S)
        assert status == 0, self.printed()
        return self.printed()

    def printed(self) -> str:
        """What the last script, and what it left running, has printed so far."""
        return (self.folder / "printed").read_text(encoding="utf-8")


@pytest.fixture
def tour(live_server: Any, tmp_path: Path) -> Iterator[Tour]:
    """The service with a worker, and an admin's token where the demo keeps it."""
    folder = tmp_path / "clone"
    (folder / "var/demo").mkdir(parents=True)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "docs").symlink_to(ROOT / "docs")
    with live_server.app.app_context():
        token = accounts.add_token(live_server.app.extensions["moderation"], CLI, "*", "admin", "tour")["token"]
    (folder / "var/demo/demo.json").write_text(json.dumps({"token": token}), encoding="utf-8")
    ports = {f"127.0.0.1:{port}": f"127.0.0.1:{free_port()}" for port in (PAGE_PORT, RECEIVER_PORT)}
    receiver = ports[f"127.0.0.1:{RECEIVER_PORT}"].rpartition(":")[2]
    changes = {SERVICE: live_server.url, **ports, f".py {RECEIVER_PORT}": f".py {receiver}"}
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(live_server.app, stop))
    thread.start()
    made = Tour(folder, changes, live_server.app)
    yield made
    for process in made.processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    stop.set()
    thread.join()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tour_of_readme() -> str:
    """The shell of the README, one block after the other; the receiver is given the time to start."""
    started = f"until (: > /dev/tcp/127.0.0.1/{RECEIVER_PORT}) 2>/dev/null; do sleep 0.1; done\n"
    script = "\n".join(blocks(ROOT / "README.md", "sh"))
    script = script.replace("receiver.py 9000 &\n", f"receiver.py 9000 &\n{started}")
    assert started in script
    return script.replace(f"/tcp/127.0.0.1/{RECEIVER_PORT}", "/tcp/127.0.0.1/RECEIVER")


def test_follow_readme_word_for_word_comment_is_public_and_its_webhook_verified(tour: Tour) -> None:
    """Post, queue, approve, list, and a webhook that the reference package verifies."""
    receiver = tour.changes[f"127.0.0.1:{RECEIVER_PORT}"].rpartition(":")[2]
    printed = tour.run(tour_of_readme().replace("/RECEIVER", f"/{receiver}"))
    comment = json.loads((tour.folder / "var/comment.json").read_text(encoding="utf-8"))
    assert comment["state"] == "pending"
    shown = json.loads(
        [line for line in printed.splitlines() if line.startswith('{"thread"')][-1].split("}]}")[0] + "}]}"
    )
    assert [(one["id"], one["author"]["name"]) for one in shown["comments"]] == [(comment["id"], "Ana")]
    assert shown["comments"][0]["body_html"] == "<p>The <em>first</em> reply.</p>"
    assert "ana@example.org" not in printed
    wanted = {f"comment.submitted {comment['id']} pending", f"comment.approved {comment['id']} approved"}
    deadline = time.monotonic() + WAIT_S
    while not all(line in tour.printed() for line in wanted) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [line for line in wanted if tour.printed().count(line) != 1] == []


def test_send_to_receiver_again_and_forged_takes_it_once_and_refuses(tour: Tour) -> None:
    """The receiver of the docs prints a delivery once, however often it comes, and answers 400 to a forgery."""
    secret = webhook.new_secret()
    port = free_port()
    environment = {**os.environ, "WEBHOOK_SECRET": secret}
    command = [sys.executable, str(ROOT / "docs/examples/receiver.py"), str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    tour.processes.append(process)
    wait_for_port(port)
    body = '{"type": "comment.approved", "timestamp": "2026-01-01T00:00:00Z", "data": {"comment": {"id": "1"}}}'
    now = datetime.now(UTC)
    headers = {"webhook-id": "one", "webhook-timestamp": str(int(now.timestamp()))}
    good = {**headers, "webhook-signature": Webhook(secret).sign("one", now, body)}

    def post(headers: dict[str, str], body: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body.encode(), headers=headers)
        try:
            return int(urllib.request.urlopen(request, timeout=5).status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    assert [post(good, body), post(good, body), post(good, body + " "), post({}, body)] == [204, 204, 400, 400]
    process.kill()
    out, _ = process.communicate()
    assert out.splitlines() == ["comment.approved 1 -"]


def test_ask_scorer_of_the_docs_shows_its_opinion_on_the_comment(tour: Tour) -> None:
    """The scorer of the docs, set up as the page says: the worker asks it, and a moderator sees what it said."""
    from moderation.services import moderate, scorers, sites
    from moderation.services.submit import Client, Submission, submit_comment

    port = free_port()
    command = [sys.executable, str(ROOT / "docs/examples/scorer.py"), str(port)]
    with tour.app.app_context():
        parts = tour.app.extensions["moderation"]
        sites.add_site(parts, CLI, "news", "", ["https://news.example"], {"policy": "auto"})
        made = scorers.add_scorer(parts, CLI, "news", "house", "http", f"http://127.0.0.1:{port}/score")
        environment = {**os.environ, "SCORER_SECRET": made["secret"]}
        tour.processes.append(subprocess.Popen(command, env=environment, start_new_session=True))
        wait_for_port(port)

        def post(body: str) -> Any:
            sent = Submission("a", None, None, None, "Ana", None, None, None, body, 60_000)
            return submit_comment(parts, "news", sent, Client("203.0.113.7", "x"))["id"]

        loud, calm = post("THE HARBOUR NEEDS A NEW FERRY"), post("The town hall needs a new roof, I think.")
        deadline = time.monotonic() + WAIT_S
        while scorers.show_scorer(parts, CLI, made["id"])["waiting"] and time.monotonic() < deadline:
            time.sleep(0.1)
        items = [moderate.show_comment(parts, CLI, one) for one in (loud, calm)]
    assert [item["state"] for item in items] == ["pending", "approved"]
    (signal,) = [one for one in items[0]["signals"] if one["name"] == "external:house"]
    assert [one["text"] for one in signal["evidence"]] == [
        "Toxicity 1.00 by the scorer house (shouting-1).",
        "The scorer house says: Most of it is in capitals.",
    ]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=b"{}", headers={})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=5)


def wait_for_port(port: int) -> None:
    """Return when somebody listens."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nobody listens")


def test_follow_moderators_page_word_for_word_every_call_answers(tour: Tour) -> None:
    """Queue, claims, bulk, alike ones, undo and reveal, as the page shows them."""
    prepare = (
        f"SERVICE={SERVICE} JSON='Content-Type: application/json'\n"
        'TOKEN=$(.venv/bin/python -c \'import json; print(json.load(open("var/demo/demo.json"))["token"])\')\n'
        'post() { curl -sS --fail-with-body -H "Authorization: Bearer $TOKEN" "$@" -H "$JSON"; }\n'
        'post $SERVICE/api/v1/sites -d \'{"key": "news", "origins": ["https://news.example"]}\' > /dev/null\n'
        "COMMENT=$(post $SERVICE/api/v1/sites/news/comments -d '"
        '{"thread": {"key": "a"}, "author": {"name": "Ana", "email": "ana@example.org"}, "body": "Hello there."}\''
        " | .venv/bin/python -c 'import json, sys; print(json.load(sys.stdin)[\"id\"])')\n"
    )
    shell = blocks(ROOT / "docs/moderate.md", "sh")
    decided = [i for i, block in enumerate(shell) if "/api/v1/decisions -d" in block]
    assert len(decided) == 1
    shell[decided[0]] = (
        shell[decided[0]].rstrip("\n")
        + " | tee decided.json\n"
        + (
            "DECISION=$(.venv/bin/python -c 'import json; "
            'print(json.load(open("decided.json"))["results"][0]["decision_id"])\')\n'
        )
    )
    answers = [json.loads(line) for line in tour.run(prepare + "".join(shell)).splitlines() if line]
    assert len(answers) == 9
    assert len(answers[0]["items"]) == len(answers[1]["items"]) == 1
    assert answers[2] == {"released": 1}
    assert answers[3]["results"][0]["state"] == "approved"
    assert answers[4] == {"results": [], "left": 0}
    assert answers[5]["state"] == "pending"
    assert (answers[6]["settings"]["raid_mode"], answers[6]["raid_since"]) == ("auto", None)
    assert answers[7] == {"email": "ana@example.org"}
    assert (answers[8]["tried"], answers[8]["stopped_early"]) == (0, False)


def test_read_json_examples_are_json_that_the_service_takes(tour: Tour) -> None:
    """Every JSON block parses, and the submission of integrate.md is accepted."""
    for page in (ROOT / "docs").glob("*.md"):
        for block in blocks(page, "json"):
            json.loads(block)
    submission = next(block for block in blocks(ROOT / "docs/integrate.md", "json") if '"context"' in block)
    (tour.folder / "submission.json").write_text(submission, encoding="utf-8")
    printed = tour.run(
        'TOKEN=$(.venv/bin/python -c \'import json; print(json.load(open("var/demo/demo.json"))["token"])\')\n'
        f'curl -sS --fail-with-body -o /dev/null -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" '
        f'{SERVICE}/api/v1/sites -d \'{{"key": "news", "origins": ["https://news.example"]}}\'\n'
        f"curl -sS --fail-with-body -H 'Content-Type: application/json' {SERVICE}/api/v1/sites/news/comments "
        "-d @submission.json\n"
    )
    assert json.loads(printed)["state"] == "pending"


def test_send_plain_form_of_integrate_page_is_taken(tour: Tour) -> None:
    """The form has the fields that the service understands, and leads back to the article."""
    from moderation.web.forms import FIELDS

    form = next(block for block in blocks(ROOT / "docs/integrate.md", "html") if "<form" in block)
    names = re.findall(r'name="(\w+)"', form)
    assert set(names) <= set(FIELDS)
    assert {"thread", "author", "comment", "website_confirm", "return_to"} <= set(names)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    with tour.app.app_context():
        from moderation.services import sites

        sites.add_site(tour.app.extensions["moderation"], CLI, "news", "", ["https://news.example"])
    values = {**{name: html.unescape(value) for name, value in hidden.items()}, "author": "Ana", "comment": "Hello."}
    answer = tour.app.test_client().post("/sites/news/reply", data=values)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://news.example/2025/07/arms-pause?comment=pending#respond"


@pytest.mark.browser
def test_open_page_of_readme_in_browser_shows_the_form(tour: Tour) -> None:
    """The page of the README, served from its own origin, takes a reply."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is not installed.")
    api = pytest.importorskip("playwright.sync_api")
    (page_text,) = blocks(ROOT / "README.md", "html")
    (tour.folder / "article.html").write_text(tour.changed(page_text), encoding="utf-8")
    origin = tour.changed("127.0.0.1:8000")
    host, _, port = origin.partition(":")
    command = [sys.executable, "-m", "http.server", "--bind", host, port]
    server = subprocess.Popen(
        command, cwd=tour.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    tour.processes.append(server)
    wait_for_port(int(port))
    with tour.app.app_context():
        from moderation.services import sites

        sites.add_site(tour.app.extensions["moderation"], CLI, "blog", "My blog", [f"http://{origin}"])
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"http://{origin}/article.html")
        page.get_by_label("Comment").fill("A word from the README.")
        page.get_by_label("Name", exact=False).first.fill("Ana")
        page.get_by_role("button", name="Post comment").click()
        page.get_by_text("only you can see this").wait_for()
        browser.close()
    server.kill()
    server.wait()
