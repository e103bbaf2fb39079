"""A reader's calls from end to end: sent, waiting, approved, listed, edited, taken back."""

import json
import threading
import uuid

import pytest

URL = "/api/v1/sites/news/comments"
KEY = "2025/07/arms-pause"
LIST = f"{URL}?thread={KEY}"


def test_submit_answers_as_the_contract_says(client, people, submission):
    answer = client.post(URL, json=submission)
    made = answer.get_json()
    assert answer.status_code == 202
    promised = {"id", "state", "created_at", "body_html", "edit_token", "editable_until", "author_token"}
    assert set(made) == promised | {"receipt_url"}
    assert uuid.UUID(made["id"]).version == 7
    assert made["state"] == "pending"
    assert made["created_at"].endswith("Z")
    assert made["body_html"] == "<p>A calm and useful remark.</p>"
    assert "ana@example.org" not in answer.text


def test_list_shows_what_is_approved_and_nothing_else(client, approved, submit):
    submit("Another one that waits.")
    page = client.get(LIST).get_json()
    assert page["total"] == 1
    assert page["next"] is None
    assert page["thread"] == {"key": KEY, "title": "Arms pause", "open": True}
    (comment,) = page["comments"]
    assert comment["id"] == approved["id"]
    assert comment["replies"] == []
    assert set(comment["author"]) == {"name", "url", "avatar"}
    assert "ana@example.org" not in json.dumps(page)


