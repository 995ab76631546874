"""What the stages are handed: the parts, the batch, and what this process has seen and was told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from batchfish.core.backoff import MAX_OUTAGE
from batchfish.core.describe import spell_duration
from batchfish.core.events import CancelRequested, Event, SubmitAccepted, SubmitUnanswered
from batchfish.core.items import Status
from batchfish.core.lifecycle import Change, Circumstances, advance
from batchfish.core.pacing import LONGEST_BACKOFF
from batchfish.pipeline.wakeup import Wakeup

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from batchfish.core.pacing import Pacing
    from batchfish.core.rules import Rules, Share
    from batchfish.journal.base import Batch, Tracked
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.policy import BatchPolicy
    from batchfish.webagent.base import WebAgent

OUTAGE_TOLD_AFTER = 5.0
"""Seconds without an answer after which a person is told; shorter ones are everyday life."""

OUTAGE_GRACE = 1.0
"""Seconds for the answer to a request that is sent just when an outage has lasted for `max_outage`."""

FINISHED_BEFORE_HALT = 10
"""A share of failures says nothing before so many items have finished."""


class StopKind(StrEnum):
    """Why a run stops before its items are done."""

    HALTED = "halted"
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """A decision to stop: no more creates; with `detaches`, what is alive is not followed further either."""

    kind: StopKind
    message: str
    detaches: bool = False
    signal: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How fast and how long this process works; times in seconds."""

    poll_interval: float = 1.0
    max_outage: float = MAX_OUTAGE
    max_duration: float | None = None
    creates_at_once: int = 8
    drain: bool = False


