"""The age up to which results of earlier batches are reused."""

from __future__ import annotations

import pytest

from batchfish.core.reuse import fresh_since
from batchfish.core.rules import Rules


@pytest.mark.parametrize(
    ("fresh_for", "number", "since"),
    [(None, 1, None), (600.0, 1, 1_400.0), (600.0, 2, None), (86_400.0, 1, -84_400.0)],
)
def test_results_of_the_last_seconds_are_fresh_for_the_first_batch_of_a_period(
    fresh_for: float | None, number: int, since: float | None
) -> None:
    assert fresh_since(Rules(fresh_for=fresh_for), number=number, now=2_000.0) == since
