"""What readers see of a tree of replies. Pure.

A comment is shown while it is approved and everything above it is shown. One that its author deleted keeps its place,
empty, for as long as shown replies hang below it. What a moderator took away hides its whole branch, since the answers
to it would only repeat it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from moderation.domain.comment import State


@dataclass(frozen=True, slots=True)
class Node:
    """One comment of a tree, as far as showing goes."""

    id: uuid.UUID
    parent_id: uuid.UUID | None
    state: State
    shown: bool


def shown_changes(nodes: Sequence[Node], *, above_shown: bool) -> dict[uuid.UUID, bool]:
    """Which nodes must change their ``shown``, and to what.

    ``nodes`` is a whole branch, parents before children; ``above_shown`` tells whether what the branch hangs on is
    shown (True for a root).
    """
    live: dict[uuid.UUID, bool] = {}
    for node in reversed(nodes):
        alive = node.state is State.APPROVED or (node.state is State.DELETED and live.get(node.id, False))
        live[node.id] = alive
        if alive and node.parent_id is not None:
            live[node.parent_id] = True
    shown: dict[uuid.UUID, bool] = {}
    changes: dict[uuid.UUID, bool] = {}
    for node in nodes:
        above = above_shown if node.parent_id is None else shown.get(node.parent_id, above_shown)
        shown[node.id] = live[node.id] and above
        if shown[node.id] is not node.shown:
            changes[node.id] = shown[node.id]
    return changes
