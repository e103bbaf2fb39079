"""Random requests made from the service's own OpenAPI document: no 5xx, and every answer as it is described there.

Bounded and always the same here. A longer run, against a running service (all checks, all phases)::

    schemathesis --config-file tests/api/schemathesis.toml run URL/openapi.json \
        -H "Authorization: Bearer TOKEN" --checks all --max-examples 200 \
        --include-path-regex '^/(api/v1/(sites/\\{site\\}/|queue|comments|decisions|audit|stats)|sites/|avatars)'

with a moderator's token.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from tests.conftest import submission_json

CONFIG = Path(__file__).with_name("schemathesis.toml")
GROUPS = {
    "public": None,
    "feeds": None,
    "fragments": None,
    "forms": None,
    "receipts": None,
    "moderation": "moderator",
    "admin": "stranger",
}
"""Tags of the document, and as whom they are called."""

BOUNDED = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="session")
def api(shared_app: Flask) -> Any:
    """The document of ``shared_app`` with its application."""
    return schemathesis.openapi.from_wsgi("/openapi.json", shared_app, config=SchemathesisConfig.from_path(CONFIG))


@pytest.fixture(scope="session")
def comment_id(shared_app: Flask) -> str:
    """A comment that is public."""
    client, people = shared_app.test_client(), shared_app.extensions["people"]
    made = client.post("/api/v1/sites/news/comments", json=submission_json()).get_json()
    decision = {"action": "approve"}
    path = f"/api/v1/comments/{made['id']}/decisions"
    assert client.post(path, json=decision, headers=people.bearer("root")).status_code == 200
    return str(made["id"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_send_random_requests_never_breaks_and_answers_as_described(api, everybody, comment_id, group, mode):
    headers = everybody.bearer(GROUPS[group]) if GROUPS[group] else {}
    ids = {"site": "other" if group == "admin" else "news", "comment_id": comment_id}
    operations = [found.ok() for found in api.get_all_operations()]
    chosen = [one for one in operations if group in one.definition.raw["tags"]]
    assert chosen
    for operation in chosen:
        _exercise(operation, mode, ids, headers)


def _exercise(operation: Any, mode: GenerationMode, ids: dict[str, str], headers: dict[str, str]) -> None:
    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode), with_real_ids=st.booleans())
    def send(case: Any, with_real_ids: bool) -> None:
        if mode is GenerationMode.POSITIVE and with_real_ids:
            real = {name: value for name, value in ids.items() if name in (case.path_parameters or {})}
            case.path_parameters = {**case.path_parameters, **real}
        # Without a server between them nothing unpacks what is compressed.
        case.call_and_validate(headers={**headers, "Accept-Encoding": "identity"})

    try:
        send()
    except schemathesis.errors.SchemathesisError as error:
        if "Impossible to generate" not in str(error) and "Unable to" not in str(error):
            raise


def test_describe_the_service_names_every_route_of_the_api(shared_app):
    document = json.loads(shared_app.extensions["openapi.json"])
    described = {
        (method.upper(), path.replace("{", "<").replace("}", ">"))
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    served = {
        (method, _plain(rule.rule))
        for rule in shared_app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/sites/", "/avatars"))
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert served <= described


def _plain(rule: str) -> str:
    import re

    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"<\1>", rule)
