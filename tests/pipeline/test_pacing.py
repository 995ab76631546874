"""An API that refuses creates for their rate: how long a batch takes then, and that no wait is cut short."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core.pacing import FEWEST_CREATES_AT_ONCE
from batchfish.core.rules import Limits
from batchfish.core.window import AUTO
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.context import RunOptions
from tests.pipeline.model_server import Faults, ModelServer
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import httpx

CREATE = "/v1/automation/run-async"


@dataclass(kw_only=True)
class RefusingServer(ModelServer):
    """A server that refuses creates while `most` runs are alive, and those whose number is in `refuses`.

    `early` are the creates that a client sent before the end of a wait that it had been asked for.
    """

    most: int = 1_000_000
    refuses: frozenset[int] = frozenset()
    retry_after: str | None = "1"
    not_before: float = 0.0
    early: list[float] = field(default_factory=list)
    refused: int = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == CREATE and self.loop.now < self.not_before:
            self.early.append(self.loop.now)
        response = await super().answer(request)
        if response.status_code == 429:
            self.refused += 1
            if self.retry_after is not None:
                response.headers["Retry-After"] = self.retry_after
                self.not_before = self.loop.now + float(self.retry_after)
        return response

    async def _create(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        alive = sum(run.is_alive(self.loop.now) for run in self.runs.values())
        if self.creates + 1 in self.refuses or alive >= self.most:
            self.creates += 1
            return self._error(request, 429, "RATE_LIMIT_EXCEEDED")
        return await super()._create(request, body)


def live(folder: Path, items: int, concurrency: int, **behaviour: Any) -> RefusingServer:  # noqa: ANN401 - any field of the server
    """Run a whole batch against such a server; `loop.now` is then the time that it took."""
    simulation = Simulation(
        folder=folder,
        seed=7,
        items=items,
        rules=settle_of(10.0, concurrency=concurrency),
        options=RunOptions(poll_interval=0.25),
    )
    server = simulation.server = RefusingServer(
        loop=simulation.loop,
        chance=simulation.chance,
        faults=Faults(),
        concurrency=concurrency,
        **behaviour,
    )
    assert simulation.run().stop is None
    assert simulation.statuses() == {"succeeded": items}
    assert server.violations == []
    assert server.early == []
    return server


def new(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


@pytest.mark.parametrize("retry_after", [None, pytest.param("1", marks=pytest.mark.slow), "5"])
def test_a_burst_of_refusals_costs_about_the_wait_that_was_asked_for(
    tmp_path: Path, retry_after: str | None
) -> None:
    durations = (0.9, 1.1)
    usual = live(new(tmp_path, "usual"), 40, 10, durations=durations)
    burst = live(
        new(tmp_path, "burst"),
        40,
        10,
        durations=durations,
        refuses=frozenset(range(2, 2 + FEWEST_CREATES_AT_ONCE)),
        retry_after=retry_after,
    )
    assert burst.refused == FEWEST_CREATES_AT_ONCE
    assert burst.loop.now <= usual.loop.now + float(retry_after or 1.0) + 1.0


@pytest.mark.parametrize("retry_after", [None, pytest.param("1", marks=pytest.mark.slow)])
def test_an_api_that_takes_ten_at_once_is_kept_at_ten(tmp_path: Path, retry_after: str | None) -> None:
    """The ideal is a batch that knows of the limit: 100 items at `-j 10`, without a refusal."""
    ideal = live(new(tmp_path, "ideal"), 100, 10)
    found_out = live(new(tmp_path, "found_out"), 100, 50, most=10, retry_after=retry_after)
    assert found_out.most_alive == 10
    assert found_out.refused < 30
    assert found_out.loop.now <= 1.15 * ideal.loop.now


class SlowJournal(SqliteJournal):
    """A journal on a slow disk: while it commits, answers to other creates come."""

    async def commit(self) -> None:
        await asyncio.sleep(0.04)
        await super().commit()


@pytest.mark.parametrize("retry_after", ["1", "30"])
def test_no_create_is_sent_before_the_end_of_a_wait_also_if_its_intent_was_committed(
    tmp_path: Path, retry_after: str
) -> None:
    simulation = Simulation(folder=tmp_path, seed=3, items=60, rules=settle_of(10.0, concurrency=50))
    simulation.open_journal = SlowJournal
    server = simulation.server = RefusingServer(
        loop=simulation.loop,
        chance=simulation.chance,
        faults=Faults(),
        concurrency=50,
        most=10,
        retry_after=retry_after,
    )
    assert simulation.run().stop is None
    assert simulation.statuses() == {"succeeded": 60}
    assert server.refused > 0
    assert server.early == []


def test_an_api_that_takes_more_after_a_while_is_used(tmp_path: Path) -> None:
    """The limit of ten is another client's doing, and goes after fifteen seconds."""
    simulation = Simulation(folder=tmp_path, seed=7, items=200, rules=settle_of(10.0, concurrency=40))
    server = simulation.server = RefusingServer(
        loop=simulation.loop, chance=simulation.chance, faults=Faults(), concurrency=40, most=10
    )
    simulation.loop.call_later(15.0, setattr, server, "most", 1_000_000)
    assert simulation.run().stop is None
    assert server.most_alive == 40
    assert server.early == []


