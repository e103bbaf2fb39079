"""Comments moved in from other systems, and from an export of our own.

A file is read twice: first to its end, so that a fault in it is found before anything is stored; then in batches, each
of them one transaction with a line in the audit log. What came is remembered by the source and its id there: stopped
at any moment, an import is run again and goes on, and a second one of the same file adds nothing. What is there already
is never changed.

Nobody is told of imported comments, nothing is learned from them, they are not judged (``rescore`` does it), and their
authors get no token to edit them. Their text goes through the one renderer, their addresses are sealed, of IP addresses
the network is kept.
"""

import hashlib
import re
import secrets
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import State
from moderation.domain.identity import canonical_email, email_domain, truncate_ip
from moderation.domain.links import safe_url
from moderation.domain.text import normalise_body, normalise_line
from moderation.domain.thread_key import ThreadKey, thread_key
from moderation.errors import Invalid, Malformed
from moderation.formats.disqus import Disqus
from moderation.formats.files import File
from moderation.formats.foreign_html import markdown_of, plain_of
from moderation.formats.isso import Isso
from moderation.formats.jsonl import JsonLines
from moderation.formats.records import Faulty, Item, LeftOut, Markup, Page, PageOnly, Reading, Record, Repaired
from moderation.formats.remark42 import Remark42
from moderation.formats.spool import Spool
from moderation.formats.wordpress import WordPress, content_of
from moderation.formats.xml_events import MAX_FIELD_CHARS
from moderation.scoring.repeats import fingerprint
from moderation.services.parts import Parts
from moderation.services.sites import audit_line, site_for
from moderation.services.submit import MAX_KEY_CHARS, MAX_NAME_CHARS, MAX_TITLE_CHARS, erased_values
from moderation.storage import comments as stored
from moderation.storage import threads, transfer
from moderation.storage.db import new_id, read, write
from moderation.storage.models import Site
from moderation.storage.transfer import Placed

BATCH = 200
"""Comments a transaction, so that no reader's comment waits long for the writer's place."""

BATCH_CHARS = 2_000_000
"""Characters a batch, so that memory stays small whatever is in a file."""

MAX_DEPTH = 100
"""Replies upon replies; a deeper one becomes the sibling of its parent."""

LINES_SHOWN = 10
MAX_VOTES = 1_000_000_000
NAMELESS = "Anonymous"
"""The name of an author without one, as WordPress has it."""

OWN = "jsonl"
KINDS = ("wordpress", "disqus", "isso", "remark42", OWN)
_LABELS = {"wordpress": "WordPress", "disqus": "Disqus", "isso": "Isso", "remark42": "Remark42"}
_READERS: dict[str, Callable[..., Reading]] = {
    "wordpress": WordPress,
    "disqus": Disqus,
    "remark42": Remark42,
    OWN: JsonLines,
}
_SOURCE_CHARS = 250
_READER_BYTES = 16
_HAS_BREAKS = re.compile(r"<(?:p|br)\b", re.IGNORECASE)

Progress = Callable[[float], None]


@dataclass(slots=True)
class _Count:
    """How often something was met, and where at first."""

    count: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    """What an import comes to."""

    records: int = 0
    threads: int = 0
    there: int = 0
    added: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, _Count] = field(default_factory=dict)
    changed: dict[str, _Count] = field(default_factory=dict)

    def leave_out(self, line: int, reason: str) -> None:
        """Count a record that is not taken."""
        _note(self.left_out, line, reason)

    def change(self, line: int, what: str, times: int = 1) -> None:
        """Count what was not taken as it was."""
        _note(self.changed, line, what, times)


def _note(counts: dict[str, _Count], line: int, what: str, times: int = 1) -> None:
    one = counts.setdefault(what, _Count())
    one.count += times
    if len(one.lines) < LINES_SHOWN:
        one.lines.append(line)


