"""The widget on other people's pages: languages, looks, single-page applications, sheets that reach for everything."""

import html
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from moderation.domain.actor import CLI
from moderation.services import sign_on
from tests.pages.widget.conftest import KEY, Host, field, fill, focused, send
from tests.pages.widget.test_texts import LANGUAGES, words

pytestmark = pytest.mark.browser

SCRIPT = '<script src="SCRIPT" defer></script>'
RESERVED = "<style>div[data-moderation-site]:not([data-ready]){min-block-size:40rem}</style>"
SHIFTS = """new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifted += shift.value;
}).observe({ type: "layout-shift", buffered: true }); window.shifted = 0;"""


def widget(attributes: str = "", key: str = KEY) -> str:
    """A widget's place."""
    return f'<div data-moderation-site="news" data-thread="{key}" {attributes}></div>'


def test_open_page_with_a_widget_for_each_language_shows_each_in_its_own(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """Language and direction, plural forms, the width of a phone, and every button large enough for a thumb."""
    for n in range(3):
        host.submit(f"Reply {n} https://example.org/", name="ليلى" if n else "Ben", url="https://example.org/")
    places = "".join(f"<h2>{one}</h2>{widget(f'data-lang={one} data-votes data-notify')}" for one in LANGUAGES)
    counts = "".join(
        f'<p><a href="#x" lang="{one}" data-moderation-site="news" data-moderation-count="{key}">...</a></p>'
        for one, key in (("ar-EG", "none"), ("pl", KEY), ("it", KEY))
    )
    page = open_page(viewport={"width": 360, "height": 800})
    page.goto(host.write("/all", f"<main><h1>All</h1>{counts}{places}</main>{SCRIPT}"))
    page.locator("[data-ready]").nth(len(LANGUAGES) - 1).wait_for()
    headings = dict(zip(LANGUAGES, page.locator("#heading").all_inner_texts(), strict=True))
    for language, heading in headings.items():
        forms = words(language)["replies"]
        few = forms.get("few") if language in ("ar", "pl", "uk") else forms["other"]
        assert heading == few.replace("{n}", "3")
    assert page.locator("section[dir=rtl]").evaluate_all("all => all.map((one) => one.lang)") == ["ar"]
    shown = page.locator("a[data-moderation-count]")
    assert shown.all_inner_texts() == ["لا تعليقات", "3 komentarze", "3 replies"]
    categories = "all => all.map((one) => new Intl.PluralRules(one).resolvedOptions().pluralCategories.sort())"
    for language, wanted in zip(LANGUAGES, page.evaluate(categories, list(LANGUAGES)), strict=True):
        assert sorted(words(language)["replies"]) == wanted
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sizes = page.locator("button:visible, select:visible, input:visible:not([tabindex]), .meta a, .name a")
    boxes = sizes.evaluate_all("all => all.map((one) => [one.getBoundingClientRect(), one.outerHTML])")
    assert [text for box, text in boxes if min(box["width"], box["height"]) < 24] == []
    assert page.complaints == []


def test_open_foreign_page_while_texts_are_late_shows_no_word_of_another_language(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """The list is there first, and waits for the texts; nothing of the page moves when they come."""
    host.submit("Guten Abend.")
    text = "<h1>Nachtfähre</h1>" + "<p>Ein Absatz.</p>" * 3
    footer = "<footer>Die Fußzeile.</footer>"
    page = open_page()
    page.add_init_script(SHIFTS)
    waiting: list[Any] = []
    page.route("**/embed/*", lambda route: waiting.append(route))
    with page.expect_response("**/comments?*"):
        page.goto(host.write("/late", text + widget() + footer + SCRIPT, head=RESERVED, lang="de-AT"))
    assert page.evaluate("document.querySelector('[data-thread]').shadowRoot.textContent") == ""
    waiting.pop().continue_()
    page.get_by_role("heading", name="1 Kommentar").wait_for()
    page.locator("img").evaluate("image => image.decode()")
    assert "lang=de" in page.evaluate("document.querySelector('[data-thread]').shadowRoot.innerHTML").replace('"', "")
    page.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 100))")
    assert page.evaluate("window.shifted") < 0.01
    assert page.complaints == []


def style(page: Any, selector: str, name: str) -> str:
    """A computed style inside the first widget."""
    value: str = page.locator(selector).first.evaluate(f"node => getComputedStyle(node).{name}")
    return value


LIGHT_KEY, DARK_KEY = "rgb(11, 87, 164)", "rgb(138, 184, 255)"


