"""The states of a comment and the moves between them. Pure.

::

    pending --approve--> approved      pending --escalate--> escalated (waits for an admin)
            --reject---> rejected      any of approved, rejected, spam, trashed, escalated
            --spam-----> spam              --restore--> pending
            --trash----> trashed       any but deleted --author deletes / erased--> deleted (final)
"""

from enum import StrEnum

from moderation.errors import Conflict


class State(StrEnum):
    """Where a comment is. Only ``approved`` is ever public."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SPAM = "spam"
    TRASHED = "trashed"
    ESCALATED = "escalated"
    DELETED = "deleted"


class Action(StrEnum):
    """What a moderator can do to a comment."""

    APPROVE = "approve"
    REJECT = "reject"
    SPAM = "spam"
    TRASH = "trash"
    RESTORE = "restore"
    ESCALATE = "escalate"


REFUSED = frozenset({State.REJECTED, State.SPAM, State.TRASHED})
"""States in which somebody, or the policy, decided against a comment."""

WAITING = frozenset({State.PENDING, State.ESCALATED})
"""States in which a comment waits for somebody."""

_TARGET = {
    Action.APPROVE: State.APPROVED,
    Action.REJECT: State.REJECTED,
    Action.SPAM: State.SPAM,
    Action.TRASH: State.TRASHED,
    Action.RESTORE: State.PENDING,
    Action.ESCALATE: State.ESCALATED,
}

_ALL = frozenset(State) - {State.DELETED}

_FROM = {
    Action.APPROVE: _ALL,
    Action.REJECT: _ALL,
    Action.SPAM: _ALL,
    Action.TRASH: _ALL,
    Action.RESTORE: _ALL,
    Action.ESCALATE: frozenset({State.PENDING, State.APPROVED}),
}


def state_after(state: State, action: Action) -> State:
    """Return the state that ``action`` leads to from ``state``.

    Raises ``Conflict`` where the table does not allow the move: from ``deleted``, to where it already is, or an
    escalation of what was already decided against.
    """
    target = _TARGET[action]
    if state is State.DELETED:
        raise Conflict("The comment was deleted; that is final.")
    if target is state:
        raise Conflict(f"The comment is already {state}.")
    if state not in _FROM[action]:
        raise Conflict(f"A comment that is {state} cannot be moved by '{action}'.")
    return target


def event_of(before: State, after: State) -> str | None:
    """The webhook event that tells of the move from ``before`` to ``after``, or None where none does.

    ``trashed`` is told as ``comment.rejected`` (the payload's ``state`` says which). A return to the queue is told
    as ``comment.held`` where the comment had been public, so that a site can take it down.
    """
    match after:
        case State.APPROVED:
            return "comment.approved"
        case State.REJECTED | State.TRASHED:
            return "comment.rejected"
        case State.SPAM:
            return "comment.spam"
        case State.DELETED:
            return "comment.deleted"
        case _:
            return "comment.held" if before is State.APPROVED else None


EVENTS = (
    "comment.submitted",
    "comment.approved",
    "comment.rejected",
    "comment.spam",
    "comment.edited",
    "comment.deleted",
    "comment.reported",
    "comment.held",
    "site.raid_started",
    "site.raid_ended",
)
"""Every event type that an endpoint may subscribe to."""
