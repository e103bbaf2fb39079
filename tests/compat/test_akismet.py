"""Akismet's protocol: bodies to the byte, headers, keys in all their places, and what is taught."""

import re
import threading
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI
from moderation.services import accounts, learning, moderate, scorers, sites
from moderation.storage.db import read
from moderation.storage.models import Comment, KeyUsage, LearnedStep
from tests.compat.conftest import BLOG, CALM, FRENCH, READER_IP, SPAM, Keys

HELP = "X-akismet-debug-help"
THANKS = b"Thanks for making the web a better place."


def check(answer: Any, body: bytes, status: int = 200) -> Any:
    assert (answer.status_code, answer.get_data()) == (status, body)
    assert answer.mimetype == "text/plain"
    return answer


# --- keys


@pytest.mark.parametrize("field", ["key", "api_key"])
def test_verify_key_in_either_field_is_valid(client: Any, keys: Keys, field: str) -> None:
    answer = check(client.post("/1.1/verify-key", data={field: keys.own, "blog": BLOG}), b"valid")
    assert not [name for name in dict(answer.headers) if name.lower().startswith("x-akismet")]


def test_verify_key_that_may_not_is_invalid_with_the_reason(client: Any, keys: Keys) -> None:
    wrong = {
        "x" * 42: "not valid",
        keys.moderator: "not valid",
        keys.everywhere: "all sites",
        keys.switched_off: "not switched on",
        "": "api_key",
        "ключ": "not valid",
        "a" * 5_000: "not valid",
    }
    for key, why in wrong.items():
        answer = check(client.post("/1.1/verify-key", data={"key": key, "blog": BLOG}), b"invalid")
        assert why in answer.headers[HELP]
    answer = check(client.post("/1.1/verify-key", data={"key": keys.own}), b"invalid")
    assert answer.headers[HELP] == "Missing required field: blog."


def test_check_with_key_of_wrong_kind_is_invalid_and_teaches_nothing(form: Any, keys: Keys, parts: Any) -> None:
    for key in ("x" * 42, keys.moderator, keys.everywhere, keys.switched_off):
        for call in ("comment-check", "submit-spam", "submit-ham"):
            assert form(call, api_key=key, comment_content=SPAM).get_data() == b"invalid"
    assert learning.show(parts, CLI, "news")["decisions"] == learning.show(parts, CLI, "other")["decisions"] == 0


def test_check_with_revoked_or_expired_key_is_invalid(form: Any, parts: Any, keys: Keys, clock: Any) -> None:
    ends = clock.now.replace(microsecond=0)
    clock.move(hours=-1)
    short = accounts.add_token(parts, CLI, "news", "scorer", expires_at=ends)
    check(form("comment-check", api_key=short["token"]), b"false")
    clock.move(hours=2)
    check(form("comment-check", api_key=short["token"]), b"invalid")
    gone = accounts.add_token(parts, CLI, "news", "scorer")
    accounts.revoke_token(parts, CLI, gone["id"])
    check(form("comment-check", api_key=gone["token"]), b"invalid")


def test_check_with_key_in_the_host_alone(client: Any, keys: Keys) -> None:
    fields = {"blog": BLOG, "user_ip": READER_IP, "comment_content": SPAM}
    for host in (f"{keys.own}.rest.example", f"{keys.own.upper()}.rest.example:8080"):
        check(client.post("/1.1/comment-check", data=fields, base_url=f"http://{host}"), b"true")
    answer = client.post("/1.1/comment-check", data=fields, base_url=f"http://{'x' * 42}.rest.example")
    check(answer, b"invalid")
    answer = check(client.post("/1.1/comment-check", data=fields), b"Missing required field: api_key.")
    assert answer.headers[HELP] == "Missing required field: api_key."


def test_call_anything_else_with_a_scorers_key_is_refused(client: Any, keys: Keys) -> None:
    headers = {"Authorization": f"Bearer {keys.own}"}
    for path in (
        "/api/v1/sites/news",
        "/api/v1/queue?site=news",
        "/api/v1/audit?site=news",
        "/api/v1/tokens?site=news",
    ):
        assert client.get(path, headers=headers).status_code in (403, 404), path
    assert client.get("/api/v1/sites", headers=headers).get_json()["items"] == []


