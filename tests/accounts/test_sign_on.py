"""Single sign-on: a site's word on who a reader is, believed where one of its own keys signed it and not otherwise."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OKPKey

from tests.conftest import Clock, People, submission_json

KEYS = "/api/v1/sso-keys"
SECRET = "a secret of the site, long enough to sign with"
USER = {"id": "4711", "username": "Ana of the Ledger", "email": "ana@ledger.example"}


def encoded(data: Any) -> str:
    """Base64url of JSON, or of bytes, without padding."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: Any, secret: str | bytes = SECRET, **header: Any) -> str:
    """A token by the RFC's own steps, with whatever header."""
    key = secret if isinstance(secret, bytes) else secret.encode()
    text = f"{encoded({'alg': 'HS256', 'typ': 'JWT', **header})}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.digest(key, text.encode(), 'sha256'))}"


def unsigned(claims: Any, **header: Any) -> str:
    """The same without a signature."""
    return f"{encoded({'alg': 'none', **header})}.{encoded(claims)}."


@pytest.fixture
def claims(clock: Clock) -> Callable[..., dict[str, Any]]:
    """The claims of a good token, changed as asked."""

    def make(**changes: Any) -> dict[str, Any]:
        return {"user": USER, "jti": "1", "exp": int(clock().timestamp()) + 3600, **changes}

    return make


def set_mode(client: FlaskClient, people: People, mode: str, site: str = "news") -> None:
    """Switch sign-on."""
    change = {"settings": {"sso": mode}}
    assert client.patch(f"/api/v1/sites/{site}", json=change, headers=people.bearer("root")).status_code == 200


def add(client: FlaskClient, people: People, who: str = "admin", **body: Any) -> Any:
    """Ask for a key."""
    return client.post(KEYS, json={"site": "news", **body}, headers=people.bearer(who))


@pytest.fixture
def key(client: FlaskClient, people: People) -> dict[str, Any]:
    """The site takes sign-on, by ``SECRET``."""
    set_mode(client, people, "optional")
    answer = add(client, people, secret=SECRET)
    assert answer.status_code == 201
    made: dict[str, Any] = answer.get_json()
    return made


def send(client: FlaskClient, sso: str | None, site: str = "news", **author: Any) -> Any:
    """Submit a comment with a token."""
    body = submission_json(author={**({"sso": sso} if sso else {}), **author})
    return client.post(f"/api/v1/sites/{site}/comments", json=body)


def waiting(client: FlaskClient, people: People) -> list[dict[str, Any]]:
    """What is in the queue."""
    found: list[dict[str, Any]] = client.get("/api/v1/queue", headers=people.bearer("root")).get_json()["items"]
    return found


@pytest.mark.usefixtures("key")
def test_submit_signed_on_has_the_name_and_address_that_the_site_told(
    client: FlaskClient, people: People, claims: Any
) -> None:
    answer = send(client, signed(claims()))
    assert answer.status_code == 202
    (item,) = waiting(client, people)
    assert item["author"]["name"] == USER["username"]
    assert item["author"]["email_domain"] == "ledger.example"
    assert item["author"]["known"] is True
    path = f"/api/v1/comments/{item['id']}/reveal-email"
    revealed = client.post(path, json={"reason": "to ask"}, headers=people.bearer("admin"))
    assert revealed.get_json()["email"] == USER["email"]


@pytest.mark.usefixtures("key")
def test_submit_signed_on_again_is_the_same_author_under_whatever_name(
    client: FlaskClient, people: People, claims: Any, decide: Any
) -> None:
    first = send(client, signed(claims())).get_json()
    assert decide(first["id"]).status_code == 200
    assert send(client, signed(claims(user={**USER, "username": "Ana B.", "email": None}))).status_code == 202
    (item,) = waiting(client, people)
    assert (item["author"]["name"], item["author"]["approved_before"]) == ("Ana B.", 1)
    assert item["author"]["email_domain"] is None


