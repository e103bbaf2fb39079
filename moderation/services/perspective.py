"""Perspective's protocol: score a text by attributes, and be told better scores, which teach. No text is stored."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moderation.domain.markup import Plain, links_of_text, plain_of_html
from moderation.domain.perspective import (
    LANGUAGE_UNKNOWN,
    NO_ATTRIBUTES,
    Analysis,
    Asked,
    Refused,
    Scored,
    check_text,
    label_of,
    not_supported,
)
from moderation.domain.text import normalise_body
from moderation.errors import Unavailable
from moderation.scoring import learned, perspective
from moderation.scoring.folding import fold
from moderation.scoring.languages import UNKNOWN
from moderation.scoring.learned import Learned
from moderation.scoring.perspective import LIKELY_TO_REJECT
from moderation.scoring.pipeline import Candidate
from moderation.services.learning import model_of_site
from moderation.services.parts import Parts
from moderation.services.scorer_keys import Caller, caller_of, count_alone, count_call, teach_as
from moderation.services.site_rules import rules_of_site
from moderation.storage.db import read, write

PROTOCOL = "perspective"

MAX_ATTRIBUTES = 50
MAX_LANGUAGES, MAX_CODE_CHARS = 20, 8
"""Languages of a request that are looked at, and characters of the first part of a code (RFC 5646, section 2.1)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as it is judged: without markup, normalised; and its language, with that of the request."""

    source: str
    plain: Plain | None
    body: str
    language: str
    detected: str
    requested: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The text without markup."""
        return self.source if self.plain is None else self.plain.text

    @property
    def links(self) -> tuple[str, ...]:
        """The links in it."""
        return (*(() if self.plain is None else self.plain.links), *links_of_text(self.shown))


def authenticate(parts: Parts, key: str) -> Caller:
    """Who holds this key. Raises as ``caller_of``."""
    with read() as session:
        return caller_of(session, parts, key, PROTOCOL)


def analyze(parts: Parts, caller: Caller, asked: Asked) -> Analysis:
    """The scores of a text. Raises ``Refused`` for what the protocol refuses, ``RateLimited``, ``Unavailable``."""
    check_text(asked.text)
    names = _names(asked.attributes)
    reading = _read(parts, asked)
    model = _model(caller) if LIKELY_TO_REJECT in names.values() else None
    names = _supported(names, reading, asked, model)
    rejected = None if model is None else _rejected(parts, caller, reading, model)
    count_alone(parts, caller)
    found = _scores(parts, reading, names, asked.by_sentence, rejected)
    told = {name: scored for name, scored in found.items() if scored.score >= asked.attributes[name]}
    return Analysis(told, reading.requested or (reading.detected,), (reading.detected,))


def suggest(parts: Parts, caller: Caller, asked: Asked, suggested: Mapping[str, float | None]) -> Analysis:
    """Teach the site by scores that a person holds to be right (None: of parts alone). Raises as ``analyze``.

    What several suggestions for the same text say is what the last of them said.
    """
    check_text(asked.text)
    names = _names(suggested)
    reading = _read(parts, asked)
    label = label_of({names[name]: value for name, value in suggested.items() if value is not None})
    with write() as session:
        count_call(session, parts, caller)
        if label is not None:
            teach_as(session, parts, caller, reading.body, label, None, reading.links)
    return Analysis({}, reading.requested or (reading.detected,), (reading.detected,))


def _names(requested: Mapping[str, float | None]) -> dict[str, str]:
    """The attribute that each requested name stands for."""
    if not requested:
        raise Refused("Missing requested_attributes", NO_ATTRIBUTES)
    if len(requested) > MAX_ATTRIBUTES:
        raise Refused(f"At most {MAX_ATTRIBUTES} attributes can be requested.")
    names = {}
    for name in requested:
        known = perspective.known_name(name)
        if known is None:
            raise Refused(f"Unknown requested attribute: {name[:100]}")
        names[name] = known
    return names


