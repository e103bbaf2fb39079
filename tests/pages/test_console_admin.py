"""The console's pages beside the queue, by plain forms: each verb, what is refused, and what is shown once."""

import html
import io
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moderation.domain.actor import CLI
from moderation.domain.site import setting_names
from moderation.services import accounts, automod, deliver, moderate, sites, word_lists
from moderation.storage.db import read, write
from moderation.storage.models import Delivery, Endpoint
from moderation.web.console_settings import GROUPS, MEANINGS
from tests.pages.test_console_pages import PASSWORD, add_person, log_in, token_in

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\u2066'
NEW_PASSWORD = "seven gulls above the pier"


@pytest.fixture
def admin(app: Flask, people: Any) -> FlaskClient:
    """The browser of ada, admin of the site."""
    add_person(app, "ada", "admin", "news")
    return log_in(app, "ada")[0]


def send(client: FlaskClient, path: str, opened: str = "", **fields: Any) -> Any:
    """Send a form of the console; ``opened`` is the page that it stands on."""
    token = token_in(client.get(f"/console/{opened or path}").text)
    return client.post(f"/console/{path}", data={"csrf_token": token, "site": "news", **fields})


def follow(client: FlaskClient, answer: Any) -> str:
    """The page that a form led to."""
    assert answer.status_code == 303, answer.text
    return str(client.get(answer.location).text)


def field(page: str, name: str) -> str:
    """The value of a field of a page."""
    found = re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', page)
    assert found is not None, name
    return html.unescape(found[1])


# --- settings ----------------------------------------------------------------------------------------------------


