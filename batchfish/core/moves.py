"""What one event makes of an item, as if it had no other attempt than the one it follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from batchfish.core import retry
from batchfish.core.events import (
    CancelWished,
    CannotTell,
    CreateAnswer,
    DeadlinePassed,
    Intended,
    ProvenAbsent,
    RetryWished,
    RunEnded,
    RunFound,
    RunLost,
    RunMisnamed,
    Step,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.items import Item, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.core.items import Attempt
    from batchfish.core.rules import Rules

CREATES_IN_VAIN = 5
"""So many creates of one item in a row that made no run, while others are accepted, fail the item."""

PAUSE_IN_VAIN = 5.0
"""Seconds before another create of an item whose last one made no run; grows with each."""

FORBIDDEN_PAUSE = 60.0
"""Seconds for which an item is parked that alone may be forbidden."""


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


def move(item: Item, event: Step, circumstances: Circumstances) -> Item:
    """Take the item one step, as if it had no other attempt."""
    match event:
        case Intended(k=k):
            return replace(item, status=Status.SUBMITTING, k=k, follows=k, due_at=0.0)
        case SubmitAccepted() | SubmitDeferred() | SubmitRejected() | SubmitUnanswered():
            return _after_answer(item, event, circumstances)
        case ProvenAbsent():
            return _after_vain_create(item, "no run was made", circumstances)
        case CannotTell() | RunLost() | RunMisnamed():
            return _held(item, event)
        case RunEnded():
            return _after_end(item, event, circumstances)
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


def _held(item: Item, event: CannotTell | RunLost | RunMisnamed) -> Item:
    """What remains of an item that a person must decide about."""
    match event:
        case CannotTell(message=message):
            reason = "unanswered"
        case RunLost():
            reason, message = "lost_remote", "the API no longer knows the run"
        case RunMisnamed(run_id=run_id, marker=marker):
            reason = "other_marker"
            message = f"the API shows run {run_id} with the marker of another attempt, {marker}"
        case _:
            assert_never(event)
    return replace(item, status=Status.HELD, reason=reason, message=message)


def _after_answer(item: Item, answer: CreateAnswer, circumstances: Circumstances) -> Item:
    """What the answer to its create makes of an item."""
    match answer:
        case SubmitAccepted():
            status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
            accepted = replace(item, status=status, reason=None, message=None, attempts=item.attempts + 1)
            return replace(accepted, refused=0, refused_at=None)
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
    # Runs found meanwhile may have used the attempts up, that this create was meant to be one of.
    is_used_up = item.attempts - item.unpaid >= circumstances.rules.retry.attempts and not item.retry_wish
    if is_used_up or (refused >= CREATES_IN_VAIN and others_are_accepted):
        return replace(item, status=Status.FAILED, reason="create_failed", message=message, refused=refused)
    pause = min(circumstances.chance() * PAUSE_IN_VAIN * (refused - 1), retry.LONGEST_WAIT)
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
    wished = replace(item, cancel_wish=True)
    match item.status:
        case Status.QUEUED:
            return replace(wished, status=Status.CANCELLED, reason="cancelled", message=None)
        case Status.RUNNING:
            return replace(wished, status=Status.CANCELLING)
        case _:
            return wished
