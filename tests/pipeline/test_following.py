"""Runs that are followed: what a look tells is held against how things stand when it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchfish.core.events import CancelWished
from batchfish.core.rules import Limits, Rules
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
