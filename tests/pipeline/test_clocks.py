"""Clocks that jump, and searches that take long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.core import reconcile as rules_of_reconciling
from batchfish.core.rules import Limits, RetryRules, Rules
from batchfish.core.window import Bounds
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation, settle_of
from tests.pipeline.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.core.reconcile import Evidence, Judgement
    from batchfish.core.rules import UnansweredRules
    from batchfish.webagent.base import Listing, WebAgent

DAY = 86_400.0


class JumpingClock(VirtualClock):
    """A clock whose wall time is changed by `jump` seconds after 20 s; its boot time goes on."""

    jump = 0.0

    def now(self) -> float:
        return super().now() + (self.jump if self.boottime() > 20.0 else 0.0)


@pytest.mark.parametrize("jump", [-365 * DAY, -DAY, -3_600.0, 3_600.0, 365 * DAY])
def test_a_wall_clock_that_jumps_neither_stops_a_batch_nor_costs_a_run(tmp_path: Path, jump: float) -> None:
    rules = Rules(limits=Limits(concurrency=Bounds.fixed(5)), retry=RetryRules(attempts=3, wait_initial=60.0))
    faults = Faults(runs_fail=0.5, reads_fail=0.05)
    simulation = Simulation(folder=tmp_path, seed=5, items=12, faults=faults, rules=rules)
    simulation.clock = JumpingClock(simulation.loop)
    simulation.clock.jump = jump
    report = simulation.run()
    assert report.stop is None
    assert simulation.server.violations == []
    assert set(simulation.statuses()) <= {"succeeded", "failed"}
    assert simulation.loop.now < 1_800.0


def test_a_search_counts_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow listing shows the runs that existed when it was asked for, not when it came."""
    seen: list[Evidence] = []
    judge = rules_of_reconciling.judge

    def watch(evidence: Evidence, rules: UnansweredRules) -> Judgement:
        seen.append(evidence)
        return judge(evidence, rules)

    class Slow:
        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def find_by_marker(
            self, text: str, *, limit: int | None = None, since: float | None = None
        ) -> Listing:
            listing = await self._agent.find_by_marker(text, limit=limit, since=since)
            await simulation.clock.sleep(0.0 if limit else 8.0)
            return listing

    monkeypatch.setattr("batchfish.pipeline.reconcile.judge", watch)
    simulation = Simulation(
        folder=tmp_path,
        seed=1,
        items=4,
        faults=Faults(fails_without_acting=0.5),
        rules=settle_of(10),
        wrap=Slow,  # type: ignore[arg-type]
    )
    simulation.run()
    assert simulation.server.violations == []
    assert seen
    for evidence in seen:
        assert all(at <= evidence.elapsed - 8.0 for at in evidence.empty_searches)
