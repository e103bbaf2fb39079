"""The queue's page and what its script asks for: filters, marks, several at once, claims, views; what is refused."""

import html
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.services import desk, moderate
from moderation.web.evidence import is_plain, marks_of, reasons_of
from tests.pages.test_console_pages import add_person, log_in, token_in

FACTS = {"Accept": "application/json"}


@pytest.fixture
def mira(app: Flask, people: Any) -> FlaskClient:
    """A browser in which mira, a moderator of the site, is logged in."""
    add_person(app, "mira", "moderator", "news")
    return log_in(app, "mira")[0]


@pytest.fixture
def state_of(client: FlaskClient, people: Any) -> Callable[[str], str]:
    """The state of a comment."""

    def state(comment_id: str) -> str:
        answer = client.get(f"/api/v1/comments/{comment_id}", headers=people.bearer("root"))
        return str(answer.get_json()["state"])

    return state


def send(client: FlaskClient, path: str, headers: dict[str, str] | None = None, **form: Any) -> Any:
    """A form of the queue's page, by the browser or by the page's script."""
    token = token_in(client.get("/console/").text)
    return client.post(f"/console{path}", data={"csrf_token": token, **form}, headers=headers)


def authors(page: str) -> list[str]:
    return re.findall(r'<h2 id="by-[^"]*">\s*<bdi dir="auto">([^<]*)</bdi>', page)


# --- what it shows -----------------------------------------------------------------------------------------------


def test_filter_by_each_part_of_the_contract_shows_what_fits(
    app: Flask, people: Any, submit: Callable[..., Any], clock: Any
) -> None:
    old = submit("A calm remark.", author={"name": "Olga"})
    clock.move(days=2)
    submit("You m0r0n.", author={"name": "Rob"}, thread={"key": "b"})
    add_person(app, "mira", "moderator", "news")
    mira, _ = log_in(app, "mira")
    days = {at: (clock().date()).isoformat() for at in ("after", "before")}
    for query, expected in (
        ("", ["Olga", "Rob"]),
        ("sort=newest", ["Rob", "Olga"]),
        ("sort=risk", ["Rob", "Olga"]),
        ("q=CALM", ["Olga"]),
        ("author=rob", ["Rob"]),
        ("thread=b", ["Rob"]),
        ("signal=profanity", ["Rob"]),
        ("min_risk=0.05", ["Rob"]),
        (f"after={days['after']}", ["Rob"]),
        (f"before={days['before']}", ["Olga"]),
        ("claimed=me", []),
        ("claimed=none", ["Olga", "Rob"]),
        ("reported=yes", []),
        ("site=news&reported=no", ["Olga", "Rob"]),
        ("state=approved", []),
        ("state=nonsense&min_risk=x&after=y&claimed=z&reported=q&sort=w", ["Olga", "Rob"]),
        (f"min_risk=2&before={'9' * 300}", ["Olga", "Rob"]),
    ):
        assert authors(mira.get(f"/console/?{query}").text) == expected, query
    assert mira.get("/console/?site=other").status_code == 404
    assert mira.get("/console/?q=%00").status_code == 400
    assert mira.get("/console/?cursor=nonsense").status_code == 422
    assert f"/console/comments/{old['id']}?list=" in mira.get("/console/").text


def test_mark_the_reasons_by_number_in_the_text_and_in_words(mira: FlaskClient, submit: Callable[..., Any]) -> None:
    plain = submit("You m0r0n & friends.")["id"]
    formatted = submit("You **m0r0n**.")["id"]
    page = mira.get("/console/").text
    cards = dict(zip((plain, formatted), page.split('<article class="card"')[1:], strict=True))
    assert re.search(r'<div class="source words" dir="auto">.*<mark title="1: [^"]+">', cards[plain])
    assert "As typed, with the reasons marked" not in cards[plain]
    assert "<strong>m0r0n</strong>" in cards[formatted]
    assert "As typed, with the reasons marked" in cards[formatted]
    for card in cards.values():
        numbers = re.findall(r'<b class="number">(\d)</b>', card)
        assert numbers == [str(number + 1) for number in range(len(numbers))]
        assert set(re.findall(r'<sup class="number">(\d)</sup>', card)) == set(numbers)