def test_make_scorers_key_is_one_label_of_a_host(parts: Any, keys: Keys) -> None:
    assert re.fullmatch(r"[a-z0-9]{1,63}", keys.own)


# --- verdicts


def test_check_says_true_for_spam_and_false_for_a_remark(form: Any) -> None:
    spam, fine = form("comment-check", comment_content=SPAM), form("comment-check", comment_content=CALM)
    check(spam, b"true")
    check(fine, b"false")
    for answer in (spam, fine):
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-akismet-guid"])
        assert HELP not in answer.headers
        assert "X-akismet-alert-code" not in answer.headers
    assert spam.headers["X-akismet-pro-tip"] == "discard"
    assert "X-akismet-pro-tip" not in fine.headers
    assert "X-akismet-recheck-after" not in fine.headers


@pytest.mark.parametrize("name", ["akismet-guaranteed-spam", "viagra-test-123"])
def test_check_of_guaranteed_spam_is_true(form: Any, name: str) -> None:
    check(form("comment-check", comment_author=name, comment_content=CALM, is_test="1"), b"true")


def test_check_of_guaranteed_address_is_true_and_administrator_false(form: Any) -> None:
    email = "akismet-guaranteed-spam@example.com"
    check(form("comment-check", comment_author_email=email, comment_content=CALM), b"true")
    check(form("comment-check", user_role="administrator", comment_content=SPAM), b"false")
    check(form("comment-check", user_role="administrator", comment_author="viagra-test-123"), b"false")


def test_check_of_what_cannot_be_judged_asks_to_come_back(form: Any) -> None:
    for reason in (None, "recheck"):
        answer = check(form("comment-check", comment_content=FRENCH, recheck_reason=reason), b"false")
        assert answer.headers["X-akismet-recheck-after"] == "120"
        assert HELP not in answer.headers


def test_check_of_a_text_that_is_not_read_to_its_end_asks_to_come_back(form: Any) -> None:
    answer = check(form("comment-check", comment_content=f"{CALM} " * 2_000), b"false")
    assert answer.headers["X-akismet-recheck-after"] == "120"


def test_check_with_the_honeypot_filled_in_is_spam(form: Any) -> None:
    answer = check(form("comment-check", comment_content=CALM, honeypot_field_name="trap", trap="x"), b"true")
    assert answer.headers["X-akismet-pro-tip"] == "discard"
    check(form("comment-check", comment_content=CALM, honeypot_field_name="trap", trap=" "), b"false")


def test_check_of_html_sees_the_link_in_it(form: Any, parts: Any) -> None:
    sites.add_rule(parts, CLI, "news", "domain", "pills.example", "spam")
    check(form("comment-check", comment_content=f"{CALM} <a href='http://pills.example/x'>here</a>"), b"true")
    check(form("comment-check", comment_content=CALM, comment_author_url="http://www.pills.example/"), b"true")
    check(form("comment-check", comment_content=f"{CALM} <b>here</b>"), b"false")


def test_check_by_the_sites_rules_and_no_other_sites(form: Any, parts: Any) -> None:
    sites.add_rule(parts, CLI, "other", "word", "harbour", "spam")
    check(form("comment-check", comment_content=CALM), b"false")
    sites.add_rule(parts, CLI, "news", "word", "useful", "hold")
    assert form("comment-check", comment_content=CALM).headers["X-akismet-recheck-after"] == "120"
    sites.add_rule(parts, CLI, "news", "word", "harbour", "spam")
    answer = check(form("comment-check", comment_content=CALM), b"true")
    assert "X-akismet-pro-tip" not in answer.headers  # a rule's word is not enough to throw a comment away


