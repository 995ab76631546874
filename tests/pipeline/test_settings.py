"""Limits that a person changes, and a pause, while the stages of a run work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core.window import Bounds
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation, searching_slowly, settle_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batchfish.pipeline.context import Context
    from tests.pipeline.model_server import BookedRun

SETTLED = 15.0
"""Seconds after which every run that was alive at a change has ended."""


@dataclass(kw_only=True)
class Person:
    """A companion of a run: changes it at some moments, and counts what was alive and sent at each."""

    simulation: Simulation
    changes: Sequence[Callable[[Context], None]]
    alive: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    async def __call__(self, ctx: Context) -> None:
        for change in self.changes:
            await ctx.clock.sleep(10.0)
            change(ctx)
            await ctx.clock.sleep(1.0)  # answers to creates that were sent before the change
            self.note(ctx)
            await ctx.clock.sleep(SETTLED)
            self.note(ctx)

    def note(self, ctx: Context) -> None:
        self.alive.append(ctx.count_alive())
        self.sent.append(self.simulation.server.creates)


def paused(ctx: Context) -> None:
    ctx.obey(ctx.rules, is_paused=True)


def unpaused(ctx: Context) -> None:
    ctx.obey(ctx.rules, is_paused=False)


def bounded(number: int) -> Callable[[Context], None]:
    def obey(ctx: Context) -> None:
        limits = replace(ctx.rules.limits, concurrency=Bounds.fixed(number))
        ctx.obey(replace(ctx.rules, limits=limits), is_paused=ctx.session.is_paused)

    return obey


def simulate(
    folder: Path, *changes: Callable[[Context], None], items: int = 100
) -> tuple[Simulation, Person]:
    simulation = Simulation(folder=folder, seed=3, items=items, rules=settle_of(10.0, concurrency=5))
    person = Person(simulation=simulation, changes=changes)
    simulation.companions = (person,)
    return simulation, person


def test_a_paused_run_follows_what_is_alive_submits_nothing_and_ends(tmp_path: Path) -> None:
    simulation, person = simulate(tmp_path, paused)
    report = simulation.run()
    assert report.stop is None
    assert report.alive == 0
    (sent,) = person.sent[:1]
    assert simulation.server.creates == sent
    assert simulation.statuses() == {"queued": 100 - sent, "succeeded": sent}


def test_a_run_that_is_paused_only_for_a_moment_goes_on(tmp_path: Path) -> None:
    def twice(ctx: Context) -> None:
        paused(ctx)
        unpaused(ctx)

    simulation, _ = simulate(tmp_path, twice, items=60)
    simulation.run()
    assert simulation.statuses() == {"succeeded": 60}


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow), 12])
def test_another_concurrency_holds_once_the_runs_before_it_have_ended(tmp_path: Path, number: int) -> None:
    simulation, person = simulate(tmp_path, bounded(number))
    simulation.server.concurrency = 12
    simulation.run()
    assert person.alive[1] == number
    assert simulation.statuses() == {"succeeded": 100}
    assert simulation.server.violations == []


def test_a_bound_that_is_lowered_while_items_are_searched_for_holds_for_them(tmp_path: Path) -> None:
    """Four items are to be sent again, and are searched for first; the fifth run takes the only slot left."""
    slow: list[str] = []

    async def lower_the_bound(ctx: Context) -> None:
        while not all(ctx.journal.item(pk).attempts for pk in range(1, 6)):
            await ctx.clock.sleep(0.01)
        paused(ctx)
        while len(ctx.journal.due(ctx.batch.pk, ctx.clock.now(), 4)) < 4:
            await ctx.clock.sleep(0.1)
        slow.append("bf-")  # any search
        unpaused(ctx)
        await ctx.clock.sleep(5.0)
        assert not slow
        bounded(1)(ctx)
        await ctx.clock.sleep(20.0)
        sent.append(simulation.server.creates)

    def let_the_last_go_on(run: BookedRun) -> None:
        if run.url.endswith("/5"):
            run.ends_at = run.created_at + 60.0

    sent: list[int] = []
    simulation = Simulation(
        folder=tmp_path,
        seed=1,
        items=5,
        faults=Faults(runs_fail=1.0),
        rules=settle_of(10.0, concurrency=5),
        companions=[lower_the_bound],
        wrap=searching_slowly(slow, lambda: simulation.clock.sleep(10.0)),
    )
    simulation.server.on_act.append(let_the_last_go_on)
    assert simulation.run().stop is None
    assert (sent, simulation.server.creates) == ([5], 10)
