"""What readers do: submit, edit, delete, preview, report, vote. Each function owns its transaction.

The order of a submission: normalise once (what is judged is what is stored is what is shown) · gather facts and judge,
in a read transaction · ONE write transaction: rate, idempotency key, thread, author, comment, signals, events, counts.
No network in either: external scorers that have a deadline are asked between the two.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import POLICY
from moderation.domain.comment import Action, State
from moderation.domain.identity import canonical_email, email_domain, truncate_ip
from moderation.domain.links import safe_url
from moderation.domain.proof import Proof
from moderation.domain.scorer import Question
from moderation.domain.sign_on import Person
from moderation.domain.site import SiteSettings, site_settings
from moderation.domain.text import normalise_line, read_body
from moderation.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited, SlowedDown, Unauthenticated
from moderation.scoring.repeats import bands
from moderation.services import asking, events, idempotency, learning, notices, proofs, raids, sign_on
from moderation.services.idempotency import Idempotency
from moderation.services.judging import Draft, Judged, judge, with_used_proof
from moderation.services.parts import Parts
from moderation.services.sites import known_site, site_now
from moderation.storage import audit, comments, decisions, limits, reactions, scorings, tallies, threads
from moderation.storage.db import new_id, read, write
from moderation.storage.models import Author, Comment, Site, Thread

MAX_NAME_CHARS = 100
MAX_KEY_CHARS = 500
MAX_TITLE_CHARS = 500
MAX_DETAIL_CHARS = 1_000

RATE_KINDS = ("submit", "report", "vote", "preview")

DELETED_AVATAR = "deleted"
"""The avatar of an empty place."""

WITHOUT_AUTHOR: Mapping[str, Any] = {
    "author_url": None,
    "avatar": DELETED_AVATAR,
    "email_sealed": None,
    "email_index": None,
    "email_domain": None,
    "ip_network": "",
    "network_key": None,
}
"""What a comment's row holds once it no longer says who wrote it, beside a name for that."""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from. Neither value is stored as it is."""

    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A reader's comment as it was sent."""

    thread_key: str
    thread_url: str | None
    thread_title: str | None
    parent_id: uuid.UUID | None
    name: str
    email: str | None
    url: str | None
    token: str | None
    body: str
    filled_in_ms: int | None = None
    honeypot: str = ""
    sso: str | None = None
    notify: bool = False
    proof: str | None = None


@dataclass(frozen=True, slots=True)
class _Clean:
    """A submission, normalised and checked. ``person_key``: of the reader whom the site vouches for, if it does."""

    key: str
    url: str | None
    title: str | None
    name: str
    email: str | None
    website: str | None
    body: str
    html: str
    person_key: bytes | None


# --- submit ----------------------------------------------------------------------------------------------------


