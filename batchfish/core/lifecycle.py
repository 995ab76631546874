"""The lifecycle of items: how events change them and their attempts.

No other code changes a status. It is one module because an event, its move and the attempts that it leaves
are read together.

The laws:

1. Every change of a status is made by `advance`, and stands in TRANSITIONS; else it is a bug and raises.
2. An item with an open attempt is never queued, failed or cancelled: it follows that attempt instead, so that
   no second run is paid for while a first one may exist.
3. A succeeded item never reopens; only its result, judged again for a person, can make it fail. Of two runs
   alive the item follows the one that was created first, unless the other one succeeds before it. The other
   run keeps its slot until it ends, and is reported.
4. A person's request beats a rule: a request to cancel ends automatic attempts, and a request to retry adds
   exactly one attempt.
5. Only an item that was never sent takes the result of an earlier batch, and never after a request to retry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec import Struct
from msgspec.structs import replace

from batchfish.core import retry
from batchfish.core.attempts import SURPLUS, attempt_after, new_attempt, unintended_attempt
from batchfish.core.backoff import LONGEST_RETRY_AFTER
from batchfish.core.describe import several
from batchfish.core.events import (
    Adopted,
    CancelRequested,
    CannotTell,
    CreateAnswer,
    DeadlinePassed,
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
from batchfish.core.items import Attempt, AttemptState, Item, Status
from batchfish.core.transitions import TRANSITIONS, IllegalTransition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.core.events import AttemptEvent, Event
    from batchfish.core.rules import Rules
    from batchfish.core.runs import RunSnapshot, Verdict

CREATES_WITHOUT_RUN = 5
"""An item fails after this many consecutive creates without a run, if other items were accepted meanwhile."""

PAUSE_WITHOUT_RUN = 5.0
"""Seconds by which the longest pause before an item's next create grows with each that made no run."""

FORBIDDEN_PAUSE = 60.0
"""Seconds before an item is sent again whose create was answered with 403."""


_RANKS = {
    AttemptState.SUBMITTING: 0,
    AttemptState.RUNNING: 0,
    AttemptState.UNANSWERED: 1,
    AttemptState.HELD: 2,
}
"""Rank of each open attempt when an item must choose which to follow; the lowest is followed."""

_WAITS = {
    Status.UNANSWERED: 1,
    Status.HELD: 2,
    Status.QUEUED: 3,
    Status.FAILED: 3,
    Status.CANCELLED: 3,
}
"""An item of this status turns to an open attempt of a lower rank; items of other statuses do not."""


class Circumstances(Struct, frozen=True, kw_only=True):
    """Facts that a decision depends on besides item and event; times in epoch seconds.

    `others` are the item's other open attempts; `last_accepted` is when the API last accepted any create.
    """

    now: float
    rules: Rules
    chance: Callable[[], float]
    others: Sequence[Attempt] = ()
    last_accepted: float | None = None


class Change(Struct, frozen=True, kw_only=True):
    """The result of an event: the item and the attempt as they are now.

    `was` is the item's status before, `run` the run that has ended, `reused` the item (its pk) whose result
    this one takes, and `money_event` a message about a run that costs more than the item should.
    """

    was: Status
    item: Item
    attempt: Attempt | None = None
    run: RunSnapshot | None = None
    reused: int | None = None
    money_event: str | None = None


def advance(item: Item, attempt: Attempt | None, event: Event, circumstances: Circumstances) -> Change:
    """Return the item and the attempt after an event about that attempt (None: it is not known yet).

    Raises IllegalTransition where the event cannot happen to an item of this status.
    """
    allowed = TRANSITIONS[type(event)].get(item.status, frozenset())
    if isinstance(event, Adopted):
        change = _adopt(item, attempt, event, circumstances)
    else:
        is_followed = attempt is None or attempt.k == item.follows or _succeeds_first(item, event)
        change = _apply(item, attempt, event, circumstances, is_followed=is_followed)
        if not is_followed:
            allowed |= {item.status}
    if change.item.status not in allowed:
        raise IllegalTransition(
            f"{type(event).__name__} cannot take an item from {item.status} to {change.item.status}"
        )
    return change


def _apply(
    item: Item,
    attempt: Attempt | None,
    event: AttemptEvent,
    circumstances: Circumstances,
    *,
    is_followed: bool,
) -> Change:
    """Apply an event to an attempt, and to the item where it follows that attempt."""
    if isinstance(event, Intended):
        attempt = new_attempt(item.pk, event, circumstances.now)
    moved, others = item, list(circumstances.others)
    if attempt is not None:
        attempt = attempt_after(attempt, event)
        others.append(attempt)
    if is_followed:
        follows = item.follows if attempt is None else attempt.k
        follower = item if follows == item.follows else replace(item, follows=follows)
        if attempt is not None and _is_surplus_cancelled(attempt, follower, event):
            moved = _as_decided(follower, circumstances)
        else:
            moved = _move(follower, event, circumstances)
    return Change(
        was=item.status,
        item=_follow_open(moved, [one for one in others if one.state.is_open]),
        attempt=attempt,
        run=event.run if isinstance(event, RunEnded) else None,
        reused=event.source if isinstance(event, Reused) else None,
    )


