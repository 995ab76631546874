"""Axes: stretches of time with pauses drawn narrow, and ticks at round times and numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.report.scales import (
    PAUSE_WIDTH,
    duration_scale,
    merge_spans,
    number_scale,
    spell_seconds,
    time_scale,
)
from tests.report.building import BEGAN

SPANS = st.lists(
    st.tuples(st.floats(1.0, 2e9), st.floats(0.001, 1e6)).map(lambda one: (one[0], one[0] + one[1])),
    min_size=1,
    max_size=30,
)


def test_a_long_pause_is_drawn_narrow() -> None:
    scale = time_scale([(BEGAN, BEGAN + 600), (BEGAN + 36_000, BEGAN + 36_300)], 0.0, 100.0 + PAUSE_WIDTH)
    first, second = scale.stretches
    assert (first.left, first.right) == pytest.approx((0.0, 200 / 3))
    assert (second.left, second.right) == pytest.approx((200 / 3 + PAUSE_WIDTH, 100 + PAUSE_WIDTH))
    ((middle, seconds),) = scale.pauses()
    assert (middle, seconds) == pytest.approx((200 / 3 + PAUSE_WIDTH / 2, 35_400.0))
    assert scale.place(BEGAN + 300) == pytest.approx(100 / 3)
    assert scale.place(BEGAN + 20_000) == second.left
    assert scale.is_one_stretch(BEGAN, BEGAN + 600)
    assert not scale.is_one_stretch(BEGAN + 600, BEGAN + 36_000)


def test_a_short_pause_is_drawn_to_scale() -> None:
    scale = time_scale([(BEGAN, BEGAN + 600), (BEGAN + 700, BEGAN + 1_000)], 0.0, 100.0)
    assert len(scale.stretches) == 1
    assert scale.place(BEGAN + 500) == pytest.approx(50.0)


def test_ticks_are_at_round_times_and_name_each_day_once() -> None:
    night = BEGAN + 20 * 3600 - 600
    scale = time_scale([(night, night + 1_800)], 50.0, 1_000.0)
    ticks = scale.ticks(96.0)
    assert [tick.label for tick in ticks] == ["23:50", "23:55", "00:00", "00:05", "00:10", "00:15"]
    assert [tick.below for tick in ticks] == ["Nov 29", "", "Nov 30", "", "", ""]


@given(SPANS)
def test_every_moment_has_its_place_and_order(spans: list[tuple[float, float]]) -> None:
    busy = merge_spans(spans)
    scale = time_scale(busy, 50.0, 1_000.0)
    moments = sorted(at for span in spans for at in span)
    places = [scale.place(at) for at in moments]
    assert places == sorted(places)
    assert places[0] >= 49.9
    assert places[-1] <= 1_000.1
    ticks = [tick.at for tick in scale.ticks(96.0)]
    assert ticks == sorted(ticks)
    assert len(ticks) < 40


@given(SPANS)
def test_merged_spans_cover_the_same_time(spans: list[tuple[float, float]]) -> None:
    merged = merge_spans(spans)
    assert all(before[1] < after[0] for before, after in pairwise(merged))
    assert {at for span in merged for at in span} <= {at for span in spans for at in span}
    for start, end in spans:
        assert any(first <= start and end <= last for first, last in merged)


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (1, ["0", "1"]),
        (12, ["0", "5", "10", "15"]),
        (50, ["0", "10", "20", "30", "40", "50"]),
        (2_400, ["0", "500", "1,000", "1,500", "2,000", "2,500"]),
    ],
)
def test_numbers_have_whole_ticks(most: float, labels: list[str]) -> None:
    scale = number_scale(most, 200.0, 0.0)
    assert [tick.label for tick in scale.ticks] == labels
    assert scale.ticks[0].at == 200.0
    assert scale.ticks[-1].at == 0.0
    assert scale.place(1e9) == 0.0


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (0.07, ["0", "0.02s", "0.04s", "0.06s", "0.08s"]),
        (41, ["0", "10s", "20s", "30s", "40s", "50s"]),
        (400, ["0", "2m", "4m", "6m", "8m"]),
        (20_000, ["0", "2h", "4h", "6h"]),
    ],
)
def test_durations_have_ticks_that_people_count_in(most: float, labels: list[str]) -> None:
    assert [tick.label for tick in duration_scale(most, 200.0, 0.0).ticks] == labels


def test_durations_are_spelled_for_axes() -> None:
    spelled = [spell_seconds(one) for one in (0, 0.25, 30, 90, 5_400)]
    assert spelled == ["0", "0.25s", "30s", "1m 30s", "1h 30m"]
