"""The life of a run on this machine: PENDING, RUNNING under a cap, first come first served, an end."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from batchfish.localagent.engines.base import (
    Engine,
    RunFailure,
    RunRequest,
    Step,
    system_failure,
)
from batchfish.localagent.runs.ends import CANCELLED, RunEnd, completed, failed
from batchfish.localagent.runs.ignored_options import unheeded
from batchfish.localagent.runs.records import NewRun, RunFilter, RunPage, StoredRun
from batchfish.localagent.runs.trail import Trail, captures_of, dump_steps, load_steps, timed
from batchfish.webagent.wire import RUN, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.localagent.runs.store import RunStore

LOGGER = logging.getLogger(__name__)
RESTARTED = system_failure(
    "LOCAL_AGENT_RESTARTED", "The local agent was stopped while it worked on this run."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancellation:
    """What a cancel found: the run's status now, when it was cancelled, and a word about it."""

    run_id: str
    status: RunStatus
    cancelled_at: float | None
    message: str | None = None


class RunQueue:
    """Takes runs in, hands them to the engine, at most `cap` at once, and writes down what becomes of them.

    Used as an async context manager: entering ends the runs that a stopped agent was working on and takes up
    those that were waiting; leaving stops the work that is under way, which the next start will find so.
    """

    def __init__(
        self,
        book: RunStore,
        engine: Engine,
        *,
        cap: int,
        clock: Callable[[], float] = time.time,
        draw_lag: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`draw_lag` says for each new run how long, in seconds, listings do not show it."""
        self._book = book
        self._engine = engine
        self._cap = cap
        self._clock = clock
        self._draw_lag = draw_lag
        self._waiting: deque[str] = deque()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._trails: dict[str, Trail] = {}  # of every run that has not ended
        self._is_open = False

    async def __aenter__(self) -> Self:
        """Take up what an earlier agent left in the book."""
        for run in self._book.unfinished():
            if run.status is RunStatus.RUNNING:
                self._finish(run.run_id, failed(RESTARTED))
            else:
                self._queue(run.run_id)
        self._is_open = True
        self._fill()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the work under way and wait until it has stopped."""
        self._is_open = False
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def create(self, requests: Sequence[RunRequest], *, origin: str) -> list[str]:
        """Make runs, all or none, and give their ids in order; `origin` is the path that asked for them."""
        at = self._clock()
        new = [
            NewRun(
                run_id=str(uuid.uuid4()),
                url=request.url,
                goal=request.goal,
                options=json.dumps(dict(request.options)),
                output_schema=None if request.output_schema is None else json.dumps(request.output_schema),
                origin=origin,
                visible_at=at + self._draw_lag(),
            )
            for request in requests
        ]
        self._book.add(new, at=at)
        run_ids = [run.run_id for run in new]
        for run_id in run_ids:
            self._queue(run_id)
        self._fill()
        return run_ids

    def get(self, run_ids: Sequence[str]) -> dict[str, StoredRun]:
        """Look runs up by id; unknown ones are left out."""
        return self._book.fetch(run_ids)

    def page(self, wanted: RunFilter, *, limit: int, direction: str, after: int | None) -> RunPage:
        """List the runs that listings show by now."""
        return self._book.page(wanted, limit=limit, direction=direction, after=after, at=self._clock())

    def trail(self, run: StoredRun) -> Trail:
        """Give the steps of a run; they grow while it has not ended."""
        trail = self._trails.get(run.run_id)
        return Trail(load_steps(run.steps or "[]"), is_over=True) if trail is None else trail

    async def end_of(self, run_id: str) -> StoredRun:
        """Wait until a run that there is has ended, and give it."""
        if (trail := self._trails.get(run_id)) is not None:
            while not trail.is_over:
                await trail.changed(trail.changes)
        return self._book.fetch([run_id])[run_id]

    def capture(self, run: StoredRun, number: int, kind: str) -> bytes | None:
        """Give what a step captured; steps are numbered from 1."""
        steps = self.trail(run).steps
        if not 1 <= number <= len(steps) or kind not in steps[number - 1].captured:
            return None
        if run.run_id not in self._trails:
            return self._book.captures.get(run.run_id, number, kind)
        found = {(step, what): body for step, what, body in captures_of(steps)}
        return found.get((number, kind))

    def cancel(self, run_ids: Sequence[str]) -> dict[str, Cancellation]:
        """End runs that have not ended; unknown ids are left out, runs of the blocking endpoint go on."""
        found = self._book.fetch(run_ids)
        return {run_id: self._cancel(run) for run_id, run in found.items()}

    def _cancel(self, run: StoredRun) -> Cancellation:
        if run.status is RunStatus.CANCELLED:
            return Cancellation(
                run_id=run.run_id,
                status=run.status,
                cancelled_at=run.finished_at,
                message="Run already cancelled",
            )
        if run.status.is_final:
            return Cancellation(
                run_id=run.run_id, status=run.status, cancelled_at=None, message="Run already finished"
            )
        if run.origin == RUN:
            return Cancellation(
                run_id=run.run_id,
                status=run.status,
                cancelled_at=None,
                message="Runs of the blocking endpoint cannot be cancelled",
            )
        at = self._finish(run.run_id, CANCELLED)
        if (task := self._working.get(run.run_id)) is not None:
            task.cancel()
        return Cancellation(run_id=run.run_id, status=RunStatus.CANCELLED, cancelled_at=at)

    def _queue(self, run_id: str) -> None:
        self._trails[run_id] = Trail()
        self._waiting.append(run_id)

    def _fill(self) -> None:
        while self._is_open and self._waiting and len(self._working) < self._cap:
            run_id = self._waiting.popleft()
            if not self._book.start(run_id, at=self._clock()):
                continue  # cancelled while it waited
            run = self._book.fetch([run_id])[run_id]
            self._trails[run_id].mark()
            task = asyncio.create_task(self._work(run, self._trails[run_id]))
            self._working[run_id] = task
            task.add_done_callback(partial(self._free, run_id))

    def _free(self, run_id: str, task: asyncio.Task[None]) -> None:
        """Give a slot to the next run; a task cancelled before its first step has no `finally` to do so."""
        del self._working[run_id]
        self._fill()
        if not task.cancelled() and (bug := task.exception()) is not None:
            LOGGER.error("run %s: its end was not written down", run_id, exc_info=bug)

    async def _work(self, run: StoredRun, trail: Trail) -> None:
        self._finish(run.run_id, await self._end(run, trail))

    async def _end(self, run: StoredRun, trail: Trail) -> RunEnd:
        schema = None if run.output_schema is None else json.loads(run.output_schema)
        options = json.loads(run.options)
        request = RunRequest(url=run.url, goal=run.goal, output_schema=schema, options=options)
        limit = (options.get("agent_config") or {}).get("max_duration_seconds")

        def emit(step: Step) -> None:
            trail.add(timed(step, self._clock()))

        if wishes := unheeded(options):
            emit(Step(action=f"without effect on this machine: {', '.join(wishes)}"))
        try:
            async with asyncio.timeout(limit) as clock:
                outcome = await self._engine.run(request, emit)
            return completed(outcome.result, schema) if outcome.failure is None else failed(outcome.failure)
        except Exception as crash:
            if isinstance(crash, TimeoutError) and clock.expired():
                return failed(RunFailure(code="TIMEOUT", message=f"The run took longer than {limit} s."))
            LOGGER.exception("run %s: the engine crashed", run.run_id)
            message = f"The local agent met a bug of its own: {type(crash).__name__}."
            return failed(system_failure("LOCAL_CRASH", message))

    def _finish(self, run_id: str, end: RunEnd) -> float:
        """Write down the end of a run, and when it was; one that has ended already stays as it is."""
        at = self._clock()
        trail = self._trails.pop(run_id, Trail())
        try:
            self._book.finish(
                run_id,
                end,
                at=at,
                steps=dump_steps(trail.steps),
                captured=captures_of(trail.steps),
            )
        finally:
            trail.close()
        return at
