"""Second runs of one create: they are found, counted, reported and cancelled, and not paid for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.journal.sqlite import SqliteJournal
from tests.pipeline.model_server import BookedRun, Faults
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from pathlib import Path

FOREVER = 1e6


def double(simulation: Simulation, run: BookedRun, *, earlier: bool = False) -> BookedRun:
    """Make a second run of the same create on the server, which never ends."""
    second = replace(run, run_id=f"{run.run_id}-second", ends_at=simulation.loop.now + FOREVER)
    if earlier:
        second.created_at -= 5.0
    simulation.server.runs[second.run_id] = second
    return second


@pytest.mark.parametrize("earlier", [False, True])
def test_a_create_that_the_api_doubled_costs_one_cancelled_run(tmp_path: Path, *, earlier: bool) -> None:
    simulation = Simulation(folder=tmp_path, seed=4, items=6, kills=1, kill_within=3.0)
    seconds: list[BookedRun] = []

    def double_the_third() -> None:
        if simulation.server.creates == 4:
            seconds.append(double(simulation, list(simulation.server.runs.values())[2], earlier=earlier))

    simulation.server.on_create.append(double_the_third)
    report = simulation.run()
    assert report.stop is None
    (second,) = seconds
    assert simulation.statuses() == {"succeeded": 6}
    assert len(simulation.server.runs) == 7
    assert second.cancelled_at is not None
    assert any("one create made two runs" in notice for notice in simulation.notices)
    journal = SqliteJournal(simulation.path)
    assert journal.count_runs(simulation.batch) == 7
    assert journal.count_open() == 0
    journal.close()


def test_a_run_that_fails_while_its_second_run_is_cancelled_is_tried_again(tmp_path: Path) -> None:
    """The item follows the second run, which was cancelled at our request and by nobody else."""
    simulation = Simulation(
        folder=tmp_path, seed=4, items=6, kills=1, kill_within=3.0, rules=settle_of(10, attempts=5)
    )
    server = simulation.server

    def double_the_third() -> None:
        if server.creates == 4:
            third = list(server.runs.values())[2]
            third.ends_at = simulation.loop.now + FOREVER
            double(simulation, third)

    def fail_the_third(_run_ids: list[str]) -> None:
        server.runs["run-3"].end, server.runs["run-3"].ends_at = "FAILED", simulation.loop.now

    server.on_create.append(double_the_third)
    server.on_cancel.append(fail_the_third)
    report = simulation.run()
    assert report.stop is None
    assert server.runs["run-3"].status(simulation.loop.now) == "FAILED"
    assert server.runs["run-3-second"].status(simulation.loop.now) == "CANCELLED"
    assert simulation.statuses() == {"succeeded": 6}
    assert len(server.runs) == 8


def test_a_doubled_run_is_not_taken_for_the_run_of_another_create(tmp_path: Path) -> None:
    """Both runs of the first create failed; the second create is unanswered while the second run is found."""
    simulation = Simulation(
        folder=tmp_path,
        seed=2,
        items=1,
        faults=Faults(runs_fail=1.0),
        rules=settle_of(10, concurrency=1, attempts=3),
    )
    server = simulation.server

    def misbehave() -> None:
        if server.creates == 2:
            second = double(simulation, server.runs["run-1"])
            second.ends_at = simulation.loop.now
        server.faults = Faults(
            runs_fail=1.0 if server.creates == 1 else 0.0,
            resets_without_acting=1.0 if server.creates == 2 else 0.0,
        )

    server.on_create.append(misbehave)
    report = simulation.run()
    assert report.stop is None
    assert simulation.statuses() == {"succeeded": 1}
    assert server.creates == 3
    assert sum("one create made two runs" in notice for notice in simulation.notices) == 1
