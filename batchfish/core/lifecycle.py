"""The ways between the statuses of an item, all of them, and the only code that takes one.

The laws:

1. Every change of a status is made by `advance`, and stands in TRANSITIONS; else it is a bug and raises.
2. An item with an open attempt is never queued, failed or cancelled: it follows that attempt instead, so that
   no second run is paid for while a first one may exist.
3. A succeeded item never reopens. Of two runs alive the one created first speaks for the item; the other
   keeps its slot until it ends, and is reported.
4. A person's word beats a rule: a wish to cancel ends automatic attempts, a wish to retry is just one more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from batchfish.core import retry
from batchfish.core.events import (
    Adopted,
    CancelWished,
    CannotTell,
    CreateAnswer,
    DeadlinePassed,
    Event,
    Intended,
    ProvenAbsent,
    RetryWished,
    RunEnded,
    RunFound,
    RunLost,
    Step,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.items import Attempt, AttemptState, Item, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.core.rules import Rules
    from batchfish.core.runs import RunSeen

CREATES_IN_VAIN = 5
"""So many creates of one item in a row that made no run, while others are accepted, fail the item."""

PAUSE_IN_VAIN = 5.0
"""Seconds before another create of an item whose last one made no run; grows with each."""

FORBIDDEN_PAUSE = 60.0
"""Seconds for which an item is parked that alone may be forbidden."""

_ENDS = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
_FOLLOWED = frozenset({Status.RUNNING, Status.CANCELLING, Status.UNANSWERED, Status.HELD})
_AFTER_END = _ENDS | _FOLLOWED | {Status.QUEUED}

TRANSITIONS: dict[type[Event], dict[Status, frozenset[Status]]] = {
    Intended: {Status.QUEUED: frozenset({Status.SUBMITTING})},
    SubmitAccepted: {Status.SUBMITTING: frozenset({Status.RUNNING, Status.CANCELLING})},
    SubmitDeferred: {Status.SUBMITTING: frozenset({Status.QUEUED, Status.FAILED, Status.CANCELLED})},
    SubmitRejected: {Status.SUBMITTING: frozenset({Status.FAILED})},
    SubmitUnanswered: {Status.SUBMITTING: frozenset({Status.UNANSWERED})},
    Adopted: {
        Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLING}),
        Status.UNANSWERED: frozenset({Status.RUNNING, Status.CANCELLING}),
        Status.HELD: frozenset({Status.RUNNING, Status.CANCELLING}),
        Status.FAILED: frozenset({Status.RUNNING, Status.CANCELLING}),
        Status.CANCELLED: frozenset({Status.RUNNING, Status.CANCELLING}),
        Status.RUNNING: frozenset({Status.RUNNING}),
        Status.CANCELLING: frozenset({Status.CANCELLING}),
        Status.SUCCEEDED: frozenset({Status.SUCCEEDED}),
    },
    ProvenAbsent: {
        Status.UNANSWERED: _FOLLOWED | {Status.QUEUED, Status.FAILED, Status.CANCELLED},
        Status.HELD: _FOLLOWED | {Status.QUEUED, Status.FAILED, Status.CANCELLED},
    },
    CannotTell: {Status.UNANSWERED: frozenset({Status.HELD}), Status.HELD: frozenset({Status.HELD})},
    RunEnded: {
        Status.RUNNING: _AFTER_END,
        Status.CANCELLING: _AFTER_END,
        Status.HELD: _AFTER_END,
    },
    RunLost: {Status.RUNNING: frozenset({Status.HELD}), Status.CANCELLING: frozenset({Status.HELD})},
    RunFound: {Status.HELD: frozenset({Status.RUNNING, Status.CANCELLING})},
    DeadlinePassed: {Status.RUNNING: frozenset({Status.CANCELLING})},
    CancelWished: {
        Status.QUEUED: frozenset({Status.CANCELLED}),
        Status.SUBMITTING: frozenset({Status.SUBMITTING}),
        Status.UNANSWERED: frozenset({Status.UNANSWERED}),
        Status.HELD: frozenset({Status.HELD}),
        Status.RUNNING: frozenset({Status.CANCELLING}),
        Status.CANCELLING: frozenset({Status.CANCELLING}),
        Status.SUCCEEDED: frozenset({Status.SUCCEEDED}),
        Status.FAILED: frozenset({Status.FAILED}),
        Status.CANCELLED: frozenset({Status.CANCELLED}),
    },
    RetryWished: {
        Status.FAILED: frozenset({Status.QUEUED}),
        Status.CANCELLED: frozenset({Status.QUEUED}),
    },
}
"""Event, status before, statuses that may come of it. An event about an attempt that the item does not follow
moves that attempt alone."""


class IllegalTransition(AssertionError):
    """An event met an item it cannot happen to: a bug of ours, never of the world."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What a decision may take into account besides item and event; times in epoch seconds.

    `others` are the item's other open attempts; `last_accepted` is when the API last accepted any create.
    """

    now: float
    rules: Rules
    chance: Callable[[], float]
    others: Sequence[Attempt] = ()
    last_accepted: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What comes of an event: the item, the attempt it speaks of, the run's end, a money event to report."""

    item: Item
    attempt: Attempt | None = None
    run: RunSeen | None = None
    money_event: str | None = None
    was: Status = field(default=Status.QUEUED)


