"""The moderators' pages. Everything works by plain forms; the script only presses their buttons."""

import html
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import Action, State, state_after
from moderation.domain.difference import difference
from moderation.errors import (
    CallerError,
    CodeNeeded,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unauthenticated,
)
from moderation.services import accounts, desk, moderate, second_factor, sites
from moderation.services.moderate import ALIKE_COUNTED
from moderation.web import guards, health, sessions
from moderation.web.evidence import marks_of, reasons_of
from moderation.web.guards import parts

console = Blueprint("console", __name__, url_prefix="/console")

PAGE_SIZE = 25
MAX_SITES = 100

VIEWS = {
    State.PENDING.value: "waiting",
    State.ESCALATED.value: "escalated",
    State.APPROVED.value: "approved",
    State.REJECTED.value: "rejected",
    State.SPAM.value: "spam",
    State.TRASHED.value: "in the trash",
}
"""What the list can show, and what it is called."""

ORDERS = {"oldest": "oldest first", "newest": "newest first", "risk": "riskiest first", "safest": "safest first"}

COMPARED = 5
"""Former texts that are compared with what followed them; of older ones the text is shown."""

REASONS = ("off topic", "insult or attack", "threat", "hate", "advertising", "private data", "false claim", "other")
"""Reasons that the form offers; the API takes any text."""

DONE = {
    "approve": "The comment was approved.",
    "reject": "The comment was rejected.",
    "spam": "The comment was marked as spam.",
    "trash": "The comment is in the trash.",
    "restore": "The comment is back in the queue.",
    "escalate": "The comment was escalated to an admin.",
    "undo": "Undone: the comment is where it was before.",
}
DONE_ALL = {**dict.fromkeys(DONE, "done."), "approve": "approved.", "reject": "rejected.", "spam": "marked as spam."}
DONE_ALL |= {"undo": "where they were before."}
"""The same of several."""

FAILED = {
    403: "That was not done: it needs a higher role, or an admin where the comment was escalated.",
    404: "That was not done: the comment is not there any more.",
    409: "That was not done: the comment has moved on, or was edited, since you saw it. Here it is as it stands now.",
    422: "That was not done: the form was not complete.",
}

_PUBLIC = {"console.log_in", "console.send_log_in", "console.ask_code", "console.send_code"}
_PUBLIC |= {"console.go_to_organisation", "console.come_back"}
_WITHOUT_FACTOR = {
    *("console.show_second_factor", "console.begin_second_factor", "console.confirm_second_factor"),
    "console.log_out",
}
"""What is open to who has yet to set up the second factor that the installation asks for."""

_NOBODYS_SITE = uuid.UUID(int=0)
_TAG = re.compile(r"<[^>]*>")
_TOLD = ("decision", "did", "failed", "all", "left", "missed", "batch", "told")
"""Parts of an address that only tell what the last decision came to."""


# --- who is it -------------------------------------------------------------------------------------------------


@console.before_request
def _enter() -> AnyResponse | None:
    """Every page but the log-in needs a session, every form its token."""
    g.console_actor = sessions.load()
    if g.console_actor is None and wants_facts():
        raise Unauthenticated("Your session has ended.")
    if request.method == "POST":
        if g.console_actor is None and request.endpoint not in _PUBLIC:
            return redirect(url_for("console.log_in"), 303)
        sessions.check_form()
    elif g.console_actor is None and request.endpoint not in _PUBLIC:
        return redirect(url_for("console.log_in", then=request.full_path.rstrip("?")), 303)
    return _to_second_factor()


def _to_second_factor() -> AnyResponse | None:
    """Whoever has to have a second factor, and has none yet, gets nowhere else."""
    actor, exempt = g.console_actor, request.endpoint in _PUBLIC | _WITHOUT_FACTOR
    if actor is None or exempt or not second_factor.is_due(parts(), actor):
        return None
    if wants_facts():
        raise Forbidden("Set up your second factor first.")
    return redirect(url_for("console.show_second_factor"), 303)


@console.errorhandler(CallerError)
def _refused(error: CallerError) -> Response:
    """What cannot be done is said inside the console, where one can go on, or log out; to a script, in few words."""
    if wants_facts():
        return make_response({"title": error.title, "detail": error.detail}, error.status)
    return make_response(render_template("console/problem.html", title=error.title, detail=error.detail), error.status)


def wants_facts() -> bool:
    """Whether a page's script asks: it takes facts and words, where a form takes a page."""
    return request.accept_mimetypes.best == "application/json"


@console.context_processor
def _names() -> dict[str, Any]:
    return {"me": g.get("console_actor"), "csrf_token": sessions.csrf_token(), "reasons": REASONS, "here": ""}


