"""Which pages may call: the site's own, by exact origin; never with credentials; nobody else's, and nothing private."""

import pytest

OWN = "https://news.example"
URL = "/api/v1/sites/news/comments"
PREFLIGHT = {"Origin": OWN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
SOME_ID = "01890000-0000-7000-8000-000000000000"
FOREIGN = [
    "https://evil.example",
    "null",
    "http://news.example",
    "https://news.example:8443",
    "https://news.example.evil.example",
    "https://evilnews.example",
    "https://NEWS.example",
    "https://news.example/",
    "https://other.example",
    "",
    "*",
]


@pytest.mark.parametrize(
    "path", [URL, f"{URL}/counts", f"{URL}/{SOME_ID}", f"{URL}/{SOME_ID}/vote", "/api/v1/sites/news/preview"]
)
def test_preflight_from_the_sites_page_is_allowed(caller, everybody, path):
    answer = caller.options(path, headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == OWN
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert {"X-Edit-Token", "Content-Type", "Idempotency-Key", "If-None-Match"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert {"PATCH", "DELETE", "PUT"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_preflight_from_a_foreign_page_is_told_nothing(caller, everybody, origin):
    answer = caller.options(URL, headers={**PREFLIGHT, "Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_preflight_for_an_unknown_site_is_not_found_and_varies(caller, everybody, assert_problem):
    answer = caller.options("/api/v1/sites/nobody/comments", headers=PREFLIGHT)
    assert_problem(answer, 404)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/api/v1/queue", "/api/v1/sites", "/api/v1/sites/news", "/healthz", "/metrics"])
def test_call_what_is_private_from_the_sites_page_gets_no_permission(caller, everybody, path):
    for method in ("options", "get"):
        answer = getattr(caller, method)(path, headers={**PREFLIGHT, **everybody.bearer("admin")})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_list_from_the_sites_page_may_be_read(caller, everybody):
    answer = caller.get(f"{URL}?thread=x", headers={"Origin": OWN})
    assert answer.headers["Access-Control-Allow-Origin"] == OWN
    assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) == {"ETag", "Retry-After", "X-Request-Id"}
    assert "Origin" in answer.headers["Vary"]


def test_list_without_an_origin_still_varies(caller, everybody):
    assert "Origin" in caller.get(f"{URL}?thread=x").headers["Vary"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_list_from_a_foreign_page_may_not_be_read(caller, everybody, origin):
    answer = caller.get(f"{URL}?thread=x", headers={"Origin": origin})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_an_error_from_the_sites_page_may_be_read(caller, everybody):
    answer = caller.post(URL, data=b"{", content_type="application/json", headers={"Origin": OWN})
    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == OWN
    assert "Origin" in answer.headers["Vary"]


def test_a_304_for_the_sites_page_varies_and_may_be_read(caller, everybody):
    tag = caller.get(f"{URL}?thread=x").headers["ETag"]
    answer = caller.get(f"{URL}?thread=x", headers={"Origin": OWN, "If-None-Match": tag})
    assert answer.status_code == 304
    assert answer.headers["Access-Control-Allow-Origin"] == OWN
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_submit_from_a_foreign_page_is_forbidden(caller, everybody, submission, assert_problem, origin):
    answer = caller.post(URL, json=submission, headers={"Origin": origin})
    assert_problem(answer, 403)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", [OWN, "http://127.0.0.1:8080", None])
def test_submit_from_an_own_page_or_a_program_is_accepted(caller, everybody, submission, origin):
    headers = {"Origin": origin} if origin else {}
    assert caller.post(URL, json=submission, headers=headers).status_code == 202


def test_another_sites_page_has_no_say_here(caller, everybody):
    answer = caller.options("/api/v1/sites/other/comments", headers=PREFLIGHT)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_changed_list_of_origins_counts_at_once(client, people):
    answer = client.patch(
        "/api/v1/sites/news", json={"origins": ["https://new.example"]}, headers=people.bearer("admin")
    )
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in client.options(URL, headers=PREFLIGHT).headers
    moved = client.options(URL, headers={**PREFLIGHT, "Origin": "https://new.example"})
    assert moved.headers["Access-Control-Allow-Origin"] == "https://new.example"