def test_theme_by_attribute_properties_and_parts_changes_what_it_names(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """Light, dark, the reader's own and the page's own; a property and a part from the page's sheet."""
    host.submit("Well said.")
    sheet = (
        "<style>.own{--moderation-accent:rgb(122, 31, 43);--moderation-radius:0px}"
        ".own::part(heading){font-style:italic}.own::part(field){background:rgb(255, 250, 240)}"
        ".dark{background:#14161a;color:#e9e7e2}.scheme{color-scheme:dark;background:#14161a;color:#e9e7e2}</style>"
    )
    looks = {"light": LIGHT_KEY, "dark": DARK_KEY, "auto": DARK_KEY, "": LIGHT_KEY}
    places = "".join(
        f'<div class="{"dark" if key == DARK_KEY else ""}">{widget(f"data-theme={theme}" if theme else "")}</div>'
        for theme, key in looks.items()
    )
    places += f'<div class="scheme">{widget()}</div>' + widget('class="own"')
    page = open_page(color_scheme="dark")
    page.goto(host.write("/looks", f"<main><h1>Looks</h1>{places}</main>{SCRIPT}", head=sheet))
    page.locator("[data-ready]").nth(5).wait_for()
    buttons = page.get_by_role("button", name="Post comment")
    keys = buttons.evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    assert keys == [*looks.values(), DARK_KEY, "rgb(122, 31, 43)"]
    assert buttons.last.evaluate("one => getComputedStyle(one).borderRadius") == "0px"
    assert page.locator("h2").last.evaluate("one => getComputedStyle(one).fontStyle") == "italic"
    body = field(page, "Comment").last
    assert body.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(255, 250, 240)"
    page.emulate_media(forced_colors="active")
    assert style(page, ".quiet", "borderTopStyle") == "solid"


@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("ar", 360, "dark"), ("de", 1440, "light")], ids=["phone", "desktop"]
)
def test_page_in_the_midst_of_work_has_no_violation(
    host: Host,
    open_page: Callable[..., Any],
    violations: Callable[[Any], list[str]],
    language: str,
    width: int,
    scheme: str,
) -> None:
    """With an own comment that waits, an open report, an open edit, a preview and a field that is wrong."""
    texts = words(language)
    host.submit("> Ein Zitat\n\nUnd ein `Wort`.", url="https://example.org/")
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    head = (
        "<style>:root{color-scheme:light dark}"
        "@media (prefers-color-scheme:dark){body{background:#14161a;color:#e9e7e2}}</style>"
    )
    place = widget("id=comments data-votes data-notify")
    page.goto(host.write("/work", f"<main><h1>Fähre</h1>{place}</main>{SCRIPT}", head=head, lang=language))
    field(page, texts["body"]).fill("*Eins*")
    field(page, texts["name"]).fill("Ana")
    page.get_by_role("button", name=texts["send"]).click()
    page.locator(".own").wait_for()
    field(page, texts["body"]).fill("*Zwei*")
    field(page, texts["email"]).fill("ana@example.org")
    field(page, texts["name"]).fill("")
    page.get_by_role("button", name=texts["preview"]).click()
    page.get_by_role("region", name=texts["preview"]).wait_for()
    page.get_by_role("button", name=texts["send"]).click()
    page.get_by_role("button", name=texts["edit"]).first.click()
    page.get_by_role("button", name=texts["report"], exact=True).click()
    assert focused(page).startswith("SELECT: ")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    assert focused(page) == f"action: {texts['report']}"


def test_open_page_with_hostile_sheet_keeps_the_widget_as_it_is(host: Host, open_page: Callable[..., Any]) -> None:
    """What a sheet hands down reaches the place itself and no further; font and colour are taken on purpose. A browser
    that remembers nothing sends comments all the same.
    """
    host.submit("Still here.")
    sheet = (
        "<style>* {text-transform:uppercase!important;letter-spacing:1em!important;text-align:center!important;"
        "white-space:nowrap!important;visibility:hidden!important;pointer-events:none!important;cursor:none!important;"
        "text-indent:9em!important;font-family:monospace;color:rgb(1, 2, 3)} section,p,button{display:none!important}"
        "</style>"
    )
    page = open_page()
    page.add_init_script(
        "for (const area of ['localStorage', 'sessionStorage']) delete window[area];"
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } });"
    )
    page.goto(host.write("/hostile", f"{SCRIPT}<main>{widget()}</main>", head=sheet))
    page.get_by_text("Still here.").wait_for()
    names = ("textTransform", "letterSpacing", "textAlign", "whiteSpace", "visibility", "pointerEvents", "textIndent")
    assert [style(page, ".body p", name) for name in names] == [
        "none", "normal", "start", "normal", "visible", "auto", "0px",
    ]  # fmt: skip
    assert [style(page, ".body p", name) for name in ("fontFamily", "color")] == ["monospace", "rgb(1, 2, 3)"]
    page.get_by_role("button", name="Preview").click()
    assert page.locator("#error-body").inner_text() == "Please fill in this field."
    fill(page, "Without a memory.")
    send(page)
    page.get_by_role("status").filter(has_text="Thank you. Your comment is waiting").wait_for()
    assert page.complaints == []


