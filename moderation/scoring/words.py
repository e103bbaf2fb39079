"""Words: the built-in list (better-profanity) and a site's own rules.

A rule has a kind: ``word`` (literal, whole words unless ``*`` stands at an end), ``pattern`` (RE2), ``domain`` (with
its subdomains), ``author`` (whole name), ``network`` (CIDR), ``allow`` (a word or phrase that neither the built-in
list nor the site's words may object to). Its action is ``score`` (adds its weight), ``hold`` or ``spam``. Lists
(``literals.py``) do for tens of thousands of words what a rule does for one.
"""

import ipaddress
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from operator import add
from typing import Any
from unicodedata import normalize

import better_profanity
import idna
import re2
from publicsuffixlist import PublicSuffixList

from moderation.domain.policy import Evidence, Signal, Span, nothing, strictest
from moderation.errors import Bug, Invalid
from moderation.scoring.folding import Folded, fold_name
from moderation.scoring.languages import UNKNOWN
from moderation.scoring.literals import Literals, WordList, Words, check_literal, needle, spellings

MAX_VALUE_CHARS = 500
"""Longest value of a rule, in characters."""

MAX_PATTERNS = 200
"""Patterns of one site that run; some 2 µs each for 300 characters. More than these make the signal unavailable."""

PATTERN_WINDOW_BYTES = 10_000
"""UTF-8 bytes that a pattern sees at once. Longer texts are read in windows that overlap by ``MAX_VALUE_CHARS``."""

MAX_PATTERN_STEPS = 2_000
"""Size of a compiled pattern, in RE2's instructions. The worst of that size take some 50 ms for 10 kB."""

MAX_SPANS = 20
"""Places that one piece of evidence names; a moderator needs a few, a hostile text offers thousands."""

_MIN_V4_PREFIX, _KEPT_V4_PREFIX = 8, 24
_MIN_V6_PREFIX, _KEPT_V6_PREFIX = 16, 48
_PATTERN_MEMORY_BYTES = 1 << 20
_TOO_LARGE = "It is too large once its repetitions are written out. Use smaller numbers in '{...}', or '+'."

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


# --- the built-in list ---------------------------------------------------------------------------------------------

_HARMLESS = """
arian aryan bestial bondage bimbo boner breasts busty cipa cock cocks cowgirl cowgirls crap crotch cum damn dick
dink dong dopey drunk dummy dyke dykes ejaculation enlargement erect erection erotic facial fack fanny fart fat
feck fisted flange fondle foobar fubar gae gai ganja gay gays gey gigolo glans god goddam goddamn gonad gonads
gringo guido hell hemp herpes hitler hiv hoar hoare hoer homey hooch hookah hooker hooter hooters hump humped
hussy hymen inbred incest jerk jerked junkie junky kill kinky klan knob kraut labia lech len leper lesbians lez
lmao loin loins lube lust lusty mams masochist massa maxi menses menstruate menstruation meth molest muff murder
nad nads naked napalm nappy nazi nazism niggle nimrod ninny nipple nipples nob nude nudes omg opiate opium oral
orally organ orgasm ovary ovum ovums paddy panties panty pastie pasty pawn pcp pecker pedophile pedophilia pee
penetrate penetration penile penis perversion phallic pimp pinko playboy pms pollock poop pornography pot potty
prick prig pron prostitute prude pubic pubis punky puss pussies queer queers quicky racy rape raped raper raping
rapist rectal rectum rectus reefer reich revue rum rump sadism sadist sandbar schizo screw screwed screwing
scrotum scum seaman seamen seduce semen sex sexual shag sissy slave sleaze sleazy slope smut smutty snatch
sniper snuff sodom souse soused spac sperm spunk steamy stoned strip stroke stupid suck sucked sucking tampon
tawdry teat teste testes testicle testis threesome throating thrust thug tinkle tit titi toke toots tosser tramp
transsexual trashy tush ugly undies unwed urinal urine uterus uzi vagina valium virgin vixen vodka vomit voyeur
vulgar vulva wad wang wazoo wedgie weed weiner weirdo wench whiz willies willy womb woody wtf xx
"""
OFTEN_HARMLESS = frozenset(_HARMLESS.split())
"""Words of the list that mostly stand in decent sentences, or are rude at the worst. Ours, from reading the list."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of the built-in list found in a text: the word as the list has it, and where."""

    word: str
    start: int
    end: int