def submit_comment(
    parts: Parts, site_key: str, submission: Submission, client: Client, idem: Idempotency | None = None
) -> dict[str, Any]:
    """Accept a comment; the answer of the contract.

    Raises ``NotFound`` for an unknown site, ``Invalid`` for a wrong field (also a parent that is not public),
    ``Forbidden`` for a closed thread, ``Unauthenticated`` for a sign-on token that does not hold, ``RateLimited``,
    ``StorageUnavailable``.
    """
    site = site_now(site_key)
    settings = site_settings(site.settings)
    with read() as session:
        person = sign_on.signed_on(session, parts, site, settings, submission.sso)
        clean = _cleaned(parts, site, submission, settings, person)
        if submission.notify:
            _check_notify(parts, site, clean)
        draft = _draft(session, parts, site, submission, clean, client)
        draft, pace = _defended(session, parts, site, settings, draft, submission.proof, client)
        if pace is not None and not idempotency.is_known(session, parts, f"public:{site.key}", idem):
            pace.peek(session, parts)
        judged = judge(session, parts, site, settings, draft)
        may_ask = judged.asks_now and not idempotency.is_known(session, parts, f"public:{site.key}", idem)
        may_ask = may_ask and _is_below_rate(session, parts, site, "submit", client)
        may_ask = may_ask and _has_its_place(session, site, settings, clean, submission.parent_id)
    if may_ask:
        question = _question(site, draft, 1, clean.key, clean.url)
        judged = asking.answered_in_time(parts, settings.decision_policy(), question, judged)
    # All that can be is made before the transaction, for which others wait.
    comment = _comment(parts, site, clean, draft, judged)
    with write() as session:
        reservation = idempotency.reserve(session, parts, f"public:{site.key}", idem)
        if reservation is not None and reservation.known is not None:
            return reservation.known
        hit_rate(session, parts, site, "submit", client)
        if pace is not None:
            pace.hit(session, parts)
        if draft.proof is Proof.GOOD and not proofs.use(session, parts, site, submission.proof or ""):
            judged = with_used_proof(judged, settings)
            comment = _comment(parts, site, clean, draft, judged)
        thread = _thread_for(session, site, settings, clean, parts.clock())
        if judged.verdict.state is State.APPROVED:
            threads.lock_threads(session, [thread.id])
        parent = _parent_for(session, thread, submission.parent_id)
        author_id = draft.author_id or _new_author(session, parts, site, clean)
        _place(parts, settings, comment, thread, parent, author_id)
        comments.add_comment(session, comment, judged.signal_rows(), judged.bands())
        tallies.count(session, site.id, comment.created_at.date(), "submitted")
        events.tell(session, "comment.submitted", site.key, thread, comment, comment.created_at)
        if comment.state != State.PENDING.value:
            apply_policy(session, site, thread, comment, judged.verdict.reasons[0], comment.created_at)
        asking.ask_later(session, comment, judged)
        if submission.notify and clean.email:
            notices.watch(session, parts, site, comment, clean.email, draft.network_key)
        answer = _answer(parts, site, comment, author_id) if reservation is not None else None
        if answer is not None:
            idempotency.settle(session, parts, reservation, answer)
        if comment.state != State.PENDING.value:
            audit_policy(parts, session, comment, judged.verdict.reasons[0], comment.created_at)
    return answer or _answer(parts, site, comment, author_id)


@dataclass(frozen=True, slots=True)
class _Pace:
    """Slow mode for one reader: a comment each ``every_s`` seconds. The key is hashed before it is stored."""

    every_s: int
    key: bytes

    def peek(self, session: Session, parts: Parts) -> None:
        """Raise ``SlowedDown`` where ``hit`` would."""
        self._under_limit(limits.peek, session, parts)

    def hit(self, session: Session, parts: Parts) -> None:
        """Count the comment, in the caller's transaction. Raises ``SlowedDown``."""
        self._under_limit(limits.hit, session, parts)

    def _under_limit(self, count: Callable[..., None], session: Session, parts: Parts) -> None:
        try:
            count(session, f"1/{self.every_s}second", self.key, parts.clock())
        except RateLimited as error:
            raise SlowedDown(error.retry_after_s) from None


def _defended(
    session: Session,
    parts: Parts,
    site: Site,
    settings: SiteSettings,
    draft: Draft,
    proof: str | None,
    client: Client,
) -> tuple[Draft, _Pace | None]:
    """The draft with what a raid, or a proof of work that is asked for, says of it; and the reader's pace in slow mode.

    Costs nothing where the site has neither at the moment. Who is known needs no proof and does not wait.
    """
    is_raided, is_asked = raids.is_on(site, settings), proofs.is_asked(site, settings)
    if not (is_raided or is_asked):
        return draft, None
    is_known = raids.is_known(session, parts, site, draft.author_id)
    looked_at = None if is_known or not is_asked else proofs.looked_at(session, parts, site, proof)
    defended = replace(draft, raid=is_raided and not is_known, proof=looked_at)
    if not is_raided or not settings.slow_mode_s or settings.submit_rate == "none":
        return defended, None
    agent = client.user_agent.encode("utf-8", "surrogatepass")
    who = draft.author_id.bytes if is_known and draft.author_id else draft.network_key + agent
    return defended, _Pace(settings.slow_mode_s, b"slow" + site.id.bytes + who)


def check_rate(parts: Parts, site_key: str, kind: str, client: Client) -> None:
    """Refuse early, before a body is parsed, whom the site's limit refuses anyway. One or two small reads.

    Raises ``RateLimited`` or ``NotFound``.
    """
    site = site_now(site_key)
    limit = _limit(site, kind)
    if limit not in limits.UNLIMITED:
        with read() as session:
            limits.peek(session, limit, _rate_key(parts, site, kind, client), parts.clock())


def hit_rate(session: Session, parts: Parts, site: Site, kind: str, client: Client) -> None:
    """Count one request of this kind, in the caller's transaction. Raises ``RateLimited``."""
    limit = _limit(site, kind)
    if limit not in limits.UNLIMITED:
        limits.hit(session, limit, _rate_key(parts, site, kind, client), parts.clock())