def test_submit_signed_by_an_ed25519_key_is_taken(client: FlaskClient, people: People, claims: Any) -> None:
    pair = OKPKey.generate_key("Ed25519")
    set_mode(client, people, "required")
    answer = add(client, people, public_key=pair.as_pem(private=False).decode())
    assert (answer.status_code, answer.get_json()["algorithm"]) == (201, "EdDSA")
    assert "secret" not in answer.get_json()
    for name in ("EdDSA", "Ed25519"):
        token = jwt.encode({"alg": name}, claims(user={**USER, "id": 4711}), pair, algorithms=[name])
        assert send(client, token).status_code == 202
    first, second = waiting(client, people)
    assert first["author"]["name"] == second["author"]["name"] == USER["username"]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exp": 1_700_000_000}, "expired"),
        ({"exp": None}, "'exp'"),
        ({"exp": "2026"}, "'exp'"),
        ({"exp": True}, "'exp'"),
        ({"exp": float("nan")}, "'exp'"),
        ({"exp": 10**40}, "'exp'"),
        ({"nbf": 32_503_680_000}, "not valid yet"),
        ({"iat": 32_503_680_000}, "not valid yet"),
        ({"aud": "other"}, "'aud'"),
        ({"aud": ["other", "third"]}, "'aud'"),
        ({"aud": {}}, "'aud'"),
        ({"user": None}, "'user'"),
        ({"user": "Ana"}, "'user'"),
        ({"user": {"id": "", "username": "Ana"}}, "'user.id'"),
        ({"user": {"id": "x" * 256, "username": "Ana"}}, "'user.id'"),
        ({"user": {"id": True, "username": "Ana"}}, "'user.id'"),
        ({"user": {"id": "1"}}, "'user.username'"),
        ({"user": {"id": "1", "username": "   "}}, "'user.username'"),
        ({"user": {"id": "1", "username": "Ana", "email": 5}}, "'user.email'"),
    ],
)
def test_submit_with_claims_that_do_not_hold_is_refused_and_says_why(
    client: FlaskClient, people: People, claims: Any, changes: dict[str, Any], said: str
) -> None:
    answer = send(client, signed(claims(**changes)))
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert said in answer.get_json()["detail"]
    assert waiting(client, people) == []


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("changes", [{"aud": "news"}, {"aud": ["x", "news"]}, {"aud": None}, {"iat": 1.5, "nbf": 0}])
def test_submit_with_claims_that_hold_is_taken(client: FlaskClient, people: People, claims: Any, changes: Any) -> None:
    assert send(client, signed(claims(**changes))).status_code == 202


@pytest.mark.usefixtures("key")
def test_submit_with_a_token_that_the_site_did_not_sign_is_refused(
    client: FlaskClient, people: People, claims: Any
) -> None:
    good = signed(claims())
    head, _body, signature = good.split(".")
    other = encoded({**claims(), "user": {**USER, "username": "The Editor"}})
    forged = {
        "none": unsigned(claims()),
        "none with a signature": f"{unsigned(claims())}{signature}",
        "None": unsigned(claims(), alg="None"),
        "another secret": signed(claims(), "another secret, which is as long as the first"),
        "empty secret": signed(claims(), b""),
        "other claims": f"{head}.{other}.{signature}",
        "cut": good[:-4],
        "no parts": "abc",
        "five parts": f"{good}.a.b",
        "of another algorithm": signed(claims(), alg="HS512"),
        "with an unknown crit": signed(claims(), crit=["x"], x=1),
        "unencoded": signed(claims(), b64=False, crit=["b64"]),
        "a list": signed([1]),
        "deep": f"{encoded({'alg': 'HS256'})}.{encoded(b'[' * 1500)}.x",
        "key of its own": signed(claims(), b"mine" * 8, jwk={"kty": "oct", "k": encoded(b"mine" * 8)}),
    }
    for what, token in forged.items():
        answer = send(client, token)
        assert answer.status_code == 401, what
        assert token not in answer.text
    assert waiting(client, people) == []


def test_submit_signed_with_the_public_key_as_a_secret_is_refused(
    client: FlaskClient, people: People, claims: Any
) -> None:
    pem = OKPKey.generate_key("Ed25519").as_pem(private=False)
    set_mode(client, people, "optional")
    assert add(client, people, public_key=pem.decode()).status_code == 201
    for secret in (pem, pem.strip(), hashlib.sha256(pem).digest()):
        assert send(client, signed(claims(), secret)).status_code == 401


@pytest.mark.usefixtures("key")
def test_submit_a_token_to_another_site_is_refused(client: FlaskClient, people: People, claims: Any) -> None:
    set_mode(client, people, "optional", "other")
    assert send(client, signed(claims()), "other").status_code == 401
    answer = client.post(KEYS, json={"site": "other", "secret": SECRET}, headers=people.bearer("stranger"))
    assert answer.status_code == 409
    assert "in use already" in answer.get_json()["detail"]


