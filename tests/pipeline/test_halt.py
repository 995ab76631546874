"""A share of failures that stops a batch, whatever the items failed of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core.events import CancelRequested
from batchfish.core.rules import Limits, Rules, Share, UnansweredRules
from batchfish.core.window import Bounds
from batchfish.pipeline.context import FINISHED_BEFORE_HALT, StopKind
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.pipeline.context import Context

CONCURRENCY = 5
HALF = Rules(
    limits=Limits(concurrency=Bounds.fixed(CONCURRENCY), halt=Share(value=50.0, is_percent=True)),
    unanswered=UnansweredRules(settle=10.0),
)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(runs_fail=1.0), id="by their runs"),
        pytest.param(Faults(refuses_request=1.0), id="by refused requests"),
    ],
)
def test_items_that_fail_stop_the_batch(tmp_path: Path, faults: Faults) -> None:
    rules = replace(HALF, retry=replace(HALF.retry, attempts=1))
    simulation = Simulation(folder=tmp_path, seed=1, items=60, rules=rules, faults=faults)
    report = simulation.run()
    assert report.stop is not None
    assert report.stop.kind is StopKind.HALTED
    assert FINISHED_BEFORE_HALT <= simulation.server.creates < FINISHED_BEFORE_HALT + CONCURRENCY
    assert simulation.statuses()["queued"] == 60 - simulation.server.creates


def test_items_that_a_person_cancels_count_neither_way(tmp_path: Path) -> None:
    """Two runs fail, and ten items were never tried."""
    simulation = Simulation(folder=tmp_path, seed=1, items=12, rules=HALF)
    server = simulation.server

    async def cancel_most(ctx: Context) -> None:
        for pk in range(3, 13):
            ctx.record(pk, None, CancelRequested())
        assert (ctx.session.finished, ctx.session.failed) == (0, 0)

    server.faults = Faults(runs_fail=1.0)
    simulation.companions = (cancel_most,)
    report = simulation.run()
    assert report.stop is None
    assert simulation.statuses() == {"failed": 2, "cancelled": 10}