def advance(item: Item, attempt: Attempt | None, event: Event, circumstances: Circumstances) -> Change:
    """Say what the event makes of the item and of the attempt it speaks about (None: there is none yet)."""
    if isinstance(event, Adopted):
        change = _adopt(item, attempt, event, circumstances)
    elif attempt is not None and attempt.k != item.follows:
        return Change(item=item, attempt=_settle_attempt(attempt, event), run=_run_of(event), was=item.status)
    else:
        moved = _move(item, event, circumstances)
        is_idle = moved.status.is_final or moved.status is Status.QUEUED
        after = _follow_open(moved, circumstances.others) if is_idle else moved
        opened = _open_attempt(item, event, circumstances) if isinstance(event, Intended) else attempt
        settled = None if opened is None else _settle_attempt(opened, event)
        change = Change(item=after, attempt=settled, run=_run_of(event))
    allowed = TRANSITIONS[type(event)].get(item.status, frozenset())
    if change.item.status not in allowed:
        msg = f"{type(event).__name__} cannot take an item from {item.status} to {change.item.status}"
        raise IllegalTransition(msg)
    return replace(change, was=item.status)


def _move(item: Item, event: Step, circumstances: Circumstances) -> Item:
    """Take the item one step, as if it had no other attempt."""
    match event:
        case Intended(k=k):
            return replace(
                item, status=Status.SUBMITTING, reason=None, message=None, k=k, follows=k, due_at=0.0
            )
        case SubmitAccepted() | SubmitDeferred() | SubmitRejected() | SubmitUnanswered():
            return _after_answer(item, event, circumstances)
        case ProvenAbsent():
            return _after_vain_create(item, "no run was made", circumstances)
        case CannotTell(message=message):
            return replace(item, status=Status.HELD, reason="unanswered", message=message)
        case RunEnded():
            return _after_end(item, event, circumstances)
        case RunLost():
            return replace(
                item, status=Status.HELD, reason="lost_remote", message="the API no longer knows the run"
            )
        case RunFound():
            status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
            return replace(item, status=status, reason=None, message=None)
        case DeadlinePassed():
            return replace(item, status=Status.CANCELLING, reason="run_timeout")
        case CancelWished():
            return _after_cancel_wish(item)
        case RetryWished():
            return replace(
                item,
                status=Status.QUEUED,
                reason=None,
                message=None,
                due_at=circumstances.now,
                retry_wish=True,
                cancel_wish=False,
                refused=0,
                refused_at=None,
            )
        case _:
            assert_never(event)


def _after_answer(item: Item, answer: CreateAnswer, circumstances: Circumstances) -> Item:
    """What the answer to its create makes of an item."""
    match answer:
        case SubmitAccepted():
            status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
            return replace(item, status=status, attempts=item.attempts + 1, refused=0, refused_at=None)
        case SubmitDeferred(reason="create_error", message=message):
            return _after_vain_create(item, message, circumstances)
        case SubmitDeferred(reason=reason, message=message):
            return _after_deferral(item, reason, message, circumstances)
        case SubmitRejected(reason=reason, message=message):
            return replace(item, status=Status.FAILED, reason=reason, message=message)
        case SubmitUnanswered(message=message):
            return replace(item, status=Status.UNANSWERED, reason="unanswered", message=message)
        case _:
            assert_never(answer)


