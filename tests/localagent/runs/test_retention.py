"""The book stays bounded by number and age, in virtual time."""

from __future__ import annotations

import asyncio

from batchfish.localagent.runs.ends import completed
from batchfish.localagent.runs.records import NewRun
from batchfish.localagent.runs.retention import keep_bounded
from batchfish.localagent.runs.store import RunStore
from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

DAY = 24 * 3600.0
EVERYTHING = {"alive", "old", "young", *map(str, range(10))}


def add(book: RunStore, run_id: str, *, ended: float | None) -> None:
    new = NewRun(run_id=run_id, url="u", goal="g", options="{}", output_schema=None, origin="o", visible_at=0)
    book.add([new], at=0)
    if ended is not None:
        book.finish(run_id, completed({}, None), at=ended)


def kept(book: RunStore) -> set[str]:
    return set(book.fetch(EVERYTHING))


def watch(keep_runs: int, *times: float) -> list[set[str]]:
    """Give the runs that are there at these times, in seconds from the start of the agent."""

    async def history() -> list[set[str]]:
        loop, book = asyncio.get_running_loop(), RunStore(":memory:")
        add(book, "alive", ended=None)
        add(book, "old", ended=EPOCH - 2 * DAY)
        add(book, "young", ended=EPOCH - DAY + 5000)  # a day old after 5,000 seconds
        for n in range(10):
            add(book, str(n), ended=EPOCH + n)
        task = asyncio.create_task(
            keep_bounded(book, keep_for=DAY, keep_runs=keep_runs, clock=lambda: EPOCH + loop.time())
        )
        seen = []
        for at in times:
            await asyncio.sleep(at - loop.time())
            seen.append(kept(book))
        task.cancel()
        book.close()
        return seen

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(history())


def test_surplus_runs_are_dropped_each_minute_those_first_that_ended_first() -> None:
    assert watch(10, 59.0, 61.0) == [EVERYTHING, EVERYTHING - {"old", "young"}]
    assert watch(3, 61.0) == [{"alive", "7", "8", "9"}]


def test_old_runs_are_dropped_but_not_in_the_first_hour() -> None:
    assert watch(100, 3599.0, 3661.0, 4990.0, 5061.0, 3 * DAY) == [
        EVERYTHING,
        EVERYTHING - {"old"},
        EVERYTHING - {"old"},
        EVERYTHING - {"old", "young"},
        {"alive"},
    ]
