"""Runs that appear after their absence was believed: found before they cost, or soon after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.pipeline import comparison
from tests.pipeline.history import SETTLE, History, living
from tests.pipeline.model_server import BookedRun, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batchfish.core.items import Item
    from batchfish.core.runs import RunSnapshot
    from batchfish.pipeline.context import Context
    from tests.pipeline.history import Outcome

FOREVER = 1e6
COMPARES_EVERY = 600.0
"""Seconds of submitting after which a process compares the API's runs with its journal again."""

RARELY = ("--poll-interval", "10s")


def lose_the_second_create(history: History, *, acts_after: float) -> None:
    """Break off the second create of all; its run is made this many seconds later."""

    def misbehave() -> None:
        is_second = history.server.creates == 2
        history.server.faults = Faults(
            acts_then_resets=1.0 if is_second else 0.0, earliest_act=acts_after, latest_act=acts_after
        )

    history.server.on_create.append(misbehave)


def wait_in_the_queue(folder: Path, seconds: float) -> int:
    """Prove the absence of a run that is made while its item waits for a slot; return what is paid twice."""
    with living(folder, seed=1) as history:
        server = history.server

        def last(run: BookedRun) -> None:
            if run.url.endswith(("i3", "i4")):
                run.ends_at = run.created_at + seconds

        server.on_act.append(last)
        shop = history.folder("shop")
        goals = {f"i{number}": "Read it." for number in range(1, 6)}  # any run may be a control for any other
        shop.write(goals, limits={"concurrency": 2})
        lose_the_second_create(history, acts_after=6 * SETTLE)
        assert shop.run(*RARELY).code == 0
        assert history.loop.now > seconds
        assert shop.statuses() == {"succeeded": 5}
        return server.duplicates()


@pytest.mark.parametrize(
    "seconds", [0.5 * COMPARES_EVERY, pytest.param(2.5 * COMPARES_EVERY, marks=pytest.mark.slow)]
)
def test_an_item_is_looked_up_once_more_before_it_is_sent_again(tmp_path: Path, seconds: float) -> None:
    assert wait_in_the_queue(tmp_path, seconds) == 0


def test_the_history_catches_an_absence_that_is_believed_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: an item that was sent before is sent again without another search."""

    async def believe(_ctx: Context, _items: Sequence[Item]) -> None:
        return

    monkeypatch.setattr("batchfish.pipeline.submit._search_before_resending", believe)
    assert wait_in_the_queue(tmp_path, 0.5 * COMPARES_EVERY) == 1


def meet_a_late_run(folder: Path, appears: float) -> tuple[BookedRun, Outcome]:
    """Work for about 1,000 s, while a second run of a create appears that would go on for ever."""
    with living(folder, seed=1, durations=(195.0, 205.0)) as history:
        server, late_runs = history.server, list[BookedRun]()
        shop = history.folder("shop", items=9, limits={"concurrency": 2})
        history.loop.call_later(
            appears, lambda: late_runs.append(server.double(server.runs["run-2"], lasts=FOREVER))
        )
        outcome = shop.run(*RARELY)
        assert outcome.code == 0
        assert shop.statuses() == {"succeeded": 9}
        assert (server.duplicates(), len(server.runs)) == (0, 10)
        return late_runs[0], outcome


@pytest.mark.parametrize("appears", [0.5 * COMPARES_EVERY, 950.0])
def test_a_late_run_is_found_and_cancelled_while_the_batch_is_at_work(tmp_path: Path, appears: float) -> None:
    """In a comparison every ten minutes of submitting, and in one at the end."""
    late_run, outcome = meet_a_late_run(tmp_path, appears)
    assert late_run.cancelled_at is not None
    assert late_run.cancelled_at - appears < COMPARES_EVERY + 60.0
    assert late_run.run_id in outcome.said


def test_the_history_catches_a_comparison_at_the_start_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: what appears while a process works is left to the next one."""
    monkeypatch.setattr(comparison, "_compare_meanwhile", no_comparison)
    late_run, _ = meet_a_late_run(tmp_path, 950.0)
    assert late_run.cancelled_at is None


def hide_a_late_run(folder: Path) -> BookedRun:
    """Kill a batch; one run appears, and another one is no longer listed; then go on."""
    with living(folder, seed=1) as history:
        server = history.server
        shop = history.folder("shop", items=8)
        assert shop.run(dies_after=3.0).code is None
        late_run = server.double(server.runs["run-2"], lasts=FOREVER)
        server.runs["run-1"].visible_at = FOREVER
        assert shop.run().code == 0
        assert (server.duplicates(), len(server.runs)) == (0, 9)
        return late_run


def test_a_late_run_is_found_though_the_numbers_agree(tmp_path: Path) -> None:
    """A run that is no longer listed hides the one too many from a mere count."""
    assert hide_a_late_run(tmp_path).cancelled_at is not None


def test_the_history_catches_a_comparison_of_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seeded bug: as many runs as are known are taken for the ones that are known."""
    by_sets = comparison._compare  # noqa: SLF001 - the bug is planted in it

    async def by_counts(ctx: Context, batch: int, gives_up: Callable[[], bool]) -> Sequence[RunSnapshot]:
        glance = await ctx.agent.find_by_marker(f"bf-{ctx.journal.batch(batch).batch8}-", limit=1)
        if glance.total == ctx.journal.count_runs(batch):
            return []
        return await by_sets(ctx, batch, gives_up)

    monkeypatch.setattr(comparison, "_compare", by_counts)
    monkeypatch.setattr(comparison, "_compare_meanwhile", no_comparison)
    assert hide_a_late_run(tmp_path).cancelled_at is None


async def no_comparison(ctx: Context) -> None:
    """Leave what appears while a process works to the next one."""
    ctx.session.compared_at = ctx.clock.boottime()
