"""The rules of sites, their lists of words and their rules in YAML, and what of these holds on every site."""

import uuid
from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from moderation.errors import Conflict
from moderation.storage.models import AutomodRow, Rule, WordListRow


def rules_of(session: Session, site_id: uuid.UUID) -> Sequence[Rule]:
    """Every rule that holds on a site: its own and those of all sites, in the order in which they were made."""
    query = select(Rule).where(or_(Rule.site_id == site_id, Rule.site_id.is_(None))).order_by(Rule.id)
    return session.scalars(query).all()


def list_rules(session: Session, site_id: uuid.UUID | None, limit: int, after: uuid.UUID | None) -> Sequence[Rule]:
    """Up to ``limit`` rules made for this site alone (None: for all sites), after the rule ``after``."""
    query = select(Rule).where(_own(site_id)).order_by(Rule.id).limit(limit)
    return session.scalars(query if after is None else query.where(Rule.id > after)).all()


def rule_by_id(session: Session, rule_id: uuid.UUID) -> Rule | None:
    """The rule with this id."""
    return session.get(Rule, rule_id)


def add_rule(session: Session, rule: Rule) -> None:
    """Insert the rule. Raises ``Conflict`` where the same one is there."""
    same = select(Rule.id).where(
        _own(rule.site_id), Rule.kind == rule.kind, Rule.value == rule.value, Rule.language == rule.language
    )
    if session.scalar(same) is not None:
        raise Conflict("There is this rule already.")
    session.add(rule)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict("There is this rule already.") from None


def count_rules(session: Session, site_id: uuid.UUID | None, kind: str) -> int:
    """How many rules of this kind were made for this site alone (None: for all sites)."""
    query = select(func.count()).select_from(Rule).where(_own(site_id), Rule.kind == kind)
    return session.scalar(query) or 0


def remove_rule(session: Session, rule_id: uuid.UUID) -> bool:
    """Delete the rule; whether it was there."""
    return session.execute(delete(Rule).where(Rule.id == rule_id).returning(Rule.id)).first() is not None


def _own(site_id: uuid.UUID | None) -> ColumnElement[bool]:
    return Rule.site_id.is_(None) if site_id is None else Rule.site_id == site_id


# --- lists of words --------------------------------------------------------------------------------------------------


def word_lists_of(session: Session, site_id: uuid.UUID) -> Sequence[WordListRow]:
    """Every list that holds on a site: its own and those of all sites, by age, without their entries."""
    held = or_(WordListRow.site_id == site_id, WordListRow.site_id.is_(None))
    return session.scalars(select(WordListRow).where(held).order_by(WordListRow.id)).all()


def list_word_lists(
    session: Session, site_id: uuid.UUID | None, limit: int | None = None, after: uuid.UUID | None = None
) -> Sequence[WordListRow]:
    """Up to ``limit`` lists made for this site alone (None: for all sites), after the list ``after``, without their
    entries.
    """
    query = select(WordListRow).where(_own_list(site_id)).order_by(WordListRow.id).limit(limit)
    return session.scalars(query if after is None else query.where(WordListRow.id > after)).all()


def word_list(session: Session, site_id: uuid.UUID | None, name: str) -> WordListRow | None:
    """The list of this name made for this site alone (None: for all sites), with its entries."""
    query = select(WordListRow).where(_own_list(site_id), WordListRow.name == name)
    return session.scalar(query.options(undefer(WordListRow.entries)))


def entries_of(session: Session, list_id: uuid.UUID) -> str:
    """The entries of a list, as they are stored."""
    return session.scalar(select(WordListRow.entries).where(WordListRow.id == list_id)) or ""


def save_word_list(session: Session, row: WordListRow) -> None:
    """Insert or update the list. Raises ``Conflict`` where one of that name was made at the same moment."""
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict("A list of this name was made at the same moment. Try again.") from None


def remove_word_list(session: Session, list_id: uuid.UUID) -> None:
    """Delete the list."""
    session.execute(delete(WordListRow).where(WordListRow.id == list_id))


def _own_list(site_id: uuid.UUID | None) -> ColumnElement[bool]:
    return WordListRow.site_id.is_(None) if site_id is None else WordListRow.site_id == site_id


# --- rules in YAML ---------------------------------------------------------------------------------------------------


def automod_of(session: Session, site_id: uuid.UUID) -> AutomodRow | None:
    """The site's rules in YAML."""
    return session.get(AutomodRow, site_id)


def save_automod(session: Session, row: AutomodRow) -> None:
    """Insert or update the site's rules in YAML."""
    session.add(row)
    session.flush()


def remove_automod(session: Session, site_id: uuid.UUID) -> bool:
    """Delete the site's rules in YAML; whether there were any."""
    query = delete(AutomodRow).where(AutomodRow.site_id == site_id).returning(AutomodRow.site_id)
    return session.execute(query).first() is not None
