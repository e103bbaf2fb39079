"""Readers' notices of replies: asked first, sent at the approval, taken back in time, stopped by one request."""

import re
import secrets
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from moderation.domain import notice
from moderation.domain.actor import CLI
from moderation.errors import Invalid
from moderation.services import mailing, moderate, notices, sites
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage import subscriptions, upkeep
from moderation.storage.db import read, write
from moderation.storage.models import Comment, Mail, Subscription, Watch
from tests.conftest import ORIGIN, make_people, submission_json
from tests.mail.conftest import FROM, Keeper, links_in, text_of

ANA = {"name": "Ana", "email": "ana@example.org", "url": None}
BEN = {"name": "Ben", "email": None, "url": None}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}

Send = Callable[[], list[Any]]
Post = Callable[..., dict[str, Any]]


@pytest.fixture
def people(mail_parts: Parts) -> Any:
    """The usual people, on a site that tells of replies."""
    return make_people(mail_parts, reply_notices=True)


@pytest.fixture
def public(submit: Post, decide: Callable[..., Any]) -> Post:
    """Post a comment and approve it."""

    def post(body: str = "A calm and useful remark.", **changes: Any) -> dict[str, Any]:
        made = submit(body, **changes)
        assert decide(made["id"]).status_code == 200
        return made

    return post


@pytest.fixture
def confirmed(public: Post, send: Send, client: FlaskClient) -> dict[str, Any]:
    """Ana's public comment, with the address confirmed."""
    made = public(notify=True)
    (question,) = send()
    assert client.post(links_in(question)[0]).status_code == 200
    return made


def count(table: Any) -> int:
    with read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def answer_to(parent: dict[str, Any], body: str = "I see it otherwise.", **author: Any) -> dict[str, Any]:
    return {"body": body, "parent_id": parent["id"], "author": {**BEN, **author}}


def test_submit_with_notify_asks_the_address_once(submit: Post, send: Send, keeper: Keeper) -> None:
    for number in range(3):
        submit(f"Remark number {number}.", notify=True)
    (question,) = send()
    assert keeper.to == ["ana@example.org"]
    assert question["From"] == f"The News <{FROM}>"
    assert question["Subject"] == "May The News tell you of replies?"
    assert len(links_in(question)) == 2
    assert "ana" not in " ".join(links_in(question))
    submit("One more.", notify=True)
    assert send() == []


def test_submit_without_notify_keeps_no_address_for_it(submit: Post, send: Send) -> None:
    submit()
    submit(notify=False)
    assert (count(Subscription), count(Mail), count(Watch)) == (0, 0, 0)
    assert send() == []


HOSTILE = "=?utf-8?q?=0D=0ABcc=3A_eve=40evil.example?= <script>alert(1)</script> buy-pills.example HOSTILE"


def test_question_holds_nothing_that_anybody_typed(submit: Post, send: Send, keeper: Keeper) -> None:
    """Byte by byte the same as for the calmest of comments, but for ids, times and tokens."""
    submit(notify=True, author={**ANA, "email": "calm@example.org"})
    submit(
        f"{HOSTILE} body",
        notify=True,
        author={"name": HOSTILE[:99], "email": "hostile@example.org", "url": "https://buy-pills.example/HOSTILE"},
        thread={"key": HOSTILE, "url": "https://buy-pills.example/HOSTILE", "title": HOSTILE},
    )
    calm, hostile = sorted(send(), key=lambda mail: str(mail["To"]))
    assert b"HOSTILE" not in keeper.raw[0] + keeper.raw[1]
    assert b"pills" not in keeper.raw[0] + keeper.raw[1]

    first, second = keeper.raw
    assert bare(first) == bare(second)
    assert calm["To"] == "calm@example.org"
    assert hostile["To"] == "hostile@example.org"


def bare(raw: bytes) -> str:
    """A mail without what is another one in each: the token, the id, the address."""
    text = re.sub(r"\?t=[^\s>]+", "?t=", raw.decode())
    text = re.sub(r"(?m)^(Message-ID|Date): .*$", "", text)
    return re.sub(r"[a-z0-9]+@example\.org", "", text)