def test_change_page_without_a_reload_shows_the_thread_that_it_names(host: Host, open_page: Callable[..., Any]) -> None:
    """A place that comes later, one whose thread changes, one that is gone again, and one in somebody's shadow."""
    host.submit("Of the first page.")
    host.submit("Of the second page.", key="second")
    page = open_page()
    url = host.write(
        "/app", "<main id=app></main>", head='<script src="SCRIPT"></script><script src="SCRIPT"></script>'
    )
    page.goto(url)
    page.evaluate("html => { app.innerHTML = html; }", widget())
    page.get_by_text("Of the first page.").wait_for()
    field(page, "Comment").fill("A draft for the first.")
    page.evaluate("app.firstChild.dataset.thread = 'second'")
    page.get_by_text("Of the second page.").wait_for()
    assert page.get_by_text("Of the first page.").count() == 0
    assert field(page, "Comment").input_value() == ""
    page.evaluate("html => { app.innerHTML = html; }", widget("data-lang=fr"))
    page.get_by_text("Of the first page.").wait_for()
    assert field(page, "Commentaire").input_value() == "A draft for the first."
    page.evaluate(
        """html => {
          app.innerHTML = "<p></p>";
          const shadow = app.firstChild.attachShadow({ mode: "open" });
          shadow.innerHTML = html;
          moderationEmbed.mount(shadow.firstChild);
        }""".replace("<p></p>", "<section></section>"),
        widget(key="second"),
    )
    page.get_by_text("Of the second page.").wait_for()
    assert page.complaints == []


def test_open_link_to_a_comment_some_pages_away_goes_there(host: Host, open_page: Callable[..., Any]) -> None:
    """What a feed or a mail links to is loaded, shown and focused."""
    ids = [host.submit(f"Root {n}") for n in range(5)]
    page = open_page()
    page.goto(host.write("/linked", widget('data-limit="1" id="comments"') + SCRIPT) + f"#comment-{ids[3]}")
    page.get_by_text("Root 3").wait_for()
    page.locator(f"#comment-{ids[3]} > article:focus").wait_for()
    assert page.get_by_text("Root 4").count() == 0
    page.evaluate(f"location.hash = 'comment-{ids[1]}'")
    page.locator(f"#comment-{ids[1]} > article:focus").wait_for()


def test_reader_who_is_logged_in_writes_without_name_and_address_and_others_are_led_to_the_log_in(
    host: Host, open_page: Callable[..., Any]
) -> None:
    """The site's token says who it is; the page may change it, and the form follows."""
    host.change(sso="required")
    secret = host.in_app(lambda parts: sign_on.add_key(parts, CLI, "news"))["secret"]
    user = {"id": "7", "username": "Ana <b>Ledger</b>", "email": "ana@ledger.example"}
    token = jwt.encode({"alg": "HS256"}, {"user": user, "exp": 4_102_444_800}, OctKey.import_key(secret))
    shown = html.escape(user["username"], quote=True)
    page = open_page()
    page.goto(host.write("/in", widget(f'data-sso="{token}" data-sso-name="{shown}"') + SCRIPT))
    field(page, "Comment").fill("Written by one who is logged in.")
    assert page.get_by_text(user["username"], exact=True).is_visible()
    assert not field(page, "Name").is_visible()
    assert not field(page, "Email").is_visible()
    send(page)
    page.get_by_text("Your comment is waiting for a moderator.").wait_for()
    assert page.locator(".own .name").inner_text() == user["username"]
    (item,) = host.waiting()
    assert (item["author"]["name"], item["author"]["known"]) == (user["username"], True)
    field(page, "Comment").fill("Written before the log-in ended.")
    page.evaluate("document.querySelector('[data-sso]').dataset.sso = 'old.old.old'")
    send(page)
    page.get_by_text("Your text is kept here.").wait_for()
    page.evaluate("delete document.querySelector('[data-sso]').dataset.sso")
    field(page, "Name").wait_for()
    assert field(page, "Comment").input_value() == "Written before the log-in ended."
    page.goto(host.write("/out", widget('data-sso-login="/log-in?then=article"') + SCRIPT))
    link = page.get_by_role("link", name="Leave a Reply")
    link.wait_for()
    assert link.get_attribute("href") == f"{host.origin}/log-in?then=article"
    assert field(page, "Comment").count() == 0
    assert [one for one in page.complaints if "401" not in one] == []
