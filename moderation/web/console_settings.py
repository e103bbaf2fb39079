"""The console's page of a site's settings: what each means, within which limits, and what it is now."""

import re
from typing import Any

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.domain.site import RANGES, SiteSettings, setting_names
from moderation.errors import Conflict, Invalid
from moderation.services import sites
from moderation.web import console_admin
from moderation.web.console import _actor, console
from moderation.web.console_admin import Place, Problems, back, page, typed, whole
from moderation.web.guards import parts

MEANINGS = {
    "policy": "Whether every comment waits for a person, or those that nothing speaks against are published at once.",
    "approve_below": "With the policy “auto”: a comment of a lower risk is published at once.",
    "spam_from": "From this risk on a comment counts as spam.",
    "auto_spam": "Whether spam is put away by itself. Off: it waits for a person, and says so.",
    "learning": "Whether the moderators’ decisions teach the site’s own model.",
    "open_threads": "Whether a page’s first comment begins its thread. Off: comments only where there is a thread.",
    "require_email": "Whether a reader has to give an address. It is sealed, and never shown to readers.",
    "sso": "Whether readers can, or have to, be logged in at the site: single sign-on.",
    "erase_texts": "Whether to erase a person removes their texts too. Off: these stay, under the name [deleted].",
    "keep_addresses_days": "Days after which an address goes that nothing needs any more. 0: it stays until erased.",
    "keep_networks_days": "Days after which the network that a comment came from goes, and its hash. 0: it stays.",
    "keep_refused_days": "Days after which the text of what was rejected, spam or trashed goes. 0: it stays.",
    "reply_notices": "Whether readers can ask to be told of replies by mail, where the service sends mail.",
    "akismet": "Whether programs with a token of the role scorer can ask and teach by Akismet’s protocol.",
    "perspective": "Whether they can by the protocol of the Perspective API.",
    "max_chars": "Longest comment, in characters.",
    "max_depth": "How deep answers to answers are nested. Deeper ones hang on the deepest level.",
    "edit_window_s": "Seconds in which authors may change or delete their comment. 0: never.",
    "votes": "Whether readers may vote on comments.",
    "reports": "Whether readers may report comments.",
    "submit_rate": "How many comments and edits may come from one network address.",
    "report_rate": "How many reports may come from one network address.",
    "vote_rate": "How many votes may come from one network address.",
    "preview_rate": "How many previews one network address may ask for.",
    "raid_mode": "Whether a flood of newcomers from many addresses switches raid mode: newcomers wait, all are slowed.",
    "raid_at": "So many comments of newcomers a minute are a raid, or ten times what is usual, if that is more.",
    "raid_quiet_s": "After so many seconds with less than half of that it is over.",
    "slow_mode_s": "During a raid each reader may send a comment in so many seconds. 0: as ever.",
    "proof_of_work": "Whether the form’s script does a sum that makes floods dear. What comes without it waits.",
    "proof_bits": "How long the sum is; one more makes it twice as long. 18 is a moment on most devices.",
    "scorer_rate": "How many questions one token of the role scorer may ask, over all of these protocols.",
}
"""What each setting means, in a sentence."""

GROUPS = {
    "What becomes of a comment": ("policy", "approve_below", "spam_from", "auto_spam", "learning"),
    "Writing": ("open_threads", "require_email", "sso", "max_chars", "max_depth", "edit_window_s"),
    "Readers": ("votes", "reports", "reply_notices", "erase_texts"),
    "How long it is kept": ("keep_addresses_days", "keep_networks_days", "keep_refused_days"),
    "Programs that ask for scores": ("akismet", "perspective", "scorer_rate"),
    "How often": ("submit_rate", "report_rate", "vote_rate", "preview_rate"),
    "Under a raid": ("raid_mode", "raid_at", "raid_quiet_s", "slow_mode_s", "proof_of_work", "proof_bits"),
}
"""In which order they are shown; one that is not named here comes last."""

CHOICES = {
    "policy": {"hold": "hold every comment", "auto": "publish what nothing speaks against"},
    "sso": {"off": "off", "optional": "optional", "required": "required of every reader"},
    "raid_mode": {"auto": "by the figures", "on": "on, until it is set back", "off": "never"},
    "proof_of_work": {"off": "never", "raid": "during a raid", "always": "for every comment"},
}
"""Settings that are one of a few words, with what these are called."""

