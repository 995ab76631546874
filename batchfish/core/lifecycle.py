"""What an event makes of an item and of its attempts: the only code that changes a status.

The laws:

1. Every change of a status is made by `advance`, and stands in TRANSITIONS; else it is a bug and raises.
2. An item with an open attempt is never queued, failed or cancelled: it follows that attempt instead, so that
   no second run is paid for while a first one may exist.
3. A succeeded item never reopens. Of two runs alive the one created first speaks for the item, unless the
   other one succeeds before it; that keeps its slot until it ends, and is reported.
4. A person's word beats a rule: a wish to cancel ends automatic attempts, a wish to retry is just one more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchfish.core import attempts
from batchfish.core.events import Adopted, Intended, RunEnded
from batchfish.core.items import AttemptState, Item, Status
from batchfish.core.moves import move
from batchfish.core.transitions import TRANSITIONS, IllegalTransition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.events import Event, Step
    from batchfish.core.items import Attempt
    from batchfish.core.moves import Circumstances
    from batchfish.core.runs import RunSnapshot

_RANKS = {
    AttemptState.SUBMITTING: 0,
    AttemptState.RUNNING: 0,
    AttemptState.UNANSWERED: 1,
    AttemptState.HELD: 2,
}
"""Which open attempt an item follows: rather one alive than one in doubt, rather that than one held."""

_WAITS = {
    Status.UNANSWERED: 1,
    Status.HELD: 2,
    Status.QUEUED: 3,
    Status.FAILED: 3,
    Status.CANCELLED: 3,
}
"""What an item of this status leaves for a better one; those alive, and succeeded, stay as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What comes of an event: the item, the attempt it speaks of, the run's end, a money event to report.

    `was` is the item's status before.
    """

    was: Status
    item: Item
    attempt: Attempt | None = None
    run: RunSnapshot | None = None
    money_event: str | None = None


def advance(item: Item, attempt: Attempt | None, event: Event, circumstances: Circumstances) -> Change:
    """Say what the event makes of the item and of the attempt it speaks about (None: there is none yet)."""
    allowed = TRANSITIONS[type(event)].get(item.status, frozenset())
    if isinstance(event, Adopted):
        change = _adopt(item, attempt, event, circumstances)
    else:
        is_followed = attempt is None or attempt.k == item.follows or _succeeds_first(item, event)
        change = _happen(item, attempt, event, circumstances, is_followed=is_followed)
        if not is_followed:
            allowed |= {item.status}
    if change.item.status not in allowed:
        raise IllegalTransition(
            f"{type(event).__name__} cannot take an item from {item.status} to {change.item.status}"
        )
    return change


def _happen(
    item: Item, attempt: Attempt | None, event: Step, circumstances: Circumstances, *, is_followed: bool
) -> Change:
    """Let something happen to an attempt, and to the item where it follows that attempt."""
    if isinstance(event, Intended):
        attempt = attempts.opened(item.pk, event, circumstances.now)
    moved, others = item, list(circumstances.others)
    if attempt is not None:
        attempt = attempts.settled(attempt, event)
        others.append(attempt)
    if is_followed:
        follower = item if attempt is None else replace(item, follows=attempt.k)
        if attempt is not None and _is_dismissed(attempt, follower, event):
            moved = _as_decided(follower, circumstances)
        else:
            moved = move(follower, event, circumstances)
    return Change(
        was=item.status,
        item=_follow_open(moved, [one for one in others if one.state.is_open]),
        attempt=attempt,
        run=event.run if isinstance(event, RunEnded) else None,
    )


def _succeeds_first(item: Item, event: Event) -> bool:
    """Whether a run that the item does not follow has reached the goal before the one that it follows."""
    if not isinstance(event, RunEnded) or item.status is Status.SUCCEEDED:
        return False
    return event.run.status == "COMPLETED" and event.failed_check is None


def _is_dismissed(attempt: Attempt, item: Item, event: Step) -> bool:
    """Whether a run has ended as we wished, one that was surplus until the item turned to it."""
    is_cancelled = isinstance(event, RunEnded) and event.run.status == "CANCELLED"
    is_turned_to = item.status is Status.RUNNING and item.reason is not None
    return is_cancelled and is_turned_to and attempt.cause == attempts.SURPLUS


def _as_decided(item: Item, circumstances: Circumstances) -> Item:
    """Give the item what was decided when it turned to a run that we were cancelling: its reason stands.

    Unless runs that were found meanwhile have used its attempts up.
    """
    if item.due_at and item.attempts - item.unpaid < circumstances.rules.retry.attempts:
        return replace(item, status=Status.QUEUED)
    was_cancelled = item.reason == "cancelled_elsewhere"
    return replace(item, status=Status.CANCELLED if was_cancelled else Status.FAILED)


def _follow_open(item: Item, open_attempts: Sequence[Attempt]) -> Item:
    """Law 2: follow an open attempt that leaves less to wait for than what the item waits for now."""
    better = [one for one in open_attempts if _RANKS[one.state] < _WAITS.get(item.status, 0)]
    if not better:
        return item
    nxt = min(better, key=lambda one: (_RANKS[one.state], one.created_at or 0.0, one.k))
    match nxt.state:
        case AttemptState.HELD:
            status = Status.HELD
        case AttemptState.UNANSWERED:
            status = Status.UNANSWERED
        case _:
            status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
    # A run that we are cancelling gives no verdict: the one there is, with its due time, is kept until then.
    due_at = item.due_at if item.status is Status.QUEUED and nxt.cause == attempts.SURPLUS else 0.0
    return replace(item, status=status, follows=nxt.k, due_at=due_at)


def _adopt(item: Item, attempt: Attempt | None, event: Adopted, circumstances: Circumstances) -> Change:
    """Bind a found run to its item, whatever the item's status; of two alive the one created first speaks."""
    if attempt is not None and attempt.run_id is not None:
        raise IllegalTransition(f"attempt {attempt.k} has the run {attempt.run_id} already")
    adopted = attempts.adopted(attempt or attempts.unknown(item.pk, event, circumstances.now), event)
    counted = replace(item, k=max(item.k, event.k), attempts=item.attempts + 1, refused=0, refused_at=None)
    rivals = (one for one in circumstances.others if one.k == item.follows)
    rival = next((one for one in rivals if one.state is AttemptState.RUNNING), None)
    if item.status is not Status.SUCCEEDED and rival is None:
        status = Status.CANCELLING if item.cancel_wish else Status.RUNNING
        counted = replace(counted, status=status, follows=event.k, reason=None, message=None, due_at=0.0)
    elif rival is not None and _is_first(adopted, rival):
        counted = replace(counted, follows=event.k)
    return Change(
        was=item.status, item=counted, attempt=adopted, money_event=_report_surplus(item, event, rival)
    )


def _report_surplus(item: Item, event: Adopted, rival: Attempt | None) -> str | None:
    """Return a report of a run that is one more than the item should have cost; None where it is not."""
    if event.twin is not None:
        what = f"one create made two runs: {event.twin} and {event.run_id}"
    elif item.status is Status.SUCCEEDED:
        what = f"a second run {event.run_id} of a finished item"
    elif rival is not None:
        what = f"two runs of one item are alive: {rival.run_id} and {event.run_id}"
    else:
        return None
    taken = (
        "steps not known" if event.steps is None else f"{event.steps} step{'s' * (event.steps != 1)} taken"
    )
    return f"{what} ({taken}); it is cancelled if it is alive"


def _is_first(one: Attempt, other: Attempt) -> bool:
    """Whether a run was surely created before another."""
    return one.created_at is not None and other.created_at is not None and one.created_at < other.created_at
