"""The rules of a site, compiled once a process: words, patterns, lists and so on, and those in YAML."""

import threading
import uuid
from typing import NamedTuple
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.orm import Session

from moderation.errors import Invalid
from moderation.scoring.automod import BROKEN, Automod
from moderation.scoring.automod_reader import read_automod
from moderation.scoring.literals import ListHead, WordList
from moderation.scoring.words import RuleRow, Rules, compile_rules
from moderation.storage import rules
from moderation.storage.models import Rule, Site, WordListRow

_log = structlog.get_logger(__name__)


class SiteRules(NamedTuple):
    """A site's rules, compiled: words, patterns, lists and so on, and those in YAML."""

    rules: Rules
    automod: Automod | None


_compiled: dict[uuid.UUID, tuple[int, SiteRules]] = {}
_lists: WeakValueDictionary[tuple[uuid.UUID, int], WordList] = WeakValueDictionary()
_automods: WeakValueDictionary[str, Automod] = WeakValueDictionary()
"""Lists by id and version, and rules in YAML by their text, as long as the rules of some site hold them. What is for
all sites is shared by them, and a changed setting makes nothing anew."""

_compiling = threading.Lock()


def rules_of_site(session: Session, site: Site) -> SiteRules:
    """A site's rules, compiled; kept in this process until the site's version grows, as with every change of rules.

    A list of 50,000 words adds 0.1 s to the first call after it has changed.
    """
    known = _compiled.get(site.id)
    if known is not None and known[0] == site.version:
        return known[1]
    with _compiling:
        known = _compiled.get(site.id)
        if known is not None and known[0] == site.version:
            return known[1]
        rows = map(rule_row, rules.rules_of(session, site.id))
        compiled = SiteRules(compile_rules(rows, _word_lists(session, site.id)), _automod(session, site.id))
        _compiled[site.id] = (site.version, compiled)
    return compiled


def _word_lists(session: Session, site_id: uuid.UUID) -> list[WordList]:
    found = []
    for row in rules.word_lists_of(session, site_id):
        words = _lists.get((row.id, row.version))
        if words is None:
            words = _lists[row.id, row.version] = WordList(list_head(row), rules.entries_of(session, row.id))
        found.append(words)
    return found


def _automod(session: Session, site_id: uuid.UUID) -> Automod | None:
    row = rules.automod_of(session, site_id)
    if row is None:
        return None
    compiled = _automods.get(row.text)
    if compiled is None:
        try:
            compiled = read_automod(row.text)
        except Invalid:
            _log.error("automod_unusable", site=str(site_id))
            return BROKEN
        _automods[row.text] = compiled
    return compiled


def rule_row(rule: Rule) -> RuleRow:
    """A stored rule as ``compile_rules`` takes it."""
    return RuleRow(str(rule.id), rule.kind, rule.value, rule.action, rule.weight, rule.language, rule.exact, rule.part)


def list_head(row: WordListRow) -> ListHead:
    """What holds for all entries of a stored list."""
    return ListHead(row.name, row.action, row.weight, row.language, row.exact, row.part)
