"""AutoModerator's YAML, read and checked: from a text to ``automod.Automod``.

The subset that fits here; ``docs/moderate.md`` has the table. Each complaint names line and column. Nothing but nodes
is made of the YAML, no objects, and every value is the text that stands there: ``no`` is a word, not a truth value.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

import yaml

from moderation.errors import Invalid
from moderation.scoring.automod import (
    ACTIONS,
    MODES,
    MODIFIERS,
    PLACEHOLDER,
    Automod,
    Check,
    Facts,
    Find,
    Rule,
    TextCheck,
    ValueCheck,
    domain_finder,
    literal_finder,
    regex_finder,
    short,
)
from moderation.scoring.behaviour import Record
from moderation.scoring.folding import fold_name
from moderation.scoring.words import MAX_PATTERNS, MAX_VALUE_CHARS, compile_pattern, domain_name

MAX_CHARS = 65_536
"""Longest text of a site's rules, in characters."""

MAX_RULES = 200
"""Most rules of one text; each costs some 4 µs a comment of 300 characters."""

MAX_VALUES = 5_000
"""Most values of all checks together. For more, use a list of words."""

MAX_DEPTH = 4
"""Deepest nesting of the YAML: a document, ``author``, a list, a value."""

MAX_PROBLEMS = 20
"""Complaints that one answer names."""


class _Wrong(Exception):
    """Something in the text that has to be changed. ``mark``: where it begins."""

    def __init__(self, mark: Any, says: str) -> None:
        super().__init__(f"Line {mark.line + 1}, column {mark.column + 1}: {says}" if mark else says)