def _listed(counts: Mapping[str, _Count], name: str) -> list[dict[str, Any]]:
    by_number = sorted(counts.items(), key=lambda one: (-one[1].count, one[0]))
    return [{name: what, "count": one.count, "lines": one.lines} for what, one in by_number]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A record as it will be stored, but for its place. ``values`` are columns of the comment."""

    line: int
    source_id: str
    parent: str | None
    key: str
    page: Page
    author_id: uuid.UUID
    values: dict[str, Any]
    history: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(slots=True)
class _Import:
    """One import under way."""

    parts: Parts
    actor: Actor
    site: Site
    kind: str
    origin: str
    how: ThreadKey
    dry_run: bool
    seen: Spool
    tally: _Tally = field(default_factory=_Tally)

    @property
    def source(self) -> str:
        """What the comments are remembered under, beside their ids."""
        return _short(f"{self.kind}:{self.origin}" if self.origin else self.kind)


def import_comments(
    parts: Parts,
    actor: Actor,
    site_key: str,
    kind: str,
    path: Path,
    *,
    origin: str = "",
    how: ThreadKey | str = ThreadKey.PATH,
    lenient: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Take over the comments of a file of one of ``KINDS``; a report of what was added, what was not, and why.

    ``origin`` tells files of different sites of one kind apart, whose ids are the same numbers; a WordPress export
    names its own. ``lenient``: records that cannot be read are left out and counted, and XML is mended. ``dry_run``:
    all but the storing. ``progress`` gets how much is done, 0 to 1. Raises ``NotFound``, ``Forbidden``, ``Malformed``
    with the line, ``TooLarge``.
    """
    if kind not in KINDS:
        raise Invalid({"format": [f"It is one of {', '.join(KINDS)}."]})
    origin = normalise_line(origin, "origin")
    with read() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
    passes = 1 if dry_run else 2
    if not dry_run:
        _check(kind, path, lenient, lambda share: progress(share / passes))
    reading = _reading(kind, path, lenient)
    with Spool() as seen:
        job = _Import(parts, actor, site, kind, origin, ThreadKey(how), dry_run, seen)
        for batch in _batches(_sound(reading, lenient)):
            job.origin = job.origin or reading.origin  # it stands at the top of a file, if at all
            _take(job, batch)
            progress((passes - 1 + _share(reading)) / passes)
        waiting = None if dry_run else _settle_parents(job)
    progress(1.0)
    return _report(job, waiting)


# --- reading --------------------------------------------------------------------------------------------------------


def _check(kind: str, path: Path, lenient: bool, progress: Progress) -> None:
    """Read a file to its end and store nothing. Raises ``Malformed``, ``TooLarge``."""
    reading = _reading(kind, path, lenient)
    for number, _ in enumerate(_sound(reading, lenient)):
        if number % BATCH == 0:
            progress(_share(reading))


def _share(reading: Reading) -> float:
    return min(1.0, reading.done / max(1, reading.size))


def _reading(kind: str, path: Path, lenient: bool) -> Reading:
    return Isso(path, lenient=lenient) if kind == "isso" else _READERS[kind](File(path), lenient=lenient)


def _sound(reading: Reading, lenient: bool) -> Iterator[Item]:
    """The items of a file. Raises ``Malformed`` at the first that cannot be read, unless ``lenient``."""
    for item in reading.items():
        if isinstance(item, Faulty) and not lenient:
            raise Malformed(f"{reading.unit} {item.line}: {item.fault}. --lenient leaves such records out.")
        yield item


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    chars = 0
    for item in items:
        batch.append(item)
        chars += _weight(item)
        if len(batch) == BATCH or chars > BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _weight(item: Item) -> int:
    if not isinstance(item, Record):
        return 0
    texts = (item.text, item.source or "", item.name, item.email, item.website, item.ip, item.id, item.parent or "")
    return sum(map(len, texts)) + len(item.page.title) + len(item.page.url) + item.history_bytes


def _short(text: str) -> str:
    """An id as it is kept: one that is too long, by its hash."""
    text = text.replace("\0", "")
    return text if len(text) <= _SOURCE_CHARS else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


# --- from a record to a comment -------------------------------------------------------------------------------------