def _succeeds_first(item: Item, event: Event) -> bool:
    """Whether an event is the item's first success; the item then follows that run, whichever it followed."""
    if not isinstance(event, RunEnded) or item.status is Status.SUCCEEDED:
        return False
    return event.run.status == "COMPLETED" and event.verdict.reason is None


def _is_surplus_cancelled(attempt: Attempt, item: Item, event: AttemptEvent) -> bool:
    """Whether an item follows a run that was cancelled as surplus, because the run before it had ended."""
    is_cancelled = isinstance(event, RunEnded) and event.run.status == "CANCELLED"
    is_turned_to = item.status is Status.RUNNING and item.reason is not None
    return is_cancelled and is_turned_to and attempt.cause == SURPLUS


def _as_decided(item: Item, circumstances: Circumstances) -> Item:
    """Return the item with the decision that was made before it turned to a run that was being cancelled.

    It is queued again only if runs found meanwhile have not used up its attempts.
    """
    if item.due_at and item.attempts - item.unpaid < circumstances.rules.retry.attempts:
        return replace(item, status=Status.QUEUED)
    was_cancelled = item.reason == "cancelled_elsewhere"
    return replace(item, status=Status.CANCELLED if was_cancelled else Status.FAILED)


def _follow_open(item: Item, open_attempts: Sequence[Attempt]) -> Item:
    """Return the item following its best open attempt, if that ranks before its own status (law 2)."""
    better = [one for one in open_attempts if _RANKS[one.state] < _WAITS.get(item.status, 0)]
    if not better:
        return item
    chosen = min(better, key=lambda one: (_RANKS[one.state], one.created_at or 0.0, one.k))
    match chosen.state:
        case AttemptState.HELD:
            status = Status.HELD
        case AttemptState.UNANSWERED:
            status = Status.UNANSWERED
        case _:
            status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
    # A run that is being cancelled gives no verdict, so the decision already made keeps its due time.
    due_at = item.due_at if item.status is Status.QUEUED and chosen.cause == SURPLUS else 0.0
    return replace(item, status=status, follows=chosen.k, due_at=due_at)


def _adopt(item: Item, attempt: Attempt | None, event: Adopted, circumstances: Circumstances) -> Change:
    """Bind a found run to its item in any status; of two runs alive the item follows the first created."""
    if attempt is not None and attempt.run_id is not None:
        raise IllegalTransition(f"attempt {attempt.k} has the run {attempt.run_id} already")
    found = attempt or unintended_attempt(item.pk, event, circumstances.now)
    bound = replace(
        found,
        state=AttemptState.RUNNING,
        run_id=event.run_id,
        created_at=event.created_at,
        cause="adopted",
    )
    counted = replace(item, k=max(item.k, event.k), attempts=item.attempts + 1, refused=0, refused_at=None)
    rivals = (one for one in circumstances.others if one.k == item.follows)
    rival = next((one for one in rivals if one.state is AttemptState.RUNNING), None)
    if item.status is not Status.SUCCEEDED and rival is None:
        status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
        counted = replace(counted, status=status, follows=event.k, reason=None, message=None, due_at=0.0)
    elif rival is not None and _is_first(bound, rival):
        counted = replace(counted, follows=event.k)
    return Change(
        was=item.status, item=counted, attempt=bound, money_event=_report_surplus(item, event, rival)
    )


def _report_surplus(item: Item, event: Adopted, rival: Attempt | None) -> str | None:
    """Return a message about a run that the item should not have cost; None where it is the only one."""
    if event.earlier_run is not None:
        what = f"one create made two runs: {event.earlier_run} and {event.run_id}"
    elif item.status is Status.SUCCEEDED:
        what = f"a second run {event.run_id} of a finished item"
    elif rival is not None:
        what = f"two runs of one item are alive: {rival.run_id} and {event.run_id}"
    else:
        return None
    taken = "steps not known" if event.steps is None else f"{several(event.steps, 'step')} taken"
    return f"{what} ({taken}); it is cancelled if it is alive"


def _is_first(one: Attempt, other: Attempt) -> bool:
    """Whether a run was surely created before another."""
    return one.created_at is not None and other.created_at is not None and one.created_at < other.created_at