def test_check_asks_no_external_scorer(form: Any, parts: Any) -> None:
    """One that speaks this very protocol might ask back, and a client waits for a second."""
    scorers.add_scorer(parts, CLI, "news", "house", "http", "http://127.0.0.1:9/score")
    answer = check(form("comment-check", comment_content=CALM), b"false")
    assert "X-akismet-recheck-after" not in answer.headers


def test_check_in_the_charset_that_the_form_names(client: Any, keys: Keys, parts: Any) -> None:
    sites.add_rule(parts, CLI, "news", "word", "Gemüsehändler", "spam")
    for charset, given in (("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("UTF-8", "utf-8"), ("", "utf-8")):
        head = f"api_key={keys.own}&blog={quote(BLOG)}&user_ip={READER_IP}&blog_charset={charset}&comment_content="
        for content in (quote("Der Gemüsehändler".encode(given)).encode(), "Der Gemüsehändler".encode(given)):
            answer = client.post("/1.1/comment-check", data=head.encode() + content, content_type=CONTENT_TYPE)
            check(answer, b"true")
    for strange in ("utf-7", "rot13", "zip", "no-such-thing", "base64", "\u0660", "a" * 300):
        check(client.post("/1.1/comment-check", data={**needed(keys), "blog_charset": strange}), b"false")


CONTENT_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"


def needed(keys: Keys) -> dict[str, str]:
    return {"api_key": keys.own, "blog": BLOG, "user_ip": READER_IP}


def test_check_of_a_multipart_form_and_of_one_without_a_type(client: Any, keys: Keys) -> None:
    fields = {**needed(keys), "comment_content": SPAM, "comment_context[0]": "cooking", "comment_context[1]": "food"}
    check(client.post("/1.1/comment-check", data=fields, content_type="multipart/form-data"), b"true")
    raw = "&".join(f"{quote(name)}={quote(value)}" for name, value in fields.items())
    check(client.post("/1.1/comment-check", data=raw, headers={"Content-Type": ""}), b"true")
    check(client.post("/1.1/comment-check?" + raw), b"true")


def test_check_without_what_is_needed_names_it(form: Any) -> None:
    for name in ("blog", "user_ip"):
        answer = check(form("comment-check", **{name: None}), f"Missing required field: {name}.".encode())
        assert answer.headers[HELP] == f"Missing required field: {name}."


@pytest.mark.parametrize(
    "fields",
    [
        {"comment_content": ""},
        {"comment_content": "a\x00b", "comment_author": "\x00"},
        {"comment_content": "<" * 50_000},
        {"comment_content": "[x](http://a.example)" * 3_000},
        {"comment_author": "n" * 20_000, "comment_author_email": "@" * 5_000, "comment_author_url": "javascript:1"},
        {"user_ip": "::1%eth0"},
        {"user_ip": "not an address; DROP TABLE"},
        {"blog": "\u202e" * 2_000},
        {"honeypot_field_name": "honeypot_field_name"},
        {"comment_content": "\u0300" * 20_000},
    ],
)
def test_check_of_hostile_fields_answers(form: Any, fields: dict[str, str]) -> None:
    answer = form("comment-check", **fields)
    assert answer.status_code == 200
    assert answer.get_data() in (b"true", b"false")


def test_check_stores_no_comment_and_logs_no_text(form: Any, parts: Any, capfd: pytest.CaptureFixture[str]) -> None:
    form("comment-check", comment_content="Xylophonic secrecy", comment_author_email="ana@example.org")
    form("submit-spam", comment_content="Xylophonic secrecy", comment_author="Anastasia")
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Comment)) == 0
        rows = [str(dict(row._mapping)) for row in session.execute(sa.select(LearnedStep.__table__))]
    logged = "".join(capfd.readouterr())
    for private in ("Xylophonic", "ana@example.org", "Anastasia", READER_IP):
        assert private not in logged
        assert not any(private in row for row in rows)


# --- wrong methods, sizes, rates


def test_call_with_wrong_method_or_path_answers_as_text(client: Any, keys: Keys) -> None:
    for method, path in (("GET", "/1.1/comment-check"), ("PUT", "/1.1/verify-key"), ("POST", "/1.2/usage-limit")):
        answer = check(client.open(path, method=method), b"invalid", 405)
        assert answer.headers["Allow"]
    check(client.post("/1.1/nothing"), b"invalid", 404)