def test_cut_a_text_into_marks_keeps_it_whole_whatever_the_spans() -> None:
    signals = [
        {"name": "a", "weight": 0.5, "available": True, "evidence": [{"text": "A", "spans": [[0, 4], [8, 99]]}]},
        {"name": "b", "weight": 0.9, "available": True, "evidence": [{"text": "B", "spans": [[2, 6], [6, 6], [9, 3]]}]},
        {"name": "c", "weight": -0.1, "available": True, "evidence": [{"text": "C", "spans": [[0, 9]]}]},
        {"name": "d", "weight": 0.0, "available": False, "evidence": []},
    ]
    reasons = reasons_of({"signals": signals})
    assert [(one.text[:1], one.number, one.weight) for one in reasons] == [
        ("B", 1, "+0.90"), ("A", 2, "+0.50"), ("“", 0, "–"), ("C", 0, "-0.10")
    ]  # fmt: skip
    marks = marks_of("0123456789", reasons)
    assert [(one.text, one.numbers, one.ends) for one in marks] == [
        ("01", (2,), ()), ("23", (1, 2), (2,)), ("45", (1,), (1,)), ("67", (), ()), ("89", (2,), (2,))
    ]  # fmt: skip
    many = {**signals[0], "evidence": [{"text": "A", "spans": [[n, n + 1] for n in range(0, 20_000, 2)]}]}
    assert len(marks_of("x" * 20_000, reasons_of({"signals": [many]}))) <= 201
    assert marks_of("", []) == []


@pytest.mark.parametrize(
    ("body", "body_html", "is_so"),
    [
        ("One.\n\nTwo & <b>.", "<p>One.</p>\n<p>Two &amp; &lt;b&gt;.</p>", True),
        (
            "See https://a.example/.",
            '<p>See <a href="https://a.example/" rel="nofollow">https://a.example/</a>.</p>',
            True,
        ),
        ("See [this](https://a.example/).", '<p>See <a href="https://a.example/">this</a>.</p>', False),
        ("**One**", "<p><strong>One</strong></p>", False),
        ("> One", "<blockquote><p>One</p></blockquote>", False),
    ],
)
def test_tell_plain_comments_from_formatted_ones(body: str, body_html: str, is_so: bool) -> None:
    assert is_plain(body, body_html) is is_so


def test_edit_after_approval_shows_what_changed(
    mira: FlaskClient, client: FlaskClient, submit: Callable[..., Any], people: Any, decide: Callable[..., Any]
) -> None:
    made = submit("The ferry is <good>.")
    decide(made["id"], "approve")
    url = f"/api/v1/sites/{people.site_key}/comments/{made['id']}"
    client.patch(url, json={"body": "The ferry is <bad>."}, headers={"X-Edit-Token": made["edit_token"]})
    for page in (mira.get("/console/").text, mira.get(f"/console/comments/{made['id']}").text):
        assert '<del><span class="hidden">removed: </span>good</del>' in page
        assert '<ins><span class="hidden">added: </span>bad</ins>' in page
        assert "<good>" not in page


def test_look_at_the_item_shows_the_thread_around_it_and_leads_back(
    mira: FlaskClient, submit: Callable[..., Any], clock: Any
) -> None:
    ids = []
    for body in ("Before it.", "The one.", "After it."):
        ids.append(submit(body)["id"])
        clock.move(seconds=1)
    page = mira.get(f"/console/comments/{ids[1]}?list=/console/%3Fsort%3Drisk").text
    around = page.partition("Around it in the thread")[2].partition("</section>")[0]
    assert re.findall(r'<p class="excerpt" dir="auto">([^<]*)</p>', around) == ["Before it.", "After it."]
    assert 'href="/console/?sort=risk" data-key="q"' in page
    assert 'href="/console/" data-key="q"' in mira.get(f"/console/comments/{ids[1]}?list=//evil.example/").text


# --- what its script asks for --------------------------------------------------------------------------------------


