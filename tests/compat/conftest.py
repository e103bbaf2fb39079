"""A site that has switched the other protocols on, its keys, and clients that were written for other services."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import accounts, sites
from moderation.services.parts import Parts
from tests.conftest import LiveServer, People, make_people

BLOG = "https://news.example/"
READER_IP = "203.0.113.9"
CALM = "A calm and useful remark on the harbour."
SPAM = "Buy cheap viagra online now!!! http://pills.example/buy best price free shipping click here"
FRENCH = "Vous êtes vraiment un imbécile, monsieur, et votre article est nul."
CORAL_SECRET = "c0ffee" * 6
NPM_SECONDS = 180


@dataclass
class Keys:
    """A site with both protocols on, and keys: of it, of another role, of all sites, of a site that has them off."""

    people: People
    own: str
    moderator: str
    everywhere: str
    switched_off: str


def make_keys(parts: Parts) -> Keys:
    """Make the sites and keys of ``Keys``."""
    people = make_people(parts, akismet=True, perspective=True)
    sites.change_site(parts, CLI, "news", settings={"coral_secret": CORAL_SECRET, "scorer_rate": "none"})
    everywhere = accounts.add_token(parts, CLI, "*", "scorer")["token"]
    off = accounts.add_token(parts, CLI, "other", "scorer")["token"]
    return Keys(people, people.tokens["scorer"], people.tokens["moderator"], everywhere, off)


@pytest.fixture
def keys(parts: Parts) -> Keys:
    """The keys, on both databases."""
    return make_keys(parts)


@dataclass
class Live:
    """The service behind a real socket, and its keys."""

    url: str
    app: Flask
    keys: Keys

    @property
    def port(self) -> int:
        """The port."""
        return int(self.url.rpartition(":")[2])


@pytest.fixture
def live(live_server: LiveServer) -> Live:
    """A running service."""
    with live_server.app.app_context():
        made = make_keys(live_server.app.extensions["moderation"])
    return Live(live_server.url, live_server.app, made)


@pytest.fixture
def form(client: FlaskClient, keys: Keys) -> Callable[..., Any]:
    """Post a form to a call of Akismet's, with the key and all that is needed."""

    def post(call: str, *, path: str = "/1.1/", **fields: Any) -> Any:
        values = {"api_key": keys.own, "blog": BLOG, "user_ip": READER_IP, **fields}
        return client.post(path + call, data={name: value for name, value in values.items() if value is not None})

    return post


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the clients from npm are installed; without Node, npm or a registry the test is skipped."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed.")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(Path(__file__).with_name("package.json"), folder)
    command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install the clients in time.")
    if done.returncode:
        pytest.skip("npm could not install the clients.")
    return folder


@pytest.fixture
def node(packages: Path) -> Callable[..., Any]:
    """Run a script among the clients; what it wrote to standard output as JSON. ``args`` are in ``process.argv[2]``."""

    def run(script: str, **args: Any) -> Any:
        path = packages / "script.mjs"
        path.write_text(script, encoding="utf-8")
        command = ["node", str(path), json.dumps(args)]
        done = subprocess.run(command, cwd=packages, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
