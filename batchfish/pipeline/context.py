"""The context of the stages: the parts that they work with, and the state of this process."""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from batchfish.core.backoff import MAX_OUTAGE
from batchfish.core.events import (
    CancelRequested,
    Event,
    Reused,
    SubmitAccepted,
    SubmitDeferred,
    SubmitUnanswered,
)
from batchfish.core.items import Status
from batchfish.core.lifecycle import Change, Circumstances, advance
from batchfish.pipeline.clock import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from batchfish.core.budget import Reservation
    from batchfish.core.identity import Markers
    from batchfish.core.items import Item
    from batchfish.core.pacing import Pacing
    from batchfish.core.rules import Rules
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.policy import BatchPolicy
    from batchfish.webagent.base import PreparedCreate, WebAgent

CREATE_TIMES_KEPT = 16
"""The number of latest creates over which their time is averaged."""

FINISHED_BEFORE_HALT = 10
"""The number of items that must have finished before too many failures stop the run."""

NOT_SENT = SubmitDeferred(reason="not_sent", message="submitting had to wait before the create was sent")


class StopKind(StrEnum):
    """The reason why a run stops before its items are done."""

    HALTED = "halted"
    BUDGET = "budget"
    OVERRUN = "overrun"
    MAX_DURATION = "max_duration"
    ONLY_STUCK = "only_stuck"
    SLOTS_HELD = "slots_held"
    NO_CREDITS = "no_credits"
    DAILY_LIMIT = "daily_limit"
    UNREACHABLE = "unreachable"
    KEY_REFUSED = "key_refused"
    WRONG_API = "wrong_api"
    UNREAD_RUNS = "unread_runs"
    CANCELLED = "cancelled"
    SIGNAL = "signal"


class Stop(Struct, frozen=True, kw_only=True):
    """A decision to send no more creates; with `detaches`, runs that are alive are not followed either."""

    kind: StopKind
    message: str
    detaches: bool = False
    signal: int | None = None


class RunOptions(Struct, frozen=True, kw_only=True):
    """The options of this process; times in seconds.

    `drain`: nothing is submitted, and runs that are alive are followed to their end. With `learns_interval`,
    `poll_interval` is the shortest, and longer runs are polled less often.
    """

    poll_interval: float = 1.0
    learns_interval: bool = False
    max_outage: float = MAX_OUTAGE
    max_duration: float | None = None
    drain: bool = False


class Outage(Struct, kw_only=True):
    """A time in which the API gives no usable answer, from the first request without one.

    `since` is boot-time seconds; None: every request so far was answered.
    """

    since: float | None = None
    cause: str = ""
    is_reported: bool = False


class SessionState(Struct, kw_only=True):
    """The state of this process, which is lost at its end; times are boot-time seconds if not said otherwise.

    What has `reported` in its name was told to the person already, and is told once.
    """

    began_at: float
    markers: Markers
    pacing: Pacing
    stop: Stop | None = None
    is_paused: bool = False  # a person paused the batch: nothing is submitted
    awaits_budget: bool = False  # the next item waits until the budget has room for it
    creates_wait_until: float = 0.0
    reads_wait_until: float = 0.0
    outage: Outage = field(default_factory=Outage)
    unsent: deque[tuple[Item, PreparedCreate]] = field(default_factory=deque)
    """The creates whose intents are committed, and which wait for a connection."""
    creates_in_flight: int = 0  # sent, and not answered yet
    create_times: deque[float] = field(default_factory=lambda: deque(maxlen=CREATE_TIMES_KEPT))
    """The seconds until the answers to the latest creates."""
    latency: float | None = None  # of the quickest create, in seconds
    last_accepted: float | None = None  # when a create was last accepted, in epoch seconds
    answered_at: float = -math.inf  # when a create was last answered or given up
    forbidden_in_a_row: int = 0  # creates that were answered with 403
    server_ahead: float | None = None  # the server's clock less ours, in seconds
    compared_at: float = 0.0  # when the last comparison with the API's listing began
    comparison_put_off_until: float = 0.0  # because the one before got no answer
    finished: int = 0  # items of this process
    failed: int = 0  # of those that finished
    is_wait_reported: bool = False
    is_budget_reported: bool = False
    is_percentile_reported: bool = False
    reported: set[str] = field(default_factory=set)
    """The ids of runs whose marker cannot be read."""

    @property
    def create_time(self) -> float:
        """The average time of the latest creates until their answers, in seconds; 0 before the first."""
        return sum(self.create_times) / len(self.create_times) if self.create_times else 0.0


