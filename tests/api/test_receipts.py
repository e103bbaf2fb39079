"""A commenter's private page: the link is the proof, opening it changes nothing, its author learns what they may."""

import base64
import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from moderation.storage.db import write
from moderation.storage.models import Comment
from tests.conftest import submission_json

KEY = "2025/07/arms-pause"
ON_SQLITE = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
"""For what is the web's alone."""

SECRET = ("no-store", "no-referrer", "noindex, nofollow")


def path_of(made: dict[str, Any]) -> str:
    return urlsplit(made["receipt_url"]).path


def token_of(made: dict[str, Any]) -> str:
    return path_of(made).removeprefix("/receipts/")


def send(client: Any, made: dict[str, Any], action: str, text: str | None = None, **headers: str) -> Any:
    data = {"token": token_of(made), "action": action, **({"text": text} if text is not None else {})}
    return client.post("/receipts", data=data, headers=headers)


def shown(client: Any, made: dict[str, Any]) -> str:
    answer = client.get(path_of(made))
    assert answer.status_code == 200
    return str(answer.text)


def assert_secret(answer: Any) -> None:
    """Kept, indexed and told by nobody."""
    names = ("Cache-Control", "Referrer-Policy", "X-Robots-Tag")
    assert tuple(answer.headers[name] for name in names) == SECRET
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def queue(client: Any, people: Any, **filters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/v1/queue", query_string=filters, headers=people.bearer("viewer"))
    return items.get_json()["items"]  # type: ignore[attr-defined]


def test_receipt_shows_the_comment_and_that_it_waits(client, submit):
    made = submit(author={"name": "Ana", "email": "ana@example.org", "url": "https://ana.example/"})
    answer = client.get(path_of(made), headers={"Origin": "https://news.example"})
    assert_secret(answer)
    assert '<meta name="referrer" content="no-referrer">' in answer.text
    assert "It is waiting for a moderator." in answer.text
    assert made["body_html"] in answer.text
    assert 'href="https://ana.example/"' in answer.text
    assert "ana@example.org" not in answer.text
    assert answer.text.count(token_of(made)) == 3  # in the three forms, in no address


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        (["approve"], "It is published."),
        (["reject"], "It was not published."),
        (["trash"], "It was not published."),
        (["approve", "reject"], "It was published, and a moderator took it down again."),
        (["approve", "trash"], "It was published, and a moderator took it down again."),
        (["escalate"], "It is waiting for a moderator."),
        (["spam"], "It is waiting for a moderator."),
        (["reject", "restore"], "It is waiting for a moderator."),
    ],
)
def test_receipt_says_what_became_of_the_comment(client, submit, decide, actions, told):
    made = submit()
    for action in actions:
        assert decide(made["id"], action).status_code == 200
    page = shown(client, made)
    assert told in page
    link = f'href="https://news.example/2025/07/arms-pause#comment-{made["id"]}"'
    assert (link in page) is (actions == ["approve"])


def test_receipt_of_spam_is_the_one_of_a_comment_that_waits(client, submit, decide, clock):
    waits, spam = submit("A remark on the harbour."), submit("A remark on the harbour.")
    decide(spam["id"], "spam")
    for _ in range(2):
        pages = [shown(client, one).replace(token_of(one), "TOKEN") for one in (waits, spam)]
        assert pages[0] == pages[1]
        clock.move(hours=1)
    answers = [send(client, one, "save", "Another remark on it.") for one in (waits, spam)]
    assert [one.status_code for one in answers] == [303, 303]


def test_receipt_of_what_hangs_below_a_removed_comment_says_so(client, approved, submit, decide):
    reply = submit("An answer, and not a short one.", parent_id=approved["id"])
    decide(reply["id"])
    decide(approved["id"], "trash")
    assert "because the comment that it answers is not" in shown(client, reply)


def test_open_a_receipt_in_any_way_changes_nothing(client, people, submit):
    made = submit()
    before = queue(client, people)
    for method in ("GET", "HEAD", "GET"):
        assert client.open(f"{path_of(made)}?action=withdraw_yes&text=x&done=saved&utm_source=y", method=method)
    for action in ("withdraw", "preview"):
        assert send(client, made, action, "Something else.").status_code == 200
    assert queue(client, people) == before


