"""Promises of the one normalisation: nothing hides, nothing that people write is lost, and twice is once."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moderation.domain.text import normalise_body, normalise_line, read_body, reader_length
from moderation.errors import Invalid

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

UNCHANGED = {
    "persian with zwnj": "می\u200cخواهم کتاب\u200cها را ۲۰\u200cساله بخوانم",
    "devanagari": "क्षत्रिय ने किताब पढ़ी। क्\u200dष और क्\u200cष",
    "bengali ya-phalaa": "র\u200d্যাম",
    "family": f"my {FAMILY} says hello",
    "flag and heart": "🇮🇷 ❤️\u200d🔥 👩🏽\u200d💻 🏳️\u200d🌈",
    "flag of england": f"{ENGLAND} won",
    "keycap": "1️⃣ then 2️⃣",
    "burmese": "မြို့ကျွန်ုပ်",
    "tibetan": "སངས་རྒྱས",
    "hebrew with points": "בְּרֵאשִׁית בָּרָא",
    "arabic with marks": "بِسْمِ ٱللَّهِ",
    "thai": "ที่นี่ น้ำ",
    "vietnamese": "Nguyễn Thị Phượng",
    "korean": "안녕하세요",
    "balanced isolates": "he said \u2067שלום\u2069 to me",
    "marks of direction": "C++\u200e is \u200fעברית",
    "tab and newlines": "a\tb\n\n\nc",
    "no-break space": "10\u00a0km",
    "private use": "a\ue000b",
    "full width": "＜ｓｃｒｉｐｔ＞",
}

CHANGED = {
    "decomposed": ("e\u0301", "é"),
    "crlf": ("a\r\nb\rc", "a\nb\nc"),
    "unicode line breaks": ("a\u2028b\u2029c\x85d\x0be\x0cf", "a\nb\nc\nd\ne\nf"),
    "nul": ("a\x00b", "ab"),
    "c0 and c1": ("a\x01\x08\x1b\x7f\x80\x9fb", "ab"),
    "bom": ("\ufeffa\ufeffb", "ab"),
    "tag characters": ("a\U000e0001\U000e0041\U000e007fb", "ab"),
    "tags that are no flag": ("\U0001f3f4\U000e0041\U000e007f", "\U0001f3f4"),
    "noncharacters": ("a\ufdd0\uffff\U0001fffe\U0010ffffb", "ab"),
    "zero width and soft hyphen": ("v\u200bi\u2060a\u00adg\u034fra", "viagra"),
    "fillers": ("a\u3164\uffa0b", "ab"),
    "overrides": ("a\u202egpj.exe\u202c b\u202a\u202b\u202d", "agpj.exe b"),
    "isolate left open": ("a \u2067b", "a b"),
    "isolate closed twice": ("a \u2067b\u2069\u2069", "a b"),
    "isolate closed before it opens": ("\u2069a\u2066", "a"),
    "isolate closed in another line": ("\u2067a\nb\u2069", "a\nb"),
    "isolates too deep": ("\u2067" * 9 + "a" + "\u2069" * 9, "a"),
    "joiners of nothing": ("\u200da \u200c. \u200d\u200d-b\u200c", "a . -b"),
    "joiners twice": ("می\u200c\u200c\u200dخواهم", "می\u200cخواهم"),
    "zalgo": ("Z" + "\u0335" * 30 + "a", "Z" + "\u0335" * 4 + "a"),
    "zalgo behind joiners": ("Z" + "\u0335\u200d" * 30 + "a", "Z\u0335\u200d\u0335\u200d\u0335\u200d\u0335\u200da"),
    "stacked thai tones": ("ก" + "\u0e49" * 20, "ก" + "\u0e49" * 4),
    "blank around": (" \n\t\u3000\u2800a b\u00a0\n ", "a b"),
    "mark on nothing": ("\u0301\u0301a", "a"),
}

NOTHING = [
    "",
    " ",
    "\n\t",
    "\u200b",
    "\u3164",
    "\u2800",
    "\u115f\u1160",
    "\ufe0f",
    "\u2067 \u2069",
    "\u0301",
    "\u200d",
    "\u200e",
    "\x00",
]


@pytest.mark.parametrize("text", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_normalise_body_what_people_write_stays(text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)
    assert normalise_body(text) == text


@pytest.mark.parametrize(("raw", "expected"), CHANGED.values(), ids=CHANGED.keys())
def test_normalise_body_what_hides_goes(raw: str, expected: str) -> None:
    assert normalise_body(raw) == expected


@pytest.mark.parametrize("raw", NOTHING)
def test_normalise_text_that_shows_nothing_is_empty(raw: str) -> None:
    assert (normalise_body(raw), normalise_line(raw, "author.name")) == ("", "")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  Ana\n\tMaria \u00a0 Lopez ", "Ana Maria Lopez"),
        ("Ana\u2028Lopez", "Ana Lopez"),
        ("\u202eanA\u202c \u2067x\u2069\u200e\u200f\u061c", "anA x"),
        ("A\u200bn\u00ada\ufeff", "Ana"),
        ("مینا\u200cسادات", "مینا\u200cسادات"),
        (f"Ana {FAMILY}", f"Ana {FAMILY}"),
        ("Jose\u0301", "José"),
        ("<b>Ana</b>", "<b>Ana</b>"),
        ("Z" + "\u0335" * 30, "Z" + "\u0335" * 4),
    ],
)
def test_normalise_line_any_name_is_one_plain_line(raw: str, expected: str) -> None:
    assert normalise_line(raw, "author.name") == expected


def test_normalise_lone_surrogate_is_invalid_in_its_field() -> None:
    with pytest.raises(Invalid) as body:
        normalise_body("a\ud800b")
    with pytest.raises(Invalid) as name:
        normalise_line("\udfff", "author.name")
    assert (list(body.value.fields), list(name.value.fields)) == (["body"], ["author.name"])


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("abc", 3),
        ("a\r\nb", 3),
        ("é", 1),
        ("Z" + "\u0335" * 4, 1),
        (FAMILY, 1),
        (ENGLAND, 1),
        ("🇮🇷🇩🇪", 2),
        ("🇮🇷🇩", 2),
        ("👍🏽", 1),
        ("நி", 1),
        ("می\u200cخواهم", 7),
        ("한국", 2),
    ],
)
def test_reader_length_counts_what_a_reader_sees(text: str, length: int) -> None:
    assert reader_length(text) == length


def test_read_body_gives_source_and_length_of_the_same_text() -> None:
    text = read_body(f" e\u0301{FAMILY}\x00 ")
    assert (text.source, text.length) == (f"é{FAMILY}", 2)


_AWKWARD = st.text(
    st.one_of(
        st.sampled_from(
            "a=<1 .\n\t\r\u0301\u0338\u0335\u200c\u200d\u2066\u2067\u2068\u2069\u202e\u200e\ufe0f\u103b\u102d\u0e49"
            "☺\u1100\u1161\u11a8\u115f\u1160\u2800\u3164़क्ی\xa8\xa0"
        ),
        st.sampled_from([FAMILY[0], ENGLAND[0], *ENGLAND[1:], "\U0001f3fd", "\U0001f1e9", "\U0001d15e", "\U0001d165"]),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(_AWKWARD)
@example("=\u200d\u0338\u200da")
@example("=" + "\u0338\u200d" * 12 + "a")
@example("\u0301\u200d\u2067\u2069a")
@example("\xa8\u200d\u0301\u200da")
def test_normalise_twice_is_the_same_as_once(raw: str) -> None:
    body, line = normalise_body(raw), normalise_line(raw, "title")
    assert normalise_body(body) == body
    assert normalise_line(line, "title") == line
    assert unicodedata.is_normalized("NFC", body)
    assert unicodedata.is_normalized("NFC", line)
    assert normalise_line(normalise_body(raw), "title").count("\n") == 0


SLOW = {
    "blank at the end": "a" + " " * 10_000,
    "no-break blank at the end": "a" + "\u00a0" * 10_000,
    "blank inside": "a" + "\u00a0" * 10_000 + "b",
    "marks": "a" + "\u0301" * 10_000,
    "joined letters": "a\u200d" * 5_000,
    "joined marks": "=" + "\u0338\u200d" * 5_000,
    "regional indicators": "\U0001f1e9" * 10_000,
    "isolates": "\u2067\u2069" * 5_000,
    "hangul": "\u1100" * 10_000,
    "devanagari": "क्" * 5_000,
    "broken flags": "\U0001f3f4\U000e0067" * 5_000,
}


@pytest.mark.parametrize("raw", SLOW.values(), ids=SLOW.keys())
def test_read_body_hostile_text_takes_little_time(raw: str) -> None:
    start = time.process_time()
    read_body(raw)
    assert time.process_time() - start < 0.25