def _take(job: _Import, items: Sequence[Item]) -> None:
    """Count a batch, make ready what is new in it, and store it unless nothing is to be stored."""
    records, pages = [], []
    for item in items:
        match item:
            case Record():
                job.tally.records += 1
                records.append(item)
            case PageOnly():
                pages.append(item.page)
            case LeftOut():
                job.tally.leave_out(item.line, item.reason)
            case Faulty():
                job.tally.leave_out(item.line, f"cannot be read: {item.fault}")
            case Repaired():
                job.tally.change(item.line, item.repair, item.times)
    with read() as session:
        known = _known(session, job, {_short(record.id) for record in records})
        ids = _ids_for(session, job, records) if job.kind == OWN else {}
    ready = [one for record in records if (one := _ready(job, record, known, ids)) is not None]
    if job.dry_run:
        _count_threads(job, pages, ready)
        job.tally.added.update(one.values["state"] for one in ready)
    else:
        _store(job, pages, ready)


def _known(session: Session, job: _Import, ids: set[str]) -> dict[str, Placed]:
    """What came before of these ids. In an export of ours they are the comments' own, so these count as well."""
    known = transfer.imported_of(session, job.site.id, job.source, ids)
    if job.kind == OWN:
        own = transfer.placed(session, [uuid.UUID(one) for one in ids - known.keys()])
        known |= {str(one.id): one for one in own.values() if one.site_id == job.site.id}
    return known


@dataclass(frozen=True, slots=True)
class _Ids:
    """The ids that a comment of our own format gets: its own, unless they are those of another site here."""

    comment: uuid.UUID
    author: uuid.UUID


def _ids_for(session: Session, job: _Import, records: Sequence[Record]) -> dict[str, _Ids]:
    taken = transfer.placed(session, [uuid.UUID(record.id) for record in records])
    authors = [record.values["author_id"] for record in records]
    sites = transfer.sites_of_authors(session, authors)
    return {
        record.id: _Ids(
            new_id() if uuid.UUID(record.id) in taken else uuid.UUID(record.id),
            author if sites.get(author, job.site.id) == job.site.id else uuid.uuid5(job.site.id, author.hex),
        )
        for record, author in zip(records, authors, strict=True)
    }


def _ready(job: _Import, record: Record, known: Mapping[str, Placed], ids: Mapping[str, _Ids]) -> _Ready | None:
    """A record as it will be stored; None where it is not, which is counted."""
    source_id = _short(record.id)
    if not job.seen.put(source_id.encode("utf-8", "replace")):
        job.tally.leave_out(record.line, "the second of this id in the file")
        return None
    before = known.get(source_id)
    if before is not None:
        _count_known(job, record, before)
        return None
    key = _key(job, record.page)
    if not key:
        job.tally.leave_out(record.line, f"its page has no address that makes a key of 1 to {MAX_KEY_CHARS} characters")
        return None
    own = ids.get(record.id) or _Ids(new_id(), new_id())
    values = _values(job, record, own)
    if values is None:
        return None
    parent = _short(record.parent) if record.parent else None
    return _Ready(record.line, source_id, parent, key, record.page, own.author, values, record.history)


def _count_known(job: _Import, record: Record, before: Placed) -> None:
    if before.created_at == record.created_at:
        job.tally.there += 1
        return
    job.tally.leave_out(
        record.line, "another comment with this id came before; if from another site, name each by --origin"
    )


def _key(job: _Import, page: Page) -> str:
    key = page.key if page.key is not None else thread_key(page.url, page.id, job.how)
    key = _line(key)
    return key if len(key) <= MAX_KEY_CHARS else ""


def _line(raw: str) -> str:
    try:
        return normalise_line(raw, "line")
    except Invalid:
        return ""


def _values(job: _Import, record: Record, ids: _Ids) -> dict[str, Any] | None:
    """The columns of a comment; None where its text cannot be kept, which is counted."""
    at = record.created_at
    values: dict[str, Any] = {
        "id": ids.comment,
        "site_id": job.site.id,
        "author_id": ids.author,
        "state": record.state.value,
        "shown": False,
        "risk": 0.0,
        "scores": {},
        "scorer_version": "",
        "reports": len(record.history.get("reports", ())),
        "editable_until": at,
        "created_at": at,
        "decided_at": None,
        "version": 1,
        "author_proven": False,
        "votes": max(-MAX_VOTES, min(MAX_VOTES, record.votes)),
    }
    if record.state is State.DELETED:
        return values | _erased(job, record)
    text = _text(job, record)
    if text is None:
        return None
    source, html, renderer = text
    print_ = fingerprint(source)
    values |= {"body": source, "body_html": html, "renderer": renderer}
    values |= {"exact": print_.exact, "sketch": print_.sketch, "alike_key": None, "edited_at": record.edited_at}
    values |= {"ip_network": truncate_ip(record.ip), "network_key": None}
    values["reasons"] = [f"Imported from {_LABELS.get(job.kind, '')}; not judged."]
    own = {name: value for name, value in record.values.items() if name != "author_id"}
    return values | _author(job, record, ids) | own