class Profanity:
    """better-profanity with an index: the same answers as its ``contains_profanity``, thousands of times faster.

    The library compares each word of a text with each of its 916 words, letter variants and all. Here its own letter
    mapping is closed to classes (a letter and all that may stand for it), a word is looked up by its classes, and the
    few listed words with equal classes are compared by the library itself. What counts as a word, and how up to
    ``MAX_NUMBER_COMBINATIONS`` following ones are joined, with and without what separates them, is the library's too.
    """

    def __init__(self, library: better_profanity.Profanity | None = None) -> None:
        library = library or better_profanity.Profanity()
        self._joined_words: int = library.MAX_NUMBER_COMBINATIONS
        self._classes = _Classes(library.CHARS_MAPPING)
        allowed = library.ALLOWED_CHARACTERS
        self._word = re.compile(_one_of(allowed) + "+")
        self._ascii_word = re.compile(_one_of(filter(str.isascii, allowed)) + "+")
        self._entries: dict[str, list[Any]] = {}
        self._prefixes: set[str] = set()
        for entry in library.CENSOR_WORDSET:
            key = str(entry).translate(self._classes)
            self._entries.setdefault(key, []).append(entry)
            self._prefixes.update(key[:length] for length in range(1, len(key)))
        self._openings = self._prefixes | self._entries.keys()
        self._likely = _Likely(library.CHARS_MAPPING, map(str, library.CENSOR_WORDSET), allowed)
        self._matching = lru_cache(maxsize=4_096)(self._compared)

    def contains_profanity(self, text: str) -> bool:
        """What ``better_profanity.Profanity().contains_profanity(text)`` answers."""
        return next(self.hits(text), None) is not None

    def hits(self, text: str, allowed: frozenset[str] = frozenset()) -> Iterator[Hit]:
        """The places that the library's ``censor`` would replace, in order, as if ``allowed`` were not on its list."""
        likely = self._likely.words(text)
        if not likely:
            return
        classes = text.translate(self._classes)
        find = self._ascii_word if text.isascii() else self._word
        words = [match.span() for match in find.finditer(text)]
        # The library never joins a word of one letter at the very end.
        joinable = len(words) - (bool(words) and words[-1] == (len(text) - 1, len(text)))
        free_from = 0
        for index in likely:
            start, end = words[index]
            key = classes[start:end]
            if key not in self._openings or index < free_from:
                continue
            word, last = None, index
            if key in self._prefixes and index + 1 < joinable:
                after, after_end = words[index + 1]
                # Most words end here: with the next one they are the beginning of nothing listed.
                if key + classes[after:after_end] in self._openings or classes[start:after_end] in self._openings:
                    run = words[index : min(index + 1 + self._joined_words, joinable)]
                    word, followers = self._joined(text, classes, run, allowed)
                    last += followers
            word = word or self._listed(key, text[start:end], allowed)
            if word is not None:
                yield Hit(word, start, words[last][1])
                free_from = last + 1

    def _joined(
        self, text: str, classes: str, run: Sequence[tuple[int, int]], allowed: frozenset[str]
    ) -> tuple[str | None, int]:
        """The listed word that the first word of ``run`` makes with some that follow, and with how many."""
        begin, end = run[0]
        spelled, key = text[begin:end], classes[begin:end]
        for followers, (start, end) in enumerate(run[1:], 1):
            spelled, key, whole = spelled + text[start:end], key + classes[start:end], classes[begin:end]
            word = self._listed(key, spelled, allowed) or self._listed(whole, text[begin:end], allowed)
            if word is not None:
                return word, followers
            if key not in self._prefixes and whole not in self._prefixes:
                break
        return None, 0

    def _listed(self, key: str, spelled: str, allowed: frozenset[str]) -> str | None:
        if key not in self._entries:
            return None
        matching = self._matching(key, spelled.lower())
        return next((word for word in matching if word not in allowed), None)

    def _compared(self, key: str, spelled: str) -> tuple[str, ...]:
        """The listed words that ``spelled`` is a variant of, by the library's own comparison; the same one first."""
        matching = [str(entry) for entry in self._entries[key] if entry == spelled]
        return tuple(sorted(matching, key=lambda word: (word != spelled, word)))