@dataclass(kw_only=True, slots=True)
class SessionState:
    """What this process has seen and was told; it ends with the process. Times are boot-time seconds.

    `intended_at` is when it last committed an intent, and `compared_at` when it last began to compare the
    batch with the API's listing. `reported` are the runs without a readable marker that a person was told of.
    """

    began_at: float
    markers: str
    pacing: Pacing
    stop: Stop | None = None
    creates_wait_until: float = 0.0
    looks_wait_until: float = 0.0
    is_wait_told: bool = False
    outage_since: float | None = None  # when the first request was sent that has had no answer
    outage_cause: str = ""
    is_outage_told: bool = False
    forbidden_in_a_row: int = 0
    last_accepted: float | None = None  # epoch seconds
    server_ahead: float | None = None  # the server's clock less ours
    intended_at: float = -math.inf
    compared_at: float = 0.0
    finished: int = 0
    failed: int = 0
    reported: set[str] = field(default_factory=set)
    creates: set[asyncio.Task[None]] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Context:
    """The parts and the state that the stages of one process work with.

    `accepted` names the questions of exit code 6 that a person has answered with yes.
    """

    journal: SqliteJournal
    agent: WebAgent
    clock: Clock
    chance: Callable[[], float]
    batch: Batch
    policies: Mapping[int, BatchPolicy]
    options: RunOptions
    session: SessionState
    notice: Callable[[str], None]
    accepted: frozenset[str] = frozenset()
    wakeup: Wakeup = field(default_factory=Wakeup)

    @property
    def rules(self) -> Rules:
        """The rules of the batch that is being submitted."""
        return self.policies[self.batch.pk].rules

    def record(self, item_pk: int, k: int | None, event: Event) -> Change:
        """Write what the event makes of an item and its k-th attempt; it is durable after the next commit."""
        item = self.journal.item(item_pk)
        attempt, others = self.journal.attempts(item_pk, k)
        circumstances = Circumstances(
            now=self.clock.now(),
            rules=self.policies[item.batch].rules,
            chance=self.chance,
            others=others,
            last_accepted=self.session.last_accepted,
        )
        change = advance(item, attempt, event, circumstances)
        self.journal.write(change, self.clock.now())
        self._learn(event, change)
        return change

    async def settle(self, item_pk: int, k: int | None, event: Event) -> Change:
        """Write what the event makes of an item, and return once it is durable."""
        change = self.record(item_pk, k, event)
        await self.journal.commit()
        self.wakeup.wake()
        return change

    def _learn(self, event: Event, change: Change) -> None:
        session = self.session
        if isinstance(event, SubmitAccepted):
            session.last_accepted = self.clock.now()
        if change.money_event is not None:
            self.notice(f"money: item {change.item.id}: {change.money_event}")
        is_of_itself = not isinstance(event, CancelRequested)
        if is_of_itself and change.item.status.is_final and not change.was.is_final:
            session.finished += 1
            session.failed += change.item.status is Status.FAILED
            halt = self.rules.limits.halt
            if halt is not None and self._has_failed_too_often(halt):
                self.stop(StopKind.HALTED, f"{session.failed} of {session.finished} items failed")

    def _has_failed_too_often(self, halt: Share) -> bool:
        session = self.session
        return session.finished >= FINISHED_BEFORE_HALT and halt.is_passed(session.failed, session.finished)

    def stop(
        self, kind: StopKind, message: str, *, detaches: bool = False, signal: int | None = None
    ) -> None:
        """Submit no more; the first reason stands, but a later one may still detach."""
        before = self.session.stop
        if before is None:
            self.session.stop = Stop(kind=kind, message=message, detaches=detaches, signal=signal)
            self.notice(f"stopping: {message}")
        elif detaches and not before.detaches:
            self.session.stop = replace(before, detaches=True, signal=signal or before.signal)
        self.wakeup.wake()

    def give_up_now(self, message: str) -> SubmitUnanswered:
        """An unanswered create, given up at this moment."""
        return SubmitUnanswered(
            message=message, given_up_at=self.clock.boottime(), boot_id=self.clock.boot_id
        )

    def is_asked(self) -> None:
        """Note that a request is sent: an outage begins with the first one that has no answer."""
        session = self.session
        if session.outage_since is None:
            session.outage_since, session.outage_cause = self.clock.boottime(), "an answer is still awaited"

    def is_answered(self) -> None:
        """Note that the API has answered: an outage, if there was one, is over."""
        if self.session.is_outage_told:
            self.notice("the API answers again")
        self.session.outage_since, self.session.is_outage_told = None, False

    def is_unanswered(self, why: str) -> None:
        """Note that the API gave no usable answer; the run ends where that has lasted for `max_outage`."""
        self.is_asked()
        self.session.outage_cause = why
        self.watch_outage(grace=0.0)

    def watch_outage(self, *, grace: float = OUTAGE_GRACE) -> None:
        """Report an outage once it lasts, and stop the run `grace` seconds after its limit.

        The failure of a request stops the run by itself. This is also called in between, so that neither a
        long wait nor an answer that never ends goes on past the limit. The grace lets a request that is due
        exactly at the limit have its answer.
        """
        session = self.session
        if session.outage_since is None:
            return
        lasted, limit = self.clock.boottime() - session.outage_since, self.options.max_outage
        if lasted >= limit + grace:
            self.stop(
                StopKind.UNREACHABLE,
                f"no usable answer from the API for {spell_duration(lasted)}: {session.outage_cause}",
                detaches=True,
            )
        elif lasted >= OUTAGE_TOLD_AFTER and not session.is_outage_told:
            session.is_outage_told = True
            self.notice(
                f"no usable answer from the API: {session.outage_cause}; it is asked again, for "
                f"{spell_duration(limit)} at most"
            )

    def hold_creates(self, seconds: float | None, why: str) -> None:
        """Send no create for this long, because the API asked for it."""
        if seconds:
            session, until = self.session, self.clock.boottime() + seconds
            session.creates_wait_until = max(session.creates_wait_until, until)
            if seconds > LONGEST_BACKOFF and not session.is_wait_told:
                session.is_wait_told = True
                self.notice(
                    f"the API asks for a wait of {spell_duration(seconds)}, and nothing is submitted before "
                    f"it is over: {why}"
                )

    def hold_looks(self, seconds: float | None, why: str) -> None:
        """Send nothing at all for this long, because the API asked for it where something was only read."""
        self.hold_creates(seconds, why)
        session = self.session
        session.looks_wait_until = max(session.looks_wait_until, self.clock.boottime() + (seconds or 0.0))

    async def wait_to_look(self) -> None:
        """Return when requests that only read may be sent."""
        while (left := self.session.looks_wait_until - self.clock.boottime()) > 0:
            await self.clock.sleep(left)

    def has_detached(self) -> bool:
        """Whether the stages are to leave what is alive alone."""
        return self.session.stop is not None and self.session.stop.detaches

    def may_submit(self) -> bool:
        """Whether items may still be sent in this process."""
        return self.session.stop is None and not self.options.drain

    def is_over(self) -> bool:
        """Whether nothing is left to do: nothing alive, nothing to send, and what was sent is compared."""
        if self.has_detached():
            return True
        return self.is_idle() and self.session.intended_at <= self.session.compared_at

    def is_idle(self) -> bool:
        """Whether nothing is alive, and nothing may be sent."""
        if self.alive():
            return False
        return not self.may_submit() or self.journal.next_due_at(self.batch.pk) is None

    def alive(self) -> int:
        """Count the open attempts that time will settle; those of held items wait for a person."""
        return self.journal.count_open() - self.journal.count_held_open()

    def markers_of(self, tracked: Tracked) -> str:
        """Whether runs of this attempt's batch can be found by marker: `untested`, `proven` or `off`."""
        batch = tracked.item.batch
        return self.session.markers if batch == self.batch.pk else self.journal.batch(batch).markers
