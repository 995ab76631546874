"""One manifest in two folders, begun at once: each may pay for one run before it knows of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.history import living
from tests.pipeline.model_server import Faults

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = 10


@pytest.mark.parametrize("name", ["shop.yaml", "prices.yaml"])
@pytest.mark.parametrize("apart", [0.0, 0.7])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
def test_two_folders_begun_at_once_cost_one_run_a_process_at_most(
    tmp_path: Path, seed: int, apart: float, name: str
) -> None:
    """A new run is missing from listings for up to 1.5 s: neither finds the other before its first create.

    Whether the manifest has the same name in both or another one.
    """
    with living(tmp_path, seed=seed, faults=Faults(longest_lag=1.5), concurrency=10) as history:
        one, other = history.folder("one", items=ITEMS), history.folder("other", items=ITEMS)
        other = other.rename(name)
        codes: list[int | None] = []
        history.meanwhile(apart, lambda: codes.append(other.run().code))
        codes.append(one.run().code)
        assert 6 in codes
        assert set(codes) <= {0, 6}
        assert history.server.duplicates() <= 1
        assert len(history.server.runs) <= ITEMS + 1
