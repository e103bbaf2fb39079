"""What every request passes and every answer carries."""

import pytest

from moderation.app import create_app
from moderation.web import guards
from tests.conftest import dispose, make_people, make_settings


@pytest.mark.parametrize("given", ["abcdefgh", "A.b_c-1234567890", "f" * 64])
def test_answer_carries_the_callers_sane_request_id(caller, everybody, given):
    assert caller.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["short", "a" * 65, "a b c d e f", "<script>x", "\u00e9" * 10, "12345678\n"])
def test_answer_carries_a_new_request_id_instead_of_a_strange_one(caller, everybody, given):
    import re

    headers = {"X-Request-Id": given} if "\n" not in given else {"X-Request-Id": given.strip() + "\t\x7f"}
    own = caller.get("/healthz", headers=headers).headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", own)


def test_every_answer_has_the_safe_headers(caller, everybody):
    for path in ("/healthz", "/api/v1/queue", "/nothing", "/docs", "/embed.js", "/api/v1/sites/news/comments?thread=x"):
        headers = caller.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Request-Id"], path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert headers["Referrer-Policy"], path
        assert headers["Cache-Control"], path
        assert "Date" not in headers, path  # The server writes it, once.


def test_a_page_forbids_inline_script_and_frames(caller, everybody):
    policy = caller.get("/docs").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_private_answer_is_not_stored(caller, everybody):
    answer = caller.get("/api/v1/queue", headers=everybody.bearer("viewer"))
    assert answer.headers["Cache-Control"] == "no-store"


def test_head_answers_as_get_without_a_body(caller, everybody):
    path = "/api/v1/sites/news/comments?thread=x"
    head, get = caller.head(path), caller.get(path)
    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["ETag"] == get.headers["ETag"]
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    ("raw", "ip"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:5123", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "0.0.0.0"),
        ("", "0.0.0.0"),
        ("1.2.3.4, 5.6.7.8", "0.0.0.0"),
        ("\u0661.2.3.4", "0.0.0.0"),
    ],
)
def test_read_an_address_drops_ports_and_knows_no_nonsense(raw, ip):
    assert guards._ip(raw) == ip


@pytest.mark.parametrize(("hops", "seen"), [(0, "10.0.0.9"), (1, "198.51.100.2"), (2, "198.51.100.1")])
def test_the_clients_address_comes_from_exactly_the_trusted_hops(tmp_path, sqlite_url, hops, seen):
    app = create_app(make_settings(tmp_path, sqlite_url, proxy_hops=hops))
    found = []
    app.add_url_rule("/who", view_func=lambda: found.append(guards.client().ip) or "ok")
    headers = {"X-Forwarded-For": "6.6.6.6, 198.51.100.1, 198.51.100.2"}
    app.test_client().get("/who", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    dispose(app)
    assert found == [seen]


def test_an_https_installation_asks_browsers_to_stay_there(tmp_path, sqlite_url):
    app = create_app(make_settings(tmp_path, sqlite_url, public_url="https://comments.example"))
    answer = app.test_client().get("/healthz")
    dispose(app)
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_the_limit_of_a_body_follows_the_setting(tmp_path, sqlite_url):
    app = create_app(make_settings(tmp_path, sqlite_url, max_body_bytes=4_096))
    with app.app_context():
        make_people(app.extensions["moderation"])
    client = app.test_client()
    over = client.post("/api/v1/sites/news/preview", json={"body": "x" * 4_096})
    under = client.post("/api/v1/sites/news/preview", json={"body": "x" * 4_000})
    dispose(app)
    assert (over.status_code, under.status_code) == (413, 200)


def test_a_form_over_the_limit_without_a_length_is_not_cut_but_refused(caller, everybody):
    import io

    answer = caller.post(
        "/sites/news/reply",
        input_stream=io.BytesIO(b"author=A&thread=k&comment=" + b"x" * 70_000),
        headers={"Transfer-Encoding": "chunked", "Content-Type": "application/x-www-form-urlencoded"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_a_call_that_needs_no_body_takes_none_however_it_is_declared(client, approved, headers):
    path = f"/api/v1/sites/news/comments/{approved['id']}"
    answer = client.delete(path, headers={"X-Edit-Token": approved["edit_token"], **headers})
    assert answer.status_code == 204


def test_a_call_that_needs_a_body_does_not_take_an_empty_one(caller, everybody, assert_problem):
    path, headers = "/api/v1/sites/news", everybody.bearer("admin")
    assert_problem(caller.patch(path, data=b"", content_type="application/json", headers=headers), 400)
    assert_problem(caller.patch(path, headers=headers), 415)


@pytest.mark.parametrize("path", ["/api/v1/queue/", "//api/v1/queue", "/api//v1/queue", "/api/v1/./queue"])
def test_a_path_that_is_not_written_exactly_is_not_found(caller, everybody, assert_problem, path):
    assert_problem(caller.get(f"http://localhost{path}", headers=everybody.bearer("admin")), 404)


def test_a_page_without_its_slash_leads_to_it(caller, everybody):
    answer = caller.get("/console")
    assert answer.status_code == 308
    assert answer.headers["Location"].endswith("/console/")