class Context(Struct, frozen=True, kw_only=True):
    """The parts and the state that the stages of one process work with.

    `chance` returns random numbers from 0 to 1, `policies` are by the key of each batch, `notice` shows a
    message to a person, `remark` one that reports nothing wrong, and `observe` is called with each event that
    was written. `accepted` names the questions of exit code 6 that a person has answered with yes.
    """

    journal: SqliteJournal
    agent: WebAgent
    clock: Clock
    chance: Callable[[], float]
    batch: Batch
    policies: MutableMapping[int, BatchPolicy]
    options: RunOptions
    session: SessionState
    notice: Callable[[str], None]
    remark: Callable[[str], None]
    accepted: frozenset[str] = frozenset()
    observe: Callable[[Event, Change], None] | None = None
    wakeup: Wakeup = field(default_factory=Wakeup)

    @property
    def rules(self) -> Rules:
        """The rules of the batch that is being submitted."""
        return self.policies[self.batch.pk].rules

    def obey(self, rules: Rules, *, is_paused: bool) -> None:
        """Submit under these rules from now on, and nothing while paused."""
        self.policies[self.batch.pk] = replace(self.policies[self.batch.pk], rules=rules)
        self.session.pacing = self.session.pacing.bounded(rules.limits.concurrency)
        self.session.is_paused = is_paused
        self.wakeup.wake()

    def record(self, item_pk: int, k: int | None, event: Event) -> Change:
        """Write what an event makes of an item and its k-th attempt; it is durable after the next commit."""
        item = self.journal.item(item_pk)
        attempt, others = self.journal.attempts(item_pk, k)
        circumstances = Circumstances(
            now=self.clock.now(),
            rules=self.policies[item.batch].rules,
            chance=self.chance,
            others=others,
            last_accepted=self.session.last_accepted,
        )
        change, reservation = advance(item, attempt, event, circumstances), None
        if self.policies[item.batch].rules.budget is not None:
            change, reservation = self._count_money(change, event)
        self.journal.write(change, self.clock.now(), reservation)
        self._note(event, change)
        if self.observe is not None:
            self.observe(event, change)
        return change

    def _count_money(self, change: Change, event: Event) -> tuple[Change, Reservation | None]:
        """Return the change and what it reserves; a run that cost more than any reservation stops the run."""
        policy, request = self.policies[change.item.batch], partial(self.journal.request, change.item.pk)
        if (overrun := policy.overrun_of(event, request)) is not None:
            change = replace(change, money_event=overrun)
            self.stop(StopKind.OVERRUN, f"a run of item {change.item.id} cost more than was reserved for it")
        return change, policy.reservation_of(event, request)

    async def record_now(self, item_pk: int, k: int | None, event: Event) -> Change:
        """Write what an event makes of an item, and return once it is durable."""
        change = self.record(item_pk, k, event)
        await self.journal.commit()
        self.wakeup.wake()
        return change

    def put_back_unsent(self, item: int | None = None) -> None:
        """Send no create that waits for a connection, or not the one of this item; it is queued again."""
        unsent = self.session.unsent
        kept = deque(waiting for waiting in unsent if item is not None and waiting[0].pk != item)
        put_back = [one for one, _ in unsent if item is None or one.pk == item]
        if put_back:
            self.session.unsent = kept
            for one in put_back:
                self.record(one.pk, one.k, NOT_SENT)
            self.wakeup.wake()

    def _note(self, event: Event, change: Change) -> None:
        """Count what has finished, report a run too many, and stop where too many items have failed."""
        session = self.session
        if isinstance(event, SubmitAccepted):
            session.last_accepted = self.clock.now()
        if change.money_event is not None:
            self.notice(f"money: item {change.item.id}: {change.money_event}")
        is_of_itself = not isinstance(event, CancelRequested | Reused)
        if is_of_itself and change.item.status.is_final and not change.was.is_final:
            session.finished += 1
            session.failed += change.item.status is Status.FAILED
            halt = self.rules.limits.halt
            is_enough = session.finished >= FINISHED_BEFORE_HALT
            if is_enough and halt is not None and halt.is_passed(session.failed, session.finished):
                self.stop(StopKind.HALTED, f"{session.failed} of {session.finished} items failed")

    def stop(
        self, kind: StopKind, message: str, *, detaches: bool = False, signal: int | None = None
    ) -> None:
        """Stop submitting; the first reason is kept, but a later one can still detach."""
        before = self.session.stop
        if before is None:
            self.session.stop = Stop(kind=kind, message=message, detaches=detaches, signal=signal)
            self.notice(f"stopping: {message}")
        elif detaches and not before.detaches:
            self.session.stop = replace(before, detaches=True, signal=signal or before.signal)
        self.wakeup.wake()

    def unanswered_now(self, message: str) -> SubmitUnanswered:
        """Return the event of a create that is given up now, without an answer."""
        return SubmitUnanswered(
            message=message, given_up_at=self.clock.boottime(), boot_id=self.clock.boot_id
        )

    def has_detached(self) -> bool:
        """Whether the run was told to stop without following the runs that are alive."""
        return self.session.stop is not None and self.session.stop.detaches

    def may_submit(self) -> bool:
        """Whether items may still be sent in this process."""
        return self.session.stop is None and not self.session.is_paused and not self.options.drain

    def is_over(self) -> bool:
        """Whether nothing is left: no run is alive, nothing can be sent, and what was sent is compared."""
        if self.has_detached():
            return True
        return self.is_idle() and self.session.answered_at <= self.session.compared_at

    def is_idle(self) -> bool:
        """Whether no run is alive, and nothing can be sent."""
        if self.count_alive():
            return False
        return not self.may_submit() or self.journal.next_due_at(self.batch.pk) is None

    def count_alive(self) -> int:
        """Return the number of open attempts, except for those that wait for a person."""
        return self.journal.count_open() - self.journal.count_held_open()