class _Likely:
    """A quick look for where listed words may begin: of most words of a text it is plain that none does.

    In words without signs and digits that stand for letters, a listed word must stand as it is but for a few letters
    that pass for each other (i and l, u and v). So whole words and pairs of neighbours are looked up in sets. A word
    with such a sign in it, "2000" too, is looked up by what all its letters and signs may stand for. Some of what is
    found is nothing; nothing is missed.
    """

    def __init__(self, variants: Mapping[str, Sequence[str]], listed: Iterable[str], allowed: Iterable[str]) -> None:
        listed, allowed = list(listed), list(allowed)
        if not all(map(str.isascii, listed)):
            raise Bug("better-profanity lists a word with other letters than those of ASCII; it would be missed.")
        self._foreign = re.compile(_one_of(char for char in allowed if not char.isascii()) + "+")
        signs = {char for stand_ins in variants.values() for char in stand_ins if not char.isalpha()}
        letters = _Classes({letter: [c for c in stand_ins if c.isalpha()] for letter, stand_ins in variants.items()})
        inside = [_FOREIGN, *filter(str.isascii, allowed)]
        self._cut = _table({char: _SIGN if char in signs else letters[ord(char)] for char in inside})
        anything = _Classes(variants)
        self._cut_any = _table({char: anything[ord(char)] for char in inside})
        entries = [entry.lower().encode() for entry in listed]
        self._words, self._pairs = _looked_up(entries, self._cut)
        self._any_words, self._any_pairs = _looked_up(entries, self._cut_any)

    def words(self, text: str) -> list[int]:
        """The numbers of the words with which a listed one may begin, in order."""
        text = text.replace(_FOREIGN, " ")
        if not text.isascii():
            text = self._foreign.sub(_FOREIGN, text.replace("\u212a", "k"))  # the sign for Kelvin is a capital k
        raw = text.encode("ascii", "replace")
        cut = raw.translate(self._cut).decode()
        words = cut.split()
        found: set[int] = set()
        if not self._words.isdisjoint(words):
            found.update([at for at, word in enumerate(words) if word in self._words])
        pairs = list(map(add, words, words[1:]))
        if not self._pairs.isdisjoint(pairs):
            found.update([at for at, pair in enumerate(pairs) if pair in self._pairs])
        if _SIGN in cut:
            signed = [at for at, word in enumerate(words) if _SIGN in word]
            words = raw.translate(self._cut_any).decode().split()
            found.update([at for at in signed if words[at] in self._any_words])
            beside = {*signed, *(at - 1 for at in signed if at)} - {len(words) - 1}
            found.update([at for at in beside if words[at] + words[at + 1] in self._any_pairs])
        return sorted(found)


_SIGN, _FOREIGN = "\x01", "\x02"


def _table(characters: Mapping[str, str]) -> bytes:
    """A translation of bytes: those characters to their classes, all others to blanks."""
    return bytes(ord(characters.get(chr(code), " ")) for code in range(256))


def _looked_up(entries: Iterable[bytes], cut: bytes) -> tuple[set[str], set[str]]:
    """The listed words of one word, and all that two words joined may be the opening of, whatever separates them."""
    words: set[str] = set()
    pairs: set[str] = set()
    for entry in entries:
        parts = entry.translate(cut).decode().split()
        words.update(parts[:1] if len(parts) == 1 else ())
        joined = "".join(parts)
        pairs.update(joined[:length] for length in range(2, len(joined) + 1))
    return words, pairs


