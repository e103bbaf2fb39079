"""Sessions and secrets: what a thief of a cookie or a database, or a page of another origin, can do with them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from moderation.adapters import one_time_codes
from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.errors import CodeNeeded, RateLimited, Unauthenticated
from moderation.services import accounts, second_factor, sites
from moderation.storage.db import read
from moderation.storage.models import SecondFactor
from tests.conftest import Clock, People, dispose, make_settings, submission_json
from tests.hostile.test_who_may import DOOR_OF, address
from tests.pages.test_console_pages import PASSWORD, add_person, log_in, token_in

on_sqlite = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
HOME, ELSEWHERE = b"h" * 16, b"e" * 16


# --- the log-in --------------------------------------------------------------------------------------------------


@on_sqlite
def test_session_that_was_planted_before_the_log_in_is_not_the_one_after(app: Flask, people: People) -> None:
    add_person(app, "mira", "moderator", "news")
    planted, client = "cm" + "a" * 40, app.test_client()
    client.set_cookie("moderation-session", planted)
    token = token_in(client.get("/console/login").text)
    client.post("/console/login", data={"csrf_token": token, "name": "mira", "password": PASSWORD})
    mine = client.get_cookie("moderation-session")
    assert mine is not None
    assert mine.value != planted
    stranger = app.test_client()
    stranger.set_cookie("moderation-session", planted)
    assert stranger.get("/console/").status_code == 303


@on_sqlite
def test_cookie_that_was_kept_is_nothing_after_the_log_out(app: Flask, people: People) -> None:
    add_person(app, "mira", "moderator", "news")
    client, _ = log_in(app, "mira")
    cookie = client.get_cookie("moderation-session")
    assert cookie is not None
    client.post("/console/logout", data={"csrf_token": token_in(client.get("/console/").text)})
    thief = app.test_client()
    thief.set_cookie("moderation-session", cookie.value)
    assert thief.get("/console/").status_code == 303


@on_sqlite
def test_device_that_logged_in_before_is_not_shut_out_by_a_flood_day_and_night(
    parts: Any, people: People, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known networks are forgotten at midnight; a flood that never ends must not win the account at that moment."""
    monkeypatch.setattr(accounts, "ACCOUNT_RATE", "2/hour")
    accounts.add_moderator(parts, CLI, "Ana", PASSWORD, "moderator", "news")
    accounts.log_in(parts, "Ana", PASSWORD, HOME)
    device = accounts.device_of(parts, "Ana")
    clock.move(days=2)
    flooded = 0
    while True:
        try:
            accounts.log_in(parts, "Ana", "wrong", bytes([flooded]) * 16)
        except RateLimited:
            break
        except Unauthenticated:
            flooded += 1
    with pytest.raises(RateLimited):
        accounts.log_in(parts, "Ana", PASSWORD, HOME)
    accounts.log_in(parts, "Ana", PASSWORD, HOME, device)


@on_sqlite
def test_device_is_not_shut_out_by_a_neighbour_in_its_network(
    parts: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "PAIR_RATE", "2/minute")
    monkeypatch.setattr(accounts, "NETWORK_RATE", "2/minute")
    accounts.add_moderator(parts, CLI, "Ana", PASSWORD, "moderator", "news")
    device = accounts.device_of(parts, "Ana")
    for name in ("Ana", "Ana"):
        with pytest.raises(Unauthenticated):
            accounts.log_in(parts, name, "wrong", HOME)
    with pytest.raises(RateLimited):
        accounts.log_in(parts, "Ana", PASSWORD, HOME)
    accounts.log_in(parts, "Ana", PASSWORD, HOME, device)


