"""Text that hides, stacks or is none, through the API and the forms: the same answer on SQLite and on PostgreSQL."""

import json
import unicodedata
from urllib.parse import quote

from tests.conftest import submission_json

COMMENTS = "/api/v1/sites/news/comments"
LRI, RLI, PDI = "\u2066", "\u2067", "\u2069"

WRITTEN = {
    "persian with joiners": "می\u200cخواهم کتاب\u200cها را",
    "families": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f469\U0001f3fd\u200d\U0001f4bb",
    "devanagari": "क्षत्रिय क्\u200dष और क्\u200cष",
    "flags": "\U0001f1ee\U0001f1f7 \U0001f1e9\U0001f1ea \U0001f3f3\ufe0f\u200d\U0001f308",
    "flag of scotland": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "keycaps": "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "tamil, thai, burmese": "நி ที่ မြို့",
    "hebrew with points": "בְּרֵאשִׁית",
    "vietnamese": "Nguyễn Thị Phượng",
    "astral letters": "\U00020000\U0001d49c",
    "private use": "\ue000\U000f0000",
}

HIDING = {
    "overrides": ("A\u202ena\u202c", "Ana"),
    "embeddings": ("\u202aAna\u202b", "Ana"),
    "isolates": (f"{LRI}Ana{PDI}", "Ana"),
    "marks of direction": ("A\u200en\u200fa\u061c", "Ana"),
    "zero width": ("A\u200bn\u2060a\ufeff", "Ana"),
    "tags": ("Ana\U000e0041\U000e007f", "Ana"),
    "noncharacters": ("A\ufdd0n\uffffa\U0010ffff", "Ana"),
    "fillers": ("A\u3164na\uffa0", "Ana"),
    "variation selectors stay with what they vary": ("Ana \u2764\ufe0f", "Ana \u2764\ufe0f"),
    "stacked": ("AnZ" + "\u0335" * 60, "AnZ" + "\u0335" * 4),
    "decomposed": ("Jose\u0301", "Jos\u00e9"),
}

INVISIBLE = ["\u200b", "\u3164", "\u2800", "\u115f\u1160", "\u00ad", "\u180e", "\ufe0f", "\u0301", "\u200d\u200c"]
INVISIBLE += [f"{RLI}{PDI}", "\u202e", "\U000e0041", "\ufdd0", "\u2060\u2061\u2062", "\ufffa", " \u3000\u00a0 "]

NO_TEXT = {"half of a pair": "\\ud83d", "the other half": "\\ude00", "halves in the wrong order": "\\ude00\\ud83d"}


def sent(client, **changes):
    return client.post(COMMENTS, json=submission_json(**changes))


def stored(client, people, made):
    return client.get(f"/api/v1/comments/{made['id']}", headers=people.bearer("admin")).get_json()


def test_what_people_write_comes_back_as_it_was_written_in_every_field(client, people, decide):
    for text in WRITTEN.values():
        key = f"k/{text}"[:500]
        made = sent(client, body=text, author={"name": text}, thread={"key": key, "title": text}).get_json()
        whole = stored(client, people, made)
        assert (whole["body"], whole["author"]["name"], whole["thread"]["title"]) == (text, text, text)
        assert text in whole["body_html"]
        assert decide(made["id"]).status_code == 200
        listed = client.get(f"{COMMENTS}?thread={quote(key, safe='')}").get_json()
        assert [one["author"]["name"] for one in listed["comments"]] == [text]
        found = client.get(f"/api/v1/queue?state=approved&q={quote(text)}", headers=people.bearer("admin")).get_json()
        assert made["id"] in {one["id"] for one in found["items"]}


def test_what_hides_in_a_name_is_gone_before_it_is_stored(client, people):
    for raw, seen in HIDING.values():
        made = sent(client, body=f"By {raw}", author={"name": raw})
        assert made.status_code == 202, ascii(raw)
        whole = stored(client, people, made.get_json())
        assert whole["author"]["name"] == unicodedata.normalize("NFC", seen), ascii(raw)