class _Classes(dict[int, str]):
    """A translation to classes: lower case, then one letter for all that may stand for each other."""

    def __init__(self, variants: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._class_of: dict[str, str] = {}
        for letter, stand_ins in variants.items():
            if any(len(char) != 1 for char in (letter, *stand_ins)):
                raise Bug("better-profanity has a letter variant of several characters; the index cannot hold it.")
            self._merge({letter, *stand_ins})

    def _merge(self, letters: set[str]) -> None:
        touched = {self._class_of[char] for char in letters if char in self._class_of}
        letters |= {char for char, name in self._class_of.items() if name in touched}
        self._class_of.update(dict.fromkeys(letters, min(letters)))

    def __missing__(self, code: int) -> str:
        char = chr(code)
        lower = char.lower()
        # A capital whose small form has two characters is in no listed word; one character keeps the offsets.
        name = self[code] = self._class_of.get(lower, lower if len(lower) == 1 else char)
        return name


def _one_of(characters: Iterable[str]) -> str:
    """A character class in ranges: one by one, thousands of characters make the search thirty times slower."""
    codes = sorted(ord(char) for char in characters if len(char) == 1)
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges) + "]"


# --- rules: from rows to something that runs -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as it is stored. ``weight`` -1..1; ``action`` ``score``, ``hold`` or ``spam``.

    ``language`` (ISO 639-1): for comments in it alone, empty for all; ``exact``: in this very spelling, in the source;
    ``part``: also inside words.
    """

    id: str
    kind: str
    value: str
    action: str = "score"
    weight: float = 0.5
    language: str = ""
    exact: bool = False
    part: bool = False


@dataclass(frozen=True, slots=True)
class Spelled:
    """Rules of one kind for words: those for the folded copy and those for the source as it was typed."""

    folded: Literals[RuleRow]
    exact: Literals[RuleRow]

    def __bool__(self) -> bool:
        return bool(self.folded or self.exact)

    def places(self, body: Folded) -> Iterator[tuple[RuleRow, Span]]:
        """Each rule that occurs, with its place in the source.

        A folded rule is found as it is written and as it is meant, each in all readings of the text.
        """
        if self.folded:
            found = (
                (row, copy.span(start, end))
                for copy in body.readings
                for row, start, end in self.folded.places(copy.text)
            )
            yield from dict.fromkeys(found)
        for row, start, end in self.exact.places(body.source):
            yield row, Span(start, end)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a site, ready to run. ``broken``: kinds with a stored rule that does not compile (any more)."""

    words: Spelled
    allowed: Spelled
    allowed_words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    patterns: tuple[tuple[RuleRow, Any], ...] = ()
    domains: Mapping[str, RuleRow] = field(default_factory=dict)
    authors: Mapping[str, RuleRow] = field(default_factory=dict)
    networks: tuple[tuple[RuleRow, Network], ...] = ()
    lists: tuple[WordList, ...] = ()
    broken: frozenset[str] = frozenset()


def compile_rules(rows: Iterable[RuleRow], lists: Iterable[WordList] = ()) -> Rules:
    """Make rules ready to run; never raises for what is in a row. The last 64 sets are kept, so call it each time.

    A row that does not compile is left out and its kind is named in ``broken``: the signal for it is then unavailable.
    """
    compiled, lists = _compile(tuple(rows)), tuple(lists)
    return replace(compiled, lists=lists) if lists else compiled


@lru_cache(maxsize=64)
def _compile(rows: tuple[RuleRow, ...]) -> Rules:
    broken = {row.kind for row in rows if not _is_valid(row)}
    by_kind: dict[str, list[RuleRow]] = {kind: [] for kind in _CHECKS}
    for row in rows:
        if _is_valid(row):
            by_kind[row.kind].append(row)
    if len(by_kind["pattern"]) > MAX_PATTERNS:
        broken.add("pattern")
    return Rules(
        words=_spelled(by_kind["word"]),
        allowed=_spelled(by_kind["allow"]),
        allowed_words=_allowed_words(by_kind["allow"]),
        patterns=tuple((row, compile_pattern(row.value, exact=row.exact)) for row in by_kind["pattern"][:MAX_PATTERNS]),
        domains={domain_name(row.value): row for row in by_kind["domain"]},
        authors={fold_name(row.value): row for row in by_kind["author"]},
        networks=tuple((row, ipaddress.ip_network(row.value.strip())) for row in by_kind["network"]),
        broken=frozenset(broken),
    )


def _spelled(rows: Sequence[RuleRow]) -> Spelled:
    return Spelled(
        Literals(
            (needle(value, part=row.part), row) for row in rows if not row.exact for value in spellings(row.value)
        ),
        Literals((needle(as_typed(row.value), part=row.part), row) for row in rows if row.exact),
    )