TYPED = st.one_of(
    st.text(min_size=1, max_size=80),
    st.sampled_from(
        [HOSTILE, "\r\nBcc: eve@evil.example", "=?utf-8?b?DQpCY2M6IGV2ZQ==?=", "https://evil.example/", "{site}%s"]
    ),
)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TYPED, body=TYPED, key=TYPED, title=TYPED)
def test_question_is_the_same_whatever_was_typed(
    mail_parts: Parts, people: Any, keeper: Keeper, clock: Any, name: str, body: str, key: str, title: str
) -> None:
    clock.move(days=1)  # past every limit
    for typed in ((name, body, key, title), ("Ana", "A calm remark.", "calm", "Calm")):
        email = f"{secrets.token_hex(8)}@example.org"
        sent = Submission(typed[2], None, typed[3], None, typed[0], email, None, None, typed[1], notify=True)
        try:
            submit_comment(mail_parts, "news", sent, Client("203.0.113.7", "x"))
        except Invalid:
            return
        mailing.send_due(mail_parts)
        assert keeper.to[-1] == email
    assert bare(keeper.raw[-2]) == bare(keeper.raw[-1])


def test_answer_to_a_submission_is_the_same_whatever_is_known_of_the_address(
    client: FlaskClient, people: Any, confirmed: dict[str, Any], send: Send
) -> None:
    """Nobody learns whether an address is confirmed, asked, stopped, or new."""
    made = []
    for email in ("ana@example.org", "new@example.org", "new@example.org"):
        sent = submission_json("The same words.", author={**ANA, "email": email}, notify=True)
        made.append(client.post("/api/v1/sites/news/comments", json=sent))
    assert {answer.status_code for answer in made} == {202}
    assert {frozenset(answer.get_json()) for answer in made} == {frozenset(made[0].get_json())}
    assert {answer.get_json()["state"] for answer in made} == {"pending"}
    assert "notify" not in made[0].get_json()


def test_open_every_link_of_a_mail_changes_nothing(
    public: Post, submit: Post, decide: Any, send: Send, client: FlaskClient, confirmed: dict[str, Any]
) -> None:
    """A mail scanner opens links, by GET and by HEAD, with cookies or without."""
    submit(notify=True, author={**ANA, "email": "second@example.org"})
    public(**answer_to(confirmed))
    mails = send()
    assert len(mails) == 2
    links = [link for mail in mails for link in [*links_in(mail), stop_of(mail)]]
    assert len(links) == 2 + 1 + 1 + 1
    before = everything()
    for link in links:
        for method in ("GET", "HEAD", "GET"):
            answer = client.open(link, method=method, headers={"Accept": "text/html"})
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "noindex" in answer.headers["X-Robots-Tag"]
            assert "Set-Cookie" not in answer.headers
        assert client.put(link).status_code == 405
    assert everything() == before


def everything() -> list[Any]:
    with read() as session:
        return [
            tuple(row)
            for table in (Subscription, Watch, Mail)
            for row in session.execute(select(table.__table__).order_by(*table.__table__.primary_key))
        ]