def _erased(job: _Import, record: Record) -> dict[str, Any]:
    """An empty place: what its author deleted is not stored, whatever the file still has of it."""
    erased = erased_values(record.edited_at or record.created_at, 0)
    personal = {"author_id", "ip_network", "reasons"}
    own = {name: value for name, value in record.values.items() if name not in personal}
    return erased | own | {"renderer": job.parts.renderer.version, "edited_at": record.edited_at}


def _author(job: _Import, record: Record, ids: _Ids) -> dict[str, Any]:
    name, line = _line(record.name), record.line
    if len(name) > MAX_NAME_CHARS:
        job.tally.change(line, f"a name was cut to {MAX_NAME_CHARS} characters")
        name = name[: MAX_NAME_CHARS - 1].rstrip() + "…"
    url = safe_url(record.website)
    if record.website.strip() and url is None:
        job.tally.change(line, "a website was left out, since it is no web address")
    email = _email(job, record)
    vault, site_id = job.parts.vault, job.site.id
    sealed = email and vault.seal(
        email.encode(), table="comments", column="email_sealed", row_id=ids.comment, site_id=site_id
    )
    return {
        "author_name": name or NAMELESS,
        "author_url": url,
        "avatar": vault.avatar_key(site_id, ids.author.bytes),
        "email_sealed": sealed,
        "email_index": vault.blind_index(site_id, email) if email else None,
        "email_domain": email_domain(email) if email else None,
    }


def _email(job: _Import, record: Record) -> str | None:
    if not record.email.strip():
        return None
    with suppress(Invalid):
        return canonical_email(record.email)
    job.tally.change(record.line, "an email address was left out, since it is none")
    return None


def _text(job: _Import, record: Record) -> tuple[str, str, str] | None:
    """Source, HTML and renderer of a record's text; None where there is nothing to show or far too much."""
    if len(record.text) > MAX_FIELD_CHARS:
        job.tally.leave_out(record.line, "its text is too long")
        return None
    try:
        text = _own_source(job.parts, record) or _rendered(job, record)
    except Invalid:
        job.tally.leave_out(record.line, "its text is too long")
        return None
    if text is None:
        job.tally.leave_out(record.line, "it has no text")
    return text


def _own_source(parts: Parts, record: Record) -> tuple[str, str, str] | None:
    """The source that an export of ours carries, where it still makes the HTML that stands beside it."""
    if record.source is None:
        return None
    with suppress(Invalid):
        source = normalise_body(record.source)
        text = _markdown(parts, source) or (source, parts.renderer.plain(source), parts.renderer.plain_version)
        if source and content_of(text[1]).strip() == record.text.strip():
            return text
    return None


def _rendered(job: _Import, record: Record) -> tuple[str, str, str] | None:
    renderer, markup = job.parts.renderer, record.markup
    lines = markup is Markup.LINES or not _HAS_BREAKS.search(record.text)
    source = normalise_body(record.text if markup is Markup.MARKDOWN else markdown_of(record.text, lines=lines))
    if not source:
        return None
    text = _markdown(job.parts, source)
    if text is None:
        plain = source if markup is Markup.MARKDOWN else normalise_body(plain_of(record.text, lines=lines))
        if not plain:
            return None
        text = (plain, renderer.plain(plain), renderer.plain_version)
        if job.kind != OWN:
            job.tally.change(record.line, "a text was kept without its markup, since it is very long")
    return text


def _markdown(parts: Parts, source: str) -> tuple[str, str, str] | None:
    """The text as our own comments are; None where it is too long for it, or has too much markup."""
    try:
        return source, parts.renderer.html(source), parts.renderer.version
    except Invalid:
        return None


# --- storing --------------------------------------------------------------------------------------------------------