@pytest.mark.usefixtures("key")
def test_submit_with_a_token_and_a_typed_name_is_refused_by_field(
    client: FlaskClient, people: People, claims: Any
) -> None:
    answer = send(client, signed(claims()), name="The Editor", email="x@example.org")
    assert answer.status_code == 422
    assert set(answer.get_json()["errors"]) <= {"author.name", "author.email"}
    long = send(client, signed(claims(user={**USER, "username": "x" * 101})))
    assert long.get_json()["errors"] == {"author.sso": ["user.username: It is longer than 100 characters."]}
    assert send(client, None, name="Ben").status_code == 202


def test_submit_follows_the_setting(client: FlaskClient, people: People, claims: Any) -> None:
    answer = send(client, signed(claims()))
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["author.sso"])
    set_mode(client, people, "required")
    refused = send(client, None, name="Ana")
    assert refused.status_code == 401
    assert "sign on" in refused.get_json()["detail"]
    missing = send(client, None, url="https://ana.example")
    assert missing.get_json()["errors"] == {"author.name": ["It is required."]}


@pytest.mark.usefixtures("key")
def test_author_token_of_somebody_signed_on_proves_nothing_afterwards(
    client: FlaskClient, people: People, claims: Any
) -> None:
    token = send(client, signed(claims())).get_json()["author_token"]
    assert send(client, None, name="The Editor", token=token).status_code == 202
    assert [item["author"]["known"] for item in waiting(client, people)] == [True, False]


@pytest.mark.usefixtures("key")
def test_submit_twice_at_once_makes_one_author(app: Flask, people: People, claims: Any) -> None:
    token = signed(claims())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(app.test_client(), token).status_code, range(4)))
    assert answers == [202] * 4
    client = app.test_client()
    ids = [item["id"] for item in waiting(client, people)]
    for comment_id in ids[:3]:
        path = f"/api/v1/comments/{comment_id}/decisions"
        assert client.post(path, json={"action": "approve"}, headers=people.bearer("root")).status_code == 200
    assert waiting(client, people)[0]["author"]["approved_before"] == 3


@pytest.mark.usefixtures("key")
def test_plain_form_of_a_reader_signed_on_is_taken(client: FlaskClient, people: People, claims: Any) -> None:
    form = {"thread": "a", "comment": "From a plain form.", "author": "typed", "sso": signed(claims())}
    assert client.post("/sites/news/reply", data=form).status_code == 200
    (item,) = waiting(client, people)
    assert item["author"]["name"] == USER["username"]
    refused = client.post("/sites/news/reply", data={**form, "sso": unsigned(claims())})
    assert refused.status_code == 401
    assert "not signed by a key of this site" in refused.text


def test_key_is_made_shown_once_listed_without_it_and_removed(client: FlaskClient, people: People, claims: Any) -> None:
    set_mode(client, people, "optional")
    made = add(client, people, name="accounts server").get_json()
    assert len(made["secret"]) >= 32
    listed = client.get(f"{KEYS}?site=news", headers=people.bearer("admin"))
    assert listed.get_json()["items"][0]["name"] == "accounts server"
    audit = client.get("/api/v1/audit?site=news", headers=people.bearer("admin"))
    assert '"sso.add"' in audit.text
    assert made["secret"] not in listed.text + audit.text
    assert send(client, signed(claims(), made["secret"])).status_code == 202
    assert client.delete(f"{KEYS}/{made['id']}", headers=people.bearer("admin")).status_code == 204
    assert send(client, signed(claims(), made["secret"])).status_code == 401


def test_key_that_does_not_fit_is_refused(client: FlaskClient, people: People) -> None:
    private = OKPKey.generate_key("Ed25519").as_pem(private=True).decode()
    for body, field in (
        ({"secret": "short"}, "secret"),
        ({"secret": "ä" * 40}, "secret"),
        ({"public_key": "nonsense"}, "public_key"),
        ({"public_key": private}, "public_key"),
        ({"secret": SECRET, "public_key": "x"}, "public_key"),
    ):
        answer = add(client, people, **body)
        assert (answer.status_code, list(answer.get_json()["errors"])) == (422, [field])
    for _ in range(5):
        assert add(client, people).status_code == 201
    assert add(client, people).status_code == 409


def test_keys_are_for_admins_of_the_site(client: FlaskClient, people: People, key: dict[str, Any]) -> None:
    for who, status in (("viewer", 403), ("moderator", 403), ("scorer", 404), ("stranger", 404)):
        assert add(client, people, who).status_code == status, who
        assert client.get(f"{KEYS}?site=news", headers=people.bearer(who)).status_code == status
        assert client.delete(f"{KEYS}/{key['id']}", headers=people.bearer(who)).status_code == status