def form_of(page: str) -> dict[str, str]:
    """What a browser would send of the page of settings."""
    form = {name: field(page, name) for name in setting_names() if re.search(rf'<input id="{name}"', page)}
    form |= {name: "on" for name in setting_names() if re.search(rf'name="{name}" value="on" checked', page)}
    area = re.search(r'<textarea id="origins"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert area is not None
    form |= {"name": field(page, "name"), "version": field(page, "version"), "origins": html.unescape(area[1])}
    chosen = re.findall(r'<select id="(\w+)" name="\1".*?<option value="([^"]*)" selected', page, re.DOTALL)
    return {**form, **dict(chosen)}


def test_settings_page_explains_every_setting() -> None:
    """A setting that is added has to say what it means."""
    assert set(setting_names()) <= set(MEANINGS)
    assert set(setting_names()) <= {name for names in GROUPS.values() for name in names}


def test_save_settings_as_they_were_changes_nothing(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        before = sites.show_site(app.extensions["moderation"], CLI, "news")
    answer = send(admin, "settings", **form_of(admin.get("/console/settings").text))
    assert "Saved." in follow(admin, answer)
    with app.app_context():
        assert sites.show_site(app.extensions["moderation"], CLI, "news") == before


def test_save_settings_changes_them_and_says_who_did(app: Flask, admin: FlaskClient) -> None:
    form = form_of(admin.get("/console/settings").text)
    form |= {
        "policy": "auto",
        "approve_below": "0.3",
        "votes": "on",
        "name": "The \u202eNews",
        "submit_rate": "5/minute",
    }
    form["origins"] = "https://a.example\n\n  https://b.example:8443  \n"
    del form["learning"]
    follow(admin, send(admin, "settings", **form))
    with app.app_context():
        parts = app.extensions["moderation"]
        site = sites.show_site(parts, CLI, "news")
        line = moderate.list_audit(parts, CLI, "news")["items"][0]
    assert site["origins"] == ["https://a.example", "https://b.example:8443"]
    assert (site["settings"]["policy"], site["settings"]["votes"], site["settings"]["learning"]) == (
        "auto",
        True,
        False,
    )
    assert site["settings"]["approve_below"] == 0.3
    assert (line["by"], line["action"]) == ("ada", "site.change")


def test_save_settings_with_nonsense_names_every_field_and_keeps_what_was_typed(admin: FlaskClient) -> None:
    form = form_of(admin.get("/console/settings").text)
    form |= {"origins": "https://a.example\njavascript:alert(1)", "max_depth": "eleven", "submit_rate": HOSTILE}
    answer = send(admin, "settings", **form)
    assert answer.status_code == 422
    for name in ("origins", "max_depth", "submit_rate"):
        assert f'id="wrong-{name}"' in answer.text
        assert re.search(rf'name="{name}"[^>]* aria-describedby="[^"]*wrong-{name}"', answer.text)
    assert "javascript:alert(1): It is not" in answer.text
    assert 'value="eleven"' in answer.text
    assert "<script>alert" not in answer.text


def test_save_settings_that_somebody_else_changed_is_refused_and_shows_both(app: Flask, admin: FlaskClient) -> None:
    form = form_of(admin.get("/console/settings").text)
    with app.app_context():
        sites.change_site(app.extensions["moderation"], CLI, "news", settings={"max_depth": 7})
    answer = send(admin, "settings", **form | {"max_depth": "5"})
    assert answer.status_code == 409
    assert "was changed since you saw it" in answer.text
    assert "Stored by now, below: <code>7</code>" in answer.text
    follow(admin, send(admin, "settings", **form | {"max_depth": "5", "version": field(answer.text, "version")}))
    with app.app_context():
        assert sites.show_site(app.extensions["moderation"], CLI, "news")["settings"]["max_depth"] == 5


def test_save_settings_after_a_mistake_still_notices_who_was_faster(app: Flask, admin: FlaskClient) -> None:
    form = form_of(admin.get("/console/settings").text)
    wrong = send(admin, "settings", **form | {"max_depth": "eleven"}).text
    with app.app_context():
        sites.change_site(app.extensions["moderation"], CLI, "news", settings={"max_depth": 7})
    answer = send(admin, "settings", **form | {"version": field(wrong, "version")})
    assert answer.status_code == 409


@pytest.mark.parametrize("version", ["", "-1", "x", "1e3", "9" * 40, "٣"])
def test_save_settings_without_a_version_is_refused(admin: FlaskClient, version: str) -> None:
    form = form_of(admin.get("/console/settings").text)
    assert send(admin, "settings", **form | {"version": version}).status_code == 422


# --- lists of words, rules in YAML -------------------------------------------------------------------------------


def test_put_words_checks_saves_shows_takes_along_and_removes(app: Flask, admin: FlaskClient) -> None:
    given = {"name": "rude", "text": "casino\nfree money\n*\n", "action": "hold", "weight": "0.5", "last": "100"}
    checked = send(admin, "lists", do="check", **given).text
    assert "2 entries in all: 2 added, 0 removed." in checked
    assert "Line 3:" in checked
    assert "None yet." in checked
    saved = send(admin, "lists", do="save", **given)
    assert "1 line is no entry" in saved.text
    assert "holds for a person" in saved.text
    added = send(admin, "lists", do="save", **given | {"text": "poker", "keep": "on", "part": "on"})
    assert "3 entries" in follow(admin, added)
    assert "also inside of words" in admin.get("/console/lists/rude").text
    file = admin.get("/console/lists/rude/file?site=news")
    assert sorted(file.text.split("\n")) == ["", "casino", "free money", "poker"]
    assert file.headers["Content-Disposition"] == "attachment; filename=rude.txt"
    assert file.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "Removed." in follow(admin, send(admin, "lists/rude/remove", "lists/rude"))
    assert admin.get("/console/lists/rude").status_code == 404


def test_put_words_of_a_file_with_fifty_thousand_words(app: Flask, admin: FlaskClient) -> None:
    text = "\ufeff" + "\n".join(f"word{n}ä" for n in range(50_000))
    file = (io.BytesIO(text.encode()), "words.txt")
    answer = send(admin, "lists", do="save", name="many", action="score", weight="0.4", last="9", file=file, text="")
    assert "50,000 entries" in follow(admin, answer)
    pasted = "\n".join(f"other{n}" for n in range(50_000))
    answer = send(admin, "lists", do="save", name="more", action="score", weight="0.4", last="9", text=pasted)
    assert follow(admin, answer).count("50,000 entries") == 2


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({"name": "Not A Name"}, "name", "Use 1 to 64 of a-z"),
        ({"weight": "heavy"}, "weight", "It is a number from -1 to 1."),
        ({"weight": "nan"}, "weight", "It is a number from -1 to 1."),
        ({"action": "explode"}, "action", "It is one of"),
        ({"language": "xx1"}, "language", ""),
        ({"text": "*\n"}, "text", "No line is an entry."),
        ({"file": (io.BytesIO(b"fine\n\xff\xfe"), "a.txt")}, "file", "Line 2 is not text in UTF-8."),
        ({"do": "backtest", "last": "0"}, "last", "It is a number from 1 to 5,000."),
        ({"do": "backtest", "last": "many"}, "last", "It is a number from 1 to 5,000."),
    ],
)
def test_put_words_that_cannot_be_says_why_at_the_field(
    admin: FlaskClient, fields: dict[str, Any], name: str, said: str
) -> None:
    given = {"name": "rude", "text": "casino", "action": "hold", "weight": "0.5", "last": "100", "do": "save"}
    answer = send(admin, "lists", **given | fields)
    assert answer.status_code == 422
    assert f'id="wrong-{name}"' in answer.text
    assert said in html.unescape(answer.text)


