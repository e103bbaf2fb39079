"""The pure half of webhooks: bytes, signatures, schedule, meaning of an answer."""

import base64
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from moderation.domain import webhook
from moderation.errors import Bug

NOW = datetime(2026, 11, 23, 15, 0, 0, 123456, tzinfo=UTC)


def vectors() -> dict[str, Any]:
    folder = os.environ.get("HOSTILE_FIXTURES")
    if not folder:
        pytest.skip("HOSTILE_FIXTURES is not set")
    loaded: dict[str, Any] = json.loads((Path(folder) / "standard-webhooks" / "vectors.json").read_text())
    return loaded


def test_sign_published_vectors_gives_the_published_signatures() -> None:
    cases = vectors()["sign_vectors"]
    assert cases
    for case in cases:
        at = datetime.fromtimestamp(case["timestamp"], UTC)
        headers = webhook.sign([case["secret"]], case["msg_id"], at, case["payload"].encode())
        assert headers["webhook-signature"] == case["expected"], case["name"]
        assert headers["webhook-timestamp"] == str(case["timestamp"])
        assert headers["webhook-id"] == case["msg_id"]


def test_sign_with_two_secrets_verifies_under_each_of_them_and_no_other() -> None:
    old, new, other = (webhook.new_secret() for _ in range(3))
    body = webhook.payload("comment.approved", NOW, {"comment": {"body": "Grüße 👍 \u2028"}})
    headers = webhook.sign([new, old], "msg_1", datetime.now(UTC), body)
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers)["type"] == "comment.approved"
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


def test_sign_in_another_zone_signs_the_same_instant() -> None:
    secret = webhook.new_secret()
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert webhook.sign([secret], "a", NOW, b"{}") == webhook.sign([secret], "a", elsewhere, b"{}")


@pytest.mark.parametrize(
    ("secrets", "message_id", "at"),
    [
        ([], "a", NOW),
        (["whsec_AAAA"], "a.b", NOW),
        (["whsec_AAAA"], "", NOW),
        (["whsec_AAAA"], "a", NOW.replace(tzinfo=None)),
    ],
)
def test_sign_without_what_it_needs_is_a_bug(secrets: list[str], message_id: str, at: datetime) -> None:
    with pytest.raises(Bug):
        webhook.sign(secrets, message_id, at, b"{}")


def test_payload_is_compact_utf8_json_with_a_zulu_timestamp() -> None:
    body = webhook.payload("comment.approved", NOW, {"site": "news", "title": "Ärger"})
    expected = (
        '{"type":"comment.approved","timestamp":"2026-11-23T15:00:00.123456Z","data":{"site":"news","title":"Ärger"}}'
    )
    assert body == expected.encode()


def test_payload_of_a_local_time_is_written_in_utc() -> None:
    local = NOW.astimezone(timezone(timedelta(hours=-3)))
    assert b'"timestamp":"2026-11-23T15:00:00.123456Z"' in webhook.payload("a.b", local, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", object(), b"x"])
def test_payload_of_what_json_cannot_carry_is_a_bug_that_tells_nothing(value: object) -> None:
    with pytest.raises(Bug) as caught:
        webhook.payload("comment.edited", NOW, {"private words": value})
    assert "private" not in str(caught.value)


def test_payload_with_a_naive_time_is_a_bug() -> None:
    with pytest.raises(Bug):
        webhook.payload("comment.edited", NOW.replace(tzinfo=None), {})


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_payload_of_any_text_reads_back_the_same(data: dict[str, str]) -> None:
    assert json.loads(webhook.payload("a.b", NOW, data))["data"] == data


def test_new_secret_is_32_random_bytes_in_base64() -> None:
    first, second = webhook.new_secret(), webhook.new_secret()
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32
    assert first != second


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (204, "delivered"), (299, "delivered"), (410, "gone"), (None, "retry"), (301, "retry")]
    + [(status, "retry") for status in (100, 101, 304, 307, 400, 401, 404, 409, 429, 500, 502, 503, 504, 999)],
)
def test_outcome_of_status_says_what_becomes_of_the_delivery(status: int | None, outcome: str) -> None:
    assert webhook.outcome_of(status) == outcome


def test_next_attempt_without_jitter_follows_the_schedule_and_ends() -> None:
    waits = []
    for attempts in range(10):
        at = webhook.next_attempt(attempts, NOW, jitter=0.0)
        assert at is not None
        waits.append((at - NOW).total_seconds())
    assert waits == [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert webhook.next_attempt(10, NOW, jitter=0.0) is None


def test_next_attempt_with_jitter_is_never_early_and_at_most_a_tenth_late() -> None:
    at = webhook.next_attempt(2, NOW, jitter=1.0)
    assert at is not None
    assert 300 < (at - NOW).total_seconds() <= 330


@pytest.mark.parametrize(("asked", "waited"), [(0.0, 5), (3.0, 5), (60.0, 60), (1e9, 86_400), (-5.0, 5)])
def test_next_attempt_with_retry_after_waits_the_longer_of_both_but_a_day_at_most(asked: float, waited: float) -> None:
    at = webhook.next_attempt(1, NOW, jitter=0.0, retry_after_s=asked)
    assert at is not None
    assert (at - NOW).total_seconds() == waited


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 1),
        ("99999999999999999999999999", 86_400),
        (format_datetime(NOW.replace(microsecond=0) + timedelta(seconds=90), usegmt=True), 90),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Mon, 99 Nov 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_in_each_form_is_read_and_clamped(header: str | None, seconds: float | None) -> None:
    assert webhook.retry_after_s(header, NOW.replace(microsecond=0)) == seconds


@given(st.text(max_size=60))
def test_retry_after_of_any_text_never_raises(header: str) -> None:
    seconds = webhook.retry_after_s(header, NOW)
    assert seconds is None or 1 <= seconds <= 86_400