def test_withdraw_by_receipt_asks_once_more_then_deletes_for_good(client, people, approved):
    asked = send(client, approved, "withdraw")
    assert_secret(asked)
    assert "Withdraw your comment for good?" in asked.text
    done = send(client, approved, "withdraw_yes")
    assert (done.status_code, done.headers["Location"]) == (303, path_of(approved))
    assert_secret(done)
    assert client.get(f"/api/v1/sites/news/comments?thread={KEY}").get_json()["total"] == 0
    page = shown(client, approved)
    assert "It was deleted." in page
    assert not re.search("useful remark|Ana|<form", page)
    whole = client.get(f"/api/v1/comments/{approved['id']}", headers=people.bearer("viewer")).get_json()
    assert (whole["state"], whole["body"], whole["author"]["name"]) == ("deleted", "", "")
    assert send(client, approved, "withdraw_yes").status_code == 303  # a second click
    assert send(client, approved, "save", "Back again.").status_code == 409


def test_withdraw_by_receipt_works_after_the_window(client, people, submit, decide, clock):
    for action in ("approve", "reject", "spam"):
        made = submit(f"A remark to {action}, on the harbour.")
        decide(made["id"], action)
        clock.move(days=40)
        assert send(client, made, "withdraw_yes").status_code == 303
        assert "It was deleted." in shown(client, made)


def test_edit_by_receipt_shows_a_preview_and_is_judged_anew(client, people, approved):
    text = "Another *text* <script>alert(1)</script>"
    tried = send(client, approved, "preview", text)
    assert tried.status_code == 200
    assert "<p>Another <em>text</em> &lt;script&gt;alert(1)&lt;/script&gt;</p>" in tried.text
    assert "*text* &lt;script&gt;" in tried.text  # still in the form
    done = send(client, approved, "save", text)
    assert (done.status_code, done.headers["Location"]) == (303, f"{path_of(approved)}?done=saved")
    page = client.get(done.headers["Location"]).text
    assert "Your change is saved." in page
    assert "It is waiting for a moderator." in page  # this site holds everything
    (item,) = queue(client, people)
    assert item["body"] == text


def test_edit_by_receipt_goes_on_while_it_waits_and_ends_with_the_window_else(client, submit, decide, clock):
    made = submit()
    clock.move(hours=5)
    assert send(client, made, "save", "A better remark on it.").status_code == 303
    decide(made["id"])
    assert 'name="text"' not in shown(client, made)
    late = send(client, made, "save", "Too late for this.")
    assert late.status_code == 403
    assert "It can no longer be changed." in late.text
    assert "Too late for this." in late.text  # given back
    assert "A better remark" in client.get(f"/api/v1/sites/news/comments?thread={KEY}").text


def test_edit_by_receipt_of_what_was_decided_against_is_refused(client, submit, decide):
    made = submit()
    decide(made["id"], "reject")
    assert 'name="text"' not in shown(client, made)
    assert send(client, made, "save", "Better now.").status_code == 403


def test_edit_by_receipt_respects_a_site_without_a_window(client, people, submit, clock):
    settings = {"settings": {"edit_window_s": 0}}
    client.patch("/api/v1/sites/news", json=settings, headers=people.bearer("admin"))
    made = submit()
    assert 'name="text"' not in shown(client, made)
    assert send(client, made, "save", "Better now.").status_code == 403
    assert send(client, made, "withdraw_yes").status_code == 303


@ON_SQLITE
@pytest.mark.parametrize("text", ["", "   ", "x" * 20_001, "a\x00b", "\u200b"])
@pytest.mark.parametrize("action", ["save", "preview"])
def test_edit_by_receipt_of_a_wrong_text_says_so_at_the_field(client, submit, text, action):
    made = submit()
    answer = send(client, made, action, text)
    assert answer.status_code == 422
    assert_secret(answer)
    assert 'aria-invalid="true"' in answer.text
    assert 'id="error1"' in answer.text


def test_edit_by_receipt_is_held_to_the_rate(client, people, submit):
    made = submit()
    limits = {"settings": {"submit_rate": "1/hour", "preview_rate": "1/hour"}}
    client.patch("/api/v1/sites/news", json=limits, headers=people.bearer("admin"))
    for action in ("save", "preview"):
        assert send(client, made, action, "Something else on it.").status_code in {200, 303}
        again = send(client, made, action, "And something else again.")
        assert again.status_code == 429
        assert int(again.headers["Retry-After"]) > 0
        assert "And something else again." in again.text