def as_typed(value: str) -> str:
    """A value as it may stand in a comment's source: composed, with single blanks."""
    return " ".join(normalize("NFC", value).split())


def _allowed_words(rows: Sequence[RuleRow]) -> dict[str, frozenset[str]]:
    """The folded words that the built-in list may not object to, by language (empty: in all)."""
    words: dict[str, set[str]] = {}
    for row in rows:
        if not row.exact:
            words.setdefault(row.language, set()).add(fold_name(row.value).strip("*"))
    return {language: frozenset(found) for language, found in words.items()}


def speaks(wanted: str, language: str | None) -> bool:
    """Whether what was made for a language (empty: for all) counts in a comment. One that nobody can tell is in any."""
    return not wanted or language in {None, UNKNOWN, wanted}


def _is_valid(row: RuleRow) -> bool:
    try:
        validate_rule(row.kind, row.value, language=row.language, exact=row.exact, part=row.part)
    except Invalid:
        return False
    return -1 <= row.weight <= 1


# --- rules: checked when they are saved ----------------------------------------------------------------------------


def validate_rule(kind: str, value: str, *, language: str = "", exact: bool = False, part: bool = False) -> None:
    """Check a rule before it is saved. Raises ``Invalid`` by field, saying what to change."""
    check = _CHECKS.get(kind)
    if check is None:
        raise Invalid({"kind": [f"It is one of: {', '.join(_CHECKS)}."]})
    if len(value) > MAX_VALUE_CHARS:
        raise Invalid({"value": [f"It has {len(value)} characters; at most {MAX_VALUE_CHARS} are allowed."]})
    _check_options(kind, language, exact, part)
    try:
        check_literal(value, part=part) if kind in _LITERAL else check(value)
    except UnicodeError:
        raise Invalid({"value": ["It holds characters that are not valid text."]}) from None
    except ValueError as error:
        raise Invalid({"value": [str(error)]}) from None


def check_language(language: str) -> None:
    """Raise ``Invalid`` for what is neither empty nor two small letters, as ISO 639-1 names languages."""
    if language and not re.fullmatch("[a-z]{2}", language, re.ASCII):
        raise Invalid({"language": ["It is a code of two letters by ISO 639-1, such as 'de', or empty for all."]})


def _check_options(kind: str, language: str, exact: bool, part: bool) -> None:
    check_language(language)
    problems: dict[str, list[str]] = {}
    if kind not in {*_LITERAL, "pattern"}:
        says = f"A rule of kind '{kind}' has none: it is for words and patterns."
        problems |= {"language": [says]} if language else {}
        problems |= {"match": [says]} if exact else {}
    if part and kind not in _LITERAL:
        problems["part"] = [f"A rule of kind '{kind}' has none: it is for words."]
    if problems:
        raise Invalid(problems)


def _check_author(value: str) -> None:
    value.encode()
    if not fold_name(value):
        raise ValueError("It is empty, or holds only invisible characters. Write the whole name as it is shown.")


def _check_pattern(value: str) -> None:
    if not value.strip():
        raise ValueError("It is empty. Write a regular expression (RE2 syntax).")
    if compile_pattern(value).search("") is not None:
        raise ValueError("It matches the empty text, and so everything. Make a part of it obligatory: 'a+', not 'a*'.")


def compile_pattern(value: str, *, exact: bool = False, longest: bool = False) -> Any:
    """Compile for RE2, without case unless ``exact``; ``longest``: of several matches at a place the longest.

    Raises ``ValueError`` worded for a moderator.
    """
    options = re2.Options()
    options.case_sensitive = exact
    options.longest_match = longest
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY_BYTES
    try:
        pattern = re2.compile(value, options)
    except re2.error as error:
        raise ValueError(_explain(error)) from None
    if pattern.programsize > MAX_PATTERN_STEPS:
        raise ValueError(_TOO_LARGE)
    return pattern