def test_list_keeps_its_etag_until_something_changes(client, approved, submit, decide):
    first = client.get(LIST)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    assert "max-age" in first.headers["Cache-Control"]
    again = client.get(LIST, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    waiting = submit("A second one, of another kind.")
    assert client.get(LIST, headers={"If-None-Match": tag}).status_code == 304
    decide(waiting["id"])
    assert client.get(LIST, headers={"If-None-Match": tag}).status_code == 200


def test_list_for_an_absurdly_long_etag_sends_the_page(client, approved):
    assert client.get(LIST, headers={"If-None-Match": '"x",' * 1_000}).status_code == 200


def test_count_answers_for_every_key_asked(client, approved):
    counts = client.get(f"{URL}/counts?thread={KEY}&thread=none").get_json()
    assert counts == {"counts": {KEY: 1, "none": 0}}


def test_submit_again_with_the_same_key_gives_the_first_answer_and_one_comment(client, people, submission):
    headers = {"Idempotency-Key": "4f1d"}
    first = client.post(URL, json=submission, headers=headers)
    again = client.post(URL, data=json.dumps(submission, indent=2), content_type="application/json", headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.get_json() == again.get_json()
    queue = client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()
    assert len(queue["items"]) == 1


def test_submit_something_else_with_the_same_key_is_refused(client, people, submission, assert_problem):
    headers = {"Idempotency-Key": "4f1d"}
    client.post(URL, json=submission, headers=headers)
    answer = client.post(URL, json={**submission, "body": "Another"}, headers=headers)
    assert "Idempotency-Key" in assert_problem(answer, 422)["errors"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\u00e9"])
def test_submit_with_a_strange_key_is_refused(caller, everybody, submission, assert_problem, key):
    answer = caller.post(URL, json=submission, headers={"Idempotency-Key": key})
    assert "Idempotency-Key" in assert_problem(answer, 422)["errors"]


def test_the_same_key_on_another_site_is_another_key(client, people, submission):
    headers = {"Idempotency-Key": "4f1d"}
    one = client.post(URL, json=submission, headers=headers).get_json()
    other = client.post(URL.replace("news", "other"), json=submission, headers=headers)
    assert other.status_code == 202
    assert other.get_json()["id"] != one["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tokens", {"site": "news", "role": "viewer", "name": "t"}),
        ("/webhooks", {"site": "news", "url": "http://127.0.0.1:9/"}),
        ("/rules", {"site": "news", "kind": "word", "value": "word"}),
        ("/sites", {"key": "third"}),
    ],
)
def test_create_again_with_the_same_key_gives_the_first_answer(client, people, path, body):
    headers = {**people.bearer("root"), "Idempotency-Key": "k-1"}
    first, again = (client.post(f"/api/v1{path}", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()


def test_report_again_with_the_same_key_and_another_reason_is_refused(client, approved, assert_problem):
    path, headers = f"{URL}/{approved['id']}/reports", {"Idempotency-Key": "k-2"}
    assert client.post(path, json={"reason": "spam"}, headers=headers).get_json() == {"status": "received"}
    assert client.post(path, json={"reason": "spam"}, headers=headers).status_code == 202
    assert_problem(client.post(path, json={"reason": "abuse"}, headers=headers), 422)


def test_submit_the_same_key_at_once_makes_one_comment(client, people, app, submission):
    answers = []

    def post() -> None:
        answers.append(app.test_client().post(URL, json=submission, headers={"Idempotency-Key": "race"}))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize("way", ["header", "bearer", "field"])
def test_edit_with_the_token_sent_in_each_way_changes_the_text(client, submit, way):
    made = submit()
    headers = {
        "header": {"X-Edit-Token": made["edit_token"]},
        "bearer": {"Authorization": f"Bearer {made['edit_token']}"},
        "field": {},
    }[way]
    body = {"body": "Changed."} | ({"edit_token": made["edit_token"]} if way == "field" else {})
    answer = client.patch(f"{URL}/{made['id']}", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.get_json()["body_html"] == "<p>Changed.</p>"


def test_edit_without_or_with_anothers_token_is_unauthenticated(client, submit, assert_problem):
    one, other = submit(), submit("Quite another remark.")
    path = f"{URL}/{one['id']}"
    assert_problem(client.patch(path, json={"body": "Changed."}), 401)
    assert_problem(client.patch(path, json={"body": "Changed."}, headers={"X-Edit-Token": other["edit_token"]}), 401)
    assert_problem(client.delete(path, headers={"X-Edit-Token": "x" * 600}), 401)


def test_edit_after_the_window_is_forbidden(client, submit, clock, assert_problem):
    made = submit()
    clock.move(minutes=16)
    answer = client.patch(f"{URL}/{made['id']}", json={"body": "Late."}, headers={"X-Edit-Token": made["edit_token"]})
    assert_problem(answer, 403)


def test_delete_ones_own_comment_leaves_nothing_public(client, approved):
    answer = client.delete(f"{URL}/{approved['id']}", headers={"X-Edit-Token": approved["edit_token"]})
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(LIST).get_json()["comments"] == []


def test_reply_hangs_below_its_parent(client, approved, submit, decide):
    reply = submit("I agree with that, with a reservation.", parent_id=approved["id"])
    decide(reply["id"])
    (root,) = client.get(LIST).get_json()["comments"]
    assert [one["id"] for one in root["replies"]] == [reply["id"]]


def test_preview_stores_nothing(client, people):
    answer = client.post("/api/v1/sites/news/preview", json={"body": "*So* <script>alert(1)</script>"})
    assert answer.status_code == 200
    assert "<em>So</em>" in answer.get_json()["body_html"]
    assert "<script" not in answer.text
    assert client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"] == []


def test_vote_where_the_site_has_none_is_forbidden(client, approved, assert_problem):
    assert_problem(client.put(f"{URL}/{approved['id']}/vote", json={"value": 1}), 403)


def test_vote_and_take_it_back_counts_once(client, people, approved):
    client.patch("/api/v1/sites/news", json={"settings": {"votes": True}}, headers=people.bearer("admin"))
    path = f"{URL}/{approved['id']}/vote"
    assert client.put(path, json={"value": 1}).get_json() == {"votes": 1}
    assert client.put(path, json={"value": 1}).get_json() == {"votes": 1}
    assert client.put(path, json={"value": -1}).get_json() == {"votes": -1}
    assert client.delete(path).get_json() == {"votes": 0}


@pytest.mark.parametrize("value", [0, 2, "1", True, 1.5, None])
def test_vote_with_another_value_is_refused(caller, everybody, assert_problem, value):
    path = f"{URL}/01890000-0000-7000-8000-000000000000/vote"
    assert "value" in assert_problem(caller.put(path, json={"value": value}), 422)["errors"]


def test_a_decision_and_its_undo_through_the_queue(client, people, submit, decide):
    made = submit()
    item = client.get("/api/v1/queue?site=news", headers=people.bearer("moderator")).get_json()["items"][0]
    assert item["id"] == made["id"]
    assert item["author"]["email_domain"] == "example.org"
    decision = decide(made["id"], expected_state="pending", expected_version=item["version"]).get_json()
    assert decision["state"] == "approved"
    undone = client.post(f"/api/v1/decisions/{decision['decision_id']}/undo", headers=people.bearer("moderator"))
    assert undone.get_json()["state"] == "pending"
    described = client.get("/openapi.json").get_json()["components"]["schemas"]["DecisionMade"]["properties"]["action"]
    assert undone.get_json()["action"] in described["enum"]
    assert client.get(LIST).get_json()["total"] == 0


def test_decide_many_on_a_text_edited_since_leaves_it_alone(client, people, submit):
    first, second = submit("First words."), submit("Second words.")
    edit = {"body": "Other words.", "edit_token": first["edit_token"]}
    assert client.patch(f"/api/v1/sites/news/comments/{first['id']}", json=edit).status_code == 200
    versions = {first["id"]: 1, second["id"]: 1}
    body = {"ids": list(versions), "action": "approve", "expected_versions": versions}
    answer = client.post("/api/v1/decisions", json=body, headers=people.bearer("moderator"))
    assert {result["id"]: result["ok"] for result in answer.get_json()["results"]} == {
        first["id"]: False,
        second["id"]: True,
    }
    wrong = client.post(
        "/api/v1/decisions", json={**body, "expected_versions": {"x": 1}}, headers=people.bearer("moderator")
    )
    assert wrong.status_code == 422


def test_decide_on_many_says_for_each_what_became_of_it(client, people, submit):
    ids = [submit(f"Remark number {n} about something else: {uuid.uuid4()}")["id"] for n in range(3)]
    ids.append("01890000-0000-7000-8000-000000000000")
    body = {"action": "approve", "ids": ids}
    results = client.post("/api/v1/decisions", json=body, headers=people.bearer("moderator")).get_json()["results"]
    assert [(one["id"], one["ok"]) for one in results] == [(id_, n < 3) for n, id_ in enumerate(ids)]
    assert results[3]["status"] == 404


def test_reveal_an_address_gives_it_to_an_admin_and_leaves_a_line(client, people, approved):
    path = f"/api/v1/comments/{approved['id']}/reveal-email"
    answer = client.post(path, json={"reason": "A court asks."}, headers=people.bearer("admin"))
    assert answer.get_json() == {"email": "ana@example.org"}
    audit = client.get("/api/v1/audit?site=news&limit=1", headers=people.bearer("admin"))
    assert "A court asks." in audit.text
    assert "ana@example.org" not in audit.text


def test_show_a_comment_whole_never_holds_the_address(client, people, approved):
    answer = client.get(f"/api/v1/comments/{approved['id']}", headers=people.bearer("admin"))
    whole = answer.get_json()
    assert {"signals", "scores", "history", "reports", "revisions", "parent", "body", "risk"} <= set(whole)
    assert whole["history"][0]["action"] == "approve"
    assert "ana@example.org" not in answer.text


def test_a_revoked_token_opens_nothing(client, people, assert_problem):
    made = client.post("/api/v1/tokens", json={"site": "news", "role": "viewer"}, headers=people.bearer("admin"))
    token = made.get_json()
    own = {"Authorization": f"Bearer {token['token']}"}
    assert client.get("/api/v1/queue", headers=own).status_code == 200
    assert client.delete(f"/api/v1/tokens/{token['id']}", headers=people.bearer("admin")).status_code == 204
    assert_problem(client.get("/api/v1/queue", headers=own), 401)
    assert token["token"] not in client.get("/api/v1/tokens", headers=people.bearer("admin")).text


def test_counts_keep_their_etag_until_something_changes(client, approved, submit, decide):
    path = f"{URL}/counts?thread={KEY}"
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    decide(submit("One more remark on something else.")["id"])
    assert client.get(path, headers={"If-None-Match": tag}).get_json() == {"counts": {KEY: 2}}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"nonsense": 1}, "settings.nonsense"),
        ({"votes": "on"}, "settings.votes"),
        ({"max_depth": 11}, "settings.max_depth"),
        ({"spam_from": 1.1}, "settings.spam_from"),
        ({"submit_rate": "often"}, "settings.submit_rate"),
        ({"policy": "trust"}, "settings.policy"),
        ({"approve_below": 0.9, "spam_from": 0.5}, "settings.approve_below"),
    ],
)
def test_change_a_site_to_what_does_not_fit_names_the_setting(caller, everybody, assert_problem, settings, field):
    answer = caller.patch("/api/v1/sites/news", json={"settings": settings}, headers=everybody.bearer("admin"))
    assert field in assert_problem(answer, 422)["errors"]
