"""Lists of words: tens of thousands of words and phrases that do the same, kept under a name.

A list belongs to a site, or with the key ``*`` to all of them. It is one row, so that it is replaced and audited in one
small transaction, and compiled once a process.
"""

import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from moderation.domain.actor import Actor, Role
from moderation.errors import Conflict, Invalid, NotFound
from moderation.scoring.literals import MAX_ENTRIES, ListHead, ReadList, WordList, read_list
from moderation.scoring.words import check_language
from moderation.services.listing import after, page
from moderation.services.parts import Parts
from moderation.services.site_rules import rules_of_site
from moderation.services.sites import ALL_SITES, MATCHES, audit_line, scope_for
from moderation.storage import rules, sites
from moderation.storage.db import read, write
from moderation.storage.models import LIST_ACTIONS, MAX_LIST_CHARS, Site, WordListRow

MAX_LISTS = 50
"""Most lists of one site."""

MAX_ENTRIES_OF_SITE = 200_000
"""Most entries of all lists of one site; each 50,000 take some 6 MB in every process."""

MAX_REFUSED_SHOWN = 100

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


def put_list(
    parts: Parts,
    actor: Actor,
    site_key: str,
    name: str,
    text: str,
    *,
    action: str | None = None,
    weight: float | None = None,
    language: str | None = None,
    match: str | None = None,
    part: bool | None = None,
    replace: bool = True,
    dry_run: bool = False,
    advance: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Make a list, or change the one of this name, in one transaction; the list with ``added``, ``removed``,
    ``refused_count`` and ``refused``: up to a hundred of ``{"line", "why"}``.

    ``replace``: what is not in ``text`` goes; else it stays. Of the options, what is None stays as it is, and is
    otherwise ``score``, 0.5, all languages, ``folded`` and whole words. ``dry_run`` changes nothing. Raises ``Invalid``
    by field, also where no line is an entry, and ``Conflict`` above ``MAX_LISTS`` or ``MAX_ENTRIES_OF_SITE``.
    """
    if not _NAME.fullmatch(name):
        raise Invalid({"name": ["Use 1 to 64 of a-z, 0-9 and '-', beginning with a letter or digit."]})
    with read() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        known = rules.word_list(session, site.id if site else None, name)
    head = _head(known, name, action, weight, language, match, part)
    given = _read(text, head, advance)
    if dry_run:
        return _outcome(_shown(_row(None, head, given, _entries(known), replace, parts), site), known, given, replace)
    with write() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        # First: whoever else changes rules of this scope waits here, and then sees this list.
        sites.bump_sites(session, site.id if site else None)
        known = rules.word_list(session, site.id if site else None, name)
        row = _row(site, head, given, _entries(known), replace, parts)
        answer = _outcome(_shown(row, site), known, given, replace)
        _check_room(session, site, row)
        row = _merged(known, row)
        rules.save_word_list(session, row)
        facts = {key: answer[key] for key in ("name", "action", "weight", "size", "added", "removed")}
        audit_line(parts, session, actor, site, "word_list.put", "word_list", str(row.id), facts)
        answer |= _shown(row, site)
    _compile_now(site_key)
    return answer


def list_lists(
    parts: Parts, actor: Actor, site_key: str, *, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """The lists made for one site, or with the key ``*`` those for all sites: ``{"items", "next"}``."""
    with read() as session:
        site = scope_for(session, actor, site_key, Role.MODERATOR)
        listing = f"word-lists:{site_key}"
        rows = rules.list_word_lists(session, site.id if site else None, limit + 1, after(parts, listing, cursor))
        return page(parts, listing, rows, limit, lambda row: _shown(row, site))


def show_list(parts: Parts, actor: Actor, site_key: str, name: str) -> dict[str, Any]:
    """One list with its ``text``, in the form that ``put_list`` takes. Raises ``NotFound``."""
    with read() as session:
        site = scope_for(session, actor, site_key, Role.MODERATOR)
        row = _list_for(session, site, name)
        # A line that begins with the sign would be passed over when it is read again.
        return {**_shown(row, site), "text": re.sub("^#", r"\\#", row.entries, flags=re.MULTILINE)}


def remove_list(parts: Parts, actor: Actor, site_key: str, name: str) -> None:
    """Remove a list. Raises ``NotFound``."""
    with write() as session:
        site = scope_for(session, actor, site_key, Role.ADMIN)
        row = _list_for(session, site, name)
        rules.remove_word_list(session, row.id)
        sites.bump_sites(session, row.site_id)
        facts = {"name": row.name, "size": row.size}
        audit_line(parts, session, actor, site, "word_list.remove", "word_list", str(row.id), facts)


def checked_list(
    text: str,
    *,
    action: str | None = None,
    weight: float | None = None,
    language: str | None = None,
    match: str | None = None,
    part: bool | None = None,
) -> WordList:
    """A list that is not stored, ready to run. Raises ``Invalid`` by field."""
    head = _head(None, "candidate", action, weight, language, match, part)
    return WordList(head, _read(text, head, None).text())


def _list_for(session: Session, site: Site | None, name: str) -> WordListRow:
    row = rules.word_list(session, site.id if site else None, name)
    if row is None:
        raise NotFound("list")
    return row


def _head(
    known: WordListRow | None,
    name: str,
    action: str | None,
    weight: float | None,
    language: str | None,
    match: str | None,
    part: bool | None,
) -> ListHead:
    problems: dict[str, list[str]] = {}
    if action is not None and action not in LIST_ACTIONS:
        problems["action"] = [f"It is one of {', '.join(LIST_ACTIONS)}."]
    if weight is not None and not -1 <= weight <= 1:
        problems["weight"] = ["It is a number from -1 to 1."]
    if match is not None and match not in MATCHES:
        problems["match"] = [f"It is one of {', '.join(MATCHES)}."]
    if problems:
        raise Invalid(problems)
    check_language(language or "")
    before = known or WordListRow(action="score", weight=0.5, language="", exact=False, part=False)
    return ListHead(
        name=name,
        action=before.action if action is None else action,
        weight=before.weight if weight is None else weight,
        language=before.language if language is None else language,
        exact=before.exact if match is None else match == "exact",
        part=before.part if part is None else part,
    )


def _read(text: str, head: ListHead, advance: Callable[[int], None] | None) -> ReadList:
    if len(text) > MAX_LIST_CHARS:
        raise Invalid({"text": [f"It has {len(text):,} characters; at most {MAX_LIST_CHARS:,} are allowed."]})
    given = read_list(text, part=head.part, advance=advance)
    if given.refused and not given.entries:
        line, why = next(iter(given.refused.items()))
        raise Invalid({"text": [f"No line is an entry. Line {line}: {why}"]})
    return given


def _entries(known: WordListRow | None) -> dict[str, str]:
    """The stored entries, each with its line."""
    return {line.partition("\t")[0]: line for line in known.entries.split("\n") if line} if known else {}


def _row(
    site: Site | None, head: ListHead, given: ReadList, before: Mapping[str, str], replace: bool, parts: Parts
) -> WordListRow:
    """The list as it is to be."""
    text, size = given.text(), len(given.entries)
    if not replace:
        kept = [line for entry, line in before.items() if entry not in given.entries]
        text, size = "\n".join(filter(None, [*kept, text])), size + len(kept)
    if size > MAX_ENTRIES:
        raise Invalid({"text": [f"The list would have {size:,} entries; at most {MAX_ENTRIES:,} are allowed."]})
    if len(text) > MAX_LIST_CHARS:
        raise Invalid({"text": [f"The list would have {len(text):,} characters; at most {MAX_LIST_CHARS:,}."]})
    now = parts.clock()
    return WordListRow(
        site_id=site.id if site else None,
        name=head.name,
        action=head.action,
        weight=head.weight,
        language=head.language,
        exact=head.exact,
        part=head.part,
        entries=text,
        size=size,
        version=1,
        created_at=now,
        changed_at=now,
    )


_CHANGED = ("action", "weight", "language", "exact", "part", "entries", "size", "changed_at")


def _merged(known: WordListRow | None, row: WordListRow) -> WordListRow:
    """The row to store: the one that is there, with the new values and the next version."""
    if known is None:
        return row
    for column in _CHANGED:
        setattr(known, column, getattr(row, column))
    known.version += 1
    return known


def _check_room(session: Session, site: Site | None, row: WordListRow) -> None:
    others = [one for one in rules.list_word_lists(session, row.site_id) if one.name != row.name]
    if len(others) >= MAX_LISTS:
        raise Conflict(f"There are {MAX_LISTS} lists already, which is the most. Remove one, or add to one.")
    if sum(one.size for one in others) + row.size > MAX_ENTRIES_OF_SITE:
        raise Conflict(f"All lists together may have {MAX_ENTRIES_OF_SITE:,} entries.")


def _compile_now(site_key: str) -> None:
    """Make the lists ready in this process, so that no reader's request has to wait for it."""
    with read() as session:
        site = sites.site_by_key(session, site_key)
        if site is not None:
            rules_of_site(session, site)


def _outcome(shown: dict[str, Any], known: WordListRow | None, given: ReadList, replace: bool) -> dict[str, Any]:
    before = _entries(known).keys()
    return {
        **shown,
        "added": len(given.entries.keys() - before),
        "removed": len(before - given.entries.keys()) if replace else 0,
        "refused_count": len(given.refused),
        "refused": [{"line": line, "why": why} for line, why in islice(given.refused.items(), MAX_REFUSED_SHOWN)],
    }


def _shown(row: WordListRow, site: Site | None) -> dict[str, Any]:
    return {
        "name": row.name,
        "site": ALL_SITES if site is None else site.key,
        "action": row.action,
        "weight": row.weight,
        "language": row.language or None,
        "match": "exact" if row.exact else "folded",
        "part": row.part,
        "size": row.size,
        "version": row.version,
        "changed_at": row.changed_at,
    }
