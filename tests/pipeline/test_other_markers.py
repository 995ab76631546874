"""Runs that the API shows with the marker of another attempt, and runs whose age it does not tell."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchfish.core.events import CancelRequested
from batchfish.core.items import AttemptState, Status
from batchfish.core.pacing import SLOWEST_POLL
from batchfish.core.rules import Limits, Rules, UnansweredRules
from batchfish.core.window import Bounds
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.context import RunOptions, StopKind
from batchfish.pipeline.poll import CLOCK_MARGIN
from tests.pipeline.model_server import BookedRun, Faults, ModelServer
from tests.pipeline.simulation import Simulation
from tests.pipeline.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batchfish.core.items import Item
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import PollResult, WebAgent

SWAPPED = {"run-2": "run-3", "run-3": "run-2"}


class SwappingServer(ModelServer):
    """Shows run-2 under the goal of run-3, and the other way round, while `swaps()` says so."""

    swaps: Callable[[], bool] = staticmethod(lambda: True)

    def _get(self, run_ids: list[str], own: dict[str, BookedRun]) -> dict[str, Any]:
        answer = super()._get(run_ids, own)
        if SWAPPED.keys() <= self.runs.keys() and self.swaps():
            for row in answer["data"]:
                row["goal"] = self.runs[SWAPPED.get(row["run_id"], row["run_id"])].goal
        return answer


def simulate(folder: Path, **options: Any) -> tuple[Simulation, SwappingServer]:  # noqa: ANN401 - any field
    simulation = Simulation(folder=folder, seed=1, items=6, **options)
    server = SwappingServer(
        loop=simulation.loop, chance=simulation.chance, faults=Faults(), concurrency=5, durations=(5.0, 6.0)
    )
    simulation.server = server
    return simulation, server


def held_items(simulation: Simulation) -> list[Item]:
    with closing(SqliteJournal(simulation.path)) as journal:
        items = [journal.item(pk) for pk in range(1, simulation.items + 1)]
    return [item for item in items if item.status is Status.HELD]


def test_two_runs_that_answer_for_each_other_are_both_held_and_reported(tmp_path: Path) -> None:
    simulation, _ = simulate(tmp_path)
    assert simulation.run().stop is None
    assert simulation.statuses() == {"succeeded": 4, "held": 2}
    held = held_items(simulation)
    assert [item.reason for item in held] == ["other_marker"] * 2
    for item, other in zip(held, reversed(held), strict=True):
        assert item.message is not None
        assert other.key in item.message
        assert sum(item.id in notice and "another attempt" in notice for notice in simulation.notices) == 1


def test_a_cancelled_run_that_answers_for_another_is_held_too(tmp_path: Path) -> None:
    async def cancel(ctx: Context) -> None:
        while len(ctx.journal.open_attempts(AttemptState.RUNNING)) < 5:
            await ctx.clock.sleep(0.05)
        for pk in range(1, simulation.items + 1):
            ctx.record(pk, None, CancelRequested())
        ctx.wakeup.wake()

    simulation, server = simulate(tmp_path, companions=(cancel,))
    server.durations = (1e6, 1e6)
    simulation.run()
    assert simulation.statuses() == {"cancelled": 4, "held": 2}
    assert [item.reason for item in held_items(simulation)] == ["other_marker"] * 2


def test_one_slip_of_the_api_holds_nothing(tmp_path: Path) -> None:
    simulation, server = simulate(tmp_path)
    polls = iter([True, True])
    server.swaps = lambda: next(polls, False)
    assert simulation.run().stop is None
    assert simulation.statuses() == {"succeeded": 6}
    assert not any("held" in notice for notice in simulation.notices)


def test_held_runs_are_followed_again_once_shown_with_their_marker(tmp_path: Path) -> None:
    simulation, server = simulate(tmp_path)
    server.durations = (30.0, 31.0)
    server.swaps = lambda: simulation.loop.now < 15.0
    assert simulation.run().stop is None
    assert sum("held" in notice for notice in simulation.notices) == 2
    assert simulation.statuses() == {"succeeded": 6}


def test_the_next_process_takes_them_up_though_nothing_else_is_left(tmp_path: Path) -> None:
    simulation, server = simulate(tmp_path)
    assert simulation.live(None) is not None
    assert simulation.statuses() == {"succeeded": 4, "held": 2}
    server.swaps = lambda: False
    assert simulation.live(None) is not None
    assert simulation.statuses() == {"succeeded": 6}
    assert simulation.live(None) is not None
    simulation.loop.close()


def timeless(agent: WebAgent) -> Any:  # noqa: ANN401 - stands in for a whole agent
    """Hide the time of the server, as an API does that sends no `Date`."""

    class Timeless:
        def __getattr__(self, name: str) -> object:
            return getattr(agent, name)

        async def poll(self, run_ids: Sequence[str]) -> PollResult:
            return replace(await agent.poll(run_ids), server_date=None)

    return Timeless()


STUCK = 2 * CLOCK_MARGIN


class AheadClock(VirtualClock):
    """A wall clock that is ahead of the server's."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


