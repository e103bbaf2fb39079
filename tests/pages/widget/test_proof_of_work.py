"""The widget's proof of work, in a browser: solved under the strictest policy, said where it takes long, never in the
way of a comment.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from moderation.domain.actor import CLI
from moderation.services import moderate
from tests.pages.widget.conftest import Host, fill, send

pytestmark = pytest.mark.browser

HASHES = """async ([address, pairs]) => {
  const { hasher } = await import(address);
  return pairs.map(([text, number]) => hasher(text)(number) >>> 0);
}"""


def signals(host: Host) -> list[set[str]]:
    """The signals of each comment that waits, oldest first."""
    found = [
        host.in_app(lambda parts, one=item: moderate.show_comment(parts, CLI, one["id"])) for item in host.waiting()
    ]
    return [{signal["name"] for signal in one["signals"]} for one in found]


def test_hash_in_the_browser_is_sha_256_for_texts_of_every_length(host: Host, open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.goto(host.write("/plain", "<p>Nothing.</p>"))
    pairs = [("x" * length, number) for length in range(0, 130, 3) for number in (0, 65_535, 9_007_199_254_740_991)]
    found = page.evaluate(HASHES, [f"{host.live.url}/embed/proof.js", pairs])
    digests = [hashlib.sha256(f"{text}{number}".encode()).digest()[:4] for text, number in pairs]
    assert found == [int.from_bytes(one) for one in digests]


def test_send_where_a_proof_is_asked_solves_one_for_each_comment(host: Host, open_page: Callable[..., Any]) -> None:
    """A site that asks for none loads nothing more; under a raid it is asked for, then the page is as it was."""
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(host.url)
    fill(page, "Written with no proof asked for.")
    send(page)
    page.locator(".own").wait_for()
    assert "proof.js" not in asked
    host.change(proof_of_work="raid", proof_bits=10, raid_mode="on")
    page.reload()
    page.locator(".own").wait_for()
    fill(page, "Written with a proof.")
    send(page)
    page.locator(".own").nth(1).wait_for()
    fill(page, "Written with another proof.")
    send(page)
    page.locator(".own").nth(2).wait_for()
    assert asked.count("proof.js") == 1
    assert asked.count("challenge") == 2
    assert [found & {"raid", "proof_of_work"} for found in signals(host)] == [set(), {"raid"}, {"raid"}]
    assert page.complaints == []


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_send_where_a_proof_takes_long_says_so_and_how_far_it_is(
    host: Host, open_page: Callable[..., Any], violations: Callable[[Any], list[str]], lang: str
) -> None:
    host.change(proof_of_work="always", proof_bits=24)
    page = open_page(viewport={"width": 360, "height": 800})
    # One that nobody solves: with 24 bits, which a site may ask for, luck can be quicker than the words.
    unsolvable = {"challenge": "c", "bits": 32, "expires_at": "2100-01-01T00:00:00Z"}
    allowed = {"Access-Control-Allow-Origin": "*"}
    page.route("**/challenge", lambda route: route.fulfill(json=unsolvable, headers=allowed))
    place = f'<div id="comments" data-moderation-site="news" data-thread="long" data-lang="{lang}"></div>'
    page.goto(host.write(f"/long-{lang}", f'<main><h1>A</h1>{place}</main><script src="SCRIPT" defer></script>'))
    page.locator("#field-body").fill("A calm remark.")
    page.locator("#field-name").fill("Ana")
    page.locator("button[type=submit]").click()
    said = page.locator("form [role=status]", has_text=re.compile("short sum|متصفحك"))
    said.wait_for()
    assert re.search(r"[\d٠-٩]", page.locator("button[type=submit]").inner_text())
    assert page.locator("button[type=submit]").get_attribute("aria-disabled") == "true"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    assert page.complaints == []


def test_send_where_no_proof_can_be_had_is_taken_and_waits(host: Host, open_page: Callable[..., Any]) -> None:
    host.change(proof_of_work="always", proof_bits=10)
    page = open_page()
    page.route("**/proof.js", lambda route: route.abort())
    page.goto(host.url)
    fill(page, "Written without a proof.")
    send(page)
    page.locator(".own").wait_for()
    page.unroute("**/proof.js")
    page.route("**/challenge", lambda route: route.fulfill(status=503, body="{}"))
    page.reload()
    page.locator(".own").wait_for()
    fill(page, "Written without a challenge.")
    send(page)
    page.locator(".own").nth(1).wait_for()
    assert [found & {"proof_of_work"} for found in signals(host)] == [{"proof_of_work"}] * 2
