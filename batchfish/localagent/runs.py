"""The life of a run on this machine: PENDING, RUNNING under a cap, first come first served, an end."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from batchfish.localagent.book import NewRun, RunBook, RunFilter, RunPage, StoredRun
from batchfish.localagent.engines.base import Engine, RunOutcome, RunRequest, Step, system_failure
from batchfish.webagent.wire import RUN, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOGGER = logging.getLogger(__name__)
RESTARTED = system_failure(
    "LOCAL_AGENT_RESTARTED", "The local agent was stopped while it worked on this run."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedStep:
    """A step and when it was told."""

    at: float
    step: Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancellation:
    """What a cancel found: the run's status now, when it was cancelled, and a word about it."""

    run_id: str
    status: RunStatus
    cancelled_at: float | None
    message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """A run being worked on."""

    task: asyncio.Task[None]
    steps: list[TimedStep] = field(default_factory=list)


class RunQueue:
    """Takes runs in, hands them to the engine, at most `cap` at once, and writes down what becomes of them.

    Used as an async context manager: entering ends the runs that a stopped agent was working on and takes up
    those that were waiting; leaving stops the work that is under way, which the next start will find so.
    """

    def __init__(
        self,
        book: RunBook,
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
        self._working: dict[str, _Work] = {}
        self._is_open = False

    async def __aenter__(self) -> Self:
        """Take up what an earlier agent left in the book."""
        for run in self._book.unfinished():
            if run.status is RunStatus.RUNNING:
                self._finish(run.run_id, RunStatus.FAILED, RunOutcome(failure=RESTARTED))
            else:
                self._waiting.append(run.run_id)
        self._is_open = True
        self._fill()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the work under way and wait until it has stopped."""
        self._is_open = False
        tasks = [work.task for work in self._working.values()]
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
        self._waiting.extend(run_ids)
        self._fill()
        return run_ids

    def get(self, run_ids: Sequence[str]) -> dict[str, StoredRun]:
        """Look runs up by id; unknown ones are left out."""
        return self._book.fetch(run_ids)

    def page(self, wanted: RunFilter, *, limit: int, direction: str, after: int | None) -> RunPage:
        """List the runs that listings show by now."""
        return self._book.page(wanted, limit=limit, direction=direction, after=after, at=self._clock())

    def steps(self, run: StoredRun) -> list[TimedStep]:
        """Give the steps of a run so far."""
        if run.steps is not None:
            return [
                TimedStep(at=at, step=Step(action=action, duration=duration))
                for at, action, duration in json.loads(run.steps)
            ]
        work = self._working.get(run.run_id)
        return [] if work is None else list(work.steps)

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
        work = self._working.get(run.run_id)
        at = self._finish(run.run_id, RunStatus.CANCELLED, RunOutcome(), work.steps if work else ())
        if work is not None:
            work.task.cancel()
        return Cancellation(run_id=run.run_id, status=RunStatus.CANCELLED, cancelled_at=at)

    def _fill(self) -> None:
        while self._is_open and self._waiting and len(self._working) < self._cap:
            run_id = self._waiting.popleft()
            at = self._clock()
            if not self._book.start(run_id, at=at):
                continue  # cancelled while it waited
            run = self._book.fetch([run_id])[run_id]
            self._working[run_id] = _Work(task=asyncio.create_task(self._work(run)))

    async def _work(self, run: StoredRun) -> None:
        steps = self._working[run.run_id].steps
        try:
            outcome = await self._outcome(run, steps)
            status = RunStatus.COMPLETED if outcome.failure is None else RunStatus.FAILED
            self._finish(run.run_id, status, outcome, steps)
        finally:
            del self._working[run.run_id]
            self._fill()

    async def _outcome(self, run: StoredRun, steps: list[TimedStep]) -> RunOutcome:
        request = RunRequest(
            url=run.url,
            goal=run.goal,
            output_schema=None if run.output_schema is None else json.loads(run.output_schema),
            options=json.loads(run.options),
        )
        try:
            return await self._engine.run(
                request, lambda step: steps.append(TimedStep(at=self._clock(), step=step))
            )
        except Exception as crash:
            LOGGER.exception("run %s: the engine crashed", run.run_id)
            message = f"The local agent met a bug of its own: {type(crash).__name__}."
            return RunOutcome(failure=system_failure("LOCAL_CRASH", message))

    def _finish(
        self, run_id: str, status: RunStatus, outcome: RunOutcome, steps: Sequence[TimedStep] = ()
    ) -> float:
        at = self._clock()
        self._book.finish(
            run_id,
            status,
            at=at,
            result=None if outcome.result is None else json.dumps(outcome.result, ensure_ascii=False),
            error=None if outcome.failure is None else json.dumps(dataclasses.asdict(outcome.failure)),
            steps=json.dumps([(step.at, step.step.action, step.step.duration) for step in steps]),
        )
        return at
