"""Take the pictures of the documentation anew, from the demo, in Chromium.

    python docs/pictures/make.py

It starts a demo of its own, in a temporary folder and on a free port, and needs Chromium and the development packages.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]


@contextmanager
def demo(home: Path) -> Iterator[str]:
    """A running demo's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    environment = {**os.environ, "MODERATION_HOME": str(home)}
    command = [sys.executable, "-m", "moderation", "demo", "--bind", url.removeprefix("http://")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        wait_for(f"{url}/readyz", process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return when the address answers 200; raise after a minute, or when the process has ended."""
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
            return
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.2)


def article(page: Page, url: str) -> None:
    """The replies under an article, with the form."""
    page.goto(f"{url}/demo/")
    page.locator(".front a, main a").first.click()
    page.locator("[data-ready]").wait_for()
    page.locator("#comments").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#comments').scrollIntoView({block: 'start'})")
    page.evaluate("window.scrollBy(0, -210)")
    page.screenshot(path=HERE / "article.png")


def console(page: Page, url: str, home: Path) -> None:
    """The queue, with the reasons."""
    known = json.loads((home / "demo.json").read_text(encoding="utf-8"))
    page.goto(f"{url}/console/?sort=risk")
    page.get_by_label("Name").fill(known["login"])
    page.get_by_label("Password").fill(known["password"])
    page.get_by_role("button", name="Log in").click()
    page.locator(".card").first.wait_for()
    page.screenshot(path=HERE / "queue.png")


def main() -> None:
    """Take them all."""
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    home = Path(tempfile.mkdtemp(prefix="moderation-pictures-"))
    try:
        with demo(home) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1100, "height": 980})
            article(page, url)
            console(page, url, home)
            browser.close()
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