def stop_of(mail: Any) -> str:
    """The path behind the mail program's own button."""
    url = str(mail["List-Unsubscribe"]).strip("<>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return url.removeprefix("http://127.0.0.1:8080")


def test_approve_a_reply_tells_the_parents_author(public: Post, send: Send, confirmed: dict[str, Any]) -> None:
    made = public(**answer_to(confirmed, "I see it *otherwise*.\n\nAnd so does <b>Eve</b>: https://eve.example/x"))
    (mail,) = send()
    assert mail["To"] == "ana@example.org"
    assert mail["Subject"] == "A reply to your comment on The News"
    text = text_of(mail)
    assert "Ben replied to your comment on The News:" in text
    assert "> I see it otherwise.\n> And so does <b>Eve</b>: https://eve.example/x" in text
    assert f"{ORIGIN}/2025/07/arms-pause#comment-{made['id']}" in text
    assert "ana@example.org" not in text
    assert mail.get_content_type() == "text/plain"


def test_approve_a_top_level_comment_or_ones_own_reply_tells_nobody(
    public: Post, send: Send, confirmed: dict[str, Any]
) -> None:
    public("Another remark.")
    public(**answer_to(confirmed, "By the address.", email="ANA@example.org"))
    public(**answer_to(confirmed, "By the token.", token=confirmed["author_token"]))
    assert send() == []


def test_approve_a_reply_before_the_address_is_confirmed_tells_nobody(public: Post, send: Send) -> None:
    made = public(notify=True)
    send()
    public(**answer_to(made))
    assert send() == []


def test_approve_by_policy_tells_too(mail_parts: Parts, submit: Post, send: Send, confirmed: dict[str, Any]) -> None:
    sites.change_site(mail_parts, CLI, "news", settings={"policy": "auto"})
    made = submit(**answer_to(confirmed, "The ferry leaves at eight in the evening, as the council said."))
    assert made["state"] == "approved"
    assert len(send()) == 1


def test_decide_many_tells_each_once(
    mail_parts: Parts, submit: Post, send: Send, confirmed: dict[str, Any], keeper: Keeper
) -> None:
    made = [submit(**answer_to(confirmed, f"Reply number {number}."))["id"] for number in range(3)]
    with read() as session:
        ids = list(session.scalars(select(Comment.id).where(Comment.parent_id.is_not(None))))
    assert len(made) == len(ids) == 3
    moderate.decide_many(mail_parts, CLI, ids, "approve")
    assert len(send()) == 3
    moderate.decide_many(mail_parts, CLI, ids, "reject")
    moderate.decide_many(mail_parts, CLI, ids, "approve")
    assert send() == []


def test_undo_before_sending_sends_nothing_and_a_second_approval_does(
    mail_parts: Parts, submit: Post, decide: Any, send: Send, confirmed: dict[str, Any]
) -> None:
    made = submit(**answer_to(confirmed))
    decision = decide(made["id"]).get_json()["decision_id"]
    moderate.undo(mail_parts, CLI, uuid.UUID(decision))
    assert send() == []
    assert count(Mail) == 1  # the question's
    decide(made["id"])
    assert len(send()) == 1


@pytest.mark.parametrize("action", ["reject", "spam", "trash", "escalate"])
def test_take_the_reply_down_before_sending_sends_nothing(
    public: Post, decide: Any, send: Send, confirmed: dict[str, Any], action: str
) -> None:
    made = public(**answer_to(confirmed))
    assert decide(made["id"], action).status_code == 200
    assert send() == []


def test_take_the_parent_down_before_sending_sends_nothing(
    public: Post, decide: Any, send: Send, confirmed: dict[str, Any]
) -> None:
    public(**answer_to(confirmed))
    decide(confirmed["id"], "trash")
    assert send() == []


def test_delete_the_reply_or_the_comment_before_sending_sends_nothing(
    public: Post, client: FlaskClient, send: Send, confirmed: dict[str, Any]
) -> None:
    made = public(**answer_to(confirmed))
    path = "/api/v1/sites/news/comments/"
    assert client.delete(path + made["id"], headers={"X-Edit-Token": made["edit_token"]}).status_code == 204
    assert send() == []
    public(**answer_to(confirmed, "Another."))
    answer = client.delete(path + confirmed["id"], headers={"X-Edit-Token": confirmed["edit_token"]})
    assert answer.status_code == 204
    assert (count(Subscription), count(Watch), count(Mail)) == (0, 0, 0)
    assert send() == []


def test_switch_notices_off_before_sending_sends_nothing(
    mail_parts: Parts, public: Post, submit: Post, send: Send, confirmed: dict[str, Any]
) -> None:
    public(**answer_to(confirmed))
    submit(notify=True, author={**ANA, "email": "second@example.org"})
    sites.change_site(mail_parts, CLI, "news", settings={"reply_notices": False})
    assert send() == []


def test_one_click_stops_all_notices_without_cookies_or_login(
    app: Flask, public: Post, send: Send, confirmed: dict[str, Any]
) -> None:
    """RFC 8058: the mailbox's own server posts, from anywhere, with no page to look at."""
    public(**answer_to(confirmed))
    (mail,) = send()
    for content in ({"data": ONE_CLICK}, {"data": ONE_CLICK, "content_type": "multipart/form-data"}):
        answer = app.test_client(use_cookies=False).post(
            stop_of(mail), headers={"Origin": "https://mailbox.example", "Sec-Fetch-Site": "cross-site"}, **content
        )
        assert answer.status_code == 200
        assert "no more notices" in answer.text
    with read() as session:
        (left,) = session.execute(select(Subscription.state, Subscription.email_sealed)).all()
    assert tuple(left) == ("stopped", None)
    assert count(Watch) == 0
    public(**answer_to(confirmed, "Another."))
    assert send() == []


def test_stop_one_comment_by_the_page_offers_to_stop_all(
    public: Post, send: Send, client: FlaskClient, confirmed: dict[str, Any]
) -> None:
    other = public("Another remark of mine.", notify=True)
    public(**answer_to(confirmed))
    (mail,) = send()
    link = links_in(mail)[-1]
    assert "Stop those about this comment" in client.get(link).text
    page = client.post(link, data={"what": "comment"}).text
    assert "no more notices about this comment" in page
    assert "Stop all notices of" in page
    public(**answer_to(confirmed, "No news."))
    public(**answer_to(other, "News of the other one."))
    (mail,) = send()
    assert "News of the other one" in text_of(mail)
    assert "no more notices" in client.post(link, data={"what": "all"}).text
    public(**answer_to(other, "No news either."))
    assert send() == []


def test_stop_the_only_comment_deletes_the_address_after_a_week(
    mail_parts: Parts, public: Post, send: Send, client: FlaskClient, confirmed: dict[str, Any], clock: Any
) -> None:
    public(**answer_to(confirmed))
    (mail,) = send()
    client.post(links_in(mail)[-1], data={"what": "comment"})
    clock.move(days=8)
    tidy(mail_parts)
    assert count(Subscription) == 0
    assert "No notices come" in client.get(links_in(mail)[-1]).text
    assert "Done" in client.post(stop_of(mail), data=ONE_CLICK).text


def test_watch_again_after_stopping_the_only_comment_goes_on(
    mail_parts: Parts, public: Post, send: Send, client: FlaskClient, confirmed: dict[str, Any], clock: Any
) -> None:
    public(**answer_to(confirmed))
    (mail,) = send()
    client.post(links_in(mail)[-1], data={"what": "comment"})
    made = public("One more of mine.", notify=True)
    clock.move(days=8)
    tidy(mail_parts)
    public(**answer_to(made))
    assert len(send()) == 1


def tidy(parts: Parts) -> None:
    with write() as session:
        upkeep.delete_old_mail(session, parts.clock(), parts.clock() - timedelta(days=parts.settings.mail_days))


def test_stop_in_the_question_keeps_the_address_from_being_asked_again(
    mail_parts: Parts, submit: Post, send: Send, client: FlaskClient, clock: Any, keeper: Keeper
) -> None:
    submit(notify=True)
    (question,) = send()
    client.post(stop_of(question), data=ONE_CLICK)
    assert client.post(links_in(question)[0]).status_code == 404
    clock.move(days=60)
    tidy(mail_parts)
    submit("Another remark.", notify=True)
    assert send() == []
    assert count(Watch) == 0
    clock.move(days=31)
    submit("A third remark.", notify=True)
    assert len(send()) == 1


def test_ignore_the_question_forgets_the_address_after_a_week(
    mail_parts: Parts, submit: Post, send: Send, client: FlaskClient, clock: Any
) -> None:
    submit(notify=True)
    (question,) = send()
    clock.move(days=7, seconds=1)
    assert client.get(links_in(question)[0]).status_code == 404
    assert client.post(links_in(question)[0]).status_code == 404
    tidy(mail_parts)
    assert (count(Subscription), count(Watch), count(Mail)) == (0, 0, 0)
    submit("Another remark.", notify=True)
    assert len(send()) == 1


def test_confirm_twice_and_late_stays_confirmed(
    public: Post, send: Send, client: FlaskClient, clock: Any, confirmed: dict[str, Any], mail_parts: Parts
) -> None:
    clock.move(days=30)
    tidy(mail_parts)
    public(**answer_to(confirmed))
    assert len(send()) == 1


@pytest.mark.parametrize("path", ["confirm", "stop", "address", "digest"])
def test_open_forged_or_foreign_links_is_not_there(
    mail_parts: Parts, client: FlaskClient, confirmed: dict[str, Any], path: str, send: Send
) -> None:
    with read() as session:
        found = session.scalars(select(Subscription)).one()
    vault = mail_parts.vault
    foreign = [
        "",
        "x",
        "a.b",
        "Ä.b",
        "x" * 5_000,
        "%00",
        found.id.hex,
        vault.sign("console-csrf", found.id.hex),
        vault.sign("author:" + found.site_id.hex, found.id.hex),
        vault.sign("notice-stop" if path != "stop" else "notice-confirm", found.id.hex),
        vault.sign("notice-stop", found.id.hex)[:-2] + "AA",
        vault.sign("notice-confirm", f"{found.id.hex}.1"),
    ]
    for token in foreign:
        if path == "stop" and token == vault.sign("notice-stop", found.id.hex):
            continue
        for method in ("GET", "POST"):
            answer = client.open(f"/notices/{path}?t={token}", method=method, headers={"Accept": "text/html"})
            assert answer.status_code == 404, (path, token)
            assert "Traceback" not in answer.text
    assert client.get(f"/notices/{path}").status_code == 404


def test_ask_from_one_network_is_limited_and_answers_the_same(submit: Post, send: Send) -> None:
    """No bombing: the sixth address from one network in an hour is not asked, and not kept."""
    for number in range(8):
        submit(f"Remark number {number}.", author={**ANA, "email": f"reader{number}@example.org"}, notify=True)
    assert len(send()) == 5
    assert count(Subscription) == 5


def test_ask_one_address_over_many_sites_is_limited(
    mail_parts: Parts, client: FlaskClient, people: Any, send: Send
) -> None:
    for number in range(5):
        key = f"site{number}"
        sites.add_site(mail_parts, CLI, key, key, [ORIGIN], {"reply_notices": True})
        answer = client.post(f"/api/v1/sites/{key}/comments", json=submission_json(notify=True))
        assert answer.status_code == 202
    assert len(send()) == 3


def test_ask_for_what_was_judged_to_be_spam_does_nothing(mail_parts: Parts, submit: Post, send: Send) -> None:
    sites.change_site(mail_parts, CLI, "news", settings={"auto_spam": True})
    made = submit(notify=True, context={"filled_in_ms": 5, "website_confirm": "https://spam.example"})
    assert made["state"] == "pending"
    assert count(Subscription) == 0
    assert send() == []


def test_reject_the_only_comment_before_the_question_goes_out_forgets_the_address(
    submit: Post, decide: Any, send: Send
) -> None:
    made = submit(notify=True)
    decide(made["id"], "spam")
    assert send() == []
    assert (count(Subscription), count(Watch), count(Mail)) == (0, 0, 0)
    submit("Another remark.", notify=True)
    assert len(send()) == 1


def test_mail_more_than_ten_an_hour_to_one_address_waits(
    public: Post, send: Send, confirmed: dict[str, Any], clock: Any
) -> None:
    for number in range(12):
        public(**answer_to(confirmed, f"Reply number {number}."))
    assert len(send()) == 9  # the question was the first of the hour
    clock.move(hours=1, seconds=1)
    assert len(send()) == 3


def test_answer_422_where_notices_are_not_offered(client: FlaskClient, people: Any, app: Flask) -> None:
    sent = submission_json(notify=True)
    answer = client.post("/api/v1/sites/other/comments", json=sent)
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["notify"])
    answer = client.post("/api/v1/sites/news/comments", json={**sent, "author": {"name": "Ana"}})
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["author.email"])
    for wrong in ("yes", 1, None, []):
        assert client.post("/api/v1/sites/news/comments", json={**sent, "notify": wrong}).status_code == 422