def test_edit_answers_with_the_receipt_too(client, submit):
    made = submit()
    path = f"/api/v1/sites/news/comments/{made['id']}"
    answer = client.patch(path, json={"body": "A better one."}, headers={"X-Edit-Token": made["edit_token"]})
    assert answer.get_json()["receipt_url"] == made["receipt_url"]


def forged(made: dict[str, Any], people: Any, kind: str) -> str:
    token = token_of(made)
    data, _, signature = token.partition(".")
    plain = base64.urlsafe_b64decode(data + "==").decode()
    swapped = base64.urlsafe_b64encode((people.other_id.hex + plain[32:]).encode()).decode().rstrip("=")
    return {
        "cut": token[:-1],
        "changed": f"{data}.{signature[:-2]}xx",
        "other site": f"{swapped}.{signature}",
        "no signature": data,
        "edit token": made["edit_token"],
        "author token": made["author_token"],
        "id": made["id"],
        "long": "a" * 400,
        "letters": "\u00e9.\u0663",
    }[kind]


@ON_SQLITE
@pytest.mark.parametrize(
    "kind",
    ["cut", "changed", "other site", "no signature", "edit token", "author token", "id", "long", "letters"],
)
def test_receipt_that_is_not_ours_leads_nowhere(client, people, submit, kind):
    made = submit()
    token = forged(made, people, kind)
    answers = [client.get(f"/receipts/{token}")]
    answers += [client.post("/receipts", data={"token": token, "action": one}) for one in ("withdraw_yes", "save")]
    for answer in answers:
        assert answer.status_code == 404
        assert_secret(answer)
        assert answer.text == client.get("/receipts/x").text
    assert len(queue(client, people)) == 1


def test_receipt_of_another_sites_comment_is_not_found(client, parts, people, submit):
    made = submit()
    other = client.post("/api/v1/sites/other/comments", json=submission_json()).get_json()
    crossed = parts.vault.sign("receipt", people.site_id.hex + other["id"].replace("-", ""))
    gone = parts.vault.sign("receipt", people.site_id.hex + "0" * 32)
    answers = [client.get(f"/receipts/{token}") for token in (crossed, gone)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    # A receipt is no edit token.
    path = f"/api/v1/sites/news/comments/{made['id']}"
    assert client.delete(path, headers={"X-Edit-Token": token_of(made)}).status_code == 401


def test_receipt_of_erased_data_shows_nothing(client, parts, approved):
    """However the row was emptied: what is marked as deleted is not shown, whatever it still holds."""
    with write() as session:
        session.execute(sa.update(Comment).values(state="deleted"))
    assert not re.search("useful remark|Ana|<form", shown(client, approved))


@ON_SQLITE
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8080"}, 403),
        ({"Origin": "https://news.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:8080"}, 303),
        ({"Origin": "null"}, 303),
        ({}, 303),
    ],
)
def test_withdraw_by_receipt_is_taken_from_our_own_page_alone(client, submit, headers, status):
    made = submit()
    assert send(client, made, "withdraw_yes", **headers).status_code == status


@ON_SQLITE
def test_use_a_receipt_wrongly_is_refused(client, submit):
    made = submit()
    path = path_of(made)
    assert client.post(path, data={"action": "withdraw_yes"}).status_code == 405  # no token in an address
    assert client.get("/receipts").status_code == 405
    assert send(client, made, "burn").status_code == 422
    assert client.post("/receipts", json={"token": token_of(made), "action": "withdraw_yes"}).status_code == 415
    assert "It is waiting" in shown(client, made)


@ON_SQLITE
def test_receipt_is_in_no_log_line_and_no_public_answer(client, submit, decide, capsys):
    made = submit()
    decide(made["id"])
    client.get(path_of(made))
    send(client, made, "preview", "Something else.")
    client.get(f"/receipts/{token_of(made)[:-1]}")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    routes = [line["route"] for line in lines if line["event"] == "request"]
    assert routes.count("/receipts/<string(maxlength=400):token>") == 2
    assert token_of(made)[:40] not in json.dumps(lines)
    listed = client.get(f"/api/v1/sites/news/comments?thread={KEY}").text
    feed = client.get("/sites/news/feed.atom").text
    assert "receipt" not in listed + feed


def test_receipt_survives_an_edit_by_the_other_token(client, submit):
    made = submit()
    path = f"/api/v1/sites/news/comments/{made['id']}"
    client.patch(path, json={"body": "A better one."}, headers={"X-Edit-Token": made["edit_token"]})
    assert "A better one." in shown(client, made)
