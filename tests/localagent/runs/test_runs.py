"""The queue of runs and its store: restarts, cancels, what is kept for how long, what is told first."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.engines.base import RunOutcome, RunRequest
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import NewRun, RunFilter, completed
from batchfish.localagent.runs.store import RunStore, forget_old_runs
from tests.localagent.doubles import Clock, ManualEngine, create, settle, working_queue
from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

DAY = 24 * 3600.0
EVERYTHING = {"alive", "old", "young", *map(str, range(10))}


def requests(count: int) -> list[RunRequest]:
    return [RunRequest(url=f"http://a.example/{n}", goal="g") for n in range(count)]


async def test_runs_cancelled_before_their_first_step_leave_their_slots_to_others(
    queue: RunQueue, engine: ManualEngine
) -> None:
    ids = queue.create(requests(4), origin="o")
    queue.cancel(ids)  # no task has begun yet
    (later,) = queue.create([RunRequest(url="http://a.example/later", goal="g")], origin="o")
    await settle()
    assert engine.order == ["http://a.example/later"]
    await engine.end("http://a.example/later", RunOutcome(result={}))
    assert queue.get([later])[later].status == "COMPLETED"
    assert {run.status for run in queue.get(ids).values()} == {"CANCELLED"}


async def test_a_run_stays_out_of_listings_for_its_lag_but_is_known_by_its_id(clock: Clock) -> None:
    async with working_queue(ManualEngine(), clock, draw_lag=lambda: 0.5) as queue:
        (run_id,) = queue.create(requests(1), origin="o")
        assert queue.page(RunFilter(), limit=10, direction="asc", after=None).total == 0
        assert run_id in queue.get([run_id])
        clock.now += 0.5
        assert queue.page(RunFilter(), limit=10, direction="asc", after=None).total == 1


def add(store: RunStore, run_id: str, *, ended: float | None) -> None:
    store.add([NewRun(run_id, "u", "g", "g", "{}", None, "o", 0, 0)])
    if ended is not None:
        store.finish(run_id, completed({}, None), at=ended)


def kept_at(keep_runs: int, *times: float) -> list[set[str]]:
    """Return the runs that are there at these times, in seconds from the start of the agent."""

    async def history() -> list[set[str]]:
        loop, seen = asyncio.get_running_loop(), list[set[str]]()
        with contextlib.closing(RunStore(":memory:")) as store:
            add(store, "alive", ended=None)
            add(store, "old", ended=EPOCH - 2 * DAY)
            add(store, "young", ended=EPOCH - DAY + 5000)  # a day old after 5,000 seconds
            for n in range(10):
                add(store, str(n), ended=EPOCH + n)
            forget = forget_old_runs(
                store, keep_for=DAY, keep_runs=keep_runs, clock=lambda: EPOCH + loop.time()
            )
            task = asyncio.create_task(forget)
            for at in times:
                await asyncio.sleep(at - loop.time())
                seen.append(set(store.fetch(EVERYTHING)))
            task.cancel()
        return seen

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(history())


def test_surplus_runs_are_dropped_each_minute_and_old_ones_after_an_hour() -> None:
    assert kept_at(10, 59.0, 61.0) == [EVERYTHING, EVERYTHING - {"old", "young"}]
    assert kept_at(3, 61.0) == [{"alive", "7", "8", "9"}]
    without_old = EVERYTHING - {"old"}
    assert kept_at(100, 3599.0, 3661.0, 4990.0) == [EVERYTHING, without_old, without_old]
    assert kept_at(100, 5061.0, 3 * DAY) == [without_old - {"young"}, {"alive"}]


def test_the_oldest_screenshots_make_room_for_new_ones() -> None:
    with contextlib.closing(RunStore(":memory:", most_screenshot_bytes=10)) as store:
        for run_id in "ab":
            add(store, run_id, ended=None)
            store.finish(run_id, completed({}, None), at=0, screenshots=[(1, b"four"), (2, b"more")])
        pictures = [store.screenshot(run_id, step) for run_id in "ab" for step in (1, 2)]
    assert pictures == [None, None, b"four", b"more"]


def test_what_one_turn_of_the_loop_writes_is_one_transaction(tmp_path: Path) -> None:
    turn: list[Any] = []
    store = RunStore(tmp_path / "runs.db", call_soon=turn.append)
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as others:

        def seen() -> list[tuple[str, str]]:
            return others.execute("SELECT run_id, status FROM runs ORDER BY seq").fetchall()

        add(store, "a", ended=None)
        with pytest.raises(sqlite3.IntegrityError):
            add(store, "a", ended=None)
        store.start("a", at=0)
        add(store, "b", ended=None)
        assert (seen(), len(turn)) == ([], 1)
        turn.pop()()
        assert seen() == [("a", "RUNNING"), ("b", "PENDING")]
        add(store, "c", ended=0)
        assert len(turn) == 1
        store.close()
        assert seen()[2:] == [("c", "COMPLETED")]


def test_a_run_starts_and_ends_once(tmp_path: Path) -> None:
    with contextlib.closing(RunStore(tmp_path / "runs.db")) as store:
        for run_id in ("works", "over"):
            add(store, run_id, ended=None)
        assert [store.start("works", at=at) for at in (1, 2)] == [True, False]
        end = completed({}, None)
        assert [store.finish("over", end, at=at, screenshots=[(1, b"p")]) for at in (3, 4)] == [True, False]
        assert not store.start("over", at=5)
    with contextlib.closing(RunStore(tmp_path / "runs.db")) as store:
        runs = store.fetch(["works", "over"])
        assert (runs["works"].started_at, runs["over"].finished_at) == (1, 3)
        assert [run.run_id for run in store.unfinished()] == ["works"]


def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (x)")
        another = db.serialize()
    for content in (b"SQLite no more", another):
        (tmp_path / "runs.db").write_bytes(content)
        with pytest.raises(WrongInput, match="delete it, or name another file"):
            RunStore(tmp_path / "runs.db")
        assert (tmp_path / "runs.db").read_bytes() == content


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"agent_config": {"max_duration_seconds": 5}, "capture_config": {"screenshots": True}}, ""),
        ({"browser_profile": "lite", "proxy_config": {"enabled": False, "country_code": "US"}}, ""),
        ({"browser_profile": "stealth", "proxy_config": {"enabled": True}}, "browser_profile, proxy_config"),
        ({"agent_config": {"max_steps": 3, "mode": "strict"}}, "agent_config.mode, agent_config.max_steps"),
        ({"capture_config": {"html": True}}, "capture_config.html"),
    ],
)
async def test_a_run_tells_first_what_has_no_effect(
    api: httpx.AsyncClient, options: dict[str, Any], told: str
) -> None:
    run = (await api.get(f"/v1/runs/{await create(api, **options)}")).json()
    first = [f"without effect on this machine: {told}"] if told else []
    assert [step["action"] for step in run["steps"]] == [*first, "opened http://a.example/"]
