"""Rotation of the encryption keys: seal again, under the first key, what is sealed under another one."""

import uuid
from collections.abc import Callable

from moderation.domain.actor import Actor, Role
from moderation.services.parts import Parts
from moderation.storage import audit, sealed
from moderation.storage.db import read, write

BATCH = 200
"""Rows a transaction, so that no reader's comment waits long for the writer's place."""


MAX_LOOKS = 3
"""Looks at everything after the first, at most: each finds what was sealed under an old key since the one before."""


def count_sealed(parts: Parts) -> int:
    """How many sealed values there are."""
    with read() as session:
        return sum(sealed.count_sealed(session, place) for place in sealed.COLUMNS)


def reseal(parts: Parts, actor: Actor, progress: Callable[[int], None] = lambda _: None) -> dict[str, int]:
    """Seal again what is not under the current key; ``{"resealed", "checked"}``.

    Works in batches of its own transactions, while others write: stopped half-way, it goes on with the rest the next
    time. What was sealed under an old key by a transaction that was under way is found by a last look at everything.
    Raises ``Bug`` for a value that does not open. ``progress`` is told the rows done.
    """
    actor.require_everywhere(Role.ADMIN)
    resealed, checked = _reseal_all(parts, progress)
    for _ in range(MAX_LOOKS):
        late, _rows = _reseal_all(parts, lambda _: None)
        resealed += late
        if not late:
            break
    _note(parts, actor, resealed)
    return {"resealed": resealed, "checked": checked}


def is_finished(parts: Parts) -> bool:
    """Whether everything was sealed under the first of the keys: there is no other, or a rotation to it came to its
    end.
    """
    if len(parts.settings.encryption_keys) == 1:
        return True
    with read() as session:
        return bool(audit.lines_about(session, "keys", parts.vault.current_key, 1))


def _reseal_all(parts: Parts, progress: Callable[[int], None]) -> tuple[int, int]:
    resealed = checked = 0
    for place in sealed.COLUMNS:
        after: uuid.UUID | None = None
        while True:
            done, rows, after = _batch(parts, place, after)
            resealed, checked = resealed + done, checked + rows
            progress(rows)
            if after is None:
                break
    return resealed, checked


def _batch(parts: Parts, place: tuple[str, str], after: uuid.UUID | None) -> tuple[int, int, uuid.UUID | None]:
    """Resealed, looked at, and the id to go on after; None at the end."""
    table, column = place
    with read() as session:
        rows = sealed.sealed_values(session, place, BATCH, after)
    fresh = [
        (row, parts.vault.reseal(row.value, table=table, column=column, row_id=row.row_id, site_id=row.site_id))
        for row in rows
    ]
    stale = [(row, value) for row, value in fresh if value is not None]
    done = 0
    if stale:
        with write() as session:
            done = sum(sealed.replace_sealed(session, place, row, value) for row, value in stale)
    return done, len(rows), rows[-1].row_id if len(rows) == BATCH else None


def _note(parts: Parts, actor: Actor, resealed: int) -> None:
    with write() as session:
        audit.append(
            session,
            site_id=None,
            actor=actor,
            action="keys.rotate",
            object_kind="keys",
            object_id=parts.vault.current_key,
            data={"resealed": resealed},
            now=parts.clock(),
            key=parts.vault.audit_key,
        )
