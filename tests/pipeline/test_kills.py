"""A command dies before any of its writes: the next one goes on, at no cost, and nothing is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.history import Folder, History, Outcome, living
from tests.pipeline.model_server import BookedRun, Faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST = pytest.param(slice(2, 15, 6), id="a few of the first writes")
ALL = pytest.param(slice(1, None), id="every write", marks=pytest.mark.slow)
LOSSY = Faults(acts_then_resets=0.3, resets_without_acting=0.2, latest_act=2.0, longest_lag=0.5)


def begin(history: History, shop: Folder, dies_at: int | None) -> Outcome:
    return shop.run(dies_at_write=dies_at)


def edit(history: History, shop: Folder, dies_at: int | None) -> Outcome:
    """Add an item to a batch that has begun."""
    shop.run(dies_after=1.0)
    shop.write({"i1": "Read it.", "i2": "Read it.", "i3": "Read it."})
    return shop.run(dies_at_write=dies_at)


def repeat(history: History, shop: Folder, dies_at: int | None) -> Outcome:
    """Retry the one item that has failed; the batch was finished."""
    server = history.server

    def fail_the_first(run: BookedRun) -> None:
        if run.run_id == "run-1":
            run.end = "FAILED"

    server.on_act.append(fail_the_first)
    shop.write({"i1": "Read it.", "i2": "Read it."}, retry={"attempts": 1})
    assert shop.run().code == 1
    return shop.do("retry", "--failed", "--progress", "none", dies_at_write=dies_at)


def live(folder: Path, story: Callable[[History, Folder, int | None], Outcome], dies_at: int | None) -> int:
    """Run a command that dies, or one that does not; return the number of its writes."""
    with living(folder, seed=3, faults=LOSSY) as history:
        shop = history.folder(f"shop-{dies_at}")
        shop.write({"i1": "Read it.", "i2": "Read it."})
        outcome = story(history, shop, dies_at)
        assert (outcome.code is None) == (dies_at is not None)
        went_on = shop.run()
        while went_on.code == 3 and not history.server.runs:
            # Creates were lost twice before any was accepted, and an absence is believed only once then.
            ((item,),) = shop.ask("SELECT id FROM items WHERE status = 'held'")
            agreed = ("--accept", "resubmit-held")
            assert history.call("held", "resubmit", item, "--batch", shop.file, *agreed).code == 0
            went_on = shop.run()
        assert went_on.code in {0, 1}, (dies_at, went_on.said)
        assert set(shop.statuses()) <= {"succeeded", "failed"}, dies_at
        assert history.server.violations == [], dies_at
        assert shop.foreign_results() == [], dies_at
        known = {run_id for (run_id,) in shop.ask("SELECT run_id FROM attempts WHERE run_id IS NOT NULL")}
        assert known == history.server.runs.keys(), dies_at
        return outcome.writes


@pytest.mark.parametrize("chosen", [FIRST, ALL])
@pytest.mark.parametrize("story", [begin, edit, repeat])
def test_before_any_write(
    tmp_path: Path, story: Callable[[History, Folder, int | None], Outcome], chosen: slice
) -> None:
    writes = live(tmp_path, story, None)
    assert writes > 20
    for dies_at in range(writes + 1)[chosen]:
        live(tmp_path, story, dies_at)