def test_call_with_too_large_a_body_or_too_many_fields_is_refused_as_text(client: Any, keys: Keys) -> None:
    large = {**needed(keys), "comment_content": "x" * 300_000}
    check(client.post("/1.1/comment-check", data=large), b"invalid", 413)
    many = "&".join(f"f{n}=1" for n in range(2_000))
    check(client.post("/1.1/comment-check", data=many, content_type=CONTENT_TYPE), b"invalid", 400)
    answer = client.post("/1.1/comment-check", data=b"x", headers={"Content-Encoding": "gzip"})
    check(answer, b"invalid", 415)


def test_call_above_the_rate_is_429_for_this_key_alone(form: Any, parts: Any, keys: Keys) -> None:
    sites.change_site(parts, CLI, "news", settings={"scorer_rate": "2/minute"})
    second = accounts.add_token(parts, CLI, "news", "scorer")["token"]
    answers = [form("comment-check", comment_content=CALM) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert answers[2].mimetype == "text/plain"
    assert form("submit-spam", comment_content=SPAM).status_code == 429
    assert learning.show(parts, CLI, "news")["decisions"] == 0
    check(form("comment-check", api_key=second), b"false")
    assert form("usage-limit", path="/1.2/").status_code == 405


# --- teaching


def decisions(parts: Any, site: str = "news") -> int:
    return int(learning.show(parts, CLI, site)["decisions"])


def totals(parts: Any) -> tuple[int, ...]:
    return tuple(learning.export(parts, CLI, "news")["totals"])


def test_submit_is_taught_once_and_taken_back_by_the_opposite(form: Any, parts: Any) -> None:
    before = learning.export(parts, CLI, "news")["counts"]
    check(form("submit-spam", comment_content="Seven herbs of Odwe"), THANKS)
    spam = totals(parts)
    assert (decisions(parts), spam[0], spam[1] > 0) == (1, 0, True)
    check(form("submit-spam", comment_content="Seven herbs of Odwe"), THANKS)
    assert (decisions(parts), totals(parts)) == (1, spam)
    check(form("submit-ham", comment_content="Seven herbs of Odwe"), THANKS)
    fine = totals(parts)
    assert (decisions(parts), fine[0] > 0, fine[1]) == (1, True, 0)
    check(form("submit-spam", comment_content="Seven herbs of Odwe"), THANKS)
    assert (decisions(parts), totals(parts)) == (1, spam)
    assert learning.export(parts, CLI, "news")["counts"] != before
    assert decisions(parts, "other") == 0


def test_submit_of_a_test_or_of_nothing_teaches_nothing(form: Any, parts: Any) -> None:
    for value in ("1", "true", "True"):
        check(form("submit-spam", comment_content=SPAM, is_test=value), THANKS)
    check(form("submit-ham"), THANKS)
    assert decisions(parts) == 0
    check(form("submit-spam", comment_content=SPAM, is_test="False"), THANKS)
    assert decisions(parts) == 1


def test_submit_where_the_site_does_not_learn_is_thanked_for(form: Any, parts: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"learning": False})
    check(form("submit-spam", comment_content=SPAM), THANKS)
    assert decisions(parts) == 0


def test_submit_goes_into_the_audit_log_without_the_text(form: Any, parts: Any) -> None:
    form("submit-spam", comment_content="Seven herbs of Odwe")
    (line,) = [one for one in moderate.list_audit(parts, CLI, "news")["items"] if one["action"] == "learned.teach"]
    assert line["data"] == {"label": "spam"}
    assert "herbs" not in str(line)


