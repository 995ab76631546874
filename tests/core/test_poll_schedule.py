"""When a run is looked at again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.poll_schedule import SLOWEST, next_look

ages = st.floats(-1e6, 1e9)
intervals = st.floats(0.01, 60.0)


def test_young_runs_are_looked_at_each_interval_and_old_ones_more_rarely() -> None:
    assert [next_look(age, 1.0) for age in (0, 60, 120, 240, 10_000)] == [1.0, 2.0, 3.0, 5.0, 5.0]


def test_a_clock_that_went_back_makes_a_run_young() -> None:
    assert next_look(-100.0, 2.0) == 2.0


@given(age=ages, interval=intervals)
def test_no_look_comes_sooner_than_an_interval_or_later_than_the_slowest(age: float, interval: float) -> None:
    assert interval <= next_look(age, interval) <= SLOWEST * interval


@given(age=ages, older=ages, interval=intervals)
def test_an_older_run_is_never_looked_at_sooner(age: float, older: float, interval: float) -> None:
    assert next_look(min(age, older), interval) <= next_look(max(age, older), interval)