def test_decide_by_script_answers_with_facts_and_says_why_not(
    mira: FlaskClient, submit: Callable[..., Any], state_of: Callable[[str], str]
) -> None:
    comment_id = submit()["id"]
    path, form = f"/comments/{comment_id}/decisions", {"expected_state": "pending", "expected_version": "1"}
    done = send(mira, path, FACTS, action="reject", reason="threat", **form)
    assert done.status_code == 200
    assert state_of(comment_id) == "rejected"
    late = send(mira, path, FACTS, action="approve", **form)
    assert (late.status_code, late.get_json()["detail"]) == (409, "The comment is rejected by now, not pending.")
    undone = send(mira, done.get_json()["undo"].removeprefix("/console"), FACTS)
    assert undone.get_json() == {"state": "pending"}
    assert send(mira, path, FACTS, action="approve", expected_state="pending", expected_version="7").status_code == 409
    assert send(mira, path, FACTS, action="paint").status_code == 422
    forged = mira.post(f"/console{path}", data={"action": "approve", **form}, headers=FACTS)
    assert forged.status_code == 403
    assert forged.is_json
    assert state_of(comment_id) == "pending"


def test_ask_by_script_without_session_is_told_so(app: Flask, people: Any) -> None:
    nobody = app.test_client()
    for path in ("/console/cards", "/console/live", "/console/"):
        answer = nobody.get(path, headers=FACTS)
        assert (answer.status_code, answer.is_json) == (401, True)
    for path in ("/console/claims", "/console/decisions", f"/console/comments/{uuid.uuid4()}/decisions"):
        assert nobody.post(path, headers=FACTS).status_code == 401
        assert nobody.post(path).status_code == 303


def test_ask_for_cards_by_id_gives_those_of_ones_sites(
    app: Flask, mira: FlaskClient, submit: Callable[..., Any], people: Any
) -> None:
    own = submit("Ours.")["id"]
    add_person(app, "olga", "admin", "other")
    olga = log_in(app, "olga")[0]
    query = f"/console/cards?id={own}&id={uuid.uuid4()}"
    facts = mira.get(query, headers=FACTS).get_json()
    assert (facts["html"].count("<article"), facts["next"]) == (1, None)
    assert "/console/cards" not in facts["html"]
    assert olga.get(query, headers=FACTS).get_json()["html"].count("<article") == 0
    assert mira.get("/console/cards?id=nonsense", headers=FACTS).status_code == 422
    many = "&".join(f"id={uuid.uuid4()}" for _ in range(41))
    assert mira.get(f"/console/cards?{many}", headers=FACTS).status_code == 422