@console.get("/login")
def log_in() -> AnyResponse:
    """The log-in form."""
    then = sessions.own_path(request.args.get("then"), url_for("console.queue"))
    return redirect(then, 303) if g.console_actor else _log_in_page(then)


@console.post("/login")
def send_log_in() -> AnyResponse:
    """Log in; the session's cookie is new every time."""
    name, then = request.form.get("name", ""), sessions.own_path(request.form.get("then"), url_for("console.queue"))
    guards.refuse_malformed(name + request.form.get("password", ""))
    try:
        cookie, actor = accounts.log_in(
            parts(), name, request.form.get("password", ""), network_of_caller(), sessions.device()
        )
    except CodeNeeded as needed:
        answer = make_response(redirect(url_for("console.ask_code", then=then), 303))
        sessions.begin_step(answer, needed.ticket)
        return answer
    except Unauthenticated as error:
        return _log_in_page(then, error.detail, name, 401)
    except RateLimited as error:
        answer = _log_in_page(then, error.detail, name, 429)
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    answer = make_response(redirect(then, 303))
    sessions.open_session(answer, cookie, actor.name)
    return answer


def network_of_caller() -> bytes:
    """The keyed hash of the caller's network, for the limits of logging in."""
    return parts().vault.network_key(_NOBODYS_SITE, guards.client().ip, parts().clock().date())


@console.post("/logout")
def log_out() -> AnyResponse:
    """End the session."""
    answer = make_response(redirect(url_for("console.log_in"), 303))
    sessions.close_session(answer)
    return answer


def _log_in_page(then: str, error: str = "", name: str = "", status: int = 200) -> Response:
    by = parts().settings.oidc_name if parts().settings.has_oidc else ""
    page = render_template("console/login.html", error=error, name=name[:100], then=then, organisation=by)
    answer = make_response(page, status)
    sessions.begin_visit(answer)
    return answer


# --- looking ---------------------------------------------------------------------------------------------------


@console.get("/comments/<id:comment_id>")
def item(comment_id: uuid.UUID) -> str:
    """One comment whole: source with the evidence marked, what its author changed, the thread around it, history."""
    whole = moderate.show_comment(parts(), _actor(), comment_id)
    reasons = reasons_of(whole)
    approved = desk.approved_texts(parts(), [whole]).get(comment_id)
    return render_template(
        "console/item.html",
        item={**whole, "reports": whole["reports_count"]},
        reports=whole["reports"],
        moves=_moves(whole, _own_sites()),
        back=_here_with(),
        list_url=sessions.own_path(request.args.get("list"), url_for("console.queue")),
        why=reasons,
        marks=marks_of(whole["body"], reasons),
        changes=None if approved is None else difference(approved, whole["body"]),
        around=desk.list_around(parts(), _actor(), comment_id),
        scores=[(name.replace("_", " "), value) for name, value in whole["scores"].items() if value is not None],
        history=_history(whole),
        flash=_flash(),
    )


@console.get("/comments/<id:comment_id>/alike")
def alike(comment_id: uuid.UUID) -> str:
    """The comments that are like one, and a form to decide on those that wait together."""
    until = parts().clock()
    whole = moderate.show_comment(parts(), _actor(), comment_id)
    cursor = request.args.get("cursor")
    guards.refuse_malformed(cursor or "")
    found = moderate.list_alike(parts(), _actor(), comment_id, limit=PAGE_SIZE, cursor=cursor)
    own = int(whole["state"] == State.PENDING.value)
    return render_template(
        "console/alike.html",
        item={**whole, "reports": whole["reports_count"]},
        total_text=alike_text(whole["alike"]),
        found=found["items"],
        waiting=min(moderate.MAX_BULK, whole["alike"]["by_state"][State.PENDING.value] + own),
        most=moderate.MAX_BULK,
        moves=_moves({**whole, "state": State.PENDING.value}, _own_sites()),
        until=until.isoformat(),
        back=url_for("console.alike", comment_id=comment_id),
        next_url=_here_with(cursor=found["next"]) if found["next"] else None,
        first_url=_here_with(cursor=None) if cursor else None,
        flash=_flash(),
    )


def _moves(item: dict[str, Any], own_sites: list[dict[str, Any]]) -> list[str]:
    """What this moderator can do to the comment, so that no button promises what the service refuses."""
    site_id = next((site["id"] for site in own_sites if site["key"] == item["site"]), None)
    needed = Role.ADMIN if item["state"] == State.ESCALATED.value else Role.MODERATOR
    if not _actor().may(site_id, needed):
        return []
    return [action.value for action in Action if _is_allowed(State(item["state"]), action)]


