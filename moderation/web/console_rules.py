"""The console's page of a site's own rules: to read, to try on a text and on decided comments, to add and remove."""

import uuid
from typing import Any
from urllib.parse import urlencode

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.domain.text import normalise_body
from moderation.errors import CallerError, Invalid
from moderation.services import sites, trials, word_lists
from moderation.services.trials import STORED_RULES, Tried
from moderation.web import guards
from moderation.web.console import _actor, _asked_site, _marked, _own_sites, _spans, console
from moderation.web.guards import parts

KINDS = ("word", "pattern", "domain", "author", "network", "allow")
ACTIONS = {"score": "adds its weight", "hold": "holds for a person", "spam": "marks as spam"}
SHOWN = 100
"""Rules and lists on a page; the API and the command line list all of them."""

TOLD = {
    "added": {"text": "The rule was added, and holds from the next comment.", "bad": False},
    "removed": {"text": "The rule was removed.", "bad": False},
    "403": {"text": "That was not done: it needs the role admin on this site.", "bad": True},
    "404": {"text": "That was not done: the site or the rule is not there any more.", "bad": True},
}
"""What the last form came to."""

_FIELDS = ("kind", "value", "action", "weight", "language", "match", "part", "text", "last")
_DEFAULTS = {"kind": "word", "action": "score", "weight": "0.5", "last": str(trials.DEFAULT_LAST)}


@console.get("/rules")
def show_rules() -> str:
    """The rules of a site, and the form to try one."""
    told = TOLD.get(request.args.get("told", ""))
    return _page(_asked_site(request.args.get("site", "")), {}, flash=told)


@console.post("/rules")
def try_rule() -> AnyResponse | str:
    """Try a rule on a text or on the comments that were decided, or add it; by the button that was pressed."""
    form = {name: request.form.get(name, "") for name in _FIELDS}
    site, wanted = _asked_site(request.form.get("site", "")), request.form.get("do", "")
    key = site["key"]
    guards.refuse_malformed("".join(form.values()))
    try:
        if wanted == "add":
            sites.add_rule(parts(), _actor(), key, **_rule(form))
            return _back(key, "added")
        if wanted == "backtest":
            said = trials.backtest(parts(), _actor(), key, Tried(rule=_rule(form)), last=_last(form))
            return _page(site, form, backtest=said)
        return _page(site, form, **_tested(key, form))
    except Invalid as error:
        return _page(site, form, problems={name.removeprefix("rule."): said for name, said in error.fields.items()})
    except CallerError as error:
        if error.status == 409:
            return _page(site, form, problems={"value": [error.detail]})
        return _back(key, str(error.status))


@console.post("/rules/<id:rule_id>/remove")
def remove_rule(rule_id: uuid.UUID) -> AnyResponse:
    """Remove a rule."""
    key = _asked_site(request.form.get("site", ""))["key"]
    try:
        sites.remove_rule(parts(), _actor(), rule_id)
    except CallerError as error:
        return _back(key, str(error.status))
    return _back(key, "removed")


def _page(site: dict[str, Any], form: dict[str, str], **more: Any) -> str:
    key = site["key"]
    flash = more.pop("flash", None)
    return render_template(
        "console/rules.html",
        here="rules",
        site_key=key,
        name=site["name"] or key,
        sites=_own_sites(),
        rules=sites.list_rules(parts(), _actor(), key, limit=SHOWN),
        lists=word_lists.list_lists(parts(), _actor(), key, limit=SHOWN),
        kinds=KINDS,
        actions=ACTIONS,
        form=_DEFAULTS | {name: value for name, value in form.items() if value},
        may_change=_actor().may(site["id"], Role.ADMIN),
        flash={**flash, "undo": None, "back": ""} if flash else None,
        **({"problems": {}, "tested": None, "backtest": None} | more),
    )


def _rule(form: dict[str, str]) -> dict[str, Any]:
    """The rule of the form, in the fields of ``sites.add_rule``. Raises ``Invalid``."""
    try:
        weight = float(form["weight"] or "0.5")
    except ValueError:
        raise Invalid({"weight": ["It is a number from -1 to 1."]}) from None
    return {
        "kind": form["kind"] or "word",
        "value": form["value"],
        "action": form["action"] or "score",
        "weight": weight,
        "language": form["language"].strip() or None,
        "match": "exact" if form["match"] else "folded",
        "part": bool(form["part"]),
    }


def _last(form: dict[str, str]) -> int:
    if not form["last"].isascii() or not form["last"].isdecimal():
        raise Invalid({"last": [f"It is a number from 1 to {trials.MAX_LAST:,}."]})
    return int(form["last"][:9])


def _tested(key: str, form: dict[str, str]) -> dict[str, Any]:
    """What the rule of the form says of its text; without a rule, what the stored ones say."""
    tried = Tried(rule=_rule(form)) if form["value"].strip() else STORED_RULES
    said = trials.try_rules(parts(), _actor(), key, form["text"], tried=tried)
    marked = _marked(normalise_body(form["text"]), _spans(said))
    return {"tested": said | {"marked": marked, "of_one": bool(tried.count())}}


def _back(key: str, told: str) -> AnyResponse:
    return redirect(f"{url_for('console.show_rules')}?{urlencode({'site': key, 'told': told})}", 303)