def _count_threads(job: _Import, pages: Sequence[Page], ready: Sequence[_Ready]) -> None:
    """Count the threads that would be made."""
    keys = dict.fromkeys([*(_key(job, page) for page in pages), *(one.key for one in ready)])
    new = [key for key in keys if key and job.seen.put(b"thread\0" + key.encode())]
    with read() as session:
        job.tally.threads += len(new) - len(transfer.thread_ids(session, job.site.id, new))


def _store(job: _Import, pages: Sequence[Page], ready: Sequence[_Ready]) -> None:
    """Store a batch in one transaction, with a line in the audit log."""
    if not ready and not pages:
        return
    ids = {one.source_id for one in ready} | {one.parent for one in ready if one.parent}
    with write() as session:
        transfer.lock_imports(session, job.site.id)
        known = _known(session, job, ids)
        thread_ids, made = _threads_for(session, job, pages, ready)
        threads.lock_threads(session, [*{thread_ids[one.key] for one in ready}])
        added = _add(session, job, known, thread_ids, [one for one in ready if one.source_id not in known])
        if added or made:
            data = {"from": job.kind, "comments": len(added), "threads": made}
            audit_line(job.parts, session, job.actor, job.site, "comments.import", "site", str(job.site.id), data)
    job.tally.threads += made
    job.tally.there += len(ready) - len(added)
    job.tally.added.update(added)


def _threads_for(
    session: Session, job: _Import, pages: Sequence[Page], ready: Sequence[_Ready]
) -> tuple[dict[str, uuid.UUID], int]:
    """The threads of a batch by key, made where they are not there, and how many were made."""
    wanted: dict[str, dict[str, Any]] = {}
    for page in pages:
        key = _key(job, page)
        if key:
            wanted.setdefault(key, _thread(key, page, job.parts.clock()))
    for one in ready:
        wanted.setdefault(one.key, _thread(one.key, one.page, one.values["created_at"]))
    there = transfer.thread_ids(session, job.site.id, list(wanted))
    transfer.add_threads(session, job.site.id, [row for key, row in wanted.items() if key not in there])
    found = transfer.thread_ids(session, job.site.id, list(wanted))
    return found, len(found) - len(there)


def _thread(key: str, page: Page, at: datetime) -> dict[str, Any]:
    title = _line(page.title)
    if len(title) > MAX_TITLE_CHARS:
        title = title[: MAX_TITLE_CHARS - 1] + "…"
    return {
        "key": key,
        "url": safe_url(page.url),
        "title": title or None,
        "open": page.is_open,
        "created_at": page.created_at or at,
    }


def _add(
    session: Session,
    job: _Import,
    known: Mapping[str, Placed],
    thread_ids: Mapping[str, uuid.UUID],
    ready: Sequence[_Ready],
) -> list[str]:
    """Insert what is new, each under its parent where that is there; the states of what was inserted."""
    places = dict(known)
    authors: dict[uuid.UUID, dict[str, Any]] = {}
    comments, imported = [], []
    for one in ready:
        place, waits_for = _place(job, one, thread_ids[one.key], places.get(one.parent or ""))
        places[one.source_id] = place
        row = {"thread_id": place.thread_id, "parent_id": place.parent_id, "root_id": place.root_id}
        comments.append(one.values | row | {"depth": place.depth})
        imported.append(
            {
                "site_id": job.site.id,
                "source": job.source,
                "source_id": one.source_id,
                "comment_id": place.id,
                "waits_for": waits_for,
            }
        )
        name, at = one.values["author_name"], one.values["created_at"]
        author = {"id": one.author_id, "site_id": job.site.id, "name": name, "created_at": at}
        authors.setdefault(one.author_id, author | {"approved": 0, "rejected": 0, "spam": 0})
    transfer.add_rows(session, list(authors.values()), comments, imported)
    transfer.add_histories(session, _histories(ready))
    states = [State(row["state"]) for row in comments]
    moved = [(row["author_id"], None, state) for row, state in zip(comments, states, strict=True)]
    stored.count_for_authors(session, moved)
    public = [row["id"] for row, state in zip(comments, states, strict=True) if state is State.APPROVED]
    stored.refresh_shown_of(session, dict.fromkeys(public, State.PENDING))
    return [state.value for state in states]


