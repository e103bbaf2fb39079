"""What the console's pages beside the queue share: the menu, the site that a page is about, forms and their errors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.errors import Forbidden, Invalid
from moderation.services import sites
from moderation.services.sites import ALL_SITES
from moderation.web import guards
from moderation.web.console import _actor, _own_sites, console
from moderation.web.guards import parts

MAX_CURSOR_CHARS = 512

MENU = (
    ("queue", "Queue", "console.queue", Role.VIEWER),
    ("dashboard", "Dashboard", "console.dashboard", Role.VIEWER),
    ("rules", "Rules", "console.show_rules", Role.MODERATOR),
    ("learned", "Learned", "console.show_learned", Role.VIEWER),
)
"""What the bar shows first: name of the page, label, endpoint, and the role on some site without which it is no use."""

MORE = (
    ("settings", "Settings", "console.show_settings", Role.VIEWER),
    ("webhooks", "Webhooks", "console.list_webhooks", Role.ADMIN),
    ("tokens", "Tokens", "console.list_tokens", Role.ADMIN),
    ("people", "People", "console.list_people", Role.ADMIN),
    ("privacy", "A person’s data", "console.show_privacy", Role.ADMIN),
    ("audit", "Audit log", "console.show_audit", Role.MODERATOR),
    ("account", "Your password", "console.show_account", Role.VIEWER),
    ("second_factor", "Your second factor", "console.show_second_factor", Role.VIEWER),
)
"""What the bar has below "More"."""

RULE_TABS = (
    ("rules", "Rules", "console.show_rules", Role.MODERATOR),
    ("lists", "Word lists", "console.list_words", Role.MODERATOR),
    ("automod", "AutoModerator", "console.show_automod", Role.MODERATOR),
    ("scorers", "External scorers", "console.list_scorers", Role.ADMIN),
)
"""The pages that belong to the rules."""

TOLD = {
    "saved": "Saved.",
    "added": "Added.",
    "removed": "Removed.",
    "revoked": "Revoked: the token does not count any more.",
    "nothing": "Nothing was changed.",
    "replayed": "It is on its way again.",
    "no_factor": "Your second factor was removed. Your other sessions have ended.",
    "reset": "The second factor was taken away. They log in by the password alone until they set up another.",
    "password": "Your password was changed. Your other sessions have ended.",
}
"""What the last form came to."""

Problems = Mapping[str, Iterable[str]]


@dataclass(frozen=True, slots=True)
class Place:
    """The site that a page is about, or with the key ``*`` all of them; and the others that one could choose."""

    key: str
    name: str
    id: Any
    choices: list[dict[str, Any]]
    may_change: bool
    everywhere: bool = False


@console.context_processor
def _bar() -> dict[str, Any]:
    if g.get("console_actor") is None:
        return {}
    return {
        "menu": _usable(MENU),
        "menu_more": _usable(MORE),
        "rule_tabs": _usable(RULE_TABS),
        "may_admin": _may_admin,
        "told": TOLD.get(request.args.get("told", "")),
    }


def _usable(entries: Iterable[tuple[str, str, str, Role]]) -> list[tuple[str, str, str]]:
    actor = _actor()
    roles = {role for site in actor.roles for role in Role if role is not Role.SCORER and actor.may(site, role)}
    return [(name, label, endpoint) for name, label, endpoint, role in entries if role in roles]


def _may_admin(site_key: str) -> bool:
    """Whether who looks is admin of a site of theirs."""
    return any(site["key"] == site_key and _actor().may(site["id"], Role.ADMIN) for site in _own_sites())


def place(role: Role, *, everywhere: bool = False, all_first: bool = False) -> Place:
    """The site asked for, else the first where one has ``role``; with ``everywhere`` also all sites, for their admins;
    with ``all_first`` these unless another is asked for.

    Raises ``NotFound`` for one that is not one's own to know of, ``Forbidden`` where the role is too low.
    """
    asked = request.values.get("site", "")
    guards.refuse_malformed(asked)
    actor = _actor()
    everywhere = everywhere and actor.may(None, Role.ADMIN)
    choices = [site for site in _own_sites() if actor.may(site["id"], role)]
    if asked == ALL_SITES or (not asked and everywhere and (all_first or not choices)):
        if not everywhere:
            raise Forbidden("This needs the role 'admin' on all sites ('*').")
        return Place(ALL_SITES, "all sites", None, choices, True, True)
    if not asked and not choices:
        raise Forbidden(f"This needs the role '{role}' on a site.")
    known = (site for site in choices if asked in {"", site["key"]})
    site = next(known, None) or sites.show_site(parts(), actor, asked)
    actor.require(site["id"], role, "site")
    may_change = actor.may(site["id"], Role.ADMIN)
    return Place(site["key"], site["name"] or site["key"], site["id"], choices, may_change, everywhere)


def page(template: str, here: str, at: Place | None, status: int = 200, **values: Any) -> Response:
    """One of these pages. ``values`` may have ``problems``: messages by field."""
    shown = {"problems": {}, "form": {}, "place": at, "site_key": at.key if at else "", **values}
    return make_response(render_template(f"console/{template}.html", here=here, **shown), status)


def typed(*names: str) -> dict[str, str]:
    """These fields of the form, as they were typed; one that is not there is empty."""
    form = {name: request.form.get(name, "") for name in names}
    guards.refuse_malformed("".join(form.values()))
    return form


def chosen(name: str) -> list[str]:
    """All values of a field that may be ticked more than once."""
    values = request.form.getlist(name)
    guards.refuse_malformed("".join(values))
    return values


def whole(text: str, field: str, message: str) -> int:
    """A whole number of the form. Raises ``Invalid`` with the message."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise Invalid({field: [message]})
    return int(text)


def asked(name: str, most: int = 200) -> str:
    """A part of the query, cut to a sane length."""
    value = request.args.get(name, "").strip()[:most]
    guards.refuse_malformed(value)
    return value


def cursor() -> str | None:
    """Where the page asked for begins; None for the first."""
    return asked("cursor", MAX_CURSOR_CHARS) or None


def pages(found: Mapping[str, Any], endpoint: str, **values: Any) -> dict[str, str | None]:
    """The addresses of the next page and of the first, where there are such; also from the answer to a form."""
    given = {name: value for name, value in values.items() if value}
    return {
        "next_url": url_for(endpoint, **given, cursor=found["next"]) if found["next"] else None,
        "first_url": url_for(endpoint, **given) if "cursor" in request.args else None,
    }


def back(endpoint: str, told: str = "", **values: Any) -> AnyResponse:
    """To another page, with what to tell there."""
    return redirect(url_for(endpoint, **values, told=told or None), 303)
