"""The scales of charts: where a time, a duration or a number is drawn, and where an axis has its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from batchfish.core.describe import spell_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_TIME_STEPS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 30, 90, 365)),
)
_IDLE_SHARE = 0.5
"""A pause is drawn narrow if it is longer than this share of the time in which something happened."""

_MOST_PAUSES = 6
PAUSE_WIDTH = 34.0
_LABEL_WIDTH = 56.0


class Tick(NamedTuple):
    """A mark of an axis at a place of the drawing; `below` is a second line of its label."""

    at: float
    label: str
    below: str = ""


class Stretch(NamedTuple):
    """A stretch of time that is drawn to scale, from `left` to `right` in the drawing."""

    start: float
    end: float
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class TimeScale:
    """A time axis; long pauses between its stretches are drawn narrow, whatever their length."""

    stretches: tuple[Stretch, ...]

    @property
    def per_pixel(self) -> float:
        """Seconds that one unit of the drawing stands for."""
        shown = sum(one.end - one.start for one in self.stretches)
        return shown / sum(one.right - one.left for one in self.stretches)

    def place(self, at: float) -> float:
        """Return where a moment is drawn; one within a pause at its end."""
        for one in self.stretches:
            if at <= one.end:
                share = max(0.0, at - one.start) / (one.end - one.start)
                return one.left + share * (one.right - one.left)
        return self.stretches[-1].right

    def is_one_stretch(self, at: float, other: float) -> bool:
        """Return whether no pause that is drawn narrow lies between two moments, the earlier one first."""
        return not any(at <= one.end < other for one in self.stretches)

    def pauses(self) -> Sequence[tuple[float, float]]:
        """Return where each pause is drawn (its middle), and how many seconds it lasted."""
        return [
            ((before.right + after.left) / 2, after.start - before.end)
            for before, after in pairwise(self.stretches)
        ]

    def ticks(self, apart: float) -> Sequence[Tick]:
        """Return the ticks, with the date below the first of each day; within a stretch they are `apart`."""
        step = _at_least(self.per_pixel * apart)
        ticks: list[Tick] = []
        day = ""
        for one in self.stretches:
            first = math.ceil(one.start / step) * step
            count = max(0, math.floor((one.end - first) / step) + 1)
            # A stretch too short for a round time is named by its beginning.
            for at in [first + n * step for n in range(count)] or [one.start]:
                x = self.place(at)
                too_near = bool(ticks) and x - ticks[-1].at < apart / 2
                if too_near or x > self.stretches[-1].right - _LABEL_WIDTH / 2:
                    continue
                today = f"{datetime.fromtimestamp(at, UTC):%b %-d}"
                ticks.append(Tick(x, _clock_time(at, step), "" if today == day else today))
                day = today
        return ticks


def merge_spans(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans of time in order, those that touch joined."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def time_scale(busy: Sequence[tuple[float, float]], left: float, right: float) -> TimeScale:
    """Return the axis on which these spans of time are drawn: one at least, as `merge_spans` returns them."""
    shown = sum(end - start for start, end in busy)
    gaps = [(after[0] - before[1], n) for n, (before, after) in enumerate(pairwise(busy))]
    long = sorted(gap for gap in gaps if gap[0] > _IDLE_SHARE * shown)[-_MOST_PAUSES:]
    cuts = sorted(n for _, n in long)
    edges = [busy[0][0], *(at for n in cuts for at in (busy[n][1], busy[n + 1][0])), busy[-1][1]]
    parts = list(zip(edges[::2], edges[1::2], strict=True))
    total = sum(end - start for start, end in parts)
    per_second = (right - left - PAUSE_WIDTH * len(cuts)) / total
    stretches, x = [], left
    for start, end in parts:
        width = (end - start) * per_second
        stretches.append(Stretch(start, end, x, x + width))
        x += width + PAUSE_WIDTH
    return TimeScale(tuple(stretches))


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis of numbers that begins at 0, drawn upwards from `bottom` to `top`."""

    most: float
    bottom: float
    top: float
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """Return where a value is drawn; a greater one than fits at the upper edge."""
        return self.bottom - (self.bottom - self.top) * min(1.0, max(0.0, value) / self.most)


def number_scale(most: float, bottom: float, top: float, ticks: int = 5) -> Scale:
    """Return an axis of whole numbers up to at least `most`."""
    rough = max(1.0, most / ticks)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    return _scale(most, step, bottom, top, lambda value: f"{value:,.0f}")


def duration_scale(most: float, bottom: float, top: float, ticks: int = 5) -> Scale:
    """Return an axis of durations up to at least `most` seconds."""
    return _scale(most, _at_least(most / ticks), bottom, top, spell_seconds)


def spell_seconds(seconds: float) -> str:
    """Return a duration for an axis: `0`, `0.25s`, `30s`, `5m`, `1h 30m`."""
    return "0" if not seconds else f"{seconds:.3g}s" if seconds < _MINUTE else spell_duration(seconds)


def _scale(most: float, step: float, bottom: float, top: float, spell: Callable[[float], str]) -> Scale:
    count = max(1, math.ceil(most / step - 1e-9))
    end = count * step
    height = bottom - top
    ticks = (Tick(bottom - height * n / count, spell(n * step)) for n in range(count + 1))
    return Scale(most=end, bottom=bottom, top=top, ticks=tuple(ticks))


def _at_least(seconds: float) -> float:
    """Return a step that people count time in, no shorter than this."""
    for step in _TIME_STEPS:
        if step >= seconds:
            return step
    return math.ceil(seconds / _TIME_STEPS[-1]) * _TIME_STEPS[-1]


def _clock_time(at: float, step: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    if step >= _MINUTE:
        return f"{moment:%H:%M}"
    if step >= 1:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%H:%M:%S.%f}"[:-4]
