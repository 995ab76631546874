"""The heartbeats of a stream, in virtual time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from batchfish.localagent.api.sse import run_events
from batchfish.localagent.engines.base import Emit, RunOutcome, RunRequest, Step
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.store import RunStore
from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine


class TimedEngine:
    """Takes a step at each of these times, in seconds, and ends with the last."""

    def __init__(self, *times: float, pace: float = 0.0) -> None:
        """With a `pace`, each step stops the whole process for so long, as a busy machine does."""
        self.times = times
        self.pace = pace

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        loop = asyncio.get_running_loop()
        for at in self.times:
            await asyncio.sleep(at - loop.time())
            if self.pace:
                assert isinstance(loop, VirtualTimeLoop)
                loop.now += self.pace
            emit(Step(action=f"step at {at}"))
        return RunOutcome(result={})

    async def close(self) -> None:
        """There is nothing to release."""


async def tell(engine: TimedEngine, *, every: float, cap: int = 1) -> list[tuple[float, str]]:
    """Run once, and give the events with the times at which they were sent."""
    loop, book = asyncio.get_running_loop(), RunStore(":memory:")

    def clock() -> float:
        return EPOCH + loop.time()

    async with RunQueue(book, engine, cap=cap, clock=clock) as queue:
        (run_id,) = queue.create([RunRequest(url="http://a.example/", goal="g")], origin="o")
        events = run_events(queue, queue.get([run_id])[run_id], watch_url="u", clock=clock, every=every)
        told: list[tuple[float, str]] = []
        async for frame in events:
            event: dict[str, Any] = json.loads(frame.removeprefix(b"data: "))
            told.append((loop.time(), event["type"]))
    book.close()
    return told


def in_virtual_time(history: Coroutine[Any, Any, list[tuple[float, str]]]) -> list[tuple[float, str]]:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(history)


def beats(told: list[tuple[float, str]]) -> list[float]:
    return [at for at, kind in told if kind == "HEARTBEAT"]


def test_a_heartbeat_is_an_event_and_comes_on_schedule_while_nothing_happens() -> None:
    told = in_virtual_time(tell(TimedEngine(70.0), every=15.0))
    assert told == [
        (0.0, "STARTED"),
        (0.0, "STREAMING_URL"),
        *((at, "HEARTBEAT") for at in (15.0, 30.0, 45.0, 60.0)),
        (70.0, "PROGRESS"),
        (70.0, "COMPLETE"),
    ]


def test_steps_in_between_move_no_heartbeat() -> None:
    told = in_virtual_time(tell(TimedEngine(1.0, 14.0, 16.0, 29.0, 31.0), every=15.0))
    assert beats(told) == [15.0, 30.0]


def test_a_held_up_process_skips_what_it_missed_and_returns_to_its_schedule() -> None:
    told = in_virtual_time(tell(TimedEngine(9.0, 69.0, pace=25.0), every=10.0))
    assert beats(told) == [34.0, 40.0, 50.0, 60.0, 94.0]
    assert told[-1][1] == "COMPLETE"