def test_send_by_the_plain_form_with_a_ticked_box_asks(client: FlaskClient, people: Any, send: Send) -> None:
    form = {"author": "Ana", "email": "ana@example.org", "comment": "A remark.", "thread": "a"}
    for box, asked in (({}, 0), ({"notify": ""}, 0), ({"notify": "0"}, 0), ({"notify": "1"}, 1)):
        answer = client.post("/sites/news/reply", data={**form, **box, "comment": f"A remark {box}."})
        assert answer.status_code == 200
        assert len(send()) == asked
    refused = client.post("/sites/other/reply", data={**form, "notify": "1"})
    assert refused.status_code == 422
    assert "This site sends no notices of replies." in refused.text


def test_link_only_leads_to_the_sites_own_pages(public: Post, send: Send, client: FlaskClient, people: Any) -> None:
    """The address of a thread is what its first sender typed."""
    thread = {"key": "b", "url": "https://evil.example/b", "title": "B"}
    made = public(notify=True, thread=thread)
    (question,) = send()
    client.post(links_in(question)[0])
    public("A reply.", parent_id=made["id"], author=BEN, thread=thread)
    (mail,) = send()
    assert "evil.example" not in text_of(mail)


def test_forget_address_deletes_all_that_is_kept_of_it_on_one_site(
    mail_parts: Parts, public: Post, send: Send, confirmed: dict[str, Any], people: Any, client: FlaskClient
) -> None:
    sites.change_site(mail_parts, CLI, "other", settings={"reply_notices": True})
    client.post("/api/v1/sites/other/comments", json=submission_json(notify=True))
    public(**answer_to(confirmed))
    index = mail_parts.vault.blind_index(people.site_id, "ana@example.org")
    with write() as session:
        assert subscriptions.forget_address(session, people.site_id, index) == 1
    with write() as session:
        assert subscriptions.forget_address(session, people.site_id, index) == 0
    with read() as session:
        assert list(session.scalars(select(Subscription.site_id))) == [people.other_id]
        assert list(session.scalars(select(Mail.site_id))) == [people.other_id]
    assert len(send()) == 1


