"""What ``moderation demo`` sets up: a site with articles and comments, a moderator, a token and a webhook.

Everything goes through the services, as readers and moderators would do it, at times that lie back a little. A
second run finds what it needs in ``demo.json`` in the home folder and changes nothing but the address.
"""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from moderation.cli import install
from moderation.cli.program import installation
from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Conflict, SettingsError
from moderation.settings import PREFIX, home_folder

if TYPE_CHECKING:
    from moderation.services.parts import Parts
    from moderation.web.demo.content import DemoComment

DEFAULT_HOME = "var/demo"
LOGIN = "demo"
SITE_SETTINGS = {"votes": True, "edit_window_s": 86_400, "submit_rate": "120/minute", "preview_rate": "240/minute"}
DECIDED_AFTER = timedelta(minutes=4)
"""How long the demo's moderator took; what is younger than that was decided just now."""

Say = Callable[[str], None]


def environment(url: str) -> dict[str, str]:
    """The settings of the demo, as environment variables; what the operator has set stays."""
    wanted = {
        "HOME": str(Path(DEFAULT_HOME).absolute()),
        "PUBLIC_URL": url,
        "DEMO": "true",
        "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8,::1/128",
        "WEBHOOK_ALLOW_HTTP": "true",
        "LOG_LEVEL": "WARNING",
    }
    return {PREFIX + name: os.environ.get(PREFIX + name) or value for name, value in wanted.items()}


def prepare(url: str, say: Say) -> list[str]:
    """Set up what is missing, follow a changed address, and say where to look. Needs ``environment`` in place.

    Raises ``SettingsError`` where the home folder holds an installation that is no demo: nothing is put in there.
    """
    memory = _memory(home_folder())
    for made in install.set_up():
        say(f"Made {made}.")
    with installation() as parts:
        _site(parts, url)
        _people(parts, memory)
        if not memory.get("seeded"):
            say("Writing the demo's comments ...")
            _seed(parts, memory)
        _endpoint(parts, memory, url)
    return _guide(url, memory)


class _Memory:
    """``demo.json``: the demo's secrets, readable by its owner alone. Written whole after each step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def keep(self, **values: Any) -> None:
        self._values |= values
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._values, file, indent=2)
        fresh.replace(self._path)


def _memory(home: Path) -> _Memory:
    path = home / "demo.json"
    if not path.exists():
        if (home / "keys").exists():
            raise SettingsError(f"{home} holds an installation that is no demo. Set {PREFIX}HOME to another folder.")
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _Memory(path).keep(began=datetime.now(UTC).isoformat())
    return _Memory(path)


def _site(parts: "Parts", url: str) -> None:
    from moderation.services import sites
    from moderation.web.demo.content import SITE_KEY, SITE_NAME

    origins = _origins(url)
    try:
        sites.add_site(parts, CLI, SITE_KEY, SITE_NAME, origins, SITE_SETTINGS)
    except Conflict:
        sites.change_site(parts, CLI, SITE_KEY, origins=origins)


def _origins(url: str) -> list[str]:
    """The address, and the other name of this machine."""
    port = urlsplit(url).port
    return list(dict.fromkeys([url, f"http://127.0.0.1:{port}", f"http://localhost:{port}"]))


def _people(parts: "Parts", memory: _Memory) -> None:
    from moderation.services import accounts

    if not memory.get("password"):
        known = accounts.known_moderator(parts, CLI, LOGIN)
        password = accounts.new_password()
        if known is None:
            known = accounts.add_moderator(parts, CLI, LOGIN, password, Role.ADMIN, "*")
        else:
            accounts.change_moderator(parts, CLI, known["id"], password=password)
        memory.keep(login=LOGIN, password=password, moderator_id=str(known["id"]))
    if not memory.get("token"):
        made = accounts.add_token(parts, CLI, "*", Role.ADMIN, "demo")
        memory.keep(token=made["token"])


def _endpoint(parts: "Parts", memory: _Memory, url: str) -> None:
    from moderation.services import deliver
    from moderation.web.demo.content import SITE_KEY

    receiver = f"{url}/demo/webhooks/receive"
    if not memory.get("webhook_id"):
        made = deliver.add_endpoint(parts, CLI, SITE_KEY, receiver)
        memory.keep(webhook_id=str(made["id"]), webhook_secret=made["secret"])
        return
    endpoint_id = uuid.UUID(memory.get("webhook_id"))
    there = deliver.show_endpoint(parts, CLI, endpoint_id)
    if there["url"] != receiver or there["state"] != "active":
        deliver.change_endpoint(parts, CLI, endpoint_id, url=receiver, state="active")


def _seed(parts: "Parts", memory: _Memory) -> None:
    """Submit and decide the demo's comments in the order of their time. Stopped half-way, it goes on the next time."""
    from moderation.web.demo.content import COMMENTS

    began = datetime.fromisoformat(memory.get("began"))
    moderator = Actor("moderator", memory.get("moderator_id"), LOGIN, {None: Role.ADMIN})
    ids: dict[int, uuid.UUID] = {}
    for index in sorted(range(len(COMMENTS)), key=lambda index: -COMMENTS[index].minutes_ago):
        comment = COMMENTS[index]
        at = began - timedelta(minutes=comment.minutes_ago)
        ids[index] = _submit(_at(parts, at), index, comment, ids)
        if comment.decision is not None:
            _decide(_at(parts, min(at + DECIDED_AFTER, began)), moderator, ids[index], comment.decision)
    memory.keep(seeded=True)