def _move(item: Item, event: AttemptEvent, circumstances: Circumstances) -> Item:
    """Return the item after an event about the attempt that it follows; other attempts are ignored."""
    match event:
        case Intended(k=k):
            return replace(item, status=Status.SUBMITTING, k=k, follows=k, due_at=0.0)
        case Reused():
            if item.k or item.retry_wish:
                raise IllegalTransition("an item that was or must be sent takes no other result")
            return replace(item, status=Status.SUCCEEDED, reason=None, message=None)
        case SubmitAccepted() | SubmitDeferred() | SubmitRejected() | SubmitUnanswered():
            return _after_answer(item, event, circumstances)
        case ProvenAbsent():
            return _after_create_without_run(item, "no run was made", circumstances)
        case CannotTell() | RunLost() | RunMisnamed():
            return _held(item, event)
        case RunEnded():
            return _after_end(item, event, circumstances)
        case RunFound():
            status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
            return replace(item, status=status, reason=None, message=None)
        case DeadlinePassed():
            return replace(item, status=Status.CANCELLING, reason="run_timeout")
        case CancelRequested() | RetryRequested():
            return _after_request(item, event, circumstances.now)
        case Rechecked(verdict=verdict):
            return _judged(item, verdict)
        case _:
            assert_never(event)


def _held(item: Item, event: CannotTell | RunLost | RunMisnamed) -> Item:
    """Return the item held for a person's decision, with the reason."""
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
    """Return the item after the answer to its create."""
    match answer:
        case SubmitAccepted():
            status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
            return replace(
                item,
                status=status,
                reason=None,
                message=None,
                attempts=item.attempts + 1,
                refused=0,
                refused_at=None,
            )
        case SubmitDeferred(reason="create_error", message=message):
            return _after_create_without_run(item, message, circumstances)
        case SubmitDeferred(reason=reason, message=message):
            return _after_deferral(item, reason, message, circumstances)
        case SubmitRejected(reason=reason, message=message):
            return replace(item, status=Status.FAILED, reason=reason, message=message)
        case SubmitUnanswered(message=message):
            return replace(item, status=Status.UNANSWERED, reason="unanswered", message=message)
        case _:
            assert_never(answer)


def _after_deferral(item: Item, reason: str, message: str, circumstances: Circumstances) -> Item:
    """Return the item queued again, or failed if it alone is forbidden while others are accepted."""
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


def _after_create_without_run(item: Item, message: str, circumstances: Circumstances) -> Item:
    """Return the item queued again after a create that made no run; failed if that is the item's fault."""
    if item.cancel_wish:
        return replace(item, status=Status.CANCELLED, reason="cancelled", message=None)
    refused = item.refused + 1
    since = item.refused_at if item.refused_at is not None else circumstances.now
    others_are_accepted = (circumstances.last_accepted or 0.0) > since
    # Runs that were found meanwhile count as attempts, too.
    is_used_up = item.attempts - item.unpaid >= circumstances.rules.retry.attempts and not item.retry_wish
    if is_used_up or (refused >= CREATES_WITHOUT_RUN and others_are_accepted):
        return replace(item, status=Status.FAILED, reason="create_failed", message=message, refused=refused)
    pause = min(circumstances.chance() * PAUSE_WITHOUT_RUN * (refused - 1), LONGEST_RETRY_AFTER)
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
    """Return the item succeeded, failed or queued again: this is decided once, when the run ends."""
    run, rules = event.run, circumstances.rules
    if run.status == "COMPLETED":
        return replace(_judged(item, event.verdict), retry_wish=False)
    error = run.error
    if run.status == "CANCELLED":
        if item.cancel_wish:
            return replace(item, status=Status.CANCELLED, reason="cancelled", message=None, retry_wish=False)
        if item.status is not Status.CANCELLING:
            return replace(
                item,
                status=Status.CANCELLED,
                reason="cancelled_elsewhere",
                message=error.message if error else "somebody else cancelled the run",
            )
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


def _judged(item: Item, verdict: Verdict) -> Item:
    """Return the item as the verdict on its completed run has it."""
    status = Status.SUCCEEDED if verdict.reason is None else Status.FAILED
    return replace(item, status=status, reason=verdict.reason, message=verdict.message)


def _after_request(item: Item, event: CancelRequested | RetryRequested, now: float) -> Item:
    """Return the item with a person's request recorded, which is acted on now where that is possible."""
    if isinstance(event, RetryRequested):
        retried = replace(item, status=Status.QUEUED, reason=None, message=None, due_at=now)
        return replace(retried, retry_wish=True, cancel_wish=False, refused=0, refused_at=None)
    requested = replace(item, cancel_wish=True)
    match item.status:
        case Status.QUEUED:
            return replace(requested, status=Status.CANCELLED, reason="cancelled", message=None)
        case Status.RUNNING:
            return replace(requested, status=Status.CANCELLING)
        case _:
            return requested
