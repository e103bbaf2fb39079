"""Who does something, and what they may do where. Pure."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from moderation.errors import Forbidden, NotFound


class Role(StrEnum):
    """What somebody may do on a site. ``scorer`` stands apart: it may ask for scores, and nothing else."""

    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"
    SCORER = "scorer"


_RANK = {Role.VIEWER: 1, Role.MODERATOR: 2, Role.ADMIN: 3}


@dataclass(frozen=True, slots=True)
class Actor:
    """A token (``kind`` "token"), a person ("moderator"), the command line ("cli"), the site's policy ("policy") or
    the comment's author ("author"). ``roles`` maps a site's id to a role; the key None stands for all sites.
    """

    kind: str
    id: str
    name: str
    roles: Mapping[uuid.UUID | None, Role] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What claims are made under: unique over tokens and persons."""
        return f"{self.kind}:{self.id}"

    @property
    def sites(self) -> frozenset[uuid.UUID] | None:
        """The sites on which this actor may at least look; None means all of them."""
        if _rank(self.roles.get(None)) > 0:
            return None
        return frozenset(site for site, role in self.roles.items() if site is not None and _rank(role) > 0)

    def may(self, site_id: uuid.UUID | None, role: Role) -> bool:
        """Whether this actor has at least ``role`` on the site (None: on all sites)."""
        own = _rank(self.roles.get(None))
        if site_id is not None:
            own = max(own, _rank(self.roles.get(site_id)))
        return own >= _RANK[role]

    def require(self, site_id: uuid.UUID, role: Role, what: str) -> None:
        """Raise ``NotFound`` where the site is not this actor's to know of, ``Forbidden`` where the role is too low."""
        if not self.may(site_id, Role.VIEWER):
            raise NotFound(what)
        if not self.may(site_id, role):
            raise Forbidden(f"This needs the role '{role}' on the site.")

    def require_everywhere(self, role: Role) -> None:
        """Raise ``Forbidden`` unless this actor has at least ``role`` on all sites."""
        if not self.may(None, role):
            raise Forbidden(f"This needs the role '{role}' on all sites ('*').")


def _rank(role: Role | None) -> int:
    return 0 if role is None else _RANK.get(role, 0)


CLI = Actor("cli", "cli", "command line", {None: Role.ADMIN})
"""The operator at the machine."""

WORKER = Actor("worker", "worker", "worker", {None: Role.ADMIN})
"""The service itself, at what it does by the clock."""

POLICY = Actor("policy", "policy", "site policy")
"""The site's own settings."""
