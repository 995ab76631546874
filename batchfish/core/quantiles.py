"""Quantiles of counted values, and the range that the past of a journal gives for the runs to come."""

from __future__ import annotations

import math
from collections import Counter
from typing import TypeVar

from msgspec import Struct, field

Number = TypeVar("Number", int, float)


def quantile(counts: Counter[Number], share: float) -> Number:
    """Return the smallest value that at least this share (0 to 1) of the counted values do not exceed.

    ValueError if nothing was counted.
    """
    rank = max(1, math.ceil(share * counts.total()))
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return value
    raise ValueError("a quantile of nothing")


class Range(Struct, frozen=True, kw_only=True):
    """An estimate of a sum over many runs: by the median run, and by the 10th and 90th percentile."""

    low: float
    expected: float
    high: float

    def times(self, factor: float) -> Range:
        """Return the range multiplied by a number."""
        return Range(low=self.low * factor, expected=self.expected * factor, high=self.high * factor)


class PastRuns(Struct, frozen=True, kw_only=True):
    """The runs of a journal that have ended: how often each number of steps and of seconds occurred."""

    steps: Counter[int] = field(default_factory=Counter)
    seconds: Counter[float] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        """The number of runs of which steps or seconds are known."""
        return max(self.steps.total(), self.seconds.total())

    def steps_of(self, runs: int) -> Range | None:
        """Return an estimate of the steps of this many runs; None if no ended run has told its steps."""
        return _range(self.steps, runs)

    def seconds_of(self, runs: int) -> Range | None:
        """Return an estimate of the seconds of this many runs in a row; None if no run has ended."""
        return _range(self.seconds, runs)


def _range(counts: Counter[Number], runs: int) -> Range | None:
    if not counts:
        return None
    low, expected, high = (quantile(counts, share) for share in (0.1, 0.5, 0.9))
    return Range(low=low, expected=expected, high=high).times(runs)
