"""Sites, their threads and their rules: reading and changing the set-up.

A site's settings, origins and rules are changed by its admins, sites are made by admins of all sites. Every change is
audited and lets the version of the site grow, so that no process goes on with what it has cached.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.domain.origin import origin_of
from moderation.domain.raid import Mode
from moderation.domain.site import changed_settings, site_settings
from moderation.domain.text import normalise_line
from moderation.errors import Conflict, Invalid, NotFound
from moderation.scoring.words import RuleRow, validate_rule
from moderation.services import raids, site_secrets
from moderation.services.idempotency import Idempotency, reserve, settle
from moderation.services.listing import after, page
from moderation.services.parts import Parts
from moderation.services.site_secrets import CORAL
from moderation.storage import audit, rules, sites
from moderation.storage import site_secrets as secrets_of
from moderation.storage.db import read, write
from moderation.storage.models import RULE_ACTIONS, RULE_KINDS, Rule, Site, Thread

ALL_SITES = "*"
"""What stands for all sites where a key is asked for."""

MAX_ORIGINS = 50
MAX_NAME_CHARS = 200
MAX_TITLE_CHARS = 500
MAX_NOTE_CHARS = 500

CORAL_SECRET = "coral_secret"  # noqa: S105 (the name of a setting)

RAID_ACTIONS = ("hold", "auto", "end")

MATCHES = ("folded", "exact")
MAX_RULES = {"pattern": 200}
"""Rules of one kind a site. Patterns cost time on every comment; see the security notes on moderators' expressions."""
MAX_RULES_OF_A_KIND = 5_000

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


def add_site(
    parts: Parts,
    actor: Actor,
    key: str,
    name: str = "",
    origins: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    idem: Idempotency | None = None,
) -> dict[str, Any]:
    """Make a site. Raises ``Invalid`` by field, ``Conflict`` for a key that is taken, ``Forbidden`` without the role
    admin on all sites.
    """
    actor.require_everywhere(Role.ADMIN)
    if not _KEY.fullmatch(key):
        raise Invalid({"key": ["Use 1 to 64 of a-z, 0-9 and '-', beginning with a letter or digit."]})
    plain, secret = _apart(settings or {})
    site = Site(
        key=key,
        name=_name(name),
        origins=_origins(origins),
        settings=changed_settings({}, plain),
        version=1,
        created_at=parts.clock(),
    )
    with write() as session:
        reserved = reserve(session, parts, actor.key, idem)
        if reserved is not None and reserved.known is not None:
            return reserved.known
        audit.begin(session, parts.vault.audit_key)
        sites.add_site(session, site)
        if secret is not None:
            site_secrets.change_secret(session, parts, site, CORAL, secret)
        answer = _shown_site(session, site)
        settle(session, parts, reserved, answer)
        audit_line(
            parts, session, actor, site, "site.add", "site", site.key, {"origins": site.origins, **site.settings}
        )
        raids.follow_setting(session, parts, actor, site)
        return answer