def _read(parts: Parts, asked: Asked) -> Reading:
    plain = plain_of_html(asked.text) if asked.is_html else None
    body = normalise_body(asked.text if plain is None else plain.text)
    detected = parts.pipeline.language(body)
    requested = tuple(one.lower().partition("-")[0][:MAX_CODE_CHARS] for one in asked.languages[:MAX_LANGUAGES])
    language = detected if detected != UNKNOWN or not requested else requested[0]
    return Reading(asked.text, plain, body, language, detected, requested)


def _model(caller: Caller) -> Learned | None:
    """What the site's decisions taught, where it says anything."""
    with read() as session:
        model = model_of_site(session, caller.site, caller.settings)
    return model if model is not None and model is not learned.UNUSABLE and model.ready else None


def _supported(names: dict[str, str], reading: Reading, asked: Asked, model: Learned | None) -> dict[str, str]:
    """The attributes that can be scored; those that cannot are refused, or dropped where that was asked for."""
    kept = {}
    for name, known in names.items():
        of_site = known == LIKELY_TO_REJECT and model is not None
        wrong = [one for one in reading.requested if not (of_site or perspective.supports(known, one))]
        found = of_site or perspective.supports(known, reading.language)
        if not wrong and found:
            kept[name] = known
        elif not asked.drops_unsupported:
            raise not_supported(name, wrong or [reading.language], requested=bool(wrong))
    return kept


def _rejected(parts: Parts, caller: Caller, reading: Reading, model: Learned) -> float:
    """The probability that the site's moderators would not want a text, as their decisions taught it."""
    with read() as session:
        ruled = rules_of_site(session, caller.site)
    candidate = Candidate(body=reading.body, links=reading.links, rules=ruled.rules, automod=ruled.automod)
    said = parts.pipeline.signals(candidate)
    return round(model.predict(learned.features_of(fold(reading.body), reading.links, None, said)).bad, 6)


def _scores(
    parts: Parts, reading: Reading, names: Mapping[str, str], by_sentence: bool, rejected: float | None
) -> dict[str, Scored]:
    """The attributes as they were requested, each with its parts: sentences, or the whole text as one."""
    own = {known for known in names.values() if rejected is None or known != LIKELY_TO_REJECT}
    whole = _judged(parts, reading.body, reading.language, own)
    if whole is None:
        raise Refused("Unable to detect language", LANGUAGE_UNKNOWN)
    ends = [(0, len(reading.shown))]
    places = perspective.sentences(reading.shown) if by_sentence else []
    parted = _parted(parts, reading, places, own) if len(places) > 1 else [(ends[0], whole)]
    units = _in_utf16(reading, [place for place, _ in parted])
    found = {}
    for name, known in names.items():
        if known in own:
            each = tuple((*unit, scores[known]) for unit, (_, scores) in zip(units, parted, strict=True))
            found[name] = Scored(whole[known], each)
        elif rejected is not None:
            found[name] = Scored(rejected, ((*_in_utf16(reading, ends)[0], rejected),))
    return found


def _parted(
    parts: Parts, reading: Reading, places: Sequence[tuple[int, int]], names: set[str]
) -> list[tuple[tuple[int, int], dict[str, float]]]:
    """The scores of each sentence, without those that cannot be judged alone, as a quotation in another script."""
    judged = [(place, normalise_body(reading.shown[slice(*place)])) for place in places]
    scored = [(place, _judged(parts, body, reading.language, names)) for place, body in judged]
    return [(place, scores) for place, scores in scored if scores is not None]


def _judged(parts: Parts, body: str, language: str, names: set[str]) -> dict[str, float] | None:
    if not names:
        return {}
    if not parts.pipeline.thresholds:
        raise Unavailable("The trained model cannot be used at the moment.")
    return parts.pipeline.attributes_of(Candidate(body=body, language=language), names)


def _in_utf16(reading: Reading, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in the shown text as places in the text as it was sent, in UTF-16 code units."""
    wide = [at for at, char in enumerate(reading.source) if char > "\uffff"]
    plain = reading.plain

    def unit(at: int) -> int:
        source = at if plain is None else plain.source_of(at)
        return source + bisect_left(wide, source)

    return [(unit(a), unit(b)) for a, b in places]
