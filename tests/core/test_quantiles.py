"""Quantiles of counted values, and the ranges that they give."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.quantiles import PastRuns, Range, quantile


@given(st.lists(st.integers(0, 500), min_size=1), st.floats(0.0, 1.0))
def test_a_quantile_is_the_smallest_value_that_the_share_does_not_exceed(
    values: list[int], share: float
) -> None:
    found = quantile(Counter(values), share)
    within = sum(value <= found for value in values)
    below = sum(value < found for value in values)
    assert found in values
    assert within >= share * len(values)
    assert below < share * len(values) or below == 0


def test_nineteen_of_twenty_are_within_the_95th_percentile() -> None:
    assert quantile(Counter({10: 19, 150: 1}), 0.95) == 10
    assert quantile(Counter({10: 18, 150: 2}), 0.95) == 150


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile(Counter[int](), 0.5)


def test_the_past_gives_a_range_for_as_many_runs_as_are_to_come() -> None:
    past = PastRuns(steps=Counter({4: 1, 10: 7, 30: 2}), seconds=Counter({2.0: 5}))
    assert past.runs == 10
    assert past.steps_of(100) == Range(low=400, expected=1000, high=3000)
    assert past.seconds_of(100) == Range(low=200, expected=200, high=200)


def test_without_a_past_there_is_no_range() -> None:
    assert PastRuns().runs == 0
    assert PastRuns().steps_of(5) is None
    assert PastRuns(steps=Counter({4: 1})).seconds_of(5) is None
