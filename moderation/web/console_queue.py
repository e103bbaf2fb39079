"""The console's queue: its page, and what the page's script asks for. Everything on it works by plain forms too."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Role
from moderation.domain.comment import State
from moderation.domain.difference import difference
from moderation.domain.policy import in_words
from moderation.errors import CallerError, Invalid
from moderation.scoring.pipeline import SIGNALS
from moderation.services import desk, moderate, views
from moderation.services.moderate import QueueFilter
from moderation.web import console_raid, guards
from moderation.web.console import (
    ORDERS,
    PAGE_SIZE,
    VIEWS,
    _actor,
    _back,
    _flash,
    _here_with,
    _moves,
    _number,
    _own_sites,
    _refuse,
    _time,
    _uuid,
    address_of,
    console,
    told_of,
    wants_facts,
)
from moderation.web.evidence import is_plain, marks_of, reasons_of
from moderation.web.guards import parts

MAX_FILTER_CHARS = 200
MAX_THREAD_CHARS = 500

CLAIMED = {"": "anybody or nobody", "none": "nobody", "me": "me", "others": "others"}
REPORTED = {"": "reported or not", "yes": "reported by readers", "no": "not reported"}
SIGNAL_NAMES = {signal.name: in_words(signal.name) for signal in SIGNALS}
DEFAULTS = {**dict.fromkeys(views.FILTERS, ""), "state": State.PENDING.value, "sort": "oldest"}
TABS: tuple[tuple[str, dict[str, str]], ...] = (
    ("Waiting", {}),
    ("Escalated", {"state": State.ESCALATED.value}),
    ("Approved, then reported", {"state": State.APPROVED.value, "reported": "yes"}),
)
"""Views that everybody has."""

TOLD = {
    "saved": {"text": "The view was saved.", "bad": False},
    "renamed": {"text": "The view has its new name.", "bad": False},
    "removed": {"text": "The view was removed.", "bad": False},
    "404": {"text": "That was not done: the view is not there any more.", "bad": True},
    "409": {"text": f"That was not done: the name is taken, or you have {views.MAX_VIEWS} views.", "bad": True},
    "422": {
        "text": f"That was not done: a view has a name, of at most {views.MAX_NAME_CHARS} characters.",
        "bad": True,
    },
}
"""What the last form about a view came to."""

DECIDED = {
    "approve": "approved this",
    "reject": "rejected this",
    "spam": "marked this as spam",
    "trash": "put this in the trash",
    "restore": "put this back in the queue",
    "escalate": "escalated this",
}


# --- looking ---------------------------------------------------------------------------------------------------


@console.get("/")
def queue() -> str:
    """What waits, or what a filter asks for, with the reasons."""
    filters = _filters(request.args)
    now = parts().clock()
    found = moderate.list_queue(parts(), _actor(), _asked(filters, request.args.get("cursor")))
    own_sites = _own_sites()
    saved = views.list_views(parts(), _actor())
    tabs = _tabs(filters, saved)
    current = next((tab for tab in tabs if tab["is_here"]), None)
    return render_template(
        "console/queue.html",
        here="queue",
        cards=_cards(found["items"], own_sites),
        may_decide=any(_actor().may(site["id"], Role.MODERATOR) for site in own_sites),
        next_url=_here_with(cursor=found["next"]) if found["next"] else None,
        first_url=_here_with(cursor=None) if "cursor" in request.args else None,
        filters=filters,
        kept=_kept(filters),
        tabs=tabs,
        current=current,
        max_name=views.MAX_NAME_CHARS,
        is_ticked=request.args.get("select") == "all",
        select_url=_here_with(select="all"),
        views=VIEWS,
        orders=ORDERS,
        claimed=CLAIMED,
        reported=REPORTED,
        signals=({filters["signal"]: filters["signal"]} if filters["signal"] else {}) | SIGNAL_NAMES,
        sites=own_sites,
        heading=current["name"] if current else VIEWS[filters["state"]].capitalize(),
        total=found["total_estimate"],
        total_text=_total_text(found["total_estimate"], _most(filters)),
        most=_most(filters),
        empty_text=_empty_text(filters),
        since=now.isoformat(),
        back=_list_url(),
        raids=console_raid.raids_of(own_sites),
        flash=_told() or _flash(),
    )


@console.get("/cards")
def cards() -> Response:
    """For the page's script: the cards of a further page of the list, or those of the comments with these ids."""
    ids = _ids(" ".join(request.args.getlist("id")))
    if ids:
        items, following = desk.show_some(parts(), _actor(), ids), None
    else:
        found = moderate.list_queue(parts(), _actor(), _asked(_filters(request.args), request.args.get("cursor")))
        items, following = found["items"], found["next"]
    page = render_template(
        "console/cards.html", cards=_cards(items, _own_sites()), state=_filters(request.args)["state"]
    )
    return make_response({"html": page, "next": _list_url(cursor=following) if following else None})


