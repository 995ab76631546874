"""The runs that the poller watches: when each is due, and what their states say about the server's queue."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct, field

from batchfish.pipeline.clock import IDLE
from batchfish.webagent.wire import IDS_PER_CALL

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from batchfish.core.runs import RunSnapshot

WEIGHT_OF_LATEST, WEIGHT_OF_LATEST_START = 0.1, 0.3
"""The weight of the latest run in the averages of how long runs take, and how long they take to start."""

ALIKE = 1.5
"""Starts that take less than so many times as long as the quickest take about as long."""


class Watch(Struct, kw_only=True):
    """The findings of this process's polls of one run; times are boot-time seconds.

    `changed_at` is when its status last changed, in epoch seconds of the server's clock, `age` how long ago
    that was at the latest poll, and `same_since` when a poll first showed it so. `gone_since` is when the
    API first did not know it; `missed` counts the polls without it, from `missing_since` on, that found
    another run. `misnamed` counts the polls in a row that showed it with another marker. `created_at` is in
    epoch seconds of the server's clock.
    """

    since: float
    same_since: float
    next_poll: float
    changed_at: float | None = None
    age: float = 0.0
    gone_since: float | None = None
    missing_since: float | None = None
    missed: int = 0
    misnamed: int = 0
    is_loss_reported: bool = False
    is_wait_reported: bool = False
    created_at: float | None = None
    is_pending: bool = True


class Queue(Struct):
    """The evidence of polls on how full the server's queue is; times are epoch seconds of its clock.

    The server starts runs in the order of their creation. So a run that is PENDING although a later one has
    started is only starting, and so is one that is not pending for longer than starts take.
    """

    latest_started: float = -math.inf  # when the last created of the started runs was created
    latest_start: float = math.inf  # when that one started
    quickest_start: float = math.inf  # seconds from creation to start
    start_seconds: float | None = None  # from creation to start, of the latest runs on average
    overtaken_by: float = 0.0  # seconds by which a run started after one that was created later
    run_seconds: float | None = None  # from start to end, of the latest runs on average
    ended: int = 0  # since the pacing was told
    told_at: float = -math.inf  # boot-time seconds

    def note(self, run: RunSnapshot, watch: Watch) -> None:
        """Learn from one run as a poll shows it, and note in its watch what was shown."""
        if watch.is_pending and run.started_at is not None and run.created_at is not None:
            self._note_start(run.created_at, run.started_at)
        watch.created_at, watch.is_pending = run.created_at, run.status == "PENDING"
        self.ended += run.is_final
        if run.started_at is not None and run.finished_at is not None:
            seconds = max(0.0, run.finished_at - run.started_at)
            self.run_seconds = _averaged(self.run_seconds, seconds, WEIGHT_OF_LATEST)

    def _note_start(self, created_at: float, started_at: float) -> None:
        seconds = max(0.0, started_at - created_at)
        self.quickest_start = min(self.quickest_start, seconds)
        self.start_seconds = _averaged(self.start_seconds, seconds, WEIGHT_OF_LATEST_START)
        if created_at > self.latest_started:
            self.latest_started, self.latest_start = created_at, started_at
        elif created_at < self.latest_started:
            self.overtaken_by = max(self.overtaken_by, started_at - self.latest_start)

    def count(self, watches: Iterable[Watch], asked_at: float, interval: float) -> tuple[int, int]:
        """Return how many runs are at work, and how many wait for a slot; the others are only starting.

        `asked_at` is when the poll was sent, in boot-time seconds, and `interval` the seconds between polls.
        """
        working = waiting = 0
        longest = self._longest_start(interval)
        for watch in watches:
            if not watch.is_pending:
                working += 1
            elif watch.created_at is not None and watch.created_at >= self.latest_started:
                waiting += asked_at - watch.since > longest
        return working, waiting

    def _longest_start(self, interval: float) -> float:
        """Return the seconds from creation to start beyond which a run is taken to wait for a slot.

        Where the latest starts took about as long as the quickest, that is how long starts take. Otherwise
        runs wait, perhaps even the quickest one did: other batches of the account may have kept the queue
        full since this one began. A queue keeps the order of the runs, but starts of different lengths do
        not: what runs were overtaken by shows how long starts take. Half an interval is allowed anyway,
        which changes little: as many runs should wait as end in a whole one.
        """
        longest = 2 * self.quickest_start
        if self.start_seconds is None or self.start_seconds <= ALIKE * self.quickest_start:
            return longest
        return min(longest, max(interval / 2, 2 * self.overtaken_by))


class Watches(Struct):
    """The watches of all runs that are alive, which are kept in memory only.

    `earliest` is when the first of them is due, or before that.
    """

    by_run: dict[str, Watch] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)
    earliest: float = math.inf

    def add(self, alive: AbstractSet[str], now: float, interval: float) -> None:
        """Watch the runs of these ids, too."""
        if alive <= self.by_run.keys():
            return
        self.earliest = min(self.earliest, now + interval)
        for run_id in alive:
            if run_id not in self.by_run:
                self.by_run[run_id] = Watch(since=now, same_since=now, next_poll=now + interval)

    def forget_all_but(self, alive: AbstractSet[str]) -> None:
        """Watch only the runs of these ids any longer."""
        for run_id in self.by_run.keys() - alive:
            del self.by_run[run_id]

    def oldest(self, now: float) -> float:
        """Return for how many seconds the oldest run has been watched."""
        return now - min((watch.since for watch in self.by_run.values()), default=now)

    def due(self, now: float, interval: float) -> list[str]:
        """Return the ids of the runs that are to be polled now; none if no run is due.

        Polls are shared: a run that would be due within half an interval is polled with the others, and so
        are the next ones, up to the number that a request can ask for.
        """
        if self.earliest > now:
            return []
        in_order = sorted(self.by_run.items(), key=_next_poll)
        self.earliest = in_order[0][1].next_poll if in_order else math.inf
        if self.earliest > now:
            return []
        number = sum(watch.next_poll <= now + interval / 2 for _, watch in in_order)
        asked = math.ceil(number / IDS_PER_CALL) * IDS_PER_CALL
        return [run_id for run_id, _ in in_order[:asked]]

    def next_due(self, now: float) -> float:
        """Return the seconds until any run is due."""
        return max(0.0, self.earliest - now) if self.by_run else IDLE


def _averaged(average: float | None, value: float, weight: float) -> float:
    """Return the moving average after one more value; None: before the first."""
    return value if average is None else average + weight * (value - average)


def _next_poll(one: tuple[str, Watch]) -> float:
    return one[1].next_poll
