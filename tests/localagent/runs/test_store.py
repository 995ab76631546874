"""The store: what it refuses to open, and how it stays bounded, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.runs.records import NewRun, completed
from batchfish.localagent.runs.store import RunStore, forget_old_runs
from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

if TYPE_CHECKING:
    from pathlib import Path


def sqlite_file() -> bytes:
    """Return a database that was made by another program."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (x)")
        return db.serialize()


DAY = 24 * 3600.0
EVERYTHING = {"alive", "old", "young", *map(str, range(10))}


def add(store: RunStore, run_id: str, *, ended: float | None) -> None:
    new = NewRun(run_id=run_id, url="u", goal="g", options="{}", output_schema=None, origin="o", visible_at=0)
    store.add([new], at=0)
    if ended is not None:
        store.finish(run_id, completed({}, None), at=ended)


def kept(store: RunStore) -> set[str]:
    return set(store.fetch(EVERYTHING))


def watch(keep_runs: int, *times: float) -> list[set[str]]:
    """Return the runs that are there at these times, in seconds from the start of the agent."""

    async def history() -> list[set[str]]:
        loop, store = asyncio.get_running_loop(), RunStore(":memory:")
        add(store, "alive", ended=None)
        add(store, "old", ended=EPOCH - 2 * DAY)
        add(store, "young", ended=EPOCH - DAY + 5000)  # a day old after 5,000 seconds
        for n in range(10):
            add(store, str(n), ended=EPOCH + n)
        task = asyncio.create_task(
            forget_old_runs(store, keep_for=DAY, keep_runs=keep_runs, clock=lambda: EPOCH + loop.time())
        )
        seen = []
        for at in times:
            await asyncio.sleep(at - loop.time())
            seen.append(kept(store))
        task.cancel()
        store.close()
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


def test_the_oldest_screenshots_make_room_for_new_ones() -> None:
    store = RunStore(":memory:", most_screenshot_bytes=10)
    for run_id in ("a", "b"):
        add(store, run_id, ended=None)
        store.finish(run_id, completed({}, None), at=0, screenshots=[(1, b"four"), (2, b"more")])
    kept = {(run_id, step): store.screenshot(run_id, step) for run_id in "ab" for step in (1, 2)}
    assert kept == {("a", 1): None, ("a", 2): None, ("b", 1): b"four", ("b", 2): b"more"}
    store.close()


@pytest.mark.parametrize("content", [b"SQLite no more", sqlite_file()], ids=["no database", "another one"])
def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(content)
    with pytest.raises(WrongInput, match="delete it, or name another file"):
        RunStore(path)
    assert path.read_bytes() == content
