"""Stages sleep through changes that do not concern them; a batch takes no longer than if each woke them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core.budget import Budget
from batchfish.core.events import CancelRequested
from batchfish.core.rules import Limits
from batchfish.core.window import AUTO, Bounds
from batchfish.pipeline import poll, submit
from batchfish.pipeline.clock import Wakeup
from batchfish.pipeline.context import RunOptions
from tests.pipeline.model_server import Faults
from tests.pipeline.seeds import seeds
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from batchfish.pipeline.context import Context

STEP_PRICE = 1_000
WORST = 150 * STEP_PRICE


class Person:
    """A companion of a run that pauses it, bounds it anew and cancels items, at moments of one seed."""

    def __init__(self, chance: Random, latest: float) -> None:
        acts = chance.choice(
            [(), (), (self.pause,), (self.bound,), (self.cancel,), (self.pause, self.cancel)]
        )
        self.acts = sorted(((chance.uniform(0.05, latest), act) for act in acts), key=lambda one: one[0])
        self.number = chance.choice([1, 3, 9])

    async def __call__(self, ctx: Context) -> None:
        began_at = ctx.clock.boottime()
        for at, act in self.acts:
            await ctx.clock.sleep(max(0.0, at - (ctx.clock.boottime() - began_at)))
            act(ctx)
            await ctx.clock.sleep(2.5)
            ctx.obey(ctx.rules, is_paused=False)

    def pause(self, ctx: Context) -> None:
        ctx.obey(ctx.rules, is_paused=True)

    def bound(self, ctx: Context) -> None:
        limits = replace(ctx.rules.limits, concurrency=Bounds.fixed(self.number))
        ctx.obey(replace(ctx.rules, limits=limits), is_paused=False)

    def cancel(self, ctx: Context) -> None:
        for pk in ctx.journal.reader.not_ended(ctx.batch.pk)[:6]:
            ctx.record(pk, None, CancelRequested())
        ctx.wakeup.wake()


def simulation_of(folder: Path, seed: int) -> Simulation:
    """Return a history whose faults, limits and runs are those of this seed."""
    chance = Random(seed)
    faults = Faults(
        acts_then_resets=chance.choice([0.0, 0.0, 0.1]),
        resets_without_acting=chance.choice([0.0, 0.0, 0.1]),
        refuses_rate=chance.choice([0.0, 0.0, 0.1, 0.3]),
        reads_fail=chance.choice([0.0, 0.0, 0.1]),
        in_flight_limit=chance.choice([None, None, 3]),
        retry_after=chance.choice([1.0, 20.0, 90.0]),
        runs_fail=chance.choice([0.0, 0.2]),
        longest_lag=chance.choice([0.0, 1.0]),
        latest_act=2.0,
        slots=chance.choice([None, None, 3]),
    )
    bounds = chance.choice([AUTO, *map(Bounds.fixed, (1, 2, 5, 12))])
    cap = chance.choice([None, None, 2.5, 6.0])  # in runs of the greatest cost
    rules = replace(
        settle_of(chance.choice([5.0, 30.0]), attempts=3),
        limits=Limits(concurrency=bounds),
        budget=None if cap is None else Budget(cap=int(cap * WORST), step_price=STEP_PRICE),
    )
    learns = chance.random() < 0.5
    durations = chance.choice([(0.2, 0.4), (1.0, 6.0), (30.0, 200.0)])
    simulation = Simulation(
        folder=folder,
        seed=seed,
        items=chance.choice([3, 12, 30]),
        faults=faults,
        rules=rules,
        options=RunOptions(poll_interval=0.05 if learns else 0.5, learns_interval=learns),
        companions=[Person(chance, latest=20.0 if durations[1] < 10.0 else 200.0)],
    )
    simulation.server.durations, simulation.server.concurrency = durations, AUTO.most
    return simulation


def wake_all(wakeup: Wakeup) -> None:
    for listener in wakeup._listeners:  # noqa: SLF001 - what is replaced
        listener.is_concerned()
        listener.woken.set()


def seconds_of(folder: Path, seed: int) -> float:
    """Return how long the batch of a seed takes."""
    folder.mkdir(parents=True)
    simulation = simulation_of(folder, seed)
    simulation.run()
    assert simulation.server.violations == []
    return simulation.loop.now


def excess(folder: Path, seed: int) -> float:
    """Return by how many seconds a batch takes longer because stages sleep through changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wakeup, "wake", wake_all)
        least = seconds_of(folder / "woken", seed)
    # The order in which stages wake decides which of them meets which fault.
    return seconds_of(folder / "as they are", seed) - 1.15 * least - 6.0


@pytest.mark.parametrize("seed", seeds(5, of=100))
def test_no_stage_sleeps_through_what_concerns_it(tmp_path: Path, seed: int) -> None:
    assert excess(tmp_path, seed) <= 0


@pytest.mark.parametrize(
    ("stage", "name"), [(submit, "_is_concerned"), (poll, "_is_due_sooner")], ids=["submit", "poll"]
)
def test_a_stage_that_sleeps_too_long_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: ModuleType, name: str
) -> None:
    is_concerned = getattr(stage, name)
    monkeypatch.setattr(stage, name, lambda *state: is_concerned(*state) and False)
    assert any(excess(tmp_path / str(seed), seed) > 0 for seed in range(5))