def test_ask_for_the_next_page_gives_its_cards_and_where_to_go_on(
    mira: FlaskClient, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.web.console_queue.PAGE_SIZE", 2)
    for number in range(5):
        submit(f"Remark {number}.")
    first = re.search(r'href="([^"]+)" rel="next"', mira.get("/console/?did=spam").text)
    assert first is not None
    query = html.unescape(first[1]).partition("?")[2]
    facts = mira.get(f"/console/cards?{query}", headers=FACTS).get_json()
    assert re.findall(r"Remark \d", facts["html"]) == ["Remark 2", "Remark 3"]
    assert facts["next"].startswith("/console/?cursor=")
    last = mira.get(f"/console/cards?{facts['next'].partition('?')[2]}", headers=FACTS).get_json()
    assert last["next"] is None


def test_ask_how_it_stands_is_304_until_something_changes(
    app: Flask, mira: FlaskClient, submit: Callable[..., Any], people: Any, decide: Callable[..., Any], clock: Any
) -> None:
    own = submit("Ours.", author={"name": "<b>"})["id"]
    clock.move(minutes=1)
    query = {"known": own.replace("-", ""), "since": clock().isoformat()}
    first = mira.get("/console/live", query_string=query, headers=FACTS)
    assert first.get_json()["comments"][own]["state"] == "pending"
    assert first.headers["Cache-Control"] == "no-store"
    known = {**FACTS, "If-None-Match": first.headers["ETag"]}
    same = mira.get("/console/live", query_string=query, headers=known)
    assert (same.status_code, same.data) == (304, b"")
    assert mira.get("/console/live", query_string={**query, "q": "x"}, headers=known).status_code == 200
    decide(own, "spam")
    changed = mira.get("/console/live", query_string=query, headers=known).get_json()
    assert changed["comments"][own] == {
        "state": "spam", "version": 1, "held_by": None, "by": "moderator", "what": "marked this as spam"
    }  # fmt: skip
    add_person(app, "olga", "admin", "other")
    olga = log_in(app, "olga")[0]
    assert olga.get("/console/live", query_string=query, headers=FACTS).get_json()["comments"] == {}
    assert mira.get("/console/live?known=x&since=2025-01-01T00:00:00Z", headers=FACTS).status_code == 422
    assert mira.get("/console/live", headers=FACTS).status_code == 422


def test_hold_marks_the_comment_for_others_and_looking_alone_claims_nothing(
    app: Flask, mira: FlaskClient, submit: Callable[..., Any], people: Any
) -> None:
    own = submit("Ours.")["id"]
    add_person(app, "ada", "moderator", "news")
    add_person(app, "vera", "viewer", "news")
    ada, vera = log_in(app, "ada")[0], log_in(app, "vera")[0]
    assert "is looking at this" not in ada.get("/console/").text
    assert send(mira, "/claims", FACTS, take=own).get_json() == {"taken": [own], "others": {}}
    assert "data-held" not in mira.get("/console/").text
    page = ada.get("/console/").text
    assert '<bdi dir="auto">mira</bdi> is looking at this.' in page
    assert send(ada, "/claims", FACTS, take=own).get_json() == {"taken": [], "others": {own: "mira"}}
    assert send(vera, "/claims", FACTS, take=own).get_json() == {"taken": [], "others": {}}
    assert send(mira, "/claims", take="", leave=own).status_code == 200
    assert "is looking at this" not in ada.get("/console/").text
    assert send(mira, "/claims", FACTS, take="nonsense").status_code == 422
    assert mira.post("/console/claims", data={"take": own}).status_code == 403


# --- several at once -----------------------------------------------------------------------------------------------


def test_decide_on_several_leaves_what_was_edited_or_is_foreign_and_undoes_the_rest(
    app: Flask, mira: FlaskClient, client: FlaskClient, submit: Callable[..., Any], people: Any,
    state_of: Callable[[str], str],
) -> None:  # fmt: skip
    made = [submit(f"Remark {number}.") for number in range(3)]
    ids = [one["id"] for one in made]
    url = f"/api/v1/sites/{people.site_key}/comments/{ids[2]}"
    client.patch(url, json={"body": "Another text."}, headers={"X-Edit-Token": made[2]["edit_token"]})
    with app.app_context():
        parts = app.extensions["moderation"]
        foreign = client.post("/api/v1/sites/other/comments", json={
            "thread": {"key": "k"}, "author": {"name": "Eve"}, "body": "Theirs."
        }).get_json()["id"]  # fmt: skip
    chosen = [f"{one}:1" for one in (*ids, foreign)]
    answer = send(mira, "/decisions", action="approve", id=chosen, expected_state="pending")
    told = mira.get(answer.location).text
    assert "2 comments: approved. 2 not: they moved on, or were edited, since you saw them." in told
    assert [state_of(one) for one in (*ids, foreign)] == ["approved", "approved", "pending", "pending"]
    decided_at = re.search(r'name="decided_at" value="([^"]+)"', told)
    assert decided_at is not None
    facts = send(mira, "/decisions/undo", FACTS, decided_at=html.unescape(decided_at[1])).get_json()
    assert facts["failed"] == {}
    assert [state_of(one) for one in ids] == ["pending"] * 3
    facts = send(mira, "/decisions", FACTS, action="spam", id=chosen, expected_state="pending").get_json()
    assert set(facts["failed"]) == {ids[2], foreign}
    with app.app_context():
        history = moderate.show_comment(parts, CLI, uuid.UUID(ids[0]))["history"]
    assert [one["action"] for one in history] == ["spam", "approve"]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"id": "nonsense"},
        {"id": "{own}"},
        {"id": "{own}:x"},
        {"id": "{own}:-1"},
        {"id": "{own}:1", "expected_state": ""},
        {"id": "{own}:1", "expected_state": "painted"},
        {"id": "{own}:1", "action": "paint"},
    ],
)
def test_decide_on_several_by_a_wrong_form_changes_nothing(
    mira: FlaskClient, submit: Callable[..., Any], state_of: Callable[[str], str], form: dict[str, str]
) -> None:
    own = submit()["id"]
    whole = {"action": "approve", "expected_state": "pending", **form}
    whole = {name: value.replace("{own}", own) for name, value in whole.items()}
    assert send(mira, "/decisions", FACTS, **whole).status_code == 422
    assert "failed=422" in send(mira, "/decisions", **whole).location
    assert state_of(own) == "pending"