def test_send_words_larger_than_all_is_refused(admin: FlaskClient) -> None:
    answer = admin.post("/console/lists", data={"text": "a" * 5_000_000})
    assert answer.status_code == 413
    assert admin.post("/console/settings", data={"name": "a" * 100_000}).status_code == 413


def test_backtest_words_and_yaml_say_what_they_would_have_done(admin: FlaskClient, submit: Any, decide: Any) -> None:
    for body, action in (("A casino in town?", "approve"), ("Casino bonus here", "spam"), ("The ferry", "approve")):
        decide(submit(body)["id"], action)
    said = "Would have held 2 of the last 3 decided comments; 1 of them was approved."
    given = {"name": "", "text": "casino", "action": "hold", "weight": "0.5", "last": "1000"}
    assert said in send(admin, "lists", do="backtest", **given).text
    text = "body: [casino]\naction: filter\n"
    assert said in send(admin, "automod", do="backtest", text=text, last="1000", version="0").text


def test_put_automod_checks_saves_and_removes(app: Flask, admin: FlaskClient) -> None:
    text = "body: [casino]\r\naction: filter\r\n"
    assert "The text is right: 1 rule." in send(admin, "automod", do="check", text=text, version="0").text
    assert "This site has none yet." in admin.get("/console/automod").text
    assert "1 rule holds" in follow(admin, send(admin, "automod", do="save", text=text, version="0"))
    stale = send(admin, "automod", do="save", text=text, version="0")
    assert stale.status_code == 409
    assert "Somebody else changed these rules" in stale.text
    bad = send(admin, "automod", do="save", text="body: [casino]\naction: explode\n", version="1")
    assert bad.status_code == 422
    assert "Line 2, column 9" in bad.text
    assert "action: explode" in bad.text
    with app.app_context():
        assert automod.show_automod(app.extensions["moderation"], CLI, "news")["text"] == text.replace("\r\n", "\n")
    assert "This site has none yet." in follow(admin, send(admin, "automod/remove", "automod"))


@pytest.mark.parametrize("between", ["check", "save", "backtest"])
def test_put_automod_after_another_answer_still_notices_who_was_faster(
    app: Flask, admin: FlaskClient, between: str
) -> None:
    """The version of the text that one began with goes along, whatever was pressed and was wrong in between."""
    text = "body: [mine]\naction: filter\n"
    wrong = text.replace("filter", "explode") if between == "save" else text
    with app.app_context():
        automod.put_automod(app.extensions["moderation"], CLI, "news", text.replace("mine", "theirs"))
    page = send(admin, "automod", do=between, text=wrong, version="0", last="10").text
    answer = send(admin, "automod", do="save", text=text, version=field(page, "version"))
    assert answer.status_code == 409
    assert "body: [theirs]" in answer.text
    assert "body: [mine]" in answer.text
    follow(admin, send(admin, "automod", do="save", text=text, version=field(answer.text, "version")))


def test_put_automod_of_the_largest_size_that_is_allowed(admin: FlaskClient) -> None:
    text = "# " + "ä" * 65_000 + "\nbody: [casino]\naction: filter\n"
    assert send(admin, "automod", do="save", text=text, version="0").status_code == 303


