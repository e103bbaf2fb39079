"""Tokens, moderators, their roles and their sessions. Of tokens and cookies only the SHA-256 is ever here."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from moderation.errors import Conflict
from moderation.storage.models import LoginSession, Moderator, Role, Token

USE_NOTED_EVERY = timedelta(minutes=1)
"""A token's last use is written at most this often: it is for people who tidy up, and a write costs a commit."""


_BY_HASH = select(Token).where(Token.token_hash == bindparam("of"))
"""Built once: to build a statement takes longer than to run it."""


def token_by_hash(session: Session, token_hash: bytes) -> Token | None:
    """The token with this SHA-256, whatever its state."""
    return session.scalar(_BY_HASH, {"of": token_hash})


def token_by_id(session: Session, token_id: uuid.UUID) -> Token | None:
    """The token with this id."""
    return session.get(Token, token_id)


def list_tokens(
    session: Session, site_ids: Collection[uuid.UUID] | None, limit: int, after: uuid.UUID | None
) -> Sequence[Token]:
    """Up to ``limit`` tokens of these sites, oldest first, after the token ``after``; None: every token."""
    query = select(Token).order_by(Token.id).limit(limit)
    if site_ids is not None:
        query = query.where(Token.site_id.in_(site_ids))
    return session.scalars(query if after is None else query.where(Token.id > after)).all()


def note_use(session: Session, token_id: uuid.UUID, now: datetime) -> None:
    """Write the time of a token's last use, unless another process has just done it."""
    stale = or_(Token.last_used_at.is_(None), Token.last_used_at <= now - USE_NOTED_EVERY)
    session.execute(update(Token).where(Token.id == token_id, stale).values(last_used_at=now))


def revoke_token(session: Session, token_id: uuid.UUID, now: datetime) -> None:
    """End a token at once; a second time changes nothing."""
    session.execute(update(Token).where(Token.id == token_id, Token.revoked_at.is_(None)).values(revoked_at=now))


def moderator_by_name(session: Session, name: str) -> Moderator | None:
    """The moderator with exactly this name."""
    return session.scalar(select(Moderator).where(Moderator.name == name))


def moderator_by_id(session: Session, moderator_id: uuid.UUID) -> Moderator | None:
    """The moderator with this id."""
    return session.get(Moderator, moderator_id)


def list_moderators(
    session: Session, site_ids: Collection[uuid.UUID] | None, limit: int, after: uuid.UUID | None
) -> Sequence[Moderator]:
    """Up to ``limit`` moderators with a role on one of these sites, oldest first; None: every moderator."""
    query = select(Moderator).order_by(Moderator.id).limit(limit)
    if site_ids is not None:
        query = query.where(Moderator.id.in_(select(Role.moderator_id).where(Role.site_id.in_(site_ids))))
    return session.scalars(query if after is None else query.where(Moderator.id > after)).all()


def roles_of(session: Session, moderator_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[uuid.UUID | None, str]]:
    """The roles of each of these moderators: site id (None: all sites) to role."""
    roles: dict[uuid.UUID, dict[uuid.UUID | None, str]] = {moderator_id: {} for moderator_id in moderator_ids}
    for row in session.scalars(select(Role).where(Role.moderator_id.in_(moderator_ids)).order_by(Role.id)):
        roles[row.moderator_id][row.site_id] = row.role
    return roles


def add_moderator(session: Session, moderator: Moderator) -> None:
    """Insert the moderator. Raises ``Conflict`` where the name is taken."""
    session.add(moderator)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict("There is a moderator of this name already.") from None


def set_role(session: Session, moderator_id: uuid.UUID, site_id: uuid.UUID | None, role: str | None) -> None:
    """Give a moderator a role on a site (None: on all sites), or with role None take it away."""
    site = Role.site_id.is_(None) if site_id is None else Role.site_id == site_id
    session.execute(delete(Role).where(Role.moderator_id == moderator_id, site))
    if role is not None:
        session.add(Role(moderator_id=moderator_id, site_id=site_id, role=role))
        session.flush()


def change_moderator(session: Session, moderator_id: uuid.UUID, values: Mapping[str, object]) -> None:
    """Set columns of a moderator."""
    session.execute(update(Moderator).where(Moderator.id == moderator_id).values(**values))


def remove_moderator(session: Session, moderator_id: uuid.UUID) -> None:
    """Delete a moderator with roles and sessions; decisions and audit lines keep the name."""
    session.execute(delete(Moderator).where(Moderator.id == moderator_id))


def moderator_in_session(session: Session, token_hash: bytes, now: datetime) -> Moderator | None:
    """Whose session this is; None where it is unknown, over, or its moderator is disabled."""
    query = (
        select(Moderator)
        .join(LoginSession, LoginSession.moderator_id == Moderator.id)
        .where(LoginSession.token_hash == token_hash, LoginSession.expires_at > now, Moderator.disabled_at.is_(None))
    )
    return session.scalar(query)


def add_session(session: Session, row: LoginSession) -> None:
    """Insert a session, and clear away those that are over."""
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= row.created_at))
    session.add(row)
    session.flush()


def end_session(session: Session, token_hash: bytes) -> None:
    """Delete one session; a second time changes nothing."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == token_hash))


def end_sessions_of(session: Session, moderator_id: uuid.UUID) -> None:
    """Delete all sessions of a moderator."""
    session.execute(delete(LoginSession).where(LoginSession.moderator_id == moderator_id))
