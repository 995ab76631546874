"""When to look at a run again."""

from __future__ import annotations

SLOWEST = 5.0
"""Old runs are looked at no less often than every so many intervals."""

PATIENCE = 60.0
"""For each so many seconds of a run's life its looks come one interval further apart."""


def next_look(age: float, interval: float) -> float:
    """Seconds until the next look at a run of this age: young runs each interval, old ones more rarely."""
    return interval * min(SLOWEST, 1.0 + max(0.0, age) / PATIENCE)