# --- external scorers --------------------------------------------------------------------------------------------


def test_scorer_is_added_with_its_secret_shown_once_changed_tried_and_removed(admin: FlaskClient) -> None:
    given = {"name": "house", "kind": "http", "url": "http://127.0.0.1:9/score", "options": "{}", "deadline_ms": "0"}
    made = send(admin, "scorers", **given)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.text)
    assert secret is not None
    assert made.headers["Cache-Control"] == "no-store"
    listed = admin.get("/console/scorers").text
    assert secret[0] not in listed
    url = re.search(r"/console/(scorers/[0-9a-f-]{36})", listed)
    assert url is not None
    page = admin.get(f"/console/{url[1]}").text
    assert secret[0] not in page
    change = {"url": "http://127.0.0.1:9/other", "secret": "", "options": '{"max_weight": 0.4}', "deadline_ms": "100"}
    changed = follow(admin, send(admin, url[1], **change, state="disabled"))
    assert "max_weight" in changed
    assert "switched off" in admin.get("/console/scorers").text
    tried = send(admin, f"{url[1]}/test", url[1], text="A text to be judged.")
    assert 'class="notice bad"' in tried.text
    assert "A text to be judged." in tried.text
    assert "Nothing was changed." in follow(admin, send(admin, f"{url[1]}/retry", url[1]))
    assert "Removed." in follow(admin, send(admin, f"{url[1]}/remove", url[1]))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": HOSTILE}, "name"),
        ({"kind": "oracle"}, "kind"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"options": "{"}, "options"),
        ({"options": "[]"}, "options"),
        ({"options": "[" * 5_000}, "options"),
        ({"options": '{"max_weight": NaN}'}, "options"),
        ({"options": '{"max_weight": 7}'}, "options"),
        ({"deadline_ms": "-1"}, "deadline_ms"),
        ({"deadline_ms": "9999"}, "deadline_ms"),
        ({"secret": "not a signing secret"}, "secret"),
    ],
)
def test_add_scorer_that_cannot_be_says_why_at_the_field(admin: FlaskClient, fields: dict[str, str], name: str) -> None:
    given = {"name": "house", "kind": "http", "url": "http://127.0.0.1:9/", "options": "{}", "deadline_ms": "0"}
    answer = send(admin, "scorers", **given | fields)
    assert answer.status_code == 422
    assert f'id="wrong-{name}"' in answer.text
    assert "<script>alert" not in answer.text
    assert "not a signing secret" not in answer.text


# --- webhooks ----------------------------------------------------------------------------------------------------


@pytest.fixture
def webhook(admin: FlaskClient) -> str:
    """The page of an endpoint that nobody listens at."""
    made = send(admin, "webhooks", url="http://127.0.0.1:9/hook", events=["comment.submitted", "comment.approved"])
    found = re.search(r"/console/(webhooks/[0-9a-f-]{36})/rotate", made.text)
    assert found is not None
    return found[1]


def test_add_webhook_shows_its_secret_once(admin: FlaskClient) -> None:
    made = send(admin, "webhooks", url="http://127.0.0.1:9/hook", events=["comment.approved"])
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.text)
    assert secret is not None
    assert made.headers["Cache-Control"] == "no-store"
    listed = admin.get("/console/webhooks").text
    assert "healthy" in listed
    found = re.search(r"/console/(webhooks/[0-9a-f-]{36})", listed)
    assert found is not None
    page = admin.get(f"/console/{found[1]}").text
    assert secret[0] not in listed + page
    rotated = send(admin, f"{found[1]}/rotate", found[1])
    assert "whsec_" in rotated.text
    assert secret[0] not in rotated.text
    assert "The secret before the present one signs too" in admin.get(f"/console/{found[1]}").text


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": HOSTILE}, "url"),
        ({"events": []}, "events"),
        ({"events": ["comment.exploded"]}, "events"),
    ],
)
def test_add_webhook_that_cannot_be_says_why_at_the_field(admin: FlaskClient, fields: Any, name: str) -> None:
    answer = send(admin, "webhooks", **{"url": "http://127.0.0.1:9/", "events": ["comment.approved"], **fields})
    assert answer.status_code == 422
    assert f'id="wrong-{name}"' in answer.text
    assert "<script>alert" not in answer.text


