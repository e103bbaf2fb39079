"""Measure how long an answer to the worst texts takes, at the limits of their size: 500 ms is the promise.

    python bench/hostile_texts.py [--limit-ms 500] [--rounds 3] [--engine bleach|nh3] [--only WORD]

Each text goes through the whole application in this process, on SQLite: previewed, submitted (judged by all signals,
with patterns, words and rules in YAML of the site that look for the worst in it), changed by its author, sent by the
plain form, looked at in the console, and asked about by the protocols of other services. Printed is the worst time of a
kind of text for each way, in milliseconds of this thread's processor time, the lowest of the rounds each; a busy
machine does not count. Where HOSTILE_FIXTURES names a folder of payloads, these are sent too, packed into texts of full
length. The exit status is 1 where anything took longer than the limit, or an answer was a 5xx.
"""

import argparse
import hashlib
import hmac
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts, automod, sites, word_lists
from moderation.settings import Settings
from moderation.storage import schema

BODY, PLAIN, RAW = 10_000, 20_000, 240_000
"""The most of a text: characters of a comment, bytes for Perspective, bytes for Akismet and Coral."""

CORAL_SECRET = "c0ffee" * 6
UNITS = {
    "brackets": ("[", "![", "[a](", "[a][", "](", "[]()", "[`"),
    "emphasis": ("*", "_", "**", "*a", "*a ", "*a**b ", "_*", "***a***", "~~"),
    "code": ("`", "`` ", "``` \n", "~~~\n", "`a ``"),
    "quotes and lists": (">", "> ", ">*", "- ", "- a\n", "1. ", "1. &\n\n", "- - - - a\n", "* > "),
    "tags": ("<", "<a", "<b>", "</", "<!--", "<![CDATA[", "<svg><math>", "<a href=", "<x y=z ", "<table><a>", "</p>"),
    "ampersands": ("&", "&amp;", "&#", "&#x", "&lt", "&#x110000;", "&CounterClockwiseContourIntegral;"),
    "addresses": ("http://", "http://a.b ", "http://a.b/!", "http://[", "www.", "a@b.c ", "://", "http://é.é/"),
    "marks": ("e\u0301", "\u0301", "Z\u0335\u0335\u0335\u0335\u0335", "\u0f71\u0f72\u0f74", "\u0e49", "\u20dd"),
    "joiners and directions": ("\u200d", "a\u200d", "\u2067\u2069", "\u2067", "\u202e", "\ufe0f", "\U000e0067", "\xad"),
    "clusters": ("\U0001f1e9", "\U0001f468\u200d", "\u1100", "\u1100\u1161\u11a8", "क्", "\U0001f3f4\U000e0067", "👍🏽"),
    "spaces": (" ", "\t", "\n", " \n", "\xa0", "\u2028", "\u3000", "a ", "a\n"),
    "look-alikes": ("1", "l", "а", "ⓐ", "ﷺ", "ﬃ", "𝔞", "ａ", "0o", "i d ", "i.d.", "@$$ ", "aа"),
    "one letter": ("a", "A", "é", "中", "😀", "ß", "İ", "ſ"),
    "sentences": ("a. ", "a? ", "A.B.", "!", "...", "“a” ", "no. "),
}
"""Short pieces, each repeated to the full length."""

