"""Polls: what an answer shows is compared with the items as they are when it comes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchfish.core.events import CancelRequested
from batchfish.core.rules import Limits, Rules, UnansweredRules
from batchfish.core.window import Bounds
from batchfish.pipeline.context import RunOptions, StopKind
from batchfish.pipeline.poll import SECONDS_BEFORE_LOSS
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import PollResult, WebAgent

FOREVER = 1e9


def polling_with(change: Callable[[PollResult], PollResult]) -> Any:  # noqa: ANN401 - stands in for a whole agent
    """Return a wrapper for agents whose poll results pass through `change`."""

    class Polling:
        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def poll(self, run_ids: Sequence[str]) -> PollResult:
            return change(await self._agent.poll(run_ids))

    return Polling


def test_a_cancel_request_may_come_while_a_poll_shows_that_the_time_is_up(tmp_path: Path) -> None:
    rules = Rules(limits=Limits(concurrency=Bounds.fixed(5), run_timeout=30.0))
    simulation = Simulation(folder=tmp_path, seed=1, items=2, rules=rules)
    simulation.server.durations = (FOREVER, FOREVER)
    contexts: list[Context] = []
    requested_at: list[float] = []

    async def keep(ctx: Context) -> None:
        contexts.append(ctx)

    def request(result: PollResult) -> PollResult:
        starts = [run.started_at for run in result.runs.values() if run.started_at is not None]
        if not requested_at and result.server_date is not None and result.server_date - min(starts) > 30.0:
            requested_at.append(simulation.loop.now)
            for one in contexts[0].journal.open_attempts():
                contexts[0].record(one.item.pk, None, CancelRequested())
        return result

    simulation.wrap = polling_with(request)
    simulation.companions = (keep,)
    report = simulation.run()
    assert requested_at
    assert report.stop is None
    assert simulation.statuses() == {"cancelled": 2}


def forget(simulation: Simulation, *run_ids: str) -> None:
    """Make the first run endless, and the API forget these runs after 100 s."""
    server = simulation.server

    def last() -> None:
        server.durations = (FOREVER, FOREVER) if server.creates == 1 else (1.0, 2.0)

    server.on_create.append(last)
    for run_id in run_ids:
        simulation.loop.call_later(100.0, server.runs.pop, run_id)


def test_the_last_run_that_the_api_forgot_is_held(tmp_path: Path) -> None:
    """Nothing else is alive: a run that has ended shows that a poll would find what the API knows."""
    simulation = Simulation(folder=tmp_path, seed=1, items=3, options=RunOptions(poll_interval=60.0))
    forget(simulation, "run-1")
    report = simulation.run()
    assert report.stop is None
    assert simulation.statuses() == {"succeeded": 2, "held": 1}
    assert 100.0 + SECONDS_BEFORE_LOSS <= simulation.loop.now < 1_000.0 + SECONDS_BEFORE_LOSS
    assert any(notice.startswith("held:") and "run-1" in notice for notice in simulation.notices)


@pytest.mark.parametrize("items", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_where_the_api_knows_no_run_at_all_none_is_lost_but_it_is_reported(
    tmp_path: Path, items: int
) -> None:
    options = RunOptions(poll_interval=60.0, max_duration=2 * SECONDS_BEFORE_LOSS)
    simulation = Simulation(folder=tmp_path, seed=1, items=items, options=options)
    forget(simulation, *(f"run-{number + 1}" for number in range(items)))
    simulation.run()
    assert simulation.statuses()["running"] == 1
    assert sum("but shows no other run either" in notice for notice in simulation.notices) == 1


STUCK = 300.0


def stuck(concurrency: int, **unanswered: str) -> Rules:
    """Rules under which a run is over-age after five minutes."""
    limits = Limits(concurrency=Bounds.fixed(concurrency), stuck=STUCK)
    return Rules(limits=limits, unanswered=UnansweredRules(settle=10.0, **unanswered))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("items", "concurrency"),
    [pytest.param(3, 5, id="nothing else is left"), pytest.param(4, 2, id="others wait for room")],
)
def test_when_only_over_age_runs_are_left_it_ends(tmp_path: Path, items: int, concurrency: int) -> None:
    simulation = Simulation(folder=tmp_path, seed=1, items=items, rules=stuck(concurrency))
    simulation.server.durations = (FOREVER, FOREVER)
    report = simulation.run()
    assert report.stop is not None
    assert report.stop.kind is StopKind.ONLY_STUCK
    assert report.alive == min(items, concurrency)
    assert STUCK < simulation.loop.now < STUCK + 60.0


def test_over_age_runs_need_not_be_seen_together(tmp_path: Path) -> None:
    """Each poll is answered for one of them only."""
    polls = itertools.count()

    def show_one(result: PollResult) -> PollResult:
        shown = sorted(result.runs)[next(polls) % len(result.runs)]
        return replace(result, runs={shown: result.runs[shown]})

    simulation = Simulation(folder=tmp_path, seed=1, items=2, rules=stuck(5), wrap=polling_with(show_one))
    simulation.server.durations = (FOREVER, FOREVER)
    report = simulation.run()
    assert report.stop is not None
    assert (report.stop.kind, report.alive) == (StopKind.ONLY_STUCK, 2)
    assert simulation.loop.now < STUCK + 60.0


def test_runs_are_followed_while_one_of_them_is_young(tmp_path: Path) -> None:
    simulation = Simulation(folder=tmp_path, seed=1, items=3, rules=stuck(5))
    server = simulation.server

    def last() -> None:
        server.durations = (FOREVER, FOREVER) if server.creates == 1 else (STUCK - 10.0, STUCK - 10.0)

    server.on_create.append(last)
    report = simulation.run()
    assert report.stop is not None
    assert (report.stop.kind, report.alive) == (StopKind.ONLY_STUCK, 1)
    assert simulation.statuses() == {"running": 1, "succeeded": 2}


def test_with_drain_items_that_wait_keep_no_over_age_run_company(tmp_path: Path) -> None:
    simulation = Simulation(folder=tmp_path, seed=1, items=3, rules=stuck(1))
    simulation.server.durations = (FOREVER, FOREVER)
    assert simulation.live(20.0) is None
    simulation.rules = stuck(5)
    simulation.options = RunOptions(drain=True)
    report = simulation.run()
    assert report.stop is not None
    assert (report.stop.kind, report.alive) == (StopKind.ONLY_STUCK, 1)
    assert simulation.statuses() == {"running": 1, "queued": 2}


def test_a_held_create_keeps_no_over_age_run_company(tmp_path: Path) -> None:
    simulation = Simulation(folder=tmp_path, seed=1, items=2, rules=stuck(5, then="hold"))
    server = simulation.server
    server.durations = (FOREVER, FOREVER)

    def lose_the_second() -> None:
        server.faults = Faults(resets_without_acting=1.0 if server.creates == 2 else 0.0)

    server.on_create.append(lose_the_second)
    report = simulation.run()
    assert report.stop is not None
    assert (report.stop.kind, report.alive) == (StopKind.ONLY_STUCK, 1)
    assert simulation.statuses() == {"running": 1, "held": 1}