def test_submitted_spam_changes_the_verdict_on_its_kind(form: Any) -> None:
    """What nobody but this site calls spam: after some submissions it is told as spam."""
    places = [f"{name} {place}" for name in ("Odwe", "Amara", "Kofi", "Zuri") for place in ("Accra", "Kumasi", "Tema")]
    kind = "Greetings, the herbs of priest {} helped my family, contact the temple"
    check(form("comment-check", comment_content=kind.format("Baba of Lome")), b"false")
    for turn, place in enumerate(places * 3):
        form("submit-spam", comment_content=f"{kind.format(place)} on day {turn}")
        form("submit-ham", comment_content=f"The council of {place} met on day {turn} about the harbour and the school")
    check(form("comment-check", comment_content=kind.format("Baba of Lome")), b"true")
    check(form("comment-check", comment_content="The council met about the school and the ferry"), b"false")


def test_submit_from_many_threads_leaves_one_lesson(app: Any, form: Any, keys: Keys, parts: Any) -> None:
    statuses: list[int] = []

    def send(call: str) -> None:
        with app.test_client() as client:
            answer = client.post(f"/1.1/{call}", data={**needed(keys), "comment_content": "Seven herbs"})
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=send, args=(call,)) for call in ("submit-spam", "submit-ham") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert decisions(parts) == 1


# --- 1.2


def test_usage_counts_verdicts_by_the_sites_own_origins(form: Any, client: Any, parts: Any, keys: Keys) -> None:
    form("comment-check", comment_content=SPAM)
    form("comment-check", comment_content=CALM)
    form("comment-check", comment_content=CALM, blog="https://elsewhere.example/blog")
    form("submit-spam", comment_content=CALM)
    form("submit-ham", comment_content=SPAM)
    used = client.get(f"/1.2/usage-limit?api_key={keys.own}").get_json()
    assert used == {"limit": "none", "usage": 3, "percentage": "0.00", "throttled": False}
    month = parts.clock().strftime("%Y-%m")
    listed = client.get(f"/1.2/key-sites?api_key={keys.own}").get_json()
    own = {"site": "news.example", "api_calls": 4, "spam": 1, "ham": 1, "missed_spam": 1, "false_positives": 1}
    others = {"site": "news", "api_calls": 1, "spam": 0, "ham": 1, "missed_spam": 0, "false_positives": 0}
    rows = [{**own, "is_revoked": False}, {**others, "is_revoked": False}]
    assert listed == {month: rows, "limit": 500, "offset": 0, "total": 2}
    some = client.get(f"/1.2/key-sites?api_key={keys.own}&filter=NEWS.ex&limit=1&offset=0&order=spam&month={month}")
    assert some.get_json() == {month: rows[:1], "limit": 1, "offset": 0, "total": 1}
    paper = client.get(f"/1.2/key-sites?api_key={keys.own}&format=csv")
    assert paper.content_type == "text/csv; charset=utf-8"
    assert paper.text.splitlines()[1:] == [
        "Site,Total API Calls,Spam,Ham,Missed Spam,False Positives,Is Revoked",
        "news.example,4,1,1,1,1,false",
        "news,1,0,1,0,0,false",
    ]
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(KeyUsage)) == 2


def test_usage_of_another_month_is_empty_and_nonsense_is_invalid(client: Any, form: Any, keys: Keys) -> None:
    form("comment-check", comment_content=CALM)
    assert client.get(f"/1.2/key-sites?api_key={keys.own}&month=2020-01").get_json()["2020-01"] == []
    for wrong in ("month=2026-13", "order=size", "limit=0", "limit=501", "limit=x", "offset=-1", "offset=\u0663"):
        answer = check(client.get(f"/1.2/key-sites?api_key={keys.own}&{wrong}"), b"invalid")
        assert wrong.partition("=")[0] in answer.headers[HELP]
    check(client.get("/1.2/usage-limit?api_key=wrong"), b"invalid")
    check(client.get("/1.2/usage-limit"), b"Missing required field: api_key.")


def test_usage_says_throttled_above_the_rate(client: Any, form: Any, keys: Keys, parts: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"scorer_rate": "1/hour"})
    form("comment-check", comment_content=CALM)
    assert client.get(f"/1.2/usage-limit?api_key={keys.own}").get_json()["throttled"] is True