class _Loader(yaml.SafeLoader):
    """Makes nodes alone, never objects. Refuses what a text of rules has no need of and what could make it explode."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node, unless it is an alias, has an anchor or a tag, or lies too deep."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _Wrong(
                event.start_mark, "'&' and '*' (anchors and aliases) are not supported. Write it out, or quote it."
            )
        if getattr(event, "tag", None) and event.tag != "!":
            raise _Wrong(event.start_mark, "'!' (a tag) is not supported. Quote the value if it begins with '!'.")
        if self.depth == MAX_DEPTH:
            raise _Wrong(event.start_mark, f"It is nested deeper than {MAX_DEPTH} levels.")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def read_automod(text: str) -> Automod:
    """Read and check a text of rules.

    Raises ``Invalid`` for ``text``, with up to ``MAX_PROBLEMS`` messages that each say line, column and what to do.
    """
    if len(text) > MAX_CHARS:
        raise Invalid({"text": [f"It has {len(text):,} characters; at most {MAX_CHARS:,} are allowed."]})
    reader = _Reader()
    try:
        for node in _documents(text):
            reader.read(node)
    except _Wrong as wrong:
        reader.problems.append(str(wrong))
    if reader.problems:
        raise Invalid({"text": reader.problems[:MAX_PROBLEMS]})
    if not reader.rules:
        raise Invalid(
            {"text": ["There is no rule in it. A rule has checks and an action: 'body: casino' and 'action: filter'."]}
        )
    # Sorting keeps the order of equals.
    return Automod(tuple(sorted(reader.rules, key=lambda rule: -rule.priority)))


def _documents(text: str) -> Iterator[Any]:
    try:
        loader = _Loader(text)
        try:
            while loader.check_node():
                yield loader.get_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Wrong(mark, f"It is not YAML: {error.problem or error.context}. {_QUOTE}") from None
    except yaml.reader.ReaderError as error:
        raise _Wrong(
            None, f"Line {text.count(chr(10), 0, error.position) + 1}: a character that YAML does not allow."
        ) from None
    except (ValueError, OverflowError):  # PyYAML's own, for "\UFFFFFFFF" and for a version of thousands of digits
        raise _Wrong(loader.get_mark(), f"It is not YAML: a number out of range. {_QUOTE}") from None


_QUOTE = "Put quotes around a value that holds ': ' or ' #' or begins with one of > | { [ * & ! % @ ~ or `."
# Possessive throughout: a key with many blanks in it must not be tried in all ways to share them out.
_KEY = re.compile(
    r"(?P<negated>~?+)(?P<fields>[A-Za-z_]++(?:\s*+\+\s*+[A-Za-z_]++)*+)\s*+(?:#(?P<before>\w++))?+\s*+"
    r"(?:\((?P<modifiers>[^()]*+)\))?+\s*+(?:#(?P<after>\w++))?+",
    re.ASCII,
)
_NUMBER = re.compile(r"(?P<compare>[<>]=?|=)?\s*(?P<number>\d{1,9})\s*(?P<unit>[a-z]*)", re.ASCII)
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq,
}  # fmt: skip
_DAYS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1, "week": 7, "month": 30, "year": 365}
_NO_TEXT = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

_TEXTS = ("body", "domain", "url")
_OF_AUTHOR = {"name": "author", "url": "author_url"}
_COUNTS: Mapping[str, Callable[[Record], int]] = {
    "approved": lambda record: record.approved,
    "rejected": lambda record: record.rejected,
    "spam": lambda record: record.spam,
    "account_age": lambda record: record.first_seen_days,
}
_FACTS_OF_AUTHOR: Mapping[str, Callable[[Facts], bool]] = {
    "is_new": lambda facts: facts.record is None or facts.record.approved == 0,
    "is_proven": lambda facts: facts.record is not None,
}
_FACTS: Mapping[str, Callable[[Facts], bool]] = {
    "is_top_level": lambda facts: facts.is_top_level,
    "is_edited": lambda facts: facts.is_edited,
}
_SETTINGS = ("type", "priority", "moderators_exempt", "action", "action_reason", "report_reason")
_KNOWN = (
    *_TEXTS, "author", "body_longer_than", "body_shorter_than", *_FACTS, "reports", *_SETTINGS,
)  # fmt: skip
_KNOWN_OF_AUTHOR = (*_OF_AUTHOR, *_COUNTS, *_FACTS_OF_AUTHOR)

_NO_KARMA = "There is no karma here. Use the author's record: approved, rejected, spam, account_age, is_new."
_NO_MESSAGES = "Rules send no messages here. Say it in 'action_reason', for the moderators."
_NO_POSTS = "Rules are for comments here, and articles are the site's own."
_NO_PLACE = "There is nothing like it here. Leave it out."
_ELSEWHERE = {
    **dict.fromkeys(
        ("comment_karma", "post_karma", "link_karma", "combined_karma", "comment_subreddit_karma",
         "post_subreddit_karma", "combined_subreddit_karma", "satisfy_any_threshold"), _NO_KARMA
    ),
    **dict.fromkeys(
        ("comment", "comment_locked", "comment_stickied", "message", "message_subject", "modmail", "modmail_subject"),
        _NO_MESSAGES,
    ),
    **dict.fromkeys(
        ("title", "crosspost_title", "crosspost_id", "parent_submission", "is_original_content", "poll_option_text",
         "media_author", "media_author_url", "media_title", "media_description", "set_sticky", "set_locked",
         "set_nsfw", "set_spoiler", "set_contest_mode", "set_suggested_sort", "set_original_content"), _NO_POSTS
    ),
    **dict.fromkeys(
        ("flair_text", "flair_css_class", "flair_template_id", "set_flair", "overwrite_flair", "standard", "id",
         "is_gold", "is_submitter", "is_contributor", "is_moderator", "has_verified_email", "ignore_blockquotes",
         "past_archive_date", "contributor_quality", "is_restricted"), _NO_PLACE
    ),
}  # fmt: skip
"""Keys that AutoModerator knows and we do not, with what to do instead."""


class _Key(NamedTuple):
    text: str
    fields: tuple[str, ...]
    modifiers: tuple[str, ...]
    negated: bool
    mark: Any


@dataclass
class _Draft:
    """A rule while it is read."""

    checks: list[Check] = field(default_factory=list)
    action: str = ""
    reason: str = ""
    priority: int = 0


class _Reader:
    """Reads one document after the other, and collects what is wrong with each key."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.problems: list[str] = []
        self._values = 0
        self._patterns = 0

    def read(self, node: Any) -> None:
        """Take in a document; an empty one is passed over."""
        if isinstance(node, yaml.ScalarNode) and not node.value:
            return
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(node.start_mark, "A rule is made of 'key: value' lines. Rules are separated by a line '---'.")
        if len(self.rules) == MAX_RULES:
            raise _Wrong(node.start_mark, f"At most {MAX_RULES} rules are allowed.")
        before = len(self.problems)
        if before >= MAX_PROBLEMS:
            return
        draft = _Draft()
        for key, value in self._pairs(node, _KNOWN):
            with self._collecting():
                self._take(draft, key, value)
        if len(self.problems) == before:
            with self._collecting():
                self._finish(draft, node.start_mark)

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        try:
            yield
        except _Wrong as wrong:
            self.problems.append(str(wrong))

    def _finish(self, draft: _Draft, mark: Any) -> None:
        if not draft.action:
            raise _Wrong(mark, f"This rule does nothing. Add 'action:' with one of {', '.join(ACTIONS)}.")
        if not draft.checks:
            raise _Wrong(mark, "This rule has no check and would meet every comment. Add one, such as 'body: casino'.")
        checks = tuple(sorted(draft.checks, key=lambda check: check.cost))
        _check_placeholders(mark, draft.reason, checks)
        self.rules.append(Rule(mark.line + 1, draft.action, checks, draft.reason, draft.priority))

    def _pairs(self, node: Any, known: Sequence[str]) -> Iterator[tuple[_Key, Any]]:
        """The pairs of a mapping whose keys can be read; the other ones are named."""
        seen: set[str] = set()
        for key_node, value in node.value:
            try:
                key = _read_key(key_node, known)
                if key.text in seen:
                    raise _Wrong(key.mark, f"'{key.text}' stands twice in this rule. Add '#2' to the second one.")
                seen.add(key.text)
                yield key, value
            except _Wrong as wrong:
                self.problems.append(str(wrong))

    def _take(self, draft: _Draft, key: _Key, value: Any) -> None:
        name = key.fields[0]
        if all(one in _TEXTS for one in key.fields):
            draft.checks.append(self._text_check(key, key.fields, value))
        elif len(key.fields) > 1:
            raise _Wrong(key.mark, f"Only {', '.join(_TEXTS)} can be joined by '+'.")
        elif name == "author":
            self._author(draft, key, value)
        elif key.negated or key.modifiers:
            raise _Wrong(key.mark, f"'{name}' takes no '~' and no modifiers.")
        elif name in _SETTINGS:
            self._setting(draft, name, value)
        else:
            draft.checks.append(_fact_check(key, value))

    def _setting(self, draft: _Draft, name: str, value: Any) -> None:
        if name == "action":
            draft.action = _one_of(value, ACTIONS)
        elif name in {"action_reason", "report_reason"}:
            draft.reason = _scalar(value)
        elif name == "priority":
            draft.priority = _whole(value)
        elif name == "moderators_exempt":
            _truth(value)
        else:
            _one_of(value, ("comment", "any"))

    def _author(self, draft: _Draft, key: _Key, value: Any) -> None:
        if not isinstance(value, yaml.MappingNode):
            draft.checks.append(self._text_check(key, ("author",), value))
            return
        if key.negated or key.modifiers:
            raise _Wrong(key.mark, "Put '~' and modifiers on the keys below 'author', not on itself.")
        for inner, inner_value in self._pairs(value, _KNOWN_OF_AUTHOR):
            with self._collecting():
                draft.checks.append(self._author_check(inner, inner_value))

    def _author_check(self, key: _Key, value: Any) -> Check:
        name = key.fields[0]
        if len(key.fields) > 1:
            raise _Wrong(key.mark, "The keys below 'author' cannot be joined by '+'.")
        label = key._replace(text=f"author.{key.text}")
        if name in _OF_AUTHOR:
            return self._text_check(label, (_OF_AUTHOR[name],), value)
        if key.negated or key.modifiers:
            raise _Wrong(key.mark, f"'{name}' takes no '~' and no modifiers.")
        if name in _FACTS_OF_AUTHOR:
            return _wanted(label.text, _FACTS_OF_AUTHOR[name], _truth(value))
        return _count_check(label.text, name, value)

    def _text_check(self, key: _Key, fields: tuple[str, ...], value: Any) -> TextCheck:
        values = [(_scalar(item), item.start_mark) for item in _items(value)]
        self._values += len(values)
        if self._values > MAX_VALUES:
            raise _Wrong(key.mark, f"At most {MAX_VALUES:,} values are allowed in all. Use a list of words for more.")
        exact, is_regex = "case-sensitive" in key.modifiers, "regex" in key.modifiers
        modes = [modifier for modifier in key.modifiers if modifier in MODES]
        if len(modes) > 1:
            raise _Wrong(key.mark, f"'{modes[0]}' and '{modes[1]}' exclude each other. Keep one.")
        if fields == ("domain",) and not key.modifiers:
            return self._check(key, fields, values, _check_domain, domain_finder)
        mode = modes[0] if modes else "includes" if {"url", "domain", "author_url"} & {*fields} else "includes-word"
        if is_regex:
            self._patterns += len(values)
            if self._patterns > MAX_PATTERNS:
                raise _Wrong(key.mark, f"At most {MAX_PATTERNS} regular expressions are allowed in all.")
            may_be_empty = mode not in {"includes", "includes-word"}
            return self._check(
                key, fields, values, lambda one: _check_regex(one, may_be_empty),
                lambda all_: regex_finder(all_, mode, exact), cost=2,
            )  # fmt: skip
        return self._check(key, fields, values, _check_literal, lambda all_: literal_finder(all_, mode, exact))

    def _check(
        self,
        key: _Key,
        fields: tuple[str, ...],
        values: Sequence[tuple[str, Any]],
        check: Callable[[str], object],
        finder: Callable[[list[str]], Find],
        *,
        cost: int = 1,
    ) -> TextCheck:
        for value, mark in values:
            try:
                check(value)
            except ValueError as error:
                raise _Wrong(mark, str(error)) from None
        try:
            find = finder([value for value, _ in values])
        except ValueError as error:
            raise _Wrong(key.mark, str(error)) from None
        return TextCheck(key.text, fields, find, key.negated, cost)


