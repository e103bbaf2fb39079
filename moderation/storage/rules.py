"""The rules of sites, and those that hold on every site."""

import uuid
from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from moderation.errors import Conflict
from moderation.storage.models import Rule


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
    same = select(Rule.id).where(_own(rule.site_id), Rule.kind == rule.kind, Rule.value == rule.value)
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
