"""Logging in by one's organisation, against a real OpenID provider on this machine that can be told to lie."""

import base64
import hashlib
import secrets
import shutil
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, Response, jsonify, redirect, request
from flask.testing import FlaskClient
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select
from werkzeug.serving import make_server

from moderation.adapters import one_time_codes
from moderation.app import create_app
from moderation.domain.actor import CLI
from moderation.services import accounts, organisation, second_factor
from moderation.storage.db import read
from moderation.storage.models import AuditLine, LoginSession, SecondFactor
from tests.accounts.test_sign_on import signed
from tests.conftest import dispose, empty, make_settings

PASSWORD = "a long enough pass phrase"
CLIENT, SECRET = "comments", "a secret: with + signs & such"
BACK = "/console/login/organisation/back"


class Provider:
    """An OpenID provider by the book, with a switch for each way to break it."""

    def __init__(self) -> None:
        self.rsa, self.ec = RSAKey.generate_key(2048), ECKey.generate_key("P-256")
        self.foreign = RSAKey.generate_key(2048)
        with warnings.catch_warnings(action="ignore"):
            self.weak = RSAKey.generate_key(1024)
        self.url = ""
        self.reset()
        self.app = Flask("provider")
        self.app.add_url_rule("/.well-known/openid-configuration", view_func=self.discovery)
        self.app.add_url_rule("/authorize", view_func=self.authorize)
        self.app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        self.app.add_url_rule("/keys", view_func=self.keys)

    def reset(self) -> None:
        """Honest again, and without a memory."""
        self.codes: dict[str, dict[str, str]] = {}
        self.user: dict[str, Any] = {"preferred_username": "ana", "sub": "4711"}
        self.claims: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode({"alg": "RS256"}, claims, self.rsa)
        self.published = [self.rsa, self.ec]
        self.answers: dict[str, Any] = {}
        self.late: Callable[[], Any] = dict
        self.posts: list[dict[str, str]] = []

    def discovery(self) -> Any:
        own = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        if self.answers.get("discovery") == "late":
            return self.late()
        return self.answers.get("discovery") or jsonify({**own, **self.document})

    def authorize(self) -> Any:
        asked = request.args.to_dict()
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return redirect(f"{asked['redirect_uri']}?code={code}&state={asked['state']}")

    def token(self) -> Any:
        form = request.form.to_dict()
        self.posts.append({**form, "Authorization": request.headers.get("Authorization", "")})
        if "token" in self.answers:
            return self.answers["token"]
        asked = self.codes.pop(form["code"], None)
        verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return {"error": "invalid_grant"}, 400
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.user}
        claims = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
        return jsonify({"id_token": self.sign(claims), "access_token": "x", "token_type": "Bearer"})

    def keys(self) -> Any:
        return self.answers.get("keys") or jsonify({"keys": [key.as_dict(private=False) for key in self.published]})


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    provider = Provider()
    server = make_server("127.0.0.1", 0, provider.app, threaded=True)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def joined(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, running: Provider) -> Iterator[Flask]:
    home = tmp_path_factory.mktemp("organisation")
    shutil.copy(sqlite_template, home / "m.db")
    app = create_app(settings_of(home, running.url))
    app.testing = True
    yield app
    dispose(app)


def settings_of(home: Path, issuer: str, **changes: Any) -> Any:
    values = {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_name": "The Ledger",
        "oidc_allow_networks": (ip_network("127.0.0.0/8"),),
    }
    return make_settings(home, f"sqlite:///{home / 'm.db'}", **values, **changes)


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.reset()
    return running


@pytest.fixture
def app(joined: Flask, provider: Provider) -> Flask:
    parts = joined.extensions["moderation"]
    parts.provider._kept.clear()
    with joined.app_context():
        empty(joined.extensions["sqlalchemy"].engine)
        accounts.add_moderator(parts, CLI, "ana", PASSWORD, "admin", "*")
    return joined


def go(client: FlaskClient, then: str = "") -> str:
    """Begin in this browser, and log in at the provider: the address that it leads back to."""
    answer = client.get("/console/login/organisation", query_string={"then": then} if then else {})
    assert answer.status_code == 303, answer.text
    with socket.create_connection(("127.0.0.1", urlsplit(answer.location).port or 0), timeout=10):
        pass  # It is a real server.
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_args: Any) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(answer.location, timeout=10)
    except urllib.error.HTTPError as error:
        with error:
            return str(error.headers["Location"]).partition("8080")[2]
    raise AssertionError("no redirect")


def sessions_of(app: Flask) -> int:
    with app.app_context(), read() as session:
        return len(session.scalars(select(LoginSession)).all())