def _is_allowed(state: State, action: Action) -> bool:
    try:
        state_after(state, action)
    except Conflict:
        return False
    return True


def _own_sites() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sites.list_sites(parts(), _actor(), limit=MAX_SITES)["items"]
    return found


def _asked_site(asked: str) -> dict[str, Any]:
    """The site that a page is about: the one asked for, else the first of one's own. Raises ``NotFound``.

    One that is not among one's own has its key alone; what the page then reads says that it is not there.
    """
    guards.refuse_malformed(asked)
    own = _own_sites()
    if not asked and not own:
        raise NotFound("site")
    return next(
        (site for site in own if site["key"] == (asked or own[0]["key"])), {"id": None, "key": asked, "name": ""}
    )


def _here_with(**changes: str | None) -> str:
    """This page's address without what only the last decision put there."""
    query = {**request.args.to_dict(), **dict.fromkeys(_TOLD), **changes}
    return address_of(request.path, query)


def address_of(path: str, query: Mapping[str, str | None]) -> str:
    """A path with what of a query has a value."""
    kept = urlencode({name: value for name, value in query.items() if value})
    return path + (f"?{kept}" if kept else "")


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _spans(whole: dict[str, Any]) -> list[tuple[int, int]]:
    """The places that the evidence points to, in order, overlapping ones joined."""
    found = sorted(
        (int(start), int(end))
        for signal in whole["signals"]
        if signal["weight"] >= 0
        for evidence in signal["evidence"]
        for start, end in evidence.get("spans", [])
    )
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _marked(body: str, spans: Iterable[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The source cut into pieces, each with whether it is evidence."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    for start, end in spans:
        pieces += [(body[at:start], False), (body[start:end], True)]
        at = end
    return [piece for piece in [*pieces, (body[at:], False)] if piece[0]]


_VERBS = {
    "approve": "Approved",
    "reject": "Rejected",
    "spam": "Marked as spam",
    "trash": "Put in the trash",
    "restore": "Put back in the queue",
    "escalate": "Escalated",
}


def _history(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """What happened to the comment, newest first."""
    lines = [{"text": "Received", "at": whole["created_at"]}]
    texts = [whole["body"], *(revision["body"] for revision in whole["revisions"])]
    for i, revision in enumerate(whole["revisions"]):
        line = {"text": "Edited by its author", "at": revision["created_at"]}
        if i < COMPARED:
            lines.append({**line, "changes": difference(texts[i + 1], texts[i])})
        else:
            lines.append({**line, "text": "Edited by its author; before that", "reason": revision["body"]})
    for decision in whole["history"]:
        lines.append(
            {
                "text": _VERBS.get(decision["action"], decision["action"]),
                "who": decision["by"],
                "reason": ". ".join(filter(None, (decision["reason"], decision["note"]))),
                "at": decision["created_at"],
                "undone_by": decision["undone_by"],
            }
        )
    return sorted(lines, key=lambda line: line["at"], reverse=True)


# --- deciding --------------------------------------------------------------------------------------------------


@console.post("/comments/<id:comment_id>/decisions")
def decide(comment_id: uuid.UUID) -> AnyResponse:
    """Decide on a comment as it was shown, then back to the list with a way to undo it."""
    form = {name: request.form.get(name, "") for name in ("action", "reason", "note", "expected_state")}
    guards.refuse_malformed("".join(form.values()))
    version = request.form.get("expected_version", type=int)
    try:
        made = moderate.decide(
            parts(),
            _actor(),
            comment_id,
            form["action"],
            form["reason"],
            form["note"],
            expected_state=form["expected_state"] or None,
            expected_version=version,
        )
    except CallerError as error:
        return _refuse(error)
    health.count_decision(made["action"])
    if wants_facts():
        return make_response({"undo": url_for("console.undo", decision_id=made["decision_id"])})
    return _back(did=made["action"], decision=str(made["decision_id"]))


@console.post("/comments/<id:comment_id>/alike/decisions")
def decide_alike(comment_id: uuid.UUID) -> AnyResponse:
    """Decide on a comment and those like it that waited when the page was made."""
    form = {name: request.form.get(name, "") for name in ("action", "reason", "until")}
    guards.refuse_malformed("".join(form.values()))
    until = _time(form["until"])
    try:
        if until is None:
            raise Invalid({"until": ["It is required."]})
        done = moderate.decide_alike(parts(), _actor(), comment_id, form["action"], form["reason"], until=until)
    except CallerError as error:
        return _refuse(error)
    return _back(None, **told_of(form["action"], done["results"]), left=str(done["left"]))


@console.post("/decisions/<id:decision_id>/undo")
def undo(decision_id: uuid.UUID) -> AnyResponse:
    """Take a decision back."""
    try:
        made = moderate.undo(parts(), _actor(), decision_id)
    except CallerError as error:
        return _refuse(error)
    if wants_facts():
        return make_response({"state": made["state"]})
    return _back(did="undo", comment=made["id"])


def told_of(action: str, results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What an address tells of a decision on several: how many were done, how many not, and what undoes them all."""
    done = [result for result in results if result["ok"]]
    if action != "undo":
        health.count_decision(action, len(done))
    batch = {"batch": done[0]["created_at"].isoformat()} if done else {}
    return {"did": action, "all": str(len(done)), **batch}


def _refuse(error: CallerError) -> AnyResponse:
    """A form goes back to where it stood and is told why; a script gets the error as it is."""
    if wants_facts():
        raise error
    return _back(failed=str(error.status))


def _back(comment: uuid.UUID | None = None, **told: str) -> AnyResponse:
    """Back to where the form stood, at its next comment or at ``comment``, with what to tell there."""
    split = urlsplit(sessions.own_path(request.form.get("back"), url_for("console.queue")))
    query = "&".join(filter(None, (split.query, urlencode(told))))
    fragment = f"c-{comment}" if comment else split.fragment
    return redirect(urlunsplit(("", "", split.path, query, fragment)), 303)


def _flash() -> dict[str, Any] | None:
    """What the last decision came to, from the address that it led to."""
    did, failed = request.args.get("did"), request.args.get("failed", type=int)
    told: dict[str, Any] = {"bad": False, "undo": None, "undo_all": None, "back": _here_with()}
    if failed in FAILED:
        return {**told, "text": FAILED[failed], "bad": True}
    if did not in DONE:
        return None
    made = request.args.get("all", type=int)
    if made is None:
        return {**told, "text": DONE[did], "undo": _uuid(request.args.get("decision"))}
    left, missed = (request.args.get(name, default=0, type=int) for name in ("left", "missed"))
    text = f"{_number(made, 'comment')}: {DONE_ALL[did]}" + (f" {left:,} still wait." if left > 0 else "")
    text += f" {missed:,} not: they moved on, or were edited, since you saw them." if missed > 0 else ""
    batch = _time(request.args.get("batch", ""))
    return {**told, "text": text, "undo_all": batch.isoformat() if batch and did != "undo" else None}


def _time(text: str) -> datetime | None:
    """A time with its zone, as one of our pages wrote it; None for anything else."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None


def _actor() -> Actor:
    actor: Actor = g.console_actor
    return actor


# --- how things are written --------------------------------------------------------------------------------------


@console.app_template_filter("sanitised")
def sanitised(body_html: str) -> Markup:
    """HTML that ``adapters.sanitizer`` made, and nothing else ever."""
    return Markup(body_html)  # noqa: S704 (stored as the sanitizer's last word; nothing changes it after)


console.add_app_template_filter(reasons_of, "reasons")


@console.app_template_filter("excerpt")
def excerpt(body_html: str, most: int) -> str:
    """The plain text of a comment's HTML, on one line, cut to ``most`` characters. Still to be escaped."""
    text = " ".join(html.unescape(_TAG.sub(" ", body_html)).split())
    return text if len(text) <= most else text[:most].rstrip() + "…"


_ALIKE = {
    "spam": "spam",
    "rejected": "rejected",
    "trashed": "in the trash",
    "approved": "approved",
    "pending": "waiting",
}


@console.app_template_filter("alike_text")
def alike_text(alike: dict[str, Any]) -> str:
    """``23 alike, 20 of them spam, 1 approved``."""
    if not alike["count"]:
        return "None alike"
    told = [f"{alike['by_state'][state]} {said}" for state, said in _ALIKE.items() if alike["by_state"][state]]
    told[:1] = [part.replace(" ", " of them ", 1) for part in told[:1]]
    total = f"{alike['count']} or more alike" if alike["count"] >= ALIKE_COUNTED else f"{alike['count']} alike"
    return ", ".join([total, *told])


@console.app_template_filter("ago")
def ago(at: datetime) -> str:
    """How long ago, in one unit."""
    seconds = max(0, int((parts().clock() - at).total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        n = seconds // length
        if n:
            return f"{n} {unit}{'' if n == 1 else 's'} ago"
    return "just now"


@console.app_template_filter("day_time")
def day_time(at: datetime) -> str:
    """``23 Nov 2026, 15:41 UTC``."""
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