RATE_HINT = "Like 10/minute or 10/minute;100/hour; none lifts the limit."
_DEFAULTS = SiteSettings()


@console.get("/settings")
def show_settings() -> Response:
    """A site's settings; to change for its admins, to read for the others."""
    at = console_admin.place(Role.VIEWER)
    return _page(at, sites.show_site(parts(), _actor(), at.key))


@console.post("/settings")
def save_settings() -> AnyResponse:
    """Save the settings of a site, as long as nobody else changed it since they were shown."""
    at = console_admin.place(Role.ADMIN)
    form = typed("name", "origins", "version", *setting_names())
    origins = [line.strip() for line in form["origins"].splitlines() if line.strip()]
    try:
        sites.change_site(
            parts(),
            _actor(),
            at.key,
            name=form["name"],
            origins=origins,
            settings={name: _given(name, form[name]) for name in setting_names() if _is_asked(name)},
            expected_version=whole(form["version"], "", "The form was not complete. Load the page anew."),
        )
    except Conflict as error:
        return _page(at, sites.show_site(parts(), _actor(), at.key), form, {"": [error.detail]}, 409)
    except Invalid as error:
        return _page(at, sites.show_site(parts(), _actor(), at.key), form, _problems(error, origins), 422)
    return back("console.show_settings", "saved", site=at.key)


def _page(
    at: Place,
    site: dict[str, Any],
    form: dict[str, str] | None = None,
    problems: Problems | None = None,
    status: int = 200,
) -> Response:
    kept = {name: _as_text(value) for name, value in site["settings"].items()}
    shown = {"name": site["name"], "origins": "\n".join(site["origins"]), **kept}
    is_old = status == 409
    values = form or shown
    if is_old or form is None:
        # What is there by now goes with its version: who saves again has seen that somebody else was faster.
        values = {**values, "version": str(site["version"])}
    return page(
        "settings",
        "settings",
        at,
        status,
        form=values,
        problems=problems or {},
        groups=_groups(kept),
        kept=shown,
        is_old=is_old,
        choices=CHOICES,
    )


def _groups(kept: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    named = {name for names in GROUPS.values() for name in names}
    others = {"Other": tuple(name for name in setting_names() if name not in named)}
    found = {
        title: [_field(name, kept[name]) for name in names if name in kept]
        for title, names in {**GROUPS, **others}.items()
    }
    return {title: group for title, group in found.items() if group}


def _field(name: str, value: str) -> dict[str, Any]:
    default = getattr(_DEFAULTS, name)
    low, high = RANGES.get(name, (None, None))
    if isinstance(default, bool):
        kind = "tick"
    elif name in CHOICES:
        kind = "choice"
    elif name in RANGES:
        kind = "number"
    else:
        kind = "text"
    limits = f"From {low:,g} to {high:,g}." if low is not None and high is not None else ""
    limits = RATE_HINT if name.endswith("_rate") else limits
    usual = f"Usually {_as_text(default)}." if _as_text(default) != value else ""
    return {
        "name": name,
        "title": name.removesuffix("_s").replace("_", " ").capitalize(),
        "kind": kind,
        "hint": " ".join(filter(None, (MEANINGS.get(name, ""), limits, usual))),
        "step": "1" if isinstance(default, int) else "any",
        "low": low,
        "high": high,
        "value": value,
    }


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_asked(name: str) -> bool:
    """A box that is not ticked is not sent; any other field that is missing was not on the page, and stays."""
    return isinstance(getattr(_DEFAULTS, name), bool) or name in request.form


def _given(name: str, text: str) -> str:
    return (text or "off") if isinstance(getattr(_DEFAULTS, name), bool) else text.strip()


def _problems(error: Invalid, origins: list[str]) -> Problems:
    """Messages by field of the form; those of single origins say which."""
    found: dict[str, list[str]] = {}
    for path, messages in error.fields.items():
        place = re.fullmatch(r"origins\.(\d+)", path)
        if place:
            found.setdefault("origins", []).append(f"{origins[int(place[1])][:100]}: {' '.join(messages)}")
        else:
            found[path.removeprefix("settings.")] = list(messages)
    return found
