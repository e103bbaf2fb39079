"""A site's rules in the form of AutoModerator: kept as they were written, checked before they are kept."""

from typing import Any

from moderation.domain.actor import Actor, Role
from moderation.errors import Conflict, NotFound
from moderation.scoring.automod_reader import read_automod
from moderation.services.parts import Parts
from moderation.services.site_rules import rules_of_site
from moderation.services.sites import audit_line, site_for
from moderation.storage import rules, sites
from moderation.storage.db import read, write
from moderation.storage.models import AutomodRow


def put_automod(
    parts: Parts, actor: Actor, site_key: str, text: str, *, dry_run: bool = False, expected_version: int | None = None
) -> dict[str, Any]:
    """Keep the text as the site's rules; ``dry_run`` only checks it.

    ``expected_version`` is that of the text which this one replaces, 0 for none. Raises ``Invalid`` for ``text``, with
    messages that each say line, column and what to do, and ``Conflict`` where another text is there by now.
    """
    with read() as session:
        site_for(session, actor, site_key, Role.ADMIN)
    count = len(read_automod(text).rules)
    if dry_run:
        return {"site": site_key, "rules": count}
    with write() as session:
        site = site_for(session, actor, site_key, Role.ADMIN, for_change=True)
        row = rules.automod_of(session, site.id) or AutomodRow(site_id=site.id, version=0)
        if expected_version is not None and row.version != expected_version:
            raise Conflict("Somebody else changed these rules since you saw them. Nothing was saved.")
        row.text, row.rules, row.version, row.changed_at = text, count, row.version + 1, parts.clock()
        rules.save_automod(session, row)
        sites.bump_sites(session, site.id)
        audit_line(parts, session, actor, site, "automod.put", "automod", site.key, {"rules": count})
        answer = _shown(row, site_key)
    with read() as session:
        # Make them ready in this process, so that no reader's request has to wait for it.
        rules_of_site(session, site_for(session, actor, site_key, Role.ADMIN))
    return answer


def show_automod(parts: Parts, actor: Actor, site_key: str) -> dict[str, Any]:
    """The site's rules as they were written. Raises ``NotFound`` also where there are none."""
    with read() as session:
        site = site_for(session, actor, site_key, Role.MODERATOR)
        row = rules.automod_of(session, site.id)
        if row is None:
            raise NotFound("text of rules")
        return _shown(row, site_key)


def remove_automod(parts: Parts, actor: Actor, site_key: str) -> None:
    """Remove the site's rules in YAML. Raises ``NotFound`` also where there are none."""
    with write() as session:
        site = site_for(session, actor, site_key, Role.ADMIN, for_change=True)
        if not rules.remove_automod(session, site.id):
            raise NotFound("text of rules")
        sites.bump_sites(session, site.id)
        audit_line(parts, session, actor, site, "automod.remove", "automod", site.key, {})


def _shown(row: AutomodRow, site_key: str) -> dict[str, Any]:
    return {
        "site": site_key,
        "text": row.text,
        "rules": row.rules,
        "version": row.version,
        "changed_at": row.changed_at,
    }
