"""Pages of listings whose runs are counted once: they show what a plain search would, at any length."""

import contextlib
import itertools
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import NewRun, RunFilter, completed
from batchfish.localagent.runs.store import RunStore
from batchfish.webagent.wire import RunStatus
from tests.localagent.doubles import Clock, ManualEngine, create, working_queue

GOALS = ("Read bf-a-1", "Read bf-a-2", "Read bf-b-1")
FILTERS = (
    RunFilter(),
    RunFilter(goal="BF-A", created_after=2),
    RunFilter(goal="bf-a-1", created_before=3),
    RunFilter(created_after=1, created_before=5),
    RunFilter(goal="bf", status=RunStatus.PENDING),
    RunFilter(status=RunStatus.COMPLETED, created_after=1),
    RunFilter(goal="nowhere"),
)
# Each a method of Model with its argument.
CHANGES = st.one_of(
    st.tuples(
        st.just("add"), st.lists(st.tuples(st.sampled_from(GOALS), st.integers(0, 3)), min_size=1, max_size=4)
    ),
    st.tuples(st.sampled_from(("start", "finish", "finish")), st.integers(1, 8)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("forget"), st.integers(0, 4)),
)


@dataclass(frozen=True)
class Run:
    seq: int
    goal: str
    created_at: float
    visible_at: float
    status: RunStatus = RunStatus.PENDING
    finished_at: float | None = None

    def matches(self, wanted: RunFilter, now: float) -> bool:
        return (
            self.visible_at <= now
            and (wanted.goal or "").casefold() in self.goal.casefold()
            and wanted.status in {None, self.status}
            and (wanted.created_after is None or self.created_at >= wanted.created_after)
            and (wanted.created_before is None or self.created_at < wanted.created_before)
        )