def test_no_address_stands_in_a_table_or_a_log_line(
    app: Flask, public: Post, send: Send, confirmed: dict[str, Any], keeper: Keeper, capsys: Any
) -> None:
    public(**answer_to(confirmed))
    keeper.answers = {"RCPT": "550 <ADDRESS> is not here"}
    send()
    with read() as session:
        for table in (Subscription, Watch, Mail):
            for row in session.execute(select(table.__table__)):
                assert b"example.org" not in repr(tuple(row)).encode()
    shown = capsys.readouterr()
    assert "mail not sent" in shown.out + shown.err
    assert "ana@" not in shown.out + shown.err


def test_offers_needs_both_the_site_and_a_mail_server(parts: Parts, mail_parts: Parts, people: Any) -> None:
    from moderation.storage.sites import site_by_key

    with read() as session:
        news, other = site_by_key(session, "news"), site_by_key(session, "other")
        assert news is not None
        assert other is not None
        assert notices.offers(mail_parts, news)
        assert not notices.offers(mail_parts, other)
        assert not notices.offers(parts, news)


def test_stop_works_after_mail_was_switched_off(
    app: Flask, parts: Parts, public: Post, send: Send, confirmed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ever means: also when there is no mail server any more."""
    public(**answer_to(confirmed))
    (mail,) = send()
    monkeypatch.setitem(app.extensions, "moderation", parts)
    answer = app.test_client().post(stop_of(mail), data=ONE_CLICK)
    assert answer.status_code == 200
    with read() as session:
        assert list(session.scalars(select(Subscription.state))) == ["stopped"]


def test_plain_text_of_a_comment_has_a_line_for_each_paragraph_and_an_end() -> None:
    assert notice.plain_text("<p>One<br>two</p><p>&lt;b&gt; <a href='x'>three</a></p>") == "One\ntwo\n<b> three"
    assert notice.plain_text(f"<p>{'x' * 600}</p>") == "x" * 500 + "…"
    assert notice.plain_text("") == ""