def _is_below_rate(session: Session, parts: Parts, site: Site, kind: str, client: Client) -> bool:
    """Whether this request would be taken; else nobody outside is bothered with it."""
    try:
        limits.peek(session, _limit(site, kind), _rate_key(parts, site, kind, client), parts.clock())
    except RateLimited:
        return False
    return True


def site_origins(parts: Parts, site_key: str) -> tuple[str, ...]:
    """The origins from which a site's readers may call. Raises ``NotFound``."""
    return tuple(site_now(site_key).origins)


def _limit(site: Site, kind: str) -> str:
    return str(getattr(site_settings(site.settings), f"{kind}_rate"))


def _rate_key(parts: Parts, site: Site, kind: str, client: Client) -> bytes:
    return kind.encode() + parts.vault.network_key(site.id, client.ip, parts.clock().date())


def _cleaned(parts: Parts, site: Site, submission: Submission, settings: SiteSettings, person: Person | None) -> _Clean:
    """Raises ``Invalid`` by field. A reader whom the site vouches for has the name and the address that it says."""
    problems: dict[str, list[str]] = {}
    if person is not None:
        submission = replace(submission, name=person.name, email=person.email)
    clean = _Clean(
        key=_line(problems, "thread.key", submission.thread_key, MAX_KEY_CHARS, required=True),
        url=_url(problems, "thread.url", submission.thread_url),
        title=_line(problems, "thread.title", submission.thread_title or "", MAX_TITLE_CHARS) or None,
        name=_line(problems, "author.name", submission.name, MAX_NAME_CHARS, required=True),
        email=_email(problems, submission.email, required=settings.require_email and person is None),
        website=_url(problems, "author.url", submission.url),
        body="",
        html="",
        person_key=parts.vault.person_key(site.id, person.id) if person else None,
    )
    body, html = _body(parts, problems, submission.body, settings)
    if problems:
        raise Invalid(_as_signed(problems) if person else problems)
    return replace(clean, body=body, html=html)


