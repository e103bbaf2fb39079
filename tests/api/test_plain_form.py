"""A reply without script: taken and sent back to the article, or a page that says what is wrong and loses nothing."""

import html
from urllib.parse import urlsplit

import pytest

URL = "/sites/news/reply"
OWN = "https://news.example"
ARTICLE = f"{OWN}/2025/07/arms-pause"
FORM = {
    "author": "Ana",
    "email": "ana@example.org",
    "url": "",
    "comment": "A calm remark from a plain form.",
    "comment_parent": "0",
    "thread": "2025/07/arms-pause",
    "return_to": ARTICLE,
}


def test_reply_is_taken_and_leads_back_to_the_article(client, people):
    answer = client.post(URL, data=FORM, headers={"Origin": OWN})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{ARTICLE}?comment=pending#respond"
    (item,) = client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"]
    assert item["body"] == FORM["comment"]
    assert item["thread"]["url"] == ARTICLE


def test_reply_to_a_comment_hangs_below_it(client, people, approved):
    answer = client.post(URL, data={**FORM, "comment_parent": approved["id"]})
    assert answer.status_code == 303
    (item,) = client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"]
    assert item["parent"]["id"] == approved["id"]


def test_reply_twice_keeps_one_mark_in_the_address(caller, everybody):
    back = f"{ARTICLE}?page=2&comment=pending#respond"
    answer = caller.post(URL, data={**FORM, "return_to": back})
    assert answer.headers["Location"] == f"{ARTICLE}?page=2&comment=pending#respond"


def test_reply_sent_by_two_clicks_is_one_comment(client, people):
    first, second = client.post(URL, data=FORM), client.post(URL, data=FORM)
    assert first.headers["Location"] == second.headers["Location"]
    client.post(URL, data={**FORM, "author": "Ben"})
    assert len(client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"]) == 2


def test_reply_that_is_public_at_once_leads_to_itself(client, people):
    settings = {"policy": "auto", "approve_below": 0.9, "spam_from": 0.95}
    client.patch("/api/v1/sites/news", json={"settings": settings}, headers=people.bearer("admin"))
    answer = client.post(URL, data=FORM)
    page = client.get("/api/v1/sites/news/comments?thread=2025/07/arms-pause").get_json()
    marks = [f"{ARTICLE}#comment-{one['id']}" for one in page["comments"]]
    # Where a part of the scorer is unavailable, it is held; both lead back to the article.
    assert answer.headers["Location"] in [*marks, f"{ARTICLE}?comment=pending#respond"]


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https://news.example@evil.example/",
        "https://news.example:8443/",
        "https://news.example.evil.example/",
        "http://news.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        " https://evil.example/",
        "https://news.example\\@evil.example/",
        "https://evil.example#https://news.example/",
        "https://news.example\t.evil.example/",
        "",
    ],
)
def test_reply_never_leads_to_a_foreign_page(caller, everybody, return_to):
    answer = caller.post(URL, data={**FORM, "return_to": return_to})
    assert answer.status_code in {200, 422}
    assert "Location" not in answer.headers
    assert "evil.example" not in html.unescape(answer.text).replace(return_to, "") or answer.status_code == 200


def test_reply_with_line_breaks_in_the_address_adds_no_header(caller, everybody):
    answer = caller.post(URL, data={**FORM, "return_to": f"{ARTICLE}\r\nSet-Cookie: a=b"})
    assert "Set-Cookie" not in answer.headers
    assert "Location" not in answer.headers


def test_reply_without_return_to_leads_to_the_threads_own_page(caller, everybody):
    form = {name: value for name, value in FORM.items() if name != "return_to"} | {"thread_url": ARTICLE}
    answer = caller.post(URL, data=form)
    assert urlsplit(answer.headers["Location"])._replace(query="", fragment="").geturl() == ARTICLE


def test_reply_with_a_fault_shows_it_and_gives_back_what_was_typed(caller, everybody):
    typed = 'My "long" <b>text</b> & <script>alert(1)</script></textarea><img src=x onerror=alert(1)>'
    answer = caller.post(URL, data={**FORM, "email": "not an address", "comment": typed})
    assert answer.status_code == 422
    assert answer.mimetype == "text/html"
    assert "Email" in answer.text
    assert "<script" not in answer.text
    assert "<img src=x" not in answer.text
    assert typed in html.unescape(answer.text)
    assert f'href="{ARTICLE}"' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("missing", ["author", "comment", "thread"])
