"""The runs that the poller watches: when each is due, and what their states say about the server's queue."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct, field

from batchfish.webagent.wire import IDS_PER_CALL

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from batchfish.core.runs import RunSnapshot

WEIGHT_OF_LATEST = 0.1
"""The weight of the latest run in the average of how long runs take."""

IDLE = 60.0


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
    quickest_start: float = math.inf  # seconds from creation to start
    run_seconds: float | None = None  # from start to end, of the latest runs on average
    ended: int = 0  # since the pacing was told
    told_at: float = -math.inf  # boot-time seconds

    def note(self, run: RunSnapshot) -> None:
        """Learn from one run as a poll shows it."""
        if run.started_at is not None and run.created_at is not None:
            self.latest_started = max(self.latest_started, run.created_at)
            self.quickest_start = min(self.quickest_start, max(0.0, run.started_at - run.created_at))
        if run.started_at is not None and run.finished_at is not None:
            seconds = max(0.0, run.finished_at - run.started_at)
            before = seconds if self.run_seconds is None else self.run_seconds
            self.run_seconds = before + WEIGHT_OF_LATEST * (seconds - before)

    def count(self, watches: Iterable[Watch], asked_at: float) -> tuple[int, int]:
        """Return how many runs are at work, and how many wait for a slot; the others are only starting.

        `asked_at` is when the poll was sent, in boot-time seconds.
        """
        working = waiting = 0
        for watch in watches:
            if not watch.is_pending:
                working += 1
            elif watch.created_at is not None and watch.created_at >= self.latest_started:
                waiting += asked_at - watch.since > 2 * self.quickest_start
        return working, waiting


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


def _next_poll(one: tuple[str, Watch]) -> float:
    return one[1].next_poll
