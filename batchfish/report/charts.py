"""The charts of a report as geometry: the paths, bars and ticks that templates draw."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from batchfish.report.figures import percentile
from batchfish.report.scales import duration_scale, number_scale, time_scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchfish.report.facts import Bound
    from batchfish.report.figures import Durations, Intervals, Slots
    from batchfish.report.scales import Scale, Tick, TimeScale

WIDTH = 1040.0
LEFT, RIGHT = 52.0, 1030.0
TOP, BOTTOM = 14.0, 190.0
HEIGHT = 232.0
HISTOGRAM_LEFT = 856.0
DOTS_RIGHT = 826.0
TICKS_APART = 96.0

BUCKET_WIDTH = 2.0
BINS = 28
MOST_DOTS = 3_000
_MEDIANS = 48
_FEWEST_FOR_MEDIANS = 20
_BOUND_SHOWN = 3.0
"""A bound is drawn if it is at most so many times the slots that were in use."""

_FAR = 3.0
"""If the longest duration is more than so many times the 99th percentile, the axis ends before it."""


class Layer(NamedTuple):
    """One layer of a stacked area chart: its name, and its outline."""

    name: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotsChart:
    """Slots in use over time: `peak` at most, `mean` on average in the time that is drawn to scale.

    `bound` is the line of the bound, empty if it is far above what was used.
    """

    layers: Sequence[Layer]
    bound: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    pauses: Sequence[tuple[float, float]]
    peak: int
    mean: float


class Bar(NamedTuple):
    """A bar of a horizontal histogram."""

    y: float
    height: float
    width: float


class Mark(NamedTuple):
    """A percentile in a histogram: its name, its seconds, where it is drawn, and where its label is."""

    name: str
    seconds: float
    y: float
    label_y: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DurationChart:
    """The times that something took, each as a dot over time, and their distribution on the same scale.

    `drawn` of `total` dots are drawn; `beyond` of them are above the scale, and drawn at its upper edge.
    """

    well: str
    badly: str
    medians: str
    bars: Sequence[Bar]
    marks: Sequence[Mark]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    pauses: Sequence[tuple[float, float]]
    total: int
    drawn: int
    beyond: int
    longest: float


def draw_slots(
    slots: Slots, bounds: Sequence[Bound], busy: Sequence[tuple[float, float]]
) -> SlotsChart | None:
    """Return the chart of slots in use; `busy` are the spans with any in use, None is returned without."""
    if not busy:
        return None
    layers = slots.layers()
    scale = time_scale(busy, LEFT, RIGHT)
    edges = [_edges(one.left, one.right, one.start, one.end) for one in scale.stretches]
    means = {
        name: [value for stretch in edges for value in mean_in_use(spans, [at for at, _ in stretch])]
        for name, spans in layers.items()
    }
    heights = [sum(values) for values in zip(*means.values(), strict=True)]
    peak = peak_in_use(layers.values())
    most = max((one.slots for one in bounds), default=0)
    is_drawn = 0 < most <= _BOUND_SHOWN * peak
    y = number_scale(max(peak, most if is_drawn else 0), BOTTOM, TOP)
    base = [0.0] * len(heights)
    drawn = []
    for name, values in means.items():
        upper = [low + value for low, value in zip(base, values, strict=True)]
        if any(values):
            drawn.append(Layer(name, _area(edges, base, upper, y)))
        base = upper
    return SlotsChart(
        layers=drawn,
        bound=_draw_bounds(bounds, scale, y) if is_drawn else "",
        x_ticks=scale.ticks(TICKS_APART),
        y_ticks=y.ticks,
        pauses=scale.pauses(),
        peak=peak,
        mean=sum(heights) / len(heights),
    )


def mean_in_use(spans: Intervals, edges: Sequence[float]) -> list[float]:
    """Return how many spans covered each bucket on average; `edges` bound buckets of equal width."""
    first, last, count = edges[0], edges[-1], len(edges) - 1
    width = (last - first) / count
    partly = [0.0] * count
    wholly = [0] * (count + 1)  # how many more spans cover this bucket whole than the one before
    for start, end in spans:
        if end <= first or start >= last:
            continue
        start, end = max(start, first), min(end, last)  # noqa: PLW2901 - cut to what is drawn
        begin = min(count - 1, int((start - first) / width))
        finish = min(count - 1, int((end - first) / width))
        if begin == finish:
            partly[begin] += end - start
            continue
        partly[begin] += edges[begin + 1] - start
        partly[finish] += end - edges[finish]
        wholly[begin + 1] += 1
        wholly[finish] -= 1
    covered, means = 0, []
    for bucket in range(count):
        covered += wholly[bucket]
        means.append(max(0.0, covered + partly[bucket] / width))
    return means


def peak_in_use(layers: Iterable[Intervals]) -> int:
    """Return how many spans there were at once, at most; one that ends as another begins counts once."""
    both = list(layers)
    starts = sorted(chain.from_iterable(spans.starts for spans in both))
    ends = sorted(chain.from_iterable(spans.ends for spans in both))
    peak = ended = 0
    for begun, start in enumerate(starts, start=1):
        while ends[ended] <= start:
            ended += 1
        peak = max(peak, begun - ended)
    return peak


def _edges(left: float, right: float, start: float, end: float) -> list[tuple[float, float]]:
    """Return the edges of the buckets of one stretch of time: moment and place in the drawing."""
    count = max(1, round((right - left) / BUCKET_WIDTH))
    shares = [n / count for n in range(count + 1)]
    return [(start + (end - start) * share, left + (right - left) * share) for share in shares]


def _area(
    edges: Sequence[Sequence[tuple[float, float]]], low: Sequence[float], high: Sequence[float], y: Scale
) -> str:
    """Return the outline of a layer, with steps at the edges of buckets, one part for each stretch."""
    parts, at = [], 0
    for stretch in edges:
        places = [x for _, x in stretch]
        count = len(places) - 1
        parts.append(f"M{_num(places[0])} {_num(y.place(low[at]))}")
        parts += [f"V{_num(y.place(high[at + n]))}H{_num(places[n + 1])}" for n in range(count)]
        parts += [f"V{_num(y.place(low[at + n]))}H{_num(places[n])}" for n in reversed(range(count))]
        parts.append("Z")
        at += count
    return "".join(parts)


def _draw_bounds(bounds: Sequence[Bound], scale: TimeScale, y: Scale) -> str:
    """Return the line of the bound over time."""
    path = f"M{_num(LEFT)} {_num(y.place(bounds[0].slots))}"
    for one in bounds[1:]:
        path += f"H{_num(scale.place(one.since))}V{_num(y.place(one.slots))}"
    return f"{path}H{_num(RIGHT)}"


def draw_durations(durations: Durations, busy: Sequence[tuple[float, float]]) -> DurationChart | None:
    """Return the chart of durations on the time axis of the busy spans; None without any."""
    if not busy or not len(durations):
        return None
    scale = time_scale(busy, LEFT, DOTS_RIGHT)
    ordered = sorted(durations.seconds)
    longest, usual = ordered[-1], percentile(ordered, 0.99)
    y = duration_scale(max(longest if longest <= _FAR * usual else 1.2 * usual, 0.01), BOTTOM, TOP)
    well, badly = _draw_dots(durations, scale, y)
    return DurationChart(
        well=well,
        badly=badly,
        medians=_draw_medians(durations, scale, y),
        bars=_draw_bars(ordered, y),
        marks=_place_marks(ordered, y),
        x_ticks=scale.ticks(TICKS_APART),
        y_ticks=y.ticks,
        pauses=scale.pauses(),
        total=len(durations),
        drawn=min(len(durations), MOST_DOTS),
        beyond=sum(seconds > y.most for seconds in ordered),
        longest=longest,
    )


def _draw_dots(durations: Durations, scale: TimeScale, y: Scale) -> tuple[str, str]:
    """Return the dots of runs that went well and of the others: lines of no length with round ends."""
    total = len(durations)
    shown = range(total) if total <= MOST_DOTS else [n * total // MOST_DOTS for n in range(MOST_DOTS)]
    dots: tuple[list[str], list[str]] = ([], [])
    for n in shown:
        place = f"M{_num(scale.place(durations.ends[n]))} {_num(y.place(durations.seconds[n]))}h0"
        dots[durations.well[n] == 0].append(place)
    return "".join(dots[0]), "".join(dots[1])


def _draw_medians(durations: Durations, scale: TimeScale, y: Scale) -> str:
    """Return the line of the medians over time; empty for too few durations to speak of one."""
    if len(durations) < _FEWEST_FOR_MEDIANS:
        return ""
    both = sorted(zip(durations.ends, durations.seconds, strict=True))
    size = max(5, -(-len(both) // _MEDIANS))
    path, last = "", 0.0
    for start in range(0, len(both), size):
        part = both[start : start + size]
        if start and len(part) < size // 2:
            break  # the rest is too small to have a median of its own
        middle = percentile(sorted(seconds for _, seconds in part), 0.5)
        at = part[len(part) // 2][0]
        command = "L" if path and scale.is_one_stretch(last, at) else "M"
        path += f"{command}{_num(scale.place(at))} {_num(y.place(middle))}"
        last = at
    return path


def _draw_bars(ordered: Sequence[float], y: Scale) -> Sequence[Bar]:
    """Return the bars of the distribution; durations beyond the scale count in the uppermost."""
    counts = [0] * BINS
    for seconds in ordered:
        counts[min(BINS - 1, int(seconds / y.most * BINS))] += 1
    height = (BOTTOM - TOP) / BINS
    per_one = (RIGHT - HISTOGRAM_LEFT) / max(counts)
    return [
        Bar(round(BOTTOM - (n + 1) * height + 0.5, 1), round(height - 1, 1), round(number * per_one, 1))
        for n, number in enumerate(counts)
        if number
    ]


def _place_marks(ordered: Sequence[float], y: Scale) -> Sequence[Mark]:
    """Return median and 95th percentile; their labels never overlap."""
    median, high = percentile(ordered, 0.5), percentile(ordered, 0.95)
    at = y.place(median), y.place(high)
    label = max(TOP + 8, min(at[1] - 4, at[0] - 18))
    return [Mark("95 %:", high, at[1], label), Mark("median:", median, at[0], max(at[0] - 4, label + 14))]


def _num(value: float) -> str:
    """Return a coordinate in as few characters as a tenth of a pixel needs."""
    return f"{value:.1f}".removesuffix(".0")
