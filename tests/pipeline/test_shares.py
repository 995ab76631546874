"""How batches of one account share a server with a hidden cap, and servers whose runs take long to start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchfish.core.identity import read_marker
from batchfish.core.rules import Limits
from batchfish.core.window import Bounds
from batchfish.pipeline.context import RunOptions
from batchfish.pipeline.watches import Queue
from tests.pipeline.model_server import Faults, ModelServer
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 30.0
"""A run takes this long, on average."""

JOINS, COUNTED, ENDS = 6.3, 14.3, 30.3
"""When the second batch begins, from when on its runs are counted, and when that ends, in run lengths."""


class Batches:
    """One batch or two of one account at one server; times are run lengths."""

    def __init__(self, folder: Path, faults: Faults, *, most: int = 100, seed: int = 0) -> None:
        settings: dict[str, Any] = {
            "items": 15 * most,
            "rules": replace(
                settle_of(10.0), limits=Limits(concurrency=Bounds(least=1, start=10, most=most))
            ),
            "options": RunOptions(poll_interval=0.05, learns_interval=True),
        }
        first = Simulation(folder=folder, seed=2 * seed, **settings)
        second = Simulation(folder=folder, seed=2 * seed + 1, site="other", loop=first.loop, **settings)
        self._server = first.server = second.server = ModelServer(
            loop=first.loop,
            chance=first.chance,
            faults=faults,
            concurrency=10_000,
            durations=(0.5 * SECONDS, 1.5 * SECONDS),
        )
        self._simulations = (first, second)

    def live(self, *begins: float, until: float) -> None:
        """Begin one batch or two, and kill them at the end."""
        loop = self._server.loop
        ends: list[Callable[[], None]] = []
        for simulation, begin in zip(self._simulations, begins, strict=False):
            loop.call_later(begin * SECONDS, _begin, simulation, ends)
        loop.call_later(until * SECONDS, loop.stop)
        loop.run_forever()
        for end in ends:
            end()
        loop.close()
        assert self._server.violations == []

    def slots(self, since: float, until: float) -> list[float]:
        """Return how many runs of each batch were at work in this time, on average."""
        begin, end = since * SECONDS, until * SECONDS
        at_work: dict[str, float] = {}
        for run in self._server.runs.values():  # in the order of their creation
            marker = read_marker(run.goal)
            assert marker is not None
            seconds = max(0.0, min(end, run.ends_at) - max(begin, run.starts_at))
            at_work[marker.batch8] = at_work.get(marker.batch8, 0.0) + seconds / (end - begin)
        return list(at_work.values())

    def alive(self, at: float) -> int:
        """Return how many runs were alive at this time."""
        now = at * SECONDS
        return sum(run.created_at <= now < run.ends_at for run in self._server.runs.values())


def _begin(simulation: Simulation, ends: list[Callable[[], None]]) -> None:
    ends.append(simulation.start()[1])


def share_of_second(folder: Path, cap: int, seed: int) -> float:
    """Return the share of the slots that a batch gets which joins another one late."""
    folder.mkdir()
    batches = Batches(folder, Faults(slots=cap), most=2 * cap + 20, seed=seed)
    batches.live(0.0, JOINS, until=ENDS)
    first, second = batches.slots(COUNTED, ENDS)
    assert first + second >= 0.99 * cap
    return second / (first + second)


@pytest.mark.parametrize(
    ("cap", "seeds"),
    [(2, 1), (10, 1), *(pytest.param(cap, 10, marks=pytest.mark.slow) for cap in (2, 10, 50))],
)
def test_a_batch_that_joins_a_busy_server_gets_half_of_the_slots(
    tmp_path: Path, cap: int, seeds: int
) -> None:
    """It has never seen a run start that did not wait in the queue of the other batch."""
    shares = [share_of_second(tmp_path / f"{seed}", cap, seed) for seed in range(seeds)]
    assert all(0.35 <= share <= 0.65 for share in shares)
    assert 0.4 <= sum(shares) / len(shares) <= 0.6


@pytest.mark.parametrize(
    "starts", [pytest.param((2.7, 3.3), marks=pytest.mark.slow), (1.0, 5.0), (8.0, 10.0)]
)
def test_as_many_runs_as_allowed_are_alive_where_starts_take_long_but_none_waits(
    tmp_path: Path, starts: tuple[float, float]
) -> None:
    most = 40
    batches = Batches(tmp_path, Faults(starts=starts), most=most)
    batches.live(0.0, until=6.0)
    alive = [batches.alive(2.0 + step / 10) for step in range(40)]
    assert sum(alive) / len(alive) >= 0.9 * most


@pytest.mark.parametrize("starts", [(2.0, 6.0), pytest.param((4.5, 5.5), marks=pytest.mark.slow)])
def test_slots_stay_full_where_starts_take_long(tmp_path: Path, starts: tuple[float, float]) -> None:
    """A run that starts has its slot already, although it is PENDING."""
    cap, until = 10, 20.0
    batches = Batches(tmp_path, Faults(slots=cap, starts=starts), most=30)
    batches.live(0.0, until=until)
    (at_work,) = batches.slots(5.0, until)
    assert at_work >= 0.95 * cap * SECONDS / (SECONDS + sum(starts) / 2)


def test_the_shares_catch_a_queue_that_takes_the_quickest_start_for_one_without_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Queue, "_longest_start", lambda queue, _: 2 * queue.quickest_start)
    with pytest.raises(AssertionError):
        test_a_batch_that_joins_a_busy_server_gets_half_of_the_slots(tmp_path, 2, 1)


def test_slow_starts_catch_a_queue_that_takes_each_run_for_waiting_that_has_not_started_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Queue, "_longest_start", lambda _, interval: interval / 2)
    with pytest.raises(AssertionError):
        test_as_many_runs_as_allowed_are_alive_where_starts_take_long_but_none_waits(tmp_path, (8.0, 10.0))
