"""The queue of runs and its store: restarts, cancels, listings."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import RunOutcome, RunRequest
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import RunFilter
from batchfish.localagent.runs.store import RunStore
from tests.localagent.doubles import Clock, ManualEngine, settle

if TYPE_CHECKING:
    from pathlib import Path


def requests(count: int) -> list[RunRequest]:
    return [RunRequest(url=f"http://a.example/{n}", goal="g") for n in range(count)]


async def test_after_a_stop_the_running_ones_have_failed_and_the_waiting_ones_are_run(tmp_path: Path) -> None:
    store, engine = RunStore(tmp_path / "agent.db"), ManualEngine()
    async with RunQueue(store, engine, cap=1) as queue:
        ids = queue.create(requests(3), origin="o")
        await settle()
        await engine.end("http://a.example/0", RunOutcome(result={"n": 0}))
    store.close()
    store, engine = RunStore(tmp_path / "agent.db"), ManualEngine()
    async with RunQueue(store, engine, cap=1) as queue:
        await settle()
        runs = queue.get(ids)
        assert [runs[run_id].status for run_id in ids] == ["COMPLETED", "FAILED", "RUNNING"]
        error = runs[ids[1]].error or ""
        assert "LOCAL_AGENT_RESTARTED" in error
        assert "SYSTEM_FAILURE" in error
        assert runs[ids[0]].result == '{"n": 0}'
    store.close()


async def test_runs_cancelled_before_their_first_step_leave_their_slots_to_others() -> None:
    store, engine = RunStore(":memory:"), ManualEngine()
    async with RunQueue(store, engine, cap=2) as queue:
        ids = queue.create(requests(4), origin="o")
        queue.cancel(ids)  # no task has begun yet
        (later,) = queue.create([RunRequest(url="http://a.example/later", goal="g")], origin="o")
        await settle()
        assert engine.order == ["http://a.example/later"]
        await engine.end("http://a.example/later", RunOutcome(result={}))
        assert queue.get([later])[later].status == "COMPLETED"
        assert {run.status for run in queue.get(ids).values()} == {"CANCELLED"}
    store.close()


async def test_the_store_can_be_counted_by_others(tmp_path: Path) -> None:
    store, engine = RunStore(tmp_path / "agent.db"), ManualEngine()
    async with RunQueue(store, engine, cap=2) as queue:
        queue.create(requests(3), origin="o")
        await settle()
        await engine.end("http://a.example/0", RunOutcome())
        queue.create(requests(1), origin="o")
        await settle()
    with sqlite3.connect(tmp_path / "agent.db") as db:
        assert dict(db.execute("SELECT name, value FROM peaks")) == {"alive": 3, "running": 2}
        assert db.execute("SELECT count(*), count(DISTINCT run_id) FROM runs").fetchone() == (4, 4)
    store.close()
    db.close()


async def test_a_run_stays_out_of_listings_for_its_lag_but_is_known_by_its_id() -> None:
    store, clock = RunStore(":memory:"), Clock()
    async with RunQueue(store, ManualEngine(), cap=1, clock=clock, draw_lag=lambda: 0.5) as queue:
        (run_id,) = queue.create(requests(1), origin="o")

        def listed() -> int:
            return queue.page(RunFilter(), limit=10, direction="asc", after=None).total

        assert listed() == 0
        assert run_id in queue.get([run_id])
        clock.now += 0.5
        assert listed() == 1
    store.close()


async def test_a_batch_with_a_row_that_cannot_be_written_makes_no_run() -> None:
    store = RunStore(":memory:")
    async with RunQueue(store, ManualEngine(), cap=1) as queue:
        good, bad = RunRequest(url="http://a.example/", goal="g"), RunRequest(url="u", goal="\ud800")
        with contextlib.suppress(UnicodeEncodeError):
            queue.create([good, bad], origin="o")
        assert queue.page(RunFilter(), limit=10, direction="asc", after=None).total == 0
    store.close()
