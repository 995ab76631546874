"""The queue of runs: PENDING until there is room under a cap, RUNNING in the engine, then an end."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

from batchfish.localagent.engines.base import Engine, RunFailure, RunRequest, Step, system_failure
from batchfish.localagent.runs.ignored_options import ignored_options
from batchfish.localagent.runs.records import (
    CANCELLED,
    NewRun,
    RunEnd,
    RunFilter,
    RunPage,
    StoredRun,
    completed,
    dump,
    failed,
)
from batchfish.localagent.runs.steps import Trail, dump_steps, load_steps, screenshots_of
from batchfish.webagent.wire import RUN, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from batchfish.localagent.runs.store import RunStore

LOGGER = logging.getLogger(__name__)
RESTARTED = system_failure(
    "LOCAL_AGENT_RESTARTED", "The local agent was stopped while it worked on this run."
)


@dataclass(kw_only=True, slots=True)
class LiveRun:
    """A run that has not ended: its request, its steps so far, and the work on it once that has begun."""

    request: RunRequest
    trail: Trail = field(default_factory=Trail)
    work: asyncio.Task[None] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancellation:
    """The answer to a cancel: the run's status now, when it was cancelled (epoch seconds), a message."""

    run_id: str
    status: RunStatus
    cancelled_at: float | None
    message: str | None = None


class _SteadyClock:
    """A clock that is never set back: when the one that it reads is, it goes on from where it was.

    The store finds times by the order of the runs, and listings omit runs of a later time.
    """

    def __init__(self, clock: Callable[[], float], since: float) -> None:
        """Read a clock of epoch seconds, and go on from `since` if that is later."""
        self._clock = clock
        self._latest = since
        self._ahead = 0.0

    def __call__(self) -> float:
        now = self._clock()
        self._ahead = max(self._ahead, self._latest - now) if now < self._latest else 0.0
        self._latest = max(self._latest, now + self._ahead)
        return self._latest


