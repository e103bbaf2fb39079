"""The detector of languages answers as py3langid does, from less memory."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from moderation.scoring.detector import Detector
from moderation.scoring.languages import NAMES, detector

MEMORY_MB = 60

SENTENCES = """
The bridge was closed for two months, and nobody told the shops.
Die Brücke war zwei Monate lang gesperrt, und keiner sagte es den Läden.
A ponte ficou fechada durante dois meses e ninguém avisou as lojas.
Le pont a été fermé pendant deux mois et personne n'a prévenu les magasins.
El puente estuvo cerrado dos meses y nadie avisó a las tiendas.
Most dwa miesiące był zamknięty i nikt nie powiedział sklepom.
Мост был закрыт два месяца, и никто не предупредил магазины.
Мостът беше затворен два месеца и никой не каза на магазините.
Η γέφυρα ήταν κλειστή για δύο μήνες και κανείς δεν το είπε στα μαγαζιά.
הגשר היה סגור חודשיים ואף אחד לא הודיע לחנויות.
كان الجسر مغلقا لمدة شهرين ولم يخبر أحد المتاجر.
पुल दो महीने तक बंद था और किसी ने दुकानों को नहीं बताया।
সেতুটি দুই মাস বন্ধ ছিল এবং কেউ দোকানগুলিকে জানায়নি।
பாலம் இரண்டு மாதங்கள் மூடப்பட்டிருந்தது.
สะพานปิดสองเดือนและไม่มีใครบอกร้านค้า
桥关闭了两个月，没有人告诉商店。
橋は二か月閉鎖され、誰も店に知らせなかった。
다리는 두 달 동안 폐쇄되었고 아무도 가게에 알리지 않았다.
Cầu bị đóng cửa hai tháng và không ai báo cho các cửa hàng.
Silta oli kiinni kaksi kuukautta, eikä kukaan kertonut kaupoille.
Köprü iki ay kapalıydı ve kimse dükkânlara haber vermedi.
Most je bio zatvoren dva mjeseca i nitko nije rekao trgovinama.
Мост је био затворен два месеца и нико није рекао продавницама.
""".strip().split("\n")
WORDS = [word for sentence in SENTENCES for word in sentence.split()]


@pytest.fixture(scope="module")
def library() -> LanguageIdentifier:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    whole.set_languages(NAMES)
    return whole


@pytest.mark.parametrize("text", SENTENCES)
def test_tell_a_sentence_as_py3langid_does(library: LanguageIdentifier, text: str) -> None:
    for part in (text, text[:12], text.upper(), text * 9):
        assert detector()(part) == library.classify(part)


MIXED = st.one_of(
    st.text(max_size=200),
    st.text(st.characters(max_codepoint=0x2FF), max_size=200),
    st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=60).map(" ".join),
)


@given(MIXED)
@example("")
@example("\ud800a")
@example("\0")
def test_tell_any_text_as_py3langid_does(library: LanguageIdentifier, text: str) -> None:
    assert detector()(text) == library.classify(text)


def test_make_a_detector_every_move_is_the_library_s() -> None:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    made = Detector(whole, NAMES)
    to = np.frombuffer(whole.tk_nextmove, f"u{whole.tk_nextmove.itemsize}")
    parts = np.frombuffer(made._parts, np.uint32)[:, None] + np.arange(16, dtype=np.uint32)
    assert np.array_equal(np.frombuffer(made._features, np.int32)[parts.ravel()], np.array(whole.tk_output)[to])
    rows = np.frombuffer(whole.tk_row, f"u{whole.tk_row.itemsize}").astype(np.uint32) * 16
    assert np.array_equal(np.frombuffer(made._rows, np.uint32)[parts.ravel()], rows[to])


MEASURE = """
import re
from pathlib import Path
from moderation.scoring import pipeline

def resident_mb():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

before = resident_mb()
made = pipeline.Pipeline()
made.prepare()
for number in range(3_000):
    made.signals(pipeline.Candidate(f"wort{number} palavra{number} word{number} of the x{number} and the y{number}"))
print(resident_mb() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_load_all_models_and_judge_many_words_within_the_memory_of_a_process() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=120)
    assert float(done.stdout) < MEMORY_MB
