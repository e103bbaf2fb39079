"""What operators ask: is it up, is it ready, how much; and what the logs say, and never say."""

import json

import pytest

from moderation.app import create_app
from moderation.storage import upkeep
from moderation.storage.db import write
from tests.conftest import dispose, make_settings


def test_healthz_answers_without_a_database(tmp_path):
    app = create_app(make_settings(tmp_path, f"sqlite:///{tmp_path}/no/such/folder/x.db"))
    answer = app.test_client().get("/healthz")
    ready = app.test_client().get("/readyz")
    dispose(app)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})
    assert ready.status_code == 503
    assert ready.get_json()["checks"]["database"] == "unavailable"


def test_readyz_is_ready_while_a_worker_lives(client, parts, clock):
    assert client.get("/readyz").get_json()["checks"] == {"database": "ok", "migrations": "ok", "worker": "failed"}
    with write() as session:
        upkeep.beat(session, "w1", clock())
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")
    clock.move(seconds=31)
    late = client.get("/readyz")
    assert (late.status_code, late.get_json()["checks"]["worker"]) == (503, "failed")


def test_readyz_without_tables_is_not_ready(tmp_path):
    (tmp_path / "empty.db").touch()
    app = create_app(make_settings(tmp_path, f"sqlite:///{tmp_path}/empty.db"))
    answer = app.test_client().get("/readyz")
    dispose(app)
    assert answer.status_code == 503
    assert answer.get_json()["checks"]["migrations"] == "failed"
    assert answer.get_json()["checks"]["worker"] != "ok"


def test_metrics_count_by_route_and_not_by_path(caller, everybody, submission):
    caller.post("/api/v1/sites/news/comments", json=submission)
    caller.get("/some/path/that/nobody/serves")
    text = caller.get("/metrics").text
    assert 'route="/api/v1/sites/<site:site>/comments",status="202"' in text
    assert 'route="unmatched"' in text
    assert "nobody" not in text
    assert "moderation_submissions_total" in text


def test_metrics_with_a_token_set_ask_for_it(tmp_path, sqlite_url):
    app = create_app(make_settings(tmp_path, sqlite_url, metrics_token="a-long-token"))
    client = app.test_client()
    statuses = [
        client.get("/metrics", headers=headers).status_code
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer a-long-token"})
    ]
    dispose(app)
    assert statuses == [401, 401, 200]


@pytest.fixture
def lines(capsys):
    """What was logged, read as JSON lines."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_log_has_one_line_a_request_with_its_route_and_id(caller, everybody, lines):
    caller.get("/api/v1/sites/news/comments?thread=secret-thread", headers={"X-Request-Id": "my-own-request"})
    (line,) = lines()
    assert line["event"] == "request"
    assert line["method"] == "GET"
    assert line["route"] == "/api/v1/sites/<site:site>/comments"
    assert line["status"] == 200
    assert line["duration_ms"] >= 0
    assert line["request_id"] == "my-own-request"
    assert line["timestamp"].endswith("Z")


SECRETS = (
    "ana@example.org",
    "ANA@EXAMPLE.ORG",
    "203.0.113",
    "Very private words",
    "secret-thread",
    "Ana",
    "Mozilla/9.9",
    "news.example",
)


def test_log_never_holds_what_a_reader_or_a_caller_sent(caller, everybody, submission, lines, monkeypatch):
    from moderation.services import threads

    headers = {"User-Agent": "Mozilla/9.9", "X-Forwarded-For": "203.0.113.7"}
    at = {"REMOTE_ADDR": "203.0.113.7"}
    url = "/api/v1/sites/news/comments"
    body = {**submission, "body": "Very private words"}
    made = caller.post(url, json=body, headers=headers, environ_base=at).get_json()
    caller.post(url, json={**body, "surprise": "ana@example.org"}, headers=headers, environ_base=at)
    caller.post(url, data=b'{"ana@example.org', content_type="application/json", environ_base=at)
    caller.get(f"{url}?thread=secret-thread&ana@example.org=1", environ_base=at)
    caller.get("/ana@example.org/secret-thread", environ_base=at)
    caller.open("/api/v1/queue", method="ANA@EXAMPLE.ORG", environ_base=at)
    caller.patch(f"{url}/{made['id']}", json={"body": "x"}, headers={"X-Edit-Token": made["edit_token"]})
    caller.post("/sites/news/reply", data={"author": "Ana", "comment": "Very private words"}, environ_base=at)
    caller.get("/api/v1/queue", headers=everybody.bearer("admin"), environ_base=at)
    reveal = f"/api/v1/comments/{made['id']}/reveal-email"
    caller.post(reveal, json={"reason": "Very private words"}, headers=everybody.bearer("admin"), environ_base=at)

    def broken(*_, **__):
        raise RuntimeError("ana@example.org 203.0.113.7 Very private words")

    monkeypatch.setattr(threads, "list_comments", broken)
    assert caller.get(f"{url}?thread=secret-thread", environ_base=at).status_code == 500
    found = lines()
    text = json.dumps(found)
    assert len(found) >= 12
    assert '"kind": "RuntimeError"' in text
    tokens = (made["edit_token"], made["author_token"], *everybody.tokens.values())
    assert not [secret for secret in (*SECRETS, *tokens) if secret in text]


def test_the_document_is_openapi_31_and_complete(caller, everybody):
    document = caller.get("/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    submit = document["paths"]["/api/v1/sites/{site}/comments"]["post"]
    assert {"202", "400", "403", "413", "415", "422", "429", "503"} <= set(submit["responses"])
    assert submit["requestBody"]["content"]["application/json"]["example"]
    body = document["components"]["schemas"]["SubmissionIn"]
    assert body["additionalProperties"] is False
    assert body["properties"]["body"]["maxLength"] == 20_000
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                assert operation["summary"], (method, path)
                assert "x-rate" not in operation


def test_the_documents_links_name_calls_that_exist(shared_app):
    from moderation.web.docs import operations

    calls = {one["operationId"]: one for _, _, one in operations(shared_app.extensions["openapi"])}
    links = [
        (to, link)
        for one in calls.values()
        for answer in one["responses"].values()
        for to, link in answer.get("links", {}).items()
    ]
    assert len(links) == 11
    assert all(link["operationId"] in calls for _, link in links)


def test_the_documents_references_all_lead_somewhere(shared_app):
    document = shared_app.extensions["openapi"]

    def check(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                found = document
                for step in value["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
            for inner in value.values():
                check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    check(document)
    assert document["info"]["title"]


def test_the_page_of_the_document_names_every_call_and_runs_no_script(caller, everybody):
    document, page = caller.get("/openapi.json").get_json(), caller.get("/docs")
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert "<script" not in page.text
    assert "style=" not in page.text
    for path in document["paths"]:
        assert path in page.text


def test_metrics_of_several_processes_are_added_up(tmp_path, sqlite_url):
    import os
    import subprocess
    import sys

    script = """
import os, sys
from prometheus_client import CollectorRegistry, generate_latest
from moderation.web import health
for _ in range(2):
    if os.fork() == 0:
        health.count_submission("pending")
        os._exit(0)
    os.wait()
print(generate_latest(health._registry()).decode())
"""
    folder = tmp_path / "metrics"
    folder.mkdir()
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert 'moderation_submissions_total{state="pending"} 2.0' in done.stdout
