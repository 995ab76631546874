"""Listings that break off: they settle no unanswered create, and test no markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchfish.core import reconcile
from batchfish.core.describe import spell_duration
from batchfish.pipeline.backoff import LONGEST_WAIT
from batchfish.pipeline.comparison import GIVES_UP_AFTER
from batchfish.pipeline.context import RunOptions, StopKind
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchfish.webagent.base import Listing, WebAgent

SETTLE = 10.0
MAX_OUTAGE = 300.0


def breaking_off(is_void: Callable[[], bool]) -> Any:  # noqa: ANN401 - stands in for a whole agent
    """Return a wrapper for agents whose listings break off while `is_void`."""

    class BreakingOff:
        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def find_by_marker(
            self, text: str, *, limit: int | None = None, since: float | None = None
        ) -> Listing:
            listing = await self._agent.find_by_marker(text, limit=limit, since=since)
            is_void_now = limit is None and is_void()
            return replace(listing, is_complete=False, covers_start=False) if is_void_now else listing

    return BreakingOff


@pytest.mark.parametrize("duration", [5.0, 10 * MAX_OUTAGE])
def test_a_first_run_that_cannot_be_searched_for_is_an_outage(tmp_path: Path, duration: float) -> None:
    """Whether or not other requests are answered meanwhile, while the first run is alive."""
    simulation = Simulation(
        folder=tmp_path,
        seed=1,
        items=4,
        rules=settle_of(SETTLE),
        options=RunOptions(max_outage=MAX_OUTAGE),
        wrap=breaking_off(lambda: simulation.server.creates >= 1),
    )
    simulation.server.durations = (duration, duration)
    report = simulation.run()
    assert report.stop is not None
    assert report.stop.kind is StopKind.UNREACHABLE
    assert "not complete" in report.stop.message
    assert simulation.statuses() == {"succeeded": 1, "queued": 3}
    assert simulation.loop.now < max(duration, MAX_OUTAGE) + GIVES_UP_AFTER + LONGEST_WAIT


def test_an_unanswered_create_is_held_where_every_listing_breaks_off(tmp_path: Path) -> None:
    simulation = Simulation(
        folder=tmp_path,
        seed=1,
        items=4,
        rules=settle_of(SETTLE),
        wrap=breaking_off(lambda: simulation.server.creates >= 3),
    )
    server = simulation.server
    server.durations = (200.0, 200.0)  # polls are answered all the time

    def lose_the_third() -> None:
        server.faults = Faults(acts_then_resets=1.0 if server.creates == 3 else 0.0)

    server.on_create.append(lose_the_third)
    report = simulation.run()
    assert report.stop is None
    assert simulation.statuses() == {"succeeded": 3, "held": 1}
    (held,) = [notice for notice in simulation.notices if notice.startswith("held:")]
    assert spell_duration(reconcile.LONG_SETTLE * SETTLE) in held
    assert len(server.runs) == server.creates == 4


def test_an_unanswered_create_is_settled_where_listings_are_complete_again(tmp_path: Path) -> None:
    simulation = Simulation(
        folder=tmp_path,
        seed=1,
        items=4,
        rules=settle_of(SETTLE),
        wrap=breaking_off(lambda: simulation.server.creates >= 3 and simulation.loop.now < 3 * SETTLE),
    )
    server = simulation.server

    def lose_the_third() -> None:
        server.faults = Faults(acts_then_resets=1.0 if server.creates == 3 else 0.0)

    server.on_create.append(lose_the_third)
    report = simulation.run()
    assert report.stop is None
    assert simulation.statuses() == {"succeeded": 4}
    assert len(server.runs) == server.creates == 4
    assert simulation.loop.now >= 3 * SETTLE
