"""A cache between us and the listing: what it has kept is no look."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.history import living
from tests.pipeline.model_server import Faults

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = 10
CACHED = Faults(acts_then_resets=0.25, earliest_act=1.0, latest_act=5.0, longest_lag=1.0, cache_seconds=60.0)
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tells_age", [False, True], ids=["says nothing", "tells its age"])
@pytest.mark.parametrize("obeys", [False, True], ids=["heeds nothing", "heeds no-cache"])
def test_a_look_is_never_answered_from_a_cache(
    tmp_path: Path, seed: int, *, obeys: bool, tells_age: bool
) -> None:
    """Whatever the cache heeds and says: no two looks ask for the same URL."""
    faults = replace(CACHED, cache_obeys=obeys, cache_tells_age=tells_age)
    with living(tmp_path, seed=seed, faults=faults) as history:
        shop = history.folder("shop", items=ITEMS)
        shop.run(dies_after=5.0)
        assert shop.run().code == 0
        assert shop.statuses() == {"succeeded": ITEMS}
        assert (history.server.violations, len(history.server.runs)) == ([], ITEMS)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_that_tells_its_age_proves_nothing(tmp_path: Path, seed: int) -> None:
    """The cache takes all looks for a text as one, but says of each answer how old it is."""
    faults = replace(CACHED, cache_obeys=False, cache_ignores="created_after")
    with living(tmp_path, seed=seed, faults=faults) as history:
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code in {0, 1, 3}
        assert history.server.violations == []