def _explain(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if reason.startswith(("invalid perl operator: (?=", "invalid perl operator: (?!", "invalid perl operator: (?<")):
        return "Look-ahead and look-behind do not exist here (RE2). Match the words themselves, with '\\b' at the ends."
    if re.match(r"invalid escape sequence: \\[0-9]", reason):
        return "References back to a group ('\\1') do not exist here (RE2). Write the repeated part out."
    if reason.startswith(("pattern too large", "invalid repetition size")):
        return _TOO_LARGE
    return f"It is not a regular expression that RE2 can read: {reason}."


def domain_name(value: str) -> str:
    """The domain of a rule in lower case and ASCII. Raises ``ValueError`` worded for a moderator."""
    name = value.strip().lower().removeprefix("*.").strip(".")
    if not name or re.search(r"[\s/:@?#*]", name):
        raise ValueError("Write the bare host name, such as 'casino.example': no 'https://', path, port or '*'.")
    try:
        name = name if name.isascii() else idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("It is not a valid host name.") from None
    labels = name.split(".")
    if len(name) > 253 or not all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", label) for label in labels):
        raise ValueError("It is not a valid host name.")
    return name


def _check_domain(value: str) -> None:
    value.encode()
    name = domain_name(value)
    if SUFFIXES.is_public(name):
        raise ValueError(f"'{name}' is a public suffix: the domains of many people end in it. Write one domain.")


def _check_network(value: str) -> None:
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        raise ValueError("It is not a network. Write it like '203.0.113.0/24' or '2001:db8:1::/48'.") from None
    widest, kept = (_MIN_V4_PREFIX, _KEPT_V4_PREFIX) if network.version == 4 else (_MIN_V6_PREFIX, _KEPT_V6_PREFIX)
    if network.prefixlen > kept:
        wider = network.supernet(new_prefix=kept)
        raise ValueError(f"Addresses are known only as /{kept}, to keep readers private. Write '{wider}' or wider.")
    if network.prefixlen < widest:
        raise ValueError(f"It covers a large part of the world. At the widest it may be a /{widest}.")
    if str(network.network_address) != str(ipaddress.ip_address(value.strip().split("/")[0])):
        raise ValueError(f"It has bits behind its prefix. Did you mean '{network}'?")


SUFFIXES = PublicSuffixList(only_icann=True)
"""The public suffix list that ships with its package. Without its private part: a site may block ``blogspot.com``."""

_CHECKS: dict[str, Callable[[str], None]] = {
    "word": check_literal,
    "pattern": _check_pattern,
    "domain": _check_domain,
    "author": _check_author,
    "network": _check_network,
    "allow": check_literal,
}
_LITERAL = frozenset({"word", "allow"})

NO_RULES = compile_rules(())
"""The rules of a site that has none."""


# --- signals -------------------------------------------------------------------------------------------------------


_NO_WORDS: frozenset[str] = frozenset()
_NOT_LISTED = Signal("profanity", scores={"obscene": 0.0})


def profanity(listed: Profanity, body: Folded, rules: Rules, language: str | None = None) -> Signal:
    """Words of the built-in list, in the text as typed and in its matching copies.

    The list flags "god" and "gay" too, so the weight is small for words that are often harmless, and modest for all.
    ``obscene`` is a rule of thumb on the count of the other words, not a trained score.
    """
    shields = _Shields(body, rules, language)
    found = {span: word for word, span in _listed_places(listed, body, rules, language) if not shields.cover(span)}
    if not found:
        return _NOT_LISTED
    rude = {span: word for span, word in found.items() if word not in OFTEN_HARMLESS}
    mild = {span: word for span, word in found.items() if word in OFTEN_HARMLESS}
    weight = min(0.4, 0.2 + 0.05 * len(rude)) if rude else min(0.1, 0.05 * len(mild))
    obscene = min(0.9, 0.5 + 0.1 * len(rude)) if rude else min(0.2, 0.1 * len(mild))
    evidence = [_words_evidence("On the built-in word list", rude)] if rude else []
    evidence += [_words_evidence("On the built-in word list, though often harmless", mild)] if mild else []
    return Signal("profanity", round(weight, 4), tuple(evidence), {"obscene": round(obscene, 4)})


def _listed_places(listed: Profanity, body: Folded, rules: Rules, language: str | None) -> Iterator[tuple[str, Span]]:
    spoken = [words for wanted, words in rules.allowed_words.items() if speaks(wanted, language)]
    allowed = _NO_WORDS.union(*spoken) if spoken else _NO_WORDS
    lists = [entries for entries in _lists(rules, language, allow=True) if not entries.head.exact]
    for hit in listed.hits(body.source, allowed):
        if not any(entries.has(hit.word) for entries in lists):
            yield hit.word, Span(hit.start, hit.end)
    for copy in body.readings:
        if copy.differs and (copy is body or copy.text is not body.plain):
            for hit in listed.hits(copy.text, allowed):
                if not any(entries.has(hit.word) for entries in lists):
                    yield hit.word, copy.span(hit.start, hit.end)


def _lists(rules: Rules, language: str | None, *, allow: bool) -> list[WordList]:
    """The allow-lists, or the others, that count in a language."""
    return [
        entries
        for entries in rules.lists
        if (entries.head.action == "allow") == allow and speaks(entries.head.language, language)
    ]


def _words_evidence(lead: str, places: Mapping[Span, str]) -> Evidence:
    counts = Counter(places.values())
    words = ", ".join(f'"{word}"' for word in list(counts)[:MAX_SPANS])
    return Evidence(f"{lead}: {words}.", tuple(sorted(places, key=lambda s: s.start)[:MAX_SPANS]))


def site_words(body: Folded, rules: Rules, language: str | None = None) -> Signal:
    """The site's own words and phrases, single ones and those of its lists."""
    broken = bool(rules.broken & {"word", "allow"})
    if not (rules.words or rules.lists):
        return rules_signal("site_words", (), broken=broken)
    shields = _Shields(body, rules, language)
    found: dict[RuleRow, list[Span]] = {}
    for row, span in rules.words.places(body):
        if speaks(row.language, language) and not shields.cover(span):
            found.setdefault(row, []).append(span)
    evidence = [
        (row, Evidence(f'The site\'s word "{row.value}".', tuple(spans[:MAX_SPANS]))) for row, spans in found.items()
    ]
    evidence += _of_lists(body, _lists(rules, language, allow=False), shields)
    return rules_signal("site_words", evidence, broken=broken)


def _of_lists(body: Folded, lists: Sequence[WordList], shields: "_Shields") -> Iterator[tuple[RuleRow, Evidence]]:
    """For each list that has entries in the text one piece of evidence; its weight is the sum over these entries."""
    for entries, places in _list_places(body, lists):
        found = {span: entry for entry, span in places if not shields.cover(span)}
        if found:
            head = entries.head
            weight = sum(entries.weight(entry) for entry in set(found.values()))
            row = RuleRow(head.name, "word", head.name, head.action, weight)
            yield row, _words_evidence(f'On the site\'s list "{head.name}"', found)


def _list_places(body: Folded, lists: Sequence[WordList]) -> Iterator[tuple[WordList, Iterator[tuple[str, Span]]]]:
    """Each list with the places of its entries in the source; the words of the text are cut once."""
    typed = Words(body.source) if any(entries.head.exact for entries in lists) else None
    copies = [(copy, Words(copy.text)) for copy in body.readings] if any(not one.head.exact for one in lists) else []
    for entries in lists:
        if entries.head.exact and typed:
            yield entries, ((entry, Span(start, end)) for entry, start, end in entries.places(typed))
        else:
            yield entries, _in_copies(entries, copies)


def _in_copies(entries: WordList, copies: Sequence[tuple[Folded, Words]]) -> Iterator[tuple[str, Span]]:
    return ((entry, copy.span(start, end)) for copy, words in copies for entry, start, end in entries.places(words))


def site_patterns(body: Folded, rules: Rules, language: str | None = None) -> Signal:
    """The site's own patterns, on the text as typed and on its matching copies, all without case; exact ones on the
    text as typed alone, with case.

    Linear in the text (RE2). In texts over ``PATTERN_WINDOW_BYTES``, ``^`` and ``$`` also match where a window ends.
    """
    found: list[tuple[RuleRow, Evidence]] = []
    typed = windows(body.source) if rules.patterns else []
    copies = [(copy, windows(copy.text)) for copy in body.readings if copy.differs] if rules.patterns else []
    for row, pattern in rules.patterns:
        if not speaks(row.language, language):
            continue
        place = first_match(pattern, typed)
        span = Span(*place) if place else None
        if span is None and not row.exact:
            span = next((copy.span(*place) for copy, parts in copies if (place := first_match(pattern, parts))), None)
        if span is not None:
            found.append((row, Evidence(f"The site's pattern {row.value}", (span,))))
    return rules_signal("site_patterns", found, broken="pattern" in rules.broken)


def windows(text: str) -> list[tuple[int, bytes]]:
    """A text in parts of at most ``PATTERN_WINDOW_BYTES``, with where each begins; encoded once for all patterns."""
    window = PATTERN_WINDOW_BYTES if text.isascii() else PATTERN_WINDOW_BYTES // 4  # UTF-8: up to 4 bytes each
    offsets = range(0, max(len(text) - MAX_VALUE_CHARS, 1), window - MAX_VALUE_CHARS)
    return [(offset, text[offset : offset + window].encode()) for offset in offsets]


def first_match(pattern: Any, windows: Sequence[tuple[int, bytes]]) -> tuple[int, int] | None:
    """The first place is enough for a moderator, and keeps the cost flat."""
    for offset, encoded in windows:
        match = pattern.search(encoded)
        if match is not None:
            # "ignore": RE2's "\C" matches a single byte, which may be a part of a character.
            start = offset + len(encoded[: match.start()].decode(errors="ignore"))
            return start, start + len(match[0].decode(errors="ignore"))
    return None


def site_authors(name: str, rules: Rules) -> Signal:
    """Names that the site lists, compared whole and folded."""
    row = rules.authors.get(fold_name(name)) if rules.authors else None
    found = [(row, Evidence("The author's name is on the site's list."))] if row else []
    return rules_signal("site_authors", found, broken="author" in rules.broken)


def site_networks(ip_network: str, rules: Rules) -> Signal:
    """Networks that the site lists, if they contain the sender's truncated one (``203.0.113.0/24``; empty: unknown)."""
    found = []
    if rules.networks and ip_network:
        sender = ipaddress.ip_network(ip_network)
        found = [
            (row, Evidence("The sender's network is on the site's list."))
            for row, listed in rules.networks
            if _contains(listed, sender)
        ]
    return rules_signal("site_networks", found, broken="network" in rules.broken)


def rules_signal(name: str, found: Sequence[tuple[RuleRow, Evidence]], *, broken: bool) -> Signal:
    """What the matching rules say together: the sum of their weights in -1..1, and the strictest of their actions."""
    if not found and not broken:
        return nothing(name)
    forces = strictest({row.action for row, _ in found})
    weight = min(1.0, max(-1.0, sum(row.weight for row, _ in found)))
    evidence = tuple(evidence for _, evidence in found[:MAX_SPANS])
    return Signal(name, round(weight, 4), evidence, forces=forces, available=not broken)


def _contains(listed: Network, sender: Network) -> bool:
    if isinstance(listed, ipaddress.IPv4Network):
        return isinstance(sender, ipaddress.IPv4Network) and sender.subnet_of(listed)
    return isinstance(sender, ipaddress.IPv6Network) and sender.subnet_of(listed)


class _Shields:
    """The places of a site's allowed words in a text; what lies inside one of them is not objected to."""

    def __init__(self, body: Folded, rules: Rules, language: str | None) -> None:
        self._body, self._rules, self._language = body, rules, language

    def cover(self, span: Span) -> bool:
        """Whether the span lies inside an allowed place."""
        before = bisect_right(self._starts, span.start)
        return before > 0 and self._reach[before - 1] >= span.end

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """Looked for at the first objection only: most texts have none."""
        return sorted((span.start, span.end) for span in self._allowed())

    def _allowed(self) -> Iterator[Span]:
        for row, span in self._rules.allowed.places(self._body):
            if speaks(row.language, self._language):
                yield span
        for _, places in _list_places(self._body, _lists(self._rules, self._language, allow=True)):
            yield from (span for _, span in places)

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _ in self._spans]

    @cached_property
    def _reach(self) -> list[int]:
        return list(accumulate((end for _, end in self._spans), max))
