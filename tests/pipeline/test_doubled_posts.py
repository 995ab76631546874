"""Runs that no intent of ours has made: a proxy sends a POST twice, and only the books know."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchfish.core.items import Status
from batchfish.journal.sqlite import SqliteJournal
from tests.pipeline.history import living
from tests.pipeline.model_server import Faults
from tests.pipeline.seeds import seeds
from tests.pipeline.simulation import Simulation, searching_slowly, settle_of

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.pipeline.context import Context
    from tests.pipeline.model_server import BookedRun

ITEMS = 10
FOREVER = 1e6


@pytest.mark.parametrize("seed", seeds(3, of=40))
def test_a_batch_reports_and_cancels_what_is_too_many(tmp_path: Path, seed: int) -> None:
    with living(tmp_path, seed=seed, faults=Faults(doubles=0.5), durations=(2.0, 9.0)) as history:
        server = history.server
        shop = history.folder("shop", items=ITEMS)
        outcome = shop.run()
        assert outcome.code == 0
        assert shop.statuses() == {"succeeded": ITEMS}
        assert server.violations == []
        runs_of = {url: [run for run in server.runs.values() if run.url == url] for url in server.paid()}
        known = {run_id for (run_id,) in shop.ask("SELECT run_id FROM attempts WHERE run_id IS NOT NULL")}
        doubled = [runs for runs in runs_of.values() if len(runs) == 2]
        assert doubled
        for runs in doubled:
            assert any(run.run_id in outcome.said for run in runs)
        assert known == server.runs.keys()
        assert not any(run.is_alive(history.loop.now) for run in server.runs.values())
        assert shop.do("audit").code == 0


def test_an_audit_finds_what_appeared_after_the_end(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=4)
        assert shop.run().code == 0
        assert shop.do("audit").code == 0
        second = history.server.double(history.server.runs["run-2"], lasts=FOREVER)
        outcome = shop.do("audit")
        assert outcome.code == 6
        assert second.run_id in outcome.said
        assert len(history.server.runs) == 5


def test_a_second_run_that_is_listed_late_is_found_by_a_process_that_sends_nothing(tmp_path: Path) -> None:
    """The first process dies as it has sent its last create; the second only follows what is alive."""
    simulation = Simulation(folder=tmp_path, seed=3, items=1, rules=settle_of(10))
    server = simulation.server
    server.durations = (20.0, 20.0)
    assert simulation.live(5.0) is None
    (run,) = server.runs.values()
    second = server.double(run, lasts=5.0)
    second.visible_at = simulation.loop.now + 3.0
    assert simulation.run().stop is None
    assert any(second.run_id in notice for notice in simulation.notices)


def test_a_second_run_that_fails_while_other_items_are_searched_for_is_not_forgotten(tmp_path: Path) -> None:
    """It is found as its item is to be sent again, and ends before the next item has been searched for."""
    slow: list[str] = []

    async def double_the_first(ctx: Context) -> None:
        journal, (first, second, last) = ctx.journal, (1, 2, 3)
        while not all(journal.item(pk).attempts for pk in (first, second, last)):
            await ctx.clock.sleep(0.01)
        ctx.obey(ctx.rules, is_paused=True)
        while len(journal.due(ctx.batch.pk, ctx.clock.now(), 2)) < 2:
            await ctx.clock.sleep(0.1)
        next_one, after_it = journal.due(ctx.batch.pk, ctx.clock.now(), 2)
        assert {next_one.status, after_it.status} == {Status.QUEUED}
        attempt = journal.attempt(next_one.pk, 1)
        assert attempt is not None
        server.double(server.runs[attempt.run_id or ""], lasts=0.2)
        slow.append(after_it.key)
        ctx.obey(ctx.rules, is_paused=False)

    simulation = Simulation(
        folder=tmp_path,
        seed=1,
        items=3,
        faults=Faults(runs_fail=1.0),
        rules=settle_of(10, attempts=4),
        companions=[double_the_first],
        wrap=searching_slowly(slow, lambda: simulation.clock.sleep(10.0)),
    )
    server = simulation.server
    server.durations = (3.0, 4.0)

    def let_the_last_go_on(run: BookedRun) -> None:
        if run.url.endswith("/3"):
            run.ends_at = run.created_at + 60.0

    server.on_act.append(let_the_last_go_on)
    assert simulation.run().stop is None
    assert not slow
    with closing(SqliteJournal(simulation.path)) as journal:
        known = journal.attempts_of_runs(list(server.runs))
    for run_id, run in server.runs.items():
        assert known[run_id].marker in run.goal
    assert sum("one create made two runs" in notice for notice in simulation.notices) == 1