def _read_key(node: Any, known: Sequence[str]) -> _Key:
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong(node.start_mark, f"A key is a plain word. {_QUOTE}")
    match = _KEY.fullmatch(node.value.strip())
    if match is None:
        raise _Wrong(
            node.start_mark,
            f"'{short(node.value)}' is not a key. Write it like 'body', '~body', 'body+url#2' or 'body (regex)'.",
        )
    fields = tuple(part.strip() for part in match["fields"].split("+"))
    for name in fields:
        if name not in known:
            raise _Wrong(node.start_mark, _unknown(name, known))
    modifiers = tuple(part.strip().lower() for part in (match["modifiers"] or "").split(",") if part.strip())
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise _Wrong(
                node.start_mark, f"The modifier '{short(modifier)}' is not known.{_nearest(modifier, MODIFIERS)}"
            )
    number = match["before"] or match["after"]
    text = f"{match['negated']}{'+'.join(fields)}{f'#{number}' if number else ''}"
    return _Key(text, fields, modifiers, bool(match["negated"]), node.start_mark)


def _unknown(name: str, known: Sequence[str]) -> str:
    if name in _ELSEWHERE:
        return f"'{name}' is not supported. {_ELSEWHERE[name]}"
    if name in _KNOWN_OF_AUTHOR:
        return f"'{name}' belongs below 'author:', with two blanks before it."
    return f"'{short(name)}' is not known.{_nearest(name, known)}"