@console.get("/live")
def live() -> Response:
    """For the page's script: how its comments stand now, and what came in. 304 while that is what it knows."""
    filters = _filters(request.args)
    known, since = _ids(request.args.get("known", "").replace(".", " ")), _time(request.args.get("since", ""))
    if since is None:
        raise Invalid({"since": ["It is required."]})
    etag, now = request.headers.get("If-None-Match", "").removeprefix("W/").strip('"'), parts().clock()
    found = desk.live(parts(), _actor(), _asked(filters), known, since, etag)
    answer = (
        Response(status=304)
        if found.facts is None
        else make_response({**_facts(found.facts, _most(filters)), "now": now.isoformat()})
    )
    answer.set_etag(found.etag)
    return answer


def _facts(facts: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {
        "total": facts["total_estimate"],
        "total_text": _total_text(facts["total_estimate"], most),
        "arrived": [str(one) for one in facts["arrived"]],
        "comments": {
            str(one["id"]): {
                "state": one["state"],
                "version": one["version"],
                "held_by": one["held_by"],
                "by": one["by"],
                "what": DECIDED.get(one["action"] or "", f"is {one['state']} by now"),
            }
            for one in facts["comments"]
        },
    }


def _cards(items: Sequence[dict[str, Any]], own_sites: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items with what their cards show: reasons, marks, changes since an approval, and the forms' addresses."""
    approved = desk.approved_texts(parts(), items)
    backs = _back_urls(items)
    return [_card(item, approved.get(item["id"]), own_sites, backs[item["id"]]) for item in items]


def _card(item: dict[str, Any], approved: str | None, own_sites: list[dict[str, Any]], back: str) -> dict[str, Any]:
    reasons = reasons_of(item)
    marks = marks_of(item["body"], reasons)
    has_marks = any(mark.numbers for mark in marks)
    details = url_for("console.item", comment_id=item["id"])
    return {
        "item": item,
        "why": reasons,
        "marks": marks if has_marks else [],
        "is_plain": has_marks and approved is None and is_plain(item["body"], item["body_html"]),
        "changes": None if approved is None else difference(approved, item["body"]),
        "moves": _moves(item, own_sites),
        "back": back,
        "held_by": item["claimed_by"] if item["claimed_by"] != _actor().name else None,
        "details": address_of(details, {"list": back.partition("#")[0]}),
        "thread_url": address_of(url_for("console.queue"), {"site": item["site"], "thread": item["thread"]["key"]}),
    }


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    """The filters of an address or a form, in the words of the contract; what makes no sense is left out."""
    raw = {name: given.get(name, "").strip() for name in views.FILTERS}
    guards.refuse_malformed("".join(raw.values()))
    if raw["state"] == "reported":  # as it was called before there was a filter for it
        raw |= {"state": State.APPROVED.value, "reported": "yes"}
    raw["reported"] = {"true": "yes", "false": "no"}.get(raw["reported"], raw["reported"])
    for name in ("q", "author", "signal"):
        raw[name] = raw[name][:MAX_FILTER_CHARS]
    raw["thread"] = raw["thread"][:MAX_THREAD_CHARS]
    choices: dict[str, Mapping[str, str]] = {"state": VIEWS, "sort": ORDERS, "claimed": CLAIMED, "reported": REPORTED}
    raw |= {name: DEFAULTS[name] for name, known in choices.items() if raw[name] not in known}
    raw |= {name: "" for name in ("before", "after") if _day(raw[name]) is None}
    return raw | {"min_risk": "" if _risk(raw["min_risk"]) is None else raw["min_risk"]}


def _asked(filters: Mapping[str, str], cursor: str | None = None) -> QueueFilter:
    return QueueFilter(
        site=filters["site"] or None,
        state=filters["state"],
        thread=filters["thread"] or None,
        q=filters["q"] or None,
        author=filters["author"] or None,
        signal=filters["signal"] or None,
        min_risk=_risk(filters["min_risk"]),
        reported={"yes": True, "no": False}.get(filters["reported"]),
        before=_day(filters["before"]),
        after=_day(filters["after"]),
        claimed=filters["claimed"] or None,
        sort=filters["sort"],
        limit=PAGE_SIZE,
        cursor=cursor,
    )


def _kept(filters: Mapping[str, str]) -> dict[str, str]:
    """What of the filters differs from the queue as it opens."""
    return {name: value for name, value in filters.items() if value != DEFAULTS[name]}


def _day(text: str) -> datetime | None:
    """A time, or the beginning of a day, in UTC; None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return _time(text)


def _risk(text: str) -> float | None:
    try:
        risk = float(text)
    except ValueError:
        return None
    return risk if 0 <= risk <= 1 else None


def _ids(text: str) -> list[uuid.UUID]:
    """Ids between blanks, each once. Raises ``Invalid``."""
    found = [_uuid(one) for one in dict.fromkeys(text.split())]
    if None in found:
        raise Invalid({"id": ["It is not an id."]})
    return [one for one in found if one is not None]


def _back_urls(items: Sequence[dict[str, Any]]) -> dict[uuid.UUID, str]:
    """Where a decision leads: the same list, at the comment after the one decided (or the one before the last)."""
    here = _list_url()
    ids = [item["id"] for item in items]
    following = [*ids[1:], *ids[-2:-1]] if len(ids) > 1 else [None]
    return {own: f"{here}#c-{following[i]}" if following[i] else here for i, own in enumerate(ids)}


def _list_url(**changes: str | None) -> str:
    """The address of the list that this request is about, also where a script asks for some of its cards."""
    here = _here_with(**{"id": None, "select": None, **changes})
    return url_for("console.queue") + here.removeprefix(request.path)


def _most(filters: Mapping[str, str]) -> int:
    """From how many on a total stands for that many or more."""
    return moderate.MOST_COUNTED_BY_TEXT if filters["q"] else moderate.MOST_COUNTED


def _total_text(total: int, most: int) -> str:
    return f"{most:,} comments or more" if total >= most else _number(total, "comment")


def _empty_text(filters: Mapping[str, str]) -> str:
    if set(_kept(filters)) - {"state", "sort"}:
        return "No comment fits this filter."
    if "cursor" in request.args:
        return "Nothing is left on this page."
    return "Nothing waits." if filters["state"] == State.PENDING.value else "There is nothing here."


# --- views -----------------------------------------------------------------------------------------------------


def _tabs(filters: Mapping[str, str], saved: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The views that one can go to, each with its count: everybody's, then one's own."""
    tabs = [*({"id": None, "name": name, "filters": kept} for name, kept in TABS), *saved]
    asked = [_filters(tab["filters"]) for tab in tabs]
    counts = desk.count_views(parts(), _actor(), [_asked(one) for one in asked])
    here, without_sort = dict(filters), dict(filters) | {"sort": DEFAULTS["sort"]}
    return [
        {
            "id": tab["id"],
            "name": tab["name"],
            "url": address_of(url_for("console.queue"), _kept(own)),
            "count": _count_text(count),
            "is_here": own == (here if tab["id"] else without_sort),
        }
        for tab, own, count in zip(tabs, asked, counts, strict=True)
    ]


def _count_text(count: tuple[int, bool] | None) -> str:
    """How many, with a plus where there may be more; nothing for none."""
    if count is None or not count[0]:
        return ""
    return f"{count[0]}" if count[1] else f"{count[0]}+"


@console.post("/views")
def save_view() -> AnyResponse:
    """Keep the filter of a page under a name."""
    filters = _filters(dict(parse_qsl(request.form.get("filters", "")[:4_000])))
    return _view_told("saved", lambda: views.add_view(parts(), _actor(), _view_name(), _kept(filters)))


@console.post("/views/<id:view_id>")
def change_view(view_id: uuid.UUID) -> AnyResponse:
    """Rename a view, or remove it; by the button that was pressed."""
    if request.form.get("do") == "remove":
        return _view_told("removed", lambda: views.remove_view(parts(), _actor(), view_id))
    return _view_told("renamed", lambda: views.rename_view(parts(), _actor(), view_id, _view_name()))


def _view_name() -> str:
    name = request.form.get("name", "")
    guards.refuse_malformed(name)
    return name


def _view_told(told: str, change: Callable[[], object]) -> AnyResponse:
    try:
        change()
    except CallerError as error:
        told = str(error.status)
    return _back(told=told)


def _told() -> dict[str, Any] | None:
    told = {**TOLD, **console_raid.TOLD}.get(request.args.get("told", ""))
    return {**told, "undo": None, "undo_all": None, "back": ""} if told else None


# --- deciding on several, and claims -----------------------------------------------------------------------------


@console.post("/decisions")
def decide_selected() -> AnyResponse:
    """Decide on the comments that were ticked, as they were shown."""
    form = {name: request.form.get(name, "") for name in ("action", "reason", "expected_state")}
    guards.refuse_malformed("".join(form.values()))
    try:
        versions = _versions(request.form.getlist("id"))
        if not form["expected_state"]:
            raise Invalid({"expected_state": ["It is required."]})
        done = moderate.decide_many(
            parts(),
            _actor(),
            list(versions),
            form["action"],
            form["reason"],
            expected_state=form["expected_state"],
            expected_versions=versions,
        )
    except CallerError as error:
        return _refuse(error)
    return _told_of_several(form["action"], done["results"])


@console.post("/decisions/undo")
def undo_all() -> AnyResponse:
    """Take one's own decision on several comments back."""
    try:
        decided_at = _time(request.form.get("decided_at", ""))
        if decided_at is None:
            raise Invalid({"decided_at": ["It is required."]})
        done = moderate.undo_all(parts(), _actor(), decided_at)
    except CallerError as error:
        return _refuse(error)
    return _told_of_several("undo", [{"created_at": decided_at, **one} for one in done["results"]])


def _told_of_several(action: str, results: Sequence[dict[str, Any]]) -> AnyResponse:
    """How many were done and which were not."""
    told = told_of(action, results)
    missed = [result for result in results if not result["ok"]]
    if not wants_facts():
        return _back(None, **told, missed=str(len(missed)))
    failed = {str(one["id"]): one["detail"] for one in missed}
    return make_response({"failed": failed, "undo": url_for("console.undo_all"), "decided_at": told.get("batch")})


def _versions(chosen: Sequence[str]) -> dict[uuid.UUID, int]:
    """The comments of a form with the versions that were shown, ``id:version`` each. Raises ``Invalid``."""
    versions: dict[uuid.UUID, int] = {}
    for one in chosen[: moderate.MAX_BULK + 1]:
        comment_id, _, version = one.partition(":")
        own = _uuid(comment_id)
        if own is None or not (version.isascii() and version.isdecimal() and len(version) < 10):
            raise Invalid({"id": ["It is an id and a version."]})
        versions[own] = int(version)
    if not versions:
        raise Invalid({"id": ["Tick at least one comment."]})
    return versions


@console.post("/claims")
def hold() -> Response:
    """Claim what one looks at, and give back what one has left; for the page's script, which asks again in time."""
    take, leave = (_ids(request.form.get(name, "")) for name in ("take", "leave"))
    held = desk.hold(parts(), _actor(), take, leave)
    others = {str(one): name for one, name in held["others"].items()}
    return make_response({"taken": [str(one) for one in held["taken"]], "others": others})