def age(
    folder: Path,
    *,
    ahead: float = 0.0,
    poll_interval: float = 60.0,
    **limits: Any,  # noqa: ANN401 - any limit
) -> Simulation:
    rules = Rules(
        limits=Limits(concurrency=Bounds.fixed(5), stuck=STUCK, **limits),
        unanswered=UnansweredRules(settle=10.0),
    )
    simulation = Simulation(
        folder=folder,
        seed=1,
        items=2,
        rules=rules,
        wrap=timeless,
        options=RunOptions(poll_interval=poll_interval),
    )
    simulation.clock = AheadClock(simulation.loop)
    simulation.clock.ahead = ahead
    simulation.server.durations = (1e9, 1e9)
    return simulation


def test_without_the_servers_time_a_run_is_over_age_by_our_clock(tmp_path: Path) -> None:
    simulation = age(tmp_path)
    report = simulation.run()
    assert report.stop is not None
    assert (report.stop.kind, report.alive) == (StopKind.ONLY_STUCK, 2)
    assert STUCK <= simulation.loop.now <= STUCK + 150.0


def test_age_counts_over_restarts_with_a_margin_for_clocks_that_differ(tmp_path: Path) -> None:
    simulation = age(tmp_path)
    lifetime = 0.9 * STUCK
    assert simulation.live(lifetime) is None
    report = simulation.run()
    assert report.stop is not None
    assert report.stop.kind is StopKind.ONLY_STUCK
    until_next_poll = SLOWEST_POLL * simulation.options.poll_interval
    assert 0.0 <= simulation.loop.now - STUCK - CLOCK_MARGIN <= until_next_poll + 10.0


@pytest.mark.parametrize("ahead", [pytest.param(0.0, marks=pytest.mark.slow), 0.9 * CLOCK_MARGIN])
def test_a_clock_that_is_wrong_by_less_than_the_margin_ages_no_run(tmp_path: Path, ahead: float) -> None:
    simulation = age(tmp_path, ahead=ahead)
    simulation.run()
    assert simulation.loop.now >= STUCK


@pytest.mark.parametrize("ahead", [0.0, -1e8, 1e8])
def test_no_wrong_clock_cancels_a_run_before_its_time(tmp_path: Path, ahead: float) -> None:
    simulation = age(tmp_path, ahead=ahead, poll_interval=20.0, run_timeout=1_000.0)
    cancelled_at: list[float] = []
    simulation.server.on_cancel.append(lambda _: cancelled_at.append(simulation.loop.now))
    simulation.run()
    if ahead <= 0.0:
        assert 1_000.0 <= min(cancelled_at) <= 1_150.0
    else:
        assert not cancelled_at or min(cancelled_at) >= 1_000.0