def test_log_in_by_the_organisation_opens_a_session_and_leads_where_one_wanted(app: Flask, provider: Provider) -> None:
    page = app.test_client().get("/console/login?then=/console/tokens")
    assert "Log in with" in page.text
    assert "The Ledger" in page.text
    client = app.test_client()
    answer = client.get(go(client, then="/console/tokens"))
    assert (answer.status_code, answer.location) == (303, "/console/tokens")
    assert client.get("/console/").status_code == 200
    cookies = [one.partition("=")[0] for one in answer.headers.getlist("Set-Cookie")]
    assert {"moderation-session", "moderation-device", "moderation-organisation"} <= set(cookies)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    (post,) = provider.posts
    basic = base64.b64decode(post["Authorization"].removeprefix("Basic ")).decode()
    assert basic == "comments:a+secret%3A+with+%2B+signs+%26+such"
    assert "client_secret" not in post
    with app.app_context(), read() as session:
        line = session.scalars(select(AuditLine).where(AuditLine.action == "session.open")).one()
    assert line.data == {"by": "organisation"}


def test_log_in_signed_by_each_algorithm_and_by_a_new_key_is_taken(
    app: Flask, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moderation.adapters import identity_provider

    monkeypatch.setattr(identity_provider, "ASKED_AGAIN_AFTER_S", 0.0)
    fresh = RSAKey.generate_key(2048)
    for header, key in (({"alg": "RS256"}, provider.rsa), ({"alg": "ES256"}, provider.ec), ({"alg": "PS256"}, fresh)):
        provider.published = [provider.rsa, provider.ec, *([fresh] if key is fresh else [])]
        provider.sign = lambda claims, header=header, key=key: jwt.encode(
            header, claims, key, algorithms=["RS256", "ES256", "PS256"]
        )
        client = app.test_client()
        assert client.get(go(client)).status_code == 303, header


def test_log_in_where_the_provider_takes_the_secret_in_the_form_alone(app: Flask, provider: Provider) -> None:
    provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    client = app.test_client()
    assert client.get(go(client)).status_code == 303
    assert (provider.posts[0]["client_secret"], provider.posts[0]["Authorization"]) == (SECRET, "")


def unsigned(claims: dict[str, Any]) -> str:
    def part(data: Any) -> str:
        import json

        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}."


def by_public_key(provider: Provider) -> Callable[[dict[str, Any]], str]:
    """HS256 with the public key as its secret: what a careless check takes for a signature."""
    return lambda claims: signed(claims, provider.rsa.as_pem(private=False))


LIES: dict[str, Callable[[Provider], Any]] = {
    "another nonce": lambda p: p.claims.update(nonce="x"),
    "no nonce": lambda p: p.claims.update(nonce=None),
    "a number for a nonce": lambda p: p.claims.update(nonce=7),
    "for somebody else": lambda p: p.claims.update(aud="other"),
    "for many, of another": lambda p: p.claims.update(aud=[CLIENT, "other"], azp="other"),
    "for many, of nobody": lambda p: p.claims.update(aud=[CLIENT, "other"]),
    "for nobody": lambda p: p.claims.update(aud=None),
    "another issuer": lambda p: p.claims.update(iss="https://evil.example"),
    "the issuer with a slash": lambda p: p.claims.update(iss=p.url + "/"),
    "expired": lambda p: p.claims.update(exp=int(time.time()) - 120),
    "without an end": lambda p: p.claims.update(exp=None),
    "an endless end": lambda p: p.claims.update(exp=1e300),
    "true for an end": lambda p: p.claims.update(exp=True),
    "of tomorrow": lambda p: p.claims.update(iat=int(time.time()) + 86_400),
    "without a subject": lambda p: p.claims.update(sub=None),
    "unsigned": lambda p: setattr(p, "sign", unsigned),
    "signed by the public key": lambda p: setattr(p, "sign", by_public_key(p)),
    "signed by a foreign key": lambda p: setattr(p, "sign", lambda c: jwt.encode({"alg": "RS256"}, c, p.foreign)),
    "signed by a weak key": lambda p: (
        p.published.append(p.weak),
        setattr(p, "sign", lambda c: jwt.encode({"alg": "RS256"}, c, p.weak)),
    ),
    "a key of its own in the header": lambda p: setattr(
        p,
        "sign",
        lambda c: jwt.encode({"alg": "RS256", "jwk": p.foreign.as_dict(private=False)}, c, p.foreign),
    ),
    "no object": lambda p: setattr(p, "sign", lambda _: jws.serialize_compact({"alg": "RS256"}, b"[]", p.rsa)),
    "no token": lambda p: setattr(p, "sign", lambda _: "x.y.z"),
    "nobody's name": lambda p: p.user.update(preferred_username="mallory"),
    "no name": lambda p: p.user.pop("preferred_username"),
    "a list for a name": lambda p: p.user.update(preferred_username=["ana"]),
    "a NUL in the name": lambda p: p.user.update(preferred_username="ana\x00"),
    "a name that only looks alike": lambda p: p.user.update(preferred_username="ana\u200b"),
    "a name with a blank": lambda p: p.user.update(preferred_username=" ana"),
    "another case": lambda p: p.user.update(preferred_username="Ana"),
}