def _as_signed(problems: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is wrong with a name or an address that a token told, named where the caller can mend it."""
    told = {"author.name": "user.username", "author.email": "user.email"}
    return {
        "author.sso" if path in told else path: [f"{told[path]}: {said}" for said in messages]
        if path in told
        else messages
        for path, messages in problems.items()
    }


def _check_notify(parts: Parts, site: Site, clean: _Clean) -> None:
    if not notices.offers(parts, site):
        raise Invalid({"notify": ["This site sends no notices of replies."]})
    if not clean.email:
        raise Invalid({"author.email": ["It is required for notices of replies. It will not be published."]})


def _line(problems: dict[str, list[str]], field: str, raw: str, limit: int, *, required: bool = False) -> str:
    try:
        text = normalise_line(raw, field)
    except Invalid as error:
        problems |= error.fields
        return ""
    if required and not text:
        problems[field] = ["It is required."]
    elif len(text) > limit:
        problems[field] = [f"It is longer than {limit} characters."]
    return text


def _url(problems: dict[str, list[str]], field: str, raw: str | None) -> str | None:
    if raw is None or not raw.strip():
        return None
    url = safe_url(raw.strip())
    if url is None:
        problems[field] = ["It is not a web address like https://example.org/."]
    return url


def _email(problems: dict[str, list[str]], raw: str | None, *, required: bool) -> str | None:
    if raw is None or not raw.strip():
        if required:
            problems["author.email"] = ["It is required. It will not be published."]
        return None
    try:
        return canonical_email(raw)
    except Invalid as error:
        problems |= error.fields
        return None


def _body(parts: Parts, problems: dict[str, list[str]], raw: str, settings: SiteSettings) -> tuple[str, str]:
    try:
        text = read_body(raw)
        if not text.source:
            problems["body"] = ["It is empty. Write something."]
        elif text.length > settings.max_chars:
            problems["body"] = [f"It has {text.length} characters; {settings.max_chars} are allowed."]
        else:
            return text.source, parts.renderer.html(text.source)
    except Invalid as error:
        problems |= error.fields
    return "", ""


def _draft(session: Session, parts: Parts, site: Site, submission: Submission, clean: _Clean, client: Client) -> Draft:
    return Draft(
        comment_id=new_id(),
        body=clean.body,
        body_html=clean.html,
        author_name=clean.name,
        author_url=clean.website,
        email_domain=email_domain(clean.email) if clean.email else None,
        author_id=_proven_author(session, parts, site, clean, submission.token),
        thread_id=threads.thread_now(site.id, clean.key),
        network_key=parts.vault.network_key(site.id, client.ip, parts.clock().date()),
        ip_network=truncate_ip(client.ip),
        filled_in_ms=submission.filled_in_ms,
        honeypot=bool(submission.honeypot),
        is_top_level=submission.parent_id is None,
    )


def _question(site: Site, draft: Draft, version: int, thread_key: str, thread_url: str | None) -> Question:
    """What external scorers may be told of a comment."""
    return Question(
        id=asking.message_id(draft.comment_id, version),
        site=site.key,
        thread_key=thread_key,
        text=draft.body,
        site_url=site.origins[0] if site.origins else "",
        page_url=thread_url,
        author_name=draft.author_name,
        author_url=draft.author_url,
        ip_network=draft.ip_network,
    )


def _new_author(session: Session, parts: Parts, site: Site, clean: _Clean) -> uuid.UUID:
    if clean.person_key is not None:
        return comments.person_made(session, site.id, clean.person_key, clean.name, parts.clock())
    return comments.add_author(session, site.id, clean.name, parts.clock())


def _proven_author(session: Session, parts: Parts, site: Site, clean: _Clean, token: str | None) -> uuid.UUID | None:
    """Who it is by the site's word, or else by an author token; None for somebody new.

    The token of somebody whom the site vouched for proves nothing here: who uses that browser now may be another.
    """
    if clean.person_key is not None:
        author = comments.author_by_person(session, site.id, clean.person_key)
    else:
        author = _author_of_token(session, parts, site, token)
        author = author if author and author.person_key is None else None
    return author.id if author else None


def _author_of_token(session: Session, parts: Parts, site: Site, token: str | None) -> Author | None:
    """Whom a signed author token names. One that does not open is passed over: it proves nothing."""
    payload = parts.vault.unsign(f"author:{site.id}", token) if token else None
    return comments.author_of_site(session, site.id, uuid.UUID(hex=payload)) if payload else None


def _thread_for(session: Session, site: Site, settings: SiteSettings, clean: _Clean, now: datetime) -> Thread:
    thread = threads.thread_of_site(session, site.id, clean.key)
    if thread is None:
        if not settings.open_threads:
            raise Invalid({"thread.key": ["There is no such thread, and this site makes them itself."]})
        thread = threads.thread_made(session, site.id, clean.key, clean.url, clean.title, now)
    if not thread.open:
        raise Forbidden("This thread is closed for new comments.")
    return thread


def _has_its_place(
    session: Session, site: Site, settings: SiteSettings, clean: _Clean, parent_id: uuid.UUID | None
) -> bool:
    """Whether a comment would be taken where it is to stand; else nobody outside is bothered with it."""
    thread = threads.thread_of_site(session, site.id, clean.key)
    if thread is None:
        return settings.open_threads and parent_id is None
    try:
        _parent_for(session, thread, parent_id)
    except Invalid:
        return False
    return thread.open


def _parent_for(session: Session, thread: Thread, parent_id: uuid.UUID | None) -> Comment | None:
    if parent_id is None:
        return None
    parent = comments.comment_of_site(session, thread.site_id, parent_id)
    if parent is None or parent.thread_id != thread.id or not parent.shown or parent.state != State.APPROVED.value:
        raise Invalid({"parent_id": ["There is no such comment in this thread to reply to."]})
    return parent


def _comment(parts: Parts, site: Site, clean: _Clean, draft: Draft, judged: Judged) -> Comment:
    """The comment as far as it is known before it has its place and time; see ``_place``."""
    return Comment(
        id=draft.comment_id,
        site_id=site.id,
        author_name=clean.name,
        author_url=clean.website,
        author_proven=draft.author_id is not None or clean.person_key is not None,
        email_sealed=_sealed_email(parts, site, draft.comment_id, clean.email),
        email_index=parts.vault.blind_index(site.id, clean.email) if clean.email else None,
        email_domain=draft.email_domain,
        ip_network=draft.ip_network,
        network_key=draft.network_key,
        body=clean.body,
        body_html=clean.html,
        renderer=parts.renderer.version,
        version=1,
        **_judged_values(judged),
    )


def _place(
    parts: Parts, settings: SiteSettings, comment: Comment, thread: Thread, parent: Comment | None, author_id: uuid.UUID
) -> None:
    """Give a new comment its place, its author and its time, within the transaction: lists go by the time."""
    comment.thread_id = thread.id
    comment.parent_id = parent.id if parent else None
    comment.root_id = parent.root_id if parent else comment.id
    comment.depth = parent.depth + 1 if parent else 0
    comment.author_id = author_id
    comment.avatar = parts.vault.avatar_key(comment.site_id, author_id.bytes)
    comment.created_at = parts.clock()
    comment.editable_until = comment.created_at + timedelta(seconds=settings.edit_window_s)


def _judged_values(judged: Judged) -> dict[str, Any]:
    return {
        "exact": judged.fingerprint.exact,
        "sketch": judged.fingerprint.sketch,
        "alike_key": judged.alike.key,
        "state": judged.verdict.state.value,
        "risk": judged.verdict.risk,
        "scores": judged.verdict.scores,
        "reasons": list(judged.verdict.reasons),
        "scorer_version": judged.scorer_version,
    }


def _sealed_email(parts: Parts, site: Site, comment_id: uuid.UUID, email: str | None) -> bytes | None:
    if email is None:
        return None
    return parts.vault.seal(email.encode(), table="comments", column="email_sealed", row_id=comment_id, site_id=site.id)


_POLICY_ACTIONS = {State.APPROVED: Action.APPROVE, State.SPAM: Action.SPAM}
_POLICY_EVENTS = {State.APPROVED: "comment.approved", State.SPAM: "comment.spam"}


def apply_policy(session: Session, site: Site, thread: Thread, comment: Comment, reason: str, now: datetime) -> None:
    """The site's policy decided: keep the decision, count it, tell it, and show the comment if approved.

    Where it is approved, its thread has to be locked.
    """
    state = State(comment.state)
    decisions.add_decision(session, comment, POLICY, _POLICY_ACTIONS[state], State.PENDING, state, reason, now)
    comments.count_for_author(session, comment.author_id, None, state)
    tallies.count(session, site.id, now.date(), state.value)
    if state is State.APPROVED:
        comments.refresh_shown(session, comment.id, State.PENDING)
        if site_settings(site.settings).reply_notices:
            notices.tell_of_replies(session, [comment], now)
    events.tell(session, _POLICY_EVENTS[state], site.key, thread, comment, now)


def audit_policy(parts: Parts, session: Session, comment: Comment, reason: str, now: datetime) -> None:
    """Write down that the policy decided. ``reason`` is the first of the verdict's, which is the policy's own: those
    behind it may quote words of the text, which may have to go one day.
    """
    audit.append(
        session,
        site_id=comment.site_id,
        actor=POLICY,
        action=f"comment.{comment.state}",
        object_kind="comment",
        object_id=str(comment.id),
        reason=reason,
        now=now,
        key=parts.vault.audit_key,
    )


def public_state(state: str) -> str:
    """The state as its author may know it: what was judged to be spam looks like what waits."""
    return state if state in {State.APPROVED.value, State.DELETED.value} else State.PENDING.value


def _answer(parts: Parts, site: Site, comment: Comment, author_id: uuid.UUID) -> dict[str, Any]:
    return {
        "id": comment.id,
        "state": public_state(comment.state),
        "created_at": comment.created_at,
        "body_html": comment.body_html,
        "edit_token": parts.vault.sign(f"edit:{site.id}", comment.id.hex),
        "editable_until": comment.editable_until,
        "author_token": parts.vault.sign(f"author:{site.id}", author_id.hex),
        "receipt_url": receipt_url(parts, site.id, comment.id),
    }


RECEIPT = "receipt"
"""The purpose for which a receipt's token is signed."""


def receipt_url(parts: Parts, site_id: uuid.UUID, comment_id: uuid.UUID) -> str:
    """The private address at which a comment's author sees what became of it; see ``services.receipts``."""
    return f"{parts.settings.public_url}/receipts/{parts.vault.sign(RECEIPT, site_id.hex + comment_id.hex)}"


# --- edit and delete -------------------------------------------------------------------------------------------


Own = Callable[[Session, Site], Comment]
"""Finds the comment that somebody may change, having proven that it is theirs; raises where they may not."""


def edit_comment(
    parts: Parts, site_key: str, comment_id: uuid.UUID, edit_token: str | None, body: str, client: Client
) -> dict[str, Any]:
    """Change the text of one's own comment within the edit window, by the edit token. See ``edit_own``.

    Raises ``Unauthenticated``, ``NotFound``, ``Forbidden`` after the window, and what ``edit_own`` raises.
    """
    own = _by_edit_token(parts, comment_id, edit_token)
    return edit_own(parts, site_key, own, body, client)


def edit_own(parts: Parts, site_key: str, own: Own, body: str, client: Client) -> dict[str, Any]:
    """Change the text of a comment for its author. It is judged anew, like a new comment.

    What was approved goes back to the queue where the site holds everything: nobody approved the new text. What waits
    goes on waiting, since an edit does not carry all that it was held for (the hidden field, the time to fill in, a
    moderator who took it back). What a moderator decided against stays where it is. Raises what ``own`` raises,
    ``Conflict`` when it was deleted or decided at this very moment, ``Invalid``, ``RateLimited``.
    """
    now = parts.clock()
    with read() as session:
        site = known_site(session, site_key)
        settings = site_settings(site.settings)
        comment = own(session, site)
        problems: dict[str, list[str]] = {}
        source, html = _body(parts, problems, body, settings)
        if problems:
            raise Invalid(problems)
        draft = _draft_of_edit(parts, site, comment, source, html, client)
        if raids.is_on(site, settings):
            draft = replace(draft, raid=not raids.is_known(session, parts, site, draft.author_id))
        judged = judge(session, parts, site, settings, draft)
        may_ask = judged.asks_now and _is_below_rate(session, parts, site, "submit", client)
        thread = thread_of(session, comment) if may_ask else None
    if thread is not None:
        question = _question(site, draft, comment.version + 1, thread.key, thread.url)
        judged = asking.answered_in_time(parts, settings.decision_policy(), question, judged)
    before = State(comment.state)
    if before is not State.APPROVED and judged.verdict.state is not _worse_than(before):
        judged = _kept_where_it_is(judged, before)
    after = judged.verdict.state
    with write() as session:
        hit_rate(session, parts, site, "submit", client)
        threads.lock_threads(session, [comment.thread_id])
        comments.add_revision(session, comment, now)
        values = _judged_values(judged) | {"body": source, "body_html": html, "renderer": parts.renderer.version}
        values |= {"edited_at": now, "version": comment.version + 1}
        values.pop("state")
        if not comments.move_comment(session, comment, after, **values):
            raise Conflict("The comment was changed at the same moment. Load it again.")
        forget_judgement(session, comment)
        scorings.forget(session, comment)
        changed = fresh(session, site.id, comment.id)
        comments.add_signals(session, changed, judged.signal_rows(), judged.bands())
        asking.ask_later(session, changed, judged, may_approve=before is State.APPROVED)
        thread = thread_of(session, changed)
        events.tell(session, "comment.edited", site.key, thread, changed, now)
        _after_edit(parts, session, site, thread, changed, judged, before)
    return {
        "id": comment.id,
        "state": public_state(after.value),
        "created_at": comment.created_at,
        "edited_at": now,
        "body_html": html,
        "editable_until": comment.editable_until,
        "receipt_url": receipt_url(parts, site.id, comment.id),
    }


def _after_edit(
    parts: Parts, session: Session, site: Site, thread: Thread, comment: Comment, judged: Judged, before: State
) -> None:
    after = State(comment.state)
    if after is before:
        if after is State.APPROVED:
            threads.touch_thread(session, thread.id)
            audit_policy(parts, session, comment, judged.verdict.reasons[0], comment.edited_at or comment.created_at)
        return
    now = comment.edited_at or comment.created_at
    if after in _POLICY_ACTIONS:
        if before is State.APPROVED:
            comments.refresh_shown(session, comment.id, before)
            comments.count_for_author(session, comment.author_id, before, State.PENDING)
        apply_policy(session, site, thread, comment, judged.verdict.reasons[0], now)
        audit_policy(parts, session, comment, judged.verdict.reasons[0], now)
        return
    comments.count_for_author(session, comment.author_id, before, after)
    comments.refresh_shown(session, comment.id, before)
    events.tell(session, "comment.held", site.key, thread, comment, now)


def delete_comment(parts: Parts, site_key: str, comment_id: uuid.UUID, edit_token: str | None) -> None:
    """Delete one's own comment within the edit window, by the edit token. See ``delete_own``.

    Raises as ``edit_comment`` does.
    """
    delete_own(parts, site_key, _by_edit_token(parts, comment_id, edit_token))


def delete_own(parts: Parts, site_key: str, own: Own) -> None:
    """Delete a comment for its author: text, name, address and network are gone for good.

    Its place stays, empty, while readers' replies hang below it. Raises what ``own`` raises, and ``Conflict``.
    """
    now = parts.clock()
    with read() as session:
        site = known_site(session, site_key)
        comment = own(session, site)
    with write() as session:
        if not empty_comment(session, parts, site, comment, now):
            raise Conflict("The comment was changed at the same moment. Load it again.")


def empty_comment(session: Session, parts: Parts, site: Site, comment: Comment, now: datetime) -> bool:
    """Delete a comment with all that its author left in it, in the caller's transaction; False where it moved on."""
    before = State(comment.state)
    threads.lock_threads(session, [comment.thread_id])
    if not comments.move_comment(session, comment, State.DELETED, **erased_values(now, comment.version)):
        return False
    forget_judgement(session, comment)
    scorings.forget(session, comment)
    comments.forget_revisions(session, comment)
    # A rejection or spam stays on the record: deleting in time would wipe it clean.
    if before is State.APPROVED:
        comments.count_for_author(session, comment.author_id, before, State.DELETED)
    comments.forget_name(session, comment.author_id)
    events.forget_comment(session, comment.id)
    notices.forget_comment(session, comment.id)
    comments.refresh_shown(session, comment.id, before)
    changed = fresh(session, site.id, comment.id)
    tallies.count(session, site.id, now.date(), "deleted")
    learning.forget(session, parts, site.id, [comment.id])
    events.tell(session, "comment.deleted", site.key, thread_of(session, changed), changed, now)
    return True


def forget_judgement(session: Session, comment: Comment) -> None:
    """What was said of the text that ``comment`` had. Where it stood for a group, the newest of the others does now."""
    if not comments.forget_signals(session, comment) or comment.alike_key is None:
        return
    heir = comments.heir_of_group(session, (comment.site_id, comment.alike_key), comment.id)
    if heir is not None:
        comments.forget_bands(session, heir.id)  # it may have stood for the group as well
        comments.add_bands(session, comment.site_id, heir.id, bands(heir.sketch or b""))


def erased_values(now: datetime, version: int) -> dict[str, Any]:
    """What a comment's row holds once its author's data is gone."""
    return {
        **WITHOUT_AUTHOR,
        "author_name": "",
        "body": "",
        "body_html": "",
        "exact": b"",
        "sketch": None,
        "alike_key": None,
        "reasons": [],
        "edited_at": now,
        "version": version + 1,
    }


def _by_edit_token(parts: Parts, comment_id: uuid.UUID, edit_token: str | None) -> Own:
    """The comment that the edit token belongs to, while its author may still change it."""

    def own(session: Session, site: Site) -> Comment:
        if edit_token is None:
            raise Unauthenticated("This needs the edit token that came with the comment's acceptance.")
        if parts.vault.unsign(f"edit:{site.id}", edit_token) != comment_id.hex:
            raise Unauthenticated("The edit token is not valid for this comment.")
        comment = own_comment(session, site.id, comment_id)
        if parts.clock() > comment.editable_until:
            raise Forbidden(TOO_LATE)
        return comment

    return own


TOO_LATE = "The time in which the comment could be changed is over."


def own_comment(session: Session, site_id: uuid.UUID, comment_id: uuid.UUID) -> Comment:
    """A comment that its author still has. Raises ``NotFound``, or ``Conflict`` for one that was deleted."""
    comment = comments.comment_of_site(session, site_id, comment_id)
    if comment is None:
        raise NotFound("comment")
    if comment.state == State.DELETED.value:
        raise Conflict("The comment was deleted; that is final.")
    return comment


def _draft_of_edit(parts: Parts, site: Site, comment: Comment, source: str, html: str, client: Client) -> Draft:
    return Draft(
        comment_id=comment.id,
        body=source,
        body_html=html,
        author_name=comment.author_name,
        author_url=comment.author_url,
        email_domain=comment.email_domain,
        author_id=comment.author_id if comment.author_proven else None,
        thread_id=comment.thread_id,
        network_key=parts.vault.network_key(site.id, client.ip, parts.clock().date()),
        ip_network=truncate_ip(client.ip),
        is_top_level=comment.parent_id is None,
        is_edited=True,
        reports=comment.reports,
    )


def _worse_than(state: State) -> State | None:
    """Where an edit may take a comment that is not public: from the queue to spam, and nowhere else."""
    return State.SPAM if state is State.PENDING else None


def _kept_where_it_is(judged: Judged, state: State) -> Judged:
    return replace(judged, verdict=replace(judged.verdict, state=state))


def fresh(session: Session, site_id: uuid.UUID, comment_id: uuid.UUID) -> Comment:
    session.expire_all()
    comment = comments.comment_of_site(session, site_id, comment_id)
    if comment is None:
        raise NotFound("comment")
    return comment


def thread_of(session: Session, comment: Comment) -> Thread:
    thread = threads.thread_by_id(session, comment.thread_id)
    if thread is None:
        raise NotFound("thread")
    return thread


# --- preview, report, vote -------------------------------------------------------------------------------------


def preview(parts: Parts, site_key: str, body: str, client: Client) -> dict[str, Any]:
    """The HTML that a body would become; nothing is stored but the rate. Raises ``Invalid``, ``RateLimited``."""
    with write() as session:
        site = known_site(session, site_key)
        hit_rate(session, parts, site, "preview", client)
    problems: dict[str, list[str]] = {}
    _, html = _body(parts, problems, body, site_settings(site.settings))
    if problems:
        raise Invalid(problems)
    return {"body_html": html}


def report_comment(
    parts: Parts,
    site_key: str,
    comment_id: uuid.UUID,
    reason: str,
    detail: str,
    client: Client,
    idem: Idempotency | None = None,
) -> None:
    """Report a public comment, once a reader; a second report of the same reader changes nothing.

    Raises ``NotFound`` for what is not public, ``Forbidden`` where the site takes no reports, ``RateLimited``.
    """
    now = parts.clock()
    text = normalise_line(detail, "detail")
    if len(text) > MAX_DETAIL_CHARS:  # NFC may treble a length that was right before
        raise Invalid({"detail": [f"It is longer than {MAX_DETAIL_CHARS} characters."]})
    with write() as session:
        site = known_site(session, site_key)
        if not site_settings(site.settings).reports:
            raise Forbidden("This site takes no reports.")
        hit_rate(session, parts, site, "report", client)
        reservation = idempotency.reserve(session, parts, f"public:{site.key}", idem)
        if reservation is not None and reservation.known is not None:
            return
        idempotency.settle(session, parts, reservation, {})
        comment = _public_comment(session, site, comment_id)
        if reactions.add_report(session, comment, _reader(parts, site, client), reason, text, now):
            tallies.count(session, site.id, now.date(), "reported")
            thread = thread_of(session, comment)
            report = {"report": {"reason": reason}}
            events.tell(session, "comment.reported", site.key, thread, comment, now, report)


def vote(
    parts: Parts,
    site_key: str,
    comment_id: uuid.UUID,
    value: int | None,
    client: Client,
    author_token: str | None = None,
) -> dict[str, Any]:
    """Vote 1 or -1 on a public comment, one vote a reader; None takes it back. Answers the new sum.

    Raises ``NotFound``, ``Forbidden`` where the site has no votes or the comment is the voter's own, ``RateLimited``.
    """
    now = parts.clock()
    with write() as session:
        site = known_site(session, site_key)
        if not site_settings(site.settings).votes:
            raise Forbidden("This site has no votes.")
        hit_rate(session, parts, site, "vote", client)
        comment = _public_comment(session, site, comment_id)
        voter = _author_of_token(session, parts, site, author_token)
        if voter is not None and voter.id == comment.author_id:
            raise Forbidden("One does not vote on one's own comment.")
        threads.lock_threads(session, [comment.thread_id])
        change = reactions.set_vote(session, comment, _reader(parts, site, client), value or 0, now)
        if change:
            threads.touch_thread(session, comment.thread_id)
        return {"votes": fresh(session, site.id, comment_id).votes}


def _public_comment(session: Session, site: Site, comment_id: uuid.UUID) -> Comment:
    comment = comments.comment_of_site(session, site.id, comment_id)
    if comment is None or not comment.shown or comment.state != State.APPROVED.value:
        raise NotFound("comment")
    return comment


def _reader(parts: Parts, site: Site, client: Client) -> bytes:
    """Who reports or votes: the network and browser, as a keyed hash. Not the author token: each comment gets one."""
    return parts.vault.reader_key(site.id, truncate_ip(client.ip), client.user_agent)
