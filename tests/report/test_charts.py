"""The geometry of charts, compared with what was put in."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.items import AttemptState
from batchfish.report import charts
from batchfish.report.charts import draw_durations, draw_slots, mean_in_use, peak_in_use
from batchfish.report.facts import Bound
from batchfish.report.figures import Figures, Intervals, gather
from tests.report.building import BEGAN, NOW, attempt, item

if TYPE_CHECKING:
    from batchfish.core.histories import ItemHistory

MOMENTS = st.floats(1.0, 100.0)
SPANS = st.lists(st.tuples(MOMENTS, MOMENTS).map(lambda one: (min(one), max(one))), max_size=25)


def intervals(spans: list[tuple[float, float]]) -> Intervals:
    made = Intervals()
    for span in spans:
        made.add(*span)
    return made


@given(SPANS, st.integers(1, 40))
def test_means_of_buckets_add_up_to_the_time_in_use(spans: list[tuple[float, float]], count: int) -> None:
    edges = [1.0 + 99.0 * n / count for n in range(count + 1)]
    means = mean_in_use(intervals(spans), edges)
    for mean, (start, end) in zip(means, pairwise(edges), strict=True):
        covered = sum(max(0.0, min(end, last) - max(start, first)) for first, last in spans)
        assert mean == pytest.approx(covered / (end - start), abs=1e-6)


@given(SPANS)
def test_the_peak_is_the_greatest_number_at_any_moment(spans: list[tuple[float, float]]) -> None:
    real = [(start, end) for start, end in spans if end > start]
    most = max((sum(first <= at < last for first, last in real) for at, _ in real), default=0)
    assert peak_in_use([intervals(spans[::2]), intervals(spans[1::2])]) == most


def test_a_slot_that_is_used_again_at_once_counts_once() -> None:
    assert peak_in_use([intervals([(1, 2), (2, 3), (3, 4)])]) == 1


def figures_of(*histories: ItemHistory) -> Figures:
    return gather(histories, now=NOW)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)", path)]


def test_layers_are_stacked_up_to_the_slots_in_use() -> None:
    figures = figures_of(
        *(item(n, attempt(0.0, 0.0, 10.0)) for n in range(1, 4)),
        item(4, attempt(0.0, 10.0, 20.0)),
    )
    chart = draw_slots(figures.slots, [Bound(BEGAN, 4)], figures.slots.busy())
    assert chart is not None
    assert [layer.name for layer in chart.layers] == ["running", "queued"]
    assert chart.peak == 4
    assert chart.mean == pytest.approx(2.5)
    assert [tick.label for tick in chart.y_ticks] == ["0", "1", "2", "3", "4"]
    assert chart.bound == f"M{charts.LEFT:g} {charts.TOP:g}H{charts.RIGHT:g}"
    assert chart.layers[1].path.startswith(f"M{charts.LEFT:g} {charts.TOP + 44:g}V{charts.TOP:g}")


def test_a_bound_that_was_changed_is_drawn_in_steps() -> None:
    figures = figures_of(item(1, attempt(0.0, 0.0, 10.0)), item(2, attempt(0.0, 0.0, 10.0)))
    bounds = [Bound(BEGAN, 2), Bound(BEGAN + 5.0, 4)]
    chart = draw_slots(figures.slots, bounds, figures.slots.busy())
    assert chart is not None
    middle = (charts.LEFT + charts.RIGHT) / 2
    assert chart.bound == (
        f"M{charts.LEFT:g} {(charts.TOP + charts.BOTTOM) / 2:g}H{middle:g}V{charts.TOP:g}H{charts.RIGHT:g}"
    )


def test_attempts_take_slots_by_their_states() -> None:
    open_states = (AttemptState.SUBMITTING, AttemptState.UNANSWERED, AttemptState.RUNNING)
    slots = figures_of(
        *(item(n, attempt(0.0, None, None, state=state)) for n, state in enumerate(open_states, start=1)),
        item(4, attempt(0.0, None, None, state=AttemptState.HELD), status="held"),
        item(5, attempt(None, None, None, state=AttemptState.ABSENT, given_up_after=60.0)),
        item(6, attempt(None, None, None, state=AttemptState.REFUSED)),
        item(7, attempt(0.0, 2.0, None, state=AttemptState.RUNNING)),
        item(8, attempt(0.0, None, 7.0)),
    ).slots
    assert list(slots.alive) == [(BEGAN, NOW)] * 3 + [(BEGAN, BEGAN + 60)]
    assert list(slots.held) == [(BEGAN, NOW)]
    assert list(slots.running) == [(BEGAN + 2, NOW)]
    assert list(slots.queued) == [(BEGAN, BEGAN + 2), (BEGAN, BEGAN + 7)]


def test_held_attempts_alone_do_not_stretch_the_axis() -> None:
    held = item(2, attempt(0.0, None, None, state=AttemptState.HELD), status="held")
    assert figures_of(item(1), held).slots.busy() == [(BEGAN, BEGAN + 5)]
    assert figures_of(held).slots.busy() == []


def test_each_duration_is_a_dot_at_its_place() -> None:
    figures = figures_of(
        item(1, attempt(0.0, 0.0, 10.0)),
        item(2, attempt(0.0, 0.0, 40.0), status="failed"),
    )
    chart = draw_durations(figures.run, figures.slots.busy())
    assert chart is not None
    assert [tick.label for tick in chart.y_ticks] == ["0", "10s", "20s", "30s", "40s"]
    quarter = charts.LEFT + (charts.DOTS_RIGHT - charts.LEFT) / 4
    height = charts.BOTTOM - charts.TOP
    assert points(chart.well) == [(quarter, charts.BOTTOM - height / 4)]
    assert points(chart.badly) == [(charts.DOTS_RIGHT, charts.TOP)]
    assert [mark.seconds for mark in chart.marks] == [40.0, 40.0]
    assert (chart.total, chart.drawn, chart.beyond, chart.longest) == (2, 2, 0, 40.0)


def test_bars_count_every_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MOST_DOTS", 10)
    figures = figures_of(*(item(n, attempt(0.0, 0.0, 1.0 + n % 7)) for n in range(1, 101)))
    chart = draw_durations(figures.run, figures.slots.busy())
    assert chart is not None
    assert (chart.total, chart.drawn) == (100, 10)
    assert len(points(chart.well)) == 10
    widest = max(bar.width for bar in chart.bars)
    counts = [round(bar.width / widest * 15) for bar in chart.bars]
    assert sum(counts) == 100


def test_a_few_very_long_runs_do_not_flatten_the_others() -> None:
    figures = figures_of(*(item(n, attempt(0.0, 0.0, 10_000.0 if n == 1 else 10.0)) for n in range(1, 201)))
    chart = draw_durations(figures.run, figures.slots.busy())
    assert chart is not None
    assert chart.y_ticks[-1].label == "15s"
    assert (chart.beyond, chart.longest) == (1, 10_000.0)


def test_the_median_does_not_cross_a_pause() -> None:
    day = [item(n, attempt(n, n, n + 5.0)) for n in range(1, 31)]
    later = [item(n, attempt(90_000 + n, 90_000 + n, 90_005.0 + n)) for n in range(31, 61)]
    chart = draw_durations((figures := figures_of(*day, *later)).run, figures.slots.busy())
    assert chart is not None
    assert chart.medians.count("M") == 2
    assert len(chart.pauses) == 1


@pytest.mark.parametrize("at", [0.0, -5.0, 1e300, float("inf"), float("nan")])
def test_impossible_times_are_left_out(at: float) -> None:
    broken = attempt(sent_at=at, created_at=at, started_at=at, finished_at=at)
    figures = figures_of(item(1), item(2, broken))
    assert len(figures.run) == 1
    chart = draw_slots(figures.slots, [], figures.slots.busy())
    assert chart is not None
    assert chart.peak == 1
