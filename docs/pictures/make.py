"""Take the pictures of the documentation anew, from the demo, in Chromium.

    make pictures

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

from playwright.sync_api import Browser, Page, sync_playwright

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


SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
SCHEMES = ("light", "dark")


def article(page: Page, url: str) -> None:
    """The replies under an article, with the form."""
    page.goto(f"{url}/demo/")
    page.locator(".front a, main a").first.click()
    page.locator("[data-ready]").wait_for()
    page.evaluate("document.querySelector('#comments').scrollIntoView({block: 'start'})")
    page.evaluate("window.scrollBy(0, -60)")
    page.wait_for_load_state("networkidle")  # the authors' pictures


def log_in(page: Page, url: str, home: Path) -> None:
    """Open a session of the demo's moderator."""
    known = json.loads((home / "demo.json").read_text(encoding="utf-8"))
    page.goto(f"{url}/console/login")
    page.get_by_label("Name").fill(known["login"])
    page.get_by_label("Password").fill(known["password"])
    page.get_by_label("Password").press("Enter")
    page.locator(".card").first.wait_for()


def queue(page: Page, url: str) -> None:
    """What waits, the riskiest first, with the reasons."""
    page.goto(f"{url}/console/?sort=risk")
    page.locator(".card").first.wait_for()


def comment(page: Page, url: str) -> None:
    """The riskiest comment whole."""
    queue(page, url)
    page.goto(url + str(page.locator(".card a[data-key=o]").first.get_attribute("href")))


def dashboard(page: Page, url: str) -> None:
    """The figures of the site."""
    page.goto(f"{url}/console/dashboard")


PICTURES = {"article": article, "queue": queue, "comment": comment, "dashboard": dashboard}
"""Name and way to it. Each is taken on a phone and a desktop, light and dark: ``queue-phone-dark.png``."""


def take_all(browser: Browser, url: str, home: Path) -> None:
    """Take every picture in every form."""
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            log_in(page, url, home)
            for name, go in PICTURES.items():
                go(page, url)
                page.screenshot(path=HERE / f"{name}-{size}-{scheme}.png", animations="disabled")
            page.close()


def main() -> None:
    """Take them all."""
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    home = Path(tempfile.mkdtemp(prefix="moderation-pictures-"))
    try:
        with demo(home) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
            take_all(browser, url, home)
            browser.close()
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
