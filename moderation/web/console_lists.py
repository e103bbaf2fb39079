"""The console's pages of word lists, and of a site's rules in YAML: read, check, back-test, save, remove."""

from typing import Any

from flask import Response, make_response, request
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.errors import Conflict, Invalid, NotFound
from moderation.services import automod, trials, word_lists
from moderation.services.trials import Tried
from moderation.storage.models import LIST_ACTIONS, MAX_LIST_CHARS
from moderation.web import console_admin, guards
from moderation.web.console import _actor, console
from moderation.web.console_admin import Place, back, cursor, page, pages, typed, whole
from moderation.web.guards import parts

SHOWN = 50
SHOWN_ENTRIES = 200
"""Lists on a page, and entries of a list that is looked at; the whole list is a file to take along."""

ACTIONS = {
    "score": "adds its weight",
    "hold": "holds for a person",
    "spam": "marks as spam",
    "allow": "allows: nothing objects to these words",
}
_FIELDS = ("name", "text", "action", "weight", "language", "match", "part", "keep", "last")
_DEFAULTS = {"action": "score", "weight": "0.5", "last": str(trials.DEFAULT_LAST)}


# --- lists of words ----------------------------------------------------------------------------------------------


@console.get("/lists")
def list_words() -> Response:
    """The lists of a site, and the form to make or replace one."""
    at = console_admin.place(Role.MODERATOR, everywhere=True)
    return _lists(at, {**_DEFAULTS, "name": console_admin.asked("list", 64)})


@console.post("/lists")
def put_words() -> AnyResponse:
    """Check a list, run it over what was decided, or keep it; by the button that was pressed."""
    at = console_admin.place(Role.MODERATOR, everywhere=True)
    form = typed(*_FIELDS)
    wanted = request.form.get("do", "")
    try:
        form["text"] = _text(form["text"])
        if wanted == "backtest":
            tried = Tried(words={"text": form["text"], **_options(form)})
            return _lists(at, form, backtest=_backtest(at, form, tried))
        done = word_lists.put_list(
            parts(),
            _actor(),
            at.key,
            form["name"],
            form["text"],
            **_options(form),
            replace=form["keep"] != "on",
            dry_run=wanted != "save",
        )
    except Invalid as error:
        found = {name.removeprefix("list."): messages for name, messages in error.fields.items()}
        return _lists(at, form, 422, problems=found)
    except Conflict as error:
        return _lists(at, form, 409, problems={"": [error.detail]})
    if wanted == "save" and not done["refused_count"]:
        return back("console.list_words", "saved", site=at.key)
    return _lists(at, form, outcome=done, is_saved=wanted == "save")


@console.get("/lists/<name>")
def show_words(name: str) -> Response:
    """One list: what it does, and how it begins."""
    at = console_admin.place(Role.MODERATOR, everywhere=True)
    guards.refuse_malformed(name)
    found = word_lists.show_list(parts(), _actor(), at.key, name)
    entries = found.pop("text").split("\n", SHOWN_ENTRIES)[:SHOWN_ENTRIES]
    return page("list", "rules", at, found=found, entries=entries, actions=ACTIONS)


@console.get("/lists/<name>/file")
def take_words(name: str) -> Response:
    """The whole list as a file, in the form in which it can be given back."""
    at = console_admin.place(Role.MODERATOR, everywhere=True)
    guards.refuse_malformed(name)
    found = word_lists.show_list(parts(), _actor(), at.key, name)
    answer = make_response(found["text"] + "\n")
    answer.mimetype = "text/plain"
    answer.headers.set("Content-Disposition", "attachment", filename=f"{found['name']}.txt")
    return answer


@console.post("/lists/<name>/remove")
def remove_words(name: str) -> AnyResponse:
    """Remove a list."""
    at = console_admin.place(Role.ADMIN, everywhere=True)
    guards.refuse_malformed(name)
    word_lists.remove_list(parts(), _actor(), at.key, name)
    return back("console.list_words", "removed", site=at.key)


