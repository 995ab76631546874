"""The shortest time in which a server could end given runs, and the quantiles of what was measured."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def list_schedule(durations: Iterable[float], cap: int) -> float:
    """Return when the last run ends if all wait from the start and `cap` work at once, in this order."""
    ends: list[float] = []
    for duration in durations:
        begin = heapq.heappop(ends) if len(ends) == cap else 0.0
        heapq.heappush(ends, begin + duration)
    return max(ends, default=0.0)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of the values does not exceed; NaN if there is none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