def list_sites(parts: Parts, actor: Actor, *, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    """The sites that the actor may look at, oldest first: ``{"items", "next"}``."""
    behind = after(parts, "sites", cursor)
    with read() as session:
        rows = sites.list_sites(session, actor.sites, limit + 1, behind)
        with_coral = secrets_of.sites_with(session, [row.id for row in rows], CORAL)
        return page(parts, "sites", rows, limit, lambda site: _shown(site, site.id in with_coral))


def show_site(parts: Parts, actor: Actor, site_key: str) -> dict[str, Any]:
    """One site with all its settings, those left at their defaults too. Raises ``NotFound``."""
    with read() as session:
        return _shown_site(session, site_for(session, actor, site_key, Role.VIEWER))


def change_site(
    parts: Parts,
    actor: Actor,
    site_key: str,
    *,
    name: str | None = None,
    origins: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
) -> dict[str, Any]:
    """Change what is given, leave the rest. Raises ``NotFound``, ``Forbidden``, ``Invalid`` by field, or ``Conflict``
    where the site's version is not the one expected.
    """
    with write() as session:
        site = site_for(session, actor, site_key, Role.ADMIN, for_change=True)
        if expected_version is not None and site.version != expected_version:
            raise Conflict("The site, or one of its rules, was changed since you saw it. Nothing was saved.")
        plain, secret = (settings, None) if settings is None else _apart(settings)
        values = _checked_site(site, name, origins, plain)
        has_new_secret = secret is not None and site_secrets.change_secret(session, parts, site, CORAL, secret)
        _change(session, parts, actor, site, values)
        if has_new_secret:
            audit_line(parts, session, actor, site, "site.secret", "site", site.key, {"name": CORAL})
        return _shown_site(session, site)


def _change(session: Session, parts: Parts, actor: Actor, site: Site, values: Mapping[str, Any]) -> None:
    changed = {column: value for column, value in values.items() if getattr(site, column) != value}
    if not changed:
        return
    mode = site_settings(site.settings).raid_mode
    facts = {"before": {column: getattr(site, column) for column in changed}, "after": changed}
    sites.change_site(session, site.id, changed)
    session.refresh(site)
    if site_settings(site.settings).raid_mode != mode:
        raids.follow_setting(session, parts, actor, site)
    audit_line(parts, session, actor, site, "site.change", "site", site.key, facts)


def steer_raid(parts: Parts, actor: Actor, site_key: str, do: str) -> dict[str, Any]:
    """Raid mode by hand, for moderators of the site: ``hold`` it on (``raid_mode=on``), give it back to the figures
    (``auto``), or ``end`` it; then none begins by itself for an hour.

    Raises ``NotFound``, ``Forbidden``, and ``Invalid`` for another word.
    """
    if do not in RAID_ACTIONS:
        raise Invalid({"do": [f"It is one of: {', '.join(RAID_ACTIONS)}."]})
    with write() as session:
        site = site_for(session, actor, site_key, Role.MODERATOR, for_change=True)
        if do == "end":
            raids.end_by_hand(session, parts, actor, site)
        if do != "end" or site_settings(site.settings).raid_mode == Mode.ON:
            wanted = Mode.ON if do == "hold" else Mode.AUTO
            values = {"settings": changed_settings(site.settings, {"raid_mode": wanted.value})}
            _change(session, parts, actor, site, values)
        return _shown_site(session, site)


def list_threads(
    parts: Parts, actor: Actor, site_key: str, *, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """The threads of a site, newest first: ``{"items", "next"}``."""
    with read() as session:
        site = site_for(session, actor, site_key, Role.VIEWER)
        listing = f"threads:{site_key}"
        rows = sites.list_threads(session, site.id, limit + 1, after(parts, listing, cursor))
        return page(parts, listing, rows, limit, _shown_thread)


def change_thread(
    parts: Parts,
    actor: Actor,
    site_key: str,
    thread_id: uuid.UUID,
    *,
    open: bool | None = None,
    title: str | None = None,
) -> dict[str, Any]:
    """Close or open a thread for new comments, or name it anew; for moderators of the site."""
    values: dict[str, Any] = {}
    if open is not None:
        values["open"] = open
    if title is not None:
        values["title"] = _line(title, "title", MAX_TITLE_CHARS)
    with write() as session:
        site = site_for(session, actor, site_key, Role.MODERATOR)
        thread = sites.thread_of_site(session, site.id, thread_id)
        if thread is None:
            raise NotFound("thread")
        if values:
            sites.change_thread(session, thread.id, values)
            session.refresh(thread)
            audit_line(parts, session, actor, site, "thread.change", "thread", str(thread.id), values)
        return _shown_thread(thread)


def add_rule(
    parts: Parts,
    actor: Actor,
    site_key: str,
    kind: str,
    value: str,
    action: str = "score",
    weight: float = 0.5,
    note: str = "",
    idem: Idempotency | None = None,
    *,
    language: str | None = None,
    match: str = "folded",
    part: bool = False,
) -> dict[str, Any]:
    """Add a rule to a site, or with the key ``*`` to all of them.

    ``language`` by ISO 639-1, None for all; ``match`` "folded" or "exact"; ``part``: also inside words.

    Raises ``Invalid`` by field (a pattern that RE2 does not compile is one), ``Conflict`` for the same rule again or
    one too many.
    """
    value = value.strip()
    row = checked_rule(kind, value, action, weight, language=language, match=match, part=part)
    note = _line(note, "note", MAX_NOTE_CHARS)
    with write() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        reserved = reserve(session, parts, actor.key, idem)
        if reserved is not None and reserved.known is not None:
            return reserved.known
        site_id = None if site is None else site.id
        most = MAX_RULES.get(kind, MAX_RULES_OF_A_KIND)
        if rules.count_rules(session, site_id, kind) >= most:
            raise Conflict(f"There are {most} rules of the kind '{kind}' already, which is the most.")
        rule = Rule(
            site_id=site_id,
            kind=kind,
            value=value,
            action=action,
            weight=weight,
            language=row.language,
            exact=row.exact,
            part=row.part,
            note=note,
            created_at=parts.clock(),
        )
        rules.add_rule(session, rule)
        sites.bump_sites(session, site_id)
        answer = _shown_rule(rule, site)
        settle(session, parts, reserved, answer)
        audit_line(parts, session, actor, site, "rule.add", "rule", str(rule.id), _rule_facts(rule))
        return answer


def list_rules(
    parts: Parts, actor: Actor, site_key: str, *, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """The rules made for one site, or with the key ``*`` those for all sites: ``{"items", "next"}``."""
    with read() as session:
        site = scope_for(session, actor, site_key, Role.MODERATOR)
        site_id = None if site is None else site.id
        listing = f"rules:{site_key}"
        rows = rules.list_rules(session, site_id, limit + 1, after(parts, listing, cursor))
        return page(parts, listing, rows, limit, lambda rule: _shown_rule(rule, site))


def remove_rule(parts: Parts, actor: Actor, rule_id: uuid.UUID) -> None:
    """Remove a rule. Raises ``NotFound`` also for a rule of a site that is not the actor's."""
    with write() as session:
        rule = rules.rule_by_id(session, rule_id)
        if rule is None or (rule.site_id is None and not actor.may(None, Role.ADMIN)):
            raise NotFound("rule")
        if rule.site_id is not None:
            actor.require(rule.site_id, Role.ADMIN, "rule")
        site = None if rule.site_id is None else sites.site_by_id(session, rule.site_id)
        rules.remove_rule(session, rule.id)
        sites.bump_sites(session, rule.site_id)
        audit_line(parts, session, actor, site, "rule.remove", "rule", str(rule.id), _rule_facts(rule))


def site_for(session: Session, actor: Actor, site_key: str, role: Role, *, for_change: bool = False) -> Site:
    """The site with this key, if the actor has ``role`` there.

    Raises ``NotFound`` for a site that does not exist or is not the actor's to know of, else ``Forbidden``.
    """
    site = known_site(session, site_key, for_change=for_change)
    actor.require(site.id, role, "site")
    return site


def known_site(session: Session, site_key: str, *, for_change: bool = False) -> Site:
    """The site with this key, whoever asks. Raises ``NotFound``."""
    find = sites.site_for_change if for_change else sites.site_by_key
    site = find(session, site_key)
    if site is None:
        raise NotFound("site")
    return site


def site_now(site_key: str) -> Site:
    """The same as it is at this moment, outside of any transaction; not to be changed. Raises ``NotFound``."""
    site = sites.site_now(site_key)
    if site is None:
        raise NotFound("site")
    return site


def scope_for(session: Session, actor: Actor, site_key: str, role: Role) -> Site | None:
    """Like ``site_for``; the key ``*`` stands for all sites, needs ``role`` on all of them, and gives None."""
    if site_key == ALL_SITES:
        actor.require_everywhere(role)
        return None
    return site_for(session, actor, site_key, role)


def _checked_site(
    site: Site, name: str | None, origins: Sequence[str] | None, settings: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The columns that were given. Raises ``Invalid`` with all that is wrong, not only the first of it."""
    given: dict[str, Callable[[], Any]] = {}
    if name is not None:
        given["name"] = lambda: _name(name)
    if origins is not None:
        given["origins"] = lambda: _origins(origins)
    if settings is not None:
        given["settings"] = lambda: changed_settings(site.settings, settings)
    values: dict[str, Any] = {}
    problems: dict[str, Sequence[str]] = {}
    for column, checked in given.items():
        try:
            values[column] = checked()
        except Invalid as error:
            problems |= error.fields
    if problems:
        raise Invalid(problems)
    return values


def _name(raw: str) -> str:
    return _line(raw, "name", MAX_NAME_CHARS)


def _line(raw: str, field: str, most: int) -> str:
    line = normalise_line(raw, field)
    if len(line) > most:
        raise Invalid({field: [f"It has {len(line)} characters; at most {most} are allowed."]})
    return line


def _origins(given: Sequence[str]) -> list[str]:
    if len(given) > MAX_ORIGINS:
        raise Invalid({"origins": [f"At most {MAX_ORIGINS} origins are allowed."]})
    found: dict[str, None] = {}
    problems: dict[str, list[str]] = {}
    for place, raw in enumerate(given):
        origin = origin_of(raw)
        if origin is None:
            problems[f"origins.{place}"] = ["It is not 'https://host' or 'https://host:port', without a path."]
        else:
            found[origin] = None
    if problems:
        raise Invalid(problems)
    return list(found)


def checked_rule(
    kind: str,
    value: str,
    action: str = "score",
    weight: float = 0.5,
    *,
    language: str | None = None,
    match: str = "folded",
    part: bool = False,
) -> RuleRow:
    """A rule that is not stored (yet). Raises ``Invalid`` by field."""
    problems: dict[str, Sequence[str]] = {}
    if kind not in RULE_KINDS:
        problems["kind"] = [f"It is one of {', '.join(RULE_KINDS)}."]
    if action not in RULE_ACTIONS:
        problems["action"] = [f"It is one of {', '.join(RULE_ACTIONS)}."]
    if not -1 <= weight <= 1:
        problems["weight"] = ["It is a number from -1 to 1."]
    if match not in MATCHES:
        problems["match"] = [f"It is one of {', '.join(MATCHES)}."]
    if problems:
        raise Invalid(problems)
    row = RuleRow("", kind, value.strip(), action, weight, language or "", match == "exact", part)
    validate_rule(kind, row.value, language=row.language, exact=row.exact, part=part)
    return row


def audit_line(
    parts: Parts,
    session: Session,
    actor: Actor,
    site: Site | None,
    action: str,
    kind: str,
    object_id: str,
    data: Mapping[str, Any],
    reason: str = "",
) -> None:
    """Write a line into the audit log of the site (None: of the service). Call it last in the transaction."""
    audit.append(
        session,
        site_id=None if site is None else site.id,
        actor=actor,
        action=action,
        object_kind=kind,
        object_id=object_id,
        reason=reason,
        data=dict(data),
        now=parts.clock(),
        key=parts.vault.audit_key,
    )


def _rule_facts(rule: Rule) -> dict[str, Any]:
    facts = {"kind": rule.kind, "value": rule.value, "action": rule.action, "weight": rule.weight}
    options = {"language": rule.language, "match": "exact" if rule.exact else "", "part": rule.part}
    return facts | {name: value for name, value in options.items() if value}


def _apart(settings: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The settings that are kept as they are, and the secret among them, which is kept elsewhere."""
    plain = dict(settings)
    secret = plain.pop(CORAL_SECRET, None)
    return plain, None if secret is None else str(secret)


def _shown_site(session: Session, site: Site) -> dict[str, Any]:
    return _shown(site, bool(secrets_of.sites_with(session, [site.id], CORAL)))


def _shown(site: Site, has_coral_secret: bool) -> dict[str, Any]:
    return {
        "id": site.id,
        "key": site.key,
        "name": site.name,
        "origins": list(site.origins),
        "settings": asdict(site_settings(site.settings)),
        "has_coral_secret": has_coral_secret,
        "version": site.version,
        "created_at": site.created_at,
        "raid_since": site.raid_since,
    }


def _shown_thread(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.id,
        "key": thread.key,
        "url": thread.url,
        "title": thread.title,
        "open": thread.open,
        "approved": thread.approved,
        "created_at": thread.created_at,
    }


def _shown_rule(rule: Rule, site: Site | None) -> dict[str, Any]:
    return {
        "id": rule.id,
        "site": ALL_SITES if site is None else site.key,
        "kind": rule.kind,
        "value": rule.value,
        "action": rule.action,
        "weight": rule.weight,
        "language": rule.language or None,
        "match": "exact" if rule.exact else "folded",
        "part": rule.part,
        "note": rule.note,
        "created_at": rule.created_at,
    }