def test_change_webhook_switches_it_off_and_on(app: Flask, admin: FlaskClient, webhook: str) -> None:
    form = {"url": "http://127.0.0.1:9/other", "events": ["comment.spam"]}
    assert "switched off" in follow(admin, send(admin, webhook, **form))
    assert send(admin, f"{webhook}/replay", webhook).status_code == 409
    on = follow(admin, send(admin, webhook, **form, active="on"))
    assert "healthy" in on
    assert "http://127.0.0.1:9/other" in on
    failing_since = app.extensions["moderation"].clock() - timedelta(days=1)
    with app.app_context(), write() as session:
        session.execute(sa.update(Endpoint).values(failing_since=failing_since))
    assert "failing since" in follow(admin, send(admin, webhook, **form, active="on"))
    assert "failing" in admin.get("/console/webhooks").text


def test_test_of_a_webhook_says_what_came_back(admin: FlaskClient, webhook: str) -> None:
    assert "The test did not arrive" in send(admin, f"{webhook}/test", webhook).text


def test_log_of_a_webhook_shows_tries_filters_pages_and_replays(
    app: Flask, admin: FlaskClient, webhook: str, submit: Any
) -> None:
    for n in range(30):
        submit(f"Remark {n}.", author={"name": "<b>Ana</b>", "email": None, "url": None})
    parts = app.extensions["moderation"]
    with app.app_context():
        deliver.deliver_due(parts)
        with write() as session:
            first = session.scalars(sa.select(Delivery.id).order_by(Delivery.id)).first()
            session.execute(sa.update(Delivery).where(Delivery.id == first).values(state="failed"))
    page = admin.get(f"/console/{webhook}").text
    assert page.count("<code>comment.submitted</code>") == 25 + 1  # and the choice of events
    assert "next try" in page
    following = re.search(r'href="(/console/webhooks/[^"]+cursor=[^"]+)" rel="next"', page)
    assert following is not None
    assert "Back to the start" in admin.get(html.unescape(following[1])).text
    failed = admin.get(f"/console/{webhook}?state=failed").text
    assert failed.count("adm-chip bad") == 2  # the endpoint fails, and one delivery failed
    delivery = re.search(r"/console/(deliveries/[0-9a-f-]{36})", failed)
    assert delivery is not None
    one = admin.get(f"/console/{delivery[1]}").text
    assert "webhook-id" in one
    assert "&lt;b&gt;Ana&lt;/b&gt;" in one
    assert "<b>Ana</b>" not in one
    assert "1 is on the way again." in send(admin, f"{webhook}/replay", webhook).text
    assert "There is none." in admin.get(f"/console/{webhook}?state=failed").text
    assert "It is on its way again." in follow(admin, send(admin, f"{delivery[1]}/replay", delivery[1]))
    assert "Removed." in follow(admin, send(admin, f"{webhook}/remove", webhook))
    assert admin.get(f"/console/{webhook}").status_code == 404


def test_next_page_after_a_form_leads_to_the_page_and_not_to_the_form(
    app: Flask, admin: FlaskClient, webhook: str, submit: Any
) -> None:
    for n in range(26):
        submit(f"Remark {n}.")
    page = send(admin, f"{webhook}/rotate", webhook).text
    following = re.search(r'href="([^"]+)" rel="next"', page)
    assert following is not None
    assert admin.get(html.unescape(following[1])).status_code == 200


# --- tokens and people -------------------------------------------------------------------------------------------