def _lists(at: Place, form: dict[str, str], status: int = 200, **more: Any) -> Response:
    found = word_lists.list_lists(parts(), _actor(), at.key, limit=SHOWN, cursor=cursor())
    shown = {"outcome": None, "is_saved": False, "backtest": None, **more}
    return page(
        "lists",
        "rules",
        at,
        status,
        form=form,
        found=found,
        actions=ACTIONS,
        most=MAX_LIST_CHARS,
        **pages(found, "console.list_words", site=at.key),
        **shown,
    )


def _text(pasted: str) -> str:
    """The file that came with the form, or else what was pasted."""
    file = request.files.get("file")
    raw = file.read() if file is not None else b""
    if not raw:
        return pasted
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Invalid({"file": [f"Line {line} is not text in UTF-8."]}) from None
    guards.refuse_malformed(text)
    return text


def _options(form: dict[str, str]) -> dict[str, Any]:
    if form["action"] not in LIST_ACTIONS:
        raise Invalid({"action": [f"It is one of {', '.join(LIST_ACTIONS)}."]})
    try:
        weight = float(form["weight"] or "0.5")
    except ValueError:
        raise Invalid({"weight": ["It is a number from -1 to 1."]}) from None
    return {
        "action": form["action"],
        "weight": weight,
        "language": form["language"].strip(),
        "match": "exact" if form["match"] else "folded",
        "part": bool(form["part"]),
    }


def _backtest(at: Place, form: dict[str, str], tried: Tried) -> dict[str, Any]:
    if at.id is None:
        raise Invalid({"": ["A back-test goes through one site: choose one above."]})
    last = whole(form["last"], "last", f"It is a number from 1 to {trials.MAX_LAST:,}.")
    return trials.backtest(parts(), _actor(), at.key, tried, last=last)


# --- rules in YAML -----------------------------------------------------------------------------------------------


@console.get("/automod")
def show_automod() -> Response:
    """The rules of a site in the form of AutoModerator."""
    return _automod(console_admin.place(Role.MODERATOR))


@console.post("/automod")
def put_automod() -> AnyResponse:
    """Check a text of rules, run it over what was decided, or keep it; by the button that was pressed."""
    at = console_admin.place(Role.MODERATOR)
    form = typed("text", "version", "last")
    # A browser sends every line's end as two characters; the limit is that of the text itself.
    form["text"] = form["text"].replace("\r\n", "\n")
    wanted = request.form.get("do", "")
    try:
        if wanted == "backtest":
            return _automod(at, form, backtest=_backtest(at, form, Tried(automod=form["text"])))
        version = whole(form["version"], "", "The form was not complete. Load the page anew.")
        done = automod.put_automod(
            parts(), _actor(), at.key, form["text"], dry_run=wanted != "save", expected_version=version
        )
    except Invalid as error:
        found = {"text" if name == "automod" else name: messages for name, messages in error.fields.items()}
        return _automod(at, form, 422, problems=found)
    except Conflict as error:
        return _automod(at, form, 409, problems={"": [error.detail]})
    if wanted == "save":
        return back("console.show_automod", "saved", site=at.key)
    return _automod(at, form, checked=done["rules"])


@console.post("/automod/remove")
def remove_automod() -> AnyResponse:
    """Remove a site's rules in YAML."""
    at = console_admin.place(Role.ADMIN)
    automod.remove_automod(parts(), _actor(), at.key)
    return back("console.show_automod", "removed", site=at.key)


def _automod(at: Place, form: dict[str, str] | None = None, status: int = 200, **more: Any) -> Response:
    try:
        stored = automod.show_automod(parts(), _actor(), at.key)
    except NotFound:
        stored = {"text": "", "rules": 0, "version": 0, "changed_at": None}
    is_old = status == 409
    values = form or {"text": stored["text"], "last": str(trials.DEFAULT_LAST)}
    if is_old or form is None:
        # What is there by now goes with its version: who saves again has seen that somebody else was faster.
        values = {**values, "version": str(stored["version"])}
    return page(
        "automod",
        "automod",
        at,
        status,
        form=values,
        stored=stored,
        is_old=is_old,
        **({"checked": None, "backtest": None} | more),
    )