SHAPES = {
    "nested": (
        lambda n: "<b>" * (n // 7) + "</b>" * (n // 7),
        lambda n: "[" * (n // 2) + "]" * (n // 2),
        lambda n: "*a " * (n // 6) + "b" + " a*" * (n // 6),
        lambda n: "\n".join("> " * depth + "a" for depth in range(1, int((n // 2) ** 0.5) + 20)),
        lambda n: "\n".join(" " * (2 * depth) + "- a" for depth in range(int(n**0.5))),
        lambda n: "a".join("`" * length for length in range(1, int((2 * n) ** 0.5))),
    ),
    "backtracking": (
        lambda n: "a" * (n - 1) + "!",
        lambda n: "a" + " " * (n - 2) + "b",
        lambda n: "x" * (n // 2) + "0" * (n // 2),
        lambda n: "ab" * (n // 2),
        lambda n: "http://a" + "." * (n - 9),
        lambda n: "http://" + "a." * ((n - 8) // 2),
        lambda n: "http://a/" + "(" * (n - 10),
        lambda n: "1" * n,
        lambda n: "viagra" * (n // 6),
        lambda n: "v i a g r a " * (n // 12),
    ),
    "many different words": (
        lambda n: " ".join(f"w{number:x}" for number in range(n // 6)),
        lambda n: "".join(chr(0x4E00 + number % 20_000) for number in range(n)),
        lambda n: "".join(chr(0x100 + number * 7 % 0x2000) for number in range(n)),
        lambda n: " ".join(f"http://h{number}.example/{number}" for number in range(n // 30)),
    ),
}
PATTERNS = (r"a*a*a*a*b", r"(a+)+$", r"(\w+\s?)+!", r"([a-z]+)*\d", r"(.*)(.*)(.*)x")
WORDS = ("viagra*", "*casino", "a a a", "aaaa", "l1l1")


def texts() -> Iterator[tuple[str, Callable[[int], str]]]:
    """Each kind of text, as a function of the length."""
    for kind, units in UNITS.items():
        for unit in units:
            yield kind, lambda n, unit=unit: (unit * (n // len(unit) + 1))[:n]  # type: ignore[misc]
    for kind, shapes in SHAPES.items():
        for shape in shapes:
            yield kind, lambda n, shape=shape: shape(n)[:n]  # type: ignore[misc]
    for kind, lines in _corpora().items():
        whole = "\n\n".join(lines)
        for at in range(0, len(whole), BODY * max(1, len(whole) // (BODY * 12))):
            yield kind, lambda n, at=at, whole=whole: whole[at : at + n]  # type: ignore[misc]


def _corpora() -> dict[str, list[str]]:
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        return {}
    root = Path(folder)
    scripts = (root / "payloadbox-xss/xss-payload-list.txt").read_text("utf-8", "replace").splitlines()
    naughty = json.loads((root / "blns/blns.json").read_text("utf-8"))
    patterns = json.loads((root / "redos/patterns.json").read_text("utf-8"))["patterns"]
    urls = [
        one["input"] for one in json.loads((root / "url/urltestdata.json").read_text("utf-8")) if isinstance(one, dict)
    ]
    found = {"scripts": scripts, "naughty strings": naughty, "patterns": patterns * 9, "urls": urls}
    return {kind: ["".join(c for c in one if c != "\0" and not "\ud800" <= c <= "\udfff") for one in lines]
            for kind, lines in found.items()}  # fmt: skip


def make_app(folder: Path, engine: str) -> Flask:
    """The application on a fresh database, with a site that looks for everything."""
    settings = Settings(
        home=folder, database_url=f"sqlite:///{folder / 'bench.db'}", public_url="http://127.0.0.1:8080",
        secret_key=b"s" * 32, encryption_keys=(("k1", b"e" * 32),), index_key=b"i" * 32, sanitizer=engine,
        log_level="ERROR",
    )  # fmt: skip
    app = create_app(settings)
    with app.app_context():
        schema.upgrade(app.extensions["sqlalchemy"].engine)
        parts = app.extensions["moderation"]
        unlimited = {f"{kind}_rate": "none" for kind in ("submit", "preview", "scorer")}
        wanted = {**unlimited, "akismet": True, "perspective": True, "coral_secret": CORAL_SECRET}
        sites.add_site(parts, CLI, "news", "The News", ["https://news.example"], wanted)
        for pattern in PATTERNS:
            sites.add_rule(parts, CLI, "news", "pattern", pattern, "score", weight=0.1)
        word_lists.put_list(parts, CLI, "news", "words", "\n".join(WORDS), action="score")
        automod.put_automod(parts, CLI, "news", 'body (regex): ["(a+)+b", "x*x*x*y"]\naction: filter\n')
        accounts.add_moderator(parts, CLI, "mira", "nine lamps over the harbour", "admin", "*")
    return app


class Ways:
    """The ways by which a text is sent, each as a function that sends it once."""

    def __init__(self, app: Flask) -> None:
        self.client, self.browser = app.test_client(), _logged_in(app)
        with app.app_context():
            parts = app.extensions["moderation"]
            self.key = accounts.add_token(parts, CLI, "news", "scorer", "bench")["token"]
        self.number = 0

    def all(self) -> dict[str, tuple[int, Callable[[str], int]]]:
        """Name, length of the text, and how it is sent; gives the status."""
        return {
            "preview": (BODY, self.preview),
            "submit": (BODY, self.submit),
            "edit": (BODY, self.edit),
            "form": (BODY, self.form),
            "console": (BODY, self.look),
            "akismet": (RAW, self.akismet),
            "perspective": (PLAIN, self.perspective),
            "coral": (RAW, self.coral),
        }

    def _sent(self, body: str) -> Any:
        self.number += 1
        name = {"name": f"Ana {self.number}"}
        thread = {"key": f"t{self.number % 50}"}
        return self.client.post("/api/v1/sites/news/comments", json={"thread": thread, "author": name, "body": body})

    def preview(self, text: str) -> int:
        """See how it would look."""
        return int(self.client.post("/api/v1/sites/news/preview", json={"body": text}).status_code)

    def submit(self, text: str) -> int:
        """Send it as a comment."""
        return int(self._sent(text).status_code)

    def edit(self, text: str) -> int:
        """Change a comment into it; what sends the first text counts too."""
        made = self._sent("A calm remark.").get_json()
        path = f"/api/v1/sites/news/comments/{made['id']}"
        return int(self.client.patch(path, json={"body": text, "edit_token": made["edit_token"]}).status_code)

    def form(self, text: str) -> int:
        """Send it by a form, as comment and as what a refusal shows again."""
        self.number += 1
        form = {"author": f"Ana {self.number}", "comment": text, "thread": "form", "receipt": "1"}
        return int(self.client.post("/sites/news/reply", data=form).status_code)

    def look(self, text: str) -> int:
        """Send it, change it, and look at it in the console; all of it counts."""
        given = self._sent(text)
        if given.status_code != 202:
            return int(given.status_code)
        made = given.get_json()
        path = f"/api/v1/sites/news/comments/{made['id']}"
        self.client.patch(path, json={"body": f"b{text[: BODY - 1]}"[::-1], "edit_token": made["edit_token"]})
        start = time.thread_time()
        status = int(self.browser.get(f"/console/comments/{made['id']}").status_code)
        self.looked = time.thread_time() - start
        return status

    def akismet(self, text: str) -> int:
        """Have it checked by Akismet's protocol, as text and as address, by a client that escapes what it must."""
        raw = _bytes_of(text, RAW).replace(b"%", b"%25").replace(b"&", b"%26").replace(b"+", b"%2B")[:RAW]
        form = f"api_key={self.key}&blog=https://news.example&user_ip=203.0.113.9".encode()
        form += b"&comment_author_email=" + raw[: RAW // 2] + b"&comment_content=" + raw[: RAW // 2]
        kind = "application/x-www-form-urlencoded"
        return int(self.client.post("/1.1/comment-check", data=form, content_type=kind).status_code)

    def perspective(self, text: str) -> int:
        """Have it scored by the Perspective API, as HTML and by sentence."""
        body = {
            "comment": {"text": text, "type": "HTML"},
            "requestedAttributes": {"TOXICITY": {}},
            "spanAnnotations": True,
        }
        return int(self.client.post(f"/v1alpha1/comments:analyze?key={self.key}", json=body).status_code)

    def coral(self, text: str) -> int:
        """Have it judged for Coral."""
        short = _bytes_of(text, RAW).decode("utf-8", "ignore")
        raw = json.dumps({"action": "NEW", "comment": {"body": short}}, ensure_ascii=False).encode()
        signature = f"sha256={hmac.new(CORAL_SECRET.encode(), raw, hashlib.sha256).hexdigest()}"
        answer = self.client.post("/coral/news/moderate", data=raw, headers={"X-Coral-Signature": signature})
        return int(answer.status_code)


def _bytes_of(text: str, most: int) -> bytes:
    return text.encode()[:most]


def _logged_in(app: Flask) -> FlaskClient:
    browser = app.test_client()
    token = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/console/login").text)[0]
    form = {"csrf_token": token, "name": "mira", "password": "nine lamps over the harbour"}
    assert browser.post("/console/login", data=form).status_code == 303
    return browser


def measure(ways: Ways, rounds: int, only: str) -> tuple[dict[str, dict[str, tuple[float, str]]], list[str]]:
    """By kind of text and way: the worst seconds with the text's beginning; and what broke."""
    worst: dict[str, dict[str, tuple[float, str]]] = {}
    broken: list[str] = []
    for kind, make in texts():
        if only not in kind:
            continue
        for name, (length, send) in ways.all().items():
            text = make(length)
            took = []
            for _ in range(rounds):
                start = time.thread_time()
                status = send(text)
                took.append(ways.looked if name == "console" and status == 200 else time.thread_time() - start)
                if status >= 500:
                    broken.append(f"{kind} by {name}: {status} for {text[:40]!r}")
            found = (min(took), ascii(text[:24]))
            worst.setdefault(kind, {})[name] = max(found, worst.get(kind, {}).get(name, (0.0, "")))
    return worst, broken


def main() -> int:
    """Measure, print, and say by the exit status whether the promise holds."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--limit-ms", type=float, default=500.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--engine", choices=["bleach", "nh3"], default="bleach")
    options.add_argument("--only", default="", help="kinds of text with this word in their name")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ways = Ways(make_app(Path(folder), given.engine))
        for send in [way for _, way in ways.all().values()]:
            send("A calm and useful remark.")
        worst, broken = measure(ways, given.rounds, given.only)
    columns = list(ways.all())
    print(f"{'worst ms, ' + given.engine:26}" + "".join(f"{name:>13}" for name in columns))
    for kind, by_way in worst.items():
        print(f"{kind:26}" + "".join(f"{1000 * by_way[name][0]:13.0f}" for name in columns))
    slow = [
        f"{kind} by {name}: {1000 * seconds:.0f} ms for {text}"
        for kind, by_way in worst.items()
        for name, (seconds, text) in by_way.items()
        if 1000 * seconds > given.limit_ms
    ]
    for line in [*slow, *broken]:
        print(line, file=sys.stderr)
    return 1 if slow or broken else 0


if __name__ == "__main__":
    sys.exit(main())