def test_add_token_shows_it_once_and_revoke_ends_it(app: Flask, admin: FlaskClient) -> None:
    made = send(admin, "tokens", name=HOSTILE, role="viewer", expires="2999-01-31")
    token = re.search(r'id="secret"[^>]*>([^<]+)<', made.text)
    assert token is not None
    assert "<script>alert" not in made.text
    bearer = {"Authorization": f"Bearer {token[1]}"}
    assert app.test_client().get("/api/v1/queue", headers=bearer).status_code == 200
    listed = admin.get("/console/tokens").text
    assert token[1] not in listed
    assert token[1][:8] in listed
    assert "until <time" in listed
    ours = next(one for one in re.split(r"<li>", listed) if token[1][:8] in one)
    revoke = re.search(r"/console/(tokens/[0-9a-f-]{36}/revoke)", ours)
    assert revoke is not None
    assert "Revoked" in follow(admin, send(admin, revoke[1], "tokens"))
    assert app.test_client().get("/api/v1/queue", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"role": "emperor"}, "role"),
        ({"name": "n" * 101}, "name"),
        ({"expires": "tomorrow"}, "expires"),
        ({"expires": "2001-01-01"}, "expires"),
        ({"expires": "99999-99-99"}, "expires"),
    ],
)
def test_add_token_that_cannot_be_says_why_at_the_field(admin: FlaskClient, fields: Any, name: str) -> None:
    answer = send(admin, "tokens", **{"name": "tool", "role": "viewer", "expires": "", **fields})
    assert answer.status_code == 422
    assert f'id="wrong-{name}"' in answer.text


def test_person_is_added_given_roles_locked_out_and_removed(app: Flask, admin: FlaskClient) -> None:
    made = send(admin, "people", name=f"Vera {HOSTILE[:20]}", role="viewer", password="").text
    password = re.search(r'id="secret"[^>]*>([^<]+)<', made)
    assert password is not None
    assert "<script>" not in made
    person = re.search(r"/console/(people/[0-9a-f-]{36})/role", made)
    assert person is not None
    name = f"Vera {HOSTILE[:20]}"
    vera, entered = log_in(app, name, html.unescape(password[1]))
    assert entered.status_code == 303
    assert password[1] not in admin.get("/console/people").text
    assert "Saved." in follow(admin, send(admin, f"{person[1]}/role", person[1], at="news", role="moderator"))
    assert vera.get("/console/").status_code == 303  # a changed role ends the session
    locked = follow(admin, send(admin, f"{person[1]}/lock", person[1], lock="on"))
    assert "locked out" in locked
    assert log_in(app, name, html.unescape(password[1]))[1].status_code == 401
    assert "locked out" not in follow(admin, send(admin, f"{person[1]}/lock", person[1]))
    assert "Saved." in follow(admin, send(admin, f"{person[1]}/password", person[1], password=NEW_PASSWORD))
    again = send(admin, f"{person[1]}/password", person[1], password="").text
    assert "The password" in again
    assert send(admin, f"{person[1]}/password", person[1], password="short").status_code == 422
    assert send(admin, f"{person[1]}/role", person[1], at="news", role="emperor").status_code == 422
    assert send(admin, f"{person[1]}/role", person[1], at="other", role="admin").status_code == 404
    assert "Removed." in follow(admin, send(admin, f"{person[1]}/remove", person[1]))
    assert admin.get(f"/console/{person[1]}").status_code == 404