def _after_deferral(item: Item, reason: str, message: str, circumstances: Circumstances) -> Item:
    """Back to the queue: the item is not to blame, unless it alone is forbidden while others are accepted."""
    if item.cancel_wish:
        return replace(item, status=Status.CANCELLED, reason="cancelled", message=None)
    if reason != "forbidden":
        return replace(item, status=Status.QUEUED, reason=reason, message=message)
    since = item.refused_at if item.reason == "forbidden" else None
    if since is not None and (circumstances.last_accepted or 0.0) > since:
        return replace(item, status=Status.FAILED, reason="forbidden", message=message)
    due_at = circumstances.now + FORBIDDEN_PAUSE
    return replace(
        item,
        status=Status.QUEUED,
        reason="forbidden",
        message=message,
        due_at=due_at,
        refused_at=since if since is not None else circumstances.now,
    )


def _after_vain_create(item: Item, message: str, circumstances: Circumstances) -> Item:
    """A create that surely made no run: again, until it is the item's fault and not an outage."""
    if item.cancel_wish:
        return replace(item, status=Status.CANCELLED, reason="cancelled", message=None)
    refused = item.refused + 1
    since = item.refused_at if item.refused_at is not None else circumstances.now
    others_are_accepted = (circumstances.last_accepted or 0.0) > since
    if refused >= CREATES_IN_VAIN and others_are_accepted:
        return replace(item, status=Status.FAILED, reason="create_failed", message=message, refused=refused)
    pause = circumstances.chance() * PAUSE_IN_VAIN * (refused - 1)
    return replace(
        item,
        status=Status.QUEUED,
        reason="create_failed",
        message=message,
        refused=refused,
        refused_at=since,
        due_at=circumstances.now + pause,
    )


def _after_end(item: Item, event: RunEnded, circumstances: Circumstances) -> Item:
    """Succeeded, failed or queued again: decided once, when the run ends."""
    run, rules = event.run, circumstances.rules
    if run.status == "COMPLETED":
        if event.failed_check is None:
            return replace(item, status=Status.SUCCEEDED, reason=None, message=None, retry_wish=False)
        return replace(
            item, status=Status.FAILED, reason=event.failed_check, message=event.message, retry_wish=False
        )
    error = run.error
    if run.status == "CANCELLED":
        if item.cancel_wish:
            return replace(item, status=Status.CANCELLED, reason="cancelled", message=None, retry_wish=False)
        if item.status is not Status.CANCELLING:
            words = error.message if error else "somebody else cancelled the run"
            return replace(item, status=Status.CANCELLED, reason="cancelled_elsewhere", message=words)
        cause, error = "run_timeout", None
    else:
        cause = retry.cause_of(error)
    message = error.message if error else None
    unpaid = item.unpaid
    if cause == "billing_failure":
        unpaid += 1
        deserving = unpaid <= retry.BILLING_FAILURES_PARDONED
    else:
        deserving = retry.deserves_another(cause, error, item.attempts - unpaid, rules.retry)
    failed = replace(
        item, status=Status.FAILED, reason=cause, message=message, unpaid=unpaid, retry_wish=False
    )
    if not deserving or item.cancel_wish or item.retry_wish:
        return failed
    asked = error.retry_after if error else None
    pause = retry.wait_before(item.attempts, asked, rules.retry, circumstances.chance)
    return replace(failed, status=Status.QUEUED, due_at=circumstances.now + pause)


def _after_cancel_wish(item: Item) -> Item:
    """Remember the wish; act on it now where nothing is under way."""
    if item.status.is_final:
        return item
    wished = replace(item, cancel_wish=True)
    match item.status:
        case Status.QUEUED:
            return replace(wished, status=Status.CANCELLED, reason="cancelled", message=None)
        case Status.RUNNING:
            return replace(wished, status=Status.CANCELLING)
        case _:
            return wished