def test_a_name_or_a_text_that_shows_nothing_is_refused_by_its_field(client, people):
    for nothing in INVISIBLE:
        for field, changes in (
            ("author.name", {"author": {"name": nothing}}),
            ("body", {"body": nothing}),
        ):
            answer = sent(client, **changes)
            assert answer.status_code == 422, (field, ascii(nothing))
            assert field in answer.get_json(force=True)["errors"], ascii(nothing)
        form = {"author": nothing, "comment": "A calm remark.", "thread": "k"}
        assert client.post("/sites/news/reply", data=form).status_code == 422, ascii(nothing)


def test_half_of_a_character_and_nul_are_refused_in_every_field(client, people):
    whole = json.dumps(submission_json(author={"name": "Ana", "email": "a@b.example", "url": "https://a.example/"}))
    texts = [
        "A calm and useful remark.",
        "Ana",
        "Arms pause",
        "2025/07/arms-pause",
        "a@b.example",
        "https://a.example/",
    ]
    for text in texts:
        for bad in (*NO_TEXT.values(), "\\u0000"):
            raw = whole.replace(f'"{text}"', f'"{text}{bad}"')
            assert raw != whole
            answer = client.post(COMMENTS, data=raw, content_type="application/json")
            assert answer.status_code in {400, 422}, (text, bad, answer.text)
    for path in ("/sites/news/reply", "/receipts"):
        form = b"author=A%00na&comment=a&thread=k&token=x&action=save&text=%00"
        answer = client.post(path, data=form, content_type="application/x-www-form-urlencoded")
        assert answer.status_code in {400, 404, 422}
    for raw in (
        b'{"body": "\xed\xa0\xbd"}',
        b'{"body": "\xf4\x90\x80\x80"}',
        b'{"body": "\xc0\x80"}',
        b'{"body": "\xff"}',
    ):
        answer = client.post("/api/v1/sites/news/preview", data=raw, content_type="application/json")
        assert answer.status_code == 400


def test_a_field_over_its_limit_is_refused_with_the_limit_and_never_cut(client, people):
    wide = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for field, most, changes in (
        ("author.name", 100, lambda text: {"author": {"name": text}}),
        ("author.url", 2_000, lambda text: {"author": {"name": "Ana", "url": f"https://a.example/{text}"}}),
        ("author.email", 320, lambda text: {"author": {"name": "Ana", "email": f"{text}@a.example"}}),
        ("thread.key", 500, lambda text: {"thread": {"key": text}}),
        ("thread.title", 500, lambda text: {"thread": {"key": "k", "title": text}}),
        ("thread.url", 2_000, lambda text: {"thread": {"key": "k", "url": f"https://a.example/{text}"}}),
        ("body", 10_000, lambda text: {"body": text}),
    ):
        for unit in ("a", "é", "\U0001f600", "e\u0301", wide, "&"):
            answer = sent(client, **changes(unit * (most // len(unit) + 20)))
            if answer.status_code == 202:
                # It shrank as it was normalised; then all of it is there.
                assert len(unit) > len(unicodedata.normalize("NFC", unit)), (field, ascii(unit))
                continue
            assert answer.status_code == 422, (field, ascii(unit))
            said = answer.get_json(force=True)["errors"][field]
            assert field in {"author.url", "author.email", "thread.url"} or any(
                f"{most}" in one or f"{most:,}" in one or "over the limit" in one for one in said
            ), (field, ascii(unit), said)


def test_a_text_at_its_limit_is_stored_whole(client, people):
    for text in ("a" * 10_000, "é" * 10_000, "\U0001f600" * 10_000, "a\u0301" * 10_000, "\u0958" * 5_000):
        answer = sent(client, body=text)
        if answer.status_code == 422:
            assert "body" in answer.get_json(force=True)["errors"]
            continue
        assert stored(client, people, answer.get_json())["body"] == unicodedata.normalize("NFC", text)
    name = "\U0001f600" * 100
    made = sent(client, author={"name": name}).get_json()
    assert stored(client, people, made)["author"]["name"] == name