def test_person_who_loses_the_last_role_here_is_not_there_any_more(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        made = accounts.add_moderator(app.extensions["moderation"], CLI, "vera", PASSWORD, "viewer", "news")
    path = f"people/{made['id']}"
    answer = send(admin, f"{path}/role", path, at="news", role="")
    assert answer.location.startswith("/console/people?told=saved")
    assert admin.get(f"/console/{path}").status_code == 404


def test_person_of_two_sites_is_not_for_the_admin_of_one_to_lock_out(app: Flask, admin: FlaskClient) -> None:
    parts = app.extensions["moderation"]
    with app.app_context():
        made = accounts.add_moderator(parts, CLI, "vera", PASSWORD, "viewer", "news")
        accounts.change_moderator(parts, CLI, made["id"], roles={"other": "viewer"})
    page = admin.get(f"/console/people/{made['id']}").text
    assert "Lock out" not in page
    assert "other" not in re.sub(r"<footer.*", "", page.split("<h2", 1)[1], flags=re.DOTALL).replace("another", "")
    for verb in ("lock", "remove", "password"):
        assert send(admin, f"people/{made['id']}/{verb}", "people", lock="on").status_code == 403


def test_add_person_that_cannot_be_says_why_at_the_field(app: Flask, admin: FlaskClient) -> None:
    add_person(app, "vera", "viewer", "other")
    taken = send(admin, "people", name="vera", role="viewer", password="")
    assert taken.status_code == 409
    assert 'id="wrong-name"' in taken.text
    weak = send(admin, "people", name="otto", role="viewer", password="short")
    assert weak.status_code == 422
    assert 'id="wrong-password"' in weak.text
    assert 'value="short"' not in weak.text
    assert send(admin, "people", name="otto", role="scorer", password="").status_code == 422


def test_change_ones_own_password_ends_the_other_sessions(app: Flask, admin: FlaskClient) -> None:
    other, _ = log_in(app, "ada")
    form = {"current_password": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    assert send(admin, "account", **form | {"again": "another"}).status_code == 422
    assert send(admin, "account", **form | {"current_password": "guessed"}).status_code == 422
    assert send(admin, "account", **form | {"password": "short", "again": "short"}).status_code == 422
    answer = send(admin, "account", **form)
    assert any("moderation-session=" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    assert "Your password was changed." in follow(admin, answer)
    assert other.get("/console/").status_code == 303
    assert log_in(app, "ada", PASSWORD)[1].status_code == 401
    assert log_in(app, "ada", NEW_PASSWORD)[1].status_code == 303


def test_guess_ones_own_password_many_times_is_slowed_down(admin: FlaskClient) -> None:
    form = {"current_password": "guessed", "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    answers = [send(admin, "account", **form) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_oneself_is_not_to_be_changed_among_the_people(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        me = accounts.find_moderator(app.extensions["moderation"], CLI, "ada")["id"]
    page = admin.get(f"/console/people/{me}").text
    assert "This is you." in page
    assert "Lock out" not in page
    for verb in ("role", "lock", "remove", "password"):
        answer = send(
            admin, f"people/{me}/{verb}", "people", at="news", role="viewer", lock="on", password=NEW_PASSWORD
        )
        assert answer.status_code == 409
        assert "nobody changes or removes their own account" in answer.text


# --- the audit log, and the reveal -------------------------------------------------------------------------------


def test_audit_log_shows_filters_and_says_that_it_holds(
    app: Flask, admin: FlaskClient, submit: Any, decide: Any
) -> None:
    decide(submit()["id"], "reject", reason=HOSTILE[:60])
    page = admin.get("/console/audit").text
    assert "unbroken" in page
    assert "comment.reject" in page
    assert "from pending, to rejected" in page
    assert "<script>alert" not in page
    assert "moderation audit verify" in page
    assert "comment.reject" not in admin.get("/console/audit?action=token.").text.split("<ul class=", 2)[-1]
    by = admin.get("/console/audit?by=moderator&action=comment.").text
    assert "comment.reject" in by
    assert "unbroken" not in by
    none = admin.get("/console/audit", query_string={"by": HOSTILE}).text
    assert "There is none." in none
    assert "<script>alert" not in none
    assert "There is none." in admin.get("/console/audit?to=2001-01-01").text
    wrong = admin.get("/console/audit?from=yesterday")
    assert wrong.status_code == 422
    assert 'id="wrong-from"' in wrong.text
    assert admin.get("/console/audit?from=0001-01-01&to=9999-12-31").status_code == 200


def test_reveal_an_address_shows_it_once_and_leaves_a_line(app: Flask, admin: FlaskClient, submit: Any) -> None:
    comment = submit()["id"]
    path = f"comments/{comment}"
    shown = admin.get(f"/console/{path}").text
    assert "ana@example.org" not in shown
    refused = send(admin, f"{path}/reveal-email", path, reason="  ")
    assert refused.status_code == 422
    assert 'id="wrong-reason"' in refused.text
    assert "ana@example.org" not in refused.text
    answer = send(admin, f"{path}/reveal-email", path, reason=f"A court, file 12 {HOSTILE}")
    assert answer.status_code == 200
    assert "ana@example.org" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script>alert" not in answer.text
    assert "ana@example.org" not in admin.get(f"/console/{path}").text
    log = admin.get("/console/audit?action=comment.reveal-email").text
    assert "A court, file 12" in log
    assert "ana@example.org" not in log
    assert admin.get(f"/console/{path}/reveal-email").status_code in {404, 405}


def test_reveal_is_not_offered_where_there_is_no_address(admin: FlaskClient, submit: Any) -> None:
    comment = submit(author={"name": "Ana", "email": None, "url": None})["id"]
    assert "Reveal the address" not in admin.get(f"/console/comments/{comment}").text


# --- the dashboard -----------------------------------------------------------------------------------------------


def test_dashboard_has_the_figures_of_its_plots_as_tables(admin: FlaskClient, submit: Any, decide: Any) -> None:
    for n in range(3):
        decide(submit(f"A casino number {n}.")["id"], "approve" if n else "spam")
    page = admin.get("/console/dashboard?site=news&days=7").text
    assert page.count('role="img" aria-labelledby=') == 3
    assert page.count("<title id=") == page.count("<desc id=") == 3
    assert re.search(r"<th scope=\"row\">\d+ \w{3}</th><td>3</td><td>2</td><td>0</td><td>1</td>", page)
    assert "style=" not in page
    assert "onload" not in page


def test_dashboard_without_anything_is_still_a_page(admin: FlaskClient) -> None:
    page = admin.get("/console/dashboard").text
    assert "Nothing yet in these days." in page
    for query in ("days=8", "days=-1", "days=٣", "days=x", "site=", "cursor=x"):
        assert admin.get(f"/console/dashboard?{query}").status_code == 200
    assert admin.get("/console/dashboard?site=other").status_code == 404
    assert admin.get("/console/dashboard?site=%00").status_code == 400


def test_dashboard_shows_hostile_rules_and_names_as_text(app: Flask, people: Any, submit: Any, decide: Any) -> None:
    parts = app.extensions["moderation"]
    with app.app_context():
        sites.change_site(parts, CLI, "news", name=HOSTILE)
        sites.add_rule(parts, CLI, "news", "pattern", "<script>alert", "hold")
        sites.change_site(parts, CLI, "other", name=HOSTILE)
    decide(submit("A <script>alert(1)</script> casino.")["id"], "spam")
    add_person(app, HOSTILE, "admin", "*")
    client, _ = log_in(app, HOSTILE)
    for path in ("dashboard", "dashboard?site=news", "settings", "lists", "webhooks", "tokens", "people", "audit"):
        page = client.get(f"/console/{path}").text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert" in client.get("/console/dashboard?site=news").text


@pytest.mark.parametrize("path", ["settings", "lists", "automod", "scorers", "webhooks", "tokens", "people", "audit"])
def test_open_a_page_of_a_foreign_or_missing_site_is_not_there(app: Flask, admin: FlaskClient, path: str) -> None:
    foreign, missing = (admin.get(f"/console/{path}?site={key}") for key in ("other", "nowhere"))
    assert foreign.status_code == missing.status_code == 404
    assert re.sub(r"csrf_token\" value=\"[^\"]+", "", foreign.text) == re.sub(
        r"csrf_token\" value=\"[^\"]+", "", missing.text
    )
    assert admin.get(f"/console/{path}?site=%00").status_code == 400
    assert admin.get(f"/console/{path}?cursor=nonsense").status_code in {200, 422}


def test_sites_are_named_by_what_was_asked_for_all_along(app: Flask, people: Any) -> None:
    add_person(app, "root", "admin", "*")
    client, _ = log_in(app, "root")
    page = client.get("/console/webhooks?site=other").text
    assert '<option value="other" selected>' in page
    assert 'href="/console/settings?site=other"' in page
    token = token_in(page)
    answer = client.post(
        "/console/webhooks",
        data={"csrf_token": token, "site": "other", "url": "http://127.0.0.1:9/", "events": ["comment.spam"]},
    )
    assert answer.status_code == 200
    with app.app_context(), read() as session:
        assert session.scalar(sa.select(Endpoint.site_id)) == people.other_id
    word = client.post(
        "/console/lists",
        data={
            "csrf_token": token,
            "site": "*",
            "do": "save",
            "name": "all",
            "text": "casino",
            "action": "hold",
            "weight": "1",
        },
    )
    assert word.status_code == 303
    with app.app_context():
        assert word_lists.list_lists(app.extensions["moderation"], CLI, "*")["items"][0]["name"] == "all"