def _nearest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word[:50], known, 1)
    return f" Did you mean '{near[0]}'?" if near else f" Known are: {', '.join(known)}."


def _items(value: Any) -> Sequence[Any]:
    items: Sequence[Any] = value.value if isinstance(value, yaml.SequenceNode) else [value]
    if not items:
        raise _Wrong(value.start_mark, "The list is empty. Give a value, or leave the check out.")
    return items


def _scalar(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong(node.start_mark, f"A single value is due here, not a list or more keys. {_QUOTE}")
    value: str = node.value
    if not value.strip():
        raise _Wrong(node.start_mark, "The value is missing. In '' a '#' and what follows stays part of it.")
    if _NO_TEXT.search(value):
        raise _Wrong(node.start_mark, "It holds a control character or half of a surrogate pair. Leave it out.")
    if len(value) > MAX_VALUE_CHARS:
        raise _Wrong(node.start_mark, f"It has {len(value):,} characters; at most {MAX_VALUE_CHARS} are allowed.")
    return value


def _one_of(node: Any, known: Mapping[str, Any] | Sequence[str]) -> str:
    value = _scalar(node)
    if value not in known:
        raise _Wrong(node.start_mark, f"'{short(value)}' is none of {', '.join(known)}.")
    return value


def _truth(node: Any) -> bool:
    value = _TRUTHS.get(_scalar(node).lower())
    if value is None:
        raise _Wrong(node.start_mark, "It is 'true' or 'false'.")
    return value


def _whole(node: Any) -> int:
    value = _scalar(node)
    if not re.fullmatch(r"[+-]?\d{1,6}", value, re.ASCII):
        raise _Wrong(node.start_mark, "It is a whole number.")
    return int(value)


def _number(node: Any, compare: str, *, days: bool = False) -> Callable[[float], bool]:
    """The comparison that a value such as ``> 3`` or ``< 7 days`` stands for; ``compare`` where it names none."""
    match = _NUMBER.fullmatch(_scalar(node).strip())
    unit = match["unit"].removesuffix("s") if match else ""
    if match is None or (unit and (not days or unit not in _DAYS)):
        example = "'< 7 days'" if days else "'> 3'"
        raise _Wrong(node.start_mark, f"It is a number with what it is compared by, such as {example}, in quotes.")
    compares, bound = _COMPARE[match["compare"] or compare], int(match["number"]) * _DAYS.get(unit, 1)
    return lambda value: compares(value, bound)


def _count_check(key: str, name: str, node: Any) -> ValueCheck:
    holds, count = _number(node, "=", days=name == "account_age"), _COUNTS[name]
    return ValueCheck(key, lambda facts: holds(count(facts.record or Record())))


def _fact_check(key: _Key, node: Any) -> ValueCheck:
    name = key.fields[0]
    if name in _FACTS:
        return _wanted(key.text, _FACTS[name], _truth(node))
    if name == "reports":
        at_least = _number(node, ">=")
        return ValueCheck(key.text, lambda facts: at_least(facts.reports))
    bound = _whole(node)
    if name == "body_longer_than":
        return ValueCheck(key.text, lambda facts: len(facts.body.source) > bound)
    return ValueCheck(key.text, lambda facts: len(facts.body.source) < bound)


def _wanted(key: str, fact: Callable[[Facts], bool], wanted: bool) -> ValueCheck:
    return ValueCheck(key, lambda facts: fact(facts) is wanted)


def _check_literal(value: str) -> None:
    value.encode()
    if not fold_name(value):
        raise ValueError("It is empty, or holds only invisible characters.")


def _check_domain(value: str) -> None:
    value.encode()
    domain_name(value)


def _check_regex(value: str, may_be_empty: bool) -> None:
    value.encode()
    if compile_pattern(value).search("") is not None and not may_be_empty:
        raise ValueError("It matches the empty text, and so everything. Make a part of it obligatory: 'a+', not 'a*'.")


def _check_placeholders(mark: Any, reason: str, checks: Sequence[Check]) -> None:
    known = {"match", *(f"match-{name}" for check in checks for name in check.fields)}
    for match in PLACEHOLDER.finditer(reason):
        if match[1] not in known:
            names = ", ".join("{{" + name + "}}" for name in sorted(known))
            raise _Wrong(mark, f"In the reason, '{short(match[0])}' stands for nothing. Known in this rule: {names}.")
