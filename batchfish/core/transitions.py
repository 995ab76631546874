"""TRANSITIONS: the statuses that each event may lead to."""

from __future__ import annotations

from batchfish.core.events import (
    Adopted,
    CancelRequested,
    CannotTell,
    DeadlinePassed,
    Event,
    Intended,
    ProvenAbsent,
    Rechecked,
    RetryRequested,
    Reused,
    RunEnded,
    RunFound,
    RunLost,
    RunMisnamed,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.items import Status

_ALIVE = frozenset({Status.RUNNING, Status.CANCELLING})
_LEFT = frozenset({Status.QUEUED, Status.FAILED, Status.CANCELLED})
_AFTER_ABSENCE = _LEFT | {Status.HELD}
_AFTER_LOSS = frozenset({Status.HELD, Status.UNANSWERED, Status.RUNNING})
_AFTER_END = _LEFT | _AFTER_LOSS | {Status.SUCCEEDED}

TRANSITIONS: dict[type[Event], dict[Status, frozenset[Status]]] = {
    Intended: {Status.QUEUED: frozenset({Status.SUBMITTING})},
    Reused: {Status.QUEUED: frozenset({Status.SUCCEEDED})},
    SubmitAccepted: {Status.SUBMITTING: _ALIVE},
    SubmitDeferred: {Status.SUBMITTING: _LEFT},
    SubmitRejected: {Status.SUBMITTING: frozenset({Status.FAILED})},
    SubmitUnanswered: {Status.SUBMITTING: frozenset({Status.UNANSWERED})},
    Adopted: {
        Status.QUEUED: frozenset({Status.RUNNING}),
        Status.UNANSWERED: _ALIVE,
        Status.HELD: _ALIVE,
        Status.FAILED: _ALIVE,
        Status.CANCELLED: _ALIVE,
        Status.RUNNING: frozenset({Status.RUNNING}),
        Status.CANCELLING: frozenset({Status.CANCELLING}),
        Status.SUCCEEDED: frozenset({Status.SUCCEEDED}),
    },
    ProvenAbsent: {Status.UNANSWERED: _AFTER_ABSENCE, Status.HELD: _AFTER_ABSENCE},
    CannotTell: {Status.UNANSWERED: frozenset({Status.HELD})},
    RunEnded: {Status.RUNNING: _AFTER_END, Status.CANCELLING: _AFTER_END | {Status.CANCELLING}},
    RunLost: {Status.RUNNING: _AFTER_LOSS, Status.CANCELLING: _AFTER_LOSS | {Status.CANCELLING}},
    RunMisnamed: {Status.RUNNING: _AFTER_LOSS, Status.CANCELLING: _AFTER_LOSS | {Status.CANCELLING}},
    RunFound: {Status.UNANSWERED: _ALIVE, Status.HELD: _ALIVE},
    DeadlinePassed: {Status.RUNNING: frozenset({Status.CANCELLING})},
    CancelRequested: {
        Status.QUEUED: frozenset({Status.CANCELLED}),
        Status.RUNNING: frozenset({Status.CANCELLING}),
        **{status: frozenset({status}) for status in Status if status not in {Status.QUEUED, Status.RUNNING}},
    },
    RetryRequested: {
        Status.FAILED: frozenset({Status.QUEUED}),
        Status.CANCELLED: frozenset({Status.QUEUED}),
    },
    Rechecked: {
        Status.SUCCEEDED: frozenset({Status.SUCCEEDED, Status.FAILED}),
        Status.FAILED: frozenset({Status.SUCCEEDED, Status.FAILED}),
    },
}
"""For each event and status before it, the statuses that it may lead to.

An event about an attempt that the item does not follow may also leave the item as it is.
"""


class IllegalTransition(AssertionError):
    """An event happened to an item of a status in which it cannot: a bug in batchfish."""