@pytest.mark.parametrize("slots", [2, pytest.param(10, marks=pytest.mark.slow), 50])
def test_auto_keeps_the_slots_of_a_server_full_and_its_queue_short(tmp_path: Path, slots: int) -> None:
    """The cap is known to the server alone, which queues silently."""
    items, mean = 8 * slots, 10.0
    simulation = Simulation(
        folder=tmp_path,
        seed=7,
        items=items,
        rules=replace(settle_of(10.0), limits=Limits(concurrency=AUTO)),
        options=RunOptions(poll_interval=1.0),
    )
    server = simulation.server = ModelServer(
        loop=simulation.loop,
        chance=simulation.chance,
        faults=Faults(slots=slots),
        concurrency=AUTO.most,
        durations=(0.5 * mean, 1.5 * mean),
    )
    alive: list[tuple[float, int]] = []
    server.on_act.append(
        lambda run: alive.append(
            (run.created_at, sum(one.is_alive(run.created_at) for one in server.runs.values()))
        )
    )
    assert simulation.run().stop is None
    assert simulation.statuses() == {"succeeded": items}
    assert server.violations == []
    ideal = items * mean / slots
    assert server.loop.now <= 1.02 * ideal + 2.5 * mean  # the ramp, the last runs, the comparison at the end
    settled = [number for at, number in alive if 0.4 * ideal < at < 0.8 * ideal]
    # Between two polls lie an interval and the time of a poll's answer.
    between = [
        sum(at - 1.1 < run.ends_at <= at for run in server.runs.values())
        for at in (0.3 * ideal + step / 10 for step in range(int(5 * ideal)))
    ]
    assert slots <= sum(settled) / len(settled)
    assert max(settled) <= slots + 2 + max(between)


@pytest.mark.parametrize("concurrency", [4, 10])
def test_ends_of_very_short_runs_are_noticed_within_their_time(tmp_path: Path, concurrency: int) -> None:
    """At a fixed number of runs no other run waits for the slot: it is empty until the next poll."""
    seconds, items = 0.05, 40 * concurrency
    simulation = Simulation(
        folder=tmp_path,
        seed=7,
        items=items,
        rules=settle_of(10.0, concurrency=concurrency),
        options=RunOptions(poll_interval=0.025, learns_interval=True),
    )
    server = simulation.server = ModelServer(
        loop=simulation.loop,
        chance=simulation.chance,
        faults=Faults(travel=(0.001, 0.003)),
        concurrency=concurrency,
        durations=(0.9 * seconds, 1.1 * seconds),
    )
    assert simulation.run().stop is None
    runs = list(server.runs.values())
    took = max(run.ends_at for run in runs) - runs[1].created_at  # the first one goes alone
    assert took <= 1.6 * seconds * items / concurrency


class SlowServer(ModelServer):
    """A server that makes a run at once, and answers half a second later: polls come meanwhile."""

    async def _create(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        response = await super()._create(request, body)
        await asyncio.sleep(0.5)
        return response


@pytest.mark.parametrize(("slots", "most"), [(2, 10), (10, 20)])
def test_the_window_grows_only_while_most_runs_are_seen_at_work(
    tmp_path: Path, slots: int, most: int
) -> None:
    """A run that no poll has shown yet may have no slot. Counted are those made before any has ended."""
    simulation = Simulation(
        folder=tmp_path,
        seed=7,
        items=60,
        rules=replace(settle_of(10.0), limits=Limits(concurrency=AUTO)),
        options=RunOptions(poll_interval=0.05, learns_interval=True),
    )
    server = simulation.server = SlowServer(
        loop=simulation.loop,
        chance=simulation.chance,
        faults=Faults(slots=slots),
        concurrency=AUTO.most,
        durations=(3.0, 5.0),
    )
    assert simulation.run().stop is None
    first_end = min(run.ends_at for run in server.runs.values())
    assert sum(run.created_at < first_end for run in server.runs.values()) <= most


def test_the_window_grows_also_before_any_run_has_ended(tmp_path: Path) -> None:
    """No end wakes the submitting stage then: the poll that widens the window does."""
    simulation = Simulation(
        folder=tmp_path,
        seed=7,
        items=100,
        rules=replace(settle_of(10.0), limits=Limits(concurrency=AUTO)),
        options=RunOptions(poll_interval=1.0),
    )
    server = simulation.server
    server.concurrency, server.durations = AUTO.most, (60.0, 70.0)
    assert simulation.run().stop is None
    assert max(run.created_at for run in server.runs.values()) < 20.0


def test_slots_stay_full_where_a_create_takes_as_long_as_a_run(tmp_path: Path) -> None:
    slots = 10
    simulation = Simulation(
        folder=tmp_path,
        seed=7,
        items=40 * slots,
        rules=replace(settle_of(10.0), limits=Limits(concurrency=AUTO)),
        options=RunOptions(poll_interval=0.25),
    )
    server = simulation.server = ModelServer(
        loop=simulation.loop,
        chance=simulation.chance,
        faults=Faults(slots=slots, travel=(0.45, 0.55)),  # on the way there, and on the way back
        concurrency=AUTO.most,
        durations=(0.5, 1.5),
    )
    assert simulation.run().stop is None
    starts = sorted(run.starts_at for run in server.runs.values())
    begin, end = starts[10 * slots], starts[30 * slots]
    at_work = sum(max(0.0, min(end, run.ends_at) - max(begin, run.starts_at)) for run in server.runs.values())
    assert at_work >= 0.99 * slots * (end - begin)
