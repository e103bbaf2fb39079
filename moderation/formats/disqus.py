"""Disqus' XML export: threads first, then posts that name their thread and parent by Disqus' ids.

Exports of today have no addresses and empty ``id`` elements; older ones have both. A thread whose deletion left nothing
but its id, or that is not there at all, leaves its posts without a page: they are left out and counted.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from moderation.domain.comment import State
from moderation.errors import Malformed
from moderation.formats.files import File
from moderation.formats.records import Faulty, Item, LeftOut, Markup, Page, Record, Repaired
from moderation.formats.spool import Spool
from moderation.formats.values import rfc3339_time, sql_time
from moderation.formats.xml_events import End, Event, Start, xml_events

NAMESPACE, INTERNALS = "http://disqus.com", "http://disqus.com/disqus-internals"

_THREAD = ("id", "link", "title", "createdAt", "isClosed")
_POST = ("message", "createdAt", "isDeleted", "isSpam", "ipAddress")
_AUTHOR = ("name", "email", "username")
_WANTED = frozenset({*_THREAD, *_POST, *_AUTHOR, "forum"})


class Disqus:
    """A Disqus export being read. Its threads are kept on the disk meanwhile, not in memory."""

    def __init__(self, file: File, *, lenient: bool = False) -> None:
        self._file, self._lenient = file, lenient
        self.size = file.size
        self.origin, self.unit = "", "Line"

    @property
    def done(self) -> int:
        """Bytes read."""
        return self._file.done

    def items(self) -> Iterator[Item]:
        """The posts in the order of the file. Raises ``Malformed`` for what is no such XML."""
        with Spool() as threads:
            state = _State(threads)
            for event in xml_events(self._file, _name, _WANTED, {"message"}, lenient=self._lenient):
                item = event if isinstance(event, Repaired) else state.take(event)
                if item is not None:
                    yield item
            if not state.is_disqus:
                raise Malformed("It is no Disqus export: its first element is not 'disqus'.")


def _name(namespace: str | None, local: str) -> str:
    if namespace == INTERNALS:
        return f"dsq:{local}"
    return local if namespace in {NAMESPACE, None} else f"other:{local}"


@dataclass(slots=True)
class _State:
    """What is known at one place of the file."""

    threads: Spool
    is_disqus: bool = False
    path: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    line: int = 0

    def take(self, event: Event) -> Item | None:
        """Go on by one event; what is complete with it."""
        if isinstance(event, Start):
            self._start(event)
            return None
        return self._end(event) if isinstance(event, End) else None

    def _start(self, event: Start) -> None:
        self.path.append(event.name)
        depth, dsq_id = len(self.path), event.attributes.get("dsq:id", "").strip()
        if depth == 1:
            self.is_disqus = event.name == "disqus"
        elif depth == 2:
            self.fields, self.line = {"dsq:id": dsq_id}, event.line
        elif depth == 3 and event.name in {"thread", "parent"}:
            self.fields[event.name] = dsq_id

    def _end(self, event: End) -> Item | None:
        owner = self.path[-2:-1]
        self.path.pop()
        depth = len(self.path)
        if depth == 1 and self.is_disqus and event.name == "thread":
            self._keep_thread()
        elif depth == 1 and self.is_disqus and event.name == "post":
            return self._post()
        elif depth == 2:
            self.fields.setdefault(event.name, event.text)
        elif depth == 3 and owner == ["author"]:
            self.fields.setdefault(f"author.{event.name}", event.text)
        return None

    def _keep_thread(self) -> None:
        kept = [self.fields.get(name, "").strip() for name in _THREAD]
        self.threads.put(self.fields["dsq:id"].encode(), json.dumps(kept).encode())

    def _post(self) -> Item:
        get = self._get
        if not get("dsq:id"):
            return Faulty(self.line, "a post has no dsq:id")
        created_at = _time(get("createdAt"))
        if created_at is None:
            return Faulty(self.line, "a post has no createdAt like 2026-01-31T12:00:00Z")
        page = self._page(get("thread"))
        if page is None:
            return LeftOut(self.line, "its page is not in the file, or has no address there")
        return Record(
            line=self.line,
            id=get("dsq:id"),
            parent=get("parent") or None,
            page=page,
            name=get("author.name") or get("author.username"),
            email=get("author.email"),
            ip=get("ipAddress"),
            text=self.fields.get("message", "").strip(),
            markup=Markup.HTML,
            state=_state(get("isDeleted"), get("isSpam")),
            created_at=created_at,
        )

    def _get(self, name: str) -> str:
        return self.fields.get(name, "").strip()

    def _page(self, thread_id: str) -> Page | None:
        kept = self.threads.get(thread_id.encode())
        if kept is None:
            return None
        own_id, link, title, created_at, is_closed = json.loads(kept)
        if not link and not own_id:
            return None
        return Page(link, own_id or thread_id, title, is_closed != "true", _time(created_at))


def _state(is_deleted: str, is_spam: str) -> State:
    if is_deleted == "true":
        return State.DELETED
    return State.SPAM if is_spam == "true" else State.APPROVED


def _time(text: str) -> datetime | None:
    return rfc3339_time(text) or sql_time(text.replace("T", " "))