class Model:
    """A store beside a list of the same runs."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._numbers = itertools.count(1)
        self._runs: dict[int, Run] = {}
        self._now = 0.0

    def add(self, new: list[tuple[str, int]]) -> None:
        runs = [Run(next(self._numbers), goal, self._now, self._now + lag) for goal, lag in new]
        self._runs |= {run.seq: run for run in runs}
        self._store.add(
            [
                NewRun(
                    str(run.seq),
                    "u",
                    run.goal,
                    run.goal.casefold(),
                    "{}",
                    None,
                    "o",
                    self._now,
                    run.visible_at,
                )
                for run in runs
            ]
        )

    def start(self, seq: int) -> None:
        if self._store.start(str(seq), at=self._now):
            self._runs[seq] = replace(self._runs[seq], status=RunStatus.RUNNING)

    def finish(self, seq: int) -> None:
        if self._store.finish(str(seq), completed({}, None), at=self._now):
            self._runs[seq] = replace(self._runs[seq], status=RunStatus.COMPLETED, finished_at=self._now)

    def wait(self, seconds: int) -> None:
        self._now += seconds

    def forget(self, keep: int) -> None:
        self._store.forget(finished_before=self._now - 3, keep=keep)
        left = self._store.fetch(map(str, self._runs))
        self._runs = {seq: run for seq, run in self._runs.items() if str(seq) in left}

    def check(self, wanted: RunFilter, direction: str) -> None:
        """Read a listing four runs a page."""
        matching = [run.seq for run in self._runs.values() if run.matches(wanted, self._now)]
        if direction == "desc":
            matching.reverse()
        seen: list[int] = []
        has_more = True
        while has_more:
            page = self._store.page(
                wanted, limit=4, direction=direction, after=seen[-1] if seen else None, at=self._now
            )
            seen += [run.seq for run in page.runs]
            has_more = page.has_more
            assert page.total == len(matching)
        assert seen == matching


@given(st.lists(CHANGES, min_size=6, max_size=20))
def test_pages_show_and_count_what_a_search_of_all_runs_finds(history: list[tuple[str, Any]]) -> None:
    with contextlib.closing(RunStore(":memory:")) as store:
        model = Model(store)
        for name, argument in history:
            getattr(model, name)(argument)
            for wanted, direction in zip(FILTERS, itertools.cycle(("asc", "desc"))):
                model.check(wanted, direction)


async def test_runs_that_are_added_while_a_listing_is_read_are_counted_and_move_none(
    api: httpx.AsyncClient,
) -> None:
    ids = [await create(api) for _ in range(25)]
    seen: list[str] = []
    totals: list[int] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        page = (await api.get("/v1/runs", params={"goal": "price", "limit": "10", **cursor})).json()
        seen += [run["run_id"] for run in page["data"]]
        totals.append(page["pagination"]["total"])
        following = page["pagination"]["next_cursor"]
        cursor = {"cursor": following} if following else None
        await create(api)
        await create(api, goal="another")
    assert seen == ids[::-1]
    assert totals == [25, 26, 27]


async def test_a_clock_that_is_set_back_leaves_new_runs_in_their_place_in_listings_of_a_time(
    clock: Clock,
) -> None:
    async with working_queue(ManualEngine(), clock, draw_lag=lambda: 5.0) as queue:
        queue.create([RunRequest(url="http://a.example/1", goal="g")], origin="o")
        late = clock.now
        clock.now -= 3600
        queue.create([RunRequest(url="http://a.example/2", goal="g")], origin="o")
        clock.now += 3600 + 5
        page = queue.page(RunFilter(created_after=late), limit=10, direction="asc", after=None)
        assert [run.created_at for run in page.runs] == [late, late]
        assert page.total == 2


async def test_runs_that_are_created_after_the_clock_was_set_back_are_shown_and_counted_at_once(
    clock: Clock,
) -> None:
    def shown(queue: RunQueue) -> tuple[int, int]:
        page = queue.page(RunFilter(), limit=10, direction="desc", after=None)
        return len(page.runs), page.total

    request = RunRequest(url="http://a.example/1", goal="g")
    with contextlib.closing(RunStore(":memory:")) as store:
        async with RunQueue(store, ManualEngine(), cap=1, clock=clock) as queue:
            queue.create([request], origin="o")
            assert shown(queue) == (1, 1)
            clock.now -= 3600
            queue.create([request], origin="o")
            assert shown(queue) == (2, 2)
        clock.now -= 3600
        async with RunQueue(store, ManualEngine(), cap=1, clock=clock, draw_lag=lambda: 5.0) as restarted:
            assert shown(restarted) == (2, 2)
            restarted.create([request], origin="o")
            assert shown(restarted) == (2, 2)
            clock.now += 5
            assert shown(restarted) == (3, 3)
            clock.now += 9000
            (run_id,) = restarted.create([request], origin="o")
            assert restarted.get([run_id])[run_id].created_at == clock.now


class Instructions:
    """Counts the instructions of SQLite's virtual machine."""

    def __init__(self) -> None:
        self._count = 0

    def count(self) -> int:
        self._count += 1
        return 0  # go on

    def taken(self) -> int:
        """Return how many instructions were taken since the last call."""
        count, self._count = self._count, 0
        return count


@pytest.fixture
def instructions(monkeypatch: pytest.MonkeyPatch) -> Instructions:
    """Count the instructions of all connections that are opened."""
    counted, connect = Instructions(), sqlite3.connect

    def connect_counted(*args: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - handed on
        db: sqlite3.Connection = connect(*args, **options)
        db.set_progress_handler(counted.count, 1)
        return db

    monkeypatch.setattr(sqlite3, "connect", connect_counted)
    return counted


ALL = RunFilter(goal="read")


def instructions_of_pages(runs: int, instructions: Instructions) -> list[int]:
    """Return those for a later page, for the first page of some hours, and for a first page shown again."""
    with contextlib.closing(RunStore(":memory:")) as store:

        def add(at: int) -> None:
            store.add([NewRun(str(at), "u", "Read", "read", "{}", None, "o", at, at)])

        def page(after: int | None = None, wanted: RunFilter = ALL) -> int:
            instructions.taken()
            store.page(wanted, limit=100, after=after, at=runs)
            return instructions.taken()

        for at in range(runs):
            add(at)
        page()  # counts all of them
        later = page(runs // 2)
        some_hours = page(wanted=replace(ALL, created_after=runs / 2, created_before=runs / 2 + 150))
        add(runs)
        return [later, some_hours, page()]


def test_a_page_of_a_long_listing_takes_sqlite_no_more_work_than_one_of_a_short_listing(
    instructions: Instructions,
) -> None:
    assert instructions_of_pages(400, instructions) == instructions_of_pages(4000, instructions)