@on_sqlite
def test_device_that_was_stolen_guesses_no_faster_and_for_no_other_account(
    parts: Any, people: People, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "PAIR_RATE", "2/minute")
    monkeypatch.setattr(accounts, "NETWORK_RATE", "3/minute")
    for name in ("Ana", "Bea"):
        accounts.add_moderator(parts, CLI, name, PASSWORD, "moderator", "news")
    device = accounts.device_of(parts, "Ana")
    outcomes = []
    for n in range(3):
        with pytest.raises((Unauthenticated, RateLimited)) as error:
            accounts.log_in(parts, "Ana", "wrong", bytes([n]) * 16, device)
        outcomes.append(type(error.value))
    assert outcomes == [Unauthenticated, Unauthenticated, RateLimited]
    # For another account, one that was changed, or one that is too old, it counts for nothing.
    clock.move(minutes=2)
    old = accounts.device_of(parts, "Bea")
    clock.move(days=181)
    for n, (name, one) in enumerate((("Bea", device), ("Bea", device[:-2] + "AA"), ("Bea", old), ("Bea", "x"))):
        with pytest.raises(RateLimited if n > 1 else Unauthenticated):
            accounts.log_in(parts, name, "wrong", HOME, one)


@on_sqlite
def test_device_lets_nobody_in_by_itself_and_stays_after_the_log_out(app: Flask, people: People) -> None:
    add_person(app, "mira", "moderator", "news")
    client, answer = log_in(app, "mira")
    header = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith("moderation-device="))
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    client.post("/console/logout", data={"csrf_token": token_in(client.get("/console/").text)})
    assert client.get_cookie("moderation-device") is not None
    assert client.get("/console/").status_code == 303


@on_sqlite
def test_role_password_lock_and_removal_end_sessions_at_once(app: Flask, parts: Any, people: People) -> None:
    person = accounts.add_moderator(parts, CLI, "Ana", PASSWORD, "moderator", "news")["id"]
    for change in (
        lambda: accounts.change_moderator(parts, CLI, person, roles={"news": "viewer"}),
        lambda: accounts.change_moderator(parts, CLI, person, password=PASSWORD),
        lambda: accounts.change_moderator(parts, CLI, person, disabled=True),
        lambda: accounts.change_moderator(parts, CLI, person, disabled=False),
        lambda: accounts.remove_moderator(parts, CLI, person),
    ):
        try:
            cookie, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
        except Unauthenticated:
            cookie = ""  # The account is locked.
        change()
        assert accounts.session_actor(parts, cookie) is None


