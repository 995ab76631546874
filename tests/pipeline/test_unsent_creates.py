"""Creates whose intents are committed, and which wait for a connection while something else changes."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core import identity
from batchfish.core.events import CancelRequested
from batchfish.core.runs import RunSnapshot
from batchfish.core.window import Bounds
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.comparison import EVERY
from batchfish.pipeline.context import StopKind
from batchfish.pipeline.search import MarkedRun, adopt
from tests.journal.building import connection_of
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchfish.core.events import CreateAnswer
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import PreparedCreate, WebAgent
    from tests.pipeline.model_server import BookedRun

AT_ONCE = 6
"""The creates that may wait for their answers at once, of an API that is near."""

ITEMS = 1 + 2 * AT_ONCE
"""After the first one, half of the creates wait for their answers, and half of them for a connection."""


@dataclass
class SlowApi:
    """The API's answers to all creates after the first one are held back, until `goes_on` is set.

    `change` is what happens meanwhile; it is called once as many creates wait as may.
    """

    change: Callable[[Context], None] = lambda _: None
    held_back_for: float = 10.0
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    unsent: list[int] = field(default_factory=list)

    def wrap(self, agent: WebAgent) -> WebAgent:
        api = self

        class Slow:
            def __getattr__(self, name: str) -> object:
                return getattr(agent, name)

            async def submit(self, create: PreparedCreate) -> CreateAnswer:
                api.sent += 1
                if api.sent > 1:
                    await api.goes_on.wait()
                return await agent.submit(create)

        return Slow()  # type: ignore[return-value]

    async def __call__(self, ctx: Context) -> None:
        while self.sent < 1 + AT_ONCE:
            await ctx.clock.sleep(0.01)
        self.unsent = [item.pk for item, _ in ctx.session.unsent]
        self.change(ctx)
        await ctx.clock.sleep(self.held_back_for)
        self.goes_on.set()


def simulate(folder: Path, api: SlowApi, *, items: int = ITEMS) -> Simulation:
    return Simulation(
        folder=folder,
        seed=1,
        items=items,
        faults=Faults(travel=(0.001, 0.001)),
        rules=settle_of(10.0, concurrency=20),
        wrap=api.wrap,
        companions=[api],
    )


def runs_of(simulation: Simulation, item: int) -> list[BookedRun]:
    return [run for run in simulation.server.runs.values() if run.url.endswith(f"/{item}")]


def states_of_attempts(simulation: Simulation) -> dict[str, int]:
    with closing(SqliteJournal(simulation.path)) as journal:
        counted = "SELECT state, count(*) FROM attempts GROUP BY state"
        return dict(connection_of(journal).execute(counted).fetchall())


def test_they_are_sent_once_the_answers_to_others_have_come(tmp_path: Path) -> None:
    api = SlowApi()
    simulation = simulate(tmp_path, api)
    assert simulation.run().stop is None
    assert len(api.unsent) == AT_ONCE
    assert simulation.server.creates == ITEMS
    assert simulation.statuses() == {"succeeded": ITEMS}


def test_an_item_that_is_cancelled_meanwhile_costs_nothing(tmp_path: Path) -> None:
    def cancel(ctx: Context) -> None:
        ctx.record(api.unsent[0], None, CancelRequested())

    api = SlowApi(cancel)
    simulation = simulate(tmp_path, api)
    assert simulation.run().stop is None
    assert runs_of(simulation, api.unsent[0]) == []
    assert simulation.statuses() == {"succeeded": ITEMS - 1, "cancelled": 1}


def late_run(
    simulation: Simulation, ctx: Context, item: int, *, lasts: float, end: str = "COMPLETED"
) -> BookedRun:
    """Return a run of an item that begins now, and that the journal knows nothing of."""
    known, now = runs_of(simulation, 1)[0], simulation.loop.now
    marker = identity.read_marker(known.goal)
    assert marker is not None
    marker = replace(marker, key=ctx.journal.item(item).key, k=7)
    return replace(
        known,
        run_id="late",
        url=f"https://shop.example/{item}",
        goal=identity.mark("Read the price", str(marker)),
        created_at=now,
        ends_at=now + lasts,
        end=end,
    )


def find(ctx: Context, item: int, run: BookedRun) -> None:
    """Find a run as a comparison with the listing does."""
    found = RunSnapshot(run_id=run.run_id, status="RUNNING", goal=run.goal)
    marker = identity.read_marker(run.goal)
    assert marker is not None
    assert adopt(ctx, item, MarkedRun(marker=marker, run=found))


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED"])
def test_an_item_whose_run_is_found_meanwhile_is_not_paid_for_again(tmp_path: Path, end: str) -> None:
    def find_late_run(ctx: Context) -> None:
        run = late_run(simulation, ctx, api.unsent[0], lasts=20.0, end=end)
        simulation.server.runs["late"] = run
        find(ctx, api.unsent[0], run)

    api = SlowApi(find_late_run)
    simulation = simulate(tmp_path, api)
    assert simulation.run().stop is None
    late, *others = sorted(runs_of(simulation, api.unsent[0]), key=lambda run: run.created_at)
    assert late.run_id == "late"
    assert all(run.created_at > late.ends_at for run in others)  # of an item that is tried again
    assert len(others) == (end == "FAILED")
    assert simulation.statuses() == {"succeeded": ITEMS}


@pytest.mark.parametrize("lasts", [5.0, 2 * EVERY])
def test_a_run_that_is_found_beside_a_create_that_was_sent_is_compared_again(
    tmp_path: Path, lasts: float
) -> None:
    """It was made long before the last comparison, so that the next one would not list it by itself."""

    def make_late(ctx: Context) -> None:
        run = late_run(simulation, ctx, AT_ONCE, lasts=lasts)
        simulation.server.runs["late"] = replace(run, created_at=-10 * EVERY)
        connection_of(ctx.journal).execute("DELETE FROM comparisons")  # so that the next one lists all runs

    api = SlowApi(make_late, held_back_for=EVERY + 60.0)
    simulation = simulate(tmp_path, api)
    assert simulation.run().stop is None
    assert len(runs_of(simulation, AT_ONCE)) == 2
    assert any(notice.startswith("money") and "run late" in notice for notice in simulation.notices)
    assert simulation.statuses() == {"succeeded": ITEMS}


def test_a_bound_that_is_lowered_meanwhile_holds_for_them(tmp_path: Path) -> None:
    def lower(ctx: Context) -> None:
        limits = replace(ctx.rules.limits, concurrency=Bounds.fixed(AT_ONCE))
        ctx.obey(replace(ctx.rules, limits=limits), is_paused=False)
        simulation.server.concurrency = AT_ONCE

    api = SlowApi(lower)
    simulation = simulate(tmp_path, api)
    simulation.server.concurrency = 20
    assert simulation.run().stop is None
    assert simulation.server.violations == []
    assert simulation.statuses() == {"succeeded": ITEMS}


@pytest.mark.parametrize("detaches", [False, True])
def test_where_submitting_stops_their_items_are_queued_at_once(tmp_path: Path, *, detaches: bool) -> None:
    """A run that detaches leaves only those creates unanswered that it has sent."""
    queued: list[int] = []

    def stop(ctx: Context) -> None:
        ctx.stop(StopKind.SIGNAL, "interrupted", detaches=detaches)
        simulation.loop.call_later(0.1, lambda: queued.extend(queued_items(ctx)))

    def queued_items(ctx: Context) -> list[int]:
        return [pk for pk in api.unsent if ctx.journal.item(pk).status == "queued"]

    api = SlowApi(stop, held_back_for=20.0)
    simulation = simulate(tmp_path, api)
    simulation.run()
    assert queued == api.unsent
    assert simulation.server.creates == (1 if detaches else 1 + AT_ONCE)
    assert states_of_attempts(simulation).get("submitting", 0) == (AT_ONCE if detaches else 0)
    assert simulation.statuses()["queued"] == AT_ONCE


def test_a_pause_puts_them_back(tmp_path: Path) -> None:
    def pause(ctx: Context) -> None:
        ctx.obey(ctx.rules, is_paused=True)

    api = SlowApi(pause)
    simulation = simulate(tmp_path, api)
    assert simulation.run().stop is None
    assert simulation.statuses() == {"queued": AT_ONCE, "succeeded": 1 + AT_ONCE}


def test_without_markers_no_create_waits_whose_item_a_person_would_have_to_decide_on(tmp_path: Path) -> None:
    api = SlowApi()
    simulation = simulate(tmp_path, api)
    unanswered = replace(simulation.rules.unanswered, marker=False)
    simulation.rules = replace(simulation.rules, unanswered=unanswered)
    with closing(SqliteJournal(simulation.path)) as journal:
        connection_of(journal).execute("UPDATE batches SET markers = 'off'")
    assert simulation.run().stop is None
    assert api.unsent == []
    assert simulation.statuses() == {"succeeded": ITEMS}


def test_runs_that_they_make_after_a_comparison_are_compared_at_the_end(tmp_path: Path) -> None:
    """A proxy doubles a create that was intended before the comparison, and sent after it."""

    def double(run: BookedRun) -> None:
        if api.unsent and run.url.endswith(f"/{api.unsent[-1]}"):
            simulation.server.double(run, lasts=5.0)

    api = SlowApi(held_back_for=EVERY + 60.0)
    simulation = simulate(tmp_path, api)
    simulation.server.on_act.append(double)
    assert simulation.run().stop is None
    assert any("one create made two runs" in notice for notice in simulation.notices)


def test_runs_that_they_made_before_a_kill_are_compared_once_more(tmp_path: Path) -> None:
    """The second run of a doubled create is listed only after the next process has begun."""

    def double_and_die(run: BookedRun) -> None:
        if api.unsent and run.url.endswith(f"/{api.unsent[-1]}"):
            second = simulation.server.double(run, lasts=5.0)
            second.visible_at += 0.5
            simulation.loop.call_later(0.2, simulation.loop.stop)

    api = SlowApi(held_back_for=20.0)  # longer than `settle`
    simulation = simulate(tmp_path, api)
    simulation.server.on_act.append(double_and_die)
    assert simulation.live(100.0) is None
    assert simulation.run().stop is None
    assert simulation.server.creates == ITEMS
    assert any("one create made two runs" in notice for notice in simulation.notices)