def test_reply_without_what_is_needed_says_so(caller, everybody, missing):
    answer = caller.post(URL, data={name: value for name, value in FORM.items() if name != missing})
    assert answer.status_code == 422
    assert "Missing data" not in answer.text
    assert "required" in answer.text.lower()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://other.example"])
def test_reply_from_a_foreign_page_is_forbidden(caller, everybody, origin):
    answer = caller.post(URL, data=FORM, headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.mimetype == "text/html"


def test_reply_that_the_browser_calls_cross_site_without_origin_is_forbidden(caller, everybody):
    assert caller.post(URL, data=FORM, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_reply_from_a_browser_without_origin_is_taken(caller, everybody):
    assert caller.post(URL, data=FORM).status_code == 303


def test_reply_to_an_unknown_site_is_not_found(caller, everybody):
    assert caller.post("/sites/nobody/reply", data=FORM).status_code == 404


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_reply_of_another_type_is_unsupported(caller, everybody, content_type):
    assert caller.post(URL, data=b"--x--", content_type=content_type).status_code == 415


def test_reply_given_a_field_twice_is_refused(caller, everybody):
    assert caller.post(URL, data={**FORM, "comment": ["one", "two"]}).status_code == 422


def test_reply_with_a_null_character_is_refused(caller, everybody):
    assert caller.post(URL, data={**FORM, "comment": "a\x00b"}).status_code == 422


def test_reply_over_the_rate_says_when_to_try_again(client, people):
    limit = {"settings": {"submit_rate": "1/minute"}}
    client.patch("/api/v1/sites/news", json=limit, headers=people.bearer("admin"))
    assert client.post(URL, data=FORM).status_code == 303
    answer = client.post(URL, data=FORM)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert FORM["comment"] in answer.text


def test_reply_in_the_honeypot_looks_taken(caller, everybody):
    answer = caller.post(URL, data={**FORM, "website_confirm": "https://spam.example"})
    assert answer.status_code == 303


WORDPRESS = {
    "comment": "A calm remark from an old theme.",
    "author": "Ana",
    "email": "ana@example.org",
    "url": "",
    "wp-comment-cookies-consent": "yes",
    "submit": "Post Comment",
    "comment_post_ID": "4711",
    "comment_parent": "0",
    "_wp_unfiltered_html_comment": "f00",
}
"""What the form of WordPress's own themes sends."""


def test_form_of_a_wordpress_theme_is_taken_once_its_action_is_changed(client, people):
    answer = client.post(URL, data={**WORDPRESS, "redirect_to": ARTICLE}, headers={"Origin": OWN})
    assert answer.headers["Location"] == f"{ARTICLE}?comment=pending#respond"
    (item,) = client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"]
    assert (item["thread"]["key"], item["body"]) == ("4711", WORDPRESS["comment"])
    thanked = client.post(URL, data={**WORDPRESS, "author": "Ben"}, headers={"Origin": OWN, "Referer": f"{OWN}/"})
    assert thanked.status_code == 200
    assert "waits for a moderator" in thanked.text
    back = client.post(URL, data={**WORDPRESS, "author": "Cem"}, headers={"Origin": OWN, "Referer": ARTICLE})
    assert back.headers["Location"] == f"{ARTICLE}?comment=pending#respond"


def test_form_of_a_wordpress_theme_leads_to_no_foreign_page(caller, everybody):
    for foreign in ("https://evil.example/x", "//evil.example/x", "https://news.example@evil.example/x"):
        answer = caller.post(URL, data={**WORDPRESS, "redirect_to": foreign}, headers={"Referer": foreign})
        assert answer.status_code in {200, 422}
        assert "Location" not in answer.headers


def test_form_with_both_names_goes_by_ours(client, people):
    client.post(URL, data={**WORDPRESS, **FORM})
    (item,) = client.get("/api/v1/queue", headers=people.bearer("viewer")).get_json()["items"]
    assert item["thread"]["key"] == FORM["thread"]


def test_form_of_a_wordpress_theme_with_a_mistake_gets_a_readable_page(caller, everybody):
    answer = caller.post(URL, data={**WORDPRESS, "comment": " "})
    assert answer.status_code == 422
    assert answer.mimetype == "text/html"
    assert 'name="thread" value="4711"' in answer.text