@on_sqlite
def test_work_for_an_unknown_name_is_that_for_a_known_one(
    app: Flask, parts: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same statements and one slow hash, whoever is asked for."""
    from tests.hostile.test_who_may import statements

    accounts.add_moderator(parts, CLI, "Ana", PASSWORD, "moderator", "news")
    verified: list[str] = []
    original = type(parts.passwords).verify

    def verify(self: Any, hash: str | None, password: str) -> bool:
        verified.append(password)
        return original(self, hash, password)

    monkeypatch.setattr(type(parts.passwords), "verify", verify)
    work = []
    for name in ("Ana", "Nobody"):
        with statements() as asked, pytest.raises(Unauthenticated):
            accounts.log_in(parts, name, "wrong", HOME)
        work.append(list(asked))
    assert work[0] == work[1]
    assert len(verified) == 2


# --- forms and cookies -------------------------------------------------------------------------------------------


@on_sqlite
def test_every_form_of_the_console_is_refused_without_its_token_or_from_elsewhere(app: Flask, people: People) -> None:
    add_person(app, "root", "admin", "*")
    client, _ = log_in(app, "root")
    token = token_in(client.get("/console/account").text)
    other = token_in(log_in(app, "root")[0].get("/console/account").text)
    routes = [rule for (method, rule), door in DOOR_OF.items() if method == "POST" and door in {"session", "login"}]
    assert len(routes) > 40
    tries: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"csrf_token": other}, {}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf_token": token}, {"Origin": "https://evil.example"}),
    ]
    more: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"csrf_token": ""}, {}),
        ({"csrf_token": token[:-1] + ("A" if token[-1] != "A" else "B")}, {}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "same-site"}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "none"}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}),
        ({"csrf_token": token}, {"Origin": "null"}),
    ]
    for rule in routes:
        for form, headers in [*tries, *(more if rule == routes[0] else [])]:
            answer = client.post(address(rule, {}), data=form, headers=headers)
            assert answer.status_code == 403, (rule, form, headers, answer.status_code)
    assert client.get("/console/account").status_code == 200  # Nobody was logged out either.


def test_every_cookie_over_https_is_of_this_host_alone_and_out_of_reach_of_scripts(
    sqlite_template: Path, tmp_path: Path, clock: Clock
) -> None:
    shutil.copy(sqlite_template, tmp_path / "m.db")
    app = create_app(
        make_settings(tmp_path, f"sqlite:///{tmp_path / 'm.db'}", public_url="https://c.example"), clock=clock
    )
    app.testing = True
    base = {"base_url": "https://c.example"}
    with app.app_context():
        sites.add_site(app.extensions["moderation"], CLI, "news")
    add_person(app, "mira", "moderator", "news")
    client = app.test_client()
    seen = client.get("/console/login", **base)
    headers = seen.headers.getlist("Set-Cookie")

    def send(path: str, page: Any, **fields: str) -> Any:
        answer = client.post(path, data={"csrf_token": token_in(page.text), **fields}, **base)
        headers.extend(answer.headers.getlist("Set-Cookie"))
        return answer

    assert send("/console/login", seen, name="mira", password=PASSWORD).status_code == 303
    send("/console/second-factor", client.get("/console/second-factor", **base), current_password=PASSWORD)
    with app.app_context(), read() as session:
        factor = session.query(SecondFactor).one()
        secret = second_factor._secret(app.extensions["moderation"], factor)
    code = one_time_codes.code_at(secret, int(clock().timestamp()) // 30)
    send("/console/second-factor/confirm", client.get("/console/second-factor", **base), code=code)
    send("/console/logout", client.get("/console/", **base))
    send("/console/login", client.get("/console/login", **base), name="mira", password=PASSWORD)
    names = {header.partition("=")[0] for header in headers}
    assert names == {f"__Host-moderation-{name}" for name in ("session", "visit", "device", "step")}
    for header in headers:
        fields = {field.strip().lower() for field in header.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= fields, header
        assert not any(field.startswith("domain") for field in fields)
    dispose(app)


# --- tokens ------------------------------------------------------------------------------------------------------


def test_token_that_is_revoked_ends_in_every_process_at_once(app: Flask, people: People) -> None:
    """Another process is another application on the same database: nothing of a token is kept in memory."""
    parts = app.extensions["moderation"]
    other = create_app(parts.settings, clock=parts.clock)
    other.testing = True
    with app.app_context():
        made = accounts.add_token(parts, CLI, "news", "viewer")
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert other.test_client().get("/api/v1/queue", headers=bearer).status_code == 200
    with app.app_context():
        accounts.revoke_token(parts, CLI, made["id"])
    assert other.test_client().get("/api/v1/queue", headers=bearer).status_code == 401
    with app.app_context():
        person = accounts.add_moderator(parts, CLI, "Ana", PASSWORD, "moderator", "news")["id"]
        cookie, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    client = other.test_client()
    client.set_cookie("moderation-session", cookie)
    assert client.get("/console/").status_code == 200
    with app.app_context():
        accounts.change_moderator(parts, CLI, person, roles={"news": "viewer"})
    assert client.get("/console/").status_code == 303
    dispose(other)


# --- what a copy of the database is worth ------------------------------------------------------------------------


def test_copy_of_the_database_opens_nothing_and_names_nobody(
    sqlite_template: Path, tmp_path: Path, clock: Clock
) -> None:
    """Everything that is secret or personal is used once, and then looked for in the file and its journal."""
    path = tmp_path / "m.db"
    shutil.copy(sqlite_template, path)
    app = create_app(make_settings(tmp_path, f"sqlite:///{path}"), clock=clock)
    app.testing = True
    parts = app.extensions["moderation"]
    secrets: dict[str, str] = {"password": PASSWORD, "email": "ana.lindqvist@example.org", "ip": "203.0.113.77"}
    agent = "Harbour/7.7 (a browser of its own)"
    with app.app_context():
        sites.add_site(parts, CLI, "news", settings={"akismet": True, "submit_rate": "none"})
        for role in ("admin", "scorer"):
            secrets[f"token {role}"] = accounts.add_token(parts, CLI, "news", role)["token"]
        accounts.add_moderator(parts, CLI, "mira", PASSWORD, "admin", "*")
    root = {"Authorization": f"Bearer {secrets['token admin']}"}
    client = app.test_client()
    sent = submission_json(author={"name": "Ana", "email": secrets["email"], "url": None})
    far = {
        "environ_base": {"REMOTE_ADDR": secrets["ip"]},
        "headers": {"User-Agent": agent, "Idempotency-Key": "k" * 32},
    }
    made = client.post("/api/v1/sites/news/comments", json=sent, **far).get_json()
    secrets |= {"agent": agent, "edit": made["edit_token"], "author": made["author_token"]}
    secrets["receipt"] = made["receipt_url"].rpartition("/")[2]
    for name, path_, body in (
        ("webhook", "webhooks", {"url": "http://127.0.0.1:9/hook"}),
        ("scorer", "scorers", {"name": "a", "kind": "http", "url": "http://127.0.0.1:9/"}),
        ("sso", "sso-keys", {}),
        ("second token", "tokens", {"role": "viewer"}),
        ("made password", "moderators", {"role": "viewer", "name": "Bea"}),
    ):
        answer = client.post(
            f"/api/v1/{path_}",
            json={"site": "news", **body},
            headers={**root, "Idempotency-Key": f"{name:x<32}".replace(" ", "-")},
        )
        assert answer.status_code == 201, answer.text
        found = answer.get_json()
        secrets[name] = found.get("secret") or found.get("token") or found["password"]
    coral = "a secret that is shared with coral"
    assert (
        client.patch(
            "/api/v1/sites/news", json={"settings": {"coral_secret": coral.replace(" ", "-")}}, headers=root
        ).status_code
        == 200
    )
    secrets["coral"] = coral.replace(" ", "-")
    client.post(f"/api/v1/comments/{made['id']}/decisions", json={"action": "approve"}, headers=root)
    with app.app_context():
        cookie, actor = accounts.log_in(parts, "mira", PASSWORD, HOME)
        secrets |= {"cookie": cookie, "device": accounts.device_of(parts, "mira")}
        second_factor.begin(parts, actor, PASSWORD)
        typed = second_factor.show(parts, actor)["pending"]["secret"].replace(" ", "")
        with read() as session:
            raw = second_factor._secret(parts, session.query(SecondFactor).one())
        code = one_time_codes.code_at(raw, int(clock().timestamp()) // 30)
        codes, fresh = second_factor.confirm(parts, actor, code)
        with pytest.raises(CodeNeeded) as needed:
            accounts.log_in(parts, "mira", PASSWORD, HOME)
        secrets |= {"factor": typed, "fresh cookie": fresh, "ticket": needed.value.ticket}
        secrets |= {f"recovery {n}": one for n, one in enumerate(codes)}
        secrets |= {f"recovery plain {n}": one.replace("-", "") for n, one in enumerate(codes)}
    dispose(app)
    files = [path, *tmp_path.glob("m.db-*")]
    held = b"".join(file.read_bytes() for file in files)
    assert b"mira" in held  # It is the right file.
    assert raw not in held
    found = {name for name, one in secrets.items() if one.encode() in held or one.lower().encode() in held.lower()}
    assert found == set()
    assert b"203.0.113.0" in held  # The network is kept, the address is not.