def _at(parts: "Parts", at: datetime) -> "Parts":
    return replace(parts, clock=lambda: at)


def _submit(parts: "Parts", index: int, comment: "DemoComment", ids: Mapping[int, uuid.UUID]) -> uuid.UUID:
    from moderation.services.idempotency import Idempotency
    from moderation.services.submit import Client, Submission, submit_comment
    from moderation.web.demo.content import ARTICLES, SITE_KEY

    article = next(article for article in ARTICLES if article.slug == comment.article)
    submission = Submission(
        thread_key=article.slug,
        thread_url=f"{parts.settings.public_url}/demo/{article.slug}",
        thread_title=article.headline,
        parent_id=None if comment.parent is None else ids[comment.parent],
        name=comment.author,
        email=comment.email,
        url=comment.url,
        token=None,
        body=comment.body,
        filled_in_ms=comment.filled_in_ms,
        honeypot=comment.website_confirm,
    )
    # Networks of RFC 2544, which nobody has: each reader comes from one of their own.
    client = Client(ip=f"198.18.{_number(comment.author)}.7", user_agent="demo")
    idem = Idempotency(f"demo-{index}", hashlib.sha256(comment.body.encode()).digest())
    return uuid.UUID(str(submit_comment(parts, SITE_KEY, submission, client, idem)["id"]))


def _number(name: str) -> int:
    return hashlib.sha256(name.encode()).digest()[0]


def _decide(parts: "Parts", moderator: Actor, comment_id: uuid.UUID, action: str) -> None:
    from moderation.services import moderate

    with contextlib.suppress(Conflict):  # decided before the first run was stopped
        moderate.decide(parts, moderator, comment_id, action)


def _guide(url: str, memory: _Memory) -> list[str]:
    home = home_folder()
    login = f"log in as  {memory.get('login')}  with  {memory.get('password')}"
    return [
        "",
        f"  A newspaper with comments   {url}/demo/",
        f"  The moderators' console     {url}/console/    {login}",
        f"  Webhooks as they arrive     {url}/demo/webhooks",
        f"  The API                     {url}/docs",
        f"  A token for curl            {memory.get('token')}",
        "",
        f"  Kept in {home}; a second run goes on with it. Ctrl-C stops.",
        "",
    ]
