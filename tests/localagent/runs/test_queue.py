"""What the queue of runs and its book keep across a restart."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import RunOutcome, RunRequest
from batchfish.localagent.runs.ends import completed
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import NewRun, RunFilter
from batchfish.localagent.runs.store import RunStore
from tests.localagent.doubles import Clock, ManualEngine, settle

if TYPE_CHECKING:
    from pathlib import Path


def requests(count: int) -> list[RunRequest]:
    return [RunRequest(url=f"http://a.example/{n}", goal="g") for n in range(count)]


async def test_after_a_stop_the_running_ones_have_failed_and_the_waiting_ones_are_run(tmp_path: Path) -> None:
    book, engine = RunStore(tmp_path / "agent.db"), ManualEngine()
    async with RunQueue(book, engine, cap=1) as queue:
        ids = queue.create(requests(3), origin="o")
        await settle()
        await engine.end("http://a.example/0", RunOutcome(result={"n": 0}))
    book.close()
    book, engine = RunStore(tmp_path / "agent.db"), ManualEngine()
    async with RunQueue(book, engine, cap=1) as queue:
        await settle()
        runs = queue.get(ids)
        assert [runs[run_id].status for run_id in ids] == ["COMPLETED", "FAILED", "RUNNING"]
        error = runs[ids[1]].error or ""
        assert "LOCAL_AGENT_RESTARTED" in error
        assert "SYSTEM_FAILURE" in error
        assert runs[ids[0]].result == '{"n": 0}'
    book.close()


async def test_runs_cancelled_before_their_first_step_leave_their_slots_to_others() -> None:
    book, engine = RunStore(":memory:"), ManualEngine()
    async with RunQueue(book, engine, cap=2) as queue:
        ids = queue.create(requests(4), origin="o")
        queue.cancel(ids)  # no task has begun yet
        (later,) = queue.create([RunRequest(url="http://a.example/later", goal="g")], origin="o")
        await settle()
        assert engine.order == ["http://a.example/later"]
        await engine.end("http://a.example/later", RunOutcome(result={}))
        assert queue.get([later])[later].status == "COMPLETED"
        assert {run.status for run in queue.get(ids).values()} == {"CANCELLED"}
    book.close()


async def test_at_most_cap_runs_are_worked_on_in_the_order_they_came() -> None:
    book, engine = RunStore(":memory:"), ManualEngine()
    async with RunQueue(book, engine, cap=3) as queue:
        ids = queue.create(requests(7), origin="o")
        for n in range(7):
            await settle()
            assert list(engine.alive) == [f"http://a.example/{k}" for k in range(n, min(n + 3, 7))]
            await engine.end(f"http://a.example/{n}", RunOutcome(result={}))
        assert {run.status for run in queue.get(ids).values()} == {"COMPLETED"}
    book.close()


async def test_the_books_can_be_counted_by_others(tmp_path: Path) -> None:
    book, engine = RunStore(tmp_path / "agent.db"), ManualEngine()
    async with RunQueue(book, engine, cap=2) as queue:
        queue.create(requests(3), origin="o")
        await settle()
        await engine.end("http://a.example/0", RunOutcome())
        queue.create(requests(1), origin="o")
        await settle()
    with sqlite3.connect(tmp_path / "agent.db") as db:
        assert dict(db.execute("SELECT name, value FROM peaks")) == {"alive": 3, "running": 2}
        assert db.execute("SELECT count(*), count(DISTINCT run_id) FROM runs").fetchone() == (4, 4)
    book.close()
    db.close()


async def test_a_run_stays_out_of_listings_for_its_lag_but_is_known_by_its_id() -> None:
    book, clock = RunStore(":memory:"), Clock()
    async with RunQueue(book, ManualEngine(), cap=1, clock=clock, draw_lag=lambda: 0.5) as queue:
        (run_id,) = queue.create(requests(1), origin="o")

        def listed() -> int:
            return queue.page(RunFilter(), limit=10, direction="asc", after=None).total

        assert listed() == 0
        assert run_id in queue.get([run_id])
        clock.now += 0.5
        assert listed() == 1
    book.close()


async def test_a_batch_with_a_row_that_cannot_be_written_makes_no_run() -> None:
    book = RunStore(":memory:")
    async with RunQueue(book, ManualEngine(), cap=1) as queue:
        good, bad = RunRequest(url="http://a.example/", goal="g"), RunRequest(url="u", goal="\ud800")
        with contextlib.suppress(UnicodeEncodeError):
            queue.create([good, bad], origin="o")
        assert queue.page(RunFilter(), limit=10, direction="asc", after=None).total == 0
    book.close()


def test_old_and_surplus_finished_runs_are_forgotten_and_unfinished_ones_never(tmp_path: Path) -> None:
    book = RunStore(tmp_path / "agent.db")
    for n in range(6):
        new = NewRun(
            run_id=f"r{n}", url="u", goal="g", options="{}", output_schema=None, origin="o", visible_at=0
        )
        book.add([new], at=n)
    for n in range(5):
        book.finish(f"r{n}", completed({}, None), at=100 + n)
    assert book.forget(finished_before=102, keep=2) == 3
    assert sorted(book.fetch(f"r{n}" for n in range(6))) == ["r3", "r4", "r5"]
    assert (tmp_path / "agent.db").stat().st_mode & 0o777 == 0o600
    book.close()