class RunQueue:
    """Creates runs, works on at most `cap` of them at once, in order, and stores what becomes of them.

    Used as an async context manager: entering fails the runs that a stopped agent was working on and queues
    those that were waiting; leaving stops the work in progress, which the next start then fails.
    """

    def __init__(
        self,
        store: RunStore,
        engine: Engine,
        *,
        cap: int,
        clock: Callable[[], float] = time.time,
        draw_lag: Callable[[], float] = lambda: 0.0,
        on_end: Callable[[StoredRun], None] = lambda _: None,
        heeded: AbstractSet[str] = frozenset(),
    ) -> None:
        """Set up the queue.

        `draw_lag` returns for each new run how many seconds listings omit it; `on_end` is called with each
        run that names a webhook, once its end is stored; `heeded` are the options that have an effect on this
        engine alone.
        """
        self._store = store
        self._engine = engine
        self._cap = cap
        self._clock = _SteadyClock(clock, store.newest_created_at())
        self._draw_lag = draw_lag
        self._on_end = on_end
        self._heeded = heeded
        self._alive: dict[str, LiveRun] = {}
        self._waiting: deque[str] = deque()
        self._working: set[asyncio.Task[None]] = set()
        self._is_open = False

    async def __aenter__(self) -> Self:
        """Enqueue the pending runs that an earlier agent left in the store; those it was working on fail."""
        for run in self._store.unfinished():
            schema = None if run.output_schema is None else json.loads(run.output_schema)
            options = json.loads(run.options)
            request = RunRequest(url=run.url, goal=run.goal, output_schema=schema, options=options)
            self._enqueue(run.run_id, request)
            if run.status is RunStatus.RUNNING:
                self._finish(run.run_id, failed(RESTARTED))
        self._is_open = True
        self._start_waiting()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel the work in progress and wait for it to stop."""
        self._is_open = False
        tasks = list(self._working)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def create(self, requests: Sequence[RunRequest], *, origin: str) -> list[str]:
        """Create runs, all or none, and return their ids in order; `origin` is the path that was called."""
        at = self._clock()
        new = [
            NewRun(
                run_id=str(uuid.uuid4()),
                url=request.url,
                goal=request.goal,
                goal_folded=request.goal.casefold(),
                options=dump(dict(request.options)),
                output_schema=None if request.output_schema is None else dump(request.output_schema),
                origin=origin,
                created_at=at,
                visible_at=at + self._draw_lag(),
            )
            for request in requests
        ]
        self._store.add(new)
        for run, request in zip(new, requests, strict=True):
            self._enqueue(run.run_id, request)
        self._start_waiting()
        return [run.run_id for run in new]

    def get(self, run_ids: Sequence[str]) -> dict[str, StoredRun]:
        """Return runs by id; unknown ids are left out."""
        return self._store.fetch(run_ids)

    def page(self, wanted: RunFilter, *, limit: int, direction: str, after: int | None) -> RunPage:
        """Return one page of the runs that listings show by now."""
        return self._store.page(wanted, limit=limit, direction=direction, after=after, at=self._clock())

    def trail(self, run: StoredRun) -> Trail:
        """Return the steps of a run; they grow until it has ended."""
        live = self._alive.get(run.run_id)
        return Trail(load_steps(run.steps), is_over=True) if live is None else live.trail

    async def end_of(self, run_id: str) -> StoredRun:
        """Wait for the end of a run that exists, and return it."""
        if (live := self._alive.get(run_id)) is not None:
            while not live.trail.is_over:
                await live.trail.changed(live.trail.changes)
        return self._store.fetch([run_id])[run_id]

    def screenshot(self, run: StoredRun, number: int) -> bytes | None:
        """Return the screenshot of a step, None if there is none; steps are numbered from 1."""
        steps = self.trail(run).steps
        if not 1 <= number <= len(steps) or not steps[number - 1].has_screenshot:
            return None
        return steps[number - 1].step.screenshot or self._store.screenshot(run.run_id, number)

    def cancel(self, run_ids: Sequence[str]) -> dict[str, Cancellation]:
        """Cancel runs that have not ended.

        Left out are unknown ids, and runs of the blocking endpoint until they have ended: the API documents
        that these cannot be cancelled, and its answers know no run that is neither cancelled nor ended.
        """
        found = self._store.fetch(run_ids)
        return {
            run_id: self._cancel(run)
            for run_id, run in found.items()
            if run.status.is_final or run.origin != RUN
        }

    def _cancel(self, run: StoredRun) -> Cancellation:
        if run.status.is_final:
            is_cancelled = run.status is RunStatus.CANCELLED
            return Cancellation(
                run_id=run.run_id,
                status=run.status,
                cancelled_at=run.finished_at if is_cancelled else None,
                message="Run already cancelled" if is_cancelled else "Run already finished",
            )
        live = self._alive.get(run.run_id)
        at = self._finish(run.run_id, CANCELLED)
        if live is not None and live.work is not None:
            live.work.cancel()
        return Cancellation(run_id=run.run_id, status=RunStatus.CANCELLED, cancelled_at=at)

    def _enqueue(self, run_id: str, request: RunRequest) -> None:
        self._alive[run_id] = LiveRun(request=request)
        self._waiting.append(run_id)

    def _start_waiting(self) -> None:
        while self._is_open and self._waiting and len(self._working) < self._cap:
            run_id = self._waiting.popleft()
            live = self._alive.get(run_id)
            if live is None:
                continue  # cancelled while it waited
            self._store.start(run_id, at=self._clock())
            live.trail.wake()
            live.work = asyncio.create_task(self._work(run_id, live))
            self._working.add(live.work)
            live.work.add_done_callback(partial(self._free_slot, run_id))

    def _free_slot(self, run_id: str, task: asyncio.Task[None]) -> None:
        """Start the next run; a callback, since a task cancelled before its first step runs no `finally`."""
        self._working.remove(task)
        self._start_waiting()
        if not task.cancelled() and (bug := task.exception()) is not None:
            LOGGER.error("run %s: its end was not stored", run_id, exc_info=bug)

    async def _work(self, run_id: str, live: LiveRun) -> None:
        self._finish(run_id, await self._end(run_id, live.request, live.trail))

    async def _end(self, run_id: str, request: RunRequest, trail: Trail) -> RunEnd:
        limit = (request.options.get("agent_config") or {}).get("max_duration_seconds")

        def emit(step: Step) -> None:
            trail.add(step, at=self._clock())

        if ignored := ignored_options(request.options, self._heeded):
            emit(Step(action=f"without effect on this machine: {', '.join(ignored)}"))
        try:
            async with asyncio.timeout(limit) as clock:
                outcome = await self._engine.run(request, emit)
            if outcome.failure is not None:
                return failed(outcome.failure)
            return completed(outcome.result, request.output_schema, re_prompts=outcome.re_prompts)
        except Exception as crash:
            if isinstance(crash, TimeoutError) and clock.expired():
                return failed(RunFailure(code="TIMEOUT", message=f"The run took longer than {limit} s."))
            LOGGER.exception("run %s: the engine crashed", run_id)
            message = f"The local agent has a bug: {type(crash).__name__}. Its log has more."
            return failed(system_failure("LOCAL_CRASH", message))

    def _finish(self, run_id: str, end: RunEnd) -> float:
        """Store the end of a run and return the time of it; a run that has ended stays as it is."""
        at = self._clock()
        live = self._alive.pop(run_id, None)
        steps = [] if live is None else live.trail.steps
        try:
            is_first_end = self._store.finish(
                run_id, end, at=at, steps=dump_steps(steps), screenshots=screenshots_of(steps)
            )
        finally:
            if live is not None:
                live.trail.close()
        if is_first_end and live is not None and live.request.options.get("webhook_url") is not None:
            self._on_end(self._store.fetch([run_id])[run_id])
        return at
