"""Comments handed out: JSON lines that can be imported again, WXR for other systems, CSV for spreadsheets.

All of it is read in one transaction, so that it is of one moment while the service goes on, and in pages, so that
memory does not grow. Email addresses are in it only where they were asked for; the audit log says so.
"""

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.comment import State
from moderation.errors import Invalid
from moderation.formats.csv import write_csv
from moderation.formats.jsonl import write_jsonl
from moderation.formats.records import OwnComment, OwnThread
from moderation.formats.spool import Spool
from moderation.formats.wordpress import carried, write_wordpress
from moderation.services.parts import Parts
from moderation.services.sites import audit_line, site_for
from moderation.storage import transfer
from moderation.storage.db import read, write
from moderation.storage.models import Site

KINDS = ("wordpress", "jsonl", "csv")
_THREADS_KEPT = 2_000
_NUMBER_BYTES = 8


def export_comments(
    parts: Parts,
    actor: Actor,
    site_key: str,
    kind: str,
    put: Callable[[str], Any],
    *,
    with_emails: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Hand a site's comments to ``put``, piece by piece, in one of ``KINDS``; how many there were of those it carries.

    ``progress`` is told one for each of them. Raises ``NotFound``, ``Forbidden``, ``Invalid`` for another kind.
    """
    if kind not in KINDS:
        raise Invalid({"format": [f"It is one of {', '.join(KINDS)}."]})
    with write() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        data = {"format": kind, "emails": with_emails}
        audit_line(parts, session, actor, site, "comments.export", "site", str(site.id), data)
    count = 0

    def counted(comments: Iterator[OwnComment]) -> Iterator[OwnComment]:
        nonlocal count
        for comment in comments:
            count += kind != "wordpress" or carried(comment.state)
            progress(1)
            yield comment

    with read() as session:
        source = _Source(parts, session, site, with_emails)
        for piece in _pieces(source, kind, counted):
            put(piece)
    return count


def count(actor: Actor, site_key: str) -> int:
    """How many comments ``export_comments`` would read, for a progress bar."""
    with read() as session:
        site = site_for(session, actor, site_key, Role.ADMIN)
        return transfer.count_comments(session, site.id)


def _pieces(
    source: "_Source", kind: str, counted: Callable[[Iterator[OwnComment]], Iterator[OwnComment]]
) -> Iterator[str]:
    match kind:
        case "jsonl":
            yield from write_jsonl(
                source.threads(), counted(source.comments(whole=True)), with_emails=source.with_emails
            )
        case "csv":
            yield from write_csv(counted(source.comments()), with_emails=source.with_emails)
        case _:
            with Spool() as numbers:
                source.number(numbers)
                site = source.site
                url = site.origins[0] if site.origins else ""
                comments = counted(source.comments_by_thread())
                yield from write_wordpress(
                    site.name or site.key, url, comments, lambda comment: _numbers_of(numbers, comment)
                )


class _Source:
    """The threads and comments of a site as the formats want them, of one moment."""

    def __init__(self, parts: Parts, session: Session, site: Site, with_emails: bool) -> None:
        self._parts, self._session = parts, session
        self.site, self.with_emails = site, with_emails
        self._kept: OrderedDict[uuid.UUID, OwnThread] = OrderedDict()

    def threads(self) -> Iterator[OwnThread]:
        """All threads, by id."""
        return map(_thread, transfer.all_threads(self._session, self.site.id))

    def comments(self, *, whole: bool = False) -> Iterator[OwnComment]:
        """All comments, by id; ``whole``: with their history."""
        for page in transfer.comments_by_site(self._session, self.site.id):
            histories = transfer.histories(self._session, [row.id for row in page]) if whole else {}
            for row in page:
                yield self._comment(row, self._thread_of(row.thread_id), histories.get(row.id))

    def comments_by_thread(self) -> Iterator[OwnComment]:
        """All comments, by thread and id."""
        for row in transfer.all_threads(self._session, self.site.id):
            thread = _thread(row)
            for comment in transfer.comments_by_thread(self._session, row.id):
                yield self._comment(comment, thread)

    def number(self, numbers: Spool) -> None:
        """Number the comments that WXR carries, in their order; of all of them note the parent."""
        number = 0
        for thread in transfer.all_threads(self._session, self.site.id):
            for row in transfer.tree_of_thread(self._session, thread.id):
                is_carried = carried(State(row.state))
                number += is_carried
                parent = row.parent_id.bytes if row.parent_id else b""
                own = number if is_carried else 0
                numbers.put(row.id.bytes, own.to_bytes(_NUMBER_BYTES, "big") + parent)

    def _thread_of(self, thread_id: uuid.UUID) -> OwnThread:
        if thread_id not in self._kept:
            self._kept[thread_id] = _thread(transfer.threads_by_id(self._session, [thread_id])[thread_id])
            if len(self._kept) > _THREADS_KEPT:
                self._kept.popitem(last=False)
        return self._kept[thread_id]

    def _comment(self, row: Any, thread: OwnThread, history: Any = None) -> OwnComment:
        return OwnComment(
            id=str(row.id),
            thread=thread,
            parent_id=str(row.parent_id) if row.parent_id else None,
            author_id=str(row.author_id),
            author_name=row.author_name,
            author_url=row.author_url,
            author_proven=row.author_proven,
            email=self._email(row) if self.with_emails else None,
            ip_network=row.ip_network,
            body=row.body,
            body_html=row.body_html,
            state=State(row.state),
            created_at=row.created_at,
            edited_at=row.edited_at,
            decided_at=row.decided_at,
            votes=row.votes,
            risk=row.risk,
            scores=row.scores,
            reasons=tuple(row.reasons),
            scorer_version=row.scorer_version,
            version=row.version,
            history=history or {},
        )

    def _email(self, row: Any) -> str | None:
        if row.email_sealed is None:
            return None
        place = {"table": "comments", "column": "email_sealed", "row_id": row.id, "site_id": self.site.id}
        return self._parts.vault.open(row.email_sealed, **place).decode()


def _thread(row: Any) -> OwnThread:
    return OwnThread(row.key, row.url, row.title, row.open, row.created_at)


def _numbers_of(numbers: Spool, comment: OwnComment) -> tuple[int, int]:
    """A comment's number, and that of the nearest above it which has one; 0 for none."""
    number, above = _read_number(numbers, uuid.UUID(comment.id).bytes)
    while above:
        parent, above = _read_number(numbers, above)
        if parent:
            return number, parent
    return number, 0


def _read_number(numbers: Spool, comment_id: bytes) -> tuple[int, bytes]:
    kept = numbers.get(comment_id) or bytes(_NUMBER_BYTES)
    return int.from_bytes(kept[:_NUMBER_BYTES], "big"), kept[_NUMBER_BYTES:]
