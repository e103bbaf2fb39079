"""The demo newspaper's own webhook receiver: verifies, and remembers the last few in a file.

This is what a site would write; it uses the reference library and nothing of the service. Any process of the
server may receive or show, so the memory is a file in the home folder, one JSON object a line, written under a lock.
"""

import fcntl
import html
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

LIMIT = 200
"""How many arrivals are kept."""

EXCERPT_CHARS = 140
_ID_CHARS = 100
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One webhook as it arrived. ``number`` grows by one with each; ``at`` is RFC 3339; others may be ''."""

    number: int
    at: str
    id: str
    type: str
    verified: bool
    author: str
    excerpt: str


def receive(home: Path, headers: Mapping[str, str], body: bytes) -> bool:
    """Verify and remember one webhook; returns whether the signature is right.

    What cannot be verified is remembered without anything of its content, which anybody could have made up.
    """
    headers = {name.lower(): value for name, value in headers.items()}
    verified = _is_verified(_secret(home), headers, body)
    data = _json(body) if verified else {}
    comment = _part(_part(data, "data"), "comment")
    with _locked(home) as path:
        kept = _read(path)
        arrival = Arrival(
            number=kept[0].number + 1 if kept else 1,
            at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            id=headers.get("webhook-id", "")[:_ID_CHARS],
            type=str(data.get("type", "unknown"))[:_ID_CHARS],
            verified=verified,
            author=str(_part(comment, "author").get("name") or "")[:_ID_CHARS],
            excerpt=_excerpt(comment),
        )
        _write(path, [arrival, *kept][:LIMIT])
    return verified


def arrivals(home: Path, after: int = 0) -> list[Arrival]:
    """What arrived after number ``after``, newest first."""
    return [arrival for arrival in _read(_memory(home)) if arrival.number > after]


def _secret(home: Path) -> str:
    """The signing secret that the demo's set-up stored as ``webhook_secret``; '' before it did."""
    try:
        stored = json.loads((home / "demo.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(stored.get("webhook_secret", "")) if isinstance(stored, dict) else ""


def _is_verified(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    if not secret:
        return False
    try:
        Webhook(secret).verify(body, dict(headers))
    except (WebhookVerificationError, ValueError):
        return False
    return True


def _excerpt(comment: Mapping[str, Any]) -> str:
    text = " ".join(html.unescape(_TAG.sub(" ", str(comment.get("body_html") or ""))).split())
    return text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS].rstrip() + "…"


def _json(body: bytes) -> dict[str, Any]:
    value = json.loads(body)
    return value if isinstance(value, dict) else {}


def _part(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _memory(home: Path) -> Path:
    return home / "demo-webhooks.jsonl"


@contextmanager
def _locked(home: Path) -> Iterator[Path]:
    with (home / "demo-webhooks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _memory(home)


def _read(path: Path) -> list[Arrival]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Arrival(**json.loads(line)) for line in lines]


def _write(path: Path, kept: list[Arrival]) -> None:
    """Replace the file whole, so that a reader without the lock never sees half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(json.dumps(asdict(arrival)) + "\n" for arrival in kept), encoding="utf-8")
    fresh.replace(path)