def _follow_open(item: Item, others: Sequence[Attempt]) -> Item:
    """Law 2: rather than end or be queued, follow an attempt that is still open."""
    if item.status is Status.SUCCEEDED or not others:
        return item
    nxt = min(others, key=lambda other: (other.run_id is None, other.created_at or 0.0, other.k))
    if nxt.run_id is None:
        status = Status.UNANSWERED
    elif nxt.state is AttemptState.HELD:
        status = Status.HELD
    else:
        status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
    return replace(item, status=status, follows=nxt.k, due_at=0.0)


def _adopt(item: Item, attempt: Attempt | None, event: Adopted, circumstances: Circumstances) -> Change:
    """Bind a found run to its item, whatever the item's status; of two alive the one created first speaks."""
    known = attempt or Attempt(
        item=item.pk,
        k=event.k,
        marker=event.marker,
        state=AttemptState.UNANSWERED,
        key_id=event.key_id,
        body_sha256="",
        intended_at=event.created_at or circumstances.now,
        intended_boot=0.0,
        boot_id="",
    )
    adopted = replace(
        known,
        state=AttemptState.RUNNING,
        run_id=event.run_id,
        created_at=event.created_at,
        cause="adopted",
    )
    counted = replace(item, k=max(item.k, event.k), attempts=item.attempts + 1, refused=0, refused_at=None)
    if item.status is Status.SUCCEEDED:
        return Change(
            item=counted, attempt=adopted, money_event=f"a second run {event.run_id} of a finished item"
        )
    status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
    rival = next((other for other in circumstances.others if other.k == item.follows and other.run_id), None)
    if rival is None:
        followed = replace(counted, status=status, follows=event.k, reason=None, message=None, due_at=0.0)
        return Change(item=followed, attempt=adopted)
    comes_first = None not in {event.created_at, rival.created_at} and event.created_at < rival.created_at  # type: ignore[operator]
    report = f"two runs of one item are alive: {rival.run_id} and {event.run_id}"
    follows = event.k if comes_first else item.follows
    return Change(item=replace(counted, follows=follows), attempt=adopted, money_event=report)


def _open_attempt(item: Item, event: Intended, circumstances: Circumstances) -> Attempt:
    return Attempt(
        item=item.pk,
        k=event.k,
        marker=event.marker,
        state=AttemptState.SUBMITTING,
        key_id=event.key_id,
        body_sha256=event.body_sha256,
        intended_at=circumstances.now,
        intended_boot=event.boot_at,
        boot_id=event.boot_id,
        server_date=event.server_date,
    )


def _settle_attempt(attempt: Attempt, event: Event) -> Attempt:
    """What the event says of the attempt itself, whether or not the item follows it."""
    match event:
        case SubmitAccepted(run_id=run_id, server_date=server_date):
            return replace(attempt, state=AttemptState.RUNNING, run_id=run_id, created_at=server_date)
        case SubmitDeferred(reason=reason) | SubmitRejected(reason=reason):
            return replace(attempt, state=AttemptState.REFUSED, cause=reason)
        case SubmitUnanswered(message=message, given_up_at=given_up_at, boot_id=boot_id):
            return replace(
                attempt,
                state=AttemptState.UNANSWERED,
                cause=message,
                given_up_at=given_up_at,
                given_up_boot_id=boot_id,
            )
        case ProvenAbsent():
            return replace(attempt, state=AttemptState.ABSENT)
        case RunLost() | CannotTell():
            return replace(attempt, state=AttemptState.HELD)
        case RunFound():
            return replace(attempt, state=AttemptState.RUNNING)
        case RunEnded(run=run):
            return _ended(attempt, run)
        case _:
            return attempt


def _ended(attempt: Attempt, run: RunSeen) -> Attempt:
    error = run.error
    return replace(
        attempt,
        state=AttemptState.ENDED,
        run_status=run.status,
        created_at=run.created_at or attempt.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        steps=run.steps,
        error_code=(error.code or error.category) if error else None,
        error_message=error.message if error else None,
        streaming_url=run.streaming_url,
    )


def _run_of(event: Event) -> RunSeen | None:
    return event.run if isinstance(event, RunEnded) else None
