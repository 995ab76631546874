"""A cache between the client and the listing: its copies are not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.pipeline.history import living
from tests.pipeline.model_server import Faults
from tests.pipeline.seeds import seeds

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = 10
CACHED = Faults(acts_then_resets=0.4, earliest_act=1.0, latest_act=5.0, longest_lag=1.0, cache_seconds=60.0)
SEEDS = seeds(1, of=40)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tells_age", [False, True], ids=["says nothing", "tells its age"])
@pytest.mark.parametrize("obeys", [False, True], ids=["obeys nothing", "obeys no-cache"])
def test_a_search_is_never_answered_from_a_cache(
    tmp_path: Path, seed: int, *, obeys: bool, tells_age: bool
) -> None:
    """No two searches ask for the same URL."""
    assert live(tmp_path, seed, replace(CACHED, cache_obeys=obeys, cache_tells_age=tells_age)) == []


def live(folder: Path, seed: int, faults: Faults) -> list[object]:
    """Run a batch through a kill; return what was paid twice or did not end as it must."""
    with living(folder, seed=seed, faults=faults) as history:
        shop = history.folder(f"shop-{seed}", items=ITEMS)
        shop.run(dies_after=5.0)
        outcome = shop.run()
        is_fine = (outcome.code, shop.statuses()) == (0, {"succeeded": ITEMS})
        return [*history.server.violations, *([] if is_fine else [outcome])]


def test_the_history_catches_searches_that_ask_for_the_same_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: `created_after` does not vary."""
    monkeypatch.setattr("batchfish.webagent.listing._SPREAD_MS", 1)
    faults = replace(CACHED, cache_obeys=False, cache_tells_age=False)
    assert any(live(tmp_path, seed, faults) for seed in range(3))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_that_tells_its_age_proves_nothing(tmp_path: Path, seed: int) -> None:
    """The cache answers all searches for a text alike, but states the age of each answer."""
    assert live_with_old_answers(tmp_path, seed) == []


def live_with_old_answers(folder: Path, seed: int) -> list[str]:
    """Run a batch behind a cache whose answers are old, and say so; return what was paid twice."""
    faults = replace(CACHED, cache_obeys=False, cache_ignores="created_after")
    with living(folder, seed=seed, faults=faults) as history:
        shop = history.folder(f"shop-{seed}", items=ITEMS)
        assert shop.run().code in {0, 1, 3}
        return history.server.violations


def test_the_history_catches_an_old_answer_that_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: an answer's age is not read."""
    monkeypatch.setattr("batchfish.webagent.http.read_age", lambda _headers: None)
    assert any(live_with_old_answers(tmp_path, seed) for seed in range(6))