def test_undo_of_several_by_a_wrong_time_changes_nothing(mira: FlaskClient) -> None:
    for at, status in (("", 422), ("yesterday", 422), ("2025-01-01T00:00:00+00:00", 404)):
        assert send(mira, "/decisions/undo", FACTS, decided_at=at).status_code == status


def test_decide_on_those_alike_offers_to_undo_them_all(
    mira: FlaskClient, submit: Callable[..., Any], state_of: Callable[[str], str]
) -> None:
    text = "Come and see my new cooking channel, with a prize for every subscriber"
    ids = [submit(f"{text} {name}!", thread={"key": name})["id"] for name in ("Ana", "Bert")]
    page = mira.get(f"/console/comments/{ids[0]}/alike").text
    until = re.search(r'name="until" value="([^"]+)"', page)
    assert until is not None
    answer = send(mira, f"/comments/{ids[0]}/alike/decisions", action="spam", until=html.unescape(until[1]))
    told = mira.get(answer.location).text
    decided_at = re.search(r'name="decided_at" value="([^"]+)"', told)
    assert decided_at is not None
    send(mira, "/decisions/undo", decided_at=html.unescape(decided_at[1]))
    assert [state_of(one) for one in ids] == ["pending", "pending"]


# --- views ---------------------------------------------------------------------------------------------------------


def test_keep_a_view_shows_it_with_its_count_and_only_to_its_moderator(
    app: Flask, mira: FlaskClient, submit: Callable[..., Any]
) -> None:
    submit("You m0r0n.")
    submit("Calm.")
    name = "<i>Risky</i>"
    saved = send(mira, "/views", name=name, filters="min_risk=0.05&sort=risk&state=pending&nonsense=1&cursor=x")
    assert saved.location.endswith("told=saved")
    page = mira.get(saved.location).text
    assert "The view was saved." in page
    tab = re.search(
        r'<a href="([^"]+)"[^>]*><bdi dir="auto">&lt;i&gt;Risky&lt;/i&gt;</bdi> <span class="count">1<', page
    )
    assert tab is not None
    assert html.unescape(tab[1]) == "/console/?min_risk=0.05&sort=risk"
    shown = mira.get(html.unescape(tab[1])).text
    assert shown.count('class="card"') == 1
    change = re.search(r'action="(/console/views/[^"]+)"', shown)
    assert change is not None
    add_person(app, "ada", "moderator", "news")
    ada = log_in(app, "ada")[0]
    assert "Risky" not in ada.get("/console/").text
    path = change[1].removeprefix("/console")
    for form in ({"do": "rename", "name": "Mine"}, {"do": "remove"}):
        assert "told=404" in send(ada, path, **form).location
    assert "told=422" in send(mira, path, do="rename", name=" ").location
    assert "told=409" in send(mira, "/views", name=name, filters="q=x").location
    assert "told=renamed" in send(mira, path, do="rename", name="Riskiest").location
    assert "told=removed" in send(mira, path, do="remove").location
    assert "Riskiest" not in mira.get("/console/").text
    assert mira.post("/console/views", data={"name": "x"}).status_code == 403


def test_keep_a_view_of_a_site_that_is_no_longer_ones_own_shows_no_count(
    app: Flask, mira: FlaskClient, submit: Callable[..., Any]
) -> None:
    send(mira, "/views", name="Elsewhere", filters="site=other")
    page = mira.get("/console/").text
    assert re.search(r'<bdi dir="auto">Elsewhere</bdi></a>', page)


def test_open_the_queue_of_many_counts_no_further_than_a_bound(
    mira: FlaskClient, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        submit(f"Remark {number}.")
    monkeypatch.setattr(desk, "COUNTED", 2)
    assert '<span class="count">2+</span>' in mira.get("/console/").text