def _histories(ready: Sequence[_Ready]) -> dict[str, list[dict[str, Any]]]:
    """The rows of other tables that comments bring, each with its comment; their ids are new, in their order. Who
    reported is nobody known.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in transfer.HISTORY}
    for one in ready:
        of = {"site_id": one.values["site_id"], "comment_id": one.values["id"]}
        for name, brought in one.history.items():
            for row in brought:
                own = {} if name == "signals" else {"id": new_id()}
                own |= {"reader_key": secrets.token_bytes(_READER_BYTES)} if name == "reports" else {}
                rows[name].append({**row, **own, **of})
    return rows


def _place(job: _Import, one: _Ready, thread_id: uuid.UUID, parent: Placed | None) -> tuple[Placed, str | None]:
    """Where a comment will stand, and the id of the parent that it waits for, if that has not come."""
    own, state = one.values["id"], one.values["state"]
    top = Placed(own, job.site.id, thread_id, None, own, 0, one.values["created_at"], state)
    if parent is None:
        return top, one.parent
    if parent.thread_id != thread_id:
        job.tally.change(one.line, "a reply to a comment of another page stands on top level")
        return top, None
    if parent.depth >= MAX_DEPTH:
        return top._replace(parent_id=parent.parent_id, root_id=parent.root_id, depth=parent.depth), None
    return top._replace(parent_id=parent.id, root_id=parent.root_id, depth=parent.depth + 1), None


# --- parents that came later ----------------------------------------------------------------------------------------


def _settle_parents(job: _Import) -> int:
    """Hang what waited for its parent under it, now that all have come; how many still wait.

    From the top down, so that each comment moves once, however long the chain is.
    """
    after = ""
    while True:
        with read() as session:
            ready = transfer.ready_to_move(session, job.site.id, job.source, after, BATCH)
            paths = _paths(session, job, ready)
        for start in range(0, len(paths), BATCH):
            with write() as session:
                transfer.lock_imports(session, job.site.id)
                for source_id in paths[start : start + BATCH]:
                    _hang(session, job, source_id)
        if len(ready) < BATCH:
            break
        after = ready[-1]
    with read() as session:
        return transfer.count_waiting(session, job.site.id, job.source)


def _paths(session: Session, job: _Import, source_ids: Sequence[str]) -> list[str]:
    """These and all that wait above them, what is above before what is below."""
    ordered: dict[str, None] = {}
    for source_id in source_ids:
        path: dict[str, None] = {}
        one: str | None = source_id
        while one is not None and one not in path and one not in ordered:
            path[one] = None
            parent = transfer.waits_for(session, job.site.id, job.source, one)
            one = parent if parent and transfer.waits_for(session, job.site.id, job.source, parent) else None
        ordered |= dict.fromkeys(reversed(path))
    return list(ordered)


def _hang(session: Session, job: _Import, source_id: str) -> None:
    parent_id = transfer.waits_for(session, job.site.id, job.source, source_id)
    if parent_id is None:
        return
    places = transfer.imported_of(session, job.site.id, job.source, [source_id, parent_id])
    comment, parent = places.get(source_id), places.get(parent_id)
    if comment is None or parent is None:
        return
    transfer.stop_waiting(session, job.site.id, job.source, source_id)
    if parent.thread_id != comment.thread_id or parent.root_id == comment.id:
        job.tally.change(0, "a reply to a comment of another page, or below itself, stands on top level")
        return
    threads.lock_threads(session, [comment.thread_id])
    while parent.depth >= MAX_DEPTH and parent.parent_id is not None:
        parent = transfer.placed(session, [parent.parent_id])[parent.parent_id]
    transfer.hang_under(session, comment, parent)
    stored.refresh_shown_of(session, {comment.id: State(comment.state)})


# --- the report -----------------------------------------------------------------------------------------------------


def _report(job: _Import, waiting: int | None) -> dict[str, Any]:
    tally = job.tally
    return {
        "site": job.site.key,
        "format": job.kind,
        "dry_run": job.dry_run,
        "records": tally.records,
        "added": {state.value: tally.added[state.value] for state in State if tally.added[state.value]},
        "threads": tally.threads,
        "already_there": tally.there,
        "left_out": _listed(tally.left_out, "reason"),
        "changed": _listed(tally.changed, "what"),
        "without_parent": waiting,
    }