@pytest.mark.filterwarnings("ignore")
def test_answer_that_does_not_hold_lets_nobody_in(
    app: Flask, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "NETWORK_RATE", "1000/minute")
    for lie, tell in LIES.items():
        provider.reset()
        app.extensions["moderation"].provider._kept.clear()
        tell(provider)
        client = app.test_client()
        answer = client.get(go(client))
        assert answer.status_code == 401, (lie, answer.status_code)
        assert 'role="alert"' in answer.text, lie
        assert client.get("/console/").status_code == 303, lie
    assert sessions_of(app) == 0


def test_answer_to_another_browser_or_again_or_late_lets_nobody_in(
    app: Flask, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, thief = app.test_client(), app.test_client()
    back = go(thief)
    # A log-in that somebody else began: the victim's browser has no cookie, or one of another state.
    assert victim.get(back).status_code == 401
    go(victim)
    assert victim.get(back).status_code == 401
    cookie = thief.get_cookie("moderation-organisation")
    assert cookie is not None
    assert thief.get(back).status_code == 303
    # The same once more, with the cookie put back; and the state with a fresh code.
    thief.set_cookie("moderation-organisation", cookie.value)
    assert thief.get(back).status_code == 401
    state = parse_qs(urlsplit(back).query)["state"][0]
    code = parse_qs(urlsplit(go(app.test_client())).query)["code"][0]
    fresh = app.test_client()
    fresh.set_cookie("moderation-organisation", cookie.value)
    assert fresh.get(BACK, query_string={"state": state, "code": code}).status_code == 401
    for query in ("", f"state={state}", f"code={code}", "state=%ED%A0%80&code=x", f"state={state}&code={'x' * 5_000}"):
        assert app.test_client().get(f"{BACK}?{query}").status_code in {400, 401}
    late = app.test_client()
    back = go(late)
    monkeypatch.setattr(organisation, "LASTS_S", -1)
    assert late.get(back).status_code == 401
    assert sessions_of(app) == 1


def test_code_that_was_begun_by_another_is_refused_by_its_verifier(app: Flask, provider: Provider) -> None:
    """A code that a thief got hold of, sent with their own state."""
    thief = app.test_client()
    own = parse_qs(urlsplit(go(thief)).query)["state"][0]
    stolen = parse_qs(urlsplit(go(app.test_client())).query)["code"][0]
    answer = thief.get(BACK, query_string={"state": own, "code": stolen})
    assert answer.status_code == 401
    assert "did not accept" in answer.text


def test_answer_of_another_issuer_or_with_an_error_lets_nobody_in(app: Flask, provider: Provider) -> None:
    client = app.test_client()
    assert client.get(go(client) + "&iss=https://evil.example").status_code == 401
    client = app.test_client()
    state = parse_qs(urlsplit(go(client)).query)["state"][0]
    answer = client.get(BACK, query_string={"state": state, "error": "access_denied", "error_description": "<b>x"})
    assert answer.status_code == 401
    assert "<b>x" not in answer.text
    assert "did not let you in" in answer.text


def test_provider_that_is_away_or_answers_nonsense_is_said_on_the_log_in_page(app: Flask, provider: Provider) -> None:
    parts = app.extensions["moderation"]

    def discovery_says(answer: Any = None, **document: Any) -> Any:
        provider.answers, provider.document = ({"discovery": answer} if answer else {}), document
        return app.test_client().get("/console/login/organisation")

    for said in (
        discovery_says(Response("nonsense", status=200)),
        discovery_says(Response("{}", status=200)),
        discovery_says(Response("[" * 50_000, status=200)),
        discovery_says(Response("x" * 300_000, status=200)),
        discovery_says(Response("", status=302, headers={"Location": provider.url})),
        discovery_says(Response("", status=500)),
        discovery_says(issuer="https://evil.example"),
        discovery_says(authorization_endpoint="javascript:alert(1)"),
        discovery_says(token_endpoint="ftp://127.0.0.1/"),
        discovery_says(jwks_uri=7),
    ):
        assert said.status_code == 503, said.text
        assert "does not answer" in said.text
        assert 'name="password"' in said.text
        assert said.headers["Retry-After"]
    provider.reset()  # What could not be used was not kept.
    client = app.test_client()
    back = go(client)
    provider.answers = {"token": Response("", status=503)}
    assert client.get(back).status_code == 503
    # Name and password still open the door.
    with app.app_context():
        accounts.log_in(parts, "ana", PASSWORD, b"h" * 16)


def test_provider_that_is_slow_holds_no_more_than_two_threads(app: Flask, provider: Provider) -> None:
    let_go, arrived = threading.Event(), threading.Barrier(3)

    def answer_late() -> Any:
        arrived.wait(10)
        let_go.wait(10)
        return Response("{}", status=200)

    provider.answers["discovery"] = "late"
    provider.late = answer_late
    outcomes: list[int] = []

    def ask() -> None:
        outcomes.append(app.test_client().get("/console/login/organisation").status_code)

    waiting = [threading.Thread(target=ask) for _ in range(2)]
    for one in waiting:
        one.start()
    arrived.wait(10)
    ask()  # The third is told at once, while the others still wait.
    assert outcomes == [503]
    let_go.set()
    for one in waiting:
        one.join()
    assert outcomes == [503, 503, 503]


def test_provider_that_nobody_listens_for_is_said_on_the_log_in_page(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "m.db")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        app = create_app(settings_of(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}"))
    answer = app.test_client().get("/console/login/organisation")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    dispose(app)
    # Inside our own network there is no provider that was not allowed to be there.
    closed = create_app(settings_of(tmp_path, "http://127.0.0.1:9", webhook_allow_http=True))
    closed.extensions["moderation"].provider._sender._allow_networks = ()
    assert closed.test_client().get("/console/login/organisation").status_code == 503
    dispose(closed)


def test_way_there_is_not_begun_by_a_foreign_page_nor_leads_elsewhere(app: Flask, provider: Provider) -> None:
    for site in ("cross-site", "same-site"):
        answer = app.test_client().get("/console/login/organisation", headers={"Sec-Fetch-Site": site})
        assert answer.location.startswith("/console/login?")
    client = app.test_client()
    assert client.get(go(client, then="https://evil.example/")).location == "/console/"


def test_email_names_a_moderator_only_where_it_is_verified(
    sqlite_template: Path, tmp_path: Path, provider: Provider
) -> None:
    shutil.copy(sqlite_template, tmp_path / "m.db")
    app = create_app(settings_of(tmp_path, provider.url, oidc_claim="email"))
    with app.app_context():
        accounts.add_moderator(app.extensions["moderation"], CLI, "ana@ledger.example", PASSWORD, "viewer", "*")
    for verified, status in ((None, 401), (False, 401), ("true", 401), (1, 401), (True, 303)):
        provider.user = {"sub": "1", "email": "ana@ledger.example"} | (
            {} if verified is None else {"email_verified": verified}
        )
        client = app.test_client()
        assert client.get(go(client)).status_code == status, verified
    dispose(app)


def test_second_factor_is_asked_for_after_the_organisation_too_and_a_lock_holds(app: Flask, provider: Provider) -> None:
    parts = app.extensions["moderation"]
    with app.app_context():
        _, actor = accounts.log_in(parts, "ana", PASSWORD, b"h" * 16)
        second_factor.begin(parts, actor, PASSWORD)
        with read() as session:
            secret = second_factor._secret(parts, session.scalars(select(SecondFactor)).one())
        step = int(time.time()) // one_time_codes.STEP_S
        codes, _ = second_factor.confirm(parts, actor, one_time_codes.code_at(secret, step))
    client = app.test_client()
    answer = client.get(go(client, then="/console/tokens"))
    assert answer.location == "/console/login/code?then=/console/tokens"
    assert client.get("/console/").status_code == 303
    page = client.get(answer.location).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = client.post("/console/login/code", data={"csrf_token": token, "code": codes[0], "then": "/console/tokens"})
    assert sent.location == "/console/tokens"
    assert client.get("/console/").status_code == 200
    with app.app_context():
        accounts.add_moderator(parts, CLI, "bea", PASSWORD, "viewer", "*")
        accounts.change_moderator(parts, CLI, accounts.find_moderator(parts, CLI, "bea")["id"], disabled=True)
    provider.user["preferred_username"] = "bea"
    client = app.test_client()
    assert client.get(go(client)).status_code == 401


def test_without_a_provider_there_is_no_such_page(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    assert "Log in with" not in client.get("/console/login").text
    assert client.get("/console/login/organisation").status_code == 404
    assert client.get(BACK).status_code == 404
