"""What the pages for readers without script say, in the languages of the widget: one module a language.

Messages of the services are English. The few that a reader meets in a form have their words here, under ``errors``; any
other stays as it is, marked as English.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module

from markupsafe import Markup

from moderation.web.texts import en

LANGUAGES = ("en", "de", "fr", "es", "pt", "pl", "uk", "ar")
DEFAULT = "en"

_RIGHT_TO_LEFT = frozenset({"ar"})
_NAME = Markup('<bdi dir="auto">{}</bdi>')


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language.

    ``plural`` says which form a number takes, by the rules of the Unicode CLDR; where there is none, the English one.
    """

    language: str
    words: Mapping[str, str]
    errors: Mapping[str, str]
    plural: Callable[[int], str]

    def __getitem__(self, name: str) -> str:
        return self.words[name]

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return "rtl" if self.language in _RIGHT_TO_LEFT else "ltr"

    def counted(self, name: str, number: int) -> str:
        """The text for so many of a thing."""
        return self.words[f"{name}_{self.plural(number)}"].format(n=number)

    def naming(self, name: str, typed: str) -> Markup:
        """The text with a name that a reader typed: escaped, and with a direction of its own."""
        return Markup(self.words[name]).format(name=_NAME.format(typed))  # noqa: S704 (a text of ours)

    def plainly(self, name: str, typed: str) -> str:
        """The same for an attribute, still to be escaped."""
        return self.words[name].format(name=typed)

    def at(self, time: datetime | str) -> str:
        """A time in UTC, in figures that every language reads alike."""
        at = datetime.fromisoformat(time) if isinstance(time, str) else time
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def error(self, message: str) -> Markup:
        """A message of a service in this language; one without words here stays English and says so."""
        known = self.errors.get(message)
        if known is not None or self.language == DEFAULT:
            return Markup("{}").format(known or message)
        return Markup('<span lang="en" dir="ltr">{}</span>').format(message)


@lru_cache
def texts(language: str | None) -> Texts:
    """The texts of a language; of one that is not among ``LANGUAGES``, the English ones."""
    known = language if language in LANGUAGES else DEFAULT
    module = import_module(f"moderation.web.texts.{known}")
    return Texts(known, module.WORDS, module.ERRORS, getattr(module, "plural", en.plural))
