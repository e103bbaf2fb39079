"""Every page in a real browser: axe-core finds no violation of WCAG 2.2 AA, on a phone and a desk, light and dark."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import LiveServer

SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1440, "height": 900}}
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
PUBLIC_PAGES = ("/", "/docs", "/console/login")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
@pytest.mark.parametrize("path", PUBLIC_PAGES)
def test_public_page_has_no_violation_and_fits_the_width(
    live_server: LiveServer,
    open_page: Callable[..., Any],
    violations: Callable[[Any], list[str]],
    path: str,
    size: str,
    scheme: str,
) -> None:
    page = open_page(viewport=SIZES[size], color_scheme=scheme)
    page.goto(live_server.url + path)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []
