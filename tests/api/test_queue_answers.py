"""A page of the queue is written without its schema; it has to be what the schema would write."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import moderate
from moderation.services.moderate import QueueFilter
from moderation.services.parts import Parts
from moderation.web import schemas
from tests.conftest import People

BODIES = (
    "A calm and useful remark.",
    "You pathetic liar 🙂, look at http://203.0.113.9/ and https://bit.ly/x!!! Buy now, cheap, CHEAP.",
    "A calm and useful remark, nearly the same.",
)


@pytest.mark.parametrize("state", ["pending", "approved", "deleted"])
def test_list_queue_answers_what_its_schema_would_write(
    parts: Parts,
    client: FlaskClient,
    people: People,
    submit: Callable[..., dict[str, Any]],
    decide: Callable[..., Any],
    state: str,
) -> None:
    made = [submit(body) for body in BODIES * 2]
    moderate.claim(parts, CLI, "news", 1, 10)
    assert decide(made[1]["id"], "approve").status_code == 200
    submit("An answer.", parent_id=made[1]["id"])
    token = {"X-Edit-Token": made[2]["edit_token"]}
    assert client.delete(f"/api/v1/sites/news/comments/{made[2]['id']}", headers=token).status_code == 204
    answer = client.get(f"/api/v1/queue?state={state}", headers=people.bearer("root"))
    assert answer.mimetype == "application/json"
    page = moderate.list_queue(parts, CLI, QueueFilter(state=state))
    assert answer.get_json() == orjson.loads(orjson.dumps(schemas.Queue().dump(page)))
