"""Runs that are followed: what a look tells is held against how things stand when it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchfish.core.events import CancelWished
from batchfish.core.rules import Limits, Rules
from batchfish.pipeline.context import Pace
from batchfish.pipeline.poll import LOSS_TAKES
from tests.pipeline.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import Look, WebAgent

FOREVER = 1e9


def looking_with(after_look: Callable[[Look], None]) -> Any:  # noqa: ANN401 - stands in for a whole agent
    """Give an agent whose looks are reported before they are handed on."""

    class Looking:
        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def poll(self, run_ids: Sequence[str]) -> Look:
            look = await self._agent.poll(run_ids)
            after_look(look)
            return look

    return Looking


def test_a_wish_to_cancel_may_come_while_a_look_shows_that_the_time_is_up(tmp_path: Path) -> None:
    rules = Rules(limits=Limits(concurrency=5, run_timeout=30.0))
    simulation = Simulation(folder=tmp_path, seed=1, items=2, rules=rules)
    simulation.server.durations = (FOREVER, FOREVER)
    contexts: list[Context] = []
    wished_at: list[float] = []

    async def keep(ctx: Context) -> None:
        contexts.append(ctx)

    def wish(look: Look) -> None:
        starts = [run.started_at for run in look.runs.values() if run.started_at is not None]
        if not wished_at and look.server_date is not None and look.server_date - min(starts) > 30.0:
            wished_at.append(simulation.loop.now)
            for one in contexts[0].journal.open_attempts():
                contexts[0].record(one.item.pk, None, CancelWished())

    simulation.wrap = looking_with(wish)
    simulation.companions = (keep,)
    report = simulation.run()
    assert wished_at
    assert report.stop is None
    assert simulation.statuses() == {"cancelled": 2}


def forget(simulation: Simulation, *run_ids: str) -> None:
    """Let the first run go on forever, and the API forget these runs after 100 s."""
    server = simulation.server

    def last() -> None:
        server.durations = (FOREVER, FOREVER) if server.creates == 1 else (1.0, 2.0)

    server.on_create.append(last)
    for run_id in run_ids:
        simulation.loop.call_later(100.0, server.runs.pop, run_id)


def test_the_last_run_that_the_api_forgot_is_held(tmp_path: Path) -> None:
    """Nothing else is alive: a run that has ended shows that the look would find what the API knows."""
    simulation = Simulation(folder=tmp_path, seed=1, items=3, pace=Pace(poll_interval=60.0))
    forget(simulation, "run-1")
    report = simulation.run()
    assert report.stop is None
    assert simulation.statuses() == {"succeeded": 2, "held": 1}
    assert 100.0 + LOSS_TAKES <= simulation.loop.now < 1_000.0 + LOSS_TAKES
    assert any(notice.startswith("held:") and "run-1" in notice for notice in simulation.notices)


@pytest.mark.parametrize("items", [1, 3])
def test_where_the_api_knows_no_run_at_all_none_is_lost_but_a_person_is_told(
    tmp_path: Path, items: int
) -> None:
    pace = Pace(poll_interval=60.0, max_duration=2 * LOSS_TAKES)
    simulation = Simulation(folder=tmp_path, seed=1, items=items, pace=pace)
    forget(simulation, *(f"run-{number + 1}" for number in range(items)))
    simulation.run()
    assert simulation.statuses()["running"] == 1
    assert sum("but shows no other run either" in notice for notice in simulation.notices) == 1
