"""The language that a comment is written in, as far as its words tell. Offline, and the same text gets the same answer.

For the other files of this room: ``Case.language`` is what ``language_of`` says, made once for a comment. It is an
ISO 639-1 code (``"en"``, ``"de"``, ``"pt"``; all of them in ``NAMES``) or ``UNKNOWN``, ``"und"`` as in ISO 639-2. A
short text is ``UNKNOWN`` rather than guessed at: so a rule of one language had better be tried there too.

English comes first and for a few µs: a text with enough of its small words is not looked at any further. The others go
to py3langid, naive Bayes over n-grams of bytes, whose word counts only with some evidence beside it.
"""

import re
from functools import cache
from threading import Lock

from moderation.scoring.detector import Detector, load
from moderation.scoring.folding import Folded

ENGLISH, GERMAN, PORTUGUESE, UNKNOWN = "en", "de", "pt", "und"

READ_CHARS = 600
"""Characters that are looked at. What follows in another language is not noticed; the time is bounded."""

MIN_LETTERS = 10
"""Letters from which on a text in Latin letters may be told from English: below, "Danke" and "lol" say nothing."""

MIN_WORDS = 3
"""The same in words, for languages of which we have no small words to look for."""

FOREIGN_SHARE = 0.5
"""Share of letters outside the Latin script from which on a text counts as written in another script."""

NAMES = {
    "am": "Amharic",
    "ar": "Arabic",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "my": "Burmese",
    "ne": "Nepali",
    "nl": "Dutch",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""The languages that are told apart, and their names in English. The model knows twice as many; rare ones are left out,
since each is one more thing that a misspelt English word may be mistaken for. Galician is read as Portuguese, Malay as
Indonesian: told apart, neither would be sure."""

_WRITTEN_OTHERWISE = """
am ar be bg bn el fa gu he hi hy ja ka kk km kn ko lo mk ml mn mr my ne pa ru si sr ta te th uk ur zh
"""
_OTHER_SCRIPTS = frozenset(_WRITTEN_OTHERWISE.split())

# Small words in the form of the matching copy (no capitals, no accents).
_GERMAN_WORDS = """
der die das und ist nicht ich du sie wir ihr es ein eine einen einem einer eines den dem des zu mit auf fur von auch
aber oder wenn dass wie was wer wo warum so noch nur schon mal doch ja nein kein keine mehr sehr hat haben hatte sind
war waren wird werden kann konnen muss bei nach aus uber um als im am vom zum zur ins dann da hier jetzt immer wieder
alle alles diese dieser dieses mein meine dein deine sein seine unser euch uns mich dich mir dir ihm ihn ihnen man gegen
sich durch bis ohne etwas nichts viel heute denn weil bin bist hab habe sollte soll will wollen gibt geht einfach ganz
gut leute
"""

_PORTUGUESE_WORDS = """
o a os as um uma uns umas de do da dos das em no na nos nas e que nao com por para pra pro pelo pela se eu voce vc tu
ele ela eles elas meu minha seu sua teu tua mas ou como mais muito ta to tem ter foi ser sao sou era esta estao estou
isso isto esse essa este aquele quem quando onde porque pq so ja la ai me te lhe ao aos tudo todo toda todos nada bem
ate sem cara vai vou fazer tava kkk kkkk q n eh mt tbm hoje dia gente ne agora nunca sempre assim mesmo
"""

_ENGLISH_WORDS = """
the and that this is of to with you your you're it's its it i i'm are were not they them their what who which why how
when would could should can can't don't doesn't didn't isn't have has had been being from but because about just my he
she his her our we if than then there here all any some more most very get got know think like good make said say says
see go going people only even also into over out up by at on or really one want too dont cant u ur lol this. it. you.
that. shit fuck fucking wtf please thanks love never every another these those did does an yes off stop look let need
back ever still where much many other before again always well us thing things time way year years right wrong shut
gonna
"""

_SMALL_WORDS = {GERMAN: frozenset(_GERMAN_WORDS.split()), PORTUGUESE: frozenset(_PORTUGUESE_WORDS.split())}
_ENGLISH = frozenset(_ENGLISH_WORDS.split()).difference(*_SMALL_WORDS.values())

# Links, names, markup, and words with signs that only code has. Anchored at the start of a word: time is linear.
_NO_LANGUAGE = re.compile(r"https?://\S+|www\.\S+|@\w+|<[^<>]{1,200}>|(?<!\S)[^\s={}\\_;]*[={}\\_;]\S*|[#<>]")

_loading = Lock()


def language_of(folded: Folded) -> str:
    """The language of a text, a code of ``NAMES``, or ``UNKNOWN``. Takes any text; safe to call from several threads.

    Raises what the reading of py3langid's file raises, on the first doubtful text, if that file is damaged.
    """
    words = folded.text[:READ_CHARS].split()
    english = sum(map(_ENGLISH.__contains__, words))
    if english >= 2 and english * 4 >= len(words):
        return ENGLISH
    return _in_doubt(folded, words, english)


def is_foreign(text: str) -> bool:
    """Whether most letters of a matching copy are outside the Latin script."""
    if text.isascii():
        return False
    letters = [char for char in text[:5_000] if char.isalpha()]
    latin = sum(char <= "\u024f" or "\u1e00" <= char <= "\u1eff" for char in letters)
    return bool(letters) and latin < len(letters) * (1 - FOREIGN_SHARE)


def detector() -> Detector:
    """py3langid on the languages of ``NAMES``: a text's likeliest language and how likely it is, 0..1.

    Read on the first call, which takes half a second and 25 MB; what starts other processes calls it before it forks.
    """
    with _loading:
        return _detector()


def _in_doubt(folded: Folded, words: list[str], english: int) -> str:
    if is_foreign(folded.text):
        code, likely = detector()(folded.source[:READ_CHARS])
        return code if likely >= 0.6 and code in _OTHER_SCRIPTS else UNKNOWN
    if english and len(words) <= 4 and folded.source.isascii():
        return ENGLISH
    text = " ".join(_NO_LANGUAGE.sub(" ", folded.source[:READ_CHARS]).split())
    letters, count = sum(map(str.isalpha, text)), text.count(" ") + 1
    if letters < MIN_LETTERS or letters < 2 * count:
        return UNKNOWN
    code, likely = detector()(text.lower() if sum(map(str.isupper, text)) * 2 > letters else text)
    if code == ENGLISH:
        sure = likely >= 0.5
    elif code in _SMALL_WORDS:
        own = len(_SMALL_WORDS[code].intersection(words))
        backed = own > english and likely >= (0.2 if own >= 2 else 0.4)
        sure = backed or (not english and likely >= 0.9 and letters >= 2 * MIN_LETTERS)
    else:
        sure = likely >= 0.6 and english * 7 <= len(words) and count >= MIN_WORDS
    return code if sure and code not in _OTHER_SCRIPTS else UNKNOWN


@cache
def _detector() -> Detector:
    return load(NAMES)
