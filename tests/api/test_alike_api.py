"""Alike comments, places in UTF-16 and the scorer's version, as the API shows them."""

import pytest

SPAM = "Come and see my new cooking channel, with a prize for every subscriber"
STATES = {"pending", "approved", "rejected", "spam", "trashed", "escalated"}


@pytest.fixture
def campaign(submit):
    return [submit(f"{SPAM} {name}!", thread={"key": name})["id"] for name in ("Ana", "Bert", "Cleo")]


def test_show_comment_counts_those_alike_by_state(client, people, campaign, decide):
    decide(campaign[1], "spam")
    item = client.get(f"/api/v1/comments/{campaign[0]}", headers=people.bearer("viewer")).get_json()
    assert item["alike"]["count"] == 2
    assert set(item["alike"]["by_state"]) == STATES
    assert item["alike"]["by_state"]["spam"] == item["alike"]["by_state"]["pending"] == 1
    queue = client.get("/api/v1/queue?site=news", headers=people.bearer("viewer")).get_json()["items"]
    assert {one["alike"]["group"] for one in queue} == {item["alike"]["group"]}
    assert item["scored_by"].startswith("signals-")


def test_list_alike_and_filter_the_queue_by_them(client, people, campaign, submit, assert_problem):
    submit("The council voted on Tuesday to keep the night ferry.")
    as_viewer = people.bearer("viewer")
    url = f"/api/v1/comments/{campaign[0]}/alike"
    page = client.get(f"{url}?limit=1", headers=as_viewer).get_json()
    rest = client.get(url, query_string={"limit": 1, "cursor": page["next"]}, headers=as_viewer).get_json()
    assert [one["id"] for one in page["items"] + rest["items"]] == [campaign[2], campaign[1]]
    assert rest["next"] is None
    assert 0.4 < page["items"][0]["similarity"] <= 1
    found = client.get(f"/api/v1/queue?alike={campaign[0]}", headers=as_viewer).get_json()["items"]
    assert {one["id"] for one in found} == set(campaign)
    assert "state" in assert_problem(client.get(f"{url}?state=nonsense", headers=as_viewer), 422)["errors"]
    assert "alike" in assert_problem(client.get("/api/v1/queue?alike=x", headers=as_viewer), 422)["errors"]
    for path in (url, f"/api/v1/queue?alike={campaign[0]}"):
        assert_problem(client.get(path, headers=people.bearer("stranger")), 404)


def test_decide_alike_says_what_became_of_each(client, people, campaign, assert_problem):
    url = f"/api/v1/comments/{campaign[0]}/alike/decisions"
    as_moderator = people.bearer("moderator")
    early = client.post(url, json={"action": "spam", "until": "2020-01-01T00:00:00Z"}, headers=as_moderator).get_json()
    assert early == {"results": [], "left": 3}
    body = {"action": "spam", "reason": "advertising", "expected_versions": {campaign[1]: 7}}
    done = client.post(url, json=body, headers=as_moderator).get_json()
    assert [(one["id"], one["ok"], one.get("status")) for one in done["results"]] == [
        (campaign[0], True, None),
        (campaign[1], False, 409),
        (campaign[2], True, None),
    ]
    assert done["left"] == 1
    for wrong in ({}, {"action": "x"}, {"action": "spam", "until": "soon"}, {"action": "spam", "ids": campaign}):
        assert_problem(client.post(url, json=wrong, headers=as_moderator), 422)
    assert_problem(client.post(url, json={"action": "spam"}, headers=people.bearer("viewer")), 403)
    assert_problem(client.post(url, json={"action": "spam"}, headers=people.bearer("stranger")), 404)


def test_places_behind_emoji_are_in_code_points_and_in_utf16(client, people, submit):
    text = "\U0001f600\U0001f525 what a shit day \U0001f600"
    item = client.get(f"/api/v1/comments/{submit(text)['id']}", headers=people.bearer("viewer")).get_json()
    (signal,) = [one for one in item["signals"] if one["name"] == "profanity"]
    (evidence,) = signal["evidence"]
    ((start, end),) = evidence["spans"]
    ((wide_start, wide_end),) = evidence["spans_utf16"]
    assert item["body"][start:end] == "shit"
    assert item["body"].encode("utf-16-le")[2 * wide_start : 2 * wide_end].decode("utf-16-le") == "shit"
    assert (wide_start, wide_end) == (start + 2, end + 2)


def test_places_in_the_test_of_rules_are_in_both_too(client, people):
    headers = people.bearer("admin")
    client.post("/api/v1/rules", json={"site": "news", "kind": "word", "value": "casino"}, headers=headers)
    body = {"site": "news", "text": "\U0001f600 casino"}
    (signal,) = client.post("/api/v1/rules/test", json=body, headers=headers).get_json()["signals"]
    assert signal["evidence"][0]["spans"] == [[2, 8]]
    assert signal["evidence"][0]["spans_utf16"] == [[3, 9]]
