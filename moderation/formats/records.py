"""What a foreign file says of pages and comments, and what we say of ours: the shapes between formats and services."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from moderation.domain.comment import State


class Markup(StrEnum):
    """How the text of a record is written."""

    MARKDOWN = "markdown"
    HTML = "html"
    LINES = "lines"
    """HTML in which a new line is a line break, as WordPress keeps comments."""


@dataclass(frozen=True, slots=True)
class Page:
    """An article, as the file tells of it. ``key``: the key of our thread, where the file knows it."""

    url: str = ""
    id: str = ""
    title: str = ""
    is_open: bool = True
    created_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One comment of a file. ``line``: where it begins (or, in a database, its row).

    Nothing in it is checked but ``created_at``, which is aware. ``source`` is our own Markdown, where an export of
    ours carries it beside ``text``. Our own format alone has ``values``, further columns, and ``history``, the rows of
    other tables by their names; both are checked.
    """

    line: int
    id: str
    parent: str | None
    page: Page
    name: str
    text: str
    markup: Markup
    state: State
    created_at: datetime
    email: str = ""
    website: str = ""
    ip: str = ""
    edited_at: datetime | None = None
    votes: int = 0
    source: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    history_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PageOnly:
    """A page that stands in the file by itself."""

    line: int
    page: Page


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record that is none of our comments, such as a pingback; ``reason`` is told in the report."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Faulty:
    """A record that cannot be read. ``fault`` holds nothing of its content."""

    line: int
    fault: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """Bytes that were changed or left out so that the file could be read at all; a lenient reading alone."""

    line: int
    repair: str
    times: int = 1


Item = Record | PageOnly | LeftOut | Faulty | Repaired


class Reading(Protocol):
    """A file being read. ``origin`` tells it from others of its kind, if known; ``unit`` is what ``line`` counts."""

    size: int
    origin: str
    unit: str

    @property
    def done(self) -> int:
        """How much of ``size`` has been read."""

    def items(self) -> Iterator[Item]:
        """What is in the file, in its order. Raises ``Malformed`` with the line where it cannot be read on."""


@dataclass(frozen=True, slots=True)
class OwnThread:
    """One of our threads, to be written."""

    key: str
    url: str | None
    title: str | None
    is_open: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OwnComment:
    """One of our comments, to be written. ``email`` only where it was asked for, ``history`` where it is carried."""

    id: str
    thread: OwnThread
    parent_id: str | None
    author_id: str
    author_name: str
    author_url: str | None
    author_proven: bool
    email: str | None
    ip_network: str
    body: str
    body_html: str
    state: State
    created_at: datetime
    edited_at: datetime | None
    decided_at: datetime | None
    votes: int
    risk: float
    scores: Mapping[str, float | None]
    reasons: tuple[str, ...]
    scorer_version: str
    version: int
    history: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
